"""Copies between host memory and the device, and the search of images that go through it in bands."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from queue import SimpleQueue
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.cfar.device import device_of, new_device
from sarship.cfar.gpu.search import search
from sarship.cfar.inputs import check_image, check_valid
from sarship.cfar.params import CfarParams
from sarship.errors import FloodError
from sarship.model import Hits

__all__ = ["detect_streamed", "to_device", "to_host"]

Scalar = TypeVar("Scalar", bound=np.generic)

_BAND_BYTES = 128 << 20
"""Part of the image that is sent at once: long beside the time to start a search, short beside the whole."""


@overload
def to_device(data: Hits) -> Hits: ...
@overload
def to_device(data: ArrayLike) -> Any: ...
def to_device(data: ArrayLike | Hits) -> Any:
    """Copy an image, a mask or hits to the graphics card.

    Parameters
    ----------
    data
        Any array, or `Hits`.

    Returns
    -------
    cupy.ndarray or Hits
        The array on the card; or `Hits` with such columns.

    Raises
    ------
    DeviceError
        No card that can be used, or packages missing.

    Examples
    --------
    >>> there = cfar.to_device(image)  # doctest: +SKIP
    >>> cfar.detect(there, params)  # doctest: +SKIP
    """
    device = new_device()
    if isinstance(data, Hits):
        columns = {name: getattr(data, name) for name in (field.name for field in fields(data))}
        there = {name: device.from_host(v) for name, v in columns.items() if isinstance(v, np.ndarray)}
        return replace(data, **there)
    return device.from_host(_plain(np.asarray(data)))


def to_host(array: Any) -> NDArray[Any]:
    """Copy an array, such as the scores of an image there, from the graphics card to NumPy.

    Parameters
    ----------
    array
        An array of CuPy's or numba's.

    Returns
    -------
    ndarray
        The same values in host memory.

    Raises
    ------
    DeviceError
        No card that can be used, or packages missing.

    Examples
    --------
    >>> cfar.to_host(cfar.score(cfar.to_device(image)))  # doctest: +SKIP
    """
    return device_of(array).to_host(array)


def detect_streamed(
    image: ArrayLike, params: CfarParams | None = None, valid: ArrayLike | None = None, *, band_lines: int | None = None
) -> Hits:
    """Search an image in host memory on the graphics card, in bands: one is copied while another is searched.

    The image may be larger than the card's memory. In pinned memory (`cupyx.empty_pinned`) it is copied from where it
    is, in any other through pinned buffers. This is a function of its own because an array in host memory is otherwise
    searched by the CPU: which of the two is faster depends on the bus, and is for the caller to say.

    Parameters
    ----------
    image, params, valid
        As for `detect`, in host memory.
    band_lines
        Lines of a band besides its halo of `params.halo` lines on either side; about 32 MB for None.

    Returns
    -------
    Hits
        Those of `detect`, bit for bit, in host memory.

    Raises
    ------
    DeviceError
        No card that can be used, or packages missing.
    TypeError, ValueError, FloodError
        As `detect`.

    Examples
    --------
    >>> hits = cfar.detect_streamed(image, cfar.CfarParams(pfa=1e-6))  # doctest: +SKIP
    """
    params = CfarParams() if params is None else params
    array = _plain(check_image(np.asarray(image)))
    keep = np.ascontiguousarray(check_valid(valid, array.shape))
    if band_lines is None:
        band_lines = max(_BAND_BYTES // array[0].nbytes, 2 * params.halo, 1)
    if band_lines < 1:
        raise ValueError(f"band_lines must be at least 1, got {band_lines}")
    device, n_lines = new_device(), array.shape[0]
    # as many as work at once serve all bands
    streams: SimpleQueue[Callable[[], AbstractContextManager[None]]] = SimpleQueue()
    for number in range(device.n_streams):
        streams.put(device.stream_number(number))

    def searched(start: int) -> Hits:
        first, last = max(start - params.halo, 0), min(start + band_lines + params.halo, n_lines)
        stream = streams.get()
        try:
            with stream():
                part, held = device.upload(array[first:last])
                mask, held_too = device.upload(keep[first:last]) if keep.size else (keep, None)
                lines = (start - first, min(start + band_lines, n_lines) - first)
                hits = search(part, mask, params, lines, cap=params.max_hits, origin=first)
                # the stream has been waited for, so the buffers that were copied from may go
                del held, held_too
        finally:
            streams.put(stream)
        return hits

    found, n_hits = [], 0
    with ThreadPoolExecutor(device.n_streams, thread_name_prefix="sarship-stream") as pool:
        futures = [pool.submit(searched, start) for start in range(0, n_lines, band_lines)]
        try:
            for future in futures:
                found.append(future.result())
                n_hits += len(found[-1])
                if n_hits > params.max_hits:
                    raise FloodError.of(params.max_hits, array.shape, params.pfa)
        finally:
            for future in futures:
                future.cancel()
    return Hits.joined(found)


def _plain(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return the array, contiguous and in the machine's byte order; a copy only if it is not."""
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))
