"""An image cut into tiles, searched on as many threads as numba is set to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import ceil
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from sarship.model import Window

__all__ = ["blocks", "read_only", "split", "work"]

T = TypeVar("T")
Scalar = TypeVar("Scalar", bound=np.generic)

TILE_PIXELS = 4096
"""Widest tile: its column sums and the lines of its ring stay in the second-level cache."""
TILE_LINES = 1024
"""Tiles are at least this tall, and eight windows: each begins by summing a window's lines for nothing."""
SMALL_TILE = 1 << 18
"""Pixels, and two windows' lines, of the smallest tile that is made so that no thread is without one."""


def split(core: Window, window_lines: int) -> list[Window]:
    """Tiles that cover `core`, from top to bottom: enough for the threads, none so small that starting it matters."""
    n_lines, n_pixels = core.shape
    across = ceil(n_pixels / TILE_PIXELS)
    wanted = ceil(8 * numba.get_num_threads() / across)
    enough = min(
        ceil(numba.get_num_threads() / across), n_lines // (2 * window_lines), n_lines * n_pixels // SMALL_TILE
    )
    down = max(1, enough, min(wanted, n_lines // max(TILE_LINES, 8 * window_lines)), ceil(n_lines / 8192))
    lines = np.linspace(core.line_start, core.line_stop, down + 1).astype(int).tolist()
    pixels = np.linspace(core.pixel_start, core.pixel_stop, across + 1).astype(int).tolist()
    return [Window(top, bottom, left, right) for top, bottom in pairwise(lines) for left, right in pairwise(pixels)]


def blocks(
    image: NDArray[np.generic], valid: NDArray[np.bool_], tile: Window, halo: tuple[int, int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_], int, int]:
    """Return the part of the image and of its mask that a kernel needs for a tile, and where that begins.

    Native C-ordered arrays are passed as they are; of any other only the tile and its halo are copied. Read-only
    either way, so that one compiled kernel serves memory maps as well.
    """
    line = pixel = 0
    if not (image.flags.c_contiguous and image.dtype.isnative and valid.flags.c_contiguous):
        line, pixel = max(tile.line_start - halo[0], 0), max(tile.pixel_start - halo[1], 0)
        near = np.s_[line : tile.line_stop + halo[0], pixel : tile.pixel_stop + halo[1]]
        image = image[near].astype(image.dtype.newbyteorder("="), order="C")
        valid = np.ascontiguousarray(valid[near])
    return read_only(image), read_only(valid), line, pixel


def read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """A view that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def work(search: Callable[[Window], T], tiles: list[Window]) -> Iterator[T]:
    """Yield the results of the tiles, in their order, from `numba.get_num_threads()` threads.

    The threads are ordinary ones that live as long as this call, because numba's own pool may be entered from one
    thread only: so this is safe inside dask and other pools. Waiting tiles are dropped when the caller stops early.
    """
    n_threads = min(numba.get_num_threads(), len(tiles))
    if n_threads <= 1:
        yield from map(search, tiles)
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="sarship-cfar") as pool:
        futures = [pool.submit(search, tile) for tile in tiles]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
