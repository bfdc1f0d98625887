"""A run on a machine with a GPU and without a package index, DVC or MLflow: results in files, each when it is there."""
