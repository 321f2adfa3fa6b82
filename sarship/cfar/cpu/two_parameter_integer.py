"""Kernels for laws of two moments on whole numbers: exact sums of levels and of their squares, whatever they are.

Levels come from `cpu_levels`. Three words slide over the image as in `cpu`: the sum of levels packed with the count;
the sum of squares without what overflows 64 bits; and the sum of the bright levels' squares without their lower bits,
which says how often it overflowed. The last is kept only where a level of the window is bright, block by block.

As in `cpu`, blocks that cannot hold a hit are passed over: nowhere in a block is the sum of levels smaller than at its
start plus its falls, nor the sum of squares. That gives a level below which no pixel of the block is a hit, and
only the pixels above it are looked at.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.log_levels import Rule
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, grown

__all__ = ["BLOCK", "search_rows"]

_COUNT_SHIFT = np.uint64(48)
_SUM_LEFT = np.uint64(16)
_HALF = np.uint64(32)
_HALF_COUNT = np.uint64(1 << 47)
_TO_TOP = np.uint64(24)
_TO_UNITS = np.uint64(8)
_ROUNDING = float(1 << 16)
_LOW = np.uint64((1 << 32) - 1)
_ONE = np.uint64(1)
_WORD_BITS = np.uint64(64)
_WORD = 2.0**64
_SAFE = 1e-12
BLOCK = 32
"""Pixels of a block."""

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Levels = NDArray[np.integer]
Quad = tuple[U64, U64, U64, U64]


@compiled
def _slide_down(sums: U64, squares: U64, entering: Levels, leaving: Levels, same_count: bool) -> None:
    """Add a line's levels, squares and counts to the column sums and take another's away; wrap-around cancels."""
    if same_count:
        for i in range(sums.size):
            sums[i] += np.uint64(np.int64(entering[i]) - np.int64(leaving[i]))
    else:
        for i in range(sums.size):
            count = np.int64(entering[i] != 0) - np.int64(leaving[i] != 0)
            sums[i] += np.uint64(np.int64(entering[i]) - np.int64(leaving[i])) + (np.uint64(count) << _COUNT_SHIFT)
    # one loop each: a difference of squares would be made a product of 33-bit numbers, which vector registers have not
    for i in range(squares.size):
        squares[i] += np.uint64(np.int64(entering[i]) * np.int64(entering[i]))
    for i in range(squares.size):
        squares[i] -= np.uint64(np.int64(leaving[i]) * np.int64(leaving[i]))


@compiled
def _slide_tops(tops: U64, entering: Levels, leaving: Levels, bright: int, shift: np.uint64) -> None:
    for i in range(tops.size):
        new, old = np.int64(entering[i]), np.int64(leaving[i])
        top_new = np.uint64(new * new) >> shift if abs(new) >= bright else np.uint64(0)
        top_old = np.uint64(old * old) >> shift if abs(old) >= bright else np.uint64(0)
        tops[i] += top_new - top_old


@compiled
def _find_bright(last_bright: I64, entering: Levels, bright: int, line: int) -> None:
    """Note the line for each block of columns in which it has a bright level."""
    for k in range(last_bright.size):
        largest = np.int64(0)
        for level in entering[k * BLOCK : (k + 1) * BLOCK]:
            largest = max(largest, abs(np.int64(level)))
        last_bright[k] = line if largest >= bright else last_bright[k]


@compiled
def _first_sum(outer: U64, inner: U64, back: int, guard: int) -> np.uint64:
    """Sum over the ring of the pixel before the first, from column sums that begin `back + 1` pixels before that."""
    total = np.uint64(0)
    for j in range(2 * back + 1):
        total += outer[j]
    for j in range(back - guard, back + guard + 1):
        total -= inner[j]
    return total


@compiled
def _survey_blocks(change: U64, falls: I64, uneven: U64, near: I64, columns: Quad, squares: Quad, block: int) -> None:
    """For each block of a line how the ring's two sums change across it, and by how much they fall on the way.

    `falls` holds 65,536 times that of the sum of levels, then what the squares of levels less 128 times `near` fall by
    over 256, but for at most `_ROUNDING` times `near` and 256 a pixel; `uneven` is zero where the count stays the same.
    """
    rows = (uneven.size, block)
    a, b, c, d = columns[0].reshape(rows), columns[1].reshape(rows), columns[2].reshape(rows), columns[3].reshape(rows)
    e, f, g, h = squares[0].reshape(rows), squares[1].reshape(rows), squares[2].reshape(rows), squares[3].reshape(rows)
    for k in range(uneven.size):
        total, total_2, fall, fall_2, odd = np.uint64(0), np.uint64(0), np.int64(0), np.uint64(0), np.uint64(0)
        centre = np.int64(np.int32(near[k]))
        for i in range(block):
            step = (a[k, i] - b[k, i]) - (c[k, i] - d[k, i])
            step_2 = (e[k, i] - f[k, i]) - (g[k, i] - h[k, i])
            total += step
            total_2 += step_2
            # the shift drops the count and leaves the sum's sign in place
            fall += min(np.int64(step << _SUM_LEFT), np.int64(0))
            odd |= (step + _HALF_COUNT) >> _COUNT_SHIFT
            # 2 · 128 · centre · sum; a product of two 32-bit numbers is the one that vector registers have
            part = np.int64(np.int32(np.uint32((step << _TO_TOP) >> _HALF)))
            step_2 -= np.uint64(part * centre) << _SUM_LEFT
            # in units of 256, or they may not fit a word
            fall_2 += np.uint64(-min(np.int64(step_2), np.int64(0))) >> _TO_UNITS
        change[0, k], change[1, k], uneven[k] = total, total_2, odd
        falls[0, k], falls[1, k] = fall, np.int64(fall_2)


@compiled
def _brightest(peak: I64, values: Levels, block: int) -> None:
    """The largest level of each block; a pixel without data counts as 0, which can only be too large."""
    rows = values.reshape((peak.size, block))
    for k in range(peak.size):
        largest = rows[k, 0]
        for i in range(block):
            largest = max(largest, rows[k, i])
        peak[k] = largest


@compiled
def _spread(count: int, total: int, low: np.uint64, top: np.uint64, shift: np.uint64) -> float:
    """Count × sum of squares − square of the sum, exact in 128 bits and then rounded, high word and low word."""
    n, size = np.uint64(count), np.uint64(abs(total))
    # the sum of squares lies in [top, top + count) · 2^shift, less than one overflow wide, and ends in `low`
    high = (top >> (_WORD_BITS - shift)) + np.uint64(low < np.uint64(top << shift))
    first = (low & _LOW) * n
    second = (low >> _HALF) * n + (first >> _HALF)
    product_low, product_high = (second << _HALF) | (first & _LOW), high * n + (second >> _HALF)
    right, left = size & _LOW, size >> _HALF
    square, middle = right * right, np.uint64((right * left) << _ONE)
    square_low = square + (middle << _HALF)
    square_high = left * left + (middle >> _HALF) + np.uint64(square_low < square)
    high_word = product_high - square_high - np.uint64(product_low < square_low)
    return float(np.float64(high_word) * _WORD + np.float64(np.uint64(product_low - square_low)))


@compiled
def _unpacked(packed: np.uint64, bias: np.uint64) -> tuple[int, int]:
    """Count and sum of levels."""
    count = (packed + bias) >> _COUNT_SHIFT
    return int(np.int64(count)), int(np.int64(packed - (count << _COUNT_SHIFT)))


@compiled
def _square(count: int, spread: float, table: F64, surface: F64, rule: Rule) -> float:
    """Square of how far above its sum count · level must be."""
    if surface.size == 0 or not table[count] < np.inf:
        return float(table[count] * spread)
    row, n_entries = int(table[count]), surface.shape[1]
    weight = table[count] - row
    below = min(row + 1, surface.shape[0] - 1)
    variance = spread / (np.float64(count) * (np.float64(count) - 1))
    place, beyond = 0.0, 1.0
    if variance > rule.variance:
        place = np.log(variance / rule.variance) * rule.steps
    if place > n_entries - 1:
        beyond = np.exp(0.5 * (place - (n_entries - 1)) / rule.steps)
        place = np.float64(n_entries - 1)
    entry = min(int(place), n_entries - 2)
    part = place - entry
    near = surface[row, entry] * (1 - part) + surface[row, entry + 1] * part
    far = surface[below, entry] * (1 - part) + surface[below, entry + 1] * part
    need = (near * (1 - weight) + far * weight) * beyond * rule.scale * np.float64(count)
    return float(need * need)


@compiled
def _score(
    level: int, count: int, total: int, low: np.uint64, top: np.uint64, table: F64, surface: F64, rule: Rule
) -> float:
    """Power over its threshold: above 1 for a hit and at most 1 for none, whatever rounds; NaN for no decision."""
    if level == 0 or not table[count] < np.inf:
        return np.nan
    above = np.float64(count * level - total)
    square = _square(count, _spread(count, total, low, top, rule.shift), table, surface, rule)
    if rule.scale > 0:
        score = np.exp((above - np.sqrt(square)) / np.float64(count) / rule.scale)
    else:
        n = np.float64(count)
        score = np.float64(level + rule.centre) * n / (np.float64(total + rule.centre * count) + np.sqrt(square))
    if above > 0 and above * above > square:
        return float(max(score, np.float64(ABOVE_ONE)))
    return float(min(score, 1.0))


@compiled
def _may_be_hit(
    level: int, count: int, total: int, low: np.uint64, top: np.uint64, table: F64, surface: F64, rule: Rule
) -> bool:
    """Whether a pixel could be a hit, by a comparison in floats that never misses one."""
    n, base = np.float64(count), np.uint64(top << rule.shift)
    above = n * np.float64(level) - np.float64(total)
    if level == 0 or above <= 0 or above < rule.least * n:
        return False
    square = np.float64(top) * np.float64(_ONE << rule.shift) + np.float64(np.uint64(low - base))
    spread = n * square * (1 - _SAFE) - np.float64(total) * np.float64(total)
    return bool(above * above * (1 + _SAFE) >= _square(count, spread, table, surface, rule))


@compiled
def _decide_blocks(
    floors: F64, starts: U64, change: U64, falls: I64, uneven: U64, near: I64, peak: I64,
    farthest: int, packed: np.uint64, low: np.uint64, table: F64, surface: F64, rule: Rule,
) -> None:  # fmt: skip
    """For each block of a line the sums before it, and a level below which it holds no hit; infinite where none at all.

    Nowhere in the block is a sum smaller than at its start plus its falls. `near` is 128th parts of a level that the
    block's are near, up to `farthest`.
    """
    for k in range(floors.size):
        starts[0, k], starts[1, k] = packed, low
        count, total = _unpacked(packed, rule.bias)
        packed += change[0, k]
        here, low = np.float64(low), low + change[1, k]
        floors[k] = -np.inf
        if uneven[k] != 0:
            continue
        floors[k] = np.inf
        if count == 0:
            continue
        n, centre = np.float64(count), 128.0 * np.float64(near[k])
        # all from here on less the centre, which leaves the spread as it is and its parts small
        start, fall = np.float64(total) - n * centre, np.float64(falls[0, k] >> 16)
        lowest, highest = start + fall, start + (np.float64(np.int64(change[0, k])) - fall)
        above = n * (np.float64(peak[k]) - centre) - lowest
        if above <= 0 or above < rule.least * n:
            continue
        square = here + centre * (n * centre - 2 * np.float64(total))
        square -= 256 * np.float64(falls[1, k] + BLOCK) + BLOCK * _ROUNDING * abs(np.float64(near[k]))
        square -= _SAFE * (here + centre * centre * n)
        need = _least_square(count, lowest, highest, square, table, surface, rule)
        if above * above < need:
            continue
        # levels are whole: one less makes up for all that rounds
        floors[k] = centre + (lowest + max(np.sqrt(need), rule.least * n)) / n - 1
        # the next line is much like this one
        near[k] = min(max(round(np.float64(total) / n / 128), -farthest), farthest)


@compiled
def _least_square(
    count: int, lowest: float, highest: float, square: float, table: F64, surface: F64, rule: Rule
) -> float:
    """Least of the squares of how far above a ring's sum count · level must be, from bounds of the ring's sums."""
    if not table[count] < np.inf:
        return np.inf
    spread = max(np.float64(count) * square - max(lowest * lowest, highest * highest), 0.0)
    return _square(count, spread, table, surface, rule) * (1 - _SAFE)


@compiled
def _floor_of_bright_block(
    packed: np.uint64, top: np.uint64, columns: Quad, tops: Quad, start: int, table: F64, surface: F64, rule: Rule
) -> float:
    """The level below which a block holds no hit, from the sums of the bright levels' upper bits at each pixel."""
    count, total = _unpacked(packed, rule.bias)
    if count == 0:
        return np.inf
    n, unit = np.float64(count), np.float64(_ONE << rule.shift)
    centre = np.float64(total) / n
    here = square = np.float64(top) * unit - np.float64(total) * centre
    error = _SAFE * (np.float64(top) * unit + np.float64(total) * centre)
    lowest = highest = level = 0.0
    for i in range(start, start + BLOCK):
        step = (columns[0][i] - columns[1][i]) - (columns[2][i] - columns[3][i])
        step_t = (tops[0][i] - tops[1][i]) - (tops[2][i] - tops[3][i])
        change = np.float64(np.int64(step << _SUM_LEFT) >> 16)
        level += change
        here += np.float64(np.int64(step_t)) * unit - 2 * centre * change
        lowest, highest, square = min(lowest, level), max(highest, level), min(square, here)
    need = np.sqrt(_least_square(count, lowest, highest, square - error, table, surface, rule))
    return float(centre + (lowest + max(need, rule.least * n)) / n - 1)


