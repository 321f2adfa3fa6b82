"""Places that commands look at: a port, a box, the areas of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sarship.cli.common import Command, tell

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["Place", "box_of", "box_option", "find_place", "find_port"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place to search around."""

    name: str
    area: BaseGeometry
    """Longitude and latitude in degrees."""


def box_option(flag: str) -> Callable[[Command], Command]:
    """Return the option of this name for a box."""
    return click.option(
        flag, help="WEST,SOUTH,EAST,NORTH in degrees; west is larger than east across the antimeridian."
    )


def find_place(port: str | None, bbox: str | None, intersects: str | None) -> Place:
    """Return the place that a command was given, in one of three ways."""
    ways = {"PORT": port, "--bbox": bbox, "--intersects": intersects}
    if sum(value is not None for value in ways.values()) != 1:
        raise click.UsageError(f"give one of {', '.join(ways)}: the place to search around")
    if bbox is not None:
        return Place(f"the box {bbox}", box_of(bbox, "--bbox"))
    if intersects is not None:
        from sarship.port.polygons import read_polygons

        return Place(Path(intersects).name, read_polygons(intersects))
    return find_port(str(port))


def find_port(text: str) -> Place:
    """Return the place of a port file, or of a port of the packaged index by its name or number."""
    from sarship.port.index import only_port, port_area
    from sarship.port.port_features import find_port_file
    from sarship.port.port_file import read_port

    if find_port_file(text) is not None:
        port = read_port(text)
        return Place(port.name, port.area)
    entry = only_port(text)
    if not entry.is_called(text):
        tell(f"note: {text} is taken for {entry}", err=True)
    return Place(str(entry), port_area(entry))


def box_of(text: str, flag: str) -> BaseGeometry:
    """Return the rectangle that an option names."""
    import shapely

    try:
        west, south, east, north = (float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise click.UsageError(f"{flag} takes WEST,SOUTH,EAST,NORTH in degrees, got {text!r}") from error
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
        raise click.UsageError(f"{flag} must be degrees in the world, longitude first, south below north; got {text!r}")
    if west < east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])
