"""Speed of the detector on a graphics card, in its memory and from the host's, beside the CPU's hits.

`pytest benchmarks/ --benchmark-only`; without a card these are skipped. `python -m benchmarks.gpu` measures more, once.
"""

import pytest
from builders.twins import WAYS
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timed import KINDS, params_of, sea_of, timed
from sarship import cfar
from sarship.cfar.device import is_simulated, new_device
from sarship.errors import DeviceError

try:
    DEVICE = new_device()
except DeviceError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.mark.benchmark(group="on the GPU")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_detect_in_card_memory(benchmark: BenchmarkFixture, way: str, kind: str) -> None:
    image, params = sea_of(kind), params_of(WAYS[way])
    there = DEVICE.from_host(image)
    found = timed(benchmark, lambda: cfar.detect(there, params))
    own = cfar.detect(image, params)
    assert (found.line.tolist(), found.pixel.tolist()) == (own.line.tolist(), own.pixel.tolist())


@pytest.mark.skipif(is_simulated(), reason="the simulator has no memory of its own to stream through")
@pytest.mark.benchmark(group="on the GPU")
@pytest.mark.parametrize("kind", KINDS)
def test_detect_streamed_from_the_host(benchmark: BenchmarkFixture, kind: str) -> None:
    image, params = sea_of(kind), params_of(WAYS["gamma"])
    timed(benchmark, lambda: cfar.detect_streamed(image, params))
