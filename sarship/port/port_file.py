"""Read a port file, and give each vessel its pier.

A port file is a GeoJSON FeatureCollection. Each feature has a `name` and a `kind`:

| kind | geometry | what it does |
|---|---|---|
| `pier` | polygon, line or point | counts the vessels alongside: their axis within `max_distance_m` |
| `anchorage` | polygon | counts the vessels whose centre is inside (or within `max_distance_m`) |
| `water` | polygon | where there are any, nothing outside them is searched |
| `land`, `exclude` | polygon | not searched, and not part of any pier's waters |

Distances are computed in metres on a plane that touches the earth at the pier itself (azimuthal equidistant), so
they hold at any latitude and across the antimeridian.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Final, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.local_plane import Plane, buffer_m, mend_antimeridian
from sarship.schema import VESSELS, WGS84

__all__ = ["DEFAULT_MAX_DISTANCE_M", "Port", "assign_piers", "read_polygons", "read_port", "vessel_axes"]

DEFAULT_MAX_DISTANCE_M: Final = {"Polygon": 50.0, "LineString": 50.0, "Point": 100.0, "anchorage": 0.0}
"""How far from a pier the axis of a vessel counted there may lie, where the port file does not say, metres.

The axis of the widest vessels lies 30 m off the quay they touch; 10 m more are the radar's placing error, and a
small vessel rafted outside takes the rest. A point stands for a dolphin, a buoy or the middle of a berth, none of
which touches the hull: the hawser of a buoy alone is 50 m or more."""

KINDS: Final = ("pier", "anchorage", "water", "land", "exclude")
PLACES: Final = ("pier", "anchorage")
POLYGONS: Final = ("Polygon", "MultiPolygon")
SHAPES: Final = (*POLYGONS, "LineString", "MultiLineString", "Point", "MultiPoint")
SAME_PLACE_M: Final = 5.0
"""Two sides of the narrowest pier lie farther apart than this."""
MAX_SHARED: Final = 0.5
LARGEST_DISTANCE_M: Final = 20_000.0
AXIS_POINTS: Final = 11
"""Points along a vessel's axis whose mean distance ranks the piers; odd, so the centre is one of them."""

Sketch: TypeAlias = tuple[str, str, float, BaseGeometry]
"""Name, kind, max_distance_m and geometry of a feature."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Port:
    """What a port file says. All geometry is longitude and latitude in degrees, split at the antimeridian."""

    name: str
    """The file's own `name`, else the file's name without its ending."""
    piers: gpd.GeoDataFrame
    """Piers and anchorages in the file's order: `name`, `kind`, `max_distance_m`, geometry."""
    land: BaseGeometry | None = None
    """Union of the `land` polygons."""
    water: BaseGeometry | None = None
    """Union of the `water` polygons; None when the file has none, and all is searched but land."""
    exclude: BaseGeometry | None = None
    """Union of the `exclude` polygons."""

    @property
    def masked_land(self) -> BaseGeometry | None:
        """Land and excluded places together: neither hits nor ring pixels are taken there."""
        parts = [part for part in (self.land, self.exclude) if part is not None]
        return shapely.union_all(parts) if parts else None

    @property
    def area(self) -> BaseGeometry:
        """Where to look: the piers, their waters, and the water polygons.

        Land and exclude polygons are left out: they only mask, and may cover a whole country.
        """
        parts = [*self.piers.geometry, *self.waters().values()]
        return shapely.union_all(parts if self.water is None else [*parts, self.water])

    def waters(self) -> dict[str, BaseGeometry]:
        """Where a vessel counted at each pier may lie, by the pier's name.

        That is all within `max_distance_m` of the pier, without land and excluded places, and within the water
        polygons if there are any.
        """
        waters: dict[str, BaseGeometry] = {}
        for name, distance, geometry in zip(
            self.piers["name"], self.piers["max_distance_m"], self.piers.geometry, strict=True
        ):
            reach = buffer_m(geometry, distance)
            for mask in (self.land, self.exclude):
                if mask is not None:
                    reach = shapely.difference(reach, _near(mask, reach))
            waters[name] = reach if self.water is None else shapely.intersection(reach, self.water)
        return waters


