"""Commands that make, show and edit port files: `port new`, `port preview`, `port edit`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sarship.cli.common import file_option, map_options, maps_of, note_port, port_argument, products_argument, tell
from sarship.cli.progress import bars
from sarship.errors import PortError

if TYPE_CHECKING:
    from sarship.port.index import PortEntry

__all__ = ["port"]


@click.group()
def port() -> None:
    """Make, look at and edit port files, which hold the piers to count at."""


@port.command("new")
@click.argument("name")
@file_option("--out", help="File to write; by default the port's name in this folder.")
@click.option(
    "--map/--no-map",
    "ask_map",
    default=True,
    show_default=True,
    help="Ask OpenStreetMap for its piers, in one request that names the port's place; else write a template.",
)
@click.option("--overpass", metavar="URL", help="Overpass server to ask instead of the public one.")
def port_new(name: str, out: str | None, ask_map: bool, overpass: str | None) -> None:
    """Start a port file. NAME is a port's name or number in the World Port Index.

    The file has the piers, quays, breakwaters, anchorages and land that OpenStreetMap has there, to be corrected. Where
    the map cannot be asked or has none, it is a template at the port's place. The piers of Tartus ship with sarship.
    """
    from sarship.files import safe_name, write_file
    from sarship.port.index import new_port, only_port, shipped_port

    entry = only_port(name)
    if not entry.is_called(name):
        tell(f"note: {name} is taken for {entry}", err=True)
    path = Path(out or f"{safe_name(entry.name.lower().replace(' ', '-'))}.geojson")
    if path.exists():
        raise PortError(f"{path} is there already and may hold your work; move it or give another file with --out")
    if shipped := shipped_port(str(entry.number)):
        write_file(path, shipped.read_bytes())
        to_do = "correct the piers that ship with sarship"
    elif ask_map and (content := _of_map(entry, path, overpass)) is not None:
        write_file(path, content)
        to_do = "delete what no ship lies at, and correct the rest (© OpenStreetMap contributors, ODbL 1.0)"
    else:
        write_file(path, _port_bytes(new_port(entry)))
        to_do = "draw its piers"
    with_what = f"with sarship port edit {path} or in any GIS"
    tell(f"{path}: {entry}; {to_do}, {with_what}, then: sarship count {path} PRODUCT... --out DIR")


def _of_map(entry: PortEntry, path: Path, overpass: str | None) -> bytes | None:
    """Return a port file of OpenStreetMap's piers; None, and a note that says why, where there is none."""
    from sarship.errors import DownloadError
    from sarship.port.index import port_area
    from sarship.port.map_piers import port_of_map
    from sarship.port.overpass import OVERPASS, ask_overpass
    from sarship.port.port_features import features_of
    from sarship.port.port_file import check_port

    try:
        found = ask_overpass(port_area(entry), overpass or OVERPASS, say=lambda text: tell(f"note: {text}", err=True))
        content = port_of_map(entry, found)
        harbour = check_port(path, features_of(content, path))  # a file that a survey would refuse is no start
    except (DownloadError, PortError) as error:
        tell(f"note: {error}; the file is a template", err=True)
        return None
    tell(f"{len(harbour.piers)} piers on the map around {entry}")
    return _port_bytes(content)


def _port_bytes(port_file: dict[str, object]) -> bytes:
    return (json.dumps(port_file, indent=1, ensure_ascii=False) + "\n").encode()


@port.command("preview")
@port_argument
@products_argument
@file_option("--out", help="PNG to write; by default beside the port file, under its name.")
@map_options
def port_preview(port_file: str, products: tuple[str, ...], out: str | None, **options: Any) -> None:
    """Draw the piers of PORT, a port file, over the mean of some products, to correct them."""
    from sarship.pipeline.pictures import write_preview
    from sarship.port.port_file import read_port

    harbour = read_port(port_file)
    note_port(harbour)
    path = Path(out or Path(port_file).with_suffix(".png"))
    if path.suffix != ".png":
        raise click.UsageError(f"--out must end in .png, got {out}")
    with bars("preview") as (_, draw):
        write_preview(products, harbour, path, maps=maps_of(options), progress=draw)
    n, n_dates = len(harbour.piers), len(products)
    tell(f"{path}: {n} pier{'s'[: n != 1]} over the mean of {n_dates} product{'s'[: n_dates != 1]}")


@port.command("edit")
@port_argument
@partial(products_argument, required=False)
@click.option("--survey", type=click.Path(), metavar="FOLDER", help="Show the dates of a finished survey instead.")
@click.option("--no-browser", is_flag=True, help="Print the address of the page, and open no browser.")
@map_options
def port_edit(port_file: str, products: tuple[str, ...], survey: str | None, no_browser: bool, **options: Any) -> None:
    """Drag the piers of PORT, a port file, over the mean of some products, and save them to it.

    A page opens in the browser, from this computer alone; Done on the page, or Ctrl-C, ends the command. Of a finished
    survey (--survey) no product is needed; without either the piers lie over an empty grid.
    """
    from sarship.report import edit_port

    if products and survey is not None:
        raise click.UsageError("give either products or --survey FOLDER")
    with bars("port edit") as (_, draw):
        n_saved = edit_port(
            port_file,
            products,
            survey=survey,
            maps=maps_of(options),
            open_browser=not no_browser,
            say=tell,
            progress=draw,
        )
    times = ("nothing was saved", "saved once")[n_saved] if n_saved < 2 else f"saved {n_saved} times"
    tell(f"{port_file}: {times}")
