"""Structure of a port besides vessels: quays, cranes that move, containers that come and go, buildings, buoys.

Everything is point scatterers with a height, seen through the impulse response. What stands higher is imaged nearer to
the satellite (layover), by its height over the tangent of the incidence angle, so that a crane's boom seems to lie on
the water or on the apron, as the side it is seen from has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from sarship.model import Polarization
from sarship.simulate.grid import RadarGrid
from sarship.simulate.params import ProductParams, relative_orbit
from sarship.simulate.port_plan import Face, Place, Plan
from sarship.simulate.ships import MARGIN, Patch, splat

__all__ = ["Scatterers", "parked", "structure"]

Reals = NDArray[np.float64]

_FIXED, _CRANES, _CARGO, _DATE, _YARDS = 21, 23, 24, 25, 27
_CROSS: Final = 0.126
"""Cross-polarisation of built structure, 9 dB weaker."""
_MOVES: Final = 0.4
"""Chance that a crane or a block of containers is another a date later."""
_EDGE_M2: Final = 40.0
"""Cross-section of five metres of quay wall, give or take 3 dB: a line of about −4 dB at 20 m of resolution."""


@dataclass(frozen=True, eq=False, slots=True)
class Scatterers:
    """Points of the port's plane."""

    xy: Reals
    """Metres east and north, (n, 2)."""
    rcs_m2: Reals
    """Co-polarised cross-sections."""
    height_m: Reals
    """Heights over the water."""

    @classmethod
    def make(cls, xy: Reals, decibel: Reals | float, height_m: Reals | float = 0.0) -> Scatterers:
        """From cross-sections in dB over a square metre."""
        many = np.zeros(len(xy))
        return cls(xy, 10 ** ((decibel + many) / 10), height_m + many)


def structure(
    plan: Plan,
    place: Place,
    grid: RadarGrid,
    params: ProductParams,
    *,
    date: int,
    seed: int,
    louder_db: float = 0.0,
    margin: int = MARGIN,
) -> list[Patch]:
    """The structure of one date as patches of the image.

    What is fixed follows from `seed` and the relative orbit: another orbit sees other walls. Cranes and containers
    stand where they stood the date before with a chance of 0.6. All of a date is brighter or dimmer by half a decibel
    (rain on steel, calibration), and the coherence of `splat` lets each pixel vary by one or two. Sidelobes are drawn
    to `margin` pixels around.
    """
    orbit = relative_orbit(params.platform, params.absolute_orbit)
    today = np.random.default_rng([seed, _DATE, date])
    gain = 10 ** ((louder_db + today.normal(0, 0.5)) / 10)
    patches = []
    for number, group in enumerate(_fixed(plan, np.random.default_rng([seed, _FIXED, orbit]))):
        steady = np.random.default_rng([seed, _FIXED, orbit, number])
        patches.append(_patch(group, (place, grid, params), gain, steady, fresh=today, margin=margin))
    movers = [g for number, face in enumerate(plan.faces) for g in _movers(face, number, date, seed, today)]
    return patches + [_patch(group, (place, grid, params), gain, today, margin=margin) for group in movers]


def parked(plan: Plan, place: Place, grid: RadarGrid, params: ProductParams, *, date: int, seed: int) -> list[Patch]:
    """The vehicles on the yards of one date as patches of the image; on every date they stand elsewhere."""
    patches = []
    for number, yard in enumerate(plan.yards):
        rng = np.random.default_rng([seed, _YARDS, number, date])
        xy, rcs_m2 = yard.vehicles_on(date, rng)
        if len(xy):
            group = Scatterers(xy, rcs_m2, np.full(len(xy), 2.0))
            patches.append(_patch(group, (place, grid, params), 1.0, rng, margin=MARGIN))
    return patches


def _patch(
    group: Scatterers,
    scene: tuple[Place, RadarGrid, ProductParams],
    gain: float,
    rng: np.random.Generator,
    *,
    margin: int,
    fresh: np.random.Generator | None = None,
) -> Patch:
    place, grid, params = scene
    where = place.points(group.xy)
    line, pixel = grid.image(where[:, 0], where[:, 1])
    angle = np.radians(params.incidence_deg)
    pixel = pixel - group.height_m / np.tan(angle) / params.specification.spacing_m
    channels: dict[Polarization, Reals] = {
        p: gain * group.rcs_m2 * (_CROSS if p in {"VH", "HV"} else 1.0) for p in params.polarizations
    }
    return splat(line, pixel, channels, params.specification, rng, is_total_exact=False, fresh=fresh, margin=margin)


