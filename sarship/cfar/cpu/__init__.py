"""Numba kernels, one file a detector family."""
