"""Where the radar shows a target again, and where it shows one that moves: both follow from its Doppler frequency.

An azimuth ambiguity is energy received at a whole pulse repetition frequency from the Doppler centroid, which the
sampling cannot tell from the centroid itself: it is focused at the time at which the target has that frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.geo.earth import geoid_height_m
from sarship.model import Polarization
from sarship.simulate.grid import RadarGrid
from sarship.simulate.orbit import LIGHT_M_S, to_earth
from sarship.simulate.params import ProductParams
from sarship.simulate.safe.annotation import RADAR_HZ
from sarship.simulate.safe.calibration import swath_blocks
from sarship.simulate.ships import METRES_PER_DEGREE, Patch

__all__ = ["Ambiguity", "ambiguity_patches", "find_ambiguities", "moved_lines"]

Reals = NDArray[np.float64]

_BURST_S: Final = 2.758
_MEAN_DB: Final = 25.0
_SWING_DB: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Where a swath shows everything again."""

    first_pixel: int
    """First pixel of the swath."""
    last_pixel: int
    """Its last pixel."""
    line_shift: int
    """Lines from the source to the ambiguity."""
    pixel_shift: int
    """Pixels from the source to the ambiguity."""
    level_db: float
    """Mean brightness less that of the source."""
    phase: float
    """Of its swing along the burst, radians."""
    lines_a_burst: float
    """Length of a burst."""

    def gain(self, line: ArrayLike) -> NDArray[np.float32]:
        """Power of the ambiguity over that of a source on this line: 20 to 30 dB less, by the place in the burst."""
        swing = _SWING_DB * np.sin(2 * np.pi * np.asarray(line) / self.lines_a_burst + self.phase)
        return np.asarray(10 ** ((self.level_db + swing) / 10), np.float32)


def find_ambiguities(params: ProductParams, grid: RadarGrid) -> list[Ambiguity]:
    """Both first ambiguities of every swath, displaced as its own pulse repetition frequency has it.

    They lie 20 to 30 dB below their source: the azimuth antenna's pattern is steered along a burst, so the level
    swings along it, one side up while the other is down (De Zan & Guarnieri 2006; the product specification asks for
    −25 dB in the worst place of IW).
    """
    mode, burst = params.specification, _BURST_S / grid.interval
    ambiguities = []
    for block in swath_blocks(params):
        if block.first_line > 0:
            continue
        middle = (block.first_pixel + block.last_pixel) / 2
        number = mode.swaths.index(block.swath)
        for side in (-1, 1):
            line, pixel = _ambiguity(grid, (grid.shape[0] - 1) / 2, middle, side * mode.prf_hz[number])
            ambiguities.append(
                Ambiguity(
                    first_pixel=block.first_pixel,
                    last_pixel=block.last_pixel,
                    line_shift=round(line),
                    pixel_shift=round(pixel),
                    level_db=-_MEAN_DB,
                    phase=1.1 * number + np.pi * (side > 0) + 2 * np.pi * params.origin[0] / burst,
                    lines_a_burst=burst,
                )
            )
    return ambiguities


def _ambiguity(grid: RadarGrid, line: float, pixel: float, frequency_hz: float) -> tuple[float, float]:
    """Lines and pixels from a target to where it has a Doppler frequency.

    The time is found by Newton's method on the orbit; the range there is longer by what the target has migrated.
    """
    longitude, latitude = grid.sea_place(line, pixel)
    target = to_earth(longitude, latitude, geoid_height_m(longitude, latitude))
    start = float(grid.seconds(line))

    def doppler(seconds: float) -> float:
        away = grid.orbit.position(seconds) - target
        return float(-2 * RADAR_HZ / LIGHT_M_S * (away @ grid.orbit.velocity(seconds)) / np.linalg.norm(away))

    seconds = start
    for _ in range(8):
        slope = (doppler(seconds + 0.01) - doppler(seconds - 0.01)) / 0.02
        seconds -= (doppler(seconds) - frequency_hz) / slope
    reach = np.linalg.norm(grid.orbit.position([start, seconds]) - target, axis=-1)
    ground = np.sin(np.radians(grid.incidence(line, pixel)[0]))
    return (seconds - start) / grid.interval, float((reach[1] - reach[0]) / ground / grid.spacing_m)


def ambiguity_patches(patches: Sequence[Patch], ambiguities: Sequence[Ambiguity], floor: float = 1e-3) -> list[Patch]:
    """Ambiguities of patches, each of the swath that its middle lies in; those below `floor` in sigma0 are left out."""
    copies = []
    for patch in patches:
        field = next(iter(patch.sigma0.values()))
        line, pixel = patch.line + field.shape[0] / 2, patch.pixel + field.shape[1] / 2
        for ambiguity in ambiguities:
            gain = ambiguity.gain(line)
            if ambiguity.first_pixel <= pixel <= ambiguity.last_pixel and gain * field.max() > floor:
                dimmed: dict[Polarization, NDArray[np.float32]] = {p: gain * image for p, image in patch.sigma0.items()}
                copies.append(Patch(patch.line + ambiguity.line_shift, patch.pixel + ambiguity.pixel_shift, dimmed))
    return copies


def moved_lines(grid: RadarGrid, longitude: Reals, latitude: Reals, heading_deg: Reals, speed_m_s: Reals) -> Reals:
    """Lines that moving targets are displaced by: they are imaged when their own Doppler frequency is zero.

    With the satellite at S moving by V, the target at P moving by U, that is when (S − P)·(V − U) = 0; one step of
    Newton's method from the time at which a still target is abeam. It comes to −range/velocity × radial speed.
    """
    height = geoid_height_m(longitude, latitude)
    second = 1.0
    north = np.cos(np.radians(heading_deg)) * speed_m_s * second / METRES_PER_DEGREE
    east = np.sin(np.radians(heading_deg)) * speed_m_s * second / METRES_PER_DEGREE / np.cos(np.radians(latitude))
    target = to_earth(longitude, latitude, height)
    drift = (to_earth(longitude + east, latitude + north, height) - target) / second
    abeam = grid.seconds(grid.image(longitude, latitude)[0])

    def closing(seconds: Reals, own: Reals) -> Reals:
        away = grid.orbit.position(seconds) - target
        return np.asarray(np.sum(away * (grid.orbit.velocity(seconds) - own), -1))

    slope = (closing(abeam + 0.01, 0 * drift) - closing(abeam - 0.01, 0 * drift)) / 0.02
    return np.asarray(-closing(abeam, drift) / slope / grid.interval)
