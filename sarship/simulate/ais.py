"""AIS of a simulated port: what receivers would have written of its vessels, in three forms, as untidy as real files.

Reports have intervals that depend on what a vessel does, drop-outs, rounded places, antennas aft of the middle, sets
that are off for ever, lengths that are wrong, rows there twice, base stations and buoys. On chosen passes nobody is
heard, or many show one false place; the clock may be off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from pyproj import Geod

from sarship.simulate.port_series import PortSeries
from sarship.simulate.traffic import ANCHORAGE_NAME

__all__ = ["SimulatedAis", "simulate_ais"]

Form = Literal["danish", "csv2", "nmea"]

KNOT_M_S: Final = 0.514444
_GEOD: Final = Geod(ellps="WGS84")
_REST_MINUTES: Final = (*range(-780, -120, 30), *range(-120, 121, 6), *range(150, 781, 30))
"""Times of reports of a vessel at rest from the pass: every six minutes, thinned to half hours further off."""
_WAY_MINUTES: Final = tuple(range(-20, 21))
_NEARBY: Final = 8
"""Vessels at anchor outside the image, which tell whether AIS was heard."""
_NEARBY_M: Final = (9_000.0, 30_000.0)
_NOISE_M: Final = 5.0
_ANTENNA: Final = (0.08, 0.35)
"""Range of the antenna's distance from the stern, part of the length."""
_WRONG_LENGTH: Final = 0.04
_NO_HEADING: Final = 0.1
_LOST: Final = 0.15
"""Shares of vessels with a wrong length or no heading, and of reports that are lost."""
_TWICE: Final = 0.3
_GAP_MINUTES: Final = 45
_JAM_MINUTES: Final = 90
_JAMMED: Final = 0.7
"""Share of the vessels that show the false place."""
_FALSE_M: Final = (40_000.0, 150.0)
"""Distance and direction in degrees of the false place from the port."""
_STREAM: Final = 41


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulatedAis:
    """Files of simulated AIS, and their truth."""

    files: Mapping[str, Path]
    """File of each form: `danish`, `csv2`, `nmea`."""
    mmsi: Mapping[str, int]
    """Number of each vessel that transmits, by its `vessel_id`; those that are not here are dark."""


def simulate_ais(
    series: PortSeries,
    folder: str | Path,
    *,
    seed: int = 0,
    forms: Sequence[Form] = ("danish", "csv2", "nmea"),
    share_dark: float = 0.25,
    jammed: Collection[int] = (),
    unheard: Collection[int] = (),
    hours_off: float = 0.0,
) -> SimulatedAis:
    """Write AIS of the vessels of a simulated port around each of its passes.

    Parameters
    ----------
    series
        The port and its truth.
    folder
        Folder of the files; made if missing.
    seed
        Seed of everything.
    forms
        Forms to write; `nmea` needs the package pyais.
    share_dark
        Share of the vessels that never transmit.
    jammed, unheard
        Numbers of the passes, from 0, about which most vessels show a false place, and about which nobody is heard.
    hours_off
        Hours by which the clock of the files is ahead of UTC.

    Returns
    -------
    SimulatedAis
        Paths and truth.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.simulate import ProductParams, simulate_port_series
    >>> tiny = ProductParams(shape=(64, 64), polarizations=("VV",))
    >>> with TemporaryDirectory() as folder:
    ...     series = simulate_port_series(folder, n_dates=1, params=tiny)
    ...     ais = simulate_ais(series, folder, forms=["csv2"])
    ...     ais.files["csv2"].read_text().splitlines()[0].split(",")[:4]
    ['mmsi', 'base_date_time', 'longitude', 'latitude']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, _STREAM])
    scenes = {path.name.split(".")[0]: k for k, one in enumerate(series.passes) for path in one.slices}
    truth = pd.DataFrame(series.truth.drop(columns="geometry"))
    truth["number"] = truth["scene"].map(scenes)
    truth = truth.drop_duplicates(["number", "vessel_id"])
    ids = sorted(truth["vessel_id"].unique())
    sets = {name: _set(k, rng) for k, name in enumerate(ids)}
    sending = {name: each for name, each in sets.items() if each["luck"] >= share_dark}
    rows: list[dict[str, Any]] = []
    middle = (float(truth["longitude"].mean()), float(truth["latitude"].mean()))
    times = truth.groupby("number")["time"].min().dt.round("s")
    times = times.reindex(range(len(series.passes))).ffill().bfill()  # a pass that shows no vessel has no time
    halves = (times.diff().dt.total_seconds()[1:] / 120).tolist()
    for number in range(len(series.passes)):
        vessels = truth[truth["number"] == number]
        if vessels.empty:
            continue
        time = times[number]
        span = (-min([900.0, *halves[number - 1 : number]]), min([900.0, *halves[number : number + 1]]))
        here = [*_records(vessels[vessels["vessel_id"].isin(sending)]), *_nearby(middle, rng)]
        for vessel in here:
            own = sending.get(vessel["vessel_id"]) or _set(len(ids) + vessel["k"], np.random.default_rng(vessel["k"]))
            rows += _reports(vessel, own, (time, *span), rng)
        _hide(rows, time, rng, is_unheard=number in unheard, false=_false_place(middle) if number in jammed else None)
    frame = pd.DataFrame(rows).sort_values(["time", "mmsi"], ignore_index=True)
    frame["time"] += pd.Timedelta(hours_off, "h")
    writers = {"danish": _danish, "csv2": _csv2, "nmea": _nmea}
    files: dict[str, Path] = {}
    for form in forms:
        files[form] = folder / f"ais_{form}.{'nmea' if form == 'nmea' else 'csv'}"
        files[form].write_text("\n".join(writers[form](frame, rng)) + "\n", encoding="utf-8")
    return SimulatedAis(files=files, mmsi={name: each["mmsi"] for name, each in sending.items()})


def _set(k: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return what a transponder says of itself."""
    return {
        "mmsi": int(rng.integers(201, 775)) * 1_000_000 + 100 + k,
        "luck": float(rng.random()),
        "antenna": float(rng.uniform(*_ANTENNA)),
        "has_heading": bool(rng.random() >= _NO_HEADING),
        "stretch": 3.0 if rng.random() < _WRONG_LENGTH else 1.0,
        "name": f"SIMULATED {k}",
    }


