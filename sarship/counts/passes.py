"""Passes over a port, put together from slices: the scenes of each, their common coverage, each vessel once.

A pass of a satellite is cut into slices, and a port may lie in two of them; the same slice may also be there twice,
packed in two ways (`sentinel1/passes.py`). So

- of twins, products of one slice, the one that saw most is taken;
- coverage of a pass is the union of that of its slices;
- a vessel that shows in two slices is one: where slices overlap it shows at the same place, and where they meet each
  shows the half of a vessel, both touching the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from sarship.geo.local_plane import Plane
from sarship.schema import NOT_COUNTED
from sarship.sentinel1.passes import number_passes, number_slices
from sarship.vessels.assign import vessel_axes

__all__ = ["MIN_SEEN", "are_counted", "candidates", "group_passes", "seen_by_pass", "vessels_once"]

Reals = NDArray[np.float64]
MIN_CHANCE: Final = 0.25
"""Minimum chance of a candidate that may be a vessel of a visit."""
MIN_SEEN: Final = 0.95
"""Fraction of a pier's waters that must be imaged for its count to stand."""

SAME_PLACE_M: Final = 25.0
"""Vessels of two slices whose centres are nearer than a resolution cell are the same vessel."""
SAME_CUT_M: Final = 40.0
"""Parts of a vessel in slices that meet, both at an edge, whose axes are nearer than this are the same vessel: each was
measured a resolution cell too short. Of slices that overlap a little one may show all of the vessel and the other a
part; then one alone is at an edge, and the axes are nearer than `SAME_PLACE_M`."""


def group_passes(scenes: gpd.GeoDataFrame, coverage: gpd.GeoDataFrame) -> list[gpd.GeoDataFrame]:
    """Return the scenes of each pass, without twins, in order of time.

    Parameters
    ----------
    scenes
        `schema.SCENES`.
    coverage
        `schema.COVERAGE`: of twins the one that saw most is taken.

    Returns
    -------
    list of GeoDataFrame
        Rows of `scenes`, at least one a pass, each pass's in order of time.

    Examples
    --------
    Two slices over midnight, and a pass of the next cycle:

    >>> import pandas as pd
    >>> import shapely
    >>> from sarship.schema import COVERAGE, SCENES
    >>> start = pd.to_datetime(["2024-12-01T23:59:50Z", "2024-12-02T00:00:15Z", "2024-12-13T23:59:50Z"])
    >>> row = {column.name: [0, 0, 0] for column in SCENES.columns} | {"scene": ["a", "b", "c"]}
    >>> row |= {"start": start, "stop": start + pd.Timedelta(25, "s")}
    >>> scenes = SCENES.make(row, [shapely.box(35, 34, 36, 35)] * 3)
    >>> [rows["scene"].to_list() for rows in group_passes(scenes, COVERAGE.empty())]
    [['a', 'b'], ['c']]
    """
    slices = _without_twins(scenes, coverage).sort_values(["start", "stop", "scene"])
    numbers = number_passes(slices["platform"], slices["start"], slices["stop"])
    return [frame for _, frame in slices.groupby(numbers, sort=True)]


def seen_by_pass(coverage: gpd.GeoDataFrame, names: Sequence[str]) -> Reals:
    """Return seen, detectable length, incidence and reference dates of each pier in one pass, (4, n_piers)."""
    table = np.full((4, len(names)), np.nan)
    table[0] = 0.0
    rows = coverage[coverage["seen"] > 0]
    pier, parts = rows["pier"].to_numpy(), np.asarray(rows.geometry.array)
    columns = ("seen", "detectable_length_m", "incidence_deg", "n_reference_dates")
    values = rows[[*columns]].to_numpy(float).T
    for k, name in enumerate(names):
        (mine,) = np.nonzero(pier == name)
        if mine.size:
            seen, shortest, incidence, n_dates = values[:, mine]
            known = np.isfinite(incidence)
            middle = np.average(incidence[known], weights=seen[known]) if known.any() else np.nan
            table[:, k] = _seen_together(parts[mine], seen), np.fmax.reduce(shortest), middle, np.fmin.reduce(n_dates)
    return table


def vessels_once(vessels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the vessels of one pass, each once: of one that shows in two slices the longer part."""
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


def are_counted(vessels: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Return True for each row (`schema.VESSELS`) that is counted, (n_vessels,).

    A row that may be a piece of another, or gear on the quay, is left to the bounds, `n_low` and `n_high`.
    """
    return np.asarray(~vessels["flag"].isin(NOT_COUNTED).to_numpy(bool) & (vessels["n_vessels"].to_numpy(int) > 0))


def candidates(vessels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return once each row that is counted (`is_counted`), or that may be a vessel of a visit."""
    is_counted = are_counted(vessels)
    may_be = is_counted | ((vessels["confidence"] >= MIN_CHANCE) & ~vessels["flag"].isin(NOT_COUNTED))
    return vessels.assign(is_counted=is_counted)[may_be].drop_duplicates("vessel")


def _without_twins(scenes: gpd.GeoDataFrame, coverage: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return one scene for each slice: the one that saw most, of equals that of more polarisations, then by id."""
    total = coverage.groupby("scene")["seen"].sum()
    ranked = scenes.assign(
        slice=number_slices(scenes["platform"], scenes["start"], scenes["stop"]),
        total=scenes["scene"].map(total).fillna(0.0).to_numpy(float),
        n_polarizations=scenes["polarizations"].str.count(r"\S+"),
    ).sort_values(["total", "n_polarizations", "scene"], ascending=[False, False, True])
    return ranked.drop_duplicates("slice")[scenes.columns]


def _seen_together(parts: NDArray[np.object_], seen: Reals) -> float:
    """Return the part of a pier's waters that slices saw together, from the part each saw.

    The whole water's area follows from the slice that saw most of it; areas in degrees² do, as only their ratio counts.
    """
    best = int(np.argmax(seen))
    if len(seen) == 1:
        return float(seen[best])
    parts = shapely.make_valid(parts)
    area = shapely.area(parts)
    if not area[best] > 0:
        return float(seen[best])
    union = shapely.union_all(parts).area
    return float(np.clip(union * seen[best] / area[best], seen[best], 1.0))
