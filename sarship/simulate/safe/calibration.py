"""Swaths, calibration and thermal noise of a simulated product: the tables, and what they come to at a pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.model import Polarization, Window
from sarship.simulate.grid import RadarGrid
from sarship.simulate.params import ProductParams
from sarship.simulate.safe.xml import element, listing, reals, stamp, to_bytes, vector

__all__ = ["Block", "NoiseField", "calibration_xml", "gain_row", "noise_field", "noise_xml", "swath_blocks"]

Reals = NDArray[np.float64]

_PIXEL_STEP: Final = 40
_BURST_S: Final = 2.75
_SEAM_SHIFT: Final = 5
"""Pixels that the seams move by between the first lines and the rest, as they do in real products."""


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of the image from one swath, bounds inclusive as in the annotation."""

    swath: str
    first_line: int
    last_line: int
    first_pixel: int
    last_pixel: int

    def bounds(self) -> dict[str, int]:
        """The elements that both the annotation and the noise file have."""
        return {
            "firstAzimuthLine": self.first_line,
            "firstRangeSample": self.first_pixel,
            "lastAzimuthLine": self.last_line,
            "lastRangeSample": self.last_pixel,
        }


def swath_blocks(params: ProductParams) -> list[Block]:
    """The swaths side by side, whatever the image's size, each in an upper and a lower block.

    Seams stay where they are on the ground, wherever in its frame the image begins.
    """
    n_lines, n_pixels = params.shape
    names = params.specification.swaths
    lines, pixels = params.frame or params.shape
    top, left = (round(start) for start in params.origin)
    cut = min(max(lines * 2 // 5 - top, 0), n_lines)
    blocks = []
    for first, last, shift in ((0, cut - 1, 0), (cut, n_lines - 1, _SEAM_SHIFT)):
        if last < first:
            continue
        seams = [0, *(pixels * k // len(names) + shift - left for k in range(1, len(names))), n_pixels]
        blocks += [Block(name, first, last, seams[k], seams[k + 1] - 1) for k, name in enumerate(names)]
    return sorted(blocks, key=lambda block: (names.index(block.swath), block.first_line))


def _table_pixels(n_pixels: int) -> NDArray[np.int64]:
    return np.append(np.arange(0, n_pixels - 1, _PIXEL_STEP), n_pixels - 1)


def _table_lines(n_lines: int) -> NDArray[np.int64]:
    """Lines of the vectors: about a second apart, the last past the end of the image, as in real products."""
    return np.arange(0, n_lines + 671, max(1, min(672, n_lines // 3)))


def gain_row(params: ProductParams, grid: RadarGrid, pixel: NDArray[np.int64]) -> Reals:
    """Gain sigmaNought at pixels: the constant betaNought over √sin(incidence); the same on every line."""
    angle, _ = grid.incidence((grid.shape[0] - 1) / 2, pixel)
    return np.asarray(params.specification.beta / np.sqrt(np.sin(np.radians(angle))))


def calibration_xml(params: ProductParams, grid: RadarGrid, head: Mapping[str, object]) -> bytes:
    """The calibration file: sigmaNought, betaNought and gamma vectors."""
    pixel = _table_pixels(params.shape[1])
    angle = np.radians(grid.incidence((grid.shape[0] - 1) / 2, pixel)[0])
    beta = np.full(pixel.size, params.specification.beta)
    tables = vector("pixel", pixel)
    for name, values in (
        ("sigmaNought", beta / np.sqrt(np.sin(angle))),
        ("betaNought", beta),
        ("gamma", beta / np.sqrt(np.tan(angle))),
        ("dn", beta),
    ):
        tables |= vector(name, values, reals(values))
    rows = [
        {"azimuthTime": stamp(grid.utc(float(grid.seconds(line)))), "line": int(line), **tables}
        for line in _table_lines(params.shape[0])
    ]
    information = {"absoluteCalibrationConstant": "1.000000e+00"}
    content = {"adsHeader": head, "calibrationInformation": information, **listing("calibrationVector", rows)}
    return to_bytes(element("calibration", content))


@dataclass(frozen=True, eq=False, slots=True)
class NoiseField:
    """Thermal noise of one polarisation, squared digital numbers, as the vectors of its file give it."""

    shape: tuple[int, int]
    """Lines and pixels of the image."""
    lines: NDArray[np.int64]
    """Lines of the range vectors."""
    pixels: NDArray[np.int64]
    """Pixels of the range vectors: every fortieth, and both sides of every seam."""
    across: tuple[Reals, ...]
    """Values of each range vector."""
    blocks: tuple[Block, ...]
    """Blocks of the azimuth vectors; none in stripmap and in the old format."""
    along: tuple[tuple[NDArray[np.int64], Reals], ...]
    """Lines and factors of each block."""

    def power(self, window: Window) -> NDArray[np.float32]:
        """Noise in a window, squared digital numbers: in each block the swath's own samples times its factors."""
        line = np.arange(window.line_start, window.line_stop)
        pixel = np.arange(window.pixel_start, window.pixel_stop)
        if not self.blocks:
            return self._between_vectors(line, pixel, None)
        power = np.zeros(window.shape, np.float32)
        for block, (lines, factors) in zip(self.blocks, self.along, strict=True):
            down = (line >= block.first_line) & (line <= block.last_line)
            over = (pixel >= block.first_pixel) & (pixel <= block.last_pixel)
            factor = np.interp(line[down], lines, factors).astype(np.float32)
            power[np.ix_(down, over)] = self._between_vectors(line[down], pixel[over], block.swath) * factor[:, None]
        return power

    def _between_vectors(
        self, line: NDArray[np.int64], pixel: NDArray[np.int64], swath: str | None
    ) -> NDArray[np.float32]:
        """Range vectors (their samples in one swath, or all) at pixels, then linear in line."""
        rows = np.empty((self.lines.size, pixel.size), np.float32)
        for row, at, values in zip(rows, self.lines.tolist(), self.across, strict=True):
            own = _inside(self.blocks, swath, min(at, self.shape[0] - 1), self.pixels) if swath else slice(None)
            row[:] = np.interp(pixel, self.pixels[own], values[own])
        place = np.interp(line, self.lines, np.arange(self.lines.size))
        low = np.minimum(place.astype(int), self.lines.size - 2)
        share = (place - low)[:, None].astype(np.float32)
        return np.asarray(rows[low] * (1 - share) + rows[low + 1] * share, np.float32)


def _inside(blocks: Sequence[Block], swath: str, line: int, pixel: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels that belong to a swath on a line."""
    (block,) = (b for b in blocks if b.swath == swath and b.first_line <= line <= b.last_line)
    return np.asarray((pixel >= block.first_pixel) & (pixel <= block.last_pixel))


def noise_field(params: ProductParams, grid: RadarGrid, polarization: Polarization) -> NoiseField:
    """The noise that is put into the image: it follows the incidence, steps at the seams and scallops along azimuth."""
    n_lines, n_pixels = params.shape
    lines, blocks = _table_lines(n_lines), swath_blocks(params)
    seams = [edge for block in blocks for edge in (block.first_pixel, block.last_pixel)]
    pixel = np.union1d(_table_pixels(n_pixels), seams)
    even = 10 ** (_shape_db(grid, pixel, polarization) / 10) * gain_row(params, grid, pixel) ** 2
    across = []
    for line in lines.tolist():
        here = [b for b in blocks if b.first_line <= min(line, n_lines - 1) <= b.last_line]
        step_db = sum((0.7 * (pixel >= b.first_pixel) for b in here[1:]), np.zeros(pixel.size))
        across.append(even * 10 ** (-step_db / 10) * (1 + 0.02 * np.sin(line / 400.0)))
    along = []
    has_blocks = not params.is_old and len(params.specification.swaths) > 1
    for number, block in enumerate(blocks if has_blocks else []):
        line = np.append(np.arange(block.first_line, block.last_line, 10), block.last_line)
        phase = np.pi * (line * grid.interval / _BURST_S + 0.27 * number)
        along.append((line, 1 + 0.18 * np.sin(phase) ** 4))
    return NoiseField(params.shape, lines, pixel, tuple(across), tuple(blocks[: len(along)]), tuple(along))


def _shape_db(grid: RadarGrid, pixel: NDArray[np.int64], polarization: Polarization) -> Reals:
    """Noise-equivalent sigma0 of a swath without steps, decibel: −22 to −30, a little higher in cross-polarisation."""
    angle, _ = grid.incidence((grid.shape[0] - 1) / 2, pixel)
    wave = 0.6 * np.cos(np.radians(48 * (angle - 33)))
    return np.asarray(-25.5 - 0.2 * (angle - 35) + wave + (0.5 if polarization in {"VH", "HV"} else 0.0))


def noise_xml(params: ProductParams, grid: RadarGrid, head: Mapping[str, object], field: NoiseField) -> bytes:
    """The noise file, in the format of before or after IPF 2.9, or all zero."""
    old = params.noise in {"old", "zero"}
    kind, table = ("noiseVector", "noiseLut") if old else ("noiseRangeVector", "noiseRangeLut")
    rows = [
        {
            "azimuthTime": stamp(grid.utc(float(grid.seconds(line)))),
            "line": int(line),
            **vector("pixel", field.pixels),
            **vector(table, row, reals(row * (params.noise != "zero"))),
        }
        for line, row in zip(field.lines, field.across, strict=True)
    ]
    blocks = [
        {
            "swath": block.swath,
            **block.bounds(),
            **vector("line", lines),
            **vector("noiseAzimuthLut", factors, reals(factors)),
        }
        for block, (lines, factors) in zip(field.blocks, field.along, strict=True)
    ]
    along = {} if old else listing("noiseAzimuthVector", blocks)
    return to_bytes(element("noise", {"adsHeader": head, **listing(kind, rows), **along}))
