"""Kernels for digital numbers: exact sums in 64-bit integers, constant cost a pixel whatever the window.

A tile slides down line by line. Column sums (one for the ring's outer rectangle, one for the guard) gain the line
that enters and lose the one that leaves. Going across, the ring's sum changes by the difference of four columns. One
unsigned 64-bit word holds both the sum of squared digital numbers (low 48 bits) and the number of pixels with
data (high 16 bits), so counting costs next to nothing and nothing can overflow in a ring of `model.MAX_RING` pixels.

Few pixels come near a threshold, so most are never compared with theirs. The steps of the ring's sum over a block of
pixels are added up twice, all and the falls alone: nowhere in the block is the sum smaller than at its start plus the
falls. A block whose brightest pixel stays below the threshold of that smallest sum holds no hit. All of this
runs in vector registers; only the other blocks are walked pixel by pixel.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.jit import ABOVE_ONE, compiled, grown

__all__ = ["search_tile"]

_COUNT_SHIFT = np.uint64(48)
_SUM_BITS = np.uint64((1 << 48) - 1)
_SUM_LEFT = np.uint64(16)
_SMALL_RING = 1000
"""Pixels of a ring whose sum changes too much over a long block for the block's lowest sum to say much."""
_TALLEST = 511
"""Lines of the tallest window whose falls over a short block fit in 47 bits: with a taller one all is walked."""

U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]


@compiled
def _load_line(row: U32, image: U16, valid: NDArray[np.bool_], line: int, start: int) -> bool:
    """Square a line into `row` from pixel `start` on, zero (no data) outside the image and where not valid.

    Returns whether every pixel inside the image has data.
    """
    n_lines, n_pixels = image.shape
    if line < 0 or line >= n_lines:
        row[:] = 0
        return False
    first, last = max(start, 0), min(start + row.size, n_pixels)
    row[: first - start] = 0
    row[last - start :] = 0
    inside, source = row[first - start : last - start], image[line, first:last]
    n_holes = np.uint32(0)
    for i in range(inside.size):
        value = np.uint32(source[i])
        inside[i] = value * value
        n_holes += np.uint32(value == 0)
    if valid.size > 0:
        keep = valid[line, first:last]
        for i in range(inside.size):
            inside[i] = inside[i] if keep[i] else np.uint32(0)
            n_holes += np.uint32(not keep[i])
    return bool(n_holes == 0)


@compiled
def _slide_down(columns: U64, entering: U32, leaving: U32, same_count: bool) -> None:
    """Add a line's squares and counts to the column sums and take another's away; wrap-around cancels."""
    if same_count:
        for i in range(columns.size):
            columns[i] += np.uint64(entering[i]) - np.uint64(leaving[i])
        return
    for i in range(columns.size):
        count = np.uint64(entering[i] != 0) - np.uint64(leaving[i] != 0)
        columns[i] += np.uint64(entering[i]) - np.uint64(leaving[i]) + (count << _COUNT_SHIFT)


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
def _survey_blocks(
    change: U64, fall: NDArray[np.int64], peak: U32, columns: tuple[U64, U64, U64, U64], values: U32, block: int
) -> None:
    """For each block of a line: the ring's change across it, 65,536 times the sum of its falls, the brightest pixel."""
    outer_in, outer_out, inner_in, inner_out = columns
    rows = (change.size, block)
    a, b, c, d = outer_in.reshape(rows), outer_out.reshape(rows), inner_in.reshape(rows), inner_out.reshape(rows)
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


@compiled
def _slide_across(ring: U64, columns: tuple[U64, U64, U64, U64], total: np.uint64) -> None:
    """Sums over the ring of every pixel of a line, from the sum before the first."""
    outer_in, outer_out, inner_in, inner_out = columns
    for i in range(ring.size):
        ring[i] = (outer_in[i] - outer_out[i]) - (inner_in[i] - inner_out[i])
    for i in range(ring.size):
        total += ring[i]
        ring[i] = total


@compiled
def _threshold(ring: np.uint64, table: NDArray[np.float64]) -> float:
    """Threshold from the packed sum and count; infinite or NaN where the count allows no decision."""
    return float(table[np.int64(ring >> _COUNT_SHIFT)] * np.float64(ring & _SUM_BITS))


