"""Arguments of the device's kernels: frozen tuples that the compiler takes apart, so that they cost nothing."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["Catch", "Mode", "Pixels", "RingShape", "Strips", "Thresholds", "TwoParameterModel"]

Mode = Literal["search", "score", "mask"]
"""Result of a kernel: found pixels, an image of scores, or an image of booleans."""


class Pixels(NamedTuple):
    """An image on the device, and the pixels of it that do not count."""

    image: Any
    """(lines, pixels): the whole image, or the levels of some of its lines."""
    valid: Any
    """Mask of the image; (1, 1) and never read where all pixels are valid."""
    censored: Any
    """A bit for each pixel that is out of all rings, (lines of the whole, pixels / 32) uint32; (1, 1) where none is."""
    first_line: int
    """Line of the whole image where these begin."""


class RingShape(NamedTuple):
    """Half the size of a ring's outer rectangle and of its guard, without the pixel under test."""

    outer_lines: int
    outer_pixels: int
    guard_lines: int
    guard_pixels: int


class TwoParameterModel(NamedTuple):
    """Numbers of a clutter model of mean and variance, all of one type; not read by the other models."""

    scale: float
    """Levels for each unit of ln power; 0 where a level is power."""
    min_distance: float
    """No hit's distance above the sum is below this times the count."""
    min_variance: float
    """Variance in levels at which the surface's entries begin."""
    steps: float
    """Entries of the surface for each unit of ln variance."""


class Thresholds(NamedTuple):
    """Tables that a pixel is compared by."""

    table: Any
    """Factor for every count of the ring; for GOCA and SOCA the minimum count of a ring alone."""
    surface: Any
    """Thresholds by count and variance, (1, 1) where there are none; factors by number of sides and count for GOCA
    and SOCA; the place in order by count for OS."""
    min_factor: float
    """No threshold over the ring's sum is below this."""
    model: TwoParameterModel


class Strips(NamedTuple):
    """Lines that are searched, and the part of them that each block of threads slides over."""

    start: int
    stop: int
    """Counted from the first line of `Pixels`."""
    width: int
    """Pixels of a block."""
    height: int
    """Lines of a block."""


class Catch(NamedTuple):
    """Room on the device for results: found pixels, or an image."""

    tally: Any
    """Number of found pixels, perhaps more than there is room for, and place of the first negative power."""
    places: Any
    """Line, pixel and level of each, (room, 3)."""
    words: Any
    """Statistics of its ring, (room, 3)."""
    out: Any
    """Image of scores or booleans; (1, 1) for a search."""
    out_line: int
    """Line of the whole where `out` begins."""
