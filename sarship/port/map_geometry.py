"""Places of an image on a map, and the direction that it was looked at from, as far as the orbit tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Transformer
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred
from sarship.model import OrbitPass
from sarship.schema import WGS84
from sarship.sentinel1.image_coordinates import SURROUNDINGS_M, ImageCoordinates

__all__ = ["MapGeometry", "flight_deg"]

Floats = NDArray[np.float64]

INCLINATION_DEG: Final = 98.18
"""Of Sentinel-1's orbit."""
TURNS_A_DAY: Final = 175 / 12
SWATH_DEG: Final = 4.3
"""Distance of the middle of the swath from the track, as an angle at the Earth's centre: an incidence of 38 degrees."""
EARTH: Final = Geod(ellps="WGS84")


@dataclass(frozen=True, eq=False, kw_only=True)
class MapGeometry(ImageCoordinates):
    """Geometry of an image on a map: north up, all of one time.

    Examples
    --------
    >>> utm = Affine(10, 0, 760_000, 0, -10, 3_870_000)
    >>> at = np.datetime64("2024-12-03T15:41:55", "ns")
    >>> image = MapGeometry.of((100, 200), utm, CRS("EPSG:32636"), time=at, orbit_pass="ascending")
    >>> round(image.pixel_spacing_m), np.round(image.to_image(*image.to_map(20.0, 30.5)), 6).tolist()
    (10, [20.0, 30.5])
    """

    crs: CRS
    """Reference system."""
    transform: Affine
    """From pixel and line, counted from the outer corner, to coordinates; without rotation."""
    time: np.datetime64
    """Time of the acquisition, UTC."""
    orbit_pass: OrbitPass
    """Direction of flight."""
    incidence: float = math.nan
    """Angle of incidence, degrees; NaN where nobody says it."""

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        transform: Affine,
        crs: CRS,
        *,
        time: np.datetime64,
        orbit_pass: OrbitPass,
        incidence: float = math.nan,
    ) -> MapGeometry:
        """Return the geometry of an image of some lines and pixels, with its spacing measured in the middle."""
        to_degrees = Transformer.from_crs(crs, WGS84, always_xy=True)
        x, y = transform.c + transform.a * shape[1] / 2, transform.f + transform.e * shape[0] / 2
        places = (x, y), (x + transform.a, y), (x, y + transform.e)
        middle, right, down = (to_degrees.transform(*place) for place in places)
        across, along = (EARTH.inv(*middle, *beside)[2] for beside in (right, down))
        return cls(
            shape=shape,
            line_spacing_m=along,
            pixel_spacing_m=across,
            crs=crs,
            transform=transform,
            time=time,
            orbit_pass=orbit_pass,
            incidence=incidence,
        )

    def at_water_level(self, water_level_m: float) -> MapGeometry:
        """Return the geometry as it is: who laid the image on the map has chosen its heights."""
        return self

    def to_map(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, of image coordinates, which need not be whole."""
        row, column = np.broadcast_arrays(np.asarray(line, np.float64) + 0.5, np.asarray(pixel, np.float64) + 0.5)
        step = self.transform
        longitude, latitude = self._transformers[0].transform(step.c + step.a * column, step.f + step.e * row)
        return np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)

    def to_image(self, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Floats, Floats]:
        """Return line and pixel, not rounded, of longitude and latitude; NaN where the map does not reach."""
        east, north = np.broadcast_arrays(np.asarray(longitude, np.float64), np.asarray(latitude, np.float64))
        found = self._transformers[1].transform(east, north)
        x, y = (np.where(np.isfinite(each), each, np.nan) for each in found)
        step = self.transform
        return np.asarray((y - step.f) / step.e - 0.5), np.asarray((x - step.c) / step.a - 0.5)

    def time_at(self, line: ArrayLike) -> NDArray[np.datetime64]:
        """Return the time of the acquisition for all lines, `datetime64[ns]`."""
        return np.full(np.shape(line), self.time, "datetime64[ns]")

    def incidence_deg(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the angle of incidence, degrees, one for the whole image; NaN where nobody says it."""
        return np.full(np.broadcast_shapes(np.shape(line), np.shape(pixel)), self.incidence)

    def heading_deg(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the direction of flight, degrees clockwise from north, by the inclination of the orbit."""
        heading = flight_deg(self.centre[1], self.orbit_pass)
        return np.full(np.broadcast_shapes(np.shape(line), np.shape(pixel)), heading)

    def shift_s(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return NaN: how far the satellite was is not known of an image on a map."""
        return np.full(np.broadcast_shapes(np.shape(line), np.shape(pixel)), np.nan)

    def track_m(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return metres along the flight, and across it in the direction of rising range, from the first pixel on."""
        south = np.asarray(line, np.float64) * self.line_spacing_m
        east = np.asarray(pixel, np.float64) * self.pixel_spacing_m
        cos, sin = self._flight
        return east * sin - south * cos, east * cos + south * sin

    def branches(self, line: Floats, pixel: Floats, margin: float) -> tuple[Floats, Floats]:
        """Return the pixels as they are: a map has one way to reckon them."""
        return pixel[None], np.empty(0)

    @cached_property
    def _flight(self) -> tuple[float, float]:
        """Cosine and sine of the direction of flight, clockwise from the image's own up."""
        row, column = (self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2
        (west, south), (east, north) = self.to_map(row, column), self.to_map(row - 1, column)
        up = EARTH.inv(west.item(), south.item(), east.item(), north.item())[0]
        turn = math.radians(flight_deg(self.centre[1], self.orbit_pass) - up)
        return math.cos(turn), math.sin(turn)

    @cached_property
    def _transformers(self) -> tuple[Transformer, Transformer]:
        """From the image's reference system to degrees, and back."""
        return (
            Transformer.from_crs(self.crs, WGS84, always_xy=True),
            Transformer.from_crs(WGS84, self.crs, always_xy=True),
        )

    @cached_property
    def _surroundings(self) -> BaseGeometry:
        y, x = SURROUNDINGS_M / self.line_spacing_m, SURROUNDINGS_M / self.pixel_spacing_m
        outline = self._outline(-0.5 - y, self.shape[0] - 0.5 + y, -0.5 - x, self.shape[1] - 0.5 + x)
        return recentred(outline, self.centre[0])


def flight_deg(latitude: float, orbit_pass: OrbitPass) -> float:
    """Return the direction of Sentinel-1's flight as it is seen from the middle of its swath.

    Over the turning Earth the track runs at an angle that depends on the latitude; from a place on its right, to which
    meridians converge, it seems turned.

    Parameters
    ----------
    latitude
        Degrees.
    orbit_pass
        Direction of flight.

    Returns
    -------
    float
        Degrees clockwise from north in [0, 360), right within a degree up to a latitude of 60.

    References
    ----------
    M. Capderou, *Handbook of Satellite Orbits*, Springer, 2014, section 8.5 (angle of the ground track and meridian).

    Examples
    --------
    >>> round(flight_deg(0.0, "ascending"), 1), round(flight_deg(35.0, "descending"), 1)
    (348.0, 190.2)
    """
    cos_inclination = math.cos(math.radians(INCLINATION_DEG))
    cos_squared = max(math.cos(math.radians(latitude)) ** 2, cos_inclination**2 + 1e-9)
    east = cos_inclination - cos_squared / TURNS_A_DAY
    heading = math.degrees(math.atan2(east, math.sqrt(cos_squared - cos_inclination**2)))
    heading = heading if orbit_pass == "ascending" else 180 - heading  # noqa: S105  (a pass of the satellite)
    return (heading + SWATH_DEG * math.cos(math.radians(heading)) * math.tan(math.radians(latitude))) % 360
