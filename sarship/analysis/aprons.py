"""Yards ashore: filled or emptied, between which two passes, and how sure that is.

All orbits and polarisations are cut at the same passes (`counts/segments.py`), each with levels of its own: each sees
the yard differently. A step that both polarisations show is `filled` or `emptied`, if the share of cells that stand out
of the yard goes with it. A step in one alone, an even one, or one that another orbit shows the other way round is
`changed`: wet ground, snow, works, or cargo that was put up differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import special

from sarship.change.apron_levels import DECIBEL, STANDS_OUT
from sarship.counts.segments import NOISE_PASSES, Cut, find_steps
from sarship.schema import APRONS, CHANGES

__all__ = ["find_apron_changes", "find_fill", "judge_aprons"]


MIN_PASSES: Final = 8
"""Minimum number of passes, all orbits together, that a change is looked for in."""
MIN_PROBABILITY: Final = 0.5
"""Chance of a change that is listed: it is there rather than not."""
TOGETHER: Final = 0.7
"""Power of the likelihood of two polarisations: they see the same vehicles and the same weather, so they are less than
two witnesses. Chosen so that chances are right on simulated yards; `benchmarks/aprons.py` has others."""
SIGMAS: Final = 2.0
"""Deviations by which a channel has to differ, once a change is there, to have changed too."""
CERTAIN: Final = 0.99
"""Chance above which none is named: the model is not so good."""
INTERVAL: Final = 0.9
"""Probability of the interval of a level."""
_ERRORS: Final = {"level_db": "level_error_db", "level_cross_db": "level_cross_error_db"}


@dataclass(frozen=True, eq=False, slots=True)
class _Yard:
    """An apron on the passes that measured it, in order of time."""

    rows: pd.DataFrame
    cuts: tuple[Cut, ...]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Yard:
        """Return an apron with the segments of its level."""
        rows = rows[rows["level_db"].notna()].sort_values(["time", "scene"], ignore_index=True)
        if len(rows) < MIN_PASSES:
            return cls(rows, ())
        days = ((rows["time"] - rows["time"][0]) / pd.Timedelta(1, "D")).to_numpy(float)
        channels = [(level, orbit) for orbit in rows["relative_orbit"].unique() for level in _ERRORS]
        series = np.stack([rows[level].where(rows["relative_orbit"] == orbit) for level, orbit in channels]) / DECIBEL
        noise = np.stack(
            [rows[_ERRORS[level]].where(rows["relative_orbit"] == orbit).max() / DECIBEL for level, orbit in channels]
        )
        known = np.isfinite(series).any(axis=1)
        weight = TOGETHER if rows["level_cross_db"].notna().any() else 1.0
        return cls(rows, find_steps(series[known], noise[known], days, weight).cuts)

    def segments(self) -> list[pd.DataFrame]:
        """Return the passes of each level."""
        ends = [0, *[cut.at for cut in self.cuts], len(self.rows)]
        return [self.rows.iloc[start:stop] for start, stop in pairwise(ends)]

    def steps(self) -> Iterator[tuple[Cut, pd.DataFrame, pd.DataFrame]]:
        """Yield each change that is likelier than not, and the passes of the levels before and after."""
        for cut, (before, after) in zip(self.cuts, pairwise(self.segments()), strict=True):
            if cut.probability >= MIN_PROBABILITY:
                yield cut, before, after


def judge_aprons(aprons: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Tell the state of each apron on each pass, with levels over the least that it had.

    Parameters
    ----------
    aprons
        `schema.APRONS`, from `measure_aprons`, all orbits together.

    Returns
    -------
    GeoDataFrame
        The same in order of time and apron. Where a level that lasted lies under that of the reference, which vehicles
        on many dates are in, that level is the empty apron's. States are `filled`, `emptied` or `changed` on the first
        pass of a new level, in the likeliest gap; `unknown` on others of that change's window, on the first pass, where
        there is no level, and on all passes of an apron with fewer than eight; else `same`.

    Examples
    --------
    >>> len(judge_aprons(APRONS.empty()))
    0
    """
    aprons = aprons.sort_values(["time", "apron", "scene"], ignore_index=True)
    for _, rows in aprons.groupby("apron"):
        yard = _Yard.of(pd.DataFrame(rows.assign(row=rows.index)))
        if len(yard.rows) < MIN_PASSES:
            continue
        told = np.full(len(yard.rows), "same", object)
        told[0] = "unknown"
        for cut in yard.cuts:
            told[cut.first : cut.last + 1] = "unknown"
        for cut, before, after in yard.steps():
            told[cut.at] = _judged(before, after)[0]
        judged = _over_least(yard).assign(state=told)
        is_even = judged["bright_share"] <= STANDS_OUT + SIGMAS * judged["bright_error"]
        is_brighter = (judged["level_db"] > SIGMAS * judged["level_error_db"]) | (
            judged["level_cross_db"] > SIGMAS * judged["level_cross_error_db"]
        )
        judged["may_be_wet"] = is_even & is_brighter
        columns = ["state", "may_be_wet", *_ERRORS, "added_m2", "empty_m2", "detectable_added_m2"]
        aprons.loc[judged["row"], columns] = judged[columns].to_numpy()
    return APRONS.check(aprons.astype({column.name: column.dtype for column in APRONS.columns}))


