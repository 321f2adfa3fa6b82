"""CA-CFAR kernel for float power: fast running sums find the candidates, direct sums decide them.

As in `ca_integer`, most pixels are passed over by blocks: one whose brightest pixel stays below the threshold of the
smallest sum that a ring of the block can have holds no hit.

Running sums of floats drift, so they only sort out the pixels that cannot be hits, with a bound on their error that
holds for any data. The rest is summed directly over its ring, always in the same order, so a result
depends neither on the tile nor on what else the image holds. A wide range of values makes this slower, never wrong.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.rows import (
    HalfWidths,
    HitList,
    Quad,
    Tile,
    append,
    cut,
    first_sum,
    load_power,
    new_hits,
    ring_edges,
    run_across,
)
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, uncounted

__all__ = ["block_of", "search_tile"]

_EPSILON = float(np.finfo(np.float64).eps)
_SCORE_ERROR = 1e-9
"""Relative error of a ring's sum that a float32 score does not show."""
_SHORT_BLOCK, _LONG_BLOCK, _SMALL_RING = 32, 128, 1000
"""Pixels of a block; and the ring whose sum changes too much over a long one."""

Real = NDArray[np.floating]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Bits = NDArray[np.signedinteger]


@uncounted
def _largest(bits: Bits) -> int:
    """Bits of the largest of some powers: those of floats above zero are in the floats' order, and compare faster."""
    largest = bits[0]
    for i in range(bits.size):
        largest = max(largest, bits[i])
    return int(largest)


@uncounted
def _slide_down(columns: F64, counts: I32, entering: Real, leaving: Real) -> None:
    for i in range(columns.size):
        columns[i] += np.float64(entering[i]) - np.float64(leaving[i])
    for i in range(counts.size):
        counts[i] += np.int32(entering[i] > 0) - np.int32(leaving[i] > 0)


@partial(uncounted, any_order=True)
def _survey_blocks(change: F64, fall: F64, peak: Bits, edges: Quad, bits: Bits, block: int) -> None:
    """For each block of a line: the ring's change across it, the sum of its falls, the brightest pixel."""
    rows = (change.size, block)
    a, b, c, d = edges[0].reshape(rows), edges[1].reshape(rows), edges[2].reshape(rows), edges[3].reshape(rows)
    v = bits.reshape(rows)
    for k in range(change.size):
        total, falls = 0.0, 0.0
        for i in range(block):
            step = (a[k, i] - b[k, i]) - (c[k, i] - d[k, i])
            total += step
            falls += step if step < 0 else 0.0
        change[k], fall[k], peak[k] = total, falls, _largest(v[k])


@uncounted
def _direct_sum(rows: Real, line: int, column: int, half: HalfWidths) -> tuple[int, float]:
    """Count and sum over one ring, line by line from the left, with the lines' sums added in order."""
    outer_l, outer_p, guard_l, guard_p = half
    count, total = 0, 0.0
    for step in range(-outer_l, outer_l + 1):
        row = rows[(line + step) % rows.shape[0], column - outer_p : column + outer_p + 1]
        # the guard's part of a line, empty above and below the guard
        left = outer_p - guard_p if abs(step) <= guard_l else row.size
        right = outer_p + guard_p + 1 if abs(step) <= guard_l else row.size
        subtotal = 0.0
        for i in range(left):
            subtotal += np.float64(row[i])
            count += row[i] > 0
        for i in range(right, row.size):
            subtotal += np.float64(row[i])
            count += row[i] > 0
        total += subtotal
    return count, total


@uncounted
def _score_line(
    out: NDArray[np.float32], ring: F64, count: I32, rows: Real, line: int, half: HalfWidths, table: F64, error: float
) -> None:
    values = rows[line % rows.shape[0], half.outer_p + 1 : half.outer_p + 1 + out.size]
    for i in range(out.size):
        value, factor = np.float64(values[i]), table[count[i]]
        if value == 0 or not factor < np.inf:
            out[i] = np.nan
            continue
        threshold = factor * ring[i]
        if error > _SCORE_ERROR * ring[i] or value > threshold * (1 - 2 * _SCORE_ERROR):
            threshold = factor * _direct_sum(rows, line, half.outer_p + 1 + i, half)[1]
        score = np.float32(min(value / threshold, LARGEST_SCORE))
        out[i] = max(score, ABOVE_ONE) if value > threshold else score


