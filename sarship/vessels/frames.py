"""Frames: rectangles of cells along piers, in which vessels are told apart.

A pier is cut into straight pieces, and each piece gets a rectangle of the port's grid, turned so that its first axis
runs along the piece: what lies alongside is then seen in one direction, whatever the pier's bearing. Frames of one port
overlap; a vessel belongs to the frame whose piece its middle is nearest to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

__all__ = ["Frame", "cut_frames", "nearest_cells", "own_cells"]

Floats = NDArray[np.float64]
Maps = NDArray[np.float32]

BEYOND_ENDS: Final = 5.0
"""Cells that a frame reaches past the ends of its piece: half a vessel that lies across the end."""
BEYOND_OWN: Final = 4.0
"""Cells that a frame reaches past those of its own: of a vessel whose middle is just its own a half is seen."""
MIN_SIDE: Final = 8
"""Shortest side of a frame, in cells."""
MULTIPLE: Final = 4
"""Sides are multiples of this: the network halves them twice."""
SUB: Final = 2
"""Samples across a cell, across the piece: rafted vessels lie 15 to 20 m apart, and speckle is correlated over 20 m."""
BEND_CELLS: Final = 2.0
"""Maximum distance of a line from the straight piece that stands for it."""
FILLED: Final = 0.6
"""Minimum share of its smallest rectangle that an outline fills for one frame to hold it: an L or a U fills less."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Frame:
    """A rectangle of cells. Grid coordinates are columns x and rows y.

    Examples
    --------
    >>> frame = Frame(origin=(5.0, 2.0), along=(0.0, 1.0), shape=(12, 8), piece=shapely.Point(8, 8))
    >>> frame.to_grid(3, 1)
    (array(4.), array(5.))
    """

    origin: tuple[float, float]
    """Grid coordinates of the middle of cell (0, 0)."""
    along: tuple[float, float]
    """Unit vector of the first axis."""
    shape: tuple[int, int]
    """Number of cells along and across."""
    piece: BaseGeometry
    """The piece of the pier, in grid coordinates."""

    @property
    def across(self) -> tuple[float, float]:
        """Unit vector of the second axis."""
        return -self.along[1], self.along[0]

    def to_grid(self, u: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
        """Return grid coordinates of cells along and across, which need not be whole."""
        u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
        x, y = (self.origin[k] + u * self.along[k] + v * self.across[k] for k in (0, 1))
        return np.asarray(x), np.asarray(y)

    def to_frame(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Return cells along and across of grid coordinates."""
        x, y = np.asarray(x, np.float64) - self.origin[0], np.asarray(y, np.float64) - self.origin[1]
        u, v = (x * axis[0] + y * axis[1] for axis in (self.along, self.across))
        return np.asarray(u), np.asarray(v)

    def cells(self, sub: int = 1) -> tuple[Floats, Floats]:
        """Return grid coordinates of every cell, or of so many samples across each, (n_along, sub · n_across)."""
        v = (np.arange(self.shape[1] * sub) - (sub - 1) / 2) / sub
        return self.to_grid(np.arange(self.shape[0])[:, None], v[None])

    def sample(self, image: NDArray[np.generic], sub: int = 1) -> Maps:
        """Return an image of the grid in the frame, linear between cells, (n_along, sub · n_across).

        Cells off the grid take the nearest one's value.
        """
        x, y = self.cells(sub)
        return np.asarray(ndimage.map_coordinates(np.asarray(image, np.float32), [y, x], order=1, mode="nearest"))

    def distance(self, area: BaseGeometry) -> Maps:
        """Return the distance of every cell from an area in grid coordinates, in cells."""
        shapely.prepare(area)
        return np.asarray(shapely.distance(area, shapely.points(*self.cells())), np.float32)


def cut_frames(pier: BaseGeometry, reach: float) -> list[Frame]:
    """Return the frames of a pier.

    Parameters
    ----------
    pier
        Line, outline or point in grid coordinates.
    reach
        Cells that frames reach over the water, from each side of their piece.

    Returns
    -------
    list of Frame
        One a straight piece.

    Examples
    --------
    >>> mole = shapely.LineString([(0, 0), (0, 50), (30, 50)])
    >>> [frame.shape for frame in cut_frames(mole, 12.0)]
    [(60, 32), (40, 32)]
    """
    return [_around(piece, reach) for piece in _pieces(pier)]


def _pieces(pier: BaseGeometry) -> Iterator[BaseGeometry]:
    """Straight lines, compact outlines and points of a geometry."""
    for part in shapely.get_parts(pier):
        if part.geom_type in {"MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"}:
            yield from _pieces(part)
        elif part.geom_type == "Polygon" and part.area < FILLED * shapely.minimum_rotated_rectangle(part).area:
            yield from _straight(part.exterior)
        elif part.geom_type in {"LineString", "LinearRing"}:
            yield from _straight(part)
        elif not part.is_empty:
            yield part


def _straight(line: BaseGeometry) -> Iterator[BaseGeometry]:
    corners = shapely.get_coordinates(line.simplify(BEND_CELLS))
    for ends in pairwise(corners):
        yield shapely.LineString(ends)


def _around(piece: BaseGeometry, reach: float) -> Frame:
    """The frame of one piece; its first axis runs along the longer side, eastward, and northward if along a column."""
    middle, along, half = _rectangle(shapely.get_coordinates(shapely.minimum_rotated_rectangle(piece)))
    if along[0] < -1e-9 or (abs(along[0]) < 1e-9 and along[1] < 0):
        along = -along
    across = np.array([-along[1], along[0]])
    half += BEYOND_ENDS if half[0] > 0 else reach + BEYOND_OWN, reach + BEYOND_OWN
    size = [max(MIN_SIDE, MULTIPLE * int(np.ceil(2 * each / MULTIPLE))) for each in half]
    origin = middle - along * (size[0] - 1) / 2 - across * (size[1] - 1) / 2
    return Frame(origin=tuple(origin.tolist()), along=tuple(along.tolist()), shape=(size[0], size[1]), piece=piece)


def _rectangle(corners: Floats) -> tuple[Floats, Floats, Floats]:
    """Middle of a rectangle, unit vector along its longer side, and half its sides; of a line or a point likewise."""
    sides = np.diff(corners, axis=0)[:2] if len(corners) > 1 else np.zeros((1, 2))
    longest = sides[int(np.argmax(np.hypot(*sides.T)))]
    length = float(np.hypot(*longest))
    along = longest / length if length > 0 else np.array([1.0, 0.0])
    other = sides[1 - int(np.argmax(np.hypot(*sides.T)))] if len(sides) > 1 and len(corners) > 3 else np.zeros(2)
    middle = corners[:4].mean(axis=0) if len(corners) > 3 else corners.mean(axis=0)
    return middle, along, np.array([length, float(np.hypot(*other))]) / 2


def own_cells(frames: Sequence[Frame], reaches: Sequence[float]) -> list[NDArray[np.bool_]]:
    """Return the cells of each frame whose vessels are its own.

    They lie within the frame's reach of its piece, and nearer to it than to the pieces of all others; where two are as
    near, as off the corner that they share, the first has them.

    Examples
    --------
    >>> mole = shapely.LineString([(0, 0), (0, 50), (30, 50)])
    >>> frames = cut_frames(mole, 12.0)
    >>> [int(cells.sum()) for cells in own_cells(frames, [12.0, 12.0])]
    [1308, 758]
    """
    pieces = [frame.piece for frame in frames]
    masks = []
    for k, (frame, reach) in enumerate(zip(frames, reaches, strict=True)):
        near = frame.distance(frame.piece)
        own = near <= reach
        for other, piece in enumerate(pieces):
            if other != k and frame_meets(frame, piece, reach):
                apart = frame.distance(piece)
                own &= near < apart if other < k else near <= apart
        masks.append(np.asarray(own))
    return masks


def nearest_cells(shape: tuple[int, int], u: ArrayLike, v: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the cells of a frame that places along and across lie in, or are nearest to.

    Examples
    --------
    >>> nearest_cells((4, 3), [1.2, 9.0], [0.6, -2.0])
    (array([1, 3]), array([1, 0]))
    """
    along, across = (
        np.clip(np.round(np.asarray(at, np.float64)), 0, n - 1).astype(np.int64)
        for at, n in zip((u, v), shape, strict=True)
    )
    return along, across


def frame_meets(frame: Frame, area: BaseGeometry, reach: float) -> bool:
    """Return True if an area comes within the reach of a frame's cells."""
    ends = np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * np.array(frame.shape)
    corners = shapely.Polygon(np.stack(frame.to_grid(*ends.T), axis=-1))
    return bool(shapely.dwithin(corners, area, reach))
