"""Seeded clutter of every model, with a mean near 1: independent from pixel to pixel, or as correlated as GRD."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

__all__ = [
    "CORRELATED_ENL",
    "ENL",
    "LOG_DEVIATION",
    "STEP_DB",
    "WEIBULL_SHAPE",
    "Draw",
    "Image",
    "bands",
    "chunks",
    "correlated",
    "correlated_k",
    "correlated_lognormal",
    "correlated_weibull",
    "gamma",
    "generator",
    "lognormal",
    "stepped",
    "textured",
    "weibull",
]

ENL: Final = 4.4
STEP_DB: Final = 6.0
BAND: Final = 200
"""Pixels between steps, and between masked stretches."""
WEIBULL_SHAPE: Final = 1.4
LOG_DEVIATION: Final = 0.6
CELL: Final = (2.2, 2.0)
"""Resolution over spacing of GRD, lines and pixels."""
CORRELATED_ENL: Final = 4
SEED: Final = 20_260_101

Image = NDArray[np.float32]
Draw = Callable[[np.random.Generator, int], Image]


def generator(*what: str | int) -> np.random.Generator:
    """Random numbers of their own for everything that has a name."""
    return np.random.default_rng([SEED, *"|".join(map(str, what)).encode()])


def chunks(draw: Draw, n_pixels: float, side: int, name: str) -> Iterator[Image]:
    """Images of clutter, drawn on two threads while others are searched."""
    waiting: deque[Future[Image]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for k in range(max(1, round(n_pixels / side**2))):
            waiting.append(pool.submit(draw, generator(name, k), side))
            if len(waiting) > 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def gamma(enl: float, rng: np.random.Generator, side: int) -> Image:
    return rng.standard_gamma(enl, (side, side), np.float32) / np.float32(enl)


def lognormal(rng: np.random.Generator, side: int) -> Image:
    return np.asarray(np.exp(np.float32(LOG_DEVIATION) * rng.standard_normal((side, side), np.float32)), np.float32)


def weibull(rng: np.random.Generator, side: int) -> Image:
    return np.power(rng.standard_exponential((side, side), np.float32), np.float32(1 / WEIBULL_SHAPE))


def textured(order: float, rng: np.random.Generator, side: int) -> Image:
    """Speckle times a texture of an order, both independent from pixel to pixel."""
    return np.asarray(gamma(ENL, rng, side) * gamma(order, rng, side), np.float32)


def _smoothed(rng: np.random.Generator, side: int, widening: float = 1.0) -> Image:
    """Normal values smoothed by a Gaussian response whose half-power width is the resolution, or by a wider one."""
    sigma = [width / (2 * np.sqrt(2 * np.log(2))) * widening for width in CELL]
    values = ndimage.gaussian_filter(rng.standard_normal((side, side), np.float32), sigma, mode="wrap")
    return np.asarray(values, np.float32)


def correlated(rng: np.random.Generator, side: int) -> Image:
    """Speckle of whole looks: complex noise, smoothed to the resolution and detected, looks averaged."""
    power = np.zeros((side, side), np.float32)
    for _ in range(2 * CORRELATED_ENL):
        # an amplitude's response is √2 times as wide as its power's
        power += _smoothed(rng, side, np.sqrt(2)) ** 2
    return np.asarray(power / power.mean(), np.float32)


def _of_rank(quantile: Callable[[NDArray[np.float64]], NDArray[np.floating]], values: Image) -> Image:
    """Values of another distribution for normal ones of the same rank; `quantile` of the upper tail's probability."""
    nodes = np.linspace(-6.5, 6.5, 4001)
    found = np.interp(values / values.std(), nodes, quantile(special.ndtr(-nodes)))
    return np.asarray(found, np.float32)


def correlated_k(order: float, rng: np.random.Generator, side: int) -> Image:
    """Correlated speckle times a texture that changes over as many pixels."""
    texture = _of_rank(lambda chance: special.gammainccinv(order, chance) / order, _smoothed(rng, side))
    return np.asarray(correlated(rng, side) * texture, np.float32)


def correlated_lognormal(rng: np.random.Generator, side: int) -> Image:
    values = _smoothed(rng, side)
    return np.asarray(np.exp(np.float32(LOG_DEVIATION) * values / values.std()), np.float32)


def correlated_weibull(rng: np.random.Generator, side: int) -> Image:
    return _of_rank(lambda chance: (-np.log(chance)) ** (1 / WEIBULL_SHAPE), _smoothed(rng, side))


def bands(side: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels of a line are in every second band, and which lie within 20 pixels of another band."""
    place = np.arange(side)
    near = np.minimum(place % BAND, BAND - 1 - place % BAND) < 20
    near[:20] = near[-20:] = False
    return (place // BAND) % 2 == 1, near


def stepped(image: Image) -> Image:
    """Clutter whose level is higher in every second band."""
    return np.asarray(image * np.where(bands(image.shape[1])[0], np.float32(10 ** (STEP_DB / 10)), np.float32(1)))
