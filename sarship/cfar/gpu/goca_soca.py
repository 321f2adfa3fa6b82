"""The device's kernel for the greatest and the smallest side: one pass over the image, like that of `gpu_kernels`.

A block owns a strip of columns and slides down it, with three sums of every column in shared memory: of the lines
above the guard, beside it and below it. On each line they are added up from the strip's left end; every side of every
ring is then a difference of two such totals, or of four. For whole numbers all of that is exact and decides. For
floats it only finds candidates, within a bound on its error that holds for any data.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numba
import numpy as np

from sarship.cfar.gpu.parts import (
    EPSILON,
    GROUP,
    Mode,
    Rule,
    as_kernel,
    made_once,
    make_load,
    make_pick,
    make_store,
    nearest,
    on_device,
    place_of,
    put,
)
from sarship.cfar.gpu.rules_goca_os import deciding, side_score
from sarship.cfar.gpu.rules_integer import COUNT_SHIFT, SUM_BITS

cuda: Any = import_module("numba.cuda")

__all__ = ["CHUNK", "shared_bytes", "sliding_sides"]

CHUNK = 5
"""Columns of a thread. Odd, so that the threads of a warp meet different banks of the shared memory."""


def shared_bytes(n_threads: int) -> int:
    """Shared memory of a block, in bytes: sums of columns, totals before each, of threads and groups, the brightest."""
    return 8 * (6 * CHUNK * n_threads + 3 + 3 * n_threads + 3 * -(-n_threads // GROUP) + 1)


@on_device
def _packed_sum(word: Any, _error: float) -> Any:
    return np.float64(word & SUM_BITS)


@on_device
def _packed_count(word: Any) -> Any:
    return np.int64(word >> COUNT_SHIFT)


@on_device
def _lowest_sum(word: float, error: float) -> Any:
    return word - error


@on_device
def _no_count(_word: float) -> Any:
    return np.int64(0)


@made_once
def sliding_sides(rule: Rule, is_masked: bool, mode: Mode, is_goca: bool) -> Callable[..., None]:
    """The kernel that slides over strips; its grid is (strips, heights) and its blocks are of one dimension.

    As `gpu_kernels.sliding`, with `quick` what no threshold is below, over the sum of a side above or below and of one
    to the left or right. Floats have no scores here, for those take the sums of `gpu_rings`.
    """
    load, pick, store, lift, word = (
        make_load(rule, is_masked), make_pick(rule, is_masked), make_store(mode), rule.lift, rule.word,
    )  # fmt: skip
    is_search, is_number = mode == "search", rule.word is np.uint64
    word_dtype = numba.from_dtype(np.dtype(word))
    sum_of, count_of = (_packed_sum, _packed_count) if is_number else (_lowest_sum, _no_count)

    @as_kernel
    def kernel(
        image: Any, valid: Any, table: Any, back_l: int, back_p: int, guard_l: int, guard_p: int, start: int, stop: int,
        width: int, height: int, quick: Any, surface: Any, tally: Any, places: Any, words: Any, out: Any,
    ) -> None:  # fmt: skip
        t, n_threads = cuda.threadIdx.x, cuda.blockDim.x
        n_lines, n_pixels = image.shape
        size = (n_lines, n_pixels)
        columns = CHUNK * n_threads
        # sums of lines above, beside and below; totals of the columns before each, of threads, of groups; the brightest
        n_groups = (n_threads + GROUP - 1) // GROUP
        before, threads = 3 * columns, 6 * columns + 3
        groups = threads + 3 * n_threads
        highest = groups + 3 * n_groups
        pool = cuda.shared.array(0, word_dtype)
        own = cuda.blockIdx.x * width
        left = own - back_p
        top = start + cuda.blockIdx.y * height
        bottom = min(top + height, stop)
        # masks that are not there have one line
        n_kept = n_lines if is_masked else 1
        peak = known = 0.0
        if t == 0:
            pool[np.uint64(highest)] = word(0)
        for j in range(CHUNK):
            c = t + j * n_threads
            above, beside, below = word(0), word(0), word(0)
            for y in range(top - 1 - back_l, top + back_l):
                level = load(image, valid, size, y, left + c)
                if not is_number and level < 0 and y >= start - back_l:
                    cuda.atomic.min(tally, 1, place_of(y, left + c, n_pixels))
                if not is_number:
                    peak = max(peak, np.float64(level))
                added = lift(level, 0)
                if y < top - 1 - guard_l:
                    above = word(above + added)
                elif y <= top - 1 + guard_l:
                    beside = word(beside + added)
                else:
                    below = word(below + added)
            pool[np.uint64(c)], pool[np.uint64(columns + c)], pool[np.uint64(2 * columns + c)] = above, beside, below
        cuda.syncthreads()
        for line in range(top, bottom):
            # the lines that the sums gain and lose
            rows = (line + back_l, line + guard_l, line - guard_l - 1, line - back_l - 1)
            for j in range(CHUNK):
                c = t + j * n_threads
                pixel = left + c
                is_column = 0 <= pixel < n_pixels
                x = np.uint64(pixel) if is_column else np.uint64(0)
                y0, y1, y2, y3 = rows
                new = pick(image[nearest(y0, n_lines)], valid[nearest(y0, n_kept)], x, is_column and y0 < n_lines)
                near = pick(image[nearest(y1, n_lines)], valid[nearest(y1, n_kept)], x, is_column and y1 < n_lines)
                far = pick(image[nearest(y2, n_lines)], valid[nearest(y2, n_kept)], x, is_column and y2 >= 0)
                old = pick(image[nearest(y3, n_lines)], valid[nearest(y3, n_kept)], x, is_column and y3 >= 0)
                if not is_number:
                    if new < 0:
                        cuda.atomic.min(tally, 1, place_of(y0, pixel, n_pixels))
                    peak = max(peak, np.float64(new))
                over, mid, under = np.uint64(c), np.uint64(columns + c), np.uint64(2 * columns + c)
                passed, entered = lift(far, 0), lift(near, 0)
                pool[over] = word(pool[over] + (passed - lift(old, 0)))
                pool[mid] = word(pool[mid] + (entered - passed))
                pool[under] = word(pool[under] + (lift(new, 0) - entered))
            if not is_number and peak > known:
                cuda.atomic.max(pool, highest, peak)
            cuda.syncthreads()

            for k in range(3):
                total = word(0)
                for j in range(CHUNK):
                    total = word(total + pool[np.uint64(k * columns + t * CHUNK + j)])
                pool[np.uint64(threads + k * n_threads + t)] = total
            error = 0.0
            if not is_number:
                # A column's sum is at most tall · peak and rounds twice a line. A total adds up a thread's columns and
                # all threads before, and a side is the difference of at most four. Twice all that.
                peak = known = pool[np.uint64(highest)]
                tall, broad, steps = 2.0 * back_l + 1, 2.0 * back_p + 1, line - top + 2.0 * back_l + 2
                error = EPSILON * peak * tall * (4 * steps * broad + 8.0 * columns * (CHUNK + n_threads + 4))
            cuda.syncthreads()
            for part in range(t, 3 * n_groups, n_threads):
                k, group = part // n_groups, part % n_groups
                total = word(0)
                for u in range(group * GROUP, min((group + 1) * GROUP, n_threads)):
                    place = np.uint64(threads + k * n_threads + u)
                    one = pool[place]
                    pool[place] = total
                    total = word(total + one)
                pool[np.uint64(groups + k * n_groups + group)] = total
            cuda.syncthreads()
            for k in range(3):
                total = pool[np.uint64(threads + k * n_threads + t)]
                for group in range(t // GROUP):
                    total = word(total + pool[np.uint64(groups + k * n_groups + group)])
                first = before + k * (columns + 1) + t * CHUNK
                for j in range(CHUNK):
                    pool[np.uint64(first + j)] = total
                    total = word(total + pool[np.uint64(k * columns + t * CHUNK + j)])
                if t == n_threads - 1:
                    pool[np.uint64(first + CHUNK)] = total
            cuda.syncthreads()

            row, keep = image[np.uint64(line)], valid[nearest(line, n_kept)]
            for j in range(CHUNK):
                c = t + j * n_threads
                pixel = left + c
                if c < back_p or c >= back_p + width or pixel >= n_pixels:
                    continue
                level = pick(row, keep, np.uint64(pixel), True)
                # totals before the ends of the sides
                a, m, b = before + c, before + columns + 1 + c, before + 2 * (columns + 1) + c
                ends = (np.uint64(a - back_p), np.uint64(a - guard_p), np.uint64(a + guard_p + 1))
                high = pool[ends[2]] - pool[ends[0]]
                right = (pool[np.uint64(a + back_p + 1)] - pool[ends[2]]) + (
                    pool[np.uint64(m + back_p + 1)] - pool[np.uint64(m + guard_p + 1)]
                )
                low = pool[np.uint64(b + back_p + 1)] - pool[np.uint64(b - guard_p)]
                side = (pool[np.uint64(m - guard_p)] - pool[np.uint64(m - back_p)]) + (
                    pool[np.uint64(b - guard_p)] - pool[np.uint64(b - back_p)]
                )
                sums = (sum_of(high, error), sum_of(low, error), sum_of(right, error), sum_of(side, error))
                if is_goca:
                    least = max(max(sums[0], sums[1]) * quick[0], max(sums[2], sums[3]) * quick[1])
                else:
                    least = min(min(sums[0], sums[1]) * quick[0], min(sums[2], sums[3]) * quick[1])
                if is_search and not (level > 0 and np.float64(level) >= least):
                    continue
                found, score = (word(0), word(0), word(0)), 2.0
                if is_number:
                    counts = (count_of(high), count_of(low), count_of(right), count_of(side))
                    _, total, count, n_sides, n_ring = deciding(sums, counts, surface, is_goca)
                    found = (word(total), word(count), word(n_sides if n_ring >= table[0] else 0))
                    score = side_score(level, found, table, surface, 0)
                if not is_search:
                    store(out, line - start, pixel, score)
                elif score > 1:
                    slot = np.int64(cuda.atomic.add(tally, 0, np.uint64(1)))
                    put(places, words, slot, line, pixel, 0, found)
            cuda.syncthreads()

    return kernel  # type: ignore[no-any-return]
