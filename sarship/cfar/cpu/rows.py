"""Parts that the kernels share: lines of the image as rows of power, sums that slide over them, and lists of hits.

A kernel keeps the lines of its window as rows, each in the place of its number modulo the number of rows. Column sums
run over the lines of the window: those of the outer rectangle and those of the guard. Their difference, summed across,
is the sum over the ring.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.jit import compiled, uncounted

__all__ = [
    "COUNT_SHIFT",
    "LARGEST",
    "HalfWidths",
    "HitList",
    "Tile",
    "append",
    "cut",
    "first_sum",
    "grown",
    "load_power",
    "load_rows",
    "load_squares",
    "negative_power",
    "new_hits",
    "ring_edges",
    "run_across",
    "slide_packed",
    "span_inside",
]

COUNT_SHIFT = np.uint64(48)
"""Bits of a packed word that hold the sum; the count is above them."""
LARGEST = 1e250
"""Powers from here on count as no data, like infinity: their sums would overflow."""

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Quad = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class HalfWidths(NamedTuple):
    """Half-widths of the window: the outer rectangle and the guard, in lines and pixels."""

    outer_l: int
    outer_p: int
    guard_l: int
    guard_p: int


class Tile(NamedTuple):
    """Part of an image that one call of a kernel decides."""

    image: NDArray[Any]
    """Digital numbers or power: the tile with its halo at least."""
    valid: NDArray[np.bool_]
    """Mask of the same shape; empty where all is valid."""
    lines: tuple[int, int]
    """First line that is decided, and the one after the last."""
    pixels: tuple[int, int]
    half: HalfWidths
    cap: int
    """Maximum number of hits: the kernel stops there."""
    out: NDArray[np.float32]
    """Scores of the tile, to be filled; empty where hits are wanted."""
    negative: F64
    """First negative power that is not masked, its line and its pixel; zeros for none."""


class HitList(NamedTuple):
    """Hits in the order they were found, in a list that may be longer."""

    line: I64
    pixel: I64
    clutter: F64
    score: F64


@compiled
def new_hits() -> HitList:
    """Empty list with room for a few hits."""
    return HitList(np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64), np.empty(64))


@compiled
def grown(array: np.ndarray) -> np.ndarray:
    """Return the values of a list in one of twice its length."""
    larger = np.empty(2 * array.size, array.dtype)
    for k in range(array.size):  # a slice would compile what says that shapes differ, seconds for nothing
        larger[k] = array[k]
    return larger


@compiled
def append(hits: HitList, n: int, line: int, pixel: int, clutter: float, score: float) -> HitList:
    """Return the list with a hit at place `n`."""
    if n == hits.line.size:
        hits = HitList(grown(hits.line), grown(hits.pixel), grown(hits.clutter), grown(hits.score))
    hits.line[n], hits.pixel[n], hits.clutter[n], hits.score[n] = line, pixel, clutter, score
    return hits


@compiled
def cut(hits: HitList, n: int) -> HitList:
    """Return the first `n` hits."""
    return HitList(hits.line[:n], hits.pixel[:n], hits.clutter[:n], hits.score[:n])


@uncounted
def span_inside(row: np.ndarray, tile: Tile, line: int, start: int) -> tuple[int, int, int]:
    """Clear what of `row`, which begins at pixel `start`, is outside the image.

    Return the line, and the first pixel and the one after the last of the rest: none where the line is outside.
    """
    n_lines, n_pixels = tile.image.shape
    is_inside = 0 <= line < n_lines
    first = max(start, 0)
    last = min(start + row.size, n_pixels) if is_inside else first
    row[: first - start] = 0
    row[last - start :] = 0
    return line if is_inside else 0, first, last


@uncounted
def load_squares(row: np.ndarray, tile: Tile, line: int, start: int) -> bool:
    """Fill a row with squared digital numbers from pixel `start` on, zero for no data.

    Return True if the line is in the image and each of its pixels in the row has data.
    """
    near, first, last = span_inside(row, tile, line, start)
    inside, source = row[first - start : last - start], tile.image[near, first:last]
    n_holes = np.uint32(0)
    for i in range(inside.size):
        value = np.uint32(source[i])
        inside[i] = value * value
        n_holes += np.uint32(value == 0)
    if tile.valid.size > 0:
        keep = tile.valid[near, first:last]
        for i in range(keep.size):
            inside[i] = inside[i] if keep[i] else 0
            n_holes += np.uint32(not keep[i])
    return bool((inside.size > 0) & (n_holes == 0))


@uncounted
def load_power(row: np.ndarray, tile: Tile, line: int, start: int) -> None:
    """Fill a row with float power from pixel `start` on, zero for no data; note the first negative power."""
    near, first, last = span_inside(row, tile, line, start)
    inside, source = row[first - start : last - start], tile.image[near, first:last]
    # a loop for each step: all run in vector registers
    for i in range(inside.size):
        inside[i] = source[i] if source[i] < LARGEST else 0
    if tile.valid.size > 0:
        keep = tile.valid[near, first:last]
        for i in range(keep.size):
            inside[i] = inside[i] if keep[i] else 0
    is_negative = False
    for i in range(inside.size):
        is_negative |= inside[i] < 0
    if is_negative and tile.negative[0] == 0:
        for i in range(inside.size):
            if inside[i] < 0:
                tile.negative[0], tile.negative[1], tile.negative[2] = inside[i], line, first + i
                break


@compiled
def load_rows(rows: np.ndarray, tile: Tile) -> bool:
    """Fill rows with the power of a tile and its halo; return True if all of it is in the image and has data."""
    top, left = tile.lines[0] - tile.half.outer_l, tile.pixels[0] - tile.half.outer_p
    is_full = left >= 0 and left + rows.shape[1] <= tile.image.shape[1]
    for k in range(rows.shape[0]):
        if tile.image.itemsize == 2:
            is_full &= load_squares(rows[k], tile, top + k, left)
        else:
            load_power(rows[k], tile, top + k, left)
            for value in rows[k]:
                is_full &= value > 0
    return is_full


@uncounted
def slide_packed(columns: U64, entering: np.ndarray, leaving: np.ndarray, is_same_count: bool) -> None:
    """Add a row and its count to packed column sums and take another's away; wrap-around cancels."""
    if is_same_count:
        for i in range(columns.size):
            columns[i] += np.uint64(np.int64(entering[i]) - np.int64(leaving[i]))
        return
    for i in range(columns.size):
        count = np.int64(entering[i] != 0) - np.int64(leaving[i] != 0)
        columns[i] += np.uint64(np.int64(entering[i]) - np.int64(leaving[i])) + (np.uint64(count) << COUNT_SHIFT)


