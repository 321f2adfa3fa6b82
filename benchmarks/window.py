"""A port's window out of scenes on a server: seconds, requests and bytes a scene.

`python -m benchmarks.window` simulates scenes of full width and 2,000 lines, serves them on loopback with and without
a delay for each request, as cloud-optimised files and as plain strips, counts a port of 8 x 8 km through the catalogue
`planetary`, one by one and with others on their way, on the 120 passes of a year and, with less and less to fetch, on
a few, and writes the tables between the markers in docs/catalogues.md. It takes ten minutes and 1 GB.

Each date has its own name, times, orbit and XML. Its pixels are those of one of a few simulated images, linked under
every name: what is measured is what is asked for and how long that takes, which does not depend on where the ships lie.
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
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.full_scene import machine
from benchmarks.pages import ROOT, write_between

PAGE: Final = ROOT / "docs" / "catalogues.md"
SHAPE: Final = (2_000, 26_000)
SIDE_KM: Final = 8.0
N_IMAGES: Final = 2
"""Simulated, of each kind; the dates take turns."""
DAYS_APART: Final = 12
BEFORE_FIRST: Final = date(2024, 12, 1)
N_PASSES: Final = 120
"""Passes of a port in a year, which the targets are for."""
TARGET_GB: Final = 0.6
TARGET_S: Final = (60.0, 95.0)
"""Of those passes in two polarisations: gigabytes; and seconds without and with a delay, with others on their way."""
KINDS: Final = {"cog": "cloud-optimised", "strips": "plain strips"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    n_dates: int
    seconds: float
    """In all."""
    cpu_s: float
    """Of the processors, in all; the server's own are not among them."""
    n_requests: float
    """For images, a scene and polarisation."""
    megabytes: float
    """Of images, a scene and polarisation."""
    n_others: float
    """Requests for anything else, a scene."""
    gigabytes: float
    """Of everything, in all."""


