"""Which scenes are one pass over a port, what they saw together, and which of their vessels are the same.

A pass of a satellite is cut into slices, products of some 25 s that follow each other, and a port may lie in two of
them; the same slice may also be there twice, packed in two ways. So

- products of the same acquisition are one slice, whatever their names (the one that saw most is taken);
- slices of one satellite that follow within a minute are one pass (`sentinel1/passes.py`);
- what was seen is the union of what the slices saw;
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

__all__ = ["are_counted", "group_passes", "seen_by_pass", "vessels_once"]

Reals = NDArray[np.float64]

EVEN: Final = 0.5
"""Confidence up to which a row is no likelier a vessel of its own than a piece of another."""
SAME_PLACE_M: Final = 25.0
"""Vessels of two slices whose centres are nearer than a resolution cell are the same vessel."""
SAME_CUT_M: Final = 40.0
"""Parts of a vessel in slices that meet, both at an edge, whose axes are nearer than this are the same vessel: each was
measured a resolution cell too short. Of slices that overlap a little one may show all of the vessel and the other a
part; then one alone is at an edge, and the axes are nearer than `SAME_PLACE_M`."""


def group_passes(scenes: gpd.GeoDataFrame, coverage: gpd.GeoDataFrame) -> list[gpd.GeoDataFrame]:
    """The scenes of each pass, twins left out, in order of time.

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
    """
    slices = _without_twins(scenes, coverage).sort_values(["start", "stop", "scene"])
    numbers = number_passes(slices["platform"], slices["start"], slices["stop"])
    return [frame for _, frame in slices.groupby(numbers, sort=True)]


def seen_by_pass(coverage: gpd.GeoDataFrame, names: Sequence[str]) -> Reals:
    """Seen, detectable length, incidence and reference dates of each pier in one pass; (4, n_piers)."""
    table = np.full((4, len(names)), np.nan)
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
            rows["n_reference_dates"].min(),
        )
    return table


def vessels_once(vessels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
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


def are_counted(vessels: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Whether each row (`schema.VESSELS`) is likelier than not a vessel of its own, (n_vessels,).

    A piece that is as likely the other end of its neighbour is left to the bounds, `n_low` and `n_high`.
    """
    is_vessel = ~vessels["flag"].isin(NOT_COUNTED).to_numpy(bool)
    return np.asarray(is_vessel & ~(vessels["confidence"].to_numpy(float) <= EVEN))


def _without_twins(scenes: gpd.GeoDataFrame, coverage: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One scene for each acquisition: the one that saw most, of equals the one of more polarisations, then by id."""
    total = coverage.groupby("scene")["seen"].sum()
    ranked = scenes.assign(
        slice=number_slices(scenes["platform"], scenes["start"], scenes["stop"]),
        total=scenes["scene"].map(total).fillna(0.0).to_numpy(float),
        n_polarizations=scenes["polarizations"].str.count(r"\S+"),
    ).sort_values(["total", "n_polarizations", "scene"], ascending=[False, False, True])
    return ranked.drop_duplicates("slice")[scenes.columns]


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
