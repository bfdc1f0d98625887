"""The stages of dvc.yaml, one module each: they read files, call `gan`, write files."""
