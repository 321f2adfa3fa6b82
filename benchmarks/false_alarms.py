"""Whether the detector's false-alarm rate is what it says: measured over nominal, for each law on clutter of its own.

`python -m benchmarks.false_alarms` draws seeded clutter, searches it, writes the table of laws between the markers in
README.md, that of averages, edges, masks and steps in docs/cfar.md, and a picture into docs/img. Everything the
detector needs is estimated from the ring; only the number of looks is given. `--quick` takes a hundredth of the pixels
and writes nothing. The whole takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage, special

from sarship import cfar
from sarship.cfar import CfarParams
from sarship.model import ClutterLaw, RingAverage

ROOT: Final = Path(__file__).parents[1]
SIDE: Final = 4000
RATES: Final = (1e-3, 1e-4, 1e-5, 1e-6)
LOOKS: Final = 4.4
STEP_DB: Final = 6.0
WEIBULL_SHAPE: Final = 1.4
LOG_DEVIATION: Final = 0.6
CELL: Final = (2.2, 2.0)
"""Resolution over spacing of GRD, lines and pixels."""
CORRELATED_LOOKS: Final = 4
RULES: Final[dict[str, dict[str, Any]]] = {name: {"average": name} for name in get_args(RingAverage)}

Image = NDArray[np.float32]
Draw = Callable[[np.random.Generator, int], Image]


def gamma(looks: float, rng: np.random.Generator, side: int) -> Image:
    return rng.standard_gamma(looks, (side, side), np.float32) / np.float32(looks)


def lognormal(rng: np.random.Generator, side: int) -> Image:
    return np.asarray(np.exp(np.float32(LOG_DEVIATION) * rng.standard_normal((side, side), np.float32)), np.float32)


def weibull(rng: np.random.Generator, side: int) -> Image:
    return np.power(rng.standard_exponential((side, side), np.float32), np.float32(1 / WEIBULL_SHAPE))


def correlated(rng: np.random.Generator, side: int) -> Image:
    """Speckle of whole looks: complex noise, smoothed to the resolution and detected, looks averaged."""
    # a Gaussian response whose half-power width is the resolution
    sigma = [width / (2 * np.sqrt(2 * np.log(2))) * np.sqrt(2) for width in CELL]
    power = np.zeros((side, side), np.float32)
    for _ in range(2 * CORRELATED_LOOKS):
        power += ndimage.gaussian_filter(rng.standard_normal((side, side), np.float32), sigma, mode="wrap") ** 2
    return np.asarray(power / power.mean(), np.float32)


def stepped(rng: np.random.Generator, side: int) -> Image:
    """Gamma clutter whose level rises between bands of 200 pixels."""
    high = (np.arange(side) // 200) % 2 == 1
    return gamma(LOOKS, rng, side) * np.where(high, 10 ** (STEP_DB / 10), 1).astype(np.float32)


def textured(order: float, rng: np.random.Generator, side: int) -> Image:
    """Speckle times a texture of an order, both independent from pixel to pixel."""
    return np.asarray(gamma(LOOKS, rng, side) * gamma(order, rng, side), np.float32)


def correlated_and_textured(order: float, rng: np.random.Generator, side: int) -> Image:
    """Correlated speckle times a texture that changes over as many pixels."""
    sigma = [width / (2 * np.sqrt(2 * np.log(2))) for width in CELL]
    field = ndimage.gaussian_filter(rng.standard_normal((side, side), np.float32), sigma, mode="wrap")
    # normal values become gamma values of the same rank
    nodes = np.linspace(-6, 6, 2001)
    quantiles = special.gammainccinv(order, special.ndtr(-nodes)) / order
    texture = np.interp(field / field.std(), nodes, quantiles).astype(np.float32)
    return np.asarray(correlated(rng, side) * texture, np.float32)


def k_rows(scale: float, side: int) -> Iterator[tuple[str, str, list[float]]]:
    """The law K on seas of several textures, the order given and read from each ring: what, how, the ratios."""
    for order in (1.0, 3.0, 10.0):
        drawn = chunks(partial(textured, order), scale * 2.08e8, side), LOOKS, 1.0, f"K, order {order:g}, 4.4 looks"
        sample = correlated_and_textured(order, np.random.default_rng(0), 1000)
        part = float(cfar.measure_correlation(sample))
        name = f"K, order {order:g}, of 20 × 22 m on 10 m, {CORRELATED_LOOKS} looks ({part:.2f} independent, measured)"
        alike = (
            chunks(partial(correlated_and_textured, order), scale * 4.8e7, side),
            float(CORRELATED_LOOKS),
            part,
            name,
        )
        for images, looks, independent, what in (drawn, alike):
            counts, n_pixels = np.zeros((2, len(RATES))), 0
            for image in images:
                n_pixels += image.size
                for way, shape in enumerate((order, None)):
                    for k, pfa in enumerate(RATES):
                        params = CfarParams(law="k", shape=shape, looks=looks, independent=independent, pfa=pfa)
                        counts[way, k] += len(cfar.detect(image, params))
            found = counts / n_pixels / RATES
            for how, values in zip(("k, order given", "k"), found.tolist(), strict=True):
                yield what, how, values


CLUTTER: Final[dict[str, tuple[ClutterLaw, float, Draw]]] = {
    "gamma, 1 look": ("gamma", 1.0, partial(gamma, 1.0)),
    "gamma, 4.4 looks": ("gamma", LOOKS, partial(gamma, LOOKS)),
    "gamma, 20 looks": ("gamma", 20.0, partial(gamma, 20.0)),
    "lognormal, deviation 0.6": ("lognormal", LOOKS, lognormal),
    "Weibull, shape 1.4": ("weibull", LOOKS, weibull),
}


def chunks(draw: Draw, n_pixels: float, side: int) -> Iterator[Image]:
    """Images of clutter, seeded, drawn on two threads while others are searched."""
    seeds = np.random.SeedSequence(20_260_101).spawn(max(1, round(n_pixels / side**2)))
    with ThreadPoolExecutor(2) as pool:
        for first in range(0, len(seeds), 2):
            yield from pool.map(lambda seed: draw(np.random.default_rng(seed), side), seeds[first : first + 2])


def ratios(
    images: Iterator[Image], law: ClutterLaw, looks: float, independent: float = 1.0, **rule: Any
) -> list[float]:
    """Measured over nominal rate at each of `RATES`."""
    counts, n_pixels = np.zeros(len(RATES)), 0
    for image in images:
        n_pixels += image.size
        for k, pfa in enumerate(RATES):
            params = CfarParams(law=law, looks=looks, pfa=pfa, independent=independent, **rule)
            counts[k] += len(cfar.detect(image, params))
    return [float(count / pfa / n_pixels) for count, pfa in zip(counts, RATES, strict=True)]


def places(n_pixels: float, side: int, **rule: Any) -> list[tuple[str, float, float]]:
    """Where rings are cut or mixed: measured over nominal at 1e-3 and 1e-4."""
    low, high = (np.arange(side) // 200) % 2 == 0, (np.arange(side) // 200) % 2 == 1
    distance = np.minimum(np.arange(side) % 200, 199 - np.arange(side) % 200)
    near = distance < 20
    half = np.ones((side, side), np.bool_)
    half[:, high] = False
    rows: dict[str, list[float]] = {}
    for pfa in (1e-3, 1e-4):
        params = CfarParams(looks=LOOKS, pfa=pfa, **rule)
        found = dict.fromkeys(["image's edge", "beside a mask", "dark side of a step", "bright side of a step"], 0)
        n_images = 0
        flat, over = chunks(partial(gamma, LOOKS), n_pixels, side), chunks(stepped, n_pixels, side)
        for image, step in zip(flat, over, strict=True):
            n_images += 1
            border = cfar.mask(image, params)
            border[20:-20, 20:-20] = False
            found["image's edge"] += border.sum()
            found["beside a mask"] += cfar.mask(image, params, half)[:, near & low].sum()
            mask = cfar.mask(step, params)
            found["dark side of a step"] += mask[:, near & low].sum()
            found["bright side of a step"] += mask[:, near & high].sum()
        size = {"image's edge": side**2 - (side - 40) ** 2} | {
            name: side * int((near & (high if "bright" in name else low)).sum()) for name in list(found)[1:]
        }
        for name, count in found.items():
            rows.setdefault(name, []).append(float(count) / (size[name] * n_images * pfa))
    return [(name, *values) for name, values in rows.items()]  # type: ignore[misc]


def draw_rates(table: list[tuple[str, ClutterLaw, list[float]]], path: Path) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, law, values in table:
        axes.plot(RATES, values, "o-", label=f"{name} ({law})")
    axes.axhspan(0.9, 1.1, color="0.9")
    axes.set(xscale="log", yscale="log", xlabel="nominal false-alarm probability", ylabel="measured over nominal")
    axes.invert_xaxis()
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def write_between(page: Path, name: str, text: str) -> None:
    """Put a generated text between its markers in a page."""
    first, last = f"<!-- benchmark:{name} -->", f"<!-- /benchmark:{name} -->"
    before, _, rest = page.read_text("utf-8").partition(first)
    page.write_text(f"{before}{first}\n{text}\n{last}{rest.partition(last)[2]}", "utf-8")


def main() -> None:
    """Measure, draw, and write the README's table at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the pixels, nothing written")
    is_quick, begin = parser.parse_args().quick, time.perf_counter()
    scale, side = (0.01, 1000) if is_quick else (1.0, SIDE)
    table: list[tuple[str, ClutterLaw, list[float]]] = []
    lines = ["| clutter | law | 1e-3 | 1e-4 | 1e-5 | 1e-6 |", "|---|---|--:|--:|--:|--:|"]
    cases = [(name, law, looks, draw, 2.08e8, 1.0) for name, (law, looks, draw) in CLUTTER.items()]
    cases.append(("gamma, 4.4 looks", "gaussian", LOOKS, partial(gamma, LOOKS), 4.8e7, 1.0))
    sample = correlated(np.random.default_rng(0), 1000)
    independent = float(cfar.measure_correlation(sample))
    name = f"speckle of 20 × 22 m on 10 m, {CORRELATED_LOOKS} looks ({independent:.2f} independent, measured)"
    cases.append((name, "gamma", float(CORRELATED_LOOKS), correlated, 4.8e7, independent))
    for name, law, looks, draw, n_pixels, part in cases:
        values = ratios(chunks(draw, scale * n_pixels, side), law, looks, part)
        table.append((name, law, values))
        lines.append(f"| {name} | {law} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
        print(lines[-1], flush=True)
    for what, how, values in k_rows(scale, side):
        lines.append(f"| {what} | {how} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
        print(lines[-1], flush=True)
    more = ["| gamma, 4.4 looks | 1e-3 | 1e-4 | 1e-5 | 1e-6 |", "|---|--:|--:|--:|--:|"]
    for label, rule in {**RULES, "mean, 3 passes": {"passes": 3}}.items():
        values = ratios(chunks(partial(gamma, LOOKS), scale * 4.8e7, side), "gamma", LOOKS, **rule)
        more.append(f"| {label} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
        print(more[-1], flush=True)
    more += ["", "| gamma, 4.4 looks, within 20 pixels of | rule | 1e-3 | 1e-4 |", "|---|---|--:|--:|"]
    for label, rule in {**RULES, "lognormal": {"law": "lognormal"}}.items():
        for place, first, second in places(scale * 3.2e7, side, **rule):
            more.append(f"| {place} | {label} | {first:.3g} | {second:.3g} |")
            print(more[-1], flush=True)
    print(f"took {time.perf_counter() - begin:.0f} s")
    if is_quick:
        return
    draw_rates(table[:5], ROOT / "docs" / "img" / "false_alarms.png")
    title = "Measured over nominal false-alarm rate, ring 10/20:\n\n"
    write_between(ROOT / "README.md", "false_alarms", title + "\n".join(lines))
    write_between(ROOT / "docs" / "cfar.md", "false_alarm_places", "\n".join(more))


if __name__ == "__main__":
    main()
