"""Sieve for CA-CFAR on digital numbers: a lower bound of thresholds rules most pixels out, the rest are decided alone.

Power is counted in whole units, rounded up and bounded, so sixteen bits hold a pixel and thirty-two the sum over a
window: vector registers hold twice as many as of exact sums. A tile slides down by bands of lines. Column sums are over
what the rings of a band's lines have in common: the lines that are in every outer rectangle, less those in any
guard. Going across, the sum changes by the difference of four columns; these steps are added up over a block of pixels,
all and the falls alone: nowhere in the block is the sum smaller than at its start plus the falls. A block whose
brightest pixel stays below the threshold of that smallest sum holds no hit. In the others each pixel is held against
the threshold of its band's sum there, and what exceeds that is summed over its own ring, exactly.

All this pays where few pixels come that far. Where many do (bright land, a high false-alarm rate) the sieve gives up
early, and the kernel that slides exact sums searches the tile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.rows import (
    HitList,
    Quad,
    Tile,
    append,
    cut,
    first_sum,
    new_hits,
    ring_edges,
    span_inside,
)
from sarship.cfar.jit import compiled, uncounted
from sarship.cfar.params import CfarParams

__all__ = ["is_served", "sift_tile", "unit_of"]

BAND: Final = 4
BLOCK: Final = 32
ONE, MOST = np.float32(1), np.float32(65_535)
"""Units that a pixel with data counts for at least and at most."""
LEVEL: Final = 256
"""Units of the darker pixels: what is lost by rounding is a few thousandths of a sum."""
SURE = 1 - 1e-6
"""Part of a bound that holds although powers were rounded to floats of 32 bits before they were counted in units."""
STRIP_PIXELS: Final = 2_048
"""Widest part of a tile that is sifted at once, and given up as a whole."""
SMALLEST_IMAGE: Final = 1 << 24
"""Pixels of an image that takes longer to search than the sieve takes to compile."""
LARGEST_WINDOW: Final = 32_767
"""Pixels of a window whose units fit in 31 bits together."""
BROAD: Final = 6
"""Lines from the guard to the edge of a ring of whose sum a band has most in common."""
PATIENCE = 200
"""Pixels that are decided alone before the sieve gives up, ..."""
RARE = 1_500
"""... and one more for so many that were passed."""

U16 = NDArray[np.uint16]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]


class Columns(NamedTuple):
    """Column sums over a band's common lines: units in the outer rectangle and the guard, and pixels with data."""

    outer: I32
    inner: I32
    outer_n: I32
    inner_n: I32


class Blocks(NamedTuple):
    """Of each block: a sum's change across it and the sum of its falls, in units and in pixels; its brightest pixel."""

    change: I32
    fall: I32
    change_n: I32
    fall_n: I32
    peak: U16


def is_served(params: CfarParams, image: NDArray[np.generic]) -> bool:
    """Return True for the rings, and the type and size of image, that the sieve is made for."""
    (outer_l, outer_p), guard_l = params.outer_shape, params.guard_shape[0]
    is_fit = outer_l - guard_l >= BROAD and (2 * outer_l + 1) * (2 * outer_p + 1) <= LARGEST_WINDOW
    return is_fit and image.dtype.kind == "u" and image.size >= SMALLEST_IMAGE


