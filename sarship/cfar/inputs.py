"""Checks of images, masks and lines that are to be searched."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.device import is_on_device
from sarship.cfar.params import CfarParams

__all__ = ["Inputs", "check_image", "check_inputs", "check_valid"]

_ALL_VALID = np.empty((0, 0), np.bool_)
MIN_SAMPLE: Final = 1_000
"""Minimum number of values whose spread says what they are."""
MAX_DECIBEL: Final = 100.0
"""Larger than any radar image in decibel: the square of the largest digital number is 96."""
MIN_STEADY: Final = 10.0
"""Minimum ratio of the ENL that the spread implies to that given, from which values look like decibel. Speckle of ENL L
has a deviation of 4.3 / √L decibel (5.6 of one look) and of 1 / √L of its mean power, so the ratio is larger for means
above 18 dB."""


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
    found = Inputs(array, check_valid(valid, array.shape), params or CfarParams(), (int(start), int(stop)))
    if array.dtype.kind == "f" and not is_on_device(array):
        _refuse_decibel(found)
    return found


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


def _refuse_decibel(inputs: Inputs) -> None:
    """Refuse positive values that look like decibel: a search of them finds next to nothing, without a word."""
    image, valid, params, _ = inputs
    step = max(1, math.isqrt(image.size // (10 * MIN_SAMPLE)))
    sample = image[::step, ::step]
    known = np.isfinite(sample) & (sample != 0)
    if valid.size and not is_on_device(valid):
        known &= valid[::step, ::step]
    values = sample[known].astype(np.float64)
    if values.size < MIN_SAMPLE or values.max() > MAX_DECIBEL or np.quantile(values, 0.01) < 1:
        return
    variation = values.std() / values.mean()
    if 0 < variation**2 * MIN_STEADY * params.enl < 1:
        raise ValueError(
            f"image looks like decibel: its values lie between {values.min():.3g} and {values.max():.3g} and vary by "
            f"{variation:.0%}, power of enl={params.enl:g} by {params.enl**-0.5:.0%}. "
            "Give linear power, 10 ** (image / 10); if it is power, say of which enl"
        )


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
