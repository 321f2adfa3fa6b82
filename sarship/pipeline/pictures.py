"""Pictures of a survey, written beside its tables: counts and visits over time, and one of every scene."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import pandas as pd

from sarship._package import __version__
from sarship.catalog.query import Catalog
from sarship.files import make_folder, safe_name, write_file
from sarship.pipeline.plan import Plan
from sarship.pipeline.port_dates import stack_of_products
from sarship.pipeline.results import Results
from sarship.pipeline.second_pass import look_again
from sarship.pipeline.shared_products import PRODUCTS
from sarship.pipeline.shared_work import helpers
from sarship.pipeline.sources import Given, Source, sources_of
from sarship.plots import picture_bytes, plot_counts, plot_port_page, plot_preview, plot_scene, plot_visits
from sarship.plots.local_map import look_deg
from sarship.plots.port_page import MAX_CLOSE_UPS
from sarship.port.map_facts import MapFacts
from sarship.port.port_file import Port
from sarship.sentinel1.passes import number_passes

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

__all__ = ["write_pictures", "write_preview"]


Pages = Literal["newest", "all"]
"""Passes whose scenes are drawn."""


class Marks(TypedDict):
    """Options of every figure over time."""

    title: str
    is_simulated: bool


def write_pictures(
    results: Results,
    port: Port,
    folder: str | Path,
    *,
    scenes: Iterable[Given] = (),
    catalog: Catalog | None = None,
    land: BaseGeometry | None = None,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    pages: Pages = "newest",
    n_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Draw a survey: `counts.png`, `visits.png`, and a picture of scenes that showed a pier.

    Of a scene of the second pass the picture is `pages/SCENE.png` (the date, the empty port, their ratio, and the
    vessels), and where the newest shows many piers `pages/SCENE/PIER.png` besides, one for each; of any other it is
    `quicklooks/SCENE.png`. Pictures of scenes from an earlier run are removed.

    Parameters
    ----------
    results
        From `survey` or `read_results`. The products are read again, from where they were.
    port
        The port of the survey.
    folder
        Folder of the survey; made if need be.
    scenes, catalog
        Scenes of the survey that a catalogue has, which is asked for them again; windows in the cache cost nothing. And
        images on a map that were given open, or as arrays.
    land
        Land that was masked besides the port's own, to be drawn too.
    maps
        What is known of all images on a map, as it was said to `survey`.
    pages
        `newest` for the scenes of the newest pass of each relative orbit, `all` for those of all passes, 2 to 4 seconds
        each.
    n_workers
        Scenes that are drawn at once, as for `survey`.
    progress
        Called after every picture with the number done and the number in all.

    Returns
    -------
    tuple of Path
        The files written, the counts and the visits first.

    Raises
    ------
    ProductError, DownloadError
        A product is no longer where it was.
    OutputError
        The folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import geopandas as gpd
    >>> import shapely
    >>> from sarship.pipeline import search
    >>> piers = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> quay = shapely.LineString([(35.800, 34.900), (35.805, 34.900)])
    >>> port = Port(name="Tartus", piers=gpd.GeoDataFrame(piers, geometry=[quay], crs="EPSG:4326"))
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in write_pictures(search([], port=port), port, folder)]
    ['counts.png', 'visits.png']
    """
    folder = make_folder(folder)
    provenance = results.provenance
    texts = {"Software": f"sarship {provenance.version}", "Comment": json.dumps(provenance.as_dict())}
    seen = results.coverage.groupby("scene")["seen"].max()
    scenes_drawn = results.scenes[results.scenes["scene"].map(seen).fillna(0.0) > 0].sort_values("start")
    if pages == "newest":
        scenes_drawn = _newest(scenes_drawn)
    shown = scenes_drawn["scene"].tolist()
    plan = Plan(port=port, params=replace(provenance.parameters, gpu=False), area=port.area, more_land=land)
    level = plan.water_level_m
    sources = {source.name: source for source in sources_of(scenes, catalog, folder / PRODUCTS, level, maps=maps)}
    options: Marks = {"title": port.name, "is_simulated": provenance.is_simulated}
    reports = results.agreement if len(results.observations) else None
    series = {
        "counts.png": plot_counts(results.counts, changes=results.changes, agreement=reports, **options),
        "visits.png": plot_visits(results.visits, results.counts, **options),
    }
    written = [write_file(folder / name, picture_bytes(figure, texts)) for name, figure in series.items()]
    of_pass = _times_of_passes(results)
    n_dates = results.coverage.groupby("scene")["n_reference_dates"].max()
    task = _Task(plan, folder, results.vessels, texts)
    views = {
        scene: _View(
            source=sources.get(scene, Source(name=results.sources[scene], water_level_m=level, maps=maps)),
            scene=scene,
            coverage=results.coverage[results.coverage["scene"] == scene],
            visits=results.visits[results.visits["time"] == of_pass.get(scene, pd.NaT)],
            is_compared=n_dates[scene] > 0,
            has_close_ups=scene == shown[-1],  # of every scene they would take minutes
        )
        for scene in shown
    }
    on_disk = {scene: view for scene, view in views.items() if view.source.is_on_disk}
    with helpers(n_workers) as others:
        shared = others.share_out(_draw, task, on_disk)
        for done, (scene, view) in enumerate(views.items(), start=1):
            if progress is not None:
                progress(done, len(shown) + 1)
            written += shared(scene) or _draw(task, view)
    for path in {*folder.glob("pages/**/*.png"), *folder.glob("quicklooks/*.png")} - set(written):
        path.unlink()  # of an earlier run, whose counts these need not be
    if progress is not None:
        progress(len(shown) + 1, len(shown) + 1)
    return tuple(written)


