"""Speed of the detector on the CPU, by clutter model, average, type of image and window.

`pytest benchmarks/ --benchmark-only`; docs/howto/benchmark.md says more.
"""

import pytest
from builders.twins import WAYS
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timed import KINDS, WINDOWS, params_of, sea_of, timed
from sarship import cfar


@pytest.mark.benchmark(group="on the CPU")
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_detect(benchmark: BenchmarkFixture, way: str, kind: str, window: str) -> None:
    image, params = sea_of(kind), params_of(WAYS[way], window)
    cfar.detect(image[:256], params)  # compiles, and solves the thresholds
    timed(benchmark, lambda: cfar.detect(image, params))