def read_port(path: str | Path) -> Port:
    """The port of a GeoJSON file; the module's own text says what the file may hold.

    Parameters
    ----------
    path
        A FeatureCollection in longitude and latitude (WGS 84), as RFC 7946 wants it.

    Raises
    ------
    PortError
        If the file is missing, is not such a collection, or holds a feature that cannot be used: unnamed, of a name
        already taken, of an unknown kind, with an invalid geometry, off the world, or on another pier.
    """
    source = str(path)
    collection = _load_collection(Path(path))
    features = [_read_feature(item, f"{source}: feature {n}") for n, item in enumerate(collection["features"], 1)]
    _refuse_duplicates([feature[0] for feature in features], source)
    places = [feature for feature in features if feature[1] in PLACES]
    if not places:
        raise PortError(f"{source} has no feature of kind 'pier' or 'anchorage', so there is nothing to count at")
    given_name = collection.get("name")
    port = Port(
        name=given_name if isinstance(given_name, str) and given_name.strip() else Path(path).stem,
        piers=_piers_table(places),
        **{kind: _union_of(features, kind) for kind in ("land", "water", "exclude")},
    )
    _refuse_overlaps([place for place in places if place[1] == "pier"], source)
    for name, water in port.waters().items():
        if water.area == 0:
            raise PortError(
                f"{source}: {name!r} has no water left around it: land, exclude or water polygons take all of it; "
                "move it to the water's edge, or raise its max_distance_m"
            )
    return port


def read_polygons(path: str | Path) -> BaseGeometry:
    """All polygons of a vector file (GeoJSON, GeoPackage, Shapefile, …) as one geometry in longitude and latitude.

    Polygons that cross themselves, common in coastline files, are repaired.

    Raises
    ------
    PortError
        If the file is missing, cannot be read, holds something other than polygons, or lacks a coordinate system.
    """
    if not Path(path).exists():
        raise PortError(f"{path} does not exist; a vector file with polygons of the land is needed")
    try:
        frame = gpd.read_file(Path(path))
    except Exception as error:  # drivers raise whatever they like
        raise PortError(f"{path} cannot be read as a vector file: {str(error).splitlines()[0]}") from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.geometry.isna().all():
        raise PortError(f"{path} holds no geometry; polygons are needed")
    if frame.crs is None:
        raise PortError(f"{path} has no coordinate reference system; write one into it (a .prj for a Shapefile)")
    shapes = frame.geometry[~(frame.geometry.isna() | frame.geometry.is_empty)]
    others = sorted(set(shapes.geom_type) - set(POLYGONS))
    if others or shapes.empty:
        found = " and ".join(others) or "nothing"
        raise PortError(f"{path} holds {found} where polygons are needed; turn a coastline's lines into polygons first")
    try:
        degrees = shapes.to_crs(WGS84)
    except Exception as error:  # pyproj's errors share no useful base
        raise PortError(f"{path} cannot be brought to WGS 84 from {frame.crs.name}: {error}") from error
    for polygon in degrees:
        _check_coordinates(polygon, str(path))
    repaired = shapely.make_valid(shapely.force_2d(np.asarray(degrees.array)), method="structure")
    return shapely.union_all(repaired)


