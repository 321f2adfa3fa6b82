"""Oriented bounding boxes over groups of hits.

A vessel shows as a bright oblong with soft edges, on it a few scatterers a hundred times brighter than the hull,
around it their sidelobes. So each hit counts by its decibels above the noise floor, as a share of those of the
group's brightest hit: its **weight**, 0 … 1. A box gains the weights of the hits it covers and pays `LEVEL` for
each pixel of its area, so its edges come to lie where the weight passes that level: half-way down, in decibels. The
best box (place, angle, length and width at once) is found by a simplex search from three starts, the moments of
the hits above three levels. Unlike an extent it does not hang on the outermost hit, and a tail of sidelobes one
pixel wide does not pay for the width it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.detection.grouping import Labels, group_hits, group_max
from sarship.model import CO_POLARIZED, CROSS_POLARIZED, Hits
from sarship.vessels.box_kernels import LENGTH_TO_WIDTH, WIDENING, WeightedHits, fit_box

__all__ = ["HitPlaces", "fit_boxes", "offsets", "weigh_hits"]

Reals = NDArray[np.float64]

NOISE_DB: Final = -20.0
"""Co-polarised sigma0 that weighs nothing, decibels: about the NESZ of the product, and a calm sea's."""
CROSS_DB: Final = -8.0
"""The same of a cross-polarised image over that; used where there is no co-polarised one."""
MIN_SPAN_DB: Final = 6.0
"""A group whose peak is closer than this to the noise is weighed as if it were that far."""
MAX_STEPS: Final = 300
"""Steps of a search."""
CORES: Final = (0.33, 0.5, 0.65)
"""Weights above which, around the peak, hits are taken for a start."""
CORE_LINK: Final = 1.8
"""Maximum distance between linked hits of a start, pixels."""
START_POWER: Final = 0.25
"""Power of the brightness that the moments of a start are weighted with."""


@dataclass(frozen=True, slots=True)
class HitPlaces:
    """Weighted hits sorted by their group, in units of a pixel's mean size; (n,) where not said otherwise.

    Examples
    --------
    >>> columns = {"line": [4, 4], "pixel": [7, 8], "value": [9.0, 30.0], "clutter": [1.0, 1.0], "score": [2.0, 6.0]}
    >>> pair = Hits(**{name: np.array(values) for name, values in columns.items()})
    >>> places = weigh_hits(pair, np.zeros(2, np.int64), (10.0, 10.0))
    >>> places.of(0).weight.round(2).tolist()
    [0.65, 1.0]
    """

    y: Reals
    """Place down the lines."""
    x: Reals
    """Place across the pixels."""
    weight: Reals
    """0 at the noise floor, 1 at the brightest hit of the group."""
    first: NDArray[np.int64]
    """Start of each group, and the end of the last; (n_groups + 1,)."""
    span_db: Reals
    """Decibels of each group's brightest hit above the noise; (n_groups,)."""
    sides: tuple[float, float]
    """Size of a pixel down the lines and across them, in units of its mean size."""

    @property
    def group(self) -> Labels:
        """Number of each hit's group."""
        return np.repeat(np.arange(self.span_db.size), np.diff(self.first))

    def of(self, group: int) -> WeightedHits:
        """Return the hits of one group."""
        here = slice(self.first[group], self.first[group + 1])
        return WeightedHits(self.y[here], self.x[here], self.weight[here])


def weigh_hits(hits: Hits, group: Labels, spacing_m: tuple[float, float]) -> HitPlaces:
    """Return places and weights of hits, group by group.

    The brightness is the part of a hit above the level expected there (sea, or the empty pier): sigma0 times
    (1 - clutter/value), co-polarised if there is such an image there, else cross-polarised above noise 8 dB lower. Hits
    without sigma0 are weighed by their contrast alone.

    Parameters
    ----------
    hits
        At least one.
    group
        Number of each hit's group, from `detection.group_hits`, (n,).
    spacing_m
        Between lines and between pixels, metres.

    Returns
    -------
    HitPlaces
        The hits sorted by group.

    Examples
    --------
    >>> columns = {"line": [4, 4], "pixel": [7, 8], "value": [9.0, 30.0], "clutter": [1.0, 1.0], "score": [2.0, 6.0]}
    >>> pair = Hits(**{name: np.array(values) for name, values in columns.items()})
    >>> weigh_hits(pair, np.zeros(2, np.int64), (10.0, 10.0)).span_db.round(1).tolist()
    [14.8]
    """
    level = _above_noise(hits)
    peak = np.maximum(group_max(level, group), MIN_SPAN_DB)
    order = np.argsort(group, kind="stable")
    unit = float(np.sqrt(spacing_m[0] * spacing_m[1]))
    sides = float(spacing_m[0] / unit), float(spacing_m[1] / unit)
    return HitPlaces(
        y=hits.line[order].astype(np.float64) * sides[0],
        x=hits.pixel[order].astype(np.float64) * sides[1],
        weight=np.maximum(level / peak[group], 0.0)[order],
        first=np.concatenate([[0], np.cumsum(np.bincount(group))]),
        span_db=peak,
        sides=sides,
    )


