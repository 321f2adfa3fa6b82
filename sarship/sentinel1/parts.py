"""The rectangles of a window that an area takes up, one for each row of tiles.

A window lies along the lines of the image, and a port aslant in it: the corners of the window are blocks of a
cloud-optimised image that nobody needs. The tiles are the same whatever the blocks of the image, so that a product
gives the same wherever it lies.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from sarship.model import Window

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["area_of", "parts_of"]

TILE: Final = 512
"""Lines of a row of tiles, as many as those of a mirror's blocks; those of cdse have 1,024 (its pages on COG_SAFE)."""


def area_of(window: Window) -> BaseGeometry:
    """Return the area that takes up a window, and no pixel beside it."""
    return shapely.box(window.pixel_start, window.line_start, window.pixel_stop - 1, window.line_stop - 1)


def parts_of(window: Window, within: BaseGeometry | None = None) -> list[Window]:
    """Return the rectangles of a window that an area takes up, from top to bottom, one for each row of tiles.

    Parameters
    ----------
    window
        Part of the image.
    within
        Area in image coordinates (x = pixel, y = line); None for the whole window.

    Examples
    --------
    >>> aslant = shapely.Polygon([(100, 40), (1000, 400), (900, 700), (0, 340)])
    >>> for part in parts_of(Window(0, 1000, 0, 1000), aslant):
    ...     print(part)
    Window(line_start=40, line_stop=512, pixel_start=0, pixel_stop=1000)
    Window(line_start=512, line_stop=701, pixel_start=429, pixel_stop=964)
    """
    parts = []
    pieces = None if within is None else shapely.get_parts(within)
    for top in range(window.line_start // TILE * TILE, window.line_stop, TILE):
        lines, pixels = (top, top + TILE), (window.pixel_start, window.pixel_stop)
        if pieces is not None:
            row = shapely.clip_by_rect(pieces, pixels[0] - 0.5, lines[0] - 0.5, pixels[1] - 0.5, lines[1] - 0.5)
            left, first, right, last = shapely.total_bounds(row)
            if np.isnan(left):
                continue
            lines = max(lines[0], math.floor(first + 0.5)), min(lines[1], math.ceil(last + 0.5))
            pixels = max(pixels[0], math.floor(left + 0.5)), min(pixels[1], math.ceil(right + 0.5))
        start, stop = max(lines[0], window.line_start), min(lines[1], window.line_stop)
        if start < stop and pixels[0] < pixels[1]:
            parts.append(Window(start, stop, *pixels))
    return parts
