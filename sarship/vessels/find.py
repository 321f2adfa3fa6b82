"""Vessels from hits: grouped, boxed and measured.

The box is that of `boxes.py`; its size becomes the vessel's by the regression of `sizes.py`, calibrated on real vessels
with AIS. No pixels are read: `Hits` hold all that is needed. A group is one vessel: in open water vessels keep clear of
each other. At piers they do not; there they are told apart on the port's grid (`at_piers.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod
from shapely import Point

from sarship.detection.grouping import Labels, group_hits, group_max
from sarship.detection.params import DetectionParams
from sarship.model import CO_POLARIZED, CROSS_POLARIZED, Hits, Scene
from sarship.schema import VESSELS
from sarship.vessels.boxes import fit_boxes, weigh_hits
from sarship.vessels.sizes import measure_sizes

__all__ = ["SearchedImage", "find_vessels", "sum_up", "vessel_table"]

Reals = NDArray[np.float64]

REACH_M: Final = 50.0
"""Distance to each side of its middle over which the direction of an axis is taken."""


class _Geolocation(Protocol):
    """Place of the pixels of an image."""

    def to_map(self, line: ArrayLike, pixel: ArrayLike, /) -> tuple[Reals, Reals]:
        """Return longitude and latitude, degrees, of lines and pixels, which need not be whole."""
        ...

    def time_at(self, line: ArrayLike, /) -> NDArray[np.datetime64]:
        """Return the zero-Doppler UTC time of lines, `datetime64[ns]`."""
        ...


class SearchedImage(Protocol):
    """Image that hits were found in: a product, or a port's grid of one date; finding vessels need not know which."""

    @property
    def scene(self) -> Scene:
        """The acquisition."""
        ...

    @property
    def line_spacing_m(self) -> float:
        """Distance between lines, metres."""
        ...

    @property
    def pixel_spacing_m(self) -> float:
        """Distance between pixels of a line, metres."""
        ...

    @property
    def geometry(self) -> _Geolocation:
        """Place of lines and pixels."""
        ...


def find_vessels(
    hits: Hits,
    product: SearchedImage,
    params: DetectionParams | None = None,
) -> gpd.GeoDataFrame:
    """Group hits to vessels and measure them.

    Parameters
    ----------
    hits
        From `detect`, in the image's lines and pixels.
    product
        The image that they were found in: its geometry, spacing and scene are used, no pixels are read.
    params
        `link_m` and `min_length_m` are used; None for the defaults.

    Returns
    -------
    GeoDataFrame
        Table after `schema.VESSELS`, in order of line and pixel, with `pier` and `distance_m` missing. The position
        is the middle of the box, so that with length and heading it describes where the vessel lies; it is as
        imaged (a moving vessel is displaced along the flight). `n_vessels`, `n_low` and `n_high` are 1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> geometry = SimpleNamespace(
    ...     to_map=lambda line, pixel: (35 + pixel / 9200, 34 - line / 11100),
    ...     time_at=lambda line: np.full(line.shape, np.datetime64("2024-12-01T04:00:00", "ns")),
    ... )
    >>> image = SimpleNamespace(
    ...     scene=SimpleNamespace(id="S1A"), line_spacing_m=10.0, pixel_spacing_m=10.0, geometry=geometry
    ... )
    >>> value = np.array([20.0, 50.0, 90.0, 50.0, 20.0])
    >>> hits = Hits(line=np.full(5, 3), pixel=np.arange(5), value=value, clutter=np.ones(5), score=value / 5)
    >>> vessels = find_vessels(hits, image, DetectionParams(min_length_m=0))
    >>> vessels[["vessel", "n_hits", "score"]].to_dict("records")
    [{'vessel': 'S1A/1', 'n_hits': 5, 'score': 18.0}]
    """
    params = params or DetectionParams()
    if not len(hits):
        return VESSELS.empty()
    spacing = (product.line_spacing_m, product.pixel_spacing_m)
    group = group_hits(hits.line, hits.pixel, spacing, params.link_m)
    places = weigh_hits(hits, group, spacing)
    boxes = fit_boxes(places)
    sizes = measure_sizes(places, boxes, places.group, spacing)
    line, pixel = boxes[:, 0] / places.sides[0], boxes[:, 1] / places.sides[1]
    chosen = np.flatnonzero(sizes.length_m >= params.min_length_m)
    chosen = chosen[np.lexsort((pixel[chosen], line[chosen]))]
    line, pixel = line[chosen], pixel[chosen]
    return vessel_table(
        product,
        (line, pixel, boxes[chosen, 2]),
        {field.name: getattr(sizes, field.name)[chosen] for field in fields(sizes)}
        | {name: column[chosen] for name, column in sum_up(hits, group).items()}
        | dict.fromkeys(("n_vessels", "n_low", "n_high"), [1] * chosen.size)
        | {"confidence": [1.0] * chosen.size},
    )


