"""Kernels for float power: fast running sums find the candidates, direct sums decide them.

As in `cpu`, most pixels are passed over by blocks: one whose brightest pixel stays below the threshold of the smallest
sum that a ring of the block can have holds no hit.

Running sums of floats drift, so they only sort out the pixels that cannot be hits, with a bound on their error that
holds for any data. What is left is summed directly over its ring, always in the same order, so a result
depends neither on the tile nor on what else the image holds. A wide range of values makes this slower, never wrong.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, grown

__all__ = ["LARGEST", "negative_power", "search_tile"]

LARGEST = 1e250
"""Powers from here on count as no data, like infinity: their sums would overflow."""
_EPSILON = float(np.finfo(np.float64).eps)
_SCORE_ERROR = 1e-9
"""Relative error of a ring's sum that a float32 score does not show."""
_SHORT_BLOCK, _LONG_BLOCK, _SMALL_RING = 32, 128, 1000
"""Pixels of a block; and the ring whose sum changes too much over a long one."""

Real = NDArray[np.floating]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Bits = NDArray[np.signedinteger]


@compiled
def _largest(bits: Bits) -> int:
    """Bits of the largest of some powers: those of floats above zero are in the floats' order, and compare faster."""
    largest = bits[0]
    for i in range(bits.size):
        largest = max(largest, bits[i])
    return int(largest)


@compiled
def _load_line(row: Real, image: Real, valid: NDArray[np.bool_], line: int, start: int, negative: F64) -> None:
    """Copy a line into `row`, no data as zero; note the first negative power."""
    n_lines, n_pixels = image.shape
    if line < 0 or line >= n_lines:
        row[:] = 0
        return
    first, last = max(start, 0), min(start + row.size, n_pixels)
    row[: first - start] = 0
    row[last - start :] = 0
    inside, source = row[first - start : last - start], image[line, first:last]
    keep = valid[line, first:last] if valid.size > 0 else valid[:0].ravel()
    has_negative = False
    for i in range(inside.size):
        inside[i] = source[i] if source[i] < LARGEST else 0
    for i in range(keep.size):
        if not keep[i]:
            inside[i] = 0
    for i in range(inside.size):
        has_negative |= inside[i] < 0
    if has_negative and negative[0] == 0:
        for i in range(inside.size):
            if inside[i] < 0:
                negative[0], negative[1], negative[2] = inside[i], line, first + i
                break


@compiled
def _slide_down(columns: F64, counts: I32, entering: Real, leaving: Real) -> None:
    for i in range(columns.size):
        columns[i] += np.float64(entering[i]) - np.float64(leaving[i])
    for i in range(counts.size):
        counts[i] += np.int32(entering[i] > 0) - np.int32(leaving[i] > 0)


@compiled
def _first_sum(outer: np.ndarray, inner: np.ndarray, back: int, guard: int) -> Any:
    """Sum over the ring of the pixel before the first, from column sums that begin `back + 1` pixels before that."""
    total = outer[0] - outer[0]
    for j in range(2 * back + 1):
        total += outer[j]
    for j in range(back - guard, back + guard + 1):
        total -= inner[j]
    return total


@compiled
def _slide_across(ring: np.ndarray, outer: np.ndarray, inner: np.ndarray, back: int, guard: int) -> None:
    """Sums (or counts) over the ring of every pixel of a line, from column sums that begin `back + 1` pixels before."""
    n = ring.size
    outer_in, outer_out = outer[2 * back + 1 : 2 * back + 1 + n], outer[:n]
    inner_in, inner_out = inner[back + guard + 1 : back + guard + 1 + n], inner[back - guard : back - guard + n]
    for i in range(n):
        ring[i] = (outer_in[i] - outer_out[i]) - (inner_in[i] - inner_out[i])
    total = _first_sum(outer, inner, back, guard)
    for i in range(n):
        total += ring[i]
        ring[i] = total


