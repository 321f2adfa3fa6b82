"""Commands that find and download scenes: `search`, `passes`, `download`, `login`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sarship.catalog.accounts import ACCOUNTS
from sarship.cli.catalog_options import catalog_of, found_and_missing, period_of, query_of, query_options, scenes_of
from sarship.cli.common import Refusal, as_json_option, file_option, leave, print_json, tell
from sarship.cli.places import box_option, find_place, find_port
from sarship.cli.progress import bar_of_bytes
from sarship.errors import CatalogError

if TYPE_CHECKING:
    from sarship.catalog.fetch_many import Fetched
    from sarship.catalog.query import Catalog
    from sarship.model import Scene

__all__ = ["download", "login", "passes", "search"]


@click.command()
@click.argument("port", metavar="[PORT]", required=False)
@box_option("--bbox")
@click.option("--intersects", type=click.Path(), help="Vector file of polygons to search, in any format of GDAL.")
@query_options
@click.option("--datetime", "interval", help="Period in one, such as 2024-12-01/2025-02-15; .. is an end that is open.")
@file_option("--geojson", help="GeoJSON file to write the scenes to, as STAC items.")
@file_option("--map", "picture", help="PNG file to draw the footprints and the port in.")
@as_json_option
def search(
    *,
    port: str | None,
    bbox: str | None,
    intersects: str | None,
    interval: str | None,
    geojson: str | None,
    picture: str | None,
    as_json: bool,
    against: str | None,
    **options: Any,
) -> None:
    """List the scenes that show PORT, a port file or the name of a port, and the passes that are missing.

    In place of PORT --bbox or --intersects names an area of 20 degrees at most.
    """
    from sarship.catalog.items import as_items
    from sarship.catalog.suggestions import what_would_help
    from sarship.cli.tables import scenes_text
    from sarship.files import write_file

    if picture:
        import sarship.plots  # noqa: F401  (says what it lacks before anybody is asked)
    place = find_place(port, bbox, intersects)
    if interval:
        if options["start"] or options["end"]:
            raise click.UsageError("give the period with --datetime, or with --from and --to")
        options |= period_of(interval)
    query = query_of(place, options)
    catalog = catalog_of(*options["catalog_names"])
    scenes, gaps = found_and_missing(catalog, query, against)
    items = as_items(scenes)
    if geojson:
        write_file(geojson, (json.dumps(items, indent=1) + "\n").encode())
    if picture:
        from sarship.plots import picture_bytes, plot_footprints

        figure = plot_footprints(scenes, place.area, place.name)
        write_file(picture, picture_bytes(figure, {"Comment": f"{place.name}, {options['start']} to {options['end']}"}))
    if as_json:
        print_json({**items, "completeness": gaps.as_dict()})
    elif scenes:
        tell(f"{scenes_text(scenes)}\n{len(scenes)} scene{'s'[: len(scenes) != 1]}; {gaps}")
    if not scenes:
        raise Refusal(f"no scene of {place.name} in that period: {what_would_help(catalog, query)}")


@click.command()
@click.argument("port", metavar="PORT")
@query_options
@click.option(
    "--plan",
    "plans",
    multiple=True,
    type=click.Path(),
    help="Acquisition plan, a KML file that ESA publishes, or a folder of them; may be repeated.",
)
@as_json_option
def passes(*, port: str, plans: tuple[str, ...], as_json: bool, against: str | None, **options: Any) -> None:
    """List the passes over PORT: those that are there, missing, were not planned, and are to come.

    With --plan those to come, and with --from and --to those of a period that a catalogue has and lacks. Plans of that
    period tell a pass that was not planned from one that is missing.
    """
    from sarship.catalog import list_passes, read_plans
    from sarship.cli.tables import passes_text

    place = find_port(port)
    if not (plans or options["start"] or options["end"]):
        raise click.UsageError("give acquisition plans with --plan, a period with --from and --to, or both")
    plan = read_plans(plans)
    asked: dict[str, Any] = {}
    if options["start"] or options["end"]:
        query = query_of(place, options)
        scenes, gaps = found_and_missing(catalog_of(*options["catalog_names"]), query, against)
        asked = {"scenes": scenes, "gaps": gaps, "period": query.period}
    found = list_passes(place.area, plan, **asked)
    if as_json:
        print_json([one.as_dict() for one in found])
    elif found:
        tell(passes_text(found))
    if not found:
        raise Refusal(f"no pass over {place.name} is in the plans given or the period asked for")


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="PORT|SCENE_ID...")
@query_options
@click.option("--into", required=True, type=click.Path(), help="Folder to write the products to.")
@as_json_option
def download(*, targets: tuple[str, ...], into: str, as_json: bool, **options: Any) -> None:
    """Download whole products: of every scene that shows PORT in a period, or by name. Run again to go on."""
    from sarship.catalog.fetch_many import fetch_scenes
    from sarship.catalog.scenes import is_name

    catalog = catalog_of(*options["catalog_names"])
    scenes: dict[str, Scene] = {}
    for target in targets:
        if is_name(target):
            found = [_by_name(catalog, target)]
        else:
            place = find_port(target)
            found, gaps = scenes_of(place, catalog, options)
            tell(f"{place.name}: {gaps}", err=True)
        scenes |= {scene.id: scene for scene in found}
    with bar_of_bytes("download") as report:
        fetched = fetch_scenes(catalog, scenes.values(), into, progress=report)
    _tell(fetched, as_json)
    leave(sum(one.path is None for one in fetched), len(fetched))


def _tell(fetched: list[Fetched], as_json: bool) -> None:
    if as_json:
        print_json([{"scene": one.scene.id, "path": one.path, "message": one.message} for one in fetched])
    for one in fetched:
        if one.path is None:
            tell(f"failed: {one.scene.id}: {one.message}", err=True)
        elif not as_json:
            tell(one.path)


def _by_name(catalog: Catalog, name: str) -> Scene:
    """Return the scene of a name, in whatever packaging the catalogue has it."""
    from sarship.catalog.scenes import query_of as query_of_name

    wanted = Path(name).name.removesuffix(".zip").removesuffix(".SAFE")
    try:
        query = query_of_name(wanted)
    except CatalogError:
        raise
    except ValueError as error:  # the pattern of a name takes a thirteenth month
        raise CatalogError(f"{wanted} is the name of no scene: {error}") from error
    found = list(catalog.search(query))
    stem = "_".join(wanted.split("_")[:8])  # without the checksum of the product, which not every catalogue has
    same = [scene for scene in found if scene.id == wanted] or [scene for scene in found if scene.id.startswith(stem)]
    if not same:
        raise CatalogError(f"the catalogue has no scene {wanted}; search for it, or try another catalogue")
    return same[0]


@click.command()
@click.argument("provider", type=click.Choice(tuple(ACCOUNTS)))
@click.option("--forget", is_flag=True, help="Remove the stored account.")
def login(provider: str, forget: bool) -> None:
    """Store the account of PROVIDER in a file that only you can read; what you type is not shown."""
    from sarship.catalog.credentials import Secret, credentials_file, forget_credentials, store_credentials

    if forget:
        was_there = forget_credentials(provider)
        tell(f"{provider}: {'forgotten' if was_there else 'nothing was stored'}")
        return
    fields = ACCOUNTS[provider].variables
    ask = partial(click.prompt, err=True)
    values = {name: Secret(ask(f"{provider} {name}", hide_input=name != "user").strip()) for name in fields}
    if not all(values.values()):
        raise Refusal(f"{credentials_file()} was left as it is, since something was empty")
    path = store_credentials(provider, values)
    tell(f"{provider}: stored in {path}, which only you can read")
