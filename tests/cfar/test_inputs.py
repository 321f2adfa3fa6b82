"""Whatever the detector is given, it works or says in one sentence what was wrong."""

import numpy as np
import pytest
from builders import twins
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sarship import cfar
from sarship.cfar import CfarParams
from sarship.cfar.cpu import ca_float, ca_integer

TYPES = ["u2", "f4", "f8"]
OTHER_TYPES = ["i2", "u1", "u4", "i8", "f2", "g", "c8", "c16", "?", "U3", "S2", "O", "M8[s]"]


def detect_dual(image, *args, **kwargs):
    return cfar.detect_dual(image, image, *args, **kwargs)


CALLS = [cfar.detect, cfar.score, cfar.mask, detect_dual]
more = settings(twins.examples, max_examples=twins.examples.max_examples * 8)


@pytest.mark.parametrize("way", twins.WAYS)
@given(data=st.data())
@twins.examples
def test_parameters_at_their_ends_work(way, data):
    ends = {
        "pfa": [1e-30, 1e-12, 0.499999],
        "enl": [0.1, 1, 1e6],
        "effective_sample_ratio": [1e-3, 0.1, 1],
        "rank": [0.01, 1],
        "min_ring": [1, 2],
        "iterations": [1, 100],
    }
    windows = [{"guard": (0, 2), "training": (9, 1)}, {"guard": 0, "training": 1}]
    if way in twins.DEAR:
        ends |= {"enl": [0.1], "effective_sample_ratio": [0.1], "min_ring": [1], "pfa": [1e-30]}
        windows = windows[:1]
    drawn = {name: data.draw(st.sampled_from(values)) for name, values in ends.items()}
    window = data.draw(st.sampled_from(windows))
    params = CfarParams(**drawn, **window, **twins.WAYS[way])
    power = twins.speckle((6, 9), data.draw(st.integers(0, 99)))
    image = data.draw(st.sampled_from([power, power * 1e-300, power.astype(np.float32), (power + 9).astype(np.uint16)]))
    hits, score, mask = (call(image, params) for call in (cfar.detect, cfar.score, cfar.mask))
    np.testing.assert_array_equal(np.argwhere(score > 1), np.stack([hits.line, hits.pixel], axis=1))
    np.testing.assert_array_equal(mask, score > 1)


def layouts(image, tmp_path_factory):
    """The same values in all the ways that memory may hold them."""
    wide = np.zeros((2 * image.shape[0], 3 * image.shape[1]), image.dtype)
    wide[::2, 1::3] = image
    frozen = image.copy()
    frozen.flags.writeable = False
    path = tmp_path_factory.mktemp("maps") / "image"
    image.tofile(path)
    return {
        "as it is": image,
        "byte-swapped": image.astype(image.dtype.newbyteorder()),
        "stepped": wide[::2, 1::3],
        "turned": image[::-1, ::-1].copy()[::-1, ::-1],
        "Fortran order": np.asfortranarray(image),
        "read-only": frozen,
        "read-only memory map": np.memmap(path, image.dtype, "r", shape=image.shape),
        "a list": image.tolist() if image.dtype == np.float64 else image,
    }


@pytest.mark.parametrize("way", twins.WAYS)
@pytest.mark.parametrize("kind", TYPES)
def test_any_layout_and_odd_size_is_searched_alike(way, kind, tmp_path_factory):
    params = CfarParams(**twins.WAYS[way], pfa=1e-2, guard=1, training=2, min_ring=4, iterations=2)
    for shape in ((1, 30), (30, 1), (17, 23)):
        power = twins.speckle(shape, 6)
        image = (np.sqrt(power) * 10).astype(kind) if kind == "u2" else power.astype(kind)
        valid = np.random.default_rng(1).random(shape) > 0.1
        expected = cfar.score(image, params, valid)
        assert len(cfar.detect(image, params, valid)) == (expected > 1).sum()
        for name, variant in layouts(image, tmp_path_factory).items():
            for mask in (valid, np.asfortranarray(valid)):
                np.testing.assert_array_equal(cfar.score(variant, params, mask), expected, err_msg=name)
            hits = cfar.detect(variant, params, valid)
            np.testing.assert_array_equal(np.argwhere(expected > 1), np.stack([hits.line, hits.pixel], axis=1), name)


