"""Size of the report page and the time to make it, for a port of twelve piers over sixty dates.

`python -m benchmarks.report_page` makes the folder of such a survey from drawn tables and images (no product is
searched: only the page is measured), writes its page and prints a line, which goes into docs/howto/report_page.md.
`make_survey` is also what the tests of the page read.
"""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from benchmarks.pages import ROOT, write_between
from sarship import __version__
from sarship.change.reference import fit_reference
from sarship.detection.params import DetectionParams
from sarship.files import safe_name
from sarship.pipeline import Failure, Provenance, Results, write_results
from sarship.pipeline.second_pass import reference_file, stack_folder
from sarship.port.grid import PortGrid
from sarship.port.stack import add_scene, read_stack, write_reference
from sarship.report import write_report
from sarship.schema import COVERAGE, SCENES, VESSELS, WGS84

ORBIT: Final = 87
FIRST: Final = datetime(2024, 3, 1, 15, 42, 10, tzinfo=UTC)
ENL: Final = 4.4
SEA, QUAY, SHIP = 0.02, 0.3, 6.0
"""Sigma nought of water, quays and ships."""
APART_DEG: Final = 0.0045
"""From a pier to the next one south of it."""


def make_survey(
    folder: Path, *, n_dates: int = 12, n_piers: int = 2, name: str = "Drawn port", with_map: bool = True
) -> Results:
    """Write the folder of a survey whose first pier empties half-way, and return its results.

    The scenes are marked as simulated. One product failed, and the last pier was not seen on the second pass.
    """
    rng = np.random.default_rng(0)
    quays = [
        shapely.LineString([(35.86, 34.90 - APART_DEG * k), (35.866, 34.90 - APART_DEG * k)]) for k in range(n_piers)
    ]
    piers = gpd.GeoDataFrame(
        {"name": [f"Quay {k + 1}" for k in range(n_piers)], "kind": "pier", "max_distance_m": 60.0},
        geometry=quays,
        crs=WGS84,
    )
    starts = [FIRST + timedelta(days=12 * k) for k in range(n_dates)]
    names = [f"S1A_IW_GRDH_1SDV_{when:%Y%m%dT%H%M%S}_{k:06d}" for k, when in enumerate(starts)]
    scenes = _scenes(names, starts, piers.union_all().envelope)
    vessels = _vessels(names, starts, piers, rng)
    results = Results(
        vessels=vessels,
        scenes=scenes,
        coverage=_coverage(names, piers),
        piers=piers,
        provenance=Provenance(
            version=__version__,
            parameters=DetectionParams(),
            port=name,
            scenes=tuple(names),
            created=datetime(2025, 1, 1, tzinfo=UTC),
            is_simulated=True,
        ),
        failures=(Failure(path="/home/somebody/S1A_broken.SAFE", message="it is empty; fetch it again"),),
        sources={one: f"/home/somebody/{one}.SAFE" for one in names},
    )
    write_results(results, folder)
    if with_map:
        _draw_stack(folder, results, starts, rng)
    return results


def _scenes(names: list[str], starts: list[datetime], area: Any) -> gpd.GeoDataFrame:
    n = len(names)
    columns: dict[str, object] = {
        "scene": names, "platform": ["S1A"] * n, "mode": ["IW"] * n, "product_type": ["GRDH"] * n,
        "polarizations": ["VV VH"] * n, "start": starts, "stop": [when + timedelta(seconds=25) for when in starts],
        "absolute_orbit": [52_000 + 175 * k for k in range(n)], "relative_orbit": [ORBIT] * n,
        "orbit_pass": ["ascending"] * n, "has_noise": [True] * n, "land_is_masked": [True] * n,
    }  # fmt: skip
    return SCENES.make(columns, [area] * n)


