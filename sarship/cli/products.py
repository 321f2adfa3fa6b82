"""Commands on products that are on disk: `demo`, `info`, `check`, `grid`, `detect`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sarship.cli.common import (
    AUTO_LAND,
    NOTHING_DONE,
    SOME_FAILED,
    as_json_option,
    can_draw,
    detection_options,
    each,
    file_option,
    land_option,
    leave,
    map_options,
    maps_of,
    note_lake,
    note_port,
    params_of,
    port_argument,
    print_json,
    products_argument,
    say_failures,
    tell,
)
from sarship.cli.places import box_of, box_option
from sarship.cli.progress import bars

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

    from sarship.port.map_facts import MapFacts
    from sarship.port.port_file import Port

__all__ = ["check", "demo", "detect", "grid", "info"]


@click.command()
@click.option("--out", type=click.Path(), default="sarship-demo", show_default=True, help="Folder to write to.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Number of the simulated port.")
@as_json_option
def demo(out: str, seed: int, as_json: bool) -> None:
    """Simulate a small port over eight dates, count its vessels, and print the counts beside the known truth."""
    from sarship.pipeline.demo import run_demo

    page = None
    with bars("demo") as (report, pictures):
        outcome = run_demo(out, seed=seed, progress=report, picture_progress=pictures)
        if can_draw():
            from sarship.report import write_report

            page = str(write_report(out))
    if as_json:
        print_json(outcome.as_dict() | {"page": page})
        return
    tell(outcome.as_text() + (f"\nall of it on one page: {page}" if page else ""))


@click.command()
@products_argument
@map_options
@as_json_option
def info(*, products: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Describe products: platform, time, orbit, size, ENL, noise, footprint. No pixels of a product are read."""
    from sarship.cli.tables import facts_text, product_facts
    from sarship.port.map_facts import is_map_file
    from sarship.sentinel1.product import open_grd

    maps = maps_of(options)

    def facts_at(path: str) -> dict[str, object]:
        if not is_map_file(path):
            return product_facts(open_grd(path))
        from sarship.port.map_image import open_map_image

        return product_facts(open_map_image(path, maps))

    products = _once(products)
    found = [facts for _, facts in each(products, facts_at)]
    if as_json:
        print_json(found)
    elif found:
        tell("\n\n".join(map(facts_text, found)))
    leave(len(products) - len(found), len(products))


def _once(products: tuple[str, ...]) -> tuple[str, ...]:
    """Return each image on a map by the first of its files: opened, it takes the one of its other polarisation too."""
    from sarship.port.map_facts import is_map_file

    first: dict[object, str] = {}
    for path in products:
        if is_map_file(path):
            from sarship.port.map_image import map_files

            first.setdefault(frozenset(map_files(path)), path)
        else:
            first[path] = path
    return tuple(first.values())


@click.command()
@products_argument
@as_json_option
def check(products: tuple[str, ...], as_json: bool) -> None:
    """Verify products: compare sizes and MD5s with their manifests, and decode their images."""
    from dataclasses import asdict

    from sarship.sentinel1.verify import check_product

    found = list(each(products, check_product))
    faults = {path: [finding for finding in findings if not finding.is_ok] for path, findings in found}
    if as_json:
        print_json({path: [asdict(finding) for finding in findings] for path, findings in found})
    else:
        for path, findings in found:
            tell(f"{path}: {len(findings) - len(faults[path])} of {len(findings)} files are intact")
            for finding in faults[path]:
                tell(f"  {finding.status:<12} {finding.name}: {finding.detail}")
    leave(len(products) - len(found), len(products))
    if any(faults.values()):
        sys.exit(SOME_FAILED)


@click.command()
@port_argument
@click.argument("product", metavar="PRODUCT", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="GeoTIFF to write, .tif.")
@map_options
def grid(port_file: str, product: str, out: str, **options: Any) -> None:
    """Lay PRODUCT on the grid of PORT, and write it as a GeoTIFF.

    Linear sigma nought with the thermal noise left in, in the port's UTM zone with cells of 10 m, a band for each
    polarisation. Its tags say the time, the satellite and the orbit, so that `sarship count` takes it as it is.
    """
    from sarship.files import write_file
    from sarship.pipeline.sources import Source
    from sarship.port.grid import PortGrid, to_port_grid
    from sarship.port.map_file import geotiff_bytes
    from sarship.port.port_file import read_port

    if Path(out).suffix.lower() not in {".tif", ".tiff"}:
        raise click.UsageError(f"--out must end in .tif, got {out}")
    harbour = read_port(port_file)
    note_port(harbour)
    opened = Source(name=product, water_level_m=harbour.water_level_m, maps=maps_of(options)).open()
    opened.window(harbour.area)  # says what is wrong where it does not touch
    image = to_port_grid(opened, PortGrid.around(harbour.area, water_level_m=harbour.water_level_m))
    write_file(out, geotiff_bytes(image, opened))
    bands = " and ".join(image["polarization"].to_numpy().tolist())
    tell(f"{out}: {bands} of {opened.scene.id}, {image.sizes['y']} by {image.sizes['x']} cells of 10 m")


