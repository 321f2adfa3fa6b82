"""One global assignment of the vessels of a pass to those of AIS, and the chance of each pair.

Each pair has an odds: how likely it is that one vessel was both seen and heard so, over that they are two. The
assignment maximises the product of the odds; the chance of a pair is the sum over all assignments that have it, which
is exact, by dynamic programming over subsets within each group of vessels that could be one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sarship.ais.positions import DARK_LENGTH_M

__all__ = ["Pairs", "assign", "chances", "displacement_m", "pair_up"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

GATE: Final = 64.0
"""Largest squared distance of a pair, in sigmas: 8 of them, as tails are heavy and the odds decide. At 5, more of the
real ships are called dark falsely, and none fewer are matched with another's AIS."""
GATE_M: Final = 1_500.0
"""Largest distance of a pair, metres."""
FREEDOM: Final = 4.0
"""Degrees of freedom of Student's t: places have heavy tails."""
UNHEARD_M2: Final = 0.05e-6
UNHEARD_ANCHORAGE_M2: Final = 0.5e-6
"""Density of vessels without AIS, a square metre: open water and piers, anchorages."""
DETECTED: Final = 0.9
DETECTED_SMALL: Final = 0.3
"""Chance that the radar shows a vessel: as long as those that it should, and shorter."""
LENGTH_M: Final = 15.0
LENGTH_SHARE: Final = 0.1
"""One sigma of a length by AIS less that by radar, besides the radar's own: metres, and a part of the length."""
MAX_UNLIKE: Final = 16.0
"""Largest squared difference of lengths in sigmas that counts: wrong lengths are common in AIS."""
ANY_LENGTH_M: Final = 150.0
"""Range of the lengths of vessels, where one is not known."""
MAX_GROUP: Final = 11
"""Most vessels on the smaller side of a group; of larger ones the weakest pairs are cut."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a vessel of the radar, a row, and one of AIS, a column."""

    odds: Reals
    """Odds that they are one vessel, (n, m); 0 beyond the gate."""
    along_m: Reals
    """Radar less AIS along the hull or course, metres."""
    across_m: Reals
    """The same to starboard."""
    displaced_m: Reals
    """Displacement along the flight that was taken into account."""


def displacement_m(east: Reals, north: Reals, flight_deg: Reals, incidence_deg: Reals, shift_s: Reals) -> Reals:
    """Return how far the radar shows moving vessels from where they are, along the flight, metres.

    It is the range over the satellite's speed times the radial speed: of a vessel that goes away, back along the
    flight. The radial speed is the part of the horizontal one across the flight, times the sine of the incidence.

    Parameters
    ----------
    east, north
        Velocity, metres a second.
    flight_deg
        Direction of flight; the radar looks to its right.
    incidence_deg
        Angle of incidence.
    shift_s
        Range over speed, seconds.

    References
    ----------
    R. K. Raney, Synthetic aperture imaging radar and moving targets, IEEE Transactions on Aerospace and Electronic
    Systems, AES-7, 1971, 499-505.

    Examples
    --------
    Ten knots away at 39°:

    >>> float(displacement_m(*map(np.float64, (5.144, 0.0, 0.0, 39.0, 113.0))).round())
    -366.0
    """
    look = np.radians(flight_deg + 90.0)
    away = east * np.sin(look) + north * np.cos(look)
    return np.asarray(-shift_s * away * np.sin(np.radians(incidence_deg)))


def pair_up(rows: pd.DataFrame, heard: pd.DataFrame) -> Pairs:
    """Return the pairs of vessels of the radar and of AIS.

    Parameters
    ----------
    rows
        `x`, `y` on the plane, metres; `late_s`, time after that of the positions by AIS; `length_m`, `length_error_m`,
        `flight_deg`, `incidence_deg`, `shift_s`, `detectable_length_m`, `is_anchorage`, `chance` of being a vessel.
    heard
        As from `positions_at`.
    """
    column = {name: rows[name].to_numpy(float)[:, None] for name in _RADAR}
    line = {name: heard[name].to_numpy(float)[None] for name in _HEARD}
    displaced = displacement_m(
        line["east"], line["north"], column["flight_deg"], column["incidence_deg"], column["shift_s"]
    )
    displaced = np.where(np.isfinite(displaced), displaced, 0.0)  # the image's orbit is not known
    flight = np.radians(np.nan_to_num(column["flight_deg"]))
    dx = column["x"] - line["x"] - line["east"] * column["late_s"] - displaced * np.sin(flight)
    dy = column["y"] - line["y"] - line["north"] * column["late_s"] - displaced * np.cos(flight)
    along = dx * line["ahead_x"] + dy * line["ahead_y"]
    across = dx * line["ahead_y"] - dy * line["ahead_x"]
    square = (along / line["along"]) ** 2 + (across / line["across"]) ** 2
    place = -np.log(2 * np.pi * line["along"] * line["across"]) - (FREEDOM / 2 + 1) * np.log1p(square / FREEDOM)
    heard_length = np.where(np.isfinite(line["length_m"]), line["length_m"], DARK_LENGTH_M)
    seen_length = np.where(np.isfinite(column["length_m"]), column["length_m"], DARK_LENGTH_M)
    sigma = np.sqrt(LENGTH_M**2 + (LENGTH_SHARE * heard_length) ** 2 + np.nan_to_num(column["length_error_m"]) ** 2)
    unlike = np.minimum(((seen_length - heard_length) / sigma) ** 2, MAX_UNLIKE)
    known = np.isfinite(line["length_m"]) & np.isfinite(column["length_m"])
    size = np.where(known, -unlike / 2 - np.log(np.sqrt(2 * np.pi) * sigma), -np.log(ANY_LENGTH_M))
    small = np.isfinite(line["length_m"]) & (line["length_m"] < np.nan_to_num(column["detectable_length_m"]))
    detected = np.where(small, DETECTED_SMALL, DETECTED)
    unheard = np.where(column["is_anchorage"] > 0, UNHEARD_ANCHORAGE_M2, UNHEARD_M2) / ANY_LENGTH_M
    log_odds = place + size + np.log(detected / (1 - detected)) - np.log(unheard) + np.log(column["chance"])
    inside = (square <= GATE) & (np.hypot(along, across) <= GATE_M)
    return Pairs(np.where(inside, np.exp(np.minimum(log_odds, 50.0)), 0.0), along, across, displaced)


