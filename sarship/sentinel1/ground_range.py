"""Slant-range polynomials: pixel of a ground-range image to slant range, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["GroundRange"]

Floats = NDArray[np.float64]

N_NODES: Final = 256
N_NEWTON: Final = 6
PIXEL_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class GroundRange:
    """Slant range of each pixel, by polynomials that change with the line.

    A product lists polynomials of ground range (`grsrCoefficients`) with their times. The processor resampled each line
    with the one **nearest in time**, and so does this: it reproduces the slant range of every tie point to 1e-9 m; to
    interpolate between two would be wrong by up to 1.6 pixels. Beyond the image a polynomial continues as its tangent,
    so that slant range is invertible everywhere.
    """

    lines: Floats
    """Line, not rounded, of each polynomial's time, (n,), ascending."""
    origins_m: Floats
    """Ground range at the origin of each polynomial, metres, (n,)."""
    coefficients: Floats
    """Coefficients of slant range in metres by powers of ground range in metres, (n, degree + 1)."""
    spacing_m: float
    """Ground range between pixels, metres."""
    n_pixels: int
    """Pixels of the image."""

    def __post_init__(self) -> None:
        if self.lines.size == 0 or not np.all(np.diff(self.lines) > 0):
            raise ValueError(f"ground-range polynomials need times that ascend, got lines {self.lines}")
        if not np.all(np.diff(self._slants, axis=1) > 0):
            raise ValueError("slant range does not grow from pixel to pixel in the ground-range polynomials")

    def slant_m(self, line: Floats, pixel: Floats) -> Floats:
        """Return the slant range in metres of pixels; both (n,)."""
        which = self._nearest(line)
        inside, beyond = self._within(pixel)
        value, slope = self._evaluate(which, inside)
        return np.asarray(np.where(np.isfinite(line), value + slope * beyond, np.nan))

    def pixel(self, line: Floats, slant_m: Floats) -> Floats:
        """Return the pixel, not rounded, at slant ranges in metres; both (n,). Newton's method on `slant_m`."""
        which = self._nearest(line)
        nodes, first, step = self._nodes
        place = np.clip((slant_m - first[which]) / step[which], 0, N_NODES - 1.001)
        left = np.where(np.isfinite(place), place, 0).astype(np.intp)
        low = nodes[which, left]
        pixel = low + (nodes[which, left + 1] - low) * (place - left)
        for _ in range(N_NEWTON):
            inside, beyond = self._within(pixel)
            value, slope = self._evaluate(which, inside)
            change = (slant_m - value) / slope - beyond
            pixel = pixel + change
            if not np.any(np.abs(change) > PIXEL_TOLERANCE):
                break
        return np.asarray(np.where(np.isfinite(line), pixel, np.nan))

    def polynomials(self, first: float, last: float) -> tuple[Floats, Floats]:
        """Return a line of each polynomial used between two lines, and the line at which each but the first begins."""
        start, stop = np.searchsorted(self._borders, (first, last))
        return self.lines[start : stop + 1], self._borders[start:stop]

    def _nearest(self, line: Floats) -> NDArray[np.intp]:
        """Return the index of the polynomial of each line."""
        return np.searchsorted(self._borders, line)

    @cached_property
    def _borders(self) -> Floats:
        """Lines at which the next polynomial begins.

        Each is the middle of two times, moved by less than a line to where no caller's round number can lie, so that a
        rounding error in the last bit never puts a point on the other side on the way back.
        """
        return np.asarray(np.ceil((self.lines[1:] + self.lines[:-1]) / 2) - np.sqrt(0.1))

    @cached_property
    def _slants(self) -> Floats:
        """Slant range by each polynomial at `N_NODES` even pixels, (n, N_NODES)."""
        pixels = np.linspace(0, self.n_pixels - 1, N_NODES)
        return np.stack([self._evaluate(np.full(N_NODES, k), pixels)[0] for k in range(self.lines.size)])

    @cached_property
    def _nodes(self) -> tuple[Floats, Floats, Floats]:
        """Pixels at even slant ranges (n, N_NODES), where Newton's method starts; first slant range and step, (n,)."""
        pixels = np.linspace(0, self.n_pixels - 1, N_NODES)
        first, step = self._slants[:, 0], (self._slants[:, -1] - self._slants[:, 0]) / (N_NODES - 1)
        even = first[:, None] + step[:, None] * np.arange(N_NODES)
        rows = zip(even, self._slants, strict=True)
        return np.stack([np.interp(each, slants, pixels) for each, slants in rows]), first, step

    def _within(self, pixel: Floats) -> tuple[Floats, Floats]:
        """Return the pixel clipped to the image, and the rest beyond it."""
        inside = np.clip(pixel, 0, self.n_pixels - 1)
        return inside, pixel - inside

    def _evaluate(self, which: NDArray[np.intp], pixel: Floats) -> tuple[Floats, Floats]:
        """Return slant range in metres and its slope in metres per pixel, both by Horner's rule."""
        ground = pixel * self.spacing_m - self.origins_m[which]
        table = np.ascontiguousarray(self.coefficients.T)
        value, slope = table[-1][which], np.zeros_like(ground)
        for row in table[-2::-1]:
            slope = slope * ground + value
            value = value * ground + row[which]
        return value, slope * self.spacing_m
