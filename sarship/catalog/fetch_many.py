"""Whole products fetched side by side, as many as their provider allows; one that fails stops no other."""

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
    """Outcome for one scene of `fetch_scenes`.

    Examples
    --------
    >>> from shapely import box
    >>> from sarship.catalog.scenes import make_scene
    >>> name = "S1A_IW_GRDH_1SDV_20241203T154211_20241203T154236_056821_06D21F_1A2B"
    >>> scene = make_scene(name, box(34, 34, 37, 36), source="example", orbit_pass="ascending")
    >>> Fetched(scene, None, "there is no such file").message
    'there is no such file'
    """

    scene: Scene
    path: Path | None
    """The product; None if it could not be fetched."""
    message: str = ""
    """Reason why it could not; empty if it could."""


def fetch_scenes(
    catalog: Catalog,
    scenes: Iterable[Scene],
    folder: str | Path,
    *,
    progress: Progress | None = None,
    done: Callable[[Fetched], None] | None = None,
) -> list[Fetched]:
    """Fetch scenes whole. One that fails does not keep the others from coming, but a full disk or a refusal does.

    Whatever ends it, the next call goes on from the bytes that have arrived.

    Parameters
    ----------
    catalog
        Catalogue that found the scenes.
    scenes
        The scenes.
    folder
        Folder that the products are put in; made if need be.
    progress
        Called with the bytes on disk and an estimate of those in all, from several threads, one at a time.
    done
        Called with the outcome of each scene as soon as it is known.

    Returns
    -------
    list of Fetched
        The outcomes, in the order of the scenes.

    Raises
    ------
    OutputError, CredentialError
        If the folder cannot be written to, or the account is refused.

    Examples
    --------
    >>> import tempfile
    >>> from shapely import box
    >>> from sarship.catalog import SceneQuery, open_catalog
    >>> catalog = open_catalog("local", tempfile.mkdtemp())
    >>> query = SceneQuery(area=box(35.8, 34.8, 35.9, 34.9), start="2024-12-01", end="2024-12-31")
    >>> fetch_scenes(catalog, catalog.search(query), "products")
    []
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