_RADAR: Final = (
    "x", "y", "late_s", "length_m", "length_error_m", "flight_deg", "incidence_deg", "shift_s", "detectable_length_m",
    "is_anchorage", "chance",
)  # fmt: skip
_HEARD: Final = ("x", "y", "east", "north", "ahead_x", "ahead_y", "along", "across", "length_m")


def assign(odds: Reals) -> Integers:
    """Return the column of each row in the assignment with the largest product of odds, -1 for none, (n,).

    >>> assign(np.array([[9.0, 8.0], [7.0, 0.0], [0.5, 0.0]])).tolist()
    [1, 0, -1]
    """
    n, m = odds.shape
    with np.errstate(divide="ignore"):
        gain = np.maximum(np.log(odds), -1e3)
    row, column = linear_sum_assignment(np.hstack([gain, np.zeros((n, n))]), maximize=True)
    chosen = np.full(n, -1, np.int64)
    real = column < m
    chosen[row[real]] = column[real]
    return chosen


def chances(odds: Reals) -> Reals:
    """Return the chance of each pair over all assignments, (n, m).

    >>> chances(np.array([[3.0, 3.0]])).round(3).tolist()
    [[0.429, 0.429]]
    """
    n, m = odds.shape
    chance = np.zeros((n, m))
    for rows, columns in _groups(odds):
        part = odds[np.ix_(rows, columns)]
        chance[np.ix_(rows, columns)] = _exact(part) if len(columns) <= len(rows) else _exact(part.T).T
    return chance


def _groups(odds: Reals) -> list[tuple[Integers, Integers]]:
    """Return the rows and columns of each group of pairs, of no more than `MAX_GROUP` on the smaller side."""
    n, m = odds.shape
    row, column = np.nonzero(odds)
    strength = odds[row, column]
    order = np.argsort(strength)
    groups: list[tuple[Integers, Integers]] = []
    cut = 0
    while True:
        kept = order[cut:]
        graph = coo_array((np.ones(len(kept)), (row[kept], n + column[kept])), shape=(n + m, n + m))
        labels = connected_components(graph, directed=False)[1]
        groups = []
        for label in np.unique(labels[row[kept]]):
            members = np.flatnonzero(labels == label)
            groups.append((members[members < n], members[members >= n] - n))
        if all(min(len(rows), len(columns)) <= MAX_GROUP for rows, columns in groups):
            return groups
        cut += max(1, len(kept) // 20)


def _exact(odds: Reals) -> Reals:
    """Return the chances of the pairs of one group, with fewer columns than rows, (n, m).

    `ways[mask]` is the sum over the assignments of some rows that use the columns of the mask, of the first rows and of
    the last ones.
    """
    n, m = odds.shape
    masks = np.arange(1 << m)
    with_bit = [masks[masks >> bit & 1 == 1] for bit in range(m)]
    first = np.zeros((n + 1, 1 << m))
    first[0, 0] = 1.0
    last = np.zeros((n + 1, 1 << m))
    last[n] = 1.0  # of the columns that are left, any may stay free
    for k in range(n):
        first[k + 1] = first[k]
        for bit, taken in enumerate(with_bit):
            first[k + 1, taken] += odds[k, bit] * first[k, taken ^ (1 << bit)]
    for k in range(n - 1, -1, -1):
        last[k] = last[k + 1]
        for bit, taken in enumerate(with_bit):
            last[k, taken ^ (1 << bit)] += odds[k, bit] * last[k + 1, taken]
    chance = np.empty((n, m))
    for k in range(n):
        for bit, taken in enumerate(with_bit):
            chance[k, bit] = odds[k, bit] * (first[k, taken ^ (1 << bit)] * last[k + 1, taken]).sum()
    return np.asarray(chance / last[0, 0])
