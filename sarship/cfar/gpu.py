"""The search on a graphics card: the same hits as the CPU's, from an image that is on the card.

Kernels are in `gpu_kernels`, what they do for each law in `gpu_rules`. Here they are given their shares of the image,
room for what they find, and the last step: clutter and scores of the hits, by the CPU's own formulas on the host.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from sarship.cfar import cpu_levels, door, gpu_kernels
from sarship.cfar.cpu_float import negative_power
from sarship.cfar.device import Device, device_of, is_on_device
from sarship.cfar.gpu_finish import NOTHING, Found, finished, sorted_hits
from sarship.cfar.gpu_float_rules import gamma_float, gaussian_float
from sarship.cfar.gpu_parts import Mode
from sarship.cfar.gpu_rules import GAMMA_NUMBER, MOMENTS, SHARP_MOMENTS, Law, Rule
from sarship.clutter import ring_table
from sarship.errors import FloodError
from sarship.klaw import ring_surface
from sarship.model import CfarParams, Hits

__all__ = ["new_image", "search"]

_ROOM = 1 << 20
"""Found pixels that there is room for at once; where there are more the lines are searched in two halves."""
_BLOCK_BYTES = 47 << 10
"""Shared memory of a block: what every card gives without being asked for more."""
_LEVEL_BYTES = 48 << 20
"""Levels laid out at once."""
_NARROW_RING = 1 << 15
"""Smallest ring whose sum may differ by 2⁴⁷ between two pixels, too much for blocks to be passed over by it."""
_SMALL_RING = 1 << 12
"""Smallest ring whose squares of 26-bit levels, those of ln digital numbers, may overflow 64 bits."""
_THREADS = 128
_NOWHERE = np.iinfo(np.uint64).max
_SQUARE_LEVELS = np.arange(1 << 16, dtype=np.uint32) ** 2


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """One image to search, and everything for it that is on the device, as kernels take it."""

    device: Device
    rule: Rule
    mode: Mode
    params: CfarParams
    image: Any
    valid: Any
    is_masked: bool
    factors: NDArray[np.float64]
    table: Any
    """The same on the device."""
    levels: Any
    """Level of every digital number; empty for power."""
    law: Law
    surface: Any
    """Thresholds by count and variance, of more than one entry where there are any."""
    room: int
    """Found pixels that there is room for at once."""
    out: Any
    """Image of scores or booleans whose first line is line `out_line`."""
    out_line: int
    origin: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Catch:
    """Room on the device for what kernels find."""

    tally: Any
    """Number of found pixels, and place of the first negative power."""
    places: Any
    words: Any


def new_image(image: Any, shape: tuple[int, int], dtype: type) -> Any:
    """Room for one value of each pixel, on the image's device."""
    return device_of(image).empty(shape, dtype)


def search(
    image: Any,
    valid: Any,
    params: CfarParams,
    lines: tuple[int, int],
    *,
    cap: int,
    out: Any = None,
    origin: int = 0,
) -> Hits:
    """Hits of the lines, sorted, on the host; or none, and `out` filled, on the device.

    `image` is on the device, `valid` there or on the host, empty for all. `out` is an image of float32 for scores or of
    booleans for a mask; its first line is the first of `lines`. The image's first line is line `origin` of a whole.

    Raises
    ------
    DeviceError
        No card that can be used.
    ValueError
        A valid pixel whose power is negative.
    FloodError
        More than `cap` hits.
    """
    if params.average != "mean" or params.passes > 1:
        return _on_host(image, valid, params, lines, cap, out, origin)
    job = _job(image, valid, params, cap, out, (lines[0], origin))
    found, waiting, n_hits = [NOTHING], [lines], 0
    while waiting:
        start, stop = waiting.pop()
        part = _search_lines(job, start, stop)
        if part is None:
            middle = (start + stop) // 2
            waiting += [(middle, stop), (start, middle)]
            continue
        found.append(part)
        n_hits += part[0].size
        if n_hits > cap:
            raise FloodError.of(cap, tuple(image.shape), params.pfa)
    return sorted_hits(found, origin)


def _on_host(
    image: Any, valid: Any, params: CfarParams, lines: tuple[int, int], cap: int, out: Any, origin: int
) -> Hits:
    """The same from a copy on the host, for what has no kernels here."""
    device = device_of(image)
    host = device.to_host(image)
    keep = device.to_host(valid) if is_on_device(valid) else valid
    if out is None:
        hits = door.search(host, keep, params, lines, cap=cap)
        return replace(hits, line=hits.line + origin)
    scores = np.empty(out.shape, np.float32)
    door.search(host, keep, params, lines, cap=host.size, scores=scores)
    device.put(out, scores > 1 if out.dtype == np.bool_ else scores)
    return Hits.empty()


