"""Training worlds: small made-up ports over some dates, straight on a port's grid, with every vessel known.

Ships, structure and traffic are the simulator's; products are not written: brightness is painted in radar geometry
(affine here) and laid on the grid by the library's own interpolation, and the empty port is fitted by its own code. So
a world of one to three piers and 24 dates takes seconds. Two of three worlds have real ships (`chips.py`) wherever one
can be turned and stretched to the berth. A world is one `.npz` of frames; `examples.py` reads it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: small products of matrices gain nothing by threads

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage, special
from shapely import affinity
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry

from benchmarks.training.chips import HELD_OUT, RealShip, berthed, real_ships
from sarship.change.empty_level import fit_level
from sarship.change.reference import MIN_DATES_FOR_SPREAD
from sarship.model import Polarization
from sarship.port.grid import cells_within
from sarship.port.resample import interpolate_power
from sarship.simulate.params import MODES, ProductParams
from sarship.simulate.port_plan import Face, Pier, Place, Plan, jetty, quay
from sarship.simulate.quay_clutter import structure
from sarship.simulate.render import add_patch
from sarship.simulate.sea import flicker, land_block, sea_level, speckle, texture
from sarship.simulate.ships import Vessel, ship_patches
from sarship.simulate.traffic import schedule
from sarship.vessels.at_piers import lay_berths
from sarship.vessels.candidates import CELL_M
from sarship.vessels.frames import SUB, Frame

if TYPE_CHECKING:
    from sarship.simulate.grid import RadarGrid

__all__ = ["make_and_save", "make_world"]

Reals = NDArray[np.float64]
Power = NDArray[np.float32]
Rng = np.random.Generator

N_DATES: Final = 24
POLARIZATIONS: Final[tuple[Polarization, ...]] = ("VV", "VH")
MODE: Final = MODES["IW"]
EAST: Final = np.pi / 180 * 6378137.0
NORTH: Final = EAST * (1 - 6.69437999014e-3)
"""Metres of a degree where longitude and latitude are 0."""
BLOCK: Final = 256
MEDIAN: Final = 0.925
"""Median over mean of speckle of 4.4 looks: the library takes the sea's median for its level."""
SPOT: Final = np.outer([0.45, 1, 0.45], [0.45, 1, 0.45])
MARGIN: Final = 14
"""Pixels around a target that its sidelobes are drawn to; farther out they are under -40 dB: a third of the work."""


class Radar:
    """Affine radar geometry about longitude and latitude 0: lines along the flight, pixels along range, 10 m each."""

    def __init__(self, heading_deg: float, size: int) -> None:
        heading = np.radians(heading_deg)
        self.flight = np.array([np.sin(heading), np.cos(heading)])
        self.look = np.array([np.cos(heading), -np.sin(heading)])
        self.size = size

    def of_metres(self, east: Any, north: Any) -> tuple[Reals, Reals]:
        """Line and pixel of metres."""
        line, pixel = (
            self.size / 2 + (np.asarray(east) * axis[0] + np.asarray(north) * axis[1]) / MODE.spacing_m
            for axis in (self.flight, self.look)
        )
        return line, pixel

    def image(self, longitude: Any, latitude: Any) -> tuple[Reals, Reals]:
        """Line and pixel of degrees, as the simulator asks for them."""
        return self.of_metres(np.asarray(longitude, float) * EAST, np.asarray(latitude, float) * NORTH)

    def axis_deg(self, heading_deg: float) -> float:
        """Direction of a heading in the image, from pixels' towards lines'."""
        heading = np.radians(heading_deg)
        ahead = np.array([np.sin(heading), np.cos(heading)])
        return float(np.degrees(np.arctan2(ahead @ self.flight, ahead @ self.look)) % 180)


# ---- plans


