"""Visits as lanes of a drawing: from the first to the last pass that showed a vessel, a band a pier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sarship.pipeline.results import Results
from sarship.plots.visits import CLASSES, lanes_of, stays_of
from sarship.report.axis import TimeAxis
from sarship.report.words import on

__all__ = ["draw_lanes"]

LEFT, LANE, GAP = 150.0, 13.0, 12.0
"""Left end of the time axis, height of a lane and gap between piers, in the drawing's units."""


def draw_lanes(results: Results) -> dict[str, Any] | None:
    """Return the lanes of a survey: the bands of piers, the bars of visits, and dates below; None without visits."""
    times = pd.DatetimeIndex(results.counts["time"].to_numpy())
    if not len(results.visits):
        return None
    axis = TimeAxis.of(times, LEFT)
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
