"""K distribution: speckle times a gamma distributed texture of the sea; its tail and the thresholds of K-CFAR.

Power over its mean is a product of two independent gamma variables of mean 1: the texture of order ν (`shape`) and the
speckle of ENL L (E. Jakeman & P. N. Pusey 1976; K. D. Ward, R. J. A. Tough & S. Watts, *Sea Clutter*, 2nd edition,
chapter 4). Small ν is a spiky sea; for ν → ∞ only speckle is left.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.optimize import elementwise

from sarship.cfar.effective_samples import ring_of
from sarship.cfar.params import CfarParams

__all__ = [
    "SPIKIEST",
    "Surface",
    "factor_of",
    "log_factors",
    "log_variance",
    "pfa_of",
    "ring_rows",
    "ring_surface",
]

F64 = NDArray[np.float64]

SPIKIEST = 0.3
"""Smallest order that `log_factors` knows; a spikier sea keeps the ratio of threshold to deviation of this one."""
_NODES = 200
_NEGLIGIBLE = 80.0
"""Parts of an integrand below exp(−80) of its mode are left out."""
_LARGEST = 1e250
"""Largest ratio of powers, so that products stay numbers."""
_FARTHEST = 300.0
"""Thresholds beyond e^300 are taken as infinite: no decision."""
_LARGEST_SHAPE = 1e8
"""From here on the texture changes no threshold by 1e-7: larger orders are taken as this one."""
SURFACE_SOLVED, SURFACE_ROWS, SURFACE_STEPS = 20, 96, 64.0
"""Ring counts that `ring_surface` is solved at, and has rows for by a spline; entries for each unit of ln variance."""
BEFORE = -0.75
"""ln variance over that of pure speckle where the thresholds begin: by chance rings show less than there is."""
_REACH = np.concatenate([np.linspace(0.15, 2.2, 42), np.linspace(2.3, 4, 18)])
"""Thresholds, over that of a known shape, at which a tail is tabulated."""
_SEAS = 21
_LEVELS = 7
_ROUNDS = 5


def pfa_of(factor: ArrayLike, shape: ArrayLike, enl: ArrayLike, many: ArrayLike = np.inf) -> F64:
    """Return the probability that power exceeds `factor` times the mean of a ring; vectorised.

    The tail of the speckle integrated over the texture's density, in the logarithm of the texture, where the integrand
    is a smooth bump and the trapezoidal rule converges exponentially. The ring's mean is itself taken as
    gamma distributed with the variance that it has, ((1 + 1/ν)(1 + 1/L) − 1) / `many`: exact for ν → ∞, and exact for
    an infinite ring.

    Parameters
    ----------
    factor
        Threshold over the mean.
    shape
        Order ν of the texture.
    enl
        Equivalent number of looks L.
    many
        Independent pixels of the ring.

    Returns
    -------
    ndarray
        Probability per pixel, of the arguments' common shape.

    Examples
    --------
    >>> float(pfa_of(5.0, 1e8, 1.0)).__round__(6)
    0.006738
    """
    factor, shape, enl, many = (np.asarray(v, np.float64) for v in (factor, shape, enl, many))
    factor, shape, enl, many = np.broadcast_arrays(factor, np.minimum(shape, _LARGEST_SHAPE), enl, many)
    with np.errstate(divide="ignore", over="ignore"):
        ring = many / ((1 + 1 / shape) * (1 + 1 / enl) - 1)
        low, high = _bounds(np.log(factor), shape, enl, ring)
    step = (high - low) / (_NODES - 1)
    log_texture = low[..., None] + step[..., None] * np.arange(_NODES)
    density = np.exp(_log_mode(shape)[..., None] - shape[..., None] * (np.expm1(log_texture) - log_texture))
    with np.errstate(over="ignore"):
        ratio = np.minimum(factor[..., None] * np.exp(-log_texture), _LARGEST)
    tail = _speckle_tail(ratio, enl[..., None], ring[..., None])
    return np.asarray(np.minimum((density * tail).sum(axis=-1) * step, 1.0))


def factor_of(pfa: ArrayLike, shape: ArrayLike, enl: ArrayLike, many: ArrayLike = np.inf) -> F64:
    """Return the inverse of `pfa_of` in its factor, between bounds for a product of two independent variables."""
    pfa, shape, enl, many = (np.asarray(v, np.float64) for v in (pfa, shape, enl, many))
    shape = np.minimum(shape, _LARGEST_SHAPE)
    pfa, shape, enl, many = np.broadcast_arrays(pfa, shape, enl, many)
    ring = many / ((1 + 1 / shape) * (1 + 1 / enl) - 1)
    root = np.sqrt(pfa)

    def product(chance: F64) -> F64:
        # the logarithm of a texture and a speckle that are each exceeded with a probability; small orders underflow
        texture = special.gammainccinv(shape, chance) / shape
        return np.asarray(np.log(np.maximum(texture, 1e-250)) + np.log(_speckle_quantile(chance, enl, ring)))

    def excess(log_factor: F64, pfa: F64, shape: F64, enl: F64, many: F64) -> F64:
        with np.errstate(divide="ignore"):
            return np.asarray(np.maximum(np.log(pfa_of(np.exp(log_factor), shape, enl, many) / pfa), -1e6))

    low, high = (np.minimum(edge, _FARTHEST) for edge in (product(root) - 1e-9, product(pfa / 2) + 1e-9))
    found = elementwise.find_root(excess, (low, high), args=(pfa, shape, enl, many), tolerances={"xatol": 1e-12})
    # rings of a few pixels of the spikiest seas have no mean to speak of
    return np.asarray(np.where(found.success, np.exp(found.x), np.inf), np.float64)


def _log_mode(shape: F64) -> F64:
    """ν ln ν − ν − ln Γ(ν), by Stirling's series where its terms would cancel."""
    shape = np.asarray(shape)
    small = np.minimum(shape, 100.0)
    direct = small * np.log(small) - small - special.gammaln(small)
    series = 0.5 * np.log(shape / (2 * np.pi)) - 1 / (12 * shape) + 1 / (360 * shape**3)
    return np.where(shape < 100, direct, series)


