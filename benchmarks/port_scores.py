"""Found vessels against true ones: who matches whom, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from sarship import schema

__all__ = ["CLASSES", "counts_of", "matched", "summary"]

CLASSES: Final = ((20.0, 50.0), (50.0, 100.0), (100.0, 500.0))
_NEAR_M: Final = 40.0
_OF_LENGTH: Final = 0.35
EMPTY: Final = "Old mole"


def matched(found: gpd.GeoDataFrame, true: gpd.GeoDataFrame, crs: str) -> pd.DataFrame:
    """Pairs of one scene, and who has no partner: one row a pair, a miss, or a false vessel.

    A found vessel can be a true one when its middle lies within 40 m, or 0.35 of the true length if that is more, of
    where the true one's middle is imaged (which for a moving vessel is not where it is). One matches one, with the
    least sum of distances among the largest number of pairs.
    """
    here, there = (_places(table, crs) for table in (found, true))
    distance = cdist(here, there)
    reach = np.maximum(_NEAR_M, _OF_LENGTH * true["length_m"].to_numpy())
    cost = np.where(distance <= reach, distance, 1e6)
    rows, columns = linear_sum_assignment(cost)
    good = cost[rows, columns] < 1e6
    rows, columns = rows[good], columns[good]
    records = [_record(found.iloc[i], true.iloc[j]) for i, j in zip(rows, columns, strict=True)]
    records += [_record(found.iloc[i], None) for i in sorted(set(range(len(found))) - set(rows))]
    records += [_record(None, true.iloc[j]) for j in sorted(set(range(len(true))) - set(columns))]
    return pd.DataFrame(records, columns=list(_record(None, None)))


def _places(table: gpd.GeoDataFrame, crs: str) -> np.ndarray:
    points = gpd.GeoSeries(table.geometry.to_numpy(), crs=schema.WGS84).to_crs(crs)
    return np.stack([points.x, points.y], -1) if len(table) else np.empty((0, 2))


def _record(found: pd.Series | None, true: pd.Series | None) -> dict[str, object]:
    turn = longer = np.nan
    if found is not None and true is not None:
        turn = (found["heading_deg"] - true["heading_deg"] + 90) % 180 - 90
        longer = found["length_m"] - true["length_m"]
    return {
        "is_found": found is not None,
        "is_true": true is not None,
        "vessel": None if found is None else found["vessel"],
        "vessel_id": None if true is None else true.get("vessel_id"),
        "found_at": None if found is None else _zone(found["pier"]),
        "true_at": None if true is None else _zone(true["pier"]),
        "length_m": np.nan if true is None else true["length_m"],
        "wind_m_s": np.nan if true is None else true["wind_m_s"],
        "length_error_m": longer,
        "heading_error_deg": abs(turn),
        "is_on_empty": found is not None and found["pier"] == EMPTY,
    }


def _zone(pier: str | float | None) -> str:
    if not isinstance(pier, str):
        return "open water"
    return "anchorage" if pier == "Anchorage" else "piers"


def counts_of(found: gpd.GeoDataFrame, true: gpd.GeoDataFrame, piers: Sequence[str]) -> pd.DataFrame:
    """Found and true numbers of one scene, one row a pier."""
    columns = {"found": found["pier"].value_counts(), "true": true["pier"].value_counts()}
    return pd.DataFrame({name: n.reindex(list(piers), fill_value=0) for name, n in columns.items()})


def summary(pairs: pd.DataFrame, counts: pd.DataFrame) -> dict[str, float]:
    """The figures of one method over all its scenes; `counts` has `scene`, `found`, `true`."""
    error = counts["found"] - counts["true"]
    image = error.groupby(counts["scene"]).sum()
    figures = {
        "MAE a pier": error.abs().mean(),
        "MAE an image": image.abs().mean(),
        "bias an image": image.mean(),
        "false a date, empty pier": pairs["is_on_empty"].sum() / counts["scene"].nunique(),
    }
    for zone in ("piers", "anchorage", "open water"):
        figures |= {f"{key} {zone}": value for key, value in _detection(pairs, zone, (0, 500)).items()}
    for low, high in CLASSES:
        name = f"{low:g}-{high:g} m" if high < 500 else f"> {low:g} m"
        for zone in ("piers", "afloat"):
            figures[f"F1 {zone} {name}"] = _detection(pairs, zone, (low, high))["F1"]
    figures["F1 piers > 50 m"] = _detection(pairs, "piers", (50, 500))["F1"]
    figures["F1 afloat > 50 m"] = _detection(pairs, "afloat", (50, 500))["F1"]
    for name, low, high in (("< 6 m/s", 0, 6), ("6-10 m/s", 6, 10), ("> 10 m/s", 10, 99)):
        there = pairs[(pairs["true_at"].notna()) & (pairs["wind_m_s"] >= low) & (pairs["wind_m_s"] < high)]
        figures[f"recall {name}"] = there["is_found"].mean()
    both = pairs[pairs["is_found"] & pairs["is_true"]]
    figures["length error, mean size"] = both["length_error_m"].abs().mean()
    figures["length error, mean"] = both["length_error_m"].mean()
    long = both[both["length_m"] > 100]
    figures["heading within 10°, > 100 m"] = (long["heading_error_deg"] <= 10).mean()
    return {key: float(value) for key, value in figures.items()}


def _detection(pairs: pd.DataFrame, zone: str, lengths: tuple[float, float]) -> dict[str, float]:
    """Precision, recall and F1. False vessels have no true length: they are shared out over the lengths as true ones.

    A false vessel belongs to the zone it was found in, a true one to where it lies.
    """
    zones = ("anchorage", "open water") if zone == "afloat" else (zone,)
    there = pairs[pairs["true_at"].isin(zones)]
    inside = there[(there["length_m"] >= lengths[0]) & (there["length_m"] < lengths[1])]
    false = (pairs["found_at"].isin(zones) & ~pairs["is_true"]).sum() * len(inside) / max(1, len(there))
    hit = inside["is_found"].sum()
    recall = hit / len(inside) if len(inside) else np.nan
    precision = hit / (hit + false) if hit + false else np.nan
    total = precision + recall
    return {"precision": precision, "recall": recall, "F1": 2 * precision * recall / total if total else 0.0}
