"""Vessels: boxes of hits at sea, told apart by a network at piers; measured, flagged, assigned to piers."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
