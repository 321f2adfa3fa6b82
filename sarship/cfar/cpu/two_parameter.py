"""Two-parameter detectors by levels: strips of them for the kernel, their centre, and bounds that no hit is below."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.log_levels import LN_LEVELS, LN_SCALE, Levels, Rule, fill_levels
from sarship.cfar.cpu.moments import Limits
from sarship.cfar.cpu.rows import HitList, Tile
from sarship.cfar.cpu.strips import joined
from sarship.cfar.cpu.two_parameter_integer import BLOCK, new_running, search_rows
from sarship.cfar.k_distribution import Surface

__all__ = ["search_tile"]

STRIP_LINES = 256
"""Lines whose levels are laid out at once: they stay in the caches."""
FARTHEST = 40.0
"""Largest ln power that levels are centred on: less it, those of `SMALLEST` and `LARGEST` fit 32 bits."""
SAMPLES = 32
"""Lines and pixels of a tile that are looked at for its usual level."""
_SQUARE_LEVELS = np.arange(1 << 16, dtype=np.uint32) ** 2
_NO_LEVELS = np.empty(0, np.int32)


def search_tile(tile: Tile, table: NDArray[np.float64], surface: Surface, is_log: bool) -> HitList:
    """Return the hits of a tile, or fill its scores.

    A pixel is a hit when the square of count·level − sum is above `table[count]` · (count·squares − sum²), or, where
    there is a surface, when count·level − sum is above count times the surface's threshold.
    """
    centre = _centre(tile) if is_log else 0
    of_number: NDArray[np.integer] = _NO_LEVELS
    if tile.image.dtype.kind == "u":
        of_number = LN_LEVELS if is_log else _SQUARE_LEVELS
        of_number = of_number - of_number.dtype.type(centre)
        of_number[0] = 0
    rule = Rule(
        scale=LN_SCALE if is_log else 0.0,
        centre=centre,
        bias=np.uint64(1 << 47 if is_log else 0),
        shift=np.uint64(32),
        least=surface.least * LN_SCALE,
        variance=surface.variance * LN_SCALE**2,
        steps=surface.steps,
    )
    (start, stop), (left, right), half, cap, found = tile.lines, tile.pixels, tile.half, tile.cap, []
    limits, bright = Limits(table, surface.entries, rule), _bright(table.size - 1, 2 * half.outer_l + 1)
    n_rows, n_columns = STRIP_LINES + 2 * half.outer_l + 1, -(-(right - left) // BLOCK) * BLOCK + 2 * half.outer_p + 1
    levels = Levels(
        np.empty((n_rows, n_columns), of_number.dtype), np.empty(n_rows, np.int64), np.empty(n_rows, np.bool_)
    )
    running, n_lines = new_running(n_columns), stop - start + 2 * half.outer_l
    for first in range(0, n_lines, STRIP_LINES):
        lines = first, min(first + STRIP_LINES, n_lines)
        fill_levels(levels, tile, lines, of_number, centre)
        found.append(search_rows(tile._replace(cap=cap), levels, running, lines, limits, bright, BLOCK))
        cap -= found[-1].line.size
        if cap <= 0 or tile.negative[0] < 0:
            break
    hits = joined(found)
    return hits._replace(clutter=np.exp((hits.clutter - 1) / LN_SCALE)) if is_log else hits


def _centre(tile: Tile) -> int:
    """An even number near the median of the tile's levels, which are odd; it changes no result."""
    (start, stop), (left, right) = tile.lines, tile.pixels
    step = max((stop - start) // SAMPLES, 1), max((right - left) // SAMPLES, 1)
    some = np.s_[start : stop : step[0], left : right : step[1]]
    values = tile.image[some].astype(np.float64)
    values = values[(values > 0) & (values < np.inf) & (tile.valid[some] if tile.valid.size else True)]
    if not values.size:
        return 0
    mean = float(np.log(np.median(values))) * (2 if tile.image.dtype.kind == "u" else 1)
    return 2 * round(min(max(mean, -FARTHEST), FARTHEST) * LN_SCALE / 2)


def _bright(ring_size: int, n_lines: int) -> int:
    """Size of level from which on it is bright: the others' squares over a ring, and steps from ring to ring, fit."""
    return math.isqrt(min((1 << 64) // ring_size, (1 << 60) // n_lines) - 1)
