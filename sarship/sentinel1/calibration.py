"""Radiometric calibration and thermal noise of a product.

`sigma0 = max(DN² - noise, 0) / A²`, with the gain A from the calibration vectors, bilinear in line and pixel, and the
noise from the noise vectors (Sentinel-1 Product Specification, S1-RS-MDA-52-7441; thermal denoising as in MPC-0392).
Both are held as the vectors that the product lists, and evaluated for a window or for scattered points.

Noise comes in two formats. Before IPF 2.9 one list of range vectors holds for the whole image. Later, range vectors
are multiplied by azimuth vectors, each of which holds in one block of one swath. A range vector runs across all swaths:
it steps where one swath gives way to the next, holds zeros where a swath is not imaged yet, and both move along track.
So a swath is interpolated only between the vectors of lines on which it is imaged, from their samples inside it; a
plain interpolation would ramp the noise up from zero over the first hundreds of lines of a swath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarship.model import Window
from sarship.sentinel1.xml import Node, read_xml

__all__ = ["Calibration", "Noise", "Quantity", "border_power_at", "read_calibration", "read_noise"]

Quantity = Literal["sigma0", "beta0", "gamma0"]
Floats = NDArray[np.float64]

_BELOW_NOISE: Final = 0.25
"""Fraction of the thermal noise that hardly any imaged cell stays under. Of VH at the NESZ a level of a half takes
6 pixels in a thousand for border, a quarter 7 in a hundred thousand; both clear the border itself."""
_DARKEST_SIGMA0: Final = 10 ** (-35 / 10)
"""Level where a product carries no noise: the quietest swath measured (EW, HV) has its NESZ at -34 dB."""
_LUTS: Final[Mapping[Quantity, str]] = {"sigma0": "sigmaNought", "beta0": "betaNought", "gamma0": "gamma"}


@dataclass(frozen=True, slots=True)
class _Vectors:
    """Vectors across the image: linear along each, linear between their lines, constant beyond their ends."""

    lines: Floats
    """Lines of the vectors, increasing."""
    pixels: tuple[Floats, ...]
    """Sample positions of each vector, increasing."""
    values: tuple[Floats, ...]
    """Samples of each vector."""

    def grid(self, lines: Floats, pixels: Floats) -> Floats:
        """Return values on the grid of some lines (increasing) and some pixels, (lines, pixels)."""
        index, weight = self._between(lines)
        out = np.empty((lines.size, pixels.size))
        for k in np.unique(index):
            rows = slice(*np.searchsorted(index, (k, k + 1)))
            before, after = self._along(k, pixels), self._along(k + 1, pixels)
            np.multiply(weight[rows, None], after - before, out=out[rows])
            out[rows] += before
        return out

    def at(self, line: Floats, pixel: Floats) -> Floats:
        """Return values at scattered points, (n,)."""
        index, weight = self._between(line)
        out = np.empty(line.size)
        for k in np.unique(index):
            here = index == k
            before, after = self._along(k, pixel[here]), self._along(k + 1, pixel[here])
            out[here] = before + weight[here] * (after - before)
        return out

    def _between(self, line: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Return the vector before each line, and the fraction of the way to the next, 0 … 1."""
        if self.lines.size == 1:
            return np.zeros(line.size, np.intp), np.zeros(line.size)
        index = np.clip(np.searchsorted(self.lines, line, side="right") - 1, 0, self.lines.size - 2)
        weight = (line - self.lines[index]) / (self.lines[index + 1] - self.lines[index])
        return index, np.clip(weight, 0.0, 1.0)

    def _along(self, k: int, pixel: Floats) -> Floats:
        k = min(k, self.lines.size - 1)
        return np.interp(pixel, self.pixels[k], self.values[k])