@compiled
def _score_line(out: NDArray[np.float32], ring: U64, values: U32, table: NDArray[np.float64]) -> None:
    for i in range(out.size):
        threshold, value = _threshold(ring[i], table), np.float64(values[i])
        if value == 0 or not threshold < np.inf:
            out[i] = np.nan
        elif value > threshold:
            out[i] = max(np.float32(value / threshold), ABOVE_ONE)
        else:
            out[i] = np.float32(value / threshold)


@compiled
def _search_tile(
    image: U16,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: NDArray[np.float64],
    cap: int,
    out: NDArray[np.float32],
    block: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], U64]:
    line_start, line_stop, start, stop = tile
    back_l, back_p, guard_l, guard_p = window
    width = stop - start
    n_rows, n_blocks = 2 * back_l + 2, (width + block - 1) // block
    wide = n_blocks * block
    rows = np.zeros((n_rows, wide + 2 * back_p + 1), np.uint32)
    is_full = np.zeros(n_rows, np.bool_)
    outer, inner = np.zeros(rows.shape[1], np.uint64), np.zeros(rows.shape[1], np.uint64)
    # slices rather than computed indices: the compiler then drops the wrap-around tests
    columns = (
        outer[2 * back_p + 1 :],
        outer[:wide],
        inner[back_p + guard_p + 1 : back_p + guard_p + 1 + wide],
        inner[back_p - guard_p : back_p - guard_p + wide],
    )
    ring = np.zeros(wide if out.size > 0 else 0, np.uint64)
    change, fall, peak = np.zeros(n_blocks, np.uint64), np.zeros(n_blocks, np.int64), np.zeros(n_blocks, np.uint32)
    lines, pixels, sums = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64, np.uint64)
    n_hits = 0
    for entering in range(line_start - back_l, line_stop + back_l):
        line = entering - back_l
        new, old = entering % n_rows, (entering - 2 * back_l - 1) % n_rows
        is_full[new] = _load_line(rows[new], image, valid, entering, start - back_p - 1)
        _slide_down(outer, rows[new], rows[old], is_full[new] and is_full[old])
        new, old = (line + guard_l) % n_rows, (line - guard_l - 1) % n_rows
        _slide_down(inner, rows[new], rows[old], is_full[new] and is_full[old])
        if line < line_start:
            continue
        total = _first_sum(outer, inner, back_p, guard_p)
        values = rows[line % n_rows, back_p + 1 : back_p + 1 + wide]
        if out.size > 0:
            _slide_across(ring, columns, total)
            _score_line(out[line - line_start], ring, values, table)
            continue
        _survey_blocks(change, fall, peak, columns, values, block)
        for k in range(n_blocks):
            # a whole ring has the smallest factor, so this threshold is below that of every pixel of the block
            lowest = np.int64(total & _SUM_BITS) + (fall[k] >> 16)
            is_dark = peak[k] == 0 or np.float64(peak[k]) <= table[-1] * np.float64(lowest)
            if is_dark and 2 * back_l < _TALLEST:
                total += change[k]
                continue
            for i in range(k * block, min((k + 1) * block, width)):
                total += (columns[0][i] - columns[1][i]) - (columns[2][i] - columns[3][i])
                if not np.float64(values[i]) > _threshold(total, table):
                    continue
                if n_hits == cap:
                    return lines[:n_hits], pixels[:n_hits], sums[:n_hits]
                if n_hits == lines.size:
                    lines, pixels, sums = grown(lines), grown(pixels), grown(sums)
                lines[n_hits], pixels[n_hits], sums[n_hits] = line, start + i, total
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
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Hits of one tile: their lines, pixels, clutter and scores; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (outer lines, outer pixels, guard lines, guard pixels). Stops after `cap` hits.
    """
    block = 32
    if table.size > _SMALL_RING and window[0] < 128:
        block = 128 if window[0] < 64 else 64  # 2 × lines × block × 2³² stays within 47 bits
    lines, pixels, packed = _search_tile(image, valid, tile, window, table, cap, out, block)
    counts, sums = (packed >> _COUNT_SHIFT).astype(np.int64), (packed & _SUM_BITS).astype(np.float64)
    scores = image[lines, pixels].astype(np.float64) ** 2 / (table[counts] * sums)
    return lines + np.int64(origin[0]), pixels + np.int64(origin[1]), sums / counts, scores
