"""Detectors on one array or two, on the CPU or on the graphics card that holds the array."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar, get_args, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.cfar.cpu import search as cpu
from sarship.cfar.device import is_on_device
from sarship.cfar.inputs import Inputs, check_image, check_inputs
from sarship.cfar.labelled import is_labelled, labelled_hits, labelled_image
from sarship.cfar.params import CfarParams, ClutterModel, RingAverage
from sarship.model import Hits

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["detect", "detect_dual", "mask", "score", "warm_up"]

T = TypeVar("T", bound=np.generic)


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
        (lines, pixels) uint16 digital numbers, or float32 or float64 linear power. One of xarray's in chunks is
        searched chunk by chunk, as many at once as dask has threads.
    params
        Detector and its parameters; the defaults of `CfarParams` for None.
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
        Another shape, negative power, or positive values that look like decibel.
    FloodError
        More than `params.max_hits` hits, usually a forgotten land mask.

    References
    ----------
    H. M. Finn & R. S. Johnson, "Adaptive detection mode with threshold control as a function of spatially sampled
    clutter-level estimates", RCA Review 29, 1968 (CA-CFAR). The other detectors have theirs in
    `sarship.cfar.thresholds`, `goca_soca_os` and `k_distribution`.

    Examples
    --------
    >>> sea = np.full((60, 80), 100, np.uint16)
    >>> sea[20, 30] = 900
    >>> hits = detect(sea, CfarParams(pfa=1e-6, guard=5, training=5, enl=4.4))
    >>> hits.line.tolist(), hits.pixel.tolist(), hits.value.tolist()
    ([20], [30], [810000.0])
    """
    if is_labelled(image):
        return labelled_hits(detect, image, params, valid, lines)
    inputs = check_inputs(image, params, valid, lines)
    return _search(inputs, inputs.params.max_hits)


