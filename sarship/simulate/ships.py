"""Vessels as point scatterers seen through the impulse response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.model import Polarization
from sarship.simulate.params import Mode
from sarship.simulate.sea import band, look_weights, response

__all__ = ["Hull", "Patch", "ToImage", "Vessel", "hull_of", "radar_cross_section", "ship_patches", "splat"]

Reals = NDArray[np.float64]
ToImage = Callable[[ArrayLike, ArrayLike], tuple[Reals, Reals]]
"""Longitude and latitude to line and pixel."""

MARGIN: Final = 24
"""Pixels around a target that its sidelobes are drawn to."""
_SMALL_PRODUCT: Final = 2**17
"""Multiplications for which BLAS wakes no second thread."""
METRES_PER_DEGREE: Final = 111_195.0
_HOUSE: Final = 4
"""Scatterers of the superstructure."""
_HOUSE_MOST: Final = 0.6
"""Its largest share of the power."""
_HOUSE_CROSS: Final = 0.4
"""Part of that share that is left in cross-polarisation."""
_BROADEST_M: Final = 30.0
"""Beam that scatterers spread over at most: those of broader ships stand on the middle and the near side."""
_LATE: Final = 0.06
"""Share of late echoes."""
_BELOW_LAW_DB: Final = -0.6
"""Deviation of the median of real ships from the empirical relation, measured on OpenSARShip."""
_SCATTER_DB: Final = 3.4
"""Standard deviation of cross-sections about it; 3.6 was measured, of which the looks make a part."""
_OWN_SHARE: Final = 0.85
"""Part of that variance that a vessel keeps while it lies where it is: 3.3 dB, which leaves 1.4 dB for each date."""
COHERENCE: Final = 0.7
"""Of built structure between dates of one orbit: repeat-pass coherence of towns at C-band over 12 days is 0.6 to 0.8
(Sentinel-1 InSAR literature), which leaves a pixel of the quay steady within a decibel or two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vessel:
    """A vessel on the water.

    Examples
    --------
    >>> Vessel(longitude=35.8, latitude=34.9, length_m=120.0).beam_m
    17.0
    """

    longitude: float
    """Degrees east of the middle of the hull."""
    latitude: float
    """Degrees north of the middle of the hull."""
    length_m: float
    """Length over all."""
    heading_deg: float = 0.0
    """Direction of the bow, clockwise from north."""
    width_m: float | None = None
    """Beam; by default a tenth of the length and five metres."""
    rcs_m2: float | None = None
    """Total co-polarised radar cross-section; by default drawn about the empirical relation for its length."""
    pier: str | None = None
    """Name of the pier or anchorage it is counted at."""
    vessel_id: str = ""
    """The same on every date that it stays."""
    is_rafted: bool = False
    """True if it lies side by side with another."""
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


@dataclass(frozen=True, eq=False, slots=True)
class Hull:
    """The scatterers of one vessel."""

    east_m: Reals
    """East of the middle, as imaged on a plane at the water."""
    north_m: Reals
    """North of it."""
    height_m: Reals
    """Over the water; what an echo's detour lengthens its range by counts as negative."""
    co: Reals
    """Shares of the co-polarised power, adding to one."""
    cross: Reals
    """Shares of the cross-polarised power, adding to one."""


