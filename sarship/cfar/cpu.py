"""Kernels for digital numbers: exact sums in 64-bit integers, constant cost a pixel whatever the window.

A tile slides down line by line. Column sums (one for the ring's outer rectangle, one for the guard) gain the line
that enters and lose the one that leaves; a running sum slides across their differences and is the ring's sum.
One unsigned 64-bit word holds both the sum of squared digital numbers (low 48 bits) and the number of pixels
with data (high 16 bits), so counting costs nothing and nothing can overflow in a ring of `model.MAX_RING` pixels.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.compiler import compiled

__all__ = ["search_tile"]

_COUNT_SHIFT = np.uint64(48)
_SUM_BITS = np.uint64((1 << 48) - 1)
_ABOVE_ONE = np.float32(np.nextafter(np.float32(1), np.float32(2)))
_BLOCK = 64
_QUICK_SCALE = 256

U16 = NDArray[np.uint16]
U64 = NDArray[np.uint64]


@compiled
def _load_line(row: U16, image: U16, valid: NDArray[np.bool_], line: int, start: int) -> None:
    """Copy a line into `row` from pixel `start` on, with zero (no data) outside the image and where not valid."""
    n_lines, n_pixels = image.shape
    if line < 0 or line >= n_lines:
        row[:] = 0
        return
    first, last = max(start, 0), min(start + row.size, n_pixels)
    row[: first - start] = 0
    row[last - start :] = 0
    inside, source = row[first - start : last - start], image[line, first:last]
    for i in range(inside.size):
        inside[i] = source[i]
    if valid.size > 0:
        keep = valid[line, first:last]
        for i in range(inside.size):
            if not keep[i]:
                inside[i] = 0


@compiled
def _slide_down(columns: U64, entering: U16, leaving: U16) -> None:
    """Add a line's squares and counts to the column sums and take another's away; wrap-around cancels."""
    for i in range(columns.size):
        new, old = np.uint64(np.uint32(entering[i])), np.uint64(np.uint32(leaving[i]))
        count = np.uint64(new != 0) - np.uint64(old != 0)
        columns[i] += new * new - old * old + (count << _COUNT_SHIFT)


@compiled
def _slide_across(ring: U64, outer: U64, inner: U64, back: int, guard: int) -> None:
    """Sums over the ring of every pixel of a line, from column sums that begin `back + 1` pixels before it."""
    n = ring.size
    # slices rather than computed indices: the compiler then drops the wrap-around tests
    outer_in, outer_out = outer[2 * back + 1 : 2 * back + 1 + n], outer[:n]
    inner_in, inner_out = inner[back + guard + 1 : back + guard + 1 + n], inner[back - guard : back - guard + n]
    total = np.uint64(0)
    for j in range(2 * back + 1):
        total += outer[j]
    for j in range(back - guard, back + guard + 1):
        total -= inner[j]
    for i in range(n):
        total += outer_in[i] - outer_out[i] - inner_in[i] + inner_out[i]
        ring[i] = total


@compiled
def _may_hold_hit(ring: U64, values: U16, quick: np.uint64) -> bool:
    """Whether any pixel could be a hit, by an integer comparison that never misses one."""
    found = np.uint64(0)
    for i in range(ring.size):
        value = np.uint64(np.uint32(values[i]))
        # the sum times 256: the shift left drops the count
        found |= np.uint64(value * value * quick >= ((ring[i] << np.uint64(16)) >> np.uint64(8)))
    return bool(found != 0)


@compiled
def _threshold(ring: np.uint64, table: NDArray[np.float64]) -> float:
    """Threshold from the packed sum and count; infinite or NaN where the count allows no decision."""
    return float(table[np.int64(ring >> _COUNT_SHIFT)] * np.float64(ring & _SUM_BITS))


@compiled
def _score_line(out: NDArray[np.float32], ring: U64, values: U16, table: NDArray[np.float64]) -> None:
    for i in range(out.size):
        threshold = _threshold(ring[i], table)
        value = np.float64(values[i]) * np.float64(values[i])
        if value == 0 or not threshold < np.inf:
            out[i] = np.nan
        elif value > threshold:
            out[i] = max(np.float32(value / threshold), _ABOVE_ONE)
        else:
            out[i] = np.float32(value / threshold)


@compiled
def _grown(array: np.ndarray) -> np.ndarray:
    larger = np.empty(2 * array.size, array.dtype)
    larger[: array.size] = array
    return larger


@compiled
def _search_tile(
    image: U16,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: NDArray[np.float64],
    quick: np.uint64,
    cap: int,
    out: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.int32], U64]:
    line_start, line_stop, start, stop = tile
    back_l, back_p, guard_l, guard_p = window
    width = stop - start
    n_rows = 2 * back_l + 2
    rows = np.zeros((n_rows, width + 2 * back_p + 1), np.uint16)
    outer, inner = np.zeros(rows.shape[1], np.uint64), np.zeros(rows.shape[1], np.uint64)
    ring = np.zeros(width, np.uint64)
    lines, pixels, sums = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64, np.uint64)
    n_hits = 0
    for entering in range(line_start - back_l, line_stop + back_l):
        line = entering - back_l
        newest = rows[entering % n_rows]
        _load_line(newest, image, valid, entering, start - back_p - 1)
        _slide_down(outer, newest, rows[(entering - 2 * back_l - 1) % n_rows])
        _slide_down(inner, rows[(line + guard_l) % n_rows], rows[(line - guard_l - 1) % n_rows])
        if line < line_start:
            continue
        _slide_across(ring, outer, inner, back_p, guard_p)
        values = rows[line % n_rows, back_p + 1 : back_p + 1 + width]
        if out.size > 0:
            _score_line(out[line - line_start], ring, values, table)
            continue
        for block in range(0, width, _BLOCK):
            end = min(block + _BLOCK, width)
            if not _may_hold_hit(ring[block:end], values[block:end], quick):
                continue
            for i in range(block, end):
                if not np.float64(values[i]) * np.float64(values[i]) > _threshold(ring[i], table):
                    continue
                if n_hits == cap:
                    return lines, pixels, sums
                if n_hits == lines.size:
                    lines, pixels, sums = _grown(lines), _grown(pixels), _grown(sums)
                lines[n_hits], pixels[n_hits], sums[n_hits] = line, start + i, ring[i]
                n_hits += 1
    return lines[:n_hits], pixels[:n_hits], sums[:n_hits]


def search_tile(
    image: U16,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: NDArray[np.float64],
    cap: int,
    out: NDArray[np.float32],
    origin: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Hits of one tile: their lines, pixels, ring counts and ring sums; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (background lines, background pixels, guard lines, guard pixels). Stops after `cap` hits.
    """
    # a ring's sum over its threshold is largest where the ring is whole; rounded up, so that no hit is missed
    quick = np.uint64(int(_QUICK_SCALE / table[-1] * (1 + 1e-9)) + 1)
    lines, pixels, packed = _search_tile(image, valid, tile, window, table, quick, cap, out)
    counts, sums = (packed >> _COUNT_SHIFT).astype(np.int64), (packed & _SUM_BITS).astype(np.float64)
    return lines + np.int64(origin[0]), pixels + np.int64(origin[1]), counts, sums
