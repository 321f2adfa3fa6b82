"""A simulated satellite over a real Earth, and where it sees a place: a solver of its own.

The orbit is a circle, inclined and turning like Sentinel-1's, so that it repeats exactly after twelve days and 175
revolutions. Places are found by root finding on this analytic orbit, with heights from PROJ. Nothing here is shared
with `sarship.sentinel1.geolocation`, which fits polynomials to state vectors: the two agree only if both are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from scipy import optimize

from sarship.model import OrbitPass

__all__ = [
    "LIGHT_M_S",
    "RADIUS_M",
    "REVOLUTION",
    "Orbit",
    "ground_range",
    "incidence",
    "locate",
    "orbit_over",
    "root",
    "see",
    "to_earth",
]

LIGHT_M_S: Final = 299_792_458.0
REVOLUTION: Final = timedelta(days=12) / 175
"""Time from one ascending node to the next."""

RADIUS_M: Final = 7_071_000.0
"""Radius of the orbit."""
_INCLINATION: Final = np.radians(98.18)
_MOTION: Final = 2 * np.pi * 175 / (12 * 86_400)
"""Argument of latitude gained a second: 175 revolutions in 12 days."""
_TURN: Final = 2 * np.pi / 86_400
"""Longitude by which the node falls back a second: once a solar day, since the orbit keeps pace with the Sun."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Orbit:
    """A circular, Sun-synchronous orbit in Earth-fixed coordinates."""

    argument: float
    """Angle from the ascending node at time zero, radians."""
    node: float
    """Longitude of the ascending node at time zero, radians."""

    def position(self, seconds: ArrayLike) -> Reals:
        """Earth-fixed position, metres; shape of `seconds` plus a last axis of three."""
        t = np.asarray(seconds, np.float64)
        circle = RADIUS_M * _ring(self.argument + _MOTION * t)
        return np.asarray((_turn(self.node - _TURN * t) @ circle[..., None])[..., 0])

    def velocity(self, seconds: ArrayLike) -> Reals:
        """Earth-fixed velocity, metres a second: along the circle, and with the turning Earth."""
        t = np.asarray(seconds, np.float64)
        along = _ring(self.argument + _MOTION * t + np.pi / 2) * RADIUS_M * _MOTION
        moved = (_turn(self.node - _TURN * t) @ along[..., None])[..., 0]
        place = self.position(t)
        return np.asarray(moved - _TURN * np.stack([-place[..., 1], place[..., 0], np.zeros_like(t)], -1))

    def since_node(self) -> float:
        """Seconds from the last ascending node to time zero."""
        return float(self.argument % (2 * np.pi) / _MOTION)


def _ring(angle: Reals) -> Reals:
    """Unit circle of the orbital plane whose node lies on the x axis."""
    rise = np.sin(angle)
    return np.stack([np.cos(angle), rise * np.cos(_INCLINATION), rise * np.sin(_INCLINATION)], -1)


def _turn(angle: Reals) -> Reals:
    """Rotation about the Earth's axis, shape of `angle` plus (3, 3)."""
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([c, -s, o], -1), np.stack([s, c, o], -1), np.stack([o, o, o + 1], -1)], -2)


@cache
def _transformer(*, inverse: bool) -> Transformer:
    pair = ("EPSG:4978", "EPSG:4979") if inverse else ("EPSG:4979", "EPSG:4978")
    return Transformer.from_crs(*pair, always_xy=True)


def to_earth(longitude: ArrayLike, latitude: ArrayLike, height_m: ArrayLike = 0.0) -> Reals:
    """Earth-fixed metres of degrees and ellipsoid height, last axis three."""
    lon, lat, height = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (longitude, latitude, height_m)))
    return np.stack(_transformer(inverse=False).transform(lon, lat, height), -1)


def from_earth(place: Reals) -> tuple[Reals, Reals, Reals]:
    """Longitude, latitude (degrees) and ellipsoid height (metres) of Earth-fixed metres."""
    lon, lat, height = _transformer(inverse=True).transform(place[..., 0], place[..., 1], place[..., 2])
    return np.asarray(lon), np.asarray(lat), np.asarray(height)


def _up(longitude: ArrayLike, latitude: ArrayLike) -> Reals:
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon], -1)


def root(function: Callable[[Reals], Reals], guess: Reals, tolerance: float) -> Reals:
    """Return the root of an elementwise function by the secant method; any shape, also none."""
    if guess.size == 0:
        return guess
    return np.asarray(optimize.newton(function, guess, tol=tolerance, maxiter=60))


