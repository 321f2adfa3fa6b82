"""Speed of what users would pick instead, beside the detector's in one run, and the pixels decided otherwise.

`pytest benchmarks/test_rivals.py --benchmark-only`. OpenCV and pyAPRiL are skipped where they are not installed.
"""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.rivals import (
    Image,
    Places,
    opencv,
    opencv_two_parameters,
    pyapril,
    scipy_filter,
    summed_area,
    tiles,
)
from benchmarks.timed import KINDS, params_of, sea_of, timed
from sarship import cfar

RIVALS = {
    "sarship, gamma": None,
    "OpenCV boxFilter": opencv,
    "OpenCV boxFilter, two parameters": opencv_two_parameters,
    "SciPy uniform_filter": scipy_filter,
    "summed-area table, float64": summed_area,
    "pyAPRiL CA_CFAR": pyapril,
}
NEEDS = {"OpenCV": "cv2", "pyAPRiL": "pyapril"}


def ours(image: Image) -> Places:
    hits = cfar.detect(image, params_of({}))
    return np.asarray(hits.line * image.shape[1] + hits.pixel)


@pytest.mark.benchmark(group="rivals")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RIVALS)
def test_rivals(benchmark: BenchmarkFixture, name: str, kind: str) -> None:
    if module := NEEDS.get(name.split(maxsplit=1)[0]):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'sarship[bench]'")
    search = RIVALS[name]
    run = ours if search is None else tiles(search)
    image = sea_of(kind)
    run(image[:256])
    found = timed(benchmark, lambda: run(image))
    exact = tiles(lambda part: summed_area(part, np.int64 if kind == "uint16" else np.float64))(image)
    benchmark.extra_info["decided otherwise"] = len(np.setxor1d(exact, found))
    if search is None:
        assert found.tolist() == exact.tolist()
