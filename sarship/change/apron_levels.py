"""Brightness of aprons, yards ashore, on every date of an orbit, against the reference of the port.

A yard's brightness also changes with the calibration of the satellite and with the weather. What all land has in common
is taken out: a date's gain is the median over steady land of ln(power / level). What is left to chance is measured and
not assumed: pieces of steady land, each of as many cells as the yard has, are put through the same sums. Their scatter
from date to date is the noise of the yard, and their mean is that of a place where nothing is added.

Vehicles and cargo make some cells much brighter than the others, wet ground all of them a little. The share of cells
that stand out of the yard's own median tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from sarship.change.coregistration import correct_shift
from sarship.change.reference import open_water, shift_of
from sarship.errors import ReferenceImageError
from sarship.model import CO_POLARIZED, CROSS_POLARIZED
from sarship.port.grid import PortGrid
from sarship.schema import APRONS

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["DECIBEL", "STANDS_OUT", "measure_aprons"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Power = NDArray[np.float32]
Mask = NDArray[np.bool_]

EDGE_M: Final = 15.0
"""Width that an apron loses along its outline: what stands beside it spreads as far."""
OFF_PIERS_M: Final = 30.0
"""Distance from piers within which cells are the vessels'."""
INLAND_M: Final = 40.0
"""Distance from the outline of land of the land that gains are measured on: outlines run over the water."""
MIN_CELLS: Final = 25
"""Minimum number of cells of an apron, and of them on a date."""
MIN_SEEN: Final = 0.8
"""Minimum share of an apron's cells that a date must show."""
MIN_LAND: Final = 400
"""Minimum number of cells of land for a gain."""
MIN_PIECES: Final = 20
"""Minimum number of pieces of land for a noise."""
LARGEST_PIECE: Final = 20
"""Side, in cells, of the largest pieces: a larger yard has less noise, which is not made use of."""
MIN_NOISE: Final = 0.02
"""Minimum deviation of ln power, 0.1 dB: calibration alone leaves as much between two places."""
STANDS_OUT: Final = 0.01
"""Chance that speckle makes a cell stand out."""
DETECTABLE_SIGMAS: Final = 5.0
"""Deviations by which one date differs from the others where that is surely seen."""
DECIBEL: Final = 10 / np.log(10)
"""Decibel of a ln power of 1."""
NORMAL_MAD: Final = 1.4826
"""Deviation of a normal distribution over its median absolute deviation."""

NO_LAND: Final = "there is too little land, by the port file, to tell the calibration of a date by"
FEW_CELLS: Final = f"fewer than {MIN_CELLS} cells lie {EDGE_M:g} m inside its outline, off piers and excluded places"
FEW_PIECES: Final = f"the land has fewer than {MIN_PIECES} places of its size to measure the noise on"
NOT_SEEN: Final = "not imaged, or hidden beside a large vessel"


@dataclass(frozen=True, eq=False, slots=True)
class _Channel:
    """A yard in one polarisation; arrays have an element a date, NaN where there is none."""

    level: Reals
    """Ln power over that of the empty yard, without the gain."""
    noise: float
    """Deviation of it while nothing changes."""
    empty_m2: float
    """Scattering of the empty yard."""
    bright_share: Reals
    bright_error: float
    n_cells: Integers


