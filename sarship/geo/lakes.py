"""Lakes, canals and reservoirs whose water stands far from sea level: a small table, and the lake of a place."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import shapely

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["Lake", "lake_at"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lake:
    """A large inland water of the packaged table (`sarship/data/README.md`).

    Examples
    --------
    >>> baku = lake_at(shapely.Point(49.87, 40.37))
    >>> baku.name, baku.water_level_m
    ('Caspian Sea', -28.5)
    """

    name: str
    """Name in English; waters of one level are one entry."""
    water_level_m: float
    """Mean height of the water over sea level, metres."""
    source: str
    """Datum or authority of the level."""
    outline: shapely.Polygon = field(repr=False)
    """Coarse outline, some kilometres outside the shore, longitude and latitude in degrees."""


@cache
def known_lakes() -> tuple[Lake, ...]:
    """Return every lake of the table."""
    table = files("sarship").joinpath("data/lakes.csv").read_text(encoding="utf-8")
    return tuple(
        Lake(
            name=row["name"],
            water_level_m=float(row["level_m"]),
            source=row["source"],
            outline=shapely.Polygon([tuple(map(float, point.split())) for point in row["outline"].split(",")]),
        )
        for row in csv.DictReader(table.splitlines())
    )


def lake_at(area: BaseGeometry) -> Lake | None:
    """Return the known lake that an area lies on; None for the sea and for all other waters.

    Parameters
    ----------
    area
        Longitude and latitude in degrees. It must lie within the lake's outline as a whole: a water that stands at one
        level has no place in an area that reaches to another.

    Returns
    -------
    Lake or None
        The first of the table; no two have a place in common.

    Examples
    --------
    >>> lake_at(shapely.Point(-92.09, 46.77))  # Duluth
    Lake(name='Lake Superior', water_level_m=183.4, source='IGLD 1985')
    >>> lake_at(shapely.Point(35.86, 34.90)) is None  # Tartus
    True
    """
    return next((lake for lake in known_lakes() if lake.outline.covers(area)), None)
