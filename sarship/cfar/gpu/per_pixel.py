"""The device's kernels that take every ring by itself, one thread a pixel, and those that go with lists of places.

They need no shared memory, so any window will do, and cost more the larger it is. They decide what running sums have
found, what lies near hits that are taken out of the rings, and everything where a window is too wide for a block.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import numpy as np

from sarship.cfar.gpu.parts import (
    Mode,
    Rule,
    Running,
    as_kernel,
    made_once,
    make_free,
    make_load,
    make_store,
    on_device,
    place_of,
    put,
)

cuda: Any = import_module("numba.cuda")

__all__ = ["Where", "gather", "mark", "ring_by_ring"]

Where = Literal["lines", "places", "blocks"]
"""Pixels to decide: all of some lines, those listed, or all of the blocks listed with what was taken out of rings."""


@made_once
def ring_by_ring(rule: Rule, is_masked: bool, mode: Mode, where: Where) -> Callable[..., None]:
    """The kernel that takes the rings of `n` pixels one by one.

    The image's first line is line `origin` of a whole, in which places, blocks (first and last line and pixel, each
    in `share` threads) and the bits of `taken` are; so is the first of `lines`, `share`. `out` begins at line `above`.
    """
    load, store = make_load(rule, is_masked), make_store(mode)
    is_search, is_number = mode == "search", rule.word is np.uint64
    score_of = rule.score
    may_be: Any = rule.may_be if isinstance(rule, Running) else None
    # the host decides from exact sums
    is_left_to_host = is_search and is_number and may_be is not None

    @on_device
    def kept(image: Any, keep: Any, size: Any, line: int, pixel: int) -> Any:
        return load(image, keep[0], size, line, pixel)

    ring = rule.ring(rule, make_free(rule, is_masked) if where == "blocks" else kept)

    @as_kernel
    def kernel(
        image: Any, valid: Any, table: Any, back_l: int, back_p: int, guard_l: int, guard_p: int, share: int, n: int,
        origin: int, above: int, surface: Any, clutter_model: Any, listed: Any, taken: Any, tally: Any, places: Any,
        words: Any, out: Any,
    ) -> None:  # fmt: skip
        i = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
        if i >= n:
            return
        n_lines, n_pixels = image.shape
        size = (n_lines, n_pixels)
        if where == "places":
            line, pixel = listed[i, 0], listed[i, 1]
        elif where == "blocks":
            block, place = i // share, i % share
            width = listed[block, 3] - listed[block, 2]
            line, pixel = listed[block, 0] + place // width, listed[block, 2] + place % width
            if line >= listed[block, 1]:
                return
        else:
            line, pixel = share + i // n_pixels, i % n_pixels
        line -= origin
        level = load(image, valid, size, line, pixel)
        if not is_number and level < 0:
            cuda.atomic.min(tally, 1, place_of(line, pixel, n_pixels))
        score = -1.0
        if level > 0:
            found = ring(
                image, (valid, taken, origin), size, line, pixel, (back_l, back_p, guard_l, guard_p), table, surface
            )
            if is_left_to_host:
                score = 2.0 if may_be(level, found, table, surface, clutter_model, 0.0, 0.0) else 0.0
            else:
                score = score_of(level, found, table, surface, clutter_model)
            if is_search and score > 1:
                slot = np.int64(cuda.atomic.add(tally, 0, np.uint64(1)))
                put(places, words, slot, line + origin, pixel, np.int64(level) if is_number else 0, found)
        if not is_search:
            store(out, line + origin - above, pixel, score)

    return kernel  # type: ignore[no-any-return]


@as_kernel
def mark(places: Any, n: int, n_lines: int, n_pixels: int, taken: Any) -> None:
    """Set the bits of the first `n` places and of their eight neighbours."""
    i = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
    if i >= n:
        return
    for y in range(max(places[i, 0] - 1, 0), min(places[i, 0] + 2, n_lines)):
        for x in range(max(places[i, 1] - 1, 0), min(places[i, 1] + 2, n_pixels)):
            cuda.atomic.or_(taken, (y, x >> 5), np.uint32(np.uint32(1) << np.uint32(x & 31)))


@as_kernel
def gather(image: Any, places: Any, n: int, values: Any) -> None:
    """Pixels of the image at the first `n` places."""
    i = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
    if i < n:
        values[i] = np.float64(image[np.uint64(places[i, 0]), np.uint64(places[i, 1])])
