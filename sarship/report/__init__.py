"""One page of a survey that works offline: answer, series, map, visits, reports; and the editor of port files."""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
