"""params.yaml: its schema, its profiles, its checks."""
