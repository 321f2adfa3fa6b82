"""Many ports into one archive: one worker against two, and a query of what they leave.

`python -m benchmarks.many_ports` simulates scenes of full width and 2,000 lines with 20 ports of 8 x 8 km side by side,
serves them on loopback with a delay for each request, counts all ports by `sarship watch` with one worker and with two,
nothing kept, and again with all kept; asks DuckDB for a year of a port out of ten million rows of vessels; reckons what
100 and 10,000 ports cost over three years; and writes it all between the markers in docs/scale.md. On two cores of its
own it takes twenty minutes; fewer ports and dates take less.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.full_scene import machine
from benchmarks.pages import ROOT, write_between
from benchmarks.window import (
    BEFORE_FIRST,
    DAYS_APART,
    N_PASSES,
    SHAPE,
    SIDE_KM,
    asked,
    make_dates,
    real_xml_mb,
    served,
    write_port,
)

PAGE: Final = ROOT / "docs" / "scale.md"
TARGET_RATIO: Final = 0.6
TARGET_S: Final = 0.2
"""Seconds of two workers over those of one; seconds of the query."""
ROWS_OF_PART: Final = 3_600
"""Vessels of a port and year: 30 on each of 120 passes."""
N_YEARS: Final = 3
PORTS: Final = (100, 10_000)
"""What is reckoned."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of the command."""

    name: str
    seconds: float
    cpu_s: float
    """Of the processors, in all; the server's own are not among them."""
    n_requests: int
    image_bytes: int
    other_bytes: int


def write_ports(folder: Path, product: Path, n_ports: int) -> list[Path]:
    """Write port files side by side across the swath."""
    import shapely

    from sarship import open_grd
    from sarship.simulate import ProductParams

    template = json.loads(write_port(folder / "template.geojson").read_bytes())
    west, _, east, _ = (footprint := open_grd(product).scene.footprint).bounds
    centre, paths = ProductParams(), list[Path]()
    for k in range(n_ports):
        x = west + (east - west) * (0.06 + 0.88 * (k + 0.5) / n_ports)
        strip = shapely.intersection(footprint, shapely.LineString([(x, -89), (x, 89)]))
        shift = x - centre.longitude, strip.centroid.y - centre.latitude
        content = json.loads(json.dumps(template), object_hook=partial(_shifted, by=shift))
        paths.append(folder / f"port{k:02}.geojson")
        paths[-1].write_text(json.dumps({**content, "name": f"SIMULATED {k:02}"}))
    return paths


def _shifted(item: dict[str, Any], by: tuple[float, float]) -> dict[str, Any]:
    def moved(place: Any) -> Any:
        return [moved(each) for each in place] if isinstance(place[0], list) else [place[0] + by[0], place[1] + by[1]]

    return {**item, "coordinates": moved(item["coordinates"])} if "coordinates" in item else item


