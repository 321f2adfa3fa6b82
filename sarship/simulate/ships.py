"""What a vessel or a crane looks like: point scatterers seen through the impulse response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.model import Polarization
from sarship.simulate.params import Mode
from sarship.simulate.sea import band, look_weights, response

__all__ = ["Patch", "ToImage", "Vessel", "hull_offsets", "radar_cross_section", "ship_patches", "splat"]

Reals = NDArray[np.float64]
ToImage = Callable[[ArrayLike, ArrayLike], tuple[Reals, Reals]]
"""Longitude and latitude to line and pixel."""

_MARGIN: Final = 24
"""Pixels around a target that its sidelobes are drawn to."""
METRES_PER_DEGREE: Final = 111_195.0
_SCATTER_DB: Final = 3.6
"""Of a vessel's cross-section about the law, one standard deviation."""
_OWN_SHARE: Final = 0.85
"""Part of that variance that a vessel keeps while it lies where it is: 3.3 dB, which leaves 1.4 dB for each date."""
COHERENCE: Final = 0.7
"""Of built structure between dates of one orbit: repeat-pass coherence of towns at C-band over 12 days is 0.6 to 0.8
(Sentinel-1 InSAR literature), which leaves a pixel of the quay steady within a decibel or two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vessel:
    """A vessel on the water."""

    longitude: float
    """Degrees east of the middle of the hull."""
    latitude: float
    """Degrees north of the middle of the hull."""
    length_m: float
    """Length over all."""
    heading_deg: float = 0.0
    """Where the bow points, clockwise from north."""
    width_m: float | None = None
    """Beam; by default a tenth of the length and five metres."""
    rcs_m2: float | None = None
    """Total co-polarised radar cross-section; by default drawn from the law for its length."""
    pier: str | None = None
    """Name of the pier or anchorage it is counted at."""
    vessel_id: str = ""
    """The same on every date that it stays."""
    is_rafted: bool = False
    """Whether it lies side by side with another."""
    speed_m_s: float = 0.0
    """Speed over ground, ahead: the radar images a moving vessel elsewhere along azimuth."""
    look: int | None = None
    """Seed of its scatterers and of its brightness, which it keeps from date to date; by default the product's."""

    @property
    def beam_m(self) -> float:
        """Width in metres."""
        return self.length_m / 10 + 5 if self.width_m is None else self.width_m


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """Sigma0 that a target adds to the image from a line and pixel on (which may lie outside the image)."""

    line: int
    pixel: int
    sigma0: dict[Polarization, NDArray[np.float32]]


def radar_cross_section(length_m: ArrayLike, incidence_deg: ArrayLike) -> Reals:
    """Median co-polarised cross-section of a ship, m²: 0.08·length^(7/3)·(0.78 + 0.11·incidence).

    >>> float(radar_cross_section(100.0, 37.0).round())
    18009.0
    """
    length = np.asarray(length_m, np.float64)
    return np.asarray(0.08 * length ** (7 / 3) * (0.78 + 0.11 * np.asarray(incidence_deg, np.float64)))


def hull_offsets(vessel: Vessel, rng: np.random.Generator) -> tuple[Reals, Reals, Reals]:
    """Scatterers of a hull: metres east and north of its middle, and their shares of the power (adding to one).

    A line of scatterers of unequal strength from bow to stern; the bridge near the stern has two fifths of the power.
    """
    n = max(4, round(vessel.length_m / 6))
    along = (np.arange(n) + rng.uniform(0.2, 0.8, n)) / n - 0.5
    share = rng.exponential(1.0, n)
    # a hull narrows towards the bow, so scatterers near it lie closer to the axis
    across = rng.uniform(-0.5, 0.5, n) * np.where(along > 0.3, 0.4, 0.9)
    bridge = 3
    along = np.append(along, rng.uniform(-0.42, -0.25) + rng.uniform(-0.02, 0.02, bridge))
    across = np.append(across, rng.uniform(-0.3, 0.3, bridge))
    share = np.append(0.6 * share / share.sum(), np.full(bridge, 0.4 / bridge))
    heading = np.radians(vessel.heading_deg)
    ahead, aside = along * vessel.length_m, across * vessel.beam_m
    east = ahead * np.sin(heading) + aside * np.cos(heading)
    north = ahead * np.cos(heading) - aside * np.sin(heading)
    return east, north, share


