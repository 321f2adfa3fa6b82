"""Local planes: longitude-latitude geometry in metres, to measure and buffer it.

A plane touches the Earth in the middle of a geometry (azimuthal equidistant on WGS 84). Distances on it are true to
1e-5 within 50 km, at any latitude and across the antimeridian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred

__all__ = ["Plane", "buffer_m", "mend_antimeridian"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """East and north in metres around the middle of a geometry.

    References
    ----------
    Snyder, Map Projections: A Working Manual, USGS Professional Paper 1395, 1987, chapter 25.

    Examples
    --------
    >>> plane = Plane.around(shapely.Point(35.86, 34.90))
    >>> x, y = plane.flatten(35.87, 34.90)
    >>> round(float(x)), round(float(y))
    (914, 0)
    """

    middle: tuple[float, float]
    """Longitude and latitude of the point of contact, degrees."""
    transformer: Transformer
    """Conversion from longitude and latitude to metres."""

    @classmethod
    def around(cls, geometry: BaseGeometry) -> Plane:
        """Return the plane that touches the Earth in the middle of a longitude-latitude geometry's bounds."""
        longitude, latitude = shapely.get_coordinates(geometry).T
        if np.ptp(longitude) > 180:
            longitude = longitude % 360
        middle = float(longitude.min() + longitude.max()) / 2, float(latitude.min() + latitude.max()) / 2
        # the steps written out: to find them between two reference systems takes a hundred times as long
        degrees = "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad"
        touching = f"+step +proj=aeqd +lon_0={middle[0]!r} +lat_0={middle[1]!r} +ellps=WGS84"
        return cls(middle, Transformer.from_pipeline(f"{degrees} {touching}"))

    def flatten(self, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Array, Array]:
        """Return east and north in metres of points in degrees."""
        x, y = self.transformer.transform(np.asarray(longitude, float), np.asarray(latitude, float))
        return np.asarray(x), np.asarray(y)

    def flatten_geometry(self, geometry: BaseGeometry) -> BaseGeometry:
        """Return a longitude-latitude geometry in metres; parts split at the antimeridian are joined."""
        flat = shapely.transform(geometry, lambda xy: np.column_stack(self.flatten(xy[:, 0], xy[:, 1])))
        return flat if "Polygon" not in geometry.geom_type else shapely.union_all(flat)

    def raise_geometry(self, flat: BaseGeometry) -> BaseGeometry:
        """Return a geometry in metres as longitude and latitude, split at the antimeridian."""
        back = shapely.transform(flat, self._degrees)
        return recentred(_unwrapped(back, self.middle[0]))

    def _degrees(self, xy: Array) -> Array:
        return np.column_stack(self.transformer.transform(xy[:, 0], xy[:, 1], direction="INVERSE"))


def buffer_m(geometry: BaseGeometry, distance_m: float) -> BaseGeometry:
    """Return a longitude-latitude geometry buffered by a distance.

    Parameters
    ----------
    geometry
        Longitude and latitude, degrees.
    distance_m
        Metres; negative to shrink.

    Returns
    -------
    shapely geometry
        Longitude and latitude, degrees, split at the antimeridian.

    Examples
    --------
    >>> round(buffer_m(shapely.Point(179.9999, -16), 100).area * 1e6, 2)  # degrees², on both sides
    2.64
    """
    if distance_m == 0:
        return geometry
    plane = Plane.around(geometry)
    return plane.raise_geometry(shapely.buffer(plane.flatten_geometry(geometry), distance_m))


def mend_antimeridian(geometry: BaseGeometry) -> BaseGeometry:
    """Split at the antimeridian a geometry that was drawn straight across it, from near 180 to near -180 degrees.

    GeoJSON wants it in two parts already; read literally it would run around the rest of the world.

    >>> mend_antimeridian(shapely.LineString([(179, 0), (-179, 0)])).wkt
    'MULTILINESTRING ((-180 0, -179 0), (179 0, 180 0))'
    """
    parts = shapely.get_parts(geometry)
    if not any(_jumps(part) for part in parts):
        return geometry
    return shapely.union_all([recentred(_unwrapped(part, 180.0)) if _jumps(part) else part for part in parts])


def _unwrapped(geometry: BaseGeometry, middle: float) -> BaseGeometry:
    """Return the geometry with longitudes within half a turn of the middle."""
    return shapely.transform(
        geometry, lambda xy: np.column_stack([(xy[:, 0] - middle + 180) % 360 - 180 + middle, xy[:, 1]])
    )


def _jumps(part: BaseGeometry) -> bool:
    """Return True if an edge spans more than half the world; an edge along a pole spans all of it and does not jump."""
    line = shapely.get_exterior_ring(part) if part.geom_type == "Polygon" else part
    steps = np.abs(np.diff(shapely.get_coordinates(line)[:, 0]))
    return bool(((steps > 180) & (steps < 360)).any())
