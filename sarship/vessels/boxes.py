"""A rectangle laid over each group of hits.

A vessel shows as a bright oblong with soft edges, on it a few scatterers a hundred times brighter than the hull,
around it their sidelobes. So what counts is how many decibels a hit lies above the sea, as a share of what the
group's brightest hit does: its **weight**, 0 … 1. A box gains the weights of the hits it covers and pays `LEVEL` for
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

from sarship.detection.grouping import Labels, group_hits, largest
from sarship.model import Hits

__all__ = ["LEVEL", "SHAPE", "STEP", "HitPlaces", "fit_boxes", "weigh_hits"]

Reals = NDArray[np.float64]

FLOOR_DB: Final = -20.0
"""Brightness (co-polarised sigma0) that counts nothing, decibels: about the noise of the product, and a calm sea's."""
LOSS_DB: Final = 8.0
"""How far cross-polarised floor lies under the co-polarised one; used where there is no co-polarised image."""
MIN_SPAN_DB: Final = 6.0
"""A group whose peak is closer than this to the floor is weighed as if it were that far."""
LEVEL: Final = 0.45
"""Weight at which the edge of a box comes to lie."""
SHAPE: Final = np.array([6.4, 2.0, 0.1])
"""Length over width of a vessel (median of 162), pixels that the image adds to the width, price of another shape."""
STEP: Final = np.array([0.7, 0.7, 0.2, 1.5, 0.7])
"""First steps of the search: pixels, pixels, radians, pixels, pixels."""
MOST: Final = 300
"""Steps of a search at most."""
CORES: Final = (0.33, 0.5, 0.65)
"""Weights above which, around the peak, hits are taken for a start."""
TOUCHING: Final = 1.8
"""Pixels between hits of a start that hang together."""
START_POWER: Final = 0.25
"""Power of the brightness that the moments of a start are weighted with."""


@dataclass(frozen=True, slots=True)
class HitPlaces:
    """Hits sorted by their group, in units of a pixel's mean size; all (n,) but `first`."""

    y: Reals
    """Place down the lines."""
    x: Reals
    """Place across the pixels."""
    weight: Reals
    """0 at the floor, 1 at the brightest hit of the group."""
    order: NDArray[np.intp]
    """Number of each in the `Hits`."""
    first: NDArray[np.int64]
    """Where each group starts, and the end of the last; (n_groups + 1,)."""
    span_db: Reals
    """How far each group's brightest hit lies above the floor, decibels; (n_groups,)."""
    sides: tuple[float, float]
    """Size of a pixel down the lines and across them, in units of its mean size."""

    @property
    def group(self) -> Labels:
        """Number of each hit's group."""
        return np.repeat(np.arange(self.span_db.size), np.diff(self.first))

    def of(self, group: int) -> tuple[Reals, Reals, Reals]:
        """`y`, `x` and `weight` of one group."""
        here = slice(self.first[group], self.first[group + 1])
        return self.y[here], self.x[here], self.weight[here]

    def only(self, where: NDArray[np.intp]) -> HitPlaces:
        """These hits of one group as a group of their own, weighed against the brightest of them."""
        span_db = self.span_db[np.searchsorted(self.first, where[0], "right") - 1]
        peak = max(float(self.weight[where].max()), MIN_SPAN_DB / span_db)
        return HitPlaces(
            y=self.y[where],
            x=self.x[where],
            weight=self.weight[where] / peak,
            order=self.order[where],
            first=np.array([0, where.size]),
            span_db=np.array([span_db * peak]),
            sides=self.sides,
        )


def weigh_hits(hits: Hits, group: Labels, spacing_m: tuple[float, float]) -> HitPlaces:
    """Places and weights of hits, group by group.

    The brightness is what the hit has above the level expected there (sea, or the empty pier): sigma0 times
    (1 - clutter/value), co-polarised if there is such an image, else cross-polarised with its floor 8 dB lower. Hits
    that come without sigma0 are weighed by their contrast alone.
    """
    level = _above_floor(hits)
    peak = np.maximum(largest(level, group), MIN_SPAN_DB)
    order = np.argsort(group, kind="stable")
    unit = float(np.sqrt(spacing_m[0] * spacing_m[1]))
    sides = float(spacing_m[0] / unit), float(spacing_m[1] / unit)
    return HitPlaces(
        y=hits.line[order].astype(np.float64) * sides[0],
        x=hits.pixel[order].astype(np.float64) * sides[1],
        weight=np.maximum(level / peak[group], 0.0)[order],
        order=order,
        first=np.concatenate([[0], np.cumsum(np.bincount(group))]),
        span_db=peak,
        sides=sides,
    )


