"""Port files: their content and its checks.

A port file is a GeoJSON FeatureCollection, or any other vector file. Each feature has a `kind`, and a `name`, which
masks may lack:

| kind | geometry | effect |
|---|---|---|
| `pier` | polygon, line or point | counts the vessels alongside: their axis within `max_distance_m` |
| `anchorage` | polygon | counts the vessels whose centre is inside (or within `max_distance_m`) |
| `apron` | polygon ashore | a yard that is looked at for vehicles and cargo; no vessels are counted there |
| `water` | polygon | if there are any, nothing outside them is searched |
| `land`, `exclude` | polygon | not searched, and not part of any pier's waters |

The file's member `water_level_m` is the height of the port's water over the geoid; a port on a known lake needs none.
In a vector file the same names are columns, and a layer's name may be its kind.

Distances are computed in metres on a plane that touches the Earth at the pier itself (azimuthal equidistant), so
they hold at any latitude and across the antimeridian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.lakes import Lake, lake_at
from sarship.geo.local_plane import Plane, buffer_m, mend_antimeridian
from sarship.port.polygons import POLYGONS, check_coordinates, error_at
from sarship.port.port_features import (
    APRON,
    COUNTED,
    KINDS,
    MASKS,
    ToDegrees,
    WrittenFeature,
    WrittenPort,
    read_features,
)
from sarship.schema import WGS84
from sarship.texts import name_fault, printable

__all__ = ["DEFAULT_MAX_DISTANCE_M", "GEOMETRY_TYPES", "Port", "check_port", "read_port"]

DEFAULT_MAX_DISTANCE_M: Final = {"Polygon": 50.0, "LineString": 50.0, "Point": 100.0, "anchorage": 0.0}
"""Default of `max_distance_m`, from a pier to the axis of a vessel counted there, by geometry or kind, metres.

The axis of the widest vessels lies 30 m off the quay they touch; 10 m more are the radar's placing error, and a
small vessel rafted outside takes the rest. A point stands for a dolphin, a buoy or the middle of a berth, none of
which touches the hull: the hawser of a buoy alone is 50 m or more."""

GEOMETRY_TYPES: Final = (*POLYGONS, "LineString", "MultiLineString", "Point", "MultiPoint")
SAME_PIER_M: Final = 5.0
"""Distance within which two lines are one pier; the sides of the narrowest pier lie farther apart."""
MAX_OVERLAP: Final = 0.5
"""Part of a pier's area that may lie on another."""
LARGEST_DISTANCE_M: Final = 20_000.0
LARGEST_PIER_M: Final = 200_000.0
"""Longest side of a pier or anchorage: more is a slip of the pen, and no local plane holds it."""
NORTHERNMOST_DEG: Final = 88.0
"""Latitude beyond which nothing is counted: Sentinel-1 does not image it, and no plane geometry holds a pole."""
LOWEST_M: Final = -450.0
"""Lowest water level of a port file: below the Dead Sea, the lowest water that floats a vessel."""
HIGHEST_M: Final = 6_000.0
"""Highest water level of a port file: above every lake."""
MIN_APRON_M2: Final = 2_500.0
"""Area of the smallest apron, 25 cells: on fewer, speckle hides what stands there."""
MAX_SURFACE: Final = 60
"""Characters of the longest `surface`."""