def draw_plan(rng: Rng) -> Plan:
    """A shore with quays and jetties, or a mole where vessels lie with their sterns to it; turned by any angle."""
    plan = _mole(rng) if rng.random() < 0.4 else _shore(rng)
    middle = shapely.union_all([pier.geometry for pier in plan.piers]).centroid
    turn = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)

    def moved(xy: Any) -> Reals:
        d = np.asarray(xy, float).reshape(-1, 2) - (middle.x, middle.y)
        return np.stack([c * d[:, 0] - s * d[:, 1], s * d[:, 0] + c * d[:, 1]], -1)

    def face(one: Face) -> Face:
        start, stop = moved([one.start, one.stop]).tolist()
        return replace(one, start=tuple(start), stop=tuple(stop))

    piers = tuple(
        Pier(pier.name, shapely.transform(pier.geometry, moved), tuple(map(face, pier.faces))) for pier in plan.piers
    )
    land = {name: shapely.transform(ground, moved) for name, ground in plan.land.items()}
    shore, houses = land.get("Shore"), []
    for _ in range(int(rng.integers(0, 3))):
        spot, size = rng.uniform(-700, 700, 2), rng.uniform(50, 150, 2)
        house = box(*spot, *(spot + size))
        if shore is not None and shore.buffer(-25).contains(house):
            houses.append(house.bounds)
    return replace(plan, piers=piers, land=land, warehouses=tuple(houses))


def _plan(piers: Sequence[Pier], land: Mapping[str, Any]) -> Plan:
    far = box(5_000, 5_000, 6_000, 6_000)
    return Plan(piers=tuple(piers), land=land, anchorage=far, n_anchored=0.0, fairways=(far.bounds,), n_under_way=0.0)


def _traits(rng: Rng, *, boats: bool) -> dict[str, Any]:
    """What lies at a face, and how."""
    traits: dict[str, Any] = {
        "n_cranes": int(rng.integers(0, 7)) if rng.random() < 0.55 and not boats else 0,
        "has_cargo": bool(rng.random() < 0.35) and not boats,
        "stay": float(2.0 if rng.random() < 0.5 else rng.uniform(1.3, 6)),
        "rafting": 0.0 if rng.random() < 0.5 else float(rng.uniform(0.08, 0.5)),
        "max_abreast": int(rng.choice([2, 3, 3, 4, 7])),
        "max_vessels": int(rng.integers(8, 15)),
    }
    if boats:
        longest = float(rng.uniform(42, 70))
        return traits | {"usual_m": float(rng.uniform(24, 40)), "lengths_m": (20.0, longest), "stay": 3.0}
    shortest, longest = float(rng.choice([20, 25, 30, 40])), float(rng.choice([160, 180, 250, 250, 300]))
    traits |= {"usual_m": float(rng.uniform(60, 200)), "lengths_m": (shortest, longest)}
    if rng.random() < 0.2:
        apart = float(rng.uniform(8, 40))
        traits["apart_m"] = (apart, apart + float(rng.uniform(10, 50)))
    if rng.random() < 0.1:
        traits["laid_up_m"] = float(rng.uniform(70, 180))
    if rng.random() < 0.2:
        traits["stern_to"] = float(rng.uniform(0.2, 1.0))
    if rng.random() < 0.25:  # on their own anchors, with long lines ashore
        traits["stern_off_m"] = (5.0, float(rng.uniform(20, 90)))
    return traits


