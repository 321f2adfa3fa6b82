"""Image coordinates: windows, outlines and polygons of an image whose places are known, by whatever geometry.

Lines and pixels count from 0; the centre of the first pixel is (0.0, 0.0).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from sarship.geo.antimeridian import overlap, recentred, ring_polygon
from sarship.model import Window

__all__ = ["SURROUNDINGS_M", "ImageCoordinates"]

Floats = NDArray[np.float64]

EDGE_STEP_M: Final = 2_000.0
"""Longest straight piece of a footprint's edge."""
CHORD_DEG: Final = 0.01
"""Longest straight piece of a polygon taken into the image; a parallel bends 0.2 m over it at latitude 85°."""
SURROUNDINGS_M: Final = 20_000.0
"""Margin around the image to which a polygon is cut that cannot be seen whole."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageCoordinates(ABC):
    """Places of an image's pixels: of a product in radar geometry, or of an image on a map."""

    shape: tuple[int, int]
    """Numbers of lines and pixels."""
    line_spacing_m: float
    """Distance between lines on the ground, metres."""
    pixel_spacing_m: float
    """Distance between pixels on the ground, metres."""

    @abstractmethod
    def at_water_level(self, water_level_m: float) -> Self:
        """Return the geometry of the same image over water at another height over the geoid, metres."""

    @abstractmethod
    def to_map(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, of image coordinates, which need not be whole."""

    @abstractmethod
    def to_image(self, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Floats, Floats]:
        """Return line and pixel, not rounded, of longitude and latitude; NaN for a place that cannot be seen."""

    @abstractmethod
    def time_at(self, line: ArrayLike) -> NDArray[np.datetime64]:
        """Return the zero-Doppler UTC time of lines, `datetime64[ns]`."""

    @abstractmethod
    def incidence_deg(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the angle of incidence, degrees; NaN where it is not known."""

    @abstractmethod
    def heading_deg(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the direction of flight, degrees clockwise from north in [0, 360)."""

    @abstractmethod
    def shift_s(self, line: ArrayLike, pixel: ArrayLike) -> Floats:
        """Return the time by whose product with its radial speed a target is imaged back along the flight, seconds.

        NaN where it is not known.
        """

    @abstractmethod
    def track_m(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return metres along the flight, and across it in the direction of rising range, from the first pixel on."""

    @abstractmethod
    def branches(self, line: Floats, pixel: Floats, margin: float) -> tuple[Floats, Floats]:
        """Return the pixel of places by each polynomial that the image uses, and the lines at which they change.

        Parameters
        ----------
        line, pixel
            Image coordinates of places.
        margin
            Lines beyond those places that polynomials are wanted for.

        Returns
        -------
        pixels
            (n, …): the first is the image's own where it has no polynomials.
        borders
            (n - 1,), ascending: line at which each polynomial but the first begins.
        """

    @property
    @abstractmethod
    def _surroundings(self) -> BaseGeometry:
        """Area within 20 km of the image, around its centre longitude; less where the radar cannot see."""

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the image, degrees."""
        lon, lat = self.to_map((self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2)
        return lon.item(), lat.item()

    def footprint(self, window: Window | None = None) -> BaseGeometry:
        """Return the outline of a window, or of the whole image, longitude and latitude in degrees.

        It follows the outer edges of the outer pixels, at the water's height, and is split at the antimeridian.
        """
        window = window or Window(0, self.shape[0], 0, self.shape[1])
        edges = window.line_start - 0.5, window.line_stop - 0.5, window.pixel_start - 0.5, window.pixel_stop - 0.5
        return self._outline(*edges)

    def to_image_polygon(self, area: BaseGeometry) -> BaseGeometry:
        """Return a longitude-latitude geometry in image coordinates: x is the pixel, y the line.

        Sides are straight in longitude and latitude, as in GeoJSON, and cut into short pieces before they are
        converted. A geometry that cannot be seen whole is cut to 20 km around the image; one that is not near is
        empty.
        """
        near = recentred(area, self.centre[0])
        placed = self._placed(near) or self._placed(overlap(near, self._surroundings)) or Polygon()
        return placed if placed.is_valid else shapely.make_valid(placed, method="structure", keep_collapsed=False)

    def window(self, area: BaseGeometry, margin_m: float = 0.0) -> Window | None:
        """Return the smallest window that holds an area and a margin around it; None if the image does not meet them.

        Parameters
        ----------
        area
            Longitude-latitude geometry.
        margin_m
            Added on every side, metres.
        """
        margin_x, margin_y = margin_m / self.pixel_spacing_m, margin_m / self.line_spacing_m
        n_lines, n_pixels = self.shape
        reach = box(-0.5 - margin_x, -0.5 - margin_y, n_pixels - 0.5 + margin_x, n_lines - 0.5 + margin_y)
        seen = overlap(self.to_image_polygon(area), reach)
        if seen.is_empty:
            return None
        left, top, right, bottom = seen.bounds
        line_start, line_stop = _whole(top - margin_y, bottom + margin_y, n_lines)
        pixel_start, pixel_stop = _whole(left - margin_x, right + margin_x, n_pixels)
        if line_start >= line_stop or pixel_start >= pixel_stop:
            return None
        return Window(line_start, line_stop, pixel_start, pixel_stop)

    def _outline(self, top: float, bottom: float, left: float, right: float) -> BaseGeometry:
        """Return the longitude-latitude polygon of a rectangle of the image."""
        n_down = 2 + int((bottom - top) * self.line_spacing_m / EDGE_STEP_M)
        n_across = 2 + int((right - left) * self.pixel_spacing_m / EDGE_STEP_M)
        down, across = np.linspace(top, bottom, n_down), np.linspace(left, right, n_across)
        line = np.concatenate([np.full(n_across, top), down[1:], np.full(n_across - 1, bottom), down[-2:0:-1]])
        pixel = np.concatenate([across, np.full(n_down - 1, right), across[-2::-1], np.full(n_down - 2, left)])
        return ring_polygon(*self.to_map(line, pixel))

    def _placed(self, area: BaseGeometry) -> BaseGeometry | None:
        """Return the geometry in image coordinates; None if some of it cannot be seen."""
        dense = shapely.segmentize(area, CHORD_DEG)
        longitude, latitude = shapely.get_coordinates(dense).T
        line, pixel = self.to_image(longitude, latitude)
        if not np.all(np.isfinite(line)):
            return None
        return shapely.set_coordinates(dense, np.column_stack([pixel, line]))


def _whole(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the first pixel and one past the last whose area, half a pixel around its centre, meets [low, high]."""
    return max(0, int(np.floor(low + 0.5))), min(size, int(np.floor(high + 0.5)) + 1)
