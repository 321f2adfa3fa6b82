"""The question to a catalogue, and the protocol that every catalogue follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, get_args

from sarship.errors import CatalogError
from sarship.model import OrbitPass, Polarization, Scene

if TYPE_CHECKING:
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["FIRST_DAY", "LAST_DAY", "PLATFORMS", "Catalog", "SceneQuery"]

PLATFORMS: Final = ("S1A", "S1B", "S1C", "S1D")
FIRST_DAY: Final = "2014-04-03"
"""Start of a period that is open to the past: the launch of Sentinel-1A."""
LAST_DAY: Final = "2099-12-31"
"""End of a period that is open to the future."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneQuery:
    """A question to a catalogue: area, period, and filters.

    Raises
    ------
    CatalogError
        If the question cannot be asked: an area outside the world, a period that ends before it starts, an unknown
        polarisation.

    Examples
    --------
    >>> from shapely import box
    >>> query = SceneQuery(area=box(35.8, 34.8, 35.9, 34.9), start="2024-12-01", end="2024-12-31")
    >>> query.period[1].isoformat()
    '2025-01-01T00:00:00+00:00'
    """

    area: BaseGeometry | None
    """Longitude and latitude in degrees; scenes that touch it are found. A port, not a sea: 20 degrees at most. None
    for anywhere on Earth, within an hour at most: a scene whose name is known is found by its time."""
    start: datetime | str
    """First moment, UTC: timezone-aware, or a date such as `"2024-12-01"`."""
    end: datetime | str
    """Last moment, UTC; a date alone includes its whole day."""
    polarizations: tuple[Polarization, ...] = ()
    """Polarisations that a scene must have; empty for any."""
    orbit_pass: OrbitPass | None = None
    """Northbound (ascending) or southbound (descending); None for both."""
    relative_orbit: int | None = None
    """Track, 1 … 175; None for all."""
    platform: str | None = None
    """`S1A`, `S1B`, `S1C` or `S1D`; None for all."""

    def __post_init__(self) -> None:
        start, end = self.period
        if end <= start:
            raise CatalogError(f"the search ends ({self.end}) before it starts ({self.start}); exchange the two")
        if self.area is not None:
            _check_area(self.area)
        elif end - start > timedelta(hours=1):
            raise CatalogError("a search of the whole Earth may last an hour at most; give an area")
        if unknown := set(self.polarizations) - set(get_args(Polarization)):
            raise CatalogError(f"unknown polarisation {sorted(unknown)[0]!r}; choose from VV, VH, HH, HV")
        if self.orbit_pass not in {None, *get_args(OrbitPass)}:
            raise CatalogError(f"unknown pass {self.orbit_pass!r}; choose ascending or descending")
        if self.relative_orbit is not None and not 1 <= self.relative_orbit <= 175:
            raise CatalogError(f"relative orbits are numbered 1 to 175, got {self.relative_orbit}")
        if self.platform not in {None, *PLATFORMS}:
            raise CatalogError(f"unknown platform {self.platform!r}; choose from {', '.join(PLATFORMS)}")

    @property
    def period(self) -> tuple[datetime, datetime]:
        """First and last moment, UTC."""
        return _moment(self.start, "start", 0), _moment(self.end, "end", 1)


def _moment(value: datetime | str, name: str, days: int) -> datetime:
    """Time of a query; a date alone is midnight, so many days later."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-?\d\d-?\d\d", value):
            moment = moment.replace(tzinfo=UTC) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise CatalogError(f"the search's {name} {value!r} is not a date; write it like 2024-12-01") from error
    if moment.tzinfo is None:
        raise CatalogError(f"the search's {name} {value} has no time zone; add +00:00 for UTC, or give a date alone")
    return moment.astimezone(UTC)


def _check_area(area: BaseGeometry) -> None:
    if area.is_empty:
        raise CatalogError("the search area is empty; give the port's polygon")
    west, south, east, north = area.bounds
    if not (-360 <= west <= east <= 360 and -90 <= south <= north <= 90):
        place = f"{west:.3f} {south:.3f} to {east:.3f} {north:.3f}"
        raise CatalogError(f"the search area ({place}) lies outside the world; give longitude first, in degrees")
    width = 0.0
    for part in getattr(area, "geoms", [area]):
        width = max(width, part.bounds[2] - part.bounds[0])
    if max(width, north - south) > 20:
        raise CatalogError(
            f"the search area is {max(width, north - south):.0f} degrees wide; give a port's surroundings"
        )


class Catalog(Protocol):
    """A catalogue of scenes, as `open_catalog` gives it; any object with these members is one.

    Examples
    --------
    >>> from sarship.catalog import open_catalog
    >>> catalog: Catalog = open_catalog("asf")
    >>> catalog.reads_windows, catalog.n_parallel
    (False, 4)
    """

    @property
    def reads_windows(self) -> bool:
        """True if `open` reads windows in place; else the whole product is fetched first."""
        ...

    @property
    def n_parallel(self) -> int:
        """Maximum number of scenes that may be fetched, or opened ahead of their turn, at once."""
        ...

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time."""
        ...

    def open(self, scene: Scene) -> RadarImage:
        """Open a scene to read windows of it, in place where the provider allows. Called from several threads."""
        ...

    def fetch(
        self, scene: Scene, folder: str | Path, progress: Callable[[int, int | None], None] | None = None
    ) -> Path:
        """Fetch the whole product into a folder: resumed where it stopped, verified, complete under its name.

        `progress` gets the bytes on disk and, where it is known, the bytes in all.
        """
        ...
