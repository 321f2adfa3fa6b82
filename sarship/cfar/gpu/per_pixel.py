"""Kernels of one thread a pixel: rings taken by themselves, and what goes with levels and lists of places.

They need no shared memory, so any window will do, and cost more the larger it is. They decide GOCA, SOCA and OS, the
candidates of running sums, pixels near hits that are censored, and everything where a window is too wide for a block.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import numpy as np

from sarship.cfar.gpu.arguments import Catch, Mode, Pixels, RingShape, Thresholds
from sarship.cfar.gpu.compilation import as_kernel, made_once, on_device
from sarship.cfar.gpu.device_functions import make_load, make_store, make_uncensored, place_of, put
from sarship.cfar.gpu.rule import Rule, RunningRule
from sarship.cfar.gpu.rules_integer import ln_level

cuda: Any = import_module("numba.cuda")

__all__ = ["Place", "censor", "fill_levels", "gather", "ring_by_ring"]

Place = Literal["lines", "listed", "blocks"]
"""Pixels to decide: all of some lines, those listed, or all of the blocks listed, with rings that are censored."""


@on_device
def _thread_number() -> Any:
    return np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)


@made_once
def ring_by_ring(rule: Rule, is_masked: bool, mode: Mode, place: Place) -> Callable[..., None]:
    """Make the kernel that takes the rings of `n` pixels one by one.

    `listed` holds lines and pixels, or edges of blocks (first and last line and pixel, each in `share` threads), of
    the whole image; of lines `share` is the first.
    """
    load, store, score_of = make_load(rule, is_masked), make_store(mode), rule.score
    is_search, is_number = mode == "search", rule.is_exact
    may_be_hit: Any = rule.may_be_hit if isinstance(rule, RunningRule) else None
    # the host decides from exact sums
    is_left_to_host = is_search and is_number and may_be_hit is not None
    ring = rule.ring(rule, make_uncensored(rule, is_masked) if place == "blocks" else load)

    @as_kernel
    def kernel(
        pixels: Pixels, shape: RingShape, thresholds: Thresholds, listed: Any, share: int, n: int, catch: Catch
    ) -> None:
        i = _thread_number()
        if i >= n:
            return
        n_pixels = pixels.image.shape[1]
        if place == "listed":
            line, pixel = listed[i, 0], listed[i, 1]
        elif place == "blocks":
            block, spot = i // share, i % share
            width = listed[block, 3] - listed[block, 2]
            line, pixel = listed[block, 0] + spot // width, listed[block, 2] + spot % width
            if line >= listed[block, 1]:
                return
        else:
            line, pixel = share + i // n_pixels, i % n_pixels
        row = line - pixels.first_line
        level = load(pixels, row, pixel)
        if not is_number and level < 0:
            cuda.atomic.min(catch.tally, 1, place_of(row, pixel, n_pixels))
        score = -1.0
        if level > 0:
            words = ring(level, pixels, row, pixel, shape, thresholds)
            if is_left_to_host:
                score = 2.0 if may_be_hit(level, words, thresholds, 0.0, 0.0) else 0.0
            else:
                score = score_of(level, words, thresholds)
            if is_search and score > 1:
                slot = np.int64(cuda.atomic.add(catch.tally, 0, np.uint64(1)))
                put(catch, slot, line, pixel, np.int64(level) if is_number else 0, words)
        if not is_search:
            store(catch.out, line - catch.out_line, pixel, score)

    return kernel  # type: ignore[no-any-return]


@made_once
def fill_levels(is_number: bool, is_masked: bool) -> Callable[..., None]:
    """Make the kernel that lays out levels of lines from `first` on: of digital numbers by table, of power by ln."""

    @as_kernel
    def kernel(pixels: Pixels, table: Any, first: int, tally: Any, levels: Any) -> None:
        i = _thread_number()
        if i >= levels.size:
            return
        line, pixel = np.uint64(i // levels.shape[1]), np.uint64(i % levels.shape[1])
        y = np.uint64(line + np.uint64(first))
        level = np.uint32(0)
        if not is_masked or pixels.valid[y, pixel]:
            value = pixels.image[y, pixel]
            if is_number:
                level = table[np.uint64(value)]
            else:
                level = ln_level(value)
                if value < 0:
                    cuda.atomic.min(tally, 1, place_of(y, pixel, pixels.image.shape[1]))
        levels[line, pixel] = level

    return kernel  # type: ignore[no-any-return]


@as_kernel
def censor(pixels: Pixels, places: Any, n: int) -> None:
    """Set the bits of the first `n` places and of their eight neighbours."""
    i = _thread_number()
    if i >= n:
        return
    n_lines, n_pixels = pixels.image.shape
    for y in range(max(places[i, 0] - 1, 0), min(places[i, 0] + 2, n_lines)):
        for x in range(max(places[i, 1] - 1, 0), min(places[i, 1] + 2, n_pixels)):
            cuda.atomic.or_(pixels.censored, (y, x >> 5), np.uint32(np.uint32(1) << np.uint32(x & 31)))


@as_kernel
def gather(pixels: Pixels, places: Any, n: int, values: Any) -> None:
    """Copy the image's values at the first `n` places."""
    i = _thread_number()
    if i < n:
        values[i] = np.float64(pixels.image[np.uint64(places[i, 0]), np.uint64(places[i, 1])])
