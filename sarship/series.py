"""Vessels, piers and scenes to counts over time.

Counting takes the scenes, not only the vessels: a pier that was looked at and empty has 0, a pier that was not
looked at is missing, and only the scenes and their coverage can tell the two apart.

A time is one pass of one satellite. A pass is cut into slices, products of some 25 s that follow each other, and a
port may lie in two of them; the same slice may also be there twice, packed in two ways. So

- products of the same acquisition are one slice, whatever their names (the one that saw most is taken);
- slices of one satellite that follow within a minute are one time. The orbit number is not asked: it changes in the
  middle of a pass at the equator, and the date does at midnight;
- what was seen is the union of what the slices saw;
- a vessel that shows in two slices is counted once: where slices overlap it shows at the same place, and where they
  meet each shows the half of a vessel, both touching the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from sarship.piers import vessel_axes
from sarship.plane import Plane
from sarship.schema import COUNTS, COVERAGE, SCENES, VESSELS

__all__ = ["count_by_pier"]

Reals = NDArray[np.float64]

LONGEST_GAP: Final = pd.Timedelta(60, "s")
"""Between one slice's last line and the next one's first within a pass: room for two missing slices."""
SAME_PLACE_M: Final = 25.0
"""Vessels of two slices whose centres are nearer than a resolution cell are the same vessel."""
SAME_CUT_M: Final = 40.0
"""Parts of a vessel in slices that meet, both at an edge, whose axes are nearer than this are the same vessel: each was
measured a resolution cell too short. Of slices that overlap a little one may show all of the vessel and the other a
part; then one alone is at an edge, and the axes are nearer than `SAME_PLACE_M`."""


def count_by_pier(
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    min_seen: float = 0.95,
) -> xr.Dataset:
    """Number of vessels at each pier at each pass.

    Parameters
    ----------
    vessels
        From `assign_piers`, of all scenes together; those at no pier are passed over.
    piers
        `Port.piers`; columns `name` and `kind` are used.
    scenes
        Every scene that was searched (`schema.SCENES`), whether it saw a pier or not.
    coverage
        What each scene saw of each pier's waters (`schema.COVERAGE`); a pair that is not there was not seen.
    min_seen
        Fraction of a pier's waters that must be imaged for its count to stand, 0 … 1; at 0 any part will do.

    Returns
    -------
    Dataset
        Variables of `schema.COUNTS` over `(time, pier)`. `time` is the start of the pass (of its first slice that is
        here), UTC. `n_vessels` is missing where `seen` is under `min_seen`, and where it is 0.
        `detectable_length_m` is the largest of the slices that saw any of the pier, as a zero is only as good as its
        worst part; `incidence_deg` is their mean, weighted with what each saw. Along `time` go `scene` (ids joined by
        a space), `platform`, `relative_orbit` and `orbit_pass`, along `pier` its `kind`.

    Raises
    ------
    ValueError
        If a table breaks its contract, or vessels name a scene or pier that is not in the others.
    """
    if not 0 <= min_seen <= 1:
        raise ValueError(f"min_seen is a fraction in [0, 1], got {min_seen}")
    for table, frame in ((VESSELS, vessels), (SCENES, scenes), (COVERAGE, coverage)):
        table.check(frame)
    vessels = vessels[vessels["pier"].notna()].drop_duplicates("vessel")
    scenes, coverage = scenes.drop_duplicates("scene"), coverage.drop_duplicates(["scene", "pier"])
    _refuse_strangers(vessels["scene"], scenes["scene"], "scene")
    _refuse_strangers(vessels["pier"], piers["name"], "pier")
    names = piers["name"].tolist()
    slices = _passes(_without_twins(scenes, coverage))
    passes = [frame for _, frame in slices.groupby("pass", sort=True)]
    tables = np.full((len(COUNTS), len(passes), len(names)), np.nan)
    for row, frame in enumerate(passes):
        tables[1:, row] = _seen(coverage[coverage["scene"].isin(frame["scene"])], names)
        counts = _once(vessels[vessels["scene"].isin(frame["scene"])])["pier"].value_counts()
        counted = counts.reindex(names, fill_value=0).to_numpy(float)
        stands = (tables[1, row] >= min_seen) & (tables[1, row] > 0)
        tables[0, row] = np.where(stands, counted, np.nan)
    return _dataset(tables, passes, piers, min_seen)


def _dataset(tables: Reals, passes: Sequence[gpd.GeoDataFrame], piers: gpd.GeoDataFrame, min_seen: float) -> xr.Dataset:
    first = pd.concat([frame.iloc[:1] for frame in passes]) if passes else SCENES.empty()
    time = pd.DatetimeIndex(first["start"]).tz_convert(None).as_unit("ns")
    return xr.Dataset(
        {variable.name: (variable.dims, table, variable.attrs) for variable, table in zip(COUNTS, tables, strict=True)},
        coords={
            "time": ("time", time, {"standard_name": "time", "long_name": "start of the pass, UTC"}),
            "pier": ("pier", np.array(piers["name"], dtype=np.str_), {"long_name": "name of the pier"}),
            "scene": ("time", np.array([" ".join(frame["scene"]) for frame in passes], dtype=np.str_)),
            "platform": ("time", np.array(first["platform"], dtype=np.str_)),
            "relative_orbit": ("time", first["relative_orbit"].to_numpy()),
            "orbit_pass": ("time", np.array(first["orbit_pass"], dtype=np.str_)),
            "kind": ("pier", np.array(piers["kind"], dtype=np.str_)),
        },
        attrs={"min_seen": min_seen},
    )


def _refuse_strangers(found: pd.Series[str], known: pd.Series[str], what: str) -> None:
    strangers = sorted(set(found) - set(known))
    if strangers:
        raise ValueError(f"vessels name the {what} {strangers[0]!r}, which is not among the {what}s given")


def _without_twins(scenes: gpd.GeoDataFrame, coverage: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One scene for each acquisition: the one that saw most, of equals the one of more polarisations, then by id."""
    total = coverage.groupby("scene")["seen"].sum()
    ranked = scenes.assign(
        total=scenes["scene"].map(total).fillna(0.0).to_numpy(float),
        n_polarizations=scenes["polarizations"].str.count(r"\S+"),
    ).sort_values(["total", "n_polarizations", "scene"], ascending=[False, False, True])
    return ranked.drop_duplicates(["platform", "start", "stop", "absolute_orbit"])


