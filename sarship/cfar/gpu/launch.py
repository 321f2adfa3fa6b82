"""One search on a graphics card: everything of it that is on the card, and how its kernels are given their shares."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu import log_levels as cpu_levels
from sarship.cfar.device import Device, device_of, is_on_device
from sarship.cfar.goca_soca_os import order_table, side_table
from sarship.cfar.gpu import per_pixel as gpu_rings
from sarship.cfar.gpu import sliding as gpu_kernels
from sarship.cfar.gpu.parts import Law, Mode, Rule, Running
from sarship.cfar.gpu.rules_float import gamma_float, gaussian_float
from sarship.cfar.gpu.rules_goca_os import ordered, sides
from sarship.cfar.gpu.rules_integer import GAMMA_NUMBER, MOMENTS, SHARP_MOMENTS
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import ring_table

__all__ = [
    "BLOCK",
    "NOWHERE",
    "Blocks",
    "Catch",
    "Job",
    "mark",
    "new_catch",
    "new_job",
    "search_blocks",
    "search_lines",
    "search_places",
    "values_of",
]

_ROOM = 3 << 18
"""Found pixels that there is room for at once; where there are more the work is done in two halves."""
BLOCK = 32
"""Lines and pixels of a block that is searched again."""
_THREADS = 128
_BLOCK_BYTES = 47 << 10
"""Shared memory of a block: what every card gives without being asked for more."""
_LEVEL_BYTES = 48 << 20
"""Levels laid out at once."""
_NARROW_RING = 1 << 15
"""Smallest ring whose sum may differ by 2⁴⁷ between two pixels, too much for blocks to be passed over by it."""
_SMALL_RING = 1 << 12
"""Smallest ring whose squares of 26-bit levels, those of ln digital numbers, may overflow 64 bits."""
NOWHERE = int(np.iinfo(np.uint64).max)
"""Place of no pixel."""
_SQUARE_LEVELS = np.arange(1 << 16, dtype=np.uint32) ** 2
_LAUNCHING = threading.Lock()
"""Filters of warnings are one for all threads."""

Blocks = NDArray[np.int64]
"""First line and the one after the last, first pixel and the one after the last of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One image to search, and everything for it that is on the device, as kernels take it."""

    device: Device
    rule: Rule
    mode: Mode
    params: CfarParams
    image: Any
    valid: Any
    is_masked: bool
    taken: Any
    """A bit for each pixel that is out of all rings; for one pixel alone where the image is searched once."""
    table: Any
    """What the rule compares with for every count of the ring; the smallest count of a ring for sides."""
    coarse: float
    """No threshold over the ring's sum is below this."""
    surface: Any
    """Thresholds by count and variance, of more than one entry where there are any; of sides; or places in order."""
    levels: Any
    """Level of every digital number; empty for power."""
    clutter_model: Law
    room: int
    """Found pixels that there is room for at once."""
    out: Any
    """Image of scores or booleans whose first line is line `out_line`."""
    out_line: int
    origin: int
    """Line of a whole where the image begins, for what is said of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Catch:
    """Room on the device for what kernels find."""

    tally: Any
    """Number of found pixels, and place of the first negative power."""
    places: Any
    words: Any


def new_job(image: Any, valid: Any, params: CfarParams, cap: int, out: Any, begin: tuple[int, int]) -> Job:
    """Bring to the device what a search needs besides the image; `begin` is `out_line` and `origin`."""
    device, dtype = device_of(image), np.dtype(image.dtype)
    mode: Mode = "search" if out is None else "mask" if out.dtype == np.bool_ else "score"
    is_masked = is_on_device(valid) or valid.size > 0
    if is_masked and not is_on_device(valid):
        valid = device.from_host(np.ascontiguousarray(valid))
    rule, clutter_model = _rule(dtype, params), params.clutter_model
    table, surface, coarse = _thresholds(params)
    scale = cpu_levels.LN_SCALE if clutter_model != "gaussian" else 0.0
    levels = cpu_levels.LN_LEVELS.astype(np.uint32) if scale else _SQUARE_LEVELS
    bounds = ring_surface(params)
    empty = device.empty((1, 1), np.bool_)
    n_bits = (image.shape[0], -(-image.shape[1] // 32)) if params.iterations > 1 else (1, 1)
    room = max(min(cap + 1, _ROOM), image.shape[1], BLOCK**2 if params.iterations > 1 else 1)
    return Job(
        device=device,
        rule=rule,
        mode=mode,
        params=params,
        image=device.view(image),
        valid=device.view(valid if is_masked else empty),
        is_masked=is_masked,
        taken=device.view(device.zeros(n_bits, np.uint32)),
        table=device.view(device.from_host(table)),
        coarse=coarse,
        surface=device.view(device.from_host(surface)),
        levels=device.view(device.from_host(levels if _has_levels(rule) else levels[:1])),
        clutter_model=Law(scale, bounds.least * scale, bounds.variance * scale**2, bounds.steps),
        room=room if mode == "search" else 1,
        out=device.view(empty if out is None else out),
        out_line=begin[0],
        origin=begin[1],
    )


def _rule(dtype: np.dtype[Any], params: CfarParams) -> Rule:
    real: Any = dtype.type
    clutter_model = params.clutter_model
    is_number = dtype.kind == "u"
    if params.average == "os":
        return ordered(real)
    if params.average != "ca":
        return sides(real, params.average == "goca")
    if clutter_model == "gamma" or (clutter_model == "k" and params.clutter_shape is not None):
        return GAMMA_NUMBER if is_number else gamma_float(real)
    if clutter_model == "gaussian" and not is_number:
        return gaussian_float(real)
    is_small = clutter_model != "gaussian" and is_number and params.ring_size < _SMALL_RING
    return MOMENTS if is_small else SHARP_MOMENTS


def _thresholds(params: CfarParams) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Table, surface, and what no threshold is below."""
    if params.average == "os":
        factor, order, _ = order_table(params)
        return np.array(factor), order[None].astype(np.float64), 0.0
    if params.average != "ca":
        return np.array([params.min_ring], np.float64), np.array(side_table(params)), 0.0
    factors, entries = ring_table(params), ring_surface(params).entries
    coarse = float(factors[-1]) if params.ring_size < _NARROW_RING else 0.0
    return np.array(factors), np.array(entries) if entries.size else np.zeros((1, 1)), coarse