def _bounds(log_factor: F64, shape: F64, enl: F64, ring: F64) -> tuple[F64, F64]:
    """Between which logarithms of the texture its density and the speckle's tail are not negligible."""

    def width(order: F64) -> F64:
        return np.asarray(np.sqrt(2 * _NEGLIGIBLE / order) + _NEGLIGIBLE / order)

    high = np.log1p(width(shape))
    low = np.maximum(-width(shape), log_factor - np.log1p(width(enl)) - width(ring))
    return np.minimum(low, high - 1e-3), high


def _speckle_tail(ratio: F64, enl: F64, ring: F64) -> F64:
    """P(speckle > ratio · the ring's mean), Fisher's F; the incomplete gamma function where the mean is known."""
    if np.isinf(ring).all():
        return np.asarray(special.gammaincc(enl, enl * ratio))
    with np.errstate(over="ignore"):
        part = np.minimum(ratio * (enl / ring), _LARGEST)
    return np.asarray(special.betaincc(enl, ring, part / (1 + part)))


def _speckle_quantile(chance: F64, enl: F64, ring: F64) -> F64:
    if np.isinf(ring).all():
        return np.asarray(special.gammainccinv(enl, chance) / enl)
    rest = special.betaincinv(ring, enl, chance)
    part = special.betainccinv(enl, ring, chance)
    with np.errstate(divide="ignore"):
        odds = np.where(part < 0.5, part / (1 - part), (1 - rest) / rest)
    return np.asarray(odds * (ring / enl))


def log_variance(shape: ArrayLike, enl: float) -> F64:
    """Variance of ln power, ψ′(L) + ψ′(ν)."""
    return np.asarray(special.polygamma(1, enl) + special.polygamma(1, np.asarray(shape, np.float64)))


