"""Suggestions after a search that found nothing: another question that would find something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sarship.catalog.gaps import FIRST_IMAGE
from sarship.catalog.query import Catalog, SceneQuery
from sarship.model import Scene

__all__ = ["what_would_help"]

_AROUND: Final = timedelta(days=24)
"""Two repeats: where a place is imaged at all, it is within so long."""


def what_would_help(catalog: Catalog, query: SceneQuery) -> str:
    """Return one sentence about a question that found nothing; asks the catalogue up to twice more.

    Raises
    ------
    CatalogError
        If the catalogue does not answer.
    """
    start, end = query.period
    if end <= FIRST_IMAGE:
        return f"Sentinel-1 has images from {FIRST_IMAGE:%Y-%m-%d} on; ask for a later period"
    if start >= datetime.now(UTC):
        return "the period lies in the future; ask for an earlier one"
    filters = list(_filters(query))
    plain = replace(query, polarizations=(), orbit_pass=None, relative_orbit=None, platform=None)
    if filters and (found := list(catalog.search(plain))):
        return f"without {' and '.join(filters)} there would be {_kinds(found)}; ask again so"
    near = list(catalog.search(replace(plain, start=start - _AROUND, end=end + _AROUND)))
    if near:
        dates = sorted({f"{scene.start:%Y-%m-%d}" for scene in near})
        listed = ", ".join(dates[:6])
        return f"with {_AROUND.days} days more on either side there are {_kinds(near)}, on {listed}"
    return (
        f"there is none within {_AROUND.days} days on either side either; try another catalogue, and check the "
        f"place: {_place(query)}"
    )


def _filters(query: SceneQuery) -> Iterator[str]:
    """Filters of a query besides place and time, as the command spells them."""
    if query.polarizations:
        yield f"--polarization {' '.join(query.polarizations)}"
    for name, option in (("orbit_pass", "--pass"), ("relative_orbit", "--orbit"), ("platform", "--platform")):
        if (value := getattr(query, name)) is not None:
            yield f"{option} {value}"


def _kinds(scenes: list[Scene]) -> str:
    platforms = ", ".join(sorted({scene.platform for scene in scenes}))
    orbits = ", ".join(f"{number} {way}" for number, way in sorted({(s.relative_orbit, s.orbit_pass) for s in scenes}))
    channels = ", ".join(sorted({"+".join(scene.polarizations) for scene in scenes}))
    return f"{len(scenes)} scenes ({platforms}; orbits {orbits}; {channels})"


def _place(query: SceneQuery) -> str:
    if query.area is None:
        return "the whole Earth"
    west, south, east, north = query.area.bounds
    return f"longitude {west:.2f} to {east:.2f}, latitude {south:.2f} to {north:.2f}"
