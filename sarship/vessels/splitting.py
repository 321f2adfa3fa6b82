"""Splitting of groups of hits that hold several vessels, as far as the image tells.

A group is first one box (`boxes.py`). Two boxes are then laid over the same hits in three ways: one behind the other,
cut where the weights dip most or in thirds; side by side; and a second one where the first leaves most behind. The
gains of the best pair of each way over the single box, together with the single box's length and width, give the
chance that each pair tells two vessels apart: a logistic splitting model, its coefficients from real vessels
(OpenSARShip) laid bow to stern with gaps of 5 to 60 m and rafted two and three abreast, by adding their powers, most of
them along a simulated quay (`python -m benchmarks.splitting` fits it again). Where more than one is likelier than one,
the hits are shared out between the boxes of the likeliest pair, and each part is looked at again. With the vessels held
out (one fold of five by MMSI), 86 % of the groups of several are cut, and so are 11 % of those of one, as six in ten of
the groups that the model is fitted on are several.

Two vessels 20 m wide, side by side under a resolution of 20 m, are one bright oblong, and so are a long vessel with
two bridges and two short ones end to end. The bounds say so: a part that may be two has `n_high` 2, and of a pair that
may be one, the lesser has `n_low` 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.detection.grouping import Labels
from sarship.vessels.box_kernels import (
    LENGTH_TO_WIDTH,
    LEVEL,
    SHAPE_PENALTY,
    WIDENING,
    WeightedHits,
    cover_hits,
    fit_box,
)
from sarship.vessels.boxes import HitPlaces, fit_boxes, offsets

__all__ = [
    "COEFFICIENTS",
    "MIN_HITS_TO_SPLIT",
    "MIN_LENGTH_TO_SPLIT",
    "SHARE_AT_PIERS",
    "Part",
    "Parts",
    "features",
    "halves_of",
    "outside",
    "pairs_of",
    "split_groups",
]

Reals = NDArray[np.float64]

COEFFICIENTS: Final = np.array(
    [
        [
            [-8.5965, 0.2276, 1.1395, -0.8404, 1.1174, 0.1022, 0.0819, 0.47, 0.089, -0.5902],
            [-11.3641, 0.0686, 2.9173, -0.5482, 0.5256, 0.1479, 0.2393, 0.1205, -0.0351, -0.3655],
            [-9.3101, 0.1067, 1.1729, 0.9777, 0.3881, -0.3348, 0.1719, 1.0466, -0.0864, -0.3128],
        ],
        [
            [-6.7006, 0.2244, -0.037, 1.5496, -0.5075, 0.5217, -0.042, 0.2651, 0.0053, -0.2391],
            [-7.7747, -0.0325, -0.2409, 2.8772, -0.4881, 0.1736, 0.0904, 0.0091, 0.0246, 0.0669],
            [-8.8918, 0.0921, 1.1205, 0.6973, -0.0395, 0.2463, 0.0289, 0.6704, -0.0837, -0.2383],
        ],
    ]
)
"""Log odds, against one vessel, that the first, second and third pair of boxes tells two vessels apart, linear in
`features`: for whole groups at a pier, and for the parts of groups that were split already."""
SHARE_AT_PIERS: Final = 0.61
"""Share of the groups that the model is fitted on which are more than one vessel."""
SHARE_ELSEWHERE: Final = 0.03
"""The same away from piers: vessels keep clear of one another."""
MIN_CHANCE: Final = 0.1
"""A chance under this is left out of the bounds."""
MIN_LENGTH_TO_SPLIT: Final = 4.5
"""Boxes shorter than this, in pixels, are one vessel."""
MIN_HITS_TO_SPLIT: Final = 8
"""So are groups of fewer hits."""
MIN_HITS: Final = 3
"""Minimum number of hits of a part."""
SECOND_BOX: Final = (5.0, 3.0)
"""Length and width that a second box starts from, pixels."""
GAINS: Final = (-10.0, 30.0)
"""Bounds of a pair's gain over the single box."""
MAX_STEPS: Final = 100
"""Steps of a search for one of two boxes."""


