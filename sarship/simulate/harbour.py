"""A small port over several dates of one orbit: products, a port file, and who lay where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.antimeridian import recentred
from sarship.model import Polarization
from sarship.simulate.grid import RadarGrid, make_grid
from sarship.simulate.orbit import REPEAT
from sarship.simulate.params import ProductParams, relative_orbit
from sarship.simulate.plan import ANCHORAGE, BEACON, FACES, LAND, PIERS, Face, Place
from sarship.simulate.product import simulate_product
from sarship.simulate.ships import Patch, Vessel, splat

__all__ = ["Harbour", "simulate_harbour"]

_ANCHORAGE_NAME: Final = "Anchorage"
_STRUCTURE, _TRAFFIC = 21, 22
_REACH_M: Final = 60.0
"""How far off a pier a vessel's axis may lie, as the port file says."""
_SHELTERED: Final = 40.0
"""Order of the sea's texture in a sheltered roadstead: nearly plain speckle."""
_LAND_MARGIN_M: Final = 25.0
"""What the port file's land reaches over the water's edge, as an analyst draws it, so that quays are masked."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Harbour:
    """What `simulate_harbour` wrote."""

    port_file: Path
    """`port.geojson`: piers, anchorage, land, and an excluded light tower."""
    products: tuple[Path, ...]
    """One package a date, in order of time."""
    truth: gpd.GeoDataFrame
    """One row a vessel and date: `time, scene, pier, longitude, latitude, length_m, width_m, heading_deg, line, pixel,
    rcs_m2`; `pier` is missing for vessels under way in open water."""

    def counts(self) -> pd.DataFrame:
        """True number of vessels, one row a scene in order of time, one column a pier or anchorage."""
        table = pd.crosstab(self.truth["scene"], self.truth["pier"])
        scenes = [path.name.split(".")[0] for path in self.products]
        return table.reindex(index=scenes, columns=[*(pier.name for pier in PIERS), _ANCHORAGE_NAME], fill_value=0)


def simulate_harbour(
    folder: str | Path,
    *,
    seed: int = 0,
    n_dates: int = 8,
    params: ProductParams | None = None,
    busy: float = 1.0,
    structure_db: float = 0.0,
) -> Harbour:
    """Write a small port over several dates, every twelve days on one orbit.

    Parameters
    ----------
    folder
        Where `port.geojson` and the packages are put; made if missing.
    seed
        Decides everything. The ground and the quays look the same on every date but for speckle and a fraction of a
        decibel; the vessels, the wind and the speckle are the date's own.
    n_dates
        Number of dates. One in the middle is nearly empty.
    params
        The first date's product: place, pass, incidence, packing. The image needs about 700 lines and pixels of 10 m.
        By default the sea is sheltered (`texture_order` 40); a lower order gives a detector without K more to do.
    busy
        Factor on the share of the quays that is taken and on the number at anchor.
    structure_db
        Added to the brightness of quays, cranes and the light tower, decibel: more makes it harder.

    Returns
    -------
    Harbour
        Paths and truth. The Naval mole is always empty.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    first = params or ProductParams(shape=(700, 700), texture_order=_SHELTERED)
    place = Place(first.longitude + 0.0044, first.latitude - 0.0036)
    port_file = folder / "port.geojson"
    port_file.write_text(json.dumps(_port(place), indent=1), encoding="utf-8")
    ground = place.degrees(shapely.union_all(list(LAND.values())))
    steady = _structure(place, make_grid(first), first, seed, structure_db)
    products, truths = [], []
    for date in range(n_dates):
        rng = np.random.default_rng([seed, _TRAFFIC, date])
        here = busy * (0.15 if date == n_dates // 2 else float(rng.uniform(0.6, 1.2)))
        path, truth = simulate_product(
            folder,
            _on_date(first, date, rng),
            vessels=_traffic(place, here, rng),
            land=ground,
            targets=_dimmed(steady, float(rng.normal(0, 0.5))),
            seed=1_000 * seed + date,
            structure_seed=seed,
        )
        products.append(path)
        truths.append(truth)
    truth = gpd.GeoDataFrame(pd.concat(truths, ignore_index=True), crs="EPSG:4326")
    return Harbour(port_file=port_file, products=tuple(products), truth=truth)


def _on_date(first: ProductParams, date: int, rng: np.random.Generator) -> ProductParams:
    later = timedelta(seconds=int(REPEAT.astype(int)) * date)
    return replace(
        first,
        time=first.time + later,
        absolute_orbit=first.absolute_orbit + 175 * date,
        wind_m_s=float(rng.uniform(4.0, 10.0)),
    )


def _port(place: Place) -> dict[str, object]:
    """The port file: GeoJSON in longitude and latitude."""
    features = [_feature(p.name, "pier", place.degrees(p.geometry), {"max_distance_m": _REACH_M}) for p in PIERS]
    features.append(_feature(_ANCHORAGE_NAME, "anchorage", place.degrees(ANCHORAGE)))
    land = shapely.union_all(list(LAND.values())).buffer(_LAND_MARGIN_M, join_style="mitre")
    features.append(_feature("Land", "land", place.degrees(land)))
    features.append(_feature("Light tower", "exclude", place.degrees(BEACON.buffer(80.0))))
    return {"type": "FeatureCollection", "name": "SIMULATED harbour", "features": features}


def _feature(
    name: str, kind: str, geometry: BaseGeometry, more: Mapping[str, object] | None = None
) -> dict[str, object]:
    rounded = shapely.set_precision(recentred(geometry), 1e-7)
    properties = {"name": name, "kind": kind, **(more or {})}
    return {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(rounded)}


def _structure(place: Place, grid: RadarGrid, params: ProductParams, seed: int, louder_db: float) -> list[Patch]:
    """Quays, cranes and the light tower: what stands there on every date of an orbit."""
    rng = np.random.default_rng([seed, _STRUCTURE, relative_orbit(params.platform, params.absolute_orbit)])
    gain = 10 ** (louder_db / 10)
    patches = []
    for face in FACES:
        along = np.arange(2.5, face.length_m, 5.0)
        edge = (face.at(along, -1.0), gain * 40.0 * 10 ** (rng.normal(0, 3, along.size) / 10))
        cranes = np.arange(rng.uniform(10, 60), face.length_m, 70.0)
        strong = (face.at(cranes, -10.0), gain * 10 ** (rng.normal(23, 3, cranes.size) / 10))
        patches.append(_targets(place, grid, params, rng, edge, strong))
    tower = (np.array(BEACON.coords), np.array([gain * 2_000.0]))
    return [*patches, _targets(place, grid, params, rng, tower)]


def _targets(
    place: Place,
    grid: RadarGrid,
    params: ProductParams,
    rng: np.random.Generator,
    *groups: tuple[np.ndarray, np.ndarray],
) -> Patch:
    """Fixed scatterers; cross-polarisation is 9 dB weaker."""
    where = place.points(np.concatenate([xy for xy, _ in groups]))
    rcs = np.concatenate([power for _, power in groups])
    channels: dict[Polarization, np.ndarray] = {
        p: rcs * (0.126 if p in {"VH", "HV"} else 1.0) for p in params.polarizations
    }
    line, pixel = grid.image(where[:, 0], where[:, 1])
    return splat(line, pixel, channels, params.specification, rng, is_total_exact=False)


def _dimmed(patches: Sequence[Patch], decibel: float) -> list[Patch]:
    factor = np.float32(10 ** (decibel / 10))
    return [Patch(p.line, p.pixel, {k: v * factor for k, v in p.sigma0.items()}) for p in patches]


def _traffic(place: Place, busy: float, rng: np.random.Generator) -> list[Vessel]:
    """The vessels of one date: along the quays, at anchor, and a few under way."""
    moored = [vessel for face in FACES for vessel in _alongside(place, face, busy, rng)]
    swing = float(rng.uniform(0, 360))
    boxes: list[tuple[str | None, tuple[float, ...], int]] = [
        (_ANCHORAGE_NAME, ANCHORAGE.buffer(-150).bounds, int(rng.poisson(4 * busy)))
    ]
    boxes.append((None, (-400.0, -2_600.0, 500.0, -1_900.0), int(rng.integers(0, 2))))
    taken = np.empty((0, 2))
    afloat = []
    for name, (west, south, east, north), number in boxes:
        for _ in range(number):
            spot = np.array([rng.uniform(west, east), rng.uniform(south, north)])
            heading = (swing + rng.normal(0, 10)) % 360
            length = _length(rng, 250.0)
            if len(taken) and np.hypot(*(taken - spot).T).min() < 600:
                continue
            taken = np.vstack([taken, spot])
            lon, lat = place.points(spot[None])[0].tolist()
            afloat.append(Vessel(longitude=lon, latitude=lat, length_m=length, heading_deg=float(heading), pier=name))
    return [*moored, *afloat]


def _length(rng: np.random.Generator, longest: float) -> float:
    """A length of 30 to 250 m, mostly 60 to 180."""
    return float(np.clip(rng.lognormal(np.log(105), 0.5), 30.0, longest))


def _alongside(place: Place, face: Face, busy: float, rng: np.random.Generator) -> list[Vessel]:
    """Vessels along a quay, bow to stern, three to eight metres off it."""
    vessels = []
    along = float(rng.uniform(10, 60))
    while along < face.length_m - 40 and face.busy > 0:
        length = _length(rng, min(250.0, face.length_m - along))
        if rng.random() < face.busy * busy:
            beam = length / 10 + 5
            spot = face.at(along + length / 2, float(rng.uniform(3, 8)) + beam / 2)
            lon, lat = place.points(spot)[0].tolist()
            heading = (face.heading_deg + 180.0 * rng.integers(0, 2) + rng.normal(0, 0.5)) % 360
            vessels.append(
                Vessel(longitude=lon, latitude=lat, length_m=length, heading_deg=float(heading), pier=face.pier)
            )
        along += length + float(rng.uniform(25, 80))
    return vessels
