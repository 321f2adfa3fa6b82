"""Reports cleaned: what is no vessel, no place or there twice is dropped and counted by reason; tracks told apart."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Geod

from sarship.ais.columns import KNOT_M_S, TEXTS
from sarship.errors import AisError

__all__ = ["clean", "metres_between", "number_tracks", "seconds_of"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

FIRST_MMSI: Final = 201_000_000
"""Smallest number of a ship: the first three digits are a country's."""
MADE_UP: Final = (111_111_111, 123_456_789, 1_193_046)
"""Numbers that sets have before they are set up; the last is 0x123456."""
BUOYS: Final = r"BUOY|NET ?MARK|[0-9]+%$"
"""Names of fishing gear with a transmitter: the last ends with the charge of its battery."""
FASTEST_KN: Final = 60.0
"""Speed above which a step is no vessel's: it begins another track."""
SLACK_M: Final = 500.0
"""Part of a step that says nothing: places are rounded, and times are those of the receiver."""
STEADY: Final = ("a_m", "b_m", "c_m", "d_m", "length_m", "width_m", "draught_m", "imo", *TEXTS[:4])
"""Fields that are a vessel's, not a moment's: they come in messages of their own."""
M_S_RATIO: Final = (0.47, 0.56)
"""Range of the median of reported speed over that between places, if speeds are in metres a second."""
MIN_PAIRS: Final = 30
_GEOD: Final = Geod(ellps="WGS84")


