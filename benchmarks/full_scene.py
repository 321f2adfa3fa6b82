"""A whole scene, from the package on disk to the table of vessels: how long, how much memory, how right.

`python -m benchmarks.full_scene` fills a real product of full size with 30 % land and 500 vessels (a simulated product
of the same size where there is none in `$SARSHIP_DATA/safe`), searches it in fresh processes with the page cache
dropped and warm, compares the table with the truth, and writes the figures between the markers in README.md.
It takes some minutes and 1 GB of disk for each polarization.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from benchmarks.pages import ROOT, write_between

if TYPE_CHECKING:
    import geopandas as gpd

SAFE: Final = Path(os.environ.get("SARSHIP_DATA", ROOT.parent / "shared" / "data")) / "safe"
SHAPE: Final = (16705, 26102)
TARGET_S: Final = 10.0
TARGET_GB: Final = 1.5
STEPS: Final = ("import", "open", "bands", "CFAR", "calibrate", "group", "rest")
MATCH_M: Final = 150.0
"""A vessel found this near to a true one, beside its half length, is that one."""
PIECE_M: Final = 500.0
"""Other vessels found this near to a true one are pieces of it (sidelobes), not false alarms of the sea."""

F = TypeVar("F", bound=Callable[..., Any])


def search_once(package: Path, land: Path, table: Path) -> dict[str, float]:
    """Search a package with a clock on every step; write the vessels to `table`.

    Imports belong to what is timed, so nothing of sarship may be loaded before. `bands` is the time spent waiting
    for bands: the next one is read and masked while the last one is searched.
    """
    spent = dict.fromkeys(STEPS, 0.0)
    begin = time.perf_counter()
    from sarship import cfar
    from sarship.detection import bands
    from sarship.detection import single_image as detection
    from sarship.port import polygons
    from sarship.sentinel1 import product as grd
    from sarship.vessels.find import find_vessels

    spent["import"] = time.perf_counter() - begin

    def timed(step: str, function: F) -> F:
        def call(*args: object, **kwargs: object) -> object:
            start = time.perf_counter()
            result = function(*args, **kwargs)
            spent[step] += time.perf_counter() - start
            return result

        return call  # type: ignore[return-value]

    def waited(function: Callable[..., Iterator[object]]) -> Callable[..., Iterator[object]]:
        def call(*args: object, **kwargs: object) -> Iterator[object]:
            items = function(*args, **kwargs)
            pull = timed("bands", partial(next, items, None))
            while (item := pull()) is not None:
                yield item

        return call

    # a stand-in for the module, since one of its functions calls the other
    clocked = SimpleNamespace(detect=timed("CFAR", cfar.detect), detect_dual=timed("CFAR", cfar.detect_dual))
    # by setattr, as mypy lets nobody put something else in the place of a module's names and of methods
    setattr(detection, "cfar", clocked)  # noqa: B010
    setattr(detection, "bands_of", waited(bands.bands_of))  # noqa: B010
    setattr(grd.GrdProduct, "sigma0_at", timed("calibrate", grd.GrdProduct.sigma0_at))  # noqa: B010

    product = timed("open", grd.open_grd)(package)
    area = timed("open", polygons.read_polygons)(land)
    hits = detection.detect(product, land=area)
    found = timed("group", find_vessels)(hits, product)
    total = time.perf_counter() - begin
    spent["rest"] = total - sum(spent.values())
    found.to_parquet(table)
    return spent | {
        "total": total,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "n_hits": float(len(hits)),
    }


def run_fresh(package: Path, table: Path, **environment: str) -> dict[str, float]:
    """`search_once` in a new process; `process` is its whole life, the interpreter's start included."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.full_scene", "--once", str(package), str(table)]
    start = time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | environment, cwd=ROOT)
    figures: dict[str, float] = json.loads(output.stdout.splitlines()[-1])
    return figures | {"process": time.perf_counter() - start}


