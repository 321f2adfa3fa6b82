"""Digital numbers out of a measurement TIFF, by windows and by bands, with the noise at the borders set to no data.

A band is the same rows as in the whole image, whatever the bands: nothing here looks beyond the line it works on.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from sarship.errors import ProductError
from sarship.model import Window
from sarship.sentinel1.safe import Keep, Pixels, SafeContainer

__all__ = ["Measurement", "clean_borders", "clean_window"]

Access = Callable[[], AbstractContextManager[Mapping[str, object] | None]]
"""Entered to read a file; gives GDAL's options for it."""
Level = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Squared digital numbers, as a function of line and pixel."""

_OPTIONS: Final = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # a product's TIFF has no sidecar files, and none is to be trusted
    # GTIFF_DIRECT_IO would save a copy, but it reads past the end of a truncated file without an error; with
    # GDAL_NUM_THREADS uncompressed strips take three times as long.
    "GDAL_CACHEMAX": 64,  # MB; a row of compressed tiles across the widest image takes 55
}
_OPENING: Final = threading.Lock()
"""Warning filters belong to the process, so only one thread at a time may change them."""
_WITNESS: Final = 64
"""Pixels read on either side of a window of an old image, to see there that the image has begun."""
CELL: Final = 32
"""Pixels whose mean power is judged together when the border of a line is sought."""
_STEP: Final = 64
"""Cells looked at in one go."""
_KEPT: Final = 2**26
"""Largest window that is kept, pixels; a larger one is read band by band each time."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The image of one polarisation: where it is, how large it must be, and what tells its borders from it."""

    gdal_path: str
    """Path that GDAL opens."""
    source: str
    """File name for messages."""
    shape: tuple[int, int]
    """Lines and pixels that the annotation promises."""
    level: Level | None = None
    """What noise in the border stays below, and no image; None where the processor set it to zero itself."""
    access: Access = field(default=nullcontext, repr=False)
    """Entered to read the file; gives GDAL's options for it. Waits where a server limits requests."""
    keep: Keep | None = field(default=None, repr=False)
    """Gives a window that was kept, or calls what reads it and keeps that; None where reading is cheap."""

    @classmethod
    def of(cls, container: SafeContainer, name: str, shape: tuple[int, int], level: Level | None) -> Measurement:
        """The image that the manifest of a product calls `name`."""
        where = container.gdal_path(name), container.describe(name)
        return cls(*where, shape, level, container.access, container.keeper(name))

    def read(self, window: Window) -> Pixels:
        """Digital numbers of a window, uint16 (lines, pixels), 0 = no data.

        Raises
        ------
        ProductError
            If the file is not an image of the right size and type, or cannot be decoded.
        """
        return self._read_window(window) if self.keep is None else self.keep(window, self._read_window)

    def _read_window(self, window: Window) -> Pixels:
        with self._open() as dataset:
            return self._read(dataset, window)

    def is_compressed(self) -> bool:
        """Whether the image is stored compressed, as mirrors do and the producer's plain product does not."""
        with self._open() as dataset:
            return dataset.compression is not None

    def bands(self, window: Window, n_lines: int, halo: int = 0) -> Iterator[tuple[Window, Pixels, Window]]:
        """Bands of a window from top to bottom; the next is read while the caller works on this one.

        Parameters
        ----------
        window
            What to read.
        n_lines
            Lines of a band's core; the last may have fewer.
        halo
            Lines above and below the core that come with it, as far as the window reaches.

        Yields
        ------
        core, pixels, read
            The window that is this band's own, the digital numbers, and the window that they cover. The array is the
            caller's to change.
        """
        if n_lines < 1 or halo < 0:
            raise ValueError(f"need n_lines >= 1 and halo >= 0, got {n_lines=} {halo=}")
        if self.keep is not None and math.prod(window.shape) <= _KEPT:
            yield from _cut(self.read(window), window, n_lines, halo)
            return
        bands = self._bands(window, n_lines, halo)
        # GDAL's options and handles belong to a thread, so one thread does all of the reading.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sarship-read") as reader:
            try:
                following = reader.submit(next, bands, None)
                while (band := following.result()) is not None:
                    following = reader.submit(next, bands, None)
                    yield band
            finally:
                reader.submit(bands.close).result()

    def _bands(self, window: Window, n_lines: int, halo: int) -> Generator[tuple[Window, Pixels, Window], None, None]:
        columns = window.pixel_start, window.pixel_stop
        tail, tail_start = np.empty((0, window.shape[1]), np.uint16), window.line_start
        with self._open() as dataset:
            for start in range(window.line_start, window.line_stop, n_lines):
                stop = min(start + n_lines, window.line_stop)
                top, bottom = max(start - halo, window.line_start), min(stop + halo, window.line_stop)
                pixels = np.empty((bottom - top, window.shape[1]), np.uint16)
                known = tail[top - tail_start :]
                pixels[: len(known)] = known
                if top + len(known) < bottom:
                    rows = Window(top + len(known), bottom, *columns)
                    self._read(dataset, rows, pixels[len(known) :])
                tail_start = max(stop - halo, window.line_start)
                tail = pixels[tail_start - top :].copy()
                yield Window(start, stop, *columns), pixels, Window(top, bottom, *columns)

    def _read(self, dataset: rasterio.DatasetReader, window: Window, out: Pixels | None = None) -> Pixels:
        """Read a window, cleaned: with a little on either side, and whole lines only where that does not tell."""
        if self.level is None:
            return self._decode(dataset, window, out)
        n_pixels = self.shape[1]
        left, right = max(window.pixel_start - _WITNESS, 0), min(window.pixel_stop + _WITNESS, n_pixels)
        left, right = left // CELL * CELL, n_pixels - (n_pixels - right) // CELL * CELL
        pixels = self._decode(dataset, Window(window.line_start, window.line_stop, left, right))
        if not clean_window(pixels, (window.line_start, left), window, n_pixels, self.level):
            left = 0
            pixels = self._decode(dataset, Window(window.line_start, window.line_stop, 0, n_pixels))
            clean_borders(pixels, window.line_start, self.level)
        pixels = pixels[:, window.pixel_start - left : window.pixel_stop - left]
        if out is not None:
            out[:] = pixels
        return pixels

    def _decode(self, dataset: rasterio.DatasetReader, window: Window, out: Pixels | None = None) -> Pixels:
        """Read a window as it is stored."""
        pixels = np.empty(window.shape, np.uint16) if out is None else out
        columns = window.pixel_start, window.pixel_stop
        try:
            dataset.read(1, window=((window.line_start, window.line_stop), columns), out=pixels)
        except (RasterioError, OSError) as error:
            lines = f"lines {window.line_start} to {window.line_stop}"
            raise ProductError(
                f"{self.source}: {lines} cannot be decoded ({error.__cause__ or error}); fetch the product again"
            ) from error
        return pixels

    @contextmanager
    def _open(self) -> Iterator[rasterio.DatasetReader]:
        with self.access() as options, rasterio.Env(**{**_OPTIONS, **(options or {})}):
            try:
                with _OPENING, warnings.catch_warnings():
                    warnings.simplefilter("ignore", NotGeoreferencedWarning)
                    dataset = rasterio.open(self.gdal_path, driver="GTiff")
            except (RasterioError, OSError) as error:
                raise ProductError(
                    f"{self.source} is not a readable TIFF ({error}); fetch the product again"
                ) from error
            with dataset:
                found = dataset.shape, dataset.count, dataset.dtypes[0]
                if found != (self.shape, 1, "uint16"):
                    message = (
                        f"{self.source} is an image of {found}, where the annotation has {(self.shape, 1, 'uint16')}"
                    )
                    raise ProductError(f"{message}; fetch the product again")
                yield dataset


