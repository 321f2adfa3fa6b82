"""A sieve before the exact sums: one pass over digital numbers that leaves one pixel in some thousands.

The image is taken in squares of 2 × 2 pixels. The mean power of a square, rounded down, goes through the same running
sums as in `sliding`, a quarter as many. Squares that lie in the rings of all four pixels of one, less those that touch
their guards, add up to less than any of the four rings does: where the brightest of the four is below the threshold of
that, none of them is a hit. `per_pixel` sums the rings of what is left.

Each pixel is read once: powers of squares are kept in shared memory as sixteen bits, eleven of them the number's, until
they have left the ring. What is lost by that only lowers the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numba
import numpy as np

from sarship.cfar.gpu.arguments import Catch, Pixels, RingShape, Strips
from sarship.cfar.gpu.compilation import as_kernel, made_once, on_device
from sarship.cfar.gpu.device_functions import make_load, make_pick, nearest, put
from sarship.cfar.gpu.rules_integer import GAMMA_NUMBER

cuda: Any = import_module("numba.cuda")

__all__ = ["CHUNK", "bytes_of_column", "in_squares", "share_of_ring", "sifting"]

CHUNK = 5
"""Columns of squares of a thread. Odd, so that the threads of a warp meet different banks of the shared memory."""
_DIGITS = np.uint32(11)
"""Bits of a kept power that are its number; the others are its exponent."""
_NUMBER = np.uint32((1 << 11) - 1)


def in_squares(shape: RingShape) -> RingShape:
    """Return the squares in the rings of all pixels of one on each side of it, and those that touch a guard."""
    outer_lines, outer_pixels = (max(half - 1, 0) // 2 for half in shape[:2])
    guard_lines, guard_pixels = ((half + 1) // 2 for half in shape[2:])
    return RingShape(outer_lines, outer_pixels, guard_lines, guard_pixels)


def share_of_ring(shape: RingShape, ring_size: int) -> float:
    """Return the part of a ring that its bound adds up."""
    outer_lines, outer_pixels, guard_lines, guard_pixels = in_squares(shape)
    if outer_lines < guard_lines or outer_pixels < guard_pixels:
        return 0.0
    outer = (2 * outer_lines + 1) * (2 * outer_pixels + 1)
    return 4 * (outer - (2 * guard_lines + 1) * (2 * guard_pixels + 1)) / ring_size


def bytes_of_column(squares: RingShape) -> int:
    """Return the shared memory of a column of squares: two sums, the powers in its window, and brightest pixels."""
    return 16 + 2 * (2 * squares.outer_lines + 2) + 2 * (squares.outer_lines + 1)


@on_device
def _number(number: Any) -> Any:
    return np.uint32(number)


@on_device
def _kept(power: Any) -> Any:
    """Return a power as sixteen bits, rounded down."""
    exponent = np.uint32(max(np.int32(21) - np.int32(cuda.clz(power)), np.int32(0)))
    return np.uint16((exponent << _DIGITS) | np.uint32(power >> exponent))


@on_device
def _power(kept: Any) -> Any:
    """Return the power that is kept so."""
    code = np.uint32(kept)
    return np.uint64(np.uint32((code & _NUMBER) << np.uint32(code >> _DIGITS)))


@on_device
def _quarter(number: Any) -> Any:
    return np.uint32(np.uint32(number * number) >> np.uint32(2))


@made_once
def sifting(is_masked: bool) -> Callable[..., None]:
    """Make the kernel that lists candidates; its grid is (strips, heights), and strips are measured in squares."""
    pick, load = make_pick(replace(GAMMA_NUMBER, power=_number), is_masked), make_load(GAMMA_NUMBER, is_masked)
    sum_dtype, kept_dtype = numba.from_dtype(np.dtype(np.uint64)), numba.from_dtype(np.dtype(np.uint16))

    @on_device
    def fetch(pixels: Pixels, line: int, left: int, first: Any, second: Any) -> None:
        """Read two lines of the thread's columns: the two pixels of each in one number."""
        image, valid = pixels.image, pixels.valid
        n_lines, n_pixels = image.shape
        has_first, has_second = 0 <= line < n_lines, 0 <= line + 1 < n_lines
        # masks that are not there have one line
        n_kept = 1 if not is_masked else n_lines
        row, keep = image[nearest(line, n_lines)], valid[nearest(line, n_kept)]
        next_row, next_keep = image[nearest(line + 1, n_lines)], valid[nearest(line + 1, n_kept)]
        for j in range(CHUNK):
            x = np.int32(2 * (left + cuda.threadIdx.x + j * cuda.blockDim.x))
            is_even, is_odd = np.uint32(x) < np.uint32(n_pixels), np.uint32(np.int32(x + 1)) < np.uint32(n_pixels)
            even, odd = np.uint32(x) if is_even else np.uint32(0), np.uint32(x + 1) if is_odd else np.uint32(0)
            a, b = pick(row, keep, even, is_even and has_first), pick(row, keep, odd, is_odd and has_first)
            first[j] = np.uint32(a | np.uint32(b << np.uint32(16)))
            a = pick(next_row, next_keep, even, is_even and has_second)
            b = pick(next_row, next_keep, odd, is_odd and has_second)
            second[j] = np.uint32(a | np.uint32(b << np.uint32(16)))

    @on_device
    def list_square(
        pixels: Pixels, min_factor: float, strips: Strips, catch: Catch, band: int, column: int, bound: Any
    ) -> None:
        """List the pixels of a square that the bound does not rule out."""
        for i in range(4):
            line, pixel = 2 * band + i // 2, 2 * column + i % 2
            if strips.start <= line < strips.stop:
                level = load(pixels, line, pixel)
                if np.float64(level) > min_factor * bound:
                    slot = np.int64(cuda.atomic.add(catch.tally, 0, np.uint64(1)))
                    nothing = np.uint64(0), np.uint64(0), np.uint64(0)
                    put(catch, slot, line + pixels.first_line, pixel, np.int64(level), nothing)

    @as_kernel
    def kernel(pixels: Pixels, squares: RingShape, min_factor: float, strips: Strips, catch: Catch) -> None:
        t, n_threads = np.int32(cuda.threadIdx.x), np.int32(cuda.blockDim.x)
        ahead, ahead_p = np.int32(squares.outer_lines), np.int32(squares.outer_pixels)
        guard, guard_p = np.int32(squares.guard_lines), np.int32(squares.guard_pixels)
        n = np.int32(CHUNK * n_threads)
        # one memory seen as two types
        sums, kept = cuda.shared.array(0, sum_dtype), cuda.shared.array(0, kept_dtype)
        first, second = cuda.local.array(CHUNK, numba.uint32), cuda.local.array(CHUNK, numba.uint32)
        # powers of the bands in the window and of the one that leaves it, then brightest pixels: lists that go round
        powers, peaks, stop = np.int32(8 * n), np.int32((2 * ahead + 10) * n), np.int32((3 * ahead + 11) * n)
        for i in range(t, 2 * n, n_threads):
            sums[np.uint32(i)] = np.uint64(0)
        for i in range(powers + t, stop, n_threads):
            kept[np.uint32(i)] = np.uint16(0)
        cuda.syncthreads()
        own, begin = np.int32(cuda.blockIdx.x * strips.width), np.int32(t * CHUNK)
        top = strips.start // 2 + cuda.blockIdx.y * strips.height
        new, peak_at = powers, peaks
        fetch(pixels, 2 * (top - ahead), own - ahead_p, first, second)
        for band in range(top - 2 * ahead, min(top + strips.height, (strips.stop + 1) // 2)):
            old = np.int32(new + n if new + n < peaks else powers)
            near = np.int32(new - (ahead - guard) * n)
            near = np.int32(near if near >= powers else near + (peaks - powers))
            far = np.int32(near - (2 * guard + 1) * n)
            far = np.int32(far if far >= powers else far + (peaks - powers))
            for j in range(CHUNK):
                c = np.int32(t + j * n_threads)
                a, b = np.uint32(first[j] & np.uint32(0xFFFF)), np.uint32(first[j] >> np.uint32(16))
                p, q = np.uint32(second[j] & np.uint32(0xFFFF)), np.uint32(second[j] >> np.uint32(16))
                code = _kept(np.uint32(_quarter(a) + _quarter(b) + _quarter(p) + _quarter(q)))
                kept[np.uint32(new + c)] = code
                kept[np.uint32(peak_at + c)] = np.uint16(max(a, b, p, q))
                outer, inner = np.uint32(c), np.uint32(n + c)
                sums[outer] = np.uint64(sums[outer] + (_power(code) - _power(kept[np.uint32(old + c)])))
                entering, leaving = _power(kept[np.uint32(near + c)]), _power(kept[np.uint32(far + c)])
                sums[inner] = np.uint64(sums[inner] + (entering - leaving))
            # on their way while the present band is decided
            fetch(pixels, 2 * (band + 1 + ahead), own - ahead_p, first, second)
            new = old
            peak_at = np.int32(peak_at + n if peak_at + n < stop else peaks)
            if band < top:
                continue
            cuda.syncthreads()
            # a thread's columns are a stride apart going down and beside each other going across
            if begin < strips.width:
                total = np.uint64(0)
                for k in range(2 * ahead_p + 1):
                    total = np.uint64(total + sums[np.uint32(begin + k)])
                guarded = np.int32(n + begin + ahead_p - guard_p)
                for k in range(2 * guard_p + 1):
                    total = np.uint64(total - sums[np.uint32(guarded + k)])
                for j in range(CHUNK):
                    s = np.int32(begin + j)
                    if s < strips.width:
                        peak = np.uint32(kept[np.uint32(peak_at + ahead_p + s)])
                        # four pixels a square
                        bound = np.float64(np.int64(total << np.uint64(2)))
                        if np.float64(np.uint32(peak * peak)) > min_factor * bound:
                            list_square(pixels, min_factor, strips, catch, band, own + s, bound)
                    gained = np.uint64(sums[np.uint32(s + 2 * ahead_p + 1)] - sums[np.uint32(s)])
                    lost = np.uint64(sums[np.uint32(guarded + j + 2 * guard_p + 1)] - sums[np.uint32(guarded + j)])
                    total = np.uint64(total + (gained - lost))
            cuda.syncthreads()

    return kernel  # type: ignore[no-any-return]