def drop_cache(package: Path) -> str:
    """Have the package read from the disk next time; how that was done."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
    except OSError:
        for path in package.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return "the product's pages dropped from the cache"
    return "the page cache dropped"


def fill(folder: Path, args: argparse.Namespace) -> tuple[Path, gpd.GeoDataFrame]:
    """The package and the truth."""
    from sarship.simulate import ProductParams, fill_product

    real = sorted(SAFE.glob("S1B_IW_GRDH_1SDV_20211223*_5371.SAFE"))
    made_up = ProductParams(shape=SHAPE, polarizations=tuple(args.polarizations))
    return fill_product(
        real[0] if real and args.polarizations == ["VV"] else made_up,
        folder,
        n_vessels=args.vessels,
        land_fraction=0.3,
        polarizations=args.polarizations,
        wind_m_s=args.wind,
        texture_order=args.texture,
        seed=args.seed,
    )


def compare(truth: gpd.GeoDataFrame, found: gpd.GeoDataFrame) -> dict[str, float]:
    """How many true vessels were found and missed, and what else was found."""
    import numpy as np
    from scipy.spatial import KDTree

    spacing_m = 10.0
    places, spots = (np.column_stack([table["line"], table["pixel"]]) * spacing_m for table in (truth, found))
    distance, index = KDTree(places).query(spots)
    away, nearest = np.asarray(distance), np.asarray(index)
    half = truth["length_m"].to_numpy()[nearest] / 2
    order = np.argsort(away)
    first = order[np.unique(nearest[order], return_index=True)[1]]
    first = first[away[first] <= MATCH_M + half[first]]
    error = found["length_m"].to_numpy()[first] - truth["length_m"].to_numpy()[nearest[first]]
    other = np.ones(len(found), np.bool_)
    other[first] = False
    is_piece = other & (away <= PIECE_M + half)
    return {
        "n_true": len(truth),
        "n_found": first.size,
        "n_missed": len(truth) - first.size,
        "n_pieces": int(is_piece.sum()),
        "n_false": int((other & ~is_piece).sum()),
        "length_m": float(np.median(abs(error))),
    }


def report(runs: dict[str, dict[str, float]], score: dict[str, float], first_s: float, how: str, name: str) -> str:
    """The table for the README."""
    rows = [
        f"Filled product `{name}`, {SHAPE[0]:,} × {SHAPE[1]:,} pixels; {machine()}.",
        "",
        f"| seconds | warm | cold ({how}) | target |",
        "|---|--:|--:|--:|",
    ]
    names = {
        "bands": "read and mask (waited for)",
        "total": "**from the import to the table**",
        "process": "the whole process",
    }
    for step in (*STEPS, "total", "process"):
        target = f"{TARGET_S:g}" if step == "total" else ""
        rows.append(f"| {names.get(step, step)} | {runs['warm'][step]:.2f} | {runs['cold'][step]:.2f} | {target} |")
    rows.append(f"| peak memory, GB | {runs['warm']['peak_gb']:.2f} | {runs['cold']['peak_gb']:.2f} | {TARGET_GB:g} |")
    rows += [
        "",
        f"Of {score['n_true']} vessels of 30 to 250 m {score['n_found']} were found and {score['n_missed']} missed; "
        f"{score['n_pieces']} pieces were found beside them, and {score['n_false']} false vessels elsewhere. Length is "
        f"off by {score['length_m']:.0f} m in the median. Medians of the runs, with compiled code cached; "
        f"the first run of all, which compiles, took {first_s:.1f} s.",
    ]
    return "\n".join(rows)


def machine() -> str:
    """Processor, cores, memory and versions."""
    import numba
    import numpy as np

    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, numba {numba.__version__}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {versions}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill, time, compare, report; the exit code says whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", nargs=2, type=Path, metavar=("SAFE", "TABLE"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where to fill the product (kept); a temporary folder if not given")
    parser.add_argument("--polarizations", nargs="+", default=["VV"], help="VV, or VV VH for a simulated product")
    parser.add_argument("--vessels", type=int, default=500)
    parser.add_argument("--wind", type=float, default=7.0, help="m/s")
    parser.add_argument("--texture", type=float, default=8.0, help="order of the sea's texture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--print-only", action="store_true", help="leave the README alone")
    args = parser.parse_args(arguments)
    if args.once:
        package, table = args.once
        print(json.dumps(search_once(package, package.parent / "land.geojson", table)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        return _measure(args, Path(scratch))


def _measure(args: argparse.Namespace, scratch: Path) -> int:
    import geopandas as gpd

    package, truth = fill(args.folder or scratch / "product", args)
    table = scratch / "vessels.parquet"
    first = run_fresh(package, table, NUMBA_CACHE_DIR=str(scratch / "numba"))
    run_fresh(package, table)
    warm = [run_fresh(package, table) for _ in range(args.runs)]
    cold, how = [], ""
    for _ in range(args.runs):
        how = drop_cache(package)
        cold.append(run_fresh(package, table))
    runs = {"warm": _medians(warm), "cold": _medians(cold)}
    text = report(runs, compare(truth, gpd.read_parquet(table)), first["total"], how, package.name)
    print(text)
    if not args.print_only:
        write_between(ROOT / "README.md", "full_scene", text)
    return 0 if runs["warm"]["total"] <= TARGET_S and runs["warm"]["peak_gb"] <= TARGET_GB else 1


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    sys.exit(main())
