"""The second pass of a survey: each scene searched again, against the empty port of its orbit.

Scenes are put on the port's grid and kept in `stack/`, the empty port of each orbit in `references/`, and what was
found against it in `compared/`, each with a fingerprint of all that it depends on. A later run with more dates grids
the new ones only; the reference then is another, so the dates of its orbit are searched again, half a second each.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sarship._package import __version__
from sarship.change.cranes import flag_cranes
from sarship.change.detection import PortMasks, detect_change, port_masks
from sarship.change.port_check import doubtful_piers
from sarship.change.reference import MIN_DATES, fit_reference, level_on, of_orbit, sea_of
from sarship.detection.params import DetectionParams
from sarship.errors import CatalogError, DownloadError, PortError, ProductError, ProductWarning, ReferenceImageError
from sarship.files import make_folder, safe_name
from sarship.model import Hits, Scene
from sarship.pipeline.checkpoints import Kept, digest, keep, recall
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import Port
from sarship.port.stack import add_scene, has_scene, read_reference, read_scene, read_stack, write_reference
from sarship.sentinel1.product import GrdProduct
from sarship.vessels.assign import assign_piers
from sarship.vessels.find import find_vessels
from sarship.vessels.flags import doubt_at_piers, flag_ambiguities

__all__ = ["Date", "Look", "check_saved", "compare_dates", "look_again"]

_UNREADABLE: Final = (ProductError, DownloadError, CatalogError)
"""What keeps one scene's image from being read, and no other's."""
MAX_HIT: Final = 0.01
"""Part of a port's open water that ships cover: fifteen of 150 m in an anchorage of 5 by 5 km are a thousandth."""
RESOLUTION: Final = "GRDH"
"""Coarser products have pixels wider than a quay."""


class Date(NamedTuple):
    """A scene that the first pass is through with."""

    scene: Scene
    open: Callable[[], GrdProduct]
    """Opens its product again."""
    mark: object
    """What identifies its files."""
    fingerprint: str
    """What its first pass depended on."""
    kept: Kept
    """What that found."""


class _Place(NamedTuple):
    """A port on its grid."""

    folder: Path
    grid: PortGrid
    masks: PortMasks
    land: BaseGeometry | None
    berths: BaseGeometry
    piers: gpd.GeoDataFrame
    alongside: BaseGeometry | None
    params: DetectionParams
    fingerprint: str


def compare_dates(
    dates: Sequence[Date],
    port: Port,
    folder: Path,
    params: DetectionParams,
    *,
    land: BaseGeometry | None = None,
    alongside: BaseGeometry | None = None,
    saved: Sequence[xr.Dataset] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Kept]:
    """What is found of each scene against the empty port of its orbit, by the scene's id.

    An orbit of fewer than four dates, a scene that cannot be laid on the others, one of a coarser mode, and a port too
    large for a grid are left to the first pass: such scenes are not in the answer, and all but the first are warned of.

    Parameters
    ----------
    dates
        Scenes that were searched; those that show none of the port do no harm.
    port, params, land
        As for `survey`.
    folder
        Of the survey.
    alongside
        Waters of the piers, as `find_vessels` wants them.
    saved
        References that were fitted before; they serve the dates of their orbits, however few.
    progress
        Called before each scene with the number done, their total, and its id.

    Raises
    ------
    OutputError
        The folder cannot be written to.
    ReferenceImageError
        When the saved references know none of the dates' orbits.
    """
    known = {int(orbit): each for each in saved for orbit in each["relative_orbit"].to_numpy()}
    chosen = _by_orbit(dates, known)
    if not chosen:
        return {}
    try:
        place = _place(port, folder, params, land, alongside)
    except PortError as error:
        warnings.warn(f"{error}; until then its piers are counted by single images", ProductWarning, stacklevel=2)
        return {}
    found: dict[str, Kept] = {}
    empties: list[xr.Dataset] = []
    total = sum(map(len, chosen.values()))
    for orbit, group in chosen.items():
        try:
            reference, fingerprint = _reference(orbit, group, place, known.get(orbit))
        except ReferenceImageError as error:
            warnings.warn(f"{error}; its dates are counted by single images", ProductWarning, stacklevel=2)
            continue
        empties.append(reference)
        for date in group:
            if progress is not None:
                progress(len(found), total, date.scene.id)
            one = _compare(date, reference, fingerprint, place)
            if one is not None:
                found[date.scene.id] = one
    for pier in doubtful_piers(empties, port.piers):
        doubt = "seems to lie in the open sea: nothing stands there on any date"
        warnings.warn(f"{pier!r} {doubt}; look at it with `sarship port preview`", ProductWarning, stacklevel=2)
    return found


