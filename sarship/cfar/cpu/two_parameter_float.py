"""Kernels for laws of two moments of float power: running sums find the candidates, direct sums decide them.

As in `cpu_float`, with the sum of squares besides: running sums drift, so they only sort out what cannot be a hit,
within a bound on their error. What is left is summed directly, the spread around the mean after the mean.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.ca_float import negative_power
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, grown

__all__ = ["LARGEST", "search_tile"]

LARGEST = 1e120
"""Powers from here on count as no data, like infinity: the sums of their squares would overflow."""
_SMALLEST = 1e-250
"""Spreads below this are taken as none when candidates are sought: their squares underflow."""
_EPSILON = float(np.finfo(np.float64).eps)
_SCORE_ERROR = 1e-9
"""Relative error of a ring's spread that a float32 score does not show."""
_BLOCK = 64

Real = NDArray[np.floating]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@compiled
def _load_line(
    row: Real, image: Real, valid: NDArray[np.bool_], line: int, start: int, negative: F64, peak: float
) -> float:
    """Copy a line into `row`, no data as zero; note the first negative power; return the peak so far."""
    n_lines, n_pixels = image.shape
    if line < 0 or line >= n_lines:
        row[:] = 0
        return peak
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
        peak = max(peak, np.float64(inside[i]))
    if has_negative and negative[0] == 0:
        for i in range(inside.size):
            if inside[i] < 0:
                negative[0], negative[1], negative[2] = inside[i], line, first + i
                break
    return peak


@compiled
def _slide_down(columns: F64, squares: F64, counts: I32, entering: Real, leaving: Real) -> None:
    for i in range(columns.size):
        new, old = np.float64(entering[i]), np.float64(leaving[i])
        columns[i] += new - old
        squares[i] += new * new - old * old
    for i in range(counts.size):
        counts[i] += np.int32(entering[i] > 0) - np.int32(leaving[i] > 0)


@compiled
def _differences(ring: np.ndarray, outer: np.ndarray, inner: np.ndarray, back: int, guard: int) -> None:
    """What each step across changes in the ring's sum; the first entry holds the whole first sum."""
    n = ring.size
    # slices rather than computed indices: the compiler then drops the wrap-around tests
    outer_in, outer_out = outer[2 * back + 1 : 2 * back + 1 + n], outer[:n]
    inner_in, inner_out = inner[back + guard + 1 : back + guard + 1 + n], inner[back - guard : back - guard + n]
    for i in range(n):
        ring[i] = (outer_in[i] - outer_out[i]) - (inner_in[i] - inner_out[i])
    for j in range(2 * back + 1):
        ring[0] += outer[j]
    for j in range(back - guard, back + guard + 1):
        ring[0] -= inner[j]


@compiled
def _accumulate(ring: np.ndarray) -> None:
    """Running sum in place; four at a time, so that one addition in four waits for the one before."""
    whole = ring.size // 4 * 4
    total = ring[0] - ring[0]
    for i in range(0, whole, 4):
        first = ring[i]
        second = first + ring[i + 1]
        third = second + ring[i + 2]
        fourth = third + ring[i + 3]
        ring[i] = total + first
        ring[i + 1] = total + second
        ring[i + 2] = total + third
        total += fourth
        ring[i + 3] = total
    for i in range(whole, ring.size):
        total += ring[i]
        ring[i] = total


@compiled
def _may_be_hit(
    value: float, count: float, total: float, square: float, factor: float, error: float, error_2: float
) -> bool:
    """Whether a pixel could be a hit, however the running sums have drifted."""
    above = count * value - (total - error)
    spread = count * (square * (1 - 1e-12) - error_2) - (total + error) * (total + error) - _SMALLEST
    return bool((above >= 0) & (above * above >= factor * spread))


@compiled
def _may_hold_hit(
    ring: F64, squares: F64, counts: I32, values: Real, factor: float, error: float, error_2: float
) -> bool:
    found: np.bool_ = np.bool_(False)
    for i in range(ring.size):
        found |= _may_be_hit(np.float64(values[i]), np.float64(counts[i]), ring[i], squares[i], factor, error, error_2)
    return bool(found)


@compiled
def _moments(rows: Real, line: int, column: int, window: tuple[int, int, int, int], count: int) -> tuple[float, float]:
    """Mean of one ring and mean square of the distance from it, line by line from the left."""
    back_l, back_p, guard_l, guard_p = window
    n_rows = rows.shape[0]
    mean, spread = 0.0, 0.0
    for turn in range(2):
        total = 0.0
        for step in range(-back_l, back_l + 1):
            row = rows[(line + step) % n_rows, column - back_p : column + back_p + 1]
            left = back_p - guard_p if abs(step) <= guard_l else row.size
            subtotal = 0.0
            for part in range(2):
                first, last = (0, left) if part == 0 else (max(left, back_p + guard_p + 1), row.size)
                for i in range(first, last):
                    value = np.float64(row[i])
                    if turn == 0:
                        subtotal += value
                    elif value > 0:
                        subtotal += (value - mean) ** 2
            total += subtotal
        if turn == 0:
            mean = total / count
        else:
            spread = total / count
    return mean, spread


