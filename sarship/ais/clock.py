"""Clock of AIS files: local time that is given for UTC shows in vessels under way, which lie elsewhere by then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from sarship.ais.assignment import assign, pair_up
from sarship.ais.positions import MOVING_M_S, positions_at
from sarship.geo.local_plane import Plane

__all__ = ["hours_off"]

HOURS: Final = tuple(np.arange(-28, 29) / 2)
"""Offsets that are tried: those of time zones."""
MIN_MATCHES: Final = 3
"""Fewest vessels under way that an offset must explain, and more than twice as many as none does."""
SURE: Final = 20.0
"""Odds from which a pair counts."""
MAX_PASSES: Final = 12


def hours_off(reports: pd.DataFrame, passes: Sequence[tuple[pd.Timestamp, pd.DataFrame]], plane: Plane) -> float:
    """Return the hours by which the clock of the reports is ahead of UTC; 0 where nothing says so.

    Parameters
    ----------
    reports
        Reports near the port.
    passes
        Time and vessels, as for `pair_up`, of some passes.
    plane
        Plane of the coordinates.
    """
    moving = reports.loc[reports["sog_kn"] > 2]
    reports = reports.loc[reports["track"].isin(moving["track"].unique())]
    found = dict.fromkeys(HOURS, 0)
    for time, rows in list(passes)[-MAX_PASSES:]:
        window = reports.loc[(reports["time"] - time).abs() <= pd.Timedelta(16, "h")]
        if window.empty or rows.empty:
            continue
        for hours in HOURS:
            heard = positions_at(window, time + pd.Timedelta(hours, "h"), plane)
            heard = heard.loc[np.hypot(heard["east"], heard["north"]) > MOVING_M_S]
            if len(heard):
                odds = pair_up(rows, heard).odds
                found[hours] += int((assign(np.where(odds > SURE, odds, 0.0)) >= 0).sum())
    best = max(HOURS, key=lambda hours: (found[hours], -abs(hours)))
    return float(best) if found[best] >= max(MIN_MATCHES, 2 * found[0.0] + 1) else 0.0
