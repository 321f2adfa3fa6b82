"""OS-CFAR kernels: the k-th smallest pixel of the ring, exact, on a histogram that slides by blocks.

A pixel is compared with its own ring only where it may be a hit. The histogram holds all pixels that the rings of a
block of 16 × 16 reach, and slides from block to block; its k-th smallest is below that of every ring in the block, so a
pixel under the threshold of that one is no hit. Of what is left, some per cent at sea, the pixels of the ring that lie
low enough are counted, on 16-bit keys in the order of the values; what passes has its ring sorted.

A score wants the k-th smallest everywhere: there the histogram of keys slides from pixel to pixel and holds the ring
itself. Either way the cost grows with the window: the counting with its area, the histograms with its height.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.rows import HalfWidths, HitList, Tile, append, cut, load_rows, new_hits
from sarship.cfar.cpu.strips import search_strips
from sarship.cfar.goca_soca_os import OrderTable
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, uncounted

__all__ = ["search_tile"]

_BLOCK = 16
_N_KEYS = 1 << 16
_SAFE = 1e-12

U16 = NDArray[np.uint16]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


class Bins(NamedTuple):
    """Bins of a histogram of keys, 32 for each doubling of power."""

    of_key: U16
    lowest: F64
    """Lowest power of every bin."""


class Strip(NamedTuple):
    """Rows of power with their halo, the keys of all pixels, and the power that none with a higher key is below."""

    rows: F64
    keys: U16
    floor: F64
    half: HalfWidths


def _bins(floor: F64) -> Bins:
    with np.errstate(divide="ignore"):
        level = np.floor(32 * np.log2(floor))
    # powers below 2⁻¹³³ have the first key, whose lowest is zero
    level[1] = max(level[1], level[2] - 1)
    bins = np.zeros(_N_KEYS, np.uint16)
    known = np.isfinite(level)
    bins[known] = 1 + np.unique(level[known], return_inverse=True)[1]
    lowest = np.full(int(bins.max()) + 2, np.inf)
    np.minimum.at(lowest, bins, floor)
    return Bins(bins, lowest)


_KEYS = np.arange(_N_KEYS, dtype=np.uint32)
NUMBER_FLOOR = _KEYS.astype(np.float64) ** 2
"""Power of every key of digital numbers, which are their own keys."""
# a float's key is 1 more than the upper half of its bits as float32; 0 is no data
POWER_FLOOR = np.concatenate([[0], ((_KEYS[:0x7F81]) << 16).view(np.float32), np.full(_N_KEYS - 0x7F82, np.inf)])
"""No power above it has a lower key (a rounding error aside)."""
_NUMBER_BINS, _POWER_BINS = _bins(NUMBER_FLOOR), _bins(POWER_FLOOR.astype(np.float64))


@compiled
def _fill_keys(keys: U16, rows: F64, is_number: bool) -> None:
    single = np.zeros(1, np.float32)
    bits = single.view(np.uint32)
    for line in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            power = rows[line, i]
            if is_number:
                # a root in single precision is off by less than a hundredth, and eight fit a vector register
                keys[line, i] = np.uint16(np.sqrt(np.float32(power)) + np.float32(0.5))
            else:
                single[0] = power
                keys[line, i] = np.uint16((bits[0] >> np.uint32(16)) + np.uint32(power > 0))


@uncounted
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


@uncounted
def _count(keys: U16, line: int, pixel: int, half: HalfWidths, top: np.uint16, enough: int) -> int:
    """Pixels of a ring whose key is not above `top`, or fewer than `enough` as soon as that is known.

    The ring's first line and pixel are `line` and `pixel`.
    """
    outer_l, outer_p, guard_l, guard_p = half
    # those not below may be so many that enough is out of reach
    spare = (2 * outer_l + 1) * (2 * outer_p + 1) - (2 * guard_l + 1) * (2 * guard_p + 1) - enough
    total, seen = 0, 0
    for step in range(2 * outer_l + 1):
        row = keys[line + step, pixel : pixel + 2 * outer_p + 1]
        below = 0
        for i in range(row.size):
            below += row[i] <= top
        seen += row.size
        if outer_l - guard_l <= step <= outer_l + guard_l:
            hole = row[outer_p - guard_p : outer_p + guard_p + 1]
            for i in range(hole.size):
                below -= hole[i] <= top
            seen -= hole.size
        total += below
        if seen - total > spare:
            return total
    return total


@uncounted
def _gathered(ring: F64, rows: F64, keys: U16, line: int, pixel: int, half: HalfWidths, key: int) -> int:
    """Collect the powers of a ring that have a key, or all for key 0; return their number."""
    outer_l, outer_p, guard_l, guard_p = half
    n = 0
    for step in range(2 * outer_l + 1):
        for i in range(2 * outer_p + 1):
            if abs(step - outer_l) <= guard_l and abs(i - outer_p) <= guard_p:
                continue
            here = np.int64(keys[line + step, pixel + i])
            if (here == key) if key > 0 else (here > 0):
                ring[n] = rows[line + step, pixel + i]
                n += 1
    return n


@uncounted
def _move(histogram: I32, keys: U16, lines: tuple[int, int], pixels: tuple[int, int], bins: U16, change: int) -> int:
    """Add a rectangle of keys to the histogram of their bins or take it out; return how many were no data."""
    n_empty = 0
    for line in range(lines[0], lines[1]):
        for pixel in range(pixels[0], pixels[1]):
            key = keys[line, pixel]
            histogram[bins[key]] += change
            n_empty += key == 0
    return n_empty


@uncounted
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


@uncounted
def _quick_threshold(histogram: I32, place: int, lowest: float, bin_powers: F64) -> float:
    """Threshold that none of a block's is below, from the bin that holds the smallest value but `place`."""
    bin_, below = 0, 0
    while bin_ + 1 < histogram.size and below < place:
        bin_ += 1
        below += histogram[bin_]
    return lowest * bin_powers[bin_] * (1 - _SAFE) if below >= place else np.inf


