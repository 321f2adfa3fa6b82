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


def _array(kind: Any, n_axes: int) -> Any:
    return types.Array(kind, n_axes, "C")


FLAGS, BITS, TALLY = _array(types.boolean, 2), _array(types.uint32, 2), _array(types.uint64, 1)
PLACES, TABLE, SURFACE = _array(WHOLE, 2), _array(REAL, 1), _array(REAL, 2)


class _Card:
    compute_capability = CAPABILITY


def kernels() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Every kernel with its name and the types that it is called with."""
    # the modules of kernels make device functions when they load, which asks for a card
    dispatcher: Any = import_module("numba.cuda.dispatcher")
    dispatcher.get_current_device = _Card
    from sarship.cfar.gpu import per_pixel as gpu_rings
    from sarship.cfar.gpu import rules_float as gpu_float_rules
    from sarship.cfar.gpu import rules_goca_os as gpu_averages
    from sarship.cfar.gpu import rules_integer as gpu_rules
    from sarship.cfar.gpu import sliding as gpu_kernels

    kind: Any
    rules: dict[str, tuple[Any, Any]] = {
        "gamma, uint16": (gpu_rules.GAMMA_NUMBER, np.uint16),
        "two moments": (gpu_rules.MOMENTS, np.uint32),
        "two moments, three words": (gpu_rules.SHARP_MOMENTS, np.uint32),
    }
    for kind in (np.uint16, np.float32, np.float64):
        if kind is not np.uint16:
            rules[f"gamma, {kind.__name__}"] = (gpu_float_rules.gamma_float(kind), kind)
            rules[f"gaussian, {kind.__name__}"] = (gpu_float_rules.gaussian_float(kind), kind)
        rules[f"GOCA, {kind.__name__}"] = (gpu_averages.sides(kind, True), kind)
        rules[f"SOCA, {kind.__name__}"] = (gpu_averages.sides(kind, False), kind)
        rules[f"OS, {kind.__name__}"] = (gpu_averages.ordered(kind), kind)
        image = _array(numba.from_dtype(np.dtype(kind)), 2)
        fill = gpu_kernels.fill_levels(kind is np.uint16, True)
        yield f"levels, {kind.__name__}", fill, (image, FLAGS, _array(types.uint32, 1), WHOLE, TALLY, BITS)
        yield f"gather, {kind.__name__}", gpu_rings.gather, (image, PLACES, WHOLE, TABLE)
    yield "mark", gpu_rings.mark, (PLACES, WHOLE, WHOLE, WHOLE, BITS)
    for name, (rule, kind) in rules.items():
        image = _array(numba.from_dtype(np.dtype(kind)), 2)
        words = _array(numba.from_dtype(np.dtype(rule.word)), 2)
        for mode in ("search", "score", "mask"):
            out = _array(types.float32, 2) if mode == "score" else FLAGS
            ends = (TALLY, PLACES, words, out)
            yield from _passing(name, rule, mode, (image, FLAGS, TABLE, *[WHOLE] * 4), ends)
            for where in ("lines", "places", "blocks") if mode == "search" else ("lines", "blocks"):
                kernel = gpu_rings.ring_by_ring(rule, True, mode, where)
                more = (*[WHOLE] * 4, SURFACE, _clutter_model(), PLACES, BITS)
                yield (
                    f"{name}, {mode}, rings of {where}", kernel,
                    (image, FLAGS, TABLE, *[WHOLE] * 4, *more, *ends),
                )  # fmt: skip


def _passing(
    name: str, rule: Any, mode: Any, begin: tuple[Any, ...], ends: tuple[Any, ...]
) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """The kernels that pass over the image."""
    from sarship.cfar.gpu import parts as gpu_parts
    from sarship.cfar.gpu import sliding as gpu_kernels

    for is_masked in (False, True):
        if isinstance(rule, gpu_parts.Running):
            kernel = gpu_kernels.sliding(rule, is_masked, mode)
            label = f"{name}, {mode}{', masked' * is_masked}"
            yield label, kernel, (*begin, *[WHOLE] * 5, REAL, SURFACE, _clutter_model(), *ends)


def _clutter_model() -> Any:
    from sarship.cfar.gpu.parts import Law

    typeof: Any = numba.typeof
    return typeof(Law(1.0, 1.0, 1.0, 1.0))


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
