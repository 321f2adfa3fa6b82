"""GOCA, SOCA and OS-CFAR: kernels against plain twins, seams, rates, and the purpose of each."""

import numpy as np
import pytest
from builders.twins import assert_twins_agree, examples, searches
from hypothesis import given
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar import CfarParams

AVERAGES = ["goca", "soca", "os"]


@pytest.mark.parametrize("average", AVERAGES)
@given(data=st.data())
@examples
def test_digital_numbers_equal_the_plain_twin_exactly(average, data):
    assert_twins_agree(data.draw(searches(average, [np.uint16])))


@pytest.mark.parametrize("average", AVERAGES)
@given(data=st.data())
@examples
def test_powers_equal_the_plain_twin(average, data):
    # the pixel at a rank is a pixel, whatever the type; sums round
    tie = 0 if average == "os" else 1e-12
    assert_twins_agree(data.draw(searches(average, [np.float32, np.float64])), tie)


@pytest.mark.parametrize("average", AVERAGES)
def test_the_brightest_numbers_are_counted(average):
    image = np.full((5, 5), 65_535, np.uint16)
    params = CfarParams(average=average, pfa=0.4, enl=1, guard=0, training=1, min_ring=1)
    np.testing.assert_array_equal(cfar.mask(image, params), cfar.score(image, params) > 1)


def scene(shape, dtype, seed=5):
    """Speckle with a step, ships, a hole and missing pixels."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(4.4, 1 / 4.4, shape) * np.where(np.arange(shape[1]) < shape[1] // 2, 1, 1e3)
    power[rng.random(shape) < 2e-3] *= 30
    power[rng.random(shape) < 0.02] = 0
    power[shape[0] // 2 :, : shape[1] // 5] = 0
    return (np.sqrt(power) * 300).astype(dtype) if dtype == np.uint16 else power.astype(dtype)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_tiles_threads_bands_and_masks_change_nothing(monkeypatch, average, dtype):
    image = scene((150, 210), dtype)
    valid = np.random.default_rng(1).random(image.shape) > 0.05
    params = CfarParams(average=average, pfa=1e-3, guard=(1, 3), training=(4, 6))
    whole, scores = cfar.detect(image, params, valid), cfar.score(image, params, valid)
    assert len(whole) > 30
    np.testing.assert_array_equal(cfar.mask(image, params, valid), scores > 1)
    band = cfar.score(image[25:80], params, valid[25:80], lines=(5, 50))
    np.testing.assert_array_equal(band, scores[30:75])
    monkeypatch.setattr("sarship.cfar.tiles.TILE_PIXELS", 37)
    monkeypatch.setattr("sarship.cfar.tiles.TILE_LINES", 1)
    monkeypatch.setattr("sarship.cfar.cpu.strips.STRIP_LINES", 7)
    monkeypatch.setattr("sarship.cfar.cpu.strips.STRIP_PIXELS", 40)
    got = cfar.detect(np.asfortranarray(image), params, valid)
    for name in ("line", "pixel", "value", "clutter", "score"):
        np.testing.assert_array_equal(getattr(got, name), getattr(whole, name))


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize(("guard", "training"), [(10, 10), ((0, 20), (3, 20)), (30, 3)])
def test_what_is_passed_over_is_no_hit(average, dtype, guard, training):
    image = scene((180, 640), dtype)
    params = CfarParams(average=average, pfa=1e-4, guard=guard, training=training)
    found = cfar.mask(image, params)
    # scores look at every pixel
    np.testing.assert_array_equal(found, cfar.score(image, params) > 1)
    assert found.sum() > 30


@pytest.mark.parametrize("average", AVERAGES)
def test_false_alarms_come_at_their_rate(average):
    sea = np.random.default_rng(1).gamma(4.4, 1 / 4.4, (1500, 1500)).astype(np.float32)
    n_hits = cfar.mask(sea, CfarParams(pfa=1e-3, average=average)).sum()
    assert n_hits == pytest.approx(1e-3 * sea.size, rel=0.06)


def test_goca_holds_the_rate_over_a_step():
    rng = np.random.default_rng(1)
    high = (np.arange(2000) // 100) % 2 == 1
    sea = (rng.gamma(4.4, 1 / 4.4, (1000, 2000)) * np.where(high, 4, 1)).astype(np.float32)
    near = high & (np.minimum(np.arange(2000) % 100, 99 - np.arange(2000) % 100) < 20)
    rates = {name: cfar.mask(sea, CfarParams(pfa=1e-3, average=name))[:, near].mean() for name in ("ca", "goca")}
    assert rates["goca"] < 2e-3
    assert rates["ca"] > 8e-3


@pytest.mark.parametrize("average", AVERAGES)
def test_a_neighbour_in_the_ring_hides_no_ship_from_soca_and_os(average):
    image = np.random.default_rng(2).gamma(4.4, 1 / 4.4, (100, 100)).astype(np.float32)
    image[45:50, 30:34] = 3000
    image[48, 46] = 15
    found = cfar.mask(image, CfarParams(pfa=1e-6, average=average))
    assert found[48, 46] == (average != "goca")


@pytest.mark.parametrize("average", AVERAGES)
def test_negative_power_is_named(average):
    image = np.ones((30, 30), np.float32)
    image[3, 4] = -12.5
    params = CfarParams(average=average)
    for call in (cfar.detect, cfar.score, cfar.mask):
        with pytest.raises(ValueError, match=r"-12\.5 at line 3, pixel 4.*decibel"):
            call(image, params)
    assert np.isnan(cfar.score(image, params, image > 0)[3, 4])


@pytest.mark.parametrize("average", AVERAGES)
def test_two_images_share_the_pfa(average):
    first, second = scene((60, 80), np.uint16, 1), scene((60, 80), np.uint16, 2)
    params, half = (CfarParams(average=average, pfa=pfa, guard=2, training=4) for pfa in (1e-3, 5e-4))
    hits = cfar.detect_dual(first, second, params)
    best = np.fmax(cfar.score(first, half), cfar.score(second, half))
    np.testing.assert_array_equal(np.argwhere(best > 1), np.stack([hits.line, hits.pixel], axis=1))
    np.testing.assert_array_equal(hits.score, best[best > 1])