@compiled
def search_tile(tile: Tile, table: F64, whole: Bits, block: int) -> HitList:
    """Return the hits of a tile, or fill its scores, by blocks of `block_of` pixels.

    `table` holds thresholds over the ring's sum, by its count; `whole` is an empty array of whole numbers as wide as
    the floats.
    """
    outer_l, outer_p, guard_l, _ = tile.half
    (start, stop), (left, right) = tile.lines, tile.pixels
    width = right - left
    n_rows, n_blocks = 2 * outer_l + 2, (width + block - 1) // block
    wide = n_blocks * block
    rows = np.zeros((n_rows, wide + 2 * outer_p + 1), tile.image.dtype)
    bits = rows.view(whole.dtype)
    outer, inner = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    edges = ring_edges(outer, inner, tile.half)
    # only scores need the count of every ring
    n_counted, n_ring = (rows.shape[1], wide) if tile.out.size > 0 else (0, 0)
    outer_n, inner_n = np.zeros(n_counted, np.int32), np.zeros(n_counted, np.int32)
    ring, count = np.zeros(n_ring), np.zeros(n_ring, np.int32)
    change, fall, brightest_bits = np.zeros(n_blocks), np.zeros(n_blocks), np.zeros(n_blocks, bits.dtype)
    brightest = brightest_bits.view(tile.image.dtype)
    # the brightest pixel so far
    top = np.zeros(1, bits.dtype)
    peak = top.view(tile.image.dtype)
    hits, n_hits = new_hits(), 0
    tall, broad = 2.0 * outer_l + 1, 2.0 * outer_p + 1
    for entering in range(start - outer_l, stop + outer_l):
        line = entering - outer_l
        newest = rows[entering % n_rows]
        load_power(newest, tile, entering, left - outer_p - 1)
        top[0] = max(top[0], _largest(bits[entering % n_rows]))
        _slide_down(outer, outer_n, newest, rows[(entering - 2 * outer_l - 1) % n_rows])
        _slide_down(inner, inner_n, rows[(line + guard_l) % n_rows], rows[(line - guard_l - 1) % n_rows])
        if line < start:
            continue
        # A column's sum is at most tall · peak and rounds twice a line; so do the sums of all columns of a ring. Going
        # across, a step rounds three times and enters two sums over a block and one over the line. Twice all that.
        steps = entering - start + outer_l + 1
        error = _EPSILON * np.float64(peak[0]) * tall * (4 * steps * broad + wide * (8 * broad + 4 * block + 8))
        before = first_sum(outer, inner, tile.half)
        if tile.out.size > 0:
            run_across(ring, edges, 0, before)
            run_across(count, ring_edges(outer_n, inner_n, tile.half), 0, first_sum(outer_n, inner_n, tile.half))
            _score_line(tile.out[line - start], ring, count, rows, line, tile.half, table, error)
            continue
        values = rows[line % n_rows, outer_p + 1 : outer_p + 1 + wide]
        _survey_blocks(
            change, fall, brightest_bits, edges, bits[line % n_rows, outer_p + 1 : outer_p + 1 + wide], block
        )
        for k in range(n_blocks):
            total = before
            before += change[k]
            # a whole ring has the smallest factor, so this threshold is below that of every pixel of the block
            if brightest[k] == 0 or brightest[k] < table[-1] * (total + fall[k] - error):
                continue
            for i in range(k * block, min((k + 1) * block, width)):
                total += (edges[0][i] - edges[1][i]) - (edges[2][i] - edges[3][i])
                value = np.float64(values[i])
                if value == 0 or not value >= table[-1] * (total - error):
                    continue
                n, exact = _direct_sum(rows, line, outer_p + 1 + i, tile.half)
                threshold = table[n] * exact
                if not value > threshold:
                    continue
                if n_hits == tile.cap:
                    return cut(hits, n_hits)
                hits = append(hits, n_hits, line, left + i, exact / n, value / threshold)
                n_hits += 1
    return cut(hits, n_hits)


def block_of(ring_size: int) -> int:
    """Return the pixels of a block."""
    return _SHORT_BLOCK if ring_size < _SMALL_RING else _LONG_BLOCK
