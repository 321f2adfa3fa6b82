"""CFAR here and by what users would pick instead: speed, memory, and whether the answer is right.

`python -m benchmarks.compare` searches one seeded image by every method, each in a process of its own and in its best
form (tiles that fit the cache, as many threads as cores, compiled beforehand), and writes the table between the
markers in README.md. `--side 4000` takes a smaller image and writes nothing.

The image: 4.4-look sea whose level rises across it, bright land over its last tenth, ships of two by two pixels.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import ROOT, write_between
from benchmarks.rivals import (
    ENL,
    GUARD,
    OUTER,
    PFA,
    TILE,
    Image,
    Places,
    opencv,
    opencv_two_parameters,
    scipy_filter,
    summed_area,
    tiles,
)
from sarship import cfar
from sarship.cfar.params import ClutterModel, RingAverage

REPEATS: Final = 3
SHIP_DB: Final = 18.0
FLATNESS: Final = ((2000, 10, 20), (10_000, 10, 20), (10_000, 40, 80), (20_500, 10, 20))
"""Side of an image, half-widths of the guard and of the whole ring: what the speed should not depend on."""
LAND: Final = 0.9
"""Part of the image's width that is sea."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method did."""

    seconds: float
    peak_mb: float
    hits: Places


def make_image(side: int, seed: int = 0) -> tuple[NDArray[np.uint16], Places]:
    """Sea, land and ships as digital numbers, and the flat indices of the ships' first pixels."""
    rng = np.random.default_rng(seed)
    level = np.linspace(1, 3, side) * 1e4
    level[int(side * LAND) :] = 4e8
    image = np.empty((side, side), np.uint16)
    for start in range(0, side, 500):
        power = rng.gamma(ENL, level / ENL, (min(500, side - start), side))
        image[start : start + 500] = np.minimum(np.sqrt(power), 65_535)
    grid = np.arange(60, side - 60, 120)
    lines, pixels = (axis.ravel() for axis in np.meshgrid(grid, grid[grid < side * LAND - 60], indexing="ij"))
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        image[lines + dy, pixels + dx] = np.sqrt(level[pixels] * 10 ** (SHIP_DB / 10))
    return image, lines * side + pixels


def ours(clutter_model: ClutterModel, average: RingAverage = "ca") -> Callable[[Image], Places]:
    """`sarship.cfar.detect` under a clutter model, with an average of the ring."""

    def run(image: Image) -> Places:
        # the land is not masked, on purpose: sums have to stay right beside it
        params = cfar.CfarParams(
            pfa=PFA,
            guard=GUARD,
            training=OUTER - GUARD,
            enl=ENL,
            clutter_model=clutter_model,
            average=average,
            max_hits=10**8,
        )
        hits = cfar.detect(image, params)
        return np.asarray(hits.line * image.shape[1] + hits.pixel)

    return run


def copy(image: Image) -> Places:
    """The limit that memory sets: every pixel read and written once."""
    np.copyto(_spare(image.shape, image.dtype.str), image)
    return np.empty(0, np.int64)


@cache
def _spare(shape: tuple[int, ...], kind: str) -> Image:
    return np.zeros(shape, kind)


def methods() -> dict[str, tuple[str, Callable[[Image], Places]]]:
    """Name → (type of the image, method) for all that can run here."""
    found: dict[str, tuple[str, Callable[[Image], Places]]] = {"np.copyto (the limit)": ("uint16", copy)}
    for clutter_model in get_args(ClutterModel):
        for kind in ("uint16", "float32"):
            found[f"sarship {clutter_model}, {kind}"] = (kind, ours(clutter_model))
    for average in get_args(RingAverage)[1:]:
        for kind in ("uint16", "float32"):
            found[f"sarship gamma, {average.upper()}, {kind}"] = (kind, ours("gamma", average))
    with suppress(ImportError):
        import_module("cv2")
        for kind in ("uint16", "float32"):
            found[f"OpenCV boxFilter, gamma threshold, {kind}"] = (kind, tiles(opencv))
            found[f"OpenCV boxFilter, two parameters, {kind}"] = (kind, tiles(opencv_two_parameters))
    found["SciPy uniform_filter, gamma threshold"] = ("float32", tiles(scipy_filter))
    found["summed-area table, float64"] = ("float32", tiles(summed_area))
    return found


