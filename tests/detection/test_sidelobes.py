"""Sidelobes of a bright hull are no vessels; a boat beside it is one."""

import numpy as np
import pytest

from sarship.detection.sidelobes import MAIN_LOBE, MARGIN, sidelobes_of, stands_out

RESOLUTION = (22.0, 20.0)
SEA = 0.1


def _judged(places, powers, scores=None, link_m=25.0):
    """Hits on a grid that lies along azimuth and range, all thresholds at `SEA` unless given."""
    order = np.lexsort((np.array(places)[:, 1], np.array(places)[:, 0]))
    cells = np.array(places, np.int64)[order]
    power = np.atleast_2d(powers).astype(float)[:, order]
    score = power / SEA if scores is None else np.atleast_2d(scores).astype(float)[:, order]
    kept = stands_out(
        power,
        score,
        (cells[:, 0], cells[:, 1]),
        (cells[:, 0] * 10.0, cells[:, 1] * 10.0),
        spacing_m=10.0,
        link_m=link_m,
        resolution_m=RESOLUTION,
    )
    answer = np.empty(len(places), bool)
    answer[order] = kept
    return answer.tolist()


@pytest.mark.parametrize("a", [0.70, 0.75])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_response_of_the_weighted_band_keeps_under_the_envelope_and_touches_it(a, axis):
    x = np.linspace(0, 15, 3_001)  # distance times bandwidth
    side = (1 - a) / 2
    power = ((a * np.sinc(x) + side * (np.sinc(x - 1) + np.sinc(x + 1))) / a) ** 2
    half = 2 * np.interp(-0.5, -power[:300], x[:300])  # half-power width
    cells = x / half
    metres = np.where(np.arange(2)[:, None] == axis, cells * RESOLUTION[axis], 0)
    level = sidelobes_of((metres[0], metres[1]), RESOLUTION)
    off = (cells > 1.5 * MAIN_LOBE) & (metres.max(axis=0) < 290)
    assert (power[off] <= MARGIN * level[off]).all()
    assert power[off].max() > level[off].max() / MARGIN


def test_a_sidelobe_along_either_axis_goes_and_its_source_stays():
    for place in ((6, 0), (0, 6), (0, -9)):
        apart = np.array(place, float) * 10
        falls = float(sidelobes_of((apart[:1], apart[1:]), RESOLUTION)[0])
        assert _judged([(20, 20), (20 + place[0], 20 + place[1])], [400.0, 400.0 * falls + SEA]) == [True, False]


def test_a_boat_stays_off_the_axes_or_brighter_than_a_sidelobe():
    assert _judged([(20, 20), (25, 25)], [400.0, 1.0]) == [True, True]
    assert _judged([(20, 20), (26, 20)], [400.0, 20.0]) == [True, True]
    assert _judged([(20, 20), (70, 20)], [400.0, 0.3]) == [True, True]


def test_a_hull_keeps_its_own_dim_hits():
    row = [(20, 20 + k) for k in range(0, 12, 2)]
    assert _judged(row, [400.0, 2.0, 2.0, 1.0, 1.0, 1.0]) == [True] * 6
    assert _judged([(20, 20), (20, 25)], [400.0, 2.0], link_m=60.0) == [True, True]


def test_either_polarization_will_do_and_each_has_sidelobes_of_its_own():
    places = [(20, 20), (26, 20)]
    assert _judged(places, [[400.0, 1.5], [0.0, 0.0]], [[4_000.0, 15.0], [0.0, 0.0]]) == [True, False]
    assert _judged(places, [[400.0, 1.5], [40.0, 5.0]], [[4_000.0, 15.0], [400.0, 50.0]]) == [True, True]


def test_no_hits_are_no_groups():
    assert _judged(np.empty((0, 2), int), np.empty((1, 0))) == []