def splat(
    line: Reals,
    pixel: Reals,
    rcs_m2: dict[Polarization, Reals],
    mode: Mode,
    rng: np.random.Generator,
    *,
    is_total_exact: bool = True,
    fresh: np.random.Generator | None = None,
) -> Patch:
    """Point scatterers through the impulse response with its sidelobes.

    In each look the scatterers add coherently with phases of their own, and the looks' powers are averaged. With
    `is_total_exact` the patch is scaled so that sigma0 times pixel area adds up to the total cross-section. With
    `fresh`, what `rng` draws is what stands there on every date, and a part of `1 - COHERENCE` is the date's own.
    """
    first_line, first_pixel = int(np.floor(line.min())) - _MARGIN, int(np.floor(pixel.min())) - _MARGIN
    lines = np.arange(first_line, int(np.ceil(line.max())) + _MARGIN + 1)
    pixels = np.arange(first_pixel, int(np.ceil(pixel.max())) + _MARGIN + 1)
    azimuth, across = band(mode)
    down = response(lines[:, None] - line[None], azimuth)
    over = response(pixel[:, None] - pixels[None], across)
    area = mode.spacing_m**2
    sigma0: dict[Polarization, NDArray[np.float32]] = {}
    for polarization, rcs in rcs_m2.items():
        power = np.zeros((lines.size, pixels.size))
        for weight in look_weights(min(mode.looks, 4.4)):
            phase = np.exp(2j * np.pi * rng.random(line.size))
            if fresh is not None:
                own = fresh.normal(0, np.sqrt((1 - COHERENCE) / 2), (2, line.size))
                phase = np.sqrt(COHERENCE) * phase + own[0] + 1j * own[1]
            amplitude = np.sqrt(rcs) * phase
            # two real products: half the work, and small enough for one thread
            power += weight * (((down * amplitude.real) @ over) ** 2 + ((down * amplitude.imag) @ over) ** 2)
        if is_total_exact:
            power *= rcs.sum() / power.sum()
        sigma0[polarization] = (power / area).astype(np.float32)
    return Patch(first_line, first_pixel, sigma0)


def ship_patches(
    vessels: Sequence[Vessel],
    to_image: ToImage,
    incidence_deg: Callable[[Reals, Reals], Reals],
    polarizations: Sequence[Polarization],
    *,
    mode: Mode,
    rng: np.random.Generator,
    lines_moved: Reals | float = 0.0,
    orbit: int = 0,
) -> tuple[list[Patch], Reals]:
    """Each vessel's patch, and the co-polarised cross-sections that were drawn, m².

    The cross-section scatters by 3.6 dB about its law; cross-polarisation lies 11 dB below, quartiles 9 and 13. A
    vessel with a `look` has the same scatterers whenever the same `orbit` sees it, and most of that scatter is its
    own; the phases are the date's (it lies a little otherwise each time). `lines_moved` is how far each is displaced
    along azimuth.
    """
    if not vessels:
        return [], np.empty(0)
    middle = to_image([v.longitude for v in vessels], [v.latitude for v in vessels])
    law = radar_cross_section([v.length_m for v in vessels], incidence_deg(*middle))
    own = [rng if v.look is None else np.random.default_rng([v.look, orbit]) for v in vessels]
    share = np.array([0.0 if v.look is None else _OWN_SHARE for v in vessels])
    fresh = rng.normal(0, 1, len(vessels))
    kept = np.array([0.0 if v.look is None else source.normal() for v, source in zip(vessels, own, strict=True)])
    drawn = law * 10 ** (_SCATTER_DB * (np.sqrt(share) * kept + np.sqrt(1 - share) * fresh) / 10)
    total = np.array([d if v.rcs_m2 is None else v.rcs_m2 for v, d in zip(vessels, drawn, strict=True)])
    loss = np.array([10 ** (-source.normal(11, 2.97) / 10) for source in own])
    away = np.broadcast_to(lines_moved, len(vessels))
    patches = []
    for vessel, source, co, cross, lines in zip(vessels, own, total, total * loss, away, strict=True):
        east, north, part = hull_offsets(vessel, source)
        latitude = vessel.latitude + north / METRES_PER_DEGREE
        longitude = vessel.longitude + east / (METRES_PER_DEGREE * np.cos(np.radians(vessel.latitude)))
        line, pixel = to_image(longitude, latitude)
        rcs = {p: part * (cross if p in {"VH", "HV"} else co) for p in polarizations}
        patches.append(splat(line + lines, pixel, rcs, mode, rng))
    return patches, total
