"""What the device does with averages other than the mean: rules of the four sides, and of the ordered ring.

Sides of whole numbers are exact sums, and the CPU's own function says which of them decides. Those of floats are added
up line by line, which the CPU does otherwise: they agree to the last bits. The ordered pixel is found by halving the
range in which it lies, between values of the ring, until one is left: no sum is taken and nothing rounds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sarship.cfar.cpu import goca_soca as cpu_sides
from sarship.cfar.cpu import rows
from sarship.cfar.gpu.parts import Device, Rule, made_once, on_device
from sarship.cfar.gpu.rules_float import finite, sum_and_count, sum_score
from sarship.cfar.gpu.rules_integer import ABOVE_ONE, LARGEST_SCORE, packed, squared

__all__ = ["deciding", "ordered", "side_score", "sides"]

deciding = on_device(cpu_sides._deciding)


@made_once
def _make_goca(rule: Rule, load: Device) -> Device:
    return _make_sides(rule, load, True)


@made_once
def _make_soca(rule: Rule, load: Device) -> Device:
    return _make_sides(rule, load, False)


def _make_sides(rule: Rule, load: Device, is_goca: bool) -> Device:
    """Sum and count of the side that decides, and the number of sides; none where `table[0]` pixels are not met."""
    word = rule.word

    @on_device
    def box(image: Any, keep: Any, size: Any, top: int, left: int, height: int, width: int) -> Any:
        total, count = word(0), 0
        for y in range(max(top, 0), min(top + height, size[0])):
            subtotal = word(0)
            for x in range(max(left, 0), min(left + width, size[1])):
                level = load(image, keep, size, y, x)
                if level > 0:
                    subtotal = word(subtotal + word(level))
                    count += 1
            total = word(total + subtotal)
        return np.float64(total), np.int64(count)

    @on_device
    def ring(image: Any, keep: Any, size: Any, line: int, pixel: int, window: Any, table: Any, surface: Any) -> Any:
        back_l, back_p, guard_l, guard_p = window
        high, broad = back_l - guard_l, back_p + guard_p + 1
        tall, wide = back_l + guard_l + 1, back_p - guard_p
        above, n_above = box(image, keep, size, line - back_l, pixel - back_p, high, broad)
        below, n_below = box(image, keep, size, line + guard_l + 1, pixel - guard_p, high, broad)
        right, n_right = box(image, keep, size, line - back_l, pixel + guard_p + 1, tall, wide)
        left, n_left = box(image, keep, size, line - guard_l, pixel - back_p, tall, wide)
        sums, counts = (above, below, right, left), (n_above, n_below, n_right, n_left)
        _, total, count, n_sides, n_ring = deciding(sums, counts, surface, is_goca)
        if n_ring < table[0]:
            return word(0), word(0), word(0)
        return word(total), word(count), word(n_sides)

    return ring


@on_device
def side_score(level: Any, words: Any, _table: Any, surface: Any, _clutter_model: Any) -> Any:
    """Score over the deciding side's threshold; `surface` is the table of the sides."""
    threshold, value = surface[np.int64(words[2]), np.int64(words[1])] * np.float64(words[0]), np.float64(level)
    if value == 0 or not threshold < np.inf:
        return -1.0
    score = min(value / threshold, LARGEST_SCORE)
    return max(score, ABOVE_ONE) if value > threshold else min(score, 1.0)


@made_once
def sides(kind: type, is_goca: bool) -> Rule:
    """The rule of the greatest or the smallest side, on an image of a type."""
    is_number = kind is np.uint16
    return Rule(
        word=np.uint64 if is_number else np.float64,
        level=np.uint32 if is_number else kind,
        power=squared if is_number else finite(kind, rows.LARGEST),
        lift=packed if is_number else sum_and_count,
        n_words=3,
        ring=_make_goca if is_goca else _make_soca,
        score=side_score,
    )


@made_once
def _make_os(_rule: Rule, load: Device) -> Device:
    """The ordered pixel and the ring's count; `surface[0]` is the place of every count."""

    @on_device
    def counted(image: Any, keep: Any, size: Any, line: int, pixel: int, window: Any, middle: float) -> Any:
        """How many of the ring are not above `middle`, the largest of those, and the smallest of the others."""
        back_l, back_p, guard_l, guard_p = window
        n, below, above = 0, 0.0, np.inf
        for y in range(max(line - back_l, 0), min(line + back_l + 1, size[0])):
            is_near = abs(y - line) <= guard_l
            for x in range(max(pixel - back_p, 0), min(pixel + back_p + 1, size[1])):
                if is_near and abs(x - pixel) <= guard_p:
                    continue
                level = load(image, keep, size, y, x)
                if not level > 0:
                    continue
                if level <= middle:
                    n += 1
                    below = max(below, level)
                else:
                    above = min(above, level)
        return n, below, above

    @on_device
    def ring(image: Any, keep: Any, size: Any, line: int, pixel: int, window: Any, table: Any, surface: Any) -> Any:
        n, most, _ = counted(image, keep, size, line, pixel, window, np.inf)
        if not table[n] < np.inf:
            return 0.0, np.float64(n), 0.0
        place = surface[0, n]
        _, _, least = counted(image, keep, size, line, pixel, window, 0.0)
        # both are pixels of the ring, and so is the one between them that is looked for
        while least < most:
            middle = math.sqrt(least) * math.sqrt(most)
            if not (middle >= least and middle < most):
                middle = least
            below, largest, smallest = counted(image, keep, size, line, pixel, window, middle)
            if below >= place:
                most = largest
            else:
                least = smallest
        return least, np.float64(n), 0.0

    return ring


@on_device
def _wide_square(number: Any) -> Any:
    return np.float64(number) * np.float64(number)


@made_once
def ordered(kind: type) -> Rule:
    """The rule of the ordered ring, on an image of a type."""
    return Rule(
        word=np.float64,
        level=np.float64,
        power=_wide_square if kind is np.uint16 else finite(kind, rows.LARGEST),
        lift=sum_and_count,
        n_words=2,
        ring=_make_os,
        score=sum_score,
    )
