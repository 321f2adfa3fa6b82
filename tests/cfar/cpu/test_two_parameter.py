"""Two-parameter detectors: sums, seams, and thresholds against direct integration."""

from itertools import pairwise

import numpy as np
import pytest
from builders import naive
from builders.twins import assert_twins_agree, examples, searches
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, ndimage, special, stats

from sarship import cfar
from sarship.cfar import CfarParams, k_distribution
from sarship.cfar.cpu import log_levels as cpu_levels
from sarship.cfar.thresholds import pfa_of, ring_table, threshold_factor

CLUTTER_MODELS = ["lognormal", "weibull", "k", "gaussian"]
TWO_MOMENTS = ["lognormal", "weibull", "gaussian"]
LOG_MODELS = ["lognormal", "weibull"]


@pytest.mark.parametrize("way", [*CLUTTER_MODELS, "k, shape given"])
@given(data=st.data())
@examples
def test_digital_numbers_equal_the_plain_twin_exactly(way, data):
    assert_twins_agree(data.draw(searches(way, [np.uint16])))


@pytest.mark.parametrize("way", [*CLUTTER_MODELS, "k, shape given"])
@given(data=st.data())
@examples
def test_powers_equal_the_plain_twin(way, data):
    # ln power is summed in whole numbers, whatever the type; the spread of power cancels where a ring hardly varies
    tie = {"gaussian": 1e-6, "k, shape given": 1e-12}.get(way, 0)
    assert_twins_agree(data.draw(searches(way, [np.float32, np.float64])), tie)


def test_levels_are_the_rounded_logarithm_of_power():
    levels = cpu_levels.LN_LEVELS
    assert levels[0] == 0
    power = np.exp((levels[1:].astype(float) - 1) / cpu_levels.LN_SCALE)
    np.testing.assert_allclose(power, np.arange(1.0, 65_536) ** 2, rtol=1e-6)
    assert np.all(levels[1:] % 2 == 1), "no level is zero whatever even number is taken from it"


@pytest.mark.parametrize("clutter_model", LOG_MODELS)
def test_powers_of_any_size_have_a_logarithm_and_absurd_ones_are_no_data(clutter_model):
    rng = np.random.default_rng(3)
    image = 10 ** rng.uniform(-190, 190, (25, 25))
    params = CfarParams(clutter_model=clutter_model, guard=1, training=2, pfa=0.1)
    score, single = naive.judged(image, params)[0], np.finfo(np.float32)
    got = cfar.score(image, params)
    np.testing.assert_allclose(got, np.clip(score, None, single.max), rtol=3e-7, atol=single.tiny)
    absurd, missing = image.copy(), image.copy()
    absurd[5, 5:9], missing[5, 5:9] = [1e-220, 1e220, 5e-324, 1e308], np.nan
    np.testing.assert_array_equal(cfar.score(absurd, params), cfar.score(missing, params))


@pytest.mark.parametrize("clutter_model", CLUTTER_MODELS)
def test_sums_stay_exact_beside_the_brightest_land(clutter_model):
    rng = np.random.default_rng(0)
    image = np.full((60, 70), 65_535, np.uint16)
    image[:, :30] = rng.integers(1, 40, (60, 30))
    image[:20, 30:] = rng.integers(60_000, 65_536, (20, 40))
    params = CfarParams(clutter_model=clutter_model, guard=3, training=5, pfa=1e-2)
    score = naive.judged(image, params)[0]
    got = cfar.score(image, params)
    np.testing.assert_array_equal(got > 1, score > 1)
    np.testing.assert_allclose(got, score, rtol=3e-7)


@pytest.mark.parametrize("clutter_model", CLUTTER_MODELS)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_tiles_threads_bands_and_masks_change_nothing(monkeypatch, clutter_model, dtype):
    rng = np.random.default_rng(5)
    power = rng.gamma(4.4, 1 / 4.4, (120, 200)) * np.where(np.arange(200) < 90, 1, 1e3)
    image = (np.sqrt(power) * 300).astype(dtype) if dtype == np.uint16 else power.astype(dtype)
    valid = rng.random(image.shape) > 0.05
    params = CfarParams(clutter_model=clutter_model, pfa=1e-2, guard=2, training=4)
    whole, scores = cfar.detect(image, params, valid), cfar.score(image, params, valid)
    assert len(whole) > 20
    band = cfar.score(image[24:80], params, valid[24:80], lines=(6, 50))
    np.testing.assert_allclose(band, scores[30:74], rtol=2e-7)
    monkeypatch.setattr("sarship.cfar.tiles.TILE_PIXELS", 37)
    monkeypatch.setattr("sarship.cfar.tiles.TILE_LINES", 1)
    monkeypatch.setattr("sarship.cfar.cpu.two_parameter.STRIP_LINES", 1)
    got = cfar.detect(np.asfortranarray(image), params, valid)
    for name in ("line", "pixel", "value", "clutter", "score"):
        np.testing.assert_array_equal(getattr(got, name), getattr(whole, name))


