"""False-alarm probability ↔ threshold, one pair of functions a clutter model.

A threshold factor is what the level or the deviation estimated from the ring is multiplied by. Both are themselves
estimates from a finite number of pixels, and the factors hold for those: they grow as the ring's count falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.interpolate import CubicSpline
from scipy.optimize import elementwise

from sarship.cfar import goca_soca_os as averages
from sarship.cfar import k_distribution
from sarship.cfar.effective_samples import Ring, ring_of
from sarship.cfar.params import CfarParams, ClutterModel, RingAverage

__all__ = ["pfa_of", "ring_table", "threshold_factor"]

F64 = NDArray[np.float64]
Arguments = tuple[F64, F64, Ring, F64]
Rule = Callable[[F64, F64, Ring, F64], F64]

EXACT_COUNTS = 256
"""Ring counts up to this are solved one by one in `ring_table`; above it the factor is interpolated."""
TABLE_NODES = 256
"""Number of counts, evenly spread in their logarithm, at which it is solved besides."""
K_NODES = 64
"""Counts at which it is solved for the K distribution, whose factors take longest."""
_GUMBEL_SKEW = -12 * np.sqrt(6) * special.zeta(3) / np.pi**3 / np.sqrt(4.4)
"""Correlation of a sample's mean and deviation, κ₃/√(κ₄ + 2), for Gumbel's distribution of the smallest."""
_GUMBEL_NODES = 32
_LARGEST_EXPONENT = 700.0


def threshold_factor(
    clutter_model: ClutterModel,
    pfa: ArrayLike,
    *,
    enl: ArrayLike,
    count: ArrayLike,
    effective_sample_ratio: ArrayLike = 1.0,
    clutter_shape: ArrayLike = np.inf,
    average: RingAverage = "ca",
    sides: ArrayLike = 4,
    rank: float = 0.75,
) -> NDArray[np.float64]:
    """Return the threshold factor of a ring at a false-alarm probability; vectorised over all arguments.

    With n independent pixels in the ring (`count` · `effective_sample_ratio`):

    `gamma`
        The factor multiplies the ring's mean power. A pixel of ENL L over that mean follows Fisher's F with
        2·L and 2·L·n degrees of freedom (CA-CFAR of multi-look intensity: Finn & Johnson 1968
        for one look; Oliver & Quegan 2004, chapter 10). Solved through the incomplete beta function's upper tail,
        without 1 − pfa, so it holds down to pfa 1e-12 and below. With another `average` the factor multiplies the
        greatest or smallest mean of the sides, or the ⌈rank·n⌉-th smallest pixel, and is solved from the integral
        in `sarship.cfar.goca_soca_os`.
    `k`
        The factor multiplies the ring's mean power, as for gamma, whose speckle is multiplied here by a texture of
        order `clutter_shape`; infinite for gamma itself. Solved from `k_distribution.pfa_of`: the tail by numerical
        integration over the texture, with the spread of the ring's mean in it. Where the ring gives the shape too, see
        `k_distribution.ring_surface`.
    `lognormal`
        The threshold of ln power is its mean in the ring plus the factor times its sample deviation there:
        t·√(1 + 1/n), t the upper quantile of Student's t of n − 1 degrees of freedom, exact for independent pixels
        (the prediction interval of a normal variable, e.g. Hahn & Meeker 1991, section 4.7). Infinite for n ≤ 1.
    `weibull`
        As lognormal; ln power follows Gumbel's distribution of the smallest, so the factor is
        (√6/π)·(ln(−ln pfa) + γ) in a large ring. In a finite one the false-alarm probability is averaged over the
        mean and the ln deviation estimated from it, taken as jointly normal with the variances 1/n and 1.1/n and the
        correlation −0.543 that Gumbel's third and fourth cumulants give (Stuart & Ord, *Advanced Theory of
        Statistics* 1, chapter 10); in small rings the deviation spreads less, by 1 − 0.4/√n (simulated). The
        rate is right within a tenth at 1e-6 for n of 64 and more, at 1e-3 within a fifth for 16 (tested on simulated
        rings); smaller rings at small rates give several times too many. Infinite for n ≤ 1.
    `gaussian`
        The two-parameter rule of many detectors, mean power plus the factor times its sample deviation, with the
        normal quantile. **Speckle is not normal**: at a nominal 1e-6 this gives 6e-4 on clutter of ENL 4.4,
        γ(L, L + z·√L) in the notation of the incomplete gamma function's upper tail.

    Parameters
    ----------
    clutter_model
        Distribution of the clutter's power.
    pfa
        False-alarm probability per pixel, in (0, 1).
    enl
        Equivalent number of looks; only gamma and k depend on it.
    count
        Number of pixels in the ring, at least 1; in each of its sides for `goca` and `soca`.
    effective_sample_ratio
        Independent pixels for each pixel of the ring.
    clutter_shape
        Order of the texture, small for a spiky sea; only k depends on it.
    average, rank
        As in `CfarParams`; only gamma has others than the mean.
    sides
        Number of sides that hold pixels, for `goca` and `soca`.

    Returns
    -------
    ndarray
        Factors, of the arguments' common shape; infinite where no decision is possible.

    Raises
    ------
    ValueError
        A parameter outside its range, or a clutter model that is not known.

    References
    ----------
    H. M. Finn & R. S. Johnson, RCA Review 29, 1968; C. Oliver & S. Quegan, *Understanding Synthetic Aperture Radar
    Images*, 2004, chapter 10. Those of the other detectors are in `goca_soca_os` and `k_distribution`.

    Examples
    --------
    >>> round(float(threshold_factor("gamma", 1e-6, enl=4.4, count=1240)), 3)
    5.053
    """
    pfa = np.asarray(pfa, np.float64)
    if not np.all((pfa > 0) & (pfa < 1)):
        raise ValueError(f"pfa must lie in (0, 1), got {pfa}")
    pfa, enl, ring, shape = _arguments(clutter_model, pfa, enl, count, effective_sample_ratio, clutter_shape)
    if average != "ca":
        return _averaged(
            averages.FACTORS, (clutter_model, average), pfa, enl, (count, effective_sample_ratio, sides, rank)
        )
    return np.asarray(_CLUTTER_MODELS[clutter_model][0](pfa, enl, ring, shape), np.float64)


def pfa_of(
    clutter_model: ClutterModel,
    factor: ArrayLike,
    *,
    enl: ArrayLike,
    count: ArrayLike,
    effective_sample_ratio: ArrayLike = 1.0,
    clutter_shape: ArrayLike = np.inf,
    average: RingAverage = "ca",
    sides: ArrayLike = 4,
    rank: float = 0.75,
) -> NDArray[np.float64]:
    """Return the false-alarm probability per pixel of a threshold factor: the inverse of `threshold_factor`.

    Parameters
    ----------
    clutter_model, enl, count, effective_sample_ratio, clutter_shape, average, sides, rank
        As for `threshold_factor`.
    factor
        Threshold factor, at least 0.

    Returns
    -------
    ndarray
        Probabilities, of the arguments' common shape.

    Raises
    ------
    ValueError
        As `threshold_factor`.

    Examples
    --------
    >>> factor = threshold_factor("gamma", 1e-9, enl=4.4, count=1240)
    >>> float(pfa_of("gamma", factor, enl=4.4, count=1240) / 1e-9).__round__(6)
    1.0
    """
    factor = np.asarray(factor, np.float64)
    if not np.all(factor >= 0):
        raise ValueError(f"a threshold factor cannot be negative, got {factor}")
    factor, enl, ring, shape = _arguments(clutter_model, factor, enl, count, effective_sample_ratio, clutter_shape)
    if average != "ca":
        return _averaged(
            averages.PFAS, (clutter_model, average), factor, enl, (count, effective_sample_ratio, sides, rank)
        )
    return np.asarray(_CLUTTER_MODELS[clutter_model][1](factor, enl, ring, shape), np.float64)


def _averaged(
    rules: averages.Rules,
    kind: tuple[str, str],
    first: F64,
    enl: F64,
    ring: tuple[ArrayLike, ArrayLike, ArrayLike, float],
) -> F64:
    """Factor or false-alarm probability of GOCA, SOCA or OS-CFAR; `ring` is count, effective ratio, sides and rank."""
    clutter_model, average = kind
    if clutter_model != "gamma" or average not in get_args(RingAverage):
        raise ValueError(
            f"only the clutter model gamma has averages, of {get_args(RingAverage)}; "
            f"got {average!r} with {clutter_model!r}"
        )
    count, effective_sample_ratio, sides = (np.asarray(v, np.float64) for v in ring[:3])
    rank = ring[3]
    if average == "os":
        if not 0 < rank <= 1:
            raise ValueError(f"rank must lie in (0, 1], got {rank}")
        return rules.os(first, enl, count, averages.order_of(count, rank), effective_sample_ratio)
    if not np.all((sides >= 1) & (sides <= 4)):
        raise ValueError(f"a ring has 1 to 4 sides with pixels, got {sides}")
    return rules.sides(first, enl, count * effective_sample_ratio, sides, is_goca=average == "goca")


def _gamma_factor(pfa: F64, enl: F64, ring: Ring, _shape: F64) -> F64:
    return averages.gamma_factor(pfa, enl, ring.means)


def _gamma_pfa(factor: F64, enl: F64, ring: Ring, _shape: F64) -> F64:
    many = ring.means
    return np.asarray(special.betainc(enl * many, enl, 1 / (1 + factor / many)))


def _lognormal_scale(ring: Ring) -> tuple[F64, F64]:
    """Degrees of freedom of Student's t, and the factor of its quantile."""
    freedom = np.where(ring.squares > 1, ring.squares - 1, np.nan)
    return freedom, np.sqrt((1 + 1 / ring.means) / ring.shown)


