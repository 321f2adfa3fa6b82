"""The command that counts: products on disk, or the scenes that a catalogue has of a port."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sarship.cli.ais_options import beside_ais, refuse_bad_ais, survey_options
from sarship.cli.catalog_options import catalog_of, chosen_products, query_options, scenes_of
from sarship.cli.common import (
    AUTO_LAND,
    NOTHING_DONE,
    SOME_FAILED,
    as_json_option,
    can_draw,
    land_option,
    leave,
    maps_of,
    n_workers_of,
    note_port,
    params_of,
    port_argument,
    print_json,
    products_argument,
    say_failures,
    tell,
    workers_option,
)
from sarship.cli.places import Place
from sarship.cli.progress import bars
from sarship.errors import explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd

    from sarship.pipeline.results import Results
    from sarship.port.port_file import Port

__all__ = ["count"]


@click.command()
@port_argument
@partial(products_argument, required=False)
@query_options
@click.option("--out", required=True, type=click.Path(), help="Folder to write tables and pictures to.")
@land_option
@click.option(
    "--reference",
    "saved",
    multiple=True,
    type=click.Path(),
    help="Empty-port reference of an earlier run, DIR/references/*.nc; once for each relative orbit.",
)
@click.option(
    "--no-reference",
    is_flag=True,
    help="Count each image by itself: no second pass against an empty-port reference, which 4 dates of an orbit make.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Verify every file of a product on disk first, pixels too; without it the XML alone, as an image is a GB.",
)
@click.option(
    "--observations",
    type=click.Path(),
    help="Dated reports by others, CSV or GeoJSON, to hold against the counts: columns time, where, value and more.",
)
@click.option("--tz", help="Zone of the reports' times of day that have none, like Asia/Damascus or +03:00.")
@click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Draw counts, visits and pages of scenes, and write report.html.",
)
@click.option(
    "--pages",
    type=click.Choice(["newest", "all"]),
    default="newest",
    show_default=True,
    help="Draw a page of the newest pass of each relative orbit, or of all passes, 2 to 4 seconds each.",
)
@workers_option("Products on disk that are searched, and drawn, at once, each by a process of some 0.5 GB.")
@survey_options
@as_json_option
def count(
    *,
    port_file: str,
    products: tuple[str, ...],
    out: str,
    land: str | None,
    pictures: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Count the vessels at the piers of PORT: a port file, or the name of a port whose piers ship with sarship.

    A port file is GeoJSON, a GeoPackage or another vector file with the piers.

    They are counted in every PRODUCT: a product, a folder of them, a pattern, or a terrain-corrected GeoTIFF. --from,
    --to, --orbit, --pass, --platform and --polarization choose among them. Without a PRODUCT they are counted in every
    scene that a catalogue has from --from to --to, of which only the port's window is read if the catalogue allows.

    From 4 dates of a relative orbit on, a second pass over the scenes compares each with a reference of the empty port,
    learned from all of them. Run again to go on after a stop, or with more products.
    """
    from sarship.pipeline import survey
    from sarship.port.index import refuse_template
    from sarship.port.polygons import read_polygons
    from sarship.port.port_file import read_port
    from sarship.port.stack import read_reference

    _refuse_conflicts(products, options)
    if land == AUTO_LAND:
        raise click.UsageError(
            "--land auto masks the water at the quays too; draw the land in the port file, or give a file"
        )
    params, maps = params_of(options), maps_of(options)
    pictures = pictures and can_draw()
    refuse_bad_ais(options)
    harbour = read_port(port_file)
    refuse_template(harbour)
    note_port(harbour)
    reports = _read_reports(harbour, options)
    mask = read_polygons(land, harbour.area) if land else None
    products = chosen_products(products, options, maps) if products else products
    catalog = None if products else catalog_of(*options["catalog_names"])
    place = Place(harbour.name, harbour.area)
    scenes, gaps = ([], None) if catalog is None else scenes_of(place, catalog, options)
    if catalog is not None and not catalog.reads_windows:
        size = "about a gigabyte each, unless they are there already"
        tell(f"note: {len(scenes)} scenes are downloaded whole into {out}/products, {size}", err=True)
    n_workers = n_workers_of(options, len(products or scenes))
    with bars("count") as (report, draw):
        results = survey(
            products or scenes,
            harbour,
            out,
            catalog=catalog,
            completeness=gaps,
            params=params,
            land=mask,
            reference=not options["no_reference"],
            saved=[read_reference(path) for path in options["saved"]],
            check=options["check"],
            observations=reports,
            maps=maps,
            n_workers=n_workers,
            progress=report,
        )
        results, unmatched = beside_ais(results, harbour, out, options)
        undrawn = ""
        if pictures and len(results.scenes):
            from sarship.pipeline.pictures import write_pictures
            from sarship.report import write_report

            try:
                write_pictures(
                    results,
                    harbour,
                    out,
                    scenes=scenes,
                    catalog=catalog,
                    land=mask,
                    maps=maps,
                    pages=options["pages"],
                    n_workers=n_workers,
                    progress=draw,
                )
                write_report(out)
            except Exception as error:  # the tables are written, and worth more than a picture
                undrawn = explain(error)
    _tell(results, out, as_json, has_pictures=pictures and len(results.scenes) > 0 and not undrawn)
    say_failures(results.failures)
    if undrawn:
        tell(f"failed: pictures: {undrawn}", err=True)
    if unmatched:
        tell(f"failed: AIS: {unmatched}", err=True)
    if not results.coverage["seen"].any():
        sys.exit(NOTHING_DONE)  # a warning has said why
    leave(len(results.failures), len(products or scenes))
    if undrawn or unmatched:
        sys.exit(SOME_FAILED)


