"""Search of an image on the CPU: its kernel, tiles on all threads, and hits from what the kernels found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from sarship.cfar import censoring
from sarship.cfar.censoring import (
    Censor,
    Found,
    Place,
    Surroundings,
    search_iteratively,
    selected,
    sorted_hits,
    wide_lines,
)
from sarship.cfar.cpu import ca_float, ca_integer, goca_soca, os_cfar, sieve, two_parameter, two_parameter_float
from sarship.cfar.cpu.rows import HalfWidths, HitList, Tile, negative_power, new_hits
from sarship.cfar.cpu.strips import joined
from sarship.cfar.goca_soca_os import order_table, side_table
from sarship.cfar.inputs import Inputs
from sarship.cfar.jit import in_order
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import ring_table
from sarship.cfar.tiles import blocks, read_only, split, work
from sarship.errors import FloodError
from sarship.model import Hits, Window

__all__ = ["search", "warm_up_sieve"]

_NO_SCORES = np.empty((0, 0), np.float32)


def search(inputs: Inputs, *, cap: int, scores: NDArray[np.float32] | None = None) -> Hits:
    """Return the hits of the lines, sorted; or none, and `scores` filled: its first line is the first of the lines."""
    image, valid, params, lines = inputs
    kernel = _kernel(inputs)
    if params.iterations == 1:
        return _hits(image, _search_once(inputs, kernel, cap, scores))
    wide, back = wide_lines(params, lines, image.shape[0]), params.outer_shape
    without = Censor(image.shape, wide, back, censoring.BLOCK, Surroundings(image, valid, back, kernel).search)
    first = _search_once(inputs._replace(lines=wide), kernel, cap)
    found, taken = search_iteratively(without, first, params, cap, is_scored=scores is not None)
    if scores is not None:
        _search_once(inputs, kernel, cap, scores)
        again = Surroundings(image, valid, back, kernel, scores, lines[0]).search
        replace(without, lines=lines, near=again).score_again(taken)
        return Hits.empty()
    return _hits(image, selected(found, (found[0] >= lines[0]) & (found[0] < lines[1])))


def warm_up_sieve() -> None:
    """Compile the sieve, which serves large images alone."""
    params, lines = CfarParams(guard=1, training=6), (0, 7)
    tile = Tile(
        read_only(np.ones((7, 7), np.uint16)),
        read_only(np.empty((0, 0), np.bool_)),
        lines,
        lines,
        HalfWidths(*params.outer_shape, *params.guard_shape),
        1,
        _NO_SCORES,
        np.zeros(3),
    )
    _sifted(ring_table(params), by_sums=lambda _: new_hits())(tile)


def _search_once(
    inputs: Inputs, kernel: censoring.Kernel, cap: int, scores: NDArray[np.float32] | None = None
) -> Found:
    """Return the hits of the lines with nothing censored; or none, and `scores` filled."""
    image, valid, params, lines = inputs

    def search_tile(tile: Window) -> Found:
        part, keep, line, pixel = blocks(image, valid, tile, params.outer_shape)
        place = (tile.line_start - line, tile.line_stop - line, tile.pixel_start - pixel, tile.pixel_stop - pixel)
        out = _NO_SCORES
        if scores is not None:
            out = scores[tile.line_start - lines[0] : tile.line_stop - lines[0], tile.pixel_start : tile.pixel_stop]
        with in_order(out) as room:
            return kernel(part, keep, place, room, cap + 1, (line, pixel))

    found: list[Found] = []
    n_hits = 0
    for result in work(search_tile, split(Window(*lines, 0, image.shape[1]), 2 * params.outer_shape[0] + 1)):
        found.append(result)
        n_hits += result[0].size
        if n_hits > cap:
            raise FloodError.of(cap, image.shape, params.pfa)
    return censoring.joined(found)


def _kernel(inputs: Inputs) -> censoring.Kernel:
    """Return the kernel for an image's type and a clutter model, with its thresholds, as Python calls it."""
    search_tile, half = _kernel_of(inputs), HalfWidths(*inputs.params.outer_shape, *inputs.params.guard_shape)

    def kernel(
        image: NDArray[np.generic],
        valid: NDArray[np.bool_],
        place: Place,
        out: NDArray[np.float32],
        cap: int,
        origin: tuple[int, int] = (0, 0),
    ) -> Found:
        negative = np.zeros(3)
        hits = search_tile(Tile(image, valid, place[:2], place[2:], half, cap, out, negative))
        if negative[0] < 0:
            raise negative_power(negative, origin)
        return hits.line + origin[0], hits.pixel + origin[1], hits.clutter, hits.score

    return kernel


def _kernel_of(inputs: Inputs) -> Callable[[Tile], HitList]:
    params, dtype = inputs.params, inputs.image.dtype
    if params.average in {"goca", "soca"}:
        sides = side_table(params)
        return lambda tile: goca_soca.search_tile(tile, sides, params.average == "goca", params.min_ring)
    if params.average == "os":
        orders = order_table(params)
        return lambda tile: os_cfar.search_tile(tile, orders, params.min_ring)
    table, is_number = ring_table(params), dtype.kind == "u"
    if params.is_by_mean:
        by_sums = _by_sums(inputs, table)
        return _sifted(table, by_sums) if sieve.is_served(params, inputs.image) else by_sums
    is_log, surface = params.clutter_model != "gaussian", ring_surface(params)
    if is_number or is_log:
        return lambda tile: two_parameter.search_tile(tile, table, surface, is_log)
    return lambda tile: two_parameter_float.search_tile(tile, table)


def _by_sums(inputs: Inputs, table: NDArray[np.float64]) -> Callable[[Tile], HitList]:
    """Return the kernel that slides the sums of every ring."""
    params, dtype = inputs.params, inputs.image.dtype
    if dtype.kind == "u":
        block = ca_integer.block_of(params.ring_size, params.outer_shape[0])
        return lambda tile: ca_integer.search_tile(tile, table, block)
    whole, block = np.empty(0, f"i{dtype.itemsize}"), ca_float.block_of(params.ring_size)
    return lambda tile: ca_float.search_tile(tile, table, whole, block)


def _sifted(table: NDArray[np.float64], by_sums: Callable[[Tile], HitList]) -> Callable[[Tile], HitList]:
    """Return the kernel that looks for hits with a sieve first, and at scores or where that gives up, by sums."""
    lowest = np.fmin.accumulate(table)

    def search_strip(tile: Tile, unit: float) -> HitList:
        hits, is_done = sieve.sift_tile(tile, table, lowest, unit, sieve.PATIENCE)
        return hits if is_done else by_sums(tile)

    def search_tile(tile: Tile) -> HitList:
        if tile.out.size:
            return by_sums(tile)
        (left, right), unit, found = tile.pixels, sieve.unit_of(tile), []
        n_strips = ceil((right - left) / sieve.STRIP_PIXELS)
        for first, last in pairwise(np.linspace(left, right, n_strips + 1).astype(int).tolist()):
            found.append(search_strip(tile._replace(pixels=(first, last)), unit))
        return joined(found)

    return search_tile


def _hits(image: NDArray[np.generic], found: Found) -> Hits:
    line, pixel, clutter, score = found
    value = image[line, pixel].astype(np.float64)
    if image.dtype.kind == "u":
        value *= value
    return sorted_hits((line, pixel, value, clutter, score))
