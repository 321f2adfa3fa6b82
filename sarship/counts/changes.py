"""Changes of the counts over time, each between two passes and with its chance, and alerts about the newest passes.

Each relative orbit is cut by itself (`counts/segments.py`), as from each side other vessels are hidden. A change that
another orbit shows in an overlapping window is one change, confirmed. Counts are drawn from their intervals, so that
doubt about them is doubt about the change. A cut at which the reference of a pier came or went is a change of `method`,
and says nothing about vessels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaincinv, nbdtr

from sarship.counts.places import counts_at, places_of
from sarship.counts.segments import Cut, find_segments, gamma_rate
from sarship.schema import ALERTS, CHANGES, WHOLE_PORT

__all__ = ["find_alerts", "find_changes"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

MIN_PASSES: Final = 8
"""Minimum number of passes of an orbit that a change is looked for in."""
MIN_PROBABILITY: Final = 0.5
"""Chance of a change that is listed: it is there rather than not."""
N_DRAWS: Final = 32
"""Draws of the counts from their intervals."""
OUTSIDE: Final = 0.01
"""Chance of a count outside the usual range while nothing changes, both sides together."""
INTERVAL: Final = 0.9
"""Probability of the interval of a level."""


def find_changes(counts: xr.Dataset) -> gpd.GeoDataFrame:
    """Find when the number of vessels at each pier, and at all piers together, changed.

    Parameters
    ----------
    counts
        `schema.COUNTS`, from `count_by_pier`.

    Returns
    -------
    GeoDataFrame
        Table after `schema.CHANGES`, in order of time and place: one row a change that is likelier than not. An orbit
        with under eight passes that saw the place has none.

    Examples
    --------
    A quay with three vessels that was empty from the seventh pass on:

    >>> n_vessels = np.array([3, 4, 3, 2, 3, 4, 0, 0, 0, 0, 1, 0], float)[:, None]
    >>> axes = ("time", "pier")
    >>> counts = xr.Dataset({name: (axes, n_vessels) for name in ("n_vessels", "n_low", "n_high")})
    >>> counts["n_reference_dates"] = counts["detectable_length_m"] = axes, np.full_like(n_vessels, 12)
    >>> counts = counts.assign_coords(
    ...     time=pd.date_range("2024-12-01", periods=12, freq="12D"),
    ...     relative_orbit=("time", np.full(12, 87)),
    ...     pier=["Quay"], kind=("pier", ["pier"]), longitude=("pier", [35.8]), latitude=("pier", [34.9]),
    ... )
    >>> print(find_changes(counts)["words"].item())
    vessels at Quay fell from 3.2 (2.0-4.3) to 0.2 (0.1-0.7) between 2025-01-30 and 2025-02-11; 89 %
    """
    rows: list[dict[str, Any]] = []
    for name, series in _series_of(counts):
        found = [
            row | {"where": name}
            for orbit in np.unique(series["relative_orbit"])
            for row in _changes(series[series["relative_orbit"] == orbit])
        ]
        rows += [row | {"words": _words(row)} for row in _confirmed(found)]
    rows.sort(key=lambda row: (row["window_from"], row["where"]))
    places = places_of(counts)
    return CHANGES.of_rows(rows, [places[row["where"]] for row in rows])


def find_alerts(counts: xr.Dataset) -> gpd.GeoDataFrame:
    """Say of each pier's newest count whether it lies within what is usual there.

    A count outside the usual range is a `watch`; where the pass before lay outside on the same side too, an `alert`.
    The range is that of counts to come while the level lasts, from the passes of the same orbit before these two. While
    nothing changes one pier in a hundred is outside by chance; the number of rows says how many were looked at.

    Parameters
    ----------
    counts
        `schema.COUNTS`, from `count_by_pier`.

    Returns
    -------
    GeoDataFrame
        Table after `schema.ALERTS`: one row a place that was ever seen; `too_few` where fewer than eight earlier passes
        of the newest one's orbit saw it.

    Examples
    --------
    >>> from sarship.counts.by_pier import count_by_pier
    >>> from sarship.schema import COVERAGE, SCENES, VESSELS
    >>> nowhere = gpd.GeoDataFrame({"name": [], "kind": []}, geometry=[], crs="EPSG:4326")
    >>> len(find_alerts(count_by_pier(VESSELS.empty(), nowhere, SCENES.empty(), COVERAGE.empty())))
    0
    """
    rows: list[dict[str, Any]] = []
    for name, series in _series_of(counts):
        n = len(series)
        if not n:
            continue
        newest = [_against_usual(series, k) for k in range(max(n - 2, 0), n)]
        sides = [row.pop("side") for row in newest]
        row = newest[-1] | {"where": name}
        if row["n_passes"] and sides[-1]:
            row["status"] = "alert" if sides[0] == sides[-1] and n > 1 else "watch"
        rows.append(row)
    places = places_of(counts)
    return ALERTS.of_rows(rows, [places[row["where"]] for row in rows])


def _series_of(counts: xr.Dataset) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each place's name and its rows of `counts_at`; the whole port only where it has several piers."""
    is_one = (counts["kind"] == "pier").sum() < 2
    for name, series in counts_at(counts).items():
        if not (is_one and name == WHOLE_PORT):
            yield name, series


