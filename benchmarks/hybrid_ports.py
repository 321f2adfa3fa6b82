"""How well real ships at piers are counted: chips of one scene berthed in ports of a real product's raster.

    python -m benchmarks.hybrid_ports [--scene 20161018] [--write] [--picture FILE]

Geometry, calibration and noise are those of two 12-day repeats over Palau, whose metadata are in `$SARSHIP_DATA/safe`;
digital numbers are painted by the simulator and read back as a product's. The ships are real (`training/chips.py`), of
a scene that nothing was learned from, at their own length. Plans and traffic are this benchmark's own: no code that the
training worlds draw theirs with. Rivals have, for each kind of port, the settings that are best on these very dates:
those of the least error of the count, and those of the best F1.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: small products of matrices gain nothing by threads

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import lru_cache, partial
from itertools import product as every
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from shapely.affinity import rotate
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry

from benchmarks.opensarship import DATA
from benchmarks.pages import ROOT, write_between
from benchmarks.port_accuracy import N_COUNTED, USUAL, Case, reference_of, told_apart
from benchmarks.port_scores import counts_of, matched
from benchmarks.training.chips import HELD_OUT, MAX_TURN_DEG, RealShip, berthed, real_ships
from sarship import cfar, schema
from sarship.change.detection import detect_change, port_masks
from sarship.counts.passes import are_counted
from sarship.detection.params import DetectionParams
from sarship.errors import ProductWarning
from sarship.model import Polarization, Window
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import Port
from sarship.port.stack import SCALARS
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.simulate.params import MODES, ProductParams
from sarship.simulate.port_plan import Face, Pier, Place, Plan
from sarship.simulate.quay_clutter import structure
from sarship.simulate.render import Canvas, Land, paint
from sarship.simulate.sea import sea_level
from sarship.simulate.ships import Patch
from sarship.vessels.assign import assign_piers
from sarship.vessels.flags import flag_lasting
from sarship.vessels.network import Network

Power = NDArray[np.float32]
Numbers = NDArray[np.uint16]
Rng = np.random.Generator
Settings = tuple[float, float]

REPEATS: Final = "S1A_IW_GRDH_1SDV_2022*.SAFE"
BOTH: Final[tuple[Polarization, ...]] = ("VV", "VH")
MODE: Final = MODES["IW"]
N_REFERENCES: Final = USUAL
N_PORTS: Final = 4
REACH_M: Final = 60.0
LAND_OVER_M: Final = 5.0
"""Distance that the port file's land reaches over the water's edge."""
OFFSET: Final = 0.1
"""Deviation of a date's place, in lines and pixels."""
FLICKER_DB: Final = 1.0
"""Deviation of a ship's brightness from date to date."""
RIM: Final = 40
"""Pixels painted around the grid."""
MIN_CELLS: Final = 3
"""Cells of the smallest component that a rival takes for a vessel."""


