"""Surveys: products in, results on disk, in two passes over the scenes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import geopandas as gpd
import xarray as xr
from shapely.geometry.base import BaseGeometry

from sarship._package import __version__
from sarship.catalog import Completeness
from sarship.catalog.query import Catalog
from sarship.detection.params import DetectionParams
from sarship.errors import OutputError, PortError, ProductWarning
from sarship.files import make_folder, only_run
from sarship.geo.antimeridian import recentred
from sarship.pipeline.checkpoints import CONTRACTS
from sarship.pipeline.first_pass import Progress, run_first_pass
from sarship.pipeline.one_scene import SearchedScene
from sarship.pipeline.plan import NO_PORT, Plan
from sarship.pipeline.result_files import read_results, write_results
from sarship.pipeline.results import Failure, Provenance, Results
from sarship.pipeline.second_pass import check_saved, orbits_to_compare, run_second_pass
from sarship.pipeline.shared_products import PRODUCTS
from sarship.pipeline.shared_work import helpers
from sarship.pipeline.sources import Given, sources_of
from sarship.pipeline.with_aprons import find_aprons
from sarship.port.index import refuse_template
from sarship.port.map_facts import MapFacts
from sarship.port.map_image import MapImage
from sarship.port.port_file import Port
from sarship.vessels.flags import flag_lasting

__all__ = ["search", "survey"]


def survey(
    products: Iterable[Given],
    port: Port,
    folder: str | Path,
    *,
    catalog: Catalog | None = None,
    completeness: Completeness | None = None,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
    land: BaseGeometry | None = None,
    reference: bool = True,
    saved: Sequence[xr.Dataset] = (),
    check: bool = False,
    observations: gpd.GeoDataFrame | None = None,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    shared_products: Path | None = None,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> Results:
    """Count the vessels at a port's piers in every product, and write the results to a folder.

    Scenes that an earlier run searched with the same version, parameters, port and product files come from their
    checkpoints. A product that cannot be read becomes a `Failure` and the others are counted. A product that does not
    touch the port is a scene in which no pier was seen. Two packagings of one acquisition are one scene.

    Where an orbit has four dates or more, a second pass over its scenes counts against the empty port that those dates
    show (see `fit_reference`); `n_reference_dates` of the counts says of how many, and is 0 where the image alone
    decided.

    Parameters
    ----------
    products
        Paths of GRD products, `.SAFE` folders or zips of them; paths of images on a map, GeoTIFFs; DataArrays with a
        reference system; images from `open_map_image`; or the scenes that a catalogue found.
    port
        Piers, the masks of land and water, and the level of the water.
    folder
        Folder of the results; made if need be. Products that cannot be read in place are put in `products/` of it.
    catalog
        Catalogue of the scenes. Where it can, only the port's window is read, into the cache.
    completeness
        Passes that the catalogue has and lacks of the period, from `sarship.completeness`; written beside the counts.
    params
        Settings of the detector.
    land
        Land to mask besides the port's own, longitude and latitude in degrees.
    reference
        False for no second pass.
    saved
        References from `read_reference`, at most one an orbit: they serve the dates of their orbits, however few, and
        nothing is fitted there.
    check
        True to read every product on disk to the end first, and refuse one of which a file, pixels too, is not as its
        manifest lists it. Without it this is done for the XML alone: an image is a gigabyte.
    observations
        Dated reports from `read_observations`, to be held against the counts.
    maps
        What is known of all images on a map among the products, such as their unit (see `open_map_image`).
    shared_products
        Folder of products that cannot be read in place, which surveys of other ports share; None for `products/`.
    n_workers
        Products on disk that are searched at once, each by a process, this one among them. More than 1 only in a script
        that begins with `if __name__ == "__main__":`, as others are begun afresh.
    progress
        Called with a `Step` after every product, and before each of the second pass.

    Returns
    -------
    Results
        What was written; `read_results` reads it back.

    Warns
    -----
    ProductWarning
        Nothing was seen: every product failed, or none shows a pier. Some scenes are images on a map, in which no
        ambiguities are looked for. Nothing can be said of an apron.

    Raises
    ------
    TypeError
        `products` is a single path, or `port` or `params` is something else.
    OutputError
        The folder cannot be written to, or another run is at work there. Checkpoints that were written stay.
    PortError
        The port file is a template that nobody has edited, or `land` takes all the water around a pier.
    ReferenceImageError
        A saved reference is of another port, grid or water level, or all of them are of other orbits than the products.
    CatalogError
        A scene is on a server and no catalogue was given.
    CredentialError
        The catalogue wants an account.
    DeviceError
        `params.gpu` where no graphics card can be used.

    Examples
    --------
    A product that is not there is a failure, and the others would be counted; without any others, a warning says so:

    >>> import warnings
    >>> from tempfile import TemporaryDirectory
    >>> import geopandas as gpd
    >>> import shapely
    >>> quay = shapely.LineString([(35.800, 34.900), (35.805, 34.900)])
    >>> piers = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> port = Port(name="Tartus", piers=gpd.GeoDataFrame(piers, geometry=[quay], crs="EPSG:4326"))
    >>> with TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     results = survey(["S1A_none.SAFE"], port, folder)
    >>> dict(results.counts.sizes), results.failures[0].path
    ({'time': 0, 'pier': 1}, 'S1A_none.SAFE')
    """
    folder = Path(folder)
    _refuse_types(port, params)
    refuse_template(port)
    plan = Plan(port=port, params=params, area=port.area, more_land=land)
    _refuse_dry_piers(plan)
    check_saved(saved, port)
    place = shared_products or folder / PRODUCTS
    sources = sources_of(products, catalog, place, plan.water_level_m, is_checked=check, maps=maps)
    with only_run(make_folder(folder)), helpers(n_workers) as others:
        scenes = make_folder(folder / "scenes")
        search_all = partial(run_first_pass, plan=plan, folder=scenes, progress=progress, others=others)
        compared = orbits_to_compare(sources, plan, saved) if reference else set[int]()
        searched, failures = search_all(sources, compared=compared)
        again = dict[str, SearchedScene]()
        if reference:
            again = run_second_pass(searched, plan, folder, saved=saved, progress=progress, others=others)
        left = [one.source for name, one in searched.items() if one.waits and name not in again]
        alone, unreadable = search_all(left) if left else ({}, [])
        found = searched | again | alone
        searched = {name: found[name] for name in searched if not found[name].waits}
        results = replace(_results(searched, [*failures, *unreadable], plan), completeness=completeness)
        results = replace(results, aprons=find_aprons(again, results, plan, folder))
        if observations is not None:
            results = replace(results, observations=observations)
        is_kept = not searched and _is_kept(results, folder)
        if not is_kept:
            write_results(results, folder)
    _warn(results)
    if is_kept:
        doubt = f"{folder} keeps the results of an earlier run, as this one searched no product"
        warnings.warn(doubt, ProductWarning, stacklevel=2)
    return results


def search(
    products: Iterable[str | Path | MapImage | xr.DataArray],
    *,
    area: BaseGeometry | None = None,
    port: Port | None = None,
    land: BaseGeometry | None = None,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
) -> Results:
    """Find the vessels in products, without counting: in an area, around a port with its masks, or everywhere.

    Nothing is written. A product that the area does not touch is a `Failure`. Vessels whose middle lies outside the
    area are left out.

    Parameters
    ----------
    products
        Paths of GRD products, images on a map as for `survey`.
    area
        Place to look at, longitude and latitude in degrees; None for around the port, or everywhere without one. On a
        known lake places are at its level, where the port does not say otherwise.
    port, land, params, maps, progress
        As for `survey`.

    Returns
    -------
    Results
        With no second pass: by the image alone.

    Warns
    -----
    ProductWarning
        Nothing was seen: every product failed, or none shows a pier of the port.

    Raises
    ------
    DeviceError
        `params.gpu` where no graphics card can be used.

    Examples
    --------
    >>> len(search([]).vessels)
    0
    """
    _refuse_types(NO_PORT if port is None else port, params)
    around = port.area if area is None and port is not None else area
    plan = Plan(port=port or NO_PORT, params=params, area=around, more_land=land)
    sources = sources_of(products, water_level_m=plan.water_level_m, maps=maps)
    results = _results(*run_first_pass(sources, plan, None, progress), plan)
    if area is not None:  # what is searched is the window of the image that holds it
        is_inside = results.vessels.intersects(recentred(area))
        results = replace(results, vessels=results.vessels[is_inside].reset_index(drop=True))
    _warn(results)
    return results


def _is_kept(results: Results, folder: Path) -> bool:
    """Return True for a folder with the results of an earlier run, which the failures of this one say nothing of."""
    with suppress(OutputError):
        known = {Path(place).name for place in read_results(folder).sources.values()}
        return not any(Path(failure.path).name in known for failure in results.failures)
    return False


def _refuse_types(port: object, params: object) -> None:
    if not isinstance(port, Port):
        raise TypeError(f"port must be a Port, got {port!r:.100}; `read_port` reads one from its file")
    if not isinstance(params, DetectionParams):
        raise TypeError(f"params must be DetectionParams, got {type(params).__name__}")


def _refuse_dry_piers(plan: Plan) -> None:
    """Refuse piers that lie under the land given: nothing is found there, and they would count as empty."""
    for name, waters in plan.waters.items():
        if plan.more_land is not None and plan.more_land.covers(waters):
            doubt = "has no water left around it: the land given takes all of it; move the pier, or take better land"
            raise PortError(f"{plan.port.name}: {name!r} {doubt}", feature=name)


def _warn(results: Results) -> None:
    """Warn where what is missing might be taken for an empty port, and of what is not done with images on a map."""
    n_failed, n_scenes, doubts = len(results.failures), len(results.scenes), list[str]()
    if n_failed and not n_scenes:
        doubts.append(f"none of the {n_failed} products could be searched: nothing was seen")
    elif n_scenes and len(results.piers) and not results.coverage["seen"].any():
        port = results.provenance.port
        doubts.append(f"none of the {n_scenes} scenes shows a pier of {port}: are both of one place?")
    if n_maps := int(results.scenes["product_type"].str.startswith("MAP").sum()):
        which = f"{n_maps} of {n_scenes} scenes are images on a map, without the radar's geometry"
        doubts.append(f"{which}: azimuth ambiguities of ships are not looked for in them")
    for doubt in doubts:
        warnings.warn(doubt, ProductWarning, stacklevel=3)


def _results(searched: Mapping[str, SearchedScene], failures: Sequence[Failure], plan: Plan) -> Results:
    """Put the tables of the scenes together."""
    scenes = searched.values()
    tables = {name: contract.concat([getattr(one, name) for one in scenes]) for name, contract in CONTRACTS.items()}
    tables["vessels"] = flag_lasting(tables["vessels"], tables["scenes"])
    provenance = Provenance(
        version=__version__,
        parameters=plan.params,
        port=plan.port.name,
        scenes=tuple(searched),
        created=datetime.now(UTC),
        is_simulated=any(one.is_simulated for one in scenes),
        water_level_m=plan.water_level_m,
        lake="" if plan.lake is None else plan.lake.name,
        port_attribution=plan.port.attribution,
    )
    sources = {name: one.source.place for name, one in searched.items()}
    return Results(**tables, piers=plan.port.piers, provenance=provenance, failures=tuple(failures), sources=sources)
