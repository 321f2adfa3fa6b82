"""Figures: counts and visits over time, a port in one scene and step by step, where scenes lie.

The only importer of matplotlib.
"""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
