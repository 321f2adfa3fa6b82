"""What the kernel of two moments is given: levels, what they are centred on, and bounds that no hit is below."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.ca_float import negative_power
from sarship.cfar.cpu.log_levels import LN_LEVELS, LN_SCALE, Rule, fill_levels
from sarship.cfar.cpu.two_parameter_integer import BLOCK, search_rows
from sarship.cfar.k_distribution import Surface

__all__ = ["search_tile"]

F64 = NDArray[np.float64]
Image = NDArray[np.uint16] | NDArray[np.floating]

STRIP_LINES = 256
"""Lines whose levels are laid out at once: they stay in the caches."""
LONG_AGO = 1 << 40
"""Lines since there was something bright, where there was nothing yet."""
FARTHEST = 40.0
"""Largest ln power that levels are centred on: less it, those of `SMALLEST` and `LARGEST` fit 32 bits."""
SAMPLES = 32
"""Lines and pixels of a tile that are looked at for its usual level."""
_SQUARE_LEVELS = np.arange(1 << 16, dtype=np.uint32) ** 2
_NO_LEVELS = np.empty(0, np.int32)


def search_tile(
    image: Image,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: F64,
    cap: int,
    out: NDArray[np.float32],
    origin: tuple[int, int],
    is_log: bool,
    surface: Surface,
) -> tuple[NDArray[np.int64], NDArray[np.int64], F64, F64]:
    """Hits of one tile: their lines, pixels, clutter and scores; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (outer lines, outer pixels, guard lines, guard pixels). Stops after `cap` hits.
    A pixel is a hit when the square of count·level − sum is above `table[count]` · (count·squares − sum²), or, where
    there is a surface, when count·level − sum is above count times what the surface says.

    Raises
    ------
    ValueError
        A valid pixel whose power is negative.
    """
    centre = _centre(image, valid, tile) if is_log else 0
    levels: NDArray[np.integer] = _NO_LEVELS
    if image.dtype.kind == "u":
        levels = LN_LEVELS if is_log else _SQUARE_LEVELS
        levels = levels - levels.dtype.type(centre)
        levels[0] = 0
    rule = Rule(
        scale=LN_SCALE if is_log else 0.0,
        centre=centre,
        bias=np.uint64(1 << 47 if is_log else 0),
        shift=np.uint64(32),
        least=surface.least * LN_SCALE,
        variance=surface.variance * LN_SCALE**2,
        steps=surface.steps,
    )
    start, stop, left, right = tile
    (back_l, back_p), width = window[:2], right - left
    rows = np.empty((STRIP_LINES + 2 * back_l + 1, -(-width // BLOCK) * BLOCK + 2 * back_p + 1), levels.dtype)
    sizes, is_full, negative = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.bool_), np.zeros(3)
    sums = np.zeros((6, rows.shape[1]), np.uint64)
    near, last_bright = np.zeros(rows.shape[1], np.int64), np.full(rows.shape[1] // BLOCK + 1, -LONG_AGO)
    bright, n_lines, found = _bright(table.size - 1, 2 * back_l + 1), stop - start + 2 * back_l, []
    for first in range(0, n_lines, STRIP_LINES):
        lines = first, min(first + STRIP_LINES, n_lines)
        corner = start - back_l, left - back_p - 1
        fill_levels(rows, sizes, is_full, lines, image, valid, levels, *corner, centre, negative)
        if negative[0] < 0:
            raise negative_power(negative, origin)
        hits = search_rows(
            rows, sizes, is_full, lines, sums, near, last_bright, width, window, table, surface.entries, rule, bright,
            cap, out, BLOCK,
        )  # fmt: skip
        found.append(hits)
        cap -= hits[0].size
        if cap <= 0:
            break
    line, pixel, means, scores = (np.concatenate([part[k] for part in found]) for k in range(4))
    clutter = np.exp((means - 1) / LN_SCALE) if is_log else means
    return line + np.int64(start + origin[0]), pixel + np.int64(left + origin[1]), clutter, scores


def _centre(image: Image, valid: NDArray[np.bool_], tile: tuple[int, int, int, int]) -> int:
    """An even number near the median of the tile's levels, which are odd; it changes no result."""
    start, stop, left, right = tile
    step = max((stop - start) // SAMPLES, 1), max((right - left) // SAMPLES, 1)
    some = np.s_[start : stop : step[0], left : right : step[1]]
    values = image[some].astype(np.float64)
    values = values[(values > 0) & (values < np.inf) & (valid[some] if valid.size else True)]
    if not values.size:
        return 0
    mean = float(np.log(np.median(values))) * (2 if image.dtype.kind == "u" else 1)
    return 2 * round(min(max(mean, -FARTHEST), FARTHEST) * LN_SCALE / 2)


def _bright(ring_size: int, n_lines: int) -> int:
    """Size of level from which on it is bright: the others' squares over a ring, and steps from ring to ring, fit."""
    return math.isqrt(min((1 << 64) // ring_size, (1 << 60) // n_lines) - 1)
