"""Assignment of vessels to piers."""

from __future__ import annotations

import math
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from sarship.geo.local_plane import Plane
from sarship.schema import VESSELS

__all__ = ["assign_piers", "vessel_axes"]

AXIS_POINTS: Final = 11
"""Points along a vessel's axis whose mean distance ranks the piers; odd, so that the centre is one."""


def assign_piers(vessels: gpd.GeoDataFrame, piers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the vessels with the pier at which each is counted.

    A vessel's axis is the line through its centre along its heading, as long as the vessel. The vessel may be at a pier
    if its axis comes within the pier's `max_distance_m` (inside a polygon the distance is zero), at an anchorage if its
    centre does. Of several, it is assigned

    1. to a pier rather than an anchorage: a berth inside a roadstead is the closer description;
    2. to the one nearest **by the mean distance along the axis**, so that a vessel alongside one pier whose bow comes
       close to the head of another stays with the first;
    3. to the first by name, so that neither the order of the vessels nor that of the piers matters.

    Parameters
    ----------
    vessels
        Table after `schema.VESSELS`.
    piers
        Table `Port.piers`: columns `name`, `kind`, `max_distance_m`, geometry.

    Returns
    -------
    GeoDataFrame
        A new table of the vessels, in the same order, with `pier`, and `distance_m` from the axis to that pier; both
        missing for a vessel at no pier.

    Examples
    --------
    >>> piers = gpd.GeoDataFrame(
    ...     {"name": ["North quay"], "kind": ["pier"], "max_distance_m": [50.0]},
    ...     geometry=[shapely.LineString([(35.861, 34.907), (35.868, 34.911)])],
    ... )
    >>> len(assign_piers(VESSELS.empty(), piers))
    0
    """
    VESSELS.check(vessels)
    best = [(math.inf, math.inf, "")] * len(vessels)
    names: list[str | None] = [None] * len(vessels)
    distances = np.full(len(vessels), np.nan)
    axes = vessel_axes(vessels, AXIS_POINTS)
    for pier in piers.itertuples():
        is_anchorage = pier.kind == "anchorage"
        for row, nearest, mean, centre in _distances(axes, vessels["length_m"], pier.geometry, pier.max_distance_m):
            rank = (float(is_anchorage), mean, str(pier.name))
            if (centre if is_anchorage else nearest) <= pier.max_distance_m and rank < best[row]:
                best[row], names[row], distances[row] = rank, str(pier.name), nearest
    return vessels.assign(
        pier=pd.Series(names, index=vessels.index, dtype="str"), distance_m=pd.Series(distances, index=vessels.index)
    )


def vessel_axes(vessels: gpd.GeoDataFrame, n_points: int = 2) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points along each vessel's axis, from one end to the other.

    Returns
    -------
    longitude, latitude
        Degrees, each (n_vessels, n_points).
    """
    along = np.linspace(-0.5, 0.5, n_points) * vessels["length_m"].to_numpy(float)[:, None]
    longitude, latitude, heading = (
        np.broadcast_to(vessels[name].to_numpy(float)[:, None], along.shape)
        for name in ("longitude", "latitude", "heading_deg")
    )
    ends = Geod(ellps="WGS84").fwd(longitude, latitude, heading, along)
    return np.asarray(ends[0]), np.asarray(ends[1])


def _distances(
    axes: tuple[NDArray[np.float64], NDArray[np.float64]], lengths_m: pd.Series, pier: BaseGeometry, reach_m: float
) -> list[tuple[int, float, float, float]]:
    """Return row, distance of axis, mean along it, and distance of centre, of each vessel that may be in reach."""
    plane = Plane.around(pier)
    flat = plane.flatten_geometry(pier)
    shapely.prepare(flat)
    x, y = plane.flatten(*axes)
    centres = np.asarray(shapely.distance(flat, shapely.points(x[:, AXIS_POINTS // 2], y[:, AXIS_POINTS // 2])))
    rows = np.flatnonzero(centres <= reach_m + lengths_m.to_numpy(float))
    nearest = np.asarray(shapely.distance(flat, shapely.linestrings(np.stack([x[rows], y[rows]], axis=-1))))
    means = np.mean(shapely.distance(flat, shapely.points(x[rows], y[rows])), axis=1)
    return list(zip(rows.tolist(), nearest, means, centres[rows], strict=True))
