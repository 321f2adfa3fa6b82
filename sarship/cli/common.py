"""Parts of all commands: refusals in one sentence, options, exit status."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from sarship.cfar.params import ClutterModel, RingAverage
from sarship.detection.params import DetectionParams
from sarship.errors import LibraryError, ProductWarning, SarshipError, explain
from sarship.texts import printable

if TYPE_CHECKING:
    from sarship.geo.lakes import Lake
    from sarship.pipeline.results import Failure
    from sarship.port.map_facts import MapFacts
    from sarship.port.port_file import Port

__all__ = [
    "NOTHING_DONE",
    "SOME_FAILED",
    "Command",
    "Commands",
    "Refusal",
    "as_json_option",
    "can_draw",
    "detection_options",
    "each",
    "file_option",
    "land_option",
    "leave",
    "map_options",
    "maps_of",
    "n_workers_of",
    "note_lake",
    "note_port",
    "params_of",
    "pier_pfa_option",
    "port_argument",
    "print_json",
    "products_argument",
    "products_option",
    "say_failures",
    "tell",
    "workers_option",
]

SOME_FAILED, NOTHING_DONE, INTERRUPTED = 1, 2, 130
MOST_WORKERS: Final = 4
"""Workers that are taken unasked: more wait for the provider, or take much memory."""


class Refusal(click.ClickException):
    """One sentence about bad input."""

    exit_code = NOTHING_DONE


class Commands(click.Group):
    """A group that turns errors of the input into one sentence and an exit status, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            with _warnings_as_lines():
                return super().invoke(ctx)
        except SarshipError as error:
            raise Refusal(explain(error)) from error
        except BrokenPipeError:
            raise  # click ends quietly when the reader of the output has gone
        except OSError as error:
            raise Refusal(f"{error.filename or 'the system'}: {error.strerror or error}") from error
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # click's own ways out
        except KeyboardInterrupt:
            tell("interrupted; what was finished is on disk: run the same command to go on", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:
            raise Refusal(explain(error)) from error


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print warnings about products as one line each, once; keep those of libraries to their developers."""
    said: set[str] = set()
    loggers = {name: logging.getLogger(name) for name in ("urllib3.connectionpool", "asf_search")}
    levels = {name: logger.level for name, logger in loggers.items()}

    def say(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        text = " ".join(str(message).split())
        if issubclass(category, ProductWarning) and text not in said:
            said.add(text)
            tell(f"warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ProductWarning)
        warnings.showwarning = say
        for logger in loggers.values():
            logger.setLevel(logging.ERROR)  # each try is a warning to them; what comes of it is ours to say
        try:
            yield
        finally:
            for name, logger in loggers.items():
                logger.setLevel(levels[name])


Command = Callable[..., Any]


def _found_products(_context: click.Context, _argument: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    from sarship.catalog.local import find_products
    from sarship.port.map_facts import MAP_SUFFIXES

    return tuple(find_products(given, MAP_SUFFIXES))


def products_argument(command: Command, *, required: bool = True) -> Command:
    """Add the argument for products: their paths, patterns, and folders that hold some."""
    name = "PRODUCT..." if required else "[PRODUCT...]"
    options: dict[str, Any] = {"required": required, "type": click.Path(), "metavar": name}
    return click.argument("products", nargs=-1, callback=_found_products, **options)(command)


products_option = click.option(
    "--products",
    "products",
    multiple=True,
    type=click.Path(),
    callback=_found_products,
    help="Product on disk, folder of them, or pattern, instead of a catalogue; may be repeated.",
)


def file_option(flag: str, *names: str, help: str) -> Callable[[Command], Command]:  # noqa: A002  (as click calls it)
    """Return an option for a file to write, which is refused before any work where its folder is not there."""

    def has_folder(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
        if given and not Path(given).parent.is_dir():
            raise click.UsageError(f"{flag} {given}: there is no folder {Path(given).parent}; make it first")
        return given

    return click.option(flag, *names, type=click.Path(), callback=has_folder, help=help)


def port_argument(command: Command) -> Command:
    """Add the argument for a port file."""
    return click.argument("port_file", metavar="PORT", type=click.Path())(command)


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
_CLUTTER_MODELS, _AVERAGES = click.Choice(get_args(ClutterModel)), click.Choice(get_args(RingAverage))
AUTO_LAND: Final = "auto"
"""Word for land by the shoreline of the world, in place of a file."""
land_option = click.option(
    "--land",
    type=click.Path(),
    help="Vector file of land to mask, in any format that GDAL reads; only polygons around the search are read. "
    "`detect` takes `auto` too, for the shoreline of the world.",
)


def workers_option(text: str) -> Callable[[Command], Command]:
    """Return the option that says how many processes work at once, with a text on what each does."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 1000),
        help=f"{text}  [default: one a processor, {MOST_WORKERS} at most]",
    )


def n_workers_of(options: Mapping[str, Any], n_pieces: int) -> int:
    """Return the number of processes that the options ask for, or what is taken unasked for so many pieces of work."""
    from sarship.pipeline.worker_processes import n_processors

    return options["workers"] or max(1, min(MOST_WORKERS, n_processors(), n_pieces))


