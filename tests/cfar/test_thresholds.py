from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, special

from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import pfa_of, ring_table, threshold_factor


def gamma_pfa(factor, enl, count):
    """P(pixel > factor · mean) by direct integration over the ring's mean, nothing shared with `clutter`."""
    shape = enl * count
    spread = 12 / np.sqrt(shape)

    def integrand(log_mean):
        mean = np.exp(log_mean)
        log_density = shape * (np.log(shape) + log_mean - mean) - special.gammaln(shape)
        return np.exp(log_density) * special.gammaincc(enl, enl * factor * mean)

    # in ln of the mean, around 0: the density is a bump of width 1/√shape, wider to the left for small shapes
    points = np.linspace(-6 * spread, spread, 60)
    return sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-10)[0] for a, b in pairwise(points))


@pytest.mark.parametrize("pfa", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("enl", [1, 4.4, 20])
@pytest.mark.parametrize("count", [16, 100, 1240, 19_360])
def test_gamma_factor_gives_its_pfa_by_direct_integration(pfa, enl, count):
    factor = float(threshold_factor("gamma", pfa, enl=enl, count=count))
    assert gamma_pfa(factor, enl, count) == pytest.approx(pfa, rel=1e-6)


@given(
    st.floats(-12, np.log10(0.5)),
    st.floats(0.3, 100),
    st.integers(1, 60_000),
    st.floats(0.05, 1),
)
def test_pfa_of_is_the_inverse(log_pfa, enl, count, effective_sample_ratio):
    assume(enl * count * effective_sample_ratio >= 1)  # a ring of less than one look has no level to speak of
    pfa = 10**log_pfa
    factor = threshold_factor("gamma", pfa, enl=enl, count=count, effective_sample_ratio=effective_sample_ratio)
    assert pfa_of(
        "gamma", factor, enl=enl, count=count, effective_sample_ratio=effective_sample_ratio
    ) == pytest.approx(pfa, rel=1e-7)


def test_known_thresholds():
    # one look, many pixels: exponential power, so −ln(pfa)
    assert threshold_factor("gamma", 1e-6, enl=1, count=1e9) == pytest.approx(-np.log(1e-6), rel=1e-6)
    # one look, n pixels: n(pfa^(−1/n) − 1), the textbook cell-averaging rule
    assert threshold_factor("gamma", 1e-6, enl=1, count=16) == pytest.approx(16 * (1e6 ** (1 / 16) - 1), rel=1e-12)
    assert threshold_factor("gamma", 1e-6, enl=4.4, count=1e9) == pytest.approx(5.05, abs=0.01)


@pytest.mark.parametrize(("pfa", "enl"), [(1e-3, 1), (1e-6, 4.4), (1e-12, 20), (1e-12, 0.5)])
@pytest.mark.parametrize("effective_sample_ratio", [1, 0.2])
@pytest.mark.parametrize("training", [2, 19, 79])
def test_table_is_within_a_ten_thousandth(pfa, enl, effective_sample_ratio, training):
    params = CfarParams(
        pfa=pfa, enl=enl, effective_sample_ratio=effective_sample_ratio, guard=1, training=training, min_ring=1
    )
    count = np.arange(1, params.ring_size + 1)
    exact = threshold_factor("gamma", pfa, enl=enl, count=count, effective_sample_ratio=effective_sample_ratio)
    table = ring_table(params)
    np.testing.assert_allclose(table[1:] * count, exact, rtol=1e-4)
    assert np.all(np.diff(table[1:]) < 0), "the smallest factor must be that of the whole ring"
    assert table[0] == np.inf


def test_table_allows_no_decision_below_min_ring():
    table = ring_table(CfarParams(min_ring=100))
    assert np.isinf(table[:100]).all()
    assert np.isfinite(table[100:]).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"pfa": 0}, "pfa"),
        ({"pfa": 1.5}, "1.5"),
        ({"enl": 0}, "enl"),
        ({"enl": np.nan}, "nan"),
        ({"count": 0}, "count"),
        ({"effective_sample_ratio": 2}, "effective_sample_ratio"),
        ({"clutter_model": "rayleigh"}, "rayleigh"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    good = {"clutter_model": "gamma", "pfa": 1e-6, "enl": 4.4, "count": 100}
    with pytest.raises(ValueError, match=named):
        threshold_factor(**(good | arguments))


def test_a_ring_that_never_decides_has_a_table_as_unchangeable_as_others():
    table = ring_table(
        CfarParams(clutter_model="lognormal", guard=0, training=1, min_ring=1, effective_sample_ratio=0.05)
    )
    assert np.all(table == np.inf)
    assert not table.flags.writeable
