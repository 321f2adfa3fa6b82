"""Products in, results on disk: one scene at a time, resumable, with no science of its own.

A scene that is done is kept under `folder/scenes/` with a fingerprint of everything that its result depends on. A
second run opens each product on disk (metadata only) and searches only those whose fingerprint is new, so a run that
was stopped goes on where it was, and one with other parameters starts afresh. Scenes of a catalogue are known by what
it says of them: those that are done are not even opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, cast

import geopandas as gpd
import shapely
import xarray as xr
from shapely.geometry.base import BaseGeometry

from sarship._package import __version__
from sarship.catalog import Completeness
from sarship.catalog.query import Catalog
from sarship.detection.params import DetectionParams
from sarship.detection.seen import coverage
from sarship.detection.single_image import detect
from sarship.errors import CredentialError, DeviceError, OutputError, ProductError, SarshipError
from sarship.files import make_folder, safe_name
from sarship.model import Hits, Scene, Window
from sarship.pipeline.checkpoints import CONTRACTS, Kept, Tables, digest, files_mark, keep, recall
from sarship.pipeline.results import Failure, Provenance, Results, write_results
from sarship.pipeline.second_pass import Date, check_saved, compare_dates
from sarship.pipeline.sources import PRODUCTS, Source, sources_of
from sarship.port.port_file import Port
from sarship.schema import SCENES
from sarship.sentinel1.product import GrdProduct
from sarship.vessels.assign import assign_piers
from sarship.vessels.find import find_vessels
from sarship.vessels.flags import doubt_at_piers, flag_ambiguities, flag_lasting

__all__ = ["Progress", "Step", "search", "survey"]

LONGEST_VESSEL_M: Final = 500.0
"""Longer than any ship afloat: one that is cut by the port's border is still seen whole."""


