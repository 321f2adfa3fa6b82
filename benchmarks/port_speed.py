"""What a port costs: fitting the empty port of sixty dates, counting one more date against it, and whole surveys.

`python -m benchmarks.port_speed --folder FOLDER` takes the harbour of seed 11 of `benchmarks.port_accuracy` (or makes
it), both polarisations of 8 by 8 km; `--write` puts the table into docs/change_detection.md. An orbit has 36 dates; the
first of them come a second time, a year later, to make sixty. Each part runs in a process of its own. Surveys are those
of `sarship count --no-pictures`, imports and tables with them, of the first sixty dates of both orbits.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import xarray as xr

from benchmarks.full_scene import machine
from benchmarks.pages import ROOT, write_between
from benchmarks.port_accuracy import N_DATES, USUAL, Case, open_cases
from sarship.change.reference import fit_reference
from sarship.pipeline.one_scene import search_against
from sarship.port.grid import to_port_grid

SEED: Final = 11
N_FITTED: Final = 60
ROUNDS: Final = 3
TARGETS: Final = {"fit": "4 s, 1 GB", "date": "0.2 s"}


def _fit(case: Case) -> list[float]:
    """Seconds of fitting sixty dates: by the clock, of the processor."""
    stack, n_more = case.stack, N_FITTED - case.stack.sizes["time"]
    again = stack.isel(time=slice(0, n_more))
    again = again.assign_coords(time=again["time"] + np.timedelta64(365, "D"))
    sixty = xr.concat([stack, again], "time")
    return _timed(lambda: fit_reference(sixty, land=case.port.land, piers=case.quays))


def _date(case: Case) -> list[float]:
    """The same of a date, from the grid to what is counted; the median of all dates that are counted."""
    stack = case.stack.isel(time=slice(0, USUAL))
    reference = fit_reference(stack, land=case.port.land, piers=case.quays)

    def count(date: int) -> None:
        image = to_port_grid(case.products[date], case.grid)
        search_against(reference, image, case.products[date], case.plan)

    count(case.counted[0])  # compiled, and its window in the page cache
    times = [_timed(partial(count, date)) for _ in range(ROUNDS) for date in case.counted]
    return [float(value) for value in np.median(times, axis=0)]


def _timed(call: Callable[[], object]) -> list[float]:
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return [time.perf_counter() - clock, time.process_time() - processor]


def run(job: tuple[Path, str]) -> list[float]:
    """Seconds by the clock and of the processor, and the largest memory of the process, GB."""
    folder, what = job
    case = next(open_cases(folder, SEED, N_DATES, 0))
    took = {"fit": _fit, "date": _date}[what](case)
    return [*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]


def surveys(harbour: Path) -> Iterator[tuple[str, list[float], str]]:
    """Yield the name, the costs as those of `run`, and the target of surveys by the command."""
    products = sorted(map(str, harbour.glob("*.SAFE")), key=lambda path: Path(path).name.split("_")[4])[:N_FITTED]
    with TemporaryDirectory() as place:
        whole, fewer = Path(place, "whole"), Path(place, "fewer")
        yield f"survey of {N_FITTED} dates, one worker", _count(harbour, products, fewer, "--workers=1"), ""
        yield f"survey of {N_FITTED} dates, a worker a processor", _count(harbour, products, whole), "12 s, 0.7 GB"
        yield "the same again, all of it there", _count(harbour, products, whole), ""
        saved = [f"--reference={path}" for path in sorted(whole.glob("references/*.nc"))]
        alone = Path(place, "alone")
        _count(harbour, products[:2], alone, *saved)
        yield "one more date, against references that were saved", _count(harbour, products[:3], alone, *saved), "2.5 s"


def _count(harbour: Path, products: Sequence[str], out: Path, *options: str) -> list[float]:
    """Seconds by the clock and of the processors, and the largest memory of a process, GB, of the command."""
    command = [sys.executable, "-m", "sarship", "count", str(harbour / "port.geojson"), *products, "--no-pictures"]
    clock = time.perf_counter()
    process = subprocess.Popen([*command, "--out", str(out), *options], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - clock
    if status:
        raise RuntimeError(f"sarship count ended with {os.waitstatus_to_exitcode(status)}")
    return [took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where harbours are, or are made")
    parser.add_argument("--write", action="store_true", help="put the table into docs/change_detection.md")
    options = parser.parse_args(arguments)
    next(open_cases(options.folder, SEED, N_DATES, 0))
    lines = [f"{machine()}; 8 by 8 km at 10 m, both polarisations.", ""]
    lines += ["| | s | s of processor | memory at most, GB | target |", "|---|--:|--:|--:|---|"]
    names = {"fit": f"fit the empty port of {N_FITTED} dates", "date": "grid, search and measure one more date"}
    for what, name in names.items():
        with get_context("spawn").Pool(1) as pool:
            clock, processor, memory = pool.map(run, [(options.folder, what)])[0]
        lines.append(f"| {name} | {clock:.2f} | {processor:.2f} | {memory:.2f} | {TARGETS[what]} |")
    for name, (clock, processor, memory), target in surveys(options.folder / str(SEED)):
        lines.append(f"| {name} | {clock:.1f} | {processor:.1f} | {memory:.2f} | {target} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "change_detection.md", "port_speed", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
