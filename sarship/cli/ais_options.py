"""Options of AIS for the command that counts, and the matching itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from sarship.cli.common import Command, Refusal, detection_options, map_options, pier_pfa_option

if TYPE_CHECKING:
    from sarship.pipeline.results import Results
    from sarship.port.port_file import Port

__all__ = ["ais_columns_of", "beside_ais", "refuse_bad_ais", "survey_options"]


def survey_options(command: Command) -> Command:
    """Add what a survey is told besides ports and products: AIS, facts of images on a map, and how to search."""
    return _ais_options(map_options(detection_options(pier_pfa_option(command))))


def _ais_options(command: Command) -> Command:
    """Add the options for files of AIS."""
    command = click.option(
        "--ais-columns",
        metavar="NAMES",
        help="Columns of AIS tables with a header that is not known: 'mmsi=ID,time=T,latitude=Y,longitude=X'.",
    )(command)
    return click.option(
        "--ais",
        multiple=True,
        type=click.Path(),
        metavar="FILE",
        help="AIS beside the radar: a file of reports (CSV, Parquet, JSON or NMEA, also packed), or a folder; repeat.",
    )(command)


def refuse_bad_ais(options: Mapping[str, Any]) -> None:
    """Refuse files whose header is not known, before anything is searched."""
    if options["ais"]:
        from sarship.ais import check_ais

        check_ais(options["ais"], columns=ais_columns_of(options))
    elif options["ais_columns"]:
        raise click.UsageError("--ais-columns names the columns of files: give --ais too")


def ais_columns_of(options: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the names of columns by field."""
    if not options["ais_columns"]:
        return None
    pairs = [part.partition("=") for part in options["ais_columns"].split(",")]
    if not all(name.strip() and sign and column.strip() for name, sign, column in pairs):
        raise Refusal(f"--ais-columns is a list such as mmsi=ID,time=T, got {options['ais_columns']!r}")
    return {name.strip(): column.strip() for name, _, column in pairs}


def beside_ais(results: Results, port: Port, folder: str, options: Mapping[str, Any]) -> tuple[Results, str]:
    """Return results beside AIS, and the fault where that failed; as they are where no files were given."""
    if not options["ais"]:
        return results, ""
    from sarship.pipeline.with_ais import try_ais

    return try_ais(results, port, options["ais"], folder, ais_columns_of(options))
