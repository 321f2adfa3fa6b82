"""Dates of a simulated port as plain arrays: sea to the west, land to the east, a pier between."""

import numpy as np
import shapely
import xarray as xr

from sarship.port.grid import PortGrid
from sarship.schema import PORT_SIGMA0

GRID = PortGrid(crs="EPSG:32636", west_m=700_000.0, north_m=3_800_000.0, shape=(120, 120))
LAND_CELLS = np.zeros(GRID.shape, bool)
LAND_CELLS[:, 90:] = True
ENL = 4.4


def outline(top: float, bottom: float, left: float, right: float) -> shapely.Polygon:
    """A rectangle of cells in longitude and latitude."""
    rows, columns = np.array([top, top, bottom, bottom]) - 0.5, np.array([left, right, right, left]) - 0.5
    return shapely.Polygon(np.column_stack(GRID.to_map(rows, columns)))


LAND = outline(-10, 130, 90, 130)
PIER = outline(20, 100, 89, 91)


def empty_port(rng: np.random.Generator, n_dates: int, winds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True level at a sea of 0.02, and dates of speckle over it: sea that follows the wind, land that does not."""
    ground = np.random.default_rng(5).lognormal(np.log(0.2), 0.8, GRID.shape)
    level = np.where(LAND_CELLS, ground, 0.02)
    dates = np.where(LAND_CELLS, ground, 0.02 * winds[:, None, None])
    return level, (dates * rng.gamma(ENL, 1 / ENL, (n_dates, *GRID.shape))).astype(np.float32)


def stack_of(dates: np.ndarray, orbit: int | list[int] = 49, first_day: int = 0) -> xr.Dataset:
    n = len(dates)
    power = dates[:, None] if dates.ndim == 3 else dates
    coords = {
        "time": np.datetime64("2025-01-01", "ns") + np.arange(first_day, first_day + n) * np.timedelta64(12, "D"),
        "polarization": ["VV", "VH"][: power.shape[1]],
        "y": GRID.y,
        "x": GRID.x,
        "scene": ("time", [f"scene-{k}" for k in range(first_day, first_day + n)]),
        "relative_orbit": ("time", [orbit] * n if isinstance(orbit, int) else orbit),
    }
    cube = xr.DataArray(power, coords, ("time", *PORT_SIGMA0.dims), attrs=PORT_SIGMA0.attrs)
    return xr.Dataset({"sigma0": cube}, attrs=GRID.attrs)


def image_of(stack: xr.Dataset, k: int) -> xr.DataArray:
    return stack["sigma0"].isel(time=k).assign_attrs(stack.attrs)