def vessel_table(
    image: SearchedImage, axes: tuple[Reals, Reals, Reals], columns: Mapping[str, object]
) -> gpd.GeoDataFrame:
    """Return a table after `schema.VESSELS` of vessels in their order, numbered, without flags and piers.

    Parameters
    ----------
    image
        The image that they were found in.
    axes
        Line and pixel of the middle of each, and the angle of its axis from the lines' direction, radians.
    columns
        Their sizes, their numbers and chances, and those of `sum_up`.
    """
    line, pixel, angle = axes
    longitude, latitude = image.geometry.to_map(line, pixel)
    places: dict[str, object] = {
        "vessel": [f"{image.scene.id}/{number}" for number in range(1, line.size + 1)],
        "scene": [image.scene.id] * line.size,
        "time": pd.DatetimeIndex(image.geometry.time_at(line)).as_unit("ns").tz_localize("UTC"),
        "longitude": longitude,
        "latitude": latitude,
        "line": line,
        "pixel": pixel,
        "heading_deg": _headings(image, line, pixel, angle),
        **{name: np.full(line.size, np.nan) for name in ("incidence_deg", "flight_deg", "shift_s")},
        "flag": [""] * line.size,
        "flag_source": [None] * line.size,
        "pier": [None] * line.size,
        "distance_m": np.full(line.size, np.nan),
    }
    return VESSELS.make(places | dict(columns), list(map(Point, longitude, latitude)))


def sum_up(hits: Hits, group: Labels) -> dict[str, NDArray[np.generic]]:
    """Return the columns of `schema.VESSELS` that say what the hits of each group are."""
    return {
        "n_hits": np.bincount(group),
        "score": group_max(hits.score.astype(np.float64), group),
        "sigma0_co": _brightest(hits, group, CO_POLARIZED),
        "sigma0_cross": _brightest(hits, group, CROSS_POLARIZED),
        "evidence": _evidence(hits, group),
        "is_edge": _is_edge(hits, group),
    }


def _evidence(hits: Hits, group: Labels) -> NDArray[np.str_]:
    """Return the evidence that the hits of each vessel were found by."""
    if hits.evidence is None:
        return np.full(int(group.max()) + 1, "ring")
    by_ring = np.bincount(group, hits.evidence != "reference") > 0
    by_reference = np.bincount(group, hits.evidence != "ring") > 0
    return np.where(by_ring & by_reference, "both", np.where(by_reference, "reference", "ring"))


def _headings(product: SearchedImage, line: Reals, pixel: Reals, angle: Reals) -> Reals:
    """Return the direction on the ground of axes at an angle from the lines', degrees clockwise from north, 0 … 180."""
    lines, pixels = REACH_M * np.cos(angle) / product.line_spacing_m, REACH_M * np.sin(angle) / product.pixel_spacing_m
    start = product.geometry.to_map(line - lines, pixel - pixels)
    end = product.geometry.to_map(line + lines, pixel + pixels)
    azimuth = np.asarray(Geod(ellps="WGS84").inv(*start, *end)[0], np.float64) % 180
    return np.where(azimuth == 180, 0.0, azimuth)  # the remainder of a tiny negative number rounds to 180


def _brightest(hits: Hits, group: Labels, polarizations: tuple[str, ...]) -> Reals:
    """Return the largest sigma0 in the first of the polarisations that was recorded; NaN where there is none."""
    for polarization in polarizations:
        if polarization in hits.sigma0:
            brightest = group_max(hits.sigma0[polarization], group)
            return np.where(np.isfinite(brightest), brightest, np.nan)
    return np.full(int(group.max()) + 1, np.nan)


def _is_edge(hits: Hits, group: Labels) -> NDArray[np.bool_]:
    if hits.is_edge is None:
        return np.zeros(int(group.max()) + 1, np.bool_)
    return np.bincount(group, hits.is_edge) > 0
