"""The second pass over the scenes: each searched again, against the empty port of its orbit.

Scenes on the port's grid are in `stack/`, the empty port of each orbit in `references/`, and checkpoints of what was
found against it in `second_pass/`, each with a fingerprint of all that it depends on. A later run with more dates grids
the new ones only; the reference then is another, so the dates of its orbit are searched again, half a second each.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarship._package import __version__
from sarship.change.detection import detect_change
from sarship.change.port_check import doubtful_piers
from sarship.change.reference import MIN_DATES, expected_on, fit_reference, of_orbit
from sarship.errors import (
    CatalogError,
    DownloadError,
    LibraryError,
    PortError,
    ProductError,
    ProductWarning,
    ReferenceImageError,
)
from sarship.files import make_folder, safe_name
from sarship.model import Hits, Scene
from sarship.pipeline.checkpoints import Tables, digest, has_checkpoint, resume
from sarship.pipeline.first_pass import Progress, Step
from sarship.pipeline.one_scene import SearchedScene, at_seen, is_fine, search_against
from sarship.pipeline.plan import Plan
from sarship.pipeline.shared_work import NO_HELPERS, Helpers
from sarship.pipeline.sources import Source
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import Port
from sarship.port.stack import (
    add_scene,
    has_scene,
    read_reference,
    read_scene,
    read_stack,
    write_reference,
    zarr_library,
)
from sarship.sentinel1.manifest import Manifest
from sarship.sentinel1.passes import number_passes
from sarship.sentinel1.radar_image import RadarImage

__all__ = [
    "STACK",
    "Look",
    "check_saved",
    "look_again",
    "orbits_to_compare",
    "reference_file",
    "run_second_pass",
    "stack_folder",
]

STACK: Final = "stack"
"""Folder, in that of a survey, of its scenes on the port's grid: in a folder a grid."""
_UNREADABLE: Final = (ProductError, DownloadError, CatalogError)
"""Errors that keep one scene's image from being read, and no other's."""


def orbits_to_compare(sources: Iterable[Source], plan: Plan, saved: Sequence[xr.Dataset] = ()) -> set[int]:
    """Return the relative orbits that will have a reference, as far as catalogues and manifests tell."""
    takes = list[Scene | Manifest]()
    with contextlib.suppress(PortError):
        plan.grid  # noqa: B018  (none of a port that is too large)
        for source in sources:
            with contextlib.suppress(Exception):  # the first pass says what is wrong with it
                takes.append(source.take())
    return _with_reference(takes, _orbits_of(saved))


def run_second_pass(
    searched: Mapping[str, SearchedScene],
    plan: Plan,
    folder: Path,
    *,
    saved: Sequence[xr.Dataset] = (),
    progress: Progress | None = None,
    others: Helpers = NO_HELPERS,
) -> dict[str, SearchedScene]:
    """Search scenes against the empty port of their orbits.

    An orbit of fewer than four dates, a scene that cannot be coregistered, one of a coarser mode, a port too large for
    a grid, and all where zarr is not installed are left to the first pass: such scenes are not in the answer, and all
    but the first are warned of.

    Parameters
    ----------
    searched
        Scenes by their ids, from the first pass; those that show none of the port do no harm.
    plan
        The port.
    folder
        Folder of the survey.
    saved
        References that were fitted before; they serve the dates of their orbits, however few.
    progress
        Told before each scene.
    others
        Processes that scenes on disk are shared out to.

    Returns
    -------
    dict
        The scenes that were searched again, by their ids.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    ReferenceImageError
        When the saved references know none of the dates' orbits.
    """
    known = {int(orbit): each for each in saved for orbit in each["relative_orbit"].to_numpy()}
    orbits = _by_orbit(searched.values(), known)
    if not orbits:
        return {}
    try:
        zarr_library()
        stack = make_folder(stack_folder(folder, plan.grid))
    except (LibraryError, PortError) as error:
        warnings.warn(f"{error}; until then its piers are counted by single images", ProductWarning, stacklevel=2)
        return {}
    checkpoints = make_folder(folder / "second_pass")
    again: dict[str, SearchedScene] = {}
    references: list[xr.Dataset] = []
    total = sum(map(len, orbits.values()))
    for orbit, scenes in orbits.items():
        try:
            reference = _reference(orbit, scenes, plan, folder, known.get(orbit), others=others)
        except ReferenceImageError as error:
            warnings.warn(f"{error}; its dates are counted by single images", ProductWarning, stacklevel=2)
            continue
        references.append(reference)
        task = _Task(plan, stack, checkpoints, reference_file(folder, orbit), reference.attrs["fingerprint"])
        shared = others.share_out(_search_apart, task, _to_share(others, scenes, task.is_done))
        for one in scenes:
            if progress is not None:
                progress(Step(done=len(again), total=total, path=one.source.place, state="second_pass"))
            try:
                there = shared(one.scene.id)
                again[one.scene.id] = _search(one, reference, task) if there is None else there
            except (ReferenceImageError, *_UNREADABLE) as error:
                warnings.warn(f"{error}; it is counted by the image alone", ProductWarning, stacklevel=2)
    for pier in doubtful_piers(references, plan.port.piers):
        doubt = "seems to lie in the open sea: nothing stands there on any date"
        warnings.warn(f"{pier!r} {doubt}; look at it with `sarship port preview`", ProductWarning, stacklevel=2)
    return again


