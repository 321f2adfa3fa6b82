"""Hearing of AIS: whether receivers heard vessels at a place and time, truly, and on the right clock.

To say that a vessel did not transmit takes proof that it would have been heard. Vessels at rest nearby give it: one
that lay at its berth for hours before and after a scan was there at the scan too, and reported every three minutes.

References
----------
F. Paolo et al., Satellite mapping reveals extensive industrial activity at sea, Nature, 625, 2024, 85-91, for the
share of vessels that are not tracked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sarship.ais.positions import SAME_PLACE_M, is_at_rest

__all__ = ["MIN_HEAR", "Hearing", "dark_chance", "listen"]

NEAR_M: Final = 50_000.0
"""Distance within which vessels at rest tell whether the place was heard."""
FAR_M: Final = 100_000.0
"""Distance within which false positions tell of jamming."""
SWING_M: Final = 500.0
"""Distance from where it lay at which a vessel at rest was heard: it swings about its anchor."""
BESIDE: Final = pd.Timedelta(15, "min")
ASIDE: Final = pd.Timedelta(12, "h")
JAMMED: Final = pd.Timedelta(1, "h")
MIN_AT_REST: Final = 5
"""Fewest vessels at rest that tell anything."""
MIN_HEAR: Final = 0.5
MAX_FALSE: Final = 0.2
"""Largest share of false positions among the reports around, and the smallest share heard, for a claim."""
HONEST: Final = 0.93
"""Chance that a vessel that was heard well would be known: some sets are off at berths, rightly."""
UNTRACKED: Final = 0.25
"""Share of vessels that are not tracked, before anything is known: 21 to 30 % of transport and energy vessels."""
MAX_DARK: Final = 0.95
"""Largest chance that is claimed: passes of one visit are not independent."""


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """Hearing of AIS around a port at one pass.

    Examples
    --------
    >>> Hearing(n_at_rest=12, p_hear=0.3, share_false=0.0).why_not
    'only 30% of 12 vessels at rest nearby were heard at the pass'
    """

    n_at_rest: int
    """Vessels at rest before and after the pass, within 50 km."""
    p_hear: float
    """Share of those that were heard within a quarter of an hour of it; missing if there are none."""
    share_false: float
    """Share of false positions among reports within 100 km and an hour."""

    @property
    def why_not(self) -> str:
        """The reason why the files cannot carry a claim that a vessel did not transmit; empty if they can."""
        if self.share_false > MAX_FALSE:
            return f"{self.share_false:.0%} of the positions around are false: jamming"
        if self.n_at_rest < MIN_AT_REST:
            return f"{self.n_at_rest} vessels at rest nearby, too few to tell whether AIS was heard"
        if self.p_hear < MIN_HEAR:
            return f"only {self.p_hear:.0%} of {self.n_at_rest} vessels at rest nearby were heard at the pass"
        return ""


def listen(reports: pd.DataFrame, time: pd.Timestamp) -> Hearing:
    """Return how well AIS was heard around a port at the time of a pass.

    Parameters
    ----------
    reports
        `ais.tables.AIS` in order of track and time, with `x` and `y`, metres from the middle of the port.
    time
        Time of the pass.
    """
    around = reports.loc[reports["time"].between(time - ASIDE, time + ASIDE)]
    distance = np.hypot(around["x"], around["y"])
    hour = (around["time"] - time).abs() <= JAMMED
    lately = around.loc[hour & ((distance <= FAR_M) | around["is_false"])]
    share_false = float(lately["is_false"].mean()) if len(lately) else 0.0
    near = around.loc[(distance <= NEAR_M) & ~around["is_false"]]
    at_rest = is_at_rest(near)
    before = near.loc[at_rest & (near["time"] < time - BESIDE)].drop_duplicates("track", keep="last")
    after = near.loc[at_rest & (near["time"] > time + BESIDE)].drop_duplicates("track", keep="first")
    earlier, later = (side.set_index("track")[["x", "y"]] for side in (before, after))
    both = earlier.index.intersection(later.index)
    moved = np.hypot(*(later.loc[both] - earlier.loc[both]).to_numpy(float).T)
    still = both[moved < SAME_PLACE_M]
    beside = near.loc[((near["time"] - time).abs() <= BESIDE) & near["track"].isin(still)]
    at_berth = np.hypot(*(beside[["x", "y"]].to_numpy(float) - earlier.loc[beside["track"]].to_numpy(float)).T)
    heard = beside["track"][at_berth < SWING_M]  # at their places: one that is shown elsewhere was not heard, but lost
    share = float(still.isin(heard).mean()) if len(still) else float("nan")
    return Hearing(n_at_rest=len(still), p_hear=share, share_false=share_false)


def dark_chance(p_hear: list[float]) -> float:
    """Return the chance that a vessel does not transmit which AIS did not know on some passes.

    >>> round(dark_chance([0.95]), 2), dark_chance([0.95, 0.95])
    (0.74, 0.95)
    """
    silent = (1 - UNTRACKED) * float(np.prod([1 - HONEST * share for share in p_hear]))
    return min(MAX_DARK, UNTRACKED / (UNTRACKED + silent))
