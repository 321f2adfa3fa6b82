"""Products in, results on disk: one scene at a time, resumable, with no science of its own.

A scene that is done is kept under `folder/scenes/` with a fingerprint of everything that its result depends on. A
second run opens each product (metadata only) and searches only those whose fingerprint is new, so a run that was
stopped goes on where it was, and one with other parameters starts afresh.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from sarship import __version__
from sarship.detection import coverage, detect
from sarship.errors import OutputError, ProductError, SarshipError
from sarship.grd import GrdProduct, open_grd
from sarship.model import DetectionParams, Hits, Scene, Window
from sarship.piers import Port, assign_piers
from sarship.results import (
    Failure,
    Provenance,
    Results,
    make_folder,
    read_table,
    safe_name,
    table_bytes,
    write_file,
    write_results,
)
from sarship.schema import COVERAGE, SCENES, VESSELS, Table
from sarship.vessels import find_vessels

__all__ = ["Progress", "Step", "search", "survey"]

LONGEST_VESSEL_M: Final = 500.0
"""Longer than any ship afloat: one that is cut by the port's border is still seen whole."""


State = Literal["searching", "searched", "kept", "twin", "failed"]


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
    """Being searched; searched; kept from an earlier run; a twin of a scene that is already there; or failed."""
    message: str = ""
    """Why it failed, or which scene it is a twin of."""


Progress = Callable[[Step], None]
Bands = Callable[[int, int], None]
"""What the detector calls after each band: lines done, lines in all."""
Tables = dict[str, gpd.GeoDataFrame]
"""Vessels, scenes and coverage of one scene, by name."""


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
    def fingerprint(self) -> str:
        """Digest of all of it."""
        shapes = [self.area, self.land, self.water, *self.waters.values(), *self.piers.geometry]
        outlines = ["" if shape is None else shape.wkb_hex for shape in shapes]
        columns = self.piers.drop(columns="geometry").to_json(orient="records")
        return _digest([__version__, asdict(self.params), outlines, list(self.waters), columns])


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    """What one scene gave."""

    scene: Scene
    path: str
    is_simulated: bool
    tables: Tables


_CONTRACTS: Final[dict[str, Table]] = {"vessels": VESSELS, "scenes": SCENES, "coverage": COVERAGE}


def survey(
    products: Iterable[str | Path],
    port: Port,
    folder: str | Path,
    *,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
    land: BaseGeometry | None = None,
    progress: Progress | None = None,
) -> Results:
    """Count the vessels at a port's piers in every product, and write the results to a folder.

    Scenes that an earlier run finished with the same version, parameters, port and product files are not searched
    again. A product that cannot be read becomes a `Failure` and the others are counted. A product that does not touch
    the port is a scene in which no pier was seen. Two packagings of one acquisition are one scene.

    Parameters
    ----------
    products
        Paths of GRD products: `.SAFE` folders or zips of them.
    port
        Piers, and the masks of land and water.
    folder
        Where results go; made if need be.
    params
        How to look for vessels.
    land
        Land to mask besides the port's own, longitude and latitude in degrees.
    progress
        Called after every product.

    Raises
    ------
    OutputError
        The folder cannot be written to. Scenes that were done stay.
    """
    folder = make_folder(folder)
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
    results = _run(products, task, store, progress)
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
    return _run(products, task, None, progress)


def _run(products: Iterable[str | Path], task: _Task, store: Path | None, progress: Progress | None) -> Results:
    paths = [str(path) for path in products]
    found: dict[str, _Found] = {}
    failures: list[Failure] = []
    for k, path in enumerate(paths):
        step = Step(done=k, total=len(paths), path=path, state="searching")
        try:
            state, message, one = _through(path, task, store, found, _part_of(step, progress))
        except OutputError:
            raise
        except Exception as error:  # one bad product must not take the others with it
            state, message, one = "failed", _explain(error), None
            failures.append(Failure(path=path, message=message))
        if one is not None:
            found[one.scene.id] = one
        if progress is not None:
            progress(replace(step, done=k + 1, state=state, message=message))
    provenance = Provenance(
        version=__version__,
        parameters=task.params,
        port=task.port,
        scenes=tuple(found),
        created=datetime.now(UTC),
        is_simulated=any(one.is_simulated for one in found.values()),
    )
    return Results(
        **{name: table.concat([one.tables[name] for one in found.values()]) for name, table in _CONTRACTS.items()},
        piers=task.piers,
        provenance=provenance,
        failures=tuple(failures),
        sources={name: one.path for name, one in found.items()},
    )


def _through(
    path: str, task: _Task, store: Path | None, found: Mapping[str, _Found], progress: Bands | None
) -> tuple[State, str, _Found | None]:
    """Open a product and search it, unless it was searched before or is a twin of one that was."""
    product = open_grd(path)
    scene = product.scene
    for other in found.values():
        if other.scene.acquisition == scene.acquisition:
            return "twin", f"the same acquisition as {other.path}, which is counted", None
    if scene.id in found:
        raise ProductError(f"{path} has the name of {found[scene.id].path} but is another acquisition; rename it")
    fingerprint = _digest([task.fingerprint, scene.id, _files(product.path)])
    place = store / safe_name(scene.id) if store is not None else None
    tables = _recall(place, fingerprint) if place is not None else None
    state: State = "searched" if tables is None else "kept"
    if tables is None:
        tables = _search(product, task, progress)
        if place is not None:
            _keep(place, fingerprint, tables)
    is_unseen = bool(task.waters) and not tables["coverage"]["seen"].any()
    message = "it shows none of the piers" if is_unseen else ""
    return state, message, _Found(scene, path, product.container.manifest.is_simulated, tables)


def _part_of(step: Step, progress: Progress | None) -> Bands | None:
    """What the detector calls after each band, as parts of a product."""
    if progress is None:
        return None
    return lambda lines, total: progress(replace(step, done=step.done + lines / total))


def _search(product: GrdProduct, task: _Task, progress: Bands | None) -> Tables:
    """Search one product, with no memory of what was done before."""
    masks = {"land": task.land, "water": task.water}
    product.check_polarizations()
    window = _window(product, task)
    hits = Hits.empty(product.polarizations)
    if window is not None:
        hits = detect(product, task.params, window=window, progress=progress, **masks)
    return {
        "vessels": assign_piers(find_vessels(hits, product, task.params), task.piers),
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


def _keep(place: Path, fingerprint: str, tables: Tables) -> None:
    """Store a scene's tables in a folder that gets its name only when it is complete."""
    part = place.with_name(f".{place.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name, frame in tables.items():
            write_file(part / f"{name}.parquet", table_bytes(frame, {"fingerprint": fingerprint}))
        if place.exists():
            shutil.rmtree(place)
        part.rename(place)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"{place}: cannot keep this scene ({error.strerror}); choose another folder") from error
        raise


def _recall(place: Path, fingerprint: str) -> Tables | None:
    """What an earlier run kept of a scene, or None where it must be searched (again)."""
    tables = {}
    for name, contract in _CONTRACTS.items():
        try:
            tables[name], written = read_table(place / f"{name}.parquet", contract)
        except OutputError:
            return None
        if written.get("fingerprint") != fingerprint:
            return None
    return tables


def _files(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of every file of a product: enough to notice one that was replaced."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


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
