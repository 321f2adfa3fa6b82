"""Thresholds of GOCA, SOCA and OS-CFAR under gamma clutter.

All three are one integral. With x the pixel's power over the clutter's mean, gamma distributed with ENL L, and m
the ring's statistic, x exceeds T·m with the probability ∫ p(x)·P(m < x/T) dx (for one look: P. P. Gandhi & S. A.
Kassam, "Analysis of CFAR processors in nonhomogeneous background", IEEE Transactions on Aerospace and Electronic
Systems 24(4), 1988). What differs is P(m < y) alone:

GOCA, the greatest of the sides' means (V. G. Hansen & J. H. Sawyers, the same Transactions 16(1), 1980)
    the product of the sides' own probabilities, each a gamma distribution of ENL L·n for a mean of n pixels;
SOCA, the smallest (G. V. Trunk, the same Transactions 14(5), 1978)
    1 less the product of their complements;
OS, the k-th smallest of n pixels (H. Rohling, the same Transactions 19(4), 1983)
    the incomplete beta function of k and n − k + 1 at P(pixel < y).

The integral is taken in ln y by Gauss and Legendre's rule on panels that widen away from where m lies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sarship.cfar.params import CfarParams

__all__ = [
    "FACTORS",
    "PFAS",
    "OrderTable",
    "Rules",
    "gamma_factor",
    "order_of",
    "order_table",
    "os_factor",
    "os_pfa",
    "side_table",
    "sides_factor",
    "sides_pfa",
]

F64 = NDArray[np.float64]
Below = Callable[[F64], F64]
"""P(m < e^u) for every element and every u: shape (elements, nodes)."""

_POINTS = 10
_GROWTH = 1.6
_WIDEST = 0.5
"""Widest panel in ln y."""
_NARROWEST = 1e-4
_FARTHEST = 80.0
"""Thresholds beyond e^80 are taken as infinite: no decision."""
_ROUNDS = 60
_CLOSE = 1e-9
"""Change of ln T that is the last one: the next of Newton's would be its square."""
_AT_ONCE = 64
"""Elements solved at once, so that the integrand stays in the caches."""

_EXACT_COUNTS, _COUNT_NODES = 64, 96
"""Counts of a side up to this are solved one by one in the tables; and the number of others."""
_EXACT_ORDERS = 1024
"""The same for OS-CFAR, whose factor has a step wherever ⌈rank·n⌉ has one."""


class OrderTable(NamedTuple):
    """Factors of OS-CFAR and the pixel that they multiply, for every count of the ring."""

    factor: F64
    """Infinite where the count allows no decision."""
    order: NDArray[np.int64]
    """Place of the pixel that sets the threshold: the smallest is 1."""
    lowest: float
    """Factor that none in the table is below."""


def sides_pfa(factor: F64, enl: F64, many: F64, sides: F64, *, is_goca: bool) -> F64:
    """Return the false-alarm probability of a factor over the greatest or smallest of means of gamma power.

    Parameters
    ----------
    factor, enl
        Threshold factor and equivalent number of looks.
    many
        Independent pixels of each side.
    sides
        Number of sides that hold pixels.
    is_goca
        The greatest mean of the sides counts, or the smallest.

    The arrays have one shape.
    """
    return _by_parts(_sides_pfa, factor, enl, np.stack(np.broadcast_arrays(many, sides), axis=-1), is_goca)


def sides_factor(pfa: F64, enl: F64, many: F64, sides: F64, *, is_goca: bool) -> F64:
    """Return the threshold factor of a false-alarm probability; the inverse of `sides_pfa`."""
    return _by_parts(_sides_factor, pfa, enl, np.stack(np.broadcast_arrays(many, sides), axis=-1), is_goca)


def os_pfa(factor: F64, enl: F64, count: F64, k: F64, effective_sample_ratio: F64) -> F64:
    """False-alarm probability of a factor over the k-th smallest of `count` pixels of gamma power.

    Where pixels are not independent the k-th smallest is taken as that of count·`effective_sample_ratio` ones at the
    same place in their order: the beta distribution keeps its mean k/(n + 1) and the sum of its parameters falls to
    n·`effective_sample_ratio` + 1. All arguments of one shape.
    """
    return _by_parts(
        _os_pfa, factor, enl, np.stack(np.broadcast_arrays(count, k, effective_sample_ratio), axis=-1), False
    )