def map_options(command: Command) -> Command:
    """Add the options that say what images on a map are."""
    for flag, kind, text in (
        ("--scenes", click.Path(), "CSV with time, platform, relative_orbit and more of GeoTIFFs: a row a `file`."),
        ("--scale", click.Choice(["linear", "decibel", "amplitude"]), "Scale of GeoTIFFs whose tags do not say it."),
        ("--quantity", click.Choice(["sigma0", "gamma0"]), "Quantity of GeoTIFFs whose tags do not say it."),
    ):
        command = click.option(flag, flag.removeprefix("--"), type=kind, help=text)(command)
    return command


def maps_of(options: Mapping[str, Any]) -> MapFacts:
    """Return what the options say of images on a map."""
    from sarship.port.map_facts import MapFacts

    return MapFacts(**{name: options[name] for name in ("quantity", "scale", "scenes")})


def detection_options(command: Command) -> Command:
    """Add the options of the detector."""
    defaults = DetectionParams()
    command = click.option("--gpu", is_flag=True, help="Search on a GPU; the hits are the same.")(command)
    for name, kind, text in (
        ("min_length_m", float, "Drop vessels shorter than this, metres."),
        (
            "iterations",
            int,
            "Maximum number of iterations; from the second on, hits are censored from the training cells.",
        ),
        ("average", _AVERAGES, "Statistic of the training cells; goca, soca and os with the gamma clutter model only."),
        ("clutter_model", _CLUTTER_MODELS, "Distribution of the clutter; k holds the false-alarm rate on spiky seas."),
        ("training_m", float, "Width of the band of training cells around the guard cells, metres."),
        ("guard_m", float, "Half-width of the square of guard cells, metres."),
        ("pfa", float, "False-alarm probability per pixel of open water."),
    ):
        command = _detection_option(name, kind, text, getattr(defaults, name))(command)
    return command


def pier_pfa_option(command: Command) -> Command:
    """Add the option for the search near piers."""
    text = "False-alarm probability per cell near piers, in the second pass against the reference."
    return _detection_option("pier_pfa", float, text, DetectionParams().pier_pfa)(command)


def _detection_option(name: str, kind: Any, text: str, default: object) -> Callable[[Command], Command]:
    flag = "--" + name.replace("_", "-")
    return click.option(flag, name, type=kind, default=default, show_default=True, help=text)


def params_of(options: Mapping[str, Any]) -> DetectionParams:
    """Return the parameters that the options make; other options are ignored."""
    names = {field.name for field in fields(DetectionParams)}
    try:
        return DetectionParams(**{name: value for name, value in options.items() if name in names})
    except ValueError as error:
        raise Refusal(_with_options(str(error), names)) from error


def _with_options(message: str, names: Collection[str]) -> str:
    """Return a message with the names of parameters as the command spells them.

    >>> _with_options("average='os' needs clutter_model='gamma'", ["average", "clutter_model"])
    "--average 'os' needs --clutter-model 'gamma'"
    """

    def flag(found: re.Match[str]) -> str:
        return f"--{found[1].replace('_', '-')}{' ' if found[2] else ''}"

    return re.sub(rf"\b({'|'.join(names)})\b(=?)", flag, message)


def each(products: tuple[str, ...], read: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    """Yield the products that can be read; name the others on standard error."""
    for path in products:
        try:
            yield path, read(path)
        except Exception as error:  # one bad product must not take the others with it
            tell(f"failed: {explain(error)}", err=True)


def leave(n_failed: int, n_products: int) -> None:
    """Exit with status 0, 1 or 2 if none, some or all products failed."""
    if n_failed:
        sys.exit(NOTHING_DONE if n_failed == n_products else SOME_FAILED)


def can_draw() -> bool:
    """Return True if pictures can be drawn; else warn of what is missing."""
    try:
        import sarship.plots  # noqa: F401
    except LibraryError as error:
        warnings.warn(f"no pictures are drawn: {error}", ProductWarning, stacklevel=2)
        return False
    return True


def note_port(port: Port) -> None:
    """Say on standard error whom the content of a port file is owed to, and at what level its water is taken to be."""
    if port.attribution:
        tell(f"note: piers and land of {port.name}: {port.attribution}", err=True)
    note_lake(port.lake)


def note_lake(lake: Lake | None) -> None:
    """Say on standard error that the water level is that of a known lake."""
    if lake is not None:
        level = f"{lake.name} is taken to stand {lake.water_level_m:g} m over sea level"
        tell(f"note: {level}; a water_level_m in the port file goes before", err=True)


def say_failures(failures: tuple[Failure, ...]) -> None:
    """Name the products that could not be counted, once each, on standard error."""
    for failure in failures:
        spellings = os.path.normpath(failure.path), os.path.realpath(failure.path)  # most sentences begin with the path
        named = "" if any(each in failure.message for each in spellings) else f"{failure.path}: "
        tell(f"failed: {named}{failure.message}", err=True)


def tell(text: object, *, err: bool = False) -> None:
    """Print lines; what a terminal would obey, in a name or a path, is written as escapes."""
    click.echo(printable(str(text)), err=err)


def print_json(value: object) -> None:
    """Print plain values for scripts, in letters that every code page has."""
    click.echo(json.dumps(value, indent=1, default=str))