def assign_piers(vessels: gpd.GeoDataFrame, piers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The vessels with the pier each is counted at; a new table, in the same order.

    A vessel's axis is the line through its centre along its heading, as long as the vessel. A pier may have the
    vessel if the axis comes within the pier's `max_distance_m` (inside a polygon the distance is zero), an anchorage
    if the centre does. Of several, the vessel goes

    1. to a pier rather than an anchorage: a berth inside a roadstead is the closer description;
    2. to the one nearest **on the average along the axis**, so that a vessel alongside one pier whose bow comes
       close to another's head stays with the first;
    3. to the one of the lesser name, so that neither the order of the vessels nor that of the piers matters.

    Parameters
    ----------
    vessels
        Table after `schema.VESSELS`.
    piers
        `Port.piers`: columns `name`, `kind`, `max_distance_m`, geometry.

    Returns
    -------
    GeoDataFrame
        The vessels with `pier`, and `distance_m` from the axis to that pier; both missing for a vessel at no pier.
    """
    VESSELS.check(vessels)
    best = [(math.inf, math.inf, "")] * len(vessels)
    names: list[str | None] = [None] * len(vessels)
    distances = np.full(len(vessels), np.nan)
    axes = vessel_axes(vessels, AXIS_POINTS)
    for pier in piers.itertuples():
        is_anchorage = pier.kind == "anchorage"
        for row, nearest, mean, centre in _distances(axes, vessels["length_m"], pier.geometry, pier.max_distance_m):
            rank = (float(is_anchorage), mean, str(pier.name))
            if (centre if is_anchorage else nearest) <= pier.max_distance_m and rank < best[row]:
                best[row], names[row], distances[row] = rank, str(pier.name), nearest
    return vessels.assign(
        pier=pd.Series(names, index=vessels.index, dtype="str"), distance_m=pd.Series(distances, index=vessels.index)
    )


def vessel_axes(vessels: gpd.GeoDataFrame, n_points: int = 2) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points along each vessel's axis, from one end to the other.

    Returns
    -------
    tuple of array
        Longitude and latitude, degrees, each (n_vessels, n_points).
    """
    along = np.linspace(-0.5, 0.5, n_points) * vessels["length_m"].to_numpy(float)[:, None]
    longitude, latitude, heading = (
        np.broadcast_to(vessels[name].to_numpy(float)[:, None], along.shape)
        for name in ("longitude", "latitude", "heading_deg")
    )
    ends = Geod(ellps="WGS84").fwd(longitude, latitude, heading, along)
    return np.asarray(ends[0]), np.asarray(ends[1])


def _distances(
    axes: tuple[NDArray[np.float64], NDArray[np.float64]], lengths_m: pd.Series, pier: BaseGeometry, reach_m: float
) -> list[tuple[int, float, float, float]]:
    """Row, distance of axis, mean distance along it and distance of the centre, of each vessel that may be in reach."""
    plane = Plane.around(pier)
    flat = plane.flatten_geometry(pier)
    shapely.prepare(flat)
    x, y = plane.flatten(*axes)
    centres = np.asarray(shapely.distance(flat, shapely.points(x[:, AXIS_POINTS // 2], y[:, AXIS_POINTS // 2])))
    rows = np.flatnonzero(centres <= reach_m + lengths_m.to_numpy(float))
    nearest = np.asarray(shapely.distance(flat, shapely.linestrings(np.stack([x[rows], y[rows]], axis=-1))))
    means = np.mean(shapely.distance(flat, shapely.points(x[rows], y[rows])), axis=1)
    return list(zip(rows.tolist(), nearest, means, centres[rows], strict=True))


def _load_collection(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PortError(f"{path} {'is not a file' if path.exists() else 'does not exist'}; a port file is GeoJSON")
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PortError(f"{path} is not JSON ({error}); a port file is GeoJSON text") from error
    except OSError as error:
        raise PortError(f"{path} cannot be read: {error.strerror}") from error
    kind = content.get("type") if isinstance(content, dict) else type(content).__name__
    if kind != "FeatureCollection" or not isinstance(content.get("features"), list):
        raise PortError(f"{path} is a {kind!r}, not a GeoJSON FeatureCollection with a list of features")
    _refuse_other_crs(content.get("crs"), str(path))
    return dict(content)


def _refuse_other_crs(member: object, source: str) -> None:
    """Old GeoJSON could declare a coordinate system; RFC 7946 took that out, so only WGS 84's names pass."""
    if member is None:
        return
    properties = member.get("properties") if isinstance(member, dict) else None
    name = str(properties.get("name")) if isinstance(properties, dict) else str(member)
    if not name.upper().endswith(("CRS84", ":4326")):
        raise PortError(
            f"{source} declares the coordinate system {name!r}; GeoJSON is WGS 84: reproject it to EPSG:4326"
        )


def _read_feature(item: object, where: str) -> Sketch:
    """Check one feature, from its name to its geometry."""
    if not isinstance(item, dict) or item.get("type") != "Feature":
        raise PortError(f"{where} is not a GeoJSON Feature")
    properties = item.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    name, kind = properties.get("name"), properties.get("kind")
    if not isinstance(name, str) or not name.strip():
        raise PortError(f"{where} has no name; give it a text property 'name' (it has {name!r})")
    name = name.strip()
    where = f"{where} ({name!r})"
    if kind not in KINDS:
        raise PortError(f"{where} has the kind {kind!r}; it must be one of {', '.join(KINDS)}")
    geometry = _read_geometry(item.get("geometry"), kind, where)
    return name, kind, _read_distance(properties.get("max_distance_m"), kind, geometry, where), geometry


def _read_geometry(member: object, kind: str, where: str) -> BaseGeometry:
    if not isinstance(member, dict):
        raise PortError(f"{where} has no geometry")
    allowed = SHAPES if kind == "pier" else POLYGONS
    if member.get("type") not in allowed:
        raise PortError(
            f"{where} is a {member.get('type')!r}; a feature of kind {kind!r} is one of {', '.join(allowed)}"
        )
    try:
        geometry = shapely.force_2d(shape(member))
    except Exception as error:  # coordinates of any form raise anything
        raise PortError(
            f"{where} has coordinates that make no {member['type']}: {' '.join(str(error).split())}"
        ) from error
    if geometry.is_empty:
        raise PortError(f"{where} has an empty geometry")
    _check_coordinates(geometry, where)
    if not geometry.is_valid:
        raise PortError(f"{where} has an invalid geometry: {shapely.is_valid_reason(geometry)}; redraw it there")
    if (member["type"] in POLYGONS and geometry.area == 0) or ("Line" in member["type"] and geometry.length == 0):
        raise PortError(f"{where} is a {member['type']} without any size; draw its outline")
    return mend_antimeridian(geometry)


def _check_coordinates(geometry: BaseGeometry, where: str) -> None:
    """Refuse what is not a number, not in degrees, or off the world."""
    coordinates = shapely.get_coordinates(geometry)
    off = ~((np.abs(coordinates[:, 0]) <= 180) & (np.abs(coordinates[:, 1]) <= 90))
    if not off.any():
        return
    longitude, latitude = coordinates[off][0]
    if not (math.isfinite(longitude) and math.isfinite(latitude)):
        hint = "every coordinate must be a number"
    elif max(abs(longitude), abs(latitude)) > 400:
        hint = "these look like metres: reproject to longitude, latitude in degrees (EPSG:4326)"
    elif abs(longitude) <= 90 and abs(latitude) <= 180:
        hint = "latitude and longitude seem swapped: GeoJSON has longitude first"
    else:
        hint = "longitude is within ±180, latitude within ±90; what crosses the antimeridian is split there"
    raise PortError(f"{where} has a point at ({longitude:g}, {latitude:g}), off the world; {hint}")


def _read_distance(value: object, kind: str, geometry: BaseGeometry, where: str) -> float:
    is_area = geometry.geom_type in POLYGONS
    if value is None:
        family = geometry.geom_type.removeprefix("Multi")
        return DEFAULT_MAX_DISTANCE_M["anchorage" if kind == "anchorage" else family]
    if kind not in PLACES:
        raise PortError(f"{where} has a max_distance_m, which only a pier or an anchorage takes; remove it")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_DISTANCE_M:
        raise PortError(
            f"{where} has max_distance_m {value!r}; it is a number of metres from 0 to {LARGEST_DISTANCE_M:g}"
        )
    if value == 0 and not is_area:
        raise PortError(
            f"{where} has max_distance_m 0; only a polygon can have that, no vessel lies on a line or point"
        )
    return float(value)


def _refuse_duplicates(names: Sequence[str], source: str) -> None:
    for number, name in enumerate(names, 1):
        first = names.index(name) + 1
        if first != number:
            raise PortError(f"{source}: features {first} and {number} are both called {name!r}; names must differ")


def _refuse_overlaps(piers: Sequence[Sketch], source: str) -> None:
    """Refuse a pier that lies on another: every vessel there would go to one of them, and the other count nothing."""
    for (one, _, _, shape_of_one), (other, _, _, shape_of_other) in permutations(piers, 2):
        if not shape_of_one.dwithin(shape_of_other, 1e-3):
            continue
        plane = Plane.around(shape_of_one)
        whole = plane.flatten_geometry(shape_of_one).buffer(1.0)
        shared = whole.intersection(plane.flatten_geometry(shape_of_other).buffer(SAME_PLACE_M))
        if shared.area > MAX_SHARED * whole.area:
            doubt = "so a vessel there could be counted at either; draw each berth once"
            raise PortError(f"{source}: {one!r} lies on {other!r}, {doubt}")


def _piers_table(places: Sequence[Sketch]) -> gpd.GeoDataFrame:
    names, kinds, distances, shapes = zip(*places, strict=True)
    frame = pd.DataFrame(
        {
            "name": pd.Series(names, dtype="str"),
            "kind": pd.Series(kinds, dtype="str"),
            "max_distance_m": pd.Series(distances, dtype="float64"),
        }
    )
    return gpd.GeoDataFrame(frame, geometry=list(shapes), crs=WGS84)


def _union_of(features: Sequence[Sketch], kind: str) -> BaseGeometry | None:
    shapes = [feature[3] for feature in features if feature[1] == kind]
    return shapely.union_all(shapes) if shapes else None


def _near(mask: BaseGeometry, place: BaseGeometry) -> BaseGeometry:
    """The part of a large mask around a small place, which is much quicker to cut with."""
    return shapely.intersection(mask, shapely.box(*place.bounds))
