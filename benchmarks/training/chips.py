"""Real ships as a composite source: OpenSARShip's chips, cut with their own sidelobes, turned, stretched and dimmed.

A chip is cut around its ship where it stands out of the sea, the level of the sea taken off. To berth it, it is turned
to the berth's bearing and stretched along its own axis to the berthed length, both within bounds, laid at the part of a
pixel that the berth is at, and brightened or dimmed. Three scenes are learned from; the fourth is held out for
`benchmarks/hybrid_ports.py`, or another one where `held_out` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.opensarship import DATA, read_chips

__all__ = ["HELD_OUT", "RealShip", "berthed", "real_ships"]

MORE: Final = DATA.parent / "opensarship_more"
HELD_OUT: Final = "20161018"
"""Date of the scene that training never sees: forty ships off Zhejiang in both polarisations."""
BRIGHT: Final = 8.0
FAINT: Final = 3.0
"""Sums over the polarisations of power over the sea that a ship has, and that its skirts have."""
SKIRT: Final = 2
"""Pixels around that are kept with it, falling off."""
CROSS_DB: Final = (-11.0, 2.2, 2.0)
"""Ratio of VH to VV of real ships, its deviation from ship to ship, and from pixel to pixel: for chips without VH."""
MAX_TURN_DEG: Final = 25.0
STRETCH: Final = (0.6, 1.5)
GAIN_DB: Final = 2.5

Power = NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class RealShip:
    """One ship's own power, VV and VH, over the sea's."""

    scene: str
    """Date of its scene."""
    sigma0: Power
    """(2, lines, pixels)."""
    middle: tuple[float, float]
    """Line and pixel of the middle of its hull."""
    axis_deg: float
    """Direction of its axis, from pixels' towards lines', in [0, 180)."""
    length_m: float
    width_m: float


@lru_cache(maxsize=4)
def real_ships(held_out: str = HELD_OUT, *, only: bool = False) -> tuple[RealShip, ...]:
    """Every ship of the scenes but one, or of that one `only`; mirrored ones too. Empty where there are no chips."""
    ships = []
    for folder in (DATA, MORE):
        if not folder.is_dir():
            continue
        for number, chip in enumerate(read_chips(folder)):
            scene = chip.name[:8]
            if (scene == held_out) is not only or chip.length_m < 20:
                continue
            ship = _cut(chip.sigma0[::-1], scene, chip.length_m, chip.width_m, number)
            if ship is not None:
                ships += [ship, _mirrored(ship)]
    return tuple(ships)


def _cut(sigma0: NDArray[np.float64], scene: str, length_m: float, width_m: float, number: int) -> RealShip | None:
    """A chip's ship, VV first; None if it touches the chip's rim."""
    sea = np.median(sigma0, axis=(1, 2))
    over = (sigma0 / sea[:, None, None]).sum(axis=0) * 2 / len(sigma0)
    labels, n = ndimage.label(over > BRIGHT, np.ones((3, 3)))
    if n == 0:
        return None
    centre = np.array(over.shape) / 2
    near = [k for k in range(1, n + 1) if np.hypot(*(np.argwhere(labels == k) - centre).T).min() < 6]
    if not near:
        return None
    hull = labels == max(near, key=lambda k: float(over[labels == k].sum()))
    skirts = ndimage.label(over > FAINT, np.ones((3, 3)))[0]
    part = ndimage.binary_dilation(np.isin(skirts, np.unique(skirts[hull])), iterations=SKIRT)
    part &= ndimage.binary_dilation(hull, iterations=8)
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    spots, weight = np.argwhere(hull), np.sqrt(over[hull])
    if spots.min() == 0 or (spots.max(axis=0) == np.array(hull.shape) - 1).any() or len(spots) < 3:
        return None
    mean = np.average(spots, axis=0, weights=weight)
    axis = np.linalg.eigh(np.cov((spots - mean).T, aweights=weight))[1][:, 1]
    ahead = (spots - mean) @ axis
    middle = mean + axis * (ahead.max() + ahead.min()) / 2 - (rows[0], columns[0])
    power = np.where(part, np.maximum(sigma0 - sea[:, None, None], 0), 0)
    power = power[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if len(power) == 1:
        rng = np.random.default_rng([7006, number])
        level, ships, pixels = CROSS_DB
        loss = rng.normal(level, ships) + ndimage.gaussian_filter(rng.normal(0, 2 * pixels, power[0].shape), 0.7)
        power = np.stack([power[0], power[0] * 10 ** (loss / 10)])
    axis_deg = float(np.degrees(np.arctan2(axis[0], axis[1])) % 180)
    return RealShip(
        scene, power.astype(np.float32), (float(middle[0]), float(middle[1])), axis_deg, length_m, max(width_m, 8)
    )


def _mirrored(ship: RealShip) -> RealShip:
    """Mirrored along the flight: layover, towards the near side, stays as it is."""
    flipped = np.ascontiguousarray(ship.sigma0[:, ::-1])
    middle = (flipped.shape[1] - 1 - ship.middle[0], ship.middle[1])
    return RealShip(ship.scene, flipped, middle, (180 - ship.axis_deg) % 180, ship.length_m, ship.width_m)


def berthed(
    ships: tuple[RealShip, ...], length_m: float, axis_deg: float, spot: tuple[float, float], key: int
) -> tuple[Power, int, int, float] | None:
    """One of the ships as it would lie at a spot: its power, the first line and pixel, and its length.

    Parameters
    ----------
    ships
        To choose from, by `key`.
    length_m, axis_deg
        Of the berthed vessel: the direction from pixels' towards lines'.
    spot
        Line and pixel of its middle.
    key
        Decides everything.

    Returns
    -------
    tuple or None
        None if none of them can be turned and stretched so.
    """
    fit = [s for s in ships if _turn(s, axis_deg) <= MAX_TURN_DEG and STRETCH[0] < length_m / s.length_m < STRETCH[1]]
    if not fit:
        return None
    rng = np.random.default_rng([7007, key])
    ship = fit[rng.integers(len(fit))]
    stretch = length_m / ship.length_m
    gain = np.float32(10 ** (rng.normal(0, GAIN_DB) / 10) * stretch)
    own, wanted = np.radians(ship.axis_deg), np.radians(axis_deg)
    if abs(ship.axis_deg - axis_deg) > 90:
        own += np.pi
    # output (line, pixel) about the spot -> input about the ship's middle: back along the axis, and turned
    ahead_in, aside_in = (np.array([np.sin(own), np.cos(own)]), np.array([np.cos(own), -np.sin(own)]))
    ahead, aside = (np.array([np.sin(wanted), np.cos(wanted)]), np.array([np.cos(wanted), -np.sin(wanted)]))
    matrix = np.outer(ahead_in, ahead) / stretch + np.outer(aside_in, aside)
    half = int(np.ceil(np.hypot(*ship.sigma0.shape[1:]) / 2 * max(1, stretch))) + 1
    first = np.round(spot).astype(int) - half
    offset = np.array(ship.middle) - matrix @ (np.array(spot) - first)
    out = [
        ndimage.affine_transform(each, matrix, offset, (2 * half + 1, 2 * half + 1), order=1, mode="constant")
        for each in ship.sigma0
    ]
    return np.stack(out) * gain, int(first[0]), int(first[1]), length_m


def _turn(ship: RealShip, axis_deg: float) -> float:
    return abs((ship.axis_deg - axis_deg + 90) % 180 - 90)