def _lognormal_factor(pfa: F64, _enl: F64, ring: Ring, _shape: F64) -> F64:
    freedom, scale = _lognormal_scale(ring)
    return np.where(ring.means > 1, -special.stdtrit(freedom, pfa) * scale, np.inf)


def _lognormal_pfa(factor: F64, _enl: F64, ring: Ring, _shape: F64) -> F64:
    freedom, scale = _lognormal_scale(ring)
    return np.asarray(special.stdtr(freedom, -factor / scale))


def _gumbel_pfa(factor: F64, _enl: F64, ring: Ring, _shape: F64) -> F64:
    """False-alarm probability averaged over the ring's mean and deviation of ln power."""
    nodes, weights = special.roots_hermitenorm(_GUMBEL_NODES)
    log_deviation, rest = nodes[:, None], nodes
    weight = np.multiply.outer(weights, weights) / weights.sum() ** 2
    factor, means, squares, shown = (v[..., None, None] for v in np.broadcast_arrays(factor, *ring))
    variance = 1.1 / squares * (1 - 0.4 / np.sqrt(np.maximum(squares, 1)))
    deviation = np.sqrt(shown) * np.exp(np.sqrt(variance) * log_deviation - variance)
    mean = (_GUMBEL_SKEW * log_deviation + np.sqrt(1 - _GUMBEL_SKEW**2) * rest) / np.sqrt(means)
    level = np.pi / np.sqrt(6) * (mean + factor * deviation) - np.euler_gamma
    tail = np.exp(-np.exp(np.minimum(level, _LARGEST_EXPONENT)))
    return np.asarray((weight * tail).sum(axis=(-2, -1)))


