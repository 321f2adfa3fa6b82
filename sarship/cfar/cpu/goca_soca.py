"""Kernels for the greatest and the smallest of the ring's four side means, on digital numbers and on power.

The sides are the vanes of a pinwheel: above and below `training` lines, outer + guard + 1 pixels
wide; right and left the same turned. Above and below are the same box around two places, right and left another,
so two box sums a pixel are enough, and each is used twice.

Digital numbers: boxes of whole numbers that gain a line or pixel and lose one, exact, at a cost that does not depend on
the window. Power: boxes put together from boxes of 2, 4, 8 … lines and pixels, which only ever add: nothing cancels,
the error stays within a few units of the last place whatever else the image holds, and a result does not depend on the
tile. That costs a few additions more each time the window doubles.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.ca_float import LARGEST, negative_power
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, grown, in_order

__all__ = ["search_tile"]

STRIP_LINES, STRIP_PIXELS = 96, 512
"""Lines (at least twice the window's) and pixels laid out at once: they stay in the second-level cache."""
_BLOCK = 64

Image = NDArray[np.uint16] | NDArray[np.floating]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@compiled
def _load(
    rows: np.ndarray,
    counts: I32,
    image: Image,
    valid: NDArray[np.bool_],
    corner: tuple[int, int],
    negative: F64,
    is_number: bool,
) -> bool:
    """Power of a part of the image from a line and pixel on, no data as zero, and whether there is data.

    Notes a negative power. Returns whether all pixels have data.
    """
    top, left = corner
    n_lines, n_pixels = image.shape
    first, last = max(left, 0), min(left + rows.shape[1], n_pixels)
    is_full = top >= 0 and left >= 0 and top + rows.shape[0] <= n_lines and left + rows.shape[1] <= n_pixels
    if not is_full:
        rows[:] = 0
    for line in range(max(top, 0), min(top + rows.shape[0], n_lines)):
        inside, source = rows[line - top, first - left : last - left], image[line, first:last]
        _load_line(inside, source, is_number)
        lowest = inside[0]
        if valid.size > 0:
            keep = valid[line, first:last]
            for i in range(inside.size):
                inside[i] = inside[i] if keep[i] else 0
        for i in range(inside.size):
            lowest = min(lowest, inside[i])
        is_full &= lowest > 0
        if lowest < 0 and negative[0] == 0:
            for i in range(inside.size):
                if inside[i] < 0:
                    negative[0], negative[1], negative[2] = inside[i], line, first + i
                    break
    if not is_full:
        for line in range(rows.shape[0]):
            for i in range(rows.shape[1]):
                counts[line, i] = rows[line, i] > 0
    return bool(is_full)


@compiled
def _load_line(inside: np.ndarray, source: Image, is_number: bool) -> None:
    if is_number:
        for i in range(inside.size):
            inside[i] = np.int64(source[i]) * np.int64(source[i])
    else:
        for i in range(inside.size):
            value = np.float64(source[i])
            inside[i] = value if value < LARGEST else 0


@compiled
def _sum_down(out: np.ndarray, rows: np.ndarray, height: int, is_exact: bool) -> None:
    """Sums over `height` lines from each line on; `rows` is spoilt where sums are not exact."""
    n = rows.shape[0] - height + 1
    if is_exact:
        out[0] = 0
        for line in range(height):
            for i in range(rows.shape[1]):
                out[0, i] += rows[line, i]
        for line in range(1, n):
            above, entering, leaving, here = out[line - 1], rows[line + height - 1], rows[line - 1], out[line]
            for i in range(rows.shape[1]):
                here[i] = above[i] + (entering[i] - leaving[i])
        return
    out[:n] = 0
    done, size = 0, 1
    while True:
        # rows holds sums over `size` lines from each line on
        if height & size:
            for line in range(n):
                here, more = out[line], rows[line + done]
                for i in range(rows.shape[1]):
                    here[i] += more[i]
            done += size
        if 2 * size > height:
            return
        for line in range(rows.shape[0] - size):
            here, more = rows[line], rows[line + size]
            for i in range(rows.shape[1]):
                here[i] += more[i]
        size *= 2


@compiled
def _sum_across(out: np.ndarray, row: np.ndarray, width: int, is_exact: bool) -> None:
    """Sums over `width` pixels from each pixel on; `row` is spoilt where sums are not exact."""
    n = out.size
    if is_exact:
        total = row[0] - row[0]
        for i in range(width):
            total += row[i]
        out[0] = total
        entering = row[width:]
        for i in range(1, n):
            total += entering[i - 1] - row[i - 1]
            out[i] = total
        return
    out[:] = 0
    done, size = 0, 1
    while True:
        if width & size:
            more = row[done : done + n]
            for i in range(n):
                out[i] += more[i]
            done += size
        if 2 * size > width:
            return
        last = row.size - size
        here, more = row[:last], row[size:]
        for i in range(last):
            here[i] += more[i]
        size *= 2


@compiled
def _laid_out(room: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return room[: shape[0] * shape[1]].reshape(shape)


@compiled
def _boxes(
    tall: np.ndarray,
    broad: np.ndarray,
    rows: np.ndarray,
    room: np.ndarray,
    window: tuple[int, int, int, int],
    is_exact: bool,
) -> None:
    """Box sums from each place on: `broad` for above and below, `tall` for left and right; works in two of `room`."""
    back_l, back_p, guard_l, guard_p = window
    down, spare = _laid_out(room[0], rows.shape), rows
    if not is_exact:
        spare = _laid_out(room[1], rows.shape)
        spare[:] = rows
    _sum_down(down, spare, back_l - guard_l, is_exact)
    for line in range(broad.shape[0]):
        _sum_across(broad[line], down[line], back_p + guard_p + 1, is_exact)
    if not is_exact:
        spare[:] = rows
    _sum_down(down, spare, back_l + guard_l + 1, is_exact)
    for line in range(tall.shape[0]):
        _sum_across(tall[line], down[line], back_p - guard_p, is_exact)


@compiled
def _deciding(
    sums: tuple[np.float64, np.float64, np.float64, np.float64],
    counts: tuple[np.int64, np.int64, np.int64, np.int64],
    table: F64,
    is_goca: bool,
) -> tuple[float, float, int, int, int]:
    """Threshold, sum and count of the side that set it, the number of sides with pixels, and the ring's count."""
    sides, n = 0, 0
    for side in range(4):
        sides += int(counts[side] > 0)
        n += int(counts[side])
    threshold, total, count = 0.0 if is_goca else np.inf, 0.0, 0
    for side in range(4):
        if counts[side] == 0:
            continue
        level = table[sides, counts[side]] * sums[side]
        if level > threshold if is_goca else level < threshold:
            threshold, total, count = level, float(sums[side]), int(counts[side])
    return threshold, total, count, sides, n


@compiled
def _may_hold_hit(
    values: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    quick: tuple[float, float],
    is_goca: bool,
) -> bool:
    """Whether any pixel exceeds a threshold that no ring of these sums falls below."""
    found: np.bool_ = np.bool_(False)
    if is_goca:
        for i in range(values.size):
            broad, tall = np.float64(max(above[i], below[i])), np.float64(max(left[i], right[i]))
            found |= np.float64(values[i]) > max(broad * quick[0], tall * quick[1])
    else:
        for i in range(values.size):
            broad, tall = np.float64(min(above[i], below[i])), np.float64(min(left[i], right[i]))
            found |= np.float64(values[i]) > min(broad * quick[0], tall * quick[1])
    return bool(found)


@compiled
def _search_strip(
    rows: np.ndarray,
    counts: I32,
    room: np.ndarray,
    room_n: I32,
    is_full: bool,
    window: tuple[int, int, int, int],
    table: F64,
    flags: tuple[bool, int, int],
    cap: int,
    out: NDArray[np.float32],
) -> tuple[I32, I32, F64, F64]:
    """Hits among rows of power with their halo: lines, pixels, clutter and scores; or scores in `out`."""
    back_l, back_p, guard_l, guard_p = window
    is_goca, min_ring, is_exact = flags[0], flags[1], flags[2] == 1
    height, width = rows.shape[0] - 2 * back_l, rows.shape[1] - 2 * back_p
    tall_shape = (rows.shape[0] - back_l - guard_l, rows.shape[1] - back_p + guard_p + 1)
    broad_shape = (rows.shape[0] - back_l + guard_l + 1, rows.shape[1] - back_p - guard_p)
    tall, broad = _laid_out(room[0], tall_shape), _laid_out(room[1], broad_shape)
    tall_n, broad_n = _laid_out(room_n[0], tall_shape), _laid_out(room_n[1], broad_shape)
    _boxes(tall, broad, rows, room[2:], window, is_exact)
    n_broad, n_tall = (back_l - guard_l) * (back_p + guard_p + 1), (back_l + guard_l + 1) * (back_p - guard_p)
    if not is_full:
        _boxes(tall_n, broad_n, counts, room_n[2:], window, True)
    # what no threshold falls below; a rounded sum may, by less than 1e-9
    safe = 1.0 if is_exact else 1 - 1e-9
    quick = (table[1:, n_broad].min() * safe, table[1:, n_tall].min() * safe)
    lines, pixels, clutter, scores = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64), np.empty(64)
    n_hits = 0
    turn_l, turn_p, past_l, past_p = back_l - guard_l, back_p - guard_p, back_l + guard_l + 1, back_p + guard_p + 1
    for line in range(height):
        values = rows[line + back_l, back_p : back_p + width]
        above, below = broad[line, :width], broad[line + past_l, turn_p : turn_p + width]
        right, left = tall[line, past_p : past_p + width], tall[line + turn_l, :width]
        for block in range(0, width, _BLOCK):
            end = min(block + _BLOCK, width)
            here = slice(block, end)
            if out.size == 0 and not _may_hold_hit(
                values[here], above[here], below[here], left[here], right[here], quick, is_goca
            ):
                continue
            for i in range(block, end):
                value = np.float64(values[i])
                n = np.int64(n_broad), np.int64(n_broad), np.int64(n_tall), np.int64(n_tall)
                if not is_full:
                    n = (
                        np.int64(broad_n[line, i]),
                        np.int64(broad_n[line + past_l, i + turn_p]),
                        np.int64(tall_n[line, i + past_p]),
                        np.int64(tall_n[line + turn_l, i]),
                    )
                sums = (np.float64(above[i]), np.float64(below[i]), np.float64(right[i]), np.float64(left[i]))
                threshold, total, count, _, n_ring = _deciding(sums, n, table, is_goca)
                can_decide = value > 0 and n_ring >= min_ring and threshold < np.inf
                if out.size > 0:
                    score = np.float32(min(value / threshold, LARGEST_SCORE)) if can_decide else np.float32(np.nan)
                    out[line, i] = max(score, ABOVE_ONE) if can_decide and value > threshold else score
                    continue
                if not (can_decide and value > threshold):
                    continue
                if n_hits == cap:
                    return lines[:n_hits], pixels[:n_hits], clutter[:n_hits], scores[:n_hits]
                if n_hits == lines.size:
                    lines, pixels, clutter, scores = grown(lines), grown(pixels), grown(clutter), grown(scores)
                lines[n_hits], pixels[n_hits] = line, i
                clutter[n_hits], scores[n_hits] = total / count, value / threshold
                n_hits += 1
    return lines[:n_hits], pixels[:n_hits], clutter[:n_hits], scores[:n_hits]


def search_tile(
    image: Image,
    valid: NDArray[np.bool_],
    tile: tuple[int, int, int, int],
    window: tuple[int, int, int, int],
    table: F64,
    cap: int,
    out: NDArray[np.float32],
    origin: tuple[int, int],
    is_goca: bool,
    min_ring: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], F64, F64]:
    """Hits of one tile: their lines, pixels, clutter and scores; or its scores, where `out` is not empty.

    `tile` is (line start, line stop, pixel start, pixel stop) in `image`, which begins at `origin` of the whole;
    `window` the half-widths (outer lines, outer pixels, guard lines, guard pixels); `table` that of
    `averages.side_table`. Stops after `cap` hits.

    Raises
    ------
    ValueError
        A valid pixel whose power is negative.
    """
    start, stop, left, right = tile
    back_l, back_p = window[:2]
    is_number = image.dtype.kind == "u"
    height = max(STRIP_LINES, 4 * back_l)
    negative, found = np.zeros(3), []
    # made once: what is made and given back for every strip is new pages for every strip
    size = (min(height, stop - start) + 2 * back_l) * (min(STRIP_PIXELS, right - left) + 2 * back_p)
    room, room_n = np.empty((5, size), np.int64 if is_number else np.float64), np.empty((4, size), np.int32)
    for top in range(start, stop, height):
        for first in range(left, right, STRIP_PIXELS):
            bottom, last = min(top + height, stop), min(first + STRIP_PIXELS, right)
            shape = (bottom - top + 2 * back_l, last - first + 2 * back_p)
            n = shape[0] * shape[1]
            rows, counts = room[-1, :n].reshape(shape), room_n[-1, :n].reshape(shape)
            is_full = _load(rows, counts, image, valid, (top - back_l, first - back_p), negative, is_number)
            if negative[0] < 0:
                raise negative_power(negative, origin)
            here = out[top - start : bottom - start, first - left : last - left]
            flags = (is_goca, min_ring, int(is_number))
            with in_order(here) as ordered:
                lines, pixels, clutter, scores = _search_strip(
                    rows, counts, room, room_n, is_full, window, table, flags, cap, ordered
                )
            found.append((lines + np.int64(top + origin[0]), pixels + np.int64(first + origin[1]), clutter, scores))
            cap -= lines.size
            if cap <= 0:
                break
    line, pixel, level, score = (np.concatenate([part[k] for part in found]) for k in range(4))
    return line, pixel, level, score
