"""Candidates of a frame: as many as the density has vessels, also where several have one peak."""

from __future__ import annotations

import numpy as np
import pytest

import sarship.vessels.candidates as under_test
from sarship.vessels.candidates import Candidates
from sarship.vessels.network import NetworkMaps

SHAPE = (40, 24)
OWN = np.ones(SHAPE, bool)
SIZES = np.array([np.log(8.0), np.log(1.5), 1.0, 0.0, 0.0, 0.0], np.float32)


def said(*places: tuple[float, float], noise: float = 0.0) -> NetworkMaps:
    """A density with vessels of 80 m along the frame at such places, and no heat."""
    density = np.abs(np.random.default_rng(0).normal(0, noise, SHAPE)) if noise else np.zeros(SHAPE)
    for u, v in places:
        density = density + under_test._density_of(SHAPE, u, v, 80.0, 0.0)
    sizes = np.broadcast_to(SIZES[:, None, None], (6, *SHAPE))
    return NetworkMaps(heat=np.zeros((SHAPE[0], 2 * SHAPE[1]), np.float32), density=density.astype("f4"), sizes=sizes)


def known(*places: tuple[float, float]) -> Candidates:
    n = len(places)
    u, v = np.array(places, float).reshape(-1, 2).T
    return Candidates(u, v, np.full(n, 80.0), np.full(n, 15.0), np.zeros(n), np.full(n, 0.5))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_raft_with_one_peak_has_as_many_vessels_as_its_density(n):
    raft = [(20.0, 12.0 + 1.7 * (k - (n - 1) / 2)) for k in range(n)]
    found, chance = under_test._completed(known((20.0, 12.0)), np.array([0.99]), said(*raft), OWN)
    assert chance.sum() == pytest.approx(n, abs=0.5)
    assert (np.hypot(found.u - 20, found.v - 12) < 4).all()
    assert np.allclose(found.length_m, 80, rtol=0.01)


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_vessels_with_a_peak_each_stay_as_many(noise):
    places = (8.0, 5.0), (20.0, 12.0), (20.0, 13.7), (33.0, 18.0)
    found, chance = under_test._completed(known(*places), np.full(4, 0.97), said(*places, noise=noise), OWN)
    assert chance.tolist() == [0.97] * 4
    assert len(found.u) == 4


def test_a_vessel_without_a_peak_is_told_by_the_density_alone():
    found, chance = under_test._completed(known(), np.empty(0), said((10.0, 7.0), (30.0, 15.0)), OWN)
    assert sorted(zip(found.u.round(1), found.v.round(1), strict=True)) == [(10.0, 7.0), (30.0, 15.0)]
    assert chance.max() <= under_test.MOST_CHANCE
    assert (chance > 0.8).all()


def test_a_neighbours_waters_and_the_rim_add_none():
    own = OWN.copy()
    own[:, 10:] = False
    assert len(under_test._completed(known(), np.empty(0), said((20.0, 20.0)), own)[1]) == 0
    assert len(under_test._completed(known(), np.empty(0), said((20.0, 20.0)), np.zeros(SHAPE, bool))[1]) == 0
    found, chance = under_test._completed(known(), np.empty(0), said((0.0, 0.0), (39.0, 23.0)), OWN)
    assert len(chance) == 2
    assert found.u.min() > -1
    assert found.u.max() < SHAPE[0]