def log_factors(
    pfa: float, enl: float, count: ArrayLike, steps: float, effective_sample_ratio: float = 1.0
) -> tuple[float, F64]:
    """Return the threshold less the ring's mean of ln power, for rings that give the shape as well.

    The variance of ln power is ψ′(L) + ψ′(ν), so the ring's tells ν. These logarithmic moments spread less than those
    of power (at 1e-6 and 124 independent pixels of ν = 1, L = 4.4 the plain rule gives 2.7 times too many false
    alarms instead of 6.9), and a ship in the ring moves them less.

    Mean and variance are estimates, jointly normal (the variance in its logarithm) with the moments that the cumulants
    ψ⁽ᵏ⁻¹⁾(L) + ψ⁽ᵏ⁻¹⁾(ν) of ln power give (Stuart & Ord, *Advanced Theory of Statistics* 1, chapter 10). The
    threshold is the one whose false-alarm probability is `pfa` when averaged over the seas that can have shown the
    variance seen, each as likely beforehand as another in the logarithm of its variance: a predictive
    threshold. Where the ring is large the rate is then right for each sea, and where it is small for seas on the whole.

    Parameters
    ----------
    pfa, enl
        As for `thresholds.threshold_factor`.
    count
        Numbers of pixels in the ring.
    steps
        Entries for a unit of ln variance.
    effective_sample_ratio
        Independent pixels for each of them; `effective_samples.ring_of` says what that makes of mean and variance.

    Returns
    -------
    float
        The variance of ln power at which the entries begin, somewhat below ψ′(L).
    ndarray
        (count, entries): threshold minus mean in units of ln power, by ln variance.
    """
    least = float(special.polygamma(1, enl))
    spikiest = np.log(float(log_variance(SPIKIEST / 2, enl)) / least)
    # dense where there is little texture: there the shape changes fastest with the variance
    places = spikiest * np.linspace(0, 1, 61) ** 1.5
    shape = _shape_of(least * np.expm1(places))
    known = CubicSpline(places, np.log(factor_of(pfa, shape, enl)) - _mean_of_log(shape, enl))
    log_factor = known(places)[:, None] * _REACH + _mean_of_log(shape, enl)[:, None]
    with np.errstate(divide="ignore"):
        log_tail = np.maximum(np.log(pfa_of(np.exp(log_factor), shape[:, None], enl)), -500.0)
    sea = _Sea(known, RectBivariateSpline(places, _REACH, log_tail), CubicSpline(places, _cumulants(shape, enl)))
    last = np.log(float(log_variance(SPIKIEST, enl)) / least)
    seen = np.concatenate([np.linspace(BEFORE, 0, 10), last * np.linspace(0, 1, 40)[1:] ** 1.3])
    entries = BEFORE + np.arange(int((last - BEFORE) * steps) + 1) / steps
    worth = zip(*ring_of(np.ravel(count), effective_sample_ratio), strict=True)
    rows = [
        CubicSpline(seen, _predictive(pfa, means, squares, seen - np.log(shown), sea))(entries)
        for means, squares, shown in worth
    ]
    return least * np.exp(BEFORE), np.array(rows)


class _Sea(NamedTuple):
    """Thresholds and moments of seas by their place, ln variance over that of no texture."""

    known: CubicSpline
    """Threshold minus mean of ln power."""
    log_tail: RectBivariateSpline
    """Logarithm of the tail by place and threshold over the known one."""
    cumulants: CubicSpline
    """Second, third and fourth of ln power."""


def _shape_of(excess: F64) -> F64:
    """The order whose ψ′ is a variance."""
    shape = np.concatenate([np.geomspace(SPIKIEST / 3, 1e4, 4000), [_LARGEST_SHAPE]])
    log_excess = np.log(special.polygamma(1, shape))
    return np.asarray(np.exp(np.interp(-np.log(np.maximum(excess, 1e-8)), -log_excess, np.log(shape))))


def _mean_of_log(shape: F64, enl: float) -> F64:
    """Mean of ln power over ln of the mean power."""
    return np.asarray(special.psi(enl) - np.log(enl) + special.psi(shape) - np.log(shape))


def _cumulants(shape: F64, enl: float) -> F64:
    return np.stack([special.polygamma(k, enl) + special.polygamma(k, shape) for k in (1, 2, 3)], axis=1)