def unit_of(tile: Tile) -> float:
    """Return a unit of power that suits a tile: a quarter of its pixels with data are darker than `LEVEL` units."""
    (top, bottom), (left, right) = tile.lines, tile.pixels
    some = np.s_[top : bottom : max(1, (bottom - top) // 20), left : right : max(1, (right - left) // 20)]
    numbers = tile.image[some].astype(np.float64)
    has_data = (numbers > 0) & tile.valid[some] if tile.valid.size else numbers > 0
    known = np.sort(numbers[has_data])
    return float(known[known.size // 4] ** 2) / LEVEL if known.size else 1.0


@uncounted
def _load(units: U16, tile: Tile, line: int, start: int, per_unit: np.float32) -> bool:
    """Fill a row with units of power from pixel `start` on, 0 for no data alone.

    Return True if the line is in the image and all its pixels have data.
    """
    near, first, last = span_inside(units, tile, line, start)
    inside, source = units[first - start : last - start], tile.image[near, first:last]
    is_full = inside.size > 0
    # a loop for each step: all run in vector registers
    for i in range(inside.size):
        number = np.float32(source[i])
        inside[i] = np.uint16(min(number * number * per_unit + ONE, MOST))
    for i in range(inside.size):
        is_full &= source[i] > 0
    if not is_full:
        for i in range(inside.size):
            inside[i] = inside[i] if source[i] > 0 else 0
    if tile.valid.size > 0:
        keep = tile.valid[near, first:last]
        for i in range(keep.size):
            is_full &= keep[i]
        if not is_full:
            for i in range(keep.size):
                inside[i] = inside[i] if keep[i] else 0
    return is_full


@uncounted
def _slide(columns: I32, counts: I32, rows: U16, entering: int, leaving: int, is_same_count: bool) -> None:
    """Add the rows of a band, from a number on, to column sums and counts, and take those of another away."""
    n = rows.shape[0]
    a, b, c, d = rows[entering % n], rows[(entering + 1) % n], rows[(entering + 2) % n], rows[(entering + 3) % n]
    e, f, g, h = rows[leaving % n], rows[(leaving + 1) % n], rows[(leaving + 2) % n], rows[(leaving + 3) % n]
    for i in range(columns.size):
        gain = (np.int32(a[i]) + np.int32(b[i])) + (np.int32(c[i]) + np.int32(d[i]))
        loss = (np.int32(e[i]) + np.int32(f[i])) + (np.int32(g[i]) + np.int32(h[i]))
        columns[i] = np.int32(columns[i] + np.int32(gain - loss))
    if not is_same_count:
        for i in range(counts.size):
            gain = (np.int32(a[i] > 0) + np.int32(b[i] > 0)) + (np.int32(c[i] > 0) + np.int32(d[i] > 0))
            loss = (np.int32(e[i] > 0) + np.int32(f[i] > 0)) + (np.int32(g[i] > 0) + np.int32(h[i] > 0))
            counts[i] = np.int32(counts[i] + np.int32(gain - loss))


@uncounted
def _advance(columns: Columns, rows: U16, is_full: NDArray[np.bool_], top: int, tile: Tile) -> bool:
    """Slide column sums down to the band that begins at a line; return False if the counts may have changed."""
    outer_l, _, guard_l, _ = tile.half
    n, is_same_count = rows.shape[0], True
    # what all outer rectangles have begins late and ends early; the guards begin early and end late
    new, old = top + outer_l + 1 - BAND, top - outer_l - 1
    guarded, free = top + guard_l, top - guard_l - BAND
    for k in range(BAND):
        is_same_count &= is_full[(new + k) % n] and is_full[(old + k) % n]
        is_same_count &= is_full[(guarded + k) % n] and is_full[(free + k) % n]
    _slide(columns.outer, columns.outer_n, rows, new, old, is_same_count)
    _slide(columns.inner, columns.inner_n, rows, guarded, free, is_same_count)
    return is_same_count


@uncounted
def _survey(change: I32, fall: I32, edges: Quad) -> None:
    """For each block of a band: a sum's change across it, and the sum of its falls."""
    rows = (change.size, BLOCK)
    a, b, c, d = edges[0].reshape(rows), edges[1].reshape(rows), edges[2].reshape(rows), edges[3].reshape(rows)
    for k in range(change.size):
        total, falls = np.int32(0), np.int32(0)
        for i in range(BLOCK):
            step = np.int32(np.int32(a[k, i] - b[k, i]) - np.int32(c[k, i] - d[k, i]))
            total = np.int32(total + step)
            falls = np.int32(falls + min(step, np.int32(0)))
        change[k], fall[k] = total, falls


@uncounted
def _find_peaks(peak: U16, room: U16, rows: U16, top: int, first: int) -> None:
    """Find the brightest pixel of each block of a band, in units."""
    n, last = rows.shape[0], first + room.shape[1]
    a, b = rows[top % n, first:last], rows[(top + 1) % n, first:last]
    c, d = rows[(top + 2) % n, first:last], rows[(top + 3) % n, first:last]
    for i in range(room.shape[1]):
        room[0, i] = max(a[i], b[i], c[i], d[i])
    for step in range(4):  # all at once, in vector registers: the larger of two that lie 16, 8, 4 and 2 apart
        here, there = room[step % 2], room[1 - step % 2]
        ahead = here[16 >> step :]
        for i in range(ahead.size):
            there[i] = max(here[i], ahead[i])
    for k in range(peak.size):
        peak[k] = max(room[0, k * BLOCK], room[0, k * BLOCK + 1])


@uncounted
def _ring_of(tile: Tile, line: int, pixel: int) -> tuple[np.int64, float]:
    """Count and sum of squared digital numbers over the ring of one pixel."""
    outer_l, outer_p, guard_l, guard_p = tile.half
    n_lines, n_pixels = tile.image.shape
    left, right = max(pixel - outer_p, 0), min(pixel + outer_p + 1, n_pixels)
    near, far = max(pixel - guard_p, 0), min(pixel + guard_p + 1, n_pixels)
    count, total = np.int64(0), np.uint64(0)
    for other in range(max(line - outer_l, 0), min(line + outer_l + 1, n_lines)):
        is_beside = abs(other - line) <= guard_l
        for start, stop in ((left, near if is_beside else right), (far if is_beside else right, right)):
            values = tile.image[other, start:stop]
            if tile.valid.size > 0:
                keep = tile.valid[other, start:stop]
                for i in range(values.size):
                    number = np.uint32(values[i]) if keep[i] else np.uint32(0)
                    total += np.uint64(np.uint32(number * number))
                    count += np.int64(number > 0)
            else:
                for i in range(values.size):
                    number = np.uint32(values[i])
                    total += np.uint64(np.uint32(number * number))
                    count += np.int64(number > 0)
    return count, np.float64(total)


@compiled
def sift_tile(tile: Tile, table: F64, lowest: F64, unit: float, patience: int) -> tuple[HitList, bool]:
    """Return the hits of a tile, and True; or False if too many pixels would have to be decided alone.

    `table` holds thresholds over the ring's sum, by its count; `lowest` the smallest of them up to each count. `unit`
    is from `unit_of`, and `patience` the number of pixels that are decided alone in any case.
    """
    outer_l, outer_p, guard_l, guard_p = tile.half
    (start, stop), (left, right) = tile.lines, tile.pixels
    width, ahead = right - left, (outer_l + BAND - 1) // BAND * BAND
    n_rows, n_blocks, n_ring = 2 * (outer_l + BAND), (width + BLOCK - 1) // BLOCK, table.size - 1
    # pixels of a line's ring that its band does not have in common
    n_own = n_ring - (2 * outer_l + 2 - BAND) * (2 * outer_p + 1) + (2 * guard_l + BAND) * (2 * guard_p + 1)
    rows = np.zeros((n_rows, n_blocks * BLOCK + 2 * outer_p + 1), np.uint16)
    is_full, per_unit = np.zeros(n_rows, np.bool_), np.float32(1 / unit)
    sums = np.zeros((4, rows.shape[1]), np.int32)
    columns = Columns(sums[0], sums[1], sums[2], sums[3])
    edges, edges_n = ring_edges(sums[0], sums[1], tile.half), ring_edges(sums[2], sums[3], tile.half)
    steps = np.zeros((4, n_blocks), np.int32)
    blocks = Blocks(steps[0], steps[1], steps[2], steps[3], np.zeros(n_blocks, np.uint16))
    room = np.zeros((2, n_blocks * BLOCK), np.uint16)
    hits, n_hits, n_alone, first_n = new_hits(), 0, 0, 0
    for top in range(start - 2 * ahead, stop, BAND):
        for line in range(max(top + ahead, start - outer_l), top + ahead + BAND):
            is_full[line % n_rows] = _load(rows[line % n_rows], tile, line, left - outer_p - 1, per_unit)
        is_same_count = _advance(columns, rows, is_full, top, tile)
        if top < start:
            continue
        if top == start or not is_same_count:
            _survey(blocks.change_n, blocks.fall_n, edges_n)
            first_n = int(first_sum(columns.outer_n, columns.inner_n, tile.half)) + n_own
        _survey(blocks.change, blocks.fall, edges)
        _find_peaks(blocks.peak, room, rows, top, outer_p + 1)
        units, count = int(first_sum(columns.outer, columns.inner, tile.half)), first_n
        for k in range(n_blocks):
            most = min(count + blocks.change_n[k] - blocks.fall_n[k], n_ring)
            # a pixel was rounded up by one unit at most
            factor, before = SURE * lowest[most] * unit, units - most
            units, count = units + blocks.change[k], count + blocks.change_n[k]
            brightest = blocks.peak[k] * unit if blocks.peak[k] < MOST else np.inf
            if blocks.peak[k] == 0 or brightest <= factor * (before + blocks.fall[k]):
                continue
            for i in range(k * BLOCK, min((k + 1) * BLOCK, width)):
                before += (edges[0][i] - edges[1][i]) - (edges[2][i] - edges[3][i])
                bound = factor * before
                for line in range(top, min(top + BAND, stop)):
                    number = np.float64(tile.image[line, left + i])
                    value = number * number
                    if value <= bound or value == 0 or (tile.valid.size > 0 and not tile.valid[line, left + i]):
                        continue
                    n_alone += 1
                    n, ring = _ring_of(tile, line, left + i)
                    threshold = table[n] * ring
                    if not value > threshold:
                        continue
                    if n_hits == tile.cap:
                        return cut(hits, n_hits), True
                    hits = append(hits, n_hits, line, left + i, ring / n, value / threshold)
                    n_hits += 1
        if n_alone > patience + (top + BAND - start) * width // RARE:
            return cut(hits, 0), False
    return cut(hits, n_hits), True