@dataclass(frozen=True, slots=True)
class _Block:
    """One azimuth noise vector, and the rectangle of one swath where it holds."""

    swath: str
    lines: tuple[int, int]
    """First and one past the last."""
    pixels: tuple[int, int]
    """First and one past the last."""
    position: Floats
    """Lines of the samples, increasing."""
    factor: Floats
    """Samples."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Gains A of one polarisation: digital number over the square root of the calibrated power."""

    _tables: Mapping[Quantity, _Vectors]

    @classmethod
    def flat(cls, *, sigma0: float, beta0: float, gamma0: float) -> Calibration:
        """Return gains that are the same in the whole image."""
        gains: dict[Quantity, float] = {"sigma0": sigma0, "beta0": beta0, "gamma0": gamma0}
        place = np.zeros(1)
        return cls({name: _Vectors(place, (place,), (np.array([gain]),)) for name, gain in gains.items()})

    def gain(self, quantity: Quantity, window: Window) -> Floats:
        """Return the gain A of every pixel of a window, float64 (lines, pixels): the calibrated power is `DN² / A²`."""
        return self._tables[quantity].grid(*_axes(window))

    def gain_at(self, quantity: Quantity, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the gain A at points, float64, in the shape of `line` and `pixel` together."""
        table = self._tables[quantity]
        return _at_points(table.at, table.grid, line, pixel)


@dataclass(frozen=True, slots=True)
class Noise:
    """Thermal noise of one polarisation, in squared digital numbers."""

    _range: _Vectors
    _blocks: tuple[_Block, ...]
    _swaths: Mapping[str, _Vectors]

    @property
    def is_zero(self) -> bool:
        """True if every sample is zero, as in some products of 2014 and 2015: then nothing can be subtracted."""
        return not any(values.any() for values in self._range.values)

    def power(self, window: Window) -> Floats:
        """Return the noise power of every pixel of a window, float64 (lines, pixels), DN²."""
        return self._grid(*_axes(window))

    def _grid(self, lines: Floats, pixels: Floats) -> Floats:
        line, pixel = np.rint(lines), np.rint(pixels)
        parts = [(b, _span(line, b.lines), _span(pixel, b.pixels)) for b in self._blocks]
        inside = sum(lines[rows].size * pixels[columns].size for _, rows, columns in parts)
        covered = inside == lines.size * pixels.size
        out = np.empty((lines.size, pixels.size)) if covered else self._range.grid(lines, pixels)
        for block, rows, columns in parts:
            if lines[rows].size and pixels[columns].size:
                factor = np.interp(lines[rows], block.position, block.factor)
                out[rows, columns] = self._swaths[block.swath].grid(lines[rows], pixels[columns]) * factor[:, None]
        return out

    def power_at(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the noise power at points, float64, DN², in the shape of `line` and `pixel` together."""
        return _at_points(self._at, self._grid, line, pixel)

    def _at(self, line: Floats, pixel: Floats) -> Floats:
        out = self._range.at(line, pixel)
        row, column = np.rint(line), np.rint(pixel)
        for block in self._blocks:
            here = (block.lines[0] <= row) & (row < block.lines[1])
            here &= (block.pixels[0] <= column) & (column < block.pixels[1])
            factor = np.interp(line[here], block.position, block.factor)
            out[here] = self._swaths[block.swath].at(line[here], pixel[here]) * factor
        return out


def read_calibration(data: bytes, source: str) -> Calibration:
    """Read a calibration annotation.

    Parameters
    ----------
    data
        The XML document.
    source
        Name of the file, for messages.

    Raises
    ------
    ProductError
        If the document is damaged, has no vectors, or holds a gain that is not above zero.
    """
    root = read_xml(data, source)
    tables = {quantity: _vectors(root, "calibrationVector", lut) for quantity, lut in _LUTS.items()}
    for quantity, table in tables.items():
        if not all((values > 0).all() for values in table.values):
            raise root.error(f"holds a {_LUTS[quantity]} that is not above zero; fetch the product again")
    return Calibration(tables)


def read_noise(data: bytes, source: str) -> Noise:
    """Read a noise annotation, in the format before or since IPF 2.9.

    Parameters
    ----------
    data
        The XML document.
    source
        Name of the file, for messages.

    Raises
    ------
    ProductError
        If the document is damaged or has no vectors.
    """
    root = read_xml(data, source)
    if root.find(".//noiseVector"):
        return Noise(_vectors(root, "noiseVector", "noiseLut"), (), {})
    vectors = _vectors(root, "noiseRangeVector", "noiseRangeLut")
    blocks = tuple(map(_block, root.find(".//noiseAzimuthVector")))
    return Noise(vectors, blocks, {block.swath: _of_swath(vectors, blocks, block.swath) for block in blocks})


def border_power_at(calibration: Calibration, noise: Noise | None, line: ArrayLike, pixel: ArrayLike) -> Floats:
    """Return the power that everything imaged exceeds, float64, DN²: a quarter of the noise, -35 dB at least."""
    darkest = _DARKEST_SIGMA0 * calibration.gain_at("sigma0", line, pixel) ** 2
    return darkest if noise is None else np.maximum(darkest, _BELOW_NOISE * noise.power_at(line, pixel))


def _of_swath(vectors: _Vectors, blocks: tuple[_Block, ...], swath: str) -> _Vectors:
    """Return the vectors of lines on which a swath is imaged, each cut to the pixels that the swath has on that line.

    Vectors may lie past the image; those speak for its first or last line. A swath that no vector meets takes them all.
    """
    first, last = min(b.lines[0] for b in blocks), max(b.lines[1] for b in blocks) - 1
    lines, pixels, values = [], [], []
    for line, pixel, value in zip(vectors.lines, vectors.pixels, vectors.values, strict=True):
        at = np.clip(line, first, last)
        block = next((b for b in blocks if b.swath == swath and b.lines[0] <= at < b.lines[1]), None)
        if block is not None:
            own = (block.pixels[0] <= pixel) & (pixel < block.pixels[1])
            if own.any():
                lines.append(line)
                pixels.append(pixel[own])
                values.append(value[own])
    return _Vectors(np.array(lines), tuple(pixels), tuple(values)) if lines else vectors


def _vectors(root: Node, tag: str, lut: str) -> _Vectors:
    """Return the vectors of a list, sorted by line; of several for one line, the first."""
    found: dict[float, tuple[Floats, Floats]] = {}
    for item in root.find(f".//{tag}"):
        found.setdefault(item.number("line"), _samples(item, "pixel", lut))
    if not found:
        raise root.error(f"has no vector with a {lut}; fetch the product again")
    lines = sorted(found)
    return _Vectors(np.array(lines), tuple(found[k][0] for k in lines), tuple(found[k][1] for k in lines))


def _block(item: Node) -> _Block:
    position, factor = _samples(item, "line", "noiseAzimuthLut")
    lines = item.whole("firstAzimuthLine"), item.whole("lastAzimuthLine") + 1
    pixels = item.whole("firstRangeSample"), item.whole("lastRangeSample") + 1
    return _Block(item.text("swath", ""), lines, pixels, position, factor)


def _samples(item: Node, position: str, lut: str) -> tuple[Floats, Floats]:
    where, values = item.numbers(position), item.numbers(lut)
    if where.size != values.size or where.size == 0 or not (np.diff(where) > 0).all():
        message = f"has a {lut} of {values.size} samples at {where.size} positions, or out of order"
        raise item.error(f"{message}; fetch the product again")
    return where, values


def _axes(window: Window) -> tuple[Floats, Floats]:
    lines = np.arange(window.line_start, window.line_stop, dtype=np.float64)
    return lines, np.arange(window.pixel_start, window.pixel_stop, dtype=np.float64)


def _span(axis: Floats, bounds: tuple[int, int]) -> slice:
    """Return the part of an increasing axis inside bounds."""
    start, stop = np.searchsorted(axis, bounds)
    return slice(int(start), int(stop))


def _at_points(
    scattered: Callable[[Floats, Floats], Floats],
    on_grid: Callable[[Floats, Floats], Floats],
    line: ArrayLike,
    pixel: ArrayLike,
) -> Floats:
    """Return values at points; a column of lines and a row of pixels, both increasing, are the axes of a grid."""
    lines, pixels = np.asarray(line, np.float64), np.asarray(pixel, np.float64)
    if lines.ndim == pixels.ndim == 2 and lines.shape[1] == pixels.shape[0] == 1:
        axes = lines[:, 0], pixels[0]
        if all((np.diff(axis) >= 0).all() for axis in axes):
            return on_grid(*axes)
    lines, pixels = np.broadcast_arrays(lines, pixels)
    return scattered(lines.ravel(), pixels.ravel()).reshape(lines.shape)
