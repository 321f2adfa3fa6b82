"""The detector on a graphics card: is it the CPU's, how fast is it, and how near the card's limits.

`python -m benchmarks.gpu` needs a card, numpy, scipy, numba, numba-cuda and CuPy, and no more of sarship's own
requirements than `sarship.cfar`. It compares hits and scores with the CPU's for every clutter model and average, and
iterated, times them, times what CuPy offers for the same work, each in its best form, and saves all of it in
`benchmarks/gpu.json`. The table between the markers of README.md is written from that file, and says so where there is
none. `--readme` writes the table alone; `--small` checks equality on small images alone, and is what compute-sanitizer
is given.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.pages import ROOT, write_between
from sarship import cfar
from sarship.cfar.device import found_on_this_machine, new_device
from sarship.cfar.params import CfarParams, ClutterModel, RingAverage
from sarship.errors import DeviceError

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "gpu.json"
UNMEASURED: Final = "Not yet measured on a GPU. `python -m benchmarks.gpu` on a machine with one writes a table here."
PFA, ENL, GUARD, OUTER = 1e-6, 4.4, 10, 20
N_RING: Final = (2 * OUTER + 1) ** 2 - (2 * GUARD + 1) ** 2
REPEATS: Final = 10
CLUTTER_MODELS: Final = get_args(ClutterModel)
WAYS: Final[dict[str, dict[str, Any]]] = (
    {clutter_model: {"clutter_model": clutter_model} for clutter_model in CLUTTER_MODELS}
    | {average: {"average": average} for average in get_args(RingAverage) if average != "ca"}
    | {"gamma, iterated": {"iterations": 2}, "lognormal, iterated": {"clutter_model": "lognormal", "iterations": 2}}
)
"""Every clutter model, every average, and iterations with and without levels."""

Call = Callable[[], object]


def make_image(lines: int, pixels: int, seed: int = 0) -> NDArray[np.uint16]:
    """Make a sea of ENL 4.4 whose level rises across it, bright land over its last tenth, a ship every 120 pixels."""
    rng = np.random.default_rng(seed)
    level = np.linspace(1, 3, pixels, dtype=np.float32) * 1e4
    level[int(pixels * 0.9) :] = 4e8
    # lines of random speckle serve many times, moved and turned: a whole image of it takes minutes
    tile = rng.standard_gamma(ENL, (min(1021, lines), pixels), dtype=np.float32) / np.float32(ENL)
    image = np.empty((lines, pixels), np.uint16)
    for start in range(0, lines, len(tile)):
        rows = image[start : start + len(tile)]
        turned = np.roll(tile, int(rng.integers(pixels)), axis=1)[: len(rows)]
        rows[:] = np.minimum(np.sqrt(turned * level), 65_535)
    image[60:-60:120, 60:-60:120] = 900
    return image


def params_of(way: str, scale: int = 1) -> CfarParams:
    """Return parameters with 10 guard and 10 training cells on each side, times `scale`."""
    return CfarParams(
        pfa=PFA, guard=GUARD * scale, training=(OUTER - GUARD) * scale, enl=ENL, max_hits=100_000_000, **WAYS[way]
    )


def differences(
    image: Any, there: Any, params: CfarParams, valid: Any = None, valid_there: Any = None
) -> dict[str, int]:
    """Count the hits, those that only one of the two has, and those that are not the same.

    The same are values and scores in every bit, and clutter to 1e-12. Sums of floats that are taken in another order,
    of sides and of squares, may change the last bit of a score.
    """
    is_whole = image.dtype.kind == "u" or not (params.average in {"goca", "soca"} or params.clutter_model == "gaussian")
    cpu, gpu = cfar.detect(image, params, valid), cfar.detect(there, params, valid_there)
    places = [set(zip(hits.line.tolist(), hits.pixel.tolist(), strict=True)) for hits in (cpu, gpu)]
    only_cpu, only_gpu = places[0] - places[1], places[1] - places[0]
    differ = 0
    if not (only_cpu or only_gpu):
        apart = np.abs(cpu.score - gpu.score) > (0 if is_whole else 3e-7) * cpu.score
        differ = int(((cpu.value != gpu.value) | apart).sum())
        differ += int((np.abs(cpu.clutter - gpu.clutter) > 1e-12 * cpu.clutter).sum())
    return {"hits": len(cpu), "only_cpu": len(only_cpu), "only_gpu": len(only_gpu), "differ": differ}


def random_equality(sizes: list[tuple[int, int]], kinds: tuple[Any, ...]) -> dict[str, dict[str, int]]:
    """Equality in every way on random images with masks, odd sizes and rectangular windows."""
    upload = new_device().from_host
    found = {}
    for way, options in WAYS.items():
        for kind in kinds:
            for seed, size in enumerate(sizes):
                rng = np.random.default_rng(seed)
                power = rng.standard_gamma(2, size)
                power[rng.integers(size[0], size=40), rng.integers(size[1], size=40)] *= 50
                image = (np.sqrt(power) * 100).astype(np.uint16) if kind is np.uint16 else power.astype(kind)
                image[rng.random(size) < 0.01] = 0
                valid = rng.random(size) > 0.1
                window = {"guard": (1, 2), "training": (3, 4)} if seed % 2 else {"guard": 2, "training": 3}
                params = CfarParams(pfa=1e-3, enl=2, min_ring=8, max_hits=10**7, **window, **options)
                name = f"{way}, {np.dtype(kind).name}, {size[0]} × {size[1]}"
                found[name] = differences(image, upload(image), params, valid, upload(valid))
                # scores are the CPU's too, to the last bit of a float32
                ours, theirs = cfar.to_host(cfar.score(upload(image), params, valid)), cfar.score(image, params, valid)
                found[name]["differ"] += int((~np.isclose(ours, theirs, 3e-7, 0, equal_nan=True)).sum())
    return found


def seconds(call: Call, synchronize: Call, repeats: int = REPEATS) -> float:
    """Median time of a call, once warm, with the device's work in it."""
    call()
    synchronize()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rivals(cupy: Any, there: Any) -> dict[str, Call]:
    """The same threshold by what CuPy offers, from digital numbers to an image of booleans."""
    filters, part = import_module("cupyx.scipy.ndimage"), special.betainccinv(ENL, ENL * N_RING, PFA)
    threshold = float(part / (1 - part))
    outer, inner = 2 * OUTER + 1, 2 * GUARD + 1

    def power(kind: Any) -> Any:
        number = there.astype(kind)
        return cupy.multiply(number, number, out=number)

    def ca_cfar() -> Any:
        # its factor is that of a single look and cannot be given; its time is that of any
        return import_module("cupyx.signal").ca_cfar(
            power(cupy.float32), (GUARD, GUARD), (OUTER - GUARD, OUTER - GUARD), PFA
        )[1]

    def uniform_filter() -> Any:
        values = power(cupy.float32)
        ring = filters.uniform_filter(values, outer, mode="mirror")
        ring *= outer**2
        guarded = filters.uniform_filter(values, inner, mode="mirror")
        guarded *= inner**2
        ring -= guarded
        ring *= threshold
        return values > ring

    def cumsum() -> Any:
        values = power(cupy.float64)
        table = cupy.zeros((there.shape[0] + 1, there.shape[1] + 1))
        cupy.cumsum(values, axis=0, out=table[1:, 1:])
        cupy.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
        n, m = (size - 2 * OUTER for size in there.shape)
        rings = []
        for half in (OUTER, GUARD):
            low, high = OUTER - half, OUTER + half + 1
            rings.append(
                table[high : high + n, high : high + m] - table[low : low + n, high : high + m]
                - table[high : high + n, low : low + m] + table[low : low + n, low : low + m]
            )  # fmt: skip
        inside = values[OUTER:-OUTER, OUTER:-OUTER]
        return inside > (rings[0] - rings[1]) * threshold

    return {"cupyx.signal.ca_cfar": ca_cfar, "cupyx uniform_filter, float32": uniform_filter, "cumsum, float64": cumsum}


