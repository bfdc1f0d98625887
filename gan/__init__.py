"""The science: adversarial nets, the models they are compared with, and the Parzen window estimate.

Knows torch, NumPy and SciPy; knows nothing of DVC, MLflow, paths of this repository or command lines.
"""
