"""The first pass over the scenes: each searched by its image alone, one after another, none twice.

Vessels are left to the second pass, which is better at it, where that is to come: of such a scene only the coverage of
the piers is made here. To find them twice took half of a survey's time.

A scene that was searched has a checkpoint in `scenes/`, with a fingerprint of everything that its result depends on. A
later run opens each product on disk (metadata only) and searches only those whose fingerprint is new. Scenes of a
catalogue are known by what it says of them: those with a checkpoint are not even opened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from sarship.errors import CredentialError, DeviceError, ModelError, OutputError, ProductError, explain
from sarship.files import safe_name
from sarship.model import Scene
from sarship.pipeline.ahead import Open, opened_ahead
from sarship.pipeline.checkpoints import Tables, digest, has_checkpoint, resume
from sarship.pipeline.one_scene import Bands, SearchedScene, is_fine, search_image
from sarship.pipeline.plan import Plan
from sarship.pipeline.results import Failure
from sarship.pipeline.shared_work import NO_HELPERS, Helpers
from sarship.pipeline.sources import Source, mark_of_files
from sarship.port.ground import check_water_level
from sarship.sentinel1.doubts import doubts_held
from sarship.sentinel1.radar_image import RadarImage

__all__ = ["Progress", "State", "Step", "run_first_pass"]

State = Literal["fetching", "waiting", "searching", "searched", "checkpoint", "twin", "failed", "second_pass"]


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
    """It is being fetched; is waited for, as another process fetches it; is being searched; was searched; its result
    comes from a checkpoint; it is a twin of a scene that is there; it failed; or, when all were searched, the second
    pass begins with it."""
    message: str = ""
    """Size of what has arrived, what is waited for, reason of a failure, or the scene that it is a twin of."""


Progress = Callable[[Step], None]
"""Called with each `Step`."""


def run_first_pass(
    sources: Sequence[Source],
    plan: Plan,
    folder: Path | None,
    progress: Progress | None = None,
    *,
    compared: Collection[int] = (),
    others: Helpers = NO_HELPERS,
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
    compared
        Relative orbits whose scenes on disk the second pass will search.
    others
        Processes that products on disk are shared out to.

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
    task = _Task(plan, folder, frozenset(compared))
    shared = _shared_out(sources, task, others)
    with opened_ahead(_to_be_opened(sources, task), plan) as open_source:
        for k, source in enumerate(sources):
            tell = partial(_tell, progress, Step(done=k, total=len(sources), path=source.name, state="searching"))
            try:
                there = shared(k)
                if there is None:
                    one, state, message = _search(source, task, searched, open_source=open_source, tell=tell)
                else:
                    one, state, message = _found_apart(there, plan, searched)
            except (OutputError, CredentialError, DeviceError, ModelError):
                raise
            except Exception as error:  # one bad product must not take the others with it
                one, state, message = None, "failed", explain(error)
                failures.append(Failure(path=source.name, message=message))
            if one is not None:
                searched[one.scene.id] = one
            tell(done=k + 1, state=state, message=message)
    return searched, failures


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that is the same for every source."""

    plan: Plan
    folder: Path | None
    compared: frozenset[int]

    def checkpoint(self, source: Source, scene: Scene, opened: RadarImage | None) -> _Checkpoint:
        """Return a scene's checkpoint.

        Vessels are left to the second pass only of products on disk, which can be opened again: a catalogue's scene may
        be out of reach by then. A checkpoint that has them already serves any run.
        """
        mark = source.mark(opened)
        place = None if self.folder is None else self.folder / safe_name(scene.id)
        found, left = self._fingerprints(scene.id, mark)
        is_left = source.scene is None and is_fine(scene) and scene.relative_orbit in self.compared
        if is_left and not (place and has_checkpoint(place, found)):
            return _Checkpoint(place, left, mark, is_left=True)
        return _Checkpoint(place, found, mark, is_left=False)

    def seems_known(self, source: Source) -> bool:
        """Return True for a product on disk that has a checkpoint, as far as its path tells without opening it."""
        path = Path(source.name)
        if self.folder is None or path.suffix != ".SAFE":
            return False
        place, mark = self.folder / safe_name(path.stem), mark_of_files(path)
        return any(has_checkpoint(place, each) for each in self._fingerprints(path.stem, mark))

    def _fingerprints(self, scene: str, mark: object) -> tuple[str, str]:
        """Fingerprints of a scene whose vessels are found, and of one whose vessels are left to the second pass."""
        content = [self.plan.fingerprint, scene, mark]
        return digest(content), digest([*content, "boxed"])


class _Checkpoint(NamedTuple):
    place: Path | None
    fingerprint: str
    mark: object
    """Mark of the scene's files."""
    is_left: bool
    """True where vessels are left to the second pass."""


