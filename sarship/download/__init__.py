"""Files over HTTP: resumed, verified, atomic."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
