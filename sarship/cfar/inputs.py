"""Checks of images, masks and lines that are to be searched."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.device import is_on_device
from sarship.cfar.params import CfarParams

__all__ = ["Inputs", "check_image", "check_inputs", "check_valid"]

_ALL_VALID = np.empty((0, 0), np.bool_)


class Inputs(NamedTuple):
    """A search that can be made."""

    image: NDArray[Any]
    valid: NDArray[np.bool_]
    """Mask of the image's shape; empty where all is valid."""
    params: CfarParams
    lines: tuple[int, int]


def check_inputs(image: object, params: CfarParams | None, valid: object, lines: tuple[int, int] | None) -> Inputs:
    """Return the arguments of a search, checked, with defaults for None."""
    array = check_image(image)
    start, stop = (0, array.shape[0]) if lines is None else lines
    if not 0 <= start < stop <= array.shape[0]:
        raise ValueError(f"lines must lie in 0 … {array.shape[0]} with start < stop, got {lines}")
    return Inputs(array, check_valid(valid, array.shape), params or CfarParams(), (int(start), int(stop)))


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