@pytest.mark.parametrize(("guard", "training"), [(10, 10), (1, 2), ((0, 40), (3, 20))])
@pytest.mark.parametrize("brightest", [65_535, 300])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("clutter_model", CLUTTER_MODELS)
def test_blocks_that_are_skipped_hold_no_hit(clutter_model, dtype, brightest, guard, training):
    rng = np.random.default_rng(4)
    shape = (150, 500)
    # texture as spiky as it comes, a level that rises, land, holes and a mask
    power = rng.gamma(0.5, 2, shape) * rng.gamma(4.4, 1 / 4.4, shape) * np.linspace(1, 9, shape[1])
    image = np.minimum(np.sqrt(power) * 50, brightest)
    image[rng.random(shape) < 1e-3] *= 4
    image[:, 200:280] = brightest * rng.random((shape[0], 80))
    image[60:80] = 0
    image = np.minimum(image, 65_535).astype(np.uint16)
    image = image if dtype == np.uint16 else image.astype(dtype) ** 2 / 1e4
    valid = np.ones(shape, bool)
    valid[:, 350:380] = False
    # the sea has a longer tail towards the dark than the lognormal law has
    params = CfarParams(
        clutter_model=clutter_model, pfa=0.05 if clutter_model == "lognormal" else 1e-3, guard=guard, training=training
    )
    mask = cfar.mask(image, params, valid)
    # scores are made by walking every pixel
    np.testing.assert_array_equal(mask, cfar.score(image, params, valid) > 1)
    assert mask.sum() > 5


@pytest.mark.parametrize("clutter_model", CLUTTER_MODELS)
def test_negative_power_is_named(clutter_model):
    image = np.ones((30, 30), np.float32)
    image[3, 4] = -12.5
    with pytest.raises(ValueError, match=r"-12\.5 at line 3, pixel 4.*decibel"):
        cfar.detect(image, CfarParams(clutter_model=clutter_model))
    valid = image > 0
    assert np.isnan(cfar.score(image, CfarParams(clutter_model=clutter_model), valid)[3, 4])


def lognormal_pfa(factor, count):
    """P(level > mean + factor · deviation) for normal levels, by direct integration over the deviation."""
    freedom = count - 1

    def integrand(deviation):
        tail = special.ndtr(-factor * deviation / np.sqrt(1 + 1 / count))
        return tail * stats.chi.pdf(deviation * np.sqrt(freedom), freedom) * np.sqrt(freedom)

    points = np.linspace(1e-6, 1 + 12 / np.sqrt(freedom), 40)
    return sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in pairwise(points))