def _predictive(pfa: float, means: float, squares: float, seen: F64, sea: _Sea) -> F64:
    """Thresholds for variances seen in rings whose mean and variance are worth those numbers of pixels."""
    end = sea.known.x[-1]
    near = np.clip(seen, 0, None)
    width = 5 * _deviation(sea.cumulants(near), squares)
    low, high = np.clip(near - width, 0, None), np.clip(near + width, None, end)
    # denser towards the speckle without texture, where the chances of a variance seen below it pile up
    part = np.linspace(0, 1, _SEAS) ** 1.5
    place = low[:, None] + (high - low)[:, None] * part
    cumulants = sea.cumulants(place)
    second, third, fourth = np.moveaxis(cumulants, -1, 0)
    deviation = _deviation(cumulants, squares)
    away = (seen[:, None] - place) / deviation + deviation / 2
    log_chance = -0.5 * away**2 - np.log(deviation) + np.log(np.gradient(part))
    log_chance -= special.logsumexp(log_chance, axis=1, keepdims=True)
    tie = third / np.sqrt(second * (fourth + 2 * second**2))
    nodes, weights = special.roots_hermitenorm(_LEVELS)
    shift = (tie * away)[..., None] + np.sqrt(1 - tie**2)[..., None] * nodes
    level = np.sqrt(second / means)[..., None] * shift
    log_chance = log_chance[..., None] + np.log(weights / weights.sum())
    known, where = sea.known(place)[..., None], np.broadcast_to(place[..., None], level.shape)
    thresholds = sea.known(near)
    for _ in range(_ROUNDS):
        at = np.clip((level + thresholds[:, None, None]) / known, _REACH[0], _REACH[-1])
        chance = np.exp(log_chance + sea.log_tail.ev(where, at))
        slope = (chance * sea.log_tail.ev(where, at, dy=1) / known).sum(axis=(1, 2)) / chance.sum(axis=(1, 2))
        thresholds = thresholds - np.log(chance.sum(axis=(1, 2)) / pfa) / slope
        # a few pixels tell so little that no threshold may be high enough
        thresholds = np.clip(thresholds, sea.known(near) / 4, sea.known(near) * 3.5)
    return np.asarray(thresholds)


def _deviation(cumulants: F64, many: float) -> F64:
    """Deviation of the logarithm of a ring's variance."""
    second, _, fourth = np.moveaxis(cumulants, -1, 0)
    return np.asarray(np.sqrt(np.log1p((fourth / second**2 + 2 * many / (many - 1)) / many)))


class Surface(NamedTuple):
    """Thresholds by what the ring's count and its variance of ln power are."""

    entries: NDArray[np.float64]
    """(rows, entries): threshold less the ring's mean of ln power; a row for some counts, an entry for ln variance."""
    variance: float
    """Variance (sums of n − 1) of ln power at the first entry; below it the threshold is the first entry's."""
    steps: float
    """Entries for each unit of ln variance. Beyond the last one the threshold grows as the deviation."""

    @property
    def least(self) -> float:
        """Smallest of all entries."""
        return float(self.entries.min()) if self.entries.size else 0.0


NO_SURFACE: Final = Surface(np.empty((0, 0)), 0.0, 1.0)
NO_SURFACE.entries.setflags(write=False)


def ring_surface(params: CfarParams) -> Surface:
    """Return the thresholds of K-CFAR where the ring gives the shape as well (`log_factors`); empty in any other case.

    Interpolated between the entries and, linearly in 1/count, between the rows: the error stays under 0.1 % of the
    threshold for orders from 0.5 on and 30 independent pixels (tested). There is no decision with fewer than sixteen.
    """
    if params.clutter_model != "k" or params.clutter_shape is not None:
        return NO_SURFACE
    return _ring_surface(replace(params, max_hits=1, iterations=1))


@lru_cache(maxsize=32)
def _ring_surface(params: CfarParams) -> Surface:
    count = _row_counts(params)
    if not count.size:
        return NO_SURFACE
    solved = np.geomspace(count[0], count[-1], SURFACE_SOLVED) if count.size > 1 else count
    variance, entries = log_factors(params.pfa, params.enl, solved, SURFACE_STEPS, params.effective_sample_ratio)
    if count.size > 1:
        entries = CubicSpline(np.log(solved), entries)(np.log(count))
    # a spikier sea never asks for less: the kernels count on it
    entries = np.maximum.accumulate(entries, axis=1)
    entries.setflags(write=False)
    return Surface(entries, variance, SURFACE_STEPS)


def _row_counts(params: CfarParams) -> F64:
    """Ring counts that have a row."""
    first = max(params.min_ring, math.ceil(16 / params.effective_sample_ratio))
    if first > params.ring_size:
        return np.empty(0)
    return np.unique(np.geomspace(first, params.ring_size, SURFACE_ROWS).round())


def ring_rows(params: CfarParams) -> F64:
    """Row of `ring_surface` for every ring count, the fraction between two; infinite where there is no decision."""
    table, nodes = np.full(params.ring_size + 1, np.inf), _row_counts(params)
    if nodes.size:
        count = np.arange(nodes[0], params.ring_size + 1)
        table[int(nodes[0]) :] = np.interp(-1 / count, -1 / nodes, np.arange(nodes.size))
    table.setflags(write=False)
    return table
