"""Edits of a port file: its features in metres on a grid, as a page draws them, and back into the file.

What was not edited stays as it was written: features of other kinds, properties, members, the numbers of corners that
were not moved, and the text between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.geojson import as_geojson, bbox_of
from sarship.port.collection_text import replaced
from sarship.port.grid import PortGrid
from sarship.port.page_shapes import NotDrawnError, Outline, geometry_of, is_number, outline_of, read_outline, shape_of
from sarship.port.polygons import error_at
from sarship.port.port_features import MASKS, features_of, find_port_file, is_json, parse_collection, read_written
from sarship.port.port_file import DEFAULT_MAX_DISTANCE_M, Port, check_port
from sarship.schema import WGS84

__all__ = ["OpenedPort", "open_port_file"]

_MAX_DISTANCE: Final = "max_distance_m"


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedPort:
    """A port file as it was opened to be edited."""

    path: Path
    written: bytes
    """All of the file."""
    content: Mapping[str, Any]
    """The collection."""
    port: Port
    """The port; of a file that `read_port` refuses, what could be read of its places, which serves to find them."""
    fault: str = ""
    """Sentence of the refusal."""

    @cached_property
    def grid(self) -> PortGrid:
        """Grid around the port."""
        return PortGrid.around(self.port.area, water_level_m=self.port.water_level_m)

    @property
    def version(self) -> str:
        """Digest of the file."""
        return self.version_of(self.written)

    @staticmethod
    def version_of(written: bytes) -> str:
        """Return the digest of the bytes of a file."""
        return sha256(written).hexdigest()

    @property
    def attribution(self) -> str:
        """Whom to name wherever the file's content is shown."""
        given = self.content.get("attribution")
        return given if isinstance(given, str) else ""

    def drawn(self, grid: PortGrid) -> list[dict[str, Any]]:
        """Return the features, in metres east and north of a grid's south-west corner.

        Returns
        -------
        list of dict
            `source` (number in the file, from 0), `name`, `kind`, `max_distance_m` (None where the file has none, or no
            number), `type` (Point, LineString or Polygon; None for what cannot be drawn) and `paths`: each a `part` of
            the geometry and its `points`, `[x, y, ...]`; of polygons the outline first, then its holes.
        """
        return [_drawn(item, number, grid) for number, item in enumerate(self.content["features"])]

    def edited(self, edits: object, grid: PortGrid) -> bytes:
        """Return the file with edited features, checked as it is when it is read.

        Parameters
        ----------
        edits
            As `drawn` gave them: features that are missing are deleted, those without a `source` are new, and one
            without `paths` keeps its geometry.
        grid
            Grid of the edits.

        Raises
        ------
        PortError
            If that is no port file.
        """
        error = error_at(self.path)
        if not isinstance(edits, list) or not all(isinstance(one, dict) for one in edits):
            raise error("cannot take what was sent: it is no list of features")
        sources = [one["source"] for one in edits if one.get("source") is not None]
        known = range(len(self.content["features"]))
        if any(type(one) is not int or one not in known for one in sources) or len(set(sources)) < len(sources):
            raise error("cannot take what was sent: a feature in it is not of the file; reload the page")
        given = self.drawn(grid)
        features = [self._merged(one, given, grid) for one in edits]
        text = self.written.decode()
        new = replaced(text, features, self._bounds(features))
        content = parse_collection(new.encode(), self.path)
        check_port(self.path, features_of(content, self.path))
        return new.encode()

    def _merged(
        self, edit: Mapping[str, Any], given: Sequence[Mapping[str, Any]], grid: PortGrid
    ) -> int | dict[str, Any]:
        """Return the number of a feature that nobody edited, or the new content of one."""
        number = edit.get("source")
        drawn: Mapping[str, Any] = {} if number is None else given[number]
        names = ("name", "kind", _MAX_DISTANCE)
        changes = {name: edit.get(name) for name in names if edit.get(name) != drawn.get(name)}
        paths = edit.get("paths")
        if number is not None and not changes and (paths is None or paths == drawn["paths"]):
            return int(number)
        before = {"type": "Feature"} if number is None else self.content["features"][number]
        error = error_at(self.path, str(edit.get("name")), f": {edit.get('name')!r}")
        if not isinstance(before, dict) or (number is not None and drawn["type"] is None and paths):
            raise error("cannot be drawn, and so not be edited here; delete it, or correct the file by hand")
        properties = before["properties"] if isinstance(before.get("properties"), dict) else {}
        gone = {name for name, value in changes.items() if value is None}
        feature = before | {"properties": {k: v for k, v in (properties | changes).items() if k not in gone}}
        if number is not None and (paths is None or paths == drawn["paths"]):
            return feature
        outline = read_outline(edit.get("type"), paths, error)
        if number is None:
            return feature | {"geometry": as_geojson(shape_of(geometry_of(outline, grid, None, error)))}
        geometry = {name: value for name, value in before["geometry"].items() if name != "bbox"}
        feature["geometry"] = geometry | geometry_of(outline, grid, before["geometry"], error)
        if "bbox" in feature:
            feature["bbox"] = bbox_of(shape_of(feature["geometry"]))
        return feature

    def _bounds(self, features: Sequence[int | Mapping[str, Any]]) -> dict[str, object]:
        """Return the collection's `bbox`, if it has one and all features can be drawn."""
        if "bbox" not in self.content:
            return {}
        items = [self.content["features"][one] if isinstance(one, int) else one for one in features]
        try:
            shapes = [shape_of(item["geometry"]) for item in items]
        except (NotDrawnError, TypeError, KeyError):
            return {}
        return {"bbox": bbox_of(shapely.GeometryCollection(shapes))} if shapes else {}


