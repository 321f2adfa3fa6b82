import threading

import numba
import numpy as np
import pytest
from builders import naive
from builders.twins import assert_twins_agree, examples, searches
from hypothesis import given
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar import CfarParams, tiles
from sarship.errors import FloodError
from sarship.model import Window

SMALL = CfarParams(pfa=1e-3, guard=1, training=2, min_ring=3, enl=4.4)


def sea(shape, seed=0, dtype=np.uint16, ships=6):
    """Four-look speckle with bright points, holes and a bright half, as digital numbers or power."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(4.4, 1 / 4.4, shape)
    power[:, shape[1] // 2 :] *= 30
    places = tuple(rng.integers(0, n, ships) for n in shape)
    power[places] *= 60
    power[tuple(rng.integers(0, n, ships) for n in shape)] = 0
    return np.sqrt(power * 1e4).astype(dtype) if dtype == np.uint16 else power.astype(dtype)


@given(st.data())
@examples
def test_digital_numbers_equal_the_plain_twin_exactly(data):
    assert_twins_agree(data.draw(searches("gamma", [np.uint16])))


@given(st.data())
@examples
def test_powers_equal_the_plain_twin(data):
    assert_twins_agree(data.draw(searches("gamma", [np.float32, np.float64])), tie=1e-12)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 57), (61, 1), (53, 71), (9, 2500)])
def test_lines_of_a_band_are_decided_as_in_the_whole(dtype, shape):
    image = sea(shape, dtype=dtype)
    valid = np.random.default_rng(3).random(shape) > 0.05
    params = CfarParams(pfa=1e-2, guard=(1, 2), training=(2, 3), min_ring=5)
    whole, scores = cfar.detect(image, params, valid), cfar.score(image, params, valid)
    for n_lines in {1, 7, shape[0]}:
        parts = []
        for start in range(0, shape[0], n_lines):
            stop = min(start + n_lines, shape[0])
            first, last = max(start - params.halo, 0), min(stop + params.halo, shape[0])
            lines = (start - first, stop - first)
            part = cfar.detect(image[first:last], params, valid[first:last], lines=lines)
            parts.append((part.line + first, part.pixel, part.value, part.clutter, part.score))
            got = cfar.score(image[first:last], params, valid[first:last], lines=lines)
            np.testing.assert_array_equal(got > 1, scores[start:stop] > 1)
            np.testing.assert_allclose(got, scores[start:stop], rtol=2e-7)
        for k, expected in enumerate((whole.line, whole.pixel, whole.value, whole.clutter, whole.score)):
            np.testing.assert_array_equal(np.concatenate([part[k] for part in parts]), expected)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_tiles_and_threads_change_nothing(monkeypatch, dtype):
    image = sea((300, 400), dtype=dtype)
    params = CfarParams(pfa=1e-2, guard=2, training=4)
    expected = cfar.detect(image, params)
    monkeypatch.setattr("sarship.cfar.tiles.TILE_PIXELS", 37)
    monkeypatch.setattr("sarship.cfar.tiles.TILE_LINES", 1)
    for n_threads in {1, numba.get_num_threads()}:
        before = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        got = cfar.detect(image, params)
        numba.set_num_threads(before)
        for name in ("line", "pixel", "value", "clutter", "score"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    assert len(expected) > 100


def test_small_images_leave_no_thread_without_a_tile(monkeypatch):
    monkeypatch.setattr(numba, "get_num_threads", lambda: 4)
    parts = tiles.split(Window(0, 2000, 0, 2000), window_lines=41)
    assert len(parts) == 4
    assert {part.shape for part in parts} == {(500, 2000)}
    assert len(tiles.split(Window(0, 300, 0, 300), window_lines=41)) == 1, "starting a thread costs more"
    assert len(tiles.split(Window(0, 2000, 0, 2000), window_lines=801)) == 1, "it would sum little but its window"


def test_calls_from_many_threads_agree():
    image, results = sea((400, 500)), {}

    def call(k):
        results[k] = cfar.detect(image, SMALL)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    expected = cfar.detect(image, SMALL)
    assert len(results) == 8
    assert all(np.array_equal(hits.pixel, expected.pixel) for hits in results.values())


def test_one_nan_spoils_nothing_around_it():
    image = sea((60, 80), dtype=np.float32)
    params = CfarParams(pfa=1e-2, guard=1, training=3)
    holed = image.copy()
    holed[20, 30] = np.nan
    before, after = cfar.score(image, params), cfar.score(holed, params)
    assert np.isnan(after[20, 30])
    assert np.array_equal(np.isnan(after), np.isnan(before) | np.isnan(holed))


def test_sums_stay_exact_beside_the_brightest_land():
    image = np.full((200, 300), 65_535, np.uint16)
    image[:, :150] = 3
    image[100, 60] = 40
    params = CfarParams(guard=10, training=10)
    scores = naive.judged(image[60:141, 20:101], params)
    got = cfar.score(image, params)[60:141, 20:101]
    inner = np.s_[20:-20, 20:-20]
    np.testing.assert_array_equal(got[inner], scores[0][inner].astype(np.float32))


@pytest.mark.parametrize(
    ("guard", "training"), [(10, 10), (2, 3), ((0, 70), (3, 20)), ((70, 1), (20, 8)), ((1, 1), (299, 3)), (60, 6)]
)
@pytest.mark.parametrize("brightest", [65_535, 300])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_blocks_that_are_skipped_hold_no_hit(guard, training, brightest, dtype):
    rng = np.random.default_rng(4)
    shape = (260, 700)
    image = np.minimum(np.sqrt(rng.gamma(4.4, 1 / 4.4, shape)) * 50, brightest)
    image[rng.random(shape) < 1e-3] *= 4
    image[:, 300:420] = brightest * rng.random((shape[0], 120))
    image[100:130] = 0
    image = np.minimum(image, 65_535).astype(np.uint16)
    image = image if dtype == np.uint16 else image.astype(dtype) ** 2
    valid = np.ones(shape, bool)
    valid[:, 500:530] = False
    params = CfarParams(pfa=1e-4, guard=guard, training=training)
    mask = cfar.mask(image, params, valid)
    # scores are made by walking every pixel
    np.testing.assert_array_equal(mask, cfar.score(image, params, valid) > 1)
    assert mask.sum() > 50


def test_a_wide_range_of_powers_is_summed_right():
    image = np.full((60, 300), 1e12)
    image[:, :150] = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (60, 150)) * 1e-9
    params = CfarParams(pfa=1e-2, guard=1, training=3)
    hits, (score, clutter) = cfar.detect(image, params), naive.judged(image, params)
    expected = score > 1
    np.testing.assert_array_equal(cfar.mask(image, params), expected)
    np.testing.assert_allclose(hits.clutter, clutter[expected], rtol=1e-12)
    np.testing.assert_allclose(cfar.score(image, params), score, rtol=2e-7)


def test_false_alarms_come_at_their_rate():
    image = np.random.default_rng(1).gamma(4.4, 1 / 4.4, (1500, 1500)).astype(np.float32)
    for pfa in (1e-2, 1e-3):
        n_hits = cfar.mask(image, CfarParams(pfa=pfa)).sum()
        assert n_hits == pytest.approx(pfa * image.size, rel=0.1)


def test_dual_takes_the_larger_score_and_shares_the_pfa():
    first, second = sea((60, 80), seed=1), sea((60, 80), seed=2)
    hits = cfar.detect_dual(first, second, SMALL)
    half = CfarParams(pfa=SMALL.pfa / 2, guard=1, training=2, min_ring=3)
    scores = np.stack([cfar.score(first, half), cfar.score(second, half)])
    best = np.fmax(*scores)
    np.testing.assert_array_equal(np.argwhere(best > 1), np.stack([hits.line, hits.pixel], axis=1))
    np.testing.assert_array_equal(hits.score, best[best > 1])
    which = np.argmax(np.nan_to_num(scores), axis=0)[best > 1]
    values = np.stack([first, second]).astype(float)[which, hits.line, hits.pixel] ** 2
    np.testing.assert_array_equal(hits.value, values)
    with pytest.raises(ValueError, match="one shape"):
        cfar.detect_dual(first, second[1:], SMALL)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_flood_beyond_what_a_tile_keeps_is_an_error(dtype):
    image = sea((300, 300), dtype=dtype)
    for cap in (1, 60, 64, 65, 500):
        with pytest.raises(FloodError, match=f"more than {cap} hits"):
            cfar.detect(image, CfarParams(pfa=0.1, guard=1, training=2, max_hits=cap))


def test_a_flood_is_an_error_at_the_cap():
    image = np.ones((50, 50), np.uint16)
    image[::5, ::5] = 1000
    n_hits = len(cfar.detect(image, SMALL))
    assert len(cfar.detect(image, CfarParams(pfa=1e-3, guard=1, training=2, max_hits=n_hits, min_ring=3))) == n_hits
    with pytest.raises(FloodError, match=f"more than {n_hits - 1} hits"):
        cfar.detect(image, CfarParams(pfa=1e-3, guard=1, training=2, max_hits=n_hits - 1, min_ring=3))


def test_a_window_larger_than_the_image_is_cut():
    image = sea((30, 40))
    params = CfarParams(pfa=1e-3, guard=2, training=118)
    np.testing.assert_array_equal(cfar.mask(image, params), naive.judged(image, params)[0] > 1)


@pytest.mark.parametrize(
    ("image", "error", "named"),
    [
        (np.ones((4, 4), np.int16), TypeError, "int16"),
        (np.ones((4, 4), np.uint8), TypeError, "uint8"),
        (np.ones((4, 4), complex), TypeError, "complex128"),
        (np.ones((4, 4), bool), TypeError, "bool"),
        (np.ones((4, 4), np.float16), TypeError, "float16"),
        (np.full((4, 4), "a"), TypeError, "<U1"),
        (np.ma.masked_array(np.ones((4, 4))), TypeError, "masked"),
        (np.ones(4), ValueError, r"\(4,\)"),
        (np.ones((2, 3, 4)), ValueError, r"\(2, 3, 4\)"),
        (np.ones((0, 4)), ValueError, r"\(0, 4\)"),
        (np.full((4, 4), -12.5), ValueError, "-12.5 at line 0, pixel 0.*decibel"),
        (np.full((4, 4), -np.inf, np.float32), ValueError, "-inf"),
    ],
)
def test_bad_images_are_named(image, error, named):
    for call in (cfar.detect, cfar.score, cfar.mask):
        with pytest.raises(error, match=named):
            call(image, SMALL)


def test_negative_power_behind_the_mask_is_no_data():
    image, valid = np.ones((30, 30), np.float32), np.ones((30, 30), bool)
    image[3, 4], valid[3, 4] = -9999, False
    assert np.isnan(cfar.score(image, SMALL, valid)[3, 4])
    with pytest.raises(ValueError, match="-9999 at line 3, pixel 4"):
        cfar.detect(image, SMALL)


@pytest.mark.parametrize(
    ("valid", "error", "named"),
    [(np.ones((4, 4)), TypeError, "float64"), (np.ones((4, 5), bool), ValueError, r"\(4, 5\)")],
)
def test_bad_masks_are_named(valid, error, named):
    with pytest.raises(error, match=named):
        cfar.detect(np.ones((4, 4)), SMALL, valid)


@pytest.mark.parametrize("lines", [(-1, 2), (2, 2), (0, 5)])
def test_bad_lines_are_named(lines):
    with pytest.raises(ValueError, match="lines must lie in 0 … 4"):
        cfar.detect(np.ones((4, 4)), SMALL, lines=lines)


def test_score_beyond_all_numbers_is_the_largest_there_is():
    params = CfarParams(pfa=0.49, guard=0, training=1, enl=1, min_ring=1)
    hits = cfar.detect(np.array([[1e30, 1e-300]]), params)
    assert hits.score.tolist() == [np.finfo(np.float32).max]
