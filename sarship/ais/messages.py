"""Messages of AIS: JSON as services send it, and NMEA sentences as receivers write it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import pandas as pd

from sarship.ais.columns import FIELDS, columns_of
from sarship.ais.scope import Scope, Seen
from sarship.ais.text_files import DAMAGED, Part, Read, damaged
from sarship.errors import AisError
from sarship.texts import printable

__all__ = ["read_json", "read_nmea"]

_SENTENCE: Final = re.compile(
    r"(?:\\(?P<tag>[^\\]*)\\)?(?P<sentence>![A-Z]{2}VD[MO],(?P<n>\d),(?P<k>\d),(?P<id>\d?),(?P<channel>[^,]?),"
    r"(?P<payload>[^,]*),\d\*[0-9A-Fa-f]{2})(?:,(?P<epoch>\d{9,13}(?:\.\d+)?)\b)?"
)
_TAG_TIME: Final = re.compile(r"(?:^|,)c:(\d{9,13})\b")
_READ: Final = frozenset("1235BCHK")
"""First letters of the payloads that are read: messages 1, 2, 3, 5, 18, 19, 24, 27."""
_NOT_VESSELS: Final = {"4": "base stations", "E": "aids to navigation", "9": "search and rescue aircraft"}
_TIMELESS: Final = "messages without a time"
_CHUNK: Final = 50_000


def read_json(part: Part, scope: Scope, seen: Seen, given: Mapping[str, str] | None) -> Read:
    """Return the reports of JSON lines, of aisstream.io or flat, or of GeoJSON, a column a field.

    Raises
    ------
    AisError
        If a line is no JSON, or names no place or time.
    """
    frames: list[pd.DataFrame] = []
    header: dict[str, str] = {}
    vessels = ((number, flat) for number, value in _values(part) if (flat := _flat(value)) is not None)
    for wide in _chunks(vessels):
        header = header or columns_of(wide.columns.tolist(), part.name, given)
        frames.append(_kept(pd.DataFrame({field: wide.get(name) for field, name in header.items()}), scope, seen))
    if not frames:
        raise AisError(f"{part.name}: holds no reports of vessels", path=part.name)
    return pd.concat(frames), header


def _values(part: Part) -> Iterator[tuple[int, Any]]:
    """Yield the lines of a file as values, with their numbers; the features of one that is a collection."""
    try:
        with part.open() as stream:
            if part.head().split(b"\n")[0].strip() in {b"{", b"["} or b'"FeatureCollection"' in part.head(4096):
                whole = json.loads(stream.read())
                features = whole.get("features", []) if isinstance(whole, dict) else whole
                yield from enumerate(features, start=1)
                return
            for number, line in enumerate(_lines(stream), start=1):
                if line.strip():
                    try:
                        yield number, json.loads(line)
                    except ValueError as error:
                        fault = f"{part.name}: line {number} is no JSON: {printable(line[:60])!r}"
                        raise AisError(f"{fault}; is the file cut off?", path=part.name) from error
    except AisError:
        raise
    except (*DAMAGED, ValueError) as error:
        raise damaged(part.name, error) from error


def _lines(stream: Any) -> Iterator[str]:
    """Yield the lines of a stream as text: not every kind of stream has them."""
    rest = b""
    while block := stream.read(1 << 20):
        *lines, rest = (rest + block).split(b"\n")
        yield from (line.decode("utf-8-sig", errors="replace") for line in lines)
    if rest:
        yield rest.decode("utf-8-sig", errors="replace")


def _flat(value: Any) -> dict[str, Any] | None:
    """Return a message as one level of names; None for one that is not of a vessel."""
    if not isinstance(value, dict):
        return None
    meta, message = value.get("MetaData"), value.get("Message")
    if isinstance(meta, dict) and isinstance(message, dict):
        body = next((each for each in message.values() if isinstance(each, dict)), {})
        if value.get("MessageType") not in _KINDS or body.get("Valid") is False:
            return None
        size = body.get("Dimension") or {}
        return {
            "mmsi": meta.get("MMSI", body.get("UserID")),
            "time_utc": meta.get("time_utc"),
            "longitude": body.get("Longitude"),
            "latitude": body.get("Latitude"),
            "sog": body.get("Sog"),
            "cog": body.get("Cog"),
            "heading": body.get("TrueHeading"),
            "nav_status": body.get("NavigationalStatus"),
            "msg_type": _KINDS[value["MessageType"]],
            "name": body.get("Name") or meta.get("ShipName"),
            "imo": body.get("ImoNumber"),
            "callsign": body.get("CallSign"),
            "ship_type": body.get("Type"),
            "destination": body.get("Destination"),
            "draught": body.get("MaximumStaticDraught"),
            **{name.lower(): size.get(name) for name in "ABCD"},
        }
    properties = value.get("properties")
    if isinstance(properties, dict):
        place = (value.get("geometry") or {}).get("coordinates") or [None, None]
        own = {"mmsi": value["mmsi"]} if "mmsi" in value else {}
        return own | properties | {"longitude": place[0], "latitude": place[1]}
    return value


_KINDS: Final = {
    "PositionReport": 1,
    "ShipStaticData": 5,
    "StandardClassBPositionReport": 18,
    "ExtendedClassBPositionReport": 19,
    "StaticDataReport": 24,
    "LongRangeAisBroadcastMessage": 27,
}


def read_nmea(part: Part, scope: Scope, seen: Seen, _: Mapping[str, str] | None) -> Read:
    """Return the reports of NMEA sentences, a column a field; the index is the line.

    The time is that of the tag block, of the Gatehouse sentence before, or written behind the sentence.

    Raises
    ------
    AisError
        If the sentences have no times, or the package `pyais` is missing.
    """
    skipped: Counter[str] = Counter()
    frames = [_kept(chunk, scope, seen) for chunk in _chunks(_decoded(part, skipped))]
    if skipped[_TIMELESS] and not frames:
        fault = "the sentences have no times, and say only the second of the minute themselves"
        advice = "take a log with tag blocks (\\c:…\\), or with the epoch behind each sentence"
        raise AisError(f"{part.name}: {fault}; {advice}", path=part.name)
    if skipped:
        seen.notes.append(f"{part.name}: left out {', '.join(f'{count} {what}' for what, count in skipped.items())}")
    return pd.concat(frames or [pd.DataFrame(columns=list(FIELDS))]), {field: field for field in FIELDS}


def _decoded(part: Part, skipped: Counter[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line and fields of each message of a vessel; count the others."""
    try:
        from pyais import decode  # noqa: PLC0415  (an extra)
        from pyais.exceptions import AISBaseException  # noqa: PLC0415
    except ImportError as error:
        message = f"{part.name}: NMEA needs the package pyais: pip install 'sarship[ais]'"
        raise AisError(message, path=part.name) from error
    for number, seconds, sentences, payload in _messages(part):
        if payload[:1] not in _READ:
            skipped[_NOT_VESSELS.get(payload[:1], "messages that are no reports of vessels")] += 1
        elif seconds is None:
            skipped[_TIMELESS] += 1
        else:
            try:
                fields = _row(decode(*sentences).asdict(), seconds)
            except (AISBaseException, ValueError, IndexError, KeyError, TypeError):
                skipped["messages that cannot be read"] += 1
                continue
            yield number, fields


