"""Reference images: the level and spread of a port's empty piers, per relative orbit and polarisation, from its dates.

A pier is empty on some dates only, on few of them if it is busy. So the level of a cell is that of the **lowest group**
of its dates: from a low value on, a date belongs to it as long as it lies within what speckle allows above the group's
mean (`empty_level`). Where the pier was always empty these are all dates, and the level is their mean; where a vessel
lay on four dates of five they are the fifth. Only the start depends on a low quantile, so nothing has to be known of
how busy the pier is. Dates are compared without their weather: the sea's share of a cell follows the date's sea level,

    level on a date = level · (1 + share · (sea of the date / sea of reference − 1)),  share = min(1, sea / level)

so open water follows the wind in full, and a quay that is a hundred times brighter hardly at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from sarship import cfar
from sarship.change.array_ops import median_of
from sarship.change.coregistration import MIN_SHIFT, Shifts, correct_shift, measure_shift, measure_shifts
from sarship.change.empty_level import fit_level
from sarship.change.permanent import permanent_cells
from sarship.errors import ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.schema import REFERENCE, TRACK

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "BRIGHT",
    "MIN_DATES",
    "QUAY_M",
    "expected_on",
    "fit_reference",
    "level_on",
    "of_orbit",
    "open_water",
    "sea_of",
    "shift_of",
]

Power = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_DATES: Final = 4
"""Minimum number of dates of an orbit: of three, two busy ones would pass for the empty pier."""
MIN_DATES_FOR_SPREAD: Final = 8
"""Minimum number of dates for a cell's own spread: that of eight normal values is right within a quarter."""
BRIGHT: Final = 4.0
"""Minimum level over that of the open water of a target that stands in it."""
QUAY_M: Final = 15.0
"""Width that land loses along its outline: outlines run 5 to 25 m over the water so that a single image has the quay
masked, and in the ratio to a reference the quay cancels."""
OFF_LAND_M: Final = 60.0
"""Distance of open water from land and piers: neither quays nor moored vessels reach into it."""
SPECKLE_DATES: Final = 6
"""Dates that the ENL of open water is measured on, about."""
DEFAULT_ENL: Final = 4.4
"""ENL where there is no open water to measure it on: that of IW GRDH."""
MIN_SEA: Final = 1_000
"""Minimum number of cells of open water for a sea level; with fewer the darkest quarter of all cells gives it."""


def fit_reference(
    stack: xr.Dataset,
    *,
    land: BaseGeometry | None = None,
    piers: BaseGeometry | None = None,
    min_dates: int = MIN_DATES_FOR_SPREAD,
) -> xr.Dataset:
    """Fit the reference of each relative orbit to a stack of dates.

    Dates are first coregistered (`measure_shifts` on land and piers); one that cannot be is not used. A cell with fewer
    than `min_dates` dates in its lowest group takes its spread from its neighbours; an orbit with fewer dates takes it
    from there everywhere, and `is_borrowed` says so.

    Parameters
    ----------
    stack
        Dates from `read_stack`, of one relative orbit or several.
    land, piers
        Longitude and latitude, degrees: dates are coregistered on both, and neither is open water.
    min_dates
        Minimum number of dates for a spread of its own.

    Returns
    -------
    Dataset
        Variables of `schema.REFERENCE`: over (relative_orbit, polarization, y, x) `level` (sigma0 with the noise in, at
        the orbit's reference sea level), `spread` (deviation of ln power), `n_empty` (dates in the lowest group) and
        `is_permanent` (True where a ship lay on every date, see `permanent_cells`);
        over (relative_orbit, polarization) `sea`, `enl` and `effective_sample_ratio` of the open water; over
        (relative_orbit,) `n_dates` and `is_borrowed`; over `time`, for every date of the stack, `scene`,
        `orbit_of_date`, `row_shift`, `column_shift` and `is_coregistered`.

    Raises
    ------
    ReferenceImageError
        No date of an orbit can be used.

    Examples
    --------
    >>> from sarship.schema import PORT_SIGMA0
    >>> grid = PortGrid(crs="EPSG:32636", west_m=700_000.0, north_m=3_800_000.0, shape=(64, 64))
    >>> power = 0.02 * np.random.default_rng(0).gamma(4.4, 1 / 4.4, (8, 1, 64, 64)).astype(np.float32)
    >>> power[:5, :, 30:40, 30:32] += 3  # a berth that is taken on five dates of eight
    >>> coords = {
    ...     "time": np.datetime64("2025-01-01", "ns") + np.arange(8) * np.timedelta64(12, "D"),
    ...     "polarization": ["VV"],
    ...     "y": grid.y,
    ...     "x": grid.x,
    ...     "scene": ("time", [f"date {k}" for k in range(8)]),
    ...     "relative_orbit": ("time", [14] * 8),
    ... }
    >>> stack = xr.Dataset({"sigma0": (("time", *PORT_SIGMA0.dims), power)}, coords, grid.attrs)
    >>> reference = fit_reference(stack, piers=shapely.Point(grid.to_map(35, 31)))
    >>> bool(reference["level"][0, 0, 30:40, 30:32].max() < 0.1)
    True
    """
    grid = PortGrid.of(stack)
    water, steady = open_water(grid, land, piers)
    afloat = np.ones(water.shape, np.bool_) if land is None else ~grid.covers(land, -QUAY_M)
    berths = ([] if piers is None else list(shapely.get_parts(piers)), afloat)
    parts: list[tuple[xr.Dataset, xr.Dataset]] = []
    for orbit in np.unique(stack["relative_orbit"]).tolist():
        mine = np.flatnonzero(stack["relative_orbit"].to_numpy() == orbit)
        own = stack if mine.size == stack.sizes["time"] else stack.isel(time=mine)  # to choose is to copy
        parts.append(_fit_orbit(orbit, own, (water, steady), min_dates, berths))
    fits, dates = [fit for fit, _ in parts], [dates for _, dates in parts]
    together = xr.merge([xr.concat(fits, "relative_orbit"), xr.concat(dates, "time").sortby("time")])
    return together.assign_attrs(grid.attrs)


