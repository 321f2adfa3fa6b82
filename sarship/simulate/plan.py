"""The plan of a small made-up port, in metres east and north of its middle."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

__all__ = ["ANCHORAGE", "BEACON", "FACES", "LAND", "PIERS", "Face", "Pier", "Place"]

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """Where metres become degrees: a plane that touches the Earth at a point."""

    longitude: float
    latitude: float

    def degrees(self, metres: BaseGeometry) -> BaseGeometry:
        """Longitude-latitude geometry of one in metres east and north."""
        return shapely.transform(metres, self.points)

    def points(self, xy: Reals) -> Reals:
        """Longitude and latitude, (n, 2), of metres east and north."""
        phi = np.radians(self.latitude)
        squared = 6.69437999014e-3
        root = np.sqrt(1 - squared * np.sin(phi) ** 2)
        north, east = 6_378_137.0 * (1 - squared) / root**3, 6_378_137.0 / root * np.cos(phi)
        return np.stack(
            [self.longitude + np.degrees(xy[:, 0] / east), self.latitude + np.degrees(xy[:, 1] / north)], -1
        )


@dataclass(frozen=True, slots=True)
class Face:
    """An edge of a quay that vessels lie along; the water is on its left."""

    pier: str
    """Name of the pier it belongs to."""
    start: tuple[float, float]
    """Metres east and north."""
    stop: tuple[float, float]
    """Metres east and north."""
    busy: float
    """Share of its length that is taken on a usual date."""

    @property
    def length_m(self) -> float:
        """Length of the edge."""
        return float(np.hypot(*np.subtract(self.stop, self.start)))

    def at(self, along_m: Reals | float, off_m: Reals | float) -> Reals:
        """Metres east and north of places so far along the edge, and so far off it over the water."""
        ahead = np.subtract(self.stop, self.start) / self.length_m
        left = np.array([-ahead[1], ahead[0]])
        along, off = np.atleast_1d(along_m), np.atleast_1d(off_m)
        return np.asarray(np.asarray(self.start) + along[:, None] * ahead + off[:, None] * left)

    @property
    def heading_deg(self) -> float:
        """Direction from start to stop, clockwise from north."""
        east, north = np.subtract(self.stop, self.start)
        return float(np.degrees(np.arctan2(east, north)) % 360)


@dataclass(frozen=True, slots=True)
class Pier:
    """A pier as the port file has it."""

    name: str
    """Its name."""
    geometry: BaseGeometry
    """A line along the quay, or the outline of a jetty; metres east and north."""
    faces: tuple[Face, ...]
    """Where vessels lie."""


def _quay(name: str, start: tuple[float, float], stop: tuple[float, float], busy: float) -> Pier:
    return Pier(name, LineString([start, stop]), (Face(name, start, stop, busy),))


def _jetty(name: str, root: tuple[float, float], heading_deg: float, size: tuple[float, float], busy: float) -> Pier:
    """A jetty from the shore outwards; it reaches 30 m into the land so that the two are one."""
    length, width = size
    heading = np.radians(heading_deg)
    ahead = np.array([np.sin(heading), np.cos(heading)])
    right = np.array([ahead[1], -ahead[0]]) * width / 2
    base, shore, tip = (np.asarray(root) + d * ahead for d in (-30.0, 25.0, length))
    outline = Polygon([base + right, tip + right, tip - right, base - right])
    faces = (
        Face(name, tuple(shore - right), tuple(tip - right), busy),
        Face(name, tuple(tip + right), tuple(shore + right), busy),
    )
    return Pier(name, outline, faces)


PIERS: Final = (
    _quay("Coal quay", (1_000.0, -1_950.0), (1_000.0, -1_050.0), 0.6),
    _jetty("South jetty", (1_000.0, -450.0), 268.0, (720.0, 50.0), 0.6),
    _jetty("Oil jetty", (1_000.0, 520.0), 305.0, (620.0, 40.0), 0.5),
    _jetty("Naval mole", (1_000.0, 1_550.0), 286.0, (520.0, 40.0), 0.0),
    _quay("Container quay", (1_000.0, 2_100.0), (480.0, 2_930.0), 0.7),
)
"""Five piers of different headings. The Naval mole is always empty."""

FACES: Final = tuple(face for pier in PIERS for face in pier.faces)

ANCHORAGE: Final = box(-2_800.0, -700.0, -700.0, 1_900.0)
"""Where vessels wait at anchor."""

BEACON: Final = Point(-250.0, -1_500.0)
"""A light tower on a rock, always there, that the port file excludes."""

_SHORE: Final = Polygon([(1_000, -6_500), (1_000, 2_100), (480, 2_930), (250, 6_500), (6_000, 6_500), (6_000, -6_500)])
LAND: Final = MappingProxyType(
    {"Shore": _SHORE, **{pier.name: pier.geometry for pier in PIERS if pier.geometry.geom_type == "Polygon"}}
)
"""Ground: the shore, which reaches past the image, and the jetties."""