def _repeats(way: str) -> int:
    return REPEATS if way in CLUTTER_MODELS else 3


def times_on_card(cupy: Any, image: NDArray[np.uint16]) -> dict[str, Any]:
    """Times of everything, in seconds, and the memory that each takes beyond the image, in bytes."""
    pool, wait = cupy.get_default_memory_pool(), cupy.cuda.runtime.deviceSynchronize
    there, spare = cupy.asarray(image), cupy.empty(image.shape, image.dtype)
    found: dict[str, Any] = {"seconds": {}, "bytes": {}}

    def add(name: str, call: Call, repeats: int = REPEATS) -> None:
        pool.free_all_blocks()
        before = pool.total_bytes()
        try:
            found["seconds"][name] = seconds(call, wait, repeats)
        except Exception as error:
            found["seconds"][name] = f"failed: {str(error).splitlines()[0]}"
        found["bytes"][name] = pool.total_bytes() - before
        print(name, found["seconds"][name], flush=True)

    add("copy", partial(cupy.copyto, spare, there))
    del spare
    for way in WAYS:
        add(f"{way}, uint16, on the card", partial(cfar.detect, there, params_of(way)), _repeats(way))
    add("gamma, uint16, 40/80, on the card", lambda: cfar.detect(there, params_of("gamma", 4)))
    power = there.astype(cupy.float32)
    power *= power
    for way in WAYS:
        add(f"{way}, float32, on the card", partial(cfar.detect, power, params_of(way)), _repeats(way))
    del power
    pinned = import_module("cupyx").empty_pinned(image.shape, image.dtype)
    pinned[:] = image
    spare_there = cupy.empty(image.shape, image.dtype)
    add("copy from pinned memory", lambda: spare_there.set(pinned), 5)
    add("gamma, uint16, from pinned memory", lambda: cfar.detect_streamed(pinned, params_of("gamma")), 5)
    add("gamma, uint16, from plain memory", lambda: cfar.detect_streamed(image, params_of("gamma")), 5)
    for name, call in rivals(cupy, there).items():
        add(name, call, 3)
    add("gamma, uint16, on the CPU", lambda: cfar.detect(image, params_of("gamma")), 3)
    return found


