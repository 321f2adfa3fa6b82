"""Vessels from hits: grouped, boxed, split, measured, flagged, and assigned to piers."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
