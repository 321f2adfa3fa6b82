"""Speed of the detector by law, average, type of image and window.

`pytest benchmarks/test_cfar.py -n 0 --benchmark-enable` times images of 2,048 × 2,048 pixels, with
`SARSHIP_BENCHMARK_SIDE=10000` larger ones. Mpx/s is among the extra figures of `--benchmark-json`.
"""

import os
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from sarship import cfar
from sarship.cfar.params import ClutterModel, RingAverage

SIDE = int(os.environ.get("SARSHIP_BENCHMARK_SIDE", "2048"))
ENL = 4.4


@cache
def sea(kind: str) -> NDArray[Any]:
    """Seeded sea of 4.4 looks."""
    rng = np.random.default_rng(0)
    image = np.empty((SIDE, SIDE), kind)
    for start in range(0, SIDE, 256):
        power = rng.gamma(ENL, 1e5 / ENL, (min(256, SIDE - start), SIDE))
        image[start : start + 256] = np.sqrt(power) if kind == "uint16" else power
    return image


@pytest.mark.parametrize(("guard", "training"), [(10, 10), (25, 15)])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize("name", [*get_args(ClutterModel), *get_args(RingAverage)[1:]])
def test_detect(benchmark: BenchmarkFixture, name: str, kind: str, guard: int, training: int) -> None:
    image = sea(kind)
    way: dict[str, Any] = {"clutter_model": name} if name in get_args(ClutterModel) else {"average": name}
    params = cfar.CfarParams(pfa=1e-6, guard=guard, training=training, enl=ENL, **way)
    cfar.detect(image[:256], params)
    benchmark(cfar.detect, image, params)
    if benchmark.stats is not None:
        benchmark.extra_info["Mpx/s"] = round(SIDE**2 / benchmark.stats["min"] / 1e6)