def clean(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the reports of vessels, in order of MMSI, track and time, and how many were dropped by reason.

    Sizes and names of messages without a place are given to the vessel's reports first.

    Raises
    ------
    AisError
        If the speeds of a file are in metres a second.
    """
    mmsi = frame["mmsi"]
    kind = frame["ais_class"].str.lower()
    place = frame["longitude"].between(-180, 180) & frame["latitude"].between(-90, 90)
    reasons: dict[str, pd.Series] = {
        "base stations": kind.str.contains("base") | mmsi.between(1, 9_999_999) & ~mmsi.isin(MADE_UP),
        "aids to navigation": kind.str.contains("aton|navigation") | mmsi.between(990_000_000, 999_999_999),
        "search and rescue aircraft": kind.str.contains("sar|search")
        | mmsi.between(111_000_000, 111_999_999) & (mmsi != MADE_UP[0]),
        "distress beacons": mmsi.between(970_000_000, 979_999_999),
        "numbers of no ship": ~mmsi.between(FIRST_MMSI, 999_999_999) | mmsi.isin(MADE_UP),
        "buoys and nets by their names": frame["name"].str.contains(BUOYS, case=False, regex=True),
        "times that cannot be read": place & frame["time"].isna(),
    }
    dropped: dict[str, int] = {}
    left = pd.Series(data=True, index=frame.index)
    for reason, rows in reasons.items():
        found = rows.fillna(value=False).astype(bool) & left
        dropped[reason] = int(found.sum())
        left &= ~found
    frame, place = _with_steady(frame[left]), place[left]
    dropped["reports without a place"] = int((~place).sum())
    frame = frame[place]
    once = frame.drop_duplicates(["mmsi", "time", "longitude", "latitude"])
    dropped["duplicates"] = len(frame) - len(once)
    frame = once.sort_values(["mmsi", "time"], kind="stable").reset_index(drop=True)
    _refuse_metres_a_second(frame)
    frame["track"] = number_tracks(frame)
    frame["ais_class"] = frame["ais_class"].where(frame["ais_class"].isin(["A", "B"]), "").astype("str")
    frame = frame.sort_values(["track", "time"], kind="stable").reset_index(drop=True)
    return frame, {reason: count for reason, count in dropped.items() if count}


def _with_steady(frame: pd.DataFrame) -> pd.DataFrame:
    """Return reports with the sizes and names that other messages of the same MMSI have."""
    texts = [name for name in STEADY if name in TEXTS]
    known = frame[["mmsi", *STEADY]].copy()
    known[texts] = known[texts].where(known[texts] != "")
    latest = known.groupby("mmsi")[list(STEADY)].last()
    frame = frame.copy()
    for name in STEADY:
        own = known[name]
        frame[name] = own.fillna(frame["mmsi"].map(latest[name]).astype(own.dtype))
        if name in texts:
            frame[name] = frame[name].fillna("").astype("str")
    return frame


def number_tracks(frame: pd.DataFrame) -> Integers:
    """Return the number of the track of each report, from 0, of reports in order of MMSI and time.

    Two vessels with one MMSI make two tracks: a step that needs more than 60 knots begins another, and a later report
    may join an older one again.

    Examples
    --------
    >>> time = pd.to_datetime([0, 600, 1200, 1800], unit="s", utc=True)
    >>> place = {"longitude": [35.0, 25.0, 35.0, 25.0], "latitude": [34.0] * 4}
    >>> number_tracks(pd.DataFrame({"mmsi": [211000000] * 4, "time": time, **place})).tolist()
    [0, 1, 0, 1]
    """
    mmsi = frame["mmsi"].to_numpy()
    if not len(mmsi):
        return np.empty(0, np.int64)
    seconds = seconds_of(frame["time"])
    longitude, latitude = (frame[name].to_numpy(float) for name in ("longitude", "latitude"))
    begins = np.r_[True, mmsi[1:] != mmsi[:-1]]
    step = np.r_[0.0, metres_between(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])]
    wait = np.r_[0.0, np.diff(seconds)]
    jumps = ~begins & (step > _reach_m(wait))
    first = np.flatnonzero(begins)
    stop = np.r_[first[1:], len(mmsi)]
    torn = np.add.reduceat(jumps, first) > 0
    number = np.cumsum(begins) - 1
    more = int(number[-1]) + 1
    for start, end in zip(first[torn], stop[torn], strict=True):
        own = _told_apart(longitude[start:end], latitude[start:end], seconds[start:end])
        number[start:end] = np.where(own == 0, number[start], more + own - 1)
        more += int(own.max())
    return number.astype(np.int64)


def _told_apart(longitude: Reals, latitude: Reals, seconds: Reals) -> Integers:
    """Return the track of each report of one MMSI: the nearest that it can be of, or a new one."""
    last: list[int] = []
    track = np.empty(len(seconds), np.int64)
    for k in range(len(seconds)):
        if last:
            away = metres_between(longitude[last], latitude[last], np.full(len(last), longitude[k]), latitude[k])
            away = np.where(away <= _reach_m(seconds[k] - seconds[last]), away, np.inf)
            best = int(np.argmin(away))
        if not last or not np.isfinite(away[best]):
            track[k] = len(last)
            last.append(k)
        else:
            track[k] = best
            last[best] = k
    return track


def _reach_m(wait_s: Reals) -> Reals:
    return SLACK_M + FASTEST_KN * KNOT_M_S * np.maximum(wait_s, 0)


def metres_between(longitude: Reals, latitude: Reals, other_longitude: Reals, other_latitude: Reals | float) -> Reals:
    """Return distances of places in degrees, metres on the ellipsoid."""
    given = np.broadcast_arrays(longitude, latitude, other_longitude, other_latitude)
    one, two, three, four = (np.ascontiguousarray(array, np.float64) for array in given)
    return np.asarray(_GEOD.inv(one, two, three, four)[2], np.float64)


def seconds_of(times: pd.Series[Any]) -> Reals:
    """Return times as seconds since 1970."""
    return np.asarray(times.astype("datetime64[ns, UTC]").astype("int64").to_numpy() * 1e-9, np.float64)


def _refuse_metres_a_second(frame: pd.DataFrame) -> None:
    """Refuse files whose speeds are about half of what the steps between places need."""
    same = (frame["mmsi"].diff() == 0) & (frame["file"] == frame["file"].shift())
    wait = frame["time"].diff().dt.total_seconds()
    usable = same & wait.between(20, 600) & (frame["sog_kn"] > 2) & (frame["sog_kn"].shift() > 2)
    rows = np.flatnonzero(usable.to_numpy(bool))
    longitude, latitude = (frame[name].to_numpy(float) for name in ("longitude", "latitude"))
    step = metres_between(longitude[rows - 1], latitude[rows - 1], longitude[rows], latitude[rows])
    needed = step / wait.to_numpy(float)[rows] / KNOT_M_S
    ratio = pd.Series(frame["sog_kn"].to_numpy(float)[rows] / np.maximum(needed, 0.5))
    for file, ratios in ratio.groupby(frame["file"].to_numpy()[rows]):
        if len(ratios) >= MIN_PAIRS and M_S_RATIO[0] < ratios.median() < M_S_RATIO[1]:
            doubt = f"speeds are {ratios.median():.2f} of those between places: they are in m/s, not in knots"
            raise AisError(f"{file}: {doubt}; name the column 'sog_m_s'", path=str(file))
