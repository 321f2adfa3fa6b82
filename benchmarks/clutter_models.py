"""False vessels and recall of each clutter model and ring average, on simulated spiky seas and on a real one.

`python -m benchmarks.clutter_models` simulates products of spiky sea, half of whose vessels are 20 to 30 m long, and
searches them with every choice of `DetectionParams`. The same choices search the crop of a real product in
`$SARSHIP_DATA/westhinder` where there is one. Tables go between the markers in docs/detector_choice.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import geopandas as gpd
import numpy as np
from scipy.spatial import KDTree

from benchmarks.full_scene import machine
from benchmarks.pages import ROOT, write_between
from sarship.detection.params import DetectionParams
from sarship.detection.single_image import detect
from sarship.errors import FloodError
from sarship.model import Window
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.simulate import ProductParams, Vessel, fill_product
from sarship.simulate.params import MODES
from sarship.simulate.truth import scatter_vessels
from sarship.vessels.find import find_vessels

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA: Final = Path(os.environ.get("SARSHIP_DATA", ROOT.parent / "shared" / "data"))
CROP: Final = Window(4000, 5000, 4000, 5000)
"""Lines and pixels of the real product that its files hold."""
PAGE: Final = ROOT / "docs" / "detector_choice.md"
ORDERS: Final = (8.0, 4.0)
SPACING_M: Final = 10.0
MATCH_M: Final = 50.0
"""Maximum distance from a true vessel, beside its half length, of what is found of it: sidelobes lie farther off."""
PIECE_M: Final = 500.0
"""Detections this near to a true vessel are none of the sea's."""
SPECK_M: Final = 100.0
SHIP_M: Final = 100.0
"""Minimum length of the ships of the real crop, which are 129 to 239 m long; its specks are far shorter."""
MODELS: Final[dict[str, tuple[dict[str, Any], tuple[float, ...]]]] = {
    "gamma": ({}, (1e-7, 1e-9, 1e-11)),
    "gamma, goca": ({"average": "goca"}, (1e-7, 1e-9)),
    "gamma, os": ({"average": "os"}, (1e-9,)),
    "gamma, 3 iterations": ({"iterations": 3}, (1e-9,)),
    "lognormal": ({"clutter_model": "lognormal"}, (1e-3, 1e-4, 1e-7)),
    "weibull": ({"clutter_model": "weibull"}, (1e-9, 1e-12)),
    "k": ({"clutter_model": "k"}, (1e-5, 1e-6, 1e-7, 1e-9)),
    "k, order 4 given": ({"clutter_model": "k", "clutter_shape": 4.0}, (1e-4, 1e-5, 1e-7)),
}
"""Options of `DetectionParams`, and the rates to search the simulated seas at."""
SHIP_PFA: Final = 1e-7
SEA_PFAS: Final = (1e-4, 1e-5, 1e-6)
"""Rates at which a million pixels of sea give hits to count."""


class Outcome(NamedTuple):
    """Vessels that one choice finds in a product, and the processor's time of the search."""

    table: gpd.GeoDataFrame | None
    """None where more pixels are hits than a search allows."""
    seconds: float


def search(product: GrdProduct, choice: dict[str, Any], window: Window | None = None) -> Outcome:
    """Search a product and measure its vessels; only the search is timed."""
    params = DetectionParams(**choice)
    start = time.process_time()
    try:
        hits = detect(product, params, window=window)
    except FloodError:
        return Outcome(None, time.process_time() - start)
    seconds = time.process_time() - start
    return Outcome(find_vessels(hits, product, params), seconds)


def spiky_sea(folder: Path, order: float, args: argparse.Namespace) -> tuple[Path, gpd.GeoDataFrame]:
    """Simulate a product without land whose vessels are, by turns, 20 to 30 and 30 to 250 m long."""
    source = ProductParams(shape=(args.side, args.side), polarizations=tuple(args.polarizations))
    empty, _ = fill_product(source, folder / "empty", n_vessels=0)
    geometry = open_grd(empty).geometry
    placed = scatter_vessels(
        source.shape, geometry.to_map, n_vessels=args.vessels, land=None, mode=MODES["IW"], seed=[args.seed, 1]
    )
    short = np.random.default_rng(args.seed).uniform(20, 30, len(placed)).tolist()
    vessels: list[Vessel] = [replace(vessel, length_m=short[k]) if k % 2 else vessel for k, vessel in enumerate(placed)]
    return fill_product(
        source, folder / "full", vessels=vessels, wind_m_s=args.wind, texture_order=order, seed=args.seed
    )


def score(truth: gpd.GeoDataFrame, found: gpd.GeoDataFrame, n_pixels: int) -> dict[str, float]:
    """False vessels in 10^8 pixels, and the part of the true vessels that was found: the short ones, and all."""
    places, spots = (_places(table) for table in (truth, found))
    half: NDArray[np.float64] = truth["length_m"].to_numpy() / 2
    near = KDTree(spots).query(places)[0] if len(spots) else np.full(len(places), np.inf)
    is_found = near < MATCH_M + half
    away, owner = KDTree(places).query(spots) if len(spots) else (np.empty(0), np.empty(0, np.int64))
    is_short = truth["length_m"].to_numpy() < 30
    return {
        "false": float((away > PIECE_M + half[owner]).sum()) * 1e8 / n_pixels,
        "short": float(is_found[is_short].mean()),
        "all": float(is_found.mean()),
    }


