"""Coregistration of a port's dates on land, quays and piers.

The range-Doppler geometry coregisters dates of one orbit to a fraction of a cell. The residual shift (a poor restituted
orbit, a clock) is measured by phase correlation [1]_ of each date with the mean of the others, refined to a twentieth
of a cell by a discrete Fourier transform around the peak [2]_.

References
----------
.. [1] C. D. Kuglin and D. C. Hines, "The phase correlation image alignment method", IEEE Conference on Cybernetics and
   Society, 1975.
.. [2] M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, "Efficient subpixel image registration algorithms", Optics
   Letters 33, 2008.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from threadpoolctl import threadpool_limits

from sarship.port.resample import interpolate_power

__all__ = ["Shifts", "correct_shift", "measure_shift", "measure_shifts"]

Floats = NDArray[np.float64]
Power = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

MIN_SHIFT: Final = 0.5
"""Minimum shift, in cells, that is corrected: to resample a date again costs more than a smaller one."""
MAX_SHIFT: Final = 12.0
"""Maximum shift that is searched, in cells."""
CLEAR_PEAK: Final = 7.0
"""Minimum height of a peak, in deviations of the correlation: of 10,000 independent places the highest lies at 4."""
FINEST: Final = 20
"""Steps a cell around the peak."""
HIGH_PASS: Final = 12.0
"""Scale of the high-pass filter, in cells: what is smoother is weather, or the slope of the coast."""
BAND: Final = 0.3
"""Maximum frequency, in cycles a cell: above there is only speckle."""
N_ROUNDS: Final = 2
"""Measurements of every date; the second is against the others after their first shifts."""
MIN_STEADY: Final = 400
"""Minimum number of cells of land and piers for a measurement."""


@dataclass(frozen=True, eq=False, slots=True)
class Shifts:
    """Shifts of some dates, in their order.

    Examples
    --------
    >>> shifts = Shifts(np.array([0.0, 2.0]), np.array([0.1, 0.0]), np.array([True, True]))
    >>> shifts.needs_correction.tolist()
    [False, True]
    """

    rows: Floats
    """Rows by which each date lies to the south of the others; NaN where it could not be measured."""
    columns: Floats
    """Columns by which each lies to the east; NaN where it could not be measured."""
    is_coregistered: NDArray[np.bool_]
    """True for a date that is coregistered with the others, or is once its shift is corrected."""

    @property
    def needs_correction(self) -> NDArray[np.bool_]:
        """True for a date whose shift is known and longer than half a cell."""
        return self.is_coregistered & (np.hypot(np.nan_to_num(self.rows), np.nan_to_num(self.columns)) > MIN_SHIFT)


def measure_shifts(power: Power, steady: NDArray[np.bool_]) -> Shifts:
    """Return the shift of each date against the mean of the others.

    Shifts are counted from their median over the dates, so that one shifted date, be it the first, does not move the
    others. A date whose correlation has no clear peak within 12 cells cannot be coregistered, unless that holds for
    most dates: then there is nothing to measure (no land, no pier, a single date), and all are taken as they are.

    Parameters
    ----------
    power
        Linear power of the dates of one relative orbit and polarisation, (time, y, x), NaN where nothing was imaged.
    steady
        True on land and piers, (y, x).

    Returns
    -------
    Shifts

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ground = rng.lognormal(0, 1, (64, 64))
    >>> dates = (ground * rng.gamma(4.4, 1 / 4.4, (5, 64, 64))).astype(np.float32)
    >>> dates[3] = np.roll(dates[3], 2, axis=0)
    >>> measure_shifts(dates, np.ones((64, 64), bool)).needs_correction.tolist()
    [False, False, False, True, False]
    """
    n_dates = power.shape[0]
    unknown = Shifts(np.full(n_dates, np.nan), np.full(n_dates, np.nan), np.ones(n_dates, np.bool_))
    if n_dates < 2 or steady.sum() < MIN_STEADY:
        return unknown
    ground = _Ground.of(steady)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:  # neither filters nor transforms hold Python's lock
        spectra = list(pool.map(ground.spectrum, power))
    found = np.zeros((n_dates, 2))
    for turn in range(N_ROUNDS):
        peaks = _peaks(spectra, found, ground.window.shape)
        clear = np.array([peak[2] for peak in peaks]) >= CLEAR_PEAK
        if 2 * clear.sum() < n_dates:
            return unknown
        found = np.where(clear[:, None], np.array([peak[:2] for peak in peaks]), 0.0)
        found[clear] -= np.median(found[clear], axis=0)
        if turn == 0:
            found *= 1 - 1 / n_dates  # against the others, without the date itself, it lies that much farther off
    rows, columns = np.where(clear, found.T, np.nan)
    return Shifts(rows, columns, clear)


def measure_shift(power: Power, level: Power, steady: NDArray[np.bool_]) -> tuple[float, float, bool]:
    """Return the rows and columns by which one date lies off a reference, and True if the correlation's peak is clear.

    With too few cells of land and piers, rows and columns are NaN and the date is taken as it is.

    Parameters
    ----------
    power, level
        Date and empty level, (y, x), NaN where nothing was imaged.
    steady
        True on land and piers, (y, x).
    """
    if steady.sum() < MIN_STEADY:
        return np.nan, np.nan, True
    ground = _Ground.of(steady)
    with ThreadPoolExecutor(2) as pool:
        own, others = pool.map(ground.spectrum, (power, level))
    with threadpool_limits(1, user_api="blas"):
        row, column, peak = _peak(own, others, ground.window.shape)
    return row, column, peak >= CLEAR_PEAK


def correct_shift(power: Power, shift: tuple[float, float]) -> Power:
    """Return a date, (…, y, x), resampled so that its shift in rows and columns is taken out."""
    if shift == (0.0, 0.0):
        return power
    n_y, n_x = power.shape[-2:]
    row, column = np.meshgrid(np.arange(n_y) + shift[0], np.arange(n_x) + shift[1], indexing="ij")
    images = power.reshape(-1, n_y, n_x)
    moved = [interpolate_power(image, row, column[None], np.empty(0)) for image in images]
    return np.stack(moved).reshape(power.shape)


def _around(found: NDArray[np.bool_]) -> slice:
    """Slice from the first to the last that is True, and the maximum shift around it."""
    places = np.flatnonzero(found)
    return slice(max(0, int(places[0]) - int(MAX_SHIFT)), int(places[-1]) + int(MAX_SHIFT) + 1)


class _Ground(NamedTuple):
    """Land and piers, which dates are coregistered on."""

    near: tuple[slice, ...]
    """Part of the grid around them."""
    window: Power
    """Window, soft at its edges, that shows only those."""
    mass: Power
    """The same, as smooth as what the high-pass filter takes out."""

    @classmethod
    def of(cls, steady: NDArray[np.bool_]) -> _Ground:
        near = tuple(_around(np.asarray(steady.any(axis=axis))) for axis in (1, 0))
        window = ndimage.gaussian_filter(steady[near].astype(np.float32), 2.0)
        return cls(near, window, ndimage.gaussian_filter(window, HIGH_PASS))

    def spectrum(self, power: Power) -> Spectrum:
        """Spectrum of a date's high-passed ln power on them, up to `BAND` across; cells without data are 0."""
        power = power[self.near]
        seen = np.isfinite(power) & (power > 0)
        level = np.log(np.where(seen, power, 1)).astype(np.float32)
        weight = self.window * seen
        mass = self.mass if seen.all() else ndimage.gaussian_filter(weight, HIGH_PASS)
        smooth = ndimage.gaussian_filter(level * weight, HIGH_PASS) / np.maximum(mass, 1e-3)
        shape = [fft.next_fast_len(n, real=True) for n in power.shape]
        _, across = _frequencies(power.shape)
        whole = fft.rfft2((level - smooth) * weight, shape)
        return np.array(whole[:, : across.size], np.complex64)  # a copy, so that the rest is freed


