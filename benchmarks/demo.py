"""What `sarship demo` prints and how long it takes, beside what other seeds of it give.

`python -m benchmarks.demo` runs the command twice, first without any compiled code, then the demo with its own seed and
four more, in folders that are thrown away; `--write` puts the tables into docs/piers.md, and the times into the README,
with the pictures of the second run in docs/img. `--first-only` leaves the other seeds and their table out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from benchmarks.full_scene import machine
from benchmarks.pages import ROOT, write_between
from sarship.pipeline.demo import DemoOutcome, run_demo
from sarship.report import serve_editor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SEEDS: Final = range(5)
"""The first is the demo's own."""
PAGE: Final = "S1A*20260505*.png"
"""The newest date, which the README shows."""
PAGE_PART: Final = 0.501
"""Part of that page that is shown: the maps, and the close-ups of two of its six piers."""
PAGE_WIDTH: Final = 1400
REPORT_WIDTH, REPORT_HEIGHT, EDITOR_HEIGHT = 1180, 1010, 680


def dates_of(outcome: DemoOutcome) -> str:
    """Counted / true of each date and pier, as Markdown."""
    counted, true = outcome.counts["n_vessels"].to_numpy(), outcome.truth.to_numpy()
    dates = pd.DatetimeIndex(outcome.counts["time"].to_numpy()).strftime("%Y-%m-%d")
    piers = outcome.counts["pier"].to_numpy().tolist()
    lines = ["| counted / true | " + " | ".join(piers) + " |", "|---|" + "--:|" * len(piers)]
    for date, found, known in zip(dates, counted, true, strict=True):
        pairs = [f"{n:.0f} / {m:.0f}" for n, m in zip(found, known, strict=True)]
        lines.append(f"| {date} | " + " | ".join(pairs) + " |")
    return "\n".join(lines)


def row_of(seed: int, outcome: DemoOutcome) -> str:
    """One line of the second table: what the demo's last lines say."""
    error, counted = outcome.error.to_numpy(), np.nansum(outcome.counts["n_vessels"])
    figures = f"{counted:.0f} | {outcome.truth.sum().item():.0f} | {np.nanmean(np.abs(error)):.2f}"
    return f"| {seed} | {figures} | {np.nanmean(error):+.2f} |"


def time_command(folder: Path) -> list[tuple[float, float]]:
    """Seconds, and seconds of the processors, of the command without compiled code and with it; its files stay."""
    told = []
    kept = {"NUMBA_CACHE_DIR": str(folder / "numba"), "MPLCONFIGDIR": str(folder / "matplotlib")}
    for _ in range(2):
        start, before = time.perf_counter(), os.times()
        command = [sys.executable, "-m", "sarship", "demo", "--out", str(folder / "demo")]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | kept, stdout=subprocess.DEVNULL)
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        told.append((time.perf_counter() - start, cpu))
    return told


def times_text(told: list[tuple[float, float]], load: float) -> str:
    """The times as a sentence."""
    (cold, cold_cpu), (warm, warm_cpu) = told
    return (
        f"`sarship demo` takes {cold:.0f} s the first time, when it compiles, and {warm:.0f} s again "
        f"({cold_cpu:.0f} and {warm_cpu:.0f} s of processor time; {machine()}; load before it began: {load:.1f})."
    )


def write_pictures(demo: Path) -> None:
    """Put the pictures of a demo where the README shows them; of a page and the report the top, in JPEG."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    images = ROOT / "docs" / "img"
    for name in ("counts.png", "visits.png"):
        shutil.copy(demo / name, images / name)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        report = browser.new_page(viewport={"width": REPORT_WIDTH, "height": REPORT_HEIGHT})
        report.goto((demo / "report.html").as_uri())
        report.wait_for_timeout(1000)  # its series are drawn
        report.screenshot(path=images / "report.jpg", quality=82)
        write_editor_picture(demo, images / "editor.jpg", browser)
        browser.close()
    with Image.open(next((demo / "pages").glob(PAGE))) as page:
        width, height = page.size
        top = page.convert("RGB").crop((0, 0, width, round(PAGE_PART * height)))
    top.resize((PAGE_WIDTH, round(PAGE_WIDTH * top.height / width))).save(images / "page.jpg", quality=82)


def write_editor_picture(demo: Path, path: Path, browser: Browser) -> None:
    """Take a picture of the editor of the demo's port, with the first pier chosen and one of its corners dragged."""
    with TemporaryDirectory() as folder:
        port = Path(shutil.copy(next((demo / "products").glob("*.geojson")), folder))
        with serve_editor(port, survey=demo) as edited:
            page = browser.new_page(viewport={"width": REPORT_WIDTH, "height": EDITOR_HEIGHT})
            page.goto(edited.address)
            page.get_by_role("button", name="Container quay").click()
            page.wait_for_timeout(1000)  # the map glides there
            corner = page.get_by_role("button", name="Corner 1 of").bounding_box()
            assert corner is not None
            x, y = corner["x"] + corner["width"] / 2, corner["y"] + corner["height"] / 2
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x - 40, y + 50, steps=5)
            page.mouse.up()
            page.screenshot(path=path, quality=82)
            page.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put tables, times and pictures into the pages")
    parser.add_argument("--first-only", action="store_true", help="time the command, and leave other seeds out")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        said = times_text(time_command(Path(folder)), load)
        print(said)
        if options.write:
            write_between(ROOT / "README.md", "demo", said)
            write_pictures(Path(folder) / "demo")
    if options.first_only:
        return 0
    lines = ["| seed | counted | true | mean absolute error a pier and date | bias |", "|--:|--:|--:|--:|--:|"]
    first = ""
    for seed in SEEDS:
        with TemporaryDirectory() as folder:
            outcome = run_demo(Path(folder) / "demo", seed=seed)
            first = first or dates_of(outcome)
            lines.append(row_of(seed, outcome))
    text = "\n".join([first, "", *lines])
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "piers.md", "demo", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