def _gumbel_factor(pfa: F64, enl: F64, ring: Ring, shape: F64) -> F64:
    """The factor between bounds that hold for rings of more than one independent pixel."""
    pfa, *of_ring = np.broadcast_arrays(pfa, *ring)
    can_tell = ring.means + 0 * pfa > 1
    of_ring = [np.where(can_tell, v, 2.0) for v in of_ring]

    def excess(place: F64, pfa: F64, means: F64, squares: F64, shown: F64) -> F64:
        chance = _gumbel_pfa(np.sinh(place), enl, Ring(means, squares, shown), shape)
        with np.errstate(divide="ignore"):
            return np.asarray(np.maximum(np.log(chance / pfa), -_LARGEST_EXPONENT))

    bounds = np.arcsinh(np.full(pfa.shape, -10.0)), np.arcsinh(np.full(pfa.shape, 1e4))
    found = elementwise.find_root(excess, bounds, args=(pfa, *of_ring), tolerances={"xatol": 1e-12})
    return np.where(can_tell, np.sinh(found.x), np.inf)


def _gaussian_factor(pfa: F64, _enl: F64, ring: Ring, _shape: F64) -> F64:
    return np.asarray(-special.ndtri(pfa) + 0 * ring.means)


def _gaussian_pfa(factor: F64, _enl: F64, ring: Ring, _shape: F64) -> F64:
    return np.asarray(special.ndtr(-factor) + 0 * ring.means)


def _k_factor(pfa: F64, enl: F64, ring: Ring, shape: F64) -> F64:
    return k_distribution.factor_of(pfa, shape, enl, ring.means)


def _k_pfa(factor: F64, enl: F64, ring: Ring, shape: F64) -> F64:
    return k_distribution.pfa_of(factor, shape, enl, ring.means)


