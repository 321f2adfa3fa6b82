"""The stack of a port's dates on its grid, stored as Zarr and read as one cube; the reference as NetCDF.

Each scene is a Zarr group of its own in the stack's folder, with one array a polarisation. It is written whole or not
at all, so a run that is killed leaves a stack of the scenes that it finished; a later run adds to it without touching
them, in any order.

Scenes and references carry digests of their content: a disk or a copy that changed a bit must not change a count.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from sarship.errors import LibraryError, ReferenceImageError
from sarship.files import atomic_folder, read_file, write_file
from sarship.model import CO_FIRST
from sarship.netcdf import GRID_MAPPING, netcdf_bytes, read_netcdf
from sarship.port.grid import PortGrid
from sarship.schema import PORT_SIGMA0, REFERENCE
from sarship.sentinel1.passes import number_passes

if TYPE_CHECKING:
    from types import ModuleType

    from zarr import Group

__all__ = ["add_scene", "has_scene", "read_reference", "read_scene", "read_stack", "write_reference", "zarr_library"]

TIMES: Final = ("time", "stop")
DIGEST: Final = "digest"
SEAL_BYTES: Final = 16
"""Of the digest with which the file of a reference ends, beyond what HDF5 reads. In a damaged file HDF5 may search for
ever, so it sees none before the digest was found right."""
SCALARS: Final = ("scene", "platform", "relative_orbit", "orbit_pass", "incidence")


def add_scene(folder: str | Path, name: str, image: xr.DataArray, fingerprint: str = "") -> Path:
    """Add a scene to a stack.

    Parameters
    ----------
    folder
        The stack; made if missing.
    name
        File name for the scene; one that is there is replaced.
    image
        From `to_port_grid`.
    fingerprint
        Digest of all that the scene depends on, for `has_scene`.

    Returns
    -------
    Path
        The Zarr group.

    Raises
    ------
    OutputError
        If the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> grid = PortGrid(crs="EPSG:32636", west_m=0.0, north_m=0.0, shape=(2, 3))
    >>> scene = {"scene": "S1A_1", "platform": "S1A", "relative_orbit": 94, "orbit_pass": "ascending"}
    >>> time = np.datetime64("2024-12-03T15:42:10", "ns")
    >>> image = grid.image(np.ones((1, 2, 3), np.float32), ["VV"], time=time, incidence=38.0, **scene)
    >>> with TemporaryDirectory() as folder:
    ...     _ = add_scene(folder, "S1A_1", image)
    ...     stack = read_stack(folder)
    >>> dict(stack["sigma0"].sizes)
    {'time': 1, 'polarization': 1, 'y': 2, 'x': 3}
    """
    place = Path(folder) / f"{name}.zarr"
    attrs = {key: image[key].item() for key in SCALARS} | PortGrid.of(image).attrs
    attrs |= {key: str(image[key].to_numpy()) for key in TIMES if key in image.coords}
    channels = {str(name): image.sel(polarization=name).to_numpy() for name in image["polarization"].to_numpy()}
    attrs |= {"fingerprint": fingerprint, "polarizations": [*channels], "shape": list(image.shape[1:])}
    of_cells: dict[str, Any] = {"coordinates": f"time {GRID_MAPPING}", "grid_mapping": GRID_MAPPING}
    attrs |= {"digests": [content_digest({name: values}) for name, values in channels.items()]}
    attrs |= {DIGEST: content_digest({}, attrs)}
    zarr = zarr_library()
    with atomic_folder(place, parents=True) as part:
        group = zarr.open_group(part, mode="w", zarr_format=3, attributes=attrs)
        for polarization, values in channels.items():
            array = group.create_array(
                polarization,
                shape=values.shape,
                dtype="float32",
                fill_value=np.nan,
                dimension_names=("y", "x"),
                attributes=PORT_SIGMA0.attrs | of_cells,
            )
            array[:] = values
        _write_coordinates(group, image)
    return place


def _write_coordinates(group: Group, image: xr.DataArray) -> None:
    """Write axes, time and grid mapping after CF for xarray and others; sarship itself has them from the attributes."""
    reference = CRS.from_user_input(image.attrs["crs"])
    for axis, attrs in zip("xy", reference.cs_to_cf(), strict=True):
        group.create_array(axis, data=image[axis].to_numpy(), dimension_names=(axis,), attributes=attrs)
    start = image["time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    units: dict[str, Any] = {
        "standard_name": "time",
        "units": "nanoseconds since 1970-01-01",
        "calendar": "proleptic_gregorian",
    }
    group.create_array("time", data=np.asarray(start), attributes=units)
    group.create_array(GRID_MAPPING, data=np.asarray(0), attributes=reference.to_cf())


def has_scene(folder: str | Path, name: str, fingerprint: str, *, reads_pixels: bool = True) -> bool:
    """Return True if a scene is in the stack with this fingerprint, undamaged as far as it is read."""
    try:
        group = _open(Path(folder) / f"{name}.zarr")
        if group.attrs["fingerprint"] != fingerprint:
            return False
        for polarization in _names(group) if reads_pixels else ():
            _values(group, polarization)
    except ReferenceImageError:
        return False
    return True


def read_scene(folder: str | Path, name: str) -> xr.DataArray:
    """Return one scene of a stack, as `to_port_grid` gave it.

    Raises
    ------
    ReferenceImageError
        If it is missing or damaged.
    """
    group = _open(Path(folder) / f"{name}.zarr")
    grid, names = _common_grid(Path(folder), [group]), _names(group)
    values = np.full((len(names), *grid.shape), np.nan, np.float32)
    _fill(values, group, names)
    times = {key: _time(group, key) for key in TIMES}
    return grid.image(values, names, **times, **{key: group.attrs[key] for key in SCALARS})


def read_stack(
    folder: str | Path, *, relative_orbit: int | None = None, scenes: Collection[str] | None = None
) -> xr.Dataset:
    """Read a stack as one cube, in order of time.

    Slices of one pass are one date: where they overlap the earlier one counts.

    Parameters
    ----------
    folder
        The stack.
    relative_orbit
        Track of the dates; all for None.
    scenes
        Ids of the scenes; all for None.

    Returns
    -------
    Dataset
        `sigma0(time, polarization, y, x)`, float32, NaN where nothing was imaged or the polarisation was not
        recorded; along `time` the coordinates `scene` (ids of a pass joined by a space), `platform`,
        `relative_orbit`, `orbit_pass` and `incidence`.

    Raises
    ------
    ReferenceImageError
        If there is no such date, one is damaged, or they lie on different grids or at different water levels.

    Examples
    --------
    >>> read_stack("nowhere")
    Traceback (most recent call last):
    sarship.errors.ReferenceImageError: nowhere holds no date; grid some scenes of this port first
    """
    folder = Path(folder)
    groups = [_open(place) for place in sorted(folder.glob("*.zarr"))]
    if relative_orbit is not None:
        groups = [group for group in groups if group.attrs["relative_orbit"] == relative_orbit]
    if scenes is not None:
        groups = [group for group in groups if group.attrs["scene"] in scenes]
    if not groups:
        which = "" if relative_orbit is None else f" of relative orbit {relative_orbit}"
        message = f"{folder} holds no date{which}; grid some scenes of this port first"
        raise ReferenceImageError(message, path=folder)
    groups.sort(key=lambda group: (str(group.attrs["time"]), str(group.attrs["scene"])))
    grid = _common_grid(folder, groups)
    passes = _passes(groups)
    names = sorted({str(p) for group in groups for p in _names(group)}, key=CO_FIRST.index)
    values = np.full((len(passes), len(names), *grid.shape), np.nan, np.float32)
    for date, slices in zip(values, passes, strict=True):
        for group in slices:
            _fill(date, group, names)
    coords: dict[str, Any] = {
        "time": np.array([_time(slices[0]) for slices in passes]),
        "polarization": names,
        "y": grid.y,
        "x": grid.x,
        "scene": ("time", [" ".join(str(group.attrs["scene"]) for group in slices) for slices in passes]),
    }
    coords |= {key: ("time", [slices[0].attrs[key] for slices in passes]) for key in SCALARS[1:]}
    cube = xr.DataArray(values, coords, ("time", *PORT_SIGMA0.dims), attrs=PORT_SIGMA0.attrs)
    return xr.Dataset({PORT_SIGMA0.name: cube}, attrs=grid.attrs)


def write_reference(reference: xr.Dataset, path: str | Path) -> Path:
    """Write a reference as one NetCDF file.

    Parameters
    ----------
    reference
        From `fit_reference`.
    path
        The file; one that is there is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     reference = xr.Dataset(coords={"y": [5.0], "x": [5.0]}, attrs={"crs": "EPSG:32636"})
    ...     write_reference(reference, f"{folder}/empty_port.nc").name
    'empty_port.nc'
    """
    content = netcdf_bytes(reference, str(reference.attrs["crs"]), title="empty port")
    return write_file(path, content + _seal(content))


def read_reference(path: str | Path) -> xr.Dataset:
    """Read a reference that `write_reference` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Dataset
        The empty-port reference (`schema.REFERENCE`).

    Raises
    ------
    ReferenceImageError
        If the file is missing, damaged, or holds something else than `write_reference` wrote.

    Examples
    --------
    >>> read_reference("nowhere.nc")
    Traceback (most recent call last):
    sarship.errors.ReferenceImageError: nowhere.nc cannot be read as a reference (...); fit it again
    """
    try:
        written = read_file(path)
    except OSError as error:
        message = f"{path} cannot be read as a reference ({error.strerror}); fit it again"
        raise ReferenceImageError(message, path=path) from error
    content = written[:-SEAL_BYTES]
    if written[-SEAL_BYTES:] != _seal(content):
        message = f"{path} is not as sarship wrote it: it is damaged, or was changed by hand; fit it again"
        raise ReferenceImageError(message, path=path)
    reference = read_netcdf(content)
    missing = [name for name in REFERENCE if name not in reference]
    if missing or "crs" not in reference.attrs:
        message = f"{path} is no reference: it lacks {missing[0] if missing else 'crs'}; fit one"
        raise ReferenceImageError(message, path=path)
    flags = {name: reference[name].astype(bool) for name in ("is_coregistered", "is_borrowed", "is_permanent")}
    return reference.assign(flags).assign_coords(polarization=reference["polarization"].astype(str))


def content_digest(arrays: Mapping[str, NDArray[Any]], attrs: Mapping[str, Any] | None = None) -> str:
    """Return the digest of arrays of numbers, with their names and shapes, and of plain attributes."""
    digest = hashlib.blake2b(digest_size=16)
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        digest.update(np.ascontiguousarray(values).data)
    digest.update(json.dumps(attrs or {}, sort_keys=True).encode())
    return digest.hexdigest()


def _seal(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=SEAL_BYTES).digest()


def zarr_library() -> ModuleType:
    """Return the library that scenes are stored by.

    Raises
    ------
    LibraryError
        It is not installed.
    """
    try:
        return import_module("zarr")
    except ModuleNotFoundError as error:
        raise LibraryError.of("a port's stack of dates", error.name or "zarr") from None


def _open(place: Path) -> Group:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            group: Group = zarr_library().open_group(place, mode="r")
            attrs = dict(group.attrs)
    except LibraryError:
        raise
    except Exception as error:  # zarr raises whatever its store does
        raise _damaged(place, error) from error
    if attrs.pop(DIGEST, None) != content_digest({}, attrs):
        raise _damaged(place, "its attributes are not as they were written")
    return group


def _values(group: Group, polarization: str) -> NDArray[np.float32]:
    """Return an image of a scene."""
    place = Path(str(group.store_path).removeprefix("file://")) / polarization
    try:
        values = np.asarray(group[polarization][:])  # type: ignore[index]
    except Exception as error:  # zarr and its codecs raise whatever they like
        raise _damaged(place, error) from error
    written = dict(zip(_names(group), group.attrs["digests"], strict=True))  # type: ignore[arg-type]
    if content_digest({polarization: values}) != written[polarization]:
        raise _damaged(place, "its pixels are not as they were written")
    return values


def _damaged(place: Path, why: object) -> ReferenceImageError:
    return ReferenceImageError(f"{place} is damaged ({why}); delete it and run again", path=place)


def _names(group: Group) -> list[str]:
    return [str(name) for name in group.attrs["polarizations"]]  # type: ignore[union-attr]


def _time(group: Group, name: str = "time") -> np.datetime64:
    return np.datetime64(str(group.attrs.get(name, group.attrs["time"])), "ns")  # who has no `stop` took no time


def _common_grid(folder: Path, groups: list[Group]) -> PortGrid:
    """Return the grid of all scenes."""
    grids = []
    for group in groups:
        sides = {axis: np.arange(n) for axis, n in zip("yx", group.attrs["shape"], strict=True)}  # type: ignore[arg-type]
        grids.append(PortGrid.of(xr.Dataset(coords=sides, attrs=dict(group.attrs))))
    if any(grid != grids[0] for grid in grids):
        message = f"{folder} holds dates on different grids or water levels; give each port a folder of its own"
        raise ReferenceImageError(message, path=folder)
    return grids[0]


def _passes(groups: list[Group]) -> list[list[Group]]:
    """Groups in order of time, slices of one pass together."""
    start, stop = ([_time(group, name) for group in groups] for name in TIMES)
    numbers = number_passes([str(group.attrs["platform"]) for group in groups], start, stop)
    passes: list[list[Group]] = [[] for _ in np.unique(numbers)]
    for group, number in zip(groups, numbers, strict=True):
        passes[number].append(group)
    return passes


def _fill(date: NDArray[np.float32], group: Group, names: list[str]) -> None:
    """Fill the cells without data from a slice."""
    for image, name in zip(date, names, strict=True):
        if name in _names(group):
            values = _values(group, name)
            np.copyto(image, values, where=np.isnan(image))