class _Feature(NamedTuple):
    """A feature of the file, checked."""

    name: str
    kind: str
    max_distance_m: float
    geometry: BaseGeometry
    surface: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Port:
    """Content of a port file. All geometry is longitude and latitude in degrees, split at the antimeridian.

    Examples
    --------
    >>> quay = shapely.LineString([(35.861, 34.907), (35.868, 34.911)])
    >>> table = {"name": ["North quay"], "kind": ["pier"], "max_distance_m": [60.0]}
    >>> port = Port(name="Tartus", piers=gpd.GeoDataFrame(table, geometry=[quay], crs="EPSG:4326"))
    >>> port.pier_waters()["North quay"].contains(shapely.Point(35.865, 34.909))
    True
    """

    name: str
    """The file's own `name`, else the file's name without its ending."""
    piers: gpd.GeoDataFrame
    """Table of piers and anchorages in the file's order: `name`, `kind`, `max_distance_m`, geometry."""
    land: BaseGeometry | None = None
    """Union of the `land` polygons."""
    water: BaseGeometry | None = None
    """Union of the `water` polygons; None if the file has none, and all but land is searched."""
    exclude: BaseGeometry | None = None
    """Union of the `exclude` polygons."""
    given_level_m: float | None = None
    """The file's `water_level_m`; None where it says nothing."""
    aprons: gpd.GeoDataFrame = field(default_factory=lambda: _table_of([], "name", "surface"))
    """Table of yards ashore in the file's order: `name`, `surface` (empty if not said), geometry."""
    attribution: str = ""
    """The file's `attribution`: whom to name wherever its content is shown."""

    @cached_property
    def lake(self) -> Lake | None:
        """The known lake that the piers lie on; None where there is none, or where the file gives the level."""
        return lake_at(shapely.union_all(list(self.piers.geometry))) if self.given_level_m is None else None

    @property
    def water_level_m(self) -> float:
        """Height of the port's water over the geoid, metres: the file's, else the known lake's, else 0, the sea's."""
        if self.given_level_m is not None:
            return self.given_level_m
        return 0.0 if self.lake is None else self.lake.water_level_m

    @property
    def land_mask(self) -> BaseGeometry | None:
        """Union of the `land` and `exclude` polygons, where neither hits nor training cells are taken."""
        parts = [part for part in (self.land, self.exclude) if part is not None]
        return shapely.union_all(parts) if parts else None

    @cached_property
    def area(self) -> BaseGeometry:
        """Area to search: the piers, their waters, the water polygons, and the aprons.

        Land and exclude polygons are left out: they only mask, and may cover a whole country.
        """
        parts = [*self.piers.geometry, *self.pier_waters().values(), *self.aprons.geometry]
        return shapely.union_all(parts if self.water is None else [*parts, self.water])

    def pier_waters(self) -> dict[str, BaseGeometry]:
        """Return the area where a vessel counted at each pier may lie, by the pier's name.

        It reaches `max_distance_m` from the pier, without land and excluded areas, and within the water polygons if
        there are any.
        """
        return dict(self._waters)

    @cached_property
    def _waters(self) -> dict[str, BaseGeometry]:
        waters: dict[str, BaseGeometry] = {}
        for pier in self.piers.itertuples():
            area = buffer_m(pier.geometry, pier.max_distance_m)
            for mask in (self.land, self.exclude):
                if mask is not None:  # a large mask is cut to the pier first, which is much quicker
                    area = shapely.difference(area, shapely.intersection(mask, shapely.box(*area.bounds)))
            waters[str(pier.name)] = area if self.water is None else shapely.intersection(area, self.water)
        return waters


def read_port(path: str | Path) -> Port:
    """Read a port file.

    Parameters
    ----------
    path
        A GeoJSON FeatureCollection, in longitude and latitude unless it declares another coordinate system; a
        GeoPackage or any other vector file that GeoPandas reads, with the properties as columns; or, as text, the name
        of a port whose piers ship with sarship, such as `"tartus"`. docs/port_file.md describes all of them.

    Returns
    -------
    Port
        Piers, anchorages, aprons and masks.

    Raises
    ------
    PortError
        If the file is missing, cannot be read, or holds a feature that cannot be used: unnamed, of a name already
        taken, of an unknown kind, with an invalid geometry, off the world, or on another pier; an apron that is too
        small or lies on the water; or a water level that is no height.

    Warns
    -----
    ProductWarning
        Layers that have neither kinds nor the name of one are passed over.

    References
    ----------
    Butler et al., The GeoJSON Format, RFC 7946, 2016.

    Examples
    --------
    >>> import json
    >>> from tempfile import TemporaryDirectory
    >>> quay = {"type": "LineString", "coordinates": [[35.861, 34.907], [35.868, 34.911]]}
    >>> pier = {"type": "Feature", "properties": {"name": "North quay", "kind": "pier"}, "geometry": quay}
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "tartus.geojson")
    ...     _ = path.write_text(json.dumps({"type": "FeatureCollection", "features": [pier]}))
    ...     port = read_port(path)
    >>> port.name, port.piers["max_distance_m"].tolist()
    ('tartus', [50.0])
    """
    return check_port(*read_features(path))


