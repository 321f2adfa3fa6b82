"""What is said of yards: filled or emptied only where both polarisations and the cells that stand out agree."""

import numpy as np
import pandas as pd
import pytest
from builders.aprons import EMPTY_M2, make_aprons

from sarship.analysis import find_apron_changes, judge_aprons
from sarship.schema import APRONS, CHANGES

WOBBLE = np.tile([0.3, -0.4, 0.1, 0.4, -0.2, -0.2], 4)
EMPTIED = np.where(np.arange(24) < 12, 4.0, 0.0) + WOBBLE
STEADY = WOBBLE.copy()
WET = np.where(np.arange(24) < 12, 0.0, 2.5) + WOBBLE
NO_CELLS = np.zeros(24)


def changes_of(*args, **options):
    return CHANGES.check(find_apron_changes(judge_aprons(make_aprons(*args, **options))))


def test_a_yard_that_emptied():
    table = judge_aprons(make_aprons(EMPTIED, surface="gravel"))
    assert table["state"].tolist() == ["unknown"] + ["same"] * 11 + ["emptied"] + ["same"] * 11
    (row,) = find_apron_changes(table).itertuples()
    assert (row.where, row.quantity, row.direction, row.confirmed_by) == ("Yard", "added_m2", "emptied", "")
    assert (row.from_time, row.to_time) == (row.window_from, row.window_to) == tuple(table["time"].iloc[[11, 12]])
    assert row.probability > 0.95
    assert row.before == pytest.approx(EMPTY_M2 * (10**0.4 - 1), rel=0.01)
    assert row.before_low < row.before < row.before_high
    assert row.after_low < row.after < row.after_high
    assert row.after == pytest.approx(0, abs=1)
    assert (row.n_before, row.n_after, row.relative_orbit) == (12, 12, 87)
    assert row.words.startswith("apron Yard emptied between 2025-04-12 and 2025-04-24: added scattering from 30")
    assert row.words.endswith("over 99 %")


def test_a_yard_that_filled_is_its_mirror():
    (row,) = changes_of(EMPTIED[::-1]).itertuples()
    assert (row.direction, row.after > row.before) == ("filled", True)


@pytest.mark.parametrize(
    ("level", "cross", "bright"),
    [
        pytest.param(EMPTIED, STEADY, None, id="VH says nothing"),
        pytest.param(EMPTIED, -EMPTIED, None, id="VH says the opposite"),
        pytest.param(EMPTIED, np.full(24, np.nan), None, id="VV alone"),
        pytest.param(WET, WET, NO_CELLS, id="all cells alike, so it may be wet"),
    ],
)
def test_what_one_witness_alone_says_is_changed(level, cross, bright):
    (row,) = changes_of(level, cross, bright).itertuples()
    assert row.direction == "changed"
    assert "wet ground" in row.words


def test_an_even_rise_may_be_wet_on_each_pass():
    table = judge_aprons(make_aprons(WET, bright=NO_CELLS))
    assert table["may_be_wet"].tolist() == [False] * 12 + [True] * 12


def test_a_steady_yard_has_no_change():
    assert len(changes_of(STEADY)) == 0
    assert judge_aprons(make_aprons(STEADY))["state"].tolist() == ["unknown"] + ["same"] * 23


def test_orbits_that_agree_confirm_each_other_and_date_together():
    """Twelve days a cycle, and each orbit sees the yard at a level of its own."""
    own = np.resize([0.0, 3.0], 24)
    (row,) = changes_of(EMPTIED + own, bright=0.04 * EMPTIED.clip(0), orbits=(87, 14)).itertuples()
    assert row.direction == "emptied"
    assert {row.relative_orbit, int(row.confirmed_by)} == {87, 14}
    assert (row.window_to - row.window_from).days < 12


def test_orbits_that_disagree_are_both_shown_and_none_is_believed():
    level = np.where(np.arange(24) % 2 == 0, EMPTIED, EMPTIED[::-1])
    table = judge_aprons(make_aprons(level, orbits=(87, 14)))
    assert set(find_apron_changes(table)["direction"]) == {"changed"}
    later = table[table["time"] > table["time"].iloc[14]].groupby("relative_orbit")["level_db"].mean()
    assert later[14] - later[87] > 3


def test_levels_are_over_the_least_that_lasted():
    """Vehicles on half of the dates are in the reference; what is on the yard in all is not changed by that."""
    measured = make_aprons(EMPTIED - 1.0)
    judged = judge_aprons(measured)
    assert judged["level_db"].iloc[12:].mean() == pytest.approx(0, abs=1e-9)
    total = [frame["added_m2"] + frame["empty_m2"] for frame in (measured, judged)]
    np.testing.assert_allclose(total[0], total[1])
    again = judge_aprons(judged)
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(judged))


def test_what_is_not_known_is_never_the_same():
    level = EMPTIED.copy()
    level[[3, 12, 20]] = np.nan
    table = judge_aprons(make_aprons(level))
    states = table["state"].to_numpy()
    assert (states[[3, 12, 20]] == "unknown").all()
    assert states[13] == "emptied"
    (row,) = find_apron_changes(table).itertuples()
    assert (row.from_time, row.to_time) == tuple(table["time"].iloc[[11, 13]])


def test_passes_within_a_wide_window_are_unknown():
    level = np.where(np.arange(24) < 12, 1.0, 0.0) + 2 * WOBBLE
    table = judge_aprons(make_aprons(level, noise_db=0.6))
    (row,) = find_apron_changes(table).itertuples()
    inside = (table["time"] > row.window_from) & (table["time"] <= row.window_to)
    assert inside.sum() > 2
    assert sorted(set(table["state"][inside])) == [row.direction, "unknown"]


def test_fewer_than_eight_passes_tell_nothing():
    table = judge_aprons(make_aprons(EMPTIED[9:16]))
    assert set(table["state"]) == {"unknown"}
    assert len(find_apron_changes(table)) == 0


def test_two_yards_do_not_mix():
    both = APRONS.concat([make_aprons(EMPTIED, name="A"), make_aprons(STEADY, name="B")])
    table = judge_aprons(both.sample(frac=1, random_state=0))
    assert table["time"].is_monotonic_increasing
    assert find_apron_changes(table)["where"].tolist() == ["A"]


def test_no_aprons():
    assert len(judge_aprons(APRONS.empty())) == len(find_apron_changes(APRONS.empty())) == 0
