"""What an image is to those who look at hits: a scene, a spacing, and where its pixels lie.

A product is one, and so is a port's grid of one date; grouping and measuring need not know which.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.model import Scene

__all__ = ["ImagePlaces", "SearchedImage"]


class ImagePlaces(Protocol):
    """Where the pixels of an image lie."""

    def to_map(self, line: ArrayLike, pixel: ArrayLike, /) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude, degrees, of lines and pixels, which need not be whole."""
        ...

    def time_at(self, line: ArrayLike, /) -> NDArray[np.datetime64]:
        """Zero-Doppler UTC time of lines, `datetime64[ns]`."""
        ...


class SearchedImage(Protocol):
    """What hits were found in, as far as grouping and measuring them need to know it: a product, or a port's grid."""

    @property
    def scene(self) -> Scene:
        """The acquisition."""
        ...

    @property
    def line_spacing_m(self) -> float:
        """Distance between lines, metres."""
        ...

    @property
    def pixel_spacing_m(self) -> float:
        """Distance between pixels of a line, metres."""
        ...

    @property
    def geometry(self) -> ImagePlaces:
        """Where lines and pixels lie."""
        ...