def _refuse_conflicts(products: tuple[str, ...], options: Mapping[str, Any]) -> None:
    """Refuse options that make no sense together."""
    if options["saved"] and options["no_reference"]:
        raise click.UsageError("give --reference or --no-reference, not both")
    if not (products or options["start"] or options["end"]):
        raise click.UsageError("give products, or a period with --from and --to to ask a catalogue for")
    if options["tz"] and not options["observations"]:
        raise click.UsageError("--tz is the zone of a file of reports; give that with --observations")


def _read_reports(port: Port, options: Mapping[str, Any]) -> gpd.GeoDataFrame | None:
    """Return the dated reports by others, if a file of them was given."""
    from sarship.analysis import read_observations

    path = options["observations"]
    return read_observations(path, port.piers, tz=options["tz"]) if path else None


def _tell(results: Results, out: str, as_json: bool, *, has_pictures: bool) -> None:
    """Print the counts, what changed, and the passes that are missing."""
    from sarship.analysis import Agreement
    from sarship.cli.tables import changes_text, counts_text, traffic_text

    agreement = Agreement.of(results.agreement)
    gaps = results.completeness
    if as_json:
        tables = {"counts": results.counts.to_dataframe().reset_index()}
        names = ("traffic", "changes", "alerts", "agreement", "aprons")
        tables |= {name: getattr(results, name).drop(columns="geometry") for name in names}
        records = {
            name: json.loads(rows.to_json(orient="records", date_format="iso", date_unit="s"))
            for name, rows in tables.items()
        }
        failures = [{"path": failure.path, "message": failure.message} for failure in results.failures]
        whole = None if gaps is None else gaps.as_dict()
        others = {"reports": agreement.as_dict(), "failures": failures, "completeness": whole}
        print_json({"folder": str(out), **records, **others})
        return
    tell(counts_text(results.counts))
    if said := traffic_text(results.traffic, results.counts):
        tell(f"\n{said}")
    if said := changes_text(results.changes, results.alerts):
        tell(f"\n{said}")
    if agreement.n_reports:
        tell(f"\nreports: {agreement}")
    n_alone = int((results.counts["n_reference_dates"].max("pier") == 0).sum()) if results.counts.sizes["pier"] else 0
    if n_alone:
        tell(
            f"\n{n_alone} of {results.counts.sizes['time']} passes were counted without a reference, which near quays "
            "is far less sure: an orbit needs 4 dates for one, better 16"
        )
    if results.ais is not None:
        tell(f"\n{results.ais}")
    if gaps is not None:
        tell(f"\n{gaps}")
    tell(f"\nresults are in {out}" + ("; look at counts.png and visits.png first" if has_pictures else ""))
