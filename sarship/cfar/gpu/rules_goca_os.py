"""Rules of the averages other than the mean: GOCA and SOCA over a ring's four sides, and OS-CFAR.

Sides of whole numbers are exact sums, and the CPU's own function says which of them decides. Those of floats are added
up line by line, which the CPU does otherwise: they agree to the last bits. The ordered pixel is found by halving the
range in which it lies, between values of the ring, until one is left: no sum is taken and nothing rounds.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from sarship.cfar.cpu import goca_soca, rows
from sarship.cfar.gpu.arguments import Pixels, RingShape, Thresholds
from sarship.cfar.gpu.compilation import DeviceFunction, made_once, on_device
from sarship.cfar.gpu.rule import Rule
from sarship.cfar.gpu.rules_float import finite, sum_and_count, sum_score
from sarship.cfar.gpu.rules_integer import ABOVE_ONE, LARGEST_SCORE, packed, squared

__all__ = ["goca_soca_rule", "os_rule"]

_SAFE = 1 + 1e-12
"""More than the rounding of a quotient."""

_deciding = on_device(goca_soca.deciding_side)


def _make_sides(rule: Rule, load: DeviceFunction, *, is_goca: bool) -> DeviceFunction:
    """Make the sum and count of the side that decides, and the number of sides; none below the ring's minimum count."""
    word = rule.word

    @on_device
    def side(pixels: Pixels, top: int, left: int, height: int, width: int) -> Any:
        n_lines, n_pixels = pixels.image.shape
        total, count = word(0), 0
        for y in range(max(top, 0), min(top + height, n_lines)):
            subtotal = word(0)
            for x in range(max(left, 0), min(left + width, n_pixels)):
                level = load(pixels, y, x)
                if level > 0:
                    subtotal = word(subtotal + word(level))
                    count += 1
            total = word(total + subtotal)
        return np.float64(total), np.int64(count)

    @on_device
    def ring(_level: Any, pixels: Pixels, line: int, pixel: int, shape: RingShape, thresholds: Thresholds) -> Any:
        back_l, back_p, guard_l, guard_p = shape
        # each side takes one corner
        high, broad = back_l - guard_l, back_p + guard_p + 1
        tall, wide = back_l + guard_l + 1, back_p - guard_p
        above, n_above = side(pixels, line - back_l, pixel - back_p, high, broad)
        below, n_below = side(pixels, line + guard_l + 1, pixel - guard_p, high, broad)
        right, n_right = side(pixels, line - back_l, pixel + guard_p + 1, tall, wide)
        left, n_left = side(pixels, line - guard_l, pixel - back_p, tall, wide)
        sums, counts = (above, below, right, left), (n_above, n_below, n_right, n_left)
        _, total, count, n_sides, n_ring = _deciding(sums, counts, thresholds.surface, is_goca)
        if n_ring < thresholds.table[0]:
            return word(0), word(0), word(0)
        return word(total), word(count), word(n_sides)

    return ring


@on_device
def _side_score(level: Any, words: Any, thresholds: Thresholds) -> Any:
    factor, value = thresholds.surface[np.int64(words[2]), np.int64(words[1])], np.float64(level)
    threshold = factor * np.float64(words[0])
    if value == 0 or not threshold < np.inf:
        return -1.0
    score = min(value / threshold, LARGEST_SCORE)
    return max(score, ABOVE_ONE) if value > threshold else min(score, 1.0)


@made_once
def goca_soca_rule(kind: type, is_goca: bool) -> Rule:
    """Return the rule of GOCA or SOCA on an image of a type."""
    is_number = kind is np.uint16
    return Rule(
        word=np.uint64 if is_number else np.float64,
        level=np.uint32 if is_number else kind,
        power=squared if is_number else finite(kind, rows.LARGEST),
        lift=packed if is_number else sum_and_count,
        n_words=3,
        ring=partial(_make_sides, is_goca=is_goca),
        score=_side_score,
    )


def _make_ordered(_rule: Rule, load: DeviceFunction, *, is_search: bool) -> DeviceFunction:
    """Make the ordered pixel and the ring's count; for a search infinity where the pixel is no hit."""

    @on_device
    def counted(pixels: Pixels, line: int, pixel: int, shape: RingShape, middle: float) -> Any:
        """Return the number of the ring's pixels up to `middle`, their largest, and the smallest of the others."""
        n_lines, n_pixels = pixels.image.shape
        n, below, above = 0, 0.0, np.inf
        for y in range(max(line - shape.outer_lines, 0), min(line + shape.outer_lines + 1, n_lines)):
            is_near = abs(y - line) <= shape.guard_lines
            for x in range(max(pixel - shape.outer_pixels, 0), min(pixel + shape.outer_pixels + 1, n_pixels)):
                if is_near and abs(x - pixel) <= shape.guard_pixels:
                    continue
                level = load(pixels, y, x)
                if not level > 0:
                    continue
                if level <= middle:
                    n += 1
                    below = max(below, level)
                else:
                    above = min(above, level)
        return n, below, above

    @on_device
    def ring(level: float, pixels: Pixels, line: int, pixel: int, shape: RingShape, thresholds: Thresholds) -> Any:
        n, high, _ = counted(pixels, line, pixel, shape, np.inf)
        factor = thresholds.table[n]
        if not factor < np.inf:
            return 0.0, np.float64(n), 0.0
        place = thresholds.surface[0, n]
        if is_search:
            # most pixels are no hits, and one count says so where the ordered pixel takes ten
            n_below, _, _ = counted(pixels, line, pixel, shape, level / factor * _SAFE)
            if n_below < place:
                return np.inf, np.float64(n), 0.0
        _, _, low = counted(pixels, line, pixel, shape, 0.0)
        # both are pixels of the ring, and so is the one between them that is looked for
        while low < high:
            middle = math.sqrt(low) * math.sqrt(high)
            if not (middle >= low and middle < high):
                middle = low
            n_below, largest, smallest = counted(pixels, line, pixel, shape, middle)
            if n_below >= place:
                high = largest
            else:
                low = smallest
        return low, np.float64(n), 0.0

    return ring


@on_device
def _wide_square(number: Any) -> Any:
    return np.float64(number) * np.float64(number)


@made_once
def os_rule(kind: type, is_search: bool) -> Rule:
    """Return the rule of OS-CFAR on an image of a type."""
    return Rule(
        word=np.float64,
        level=np.float64,
        power=_wide_square if kind is np.uint16 else finite(kind, rows.LARGEST),
        lift=sum_and_count,
        n_words=2,
        ring=partial(_make_ordered, is_search=is_search),
        score=sum_score,
    )