def _above_floor(hits: Hits) -> Reals:
    """Decibels of each hit over the floor; 0 at or below it."""
    excess = np.ones(len(hits))
    np.divide(hits.value - hits.clutter, hits.value, out=excess, where=hits.value > 0)
    for polarizations, floor_db in ((("VV", "HH"), FLOOR_DB), (("VH", "HV"), FLOOR_DB - LOSS_DB)):
        for polarization in polarizations:
            if polarization in hits.sigma0:
                bright = np.nan_to_num(hits.sigma0[polarization], nan=0.0) * excess
                return _decibels(bright / 10 ** (floor_db / 10))
    contrast = np.divide(hits.value, hits.clutter, out=hits.score.astype(np.float64), where=hits.clutter > 0)
    return _decibels(contrast)


def _decibels(power: Reals) -> Reals:
    return np.asarray(10 * np.log10(np.maximum(power, 1.0)))


def fit_boxes(places: HitPlaces, *others: Reals) -> tuple[Reals, Reals]:
    """The best box over each group of hits.

    Parameters
    ----------
    places
        The hits.
    others
        Boxes, (n_groups, 5) each, that the search starts from as well as from the moments.

    Returns
    -------
    boxes, gains
        Centre's y and x, angle from the lines' direction (y) towards the pixels' (x) in radians, length and width of
        each group, in pixels: (n_groups, 5). What each box gains over none: (n_groups,).
    """
    from sarship.vessels.box_kernels import fit_box  # noqa: PLC0415  (numba takes long to load)

    starts = [*others, *(_moments(places, core) for core in CORES)]
    boxes, gains = np.empty((places.span_db.size, 5)), np.empty(places.span_db.size)
    for k in range(gains.size):
        y, x, weight = places.of(k)
        free = np.zeros(y.size)
        found = [fit_box(y, x, weight, free, start[k], STEP, LEVEL, SHAPE, MOST) for start in starts]
        boxes[k], cost = min(found, key=lambda pair: pair[1])
        gains[k] = -cost
    is_wide = boxes[:, 4] > boxes[:, 3]
    boxes[is_wide] = np.column_stack([boxes[:, :2], boxes[:, 2] + np.pi / 2, boxes[:, 4], boxes[:, 3]])[is_wide]
    return boxes, gains


def _moments(places: HitPlaces, core: float) -> Reals:
    """Centre, axis and size of the hits above a weight and linked with the peak, (n_groups, 5): a start."""
    n = places.span_db.size
    kept = _cores(places, core)
    group = places.group[kept]
    mass = 10 ** (START_POWER * places.weight[kept] * places.span_db[group] / 10)
    total = np.bincount(group, mass, n)
    y, x = (np.bincount(group, mass * axis[kept], n) / total for axis in (places.y, places.x))
    dy, dx = places.y[kept] - y[group], places.x[kept] - x[group]
    yy, xx, yx = (np.bincount(group, mass * product, n) / total for product in (dy * dy, dx * dx, dy * dx))
    angle = 0.5 * np.arctan2(2 * yx, yy - xx)
    major = np.sqrt(np.maximum((yy + xx) / 2 + np.hypot((yy - xx) / 2, yx), 0.0))
    length = np.maximum(np.sqrt(12) * major, 2.0)
    return np.column_stack([y, x, angle, length, length / SHAPE[0] + SHAPE[1]])


def _cores(places: HitPlaces, core: float) -> NDArray[np.intp]:
    """The hits above a weight that hang together with the brightest of their group."""
    group = places.group
    strong = np.flatnonzero(places.weight >= np.minimum(core, largest(places.weight, group))[group])
    strong = strong[np.lexsort((places.x[strong], places.y[strong]))]
    line, pixel = (
        np.rint(axis[strong] / side).astype(np.int64)
        for axis, side in zip((places.y, places.x), places.sides, strict=True)
    )
    piece = group_hits(line, pixel, places.sides, TOUCHING)
    order = np.lexsort((-places.weight[strong], group[strong]))
    brightest = np.unique(group[strong][order], return_index=True)[1]
    kept: NDArray[np.intp] = strong[piece == piece[order[brightest]][group[strong]]]
    return kept
