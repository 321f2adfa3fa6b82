# ruff: noqa: PLC0415  (most cases need the detector alone, and the rest takes long to import)
"""Cases that a test runs in a process of its own, where numba's CUDA simulator stands in for a card.

Prints "ok" for each case as it passes. Run as `python on_simulator.py CASE…` with NUMBA_ENABLE_CUDASIM=1.
"""

import json
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from numba import cuda
from numba.cuda.simulator import kernel as simulated

from sarship import cfar
from sarship.cfar import CfarParams, selftest
from sarship.cfar.gpu import job, launch, search
from sarship.errors import FloodError

sys.path.insert(0, str(Path(__file__).parents[1]))
from builders import naive


def run_block(manager, grid_point, *args):
    """Run a block of threads as the simulator does, but waiting where it polls, which takes most of its time.

    Threads that never wait for each other are run one after the other, as one.
    """
    points = list(np.ndindex(*manager._block_dim))
    meeting = threading.Barrier(len(points))

    def run():
        try:
            manager._f(*args)
        except BaseException:
            meeting.abort()
            raise

    def run_all():
        me = threading.current_thread()
        for point in points:
            me.threadIdx = simulated.Dim3(*point)
            manager._f(*args)

    if "syncthreads" in manager._f.__code__.co_names:
        threads = [simulated.BlockThread(run, manager, grid_point, point, False) for point in points]
    else:
        threads = [simulated.BlockThread(run_all, manager, grid_point, points[0], False)]
    for thread in threads:
        thread.syncthreads = meeting.wait
        thread.start()
    for thread in threads:
        thread.join()
    failed = [thread.exception for thread in threads if thread.exception]
    for error, traceback in sorted(failed, key=lambda one: isinstance(one[0], threading.BrokenBarrierError)):
        raise error.with_traceback(traceback)


simulated.BlockManager.run = run_block
# sums of whole numbers wrap around on purpose, and the simulator computes them with NumPy's scalars, which warn
warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)
warnings.filterwarnings("ignore", "(divide by zero|invalid value) encountered", RuntimeWarning)

ALL = [np.uint16, np.float32, np.float64]


def sea(shape, dtype, seed=0):
    """Speckle with bright pixels, some of them at the corners and beside each other, and no data here and there."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(2, 0.5, shape)
    power[0, 0] = power[-1, -1] = power[shape[0] // 2, shape[1] // 2] = power[shape[0] // 2, shape[1] // 2 + 1] = 90
    image = (np.sqrt(power) * 100).astype(np.uint16) if dtype == np.uint16 else power.astype(dtype)
    image[rng.random(shape) < 0.03] = 0
    if dtype != np.uint16:
        image[1, 3], image[2, 5] = np.nan, np.inf
    return image


def assert_same(ours, theirs):
    """Hits agree in every bit; their clutter to the last."""
    assert len(theirs) > 0
    for name in ("line", "pixel", "value", "score"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    # the CPU adds a mean level to what it centred on, and the device does not
    np.testing.assert_allclose(ours.clutter, theirs.clutter, rtol=1e-12)


def assert_twins(image, params, valid=None, lines=None):
    """Device and CPU agree in hits, scores and masks; images of scores to float32's last bit."""
    there = cuda.to_device(image)
    keep = None if valid is None else cuda.to_device(valid)
    score = cfar.score(image, params, valid, lines=lines)
    score_there = cfar.score(there, params, keep, lines=lines).copy_to_host()
    np.testing.assert_allclose(score_there, score, rtol=3e-7)
    np.testing.assert_array_equal(score_there > 1, score > 1)
    np.testing.assert_array_equal(cfar.mask(there, params, keep, lines=lines).copy_to_host(), score > 1)
    ours, theirs = cfar.detect(there, params, keep, lines=lines), cfar.detect(image, params, valid, lines=lines)
    assert_same(ours, theirs)


def assert_hits(image, params):
    """Device and CPU find the same, in every bit."""
    ours, theirs = cfar.detect(cuda.to_device(image), params), cfar.detect(image, params)
    assert_same(ours, theirs)
    return ours


