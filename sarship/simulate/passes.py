"""Passes of a series: the parameters of every product, as a plain repeat or as real archives have them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import numpy as np

from sarship.simulate.orbit import REVOLUTION
from sarship.simulate.params import ProductParams, relative_orbit

__all__ = ["FIRST_PASS", "PlannedPass", "irregular_passes", "plain_passes"]

FIRST_PASS: Final = ProductParams(
    time=datetime(2026, 4, 11, 15, 41, 45, 873_821, tzinfo=UTC), absolute_orbit=64_034, texture_order=40.0
)
"""A pass of track 87 over Tartus in a sheltered roadstead, where the sea is nearly plain speckle."""

_OTHER_INCIDENCE_DEG: Final = 41.5
_LATER: Final = timedelta(days=5, hours=-11)
_REVOLUTIONS_LATER: Final = 66
"""Incidence of the second track, and its delay after the first."""
_CYCLE: Final = timedelta(days=12)
_REVOLUTIONS: Final = 175
"""Repeat cycle of a track."""

_KNOWN: Final = MappingProxyType(
    {
        "S1A": (64_034, datetime(2026, 4, 11, 15, 41, 46, tzinfo=UTC)),
        "S1C": (7_258, datetime(2026, 4, 17, 15, 41, 7, tzinfo=UTC)),
        "S1D": (2_753, datetime(2026, 5, 12, 15, 41, 19, tzinfo=UTC)),
    }
)
"""Absolute orbits and times of real products of track 87."""
_TURNS: Final = (0, 6, 12, 19)
"""Days of the passes in two cycles: the first platform, a second, the first again, a third, as in May 2026."""
_VERSIONS: Final = ("003.71", "003.90", "004.03")
"""Processor versions in manifests of real products: S1A of 2024, S1C of January 2025, S1C of March 2026."""
_REPROCESSED: Final = timedelta(days=90)
_TIME_S: Final = 1.5
"""Standard deviation of a pass from the repeat cycle: real ones of a track lie some seconds apart."""
_TUBE_M: Final = 120.0
"""Radius of the tube about the reference orbit in which the satellites are kept (rms)."""
_WANDER: Final = 1 / 12
"""Part of its size by which the image begins earlier or later than on average."""
_CUT: Final = (0.35, 0.65)
"""Part of the lines after which a pass is cut into two slices."""
_SHORTEST_CUT: Final = 690
"""Lines of an image that lasts a second, so that its slices have names of their own."""
_ONE_IN: Final = 8
"""Passes of which one each is cut, is of one polarisation, is packed twice, and is processed twice."""
_STREAM: Final = 27


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPass:
    """Products of one pass over the port."""

    slices: tuple[ProductParams, ...]
    """Parts of the image along the track."""
    twins: tuple[ProductParams, ...] = ()
    """Second packings or processings of the one slice."""


def plain_passes(first: ProductParams, n_dates: int, n_orbits: int) -> list[PlannedPass]:
    """Return passes of one platform every twelve days on each of one or two tracks, all alike."""
    return [
        PlannedPass(slices=(_repeated(first, date % n_orbits, timedelta(0), date // n_orbits),))
        for date in range(n_dates)
    ]


def irregular_passes(first: ProductParams, n_dates: int, n_orbits: int, seed: int) -> list[PlannedPass]:
    """Return passes as an archive of 2026 has them.

    Three platforms fly each track five to seven days apart; orbits and times drift; images begin at other lines and
    pixels; processor versions are mixed; the image of a pass is cut into two slices, another has one polarisation,
    a third is there a second time as a cloud-optimised product and a fourth was processed again, of every eight or
    fewer passes one each. One pass is missing.
    """
    rng = np.random.default_rng([seed, _STREAM])
    slots = [divmod(k, n_orbits) for k in range(n_dates + 1)]
    del slots[n_orbits * rng.integers(1, max(2, n_dates // n_orbits))]
    plans = [PlannedPass(slices=(_drifted(_turn(first, other, turn), rng),)) for turn, other in slots]
    for start in range(0, n_dates, _ONE_IN):
        chosen = start + rng.permutation(min(_ONE_IN, n_dates - start))
        for change, date in zip((_cut, _single, _packed_twice, _processed_twice), chosen, strict=False):
            plans[date] = change(plans[date].slices[0], rng)
    return plans


def _repeated(first: ProductParams, other: int, later: timedelta, cycles: int) -> ProductParams:
    """The product so many cycles later, of the other track if wanted."""
    if other:
        first = replace(first, orbit_pass="descending", incidence_deg=_OTHER_INCIDENCE_DEG)  # noqa: S106
    return replace(
        first,
        time=first.time + _CYCLE * cycles + later + other * _LATER,
        absolute_orbit=first.absolute_orbit + _REVOLUTIONS * cycles + _REVOLUTIONS_LATER * other,
    )


def _turn(first: ProductParams, other: int, turn: int) -> ProductParams:
    """The product of a turn of the platforms: every second one is the first platform's, twelve days later."""
    pairs, number = divmod(turn, len(_TURNS))
    if number % 2 == 0:
        return _repeated(first, other, timedelta(0), 2 * pairs + number // 2)
    later = _repeated(first, other, timedelta(_TURNS[number]), 2 * pairs)
    platform = [name for name in ("S1C", "S1D", "S1A") if name != first.platform][number // 2]
    track = relative_orbit(first.platform, first.absolute_orbit + _REVOLUTIONS_LATER * other)
    orbit, known = _KNOWN[platform]
    orbit += round((later.time - known) / REVOLUTION)
    ahead = (track - relative_orbit(platform, orbit) + _REVOLUTIONS // 2) % _REVOLUTIONS - _REVOLUTIONS // 2
    return replace(later, platform=platform, absolute_orbit=orbit + ahead)


def _drifted(params: ProductParams, rng: np.random.Generator) -> ProductParams:
    """A product some seconds off, from a drifted orbit, that begins at another line and pixel."""
    wander = rng.uniform(-_WANDER, _WANDER, 2) * params.shape
    return replace(
        params,
        time=params.time + timedelta(seconds=float(rng.normal(0, _TIME_S))),
        drift_m=float(np.clip(rng.normal(0, _TUBE_M / 2), -_TUBE_M, _TUBE_M)),
        origin=(float(wander[0]), float(wander[1])),
        frame=params.shape,
        ipf_version=str(rng.choice(_VERSIONS)),
    )


def _cut(params: ProductParams, rng: np.random.Generator) -> PlannedPass:
    """Two slices that meet at a line."""
    n_lines, n_pixels = params.shape
    if n_lines < _SHORTEST_CUT:
        return PlannedPass(slices=(params,))
    line = round(float(rng.uniform(*_CUT)) * n_lines)
    before = replace(params, shape=(line, n_pixels), n_slices=2)
    after = replace(
        before,
        shape=(n_lines - line, n_pixels),
        origin=(params.origin[0] + line, params.origin[1]),
        slice_number=2,
    )
    return PlannedPass(slices=(before, after))


def _single(params: ProductParams, _: np.random.Generator) -> PlannedPass:
    """Without the cross-polarisation."""
    return PlannedPass(slices=(replace(params, polarizations=params.polarizations[:1]),))


def _packed_twice(params: ProductParams, _: np.random.Generator) -> PlannedPass:
    return PlannedPass(slices=(params,), twins=(replace(params, layout="cog"),))


def _processed_twice(params: ProductParams, _: np.random.Generator) -> PlannedPass:
    again = replace(params, ipf_version=_VERSIONS[-1], processing_delay=_REPROCESSED)
    return PlannedPass(slices=(params,), twins=(again,))
