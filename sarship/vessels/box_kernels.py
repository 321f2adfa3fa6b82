"""Kernels that lay a rectangle over hits.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.jit import compiled

__all__ = ["N_SIDES", "cover_hits", "fit_box"]

Reals = NDArray[np.float64]

N_SIDES: Final = 5
"""Numbers of a box: y and x of its centre, angle from the y axis towards the x axis, length, width."""
_SMALLEST: Final = 0.5
"""Shortest side of a box, pixels."""
_EDGE: Final = 2.0
"""Width of a box's soft edge, pixels: the resolution."""
_FLAT: Final = 1e-3
"""The search ends when its corners differ by less."""


@compiled
def cover_hits(y: Reals, x: Reals, box: Reals) -> Reals:
    """How far each hit lies in a box: 1 inside, 0 outside, smooth over the edge."""
    cover = np.zeros(y.size)
    sine, cosine = np.sin(box[2]), np.cos(box[2])
    for i in range(y.size):
        dy, dx = y[i] - box[0], x[i] - box[1]
        along = min((box[3] / 2 - abs(dy * cosine + dx * sine)) / _EDGE + 0.5, 1.0)
        across = min((box[4] / 2 - abs(dx * cosine - dy * sine)) / _EDGE + 0.5, 1.0)
        if along > 0 and across > 0:
            cover[i] = along * along * (3 - 2 * along) * across * across * (3 - 2 * across)
    return cover


@compiled
def _cost(  # noqa: PLR0917  (kernels take no keywords)
    y: Reals, x: Reals, weight: Reals, taken: Reals, box: Reals, level: float, shape: Reals
) -> float:
    """Area of a box at the level, less the weight of the hits that it covers and no other box does.

    `shape`: length over width of a vessel, what the image adds to its width, and the price of another shape.
    """
    if box[3] < _SMALLEST or box[4] < _SMALLEST:
        return 1e9
    cost = level * box[3] * box[4] + shape[2] * (box[4] - box[3] / shape[0] - shape[1]) ** 2
    cover = cover_hits(y, x, box)
    for i in range(y.size):
        cost -= max(cover[i] - taken[i], 0.0) * weight[i]
    return float(cost)


@compiled
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
def _middle(corner: Reals) -> Reals:
    """Mean of some corners."""
    middle = np.zeros(corner.shape[1])
    for k in range(corner.shape[0]):
        for i in range(middle.size):
            middle[i] += corner[k, i]
    for i in range(middle.size):
        middle[i] /= corner.shape[0]
    return middle


@compiled
def _between(here: Reals, there: Reals, part: float) -> Reals:
    """The point that lies a part of the way from here to there."""
    point = np.empty(here.size)
    for i in range(here.size):
        point[i] = (1 - part) * here[i] + part * there[i]
    return point


@compiled
def fit_box(  # noqa: PLR0917  (kernels take no keywords)
    y: Reals,
    x: Reals,
    weight: Reals,
    taken: Reals,
    start: Reals,
    step: Reals,
    level: float,
    shape: Reals,
    most: int,
) -> tuple[Reals, float]:
    """The box of least cost near a start, by the simplex search of Nelder and Mead (1965); and its cost."""
    # loops and few array expressions: the functions of numpy that would do here take seconds to compile
    n = start.size
    corner = np.empty((n + 1, n))
    cost = np.empty(n + 1)
    for k in range(n + 1):
        corner[k] = start
        if k > 0:
            corner[k, k - 1] += step[k - 1]
        cost[k] = _cost(y, x, weight, taken, corner[k], level, shape)
    for _ in range(most):
        _sort_corners(corner, cost)
        if cost[n] - cost[0] < _FLAT:
            break
        middle = _middle(corner[:n])
        tried = _between(corner[n], middle, 2.0)
        price = _cost(y, x, weight, taken, tried, level, shape)
        if price < cost[n - 1]:
            if price < cost[0]:
                farther = _between(corner[n], middle, 3.0)
                price_farther = _cost(y, x, weight, taken, farther, level, shape)
                if price_farther < price:
                    tried, price = farther, price_farther
            corner[n], cost[n] = tried, price
            continue
        nearer = _between(middle, tried if price < cost[n] else corner[n], 0.5)
        price_nearer = _cost(y, x, weight, taken, nearer, level, shape)
        if price_nearer < min(price, cost[n]):
            corner[n], cost[n] = nearer, price_nearer
            continue
        for k in range(1, n + 1):
            corner[k] = _between(corner[0], corner[k], 0.5)
            cost[k] = _cost(y, x, weight, taken, corner[k], level, shape)
    _sort_corners(corner, cost)
    return corner[0], cost[0]
