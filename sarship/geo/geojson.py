"""Geometry as GeoJSON wants it: longitude and latitude of seven digits, rings counterclockwise."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred

__all__ = ["as_geojson", "bbox_of"]

DIGITS: Final = 7
"""Of degrees: a centimetre."""


def as_geojson(geometry: BaseGeometry) -> dict[str, Any]:
    """Return a longitude-latitude geometry as a GeoJSON object.

    References
    ----------
    Butler et al., The GeoJSON Format, RFC 7946, 2016, sections 3.1.6 and 11.2.

    Examples
    --------
    >>> as_geojson(shapely.Polygon([(0, 0), (0, 1), (1 / 3, 1)]))["coordinates"]
    [[[0.0, 0.0], [0.3333333, 1.0], [0.0, 1.0], [0.0, 0.0]]]
    """
    rounded = shapely.transform(geometry, lambda degrees: np.round(degrees, DIGITS))
    found: dict[str, Any] = json.loads(shapely.to_geojson(shapely.orient_polygons(rounded)))
    return found


def bbox_of(geometry: BaseGeometry) -> list[float]:
    """Return west, south, east and north of a geometry that is split at the antimeridian; west is larger across it.

    >>> bbox_of(shapely.MultiPolygon([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)]))
    [177.0, -19.0, -178.0, -16.0]
    """
    west, south, east, north = geometry.bounds
    if (west, east) == (-180, 180):
        west, _, east, _ = recentred(geometry, 180.0).bounds
        east = east - 360 if east - west < 360 else east
    return [round(edge, DIGITS) for edge in (west, south, east, north)]
