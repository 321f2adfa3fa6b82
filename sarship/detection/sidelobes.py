"""Sidelobes of bright targets, and the groups of hits that are no more than that.

The response to a point fades slowly along azimuth and along range: a band of width B that is weighted
a + (1 - a) cos(2πf/B) ends at its edges with 2a - 1, and from a step of that size the response falls off as

    E(x) = ((2a - 1) / (a π B x))²,      x the distance along one axis

(Oliver & Quegan, Understanding SAR Images, 2004, section 3.2, give the uniform band). Sentinel-1 takes a between 0.70
and 0.75; with a = 0.75 and a resolution of 20 m that is −23 dB at 50 m, −28 at 90 m and −32 at 150 m. Around bright
vessels of OpenSARShip the medians are −24, −28 and −32 dB along range and −22, −29 and −33 along azimuth, and nine of
ten lie less than 2 dB above E in range and 6 dB in azimuth (`benchmarks/sidelobes.py`).

So hits reach out to a hundred metres from a bright vessel, and where there is a gap in between, small vessels that are
not there seem to lie in a row.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.detection.grouping import group_hits

__all__ = ["sidelobes_of", "stands_out"]

Reals = NDArray[np.float64]

STEP: Final = 0.183
"""Amplitude of the response over that of its peak, one resolution cell away: (2a - 1) / (a π) over 1.16, the half-power
width in units of 1 / B, at a = 0.75."""
MAIN_LOBE: Final = 1.5
"""Resolution cells within which the response is the peak's own, and the sidelobe is taken as it is there."""
REACH_M: Final = 300.0
"""Maximum distance of a sidelobe: farther off they are 38 dB down, under the sea."""
MARGIN: Final = 3.0
"""Maximum power of a sidelobe over E: 5 dB, under which nearly nine of ten real ones lie."""
SOURCE: Final = 8.0
"""Minimum score of a hit whose sidelobes can be hits: the strongest lie 18 dB down, less the margin, less a few dB for
clutter that is unevenly bright beneath."""


def sidelobes_of(apart_m: tuple[Reals, Reals], resolution_m: tuple[float, float]) -> Reals:
    """Return the power of sidelobes over that of their peak.

    The sidelobes along one axis are as wide across it as the peak is.

    Parameters
    ----------
    apart_m
        Distances from the peak along azimuth and range.
    resolution_m
        Half-power widths along azimuth and range.

    Returns
    -------
    array of float64, of the shape of the distances

    Examples
    --------
    >>> level = sidelobes_of((np.array([0.0, 50.0]), np.array([50.0, 50.0])), (22.0, 20.0))
    >>> np.round(10 * np.log10(level), 1).tolist()
    [-22.7, -84.9]
    """
    level = np.zeros(np.broadcast_shapes(apart_m[0].shape, apart_m[1].shape))
    for along, across in ((0, 1), (1, 0)):
        reach = np.maximum(np.abs(apart_m[along]) / resolution_m[along], MAIN_LOBE)
        beam = np.exp2(-4 * (apart_m[across] / resolution_m[across]) ** 2)
        level = np.maximum(level, np.where(np.abs(apart_m[along]) < REACH_M, (STEP / reach) ** 2 * beam, 0))
    return level


def stands_out(
    power: Reals,
    score: Reals,
    cells: tuple[NDArray[np.int64], NDArray[np.int64]],
    places_m: tuple[Reals, Reals],
    *,
    spacing_m: float,
    link_m: float,
    resolution_m: tuple[float, float],
) -> NDArray[np.bool_]:
    """Return True for each hit of a group that is more than sidelobes of brighter hits outside the group.

    A group is judged by its brightest hit in each polarisation: one of them must exceed the sum of its threshold and
    the strongest sidelobe that falls on it.

    Parameters
    ----------
    power, score
        Power of each polarisation and hit, and its score, (n_polarizations, n_hits); a score of 0 is no decision.
    cells
        Rows and columns of the hits on the grid, sorted by row, then column.
    places_m
        Their places along azimuth and ground range.
    spacing_m, link_m
        Size of a cell, and maximum distance between two hits of one group.
    resolution_m
        Half-power widths along azimuth and range.

    Returns
    -------
    bool, (n_hits,)
    """
    if not cells[0].size:
        return np.zeros(0, np.bool_)
    group = group_hits(*cells, (spacing_m, spacing_m), link_m)
    keeps = np.zeros(int(group.max()) + 1, np.bool_)
    for values, scores in zip(power, score, strict=True):
        ranked = np.lexsort((np.where(scores > 0, values, -1.0), group))
        peaks = ranked[np.append(np.flatnonzero(np.diff(group[ranked])), group.size - 1)]
        sources = np.flatnonzero(scores > SOURCE)
        apart = tuple(place[peaks][:, None] - place[sources] for place in places_m)
        falls = sidelobes_of((apart[0], apart[1]), resolution_m) * values[sources]
        strongest = np.where(group[peaks][:, None] != group[sources], falls, 0.0).max(axis=1, initial=0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            keeps |= values[peaks] > values[peaks] / scores[peaks] + MARGIN * strongest
    return keeps[group]
