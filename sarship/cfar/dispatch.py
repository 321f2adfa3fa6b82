"""What the public calls have in common: checks of the input, tiles, and hits from what the kernels found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sarship.cfar import censoring as censor
from sarship.cfar.censoring import Censor, Found, Surroundings, joined, search_iteratively, selected, wide_lines
from sarship.cfar.cpu import ca_float as cpu_float
from sarship.cfar.cpu import ca_integer as cpu
from sarship.cfar.cpu import goca_soca as cpu_sides
from sarship.cfar.cpu import os_cfar as cpu_ordered
from sarship.cfar.cpu import two_parameter as moments
from sarship.cfar.cpu import two_parameter_float as cpu_float_moments
from sarship.cfar.device import is_on_device
from sarship.cfar.goca_soca_os import order_table, side_table
from sarship.cfar.jit import ABOVE_ONE, in_order
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import ring_table
from sarship.cfar.tiles import blocks, split, work
from sarship.errors import FloodError
from sarship.model import Hits, Window

__all__ = ["check_image", "check_lines", "check_valid", "new_image", "search"]

Pixels = NDArray[np.generic]
Place = tuple[int, int, int, int]
I64 = NDArray[np.int64]

T = TypeVar("T", bound=np.generic)

_NO_SCORES = np.empty((0, 0), np.float32)
_ALL_VALID = np.empty((0, 0), np.bool_)


def check_image(image: object) -> NDArray[np.generic]:
    """Return the image as an array of a type and shape that can be searched; one on a device is left there."""
    if isinstance(image, np.ma.MaskedArray):
        raise TypeError("image is a masked array: give image.data, and ~image.mask as valid")
    array: Any = image if is_on_device(image) else np.asarray(image)
    if not isinstance(array.dtype, np.dtype):
        raise TypeError(f"an image on a device must be an array of CuPy's or numba's, got {type(image)}")
    if (array.dtype.kind, array.dtype.itemsize) not in {("u", 2), ("f", 4), ("f", 8)}:
        raise TypeError(
            f"image must be uint16 digital numbers, or float32 or float64 linear power, got dtype {array.dtype}"
        )
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"image must be two-dimensional (lines, pixels) and not empty, got shape {array.shape}")
    return array  # type: ignore[no-any-return]


def check_valid(valid: object, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask as a boolean array of the image's shape; empty for None. One on a device is left there."""
    if valid is None:
        return _ALL_VALID
    array: Any = valid if is_on_device(valid) else np.asarray(valid)
    if array.dtype != np.bool_:
        raise TypeError(f"valid must be boolean, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"valid must have the image's shape {shape}, got {array.shape}")
    return array  # type: ignore[no-any-return]


def check_lines(lines: tuple[int, int] | None, n_lines: int) -> tuple[int, int]:
    """Return the lines to decide, all for None."""
    start, stop = (0, n_lines) if lines is None else lines
    if not 0 <= start < stop <= n_lines:
        raise ValueError(f"lines must lie in 0 … {n_lines} with start < stop, got {lines}")
    return int(start), int(stop)


def new_image(image: NDArray[np.generic], lines: tuple[int, int], dtype: type[T]) -> NDArray[T]:
    """Room for one value of each pixel of the lines, where the image is."""
    shape = (lines[1] - lines[0], image.shape[1])
    if is_on_device(image):
        room: NDArray[T] = import_module("sarship.cfar.gpu.search").new_image(image, shape, dtype)
        return room
    return np.empty(shape, dtype)


def search(
    image: NDArray[np.generic],
    valid: NDArray[np.bool_],
    params: CfarParams,
    lines: tuple[int, int],
    *,
    cap: int,
    scores: NDArray[np.float32] | NDArray[np.bool_] | None = None,
) -> Hits:
    """Hits of the lines, sorted; or none, and `scores` filled (its first line is the first of `lines`), where given.

    The array decides where: an image on a device is searched there, and hits come back to the host.
    """
    if is_on_device(image):
        found_there: Hits = import_module("sarship.cfar.gpu.search").search(
            image, valid, params, lines, cap=cap, out=scores
        )
        return found_there
    if is_on_device(valid):
        raise TypeError("the image is on the host and valid on a device: both must be on the host, or the image there")
    if params.iterations == 1:
        return _hits(image, _pass(image, valid, params, lines, cap=cap, scores=scores))
    table, search_tile = _kernel(image, params)
    window = (*params.outer_shape, *params.guard_shape)

    def kernel(part: Pixels, keep: NDArray[np.bool_], place: Place, out: NDArray[np.float32]) -> Found:
        return search_tile(part, keep, place, window, table, part.size, out, (0, 0))

    wide, back = wide_lines(params, lines, image.shape[0]), params.outer_shape
    without = Censor(image.shape, wide, back, censor.BLOCK, Surroundings(image, valid, back, kernel).search)
    first = _pass(image, valid, params, wide, cap=cap)
    found, taken = search_iteratively(without, first, params, cap, is_scored=scores is not None)
    if scores is not None:
        _pass(image, valid, params, lines, cap=cap, scores=scores)
        again = Surroundings(image, valid, back, kernel, scores, lines[0]).search
        replace(without, lines=lines, near=again).score_again(taken)
        return Hits.empty()
    return _hits(image, selected(found, (found[0] >= lines[0]) & (found[0] < lines[1])))


def _pass(
    image: Pixels,
    valid: NDArray[np.bool_],
    params: CfarParams,
    lines: tuple[int, int],
    *,
    cap: int,
    scores: NDArray[Any] | None = None,
) -> Found:
    """Hits of the lines with nothing taken out of the rings; or none, and `scores` filled."""
    table, search_tile = _kernel(image, params)
    window = (*params.outer_shape, *params.guard_shape)

    def one(tile: Window) -> Found:
        part, keep, line, pixel = blocks(image, valid, tile, params.outer_shape)
        place = (tile.line_start - line, tile.line_stop - line, tile.pixel_start - pixel, tile.pixel_stop - pixel)
        out: NDArray[Any] = _NO_SCORES
        if scores is not None:
            out = scores[tile.line_start - lines[0] : tile.line_stop - lines[0], tile.pixel_start : tile.pixel_stop]
        with in_order(out) as room:
            return search_tile(part, keep, place, window, table, cap + 1, room, (line, pixel))

    found: list[Found] = []
    n_hits = 0
    for result in work(one, split(Window(*lines, 0, image.shape[1]), 2 * params.outer_shape[0] + 1)):
        found.append(result)
        n_hits += result[0].size
        if n_hits > cap:
            raise FloodError.of(cap, image.shape, params.pfa)
    return joined(found)


def _kernel(image: NDArray[np.generic], params: CfarParams) -> tuple[object, Callable[..., Found]]:
    """Thresholds and the kernel for an image's type, a law and its average."""
    is_number = image.dtype.kind == "u"
    if params.average in {"goca", "soca"}:
        is_goca = params.average == "goca"
        search_sides = partial(cpu_sides.search_tile, is_goca=is_goca, min_ring=params.min_ring)
        return side_table(params), search_sides
    if params.average == "os":
        return order_table(params), partial(cpu_ordered.search_tile, min_ring=params.min_ring)
    if params.clutter_model == "gamma" or (params.clutter_model == "k" and params.clutter_shape is not None):
        return ring_table(params), cpu.search_tile if is_number else cpu_float.search_tile
    is_log = params.clutter_model != "gaussian"
    if is_number or is_log:
        return ring_table(params), partial(moments.search_tile, is_log=is_log, surface=ring_surface(params))
    return ring_table(params), cpu_float_moments.search_tile


def _hits(image: NDArray[np.generic], found: Found) -> Hits:
    line, pixel, clutter, score = found
    order = np.lexsort((pixel, line))
    line, pixel = line[order], pixel[order]
    value = image[line, pixel].astype(np.float64)
    if image.dtype.kind == "u":
        value *= value
    single = np.minimum(score[order], np.finfo(np.float32).max).astype(np.float32)
    # a hit above its threshold by less than float32 resolves is still a hit
    return Hits(line=line, pixel=pixel, value=value, clutter=clutter[order], score=np.maximum(single, ABOVE_ONE))
