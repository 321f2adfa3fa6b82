"""Rules for whole numbers: the gamma model on digital numbers, and models of two parameters on levels.

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

from sarship.cfar.cpu import ca_integer, log_levels, moments
from sarship.cfar.gpu.arguments import Thresholds
from sarship.cfar.gpu.compilation import on_device
from sarship.cfar.gpu.ring_sums import make_direct
from sarship.cfar.gpu.rule import RunningRule

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
_HALF_SCALE = log_levels.LN_SCALE / 2
_SMALLEST, _LARGEST = log_levels.SMALLEST, log_levels.LARGEST

_threshold = on_device(ca_integer.threshold_of)
_spread = on_device(moments.spread_of)


# gamma, digital numbers: one word holds the sum of squares and the count


@on_device
def squared(number: Any) -> Any:
    """Return the power of a digital number."""
    return np.uint32(np.uint32(number) * np.uint32(number))


@on_device
def packed(level: Any, _k: int) -> Any:
    """Return a level and a count of one in one word."""
    return np.uint64(np.uint64(level) + (np.uint64(level != 0) << COUNT_SHIFT))


@on_device
def _packed_change(change: Any) -> Any:
    # the shift drops the count and leaves the sum's sign in place
    return np.int64(change << _SUM_LEFT)


@on_device
def _packed_may_hold(brightest: Any, before: Any, lowest: Any, min_factor: float, _error: float) -> Any:
    total = np.int64(before & SUM_BITS) + (lowest >> 16)
    return np.float64(brightest) > min_factor * np.float64(total)


@on_device
def _packed_may_be_hit(level: Any, words: Any, thresholds: Thresholds, _error: float, _peak: float) -> Any:
    # exactly the decision: a product that is only compared cannot be fused with anything
    return level > 0 and np.float64(level) > _threshold(words[0], thresholds.table)


@on_device
def _packed_score(level: Any, words: Any, thresholds: Thresholds) -> Any:
    threshold, value = _threshold(words[0], thresholds.table), np.float64(level)
    if value == 0 or not threshold < np.inf:
        return -1.0
    score = value / threshold
    return max(score, ABOVE_ONE) if value > threshold else min(score, 1.0)


GAMMA_NUMBER = RunningRule(
    word=np.uint64,
    level=np.uint32,
    power=squared,
    lift=packed,
    n_words=1,
    n_sought=1,
    ring=make_direct,
    change=_packed_change,
    may_hold=_packed_may_hold,
    may_be_hit=_packed_may_be_hit,
    score=_packed_score,
)
"""Gamma model on digital numbers."""


# models of two parameters on levels, laid out beforehand: sum and count, squares, and what overflows those


@on_device
def ln_level(power: Any) -> Any:
    """Return the fixed-point logarithm of a power; 0 for no data."""
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
def any_level(brightest: Any, _before: Any, _lowest: Any, _min_factor: float, _error: float) -> Any:
    """Return True if a chunk holds data: then it may hold a hit."""
    return brightest > 0


@on_device
def _moments_need(count: Any, spread: float, thresholds: Thresholds) -> Any:
    """Return the distance above its sum that count · level must have: from the surface, else by the deviation."""
    factor, surface, model = thresholds.table[count], thresholds.surface, thresholds.model
    if surface.size <= 1 or not factor < np.inf:
        return math.sqrt(factor * max(spread, 0.0))
    row, last = int(factor), surface.shape[1] - 1
    weight = factor - row
    below = min(row + 1, surface.shape[0] - 1)
    n = np.float64(count)
    variance = spread / (n * (n - 1))
    place, beyond = 0.0, 1.0
    if variance > model.min_variance:
        place = math.log(variance / model.min_variance) * model.steps
    if place > last:
        beyond = math.exp(0.5 * (place - last) / model.steps)
        place = np.float64(last)
    entry = min(int(place), last - 1)
    part = place - entry
    near = surface[row, entry] * (1 - part) + surface[row, entry + 1] * part
    far = surface[below, entry] * (1 - part) + surface[below, entry + 1] * part
    return (near * (1 - weight) + far * weight) * beyond * model.scale * n


@on_device
def _moments_may_be_hit(level: Any, words: Any, thresholds: Thresholds, _error: float, _peak: float) -> Any:
    first, second, third = words
    count, total = np.int64(first >> COUNT_SHIFT), np.int64(first & SUM_BITS)
    n = np.float64(count)
    above = np.float64(count * np.int64(level) - total)
    if level == 0 or above <= 0 or above < thresholds.model.min_distance * n:
        return False
    if thresholds.surface.size <= 1:
        # without the 128 bits, but never too large
        base = np.uint64(third << TOP_SHIFT)
        square = np.float64(np.int64(third)) * _TOP_UNIT + np.float64(np.uint64(second - base))
        spread = n * square * (1 - _SAFE) - np.float64(total) * np.float64(total)
        if not above * above * (1 + _SAFE) >= thresholds.table[count] * spread:
            return False
    need = _moments_need(count, _spread(count, total, second, third, TOP_SHIFT), thresholds)
    return above >= need * (1 - _SAFE)


@on_device
def _moments_score(level: Any, words: Any, thresholds: Thresholds) -> Any:
    first, second, third = words
    count, total = np.int64(first >> COUNT_SHIFT), np.int64(first & SUM_BITS)
    if level == 0 or not thresholds.table[count] < np.inf:
        return -1.0
    above = np.float64(count * np.int64(level) - total)
    need = _moments_need(count, _spread(count, total, second, third, TOP_SHIFT), thresholds)
    if thresholds.model.scale > 0:
        score = math.exp(min((above - need) / np.float64(count) / thresholds.model.scale, 700.0))
    else:
        score = np.float64(level) * np.float64(count) / (np.float64(total) + need)
    if above > 0 and above * above > need * need:
        return min(max(score, ABOVE_ONE), LARGEST_SCORE)
    return min(max(score, 0.0), 1.0)


SHARP_MOMENTS = replace(
    GAMMA_NUMBER, power=_same, lift=_moment, n_words=3, n_sought=3, takes_levels=True, may_hold=any_level,
    may_be_hit=_moments_may_be_hit, score=_moments_score,
)  # fmt: skip
"""Models of a mean and a variance, on levels below 2³²."""

MOMENTS = replace(SHARP_MOMENTS, n_words=2, n_sought=2)
"""The same where the squares of a ring cannot overflow: the third word stays 0."""
