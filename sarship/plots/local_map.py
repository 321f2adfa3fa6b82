"""A scene on a plain local map, for pictures: metres east and north, wherever on Earth that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage

from sarship.geo.local_plane import Plane
from sarship.model import Window
from sarship.schema import WGS84

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.port.grid import PortGrid
    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["LocalMap", "look_deg", "map_of", "map_of_grid", "sigma0_on_map"]

Floats = NDArray[np.float64]
MARGIN: Final = 0.12
"""Margin around the place, as a part of its longer side."""
EDGE_M: Final = 50.0
"""Distance that outlines are drawn past the border, so that a cut through land is not taken for coast."""
MIN_M: Final = 1500.0
"""Shortest side of a map: a single berth is shown with its surroundings."""
CELLS: Final = 800
"""Maximum number of cells along the longer side."""
NODES: Final = 33
"""Number of places along each side that are solved exactly; the cells between them are interpolated."""
BAND_LINES: Final = 2048
"""Number of image lines that are read at once."""


@dataclass(frozen=True, eq=False, slots=True)
class LocalMap:
    """A rectangle of a plane, north up."""

    plane: Plane
    """Degrees to metres and back."""
    extent: tuple[float, float, float, float]
    """West, east, south and north border, metres on the plane."""

    @property
    def width_m(self) -> float:
        """From west to east."""
        return self.extent[1] - self.extent[0]

    @property
    def height_m(self) -> float:
        """From south to north."""
        return self.extent[3] - self.extent[2]

    def unproject(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return longitude and latitude in degrees of places on the map."""
        longitude, latitude = self.plane.transformer.transform(x, y, direction="INVERSE")
        return np.asarray(longitude), np.asarray(latitude)

    def lines(self, area: BaseGeometry) -> Iterator[tuple[Floats, Floats]]:
        """Yield outlines, lines and single points of a longitude-latitude geometry, as x and y on the map."""
        west, east, south, north = self.extent
        flat = shapely.make_valid(self.plane.flatten_geometry(area))
        flat = shapely.intersection(flat, shapely.box(west - EDGE_M, south - EDGE_M, east + EDGE_M, north + EDGE_M))
        for part in shapely.get_parts(flat):
            for piece in shapely.get_parts(part.boundary if part.geom_type == "Polygon" else part):
                x, y = piece.coords.xy
                yield np.asarray(x), np.asarray(y)


def map_of(area: BaseGeometry) -> LocalMap:
    """Return the map that holds a longitude-latitude geometry with a margin around it.

    >>> from shapely import box
    >>> place = map_of(box(179.99, -18.01, 180.0, -18.0))
    >>> round(place.width_m), round(place.height_m)
    (1500, 1500)
    """
    plane = Plane.around(area)
    west, south, east, north = plane.flatten_geometry(area).bounds
    side = max(east - west, north - south)
    width, height = (max(extent + 2 * MARGIN * side, side / 2, MIN_M) for extent in (east - west, north - south))
    x, y = (west + east) / 2, (south + north) / 2
    return LocalMap(plane, (x - width / 2, x + width / 2, y - height / 2, y + height / 2))


def map_of_grid(grid: PortGrid) -> LocalMap:
    """Return the map that a port's grid covers, so that its cells are drawn without resampling."""
    middle = grid.to_map(*((size - 1) / 2 for size in grid.shape))
    plane = Plane((float(middle[0]), float(middle[1])), Transformer.from_crs(WGS84, grid.crs, always_xy=True))
    n_rows, n_columns = grid.shape
    east_m, south_m = grid.west_m + n_columns * grid.spacing_m, grid.north_m - n_rows * grid.spacing_m
    return LocalMap(plane, (grid.west_m, east_m, south_m, grid.north_m))


def look_deg(product: RadarImage) -> float:
    """Return the direction in which the radar looked in the middle of an image, degrees clockwise from north.

    Sentinel-1 looks to the right of its flight.
    """
    line, pixel = ((size - 1) / 2 for size in product.shape)
    return (float(product.geometry.heading_deg(line, pixel)) + 90) % 360


def sigma0_on_map(product: RadarImage, polarization: str, local: LocalMap) -> Floats:
    """Return denoised sigma0 (linear) on the map, northernmost row first; NaN where the product has no data.

    The image is averaged in blocks where the map is coarser than its pixels.
    """
    step = max(max(local.width_m, local.height_m) / CELLS, product.pixel_spacing_m / 2)
    line, pixel = _image_places(product, local, step)
    factor = max(1, round(step / product.pixel_spacing_m))
    window = _window(line, pixel, product.shape, factor)
    if window is None:
        return np.full(line.shape, np.nan)
    power = _blocks(product, polarization, window, factor)
    places = [
        (line - window.line_start + 0.5) / factor - 0.5,
        (pixel - window.pixel_start + 0.5) / factor - 0.5,
    ]
    has_data = np.isfinite(power)
    weight = ndimage.map_coordinates(has_data.astype(float), places, order=1)
    total = ndimage.map_coordinates(np.where(has_data, power, 0.0), places, order=1)
    return np.where(weight > 0.5, total / np.maximum(weight, 0.5), np.nan)


def _image_places(product: RadarImage, local: LocalMap, step: float) -> tuple[Floats, Floats]:
    """Return line and pixel of every cell's centre; NaN where the satellite did not look."""
    west, east, south, north = local.extent
    x, y = np.linspace(west, east, NODES), np.linspace(north, south, NODES)
    nodes = product.geometry.to_image(*local.unproject(*np.meshgrid(x, y)))
    n_rows, n_columns = round(local.height_m / step), round(local.width_m / step)
    rows = (np.arange(n_rows) + 0.5) / n_rows * (NODES - 1)
    columns = (np.arange(n_columns) + 0.5) / n_columns * (NODES - 1)
    cells = np.meshgrid(rows, columns, indexing="ij")
    line, pixel = (ndimage.map_coordinates(np.asarray(node), cells, order=1) for node in nodes)
    return line, pixel


def _window(line: Floats, pixel: Floats, shape: tuple[int, int], factor: int) -> Window | None:
    """Return the rectangle of the image to read: whole blocks, with one block to spare."""
    bounds = []
    for place, size in zip((line, pixel), shape, strict=True):
        if not np.isfinite(place).any():
            return None
        start = max(0, int(np.nanmin(place)) // factor - 1) * factor
        stop = min(size // factor, int(np.nanmax(place)) // factor + 2) * factor
        if start >= stop:
            return None
        bounds += [start, stop]
    return Window(*bounds)


def _blocks(product: RadarImage, polarization: str, window: Window, factor: int) -> Floats:
    """Denoised sigma0 of the window, averaged over squares of `factor` pixels; NaN where none has data."""
    n_lines = max(1, BAND_LINES // factor) * factor
    rows = []
    for band, _ in window.bands(n_lines):
        power = product.sigma0(window=band, polarizations=[polarization]).to_numpy()[0]
        blocks = power.reshape(power.shape[0] // factor, factor, -1, factor)
        n_valid = np.isfinite(blocks).sum(axis=(1, 3))
        total = np.nansum(blocks, axis=(1, 3))
        rows.append(np.divide(total, n_valid, out=np.full(total.shape, np.nan), where=n_valid > 0))
    return np.concatenate(rows)
