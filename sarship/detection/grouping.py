"""Groups of hits that lie close together, which vessels are split from; no image is needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["Labels", "group_hits", "group_max"]

Labels = NDArray[np.int64]


def group_hits(
    line: NDArray[np.int64], pixel: NDArray[np.int64], spacing_m: tuple[float, float], link_m: float
) -> Labels:
    """Return the number of each hit's group: hits at most `link_m` apart, directly or through others, share one.

    For each offset within reach the neighbours are looked up in the sorted list, so time and memory grow with the
    number of hits only, however densely they lie.

    Parameters
    ----------
    line, pixel
        (n,), sorted by line then pixel, as `Hits` are.
    spacing_m
        Metres from line to line and from pixel to pixel.
    link_m
        Maximum distance between the centres of two linked hits; at 0 every hit is its own group.

    Returns
    -------
    array of int64, (n,)
        0 … number of groups - 1, in order of each group's first hit.

    Examples
    --------
    >>> group_hits(np.array([0, 0, 5]), np.array([0, 2, 0]), (10.0, 10.0), 25.0).tolist()
    [0, 0, 1]
    """
    n_lines, n_pixels = (int(link_m // step) for step in spacing_m)
    stride = int(pixel.max(initial=0)) + n_pixels + 1
    key = line * stride + pixel
    starts, ends = [], []
    for down in range(n_lines + 1):
        for right in range(-n_pixels if down else 1, n_pixels + 1):
            if (down * spacing_m[0]) ** 2 + (right * spacing_m[1]) ** 2 > link_m**2:
                continue
            wanted = key + down * stride + right
            place = np.searchsorted(key, wanted)
            linked = (key[np.minimum(place, key.size - 1)] == wanted) & (pixel + right >= 0)
            starts.append(np.flatnonzero(linked))
            ends.append(place[linked])
    if not starts:
        return np.arange(key.size)
    start, end = np.concatenate(starts), np.concatenate(ends)
    links = coo_array((np.ones(start.size, np.bool_), (start, end)), shape=(key.size, key.size))
    return connected_components(links, directed=False)[1].astype(np.int64)


def group_max(values: NDArray[np.float64], group: Labels) -> NDArray[np.float64]:
    """Return the maximum of each group; NaN does not count.

    Examples
    --------
    >>> group_max(np.array([1.0, np.nan, 3.0]), np.array([0, 0, 1])).tolist()
    [1.0, 3.0]
    """
    found = np.full(int(group.max()) + 1, -np.inf)
    np.fmax.at(found, group, values)
    return found