def open_water(grid: PortGrid, land: BaseGeometry | None, piers: BaseGeometry | None) -> tuple[Mask, Mask]:
    """Return the masks of open water, and of land and piers; both are True everywhere where neither is given."""
    given = [area for area in (land, piers) if area is not None]
    if not given:
        return np.ones(grid.shape, np.bool_), np.ones(grid.shape, np.bool_)
    near, steady = (
        np.logical_or.reduce([grid.covers(area, reach) for area in given]) for reach in (OFF_LAND_M, grid.spacing_m)
    )
    return ~near, steady


def _fit_orbit(
    orbit: int, stack: xr.Dataset, masks: tuple[Mask, Mask], min_dates: int, berths: tuple[list[BaseGeometry], Mask]
) -> tuple[xr.Dataset, xr.Dataset]:
    """Reference of one orbit, and the coregistration of its dates."""
    water, steady = masks
    power = stack["sigma0"].to_numpy()
    shifts = measure_shifts(power[:, 0], steady)
    used = np.flatnonzero(shifts.is_coregistered & np.isfinite(power[:, 0]).any(axis=(1, 2)))
    if not used.size:
        raise ReferenceImageError(f"none of the {power.shape[0]} dates of relative orbit {orbit} shows this port")
    names, grid = stack["polarization"].to_numpy().tolist(), PortGrid.of(stack)

    def fit(k: int) -> dict[str, Any]:
        dates = [power[date, k] for date in used]
        for place, date in enumerate(used):
            if shifts.needs_correction[date]:
                dates[place] = correct_shift(dates[place], (shifts.rows[date], shifts.columns[date]))
        return _fit_power(dates, water, min_dates, lambda level: permanent_cells(level, grid, *berths))

    with ThreadPoolExecutor(len(names)) as pool:  # the kernel does not hold the interpreter's lock
        parts = list(pool.map(fit, range(len(names))))
    columns: dict[str, Any] = {
        name: (REFERENCE[name].dims, np.stack([part[name] for part in parts])[None], REFERENCE[name].attrs)
        for name in parts[0]
    }
    columns["n_dates"] = ("relative_orbit", [used.size], REFERENCE["n_dates"].attrs)
    columns["is_borrowed"] = ("relative_orbit", [used.size < min_dates], REFERENCE["is_borrowed"].attrs)
    coords = {
        "polarization": names,
        "relative_orbit": ("relative_orbit", [orbit], TRACK),
        "y": stack["y"],
        "x": stack["x"],
    }
    return xr.Dataset(columns, coords), _on_dates(stack, shifts)


def _on_dates(stack: xr.Dataset, shifts: Shifts) -> xr.Dataset:
    """Variables of a reference over its dates."""
    columns = {
        "scene": stack["scene"].to_numpy(),
        "orbit_of_date": stack["relative_orbit"].to_numpy(),
        "row_shift": shifts.rows,
        "column_shift": shifts.columns,
        "is_coregistered": shifts.is_coregistered,
    }
    variables = {name: ("time", values, REFERENCE[name].attrs) for name, values in columns.items()}
    return xr.Dataset(variables, {"time": stack["time"].to_numpy()})


