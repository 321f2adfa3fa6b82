"""Reading of AIS reports: any known format by its header alone, packed or not, cut to an area and a period, cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from sarship.ais.cleaning import clean
from sarship.ais.columns import tidy
from sarship.ais.false_positions import KNOWN_PLACES, find_false
from sarship.ais.messages import read_json, read_nmea
from sarship.ais.scope import Scope, Seen
from sarship.ais.tables import AIS
from sarship.ais.text_files import Part, form_of, is_nmea, parts_of, read_csv, read_parquet
from sarship.errors import AisError
from sarship.texts import printable

__all__ = ["AisReports", "check_ais", "read_ais"]

ENDINGS: Final = (".csv", ".txt", ".tsv", ".parquet", ".jsonl", ".json", ".geojson", ".nmea", ".nm4", ".ais", ".log")
PACKINGS: Final = (".gz", ".zst", ".bz2", ".zip")
MAX_OFF_EARTH: Final = 0.01
"""Largest share of places that are none on Earth: of more the unit is not degrees."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AisReports:
    """Reports of vessels around a port, and how they were read.

    Examples
    --------
    >>> reports = AisReports(table=AIS.empty(), files=("a.csv",), dropped={"duplicates": 2}, notes=())
    >>> reports.as_dict()["dropped"]
    {'duplicates': 2}
    """

    table: gpd.GeoDataFrame
    """One row a report (`ais.tables.AIS`), in order of track and time."""
    files: tuple[str, ...]
    """Names of the files."""
    dropped: Mapping[str, int]
    """Reports that were dropped, by reason."""
    notes: tuple[str, ...] = ()
    """Assumptions and omissions, a sentence each."""

    def as_dict(self) -> dict[str, Any]:
        """Return how they were read as plain JSON values."""
        return {
            "files": list(self.files),
            "n_reports": len(self.table),
            "n_vessels": int(self.table["mmsi"].nunique()),
            "n_false_positions": int(self.table["is_false"].sum()),
            "dropped": dict(self.dropped),
            "notes": list(self.notes),
        }


def read_ais(
    paths: str | Path | Iterable[str | Path],
    area: BaseGeometry | None = None,
    period: tuple[object, object] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    land: BaseGeometry | None = None,
    places: Sequence[tuple[float, float]] = KNOWN_PLACES,
) -> AisReports:
    r"""Read AIS reports of any known format, told by the header.

    Tables in text (`.csv`, also packed as `.gz`, `.zst` or `.zip`), Parquet, JSON lines, GeoJSON and NMEA sentences
    with times. Times without a zone are UTC.

    Parameters
    ----------
    paths
        Files, or folders of them.
    area
        Area of the port, longitude and latitude in degrees; reports up to 150 km around it are read. None for all.
    period
        First and last time of the passes; reports up to 25 hours around are read. None for all.
    columns
        Names of the columns by field, for tables that are not known: `{"mmsi": "ID", "time": "T", …}`.
    land
        Land, longitude and latitude in degrees; a crowd well inland is a sign of false positions.
    places
        Longitude and latitude of places that receivers are made to show.

    Returns
    -------
    AisReports
        Cleaned, with false positions flagged.

    Raises
    ------
    AisError
        If a file is missing, damaged, in no known form or unit, or nothing lies in the area and period.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> row = "31/12/2024 23:59:59,Class A,211000000,34.9,35.8"
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "danish.csv")
    ...     _ = path.write_text(f"# Timestamp,Type of mobile,MMSI,Latitude,Longitude\n{row}\n{row}\n")
    ...     reports = read_ais(path)
    >>> len(reports.table), reports.dropped
    (1, {'duplicates': 1})
    """
    scope = Scope.around(area, period)
    frames, notes, names = [], [], []
    tallies: list[Seen] = []
    for path in _files(paths):
        for part in parts_of(path):
            names.append(part.name)
            seen = Seen()
            frame, header = _READERS[_kind(part)](part, scope, seen, columns)
            notes += seen.notes
            _refuse_units(part, seen)
            frame, assumed = _dated(frame, header, part, scope, seen)
            notes += assumed
            if seen.n_malformed:
                notes.append(f"{part.name}: left out {seen.n_malformed} lines that have not the header's columns")
            tallies.append(seen)
            frames.append(frame)
    filled = [frame for frame in frames if len(frame)]
    whole = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    placed = len(whole) and bool((whole["longitude"].notna() & scope.lasts(whole["time"])).any())
    if not placed:
        raise _nothing(names, tallies, scope)
    cleaned, dropped = clean(whole)
    cleaned["is_false"] = find_false(cleaned, land=land, places=places)
    table = AIS.make(
        {column.name: cleaned[column.name] for column in AIS.columns},
        gpd.points_from_xy(cleaned["longitude"], cleaned["latitude"]),
    )
    return AisReports(table=table, files=tuple(names), dropped=dropped, notes=tuple(notes))