@overload
def score(
    image: xr.DataArray,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> xr.DataArray: ...
@overload
def score(
    image: ArrayLike,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> NDArray[np.float32]: ...
def score(
    image: ArrayLike | xr.DataArray,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> NDArray[np.float32] | xr.DataArray:
    """Return the power of every pixel over its own threshold: above 1 exactly where `detect` finds a hit.

    Parameters
    ----------
    image, params, valid, lines
        As for `detect`; no number of hits is too large.

    Returns
    -------
    ndarray or xarray.DataArray
        (lines, pixels) float32, a line for each of `lines`; NaN where no decision is possible. On the image's device;
        with its labels and, not computed yet, in its chunks, if it has such.

    Raises
    ------
    TypeError, ValueError
        As `detect`.

    Examples
    --------
    >>> sea = np.full((60, 80), 100, np.uint16)
    >>> sea[20, 30] = 900
    >>> ratio = score(sea, CfarParams(guard=5, training=5))
    >>> np.argwhere(ratio > 1).tolist()
    [[20, 30]]
    """
    if is_labelled(image):
        meaning = "power over threshold"
        return labelled_image(score, image, params, valid, lines, dtype=np.float32, meaning=meaning)
    inputs = check_inputs(image, params, valid, lines)
    scores = _new_image(inputs, np.float32)
    _search(inputs, inputs.image.size, scores)
    return scores


@overload
def mask(
    image: xr.DataArray,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> xr.DataArray: ...
@overload
def mask(
    image: ArrayLike,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> NDArray[np.bool_]: ...
def mask(
    image: ArrayLike | xr.DataArray,
    params: CfarParams | None = None,
    valid: ArrayLike | None = None,
    *,
    lines: tuple[int, int] | None = None,
) -> NDArray[np.bool_] | xr.DataArray:
    """Return the hits of `detect` as an image of booleans.

    Parameters
    ----------
    image, params, valid, lines
        As for `detect`; no number of hits is too large.

    Returns
    -------
    ndarray or xarray.DataArray
        (lines, pixels) bool, a line for each of `lines`. On the image's device; with its labels, as of `score`.

    Raises
    ------
    TypeError, ValueError
        As `detect`.

    Examples
    --------
    >>> sea = np.full((60, 80), 100, np.uint16)
    >>> sea[20, 30:33] = 900
    >>> int(mask(sea, CfarParams(guard=5, training=5)).sum())
    3
    """
    if is_labelled(image):
        return labelled_image(mask, image, params, valid, lines, dtype=np.bool_, meaning="power above threshold")
    inputs = check_inputs(image, params, valid, lines)
    if is_on_device(inputs.image):
        found = _new_image(inputs, np.bool_)
        _search(inputs, inputs.image.size, found)
        return found
    hits = _search(inputs, inputs.image.size)
    found = np.zeros((inputs.lines[1] - inputs.lines[0], inputs.image.shape[1]), np.bool_)
    found[hits.line - inputs.lines[0], hits.pixel] = True
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

    Each is searched at half of `params.pfa`. Where only one image has data, that one decides.

    Parameters
    ----------
    first, second
        Images of one shape, each as for `detect`.
    params, valid, lines
        As for `detect`.

    Returns
    -------
    Hits
        Pixels that are a hit in either image, with the value, clutter and score of the one with the larger score (the
        first on a tie).

    Raises
    ------
    TypeError, ValueError, FloodError
        As `detect`; also where the images differ in shape.

    Examples
    --------
    >>> vv, vh = np.full((60, 80), 100, np.uint16), np.full((60, 80), 30, np.uint16)
    >>> vv[20, 30], vh[40, 50] = 900, 300
    >>> detect_dual(vv, vh, CfarParams(guard=5, training=5)).value.tolist()
    [810000.0, 90000.0]
    """
    params = CfarParams() if params is None else params
    arrays = [each if is_labelled(each) else check_image(each) for each in (first, second)]
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"the two images must have one shape, got {arrays[0].shape} and {arrays[1].shape}")
    half = replace(params, pfa=params.pfa / 2)
    found = Hits.joined([detect(array, half, valid, lines=lines) for array in arrays])
    order = np.lexsort((-found.score, found.pixel, found.line))
    is_first = np.ones(order.size, np.bool_)
    is_first[1:] = (np.diff(found.line[order]) != 0) | (np.diff(found.pixel[order]) != 0)
    return found.take(order[is_first])


def warm_up(*, every_kernel: bool = False) -> None:
    """Compile the CA-CFAR kernels, or load them from the compiler's cache, before the time of the first call matters.

    Parameters
    ----------
    every_kernel
        Those of the other clutter models and averages as well, of scores and of large images: minutes where none is in
        the cache.

    Examples
    --------
    >>> warm_up()
    """
    params = CfarParams(guard=1, training=2)
    every = [params]
    if every_kernel:
        every += [replace(params, clutter_model=model) for model in get_args(ClutterModel)]
        every += [replace(params, average=average) for average in get_args(RingAverage)]
    for dtype in (np.uint16, np.float32, np.float64):
        for one in every:
            detect(np.ones((7, 7), dtype), one)
            if every_kernel:
                score(np.ones((7, 7), dtype), one)
    if every_kernel:
        cpu.warm_up_sieve()


def _search(inputs: Inputs, cap: int, out: NDArray[np.float32] | NDArray[np.bool_] | None = None) -> Hits:
    """Return the hits, on the host; or none, and `out` filled, where the image is."""
    if is_on_device(inputs.image):
        # loads CUDA
        found: Hits = import_module("sarship.cfar.gpu.search").search(*inputs, cap=cap, out=out)
        return found
    if is_on_device(inputs.valid):
        raise TypeError("the image is on the host and valid on a device: both must be on the host, or the image there")
    return cpu.search(inputs, cap=cap, scores=out)  # type: ignore[arg-type]


def _new_image(inputs: Inputs, dtype: type[T]) -> NDArray[T]:
    """Room for one value of each pixel of the lines, where the image is."""
    shape = (inputs.lines[1] - inputs.lines[0], inputs.image.shape[1])
    if is_on_device(inputs.image):
        room: NDArray[T] = import_module("sarship.cfar.gpu.search").new_image(inputs.image, shape, dtype)
        return room
    return np.empty(shape, dtype)