@click.command()
@products_argument
@click.option(
    "--port", "port_file", type=click.Path(), help="Port file or name: search around the piers, with its masks."
)
@box_option("--area")
@land_option
@file_option("--out", help="File to write the vessels to: .csv, .geojson, .gpkg or .parquet.")
@map_options
@detection_options
@as_json_option
def detect(
    *,
    products: tuple[str, ...],
    port_file: str | None,
    area: str | None,
    land: str | None,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find vessels in products: everywhere, in an area, or around a port.

    A PRODUCT may be a folder of products, or a pattern.
    """
    from sarship.cli.tables import vessels_text
    from sarship.files import write_file
    from sarship.geo.lakes import lake_at
    from sarship.pipeline import search
    from sarship.pipeline.qgis_style import vessels_qml
    from sarship.pipeline.table_files import VESSEL_FORMATS, vessels_json
    from sarship.port.port_file import read_port

    if port_file and area:
        raise click.UsageError("give --port or --area, not both")
    ending = Path(out or "").suffix.lower()
    if out and ending not in VESSEL_FORMATS:
        raise click.UsageError(f"--out must end in {', '.join(VESSEL_FORMATS)}, got {out}")
    params, maps = params_of(options), maps_of(options)
    harbour = read_port(port_file) if port_file else None
    shape = box_of(area, "--area") if area else None
    if harbour:
        note_port(harbour)
    else:
        note_lake(lake_at(shape) if shape else None)
    looked_at = harbour.area if harbour else shape or _footprints(products, maps)
    mask = _land(land, looked_at) if land and not looked_at.is_empty else None
    with bars("detect") as (report, _):
        results = search(products, area=shape, port=harbour, land=mask, params=params, maps=maps, progress=report)
    if len(results.failures) == len(products):
        say_failures(results.failures)
        sys.exit(NOTHING_DONE)
    if out:
        write_file(out, VESSEL_FORMATS[ending](results.vessels, results.provenance))
        if ending in {".geojson", ".gpkg"} and not (style := Path(out).with_suffix(".qml")).exists():
            write_file(style, vessels_qml())
    if as_json:
        print_json(vessels_json(results.vessels, results.provenance))
    else:
        tell(vessels_text(results.vessels))
    if mask is None:
        _note_unmasked(results.vessels, looked_at, harbour)
    say_failures(results.failures)
    if harbour and not results.coverage["seen"].any():
        sys.exit(NOTHING_DONE)  # a warning has said why
    leave(len(results.failures), len(products))


def _land(land: str, looked_at: BaseGeometry) -> BaseGeometry:
    """Return the land of a file, or of the shoreline of the world, around a search."""
    from sarship.geo import land_near
    from sarship.port.polygons import read_polygons

    return land_near(looked_at) if land == AUTO_LAND else read_polygons(land, looked_at)


def _note_unmasked(vessels: gpd.GeoDataFrame, looked_at: BaseGeometry, harbour: Port | None) -> None:
    """Say that land was not masked, if so, and for how many vessels that matters, where the shoreline tells."""
    from sarship.geo import has_shoreline, land_near

    if harbour is not None and not (harbour.land_mask is None and harbour.water is None):
        return
    note, ways = "note: land is not masked", "--land FILE, or a port file with land or water"
    if has_shoreline():
        n_ashore = int(vessels.within(land_near(looked_at, margin_m=0.0)).sum()) if len(vessels) else 0
        tell(f"{note}: {n_ashore} of {len(vessels)} vessels lie ashore; give --land auto, {ways}", err=True)
    else:
        tell(f"{note}; give {ways}, or --land auto after pip install 'sarship[coast]'", err=True)


def _footprints(products: tuple[str, ...], maps: MapFacts) -> BaseGeometry:
    """Return the area that products show, from their metadata; those that cannot be read fail later, with a reason."""
    import shapely

    from sarship.pipeline.sources import scenes_on_disk

    return shapely.union_all([scene.footprint for scene in scenes_on_disk(products, maps)[0].values()])
