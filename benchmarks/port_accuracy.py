"""How well vessels at piers are counted: ours over time, and what others do, on a simulated port with known truth.

`python -m benchmarks.port_accuracy --folder FOLDER` makes the harbours of five seeds (or takes those that are there),
counts the last dates of each orbit in every way, and prints one table; `--write` puts it into docs/piers.md. The port
is `sarship.simulate.LARGE_PORT` on two orbits; the first dates of an orbit are references, the last six are counted.
Rivals get their settings from the other seeds, where each does its own best.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: small products of matrices gain nothing by threads

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import product as every
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from benchmarks.pages import ROOT, write_between
from benchmarks.port_scores import counts_of, matched, summary
from sarship import schema
from sarship.cfar.thresholds import threshold_factor
from sarship.change.detection import PortMasks, detect_change, port_masks
from sarship.change.network_maps import port_maps
from sarship.change.reference import fit_reference, of_orbit, shift_of
from sarship.counts.passes import are_counted
from sarship.detection.params import DetectionParams
from sarship.detection.single_image import detect
from sarship.model import Hits
from sarship.pipeline.one_scene import in_product, search_against, search_image
from sarship.pipeline.plan import Plan
from sarship.port.grid import PortGrid, PortImage, to_port_grid
from sarship.port.port_file import Port, read_port
from sarship.port.stack import add_scene, read_stack
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.simulate import LARGE_PORT, simulate_port_series
from sarship.vessels.assign import assign_piers
from sarship.vessels.at_piers import find_at_piers
from sarship.vessels.find import find_vessels
from sarship.vessels.flags import flag_ambiguities, flag_lasting
from sarship.vessels.network import Network
from sarship.vessels.pier_table import table_at_piers

SEEDS: Final = (11, 12, 13, 14, 15)
N_DATES: Final = 72
N_ORBITS: Final = 2
N_COUNTED: Final = 6
REFERENCES: Final = (4, 8, 16)
USUAL: Final = 16
RING: Final = tuple(every((1e-5, 1e-7, 1e-9), (0.0, 15.0, 30.0)))
"""False-alarm rate, and metres that the land mask reaches over the water's edge."""
FIXED: Final = tuple(every((-8.0, -5.0, -2.0, 1.0), (0.0, 15.0, 30.0)))
"""Threshold in dB of co-polarised sigma0, and the same metres."""
EARLIER: Final = tuple(every((6.0, 8.0, 10.0, 12.0), (0.0, 15.0)))
"""Threshold in dB over the date before, and the same metres."""
Settings = tuple[float, float]
Tags = dict[str, str | int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """One harbour seen by one orbit: its dates on the port's grid."""

    seed: int
    port: Port
    stack: xr.Dataset
    products: Sequence[GrdProduct]
    truth: gpd.GeoDataFrame
    """Vessels as imaged, those on the grid only."""
    masks: PortMasks

    @property
    def grid(self) -> PortGrid:
        """The port's grid."""
        return PortGrid.of(self.stack)

    @property
    def counted(self) -> range:
        """Numbers of the dates that are counted: the last ones."""
        return range(len(self.products) - N_COUNTED, len(self.products))

    @property
    def piers(self) -> list[str]:
        """Names of the piers without the anchorage."""
        piers = self.port.piers
        return [str(name) for name in piers["name"][piers["kind"] == "pier"]]

    @property
    def quays(self) -> BaseGeometry:
        """The same, as one geometry."""
        return _quays(self.port)

    @property
    def scenes(self) -> gpd.GeoDataFrame:
        """`schema.SCENES` of the counted dates."""
        scenes = [self.products[date].scene for date in self.counted]
        names = [column.name for column in schema.SCENES.columns]
        rows = [{name: getattr(s, name, True) for name in names} for s in scenes]
        for row, scene in zip(rows, scenes, strict=True):
            row |= {"scene": scene.id, "polarizations": " ".join(scene.polarizations)}
        columns: dict[str, object] = {name: [row[name] for row in rows] for name in names}
        return schema.SCENES.make(columns, [scene.footprint for scene in scenes])

    def image(self, date: int) -> xr.DataArray:
        """One date on the grid."""
        return self.stack["sigma0"].isel(time=date).assign_attrs(self.stack.attrs)

    def seen(self, date: int) -> PortImage:
        """Its geometry."""
        product = self.products[date]
        return PortImage.of(product, self.grid)

    def ground(self, margin_m: float) -> BaseGeometry:
        """Land that reaches so far over the water's edge."""
        land = gpd.GeoSeries([self.port.land], crs=schema.WGS84).to_crs(self.grid.crs)
        return shapely.union_all(land.buffer(margin_m).to_crs(schema.WGS84).to_numpy())

    def vessels(self, hits: Hits, image: Any) -> gpd.GeoDataFrame:
        """Grouped, measured, and assigned."""
        return assign_piers(find_vessels(hits, image), self.port.piers)

    @cached_property
    def plan(self) -> Plan:
        """The same for the library's own search."""
        return Plan(port=self.port, params=DetectionParams(), area=self.port.area)


def _quays(port: Port) -> BaseGeometry:
    every: BaseGeometry = port.piers.geometry[port.piers["kind"] == "pier"].union_all()
    return every


def make_harbour(folder: Path, seed: int, n_dates: int) -> None:
    """The products of a seed, if they are not there."""
    place = folder / str(seed)
    if not (place / "truth.parquet").exists():
        harbour = simulate_port_series(
            place,
            seed=seed,
            n_dates=n_dates,
            plan=LARGE_PORT,
            n_orbits=N_ORBITS,
            tidy=True,
            wind_m_s=(2.0, 15.0),
        )
        harbour.truth.to_parquet(place / "truth.parquet")


def open_cases(folder: Path, seed: int, n_dates: int, only: int | None = None) -> Iterator[Case]:
    """The harbour of a seed, made if it is not there, one case an orbit; or the case of one orbit, by its number."""
    make_harbour(folder, seed, n_dates)
    place = folder / str(seed)
    truth = gpd.read_parquet(place / "truth.parquet")
    port = read_port(place / "port.geojson")
    grid = PortGrid.around(port.area)
    products = sorted((open_grd(path) for path in place.glob("*.SAFE")), key=lambda p: p.scene.start)
    orbits = list(dict.fromkeys(p.scene.relative_orbit for p in products))
    for orbit in orbits if only is None else orbits[only : only + 1]:
        mine = [p for p in products if p.scene.relative_orbit == orbit]
        for product in mine:
            if not (place / "stack" / f"{product.scene.id}.zarr").is_dir():
                add_scene(place / "stack", product.scene.id, to_port_grid(product, grid))
        masks = port_masks(grid, piers=_quays(port), land=port.land, exclude=port.exclude, water=port.water)
        rows = pd.concat([_as_imaged(product, truth, grid) for product in mine])
        stack = read_stack(place / "stack", relative_orbit=orbit)
        yield Case(seed=seed, port=port, stack=stack, products=mine, truth=rows, masks=masks)


def _as_imaged(product: GrdProduct, truth: gpd.GeoDataFrame, grid: PortGrid) -> gpd.GeoDataFrame:
    """True vessels of a scene where the radar shows them, if that is on the grid."""
    rows = truth[truth["scene"] == product.scene.id]
    longitude, latitude = product.geometry.to_map(rows["line"].to_numpy(), rows["pixel"].to_numpy())
    rows = rows.set_geometry(gpd.points_from_xy(longitude, latitude), crs=schema.WGS84)
    place = grid.place(rows.geometry.union_all().envelope) if len(rows) else None
    if place is None:
        return rows
    spots = np.array([grid.place(point).coords[0] for point in rows.geometry])
    inside = ((spots > 5) & (spots < np.array(grid.shape)[::-1] - 6)).all(axis=1)
    return rows[inside]


# ---- the ways to find vessels; each gives a table with piers for one date of a case


def ring(case: Case, date: int, settings: Settings) -> gpd.GeoDataFrame:
    """(a) One image, a ring, and a land mask."""
    pfa, margin = settings
    product = case.products[date]
    hits = detect(product, DetectionParams(pfa=pfa), land=_grown(case, margin))
    return case.vessels(hits, product)


def fixed(case: Case, date: int, settings: Settings) -> gpd.GeoDataFrame:
    """(b) One image, one threshold on co-polarised sigma0, and a land mask."""
    level, margin = 10 ** (settings[0] / 10), settings[1]
    power = case.image(date).to_numpy()
    return _above(case, date, power[0] / level, margin)


def earlier(case: Case, date: int, settings: Settings) -> gpd.GeoDataFrame:
    """(c) Brighter than the date before by so much, both averaged over three by three cells, and brighter than sea."""
    factor, margin = 10 ** (settings[0] / 10), settings[1]
    now, then = (ndimage.uniform_filter(case.image(k).to_numpy()[0], 3) for k in (date, date - 1))
    sea = np.nanmedian(now[case.masks.open_water])
    return _above(case, date, np.minimum(now / (then * factor), now / (3 * sea)), margin)


def _above(case: Case, date: int, score: NDArray[np.float32], margin: float) -> gpd.GeoDataFrame:
    line, pixel = np.nonzero((score > 1) & ~_ground_cells(case, margin))
    image = case.image(date)
    names = [str(p) for p in image["polarization"].to_numpy()]
    value = image.to_numpy()[:, line, pixel].astype(np.float64)
    hits = Hits(
        line=line,
        pixel=pixel,
        value=value[0],
        clutter=value[0] / score[line, pixel],
        score=score[line, pixel].astype(np.float32),
        sigma0=dict(zip(names, value, strict=True)),
        is_edge=np.zeros(line.size, np.bool_),
    )
    return case.vessels(hits, case.seen(date))


@lru_cache(maxsize=4)
def _ground_cells(case: Case, margin: float) -> NDArray[np.bool_]:
    return case.grid.covers(_grown(case, margin))


@lru_cache(maxsize=16)
def _grown(case: Case, margin: float) -> BaseGeometry:
    return case.ground(margin)


@lru_cache(maxsize=12)
def reference_of(case: Case, n_references: int, own: int | None = None) -> xr.Dataset:
    """The empty port of the first dates; in place of the last of them a date of its own, if told so."""
    dates = [*range(n_references - 1), n_references - 1 if own is None else own]
    return fit_reference(case.stack.isel(time=dates), land=case.port.land, piers=case.quays)


def ours(case: Case, date: int, n_references: int, *, own: bool = False) -> gpd.GeoDataFrame:
    """(d) Over time, with so many reference dates, the last of them the date itself if told so."""
    reference = reference_of(case, n_references, date if own else None)
    found = search_against(reference, case.image(date), case.products[date], case.plan)
    return found[are_counted(found)]


def boxes(case: Case, date: int) -> gpd.GeoDataFrame:
    """Hits over the empty port, each group of them one vessel."""
    hits, seen = detect_change(case.image(date), case.products[date], reference_of(case, USUAL), case.masks)
    return flag_ambiguities(in_product(case.vessels(hits, seen), seen), case.products[date])


def alone(case: Case, date: int) -> gpd.GeoDataFrame:
    """Without time: the image alone, all else as ours."""
    found = search_image(case.products[date], case.plan)["vessels"]
    return found[are_counted(found)]


def without(case: Case, date: int, *, cross: bool = True, land: bool = True, moved: float = 0.0) -> gpd.GeoDataFrame:
    """Ours at piers alone, without an image or land, or displaced by so many cells along both axes."""
    reference = reference_of(case, USUAL)
    image = case.image(date)
    if not cross:  # each polarisation is fitted by itself
        image, reference = image.isel(polarization=[0]), reference.isel(polarization=[0])
    if moved:
        image = image.copy(data=ndimage.shift(image.to_numpy(), (0, moved, moved), order=1, mode="nearest"))
    found = told_apart(case, date, reference, image=image, has_land=land)
    return found[are_counted(found)]


def told_apart(
    case: Case,
    date: int,
    reference: xr.Dataset | None,
    *,
    image: xr.DataArray | None = None,
    has_land: bool = True,
    network: Network | None = None,
) -> gpd.GeoDataFrame:
    """The vessels at piers by the network, over a reference or by the image alone."""
    image, seen = case.image(date) if image is None else image, case.seen(date)
    if reference is not None:
        seen = replace(seen, shift=shift_of(image, of_orbit(reference, image), case.masks.steady))
    maps = port_maps(image, seen, case.masks, case.plan.ground_cells if has_land else None, reference)
    assert maps is not None
    found = find_at_piers(maps, *case.plan.quays, network)
    hits = Hits.empty(case.products[date].polarizations)
    return in_product(table_at_piers(found, hits, seen, case.port.piers), seen)


WAYS: Final[dict[str, Callable[[Case, int], gpd.GeoDataFrame]]] = {
    **{f"ours, {n} dates": partial(ours, n_references=n) for n in REFERENCES},
    "one image alone": alone,
    "itself among them": partial(ours, n_references=USUAL, own=True),
    "without VH": partial(without, cross=False),
    "without land": partial(without, land=False),
    "moved by 0.4 cells": partial(without, moved=0.4),
    "without the network": boxes,
}
Rival = Callable[[Case, int, Settings], gpd.GeoDataFrame]
RIVALS: Final[dict[str, tuple[Rival, tuple[Settings, ...]]]] = {
    "(a) ring, land mask": (ring, RING),
    "(b) fixed threshold": (fixed, FIXED),
    "(c) one earlier date": (earlier, EARLIER),
}


def ideal(case: Case, date: int) -> pd.DataFrame:
    """A detector that knows the sea's level, asked at every true vessel afloat: whether any pixel of it stands out."""
    image = case.image(date).to_numpy()
    rows = case.truth[case.truth["scene"] == case.products[date].scene.id]
    rows = rows[rows["pier"].isna() | (rows["pier"] == "Anchorage")]
    found = []
    for row in rows.itertuples():
        x, y = (round(c) for c in case.grid.place(row.geometry).coords[0])
        reach = max(1, round(row.length_m / 20))
        near = image[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        sea = np.nanmedian(image[:, case.masks.open_water], axis=1) / 0.925
        factor = threshold_factor("gamma", DetectionParams().pfa / len(image), enl=4.4, count=1e9)
        found.append(bool((near.max(axis=(1, 2)) > factor * sea).any()))
    return pd.DataFrame({"length_m": rows["length_m"].to_numpy(), "is_found": found})


def run_orbit(job: tuple[Path, int, int, tuple[str, ...], int]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every way on one orbit of a harbour: pairs and counts with their `way`, and what the ideal finds."""
    folder, seed, n_dates, chosen, orbit = job
    pairs, counts, best = [], [], []
    for case in open_cases(folder, seed, n_dates, orbit):
        for way, setting, function in _all_ways(chosen):
            if setting == "" and way.startswith("ours") and int(way.split()[1]) > len(case.products) - N_COUNTED:
                continue
            began = time.perf_counter()
            found = {case.products[date].scene.id: function(case, date) for date in case.counted}
            if setting == "":
                found = _without_flagged(case, found)
            for scene, table in found.items():
                true = case.truth[case.truth["scene"] == scene]
                tags: Tags = {"way": way, "setting": setting, "seed": seed, "scene": scene}
                pairs.append(_tagged(matched(table, true, case.grid.crs), tags))
                counts.append(_tagged(counts_of(table, true, case.piers), tags))
            _tell(f"{seed} {way} {setting}: {(time.perf_counter() - began) / N_COUNTED:.2f} s a date")
        best += [ideal(case, date) for date in case.counted]
    _tell(f"{seed}: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB at most")
    return pd.concat(pairs), pd.concat(counts), pd.concat(best)


def _without_flagged(case: Case, found: dict[str, gpd.GeoDataFrame]) -> dict[str, gpd.GeoDataFrame]:
    """As the counts leave out ambiguities, and what is at its place on most of the counted dates."""
    together = flag_lasting(schema.VESSELS.concat(list(found.values())), case.scenes)
    kept = together[are_counted(together)]
    return {scene: kept[kept["scene"] == scene] for scene in found}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _with(function: Rival, settings: Settings, case: Case, date: int) -> gpd.GeoDataFrame:
    return function(case, date, settings)


def _tagged(table: pd.DataFrame, tags: Tags) -> pd.DataFrame:
    for name, value in tags.items():
        table[name] = value
    return table


def _all_ways(chosen: Sequence[str]) -> Iterator[tuple[str, str, Callable[[Case, int], gpd.GeoDataFrame]]]:
    for way, (function, settings) in RIVALS.items():
        for setting in settings if way[1] in chosen else ():
            yield way, f"{setting}", partial(_with, function, setting)
    for way, own in WAYS.items() if "d" in chosen else ():
        yield way, "", own


def tuned(pairs: pd.DataFrame, counts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """For each rival and seed, the setting with the least error of the count on the other seeds."""
    error = (counts["found"] - counts["true"]).abs()
    keep: set[tuple[object, ...]] = set()
    for way, group in counts.assign(error=error).groupby("way"):
        for seed in group["seed"].unique():
            others = group[group["seed"] != seed]
            others = others if len(others) else group
            keep.add((way, others.groupby("setting")["error"].mean().idxmin(), seed))
    chosen = [pd.MultiIndex.from_frame(t[["way", "setting", "seed"]]).isin(keep) for t in (pairs, counts)]
    return pairs[chosen[0]], counts[chosen[1]]


def table_of(pairs: pd.DataFrame, counts: pd.DataFrame, best: pd.DataFrame) -> str:
    """Markdown: one column a way, one row a figure."""
    ways = [*RIVALS, *WAYS]
    columns = {
        way: summary(pairs[pairs["way"] == way], counts[counts["way"] == way])
        for way in ways
        if way in set(counts["way"])
    }
    frame = pd.DataFrame(columns)
    lines = ["| | " + " | ".join(frame.columns) + " |", "|---|" + "--:|" * len(frame.columns)]
    for name, row in frame.iterrows():
        lines.append(f"| {name} | " + " | ".join("–" if np.isnan(v) else f"{v:.2f}" for v in row) + " |")
    classes = ((20, 50), (50, 100), (100, 500))
    recall = [best[(best["length_m"] >= a) & (best["length_m"] < b)]["is_found"].mean() for a, b in classes]
    scenes = counts["scene"].nunique()
    lines += [
        "",
        f"{scenes} dates counted of {counts['seed'].nunique()} harbours. An ideal detector that knows the sea finds of"
        f" the vessels afloat {recall[0]:.0%} of 20-50 m, {recall[1]:.0%} of 50-100 m, {recall[2]:.0%} of more.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where harbours are, or are made")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--dates", type=int, default=N_DATES, help="dates of a harbour, both orbits together")
    parser.add_argument("--ways", default="abcd", help="which of the ways (a), (b), (c), (d)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the table into docs/piers.md")
    options = parser.parse_args(arguments)
    jobs = [
        (options.folder, seed, options.dates, tuple(options.ways), orbit)
        for seed in options.seeds
        for orbit in range(N_ORBITS)
    ]
    with get_context("spawn").Pool(min(options.jobs, len(jobs))) as pool:
        pool.starmap(make_harbour, [(options.folder, seed, options.dates) for seed in options.seeds], chunksize=1)
        results = pool.map(run_orbit, jobs, chunksize=1)
    pairs = pd.concat([result[0] for result in results])
    counts = pd.concat([result[1] for result in results])
    text = table_of(*tuned(pairs, counts), pd.concat([result[2] for result in results]))
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "piers.md", "port_accuracy", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
