"""The fast kernel: one pass over the image, in strips that blocks of threads slide down.

A block owns a strip of columns and slides down some lines of it. For every column it keeps two sums of each
word in shared memory, one over the ring's outer rectangle and one over the guard; they gain the line that enters and
lose the one that leaves. Going across, the ring's sum changes from pixel to pixel by a difference of four columns. Each
thread adds up the changes over its `CHUNK` of pixels, the threads' totals are summed in two steps, and so each thread
knows the sum before its chunk. It goes through the chunk a second time only if the chunk could hold a hit: if its
brightest pixel is above the threshold of the lowest sum there. Hits leave by an atomic counter.

Running sums of whole numbers are exact. Those of floats drift, so there a block only finds candidates, within a bound
on the error that holds for any data, and `per_pixel` sums their rings directly, in the order of the CPU's.

The same source runs under numba's simulator, so it keeps to what both know: no warp shuffles, no libdevice.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numba
import numpy as np

from sarship.cfar.gpu.arguments import Catch, Mode, Pixels, RingShape, Strips, Thresholds
from sarship.cfar.gpu.compilation import as_kernel, made_once, on_device
from sarship.cfar.gpu.device_functions import make_load, make_pick, make_store, nearest, place_of, put
from sarship.cfar.gpu.rule import RunningRule

cuda: Any = import_module("numba.cuda")

__all__ = ["CHUNK", "shared_bytes", "sliding"]

CHUNK = 11
"""Pixels of a thread. Odd, so that the threads of a warp meet different banks of the shared memory."""
_GROUP = 16
"""Threads of a block whose totals are added up in one step; a block has at most as many groups."""
_EPSILON = float(np.finfo(np.float64).eps)


class _Pool(NamedTuple):
    """Places in a block's shared memory, counted in words of eight bytes."""

    stride: int
    """Sums of the columns begin at 0, two lists for each word, after as many zeros each as a window is wide."""
    totals: int
    """Change of each word over each thread's chunk."""
    befores: int
    """The same over the chunks before it in its group of threads."""
    groups: int
    """The same over each whole group."""
    peak: int
    """Largest power met."""
    levels: int
    """Levels of the line, of their own type."""


def _pool_of(n_words: int, n_threads: int, outer_pixels: int) -> _Pool:
    stride = 2 * outer_pixels + 1 + CHUNK * n_threads
    totals = 2 * n_words * stride
    # a thread reads the totals of a whole group, which may go on past the last thread
    befores = totals + n_words * (n_threads + _GROUP)
    groups = befores + n_words * n_threads
    peak = groups + n_words * _GROUP
    return _Pool(stride, totals, befores, groups, peak, peak + 1)


_device_pool_of = on_device(_pool_of)


def shared_bytes(rule: RunningRule, n_words: int, n_threads: int, outer_pixels: int) -> int:
    """Return the shared memory of a block, in bytes."""
    levels = CHUNK * n_threads + outer_pixels
    return 8 * _pool_of(n_words, n_threads, outer_pixels).levels + np.dtype(rule.level).itemsize * levels


@on_device
def _column_change(pool: Any, at: _Pool, shape: RingShape, k: int, s: int) -> Any:
    """Return the change of word `k` of the ring's sum, to the pixel whose ring ends at column `s`."""
    span, ahead = 2 * shape.outer_pixels + 1, 2 * shape.guard_pixels + 1
    o = 2 * k * at.stride + span + s
    i = (2 * k + 1) * at.stride + span + s - (shape.outer_pixels - shape.guard_pixels)
    return (pool[np.uint32(o)] - pool[np.uint32(o - span)]) - (pool[np.uint32(i)] - pool[np.uint32(i - ahead)])


@on_device
def _error_bound(peak: float, shape: RingShape, n_lines_down: int, n_columns: int) -> float:
    """Return more than a running sum of floats can have drifted, whatever the data.

    A column's sum is at most tall · peak and rounds twice a line; so do the sums of all columns of a ring. Going
    across, a step rounds three times and enters sums over a chunk, a group and the groups. Twice all that.
    """
    tall, broad = 2.0 * shape.outer_lines + 1, 2.0 * shape.outer_pixels + 1
    steps = n_lines_down + tall + 1
    return _EPSILON * peak * tall * (4 * steps * broad + n_columns * (8 * broad + 4 * CHUNK + 8))


