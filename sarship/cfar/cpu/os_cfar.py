"""Kernels for ordered statistics: the k-th smallest pixel of the ring, exact, on a histogram that slides by blocks.

A pixel is compared with its own ring only where it may be a hit. The histogram holds all pixels that the rings of a
block of 16 × 16 reach, and slides from block to block; its k-th smallest is below that of every ring in the block, so a
pixel under the threshold of that one is no hit. Of what is left, some per cent at sea, the pixels of the ring that lie
low enough are counted, on 16-bit keys in the order of the values; what passes has its ring sorted.

A score wants the k-th smallest everywhere: there the histogram of keys slides from pixel to pixel and holds the ring
itself. Either way the cost grows with the window: the counting with its area, the histograms with its height.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.ca_float import LARGEST, negative_power
from sarship.cfar.goca_soca_os import OrderTable
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, grown, in_order

__all__ = ["search_tile"]

STRIP_LINES, STRIP_PIXELS = 96, 512
"""Lines (at least twice the window's) and pixels laid out at once: they stay in the second-level cache."""
_BLOCK = 16
_N_KEYS = 1 << 16
_SAFE = 1e-12

Image = NDArray[np.uint16] | NDArray[np.floating]
U16 = NDArray[np.uint16]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


def _bins(floor: F64) -> tuple[U16, F64]:
    """Bin of every key, 32 for each doubling of power, and the lowest power of every bin."""
    with np.errstate(divide="ignore"):
        level = np.floor(32 * np.log2(floor))
    # powers below 2⁻¹³³ have the first key, whose lowest is zero
    level[1] = max(level[1], level[2] - 1)
    bins = np.zeros(_N_KEYS, np.uint16)
    known = np.isfinite(level)
    bins[known] = 1 + np.unique(level[known], return_inverse=True)[1]
    lowest = np.full(int(bins.max()) + 2, np.inf)
    np.minimum.at(lowest, bins, floor)
    return bins, lowest


_KEYS = np.arange(_N_KEYS, dtype=np.uint32)
NUMBER_FLOOR = _KEYS.astype(np.float64) ** 2
"""Power of every key of digital numbers, which are their own keys."""
# a float's key is 1 more than the upper half of its bits as float32; 0 is no data
POWER_FLOOR = np.concatenate([[0], ((_KEYS[:0x7F81]) << 16).view(np.float32), np.full(_N_KEYS - 0x7F82, np.inf)])
"""No power above it has a lower key (a rounding error aside)."""
_NUMBER_BINS, _POWER_BINS = _bins(NUMBER_FLOOR), _bins(POWER_FLOOR.astype(np.float64))


@compiled
def _load(
    rows: F64,
    keys: U16,
    image: Image,
    valid: NDArray[np.bool_],
    corner: tuple[int, int],
    negative: F64,
    is_number: bool,
) -> bool:
    """Power of a part of the image from a line and pixel on, and its keys; no data as zero in both.

    Notes a negative power. Returns whether all pixels have data.
    """
    top, left = corner
    n_lines, n_pixels = image.shape
    first, last = max(left, 0), min(left + rows.shape[1], n_pixels)
    single = np.zeros(1, np.float32)
    bits = single.view(np.uint32)
    rows[:] = 0
    keys[:] = 0
    n_known = 0
    for line in range(max(top, 0), min(top + rows.shape[0], n_lines)):
        for pixel in range(first, last):
            if valid.size > 0 and not valid[line, pixel]:
                continue
            value = np.float64(image[line, pixel])
            if value < 0 and negative[0] == 0:
                negative[0], negative[1], negative[2] = value, line, pixel
            if not 0 < value < LARGEST:
                continue
            n_known += 1
            if is_number:
                rows[line - top, pixel - left] = value * value
                keys[line - top, pixel - left] = np.uint16(value)
            else:
                rows[line - top, pixel - left] = value
                single[0] = value
                keys[line - top, pixel - left] = np.uint16((bits[0] >> np.uint32(16)) + np.uint32(1))
    return bool(n_known == rows.size)


@compiled
def _first_key_above(power: float, floor: F64) -> int:
    """The first key whose powers are all above `power`, a rounding error aside."""
    low, high = 0, floor.size
    while low < high:
        middle = (low + high) // 2
        if floor[middle] > power * (1 + _SAFE):
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _count(keys: U16, line: int, pixel: int, window: tuple[int, int, int, int], top: np.uint16, enough: int) -> int:
    """Pixels of a ring whose key is not above `top`, or fewer than `enough` as soon as that is known.

    The ring's first line and pixel are `line` and `pixel`.
    """
    back_l, back_p, guard_l, guard_p = window
    # those not below may be so many that enough is out of reach
    spare = (2 * back_l + 1) * (2 * back_p + 1) - (2 * guard_l + 1) * (2 * guard_p + 1) - enough
    total, seen = 0, 0
    for step in range(2 * back_l + 1):
        row = keys[line + step, pixel : pixel + 2 * back_p + 1]
        below = 0
        for i in range(row.size):
            below += row[i] <= top
        seen += row.size
        if back_l - guard_l <= step <= back_l + guard_l:
            hole = row[back_p - guard_p : back_p + guard_p + 1]
            for i in range(hole.size):
                below -= hole[i] <= top
            seen -= hole.size
        total += below
        if seen - total > spare:
            return total
    return total


@compiled
def _gathered(
    ring: F64, rows: F64, keys: U16, line: int, pixel: int, window: tuple[int, int, int, int], key: int
) -> int:
    """Collect the powers of a ring that have a key, or all for key 0; return their number."""
    back_l, back_p, guard_l, guard_p = window
    n = 0
    for step in range(2 * back_l + 1):
        for i in range(2 * back_p + 1):
            if abs(step - back_l) <= guard_l and abs(i - back_p) <= guard_p:
                continue
            here = np.int64(keys[line + step, pixel + i])
            if (here == key) if key > 0 else (here > 0):
                ring[n] = rows[line + step, pixel + i]
                n += 1
    return n


@compiled
def _move(histogram: I32, keys: U16, lines: tuple[int, int], pixels: tuple[int, int], bins: U16, change: int) -> int:
    """Add a rectangle of keys to the histogram of their bins or take it out; return how many were no data."""
    n_empty = 0
    for line in range(lines[0], lines[1]):
        for pixel in range(pixels[0], pixels[1]):
            key = keys[line, pixel]
            histogram[bins[key]] += change
            n_empty += key == 0
    return n_empty


@compiled
def _smallest(values: F64, place: int) -> float:
    """The smallest value but `place`, by Hoare's selection, which reorders them; numpy's takes seconds to compile."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if place > j:
            low = i
        if place < i:
            high = j
    return float(values[place])


@compiled
def _search_strip(
    rows: F64,
    keys: U16,
    is_full: bool,
    window: tuple[int, int, int, int],
    table: tuple[F64, NDArray[np.int64], float],
    bins: tuple[U16, F64, F64],
    min_ring: int,
    cap: int,
) -> tuple[I32, I32, F64, F64]:
    """Hits among rows of power with their halo: lines, pixels, clutter and scores."""
    back_l, back_p = window[:2]
    factor, order, lowest = table
    size = factor.size - 1
    height, width = rows.shape[0] - 2 * back_l, rows.shape[1] - 2 * back_p
    histogram, ring = np.zeros(bins[1].size, np.int32), np.empty(size)
    lines, pixels, clutter, scores = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64), np.empty(64)
    n_hits = 0
    for top in range(0, height, _BLOCK):
        reach = (top, min(top + _BLOCK, height) + 2 * back_l)
        histogram[:] = 0
        n_empty, done, gone = 0, 0, 0
        for left in range(0, width, _BLOCK):
            right = min(left + _BLOCK, width)
            n_empty += _move(histogram, keys, reach, (done, right + 2 * back_p), bins[0], 1)
            n_empty -= _move(histogram, keys, reach, (gone, left), bins[0], -1)
            done, gone = right + 2 * back_p, left
            # no ring of the block has fewer pixels than this
            fewest = max(size - n_empty, min_ring)
            place, bin_ = order[fewest], 0
            below = 0
            while bin_ + 1 < histogram.size and below < place:
                bin_ += 1
                below += histogram[bin_]
            quick = lowest * bins[1][bin_] * (1 - _SAFE) if below >= place else np.inf
            for line in range(top, min(top + _BLOCK, height)):
                for i in range(left, right):
                    value = rows[line + back_l, i + back_p]
                    if not value > quick:
                        continue
                    n = size if is_full else size - _count(keys, line, i, window, np.uint16(0), 0)
                    if not factor[n] < np.inf:
                        continue
                    top_key = np.uint16(_first_key_above(value / factor[n], bins[2]) - 1)
                    n_low = _count(keys, line, i, window, top_key, order[n] + size - n)
                    if n_low < order[n] + size - n:
                        continue
                    found = ring[: _gathered(ring, rows, keys, line, i, window, 0)]
                    level = _smallest(found, order[n] - 1)
                    threshold = factor[n] * level
                    if not value > threshold:
                        continue
                    if n_hits == cap:
                        return lines[:n_hits], pixels[:n_hits], clutter[:n_hits], scores[:n_hits]
                    if n_hits == lines.size:
                        lines, pixels, clutter, scores = grown(lines), grown(pixels), grown(clutter), grown(scores)
                    lines[n_hits], pixels[n_hits], clutter[n_hits], scores[n_hits] = line, i, level, value / threshold
                    n_hits += 1
    return lines[:n_hits], pixels[:n_hits], clutter[:n_hits], scores[:n_hits]


@compiled
def _turn(histogram: I32, keys: U16, pixel: int, lines: tuple[int, int], change: int, key: int) -> int:
    """Add a column of keys to the histogram or take it out; return the change of what lies below `key`."""
    below = 0
    for line in range(lines[0], lines[1]):
        here = np.int64(keys[line, pixel])
        histogram[here] += change
        below += change if here < key else 0
    return below


@compiled
def _score_strip(
    out: NDArray[np.float32],
    rows: F64,
    keys: U16,
    window: tuple[int, int, int, int],
    table: tuple[F64, NDArray[np.int64], float],
    floor: F64,
    is_number: bool,
) -> None:
    """Scores of rows of power with their halo."""
    back_l, back_p, guard_l, guard_p = window
    factor, order, _ = table
    size = factor.size - 1
    ring = np.empty(size)
    for line in range(out.shape[0]):
        histogram = np.zeros(_N_KEYS, np.int32)
        outer, inner = (line, line + 2 * back_l + 1), (line + back_l - guard_l, line + back_l + guard_l + 1)
        # `below` pixels have keys below `key`, no data among them
        key, below = 1, 0
        for pixel in range(2 * back_p + 1):
            below += _turn(histogram, keys, pixel, outer, 1, key)
        for pixel in range(back_p - guard_p, back_p + guard_p + 1):
            below += _turn(histogram, keys, pixel, inner, -1, key)
        for i in range(out.shape[1]):
            if i > 0:
                below += _turn(histogram, keys, i + 2 * back_p, outer, 1, key)
                below += _turn(histogram, keys, i - 1, outer, -1, key)
                below += _turn(histogram, keys, i + back_p + guard_p, inner, -1, key)
                below += _turn(histogram, keys, i - 1 + back_p - guard_p, inner, 1, key)
            n = size - histogram[0]
            value = rows[line + back_l, i + back_p]
            if value == 0 or not factor[n] < np.inf:
                out[line, i] = np.nan
                continue
            place = order[n] + histogram[0]
            while below >= place:
                key -= 1
                below -= histogram[key]
            while below + histogram[key] < place:
                below += histogram[key]
                key += 1
            level = floor[key]
            if not is_number:
                alike = np.sort(ring[: _gathered(ring, rows, keys, line, i, window, key)])
                level = alike[place - below - 1]
            threshold = factor[n] * level
            score = np.float32(min(value / threshold, LARGEST_SCORE))
            out[line, i] = max(score, ABOVE_ONE) if value > threshold else score


def search_tile(
    image: Image,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: OrderTable,
    cap: int,
    out: NDArray[np.float32],
    origin: tuple[int, int],
    min_ring: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], F64, F64]:
    """Hits of one tile: their lines, pixels, clutter and scores; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (outer lines, outer pixels, guard lines, guard pixels). Stops after `cap` hits.

    Raises
    ------
    ValueError
        A valid pixel whose power is negative.
    """
    start, stop, left, right = tile
    back_l, back_p = window[:2]
    is_number = image.dtype.kind == "u"
    bins = (*_NUMBER_BINS, NUMBER_FLOOR) if is_number else (*_POWER_BINS, POWER_FLOOR)
    plain = (table.factor, table.order, table.lowest)
    height = max(STRIP_LINES, 4 * back_l)
    negative, found = np.zeros(3), []
    for top in range(start, stop, height):
        for first in range(left, right, STRIP_PIXELS):
            bottom, last = min(top + height, stop), min(first + STRIP_PIXELS, right)
            shape = (bottom - top + 2 * back_l, last - first + 2 * back_p)
            rows, keys = np.empty(shape), np.empty(shape, np.uint16)
            is_full = _load(rows, keys, image, valid, (top - back_l, first - back_p), negative, is_number)
            if negative[0] < 0:
                raise negative_power(negative, origin)
            if out.size > 0:
                with in_order(out[top - start : bottom - start, first - left : last - left]) as here:
                    _score_strip(here, rows, keys, window, plain, bins[2], is_number)
                continue
            lines, pixels, clutter, scores = _search_strip(rows, keys, is_full, window, plain, bins, min_ring, cap)
            found.append((lines + np.int64(top + origin[0]), pixels + np.int64(first + origin[1]), clutter, scores))
            cap -= lines.size
            if cap <= 0:
                break
    if not found:
        empty = np.empty(0)
        return empty.astype(np.int64), empty.astype(np.int64), empty, empty
    line, pixel, level, score = (np.concatenate([part[k] for part in found]) for k in range(4))
    return line, pixel, level, score
