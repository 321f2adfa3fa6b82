"""The device's kernel for the ordered ring: which pixels are hits, without ever sorting one.

A pixel is above its threshold exactly when enough pixels of its ring, times the factor, are below it: so hits are found
by counting, in whole numbers. That costs the window's area, so as on the CPU most pixels are passed over first:
a block of threads makes a histogram of all that the rings of a tile reach, whose ordered pixel is below that of every
ring in it. What is left of the tile, some per cent at sea, is listed, and the block counts the rings of the list, all
threads on one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numba
import numpy as np

from sarship.cfar.gpu.parts import Rule, as_kernel, made_once, make_load, on_device, place_of, put

cuda: Any = import_module("numba.cuda")

__all__ = ["TILE", "search_os"]

TILE = 16
"""Lines and pixels of a tile."""
_TILE_SIZE = TILE * TILE
_BINS, _BINS_A_DOUBLING = 1024, 8
_MIDDLE = _BINS // 2
_SMALLEST, _LARGEST = 2.0**-100, 2.0**100
_SAFE = 1e-5
"""More than the rounding of a bin's number."""
_PARTS = 32
"""Parts of the histogram that are added up at once."""


@on_device
def _bin(level: float) -> Any:
    """Bin of a power, eight for each doubling; whatever lies outside is in the first or the last."""
    doublings = math.log2(np.float32(min(max(level, _SMALLEST), _LARGEST)))
    return min(max(np.int64(math.floor(doublings * _BINS_A_DOUBLING)) + _MIDDLE, 0), _BINS - 1)


@on_device
def _floor(number: int) -> Any:
    """Power that none in a bin is below."""
    return math.exp((number - _MIDDLE) / _BINS_A_DOUBLING * math.log(2.0)) * (1 - _SAFE) if number > 0 else 0.0


@made_once
def search_os(rule: Rule, is_masked: bool) -> Callable[..., None]:
    """The kernel that lists hits, a block a tile: places in `places`, and their number in `tally`.

    `table` and `surface[0]` are the factor and the place in order for every count, `lowest` the smallest factor.
    """
    load = make_load(rule, is_masked)

    @as_kernel
    def kernel(
        image: Any, valid: Any, table: Any, back_l: int, back_p: int, guard_l: int, guard_p: int, start: int, stop: int,
        min_ring: int, lowest: float, surface: Any, tally: Any, places: Any, words: Any,
    ) -> None:  # fmt: skip
        t, n_threads = cuda.threadIdx.x, cuda.blockDim.x
        n_lines, n_pixels = image.shape
        size = (n_lines, n_pixels)
        # a line each: the simulator tells them apart by it
        histogram = cuda.shared.array(_BINS, numba.int32)
        parts = cuda.shared.array(_PARTS, numba.int32)
        listed = cuda.shared.array(_TILE_SIZE, numba.int32)
        numbers = cuda.shared.array(3, numba.int32)
        quick = cuda.shared.array(1, numba.float64)
        top, left = start + cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE
        bottom, right = min(top + TILE, stop), min(left + TILE, n_pixels)
        for i in range(t, _BINS, n_threads):
            histogram[i] = 0
        if t == 0:
            numbers[0] = 0
        cuda.syncthreads()
        tall, wide = bottom - top + 2 * back_l, right - left + 2 * back_p
        for i in range(t, tall * wide, n_threads):
            y, x = top - back_l + i // wide, left - back_p + i % wide
            level = load(image, valid, size, y, x)
            if level < 0:
                cuda.atomic.min(tally, 1, place_of(y, x, n_pixels))
            if level > 0:
                cuda.atomic.add(histogram, _bin(level), 1)
        cuda.syncthreads()
        for part in range(t, _PARTS, n_threads):
            total = 0
            for i in range(part * (_BINS // _PARTS), (part + 1) * (_BINS // _PARTS)):
                total += histogram[i]
            parts[part] = total
        cuda.syncthreads()
        ring_size = table.size - 1
        if t == 0:
            n_known = 0
            for part in range(_PARTS):
                n_known += parts[part]
            numbers[1] = n_known
            # no ring of the tile that can decide has fewer pixels than this
            place = surface[0, max(ring_size - (tall * wide - n_known), min_ring)]
            below, part = 0, 0
            while part < _PARTS and below + parts[part] < place:
                below += parts[part]
                part += 1
            quick[0] = np.inf
            if part < _PARTS:
                number = part * (_BINS // _PARTS)
                below += histogram[number]
                while below < place:
                    number += 1
                    below += histogram[number]
                quick[0] = lowest * _floor(number)
        cuda.syncthreads()
        for i in range(t, (bottom - top) * (right - left), n_threads):
            level = load(image, valid, size, top + i // (right - left), left + i % (right - left))
            if level > 0 and level >= quick[0]:
                listed[cuda.atomic.add(numbers, 0, 1)] = i
        cuda.syncthreads()
        n_listed, is_full = numbers[0], numbers[1] == tall * wide
        broad = 2 * back_p + 1
        for k in range(n_listed):
            line, pixel = top + listed[k] // (right - left), left + listed[k] % (right - left)
            value = load(image, valid, size, line, pixel)
            n = ring_size
            # the ring's count, unless the tile lacks nothing; then those below the pixel
            for step in range(1 if is_full else 0, 2):
                cuda.syncthreads()
                if t == 0:
                    numbers[2] = 0
                cuda.syncthreads()
                factor, own = table[n] if step == 1 else 1.0, 0
                for i in range(t, (2 * back_l + 1) * broad, n_threads):
                    down, across = i // broad - back_l, i % broad - back_p
                    if abs(down) <= guard_l and abs(across) <= guard_p:
                        continue
                    level = load(image, valid, size, line + down, pixel + across)
                    if level > 0 and (step == 0 or factor * level < value):
                        own += 1
                cuda.atomic.add(numbers, 2, own)
                cuda.syncthreads()
                if step == 0:
                    n = numbers[2]
            if t == 0 and table[n] < np.inf and numbers[2] >= surface[0, n]:
                slot = np.int64(cuda.atomic.add(tally, 0, np.uint64(1)))
                put(places, words, slot, line, pixel, 0, (0.0, 0.0, 0.0))

    return kernel  # type: ignore[no-any-return]