def _above_noise(hits: Hits) -> Reals:
    """Return the decibels of each hit over the noise; 0 at or below it."""
    excess = np.ones(len(hits))
    np.divide(hits.value - hits.clutter, hits.value, out=excess, where=hits.value > 0)
    level = np.full(len(hits), np.nan)
    for polarizations, noise_db in ((CO_POLARIZED, NOISE_DB), (CROSS_POLARIZED, NOISE_DB + CROSS_DB)):
        name = next((each for each in polarizations if each in hits.sigma0), None)
        if name is not None:
            power = hits.sigma0[name]
            level = np.where(
                np.isnan(level) & ~np.isnan(power), _decibels(power * excess / 10 ** (noise_db / 10)), level
            )
    contrast = np.divide(hits.value, hits.clutter, out=hits.score.astype(np.float64), where=hits.clutter > 0)
    return np.where(np.isnan(level), _decibels(contrast), level)


def _decibels(power: Reals) -> Reals:
    return np.asarray(10 * np.log10(np.maximum(power, 1.0)))


def fit_boxes(places: HitPlaces) -> Reals:
    """Return the best box over each group of hits.

    Parameters
    ----------
    places
        The hits.

    Returns
    -------
    ndarray
        (n_groups, 5): centre's y and x, angle from the lines' direction (y) towards the pixels' (x) in radians, length
        and width, in pixels.

    References
    ----------
    J. A. Nelder & R. Mead, "A simplex method for function minimization", The Computer Journal 7(4), 1965.

    Examples
    --------
    >>> row = np.arange(12)
    >>> value = np.full(12, 50.0)
    >>> hits = Hits(line=np.full(12, 3), pixel=row, value=value, clutter=np.ones(12), score=value / 5)
    >>> boxes = fit_boxes(weigh_hits(hits, np.zeros(12, np.int64), (10.0, 10.0)))
    >>> y, x, angle, length, width = boxes[0]
    >>> round(y), 5 < x < 6, round(abs(np.degrees(angle))) % 180, 10 < length < 13, width < 3
    (3, np.True_, 90, np.True_, np.True_)
    """
    starts = [_moments(places, core) for core in CORES]
    boxes = np.empty((places.span_db.size, 5))
    for k in range(len(boxes)):
        hits = places.of(k)
        unlike = {start[k].tobytes(): start[k] for start in starts}  # a lone hit's are the same
        boxes[k] = min((fit_box(hits, start, MAX_STEPS) for start in unlike.values()), key=lambda pair: pair[1])[0]
    is_wide = boxes[:, 4] > boxes[:, 3]
    boxes[is_wide] = np.column_stack([boxes[:, :2], boxes[:, 2] + np.pi / 2, boxes[:, 4], boxes[:, 3]])[is_wide]
    return boxes


def offsets(y: Reals, x: Reals, box: Reals) -> tuple[Reals, Reals]:
    """Return places along and across the axis of a box, pixels from its centre; (5,), or (n, 5) with one a place."""
    dy, dx = y - box[..., 0], x - box[..., 1]
    sine, cosine = np.sin(box[..., 2]), np.cos(box[..., 2])
    return dy * cosine + dx * sine, dx * cosine - dy * sine


def _moments(places: HitPlaces, core: float) -> Reals:
    """Return centre, axis and size of the hits above a weight and linked with the peak, (n_groups, 5): a start."""
    n = places.span_db.size
    chosen = _cores(places, core)
    group = places.group[chosen]
    mass = 10 ** (START_POWER * places.weight[chosen] * places.span_db[group] / 10)
    total = np.bincount(group, mass, n)
    y, x = (np.bincount(group, mass * axis[chosen], n) / total for axis in (places.y, places.x))
    dy, dx = places.y[chosen] - y[group], places.x[chosen] - x[group]
    yy, xx, yx = (np.bincount(group, mass * product, n) / total for product in (dy * dy, dx * dx, dy * dx))
    angle = 0.5 * np.arctan2(2 * yx, yy - xx)
    major = np.sqrt(np.maximum((yy + xx) / 2 + np.hypot((yy - xx) / 2, yx), 0.0))
    length = np.maximum(np.sqrt(12) * major, 2.0)
    return np.column_stack([y, x, angle, length, length / LENGTH_TO_WIDTH + WIDENING])


def _cores(places: HitPlaces, core: float) -> NDArray[np.intp]:
    """Return the hits above a weight that are linked with the brightest of their group."""
    group = places.group
    strong = np.flatnonzero(places.weight >= np.minimum(core, group_max(places.weight, group))[group])
    strong = strong[np.lexsort((places.x[strong], places.y[strong]))]
    line, pixel = (
        np.rint(axis[strong] / side).astype(np.int64)
        for axis, side in zip((places.y, places.x), places.sides, strict=True)
    )
    piece = group_hits(line, pixel, places.sides, CORE_LINK)
    order = np.lexsort((-places.weight[strong], group[strong]))
    brightest = np.unique(group[strong][order], return_index=True)[1]
    chosen: NDArray[np.intp] = strong[piece == piece[order[brightest]][group[strong]]]
    return chosen