State = Literal["fetching", "searching", "searched", "kept", "twin", "failed", "comparing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a run says while it works."""

    done: float
    """Products that it is through with; while one is being searched, with the part of it that is."""
    total: int
    """Products that were given."""
    path: str
    """The product that this is about."""
    state: State
    """Being fetched; being searched; searched; kept from an earlier run; a twin of a scene that is there; failed;
    or, when all were searched, being compared with the empty port."""
    message: str = ""
    """How much of it has arrived, why it failed, or which scene it is a twin of."""


Progress = Callable[[Step], None]
Bands = Callable[[int, int], None]
"""What the detector calls after each band: lines done, lines in all."""


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What to look for in every product, and where."""

    params: DetectionParams
    area: BaseGeometry | None
    land: BaseGeometry | None
    water: BaseGeometry | None
    piers: gpd.GeoDataFrame
    waters: Mapping[str, BaseGeometry] = field(default_factory=dict)
    port: str = ""

    @property
    def alongside(self) -> BaseGeometry | None:
        """Waters of the piers together, without those of the anchorages."""
        names = self.piers["name"][self.piers["kind"] == "pier"]
        waters = [self.waters[name] for name in names if name in self.waters]
        return shapely.union_all(waters) if waters else None

    @property
    def fingerprint(self) -> str:
        """Digest of all of it."""
        shapes = [self.area, self.land, self.water, *self.waters.values(), *self.piers.geometry]
        outlines = ["" if shape is None else shape.wkb_hex for shape in shapes]
        columns = self.piers.drop(columns="geometry").to_json(orient="records")
        return digest([__version__, asdict(replace(self.params, gpu=False)), outlines, list(self.waters), columns])


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    """What one scene gave."""

    scene: Scene
    path: str
    kept: Kept
    date: Date


def survey(
    products: Iterable[str | Path | Scene],
    port: Port,
    folder: str | Path,
    *,
    catalog: Catalog | None = None,
    completeness: Completeness | None = None,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
    land: BaseGeometry | None = None,
    reference: bool = True,
    saved: Sequence[xr.Dataset] = (),
    progress: Progress | None = None,
) -> Results:
    """Count the vessels at a port's piers in every product, and write the results to a folder.

    Scenes that an earlier run finished with the same version, parameters, port and product files are not searched
    again. A product that cannot be read becomes a `Failure` and the others are counted. A product that does not touch
    the port is a scene in which no pier was seen. Two packagings of one acquisition are one scene.

    Where an orbit has four dates or more its piers are counted against the empty port that those dates show (see
    `fit_reference`); the counts' `n_reference_dates` says of how many, and is 0 where the image alone decided.

    Parameters
    ----------
    products
        Paths of GRD products, `.SAFE` folders or zips of them; or the scenes that a catalogue found.
    port
        Piers, and the masks of land and water.
    folder
        Where results go; made if need be. Whole products that cannot be read in place are put in `products/` of it.
    catalog
        Which catalogue the scenes are of. Where it can, only the port's window is read, and kept.
    completeness
        What the catalogue has of the period, from `sarship.completeness`; it is kept beside the counts.
    params
        How to look for vessels.
    land
        Land to mask besides the port's own, longitude and latitude in degrees.
    reference
        Whether to compare with the empty port at all.
    saved
        References from `read_reference`, at most one an orbit: they serve the dates of their orbits, however few, and
        nothing is fitted there.
    progress
        Called after every product, and before each that is compared.

    Raises
    ------
    OutputError
        The folder cannot be written to. Scenes that were done stay.
    ReferenceImageError
        A saved reference is of another port or grid, or all of them are of other orbits than the products.
    CatalogError
        A scene is on a server and no catalogue was given.
    CredentialError
        The catalogue wants an account.
    DeviceError
        `params.gpu` where no graphics card can be used.
    """
    folder = Path(folder)
    check_saved(saved, port)
    sources = sources_of(products, catalog, folder / PRODUCTS)
    make_folder(folder)
    store = make_folder(folder / "scenes")
    task = _Task(
        params=params,
        area=port.area,
        land=_union(port.masked_land, land),
        water=port.water,
        piers=port.piers,
        waters=port.waters(),
        port=port.name,
    )
    found, failures = _run(sources, task, store, progress)
    if reference:
        found = _compared(found, task, port, folder, land=land, saved=saved, progress=progress)
    results = replace(_results(found, failures, task), completeness=completeness)
    write_results(results, folder)
    return results


def search(
    products: Iterable[str | Path],
    *,
    area: BaseGeometry | None = None,
    port: Port | None = None,
    land: BaseGeometry | None = None,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
) -> Results:
    """Vessels in products, without counting: in an area, around a port with its masks, or everywhere.

    Parameters and failures are as in `survey`; nothing is written. A product that the area does not touch is a failure.
    """
    task = _Task(
        params=params,
        area=area if area is not None or port is None else port.area,
        land=_union(port.masked_land if port else None, land),
        water=port.water if port else None,
        piers=port.piers if port else gpd.GeoDataFrame({"name": [], "kind": [], "max_distance_m": []}, geometry=[]),
        port=port.name if port else "",
    )
    return _results(*_run(sources_of(products), task, None, progress), task)


def _compared(
    found: Mapping[str, _Found],
    task: _Task,
    port: Port,
    folder: Path,
    *,
    land: BaseGeometry | None,
    saved: Sequence[xr.Dataset],
    progress: Progress | None,
) -> dict[str, _Found]:
    """What was found, by comparison with the empty port where that can be done."""

    def report(done: int, total: int, scene: str) -> None:
        if progress is not None:
            progress(Step(done=done, total=total, path=found[scene].path, state="comparing"))

    dates = [one.date for one in found.values()]
    options = {"land": land, "alongside": task.alongside}
    better = compare_dates(dates, port, folder, task.params, **options, saved=saved, progress=report)
    return {name: replace(one, kept=better.get(name, one.kept)) for name, one in found.items()}


def _run(
    sources: Sequence[Source], task: _Task, store: Path | None, progress: Progress | None
) -> tuple[dict[str, _Found], list[Failure]]:
    found: dict[str, _Found] = {}
    failures: list[Failure] = []
    for k, source in enumerate(sources):
        step = Step(done=k, total=len(sources), path=source.name, state="searching")
        try:
            state, message, one = _through(source, task, store, found, (step, progress))
        except (OutputError, CredentialError, DeviceError):  # would be the same for every scene
            raise
        except Exception as error:  # one bad product must not take the others with it
            state, message, one = "failed", _explain(error), None
            failures.append(Failure(path=source.name, message=message))
        if one is not None:
            found[one.scene.id] = one
        if progress is not None:
            progress(replace(step, done=k + 1, state=state, message=message))
    return found, failures


def _results(found: Mapping[str, _Found], failures: Sequence[Failure], task: _Task) -> Results:
    provenance = Provenance(
        version=__version__,
        parameters=task.params,
        port=task.port,
        scenes=tuple(found),
        created=datetime.now(UTC),
        is_simulated=any(one.kept.is_simulated for one in found.values()),
    )
    tables = {
        name: table.concat([one.kept.tables[name] for one in found.values()]) for name, table in CONTRACTS.items()
    }
    return Results(
        vessels=flag_lasting(tables["vessels"], tables["scenes"]),
        scenes=tables["scenes"],
        coverage=tables["coverage"],
        piers=task.piers,
        provenance=provenance,
        failures=tuple(failures),
        sources={name: one.path for name, one in found.items()},
    )


def _through(
    source: Source,
    task: _Task,
    store: Path | None,
    found: Mapping[str, _Found],
    report: tuple[Step, Progress | None],
) -> tuple[State, str, _Found | None]:
    """Search a product, unless it was searched before or is a twin of one that was. A known scene is opened for it."""
    product = source.open() if source.scene is None else None
    scene = source.scene or cast("GrdProduct", product).scene
    for other in found.values():
        if other.scene.acquisition == scene.acquisition:
            return "twin", f"the same acquisition as {other.path}, which is counted", None
    if scene.id in found:
        raise ProductError(
            f"{source.name} has the name of {found[scene.id].path} but is another acquisition; rename it"
        )
    mark = source.mark if product is None else files_mark(product.path)
    fingerprint = digest([task.fingerprint, scene.id, mark])
    place = store / safe_name(scene.id) if store is not None else None
    kept = recall(place, fingerprint) if place is not None else None
    state: State = "searched" if kept is None else "kept"
    if kept is None:
        product = product or source.open(_bytes_of(*report))
        kept = Kept(_search(product, task, _part_of(*report)), product.container.manifest.is_simulated)
        if place is not None:
            keep(place, fingerprint, kept)
    is_unseen = bool(task.waters) and not kept.tables["coverage"]["seen"].any()
    message = "it shows none of the piers" if is_unseen else ""
    date = Date(scene, source.open, mark, fingerprint, kept)
    return state, message, _Found(scene, source.place, kept, date)


def _part_of(step: Step, progress: Progress | None) -> Bands | None:
    """What the detector calls after each band, as parts of a product."""
    if progress is None:
        return None
    return lambda lines, total: progress(replace(step, done=step.done + lines / total))


def _bytes_of(step: Step, progress: Progress | None) -> Callable[[int, int | None], None] | None:
    """What is called while a product arrives."""
    if progress is None:
        return None

    def report(done: int, total: int | None) -> None:
        share = f"{done / 1e6:.0f} MB" if total is None else f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
        progress(replace(step, state="fetching", message=share))

    return report


def _search(product: GrdProduct, task: _Task, progress: Bands | None) -> Tables:
    """Search one product, with no memory of what was done before."""
    masks = {"land": task.land, "water": task.water}
    product.check_polarizations()
    window = _window(product, task)
    hits = Hits.empty(product.polarizations)
    if window is not None:
        hits = detect(product, task.params, window=window, progress=progress, **masks)
    vessels = assign_piers(find_vessels(hits, product, task.params, piers=task.alongside), task.piers)
    return {
        "vessels": doubt_at_piers(flag_ambiguities(vessels, product)),
        "scenes": _scene_row(product, task),
        "coverage": coverage(product, task.waters, task.params, **masks),
    }


def _window(product: GrdProduct, task: _Task) -> Window | None:
    """Where to search; None where piers are to be counted and the product shows none of them."""
    area = task.area
    if area is not None and task.waters and product.geometry.window(area, LONGEST_VESSEL_M) is None:
        swapped = shapely.transform(area, lambda points: points[:, ::-1].copy())
        if not product.scene.footprint.intersects(swapped):
            return None
    return product.window(area, LONGEST_VESSEL_M)  # says what is wrong where it does not touch


def _scene_row(product: GrdProduct, task: _Task) -> gpd.GeoDataFrame:
    scene = product.scene
    row = {
        "scene": scene.id,
        "platform": scene.platform,
        "mode": scene.mode,
        "product_type": scene.product_type,
        "polarizations": " ".join(product.polarizations),
        "start": scene.start,
        "stop": scene.stop,
        "absolute_orbit": scene.absolute_orbit,
        "relative_orbit": scene.relative_orbit,
        "orbit_pass": scene.orbit_pass,
        "has_noise": product.has_noise,
        "land_is_masked": task.land is not None or task.water is not None,
    }
    return SCENES.make({name: [value] for name, value in row.items()}, [scene.footprint])


def _union(*areas: BaseGeometry | None) -> BaseGeometry | None:
    given = [area for area in areas if area is not None]
    return shapely.union_all(given) if given else None


def _explain(error: Exception) -> str:
    """One sentence about what went wrong with a product."""
    if isinstance(error, SarshipError | OSError):
        return " ".join(str(error).split())
    return (
        f"unexpected {type(error).__name__}: {' '.join(str(error).split())}; please report this as a fault of sarship"
    )
