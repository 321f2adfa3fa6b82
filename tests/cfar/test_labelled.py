"""xarray's arrays: labels are kept, and chunks change nothing."""

import tracemalloc
from dataclasses import fields
from typing import get_args

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar import CfarParams
from sarship.cfar.params import ClutterModel, RingAverage
from sarship.errors import FloodError

SMALL = {"guard": (1, 2), "training": (3, 2), "pfa": 1e-3}
LAWS = [CfarParams(clutter_model=model, **SMALL) for model in get_args(ClutterModel)]
LAWS += [CfarParams(average=average, **SMALL) for average in get_args(RingAverage)]
LAWS += [CfarParams(iterations=3, **SMALL)]


def sea(shape=(90, 110), dtype=np.float32, seed=0):
    """Speckle with ships, a hole, NaN and a coast, and labels in metres."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(4.4, 1 / 4.4, shape)
    power[tuple(rng.integers(0, n, 25) for n in shape)] = 40
    power[40:52, 30:70] = np.nan
    power[:, -9:] *= 300
    values = np.sqrt(np.nan_to_num(power) * 1e4).astype(np.uint16) if dtype == np.uint16 else power.astype(dtype)
    labels = {
        "y": 10.0 * np.arange(shape[0])[::-1],
        "x": 10.0 * np.arange(shape[1]),
        "time": np.datetime64("2025-01-01", "ns"),
    }
    return xr.DataArray(values, labels, ("y", "x"), "sigma0", {"units": "1", "long_name": "brightness"})


def same(one, other):
    return all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(one))


def test_labels_are_kept():
    image = sea()
    for search in (cfar.score, cfar.mask):
        found = search(image, LAWS[0])
        assert found.name == search.__name__
        assert found.attrs["long_name"] != "brightness"
        xr.testing.assert_equal(found.coords.to_dataset(), image.coords.to_dataset())
        np.testing.assert_array_equal(found.data, search(image.data, LAWS[0]))
    assert same(cfar.detect(image, LAWS[0]), cfar.detect(image.data, LAWS[0]))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_lines_are_counted_in_the_whole(dtype):
    image = sea(dtype=dtype)
    for chunks in ({}, {"y": 17, "x": 40}):
        chunked = image.chunk(chunks) if chunks else image
        lines = (13, 61)
        xr.testing.assert_identical(
            cfar.score(chunked, LAWS[0], lines=lines).compute(), cfar.score(image, LAWS[0])[slice(*lines)]
        )
        assert same(cfar.detect(chunked, LAWS[0], lines=lines), cfar.detect(image.data, LAWS[0], lines=lines))


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(LAWS), st.integers(8, 95), st.integers(11, 120), st.booleans(), st.integers(0, 9))
def test_chunks_change_nothing(params, lines, pixels, has_mask, seed):
    """Of any size, also smaller than the rings, by every law, with a mask that lies the other way round."""
    image = sea(seed=seed)
    valid = (xr.DataArray(np.random.default_rng(seed).random(image.shape) < 0.9, dims=image.dims)) if has_mask else None
    plain = None if valid is None else valid.data
    chunked = image.chunk(y=lines, x=pixels)
    turned = None if valid is None else valid.transpose("x", "y")
    score = cfar.score(chunked, params, turned)
    assert score.chunks == chunked.chunks
    np.testing.assert_array_equal(score.values, cfar.score(image.data, params, plain))
    np.testing.assert_array_equal(cfar.mask(chunked, params, turned).values, cfar.mask(image.data, params, plain))
    assert same(cfar.detect(chunked, params, turned), cfar.detect(image.data, params, plain))


def test_two_images_in_chunks():
    first, second = sea(seed=1), sea(seed=2)
    found = cfar.detect_dual(first.chunk(y=30, x=30), second.chunk(y=50), LAWS[0])
    assert same(found, cfar.detect_dual(first.data, second.data, LAWS[0]))
    assert len(found) > 20


def test_nothing_is_read_before_it_is_asked_for():
    read = []

    def block(where):
        read.append(where)
        return np.ones((20, 25), np.float32)

    rows = [[da.from_delayed(dask.delayed(block)((i, k)), (20, 25), np.float32) for k in range(4)] for i in range(5)]
    score = cfar.score(xr.DataArray(da.block(rows), dims=("y", "x")), CfarParams(guard=1, training=2))
    assert not read
    score[:5, :5].compute(scheduler="synchronous")
    assert set(read) == {(0, 0), (0, 1), (1, 0), (1, 1)}  # its own and those that its rings reach


def test_hits_as_a_table_and_at_their_labels():
    image = sea()
    hits = cfar.detect(image, LAWS[0])
    table = hits.to_dataframe()
    assert len(table) == len(hits)
    assert list(table) == ["line", "pixel", "value", "clutter", "score"]
    at = image.isel(y=xr.DataArray(hits.line, dims="hit"), x=xr.DataArray(hits.pixel, dims="hit"))
    np.testing.assert_allclose(at, hits.value)
    np.testing.assert_array_equal(at["x"], 10 * hits.pixel)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            lambda image: {"image": image.expand_dims("polarization")},
            ValueError,
            r"select .* image.isel\(polarization=0\)",
        ),
        (lambda image: {"valid": image.rename(y="row") > 0}, ValueError, r"valid must have the image's dimensions"),
        (lambda image: {"image": image.fillna(1).astype(int)}, TypeError, "uint16"),
        (
            lambda image: {"image": 10 * np.log10(image[:, :190].fillna(1) + 5), "params": CfarParams(enl=1)},
            ValueError,
            "decibel",
        ),
    ],
)
@pytest.mark.parametrize("chunks", [None, {"y": 64, "x": 64}])
def test_wrong_arrays_are_refused(change, error, words, chunks):
    image = sea((200, 200))
    given = {"image": image, "params": None, "valid": None} | change(image)
    if chunks:
        given["image"] = given["image"].chunk(chunks)
    with pytest.raises(error, match=words):
        cfar.detect(**given)


@pytest.mark.parametrize("chunks", [None, {"y": 20}])
def test_a_flood_of_hits_is_one_in_chunks_too(chunks):
    image = sea() if chunks is None else sea().chunk(chunks)
    n = len(cfar.detect(image, LAWS[0]))
    with pytest.raises(FloodError, match=f"more than {n - 1} hits"):
        cfar.detect(image, CfarParams(max_hits=n - 1, **SMALL))


@pytest.mark.slow
@pytest.mark.parametrize("params", LAWS, ids=lambda each: f"{each.clutter_model}-{each.average}-{each.iterations}")
def test_a_large_image_in_chunks_equals_the_whole_in_bounded_memory(params):
    """10,000 pixels a side, made chunk by chunk: never more than some chunks are held."""
    side, chunk = 10_000, 1_000

    def block(i, k):
        return sea((chunk, chunk), seed=1000 * i + k).data

    def rows(make):
        return [[make(i, k) for k in range(side // chunk)] for i in range(side // chunk)]

    lazy = da.block(rows(lambda i, k: da.from_delayed(dask.delayed(block)(i, k), (chunk, chunk), np.float32)))
    image = xr.DataArray(lazy, dims=("y", "x"))
    cfar.score(image[:50, :50], params).compute()  # compiled before memory is measured
    tracemalloc.start()
    try:
        total = float(cfar.score(image, params).sum(dtype=np.float64).compute())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60 * 4 * chunk**2
    whole = np.block(rows(block))
    score = cfar.score(whole, params)
    assert total == pytest.approx(np.nansum(score, dtype=np.float64), rel=1e-12)
    np.testing.assert_array_equal(cfar.score(image, params)[2_500:4_500, 3_500:5_500], score[2_500:4_500, 3_500:5_500])
    assert same(cfar.detect(image, params), cfar.detect(whole, params))