def _over_least(yard: _Yard) -> pd.DataFrame:
    """Return the passes of an apron, each orbit's levels over the least one that lasted."""
    rows = yard.rows.copy()
    for orbit in rows["relative_orbit"].unique():
        here = rows["relative_orbit"] == orbit
        for level in _ERRORS:
            means = [part.loc[part["relative_orbit"] == orbit, level].mean() for part in yard.segments()]
            rows.loc[here, level] -= min(0.0, float(np.nanmin([0.0, *means])))
        darker = 10 ** (yard.rows.loc[here, "level_db"] / 10) / 10 ** (rows.loc[here, "level_db"] / 10)
        rows.loc[here, ["empty_m2", "detectable_added_m2"]] = rows.loc[here, ["empty_m2", "detectable_added_m2"]].mul(
            darker, axis=0
        )
    rows["added_m2"] = np.expm1(rows["level_db"] / DECIBEL) * rows["empty_m2"]
    return rows


def find_apron_changes(aprons: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Find when each apron filled, emptied or changed.

    Parameters
    ----------
    aprons
        `schema.APRONS`, from `judge_aprons`.

    Returns
    -------
    GeoDataFrame
        Table after `schema.CHANGES`, in order of time: one row a change that is likelier than not. Its `before` and
        `after` are what was added to the empty apron, in m², as the orbit sees it that shows the change best.

    Examples
    --------
    >>> len(find_apron_changes(APRONS.empty()))
    0
    """
    found: list[tuple[dict[str, Any], Any]] = []
    for name, rows in aprons.groupby("apron"):
        yard = _Yard.of(pd.DataFrame(rows))
        times = yard.rows["time"]
        for cut, before, after in yard.steps():
            direction, orbit, others = _judged(before, after)
            row = {
                "where": name,
                "quantity": "added_m2",
                "direction": direction,
                "from_time": times[cut.at - 1],
                "to_time": times[cut.at],
                "window_from": times[cut.first - 1],
                "window_to": times[cut.last],
                "probability": cut.probability,
                **_added("before", before[before["relative_orbit"] == orbit]),
                **_added("after", after[after["relative_orbit"] == orbit]),
                "relative_orbit": orbit,
                "confirmed_by": " ".join(map(str, others)),
            }
            found.append((row | {"words": _words(row)}, rows.geometry.iloc[0].centroid))
    found.sort(key=lambda each: (each[0]["window_from"], each[0]["where"]))
    return CHANGES.of_rows([row for row, _ in found], [place for _, place in found])


def find_fill(aprons: gpd.GeoDataFrame) -> pd.DataFrame:
    """Tell how full each apron was on each pass, between the levels that it had before and after it filled or emptied.

    Parameters
    ----------
    aprons
        `schema.APRONS`, from `judge_aprons`.

    Returns
    -------
    DataFrame
        A row an apron and pass, in order of time: `apron`, `time`, and `fill` with the ends of its interval. 0 is the
        least level that lasted before or after the apron filled or emptied, as the pass's orbit sees it, and 1 the
        greatest. A pass within the window of a change has an interval that holds both levels. Passes without a level
        are left out, and aprons that never filled nor emptied.

    Examples
    --------
    >>> list(find_fill(APRONS.empty()))
    ['apron', 'time', 'fill', 'fill_low', 'fill_high']
    """
    names = ["fill", "fill_low", "fill_high"]
    rows: list[tuple[Any, ...]] = []
    for apron, passes in aprons.groupby("apron"):
        yard = _Yard.of(pd.DataFrame(passes))
        named = [yard.cuts.index(cut) for cut, *sides in yard.steps() if _judged(*sides)[0] != "changed"]
        if not named:
            continue
        parts = yard.segments()
        scale = [number + side for number in named for side in (0, 1)]
        levels: dict[int, pd.DataFrame] = {}
        for orbit in yard.rows["relative_orbit"].unique():
            added = pd.DataFrame([_added("fill", part[part["relative_orbit"] == orbit]) for part in parts])[names]
            least, most = added["fill"].iloc[scale].min(), added["fill"].iloc[scale].max()
            width = most - least if most > least else np.nan
            levels[orbit] = ((added - least) / width).clip(0.0, 1.0)
        for index, part in enumerate(parts):
            for row, time, orbit in zip(part.index, part["time"], part["relative_orbit"], strict=True):
                near = [k for k, cut in enumerate(yard.cuts) if cut.first <= row < cut.last]
                could = levels[orbit].iloc[[index, *near, *(k + 1 for k in near)]]
                rows.append((apron, time, could["fill"].iloc[0], could["fill_low"].min(), could["fill_high"].max()))
    found = pd.DataFrame(rows, columns=["apron", "time", *names])
    return found.dropna(subset=names).sort_values(["time", "apron"], ignore_index=True)


def _judged(before: pd.DataFrame, after: pd.DataFrame) -> tuple[str, int, list[int]]:
    """Return the name of a change, the orbit that shows it best, and others that show it too."""
    co, cross = (_step(before, after, level) for level in _ERRORS)
    both = sorted(set(before["relative_orbit"]) & set(after["relative_orbit"]))
    alone = {
        int(orbit): _step(
            before[before["relative_orbit"] == orbit], after[after["relative_orbit"] == orbit], "level_db"
        )
        for orbit in both
    }
    best = max(alone, key=lambda orbit: abs(alone[orbit])) if alone else int(after["relative_orbit"].iloc[0])
    sign = np.sign(co)
    moved = min(sign * co, sign * cross) > SIGMAS
    agreed = all(sign * step > -SIGMAS for step in alone.values())
    stood_out = sign * _stood_out(before, after) > SIGMAS
    name = "changed" if not (moved and agreed and stood_out) else "filled" if sign > 0 else "emptied"
    others = [orbit for orbit, step in alone.items() if orbit != best and step * np.sign(alone[best]) > SIGMAS]
    return name, best, others


def _step(before: pd.DataFrame, after: pd.DataFrame, level: str) -> float:
    """Return the step of a polarisation over its deviation, the orbits weighed together; 0 where none shows both."""
    total, weight = 0.0, 0.0
    for orbit in set(before["relative_orbit"]) & set(after["relative_orbit"]):
        sides = [rows.loc[rows["relative_orbit"] == orbit, level].dropna().to_numpy(float) for rows in (before, after)]
        if not all(side.size for side in sides):
            continue
        noise = float(before.loc[before["relative_orbit"] == orbit, _ERRORS[level]].max())
        n = sum(side.size for side in sides)
        squares = sum(float(np.sum((side - side.mean()) ** 2)) for side in sides)
        # what stands there scatters more than bare ground
        variance = (NOISE_PASSES * noise**2 + squares) / (NOISE_PASSES + n - len(sides))
        variance *= sum(1 / side.size for side in sides)
        total += (sides[1].mean() - sides[0].mean()) / variance
        weight += 1 / variance
    return float(total / np.sqrt(weight)) if weight > 0 else 0.0


def _stood_out(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Return by how many deviations more cells stand out after than before."""
    error = np.sqrt(sum(float((rows["bright_error"] ** 2).mean()) / len(rows) for rows in (before, after)))
    return float((after["bright_share"].mean() - before["bright_share"].mean()) / error)


def _added(name: str, rows: pd.DataFrame) -> dict[str, float | int]:
    """Return what was added to the empty yard in a segment, as one orbit sees it, and the interval of its level."""
    n = len(rows)
    if n == 0:
        return {name: np.nan, f"{name}_low": np.nan, f"{name}_high": np.nan, f"n_{name}": 0}
    level, noise = rows["level_db"].to_numpy(float) / DECIBEL, float(rows["level_error_db"].max()) / DECIBEL
    freedom = NOISE_PASSES + n - 1
    variance = (NOISE_PASSES * noise**2 + np.sum((level - level.mean()) ** 2)) / freedom
    reach = float(special.stdtrit(freedom, (1 + INTERVAL) / 2) * np.sqrt(variance / n))
    empty = float(rows["empty_m2"].mean())
    mean, low, high = (round(float(np.expm1(level.mean() + by) * empty), 3) + 0.0 for by in (0.0, -reach, reach))
    return {name: mean, f"{name}_low": low, f"{name}_high": high, f"n_{name}": n}


def _words(row: dict[str, Any]) -> str:
    """Return a change as a sentence. It lies between two passes, so two dates are named, never one."""
    before, after = (
        f"{row[name]:.0f} m² ({row[f'{name}_low']:.0f} to {row[f'{name}_high']:.0f})" for name in ("before", "after")
    )
    when = f"between {row['window_from']:%Y-%m-%d} and {row['window_to']:%Y-%m-%d}"
    doubt = ", which wet ground, works or cargo put up differently look like too" * (row["direction"] == "changed")
    chance = "over 99" if row["probability"] > CERTAIN else f"{100 * row['probability']:.0f}"
    return (
        f"apron {row['where']} {row['direction']} {when}{doubt}: added scattering from {before} to {after}; {chance} %"
    )
