"""Segments of constant level in a series, exactly: the chance of a change in each gap between two passes.

The model: passes fall into segments. Between two passes a change comes with the hazard 1 - exp(-days / `MEAN_DAYS`), so
unequal gaps and missing passes need no rule of their own. The sum over all ways to cut is exact, in O(n²). Within a
segment

- counts are Poisson of one level, whose prior is exponential with the mean of the series (`find_segments`). How far
  they scatter is not estimated first: a step looks like scatter, and would hide itself;
- brightness in several channels is normal in each, of a level of its own and of a noise that was measured elsewhere and
  is taken for known as well as `NOISE_PASSES` passes tell it (`find_steps`): what stands on a yard scatters more than
  the bare ground does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

__all__ = ["NOISE_PASSES", "Cut", "Segments", "find_segments", "find_steps", "gamma_rate"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

MEAN_DAYS: Final = 1000.0
"""Mean time between changes, days."""
MIN_PASSES: Final = 3
"""Minimum number of passes of a segment: one vessel's stay is no change of level."""
MIN_NEWEST: Final = 2
"""The same of the last segment, which has only begun."""
MIN_MEAN: Final = 0.3
"""Minimum mean of the prior of a level, vessels: a pier that was always empty has a level near 0, not 0."""
NOISE_PASSES: Final = 4.0
"""Number of passes that tell a noise as well as it is known."""
LEVEL_SPREAD: Final = 0.9
"""Deviation of the prior of a level of ln power, 4 dB."""
WINDOW: Final = 0.9
"""Chance that a change, if there is one, lies within its window."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A change of level: between the passes `at - 1` and `at`, as likely as not elsewhere in its window."""

    at: int
    """First pass of the new level, if the change lies in the likeliest gap."""
    first: int
    """The same, if it lies in the earliest gap of the window."""
    last: int
    """The same, if it lies in the latest gap of the window."""
    probability: float
    """Chance that a change lies in the window."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Segments of a series of n passes, and how sure they are."""

    any_change: float
    """Chance that the level changed at all."""
    by_gap: Reals
    """Chance of a change between each pass and the next, (n - 1,)."""
    cuts: tuple[Cut, ...]
    """Changes between the segments of the likeliest way to cut."""


def find_segments(series: Integers, days: Reals) -> Segments:
    """Cut a series of counts into segments of constant level.

    Parameters
    ----------
    series
        Counts, (n_series, n_passes). The first row is cut; chances are means over the others, which are draws of the
        same counts within their intervals, or over the first where it is alone.
    days
        Time of each pass, ascending, days.

    Returns
    -------
    Segments
        Chances, and the cuts with their windows.

    References
    ----------
    Fearnhead, P., Exact and efficient Bayesian inference for multiple changepoint problems, Statistics and Computing,
    16, 2006, 203-213.

    Examples
    --------
    >>> found = find_segments(np.array([[3, 4, 3, 2, 3, 4, 0, 0, 0, 0, 1, 0]]), 12.0 * np.arange(12))
    >>> [(cut.at, cut.first, cut.last, round(cut.probability, 2)) for cut in found.cuts]
    [(6, 6, 6, 0.89)]
    """
    return _cut(_log_counts(series), days)


def find_steps(series: Reals, noise: Reals, days: Reals, weight: float = 1.0) -> Segments:
    """Cut the ln power of a place into segments of constant level, in all channels at the same passes.

    Parameters
    ----------
    series
        Ln power, (n_channels, n_passes), NaN where a channel has no value on a pass: each polarisation of each orbit is
        a channel with a level of its own.
    noise
        Deviation of each channel from pass to pass while nothing changes, (n_channels,).
    days
        Time of each pass, ascending, days.
    weight
        Power of the likelihood: under 1 where the channels are not independent of each other.

    Returns
    -------
    Segments
        Chances, and the cuts with their windows.

    Examples
    --------
    Two orbits in turn, and a yard that emptied:

    >>> level = np.array([1.0, 0.9, 1.1, 1.0, 1.2, 0.9, 0.1, 0.0, -0.1, 0.1, 0.0, 0.1])
    >>> turn = np.arange(12) % 2 == np.arange(2)[:, None]
    >>> found = find_steps(np.where(turn, level, np.nan), np.full(2, 0.1), 6.0 * np.arange(12))
    >>> [(cut.at, cut.first, cut.last, round(cut.probability, 2)) for cut in found.cuts]
    [(6, 6, 6, 1.0)]
    """
    return _cut(weight * _log_levels(series, noise), days)


def _cut(levels: Reals, days: Reals) -> Segments:
    """Return the segments, from the log likelihood of each possible one, (n_series, n, n + 1)."""
    n = levels.shape[1]
    log = _with_prior(levels, days)
    before, after = np.full((2, len(log), n + 1), -np.inf)
    before[:, 0] = after[:, n] = 0.0
    for k in range(1, n + 1):
        before[:, k] = _log_sum(before[:, :k] + log[:, :k, k])
        after[:, n - k] = _log_sum(log[:, n - k, n - k + 1 :] + after[:, n - k + 1 :])
    drawn = slice(1 if len(log) > 1 else 0, None)
    total = before[drawn, n, None, None]
    # chance that the passes i … j - 1 are a segment of their own
    share = np.exp(before[drawn, :n, None] + log[drawn] + after[drawn, None] - total).mean(axis=0)
    ends = [0, *_likeliest_cuts(log[0]), n]
    cuts = []
    for left, at, right in zip(ends, ends[1:], ends[2:], strict=False):
        first, last = _window(log[drawn, left, left + 1 : right] + log[drawn, left + 1 : right, right], left + 1)
        cuts.append(Cut(at, first, last, float(1 - share[:first, last + 1 :].sum())))
    return Segments(any_change=float(1 - share[0, n]), by_gap=share.sum(axis=1)[1:], cuts=tuple(cuts))


