"""The same detectors as CUDA kernels."""
