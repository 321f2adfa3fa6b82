"""Polygons in longitude and latitude that cross 180° or contain a pole.

Plane geometry on longitudes is right as long as all of them lie on one unbroken interval. So geometries are moved
around a centre longitude first, and split at ±180° only in the result.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

__all__ = ["overlap", "recentred", "ring_polygon"]

N_TURNS = 2
"""Turns beyond [-180, 180] that longitudes may have."""


def recentred(area: BaseGeometry, centre: float = 0.0) -> BaseGeometry:
    """Return the area with longitudes in [centre - 180, centre + 180]; pieces that meet there are joined.

    >>> fiji = shapely.MultiPolygon([box(177, -19, 180, -16), box(-180, -19, -178, -16)])
    >>> recentred(fiji, 180.0).bounds
    (177.0, -19.0, 182.0, -16.0)
    >>> recentred(box(177, -19, 182, -16)).equals(fiji)
    True
    """
    west, _, east, _ = area.bounds if not area.is_empty else (0.0, 0.0, 0.0, 0.0)
    if centre - 180 <= west and east <= centre + 180:
        return area
    world = box(centre - 180, -90, centre + 180, 90)
    turns = range(-N_TURNS, N_TURNS + 1)
    pieces = [overlap(translate(area, 360.0 * turn), world) for turn in turns]
    return shapely.union_all(pieces)


def overlap(area: BaseGeometry, other: BaseGeometry) -> BaseGeometry:
    """Return the intersection of two areas, without points and lines where they only touch.

    >>> overlap(box(0, 0, 1, 1), box(1, 0, 2, 1)).is_empty
    True
    """
    parts = shapely.get_parts(shapely.intersection(area, other))
    return shapely.union_all(parts[shapely.get_dimensions(parts) == shapely.get_dimensions(area)])


def ring_polygon(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> BaseGeometry:
    """Return the polygon inside a closed ring on the globe, split at ±180°; a ring around a pole contains it.

    Neighbouring points must be less than half a turn apart in longitude; the last point joins the first.
    """
    lon = np.unwrap(np.append(longitude, longitude[0]), period=360.0)
    lat = np.append(latitude, latitude[0])
    if abs(lon[-1] - lon[0]) > 180:
        pole = np.copysign(90.0, np.mean(lat))
        lon, lat = np.append(lon, [lon[-1], lon[0]]), np.append(lat, [pole, pole])
    lon = lon - 360.0 * np.round((lon.min() + lon.max()) / 720.0)
    ring = Polygon(np.column_stack([lon, lat]))
    return recentred(ring if ring.is_valid else shapely.make_valid(ring))
