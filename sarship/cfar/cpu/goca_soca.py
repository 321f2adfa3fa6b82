"""GOCA- and SOCA-CFAR kernel: the greatest or smallest of the means of the ring's four sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.boxes import N_ROOMS, Boxes, box_sums, count_data, laid_out, sides_of_line
from sarship.cfar.cpu.rows import HitList, Quad, Tile, append, cut, load_rows, new_hits
from sarship.cfar.cpu.strips import new_rooms, search_strips
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, uncounted

__all__ = ["deciding_side", "search_tile"]

_BLOCK = 64

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@uncounted
def deciding_side(
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


@uncounted
def _may_hold_hit(values: np.ndarray, sides: Quad, first: int, quick: tuple[float, float], is_goca: bool) -> bool:
    """Return True if any pixel of a block exceeds a threshold that no ring of these sums falls below."""
    found: np.bool_ = np.bool_(False)
    last = min(first + _BLOCK, values.size)
    value, above, below = values[first:last], sides[0][first:last], sides[1][first:last]
    right, left = sides[2][first:last], sides[3][first:last]
    if is_goca:
        for i in range(value.size):
            broad, tall = np.float64(max(above[i], below[i])), np.float64(max(left[i], right[i]))
            found |= np.float64(value[i]) > max(broad * quick[0], tall * quick[1])
    else:
        for i in range(value.size):
            broad, tall = np.float64(min(above[i], below[i])), np.float64(min(left[i], right[i]))
            found |= np.float64(value[i]) > min(broad * quick[0], tall * quick[1])
    return bool(found)


@compiled
def _search_strip(
    tile: Tile, shape: tuple[int, int], room: np.ndarray, room_n: I32, table: F64, is_goca: bool, min_ring: int
) -> HitList:
    """Return the hits of a strip, or fill its scores; `shape` is its own with the halo."""
    outer_l, outer_p, guard_l, guard_p = tile.half
    (start, stop), (left, right) = tile.lines, tile.pixels
    is_exact, width = tile.image.itemsize == 2, right - left
    rows, counts = laid_out(room[N_ROOMS], shape), laid_out(room_n[N_ROOMS], shape)
    is_full = load_rows(rows, tile)
    boxes, boxes_n = box_sums(rows, room, tile.half, is_exact), Boxes(counts, counts)
    if not is_full:
        count_data(counts, rows)
        boxes_n = box_sums(counts, room_n, tile.half, True)
    n_broad = np.int64((outer_l - guard_l) * (outer_p + guard_p + 1))
    n_tall = np.int64((outer_l + guard_l + 1) * (outer_p - guard_p))
    n = n_broad, n_broad, n_tall, n_tall
    # what no threshold falls below; a rounded sum may, by less than 1e-9
    safe = 1.0 if is_exact else 1 - 1e-9
    quick = (table[1:, n_broad].min() * safe, table[1:, n_tall].min() * safe)
    no_counts = (counts[0], counts[0], counts[0], counts[0])
    hits, n_hits = new_hits(), 0
    for line in range(stop - start):
        values = rows[line + outer_l, outer_p : outer_p + width]
        sides, sides_n = sides_of_line(boxes, line, width, tile.half), no_counts
        if not is_full:
            sides_n = sides_of_line(boxes_n, line, width, tile.half)
        for first in range(0, width, _BLOCK):
            if tile.out.size == 0 and not _may_hold_hit(values, sides, first, quick, is_goca):
                continue
            for i in range(first, min(first + _BLOCK, width)):
                value = np.float64(values[i])
                if not is_full:
                    a_n, b_n, c_n, d_n = sides_n
                    n = np.int64(a_n[i]), np.int64(b_n[i]), np.int64(c_n[i]), np.int64(d_n[i])
                a, b, c, d = sides
                sums = np.float64(a[i]), np.float64(b[i]), np.float64(c[i]), np.float64(d[i])
                threshold, total, count, _, n_ring = deciding_side(sums, n, table, is_goca)
                can_decide = value > 0 and n_ring >= min_ring and threshold < np.inf
                if tile.out.size > 0:
                    score = np.float32(min(value / threshold, LARGEST_SCORE)) if can_decide else np.float32(np.nan)
                    tile.out[line, i] = max(score, ABOVE_ONE) if can_decide and value > threshold else score
                    continue
                if not (can_decide and value > threshold):
                    continue
                if n_hits == tile.cap:
                    return cut(hits, n_hits)
                hits = append(hits, n_hits, start + line, left + i, total / count, value / threshold)
                n_hits += 1
    return cut(hits, n_hits)


def search_tile(tile: Tile, table: F64, is_goca: bool, min_ring: int) -> HitList:
    """Return the hits of a tile, or fill its scores; `table` is that of `goca_soca_os.side_table`."""
    room, room_n = new_rooms(tile, N_ROOMS + 1)
    return search_strips(tile, lambda strip, shape: _search_strip(strip, shape, room, room_n, table, is_goca, min_ring))