def sea_of(power: Power, water: Mask, otherwise: float = math.nan) -> float:
    """Return the sea level of a date: the median of its open water, or of its darkest quarter where that is too little.

    `otherwise` is returned where nothing was imaged.
    """
    seen = power[water & np.isfinite(power) & (power > 0)]
    if seen.size >= MIN_SEA:
        return float(median_of(seen))
    seen = power[np.isfinite(power) & (power > 0)]
    return float(np.quantile(seen, 0.125)) if seen.size else otherwise


def _fit_power(
    dates: Sequence[Power], water: Mask, min_dates: int, is_permanent: Callable[[Power], Mask]
) -> dict[str, Any]:
    """Level, spread and group size of every cell from coregistered dates, each (y, x)."""
    seas = np.array([sea_of(date, water) for date in dates])
    sea = float(np.exp(np.nanmedian(np.log(seas))))
    enl, effective_sample_ratio = _speckle(dates, water)
    spread_of_speckle = math.sqrt(float(special.polygamma(1, enl)))
    seas[~np.isfinite(seas)] = sea
    level, spread, n_empty = fit_level(dates, seas, sea, spread_of_speckle, min_dates)
    cells = {"level": level, "spread": spread, "n_empty": n_empty, "is_permanent": is_permanent(level)}
    return cells | {"sea": sea, "enl": enl, "effective_sample_ratio": effective_sample_ratio}


def _speckle(dates: Sequence[Power], water: Mask) -> tuple[float, float]:
    """ENL and effective sample ratio of the open water, medians over the dates; of IW GRDH where there is none."""
    enl, effective_sample_ratio = [], []
    for date in dates[:: max(1, len(dates) // SPECKLE_DATES)]:
        try:
            enl.append(cfar.measure_enl(date, water))
            effective_sample_ratio.append(cfar.measure_correlation(date, water))
        except ValueError:
            continue
    if not enl:
        return DEFAULT_ENL, 1 / 6
    return float(np.median(enl)), float(np.median(effective_sample_ratio))


def level_on(level: Power, sea: float, sea_on_date: float) -> Power:
    """Return the level that the empty port would show on a date whose sea has another level."""
    share = np.minimum(1, sea / np.maximum(level, 1e-12))
    return np.asarray(level * (1 + share * (sea_on_date / sea - 1)), np.float32)


def expected_on(reference: xr.Dataset, power: Power, water: Mask) -> tuple[Power, float]:
    """Return the level that the empty port would show on a date, and the sea level of that date.

    Parameters
    ----------
    reference
        Reference of one orbit and polarisation.
    power
        Date, (y, x).
    water
        True on open water, (y, x).
    """
    sea = float(reference["sea"])
    today = sea_of(power, water, sea)
    return level_on(reference["level"].to_numpy(), sea, today), today


def of_orbit(reference: xr.Dataset, image: xr.DataArray) -> xr.Dataset:
    """Return the reference of an image's relative orbit.

    Raises
    ------
    ReferenceImageError
        It lies on another grid or at another water level, or has not that orbit.
    """
    mine, theirs = PortGrid.of(image), PortGrid.of(reference)
    if mine != theirs:
        raise ReferenceImageError(
            f"the reference is of another port, grid or water level ({theirs}) than {image['scene'].item()} ({mine}); "
            "fit one for it"
        )
    orbit = image["relative_orbit"].item()
    known = reference["relative_orbit"].to_numpy().tolist()
    if orbit not in known:
        raise ReferenceImageError(
            f"the reference knows relative orbit {', '.join(map(str, known))}, and {image['scene'].item()} is of "
            f"{orbit}, which shows the port from another side; fit one with dates of that orbit"
        )
    return reference.sel(relative_orbit=orbit)


def shift_of(image: xr.DataArray, reference: xr.Dataset, steady: Mask) -> tuple[float, float]:
    """Return the shift of a scene in rows and columns: as found when the reference was fitted, or against its level.

    Parameters
    ----------
    image
        Scene from `to_port_grid`.
    reference
        Reference from `of_orbit`.
    steady
        True on land and piers, from `open_water`.

    Raises
    ------
    ReferenceImageError
        The scene cannot be coregistered.
    """
    scene = image["scene"].item()
    dates = [scene in str(scenes).split() for scenes in reference["scene"].to_numpy()]
    if any(dates):
        date = reference.isel(time=dates.index(True))
        is_coregistered, found = bool(date["is_coregistered"]), (float(date["row_shift"]), float(date["column_shift"]))
    else:
        row, column, is_coregistered = measure_shift(image.to_numpy()[0], reference["level"].to_numpy()[0], steady)
        found = row, column
    if not is_coregistered:
        raise ReferenceImageError(
            f"{scene} cannot be coregistered with the other dates of this port: no clear match on land and piers"
        )
    return found if math.hypot(*found) > MIN_SHIFT else (0.0, 0.0)
