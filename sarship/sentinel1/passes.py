"""Passes of a satellite over a place, from the times of its products.

The ground segment cuts the image of one pass into slices, products of some 25 s that follow each other, and a port may
lie in two of them. Neither the absolute orbit nor the date tells which belong together: the first steps at the equator,
in the middle of an ascending pass over a port there, and the second at midnight. So time alone decides here, for the
catalogues, the stack of a port's dates, the flags and the counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_GAP", "number_passes", "number_slices", "relative_orbit_of"]

Numbers = NDArray[np.int64]

MAX_GAP: Final = np.timedelta64(60, "s")
"""Longest time from the last line of one slice to the first of the next one of a pass: room for two that are missing.
The next pass over a place is an hour and a half away."""
OFFSETS: Final = {"S1A": ((0, 73),), "S1B": ((0, 27),), "S1C": ((8_019, 99), (0, 172)), "S1D": ((0, 42),)}
"""Offset between the absolute and the relative orbit, from an absolute orbit on, the last first: S1C was moved along
its orbit in June 2026."""


def relative_orbit_of(platform: str, absolute_orbit: int) -> int:
    """Return the number of the track, 1 … 175, of an orbit since launch.

    >>> relative_orbit_of("S1A", 45268)
    46
    """
    offset = next(offset for first, offset in OFFSETS[platform] if absolute_orbit >= first)
    return (absolute_orbit - offset) % 175 + 1


def number_passes(platform: ArrayLike, start: ArrayLike, stop: ArrayLike) -> Numbers:
    """Return the number of the pass that each product belongs to.

    Products of one satellite that overlap, or follow within `MAX_GAP`, are of one pass.

    Parameters
    ----------
    platform
        Satellite of each product, (n,).
    start, stop
        Times of the first and the last line, UTC, as datetime64; in any order, (n,).

    Returns
    -------
    ndarray of int64, (n,)
        From 0 in order of the passes' starts, of passes that start together in order of the satellites' names.

    Examples
    --------
    >>> start = np.array(["2024-12-01T23:59:40", "2024-12-02T00:00:05", "2024-12-13T23:59:40"], "datetime64[us]")
    >>> number_passes(["S1A"] * 3, start, start + np.timedelta64(25, "s"))
    array([0, 0, 1])
    """
    names, first, last = _checked(platform, start, stop)
    order = np.lexsort((last, first, names))
    begins = np.ones(order.size, np.bool_)
    for name in np.unique(names):
        (place,) = np.nonzero(names[order] == name)
        rows = order[place]
        reached = np.maximum.accumulate(last[rows])  # a long slice may hold a short one
        begins[place[1:]] = first[rows[1:]] - reached[:-1] > MAX_GAP
    heads = order[begins]
    rank = np.empty(heads.size, np.int64)
    rank[np.lexsort((names[heads], first[heads]))] = np.arange(heads.size)
    numbers = np.empty(order.size, np.int64)
    numbers[order] = rank[np.cumsum(begins) - 1]
    return numbers


def number_slices(platform: ArrayLike, start: ArrayLike, stop: ArrayLike) -> Numbers:
    """Return the number of the slice that each product shows, the same for twins: one slice packed or processed twice.

    Times count to the whole second, as in the names of products (and in `Scene.acquisition`): not every catalogue has
    fractions.

    Parameters
    ----------
    platform, start, stop
        As for `number_passes`.

    Returns
    -------
    ndarray of int64, (n,)
        From 0, in no particular order.

    Examples
    --------
    >>> start = np.array(["2024-12-01T03:43:00.25", "2024-12-01T03:43:00", "2024-12-01T03:43:25"], "datetime64[us]")
    >>> number_slices(["S1A"] * 3, start, start + np.timedelta64(25, "s"))
    array([0, 0, 1])
    """
    names, *times = _checked(platform, start, stop)
    seconds = [each.astype("datetime64[s]").astype(np.int64) for each in times]
    keys = np.column_stack([np.unique(names, return_inverse=True)[1], *seconds])
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1], np.int64).reshape(len(names))


def _checked(*columns: ArrayLike) -> tuple[NDArray[np.str_], NDArray[np.datetime64], NDArray[np.datetime64]]:
    names, first, last = columns
    return np.asarray(names, np.str_), np.asarray(first, "datetime64[ns]"), np.asarray(last, "datetime64[ns]")
