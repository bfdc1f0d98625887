"""The stages of dvc.yaml, one module each, of the same names."""
