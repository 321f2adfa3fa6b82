"""Many ports into one archive: planned together, counted at once by several workers, each resumable by itself."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sarship.catalog.query import Catalog
from sarship.errors import ProductWarning, SarshipError, explain
from sarship.files import make_folder, only_run, write_file
from sarship.model import Scene
from sarship.pipeline.archive import refuse_bad_names, refuse_mixed
from sarship.pipeline.archive_catalog import write_collection
from sarship.pipeline.port_jobs import PortOutcome, SurveyOptions
from sarship.pipeline.port_plans import Wanted, plan_ports
from sarship.pipeline.results import Failure
from sarship.pipeline.shared_products import PRODUCTS, Needed, drop_images
from sarship.pipeline.waits import forget_waits, ports_that_wait
from sarship.pipeline.worker_pools import count_ports, on_executor, processes
from sarship.port.index import refuse_template
from sarship.port.port_file import Port, read_port
from sarship.texts import as_cell, printable

__all__ = ["FAILED", "Watched", "watch"]

FAILED: Final = "failed.csv"
"""File of an archive with all that could not be counted."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Many ports after a run.

    Examples
    --------
    >>> Watched(ports=(PortOutcome(port="Tartus", n_scenes=8), PortOutcome(port="Latakia", error="no scene"))).n_counted
    1
    """

    ports: tuple[PortOutcome, ...]
    """Each port, in the order that was given."""
    unreadable: tuple[Failure, ...] = ()
    """Products on disk that cannot be opened."""

    @property
    def n_counted(self) -> int:
        """Number of the ports that were counted, as a whole or in part."""
        return sum(not outcome.error for outcome in self.ports)

    @property
    def is_whole(self) -> bool:
        """True if nothing failed."""
        return not (self.unreadable or any(outcome.failures for outcome in self.ports))


def watch(
    ports: Iterable[str | Path],
    archive: str | Path,
    *,
    wanted: Wanted = Wanted(),  # noqa: B008  (frozen)
    catalog: Catalog | None = None,
    against: Catalog | None = None,
    products: Iterable[str] = (),
    options: SurveyOptions = SurveyOptions(),  # noqa: B008  (frozen)
    n_workers: int = 1,
    executor: Executor | None = None,
    is_mixed: bool = False,
    keeps_products: bool = False,
    progress: Callable[[PortOutcome, int, int], None] | None = None,
    waits: Callable[[str, str, int, int], None] | None = None,
) -> Watched:
    """Survey many ports, and keep their tables in one archive.

    A port is one unit of work: its survey, in `surveys/` of the archive, which the next run goes on with, and its parts
    of the archive's tables, which are written after it. What fails is listed in `failed.csv` and stops nothing else.

    Parameters
    ----------
    ports
        Port files, or names of ports whose piers ship with sarship.
    archive
        Folder of the archive; made if need be.
    wanted
        Period, and filters of scenes.
    catalog
        The catalogue that is asked for scenes; None for products on disk.
    against
        Second catalogue, which may have passes that the first lacks.
    products
        Paths of products on disk, each counted at the ports that it shows.
    options
        Options of the surveys.
    n_workers
        Ports that are counted at once, each by a process; 1 counts them in this one.
    executor
        Workers of the caller's instead, such as `distributed.Client(address).get_executor()`, whose processes see the
        archive's folder, the cache and the products under the same paths, and have one thread each.
    is_mixed
        True to write beside tables of another schema version.
    keeps_products
        True to keep products that a catalogue gives whole, in `products/` of the archive. Else the images of each are
        removed when the ports that it shows are through with it, and its XML stays.
    progress
        Called after every port with its outcome, the number of ports that are done, and that of all.
    waits
        Called now and then with a port that waits for a product which another one fetches, with what it waits for, and
        with the same numbers.

    Returns
    -------
    Watched
        What came of each port.

    Warns
    -----
    ProductWarning
        Doubts about products, with the name of their port.

    Raises
    ------
    PortError
        Two ports have one name, or one has a name that makes no folder's.
    OutputError
        The archive cannot be written to, another run is at work there, or it holds tables of another schema version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as archive:
    ...     watched = watch(["nowhere.geojson"], archive, products=[])
    ...     print(Path(archive, "failed.csv").read_text())
    port,product,reason
    nowhere.geojson,,"nowhere.geojson does not exist; ..."
    """
    archive = Path(archive)
    read, unread = _read(ports)
    refuse_bad_names((port.name, path) for path, port in read)
    with only_run(make_folder(archive)):
        if not is_mixed:
            refuse_mixed(archive)
        harbours = [port for _, port in read]
        jobs, failed, unreadable = plan_ports(
            harbours,
            archive,
            wanted=wanted,
            catalog=catalog,
            against=against,
            products=products,
            options=options,
        )
        outcomes = {outcome.port: outcome for outcome in failed}
        workers, at_once = (processes, n_workers) if executor is None else (on_executor(executor), len(jobs))
        n_done, n_all = len(unread) + len(failed), len(unread) + len(read)
        is_whole = catalog is not None and not catalog.reads_windows

        def tell_waits() -> None:
            for port, for_what in ports_that_wait(archive):
                if waits is not None:
                    waits(port, for_what, n_done, n_all)

        needed = Needed({job.port.name: _ids(job.given) for job in jobs if is_whole and not keeps_products})
        for outcome in count_ports(jobs, workers, at_once, tell_waits if is_whole else None):
            outcomes[outcome.port] = outcome
            n_done += 1
            for text in [*outcome.warnings, *_dropped(needed, outcome, archive)]:
                warnings.warn(f"{outcome.port}: {text}", ProductWarning, stacklevel=2)
            if progress is not None:
                progress(outcome, n_done, n_all)
        forget_waits(archive)
        watched = Watched(ports=(*unread, *(outcomes[port.name] for port in harbours)), unreadable=unreadable)
        write_file(archive / FAILED, _failed_csv(watched))
        write_collection(archive)
    return watched


def _read(paths: Iterable[str | Path]) -> tuple[list[tuple[str, Port]], list[PortOutcome]]:
    """Read the port files, each once; put aside those that no survey can use."""
    read, unread = list[tuple[str, Port]](), list[PortOutcome]()
    for path in dict.fromkeys(map(str, paths)):
        try:
            port = read_port(path)
            refuse_template(port)
            read.append((path, port))
        except (SarshipError, OSError) as error:
            unread.append(PortOutcome(port=printable(path), error=explain(error)))
    return read, unread


def _ids(given: Iterable[str | Scene]) -> list[str]:
    return [each.id for each in given if isinstance(each, Scene)]


def _dropped(needed: Needed, outcome: PortOutcome, archive: Path) -> Iterator[str]:
    """Drop the images of the products that no port needs after this one; yield what keeps one from being dropped."""
    if outcome.error:
        return
    for scene in needed.through(outcome.port, {*outcome.uncompared, *(each.path for each in outcome.missed)}):
        try:
            drop_images(archive / PRODUCTS, scene)
        except SarshipError as error:
            yield f"the images of {scene}, which nothing needs any more, stay ({explain(error)})"


def _failed_csv(watched: Watched) -> bytes:
    """Return all that failed as plain CSV: of a port as a whole without a product, of a product without a port."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["port", "product", "reason"])
    for port, failure in _failures(watched):
        rows.writerow([as_cell(printable(each)) for each in (port, failure.path, failure.message)])
    return text.getvalue().encode()


def _failures(watched: Watched) -> Iterator[tuple[str, Failure]]:
    yield from (("", failure) for failure in watched.unreadable)
    for outcome in watched.ports:
        yield from ((outcome.port, failure) for failure in outcome.failures)
