"""Searches that users would pick instead: the same ring and threshold by OpenCV, SciPy, a summed-area table and PyPI.

Each is in its best form: on tiles that fit the cache, on all cores, in the number that it takes. All find pixels whose
power is over a multiple of the mean of the ring around them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = [
    "ENL",
    "GUARD",
    "OUTER",
    "PFA",
    "TILE",
    "Image",
    "Places",
    "factor",
    "opencv",
    "opencv_two_parameters",
    "pyapril",
    "scipy_filter",
    "summed_area",
    "tiles",
]

PFA: Final = 1e-6
ENL: Final = 4.4
GUARD: Final = 10
OUTER: Final = 20
N_RING: Final = (2 * OUTER + 1) ** 2 - (2 * GUARD + 1) ** 2
TILE: Final = (128, 2048)
"""Lines and pixels of a tile: the arrays that the rivals make then fit the cache."""

Image = NDArray[Any]
Places = NDArray[np.int64]
"""Flat indices of hits."""


def factor() -> float:
    """Threshold over the ring's mean under the gamma clutter model, from Fisher's F."""
    part = special.betainccinv(ENL, ENL * N_RING, PFA)
    return float(part / (1 - part) * N_RING)


def tiles(search: Callable[[Image], NDArray[np.bool_]]) -> Callable[[Image], Places]:
    """Run a whole-array method on tiles with the halo it needs, on all cores: much faster than the image at once."""

    def run(image: Image) -> Places:
        side = image.shape[1]

        def one(corner: tuple[int, int]) -> Places:
            (top, bottom), (left, right) = (
                (max(start - OUTER, 0), min(start + size + OUTER, n))
                for start, size, n in zip(corner, TILE, image.shape, strict=True)
            )
            found = search(image[top:bottom, left:right])
            line, pixel = np.nonzero(found[corner[0] - top :, corner[1] - left :][: TILE[0], : TILE[1]])
            return np.asarray((line + corner[0]) * side + pixel + corner[1])

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            corners = product(*(range(0, n, size) for n, size in zip(image.shape, TILE, strict=True)))
            return np.sort(np.concatenate(list(pool.map(one, corners))))

    return run


def _power(image: Image) -> NDArray[np.float32]:
    number = image.astype(np.float32)
    return np.multiply(number, number, out=number) if image.dtype == np.uint16 else image


def _box(power: Image, half: int) -> Image:
    import cv2

    return cv2.boxFilter(power, -1, (2 * half + 1, 2 * half + 1), normalize=False, borderType=cv2.BORDER_REFLECT_101)


def opencv(image: Image) -> NDArray[np.bool_]:
    """OpenCV's box filters with the right threshold."""
    import cv2

    power = _power(image)
    ring = _box(power, OUTER)
    cv2.subtract(ring, _box(power, GUARD), dst=ring)
    return cv2.compare(power, ring * np.float32(factor() / N_RING), cv2.CMP_GT).view(np.bool_)


def opencv_two_parameters(image: Image) -> NDArray[np.bool_]:
    """Mean and deviation by OpenCV's box filters, as many detectors have it."""
    import cv2

    power = _power(image)
    square = cv2.multiply(power, power)
    mean = (_box(power, OUTER) - _box(power, GUARD)) / np.float32(N_RING)
    mean_square = (_box(square, OUTER) - _box(square, GUARD)) / np.float32(N_RING)
    deviation = cv2.sqrt(np.maximum(mean_square - mean * mean, 0))
    return cv2.compare(power, mean + deviation * np.float32(-special.ndtri(PFA)), cv2.CMP_GT).view(np.bool_)


def scipy_filter(image: Image) -> NDArray[np.bool_]:
    """SciPy's uniform filter on float32 power."""
    from scipy import ndimage

    power = _power(image)
    outer, inner = 2 * OUTER + 1, 2 * GUARD + 1
    ring = ndimage.uniform_filter(power, outer) * np.float32(outer**2)
    ring -= ndimage.uniform_filter(power, inner) * np.float32(inner**2)
    return np.asarray(power > ring * np.float32(factor() / N_RING))


def summed_area(image: Image, kind: type = np.float64) -> NDArray[np.bool_]:
    """A summed-area table with the ring's true count at the edges; with whole numbers this is exact."""
    power: Image = image.astype(kind)
    if image.dtype == np.uint16:
        power *= power
    ring, count = (_ring_sum(values) for values in (power, np.ones(power.shape, np.int64)))
    return np.asarray(power > ring * (factor() / count))


def _ring_sum(values: Image) -> Image:
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])

    def box(half: int) -> Image:
        (top, bottom), (left, right) = (
            (np.clip(np.arange(n) - half, 0, n), np.clip(np.arange(n) + half + 1, 0, n)) for n in values.shape
        )
        below, above = table[bottom], table[top]
        return np.asarray(below[:, right] - above[:, right] - below[:, left] + above[:, left])

    return box(OUTER) - box(GUARD)


def pyapril(image: Image) -> NDArray[np.bool_]:
    """The cell-averaging detector of pyAPRiL, a library for passive radar: it sums every ring anew."""
    from pyapril.caCfar import CA_CFAR

    amplitude = image if image.dtype == np.uint16 else np.sqrt(image)
    search = CA_CFAR([OUTER, OUTER, GUARD, GUARD], 10 * np.log10(factor()), amplitude.shape)
    return np.asarray(search(amplitude.astype(np.float64))[0])
