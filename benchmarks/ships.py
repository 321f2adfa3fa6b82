"""Whether ships are found: alone against their contrast, beside others, with and without censoring.

`python -m benchmarks.ships` lays ships into seeded clutter, searches it, writes the tables between the markers in
docs/cfar.md and the pictures into docs/img. A detector that knows the clutter's distribution and level is the ideal;
how many decibels more another needs to find half of the ships is its loss. `--quick` takes a few ships and writes
nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import special

from benchmarks.pages import ROOT, write_between
from benchmarks.seas import ENL, LOG_DEVIATION, WEIBULL_SHAPE, Draw, Image, gamma, lognormal, textured, weibull
from sarship import cfar
from sarship.cfar import CfarParams, k_distribution
from sarship.cfar.thresholds import threshold_factor

PAGE: Final = ROOT / "docs" / "cfar.md"
SIDE: Final = 2500
PFA: Final = 1e-6
CONTRASTS_DB: Final = np.arange(0.0, 21.0)
SIZES: Final = {1: (1, 1), 4: (2, 2), 20: (2, 10)}
SPACING: Final = 64
GROUP_SPACING: Final = 160
AT_ANCHOR: Final = 8
APART: Final = 15

TEXTURE: Final = 3.0
"""Order of the K distribution's texture."""

Way = dict[str, Any]


WAYS: Final[dict[str, Way]] = {
    "gamma": {},
    "gamma, GOCA": {"average": "goca"},
    "gamma, SOCA": {"average": "soca"},
    "gamma, OS": {"average": "os"},
    "k": {"clutter_model": "k"},
    "lognormal": {"clutter_model": "lognormal"},
    "weibull": {"clutter_model": "weibull"},
    "gaussian": {"clutter_model": "gaussian"},
}
SEAS: Final[dict[str, tuple[Draw, float, dict[str, Way]]]] = {
    f"gamma, {ENL} looks": (
        partial(gamma, ENL),
        float(threshold_factor("gamma", PFA, enl=ENL, count=1e12)),
        {name: way for name, way in WAYS.items() if name not in {"weibull", "gaussian"}},
    ),
    f"K, shape {TEXTURE:g}, {ENL} looks": (
        partial(textured, TEXTURE),
        float(k_distribution.factor_of(PFA, TEXTURE, ENL)),
        {"k": WAYS["k"], "k, shape given": {"clutter_model": "k", "clutter_shape": TEXTURE}},
    ),
    f"lognormal, deviation {LOG_DEVIATION}": (
        lognormal,
        float(np.exp(-LOG_DEVIATION * special.ndtri(PFA))),
        {"lognormal": WAYS["lognormal"]},
    ),
    f"Weibull, shape {WEIBULL_SHAPE}": (
        weibull,
        float((-np.log(PFA)) ** (1 / WEIBULL_SHAPE)),
        {"weibull": WAYS["weibull"]},
    ),
}
"""Clutter, the ideal threshold in it, and the detectors whose rate it holds."""


def corners(side: int, spacing: int) -> NDArray[np.int64]:
    return np.arange(spacing // 2, side - spacing // 2, spacing)


def part_found(image: Image, search: Callable[[Image], NDArray[np.bool_]], size: tuple[int, int]) -> float:
    """Part of the ships on the grid with a hit among their pixels."""
    mask, places = search(image), corners(image.shape[0], SPACING)
    hit = np.zeros((places.size, places.size), np.bool_)
    for line, pixel in np.ndindex(size):
        hit |= mask[np.ix_(places + line, places + pixel)]
    return float(hit.mean())


def curves(draw: Draw, ideal: float, ways: dict[str, Way], size: tuple[int, int], side: int) -> dict[str, list[float]]:
    """Part of ships found at each contrast, for the ideal detector and some ways."""
    sea, places = draw(np.random.default_rng(7), side), corners(side, SPACING)
    level = float(sea.mean())
    rates: dict[str, list[float]] = {name: [] for name in ("ideal", *ways)}
    for contrast in CONTRASTS_DB:
        image = sea.copy()
        speckle = np.random.default_rng(8)
        for line, pixel in np.ndindex(size):
            ship = speckle.standard_gamma(ENL, (places.size, places.size)) / ENL
            image[np.ix_(places + line, places + pixel)] += (ship * level * 10 ** (contrast / 10)).astype(np.float32)
        rates["ideal"].append(part_found(image, lambda seen: seen > ideal, size))
        for name, way in ways.items():
            params = CfarParams(pfa=PFA, enl=ENL, **way)
            rates[name].append(part_found(image, searching(params), size))
    return rates


def searching(params: CfarParams) -> Callable[[NDArray[np.float32]], NDArray[np.bool_]]:
    """The search of an image with some parameters."""
    return lambda image: cfar.mask(image, params)


def needed_db(rates: list[float], part: float = 0.5) -> float:
    """Contrast at which a part of the ships is found."""
    return float(np.interp(part, np.maximum.accumulate(rates), CONTRASTS_DB, left=np.nan, right=np.nan))


def single_ships(side: int) -> tuple[list[str], Figure]:
    lines = ["| clutter | detector |" + "".join(f" {n} px |" for n in SIZES), "|---|---|" + "--:|" * len(SIZES)]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(SIZES), sharey=True)
    for sea, (draw, ideal, ways) in SEAS.items():
        found = {n: curves(draw, ideal, ways, size, side) for n, size in SIZES.items()}
        best = {n: needed_db(rates["ideal"]) for n, rates in found.items()}
        lines.append(f"| {sea} | ideal, dB |" + "".join(f" {best[n]:.1f} |" for n in SIZES))
        lines += [
            f"| | {name}, loss |" + "".join(f" {needed_db(found[n][name]) - best[n]:.2f} |" for n in SIZES)
            for name in ways
        ]
        if draw is SEAS[next(iter(SEAS))][0]:
            for axes, (n, rates) in zip(panels, found.items(), strict=True):
                draw_curves(axes, rates)
                axes.set(xlabel="ship over sea, dB", title=f"ship of {n} pixel{'s' if n > 1 else ''}")
    panels[0].set_ylabel("part of ships with a hit")
    panels[-1].legend(fontsize=8)
    return lines, figure


