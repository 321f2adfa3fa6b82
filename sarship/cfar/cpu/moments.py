"""Decisions of the two-parameter detectors from a ring's exact sums of levels and of their squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.log_levels import Rule
from sarship.cfar.jit import ABOVE_ONE, uncounted

__all__ = ["SAFE", "Limits", "Sums", "may_be_hit", "moment_score", "spread_of", "square_of_need"]

SAFE = 1e-12
"""Relative error that comparisons in floats allow for."""
_HALF = np.uint64(32)
_LOW = np.uint64((1 << 32) - 1)
_ONE = np.uint64(1)
_WORD_BITS = np.uint64(64)
_WORD = 2.0**64

F64 = NDArray[np.float64]


class Limits(NamedTuple):
    """Numbers that levels and sums are compared with."""

    table: F64
    """By the ring's count: factors over the spread; rows of the surface where there is one."""
    surface: F64
    """Thresholds by count and variance; empty for none."""
    rule: Rule


class Sums(NamedTuple):
    """Sums over a ring, and its number of pixels."""

    n: int
    total: int
    low: np.uint64
    """Sum of squares without what overflows 64 bits."""
    top: np.uint64
    """Sum of the bright levels' squares without their lower bits."""


@uncounted
def spread_of(count: int, total: int, low: np.uint64, top: np.uint64, shift: np.uint64) -> float:
    """Count × sum of squares − square of the sum, exact in 128 bits and then rounded, high word and low word."""
    n, size = np.uint64(count), np.uint64(abs(total))
    # the sum of squares lies in [top, top + count) · 2^shift, less than one overflow wide, and ends in `low`
    high = (top >> (_WORD_BITS - shift)) + np.uint64(low < np.uint64(top << shift))
    first = (low & _LOW) * n
    second = (low >> _HALF) * n + (first >> _HALF)
    product_low, product_high = (second << _HALF) | (first & _LOW), high * n + (second >> _HALF)
    right, left = size & _LOW, size >> _HALF
    square, middle = right * right, np.uint64((right * left) << _ONE)
    square_low = square + (middle << _HALF)
    square_high = left * left + (middle >> _HALF) + np.uint64(square_low < square)
    high_word = product_high - square_high - np.uint64(product_low < square_low)
    return float(np.float64(high_word) * _WORD + np.float64(np.uint64(product_low - square_low)))


@uncounted
def square_of_need(count: int, spread: float, limits: Limits) -> float:
    """Square of how far above its sum count · level must be."""
    table, surface, rule = limits.table, limits.surface, limits.rule
    if surface.size == 0 or not table[count] < np.inf:
        return float(table[count] * spread)
    row, n_entries = int(table[count]), surface.shape[1]
    weight = table[count] - row
    below = min(row + 1, surface.shape[0] - 1)
    variance = spread / (np.float64(count) * (np.float64(count) - 1))
    place, beyond = 0.0, 1.0
    if variance > rule.variance:
        place = np.log(variance / rule.variance) * rule.steps
    if place > n_entries - 1:
        beyond = np.exp(0.5 * (place - (n_entries - 1)) / rule.steps)
        place = np.float64(n_entries - 1)
    entry = min(int(place), n_entries - 2)
    part = place - entry
    near = surface[row, entry] * (1 - part) + surface[row, entry + 1] * part
    far = surface[below, entry] * (1 - part) + surface[below, entry + 1] * part
    need = (near * (1 - weight) + far * weight) * beyond * rule.scale * np.float64(count)
    return float(need * need)


@uncounted
def moment_score(level: int, sums: Sums, limits: Limits) -> float:
    """Power over its threshold: above 1 for a hit and at most 1 for none, whatever rounds; NaN for no decision."""
    rule, count = limits.rule, sums.n
    if level == 0 or not limits.table[count] < np.inf:
        return np.nan
    above = np.float64(count * level - sums.total)
    square = square_of_need(count, spread_of(count, sums.total, sums.low, sums.top, rule.shift), limits)
    if rule.scale > 0:
        score = np.exp((above - np.sqrt(square)) / np.float64(count) / rule.scale)
    else:
        n = np.float64(count)
        score = np.float64(level + rule.centre) * n / (np.float64(sums.total + rule.centre * count) + np.sqrt(square))
    if above > 0 and above * above > square:
        return float(max(score, np.float64(ABOVE_ONE)))
    return float(min(score, 1.0))


@uncounted
def may_be_hit(level: int, sums: Sums, limits: Limits) -> bool:
    """Return True if a pixel could be a hit, by a comparison in floats that never misses one."""
    shift, n, base = limits.rule.shift, np.float64(sums.n), np.uint64(sums.top << limits.rule.shift)
    above = n * np.float64(level) - np.float64(sums.total)
    if level == 0 or above <= 0 or above < limits.rule.least * n:
        return False
    square = np.float64(sums.top) * np.float64(_ONE << shift) + np.float64(np.uint64(sums.low - base))
    spread = n * square * (1 - SAFE) - np.float64(sums.total) * np.float64(sums.total)
    return bool(above * above * (1 + SAFE) >= square_of_need(sums.n, spread, limits))
