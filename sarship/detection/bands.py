"""Bands of lines of a product, each with a halo, and the masks of land and water on them.

The halo holds every pixel that the rings of a band's own lines reach, so hits in the band are exactly those of the
whole image, and memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry import Polygon

from sarship.cfar.params import CfarParams
from sarship.model import Window
from sarship.sentinel1.channels import MAX_CROSS_OVER_CO, channel_faults, cross_over_co, sample_of
from sarship.sentinel1.parts import parts_of
from sarship.sentinel1.read_ahead import read_ahead

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["Area", "Band", "Mask", "Seen", "bands_of", "doubts_of", "rasterized", "reach_of"]

BAND_PIXELS: Final = 24_000_000
"""Pixels of one band and polarisation; one is searched while the next waits and another is read."""
BLOCK: Final = (512, 1024)
"""Lines and pixels of the blocks that areas are rasterized in. They lie at fixed places of the image, so a mask does
not depend on its bands; most lie in the area or outside it, and only those with an edge are drawn."""


class Seen(NamedTuple):
    """Facts about the images of a band."""

    faults: Mapping[str, str]
    """Reason, by polarisation that is left out."""
    cross_over_co: float
    """As of the band."""
    has_data: bool


def doubts_of(product: RadarImage, seen: Sequence[Seen], *, has_data: bool = False) -> list[str]:
    """Return what is wrong with a product's images where some bands were searched.

    Each polarisation that was left out of a band, and the reason; images that look exchanged; or that there was none,
    unless `has_data` says that none is missed.
    """
    texts = []
    for name in product.polarizations:
        reasons = sorted({each.faults[name] for each in seen if name in each.faults})
        if reasons:
            texts.append(f"{name} {' or '.join(reasons)} and was left out")
    known = [each.cross_over_co for each in seen if np.isfinite(each.cross_over_co)]
    if known and (ratio := float(np.median(known))) > MAX_CROSS_OVER_CO:
        co, cross = product.polarizations
        doubt = "as neither sea nor land is: the two files are exchanged, or something else sends there"
        texts.append(f"{cross} is {ratio:.2g} times as bright as {co}, {doubt}; `sarship check` tells which")
    if not (has_data or any(each.has_data for each in seen)):
        texts = ["holds no image: nothing was seen"]
    return [f"{product.scene.id}: where it was searched, {text}" for text in texts]


class Band(NamedTuple):
    """Lines of an image, with the halo that is needed to decide on them."""

    core: Window
    """Lines and pixels to decide on."""
    read: Window
    """Core and halo, cut at the image's edge: the window of `images`."""
    images: Mapping[str, NDArray[np.uint16]]
    """Digital numbers by polarisation, of those that hold an image here; 0 is no data."""
    valid: NDArray[np.bool_] | None
    """True for each pixel of `images` that may be searched; None where all may."""
    faults: Mapping[str, str]
    """Reason, by polarisation that is left out."""
    cross_over_co: float
    """Brightness of the cross-polarised image over that of the other; NaN where they are not both there."""

    @property
    def seen(self) -> Seen:
        """Facts about its images."""
        return Seen(self.faults, self.cross_over_co, any(image.any() for image in self.images.values()))

    @property
    def inner(self) -> tuple[slice, slice]:
        """Lines and pixels of the core, counted in `images`."""
        return self.read.rows_columns(self.core)

    def cut(self, core: Window, reach: Window) -> Band | None:
        """Return the part of the band in a window, with the halo around it out to a reach; None if it has none."""
        own, read = self.core.common(core), self.read.common(reach)
        if own is None or read is None:
            return None
        part = self.read.rows_columns(read)
        images = {name: image[part] for name, image in self.images.items()}
        return self._replace(core=own, read=read, images=images, valid=None if self.valid is None else self.valid[part])

    def has_data(
        self,
        line: slice | NDArray[np.int64],
        pixel: slice | NDArray[np.int64],
        polarizations: Collection[str] | None = None,
    ) -> NDArray[np.bool_]:
        """Return True where any polarisation, or one of some, has data; indices are those of `images`."""
        found = np.zeros_like(next(iter(self.images.values()))[line, pixel], np.bool_)
        for name, image in self.images.items():
            if polarizations is None or name in polarizations:
                found |= image[line, pixel] != 0
        return found


