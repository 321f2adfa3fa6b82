"""A scene on a port's grid as the network at piers sees it: relative to that day's sea, beside the empty port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarship.change.coregistration import correct_shift
from sarship.change.reference import expected_on, of_orbit, sea_of
from sarship.model import CO_POLARIZED, CROSS_POLARIZED
from sarship.vessels.at_piers import PortMaps

if TYPE_CHECKING:
    from sarship.change.detection import PortMasks
    from sarship.port.grid import PortImage

__all__ = ["port_maps"]

LEAST: Final = 1e-9
"""Minimum sigma nought, far below any noise."""


def port_maps(
    image: xr.DataArray,
    seen: PortImage,
    masks: PortMasks,
    land: NDArray[np.bool_] | None = None,
    reference: xr.Dataset | None = None,
    *,
    hidden: NDArray[np.bool_] | None = None,
) -> PortMaps | None:
    """Return the maps of a scene, or None where it has no co-polarised image.

    Parameters
    ----------
    image
        Scene on the port's grid, from `to_port_grid`.
    seen
        The same scene's geometry; its shift is corrected.
    masks
        From `port_masks` on the image's grid.
    land
        True on land, (y, x); None where it is not known.
    reference
        Reference with the scene's orbit; None for none.
    hidden
        True where nothing is to be seen, (y, x): it looks like the sea. None for nowhere.

    Raises
    ------
    ReferenceImageError
        The reference is of another port or has not this orbit.

    Examples
    --------
    A scene of the sea of 0.02 with a vessel of 10:

    >>> import shapely
    >>> from types import SimpleNamespace
    >>> from sarship.change.detection import port_masks
    >>> from sarship.port.grid import PortGrid
    >>> grid = PortGrid.around(shapely.box(35.80, 34.88, 35.81, 34.89), 0)
    >>> power = np.full((1, *grid.shape), 0.02, np.float32)
    >>> power[0, 50:53, 40:50] = 10
    >>> image = grid.image(power, ("VV",))
    >>> seen = SimpleNamespace(grid=grid, shift=(0.0, 0.0), track_m=lambda row, column: (-row, column))
    >>> masks = port_masks(grid, piers=shapely.Point(grid.to_map(10, 10)))
    >>> maps = port_maps(image, seen, masks)
    >>> round(float(maps.raw[0, 51, 45]), 1), round(float(maps.raw[0, 0, 0]), 1), maps.look
    (6.2, 0.0, (1.0, 0.0))
    """
    one = None if reference is None else of_orbit(reference, image)
    power = correct_shift(image.to_numpy(), seen.shift)
    co, cross = (_channel(image, power, one, kind) for kind in (CO_POLARIZED, CROSS_POLARIZED))
    if co is None:
        return None
    raw, expected = np.zeros((2, 2, *power.shape[1:]), np.float32)
    spread = None
    for k, name in enumerate(each for each in (co, cross) if each is not None):
        now = power[image["polarization"].to_numpy().tolist().index(name)]
        if one is None:
            today = sea_of(now, masks.open_water, 1.0)
        else:
            fit = one.sel(polarization=name)
            level, today = expected_on(fit, now, masks.open_water)
            expected[k] = _ln(level, today)
            spread = fit["spread"].to_numpy() if spread is None else spread
        raw[k] = _ln(now, today)
    if hidden is not None:
        raw[:, hidden] = expected[:, hidden] = 0
    return PortMaps(
        raw=raw,
        expected=None if one is None else expected,
        spread=spread,
        land=np.zeros(power.shape[1:], np.bool_) if land is None else land,
        look=_look(seen),
        has_cross=cross is not None,
    )


def _channel(
    image: xr.DataArray, power: NDArray[np.float32], reference: xr.Dataset | None, kind: tuple[str, ...]
) -> str | None:
    """Return the polarisation of a kind that the image shows, and the reference knows; None for none.

    A channel that was not sent, or is blank, shows nothing: zero would be taken for an empty pier.
    """
    for number, name in enumerate(image["polarization"].to_numpy().tolist()):
        if name in kind and np.isfinite(power[number]).any() and (power[number] > 0).any():
            if reference is None:
                return str(name)
            known = name in reference["polarization"].to_numpy()
            if known and np.isfinite(reference["level"].sel(polarization=name)).any():
                return str(name)
    return None


def _ln(power: NDArray[np.float32], sea: float) -> NDArray[np.float32]:
    """Logarithm of power over the sea's; of cells without data that of the sea itself."""
    return np.asarray(np.log(np.maximum(np.nan_to_num(power, nan=sea), LEAST) / sea), np.float32)


def _look(seen: PortImage) -> tuple[float, float]:
    """Unit vector of rising range at the middle of the grid, in columns and rows."""
    row, column = ((n - 1) / 2 for n in seen.grid.shape)
    across = seen.track_m(np.array([row, row, row + 1]), np.array([column, column + 1, column]))[1]
    look = np.array([across[1] - across[0], across[2] - across[0]])
    look = look / np.hypot(*look)
    return float(look[0]), float(look[1])
