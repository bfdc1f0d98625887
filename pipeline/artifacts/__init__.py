"""The files between stages: where they are, how they are read and written."""