def _job(image: Any, valid: Any, params: CfarParams, cap: int, out: Any, begin: tuple[int, int]) -> _Job:
    device, dtype = device_of(image), np.dtype(image.dtype)
    mode: Mode = "search" if out is None else "mask" if out.dtype == np.bool_ else "score"
    is_masked = is_on_device(valid) or valid.size > 0
    if is_masked and not is_on_device(valid):
        valid = device.from_host(np.ascontiguousarray(valid))
    rule, factors, surface = _rule(dtype, params), ring_table(params), ring_surface(params)
    scale = cpu_levels.LN_SCALE if params.law != "gaussian" else 0.0
    levels = cpu_levels.LN_LEVELS.astype(np.uint32) if scale else _SQUARE_LEVELS
    entries = surface.entries if surface.entries.size else np.zeros((1, 1))
    empty = device.empty((1, 1), np.bool_)
    return _Job(
        device=device,
        rule=rule,
        mode=mode,
        params=params,
        image=device.view(image),
        valid=device.view(valid if is_masked else empty),
        is_masked=is_masked,
        factors=factors,
        table=device.view(device.from_host(np.array(factors))),
        levels=device.view(device.from_host(levels)),
        law=Law(scale, surface.least * scale, surface.variance * scale**2, surface.steps),
        surface=device.view(device.from_host(np.array(entries))),
        # every line has room
        room=max(min(cap + 1, _ROOM), image.shape[1]) if mode == "search" else 1,
        out=device.view(empty if out is None else out),
        out_line=begin[0],
        origin=begin[1],
    )


def _rule(dtype: np.dtype[Any], params: CfarParams) -> Rule:
    real: Any = dtype.type
    law = params.law
    is_number = dtype.kind == "u"
    if law == "gamma" or (law == "k" and params.shape is not None):
        return GAMMA_NUMBER if is_number else gamma_float(real)
    if law == "gaussian" and not is_number:
        return gaussian_float(real)
    is_small = law != "gaussian" and is_number and params.ring_size < _SMALL_RING
    return MOMENTS if is_small else SHARP_MOMENTS


def _catch(job: _Job, room: int) -> _Catch:
    device = job.device
    return _Catch(
        tally=device.from_host(np.array([0, _NOWHERE], np.uint64)),
        places=device.empty((room, 3), np.int64),
        words=device.empty((room, 3), job.rule.word),
    )


def _search_lines(job: _Job, start: int, stop: int) -> Found | None:
    """Hits of some lines, unsorted; None where there was no room for all that was found."""
    catch = _catch(job, job.room)
    for first, last in _bands(job, start, stop):
        _search_band(job, catch, first, last)
    n_found = _tallied(job, catch)
    if job.mode != "search":
        return NOTHING
    if n_found > job.room:
        return None
    if n_found and not job.rule.is_exact:
        candidates, catch = catch, _catch(job, n_found)
        _ring_by_ring(job, catch, job.image, 0, n_found, 0, candidates.places)
        n_found = _tallied(job, catch)
    if n_found == 0:
        return NOTHING
    values = job.device.empty(n_found, np.float64)
    _launch(job, gpu_kernels.gather, (ceil(n_found / _THREADS), 1), _THREADS, job.image,
            job.device.view(catch.places), n_found, job.device.view(values))  # fmt: skip
    places, words, value = (
        job.device.to_host(part) for part in (catch.places[:n_found], catch.words[:n_found], values)
    )
    return finished(job.image.dtype.kind == "u", job.params, places, words, value)


def _tallied(job: _Job, catch: _Catch) -> int:
    """Wait for the kernels; return how many pixels they found."""
    n_found, place = (int(number) for number in job.device.to_host(catch.tally))
    if place != _NOWHERE:
        line, pixel = divmod(place, job.image.shape[1])
        value = job.device.to_host(job.image[line : line + 1, pixel : pixel + 1])
        raise negative_power(np.array([value[0, 0], line, pixel], np.float64), (job.origin, 0))
    return n_found


