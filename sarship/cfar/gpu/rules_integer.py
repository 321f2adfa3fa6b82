"""What the device's kernels do with a pixel and with a ring, one `Running` rule for each law and type of image.

Where the CPU's kernels make the same decision, their own source is compiled a second time for the device (`py_func`),
so the twins cannot drift apart. No decision is left to the compiler's choice of fused multiply-adds: products are
compared as they are, and where more is needed the device only finds candidates, by a comparison that misses no hit,
and the CPU's own function decides them from their exact sums. Only the spread of `gaussian` on float power adds up
squares on the device, and so agrees to the last bits of a float64 rather than in all of them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from sarship.cfar.cpu import ca_integer as cpu
from sarship.cfar.cpu import log_levels as cpu_levels
from sarship.cfar.cpu import two_parameter_integer as cpu_moments
from sarship.cfar.gpu.parts import Running, make_direct, on_device

__all__ = [
    "ABOVE_ONE",
    "COUNT_SHIFT",
    "GAMMA_NUMBER",
    "LARGEST_SCORE",
    "LN_ZERO",
    "MOMENTS",
    "SHARP_MOMENTS",
    "SUM_BITS",
    "TOP_SHIFT",
    "any_level",
    "ln_level",
    "packed",
    "same_words",
    "squared",
]

COUNT_SHIFT = np.uint64(48)
SUM_BITS = np.uint64((1 << 48) - 1)
_SUM_LEFT = np.uint64(16)
ABOVE_ONE = float(np.nextafter(np.float32(1), np.float32(2)))
LARGEST_SCORE = float(np.finfo(np.float32).max)
_TOP_UNIT = 2.0**48
TOP_SHIFT = np.uint64(48)
"""Bits of a square from which on the third word adds it up."""
_SAFE = 1e-12
LN_ZERO = 1 << 31
"""Added to the levels of ln power of float images, so that none is below zero; it changes no result."""
_HALF_SCALE = cpu_levels.LN_SCALE / 2
_SMALLEST, _LARGEST = cpu_levels.SMALLEST, cpu_levels.LARGEST

_threshold = on_device(cpu._threshold)
_spread = on_device(cpu_moments._spread)


@on_device
def _never(_score: float, _statistics: Any, _error: float, _peak: float) -> Any:
    return False


@on_device
def same_words(words: Any) -> Any:
    """What `score` takes are the words themselves."""
    return words


# gamma, digital numbers: one word holds the sum of squares and the count


@on_device
def squared(number: Any) -> Any:
    """Power of a digital number."""
    return np.uint32(np.uint32(number) * np.uint32(number))


@on_device
def packed(level: Any, _k: int) -> Any:
    """A level and a count of one in one word."""
    return np.uint64(np.uint64(level) + (np.uint64(level != 0) << COUNT_SHIFT))


@on_device
def _packed_change(change: Any) -> Any:
    # the shift drops the count and leaves the sum's sign in place
    return np.int64(change << _SUM_LEFT)


@on_device
def _packed_may_hold(brightest: Any, before: Any, least: Any, factor: float, _error: float) -> Any:
    lowest = np.int64(before & SUM_BITS) + (least >> 16)
    return np.float64(brightest) > factor * np.float64(lowest)


@on_device
def _packed_may_be(
    level: Any, words: Any, table: Any, _surface: Any, _clutter_model: Any, _error: float, _peak: float
) -> Any:
    # exactly the decision: a product that is only compared cannot be fused with anything
    return level > 0 and np.float64(level) > _threshold(words[0], table)


@on_device
def _packed_score(level: Any, words: Any, table: Any, _surface: Any, _clutter_model: Any) -> Any:
    threshold, value = _threshold(words[0], table), np.float64(level)
    if value == 0 or not threshold < np.inf:
        return -1.0
    score = value / threshold
    return max(score, ABOVE_ONE) if value > threshold else min(score, 1.0)


GAMMA_NUMBER = Running(
    word=np.uint64,
    n_words=1,
    n_sought=1,
    ring=make_direct,
    level=np.uint32,
    power=squared,
    lift=packed,
    change=_packed_change,
    may_hold=_packed_may_hold,
    may_be=_packed_may_be,
    statistics=same_words,
    score=_packed_score,
    is_doubtful=_never,
)
"""gamma on digital numbers."""


# laws of two moments on levels, laid out beforehand: sum and count, squares, and what overflows those


@on_device
def ln_level(power: Any) -> Any:
    """Fixed-point logarithm of a power; 0 for no data."""
    if power > _SMALLEST and power < _LARGEST:
        return np.uint32(2 * np.int64(math.floor(math.log(np.float64(power)) * _HALF_SCALE + 0.5)) + 1 + LN_ZERO)
    return np.uint32(0)


@on_device
def _same(level: Any) -> Any:
    return np.uint32(level)


@on_device
def _moment(level: Any, k: int) -> Any:
    wide = np.uint64(level)
    if k == 0:
        return np.uint64(wide + (np.uint64(level != 0) << COUNT_SHIFT))
    if k == 1:
        return np.uint64(wide * wide)
    return np.uint64(np.uint64(wide * wide) >> TOP_SHIFT)


@on_device
def any_level(brightest: Any, _before: Any, _least: Any, _factor: float, _error: float) -> Any:
    """A chunk may hold a hit as soon as it holds data."""
    return brightest > 0


@on_device
def _moments_need(count: Any, spread: float, table: Any, surface: Any, clutter_model: Any) -> Any:
    """How far above its sum count · level must be."""
    factor = table[count]
    if surface.size <= 1 or not factor < np.inf:
        return math.sqrt(factor * max(spread, 0.0))
    row, last = int(factor), surface.shape[1] - 1
    weight = factor - row
    below = min(row + 1, surface.shape[0] - 1)
    n = np.float64(count)
    variance = spread / (n * (n - 1))
    place, beyond = 0.0, 1.0
    if variance > clutter_model.variance:
        place = math.log(variance / clutter_model.variance) * clutter_model.steps
    if place > last:
        beyond = math.exp(0.5 * (place - last) / clutter_model.steps)
        place = np.float64(last)
    entry = min(int(place), last - 1)
    part = place - entry
    near = surface[row, entry] * (1 - part) + surface[row, entry + 1] * part
    far = surface[below, entry] * (1 - part) + surface[below, entry + 1] * part
    return (near * (1 - weight) + far * weight) * beyond * clutter_model.scale * n


@on_device
def _moments_may_be(
    level: Any, words: Any, table: Any, surface: Any, clutter_model: Any, _error: float, _peak: float
) -> Any:
    first, second, third = words
    count, total = np.int64(first >> COUNT_SHIFT), np.int64(first & SUM_BITS)
    n = np.float64(count)
    above = np.float64(count * np.int64(level) - total)
    if level == 0 or above <= 0 or above < clutter_model.least * n:
        return False
    if surface.size <= 1:
        # without the 128 bits, but never too large
        base = np.uint64(third << TOP_SHIFT)
        square = np.float64(np.int64(third)) * _TOP_UNIT + np.float64(np.uint64(second - base))
        spread = n * square * (1 - _SAFE) - np.float64(total) * np.float64(total)
        if not above * above * (1 + _SAFE) >= table[count] * spread:
            return False
    need = _moments_need(count, _spread(count, total, second, third, TOP_SHIFT), table, surface, clutter_model)
    return above >= need * (1 - _SAFE)


@on_device
def _moments_score(level: Any, words: Any, table: Any, surface: Any, clutter_model: Any) -> Any:
    first, second, third = words
    count, total = np.int64(first >> COUNT_SHIFT), np.int64(first & SUM_BITS)
    if level == 0 or not table[count] < np.inf:
        return -1.0
    above = np.float64(count * np.int64(level) - total)
    need = _moments_need(count, _spread(count, total, second, third, TOP_SHIFT), table, surface, clutter_model)
    if above > 0 and above * above > need * need:
        least, most = ABOVE_ONE, LARGEST_SCORE
    else:
        least, most = 0.0, 1.0
    if clutter_model.scale > 0:
        score = math.exp(min((above - need) / np.float64(count) / clutter_model.scale, 700.0))
    else:
        score = np.float64(level) * np.float64(count) / (np.float64(total) + need)
    return min(max(score, least), most)


SHARP_MOMENTS = Running(
    word=np.uint64,
    n_words=3,
    n_sought=3,
    ring=make_direct,
    level=np.uint32,
    power=_same,
    lift=_moment,
    change=_packed_change,
    may_hold=any_level,
    may_be=_moments_may_be,
    statistics=same_words,
    score=_moments_score,
    is_doubtful=_never,
)
"""Laws of a mean and a deviation on levels below 2³²."""

MOMENTS = replace(SHARP_MOMENTS, n_words=2, n_sought=2)
"""The same where the squares of a ring cannot overflow: the third word stays 0."""
