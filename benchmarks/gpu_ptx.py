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


class _Card:
    compute_capability = CAPABILITY


def kernels() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Every kernel with its name and the types that it is called with."""
    # its modules make device functions when they load, which asks for a card
    dispatcher: Any = import_module("numba.cuda.dispatcher")
    dispatcher.get_current_device = _Card
    from sarship.cfar import gpu_float_rules, gpu_kernels, gpu_rules

    types: Any = numba.types
    typeof: Any = numba.typeof
    kind: Any
    out: Any
    whole, real, flags = types.int64, types.float64, types.Array(types.boolean, 2, "C")
    places, tally = types.Array(whole, 2, "C"), types.Array(types.uint64, 1, "C")
    table, surface = types.Array(real, 1, "C"), types.Array(real, 2, "C")
    law = typeof(gpu_rules.Law(1.0, 1.0, 1.0, 1.0))
    rules = {
        "gamma, uint16": (gpu_rules.GAMMA_NUMBER, np.uint16),
        "two moments": (gpu_rules.MOMENTS, np.uint32),
        "two moments, three words": (gpu_rules.SHARP_MOMENTS, np.uint32),
    }
    for kind in (np.float32, np.float64):
        rules[f"gamma, {kind.__name__}"] = (gpu_float_rules.gamma_float(kind), kind)
        rules[f"gaussian, {kind.__name__}"] = (gpu_float_rules.gaussian_float(kind), kind)
    for name, (rule, kind) in rules.items():
        image = types.Array(numba.from_dtype(np.dtype(kind)), 2, "C")
        words = types.Array(numba.from_dtype(np.dtype(rule.word)), 2, "C")
        found = (tally, places, words)
        begin = (image, flags, table, *[whole] * 4)
        for mode in ("search", "score", "mask"):
            out = types.Array(types.float32, 2, "C") if mode == "score" else flags
            for is_masked in (False, True):
                kernel = gpu_kernels.sliding(rule, is_masked, mode)
                label = f"{name}, {mode}{', masked' * is_masked}"
                yield label, kernel, (*begin, *[whole] * 5, real, surface, law, *found, out)
            kernel = gpu_kernels.ring_by_ring(rule, True, mode, mode == "search")
            yield f"{name}, {mode}, ring by ring", kernel, (*begin, *[whole] * 3, surface, law, places, *found, out)
    levels = types.Array(types.uint32, 1, "C")
    for kind in (np.uint16, np.float32, np.float64):
        image = types.Array(numba.from_dtype(np.dtype(kind)), 2, "C")
        kernel = gpu_kernels.fill_levels(kind is np.uint16, True)
        out = types.Array(types.uint32, 2, "C")
        yield f"levels, {kind.__name__}", kernel, (image, flags, levels, whole, tally, out)
        yield f"gather, {kind.__name__}", gpu_kernels.gather, (image, places, whole, table)


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
