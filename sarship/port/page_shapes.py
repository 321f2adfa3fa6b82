"""Geometries of GeoJSON as outlines in metres on a grid, whose corners can be dragged, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import numpy as np
import shapely
import shapely.geometry
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.geojson import DIGITS
from sarship.geo.local_plane import mend_antimeridian
from sarship.port.grid import PortGrid
from sarship.port.port_file import GEOMETRY_TYPES
from sarship.schema import WGS84

__all__ = ["NotDrawnError", "Outline", "geometry_of", "is_number", "outline_of", "read_outline", "shape_of"]

CORNERS: Final = {"Point": 1, "LineString": 2, "Polygon": 3}
"""Minimum number of corners of a path, by the type of its geometry."""
MILLIMETRE: Final = 3
"""Digits of metres that corners are sent with."""

Corner = list[float]
"""East and north in metres, and what else the position in the file has, such as a height."""


class NotDrawnError(Exception):
    """Raised for a geometry that cannot be drawn."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A geometry on a grid."""

    type: str
    """Point, LineString or Polygon; several parts make it one of many."""
    paths: list[dict[str, Any]]
    """Each a `part` and its `points`; of a polygon the outline comes first, then its holes, none of them closed."""


def shape_of(geometry: Any) -> BaseGeometry:
    """Return a geometry in degrees.

    Raises
    ------
    NotDrawnError
        If it is none of a port file's types, is empty, or has coordinates that are no numbers.
    """
    try:
        if geometry["type"] not in GEOMETRY_TYPES:
            raise NotDrawnError
        shape = shapely.force_2d(shapely.geometry.shape(geometry))
    except Exception as cause:  # coordinates of any form raise anything
        raise NotDrawnError from cause
    if shape.is_empty or not np.isfinite(shapely.get_coordinates(shape)).all():
        raise NotDrawnError
    return shape


def outline_of(geometry: Any, grid: PortGrid) -> Outline:
    """Return a geometry on a grid; parts that were split at the antimeridian are joined.

    Raises
    ------
    NotDrawnError
        If it cannot be drawn, or lies where the grid's projection does not reach.
    """
    shape = shape_of(geometry)
    kind = shape.geom_type.removeprefix("Multi")
    paths = [(part, _open(points, kind)) for part, points in _rings(geometry)]
    placed = [(part, _placed(points, grid)) for part, points in paths]
    if shape.geom_type.startswith("Multi") and (np.abs(shapely.get_coordinates(shape)[:, 0]) == 180).any():
        placed = _joined(kind, placed)
    if any(len(points) < CORNERS[kind] for _, points in placed):
        raise NotDrawnError
    return Outline(kind, [{"part": part, "points": points} for part, points in placed])


def _rings(geometry: Mapping[str, Any]) -> list[tuple[int, list[list[float]]]]:
    """Return the paths of a geometry, each with the number of its part."""
    kind, coordinates = geometry["type"], geometry["coordinates"]
    parts = list(enumerate(coordinates if kind.startswith("Multi") else [coordinates]))
    if "Polygon" in kind:
        return [(part, ring) for part, rings in parts for ring in rings]
    return [(part, [points] if "Point" in kind else points) for part, points in parts]


def _open(points: Sequence[Any], kind: str) -> list[Any]:
    is_closed = kind == "Polygon" and len(points) > 1 and list(points[0]) == list(points[-1])
    return list(points[:-1] if is_closed else points)


def _placed(points: Sequence[Sequence[float]], grid: PortGrid) -> list[Corner]:
    degrees = np.array([point[:2] for point in points], np.float64).reshape(-1, 2)
    x, y = _to_metres(grid).transform(degrees[:, 0], degrees[:, 1])
    x, y = np.round(np.asarray(x) - grid.west_m, MILLIMETRE), np.round(np.asarray(y) - _south_m(grid), MILLIMETRE)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise NotDrawnError
    return [[float(east), float(north), *point[2:]] for east, north, point in zip(x, y, points, strict=True)]


