"""CA-CFAR kernel for digital numbers: exact sums in 64-bit integers, constant cost a pixel whatever the window.

A tile slides down line by line. Column sums (one for the ring's outer rectangle, one for the guard) gain the line
that enters and lose the one that leaves. Going across, the ring's sum changes by the difference of four columns. One
unsigned 64-bit word holds both the sum of squared digital numbers (low 48 bits) and the number of pixels with
data (high 16 bits), so counting costs next to nothing and nothing can overflow in a ring of `params.MAX_RING` pixels.

Few pixels come near a threshold, so most are never compared with theirs. The steps of the ring's sum over a block of
pixels are added up twice, all and the falls alone: nowhere in the block is the sum smaller than at its start plus the
falls. A block whose brightest pixel stays below the threshold of that smallest sum holds no hit. All of this
runs in vector registers; only the other blocks are walked pixel by pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.rows import (
    COUNT_SHIFT,
    HitList,
    Quad,
    Tile,
    append,
    cut,
    first_sum,
    load_squares,
    new_hits,
    ring_edges,
    run_across,
    slide_packed,
)
from sarship.cfar.jit import ABOVE_ONE, compiled, uncounted

__all__ = ["block_of", "search_tile", "threshold_of"]

_SUM_BITS = np.uint64((1 << 48) - 1)
_SUM_LEFT = np.uint64(16)
_SMALL_RING = 1000
"""Pixels of a ring whose sum changes too much over a long block for the block's lowest sum to say much."""
_TALLEST = 511
"""Lines of the tallest window whose falls over a short block fit in 47 bits: with a taller one all is walked."""

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]


@uncounted
def _survey_blocks(change: U64, fall: NDArray[np.int64], peak: U32, edges: Quad, values: U32, block: int) -> None:
    """For each block of a line: the ring's change across it, 65,536 times the sum of its falls, the brightest pixel."""
    rows = (change.size, block)
    a, b, c, d = edges[0].reshape(rows), edges[1].reshape(rows), edges[2].reshape(rows), edges[3].reshape(rows)
    v = values.reshape(rows)
    for k in range(change.size):
        total, falls, brightest = np.uint64(0), np.int64(0), np.uint32(0)
        for i in range(block):
            step = (a[k, i] - b[k, i]) - (c[k, i] - d[k, i])
            total += step
            # the shift drops the count and leaves the sum's sign in place
            falls += min(np.int64(step << _SUM_LEFT), np.int64(0))
        for i in range(block):
            brightest = max(brightest, v[k, i])
        change[k], fall[k], peak[k] = total, falls, brightest


@uncounted
def threshold_of(ring: np.uint64, table: F64) -> float:
    """Threshold from the packed sum and count; infinite or NaN where the count allows no decision."""
    return float(table[np.int64(ring >> COUNT_SHIFT)] * np.float64(ring & _SUM_BITS))


@uncounted
def _score_line(out: NDArray[np.float32], ring: U64, values: U32, table: F64) -> None:
    for i in range(out.size):
        threshold, value = threshold_of(ring[i], table), np.float64(values[i])
        if value == 0 or not threshold < np.inf:
            out[i] = np.nan
        elif value > threshold:
            out[i] = max(np.float32(value / threshold), ABOVE_ONE)
        else:
            out[i] = np.float32(value / threshold)


@compiled
def search_tile(tile: Tile, table: F64, block: int) -> HitList:
    """Return the hits of a tile, or fill its scores, by blocks of a length that `block_of` allows.

    `table` holds thresholds over the ring's sum, by its count.
    """
    outer_l, outer_p, guard_l, _ = tile.half
    (start, stop), (left, right) = tile.lines, tile.pixels
    width = right - left
    n_rows, n_blocks = 2 * outer_l + 2, (width + block - 1) // block
    wide = n_blocks * block
    rows, is_full = np.zeros((n_rows, wide + 2 * outer_p + 1), np.uint32), np.zeros(n_rows, np.bool_)
    outer, inner = np.zeros(rows.shape[1], np.uint64), np.zeros(rows.shape[1], np.uint64)
    edges = ring_edges(outer, inner, tile.half)
    ring = np.zeros(wide if tile.out.size > 0 else 0, np.uint64)
    change, fall, peak = np.zeros(n_blocks, np.uint64), np.zeros(n_blocks, np.int64), np.zeros(n_blocks, np.uint32)
    hits, n_hits = new_hits(), 0
    for entering in range(start - outer_l, stop + outer_l):
        line = entering - outer_l
        new, old = entering % n_rows, (entering - 2 * outer_l - 1) % n_rows
        is_full[new] = load_squares(rows[new], tile, entering, left - outer_p - 1)
        slide_packed(outer, rows[new], rows[old], is_full[new] and is_full[old])
        new, old = (line + guard_l) % n_rows, (line - guard_l - 1) % n_rows
        slide_packed(inner, rows[new], rows[old], is_full[new] and is_full[old])
        if line < start:
            continue
        total = first_sum(outer, inner, tile.half)
        values = rows[line % n_rows, outer_p + 1 : outer_p + 1 + wide]
        if tile.out.size > 0:
            run_across(ring, edges, 0, total)
            _score_line(tile.out[line - start], ring, values, table)
            continue
        _survey_blocks(change, fall, peak, edges, values, block)
        for k in range(n_blocks):
            # a whole ring has the smallest factor, so this threshold is below that of every pixel of the block
            lowest = np.int64(total & _SUM_BITS) + (fall[k] >> 16)
            is_dark = peak[k] == 0 or np.float64(peak[k]) <= table[-1] * np.float64(lowest)
            if is_dark and 2 * outer_l < _TALLEST:
                total += change[k]
                continue
            for i in range(k * block, min((k + 1) * block, width)):
                total += (edges[0][i] - edges[1][i]) - (edges[2][i] - edges[3][i])
                value, threshold = np.float64(values[i]), threshold_of(total, table)
                if not value > threshold:
                    continue
                if n_hits == tile.cap:
                    return cut(hits, n_hits)
                clutter = np.float64(total & _SUM_BITS) / np.float64(total >> COUNT_SHIFT)
                hits = append(hits, n_hits, line, left + i, clutter, value / threshold)
                n_hits += 1
    return cut(hits, n_hits)


def block_of(ring_size: int, outer_l: int) -> int:
    """Return the pixels of a block: more save time, but 2 · lines · pixels · 2³² must stay within 47 bits."""
    if ring_size < _SMALL_RING or outer_l >= 128:
        return 32
    return 128 if outer_l < 64 else 64
