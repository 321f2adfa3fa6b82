"""Two-parameter kernel for float power, the clutter model `gaussian`: mean and spread of the ring from box sums.

The sums of power and of its square are those of the ring's sides, which only ever add, so nothing cancels but the
square of the mean in the spread: scores agree with exact ones to a millionth where the ring varies at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.boxes import N_ROOMS, Boxes, box_sums, count_data, laid_out, sides_of_line
from sarship.cfar.cpu.rows import HitList, Tile, append, cut, load_rows, new_hits
from sarship.cfar.cpu.strips import new_rooms, search_strips
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled, uncounted

__all__ = ["LARGEST", "search_tile"]

LARGEST = 1e120
"""Powers from here on count as no data, like infinity: the sums of their squares would overflow."""

F64 = NDArray[np.float64]


@uncounted
def _square_all(squares: F64, rows: F64) -> bool:
    """Take out powers that are too large; fill squares; return True if there is data everywhere."""
    is_full = True
    for line in range(rows.shape[0]):
        row, square = rows[line], squares[line]
        for i in range(row.size):
            row[i] = row[i] if row[i] < LARGEST else 0
            square[i] = row[i] * row[i]
            is_full &= row[i] > 0
    return is_full


@compiled
def _sum_line(ring: F64, boxes: Boxes, line: int, tile: Tile) -> None:
    above, below, right, left = sides_of_line(boxes, line, ring.size, tile.half)
    for i in range(ring.size):
        ring[i] = np.float64(above[i] + below[i]) + np.float64(right[i] + left[i])


@compiled
def _search_strip(
    tile: Tile, shape: tuple[int, int], room: F64, room_2: F64, room_n: NDArray[np.int32], table: F64
) -> HitList:
    """Return the hits of a strip, or fill its scores; `shape` is its own with the halo."""
    (start, stop), (left, right), half = tile.lines, tile.pixels, tile.half
    width = right - left
    rows, squares = laid_out(room[N_ROOMS], shape), laid_out(room_2[N_ROOMS], shape)
    counts = laid_out(room_n[N_ROOMS], shape)
    load_rows(rows, tile)
    is_full = _square_all(squares, rows)
    boxes, boxes_2 = box_sums(rows, room, half, False), box_sums(squares, room_2, half, False)
    boxes_n = Boxes(counts, counts)
    if not is_full:
        count_data(counts, rows)
        boxes_n = box_sums(counts, room_n, half, True)
    total, square, count = np.empty(width), np.empty(width), np.full(width, np.float64(table.size - 1))
    hits, n_hits = new_hits(), 0
    for line in range(stop - start):
        _sum_line(total, boxes, line, tile)
        _sum_line(square, boxes_2, line, tile)
        if not is_full:
            _sum_line(count, boxes_n, line, tile)
        values = rows[line + half.outer_l, half.outer_p : half.outer_p + width]
        for i in range(width):
            above, n = count[i] * values[i] - total[i], int(count[i])
            if tile.out.size == 0 and not above > 0:
                continue
            # compared by squares first: few pixels need the root
            need = table[n] * max(count[i] * square[i] - total[i] * total[i], 0.0)
            is_hit = values[i] > 0 and table[n] < np.inf and above > 0 and above * above > need
            if tile.out.size == 0 and not is_hit:
                continue
            score = count[i] * values[i] / (total[i] + np.sqrt(need))
            if tile.out.size > 0:
                least, most = (np.float64(ABOVE_ONE), LARGEST_SCORE) if is_hit else (0.0, 1.0)
                can_decide = values[i] > 0 and table[n] < np.inf
                tile.out[line, i] = min(max(score, least), most) if can_decide else np.nan
                continue
            if n_hits == tile.cap:
                return cut(hits, n_hits)
            hits = append(hits, n_hits, start + line, left + i, total[i] / count[i], score)
            n_hits += 1
    return cut(hits, n_hits)


def search_tile(tile: Tile, table: F64) -> HitList:
    """Return the hits of a tile, or fill its scores.

    A pixel is a hit when the square of count·power − sum is above `table[count]` · (count·squares − sum²).
    """
    (room, room_n), (room_2, _) = new_rooms(tile, N_ROOMS + 1), new_rooms(tile, N_ROOMS + 1)
    return search_strips(tile, lambda strip, shape: _search_strip(strip, shape, room, room_2, room_n, table))
