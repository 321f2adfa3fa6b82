"""Seeded seas, ports and vessels with known truth, written as real Sentinel-1 GRD products.

>>> from sarship.simulate import ProductParams, simulate_product
>>> path, truth = simulate_product("out", ProductParams(mode="IW"), n_vessels=5)  # doctest: +SKIP
"""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
