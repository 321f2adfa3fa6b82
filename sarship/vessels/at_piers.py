"""Vessels at piers, told apart by a learned model on a port's grid.

CFAR says which cells stand out, not which of them are one vessel: hulls at a quay lie closer than a resolution cell,
and cranes, sidelobes and superstructures stand out as well. So along each pier (`frames.py`) a small network
(`network.py`) sees the date, the empty port where it is known, and where pier and land are, and says where vessels
lie, how long they are, and how many there are; every place is judged once more (`candidates.py`) and gets its chance.

The number at a pier is a sum of chances: it has a distribution, whose quantiles are its bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final, NamedTuple

import numba
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from threadpoolctl import threadpool_limits

from sarship.vessels.candidates import CELL_M, judged
from sarship.vessels.frames import SUB, Frame, Maps, cut_frames, own_cells
from sarship.vessels.network import Network, load_network
from sarship.vessels.network_inputs import FrameMaps, channels

__all__ = ["PierVessels", "PortMaps", "find_at_piers"]

Floats = NDArray[np.float64]

BEYOND_REACH_M: Final = 70.0
"""Distance beyond a pier's waters that the middle of a vessel may lie at: half of a long one with its stern to it."""
FAR_CELLS: Final = 99.0
"""Distance to other piers where there are none."""
INTERVAL: Final = (0.1, 0.9)
"""Quantiles of the bounds of a count."""


class Berth(NamedTuple):
    """A frame of a pier, and what stays there from date to date; from `lay_berths`."""

    pier: int
    """Number of the pier."""
    frame: Frame
    own: NDArray[np.bool_]
    """Cells whose vessels are this frame's."""
    near: Maps
    """Cells to the pier."""
    far: Maps
    """Cells to other piers."""


class PortMaps(NamedTuple):
    """A date on a port's grid as the network needs it; power is relative to that day's sea.

    Examples
    --------
    >>> calm = np.zeros((2, 40, 60), np.float32)
    >>> maps = PortMaps(calm, None, None, np.zeros((40, 60), bool), (1.0, 0.0))
    >>> maps.has_cross
    True
    """

    raw: NDArray[np.float32]
    """ln power over the sea's, (2, y, x), co- and cross-polarised."""
    expected: NDArray[np.float32] | None
    """ln power of the empty port over that sea's, (2, y, x); None without a reference."""
    spread: NDArray[np.float32] | None
    """Deviation of ln power of the empty port, (y, x); None without a reference."""
    land: NDArray[np.bool_]
    """True on land, (y, x); False everywhere where it is not known."""
    look: tuple[float, float]
    """Unit vector of rising range, in columns and rows."""
    has_cross: bool = True
    """True if there is a cross-polarised image."""


class PierVessels(NamedTuple):
    """Candidates at piers; arrays of one length, by pier and falling chance.

    Examples
    --------
    >>> none = PierVessels(*[np.empty(0)] * 7)
    >>> none.chance.size
    0
    """

    pier: NDArray[np.int64]
    """Number of the pier."""
    column: Floats
    row: Floats
    length_m: Floats
    width_m: Floats
    angle: Floats
    """From columns' direction towards rows', radians."""
    chance: Floats
    """Chance that there is a vessel, and not a piece of another, 0 … 1."""

    def take(self, chosen: NDArray[np.generic]) -> PierVessels:
        """Return some of them."""
        return PierVessels._make(column[chosen] for column in self)


