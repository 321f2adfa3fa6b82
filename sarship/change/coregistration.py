"""How far each date of a port lies off the others, measured on what stands still: land, quays and piers.

Through the range-Doppler geometry dates of one orbit lie on each other to a fraction of a cell. What is left (an orbit
that was restituted badly, a clock) is measured here by correlating the phases of the spectra of each date and of the
mean of the others (Kuglin & Hines 1975), refined to a twentieth of a cell by a discrete Fourier transform around the
peak (Guizar-Sicairos et al., Optics Letters 33, 2008).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from sarship.port.resample import interpolate_power

__all__ = ["Shifts", "correct_shift", "measure_shift", "measure_shifts"]

Floats = NDArray[np.float64]
Power = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

MIN_SHIFT: Final = 0.5
"""Cells: a date that lies less off is left as it is, since resampling it again would cost more than it gains."""
MAX_SHIFT: Final = 12.0
"""Cells: farther off is no residual shift but another place."""
CLEAR_PEAK: Final = 7.0
"""A peak this many deviations above the rest of the correlation is no accident; of 10,000 independent places the
highest lies 4 deviations up."""
FINEST: Final = 20
"""Steps a cell in the search around the peak."""
HIGH_PASS: Final = 12.0
"""Cells: what is smoother than this is weather, or the coast's own ramp."""
BAND: Final = 0.3
"""Cycles a cell: above this there is only speckle."""
N_ROUNDS: Final = 2
MIN_STEADY: Final = 400
"""Cells of land and piers that are needed to measure a shift on."""


@dataclass(frozen=True, eq=False, slots=True)
class Shifts:
    """What was measured of some dates, in their order."""

    rows: Floats
    """Rows by which each date lies to the south of the others; NaN where it could not be measured."""
    columns: Floats
    """Columns by which each lies to the east; NaN where it could not be measured."""
    is_coregistered: NDArray[np.bool_]
    """Whether a date lies on the others, or does once its shift is taken out."""

    @property
    def needs_correction(self) -> NDArray[np.bool_]:
        """Whether a date is to be moved: it lies more than half a cell off, and one knows how far."""
        return self.is_coregistered & (np.hypot(np.nan_to_num(self.rows), np.nan_to_num(self.columns)) > MIN_SHIFT)


def measure_shifts(power: Power, steady: NDArray[np.bool_]) -> Shifts:
    """Shift of each date against the mean of the others.

    Shifts are counted from their median over the dates, so that a single date that lies off, be it the first, does not
    move the others. A date whose correlation has no clear peak within 12 cells cannot be aligned, unless that holds
    for most dates: then there is nothing to see (no land, no pier, a single date), and all are taken as they lie.

    Parameters
    ----------
    power
        Dates of one relative orbit and polarisation, (time, y, x), NaN where nothing was imaged.
    steady
        Where something stands still, (y, x).
    """
    n_dates = power.shape[0]
    unknown = Shifts(np.full(n_dates, np.nan), np.full(n_dates, np.nan), np.ones(n_dates, np.bool_))
    if n_dates < 2 or steady.sum() < MIN_STEADY:
        return unknown
    near, window = _near(steady)
    spectra = [_spectrum(date[near], window) for date in power]
    shape = window.shape
    found = np.zeros((n_dates, 2))
    for turn in range(N_ROUNDS):
        ramps = [_ramp(-shift, shape) for shift in found]
        total = np.zeros_like(spectra[0])
        for spectrum, ramp in zip(spectra, ramps, strict=True):
            total += _moved(spectrum, ramp)
        # moved once more rather than kept: sixty dates of a port are a hundred megabytes of spectra
        peaks = [_peak(own, total - _moved(own, ramp), shape) for own, ramp in zip(spectra, ramps, strict=True)]
        clear = np.array([peak[2] for peak in peaks]) >= CLEAR_PEAK
        if 2 * clear.sum() < n_dates:
            return unknown
        found = np.where(clear[:, None], np.array([peak[:2] for peak in peaks]), 0.0)
        found[clear] -= np.median(found[clear], axis=0)
        if turn == 0:
            found *= (
                1 - 1 / n_dates
            )  # the others do not hold the date itself, so against them it lies that much farther off
    rows, columns = np.where(clear, found.T, np.nan)
    return Shifts(rows, columns, clear)


def measure_shift(power: Power, level: Power, steady: NDArray[np.bool_]) -> tuple[float, float, bool]:
    """Rows and columns by which one date lies off what is known of the others, and whether that is clear.

    Where too little stands still to tell, rows and columns are NaN and the date is taken as it lies.

    Parameters
    ----------
    power, level
        The date and what the port shows without anybody, (y, x), NaN where nothing was imaged.
    steady
        Where something stands still, (y, x).
    """
    if steady.sum() < MIN_STEADY:
        return np.nan, np.nan, True
    near, window = _near(steady)
    with ThreadPoolExecutor(2) as pool:  # neither the filters nor the transform hold the interpreter's lock
        own, others = pool.map(lambda image: _spectrum(image[near], window), (power, level))
    row, column, peak = _peak(own, others, window.shape)
    return row, column, peak >= CLEAR_PEAK