def count(folder: Path, ports: Sequence[Path], n_dates: int, delay_s: float, n_workers: int) -> list[Run]:
    """Count all ports twice by so many workers, with a cache of their own."""
    archive, cache = folder / f"archive{n_workers}", folder / f"cache{n_workers}"
    for earlier in (archive, cache):
        shutil.rmtree(earlier, ignore_errors=True)
    end = BEFORE_FIRST + timedelta(days=DAYS_APART * n_dates)
    period = ["--from", f"{BEFORE_FIRST:%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}"]
    settings = {"SARSHIP_CACHE": str(cache), "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    runs = list[Run]()
    with served(folder / "cog", delay_s) as (address, process):
        call = [sys.executable, "-m", "sarship", "watch", *map(str, ports), *period, "--out", str(archive)]
        call += ["--workers", str(n_workers), "--catalog", f"planetary={address}", "--json"]
        for again in (False, True):
            asked(process)
            before, began = os.times(), time.perf_counter()
            done = subprocess.run(call, env={**os.environ, **settings}, cwd=ROOT, stdout=subprocess.PIPE, check=True)
            seconds, after, sent = time.perf_counter() - began, os.times(), asked(process)
            if {each["n_scenes"] for each in json.loads(done.stdout)["ports"]} != {n_dates}:
                raise SystemExit(f"not all scenes were counted: {done.stdout.decode()}")
            images = [n_bytes for path, n_bytes in sent if path.endswith(".tiff")]
            runs.append(
                Run(
                    name=f"{n_workers} worker{'s' * (n_workers > 1)}{', run again' * again}",
                    seconds=seconds,
                    cpu_s=after[2] + after[3] - before[2] - before[3],
                    n_requests=len(sent),
                    image_bytes=sum(images),
                    other_bytes=sum(n_bytes for _, n_bytes in sent) - sum(images),
                )
            )
    return runs


def make_vessels(folder: Path, n_rows: int) -> tuple[int, int]:
    """Write so many rows of vessels, the same part under every port and year; return the parts, and bytes of one."""
    import numpy as np
    import pandas as pd
    import shapely

    from sarship.pipeline.archive import part_of
    from sarship.pipeline.table_files import table_bytes
    from sarship.schema import TIME, VESSELS

    rng = np.random.default_rng(0)
    made: dict[str, Any] = {
        TIME: pd.date_range("2024-01-01", periods=ROWS_OF_PART, freq="2h", tz="UTC"),
        "float64": rng.normal(35.0, 1.0, ROWS_OF_PART),
        "int64": rng.integers(0, 9, ROWS_OF_PART),
        "bool": rng.random(ROWS_OF_PART) > 0.5,
        "str": [f"S1A_IW_GRDH_1SDV_20241203T154210_20241203T154211_{k // 30:06}" for k in range(ROWS_OF_PART)],
    }
    places: Any = shapely.points(rng.normal(35.0, 0.1, ROWS_OF_PART), rng.normal(34.9, 0.1, ROWS_OF_PART))
    table = VESSELS.make({column.name: made[column.dtype] for column in VESSELS.columns}, list(places))
    content = table_bytes(table, {}, compression="zstd")
    n_parts = -(-n_rows // ROWS_OF_PART)
    folder.mkdir(parents=True)
    first = folder / "first.parquet"
    first.write_bytes(content)
    for k in range(n_parts):
        part = folder / part_of("vessels", f"Port {k // N_YEARS}", 2023 + k % N_YEARS)
        part.parent.mkdir(parents=True)
        os.link(first, part)
    return n_parts, len(content)


def ask(folder: Path, n_parts: int) -> list[tuple[str, float, float]]:
    """Seconds and CPU seconds of queries, the least of five, each by a new connection."""
    import duckdb

    from sarship.pipeline.archive import part_of

    port = f"Port {n_parts // N_YEARS // 2}"
    vessels = f"read_parquet('{folder}/vessels/**/*.parquet', hive_partitioning = true)"
    part = f"read_parquet('{folder / part_of('vessels', port, 2024)}')"
    queries = {
        "a port and year": f"select time, length_m from {vessels} where port = '{port}' and year = 2024",
        "the same, the path of its part given": f"select time, length_m from {part}",
        "mean length, a port and year": f"select avg(length_m) from {vessels} where port = '{port}' and year = 2024",
        "vessels of each year, all ports": f"select year, count(*) from {vessels} group by year",
    }
    found = list[tuple[str, float, float]]()
    for name, query in queries.items():
        taken, used = list[float](), list[float]()
        for _ in range(5):
            began, cpu = time.perf_counter(), time.process_time()
            with duckdb.connect() as connection:
                connection.execute("set enable_progress_bar = false")
                rows = connection.execute(query).fetchall()
            taken.append(time.perf_counter() - began)
            used.append(time.process_time() - cpu)
        if query.startswith("select time") and len(rows) != ROWS_OF_PART:
            raise SystemExit(f"{len(rows)} rows of {ROWS_OF_PART}")
        found.append((name, min(taken), min(used)))
    return found


def speed_text(runs: Sequence[Run], n_ports: int, n_dates: int, delay_s: float, load: float) -> str:
    """The table of the runs, for the page."""
    one, two = (next(run for run in runs if run.name == name) for name in ("1 worker", "2 workers"))
    lines = [
        f"{n_ports} ports of {SIDE_KM:g} × {SIDE_KM:g} km in the same scenes of {SHAPE[0]:,} × {SHAPE[1]:,} pixels, "
        f"VV and VH, {n_dates} dates of one orbit; a server on loopback that answers each request after "
        f"{1000 * delay_s:g} ms; `NUMBA_NUM_THREADS=1`. {machine()}; load before it began: {load:.1f}.",
        "",
        "| | seconds | CPU seconds | requests | MB of images | MB of XML and answers |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {run.name} | {run.seconds:.0f} | {run.cpu_s:.0f} | {run.n_requests:,} | {run.image_bytes / 1e6:.1f} | "
        f"{run.other_bytes / 1e6:.1f} |"
        for run in runs
    ]
    ratio = two.seconds / one.seconds
    lines += ["", f"Two workers took {ratio:.2f} of the time of one (target {TARGET_RATIO:g})."]
    return "\n".join(lines)


def query_text(found: Sequence[tuple[str, float, float]], n_parts: int, load: float) -> str:
    """The table of the queries, for the page."""
    import duckdb

    lines = [
        f"{n_parts * ROWS_OF_PART:,} rows of vessels in {n_parts:,} parts, by DuckDB {duckdb.__version__}; each query "
        f"by a new connection, the least of five; load before it began: {load:.1f}.",
        "",
        "| | seconds | CPU seconds | target |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | {seconds:.2f} | {cpu_s:.2f} | {TARGET_S if not k else ''} |"
        for k, (name, seconds, cpu_s) in enumerate(found)
    ]
    return "\n".join(lines)


def cost_text(run: Run, n_ports: int, n_dates: int, part_bytes: int) -> str:
    """What many ports cost, reckoned from a run with nothing kept, for the page."""
    each = n_ports * n_dates
    image_mb, cpu_s, xml_mb = run.image_bytes / each / 1e6, run.cpu_s / each, real_xml_mb()
    lines = [
        f"A pass over a port reads {image_mb:.1f} MB of images (as measured above) and {xml_mb:.1f} MB of XML (of a "
        f"real scene; those above are smaller, and ports in one scene share it), and takes {cpu_s:.1f} s of one core. "
        f"With {N_PASSES} passes a year over {N_YEARS} years:",
        "",
        "| ports | passes | TB of images | TB of XML, shared by none | TB of XML, by 5 ports each | days of one core | "
        "days at 10 MB/s | parts of vessels | GB of vessels |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for number in PORTS:
        passes = number * N_PASSES * N_YEARS
        image_tb, xml_tb = passes * image_mb / 1e6, passes * xml_mb / 1e6
        days = (image_tb + xml_tb / 5) * 1e6 / 10 / 86_400
        lines.append(
            f"| {number:,} | {passes:,} | {image_tb:.2f} | {xml_tb:.2f} | {xml_tb / 5:.2f} | "
            f"{passes * cpu_s / 86_400:.1f} | {days:.1f} | {number * N_YEARS:,} | "
            f"{number * N_YEARS * part_bytes / 1e9:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, serve, count, ask, reckon; the exit code says whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", type=int, default=20)
    parser.add_argument("--dates", type=int, default=8)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of vessels")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds added to each request")
    parser.add_argument("--queries-only", action="store_true", help="count nothing")
    parser.add_argument("--folder", type=Path, help="where to simulate (kept); a temporary folder if not given")
    parser.add_argument("--print-only", action="store_true", help="leave the page alone")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder, runs, load = args.folder or Path(scratch), list[Run](), os.getloadavg()[0]
        if not args.queries_only:
            make_dates(folder / "cog", args.dates, is_cog=True)
            ports = write_ports(folder, next((folder / "cog").iterdir()), args.ports)
            load = os.getloadavg()[0]
            runs = [run for n in (1, 2) for run in count(folder, ports, args.dates, args.delay, n)]
        n_parts, part_bytes = make_vessels(Path(scratch) / "rows", args.rows)
        load_then = os.getloadavg()[0]
        found = ask(Path(scratch) / "rows", n_parts)
    texts = {"port-year": query_text(found, n_parts, load_then)}
    measured = [(found[0][0], found[0][1], TARGET_S)]
    if runs:
        texts["many-ports"] = speed_text(runs, args.ports, args.dates, args.delay, load)
        texts["many-ports-cost"] = cost_text(runs[0], args.ports, args.dates, part_bytes)
        measured.append(("two workers over one", runs[2].seconds / runs[0].seconds, TARGET_RATIO))
    for name, text in texts.items():
        print(text, end="\n\n")
        if not args.print_only:
            write_between(PAGE, name, text)
    for name, value, target in measured:
        print(f"{'MISSED' if value > target else 'met'}: {name}: {value:.2f}, target {target:g}")
    return int(any(value > target for _, value, target in measured))


if __name__ == "__main__":
    sys.exit(main())
