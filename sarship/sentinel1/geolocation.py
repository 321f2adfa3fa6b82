"""Range-Doppler geometry: image coordinates to longitude and latitude at the water surface, and back.

A line has a zero-Doppler time, a pixel a slant range. The place they show is the intersection of the plane across the
satellite's path at that time, the sphere of that range around the satellite, and a surface of known height, on the
right of the path (Curlander & McDonough, Synthetic Aperture Radar: Systems and Signal Processing, 1991, section 8.2).
Products carry tie points with positions too; those are not used here, because at sea they lie on the ellipsoid and on
land on a terrain model, tens to hundreds of metres from the sea surface.

Lines and pixels count from 0; the centre of the first pixel is (0.0, 0.0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred
from sarship.geo.earth import cartesian, directions, geoid_height_m, up_and_height
from sarship.sentinel1.ground_range import GroundRange
from sarship.sentinel1.image_coordinates import SURROUNDINGS_M, ImageCoordinates
from sarship.sentinel1.orbit import Orbit

__all__ = ["ImageGeometry"]

Floats = NDArray[np.float64]

CHUNK: Final = 16_384
"""Points computed at a time, so that the temporaries stay in the processor's cache."""
N_NEWTON: Final = 10
PLACE_TOLERANCE_M: Final = 1e-6
MEAN_RADIUS_M: Final = 6_371_000.0
FARTHEST_M: Final = 4e6
"""No place on Earth is seen from farther: the horizon of the orbit lies 3,100 km away."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageGeometry(ImageCoordinates):
    """Geometry of one ground-range image: orbit, time axis and slant-range polynomials.

    Heights are metres above the WGS 84 ellipsoid, where left out those of the water: the sea's (EGM96), unless
    `at_water_level` says otherwise.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.sentinel1 import open_grd
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(100, 100)), n_vessels=0)
    ...     geometry = open_grd(path).geometry
    >>> longitude, latitude = geometry.to_map(10.0, 20.5)
    >>> line, pixel = geometry.to_image(longitude, latitude)
    >>> round(line.item(), 6), round(pixel.item(), 6)
    (10.0, 20.5)
    """

    first_line: np.datetime64
    """Zero-Doppler UTC time of line 0, nanoseconds."""
    line_interval_s: float
    """Time from one line to the next, seconds."""
    orbit: Orbit
    """Path of the satellite."""
    ground_range: GroundRange
    """Conversion from pixel to slant range."""
    water_level_m: float = 0.0
    """Height of the water over the geoid; 0 at sea. One number an image: it is the port's that is looked at."""

    def at_water_level(self, water_level_m: float) -> ImageGeometry:
        """Return the geometry of the same image over water at another height over the geoid, metres."""
        return replace(self, water_level_m=water_level_m)

    def to_map(self, line: ArrayLike, pixel: ArrayLike, height_m: ArrayLike | None = None) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, of image coordinates.

        Parameters
        ----------
        line, pixel
            Image coordinates, broadcast against each other; they may lie between pixels or outside the image.
        height_m
            Height above the ellipsoid, metres. Left out: the height of the water at that place.

        Returns
        -------
        longitude, latitude
            float64 arrays; NaN where the slant range does not reach the surface or the orbit is not known.
        """
        lon, lat = self._by_chunks(lambda *each: directions(self._place(*each)[1]), line, pixel, height_m)
        return lon, lat

    def to_image(
        self, longitude: ArrayLike, latitude: ArrayLike, height_m: ArrayLike | None = None
    ) -> tuple[Floats, Floats]:
        """Return image coordinates, not rounded, of longitude and latitude; the inverse of `to_map`.

        Parameters
        ----------
        longitude, latitude
            Degrees, broadcast against each other.
        height_m
            Height above the ellipsoid, metres. Left out: the height of the water at that place.

        Returns
        -------
        line, pixel
            float64 arrays. The values may lie outside the image; they are NaN for a place on the left of the path,
            beyond the horizon, or not passed while the orbit is known.
        """
        line, pixel = self._by_chunks(self._see, longitude, latitude, height_m)
        return line, pixel

    def time_at(self, line: ArrayLike) -> NDArray[np.datetime64]:
        """Return the zero-Doppler UTC time of lines, `datetime64[ns]`."""
        elapsed = np.rint(np.asarray(line, np.float64) * self.line_interval_s * 1e9)
        return np.asarray(self.first_line + elapsed.astype("timedelta64[ns]"))

    def slant_range_m(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the distance of pixels from the satellite, metres."""
        return self._by_chunks(lambda each, other: (self.ground_range.slant_m(each, other),), line, pixel)[0]

    def incidence_deg(self, line: ArrayLike, pixel: ArrayLike, height_m: ArrayLike | None = None) -> Floats:
        """Return the angle of incidence, between ray and vertical, degrees.

        The vertical is the ellipsoid's. The products' own angles are against the direction from the Earth's
        centre instead, up to 0.05° away.
        """
        return self._by_chunks(self._incidence, line, pixel, height_m)[0]

    def shift_s(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the time by whose product with its radial speed a target is imaged back along the flight, seconds.

        It is the slant range over the satellite's Earth-fixed speed, 105 to 124 s in IW.
        """
        return self._by_chunks(self._shift, line, pixel)[0]

    def heading_deg(self, line: ArrayLike, pixel: ArrayLike, height_m: ArrayLike | None = None) -> Floats:
        """Return the direction of flight, degrees clockwise from north in [0, 360).

        It is the satellite's Earth-fixed velocity projected on the local horizon; the image's along-track axis is
        within 0.2° of it.
        """
        return self._by_chunks(self._heading, line, pixel, height_m)[0]

    def track_m(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return metres along the flight, and across it in the direction of rising range, from the first pixel on."""
        return np.asarray(line, np.float64) * self.line_spacing_m, np.asarray(pixel, np.float64) * self.pixel_spacing_m

    def branches(self, line: Floats, pixel: Floats, margin: float) -> tuple[Floats, Floats]:
        """Return the pixel of places by each slant-range polynomial of their lines, and the borders between those."""
        slant = self.slant_range_m(line, pixel)
        finite = line[np.isfinite(line)]
        first, last = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        polynomials, borders = self.ground_range.polynomials(first - margin, last + margin)
        flat = slant.ravel()
        pixels = [self.ground_range.pixel(np.full(flat.size, each), flat).reshape(slant.shape) for each in polynomials]
        return np.stack(pixels), borders

    @cached_property
    def _surroundings(self) -> BaseGeometry:
        """Area within 20 km of the image, around its centre longitude; less where the radar cannot see."""
        n_lines, n_pixels = self.shape
        first, last = (time / self.line_interval_s for time in self.orbit.span_s)
        y = SURROUNDINGS_M / self.line_spacing_m
        top, bottom = max(-0.5 - y, first + 1), min(n_lines - 0.5 + y, last - 1)
        x = SURROUNDINGS_M / self.pixel_spacing_m
        for left in -0.5 - x / 2.0 ** np.arange(8):
            if np.all(np.isfinite(self.to_map(np.linspace(top, bottom, 9), left)[0])):
                break
        return recentred(self._outline(top, bottom, left, n_pixels - 0.5 + x), self.centre[0])

    def _by_chunks(self, compute: Callable[..., tuple[Floats, ...]], *arrays: ArrayLike | None) -> tuple[Floats, ...]:
        """Apply `compute` to flat pieces of broadcast arrays; return its answers in their shape. None, inf are NaN."""
        full = np.broadcast_arrays(*(np.asarray(array, np.float64) for array in arrays))
        flat = [np.where(np.isfinite(array), array, np.nan) for array in (each.reshape(-1) for each in full)]
        starts = range(0, max(flat[0].size, 1), CHUNK)
        pieces = [compute(*(array[start : start + CHUNK] for array in flat)) for start in starts]
        return tuple(np.concatenate(answer).reshape(full[0].shape) for answer in zip(*pieces, strict=True))

    def _place(self, line: Floats, pixel: Floats, height: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return position and unit normal of pixels, and position and velocity of the satellite, (3, n) each.

        In the zero-Doppler plane the only unknown is the look angle: X = S + R (cos θ · down + sin θ · right).
        Newton's method finds the angle whose X has the height asked for (NaN: the water's).
        """
        time = line * self.line_interval_s
        first, last = self.orbit.span_s
        satellite, velocity = self.orbit.state(np.where((time > first) & (time < last), time, np.nan))
        slant = self.ground_range.slant_m(line, pixel)
        slant = np.where((slant > 0) & (slant < FARTHEST_M), slant, np.nan)
        forward = velocity / np.sqrt(_dot(velocity, velocity))
        down = forward * _dot(satellite, forward) - satellite
        altitude = np.sqrt(_dot(down, down))
        down /= altitude
        right = np.cross(down, forward, axis=0)
        cosine = (altitude**2 + slant**2 - MEAN_RADIUS_M**2) / (2 * altitude * slant)
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        on_water = np.isnan(height)
        for _ in range(N_NEWTON):
            cos, sin = slant * np.cos(angle), slant * np.sin(angle)
            place = satellite + cos * down + sin * right
            up, found = up_and_height(place)
            wanted = np.where(on_water, self._water_m(*directions(up)), height) if on_water.any() else height
            with np.errstate(divide="ignore", invalid="ignore"):
                step = (wanted - found) / (cos * _dot(up, right) - sin * _dot(up, down))
            angle = angle + np.clip(step, -0.1, 0.1)
            if not np.any(np.abs(step) * slant > PLACE_TOLERANCE_M):
                break
        met = (np.abs(step) * slant <= PLACE_TOLERANCE_M) & (angle > 0) & (_dot(up, satellite - place) > 0)
        return np.where(met, place, np.nan), np.where(met, up, np.nan), satellite, velocity

    def _see(self, longitude: Floats, latitude: Floats, height: Floats) -> tuple[Floats, Floats]:
        """Return line and pixel of longitudes and latitudes."""
        on_water = np.isnan(height)
        if on_water.any():
            height = np.where(on_water, self._water_m(longitude, latitude), height)
        place = cartesian(longitude, latitude, height)
        time = self.orbit.zero_doppler(place)
        satellite, velocity = self.orbit.state(time)
        away = place - satellite
        in_view = (_dot(up_and_height(place)[0], away) < 0) & (_dot(np.cross(velocity, satellite, axis=0), away) > 0)
        line = np.where(in_view, time / self.line_interval_s, np.nan)
        return line, self.ground_range.pixel(line, np.sqrt(_dot(away, away)))

    def _water_m(self, longitude: Floats, latitude: Floats) -> Floats:
        """Return the height of the water above the ellipsoid."""
        return geoid_height_m(longitude, latitude) + self.water_level_m

    def _incidence(self, line: Floats, pixel: Floats, height: Floats) -> tuple[Floats]:
        place, up, satellite, _ = self._place(line, pixel, height)
        back = satellite - place
        across = np.cross(up, back, axis=0)
        return (np.degrees(np.arctan2(np.sqrt(_dot(across, across)), _dot(up, back))),)

    def _shift(self, line: Floats, pixel: Floats) -> tuple[Floats]:
        _, velocity = self.orbit.state(line * self.line_interval_s)
        return (self.ground_range.slant_m(line, pixel) / np.sqrt(_dot(velocity, velocity)),)

    def _heading(self, line: Floats, pixel: Floats, height: Floats) -> tuple[Floats]:
        _, up, _, velocity = self._place(line, pixel, height)
        east = np.stack([-up[1], up[0], np.zeros_like(up[0])])
        north = np.cross(up, east, axis=0)
        return (np.degrees(np.arctan2(_dot(velocity, east), _dot(velocity, north))) % 360.0,)


def _dot(a: Floats, b: Floats) -> Floats:
    """Return the scalar products of vectors (3, n)."""
    return np.asarray(np.einsum("in,in->n", a, b))
