"""One port of many as a unit of work: its survey, which goes on where an earlier one stopped, and its tables."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sarship.catalog import Completeness
from sarship.catalog.query import Catalog
from sarship.detection.params import DetectionParams
from sarship.errors import explain
from sarship.model import Scene
from sarship.pipeline.archive import archive_results, segment_of
from sarship.pipeline.archive_catalog import write_items
from sarship.pipeline.results import Failure, Results
from sarship.pipeline.shared_products import PRODUCTS
from sarship.pipeline.shared_work import held_warnings
from sarship.pipeline.surveys import survey
from sarship.pipeline.waits import NotedWaits
from sarship.pipeline.with_ais import try_ais
from sarship.port.map_facts import MapFacts
from sarship.port.port_file import Port

__all__ = ["PortJob", "PortOutcome", "SurveyOptions", "count_port", "survey_folder"]


@dataclass(frozen=True, kw_only=True)
class SurveyOptions:
    """Options of the surveys of all ports.

    Examples
    --------
    >>> SurveyOptions(reference=False).params.pfa == DetectionParams().pfa
    True
    """

    params: DetectionParams = field(default_factory=DetectionParams)
    """Settings of the detector."""
    reference: bool = True
    """False for no second pass."""
    check: bool = False
    """True to verify every file of products on disk first."""
    maps: MapFacts = field(default_factory=MapFacts)
    """Facts of all images on a map among the products."""
    ais: tuple[str, ...] = ()
    """Files of AIS, or folders of them: of each port the reports around it are read."""
    ais_columns: Mapping[str, str] | None = None
    """As for `read_ais`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PortJob:
    """A port to count, with all that a worker needs."""

    port: Port
    given: tuple[str | Scene, ...]
    """Products on disk, or scenes of the catalogue, that show it."""
    archive: Path
    """Folder of the archive."""
    catalog: Catalog | None = None
    """The catalogue of the scenes."""
    completeness: Completeness | None = None
    """Passes that the catalogue has and lacks."""
    options: SurveyOptions = SurveyOptions()
    """Options of the survey."""


@dataclass(frozen=True, kw_only=True)
class PortOutcome:
    """A port of many that was counted, or was not.

    Examples
    --------
    >>> outcome = PortOutcome(port="Tartus", error="no scene of Tartus in that period")
    >>> outcome.failures[0].message
    'no scene of Tartus in that period'
    """

    port: str
    """Name of the port."""
    n_scenes: int = 0
    """Scenes that it was searched in."""
    n_vessels: int = 0
    """Rows of its vessels."""
    error: str = ""
    """Reason why nothing of it was counted; empty if it was."""
    missed: tuple[Failure, ...] = ()
    """Products that could not be counted, and AIS that could not be matched."""
    warnings: tuple[str, ...] = ()
    """Doubts about its products."""
    uncompared: tuple[str, ...] = ()
    """Scenes that were counted without a reference, which more dates may make: their images are needed then."""
    seconds: float = 0.0
    """Time that it took."""
    waited_s: float = 0.0
    """Part of that time in which another port fetched a product that both need."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All that went wrong; the port as a whole has an empty path."""
        return (*((Failure(path="", message=self.error),) if self.error else ()), *self.missed)


def survey_folder(archive: Path, port: str) -> Path:
    """Return the folder of a port's survey in an archive."""
    return archive / "surveys" / segment_of(port)


def count_port(job: PortJob) -> PortOutcome:
    """Survey a port and archive its tables; whatever goes wrong is told, so that others are counted."""
    began, waits = time.monotonic(), NotedWaits(job.archive, job.port.name)
    with held_warnings() as heard:
        try:
            outcome = _count(job, waits)
        except Exception as error:  # one port must not take the others with it
            outcome = PortOutcome(port=job.port.name, error=explain(error))
        finally:
            waits.end()
    said = tuple(dict.fromkeys(" ".join(text.split()) for text in heard))
    return replace(outcome, warnings=said, seconds=time.monotonic() - began, waited_s=waits.seconds)


def _count(job: PortJob, waits: NotedWaits) -> PortOutcome:
    options, folder = job.options, survey_folder(job.archive, job.port.name)
    results = survey(
        job.given,
        job.port,
        folder,
        catalog=job.catalog,
        completeness=job.completeness,
        params=options.params,
        reference=options.reference,
        check=options.check,
        maps=options.maps,
        shared_products=job.archive / PRODUCTS,
        progress=waits,
    )
    missed = results.failures
    if options.ais:
        results, fault = try_ais(results, job.port, options.ais, folder, options.ais_columns)
        missed += (Failure(path="AIS", message=fault),) if fault else ()
    if not len(results.scenes):
        return PortOutcome(port=job.port.name, error="none of its products could be counted", missed=missed)
    write_items(archive_results(results, job.archive), results, job.port.area, job.archive)
    return PortOutcome(
        port=job.port.name,
        n_scenes=len(results.scenes),
        n_vessels=len(results.vessels),
        missed=missed,
        uncompared=_uncompared(results) if options.reference else (),
    )


def _uncompared(results: Results) -> tuple[str, ...]:
    """Return the scenes that show a pier and were not searched against a reference."""
    each = results.coverage.groupby("scene")[["seen", "n_reference_dates"]].max()
    return tuple(each.index[(each["seen"] > 0) & ~(each["n_reference_dates"] > 0)].tolist())