@partial(compiled, any_order=True)
def _survey_blocks(
    change: F64, fall: F64, peak: Bits, columns: tuple[F64, F64, F64, F64], bits: Bits, block: int
) -> None:
    """For each block of a line: the ring's change across it, the sum of its falls, the brightest pixel."""
    outer_in, outer_out, inner_in, inner_out = columns
    rows = (change.size, block)
    a, b, c, d = outer_in.reshape(rows), outer_out.reshape(rows), inner_in.reshape(rows), inner_out.reshape(rows)
    v = bits.reshape(rows)
    for k in range(change.size):
        total, falls = 0.0, 0.0
        for i in range(block):
            step = (a[k, i] - b[k, i]) - (c[k, i] - d[k, i])
            total += step
            falls += step if step < 0 else 0.0
        change[k], fall[k], peak[k] = total, falls, _largest(v[k])


@compiled
def _direct_sum(rows: Real, line: int, column: int, window: tuple[int, int, int, int]) -> tuple[int, float]:
    """Count and sum over one ring, line by line from the left, with the lines' sums added in order."""
    back_l, back_p, guard_l, guard_p = window
    n_rows = rows.shape[0]
    count, total = 0, 0.0
    for step in range(-back_l, back_l + 1):
        row = rows[(line + step) % n_rows, column - back_p : column + back_p + 1]
        # the guard's part of a line, empty above and below the guard
        left = back_p - guard_p if abs(step) <= guard_l else row.size
        right = back_p + guard_p + 1 if abs(step) <= guard_l else row.size
        subtotal = 0.0
        for i in range(left):
            subtotal += np.float64(row[i])
            count += row[i] > 0
        for i in range(right, row.size):
            subtotal += np.float64(row[i])
            count += row[i] > 0
        total += subtotal
    return count, total


@compiled
def _score_line(
    out: NDArray[np.float32],
    ring: F64,
    count: I32,
    rows: Real,
    line: int,
    window: tuple[int, int, int, int],
    table: F64,
    error: float,
) -> None:
    values = rows[line % rows.shape[0], window[1] + 1 : window[1] + 1 + out.size]
    for i in range(out.size):
        value, factor = np.float64(values[i]), table[count[i]]
        if value == 0 or not factor < np.inf:
            out[i] = np.nan
            continue
        threshold = factor * ring[i]
        if error > _SCORE_ERROR * ring[i] or value > threshold * (1 - 2 * _SCORE_ERROR):
            threshold = factor * _direct_sum(rows, line, window[1] + 1 + i, window)[1]
        score = np.float32(min(value / threshold, LARGEST_SCORE))
        out[i] = max(score, ABOVE_ONE) if value > threshold else score


