"""Kernels for laws of two moments on whole numbers: exact sums of levels and of their squares, whatever they are.

A level is a pixel's power (laws `gaussian`, `k`) or its logarithm in fixed point (`lognormal`, `weibull`), a whole
number below 2³², zero for no data. Three words slide over the image: the sum of levels packed with the count, as in
`cpu`; the sum of squares without what overflows 64 bits; and the sum of each square's bits from 48 on, which says
how often it overflowed. The last one is skipped where no level of the ring reaches 2²⁴, as at sea.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.compiler import compiled
from sarship.cfar.cpu_float import negative_power

__all__ = ["LN_LEVELS", "LN_SCALE", "LN_ZERO", "search_tile"]

LN_SCALE = float(1 << 20)
"""Levels of ln power for each unit of it: a level is a millionth of the power."""
LN_ZERO = 1 << 30
"""Level of ln power 0 in images of float power, so that the smallest has a level above zero."""
_COUNT_SHIFT = np.uint64(48)
_SUM_BITS = np.uint64((1 << 48) - 1)
_HALF = np.uint64(32)
_LOW = np.uint64((1 << 32) - 1)
_ONE = np.uint64(1)
_TOP_SHIFT = np.uint64(48)
_TOP_HIGH = np.uint64(16)
_TOP_UNIT = 2.0**48
_WORD = 2.0**64
_BRIGHT = np.uint32(1 << 24)
_SAFE = 1e-12
_ABOVE_ONE = np.float32(np.nextafter(np.float32(1), np.float32(2)))
_LARGEST_SCORE = float(np.finfo(np.float32).max)
_BLOCK = 64

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
STRIP_LINES = 512
"""Lines whose levels are laid out at once, unless the window is tall: they stay in the caches."""
Image = NDArray[np.uint16] | NDArray[np.floating]


def _ln_levels() -> U32:
    """Logarithm of every digital number's power in fixed point, 1 for ln 1 and 0 for no data; all below 2²⁴."""
    levels = np.zeros(1 << 16, np.uint32)
    levels[1:] = np.rint(np.log(np.arange(1, 1 << 16)) * LN_SCALE) + 1
    return levels


LN_LEVELS = _ln_levels()
"""Level of every digital number for the laws of ln power: twice its logarithm, in units of `LN_SCALE` / 2."""
_SQUARE_LEVELS = np.arange(1 << 16, dtype=np.uint32) ** 2
_NO_LEVELS = np.empty(0, np.uint32)


@compiled
def _fill_levels(
    rows: U32, image: Image, valid: NDArray[np.bool_], levels: U32, top: int, left: int, negative: F64
) -> bool:
    """Levels of a part of the image from line `top` and pixel `left` on, no data as zero; note a negative power.

    Returns whether any level is bright. Apart from the search, so that only this is compiled for every type.
    """
    n_lines, n_pixels = image.shape
    rows[:] = 0
    largest = np.uint32(0)
    first, last = max(left, 0), min(left + rows.shape[1], n_pixels)
    for line in range(max(top, 0), min(top + rows.shape[0], n_lines)):
        inside, source = rows[line - top, first - left : last - left], image[line, first:last]
        if levels.size > 0:
            for i in range(inside.size):
                inside[i] = levels[np.uint16(source[i])]
        else:
            for i in range(inside.size):
                if 0 < source[i] < np.inf:
                    fixed = math.floor(math.log(np.float64(source[i])) * LN_SCALE + 0.5)
                    inside[i] = np.uint32(np.int64(fixed) + LN_ZERO)
                elif source[i] < 0 and negative[0] == 0 and (valid.size == 0 or valid[line, first + i]):
                    negative[0], negative[1], negative[2] = source[i], line, first + i
        if valid.size > 0:
            keep = valid[line, first:last]
            for i in range(inside.size):
                inside[i] = inside[i] if keep[i] else np.uint32(0)
        for i in range(inside.size):
            largest = max(largest, inside[i])
    return bool(largest >= _BRIGHT)


@compiled
def _slide_down(sums: U64, squares: U64, entering: U32, leaving: U32) -> None:
    """Add a line's levels, squares and counts to the column sums and take another's away; wrap-around cancels."""
    for i in range(sums.size):
        new, old = np.uint64(entering[i]), np.uint64(leaving[i])
        count = np.uint64(new != 0) - np.uint64(old != 0)
        sums[i] += new - old + (count << _COUNT_SHIFT)
        squares[i] += new * new - old * old


@compiled
def _slide_tops(tops: U32, entering: U32, leaving: U32) -> None:
    for i in range(tops.size):
        new, old = np.uint64(entering[i]), np.uint64(leaving[i])
        tops[i] += np.uint32((new * new) >> _TOP_SHIFT) - np.uint32((old * old) >> _TOP_SHIFT)


