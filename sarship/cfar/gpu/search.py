"""The search on a graphics card: the same hits as the CPU's, from an image that is on the card.

The order of things: search, halve the work where there was no room for all that was found, decide candidates, take the
last step on the host by the CPU's own formulas, and search again near what is censored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.censoring import Censor, Found, joined, search_iteratively, selected, sorted_hits, wide_lines
from sarship.cfar.cpu.rows import negative_power
from sarship.cfar.device import device_of
from sarship.cfar.gpu import launch
from sarship.cfar.gpu.arguments import Catch
from sarship.cfar.gpu.finish import NOTHING, finished
from sarship.cfar.gpu.job import BLOCK, NOWHERE, Job, new_catch, new_job
from sarship.cfar.gpu.rule import RunningRule
from sarship.cfar.params import CfarParams
from sarship.errors import FloodError
from sarship.model import Hits, Window

__all__ = ["new_image", "search"]

Part = TypeVar("Part")


def new_image(image: Any, shape: tuple[int, int], dtype: type) -> Any:
    """Make room for one value of each pixel, on the image's device."""
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
    """Return the hits of the lines, sorted, on the host; or none, and `out` filled, on the device.

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
    job = new_job(image, valid, params, cap, out, lines[0], origin)
    if params.iterations == 1:
        return sorted_hits(_search_lines(job, lines, cap), origin)
    # whatever is asked for, hits are what is taken out
    seeking = job if out is None else new_job(image, valid, params, cap, None, lines[0], origin)
    wide = wide_lines(params, lines, image.shape[0])
    without = Censor(image.shape, wide, params.outer_shape, BLOCK, partial(_search_blocks, seeking, cap))
    found, taken = search_iteratively(
        without, _search_lines(seeking, wide, cap), params, cap, is_scored=out is not None
    )
    if out is None:
        return sorted_hits(selected(found, (found[0] >= lines[0]) & (found[0] < lines[1])), origin)
    _search_lines(job, lines, cap)
    replace(without, lines=lines, near=partial(_search_blocks, job, cap)).score_again(taken)
    return Hits.empty()


def _search_lines(job: Job, lines: tuple[int, int], cap: int) -> Found:
    """Return the hits of some lines, unsorted, or store their scores."""
    catch = launch.queue_sieve(job, lines)
    if catch is not None:
        hits = _hits(job, catch, is_decided=False)
        # where much is left, bright land say, exact running sums are the quicker way
        if hits is not None:
            if hits[0].size > cap:
                raise FloodError.of(cap, tuple(job.pixels.image.shape), job.params.pfa)
            return hits

    def halved(lines: tuple[int, int]) -> list[tuple[int, int]]:
        middle = (lines[0] + lines[1]) // 2
        return [(middle, lines[1]), (lines[0], middle)]

    return _searched(job, lines, launch.queue_lines, halved, cap)


def _search_blocks(job: Job, cap: int, blocks: list[Window], new: NDArray[np.int64], _: NDArray[np.int64]) -> Found:
    """Censor new places; return the hits of some blocks, unsorted, or store their scores."""
    launch.queue_censoring(job, np.stack(np.divmod(new, job.pixels.image.shape[1]), axis=1))
    edges = [(block.line_start, block.line_stop, block.pixel_start, block.pixel_stop) for block in blocks]
    if not edges:
        return NOTHING
    listed = np.array(edges, np.int64)
    return _searched(job, listed, launch.queue_blocks, lambda some: np.array_split(some, 2)[::-1], cap)


def _searched(
    job: Job, whole: Part, queue: Callable[[Job, Catch, Part], None], halved: Callable[[Part], list[Part]], cap: int
) -> Found:
    """Return the hits of lines or blocks, halved until there is room for all that is found; unsorted."""
    found, waiting, n_hits = [NOTHING], [whole], 0
    while waiting:
        part = waiting.pop()
        catch = new_catch(job, job.room)
        queue(job, catch, part)
        is_decided = queue is launch.queue_blocks or not isinstance(job.rule, RunningRule) or job.rule.is_exact
        hits = _hits(job, catch, is_decided=is_decided)
        if hits is None:
            waiting += halved(part)
            continue
        found.append(hits)
        n_hits += hits[0].size
        if n_hits > cap:
            raise FloodError.of(cap, tuple(job.pixels.image.shape), job.params.pfa)
    return joined(found)


def _hits(job: Job, catch: Catch, *, is_decided: bool) -> Found | None:
    """Return the hits among the pixels found; None where there was no room for all of them."""
    n_found = _tallied(job, catch)
    if job.mode != "search":
        return NOTHING
    if n_found > job.room:
        return None
    if n_found and not is_decided:
        candidates, catch = catch, new_catch(job, n_found)
        launch.queue_places(job, catch, candidates.places, n_found)
        n_found = _tallied(job, catch)
    if n_found == 0:
        return NOTHING
    values = launch.values_of(job, catch.places, n_found)
    places, words = (job.device.to_host(part[:n_found]) for part in (catch.places, catch.words))
    return finished(job.pixels.image.dtype.kind == "u", job.params, places, words, values)


def _tallied(job: Job, catch: Catch) -> int:
    """Wait for the kernels; return how many pixels they found."""
    n_found, place = (int(number) for number in job.device.to_host(catch.tally))
    if place != NOWHERE:
        line, pixel = divmod(place, job.pixels.image.shape[1])
        value = job.device.to_host(job.pixels.image[line : line + 1, pixel : pixel + 1])
        raise negative_power(np.array([value[0, 0], line, pixel], np.float64), (job.origin, 0))
    return n_found