def _joined(kind: str, placed: list[tuple[int, list[Corner]]]) -> list[tuple[int, list[Corner]]]:
    """Return paths whose parts meet at the antimeridian as one; heights go."""
    if kind == "Point":
        return placed
    flat = shape_of(_nested(kind, [(part, [point[:2] for point in points]) for part, points in placed]))
    whole = shapely.union_all(shapely.make_valid(flat)) if kind == "Polygon" else shapely.line_merge(flat)
    if whole.geom_type.removeprefix("Multi") != kind:
        return placed
    rings = _rings(shapely.geometry.mapping(whole))
    return [(part, [list(point) for point in _open(points, kind)]) for part, points in rings]


def read_outline(kind: object, paths: object, error: Callable[[str], PortError]) -> Outline:
    """Return an outline that was sent, or refuse what cannot be one."""
    doubt = error("cannot take its outline: a page of this version did not send it")
    if not isinstance(kind, str) or kind not in CORNERS or not isinstance(paths, list) or not paths:
        raise doubt
    for path in paths:
        points = path.get("points") if isinstance(path, dict) else None
        if not isinstance(points, list) or type(path.get("part")) is not int:
            raise doubt
        if not all(isinstance(point, list) and len(point) >= 2 and all(map(is_number, point)) for point in points):
            raise doubt
        if len(points) < CORNERS[kind]:
            raise error(f"has {len(points)} corners, and a {kind} has {CORNERS[kind]} or more; add some, or delete it")
    return Outline(kind, paths)


def is_number(value: object) -> TypeGuard[float]:
    """Return True for a finite number; JSON's true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def geometry_of(
    outline: Outline, grid: PortGrid, before: Mapping[str, Any] | None, error: Callable[[str], PortError]
) -> dict[str, Any]:
    """Return an outline as GeoJSON; corners of the geometry before it keep the very numbers that the file has.

    What crosses the antimeridian is split there.

    Parameters
    ----------
    outline
        On the grid.
    grid
        The grid.
    before
        Geometry in the file; None for a new feature.
    error
        Makes the error for the feature.
    """
    known = dict[tuple[float, float], list[float]]()
    for _, points in [] if before is None else _rings(before):
        known.update({(x, y): point[:2] for (x, y, *_), point in zip(_placed(points, grid), points, strict=True)})
    paths = [(path["part"], _degrees(path["points"], grid, known, error)) for path in outline.paths]
    is_multi = before is not None and before["type"].startswith("Multi")
    geometry = _nested(outline.type, paths, is_multi=is_multi)
    shape = shape_of(geometry)
    mended = mend_antimeridian(shape)
    if mended is shape:
        return geometry
    found: dict[str, Any] = shapely.geometry.mapping(mended)
    return found


def _degrees(
    points: Sequence[Corner],
    grid: PortGrid,
    known: Mapping[tuple[float, float], list[float]],
    error: Callable[[str], PortError],
) -> list[list[float]]:
    places = np.array([point[:2] for point in points], np.float64)
    back = _to_metres(grid).transform(places[:, 0] + grid.west_m, places[:, 1] + _south_m(grid), direction="INVERSE")
    degrees = np.round(np.column_stack(back), DIGITS)
    if not np.isfinite(degrees).all():
        raise error("was dragged off the map; undo that")
    return [[*known.get((x, y), degree.tolist()), *rest] for (x, y, *rest), degree in zip(points, degrees, strict=True)]


def _nested(kind: str, paths: Sequence[tuple[int, list[Any]]], *, is_multi: bool = False) -> dict[str, Any]:
    """Return paths as a geometry, of many parts if there are several or it was of many before."""
    parts = dict[int, list[Any]]()
    for part, points in paths:
        parts.setdefault(part, []).append([*points, points[0]] if kind == "Polygon" else points)
    coordinates = [rings if kind == "Polygon" else rings[0] for rings in parts.values()]
    if kind == "Point":
        coordinates = [points[0] for points in coordinates]
    if len(coordinates) > 1 or is_multi:
        return {"type": f"Multi{kind}", "coordinates": coordinates}
    return {"type": kind, "coordinates": coordinates[0]}


def _to_metres(grid: PortGrid) -> Transformer:
    return Transformer.from_crs(WGS84, grid.crs, always_xy=True)


def _south_m(grid: PortGrid) -> float:
    return grid.north_m - grid.shape[0] * grid.spacing_m