@compiled
def _slide_across(ring: np.ndarray, outer: np.ndarray, inner: np.ndarray, back: int, guard: int) -> None:
    """Sums over the ring of every pixel of a line, from column sums that begin `back + 1` pixels before it."""
    n = ring.size
    # slices rather than computed indices: the compiler then drops the wrap-around tests
    outer_in, outer_out = outer[2 * back + 1 : 2 * back + 1 + n], outer[:n]
    inner_in, inner_out = inner[back + guard + 1 : back + guard + 1 + n], inner[back - guard : back - guard + n]
    total = outer[0] - outer[0]
    for j in range(2 * back + 1):
        total += outer[j]
    for j in range(back - guard, back + guard + 1):
        total -= inner[j]
    for i in range(n):
        total += outer_in[i] - outer_out[i] - inner_in[i] + inner_out[i]
        ring[i] = total


@compiled
def _spread(packed: np.uint64, low: np.uint64, top: np.uint32) -> float:
    """Count × sum of squares − square of the sum, exact in 128 bits and then rounded, high word and low word."""
    count, total = packed >> _COUNT_SHIFT, packed & _SUM_BITS
    # the sum of squares lies in [top, top + count) · 2⁴⁸, less than one overflow wide, and ends in `low`
    high = (np.uint64(top) >> _TOP_HIGH) + np.uint64(low < np.uint64(np.uint64(top) << _TOP_SHIFT))
    first = (low & _LOW) * count
    second = (low >> _HALF) * count + (first >> _HALF)
    product_low, product_high = (second << _HALF) | (first & _LOW), high * count + (second >> _HALF)
    right, left = total & _LOW, total >> _HALF
    square, middle = right * right, np.uint64((right * left) << _ONE)
    square_low = square + (middle << _HALF)
    square_high = left * left + (middle >> _HALF) + np.uint64(square_low < square)
    high_word = product_high - square_high - np.uint64(product_low < square_low)
    return float(np.float64(high_word) * _WORD + np.float64(np.uint64(product_low - square_low)))


@compiled
def _may_hold_hit(sums: U64, squares: U64, tops: U32, levels: U32, quick: float) -> bool:
    """Whether any pixel could be a hit, by a comparison in floats that never misses one."""
    found: np.bool_ = np.bool_(False)
    for i in range(sums.size):
        count, total = np.float64(np.int64(sums[i] >> _COUNT_SHIFT)), np.float64(np.int64(sums[i] & _SUM_BITS))
        base = np.uint64(np.uint64(tops[i]) << _TOP_SHIFT)
        square = np.float64(np.int64(tops[i])) * _TOP_UNIT + np.float64(np.uint64(squares[i] - base))
        above = count * np.float64(np.int64(levels[i])) - total
        spread = count * square * (1 - _SAFE) - total * total
        found |= (above > 0) & (above * above * (1 + _SAFE) >= quick * spread)
    return bool(found)


@compiled
def _score(level: np.uint32, packed: np.uint64, low: np.uint64, top: np.uint32, table: F64, scale: float) -> float:
    """Power over its threshold: above 1 for a hit and at most 1 for none, whatever rounds; NaN for no decision."""
    count = np.int64(packed >> _COUNT_SHIFT)
    if level == 0 or not table[count] < np.inf:
        return np.nan
    total = np.int64(packed & _SUM_BITS)
    above = np.float64(count * np.int64(level) - total)
    square = table[count] * _spread(packed, low, top)
    if scale > 0:
        score = np.exp((above - np.sqrt(square)) / np.float64(count) / scale)
    else:
        score = np.float64(level) * np.float64(count) / (np.float64(total) + np.sqrt(square))
    if above > 0 and above * above > square:
        return float(max(score, np.float64(_ABOVE_ONE)))
    return float(min(score, 1.0))


@compiled
def _score_line(
    out: NDArray[np.float32], levels: U32, sums: U64, squares: U64, tops: U32, table: F64, scale: float
) -> None:
    for i in range(out.size):
        score = _score(levels[i], sums[i], squares[i], tops[i], table, scale)
        out[i] = np.nan if np.isnan(score) else min(score, _LARGEST_SCORE)


@compiled
def _grown(array: np.ndarray) -> np.ndarray:
    larger = np.empty(2 * array.size, array.dtype)
    larger[: array.size] = array
    return larger