def _drawn(series: pd.DataFrame) -> Integers:
    """Return the counts, and below them draws from the triangle of their bounds, (1 + N_DRAWS, n_passes).

    Each pass has one draw in every part of its distribution, and the same ones on every run.
    """
    counts = series[["n_vessels", "n_low", "n_high"]].to_numpy(np.int64).T
    count, low, high = counts[:, :, None].astype(float)
    parts = np.tile((np.arange(N_DRAWS) + 0.5) / N_DRAWS, (len(count), 1))
    part = np.random.default_rng(0).permuted(parts, axis=1)
    width = high - low
    left = low + np.sqrt(part * width * (count - low))
    right = high - np.sqrt((1 - part) * width * (high - count))
    drawn = np.where(part * width < count - low, left, right)
    return np.vstack([counts[:1], np.rint(drawn).T.astype(np.int64)])


def _cuts(series: pd.DataFrame, drawn: Integers) -> tuple[Cut, ...]:
    """Return the cuts between levels of a place's draws on one orbit."""
    time = series["time"]
    return find_segments(drawn, ((time - time.iloc[0]) / pd.Timedelta(1, "D")).to_numpy(float)).cuts


def _changes(series: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the changes of one place on one orbit."""
    if len(series) < MIN_PASSES:
        return
    drawn, time = _drawn(series), series["time"].tolist()
    cuts = _cuts(series, drawn)
    ends = [0, *[cut.at for cut in cuts], len(series)]
    for k, cut in enumerate(cuts):
        if cut.probability >= MIN_PROBABILITY:
            before, after = drawn[:, ends[k] : cut.at], drawn[:, cut.at : ends[k + 2]]
            yield {
                "quantity": "n_vessels",
                "direction": _direction(series, cut, rises=after[0].mean() > before[0].mean()),
                "from_time": time[cut.at - 1],
                "to_time": time[cut.at],
                "window_from": time[cut.first - 1],
                "window_to": time[cut.last],
                "probability": cut.probability,
                **_level("before", before, gamma_rate(drawn)),
                **_level("after", after, gamma_rate(drawn)),
                "relative_orbit": int(series["relative_orbit"].iloc[0]),
                "confirmed_by": "",
            }


def _direction(series: pd.DataFrame, cut: Cut, *, rises: bool) -> str:
    """Return `rose`, `fell`, or `method` where the reference came or went within the window."""
    around = series["has_reference"].iloc[cut.first - 1 : cut.last + 1]
    return "method" if around.any() and not around.all() else "rose" if rises else "fell"


def _level(name: str, drawn: Integers, rate: Reals) -> dict[str, float]:
    """Return the mean count of a segment, and the interval of its level over all draws."""
    quantiles = (np.arange(N_DRAWS) + 0.5) / N_DRAWS
    levels = gammaincinv(1 + drawn[1:].sum(axis=1, keepdims=True), quantiles) / (rate[1:, None] + drawn.shape[1])
    low, high = np.quantile(levels, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    mean = drawn[0].mean()
    interval = {f"{name}_low": float(min(low, mean)), f"{name}_high": float(max(high, mean))}
    return {name: float(mean), **interval, f"n_{name}": drawn.shape[1]}


def _confirmed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each change of a place once: the row of the orbit that shows it best, confirmed by those of the others."""
    kept: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: -row["probability"]):
        for other in kept:
            orbits = {str(other["relative_orbit"]), *other["confirmed_by"].split()}
            overlaps = row["window_from"] < other["window_to"] and other["window_from"] < row["window_to"]
            is_same = row["direction"] == other["direction"] and str(row["relative_orbit"]) not in orbits
            if overlaps and is_same:
                other["confirmed_by"] = f"{other['confirmed_by']} {row['relative_orbit']}".strip()
                break
        else:
            kept.append(row)
    return kept


def _words(row: dict[str, Any]) -> str:
    """Return a change as a sentence. It lies between two passes, so two dates are named, never one."""
    before, after = (f"{row[name]:.1f} ({row[f'{name}_low']:.1f}-{row[f'{name}_high']:.1f})" for name in _SIDES)
    when = f"between {row['window_from']:%Y-%m-%d} and {row['window_to']:%Y-%m-%d}; {100 * row['probability']:.0f} %"
    at = "the piers" if row["where"] == WHOLE_PORT else row["where"]
    if row["direction"] == "method":
        return f"the reference at {at} came or went, and counts went from {before} to {after}, {when}"
    return f"vessels at {at} {row['direction']} from {before} to {after} {when}"


_SIDES: Final = ("before", "after")


def _against_usual(series: pd.DataFrame, k: int) -> dict[str, Any]:
    """Return a pass beside the usual range of its orbit before the newest two, and the side on which it is outside."""
    row, earlier = series.iloc[k], series[:-2]
    earlier = earlier[earlier["relative_orbit"] == row["relative_orbit"]]
    count = int(row["n_vessels"])
    low, high, n_passes = np.nan, np.nan, 0
    if len(earlier) >= MIN_PASSES:
        drawn = _drawn(earlier)
        cuts = _cuts(earlier, drawn)
        now = drawn[0, cuts[-1].at if cuts else 0 :]
        low, high, n_passes = *_usual(now, float(gamma_rate(drawn)[0])), len(now)
    return {
        "time": row["time"],
        "relative_orbit": int(row["relative_orbit"]),
        "n_vessels": float(count),
        "usual_low": low,
        "usual_high": high,
        "n_passes": n_passes,
        "status": "usual" if n_passes else "too_few",
        "side": int(count > high) - int(count < low),
    }


def _usual(counts: Integers, rate: float) -> tuple[float, float]:
    """Return the range that a count of the same level lies in but for a chance of `OUTSIDE`: negative binomial."""
    rate += len(counts)
    chance = nbdtr(np.arange(10 * (int(counts.max()) + 10)), 1 + int(counts.sum()), rate / (1 + rate))
    low, high = np.searchsorted(chance, OUTSIDE / 2, side="right"), np.searchsorted(chance, 1 - OUTSIDE / 2)
    return float(low), float(high)
