"""Rules for float power: running sums find the candidates, direct sums decide them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from sarship.cfar.cpu import rows, two_parameter_float
from sarship.cfar.gpu.arguments import Thresholds
from sarship.cfar.gpu.compilation import DeviceFunction, made_once, on_device
from sarship.cfar.gpu.ring_sums import make_centred
from sarship.cfar.gpu.rule import RunningRule
from sarship.cfar.gpu.rules_integer import ABOVE_ONE, GAMMA_NUMBER, LARGEST_SCORE, any_level

__all__ = ["finite", "gamma_float", "gaussian_float", "sum_and_count", "sum_score"]

_SCORE_ERROR = 1e-9
"""Relative error of a ring's sum or spread that a float32 score does not show."""
_SMALLEST = 1e-250
"""Spreads below this are taken as none when candidates are sought: their squares underflow."""


@on_device
def _float_may_be(
    value: float, count: float, total: float, square: float, factor: float, error: float, error_2: float
) -> Any:
    """Return True if a pixel could be a hit, however the running sums have drifted."""
    above = count * value - (total - error)
    spread = count * (square * (1 - 1e-12) - error_2) - (total + error) * (total + error) - _SMALLEST
    return (above >= 0) & (above * above >= factor * spread)


@on_device
def sum_and_count(level: Any, k: int) -> Any:
    """Return the part of a level in the sum (k 0) or in the count (k 1)."""
    return np.float64(level) if k == 0 else np.float64(level > 0)


@on_device
def _sum_square_and_count(level: Any, k: int) -> Any:
    if k == 0:
        return np.float64(level)
    return np.float64(level) * np.float64(level) if k == 1 else np.float64(level > 0)


@on_device
def _float_change(change: Any) -> Any:
    return change


@on_device
def _sum_may_hold(brightest: Any, before: float, lowest: float, min_factor: float, error: float) -> Any:
    return brightest > 0 and np.float64(brightest) >= min_factor * (before + lowest - error)


@on_device
def _sum_may_be_hit(level: Any, words: Any, thresholds: Thresholds, error: float, _peak: float) -> Any:
    # a whole ring has the smallest factor, so the count need not be known
    return level > 0 and np.float64(level) >= thresholds.table[thresholds.table.size - 1] * (words[0] - error)


@on_device
def sum_score(level: Any, words: Any, thresholds: Thresholds) -> Any:
    """Score over the table's factor times the first word; the second is the count."""
    factor, value = thresholds.table[np.int64(words[1])], np.float64(level)
    if value == 0 or not factor < np.inf:
        return -1.0
    threshold = factor * words[0]
    score = min(value / threshold, LARGEST_SCORE)
    return max(score, ABOVE_ONE) if value > threshold else min(score, 1.0)


@on_device
def _sum_is_doubtful(score: float, words: Any, error: float, _peak: float) -> Any:
    return error > _SCORE_ERROR * words[0] or score > 1 - 2 * _SCORE_ERROR


@on_device
def _centred_may_be_hit(level: Any, words: Any, thresholds: Thresholds, error: float, peak: float) -> Any:
    factor = thresholds.table[thresholds.table.size - 1]
    return level > 0 and _float_may_be(np.float64(level), words[2], words[0], words[1], factor, error, error * peak)


@on_device
def _centred(words: Any) -> Any:
    mean = words[0] / words[2]
    return mean, words[1] / words[2] - mean * mean, words[2]


@on_device
def _centred_score(level: Any, statistics: Any, thresholds: Thresholds) -> Any:
    factor, value = thresholds.table[np.int64(statistics[2])], np.float64(level)
    if value == 0 or not factor < np.inf:
        return -1.0
    score = value / (statistics[0] + math.sqrt(factor * max(statistics[1], 0.0)))
    return float(min(max(score, ABOVE_ONE), LARGEST_SCORE) if score > 1 else score)


@on_device
def _centred_is_doubtful(score: float, statistics: Any, error: float, peak: float) -> Any:
    mean, spread, count = statistics
    doubt = error * peak / count + 2 * mean * error / count + 1e-15 * mean * mean
    return doubt > _SCORE_ERROR * spread or error > _SCORE_ERROR * mean * count or score > 1 - 4 * _SCORE_ERROR


@made_once
def finite(real: type, largest: float) -> DeviceFunction:
    """Make the power of a pixel: as it is, 0 for what is not a number or would overflow in sums."""

    def power(value: Any) -> Any:
        return value if value < largest else real(0)

    return on_device(power)


@made_once
def gamma_float(real: type) -> RunningRule:
    """Return the rule of the gamma model on power of type `np.float32` or `np.float64`."""
    return replace(
        GAMMA_NUMBER, word=np.float64, level=real, power=finite(real, rows.LARGEST), lift=sum_and_count, n_words=2,
        change=_float_change, may_hold=_sum_may_hold, may_be_hit=_sum_may_be_hit, score=sum_score,
        is_doubtful=_sum_is_doubtful,
    )  # fmt: skip


@made_once
def gaussian_float(real: type) -> RunningRule:
    """Return the rule of the Gaussian model on power of type `np.float32` or `np.float64`."""
    return replace(
        gamma_float(real), power=finite(real, two_parameter_float.LARGEST), lift=_sum_square_and_count, n_words=3,
        n_sought=3, ring=make_centred, may_hold=any_level, may_be_hit=_centred_may_be_hit, statistics=_centred,
        score=_centred_score, is_doubtful=_centred_is_doubtful,
    )  # fmt: skip