def _coverage(names: list[str], piers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    rows = [(scene, pier, shape) for scene in names for pier, shape in zip(piers["name"], piers.geometry, strict=True)]
    hidden = [scene == names[1] and pier == piers["name"].iloc[-1] for scene, pier, _ in rows]
    columns: dict[str, object] = {
        "scene": [scene for scene, _, _ in rows],
        "pier": [pier for _, pier, _ in rows],
        "seen": [0.2 if is_hidden else 1.0 for is_hidden in hidden],
        "detectable_length_m": [22.0] * len(rows),
        "incidence_deg": [38.0] * len(rows),
        "n_reference_dates": [16] * len(rows),
    }
    return COVERAGE.make(columns, [shape.buffer(1e-4) for _, _, shape in rows])


def _vessels(
    names: list[str], starts: list[datetime], piers: gpd.GeoDataFrame, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    rows: list[dict[str, Any]] = []
    for k, (scene, when) in enumerate(zip(names, starts, strict=True)):
        for j, quay in enumerate(piers.geometry):
            is_empty = j == 0 and k >= len(names) // 2
            for berth in range(4):
                if is_empty or rng.random() > 0.75:
                    continue
                west, south, east, _ = quay.bounds
                chance = float(rng.choice([1.0, 0.9, 0.3], p=[0.7, 0.2, 0.1]))
                rows.append(
                    {
                        "vessel": f"{scene}/{len(rows)}", "scene": scene, "time": pd.Timestamp(when),
                        "longitude": west + (east - west) * (berth + 0.5) / 4, "latitude": south + 0.0003,
                        "line": 0.0, "pixel": 0.0, "length_m": float(rng.uniform(40, 130)), "length_error_m": 12.0,
                        "width_m": 18.0, "width_error_m": 5.0, "heading_deg": 90.0, "heading_error_deg": 4.0,
                        "n_vessels": int(chance > 0.5), "n_low": int(chance > 0.95), "n_high": 1,
                        "confidence": chance, "n_hits": 20, "score": 8.0, "sigma0_co": 5.0, "sigma0_cross": 1.0,
                        "evidence": "both", "flag": "", "flag_source": None, "is_edge": False,
                        "pier": piers["name"].iloc[j], "distance_m": 20.0,
                        "incidence_deg": 38.0, "flight_deg": 348.0, "shift_s": 113.0,
                    }
                )  # fmt: skip
    columns: dict[str, object] = {column.name: [row[column.name] for row in rows] for column in VESSELS.columns}
    return VESSELS.make(columns, [shapely.Point(row["longitude"], row["latitude"]) for row in rows])


def _draw_stack(folder: Path, results: Results, starts: list[datetime], rng: np.random.Generator) -> None:
    """Write images of the passes on the port's grid, and the empty port that a few of them show."""
    quays = results.piers.union_all()
    grid = PortGrid.around(quays)
    level = np.where(grid.covers(quays, 12), QUAY, SEA)
    stack = stack_folder(folder, grid)
    scenes = results.provenance.scenes
    for scene, when in zip(scenes, starts, strict=True):
        here = results.vessels[results.vessels["scene"] == scene]
        power: NDArray[np.float64] = np.where(grid.covers(here.union_all(), 20), SHIP, level) if len(here) else level
        speckle = rng.gamma(ENL, 1 / ENL, (1, *grid.shape))
        image = grid.image(
            np.asarray(power * speckle, np.float32), ["VV"], time=np.datetime64(when.replace(tzinfo=None), "ns"),
            scene=scene, platform="S1A", relative_orbit=ORBIT, orbit_pass="ascending", incidence=38.0,
        )  # fmt: skip
        add_scene(stack, safe_name(scene), image)
    path = reference_file(folder, ORBIT)
    path.parent.mkdir()
    write_reference(fit_reference(read_stack(stack, scenes=scenes[-6:]), piers=quays), path)


def first_paint_s(page: Path) -> float:
    """Return how long Chromium takes to show the first of a page, offline, seconds."""
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as driver,
        driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        ) as browser,
    ):
        shown = browser.new_context(offline=True).new_page()
        shown.goto(page.as_uri())
        return float(shown.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1000


def main() -> None:
    """Make the page of sixty dates and twelve piers, and print its size and the time it took."""
    with TemporaryDirectory() as place:
        results = make_survey(Path(place), n_dates=60, n_piers=12)
        began, used = time.perf_counter(), time.process_time()
        page = write_report(place)
        took, used = time.perf_counter() - began, time.process_time() - used
        size = page.stat().st_size / 1e6
        painted = first_paint_s(page)
    made = f"{size:.1f} MB, made in {took:.0f} s ({used:.0f} s of CPU); first paint in Chromium after {painted:.1f} s"
    said = f"60 dates, 12 piers, {len(results.vessels)} vessels: {made}"
    print(said)
    write_between(ROOT / "docs" / "howto" / "report_page.md", "report-page", said)


if __name__ == "__main__":
    main()