def new_catch(job: Job, room: int) -> Catch:
    """Room for so many found pixels."""
    device = job.device
    return Catch(
        tally=device.from_host(np.array([0, NOWHERE], np.uint64)),
        places=device.empty((room, 3), np.int64),
        words=device.empty((room, 3), job.rule.word),
    )


def _has_levels(rule: Rule) -> bool:
    """Whether levels are laid out before the search."""
    return rule in {MOMENTS, SHARP_MOMENTS}


def _bands(job: Job, start: int, stop: int) -> list[tuple[int, int]]:
    """The lines as they are, or in bands whose levels fit their share of memory."""
    if not _has_levels(job.rule):
        return [(start, stop)]
    height = max(_LEVEL_BYTES // (4 * job.image.shape[1]) - 2 * job.params.halo, 2 * job.params.halo + 1)
    return [(first, min(first + height, stop)) for first in range(start, stop, height)]


def search_lines(job: Job, catch: Catch, lines: tuple[int, int]) -> None:
    """Queue the search of some lines."""
    for first, last in _bands(job, *lines):
        image, origin = _levels(job, catch, first, last)
        _search_band(job, catch, image, first, last, origin)


def search_blocks(job: Job, catch: Catch, blocks: Blocks) -> None:
    """Queue the search of some blocks, sorted by line, with what was taken out of the rings."""
    for first, last in _bands(job, int(blocks[0, 0]), int(blocks[-1, 0]) + 1):
        some = blocks[(blocks[:, 0] >= first) & (blocks[:, 0] < last)]
        if some.size:
            image, origin = _levels(job, catch, first, int(some[:, 1].max()))
            tall, wide = (int((some[:, k + 1] - some[:, k]).max()) for k in (0, 2))
            listed = job.device.view(job.device.from_host(some))
            _ring_by_ring(job, catch, image, "blocks", tall * wide, len(some) * tall * wide, origin, listed)


def search_places(job: Job, catch: Catch, places: Any, n: int) -> None:
    """Queue the search of places, one by one."""
    _ring_by_ring(job, catch, job.image, "places", 0, n, 0, job.device.view(places))


def mark(job: Job, places: NDArray[np.int64]) -> None:
    """Queue taking places (line, pixel) out of the rings."""
    listed = job.device.view(job.device.from_host(places))
    _launch(job, gpu_rings.mark, _grid(len(places)), _THREADS, listed, len(places), *job.image.shape, job.taken)


def values_of(job: Job, places: Any, n: int) -> NDArray[np.float64]:
    """The image's values at the first places, on the host."""
    values = job.device.empty(n, np.float64)
    view = job.device.view
    _launch(job, gpu_rings.gather, _grid(n), _THREADS, job.image, view(places), n, view(values))
    return job.device.to_host(values)


def _levels(job: Job, catch: Catch, start: int, stop: int) -> tuple[Any, int]:
    """What kernels take for an image to decide some lines, and the line where it begins."""
    if not _has_levels(job.rule):
        return job.image, 0
    reach, n_lines = job.params.outer_shape[0], job.image.shape[0]
    origin, last = max(start - reach, 0), min(stop + reach, n_lines)
    image = job.device.view(job.device.empty((last - origin, job.image.shape[1]), np.uint32))
    fill = gpu_kernels.fill_levels(job.image.dtype.kind == "u", job.is_masked)
    _launch(job, fill, _grid(image.shape[0] * image.shape[1]), _THREADS, job.image, job.valid, job.levels, origin,
           job.device.view(catch.tally), image)  # fmt: skip
    return image, origin


def _search_band(job: Job, catch: Catch, image: Any, start: int, stop: int, origin: int) -> None:
    """Queue the search of lines of an image that begins at line `origin` of the whole."""
    rule = job.rule
    n_words = 0
    share = None
    if isinstance(rule, Running):
        n_words = rule.n_sought if job.mode == "search" else rule.n_words
        share = _share(job, rule, n_words, image.shape, stop - start)
    if not isinstance(rule, Running) or share is None:
        n = (stop - start) * image.shape[1]
        _ring_by_ring(job, catch, image, "lines", start, n, origin, job.device.view(catch.places))
        return
    is_masked = job.is_masked and not _has_levels(rule)
    view = job.device.view
    out = job.out if job.mode == "search" else job.out[start - job.out_line :]
    _launch(job, gpu_kernels.sliding(rule, is_masked, job.mode), share.grid, share.n_threads, image, job.valid,
            job.table, *_window(job.params), start - origin, stop - origin, origin, share.width, share.height,
            job.coarse, job.surface, job.clutter_model, view(catch.tally), view(catch.places), view(catch.words), out,
            n_bytes=share.n_bytes)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """What each block of threads searches: so many pixels of so many lines."""

    width: int
    height: int
    n_threads: int
    grid: tuple[int, int]
    n_bytes: int


def _share(job: Job, rule: Running, n_words: int, shape: tuple[int, ...], n_lines: int) -> _Share | None:
    """Shares that keep every processor busy once; None where a window is too wide for the shared memory."""
    device, back_p, back_l = job.device, job.params.outer_shape[1], job.params.outer_shape[0]
    chunk, warp = gpu_kernels.CHUNK, device.warp
    bytes_of = partial(gpu_kernels.shared_bytes, rule, n_words, back_p=back_p)
    n_threads = device.most_threads
    while bytes_of(n_threads) > _BLOCK_BYTES:
        n_threads -= warp
    widest = chunk * n_threads - 2 * back_p
    if n_threads <= 0 or widest < chunk * n_threads // 4:
        return None
    strips = ceil(shape[1] / widest)
    width = ceil(shape[1] / strips)
    n_threads = ceil(ceil((width + 2 * back_p) / chunk) / warp) * warp
    n_bytes = bytes_of(n_threads)
    at_once = device.n_processors * max(1, min(device.shared_bytes // (n_bytes + 1024), 2048 // n_threads))
    height = max(ceil(n_lines / max(1, at_once // strips)), min(back_l + 1, n_lines))
    return _Share(
        width=width, height=height, n_threads=n_threads, grid=(strips, ceil(n_lines / height)), n_bytes=n_bytes
    )


def _ring_by_ring(
    job: Job, catch: Catch, image: Any, where: gpu_rings.Where, share: int, n: int, origin: int, listed: Any
) -> None:
    """Queue the kernel of `gpu_rings`, with its parameters."""
    is_masked = job.is_masked and not _has_levels(job.rule)
    view = job.device.view
    kernel = gpu_rings.ring_by_ring(job.rule, is_masked, job.mode, where)
    _launch(job, kernel, _grid(n), _THREADS, image, job.valid, job.table, *_window(job.params), share, n, origin,
           job.out_line, job.surface, job.clutter_model, listed, job.taken, view(catch.tally), view(catch.places),
           view(catch.words), job.out)  # fmt: skip


def _window(params: CfarParams) -> tuple[int, int, int, int]:
    return (*params.outer_shape, *params.guard_shape)


def _grid(n: int) -> tuple[int, int]:
    return ceil(n / _THREADS), 1


def _launch(job: Job, kernel: Any, grid: tuple[int, int], n_threads: int, *args: Any, n_bytes: int = 0) -> None:
    """Queue a kernel on the job's stream."""
    with _LAUNCHING, warnings.catch_warnings():
        # a small image cannot fill a card
        warnings.simplefilter("ignore", numba.errors.NumbaPerformanceWarning)
        kernel[grid, n_threads, job.device.stream, n_bytes](*args)
