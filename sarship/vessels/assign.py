"""The pier of each vessel."""

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
"""Points along a vessel's axis whose mean distance ranks the piers; odd, so the centre is one of them."""


def assign_piers(vessels: gpd.GeoDataFrame, piers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The vessels with the pier each is counted at; a new table, in the same order.

    A vessel's axis is the line through its centre along its heading, as long as the vessel. A pier may have the
    vessel if the axis comes within the pier's `max_distance_m` (inside a polygon the distance is zero), an anchorage
    if the centre does. Of several, the vessel goes

    1. to a pier rather than an anchorage: a berth inside a roadstead is the closer description;
    2. to the one nearest **on the average along the axis**, so that a vessel alongside one pier whose bow comes
       close to another's head stays with the first;
    3. to the one of the lesser name, so that neither the order of the vessels nor that of the piers matters.

    Parameters
    ----------
    vessels
        Table after `schema.VESSELS`.
    piers
        `Port.piers`: columns `name`, `kind`, `max_distance_m`, geometry.

    Returns
    -------
    GeoDataFrame
        The vessels with `pier`, and `distance_m` from the axis to that pier; both missing for a vessel at no pier.
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
    """Points along each vessel's axis, from one end to the other.

    Returns
    -------
    tuple of array
        Longitude and latitude, degrees, each (n_vessels, n_points).
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
    """Row, distance of axis, mean distance along it and distance of the centre, of each vessel that may be in reach."""
    plane = Plane.around(pier)
    flat = plane.flatten_geometry(pier)
    shapely.prepare(flat)
    x, y = plane.flatten(*axes)
    centres = np.asarray(shapely.distance(flat, shapely.points(x[:, AXIS_POINTS // 2], y[:, AXIS_POINTS // 2])))
    rows = np.flatnonzero(centres <= reach_m + lengths_m.to_numpy(float))
    nearest = np.asarray(shapely.distance(flat, shapely.linestrings(np.stack([x[rows], y[rows]], axis=-1))))
    means = np.mean(shapely.distance(flat, shapely.points(x[rows], y[rows])), axis=1)
    return list(zip(rows.tolist(), nearest, means, centres[rows], strict=True))