@compiled
def _search_rows(
    rows: U32,
    window: tuple[int, int, int, int],
    table: F64,
    scale: float,
    cap: int,
    out: NDArray[np.float32],
    is_bright: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32], U64, F64]:
    """Hits among rows of levels with their halo: `back` lines above and below, `back + 1` pixels left, `back` right."""
    back_l, back_p, guard_l, guard_p = window
    n_columns, width = rows.shape[1], rows.shape[1] - 2 * back_p - 1
    outer, inner = np.zeros(n_columns, np.uint64), np.zeros(n_columns, np.uint64)
    outer_2, inner_2 = np.zeros(n_columns, np.uint64), np.zeros(n_columns, np.uint64)
    outer_t, inner_t = np.zeros(n_columns, np.uint32), np.zeros(n_columns, np.uint32)
    nothing = np.zeros(n_columns, np.uint32)
    ring, ring_2, ring_t = np.zeros(width, np.uint64), np.zeros(width, np.uint64), np.zeros(width, np.uint32)
    lines, pixels, sums, scores = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64, np.uint64), np.empty(64)
    n_hits = 0
    for entering in range(rows.shape[0]):
        # the first line decided is `back_l`; lines before it only fill the sums
        line = entering - back_l
        newest, oldest = rows[entering], rows[line - back_l - 1] if line > back_l else nothing
        guarded = rows[line + guard_l] if line + guard_l >= 0 else nothing
        past = rows[line - guard_l - 1] if line > guard_l else nothing
        _slide_down(outer, outer_2, newest, oldest)
        _slide_down(inner, inner_2, guarded, past)
        if is_bright:
            _slide_tops(outer_t, newest, oldest)
            _slide_tops(inner_t, guarded, past)
        if line < back_l:
            continue
        _slide_across(ring, outer, inner, back_p, guard_p)
        _slide_across(ring_2, outer_2, inner_2, back_p, guard_p)
        if is_bright:
            _slide_across(ring_t, outer_t, inner_t, back_p, guard_p)
        values = rows[line, back_p + 1 : back_p + 1 + width]
        if out.size > 0:
            _score_line(out[line - back_l], values, ring, ring_2, ring_t, table, scale)
            continue
        for block in range(0, width, _BLOCK):
            end = min(block + _BLOCK, width)
            here = slice(block, end)
            if not _may_hold_hit(ring[here], ring_2[here], ring_t[here], values[here], table[-1]):
                continue
            for i in range(block, end):
                score = _score(values[i], ring[i], ring_2[i], ring_t[i], table, scale)
                if not score > 1:
                    continue
                if n_hits == cap:
                    return lines, pixels, sums, scores
                if n_hits == lines.size:
                    lines, pixels, sums, scores = _grown(lines), _grown(pixels), _grown(sums), _grown(scores)
                lines[n_hits], pixels[n_hits], sums[n_hits], scores[n_hits] = line - back_l, i, ring[i], score
                n_hits += 1
    return lines[:n_hits], pixels[:n_hits], sums[:n_hits], scores[:n_hits]


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
) -> tuple[NDArray[np.int64], NDArray[np.int64], F64, F64]:
    """Hits of one tile: their lines, pixels, clutter and scores; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (background lines, background pixels, guard lines, guard pixels). Stops after `cap` hits.
    A pixel is a hit when the square of count·level − sum is above `table[count]` · (count·squares − sum²).

    Raises
    ------
    ValueError
        A valid pixel whose power is negative.
    """
    is_number = image.dtype.kind == "u"
    levels = (LN_LEVELS if is_log else _SQUARE_LEVELS) if is_number else _NO_LEVELS
    scale, zero = (LN_SCALE / 2, 1) if is_number else (LN_SCALE, LN_ZERO)
    start, stop, left, right = tile
    back_l, back_p = window[:2]
    strip = max(STRIP_LINES, 4 * (2 * back_l + 1))
    negative = np.zeros(3)
    found = []
    for top in range(start, stop, strip):
        bottom = min(top + strip, stop)
        rows = np.empty((bottom - top + 2 * back_l, right - left + 2 * back_p + 1), np.uint32)
        is_bright = _fill_levels(rows, image, valid, levels, top - back_l, left - back_p - 1, negative)
        if negative[0] < 0:
            raise negative_power(negative, origin)
        here = out[top - start : bottom - start]
        lines, pixels, packed, scores = _search_rows(
            rows, window, table, scale if is_log else 0.0, cap, here, is_bright
        )
        mean = (packed & _SUM_BITS).astype(np.float64) / (packed >> _COUNT_SHIFT).astype(np.float64)
        clutter = np.exp((mean - zero) / scale) if is_log else mean
        found.append((lines + np.int64(top + origin[0]), pixels + np.int64(left + origin[1]), clutter, scores))
        cap -= lines.size
        if cap <= 0:
            break
    line, pixel, clutter, score = (np.concatenate([part[k] for part in found]) for k in range(4))
    return line, pixel, clutter, score
