"""Tiles searched strip by strip, for kernels that lay out more than a few lines at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sarship.cfar.cpu.rows import HitList, Tile
from sarship.cfar.jit import in_order

__all__ = ["joined", "new_rooms", "search_strips"]

STRIP_LINES, STRIP_PIXELS = 96, 512
"""Lines (at least twice the window's) and pixels laid out at once: they stay in the second-level cache."""


def search_strips(tile: Tile, search: Callable[[Tile, tuple[int, int]], HitList]) -> HitList:
    """Return the hits of a tile from those of its strips; `search` is given a strip and its shape with the halo."""
    (start, stop), (left, right), half = tile.lines, tile.pixels, tile.half
    height, cap, found = max(STRIP_LINES, 4 * half.outer_l), tile.cap, []
    for top in range(start, stop, height):
        for first in range(left, right, STRIP_PIXELS):
            bottom, last = min(top + height, stop), min(first + STRIP_PIXELS, right)
            shape = bottom - top + 2 * half.outer_l, last - first + 2 * half.outer_p
            with in_order(tile.out[top - start : bottom - start, first - left : last - left]) as out:
                strip = tile._replace(lines=(top, bottom), pixels=(first, last), cap=cap, out=out)
                found.append(search(strip, shape))
            cap -= found[-1].line.size
            if cap <= 0 or tile.negative[0] < 0:
                return joined(found)
    return joined(found)


def new_rooms(tile: Tile, n_rooms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return memory for the sums and the counts of a strip with its halo; the sums are whole for digital numbers."""
    (start, stop), (left, right), half = tile.lines, tile.pixels, tile.half
    n_lines = min(max(STRIP_LINES, 4 * half.outer_l), stop - start) + 2 * half.outer_l
    size = n_lines * (min(STRIP_PIXELS, right - left) + 2 * half.outer_p)
    kind = np.int64 if tile.image.dtype.kind == "u" else np.float64
    return np.empty((n_rooms, size), kind), np.empty((n_rooms, size), np.int32)


def joined(found: list[HitList]) -> HitList:
    """Return the hits of several places as one list."""
    return HitList(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