def _shore(rng: Rng) -> Plan:
    """One to two quays or jetties of a shore that runs north, the water in the west."""
    boats = rng.random() < 0.12
    kinds = ["jetty" if boats or rng.random() < 0.5 else "quay"]
    if rng.random() < 0.6:
        kinds.append("quay" if rng.random() < 0.6 else "jetty")
    piers: list[Pier] = []
    shore, x, y = [(0.0, -1_500.0)], 0.0, 0.0
    for number, kind in enumerate(kinds):
        small = boats and number == 0
        traits = _traits(rng, boats=small)
        busy = 0.0
        if rng.random() < 0.07:
            traits.pop("laid_up_m", None)
        else:
            busy = float(rng.uniform(0.08, 0.45) if kind == "jetty" else rng.uniform(0.12, 1.0))
        if kind == "quay":
            length = rng.uniform(450, 1_000)
            x2 = x + rng.normal(0, 0.25) * length
            y2 = y + np.sqrt(max(length**2 - (x2 - x) ** 2, 100.0))
            ahead = np.array([x2 - x, y2 - y]) / np.hypot(x2 - x, y2 - y)
            start, stop = (np.array([x, y]) + 8 * ahead, np.array([x2, y2]) - 8 * ahead)
            shore += [(x, y), (x2, y2)]
            piers.append(quay(f"P{number}", tuple(start.tolist()), tuple(stop.tolist()), busy, **traits))
            x, y = x2, y2
        else:
            gap = rng.uniform(180, 320)
            shore += [(x, y), (x, y + 2 * gap)]
            length = rng.uniform(180, 400) if small else rng.uniform(250, 850)
            width = rng.uniform(10, 22) if small else rng.uniform(12, 55)
            heading = float(270 + rng.normal(0, 22))
            piers.append(jetty(f"P{number}", (x, y + gap), heading, (float(length), float(width)), busy, **traits))
            y += 2 * gap
    shore += [(x, y + 1_500.0), (1_800.0, y + 1_500.0), (1_800.0, -1_500.0)]
    return _plan(piers, {"Shore": Polygon(shore)} | {p.name: p.geometry for p in piers if p.geometry.area > 0})


def _mole(rng: Rng) -> Plan:
    """A breakwater of one or two straight parts; vessels on its lee side, most with their sterns to it."""
    width = float(rng.uniform(14, 40))
    lengths = rng.uniform(250, 800, 1 if rng.random() < 0.65 else 2)
    bearings = np.cumsum([0.0, rng.choice([-1, 1]) * rng.uniform(15, 60)])[: len(lengths)]
    corners = [np.zeros(2)]
    for length, bearing in zip(lengths, np.radians(bearings), strict=True):
        corners.append(corners[-1] + length * np.array([np.sin(bearing), np.cos(bearing)]))
    axis = LineString(corners)
    ground = axis.buffer(width / 2, cap_style="square", join_style="mitre")
    traits = _traits(rng, boats=rng.random() < 0.1) | {"n_cranes": 0, "has_cargo": False}
    traits["stern_to"] = float(rng.choice([0.0, 0.5, 0.85, 1.0, 1.0]))
    traits["max_vessels"] = int(rng.integers(4, 14))
    traits["usual_m"] = min(traits["usual_m"], 140.0)
    busy = 0.0 if rng.random() < 0.07 else float(rng.uniform(0.04, 0.6))
    if busy == 0:
        traits.pop("laid_up_m", None)
    faces = []
    for start, stop in pairwise(corners):
        ahead = (stop - start) / np.hypot(*(stop - start))
        left = np.array([-ahead[1], ahead[0]]) * width / 2
        share = busy if rng.random() < 0.85 else 0.0
        begin, end = start + left + 15 * ahead, stop + left - 15 * ahead
        more = {key: value for key, value in traits.items() if share > 0 or key != "laid_up_m"}
        faces.append(Face(pier="P0", start=tuple(begin.tolist()), stop=tuple(end.tolist()), busy=share, **more))
    lee = axis.offset_curve(width / 2)
    shape = ground if rng.random() < 0.4 and len(lengths) == 1 else lee if rng.random() < 0.6 else axis
    land = {"Breakwater": ground}
    piers = [Pier("P0", shape, tuple(faces))]
    if rng.random() < 0.5:  # a quay across the basin
        off = float(rng.uniform(250, 700))
        one = _traits(rng, boats=False)
        one.pop("laid_up_m", None)
        piers.append(quay("P1", (-off, 0.0), (-off, float(rng.uniform(300, 800))), float(rng.uniform(0.1, 0.9)), **one))
        piers[-1] = Pier(
            "P1",
            piers[-1].geometry,
            (replace(piers[-1].faces[0], start=piers[-1].faces[0].stop, stop=piers[-1].faces[0].start),),
        )
        land["Shore"] = box(-off - 1_500, -1_500, -off, 2_000)
    return _plan(piers, land)


# ---- painting


