"""Files of a survey's results: each written whole or not at all, all read back with one call.

The version, the parameters and the scenes that results came from are in `results.json`, and in every other file but the
CSV tables, which are plain, and the style for QGIS.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from sarship.ais import AIS_MATCHES, AisMatches
from sarship.catalog import Completeness
from sarship.errors import OutputError
from sarship.files import make_folder, reason, write_file
from sarship.netcdf import netcdf_bytes
from sarship.pipeline.qgis_style import vessels_qml
from sarship.pipeline.results import KEY, SIMULATED, Failure, Provenance, Results
from sarship.pipeline.table_files import (
    counts_csv,
    json_bytes,
    read_table,
    table_bytes,
    table_csv,
    vessels_csv,
    vessels_geojson,
)
from sarship.schema import APRONS, COVERAGE, OBSERVATIONS, SCENES, VESSELS, WGS84, Table

__all__ = ["RESULT_FILES", "read_results", "write_results"]


def write_results(results: Results, folder: str | Path) -> tuple[Path, ...]:
    """Write the vessels, scenes, coverage, piers and counts of a survey to a folder.

    Parameters
    ----------
    results
        From `survey` or `search`.
    folder
        Made if need be; files of other results are replaced.

    Returns
    -------
    tuple of Path
        The files written: `vessels.geojson`, `vessels.csv`, `vessels.parquet`, `scenes.parquet`, `coverage.parquet`,
        `piers.parquet`, `observations.parquet`, `counts.csv`, `counts.nc`, `visits.csv`, `traffic.csv`, `changes.csv`,
        `alerts.csv`, `agreement.csv` and `results.json`. Beside AIS also `ais_matches.csv` and `ais_matches.parquet`;
        of a port with aprons `aprons.csv` and `aprons.parquet`; where there is none yet `vessels.qml`, a style for
        QGIS.

    Raises
    ------
    OutputError
        The folder cannot be written to. Nothing half-written is left under a final name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.pipeline import search
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in write_results(search([]), folder)][:2]
    ['vessels.geojson', 'vessels.csv']
    """
    folder = make_folder(folder)
    provenance = results.provenance
    mark = f"{SIMULATED} " if provenance.is_simulated else ""
    summary = {
        KEY: provenance.as_dict(),
        "failures": [asdict(failure) for failure in results.failures],
        "sources": dict(results.sources),
        "completeness": results.completeness and results.completeness.as_dict(),
        "ais": None if results.ais is None else dict(results.ais.summary),
        "aprons": len(results.aprons) > 0,
    }
    given = results.given
    contents = {
        "vessels.geojson": vessels_geojson(results.vessels, provenance),
        "vessels.csv": vessels_csv(results.vessels),
        **{f"{name}.parquet": table_bytes(getattr(results, name), provenance.as_dict()) for name in _TABLES},
        "counts.csv": counts_csv(results.counts),
        "counts.nc": netcdf_bytes(results.counts, WGS84, title=f"{mark}vessels at the piers of {provenance.port}"),
        **{f"{name}.csv": table_csv(getattr(results, name)) for name in _DERIVED},
        **{f"{name}.csv": table_csv(table) for name, table in given.items()},
        **{f"{name}.parquet": table_bytes(table, provenance.as_dict()) for name, table in given.items()},
        "results.json": json_bytes(summary),
    }
    if not (folder / "vessels.qml").exists():  # it may be the user's own by now
        contents["vessels.qml"] = vessels_qml()
    for name in _GIVEN.keys() - given.keys():  # of an earlier run
        for ending in ("csv", "parquet"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)
    return tuple(write_file(folder / name, content) for name, content in contents.items())


_DERIVED = ("visits", "traffic", "changes", "alerts", "agreement")


def read_results(folder: str | Path) -> Results:
    """Read all that `write_results` wrote to a folder.

    Parameters
    ----------
    folder
        Folder of a survey.

    Returns
    -------
    Results
        Equal to those that were written.

    Raises
    ------
    OutputError
        The folder holds no results, damaged ones, or files of two different runs.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.pipeline import search
    >>> with TemporaryDirectory() as folder:
    ...     files = write_results(search([]), folder)
    ...     len(read_results(folder).vessels)
    0
    """
    folder = Path(folder)
    try:
        summary = json.loads((folder / "results.json").read_bytes())
        provenance = Provenance.from_dict(summary[KEY])
        failures = tuple(Failure(**failure) for failure in summary["failures"])
        sources = dict(summary["sources"])
        completeness = summary["completeness"] and Completeness.from_dict(summary["completeness"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{folder}: no results of sarship here ({reason(error)}); give the folder that a survey wrote"
        raise OutputError(message) from error
    frames = {}
    given = {name: _GIVEN[name] for name, mark in _MARKS.items() if summary.get(mark)}
    for name, contract in {**_TABLES, **given}.items():
        frames[name], written = read_table(folder / f"{name}.parquet", contract)
        if written != summary[KEY]:
            raise OutputError(f"{folder}: {name}.parquet and results.json are of different runs; run the survey again")
    matches = frames.pop("ais_matches", None)
    ais = None if matches is None else AisMatches(table=matches, summary=summary["ais"])
    return Results(
        **frames, provenance=provenance, failures=failures, sources=sources, completeness=completeness, ais=ais
    )


_TABLES: dict[str, Table | None] = {
    "vessels": VESSELS,
    "scenes": SCENES,
    "coverage": COVERAGE,
    "piers": None,
    "observations": OBSERVATIONS,
}
_GIVEN: dict[str, Table] = {"ais_matches": AIS_MATCHES, "aprons": APRONS}
"""Tables that are there if there is anything to say."""
_MARKS = {"ais_matches": "ais", "aprons": "aprons"}
"""Member of `results.json` that tells of each; older results have none of aprons."""
RESULT_FILES: Final = frozenset(
    [
        *(f"vessels.{ending}" for ending in ("csv", "geojson", "qml")),
        *("counts.csv", "counts.nc", "results.json"),
        *(f"{name}.csv" for name in (*_DERIVED, *_GIVEN)),
        *(f"{name}.parquet" for name in (*_TABLES, *_GIVEN)),
    ]
)
"""Files that a survey may write."""
