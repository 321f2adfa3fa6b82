"""Hits in one product, and the coverage of the piers in it."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