def draw_curves(axes: Axes, rates: dict[str, list[float]]) -> None:
    for name, values in rates.items():
        axes.plot(CONTRASTS_DB, values, "k--" if name == "ideal" else "-", label=name)


def groups(side: int, n_ships: int, weak_db: float, strong_db: float) -> tuple[Image, NDArray[np.int64]]:
    """Rows of ships of 3 × 6 pixels, 15 pixels apart, the first of `strong_db`; and where those wanted are."""
    rng = np.random.default_rng(9)
    image = gamma(ENL, rng, side)
    places = []
    for line in corners(side, GROUP_SPACING):
        for pixel in corners(side, GROUP_SPACING):
            for k in range(n_ships):
                contrast = strong_db if k == 0 else weak_db
                ship = rng.standard_gamma(ENL, (3, 6)) / ENL * 10 ** (contrast / 10)
                here = line, pixel + (k - n_ships // 2) * APART
                image[here[0] : here[0] + 3, here[1] : here[1] + 6] += ship.astype(np.float32)
                if k > 0 or n_ships > 2:
                    places.append(here)
    return image, np.array(places)


def many_ships(side: int) -> tuple[list[str], Figure]:
    """What censoring finds: a ship 15 pixels from one of 25 dB, and eight alike in a row."""
    cases = {"two ships, the other of 25 dB": (2, 25.0), f"{AT_ANCHOR} at anchor": (AT_ANCHOR, None)}
    shown = (3.0, 5.0, 8.0, 11.0, 15.0)
    lines = [
        "| case | detector | iterations |" + "".join(f" {db:g} dB |" for db in shown),
        "|---|---|--:|" + "--:|" * len(shown),
    ]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(cases), sharey=True)
    ways = {name: WAYS[name] for name in ("gamma", "gamma, SOCA", "gamma, OS", "lognormal")}
    for axes, (case, (n_ships, strong)) in zip(panels, cases.items(), strict=True):
        found: dict[tuple[str, int], list[float]] = {}
        for contrast in CONTRASTS_DB:
            image, places = groups(side, n_ships, contrast, contrast if strong is None else strong)
            for name, way in ways.items():
                for iterations in (1, 3):
                    mask = cfar.mask(image, CfarParams(pfa=PFA, enl=ENL, iterations=iterations, **way))
                    hit = [mask[line : line + 3, pixel : pixel + 6].any() for line, pixel in places]
                    found.setdefault((name, iterations), []).append(float(np.mean(hit)))
        for number, name in enumerate(ways):
            for iterations, style in ((1, "--"), (3, "-")):
                label = f"{name}, {iterations} iteration{'s' if iterations > 1 else ''}"
                axes.plot(CONTRASTS_DB, found[name, iterations], style, color=f"C{number}", label=label)
                values = [found[name, iterations][int(np.argmin(np.abs(CONTRASTS_DB - db)))] for db in shown]
                lines.append(f"| {case} | {name} | {iterations} |" + "".join(f" {value:.2f} |" for value in values))
        axes.set(xlabel="ship over sea, dB", title=case)
    panels[0].set_ylabel("part of ships with a hit")
    panels[-1].legend(fontsize=8)
    return lines, figure


def main() -> None:
    """Measure, draw, and write the page's tables at full size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few ships, nothing written")
    is_quick, begin = parser.parse_args().quick, time.perf_counter()
    side = 600 if is_quick else SIDE
    alone, first = single_ships(side)
    print("\n".join(alone), flush=True)
    beside, second = many_ships(side)
    print("\n".join(beside))
    if not is_quick:
        first.savefig(ROOT / "docs" / "img" / "detection_rates.png", dpi=110)
        second.savefig(ROOT / "docs" / "img" / "many_ships.png", dpi=110)
        write_between(PAGE, "ships", "\n".join(alone))
        write_between(PAGE, "many_ships", "\n".join(beside))
    print(f"took {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