def see(orbit: Orbit, longitude: ArrayLike, latitude: ArrayLike, height_m: ArrayLike = 0.0) -> tuple[Reals, Reals]:
    """Return the second at which a place is abeam (zero Doppler), and its slant range then, metres.

    Root of (place − satellite) · velocity, by the secant method on the analytic orbit, from time zero.
    """
    place = to_earth(longitude, latitude, height_m)

    def along(t: Reals) -> Reals:
        return np.asarray(np.sum((place - orbit.position(t)) * orbit.velocity(t), -1) / 7.5e7)

    seconds = root(along, np.zeros(place.shape[:-1]), 1e-11)
    return seconds, np.asarray(np.linalg.norm(place - orbit.position(seconds), axis=-1))


def locate(orbit: Orbit, seconds: ArrayLike, range_m: ArrayLike, height_m: float = 0.0) -> tuple[Reals, Reals]:
    """Longitude and latitude (degrees) seen abeam at a time and slant range, right-looking, at a height.

    Root of the height over the look angle, by the secant method.
    """
    t, reach = np.broadcast_arrays(np.asarray(seconds, np.float64), np.asarray(range_m, np.float64))
    sat, speed = orbit.position(t), orbit.velocity(t)
    ahead = speed / np.linalg.norm(speed, axis=-1, keepdims=True)
    right = np.cross(ahead, sat)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    down = np.cross(ahead, right)

    def place(look: Reals) -> Reals:
        return np.asarray(sat + reach[..., None] * (np.cos(look)[..., None] * down + np.sin(look)[..., None] * right))

    def too_high(look: Reals) -> Reals:
        return np.asarray((from_earth(place(look))[2] - height_m) / 1e6)

    earth = 6_371_000.0
    guess = np.arccos(np.clip((reach**2 + RADIUS_M**2 - earth**2) / (2 * reach * RADIUS_M), -1, 1))
    look = root(too_high, guess, 1e-13)
    lon, lat, _ = from_earth(place(look))
    return lon, lat


def incidence(orbit: Orbit, seconds: ArrayLike, place: tuple[Reals, Reals, ArrayLike]) -> tuple[Reals, Reals]:
    """Angle of incidence on the ellipsoid and elevation (off-nadir) angle, degrees, of longitude, latitude, height."""
    ground = to_earth(*place)
    sat = orbit.position(seconds)
    look = sat - ground
    look = look / np.linalg.norm(look, axis=-1, keepdims=True)
    up = np.sum(look * _up(place[0], place[1]), -1)
    off = np.sum(look * sat, -1) / np.linalg.norm(sat, axis=-1)
    return np.degrees(np.arccos(np.clip(up, -1, 1))), np.degrees(np.arccos(np.clip(off, -1, 1)))


def ground_range(orbit: Orbit, seconds: float, range_m: Reals) -> Reals:
    """Length along the ellipsoid, metres, from the first to each of increasing slant ranges at one time."""
    chord = np.linalg.norm(np.diff(to_earth(*locate(orbit, seconds, range_m)), axis=0), axis=-1)
    return np.concatenate([[0.0], np.cumsum(chord)])


def orbit_over(longitude: float, latitude: float, height_m: float, incidence_deg: float, heading: OrbitPass) -> Orbit:
    """Orbit that has a place abeam on its right at time zero, at an angle of incidence, going north or south.

    Raises
    ------
    ValueError
        If no orbit of this inclination sees the place so (too near a pole).
    """
    place = to_earth(longitude, latitude, height_m)
    up = _up(longitude, latitude)

    def miss(x: Reals) -> list[float]:
        orbit = Orbit(float(x[0]), float(x[1]))
        sat, speed = orbit.position(0.0), orbit.velocity(0.0)
        look = sat - place
        angle = np.arccos(np.clip(look @ up / np.linalg.norm(look), -1, 1))
        return [float(look @ speed / (np.linalg.norm(look) * 7.5e3)), float(angle - np.radians(incidence_deg))]

    north = heading == "ascending"
    rise = np.arcsin(np.clip(np.sin(np.radians(latitude)) / np.sin(_INCLINATION), -0.998, 0.998))
    argument = rise if north else np.pi - rise
    away = 0.1125 * np.tan(np.radians(incidence_deg)) / max(0.1, np.cos(np.radians(latitude)))
    below = np.arctan2(np.sin(argument) * np.cos(_INCLINATION), np.cos(argument))
    node = np.radians(longitude) - below - (away if north else -away)
    for step in (0.0, 0.03, -0.03, 0.08, -0.08, 0.15, -0.15):
        found = optimize.root(miss, [argument + step, node], tol=1e-13)
        orbit = Orbit(float(found.x[0]), float(found.x[1]))
        on_right = np.cross(orbit.velocity(0.0), orbit.position(0.0)) @ (place - orbit.position(0.0)) > 0
        goes_north = orbit.velocity(0.0)[2] > 0
        if max(map(abs, miss(found.x))) < 1e-9 and on_right and goes_north == north:
            return orbit
    raise ValueError(
        f"no {heading} Sentinel-1 orbit sees latitude {latitude}, longitude {longitude} at {incidence_deg} degrees of "
        "incidence; choose a place nearer the equator"
    )
