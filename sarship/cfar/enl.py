"""Equivalent number of looks (ENL) and effective sample ratio, measured from an image's own speckle.

Both are measured in blocks small enough for the sea's level to be the same throughout, and the value that most blocks
agree on is taken: blocks with ships, land or fronts in them disagree.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from sarship.cfar.inputs import check_image, check_valid

__all__ = ["measure_correlation", "measure_enl"]

BLOCK = 64
"""Lines and pixels of a block."""
MAX_BLOCKS = 1024
"""Blocks looked at: more would not make the figures better, only slower."""
SMALLEST = 16
"""Lines and pixels of the smallest image that can be measured."""

F64 = NDArray[np.float64]


def measure_enl(image: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Equivalent number of looks of an image, from the variance of ln power.

    The logarithm of power of L looks has the variance ψ′(L), whatever its level (Oliver & Quegan 2004, section 4.3).
    Texture raises the variance, so on a rough sea the result is the ENL of speckle and texture together.

    Parameters
    ----------
    image
        (lines, pixels) as for `detect`, at least 16 × 16. The thermal noise must not be subtracted.
    valid
        (lines, pixels) bool: False where a pixel is not to be looked at, such as land.

    Returns
    -------
    float
        ENL: what `CfarParams.enl` wants.

    Raises
    ------
    TypeError, ValueError
        As `detect`; also where no block of 64 × 64 pixels is free of missing data.

    References
    ----------
    C. Oliver & S. Quegan, *Understanding Synthetic Aperture Radar Images*, 2004, section 4.3.

    Examples
    --------
    >>> sea = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (400, 400))
    >>> round(measure_enl(sea), 1)
    4.4
    """
    variances = np.array([np.log(power).var() for power in _blocks(image, valid)])
    variance = np.exp(_agreed(np.log(np.maximum(variances, 1e-12))))
    return float(np.exp(optimize.brentq(lambda log_enl: special.polygamma(1, np.exp(log_enl)) - variance, -12.0, 30.0)))


def measure_correlation(image: ArrayLike, valid: ArrayLike | None = None, *, reach: int = 4) -> float:
    """Return the effective sample ratio of an image: independent pixels for each of its pixels.

    The mean of many pixels has the variance of one, times the sum of the correlation coefficients of power over all
    lags, over their number; so the inverse of that sum is the ratio.

    Parameters
    ----------
    image, valid
        As for `measure_enl`.
    reach
        Lines and pixels that lags go to either way, 1 … 4.

    Returns
    -------
    float
        In (0, 1]: what `CfarParams.effective_sample_ratio` wants.

    Raises
    ------
    TypeError, ValueError
        As `measure_enl`.

    References
    ----------
    M. B. Priestley, *Spectral Analysis and Time Series*, 1981, section 5.3.

    Examples
    --------
    >>> speckle = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (400, 400))
    >>> round(measure_correlation(speckle), 1)
    1.0
    """
    if not 1 <= reach <= SMALLEST // 4:
        raise ValueError(f"reach must lie in 1 … {SMALLEST // 4} pixels, got {reach}")
    sums = []
    for power in _blocks(image, valid):
        deviation = power - power.mean()
        # zeros as wide as the reach keep the lags from wrapping around
        spectrum = np.fft.rfft2(deviation, [n + reach for n in power.shape])
        products = np.fft.irfft2(np.abs(spectrum) ** 2, [n + reach for n in power.shape])
        lags = np.arange(-reach, reach + 1)
        pairs = np.outer(*(n - np.abs(lags) for n in power.shape))
        near = products[np.ix_(lags, lags)] / pairs
        sums.append(near.sum() / near[reach, reach])
    # the block's own mean takes its variance out of every lag
    share = (2 * reach + 1) ** 2 / power.size
    total = _agreed(np.array(sums)) / (1 - share)
    return float(min(1.0, 1 / max(total, 1.0)))


def _blocks(image: ArrayLike, valid: ArrayLike | None) -> Iterator[F64]:
    """Powers of blocks without missing data, spread over the image in an order that is always the same."""
    array = check_image(image)
    keep = check_valid(valid, array.shape)
    if min(array.shape) < SMALLEST:
        raise ValueError(f"image must have at least {SMALLEST} lines and pixels to be measured, got {array.shape}")
    height, width = (min(BLOCK, n) for n in array.shape)
    corners = [
        (line, pixel)
        for line in range(0, array.shape[0] - height + 1, height)
        for pixel in range(0, array.shape[1] - width + 1, width)
    ]
    n_found = 0
    for k in np.random.default_rng(0).permutation(len(corners)):
        line, pixel = corners[k]
        near = np.s_[line : line + height, pixel : pixel + width]
        if keep.size and not keep[near].all():
            continue
        power = array[near].astype(np.float64)
        if array.dtype.kind == "u":
            power *= power
        if (power < 0).any():
            raise ValueError(f"image holds {power.min():g} near line {line}, pixel {pixel}: power cannot be negative")
        if not (np.isfinite(power) & (power > 0)).all():
            continue
        yield power
        n_found += 1
        if n_found == MAX_BLOCKS:
            return
    if n_found == 0:
        raise ValueError(f"no block of {height} × {width} pixels is free of missing data: nothing to measure")


def _agreed(values: F64) -> float:
    """Return the mean of the values around the half that lies closest together: what is far from it does not matter."""
    ordered = np.sort(values)
    half = (ordered.size + 1) // 2
    lengths = ordered[half - 1 :] - ordered[: ordered.size - half + 1]
    start = int(np.argmin(lengths))
    centre = (ordered[start] + ordered[start + half - 1]) / 2
    # half of a normal distribution is 1.35 deviations long, so this keeps two of them either way
    return float(ordered[np.abs(ordered - centre) <= 1.5 * lengths[start]].mean())
