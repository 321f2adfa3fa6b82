"""CFAR hits in one product, and how much of each pier's waters it shows."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