def _by_orbit(dates: Sequence[Date], known: Collection[int]) -> dict[int, list[Date]]:
    """Dates that can be compared, by orbit: those of a saved reference, and those that are enough for one."""
    orbits: dict[int, list[Date]] = {}
    for date in dates:
        if date.scene.product_type == RESOLUTION and date.kept.tables["coverage"]["seen"].any():
            orbits.setdefault(date.scene.relative_orbit, []).append(date)
    if known and orbits and not orbits.keys() & set(known):
        raise ReferenceImageError(
            f"the saved reference is of relative orbit {_listed(known)} and the products of {_listed(orbits)}, which "
            "shows the port from another side; give a reference of that orbit, or none"
        )
    return {orbit: found for orbit, found in orbits.items() if orbit in known or len(found) >= MIN_DATES}


def check_saved(saved: Sequence[xr.Dataset], port: Port) -> None:
    """Refuse references that a port's dates cannot be compared with, before anything is searched.

    Raises
    ------
    ReferenceImageError
        One is of another port or grid, was made of fewer than four dates, or two are of one orbit.
    """
    orbits = [int(orbit) for each in saved for orbit in each["relative_orbit"].to_numpy()]
    if len(set(orbits)) < len(orbits):
        raise ReferenceImageError(
            f"two of the saved references are of one relative orbit ({_listed(orbits)}); give one of each"
        )
    for each in saved:
        theirs, mine = PortGrid.of(each), PortGrid.around(port.area)
        if theirs != mine:
            raise ReferenceImageError(
                f"the saved reference is of another port or grid ({theirs}) than {port.name} ({mine}); count "
                "there without it once, and keep the one that is made"
            )
        if int(each["n_dates"].min()) < MIN_DATES:
            raise ReferenceImageError(
                f"the saved reference was made of {int(each['n_dates'].min())} dates, and {MIN_DATES} are needed"
            )


def _listed(orbits: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(orbits)))


class Look(NamedTuple):
    """A scene on its port's grid, beside the empty port: what a picture shows."""

    image: xr.DataArray
    """`sigma0(polarization, y, x)`."""
    expected: NDArray[np.float32]
    """What the empty port would have shown in the first polarization, (y, x)."""
    hits: Hits
    """Lines and pixels are rows and columns of the grid."""


def look_again(
    product: GrdProduct, port: Port, folder: Path, params: DetectionParams, *, land: BaseGeometry | None = None
) -> Look:
    """Take a scene that a survey compared with the empty port from what the survey kept.

    Raises
    ------
    ReferenceImageError
        When the survey in that folder kept no such scene or no reference of its orbit.
    """
    place = _place(port, folder, params, land, None)
    image = read_scene(_stack(place), safe_name(product.scene.id))
    reference = read_reference(_reference_file(place, product.scene.relative_orbit))
    hits, _ = detect_change(image, product, reference, place.masks, params)
    one = of_orbit(reference, image).isel(polarization=0)
    sea = float(one["sea"])
    today = sea_of(image.to_numpy()[0], place.masks.open_water, sea)
    return Look(image, level_on(one["level"].to_numpy(), sea, today), hits)


def _stack(place: _Place) -> Path:
    return place.folder / "stack" / digest(repr(place.grid))[:8]


def _reference_file(place: _Place, orbit: int) -> Path:
    return place.folder / "references" / f"orbit_{orbit:03d}.nc"


def _place(
    port: Port, folder: Path, params: DetectionParams, land: BaseGeometry | None, alongside: BaseGeometry | None
) -> _Place:
    grid = PortGrid.around(port.area)
    ground = [area for area in (port.land, land) if area is not None]
    dry = shapely.union_all(ground) if ground else None
    places = port.piers.geometry
    berths = shapely.union_all(list(places[port.piers["kind"] == "pier"]) or list(places))
    masks = port_masks(grid, piers=berths, land=dry, exclude=port.exclude, water=port.water)
    shapes = ["" if area is None else area.wkb_hex for area in (dry, port.exclude, port.water, berths)]
    fingerprint = digest([__version__, repr(grid), shapes])
    return _Place(folder, grid, masks, dry, berths, port.piers, alongside, params, fingerprint)