def _fixed(plan: Plan, rng: np.random.Generator) -> list[Scatterers]:
    """Quay walls with bollards, the shores of breakwaters, warehouses, buoys and beacons."""
    groups = []
    for face in plan.faces:
        along = np.arange(2.5, face.length_m, 5.0)
        wall = Scatterers.make(face.at(along, -1.0), 10 * np.log10(_EDGE_M2) + rng.normal(0, 3, along.size), 2.0)
        bollard = np.arange(rng.uniform(5, 30), face.length_m, 30.0)
        strong = Scatterers.make(face.at(bollard, -2.0), rng.normal(17, 3, bollard.size), 2.0)
        groups.append(_together([wall, strong]))
    for name, ground in plan.land.items():
        if name == "Breakwater":
            groups += [_rubble(ground, rng)]
    for west, south, east, north in plan.warehouses:
        n = max(6, int((east - west + north - south) / 12))
        xy = rng.uniform((west, south), (east, north), (n, 2))
        groups.append(Scatterers.make(xy, rng.normal(26, 4, n), rng.uniform(2, 15, n)))
    groups += [Scatterers.make(np.array([[x, y]]), 10 * np.log10(rcs), 5.0) for x, y, rcs in plan.fixtures]
    return groups


def _rubble(ground: Polygon, rng: np.random.Generator) -> Scatterers:
    """Both sides of a breakwater: 10 dB over a square metre every five metres."""
    rim = ground.exterior
    xy = np.array([rim.interpolate(d).coords[0] for d in np.arange(0, rim.length, 5.0)])
    return Scatterers.make(xy, rng.normal(10, 3, len(xy)), 3.0)


def _movers(face: Face, number: int, date: int, seed: int, today: np.random.Generator) -> list[Scatterers]:
    """Cranes, containers and vehicles of one quay on one date."""
    groups = [_crane(face, _spell([seed, _CRANES, number, crane], date)) for crane in range(face.n_cranes)]
    if face.has_cargo:
        blocks = [
            _block(face, along, row, _spell([seed, _CARGO, number, int(along), row], date))
            for along in np.arange(30.0, face.length_m - 30, 50.0)
            for row in range(2)
        ]
        groups += [_together(blocks)] if any(len(b.xy) for b in blocks) else []
    if face.busy > 0:
        n = 1 + int(today.poisson(face.length_m / 80))
        xy = face.at(today.uniform(0, face.length_m, n), -today.uniform(3, 15, n))
        groups.append(Scatterers.make(xy, today.normal(8, 4, n), 2.0))
    return groups


def _spell(key: Sequence[int], date: int) -> np.random.Generator:
    """Draws that hold for a spell of dates: a new spell begins with a chance of `_MOVES` at each date."""
    starts = np.random.default_rng(key).random(date + 1) < _MOVES
    last = int(np.flatnonzero(starts)[-1]) if starts.any() else -1
    return np.random.default_rng([*key, last + 1])


def _crane(face: Face, rng: np.random.Generator) -> Scatterers:
    """A gantry on rails: four legs, a house, and a boom over the water when it is lowered."""
    along = float(rng.uniform(12, face.length_m - 12))
    feet = face.at(np.array([along - 8, along - 8, along + 8, along + 8]), np.array([-3.0, -18.0, -3.0, -18.0]))
    legs = Scatterers.make(feet, rng.normal(26, 3, 4), 2.0)
    house = Scatterers.make(face.at(along, -16.0), rng.normal(32, 4, 1), 35.0)
    reach = np.arange(-15.0, 36.0, 7.0) if rng.random() < 0.5 else np.arange(-15.0, 0.0, 7.0)
    boom = Scatterers.make(face.at(np.full(reach.size, along), reach), rng.normal(18, 3, reach.size), 38.0)
    return _together([legs, house, boom])


def _block(face: Face, along_m: float, row: int, rng: np.random.Generator) -> Scatterers:
    """A block of stacked containers behind the crane's rails, or an empty place."""
    if rng.random() < 0.4:
        return Scatterers.make(np.empty((0, 2)), 0.0)
    n = int(rng.integers(4, 12))
    off = -28.0 - 22.0 * row - rng.uniform(0, 12, n)
    return Scatterers.make(face.at(along_m + rng.uniform(-22, 22, n), off), rng.normal(18, 4, n), rng.uniform(2, 12, n))


def _together(groups: Sequence[Scatterers]) -> Scatterers:
    columns = ([getattr(group, name) for group in groups] for name in Scatterers.__slots__)
    return Scatterers(*map(np.concatenate, columns))
