"""Counts of vessels at piers over time.

Counting takes the scenes and their coverage, not only the vessels: only they tell a pier that was seen empty, which has
0, from one that was not seen, which is missing.

A time is one pass of one satellite (`counts/passes.py`): slices that share a port are one time, twins count once,
and a vessel that shows in two slices is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sarship.counts.passes import MIN_SEEN, are_counted, group_passes, seen_by_pass, vessels_once
from sarship.schema import COUNTS, COVERAGE, NOT_COUNTED, SCENES, TRACK, VESSELS

__all__ = ["count_by_pier"]

Reals = NDArray[np.float64]


def count_by_pier(
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    min_seen: float = MIN_SEEN,
) -> xr.Dataset:
    """Count the vessels at each pier on each pass.

    Parameters
    ----------
    vessels
        From `assign_piers`, of all scenes together; those at no pier are passed over.
    piers
        `Port.piers`; columns `name`, `kind` and geometry are used.
    scenes
        Every scene that was searched (`schema.SCENES`), whether it saw a pier or not.
    coverage
        Part of each pier's waters that each scene saw (`schema.COVERAGE`); a pair that is not there was not seen.
    min_seen
        Fraction of a pier's waters that must be imaged for its count to stand, 0 … 1; at 0 any part will do.

    Returns
    -------
    Dataset
        Variables of `schema.COUNTS` over `(time, pier)`, float64. `time` is the start of the pass (of its first slice
        that is here), UTC. `n_vessels`, its bounds `n_low` and `n_high` (all three sums of those of the rows) and the
        `total_length_m` of the counted ones (metres) are missing where `seen` is under `min_seen`, and where it is 0.
        `detectable_length_m` is the largest of the slices that saw any of it, as a zero is only as good as its worst
        part; `incidence_deg` is their mean, weighted with what each saw, and `n_reference_dates` the smallest. Along
        `time` go `scene` (ids joined by a space), `platform`, `relative_orbit` and `orbit_pass`, along `pier` its
        `kind`.

    Raises
    ------
    ValueError
        If a table breaks its contract, or vessels name a scene or pier that is not in the others.

    Examples
    --------
    One scene that saw the quay empty, and nothing of the mole:

    >>> import shapely
    >>> waters = [shapely.box(35.80, 34.90, 35.81, 34.91), shapely.box(35.82, 34.90, 35.83, 34.91)]
    >>> piers = gpd.GeoDataFrame({"name": ["Quay", "Mole"], "kind": "pier"}, geometry=waters, crs="EPSG:4326")
    >>> scene = {column.name: [0] for column in SCENES.columns} | {"scene": ["S"]}
    >>> seen = {column.name: [0, 0] for column in COVERAGE.columns} | {"scene": ["S", "S"]}
    >>> seen |= {"pier": ["Quay", "Mole"], "seen": [1.0, 0.0]}
    >>> scenes, coverage = SCENES.make(scene, waters[:1]), COVERAGE.make(seen, waters)
    >>> count_by_pier(VESSELS.empty(), piers, scenes, coverage)["n_vessels"].to_numpy()
    array([[ 0., nan]])
    """
    if not 0 <= min_seen <= 1:
        raise ValueError(f"min_seen is a fraction in [0, 1], got {min_seen}")
    for table, frame in ((VESSELS, vessels), (SCENES, scenes), (COVERAGE, coverage)):
        table.check(frame)
    vessels = vessels[vessels["pier"].notna() & ~vessels["flag"].isin(NOT_COUNTED)].drop_duplicates("vessel")
    scenes, coverage = scenes.drop_duplicates("scene"), coverage.drop_duplicates(["scene", "pier"])
    _refuse_strangers(vessels["scene"], scenes["scene"], "scene")
    _refuse_strangers(vessels["pier"], piers["name"], "pier")
    names = piers["name"].tolist()
    passes = group_passes(scenes, coverage)
    tables = np.full((len(COUNTS), len(passes), len(names)), np.nan)
    for row, frame in enumerate(passes):
        seen = seen_by_pass(coverage[coverage["scene"].isin(frame["scene"])], names)
        here = vessels_once(vessels[vessels["scene"].isin(frame["scene"])]).assign(n=are_counted)
        here["length_m"] = here["length_m"].where(here["n"], 0.0)
        sums = here.groupby("pier")[["n", "n_low", "n_high", "length_m"]].sum().reindex(names, fill_value=0)
        stands = (seen[0] >= min_seen) & (seen[0] > 0)
        tables[:, row] = np.vstack([np.where(stands, sums.to_numpy(float).T, np.nan), seen])
    return _dataset(tables, passes, piers, min_seen)


def _dataset(tables: Reals, passes: Sequence[gpd.GeoDataFrame], piers: gpd.GeoDataFrame, min_seen: float) -> xr.Dataset:
    first = pd.concat([frame.iloc[:1] for frame in passes]) if passes else SCENES.empty()
    time = pd.DatetimeIndex(first["start"]).tz_convert(None).as_unit("ns")
    middle = piers.representative_point()
    return xr.Dataset(
        {variable.name: (variable.dims, table, variable.attrs) for variable, table in zip(COUNTS, tables, strict=True)},
        coords={
            "time": ("time", time, {"standard_name": "time", "long_name": "start of the pass, UTC"}),
            "pier": (
                "pier",
                np.array(piers["name"], dtype=np.str_),
                {"long_name": "name of the pier", "cf_role": "timeseries_id"},
            ),
            "scene": ("time", np.array([" ".join(frame["scene"]) for frame in passes], dtype=np.str_)),
            "platform": ("time", np.array(first["platform"], dtype=np.str_)),
            "relative_orbit": ("time", first["relative_orbit"].to_numpy(), TRACK),
            "orbit_pass": ("time", np.array(first["orbit_pass"], dtype=np.str_)),
            "longitude": ("pier", middle.x.to_numpy(), {"standard_name": "longitude", "units": "degrees_east"}),
            "latitude": ("pier", middle.y.to_numpy(), {"standard_name": "latitude", "units": "degrees_north"}),
            "kind": ("pier", np.array(piers["kind"], dtype=np.str_)),
        },
        attrs={"min_seen": min_seen, "featureType": "timeSeries"},
    )


def _refuse_strangers(found: pd.Series[str], known: pd.Series[str], kind: str) -> None:
    strangers = sorted(set(found) - set(known))
    if strangers:
        raise ValueError(f"vessels name the {kind} {strangers[0]!r}, which is not among the {kind}s given")
