"""AIS beside radar: reports read from any file, positions at the scan, and which vessels AIS does not know."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