def check_ais(paths: str | Path | Iterable[str | Path], *, columns: Mapping[str, str] | None = None) -> None:
    """Refuse files that are not there or whose header is not known, in a moment, before hours of other work.

    Raises
    ------
    AisError
        As `read_ais` would.
    """
    for path in _files(paths):
        for part in parts_of(path):
            if _kind(part) == "csv":
                form_of(part, columns)


def _files(paths: str | Path | Iterable[str | Path]) -> Iterator[Path]:
    for given in [paths] if isinstance(paths, str | Path) else paths:
        path = Path(given)
        if not path.exists():
            raise AisError(f"{path}: is not there", path=path)
        if not path.is_dir():
            yield path
            continue
        found = [each for each in sorted(path.rglob("*")) if each.is_file() and _is_named_so(each)]
        if not found:
            raise AisError(f"{path}: no files of AIS in this folder ({', '.join(ENDINGS)})", path=path)
        yield from found


def _is_named_so(path: Path) -> bool:
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    return (
        not path.name.startswith(".")
        and bool(endings)
        and (endings[-1] in ENDINGS or endings[-1] == ".zip" or (endings[-1] in PACKINGS and endings[0] in ENDINGS))
    )


def _kind(part: Part) -> str:
    head = part.head()
    if head.startswith(b"PAR1"):
        return "parquet"
    if is_nmea(head):
        return "nmea"
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["}:
        return "json"
    return "csv"


_READERS: Final = {"parquet": read_parquet, "nmea": read_nmea, "json": read_json, "csv": read_csv}


def _dated(
    frame: pd.DataFrame, header: Mapping[str, str], part: Part, scope: Scope, seen: Seen
) -> tuple[pd.DataFrame, list[str]]:
    """Return the reports of a file in one form, those in the period and those without a place."""
    if frame.empty:
        return frame, []
    tidied, notes = tidy(frame, header, part.name)
    tidied["file"] = part.name
    placed = tidied["longitude"].between(-180, 180) & tidied["latitude"].between(-90, 90)
    times = tidied["time"][placed].dropna()
    if scope.start is not None and len(times):
        seen.nearest_time = times.iloc[int((times - scope.start).abs().argmin())]
    return tidied[scope.lasts(tidied["time"]) | ~placed | tidied["time"].isna()], notes


def _refuse_units(part: Part, seen: Seen) -> None:
    """Refuse a file whose places are in other units, or swapped."""
    if seen.n_off_earth > max(1, MAX_OFF_EARTH * seen.n_rows):
        advice = "give degrees, not minutes or parts of them"
        raise AisError(f"{part.name}: {seen.first_off_earth} is no place on Earth; {advice}", path=part.name)
    if not seen.n_near and seen.n_near_if_swapped > 0.5 * seen.n_placed:
        doubt = "latitude and longitude are swapped: only so its places lie near the port"
        raise AisError(f"{part.name}: {doubt}; name them with --ais-columns", path=part.name)


def _nothing(names: Sequence[str], tallies: Sequence[Seen], scope: Scope) -> AisError:
    """Return the error that says how far the nearest report is, in space and time."""
    which = names[0] if len(names) == 1 else f"{len(names)} files"
    fault = f"{which}: no report near the port at the time of the passes"
    if not any(seen.n_placed for seen in tallies):
        fault = f"{which}: no report with a place; are these messages of names and sizes alone?"
    elif scope.start is not None and any(seen.n_inside for seen in tallies):
        times = [seen.nearest_time for seen in tallies if seen.nearest_time is not None]
        start = scope.start
        nearest = min(times, key=lambda time: abs((time - start).total_seconds()))
        span = f"{start:%Y-%m-%d %H:%M} to {scope.stop:%Y-%m-%d %H:%M} UTC"
        fault = f"{fault} ({span}, with a day around); the nearest there is of {nearest:%Y-%m-%d %H:%M}"
    else:
        near = min(tallies, key=lambda seen: seen.nearest_km)
        if np.isfinite(near.nearest_km):
            when = printable(near.nearest_when)[:40]
            fault = f"{fault}; the nearest is {near.nearest_km:.0f} km from the port, at {when}"
    return AisError(fault, path=names[0])
