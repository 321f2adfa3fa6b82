"""Empty level of every cell, the mean of the lowest group of its dates, and its spread from date to date.

From a low value on, a date belongs to the group as long as it lies within what speckle allows above the group's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sarship.cfar.jit import compiled

__all__ = ["WITHIN", "fit_level", "lowest_groups"]

Power = NDArray[np.float32]

WITHIN: Final = 2.5
"""Deviations above the mean up to which a date belongs to the lowest group; one of 160 empty dates lies above."""
MIN_SHARE: Final = 0.2
"""Share of the dates that the group begins with, so a pier may be busy four dates of five."""
FEW: Final = 8
"""Dates below which the group begins with the lowest alone."""
LOWEST_BELOW: Final = 0.8
"""Deviations that the lowest of few dates is taken to lie under the mean: a date that speckle made dark (ln power has a
long lower tail) shall be no group of its own."""
SAME_LEVEL: Final = 0.03
"""Change of ln level, a tenth of a decibel, below which the share of the sea in it is found."""
PRIOR: Final = 16.0
"""Weight, in dates, of the spread of a cell's neighbours beside its own."""
NEIGHBOURS: Final = 7
"""Side, in cells, of the square that spread is borrowed from: some eight independent cells."""
NEAR: Final = 5
"""Side, in cells, of the square that a cell's level is compared with: a resolution cell either way."""
STEADY: Final = 0.7
UNSTEADY: Final = 1.2
"""Bounds, over the spread of open water, between which a spread is taken as that: estimates of one spread scatter as
much, and a threshold far out in the tail cannot bear it."""
MIN_SPREAD: Final = 0.2
"""Minimum spread of ln power, 0.9 dB: calibration, tide and a fraction of a cell leave as much."""
LINES: Final = 64
"""Rows of the grid that are fitted at a time; all of them would copy the stack."""


def fit_level(
    dates: Sequence[Power], seas: NDArray[np.float64], sea: float, speckle: float, min_dates: int
) -> tuple[Power, Power, NDArray[np.int16]]:
    """Return level, spread and group size of every cell.

    Parameters
    ----------
    dates
        Coregistered dates, each (y, x).
    seas
        Sea level of each.
    sea
        Reference sea level.
    speckle
        Deviation of ln power that the speckle has.
    min_dates
        Minimum number of dates for a spread of its own.
    """
    blocks = [
        lowest_groups(np.stack([date[top : top + LINES] for date in dates]), seas, sea, speckle)
        for top in range(0, len(dates[0]), LINES)
    ]
    level, squares, n_empty = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    spread = _spread(squares, n_empty, speckle, min_dates)
    # from the mean of ln power to the mean of power, as of a lognormal distribution; for speckle that is right to 1 %
    return _smoothed(level, spread, n_empty) * np.exp(spread**2 / 2), spread, n_empty


def lowest_groups(
    cube: Power, seas: NDArray[np.float64], sea: float, spread: float
) -> tuple[Power, Power, NDArray[np.int16]]:
    """Return level, squares and size of the lowest group of every cell.

    Parameters
    ----------
    cube
        Power of the dates, (time, y, x); NaN where nothing was imaged.
    seas
        Sea level of each date, (time,).
    sea
        Reference sea level, which the dates are converted to.
    spread
        Deviation of ln power that the speckle has.

    Returns
    -------
    level, squares, n_empty
        Each (y, x): the exponential of the mean of ln power at the reference sea, NaN where no date has data; the sum
        of squares of ln power about that mean; the number of dates in the group.

    Examples
    --------
    >>> dates = np.array([0.9, 1.1, 1.0, 50.0, 40.0, 60.0], np.float32)[:, None, None]
    >>> level, _, n_empty = lowest_groups(dates, np.ones(6), 1.0, 0.5)
    >>> round(float(level[0, 0]), 1), int(n_empty[0, 0])
    (1.0, 3)
    """
    shape = cube.shape[1:]
    level, squares, n_empty = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int16)
    _grow(cube, seas / sea, sea, spread, level, squares, n_empty)
    return level, squares, n_empty


def _spread(squares: Power, n_empty: NDArray[np.int16], speckle: float, min_dates: int) -> Power:
    """Deviation of ln power of each cell: its own weighed with its neighbours', and not less than theirs."""
    freedom = np.maximum(n_empty - 1, 0).astype(np.float32)
    near_squares = ndimage.uniform_filter(squares, NEIGHBOURS)
    near_freedom = ndimage.uniform_filter(freedom, NEIGHBOURS)
    # the speckle of open water, weighing as one date, stands in where even the neighbours have none
    borrowed = (near_squares + speckle**2 / NEIGHBOURS**2) / (near_freedom + 1 / NEIGHBOURS**2)
    own = (squares + PRIOR * borrowed) / (freedom + PRIOR)
    spread = np.sqrt(np.where(n_empty >= min_dates, np.maximum(own, borrowed), borrowed))
    spread = np.where((spread > STEADY * speckle) & (spread < UNSTEADY * speckle), speckle, spread)
    return np.asarray(np.maximum(spread, MIN_SPREAD), np.float32)


