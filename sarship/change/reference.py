"""What a port looks like with nobody alongside, per relative orbit and polarisation, from its dates.

A pier is seen empty on some dates only, on few of them if it is busy. So the level of a cell is that of the **lowest
group** of its dates: from a low value on, dates are taken in as long as they lie within what speckle allows above the
mean of those taken. Where the pier was always empty these are all dates, and the level is their mean; where a vessel
lay on four dates of five they are the fifth. Only the start depends on a low quantile, so nothing has to be known of
how busy the pier is. Dates are compared after their weather: the sea's part of a cell follows the date's own sea
level.

    level on a date = level · (1 + share · (sea of the date / sea of reference − 1)),  share = min(1, sea / level)

so open water follows the wind in full, and a quay that is a hundred times brighter hardly at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, special

from sarship import cfar
from sarship.change.array_ops import median_of
from sarship.change.coregistration import MIN_SHIFT, Shifts, correct_shift, measure_shift, measure_shifts
from sarship.change.empty_level import lowest_groups
from sarship.change.permanent import permanent_cells
from sarship.errors import ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.schema import REFERENCE, TRACK

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "MIN_DATES",
    "MIN_DATES_FOR_SPREAD",
    "PRIOR",
    "fit_reference",
    "level_on",
    "of_orbit",
    "on_dates",
    "open_water",
    "sea_of",
    "shift_of",
]

Power = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_DATES: Final = 4
"""Fewer dates of an orbit make no reference: of three, two busy ones would pass for the empty pier."""
MIN_DATES_FOR_SPREAD: Final = 8
"""Dates of an orbit from which on a cell's own spread is worth knowing; the spread of eight normal values is right
within a quarter."""
QUAY_M: Final = 15.0
"""How much less generous the land is taken than it was drawn: the quay cancels in the ratio, and outlines run 5 to 25 m
over the water so that it be masked without a reference."""
OFF_LAND_M: Final = 60.0
"""Water farther from land and piers than this is open: no quay or hull reaches into it."""
PRIOR: Final = 16.0
"""A cell's own spread counts as its dates, that of its neighbours as this many."""
NEIGHBOURS: Final = 7
"""Cells along the side of the square that spread is borrowed from: some eight independent cells."""
NEAR: Final = 5
"""Cells along the side of the square that a cell's level is compared with: a resolution cell either way."""
STEADY: Final = 0.7
UNSTEADY: Final = 1.2
"""A spread between these parts of that of open water is taken as that: estimates of the same spread scatter as much,
and a threshold far out in the tail of the law cannot bear it."""
MIN_SPREAD: Final = 0.2
"""No cell is steadier than this, in ln power: 0.9 dB, what calibration, tide and a fraction of a cell leave."""
SPECKLE_DATES: Final = 6
"""Dates, about, that the speckle of open water is measured on."""
DEFAULT_ENL: Final = 4.4
LINES: Final = 64
"""Lines of a port whose dates are laid side by side at a time; all of them would be the stack once more."""
MIN_SEA: Final = 1_000
"""Cells of open water that a sea level needs; under this the darkest quarter of all cells stands for it."""


@dataclass(frozen=True, eq=False, slots=True)
class _Fit:
    """What the dates of one orbit and polarisation gave."""

    level: Power
    spread: Power
    n_empty: NDArray[np.int16]
    is_permanent: Mask
    sea: float
    enl: float
    effective_sample_ratio: float


