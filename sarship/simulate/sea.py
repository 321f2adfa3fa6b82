"""Speckle, texture and levels of sea and land.

Fields are made by filtering noise in the frequency domain, so they are periodic: a large image is tiled from one block
with random offsets.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage, special

from sarship.model import Polarization
from sarship.simulate.params import Mode

__all__ = [
    "band",
    "flicker",
    "land_block",
    "look_weights",
    "passband",
    "response",
    "sea_level",
    "shifted",
    "speckle",
    "texture",
]

Field = NDArray[np.float32]

_TAPER: Final = 0.75
"""Hamming coefficient of the processor's window, as annotated."""
_WIDTH: Final = 1.0005
"""Half-power width of that window's impulse response times its bandwidth."""


def band(mode: Mode) -> tuple[float, float]:
    """Bandwidth along azimuth and range, cycles a pixel, that gives the mode's resolution."""
    azimuth, across = mode.resolution_m
    return min(1.0, _WIDTH * mode.spacing_m / azimuth), min(1.0, _WIDTH * mode.spacing_m / across)


def passband(frequency: ArrayLike, width: float) -> NDArray[np.float64]:
    """Hamming window over a band, zero outside; frequencies in cycles a pixel."""
    f = np.asarray(frequency, np.float64)
    taper = _TAPER + (1 - _TAPER) * np.cos(2 * np.pi * f / width)
    return np.where(np.abs(f) < width / 2, taper, 0.0)


def response(distance: ArrayLike, width: float) -> NDArray[np.float64]:
    """Amplitude of the impulse response at a distance in pixels: the transform of `passband`, a weighted sinc.

    Its energy summed over a line of pixels is one.
    """
    x = np.asarray(distance, np.float64) * width
    side = (1 - _TAPER) / 2 * (np.sinc(x - 1) + np.sinc(x + 1))
    energy = (_TAPER**2 + (1 - _TAPER) ** 2 / 2) / width
    return np.asarray((_TAPER * np.sinc(x) + side) / np.sqrt(energy))


def look_weights(enl: float) -> NDArray[np.float64]:
    """Weights, adding to one, of independent looks that come to an equivalent number of looks.

    >>> w = look_weights(4.4)
    >>> w.size, round(1 / float((w**2).sum()), 6)
    (5, 4.4)
    """
    n = int(np.ceil(enl))
    # all but the last weigh 1: (n - 1 + a)² = looks (n - 1 + a²), solved for the smaller root a
    m, half = n - 1, enl - 1
    last = 1.0 if half == 0 else (m - np.sqrt(max(0.0, m * m - half * m * (enl - m)))) / half
    weights = np.append(np.ones(m), last)
    return np.asarray(weights / weights.sum())


def speckle(shape: tuple[int, int], mode: Mode, rng: np.random.Generator) -> Field:
    """Multi-look speckle of mean one, correlated like a detected product of that mode; periodic."""
    axes = []
    for size, width in zip(shape, band(mode), strict=True):
        gain = passband(fft.fftfreq(size), width)
        axes.append((np.flatnonzero(gain), gain[gain > 0]))
    inside = np.ix_(axes[0][0], axes[1][0])
    gain = np.outer(axes[0][1], axes[1][1]).astype(np.float32)
    scale = shape[0] * shape[1] / np.sqrt(2 * np.sum(gain.astype(np.float64) ** 2))
    gain *= np.float32(scale)
    total = np.zeros(shape, np.float32)
    for weight in look_weights(mode.enl):
        spectrum = np.zeros(shape, np.complex64)
        noise = rng.standard_normal((*gain.shape, 2), np.float32)
        spectrum[inside] = noise.view(np.complex64)[..., 0] * gain
        look = fft.ifft2(spectrum, overwrite_x=True)
        total += np.float32(weight) * (look.real**2 + look.imag**2)
    return total


def texture(shape: tuple[int, int], order: float, length_px: float, rng: np.random.Generator) -> Field:
    """Gamma texture of mean one and order ν, with a Gaussian correlation of that length (to 1/e); periodic.

    Speckle times this is K-distributed. An infinite order gives ones.
    """
    if np.isinf(order):
        return np.ones(shape, np.float32)
    field = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), length_px / 2, mode="wrap")
    field /= field.std()
    nodes, values = _gamma_table(order)
    return np.interp(field.ravel(), nodes, values).astype(np.float32).reshape(shape)


@lru_cache(maxsize=8)
def _gamma_table(order: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal deviates and the gamma deviates of the same probability."""
    nodes = np.linspace(-5.5, 5.5, 2201)
    return nodes, np.asarray(special.gammaincinv(order, special.ndtr(nodes)) / order, np.float64)


def sea_level(polarization: Polarization, incidence_deg: ArrayLike, wind_m_s: float) -> NDArray[np.float64]:
    """Mean sigma0 (linear) of open sea.

    VV falls from −12 dB at 30° to −20 dB at 45° for 8 m/s; HH is weaker with incidence; cross-polarisation is near
    −27 dB. All rise with wind.
    """
    angle = np.asarray(incidence_deg, np.float64)
    gust = np.log10(max(wind_m_s, 0.5) / 8.0)
    if polarization in {"VV", "HH"}:
        decibel = -12 - 8 / 15 * (angle - 30) + 12 * gust
        if polarization == "HH":
            decibel -= 1.5 + 0.15 * np.maximum(angle - 30, -10)
    else:
        decibel = -27 - 0.1 * (angle - 37) + 15 * gust
    return np.asarray(10 ** (decibel / 10))


def land_block(size: int, mode: Mode, rng: np.random.Generator) -> tuple[Field, Field]:
    """Periodic sigma0 of land: −8 ± 3 dB to be speckled, and buildings of +10 dB and more that do not speckle."""
    rough = ndimage.gaussian_filter(rng.standard_normal((size, size), np.float32), 60 / mode.spacing_m, mode="wrap")
    plain = 10 ** ((-8 + 3 * rough / rough.std()) / 10)
    at = rng.random((size, size), np.float32) < (mode.spacing_m / 120) ** 2
    points = np.zeros((size, size), np.complex64)
    power = 10 ** (rng.normal(10, 4, at.sum()) / 10) * 4.0
    points[at] = np.sqrt(power) * np.exp(2j * np.pi * rng.random(at.sum()))
    gains = []
    for width in band(mode):
        gain = passband(fft.fftfreq(size), width)
        gains.append(gain / np.sqrt(np.mean(gain**2)))
    seen = fft.ifft2(fft.fft2(points) * np.outer(*gains).astype(np.float32))
    return plain.astype(np.float32), (seen.real**2 + seen.imag**2).astype(np.float32)


def shifted(field: Field, lines: float, pixels: float) -> Field:
    """Return a periodic, band-limited power sampled later by parts of a line and pixel."""
    if lines == pixels == 0:
        return field
    down, over = (f(n) for f, n in zip((fft.fftfreq, fft.rfftfreq), field.shape, strict=True))
    turn = np.exp(2j * np.pi * lines * down)[:, None] * np.exp(2j * np.pi * pixels * over)
    moved = fft.irfft2(fft.rfft2(field) * turn.astype(np.complex64), field.shape)
    return np.asarray(np.maximum(moved, 0), np.float32)


def flicker(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """What a pixel of built land is brighter than usual on a date: lognormal, 1.5 dB, alike over a resolution cell."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), 1.0, mode="wrap")
    return np.asarray(10 ** (1.5 * field / field.std() / 10), np.float32)
