"""Datasets as NetCDF4 files of the CF conventions, and back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import xarray as xr
from pyproj import CRS

from sarship._package import __version__

__all__ = ["GRID_MAPPING", "netcdf_bytes", "read_netcdf"]

CONVENTIONS: Final = "CF-1.11"
GRID_MAPPING: Final = "spatial_ref"
"""Name of the variable that holds the coordinate reference system, as rioxarray expects it."""
TIME_ENCODING: Final[Mapping[str, Any]] = {
    "units": "microseconds since 1970-01-01T00:00:00",
    "calendar": "standard",
    "dtype": "int64",
}
"""Start times of products are given to the microsecond."""
TIME_ATTRS: Final = {"standard_name": "time", "axis": "T", "units_metadata": "leap_seconds: none"}
_AXES: Final = ("longitude", "latitude", "y", "x")


def netcdf_bytes(dataset: xr.Dataset, crs: str, *, title: str) -> bytes:
    """Return the dataset as a NetCDF4 file of the conventions CF-1.11.

    Dimensions are written in the order that CF recommends: time, y and x last.

    Parameters
    ----------
    dataset
        Times are without time zone, UTC.
    crs
        Coordinate reference system of the coordinates, as PROJ knows it, e.g. `EPSG:4326`.
    title
        Content of the file, in a line.

    Returns
    -------
    bytes
        The file, with a grid mapping that every spatial variable names, and UTC times to the microsecond.
    """
    reference = CRS.from_user_input(crs)
    marked = dataset.assign_coords({GRID_MAPPING: ((), 0, {"long_name": reference.name} | reference.to_cf())})
    if reference.is_projected:
        for axis, attrs in zip(("x", "y"), reference.cs_to_cf(), strict=True):
            marked[axis] = marked[axis].assign_attrs(attrs)
    places = [set(marked[name].dims) for name in _AXES if name in marked.coords]
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in marked.variables.items():
        if name in marked.coords and variable.dtype.kind == "f":
            encoding[str(name)] = {"_FillValue": None}  # CF forbids it on coordinates
        elif name in marked.data_vars and any(dims and dims <= set(variable.dims) for dims in places):
            encoding[str(name)] = {"grid_mapping": GRID_MAPPING}
    if "time" in marked.coords:
        marked["time"] = marked["time"].assign_attrs(TIME_ATTRS)
        encoding["time"] = dict(TIME_ENCODING)
    last = [name for name in ("time", "y", "x") if name in marked.dims]
    history = f"written by sarship {__version__}"
    marked = marked.transpose(..., *last).assign_attrs(Conventions=CONVENTIONS, title=title, history=history)
    with _without_cluster():
        return bytes(marked.to_netcdf(engine="h5netcdf", encoding=encoding))


def _without_cluster() -> AbstractContextManager[object]:
    """Return the context in which xarray asks no Dask cluster for a lock: of what is in memory none is known there."""
    try:
        import dask  # noqa: PLC0415  (of an extra)
    except ImportError:
        return nullcontext()
    found: AbstractContextManager[object] = dask.config.set(scheduler=dask.get)
    return found


def read_netcdf(content: bytes) -> xr.Dataset:
    """Return the dataset that `netcdf_bytes` wrote, in memory, without the grid mapping.

    Raises
    ------
    OSError, ValueError, KeyError
        If the content is damaged or is not NetCDF4.
    """
    with xr.open_dataset(io.BytesIO(content), engine="h5netcdf", decode_coords="all") as opened:
        return opened.load().drop_vars(GRID_MAPPING, errors="ignore")