def measure_aprons(
    stack: xr.Dataset,
    reference: xr.Dataset,
    aprons: gpd.GeoDataFrame,
    *,
    land: BaseGeometry | None,
    piers: BaseGeometry | None = None,
    exclude: BaseGeometry | None = None,
    hidden: Mapping[str, Mask] = MappingProxyType({}),
) -> gpd.GeoDataFrame:
    """Measure the brightness of each apron on every date of an orbit.

    Parameters
    ----------
    stack
        Dates of one relative orbit, from `read_stack`.
    reference
        Reference of that orbit alone, from `fit_reference` and `sel`.
    aprons
        `Port.aprons`.
    land, piers, exclude
        Longitude and latitude, degrees: gains and noise are measured on the land, off piers, aprons and `exclude`.
    hidden
        Cells that a date does not show, (y, x), such as those beside a large vessel, by the ids of its scenes as the
        stack has them.

    Returns
    -------
    GeoDataFrame
        Table after `schema.APRONS`, one row an apron and date, with the state `unknown` throughout and levels over
        the reference; `judge_aprons` says more.

    Examples
    --------
    A yard of a hectare that was emptied after six dates:

    >>> import shapely
    >>> from sarship.change import fit_reference
    >>> from sarship.schema import PORT_SIGMA0
    >>> grid = PortGrid(crs="EPSG:32636", west_m=700_000.0, north_m=3_800_000.0, shape=(80, 80))
    >>> power = 0.1 * np.random.default_rng(0).gamma(4.4, 1 / 4.4, (12, 1, 80, 80)).astype(np.float32)
    >>> power[:6, :, 33:40:3, 33:40:3] += 2  # nine vehicles
    >>> coords = {
    ...     "time": np.datetime64("2025-01-01", "ns") + np.arange(12) * np.timedelta64(12, "D"),
    ...     "polarization": ["VV"],
    ...     "y": grid.y,
    ...     "x": grid.x,
    ...     "scene": ("time", [f"date {k}" for k in range(12)]),
    ...     "relative_orbit": ("time", [14] * 12),
    ... }
    >>> stack = xr.Dataset({"sigma0": (("time", *PORT_SIGMA0.dims), power)}, coords, grid.attrs)
    >>> yard, land = (
    ...     shapely.Polygon(np.column_stack(grid.to_map([a, a, b, b], [a, b, b, a]))) for a, b in ((31, 41), (-9, 90))
    ... )
    >>> aprons = gpd.GeoDataFrame({"name": ["Yard"], "surface": [""]}, geometry=[yard], crs="EPSG:4326")
    >>> reference = fit_reference(stack, land=land).sel(relative_orbit=14)
    >>> table = measure_aprons(stack, reference, aprons, land=land)
    >>> (table["level_db"] > 2).astype(int).tolist()
    [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    """
    grid = PortGrid.of(stack)
    steady, yards = _cells(grid, aprons, land, piers, exclude)
    scenes = [str(scene) for scene in stack["scene"].to_numpy()]
    dates, notes = _coregistered(stack, reference, open_water(grid, land, piers)[1])
    shown = [~hidden[scene] if scene in hidden else None for scene in scenes]
    names = [str(name) for name in stack["polarization"].to_numpy()]
    known = [name for name in names if name in reference["polarization"].to_numpy()]
    channels: dict[str, list[_Channel]] = {}
    for name in known:
        one = reference.sel(polarization=name)
        level = one["level"].to_numpy()
        views = [_without_gain(date[names.index(name)], level, steady) for date in dates]
        scatter = lru_cache(partial(_scatter, views, level, steady))  # yards of one size share their pieces
        channels[name] = [_channel(views, one, yard, shown, scatter) for yard in yards]
    frames = []
    for k, (yard, apron) in enumerate(zip(yards, aprons.itertuples(), strict=True)):
        co, cross = (
            next((channels[name][k] for name in group if name in known), _nothing(len(scenes)))
            for group in (CO_POLARIZED, CROSS_POLARIZED)
        )
        why = NO_LAND if steady.sum() < MIN_LAND else FEW_CELLS if yard.sum() < MIN_CELLS else NOT_SEEN
        if why is NOT_SEEN and not np.isfinite(co.noise):
            why = FEW_PIECES
        columns = _columns(co, cross) | {
            "apron": str(apron.name),
            "surface": str(apron.surface),
            "time": pd.DatetimeIndex(stack["time"].to_numpy()).tz_localize("UTC"),
            "scene": scenes,
            "relative_orbit": stack["relative_orbit"].to_numpy(),
            "state": "unknown",
            "n_reference_dates": int(reference["n_dates"]),
            "note": np.where(np.isfinite(co.level), "", [note or why for note in notes]),
        }
        frame = pd.DataFrame(columns)
        frames.append(APRONS.make({str(name): frame[name] for name in frame}, [apron.geometry] * len(frame)))
    return APRONS.concat(frames)


def _cells(
    grid: PortGrid,
    aprons: gpd.GeoDataFrame,
    land: BaseGeometry | None,
    piers: BaseGeometry | None,
    exclude: BaseGeometry | None,
) -> tuple[Mask, list[Mask]]:
    """Return the cells of steady land, and those of each apron."""
    off = np.zeros(grid.shape, np.bool_) if exclude is None else grid.covers(exclude)
    if piers is not None:
        off |= grid.covers(piers, OFF_PIERS_M)
    steady = np.zeros(grid.shape, np.bool_) if land is None else grid.covers(land, -INLAND_M) & ~off
    for shape in aprons.geometry:
        steady &= ~grid.covers(shape, EDGE_M)
    return steady, [grid.covers(shape, -EDGE_M) & ~off for shape in aprons.geometry]


def _coregistered(stack: xr.Dataset, reference: xr.Dataset, steady: Mask) -> tuple[list[Power], list[str]]:
    """Return each date, (polarization, y, x), and the reason why it cannot be used, all of it NaN then."""
    dates, notes = [], []
    for k in range(stack.sizes["time"]):
        image = stack["sigma0"].isel(time=k)
        image = image.assign_coords(scene=str(image["scene"].item()).split(" ", maxsplit=1)[0])  # slices shift alike
        power, note = image.to_numpy(), ""
        try:
            if np.isfinite(power[0]).any():
                power = correct_shift(power, shift_of(image, reference, steady))
        except ReferenceImageError:
            power, note = np.full_like(power, np.nan), "the date cannot be coregistered with the others"
        dates.append(power)
        notes.append(note)
    return dates, notes


def _without_gain(power: Power, level: Power, steady: Mask) -> Power:
    """Return power over the gain of its date; all NaN where too little land is imaged to tell."""
    steady = steady & (level > 0) & (power > 0)
    on_land = power[steady] / level[steady]
    if on_land.size < MIN_LAND:
        return np.full_like(power, np.nan)
    return np.asarray(power / np.median(on_land), np.float32)