def simulated_rows(args: argparse.Namespace) -> list[str]:
    """The table of the simulated seas."""
    products = []
    with tempfile.TemporaryDirectory() as scratch:
        for order in ORDERS:
            path, truth = spiky_sea(Path(scratch) / f"{order:g}", order, args)
            products.append((open_grd(path), truth))
        head = " | ".join(f"order {order:g}: false in 10⁸ | 20–30 m | all" for order in ORDERS)
        rows = [f"| clutter model | pfa | {head} | s |", f"|---|--:|{'--:|--:|--:|' * len(ORDERS)}--:|"]
        search(products[0][0], {})  # compiles
        for name, (options, pfas) in MODELS.items():
            for pfa in pfas:
                cells, seconds = [], []
                for product, truth in products:
                    outcome = search(product, {"pfa": pfa, **options})
                    n_pixels = product.shape[0] * product.shape[1]
                    seconds.append(outcome.seconds * 1e8 / n_pixels)
                    if outcome.table is None:
                        cells.append("flood | |")
                        continue
                    figures = score(truth, outcome.table, n_pixels)
                    cells.append(f"{figures['false']:,.0f} | {figures['short']:.2f} | {figures['all']:.2f}")
                rows.append(f"| {name} | {pfa:g} | {' | '.join(cells)} | {min(seconds):.1f} |")
                print(rows[-1], flush=True)
    note = (
        f"Simulated sea of {args.wind:g} m/s, {args.side:,} × {args.side:,} pixels, "
        f"{' and '.join(args.polarizations)}, {args.vessels} vessels of which half are 20 to 30 m long; "
        f"seconds of one processor for 10⁸ pixels. {machine()}."
    )
    return [note, "", *rows]


def real_rows() -> list[str]:
    """The table of the real sea; none where the crop is not there."""
    paths = sorted((DATA / "westhinder").glob("*.SAFE"))
    if not paths:
        print(f"no product in {DATA / 'westhinder'}: the real sea is left out")
        return []
    product = open_grd(paths[0])
    default = search(product, {}, CROP).table
    assert default is not None
    lengths = default["length_m"].to_numpy(np.float64)
    is_ship = lengths > SHIP_M
    ships, half, specks = _places(default)[is_ship], lengths[is_ship] / 2, _places(default)[~is_ship]

    def n_in_the_sea(line: NDArray[np.int64], pixel: NDArray[np.int64]) -> int:
        spots = np.column_stack([line, pixel]) * SPACING_M
        is_far = KDTree(ships).query(spots)[0] > PIECE_M
        return int(np.sum(is_far & (KDTree(specks).query(spots)[0] > SPECK_M)))

    head = " | ".join(f"sea hits at {pfa:g}" for pfa in SEA_PFAS)
    rows = [
        f"| clutter model | ships at {SHIP_PFA:g} | other detections | {head} |",
        "|---|--:|--:|" + "--:|" * len(SEA_PFAS),
    ]
    for name, (options, _) in MODELS.items():
        found = search(product, {"pfa": SHIP_PFA, **options}, CROP).table
        assert found is not None
        near = np.asarray(KDTree(_places(found)).query(ships)[0])
        away, owner = KDTree(ships).query(_places(found))
        cells = [np.sum(near < MATCH_M + half), np.sum(away > MATCH_M + half[owner])]
        for pfa in SEA_PFAS:
            hits = detect(product, DetectionParams(pfa=pfa, **options), window=CROP)
            cells.append(n_in_the_sea(hits.line, hits.pixel))
        rows.append(f"| {name} | {' | '.join(map(str, cells))} |")
    line, pixel = np.mgrid[CROP.line_start : CROP.line_stop, CROP.pixel_start : CROP.pixel_stop]
    n_sea = n_in_the_sea(line.ravel(), pixel.ravel())
    # the two polarisations of this product are one image, so a pixel is searched at half the pfa, once
    expected = ", ".join(f"{n_sea * pfa / 2:.2g}" for pfa in SEA_PFAS)
    note = (
        f"{product.scene.id}, {CROP.shape[0]:,} × {CROP.shape[1]:,} pixels of VH; {len(ships)} ships at anchor. "
        f"Sea hits lie {PIECE_M:g} m from ships and {SPECK_M:g} m from the {len(specks)} other detections of the "
        f"default, on {n_sea:,} pixels: {expected} are expected."
    )
    return [note, "", *rows]


def _places(table: gpd.GeoDataFrame) -> NDArray[np.float64]:
    return np.column_stack([table["line"], table["pixel"]]) * SPACING_M


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, compare and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10_000, help="lines and pixels")
    parser.add_argument("--polarizations", nargs="+", default=["VV"])
    parser.add_argument("--vessels", type=int, default=600)
    parser.add_argument("--wind", type=float, default=7.0, help="m/s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--print-only", action="store_true", help="leave the page alone")
    args = parser.parse_args(arguments)
    for name, rows in (("real_sea", real_rows()), ("spiky_sea", simulated_rows(args))):
        text = "\n".join(rows)
        print(text)
        if rows and not args.print_only:
            write_between(PAGE, name, text)


if __name__ == "__main__":
    main()