class Truth(NamedTuple):
    """A vessel on the grid."""

    date: int
    x: float
    y: float
    length_m: float
    width_m: float
    heading_deg: float
    is_rafted: bool


@dataclass(frozen=True, eq=False)
class Painted:
    """All dates of a world on its grid, by polarisation."""

    power: dict[str, Power]
    """(date, y, x)."""
    sea: dict[str, Reals]
    """Level of the sea by date, as the library would measure it."""
    truth: list[Truth]
    radar: Radar


Patches = list[tuple[int, int, Mapping[str, Power]]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenery:
    """All of a world that stays from date to date; drawn by `draw_scenery`."""

    plan: Plan
    seed: int
    size: int
    """Cells of the grid along each side."""
    radar: Radar
    params: ProductParams
    ashore: NDArray[np.bool_]
    plain: Power
    strong: Power
    grain: list[Power]
    order: float
    noise: Mapping[Polarization, float]
    louder_db: float
    jitter: float
    has_skirts: bool
    has_gear: bool
    windiest: float
    sources: Reals
    """Lines and pixels of what has sidelobes over the whole basin."""

    def tiled(self, block: Power, shift: NDArray[np.int64] | None = None) -> Power:
        """A periodic block over the whole image."""
        n = self.radar.size
        shifted = block if shift is None else np.roll(block, tuple(shift.tolist()), (0, 1))
        return np.tile(shifted, (n // BLOCK + 1, n // BLOCK + 1))[:n, :n]


def draw_scenery(plan: Plan, seed: int, size: int, rng: Rng) -> Scenery:
    """Radar, ground, and how windy, noisy and crowded with other things it is."""
    ascending = rng.random() < 0.5
    incidence = float(rng.uniform(30, 45))
    n = int(np.ceil(size * 1.28)) + 8
    radar = Radar((-11.9 if ascending else 191.9) + rng.normal(0, 1.5), n)
    ground = shapely.union_all(list(plan.land.values()))
    plain, strong = land_block(BLOCK, MODE, np.random.default_rng([seed, 7003]))
    return Scenery(
        plan=plan,
        seed=seed,
        size=size,
        radar=radar,
        params=ProductParams(incidence_deg=incidence, orbit_pass="ascending" if ascending else "descending"),
        ashore=cells_within(
            shapely.transform(ground, lambda xy: np.stack(radar.of_metres(xy[:, 0], xy[:, 1])[::-1], -1)), (n, n)
        ),
        plain=plain,
        strong=strong,
        grain=[speckle((BLOCK, BLOCK), MODE, np.random.default_rng([seed, 7004, k])) for k in range(4)],
        order=float(rng.choice([40, 40, 12, 6])),
        noise={"VV": 10 ** (-2.55 + rng.normal(0, 0.15)), "VH": 10 ** (-2.5 + rng.normal(0, 0.15))},
        louder_db=float(rng.choice([0, 0, 0, 2, 4])),
        jitter=float(rng.choice([0.05, 0.15, 0.3])),
        has_skirts=bool(rng.random() < 0.6),
        has_gear=bool(rng.random() < 0.5),
        windiest=float(rng.uniform(8, 15)),
        sources=rng.uniform(-0.6, 0.6, (int(rng.choice([0, 0, 1, 2, 3])), 2)) * n + n / 2,
    )


def paint(plan: Plan, seed: int, ships: tuple[RealShip, ...], size: int) -> Painted:
    """Brightness of every date. `ships` are real ones to take where they fit."""
    rng = np.random.default_rng([seed, 7002])
    here = draw_scenery(plan, seed, size, rng)
    row, column = np.mgrid[:size, :size]
    line, pixel = here.radar.of_metres((column + 0.5 - size / 2) * CELL_M, -(row + 0.5 - size / 2) * CELL_M)
    power: dict[str, list[Power]] = {"VV": [], "VH": []}
    sea: dict[str, list[float]] = {"VV": [], "VH": []}
    truth: list[Truth] = []
    dates = schedule(plan, Place(0.0, 0.0), N_DATES, 50_000 + seed, float(rng.uniform(0.7, 1.2)))
    for date, vessels in enumerate(dates):
        today = np.random.default_rng([seed, 7005, date])
        truth += [_true(here, date, vessel) for vessel in vessels]
        patches = (
            _ships(here, vessels, ships, today) + _built(here, date) + (_gear(here, today) if here.has_gear else [])
        )
        wind = float(today.uniform(2.0, here.windiest))
        steady = here.tiled(here.strong * flicker(here.strong.shape, today))
        waves = here.tiled(texture((BLOCK, BLOCK), here.order, 4.0, today), today.integers(0, BLOCK, 2))
        off = today.normal(0, here.jitter, 2)
        crosses = _crosses(here.sources, here.radar.size, today)
        for p in POLARIZATIONS:
            level, share = float(sea_level(p, here.params.incidence_deg, wind)), 0.2 if p == "VH" else 1.0
            image = np.where(here.ashore, share * here.tiled(here.plain), level * waves) + here.noise[p]
            image *= here.tiled(here.grain[today.integers(4)], today.integers(0, BLOCK, 2))
            image[here.ashore] += share * steady[here.ashore]
            image += share * level * crosses
            for top, left, sigma0 in patches:
                add_patch(image, sigma0[p], top, left)
            gridded = interpolate_power(image.astype(np.float32), line + off[0], (pixel + off[1])[None], np.empty(0))
            power[p].append(gridded)
            sea[p].append(MEDIAN * (level + here.noise[p]))
    every = {p: np.stack(dates_of) for p, dates_of in power.items()}
    return Painted(every, {p: np.array(levels) for p, levels in sea.items()}, truth, here.radar)


def _true(here: Scenery, date: int, vessel: Vessel) -> Truth:
    x = here.size / 2 + vessel.longitude * EAST / CELL_M - 0.5
    y = here.size / 2 - vessel.latitude * NORTH / CELL_M - 0.5
    return Truth(date, x, y, vessel.length_m, vessel.beam_m, vessel.heading_deg, vessel.is_rafted)


def _ships(here: Scenery, vessels: Sequence[Vessel], ships: tuple[RealShip, ...], today: Rng) -> Patches:
    """Real ships where one fits, simulated ones elsewhere."""
    patches: Patches = []
    simulated = []
    for vessel in vessels:
        line, pixel = here.radar.image(vessel.longitude, vessel.latitude)
        axis = here.radar.axis_deg(vessel.heading_deg)
        chip = berthed(ships, vessel.length_m, axis, (float(line), float(pixel)), vessel.look or 0)
        if chip is None:
            simulated.append(vessel)
        else:
            flick = np.float32(10 ** (today.normal(0, 1.0) / 10))
            patches.append((chip[1], chip[2], {"VV": chip[0][0] * flick, "VH": chip[0][1] * flick}))
    drawn, _ = ship_patches(
        simulated,
        here.radar.image,
        lambda lon, _lat: np.full(np.shape(lon), here.params.incidence_deg),
        POLARIZATIONS,
        mode=MODE,
        rng=today,
        orbit=1 + (here.params.orbit_pass == "ascending"),
        margin=MARGIN,
    )
    for patch in drawn:
        sigma0 = {p: _with_skirt(each, today) for p, each in patch.sigma0.items()} if here.has_skirts else patch.sigma0
        patches.append((patch.line, patch.pixel, cast("Mapping[str, Power]", sigma0)))
    return patches


def _built(here: Scenery, date: int) -> Patches:
    grid = cast("RadarGrid", here.radar)  # only its `image` is asked for
    built = structure(
        here.plan,
        Place(0.0, 0.0),
        grid,
        here.params,
        date=date,
        seed=here.seed,
        louder_db=here.louder_db,
        margin=MARGIN,
    )
    return [(patch.line, patch.pixel, cast("Mapping[str, Power]", patch.sigma0)) for patch in built]


def _gear(here: Scenery, today: Rng) -> Patches:
    """Loads, gangways and floats that reach over the water's edge."""
    patches: Patches = []
    for face in here.plan.faces:
        for _ in range(today.poisson(0.5)):
            spot = face.at(today.uniform(0, face.length_m), today.uniform(-30, 25))[0]
            line, pixel = here.radar.of_metres(*spot)
            power = (10 ** (today.uniform(2, 14) / 10) * SPOT * here.grain[0][:3, :3]).astype(np.float32)
            weak = np.float32(10 ** (today.normal(-9, 2) / 10))
            patches.append((int(line) - 1, int(pixel) - 1, {"VV": power, "VH": power * weak}))
    return patches


def _with_skirt(patch: Power, rng: Rng) -> Power:
    """A simulated ship's power spread as far as real ships' is: six cells broad where it is bright."""
    near = ndimage.gaussian_filter(patch, rng.uniform(0.2, 1.0))
    wide = ndimage.gaussian_filter(patch, rng.uniform(1.5, 3.5))
    share = np.float32(10 ** rng.uniform(-2.5, -0.7))
    return np.asarray((1 - share) * near + share * wide, np.float32)


def _crosses(sources: Reals, size: int, rng: Rng) -> Power:
    """Sidelobes of quay cranes and the like that run over a whole basin, along range and azimuth, over the sea's."""
    out = np.zeros((size, size), np.float32)
    cells = np.arange(size)
    for source in sources:
        for axis in (0, 1):
            across, along = np.abs(cells - source[axis]), np.abs(cells - source[1 - axis])
            level = 10 ** (rng.normal(4, 4) / 10)
            line = np.exp(-0.5 * (across / rng.uniform(0.6, 1.5)) ** 2)
            fall = level / (1 + along / rng.uniform(30, 100)) * rng.lognormal(0, 0.3, size)
            out += (np.outer(line, fall) if axis == 0 else np.outer(fall, line)).astype(np.float32)
    return out


# ---- worlds


def make_world(seed: int, *, held_out: str = HELD_OUT, real: float = 0.67) -> list[dict[str, Any]]:
    """Every frame of one world, as arrays: `FrameMaps` over its dates, and the vessels.

    Parameters
    ----------
    seed
        Decides everything.
    held_out
        Date of the scene whose ships are left out.
    real
        Share of the worlds that have real ships.
    """
    rng = np.random.default_rng([seed, 7001])
    plan = draw_plan(rng)
    has_real = rng.random() < real
    ships = real_ships(held_out) if has_real else ()
    reach_m = max(float(np.abs(shapely.get_coordinates(pier.geometry)).max()) for pier in plan.piers)
    size = int(2 * np.ceil(reach_m / CELL_M + 22))
    painted = paint(plan, seed, ships, size)
    n_references = int(rng.choice([4, 5, 6, 8, 10, 12, 16, 20]))
    chosen = np.sort(rng.choice(N_DATES, n_references, replace=False))
    level, spread, today = _reference(painted, chosen)

    def to_cells(xy: Reals) -> Reals:
        return np.stack([size / 2 + xy[:, 0] / CELL_M - 0.5, size / 2 - xy[:, 1] / CELL_M - 0.5], -1)

    piers, reach = _as_drawn(plan, to_cells, rng)
    ground = shapely.union_all(list(plan.land.values()))
    margin = float(rng.choice([-5.0, 5.0, 5.0, 15.0, 25.0]))
    land = cells_within(shapely.transform(ground.buffer(margin, join_style="mitre"), to_cells), (size, size))
    look = np.array([painted.radar.look[0], -painted.radar.look[1]])
    raw = {p: np.log(np.maximum(painted.power[p], 1e-9) / painted.sea[p][:, None, None]) for p in ("VV", "VH")}
    out = []
    for berth in lay_berths(tuple(piers), (CELL_M * reach,) * len(piers)):
        frame = berth.frame
        if not berth.own.any():
            continue
        out.append(
            {
                "raw": np.stack([[frame.sample(raw[p][date], SUB) for p in raw] for date in range(N_DATES)]).astype(
                    "f2"
                ),
                "level": np.stack([frame.sample(level[p], SUB) for p in raw]).astype("f2"),
                "spread": frame.sample(spread).astype("f2"),
                "today": today.astype("f4"),
                "near": berth.near.astype("f2"),
                "far": berth.far.astype("f2"),
                "land": frame.sample(land).astype("f2"),
                "own": berth.own,
                "look": np.array([look @ frame.along, look @ frame.across], "f4"),
                "truth": _in_frame(painted.truth, frame),
                "is_real": has_real,
            }
        )
    return out


def _reference(painted: Painted, chosen: NDArray[np.int64]) -> tuple[dict[str, Power], Power, Reals]:
    """Ln of the empty level over the sea by polarisation, spread in VV, and each date's sea over the reference's."""
    level, ratio, spread = {}, [], np.empty(0, np.float32)
    speckle = float(np.sqrt(special.polygamma(1, 4.3)))
    for p in ("VV", "VH"):
        sea = painted.sea[p]
        base = float(np.exp(np.median(np.log(sea[chosen]))))
        found, own, _ = fit_level(list(painted.power[p][chosen]), sea[chosen], base, speckle, MIN_DATES_FOR_SPREAD)
        level[p] = np.log(found / base).astype(np.float32)
        ratio.append(sea / base)
        if p == "VV":
            spread = own
    return level, spread, np.stack(ratio, -1)


def _as_drawn(plan: Plan, to_cells: Any, rng: Rng) -> tuple[list[BaseGeometry], float]:
    """Piers as analysts draw them, in cells, and the reach of their waters.

    Most draw the edge, a little off; some the pier and the water around it, some the basin in front of a quay or mole.
    """
    style = rng.random()
    if style < 0.2:
        wide = float(rng.uniform(4, 9))
        edges = [shapely.minimum_rotated_rectangle(shapely.transform(p.geometry, to_cells)) for p in plan.piers]
        return [edge.buffer(wide, cap_style="square", join_style="mitre") for edge in edges], 3.0
    if style < 0.4 and all(len(pier.faces) == 1 for pier in plan.piers):
        return [_basin(pier.faces[0], to_cells, rng) for pier in plan.piers], float(rng.choice([1.0, 3.0, 6.0]))
    off = float(rng.choice([0.3, 0.3, 0.8, 1.5]))
    edges = [shapely.transform(pier.geometry, to_cells) for pier in plan.piers]
    return [affinity.translate(edge, *rng.normal(0, off, 2)) for edge in edges], 6.0


def _basin(face: Face, to_cells: Any, rng: Rng) -> BaseGeometry:
    """The water before a face, as far as somebody drew it."""
    off = np.array([rng.uniform(-30, 15), rng.uniform(-30, 15), rng.uniform(80, 350), rng.uniform(80, 350)])
    ends = np.array([rng.uniform(-40, 40), face.length_m + rng.uniform(-40, 40)])
    corners = face.at(ends[[0, 1, 1, 0]], off)
    return Polygon(to_cells(corners))


def _in_frame(truth: Sequence[Truth], frame: Frame) -> NDArray[np.float32]:
    """Rows of date, cells along and across, length, width, angle from the frame's axis, rafted."""
    rows = np.array(truth, float).reshape(-1, len(Truth._fields))
    u, v = frame.to_frame(rows[:, 1], rows[:, 2])
    heading = np.radians(rows[:, 5])
    ahead = np.stack([np.sin(heading), -np.cos(heading)], -1)
    angle = np.arctan2(ahead @ frame.across, ahead @ frame.along)
    inside = (u > -1) & (u < frame.shape[0]) & (v > -1) & (v < frame.shape[1])
    columns = [rows[:, 0], u, v, rows[:, 3], rows[:, 4], angle, rows[:, 6]]
    return np.stack(columns, -1)[inside].astype(np.float32)


def save_world(path: Path, frames: Sequence[Mapping[str, Any]]) -> None:
    """Write a world; whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **{f"{k}_{name}": value for k, frame in enumerate(frames) for name, value in frame.items()})
    part.replace(path)


def make_and_save(folder: Path, seed: int, held_out: str = HELD_OUT) -> None:
    """Make a world, unless it is there."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        save_world(path, make_world(seed, held_out=held_out))
