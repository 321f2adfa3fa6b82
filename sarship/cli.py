"""The command: parse, one call, print.

Exit codes: 0 all is well; 1 some products failed, or a check found a fault, and the rest was done; 2 nothing was done,
because of the input or the way it was called; 130 interrupted. Results go to standard output, everything else to
standard error. Heavy modules load when a command needs them, so that help is quick.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sarship import __version__
from sarship.errors import PortError, ProductWarning, SarshipError
from sarship.model import DetectionParams

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.pipeline import Progress, Step
    from sarship.results import Failure

__all__ = ["main"]

SOME_FAILED, NOTHING_DONE, INTERRUPTED = 1, 2, 130


class _Refusal(click.ClickException):
    """One sentence about bad input."""

    exit_code = NOTHING_DONE


class _Commands(click.Group):
    """Turns what the input causes into one sentence and an exit code, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _warnings_as_lines():
                return super().invoke(ctx)
        except SarshipError as error:
            raise _Refusal(" ".join(str(error).split())) from error
        except BrokenPipeError:
            raise  # click ends quietly when the reader of the output has gone
        except OSError as error:
            raise _Refusal(f"{error.filename or 'the system'}: {error.strerror or error}") from error
        except KeyboardInterrupt:
            click.echo("interrupted; scenes that were finished are kept: run the same command to go on", err=True)
            ctx.exit(INTERRUPTED)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print warnings about products as one line each, once; keep those of libraries to their developers."""
    said: set[str] = set()

    def say(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        text = " ".join(str(message).split())
        if issubclass(category, ProductWarning) and text not in said:
            said.add(text)
            click.echo(f"warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ProductWarning)
        warnings.showwarning = say
        yield


Command = Callable[..., Any]
_products = click.argument("products", nargs=-1, required=True, type=click.Path(), metavar="PRODUCT...")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
_land = click.option("--land", type=click.Path(), help="Vector file with land polygons to mask, in any format.")


def _detection_options(command: Command) -> Command:
    """Add the options that change how vessels are looked for."""
    defaults = DetectionParams()
    for name, kind, text in (
        ("min_length_m", float, "Drop vessels measured shorter than this."),
        ("background_m", float, "Half-width of the ring around each pixel."),
        ("guard_m", float, "Half-width of the square left out of the ring."),
        ("pfa", float, "False-alarm probability per pixel."),
    ):
        flag = "--" + name.replace("_", "-")
        command = click.option(flag, name, type=kind, default=getattr(defaults, name), show_default=True, help=text)(
            command
        )
    return command


def _params(options: dict[str, float]) -> DetectionParams:
    try:
        return DetectionParams(**options)
    except ValueError as error:
        raise _Refusal(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sarship")
def main() -> None:
    """Count the vessels at a port's piers from Sentinel-1 radar images."""


@main.command()
@click.option("--out", type=click.Path(), default="sarship-demo", show_default=True, help="Folder to write to.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which made-up port.")
@_as_json
def demo(out: str, seed: int, as_json: bool) -> None:
    """Simulate a small port over eight dates, count it end to end, and print counts beside the known truth."""
    from sarship.demo import run_demo

    with _bar("demo") as (report, pictures):
        outcome = run_demo(out, seed=seed, progress=report, picture_progress=pictures)
    if as_json:
        _print_json(outcome.as_dict())
        return
    click.echo(outcome.as_text())


@main.command()
@_products
@_as_json
def info(products: tuple[str, ...], as_json: bool) -> None:
    """Say what products are: platform, time, orbit, size, looks, noise, footprint. No pixels are read."""
    from sarship.grd import open_grd
    from sarship.text import facts_text, product_facts

    found = [facts for _, facts in _each(products, lambda path: product_facts(open_grd(path)))]
    if as_json:
        _print_json(found)
    else:
        click.echo("\n\n".join(map(facts_text, found)))
    _leave(len(products) - len(found), len(products))


