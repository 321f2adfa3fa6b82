"""The raster of a simulated product: lines in time, pixels in ground range, by the product's own polynomials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.polynomial import Polynomial, polynomial
from numpy.typing import ArrayLike, NDArray

from sarship.geo.earth import geoid_height_m
from sarship.simulate.orbit import RADIUS_M, Orbit, ground_range, incidence, locate, orbit_over, root, see
from sarship.simulate.params import ProductParams

__all__ = ["RadarGrid", "make_grid"]

Reals = NDArray[np.float64]

_DEGREE: Final = 8


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class RadarGrid:
    """Geometry of a simulated image. Times are seconds from the overflight of its place."""

    orbit: Orbit
    """The satellite."""
    epoch: datetime
    """UTC of second zero."""
    shape: tuple[int, int]
    """Numbers of lines and pixels."""
    spacing_m: float
    """Pixel spacing in ground range."""
    start: float
    """Second of the first line."""
    interval: float
    """Seconds from line to line."""
    near_m: float
    """Slant range of the first pixel."""
    conversion_times: Reals
    """Seconds that the range polynomials hold at."""
    to_slant: Reals
    """Ground to slant range, one row of rising coefficients a conversion time."""
    to_ground: Reals
    """Slant range less `near_m` to ground range, likewise."""

    def utc(self, seconds: float) -> datetime:
        """Return the UTC of a second."""
        return self.epoch + timedelta(seconds=seconds)

    def seconds(self, line: ArrayLike) -> Reals:
        """Zero-Doppler second of a line."""
        return np.asarray(self.start + np.asarray(line, np.float64) * self.interval)

    def slant_range(self, line: ArrayLike, pixel: ArrayLike) -> Reals:
        """Slant range of a pixel, metres, by the polynomial nearest in time."""
        chosen = self.to_slant[self._nearest(self.seconds(line))]
        return _evaluate(chosen, np.asarray(pixel, np.float64) * self.spacing_m)

    def place(self, line: ArrayLike, pixel: ArrayLike, height_m: float = 0.0) -> tuple[Reals, Reals]:
        """Longitude and latitude, degrees, of a line and pixel at an ellipsoid height."""
        line, pixel = np.broadcast_arrays(np.asarray(line, np.float64), np.asarray(pixel, np.float64))
        return locate(self.orbit, self.seconds(line), self.slant_range(line, pixel), height_m)

    def sea_place(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Reals, Reals]:
        """Longitude and latitude, degrees, of a line and pixel at the sea surface of the image's centre."""
        middle = self.place((self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2)
        return self.place(line, pixel, float(geoid_height_m(*middle)))

    def image(self, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Reals, Reals]:
        """Line and pixel (real numbers) of places on the sea surface."""
        height = geoid_height_m(np.asarray(longitude, np.float64), np.asarray(latitude, np.float64))
        seconds, reach = see(self.orbit, longitude, latitude, height)
        chosen = self.to_slant[self._nearest(seconds)]
        first = _evaluate(self.to_ground[self._nearest(seconds)], reach - self.near_m)

        def too_far(ground: Reals) -> Reals:
            return _evaluate(chosen, ground) - reach

        return (seconds - self.start) / self.interval, root(too_far, first, 1e-7) / self.spacing_m

    def incidence(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Reals, Reals]:
        """Angles of incidence and elevation, degrees, on the ellipsoid."""
        line, pixel = np.broadcast_arrays(np.asarray(line, np.float64), np.asarray(pixel, np.float64))
        return incidence(self.orbit, self.seconds(line), (*self.place(line, pixel), 0.0))

    def _nearest(self, seconds: Reals) -> NDArray[np.int64]:
        return np.asarray(np.abs(seconds[..., None] - self.conversion_times).argmin(-1))


def _evaluate(coefficients: Reals, x: Reals) -> Reals:
    """Polynomials with one row of coefficients for each x."""
    return np.asarray(polynomial.polyval(x, np.moveaxis(coefficients, -1, 0), tensor=False))


def make_grid(params: ProductParams) -> RadarGrid:
    """Return the raster that shows a place where its parameters want it.

    Raises
    ------
    ValueError
        If no orbit sees the place so.
    """
    sea = float(geoid_height_m(params.longitude, params.latitude))
    orbit = orbit_over(params.longitude, params.latitude, sea, params.incidence_deg, params.orbit_pass)
    orbit = replace(orbit, node=orbit.node + params.drift_m / RADIUS_M)
    abeam, reach = see(orbit, params.longitude, params.latitude, sea)
    (n_lines, n_pixels), (line, pixel) = params.shape, params.centre
    spacing = params.specification.spacing_m
    interval = _line_interval(orbit, float(reach), spacing)
    near = _near_range(orbit, float(reach), pixel * spacing)
    start = float(abeam) - line * interval
    times = np.arange(np.floor(start) - 1.0, np.ceil(start + (n_lines - 1) * interval) + 2.0)
    pairs = [_fit(orbit, float(t), near, max((n_pixels - 1) * spacing, 100_000.0)) for t in times]
    return RadarGrid(
        orbit=orbit,
        epoch=params.time,
        shape=params.shape,
        spacing_m=spacing,
        start=start,
        interval=interval,
        near_m=near,
        conversion_times=times,
        to_slant=np.stack([a for a, _ in pairs]),
        to_ground=np.stack([b for _, b in pairs]),
    )


def _line_interval(orbit: Orbit, reach: float, spacing_m: float) -> float:
    """Seconds in which the beam moves one spacing over the ground."""
    step = np.array([-0.5, 0.5])
    longitude, latitude = locate(orbit, step, np.full(2, reach))
    longitude = np.unwrap(longitude, period=360)  # the two may lie on either side of the antimeridian
    metres = np.radians(np.diff(latitude)) * 6_371_000, np.radians(np.diff(longitude)) * 6_371_000
    return float(spacing_m / np.hypot(metres[0], metres[1] * np.cos(np.radians(latitude.mean())))[0])


def _near_range(orbit: Orbit, reach: float, before_m: float) -> float:
    """Slant range of the place that lies `before_m` of ground range before another."""
    ranges = np.linspace(reach - before_m, reach, 400)
    ground = ground_range(orbit, 0.0, ranges)
    return float(np.interp(ground[-1] - before_m, ground, ranges))


def _fit(orbit: Orbit, seconds: float, near_m: float, width_m: float) -> tuple[Reals, Reals]:
    """Polynomials ground → slant range and slant range less near → ground, at one time.

    They are fitted over a full swath, so that places beside a small image stay well behaved.
    """
    before = np.linspace(near_m - 2_000, near_m, 30)
    ranges = np.concatenate([before[:-1], np.linspace(near_m, near_m + 0.75 * width_m, 400)])
    ground = ground_range(orbit, seconds, ranges)
    ground -= ground[len(before) - 1]
    slant = Polynomial.fit(ground, ranges, _DEGREE).convert().coef
    back = Polynomial.fit(ranges - near_m, ground, _DEGREE).convert().coef
    return np.asarray(slant, np.float64), np.asarray(back, np.float64)