def _passes(slices: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The slices with the start of their `pass` and in its order."""
    ordered = slices.sort_values(["platform", "start", "stop", "scene"])
    reached = ordered.groupby("platform")["stop"].cummax().groupby(ordered["platform"]).shift()
    begins = reached.isna() | (ordered["start"] - reached > LONGEST_GAP)
    number = begins.cumsum()
    start = ordered["start"].groupby(number).transform("min")
    order = pd.MultiIndex.from_arrays([start, ordered["platform"]])
    return ordered.assign(**{"pass": pd.factorize(order, sort=True)[0]})


def _seen(coverage: gpd.GeoDataFrame, names: Sequence[str]) -> Reals:
    """Seen, detectable length and incidence of each pier in one pass; (3, n_piers)."""
    table = np.full((3, len(names)), np.nan)
    table[0] = 0.0
    for name, rows in coverage[coverage["seen"] > 0].groupby("pier"):
        if name not in names:
            continue
        seen = rows["seen"].to_numpy(float)
        known = rows[rows["incidence_deg"].notna()]
        table[:, names.index(str(name))] = (
            _seen_together(rows, seen),
            rows["detectable_length_m"].max(),
            np.average(known["incidence_deg"], weights=known["seen"]) if len(known) else np.nan,
        )
    return table


def _seen_together(rows: gpd.GeoDataFrame, seen: Reals) -> float:
    """Part of a pier's waters that slices saw together, from the part each saw.

    The whole water's area follows from the slice that saw most of it; areas in degrees² do, as only their ratio counts.
    """
    most = int(np.argmax(seen))
    parts = shapely.make_valid(np.asarray(rows.geometry.array))
    area = shapely.area(parts)
    if len(rows) == 1 or not area[most] > 0:
        return float(seen[most])
    union = shapely.union_all(parts).area
    return float(np.clip(union * seen[most] / area[most], seen[most], 1.0))


def _once(vessels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The vessels of one pass, each once; of a vessel that shows in two slices the longer part stays."""
    if vessels["scene"].nunique() < 2:
        return vessels
    vessels = vessels.sort_values(["length_m", "vessel"], ascending=[False, True])
    plane = Plane.around(shapely.MultiPoint(vessels[["longitude", "latitude"]].to_numpy(float)))
    centres = np.column_stack(plane.flatten(vessels["longitude"], vessels["latitude"]))
    ends = np.stack(plane.flatten(*vessel_axes(vessels)), axis=-1)
    axes = np.array([shapely.LineString(pair) for pair in ends])
    scene, is_edge = vessels["scene"].to_numpy(), vessels["is_edge"].to_numpy(bool)
    other_slice = scene[:, None] != scene
    same = other_slice & (np.hypot(*(centres[:, None] - centres).transpose(2, 0, 1)) < SAME_PLACE_M)
    whole = same.any(axis=1)  # shows as large in another slice, so it is not the cut part of anything
    n_edges = is_edge[:, None].astype(int) + is_edge
    gap = np.array([0.0, SAME_PLACE_M, SAME_CUT_M])[n_edges]
    apart = shapely.distance(axes[:, None], axes)
    cut = other_slice & ~whole[:, None] & ~whole & (apart < gap)
    stays = np.ones(len(vessels), np.bool_)
    for row in range(1, len(vessels)):
        stays[row] = not ((same | cut)[row, :row] & stays[:row]).any()
    return vessels[stays]
