"""Vessels to counts per pier and pass, to visits and traffic, and to changes over time."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