# ---- ports: metres about the shore's root, before they are turned


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A face, the water on its left, and how ships lie at it."""

    pier: str
    line: LineString
    lengths_m: tuple[float, float]
    gaps_m: tuple[float, float]
    """Between neighbours along the edge."""
    most: int
    """Ships at a time."""
    abreast: int = 1
    is_stern_to: bool = False
    traits: Mapping[str, Any] = field(default_factory=dict)
    """Of `Face`."""

    @property
    def face(self) -> Face:
        """The same for the simulator."""
        start, stop = ((float(x), float(y)) for x, y in self.line.coords)
        return Face(pier=self.pier, start=start, stop=stop, busy=0.5, **self.traits)

    @property
    def heading_deg(self) -> float:
        """Of its ships, in [0, 180)."""
        return (self.face.heading_deg - (90 if self.is_stern_to else 0)) % 180

    def half(self, ship: RealShip) -> float:
        """Half of what a ship takes of the edge."""
        return (ship.width_m if self.is_stern_to else ship.length_m) / 2


Ground = dict[str, Polygon]


def _line(*points: Any) -> LineString:
    return LineString(np.array(points, float))


def _shortened(start: Any, stop: Any, before_m: float, after_m: float) -> LineString:
    line = _line(start, stop)
    return _line(*(line.interpolate(place).coords[0] for place in (before_m, line.length - after_m)))


def alongside(rng: Rng) -> tuple[list[Edge], Ground]:
    """A quay of a shore that runs north, the water in the west, and a jetty with a berth on either side."""
    length, out, half = rng.uniform(650, 950), rng.uniform(330, 480), rng.uniform(9, 20)
    root = length + rng.uniform(200, 320)
    cranes = {"n_cranes": int(rng.integers(0, 5)), "has_cargo": bool(rng.random() < 0.5)}
    edge = partial(Edge, lengths_m=(50, 260), gaps_m=(8, 30))
    sides = [_line((-25, root + side), (-out, root + side)) for side in (-half, half)]
    edges = [
        edge(pier="Quay", line=_line((0, 0), (0, length)), most=6, traits=cranes),
        edge(pier="Jetty, south", line=sides[0], most=3),
        edge(pier="Jetty, north", line=sides[1].reverse(), most=3),
    ]
    return edges, {"Shore": box(0, -2_000, 2_000, root + 2_000), "Jetty": box(-out, root - half, 30, root + half)}


def stern_to_moles(rng: Rng) -> tuple[list[Edge], Ground]:
    """A breakwater of two arms that shelters the water north of it, between itself and the shore in the east."""
    half, turn = rng.uniform(8, 15), np.radians(rng.uniform(25, 60))
    bend = np.array([-rng.uniform(520, 720), 0.0])
    tip = bend + rng.uniform(450, 620) * np.array([-np.cos(turn), np.sin(turn)])
    axis = _line((30, 0), bend, tip)
    lee = list(axis.offset_curve(-half, join_style="mitre").coords)
    edge = partial(Edge, lengths_m=(50, 200), gaps_m=(2, 15), most=8, is_stern_to=True)
    edges = [  # clear of the shore and of the corner
        edge(pier="Inner arm", line=_shortened(lee[1], lee[0], 120, 50)),
        edge(pier="Outer arm", line=_shortened(lee[2], lee[1], 5, 120)),
    ]
    mole = axis.buffer(half, cap_style="flat", join_style="mitre")
    return edges, {"Shore": box(0, -2_500, 2_000, 2_500), "Breakwater": mole}


def rafts(rng: Rng) -> tuple[list[Edge], Ground]:
    """Two quays of a shore that turns away from the water between them."""
    turn, bend = np.radians(rng.uniform(10, 40)), np.array([0.0, rng.uniform(400, 600)])
    stop = bend + rng.uniform(400, 600) * np.array([np.sin(turn), np.cos(turn)])
    lines = _shortened((0, 0), bend, 0, 30), _shortened(bend, stop, 30, 0)
    edge = partial(Edge, lengths_m=(50, 160), gaps_m=(15, 40), most=9, abreast=4)
    edges = [
        edge(pier=name, line=line, traits={"n_cranes": int(rng.integers(0, 3))})
        for name, line in zip(("South quay", "North quay"), lines, strict=True)
    ]
    far = stop[1] + 2_000
    shore = _line((0, -2_000), (0, 0), bend, stop, (stop[0], far), (2_500, far), (2_500, -2_000))
    return edges, {"Shore": Polygon(shore)}


KINDS: Final = {"alongside": alongside, "stern-to moles": stern_to_moles, "rafts": rafts}


class Visit(NamedTuple):
    """A ship at an edge until a date; those of one raft have `raft` in common, the innermost first in their list."""

    ship: RealShip
    along_m: float
    until: int
    key: int
    raft: int
    fender_m: float


def visits_of(edge: Edge, ships: Sequence[RealShip], rng: Rng) -> Iterator[list[Visit]]:
    """Ships at an edge, date by date; each stays for one to four dates."""
    present: list[Visit] = []
    for date in range(N_REFERENCES + N_COUNTED):
        present = [visit for visit in present if visit.until >= date]
        wanted = rng.integers(1, edge.most + 1) if rng.random() < 0.88 else 0
        for _ in range(60):
            ship, key = ships[int(rng.integers(len(ships)))], int(rng.integers(1 << 31))
            place = _room(edge, ship, present, rng)
            if len(present) < wanted and place is not None and all(visit.ship is not ship for visit in present):
                raft = key if place[1] is None else place[1]
                present.append(Visit(ship, place[0], date + int(rng.integers(4)), key, raft, rng.uniform(1.5, 4)))
        yield list(present)


def _room(edge: Edge, ship: RealShip, present: Sequence[Visit], rng: Rng) -> tuple[float, int | None] | None:
    """A place along the edge, and the raft if it lies in one; None if there is no room at the place that was drawn."""
    gap, raft, along = rng.uniform(*edge.gaps_m), None, rng.uniform(0, edge.line.length)
    other = present[int(rng.integers(len(present)))] if present and rng.random() < 0.75 else None
    if other is not None and edge.abreast > 1:
        raft = other.raft
        inboard = [visit for visit in present if visit.raft == raft]
        along = inboard[0].along_m + rng.normal(0, 0.04) * ship.length_m
        axis_m = sum(visit.ship.width_m + 4 for visit in inboard) + 4 + ship.width_m / 2
        unlike = abs(np.log(ship.length_m / inboard[-1].ship.length_m)) > 0.35
        if len(inboard) >= edge.abreast or axis_m > REACH_M or unlike:
            return None
    elif other is not None:
        along = other.along_m + rng.choice([-1, 1]) * (edge.half(other.ship) + edge.half(ship) + gap)
    apart = [abs(v.along_m - along) - edge.half(v.ship) - edge.half(ship) for v in present if v.raft != raft]
    is_free = min(apart, default=gap) >= gap - 1e-6
    return (along, raft) if is_free and edge.half(ship) <= along <= edge.line.length - edge.half(ship) else None


def truth_of(edge: Edge, visits: Sequence[Visit], place: Place) -> list[dict[str, Any]]:
    """Rows of the truth, in the order of the visits."""
    inboard: dict[int, float] = {}
    rows = []
    for visit in visits:
        ship, inner = visit.ship, inboard.get(visit.raft, 0.0) + visit.fender_m
        inboard[visit.raft] = inner + ship.width_m
        off = inner + (2 + ship.length_m / 2 if edge.is_stern_to else ship.width_m / 2)
        spot = shapely.Point(place.points(edge.face.at(visit.along_m, off))[0])
        row = {"pier": edge.pier, "length_m": ship.length_m, "width_m": ship.width_m, "heading_deg": edge.heading_deg}
        rows.append(row | {"is_rafted": [v.raft for v in visits].count(visit.raft) > 1, "geometry": spot})
    return rows


# ---- products


@dataclass(frozen=True, eq=False, kw_only=True)
class PaintedProduct(GrdProduct):
    """A real product whose measurement is a painted window."""

    painted: Mapping[str, Numbers] = field(repr=False)
    corner: tuple[int, int]
    """Line and pixel at which the window begins."""

    def bands(
        self,
        polarization: str,
        window: Window | None = None,
        n_lines: int = 2048,
        halo: int = 0,
        within: BaseGeometry | None = None,
    ) -> Iterator[tuple[Window, Numbers, Window]]:
        """A window inside the painted one, in one band."""
        assert window is not None
        top, left = window.line_start - self.corner[0], window.pixel_start - self.corner[1]
        yield window, self.painted[polarization][top:, left:][: window.shape[0], : window.shape[1]], window


@dataclass(frozen=True, eq=False)
class Raster:
    """A window of a product's raster, displaced by a part of a line and pixel."""

    product: GrdProduct
    corner: tuple[int, int] = (0, 0)
    off: tuple[float, float] = (0.0, 0.0)

    def image(self, longitude: Any, latitude: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Line and pixel in the window."""
        line, pixel = self.product.geometry.to_image(longitude, latitude)
        return line - self.corner[0] + self.off[0], pixel - self.corner[1] + self.off[1]

    def axis_deg(self, place: Place, heading_deg: float) -> float:
        """Direction of a heading at a place, from pixels' towards lines', in [0, 180)."""
        heading = np.radians(heading_deg)
        ends = place.points(100 * np.outer([-1, 1], [np.sin(heading), np.cos(heading)]))
        line, pixel = (np.diff(each)[0] for each in self.image(*ends.T))
        return float(np.degrees(np.arctan2(line, pixel)) % 180)


@lru_cache(maxsize=1)
def repeats() -> tuple[GrdProduct, ...]:
    """The two repeats, without measurements."""
    with warnings.catch_warnings(action="ignore", category=ProductWarning):
        return tuple(open_grd(path) for path in sorted((DATA.parent / "safe").glob(REPEATS)))


def paint_date(
    plan: Plan, place: Place, grid: PortGrid, ships: Sequence[tuple[Visit, dict[str, Any]]], key: tuple[int, int]
) -> tuple[PaintedProduct, float]:
    """The product of a date, and its wind; `key` is the port's seed and the date's number."""
    seed, date = key
    rng = np.random.default_rng([seed, 8102, date])
    product = repeats()[date % 2]
    bottom_right = np.array(grid.shape) - 1
    corners = product.geometry.to_image(*grid.to_map(*np.array(list(every((0, 1), (0, 1)))).T * bottom_right[:, None]))
    top, left = (int(each.min()) - RIM for each in corners)
    n_lines, n_pixels = (int(np.ptp(each)) + 2 * RIM for each in corners)
    raster = Raster(product, (top, left), (rng.normal(0, OFFSET), rng.normal(0, OFFSET)))
    centre = np.array([float(each) for each in raster.image(place.longitude, place.latitude)])
    incidence = float(product.geometry.incidence_deg(*(centre + raster.corner)))
    wind = float(rng.uniform(3, 12))
    params = ProductParams(incidence_deg=incidence, orbit_pass="descending", absolute_orbit=45_268)
    patches = structure(plan, place, cast("Any", raster), params, date=date, seed=seed)
    for visit, row in ships:
        line, pixel = (float(each) for each in raster.image(row["geometry"].x, row["geometry"].y))
        axis = raster.axis_deg(place, row["heading_deg"])
        laid = berthed((visit.ship,), visit.ship.length_m, axis, (line, pixel), visit.key)
        assert laid is not None
        power = laid[0] * np.float32(10 ** (rng.normal(0, FLICKER_DB) / 10))
        patches.append(Patch(laid[1], laid[2], dict(zip(BOTH, power, strict=True))))
    land = place.degrees(shapely.union_all(list(plan.land.values())))
    ground = shapely.transform(land, lambda xy: np.stack(raster.image(*xy.T)[::-1], -1))

    def whole(part: Window) -> Window:
        return Window(part.line_start + top, part.line_stop + top, part.pixel_start + left, part.pixel_stop + left)

    noises = {p: product.noise(p) for p in BOTH}
    canvas = Canvas(
        shape=(n_lines, n_pixels),
        mode=MODE,
        gain=lambda p, part: product.calibration(p).gain("sigma0", whole(part)),
        noise=lambda p, part: cast("Any", noises[p]).power(whole(part)),
        sea={p: np.full(n_pixels, sea_level(p, incidence, wind), np.float32) for p in BOTH},
        texture_order=10.0,
        land=Land.make(ground, MODE, (seed, 8103), date, tuple(512 - centre)),
        patches=patches,
    )
    painted: dict[str, Numbers] = {p: next(paint(canvas, p, (seed, date, k)))[1] for k, p in enumerate(BOTH)}
    first = repeats()[0].scene
    later = timedelta(days=12 * date, seconds=rng.normal(0, 1))
    scene = replace(product.scene, id=f"{first.id[:-4]}{date:04d}", start=first.start + later, stop=first.stop + later)
    given = {one.name: getattr(product, one.name) for one in fields(GrdProduct)}
    given |= {"scene": scene, "polarizations": BOTH, "problems": {}}
    return PaintedProduct(**given, painted=painted, corner=(top, left)), wind


@dataclass(frozen=True, eq=False, kw_only=True)
class HybridCase(Case):
    """One port: its dates on its grid, and its true vessels with `is_rafted` and `width_m`."""

    kind: str
    shore: BaseGeometry
    """True land, to the water's edge."""


def make_case(kind: str, number: int, ships: Sequence[RealShip]) -> HybridCase:
    """A port by its kind and number."""
    seed = 100 * list(KINDS).index(kind) + number
    rng = np.random.default_rng([seed, 8101])
    raster = Raster(repeats()[0])
    middle = raster.product.geometry.to_map(*rng.uniform((3_000, 3_000), (16_000, 22_000)))
    place = Place(float(middle[0]), float(middle[1]))
    edges, ground = KINDS[kind](rng)
    for turn in rng.uniform(0, 360, 200):  # as the chips' directions have it
        faces = [replace(edge, line=rotate(edge.line, turn, (0, 0))) for edge in edges]
        pools = [_fitting(edge, raster.axis_deg(place, edge.heading_deg), ships) for edge in faces]
        if min(map(len, pools)) >= min(8, len(ships) / 6):
            break
    plan = Plan(
        piers=tuple(Pier(edge.pier, edge.line, (edge.face,)) for edge in faces),
        land={name: rotate(part, turn, (0, 0)) for name, part in ground.items()},
        anchorage=box(9_000, 9_000, 9_100, 9_100),
        n_anchored=0,
        fairways=(),
        n_under_way=0,
    )
    land = shapely.union_all(list(plan.land.values()))
    drawn = place.degrees(land.buffer(LAND_OVER_M, join_style="mitre"))
    columns = {"name": [edge.pier for edge in faces], "kind": "pier", "max_distance_m": REACH_M}
    piers = gpd.GeoDataFrame(columns, geometry=[place.degrees(edge.line) for edge in faces], crs=schema.WGS84)
    port = Port(name=f"{kind} {number}", piers=piers, land=drawn)
    grid = PortGrid.around(port.area)
    products, rows = [], []
    traffic = [visits_of(edge, pool, rng) for edge, pool in zip(faces, pools, strict=True)]
    for date, visits in enumerate(zip(*traffic, strict=True)):
        moored = [
            pair
            for edge, those in zip(faces, visits, strict=True)
            for pair in zip(those, truth_of(edge, those, place), strict=True)
        ]
        product, wind = paint_date(plan, place, grid, moored, (seed, date))
        products.append(product)
        rows += [row | {"scene": product.scene.id, "wind_m_s": wind} for _, row in moored]
    images = [to_port_grid(product, grid) for product in products]
    cube = xr.concat([image.reset_coords(drop=True) for image in images], "time")  # as `read_stack` has it
    along = {name: ("time", [image[name].to_numpy() for image in images]) for name in ("time", *SCALARS)}
    return HybridCase(
        seed=seed,
        port=port,
        stack=cube.assign_coords(along).to_dataset(name="sigma0").assign_attrs(grid.attrs),
        products=products,
        masks=port_masks(grid, piers=piers.union_all(), land=drawn),
        truth=gpd.GeoDataFrame(rows, crs=schema.WGS84),
        kind=kind,
        shore=place.degrees(land),
    )


def _fitting(edge: Edge, axis_deg: float, ships: Sequence[RealShip]) -> list[RealShip]:
    """Ships that can lie in that direction."""
    low, high = edge.lengths_m
    turn = [abs((ship.axis_deg - axis_deg + 90) % 180 - 90) for ship in ships]
    return [s for s, off in zip(ships, turn, strict=True) if off < MAX_TURN_DEG - 1 and low <= s.length_m <= high]


# ---- the ways; each gives a table of vessels with piers for one date of a case


Way = Callable[[HybridCase, int], gpd.GeoDataFrame]
Rival = Callable[..., gpd.GeoDataFrame]


def network(
    case: HybridCase, date: int, *, has_reference: bool = True, weights: Network | None = None
) -> gpd.GeoDataFrame:
    """The learned model, the library's unless told, over the reference dates' empty port or by the date alone."""
    return told_apart(case, date, reference_of(case, N_REFERENCES) if has_reference else None, network=weights)


def boxes(case: HybridCase, date: int) -> gpd.GeoDataFrame:
    """Hits over the empty port, each group of them one vessel."""
    hits, seen = detect_change(case.image(date), case.products[date], reference_of(case, N_REFERENCES), case.masks)
    return case.vessels(hits, seen)


def fixed(case: HybridCase, date: int, settings: Settings) -> gpd.GeoDataFrame:
    """(a) A threshold on VV in dB, and the distance that the land mask reaches over the water's edge."""
    return _components(case, date, case.image(date).to_numpy()[0] > 10 ** (settings[0] / 10), settings[1])


def ring(case: HybridCase, date: int, settings: Settings) -> gpd.GeoDataFrame:
    """(b) A ring in both polarisations, the true land masked: false-alarm rate, and that distance."""
    params = DetectionParams(pfa=settings[0] / len(BOTH))
    one = params.for_image((10.0, 10.0), enl=MODE.enl, effective_sample_ratio=100 / math.prod(MODE.resolution_m))
    scores = [cfar.score(power, one, ~_ashore(case, settings[1])) for power in case.image(date).to_numpy()]
    return _components(case, date, np.fmax(*scores) > 1, settings[1])


def quantile(case: HybridCase, date: int, settings: Settings) -> gpd.GeoDataFrame:
    """(c) VV over a quantile of the reference dates, both averaged over three by three cells, and the factor in dB."""
    now = ndimage.uniform_filter(case.image(date).to_numpy()[0], 3)
    return _components(case, date, now > _low(case, settings[0]) * 10 ** (settings[1] / 10), 0.0)


@lru_cache(maxsize=2)
def _low(case: HybridCase, share: float) -> Power:
    before = case.stack["sigma0"].to_numpy()[:N_REFERENCES, 0]
    return np.asarray(np.quantile(ndimage.uniform_filter(before, (0, 3, 3)), share, axis=0), np.float32)


@lru_cache(maxsize=4)
def _ashore(case: HybridCase, margin: float) -> NDArray[np.bool_]:
    return case.grid.covers(case.shore, margin)


def _components(case: HybridCase, date: int, is_hit: NDArray[np.bool_], margin: float) -> gpd.GeoDataFrame:
    """Connected components off land as vessels, each as long as it reaches along its own axis."""
    labels, n = ndimage.label(is_hit & ~_ashore(case, margin), np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    rows = []
    for label in np.flatnonzero(sizes[1:] >= MIN_CELLS) + 1:
        spots = np.argwhere(labels == label).astype(float)
        middle = spots.mean(axis=0)
        axes = np.linalg.svd(spots - middle, full_matrices=False)[2]
        reach = (spots - middle) @ axes.T
        middle += (reach.max(axis=0) + reach.min(axis=0)) / 2 @ axes
        heading = np.degrees(np.arctan2(axes[0, 1], -axes[0, 0])) % 180
        rows.append((*middle, (np.ptp(reach[:, 0]) + 1) * case.grid.spacing_m, heading))
    line, pixel, length, heading = np.array(rows).reshape(-1, 4).T
    longitude, latitude = case.grid.to_map(line, pixel)
    columns: dict[str, object] = {column.name: np.zeros(len(rows)) for column in schema.VESSELS.columns}
    columns |= dict.fromkeys(("vessel", "scene", "flag", "evidence", "pier", "flag_source"), [""] * len(rows))
    columns |= {"time": pd.to_datetime([case.products[date].scene.start] * len(rows), utc=True).as_unit("ns")}
    columns |= {"longitude": longitude, "latitude": latitude, "length_m": length, "heading_deg": heading}
    return assign_piers(schema.VESSELS.make(columns, list(map(shapely.Point, longitude, latitude))), case.port.piers)


RIVALS: Final[dict[str, tuple[Rival, tuple[Settings, ...]]]] = {
    "(a) fixed threshold": (fixed, tuple(every((-7.0, -4.0, -2.0, 0.0, 2.0, 5.0, 8.0), (0.0, 15.0)))),
    "(b) ring, true land": (ring, tuple(every((1e-5, 1e-9, 1e-15, 1e-25), (0.0, 15.0)))),
    "(c) low quantile": (quantile, tuple(every((0.2, 0.3), (3.5, 5.0, 7.0, 9.0, 12.0)))),
}
OURS: Final[dict[str, Way]] = {
    "boxes": boxes,
    "network": network,
    "network, no reference": partial(network, has_reference=False),
}


def run_case(case: HybridCase, ours: Mapping[str, Way] = OURS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs and counts of every way on one port: the rivals', and ours."""
    ways: list[tuple[str, str, Way]] = []
    for way, (rival, settings) in RIVALS.items():
        ways += [(way, f"{each}", partial(rival, settings=each)) for each in settings]
    ways += [(way, "", run) for way, run in ours.items()]
    pairs, counts = [], []
    for way, setting, function in ways:
        found = {case.products[date].scene.id: function(case, date) for date in case.counted}
        if way in ours:  # as the counts leave out ambiguities and doubtful pieces
            together = flag_lasting(schema.VESSELS.concat(list(found.values())), case.scenes)
            kept = together[are_counted(together)]
            found = {scene: kept[kept["scene"] == scene] for scene in found}
        for scene, table in found.items():
            true = case.truth[case.truth["scene"] == scene]
            tags = {"way": way, "setting": setting, "kind": case.kind, "scene": f"{case.seed} {scene}"}
            carried = true.assign(wind_m_s=true["is_rafted"].astype(float))  # pairs have no other column to spare
            found_or_not = matched(table, carried, case.grid.crs).rename(columns={"wind_m_s": "is_rafted"})
            pairs.append(found_or_not.assign(**tags))
            counts.append(counts_of(table, true, case.piers).assign(**tags))
    return pd.concat(pairs), pd.concat(counts)


# ---- figures


def figures(pairs: pd.DataFrame, counts: pd.DataFrame) -> dict[str, float]:
    """What one way is worth."""
    error = counts["found"] - counts["true"]
    true = pairs[pairs["is_true"]]
    hit = int(true["is_found"].sum())
    n_found = hit + int((~pairs["is_true"] & (pairs["found_at"] == "piers")).sum())
    return {
        "MAE a pier": error.abs().mean(),
        "bias a pier": error.mean(),
        "F1": 2 * hit / max(1, n_found + len(true)),
        "precision": hit / max(1, n_found),
        "recall": hit / max(1, len(true)),
        "recall rafted": true.loc[true["is_rafted"] > 0, "is_found"].astype(float).mean(),
        "length error, m": true["length_error_m"].abs().mean(),
    }


def figures_of_ways(pairs: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """A row of `figures` for each kind of port, way and setting."""
    keys = ["kind", "way", "setting"]
    found = dict(iter(pairs.groupby(keys, sort=False)))
    rows = {key: figures(found[key], group) for key, group in counts.groupby(keys, sort=False)}
    return pd.DataFrame(rows).T.rename_axis(keys)


def table_of(pairs: pd.DataFrame, counts: pd.DataFrame) -> str:
    """Markdown: rows for each kind of port; one row of a rival with its least error, one with its best F1."""
    lines, rows = list[str](), figures_of_ways(pairs, counts)
    for _, group in rows.groupby(level=[0, 1], sort=False):
        for best in dict.fromkeys([int(group["MAE a pier"].argmin()), int(group["F1"].argmax())]):
            kind, way, setting = cast("tuple[str, str, str]", group.index[best])
            values = " | ".join("–" if np.isnan(v) else f"{v:.2f}" for v in group.iloc[best])
            lines.append(f"| {kind} | {f'{way} {setting}'.strip()} | {values} |")
    lines = ["| port | way | " + " | ".join(rows.columns) + " |", "|---|---|" + "--:|" * len(rows.columns), *lines]
    one = counts.drop_duplicates(["way", "setting"]).iloc[0]
    same = counts[(counts["way"] == one["way"]) & (counts["setting"] == one["setting"])]
    return "\n".join([*lines, "", f"{same['scene'].nunique()} dates, {int(same['true'].sum())} berthed ships."])


def draw(cases: Sequence[HybridCase], path: Path) -> None:
    """The last date of each case in dB, with true outlines."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(cases), figsize=(9 * len(cases), 9), squeeze=False)
    for ax, case in zip(axes[0], cases, strict=True):
        date = case.counted[-1]
        ax.imshow(10 * np.log10(case.image(date).to_numpy()[0]), cmap="gray", vmin=-25, vmax=10)
        for row in case.truth[case.truth["scene"] == case.products[date].scene.id].itertuples():
            heading = np.radians(row.heading_deg)
            ahead = np.array([np.sin(heading), -np.cos(heading)]) * row.length_m / 20
            aside = np.array([np.cos(heading), np.sin(heading)]) * row.width_m / 20
            corners = np.array([ahead + aside, ahead - aside, -ahead - aside, -ahead + aside, ahead + aside])
            ax.plot(*(corners + case.grid.place(row.geometry).coords[0]).T, "c" if row.is_rafted else "lime", lw=1)
        for colour, area in (("r", case.shore.boundary), ("y", case.quays)):
            for part in shapely.get_parts(case.grid.place(area)):
                ax.plot(*np.array(part.coords).T, colour, lw=0.7)
        x, y = shapely.get_coordinates(case.grid.place(case.quays)).T
        ax.set(xlim=(x.min() - 35, x.max() + 35), ylim=(y.max() + 35, y.min() - 35), title=case.port.name)
    figure.tight_layout()
    figure.savefig(path, dpi=70)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", default=HELD_OUT, help="date of the scene whose ships are berthed")
    parser.add_argument("--ports", type=int, default=N_PORTS, help="number of ports of each kind")
    parser.add_argument("--write", action="store_true", help="put the table into docs/piers.md")
    parser.add_argument("--picture", type=Path, help="draw one date of each kind into this file, and stop")
    options = parser.parse_args(arguments)
    ships = real_ships(options.scene, only=True)
    if not ships or not repeats():
        print("set SARSHIP_DATA to the folder that holds opensarship, opensarship_more and safe")
        return 1
    if options.picture:
        draw([make_case(kind, 0, ships) for kind in KINDS], options.picture)
        return 0
    results = []
    for kind, number in every(KINDS, range(options.ports)):
        began = time.perf_counter()
        case = make_case(kind, number, ships)
        made = time.perf_counter()
        results.append(run_case(case))
        took = f"{made - began:.1f} s to make, {time.perf_counter() - made:.1f} s to count"
        print(f"{case.port.name}: {took}", file=sys.stderr, flush=True)
    text = table_of(*(pd.concat(parts) for parts in zip(*results, strict=True)))
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "piers.md", "hybrid_ports", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
