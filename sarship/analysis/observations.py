"""Dated reports by others of what lay at a port: files of them, read and checked.

A report keeps what it says: a range, a whole day, a local time, a date that is surely wrong. Two that contradict each
other are both kept. What cannot be meant is refused with its row, and nothing is guessed: a time of day without a zone,
a date that may be day-first or month-first, a pier that the port does not have.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.analysis.rows import Row, read_rows
from sarship.errors import ObservationError, ProductWarning
from sarship.geo.local_plane import buffer_m
from sarship.schema import OBSERVATIONS, WHOLE_PORT
from sarship.texts import name_fault

__all__ = ["read_observations", "read_zone"]

TEXTS: Final = ("source", "kind", "url", "sha256", "archived", "collected_by", "collected_at", "confidence", "note")
"""Columns that are kept as they are."""
COLUMNS: Final = ("id", "time", "time_to", "where", "what", "vessel", "value", "low", "high", "least_length_m",
                  *TEXTS, "contradicts")  # fmt: skip
WHAT: Final = ("vessels", "arrived", "left", "ais", "apron")
FULLNESS: Final = ("empty", "some", "full")
KINDS: Final = ("optical", "radar", "ais", "ground", "press")
LONGEST_M: Final = 500.0
"""Length that no vessel reaches, metres."""
MOST: Final = 10_000
"""Number of vessels that no port holds."""
FIRST_SERIAL: Final = date(1899, 12, 30)
"""Day 0 of a spreadsheet's dates."""


def read_observations(path: str | Path, piers: gpd.GeoDataFrame, *, tz: str | None = None) -> gpd.GeoDataFrame:
    r"""Read a file of dated reports.

    Parameters
    ----------
    path
        CSV with a line of column names (comma, semicolon or tab), or a GeoJSON FeatureCollection with the same
        properties. `time` and `where` must be there; docs/howto/dated_reports.md describes all columns.
    piers
        `Port.piers` or `Results.piers`: the places that a report may be about.
    tz
        Zone of times of day that have none, such as `Asia/Damascus` or `+03:00`. None refuses those; dates alone are
        then days of UTC.

    Returns
    -------
    GeoDataFrame
        Table after `schema.OBSERVATIONS`, in the order of the file.

    Warns
    -----
    ProductWarning
        A column has a name that is not known.

    Raises
    ------
    ObservationError
        The file cannot be read, or a row cannot be meant; it says which, and what to do.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> quay = {"name": ["North quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> piers = gpd.GeoDataFrame(quay, geometry=[shapely.Point(35.86, 34.91)], crs="EPSG:4326")
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "seen.csv")
    ...     _ = path.write_text("time,where,value\n2025-01-22T18:42+03:00,North quay,4-5\n")
    ...     reports = read_observations(path, piers)
    >>> reports[["where", "low", "high"]].to_numpy().tolist(), str(reports["time_from"][0])
    ([['North quay', 4.0, 5.0]], '2025-01-22 15:42:00+00:00')
    """
    path = Path(path)
    zone = read_zone(tz)
    rows, names = read_rows(path, COLUMNS)
    missing = next((name for name in ("time", "where") if name not in names), None)
    if missing is not None and not (missing == "where" and any(row.geometry is not None for row in rows)):
        hint = _nearest(missing, names)
        raise ObservationError(f"{path}: has no column {missing!r}{hint}; name one so", path=path)
    for name in names:
        if name not in COLUMNS:
            known = _nearest(name, COLUMNS) or f"; known are {', '.join(COLUMNS)}"
            warnings.warn(
                f"{path}: the column {name!r} is not known and left aside{known}", ProductWarning, stacklevel=2
            )
    places = {str(name): shape for name, shape in zip(piers["name"], piers.geometry, strict=True)}
    near = {str(pier.name): buffer_m(pier.geometry, pier.max_distance_m) for pier in piers.itertuples()}
    reports = [_report(row, places, near, zone) for row in rows]
    _refuse_twins(rows, reports)
    geometry = [places.get(each["where"]) or shapely.union_all(list(places.values())) for each in reports]
    return OBSERVATIONS.of_rows(reports, [shape.centroid for shape in geometry])


