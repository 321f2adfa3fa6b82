"""Kernels that fit an oriented box to weighted hits.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.jit import compiled, uncounted

__all__ = ["LENGTH_TO_WIDTH", "WIDENING", "WeightedHits", "fit_box"]

Reals = NDArray[np.float64]

_LEVEL: Final = 0.45
"""Weight at which the edge of a box comes to lie: the cost of a pixel of its area."""
LENGTH_TO_WIDTH: Final = 6.4
"""Length over width of a vessel, the median of 162."""
WIDENING: Final = 2.0
"""Pixels that the image adds to a vessel's width."""
_SHAPE_PENALTY: Final = 0.1
"""Cost of the square of a pixel by which the width differs from that of a vessel of the box's length."""
_STEP: Final = np.array([0.7, 0.7, 0.2, 1.5, 0.7])
"""First steps of the search: pixels, pixels, radians, pixels, pixels."""
_MIN_SIDE: Final = 0.5
"""Shortest side of a box, pixels."""
_EDGE: Final = 2.0
"""Width of a box's soft edge, pixels: the resolution."""
_FLAT: Final = 1e-3
"""The search ends when the costs of its corners differ by less."""


class WeightedHits(NamedTuple):
    """Hits of one group, (n,) each."""

    y: Reals
    x: Reals
    """Place down the lines and across the pixels, in units of a pixel's mean size."""
    weight: Reals
    """0 at the noise floor, 1 at the brightest hit."""


@uncounted
def _cost(hits: WeightedHits, box: Reals) -> float:
    """Return the cost of a box's area and shape, less the weight of the hits that it covers.

    A box is its centre's y and x, the angle of its axis from the y axis towards the x axis, its length and width. A hit
    is covered by 1 inside it, by 0 outside, and smoothly over the edge.
    """
    if box[3] < _MIN_SIDE or box[4] < _MIN_SIDE:
        return 1e9
    cost = _LEVEL * box[3] * box[4] + _SHAPE_PENALTY * (box[4] - box[3] / LENGTH_TO_WIDTH - WIDENING) ** 2
    sine, cosine = np.sin(box[2]), np.cos(box[2])
    for i in range(hits.y.size):
        dy, dx = hits.y[i] - box[0], hits.x[i] - box[1]
        along = min((box[3] / 2 - abs(dy * cosine + dx * sine)) / _EDGE + 0.5, 1.0)
        across = min((box[4] / 2 - abs(dx * cosine - dy * sine)) / _EDGE + 0.5, 1.0)
        if along > 0 and across > 0:
            cost -= along * along * (3 - 2 * along) * across * across * (3 - 2 * across) * hits.weight[i]
    return float(cost)


@uncounted
def _sort_corners(corner: Reals, cost: Reals) -> None:
    """Put corners in the order of their costs, in place."""
    for last in range(1, cost.size):
        k = last
        while k > 0 and cost[k] < cost[k - 1]:
            cost[k], cost[k - 1] = cost[k - 1], cost[k]
            for i in range(corner.shape[1]):
                corner[k, i], corner[k - 1, i] = corner[k - 1, i], corner[k, i]
            k -= 1


@compiled
def _centroid(corner: Reals) -> Reals:
    centroid = np.zeros(corner.shape[1])
    for k in range(corner.shape[0]):
        for i in range(centroid.size):
            centroid[i] += corner[k, i]
    for i in range(centroid.size):
        centroid[i] /= corner.shape[0]
    return centroid


@compiled
def _between(here: Reals, there: Reals, part: float) -> Reals:
    """Return the point that lies a part of the way from here to there."""
    point = np.empty(here.size)
    for i in range(here.size):
        point[i] = (1 - part) * here[i] + part * there[i]
    return point


@uncounted
def _put(corner: Reals, k: int, point: Reals) -> None:
    """Write a point in place of a corner."""
    for i in range(point.size):
        corner[k, i] = point[i]


@compiled
def fit_box(hits: WeightedHits, start: Reals, max_steps: int) -> tuple[Reals, float]:
    """Return the box of minimum cost near a start, and its cost: the simplex search of Nelder and Mead (1965)."""
    # loops, and no slices that are written to: what NumPy would do here takes seconds to compile
    n = start.size
    corner = np.empty((n + 1, n))
    cost = np.empty(n + 1)
    for k in range(n + 1):
        _put(corner, k, start)
        if k > 0:
            corner[k, k - 1] += _STEP[k - 1]
        cost[k] = _cost(hits, corner[k])
    for _ in range(max_steps):
        _sort_corners(corner, cost)
        if cost[n] - cost[0] < _FLAT:
            break
        centroid = _centroid(corner[:n])
        moved = _between(corner[n], centroid, 2.0)
        moved_cost = _cost(hits, moved)
        if moved_cost < cost[n - 1]:
            if moved_cost < cost[0]:
                expanded = _between(corner[n], centroid, 3.0)
                expanded_cost = _cost(hits, expanded)
                if expanded_cost < moved_cost:
                    moved, moved_cost = expanded, expanded_cost
            _put(corner, n, moved)
            cost[n] = moved_cost
            continue
        contracted = _between(centroid, moved if moved_cost < cost[n] else corner[n], 0.5)
        contracted_cost = _cost(hits, contracted)
        if contracted_cost < min(moved_cost, cost[n]):
            _put(corner, n, contracted)
            cost[n] = contracted_cost
            continue
        for k in range(1, n + 1):
            _put(corner, k, _between(corner[0], corner[k], 0.5))
            cost[k] = _cost(hits, corner[k])
    _sort_corners(corner, cost)
    return corner[0], cost[0]
