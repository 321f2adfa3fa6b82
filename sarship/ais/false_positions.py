"""False positions: places that jamming or invention put into reports, which the vessel was never at.

A report whose position is false is no position, but says that the vessel was transmitting. Signs of it are steps that
no vessel can make to a place that others jump to as well, or to a known place; crowds ashore; and perfect circles.

References
----------
SeaSpoofFinder, arXiv:2602.16257, for the two stages: a jump, and others that jumped to the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from sarship.ais.cleaning import metres_between, seconds_of
from sarship.ais.columns import KNOT_M_S
from sarship.geo.local_plane import Plane, buffer_m

__all__ = ["KNOWN_PLACES", "find_false"]

Reals = NDArray[np.float64]
Booleans = NDArray[np.bool_]

KNOWN_PLACES: Final = ((35.49, 33.82), (31.41, 30.12))
"""Longitude and latitude of places that receivers are made to show: the airports of Beirut and Cairo."""
KNOWN_M: Final = 3_000.0
MIN_JUMP_M: Final = 5_000.0
"""Smallest jump to a false place; smaller ones are faults of a receiver."""
COMMON_M: Final = 1_000.0
COMMON_S: Final = 3_600.0
"""Distance and time between the targets of two vessels' jumps that are one place."""
CROWD_M: Final = 500.0
MIN_CROWD: Final = 3
ASHORE_M: Final = 300.0
"""Distance inland from which a place is surely no berth: polygons of land reach over the edge of the quay."""
N_CIRCLE: Final = 20
"""Reports of a circle."""
ROUND: Final = 0.05
"""Largest scatter of the radius of a circle, part of it."""
MIN_RADIUS_M: Final = 200.0
MIN_KN: Final = 3.0
"""Slowest speed around a circle: a ship at anchor swings around one too, in half a day."""
MIN_TURN: Final = 4 / 3 * np.pi
"""Smallest angle of it that the reports of a window go through."""


def find_false(
    frame: pd.DataFrame,
    *,
    land: BaseGeometry | None = None,
    places: Sequence[tuple[float, float]] = KNOWN_PLACES,
) -> Booleans:
    """Return True for reports whose position is false, of reports in order of track and time.

    Parameters
    ----------
    frame
        Columns `mmsi`, `track`, `time`, `longitude`, `latitude`.
    land
        Land, longitude and latitude in degrees; None if it is not known.
    places
        Longitude and latitude of places that receivers are known to be made to show.
    """
    if not len(frame):
        return np.zeros(0, np.bool_)
    plane = Plane.around(shapely.MultiPoint(frame[["longitude", "latitude"]].to_numpy(float)[[0, -1]]))
    xy = np.column_stack(plane.flatten(frame["longitude"], frame["latitude"]))
    seconds = seconds_of(frame["time"])
    false = _jumped_together(frame, xy, seconds) | _at_known(frame, places) | _circling(frame, xy, seconds)
    if land is not None:
        false |= _crowd_ashore(frame, xy, land)
    return false


def _several(frame: pd.DataFrame) -> Booleans:
    """Return True for reports of an MMSI that jumped: it has several tracks."""
    return np.asarray(frame.groupby("mmsi")["track"].transform("nunique").to_numpy() > 1)


def _jumped_together(frame: pd.DataFrame, xy: Reals, seconds: Reals) -> Booleans:
    """Return True for the tracks that begin or end where another vessel jumped to within the hour."""
    track, mmsi = frame["track"].to_numpy(), frame["mmsi"].to_numpy()
    head = np.r_[True, track[1:] != track[:-1]]
    rows = np.flatnonzero(head & (_jump_m(mmsi, xy, seconds) > MIN_JUMP_M))
    false_tracks: set[int] = set()
    scaled = np.column_stack([xy / COMMON_M, seconds / COMMON_S])
    for one, other in cKDTree(scaled[rows]).query_pairs(np.sqrt(2)) if rows.size else ():
        a, b = rows[one], rows[other]
        near = np.hypot(*(xy[a] - xy[b])) <= COMMON_M and abs(seconds[a] - seconds[b]) <= COMMON_S
        if near and mmsi[a] != mmsi[b]:
            false_tracks |= {int(track[a]), int(track[b])}
    if not false_tracks:
        return np.zeros(len(frame), np.bool_)
    false = np.isin(track, list(false_tracks))
    # a vessel that was there from its first report on has no jump to show, but it left by one
    others = np.flatnonzero(_several(frame) & ~false)
    there = cKDTree(scaled[false])
    near_any = there.query(scaled[others], distance_upper_bound=1.0)[0] <= 1.0 if others.size else np.zeros(0, bool)
    false[others[near_any]] = True
    return false


