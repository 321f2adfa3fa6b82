"""Whether piers were drawn where the radar shows some: what the empty port says of a port file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import xarray as xr

from sarship.port.grid import PortGrid

__all__ = ["doubtful_piers"]

REACH_M: Final = 60.0
"""A quay's echo is looked for this near to the line: a pier may be drawn along its middle, or some cells off."""
STANDS: Final = 4.0
"""Level over that of the open water from which on something stands there."""
MIN_SHARE: Final = 0.05
"""Part of the cells near a pier that must stand out. Of open water it is under a hundredth, of piers a third."""


def doubtful_piers(references: Sequence[xr.Dataset], piers: gpd.GeoDataFrame) -> list[str]:
    """Names of piers around which all is as dark as the open sea, on every orbit.

    Parameters
    ----------
    references
        From `fit_reference`, all on one grid; a pier that looks away from one orbit may stand out from another.
    piers
        `Port.piers`; anchorages are passed over.

    Returns
    -------
    list of str
        In the order of the piers; none where no reference shows the place.
    """
    if not references:
        return []
    grid = PortGrid.of(references[0])
    over = np.concatenate([(each["level"] / each["sea"]).to_numpy().reshape(-1, *grid.shape) for each in references])
    found = []
    for pier in piers[piers["kind"] == "pier"].itertuples():
        near = over[:, grid.covers(pier.geometry, REACH_M)]
        if np.isfinite(near).any() and (near > STANDS).mean(axis=1).max() < MIN_SHARE:
            found.append(str(pier.name))
    return found
