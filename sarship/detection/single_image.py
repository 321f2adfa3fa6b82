"""Hits of one product, from the image alone.

The image is read in bands of lines with a halo as wide as the ring needs, so memory stays bounded and the hits are
exactly those of the whole image searched at once. The detector works on squared digital numbers with the thermal
noise left in: once noise is subtracted, no clutter model holds.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sarship import cfar
from sarship.cfar.params import CfarParams
from sarship.detection.bands import Band, Mask, Seen, bands_of, doubts_of
from sarship.detection.params import DetectionParams
from sarship.errors import FloodError, ProductWarning
from sarship.model import Hits, Window
from sarship.sentinel1.parts import parts_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["detect"]

MAX_HITS: Final = 2_000_000
"""Maximum number of hits in one product: a crowded scene has some hundred thousand."""


def detect(
    product: RadarImage,
    params: DetectionParams | None = None,
    *,
    window: Window | None = None,
    land: BaseGeometry | None = None,
    water: BaseGeometry | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Hits:
    """Find the pixels of a product that are brighter than the sea around them allows.

    Each polarisation is searched at its share of `params.pfa`; a pixel hit in several keeps the largest score. The hits
    are those of `cfar.detect` or `cfar.detect_dual` on the digital numbers, with `params.for_product(product)`.

    Parameters
    ----------
    product
        Product from `open_grd`.
    params
        Parameters of the search; the defaults for None.
    window
        Lines and pixels to search; the whole image for None. Rings reach beyond it, so the hits of a window are those
        of the whole image that lie in it.
    land, water
        Longitude and latitude, degrees. A pixel whose centre lies in `land`, or outside `water`, is masked: it is
        never a hit and in no ring. None masks nothing.
    progress
        Function that is called after each band with the number of lines done and their total.

    Returns
    -------
    Hits
        In lines and pixels of the whole image, sorted, with `sigma0` (denoised, every polarisation that was searched,
        at every hit; NaN where it was left out) and `is_edge` (one of the eight neighbours lies outside the image, is
        masked, or has data in no polarisation).

    Warns
    -----
    ProductWarning
        No pixel there holds data: no hits then does not mean no vessels. A polarisation is blank, is darker than
        the noise of the product, or is a copy of the other: it is left out. The cross-polarised image is the brighter
        one: the files may be exchanged.

    Raises
    ------
    FloodError
        There are more hits than vessels can give: usually land is not masked.
    ProductError
        The ring has more than 65,535 pixels, the window reaches outside the image, or a polarisation cannot be read.
    DeviceError
        `params.gpu` is set and no graphics card can be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.sentinel1 import open_grd
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     tiny = ProductParams(shape=(60, 80), polarizations=("VV",))
    ...     path, truth = simulate_product(folder, tiny, n_vessels=1, seed=1)
    ...     hits = detect(open_grd(path))
    >>> bool(abs(hits.line - truth["line"][0]).max() < 20)
    True
    """
    core = Window(0, product.shape[0], 0, product.shape[1]) if window is None else window
    params = params or DetectionParams()
    ring = replace(params.for_product(product), max_hits=MAX_HITS)
    mask = Mask.of(product, land, water)
    needed = mask.needed()
    found: list[Hits] = []
    has_data = needed is not None and not parts_of(core, needed)  # no water: nothing is looked at, and none is missed
    seen: list[Seen] = []
    try:
        for band in bands_of(product, core, ring, mask, needed):
            seen.append(band.seen)
            found.append(_search(product, band, ring, params.gpu))
            if sum(map(len, found)) > MAX_HITS:
                raise FloodError(f"more than {MAX_HITS:,} pixels are hits")
            if progress is not None:
                progress(band.core.line_stop - core.line_start, core.shape[0])
    except FloodError as error:
        raise FloodError(f"{product.scene.id}: {error}; {_remedy(mask)}") from error
    for message in doubts_of(product, seen, has_data=has_data):
        warnings.warn(message, ProductWarning, stacklevel=2)
    searched = [name for name in product.polarizations if not all(name in each.faults for each in seen)]
    hits = Hits.joined(found)
    return replace(hits, sigma0={name: hits.sigma0[name] for name in searched or product.polarizations})


def _remedy(mask: Mask) -> str:
    """Remedy for a flood of hits."""
    if mask.land is None and mask.water is None:
        return "land is not masked: give its polygons, or those of the water, or search a smaller area"
    return "look whether the polygons of land and water fit the image; search a smaller area or take a smaller pfa"


def _search(product: RadarImage, band: Band, ring: CfarParams, gpu: bool) -> Hits:
    """Hits of a band's core, in coordinates of the whole image."""
    valid = band.valid
    if valid is not None and not valid.any():
        return Hits.empty(product.polarizations)
    rows, columns = band.inner
    first, *second = (cfar.to_device(image) if gpu else image for image in band.images.values())
    keep = cfar.to_device(valid) if gpu and valid is not None else valid
    lines = (rows.start, rows.stop)
    if second:
        found = cfar.detect_dual(first, second[0], ring, keep, lines=lines)
    else:
        found = cfar.detect(first, ring, keep, lines=lines)
    inside = (found.pixel >= columns.start) & (found.pixel < columns.stop)
    row, column = found.line[inside], found.pixel[inside]
    line, pixel = row + band.read.line_start, column + band.read.pixel_start
    sigma0: dict[str, NDArray[np.float64]] = dict.fromkeys(product.polarizations, np.full(line.size, np.nan))
    for name, image in band.images.items():
        sigma0[name] = product.sigma0_at(name, line, pixel, image[row, column].astype(np.float64) ** 2)
    return Hits(
        line=line,
        pixel=pixel,
        value=found.value[inside],
        clutter=found.clutter[inside],
        score=found.score[inside],
        sigma0=sigma0,
        is_edge=_is_edge(band, row, column),
    )


def _is_edge(band: Band, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for each place of the band with a neighbour outside the image, without data or masked."""
    n_rows, n_columns = band.read.shape
    edge = np.zeros(row.size, dtype=np.bool_)
    for down, right in itertools.product((-1, 0, 1), repeat=2):
        near_row, near_column = row + down, column + right
        edge |= (near_row < 0) | (near_row >= n_rows) | (near_column < 0) | (near_column >= n_columns)
        near_row, near_column = near_row.clip(0, n_rows - 1), near_column.clip(0, n_columns - 1)
        edge |= ~band.has_data(near_row, near_column)
        if band.valid is not None:
            edge |= ~band.valid[near_row, near_column]
    return edge