def _channel(
    dates: Sequence[Power],
    reference: xr.Dataset,
    yard: Mask,
    shown: Sequence[Mask | None],
    scatter: Callable[[int], tuple[float, float]],
) -> _Channel:
    """Measure a yard in one polarisation."""
    level = reference["level"].to_numpy()
    yard = yard & (level > 0)
    unchanged, noise = scatter(_side(yard)) if yard.sum() >= MIN_CELLS else (np.nan, np.nan)
    if not np.isfinite(noise):
        return _nothing(len(dates))
    values = np.full((2, len(dates)), np.nan)
    n_cells = np.zeros(len(dates), np.int64)
    looks = float(reference["enl"])
    # a cell over the median of the others: the odds of speckle alone, wherever their level lies
    brightest = special.gammaincinv(looks, 1 - STANDS_OUT) / special.gammaincinv(looks, 0.5)
    for k, date in enumerate(dates):
        mask = shown[k]
        seen = yard & (date > 0) & (True if mask is None else mask)
        n_cells[k] = seen.sum()
        if n_cells[k] >= max(MIN_CELLS, MIN_SEEN * yard.sum()):
            ratio = date[seen] / level[seen]
            values[0, k] = np.log(date[seen].mean(dtype=np.float64) / level[seen].mean(dtype=np.float64)) - unchanged
            values[1, k] = (ratio > brightest * np.median(ratio)).mean()
    cell_m2 = PortGrid.of(reference).spacing_m ** 2
    n_independent = yard.sum() * float(reference["effective_sample_ratio"])
    return _Channel(
        level=values[0],
        noise=noise,
        empty_m2=float(np.exp(unchanged) * level[yard].sum(dtype=np.float64) * cell_m2),
        bright_share=values[1],
        bright_error=float(np.sqrt(STANDS_OUT * (1 - STANDS_OUT) / n_independent)),
        n_cells=n_cells,
    )


def _nothing(n_dates: int) -> _Channel:
    """Return a channel without values."""
    missing = np.full(n_dates, np.nan)
    return _Channel(missing, np.nan, np.nan, missing, np.nan, np.zeros(n_dates, np.int64))


def _side(yard: Mask) -> int:
    """Return the side of square pieces of land of as many cells as a yard."""
    return int(min(round(math.sqrt(int(yard.sum()))), LARGEST_PIECE, *yard.shape))


def _scatter(dates: Sequence[Power], level: Power, steady: Mask, side: int) -> tuple[float, float]:
    """Return the level of pieces of land and its deviation from date to date, by medians; NaN where there are too few.

    Pieces lie apart, or overlap by half where too few do.
    """
    steady = steady & (level > 0)
    sums = np.pad(np.cumsum(np.cumsum(steady, axis=0), axis=1), ((1, 0), (1, 0)))
    whole = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side] == side**2
    for step in (side, max(1, side // 2)):
        rows, columns = step * np.array(np.nonzero(whole[::step, ::step]))
        if rows.size >= MIN_PIECES:
            break
    down, across = np.divmod(np.arange(side**2), side)
    cells = (rows[:, None] + down) * steady.shape[1] + columns[:, None] + across
    means = np.stack([values.ravel()[cells].mean(axis=1, dtype=np.float64) for values in (level, *dates)])
    levels = np.log(np.where(means > 0, means, np.nan))
    levels = levels[1:][np.isfinite(levels[1:]).any(axis=1)] - levels[0]
    n_dates = len(levels)
    levels = levels[:, 2 * np.isfinite(levels).sum(axis=0) > n_dates]  # imaged on most dates
    if n_dates < 2 or levels.shape[1] < MIN_PIECES:
        return np.nan, np.nan
    apart = np.abs(levels - np.nanmedian(levels, axis=0))
    noise = NORMAL_MAD * np.nanmedian(apart) * np.sqrt(n_dates / (n_dates - 1))
    return float(np.nanmedian(levels)), max(float(noise), MIN_NOISE)


def _columns(co: _Channel, cross: _Channel) -> dict[str, Any]:
    """Return the columns of `schema.APRONS` that are measured."""
    times = np.exp(co.level)
    n_others = np.isfinite(co.level).sum() - 1
    step = np.nan if n_others < 1 else np.exp(DETECTABLE_SIGMAS * co.noise * np.sqrt(1 + 1 / n_others)) - 1
    measured = np.where(np.isfinite(co.level), 1.0, np.nan)
    return {
        "level_db": DECIBEL * co.level,
        "level_error_db": DECIBEL * co.noise * measured,
        "level_cross_db": DECIBEL * cross.level,
        "level_cross_error_db": DECIBEL * cross.noise * np.where(np.isfinite(cross.level), 1.0, np.nan),
        "added_m2": (times - 1) * co.empty_m2,
        "added_error_m2": times * co.noise * co.empty_m2,
        "detectable_added_m2": step * co.empty_m2 * measured,
        "empty_m2": co.empty_m2 * measured,
        "bright_share": co.bright_share,
        "bright_error": co.bright_error * measured,
        "may_be_wet": False,
        "n_cells": co.n_cells,
    }
