"""Counts held against dated reports by others."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
