"""Effective samples of a ring of correlated pixels: the independent ones whose mean or variance spreads as much."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Ring", "ring_of"]

F64 = NDArray[np.float64]


class Ring(NamedTuple):
    """Effective samples of a ring."""

    means: F64
    """Independent pixels whose mean spreads as much as the ring's."""
    squares: F64
    """Independent pixels whose variance spreads as much as the ring's: up to twice as many."""
    shown: F64
    """The ring's variance (sums of n − 1) over the clutter's, on average; NaN where a ring shows none. Below 1 where
    pixels are correlated: a part of the clutter's variance is then in the ring's own mean."""


def ring_of(count: ArrayLike, effective_sample_ratio: ArrayLike) -> Ring:
    """Return the effective samples of a ring of `count` pixels, each `effective_sample_ratio` of an independent one.

    With ρ the correlation between pixels, the mean of n spreads as that of n/Σρ independent ones, and the variance of n
    normal ones as that of n/Σρ² (M. S. Bartlett 1946; Priestley, *Spectral Analysis and Time Series*, 1981,
    section 5.3). `effective_sample_ratio` is 1/Σρ; for Σρ² the correlation is taken to fall as a Gaussian bell over
    lines and pixels, which an imaging system's response comes close to. Σρ² is then half of Σρ where pixels are far
    smaller than the resolution, and as large as Σρ where they are independent. Of the clutter's variance the ring shows
    the part 1 − Σρ/n.

    >>> round(float(ring_of(1240, 0.1).squares))
    248
    """
    count, effective_sample_ratio = np.asarray(count, np.float64), np.asarray(effective_sample_ratio, np.float64)
    means = np.asarray(count * effective_sample_ratio)
    squares = np.asarray(means * np.exp(np.interp(np.log(effective_sample_ratio), _LOG_PART, _LOG_GAIN)))
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.where(means > 1, (1 - 1 / means) * (count / (count - 1)), np.nan)
    return Ring(means, squares, shown)


def _bell_sum(width: F64) -> F64:
    """Σ exp(−k²/2w²) over all whole k."""
    k = np.arange(-40, 41)
    summed = np.exp(-0.5 * (k / np.minimum(width, 4)[:, None]) ** 2).sum(axis=1)
    return np.asarray(np.where(width < 4, summed, width * np.sqrt(2 * np.pi)))


_WIDTHS: Final = np.geomspace(400, 0.1, 600)
_LOG_PART: Final = -2 * np.log(_bell_sum(_WIDTHS))
_LOG_GAIN: Final = 2 * np.log(_bell_sum(_WIDTHS) / _bell_sum(_WIDTHS / np.sqrt(2)))
