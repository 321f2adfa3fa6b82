"""Queues of kernels: some lines, blocks or places of a job, shared out among the card's blocks of threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.gpu import per_pixel, sieve, sliding
from sarship.cfar.gpu.arguments import Catch, Pixels, Strips
from sarship.cfar.gpu.job import Job, new_catch
from sarship.cfar.gpu.rule import RunningRule
from sarship.cfar.gpu.rules_integer import GAMMA_NUMBER

__all__ = ["Blocks", "queue_blocks", "queue_censoring", "queue_lines", "queue_places", "queue_sieve", "values_of"]

_THREADS = 128
"""Threads of a block of the per-pixel kernels."""
_BLOCK_BYTES = 47 << 10
"""Shared memory of a block: every card gives this without being asked for more."""
_SIEVE_THREADS = 96
"""Threads of a block of the sieve, at most."""
_SIEVE_RING = 2_500
"""Size of a ring up to which the sieve pays. On an H200 it took 2.9 ms for 4.3 at 1,240 pixels, and 5.9 at 4,960: each
column keeps more, so fewer threads work at once, and each pixel that is left costs more."""
_LEVEL_BYTES = 48 << 20
"""Levels laid out at once."""
_LEAST_SHARE = 0.55
"""Part of a ring that a bound must add up: of less, so much is left that exact sums are as quick."""
_LAUNCHING = threading.Lock()
"""Filters of warnings are one for all threads."""

Blocks = NDArray[np.int64]
"""First line and the one after the last, first pixel and the one after the last of each, (n, 4)."""


def queue_lines(job: Job, catch: Catch, lines: tuple[int, int]) -> None:
    """Queue the search of some lines."""
    for start, stop in _bands(job, *lines):
        pixels = _levels(job, catch, start, stop)
        rule = job.rule
        share = _share(job, rule, pixels, start, stop) if isinstance(rule, RunningRule) else None
        if not isinstance(rule, RunningRule) or share is None:
            _ring_by_ring(job, catch, pixels, "lines", start, (stop - start) * pixels.image.shape[1])
            continue
        kernel = sliding.sliding(rule, job.is_masked and not rule.takes_levels, job.mode)
        _launch(job, kernel, share.grid, share.n_threads, pixels, job.ring_shape, job.thresholds, share.strips,
                _seen(job, catch), n_bytes=share.n_bytes)  # fmt: skip


def queue_sieve(job: Job, lines: tuple[int, int]) -> Catch | None:
    """Queue listing the pixels of some lines that may be hits; None where that is no gain, or there is no way."""
    is_small = job.params.ring_size <= _SIEVE_RING
    if job.mode != "search" or job.rule is not GAMMA_NUMBER or job.thresholds.min_factor <= 0 or not is_small:
        return None
    share = _sieve_share(job, *lines)
    if share is None:
        return None
    catch, squares = new_catch(job, job.room), sieve.in_squares(job.ring_shape)
    _launch(job, sieve.sifting(job.is_masked), share.grid, share.n_threads, job.pixels, squares,
            job.thresholds.min_factor, share.strips, _seen(job, catch), n_bytes=share.n_bytes)  # fmt: skip
    return catch


def queue_blocks(job: Job, catch: Catch, blocks: Blocks) -> None:
    """Queue the search of some blocks, sorted by line, with rings that are censored."""
    for first, last in _bands(job, int(blocks[0, 0]), int(blocks[-1, 0]) + 1):
        some = blocks[(blocks[:, 0] >= first) & (blocks[:, 0] < last)]
        if some.size:
            pixels = _levels(job, catch, first, int(some[:, 1].max()))
            tall, wide = (int((some[:, k + 1] - some[:, k]).max()) for k in (0, 2))
            _ring_by_ring(job, catch, pixels, "blocks", tall * wide, len(some) * tall * wide, _sent(job, some))


def queue_places(job: Job, catch: Catch, places: Any, n: int) -> None:
    """Queue the search of the first `n` places, one by one."""
    _ring_by_ring(job, catch, job.pixels, "listed", 0, n, job.device.view(places))


def queue_censoring(job: Job, places: NDArray[np.int64]) -> None:
    """Queue taking places (line, pixel) out of the rings."""
    _launch(job, per_pixel.censor, _grid(len(places)), _THREADS, job.pixels, _sent(job, places), len(places))


def values_of(job: Job, places: Any, n: int) -> NDArray[np.float64]:
    """Return the image's values at the first `n` places, on the host."""
    values, view = job.device.empty(n, np.float64), job.device.view
    _launch(job, per_pixel.gather, _grid(n), _THREADS, job.pixels, view(places), n, view(values))
    return job.device.to_host(values)