@compiled
def ring_edges(outer: np.ndarray, inner: np.ndarray, half: HalfWidths) -> Quad:
    """Column sums that enter and leave the outer rectangle, then the guard, for every pixel of a line.

    The sums begin `outer_p + 1` pixels before the first. Slices rather than computed indices: the compiler then drops
    the wrap-around tests.
    """
    back, guard = half.outer_p, half.guard_p
    n = outer.size - 2 * back - 1
    return (
        outer[2 * back + 1 :],
        outer[:n],
        inner[back + guard + 1 : back + guard + 1 + n],
        inner[back - guard : back - guard + n],
    )


@uncounted
def first_sum(outer: np.ndarray, inner: np.ndarray, half: HalfWidths) -> Any:
    """Sum over the ring of the pixel before the first."""
    total = outer[0] - outer[0]
    for j in range(2 * half.outer_p + 1):
        total += outer[j]
    for j in range(half.outer_p - half.guard_p, half.outer_p + half.guard_p + 1):
        total -= inner[j]
    return total


@uncounted
def run_across(ring: np.ndarray, edges: Quad, start: int, total: Any) -> Any:
    """Sums over the ring of each pixel from `start` on, from that of the pixel before; return the last."""
    stop = start + ring.size
    a, b, c, d = edges[0][start:stop], edges[1][start:stop], edges[2][start:stop], edges[3][start:stop]
    for i in range(ring.size):
        ring[i] = (a[i] - b[i]) - (c[i] - d[i])
    for i in range(ring.size):
        total += ring[i]
        ring[i] = total
    return total


def negative_power(negative: F64, origin: tuple[int, int]) -> ValueError:
    """Error for the negative power that a kernel met: its value, line and pixel."""
    line, pixel = int(negative[1]) + origin[0], int(negative[2]) + origin[1]
    return ValueError(
        f"image holds {negative[0]:g} at line {line}, pixel {pixel}: power cannot be negative. "
        "Give linear power, not decibel, and no data as NaN, 0 or valid=False"
    )
