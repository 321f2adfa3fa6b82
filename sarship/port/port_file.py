"""Port files: read, and checked.

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
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Final, TypeAlias

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.local_plane import Plane, buffer_m, mend_antimeridian
from sarship.port.polygons import POLYGONS, check_coordinates
from sarship.schema import WGS84

__all__ = ["DEFAULT_MAX_DISTANCE_M", "Port", "read_port"]

DEFAULT_MAX_DISTANCE_M: Final = {"Polygon": 50.0, "LineString": 50.0, "Point": 100.0, "anchorage": 0.0}
"""How far from a pier the axis of a vessel counted there may lie, where the port file does not say, metres.

The axis of the widest vessels lies 30 m off the quay they touch; 10 m more are the radar's placing error, and a
small vessel rafted outside takes the rest. A point stands for a dolphin, a buoy or the middle of a berth, none of
which touches the hull: the hawser of a buoy alone is 50 m or more."""

KINDS: Final = ("pier", "anchorage", "water", "land", "exclude")
PLACES: Final = ("pier", "anchorage")
SHAPES: Final = (*POLYGONS, "LineString", "MultiLineString", "Point", "MultiPoint")
SAME_PLACE_M: Final = 5.0
"""Two sides of the narrowest pier lie farther apart than this."""
MAX_SHARED: Final = 0.5
LARGEST_DISTANCE_M: Final = 20_000.0

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
    check_coordinates(geometry, where)
    if not geometry.is_valid:
        raise PortError(f"{where} has an invalid geometry: {shapely.is_valid_reason(geometry)}; redraw it there")
    if (member["type"] in POLYGONS and geometry.area == 0) or ("Line" in member["type"] and geometry.length == 0):
        raise PortError(f"{where} is a {member['type']} without any size; draw its outline")
    return mend_antimeridian(geometry)


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
