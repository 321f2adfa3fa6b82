"""Several whole products at once, as many as their provider allows, each with its own fate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from sarship.catalog.query import Catalog
from sarship.errors import CredentialError, DownloadError, OutputError, SarshipError
from sarship.model import Scene

__all__ = ["Fetched", "fetch_scenes"]

Bytes = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one scene."""

    scene: Scene
    path: Path | None
    """The product; None where it could not be fetched."""
    message: str = ""
    """Why it could not."""


def fetch_scenes(
    catalog: Catalog,
    scenes: Iterable[Scene],
    folder: str | Path,
    *,
    progress: Bytes | None = None,
    done: Callable[[Fetched], None] | None = None,
) -> list[Fetched]:
    """Fetch scenes whole. One that fails does not keep the others from coming, but a full disk or a refusal does.

    Whatever ends it, the next call goes on from what has arrived.

    Parameters
    ----------
    catalog
        Where they come from.
    scenes
        Which.
    folder
        Where the products are put; made if need be.
    progress
        Called with the bytes that are there and a guess at those in all, from several threads, one at a time.
    done
        Called for each scene that is through with.

    Returns
    -------
    What became of each, in the order of the scenes.

    Raises
    ------
    OutputError, CredentialError
        The folder cannot be written to, or the account is refused.
    """
    wanted, folder = list(scenes), Path(folder)
    total = _Total(len(wanted), progress)
    pool = ThreadPoolExecutor(max_workers=catalog.n_parallel, thread_name_prefix="sarship-fetch")
    jobs: dict[Future[Path], int] = {}
    found: dict[int, Fetched] = {}
    try:
        for k, scene in enumerate(wanted):
            jobs[pool.submit(catalog.fetch, scene, folder, total.of(k))] = k
        for job in as_completed(jobs):
            k = jobs[job]
            found[k] = _fate(wanted[k], job)
            if done is not None:
                done(found[k])
    finally:  # also on Ctrl-C
        total.stop()
        pool.shutdown(wait=True, cancel_futures=True)
    return [found[k] for k in range(len(wanted))]


def _fate(scene: Scene, job: Future[Path]) -> Fetched:
    try:
        return Fetched(scene, job.result())
    except (OutputError, CredentialError):
        raise
    except SarshipError as error:
        return Fetched(scene, None, " ".join(str(error).split()))


class _Total:
    """Adds up the bytes of several products; of one that has not begun the mean of the others is assumed."""

    def __init__(self, n_scenes: int, progress: Bytes | None) -> None:
        self._n_scenes, self._progress = n_scenes, progress
        self._done: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def of(self, k: int) -> Bytes:
        """What is called of one product."""

        def report(done: int, size: int | None) -> None:
            if self._stopped.is_set():
                raise DownloadError("the download was stopped; run it again to go on from where it was")
            with self._lock:
                self._done[k] = done
                if size is not None:
                    self._sizes[k] = size
                if self._progress is not None:
                    self._progress(sum(self._done.values()), self._guess())

        return report

    def stop(self) -> None:
        """Have whatever is still under way end at its next bytes."""
        self._stopped.set()

    def _guess(self) -> int | None:
        if not self._sizes:
            return None
        return round(sum(self._sizes.values()) / len(self._sizes) * self._n_scenes)
