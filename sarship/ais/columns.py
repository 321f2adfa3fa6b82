"""Columns of AIS files by their headers, and their values in one form: times in UTC, knots, degrees, metres.

No file says who wrote it; its header is enough. Names come from files of MarineCadastre, the Danish Maritime Authority,
Kystverket, exactEarth and Spire, MarineTraffic, VesselFinder, AISHub, Digitraffic and aisstream.io.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from sarship.errors import AisError
from sarship.texts import printable

__all__ = ["FIELDS", "NUMBERS", "TEXTS", "columns_of", "headed", "parse_times", "tidy"]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "mmsi": ("mmsi", "userid", "user_id", "ssvid"),
    "time": (
        "time_utc", "timestampexternal", "base_date_time", "basedatetime", "date_time_utc", "datetime_utc", "tstamp",
        "timestamp", "time", "date_time", "datetime", "msgtime", "received_at", "t",
    ),
    "longitude": ("longitude", "lon", "lng", "long", "x"),
    "latitude": ("latitude", "lat", "y"),
    "sog_kn": ("sog", "sog_kn", "speed_over_ground", "speed"),
    "sog_m_s": ("sog_m_s", "speed_m_s", "speed_ms"),
    "cog_deg": ("cog", "cog_deg", "course_over_ground", "course"),
    "heading_deg": ("true_heading", "trueheading", "heading", "heading_deg"),
    "nav_status": (
        "nav_status", "navstat", "navstatus", "navigational_status", "navigationalstatus", "navigation_status",
        "status",
    ),
    "ais_class": ("transceiverclass", "transceiver_class", "transceiver", "type_of_mobile", "ais_class", "class"),
    "message": ("message_nr", "message_id", "msgid", "msg_type", "message_type"),
    "a_m": ("a", "to_bow", "dimension_to_bow", "a_m"),
    "b_m": ("b", "to_stern", "dimension_to_stern", "b_m"),
    "c_m": ("c", "to_port", "dimension_to_port", "c_m"),
    "d_m": ("d", "to_starboard", "dimension_to_starboard", "d_m"),
    "length_m": ("length", "length_m"),
    "width_m": ("width", "width_m", "beam"),
    "draught_m": ("draught", "draft", "draught_m"),
    "name": ("vessel_name", "vesselname", "name", "ship_name", "shipname"),
    "imo": ("imo", "imo_number"),
    "callsign": ("callsign", "call_sign"),
    "ship_type": ("vessel_type", "vesseltype", "ship_type", "shiptype", "type"),
    "destination": ("destination", "dest"),
    "source": ("data_source_type", "source", "src"),
}  # fmt: skip
"""Fields of a report, and the names that headers have for them, the surest first."""
NUMBERS: Final = (
    "sog_kn", "cog_deg", "heading_deg", "message", "a_m", "b_m", "c_m", "d_m", "length_m", "width_m", "draught_m",
    "imo",
)  # fmt: skip
TEXTS: Final = ("name", "callsign", "ship_type", "destination", "source", "ais_class")
MISSING_FROM: Final = {"sog_kn": 102.2, "cog_deg": 360.0, "heading_deg": 360.0}
"""Smallest value of a field that says that it is not known."""
NONE_IF_ZERO: Final = ("length_m", "width_m", "draught_m", "imo")
MAX_KN: Final = 60.0
"""Speed of the fastest twentieth of the reports above which speeds are in tenths of a knot."""
KNOT_M_S: Final = 0.514444
LONGEST_TEXT: Final = 60
_OBEYED: Final = "[@\\x00-\\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+"
"""Characters that no name of AIS has, and that a terminal or page would obey."""
_DAY_FIRST: Final = "type_of_mobile"
"""Column of the Danish files, which write the day before the month."""
_STATUS: Final = {
    "under way using engine": 0, "at anchor": 1, "not under command": 2, "restricted maneuverability": 3,
    "restricted manoeuverability": 3, "constrained by her draught": 4, "moored": 5, "aground": 6,
    "engaged in fishing": 7, "under way sailing": 8,
}  # fmt: skip


def columns_of(header: Sequence[str], file: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the header's name of each field that it has.

    Parameters
    ----------
    header
        Names of the columns, as the file has them.
    file
        Name of the file, for the message.
    given
        Names that the user gives for some fields.

    Raises
    ------
    AisError
        If there is no column for the MMSI, time or place, or a name is given that the header lacks.

    Examples
    --------
    >>> columns_of(["# Timestamp", "MMSI", "Latitude", "Longitude"], "a.csv")["time"]
    '# Timestamp'
    """
    if not given and len({headed(name) for name in header} & {"start", "end", "position", "vessel"}) > 2:
        raise AisError(f"{file}: holds events, not positions; AIS is matched by positions", path=file)
    known = {headed(name): name for name in reversed(header)}
    found = {field: known[name] for field, names in FIELDS.items() for name in reversed(names) if name in known}
    for field, name in (given or {}).items():
        if field not in FIELDS:
            raise AisError(f"{printable(field)!r} is no field of a report; choose from {', '.join(FIELDS)}", path=file)
        if name not in header:
            raise AisError(f"{file}: no column {name!r} for {field}; it has {_some(header)}", path=file)
        found[field] = name
    lacking = [field for field in ("mmsi", "time", "longitude", "latitude") if field not in found]
    if lacking:
        fault = f"{file}: no column for {' and '.join(lacking)}; it has {_some(header)}"
        raise AisError(f"{fault}; name them with --ais-columns '{lacking[0]}=…'", path=file)
    return found


