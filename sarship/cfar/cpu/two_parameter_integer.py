"""Two-parameter kernel on whole numbers: exact sums of levels and of their squares, whatever the levels are.

Levels come from `log_levels`. Three words slide over the image as in `ca_integer`: the sum of levels packed with the
count; the sum of squares without what overflows 64 bits; and the sum of the bright levels' squares without their lower
bits, which says how often it overflowed. The last is kept only where a level of the window is bright, block by block.

As in `ca_integer`, blocks that cannot hold a hit are passed over: nowhere in a block is the sum of levels smaller than
at its start plus its falls, nor the sum of squares. That gives a level below which no pixel of the block is a hit, and
only the pixels above it are looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.log_levels import Levels
from sarship.cfar.cpu.moments import SAFE, Limits, Sums, may_be_hit, moment_score, square_of_need
from sarship.cfar.cpu.rows import (
    COUNT_SHIFT,
    HitList,
    Quad,
    Tile,
    append,
    cut,
    first_sum,
    new_hits,
    ring_edges,
    run_across,
    slide_packed,
)
from sarship.cfar.jit import LARGEST_SCORE, compiled, uncounted

__all__ = ["BLOCK", "Running", "new_running", "search_rows"]

_SUM_LEFT = np.uint64(16)
_HALF = np.uint64(32)
_HALF_COUNT = np.uint64(1 << 47)
_TO_TOP = np.uint64(24)
_TO_UNITS = np.uint64(8)
_ROUNDING = float(1 << 16)
_ONE = np.uint64(1)
BLOCK = 32
"""Pixels of a block."""
LONG_AGO = 1 << 40
"""Lines since there was something bright, where there was nothing yet."""

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Row = NDArray[np.integer]


class Running(NamedTuple):
    """State that slides down a tile, from one strip of lines to the next."""

    outer: U64
    """Column sums over the lines of the outer rectangle: levels with counts, squares, and bright squares' tops."""
    inner: U64
    """The same over the lines of the guard."""
    near: I64
    """128th parts of a level that each block's are near."""
    last_bright: I64
    """Line in which each block of columns last had a bright level."""


