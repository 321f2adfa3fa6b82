"""Two-parameter kernel for float power, the clutter model `gaussian`: mean and spread of the ring from box sums.

The sums of power and of its square are those of the ring's sides, which only ever add, so nothing cancels but the
square of the mean in the spread: scores agree with exact ones to a millionth where the ring varies at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.boxes import N_ROOMS, Boxes, box_counts, box_sums, laid_out, sides_of_line
from sarship.cfar.cpu.rows import NO_IMAGE, HalfWidths, HitList, Tile, append, cut, load_rows, new_hits
from sarship.cfar.cpu.strips import new_rooms, search_strips
from sarship.cfar.jit import ABOVE_ONE, LARGEST_SCORE, compiled

__all__ = ["LARGEST", "search_tile"]

LARGEST = 1e120
"""Powers from here on count as no data, like infinity: the sums of their squares would overflow."""

F64 = NDArray[np.float64]


@compiled
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
def _sum_line(ring: F64, boxes: Boxes, line: int, half: HalfWidths) -> None:
    above, below, right, left = sides_of_line(boxes, line, ring.size, half)
    for i in range(ring.size):
        ring[i] = np.float64(above[i] + below[i]) + np.float64(right[i] + left[i])


@compiled
def _search_strip(
    tile: Tile, rows: F64, sums: tuple[Boxes, Boxes, Boxes], lines: F64, is_full: bool, table: F64
) -> HitList:
    """Return the hits of a strip, or fill its scores; `rows` are its own with the halo.

    `sums` are those of power, of its square, and counts; `lines` holds three of them, to be worked in.
    """
    (start, stop), (left, right), half = tile.lines, tile.pixels, tile.half
    width = right - left
    total, square, count = lines[0, :width], lines[1, :width], lines[2, :width]
    for i in range(width):
        count[i] = table.size - 1
    hits, n_hits = new_hits()
    for line in range(stop - start):
        _sum_line(total, sums[0], line, half)
        _sum_line(square, sums[1], line, half)
        if not is_full:
            _sum_line(count, sums[2], line, half)
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
    lines = np.empty((3, tile.pixels[1] - tile.pixels[0]))

    def search(strip: Tile, shape: tuple[int, int]) -> HitList:
        rows, squares = laid_out(room[N_ROOMS], shape), laid_out(room_2[N_ROOMS], shape)
        load_rows(rows, strip)
        is_full = _square_all(squares, rows)
        boxes_n = box_counts(rows, room_n, tile.half, is_full)
        sums = box_sums(rows, room, tile.half), box_sums(squares, room_2, tile.half), boxes_n
        return _search_strip(strip._replace(image=NO_IMAGE), rows, sums, lines, is_full, table)

    return search_strips(tile, search)