_CLUTTER_MODELS: Final[dict[str, tuple[Rule, Rule]]] = {
    "gamma": (_gamma_factor, _gamma_pfa),
    "lognormal": (_lognormal_factor, _lognormal_pfa),
    "weibull": (_gumbel_factor, _gumbel_pfa),
    "k": (_k_factor, _k_pfa),
    "gaussian": (_gaussian_factor, _gaussian_pfa),
}


def _arguments(clutter_model: str, first: ArrayLike, *others: ArrayLike) -> Arguments:
    """The first argument, the ENL, the ring's effective samples and the shape, all checked."""
    if clutter_model not in _CLUTTER_MODELS:
        raise ValueError(f"clutter_model must be one of {tuple(_CLUTTER_MODELS)}, got {clutter_model!r}")
    enl, count, effective_sample_ratio, shape = (np.asarray(v, np.float64) for v in others)
    if not np.all((enl > 0) & np.isfinite(enl)):
        raise ValueError(f"enl must be positive and finite, got {enl}")
    if not np.all(count >= 1):
        raise ValueError(f"a ring holds at least one pixel, got count {count}")
    if not np.all((effective_sample_ratio > 0) & (effective_sample_ratio <= 1)):
        raise ValueError(f"effective_sample_ratio must lie in (0, 1], got {effective_sample_ratio}")
    if not np.all(shape > 0):
        raise ValueError(f"clutter_shape must be positive, infinite for no texture, got {shape}")
    return np.asarray(first, np.float64), enl, ring_of(count, effective_sample_ratio), shape


def ring_table(params: CfarParams) -> NDArray[np.float64]:
    """Return the thresholds of a kernel for every ring count n, 0 … `params.ring_size`; infinite below `min_ring`.

    For gamma the threshold over the *sum* of the ring. For two-parameter clutter models the squared factor times
    n/(n − 1), so that a level is above its threshold when (n·level − sum)² exceeds n·squares − sum² times that. For k
    as for gamma where the shape is given; where it is not, the row of `k_distribution.ring_surface`, and
    between two of them by its fraction.

    Solved at every count up to 256 and at 256 of all, its logarithm linear in 1/count between: the error stays under
    0.01 % of the factor (tested). Read-only: the table is shared between calls.
    """
    return _ring_table(
        replace(params, max_hits=1, iterations=1)
    )  # what does not change the table does not split the cache


@lru_cache(maxsize=32)
def _ring_table(params: CfarParams) -> NDArray[np.float64]:
    size = params.ring_size
    if params.clutter_model == "k" and params.clutter_shape is None:
        return k_distribution.ring_rows(params)
    spread = np.geomspace(1, size, TABLE_NODES).round()
    nodes = np.unique(np.concatenate([np.arange(1, min(EXACT_COUNTS, size) + 1), spread, [size]]))
    factors = _k_factors(params, nodes) if params.clutter_model == "k" else _factors(params, nodes)
    nodes, factors = nodes[np.isfinite(factors)], factors[np.isfinite(factors)]
    table = np.full(size + 1, np.inf)
    if len(nodes):
        count = np.arange(nodes[0], size + 1, dtype=np.float64)
        # 1/count falls with count and np.interp wants a rising abscissa
        factor = np.exp(np.interp(-1 / count, -1 / nodes, np.log(factors)))
        if params.clutter_model in {"gamma", "k"}:
            table[int(nodes[0]) :] = factor / count
        else:
            with np.errstate(divide="ignore"):  # one pixel has no deviation
                table[int(nodes[0]) :] = factor**2 * (count / (count - 1))
        table[: params.min_ring] = np.inf
    table.setflags(write=False)
    return table


def _factors(params: CfarParams, count: F64) -> F64:
    shape = np.inf if params.clutter_shape is None else params.clutter_shape
    return threshold_factor(
        params.clutter_model,
        params.pfa,
        enl=params.enl,
        count=count,
        effective_sample_ratio=params.effective_sample_ratio,
        clutter_shape=shape,
    )


def _k_factors(params: CfarParams, count: F64) -> F64:
    """Factors of k, each a search through integrals, by a spline through a few of them."""
    few = np.geomspace(1, params.ring_size, K_NODES)
    factors = _factors(params, few)
    few, factors = few[np.isfinite(factors)], factors[np.isfinite(factors)]
    if factors.size < 2:
        return np.full(count.size, np.inf)
    known = CubicSpline(np.log(few), np.log(factors), extrapolate=False)(np.log(count))
    return np.where(np.isfinite(known), np.exp(known), np.inf)
