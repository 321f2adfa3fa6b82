"""Plan of a simulated port: a plane in metres, its piers, land and traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

__all__ = ["Face", "Pier", "Place", "Plan", "Yard", "jetty", "quay"]

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """Plane that touches the Earth at a point, from metres to degrees."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
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
    usual_m: float = 105.0
    """Median length of its vessels."""
    lengths_m: tuple[float, float] = (30.0, 250.0)
    """Shortest and longest vessel."""
    apart_m: tuple[float, float] = (8.0, 25.0)
    """Minimum and maximum gap between vessels bow to stern; short ones keep less."""
    stay: float = 2.0
    """Mean number of dates that a vessel stays."""
    rafting: float = 0.0
    """Chance that a vessel that comes lies outboard of another."""
    max_abreast: int = 3
    """Most vessels of a raft."""
    stern_to: float = 0.0
    """Chance that a vessel that comes moors with its stern to the quay, bow out, as in Mediterranean ports."""
    stern_off_m: tuple[float, float] = (2.0, 12.0)
    """Minimum and maximum gap between the quay and the stern of such a vessel."""
    max_vessels: int = 8
    """Most vessels at its pier."""
    n_cranes: int = 0
    """Cranes on rails along it."""
    has_cargo: bool = False
    """True if containers stand on its apron."""
    laid_up_m: float = 0.0
    """Length of a vessel that never leaves; 0 for none."""

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
    """Edges that vessels lie along."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Yard:
    """A yard ashore that vehicles are put on."""

    name: str
    """Its name as an apron of the port file."""
    polygon: Polygon
    """Its outline, metres east and north."""
    base_db: float
    """Sigma nought of its empty ground in co-polarisation."""
    vehicles: tuple[int, ...]
    """Number of vehicles on each date; the last holds for all later ones."""
    rcs_m2: float = 50.0
    """Mean co-polarised cross-section of a vehicle; that of each differs from date to date (Swerling 1)."""

    def number_on(self, date: int) -> int:
        """Return the number of vehicles on a date."""
        return self.vehicles[min(date, len(self.vehicles) - 1)]

    def vehicles_on(self, date: int, rng: np.random.Generator) -> tuple[Reals, Reals]:
        """Return the places of the vehicles of a date, metres east and north, (n, 2), and their cross-sections."""
        n = self.number_on(date)
        places = np.empty((0, 2))
        west, south, east, north = self.polygon.bounds
        while len(places) < n:
            drawn = rng.uniform((west, south), (east, north), (2 * n, 2))
            places = np.concatenate([places, drawn[shapely.contains_xy(self.polygon, drawn)]])
        return places[:n], rng.exponential(self.rcs_m2, n)


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Plan:
    """A port: what stands there, and how much traffic it has. Metres east and north of its middle."""

    piers: tuple[Pier, ...]
    """Piers with their faces."""
    land: Mapping[str, Polygon]
    """Ground by name: the shore, which reaches past the image, jetties and breakwaters."""
    anchorage: Polygon
    """Waters of the vessels at anchor."""
    n_anchored: float
    """Usual number at anchor."""
    fairways: tuple[tuple[float, float, float, float], ...]
    """Boxes (west, south, east, north) of open water where vessels are under way."""
    n_under_way: float
    """Mean number under way in them."""
    sailing_m_s: tuple[float, float] = (0.0, 0.0)
    """Slowest and fastest speed there."""
    fixtures: tuple[tuple[float, float, float], ...] = ()
    """Buoys, beacons and rocks that are always there: east, north, cross-section in m²."""
    excluded: BaseGeometry | None = None
    """Water that the port file leaves out."""
    warehouses: tuple[tuple[float, float, float, float], ...] = ()
    """Big buildings: west, south, east, north."""
    yards: tuple[Yard, ...] = ()
    """Yards ashore."""
    land_margin_m: float = 25.0
    """Margin of the port file's land over the water's edge; with 25 m, as an analyst draws it, quays are masked."""
    shape: tuple[int, int] = (700, 700)
    """Lines and pixels of 10 m that an image of it needs."""
    offset_deg: tuple[float, float] = field(default=(0.0, 0.0))
    """Longitude and latitude of its middle less those of the image's centre."""

    @property
    def faces(self) -> tuple[Face, ...]:
        """Every edge that vessels lie along."""
        return tuple(face for pier in self.piers for face in pier.faces)


def quay(name: str, start: tuple[float, float], stop: tuple[float, float], busy: float, /, **traits: Any) -> Pier:
    """A quay along the shore: a line with the water on its left. `traits` are those of `Face`."""
    return Pier(name, LineString([start, stop]), (Face(pier=name, start=start, stop=stop, busy=busy, **traits),))


def jetty(
    name: str, root: tuple[float, float], heading_deg: float, size: tuple[float, float], busy: float, /, **traits: Any
) -> Pier:
    """A jetty from the shore outwards; it reaches 30 m into the land so that the two are one."""
    length, width = size
    heading = np.radians(heading_deg)
    ahead = np.array([np.sin(heading), np.cos(heading)])
    right = np.array([ahead[1], -ahead[0]]) * width / 2
    base, shore, tip = (np.asarray(root) + d * ahead for d in (-30.0, 25.0, length))
    outline = Polygon([base + right, tip + right, tip - right, base - right])
    faces = (
        Face(pier=name, start=tuple(shore - right), stop=tuple(tip - right), busy=busy, **traits),
        Face(pier=name, start=tuple(tip + right), stop=tuple(shore + right), busy=busy, **traits),
    )
    return Pier(name, outline, faces)