@dataclass(frozen=True, eq=False, slots=True)
class _Task:
    """A task that is the same for every picture of a scene."""

    plan: Plan
    folder: Path
    vessels: gpd.GeoDataFrame
    texts: dict[str, str]
    """Texts within the files."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class _View:
    """A scene to be drawn."""

    source: Source
    scene: str
    coverage: gpd.GeoDataFrame
    visits: gpd.GeoDataFrame
    is_compared: bool
    """True if the second pass searched it."""
    has_close_ups: bool
    """True if each pier has a page where they are many."""


def _draw(task: _Task, view: _View) -> list[Path]:
    """Draw the pictures of a scene, and return their files."""
    product, port, name = view.source.open(), task.plan.port, safe_name(view.scene)
    if view.is_compared:
        look = look_again(product, task.plan, task.folder)
        draw = partial(
            plot_port_page,
            look.image,
            port,
            look.hits,
            task.vessels,
            expected=look.expected,
            coverage=view.coverage,
            visits=view.visits,
            look_deg=look_deg(product),
            is_simulated=product.is_simulated,
        )
        figures = {f"pages/{name}": draw()}
        imaged = view.coverage["pier"][view.coverage["seen"] > 0].tolist()
        if len(imaged) > MAX_CLOSE_UPS and view.has_close_ups:
            figures |= {f"pages/{name}/{safe_name(pier)}": draw(pier=pier) for pier in imaged}
    else:
        figure = plot_scene(product, port, task.vessels, coverage=view.coverage, land=task.plan.more_land)
        figures = {f"quicklooks/{name}": figure}
    written = []
    for place, figure in figures.items():
        path = task.folder / f"{place}.png"
        make_folder(path.parent)
        written.append(write_file(path, picture_bytes(figure, task.texts)))
    return written


def _times_of_passes(results: Results) -> dict[str, pd.Timestamp]:
    """Return the time of each scene's pass."""
    passes = pd.DatetimeIndex(results.counts["time"].to_numpy()).tz_localize("UTC")
    ids = results.counts["scene"].to_numpy().tolist()
    return {scene: time for time, together in zip(passes, ids, strict=True) for scene in together.split()}


def _newest(scenes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the scenes of the newest pass of each relative orbit."""
    number = number_passes(scenes["platform"], scenes["start"], scenes["stop"])
    return scenes[number == pd.Series(number, scenes.index).groupby(scenes["relative_orbit"]).transform("max")]


def write_preview(
    products: Iterable[Given],
    port: Port,
    path: str | Path,
    *,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a port's piers, their waters and its land over the mean of some products, to put the port file right.

    Parameters
    ----------
    products
        Paths of GRD products. One shows speckle and whoever lay there; a handful show the port.
    port
        From `read_port`.
    path
        The PNG to write.
    maps
        What is known of all images on a map among the products.
    progress
        Called after every product with the number done and the number in all.

    Returns
    -------
    Path
        The PNG.

    Raises
    ------
    ProductError
        A product cannot be read, or does not show the port.
    OutputError
        The file cannot be written.
    """
    stack, is_simulated = stack_of_products(products, port, maps=maps, progress=progress)
    figure = plot_preview(stack, port, is_simulated=is_simulated)
    return write_file(path, picture_bytes(figure, {"Software": f"sarship {__version__}"}))
