"""Counts by place: each pier, and all piers together without anchorages."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from shapely.geometry.base import BaseGeometry

from sarship.schema import WHOLE_PORT

__all__ = ["counts_at", "places_of", "traffic_at"]


def places_of(counts: xr.Dataset) -> dict[str, BaseGeometry]:
    """Return the middle of each pier by its name, and those of all for the whole port."""
    degrees = np.column_stack([counts["longitude"].to_numpy(), counts["latitude"].to_numpy()])
    names = [str(name) for name in counts["pier"].to_numpy()]
    places = {name: shapely.Point(place) for name, place in zip(names, degrees, strict=True)}
    return {WHOLE_PORT: shapely.MultiPoint(degrees), **places}


def counts_at(counts: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Return the counts (`schema.COUNTS`) of each place on the passes that saw it, in order of time.

    Of the whole port that is the sum over its piers, where all were seen. `has_reference` is True where each was
    compared with the empty pier, and `detectable_length_m` is the largest. Bounds enclose the count.
    """
    counts = counts.sortby("time").transpose("time", "pier")
    names = [str(name) for name in counts["pier"].to_numpy()]
    places = {WHOLE_PORT: counts["kind"].to_numpy() == "pier"}
    places |= {name: np.arange(len(names)) == k for k, name in enumerate(names)}
    frames = {}
    for name, column in places.items():
        if not column.any():
            continue
        here = counts.isel(pier=np.flatnonzero(column))
        n_vessels, low, high = (
            here[bound].sum("pier", skipna=False).to_numpy() for bound in ("n_vessels", "n_low", "n_high")
        )
        frame = pd.DataFrame(
            {
                "time": pd.DatetimeIndex(here["time"].to_numpy()).tz_localize("UTC"),
                "relative_orbit": here["relative_orbit"].to_numpy().astype(np.int64),
                "n_vessels": n_vessels,
                "n_low": np.minimum(low, n_vessels),
                "n_high": np.maximum(high, n_vessels),
                "has_reference": (here["n_reference_dates"] > 0).all("pier").to_numpy(),
                "detectable_length_m": here["detectable_length_m"].max("pier").to_numpy(),
            }
        )
        frames[name] = frame[np.isfinite(n_vessels)].reset_index(drop=True)
    return frames


def traffic_at(traffic: gpd.GeoDataFrame, counts: xr.Dataset) -> pd.DataFrame:
    """Return the sums of the traffic (`schema.TRAFFIC`) over all passes, one row a place, with their errors.

    The whole port comes first, if it has piers.
    """
    names = ["arrived", "left", "stayed"]
    errors = [f"{name}_error" for name in names]
    squares = pd.DataFrame(traffic[["pier", *names, *errors]])
    squares[errors] **= 2
    sums = squares.groupby("pier").sum()
    kinds = dict(zip(map(str, counts["pier"].to_numpy()), counts["kind"].to_numpy(), strict=True))
    sums = sums.reindex([name for name in kinds if name in sums.index])
    at_piers = [name for name in sums.index if kinds[name] == "pier"]
    if at_piers:
        sums = pd.concat([sums.loc[at_piers].sum().to_frame(WHOLE_PORT).T, sums])
    sums[errors] **= 0.5
    return sums
