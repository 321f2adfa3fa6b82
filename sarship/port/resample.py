"""Power of an image at places between its pixels, without changing what its speckle is.

The power of a detected image has twice the bandwidth of its amplitude, and still fits the pixels that it comes in: 2.1
pixels a resolution cell. So it can be interpolated; but a kernel that smooths (nearest and bilinear do, each by an
amount that changes with where between the pixels a place lies) changes the number of looks from place to place and
from date to date, and with it the rate of false alarms. Lanczos' kernel of three lobes keeps the looks within a few
parts in a hundred (measured in the tests); where it would dip beside a strong target, a part of the smallest of the
four pixels around the place stands instead.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.jit import compiled

__all__ = ["interpolate_power"]

LOBES: Final = 3
"""Lobes of the kernel on each side: six pixels along each axis."""
MIN_SHARE: Final = 0.25
"""Part of the smallest of the four pixels around a place that its power cannot fall below."""
STEPS: Final = 512
"""Positions between two pixels for which the kernel's weights are kept; a two-thousandth of a pixel at the most off."""


def interpolate_power(
    image: NDArray[np.float32], line: NDArray[np.float64], pixel: NDArray[np.float64], borders: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Power at the places of a grid.

    Parameters
    ----------
    image
        Linear power, (lines, pixels), NaN where there is no data.
    line
        Where the grid's places lie along the lines, (n_y, n_x); they may lie outside the image.
    pixel
        Where they lie along the pixels, (n_laws, n_y, n_x), one for each law of ground range that holds in the image: a
        processor changes its law at some lines, and shears the image there.
    borders
        Line at which each law but the first takes over, ascending, (n_laws - 1,).

    Returns
    -------
    float32, (n_y, n_x); NaN where one of the four pixels around the place has no data or lies outside the image.

    >>> wave = (2 + np.sin(np.arange(40) / 3)).astype(np.float32)
    >>> image = np.tile(wave, (20, 1))
    >>> found = interpolate_power(image, np.full((1, 1), 10.3), np.full((1, 1, 1), 20.4), np.empty(0))
    >>> bool(abs(found[0, 0] - (2 + np.sin(20.4 / 3))) < 0.005)
    True
    """
    out = np.empty(line.shape, np.float32)
    _interpolate(image, line, pixel, borders, _weights(), out)
    return out


def _weights() -> NDArray[np.float32]:
    """Weights of the pixels from 2 before to 3 after the one to the left of a place, (STEPS + 1, 2 · LOBES)."""
    beyond = np.linspace(0, 1, STEPS + 1)[:, None]
    distance = np.arange(1 - LOBES, LOBES + 1)[None] - beyond
    weights = np.sinc(distance) * np.sinc(distance / LOBES)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _interpolate_loops(  # noqa: PLR0917  (kernels take their arrays by position)
    image: NDArray[np.float32],
    line: NDArray[np.float64],
    pixel: NDArray[np.float64],
    borders: NDArray[np.float64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            found = _inner(image, line[y, x], pixel[:, y, x], borders, weights)
            if np.isnan(found):
                found = _cut(image, line[y, x], pixel[:, y, x], borders, weights)
            out[y, x] = found


def _inner_place(
    image: NDArray[np.float32],
    line: float,
    pixel: NDArray[np.float64],
    borders: NDArray[np.float64],
    weights: NDArray[np.float32],
) -> float:
    """Power at a place whose pixels all have data, under one law; NaN at any other."""
    steps, taps = weights.shape[0] - 1, weights.shape[1]
    before = taps // 2 - 1
    if not (line >= before and line < image.shape[0] - taps // 2):
        return np.nan
    top = int(line)
    law = _law(borders, top - before)
    if law != _law(borders, top + taps // 2):
        return np.nan
    across = pixel[law]
    if not (across >= before and across < image.shape[1] - taps // 2):
        return np.nan
    left = int(across)
    down, over = weights[int((line - top) * steps + 0.5)], weights[int((across - left) * steps + 0.5)]
    total = np.float32(0)
    for i in range(taps):
        part = np.float32(0)
        for k in range(taps):
            part += over[k] * image[top - before + i, left - before + k]
        total += down[i] * part
    least = min(image[top, left], image[top, left + 1], image[top + 1, left], image[top + 1, left + 1])
    return max(total, np.float32(MIN_SHARE) * least) if np.isfinite(total) else np.nan


def _cut_place(
    image: NDArray[np.float32],
    line: float,
    pixel: NDArray[np.float64],
    borders: NDArray[np.float64],
    weights: NDArray[np.float32],
) -> float:
    """Power at any place, from those of its pixels that have data; each line's pixels lie where its law has them."""
    n_lines, n_pixels = image.shape
    steps, taps = weights.shape[0] - 1, weights.shape[1]
    before = taps // 2 - 1
    if not (line >= 0 and line <= n_lines - 1):
        return np.nan
    top = min(int(line), n_lines - 2)
    down = weights[int((line - top) * steps + 0.5)]
    total, mass, least = 0.0, 0.0, np.inf
    for i in range(taps):
        row = top - before + i
        if row < 0 or row >= n_lines:
            continue
        across = pixel[_law(borders, row)]
        if not (across >= 0 and across <= n_pixels - 1):
            return np.nan
        left = min(int(across), n_pixels - 2)
        over = weights[int((across - left) * steps + 0.5)]
        for k in range(taps):
            column = left - before + k
            if column < 0 or column >= n_pixels:
                continue
            value = image[row, column]
            is_beside = (i == before or i == before + 1) and (k == before or k == before + 1)
            if np.isnan(value):
                if is_beside:
                    return np.nan
                continue
            total += down[i] * over[k] * value
            mass += down[i] * over[k]
            if is_beside:
                least = min(least, value)
    return max(total / mass, MIN_SHARE * least) if mass > 0.5 else np.nan


def _law_of(borders: NDArray[np.float64], row: int) -> int:
    """Number of the law of ground range of an image line."""
    law = 0
    while law < borders.size and row > borders[law]:
        law += 1
    return law


_law = compiled(_law_of)
_inner, _cut = compiled(_inner_place, any_order=True), compiled(_cut_place)
_interpolate = compiled(_interpolate_loops)
