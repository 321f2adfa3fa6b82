"""What all kernels share: the way they are compiled (without the interpreter's lock, and kept on disk where a folder
can be written), lists that grow, and how scores are rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["ABOVE_ONE", "LARGEST_SCORE", "compiled", "grown", "in_order"]

ABOVE_ONE: Final = np.nextafter(np.float32(1), np.float32(2))
"""The least score of a hit, however closely it is one."""
LARGEST_SCORE: Final = float(np.finfo(np.float32).max)
"""The score of a hit whose own is too large for float32."""

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F, *, any_order: bool = False, fused: bool = False) -> F:
    """Compile a kernel on its first call, and keep the result on disk for the next process.

    numba writes cache files under a temporary name and renames them, so two processes may compile at once. Where
    neither the package's folder nor the user's cache can be written it refuses to cache; the kernel then
    compiles in every process. `any_order` lets sums of floats be added in any order, and so in vector registers;
    `fused` lets a product and a sum be rounded once.
    """
    flags = ({"reassoc", "nsz"} if any_order else set()) | ({"contract"} if fused else set())
    # the error model of NumPy, because a test for division by zero keeps a loop out of the vector registers
    try:
        kernel: F = numba.njit(function, nogil=True, fastmath=flags, error_model="numpy", cache=True)
    except RuntimeError:
        kernel = numba.njit(function, nogil=True, fastmath=flags, error_model="numpy")
    return kernel


@compiled
def grown(array: np.ndarray) -> np.ndarray:
    """The values of a list in one of twice its length."""
    larger = np.empty(2 * array.size, array.dtype)
    larger[: array.size] = array
    return larger


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