def hull_of(vessel: Vessel, rng: np.random.Generator) -> Hull:
    """Scatterers from bow to stern of unequal strength, and a superstructure that is now strong, now weak.

    Fitted to 162 AIS-matched vessels of OpenSARShip (`benchmarks/ship_looks.py` prints how well): the superstructure
    near the stern has anything from nothing to half of the power in co-polarisation and a good deal less in the other,
    where the deck counts for more; every scatterer stands at a height, so that a hull is laid over towards the
    satellite; and echoes that bounce to and fro between deck and cargo arrive late, weakly.
    """
    length = vessel.length_m
    n = max(6, round(length / 5))
    along = (np.arange(n) + rng.uniform(0.0, 1.0, n)) / n - 0.5
    # a hull narrows towards the bow, so scatterers near it lie closer to the axis
    across = rng.uniform(-0.5, 0.5, n) * np.where(along > 0.3, 0.3, 0.6)
    height = rng.uniform(0.0, min(0.1 * length, 12.0), n)
    # the longer a ship, the fewer of its many scatterers stand out
    unequal = 1.0 + min(length, 250.0) / 250.0
    deck = rng.exponential(1.0, n) ** unequal
    other = 0.5 * deck + 0.5 * rng.exponential(1.0, n) ** unequal
    house = rng.uniform(-0.42, -0.25) + rng.uniform(-0.04, 0.04, _HOUSE)
    strength = rng.exponential(1.0, _HOUSE)
    part = _HOUSE_MOST * rng.random() ** 1.3
    detour = min(70.0, 11.0 * rng.lognormal(0.0, 0.9))
    late = rng.choice(n, max(2, n // 4), replace=False)
    along = np.concatenate([along, house, along[late]])
    across = np.concatenate([across, rng.uniform(-0.3, 0.3, _HOUSE), across[late]])
    height = np.concatenate(
        [
            height,
            rng.uniform(0.03, 0.11, _HOUSE) * min(length, 160.0),
            -rng.uniform(0.0, detour, late.size),
        ]
    )
    co, cross = (
        np.concatenate([(1 - p - _LATE) * a / a.sum(), p * strength / strength.sum(), _LATE * a[late] / a[late].sum()])
        for a, p in ((deck, part), (other, _HOUSE_CROSS * part))
    )
    heading = np.radians(vessel.heading_deg)
    ahead, aside = along * length, across * min(vessel.beam_m, _BROADEST_M)
    east = ahead * np.sin(heading) + aside * np.cos(heading)
    north = ahead * np.cos(heading) - aside * np.sin(heading)
    return Hull(east, north, height, co, cross)


def splat(
    line: Reals,
    pixel: Reals,
    rcs_m2: dict[Polarization, Reals],
    mode: Mode,
    rng: np.random.Generator,
    *,
    is_total_exact: bool = True,
    fresh: np.random.Generator | None = None,
    margin: int = MARGIN,
) -> Patch:
    """Point scatterers through the impulse response with its sidelobes.

    In each look the scatterers add coherently with phases of their own, and the looks' powers are averaged. With
    `is_total_exact` the patch is scaled so that sigma0 times pixel area adds up to the total cross-section. With
    `fresh`, what `rng` draws is what stands there on every date, and a part of `1 - COHERENCE` is the date's own.
    Sidelobes are drawn to `margin` pixels around.
    """
    first_line, first_pixel = int(np.floor(line.min())) - margin, int(np.floor(pixel.min())) - margin
    lines = np.arange(first_line, int(np.ceil(line.max())) + margin + 1)
    pixels = np.arange(first_pixel, int(np.ceil(pixel.max())) + margin + 1)
    azimuth, across = band(mode)
    # seven digits are more than a product's 16-bit numbers hold
    down = response(lines[:, None] - line[None], azimuth).astype(np.float32)
    over = response(pixel[:, None] - pixels[None], across).astype(np.float32)
    area = mode.spacing_m**2
    sigma0: dict[Polarization, NDArray[np.float32]] = {}
    for polarization, rcs in rcs_m2.items():
        power = np.zeros((lines.size, pixels.size), np.float32)
        for weight in look_weights(min(mode.enl, 4.4)):
            phase = np.exp(2j * np.pi * rng.random(line.size))
            if fresh is not None:
                own = fresh.normal(0, np.sqrt((1 - COHERENCE) / 2), (2, line.size))
                phase = np.sqrt(COHERENCE) * phase + own[0] + 1j * own[1]
            amplitude = (np.sqrt(weight * rcs) * phase).astype(np.complex64)
            for part in (amplitude.real, amplitude.imag):  # two real products: half the work
                field = _product(down * part, over)
                field *= field
                power += field
        if is_total_exact:
            power *= rcs.sum() / power.sum(dtype=np.float64)
        sigma0[polarization] = power / np.float32(area)
    return Patch(first_line, first_pixel, sigma0)


def _product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """`left @ right` by pieces that BLAS leaves to one thread: on two it takes thirty times as long here."""
    rows = max(1, _SMALL_PRODUCT // right.size)
    return np.concatenate([left[k : k + rows] @ right for k in range(0, len(left), rows)])


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
    margin: int = MARGIN,
) -> tuple[list[Patch], Reals]:
    """Each vessel's patch, and the co-polarised cross-sections that were drawn, m².

    The cross-section scatters by 3.4 dB about 0.6 dB less than its relation; cross-polarisation lies 11 dB below,
    quartiles 9 and 13. A vessel with a `look` has the same scatterers whenever the same `orbit` sees it, and most of
    that scatter is its own; the phases are the date's (it lies a little otherwise each time). `lines_moved` is how far
    each is displaced along azimuth; sidelobes are drawn to `margin` pixels around.
    """
    if not vessels:
        return [], np.empty(0)
    middle = to_image([v.longitude for v in vessels], [v.latitude for v in vessels])
    law = radar_cross_section([v.length_m for v in vessels], incidence_deg(*middle))
    own = [rng if v.look is None else np.random.default_rng([v.look, orbit]) for v in vessels]
    share = np.array([0.0 if v.look is None else _OWN_SHARE for v in vessels])
    fresh = rng.normal(0, 1, len(vessels))
    kept = np.array([0.0 if v.look is None else source.normal() for v, source in zip(vessels, own, strict=True)])
    law *= 10 ** (_BELOW_LAW_DB / 10)
    drawn = law * 10 ** (_SCATTER_DB * (np.sqrt(share) * kept + np.sqrt(1 - share) * fresh) / 10)
    total = np.array([d if v.rcs_m2 is None else v.rcs_m2 for v, d in zip(vessels, drawn, strict=True)])
    # what makes a vessel strong in one polarisation is only half of what makes it so in the other
    loss_db = 11 + 0.55 * 10 * np.log10(total / law) + np.array([source.normal(0, 2.2) for source in own])
    loss = 10 ** (-loss_db / 10)
    away = np.broadcast_to(lines_moved, len(vessels))
    patches = []
    tangent = np.tan(np.radians(incidence_deg(*middle)))
    for vessel, source, co, cross, lines, slope in zip(vessels, own, total, total * loss, away, tangent, strict=True):
        hull = hull_of(vessel, source)
        latitude = vessel.latitude + hull.north_m / METRES_PER_DEGREE
        longitude = vessel.longitude + hull.east_m / (METRES_PER_DEGREE * np.cos(np.radians(vessel.latitude)))
        line, pixel = to_image(longitude, latitude)
        pixel = pixel - hull.height_m / slope / mode.spacing_m
        rcs = {p: hull.cross * cross if p in {"VH", "HV"} else hull.co * co for p in polarizations}
        patches.append(splat(line + lines, pixel, rcs, mode, rng, margin=margin))
    return patches, total
