"""Bands of images on a map: windows of numbers from GeoTIFFs and from DataArrays, NaN where there is no data."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio import windows
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from sarship.errors import ProductError, explain
from sarship.model import Window
from sarship.port.map_sources import MapSource

__all__ = ["Band", "Raster", "raster_of_array", "raster_of_file"]

Power = NDArray[np.float32]

NO_DATA: Final = (-32768.0, -9999.0)
"""Values of no data that files hold without saying so; neither is any brightness."""
HASHED_LINES: Final = 1024
"""Lines of an array that its digest is taken of at once."""


@dataclass(frozen=True, kw_only=True)
class Raster:
    """Bands of one file or array, with their place on the map and their tags."""

    name: str
    shape: tuple[int, int]
    crs: CRS | None
    transform: Affine
    tags: Mapping[str, object]
    bands: tuple[Band, ...]


@dataclass(frozen=True, kw_only=True)
class FileBand:
    """A band of a file."""

    source: MapSource
    index: int
    name: str
    no_data: float | None
    scale: float
    offset: float
    dtype: str

    @property
    def is_integer(self) -> bool:
        """True for digital numbers, without a scale that the file says."""
        return np.dtype(self.dtype).kind in "ui" and (self.scale, self.offset) == (1.0, 0.0)

    @property
    def full(self) -> float:
        """Largest digital number."""
        return _full(np.dtype(self.dtype))

    def read(self, window: Window) -> Power:
        """Return the numbers of a window."""
        values = self.source.patiently(partial(self._read, window))
        return _without(values, self.no_data) * np.float32(self.scale) + np.float32(self.offset)

    def _read(self, window: Window) -> NDArray[Any]:
        (height, width), top, left = window.shape, window.line_start, window.pixel_start
        try:
            with self.source.open() as file:
                values: NDArray[Any] = file.read(self.index, window=windows.Window(left, top, width, height))
        except (RasterioError, OSError) as error:
            path = self.source.path
            raise ProductError(f"{path} cannot be read ({explain(error)}); fetch it again", path=path) from error
        return values

    def mark(self) -> list[object]:
        """Return what identifies the file, and the band in it."""
        name, *state = self.source.mark()
        return [name, self.index, *state]


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayBand:
    """A band of an array, (lines, pixels), the northernmost line first."""

    array: xr.DataArray
    name: str
    no_data: float | None

    @property
    def is_integer(self) -> bool:
        """True for digital numbers."""
        return self.array.dtype.kind in "ui"

    @property
    def full(self) -> float:
        """Largest digital number."""
        return _full(self.array.dtype)

    def read(self, window: Window) -> Power:
        """Return the numbers of a window."""
        rows, columns = slice(window.line_start, window.line_stop), slice(window.pixel_start, window.pixel_stop)
        return _without(self.array[rows, columns].to_numpy(), self.no_data)

    def mark(self) -> list[object]:
        """Return a digest of the numbers."""
        digest = hashlib.blake2b(digest_size=16)
        for band, _ in Window(0, self.array.shape[0], 0, self.array.shape[1]).bands(HASHED_LINES):
            digest.update(self.read(band).tobytes())
        return [self.name, digest.hexdigest()]


Band: TypeAlias = FileBand | ArrayBand
"""One band of an image: its name tells the polarisation, and the numbers are NaN where there is no data."""


def raster_of_file(source: MapSource) -> Raster:
    """Open a file; its pixels are not read.

    Raises
    ------
    ProductError
        It is not there, or GDAL cannot read it.
    DownloadError
        Its server does not give it.
    """
    return source.patiently(partial(_raster_of, source))


def _raster_of(source: MapSource) -> Raster:
    path = source.path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with source.open() as file:
                tags: dict[str, object] = dict(file.tags())
                for index in file.indexes:
                    tags = dict(file.tags(index)) | tags
                words = file.descriptions if file.count > 1 else (f"{file.descriptions[0] or ''} {Path(path).name}",)
                bands = tuple(
                    FileBand(
                        source=source,
                        index=index,
                        name=words[index - 1] or Path(path).name,
                        no_data=file.nodatavals[index - 1],
                        scale=float(file.scales[index - 1]),
                        offset=float(file.offsets[index - 1]),
                        dtype=file.dtypes[index - 1],
                    )
                    for index in file.indexes
                )
                crs = None if file.crs is None else CRS.from_wkt(file.crs.to_wkt())
                return Raster(name=path, shape=file.shape, crs=crs, transform=file.transform, tags=tags, bands=bands)
    except (RasterioError, OSError) as error:
        message = f"{path} is not there, or is no image on a map ({explain(error)}); give a GeoTIFF"
        raise ProductError(message, path=path) from error


def raster_of_array(array: xr.DataArray) -> Raster:
    """Return an array with `y` and `x` (or `latitude` and `longitude`), and its bands along the third dimension.

    Raises
    ------
    ProductError
        Its dimensions are others, or its coordinates are missing or unevenly spaced.
    """
    name = str(array.name or "the array")
    names = {"latitude": "y", "lat": "y", "longitude": "x", "lon": "x"}
    array = array.squeeze("time") if "time" in array.dims and array.sizes["time"] == 1 else array
    array = array.rename({old: new for old, new in names.items() if old in array.dims})
    others = [str(dim) for dim in array.dims if dim not in {"y", "x"}]
    if {"y", "x"} - set(array.dims) or len(others) > 1 or "time" in others:
        raise ProductError(f"{name} has the dimensions {array.dims}; give y and x, one band dimension, and one time")
    step = {}
    for axis in ("y", "x"):
        place = array[axis].to_numpy().astype(np.float64) if axis in array.coords else np.empty(0)
        gaps = np.diff(place)
        if not gaps.size or not gaps[0] or not np.allclose(gaps, gaps[0], rtol=1e-3):
            raise ProductError(f"{name} has no evenly spaced coordinate {axis}; give the places of its pixels")
        step[axis] = float(place[-1] - place[0]) / gaps.size
    if step["y"] > 0:
        array = array.isel(y=slice(None, None, -1))
    y, x = (float(array[axis][0]) for axis in ("y", "x"))
    transform = Affine(step["x"], 0.0, x - step["x"] / 2, 0.0, -abs(step["y"]), y + abs(step["y"]) / 2)
    scalars = {str(key): value.item() for key, value in array.coords.items() if value.ndim == 0}
    if "time" in scalars:
        scalars["time"] = array["time"].to_numpy()
    tags = scalars | {str(key): value for key, value in array.attrs.items() if np.ndim(value) == 0}
    no_data = array.attrs.get("_FillValue", array.attrs.get("nodata"))
    bands: list[Band] = []
    for k in range(array.sizes[others[0]] if others else 1):
        one = array.isel({others[0]: k}) if others else array
        label = str(one[others[0]].item()) if others and others[0] in one.coords else str(array.name or "")
        bands.append(ArrayBand(array=one.transpose("y", "x"), name=label, no_data=no_data))
    shape = (array.sizes["y"], array.sizes["x"])
    return Raster(name=name, shape=shape, crs=_crs_of(array, tags), transform=transform, tags=tags, bands=tuple(bands))


def _crs_of(array: xr.DataArray, tags: Mapping[str, object]) -> CRS | None:
    """Return the reference system as rioxarray, stackstac, odc-stac or an attribute gives it."""
    given: list[Any] = [array.coords[each].attrs for each in ("spatial_ref", "crs") if each in array.coords]
    said = [each[key] for each in given for key in ("crs_wkt", "spatial_ref") if key in each]
    said += [tags[key] for key in ("crs", "proj:code", "epsg", "proj:epsg", "spatial_ref") if tags.get(key)]
    for one in said:
        try:
            return CRS.from_user_input(int(one) if str(one).isdigit() else str(one))
        except Exception:  # noqa: S112  (pyproj raises whatever PROJ does; the next may be readable)
            continue
    return None


def _without(values: NDArray[Any], no_data: float | None) -> Power:
    """Return numbers with NaN for those that say that there is no data."""
    out = values.astype(np.float32)
    out[~np.isfinite(out)] = np.nan
    for number in (*NO_DATA, no_data):
        if number is not None:
            out[out == np.float32(number)] = np.nan
    return out


def _full(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else np.nan
