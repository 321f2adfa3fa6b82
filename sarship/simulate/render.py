"""The pixels: sea, noise, land and targets put together tile by tile, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features
from rasterio.transform import Affine
from scipy import fft, ndimage
from shapely.geometry.base import BaseGeometry

from sarship.model import Polarization, Window
from sarship.simulate.ambiguities import Ambiguity
from sarship.simulate.params import Mode
from sarship.simulate.sea import flicker, land_block, shifted, speckle, texture
from sarship.simulate.ships import Patch

__all__ = ["Canvas", "Land", "add_patch", "paint"]

Field = NDArray[np.float32]

_TILE: Final = 2048
_BLOCK: Final = 1024
_FINE: Final = 2
"""Parts of a pixel along each axis in which land is measured."""
_RIM: Final = 4
"""Pixels around a window that the smoothing of its land needs."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Land:
    """Ground that is the same on every date of an orbit but for its speckle."""

    area: BaseGeometry
    """Polygons of x = pixel, y = line."""
    plain: Field
    """Periodic sigma0 that is speckled."""
    strong: Field
    """Periodic sigma0 of buildings, which do not speckle."""
    origin: tuple[int, int] = (0, 0)
    """Line and pixel of the fields at the first of the image."""
    paved: Sequence[tuple[BaseGeometry, float]] = ()
    """Ground without buildings, likewise, and its plain sigma0."""

    @classmethod
    def make(
        cls,
        area: BaseGeometry,
        mode: Mode,
        seed: Sequence[int],
        date: int | None = None,
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> Land:
        """Return land that follows from a seed, the same for every date of an orbit wherever its image begins.

        With a `date`, each building is brighter or dimmer than usual by a decibel or two, as coherence between the
        dates of an orbit leaves it.
        """
        plain, strong = _block(mode, tuple(seed))
        whole = np.floor(origin).astype(int)
        strong = shifted(strong, *(np.asarray(origin) - whole))  # the other is smooth over six pixels
        if date is not None:
            strong = strong * flicker(strong.shape, np.random.default_rng([*seed, date]))
        return cls(area=area, plain=plain, strong=strong, origin=(int(whole[0]), int(whole[1])))

    def cover(self, window: Window) -> Field:
        """Part of each pixel's resolution cell that is land: a coast is no sharper than all else in the image."""
        area, outline = (
            self.area,
            shapely.box(
                window.pixel_start - _RIM, window.line_start - _RIM, window.pixel_stop + _RIM, window.line_stop + _RIM
            ),
        )
        if not area.intersects(outline) or area.contains(outline):
            return np.full(window.shape, area.intersects(outline), np.float32)
        rows, columns = (size + 2 * _RIM for size in window.shape)
        step = 1 / _FINE
        corner = (step, 0.0, window.pixel_start - _RIM - 0.5, 0.0, step, window.line_start - _RIM - 0.5)
        burnt = features.rasterize([area], (rows * _FINE, columns * _FINE), transform=Affine(*corner), dtype=np.uint8)
        parts = burnt.reshape(rows, _FINE, columns, _FINE).mean((1, 3), dtype=np.float32)
        return np.asarray(ndimage.gaussian_filter(parts, 1.0)[_RIM:-_RIM, _RIM:-_RIM])

    def at(self, window: Window, shift: tuple[int, int] = (0, 0)) -> tuple[Field, Field]:
        """Both fields in a window, moved likewise."""
        rows = (np.arange(window.line_start, window.line_stop) - shift[0] + self.origin[0]) % _BLOCK
        columns = (np.arange(window.pixel_start, window.pixel_stop) - shift[1] + self.origin[1]) % _BLOCK
        plain, strong = self.plain[np.ix_(rows, columns)], self.strong[np.ix_(rows, columns)]
        for area, sigma0 in self.paved:
            inside = _burnt(area, window, shift)
            plain[inside], strong[inside] = sigma0, 0.0
        return plain, strong


def _burnt(area: BaseGeometry, window: Window, shift: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre is in an area that is moved by lines and pixels."""
    top, left = window.line_start - shift[0], window.pixel_start - shift[1]
    offset = Affine(1.0, 0.0, left - 0.5, 0.0, 1.0, top - 0.5)
    if area.is_empty:
        return np.zeros(window.shape, np.bool_)
    burnt = features.rasterize([area], out_shape=window.shape, transform=offset, dtype=np.uint8)
    return np.asarray(burnt, np.bool_)


@lru_cache(maxsize=4)
def _block(mode: Mode, seed: tuple[int, ...]) -> tuple[Field, Field]:
    """The looks of an orbit's land, made once for all its dates."""
    return land_block(_BLOCK, mode, np.random.default_rng(seed))


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Canvas:
    """Everything that decides an image but its speckle."""

    shape: tuple[int, int]
    """Lines and pixels."""
    mode: Mode
    """Resolution and looks."""
    gain: Callable[[Polarization, Window], NDArray[np.floating]]
    """sigmaNought gain A in a window (or what broadcasts to it)."""
    noise: Callable[[Polarization, Window], NDArray[np.floating]]
    """Thermal noise, squared digital numbers."""
    sea: Mapping[Polarization, Field]
    """Mean sigma0 of the sea for each pixel."""
    texture_order: float = np.inf
    """Order of the sea's texture."""
    texture_m: float = 40.0
    """Its correlation length."""
    land: Land | None = None
    """Ground, if any."""
    patches: Sequence[Patch] = field(default_factory=tuple)
    """Targets."""
    ambiguities: Sequence[Ambiguity] = field(default_factory=tuple)
    """Azimuth ambiguities of the buildings on land."""
    border_pixels: int = 0
    """Width of the border without data at near and far range."""
    has_border_noise: bool = False
    """True if it holds small numbers instead of zeros."""


def paint(canvas: Canvas, polarization: Polarization, seed: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Bands of digital numbers from the top: their first line, and (lines, pixels).

    The same seed gives the same image. Memory is bounded by a band of 2,048 lines. Images larger than a tile repeat
    one block of speckle, moved at random.
    """
    n_lines, n_pixels = canvas.shape
    rng = np.random.default_rng(seed)
    block = tuple(min(fft.next_fast_len(n + 8), _TILE) for n in canvas.shape)
    grain = speckle((block[0], block[1]), canvas.mode, rng)
    waves = _waves(
        (block[0], block[1]), canvas.texture_order, canvas.texture_m / canvas.mode.spacing_m, (*seed[:-1], 99)
    )
    for top in range(0, n_lines, block[0]):
        bottom = min(top + block[0], n_lines)
        band = np.empty((bottom - top, n_pixels), np.uint16)
        for left in range(0, n_pixels, block[1]):
            window = Window(top, bottom, left, min(left + block[1], n_pixels))
            rolls = [np.roll(grain, rng.integers(0, block), (0, 1)), np.roll(waves, rng.integers(0, block), (0, 1))]
            rows, columns = window.shape
            power = _power(canvas, polarization, window, rolls[0][:rows, :columns], rolls[1][:rows, :columns])
            number = np.sqrt(np.maximum(power, 0.0), out=power)
            band[:, left : window.pixel_stop] = np.clip(np.rint(number, out=number), 1, 65_535)
        yield top, _border(canvas, band, top, rng)


@lru_cache(maxsize=1)
def _waves(shape: tuple[int, int], order: float, length: float, seed: tuple[int, ...]) -> Field:
    """The texture of a sea, made once for all polarisations: it is of the sea and not of one of them."""
    return texture(shape, order, length, np.random.default_rng(seed))


def _power(canvas: Canvas, polarization: Polarization, window: Window, grain: Field, waves: Field) -> Field:
    """Squared digital numbers of a window."""
    gain = np.square(canvas.gain(polarization, window), dtype=np.float32)
    sea = canvas.sea[polarization][window.pixel_start : window.pixel_stop]
    diffuse = waves * sea
    strong = np.zeros(window.shape, np.float32)
    if canvas.land is not None:
        cover = canvas.land.cover(window)
        share = np.float32(0.2 if polarization in {"VH", "HV"} else 1.0)
        if cover.any():
            plain, built = canvas.land.at(window)
            diffuse += cover * (share * plain - diffuse)
            strong += share * cover * built
        for ambiguity in canvas.ambiguities:
            _add_ambiguity(strong, canvas.land, ambiguity, window, share)
    for patch in canvas.patches:
        add_patch(strong, patch.sigma0[polarization], patch.line - window.line_start, patch.pixel - window.pixel_start)
    power = diffuse * gain
    power += canvas.noise(polarization, window)
    power *= grain
    strong *= gain
    power += strong
    return np.asarray(power, np.float32)


def _add_ambiguity(image: Field, land: Land, ambiguity: Ambiguity, window: Window, share: np.float32) -> None:
    """Add what a swath shows again of the buildings."""
    shift = (ambiguity.line_shift, ambiguity.pixel_shift)
    built = np.where(_burnt(land.area, window, shift), land.at(window, shift)[1], np.float32(0))
    pixel = np.arange(window.pixel_start, window.pixel_stop)
    built[:, (pixel < ambiguity.first_pixel) | (pixel > ambiguity.last_pixel)] = 0
    source = np.arange(window.line_start, window.line_stop) - ambiguity.line_shift
    image += share * ambiguity.gain(source)[:, None] * built


def add_patch(image: NDArray[np.floating], patch: Field, line: int, pixel: int) -> None:
    """Add what of a patch falls into an image."""
    rows = slice(max(0, line), min(image.shape[0], line + patch.shape[0]))
    columns = slice(max(0, pixel), min(image.shape[1], pixel + patch.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        image[rows, columns] += patch[
            rows.start - line : rows.stop - line, columns.start - pixel : columns.stop - pixel
        ]


def _border(canvas: Canvas, band: NDArray[np.uint16], top: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Cut the ragged border of a band: zeros, or the small numbers of old products."""
    if canvas.border_pixels == 0:
        return band
    line = np.arange(top, top + band.shape[0])
    pixel = np.arange(band.shape[1])
    left = canvas.border_pixels + np.rint(3 * np.sin(line / 50)).astype(int)
    right = band.shape[1] - canvas.border_pixels - np.rint(3 * np.cos(line / 70)).astype(int)
    outside = (pixel < left[:, None]) | (pixel >= right[:, None])
    filling = rng.integers(0, 12, int(outside.sum())) if canvas.has_border_noise else 0
    band[outside] = filling
    return band
