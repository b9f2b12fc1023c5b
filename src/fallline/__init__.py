"""Training by gradient descent: compiled, recorded at every step, explained in words."""

__version__ = "0.1.0"