@dataclass(frozen=True, eq=False)
class Area:
    """Area in image coordinates (x = pixel, y = line) that is rasterized on any window of the image."""

    parts: NDArray[np.object_]
    tree: shapely.STRtree
    n_pixels: int

    @classmethod
    def of(cls, geometry: BaseGeometry, n_pixels: int) -> Area:
        """Return the area of a geometry in image coordinates, and the width of the image."""
        parts = shapely.get_parts(geometry)
        return cls(parts, shapely.STRtree(parts), n_pixels)

    def covers(self, window: Window) -> NDArray[np.bool_]:
        """Return True for each pixel of the window whose centre lies in the area."""
        inside = np.zeros(window.shape, dtype=np.bool_)
        self.mark(inside, window, True)
        return inside

    def mark(self, image: NDArray[np.bool_], window: Window, value: bool) -> None:
        """Set a value, in the image of a window, at each pixel whose centre lies in the area."""
        height, width = BLOCK
        for top in range(window.line_start // height * height, window.line_stop, height):
            lines = _pieces(
                self.parts[self.tree.query(_frame(row := Window(top, top + height, 0, self.n_pixels)))], row
            )
            for left in range(window.pixel_start // width * width, window.pixel_stop if lines.size else 0, width):
                block = Window(top, top + height, left, left + min(width, self.n_pixels - left))
                pieces, part = _pieces(lines, block), block.common(window)
                if part is None or not pieces.size:
                    continue
                place = image[window.rows_columns(part)]
                if any(piece.equals_exact(_frame(block), normalize=True) for piece in pieces):
                    place[...] = value
                else:
                    place[rasterized(pieces, block)[block.rows_columns(part)]] = value


def _frame(block: Window) -> Polygon:
    """Return a block with a rim, farther out than any pixel of it."""
    return shapely.box(block.pixel_start - 2.0, block.line_start - 2.0, block.pixel_stop + 1.0, block.line_stop + 1.0)


def _pieces(parts: NDArray[np.object_], block: Window) -> NDArray[np.object_]:
    """Return polygons clipped to a block, since to rasterize one costs its vertices times the lines."""
    pieces = shapely.get_parts(shapely.clip_by_rect(parts, *_frame(block).bounds))
    return np.asarray(pieces[shapely.area(pieces) > 0])


def rasterized(polygons: NDArray[np.object_], window: Window, all_touched: bool = False) -> NDArray[np.bool_]:
    """Return True for each pixel of a window whose centre (or any part, if asked) lies in one of some polygons."""
    corner = Affine.translation(window.pixel_start - 0.5, window.line_start - 0.5)
    inside: NDArray[np.uint8] = features.rasterize(
        polygons, out_shape=window.shape, transform=corner, all_touched=all_touched, dtype="uint8"
    )
    return inside.view(np.bool_)


@dataclass(frozen=True)
class Mask:
    """Searchable part of an image: outside the land and inside the water, where they are given."""

    land: Area | None
    water: Area | None

    @classmethod
    def of(cls, product: RadarImage, land: BaseGeometry | None, water: BaseGeometry | None) -> Mask:
        """Return the mask of geometries in longitude and latitude."""
        land_area, water_area = (
            None if area is None else Area.of(product.geometry.to_image_polygon(area), product.shape[1])
            for area in (land, water)
        )
        return cls(land_area, water_area)

    def needed(self, *others: BaseGeometry) -> BaseGeometry | None:
        """Return what must be read, in image coordinates: the water and other areas; None, for all, without water."""
        return None if self.water is None else shapely.GeometryCollection([*self.water.parts, *others])

    def valid(self, window: Window) -> NDArray[np.bool_] | None:
        """Return True for each pixel of the window that may be searched; None where all may."""
        if self.land is None and self.water is None:
            return None
        valid = np.ones(window.shape, np.bool_) if self.water is None else self.water.covers(window)
        if self.land is not None:
            self.land.mark(valid, window, False)
        return valid


def bands_of(
    product: RadarImage, core: Window, ring: CfarParams, mask: Mask, within: BaseGeometry | None = None
) -> Iterator[Band]:
    """Yield a window of a product in bands of bounded size, from top to bottom; the next is made while one is used.

    Parameters
    ----------
    product
        Product to read, in all its polarisations.
    core
        Window that the cores of the bands make up.
    ring
        Parameters that the halo is to suffice for.
    mask
        Part of the image that may be searched.
    within
        Area in image coordinates that is needed, as for `GrdProduct.digital_numbers`; None for all.

    Yields
    ------
    Band

    Raises
    ------
    ProductError
        The window reaches outside the image, or a polarisation cannot be read.
    """
    return read_ahead(_bands_of(product, core, ring, mask, within))


def _bands_of(
    product: RadarImage, core: Window, ring: CfarParams, mask: Mask, within: BaseGeometry | None
) -> Generator[Band, None, None]:
    names = product.check_polarizations()
    reach = reach_of(product, core, ring)
    height = max(BAND_PIXELS // reach.shape[1], 1)
    for parts in zip(*(product.bands(name, reach, height, ring.halo_shape[0], within) for name in names), strict=True):
        lines, _, read = parts[0]
        if (own := lines.common(core)) is not None:
            images: dict[str, NDArray[np.uint16]] = dict(zip(names, (image for _, image, _ in parts), strict=True))
            line, pixel = sample_of(Window.around(parts_of(read, within) or [read]))
            sample = {name: image[line - read.line_start, pixel - read.pixel_start] for name, image in images.items()}
            faults = channel_faults(product, sample, line, pixel)
            sound = {name: image for name, image in images.items() if name not in faults}
            ratio = cross_over_co(product, {name: sample[name] for name in sound}, line, pixel) if sound else np.nan
            sound = sound or {names[0]: np.zeros(read.shape, np.uint16)}  # nothing that can be trusted was imaged
            yield Band(own, read, sound, mask.valid(read), faults, ratio)


def reach_of(product: RadarImage, core: Window, ring: CfarParams) -> Window:
    """Return the window that `bands_of` reads: the core and a halo, cut at the image's edge."""
    return core.grown(*ring.halo_shape, product.shape)
