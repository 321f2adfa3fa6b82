"""Vessels at piers by the network that ships: right on plain cases, and calm on odd ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from builders.quays import QUAY, SHAPE, quay_maps
from hypothesis import given
from hypothesis import strategies as st

from sarship.vessels.at_piers import PortMaps, count_distribution, find_at_piers

ALONGSIDE = [(40.0, 42.0, 120.0, 90.0), (70.0, 42.0, 150.0, 90.0), (105.0, 42.0, 90.0, 90.0)]


def n_likely(maps: PortMaps, pier=QUAY, reach_m: float = 60.0) -> int:
    return int((find_at_piers(maps, [pier], [reach_m]).chance > 0.5).sum())


@pytest.mark.parametrize("has_reference", [True, False], ids=["against the empty port", "one image"])
def test_vessels_alongside_are_counted_placed_and_measured(has_reference):
    found = find_at_piers(quay_maps(ALONGSIDE, has_reference=has_reference), [QUAY], [60.0])
    found = found.take(found.chance > 0.5)
    assert found.chance.size == 3
    order = np.argsort(found.column)
    for k, (x, y, length, _) in zip(order, ALONGSIDE, strict=True):
        assert abs(found.column[k] - x) < 4
        assert abs(found.row[k] - y) < 3
        assert abs(found.length_m[k] - length) < 0.35 * length
        assert abs(np.sin(found.angle[k])) < 0.3


def test_vessels_with_their_stern_to_the_quay_are_told_apart():
    places = [(x, 48.0, 110.0, 0.0) for x in (50.0, 55.0, 60.0)]
    found = find_at_piers(quay_maps(places), [QUAY], [60.0])
    found = found.take(found.chance > 0.5)
    assert 2 <= found.chance.size <= 3
    assert (np.abs(np.sin(found.angle)) > 0.8).all()


@pytest.mark.parametrize("has_reference", [True, False])
@pytest.mark.parametrize("has_cross", [True, False])
def test_an_empty_quay_is_empty(has_reference, has_cross):
    counts = [n_likely(quay_maps(has_reference=has_reference, has_cross=has_cross, seed=k)) for k in range(4)]
    assert sum(counts) <= 1


def test_a_pier_far_off_the_grid_has_none():
    away = shapely.affinity.translate(QUAY, 10_000, 0)
    assert n_likely(quay_maps(ALONGSIDE), away) == 0


def test_a_pier_half_off_the_grid_has_what_is_seen():
    assert n_likely(quay_maps(ALONGSIDE), shapely.LineString([(20, 40), (300, 40)])) in {2, 3, 4}


def test_a_pier_on_land_alone_has_none():
    assert n_likely(quay_maps(ALONGSIDE), shapely.LineString([(30, 10), (110, 10)])) == 0


def test_many_piers_share_their_vessels():
    """Sixty berths of one quay count what one quay does: each vessel at one of them."""
    edges = np.linspace(20, 120, 61)
    berths = [shapely.LineString([(a, 40), (b, 40)]) for a, b in pairwise(edges)]
    maps = quay_maps(ALONGSIDE)
    found = find_at_piers(maps, berths, [60.0] * 60)
    assert abs(found.chance.sum() - find_at_piers(maps, [QUAY], [60.0]).chance.sum()) < 1.6


def test_a_pier_of_five_kilometres_is_one_pier():
    calm = PortMaps(np.zeros((2, 60, 600), np.float32), None, None, np.zeros((60, 600), bool), (0.0, 1.0))
    found = find_at_piers(calm, [shapely.LineString([(20, 30), (520, 30)])], [60.0])
    assert (found.chance > 0.5).sum() == 0


def test_no_piers_have_no_vessels():
    assert find_at_piers(quay_maps(), [], []).chance.size == 0


def test_what_the_image_does_not_show_is_not_counted():
    maps = quay_maps(ALONGSIDE)
    raw = maps.raw.copy()
    raw[:, :, SHAPE[1] // 2 - 15 :] = 0  # as `port_maps` fills what was not imaged
    assert n_likely(maps._replace(raw=raw)) <= 2


@given(st.lists(st.floats(0, 1), max_size=12))
def test_the_distribution_of_a_count_is_one(chances):
    p = count_distribution(np.array(chances))
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()
    assert (p * np.arange(len(p))).sum() == pytest.approx(sum(chances), abs=1e-9)
