"""Clock of AIS files: local time that is given for UTC shows in vessels under way, which lie elsewhere by then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from sarship.ais.assignment import displacement_m
from sarship.ais.cleaning import seconds_of
from sarship.ais.columns import KNOT_M_S

__all__ = ["hours_off"]


MAX_HOURS: Final = 14.0
STEP_S: Final = 1_800.0
"""Offsets that are tried: half hours, as time zones have."""
RECENT_S: Final = 300.0
"""Age of a report from which a vessel's place is reckoned."""
MOVING_KN: Final = 3.0
SAME_M: Final = 120.0
"""Distance of a vessel of the radar from that place that makes them one."""
MIN_MATCHES: Final = 3
"""Fewest vessels under way that an offset must explain, and more than twice as many as none does."""


def hours_off(reports: pd.DataFrame, passes: Iterable[tuple[pd.Timestamp, pd.DataFrame]]) -> float:
    """Return the hours by which the clock of the reports is ahead of UTC; 0 where nothing says so.

    Parameters
    ----------
    reports
        Reports near the port, with `x` and `y` on a plane, metres.
    passes
        Time and vessels, on the same plane, of each pass.
    """
    moving = reports.loc[(reports["sog_kn"] > MOVING_KN) & reports["cog_deg"].notna() & ~reports["is_false"]]
    speed, course = moving["sog_kn"].to_numpy(float) * KNOT_M_S, np.radians(moving["cog_deg"].to_numpy(float))
    place, motion = moving[["x", "y"]].to_numpy(float), np.stack([speed * np.sin(course), speed * np.cos(course)], -1)
    track, seconds = moving["track"].to_numpy(np.int64), seconds_of(moving["time"])
    found: Counter[float] = Counter()
    for time, rows in passes:
        after = seconds - time.timestamp()
        step = np.round(after / STEP_S) * STEP_S
        wait = step - after
        usable = np.flatnonzero((np.abs(wait) <= RECENT_S) & (np.abs(step) <= MAX_HOURS * 3600))
        if not usable.size or rows.empty:
            continue
        there = place[usable] + motion[usable] * wait[usable, None]
        seen = {name: rows[name].to_numpy(float)[:, None] for name in ("flight_deg", "incidence_deg", "shift_s")}
        moved = np.nan_to_num(displacement_m(*motion[usable].T, *seen.values()))
        flight = np.radians(np.nan_to_num(seen["flight_deg"]))
        east = rows["x"].to_numpy(float)[:, None] - there[:, 0] - moved * np.sin(flight)
        north = rows["y"].to_numpy(float)[:, None] - there[:, 1] - moved * np.cos(flight)
        near = np.hypot(east, north).min(axis=0) <= SAME_M
        explained = {(hours, one) for hours, one in zip(step[usable][near] / 3600, track[usable][near], strict=True)}
        found.update(float(hours) for hours, _ in explained)
    if not found:
        return 0.0
    best = max(found, key=lambda hours: (found[hours], -abs(hours)))
    return best if found[best] >= max(MIN_MATCHES, 2 * found[0.0] + 1) else 0.0