def headed(name: str) -> str:
    """Return a header's name without case, marks and spaces.

    >>> headed('"# Type of mobile"')
    'type_of_mobile'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _some(header: Sequence[str]) -> str:
    return printable(", ".join(map(str, header[:12]))[:200]) or "none"


def parse_times(texts: pd.Series[Any], file: str, *, is_day_first: bool | None = None) -> pd.Series[Any]:
    """Return times in UTC of texts or numbers; missing where one cannot be read.

    A time without a zone is UTC, as in every known source. Numbers are seconds or milliseconds since 1970. Dates with
    slashes or points are read day first where any of the file's shows it, and month first where any shows that.

    Raises
    ------
    AisError
        If none can be read, or the order of day and month cannot be told.

    Examples
    --------
    >>> parse_times(pd.Series(["2024-01-01 00:00:00.1 +0000 UTC", "1704067200"]), "a").dt.second.tolist()
    [0, 0]
    >>> parse_times(pd.Series(["31/12/2015 23:59:59"]), "a").dt.month.tolist()
    [12]
    """
    if isinstance(texts.dtype, pd.DatetimeTZDtype) or texts.dtype.kind == "M":
        return pd.to_datetime(texts, utc=True).astype("datetime64[ns, UTC]")
    return _each_once(texts, lambda distinct: _times(distinct, file, is_day_first))


def _times(texts: pd.Series[Any], file: str, is_day_first: bool | None) -> pd.Series[Any]:
    """Return the times of texts."""
    text = texts.str.strip().str.replace(r"\s*(UTC|GMT)$", "", regex=True)
    times = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[ns, UTC]")
    forms = {
        "number": r"\d{9,10}(\.\d+)?|\d{12,13}",
        "compact": r"\d{8}_\d{6}",
        "slashes": r"\d{1,2}[/.]\d{1,2}[/.]\d{4}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?",
        "iso": r"\d{4}-\d{2}-\d{2}.*",
    }
    for form, pattern in forms.items():
        rows = text.str.fullmatch(pattern).fillna(value=False).astype(bool)
        if not rows.any():
            continue
        some = text[rows]
        if form == "number":
            number = some.astype(float)
            seconds = number.where(number < 1e11, number / 1000)
            found = pd.to_datetime((seconds * 1e9).round().astype("int64"), utc=True)
        elif form == "compact":
            found = pd.to_datetime(some, format="%Y%m%d_%H%M%S", utc=True, errors="coerce")
        elif form == "slashes":
            found = _slashed(some.str.replace(".", "/", n=2).str.replace("T", " "), file, is_day_first)
        else:
            plain = some.str.replace(r"\s+([+-]\d{2}:?\d{2})$", r"\1", regex=True)
            found = pd.to_datetime(plain, format="ISO8601", utc=True, errors="coerce")
        times[rows] = found.astype("datetime64[ns, UTC]")
    bad = times.isna() & text.ne("") & texts.notna()
    if len(times) and times.isna().all() and bad.any():
        first = printable(str(text[bad].iloc[0])[:40])
        raise AisError(f"{file}: row {texts.index[bad][0]}: the time {first!r} is in no form that is known", path=file)
    return times


def _slashed(text: pd.Series, file: str, is_day_first: bool | None) -> pd.Series:
    if is_day_first is None:
        parts = text.str.extract(r"^(\d+)/(\d+)/").astype(int)
        day_first, month_first = bool((parts[0] > 12).any()), bool((parts[1] > 12).any())
        if day_first == month_first:
            fault = "have days and months in both orders" if day_first else "may be day or month first"
            advice = "write them as 2024-12-31T23:59:59"
            raise AisError(f"{file}: times like {text.iloc[0]!r} {fault}; {advice}", path=file)
        is_day_first = day_first
    order = "%d/%m" if is_day_first else "%m/%d"
    seconds = text.where(text.str.count(":") == 2, text + ":00")
    return pd.to_datetime(seconds, format=f"{order}/%Y %H:%M:%S", utc=True, errors="coerce")


def tidy(frame: pd.DataFrame, header: Mapping[str, str], file: str) -> tuple[pd.DataFrame, list[str]]:
    """Return reports of a file with numbers, texts and times in one form, and what was assumed, a sentence each.

    Parameters
    ----------
    frame
        A row a report, a column a field (`FIELDS`), as texts or numbers; the index is the row in the file.
    header
        As from `columns_of`.
    file
        Name of the file.
    """
    danish = any(headed(name) == _DAY_FIRST for name in header.values())
    out = frame[["longitude", "latitude"]].copy()
    out["mmsi"] = _numbers(frame["mmsi"]).fillna(0).clip(0, 2**40).astype("int64")
    out["time"] = parse_times(frame["time"], file, is_day_first=True if danish else None)
    notes = []
    for field in NUMBERS:
        out[field] = _numbers(frame[field]) if field in frame else np.nan
    if "sog_m_s" in frame:
        out["sog_kn"] = out["sog_kn"].fillna(_numbers(frame["sog_m_s"]) / KNOT_M_S)
    fast = out["sog_kn"][out["sog_kn"] > 1]
    if len(fast) and fast[fast < 1022].quantile(0.95) > MAX_KN:
        out["sog_kn"] /= 10
        notes.append(f"{file}: speeds are taken for tenths of a knot: a twentieth of them is over {MAX_KN:g}")
    for field, limit in MISSING_FROM.items():
        out[field] = out[field].where((out[field] < limit) & (out[field] >= 0))
    for field in NONE_IF_ZERO:
        out[field] = out[field].where(out[field] > 0)
    out["nav_status"] = _statuses(frame["nav_status"]) if "nav_status" in frame else np.nan
    for field in TEXTS:
        text = frame[field] if field in frame else pd.Series("", index=frame.index, dtype="str")
        out[field] = _each_once(text, _plain).astype("str").fillna("")
    return _with_class(_with_sizes(out)), notes


def _each_once(column: pd.Series, change: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Return what a function makes of the texts of a column: of millions of reports few texts are distinct."""
    texts = column.astype("str")
    distinct = texts.dropna().drop_duplicates()
    return texts.map(change(distinct).set_axis(distinct))