def fit_reference(
    stack: xr.Dataset,
    *,
    land: BaseGeometry | None = None,
    piers: BaseGeometry | None = None,
    min_dates: int = MIN_DATES_FOR_SPREAD,
) -> xr.Dataset:
    """Learn the empty port from a stack of dates.

    Dates are first laid on each other (`measure_shifts` on land and piers); one that cannot be aligned is not used. A
    cell that has fewer than `min_dates` dates in its lowest group takes its spread from its neighbours; an orbit with
    fewer dates takes it there everywhere, and `is_borrowed` says so.

    Parameters
    ----------
    stack
        From `read_stack`; of one orbit or several.
    land, piers
        Longitude and latitude, degrees: where something stands still, and what is not open water.
    min_dates
        Fewest dates for a spread of one's own.

    Returns
    -------
    Dataset
        Variables of `schema.REFERENCE`: over (relative_orbit, polarization, y, x) `level` (sigma0 with the noise in, at
        the orbit's reference sea level), `spread` (deviation of ln power), `n_empty` (dates in the lowest group) and
        `is_permanent` (whether a ship lay there on every date, see `permanent_cells`);
        over (relative_orbit, polarization) `sea`, `enl` and `effective_sample_ratio` of the open water; over
        (relative_orbit,) `n_dates` and `is_borrowed`; over `time`, for every date of the stack, `scene`,
        `orbit_of_date`, `row_shift`, `column_shift` and `is_coregistered`.

    Raises
    ------
    ReferenceImageError
        When none of an orbit's dates can be used.
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
    """Where the sea's level is measured, and what dates are laid on each other by; all where nothing is given."""
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
    """The reference of one orbit, and what is to be said of its dates."""
    water, steady = masks
    power = stack["sigma0"].to_numpy()
    shifts = measure_shifts(power[:, 0], steady)
    used = np.flatnonzero(shifts.is_coregistered & np.isfinite(power[:, 0]).any(axis=(1, 2)))
    if not used.size:
        raise ReferenceImageError(f"none of the {power.shape[0]} dates of relative orbit {orbit} shows this port")
    names, grid = stack["polarization"].to_numpy().tolist(), PortGrid.of(stack)

    def fit(k: int) -> _Fit:
        dates = [power[date, k] for date in used]
        for place, date in enumerate(used):
            if shifts.needs_correction[date]:
                dates[place] = correct_shift(dates[place], (shifts.rows[date], shifts.columns[date]))
        return _fit_power(dates, water, min_dates, lambda level: permanent_cells(level, grid, *berths))

    with ThreadPoolExecutor(len(names)) as pool:  # the kernel does not hold the interpreter's lock
        parts = list(pool.map(fit, range(len(names))))
    columns: dict[str, Any] = {
        name: (REFERENCE[name].dims, np.stack([getattr(part, name) for part in parts])[None], REFERENCE[name].attrs)
        for name in ("level", "spread", "n_empty", "is_permanent", "sea", "enl", "effective_sample_ratio")
    }
    columns["n_dates"] = ("relative_orbit", [used.size], REFERENCE["n_dates"].attrs)
    columns["is_borrowed"] = ("relative_orbit", [used.size < min_dates], REFERENCE["is_borrowed"].attrs)
    coords = {
        "polarization": names,
        "relative_orbit": ("relative_orbit", [orbit], TRACK),
        "y": stack["y"],
        "x": stack["x"],
    }
    return xr.Dataset(columns, coords), on_dates(stack, shifts)


def on_dates(stack: xr.Dataset | xr.DataArray, shifts: Shifts) -> xr.Dataset:
    """What is said of dates: of a stack's, or of one image."""
    return xr.Dataset(
        {
            "scene": ("time", np.atleast_1d(stack["scene"].to_numpy()), REFERENCE["scene"].attrs),
            "orbit_of_date": (
                "time",
                np.atleast_1d(stack["relative_orbit"].to_numpy()),
                REFERENCE["orbit_of_date"].attrs,
            ),
            "row_shift": ("time", shifts.rows, REFERENCE["row_shift"].attrs),
            "column_shift": ("time", shifts.columns, REFERENCE["column_shift"].attrs),
            "is_coregistered": ("time", shifts.is_coregistered, REFERENCE["is_coregistered"].attrs),
        },
        {"time": np.atleast_1d(stack["time"].to_numpy())},
    )


def sea_of(power: Power, water: Mask, otherwise: float = math.nan) -> float:
    """Sea level of a date: the median of its open water, that of the darkest quarter where there is too little.

    `otherwise` is what stands for it where nothing was imaged.
    """
    seen = power[water & np.isfinite(power) & (power > 0)]
    if seen.size >= MIN_SEA:
        return float(median_of(seen))
    seen = power[np.isfinite(power) & (power > 0)]
    return float(np.quantile(seen, 0.125)) if seen.size else otherwise


