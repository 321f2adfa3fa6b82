"""Traffic of a port: vessels come, stay for some dates, and leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import Final

import numpy as np

from sarship.simulate.port_plan import Face, Place, Plan
from sarship.simulate.ships import Vessel

__all__ = ["ANCHORAGE_NAME", "beam_of", "schedule"]

ANCHORAGE_NAME: Final = "Anchorage"
_TRAFFIC: Final = 22
_ENDS_M: Final = 8.0
"""Distance that a vessel keeps from the ends of its quay."""
_TRIES: Final = 12
_STERN_TO_APART_M: Final = (2.0, 14.0)
"""Gap between two that lie side by side with their sterns to the quay: fenders, or room for a tender."""
_RAFTS: Final = 2
"""Tries at a berth, and at a place outboard, on each date and face."""
_ANCHORED_APART_M: Final = 550.0
_CABLE_M: Final = 120.0
_ANCHORED_STAY: Final = 2.5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Berthed:
    """A vessel at a face."""

    vessel_id: str
    along_m: float
    """Place of its beginning, from the start of the face."""
    length_m: float
    beam_m: float
    off_m: float
    """From the quay to its near side."""
    inner: str | None
    """The vessel that it lies outboard of."""
    abreast: int
    """Vessels between it and the quay."""
    is_turned: bool
    look: int
    stays: bool = False
    is_stern_to: bool = False

    @property
    def taken_m(self) -> float:
        """Length of the quay that it takes."""
        return self.beam_m if self.is_stern_to else self.length_m


@dataclass(frozen=True, kw_only=True, slots=True)
class _Anchored:
    vessel_id: str
    east_m: float
    north_m: float
    length_m: float
    look: int


def beam_of(length_m: float, rng: np.random.Generator) -> float:
    """A beam: a tenth of the length and five metres, a tenth either way.

    >>> 5 < beam_of(50.0, np.random.default_rng(0)) < 13
    True
    """
    return float((length_m / 10 + 5) * np.clip(rng.normal(1, 0.1), 0.75, 1.25))


def schedule(plan: Plan, place: Place, n_dates: int, seed: int, busy: float) -> list[list[Vessel]]:
    """The vessels of every date. A vessel keeps its `vessel_id`, its size and, at a quay, its berth while it stays.

    Parameters
    ----------
    plan, place
        The port, and where on Earth it lies.
    n_dates
        Dates in order of time; how many a vessel stays is geometric about its face's mean.
    seed
        Decides everything.
    busy
        Factor on the share of the quays that is taken and on the numbers afloat.
    """
    rng = np.random.default_rng([seed, _TRAFFIC])
    ids = (f"{seed}-{number:04d}" for number in count(1))
    faces: list[tuple[_Berthed, ...]] = [_laid_up(face, ids, rng) for face in plan.faces]
    anchored: tuple[_Anchored, ...] = ()
    dates = []
    for _ in range(n_dates):
        wanted = busy * rng.uniform(0.6, 1.25)
        faces = _next(plan, faces, wanted, ids, rng)
        anchored = _next_anchored(plan, anchored, busy, ids, rng)
        vessels = [v for face, there in zip(plan.faces, faces, strict=True) for v in _moored(face, there, place, rng)]
        vessels += _swinging(anchored, place, rng)
        dates.append(vessels + _under_way(plan, place, busy, ids, rng))
    return dates


def _laid_up(face: Face, ids: Iterator[str], rng: np.random.Generator) -> tuple[_Berthed, ...]:
    """The vessel that never leaves, in the middle of its face."""
    if face.laid_up_m == 0:
        return ()
    length = face.laid_up_m
    along = (face.length_m - length) / 2
    return (replace(_new(ids, along, length, rng, off_m=4.0), stays=True),)


def _new(
    ids: Iterator[str],
    along_m: float,
    length_m: float,
    rng: np.random.Generator,
    *,
    off_m: float,
    inner: _Berthed | None = None,
) -> _Berthed:
    """A vessel alongside."""
    return _Berthed(
        vessel_id=next(ids),
        along_m=along_m,
        length_m=length_m,
        beam_m=beam_of(length_m, rng),
        off_m=off_m,
        inner=None if inner is None else inner.vessel_id,
        abreast=0 if inner is None else inner.abreast + 1,
        is_turned=bool(rng.integers(0, 2)),
        look=int(rng.integers(2**31)),
    )


def _next(
    plan: Plan, faces: Sequence[tuple[_Berthed, ...]], wanted: float, ids: Iterator[str], rng: np.random.Generator
) -> list[tuple[_Berthed, ...]]:
    """Every face a date later: some have left, others have come."""
    after = [_departed(face, there, rng) for face, there in zip(plan.faces, faces, strict=True)]
    for number, face in enumerate(plan.faces):
        at_pier = sum(len(there) for there, other in zip(after, plan.faces, strict=True) if other.pier == face.pier)
        room = face.max_vessels - at_pier
        after[number] = _arrived(face, after[number], (wanted, len(after[number]) + room), ids, rng)
    return after


def _departed(face: Face, there: tuple[_Berthed, ...], rng: np.random.Generator) -> tuple[_Berthed, ...]:
    """Those that remain. Who lies outboard of one that leaves, leaves too."""
    gone: set[str | None] = set()
    kept = []
    for vessel in sorted(there, key=lambda v: v.abreast):
        if vessel.inner in gone or (not vessel.stays and rng.random() < 1 / face.stay):
            gone.add(vessel.vessel_id)
        else:
            kept.append(vessel)
    return tuple(kept)


def _arrived(
    face: Face, there: tuple[_Berthed, ...], limits: tuple[float, int], ids: Iterator[str], rng: np.random.Generator
) -> tuple[_Berthed, ...]:
    """With newcomers until the wanted share of the quay is taken, nobody finds a berth, or `most` lie there."""
    wanted, most = limits
    if face.busy * wanted == 0:
        return there
    for _ in range(_TRIES):
        taken = sum(v.taken_m for v in there if v.inner is None) / face.length_m
        # whether the last one fits is a matter of chance, so that the mean comes to what is wanted
        next_one = face.usual_m * (1 - 0.85 * face.stern_to) / face.length_m * rng.random()
        if taken + next_one >= min(0.97, face.busy * wanted) or len(there) >= most:
            break
        there = (*there, *_berth(face, there, ids, rng))
    for _ in range(_RAFTS):
        if rng.random() < face.rafting and len(there) < most:
            there = (*there, *_raft(face, there, ids, rng))
    return there


def _length(face: Face, rng: np.random.Generator) -> float:
    return float(np.clip(rng.lognormal(np.log(face.usual_m), 0.45), *face.lengths_m))


def _berth(
    face: Face, there: tuple[_Berthed, ...], ids: Iterator[str], rng: np.random.Generator
) -> tuple[_Berthed, ...]:
    """A newcomer in a gap along the quay: every second one close to a neighbour, bow to stern or side by side."""
    length = min(_length(face, rng), face.length_m - 2 * _ENDS_M)
    if face.stern_to > 0 and rng.random() < face.stern_to:
        new = replace(_new(ids, 0.0, length, rng, off_m=float(rng.uniform(*face.stern_off_m))), is_stern_to=True)
        apart = float(rng.uniform(*_STERN_TO_APART_M))
    else:
        new = None  # drawn after its place, which other ports' traffic rests on
        apart = float(rng.uniform(*face.apart_m)) * min(1.0, 0.4 + length / 100)
    wide = length if new is None else new.beam_m
    taken = sorted((v.along_m, v.along_m + v.taken_m) for v in there if v.inner is None)
    edges = [(-np.inf, _ENDS_M - apart), *taken, (face.length_m - _ENDS_M + apart, np.inf)]
    gaps = [(a[1] + apart, b[0] - apart - wide) for a, b in pairwise(edges)]
    free = [gap for gap in gaps if gap[1] >= gap[0]]
    if not free:
        return ()
    low, high = free[rng.integers(len(free))]
    along = float(rng.choice([low, high]) if rng.random() < 0.5 else rng.uniform(low, high))
    if new is None:
        return (_new(ids, along, length, rng, off_m=float(rng.uniform(1.5, 6))),)
    return (replace(new, along_m=along),)


def _raft(
    face: Face, there: tuple[_Berthed, ...], ids: Iterator[str], rng: np.random.Generator
) -> tuple[_Berthed, ...]:
    """A newcomer outboard of another, a fender's width off it, at most as long as it."""
    inner_ids = {v.inner for v in there}
    may = (v for v in there if not v.is_stern_to and v.abreast + 1 < face.max_abreast and v.length_m <= 170)
    inner = [v for v in may if v.vessel_id not in inner_ids]
    if not inner:
        return ()
    beside = inner[rng.integers(len(inner))]
    length = max(face.lengths_m[0], beside.length_m * float(rng.uniform(0.7, 1.0)))
    along = beside.along_m + (beside.length_m - length) * float(rng.uniform(0, 1))
    off = beside.off_m + beside.beam_m + float(rng.uniform(0.5, 2))
    return (_new(ids, along, length, rng, off_m=off, inner=beside),)


