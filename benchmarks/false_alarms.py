"""False-alarm rates of the detectors, measured over nominal, for each clutter model on clutter of its own.

`python -m benchmarks.false_alarms` draws seeded clutter, 208 million pixels of each kind, searches it, writes the table
of clutter models between the markers in README.md, that of averages, edges, masks and steps in docs/cfar.md, and a
picture into docs/img. Everything the detector needs is estimated from the ring; only the ENL is given, and how far
pixels are correlated is measured on a part of the clutter. `--quick` takes a hundredth of the pixels and writes
nothing. The whole takes about 25 minutes on two cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from matplotlib.figure import Figure

from benchmarks import seas
from benchmarks.pages import ROOT, write_between
from benchmarks.seas import CORRELATED_ENL, ENL, LOG_DEVIATION, WEIBULL_SHAPE, Draw
from sarship import cfar
from sarship.cfar import CfarParams
from sarship.cfar.params import RingAverage

SIDE: Final = 4000
N_PIXELS: Final = 2.08e8
N_PLACES: Final = 4.8e7
"""Pixels of clutter for the rates at edges, masks and steps, a tenth to a third of which are near one."""
RATES: Final = (1e-3, 1e-4, 1e-5, 1e-6)
ORDERS: Final = (1.0, 3.0, 10.0)
PLACES: Final = ("image's edge", "mask", "step, dark side", "step, bright side")
"""Places within 20 pixels of which the rate is measured."""
EDGED: Final = 200
"""Lines and pixels of the images whose edges are looked at."""

Rule = dict[str, Any]
RULES: Final[dict[str, Rule]] = {name.upper(): {"average": name} for name in get_args(RingAverage)}


class Case(NamedTuple):
    """Clutter, and the detectors that search it."""

    what: str
    draw: Draw
    rules: dict[str, Rule]


def alone() -> Iterator[Case]:
    """Clutter that is independent from pixel to pixel."""
    for enl in (1.0, ENL, 20.0):
        rules: dict[str, Rule] = {"gamma": {"enl": enl}}
        if enl == ENL:
            rules["gaussian"] = {"clutter_model": "gaussian"}
        yield Case(f"gamma, {enl:g} look{'s' if enl > 1 else ''}", partial(seas.gamma, enl), rules)
    yield Case(f"lognormal, deviation {LOG_DEVIATION:g}", seas.lognormal, {"lognormal": {"clutter_model": "lognormal"}})
    yield Case(f"Weibull, shape {WEIBULL_SHAPE:g}", seas.weibull, {"weibull": {"clutter_model": "weibull"}})
    for order in ORDERS:
        ways = {
            "k": {"clutter_model": "k", "enl": ENL},
            "k, order given": {"clutter_model": "k", "enl": ENL, "clutter_shape": order},
        }
        yield Case(f"K, order {order:g}, {ENL:g} looks", partial(seas.textured, order), ways)


def alike() -> Iterator[Case]:
    """Clutter whose pixels are correlated like those of GRD, 20 × 22 m on 10 m, and as independent as is measured."""
    enl = {"enl": float(CORRELATED_ENL)}
    cases = [
        Case(f"gamma, {CORRELATED_ENL} looks", seas.correlated, {"gamma": enl}),
        Case(
            f"lognormal, deviation {LOG_DEVIATION:g}",
            seas.correlated_lognormal,
            {"lognormal": {"clutter_model": "lognormal"}},
        ),
        Case(f"Weibull, shape {WEIBULL_SHAPE:g}", seas.correlated_weibull, {"weibull": {"clutter_model": "weibull"}}),
    ]
    for order in ORDERS:
        ways = {
            "k": {"clutter_model": "k", **enl},
            "k, order given": {"clutter_model": "k", "clutter_shape": order, **enl},
        }
        cases.append(Case(f"K, order {order:g}, {CORRELATED_ENL} looks", partial(seas.correlated_k, order), ways))
    for what, draw, rules in cases:
        part = float(cfar.measure_correlation(draw(seas.generator(what, "sample"), 1000)))
        measured = {how: {**rule, "effective_sample_ratio": part} for how, rule in rules.items()}
        yield Case(f"{what}, correlated ({part:.2f} independent)", draw, measured)


def ratios(case: Case, n_pixels: float, side: int) -> dict[str, list[float]]:
    """Measured over nominal rate of each detector at each of `RATES`."""
    counts, n_searched = np.zeros((len(case.rules), len(RATES))), 0
    for image in seas.chunks(case.draw, n_pixels, side, case.what):
        n_searched += image.size
        for row, rule in zip(counts, case.rules.values(), strict=True):
            for k, pfa in enumerate(RATES):
                row[k] += len(cfar.detect(image, CfarParams(pfa=pfa, **rule)))
    return dict(zip(case.rules, (counts / n_searched / RATES).tolist(), strict=True))


def edged(image: seas.Image, params: CfarParams) -> tuple[int, int]:
    """False hits within 20 pixels of an edge, and how many pixels those are, in small images cut from a large one."""
    n_hits = n_pixels = 0
    for line in range(0, image.shape[0] - EDGED + 1, EDGED):
        for pixel in range(0, image.shape[1] - EDGED + 1, EDGED):
            mask = cfar.mask(image[line : line + EDGED, pixel : pixel + EDGED], params)
            n_hits += int(mask.sum()) - int(mask[20:-20, 20:-20].sum())
            n_pixels += EDGED**2 - (EDGED - 40) ** 2
    return n_hits, n_pixels


def places(case: Case, n_pixels: float, side: int) -> Iterator[tuple[str, list[float]]]:
    """Where rings are cut or mixed: measured over nominal of each detector at each of `PLACES`, at 1e-3 and 1e-4."""
    rates, (high, near) = RATES[:2], seas.bands(side)
    sea = np.broadcast_to(~high, (side, side))
    counts = {how: np.zeros((len(PLACES), len(rates), 2), np.int64) for how in case.rules}
    for image in seas.chunks(case.draw, n_pixels, side, case.what + ", places"):
        step = seas.stepped(image)
        for how, rule in case.rules.items():
            for k, pfa in enumerate(rates):
                params = CfarParams(pfa=pfa, **rule)
                masked, over = cfar.mask(image, params, sea)[:, near & ~high], cfar.mask(step, params)
                parts = masked, over[:, near & ~high], over[:, near & high]
                found = [edged(image, params), *((int(part.sum()), part.size) for part in parts)]
                counts[how][:, k] += np.array(found)
    for how, pairs in counts.items():
        yield how, (pairs[..., 0] / pairs[..., 1] / rates).ravel().tolist()


def draw_rates(panels: dict[str, dict[str, list[float]]], path: Path) -> None:
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        for name, values in lines.items():
            axes.plot(RATES, values, "o-", markersize=4, label=name.partition(", correlated")[0])
        axes.axhspan(1 / 1.3, 1.3, color="0.95", zorder=0)
        axes.axhspan(0.9, 1.1, color="0.88", zorder=0)
        axes.set(xscale="log", yscale="log", xlabel="nominal false-alarm probability", title=title, ylim=(0.5, 2))
        axes.set_yticks([0.5, 0.7, 0.9, 1, 1.1, 1.3, 2], ["0.5", "0.7", "0.9", "1", "1.1", "1.3", "2"], minor=False)
        axes.set_yticks([], minor=True)
        axes.invert_xaxis()
        axes.legend(fontsize=8, ncols=2)
    figure.axes[0].set_ylabel("measured over nominal")
    figure.savefig(path, dpi=110)


def row(*cells: str | float) -> str:
    text = "| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.3g}" for cell in cells) + " |"
    print(text, flush=True)
    return text


def by_clutter_model(scale: float, side: int) -> tuple[list[str], dict[str, dict[str, list[float]]]]:
    """The table of clutter models, and the lines of the picture."""
    lines = ["| clutter | clutter model | 1e-3 | 1e-4 | 1e-5 | 1e-6 |", "|---|---|--:|--:|--:|--:|"]
    panels: dict[str, dict[str, list[float]]] = {}
    for title, cases in (("independent pixels", alone()), ("pixels correlated like GRD", alike())):
        panel = panels.setdefault(title, {})
        for case in cases:
            for how, values in ratios(case, scale * N_PIXELS, side).items():
                lines.append(row(case.what, how, *values))
                if how not in {"gaussian", "k, order given"}:
                    panel[case.what] = values
    return lines, panels


def by_average(scale: float, side: int) -> list[str]:
    """The tables of averages and iterations on the open sea, and of all rules at edges, masks and steps."""
    name, draw = f"gamma, {ENL:g} looks", partial(seas.gamma, ENL)
    rules = {how: {"enl": ENL, **rule} for how, rule in RULES.items()}
    iterations = {"CA, 3 iterations": {"enl": ENL, "iterations": 3}}
    lines = [f"| {name} | 1e-3 | 1e-4 | 1e-5 | 1e-6 |", "|---|--:|--:|--:|--:|"]
    for how, values in ratios(Case(name, draw, rules | iterations), scale * N_PIXELS, side).items():
        lines.append(row(how, *values))
    lines += ["", "| clutter | rule |" + "".join(f" {place}, 1e-3 | 1e-4 |" for place in PLACES)]
    lines.append("|---|---|" + "--:|--:|" * len(PLACES))
    others = [case for case in alone() if case.what.startswith(("lognormal", "Weibull", "K, order 3"))]
    for case in [Case(name, draw, rules), *others]:
        for how, values in places(case, scale * N_PLACES, side):
            lines.append(row(case.what, how, *values))
    return lines


def main() -> None:
    """Measure, draw, and write the tables at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the pixels, nothing written")
    is_quick, begin = parser.parse_args().quick, time.perf_counter()
    scale, side = (0.01, 1000) if is_quick else (1.0, SIDE)
    clutter_models, panels = by_clutter_model(scale, side)
    print(f"took {time.perf_counter() - begin:.0f} s so far", flush=True)
    averages = by_average(scale, side)
    print(f"took {time.perf_counter() - begin:.0f} s")
    if is_quick:
        return
    draw_rates(panels, ROOT / "docs" / "img" / "false_alarms.png")
    write_between(
        ROOT / "README.md", "false_alarms", "Measured over nominal rate, ring 10/20:\n\n" + "\n".join(clutter_models)
    )
    write_between(ROOT / "docs" / "cfar.md", "false_alarm_places", "\n".join(averages))


if __name__ == "__main__":
    main()