def _cut(pixels: Pixels, window: Window, n_lines: int, halo: int) -> Iterator[tuple[Window, Pixels, Window]]:
    """Bands of a window that is in memory."""
    columns = window.pixel_start, window.pixel_stop
    for start in range(window.line_start, window.line_stop, n_lines):
        stop = min(start + n_lines, window.line_stop)
        top, bottom = max(start - halo, window.line_start), min(stop + halo, window.line_stop)
        rows = pixels[top - window.line_start : bottom - window.line_start].copy()
        yield Window(start, stop, *columns), rows, Window(top, bottom, *columns)


def clean_borders(pixels: Pixels, first_line: int, level: Level) -> None:
    """Set the noise at both ends of each line to zero, in place.

    Before IPF 2.9 the empty borders of an image hold low values among the zeros. From each end of a line, the image
    begins in the first cell of `CELL` pixels whose mean squared digital number reaches the level, at the first pixel
    of that cell that does. The level must be lower than anything that can be imaged, so calm sea at the border stays.
    Nothing but the line itself and the level decides, so bands give what the whole image gives.

    Parameters
    ----------
    pixels
        uint16, whole lines of the image.
    first_line
        Number of the first of them.
    level
        Squared digital numbers at a line and pixel.
    """
    last = pixels.shape[1] - 1
    _clean_left(pixels, first_line, level)
    _clean_left(pixels[:, ::-1], first_line, lambda line, pixel: level(line, last - pixel))


