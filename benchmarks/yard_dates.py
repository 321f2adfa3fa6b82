"""Yards straight on a port's grid: many dates at the price of their speckle, without products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred
from sarship.port.grid import PortGrid, cells_within
from sarship.schema import PORT_SIGMA0, WGS84
from sarship.simulate.params import MODES
from sarship.simulate.port_plan import Yard
from sarship.simulate.sea import flicker, land_block, sea_level, speckle

__all__ = ["YardDates", "simulate_yard_dates"]

Field = NDArray[np.float32]

CROSS: Final = {"VV": 1.0, "VH": 0.126}
"""Share of a vehicle's cross-section by polarisation, as of other built structure."""
GROUND: Final = {"VV": 1.0, "VH": 0.2}
"""Share of the ground's sigma nought."""
NOISE: Final = 10**-2.4
"""Thermal noise, sigma nought."""
SEA_CELLS: Final = 60
"""Columns of open sea in the west."""
GRAIN_DB: Final = 2.0
"""Texture of a yard's ground, which is the same on all dates."""
DAMP_DB: Final = 0.3
"""Deviation of a place's brightness from date to date by itself."""
DAMP_CELLS: Final = 15.0
"""Cells over which land is damp alike."""
JITTER_DB: Final = 0.5
"""Deviation of a date's brightness, everywhere alike."""
WET_DB: Final = {"VV": 1.0, "VH": 0.4}
"""Brightness that rain adds to land."""
WET_YARD_DB: Final = {"VV": (0.8, 0.8), "VH": (0.2, 0.3)}
"""Mean and deviation of what it adds to a yard beyond that; standing water makes one darker. A date's is all yards'."""
RESPONSE_CELLS: Final = 0.75
"""Width of the impulse response."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class YardDates:
    """Dates of yards on a grid, and the port file's part of them."""

    stack: xr.Dataset
    """As `read_stack` gives it."""
    aprons: gpd.GeoDataFrame
    """As `Port.aprons`."""
    land: BaseGeometry
    """Longitude and latitude, degrees."""