def correct_shift(power: Power, shift: tuple[float, float]) -> Power:
    """A date, (…, y, x), moved back by the rows and columns that it lies off."""
    n_y, n_x = power.shape[-2:]
    row, column = np.meshgrid(np.arange(n_y) + shift[0], np.arange(n_x) + shift[1], indexing="ij")
    images = power.reshape(-1, n_y, n_x)
    moved = [interpolate_power(image, row, column[None], np.empty(0)) for image in images]
    return np.stack(moved).reshape(power.shape)


def _near(steady: NDArray[np.bool_]) -> tuple[tuple[slice, ...], Power]:
    """Where something stands still, and the window, soft at its edges, that shows only that."""
    near = tuple(_around(np.asarray(steady.any(axis=axis))) for axis in (1, 0))
    return near, ndimage.gaussian_filter(steady[near].astype(np.float32), 2.0)


def _around(found: NDArray[np.bool_]) -> slice:
    """From the first to the last that is there, and the reach of a shift around it."""
    places = np.flatnonzero(found)
    return slice(max(0, int(places[0]) - int(MAX_SHIFT)), int(places[-1]) + int(MAX_SHIFT) + 1)


def _spectrum(power: Power, window: Power) -> Spectrum:
    """Spectrum of ln power less what is smooth, within a window, as far across as `BAND`; what has no data is level."""
    seen = np.isfinite(power) & (power > 0)
    level = np.log(np.where(seen, power, 1)).astype(np.float32)
    weight = window * seen
    mass = ndimage.gaussian_filter(weight, HIGH_PASS)
    smooth = ndimage.gaussian_filter(level * weight, HIGH_PASS) / np.maximum(mass, 1e-3)
    shape = [fft.next_fast_len(n, real=True) for n in power.shape]
    _, across = _frequencies(power.shape)
    whole = fft.rfft2((level - smooth) * weight, shape)
    return np.array(whole[:, : across.size], np.complex64)  # a copy, so that the rest is let go


def _frequencies(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Cycles a cell down, a column of all, and across, a row of those in the band."""
    n_y, n_x = (fft.next_fast_len(n, real=True) for n in shape)
    down, across = np.fft.fftfreq(n_y), np.fft.rfftfreq(n_x)
    return np.asarray(down[:, None], np.float64), np.asarray(across[None, across < BAND], np.float64)


def _ramp(shift: Floats, shape: tuple[int, ...]) -> tuple[Spectrum, Spectrum]:
    """What the rows and columns of a spectrum are multiplied with to move its image by rows and columns."""
    down, across = (np.exp(-2j * np.pi * cycles * by) for cycles, by in zip(_frequencies(shape), shift, strict=True))
    return np.asarray(down, np.complex64), np.asarray(across, np.complex64)


def _moved(spectrum: Spectrum, ramp: tuple[Spectrum, Spectrum]) -> Spectrum:
    return np.asarray(spectrum * ramp[0] * ramp[1], np.complex64)


def _peak(own: Spectrum, others: Spectrum, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Rows and columns that a date lies off the others, and how many deviations its peak stands out."""
    down, across = _frequencies(shape)
    cross = own * others.conj()
    # whitened by the others alone: they are many, so theirs is the spectrum of what stands still, with little speckle
    cross *= (down**2 + across**2 < BAND**2) / np.maximum(np.abs(others), np.float32(1e-6))
    size = [fft.next_fast_len(n, real=True) for n in shape]
    surface = fft.irfft2(cross, size)
    reach = int(MAX_SHIFT)
    lags = np.arange(-reach, reach + 1)
    near = surface[np.ix_(lags, lags)]
    at = np.unravel_index(int(near.argmax()), near.shape)
    top = np.array([lags[at[0]], lags[at[1]]], np.float64)
    clear = near[tuple(at)] / max(float(surface.std()), 1e-12)
    fine = np.arange(-FINEST, FINEST + 1) / FINEST
    double = np.where(across == 0, 1, 2).astype(np.float32)  # the half of the spectrum that is not kept mirrors this
    rows = np.exp(2j * np.pi * (top[0] + fine)[:, None] * down[:, 0]).astype(np.complex64)
    columns = np.exp(2j * np.pi * across[0][:, None] * (top[1] + fine)).astype(np.complex64)
    detail = (rows @ (cross * double) @ columns).real
    best = np.unravel_index(int(detail.argmax()), detail.shape)
    return float(top[0] + fine[best[0]]), float(top[1] + fine[best[1]]), float(clear)
