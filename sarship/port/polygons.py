"""Polygons in longitude and latitude, of any vector file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.schema import WGS84

__all__ = ["POLYGONS", "check_coordinates", "read_polygons"]

POLYGONS: Final = ("Polygon", "MultiPolygon")


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
        check_coordinates(polygon, str(path))
    repaired = shapely.make_valid(shapely.force_2d(np.asarray(degrees.array)), method="structure")
    return shapely.union_all(repaired)


def check_coordinates(geometry: BaseGeometry, where: str) -> None:
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