def simulate_yard_dates(
    yards: Sequence[Yard],
    days: Sequence[float],
    *,
    shape: tuple[int, int],
    seed: int = 0,
    is_wet: Sequence[bool] = (),
    gain_db: Sequence[float] = (),
    relative_orbit: int = 14,
    jitter_db: float = JITTER_DB,
) -> YardDates:
    """Simulate dates of an orbit, VV and VH, on a grid with sea in the west and land with yards in the east.

    Land has buildings whose brightness flickers, speckle is correlated as in IW GRDH, and each date is brighter or
    dimmer than the others by half a decibel. Every vehicle stands elsewhere on every date.

    Parameters
    ----------
    yards
        Yards, in metres east and north of the grid's south-west corner.
    days
        Time of each date, days.
    shape
        Rows and columns of 10 m; the first sixty columns are sea.
    seed
        Seed of everything.
    is_wet
        True for each date on which the ground is wet; none by default.
    gain_db
        Calibration of each date, decibel; 0 by default.
    relative_orbit
        Track number.
    jitter_db
        Deviation of a date's brightness, everywhere alike.

    Returns
    -------
    YardDates

    Examples
    --------
    >>> yard = Yard(name="Yard", polygon=shapely.box(800, 200, 900, 300), base_db=-14.0, vehicles=(15, 0))
    >>> simulate_yard_dates([yard], [0, 12], shape=(60, 120)).stack["sigma0"].shape
    (2, 2, 60, 120)
    """
    mode = MODES["IW"]
    fixed = np.random.default_rng([seed, relative_orbit])
    grid = PortGrid(crs="EPSG:32636", west_m=700_000.0, north_m=3_860_000.0 + 10 * shape[0], shape=shape)
    plain, strong = (block[: shape[0], : shape[1]] for block in land_block(max(shape), mode, fixed))
    is_sea = np.broadcast_to(np.arange(shape[1]) < SEA_CELLS, shape)
    grounds = [cells_within(_cells_of(yard.polygon, shape), shape) for yard in yards]
    is_yard = np.logical_or.reduce([np.zeros(shape, np.bool_), *grounds])
    grain = 10 ** (fixed.normal(0, GRAIN_DB, shape) / 10)
    ground = np.where(is_sea, 0.0, plain)
    for yard, cells in zip(yards, grounds, strict=True):
        ground[cells] = 10 ** (yard.base_db / 10) * grain[cells] / grain[cells].mean()
    built = np.where(is_sea | is_yard, 0.0, strong)
    wet = [*is_wet] or [False] * len(days)
    gains = [*gain_db] or [0.0] * len(days)
    power = np.empty((len(days), len(CROSS), *shape), np.float32)
    for date, (rain, gain) in enumerate(zip(wet, gains, strict=True)):
        rng = np.random.default_rng([seed, relative_orbit, date])
        bright = gain + rng.normal(0, jitter_db)
        wind = rng.uniform(4, 10)
        damp = ndimage.gaussian_filter(rng.normal(size=shape), DAMP_CELLS, mode="wrap")
        damp *= DAMP_DB / damp.std()
        for cells in grounds:
            damp[cells] = rng.normal(0, DAMP_DB)
        vehicles = _vehicles(yards, date, shape, rng)
        for k, name in enumerate(CROSS):
            rise = damp + rain * np.where(is_yard, WET_DB[name] + rng.normal(*WET_YARD_DB[name]), WET_DB[name])
            diffuse = GROUND[name] * ground * 10 ** (rise / 10) + is_sea * sea_level("VV" if k == 0 else "VH", 38, wind)
            image = (diffuse + NOISE) * speckle(shape, mode, rng)
            image += GROUND[name] * built * flicker(shape, rng) + CROSS[name] * vehicles
            power[date, k] = image * 10 ** (bright / 10)
    coords: dict[str, Any] = {
        "time": np.datetime64("2024-01-01T15:42", "ns") + (np.asarray(days) * 86_400e9).astype("timedelta64[ns]"),
        "polarization": list(CROSS),
        "y": grid.y,
        "x": grid.x,
        "scene": ("time", [f"SIMULATED_{relative_orbit:03d}_{date:03d}" for date in range(len(days))]),
        "relative_orbit": ("time", [relative_orbit] * len(days)),
    }
    stack = xr.Dataset({PORT_SIGMA0.name: (("time", *PORT_SIGMA0.dims), power, PORT_SIGMA0.attrs)}, coords, grid.attrs)
    aprons = gpd.GeoDataFrame(
        {"name": [yard.name for yard in yards], "surface": [""] * len(yards)},
        geometry=[_degrees(yard.polygon, grid) for yard in yards],
        crs=WGS84,
    )
    shore = shapely.box(SEA_CELLS * 10, -1_000, shape[1] * 10 + 1_000, shape[0] * 10 + 1_000)
    return YardDates(stack=stack, aprons=aprons, land=_degrees(shore, grid))


def _vehicles(yards: Sequence[Yard], date: int, shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Return the sigma nought that vehicles add on a date in co-polarisation."""
    image = np.zeros(shape)
    for yard in yards:
        places, rcs_m2 = yard.vehicles_on(date, rng)
        cells = np.floor(places / 10).astype(int)
        np.add.at(image, (shape[0] - 1 - cells[:, 1], cells[:, 0]), rcs_m2 / 100.0)
    return np.asarray(ndimage.gaussian_filter(image, RESPONSE_CELLS), np.float32)


def _cells_of(metres: shapely.Polygon, shape: tuple[int, int]) -> shapely.Polygon:
    """Return a polygon in columns and rows."""
    return shapely.transform(metres, lambda xy: np.column_stack([xy[:, 0] / 10 - 0.5, shape[0] - xy[:, 1] / 10 - 0.5]))


def _degrees(metres: shapely.Polygon, grid: PortGrid) -> BaseGeometry:
    """Return a polygon in longitude and latitude."""
    placed = _cells_of(shapely.segmentize(metres, 500.0), grid.shape)
    return recentred(shapely.transform(placed, lambda xy: np.column_stack(grid.to_map(xy[:, 1], xy[:, 0]))))
