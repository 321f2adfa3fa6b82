"""One more date for a backdrop, where the stack that it came from is not at hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from sarship.change.coregistration import Shifts, correct_shift
from sarship.change.empty_level import WITHIN
from sarship.change.reference import MIN_DATES, PRIOR, level_on, of_orbit, on_dates, open_water, sea_of, shift_of
from sarship.port.grid import PortGrid

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["update_backdrop"]

Power = NDArray[np.float32]


def update_backdrop(
    backdrop: xr.Dataset,
    image: xr.DataArray,
    *,
    land: BaseGeometry | None = None,
    piers: BaseGeometry | None = None,
    min_dates: int = MIN_DATES,
) -> xr.Dataset:
    """The backdrop with one more date, where the stack that it came from is not at hand.

    The date joins the lowest group of a cell where it lies within what the group allows, and begins a new one where it
    lies as far below: then a vessel had lain there on every date so far. With the stack, fit again instead: what was
    left out of a group for good cannot come back here.

    Parameters
    ----------
    backdrop
        From `fit_backdrop` or an earlier update.
    image
        The date, from `to_port_grid`; a scene that is in the backdrop already changes nothing.
    land, piers, min_dates
        As for `fit_backdrop`.

    Raises
    ------
    BackdropError
        As `of_orbit` and `shift_of`.
    """
    one = of_orbit(backdrop, image)
    if any(image["scene"].item() in str(scenes).split() for scenes in backdrop["scene"].to_numpy()):
        return backdrop
    water, steady = open_water(PortGrid.of(image), land, piers)
    power, shift = image.to_numpy(), shift_of(image, one, steady)
    power = power if shift == (0.0, 0.0) else correct_shift(power, shift)
    new = backdrop.copy(deep=True)
    for name, values in zip(image["polarization"].to_numpy(), power, strict=True):
        place = {"relative_orbit": image["relative_orbit"].item(), "polarization": name}
        if name in backdrop["polarization"]:
            level, spread, n_empty = _join(values, one.sel(polarization=name), water)
            new["level"].loc[place], new["spread"].loc[place], new["n_empty"].loc[place] = level, spread, n_empty
    orbit = {"relative_orbit": place["relative_orbit"]}
    new["n_dates"].loc[orbit] += 1
    new["is_borrowed"].loc[orbit] = new["n_dates"].loc[orbit] < min_dates
    row = on_dates(image, Shifts(np.array([shift[0]]), np.array([shift[1]]), np.ones(1, np.bool_)))
    dates = xr.concat([new[list(row)], row], "time").sortby("time")
    return xr.merge([new.drop_dims("time"), dates]).assign_attrs(backdrop.attrs)


def _join(power: Power, one: xr.Dataset, water: NDArray[np.bool_]) -> tuple[Power, Power, NDArray[np.int16]]:
    """Level, spread and group size of one polarisation with one more date."""
    level, spread, n_empty = (one[name].to_numpy() for name in ("level", "spread", "n_empty"))
    sea = float(one["sea"])
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(power * (level / level_on(level, sea, sea_of(power, water, sea))))
        off = value - (np.log(level) - spread**2 / 2)
    reach = WITHIN * math.sqrt(float(special.polygamma(1, float(one["looks"]))))
    joins, begins = np.abs(off) <= reach, off < -reach
    size = np.where(begins, 0, n_empty).astype(np.float32)
    mean = np.where(joins | begins, value - off * size / (size + 1), value - off)
    freedom = PRIOR + size
    variance = np.where(joins, (freedom * spread**2 + off**2 * size / (size + 1)) / (freedom + 1), spread**2)
    size = np.where(joins | begins, size + 1, size)
    known = np.isfinite(mean)
    spread = np.where(known, np.sqrt(variance), spread).astype(np.float32)
    level = np.where(known, np.exp(mean + spread**2 / 2), level).astype(np.float32)
    return level, spread, np.where(known, size, n_empty).astype(np.int16)