def clean_window(pixels: Pixels, corner: tuple[int, int], window: Window, n_pixels: int, level: Level) -> bool:
    """Set border noise to zero in a part of some lines as `clean_borders` does in whole ones, where the part can tell.

    On a side that does not reach the edge of the image it can when each line shows the image in a cell between there
    and the window, so that the border ends before it. `pixels` begins and ends where a cell of its side does.

    Parameters
    ----------
    pixels
        uint16, the window with something on either side; changed in place.
    corner
        Line and pixel of its first.
    window
        What is wanted of it.
    n_pixels
        Width of the image.
    level
        Squared digital numbers at a line and pixel.

    Returns
    -------
    Whether the window is now what it would be out of whole lines.
    """
    line, left = corner
    right, last = left + pixels.shape[1], n_pixels - 1

    def mirrored(line: NDArray[np.float64], pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        return level(line, last - pixel)

    if not (
        _shows_image(pixels[:, : window.pixel_start - left], (line, left), level)
        and _shows_image(pixels[:, : window.pixel_stop - right - 1 : -1], (line, n_pixels - right), mirrored)
    ):
        return False
    if left == 0:
        _clean_left(pixels, line, level)
    if right == n_pixels:
        _clean_left(pixels[:, ::-1], line, mirrored)
    return True


def _shows_image(pixels: Pixels, corner: tuple[int, int], level: Level) -> bool:
    """Whether each line has a cell that reaches the level; not asked at an edge of the image, which settles it."""
    (first_line, first_pixel), n_cells = corner, pixels.shape[1] // CELL
    if first_pixel == 0:
        return True
    cells = pixels[:, : n_cells * CELL].reshape(len(pixels), n_cells, CELL).astype(np.uint64) ** 2
    centres = first_pixel + np.arange(n_cells) * CELL + (CELL - 1) / 2
    lines = first_line + np.arange(len(pixels), dtype=np.float64)
    return bool((cells.sum(axis=2) >= level(lines[:, None], centres[None, :]) * CELL).any(axis=1).all())


def _clean_left(pixels: Pixels, first_line: int, level: Level) -> None:
    n_lines, n_pixels = pixels.shape
    starts = np.full(n_lines, n_pixels)
    pending = np.arange(n_lines)
    for left in range(0, n_pixels, CELL * _STEP):
        power = pixels[pending, left : left + CELL * _STEP].astype(np.uint64) ** 2
        edges = np.arange(0, power.shape[1], CELL)
        widths = np.diff(edges, append=power.shape[1])
        centres = left + edges + (widths - 1) / 2
        least = level((first_line + pending).astype(np.float64)[:, None], centres[None, :])
        is_image = np.add.reduceat(power, edges, axis=1) >= least * widths
        found = is_image.any(axis=1)
        cell = edges[is_image[found].argmax(axis=1)]
        is_bright = power[found] >= np.repeat(least[found], widths, axis=1)
        is_bright &= np.arange(power.shape[1]) >= cell[:, None]
        starts[pending[found]] = left + is_bright.argmax(axis=1)
        pending = pending[~found]
        if not pending.size:
            break
    for row in np.flatnonzero(starts):
        pixels[row, : starts[row]] = 0
