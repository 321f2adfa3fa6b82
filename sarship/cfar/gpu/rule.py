"""Decision rules of the kernels: a clutter model and an average on one type of image, in functions of the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sarship.cfar.gpu.compilation import DeviceFunction, on_device

__all__ = ["Rule", "RunningRule"]


@on_device
def _same_words(words: Any) -> Any:
    return words


@on_device
def _never(_score: float, _statistics: Any, _error: float, _peak: float) -> Any:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Decision on a pixel from the statistics of its ring, which are taken ring by ring."""

    word: type
    """Type of the statistics of a ring: `np.uint64` for whole numbers, `np.float64` otherwise."""
    level: type
    """Type of the result of `power`."""
    power: DeviceFunction
    """Pixel → level, 0 for no data."""
    lift: DeviceFunction
    """(level, k) → what it adds to word k."""
    n_words: int
    """Number of words that the ring's statistics take, at most three."""
    ring: Callable[[Rule, DeviceFunction], DeviceFunction]
    """(rule, load) → function of (level, pixels, line, pixel, ring shape, thresholds) → the ring's statistics."""
    score: DeviceFunction
    """(level, statistics, thresholds) → score, −1 for no decision; above 1 for a hit."""
    takes_levels: bool = False
    """True if the image is one of levels, laid out before the search."""

    @property
    def is_exact(self) -> bool:
        """True if sums are exact in any order, so that running ones decide."""
        return self.word is np.uint64


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningRule(Rule):
    """Decision from running sums of up to three words: exact for whole numbers, drifting for others."""

    n_sought: int
    """Number of words that a search needs; a score needs all."""
    change: DeviceFunction
    """Change of the first word since a block began → a number that falls and rises with the sum."""
    may_hold: DeviceFunction
    """(brightest level, first word before the chunk, lowest change, min_factor, error) → False if no pixel is a hit."""
    may_be_hit: DeviceFunction
    """(level, words, thresholds, error, peak) → False if the pixel is no hit; no hit is missed."""
    statistics: DeviceFunction = _same_words
    """Words → the statistics that `score` takes."""
    is_doubtful: DeviceFunction = _never
    """(score, statistics, error, peak) → True if running sums must be replaced by direct ones."""
