"""State of each pier in a scene, as texts: what was counted, what came and went, or that it was not imaged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sarship.counts.passes import MIN_SEEN, are_counted
from sarship.schema import NOT_COUNTED

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["SURE", "PierState", "pier_states", "total_text"]

SURE: Final = 0.995
"""Chance from which a vessel is not in doubt: as text it would be 1.00."""


@dataclass(frozen=True, slots=True)
class PierState:
    """One pier in a scene."""

    seen: float
    """Fraction of the pier's waters that the scene shows."""
    count: str
    """Number of vessels, with its interval if that is wider."""
    expected: str
    """Expected number of vessels; empty if none is in doubt."""
    n_arrived: int
    n_left: int

    @property
    def short(self) -> str:
        """The count, or why there is none."""
        if self.seen <= 0:
            return "not imaged"
        return self.count if self.seen >= MIN_SEEN else f"{100 * self.seen:.0f} % imaged"

    @property
    def long(self) -> str:
        """The same with the expected number, arrivals and departures."""
        if self.seen < MIN_SEEN:
            return self.short
        moves = ", ".join(f"{n} {what}" for n, what in ((self.n_arrived, "arrived"), (self.n_left, "left")) if n)
        expected = f", expected {self.expected}" if self.expected else ""
        return self.count + expected + (f"; {moves}" if moves else "")


def pier_states(
    names: Iterable[str],
    vessels: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame | None = None,
    visits: gpd.GeoDataFrame | None = None,
) -> dict[str, PierState]:
    """Return the state of each pier by its name.

    Parameters
    ----------
    names
        Names of piers.
    vessels
        `schema.VESSELS` of the scene.
    coverage
        `schema.COVERAGE` of the scene; None if it shows all piers.
    visits
        `schema.VISITS` of the pass.

    Returns
    -------
    dict
        States in the order of the names.
    """
    seen = {} if coverage is None else dict(zip(coverage["pier"], coverage["seen"], strict=True))
    states = {}
    for name in map(str, names):
        mine = vessels[(vessels["pier"] == name) & ~vessels["flag"].isin(NOT_COUNTED)]
        moves = [] if visits is None else visits["status"][visits["pier"] == name].tolist()
        n, low, high = int(are_counted(mine).sum()), int(mine["n_low"].sum()), int(mine["n_high"].sum())
        chances = mine["confidence"]
        states[name] = PierState(
            seen=1.0 if coverage is None else float(seen.get(name, 0.0)),
            count=f"{n} ({low} to {high})" if (low, high) != (n, n) else f"{n}",
            expected=f"{chances.sum():.1f}" if (chances < SURE).any() else "",
            n_arrived=moves.count("arrived"),
            n_left=moves.count("left"),
        )
    return states


def total_text(vessels: gpd.GeoDataFrame, piers: gpd.GeoDataFrame) -> str:
    """Return the counted vessels at piers, at anchorages and elsewhere as one text, apart as in all tables."""
    counted = vessels[are_counted(vessels)]
    kinds = counted["pier"].map(dict(zip(piers["name"], piers["kind"], strict=True)))
    n, n_anchored = int(counted["pier"].notna().sum()), int((kinds == "anchorage").sum())
    anchored = f", {n_anchored} at anchorages" if (piers["kind"] == "anchorage").any() else ""
    return f"{n - n_anchored} vessel{'s'[: n - n_anchored != 1]} at piers{anchored}, {len(counted) - n} elsewhere"