@compiled
def _score(value: float, mean: float, spread: float, factor: float) -> float:
    """Power over its threshold."""
    return float(value / (mean + np.sqrt(factor * spread)))


@compiled
def _score_line(
    out: NDArray[np.float32],
    ring: F64,
    squares: F64,
    counts: I32,
    rows: Real,
    line: int,
    window: tuple[int, int, int, int],
    table: F64,
    error: float,
    error_2: float,
) -> None:
    values = rows[line % rows.shape[0], window[1] + 1 : window[1] + 1 + out.size]
    for i in range(out.size):
        value, factor, count = np.float64(values[i]), table[counts[i]], counts[i]
        if value == 0 or not factor < np.inf:
            out[i] = np.nan
            continue
        mean = ring[i] / count
        spread = squares[i] / count - mean * mean
        doubt = error_2 / count + 2 * mean * error / count + 1e-15 * mean * mean
        score = np.inf
        if doubt <= _SCORE_ERROR * spread and error <= _SCORE_ERROR * ring[i]:
            score = _score(value, mean, spread, factor)
        if score > 1 - 4 * _SCORE_ERROR:
            mean, spread = _moments(rows, line, window[1] + 1 + i, window, count)
            score = _score(value, mean, spread, factor)
        out[i] = min(max(score, ABOVE_ONE), LARGEST_SCORE) if score > 1 else score


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
) -> tuple[I32, I32, F64, F64]:
    line_start, line_stop, start, stop = tile
    back_l, back_p, guard_l, guard_p = window
    width = stop - start
    n_rows = 2 * back_l + 2
    rows = np.zeros((n_rows, width + 2 * back_p + 1), image.dtype)
    outer, inner, ring = np.zeros(rows.shape[1]), np.zeros(rows.shape[1]), np.zeros(width)
    outer_2, inner_2, ring_2 = np.zeros(rows.shape[1]), np.zeros(rows.shape[1]), np.zeros(width)
    outer_n, inner_n = np.zeros(rows.shape[1], np.int32), np.zeros(rows.shape[1], np.int32)
    count = np.zeros(width, np.int32)
    lines, pixels, means, scores = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64), np.empty(64)
    n_hits, peak = 0, 0.0
    area = (2 * back_l + 1) * (2 * back_p + 1)
    for entering in range(line_start - back_l, line_stop + back_l):
        line = entering - back_l
        newest, oldest = rows[entering % n_rows], rows[(entering - 2 * back_l - 1) % n_rows]
        peak = _load_line(newest, image, valid, entering, start - back_p - 1, negative, peak)
        _slide_down(outer, outer_2, outer_n, newest, oldest)
        _slide_down(inner, inner_2, inner_n, rows[(line + guard_l) % n_rows], rows[(line - guard_l - 1) % n_rows])
        if line < line_start:
            continue
        _differences(ring, outer, inner, back_p, guard_p)
        _accumulate(ring)
        _differences(ring_2, outer_2, inner_2, back_p, guard_p)
        _accumulate(ring_2)
        _differences(count, outer_n, inner_n, back_p, guard_p)
        _accumulate(count)
        values = rows[line % n_rows, back_p + 1 : back_p + 1 + width]
        # every step of a running sum rounds by at most half an ulp of the largest sum possible; twice that, to be safe
        steps = entering - line_start + back_l + 1
        error = _EPSILON * peak * area * (4.0 * steps + 8.0 * rows.shape[1])
        error_2 = error * peak
        if out.size > 0:
            _score_line(out[line - line_start], ring, ring_2, count, rows, line, window, table, error, error_2)
            continue
        for block in range(0, width, _BLOCK):
            end = min(block + _BLOCK, width)
            here = slice(block, end)
            if not _may_hold_hit(ring[here], ring_2[here], count[here], values[here], table[-1], error, error_2):
                continue
            for i in range(block, end):
                value, factor = np.float64(values[i]), table[count[i]]
                if value == 0 or factor == np.inf:
                    continue
                if not _may_be_hit(value, np.float64(count[i]), ring[i], ring_2[i], factor, error, error_2):
                    continue
                mean, spread = _moments(rows, line, back_p + 1 + i, window, count[i])
                score = _score(value, mean, spread, factor)
                if not score > 1:
                    continue
                if n_hits == cap:
                    return lines, pixels, means, scores
                if n_hits == lines.size:
                    lines, pixels, means, scores = grown(lines), grown(pixels), grown(means), grown(scores)
                lines[n_hits], pixels[n_hits], means[n_hits], scores[n_hits] = line, start + i, mean, score
                n_hits += 1
    return lines[:n_hits], pixels[:n_hits], means[:n_hits], scores[:n_hits]


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
    negative = np.zeros(3)
    lines, pixels, means, scores = _search_tile(image, valid, tile, window, table, cap, out, negative)
    if negative[0] < 0:
        raise negative_power(negative, origin)
    return lines + np.int64(origin[0]), pixels + np.int64(origin[1]), means, scores