def find_at_piers(
    maps: PortMaps, piers: Sequence[BaseGeometry], reach_m: Sequence[float], network: Network | None = None
) -> PierVessels:
    """Find the vessels at piers.

    Parameters
    ----------
    maps
        The date.
    piers
        Lines along quays, outlines or points, in columns x and rows y of the grid.
    reach_m
        Width of each pier's waters, metres.
    network
        By default the one that ships with the library.

    Returns
    -------
    PierVessels
        Everything with a chance worth telling; those likelier than not are vessels.

    Raises
    ------
    ModelError
        The network's file is missing or damaged.

    Examples
    --------
    An empty sea:

    >>> calm = np.zeros((2, 40, 60), np.float32)
    >>> maps = PortMaps(calm, None, None, np.zeros((40, 60), bool), (1.0, 0.0))
    >>> int((find_at_piers(maps, [shapely.LineString([(20, 20), (50, 20)])], [60.0]).chance > 0.5).sum())
    0
    """
    network = network or load_network()
    berths = lay_berths(tuple(piers), tuple(map(float, reach_m)))
    # A frame's products of matrices are too small to be shared out: on two threads BLAS took four times the processor
    # time that it takes on one. So each frame has one thread.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(numba.get_num_threads()) as pool:
        found = list(pool.map(lambda berth: _find_in_frame(maps, berth, network), berths))
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] if found else [np.empty(0)] * 7
    order = np.lexsort((-columns[6], columns[0]))
    return PierVessels._make(columns).take(order)


@lru_cache(maxsize=16)
def lay_berths(piers: tuple[BaseGeometry, ...], reach_m: tuple[float, ...]) -> list[Berth]:
    """Return the frames of all piers, in columns and rows; they are kept, as the next date has the same."""
    reaches = [(each + BEYOND_REACH_M) / CELL_M for each in reach_m]
    frames = [
        (number, frame)
        for number, (pier, reach) in enumerate(zip(piers, reaches, strict=True))
        for frame in cut_frames(pier, reach)
    ]
    owns = own_cells([frame for _, frame in frames], [reaches[number] for number, _ in frames])
    berths = []
    for (number, frame), own in zip(frames, owns, strict=True):
        others = [pier for other, pier in enumerate(piers) if other != number]
        far = frame.distance(shapely.union_all(others)) if others else np.full(frame.shape, FAR_CELLS, np.float32)
        berths.append(Berth(number, frame, own, frame.distance(piers[number]), far))
    return berths


def _find_in_frame(maps: PortMaps, berth: Berth, network: Network) -> PierVessels:
    frame, own = berth.frame, berth.own
    seen = channels(_frame_maps(maps, berth))
    found, chance = judged(network, network(seen), seen, own)
    column, row = frame.to_grid(found.u, found.v)
    turn = np.arctan2(frame.along[1], frame.along[0])
    number = np.full(len(chance), berth.pier)
    return PierVessels(number, column, row, found.length_m, found.width_m, found.angle + turn, chance)


def _frame_maps(maps: PortMaps, berth: Berth) -> FrameMaps:
    frame, look = berth.frame, np.array(maps.look)
    expected, spread = None, np.zeros(frame.shape, np.float32)
    if maps.expected is not None and maps.spread is not None:
        expected, spread = np.stack([frame.sample(each, SUB) for each in maps.expected]), frame.sample(maps.spread)
    return FrameMaps(
        raw=np.stack([frame.sample(each, SUB) for each in maps.raw]),
        expected=expected,
        spread=spread,
        near=berth.near,
        far=berth.far,
        land=frame.sample(maps.land),
        look=(float(look @ frame.along), float(look @ frame.across)),
        has_cross=maps.has_cross,
    )


def count_distribution(chance: Floats) -> Floats:
    """Return the probabilities of 0, 1, 2, … vessels of independent chances (the Poisson binomial distribution).

    Examples
    --------
    >>> count_distribution(np.array([0.5, 1.0])).tolist()
    [0.0, 0.5, 0.5]
    """
    out = np.ones(1)
    for each in chance:
        out = np.convolve(out, [1 - each, each])
    return out


def count_of(chance: Floats) -> tuple[int, int, int]:
    """Return the least, the best and the largest number of vessels that chances amount to.

    Best is their sum, rounded; the others are the 80 % interval.

    Examples
    --------
    >>> count_of(np.array([0.97, 0.96, 0.6, 0.3, 0.02]))
    (2, 3, 4)
    """
    cumulative = count_distribution(chance).cumsum()
    least, most = (int(np.searchsorted(cumulative, quantile)) for quantile in INTERVAL)
    return least, int(np.clip(round(float(chance.sum())), least, most)), most