def _fit_power(dates: Sequence[Power], water: Mask, min_dates: int, is_permanent: Callable[[Power], Mask]) -> _Fit:
    """Level, spread and group size of every cell from dates, each (y, x), that lie on each other."""
    seas = np.array([sea_of(date, water) for date in dates])
    sea = float(np.exp(np.nanmedian(np.log(seas))))
    enl, effective_sample_ratio = _speckle(dates, water)
    spread_of_speckle = math.sqrt(float(special.polygamma(1, enl)))
    seas[~np.isfinite(seas)] = sea
    blocks = [
        lowest_groups(np.stack([date[top : top + LINES] for date in dates]), seas, sea, spread_of_speckle)
        for top in range(0, water.shape[0], LINES)
    ]
    level, squares, n_empty = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    spread = _spread(squares, n_empty, spread_of_speckle, min_dates)
    # from the mean of ln power to the mean of power, as for a lognormal law; for speckle that is right to 1 %
    level = _smoothed(level, spread, n_empty) * np.exp(spread**2 / 2)
    return _Fit(level, spread, n_empty, is_permanent(level), sea, enl, effective_sample_ratio)


def _speckle(dates: Sequence[Power], water: Mask) -> tuple[float, float]:
    """Looks and independence of the open water, medians over the dates; the product's own where there is none."""
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


def _spread(squares: Power, n_empty: NDArray[np.int16], speckle: float, min_dates: int) -> Power:
    """Deviation of ln power of each cell: its own, weighed against its neighbours', never less than theirs."""
    freedom = np.maximum(n_empty - 1, 0).astype(np.float32)
    near_squares = ndimage.uniform_filter(squares, NEIGHBOURS)
    near_freedom = ndimage.uniform_filter(freedom, NEIGHBOURS)
    # the speckle of open water stands in where even the neighbours have nothing, and weighs as one date among them
    borrowed = (near_squares + speckle**2 / NEIGHBOURS**2) / (near_freedom + 1 / NEIGHBOURS**2)
    own = (squares + PRIOR * borrowed) / (freedom + PRIOR)
    spread = np.sqrt(np.where(n_empty >= min_dates, np.maximum(own, borrowed), borrowed))
    spread = np.where((spread > STEADY * speckle) & (spread < UNSTEADY * speckle), speckle, spread)
    return np.asarray(np.maximum(spread, MIN_SPREAD), np.float32)


def _smoothed(level: Power, spread: Power, n_empty: NDArray[np.int16]) -> Power:
    """Level freed of what is left of its speckle, where neighbours differ by no more than that (Lee 1980, on ln power).

    A cell keeps that part of its difference from the mean of its neighbours that their variance owes to structure.
    """
    known = np.isfinite(level)
    value = np.where(known, np.log(np.where(known, level, 1)), 0).astype(np.float32)
    mass = np.maximum(ndimage.uniform_filter(known.astype(np.float32), NEAR), 1e-3)
    mean = ndimage.uniform_filter(value, NEAR) / mass
    variance = np.maximum(ndimage.uniform_filter(value**2, NEAR) / mass - mean**2, 1e-6)
    speckle = spread**2 / np.maximum(n_empty, 1)
    kept = np.clip(1 - 2 * speckle / variance, 0, 1)
    return np.asarray(np.where(known, np.exp(mean + kept * (value - mean)), np.nan), np.float32)


def level_on(level: Power, sea: float, sea_on_date: float) -> Power:
    """What the empty port would show on a date whose sea has another level."""
    share = np.minimum(1, sea / np.maximum(level, 1e-12))
    return np.asarray(level * (1 + share * (sea_on_date / sea - 1)), np.float32)


def of_orbit(reference: xr.Dataset, image: xr.DataArray) -> xr.Dataset:
    """The reference of an image's relative orbit.

    Raises
    ------
    ReferenceImageError
        When it lies on another grid, or knows nothing of that orbit.
    """
    mine, theirs = PortGrid.of(image), PortGrid.of(reference)
    if mine != theirs:
        raise ReferenceImageError(
            f"the reference is of another port or grid ({theirs}) than {image['scene'].item()} ({mine}); fit one for it"
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
    """Rows and columns to take out of a scene: as found when the reference was fitted, or against its level.

    Parameters
    ----------
    image
        From `to_port_grid`.
    reference
        From `of_orbit`.
    steady
        From `open_water`.

    Raises
    ------
    ReferenceImageError
        When the scene cannot be laid on the other dates.
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
            f"{scene} cannot be laid on the other dates of this port: no clear match on land and piers"
        )
    return found if math.hypot(*found) > MIN_SHIFT else (0.0, 0.0)
