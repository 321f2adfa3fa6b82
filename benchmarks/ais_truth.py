"""States of simulated vessels beside AIS, held against the truth."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from sarship.ais import AisMatches
from sarship.pipeline.results import Results
from sarship.simulate import PortSeries, SimulatedAis

__all__ = ["scores", "states_of"]

SAME_PIXELS = 6.0
"""Distance of a found vessel from the place where a true one is imaged, pixels."""


def states_of(series: PortSeries, results: Results, ais: SimulatedAis, matches: AisMatches) -> pd.DataFrame:
    """Return one row a true vessel and pass at a pier or anchorage: number, mmsi or none, and the found row's state."""
    numbers = {path.name.split(".")[0]: k for k, one in enumerate(series.passes) for path in one.slices}
    truth = pd.DataFrame(series.truth.drop(columns="geometry"))
    truth = truth.assign(number=truth["scene"].map(numbers), mmsi=truth["vessel_id"].map(dict(ais.mmsi)))
    truth = truth.dropna(subset=["pier"]).drop_duplicates(["number", "vessel_id"])
    radar = matches.table[matches.table["vessel"].notna()].set_index("vessel")
    found = results.vessels.set_index("vessel")
    rows: list[dict[str, Any]] = []
    for scene, true in truth.groupby("scene"):
        here = found[(found["scene"] == scene) & found.index.isin(radar.index)]
        places, spots = true[["line", "pixel"]].to_numpy(float), here[["line", "pixel"]].to_numpy(float)
        state = np.full(len(true), "missed", object)
        number = np.full(len(true), np.nan)
        if len(here):
            distance, nearest = (np.asarray(each) for each in cKDTree(spots).query(places))
            for k in np.argsort(distance):
                name = here.index[nearest[k]]
                if distance[k] <= SAME_PIXELS and name not in {row["vessel"] for row in rows}:
                    state[k] = radar.loc[name, "state"]
                    number[k] = np.nan if pd.isna(radar.loc[name, "mmsi"]) else radar.loc[name, "mmsi"]
                    rows.append({"vessel": name})
        rows += [
            {"vessel": None, "number": one.number, "true": one.mmsi, "state": now, "mmsi": given}
            for one, now, given in zip(true.itertuples(), state, number, strict=True)
        ]
    return pd.DataFrame([row for row in rows if row["vessel"] is None]).drop(columns="vessel")


def scores(table: pd.DataFrame, deaf: Collection[int] = ()) -> dict[str, float]:
    """Return precision, recall and F1 of `dark` among found vessels, recall of all, and shares of own and other's AIS.

    Parameters
    ----------
    table
        From `states_of`.
    deaf
        Numbers of the passes on which AIS could tell nothing; their dark vessels are counted apart.
    """
    apart = table["number"].isin(list(deaf))
    heard = table[~apart]
    is_dark, called = heard["true"].isna(), heard["state"] == "dark"
    found = heard["state"] != "missed"
    right = int((is_dark & called).sum())
    precision, recall = right / max(1, int(called.sum())), right / max(1, int((is_dark & found).sum()))
    sending = heard[~is_dark & found]
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "recall_of_all": right / max(1, int(is_dark.sum())),
        "own": float((sending["mmsi"] == sending["true"]).mean()),
        "other": float((sending["mmsi"].notna() & (sending["mmsi"] != sending["true"])).mean()),
        "falsely_dark": float((sending["state"] == "dark").mean()),
        "dark_when_deaf": float((table[apart]["state"] == "dark").sum()),
        "n_found": float(found.sum()),
    }
