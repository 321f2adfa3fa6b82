"""Archives of many ports and years: GeoParquet that is partitioned by port and year, as Hive does it.

A part is `TABLE/port=NAME/year=YYYY/part.parquet`. Names are percent-encoded where a folder cannot have them, and every
reader of such archives decodes them. Each part is replaced by renaming a whole one onto it: a reader finds the old or
the new, never a piece. A part depends on its survey alone and not on the time of day, so that archives can be compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import geopandas as gpd
import pandas as pd
import xarray as xr

from sarship.ais import AIS_COUNTS, AIS_MATCHES
from sarship.errors import OutputError, PortError
from sarship.files import write_file
from sarship.pipeline.results import Results
from sarship.pipeline.table_files import read_note, table_bytes
from sarship.schema import APRONS, CHANGES, COUNTS, SCENES, TIME, VESSELS, VISITS, Column, Table

__all__ = [
    "ARCHIVED",
    "ARCHIVED_COUNTS",
    "SCHEMA_VERSION",
    "YearOfPort",
    "archive_results",
    "part_of",
    "refuse_bad_names",
    "refuse_mixed",
    "segment_of",
]

SCHEMA_VERSION: Final = 1
"""Of the tables of an archive: another number where a column was renamed, retyped or removed."""
LONGEST_SEGMENT: Final = 240
"""Bytes of a folder's name; file systems take 255, and temporary names are longer."""

_WHOLE: Final = ("n_vessels", "n_low", "n_high", *(each.name for each in AIS_COUNTS))
ARCHIVED_COUNTS: Final = Table.of(
    "counts",
    Column("time", TIME, "start of the pass"),
    Column("pier", "str", "name of the pier"),
    Column("kind", "str", "pier or anchorage"),
    Column("scene", "str", "ids of the scenes of the pass, space-separated"),
    Column("platform", "str", "satellite"),
    Column("relative_orbit", "int64", "track number"),
    Column("orbit_pass", "str", "ascending or descending"),
    *(
        Column(each.name, "Int64" if each.name in _WHOLE else "float64", each.long_name)
        for each in (*COUNTS, *AIS_COUNTS)
    ),
)
"""Counts as a table, one row a pass and pier. The geometry of a row is the middle of the pier."""