def _chunks(rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[pd.DataFrame]:
    """Yield tables of many rows, with their numbers as the index."""
    rows = iter(rows)
    while chunk := list(islice(rows, _CHUNK)):
        numbers, values = zip(*chunk, strict=True)
        yield pd.DataFrame(list(values), index=list(numbers))


def _kept(frame: pd.DataFrame, scope: Scope, seen: Seen) -> pd.DataFrame:
    frame = frame.reindex(columns=list(FIELDS))
    for name in ("longitude", "latitude"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return seen.keep(frame, scope)


def _messages(part: Part) -> Iterator[tuple[int, float | None, tuple[str, ...], str]]:
    """Yield line, time in seconds since 1970, sentences and payload of each message."""
    waiting: dict[tuple[str, str, str], dict[int, tuple[str, str]]] = {}
    times: dict[tuple[str, str, str], float | None] = {}
    gatehouse: float | None = None
    try:
        with part.open() as stream:
            for number, line in enumerate(_lines(stream), start=1):
                if line.startswith("$PGHP"):
                    gatehouse = _gatehouse(line)
                    continue
                found = _SENTENCE.search(line)
                if not found:
                    continue
                seconds, gatehouse = _seconds(found, gatehouse), None
                sentence, total = found["sentence"], found["n"]
                if total == "1":
                    yield number, seconds, (sentence,), found["payload"]
                    continue
                key = (total, found["id"], found["channel"])
                if found["k"] == "1":
                    waiting[key], times[key] = {}, None
                pieces = waiting.setdefault(key, {})
                pieces[int(found["k"])] = (sentence, found["payload"])
                times[key] = times.get(key) if seconds is None else seconds
                if len(pieces) == int(total):
                    ordered = [pieces[k] for k in sorted(pieces)]
                    yield number, times.pop(key), tuple(each[0] for each in ordered), ordered[0][1]
                    del waiting[key]
    except DAMAGED as error:
        raise damaged(part.name, error) from error


def _seconds(found: re.Match[str], gatehouse: float | None) -> float | None:
    tag = _TAG_TIME.search(found["tag"] or "")
    text = tag[1] if tag else found["epoch"]
    if text is None:
        return gatehouse
    seconds = float(text)
    return seconds / 1000 if seconds > 1e11 else seconds


def _gatehouse(line: str) -> float | None:
    """Return the time of a sentence `$PGHP,1,year,month,day,hour,minute,second,millisecond,…`."""
    try:
        year, month, day, hour, minute, second, milli = (int(part) for part in line.split(",")[2:9])
        time = pd.Timestamp(year, month, day, hour, minute, second, tz="UTC")
    except ValueError:
        return None
    return time.timestamp() + milli / 1000


def _row(fields: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return a decoded message as fields of a report; what it does not say, or as empty text, is left out."""
    known = {field: fields[name] for field, names in FIELDS.items() for name in names if name in fields}
    known |= {name: int(known[name]) for name in ("nav_status", "ship_type") if known.get(name) is not None}
    return {field: value for field, value in known.items() if value not in {None, ""}} | {"time": f"{seconds:.3f}"}
