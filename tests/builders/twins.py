"""Kernels against their plain twins, on images, masks, windows and parameters that hypothesis draws.

A dozen examples of each by default; 10,000 with `pytest --hypothesis-profile=thorough -k plain_twin`.
"""

from contextlib import ExitStack
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from builders import naive
from sarship import cfar
from sarship.cfar import CfarParams

WAYS = {
    "gamma": {},
    "lognormal": {"clutter_model": "lognormal"},
    "weibull": {"clutter_model": "weibull"},
    "k": {"clutter_model": "k"},
    "k, shape given": {"clutter_model": "k", "clutter_shape": 2.0},
    "gaussian": {"clutter_model": "gaussian"},
    "goca": {"average": "goca"},
    "soca": {"average": "soca"},
    "os": {"average": "os"},
}
DEAR = {"weibull", "k", "k, shape given"}
"""Ways whose thresholds take as long to solve as hundreds of images take to search: they get few sets of parameters."""
PFAS = [0.49, 0.32, 0.1, 1e-2, 1e-3, 1e-6, 1e-9]
RANKS = [0.01, 0.1, 0.5, 0.75, 0.99, 1.0]
SINGLE = np.finfo(np.float32)
SMALL = {
    "tiles.TILE_PIXELS": 7,
    "tiles.TILE_LINES": 1,
    "cpu.two_parameter.STRIP_LINES": 3,
    "cpu.strips.STRIP_LINES": 7,
    "cpu.strips.STRIP_PIXELS": 11,
    "censoring.BLOCK": 5,
    "censoring._AT_ONCE": 3,
}
"""Tiles and strips so small that they meet even in small images."""

is_thorough = settings.default.max_examples > 100
examples = settings(deadline=None, max_examples=settings.default.max_examples if is_thorough else 12)

numbers = st.sampled_from([0, 0, 1, 2, 3, 100, 101, 4095, 4096, 65_535]) | st.integers(0, 65_535)
reals = st.sampled_from([0, np.nan, np.inf, 1e-300, 1e-42, 1e-39, 1e-30, 1e-3, 1, 1, 1.0001, 2, 1e6, 1e30])
reals |= st.floats(0, 10, width=32)
square = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=13)
oblong = st.tuples(st.integers(1, 4), st.integers(1, 150)) | st.tuples(st.integers(1, 60), st.integers(1, 4))


def speckle(shape, seed):
    """Power of a sea with a step, ships, holes and a stretch of land, as bright as the seed has it."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(rng.choice([1, 4.4, 20]), 10.0 ** rng.uniform(-3, 3), shape)
    power *= np.where(np.arange(shape[1]) < rng.integers(0, shape[1] + 1), 1, 10.0 ** rng.uniform(0, 4))
    power[rng.random(shape) < rng.choice([0, 0.02, 0.2])] *= 100
    power[rng.random(shape) < rng.choice([0, 0.05, 0.7])] = 0
    return power


@st.composite
def images(draw, dtype):
    """Values drawn one by one, which shrink well, or a sea, which has more of them."""
    shape = draw(square | oblong)
    if draw(st.booleans()):
        return draw(hnp.arrays(dtype, shape, elements=numbers if dtype == np.uint16 else reals))
    power = speckle(shape, draw(st.integers(0, 2**32 - 1)))
    if dtype == np.uint16:
        return np.minimum(np.sqrt(power) * draw(st.sampled_from([1, 100])), 65_535).astype(dtype)
    return power.astype(dtype)


@st.composite
def masks(draw, shape):
    seed = draw(st.none() | st.integers(0, 2**32 - 1))
    part = draw(st.sampled_from([0.03, 0.3, 0.9]))
    return None if seed is None else np.random.default_rng(seed).random(shape) > part


@st.composite
def parameters(draw, way, iterations):
    if way in DEAR:
        rng = np.random.default_rng(draw(st.integers(0, 23 if is_thorough else 1)))

        def pick(values):
            return values[rng.integers(len(values))]
    else:

        def pick(values):
            return draw(st.sampled_from(values))

    guard = pick(range(4)), pick(range(4))
    return CfarParams(
        **WAYS[way],
        guard=guard,
        training=tuple(pick(range(1, 5)) for _ in guard),
        min_ring=pick(range(1, 5)),
        pfa=pick(PFAS),
        enl=pick([1, 4.4, 20]),
        effective_sample_ratio=pick([1.0, 0.3]),
        rank=pick(RANKS),
        iterations=iterations,
    )


@st.composite
def searches(draw, way, dtypes, max_iterations=1):
    image = draw(images(draw(st.sampled_from(dtypes))))
    params = draw(parameters(way, draw(st.integers(min(max_iterations, 2), max_iterations))))
    return image, draw(masks(image.shape)), params, draw(st.booleans())


def found_by(call, image, valid, params, small):
    with ExitStack() as stack:
        for name, value in SMALL.items() if small else ():
            stack.enter_context(mock.patch(f"sarship.cfar.{name}", value))
        return call(image, params, valid)


def assert_twins_agree(search, tie=0.0):
    """Hits, mask and score agree with each other in every bit and with the plain twin; `tie` may fall either way."""
    image, valid, params, _ = search
    score, clutter = (naive.judged if params.iterations == 1 else naive.censored)(image, params, valid)
    hits, found, got = (found_by(call, *search) for call in (cfar.detect, cfar.mask, cfar.score))
    np.testing.assert_array_equal(np.argwhere(found), np.stack([hits.line, hits.pixel], axis=1))
    np.testing.assert_array_equal(got > 1, found)
    np.testing.assert_array_equal(got[found], hits.score)
    is_number = image.dtype.kind == "u"
    np.testing.assert_array_equal(hits.value, image[found].astype(float) ** (2 if is_number else 1))
    differs = found != (score > 1)
    assert np.all(np.abs(score[differs] - 1) < tie), "only a tie may fall either way"
    is_whole = is_number and (params.clutter_model in {"gamma", "gaussian"} or params.clutter_shape is not None)
    np.testing.assert_allclose(hits.clutter, clutter[found], rtol=0 if is_whole else 1e-12)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(score))
    np.testing.assert_allclose(got, np.minimum(score, SINGLE.max), rtol=3e-7, atol=SINGLE.tiny)
