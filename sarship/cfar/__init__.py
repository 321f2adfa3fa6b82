"""CFAR on one array: pixels brighter than their surroundings, at a constant rate of false alarms.

Needs nothing but NumPy, SciPy and numba.

>>> import numpy as np
>>> from sarship import cfar
>>> sea = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (100, 100)).astype(np.float32)
>>> sea[50, 60] = 30
>>> hits = cfar.detect(sea, cfar.CfarParams(pfa=1e-6, guard=10, training=10, enl=4.4))
>>> hits.line.tolist(), hits.pixel.tolist()
([50], [60])

An image is a two-dimensional array (lines, pixels): uint16 digital numbers (amplitude; squared, they are the power) or
float32 or float64 linear power. Zero, NaN, infinity and `valid=False` mean no data: such pixels are in no ring
and never hits. At the image's edge the ring is cut, and the threshold grows as its count falls. Nothing is
copied or changed. All cores work, as many as `numba.set_num_threads` says; calls from several threads are safe.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.cfar.device import is_on_device
from sarship.cfar.dispatch import check_image, check_lines, check_valid, new_image, search
from sarship.cfar.enl import measure_correlation, measure_enl
from sarship.cfar.params import CfarParams
from sarship.model import Hits

if TYPE_CHECKING:
    from sarship.cfar.gpu.streaming import detect_streamed, to_device, to_host

__all__ = [
    "CfarParams",
    "detect",
    "detect_dual",
    "detect_streamed",
    "mask",
    "measure_correlation",
    "measure_enl",
    "score",
    "to_device",
    "to_host",
    "warm_up",
]


def __getattr__(name: str) -> object:
    """Load what needs CUDA when it is asked for."""
    if name in {"detect_streamed", "to_device", "to_host"}:
        return getattr(import_module("sarship.cfar.gpu.streaming"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def detect(
    image: ArrayLike,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> Hits:
    """Find the pixels whose power exceeds the threshold set by their ring.

    Parameters
    ----------
    image
        (lines, pixels) uint16 digital numbers, or float32 or float64 linear power.
    params
        How to search; the defaults of `CfarParams` for None.
    valid
        (lines, pixels) bool: False where a pixel is no data, for the ring and for itself. All valid for None.
    lines
        Decide only these lines, `(start, stop)`; the others only fill rings. A band given with `params.halo` lines
        on either side is decided exactly as in the whole image.

    Returns
    -------
    Hits
        Sorted by line then pixel; lines count from the first of `image`, also where `lines` is given.

    Raises
    ------
    TypeError
        An image or mask of another type.
    ValueError
        Another shape, or negative power (decibel given as power).
    FloodError
        More than `params.max_hits` hits, usually a forgotten land mask.
    """
    params = CfarParams() if params is None else params
    array = check_image(image)
    return search(
        array, check_valid(valid, array.shape), params, check_lines(lines, array.shape[0]), cap=params.max_hits
    )


def score(
    image: ArrayLike,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Power of every pixel over its own threshold; NaN where no decision is possible.

    Above 1 exactly where `detect` finds a hit. Parameters and errors are those of `detect`, but no number of hits is
    too large. Returns one line for each of `lines`.
    """
    params = CfarParams() if params is None else params
    array = check_image(image)
    start, stop = check_lines(lines, array.shape[0])
    scores = new_image(array, (start, stop), np.float32)
    search(array, check_valid(valid, array.shape), params, (start, stop), cap=array.size, scores=scores)
    return scores


def mask(
    image: ArrayLike,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> NDArray[np.bool_]:
    """Return whether each pixel is a hit of `detect`, as an image of booleans; no number of hits is too large."""
    params = CfarParams() if params is None else params
    array = check_image(image)
    start, stop = check_lines(lines, array.shape[0])
    if is_on_device(array):
        found = new_image(array, (start, stop), np.bool_)
        search(array, check_valid(valid, array.shape), params, (start, stop), cap=array.size, scores=found)
        return found
    hits = search(array, check_valid(valid, array.shape), params, (start, stop), cap=array.size)
    found = np.zeros((stop - start, array.shape[1]), np.bool_)
    found[hits.line - start, hits.pixel] = True
    return found


def detect_dual(
    first: ArrayLike,
    second: ArrayLike,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> Hits:
    """Search two images of one place, say VV and VH, at a false-alarm probability shared between them.

    Each is searched at half of `params.pfa`; a pixel that is a hit in either is a hit, with the value, clutter and
    score of the image where its score is larger (the first on a tie). Where only one image has data, that one
    decides. Parameters and errors are those of `detect`.
    """
    params = CfarParams() if params is None else params
    arrays = check_image(first), check_image(second)
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"the two images must have one shape, got {arrays[0].shape} and {arrays[1].shape}")
    half = replace(params, pfa=params.pfa / 2)
    found = [detect(array, half, valid, lines=lines) for array in arrays]
    line, pixel, value, clutter, scores = (
        np.concatenate([getattr(hits, name) for hits in found])
        for name in ("line", "pixel", "value", "clutter", "score")
    )
    order = np.lexsort((-scores, pixel, line))
    is_first = np.ones(order.size, np.bool_)
    is_first[1:] = (np.diff(line[order]) != 0) | (np.diff(pixel[order]) != 0)
    best = order[is_first]
    return Hits(line=line[best], pixel=pixel[best], value=value[best], clutter=clutter[best], score=scores[best])


def warm_up() -> None:
    """Compile the kernels, or load them from the compiler's cache, before the time of the first call matters."""
    params = CfarParams(guard=0, training=1, min_ring=1)
    for dtype in (np.uint16, np.float32, np.float64):
        detect(np.ones((3, 3), dtype), params)