def _nearby(middle: tuple[float, float], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield vessels at anchor around the port, the same on each pass."""
    fixed = np.random.default_rng(_STREAM)
    for k in range(_NEARBY):
        longitude, latitude, _ = _GEOD.fwd(*middle, float(fixed.uniform(0, 360)), float(fixed.uniform(*_NEARBY_M)))
        shape = {"length_m": float(fixed.uniform(60, 250)), "width_m": 20.0, "heading_deg": float(rng.uniform(0, 360))}
        where = {"longitude": longitude, "latitude": latitude, "pier": ANCHORAGE_NAME, "speed_m_s": 0.0}
        yield {"vessel_id": "", "k": k, **shape, **where}


def _reports(
    vessel: Mapping[str, Any],
    own: Mapping[str, Any],
    span: tuple[pd.Timestamp, float, float],
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """Yield the reports of a vessel around a pass, up to some minutes before and after; the place is the antenna's."""
    time, first, last = span
    moving = vessel["speed_m_s"] > 0
    length, width, heading = (float(vessel[name]) for name in ("length_m", "width_m", "heading_deg"))
    stern = own["antenna"] * length
    for minute in _WAY_MINUTES if moving else _REST_MINUTES:
        if rng.random() < _LOST or not first <= minute < last:
            continue
        seconds = 60.0 * minute + float(rng.uniform(-20, 20))
        ahead = vessel["speed_m_s"] * seconds + stern - length / 2
        place = _GEOD.fwd(vessel["longitude"], vessel["latitude"], heading, ahead)
        place = _GEOD.fwd(*place[:2], float(rng.uniform(0, 360)), abs(float(rng.normal(0, _NOISE_M))))
        turned = round((heading + rng.normal(0, 1)) % 360) % 360
        sides = {"a": round(length * own["stretch"] - stern), "b": max(1, round(stern))}
        sides |= {"c": max(1, round(width / 2)), "d": max(1, round(width / 2))}
        sides |= {"length": sides["a"] + sides["b"], "width": sides["c"] + sides["d"]}
        yield {
            "mmsi": own["mmsi"],
            "time": (time + pd.Timedelta(seconds, "s")).round("s"),
            "longitude": round(place[0], 6),
            "latitude": round(place[1], 6),
            "sog": round(vessel["speed_m_s"] / KNOT_M_S + (abs(rng.normal(0, 0.05)) if not moving else 0.0), 1),
            "cog": round((heading + (rng.normal(0, 1) if moving else rng.uniform(0, 360))) % 359.9, 1),
            "heading": turned if own["has_heading"] else 511,
            "status": 0 if moving else 1 if vessel["pier"] == ANCHORAGE_NAME else 5,
            "name": own["name"],
            **sides,
        }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values by the names of the columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _false_place(middle: tuple[float, float]) -> tuple[float, float]:
    longitude, latitude, _ = _GEOD.fwd(*middle, _FALSE_M[1], _FALSE_M[0])
    return longitude, latitude


def _hide(
    rows: list[dict[str, Any]],
    time: pd.Timestamp,
    rng: np.random.Generator,
    *,
    is_unheard: bool,
    false: tuple[float, float] | None,
) -> None:
    """Take out the reports around a pass that nobody heard, or put most vessels at a false place."""
    if is_unheard:
        rows[:] = [row for row in rows if abs((row["time"] - time).total_seconds()) > 60 * _GAP_MINUTES]
    if false is None:
        return
    jammed = {mmsi for mmsi in sorted({row["mmsi"] for row in rows}) if rng.random() < _JAMMED}
    for row in rows:
        if row["mmsi"] in jammed and abs((row["time"] - time).total_seconds()) <= 60 * _JAM_MINUTES:
            spot = _GEOD.fwd(*false, float(rng.uniform(0, 360)), float(rng.uniform(0, 250)))
            row |= {"longitude": round(spot[0], 6), "latitude": round(spot[1], 6), "sog": 0.3}


_STATUS: Final = {0: "Under way using engine", 1: "At anchor", 5: "Moored"}


def _danish(frame: pd.DataFrame, rng: np.random.Generator) -> Iterator[str]:
    """Yield the lines of a file of the Danish Maritime Authority: days first, many rows twice, base stations."""
    yield (
        "# Timestamp,Type of mobile,MMSI,Latitude,Longitude,Navigational status,ROT,SOG,COG,Heading,IMO,Callsign,Name,"
        "Ship type,Cargo type,Width,Length,Type of position fixing device,Draught,Destination,ETA,Data source type,"
        "A,B,C,D"
    )
    for row in _records(frame):
        told = {
            "stamp": f"{row['time']:%d/%m/%Y %H:%M:%S}",
            "shown": "" if row["heading"] == 511 else row["heading"],
            "doing": _STATUS[row["status"]],
        }
        line = (
            "{stamp},Class A,{mmsi},{latitude},{longitude},{doing},,{sog},{cog},{shown},Unknown,Unknown,{name},Cargo,,"
            "{width},{length},GPS,,,,AIS,{a},{b},{c},{d}"
        ).format_map(row | told)
        yield line
        if rng.random() < _TWICE:
            yield line
        if rng.random() < 0.02:
            yield f"{told['stamp']},Base Station,2190045,{row['latitude']},{row['longitude']}{',' * 17}AIS,,,,"


def _csv2(frame: pd.DataFrame, _: np.random.Generator) -> Iterator[str]:
    """Yield the lines of a file as MarineCadastre has them from 2025: no antenna, 511 and 360 for what is missing."""
    yield (
        "mmsi,base_date_time,longitude,latitude,sog,cog,heading,vessel_name,imo,call_sign,vessel_type,status,length,"
        "width,draft,cargo,transceiver"
    )
    for row in _records(frame):
        told = {
            "stamp": f"{row['time']:%Y-%m-%d %H:%M:%S}",
            "course": 360.0 if row["sog"] < 0.1 else row["cog"],
        }
        line = (
            "{mmsi},{stamp},{longitude},{latitude},{sog},{course},{heading}.0,{name},,,70,{status},{length},{width},,,A"
        )
        yield line.format_map(row | told)


def _nmea(frame: pd.DataFrame, _: np.random.Generator) -> Iterator[str]:
    """Yield sentences with tag blocks; sizes and names once an hour."""
    from pyais import encode_dict  # noqa: PLC0415  (an extra)

    told: dict[int, pd.Timestamp] = {}
    for row in _records(frame):
        stamp = f"\\s:simulated,c:{int(row['time'].timestamp())}*00\\"
        messages = []
        if row["mmsi"] not in told or row["time"] - told[row["mmsi"]] > pd.Timedelta(1, "h"):
            told[row["mmsi"]] = row["time"]
            size = {"to_bow": row["a"], "to_stern": row["b"], "to_port": row["c"], "to_starboard": row["d"]}
            messages.append({"type": 5, "mmsi": row["mmsi"], "shipname": row["name"], **size})
        place = {"lon": row["longitude"], "lat": row["latitude"], "speed": row["sog"], "course": row["cog"]}
        more = {"heading": row["heading"], "status": row["status"], "second": row["time"].second}
        messages.append({"type": 1, "mmsi": row["mmsi"], **place, **more})
        for message in messages:
            yield from (stamp + line for line in encode_dict(message, talker_id="AI", sentence_type="VDM"))
