"""The first pass over the scenes: each searched by its image alone, one after another, none twice.

A scene that was searched has a checkpoint in `scenes/`, with a fingerprint of everything that its result depends on. A
later run opens each product on disk (metadata only) and searches only those whose fingerprint is new. Scenes of a
catalogue are known by what it says of them: those with a checkpoint are not even opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from sarship.errors import CredentialError, DeviceError, ModelError, OutputError, ProductError, explain
from sarship.files import safe_name
from sarship.model import Scene
from sarship.pipeline.ahead import opened_ahead
from sarship.pipeline.checkpoints import Tables, digest, has_checkpoint, resume
from sarship.pipeline.one_scene import SearchedScene, search_image
from sarship.pipeline.plan import Plan
from sarship.pipeline.results import Failure
from sarship.pipeline.sources import Bytes, Source
from sarship.port.ground import check_water_level
from sarship.sentinel1.radar_image import RadarImage

__all__ = ["Progress", "State", "Step", "run_first_pass"]

State = Literal["fetching", "searching", "searched", "checkpoint", "twin", "failed", "second_pass"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Progress of a survey.

    Examples
    --------
    >>> Step(done=1, total=4, path="S1A_….SAFE", state="searching").state
    'searching'
    """

    done: float
    """Number of products that it is through with; while one is being searched, with the part of it that is."""
    total: int
    """Number of products that were given."""
    path: str
    """The product that this is about."""
    state: State
    """It is being fetched; being searched; was searched; its result comes from a checkpoint; it is a twin of a scene
    that is there; it failed; or, when all were searched, the second pass begins with it."""
    message: str = ""
    """Size of what has arrived, reason of a failure, or the scene that it is a twin of."""


Progress = Callable[[Step], None]
"""Called with each `Step`."""


def run_first_pass(
    sources: Sequence[Source], plan: Plan, folder: Path | None, progress: Progress | None = None
) -> tuple[dict[str, SearchedScene], list[Failure]]:
    """Search every source once.

    Parameters
    ----------
    sources
        Products and scenes.
    plan
        What to look for, and where.
    folder
        Folder of the checkpoints; None for none.
    progress
        Told each step.

    Returns
    -------
    searched
        The scenes by their ids, in the order of the sources.
    failures
        The products that could not be searched.

    Raises
    ------
    OutputError, CredentialError, DeviceError, ModelError
        What would be the same for every scene.
    """
    searched: dict[str, SearchedScene] = {}
    failures: list[Failure] = []
    with opened_ahead(_to_be_opened(sources, plan, folder), plan) as open_source:
        for k, source in enumerate(sources):
            tell = partial(_tell, progress, Step(done=k, total=len(sources), path=source.name, state="searching"))
            try:
                one, state, message = _search(source, plan, folder, searched, open_source=open_source, tell=tell)
            except (OutputError, CredentialError, DeviceError, ModelError):
                raise
            except Exception as error:  # one bad product must not take the others with it
                one, state, message = None, "failed", explain(error)
                failures.append(Failure(path=source.name, message=message))
            if one is not None:
                searched[one.scene.id] = one
            tell(done=k + 1, state=state, message=message)
    return searched, failures


def _to_be_opened(sources: Sequence[Source], plan: Plan, folder: Path | None) -> Iterator[Source]:
    """Yield the scenes that may be opened ahead: of each acquisition the first, unless it has a checkpoint."""
    known: set[object] = set()
    for source in sources:
        if source.scene is None or not source.n_ahead or source.scene.acquisition in known:
            continue
        known.add(source.scene.acquisition)
        place, fingerprint, _ = _checkpoint(source, source.scene, None, plan, folder)
        if place is None or not has_checkpoint(place, fingerprint):
            yield source


def _checkpoint(
    source: Source, scene: Scene, opened: RadarImage | None, plan: Plan, folder: Path | None
) -> tuple[Path | None, str, object]:
    """Return the place of a scene's checkpoint, its fingerprint, and the mark of the files in that."""
    mark = source.mark(opened)
    place = None if folder is None else folder / safe_name(scene.id)
    return place, digest([plan.fingerprint, scene.id, mark]), mark


def _search(
    source: Source,
    plan: Plan,
    folder: Path | None,
    searched: Mapping[str, SearchedScene],
    *,
    open_source: Callable[[Source, Bytes], RadarImage],
    tell: Callable[..., None],
) -> tuple[SearchedScene | None, State, str]:
    """Search one source, unless it has a checkpoint or is a twin; a catalogue's scene is opened only to be searched."""
    opened = source.open() if source.scene is None else None
    scene = source.scene or cast("RadarImage", opened).scene
    for other in searched.values():
        if other.scene.acquisition == scene.acquisition:
            return None, "twin", f"the same acquisition as {other.source.place}, which is counted"
    if scene.id in searched:
        other = searched[scene.id]
        raise ProductError(f"{source.name} has the name of {other.source.place} but is another acquisition; rename it")
    place, fingerprint, mark = _checkpoint(source, scene, opened, plan, folder)

    def arrive(done: int, total: int | None) -> None:
        size = f"{done / 1e6:.0f} MB" if total is None else f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
        tell(state="fetching", message=size)

    def search() -> Tables:
        product = opened or open_source(source, arrive)
        if not any(other.shows_a_pier for other in searched.values()):  # the others show the same ground
            check_water_level(product, plan.port)
        return search_image(product, plan, lambda lines, total: tell(part=lines / total))

    tables, is_resumed = resume(place, fingerprint, search)
    source = replace(source, is_checked=False)  # once is enough: the second pass opens it again
    one = SearchedScene(scene=scene, source=source, mark=mark, fingerprint=fingerprint, **tables)
    message = "it shows none of the piers" if plan.waters and not one.shows_a_pier else ""
    return one, "checkpoint" if is_resumed else "searched", message


def _tell(progress: Progress | None, step: Step, *, part: float = 0.0, **changes: Any) -> None:
    """Report a step with some changes, or with the part of its product that is searched."""
    if progress is not None:
        progress(replace(step, **({"done": step.done + part} | changes)))
