"""Links between sightings of two passes that could be one vessel, and how much likelier that is than two vessels.

Two at one pier are compared by where their middles lie, along the hull and across, and by their lengths. Of one vessel
they differ by errors of measuring: ends of a hull are found to some ten metres, superstructures lean towards the radar,
to another side from another orbit, and now and then a vessel is cut short or grown together with its neighbour. Of two
vessels they differ as berths and ships do; but who comes often lies where another has left, and is of its kind.

From one orbit a vessel looks the same on every pass. So a link to a pass of another orbit is also judged by the pass
before it, or after, that is of the same orbit again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Links", "Sightings", "find_links", "find_triples"]

Reals = NDArray[np.float64]
Numbers = NDArray[np.int64]

ALONG_M: Final = 60.0
ACROSS_M: Final = 40.0
SWING_REACH_M: Final = 400.0
"""Furthest apart that one vessel is measured, along its hull and across; at anchor, in any direction."""
LENGTH_M: Final = 40.0
LENGTH_SHARE: Final = 0.25
"""Most that two lengths of one vessel differ: metres, and a part of the longer one."""
MOST_STEPS: Final = 3
"""Passes from one sighting of a visit to the next, at most: it may be missed on two."""

ENDS_M: Final = (6.0, 11.0)
"""Deviation of the place along the hull beside half that of the length: from the same orbit, from another."""
BESIDE_M: Final = (3.75, 4.5)
"""Deviation across it, likewise."""
LENGTHS: Final = (0.7, 1.05)
"""Deviation of the difference of two lengths, of the errors that they are given with, likewise."""
SWING_M: Final = 140.0
"""Deviation of east and north at anchor: about the length of a cable and the ship."""
OUTLIERS: Final = 0.28
WIDER: Final = 2.5
"""Part of the pairs that are measured worse, and how many times worse."""

WATERS_M: Final = 12.0
"""Width of the strip along a pier that middles of vessels lie in."""
TAKES_OVER: Final = 0.35
"""Chance that the berth of a vessel that left is taken before the next pass."""
BERTH_M: Final = (25.0, 5.0)
BERTH_SHARE: Final = 0.3
"""Deviation of where the next one lies there, along and across, and of its length, as a part of the other's."""
USUAL_LENGTH: Final = (100.0, 0.5, 5.0)
"""Middle of the lengths, deviation of their logarithm, and the number of vessels that this guess is worth."""
PAIRS_AT_ONCE: Final = 500_000
"""Pairs that are compared at a time, to keep the memory small."""
SAME_NUMBER: Final = 1e3
"""Factor on the density where AIS gives both the same number."""
MOST_GAIN: Final = 4.0
"""Most that the pass of the same orbit counts for or against a link, as a logarithm."""


@dataclass(frozen=True, eq=False, slots=True)
class Sightings:
    """Vessels and candidates at piers, arrays of one length."""

    pier: Numbers
    """Number of the pier."""
    step: Numbers
    """Number of the pass among those that saw the pier."""
    orbit: Numbers
    """Relative orbit."""
    x: Reals
    y: Reals
    """Metres east and north."""
    length_m: Reals
    length_error_m: Reals
    heading_deg: Reals
    chance: Reals
    """Chance that it is a vessel, by what its pass shows."""
    mmsi: Numbers
    """Number that AIS gives it, 0 for none."""
    is_anchored: NDArray[np.bool_]
    """True at an anchorage."""

    def take(self, chosen: NDArray[np.generic]) -> Sightings:
        """Return some of them."""
        return Sightings(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, eq=False, slots=True)
class Links:
    """Pairs of sightings that could be one vessel, arrays of one length."""

    source: Numbers
    target: Numbers
    """Numbers of the earlier and the later one."""
    same: Reals
    """Density of the later one's place and length if it is that vessel, over that of all vessels at the pier."""
    heir: Reals
    """The same if it took the berth of that vessel, times the chance that one does."""

    def take(self, chosen: NDArray[np.generic]) -> Links:
        """Return some of them."""
        return Links(*(getattr(self, name)[chosen] for name in self.__slots__))


def find_links(seen: Sightings, waters_m2: Reals, n_steps: Numbers) -> Links:
    """Return every link that could be.

    Parameters
    ----------
    seen
        Sightings of all piers.
    waters_m2
        Area that the middles of vessels lie in, of each pier.
    n_steps
        Passes that saw each pier.

    Examples
    --------
    One at a quay, and on the next pass one of its size ten metres on, and another further along:

    >>> n = 3
    >>> seen = Sightings(
    ...     pier=np.zeros(n, int), step=np.array([0, 1, 1]), orbit=np.full(n, 87), x=np.array([0.0, 10.0, 55.0]),
    ...     y=np.zeros(n), length_m=np.array([90.0, 95.0, 60.0]), length_error_m=np.full(n, 16.0),
    ...     heading_deg=np.full(n, 90.0), chance=np.ones(n), mmsi=np.zeros(n, int), is_anchored=np.zeros(n, bool),
    ... )
    >>> links = find_links(seen, np.array([9000.0]), np.array([2]))
    >>> links.source, links.target, links.same > 1
    (array([0, 0]), array([1, 2]), array([ True, False]))
    """
    order = np.lexsort((seen.step, seen.pier))
    place = seen.pier * (np.max(n_steps, initial=0) + MOST_STEPS + 1) + seen.step  # rises in that order, gaps between
    begin = np.searchsorted(place[order], place[order] + 1)
    end = np.searchsorted(place[order], place[order] + MOST_STEPS, "right")
    block = np.cumsum(end - begin) // PAIRS_AT_ONCE  # hundreds at anchor, each with all of the next passes, are many
    parts = [(order[:0], order[:0])]
    for one in np.unique(block).tolist():
        mine = np.flatnonzero(block == one)
        first, second = _joined(begin[mine], end[mine])
        pair = order[mine[first]], order[second]
        could = _could_be(*map(seen.take, pair))
        parts.append((pair[0][could], pair[1][could]))
    source, target = (np.concatenate(side) for side in zip(*parts, strict=True))
    was, now = seen.take(source), seen.take(target)
    number = np.maximum(np.bincount(seen.pier, seen.chance, len(waters_m2)), 1.0)
    usual = (number / np.maximum(n_steps, 1) / waters_m2)[was.pier] * _usual_length(seen, now)
    is_known = (was.mmsi > 0) & (now.mmsi > 0)
    same = _density(was, now) / usual * np.where(is_known, SAME_NUMBER, 1.0)
    heir = np.where(is_known | was.is_anchored, 0.0, TAKES_OVER * _density(was, now, is_heir=True) / usual)
    return Links(source, target, same, heir)


