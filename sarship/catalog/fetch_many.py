"""Several whole products at once, as many as their provider allows, each with its own fate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sarship.catalog.query import Catalog
from sarship.download.parallel import TotalProgress, side_by_side
from sarship.download.request import Progress
from sarship.errors import CredentialError, OutputError, SarshipError
from sarship.model import Scene

__all__ = ["Fetched", "fetch_scenes"]


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
    progress: Progress | None = None,
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
    total = TotalProgress([None] * len(wanted), progress, guesses=True)
    calls = [partial(catalog.fetch, scene, folder, total.of(k)) for k, scene in enumerate(wanted)]
    found: dict[str, Fetched] = {}
    with side_by_side(calls, catalog.n_parallel, total.stop) as jobs:
        scene_of = dict(zip(jobs, wanted, strict=True))
        for job in as_completed(jobs):
            one = found[scene_of[job].id] = _outcome(scene_of[job], job)
            if done is not None:
                done(one)
    return [found[scene.id] for scene in wanted]


def _outcome(scene: Scene, job: Future[Path]) -> Fetched:
    try:
        return Fetched(scene, job.result())
    except (OutputError, CredentialError):
        raise
    except SarshipError as error:
        return Fetched(scene, None, " ".join(str(error).split()))