def _measure(name: str, side: int) -> Outcome:
    """One method in this process: the fastest of some runs, and the memory of the first beyond the image."""
    kind, search = methods()[name]
    image, _ = make_image(side)
    if kind == "float32":
        image = image.astype(np.float32)
        image *= image
    search(image[: TILE[0]])  # compiles, loads libraries, starts threads
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = memory_mb("VmRSS")
    search(image)
    peak_mb = memory_mb("VmHWM") - before
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        hits = search(image)
        seconds.append(time.perf_counter() - begin)
    return Outcome(min(seconds), peak_mb, hits)


def _speed(side: int, clutter_model: ClutterModel, guard: int, outer: int) -> float:
    """Mpx/s of a clutter model and window in this process, on digital numbers."""
    image, _ = make_image(side)
    params = cfar.CfarParams(
        pfa=PFA, guard=guard, training=outer - guard, enl=ENL, clutter_model=clutter_model, max_hits=10**8
    )
    cfar.detect(image[: TILE[0]], params)
    seconds = []
    for _ in range(max(REPEATS, 10**8 // side**2)):
        begin = time.perf_counter()
        cfar.detect(image, params)
        seconds.append(time.perf_counter() - begin)
    return float(side**2 / min(seconds) / 1e6)


def flatness() -> str:
    """How the speed depends on the window and the image's size, in Markdown."""
    lines = ["| Mpx/s on uint16 | window | gamma | k |", "|---|---|--:|--:|"]
    context = multiprocessing.get_context("spawn")
    for side, guard, outer in FLATNESS:
        speeds = []
        for clutter_model in ("gamma", "k"):
            with context.Pool(1) as pool:
                speeds.append(pool.apply(_speed, (side, clutter_model, guard, outer)))
        row = " | ".join(f"{speed:,.0f}" for speed in speeds)
        lines.append(f"| {side**2 / 1e6:,.0f} million pixels | {guard}/{outer} | {row} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def memory_mb(field: str) -> float:
    """A figure of this process's memory."""
    match = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(match[1]) / 1e3 if match else float("nan")


def rows(side: int) -> Iterator[tuple[str, Outcome]]:
    """Measure every method in a process of its own, one after the other."""
    context = multiprocessing.get_context("spawn")
    for name in methods():
        with context.Pool(1) as pool:
            yield name, pool.apply(_measure, (name, side))


def table(side: int) -> str:
    """Run everything and write the table in Markdown."""
    image, ships = make_image(side)
    exact = tiles(lambda part: summed_area(part, np.int64))(image)
    is_sea = np.arange(side) < int(side * LAND) - OUTER
    near = (ships[:, None] + np.array([0, 1, side, side + 1])).ravel()
    n_sea = side * int(is_sea.sum()) - near.size
    lines = [
        f"{side:,} × {side:,} pixels, ring {GUARD}/{OUTER}, pfa {PFA:g}, {os.cpu_count()} cores "
        f"({platform.machine()}), numba {version('numba')}, NumPy {version('numpy')}, {len(ships):,} ships. "
        "False hits are those at sea away from ships; *wrong* are pixels decided otherwise than by exact sums.",
        "",
        "| method | Mpx/s | memory beyond the image, MB | ships missed | false hits | over nominal | wrong |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, outcome in rows(side):
        speed = f"| {name} | {side**2 / outcome.seconds / 1e6:,.0f} | {max(outcome.peak_mb, 0):,.0f} |"
        if name.startswith("np."):
            lines.append(f"{speed} | | | |")
            continue
        n_missed = len(ships) - np.isin(ships, outcome.hits).sum()
        n_false = int((is_sea[outcome.hits % side] & ~np.isin(outcome.hits, near)).sum())
        wrong = (
            ""
            if "two" in name
            or "GOCA" in name
            or "SOCA" in name
            or "OS" in name
            or ("sarship" in name and "gamma" not in name)
            else f"{len(np.setxor1d(exact, outcome.hits)):,}"
        )
        lines.append(f"{speed} {n_missed:,} | {n_false:,} | {n_false / (PFA * n_sea):.2f} | {wrong} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the README's table at full size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=10_000, help="pixels of the image's side; only 10000 is written")
    side = parser.parse_args().side
    begin = time.perf_counter()
    text = table(side)
    if side == 10_000:
        text += "\n\n" + flatness()
    print(text)
    print(f"took {time.perf_counter() - begin:.0f} s")
    if side == 10_000:
        write_between(ROOT / "README.md", "compare", text)


if __name__ == "__main__":
    main()