@pytest.mark.parametrize("way", twins.WAYS)
def test_nothing_known_is_nothing_found(way):
    params = CfarParams(**twins.WAYS[way], guard=0, training=1, min_ring=1, iterations=2)
    nowhere = [np.full((5, 6), value, kind) for value in (np.nan, np.inf, 0) for kind in ("f4", "f8")]
    for image in [*nowhere, np.zeros((5, 6), "u2"), np.ones((1, 1)), np.ones((1, 1), "u2")]:
        assert len(cfar.detect(image, params)) == 0
        assert not cfar.mask(image, params).any()
        assert np.isnan(cfar.score(image, params)).all()
    ship = np.ones((5, 6))
    ship[2, 3] = 1e6
    assert len(cfar.detect(ship, params, np.zeros(ship.shape, bool))) == 0


@given(
    st.sampled_from(TYPES * 4 + OTHER_TYPES),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    st.sampled_from([1, 0, np.nan, -12.5, -np.inf]),
    st.sampled_from(sorted(twins.WAYS)),
    st.sampled_from([None, ("f8", 0), ("?", 1), ("?", 0)]),
    st.sampled_from([None, (0, 1), (0, 0), (2, 1), (-1, 1), (0, 99)]),
)
@more
def test_images_masks_and_lines_are_taken_or_named(kind, shape, value, way, mask, lines):
    with np.errstate(invalid="ignore"):
        image = np.full(shape, abs(value) if kind[0] in "uM" else value).astype(kind)
    valid = None if mask is None else np.ones([n + mask[1] for n in shape], mask[0])
    params = CfarParams(**twins.WAYS[way], guard=0, training=1, min_ring=1)
    wrong = []
    if kind not in TYPES:
        wrong.append((TypeError, str(image.dtype)))
    elif len(shape) != 2 or image.size == 0:
        wrong.append((ValueError, str(shape)))
    else:
        if valid is not None and valid.dtype != bool:
            wrong.append((TypeError, str(valid.dtype)))
        elif valid is not None and valid.shape != shape:
            wrong.append((ValueError, str(valid.shape)))
        if lines is not None and not 0 <= lines[0] < lines[1] <= shape[0]:
            wrong.append((ValueError, str(lines)))
        if kind != "u2" and value < 0:
            wrong.append((ValueError, f"{value:g} at line"))
    for call in CALLS:
        if not wrong:
            call(image, params, valid, lines=lines)
            continue
        with pytest.raises((ValueError, TypeError)) as caught:
            call(image, params, valid, lines=lines)
        assert any(caught.type is kind and text in str(caught.value) for kind, text in wrong), str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_one_kernel_serves_images_of_any_width(monkeypatch, dtype):
    """Compiling one takes seconds; scores of a tile that is narrower than the image must not ask for another."""
    image, params = np.ones((30, 40), dtype), CfarParams(guard=1, training=2)
    kernel = (ca_integer if dtype == np.uint16 else ca_float).search_tile
    whole = cfar.score(image, params)
    known = set(kernel.signatures)
    monkeypatch.setattr("sarship.cfar.tiles.TILE_PIXELS", 7)
    np.testing.assert_allclose(cfar.score(image, params), whole, rtol=2e-7)
    assert set(kernel.signatures) == known


@pytest.mark.parametrize("enl", [1, 4.4, 20])
@pytest.mark.parametrize("level_db", [25, 45])
@pytest.mark.parametrize("call", CALLS)
def test_positive_decibel_are_refused_and_their_power_is_searched(enl, level_db, call):
    rng = np.random.default_rng(0)
    power = 10 ** (level_db / 10) * rng.gamma(enl, 1 / enl, (120, 150))
    power[60, 70] *= 1_000
    params = CfarParams(pfa=1e-6, guard=5, training=5, enl=enl)
    with pytest.raises(ValueError, match=r"image looks like decibel: .*10 \*\* \(image / 10\)"):
        call(np.maximum(10 * np.log10(power), 0.1).astype("f4"), params)
    assert len(cfar.detect(power, params)) >= 1


@pytest.mark.parametrize("power", [np.full((120, 150), 30.0), np.random.default_rng(0).gamma(100, 0.3, (120, 150))])
def test_power_that_varies_little_is_searched(power):
    """A constant, and what was averaged over time, if it says so."""
    cfar.detect(power, CfarParams(guard=5, training=5, enl=100))