@main.command()
@_products
@_as_json
def check(products: tuple[str, ...], as_json: bool) -> None:
    """Compare products with their manifests (sizes, MD5s) and decode their images to the end."""
    from dataclasses import asdict

    from sarship.integrity import check_product

    found = list(_each(products, check_product))
    faults = {path: [finding for finding in findings if not finding.is_ok] for path, findings in found}
    if as_json:
        _print_json({path: [asdict(finding) for finding in findings] for path, findings in found})
    else:
        for path, findings in found:
            click.echo(f"{path}: {len(findings) - len(faults[path])} of {len(findings)} files are well")
            for finding in faults[path]:
                click.echo(f"  {finding.status:<12} {finding.name}: {finding.detail}")
    _leave(len(products) - len(found), len(products))
    if any(faults.values()):
        sys.exit(SOME_FAILED)


@main.group()
def port() -> None:
    """Port files: the piers to count at."""


@port.command("new")
@click.argument("name")
@click.option("--out", type=click.Path(), help="File to write; by default the port's name in this folder.")
def port_new(name: str, out: str | None) -> None:
    """Start a port file from the index of ports: NAME is a port's name or its World Port Index number."""
    from sarship.ports import find_port, new_port
    from sarship.results import safe_name, write_file

    entries = find_port(name)
    if len(entries) > 1:
        listed = "; ".join(f"{entry}" for entry in entries[:10])
        raise PortError(f"{len(entries)} ports answer to {name!r}: {listed}; give the number of the one you mean")
    path = Path(out or f"{safe_name(entries[0].name.lower().replace(' ', '-'))}.geojson")
    if path.exists():
        raise PortError(f"{path} is there already and may hold your work; move it or give another file with --out")
    write_file(path, (json.dumps(new_port(entries[0]), indent=1, ensure_ascii=False) + "\n").encode())
    click.echo(f"{path}: {entries[0]}; draw its piers in any GIS, then: sarship count {path} PRODUCT... --out DIR")


@main.command()
@_products
@click.option("--port", "port_file", type=click.Path(), help="Port file: search around it, with its masks.")
@click.option("--area", help="WEST,SOUTH,EAST,NORTH in degrees; west may be larger than east over the antimeridian.")
@_land
@click.option("--out", type=click.Path(), help="Write the vessels here: .geojson or .parquet.")
@_detection_options
@_as_json
def detect(
    *,
    products: tuple[str, ...],
    port_file: str | None,
    area: str | None,
    land: str | None,
    out: str | None,
    as_json: bool,
    **options: float,
) -> None:
    """Find vessels in products: everywhere, in an area, or around a port."""
    from sarship.piers import read_polygons, read_port
    from sarship.pipeline import search
    from sarship.results import table_bytes, vessels_bytes, write_file
    from sarship.text import vessels_text

    if port_file and area:
        raise click.UsageError("give --port or --area, not both")
    if out and Path(out).suffix not in {".geojson", ".json", ".parquet"}:
        raise click.UsageError(f"--out must end in .geojson or .parquet, got {out}")
    params = _params(options)
    harbour = read_port(port_file) if port_file else None
    shape = _area(area) if area else None
    mask = read_polygons(land) if land else None
    if mask is None and (harbour is None or (harbour.masked_land is None and harbour.water is None)):
        click.echo("note: land is not masked; give --land FILE, or a port file with land or water", err=True)
    with _bar("detect") as (report, _):
        results = search(products, area=shape, port=harbour, land=mask, params=params, progress=report)
    if len(results.failures) == len(products):
        _say_failures(results.failures)
        sys.exit(NOTHING_DONE)
    if out:
        is_table = Path(out).suffix == ".parquet"
        provenance = results.provenance
        content = (
            table_bytes(results.vessels, provenance.as_dict())
            if is_table
            else vessels_bytes(results.vessels, provenance)
        )
        write_file(out, content)
    if as_json:
        click.echo(vessels_bytes(results.vessels, results.provenance).decode(), nl=False)
    else:
        click.echo(vessels_text(results.vessels))
    _say_failures(results.failures)
    _leave(len(results.failures), len(products))


