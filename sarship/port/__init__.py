"""A port: its piers, its index, its fixed metric grid and the stack of its dates."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