def assert_naive(image, params, valid=None):
    """The device agrees with the plain twin."""
    hits = cfar.detect(cuda.to_device(image), params, None if valid is None else cuda.to_device(valid))
    score, clutter = naive.judged(image, params, valid)
    with np.errstate(invalid="ignore"):
        line, pixel = np.nonzero(score > 1)
    assert len(hits) > 0
    np.testing.assert_array_equal(hits.line, line)
    np.testing.assert_array_equal(hits.pixel, pixel)
    np.testing.assert_allclose(hits.score, score[line, pixel], rtol=2e-7)
    np.testing.assert_allclose(hits.clutter, clutter[line, pixel], rtol=1e-12)


def clutter_models(*names):
    """Every clutter model on every type of image, with a mask, a rectangular window, edges and odd sizes."""
    for clutter_model in names:
        for dtype in ALL:
            image = sea((8, 19), dtype)
            valid = np.random.default_rng(1).random(image.shape) > 0.1
            params = CfarParams(pfa=1e-3, guard=(1, 0), training=(2, 4), clutter_model=clutter_model, enl=2, min_ring=8)
            assert_naive(image, params, valid)


def scores_and_masks(*names):
    """Scores and masks too are the CPU's, for each kind of sums."""
    for clutter_model in names:
        for dtype in (np.uint16, np.float32):
            image = sea((7, 19), dtype, 1)
            assert_twins(
                image,
                CfarParams(pfa=1e-3, guard=(0, 1), training=(2, 1), clutter_model=clutter_model, enl=2, min_ring=8),
            )


