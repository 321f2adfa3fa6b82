"""Positions of vessels at the moment of a scan, from the reports around it, with their sigma.

Between two reports a vessel's way is a cubic whose ends have the reported velocities, where they are near in time, and
straight otherwise; beyond the last it is dead reckoning. Places are those of the middle of the hull: an antenna stands
aft of it, on most ships.

References
----------
M. Rodger & R. Guida, Classification-aided SAR and AIS data fusion for space-based maritime surveillance, Remote
Sensing, 13, 2021, 104, for the cubic.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sarship.ais.cleaning import seconds_of
from sarship.ais.columns import KNOT_M_S
from sarship.geo.local_plane import Plane

__all__ = ["DARK_LENGTH_M", "is_at_rest", "positions_at"]

Reals = NDArray[np.float64]
Booleans = NDArray[np.bool_]

SIGMA_M: Final = 20.0
"""One sigma of a radar place less one by AIS, when nothing else is in doubt."""
WANDER: Final = (8.0, 1.0)
"""Growth of the error between two reports, metres per square root of a second: under way, at rest."""
CUBIC_S: Final = 600.0
"""Longest time between reports that a cubic bridges."""
BETWEEN_S: Final = (7_200.0, 86_400.0)
"""Longest time between two reports around the scan: under way, at rest."""
BEYOND_S: Final = (1_800.0, 21_600.0)
"""Longest time from the scan to the nearest report where there is none on the other side: under way, at rest."""
SAME_PLACE_M: Final = 200.0
"""Largest distance of two reports of one vessel at rest."""
DRIFT: Final = (0.15, 0.10)
"""Error of dead reckoning along and across the course, part of the way."""
MOVING_M: Final = 40.0
MOVING_M_S: Final = 1.0
"""Further sigma of a vessel that moves faster than this: its displacement by its own speed is not sure."""
REST_KN: Final = 0.5
COURSE_KN: Final = 2.0
"""Speed from which the course tells the direction of the bow."""
ANTENNA: Final = 0.27
"""Distance of the middle of a hull ahead of its antenna, part of the length, where the file does not say: the median of
real ships at rest (cargo ships 0.27, tankers 0.19)."""
ANTENNA_SIGMA: Final = (0.10, 0.17, 0.35)
"""One sigma of the middle along the hull, part of the length: antenna known, direction of the bow known, neither."""
DARK_LENGTH_M: Final = 100.0
"""Length where none is given, for the sigma alone."""
RECENT_S: Final = 300.0
"""Age up to which a reported velocity holds at the scan."""
_KEPT: Final = ("mmsi", "heading_deg", "cog_deg", "nav_status", "length_m", "width_m", "name", "destination")


def positions_at(reports: pd.DataFrame, time: pd.Timestamp, plane: Plane) -> pd.DataFrame:
    """Return the position of each track at a time, where the reports tell it.

    Parameters
    ----------
    reports
        `ais.tables.AIS`; false positions are passed over.
    time
        Time of the scan.
    plane
        Plane of the coordinates.

    Returns
    -------
    DataFrame
        One row a track: `mmsi`, `track`; `x`, `y` of the middle of the hull on the plane, metres; `east`, `north`,
        its velocity, metres a second; `ahead_x`, `ahead_y`, the unit vector along hull or course; `along`, `across`,
        one sigma, metres; `gap_s` to the nearest report; `is_still`; `sog_kn`, and the fields of the nearest report.

    Examples
    --------
    Ten knots north, halfway between two reports two minutes apart:

    >>> import shapely
    >>> at = pd.to_datetime([0, 120], unit="s", utc=True)
    >>> rows = {"mmsi": 211000000, "track": 0, "time": at, "longitude": 35.0, "latitude": [34.0, 34.005565]}
    >>> rows |= {"sog_kn": 10.0, "cog_deg": 0.0, "heading_deg": 0.0, "nav_status": 0.0, "length_m": 100.0}
    >>> rows |= dict.fromkeys(("a_m", "b_m", "c_m", "d_m", "width_m"), np.nan)
    >>> reports = pd.DataFrame(rows | {"name": "", "destination": "", "is_false": False})
    >>> found = positions_at(reports, at[0] + pd.Timedelta(60, "s"), Plane.around(shapely.Point(35, 34)))
    >>> found[["y", "north", "along"]].round(0).to_dict("records")
    [{'y': 336.0, 'north': 5.0, 'along': 65.0}]
    """
    sure = reports.loc[~reports["is_false"]]
    before = sure[sure["time"] <= time].drop_duplicates("track", keep="last").set_index("track")
    after = sure[sure["time"] > time].drop_duplicates("track", keep="first").set_index("track")
    tracks = before.index.union(after.index)
    if tracks.empty:
        return pd.DataFrame(columns=[*_COLUMNS])
    ends = [_end(side.reindex(tracks), time, plane) for side in (before, after)]
    rows, motion, sigma, is_known = _between(*ends)
    nearer_after = ends[1]["wait"].astype(float) < ends[0]["wait"].astype(float)
    nearest = {name: np.where(nearer_after, ends[1][name], ends[0][name]) for name in (*_KEPT, *_SIDES, "wait")}
    out = pd.DataFrame({name: nearest[name] for name in _KEPT} | {"track": tracks, "gap_s": nearest["wait"]})
    out["x"], out["y"] = rows.T
    out["east"], out["north"] = motion.T
    out["is_still"] = sigma["is_still"]
    speed = np.hypot(*motion.T)
    out["sog_kn"] = speed / KNOT_M_S
    heading, has_heading = _heading(out, motion, speed)
    out["ahead_x"], out["ahead_y"] = np.sin(heading), np.cos(heading)
    _to_middle(out, [nearest[name].astype(float) for name in _SIDES], has_heading, sigma)
    out = pd.DataFrame(out.loc[is_known & np.isfinite(out["x"].to_numpy(float))]).reset_index(drop=True)
    return out.astype({"mmsi": "int64", "length_m": float, "nav_status": float, "cog_deg": float})


_SIDES: Final = ("a_m", "b_m", "c_m", "d_m")
_COLUMNS: Final = (
    *_KEPT, "track", "gap_s", "x", "y", "east", "north", "is_still", "sog_kn", "ahead_x", "ahead_y", "along", "across",
)  # fmt: skip


def is_at_rest(reports: pd.DataFrame) -> Booleans:
    """Return True where a report is of a vessel at rest: by its speed, or moored or anchored by its status."""
    knots, status = (reports[name].to_numpy(float) for name in ("sog_kn", "nav_status"))
    return np.asarray((knots < REST_KN) | (np.isin(status, (1, 5)) & ~(knots > COURSE_KN)))


def _end(side: pd.DataFrame, time: pd.Timestamp, plane: Plane) -> dict[str, NDArray[np.generic]]:
    """Return the reports on one side of the scan as columns: place, velocity, wait in seconds (infinite: none)."""
    x, y = plane.flatten(side["longitude"], side["latitude"])
    wait = np.abs(seconds_of(side["time"]) - time.timestamp())
    speed, course = side["sog_kn"].to_numpy(float) * KNOT_M_S, np.radians(side["cog_deg"].to_numpy(float))
    at_rest = is_at_rest(side)
    motion = np.stack([speed * np.sin(course), speed * np.cos(course)], axis=-1)
    motion[at_rest] = 0.0
    there = side["mmsi"].notna().to_numpy(bool)
    columns = {name: side[name].to_numpy() for name in (*_KEPT, *_SIDES)}
    return columns | {
        "place": np.stack([x, y], axis=-1),
        "motion": motion,
        "at_rest": at_rest,
        "wait": np.where(there, wait, np.inf),
    }


def _between(
    before: dict[str, NDArray[np.generic]], after: dict[str, NDArray[np.generic]]
) -> tuple[Reals, Reals, dict[str, Reals | Booleans], Booleans]:
    """Return place, velocity, sigmas and True where they are known."""
    t1, t2 = before["wait"].astype(float), after["wait"].astype(float)
    p0, p1 = before["place"].astype(float), after["place"].astype(float)
    v0, v1 = before["motion"].astype(float), after["motion"].astype(float)
    two = np.isfinite(t1) & np.isfinite(t2)
    with np.errstate(invalid="ignore"):
        lasted = np.where(two, np.maximum(t1 + t2, 1e-3), 1.0)
        part = np.where(two, t1 / lasted, 0.0)[:, None]
        apart = np.hypot(*(p1 - p0).T)
        rest0, rest1 = before["at_rest"].astype(bool), after["at_rest"].astype(bool)
        still2 = two & rest0 & rest1 & (apart < SAME_PLACE_M)
        chord = (p1 - p0) / lasted[:, None]
        place, motion = p0 + part * (p1 - p0), chord.copy()
        cubic = two & ~still2 & (lasted <= CUBIC_S) & np.isfinite(v0).all(axis=1) & np.isfinite(v1).all(axis=1)
        bent, bent_motion = _hermite((p0, p1), (v0, v1), part, lasted[:, None])
        place, motion = (np.where(cubic[:, None], *pair) for pair in ((bent, place), (bent_motion, motion)))
        fresh = np.where((t2 < t1)[:, None], v1, v0)
        fresh_too = two & ~cubic & (np.minimum(t1, t2) <= RECENT_S) & np.isfinite(fresh).all(axis=1)
        motion = np.where(fresh_too[:, None], fresh, motion)
        motion[still2] = 0.0
        # one side alone: dead reckoning
        later = ~np.isfinite(t1)
        p, v, t = (np.where(later[:, None] if a.ndim > 1 else later, b, a) for a, b in ((p0, p1), (v0, v1), (t1, t2)))
        rest = np.where(later, rest1, rest0)
        v = np.where(np.isfinite(v), v, 0.0)
        reckoned = p + v * np.where(later, -t, t)[:, None]
        one = ~two
        place, motion = (np.where(one[:, None], *pair) for pair in ((reckoned, place), (v, motion)))
        is_still = np.where(two, still2, rest)
        speed = np.hypot(*motion.T)
        wander = np.where(is_still, WANDER[1], WANDER[0]) ** 2 * t1 * t2 / lasted
        moving = np.where(speed > MOVING_M_S, MOVING_M**2, 0.0)
        along, across = (
            np.sqrt(SIGMA_M**2 + moving + np.where(two, wander, (share * np.where(rest, 0.0, speed) * t) ** 2))
            for share in DRIFT
        )
    limit = np.where(two, np.where(is_still, BETWEEN_S[1], BETWEEN_S[0]), np.where(is_still, BEYOND_S[1], BEYOND_S[0]))
    is_known = np.where(two, lasted, t) <= limit
    return place, motion, {"along": along, "across": across, "is_still": is_still.astype(bool)}, is_known


def _hermite(places: tuple[Reals, Reals], motions: tuple[Reals, Reals], s: Reals, lasted: Reals) -> tuple[Reals, Reals]:
    """Return place and velocity on the cubic through two places with two velocities, at a part of its time."""
    (p0, p1), (v0, v1) = places, motions
    place = (
        (2 * s**3 - 3 * s**2 + 1) * p0
        + (s**3 - 2 * s**2 + s) * lasted * v0
        + (3 * s**2 - 2 * s**3) * p1
        + (s**3 - s**2) * lasted * v1
    )
    motion = (6 * s**2 - 6 * s) * (p0 - p1) / lasted + (3 * s**2 - 4 * s + 1) * v0 + (3 * s**2 - 2 * s) * v1
    return place, motion


def _heading(out: pd.DataFrame, motion: Reals, speed: Reals) -> tuple[Reals, Booleans]:
    """Return the direction of the bow in radians, else of the course, and True where it is known."""
    heading = np.radians(out["heading_deg"].to_numpy(float))
    course = np.arctan2(motion[:, 0], motion[:, 1])
    moving = speed > COURSE_KN * KNOT_M_S
    known = np.isfinite(heading) | moving
    return np.where(np.isfinite(heading), heading, np.where(moving, course, 0.0)), known


def _to_middle(
    out: pd.DataFrame, sides: list[Reals], has_heading: Booleans, sigma: dict[str, Reals | Booleans]
) -> None:
    """Move the places from the antenna to the middle of the hull, and add what is not sure of that to the sigmas."""
    bow, stern, port, starboard = sides
    length = out["length_m"].to_numpy(float)
    known = np.isfinite(bow) & np.isfinite(port) & has_heading
    ahead = np.where(known, (bow - stern) / 2, np.where(has_heading & np.isfinite(length), ANTENNA * length, 0.0))
    aside = np.where(known, (starboard - port) / 2, 0.0)
    ahead_x, ahead_y = out["ahead_x"].to_numpy(float), out["ahead_y"].to_numpy(float)
    out["x"] += ahead * ahead_x + aside * ahead_y
    out["y"] += ahead * ahead_y - aside * ahead_x
    share = np.where(known, ANTENNA_SIGMA[0], np.where(has_heading, ANTENNA_SIGMA[1], ANTENNA_SIGMA[2]))
    spread = share * np.where(np.isfinite(length), length, DARK_LENGTH_M)
    out["along"] = np.hypot(np.asarray(sigma["along"], float), spread)
    out["across"] = np.hypot(np.asarray(sigma["across"], float), np.where(has_heading, 0.0, spread))