def new_running(n_columns: int) -> Running:
    """Return the state before the first line."""
    outer, inner = np.zeros((2, 3, n_columns), np.uint64)
    return Running(outer, inner, np.zeros(n_columns, np.int64), np.full(n_columns // BLOCK + 1, -LONG_AGO))


@uncounted
def _slide_down(columns: U64, entering: Row, leaving: Row, is_same_count: bool) -> None:
    """Add a line's levels, counts and squares to the column sums and take another's away."""
    slide_packed(columns[0], entering, leaving, is_same_count)
    squares = columns[1]
    # one loop each: a difference of squares would be made a product of 33-bit numbers, which vector registers have not
    for i in range(squares.size):
        squares[i] += np.uint64(np.int64(entering[i]) * np.int64(entering[i]))
    for i in range(squares.size):
        squares[i] -= np.uint64(np.int64(leaving[i]) * np.int64(leaving[i]))


@uncounted
def _slide_tops(tops: U64, entering: Row, leaving: Row, bright: int, shift: np.uint64) -> None:
    for i in range(tops.size):
        new, old = np.int64(entering[i]), np.int64(leaving[i])
        top_new = np.uint64(new * new) >> shift if abs(new) >= bright else np.uint64(0)
        top_old = np.uint64(old * old) >> shift if abs(old) >= bright else np.uint64(0)
        tops[i] += top_new - top_old


@uncounted
def _find_bright(last_bright: I64, entering: Row, bright: int, line: int) -> None:
    """Note the line for each block of columns in which it has a bright level."""
    for k in range(last_bright.size):
        largest = np.int64(0)
        for level in entering[k * BLOCK : (k + 1) * BLOCK]:
            largest = max(largest, abs(np.int64(level)))
        last_bright[k] = line if largest >= bright else last_bright[k]


class Survey(NamedTuple):
    """Numbers of the blocks of a line."""

    starts: U64
    """Sums of levels (packed) and of squares over the ring of the pixel before each block."""
    change: U64
    """Change of both across it."""
    falls: I64
    """Falls of both on the way, as `_survey_blocks` has them."""
    uneven: U64
    """Zero where the count of the ring stays the same."""
    peak: I64
    """Largest level."""
    floors: F64
    """Level below which no pixel is a hit."""


@compiled
def _new_survey(n_blocks: int) -> Survey:
    two = (2, n_blocks)
    return Survey(
        np.zeros(two, np.uint64), np.zeros(two, np.uint64), np.zeros(two, np.int64),
        np.zeros(n_blocks, np.uint64), np.zeros(n_blocks, np.int64), np.full(n_blocks, -np.inf),
    )  # fmt: skip


@uncounted
def _survey_blocks(survey: Survey, near: I64, edges: Quad, squares: Quad, block: int) -> None:
    """For each block of a line how the ring's two sums change across it, and by how much they fall on the way.

    `falls` is given 65,536 times that of the sum of levels, then what the squares of levels less 128 times `near` fall
    by over 256, but for at most `_ROUNDING` times `near` and 256 a pixel.
    """
    rows = (survey.uneven.size, block)
    a, b, c, d = edges[0].reshape(rows), edges[1].reshape(rows), edges[2].reshape(rows), edges[3].reshape(rows)
    e, f, g, h = squares[0].reshape(rows), squares[1].reshape(rows), squares[2].reshape(rows), squares[3].reshape(rows)
    change, falls, uneven = survey.change, survey.falls, survey.uneven
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
            odd |= (step + _HALF_COUNT) >> COUNT_SHIFT
            # 2 · 128 · centre · sum; a product of two 32-bit numbers is the one that vector registers have
            part = np.int64(np.int32(np.uint32((step << _TO_TOP) >> _HALF)))
            step_2 -= np.uint64(part * centre) << _SUM_LEFT
            # in units of 256, or they may not fit a word
            fall_2 += np.uint64(-min(np.int64(step_2), np.int64(0))) >> _TO_UNITS
        change[0, k], change[1, k], uneven[k] = total, total_2, odd
        falls[0, k], falls[1, k] = fall, np.int64(fall_2)


@uncounted
def _brightest(peak: I64, values: Row, block: int) -> None:
    """The largest level of each block; a pixel without data counts as 0, which can only be too large."""
    rows = values.reshape((peak.size, block))
    for k in range(peak.size):
        largest = rows[k, 0]
        for i in range(block):
            largest = max(largest, rows[k, i])
        peak[k] = largest


@uncounted
def _unpacked(packed: np.uint64, bias: np.uint64) -> tuple[int, int]:
    """Count and sum of levels."""
    count = (packed + bias) >> COUNT_SHIFT
    return int(np.int64(count)), int(np.int64(packed - (count << COUNT_SHIFT)))


@uncounted
def _least_square(count: int, lowest: float, highest: float, square: float, limits: Limits) -> float:
    """Least of the squares of how far above a ring's sum count · level must be, from bounds of the ring's sums."""
    if not limits.table[count] < np.inf:
        return np.inf
    spread = max(np.float64(count) * square - max(lowest * lowest, highest * highest), 0.0)
    return square_of_need(count, spread, limits) * (1 - SAFE)


@uncounted
def _decide_blocks(survey: Survey, near: I64, packed: np.uint64, low: np.uint64, limits: Limits, bright: int) -> None:
    """For each block of a line the sums before it, and a level below which it holds no hit; infinite where none at all.

    Nowhere in the block is a sum smaller than at its start plus its falls. `near` is 128th parts of a level that the
    block's are near.
    """
    starts, change, falls, floors = survey.starts, survey.change, survey.falls, survey.floors
    rule, farthest = limits.rule, min(bright // 128, 1 << 18)
    for k in range(floors.size):
        starts[0, k], starts[1, k] = packed, low
        count, total = _unpacked(packed, rule.bias)
        packed += change[0, k]
        here, low = np.float64(low), low + change[1, k]
        floors[k] = -np.inf
        if survey.uneven[k] != 0:
            continue
        floors[k] = np.inf
        if count == 0:
            continue
        n, centre = np.float64(count), 128.0 * np.float64(near[k])
        # all from here on less the centre, which leaves the spread as it is and its parts small
        start, fall = np.float64(total) - n * centre, np.float64(falls[0, k] >> 16)
        lowest, highest = start + fall, start + (np.float64(np.int64(change[0, k])) - fall)
        above = n * (np.float64(survey.peak[k]) - centre) - lowest
        if above <= 0 or above < rule.least * n:
            continue
        square = here + centre * (n * centre - 2 * np.float64(total))
        square -= 256 * np.float64(falls[1, k] + BLOCK) + BLOCK * _ROUNDING * abs(np.float64(near[k]))
        square -= SAFE * (here + centre * centre * n)
        need = _least_square(count, lowest, highest, square, limits)
        if above * above < need:
            continue
        # levels are whole: one less makes up for all that rounds
        floors[k] = centre + (lowest + max(np.sqrt(need), rule.least * n)) / n - 1
        # the next line is much like this one
        near[k] = min(max(round(np.float64(total) / n / 128), -farthest), farthest)


@uncounted
def _floor_of_bright_block(
    packed: np.uint64, top: np.uint64, edges: Quad, tops: Quad, start: int, limits: Limits
) -> float:
    """The level below which a block holds no hit, from the sums of the bright levels' upper bits at each pixel."""
    count, total = _unpacked(packed, limits.rule.bias)
    if count == 0:
        return np.inf
    n, unit = np.float64(count), np.float64(_ONE << limits.rule.shift)
    centre = np.float64(total) / n
    here = square = np.float64(top) * unit - np.float64(total) * centre
    error = SAFE * (np.float64(top) * unit + np.float64(total) * centre)
    lowest = highest = level = 0.0
    for i in range(start, start + BLOCK):
        step = (edges[0][i] - edges[1][i]) - (edges[2][i] - edges[3][i])
        step_t = (tops[0][i] - tops[1][i]) - (tops[2][i] - tops[3][i])
        change = np.float64(np.int64(step << _SUM_LEFT) >> 16)
        level += change
        here += np.float64(np.int64(step_t)) * unit - 2 * centre * change
        lowest, highest, square = min(lowest, level), max(highest, level), min(square, here)
    need = np.sqrt(_least_square(count, lowest, highest, square - error, limits))
    return float(centre + (lowest + max(need, limits.rule.least * n)) / n - 1)


@uncounted
def _slide_bright(
    running: Running, rows: tuple[Row, Row, Row, Row], line: int, tall: int, bright: int, shift: np.uint64
) -> None:
    """Slide the sums of bright levels' tops where a block of columns has any in the window."""
    for k in range(running.last_bright.size):
        if line - running.last_bright[k] < tall:
            part = slice(k * BLOCK, (k + 1) * BLOCK)
            _slide_tops(running.outer[2][part], rows[0][part], rows[1][part], bright, shift)
            _slide_tops(running.inner[2][part], rows[2][part], rows[3][part], bright, shift)


@compiled
def search_rows(
    tile: Tile, levels: Levels, running: Running, lines: tuple[int, int], limits: Limits, bright: int, block: int
) -> HitList:
    """Return the hits among rows of levels, their clutter a mean level; or fill their scores.

    `lines` enter, counted from the first of the tile's halo. A row begins `outer_p + 1` pixels to the left of the first
    that is decided, and goes on past the last by `outer_p` and as many as make whole blocks. A level of size `bright`
    is bright. `block` is `BLOCK`: a loop whose length the compiler does not know is one it does well.
    """
    outer_l, outer_p, guard_l, _ = tile.half
    rows, sizes, is_full = levels
    outer, inner, near, last_bright = running
    rule, width = limits.rule, tile.pixels[1] - tile.pixels[0]
    n_rows, n_columns = rows.shape
    wide = n_columns - 2 * outer_p - 1
    tall, n_blocks = 2 * outer_l + 2, wide // BLOCK
    nothing = np.zeros(n_columns, rows.dtype)
    edges, squares = ring_edges(outer[0], inner[0], tile.half), ring_edges(outer[1], inner[1], tile.half)
    tops = ring_edges(outer[2], inner[2], tile.half)
    survey, ring = _new_survey(n_blocks), np.zeros((3, block), np.uint64)
    hits, n_hits = new_hits(), 0
    latest, reach = last_bright.max(), 2 * outer_p // BLOCK + 2
    for entering in range(lines[0], lines[1]):
        # the first line decided is `outer_l`; lines before it only fill the sums
        line = entering - outer_l
        new, old = entering % n_rows, (line - outer_l - 1) % n_rows
        near_new, near_old = (line + guard_l) % n_rows, (line - guard_l - 1) % n_rows
        newest, oldest = rows[new], rows[old] if line > outer_l else nothing
        guarded = rows[near_new] if line + guard_l >= 0 else nothing
        past = rows[near_old] if line > guard_l else nothing
        if sizes[new] >= bright:
            latest = entering
            _find_bright(last_bright, newest, bright, entering)
        _slide_down(outer, newest, oldest, line > outer_l and is_full[new] and is_full[old])
        _slide_down(inner, guarded, past, line > guard_l and is_full[near_new] and is_full[near_old])
        if entering - latest < tall:
            _slide_bright(running, (newest, oldest, guarded, past), entering, tall, bright, rule.shift)
        if line < outer_l:
            continue
        top = first_sum(outer[2], inner[2], tile.half)
        values = rows[line % n_rows, outer_p + 1 : outer_p + 1 + wide]
        _survey_blocks(survey, near, edges, squares, block)
        _brightest(survey.peak, values, block)
        packed, low = first_sum(outer[0], inner[0], tile.half), first_sum(outer[1], inner[1], tile.half)
        _decide_blocks(survey, near, packed, low, limits, bright)
        for k in range(n_blocks):
            first, floor = k * BLOCK, survey.floors[k] if tile.out.size == 0 else -np.inf
            is_bright = entering - latest < tall and entering - last_bright[k : k + reach].max() < tall
            if is_bright and tile.out.size == 0 and survey.uneven[k] == 0:
                floor = _floor_of_bright_block(survey.starts[0, k], top, edges, tops, first, limits)
            top = run_across(ring[2], tops, first, top) if is_bright else np.uint64(0)
            if survey.peak[k] < floor:
                continue
            run_across(ring[0], edges, first, survey.starts[0, k])
            run_across(ring[1], squares, first, survey.starts[1, k])
            for i in range(min(BLOCK, width - first)):
                level = int(values[first + i])
                if level < floor:
                    continue
                count, total = _unpacked(ring[0, i], rule.bias)
                sums = Sums(count, total, ring[1, i], ring[2, i] if is_bright else np.uint64(0))
                if tile.out.size == 0 and not may_be_hit(level, sums, limits):
                    continue
                score = moment_score(level, sums, limits)
                if tile.out.size > 0:
                    tile.out[line - outer_l, first + i] = np.nan if np.isnan(score) else min(score, LARGEST_SCORE)
                    continue
                if not score > 1:
                    continue
                if n_hits == tile.cap:
                    return cut(hits, n_hits)
                mean = np.float64(total + rule.centre * count) / np.float64(count)
                where = tile.lines[0] + line - outer_l, tile.pixels[0] + first + i
                hits = append(hits, n_hits, where[0], where[1], mean, score)
                n_hits += 1
    return cut(hits, n_hits)