def read_zone(tz: str | None) -> tzinfo | None:
    """Return the zone of a name or an offset; None for None.

    Raises
    ------
    ObservationError
        If there is no such zone.

    Examples
    --------
    >>> read_zone("+03:00").utcoffset(None)
    datetime.timedelta(seconds=10800)
    """
    if tz is None:
        return None
    try:
        if re.fullmatch(r"[+-]\d\d:?\d\d|Z", tz):
            return datetime.fromisoformat(f"2000-01-01T00:00:00{tz}").tzinfo
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"there is no time zone {tz!r}; give a name such as Asia/Damascus, or an offset such as +03:00"
        raise ObservationError(message) from error


def _report(
    row: Row, places: Mapping[str, BaseGeometry], near: Mapping[str, BaseGeometry], zone: tzinfo | None
) -> dict[str, Any]:
    """Return a row as it goes into the table."""
    what = _one_of(row, "what", WHAT) or "vessels"
    start, stop = _times(row, zone)
    number = _number(row, "least_length_m")
    if not (np.isnan(number) or 0 <= number <= LONGEST_M):
        raise row.error(f"has least_length_m {number:g}: give metres, 0 to {LONGEST_M:g}")
    texts = {name: row.texts.get(name, "") for name in TEXTS} | {"kind": _one_of(row, "kind", KINDS)}
    _check_texts(row, texts)
    low, high, fullness = _amount(row, what)
    return texts | {
        "observation": row.texts.get("id", str(row.number)),
        "time_from": start,
        "time_to": stop,
        "where": _place(row, what, places, near),
        "what": what,
        "vessel": row.texts.get("vessel", ""),
        "low": low,
        "high": high,
        "fullness": fullness,
        "least_length_m": number,
        "contradicts": " ".join(re.split(r"[\s,;]+", row.texts.get("contradicts", ""))),
    }


def _times(row: Row, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """Return when a report's time begins and ends: of a date alone, the day."""
    if "time" not in row.texts:
        raise row.error("has no time; write a date like 2025-01-22, or a time like 2025-01-22T15:41Z")
    start, stop = _time(row, row.texts["time"], zone)
    if "time_to" in row.texts:
        later, stop = _time(row, row.texts["time_to"], zone)
        if later < start:
            raise row.error(f"ends ({row.texts['time_to']}) before it begins ({row.texts['time']})")
    if start > datetime.now(UTC):
        raise row.error(f"lies in the future: {row.texts['time']}")
    if start.year < FIRST_YEAR:
        raise row.error(f"lies before the first image from orbit: {row.texts['time']}")
    return start, stop


FIRST_YEAR: Final = 1960


def _time(row: Row, text: str, zone: tzinfo | None) -> tuple[datetime, datetime]:
    if re.fullmatch(r"\d{5}([.,]\d+)?", text):
        day = FIRST_SERIAL + timedelta(int(text[:5]))
        raise row.error(
            f"has the time {text}, a spreadsheet's number for {day}; format the column as text and write {day}"
        )
    try:
        if re.fullmatch(r"\d{4}-?\d\d-?\d\d", text):
            start = datetime.combine(date.fromisoformat(text), time(), zone or UTC)
            return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)
        when = datetime.fromisoformat(text)
        if when.tzinfo is None and zone is not None:
            when = when.replace(tzinfo=zone)
        utc = None if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        remedy = "write 2025-01-22, or 2025-01-22T15:41Z"
        raise row.error(f"has the time {text!r}, which may be read in several ways or in none; {remedy}") from error
    if utc is None:
        remedy = f"write {text}Z for UTC, or give the zone of all (--tz)"
        raise row.error(f"has the time of day {text} without a zone; {remedy}")
    if when.utcoffset() != when.replace(fold=1).utcoffset():
        raise row.error(f"has the time {text}, when the clocks of {zone} are changed; write it in UTC, with a Z")
    return utc, utc