class Pair(NamedTuple):
    """Two boxes over the same hits."""

    boxes: Reals
    """(2, 5)."""
    gain: float
    """Gain of the two over no box."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of groups, one a vessel as far as the image tells; (n_parts,) where not said otherwise.

    Examples
    --------
    >>> one = np.ones(1, np.int64)
    >>> parts = Parts(np.zeros(3, np.int64), np.ones((1, 5)), n_low=one, n_high=2 * one, confidence=np.ones(1))
    >>> parts.n_high
    array([2])
    """

    owner: Labels
    """Number of the part that each place belongs to, (n_hits,)."""
    boxes: Reals
    """(n_parts, 5)."""
    n_low: NDArray[np.int64]
    """Minimum number of vessels of the part: 0 where it may be a piece of its neighbour."""
    n_high: NDArray[np.int64]
    """Maximum number of vessels of the part."""
    confidence: Reals
    """Chance that it is a vessel of its own, not a piece of its neighbour."""


@dataclass(frozen=True, slots=True)
class Part:
    """Hits that may be one vessel."""

    where: NDArray[np.intp]
    """Their numbers among the places."""
    places: HitPlaces
    """They themselves, one group."""
    box: Reals
    gain: float
    is_whole: bool = False
    """True if nothing was split off."""
    own: float = 1.0
    """Chance that it is a vessel of its own."""
    more: float = 0.0
    """Chance that it is more than one."""


def split_groups(places: HitPlaces, boxes: Reals, gains: Reals, is_at_pier: NDArray[np.bool_]) -> Parts:
    """Split groups of hits to parts, one a vessel as far as the image tells.

    Parameters
    ----------
    places
        The hits.
    boxes, gains
        The best box of each group and its gain, from `fit_boxes`; (n_groups, 5) and (n_groups,).
    is_at_pier
        True for groups at a pier, where vessels touching each other are common; (n_groups,).

    Returns
    -------
    Parts
        In order of the groups; the greater part of a group comes first.

    Examples
    --------
    >>> from sarship.model import Hits
    >>> from sarship.vessels import fit_boxes, weigh_hits
    >>> value = np.full(5, 50.0)
    >>> hits = Hits(line=np.full(5, 3), pixel=np.arange(5), value=value, clutter=np.ones(5), score=value / 5)
    >>> places = weigh_hits(hits, np.zeros(5, np.int64), (10.0, 10.0))
    >>> split_groups(places, *fit_boxes(places), np.array([True])).n_high
    array([1])
    """
    shift = float(np.log(SHARE_ELSEWHERE / (1 - SHARE_ELSEWHERE)) - np.log(SHARE_AT_PIERS / (1 - SHARE_AT_PIERS)))
    owner = np.empty(places.y.size, np.int64)
    found: list[Part] = []
    for k in range(len(boxes)):
        where = np.arange(places.first[k], places.first[k + 1])
        whole = Part(where, places.only(where), boxes[k], float(gains[k]), is_whole=True)
        for part in _split(whole, 0.0 if is_at_pier[k] else shift):
            owner[part.where] = len(found)
            found.append(part)
    return Parts(
        owner=owner,
        boxes=np.array([part.box for part in found]).reshape(-1, 5),
        n_low=np.array([part.own >= 1 - MIN_CHANCE for part in found]).astype(np.int64),
        n_high=1 + np.array([part.more >= MIN_CHANCE for part in found]).astype(np.int64),
        confidence=np.array([part.own for part in found]),
    )


def _split(part: Part, shift: float) -> Iterator[Part]:
    """Yield the vessels of a part; itself where it is likelier one."""
    if part.box[3] < MIN_LENGTH_TO_SPLIT or part.where.size < MIN_HITS_TO_SPLIT:
        yield part
        return
    pairs = pairs_of(part)
    coefficients, shift_here = (COEFFICIENTS[0], shift) if part.is_whole else (COEFFICIENTS[1], 0.0)
    odds = np.exp(np.clip(coefficients @ features(part.box, part.gain, pairs) + shift_here, -50, 50))
    chance = float(odds.sum() / (1 + odds.sum()))
    halves = halves_of(part, pairs[int(np.argmax(odds))].boxes) if chance > 0.5 else []
    if not halves:
        yield replace(part, more=min(chance, 0.5))
        return
    greater, lesser = halves
    yield from _split(greater, shift)
    yield from _split(replace(lesser, own=min(part.own, chance)), shift)


def features(box: Reals, gain: float, pairs: Sequence[Pair]) -> Reals:
    """Return the features that the splitting model is linear in.

    One; length and width, pixels; log of the length; length over width; the gain of each pair over the single
    box; width squared; area over ten.
    """
    length, width = box[3], box[4]
    more = [np.clip(pair.gain - gain, *GAINS) for pair in pairs]
    return np.array([1.0, length, width, np.log(length), length / width, *more, width**2, length * width / 10])