def _moored(face: Face, there: tuple[_Berthed, ...], place: Place, rng: np.random.Generator) -> list[Vessel]:
    """At a quay on a date: a vessel shifts by a metre or two and half a degree."""
    rafted = {v.inner for v in there if v.inner} | {v.vessel_id for v in there if v.inner}
    vessels = []
    for berthed in there:
        across = berthed.length_m if berthed.is_stern_to else berthed.beam_m
        along = berthed.along_m + berthed.taken_m / 2 + rng.normal(0, 1)
        spot = face.at(along, berthed.off_m + across / 2 + rng.normal(0, 0.3))
        lon, lat = place.points(spot)[0].tolist()
        vessels.append(
            Vessel(
                longitude=lon,
                latitude=lat,
                length_m=berthed.length_m,
                width_m=berthed.beam_m,
                heading_deg=float((_ahead_deg(face, berthed) + rng.normal(0, 0.5)) % 360),
                pier=face.pier,
                vessel_id=berthed.vessel_id,
                is_rafted=berthed.vessel_id in rafted,
                look=berthed.look,
            )
        )
    return vessels


def _ahead_deg(face: Face, berthed: _Berthed) -> float:
    """Direction of the bow: along the face or against it; out over the water, on its left, if the stern is to it."""
    return face.heading_deg - 90.0 if berthed.is_stern_to else face.heading_deg + 180.0 * berthed.is_turned


