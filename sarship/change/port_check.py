"""Piers of a port file that the reference shows no trace of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import xarray as xr

from sarship.change.reference import BRIGHT
from sarship.port.grid import PortGrid

__all__ = ["doubtful_piers"]

REACH_M: Final = 60.0
"""Maximum distance of a quay's echo from the line: a pier may be drawn along its middle, or some cells off."""
MIN_BRIGHT: Final = 0.05
"""Minimum fraction of bright cells near a pier. Near piers it is a third, of open water under a hundredth."""


def doubtful_piers(references: Sequence[xr.Dataset], piers: gpd.GeoDataFrame) -> list[str]:
    """Return the names of piers around which all is as dark as the open water, from every orbit.

    Parameters
    ----------
    references
        References from `fit_reference`, all on one grid; a pier that one orbit does not show, another may.
    piers
        `Port.piers`; anchorages are skipped.

    Returns
    -------
    list of str
        In the order of the piers; a pier that no reference images is not among them.

    Examples
    --------
    >>> import shapely
    >>> grid = PortGrid.around(shapely.box(35.80, 34.88, 35.81, 34.89), 0)
    >>> level = np.where(np.arange(grid.shape[1]) < 20, 1.0, 0.01) * np.ones((1, 1, *grid.shape))
    >>> dims = ("relative_orbit", "polarization")
    >>> reference = xr.Dataset({"level": ((*dims, "y", "x"), level), "sea": (dims, [[0.01]])}, attrs=grid.attrs)
    >>> lines = [shapely.LineString([(lon, 34.882), (lon, 34.888)]) for lon in (35.801, 35.808)]
    >>> piers = gpd.GeoDataFrame({"name": ["quay", "at sea"], "kind": "pier"}, geometry=lines, crs="EPSG:4326")
    >>> doubtful_piers([reference], piers)
    ['at sea']
    """
    if not references:
        return []
    grid = PortGrid.of(references[0])
    over = np.concatenate([(each["level"] / each["sea"]).to_numpy().reshape(-1, *grid.shape) for each in references])
    found = []
    for pier in piers[piers["kind"] == "pier"].itertuples():
        near = over[:, grid.covers(pier.geometry, REACH_M)]
        if np.isfinite(near).any() and (near > BRIGHT).mean(axis=1).max() < MIN_BRIGHT:
            found.append(str(pier.name))
    return found