def os_factor(pfa: F64, enl: F64, count: F64, k: F64, effective_sample_ratio: F64) -> F64:
    """Return the threshold factor of a false-alarm probability; the inverse of `os_pfa`."""
    return _by_parts(
        _os_factor, pfa, enl, np.stack(np.broadcast_arrays(count, k, effective_sample_ratio), axis=-1), False
    )


def _by_parts(rule: Callable[[F64, F64, F64, bool], F64], first: F64, enl: F64, rows: F64, flag: bool) -> F64:
    """Apply a rule to flat parts of its arguments, those of alike width together."""
    shape = np.broadcast_shapes(first.shape, enl.shape, rows.shape[:-1])
    first, enl = (np.broadcast_to(v, shape).ravel() for v in (first, enl))
    rows = np.broadcast_to(rows, (*shape, rows.shape[-1])).reshape(-1, rows.shape[-1])
    out = np.empty(first.size)
    order = np.argsort(rows[:, 0], kind="stable")
    for start in range(0, first.size, _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        out[part] = rule(first[part], enl[part], rows[part], flag)
    return out.reshape(shape)


def _sides_pfa(factor: F64, enl: F64, rows: F64, is_goca: bool) -> F64:
    u, weight = _panels(_narrow(enl, factor, (enl * rows[:, 0]).max()), factor.max(initial=1.0))
    return _tail(np.log(factor), enl, u, weight * _sides_below(enl, rows, is_goca)(u))[0]


def _sides_factor(pfa: F64, enl: F64, rows: F64, is_goca: bool) -> F64:
    start = gamma_factor(pfa, enl, rows[:, 0])
    return _solve(pfa, enl, start, _sides_below(enl, rows, is_goca), (enl * rows[:, 0]).max())


def _sides_below(enl: F64, rows: F64, is_goca: bool) -> Below:
    shape, sides = (enl * rows[:, 0])[:, None], rows[:, 1, None]

    def below(u: F64) -> F64:
        part = special.gammainc(shape, shape * np.exp(u))
        if is_goca:
            return np.asarray(part**sides)
        with np.errstate(divide="ignore"):
            return np.asarray(-np.expm1(sides * np.log1p(-part)))

    return below


def _os_pfa(factor: F64, enl: F64, rows: F64, _flag: bool) -> F64:
    below, middle, narrow = _os_below(enl, rows)
    u, weight = _panels(_narrow(enl, factor * np.exp(middle), narrow), (factor * np.exp(middle)).max(initial=1.0))
    u = u + middle[:, None]
    return _tail(np.log(factor), enl, u, weight * below(u))[0]


def _os_factor(pfa: F64, enl: F64, rows: F64, _flag: bool) -> F64:
    below, middle, narrow = _os_below(enl, rows)
    start = gamma_factor(pfa, enl, rows[:, 0] * rows[:, 2])
    return np.exp(-middle) * _solve(pfa, enl, start, lambda u: below(u + middle[:, None]), narrow)


def _os_below(enl: F64, rows: F64) -> tuple[Below, F64, float]:
    """P(k-th smallest < e^u), where in u it lies, and one over its variance there."""
    count, k, effective_sample_ratio = rows.T
    a = k * (count * effective_sample_ratio + 1) / (count + 1)
    b = (count + 1 - k) * (count * effective_sample_ratio + 1) / (count + 1)
    level = special.gammaincinv(enl, a / (a + b)) / enl
    slope = np.exp(enl * np.log(enl * level) - enl * level - special.gammaln(enl))
    variance = a * b / (a + b) ** 2 / (a + b + 1) / slope**2

    def below(u: F64) -> F64:
        part = special.gammainc(enl[:, None], enl[:, None] * np.exp(u))
        return np.asarray(special.betainc(a[:, None], b[:, None], part))

    return below, np.log(level), float(1 / variance.min())


def gamma_factor(pfa: F64, enl: F64, many: F64) -> F64:
    """Factor over the mean of `many` independent pixels: Fisher's F, by the incomplete beta function's upper tail."""
    shape = enl * many
    # the pixel's part of the whole sum, and the rest's: whichever is small is solved, so that neither is lost to 1
    part, rest = special.betainccinv(enl, shape, pfa), special.betaincinv(shape, enl, pfa)
    # rings worth less than a pixel have no threshold that a float could hold
    with np.errstate(divide="ignore", over="ignore"):
        odds = np.where(part < 0.5, part / (1 - part), (1 - rest) / rest)
    return np.asarray(odds * many)


def _narrow(enl: F64, factor: F64, shape: float) -> float:
    """Width of the narrowest thing in the integrand: the ring's distribution, or the pixel's tail."""
    steepest = float((enl * np.minimum(factor, 1e6)).max(initial=1.0))
    return float(max(min(1 / np.sqrt(shape), 1 / steepest, 1.0), _NARROWEST))


def _panels(narrow: float, factor: float) -> tuple[F64, F64]:
    """Nodes in ln y around 0 and their weights; far enough to the left for thresholds of `factor`."""
    edges = [0.0, narrow]
    while edges[-1] < min(np.log(factor), _FARTHEST) + 12:
        edges.append(edges[-1] + min((edges[-1] - edges[-2]) * _GROWTH, _WIDEST))
    right = np.array(edges)
    all_edges = np.concatenate([-right[:0:-1], right[right < 6]])
    x, w = np.polynomial.legendre.leggauss(_POINTS)
    middle, half = (all_edges[1:] + all_edges[:-1]) / 2, np.diff(all_edges) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def _tail(log_factor: F64, enl: F64, u: F64, weight: F64) -> tuple[F64, F64]:
    """∫ p(x)·P(m < x/T) dx for every element, and its derivative by ln T; `weight` has P(m < e^u) in it."""
    enl, v = enl[:, None], u + log_factor[:, None]
    x = np.exp(np.minimum(v, 300))
    density = weight * np.exp(enl * (np.log(enl) + v - x) - special.gammaln(enl))
    # right of the nodes m is below all of it
    end = u[..., -1] + log_factor
    rest = special.gammaincc(enl[:, 0], enl[:, 0] * np.exp(np.minimum(end, 300)))
    return density.sum(axis=-1) + rest, (density * enl * (1 - x)).sum(axis=-1)


def _solve(pfa: F64, enl: F64, start: F64, below: Below, narrow: float) -> F64:
    """The factor by Newton's method on ln pfa over ln T, kept within bounds that close in."""
    log_start = np.log(np.minimum(start, np.exp(_FARTHEST)))
    u, weight = _panels(_narrow(enl, np.exp(log_start), narrow), float(np.exp(log_start.max(initial=0.0))))
    weight = weight * below(u)
    if u.ndim == 1:
        u = np.broadcast_to(u, weight.shape)
    low, high = np.full(pfa.size, -_FARTHEST), np.full(pfa.size, _FARTHEST)
    here, wanted = log_start, np.log(pfa)
    for _ in range(_ROUNDS):
        value, slope = _tail(here, enl, u, weight)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (wanted - np.log(value)) * value / slope
        low, high = np.where(value > pfa, here, low), np.where(value > pfa, high, here)
        there = here + step
        there = np.where((there >= low) & (there <= high), there, (low + high) / 2)
        change, here = np.abs(there - here).max(initial=0.0), there
        if change < _CLOSE:
            break
    return np.where(here > _FARTHEST - 1, np.inf, np.exp(here))


class Rules(NamedTuple):
    """Factors or false-alarm probabilities: the function of GOCA and SOCA, and that of OS-CFAR."""

    sides: Callable[..., F64]
    os: Callable[..., F64]


FACTORS, PFAS = Rules(sides_factor, os_factor), Rules(sides_pfa, os_pfa)


def order_of(count: ArrayLike, rank: float) -> F64:
    """Return the place of the pixel that sets the threshold of OS-CFAR: ⌈rank·n⌉, and at least the first.

    >>> order_of([16, 30, 1], 0.1)
    array([2., 3., 1.])
    """
    # less than a rounding error above a whole number is that number
    return np.maximum(np.ceil(rank * np.asarray(count, np.float64) - 1e-9), 1.0)


def side_table(params: CfarParams) -> F64:
    """Threshold over the *sum* of a side, for 0 … 4 sides with pixels and every count of one side.

    The greatest (smallest) side's threshold is the greatest (smallest) over the sides of the sum times this: each side
    with the factor of a ring whose sides all hold as many pixels as it does. Where they do this is exact; where a
    quay or the image's edge cuts sides unequally the rate differs a little from the nominal one (see docs/cfar.md).

    Shape (5, largest side + 1); zero for an empty side of the greatest, infinite for one of the smallest, and infinite
    throughout for no sides at all. Solved at every count up to 64 and at 96 of all, its logarithm linear in 1/count
    between: the error stays under 0.1 % (tested).
    """
    return _side_table(
        replace(params, max_hits=1, iterations=1)
    )  # what does not change the table does not split the cache


@lru_cache(maxsize=32)
def _side_table(params: CfarParams) -> F64:
    largest, is_goca = max(_side_sizes(params)), params.average == "goca"
    nodes = np.arange(1.0, min(_EXACT_COUNTS, largest) + 1)
    nodes = np.unique(np.concatenate([nodes, np.geomspace(nodes[-1], largest, _COUNT_NODES).round()]))
    sides, many = np.arange(1.0, 5)[:, None], nodes * params.effective_sample_ratio
    solved = sides_factor(np.array(params.pfa), np.array(params.enl), many, sides, is_goca=is_goca)
    count = np.arange(1.0, largest + 1)
    table = np.full((5, largest + 1), 0.0 if is_goca else np.inf)
    table[0] = np.inf
    for row, factors in zip(table[1:], solved, strict=True):
        row[1:] = np.exp(np.interp(-1 / count, -1 / nodes, np.log(factors))) / count
    table.setflags(write=False)
    return table


def _side_sizes(params: CfarParams) -> tuple[int, int]:
    """Numbers of pixels in whole sides: above and below, left and right."""
    (guard_l, guard_p), (outer_l, outer_p) = params.guard_shape, params.outer_shape
    return (outer_l - guard_l) * (outer_p + guard_p + 1), (outer_l + guard_l + 1) * (outer_p - guard_p)


def order_table(params: CfarParams) -> OrderTable:
    """Return the factors of OS-CFAR for every count from 0 to `params.ring_size`.

    Solved at every count up to 1024 and at 96 others, each at three places of the step that ⌈rank·n⌉ takes; linear in
    1/count and quadratic in the step between. The error stays under 0.1 % of the factor (tested).
    """
    return _order_table(replace(params, max_hits=1, iterations=1))


@lru_cache(maxsize=32)
def _order_table(params: CfarParams) -> OrderTable:
    size, rank = params.ring_size, params.rank
    count = np.arange(size + 1, dtype=np.float64)
    order = order_of(count, rank)
    pfa, enl, part = (np.array(v) for v in (params.pfa, params.enl, params.effective_sample_ratio))
    exact = np.arange(1.0, min(_EXACT_ORDERS, size) + 1)
    factor = np.full(size + 1, np.inf)
    factor[1 : exact.size + 1] = os_factor(pfa, enl, exact, order[1 : exact.size + 1], part)
    if size > _EXACT_ORDERS:
        nodes = np.unique(np.geomspace(_EXACT_ORDERS, size, _COUNT_NODES).round())
        above = count[_EXACT_ORDERS + 1 :]
        step = order[_EXACT_ORDERS + 1 :] - rank * above
        low, middle, high = (
            np.interp(-1 / above, -1 / nodes, os_factor(pfa, enl, nodes, np.minimum(rank * nodes + end, nodes), part))
            for end in (0.0, 0.5, 1.0)
        )
        with np.errstate(invalid="ignore"):
            bend = 2 * (low + high - 2 * middle)
            between = low + step * (high - low - bend * (1 - step))
        factor[_EXACT_ORDERS + 1 :] = np.where(np.isnan(between), np.inf, between)
    factor[: params.min_ring] = np.inf
    factor.setflags(write=False)
    return OrderTable(factor, order.astype(np.int64), float(factor.min()))
