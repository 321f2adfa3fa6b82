"""Drawings of the page, 1,000 units wide, as places of what its template draws: visits as lanes, and yards ashore.

A lane goes from the first to the last pass that showed a vessel, in a band a pier. Of a yard the drawing shows what was
added to it on every pass, an orbit a symbol, and the windows of its changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd

from sarship.pipeline.results import Results
from sarship.plots.visits import CLASSES, lanes_of, stays_of
from sarship.report.words import on

__all__ = ["draw_aprons", "draw_lanes"]

RIGHT: Final = 985.0
"""Right end of the axis."""
N_TICKS: Final = 6
LANES_LEFT, LANE, GAP = 150.0, 13.0, 12.0
"""Left end of the time axis, height of a lane and gap between piers, in the drawing's units."""
YARD_LEFT, TOP, BOTTOM = 70.0, 16.0, 150.0
"""Edges of the axes, in the drawing's units."""
N_LEVELS: Final = 3
"""Lines across, about."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A period from the left end of the axis to the right one."""

    first: pd.Timestamp
    span: pd.Timedelta
    left: float

    @classmethod
    def of(cls, times: pd.DatetimeIndex, left: float) -> TimeAxis:
        """Return the axis of some times, one at least; it is a day long at least."""
        return cls(times.min(), max(times.max() - times.min(), pd.Timedelta(1, "D")), left)

    def place(self, time: pd.Timestamp) -> float:
        """Return where a time lies."""
        return round(self.left + (RIGHT - self.left) * float((time - self.first) / self.span), 1)

    def ticks(self) -> list[dict[str, Any]]:
        """Return even ticks, with their dates."""
        times = [self.first + self.span * share for share in np.linspace(0, 1, N_TICKS)]
        return [{"x": self.place(time), "label": f"{time:%Y-%m-%d}"} for time in times]


def draw_lanes(results: Results) -> dict[str, Any] | None:
    """Return the lanes of a survey: the bands of piers, the bars of visits, and dates below; None without visits."""
    times = pd.DatetimeIndex(results.counts["time"].to_numpy())
    if not len(results.visits):
        return None
    axis = TimeAxis.of(times, LANES_LEFT)
    bands, stays, top = [], [], GAP
    for name in map(str, results.counts["pier"].to_numpy()):
        frame = lanes_of(stays_of(results.visits[results.visits["pier"] == name]))
        n_lanes = int(frame["lane"].max()) + 1 if len(frame) else 1
        bands.append({"name": name, "y": top + n_lanes * LANE / 2, "line": top - GAP / 2})
        stays += [_bar(row, axis, top) for row in frame.to_dict("records")]
        top += n_lanes * LANE + GAP
    return {"height": top + 20, "bands": bands, "stays": stays, "ticks": axis.ticks()}


def _bar(row: Mapping[Any, Any], axis: TimeAxis, top: float) -> dict[str, Any]:
    has_left = not pd.isna(row["gone"])
    begin = "arrived before" if row["has_arrived"] else "there on the first pass,"
    end = f"gone on {on(row['gone'])}" if has_left else "not seen to leave"
    tops = [limit for limit, _, _ in CLASSES]
    return {
        "x": axis.place(row["start"]),
        "width": max(3.0, round(axis.place(row["stop"]) - axis.place(row["start"]), 1)),
        "gone": axis.place(row["gone"]) if has_left else None,
        "y": top + row["lane"] * LANE,
        "class": int(np.searchsorted(tops, row["length_m"], side="right")),
        "has_arrived": bool(row["has_arrived"]),
        "title": f"{row['length_m']:.0f} m, {begin} {on(row['start'])}, last seen {on(row['stop'])}, {end}",
    }


def draw_aprons(results: Results) -> list[dict[str, Any]]:
    """Return what is drawn of the yards of a survey, and the rows of their tables, in the order of the port file."""
    if not len(results.aprons):
        return []
    axis = TimeAxis.of(pd.DatetimeIndex(results.aprons["time"]), YARD_LEFT)
    yards = results.aprons.groupby("apron", sort=False)
    return [_yard(str(name), rows.sort_values("time"), results.changes, axis) for name, rows in yards]


def _yard(name: str, rows: gpd.GeoDataFrame, changes: gpd.GeoDataFrame, axis: TimeAxis) -> dict[str, Any]:
    mine = changes[(changes["where"] == name) & (changes["quantity"] == "added_m2")]
    seen = rows[rows["added_m2"].notna()]
    ends = [seen["added_m2"] + sign * seen["added_error_m2"] for sign in (-1, 1)]
    low, high = (min(0.0, ends[0].min()), max(1.0, ends[1].max())) if len(seen) else (0.0, 1.0)
    step = _step((high - low) / N_LEVELS)
    low, high = np.floor(low / step) * step, np.ceil(high / step) * step

    def down(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * float((value - low) / (high - low)), 1)

    orbits = sorted({int(orbit) for orbit in rows["relative_orbit"]})
    points = [
        {
            "x": axis.place(row["time"]),
            "y": down(row["added_m2"]),
            "low": down(row["added_m2"] - row["added_error_m2"]),
            "high": down(row["added_m2"] + row["added_error_m2"]),
            "symbol": orbits.index(row["relative_orbit"]) % 3,
            "title": f"{on(row['time'])}, orbit {row['relative_orbit']}: {row['added_m2']:.0f} ± "
            f"{row['added_error_m2']:.0f} m², {row['state']}",
        }
        for row in seen.to_dict("records")
    ]
    missing = rows[rows["added_m2"].isna()].to_dict("records")
    counted = f"measured on {len(seen)} of {len(rows)} passes, {len(mine)} changes"
    return {
        "name": name,
        "surface": str(rows["surface"].iloc[0]),
        "said": f"{name}: {counted}. The numbers are in a table.",
        "changes": [f"{words[:1].upper()}{words[1:]} sure." for words in mine["words"]],
        # the least scattering that most passes would have shown, m²
        "detectable": f"{seen['detectable_added_m2'].median():.0f}" if len(seen) > 1 else "",
        "orbits": orbits,
        "points": points,
        "unknown": [{"x": axis.place(row["time"]), "title": f"{on(row['time'])}: {row['note']}"} for row in missing],
        "bands": [
            {
                "x": axis.place(row.window_from),
                "width": max(2.0, round(axis.place(row.window_to) - axis.place(row.window_from), 1)),
                "label": row.direction,
            }
            for row in mine.itertuples()
        ],
        "ticks": axis.ticks(),
        "levels": [{"y": down(value), "label": f"{value:.0f}"} for value in np.arange(low, high + step / 2, step)],
        "rows": [_row(row) for row in rows.to_dict("records")],
    }


def _step(rough: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, … from a number on."""
    power = 10 ** np.floor(np.log10(max(rough, 1e-9)))
    return float(next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * (1 - 1e-9)))


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table; empty texts where there is no level."""
    is_seen = bool(np.isfinite(row["added_m2"]))
    detectable = row["detectable_added_m2"]
    return {
        "time": on(row["time"]),
        "orbit": row["relative_orbit"],
        "state": row["state"],
        "added": f"{row['added_m2']:.0f} ± {row['added_error_m2']:.0f}" if is_seen else "",
        "value": round(row["added_m2"], 1) if is_seen else -1e9,
        "detectable": f"{detectable:.0f}" if np.isfinite(detectable) else "",
        "note": row["note"] or ("may be wet" if row["may_be_wet"] else ""),
    }