def _next_anchored(
    plan: Plan, there: tuple[_Anchored, ...], busy: float, ids: Iterator[str], rng: np.random.Generator
) -> tuple[_Anchored, ...]:
    """The roads a date later: half and more lift anchor, others drop theirs well apart."""
    now = [v for v in there if rng.random() > 1 / _ANCHORED_STAY]
    west, south, east, north = plan.anchorage.buffer(-250).bounds
    for _ in range(max(0, int(rng.poisson(plan.n_anchored * busy)) - len(now))):
        spot = rng.uniform((west, south), (east, north))
        if all(np.hypot(v.east_m - spot[0], v.north_m - spot[1]) > _ANCHORED_APART_M for v in now):
            length = float(np.clip(rng.lognormal(np.log(105), 0.55), 20.0, 250.0))
            now.append(
                _Anchored(
                    vessel_id=next(ids),
                    east_m=float(spot[0]),
                    north_m=float(spot[1]),
                    length_m=length,
                    look=int(rng.integers(2**31)),
                )
            )
    return tuple(now)


def _swinging(anchored: tuple[_Anchored, ...], place: Place, rng: np.random.Generator) -> list[Vessel]:
    """At anchor on a date: all head into the wind, a cable's length down-wind of their anchors."""
    wind = rng.uniform(0, 360)
    vessels = []
    for ship in anchored:
        heading = (wind + rng.normal(0, 12)) % 360
        back = np.array([np.sin(np.radians(heading)), np.cos(np.radians(heading))]) * -_CABLE_M
        lon, lat = place.points(np.array([[ship.east_m, ship.north_m]]) + back)[0].tolist()
        vessels.append(
            Vessel(
                longitude=lon,
                latitude=lat,
                length_m=ship.length_m,
                heading_deg=float(heading),
                pier=ANCHORAGE_NAME,
                vessel_id=ship.vessel_id,
                look=ship.look,
            )
        )
    return vessels


def _under_way(plan: Plan, place: Place, busy: float, ids: Iterator[str], rng: np.random.Generator) -> list[Vessel]:
    """In the fairways on a date: heading anywhere, well apart."""
    vessels: list[Vessel] = []
    taken = np.empty((0, 2))
    for _ in range(int(rng.poisson(plan.n_under_way * busy))):
        west, south, east, north = plan.fairways[rng.integers(len(plan.fairways))]
        spot = rng.uniform((west, south), (east, north))
        if len(taken) and np.hypot(*(taken - spot).T).min() < _ANCHORED_APART_M:
            continue
        taken = np.vstack([taken, spot])
        lon, lat = place.points(spot[None])[0].tolist()
        vessel = Vessel(
            longitude=lon,
            latitude=lat,
            length_m=float(np.clip(rng.lognormal(np.log(95), 0.6), 20.0, 250.0)),
            heading_deg=float(rng.uniform(0, 360)),
            speed_m_s=float(rng.uniform(*plan.sailing_m_s)),
            vessel_id=next(ids),
            look=int(rng.integers(2**31)),
        )
        vessels.append(replace(vessel, width_m=beam_of(vessel.length_m, rng)))
    return vessels
