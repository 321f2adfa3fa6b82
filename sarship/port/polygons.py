"""Polygons in longitude and latitude, from any vector file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError, ProductWarning
from sarship.geo.antimeridian import recentred
from sarship.schema import WGS84

__all__ = ["NO_CRS", "POLYGONS", "check_coordinates", "error_at", "read_polygons"]

POLYGONS: Final = ("Polygon", "MultiPolygon")
NEAR_DEG: Final = 0.2
"""Degrees of latitude around an area within which polygons are read, 22 km: rings, port grids and the errors of
footprints reach a few kilometres."""
NO_CRS: Final = "has no coordinate reference system; write one into it (a .prj for a Shapefile)"


def read_polygons(path: str | Path, near: BaseGeometry | None = None) -> BaseGeometry:
    """Read the polygons of a vector file (GeoJSON, GeoPackage, Shapefile, …) as one geometry.

    Polygons that cross themselves, common in coastline files, are repaired.

    Parameters
    ----------
    path
        The file, in any coordinate system that it declares.
    near
        Longitude and latitude in degrees: only polygons within some 20 km of this area are read, which makes a
        coastline of the world quick. None for all polygons.

    Returns
    -------
    shapely geometry
        Union of the polygons, longitude and latitude in degrees (WGS 84); empty if none is near.

    Warns
    -----
    ProductWarning
        No polygon is near.

    Raises
    ------
    PortError
        If the file is missing, cannot be read, holds something other than polygons, or lacks a coordinate system.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     land = gpd.GeoSeries([shapely.box(35.85, 34.88, 35.87, 34.91)], crs="EPSG:4326")
    ...     land.to_file(f"{folder}/land.geojson")
    ...     read_polygons(f"{folder}/land.geojson").bounds
    (35.85, 34.88, 35.87, 34.91)
    """
    error = error_at(path)
    if not Path(path).exists():
        raise error("does not exist; a vector file with polygons is needed")
    try:
        frame = gpd.read_file(Path(path)) if near is None else _read_near(path, near)
    except PortError:
        raise
    except Exception as cause:  # drivers raise whatever they like
        raise error(f"cannot be read as a vector file: {str(cause).splitlines()[0]}") from cause
    if near is not None and frame.empty:
        doubt = "where vessels are looked for, so it masks nothing; look whether it is the right file"
        warnings.warn(f"{path} has no polygon within 20 km of {doubt}", ProductWarning, stacklevel=2)
        return shapely.Polygon()
    if not isinstance(frame, gpd.GeoDataFrame) or frame.geometry.isna().all():
        raise error("holds no geometry; polygons are needed")
    if frame.crs is None:
        raise error(NO_CRS)
    geometries = frame.geometry[~(frame.geometry.isna() | frame.geometry.is_empty)]
    others = sorted(set(geometries.geom_type) - set(POLYGONS))
    if others or geometries.empty:
        found = " and ".join(others) or "nothing"
        raise error(f"holds {found} where polygons are needed; turn a coastline's lines into polygons first")
    try:
        degrees = geometries.to_crs(WGS84)
    except Exception as cause:  # pyproj's errors share no useful base
        raise error(f"cannot be brought to WGS 84 from {frame.crs.name}: {cause}") from cause
    for polygon in degrees:
        check_coordinates(polygon, error)
    repaired = shapely.make_valid(shapely.force_2d(np.asarray(degrees.array)), method="structure")
    return shapely.union_all(repaired)


def _read_near(path: str | Path, near: BaseGeometry) -> gpd.GeoDataFrame:
    """Read the features whose bounds touch a box around each part of an area, which a file's index finds quickly."""
    crs = getattr(gpd.read_file(Path(path), rows=1), "crs", None)
    if crs is None:
        raise error_at(path)(NO_CRS)
    boxes = shapely.segmentize(shapely.get_parts(shapely.union_all([*map(_around, shapely.get_parts(near))])), 0.1)
    bounds = gpd.GeoSeries(boxes, crs=WGS84).to_crs(crs).bounds
    return pd.concat([gpd.read_file(Path(path), bbox=tuple(box), columns=[]) for box in bounds.itertuples(index=False)])


def _around(part: BaseGeometry) -> BaseGeometry:
    """Return the box around a part of an area, split at the antimeridian; near a pole it goes around the world."""
    west, south, east, north = part.bounds
    wide = NEAR_DEG / max(math.cos(math.radians(max(abs(south), abs(north)))), NEAR_DEG / 180)
    box = shapely.box(west - wide, max(south - NEAR_DEG, -90), east + wide, min(north + NEAR_DEG, 90))
    return recentred(box)


def error_at(path: str | Path, feature: str | int | None = None, label: str = "") -> Callable[[str], PortError]:
    """Return a function that makes the error for a file, or a feature of it, from the end of the sentence."""
    return lambda message: PortError(f"{path}{label} {message}", path=path, feature=feature)


def check_coordinates(geometry: BaseGeometry, error: Callable[[str], PortError]) -> None:
    """Refuse coordinates that are not numbers, not in degrees, or off the world."""
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
    raise error(f"has a point at ({longitude:g}, {latitude:g}), off the world; {hint}")
