"""Permanent targets: ships that lie at a pier on every date, and so are in the reference, but have to be counted.

A quay is much alike along its length, so a cell's level is compared with the median of the cells that lie as far off
the same side of the same pier. A group of cells on the water's side that exceeds it by `CLEAR`, and is as long as a
ship and not as a crane, is a permanent target.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist
from shapely.geometry.base import BaseGeometry

from sarship.port.grid import PortGrid

__all__ = ["permanent_cells"]

REACH_M: Final = 60.0
"""Maximum distance from a pier of what lies alongside."""
STEP_M: Final = 10.0
"""Width of the strips along a pier."""
N_SIDES: Final = 8
"""Sectors of the direction from the pier to a cell, one a side."""
MIN_CELLS: Final = 25
"""Minimum number of cells in a strip for its median to mean something."""
CLEAR: Final = 6.0
"""Minimum level over the strip's median, 8 dB; a quay's own strong points are that bright too, but short."""
MIN_LENGTH_M: Final = 60.0
"""Minimum extent of a ship: cranes are shorter."""
FAINTEST: Final = 1 / 30
"""Minimum level, over that of the brightest cell, of cells in the extent: 15 dB down, above the sidelobes."""


def permanent_cells(
    level: NDArray[np.float32], grid: PortGrid, piers: list[BaseGeometry], water: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return True for the cells of permanent targets at piers.

    Parameters
    ----------
    level
        Level of the reference, one orbit and polarisation, (y, x).
    grid
        Grid of the level.
    piers
        Geometry of each pier, longitude and latitude in degrees.
    water
        True on the water's side, (y, x).

    Returns
    -------
    bool, (y, x)

    Examples
    --------
    >>> grid = PortGrid.around(shapely.box(35.80, 34.88, 35.81, 34.89), 0)
    >>> level = np.full(grid.shape, 0.02, np.float32)
    >>> level[50:60, 44:46] = 1.0  # 100 m long
    >>> pier = shapely.LineString(np.column_stack(grid.to_map([10, 100], [42, 42])))
    >>> int(permanent_cells(level, grid, [pier], np.ones(grid.shape, bool)).sum())
    20
    """
    found = np.zeros(grid.shape, np.bool_)
    for pier in piers:
        flat = grid.place(pier)
        near = grid.covers(pier, REACH_M) & water & np.isfinite(level)
        row, column = np.nonzero(near)
        if row.size < MIN_CELLS or flat.length == 0:
            continue
        excess = _excess(flat, row, column, np.log(level[row, column]).astype(np.float64), grid.spacing_m)
        bright = np.zeros(grid.shape, np.bool_)
        bright[row, column] = excess > np.log(CLEAR)
        found |= _long_ones(bright, level, grid.spacing_m)
    return found


def _excess(
    pier: Any, row: NDArray[np.intp], column: NDArray[np.intp], value: NDArray[np.float64], spacing_m: float
) -> NDArray[np.float64]:
    """Value of each cell less the median of its strip; 0 where the strip has too few."""
    cells: Any = shapely.points(column, row)
    outline: Any = shapely.boundary(pier) if pier.area > 0 else pier
    foot = shapely.get_coordinates(shapely.line_interpolate_point(outline, shapely.line_locate_point(outline, cells)))
    away = np.column_stack([column, row]) - foot
    strip = (np.hypot(away[:, 0], away[:, 1]) * spacing_m // STEP_M).astype(np.int64)
    # the direction from the nearest edge tells the side; sectors are turned so that none of the usual headings lies on
    # a border
    side = np.floor((np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi) * N_SIDES + 0.29) % N_SIDES).astype(np.int64)
    excess = np.zeros(value.size)
    key = strip * N_SIDES + side
    for one in np.unique(key):
        members = np.flatnonzero(key == one)
        if members.size >= MIN_CELLS:
            excess[members] = value[members] - np.median(value[members])
    return excess


def _long_ones(bright: NDArray[np.bool_], level: NDArray[np.float32], spacing_m: float) -> NDArray[np.bool_]:
    """Groups of neighbours that are as long as a ship."""
    labels, n_groups = ndimage.label(bright, np.ones((3, 3)))
    kept = np.zeros(n_groups + 1, np.bool_)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        power = np.where(labels[box] == number, level[box], 0.0)
        cells = np.argwhere(power > FAINTEST * power.max())
        kept[number] = (pdist(cells).max(initial=0.0) + 1) * spacing_m >= MIN_LENGTH_M
    return np.asarray(kept[labels], np.bool_)
