"""Worlds and examples that the network at piers learns from: deterministic, and true to what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.training.examples import (
    CROP,
    PLAIN,
    WorldFrame,
    draw_batch,
    draw_conditions,
    read_worlds,
    targets,
)
from benchmarks.training.worlds import make_world, save_world
from sarship.vessels.network_inputs import channels

SEEDS = (3, 6)


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> list[WorldFrame]:
    folder = tmp_path_factory.mktemp("worlds")
    for seed in SEEDS:
        save_world(folder / f"{seed}.npz", make_world(seed, real=0.0))
    return read_worlds(folder, 0, 10)


def test_a_world_follows_from_its_seed(frames):
    again = make_world(SEEDS[0], real=0.0)
    first = [frame for frame in frames if frame.world == SEEDS[0]]
    assert len(again) == len(first)
    np.testing.assert_array_equal(again[0]["raw"], first[0].raw)
    np.testing.assert_array_equal(again[0]["truth"], first[0].truth)


def test_vessels_are_bright_where_the_truth_has_them(frames):
    over = []
    for frame in frames:
        for date in range(len(frame.raw)):
            maps = frame.maps(date)
            for u, v, length, *_ in frame.vessels(date):
                if length > 80 and 2 < u < frame.shape[0] - 3 and 2 < v < frame.shape[1] - 3:
                    near = maps.raw[0][round(u) - 1 : round(u) + 2, 2 * round(v) - 2 : 2 * round(v) + 3]
                    over.append(near.max())
    assert len(over) > 50
    assert np.mean(np.array(over) > 2) > 0.9


def test_the_density_of_an_example_is_the_number_of_its_vessels():
    rows = np.array([[20, 10, 120, 17, 0.1], [40, 15, 60, 10, 1.5], [41, 17, 60, 10, 1.5]], np.float32)
    heat, density, centres = targets(rows, CROP)
    assert density.sum() == pytest.approx(3, abs=1e-4)
    assert (heat > 0.999).sum() == len(centres) == 3


def test_examples_follow_from_their_number_and_are_finite(frames):
    one, two = (draw_batch(frames, np.random.default_rng([0, 7]), 12) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    assert one.x.shape == (12, 18, *CROP)
    assert all(np.isfinite(part).all() for part in (one.x, one.heat, one.density))
    assert (np.abs(one.x[:, :10]) <= 8 / 3 + 1e-6).all()
    for k, rows in enumerate(one.centres):
        assert (one.weight[k][rows[:, 0].astype(int), rows[:, 1].astype(int)] > 0).all()


def test_what_is_left_out_is_zero(frames):
    frame = frames[0]
    x = channels(frame.maps(5, PLAIN._replace(has_reference=False, has_cross=False, has_land=False)))
    assert (x[[0, 1, 2, 3, 6, 7, 8, 9, 10, 13, 16, 17]] == 0).all()
    assert (x[4:6] != 0).any()
    drawn = [draw_conditions(np.random.default_rng(k)) for k in range(400)]
    assert 0.1 < np.mean([not how.has_reference for how in drawn]) < 0.3
    assert 0.1 < np.mean([how.lee_cells > 0 for how in drawn]) < 0.2
