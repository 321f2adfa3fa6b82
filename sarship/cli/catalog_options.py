"""Options of the commands that query a catalogue: place, period, catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

import click

from sarship.catalog.query import FIRST_DAY, LAST_DAY, PLATFORMS, Catalog, SceneQuery
from sarship.cli.common import Command, Refusal, tell
from sarship.cli.places import Place
from sarship.errors import CatalogError
from sarship.model import OrbitPass, Polarization, Scene

if TYPE_CHECKING:
    from sarship.catalog import Completeness
    from sarship.port.map_facts import MapFacts

__all__ = [
    "catalog_of",
    "chosen_products",
    "found_and_missing",
    "period_of",
    "query_fields",
    "query_of",
    "query_options",
    "refuse_both",
    "scenes_of",
]


def query_options(command: Command) -> Command:
    """Add the options that make a query of a catalogue."""
    for option in (
        click.option("--platform", type=_choice(PLATFORMS), help="Only this satellite."),
        click.option("--orbit", "relative_orbit", type=click.IntRange(1, 175), help="Only this relative orbit."),
        click.option("--pass", "orbit_pass", type=_choice(get_args(OrbitPass)), help="Only this direction of flight."),
        click.option(
            "--polarization",
            "polarizations",
            multiple=True,
            type=_choice(get_args(Polarization)),
            help="Only scenes with this polarization; may be repeated.",
        ),
        click.option(
            "--against", help="Second catalogue, NAME or NAME=ADDRESS, that may have passes which the first lacks."
        ),
        click.option(
            "--catalog",
            "catalog_names",
            multiple=True,
            default=("planetary",),
            show_default=True,
            help="Catalogue to query: NAME or NAME=ADDRESS; local=FOLDER for a folder of products; "
            "planetary/sentinel-1-rtc for terrain-corrected images. May be repeated: what one lacks is taken from the "
            "next.",
        ),
        click.option("--to", "end", help="Last day of the period, like 2025-02-15."),
        click.option("--from", "start", help="First day of the period, like 2024-12-01."),
    ):
        command = option(command)
    return command


def _choice(names: tuple[str, ...]) -> click.Choice[str]:
    return click.Choice(names, case_sensitive=False)


def catalog_of(*names: str) -> Catalog:
    """Return the catalogue that `NAME`, `NAME/COLLECTION` or either `=ADDRESS` names; several as one."""
    from sarship.catalog import open_catalog
    from sarship.catalog.chain import CatalogChain

    asked = [text.partition("=")[::2] for text in names]
    for name, address in asked:
        try:
            urlsplit(address)
        except ValueError as error:  # such as http://[::1
            raise CatalogError(f"--catalog {name}={address} has an address that is none ({error})") from error
    opened = []
    for name, address in asked:
        provider, _, collection = name.partition("/")
        opened.append(open_catalog(provider, address, collection))
    first, *others = opened
    return CatalogChain((first, *others)) if others else first


def chosen_products(products: Sequence[str], options: Mapping[str, Any], maps: MapFacts) -> tuple[str, ...]:
    """Return the products on disk that meet the options of a query; those that cannot be opened stay, to be named.

    Raises
    ------
    click.UsageError
        If a catalogue is to be asked as well.
    Refusal
        If none meets them.
    """
    from sarship.catalog.scenes import matches
    from sarship.pipeline.sources import scenes_on_disk

    refuse_both(options)
    if not any(options[name] for name in ("start", "end", *_FIELDS)):
        return tuple(products)
    bounded = {**options, "start": options["start"] or FIRST_DAY, "end": options["end"] or LAST_DAY}
    scenes, _ = scenes_on_disk(products, maps)
    refused = {
        path
        for path, scene in scenes.items()
        if not matches(scene, query_of(Place(scene.id, scene.footprint.representative_point()), bounded))
    }
    chosen = tuple(path for path in products if path not in refused)
    if not chosen:
        days = sorted(f"{scene.start:%Y-%m-%d}" for scene in scenes.values())
        if len(products) == 1:
            raise Refusal(f"the product, of {days[0]}, is not what the options ask for")
        raise Refusal(f"none of the {len(products)} products, of {days[0]} to {days[-1]}, is what the options ask for")
    tell(f"note: {len(chosen)} of {len(products)} products are what the options ask for", err=True)
    return chosen


def refuse_both(options: Mapping[str, Any]) -> None:
    """Refuse a catalogue beside products on disk."""
    asked = click.get_current_context().get_parameter_source("catalog_names") is click.core.ParameterSource.COMMANDLINE
    if asked or options["against"]:
        both = "--catalog local=FOLDER --catalog planetary takes from the second what the first lacks"
        raise click.UsageError(f"products on disk are counted without a catalogue; to have both, {both}")


def period_of(interval: str) -> dict[str, str]:
    """Return the options that an interval of STAC stands for: two times, either of them open as `..`, or a day."""
    start, slash, end = interval.partition("/")
    end = end if slash else start
    return {"start": start if start.strip(". ") else FIRST_DAY, "end": end if end.strip(". ") else LAST_DAY}


def query_of(place: Place, options: Mapping[str, Any]) -> SceneQuery:
    """Return the query that the options make."""
    if not (options["start"] and options["end"]):
        raise click.UsageError("give the period with --from and --to, like --from 2024-12-01 --to 2025-02-15")
    return SceneQuery(area=place.area, start=options["start"], end=options["end"], **query_fields(options))


def query_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a query that the options make, but for its area and period."""
    return {name: options[name] for name in _FIELDS}


_FIELDS = ("polarizations", "orbit_pass", "relative_orbit", "platform")


def found_and_missing(catalog: Catalog, query: SceneQuery, against: str | None) -> tuple[list[Scene], Completeness]:
    """Return the scenes of a catalogue, and the passes that it lacks; a second one may have those."""
    from sarship.catalog import completeness

    scenes = list(catalog.search(query))
    others = list(catalog_of(against).search(query)) if against else []
    return scenes, completeness(scenes, query, others)


def scenes_of(place: Place, catalog: Catalog, options: Mapping[str, Any]) -> tuple[list[Scene], Completeness]:
    """Return the scenes of a place in the period, of which there are some, and the passes that are missing."""
    from sarship.catalog.suggestions import what_would_help

    query = query_of(place, options)
    scenes, gaps = found_and_missing(catalog, query, options["against"])
    if not scenes:
        raise Refusal(f"no scene of {place.name} in that period: {what_would_help(catalog, query)}")
    return scenes, gaps
