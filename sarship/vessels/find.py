"""Hits to vessels: group those close together, lay a box over each group, split what is several, and measure it.

The box is that of `boxes.py`; `splitting.py` says when a group is more than one vessel and how sure that is; a
box's size becomes the vessel's by the line of `sizes.py`, calibrated on real vessels with AIS. No pixels are read:
`Hits` hold all that is needed.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely import Point
from shapely.geometry.base import BaseGeometry

from sarship.detection.grouping import Labels, group_hits, largest
from sarship.detection.params import DetectionParams
from sarship.model import Hits
from sarship.schema import VESSELS
from sarship.vessels.boxes import fit_boxes, weigh_hits
from sarship.vessels.image import SearchedImage
from sarship.vessels.sizes import measure
from sarship.vessels.splitting import split_groups

__all__ = ["find_vessels"]

Reals = NDArray[np.float64]

REACH_M: Final = 50.0
"""How far to each side of its middle the direction of an axis is taken."""


def find_vessels(
    hits: Hits,
    product: SearchedImage,
    params: DetectionParams | None = None,
    *,
    piers: BaseGeometry | None = None,
) -> gpd.GeoDataFrame:
    """Group hits to vessels and measure them; the module's own text states the rule.

    Parameters
    ----------
    hits
        From `detect`, in original lines and pixels.
    product
        Where they were found: its geometry, spacing and scene are used, no pixels are read.
    params
        `link_m` and `min_length_m` are used; None for the defaults.
    piers
        Waters of the piers, longitude and latitude in degrees: a group of hits whose axis touches them may well be
        vessels side by side or bow to stern, which in open water are rare. None for no piers.

    Returns
    -------
    GeoDataFrame
        Table after `schema.VESSELS`, in order of line and pixel, with `pier` and `distance_m` missing. The position
        is the middle of the box, so that with length and heading it describes where the vessel lies; it is as
        imaged (a moving vessel is displaced along the flight). The sums of `n_low` and `n_high` over the rows of a
        place bound the number of vessels there.
    """
    params = params or DetectionParams()
    if not len(hits):
        return VESSELS.empty()
    spacing = (product.line_spacing_m, product.pixel_spacing_m)
    group = group_hits(hits.line, hits.pixel, spacing, params.link_m)
    places = weigh_hits(hits, group, spacing)
    boxes, gains = fit_boxes(places)
    parts = split_groups(places, boxes, gains, _touches(boxes, places.sides, product, piers))
    boxes = parts.boxes
    owner = np.empty(len(hits), np.int64)
    owner[places.order] = parts.owner
    sizes = measure(places, boxes, parts.owner, spacing)
    line, pixel = boxes[:, 0] / places.sides[0], boxes[:, 1] / places.sides[1]
    kept = np.flatnonzero(sizes.length_m >= params.min_length_m)
    kept = kept[np.lexsort((pixel[kept], line[kept]))]
    line, pixel = line[kept], pixel[kept]
    longitude, latitude = product.geometry.to_map(line, pixel)
    columns: dict[str, object] = {
        "vessel": [f"{product.scene.id}/{number}" for number in range(1, kept.size + 1)],
        "scene": [product.scene.id] * kept.size,
        "time": pd.DatetimeIndex(product.geometry.time_at(line)).as_unit("ns").tz_localize("UTC"),
        "longitude": longitude,
        "latitude": latitude,
        "line": line,
        "pixel": pixel,
        **{field.name: getattr(sizes, field.name)[kept] for field in fields(sizes)},
        "heading_deg": _headings(product, line, pixel, boxes[kept, 2]),
        "n_low": parts.n_low[kept],
        "n_high": parts.n_high[kept],
        "confidence": parts.confidence[kept],
        "n_hits": np.bincount(owner)[kept],
        "score": largest(hits.score.astype(np.float64), owner)[kept],
        "sigma0_co": _brightest(hits, owner, ("VV", "HH"))[kept],
        "sigma0_cross": _brightest(hits, owner, ("VH", "HV"))[kept],
        "evidence": _evidence(hits, owner)[kept],
        "flag": [""] * kept.size,
        "flag_source": [None] * kept.size,
        "is_edge": _is_edge(hits, owner)[kept],
        "pier": [None] * kept.size,
        "distance_m": np.full(kept.size, np.nan),
    }
    return VESSELS.make(columns, list(map(Point, longitude, latitude)))


def _touches(
    boxes: Reals, sides: tuple[float, float], product: SearchedImage, piers: BaseGeometry | None
) -> NDArray[np.bool_]:
    """Whether the axis of each box comes into the piers' waters."""
    if piers is None:
        return np.zeros(len(boxes), np.bool_)
    ends = boxes[:, None, 3] / 2 * np.array([-1.0, 1.0])
    line = (boxes[:, None, 0] + ends * np.cos(boxes[:, None, 2])) / sides[0]
    pixel = (boxes[:, None, 1] + ends * np.sin(boxes[:, None, 2])) / sides[1]
    axes = np.stack(product.geometry.to_map(line, pixel), axis=-1)
    shapely.prepare(piers)
    return np.asarray(shapely.intersects(piers, shapely.linestrings(axes)))


def _evidence(hits: Hits, owner: Labels) -> NDArray[np.str_]:
    """By what the hits of each vessel were found."""
    if hits.evidence is None:
        return np.full(int(owner.max()) + 1, "ring")
    by_ring = np.bincount(owner, hits.evidence != "reference") > 0
    by_reference = np.bincount(owner, hits.evidence != "ring") > 0
    return np.where(by_ring & by_reference, "both", np.where(by_reference, "reference", "ring"))


def _headings(product: SearchedImage, line: Reals, pixel: Reals, angle: Reals) -> Reals:
    """Direction on the ground of axes at an angle from the lines' direction, degrees clockwise from north, 0 … 180."""
    lines, pixels = REACH_M * np.cos(angle) / product.line_spacing_m, REACH_M * np.sin(angle) / product.pixel_spacing_m
    start = product.geometry.to_map(line - lines, pixel - pixels)
    end = product.geometry.to_map(line + lines, pixel + pixels)
    azimuth = np.asarray(Geod(ellps="WGS84").inv(*start, *end)[0], np.float64) % 180
    return np.where(azimuth == 180, 0.0, azimuth)  # the remainder of a tiny negative number rounds to 180


def _brightest(hits: Hits, group: Labels, polarizations: tuple[str, ...]) -> Reals:
    """Largest sigma0 in the first of the polarisations that was recorded; NaN where there is none."""
    for polarization in polarizations:
        if polarization in hits.sigma0:
            brightest = largest(hits.sigma0[polarization], group)
            return np.where(np.isfinite(brightest), brightest, np.nan)
    return np.full(int(group.max()) + 1, np.nan)


def _is_edge(hits: Hits, group: Labels) -> NDArray[np.bool_]:
    if hits.is_edge is None:
        return np.zeros(int(group.max()) + 1, np.bool_)
    return np.bincount(group, hits.is_edge) > 0
