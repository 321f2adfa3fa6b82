"""Digital numbers of a measurement TIFF, by windows and by bands, with border noise set to no data.

A band is the same rows as in the whole image, whatever the bands: nothing here looks beyond the line it works on.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sarship.download.certificates import unverified
from sarship.errors import DownloadError, ProductError
from sarship.model import Window
from sarship.sentinel1.gdal_options import reading
from sarship.sentinel1.parts import parts_of
from sarship.sentinel1.read_ahead import read_ahead
from sarship.sentinel1.safe import Pixels, SafeContainer, WindowCache

if TYPE_CHECKING:  # metadata of a product are read without GDAL
    import rasterio
    from shapely.geometry.base import BaseGeometry

__all__ = ["MAX_CACHED", "Measurement", "clean_borders", "clean_window", "without_place"]

Access = Callable[[], AbstractContextManager[Mapping[str, object] | None]]
"""Function that returns the context in which GDAL reads a file, and its options."""
Level = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Function of line and pixel that returns squared digital numbers."""

_OPENING: Final = threading.Lock()
"""Warning filters belong to the process, so only one thread at a time may change them."""
_WITNESS: Final = 64
"""Pixels read on either side of a window of an old image, to see there that the image has begun."""
CELL: Final = 32
"""Pixels whose mean power is compared with the level when the border of a line is sought."""
_STEP: Final = 64
"""Cells compared at a time."""
MAX_CACHED: Final = 2**26
"""Pixels of the largest window that is cached; a larger one is read band by band each time."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The image of one polarisation: its file, its size and the level of its border noise."""

    gdal_path: str
    """Path that GDAL opens."""
    source: str
    """Name of the file, for messages."""
    shape: tuple[int, int]
    """Lines and pixels that the annotation promises."""
    level: Level | None = None
    """Power above border noise and below the image; None where the processor set the border to zero itself."""
    access: Access = field(default=nullcontext, repr=False)
    """Context in which GDAL reads the file. Waits where a server limits requests."""
    cache: WindowCache | None = field(default=None, repr=False)
    """Cache of windows; None where reading is cheap."""

    @classmethod
    def of(cls, container: SafeContainer, name: str, shape: tuple[int, int], level: Level | None) -> Measurement:
        """Return the image that the manifest of a product calls `name`."""
        where = container.gdal_path(name), container.describe(name)
        return cls(*where, shape, level, container.access, container.window_cache(name))

    def read(self, window: Window, within: BaseGeometry | None = None) -> Pixels:
        """Return the digital numbers of a window, uint16 (lines, pixels), 0 = no data.

        Parameters
        ----------
        window
            Part of the image.
        within
            Area that is needed; what lies outside its `parts_of` the window is 0. None for all.

        Raises
        ------
        ProductError
            If the file is not an image of the right size and type, or cannot be decoded.
        """
        if self.cache is None and within is None:
            with self._open() as dataset:
                return self._read(dataset, window)
        parts = parts_of(window, within)
        pieces = self._read_parts(parts) if self.cache is None else self.cache(parts, self._read_parts)
        pixels = np.zeros(window.shape, np.uint16)
        for part, piece in zip(parts, pieces, strict=True):
            pixels[window.rows_columns(part)] = piece
        return pixels

    def _read_parts(self, parts: Sequence[Window]) -> list[Pixels]:
        with self._open() as dataset:
            return list(self._pieces(dataset, parts))

    def _pieces(self, dataset: rasterio.DatasetReader, parts: Sequence[Window]) -> Iterator[Pixels]:
        """Yield the digital numbers of each part; those in the same columns of blocks are asked for at once."""
        width = dataset.block_shapes[0][1]
        for _, group in groupby(parts, lambda part: (part.pixel_start // width, (part.pixel_stop - 1) // width)):
            together = list(group)
            around = Window.around(together)
            pixels = self._read(dataset, around)
            yield from (pixels[around.rows_columns(part)] for part in together)

    def is_compressed(self) -> bool:
        """Return True if the image is stored compressed, as by mirrors; the producer's is not."""
        with self._open() as dataset:
            return dataset.compression is not None

    def bands(
        self, window: Window, n_lines: int, halo: int = 0, within: BaseGeometry | None = None
    ) -> Iterator[tuple[Window, Pixels, Window]]:
        """Yield the bands of a window from top to bottom; the next is read while the caller works on this one.

        Parameters
        ----------
        window
            Part of the image.
        n_lines
            Lines of a band's core; the last may have fewer.
        halo
            Lines above and below the core that come with it, as far as the window reaches.
        within
            Area that is needed, as for `read`.

        Yields
        ------
        core, pixels, read
            The window that is this band's own, the digital numbers, and the window that they cover. The array is the
            caller's to change.
        """
        if n_lines < 1 or halo < 0:
            raise ValueError(f"n_lines must be 1 at least and halo 0 at least, got {n_lines} and {halo}")
        if self.cache is not None and math.prod(window.shape) <= MAX_CACHED:
            whole = self.read(window, within)
            for core, rows in window.bands(n_lines, halo):
                yield core, whole[window.rows_columns(rows)].copy(), rows
            return
        yield from read_ahead(self._bands(window, n_lines, halo, within))

    def _bands(
        self, window: Window, n_lines: int, halo: int, within: BaseGeometry | None
    ) -> Generator[tuple[Window, Pixels, Window], None, None]:
        tail, tail_start = np.empty((0, window.shape[1]), np.uint16), window.line_start
        with self._open() as dataset:
            for core, rows in window.bands(n_lines, halo):
                pixels = np.zeros(rows.shape, np.uint16)
                known = tail[rows.line_start - tail_start :]
                pixels[: len(known)] = known
                if len(known) < len(pixels):
                    new = replace(rows, line_start=rows.line_start + len(known))
                    if within is None:
                        self._read(dataset, new, pixels[len(known) :])
                    else:
                        parts = parts_of(new, within)
                        for part, piece in zip(parts, self._pieces(dataset, parts), strict=True):
                            pixels[rows.rows_columns(part)] = piece
                tail_start = max(core.line_stop - halo, window.line_start)
                tail = pixels[tail_start - rows.line_start :].copy()
                yield core, pixels, rows

    def _read(self, dataset: rasterio.DatasetReader, window: Window, out: Pixels | None = None) -> Pixels:
        """Read a window without border noise; of whole lines only where a margin on either side is not enough."""
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
        from rasterio.errors import RasterioError

        pixels = np.empty(window.shape, np.uint16) if out is None else out
        columns = window.pixel_start, window.pixel_stop
        try:
            dataset.read(1, window=((window.line_start, window.line_stop), columns), out=pixels)
        except (RasterioError, OSError) as error:
            lines = f"lines {window.line_start} to {window.line_stop}"
            raise self._error(f": {lines} cannot be decoded ({self._reason(error)})") from error
        return pixels

    @contextmanager
    def _open(self) -> Iterator[rasterio.DatasetReader]:
        import rasterio
        from rasterio.errors import RasterioError

        with self.access() as options, rasterio.Env(**reading(self.gdal_path, options)):
            try:
                with without_place():
                    dataset = rasterio.open(self.gdal_path, driver="GTiff")
            except (RasterioError, OSError) as error:
                if sentence := unverified(error, self.source):
                    raise DownloadError(sentence, file=self.source) from error
                raise self._error(f" is not a readable TIFF ({self._reason(error)})") from error
            with dataset:
                found, wanted = (dataset.shape, dataset.count, dataset.dtypes[0]), (self.shape, 1, "uint16")
                if found != wanted:
                    raise self._error(f" is an image of {found}, where the annotation has {wanted}")
                yield dataset

    def _reason(self, error: Exception) -> str:
        """GDAL's words in one line, without the path, with which the message begins."""
        words = " ".join(str(error.__cause__ or error).split()).replace(f"'{self.gdal_path}'", "it")
        return words.removeprefix(f"{self.gdal_path}: ").removeprefix(f"{PurePath(self.gdal_path).name}, ")

    def _error(self, message: str) -> ProductError:
        return ProductError(f"{self.source}{message}; fetch the product again", path=self.source)


@contextmanager
def without_place() -> Iterator[None]:
    """Ignore rasterio's warning that an image has no place: the annotation tells it.

    Whoever opens images in several threads enters this first: the threads then change no filter, and do not wait for
    each other.
    """
    from rasterio.errors import NotGeoreferencedWarning

    if ("ignore", None, NotGeoreferencedWarning, None, 0) in warnings.filters:  # as the process lists it
        yield
        return
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def clean_borders(pixels: Pixels, first_line: int, level: Level) -> None:
    """Set border noise, at both ends of each line, to zero in place.

    Before IPF 2.9 the empty borders of an image hold low values among the zeros. From each end of a line, the image
    begins in the first cell of `CELL` pixels whose mean squared digital number reaches the level, at the first pixel
    of that cell that does. The level must be lower than anything that can be imaged, so calm sea at the border stays.
    It depends on the line and the level alone, so bands give the same as the whole image.

    Parameters
    ----------
    pixels
        uint16, whole lines of the image.
    first_line
        Number of the first of them.
    level
        Function of line and pixel that returns squared digital numbers.
    """
    last = pixels.shape[1] - 1
    _clean_left(pixels, first_line, level)
    _clean_left(pixels[:, ::-1], first_line, lambda line, pixel: level(line, last - pixel))


def clean_window(pixels: Pixels, corner: tuple[int, int], window: Window, n_pixels: int, level: Level) -> bool:
    """Set border noise to zero in a part of some lines, as `clean_borders` does in whole ones, where the part suffices.

    On a side that does not reach the edge of the image it does if each line shows the image in a cell between there
    and the window, so that the border ends before it. `pixels` begins and ends where a cell of its side does.

    Parameters
    ----------
    pixels
        uint16, the window with a margin on either side; changed in place.
    corner
        Line and pixel of its first element.
    window
        The part to be cleaned.
    n_pixels
        Width of the image.
    level
        Function of line and pixel that returns squared digital numbers.

    Returns
    -------
    bool
        True if the window is now the same as from whole lines.
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
    """Return True if each line has a cell that reaches the level, or if the edge of the image is here."""
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
        minimum = level((first_line + pending).astype(np.float64)[:, None], centres[None, :])
        is_image = np.add.reduceat(power, edges, axis=1) >= minimum * widths
        found = is_image.any(axis=1)
        cell = edges[is_image[found].argmax(axis=1)]
        is_bright = power[found] >= np.repeat(minimum[found], widths, axis=1)
        is_bright &= np.arange(power.shape[1]) >= cell[:, None]
        starts[pending[found]] = left + is_bright.argmax(axis=1)
        pending = pending[~found]
        if not pending.size:
            break
    for row in np.flatnonzero(starts):
        pixels[row, : starts[row]] = 0
