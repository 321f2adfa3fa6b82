"""Plans of many ports: the scenes that show each, from few questions to a catalogue.

A scene is 250 km wide and shows many ports. So ports that lie near each other are asked for together, and each gets the
scenes that touch its own area; which those are does not depend on its neighbours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from sarship.catalog import completeness
from sarship.catalog.query import FIRST_DAY, LAST_DAY, Catalog, SceneQuery
from sarship.catalog.scenes import matches
from sarship.errors import SarshipError, explain
from sarship.model import Scene
from sarship.pipeline.port_jobs import PortJob, PortOutcome, SurveyOptions
from sarship.pipeline.results import Failure
from sarship.pipeline.sources import scenes_on_disk
from sarship.port.port_file import Port

__all__ = ["Wanted", "plan_ports"]

CELL_DEG: Final = 1.5
"""Side of the cells, in degrees, whose ports are asked for together: less than a scene."""
NO_SCENE: Final = "no scene of it in that period; ask for a longer one, or another catalogue"
NO_PRODUCT: Final = "none of the products shows it in that period"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Scenes that are wanted of every port.

    Raises
    ------
    CatalogError
        If no question can be made of them, such as for a period that ends before it starts.

    Examples
    --------
    >>> Wanted(start="2024-12-01", end="2025-02-15").query(shapely.box(35.8, 34.8, 35.9, 34.9)).start
    '2024-12-01'
    """

    start: str = FIRST_DAY
    """First day; without one, the launch of Sentinel-1A."""
    end: str = LAST_DAY
    """Last day."""
    filters: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of a `SceneQuery`, but the area."""

    def __post_init__(self) -> None:
        self.query(shapely.box(0, 0, 1, 1))

    def query(self, area: BaseGeometry) -> SceneQuery:
        """Return the question for an area."""
        return SceneQuery(area=area, start=self.start, end=self.end, **self.filters)


def plan_ports(
    ports: Sequence[Port],
    archive: Path,
    *,
    wanted: Wanted,
    catalog: Catalog | None = None,
    against: Catalog | None = None,
    products: Iterable[str] = (),
    options: SurveyOptions = SurveyOptions(),  # noqa: B008  (frozen)
) -> tuple[list[PortJob], list[PortOutcome], tuple[Failure, ...]]:
    """Find the scenes of each port.

    Parameters
    ----------
    ports
        The ports.
    archive
        Folder of the archive.
    wanted
        Period and filters.
    catalog
        The catalogue to ask; None for products on disk.
    against
        Second catalogue, which may have passes that the first lacks.
    products
        Paths of products on disk, or of images on a map.
    options
        Options of the surveys.

    Returns
    -------
    jobs
        Ports to count.
    failed
        Ports that no scene was found of.
    unreadable
        Products that cannot be opened.
    """
    if catalog is None:
        scenes, unreadable = scenes_on_disk(products, options.maps)
        jobs = [
            PortJob(port=port, given=tuple(_touching(scenes, port, wanted)), archive=archive, options=options)
            for port in ports
        ]
        return *_with_scenes(jobs, NO_PRODUCT), unreadable
    found = list[PortJob]()
    refused = dict[str, PortOutcome]()
    for group in _by_cell(ports, wanted, refused):
        area = shapely.union_all([part.envelope for port in group for part in shapely.get_parts(port.area)])
        try:
            known, others = (list(each.search(wanted.query(area))) if each else [] for each in (catalog, against))
            for port in group:
                query = wanted.query(port.area)
                given = tuple(scene for scene in known if matches(scene, query))
                gaps = completeness(given, query, others)
                job = PortJob(
                    port=port, given=given, archive=archive, catalog=catalog, completeness=gaps, options=options
                )
                found.append(job)
        except SarshipError as error:
            refused |= {port.name: PortOutcome(port=port.name, error=explain(error)) for port in group}
    order = {port.name: k for k, port in enumerate(ports)}
    jobs, empty = _with_scenes(sorted(found, key=lambda job: order[job.port.name]), NO_SCENE)
    return jobs, [*refused.values(), *empty], ()


def _touching(scenes: Mapping[str, Scene], port: Port, wanted: Wanted) -> list[str]:
    query = wanted.query(port.area)
    return [path for path, scene in scenes.items() if matches(scene, query)]


def _by_cell(ports: Iterable[Port], wanted: Wanted, refused: dict[str, PortOutcome]) -> list[list[Port]]:
    """Return the ports of each cell of the globe; put aside those that no catalogue can be asked for."""
    cells = defaultdict[tuple[int, int], list[Port]](list)
    for port in ports:
        try:
            wanted.query(port.area)
        except SarshipError as error:
            refused[port.name] = PortOutcome(port=port.name, error=explain(error))
            continue
        middle = port.area.representative_point()
        cells[math.floor(middle.x / CELL_DEG), math.floor(middle.y / CELL_DEG)].append(port)
    return list(cells.values())


def _with_scenes(jobs: Iterable[PortJob], reason: str) -> tuple[list[PortJob], list[PortOutcome]]:
    """Return the ports that have scenes, and the outcome of those that have none."""
    every = list(jobs)
    empty = [PortOutcome(port=job.port.name, error=reason) for job in every if not job.given]
    return [job for job in every if job.given], empty
