"""Dated reports held against the counts, and the yards ashore, of the passes before and after.

A report is scored on the nearest pass within its time or some hours of it; farther passes are shown and not scored, as
vessels come and go. The radar does not see what others do: it misses boats that are short, and counts vessels that a
report on one of them, or on the long ones, leaves out. So a bound that the radar need not keep is not held against it.

A yard is as full as its level lies between the least and the greatest one that lasted: a scale of the radar's own, so
that no report is held against what another report, or itself, has said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sarship.analysis.aprons import find_fill
from sarship.analysis.contradictions import find_contradictions, marked_contradictions
from sarship.counts.by_pier import count_by_pier
from sarship.counts.places import counts_at
from sarship.schema import AGREEMENT, APRONS

__all__ = ["Agreement", "compare_observations"]

MAX_HOURS: Final = 12.0
"""Hours from a report to the pass that it is scored on; half a day's traffic lies between."""
N_RESAMPLED: Final = 2_000
"""Samples of the bootstrap."""
SCORED: Final = ("agrees", "disagrees")
FULLNESS: Final = {"empty": (0.0, 1 / 3), "some": (1 / 3, 2 / 3), "full": (2 / 3, 1.0)}
"""Words for an apron as parts of the way from its least to its greatest level: a third each."""


def compare_observations(
    observations: gpd.GeoDataFrame,
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    aprons: gpd.GeoDataFrame | None = None,
    max_hours: float = MAX_HOURS,
) -> gpd.GeoDataFrame:
    """Hold dated reports against the counts, and those on aprons against the radar's levels of these.

    A report of a number agrees if its range meets the interval of the count. Its lower end counts only where all of its
    vessels would show: it comes from a radar, or `least_length_m` is not under `detectable_length_m`; else it is 0. Its
    upper end counts only if it is on all vessels, not on named ones. Of a report with `least_length_m` the vessels of
    that length are counted. A report on an apron agrees if its third (`FULLNESS`) meets the interval of `find_fill`; an
    apron that never filled nor emptied is not compared, as it may have been full throughout, or empty.

    Parameters
    ----------
    observations
        `schema.OBSERVATIONS`, from `read_observations`.
    vessels, piers, scenes, coverage
        As for `count_by_pier`.
    aprons
        `schema.APRONS`, from `judge_aprons`; None if the port has none.
    max_hours
        Hours outside the time of a report within which a pass is scored.

    Returns
    -------
    GeoDataFrame
        Table after `schema.AGREEMENT`, in the order of the reports: one row a report, or two (`between`), for the pass
        before and the one after, where none is near enough.

    Examples
    --------
    >>> from sarship.schema import COVERAGE, OBSERVATIONS, SCENES, VESSELS
    >>> nowhere = gpd.GeoDataFrame({"name": [], "kind": []}, geometry=[], crs="EPSG:4326")
    >>> len(compare_observations(OBSERVATIONS.empty(), VESSELS.empty(), nowhere, SCENES.empty(), COVERAGE.empty()))
    0
    """
    pairs = find_contradictions(observations) | marked_contradictions(observations)
    others: dict[str, set[str]] = {name: set() for name in observations["observation"]}
    for one, other in pairs:
        others[one].add(other)
        others[other].add(one)
    passes = pd.DatetimeIndex(scenes["start"]).sort_values()
    counted: dict[float, Mapping[str, pd.DataFrame]] = {}
    filled = find_fill(APRONS.empty() if aprons is None else aprons)
    yards = {str(name): frame for name, frame in filled.groupby("apron")}
    rows: list[dict[str, Any]] = []
    for report in observations.to_dict("records"):
        length = 0.0 if np.isnan(report["least_length_m"]) else float(report["least_length_m"])
        if length not in counted:
            counted[length] = counts_at(count_by_pier(_long(vessels, length), piers, scenes, coverage))
        frames = {"vessels": counted[length], "apron": yards}.get(report["what"], {})
        held = _held(report, frames.get(report["where"]), passes, pd.Timedelta(max_hours, "h"))
        own = AGREEMENT.blank | report | {"contradicts": " ".join(sorted(others[report["observation"]]))}
        rows.extend(own | each for each in held)
    return AGREEMENT.of_rows(rows, [row["geometry"] for row in rows])


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Summary of reports held against counts and aprons.

    Examples
    --------
    >>> print(Agreement.of(AGREEMENT.empty()))
    no report could be held against a pass
    """

    n_reports: int
    """Reports in all."""
    n_scored: int
    """Reports of a number with a pass near enough."""
    n_agree: int
    """Those whose range meets the interval of the count."""
    n_exact: int
    """Scored reports that bound the count on both sides, which the errors are of."""
    n_hold: int
    """Those of them whose range holds the count itself, not only a part of its interval."""
    mean_absolute_error: float
    """Mean distance from the count to the reported range, vessels; NaN without such reports."""
    bias: float
    """Mean of counted less reported, 0 within the range, vessels; likewise."""
    bias_low: float
    """Lower end of the 95 % interval of the bias, by bootstrap over the reports."""
    bias_high: float
    """Upper end of the same."""
    n_aprons: int
    """Reports on an apron with a pass near enough."""
    n_aprons_agree: int
    """Those whose third meets the interval of the apron's fill."""
    kappa: float
    """Cohen's kappa of these reports and the thirds that the fills lie in, weighted by how many thirds they are apart;
    NaN where all say the same."""
    n_contradictions: int
    """Pairs of reports that cannot both be right."""

    @classmethod
    def of(cls, agreement: gpd.GeoDataFrame) -> Agreement:
        """Return the summary of a table after `schema.AGREEMENT`."""
        scored = agreement[agreement["state"].isin(SCORED)]
        yards, scored = (scored[scored["fullness"].ne("") == is_apron] for is_apron in (True, False))
        errors = scored["error"].dropna().to_numpy(float)
        low, high = _interval(errors)
        others = agreement.drop_duplicates("observation")["contradicts"].str.split()
        return cls(
            n_reports=agreement["observation"].nunique(),
            n_scored=len(scored),
            n_agree=int((scored["state"] == "agrees").sum()),
            n_exact=len(errors),
            n_hold=int((errors == 0).sum()),
            mean_absolute_error=float(np.abs(errors).mean()) if len(errors) else np.nan,
            bias=float(errors.mean()) if len(errors) else np.nan,
            bias_low=low,
            bias_high=high,
            n_aprons=len(yards),
            n_aprons_agree=int((yards["state"] == "agrees").sum()),
            kappa=_kappa(yards),
            n_contradictions=sum(map(len, others)) // 2,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain JSON values; missing numbers are None."""
        return {name: None if np.isnan(value) else value for name, value in asdict(self).items()}

    def __str__(self) -> str:
        parts = []
        if self.n_scored:
            parts.append(f"{self.n_agree} of {self.n_scored} reports agree with the count of a pass near them")
        if self.n_exact:
            interval = f"{self.bias_low:+.2f} to {self.bias_high:+.2f}"
            errors = f"mean error {self.mean_absolute_error:.2f} vessels, bias {self.bias:+.2f} ({interval})"
            parts.append(f"{self.n_hold} of {self.n_exact} ranges hold the count itself, {errors}")
        if self.n_aprons:
            kappa = "" if np.isnan(self.kappa) else f", weighted kappa {self.kappa:.2f}"
            share = f"{self.n_aprons_agree} of {self.n_aprons} reports on yards agree"
            parts.append(f"{share} with the level of a pass near them{kappa}")
        parts = parts or ["no report could be held against a pass"]
        if self.n_contradictions:
            pairs = "pair contradicts" if self.n_contradictions == 1 else "pairs contradict"
            parts.append(f"{self.n_contradictions} {pairs} each other")
        return "; ".join(parts)


def _kappa(yards: gpd.GeoDataFrame) -> float:
    """Return the linearly weighted kappa of reported words and measured fills."""
    reported = yards["fullness"].map(list(FULLNESS).index).to_numpy(int)
    measured = np.searchsorted([high for _, high in FULLNESS.values()][:-1], yards["fill"])
    by_chance = np.abs(np.subtract.outer(reported, measured)).mean() if len(yards) else 0.0
    return float(1 - np.abs(reported - measured).mean() / by_chance) if by_chance else np.nan


def _interval(errors: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by bootstrap."""
    if not len(errors):
        return np.nan, np.nan
    drawn = np.random.default_rng(0).choice(errors, (N_RESAMPLED, len(errors)))
    low, high = np.quantile(drawn.mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _long(vessels: gpd.GeoDataFrame, least_m: float) -> gpd.GeoDataFrame:
    """Return the vessels of a length; one that is so only within its sigma is left to the bounds."""
    if not least_m:
        return vessels
    length, error = vessels["length_m"], vessels["length_error_m"].fillna(0.0)
    is_long, is_surely = length >= least_m, length - error >= least_m
    bounds = {"n_vessels": vessels["n_vessels"].where(is_long, 0), "n_low": vessels["n_low"].where(is_surely, 0)}
    return vessels.assign(**bounds)[length + error >= least_m]


def _held(
    report: Mapping[str, Any], seen: pd.DataFrame | None, passes: pd.DatetimeIndex, margin: pd.Timedelta
) -> Iterator[dict[str, Any]]:
    """Yield what each pass says of a report: the nearest one, or those before and after."""
    if seen is None:
        yield {"state": "not_compared"}
        return
    against: Callable[[Mapping[str, Any], pd.Series[Any]], dict[str, Any]]
    against = _against_fill if report["what"] == "apron" else _against_count
    start, stop = report["time_from"], report["time_to"]
    middle = start + (stop - start) / 2

    def held(row: pd.Series[Any]) -> dict[str, Any]:
        hours = (row["time"] - middle) / pd.Timedelta(1, "h")
        return {"time": row["time"], "hours": hours} | against(report, row)

    near = seen[seen["time"].between(start - margin, stop + margin)]
    if len(near):
        yield held(near.loc[(near["time"] - middle).abs().idxmin()])
        return
    unseen = passes[(passes >= start - margin) & (passes <= stop + margin)]
    if len(unseen):
        when = unseen[np.abs(unseen - middle).argmin()]
        yield {"state": "not_seen", "time": when, "hours": (when - middle) / pd.Timedelta(1, "h")}
        return
    sides = [seen[seen["time"] < start].tail(1), seen[seen["time"] > stop].head(1)]
    for _, row in pd.concat(sides).iterrows():
        yield held(row) | {"state": "between"}
    if all(side.empty for side in sides):
        yield {"state": "not_compared"}


def _against_fill(report: Mapping[str, Any], row: pd.Series[Any]) -> dict[str, Any]:
    """Return an apron on a pass beside a report."""
    low, high = FULLNESS[report["fullness"]]
    agrees = row["fill_low"] <= high and low <= row["fill_high"]
    fill = {name: float(row[name]) for name in ("fill", "fill_low", "fill_high")}
    return fill | {"state": "agrees" if agrees else "disagrees"}


def _against_count(report: Mapping[str, Any], row: pd.Series[Any]) -> dict[str, Any]:
    """Return the count of a pass beside a report."""
    shows_all = report["kind"] == "radar" or report["least_length_m"] >= row["detectable_length_m"]
    low = float(np.nan_to_num(report["low"])) if shows_all else 0.0
    high = np.inf if report["vessel"] or np.isnan(report["high"]) else float(report["high"])
    n_vessels = float(row["n_vessels"])
    is_bounded = np.isfinite(high) and (low > 0 or report["low"] == 0)
    return {
        "n_vessels": n_vessels,
        "n_low": float(row["n_low"]),
        "n_high": float(row["n_high"]),
        "state": "agrees" if row["n_low"] <= high and low <= row["n_high"] else "disagrees",
        "error": n_vessels - float(np.clip(n_vessels, low, high)) if is_bounded else np.nan,
    }