def _by_orbit(searched: Iterable[SearchedScene], known: Collection[int]) -> dict[int, list[SearchedScene]]:
    """Return the scenes that have a reference, by orbit: a saved one, or enough dates to fit one."""
    orbits: dict[int, list[SearchedScene]] = {}
    for one in searched:
        if is_fine(one.scene) and one.shows_a_pier:
            orbits.setdefault(one.scene.relative_orbit, []).append(one)
    if known and orbits and not orbits.keys() & set(known):
        raise ReferenceImageError(
            f"the saved reference is of relative orbit {_listed(known)} and the products of {_listed(orbits)}, which "
            "shows the port from another side; give a reference of that orbit, or none"
        )
    enough = _with_reference((one.scene for scenes in orbits.values() for one in scenes), known)
    return {orbit: scenes for orbit, scenes in orbits.items() if orbit in enough}


def _with_reference(takes: Iterable[Scene | Manifest], known: Collection[int]) -> set[int]:
    """Return the relative orbits of scenes that have a reference: a saved one, or enough dates to fit one."""
    orbits: dict[int, list[Scene | Manifest]] = {}
    for take in takes:
        orbits.setdefault(take.relative_orbit, []).append(take)
    return {orbit for orbit, of in orbits.items() if orbit in known or _n_passes(of) >= MIN_DATES}


def _n_passes(takes: Sequence[Scene | Manifest]) -> int:
    start, stop = ([getattr(take, name).replace(tzinfo=None) for take in takes] for name in ("start", "stop"))
    return int(number_passes([take.platform for take in takes], start, stop).max()) + 1


def _orbits_of(saved: Sequence[xr.Dataset]) -> list[int]:
    return [int(orbit) for each in saved for orbit in each["relative_orbit"].to_numpy()]


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that is the same for every scene of an orbit."""

    plan: Plan
    stack: Path
    checkpoints: Path
    reference: Path
    """File of the empty port."""
    fingerprint: str
    """Digest of that."""

    def checkpoint(self, one: SearchedScene) -> tuple[Path, str]:
        """Return the folder and the fingerprint of a scene's checkpoint."""
        return self.checkpoints / safe_name(one.scene.id), digest([one.fingerprint, self.fingerprint])

    def is_done(self, one: SearchedScene) -> bool:
        """Return True if a scene has one."""
        return has_checkpoint(*self.checkpoint(one))


def _search(one: SearchedScene, reference: xr.Dataset, task: _Task) -> SearchedScene:
    """Search one scene against a reference, unless it has a checkpoint of that."""
    place, fingerprint = task.checkpoint(one)

    def search() -> Tables:
        product = one.source.open(needs_images=False)
        vessels = search_against(reference, read_scene(task.stack, place.name), product, task.plan)
        return {
            "vessels": at_seen(vessels, one.coverage),
            "scenes": one.scenes,
            "coverage": one.coverage.assign(n_reference_dates=int(reference["n_dates"].item())),
            "is_simulated": one.is_simulated,
        }

    tables, _ = resume(place, fingerprint, search)
    return replace(one, fingerprint=fingerprint, **tables, is_left=False)


def _to_share(
    others: Helpers, scenes: Iterable[SearchedScene], is_done: Callable[[SearchedScene], bool]
) -> dict[str, SearchedScene]:
    """Return the scenes by their ids that processes can help with: products on disk; others wait for a server."""
    here = (one for one in scenes if others.n_helpers and one.source.is_on_disk)
    return {one.scene.id: one for one in here if not is_done(one)}


def _search_apart(task: _Task, one: SearchedScene) -> SearchedScene:
    return _search(one, _kept_reference(task.reference, task.fingerprint), task)


@lru_cache(maxsize=1)
def _kept_reference(path: Path, _fingerprint: str) -> xr.Dataset:
    """Empty port of an orbit, read once for all of its scenes."""
    return read_reference(path)


def _grid_apart(place: tuple[Path, PortGrid], one: SearchedScene) -> bool:
    return _is_gridded(one, *place)


