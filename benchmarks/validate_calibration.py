"""Calibration and reading against real products: `python benchmarks/validate_calibration.py [folder of products]`.

Prints, for each product: the time to open it; how far the gain tables lie from those of xarray-sentinel, where that
reads the file; how far the noise lies from its vectors evaluated one by one; the time to read and to calibrate.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductWarning
from sarship.sentinel1.product import GrdProduct, open_grd

DATA = Path(os.environ.get("SARSHIP_DATA", Path(__file__).parents[2] / "shared" / "data"))
QUANTITIES = {"sigma0": "sigmaNought", "beta0": "betaNought", "gamma0": "gamma"}
N_POINTS = 2000
GOAL = 1e-6
Floats = NDArray[np.float64]


def gain_difference(product: GrdProduct, polarization: str) -> float | str:
    """Largest relative difference of the tables from xarray-sentinel's, at random pixels; or why there is none."""
    from xarray_sentinel import sentinel1

    file = product.container.find("calibration", polarization)
    assert file is not None
    lines, pixels = random_points(product)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.xml"
        path.write_bytes(product.container.read_bytes(file.name))
        try:
            tables = sentinel1.open_calibration_dataset(path)
        except (ValueError, TypeError, KeyError) as error:
            return f"not read by xarray-sentinel ({error})"
    worst = 0.0
    for quantity, name in QUANTITIES.items():
        theirs = tables[name].astype(np.float64).interp(line=("k", lines), pixel=("k", pixels)).values
        ours = product.calibration(polarization).gain_at(quantity, lines, pixels)  # type: ignore[arg-type]
        worst = max(worst, float(np.max(np.abs(ours / theirs - 1))))
    return worst


def noise_differences(product: GrdProduct, polarization: str) -> Iterator[tuple[str, float]]:
    """Largest relative difference of the noise from its vectors, at random pixels of each block."""
    file = product.container.find("noise", polarization)
    noise = product.noise(polarization)
    assert file is not None
    assert noise is not None
    root = ElementTree.fromstring(product.container.read_bytes(file.name))
    vectors = [
        (int(item.findtext("line", "")), numbers(item, "pixel"), lut)
        for item in (*root.iter("noiseVector"), *root.iter("noiseRangeVector"))
        for lut in (numbers(item, "noiseLut" if item.tag == "noiseVector" else "noiseRangeLut"),)
    ]
    blocks = [(item, bounds(item)) for item in root.iter("noiseAzimuthVector")]
    rng = np.random.default_rng(0)
    if not blocks:
        lines, pixels = random_points(product)
        yield "whole image", difference(noise.power_at(lines, pixels), direct(vectors, lines, pixels))
    for item, (top, bottom, left, right) in blocks:
        swath = item.findtext("swath", "")
        lines = rng.integers(top, bottom + 1, N_POINTS).astype(float)
        pixels = rng.integers(left, right + 1, N_POINTS).astype(float)
        imaged = [bounds for other, bounds in blocks if other.findtext("swath", "") == swath]
        own = [cut for vector in vectors for cut in clipped(vector, imaged)]
        factor = np.interp(lines, numbers(item, "line"), numbers(item, "noiseAzimuthLut"))
        expected = direct(own, lines, pixels) * factor
        yield f"{swath} lines {top}-{bottom}", difference(noise.power_at(lines, pixels), expected)


def numbers(item: ElementTree.Element, name: str) -> Floats:
    """Numbers in a child of an element."""
    return np.array(item.findtext(name, "").split(), np.float64)


def bounds(item: ElementTree.Element) -> tuple[int, int, int, int]:
    """First and last line, first and last pixel of a block."""
    names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
    top, bottom, left, right = (int(item.findtext(name, "")) for name in names)
    return top, bottom, left, right


def clipped(
    vector: tuple[int, Floats, Floats], blocks: list[tuple[int, int, int, int]]
) -> Iterator[tuple[int, Floats, Floats]]:
    """The samples of a vector inside the block of a swath that its line lies in, if there is one."""
    line, pixels, values = vector
    for top, bottom, left, right in blocks:
        inside = (left <= pixels) & (pixels <= right)
        if top <= line <= bottom and inside.any():
            yield line, pixels[inside], values[inside]


def direct(vectors: list[tuple[int, Floats, Floats]], lines: Floats, pixels: Floats) -> Floats:
    """Vectors evaluated one point at a time."""
    at = [line for line, _, _ in vectors]
    found = []
    for line, pixel in zip(lines, pixels, strict=True):
        across = [np.interp(pixel, where, what) for _, where, what in vectors]
        found.append(np.interp(line, at, across))
    return np.array(found)


def difference(ours: Floats, expected: Floats) -> float:
    """Largest relative difference; of zeros, the largest value."""
    scale = np.where(expected == 0, 1, expected)
    return float(np.max(np.abs(ours - expected) / scale))


def random_points(product: GrdProduct) -> tuple[Floats, Floats]:
    """Random whole lines and pixels of the image."""
    rng = np.random.default_rng(0)
    lines, pixels = (rng.integers(0, n, N_POINTS).astype(float) for n in product.shape)
    return lines, pixels


def timed(action: Callable[[], object], repeat: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def read_all(product: GrdProduct, polarization: str) -> None:
    """Read a whole image by bands."""
    for _ in product.bands(polarization):
        pass


def validate(path: Path) -> bool:
    """Print what is found of one product; whether it meets the goal."""
    product = open_grd(path)
    opening = timed(lambda: open_grd(path))
    print(f"{product.scene.id}: IPF {product.ipf_version}, {product.shape}, opened in {opening:.3f} s")
    is_good = opening < 0.3
    for polarization in product.polarizations or product.scene.polarizations:
        gain = gain_difference(product, polarization)
        is_good &= isinstance(gain, str) or gain < GOAL
        print(
            f"  {polarization} gain tables - xarray-sentinel: {gain if isinstance(gain, str) else format(gain, '.1e')}"
        )
        for name, found in noise_differences(product, polarization):
            is_good &= found < GOAL
            print(f"  {polarization} noise of {name} - vectors one by one: {found:.1e}")
    for polarization in product.polarizations:
        size = product.shape[0] * product.shape[1] * 2 / 2**20
        reading = timed(lambda name=polarization: read_all(product, name))  # type: ignore[misc]
        print(f"  {polarization} read in {reading:.2f} s ({size / reading:.0f} MB/s)")
    return is_good


def main() -> int:
    """Validate every product of a folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "safe"
    if not folder.is_dir():
        print(f"no products at {folder}: nothing validated (set SARSHIP_DATA or give a folder)")
        return 0
    warnings.simplefilter("ignore", ProductWarning)
    verdicts = [validate(path) for path in sorted(folder.iterdir())]
    print(f"{sum(verdicts)} of {len(verdicts)} products within {GOAL:g}, opened under 0.3 s")
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