def _place(row: Row, what: str, places: Mapping[str, object], near: Mapping[str, BaseGeometry]) -> str:
    """Return the name of the pier, or of the whole port; an apron has a name of its own."""
    name = row.texts.get("where")
    if name is None and row.geometry is not None:
        touched = [pier for pier, area in near.items() if area.intersects(row.geometry)]
        if len(touched) == 1:
            return touched[0]
        if touched and len(touched) == len(near):
            return WHOLE_PORT
        lies = f"touches {len(touched)} of {len(near)} piers" if touched else "is at no pier"
        raise row.error(f"{lies}; name a pier in the column where, or write {WHOLE_PORT}")
    if name is None:
        raise row.error(f"has no place; name a pier in the column where, or write {WHOLE_PORT}")
    if what == "apron" or name in places or name == WHOLE_PORT:
        return name
    folded = {each.casefold(): each for each in (*places, WHOLE_PORT)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    known = _nearest(name, list(places)) or f"; it has {', '.join(list(places)[:8])}, and {WHOLE_PORT} is all of them"
    raise row.error(f"is about {name!r}, which the port has no pier of{known}")


def _amount(row: Row, what: str) -> tuple[float, float, str]:
    """Return the range of the number of vessels, and the word for an apron."""
    given = {name: row.texts[name] for name in ("value", "low", "high") if name in row.texts}
    if "value" in given and len(given) > 1:
        raise row.error("has a value and a range; give value, or low and high")
    if what == "apron":
        word = given.get("value", "").lower()
        if word not in FULLNESS:
            raise row.error(f"is about an apron and has the value {word!r}; give {', '.join(FULLNESS)}")
        return np.nan, np.nan, word
    if what == "vessels" and not given:
        raise row.error("has no number; give value, or low or high or both")
    if "value" in given:
        ends = re.split(r"\s*[-–—]\s*", given["value"])
        low, high = _whole(row, "value", ends[0]), _whole(row, "value", ends[-1])
        if len(ends) > 2:
            raise row.error(f"has the value {given['value']!r}; give a whole number, or a range like 4-5")
    else:
        low, high = (_whole(row, name, given[name]) if name in given else np.nan for name in ("low", "high"))
    if low > high:
        raise row.error(f"has low {low:.0f} above high {high:.0f}; swap them")
    return low, high, ""


def _whole(row: Row, name: str, text: str) -> float:
    if not (text.isascii() and text.isdigit() and int(text) <= MOST):
        raise row.error(f"has {name} {text!r}; give a whole number, 0 to {MOST}")
    return float(text)


def _number(row: Row, name: str) -> float:
    text = row.texts.get(name, "nan").replace(",", ".")
    try:
        return float(text)
    except ValueError as error:
        raise row.error(f"has {name} {text!r}; give a number") from error


def _one_of(row: Row, name: str, known: Sequence[str]) -> str:
    text = row.texts.get(name, "").lower()
    if text and text not in known:
        raise row.error(f"has {name} {text!r}{_nearest(text, known)}; known are {', '.join(known)}")
    return text


def _check_texts(row: Row, texts: Mapping[str, str]) -> None:
    for name in ("id", "where", "vessel"):
        if fault := name_fault(row.texts.get(name, "")):
            raise row.error(f"has the {name} {row.texts[name][:40]!r}, which {fault}")
    if " " in row.texts.get("id", ""):
        raise row.error(f"has the id {row.texts['id']!r}; ids have no spaces, as `contradicts` lists them with spaces")
    if not re.fullmatch(r"([0-9a-fA-F]{64})?", texts["sha256"]):
        raise row.error(f"has sha256 {texts['sha256'][:20]!r}, and that has 64 digits 0-9, a-f")
    if not re.fullmatch(r"([A-F][1-6]|0|1|0?[.,]\d+|[01][.,]0+)?", texts["confidence"]):
        raise row.error(f"has confidence {texts['confidence'][:20]!r}; give A1 to F6, or 0 to 1")


def _refuse_twins(rows: Sequence[Row], reports: Sequence[dict[str, Any]]) -> None:
    """Refuse ids and reports that are there twice, and marks of reports that are not there."""
    ids: dict[str, Row] = {}
    whole: dict[str, Row] = {}
    for row, report in zip(rows, reports, strict=True):
        name = report["observation"]
        if name in ids:
            raise row.error(f"has the name {name!r} of row {ids[name].number}; give each an id of its own")
        ids[name] = row
        content = repr({key: value for key, value in report.items() if key != "observation"})
        if content in whole:
            raise row.error(f"says the same as row {whole[content].number}; delete one, it would count twice")
        whole[content] = row
    for row, report in zip(rows, reports, strict=True):
        for other in report["contradicts"].split():
            if other not in ids or other == report["observation"]:
                raise row.error(f"contradicts {other!r}, which no other row has as id{_nearest(other, list(ids))}")


def _nearest(text: str, known: Sequence[str]) -> str:
    found = get_close_matches(text, known, n=1)
    return f"; is {found[0]!r} meant?" if found else ""
