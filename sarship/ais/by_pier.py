"""Counts of AIS beside those of the radar, per pier and pass."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from sarship.ais.tables import AIS_COUNTS

__all__ = ["count_ais"]

_STATES = {
    "n_ais": ("matched", "ambiguous", "not_seen", "too_small"),
    "n_dark": ("dark",),
    "n_unknown": ("unknown",),
    "n_not_seen": ("not_seen",),
}


def count_ais(counts: xr.Dataset, matches: gpd.GeoDataFrame) -> xr.Dataset:
    """Return counts (`schema.COUNTS`) with the variables of `ais.tables.AIS_COUNTS`.

    Parameters
    ----------
    counts
        From `count_by_pier`.
    matches
        `AisMatches.table` of the same survey.
    """
    times = pd.DatetimeIndex(counts["time"].to_numpy()).tz_localize("UTC")
    piers = counts["pier"].to_numpy().tolist()
    is_seen = np.isfinite(counts["n_vessels"].to_numpy())
    added = {}
    for variable in AIS_COUNTS:
        rows = matches[matches["state"].isin(_STATES[variable.name])]
        if variable.name == "n_ais":  # an ambiguous vessel may be one that nobody heard
            rows = rows[rows["mmsi"].notna()]
        table = pd.crosstab(rows["time"], rows["pier"]).reindex(index=times, columns=piers, fill_value=0)
        added[variable.name] = (variable.dims, np.where(is_seen, table.to_numpy(float), np.nan), variable.attrs)
    return counts.transpose("time", "pier", ...).assign(added)