def check_port(path: Path, written: WrittenPort) -> Port:
    """Return the port that the content of a file makes, or refuse it as `read_port` does."""
    features = [_read_feature(item, path, number) for number, item in enumerate(written.features, 1)]
    _refuse_duplicates([feature.name for feature in features], path)
    counted = [feature for feature in features if feature.kind in COUNTED]
    if not counted:
        raise error_at(path)("has no feature of kind 'pier' or 'anchorage', so there is nothing to count at")
    port = Port(
        name=_read_name(written.name, path),
        piers=_table_of(counted, "name", "kind", "max_distance_m"),
        aprons=_table_of([feature for feature in features if feature.kind == APRON], "name", "surface"),
        **{kind: _union_of(features, kind) for kind in ("land", "water", "exclude")},
        given_level_m=_read_level(written.water_level_m, error_at(path)),
        attribution=written.attribution if isinstance(written.attribution, str) else "",
    )
    _refuse_overlaps([feature for feature in counted if feature.kind == "pier"], path)
    for name, waters in port.pier_waters().items():
        if waters.area == 0:
            raise error_at(path, name, f": {name!r}")(
                "has no water left around it: land, exclude or water polygons take all of it; "
                "move it to the water's edge, or raise its max_distance_m"
            )
    _refuse_afloat(port, path)
    return port


def _read_name(given: object, path: Path) -> str:
    """Return the name of the port: the file's member, else the file's own."""
    if not isinstance(given, str) or not given.strip():
        return printable(path.stem)
    if fault := name_fault(given.strip()):
        raise error_at(path)(f"has a name that {fault}: {given[:40]!r}; give it another")
    return given.strip()


def _read_level(value: object, error: Callable[[str], PortError]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not LOWEST_M <= value <= HIGHEST_M:
        raise error(
            f"has water_level_m {value!r}; it is the height of the water over sea level, a number of metres from "
            f"{LOWEST_M:g} to {HIGHEST_M:g}"
        )
    return float(value)


def _read_feature(written: WrittenFeature, path: Path, number: int) -> _Feature:
    item, label = written.content, written.label
    error = error_at(path, number, label)
    if not isinstance(item, dict) or item.get("type") != "Feature":
        raise error("is not a GeoJSON Feature")
    properties = item.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    name, kind = properties.get("name"), properties.get("kind")
    if name is None and kind in MASKS:
        name = f"{kind}{label}"
    if not isinstance(name, str) or not name.strip():
        raise error(f"has no name; give it a text property 'name' (it has {name!r})")
    name = name.strip()
    if fault := name_fault(name):
        raise error(f"has a name that {fault}: {name[:40]!r}; give it another")
    error = error_at(path, name, f"{label} ({name!r})")
    if kind not in KINDS:
        raise error(f"has the kind {kind!r}; it must be one of {', '.join(KINDS)}")
    if properties.get("water_level_m") is not None:
        raise error("has a water_level_m, which is the whole port's: move it beside the member 'features'")
    geometry = _read_geometry(item.get("geometry"), kind, error, written.to_degrees)
    if kind in COUNTED or kind == APRON:
        _refuse_vast(geometry, error)
    distance_m = _read_distance(properties.get("max_distance_m"), kind, geometry, error)
    surface = "" if kind != APRON else _read_surface(properties.get("surface"), error)
    if kind == APRON and (area_m2 := Plane.around(geometry).flatten_geometry(geometry).area) < MIN_APRON_M2:
        raise error(
            f"has {area_m2 / 1e4:.2f} ha; an apron has {MIN_APRON_M2 / 1e4:g} ha or more, or speckle hides what stands "
            "there: draw the whole yard"
        )
    return _Feature(name, kind, distance_m, geometry, surface)


def _read_surface(value: object, error: Callable[[str], PortError]) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_SURFACE or (value.strip() and name_fault(value.strip())):
        raise error(f"has the surface {str(value)[:40]!r}; it is a word or two, such as asphalt or gravel")
    return value.strip()


def _refuse_vast(geometry: BaseGeometry, error: Callable[[str], PortError]) -> None:
    """Refuse a pier that no local plane holds."""
    _, south, _, north = geometry.bounds
    if max(-south, north) > NORTHERNMOST_DEG:
        raise error(f"reaches beyond {NORTHERNMOST_DEG:g} degrees of latitude, where no image of Sentinel-1 lies")
    size_m = max(map(np.ptp, Plane.around(geometry).flatten(*shapely.get_coordinates(geometry).T)))
    if not size_m <= LARGEST_PIER_M:
        raise error(f"is {size_m / 1000:.0f} km wide; no place of a port has more than {LARGEST_PIER_M / 1000:g} km")


def _read_geometry(
    member: object, kind: str, error: Callable[[str], PortError], to_degrees: ToDegrees | None
) -> BaseGeometry:
    if not isinstance(member, dict):
        raise error("has no geometry")
    found: Any = member.get("type")
    allowed = GEOMETRY_TYPES if kind == "pier" else POLYGONS
    if found not in allowed:
        raise error(f"is a {found!r}; a feature of kind {kind!r} is one of {', '.join(allowed)}")
    try:
        geometry = shapely.force_2d(shapely.geometry.shape(member))
    except Exception as cause:  # coordinates of any form raise anything
        raise error(f"has coordinates that make no {found}: {' '.join(str(cause).split())}") from cause
    if geometry.is_empty:
        raise error("has an empty geometry")
    if to_degrees is not None:
        geometry = to_degrees(geometry)
    check_coordinates(geometry, error)
    if not geometry.is_valid:
        raise error(f"has an invalid geometry: {shapely.is_valid_reason(geometry)}; redraw it there")
    if (found in POLYGONS and geometry.area == 0) or ("Line" in found and geometry.length == 0):
        raise error(f"is a {found} without any size; draw its outline")
    if (mended := mend_antimeridian(geometry)).geom_type.removeprefix("Multi") != found.removeprefix("Multi"):
        raise error("goes half around the world at a stroke, and nobody can tell which way; split it at 180 degrees")
    return mended


def _read_distance(value: object, kind: str, geometry: BaseGeometry, error: Callable[[str], PortError]) -> float:
    if value is None:
        return DEFAULT_MAX_DISTANCE_M[kind if kind == "anchorage" else geometry.geom_type.removeprefix("Multi")]
    if kind not in COUNTED:
        raise error("has a max_distance_m, which only a pier or an anchorage takes; remove it")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_DISTANCE_M:
        raise error(f"has max_distance_m {value!r}; it is a number of metres from 0 to {LARGEST_DISTANCE_M:g}")
    if value == 0 and geometry.geom_type not in POLYGONS:
        raise error("has max_distance_m 0; only a polygon can have that, no vessel lies on a line or point")
    return float(value)


def _refuse_duplicates(names: Sequence[str], path: Path) -> None:
    numbers: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        first = numbers.setdefault(name, number)
        if first != number:
            message = f"features {first} and {number} are both called {name!r}; names must differ"
            raise error_at(path, name, ":")(message)


def _refuse_overlaps(piers: Sequence[_Feature], path: Path) -> None:
    """Refuse a pier that lies on another: every vessel there would go to one of them, and the other count nothing."""
    shapes = np.array([pier.geometry for pier in piers], object)
    pairs = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=1e-3).T
    for one, other in ((piers[first], piers[second]) for first, second in pairs if first != second):
        plane = Plane.around(one.geometry)
        flat = [plane.flatten_geometry(pier.geometry) for pier in (one, other)]
        mine, theirs = (shapely.simplify(each, 1e-3) for each in flat)  # of knots of points a buffer takes minutes
        if not mine.dwithin(theirs, SAME_PIER_M + 1.0):  # buffers take long
            continue
        whole = mine.buffer(1.0)
        shared = whole.intersection(theirs.buffer(SAME_PIER_M))
        if shared.area > MAX_OVERLAP * whole.area:
            doubt = "so a vessel there could be counted at either; draw each berth once"
            raise error_at(path, one.name, f": {one.name!r}")(f"lies on {other.name!r}, {doubt}")