@compiled
def _run_across(ring: U64, sums: Quad, start: int, total: np.uint64) -> np.uint64:
    """Sums over the ring of each pixel of a block, from that before it; returns the last."""
    stop = start + ring.size
    a, b, c, d = sums[0][start:stop], sums[1][start:stop], sums[2][start:stop], sums[3][start:stop]
    for i in range(ring.size):
        ring[i] = (a[i] - b[i]) - (c[i] - d[i])
    for i in range(ring.size):
        total += ring[i]
        ring[i] = total
    return total


@compiled
def _parts(sums: np.ndarray, back: int, guard: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    """Slices rather than computed indices: the compiler then drops the wrap-around tests."""
    return sums[back + guard + 1 : back + guard + 1 + wide], sums[back - guard : back - guard + wide]


@compiled
def search_rows(
    rows: Levels, sizes: I64, is_full: NDArray[np.bool_], lines: tuple[int, int], sums: U64, near: I64,
    last_bright: I64, width: int, window: tuple[int, int, int, int], table: F64, surface: F64, rule: Rule, bright: int,
    cap: int, out: NDArray[np.float32], block: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], F64, F64]:  # fmt: skip
    """Hits among rows of levels: lines, pixels, mean levels and scores; or their scores, where `out` is not empty.

    `lines` is which lines enter, from a line to a line, counted from `back` lines above the first that is decided; a
    line is in the row of its number modulo how many there are. A row begins `back + 1` pixels to the left of the first
    that is decided, and goes on past the `width` pixels by `back` and what makes them whole blocks. Each row has in
    `sizes` the largest size of a level, and in `is_full` whether all of its pixels inside the image have data. A level
    of size `bright` is bright. `block` is `BLOCK`: a loop whose length the compiler does not know is one it does well.
    What one call leaves in `sums`, `near` and `last_bright` is for the next; zeros and long ago for the first.
    """
    back_l, back_p, guard_l, guard_p = window
    n_rows, n_columns = rows.shape
    wide = n_columns - 2 * back_p - 1
    tall, n_blocks = 2 * back_l + 2, wide // BLOCK
    nothing = np.zeros(n_columns, rows.dtype)
    outer, inner, outer_2, inner_2, outer_t, inner_t = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    columns = (*_parts(outer, back_p, back_p, wide), *_parts(inner, back_p, guard_p, wide))
    squares = (*_parts(outer_2, back_p, back_p, wide), *_parts(inner_2, back_p, guard_p, wide))
    tops = (*_parts(outer_t, back_p, back_p, wide), *_parts(inner_t, back_p, guard_p, wide))
    change, starts = np.zeros((2, n_blocks), np.uint64), np.zeros((2, n_blocks), np.uint64)
    falls, uneven = np.zeros((2, n_blocks), np.int64), np.zeros(n_blocks, np.uint64)
    peak, floors, ring = np.zeros(n_blocks, np.int64), np.full(n_blocks, -np.inf), np.zeros((3, block), np.uint64)
    found, pixels, means, scores = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64), np.empty(64)
    n_hits, latest, farthest, reach = 0, last_bright.max(), min(bright // 128, 1 << 18), 2 * back_p // BLOCK + 2
    for entering in range(lines[0], lines[1]):
        # the first line decided is `back_l`; lines before it only fill the sums
        line = entering - back_l
        new, old, near_new, near_old = (
            entering % n_rows, (line - back_l - 1) % n_rows, (line + guard_l) % n_rows, (line - guard_l - 1) % n_rows
        )  # fmt: skip
        newest, oldest = rows[new], rows[old] if line > back_l else nothing
        guarded, past = (
            rows[near_new] if line + guard_l >= 0 else nothing,
            rows[near_old] if line > guard_l else nothing,
        )
        if sizes[new] >= bright:
            latest = entering
            _find_bright(last_bright, newest, bright, entering)
        _slide_down(outer, outer_2, newest, oldest, line > back_l and is_full[new] and is_full[old])
        _slide_down(inner, inner_2, guarded, past, line > guard_l and is_full[near_new] and is_full[near_old])
        if entering - latest < tall:
            for k in range(last_bright.size):
                if entering - last_bright[k] < tall:
                    part = slice(k * BLOCK, (k + 1) * BLOCK)
                    _slide_tops(outer_t[part], newest[part], oldest[part], bright, rule.shift)
                    _slide_tops(inner_t[part], guarded[part], past[part], bright, rule.shift)
        if line < back_l:
            continue
        packed, low = _first_sum(outer, inner, back_p, guard_p), _first_sum(outer_2, inner_2, back_p, guard_p)
        top = _first_sum(outer_t, inner_t, back_p, guard_p)
        values = rows[line % n_rows, back_p + 1 : back_p + 1 + wide]
        _survey_blocks(change, falls, uneven, near, columns, squares, block)
        _brightest(peak, values, block)
        _decide_blocks(floors, starts, change, falls, uneven, near, peak, farthest, packed, low, table, surface, rule)
        for k in range(n_blocks):
            first, floor = k * BLOCK, floors[k] if out.size == 0 else -np.inf
            is_bright = entering - latest < tall and entering - last_bright[k : k + reach].max() < tall
            if is_bright and out.size == 0 and uneven[k] == 0:
                floor = _floor_of_bright_block(starts[0, k], top, columns, tops, first, table, surface, rule)
            top = _run_across(ring[2], tops, first, top) if is_bright else np.uint64(0)
            if peak[k] < floor:
                continue
            _run_across(ring[0], columns, first, starts[0, k])
            _run_across(ring[1], squares, first, starts[1, k])
            for i in range(min(BLOCK, width - first)):
                level = int(values[first + i])
                if level < floor:
                    continue
                count, total = _unpacked(ring[0, i], rule.bias)
                low, high = ring[1, i], ring[2, i] if is_bright else np.uint64(0)
                if out.size == 0 and not _may_be_hit(level, count, total, low, high, table, surface, rule):
                    continue
                score = _score(level, count, total, low, high, table, surface, rule)
                if out.size > 0:
                    out[line - back_l, first + i] = np.nan if np.isnan(score) else min(score, LARGEST_SCORE)
                    continue
                if not score > 1:
                    continue
                if n_hits == cap:
                    return found, pixels, means, scores
                if n_hits == found.size:
                    found, pixels, means, scores = grown(found), grown(pixels), grown(means), grown(scores)
                mean = np.float64(total + rule.centre * count) / np.float64(count)
                found[n_hits], pixels[n_hits], means[n_hits], scores[n_hits] = line - back_l, first + i, mean, score
                n_hits += 1
    return found[:n_hits], pixels[:n_hits], means[:n_hits], scores[:n_hits]
