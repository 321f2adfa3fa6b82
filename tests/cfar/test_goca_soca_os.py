"""Thresholds of GOCA, SOCA and OS-CFAR, against integrals that share nothing with them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from sarship.cfar.goca_soca_os import order_of, order_table, side_table
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import pfa_of, threshold_factor

SIDES = ["goca", "soca"]


def sides_pfa(average, factors, enl, many):
    """P(pixel > greatest or smallest of factor · mean over the sides), by direct integration over the pixel's power."""

    edges = np.geomspace(1e-3, 80 + 60 / enl, 400)
    node, weight = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    x, weight = edges[:-1, None] + half * (1 + node), half * weight
    below = [special.gammainc(enl * n, enl * n * x / t) for n, t in zip(many, factors, strict=True)]
    above = [special.gammaincc(enl * n, enl * n * x / t) for n, t in zip(many, factors, strict=True)]
    # what the sides add one after the other, for 1 less a product of numbers near 1
    least = sum(b * np.prod(above[:k], axis=0) for k, b in enumerate(below))
    density = np.exp(enl * np.log(enl) + (enl - 1) * np.log(x) - enl * x - special.gammaln(enl))
    return float((weight * density * (np.prod(below, axis=0) if average == "goca" else least)).sum())


@pytest.mark.parametrize("average", SIDES)
@pytest.mark.parametrize(
    ("pfa", "enl", "count", "sides"), [(1e-3, 1, 310, 4), (1e-6, 4.4, 310, 4), (1e-12, 4.4, 40, 3), (1e-9, 20, 16, 2)]
)
def test_factors_over_sides_give_their_pfa_by_direct_integration(average, pfa, enl, count, sides):
    factor = float(threshold_factor("gamma", pfa, enl=enl, count=count, average=average, sides=sides))
    assert sides_pfa(average, [factor] * sides, enl, [count] * sides) == pytest.approx(pfa, rel=1e-6)
    got = pfa_of("gamma", factor, enl=enl, count=count, average=average, sides=sides)
    assert got == pytest.approx(pfa, rel=1e-8)


@pytest.mark.parametrize("average", SIDES)
def test_one_side_is_a_mean(average):
    arguments = {"enl": 4.4, "count": np.array([16, 100, 1240.0]), "effective_sample_ratio": 0.3}
    got = threshold_factor("gamma", 1e-9, **arguments, average=average, sides=1)
    np.testing.assert_allclose(got, threshold_factor("gamma", 1e-9, **arguments), rtol=1e-9)


@pytest.mark.parametrize(("average", "low", "high"), [("goca", 0.45, 1.0001), ("soca", 0.999, 1.26)])
def test_unequal_sides_keep_near_the_rate(average, low, high):
    """Sides that a quay or an edge cuts: what docs/cfar.md says of the rate there."""
    params = CfarParams(average=average, pfa=1e-6, enl=4.4, guard=10, training=10)
    table, worst = side_table(params), []
    for counts in [(310, 210, 0, 160), (310, 310, 0, 110), (310, 155, 20, 20), (310, 310, 310, 30), (310, 5, 0, 0)]:
        many = [n for n in counts if n]
        factors = [table[len(many), n] * n for n in many]
        worst.append(sides_pfa(average, factors, params.enl, many) / params.pfa)
    assert low < min(worst) < max(worst) < high, worst


@pytest.mark.parametrize("pfa", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize(("count", "rank"), [(16, 0.75), (100, 0.25), (1240, 0.75), (7, 1.0)])
def test_os_factor_of_one_look_is_the_textbook_product(pfa, count, rank):
    factor = float(threshold_factor("gamma", pfa, enl=1, count=count, average="os", rank=rank))
    i = np.arange(order_of(count, rank))
    assert np.exp(np.log((count - i) / (count - i + factor)).sum()) == pytest.approx(pfa, rel=1e-7)


@pytest.mark.parametrize(("pfa", "enl", "count"), [(1e-3, 4.4, 1240), (1e-9, 4.4, 50), (1e-12, 20, 400)])
def test_os_factor_gives_its_pfa_by_direct_integration(pfa, enl, count):
    factor = float(threshold_factor("gamma", pfa, enl=enl, count=count, average="os"))
    k = order_of(count, 0.75)
    place = special.betaincinv(k, count + 1 - k, np.array([1e-25, 1 - 1e-13]))

    def integrand(part):
        level = special.gammaincinv(enl, part) / enl
        return special.gammaincc(enl, enl * factor * level) * np.exp(
            (k - 1) * np.log(part) + (count - k) * np.log1p(-part) - special.betaln(k, count + 1 - k)
        )

    edges = np.linspace(*place, 60)
    got = sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in pairwise(edges))
    assert got == pytest.approx(pfa, rel=1e-5)


@given(st.sampled_from(["goca", "soca", "os"]), st.floats(-12, -0.4), st.floats(0.5, 50), st.integers(8, 9000))
@settings(deadline=None, max_examples=30)
def test_pfa_of_is_the_inverse(average, log_pfa, enl, count):
    arguments = {"enl": enl, "count": count, "average": average}
    factor = threshold_factor("gamma", 10**log_pfa, **arguments)
    assert pfa_of("gamma", factor, **arguments) == pytest.approx(10**log_pfa, rel=1e-6)


@pytest.mark.parametrize("average", SIDES)
@pytest.mark.parametrize(("pfa", "enl", "effective_sample_ratio"), [(1e-6, 4.4, 1), (1e-12, 1, 0.2)])
def test_table_of_sides_is_within_a_thousandth(average, pfa, enl, effective_sample_ratio):
    params = CfarParams(
        pfa=pfa,
        enl=enl,
        effective_sample_ratio=effective_sample_ratio,
        guard=(10, 30),
        training=(20, 40),
        average=average,
    )
    table, sides = side_table(params), np.arange(1, 5)[:, None]
    count = np.unique(np.geomspace(1, table.shape[1] - 1, 60).astype(int))
    exact = threshold_factor(
        "gamma", pfa, enl=enl, count=count, effective_sample_ratio=effective_sample_ratio, average=average, sides=sides
    )
    np.testing.assert_allclose(table[1:, count] * count, exact, rtol=1e-3)
    assert np.isinf(table[0]).all()


@pytest.mark.parametrize(
    ("pfa", "enl", "effective_sample_ratio", "rank"), [(1e-6, 4.4, 1, 0.75), (1e-12, 1, 0.2, 0.999)]
)
def test_table_of_orders_is_within_a_thousandth(pfa, enl, effective_sample_ratio, rank):
    params = CfarParams(
        pfa=pfa, enl=enl, effective_sample_ratio=effective_sample_ratio, guard=20, training=20, average="os", rank=rank
    )
    table = order_table(params)
    count = np.unique(np.geomspace(params.min_ring, params.ring_size, 80).astype(int))
    exact = threshold_factor(
        "gamma", pfa, enl=enl, count=count, effective_sample_ratio=effective_sample_ratio, average="os", rank=rank
    )
    np.testing.assert_allclose(table.factor[count], exact, rtol=1e-3)
    assert np.isinf(table.factor[: params.min_ring]).all()
    np.testing.assert_array_equal(table.order[count], order_of(count, rank))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"average": "median"}, "median"),
        ({"average": "goca", "clutter_model": "weibull"}, "weibull"),
        ({"average": "goca", "sides": 5}, "5"),
        ({"average": "os", "rank": 0}, "rank"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        threshold_factor(**({"clutter_model": "gamma", "pfa": 1e-6, "enl": 4.4, "count": 100} | arguments))