def _bands(job: Job, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the lines as they are, or in bands whose levels fit their share of memory."""
    if not job.rule.takes_levels:
        return [(start, stop)]
    height = _LEVEL_BYTES // (4 * job.pixels.image.shape[1]) - 2 * job.params.halo
    height = max(height, 2 * job.params.halo + 1)
    return [(first, min(first + height, stop)) for first in range(start, stop, height)]


def _levels(job: Job, catch: Catch, start: int, stop: int) -> Pixels:
    """Return the image, or the levels of it that deciding some lines takes."""
    if not job.rule.takes_levels:
        return job.pixels
    reach, (n_lines, n_pixels) = job.ring_shape.outer_lines, job.pixels.image.shape
    first, last = max(start - reach, 0), min(stop + reach, n_lines)
    levels = job.device.view(job.device.empty((last - first, n_pixels), np.uint32))
    fill = per_pixel.fill_levels(job.pixels.image.dtype.kind == "u", job.is_masked)
    _launch(job, fill, _grid((last - first) * n_pixels), _THREADS, job.pixels, job.levels, first,
            job.device.view(catch.tally), levels)  # fmt: skip
    return job.pixels._replace(image=levels, first_line=first)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """Shares of the blocks of threads in some lines."""

    strips: Strips
    n_threads: int
    grid: tuple[int, int]
    n_bytes: int


def _share(job: Job, rule: RunningRule, pixels: Pixels, start: int, stop: int) -> _Share | None:
    """Return shares of some lines; None where a window is too wide for the shared memory."""
    shape, n_words = job.ring_shape, rule.n_sought if job.mode == "search" else rule.n_words
    bytes_of = partial(sliding.shared_bytes, rule, n_words, outer_pixels=shape.outer_pixels)
    lines = start - pixels.first_line, stop - pixels.first_line
    size = stop - start, pixels.image.shape[1]
    return _cut(job, lines, size, (shape.outer_lines, shape.outer_pixels), sliding.CHUNK, bytes_of)


def _sieve_share(job: Job, start: int, stop: int) -> _Share | None:
    """Return the same for the sieve, in squares; None also where too little of a ring is in its bound."""
    squares = sieve.in_squares(job.ring_shape)
    if sieve.share_of_ring(job.ring_shape, job.params.ring_size) < _LEAST_SHARE:
        return None
    column_bytes = sieve.CHUNK * sieve.bytes_of_column(squares)
    size = (stop + 1) // 2 - start // 2, ceil(job.pixels.image.shape[1] / 2)
    reach = squares.outer_lines, squares.outer_pixels
    return _cut(job, (start, stop), size, reach, sieve.CHUNK, lambda n: n * column_bytes, _SIEVE_THREADS)


def _cut(
    job: Job,
    lines: tuple[int, int],
    size: tuple[int, int],
    reach: tuple[int, int],
    chunk: int,
    bytes_of: Callable[[int], int],
    most_threads: int | None = None,
) -> _Share | None:
    """Return shares that keep every processor busy once; None where halos would be most of what a block holds.

    `size` is what there is to cut, down and across, and `reach` a window's on each side; a thread has `chunk` columns,
    and a block of so many threads takes `bytes_of` them.
    """
    device, (n_down, n_across), halo = job.device, size, 2 * reach[1]
    n_threads = min(device.max_threads, most_threads or device.max_threads) // device.warp * device.warp
    while bytes_of(n_threads) > _BLOCK_BYTES:
        n_threads -= device.warp
    widest = chunk * n_threads - halo
    if n_threads <= 0 or widest < chunk * n_threads // 4:
        return None
    n_strips = ceil(n_across / widest)
    width = ceil(n_across / n_strips)
    n_threads = ceil(ceil((width + halo) / chunk) / device.warp) * device.warp
    n_bytes = bytes_of(n_threads)
    at_once = device.n_processors * max(1, min(device.shared_bytes // (n_bytes + 1024), 2048 // n_threads))
    height = max(ceil(n_down / max(1, at_once // n_strips)), min(reach[0] + 1, n_down))
    strips, grid = Strips(*lines, width, height), (n_strips, ceil(n_down / height))
    return _Share(strips=strips, n_threads=n_threads, grid=grid, n_bytes=n_bytes)


def _ring_by_ring(
    job: Job, catch: Catch, pixels: Pixels, place: per_pixel.Place, share: int, n: int, listed: Any = None
) -> None:
    """Queue the kernel that takes every ring by itself."""
    kernel = per_pixel.ring_by_ring(job.rule, job.is_masked and not job.rule.takes_levels, job.mode, place)
    seen = _seen(job, catch)
    _launch(job, kernel, _grid(n), _THREADS, pixels, job.ring_shape, job.thresholds,
            seen.places if listed is None else listed, share, n, seen)  # fmt: skip


def _sent(job: Job, array: NDArray[np.int64]) -> Any:
    return job.device.view(job.device.from_host(array))


def _seen(job: Job, catch: Catch) -> Catch:
    """Return the catch as kernels take it."""
    view = job.device.view
    return catch._replace(tally=view(catch.tally), places=view(catch.places), words=view(catch.words))


def _grid(n: int) -> tuple[int, int]:
    return ceil(n / _THREADS), 1


def _launch(job: Job, kernel: Any, grid: tuple[int, int], n_threads: int, *args: Any, n_bytes: int = 0) -> None:
    """Queue a kernel on the job's stream."""
    with _LAUNCHING, warnings.catch_warnings():
        # a small image cannot fill a card
        warnings.filterwarnings("ignore", message=r"[\s\S]*under-utilization")
        kernel[grid, n_threads, job.device.stream, n_bytes](*args)
