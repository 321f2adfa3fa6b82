"""The device's kernels. The fast one makes one pass over the image, in strips that blocks of threads slide down.

A block owns a strip of columns and slides down some lines of it. For every column it keeps two sums of each
word in shared memory, one over the ring's outer rectangle and one over the guard; they gain the line that enters and
lose the one that leaves. Going across, the ring's sum changes from pixel to pixel by a difference of four columns. Each
thread adds up the changes over its `CHUNK` of pixels, the threads' totals are summed in two steps, and so each thread
knows the sum before its chunk. It goes through the chunk a second time only if the chunk could hold a hit: if its
brightest pixel is above the threshold of the smallest sum there. Hits leave by an atomic counter.

Running sums of whole numbers are exact. Those of floats drift, so there a block only finds candidates, within a bound
on the error that holds for any data, and `gpu_rings` sums their rings directly, in the order of the CPU's.

The same source runs under numba's simulator, so it keeps to what both know: no warp shuffles, no libdevice.
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
    Running,
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
from sarship.cfar.gpu.rules_integer import ln_level

cuda: Any = import_module("numba.cuda")

__all__ = ["CHUNK", "fill_levels", "shared_bytes", "sliding"]

CHUNK = 11
"""Pixels of a thread. Odd, so that the threads of a warp meet different banks of the shared memory."""


def shared_bytes(rule: Running, n_words: int, n_threads: int, back_p: int) -> int:
    """Shared memory of a block of `sliding`, in bytes; it has at most `GROUP` groups of threads."""
    columns = CHUNK * n_threads
    words = 2 * n_words * (2 * back_p + 1 + columns) + n_words * (2 * n_threads + 2 * GROUP) + 1
    return 8 * words + np.dtype(rule.level).itemsize * (columns + back_p)


@made_once
def sliding(rule: Running, is_masked: bool, mode: Mode) -> Callable[..., None]:
    """The kernel that slides over strips; its grid is (strips, heights) and its blocks are of one dimension.

    Found pixels go to `places` (line, pixel and level) and `words`; `tally` says how many there were, more perhaps
    than there was room for, and the place of the first negative power, in pixels from the image's first. Each block
    decides `width` pixels of `height` lines. `coarse` is the factor that chunks are passed over by,
    and lines are counted from `origin`.
    """
    load, pick, store = make_load(rule, is_masked), make_pick(rule, is_masked), make_store(mode)
    direct = rule.ring(rule, load)
    lift, change, may_hold, may_be = rule.lift, rule.change, rule.may_hold, rule.may_be
    statistics, score_of, is_doubtful = rule.statistics, rule.score, rule.is_doubtful
    is_search, is_exact = mode == "search", rule.is_exact
    n_words = rule.n_sought if is_search else rule.n_words
    word, level_type = rule.word, rule.level
    word_dtype, level_dtype = numba.from_dtype(np.dtype(word)), numba.from_dtype(np.dtype(level_type))
    levels_a_word = 8 // np.dtype(level_type).itemsize

    @on_device
    def step(pool: Any, stride: int, k: int, s: int, window: Any) -> Any:
        """Change of word `k` of the ring's sum, to the pixel whose ring ends at column `s`."""
        _, back_p, _, guard_p = window
        span, ahead = 2 * back_p + 1, 2 * guard_p + 1
        o = 2 * k * stride + span + s
        i = (2 * k + 1) * stride + span + s - (back_p - guard_p)
        return (pool[np.uint32(o)] - pool[np.uint32(o - span)]) - (pool[np.uint32(i)] - pool[np.uint32(i - ahead)])

    @on_device
    def fill(pool: Any, image: Any, valid: Any, size: Any, tally: Any, c: int, top: int, pixel: int, stride: int,
             window: Any, first: int) -> Any:  # fmt: skip
        """Sums of a column over the window of the line before `top`; return the largest power met."""
        back_l, back_p, guard_l, _ = window
        peak = 0.0
        o = 2 * back_p + 1 + c
        for y in range(top - 1 - back_l, top + back_l):
            level = load(image, valid, size, y, pixel)
            if not is_exact and level < 0 and y >= first:
                cuda.atomic.min(tally, 1, place_of(y, pixel, size[1]))
            peak = max(peak, np.float64(level))
            for k in range(n_words):
                added = lift(level, k)
                pool[np.uint64(o + 2 * k * stride)] += added
                if abs(y - (top - 1)) <= guard_l:
                    pool[np.uint64(o + (2 * k + 1) * stride)] += added
        return peak

    @on_device
    def slide(pool: Any, levels: Any, image: Any, valid: Any, size: Any, tally: Any, line: int, own: int, width: int,
              here: int, window: Any) -> Any:  # fmt: skip
        """Move the thread's columns to `line`, and keep the line's levels; return the largest level that entered."""
        back_l, back_p, guard_l, _ = window
        n_lines, n_pixels = size
        t, n_threads = cuda.threadIdx.x, cuda.blockDim.x
        stride = 2 * back_p + 1 + CHUNK * n_threads
        is_new, is_old = line + back_l < n_lines, line - back_l - 1 >= 0
        is_near, is_far = line + guard_l < n_lines, line - guard_l - 1 >= 0
        # masks that are not there have one line
        top = 1 if not is_masked else n_lines
        new_row, new_keep = image[nearest(line + back_l, n_lines)], valid[nearest(line + back_l, top)]
        old_row, old_keep = image[nearest(line - back_l - 1, n_lines)], valid[nearest(line - back_l - 1, top)]
        near_row, near_keep = image[nearest(line + guard_l, n_lines)], valid[nearest(line + guard_l, top)]
        far_row, far_keep = image[nearest(line - guard_l - 1, n_lines)], valid[nearest(line - guard_l - 1, top)]
        row, keep = image[np.uint64(line)], valid[nearest(line, top)]
        brightest = 0.0
        for j in range(CHUNK):
            # 32 bits without a sign: one comparison for both ends, one instruction for an address
            c = np.int32(t + j * n_threads)
            pixel = np.int32(own - back_p + c)
            is_column = np.uint32(pixel) < np.uint32(n_pixels)
            is_own = np.uint32(np.int32(c - back_p)) < np.uint32(width)
            x = np.uint32(pixel) if is_column else np.uint32(0)
            new, old = (
                pick(new_row, new_keep, x, is_column and is_new),
                pick(old_row, old_keep, x, is_column and is_old),
            )
            near, far = (
                pick(near_row, near_keep, x, is_column and is_near), pick(far_row, far_keep, x, is_column and is_far),
            )  # fmt: skip
            # the pixel whose ring ends at column c + back_p
            level = pick(row, keep, x, is_column and is_own)
            if not is_exact:
                if new < 0:
                    cuda.atomic.min(tally, 1, place_of(line + back_l, pixel, n_pixels))
                brightest = max(brightest, np.float64(new))
            o = np.int32(2 * back_p + 1 + c)
            for k in range(n_words):
                outer, inner = np.uint32(o + 2 * k * stride), np.uint32(o + (2 * k + 1) * stride)
                pool[outer] = word(pool[outer] + (lift(new, k) - lift(old, k)))
                pool[inner] = word(pool[inner] + (lift(near, k) - lift(far, k)))
            levels[np.uint32(here + c + back_p)] = level
        return brightest

    @as_kernel
    def kernel(
        image: Any, valid: Any, table: Any, back_l: int, back_p: int, guard_l: int, guard_p: int, start: int, stop: int,
        origin: int, width: int, height: int, coarse: float, surface: Any, clutter_model: Any, tally: Any, places: Any,
        words: Any, out: Any,
    ) -> None:  # fmt: skip
        t, n_threads = cuda.threadIdx.x, cuda.blockDim.x
        n_lines, n_pixels = image.shape
        size = (n_lines, n_pixels)
        window = (back_l, back_p, guard_l, guard_p)
        columns = CHUNK * n_threads
        # the columns' sums, each word's after as many zeros as a window is wide; totals; the brightest; levels
        stride = 2 * back_p + 1 + columns
        totals = 2 * n_words * stride
        befores = totals + n_words * (n_threads + GROUP)
        groups = befores + n_words * n_threads
        highest = groups + n_words * GROUP
        here = (highest + 1) * levels_a_word
        pool = cuda.shared.array(0, word_dtype)
        levels = cuda.shared.array(0, level_dtype)
        own = cuda.blockIdx.x * width
        left = own - back_p
        top = start + cuda.blockIdx.y * height
        bottom = min(top + height, stop)
        for i in range(t, highest + 1, n_threads):
            pool[np.uint64(i)] = word(0)
        for i in range(t, columns + back_p, n_threads):
            levels[np.uint64(here + i)] = level_type(0)
        cuda.syncthreads()
        brightest = 0.0
        for c in range(t, columns, n_threads):
            met = fill(pool, image, valid, size, tally, c, top, left + c, stride, window, start - back_l)
            brightest = max(brightest, met)
        error = peak = 0.0
        for line in range(top, bottom):
            brightest = max(brightest, slide(pool, levels, image, valid, size, tally, line, own, width, here, window))
            if not is_exact and brightest > peak:
                cuda.atomic.max(pool, highest, brightest)
            cuda.syncthreads()

            first = t * CHUNK
            bright, least = level_type(0), change(word(0))
            for k in range(n_words):
                total = word(0)
                for j in range(CHUNK):
                    total = word(total + step(pool, stride, k, first + j, window))
                    if k == 0:
                        least = min(least, change(total))
                        bright = max(bright, levels[np.uint64(here + first + j)])
                pool[np.uint64(totals + k * n_threads + t)] = total
            if not is_exact:
                # A column's sum is at most tall · peak and rounds twice a line; so do the sums of all columns of a
                # ring. Going across, a step rounds three times and enters sums over a chunk, a group and the groups.
                # Twice all that.
                peak = pool[np.uint64(highest)]
                tall, broad, steps = 2.0 * back_l + 1, 2.0 * back_p + 1, line - top + 2.0 * back_l + 2
                error = EPSILON * peak * tall * (4 * steps * broad + columns * (8 * broad + 4 * CHUNK + 8))
            cuda.syncthreads()

            # unrolled loops that read what is not needed too are faster than loops of different lengths
            group, rank = t // GROUP, t % GROUP
            for k in range(n_words):
                before = word(0)
                for u in range(GROUP - 1):
                    total = pool[np.uint64(totals + k * n_threads + group * GROUP + u)]
                    before = word(before + (total if u < rank else word(0)))
                pool[np.uint64(befores + k * n_threads + t)] = before
                if rank == GROUP - 1:
                    pool[np.uint64(groups + k * GROUP + group)] = before + pool[np.uint64(totals + k * n_threads + t)]
            cuda.syncthreads()

            # the ring's sums before the chunk
            a = pool[np.uint64(befores + t)]
            b = pool[np.uint64(befores + n_threads + t)] if n_words > 1 else word(0)
            c3 = pool[np.uint64(befores + 2 * n_threads + t)] if n_words > 2 else word(0)
            for u in range(GROUP - 1):
                is_before = u < group
                a = word(a + (pool[np.uint64(groups + u)] if is_before else word(0)))
                if n_words > 1:
                    b = word(b + (pool[np.uint64(groups + GROUP + u)] if is_before else word(0)))
                if n_words > 2:
                    c3 = word(c3 + (pool[np.uint64(groups + 2 * GROUP + u)] if is_before else word(0)))
            if not is_search or may_hold(bright, a, least, coarse, error):
                for j in range(CHUNK):
                    s = first + j
                    a = word(a + step(pool, stride, 0, s, window))
                    if n_words > 1:
                        b = word(b + step(pool, stride, 1, s, window))
                    if n_words > 2:
                        c3 = word(c3 + step(pool, stride, 2, s, window))
                    level, pixel = levels[np.uint64(here + s)], own + s - 2 * back_p
                    if is_search:
                        if may_be(level, (a, b, c3), table, surface, clutter_model, error, peak):
                            whole = np.int64(level) if is_exact else 0
                            slot = np.int64(cuda.atomic.add(tally, 0, np.uint64(1)))
                            put(places, words, slot, line + origin, pixel, whole, (a, b, c3))
                    elif 0 <= s - 2 * back_p < width and pixel < size[1]:
                        found = statistics((a, b, c3))
                        score = score_of(level, found, table, surface, clutter_model)
                        if score != -1.0 and is_doubtful(score, found, error, peak):
                            found = direct(image, valid, size, line, pixel, window, table, surface)
                            score = score_of(level, found, table, surface, clutter_model)
                        store(out, line - start, pixel, score)
            cuda.syncthreads()

    return kernel  # type: ignore[no-any-return]


@made_once
def fill_levels(is_number: bool, is_masked: bool) -> Callable[..., None]:
    """The kernel that lays out levels of some lines: from a table of all digital numbers, or logarithms of power."""

    @as_kernel
    def kernel(image: Any, valid: Any, levels: Any, first: int, tally: Any, out: Any) -> None:
        i = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
        if i >= out.shape[0] * out.shape[1]:
            return
        line, pixel = np.uint64(i // out.shape[1]), np.uint64(i % out.shape[1])
        y = np.uint64(line + np.uint64(first))
        level = np.uint32(0)
        if not is_masked or valid[y, pixel]:
            value = image[y, pixel]
            if is_number:
                level = levels[np.uint64(value)]
            else:
                level = ln_level(value)
                if value < 0:
                    cuda.atomic.min(tally, 1, place_of(y, pixel, image.shape[1]))
        out[line, pixel] = level

    return kernel  # type: ignore[no-any-return]