@made_once
def sliding(rule: RunningRule, is_masked: bool, mode: Mode) -> Callable[..., None]:
    """Make the kernel that slides over strips; its grid is (strips, heights) and its blocks are of one dimension."""
    load, pick, store = make_load(rule, is_masked), make_pick(rule, is_masked), make_store(mode)
    direct = rule.ring(rule, load)
    lift, change, may_hold, may_be_hit = rule.lift, rule.change, rule.may_hold, rule.may_be_hit
    statistics, score_of, is_doubtful = rule.statistics, rule.score, rule.is_doubtful
    is_search, is_exact = mode == "search", rule.is_exact
    n_words = rule.n_sought if is_search else rule.n_words
    word, level_type = rule.word, rule.level
    word_dtype, level_dtype = numba.from_dtype(np.dtype(word)), numba.from_dtype(np.dtype(level_type))
    levels_a_word = 8 // np.dtype(level_type).itemsize

    @on_device
    def fill_column(
        pool: Any, at: _Pool, pixels: Pixels, shape: RingShape, catch: Catch, c: int, pixel: int, top: int, first: int
    ) -> Any:
        """Sum a column over the window of the line before `top`; return the largest power met from `first` on."""
        peak = 0.0
        o = 2 * shape.outer_pixels + 1 + c
        for y in range(top - 1 - shape.outer_lines, top + shape.outer_lines):
            level = load(pixels, y, pixel)
            if not is_exact and level < 0 and y >= first:
                cuda.atomic.min(catch.tally, 1, place_of(y, pixel, pixels.image.shape[1]))
            peak = max(peak, np.float64(level))
            for k in range(n_words):
                added = lift(level, k)
                pool[np.uint64(o + 2 * k * at.stride)] += added
                if abs(y - (top - 1)) <= shape.guard_lines:
                    pool[np.uint64(o + (2 * k + 1) * at.stride)] += added
        return peak

    @on_device
    def slide_down(
        pool: Any, levels: Any, at: _Pool, pixels: Pixels, shape: RingShape, catch: Catch, line: int, own: int,
        width: int,
    ) -> Any:  # fmt: skip
        """Move the thread's columns to `line`, and keep the line's levels; return the largest level that entered."""
        image, valid = pixels.image, pixels.valid
        back_l, back_p, guard_l, _ = shape
        n_lines, n_pixels = image.shape
        t, n_threads, here = cuda.threadIdx.x, cuda.blockDim.x, at.levels * levels_a_word
        is_new, is_old = line + back_l < n_lines, line - back_l - 1 >= 0
        is_near, is_far = line + guard_l < n_lines, line - guard_l - 1 >= 0
        # masks that are not there have one line
        n_kept = 1 if not is_masked else n_lines
        new_row, new_keep = image[nearest(line + back_l, n_lines)], valid[nearest(line + back_l, n_kept)]
        old_row, old_keep = image[nearest(line - back_l - 1, n_lines)], valid[nearest(line - back_l - 1, n_kept)]
        near_row, near_keep = image[nearest(line + guard_l, n_lines)], valid[nearest(line + guard_l, n_kept)]
        far_row, far_keep = image[nearest(line - guard_l - 1, n_lines)], valid[nearest(line - guard_l - 1, n_kept)]
        row, keep = image[np.uint64(line)], valid[nearest(line, n_kept)]
        brightest = 0.0
        for j in range(CHUNK):
            # 32 bits without a sign: one comparison for both ends, one instruction for an address
            c = np.int32(t + j * n_threads)
            pixel = np.int32(own - back_p + c)
            is_column = np.uint32(pixel) < np.uint32(n_pixels)
            is_own = np.uint32(np.int32(c - back_p)) < np.uint32(width)
            x = np.uint32(pixel) if is_column else np.uint32(0)
            new = pick(new_row, new_keep, x, is_column and is_new)
            old = pick(old_row, old_keep, x, is_column and is_old)
            near = pick(near_row, near_keep, x, is_column and is_near)
            far = pick(far_row, far_keep, x, is_column and is_far)
            # the pixel whose ring ends at column c + back_p
            level = pick(row, keep, x, is_column and is_own)
            if not is_exact:
                if new < 0:
                    cuda.atomic.min(catch.tally, 1, place_of(line + back_l, pixel, n_pixels))
                brightest = max(brightest, np.float64(new))
            o = np.int32(2 * back_p + 1 + c)
            for k in range(n_words):
                outer, inner = np.uint32(o + 2 * k * at.stride), np.uint32(o + (2 * k + 1) * at.stride)
                pool[outer] = word(pool[outer] + (lift(new, k) - lift(old, k)))
                pool[inner] = word(pool[inner] + (lift(near, k) - lift(far, k)))
            levels[np.uint32(here + c + back_p)] = level
        return brightest

    @on_device
    def total_chunk(pool: Any, levels: Any, at: _Pool, shape: RingShape) -> Any:
        """Add up the changes over the thread's chunk; return its brightest level and the sum's lowest change."""
        t, n_threads, here = cuda.threadIdx.x, cuda.blockDim.x, at.levels * levels_a_word
        brightest, lowest = level_type(0), change(word(0))
        for k in range(n_words):
            total = word(0)
            for j in range(CHUNK):
                total = word(total + _column_change(pool, at, shape, k, t * CHUNK + j))
                if k == 0:
                    lowest = min(lowest, change(total))
                    brightest = max(brightest, levels[np.uint64(here + t * CHUNK + j)])
            pool[np.uint64(at.totals + k * n_threads + t)] = total
        return brightest, lowest

    @on_device
    def total_group(pool: Any, at: _Pool) -> None:
        """Add up the totals of the threads before this one in its group."""
        t, n_threads = cuda.threadIdx.x, cuda.blockDim.x
        group, rank = t // _GROUP, t % _GROUP
        # unrolled loops that read what is not needed too are faster than loops of different lengths
        for k in range(n_words):
            before = word(0)
            for u in range(_GROUP - 1):
                total = pool[np.uint64(at.totals + k * n_threads + group * _GROUP + u)]
                before = word(before + (total if u < rank else word(0)))
            pool[np.uint64(at.befores + k * n_threads + t)] = before
            if rank == _GROUP - 1:
                total = pool[np.uint64(at.totals + k * n_threads + t)]
                pool[np.uint64(at.groups + k * _GROUP + group)] = before + total

    @on_device
    def before_chunk(pool: Any, at: _Pool) -> Any:
        """Return the ring's words before the thread's chunk."""
        t, n_threads = cuda.threadIdx.x, cuda.blockDim.x
        a = pool[np.uint64(at.befores + t)]
        b = pool[np.uint64(at.befores + n_threads + t)] if n_words > 1 else word(0)
        c = pool[np.uint64(at.befores + 2 * n_threads + t)] if n_words > 2 else word(0)
        for u in range(_GROUP - 1):
            is_before = u < t // _GROUP
            a = word(a + (pool[np.uint64(at.groups + u)] if is_before else word(0)))
            if n_words > 1:
                b = word(b + (pool[np.uint64(at.groups + _GROUP + u)] if is_before else word(0)))
            if n_words > 2:
                c = word(c + (pool[np.uint64(at.groups + 2 * _GROUP + u)] if is_before else word(0)))
        return a, b, c

    @on_device
    def decide_pixel(
        level: Any, words: Any, pixels: Pixels, shape: RingShape, thresholds: Thresholds, catch: Catch, line: int,
        pixel: int, is_own: bool, error: float, peak: float,
    ) -> None:  # fmt: skip
        """List a candidate, or store a score."""
        if is_search:
            if may_be_hit(level, words, thresholds, error, peak):
                slot = np.int64(cuda.atomic.add(catch.tally, 0, np.uint64(1)))
                put(catch, slot, line + pixels.first_line, pixel, np.int64(level) if is_exact else 0, words)
        elif is_own:
            found = statistics(words)
            score = score_of(level, found, thresholds)
            if score != -1.0 and is_doubtful(score, found, error, peak):
                score = score_of(level, direct(level, pixels, line, pixel, shape, thresholds), thresholds)
            store(catch.out, line + pixels.first_line - catch.out_line, pixel, score)

    @as_kernel
    def kernel(pixels: Pixels, shape: RingShape, thresholds: Thresholds, strips: Strips, catch: Catch) -> None:
        t, n_threads, back_p = cuda.threadIdx.x, cuda.blockDim.x, shape.outer_pixels
        columns = CHUNK * n_threads
        at = _device_pool_of(n_words, n_threads, back_p)
        # one memory seen as two types
        pool, levels = cuda.shared.array(0, word_dtype), cuda.shared.array(0, level_dtype)
        here = at.levels * levels_a_word
        own = cuda.blockIdx.x * strips.width
        top = strips.start + cuda.blockIdx.y * strips.height
        for i in range(t, at.levels, n_threads):
            pool[np.uint64(i)] = word(0)
        for i in range(t, columns + back_p, n_threads):
            levels[np.uint64(here + i)] = level_type(0)
        cuda.syncthreads()
        brightest = error = peak = 0.0
        # the line above is in no ring that is decided, so negative power there is no error
        first = strips.start - shape.outer_lines
        for c in range(t, columns, n_threads):
            met = fill_column(pool, at, pixels, shape, catch, c, own - back_p + c, top, first)
            brightest = max(brightest, met)
        for line in range(top, min(top + strips.height, strips.stop)):
            entered = slide_down(pool, levels, at, pixels, shape, catch, line, own, strips.width)
            brightest = max(brightest, entered)
            if not is_exact and brightest > peak:
                cuda.atomic.max(pool, at.peak, brightest)
            cuda.syncthreads()
            # a thread's columns are a stride apart going down and beside each other going across
            bright, lowest = total_chunk(pool, levels, at, shape)
            if not is_exact:
                peak = pool[np.uint64(at.peak)]
                error = _error_bound(peak, shape, line - top, columns)
            cuda.syncthreads()
            total_group(pool, at)
            cuda.syncthreads()
            a, b, c3 = before_chunk(pool, at)
            # hardly any chunk at sea may hold a hit, so the second walk across is rare
            if not is_search or may_hold(bright, a, lowest, thresholds.min_factor, error):
                for j in range(CHUNK):
                    s = t * CHUNK + j
                    a = word(a + _column_change(pool, at, shape, 0, s))
                    if n_words > 1:
                        b = word(b + _column_change(pool, at, shape, 1, s))
                    if n_words > 2:
                        c3 = word(c3 + _column_change(pool, at, shape, 2, s))
                    across = s - 2 * back_p
                    is_own = 0 <= across < strips.width and own + across < pixels.image.shape[1]
                    decide_pixel(levels[np.uint64(here + s)], (a, b, c3), pixels, shape, thresholds, catch, line,
                                 own + across, is_own, error, peak)  # fmt: skip
            cuda.syncthreads()

    return kernel  # type: ignore[no-any-return]