@compiled
def _level_of_hit(ring: F64, strip: Strip, line: int, i: int, table: OrderTable, is_full: bool) -> tuple[float, float]:
    """Return the pixel that sets the threshold and its factor, infinite where the one under test is no hit."""
    half, value = strip.half, strip.rows[line + strip.half.outer_l, i + strip.half.outer_p]
    n = ring.size if is_full else ring.size - _count(strip.keys, line, i, half, np.uint16(0), 0)
    if not table.factor[n] < np.inf:
        return np.inf, np.inf
    top_key = np.uint16(_first_key_above(value / table.factor[n], strip.floor) - 1)
    # no data has the lowest key
    enough = table.order[n] + ring.size - n
    if _count(strip.keys, line, i, half, top_key, enough) < enough:
        return np.inf, np.inf
    found = ring[: _gathered(ring, strip.rows, strip.keys, line, i, half, 0)]
    return _smallest(found, table.order[n] - 1), table.factor[n]


@compiled
def _search_strip(tile: Tile, strip: Strip, is_full: bool, table: OrderTable, bins: Bins, min_ring: int) -> HitList:
    """Return the hits of a strip."""
    outer_l, outer_p = strip.half.outer_l, strip.half.outer_p
    (start, stop), (first, last) = tile.lines, tile.pixels
    size, height, width = table.factor.size - 1, stop - start, last - first
    histogram, ring = np.zeros(bins.lowest.size, np.int32), np.empty(size)
    hits, n_hits = new_hits(), 0
    for top in range(0, height, _BLOCK):
        reach = (top, min(top + _BLOCK, height) + 2 * outer_l)
        histogram[:] = 0
        n_empty, done, gone = 0, 0, 0
        for left in range(0, width, _BLOCK):
            right = min(left + _BLOCK, width)
            n_empty += _move(histogram, strip.keys, reach, (done, right + 2 * outer_p), bins.of_key, 1)
            n_empty -= _move(histogram, strip.keys, reach, (gone, left), bins.of_key, -1)
            done, gone = right + 2 * outer_p, left
            # no ring of the block has fewer pixels than this
            fewest = max(size - n_empty, min_ring)
            quick = _quick_threshold(histogram, table.order[fewest], table.lowest, bins.lowest)
            for line in range(top, min(top + _BLOCK, height)):
                for i in range(left, right):
                    value = strip.rows[line + outer_l, i + outer_p]
                    if not value > quick:
                        continue
                    level, factor = _level_of_hit(ring, strip, line, i, table, is_full)
                    if not value > factor * level:
                        continue
                    if n_hits == tile.cap:
                        return cut(hits, n_hits)
                    hits = append(hits, n_hits, start + line, first + i, level, value / (factor * level))
                    n_hits += 1
    return cut(hits, n_hits)