def make_dates(folder: Path, n_dates: int, is_cog: bool) -> None:
    """Make products, if there are none, by the names that a mirror gives them: each date's own XML, pixels of a few."""
    from sarship.simulate import ProductParams, Vessel, simulate_product
    from sarship.simulate.product import write_source
    from sarship.simulate.safe.package import to_cog

    first = ProductParams(shape=SHAPE, layout="short")
    vessels = [
        Vessel(
            longitude=first.longitude + 0.005 * (k % 4 - 1.5),
            latitude=first.latitude + 0.006 * (k // 4 - 1),
            length_m=60.0 + 12 * k,
            heading_deg=30.0 * k,
        )
        for k in range(12)
    ]
    images: list[Path] = []
    if folder.exists():
        return
    for k in range(n_dates):
        later = timedelta(days=DAYS_APART * k)
        params = replace(first, time=first.time + later, absolute_orbit=first.absolute_orbit + 175 * k)
        if k < N_IMAGES:
            path, _ = simulate_product(folder, params, vessels=vessels, seed=k)
            for image in path.glob("measurement/*.tiff"):
                if is_cog:
                    to_cog(image)
            images.append(path)
            continue
        path = write_source(folder, params)
        for image in path.glob("measurement/*.tiff"):
            image.unlink()
            os.link(images[k % N_IMAGES] / "measurement" / image.name, image)


def write_port(path: Path) -> Path:
    """A port file: water of 8 x 8 km, six quays and an anchorage."""
    import numpy as np

    from sarship.simulate import ProductParams

    centre = ProductParams()
    half = SIDE_KM / 2 / 111.2
    stretch = 1 / float(np.cos(np.radians(centre.latitude)))

    def place(east: float, north: float) -> list[float]:
        return [centre.longitude + east * half * stretch, centre.latitude + north * half]

    def feature(name: str, kind: str, form: str, coordinates: object) -> dict[str, object]:
        geometry = {"type": form, "coordinates": coordinates}
        return {"type": "Feature", "properties": {"name": name, "kind": kind}, "geometry": geometry}

    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    features = [
        feature(f"Quay {k}", "pier", "LineString", [place(-0.8 + 0.3 * k, -0.5), place(-0.8 + 0.3 * k, 0.2)])
        for k in range(6)
    ]
    anchorage = [[place(0.3 * x + 0.5, 0.2 * y + 0.7) for x, y in corners]]
    features.append(feature("Anchorage", "anchorage", "Polygon", anchorage))
    features.append(feature("Water", "water", "Polygon", [[place(*corner) for corner in corners]]))
    path.write_text(json.dumps({"type": "FeatureCollection", "name": "SIMULATED port", "features": features}))
    return path


def serve(folder: Path, delay_s: float) -> None:
    """Serve the products until the standard input ends; a line there is answered with what was asked since the last."""
    sys.path.insert(0, str(ROOT / "tests"))
    stac: Any = import_module("servers.stac")
    with stac.serve_stac() as server:
        for product in sorted(folder.iterdir()):
            server.add(product)
        server.page_size = 100
        server.delay_s = delay_s
        print(server.address, flush=True)
        for _ in sys.stdin:
            print(json.dumps([[one.path, one.n_bytes] for one in server.take()]), flush=True)


@contextmanager
def served(folder: Path, delay_s: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server in a process of its own, so that it does not share our interpreter's lock."""
    command = [sys.executable, "-m", "benchmarks.window", "--serve", str(folder), str(delay_s)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            assert process.stdin is not None
            process.stdin.close()


def asked(process: subprocess.Popen[str]) -> list[tuple[str, int]]:
    """What the server was asked since the last call: path and bytes sent."""
    assert process.stdin is not None
    assert process.stdout is not None
    print("", file=process.stdin, flush=True)
    return [(path, n_bytes) for path, n_bytes in json.loads(process.stdout.readline())]


def measure(folder: Path, kind: str, n_dates: int, delay_s: float, *, is_kept: bool = True) -> list[Row]:
    """Count the port on the first dates: one by one, with others on their way, and with less and less to fetch."""
    import sarship as ss
    from sarship.catalog.planetary import PlanetaryCatalog

    class OneByOne(PlanetaryCatalog):
        n_parallel = 0

    port = ss.read_port(write_port(folder / "port.geojson"))
    cache = folder / "cache"
    for earlier in folder.glob(f"{kind}-*"):
        shutil.rmtree(earlier)
    os.environ["SARSHIP_CACHE"] = str(cache)
    end = BEFORE_FIRST + timedelta(days=DAYS_APART * n_dates)
    query = ss.SceneQuery(area=port.area, start=f"{BEFORE_FIRST:%Y-%m-%d}", end=f"{end:%Y-%m-%d}")

    def run(name: str, out: str, catalog: PlanetaryCatalog, process: subprocess.Popen[str]) -> Row:
        asked(process)
        start, cpu = time.perf_counter(), time.process_time()
        scenes = list(catalog.search(query))
        results = ss.survey(scenes, port, folder / f"{kind}-{out}", catalog=catalog, reference=False)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        if results.failures or len(results.scenes) != n_dates:
            raise SystemExit(f"{len(results.scenes)} of {n_dates} scenes, {results.failures[:1]}")
        sent = asked(process)
        images = [n_bytes for path, n_bytes in sent if path.endswith(".tiff")]
        return Row(
            name=f"{KINDS[kind]}, {1000 * delay_s:g} ms: {name}",
            n_dates=n_dates,
            seconds=seconds,
            cpu_s=cpu,
            n_requests=len(images) / n_dates / 2,
            megabytes=sum(images) / n_dates / 2 / 1e6,
            n_others=(len(sent) - len(images)) / n_dates,
            gigabytes=sum(n_bytes for _, n_bytes in sent) / 1e9,
        )

    shutil.rmtree(cache, ignore_errors=True)
    with served(folder / kind, delay_s) as (address, process):
        rows = [run("one by one", "1", OneByOne(address=address), process)]
    shutil.rmtree(cache)
    with served(folder / kind, delay_s) as (address, process):  # another, for GDAL remembers what it read of the first
        catalog = PlanetaryCatalog(address=address)
        rows.append(run("first time", "2", catalog, process))
        if not is_kept:
            return rows
        for windows in cache.rglob("windows"):
            shutil.rmtree(windows)
        rows.append(run("XML kept", "3", catalog, process))
        rows.append(run("windows kept as well", "4", catalog, process))
        rows.append(run("run again", "4", catalog, process))
    return rows


def report(rows: Sequence[Row], load: float) -> str:
    """The table for the page; the load is that of the machine before."""
    lines = [
        f"A port of {SIDE_KM:g} × {SIDE_KM:g} km (with its margins, and aslant in the image) in scenes of "
        f"{SHAPE[0]:,} × {SHAPE[1]:,} pixels, VV and VH; a server on loopback that answers each request at once or "
        f"late. From the search to the table of counts, each image by itself; comparing them takes nothing more from "
        f"the server. {machine()}; load before it began: {load:.1f}. Seconds grow with the load, requests and bytes "
        f"do not.",
        "",
        "| | dates | seconds | a date | CPU, a date | requests an image | MB an image | other requests a date |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.name} | {row.n_dates} | {row.seconds:.1f} | {row.seconds / row.n_dates:.2f} | "
        f"{row.cpu_s / row.n_dates:.2f} | {row.n_requests:.1f} | "
        f"{row.megabytes:.2f} | {row.n_others:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def port_year(at_once: Sequence[Row], late: Sequence[Row], delay_s: float) -> str:
    """The table of a year's passes beside the targets, for the page."""
    from sarship.catalog.planetary import PlanetaryCatalog

    rows: list[tuple[str, list[str], float | str]] = [
        (f"seconds, {1000 * wait:g} ms a request", [f"{row.seconds:.0f}" for row in measured], target)
        for wait, measured, target in ((0.0, at_once, TARGET_S[0]), (delay_s, late, TARGET_S[1]))
    ]
    n_requests = [row.n_dates * (2 * row.n_requests + row.n_others) for row in late]
    rows.append(("GB", [f"{row.gigabytes:.2f}" for row in late], TARGET_GB))
    rows.append(("requests", [f"{n:,.0f}" for n in n_requests], ""))
    xml_mb = late[0].gigabytes * 1e3 / late[0].n_dates - 2 * late[0].megabytes
    return "\n".join(
        [
            f"The {late[0].n_dates} passes of a year over that port, nothing kept yet:",
            "",
            f"| | one by one | {PlanetaryCatalog.n_parallel} at once | target |",
            "|---|--:|--:|--:|",
            *(f"| {name} | {one} | {together} | {target} |" for name, (one, together), target in rows),
            "",
            f"Of these bytes {xml_mb:.1f} MB a date are XML. It grows with the scene: a real one of two polarisations "
            f"has {real_xml_mb():.1f} MB, and the stores send it as it lies there, not packed.",
        ]
    )


def real_xml_mb() -> float:
    """Megabytes of XML of a real scene that counting reads: manifest and annotation once, tables of each channel."""
    (archive,) = (ROOT / "tests" / "data").glob("*.zip")
    with zipfile.ZipFile(archive) as product:  # of one channel
        sizes = {member.filename: member.file_size for member in product.infolist()}
    tables = sum(size for name, size in sizes.items() if "/calibration/" in name)
    others = sum(size for name, size in sizes.items() if name.endswith((".xml", ".safe"))) - tables
    return (others + 2 * tables) / 1e6


def targets(few: Sequence[Row], at_once: Sequence[Row], late: Sequence[Row]) -> list[tuple[str, float, float]]:
    """What is aimed at, measured, and the target: seconds and bytes of a year, and requests where windows are kept."""
    found = [
        ("GB of a year", late[1].gigabytes, TARGET_GB),
        ("seconds of a year, answered at once", at_once[1].seconds, TARGET_S[0]),
        ("seconds of a year, each answer late", late[1].seconds, TARGET_S[1]),
    ]
    return found + [
        (f"requests an image, {row.name}", row.n_requests, 0.0)
        for row in few
        if "kept as well" in row.name or "again" in row.name
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, serve, count, report; the exit code says whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "DELAY"), help=argparse.SUPPRESS)
    parser.add_argument("--dates", type=int, default=10, help="that are counted with less and less to fetch")
    parser.add_argument("--passes", type=int, default=N_PASSES, help="of the year")
    parser.add_argument("--strip-dates", type=int, default=2, help="of plain strips, which are whole lines each")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds added to each request")
    parser.add_argument("--folder", type=Path, help="where to simulate (kept); a temporary folder if not given")
    parser.add_argument("--print-only", action="store_true", help="leave the page alone")
    args = parser.parse_args(arguments)
    if args.serve:
        serve(Path(args.serve[0]), float(args.serve[1]))
        return 0
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        make_dates(folder / "cog", max(args.dates, args.passes), is_cog=True)
        make_dates(folder / "strips", args.strip_dates, is_cog=False)
        few = [row for delay_s in (0.0, args.delay) for row in measure(folder, "cog", args.dates, delay_s)]
        few += measure(folder, "strips", args.strip_dates, args.delay) if args.strip_dates else []
        year = [measure(folder, "cog", args.passes, delay_s, is_kept=False) for delay_s in (0.0, args.delay)]
    text = "\n\n".join([report(few, load), port_year(year[0], year[1], args.delay)])
    print(text)
    found = targets(few, year[0], year[1])
    for name, value, target in found:
        print(f"{'MISSED' if value > target else 'met'}: {name}: {value:.2f}, target {target:g}")
    if not args.print_only:
        write_between(PAGE, "window", text)
    return int(any(value > target for _, value, target in found))


if __name__ == "__main__":
    sys.exit(main())
