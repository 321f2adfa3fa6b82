"""Chances that vessels stayed, arrived and left, with the rate at which they leave each pier, from all passes at once.

As many arrive as leave. Some vessels stay for hours and others for months, so twice the time between two passes does
not make twice as many leave: the rate is constant per square root of it. On a pass that a vessel is there on it may be
missed. The rates and the chance of a miss are those that make the sightings likeliest (expectation maximisation), drawn
towards those of the port where there are few, and these towards what is usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.counts.assignment import link_chances
from sarship.counts.links import Links, Sightings, find_triples

__all__ = ["Stays", "stay_chances"]

Reals = NDArray[np.float64]

CERTAIN: Final = 0.995
"""Most that the chance of a sighting by itself is taken for."""
USUAL_STAY: Final = 3.0
PORT_LEFT: Final = 2.0
PIER_LEFT: Final = 12.0
"""Mean stay where nothing is known, root of days; the departures that this guess is worth for a port, and that of the
port for a pier."""
MISSED: Final = 0.04
SIGHTINGS: Final = 30.0
"""Chance of a miss where nothing is known, and the passes that this guess is worth."""
APART_DAYS: Final = 1e-3
"""Least time between two passes; two satellites may be there at once."""
ROUNDS: Final = 10


@dataclass(frozen=True, eq=False, slots=True)
class Stays:
    """Chances of what sightings are, n of them."""

    is_vessel: Reals
    """Chance that a sighting is a vessel, (n,)."""
    stayed: Reals
    """Chance that a link joins two sightings of one vessel, with none between, (n_links,)."""
    came: Reals
    """Chance that a sighting is a vessel's first, (n,)."""
    went: Reals
    """Chance that it is a vessel's last, (n,)."""


def stay_chances(seen: Sightings, links: Links, days: Sequence[Reals]) -> Stays:
    """Return the chances, over all ways to string sightings into visits.

    Parameters
    ----------
    seen, links
        Sightings, and the links that could be.
    days
        Times of the passes that saw each pier, in days, rising.
    """
    if not len(seen.pier):
        return Stays(*np.empty((4, 0)))
    n, n_piers = len(seen.pier), len(days)
    chance = np.clip(seen.chance, 1 - CERTAIN, CERTAIN)
    source, target = (np.concatenate([side, np.arange(n)]) for side in (links.source, links.target))
    clocks = [
        np.append(0.0, np.cumsum(np.sqrt(np.maximum(np.diff(times), APART_DAYS))))[: len(times)] for times in days
    ]
    time = np.concatenate([np.empty(0), *clocks])
    size = np.array([len(times) for times in days], np.int64)
    here = (np.cumsum(size) - size)[seen.pier] + seen.step
    goes_on = seen.step < size[seen.pier] - 1
    until = np.where(goes_on, time[np.minimum(here + 1, len(time) - 1)] - time[here], 1.0)
    apart = time[here[links.target]] - time[here[links.source]]
    steps = seen.step[links.target] - seen.step[links.source]
    pier = seen.pier[links.source]
    before, after, gain = find_triples(seen, links)
    rate, missed, bonus = np.full(n_piers, 1 / USUAL_STAY), MISSED, np.zeros(len(pier))
    for _ in range(ROUNDS):
        ends = [_open_ends(hazard, times, missed) for hazard, times in zip(rate, clocks, strict=True)]
        opens, closes = (np.concatenate([np.empty(0), *side])[here] for side in zip(*ends, strict=True))
        same = np.exp(bonus - rate[pier] * apart) * missed ** (steps - 1) * links.same
        heir = np.where(steps == 1, -np.expm1(-rate[pier] * apart), 0.0) * links.heir
        weight = (same + heir) / (closes[links.source] * opens[links.target])
        found = link_chances(source, target, np.append(weight, (1 - chance) / (chance * opens * closes)), n)
        is_vessel = 1 - found[len(pier) :]
        stayed = found[: len(pier)] * same / np.maximum(same + heir, np.finfo(np.float64).tiny)
        # half of the way each round, as two links that vouch for each other would take turns
        vouched = np.bincount(before, gain * stayed[after], len(pier))
        vouched += np.bincount(after, gain * stayed[before], len(pier))
        bonus = (bonus + vouched) / 2
        went = np.clip(is_vessel - np.bincount(links.source, stayed, n), 0, 1)
        left = np.where(goes_on, went, 0.0)
        hazard = rate[seen.pier]
        at_risk = left * (1 / hazard - until / np.expm1(hazard * until))  # until when they left, on average
        at_risk = np.bincount(seen.pier, at_risk, n_piers) + np.bincount(pier, stayed * apart, n_piers)
        left = np.bincount(seen.pier, left, n_piers)
        of_port = (left.sum() + PORT_LEFT) / (at_risk.sum() + PORT_LEFT * USUAL_STAY)
        rate = (left + PIER_LEFT) / (at_risk + PIER_LEFT / of_port)
        missed = (stayed @ (steps - 1) + MISSED * SIGHTINGS) / (stayed @ steps + SIGHTINGS)
    came = np.clip(is_vessel - np.bincount(links.target, stayed, n), 0, 1)
    return Stays(is_vessel=is_vessel, stayed=stayed, came=came, went=went)


def _open_ends(rate: float, clock: Reals, missed: float) -> tuple[Reals, Reals]:
    """Return the chances that no earlier pass shows a vessel of a pass, and that no later one does."""
    stays = np.exp(-rate * np.diff(clock))
    opens, closes = np.ones((2, len(clock)))
    for k, stay in enumerate(stays):
        opens[k + 1] = 1 - stay + stay * missed * opens[k]
    for k in range(len(stays) - 1, -1, -1):
        closes[k] = 1 - stays[k] + stays[k] * missed * closes[k + 1]
    return opens, closes