def gamma_rate(series: Integers) -> Reals:
    """Return the rate of the exponential prior of the levels of each series, passes a vessel, (n_series,)."""
    return np.asarray(1 / np.maximum(series.mean(axis=1), MIN_MEAN))


def _log_counts(series: Integers) -> Reals:
    """Return the log likelihood of each segment of counts, (n_series, n, n + 1): passes i … j - 1 at [:, i, j].

    What all ways to cut have in common is left out.
    """
    n = series.shape[1]
    sums = np.pad(np.cumsum(series, axis=1), ((0, 0), (1, 0)))
    start, stop = np.ogrid[:n, : n + 1]
    length = np.maximum(stop - start, 0)
    total = np.maximum(sums[:, None, :] - sums[:, :n, None], 0)
    rate = gamma_rate(series)[:, None]
    # a level of the prior Gamma(1, rate) integrated out
    level = gammaln(1.0 + np.arange(sums.max() + 1))[total] - (1 + total) * np.log(rate + np.arange(n + 1))[:, length]
    return np.asarray(level + np.log(rate)[:, :, None])


def _log_levels(series: Reals, noise: Reals) -> Reals:
    """Return the same of ln power, (1, n, n + 1): the sum over the channels."""
    seen = np.isfinite(series)
    apart = np.where(seen, series - np.nanmedian(series, axis=1, keepdims=True), 0.0)
    number, total, squares = (_sums(values) for values in (seen.astype(float), apart, apart**2))
    # level and variance integrated out: normal, and inverse gamma around that of the noise
    shape, scale = NOISE_PASSES / 2, (NOISE_PASSES / 2 * noise**2)[:, None, None]
    weight = ((noise / LEVEL_SPREAD) ** 2)[:, None, None]
    rest = np.maximum(squares - total**2 / (weight + number), 0.0)
    log = gammaln(shape + number / 2) - gammaln(shape) + shape * np.log(scale)
    log += 0.5 * np.log(weight / (weight + number)) - (shape + number / 2) * np.log(scale + rest / 2)
    return np.asarray(log.sum(axis=0, keepdims=True))


def _sums(values: Reals) -> Reals:
    """Return the sum of passes i … j - 1 at [:, i, j], 0 where there are none."""
    n = values.shape[1]
    sums = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    is_some = np.arange(n + 1) > np.arange(n)[:, None]
    return np.where(is_some, sums[:, None, :] - sums[:, :n, None], 0.0)


def _with_prior(levels: Reals, days: Reals) -> Reals:
    """Return log likelihood and prior of each possible segment; the hazard of the change at its start is in it."""
    n = levels.shape[1]
    start, stop = np.ogrid[:n, : n + 1]
    gaps = np.diff(days) / MEAN_DAYS
    quiet = np.pad(-np.cumsum(gaps), (1, 0))
    prior = np.append(0.0, np.log(-np.expm1(-gaps)))[:, None] + quiet[np.maximum(stop, 1) - 1] - quiet[start]
    is_long = stop - start >= np.where(stop == n, MIN_NEWEST, MIN_PASSES)
    return np.where(is_long, levels + prior, -np.inf)


def _log_sum(terms: Reals) -> Reals:
    """Return the log of the sum of exponentials along the last axis; scipy's own costs more than the sums here."""
    top = np.maximum(terms.max(axis=-1), np.finfo(np.float64).min)  # all may be impossible
    with np.errstate(divide="ignore"):
        return np.asarray(top + np.log(np.exp(terms - top[:, None]).sum(axis=-1)))


def _likeliest_cuts(log: Reals) -> list[int]:
    """Return the first pass of each segment but the first of the likeliest way to cut."""
    n = len(log)
    best, back = np.full(n + 1, -np.inf), np.zeros(n + 1, np.int64)
    best[0] = 0.0
    for k in range(1, n + 1):
        ways = best[:k] + log[:k, k]
        back[k] = ways.argmax()
        best[k] = ways[back[k]]
    cuts = []
    k = int(back[n])
    while k:
        cuts.append(k)
        k = int(back[k])
    return cuts[::-1]


def _window(ways: Reals, start: int) -> tuple[int, int]:
    """Return the ends of the smallest set of places that holds a cut with the chance `WINDOW`."""
    chance = np.exp(ways - ways.max(axis=1, keepdims=True))
    chance = (chance / chance.sum(axis=1, keepdims=True)).mean(axis=0)
    order = np.argsort(-chance, kind="stable")
    held = order[: int(np.searchsorted(np.cumsum(chance[order]), WINDOW)) + 1]
    return start + int(held.min()), start + int(held.max())
