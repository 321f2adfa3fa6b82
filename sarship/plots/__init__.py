"""Figures of counts, visits, scenes and ports.

The only importer of matplotlib. Figures belong to no global state: they need no display, and any thread may draw one.
"""

from importlib.util import find_spec

from sarship._package import lazy_names
from sarship.errors import LibraryError

if find_spec("matplotlib") is None:
    raise LibraryError.of("a picture", "matplotlib")

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
