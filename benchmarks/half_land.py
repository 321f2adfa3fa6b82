"""Whether sums stay exact on a whole image of 30,000 × 20,000 pixels, half of which is bright land.

`python -m benchmarks.half_land` lays bright points into sea and land, searches all of it, compares the rings of 150
hits, those at the coast among them, with the plain twin of the tests, and writes the table between the markers in
docs/cfar.md. It needs Linux, 5 GB of memory and a few minutes. `--quick` takes a hundredth of the pixels.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare import memory_mb
from benchmarks.pages import ROOT, write_between
from sarship import cfar
from sarship.cfar import CfarParams
from sarship.model import Hits

SHAPE: Final = (30_000, 20_000)
CHECKED: Final = 150
WAYS: Final[dict[str, dict[str, Any]]] = {
    "gamma": {},
    "gamma, 3 iterations": {"iterations": 3},
    "lognormal": {"clutter_model": "lognormal"},
    "gaussian": {"clutter_model": "gaussian"},
}


def image(kind: str, shape: tuple[int, int]) -> NDArray[Any]:
    """Sea of amplitude 100 on the left, land of 15,000 on the right, and a bright point every 250 lines and pixels."""
    rng = np.random.default_rng(5)
    # one block of speckle over and over: what is looked at are sums, not rates
    speckle = np.sqrt(rng.standard_gamma(4.4, (500, shape[1]), np.float32) / np.float32(4.4))
    speckle *= np.where(np.arange(shape[1]) < shape[1] // 2, 100, 15_000).astype(np.float32)
    out = np.empty(shape, kind)
    for top in range(0, shape[0], 500):
        part = np.minimum(np.roll(speckle, top // 500, axis=0), 65_535)
        part[100::250, 9::250] = np.where(np.arange(9, shape[1], 250) < shape[1] // 2, 2000, 65_535)
        part[100::250, shape[1] // 2 - 15] = 65_535
        out[top : top + 500] = part[: shape[0] - top] if kind == "uint16" else part[: shape[0] - top] ** 2
    return out


def worst(pixels: NDArray[Any], hits: Hits, params: CfarParams) -> float:
    """Largest relative difference of a ring's level from the plain twin's, over hits spread over the image."""
    sys.path.append(str(ROOT / "tests"))
    import naive  # type: ignore[import-not-found]  # of the tests

    judge, largest = naive.judge_of(pixels, params), 0.0
    for k in np.unique(np.linspace(0, len(hits) - 1, CHECKED).astype(int)):
        line, pixel = int(hits.line[k]), int(hits.pixel[k])
        top, left = max(line - 20, 0), max(pixel - 20, 0)
        part = naive.powers(pixels[top : line + 21, left : pixel + 21], params)
        score, clutter = judge(part, line - top, pixel - left)
        assert score > 1, "a hit that the plain twin does not find"
        largest = max(largest, abs(float(hits.clutter[k]) / clutter - 1))
    return largest


def main() -> None:
    """Search, compare, and write the page's table at full size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a hundredth of the pixels, nothing written")
    is_quick = parser.parse_args().quick
    shape = (SHAPE[0] // 10, SHAPE[1] // 10) if is_quick else SHAPE
    lines = ["| image | detector | hits | largest difference from exact sums | memory beyond the image | Mpx/s |"]
    lines.append("|---|---|--:|--:|--:|--:|")
    for kind in ("uint16", "float32"):
        pixels = image(kind, shape)
        for name, way in WAYS.items():
            params = CfarParams(pfa=1e-9, **way)
            cfar.detect(pixels[:200, :200], params)
            Path("/proc/self/clear_refs").write_text("5", "utf-8")  # the peak begins anew
            before, begin = memory_mb("VmRSS"), time.perf_counter()
            hits = cfar.detect(pixels, params)
            took, beyond = time.perf_counter() - begin, memory_mb("VmHWM") - before
            # later iterations have fewer pixels in their rings, which only the tests' twin of all iterations knows
            difference = f"{worst(pixels, hits, params):.1g}" if params.iterations == 1 else ""
            speed = pixels.size / took / 1e6
            lines.append(f"| {kind} | {name} | {len(hits)} | {difference} | {beyond:.0f} MB | {speed:.0f} |")
            print(lines[-1], flush=True)
        del pixels
    if not is_quick:
        write_between(ROOT / "docs" / "cfar.md", "half_land", "\n".join(lines))


if __name__ == "__main__":
    main()