def find_triples(seen: Sightings, links: Links) -> tuple[Numbers, Numbers, Reals]:
    """Return pairs of links in a row whose ends are of one orbit and their middle of another, and what they gain.

    Returns
    -------
    before, after
        Numbers of the two links.
    gain
        Logarithm of how much likelier the last sighting is, given the first, than given the middle one alone.
    """
    order = np.argsort(links.source, kind="stable")
    bounds = (np.searchsorted(links.source[order], links.target, side) for side in ("left", "right"))
    before, after = _joined(*bounds)
    after = order[after]
    first, middle, last = links.source[before], links.target[before], links.target[after]
    is_useful = (seen.orbit[first] == seen.orbit[last]) & (seen.orbit[middle] != seen.orbit[last])
    is_useful &= ~seen.is_anchored[middle]
    before, after = before[is_useful], after[is_useful]
    one, between, other = (seen.take(which[is_useful]) for which in (first, middle, last))
    tiny = np.finfo(np.float64).tiny
    gain = np.log(_density(one, other) + tiny) - np.log(_density(between, other) + tiny)
    return before, after, np.clip(gain, -MOST_GAIN, MOST_GAIN)


def _joined(begin: Numbers, end: Numbers) -> tuple[Numbers, Numbers]:
    """Return pairs: each number k with all from `begin[k]` to below `end[k]`."""
    size = end - begin
    first = np.repeat(np.arange(len(begin)), size)
    return first, np.arange(len(first)) - np.repeat(np.cumsum(size) - size - begin, size)


def _could_be(was: Sightings, now: Sightings) -> NDArray[np.bool_]:
    along, across = _apart(was, now)
    near = (np.abs(along) <= ALONG_M) & (np.abs(across) <= ACROSS_M)
    near = np.where(was.is_anchored, np.hypot(along, across) <= SWING_REACH_M, near)
    longer = np.maximum(was.length_m, now.length_m)
    is_alike = np.abs(was.length_m - now.length_m) <= LENGTH_M + LENGTH_SHARE * longer
    is_other = (was.mmsi > 0) & (now.mmsi > 0) & (was.mmsi != now.mmsi)
    return np.asarray(near & is_alike & ~is_other)


def _density(was: Sightings, now: Sightings, *, is_heir: bool = False) -> Reals:
    """Return the density of the later one's place and length, given the earlier one, as the same or at its berth."""
    is_cross = (was.orbit != now.orbit).astype(np.int64)
    error = np.hypot(was.length_error_m, now.length_error_m) * np.array(LENGTHS)[is_cross]
    along = np.hypot(np.array(ENDS_M)[is_cross], error / 2)
    across = np.array(BESIDE_M)[is_cross]
    if is_heir:
        along, across = np.hypot(along, BERTH_M[0]), np.hypot(across, BERTH_M[1])
        error = np.hypot(error, BERTH_SHARE * was.length_m)
    sigmas = (np.where(was.is_anchored, SWING_M, along), np.where(was.is_anchored, SWING_M, across), error)
    differences = (*_apart(was, now), now.length_m - was.length_m)
    density = np.zeros(len(error))
    for part, wider in ((1 - OUTLIERS, 1.0), (OUTLIERS, WIDER)):
        bells = [_bell(d, 0.0, wider * s) for d, s in zip(differences, sigmas, strict=True)]
        density += part * np.prod(bells, axis=0)
    return density


def _bell(value: Reals, middle: float, sigma: Reals | float) -> Reals:
    """Return the density of the normal distribution; `scipy.stats` has it too, and takes a quarter second to load."""
    off = (value - middle) / sigma
    return np.asarray(np.exp(-(off**2) / 2.0) / np.sqrt(2 * np.pi) / sigma)


def _apart(was: Sightings, now: Sightings) -> tuple[Reals, Reals]:
    """Return metres from one to the other along their hulls and across."""
    ahead = np.angle(np.exp(2j * np.radians(was.heading_deg)) + np.exp(2j * np.radians(now.heading_deg))) / 2
    east, north = now.x - was.x, now.y - was.y
    return east * np.sin(ahead) + north * np.cos(ahead), east * np.cos(ahead) - north * np.sin(ahead)


def _usual_length(seen: Sightings, now: Sightings) -> Reals:
    """Return the density that lengths at the port, log-normal, have at those of some sightings."""
    middle, spread, worth = USUAL_LENGTH
    logs, total = np.log(seen.length_m), seen.chance.sum() + worth
    middle = (seen.chance @ logs + worth * np.log(middle)) / total
    spread = np.sqrt((seen.chance @ (logs - middle) ** 2 + worth * spread**2) / total)
    return np.asarray(_bell(np.log(now.length_m), middle, spread) / now.length_m)
