"""Sums over the four sides of a ring, for kernels that need each of them or sums without cancellation.

The sides are the vanes of a pinwheel: above and below `training` lines, outer + guard + 1 pixels wide; right and left
the same turned. Above and below are the same box around two places, right and left another, so two box sums a pixel
are enough, and each is used twice. Together the sides are the ring.

Whole numbers: boxes that gain a line or pixel and lose one, exact, at a cost that does not depend on the window.
Floats: boxes put together from boxes of 2, 4, 8 … lines and pixels, which only ever add: nothing cancels, the error
stays within a few units of the last place whatever else the image holds, and a result does not depend on the tile.
That costs a few additions more each time the window doubles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.rows import HalfWidths, Quad
from sarship.cfar.jit import compiled, uncounted

__all__ = ["N_ROOMS", "Boxes", "box_sums", "count_data", "laid_out", "sides_of_line"]

N_ROOMS = 4
"""Arrays of the strip's size that `box_sums` works in."""


class Boxes(NamedTuple):
    """Box sums from each place on."""

    broad: np.ndarray
    """Boxes above and below."""
    tall: np.ndarray
    """Boxes to the left and right."""


@compiled
def laid_out(room: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return an array of some shape in a room that was made once: new memory for every strip is new pages."""
    return room[: shape[0] * shape[1]].reshape(shape)


@uncounted
def count_data(counts: NDArray[np.int32], rows: np.ndarray) -> None:
    """Fill counts with 1 where there is data and 0 where there is none."""
    for line in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            counts[line, i] = rows[line, i] > 0


@compiled
def box_sums(rows: np.ndarray, room: np.ndarray, half: HalfWidths, is_exact: bool) -> Boxes:
    """Sum the boxes of the sides; the sums lie in the first two of `room`, the next two are worked in."""
    outer_l, outer_p, guard_l, guard_p = half
    n_lines, n_pixels = rows.shape
    broad = laid_out(room[0], (n_lines - outer_l + guard_l + 1, n_pixels - outer_p - guard_p))
    tall = laid_out(room[1], (n_lines - outer_l - guard_l, n_pixels - outer_p + guard_p + 1))
    _sum_boxes(broad, rows, room, (outer_l - guard_l, outer_p + guard_p + 1), is_exact)
    _sum_boxes(tall, rows, room, (outer_l + guard_l + 1, outer_p - guard_p), is_exact)
    return Boxes(broad, tall)


@compiled
def _sum_boxes(out: np.ndarray, rows: np.ndarray, room: np.ndarray, box: tuple[int, int], is_exact: bool) -> None:
    down, spare = laid_out(room[2], rows.shape), rows
    if not is_exact:
        spare = laid_out(room[3], rows.shape)
        for line in range(rows.shape[0]):
            for i in range(rows.shape[1]):  # as in `grown`
                spare[line, i] = rows[line, i]
    _sum_down(down, spare, box[0], is_exact)
    for line in range(out.shape[0]):
        _sum_across(out[line], down[line], box[1], is_exact)


@uncounted
def _add(here: np.ndarray, more: np.ndarray) -> None:
    for i in range(here.size):
        here[i] += more[i]


@uncounted
def _sum_down(out: np.ndarray, rows: np.ndarray, height: int, is_exact: bool) -> None:
    """Sums over `height` lines from each line on; `rows` is spoilt where sums are not exact."""
    n = rows.shape[0] - height + 1
    if is_exact:
        out[0] = 0
        for line in range(height):
            _add(out[0], rows[line])
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
                _add(out[line], rows[line + done])
            done += size
        if 2 * size > height:
            return
        for line in range(rows.shape[0] - size):
            _add(rows[line], rows[line + size])
        size *= 2


@uncounted
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
            _add(out, row[done : done + n])
            done += size
        if 2 * size > width:
            return
        _add(row[: row.size - size], row[size:])
        size *= 2


@compiled
def sides_of_line(boxes: Boxes, line: int, width: int, half: HalfWidths) -> Quad:
    """Sums of the sides above, below, right and left for the pixels of a line."""
    outer_l, outer_p, guard_l, guard_p = half
    turn_l, turn_p, past_l, past_p = outer_l - guard_l, outer_p - guard_p, outer_l + guard_l + 1, outer_p + guard_p + 1
    return (
        boxes.broad[line, :width],
        boxes.broad[line + past_l, turn_p : turn_p + width],
        boxes.tall[line, past_p : past_p + width],
        boxes.tall[line + turn_l, :width],
    )