@main.command()
@click.argument("port_file", metavar="PORT", type=click.Path())
@_products
@click.option("--out", required=True, type=click.Path(), help="Folder for tables and pictures.")
@_land
@click.option("--pictures/--no-pictures", default=True, help="Whether to draw counts and quick looks.")
@_detection_options
@_as_json
def count(
    *,
    port_file: str,
    products: tuple[str, ...],
    out: str,
    land: str | None,
    pictures: bool,
    as_json: bool,
    **options: float,
) -> None:
    """Count the vessels at the piers of PORT, a GeoJSON file, in every product. Run again to go on or add products."""
    from sarship.pictures import write_pictures
    from sarship.piers import read_polygons, read_port
    from sarship.pipeline import survey
    from sarship.text import counts_text

    params = _params(options)
    harbour = read_port(port_file)
    mask = read_polygons(land) if land else None
    with _bar("count") as (report, draw):
        results = survey(products, harbour, out, params=params, land=mask, progress=report)
        undrawn = ""
        if pictures and len(results.scenes):
            try:
                write_pictures(results, harbour, out, land=mask, progress=draw)
            except SarshipError as error:  # the tables are written, and worth more than a picture
                undrawn = " ".join(str(error).split())
    if as_json:
        rows = results.counts.to_dataframe().reset_index()
        records = json.loads(rows.to_json(orient="records", date_format="iso", date_unit="s"))
        failures = [{"path": failure.path, "message": failure.message} for failure in results.failures]
        _print_json({"folder": str(out), "counts": records, "failures": failures})
    else:
        click.echo(f"{counts_text(results.counts)}\n\nresults are in {out}")
    _say_failures(results.failures)
    if undrawn:
        click.echo(f"failed: pictures: {undrawn}", err=True)
    _leave(len(results.failures), len(products))
    if undrawn:
        sys.exit(SOME_FAILED)


def _each(products: tuple[str, ...], read: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    """What can be read of the products; the others are said on standard error."""
    for path in products:
        try:
            yield path, read(path)
        except SarshipError as error:
            click.echo(f"failed: {' '.join(str(error).split())}", err=True)


def _leave(n_failed: int, n_products: int) -> None:
    """Exit with the code that says how many products failed: none, some, all."""
    if n_failed:
        sys.exit(NOTHING_DONE if n_failed == n_products else SOME_FAILED)


def _say_failures(failures: tuple[Failure, ...]) -> None:
    for failure in failures:
        click.echo(f"failed: {failure.path}: {failure.message}", err=True)


def _area(text: str) -> BaseGeometry:
    """The rectangle that `--area` names."""
    import shapely

    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.UsageError(f"--area takes WEST,SOUTH,EAST,NORTH in degrees, got {text!r}") from error
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east):
        raise click.UsageError(f"--area must be degrees in the world, longitude first, south below north; got {text!r}")
    if west < east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])


@contextmanager
def _bar(name: str) -> Iterator[tuple[Progress, Callable[[int, int], None]]]:
    """Progress bars on a terminal, silence elsewhere: one for scenes, one for pictures."""
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(desc=name, total=1, disable=not sys.stderr.isatty(), file=sys.stderr, bar_format=layout) as bar:

        def scenes(step: Step) -> None:
            bar.total = step.total
            bar.n = step.done
            bar.set_postfix_str(f"{Path(step.path).name[:40]} {step.state}", refresh=False)
            bar.refresh()

        def pictures(done: int, total: int) -> None:
            bar.set_description_str("pictures", refresh=False)
            bar.total, bar.n = total, done
            bar.set_postfix_str("", refresh=False)
            bar.refresh()

        yield scenes, pictures


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))
