"""K-CFAR thresholds against another formula, and over rings simulated from the K distribution."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from sarship.cfar import k_distribution
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import pfa_of, ring_table, threshold_factor

ENL = 4.4


def bessel_pfa(factor, shape, enl):
    """P(power > factor) from the density with a Bessel function, which the integral of `k_distribution` never sees."""
    order, rate = shape - enl, np.sqrt(enl * shape)

    def density(root):
        log_scale = (enl + shape) * np.log(rate) + np.log(2) - special.gammaln(enl) - special.gammaln(shape)
        bessel = np.log(special.kve(order, 2 * rate * root)) - 2 * rate * root
        return 2 * root * np.exp(log_scale + (enl + shape - 2) * np.log(root) + bessel)

    points = np.sqrt(factor) + np.array([0, 0.5, 1, 2, 4, 8, 16, 40]) / rate
    return sum(integrate.quad(density, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(points))


@pytest.mark.parametrize("pfa", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("shape", [0.3, 1, 3, 10, 40])
@pytest.mark.parametrize("enl", [1, 4.4, 20])
def test_factor_gives_its_pfa_by_the_bessel_form(pfa, shape, enl):
    factor = float(threshold_factor("k", pfa, enl=enl, count=1e14, clutter_shape=shape))
    assert bessel_pfa(factor, shape, enl) == pytest.approx(pfa, rel=1e-7)


@pytest.mark.parametrize("count", [16, 1240, 1e9])
def test_without_texture_it_is_gamma(count):
    pfa = np.array([1e-1, 1e-3, 1e-6, 1e-12])
    gamma = threshold_factor("gamma", pfa, enl=ENL, count=count)
    np.testing.assert_allclose(threshold_factor("k", pfa, enl=ENL, count=count), gamma, rtol=1e-6)
    np.testing.assert_allclose(threshold_factor("k", pfa, enl=ENL, count=count, clutter_shape=1e6), gamma, rtol=1e-4)


@given(st.floats(-12, -0.31), st.floats(0.1, 1000), st.floats(0.5, 50), st.integers(16, 60_000), st.floats(0.5, 1))
@settings(deadline=None, max_examples=25)
def test_pfa_of_is_the_inverse(log_pfa, shape, enl, count, effective_sample_ratio):
    assume(
        count * effective_sample_ratio >= 8 * ((1 + 1 / shape) * (1 + 1 / enl) - 1)
    )  # else the ring's mean is no measure
    ring = {"enl": enl, "count": count, "effective_sample_ratio": effective_sample_ratio, "clutter_shape": shape}
    factor = threshold_factor("k", 10**log_pfa, **ring)
    assert pfa_of("k", factor, **ring) == pytest.approx(10**log_pfa, rel=1e-6)
    assert pfa_of("k", factor * 1.01, **ring) < 10**log_pfa


def rings(shape, count, n_rings):
    """Mean, and mean and variance of the logarithm, of simulated rings."""
    rng = np.random.default_rng(int(shape * 10) + count)
    power = rng.gamma(shape, 1 / shape, (n_rings, count)) * rng.gamma(ENL, 1 / ENL, (n_rings, count))
    log = np.log(power)
    return power.mean(axis=1), log.mean(axis=1), log.var(axis=1, ddof=1)


@pytest.mark.parametrize(("count", "pfa", "within"), [(32, 1e-3, 0.15), (124, 1e-6, 0.15), (1240, 1e-6, 0.05)])
@pytest.mark.parametrize("shape", [1, 3, 10])
def test_a_given_shape_gives_its_pfa_over_rings_drawn_from_it(shape, count, pfa, within):
    mean, _, _ = rings(shape, count, 1000)
    factor = threshold_factor("k", pfa, enl=ENL, count=count, clutter_shape=shape)
    assert k_distribution.pfa_of(factor * mean, shape, ENL).mean() == pytest.approx(pfa, rel=within)


@pytest.mark.parametrize(("count", "window"), [(1240, {}), (124, {"guard": 0, "training": (2, 12)})])
@pytest.mark.parametrize("pfa", [1e-3, 1e-6])
def test_an_estimated_shape_gives_the_pfa_over_rings_of_any_sea(count, window, pfa):
    surface = ring_surface(CfarParams(clutter_model="k", pfa=pfa, enl=ENL, **window))
    entries = np.arange(surface.entries.shape[1])
    for shape in (1, 3, 10, 1e6):
        _, mean, variance = rings(shape, count, 600)
        place = np.log(variance / surface.variance) * surface.steps
        threshold = np.exp(mean + np.interp(place, entries, surface.entries[-1]))
        ratio = k_distribution.pfa_of(threshold, shape, ENL).mean() / pfa
        # where there is no texture, some may still be hidden in what the ring shows, so the threshold is higher
        assert ratio < 1 if shape == 1e6 else ratio == pytest.approx(1, abs=0.12 if count == 1240 else 0.3)


@pytest.mark.parametrize(
    ("pfa", "enl", "effective_sample_ratio"), [(1e-3, 4.4, 1.0), (1e-9, 4.4, 0.2), (1e-6, 20, 0.5)]
)
def test_the_surface_is_within_a_thousandth_of_the_threshold(pfa, enl, effective_sample_ratio):
    params = CfarParams(clutter_model="k", pfa=pfa, enl=enl, effective_sample_ratio=effective_sample_ratio)
    surface, rows = ring_surface(params), ring_table(params)
    counts = np.array([150, 200, 333, 900, 1239])
    variance, fine = k_distribution.log_factors(pfa, enl, counts, 320.0, effective_sample_ratio)
    assert variance == pytest.approx(surface.variance)
    spiky = np.log(float(k_distribution.log_variance(0.5, enl)) / variance) * surface.steps
    for count, exact in zip(counts, fine, strict=True):
        row, weight = int(rows[count]), rows[count] % 1
        near, far = surface.entries[row], surface.entries[min(row + 1, len(surface.entries) - 1)]
        at = np.arange(exact.size) / 5
        got = np.interp(at, np.arange(near.size), near * (1 - weight) + far * weight)
        np.testing.assert_allclose(got[at < spiky], exact[at < spiky], atol=1e-3)
    assert np.all(np.diff(surface.entries, axis=1) >= 0)


def test_no_decision_where_a_ring_cannot_tell_the_shape():
    rows = ring_table(CfarParams(clutter_model="k", effective_sample_ratio=0.1))
    assert np.isinf(rows[:160]).all()
    assert np.isfinite(rows[160:]).all()
    assert np.isinf(ring_table(CfarParams(clutter_model="k", effective_sample_ratio=0.001))).all()


@pytest.mark.parametrize("shape", [0, -1, np.nan])
def test_bad_shapes_are_named(shape):
    with pytest.raises(ValueError, match=f"shape .* {shape}"):
        threshold_factor("k", 1e-6, enl=ENL, count=100, clutter_shape=shape)
    with pytest.raises(ValueError, match=f"shape .* {shape}"):
        CfarParams(clutter_model="k", clutter_shape=shape)
