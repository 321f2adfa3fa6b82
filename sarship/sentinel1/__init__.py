"""Sentinel-1 GRD products: package, metadata, calibration, geolocation, windows of pixels."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