def halves_of(part: Part, boxes: Reals) -> list[Part]:
    """Share out the hits of a part between two boxes, and fit each half's own box; the greater first.

    A hit goes to the box it lies deeper in. Empty where one of them gets too little to be a vessel.
    """
    y, x, weight = part.places.of(0)
    nearer = np.argmin([outside(y, x, box) for box in boxes], axis=0)
    halves = []
    for k in (0, 1):
        mine = np.flatnonzero(nearer == k)
        if mine.size < MIN_HITS or not weight[mine].max() > 0:
            return []
        places = part.places.only(mine)
        own_boxes, gains = fit_boxes(places, boxes[k : k + 1])
        halves.append(Part(part.where[mine], places, own_boxes[0], float(gains[0]), own=part.own))
    return sorted(halves, key=lambda half: -half.gain)


def outside(y: Reals, x: Reals, box: Reals) -> Reals:
    """Return the distance of places outside a box, pixels; negative inside."""
    along, across = offsets(y, x, box)
    return np.asarray(np.maximum(np.abs(along) - box[3] / 2, np.abs(across) - box[4] / 2))


def pairs_of(part: Part) -> list[Pair]:
    """Return the best two boxes one behind the other, side by side, and with a second where the first leaves most."""
    hits, box = part.places.of(0), part.box
    ahead = np.array([np.cos(box[2]), np.sin(box[2])])
    aside = np.array([-ahead[1], ahead[0]])
    cuts = [_cut(box, ahead, place) for place in _cuts(hits, box)]
    best = max(cuts, key=lambda pair: _gain(hits, pair))
    halves = np.array([box, box])
    halves[:, 4] /= 2
    halves[0, :2] -= aside * box[4] / 4
    halves[1, :2] += aside * box[4] / 4
    left = hits.weight * (1 - cover_hits(hits.y, hits.x, box))
    spot = int(np.argmax(left))
    second = np.array([hits.y[spot], hits.x[spot], box[2], *SECOND_BOX])
    tried = ((best, 2), (halves, 2), (np.array([box, second]), 1))
    return [_refined(hits, pair, rounds) for pair, rounds in tried]


def _cuts(hits: WeightedHits, box: Reals) -> list[float]:
    """Return cuts along a box, pixels from its middle: at the deepest dip of the weights, and at the thirds."""
    along, across = offsets(hits.y, hits.x, box)
    inside = np.abs(across) <= box[4] / 2 + 0.7
    places = np.arange(-box[3] / 2, box[3] / 2, 0.5)
    near = inside & (np.abs(along - places[:, None]) <= 0.75)
    profile = np.max(np.where(near, hits.weight, 0.0), axis=1, initial=0.0)
    behind, before = np.maximum.accumulate(profile), np.maximum.accumulate(profile[::-1])[::-1]
    dip = (np.minimum(behind, before) - profile)[4:-4]
    thirds = [-box[3] / 6, 0.0, box[3] / 6]
    return [float(places[4 + np.argmax(dip)]), *thirds] if dip.size and dip.max() > 0 else thirds


def _cut(box: Reals, ahead: Reals, place: float) -> Reals:
    """Cut a box in two across its axis, a pixel apart."""
    pair = np.array([box, box])
    pair[:, 3] = np.maximum([place + box[3] / 2 - 0.5, box[3] / 2 - place - 0.5], 1.0)
    pair[0, :2] += ahead * (place - box[3] / 2) / 2
    pair[1, :2] += ahead * (place + box[3] / 2) / 2
    return pair


def _refined(hits: WeightedHits, pair: Reals, rounds: int) -> Pair:
    """Fit each box in turn to the hits that the other leaves."""
    pair = pair.copy()
    for turn in range(2 * rounds):
        k = 1 - turn % 2
        pair[k] = fit_box(hits, cover_hits(hits.y, hits.x, pair[1 - k]), pair[k], MAX_STEPS)[0]
    return Pair(pair, _gain(hits, pair))


def _gain(hits: WeightedHits, pair: Reals) -> float:
    """Return the weight that two boxes cover, less their cost."""
    cover = np.maximum(*(cover_hits(hits.y, hits.x, box) for box in pair))
    shape = SHAPE_PENALTY * (pair[:, 4] - pair[:, 3] / LENGTH_TO_WIDTH - WIDENING) ** 2
    return float(cover @ hits.weight - (LEVEL * pair[:, 3] * pair[:, 4] + shape).sum())
