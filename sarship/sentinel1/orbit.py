"""The orbit in the Earth-fixed frame, and zero-Doppler times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Orbit"]

Floats = NDArray[np.float64]

DEGREE: Final = 7
"""Degree of the polynomial in time. On real products, with vectors 1 s or 10 s apart, 7 reproduces the slant range of
the product's tie points to 0.06 mm, 5 to 0.35 mm."""
MIN_VECTORS: Final = 4
OVERSHOOT_S: Final = 5.0
"""Extrapolation allowed beyond the state vectors: those of 2015 end with the image."""
N_NEWTON: Final = 12
TIME_TOLERANCE_S: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Orbit:
    """Position of the satellite as a polynomial in time, fitted to a product's state vectors.

    Only positions are fitted; velocity is the polynomial's derivative, so the two are consistent (in products of 2015
    the velocities given are 4 cm/s off the positions).
    """

    centre_s: float
    """Middle of the state vectors' times, seconds after the first line."""
    half_s: float
    """Half of their span, seconds."""
    coefficients: Floats
    """Coefficients of powers of (t - centre)/half, (n, 3), metres."""

    @classmethod
    def fit(cls, time_s: Floats, position_m: Floats) -> Orbit:
        """Fit a polynomial to state vectors by least squares.

        Parameters
        ----------
        time_s
            Seconds after the image's first line, (n,), ascending.
        position_m
            Earth-fixed positions, (n, 3).

        Raises
        ------
        ValueError
            If there are fewer than four vectors, or their times do not ascend.
        """
        if time_s.size < MIN_VECTORS or not np.all(np.diff(time_s) > 0):
            raise ValueError(f"an orbit needs {MIN_VECTORS} or more state vectors in time order, got times {time_s}")
        centre, half = (time_s[0] + time_s[-1]) / 2, (time_s[-1] - time_s[0]) / 2
        degree = min(DEGREE, max(MIN_VECTORS - 1, time_s.size // 2))
        powers = np.vander((time_s - centre) / half, degree + 1, increasing=True)
        coefficients = np.linalg.lstsq(powers, position_m, rcond=None)[0]
        return cls(float(centre), float(half), np.asarray(coefficients, np.float64))

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last time at which the orbit is valid, seconds after the first line."""
        reach = self.half_s + OVERSHOOT_S
        return self.centre_s - reach, self.centre_s + reach

    def derivative(self) -> Floats:
        """Return the coefficients of the velocity in the same variable, (n - 1, 3), metres per second."""
        order = np.arange(1, len(self.coefficients))[:, None]
        return np.asarray(self.coefficients[1:] * order / self.half_s)

    def state(self, time_s: Floats) -> tuple[Floats, Floats]:
        """Return Earth-fixed position in metres and velocity in metres per second, (3, n) each, at times (n,)."""
        u = (time_s - self.centre_s) / self.half_s
        return _horner(self.coefficients, u), _horner(self.derivative(), u)

    def zero_doppler(self, position: Floats) -> Floats:
        """Return the zero-Doppler time of Earth-fixed positions (3, n): velocity · (position - satellite) = 0.

        Newton's method on the range rate (Curlander & McDonough, Synthetic Aperture Radar, 1991, section 8.3).
        NaN where there is none within `span_s`.
        """
        velocity = self.derivative()
        order = np.arange(1, len(velocity))[:, None]
        acceleration = velocity[1:] * order / self.half_s
        first, last = self.span_s
        time = np.full(position.shape[1], self.centre_s)
        step = np.zeros_like(time)
        for _ in range(N_NEWTON):
            u = (time - self.centre_s) / self.half_s
            away = position - _horner(self.coefficients, u)
            v = _horner(velocity, u)
            rate = np.einsum("in,in->n", v, away)
            slope = np.einsum("in,in->n", _horner(acceleration, u), away) - np.einsum("in,in->n", v, v)
            moved = np.clip(time - rate / slope, first, last)
            step, time = moved - time, moved
            if not np.any(np.abs(step) > TIME_TOLERANCE_S):
                break
        inside = (time > first) & (time < last) & (np.abs(step) <= TIME_TOLERANCE_S)
        return np.where(inside, time, np.nan)


def _horner(coefficients: Floats, u: Floats) -> Floats:
    """Return a polynomial with coefficients (n, 3) at u (m,), as (3, m)."""
    value = np.repeat(coefficients[-1][:, None], u.size, axis=1)
    for coefficient in coefficients[-2::-1]:
        value *= u
        value += coefficient[:, None]
    return value
