"""Compilation of the kernels: without the interpreter's lock, and kept on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["ABOVE_ONE", "LARGEST_SCORE", "compiled", "in_order", "uncounted"]

ABOVE_ONE: Final = np.nextafter(np.float32(1), np.float32(2))
"""Minimum score of a hit, however closely it is one."""
LARGEST_SCORE: Final = float(np.finfo(np.float32).max)
"""Score of a hit whose own is too large for float32."""

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F, *, any_order: bool = False, fused: bool = False, counts: bool = True) -> F:
    """Compile a kernel on its first call, and keep the result on disk for the next process.

    numba writes cache files under a temporary name and renames them, so two processes may compile at once. Where
    neither the package's folder nor the user's cache can be written it refuses to cache; the kernel then
    compiles in every process. numba takes a cached kernel for old when the kernel's own file changes; here any file of
    the room counts, because kernels are made of functions from several. `any_order` lets sums of floats be added in any
    order, and so in vector registers; `fused` lets a product and a sum be rounded once. With `counts` False, references
    to arrays are not counted, which is done for each part of an array and takes longer than adding up a few pixels of
    it. Kernels alone can call such a function, and numba refuses one that makes an array or returns a part of one.
    """
    flags = ({"reassoc", "nsz"} if any_order else set()) | ({"contract"} if fused else set())
    # the error model of NumPy, because a test for division by zero keeps a loop out of the vector registers
    options: dict[str, Any] = {"nogil": True, "fastmath": flags, "error_model": "numpy", "_nrt": counts}
    try:
        kernel: F = numba.njit(function, **options, cache=True)
    except RuntimeError:
        return numba.njit(function, **options)  # type: ignore[no-any-return]
    with suppress(AttributeError):  # nothing is cached where NUMBA_DISABLE_JIT is set
        kernel._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename))  # type: ignore[attr-defined]
    return kernel


uncounted = partial(compiled, counts=False)
"""`compiled` for the parts of kernels that are called for every line."""


def _stamp(file: Path) -> tuple[int, int]:
    """Newest change and total size of the sources that a kernel of a file may be made of: those of its room."""
    folders = [folder for folder in file.parents if (folder.parent / "_package.py").exists()]
    return _stamp_of(folders[0] if folders else file)


@cache
def _stamp_of(folder: Path) -> tuple[int, int]:
    states = [file.stat() for file in ([folder] if folder.is_file() else folder.rglob("*.py"))]
    return max(state.st_mtime_ns for state in states), sum(state.st_size for state in states)


@contextmanager
def in_order(scores: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Room for the scores of a part of an image, with its lines one after the other in memory.

    That part itself where it lies so, else new room whose scores are put there at the end. Kernels are compiled, in
    seconds each, for such room alone.
    """
    if scores.flags.c_contiguous:
        yield scores
        return
    room = np.empty(scores.shape, scores.dtype)
    yield room
    scores[...] = room
