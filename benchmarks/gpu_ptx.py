"""Compile the device's kernels for a card that is not there: what numba-cuda refuses, registers, and spills.

`python -m benchmarks.gpu_ptx` needs numba-cuda with its compiler (`numba-cuda[cu13]`) and NVIDIA's assembler (`ptxas`,
from the package nvidia-cuda-nvcc or on the path), and no card. The simulator runs kernels as Python, so it
accepts what the compiler does not; this is how to know without a card. Fails where a kernel does not compile, keeps
an array in local memory, or spills registers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numba
import numpy as np

CAPABILITY: Final = (9, 0)
"""Compute capability that is compiled for: Hopper's."""


types: Any = numba.types
WHOLE, REAL = types.int64, types.float64
Kernel = tuple[str, Any, tuple[Any, ...]]


def _array(kind: Any, n_axes: int) -> Any:
    return types.Array(kind, n_axes, "C")


FLAGS, BITS, PLACES = _array(types.boolean, 2), _array(types.uint32, 2), _array(WHOLE, 2)


class _Card:
    compute_capability = CAPABILITY


def _typed(kind: type, *fields: Any) -> Any:
    """Return the type of a named tuple."""
    return types.BaseTuple.from_types(fields, kind)


def kernels() -> Iterator[Kernel]:
    """Every kernel with its name and the types that it is called with."""
    # the modules of kernels make device functions when they load, which asks for a card
    dispatcher: Any = import_module("numba.cuda.dispatcher")
    dispatcher.get_current_device = _Card
    from sarship.cfar.gpu import arguments, per_pixel, rules_float, rules_goca_os, rules_integer

    kind: Any
    rules: dict[str, tuple[Any, Any]] = {
        "gamma, uint16": (rules_integer.GAMMA_NUMBER, np.uint16),
        "two parameters": (rules_integer.MOMENTS, np.uint32),
        "two parameters, three words": (rules_integer.SHARP_MOMENTS, np.uint32),
    }
    for kind in (np.uint16, np.float32, np.float64):
        if kind is not np.uint16:
            rules[f"gamma, {kind.__name__}"] = (rules_float.gamma_float(kind), kind)
            rules[f"gaussian, {kind.__name__}"] = (rules_float.gaussian_float(kind), kind)
        rules[f"GOCA, {kind.__name__}"] = (rules_goca_os.goca_soca_rule(kind, True), kind)
        rules[f"SOCA, {kind.__name__}"] = (rules_goca_os.goca_soca_rule(kind, False), kind)
        pixels = _pixels(kind)
        fill = per_pixel.fill_levels(kind is np.uint16, True)
        tally = _array(types.uint64, 1)
        yield f"levels, {kind.__name__}", fill, (pixels, _array(types.uint32, 1), WHOLE, tally, BITS)
        yield f"gather, {kind.__name__}", per_pixel.gather, (pixels, PLACES, WHOLE, _array(REAL, 1))
        yield f"censor, {kind.__name__}", per_pixel.censor, (pixels, PLACES, WHOLE)
    yield from _sieves()
    modes: tuple[arguments.Mode, ...] = ("search", "score", "mask")
    for mode in modes:
        for name, (rule, kind) in rules.items():
            yield from _searches(f"{name}, {mode}", rule, kind, mode)
        for kind in (np.uint16, np.float32, np.float64):
            rule = rules_goca_os.os_rule(kind, mode == "search")
            yield from _searches(f"OS, {kind.__name__}, {mode}", rule, kind, mode)


def _sieves() -> Iterator[Kernel]:
    """The sieve, with a mask and without."""
    from sarship.cfar.gpu import sieve
    from sarship.cfar.gpu.arguments import Catch, RingShape, Strips

    catch = _typed(Catch, _array(types.uint64, 1), PLACES, _array(types.uint64, 2), FLAGS, WHOLE)
    for is_masked in (False, True):
        arguments = _pixels(np.uint16), _typed(RingShape, *[WHOLE] * 4), REAL, _typed(Strips, *[WHOLE] * 4), catch
        yield f"sieve{', masked' * is_masked}", sieve.sifting(is_masked), arguments


def _pixels(kind: type) -> Any:
    from sarship.cfar.gpu.arguments import Pixels

    return _typed(Pixels, _array(numba.from_dtype(np.dtype(kind)), 2), FLAGS, BITS, WHOLE)


def _searches(name: str, rule: Any, kind: type, mode: Any) -> Iterator[Kernel]:
    """The kernels that decide pixels by a rule."""
    from sarship.cfar.gpu import per_pixel, sliding
    from sarship.cfar.gpu.arguments import Catch, RingShape, Strips, Thresholds, TwoParameterModel
    from sarship.cfar.gpu.rule import RunningRule

    model = _typed(TwoParameterModel, *[REAL] * 4)
    thresholds = _typed(Thresholds, _array(REAL, 1), _array(REAL, 2), REAL, model)
    words, out = _array(numba.from_dtype(np.dtype(rule.word)), 2), _array(types.float32, 2)
    catch = _typed(Catch, _array(types.uint64, 1), PLACES, words, out if mode == "score" else FLAGS, WHOLE)
    begin = (_pixels(kind), _typed(RingShape, *[WHOLE] * 4), thresholds)
    if isinstance(rule, RunningRule):
        for is_masked in (False, True):
            kernel = sliding.sliding(rule, is_masked, mode)
            yield f"{name}{', masked' * is_masked}", kernel, (*begin, _typed(Strips, *[WHOLE] * 4), catch)
    places: tuple[per_pixel.Place, ...] = ("lines", "listed", "blocks")
    for place in places:
        if place != "listed" or mode == "search":
            kernel = per_pixel.ring_by_ring(rule, True, mode, place)
            yield f"{name}, rings of {place}", kernel, (*begin, PLACES, WHOLE, WHOLE, catch)


def assembled(kernel: Any, signature: tuple[Any, ...], folder: Path) -> str:
    """What the assembler says of a kernel."""
    cuda: Any = import_module("numba.cuda")
    ptx, _ = cuda.compile(kernel.py_func, signature, device=False, output="ptx", cc=CAPABILITY, abi="numba")
    (folder / "kernel.ptx").write_text(ptx, "utf-8")
    own = Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cu*/bin/ptxas")
    # one on the path may be older than the compiler
    tool = next(map(str, own), None) or shutil.which("ptxas")
    if tool is None:
        sys.exit("ptxas not found: pip install nvidia-cuda-nvcc")
    target = f"-arch=sm_{CAPABILITY[0]}{CAPABILITY[1]}"
    command = [tool, target, "-v", str(folder / "kernel.ptx"), "-o", str(folder / "kernel.cubin")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def main() -> None:
    """Compile all and print a line each."""
    is_well = True
    with tempfile.TemporaryDirectory() as folder:
        for name, kernel, signature in kernels():
            said = assembled(kernel, signature, Path(folder))
            registers = re.search(r"Used (\d+) registers", said)
            stack = sum(int(n) for n in re.findall(r"(\d+) bytes (?:stack frame|spill)", said))
            is_well &= stack == 0
            print(f"{name:<50} {registers[1] if registers else '?':>4} registers, {stack} bytes of stack and spills")
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