def _reference(orbit: int, dates: Sequence[Date], place: _Place, saved: xr.Dataset | None) -> tuple[xr.Dataset, str]:
    """The empty port of an orbit: what is given, or was kept, or a new one where that is of other dates."""
    stack = make_folder(_stack(place))
    dates = [date for date in dates if _is_gridded(date, stack, place)]
    marks = sorted((date.scene.id, digest([date.mark])) for date in dates)
    if saved is not None:
        saved = saved.sel(relative_orbit=[orbit])
        marks = [("saved", hashlib.sha256(saved["level"].to_numpy().tobytes()).hexdigest())]
    fingerprint = digest([place.fingerprint, marks])
    path = _reference_file(place, orbit)
    make_folder(path.parent)
    try:
        reference = read_reference(path)
        if reference.attrs.get("fingerprint") == fingerprint:
            return reference, fingerprint
    except ReferenceImageError:
        pass  # none yet, or a damaged one: fit it
    if saved is None:
        cube = read_stack(stack, scenes=[date.scene.id for date in dates])
        reference = fit_reference(cube, land=place.land, piers=place.berths)
    else:
        reference = saved
    n_dates = reference["n_dates"].item()
    if n_dates < MIN_DATES:
        raise ReferenceImageError(
            f"relative orbit {orbit} has {n_dates} dates that show the port, and {MIN_DATES} are needed"
        )
    reference = reference.assign_attrs(fingerprint=fingerprint)
    write_reference(reference, path)
    return reference, fingerprint


def _is_gridded(date: Date, stack: Path, place: _Place) -> bool:
    """Whether a scene lies on the grid, now or since earlier; with a warning where its product is out of reach."""
    name, mark = safe_name(date.scene.id), digest([__version__, date.mark])
    if has_scene(stack, name, mark):
        return True
    try:
        image = to_port_grid(date.open(), place.grid)
    except _UNREADABLE as error:
        warnings.warn(f"{error}; the reference is made without it", ProductWarning, stacklevel=2)
        return False
    add_scene(stack, name, image, mark)
    return True


def _compare(date: Date, reference: xr.Dataset, of_reference: str, place: _Place) -> Kept | None:
    """What one scene shows against the empty port; None where it cannot be compared."""
    fingerprint = digest([date.fingerprint, of_reference])
    kept_at = make_folder(place.folder / "compared") / safe_name(date.scene.id)
    kept = recall(kept_at, fingerprint)
    if kept is not None:
        return kept
    try:
        product = date.open()
        image = read_scene(_stack(place), safe_name(date.scene.id))
        hits, seen = detect_change(image, product, reference, place.masks, place.params)
    except (ReferenceImageError, *_UNREADABLE) as error:
        warnings.warn(f"{error}; it is counted by the image alone", ProductWarning, stacklevel=2)
        return None
    share = place.masks.open_water[hits.line, hits.pixel].sum() / max(1, place.masks.open_water.sum())
    if share > MAX_HIT:
        doubt = f"stands out over {share:.1%} of the open water, as no ships do: interference or heavy rain"
        warnings.warn(f"{date.scene.id} {doubt}; look at its page before its counts", ProductWarning, stacklevel=2)
    vessels = find_vessels(hits, seen, place.params, piers=place.alongside)
    line, pixel = seen.to_product(vessels["line"], vessels["pixel"])
    time = pd.DatetimeIndex(product.geometry.time_at(line)).as_unit("ns").tz_localize("UTC")
    vessels = assign_piers(vessels.assign(line=line, pixel=pixel, time=time), place.piers)
    vessels = flag_cranes(
        vessels, hits, seen, image=image, reference=reference, masks=place.masks, piers=place.piers, land=place.land
    )
    vessels = doubt_at_piers(flag_ambiguities(vessels, product))
    n_dates = int(reference["n_dates"].item())
    coverage = date.kept.tables["coverage"].assign(n_reference_dates=n_dates)
    kept = Kept({**date.kept.tables, "vessels": vessels, "coverage": coverage}, date.kept.is_simulated)
    keep(kept_at, fingerprint, kept)
    return kept
