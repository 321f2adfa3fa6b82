"""Catalogues of Sentinel-1 scenes: search, whole products, windows in place, and passes that are missing."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
