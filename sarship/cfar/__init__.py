"""CFAR on one array: pixels brighter than their surroundings, at a constant rate of false alarms.

Needs nothing but NumPy, SciPy and numba.

>>> import numpy as np
>>> from sarship import cfar
>>> sea = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (100, 100)).astype(np.float32)
>>> sea[50, 60] = 30
>>> hits = cfar.detect(sea, cfar.CfarParams(pfa=1e-6, guard=10, training=10, enl=4.4))
>>> hits.line.tolist(), hits.pixel.tolist()
([50], [60])

An image is a two-dimensional array (lines, pixels): uint16 digital numbers (amplitude; squared, they are the power) or
float32 or float64 linear power. Zero, NaN, infinity and `valid=False` mean no data: such pixels are in no ring
and never hits. At the image's edge the ring is cut, and the threshold grows as its count falls. Nothing is
copied or changed. All cores work, as many as `numba.set_num_threads` says; calls from several threads are safe.
"""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
