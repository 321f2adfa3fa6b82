"""Repeated passes: hits out of the rings of others."""

import tracemalloc
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from builders import naive, twins
from hypothesis import assume, given
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar import CfarParams
from sarship.cfar.params import ClutterModel, RingAverage
from sarship.errors import FloodError

WAYS = [{"clutter_model": clutter_model} for clutter_model in get_args(ClutterModel)] + [
    {"average": name} for name in get_args(RingAverage)[1:]
]


def anchorage(shape, dtype, seed=0, ships=12):
    """Speckle with a line of ships close to each other, some single ones, and missing pixels."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(4.4, 1 / 4.4, shape)
    for k in range(ships):
        line, pixel = (10 + 7 * k, 30) if k < ships // 2 else rng.integers(0, shape)
        power[line : line + 2, pixel : pixel + 3] += 10 ** rng.uniform(0.9, 2)
    power[rng.random(shape) < 0.02] = 0
    return (np.sqrt(power) * 300).astype(dtype) if dtype == np.uint16 else power.astype(dtype)


@pytest.mark.parametrize("way", twins.WAYS)
@given(data=st.data())
@twins.examples
def test_passes_equal_the_plain_twin(way, data):
    search = image, valid, params, _ = data.draw(
        twins.searches(way, [np.uint16, np.float32, np.float64], max_iterations=4)
    )
    if image.dtype.kind == "f":
        # a tie of rounded sums may fall either way, and what is taken out with it
        once, _ = naive.judged(image, params, valid)
        assume(not np.any(np.abs(once - 1) < 1e-12))
    twins.assert_twins_agree(search)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: next(iter(way.values())))
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_bands_with_their_halo_equal_the_whole(monkeypatch, way, dtype):
    image = anchorage((120, 60), dtype)
    params = CfarParams(**way, pfa=1e-3, guard=(2, 4), training=(3, 5), iterations=3)
    assert params.halo == 5 + 2 * 6
    whole, scores = cfar.detect(image, params), cfar.score(image, params)
    if way == {"clutter_model": "gamma"}:
        assert np.any(cfar.mask(image, params) != cfar.mask(image, replace(params, iterations=1)))
    monkeypatch.setattr("sarship.cfar.censoring.BLOCK", 23)
    monkeypatch.setattr("sarship.cfar.censoring._AT_ONCE", 3)
    found = []
    for start in range(0, 120, 50):
        stop = min(start + 50, 120)
        first, last = max(start - params.halo, 0), min(stop + params.halo, 120)
        lines = (start - first, stop - first)
        band = cfar.detect(image[first:last], params, lines=lines)
        found.append((band.line + first, band.pixel, band.clutter, band.score))
        got = cfar.score(image[first:last], params, lines=lines)
        np.testing.assert_allclose(got, scores[start:stop], rtol=3e-7)
    for k, expected in enumerate((whole.line, whole.pixel, whole.clutter, whole.score)):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in found]), expected)


def test_a_ship_no_longer_hides_its_neighbour():
    image = np.random.default_rng(3).gamma(4.4, 1 / 4.4, (120, 120)).astype(np.float32)
    image[50:54, 40:44] = 400
    image[52, 57:59] = 9
    once = CfarParams(pfa=1e-6)
    assert not cfar.mask(image, once)[52, 57:59].any()
    thrice = replace(once, iterations=3)
    assert cfar.mask(image, thrice)[52, 57:59].all()
    both = cfar.detect_dual(image, np.ones_like(image), replace(thrice, pfa=2e-6))
    np.testing.assert_array_equal(both.line, cfar.detect(image, thrice).line)


def test_without_hits_nothing_changes_and_a_flood_is_an_error():
    sea = np.ones((80, 90), np.uint16)
    params = CfarParams(iterations=5)
    assert len(cfar.detect(sea, params)) == 0
    np.testing.assert_array_equal(cfar.score(sea, params), cfar.score(sea, CfarParams()))
    image = anchorage((200, 90), np.float32)
    n_once = len(cfar.detect(image, CfarParams(pfa=1e-3)))
    more = CfarParams(pfa=1e-3, iterations=3, max_hits=n_once)
    assert len(cfar.detect(image, replace(more, max_hits=10**6))) > n_once
    with pytest.raises(FloodError, match=f"more than {n_once} hits"):
        cfar.detect(image, more)


def test_memory_stays_with_the_ships():
    image = np.ones((4000, 4000), np.uint16)
    image[50::400, 50::400] = 100
    params = CfarParams(iterations=3)
    cfar.detect(image[:200, :200], params)
    tracemalloc.start()
    assert len(cfar.detect(image, params)) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < image.nbytes / 4


@pytest.mark.parametrize(
    ("iterations", "error", "named"),
    [(0, ValueError, "0"), (101, ValueError, "101"), (2.0, TypeError, "2.0"), (True, TypeError, "True")],
)
def test_bad_passes_are_named(iterations, error, named):
    with pytest.raises(error, match=f"iterations.*{named}"):
        CfarParams(iterations=iterations)