@pytest.mark.parametrize("pfa", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("count", [16, 100, 1240])
def test_lognormal_factor_gives_its_pfa_by_direct_integration(pfa, count):
    factor = float(threshold_factor("lognormal", pfa, enl=1, count=count))
    assert lognormal_pfa(factor, count) == pytest.approx(pfa, rel=1e-6)


@pytest.mark.parametrize(
    ("pfa", "count", "within"), [(1e-3, 16, 0.2), (1e-3, 64, 0.05), (1e-6, 128, 0.15), (1e-6, 400, 0.05)]
)
def test_weibull_factor_gives_its_pfa_over_rings_drawn_from_it(pfa, count, within):
    factor = float(threshold_factor("weibull", pfa, enl=1, count=count))
    levels = np.log(np.random.default_rng(0).standard_exponential((6_000_000 // count, count)))
    threshold = levels.mean(axis=1) + factor * levels.std(axis=1, ddof=1)
    assert np.exp(-np.exp(threshold)).mean() == pytest.approx(pfa, rel=within)


def test_large_rings_give_the_limits():
    assert threshold_factor("lognormal", 1e-6, enl=1, count=1e9) == pytest.approx(stats.norm.isf(1e-6), rel=1e-6)
    limit = np.sqrt(6) / np.pi * (np.log(-np.log(1e-6)) + np.euler_gamma)
    assert threshold_factor("weibull", 1e-6, enl=1, count=1e9) == pytest.approx(limit, rel=1e-6)
    assert threshold_factor("gaussian", 1e-6, enl=1, count=16) == pytest.approx(stats.norm.isf(1e-6), rel=1e-12)


@given(st.sampled_from(TWO_MOMENTS), st.floats(-12, np.log10(0.4)), st.integers(8, 60_000), st.floats(0.5, 1))
@settings(deadline=None, max_examples=40)
def test_pfa_of_is_the_inverse(clutter_model, log_pfa, count, effective_sample_ratio):
    factor = threshold_factor(
        clutter_model, 10**log_pfa, enl=1, count=count, effective_sample_ratio=effective_sample_ratio
    )
    assert pfa_of(
        clutter_model, factor, enl=1, count=count, effective_sample_ratio=effective_sample_ratio
    ) == pytest.approx(10**log_pfa, rel=1e-6)


@pytest.mark.parametrize("clutter_model", TWO_MOMENTS)
@pytest.mark.parametrize("pfa", [1e-3, 1e-12])
@pytest.mark.parametrize("training", [2, 19, 79])
def test_table_is_within_a_ten_thousandth(clutter_model, pfa, training):
    params = CfarParams(
        clutter_model=clutter_model, pfa=pfa, effective_sample_ratio=0.5, guard=1, training=training, min_ring=8
    )
    count = np.unique(np.geomspace(8, params.ring_size, 200).astype(int))
    exact = threshold_factor(clutter_model, pfa, enl=4.4, count=count, effective_sample_ratio=0.5)
    table = ring_table(params)
    np.testing.assert_allclose(np.sqrt(table[count] * (count - 1) / count), exact, rtol=1e-4)
    assert np.all(np.diff(table[8:]) < 0), "the smallest factor must be that of the whole ring"


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [None, 3.0])
def test_false_alarms_of_a_spiky_sea_come_at_their_rate(dtype, shape):
    rng = np.random.default_rng(1)
    clutter = rng.gamma(3, 1 / 3, (1200, 1200)) * rng.gamma(4.4, 1 / 4.4, (1200, 1200))
    clutter = (np.sqrt(clutter) * 500).astype(dtype) if dtype == np.uint16 else clutter.astype(dtype)
    for pfa in (1e-2, 1e-3):
        n_hits = cfar.mask(clutter, CfarParams(clutter_model="k", pfa=pfa, clutter_shape=shape)).sum()
        assert n_hits == pytest.approx(pfa * clutter.size, rel=0.1)


def test_a_given_shape_needs_the_mean_alone():
    rng = np.random.default_rng(2)
    image = (np.sqrt(rng.gamma(2, 1 / 2, (40, 50)) * rng.gamma(4.4, 1 / 4.4, (40, 50))) * 300).astype(np.uint16)
    params = CfarParams(clutter_model="k", clutter_shape=2.0, pfa=1e-2, guard=1, training=3)
    np.testing.assert_array_equal(cfar.mask(image, params), naive.judged(image, params)[0] > 1)
    assert cfar.mask(image, params).sum() < cfar.mask(image, CfarParams(pfa=1e-2, guard=1, training=3)).sum()


@pytest.mark.parametrize("clutter_model", LOG_MODELS)
def test_false_alarms_come_at_their_rate(clutter_model):
    rng = np.random.default_rng(1)
    clutter = {"lognormal": rng.lognormal(2, 0.7, (1500, 1500)), "weibull": rng.weibull(1.3, (1500, 1500))}[
        clutter_model
    ]
    for pfa in (1e-2, 1e-3):
        n_hits = cfar.mask(clutter.astype(np.float32), CfarParams(clutter_model=clutter_model, pfa=pfa)).sum()
        assert n_hits == pytest.approx(pfa * clutter.size, rel=0.1)


def test_the_two_parameter_rule_is_not_constant_on_speckle():
    speckle = np.random.default_rng(1).gamma(4.4, 1 / 4.4, (1500, 1500)).astype(np.float32)
    rate = cfar.mask(speckle, CfarParams(clutter_model="gaussian", pfa=1e-6)).mean()
    assert rate == pytest.approx(special.gammaincc(4.4, 4.4 + stats.norm.isf(1e-6) * np.sqrt(4.4)), rel=0.1)
    assert rate > 500e-6


def smoothed(shape, rng):
    """Normal values as correlated as the pixels of a GRD image, 20 × 22 m on 10 m."""
    values = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), (0.93, 0.85), mode="wrap")
    return values / values.std()


@pytest.mark.parametrize("clutter_model", ["lognormal", "weibull", "k"])
def test_correlated_pixels_leave_the_rate_as_it_is(clutter_model):
    rng, shape = np.random.default_rng(3), (500, 600)
    if clutter_model == "k":
        # as many looks as there are pairs of fields, times a texture of order 10
        speckle = sum(smoothed(shape, rng) ** 2 for _ in range(8)) / 8
        texture = stats.gamma.ppf(special.ndtr(smoothed(shape, rng)), 10) / 10
        sea, tail = speckle * texture, lambda threshold: k_distribution.pfa_of(threshold, 10, 4)
    elif clutter_model == "lognormal":
        sea, tail = np.exp(smoothed(shape, rng)), lambda threshold: special.ndtr(-np.log(threshold))
    else:
        sea, tail = -special.log_ndtr(smoothed(shape, rng)), lambda threshold: np.exp(-threshold)
    sea = sea.astype(np.float32)
    effective_sample_ratio = cfar.measure_correlation(sea)
    assert effective_sample_ratio < 0.2
    score = cfar.score(
        sea, CfarParams(clutter_model=clutter_model, enl=4, effective_sample_ratio=effective_sample_ratio)
    )
    # the chance of a false alarm over the thresholds that rings gave; the pixel itself is far from its ring
    threshold = (sea / score)[20:-20:9, 20:-20:9].astype(float)
    assert tail(threshold).mean() == pytest.approx(1e-6, rel=0.3)