def open_port_file(given: str | Path) -> OpenedPort:
    """Open a port file to edit it; one that `read_port` refuses is opened too, as far as its places can be told.

    Parameters
    ----------
    given
        A GeoJSON FeatureCollection in longitude and latitude.

    Raises
    ------
    PortError
        If the file is missing, is not GeoJSON, has another coordinate system, or nothing in it can be drawn.

    Examples
    --------
    >>> open_port_file("nowhere.geojson")
    Traceback (most recent call last):
    sarship.errors.PortError: nowhere.geojson does not exist; sarship port new NAME starts one
    """
    path = Path(given)
    error = error_at(path)
    if not path.is_file():
        found = find_port_file(str(given))
        if found is not None and found.is_file():
            raise error("is a port whose piers ship with sarship; sarship port new writes them to a file of yours")
        raise error(f"{'is not a file' if path.exists() else 'does not exist'}; sarship port new NAME starts one")
    if not is_json(path):
        raise error("is not GeoJSON, the one form that is edited here; save it as GeoJSON in any GIS")
    written = read_written(path)
    content = parse_collection(written, path)
    features = features_of(content, path)
    if any(feature.to_degrees is not None for feature in features.features):
        raise error("declares another coordinate system than WGS 84; save it as GeoJSON of RFC 7946 in any GIS")
    try:
        return OpenedPort(path=path, written=written, content=content, port=check_port(path, features))
    except PortError as cause:
        port = _rough_port(content, error)
        opened = OpenedPort(path=path, written=written, content=content, port=port, fault=str(cause))
        try:
            opened.grid  # noqa: B018  (proves that the places are those of a port)
        except Exception as other:  # of numbers that are no degrees anything
            raise cause from other
        return opened


def _rough_port(content: Mapping[str, Any], error: Callable[[str], PortError]) -> Port:
    """Return a port whose piers are all that can be drawn, but for masks where there is anything else."""
    shapes = list[tuple[bool, BaseGeometry]]()
    for item in content["features"]:
        try:
            shapes.append((_property(item, "kind") in MASKS, shape_of(item["geometry"])))
        except (NotDrawnError, TypeError, KeyError):
            continue
    places = [shape for is_mask, shape in shapes if not is_mask] or [shape for _, shape in shapes]
    if not places:
        raise error("has nothing that can be drawn, so nobody knows where it is; sarship port new NAME starts one")
    names = [f"place {number}" for number, _ in enumerate(places, 1)]
    table = {"name": names, "kind": "pier", _MAX_DISTANCE: DEFAULT_MAX_DISTANCE_M["LineString"]}
    piers = gpd.GeoDataFrame(table, geometry=places, crs=WGS84)
    return Port(name="", piers=piers, given_level_m=_number(content.get("water_level_m")))


def _drawn(item: object, number: int, grid: PortGrid) -> dict[str, Any]:
    name, kind, distance = (_property(item, key) for key in ("name", "kind", _MAX_DISTANCE))
    try:
        outline: Outline | None = outline_of(item["geometry"], grid)  # type: ignore[index]
    except (NotDrawnError, TypeError, KeyError):
        outline = None
    return {
        "source": number,
        "name": name if isinstance(name, str) else None,
        "kind": kind if isinstance(kind, str) else None,
        _MAX_DISTANCE: _number(distance),
        "type": None if outline is None else outline.type,
        "paths": [] if outline is None else outline.paths,
    }


def _property(item: object, name: str) -> object:
    properties = item.get("properties") if isinstance(item, dict) else None
    return properties.get(name) if isinstance(properties, dict) else None


def _number(value: object) -> float | None:
    return value if is_number(value) else None