@compiled
def _search_tile(
    image: Real,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: F64,
    cap: int,
    out: NDArray[np.float32],
    negative: F64,
    whole: Bits,
    block: int,
) -> tuple[I32, I32, I32, F64]:
    line_start, line_stop, start, stop = tile
    back_l, back_p, guard_l, guard_p = window
    width = stop - start
    n_rows, n_blocks = 2 * back_l + 2, (width + block - 1) // block
    wide = n_blocks * block
    rows = np.zeros((n_rows, wide + 2 * back_p + 1), image.dtype)
    bits = rows.view(whole.dtype)
    outer, inner = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    # slices rather than computed indices: the compiler then drops the wrap-around tests
    columns = (
        outer[2 * back_p + 1 :],
        outer[:wide],
        inner[back_p + guard_p + 1 : back_p + guard_p + 1 + wide],
        inner[back_p - guard_p : back_p - guard_p + wide],
    )
    # only scores need the count of every ring
    n_counted = rows.shape[1] if out.size > 0 else 0
    outer_n, inner_n = np.zeros(n_counted, np.int32), np.zeros(n_counted, np.int32)
    ring, count = np.zeros(wide if out.size > 0 else 0), np.zeros(wide if out.size > 0 else 0, np.int32)
    change, fall, brightest_bits = np.zeros(n_blocks), np.zeros(n_blocks), np.zeros(n_blocks, bits.dtype)
    brightest = brightest_bits.view(image.dtype)
    # the brightest pixel so far
    top = np.zeros(1, bits.dtype)
    peak = top.view(image.dtype)
    lines, pixels, counts = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64, np.int32)
    sums = np.empty(64)
    n_hits = 0
    tall, broad = 2.0 * back_l + 1, 2.0 * back_p + 1
    for entering in range(line_start - back_l, line_stop + back_l):
        line = entering - back_l
        newest = rows[entering % n_rows]
        _load_line(newest, image, valid, entering, start - back_p - 1, negative)
        top[0] = max(top[0], _largest(bits[entering % n_rows]))
        _slide_down(outer, outer_n, newest, rows[(entering - 2 * back_l - 1) % n_rows])
        _slide_down(inner, inner_n, rows[(line + guard_l) % n_rows], rows[(line - guard_l - 1) % n_rows])
        if line < line_start:
            continue
        values = rows[line % n_rows, back_p + 1 : back_p + 1 + wide]
        # A column's sum is at most tall · peak and rounds twice a line; so do the sums of all columns of a ring. Going
        # across, a step rounds three times and enters two sums over a block and one over the line. Twice all that.
        steps = entering - line_start + back_l + 1
        error = _EPSILON * np.float64(peak[0]) * tall * (4 * steps * broad + wide * (8 * broad + 4 * block + 8))
        if out.size > 0:
            _slide_across(ring, outer, inner, back_p, guard_p)
            _slide_across(count, outer_n, inner_n, back_p, guard_p)
            _score_line(out[line - line_start], ring, count, rows, line, window, table, error)
            continue
        _survey_blocks(
            change, fall, brightest_bits, columns, bits[line % n_rows, back_p + 1 : back_p + 1 + wide], block
        )
        before = _first_sum(outer, inner, back_p, guard_p)
        for k in range(n_blocks):
            # a whole ring has the smallest factor, so this threshold is below that of every pixel of the block
            if brightest[k] == 0 or brightest[k] < table[-1] * (before + fall[k] - error):
                before += change[k]
                continue
            total = before
            before += change[k]
            for i in range(k * block, min((k + 1) * block, width)):
                total += (columns[0][i] - columns[1][i]) - (columns[2][i] - columns[3][i])
                value = np.float64(values[i])
                if value == 0 or not value >= table[-1] * (total - error):
                    continue
                n, exact = _direct_sum(rows, line, back_p + 1 + i, window)
                if not value > table[n] * exact:
                    continue
                if n_hits == cap:
                    return lines[:n_hits], pixels[:n_hits], counts[:n_hits], sums[:n_hits]
                if n_hits == lines.size:
                    lines, pixels, counts, sums = grown(lines), grown(pixels), grown(counts), grown(sums)
                lines[n_hits], pixels[n_hits], counts[n_hits], sums[n_hits] = line, start + i, n, exact
                n_hits += 1
    return lines[:n_hits], pixels[:n_hits], counts[:n_hits], sums[:n_hits]


def search_tile(
    image: Real,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: F64,
    cap: int,
    out: NDArray[np.float32],
    origin: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], F64, F64]:
    """Hits of one tile: their lines, pixels, clutter and scores; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (outer lines, outer pixels, guard lines, guard pixels). Stops after `cap` hits.

    Raises
    ------
    ValueError
        A valid pixel whose power is negative.
    """
    negative, whole = np.zeros(3), np.empty(0, f"i{image.dtype.itemsize}")
    block = _LONG_BLOCK if table.size > _SMALL_RING else _SHORT_BLOCK
    lines, pixels, counts, sums = _search_tile(image, valid, tile, window, table, cap, out, negative, whole, block)
    if negative[0] < 0:
        raise negative_power(negative, origin)
    with np.errstate(over="ignore"):  # beyond any number, next to next to nothing
        scores = image[lines, pixels].astype(np.float64) / (table[counts] * sums)
    return lines + np.int64(origin[0]), pixels + np.int64(origin[1]), sums / counts, scores


def negative_power(negative: F64, origin: tuple[int, int]) -> ValueError:
    """The error for the negative power that a kernel met: its value, line and pixel."""
    line, pixel = int(negative[1]) + origin[0], int(negative[2]) + origin[1]
    return ValueError(
        f"image holds {negative[0]:g} at line {line}, pixel {pixel}: power cannot be negative. "
        "Give linear power, not decibel, and no data as NaN, 0 or valid=False"
    )