def _refuse_afloat(port: Port, path: Path) -> None:
    """Refuse an apron most of which lies on the water, whose brightness is the wind's and the vessels'."""
    waters = port.pier_waters()
    if port.water is not None:
        waters["the port's water"] = port.water if port.land is None else shapely.difference(port.water, port.land)
    for apron in port.aprons.itertuples():
        for name, water in waters.items():
            if shapely.intersection(apron.geometry, water).area > MAX_OVERLAP * apron.geometry.area:
                where = name if name not in set(port.piers["name"]) else f"the waters of {name!r}"
                raise error_at(path, str(apron.name), f": {apron.name!r}")(
                    f"lies on {where}, and an apron lies ashore; move it, or draw the land it lies on"
                )


def _table_of(features: Sequence[_Feature], *columns: str) -> gpd.GeoDataFrame:
    table = gpd.GeoDataFrame(features, columns=_Feature._fields, crs=WGS84)
    dtypes = {"name": "str", "kind": "str", "max_distance_m": "float64", "surface": "str"}
    return table.astype(dtypes)[[*columns, "geometry"]]


def _union_of(features: Sequence[_Feature], kind: str) -> BaseGeometry | None:
    geometries = [feature.geometry for feature in features if feature.kind == kind]
    return shapely.union_all(geometries) if geometries else None
