"""A port over many dates: products, a port file, and who lay where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import recentred
from sarship.simulate.example_ports import SMALL_PORT
from sarship.simulate.grid import make_grid
from sarship.simulate.orbit import REPEAT
from sarship.simulate.params import ProductParams
from sarship.simulate.port_plan import Place, Plan
from sarship.simulate.product import simulate_product
from sarship.simulate.quay_clutter import structure
from sarship.simulate.traffic import ANCHORAGE_NAME, schedule

__all__ = ["Harbour", "simulate_harbour"]

_WEATHER: Final = 26
_REACH_M: Final = 60.0
"""How far off a pier a vessel's axis may lie, as the port file says."""
_SHELTERED: Final = 40.0
"""Order of the sea's texture in a sheltered roadstead: nearly plain speckle."""
_OTHER_INCIDENCE_DEG: Final = 41.5
_LATER: Final = timedelta(days=5, hours=-11)
_REVOLUTIONS_LATER: Final = 66
"""The second orbit: how it sees the port, and how much after the first."""
_JITTER_US: Final = 1_500_000
"""Deviation of a pass from the repeat cycle, microseconds: real ones of a track lie some seconds apart."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Harbour:
    """What `simulate_harbour` wrote."""

    port_file: Path
    """`port.geojson`: piers, anchorage, land, and an excluded light tower."""
    products: tuple[Path, ...]
    """One package a date, in order of time."""
    truth: gpd.GeoDataFrame
    """One row a vessel and date: `time, scene, pier, longitude, latitude, length_m, width_m, heading_deg, line, pixel,
    rcs_m2, vessel_id, is_rafted, speed_m_s, wind_m_s`; `pier` is missing for vessels under way in open water, `line`
    and `pixel` are where a vessel is imaged, and `vessel_id` is the same on every date that it stays."""
    plan: Plan
    """The port."""

    def counts(self) -> pd.DataFrame:
        """True number of vessels, one row a scene in order of time, one column a pier or anchorage."""
        table = pd.crosstab(self.truth["scene"], self.truth["pier"])
        scenes = [path.name.split(".")[0] for path in self.products]
        return table.reindex(
            index=scenes, columns=[*(pier.name for pier in self.plan.piers), ANCHORAGE_NAME], fill_value=0
        )


def simulate_harbour(
    folder: str | Path,
    *,
    seed: int = 0,
    n_dates: int = 8,
    plan: Plan = SMALL_PORT,
    n_orbits: int = 1,
    params: ProductParams | None = None,
    busy: float = 1.0,
    structure_db: float = 0.0,
    wind_m_s: tuple[float, float] = (4.0, 10.0),
) -> Harbour:
    """Write a simulated port over several dates, every twelve days on one or two orbits.

    What is simulated, and why it may be trusted to be as hard as a real port: vessels have the contrast, extent and
    sidelobes of real ones (a test holds them against 162 AIS-matched chips); they stay for some dates, lie bow to
    stern or rafted, and keep their looks while they stay. Quays, cranes and buildings have a coherence of 0.7 between
    the dates of an orbit and nothing in common between orbits; cranes move and containers come and go. Speckle has
    4.4 looks and the correlation of the product's resolution; the sea has gamma texture. Bright targets are shown
    again as azimuth ambiguities, and moving vessels displaced. Not simulated: wakes, defocus, interference, rain,
    mirror images in the water, shadows.

    Parameters
    ----------
    folder
        Where `port.geojson` and the packages are put; made if missing.
    seed
        Decides everything: who comes and goes, the wind, and the looks of all.
    n_dates
        Number of dates, all orbits together, in turn.
    plan
        The port: `SMALL_PORT` with five piers, or `LARGE_PORT` with twelve.
    n_orbits
        One, or two: the second is of the other pass and at another incidence, five days later.
    params
        The first date's product: place, pass, incidence, packing, and the shape, which the plan otherwise decides. By
        default the sea is sheltered (`texture_order` 40); a lower order gives a detector without K more to do.
    busy
        Factor on the share of the quays that is taken and on the number at anchor.
    structure_db
        Added to the brightness of quays, cranes and buoys, decibel: more makes it harder.
    wind_m_s
        Slowest and fastest wind; each date draws its own between them.

    Returns
    -------
    Harbour
        Paths and truth.

    Raises
    ------
    ValueError
        If `n_orbits` is neither one nor two, or no orbit sees the place so.
    """
    if n_orbits not in {1, 2}:
        raise ValueError(f"n_orbits is 1 or 2, got {n_orbits}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    first = params or ProductParams(shape=plan.shape, texture_order=_SHELTERED)
    place = Place(first.longitude + plan.offset_deg[0], first.latitude + plan.offset_deg[1])
    port_file = folder / "port.geojson"
    port_file.write_text(json.dumps(_port(plan, place), indent=1), encoding="utf-8")
    ground = place.degrees(shapely.union_all(list(plan.land.values())))
    products, truths = [], []
    for date, vessels in enumerate(schedule(plan, place, n_dates, seed, busy)):
        rng = np.random.default_rng([seed, _WEATHER, date])
        wind, late = float(rng.uniform(*wind_m_s)), timedelta(microseconds=int(rng.normal(0, _JITTER_US)))
        here = _on_date(first, date, n_orbits, wind, late)
        path, truth = simulate_product(
            folder,
            here,
            vessels=vessels,
            land=ground,
            targets=structure(plan, place, make_grid(here), here, date=date, seed=seed, louder_db=structure_db),
            seed=1_000 * seed + date,
            structure_seed=seed,
            date=date,
            has_ambiguities=True,
        )
        products.append(path)
        truths.append(truth.assign(wind_m_s=here.wind_m_s))
    truth = gpd.GeoDataFrame(pd.concat(truths, ignore_index=True), crs="EPSG:4326")
    return Harbour(port_file=port_file, products=tuple(products), truth=truth, plan=plan)


def _on_date(
    first: ProductParams, date: int, n_orbits: int, wind_m_s: float, late: timedelta = timedelta(0)
) -> ProductParams:
    """The product of a date, so much later than the repeat cycle says."""
    cycle, other = divmod(date, n_orbits)
    if other:
        first = replace(first, orbit_pass="descending", incidence_deg=_OTHER_INCIDENCE_DEG)  # noqa: S106
    return replace(
        first,
        time=first.time + timedelta(seconds=int(REPEAT.astype(int)) * cycle) + other * _LATER,
        absolute_orbit=first.absolute_orbit + 175 * cycle + _REVOLUTIONS_LATER * other,
        wind_m_s=wind_m_s,
    )


def _port(plan: Plan, place: Place) -> dict[str, object]:
    """The port file: GeoJSON in longitude and latitude."""
    features = [_feature(p.name, "pier", place.degrees(p.geometry), {"max_distance_m": _REACH_M}) for p in plan.piers]
    features.append(_feature(ANCHORAGE_NAME, "anchorage", place.degrees(plan.anchorage)))
    land = shapely.union_all(list(plan.land.values())).buffer(plan.land_margin_m, join_style="mitre")
    features.append(_feature("Land", "land", place.degrees(land)))
    if plan.excluded is not None:
        features.append(_feature("Light tower", "exclude", place.degrees(plan.excluded)))
    return {"type": "FeatureCollection", "name": "SIMULATED harbour", "features": features}


def _feature(
    name: str, kind: str, geometry: BaseGeometry, more: Mapping[str, object] | None = None
) -> dict[str, object]:
    rounded = shapely.set_precision(recentred(geometry), 1e-7)
    properties = {"name": name, "kind": kind, **(more or {})}
    return {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(rounded)}