def _frequencies(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Frequencies in cycles a cell: down, a column of all, and across, a row of those in the band."""
    n_y, n_x = (fft.next_fast_len(n, real=True) for n in shape)
    down, across = np.fft.fftfreq(n_y), np.fft.rfftfreq(n_x)
    return np.asarray(down[:, None], np.float64), np.asarray(across[None, across < BAND], np.float64)


def _ramp(shift: Floats, shape: tuple[int, ...]) -> tuple[Spectrum, Spectrum]:
    """Phase ramps of a spectrum whose image is moved by rows and columns."""
    down, across = (np.exp(-2j * np.pi * cycles * by) for cycles, by in zip(_frequencies(shape), shift, strict=True))
    return np.asarray(down, np.complex64), np.asarray(across, np.complex64)


def _moved(spectrum: Spectrum, ramp: tuple[Spectrum, Spectrum]) -> Spectrum:
    return np.asarray(spectrum * ramp[0] * ramp[1], np.complex64)


def _peaks(spectra: Sequence[Spectrum], found: Floats, shape: tuple[int, ...]) -> list[tuple[float, float, float]]:
    """Peaks of each date against the others, of which each is moved back by its shift as far as that was found."""
    ramps = [_ramp(-shift, shape) for shift in found]
    total = np.zeros_like(spectra[0])
    for spectrum, ramp in zip(spectra, ramps, strict=True):
        total += _moved(spectrum, ramp)
    # moved once more rather than held: sixty dates of a port are a hundred megabytes of spectra. On several threads
    # BLAS waits for itself, as the products are small.
    with threadpool_limits(1, user_api="blas"):
        return [_peak(own, total - _moved(own, ramp), shape) for own, ramp in zip(spectra, ramps, strict=True)]


def _peak(own: Spectrum, others: Spectrum, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Rows and columns by which a date lies off the others, and the height of the peak in deviations.

    Of the correlation only the lags near zero are computed; its deviation is that of its spectrum (Parseval's theorem).
    """
    down, across = _frequencies(shape)
    cross = own * others.conj()
    # whitened by the others alone: they are many, so their spectrum has little speckle
    cross *= (down**2 + across**2 < BAND**2) / np.maximum(np.abs(others), np.float32(1e-6))
    double = np.where(across == 0, 1, 2).astype(np.float32)  # the other half of the spectrum mirrors this one
    squares = float((double * (cross.real**2 + cross.imag**2)).sum(dtype=np.float64))
    deviation = math.sqrt(max(squares - abs(cross[0, 0]) ** 2, 0.0))
    cross *= double
    lags = np.arange(-MAX_SHIFT, MAX_SHIFT + 1)
    near = _at_lags(cross, shape, lags, lags)
    at = np.unravel_index(int(near.argmax()), near.shape)
    fine = np.arange(-FINEST, FINEST + 1) / FINEST
    detail = _at_lags(cross, shape, lags[at[0]] + fine, lags[at[1]] + fine)
    best = np.unravel_index(int(detail.argmax()), detail.shape)
    clear = near[at] / max(deviation, 1e-12)
    return float(lags[at[0]] + fine[best[0]]), float(lags[at[1]] + fine[best[1]]), float(clear)


def _at_lags(cross: Spectrum, shape: tuple[int, ...], rows: Floats, columns: Floats) -> Power:
    """Correlation, times the number of cells, at lags down and across."""
    down, across = _frequencies(shape)
    left = np.exp(2j * np.pi * rows[:, None] * down[:, 0]).astype(np.complex64)
    right = np.exp(2j * np.pi * across[0][:, None] * columns).astype(np.complex64)
    return np.asarray((left @ cross @ right).real, np.float32)