def _bands(job: _Job, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The lines as they are, or in bands whose levels fit their share of memory."""
    if not _has_levels(job):
        yield start, stop
        return
    height = max(_LEVEL_BYTES // (4 * job.image.shape[1]) - 2 * job.params.halo, 2 * job.params.halo + 1)
    for first in range(start, stop, height):
        yield first, min(first + height, stop)


def _has_levels(job: _Job) -> bool:
    """Whether levels are laid out before the search."""
    return job.rule in {MOMENTS, SHARP_MOMENTS}


def _search_band(job: _Job, catch: _Catch, start: int, stop: int) -> None:
    image, origin = job.image, 0
    if _has_levels(job):
        halo, n_lines = job.params.halo, job.image.shape[0]
        origin, last = max(start - halo, 0), min(stop + halo, n_lines)
        image = job.device.view(job.device.empty((last - origin, job.image.shape[1]), np.uint32))
        fill = gpu_kernels.fill_levels(job.image.dtype.kind == "u", job.is_masked)
        n = image.shape[0] * image.shape[1]
        _launch(job, fill, (ceil(n / _THREADS), 1), _THREADS, job.image, job.valid, job.levels, origin,
                job.device.view(catch.tally), image)  # fmt: skip
    share = _share(job, image.shape, stop - start)
    if share is None:
        _ring_by_ring(job, catch, image, start - origin, (stop - start) * image.shape[1], origin, None)
    else:
        _slide(job, catch, image, (start - origin, stop - origin), origin, share)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """What each block of threads searches: so many pixels of so many lines."""

    width: int
    height: int
    n_threads: int
    grid: tuple[int, int]
    n_bytes: int


def _share(job: _Job, shape: tuple[int, ...], n_lines: int) -> _Share | None:
    """Shares that keep every processor busy once; None where a window is too wide for the shared memory."""
    device, back_p, back_l = job.device, job.params.background_shape[1], job.params.background_shape[0]
    n_words = job.rule.words[job.mode != "search"]
    chunk, warp = gpu_kernels.CHUNK, device.warp
    n_threads = device.most_threads
    while gpu_kernels.shared_bytes(job.rule, n_words, n_threads, back_p) > _BLOCK_BYTES:
        n_threads -= warp
    widest = chunk * n_threads - 2 * back_p
    if n_threads <= 0 or widest < chunk * n_threads // 4:
        return None
    strips = ceil(shape[1] / widest)
    width = ceil(shape[1] / strips)
    n_threads = ceil(ceil((width + 2 * back_p) / chunk) / warp) * warp
    n_bytes = gpu_kernels.shared_bytes(job.rule, n_words, n_threads, back_p)
    at_once = device.n_processors * max(1, min(device.shared_bytes // (n_bytes + 1024), 2048 // n_threads))
    height = max(ceil(n_lines / max(1, at_once // strips)), min(back_l + 1, n_lines))
    return _Share(
        width=width, height=height, n_threads=n_threads, grid=(strips, ceil(n_lines / height)), n_bytes=n_bytes
    )


def _slide(job: _Job, catch: _Catch, image: Any, lines: tuple[int, int], origin: int, share: _Share) -> None:
    is_masked = job.is_masked and not _has_levels(job)
    coarse = float(job.factors[-1]) if job.params.ring_size < _NARROW_RING else 0.0
    view = job.device.view
    out = job.out if job.mode == "search" else job.out[lines[0] + origin - job.out_line :]
    _launch(job, gpu_kernels.sliding(job.rule, is_masked, job.mode), share.grid, share.n_threads, image, job.valid,
            job.table, *_window(job.params), *lines, origin, share.width, share.height, coarse, job.surface, job.law,
            view(catch.tally), view(catch.places), view(catch.words), out, n_bytes=share.n_bytes)  # fmt: skip


def _ring_by_ring(job: _Job, catch: _Catch, image: Any, start: int, n: int, origin: int, listed: Any) -> None:
    is_masked = job.is_masked and not _has_levels(job)
    view = job.device.view
    out = job.out if job.mode == "search" else job.out[start + origin - job.out_line :]
    kernel = gpu_kernels.ring_by_ring(job.rule, is_masked, job.mode, listed is not None)
    _launch(job, kernel, (ceil(n / _THREADS), 1), _THREADS, image, job.valid, job.table, *_window(job.params), start,
            n, origin, job.surface, job.law, view(catch.places if listed is None else listed), view(catch.tally),
            view(catch.places), view(catch.words), out)  # fmt: skip


def _window(params: CfarParams) -> tuple[int, int, int, int]:
    return (*params.background_shape, *params.guard_shape)


def _launch(job: _Job, kernel: Any, grid: tuple[int, int], n_threads: int, *args: Any, n_bytes: int = 0) -> None:
    with warnings.catch_warnings():
        # a small image cannot fill a card
        warnings.simplefilter("ignore", numba.errors.NumbaPerformanceWarning)
        kernel[grid, n_threads, job.device.stream, n_bytes](*args)