def sanitized() -> str:
    """What compute-sanitizer says of a small case; or that it is not there."""
    tool = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
    if tool is None:
        return "compute-sanitizer not found"
    command = [tool, "--tool", "memcheck", sys.executable, "-m", "benchmarks.gpu", "--small"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=HERE.parent, check=False)
    except subprocess.TimeoutExpired:
        return "compute-sanitizer took over 150 s"
    summary = [line.strip("= ") for line in run.stdout.splitlines() if "ERROR SUMMARY" in line]
    return summary[-1] if summary else f"compute-sanitizer said nothing, exit code {run.returncode}"


def table(results: dict[str, Any]) -> str:
    """The table for README.md."""
    lines, pixels = results["shape"]
    count, copied = lines * pixels, results["seconds"]["copy"]
    rows = [
        f"{lines:,} × {pixels:,} pixels of uint16, ring 10/20, pfa {PFA:g}; {results['machine']['card']}, driver "
        f"{results['machine']['driver']}, CuPy {results['machine']['CuPy']}, numba-cuda "
        f"{results['machine']['numba-cuda']}; {results['date']}. Copying the image on the card moves "
        f"{2 * 2 * count / copied / 1e12:.2f} TB/s.",
        "",
        "| method | ms | Gpx/s | memory beyond the image, MB |",
        "|---|--:|--:|--:|",
    ]
    for name, value in results["seconds"].items():
        memory = f"{results['bytes'][name] / 1e6:,.0f}"
        if isinstance(value, str):
            rows.append(f"| {name} | {value} | | {memory} |")
        else:
            took = f"{value * 1e3:,.0f}" if value > 0.1 else f"{value * 1e3:.3g}"
            rows.append(f"| {name} | {took} | {count / value / 1e9:.3g} | {memory} |")
    unequal = {n: d for n, d in results["equality"].items() if d["only_cpu"] + d["only_gpu"] + d["differ"]}
    n_hits = sum(d["hits"] for d in results["equality"].values())
    rows += ["", f"{n_hits:,} hits of {len(results['equality'])} images were compared with the CPU's: "]
    rows[-1] += (
        "all are the same pixels, with the same values and scores in every bit (Gaussian, GOCA and SOCA on floats to "
        "3e-7 of them), and clutter to 1e-12 of it."
        if not unequal
        else f"**differences in {', '.join(unequal)}.**"
    )
    rows[-1] += f" compute-sanitizer: {results['sanitizer'].removeprefix('ERROR SUMMARY: ')}."
    rows += ["", results["note"]] if "note" in results else []
    return "\n".join(rows)


def write_readme(results_file: Path = RESULTS, readme: Path = ROOT / "README.md") -> None:
    """Write the table between the markers, or that there is none yet."""
    text = table(json.loads(results_file.read_text("utf-8"))) if results_file.exists() else UNMEASURED
    write_between(readme, "gpu", text)


def measure(lines: int, pixels: int) -> dict[str, Any]:
    """Everything, in an order that shows what is wrong before what is slow."""
    # one sentence where there is none
    new_device()
    cupy = import_module("cupy")
    results: dict[str, Any] = {
        "machine": found_on_this_machine() | {"CPU threads": str(os.cpu_count())},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "shape": [lines, pixels],
        "equality": random_equality([(501, 1003), (250, 1501)], (np.uint16, np.float32, np.float64)),
    }
    image = make_image(lines, pixels)
    there = cupy.asarray(image)
    for way in WAYS:
        results["equality"][f"{way}, uint16, {lines} × {pixels}"] = differences(image, there, params_of(way))
        print(way, results["equality"][f"{way}, uint16, {lines} × {pixels}"], flush=True)
    del there
    results |= times_on_card(cupy, image)
    return results | {"sanitizer": sanitized()}


def main() -> None:
    """Measure, save, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=16_700)
    parser.add_argument("--pixels", type=int, default=25_000)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--readme", action="store_true", help="write the table of the saved results, and no more")
    parser.add_argument("--small", action="store_true", help="check equality on small images, and no more")
    arguments = parser.parse_args()
    if arguments.readme:
        write_readme(arguments.results)
        return
    try:
        if arguments.small:
            found = random_equality([(61, 83)], (np.uint16, np.float32))
            print(json.dumps(found, indent=1))
            sys.exit(any(d["only_cpu"] or d["only_gpu"] or d["differ"] for d in found.values()))
        results = measure(arguments.lines, arguments.pixels)
    except DeviceError as error:
        sys.exit(str(error))
    arguments.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(table(results))
    if arguments.results == RESULTS:
        write_readme()


if __name__ == "__main__":
    main()