def _plain(text: pd.Series) -> pd.Series:
    """Return texts that no terminal, page or spreadsheet obeys; the last takes one for a formula by its first sign."""
    plain = text.str.replace(_OBEYED, " ", regex=True)
    return plain.str.lstrip("=+-@ ").str.rstrip().str.slice(0, LONGEST_TEXT)


def _numbers(column: pd.Series) -> pd.Series:
    """Return numbers of a column, also with decimal commas; missing where there is none."""
    if column.dtype.kind in "iuf":
        return column.astype(float)
    return _each_once(column, _parsed)


def _parsed(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce").astype(float)


def _statuses(column: pd.Series) -> pd.Series:
    """Return the navigational status as its number, also of its words."""
    codes = {text: float(code) for text, code in _STATUS.items()}
    named = _each_once(column, lambda text: text.str.lower().str.strip().map(codes).astype(float))
    return _numbers(column).fillna(named).where(lambda code: code.between(0, 14))  # 15 is a set's that was left alone


def _with_sizes(out: pd.DataFrame) -> pd.DataFrame:
    """Return reports with sizes by the antenna's place where they have none, and that place only if it is whole."""
    for size, ends in (("length_m", ("a_m", "b_m")), ("width_m", ("c_m", "d_m"))):
        one, other = (out[end] for end in ends)
        both = one + other
        # 0 ahead says that the reference point is not known, and 511 and 63 are the largest values there are
        known = (one > 0) & (other > 0) & (both < (1000 if size == "length_m" else 125))
        out[size] = out[size].fillna(both.where((both > 0) & (both < 1000)))
        for end in ends:
            out[end] = out[end].where(known)
    return out


def _with_class(out: pd.DataFrame) -> pd.DataFrame:
    """Return reports with the class A or B, by the message where not given, or the words for another station."""
    given = out["ais_class"].str.removeprefix("Class ").str.strip()
    by_message = out["message"].map({1: "A", 2: "A", 3: "A", 5: "A", 18: "B", 19: "B", 24: "B", 27: "A"})
    out["ais_class"] = given.where(given != "", by_message.fillna("").astype("str")).astype("str")
    source = out["source"].str.lower()
    kinds = {"g": "terrestrial", "ter": "terrestrial", "terrestrial": "terrestrial", "s": "satellite"}
    kinds |= {"sat": "satellite", "satellite": "satellite", "ais": "terrestrial"}
    out["source"] = source.map(kinds).fillna("").astype("str")
    return out
