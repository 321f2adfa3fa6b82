"""The sieve of CA-CFAR against the kernels that slide exact sums, which have plain twins of their own."""

import numpy as np
import pytest
from builders import twins
from hypothesis import given
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar import CfarParams
from sarship.cfar.cpu import search, sieve
from sarship.errors import FloodError

COLUMNS = ("line", "pixel", "value", "clutter", "score")
RING = {"guard": 3, "training": 7, "pfa": 1e-4, "enl": 4.4}


def sifted(image, valid, params, small=False, patience=10**9):
    """Search through the sieve, whatever the size of the image; without patience it gives up at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "SMALLEST_IMAGE", 0)
        patch.setattr(sieve, "PATIENCE", patience)
        return twins.found_by(cfar.detect, image, valid, params, small)


def assert_same(image, valid, params, small=False, patience=10**9):
    expected = twins.found_by(cfar.detect, image, valid, params, small)
    found = sifted(image, valid, params, small, patience)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    return found


@st.composite
def searches(draw):
    """Broad rings on images that are narrower and wider than they are, masked and with holes."""
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 150)))
    if draw(st.booleans()):
        image = draw(twins.images(np.uint16))
    else:
        power = twins.speckle(shape, draw(st.integers(0, 2**32 - 1)))
        image = np.minimum(np.sqrt(power) * 30, 65_535).astype(np.uint16)
    params = CfarParams(
        **twins.WAYS[draw(st.sampled_from(["gamma", "gamma", "k, shape given"]))],
        guard=(draw(st.integers(0, 3)), draw(st.integers(0, 3))),
        training=(draw(st.integers(sieve.BROAD, 9)), draw(st.integers(1, 5)) * 2),
        min_ring=draw(st.sampled_from([1, 30, 60])),
        pfa=draw(st.sampled_from([0.1, 1e-3, 1e-6, 1e-9])),
        enl=4.4,
    )
    return image, draw(twins.masks(image.shape)), params, draw(st.booleans())


@given(search=searches())
@twins.examples
def test_hits_are_those_of_exact_sums_by_a_plain_twin(search):
    assert_same(*search)


def test_hits_at_sea_beside_land_and_at_the_edge_of_the_image():
    rng = np.random.default_rng(0)
    image = np.sqrt(rng.gamma(4.4, 1e4 / 4.4, (300, 700)))
    image[:, 500:] *= 15
    ships = rng.integers(0, (300, 700), (40, 2))
    image[tuple(ships.T)] *= 12
    image[200:230, 100:180] = 0
    image = image.astype(np.uint16)
    afloat = np.ones(image.shape, np.bool_)
    afloat[:, 500:] = False
    for valid in (None, afloat):
        for patience in (0, 10**9):
            found = assert_same(image, valid, CfarParams(guard=10, training=10, pfa=1e-5, enl=4.4), patience=patience)
            assert len(found) > 20


def test_saturated_dark_constant_and_empty_images():
    for image in (
        np.full((80, 90), 65_535, np.uint16),
        np.full((80, 90), 1, np.uint16),
        np.zeros((80, 90), np.uint16),
    ):
        image[40, 40:44] = 65_535
        assert_same(image, None, CfarParams(**RING))


def test_a_large_image_is_sifted_and_a_small_one_is_not(monkeypatch):
    calls = []
    sift = sieve.sift_tile
    monkeypatch.setattr(sieve, "sift_tile", lambda *args: calls.append(args[0].lines) or sift(*args))
    image = np.full((200, 300), 100, np.uint16)
    params = CfarParams(**RING)
    cfar.detect(image, params)
    assert not calls
    monkeypatch.setattr(sieve, "SMALLEST_IMAGE", image.size)
    cfar.detect(image, params)
    assert calls
    calls.clear()
    cfar.score(image, params)
    cfar.detect(image, CfarParams(guard=1, training=2))
    cfar.detect(image.astype(np.float32), params)
    assert not calls, "scores and rings that are not broad need every sum, and power gains nothing"


def test_too_many_hits_are_refused_as_by_exact_sums():
    numbers = np.sqrt(np.random.default_rng(1).gamma(1, 1e4, (120, 200))).astype(np.uint16)
    with pytest.raises(FloodError, match="more than 100"):
        sifted(numbers, None, CfarParams(**RING | {"pfa": 0.1, "max_hits": 100}))


@pytest.mark.parametrize("has_mask", [False, True])
def test_what_is_compiled_ahead_serves_every_search(has_mask):
    search.warm_up_sieve()
    known = set(sieve.sift_tile.signatures)
    image = np.full((60, 80), 100, np.uint16)
    sifted(image, np.ones(image.shape, np.bool_) if has_mask else None, CfarParams(**RING))
    assert {each for each in sieve.sift_tile.signatures if each not in known} == set()