def _smoothed(level: Power, spread: Power, n_empty: NDArray[np.int16]) -> Power:
    """Level without its remaining speckle, by the filter of Lee (1980) on ln power.

    A cell keeps that part of its difference from the mean of its neighbours that their variance owes to structure.
    """
    known = np.isfinite(level)
    value = np.where(known, np.log(np.where(known, level, 1)), 0).astype(np.float32)
    mass = np.maximum(ndimage.uniform_filter(known.astype(np.float32), NEAR), 1e-3)
    mean = ndimage.uniform_filter(value, NEAR) / mass
    variance = np.maximum(ndimage.uniform_filter(value**2, NEAR) / mass - mean**2, 1e-6)
    speckle = spread**2 / np.maximum(n_empty, 1)
    kept = np.clip(1 - 2 * speckle / variance, 0, 1)
    return np.asarray(np.where(known, np.exp(mean + kept * (value - mean)), np.nan), np.float32)


def _grow_loops(  # noqa: C901, PLR0917  (a kernel takes its arrays by position, and holds its loops)
    cube: Power,
    factors: NDArray[np.float64],
    sea: float,
    spread: float,
    level: Power,
    squares: Power,
    n_empty: NDArray[np.int16],
) -> None:
    """Lowest group of each cell: mean of ln power at the reference sea, as a power; squares about it; its size."""
    n_dates, n_y, n_x = cube.shape
    logs, values, ordered = np.empty(n_dates), np.empty(n_dates), np.empty(n_dates)
    dates = np.empty(n_dates, np.int64)
    excess, start = factors - 1, min(1.0, sea / np.exp(np.log(sea)))
    # in the first round, and where all of a cell is sea, as it is on half of the water
    at_first, at_sea = np.log(1 + start * excess), np.log(1 + excess)
    for y in range(n_y):
        for x in range(n_x):
            n = 0
            for date in range(n_dates):
                if cube[date, y, x] > 0:  # NaN is not
                    logs[date], dates[n] = np.log(cube[date, y, x]), date
                    n += 1
            level[y, x], squares[y, x], n_empty[y, x] = np.nan, 0, 0
            if n == 0:
                continue
            mean, taken = np.log(sea), 0
            for _ in range(3):
                before, share = mean, min(1.0, sea / np.exp(mean))
                for k in range(n):
                    date = dates[k]
                    if share == 1:
                        values[k] = logs[date] - at_sea[date]
                    elif share == start:
                        values[k] = logs[date] - at_first[date]
                    else:
                        values[k] = logs[date] - np.log(1 + share * excess[date])
                _sort(values[:n], ordered[:n])
                mean, taken = _lowest(ordered[:n], spread)
                if abs(mean - before) < SAME_LEVEL:
                    break
            for k in range(taken):
                squares[y, x] += (ordered[k] - mean) ** 2
            level[y, x], n_empty[y, x] = np.exp(mean), taken


def _sort_by_ranks(values: NDArray[np.float64], ordered: NDArray[np.float64]) -> None:
    """Put values in ascending order: there are few, and each is compared with all, eight at once, without a branch."""
    ordered[:] = -np.inf
    for k in range(values.size):
        value, rank = values[k], 0
        for other in range(values.size):
            rank += values[other] < value
        ordered[rank] = value
    for k in range(1, ordered.size):  # of equal values only the first has its place
        ordered[k] = max(ordered[k], ordered[k - 1])


def _lowest_group(ordered: NDArray[np.float64], spread: float) -> tuple[float, int]:
    """Mean and size of the lowest group of ascending values."""
    if ordered.size < FEW:
        n_first, mean = 1, ordered[0] + LOWEST_BELOW * spread
    else:
        n_first = max(2, int(MIN_SHARE * ordered.size + 0.5))
        mean = ordered[n_first - 1]
    inside, total, limit, taken = 0, 0.0, -np.inf, 0
    while True:
        before, limit = limit, mean + WITHIN * spread
        if limit < before:
            inside, total = 0, 0.0
        while inside < ordered.size and (inside < n_first or ordered[inside] <= limit):
            total += ordered[inside]
            inside += 1
        mean = total / inside
        if inside <= taken:
            return mean, inside
        taken = inside


_lowest, _sort = compiled(_lowest_group), compiled(_sort_by_ranks)
_grow = compiled(_grow_loops)
