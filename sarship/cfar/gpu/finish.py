"""The last step of the device's search, on the host: clutter and scores of found pixels, by the CPU's formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.censoring import Found
from sarship.cfar.cpu.log_levels import LN_SCALE, Rule
from sarship.cfar.cpu.moments import Limits, Sums, moment_score
from sarship.cfar.goca_soca_os import order_table, side_table
from sarship.cfar.gpu.rules_integer import COUNT_SHIFT, LN_ZERO, SUM_BITS, TOP_SHIFT
from sarship.cfar.jit import compiled
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import ring_table

__all__ = ["NOTHING", "finished"]

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
NOTHING: Found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))
"""No lines, pixels, values, clutter and scores of hits."""


@compiled
def _moment_scores(
    score: F64, level: I64, count: I64, total: I64, low: U64, top: U64, table: F64, surface: F64, rule: Rule
) -> None:
    """Decide found pixels as the CPU does, from the exact sums of their rings."""
    for i in range(score.size):
        score[i] = moment_score(level[i], Sums(count[i], total[i], low[i], top[i]), Limits(table, surface, rule))


def finished(is_number: bool, params: CfarParams, places: I64, words: U64 | F64, value: F64) -> Found:
    """Return the hits among found pixels, from their places and levels, their rings' words and the image's values."""
    line, pixel, level = places.T
    first, second, third = words.T
    if is_number:
        value = value * value
    if params.average == "os":
        return line, pixel, value, first, value / (order_table(params).factor[second.astype(np.int64)] * first)
    if params.average != "ca":
        factor = side_table(params)[third.astype(np.int64), second.astype(np.int64)]
        return line, pixel, value, first / second, value / (factor * first.astype(np.float64))
    factors = ring_table(params)
    if words.dtype == np.float64 and params.clutter_model == "gaussian":
        return line, pixel, value, first, value / (first + np.sqrt(factors[third.astype(np.int64)] * second))
    if words.dtype == np.float64:
        return line, pixel, value, first / second, value / (factors[second.astype(np.int64)] * first)
    count, total = (first >> COUNT_SHIFT).astype(np.int64), (first & SUM_BITS).astype(np.int64)
    if params.clutter_model == "gamma" or params.clutter_shape is not None:
        sums = total.astype(np.float64)
        return line, pixel, value, sums / count, value / (factors[count] * sums)
    surface, scale = ring_surface(params), LN_SCALE if params.clutter_model != "gaussian" else 0.0
    rule = Rule(
        scale=scale,
        centre=0,
        bias=np.uint64(0),
        shift=TOP_SHIFT,
        least=surface.least * scale,
        variance=surface.variance * scale**2,
        steps=surface.steps,
    )
    score, low, top = np.empty(len(value)), np.ascontiguousarray(second), np.ascontiguousarray(third)
    levels = np.ascontiguousarray(level)
    _moment_scores(score, levels, count, total, low, top, factors, surface.entries, rule)
    mean = total / count
    clutter = np.exp((mean - (1 if is_number else 1 + LN_ZERO)) / LN_SCALE) if scale else mean
    found = score > 1
    return line[found], pixel[found], value[found], clutter[found], score[found]
