"""Sizes of vessels from boxes over their hits, with an uncertainty.

The image widens every vessel by the radar's impulse response and its sidelobes, more so a bright and compact one. A
linear regression on real vessels of known size takes that away: with the box's length l and width w in metres at a
spacing of 10 m, the span s of the brightest hit above the noise (tens of decibels above 30, held within -1.5 … 1.2) and
the fill f (decibels: power of the hits in the box over that of the brightest),

    length = -18.6 + 0.984 l + 1.28 w - 5.8 s - 4.4 f,  width = -4.2 + 0.147 l + 0.089 w.

The coefficients are those of a fit with least absolute errors, weighted by length^(-1/2), to 162 vessels of 36 to
333 m in three Sentinel-1 IW GRDH scenes of OpenSARShip with lengths from AIS; `python -m benchmarks.opensarship
--fit` makes them again. Held out vessel by vessel (five folds grouped by MMSI) the length is 7.0 % off in the median
and 15 m on the mean, 12 m without two vessels whose hits merge with a quay's; the same regression on lengths
measured by hand on the images is 7.4 % and 12 m off. The box's own settings (`boxes.py`) and the choice of these
features were made on all of the vessels, so other vessels will be measured a little worse. Widths are 3 m off. For
another pixel spacing all metres grow with it: the resolution of every GRD class is about two of its pixels.

One sigma: 68 % of the held-out vessels lie within it. It is of single vessels in open water; merged ones are
measured worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.detection.grouping import Labels
from sarship.vessels.boxes import HitPlaces, offsets

__all__ = ["LENGTH", "WIDTH", "Sizes", "features", "measure_sizes"]

Reals = NDArray[np.float64]

LENGTH: Final = np.array([-18.553, 0.984, 1.284, -5.761, -4.409])
"""Coefficients of one, box length, box width, span and fill: metres at 10 m spacing."""
WIDTH: Final = np.array([-4.241, 0.147, 0.089])
"""Coefficients of one, box length and box width."""
SPAN: Final = (-1.5, 1.2)
"""Bounds of the span that the fit saw, tens of decibels from 30."""
FILL: Final = (0.0, 16.0)
"""Bounds of the fill that it saw, decibels."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of vessels and one sigma of each, all (n,).

    Examples
    --------
    >>> Sizes(*(np.array([value]) for value in (120.0, 14.4, 18.0, 2.8, 6.8))).length_m
    array([120.])
    """

    length_m: Reals
    length_error_m: Reals
    width_m: Reals
    width_error_m: Reals
    heading_error_deg: Reals


def measure_sizes(places: HitPlaces, boxes: Reals, owner: Labels, spacing_m: tuple[float, float]) -> Sizes:
    """Return the sizes of the vessels that boxes stand for.

    Parameters
    ----------
    places
        The hits.
    boxes
        (n, 5), in pixels, from `fit_boxes`.
    owner
        Number of the box that each of the places belongs to.
    spacing_m
        Between lines and between pixels, metres.

    Returns
    -------
    Sizes
        The length is at least a pixel, and at most the extent of the hits themselves less one; the width is
        between half a pixel and the length.

    Examples
    --------
    >>> from sarship.model import Hits
    >>> from sarship.vessels import fit_boxes, weigh_hits
    >>> value = np.full(12, 50.0)
    >>> hits = Hits(line=np.full(12, 3), pixel=np.arange(12), value=value, clutter=np.ones(12), score=value / 5)
    >>> places = weigh_hits(hits, np.zeros(12, np.int64), (10.0, 10.0))
    >>> boxes = fit_boxes(places)
    >>> measure_sizes(places, boxes, places.group, (10.0, 10.0)).length_m.round()
    array([...])
    """
    unit = float(np.sqrt(spacing_m[0] * spacing_m[1]))
    table = features(places, boxes, owner)
    reach = np.maximum(_reach(places, boxes, owner) - 1.0, 1.0)
    length = np.clip(table @ LENGTH * (unit / 10), min(spacing_m), reach * unit)
    width = np.clip(table[:, :3] @ WIDTH * (unit / 10), min(spacing_m) / 2, length)
    return Sizes(
        length_m=length,
        length_error_m=9.0 * unit / 10 + 0.045 * length,
        width_m=width,
        width_error_m=1.0 * unit / 10 + 0.015 * length,
        heading_error_deg=np.minimum(3.0 + 45.0 * unit / length, 52.0),  # 52: any direction is as likely
    )


def features(places: HitPlaces, boxes: Reals, owner: Labels) -> Reals:
    """Return the features that sizes are linear in: one, box length and width (metres at 10 m), span, fill; (n, 5)."""
    span_db = np.zeros(len(boxes))
    np.maximum.at(span_db, owner, places.weight * places.span_db[places.group])
    power = np.where(places.weight > 0, 10 ** (places.weight * places.span_db[places.group] / 10), 0.0)
    power *= _cover(places, boxes, owner)
    total = np.bincount(owner, power, len(boxes))
    fill = 10 * np.log10(np.maximum(total, 1.0)) - span_db
    ones = np.ones(len(boxes))
    bounded = np.clip(span_db / 10 - 3, *SPAN), np.clip(fill, *FILL)
    return np.column_stack([ones, boxes[:, 3] * 10, boxes[:, 4] * 10, *bounded])


def _cover(places: HitPlaces, boxes: Reals, owner: Labels) -> Reals:
    """Return 1 for a hit inside its owner's box, 0 outside, linear over two pixels."""
    along, across = offsets(places.y, places.x, boxes[owner])
    half = boxes[owner, 3:] / 2
    inside = [np.clip((half[:, k] - abs(axis)) / 2 + 0.5, 0, 1) for k, axis in enumerate((along, across))]
    return np.asarray(inside[0] * inside[1])


def _reach(places: HitPlaces, boxes: Reals, owner: Labels) -> Reals:
    """Return the extent of the hits of each owner along its axis, their own size included, pixels."""
    along, _ = offsets(places.y, places.x, boxes[owner])
    high, low = np.full(len(boxes), -np.inf), np.full(len(boxes), np.inf)
    np.maximum.at(high, owner, along)
    np.minimum.at(low, owner, along)
    pixel = np.hypot(np.cos(boxes[:, 2]) * places.sides[0], np.sin(boxes[:, 2]) * places.sides[1])
    return np.asarray(high - low + pixel)