def _jump_m(mmsi: NDArray[np.int64], xy: Reals, seconds: Reals) -> Reals:
    """Return the distance of each report from the one before of the same MMSI, of whatever track; 0 for the first."""
    order = np.lexsort((seconds, mmsi))
    same = np.r_[False, mmsi[order][1:] == mmsi[order][:-1]]
    step = np.r_[0.0, np.hypot(*np.diff(xy[order], axis=0).T)]
    jump = np.empty(len(order))
    jump[order] = np.where(same, step, 0.0)
    return jump


def _at_known(frame: pd.DataFrame, places: Sequence[tuple[float, float]]) -> Booleans:
    several = _several(frame)
    near = np.zeros(len(frame), np.bool_)
    for longitude, latitude in places:
        east, north = (np.full(len(frame), value) for value in (longitude, latitude))
        near |= (
            metres_between(frame["longitude"].to_numpy(float), frame["latitude"].to_numpy(float), east, north) < KNOWN_M
        )
    return several & near


def _crowd_ashore(frame: pd.DataFrame, xy: Reals, land: BaseGeometry) -> Booleans:
    """Return True for reports inland within reach of those of two other vessels."""
    inland = buffer_m(land, -ASHORE_M)
    shapely.prepare(inland)
    rows = np.flatnonzero(shapely.contains_xy(inland, frame["longitude"], frame["latitude"]))
    false = np.zeros(len(frame), np.bool_)
    if not rows.size:
        return false
    mmsi = frame["mmsi"].to_numpy()[rows]
    for row, near in zip(rows, cKDTree(xy[rows]).query_ball_point(xy[rows], CROWD_M), strict=True):
        false[row] = np.unique(mmsi[near]).size >= MIN_CROWD
    return false


def _circling(frame: pd.DataFrame, xy: Reals, seconds: Reals) -> Booleans:
    """Return True for windows of a track whose places lie on a circle that is gone around in one sense."""
    false = np.zeros(len(frame), np.bool_)
    if len(frame) < N_CIRCLE:
        return false
    track = frame["track"].to_numpy()
    start = np.arange(0, len(frame) - N_CIRCLE + 1, N_CIRCLE // 4)
    start = start[track[start] == track[start + N_CIRCLE - 1]]
    rows = start[:, None] + np.arange(N_CIRCLE)
    offset = xy[rows] - xy[rows].mean(axis=1, keepdims=True)
    # the circle of least squares: |p|² = 2 c·p + const, about the mean of the places
    square = (offset**2).sum(axis=2)
    spread = np.einsum("wni,wnj->wij", offset, offset)
    side = 0.5 * np.einsum("wni,wn->wi", offset, square - square.mean(axis=1, keepdims=True))
    regular = spread + 1e-6 * np.trace(spread, axis1=1, axis2=2)[:, None, None] * np.eye(2) + 1e-9 * np.eye(2)
    centre = np.linalg.solve(regular, side[..., None])[..., 0]
    away = offset - centre[:, None]
    radius = np.hypot(away[..., 0], away[..., 1])
    mean = radius.mean(axis=1)
    turn = np.diff(np.unwrap(np.arctan2(away[..., 1], away[..., 0]), axis=1), axis=1)
    lasted = seconds[rows[:, -1]] - seconds[rows[:, 0]]
    speed = np.hypot(*np.diff(xy[rows], axis=1).transpose(2, 0, 1)).sum(axis=1) / np.maximum(lasted, 1.0)
    is_round = (radius.std(axis=1) < ROUND * mean) & (mean > MIN_RADIUS_M) & (mean < 20_000.0)
    one_way = np.abs(turn.sum(axis=1)) > np.maximum(MIN_TURN, 0.9 * np.abs(turn).sum(axis=1))
    for window in rows[is_round & one_way & (speed > MIN_KN * KNOT_M_S)]:
        false[window] = True
    return false
