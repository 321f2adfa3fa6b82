"""Counts vessels at the piers of a port from Sentinel-1 radar images.

Public names load on first use, so that `import sarship` stays light and needs no GPU, no compiler cache and no display.
"""

from sarship._package import __version__ as __version__
from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
