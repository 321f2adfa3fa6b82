"""Search of xarray's arrays: labels are kept, and an array in chunks is searched chunk by chunk.

Each chunk is read with as much around it as its rings reach, so that hits and scores are those of the whole array, and
memory is bounded by the chunks that are searched at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.params import CfarParams
from sarship.errors import FloodError
from sarship.model import Hits, Window

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["is_labelled", "labelled_hits", "labelled_image"]

T = TypeVar("T")
Scalar = TypeVar("Scalar", bound=np.generic)
Lines = tuple[int, int] | None


def is_labelled(image: object) -> TypeGuard[xr.DataArray]:
    """Return True for an array of xarray's, which then has been imported."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(image, xarray.DataArray)


def labelled_image(
    search: Callable[..., NDArray[Scalar]],
    image: xr.DataArray,
    params: CfarParams | None,
    valid: Any,
    lines: Lines,
    *,
    dtype: type[Scalar],
    meaning: str,
) -> xr.DataArray:
    """Return an image of what a search gives for each pixel, with the labels of the image that is searched.

    Parameters
    ----------
    search
        `score` or `mask`, for the arrays within.
    image, params, valid, lines
        As for `detect`.
    dtype
        Type of the values.
    meaning
        Words for the attribute `long_name`.

    Returns
    -------
    xarray.DataArray
        In chunks, not computed yet, if the image is.
    """
    params, plain = params or CfarParams(), _mask_like(image, valid)
    if image.chunks is None:
        values = search(image.data, params, plain, lines=lines)
    else:
        import dask.array as da  # noqa: PLC0415  (there is dask, for the array is in its chunks)

        search_of = partial(_searched, search, lambda found, _, columns: found[:, columns], image, params, plain)
        rows = [
            [da.from_delayed(search_of(core=core), core.shape, dtype=dtype) for core in row] for row in _cores(image)
        ]
        values = da.block(rows)[slice(*(lines or (None, None)))]
    labels = image if lines is None else image[slice(*lines)]
    return labels.copy(data=values).rename(search.__name__).assign_attrs(long_name=meaning, units="1")


def labelled_hits(
    search: Callable[..., Hits], image: xr.DataArray, params: CfarParams | None, valid: Any, lines: Lines
) -> Hits:
    """Return the hits of an image with labels; line and pixel are counted from 0.

    Parameters
    ----------
    search
        `detect`, for the arrays within.
    image, params, valid, lines
        As for it.
    """
    params, plain = params or CfarParams(), _mask_like(image, valid)
    if image.chunks is None:
        return search(image.data, params, plain, lines=lines)
    import dask  # noqa: PLC0415  (there is dask, for the array is in its chunks)

    cores = [core for row in _cores(image) for core in row]
    if lines is not None:
        decided = Window(*lines, 0, image.shape[1])
        cores = [part for core in cores if (part := core.common(decided)) is not None]
    parts = dask.compute(*[_searched(search, _own_hits, image, params, plain, core=core) for core in cores])
    hits = Hits.joined(parts)
    if len(hits) > params.max_hits:
        raise FloodError.of(params.max_hits, image.shape, params.pfa)
    return hits.take(np.lexsort((hits.pixel, hits.line)))


def _mask_like(image: xr.DataArray, valid: Any) -> Any:
    """The mask as an array that lies as the image does."""
    if image.ndim != 2:
        raise ValueError(
            f"image must have two dimensions, lines and pixels, got {image.dims}: select one of the others first, "
            f"as image.isel({image.dims[0]}=0)"
        )
    if not is_labelled(valid):
        return valid
    if set(valid.dims) != set(image.dims):
        raise ValueError(f"valid must have the image's dimensions {image.dims}, got {valid.dims}")
    return valid.transpose(*image.dims).data


def _cores(image: xr.DataArray) -> Iterator[list[Window]]:
    """Chunks of an image, row by row."""
    rows, columns = ([0, *np.cumsum(sizes).tolist()] for sizes in image.chunks or ())
    for top, bottom in pairwise(rows):
        yield [Window(top, bottom, left, right) for left, right in pairwise(columns)]


def _searched(
    search: Callable[..., T],
    own: Callable[[T, Window, slice], T],
    image: xr.DataArray,
    params: CfarParams,
    valid: Any,
    *,
    core: Window,
) -> Any:
    """The search of a chunk and all that its rings reach, put off; `own` takes from what it finds the chunk's own."""
    import dask  # noqa: PLC0415  (as above)

    read = core.grown(*params.halo_shape, (image.shape[0], image.shape[1]))
    around = slice(read.line_start, read.line_stop), slice(read.pixel_start, read.pixel_stop)
    rows, columns = read.rows_columns(core)

    def searched(pixels: NDArray[np.generic], mask: NDArray[np.bool_] | None) -> T:
        return own(search(pixels, params, mask, lines=(rows.start, rows.stop)), read, columns)

    return dask.delayed(searched)(image.data[around], None if valid is None else valid[around])


def _own_hits(hits: Hits, read: Window, columns: slice) -> Hits:
    hits = hits.take(np.flatnonzero((hits.pixel >= columns.start) & (hits.pixel < columns.stop)))
    return replace(hits, line=hits.line + read.line_start, pixel=hits.pixel + read.pixel_start)
