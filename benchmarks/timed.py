"""What the timed searches of `pytest benchmarks/` share: seeded seas, windows, and the figure of Mpx/s."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.rivals import ENL, PFA
from sarship import cfar

__all__ = ["KINDS", "SIDE", "WINDOWS", "params_of", "sea_of", "timed"]

SIDE: Final = int(os.environ.get("SARSHIP_BENCHMARK_SIDE", "2048"))
"""Lines and pixels of an image."""
KINDS: Final = ("uint16", "float32")
WINDOWS: Final = {"10/20": (10, 10), "25/40": (25, 15)}
"""Half-widths of the guard and of the whole ring: cells of guard and of training on each side."""


@cache
def sea_of(kind: str) -> NDArray[Any]:
    """Return a seeded sea of 4.4 looks, as digital numbers or as power."""
    rng = np.random.default_rng(0)
    image = np.empty((SIDE, SIDE), kind)
    for start in range(0, SIDE, 256):
        power = rng.gamma(ENL, 1e5 / ENL, (min(256, SIDE - start), SIDE))
        image[start : start + 256] = np.sqrt(power) if kind == "uint16" else power
    return image


def params_of(way: dict[str, Any], window: str = "10/20") -> cfar.CfarParams:
    """Return the parameters of a clutter model, or of an average, with one of the windows."""
    guard, training = WINDOWS[window]
    return cfar.CfarParams(pfa=PFA, guard=guard, training=training, enl=ENL, **way)


def timed(benchmark: BenchmarkFixture, call: Callable[[], Any]) -> Any:
    """Time a search of a sea; return what it found."""
    found = benchmark(call)
    if benchmark.stats is not None:
        benchmark.extra_info["Mpx/s"] = round(SIDE**2 / benchmark.stats["min"] / 1e6, 2)
    return found