def _reference(
    orbit: int,
    scenes: Sequence[SearchedScene],
    plan: Plan,
    folder: Path,
    saved: xr.Dataset | None,
    *,
    others: Helpers,
) -> xr.Dataset:
    """Return the empty port of an orbit: the saved one, the one in the folder, or a new one where that is of others."""
    stack, path = stack_folder(folder, plan.grid), reference_file(folder, orbit)
    left = _to_share(others, scenes, partial(_seems_gridded, stack))
    shared = others.share_out(_grid_apart, (stack, plan.grid), left)

    def is_gridded(one: SearchedScene) -> bool:
        there = shared(one.scene.id)
        return _is_gridded(one, stack, plan.grid) if there is None else there

    scenes = [one for one in scenes if is_gridded(one)]
    if saved is None:
        marks = sorted((one.scene.id, digest([one.mark])) for one in scenes)
    else:
        saved = saved.sel(relative_orbit=[orbit])
        marks = [("saved", hashlib.sha256(saved["level"].to_numpy().tobytes()).hexdigest())]
    fingerprint = digest([plan.grid_fingerprint, marks])
    make_folder(path.parent)
    try:
        reference = read_reference(path)
        if reference.attrs.get("fingerprint") == fingerprint:
            return reference
    except ReferenceImageError:
        pass  # none yet, or a damaged one: fit it
    if saved is None:
        cube = read_stack(stack, scenes=[one.scene.id for one in scenes])
        reference = fit_reference(cube, land=plan.ground, piers=plan.berths)
    else:
        reference = saved
    n_dates = reference["n_dates"].item()
    if n_dates < MIN_DATES:
        raise ReferenceImageError(
            f"relative orbit {orbit} has {n_dates} dates that show the port, and {MIN_DATES} are needed"
        )
    reference = reference.assign_attrs(fingerprint=fingerprint)
    write_reference(reference, path)
    return reference


def _seems_gridded(stack: Path, one: SearchedScene) -> bool:
    """Return True for a scene in the stack, whose pixels are not looked at."""
    return has_scene(stack, safe_name(one.scene.id), _stack_mark(one), reads_pixels=False)


def _stack_mark(one: SearchedScene) -> str:
    return digest([__version__, one.mark])


def _is_gridded(one: SearchedScene, stack: Path, grid: PortGrid) -> bool:
    """Put a scene on the grid unless it is there; False, with a warning, where its product is out of reach."""
    name, mark = safe_name(one.scene.id), _stack_mark(one)
    if has_scene(stack, name, mark):
        return True
    try:
        image = to_port_grid(one.source.open(), grid)
    except _UNREADABLE as error:
        warnings.warn(f"{error}; the reference is made without it", ProductWarning, stacklevel=2)
        return False
    add_scene(stack, name, image, mark)
    return True


def stack_folder(folder: Path, grid: PortGrid) -> Path:
    """Return the place of a survey's scenes on a grid."""
    return folder / STACK / digest(repr(grid))[:8]


def reference_file(folder: Path, orbit: int) -> Path:
    """Return the place of a survey's empty port of an orbit."""
    return folder / "references" / f"orbit_{orbit:03d}.nc"


def check_saved(saved: Sequence[xr.Dataset], port: Port) -> None:
    """Refuse references that do not suit a port, before anything is searched.

    Raises
    ------
    ReferenceImageError
        One is of another port, grid or water level, was made of fewer than four dates, or two are of one orbit.
    """
    orbits = _orbits_of(saved)
    if len(set(orbits)) < len(orbits):
        raise ReferenceImageError(
            f"two of the saved references are of one relative orbit ({_listed(orbits)}); give one of each"
        )
    for each in saved:
        theirs, mine = PortGrid.of(each), PortGrid.around(port.area, water_level_m=port.water_level_m)
        if theirs != mine:
            raise ReferenceImageError(
                f"the saved reference is of another port, grid or water level ({theirs}) than {port.name} ({mine}); "
                "count there without it once, and keep the one that is made"
            )
        if int(each["n_dates"].min()) < MIN_DATES:
            raise ReferenceImageError(
                f"the saved reference was made of {int(each['n_dates'].min())} dates, and {MIN_DATES} are needed"
            )


def _listed(orbits: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(orbits)))


class Look(NamedTuple):
    """A scene on its port's grid, beside the empty port: the content of a picture."""

    image: xr.DataArray
    """`sigma0(polarization, y, x)`."""
    expected: NDArray[np.float32]
    """Sigma nought of the empty port on that day, in the first polarization, (y, x)."""
    hits: Hits
    """Lines and pixels are rows and columns of the grid."""


def look_again(product: RadarImage, plan: Plan, folder: Path) -> Look:
    """Return a scene of a survey's second pass, from the stack and the reference in its folder.

    Raises
    ------
    ReferenceImageError
        When there is no such scene or no reference of its orbit.
    """
    image = read_scene(stack_folder(folder, plan.grid), safe_name(product.scene.id))
    reference = read_reference(reference_file(folder, product.scene.relative_orbit))
    hits, _ = detect_change(image, product, reference, plan.masks, plan.params)
    one = of_orbit(reference, image).isel(polarization=0)
    expected, _ = expected_on(one, image.to_numpy()[0], plan.masks.open_water)
    return Look(image, expected, hits)
