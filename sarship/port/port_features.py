"""Features of a port file as they are written: those of a GeoJSON collection, or of the layers of any vector file."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely.geometry
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError, ProductWarning
from sarship.files import read_file
from sarship.port.index import SHIPPED, shipped_port
from sarship.port.polygons import NO_CRS, error_at
from sarship.schema import WGS84

__all__ = [
    "APRON",
    "COUNTED",
    "KINDS",
    "MASKS",
    "ToDegrees",
    "WrittenFeature",
    "WrittenPort",
    "features_of",
    "find_port_file",
    "is_json",
    "parse_collection",
    "read_features",
    "read_written",
]

COUNTED: Final = ("pier", "anchorage")
"""Kinds of the features that vessels are counted at."""
MASKS: Final = ("water", "land", "exclude")
"""Kinds of the others, which may be without a name."""
APRON: Final = "apron"
"""Kind of the yards ashore that fill and empty."""
KINDS: Final = (*COUNTED, APRON, *MASKS)
COLUMNS: Final = ("name", "kind", "max_distance_m", "surface", "water_level_m")
"""Columns of a layer that are read, in any case; a Shapefile has the first ten letters of them."""
FORMS: Final = "a port file is GeoJSON, a GeoPackage or another vector file"
_OTHER_JSON: Final = frozenset({".topojson", ".geojsonl", ".geojsons", ".ndjson"})

ToDegrees: TypeAlias = Callable[[BaseGeometry], BaseGeometry]


@dataclass(frozen=True, slots=True)
class WrittenFeature:
    """A feature of a port file, not yet checked."""

    label: str
    """Its place in the file, for messages."""
    content: object
    """A GeoJSON feature, if the file is right."""
    to_degrees: ToDegrees | None = None
    """Conversion of its geometry to longitude and latitude; None where it is in them."""


@dataclass(frozen=True, slots=True)
class WrittenPort:
    """Content of a port file, not yet checked."""

    features: list[WrittenFeature]
    name: object = None
    attribution: object = None
    water_level_m: object = None


def find_port_file(given: str | Path) -> Path | None:
    """Return the port file of a path, or of the name or number of a port whose piers ship with sarship.

    A path that ends like a file's name comes back as it is, to be refused where it is read.

    >>> find_port_file("Tartous").name, find_port_file("mine.geojson").name, find_port_file("Atlantis")
    ('tartus.geojson', 'mine.geojson', None)
    """
    path = Path(given)
    if path.is_file() or re.search(r"\.\w{2,8}$", path.name) or isinstance(given, Path):
        return path
    return shipped_port(given)


def read_features(given: str | Path) -> tuple[Path, WrittenPort]:
    """Return the path and the content of a port file, or of the port of a name whose piers ship with sarship.

    Raises
    ------
    PortError
        If there is no such file, or it cannot be read.
    """
    path = find_port_file(given)
    if path is None:
        if Path(given).exists():
            raise error_at(given)(f"is not a file; {FORMS}")
        raise error_at(given)(
            f"is neither a file nor a port whose piers ship with sarship ({', '.join(SHIPPED.values())}); "
            "sarship port new NAME starts a file to draw them in"
        )
    is_database = path.is_dir() and path.suffix.lower() == ".gdb"
    if not path.is_file() and not is_database:
        raise error_at(path)(f"{'is not a file' if path.exists() else 'does not exist'}; {FORMS}")
    return path, _of_layers(path) if is_database or not is_json(path) else _of_collection(path)


def is_json(path: Path) -> bool:
    """Return True for GeoJSON, by its ending or its first letter: whoever renames a file does not lose its members."""
    ending = path.suffix.lower()
    if ending in {".json", ".geojson"} | _OTHER_JSON:
        return ending not in _OTHER_JSON
    try:
        with path.open("rb") as stream:
            return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as cause:
        raise error_at(path)(f"cannot be read: {cause.strerror}") from cause


def _of_collection(path: Path) -> WrittenPort:
    return features_of(parse_collection(read_written(path), path), path)


def read_written(path: Path) -> bytes:
    """Return the content of a port file.

    Raises
    ------
    PortError
        If it cannot be read.
    """
    try:
        return read_file(path)
    except OSError as cause:
        raise error_at(path)(f"cannot be read: {cause.strerror}") from cause


def parse_collection(written: bytes, path: Path) -> dict[str, Any]:
    """Return the content of a GeoJSON file from its bytes; the path is for messages.

    Raises
    ------
    PortError
        If they are no FeatureCollection.
    """
    error = error_at(path)
    try:
        content: Any = json.loads(written.decode("utf-8-sig"))
    except (ValueError, RecursionError) as cause:
        raise error(f"is not JSON ({cause}); {FORMS}") from cause
    kind = content.get("type") if isinstance(content, dict) else type(content).__name__
    if kind != "FeatureCollection" or not isinstance(content.get("features"), list):
        raise error(f"is a {kind!r}, not a GeoJSON FeatureCollection with a list of features")
    return dict(content)


def features_of(content: Mapping[str, Any], path: Path) -> WrittenPort:
    """Return the features and members of a FeatureCollection.

    Raises
    ------
    PortError
        If it declares a coordinate system that PROJ does not know.
    """
    to_degrees = _from_crs(content.get("crs"), error_at(path))
    features = [
        WrittenFeature(f": feature {number}", item, to_degrees) for number, item in enumerate(content["features"], 1)
    ]
    members = {name: content.get(name) for name in ("name", "attribution", "water_level_m")}
    return WrittenPort(features, **members)


def _from_crs(member: object, error: Callable[[str], PortError]) -> ToDegrees | None:
    """Return the conversion from the coordinate system that GeoJSON of before RFC 7946 may declare."""
    if member is None:
        return None
    properties = member.get("properties") if isinstance(member, dict) else None
    name = str(properties.get("name")) if isinstance(properties, dict) else str(member)
    try:
        return _conversion(CRS.from_user_input(name))
    except CRSError as cause:
        doubt = "which PROJ does not know: reproject it to EPSG:4326"
        raise error(f"declares the coordinate system {name!r}, {doubt}") from cause


def _conversion(crs: CRS) -> ToDegrees | None:
    if crs.equals(WGS84, ignore_axis_order=True):
        return None
    convert = Transformer.from_crs(crs, WGS84, always_xy=True)
    return lambda geometry: shapely.transform(geometry, lambda xy: np.column_stack(convert.transform(*xy.T)))


def _of_layers(path: Path) -> WrittenPort:
    """Return the features of a vector file: their kinds are a column, or the layers are called by them."""
    error = error_at(path)
    layers = _layers(path)
    columns = {layer: _columns(frame) for layer, frame in layers.items()}
    used = [layer for layer in layers if "kind" in columns[layer] or _kind_of(layer) is not None]
    if passed_over := [layer for layer in layers if layer not in used]:
        listing = ", ".join(map(repr, passed_over))
        need = f"no column 'kind', and are called none of {', '.join(KINDS)}"
        if not used:
            raise error(f"has nothing that tells what its features are: its layers ({listing}) have {need}")
        warnings.warn(f"{path}: passed over layers {listing}: they have {need}", ProductWarning, stacklevel=4)
    features, levels = list[WrittenFeature](), set[object]()
    for layer in used:
        frame = layers[layer]
        if frame.crs is None:
            raise error_at(path, label=f": layer {layer!r}")(NO_CRS)
        to_degrees = _conversion(frame.crs)
        place = f"layer {layer!r}, " if len(used) > 1 else ""
        for number, (properties, geometry) in enumerate(_rows(frame, columns[layer]), 1):
            levels.update({properties.pop("water_level_m", None)} - {None})
            shape = None if geometry is None else shapely.geometry.mapping(geometry)
            kind = {} if _kind_of(layer) is None else {"kind": _kind_of(layer)}
            item = {"type": "Feature", "properties": {**kind, **properties}, "geometry": shape}
            features.append(WrittenFeature(f": {place}feature {number}", item, to_degrees))
    if len(levels) > 1:
        raise error(f"has water_level_m {' and '.join(sorted(map(str, levels)))}; a port has one level")
    return WrittenPort(features, water_level_m=next(iter(levels), None))


def _layers(path: Path) -> dict[str, gpd.GeoDataFrame]:
    """Return the layers of a file that have geometry; those without are a GIS's own tables."""
    error = error_at(path)
    try:
        listed = gpd.list_layers(path)
        names = listed["name"][listed["geometry_type"].notna()]
        layers = {str(name): gpd.read_file(path, layer=name) for name in names}
    except Exception as cause:  # drivers raise whatever they like
        raise error(f"cannot be read as a vector file ({str(cause).splitlines()[0]}); {FORMS}") from cause
    if not layers:
        raise error(f"holds no layer with geometry; {FORMS}")
    return layers


def _columns(frame: gpd.GeoDataFrame) -> dict[str, str]:
    """Return the columns of a layer that are read, by their names here."""
    return {name: column for name in COLUMNS for column in frame if str(column).lower() in {name, name[:10]}}


def _kind_of(layer: str) -> str | None:
    """Return the kind that a layer is called by, in the singular or plural."""
    kind = layer.strip().lower().removesuffix("s")
    return kind if kind in KINDS else None


def _rows(frame: gpd.GeoDataFrame, columns: dict[str, str]) -> Iterator[tuple[dict[str, object], BaseGeometry | None]]:
    """Yield the properties that a layer's features have, and their geometries."""
    values = {name: frame[column].tolist() for name, column in columns.items()}
    for k, geometry in enumerate(frame.geometry):
        known = {name: each[k] for name, each in values.items() if not _is_missing(each[k])}
        yield {name: _plain(name, value) for name, value in known.items()}, geometry


def _is_missing(value: object) -> bool:
    return not isinstance(value, list | dict) and bool(pd.isna(value))  # type: ignore[call-overload]


def _plain(name: str, value: object) -> object:
    """Return a value of a table as GeoJSON would have it: names may be numbers there, and numbers text."""
    if name in {"name", "kind", "surface"}:
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return value