def _to_be_opened(sources: Sequence[Source], task: _Task) -> Iterator[Source]:
    """Yield the scenes that may be opened ahead: of each acquisition the first, unless it has a checkpoint."""
    known: set[object] = set()
    for source in sources:
        if source.scene is None or not source.n_ahead or source.scene.acquisition in known:
            continue
        known.add(source.scene.acquisition)
        place, fingerprint, *_ = task.checkpoint(source, source.scene, None)
        if place is None or not has_checkpoint(place, fingerprint):
            yield source


def _search(
    source: Source,
    task: _Task,
    searched: Mapping[str, SearchedScene],
    *,
    open_source: Open,
    tell: Callable[..., None],
) -> tuple[SearchedScene | None, State, str]:
    """Search one source, unless it has a checkpoint or is a twin; a catalogue's scene is opened only to be searched."""
    opened = source.open() if source.scene is None else None
    scene = source.scene or cast("RadarImage", opened).scene
    if twin := _twin(source, scene, searched):
        return None, "twin", twin

    def arrive(done: int, total: int | None) -> None:
        size = f"{done / 1e6:.0f} MB" if total is None else f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
        tell(state="fetching", message=size)

    def wait(for_what: str) -> None:
        tell(state="waiting", message=for_what)

    def product() -> RadarImage:
        product = opened or open_source(source, arrive, wait)
        if not _shows_a_pier(searched):
            check_water_level(product, task.plan.port)
        return product

    one, is_resumed = _tables(
        source, scene, opened, task, product=product, progress=lambda lines, total: tell(part=lines / total)
    )
    return one, "checkpoint" if is_resumed else "searched", _remark(one, task.plan)


def _tables(
    source: Source,
    scene: Scene,
    opened: RadarImage | None,
    task: _Task,
    *,
    product: Callable[[], RadarImage],
    progress: Bands | None = None,
) -> tuple[SearchedScene, bool]:
    """Return a scene with its tables, and True if they come from its checkpoint; the product is opened only if not."""
    place, fingerprint, mark, is_left = task.checkpoint(source, scene, opened)

    def search() -> Tables:
        return search_image(product(), task.plan, progress, is_left=is_left)

    tables, is_resumed = resume(place, fingerprint, search)
    source = replace(source, is_checked=False)  # once is enough: the second pass opens it again
    made: dict[str, Any] = {**tables, "mark": mark, "fingerprint": fingerprint, "is_left": is_left}
    return SearchedScene(scene=scene, source=source, **made), is_resumed


def _twin(source: Source, scene: Scene, searched: Mapping[str, SearchedScene]) -> str:
    """Return whose twin a scene is, or nothing.

    Raises
    ------
    ProductError
        It has the name of another acquisition.
    """
    for other in searched.values():
        if other.scene.acquisition == scene.acquisition:
            return f"the same acquisition as {other.source.place}, which is counted"
    if scene.id in searched:
        other = searched[scene.id]
        raise ProductError(f"{source.name} has the name of {other.source.place} but is another acquisition; rename it")
    return ""


def _shows_a_pier(searched: Mapping[str, SearchedScene]) -> bool:
    """Return True if one of the scenes does: the others show the same ground."""
    return any(other.shows_a_pier for other in searched.values())


def _remark(one: SearchedScene, plan: Plan) -> str:
    return "it shows none of the piers" if plan.waters and not one.shows_a_pier else ""


# ---- shared out to other processes


_Apart = tuple[SearchedScene, bool]
"""A scene that was searched apart from the others, and True if its tables come from a checkpoint."""


def _shared_out(sources: Sequence[Source], task: _Task, others: Helpers) -> Callable[[int], _Apart | None]:
    """Share out the products on disk that are to be searched, of each acquisition and each name the first."""
    items, known = dict[int, Source](), set[object]()
    for k, source in enumerate(sources):
        with suppress(Exception):  # its turn says what is wrong with it
            if others.n_helpers and source.is_on_disk:
                take = source.take()
                marks = {
                    (take.platform, take.absolute_orbit, take.start.replace(microsecond=0)),
                    Path(source.name).stem,
                }
                if not marks & known and not task.seems_known(source):
                    items[k] = source
                known |= marks
    return others.share_out(_search_apart, task, items)


def _search_apart(task: _Task, source: Source) -> _Apart:
    """Search a product out of its turn, unless it has a checkpoint."""
    product = source.open()
    return _tables(source, product.scene, product, task, product=lambda: product)


def _found_apart(
    there: _Apart, plan: Plan, searched: Mapping[str, SearchedScene]
) -> tuple[SearchedScene | None, State, str]:
    """Return what `_search` would have."""
    one, is_resumed = there
    if twin := _twin(one.source, one.scene, searched):
        return None, "twin", twin
    if not is_resumed and not _shows_a_pier(searched):
        with doubts_held():  # they are among those of the search
            product = one.source.open()
        check_water_level(product, plan.port)
    return one, "checkpoint" if is_resumed else "searched", _remark(one, plan)


def _tell(progress: Progress | None, step: Step, *, part: float = 0.0, **changes: Any) -> None:
    """Report a step with some changes, or with the part of its product that is searched."""
    if progress is not None:
        progress(replace(step, **({"done": step.done + part} | changes)))