_CONTRACTS: Final = {
    "vessels": (VESSELS, "time"),
    "counts": (ARCHIVED_COUNTS, "time"),
    "visits": (VISITS, "time"),
    "changes": (CHANGES, "to_time"),
    "aprons": (APRONS, "time"),
    "ais_matches": (AIS_MATCHES, "time"),
    "scenes": (SCENES, "start"),
}
"""Contract of each table, and the column that says which year a row is of."""
ARCHIVED: Final[Mapping[str, Table]] = {name: contract for name, (contract, _) in _CONTRACTS.items()}
"""Tables of an archive, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class YearOfPort:
    """A year of a port in an archive."""

    year: int
    scenes: gpd.GeoDataFrame
    """Its scenes (`schema.SCENES`)."""
    n_rows: Mapping[str, int]
    """Number of rows of each table that was written."""


def segment_of(port: str) -> str:
    """Return the folder of a port, as Hive names a partition.

    >>> segment_of("Tartus"), segment_of("Port Saïd/East")
    ('port=Tartus', 'port=Port%20Sa%C3%AFd%2FEast')
    """
    return f"port={quote(port, safe='')}"


def part_of(table: str, port: str, year: int) -> Path:
    """Return the path of a part in an archive.

    >>> part_of("counts", "Tartus", 2024).as_posix()
    'counts/port=Tartus/year=2024/part.parquet'
    """
    return Path(table, segment_of(port), f"year={year}", "part.parquet")


def refuse_bad_names(names: Iterable[tuple[str, str]]) -> None:
    """Refuse names that no archive can tell apart, or that are too long for a folder.

    Parameters
    ----------
    names
        Name of each port, and the file that it was read from.

    Raises
    ------
    PortError
        With both files where two have one name; upper and lower case are the same to some file systems.
    """
    known: dict[str, str] = {}
    for name, path in names:
        if (n_bytes := len(segment_of(name))) > LONGEST_SEGMENT:
            message = f"{path}: the name {name[:40]!r}… makes a folder's name of {n_bytes} bytes"
            raise PortError(f"{message}, and {LONGEST_SEGMENT} are possible; shorten it", path=path)
        other = known.setdefault(name.casefold(), path)
        if other != path:
            raise PortError(f"{other} and {path} are both of a port called {name!r}; give one another name", path=path)


def refuse_mixed(archive: Path) -> None:
    """Refuse an archive that another version's tables are in.

    Raises
    ------
    OutputError
        With the first part of another schema.
    """
    for folder in sorted((archive / "scenes").glob("port=*")):
        for part in sorted(folder.glob("year=*/part.parquet"))[:1]:  # those of a port are written together
            found = read_note(part).get("schema")
            if found != SCHEMA_VERSION:
                told = f"{part} has tables of schema {found}, and this version writes schema {SCHEMA_VERSION}"
                raise OutputError(
                    f"{told}; choose another folder, or allow both with --mixed until every port is counted again",
                    path=part,
                )


def archive_results(results: Results, archive: Path) -> tuple[YearOfPort, ...]:
    """Write the tables of a survey into an archive, each year of its port, and remove the years that it no longer has.

    Parameters
    ----------
    results
        Of a survey of a port. Of tables that it did not make, none is written, and those of an earlier one are removed.
    archive
        Folder of the archive.

    Returns
    -------
    tuple of YearOfPort
        What was written, in order of the years.

    Raises
    ------
    OutputError
        The archive cannot be written to.
    """
    port, frames = results.provenance.port, _frames(results)
    stamped = {name: (frame, frame[_CONTRACTS[name][1]].dt.year) for name, frame in frames.items()}
    years = sorted({int(year) for _, of_row in stamped.values() for year in of_row.dropna()})
    written = list[YearOfPort]()
    for year in years:
        parts = {name: _sorted(frame[of_row == year], name) for name, (frame, of_row) in stamped.items()}
        note = _note(results, year, parts["scenes"]["scene"].tolist())
        for name, part in parts.items():
            content = table_bytes(part, {**note, "table": name}, compression="zstd")
            write_file(archive / part_of(name, port, year), content, parents=True)
        n_rows = {name: len(part) for name, part in parts.items()}
        written.append(YearOfPort(year=year, scenes=parts["scenes"], n_rows=n_rows))
    for name in ARCHIVED:
        _remove_stale(archive / name / segment_of(port), {f"year={year}" for year in years} if name in frames else ())
    return tuple(written)


def _frames(results: Results) -> dict[str, gpd.GeoDataFrame]:
    """Return the tables that a survey made, each checked against its contract."""
    made = {name: getattr(results, name) for name in ("vessels", "visits", "changes", "scenes")}
    made |= {"counts": _counts_table(results.counts), **results.given}
    return {name: contract.check(made[name]) for name, contract in ARCHIVED.items() if name in made}


def _counts_table(counts: xr.Dataset) -> gpd.GeoDataFrame:
    """Return the counts as a table; what AIS would say is missing where none was given."""
    frame = counts.to_dataframe().reset_index()
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    columns: dict[str, object] = {
        column.name: frame[column.name] if column.name in frame else [pd.NA] * len(frame)
        for column in ARCHIVED_COUNTS.columns
    }
    return ARCHIVED_COUNTS.make(columns, gpd.points_from_xy(frame["longitude"], frame["latitude"]))


def _sorted(part: gpd.GeoDataFrame, name: str) -> gpd.GeoDataFrame:
    return part.sort_values(_CONTRACTS[name][1], kind="stable", ignore_index=True)


def _note(results: Results, year: int, scenes: list[str]) -> dict[str, Any]:
    """Return what a part says of itself: the provenance without its time, and of the scenes those of the year."""
    provenance = results.provenance.as_dict()
    del provenance["created"]
    return {"schema": SCHEMA_VERSION, **provenance, "year": year, "scenes": scenes}


def _remove_stale(folder: Path, kept: Iterable[str]) -> None:
    """Remove the years of a port that its survey no longer has; of each its part first, which readers look for."""
    for stale in _stale(folder, frozenset(kept)):
        try:
            (stale / "part.parquet").unlink(missing_ok=True)
            shutil.rmtree(stale)
        except OSError as error:
            message = f"{stale}: cannot remove this year, which the survey no longer has ({error.strerror})"
            raise OutputError(f"{message}; remove it by hand", path=stale) from error
    if folder.is_dir() and not kept:
        folder.rmdir()


def _stale(folder: Path, kept: frozenset[str]) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("year=*")) if path.name not in kept)
