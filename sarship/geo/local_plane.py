"""Metres around a place: a flat plane to measure and buffer longitude-latitude geometry on.

The plane touches the earth in the middle of the place (azimuthal equidistant on WGS 84). Distances on it are true
to 1e-5 within 50 km, at any latitude and across the antimeridian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred

__all__ = ["WORLD", "Plane", "buffer_m", "mend_antimeridian"]

Array = NDArray[np.float64]
WORLD: Final = "EPSG:4326"


@dataclass(frozen=True, eq=False)
class Plane:
    """East and north in metres around a geometry's middle."""

    middle: tuple[float, float]
    """Longitude and latitude of the touching point, degrees."""
    transformer: Transformer
    """From longitude, latitude to metres."""

    @classmethod
    def around(cls, geometry: BaseGeometry) -> Plane:
        """The plane that touches the earth in the middle of a longitude-latitude geometry's bounds."""
        longitude, latitude = shapely.get_coordinates(geometry).T
        if np.ptp(longitude) > 180:
            longitude = longitude % 360
        middle = float(longitude.min() + longitude.max()) / 2, float(latitude.min() + latitude.max()) / 2
        # the steps written out: to find them between two reference systems takes a hundred times as long
        degrees = "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad"
        touching = f"+step +proj=aeqd +lon_0={middle[0]!r} +lat_0={middle[1]!r} +ellps=WGS84"
        return cls(middle, Transformer.from_pipeline(f"{degrees} {touching}"))

    def flatten(self, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Array, Array]:
        """East and north in metres of points in degrees."""
        x, y = self.transformer.transform(np.asarray(longitude, float), np.asarray(latitude, float))
        return np.asarray(x), np.asarray(y)

    def flatten_geometry(self, geometry: BaseGeometry) -> BaseGeometry:
        """A longitude-latitude geometry in metres; what the antimeridian split is whole again."""
        flat = shapely.transform(geometry, lambda xy: np.column_stack(self.flatten(xy[:, 0], xy[:, 1])))
        return flat if "Polygon" not in geometry.geom_type else shapely.union_all(flat)

    def raise_geometry(self, flat: BaseGeometry) -> BaseGeometry:
        """A geometry in metres back in degrees, split at the antimeridian."""
        back = shapely.transform(flat, self._degrees)
        return recentred(_unwrapped(back, self.middle[0]))

    def _degrees(self, xy: Array) -> Array:
        return np.column_stack(self.transformer.transform(xy[:, 0], xy[:, 1], direction="INVERSE"))


def buffer_m(geometry: BaseGeometry, distance_m: float) -> BaseGeometry:
    """All within a distance of a longitude-latitude geometry.

    >>> round(buffer_m(shapely.Point(179.9999, -16), 100).area * 1e6, 2)  # degrees², on both sides
    2.64
    """
    if distance_m == 0:
        return geometry
    plane = Plane.around(geometry)
    return plane.raise_geometry(shapely.buffer(plane.flatten_geometry(geometry), distance_m))


def mend_antimeridian(geometry: BaseGeometry) -> BaseGeometry:
    """Cut at the antimeridian what was drawn straight across it, from near 180 to near -180 degrees.

    GeoJSON wants such a shape in two parts already; read literally it would run around the rest of the world.

    >>> mend_antimeridian(shapely.LineString([(179, 0), (-179, 0)])).wkt
    'MULTILINESTRING ((-180 0, -179 0), (179 0, 180 0))'
    """
    parts = shapely.get_parts(geometry)
    if not any(_jumps(part) for part in parts):
        return geometry
    return shapely.union_all([recentred(_unwrapped(part, 180.0)) if _jumps(part) else part for part in parts])


def _unwrapped(geometry: BaseGeometry, middle: float) -> BaseGeometry:
    """The same places with longitudes within half a turn of the middle."""
    return shapely.transform(
        geometry, lambda xy: np.column_stack([(xy[:, 0] - middle + 180) % 360 - 180 + middle, xy[:, 1]])
    )


def _jumps(part: BaseGeometry) -> bool:
    """Whether an edge spans more than half the world; an edge along a pole spans all of it and does not jump."""
    line = shapely.get_exterior_ring(part) if part.geom_type == "Polygon" else part
    steps = np.abs(np.diff(shapely.get_coordinates(line)[:, 0]))
    return bool(((steps > 180) & (steps < 360)).any())
