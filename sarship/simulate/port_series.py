"""Port over many dates: products, a port file, and the vessels at its piers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from sarship.simulate.params import ProductParams
from sarship.simulate.passes import FIRST_PASS, irregular_passes, plain_passes
from sarship.simulate.port_plan import Place, Plan
from sarship.simulate.product import simulate_product
from sarship.simulate.quay_clutter import parked, structure
from sarship.simulate.traffic import ANCHORAGE_NAME, schedule

__all__ = ["PortSeries", "SimulatedPass", "simulate_port_series"]

_WEATHER: Final = 26
_REACH_M: Final = 60.0
"""Distance of a vessel's axis from its pier up to which the port file counts it."""
_IRREGULAR: Final = 4
"""Dates from which a series is irregular by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedPass:
    """Products of one pass over the port."""

    slices: tuple[Path, ...]
    """Packages that show the port together, in order of time."""
    twins: tuple[Path, ...] = ()
    """Packages of the same acquisition in another packing or of another processing."""

    @property
    def scene(self) -> str:
        """Ids of the slices, joined by a space as in the counts of a survey."""
        return " ".join(map(_scene, self.slices))


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class PortSeries:
    """Files and truth of a simulated port over several passes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> tiny = ProductParams(shape=(64, 64), polarizations=("VV",))
    >>> with TemporaryDirectory() as folder:
    ...     series = simulate_port_series(folder, n_dates=1, params=tiny)
    >>> series.counts().columns.tolist()
    ['Coal quay', 'South jetty', 'Oil jetty', 'Naval mole', 'Container quay', 'Anchorage']
    """

    port_file: Path
    """`port.geojson`: piers, anchorage, aprons, land, and an excluded light tower."""
    passes: tuple[SimulatedPass, ...]
    """Products of every pass, in order of time."""
    truth: gpd.GeoDataFrame
    """One row a vessel and pass: `time, scene, pier, longitude, latitude, length_m, width_m, heading_deg, line, pixel,
    rcs_m2, vessel_id, is_rafted, speed_m_s, wind_m_s`; `scene` is the slice that shows it, `pier` is missing for
    vessels under way in open water, `line` and `pixel` are where a vessel is imaged, and `vessel_id` is the same on
    every date that it stays."""
    plan: Plan
    """The port."""

    @property
    def products(self) -> tuple[Path, ...]:
        """Every package, in order of time, twins last of their pass."""
        return tuple(path for one in self.passes for path in (*one.slices, *one.twins))

    def counts(self) -> pd.DataFrame:
        """Return the true number of vessels, one row a pass in order of time, one column a pier or anchorage."""
        scenes = {_scene(path): one.scene for one in self.passes for path in one.slices}
        table = pd.crosstab(self.truth["scene"].map(scenes), self.truth["pier"])
        return table.reindex(
            index=[one.scene for one in self.passes],
            columns=[*(pier.name for pier in self.plan.piers), ANCHORAGE_NAME],
            fill_value=0,
        )


def simulate_port_series(
    folder: str | Path,
    *,
    seed: int = 0,
    n_dates: int = 8,
    plan: Plan = SMALL_PORT,
    n_orbits: int = 1,
    params: ProductParams | None = None,
    tidy: bool | None = None,
    busy: float = 1.0,
    structure_db: float = 0.0,
    wind_m_s: tuple[float, float] = (4.0, 10.0),
) -> PortSeries:
    """Write a simulated port over several dates on one or two orbits.

    Vessels have the contrast, extent and sidelobes of real ones (a test holds them against 162 AIS-matched chips); they
    stay for some dates, lie bow to stern or rafted, and keep their scatterers while they stay. Quays, cranes and
    buildings have a coherence of 0.7 between the dates of an orbit and nothing in common between orbits; cranes move
    and containers come and go. Speckle has an ENL of 4.4 and the correlation of the product's resolution; the sea has
    gamma texture. Bright targets have azimuth ambiguities, and moving vessels are displaced. Not simulated: wakes,
    defocus, interference, rain, mirror images in the water, shadows.

    The products are as untidy as an archive's, unless `tidy`: see `sarship.simulate.passes`.

    Parameters
    ----------
    folder
        Folder of `port.geojson` and the packages; made if missing.
    seed
        Seed of everything: traffic, wind, scatterers, and the irregularities.
    n_dates
        Number of passes, all orbits together, in turn.
    plan
        Port: `SMALL_PORT` with five piers, or `LARGE_PORT` with twelve.
    n_orbits
        One, or two: the second is of the other pass direction and at another incidence, five days later.
    params
        First product: place, time, pass direction, incidence, packing, and the shape, which the plan otherwise decides.
        By default the sea is sheltered (`texture_order` 40); a lower order gives a detector without K more to do.
    tidy
        True for one platform that repeats exactly every twelve days, one product a date. By default for fewer than four
        dates.
    busy
        Factor on the share of the quays that is taken and on the number at anchor.
    structure_db
        Added to the brightness of quays, cranes and buoys, decibel: more makes it harder.
    wind_m_s
        Minimum and maximum wind speed; each date draws its own between them.

    Returns
    -------
    PortSeries
        Paths and truth.

    Raises
    ------
    ValueError
        If `n_orbits` is neither one nor two, or no orbit sees the place so.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> tiny = ProductParams(shape=(64, 64), polarizations=("VV",))
    >>> with TemporaryDirectory() as folder:
    ...     series = simulate_port_series(folder, n_dates=1, params=tiny)
    >>> [path.name[:17] for path in series.products]
    ['S1A_IW_GRDH_1SSV_']
    """
    if n_orbits not in {1, 2}:
        raise ValueError(f"n_orbits is 1 or 2, got {n_orbits}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    first = params or replace(FIRST_PASS, shape=plan.shape)
    place = Place(first.longitude + plan.offset_deg[0], first.latitude + plan.offset_deg[1])
    port_file = folder / "port.geojson"
    port_file.write_text(json.dumps(_port(plan, place), indent=1), encoding="utf-8")
    ground = place.degrees(shapely.union_all(list(plan.land.values())))
    if n_dates < _IRREGULAR if tidy is None else tidy:
        planned = plain_passes(first, n_dates, n_orbits)
    else:
        planned = irregular_passes(first, n_dates, n_orbits, seed)
    passes, truths = [], []
    for date, (one, vessels) in enumerate(zip(planned, schedule(plan, place, n_dates, seed, busy), strict=True)):
        wind = float(np.random.default_rng([seed, _WEATHER, date]).uniform(*wind_m_s))
        paths = []
        for chosen in (*one.slices, *one.twins):
            here = replace(chosen, wind_m_s=wind)
            radar = make_grid(here)
            things = structure(plan, place, radar, here, date=date, seed=seed, louder_db=structure_db)
            path, truth = simulate_product(
                folder,
                here,
                vessels=vessels,
                land=ground,
                paved=[(place.degrees(yard.polygon), 10 ** (yard.base_db / 10)) for yard in plan.yards],
                targets=[*things, *parked(plan, place, radar, here, date=date, seed=seed)],
                seed=1_000 * seed + date,
                structure_seed=seed,
                date=date,
                has_ambiguities=True,
            )
            paths.append(path)
            if chosen in one.slices:
                shown = truth["line"].between(-0.5, here.shape[0] - 0.5) if here.n_slices > 1 else slice(None)
                truths.append(truth[shown].assign(wind_m_s=wind))
        number = len(one.slices)
        passes.append(SimulatedPass(slices=tuple(paths[:number]), twins=tuple(paths[number:])))
    truth = gpd.GeoDataFrame(pd.concat(truths, ignore_index=True), crs="EPSG:4326")
    return PortSeries(port_file=port_file, passes=tuple(passes), truth=truth, plan=plan)


def _scene(path: Path) -> str:
    """Id of a package."""
    return path.name.split(".")[0]


def _port(plan: Plan, place: Place) -> dict[str, object]:
    """The port file: GeoJSON in longitude and latitude."""
    features = [_feature(p.name, "pier", place.degrees(p.geometry), {"max_distance_m": _REACH_M}) for p in plan.piers]
    features += [_feature(yard.name, "apron", place.degrees(yard.polygon)) for yard in plan.yards]
    features.append(_feature(ANCHORAGE_NAME, "anchorage", place.degrees(plan.anchorage)))
    land = shapely.union_all(list(plan.land.values())).buffer(plan.land_margin_m, join_style="mitre")
    features.append(_feature("Land", "land", place.degrees(land)))
    if plan.excluded is not None:
        features.append(_feature("Light tower", "exclude", place.degrees(plan.excluded)))
    members = {"name": "SIMULATED port", "water_level_m": 0}  # its images show the sea, wherever they are
    return {"type": "FeatureCollection", **members, "features": features}


def _feature(
    name: str, kind: str, geometry: BaseGeometry, more: Mapping[str, object] | None = None
) -> dict[str, object]:
    rounded = shapely.set_precision(recentred(geometry), 1e-7)
    properties = {"name": name, "kind": kind, **(more or {})}
    return {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(rounded)}