@uncounted
def _turn(histogram: I32, keys: U16, pixel: int, lines: tuple[int, int], change: int, key: int) -> int:
    """Add a column of keys to the histogram or take it out; return the change of what lies below `key`."""
    below = 0
    for line in range(lines[0], lines[1]):
        here = np.int64(keys[line, pixel])
        histogram[here] += change
        below += change if here < key else 0
    return below


@compiled
def _score_strip(out: NDArray[np.float32], strip: Strip, table: OrderTable, is_number: bool) -> None:
    """Fill the scores of a strip."""
    outer_l, outer_p, guard_l, guard_p = strip.half
    size = table.factor.size - 1
    ring = np.empty(size)
    for line in range(out.shape[0]):
        histogram = np.zeros(_N_KEYS, np.int32)
        outer, inner = (line, line + 2 * outer_l + 1), (line + outer_l - guard_l, line + outer_l + guard_l + 1)
        # `below` pixels have keys below `key`, no data among them
        key, below = 1, 0
        for pixel in range(2 * outer_p + 1):
            below += _turn(histogram, strip.keys, pixel, outer, 1, key)
        for pixel in range(outer_p - guard_p, outer_p + guard_p + 1):
            below += _turn(histogram, strip.keys, pixel, inner, -1, key)
        for i in range(out.shape[1]):
            if i > 0:
                below += _turn(histogram, strip.keys, i + 2 * outer_p, outer, 1, key)
                below += _turn(histogram, strip.keys, i - 1, outer, -1, key)
                below += _turn(histogram, strip.keys, i + outer_p + guard_p, inner, -1, key)
                below += _turn(histogram, strip.keys, i - 1 + outer_p - guard_p, inner, 1, key)
            n = size - histogram[0]
            value = strip.rows[line + outer_l, i + outer_p]
            if value == 0 or not table.factor[n] < np.inf:
                out[line, i] = np.nan
                continue
            place = table.order[n] + histogram[0]
            while below >= place:
                key -= 1
                below -= histogram[key]
            while below + histogram[key] < place:
                below += histogram[key]
                key += 1
            level = strip.floor[key]
            if not is_number:
                alike = np.sort(ring[: _gathered(ring, strip.rows, strip.keys, line, i, strip.half, key)])
                level = alike[place - below - 1]
            threshold = table.factor[n] * level
            score = np.float32(min(value / threshold, LARGEST_SCORE))
            out[line, i] = max(score, ABOVE_ONE) if value > threshold else score


def search_tile(tile: Tile, table: OrderTable, min_ring: int) -> HitList:
    """Return the hits of a tile, or fill its scores; `table` is that of `goca_soca_os.order_table`."""
    is_number = tile.image.dtype.kind == "u"
    bins, floor = (_NUMBER_BINS, NUMBER_FLOOR) if is_number else (_POWER_BINS, POWER_FLOOR)

    def search(part: Tile, shape: tuple[int, int]) -> HitList:
        strip = Strip(np.empty(shape), np.empty(shape, np.uint16), floor, tile.half)
        is_full = load_rows(strip.rows, part)
        _fill_keys(strip.keys, strip.rows, is_number)
        if tile.out.size:
            _score_strip(part.out, strip, table, is_number)
            return cut(new_hits(), 0)
        return _search_strip(part, strip, is_full, table, bins, min_ring)

    return search_strips(tile, search)
