"""The fixed metric grid of a port, and products resampled on it by range-Doppler geometry at the water's height.

The grid belongs to the port, not to a scene: north up, in the UTM zone of its middle, with cells of 10 m. Dates of one
relative orbit then show the same pier in the same cell, to a fraction of a cell, and can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from rasterio import features

from sarship.errors import PortError
from sarship.geo.local_plane import Plane
from sarship.model import Scene, Window
from sarship.port.resample import interpolate_power
from sarship.schema import PORT_SIGMA0, WGS84
from sarship.sentinel1.channels import channel_faults, sample_of
from sarship.sentinel1.image_coordinates import ImageCoordinates
from sarship.sentinel1.parts import parts_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["PortGrid", "PortImage", "cells_within", "pixels_under", "to_port_grid"]

Floats = NDArray[np.float64]

SPACING_M: Final = 10.0
"""Size of a cell: the pixel spacing of IW GRDH."""
MARGIN_M: Final = 500.0
"""Margin around the area: wider than the training cells, and longer than any vessel."""
MAX_CELLS: Final = 16_000_000
"""Cells of the largest grid, 40 km by 40 km."""
NODE_STEP: Final = 25
"""Cells between nodes, whose image coordinates are solved; in between they are linear to 2 cm."""
_RASTERIZING: Final = Lock()
"""rasterio suppresses a warning while it rasterizes, for the whole process: two threads at once let it through."""
TAPS: Final = 4
"""Pixels on each side of a cell that its power is interpolated from, and one to spare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PortGrid:
    """The grid of a port, north up: row 0 is the northernmost.

    Examples
    --------
    >>> grid = PortGrid.around(shapely.box(35.80, 34.88, 35.82, 34.90))
    >>> grid.crs, grid.shape
    ('EPSG:32636', (328, 290))
    >>> longitude, latitude = grid.to_map(0.0, 0.0)
    """

    crs: str
    """UTM zone, as `EPSG:32636`."""
    west_m: float
    """Easting of the outer edge of the first column."""
    north_m: float
    """Northing of the outer edge of the first row."""
    shape: tuple[int, int]
    """Numbers of rows and columns."""
    spacing_m: float = SPACING_M
    """Size of a cell."""
    water_level_m: float = 0.0
    """Height of the port's water over the geoid, at which products are laid on the grid; 0 at sea. Images at two
    levels are as far apart as those of two ports, so they are of two grids."""

    @classmethod
    def around(cls, area: BaseGeometry, margin_m: float = MARGIN_M, water_level_m: float = 0.0) -> PortGrid:
        """Return the grid that holds an area (longitude and latitude, degrees) and a margin around it.

        Its edges are whole multiples of the spacing, so that two grids of one zone have their cells in common.

        Raises
        ------
        PortError
            If the area is empty or too large for a port.
        """
        if area.is_empty:
            raise PortError("the port's area is empty; give the port file a pier")
        longitude, latitude = Plane.around(area).middle
        zone = int((longitude + 180) // 6) % 60 + 1
        crs = f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"
        to_metres = Transformer.from_crs(WGS84, crs, always_xy=True)
        points = shapely.get_coordinates(shapely.segmentize(area, 0.01))
        x, y = to_metres.transform(points[:, 0], points[:, 1])
        west, south = (np.floor((np.min(side) - margin_m) / SPACING_M) for side in (x, y))
        east, north = (np.ceil((np.max(side) + margin_m) / SPACING_M) for side in (x, y))
        shape = int(north - south), int(east - west)
        if shape[0] * shape[1] > MAX_CELLS:
            raise PortError(
                f"the port is {shape[1] / 100:.0f} by {shape[0] / 100:.0f} km large, too large for one grid of dates; "
                "give each harbour a port file of its own"
            )
        return cls(
            crs=crs,
            west_m=float(west * SPACING_M),
            north_m=float(north * SPACING_M),
            shape=shape,
            water_level_m=water_level_m,
        )

    @property
    def y(self) -> Floats:
        """Northing of the centres of rows, metres, descending."""
        return np.asarray(self.north_m - (np.arange(self.shape[0]) + 0.5) * self.spacing_m, np.float64)

    @property
    def x(self) -> Floats:
        """Easting of the centres of columns, metres, ascending."""
        return np.asarray(self.west_m + (np.arange(self.shape[1]) + 0.5) * self.spacing_m, np.float64)

    @property
    def attrs(self) -> dict[str, str | float]:
        """Attributes of data on the grid, which `of` reads."""
        names = "crs", "west_m", "north_m", "spacing_m", "water_level_m"
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, data: xr.DataArray | xr.Dataset) -> PortGrid:
        """Return the grid of data on one."""
        attrs = data.attrs
        return cls(
            crs=str(attrs["crs"]),
            west_m=float(attrs["west_m"]),
            north_m=float(attrs["north_m"]),
            spacing_m=float(attrs["spacing_m"]),
            water_level_m=float(attrs.get("water_level_m", 0.0)),  # written before there were lakes
            shape=(data.sizes["y"], data.sizes["x"]),
        )

    def image(self, values: NDArray[np.float32], polarizations: Sequence[str], **scalars: object) -> xr.DataArray:
        """Return an image on the grid, after `schema.PORT_SIGMA0`, with scalar coordinates such as `time`."""
        coords = {"polarization": list(polarizations), "y": self.y, "x": self.x, **scalars}
        return xr.DataArray(values, coords, PORT_SIGMA0.dims, PORT_SIGMA0.name, PORT_SIGMA0.attrs | self.attrs)

    def to_map(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, of rows and columns, which need not be whole."""
        x = self.west_m + (np.asarray(pixel, np.float64) + 0.5) * self.spacing_m
        y = self.north_m - (np.asarray(line, np.float64) + 0.5) * self.spacing_m
        back = Transformer.from_crs(self.crs, WGS84, always_xy=True)
        x, y = np.broadcast_arrays(x, y)
        longitude, latitude = back.transform(x, y)
        return np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)

    def place(self, area: BaseGeometry) -> BaseGeometry:
        """Return a longitude-latitude geometry in rows and columns: x is the column, y the row."""
        to_metres = Transformer.from_crs(WGS84, self.crs, always_xy=True)

        def turn(points: Floats) -> Floats:
            x, y = to_metres.transform(points[:, 0], points[:, 1])
            columns = (np.asarray(x) - self.west_m) / self.spacing_m - 0.5
            return np.column_stack([columns, (self.north_m - np.asarray(y)) / self.spacing_m - 0.5])

        return shapely.transform(area, turn)

    def covers(self, area: BaseGeometry, grow_m: float = 0.0) -> NDArray[np.bool_]:
        """Return the mask of cells whose centre lies in a longitude-latitude area that is buffered by `grow_m` metres.

        >>> grid = PortGrid.around(shapely.box(35.80, 34.88, 35.81, 34.89), 0)
        >>> bool(grid.covers(shapely.box(35.7, 34.8, 35.9, 34.95)).all())
        True
        """
        return cells_within(self.place(area).buffer(grow_m / self.spacing_m), self.shape)


def cells_within(area: BaseGeometry, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of cells whose centre lies in an area; x is the column, y the row.

    >>> cells_within(shapely.box(0.5, -1, 2.5, 0.5), (2, 4)).tolist()
    [[False, True, True, False], [False, False, False, False]]
    """
    frame = shapely.box(-2, -2, shape[1] + 1, shape[0] + 1)
    pieces = shapely.get_parts(shapely.intersection(shapely.make_valid(area), frame))
    pieces = pieces[shapely.area(pieces) > 0]
    if not pieces.size:
        return np.zeros(shape, np.bool_)
    corner = Affine.translation(-0.5, -0.5)
    with _RASTERIZING:
        mask = features.rasterize(pieces, out_shape=shape, transform=corner, dtype="uint8")
    return np.asarray(mask, np.bool_)


@dataclass(frozen=True, eq=False, kw_only=True)
class PortImage:
    """One scene on a port's grid, as an image: its lines are the grid's rows, its pixels the columns."""

    scene: Scene
    """The acquisition."""
    grid: PortGrid
    """Grid of the image."""
    source: ImageCoordinates
    """Geometry of the product that it was resampled from, at the grid's water level."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Rows and columns by which the product is displaced from the other dates; the cells are corrected for it."""

    @classmethod
    def of(cls, product: RadarImage, grid: PortGrid, shift: tuple[float, float] = (0.0, 0.0)) -> PortImage:
        """Return a product on a grid."""
        source = product.geometry.at_water_level(grid.water_level_m)
        return cls(scene=product.scene, grid=grid, source=source, shift=shift)

    @property
    def line_spacing_m(self) -> float:
        """Distance between rows, metres."""
        return self.grid.spacing_m

    @property
    def pixel_spacing_m(self) -> float:
        """Distance between columns, metres."""
        return self.grid.spacing_m

    @property
    def geometry(self) -> PortImage:
        """Conversion between image and map: the image itself."""
        return self

    def to_map(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, of rows and columns, which need not be whole."""
        return self.grid.to_map(line, pixel)

    def time_at(self, line: ArrayLike) -> NDArray[np.datetime64]:
        """Return the zero-Doppler UTC time at the middle of rows; along a row it changes by hundredths of a second."""
        return self.source.time_at(self.to_product(line, (self.grid.shape[1] - 1) / 2)[0])

    def to_product(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return line and pixel of the product for rows and columns."""
        row, column = np.asarray(line, np.float64) + self.shift[0], np.asarray(pixel, np.float64) + self.shift[1]
        return self.source.to_image(*self.grid.to_map(row, column))

    def track_m(self, line: ArrayLike, pixel: ArrayLike) -> tuple[Floats, Floats]:
        """Return metres along the flight, and across it in the direction of rising range, of rows and columns."""
        return self.source.track_m(*self.to_product(line, pixel))

    @cached_property
    def incidence_deg(self) -> float:
        """Angle of incidence at the middle of the grid, degrees."""
        line, pixel = self.to_product((self.grid.shape[0] - 1) / 2, (self.grid.shape[1] - 1) / 2)
        return float(self.source.incidence_deg(line, pixel))


def to_port_grid(product: RadarImage, grid: PortGrid) -> xr.DataArray:
    """Resample a product's brightness on a port's grid.

    Parameters
    ----------
    product
        An open product, or an image on a map; the window that the grid needs is read.
    grid
        The port's grid; the product is laid on it at the grid's water level.

    Returns
    -------
    xarray.DataArray
        `sigma0(polarization, y, x)`, float32 linear power with the thermal noise left in, NaN where nothing was
        imaged, as in a channel without an image (`channel_faults`); `y` and `x` are the centres of cells in metres.
        Scalar coordinates: `time` and `stop` of the scene's first and last line, `scene`, `platform`,
        `relative_orbit`, `orbit_pass`, and `incidence` in the grid's middle, degrees.

    Raises
    ------
    ProductError
        If no polarisation can be read, or a file is damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.sentinel1 import open_grd
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(100, 100)), n_vessels=0)
    ...     product = open_grd(path)
    ...     image = to_port_grid(product, PortGrid.around(product.scene.footprint, margin_m=0))
    >>> image.dims, image["relative_orbit"].item()
    (('polarization', 'y', 'x'), 49)
    """
    names = product.check_polarizations()
    seen = PortImage.of(product, grid)
    line, pixels, borders = _at_nodes(seen.source, grid)
    within = _around(line, pixels)
    parts = parts_of(product.window(), within)
    window = Window.around(parts) if parts else None
    values = np.full((len(names), *grid.shape), np.nan, np.float32)
    if window is not None and min(window.shape) > 1:
        image = product.sigma0(window=window, within=within, polarizations=names, denoise=False).to_numpy()
        faults = _faults(product, dict(zip(names, image, strict=True)), window)
        image[[name in faults for name in names]] = np.nan
        pixels = np.stack([_of_cells(each, grid) for each in pixels])
        cells = _of_cells(line, grid) - window.line_start, pixels - window.pixel_start, borders - window.line_start
        with ThreadPoolExecutor(len(names)) as pool:  # the kernel does not hold the interpreter's lock
            values[:] = list(pool.map(lambda each: interpolate_power(each, *cells), image))
    scene = product.scene
    return grid.image(
        values,
        names,
        time=np.datetime64(scene.start.replace(tzinfo=None), "ns"),
        stop=np.datetime64(scene.stop.replace(tzinfo=None), "ns"),
        scene=scene.id,
        platform=scene.platform,
        relative_orbit=scene.relative_orbit,
        orbit_pass=scene.orbit_pass,
        incidence=seen.incidence_deg,
    )


def _faults(product: RadarImage, sigma0: Mapping[str, NDArray[np.float32]], window: Window) -> dict[str, str]:
    """Return the channels of a window, noise left in, that hold no image."""
    line, pixel = sample_of(window)
    numbers = {}
    for name, image in sigma0.items():
        power = np.nan_to_num(image[line - window.line_start, pixel - window.pixel_start])
        numbers[name] = np.rint(np.sqrt(power) * product.calibration(name).gain_at("sigma0", line, pixel))
    return channel_faults(product, numbers, line, pixel)


def pixels_under(product: RadarImage, grid: PortGrid) -> BaseGeometry:
    """Return the area of an image that the cells of a grid are interpolated from; x is the pixel, y the line."""
    line, pixels, _ = _at_nodes(PortImage.of(product, grid).source, grid)
    return _around(line, pixels)


def _around(line: Floats, pixels: Floats) -> BaseGeometry:
    places = np.stack(np.broadcast_arrays(pixels, line), axis=-1).reshape(-1, 2)
    corner = math.sqrt(2) * TAPS
    return shapely.MultiPoint(places[np.isfinite(places).all(axis=1)]).convex_hull.buffer(corner)


def _at_nodes(geometry: ImageCoordinates, grid: PortGrid) -> tuple[Floats, Floats, Floats]:
    """Return line (n_y, n_x) and pixel (n, n_y, n_x) of nodes, by each slant-range polynomial, and their borders."""
    rows, columns = (_nodes(size) for size in grid.shape)
    line, pixel = geometry.to_image(*grid.to_map(rows[:, None], columns[None]))
    return line, *geometry.branches(line, pixel, TAPS)


def _nodes(size: int) -> Floats:
    return np.linspace(0, size - 1, 2 + size // NODE_STEP)


def _of_cells(at_nodes: Floats, grid: PortGrid) -> Floats:
    """Return what is known at nodes, (n_y, n_x), for each cell, linear in between."""
    for axis, size in enumerate(grid.shape):
        position = np.expand_dims(np.arange(size) / _nodes(size)[1], 1 - axis)
        left = np.minimum(position.astype(int), at_nodes.shape[axis] - 2)
        share, left = position - left, left.ravel()
        at_nodes = at_nodes.take(left, axis) * (1 - share) + at_nodes.take(left + 1, axis) * share
    return at_nodes