def strips():
    """Images wider than a block of threads, so that strips meet, and its threads fall into groups."""
    params = CfarParams(pfa=1e-3, guard=(0, 1), training=(1, 2), enl=2, min_ring=8)
    for dtype in (np.uint16, np.float32):
        for n_pixels, average in ((260, "ca"), (120, "soca")):
            image = sea((3, n_pixels), dtype, 2)
            image[1, [n_pixels // 2 - 1, -1]] = 9000  # on either side of where strips meet, and in the last column
            assert assert_hits(image, replace(params, average=average)).pixel.max() == n_pixels - 1


def bands():
    """A band of the whole is decided as in the whole."""
    params = CfarParams(pfa=1e-3, guard=1, training=(2, 1), enl=2, min_ring=8)
    for dtype in (np.uint16, np.float64):
        assert_twins(sea((11, 12), dtype, 3), params, lines=(2, 9))


def sifted(*names):
    """Digital numbers go through the sieve first, which misses no hit: strips, masks, lines, dark and bright."""
    used, real = [], launch.queue_sieve
    launch.queue_sieve = lambda *args: used.append(real(*args)) or used[-1]
    for seed in map(int, names):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers([9, 90], [40, 220]).tolist())
        power = rng.gamma(2, rng.choice([0.5, 50, 5e4]), shape)
        power[rng.integers(shape[0], size=6), rng.integers(shape[1], size=6)] *= rng.choice([20, 1000])
        image = np.minimum(np.sqrt(power) * 10, 65_535).astype(np.uint16)
        image[:, : shape[1] // 4] = rng.choice([0, 1, 65_535], (shape[0], shape[1] // 4))  # 65 535 beside nothing
        valid = rng.random(shape) > 0.1 if seed % 2 else None
        lines = (seed, shape[0] - 2) if seed % 3 else None
        params = CfarParams(pfa=1e-2, enl=2, min_ring=4, guard=seed % 3, training=(6, 5))
        if seed % 2:
            params = replace(params, clutter_model="k", clutter_shape=4.0)
        ours = cfar.detect(cuda.to_device(image), params, valid, lines=lines)
        assert_same(ours, cfar.detect(image, params, valid, lines=lines))
    assert all(used), used
    # all of it is left, so exact sums take over
    job._ROOM = 4
    assert_hits(sea((16, 40), np.uint16, 7), CfarParams(pfa=0.2, guard=0, training=3, enl=2, min_ring=2))
    launch.queue_sieve = real


def wide_windows():
    """Windows too wide for the shared memory are summed ring by ring."""
    params = CfarParams(pfa=1e-3, guard=(0, 3), training=(1, 117), enl=2, min_ring=8)
    for dtype in (np.uint16, np.float32):
        assert_twins(sea((3, 20), dtype, 4), params)


def odd_arrays():
    """Pitched arrays, one line, one column, one pixel, a window larger than the image, no data at all."""
    params = CfarParams(pfa=1e-2, guard=0, training=2, enl=2, min_ring=2)
    image = sea((6, 30), np.uint16, 5)
    pitched = cuda.to_device(image)[:, 3:20]
    ours, theirs = cfar.detect(pitched, params), cfar.detect(image[:, 3:20], params)
    assert len(theirs)
    np.testing.assert_array_equal(ours.pixel, theirs.pixel)
    for shape in ((1, 9), (9, 1)):
        line = np.full(shape, 100, np.uint16)
        line[shape[0] // 2, shape[1] // 2] = 900
        assert len(assert_hits(line, params)) == 1
    assert len(cfar.detect(cuda.to_device(np.ones((1, 1), np.uint16)), params)) == 0
    assert len(cfar.detect(cuda.to_device(np.zeros((5, 5), np.float32)), params)) == 0
    assert np.isnan(cfar.score(cuda.to_device(np.zeros((5, 5), np.uint16)), params).copy_to_host()).all()


def wide_range():
    """Float power over many orders of magnitude, where running sums say nothing and direct ones decide."""
    image = sea((10, 14), np.float64, 6)
    image[3:6, 5:9] *= 1e14
    for clutter_model in ("gamma", "gaussian"):
        assert_twins(image, CfarParams(pfa=1e-2, guard=0, training=2, enl=2, min_ring=2, clutter_model=clutter_model))


def full_room():
    """More found pixels than there is room for: the lines are searched in halves; and a flood is one sentence."""
    image = sea((16, 6), np.uint16, 7)
    params = CfarParams(pfa=0.2, guard=0, training=2, enl=2, min_ring=2)
    job._ROOM = 4
    hits = assert_hits(image, params)
    assert len(hits) > 8
    few = replace(params, max_hits=len(hits) - 1)
    for array in (image, cuda.to_device(image), cuda.to_device(image.astype(np.float32) ** 2)):
        with pytest.raises(FloodError, match=rf"more than {len(hits) - 1} hits in an image of \(16, 6\)"):
            cfar.detect(array, few)
    with pytest.raises(FloodError, match="hits in an image of"):
        cfar.detect_streamed(image, few, band_lines=3)


def bad_input():
    """The same errors as from a NumPy array."""
    params = CfarParams(pfa=1e-3, guard=0, training=2, min_ring=2)
    good = np.ones((4, 5), np.float32)
    negative = good.copy()
    negative[2, 3] = -4
    cases = [
        (good.astype(np.int32), None), (np.ones(4, np.float32), None), (negative, None),
        (good, good), (good, np.ones((3, 5), np.bool_)),
    ]  # fmt: skip
    for image, valid in cases:
        messages = []
        for move in (np.asarray, cuda.to_device):
            try:
                cfar.detect(move(image), params, None if valid is None else move(valid))
            except (TypeError, ValueError) as error:
                messages.append((type(error), str(error)))
        assert len(messages) == 2, (image.dtype, messages)
        assert messages[0] == messages[1], messages
    with pytest.raises(TypeError, match="valid on a device"):
        cfar.detect(good, params, cuda.to_device(np.ones((4, 5), np.bool_)))
    # a mask on the host goes to the image
    masked = negative < 0
    assert len(cfar.detect(cuda.to_device(negative), params, ~masked)) == 0


def dual():
    """Two polarisations share the pfa, on the device as on the CPU."""
    first, second = sea((8, 11), np.uint16, 8), sea((8, 11), np.float32, 9)
    params = CfarParams(pfa=1e-3, guard=1, training=2, enl=2, min_ring=8)
    ours = cfar.detect_dual(cuda.to_device(first), cuda.to_device(second), params)
    theirs = cfar.detect_dual(first, second, params)
    assert_same(ours, theirs)


def averages():
    """Other averages: hits, scores and masks of whole numbers, hits of others, with a mask and an oblong window."""
    valid = np.random.default_rng(1).random((7, 17)) > 0.1
    for average in ("goca", "soca", "os"):
        params = CfarParams(pfa=1e-2, guard=(1, 0), training=2, enl=2, min_ring=6, average=average)
        assert_twins(sea((7, 17), np.uint16, 10), params, valid, lines=(1, 6))
        assert_naive(sea((7, 13), np.float64, 12), params, valid[:, :13].copy())
    assert_twins(sea((5, 11), np.float32, 11), replace(params, average="goca"))


def iterations():
    """Hits are censored from the rings of their neighbours, for each kind of sums."""
    job.BLOCK = search.BLOCK = 5
    params = CfarParams(pfa=1e-2, guard=(0, 1), training=2, enl=2, min_ring=4, iterations=3)
    image = sea((8, 13), np.uint16, 13)
    image[4, 2], image[4, 5] = 9000, 900  # the second is hidden by the first
    assert_twins(image, params, valid=np.random.default_rng(1).random(image.shape) > 0.1, lines=(1, 7))
    assert len(assert_hits(image, params)) > len(cfar.detect(image, replace(params, iterations=1)))
    assert_twins(sea((5, 10), np.float32, 13), replace(params, iterations=2, clutter_model="gaussian"))
    launch._LEVEL_BYTES = 1  # levels in several bands
    flat = replace(params, guard=0, training=(1, 3), iterations=2, clutter_model="lognormal", pfa=0.05)
    image = sea((19, 9), np.uint16, 15)
    image[2::5, 4] = 9000
    assert set(assert_hits(image, flat).line) >= {2, 7, 12, 17}
    for other in ({"clutter_model": "lognormal"}, {"average": "goca"}, {"average": "os"}):
        for dtype in (np.uint16, np.float32):
            assert_hits(sea((6, 11), dtype, 14), replace(params, iterations=2, **other))


def moved():
    """Images and hits go to the device when asked."""
    image = sea((7, 9), np.uint16, 8)
    params = CfarParams(pfa=1e-3, guard=1, training=2, enl=2, min_ring=8)
    hits = cfar.detect(cfar.to_device(image), params)
    there = cfar.to_device(hits)
    np.testing.assert_array_equal(there.line.copy_to_host(), cfar.detect(image, params).line)


def streamed():
    """An image in host memory goes through the device in bands, and gives the hits of the whole."""
    params = CfarParams(pfa=1e-3, guard=1, training=2, enl=2, min_ring=8)
    for dtype in (np.uint16, np.float32):
        image = sea((10, 13), dtype, 8)
        valid = np.random.default_rng(2).random(image.shape) > 0.1
        for keep in (None, valid) if dtype == np.uint16 else (valid,):
            theirs = cfar.detect(image, params, keep)
            for band_lines in (4, 100):
                ours = cfar.detect_streamed(image, params, keep, band_lines=band_lines)
                assert_same(ours, theirs)
    twice = replace(params, training=1, iterations=2)
    image = sea((16, 9), np.uint16, 8)
    image[3::4, 4] = 9000
    assert_same(cfar.detect_streamed(image, twice, band_lines=4), cfar.detect(image, twice))


def command():
    """Vessels of a product are the same with `--gpu`."""
    from click.testing import CliRunner

    from sarship.cli import main
    from sarship.simulate import ProductParams, simulate_product

    shape = ProductParams(mode="EW", polarizations=("HH",), shape=(32, 40))
    with TemporaryDirectory() as folder:
        path, _ = simulate_product(folder, shape, n_vessels=1, seed=3)
        asked = ["detect", str(path), "--json", "--pfa=1e-4", "--guard-m=120", "--training-m=120"]
        runs = [CliRunner().invoke(main, [*asked, *more], catch_exceptions=False) for more in ([], ["--gpu"])]
    here, there = (json.loads(run.stdout)["features"] for run in runs)
    assert len(here) >= 1
    assert here == there


def over_time():
    """So are the thresholds over a port's grid, to the last bit of a float32."""
    from sarship.change import detection

    power = sea((9, 14), np.float32, 12)
    water = np.random.default_rng(3).random(power.shape) > 0.2
    params = CfarParams(pfa=1e-3, guard=1, training=2, enl=2, min_ring=8)
    here, there = (detection._cleaned(power, water, params, gpu) for gpu in (False, True))
    for ours, theirs in zip(there, here, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=3e-7)
        assert np.isfinite(theirs[water]).any()


def checked():
    """`doctor` compares the device with the CPU."""
    rng = np.random.default_rng(0)
    small = (rng.gamma(4.4, 20, (9, 12))).astype(np.uint16)
    small[4, 5] = 3000
    selftest._image = lambda: small
    found = selftest.check_up()
    assert found["card"] == "numba's CUDA simulator"
    assert found["card against CPU"] == f"{selftest.EQUAL}: 1 hits"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        start = time.process_time()
        case, _, argument = name.partition(":")
        globals()[case](*filter(None, argument.split("+")))
        sys.stdout.write(f"ok {name} {time.process_time() - start:.1f} s\n")
        sys.stdout.flush()
