"""When counts changed: between two passes, with orbits, intervals and references taken into account; and alerts."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sarship.counts.changes import find_alerts, find_changes
from sarship.schema import ALERTS, CHANGES

EMPTIED = [3, 4, 3, 2, 3, 4, 3, 3, 0, 0, 0, 0, 1, 0, 0, 0]
STEADY = [3, 4, 3, 2, 3, 4, 3, 3, 3, 2, 4, 3, 3, 2, 4, 3]


def make_counts(*piers, n_low=None, n_high=None, orbits=(87,), n_dates=None, kinds=None):
    """Counts with one sequence a pier; passes go through the orbits in turn, twelve days for all of them."""
    table = np.array(piers, float).T
    n = len(table)
    axes = ("time", "pier")
    days = 12 * (np.arange(n) // len(orbits)) + 2 * (np.arange(n) % len(orbits))
    dates = np.full(n, 16.0) if n_dates is None else np.asarray(n_dates, float)
    values = {
        "n_vessels": table,
        "n_low": table if n_low is None else np.array([n_low], float).T,
        "n_high": table if n_high is None else np.array([n_high], float).T,
        "n_reference_dates": np.repeat(dates[:, None], table.shape[1], axis=1),
        "detectable_length_m": np.full(table.shape, 30.0),
    }
    return xr.Dataset(
        {name: (axes, value) for name, value in values.items()},
        coords={
            "time": pd.Timestamp("2024-12-01T15:42") + pd.to_timedelta(days, "D"),
            "relative_orbit": ("time", np.resize(orbits, n)),
            "pier": [f"Pier {k}" for k in range(len(piers))],
            "kind": ("pier", kinds or ["pier"] * len(piers)),
            "longitude": ("pier", 35.8 + 0.01 * np.arange(len(piers))),
            "latitude": ("pier", np.full(len(piers), 34.9)),
        },
    )


def changes(*piers, **options):
    return CHANGES.check(find_changes(make_counts(*piers, **options)))


def alerts(*piers, **options):
    return ALERTS.check(find_alerts(make_counts(*piers, **options))).set_index("where")


def test_a_pier_that_emptied():
    (row,) = changes(EMPTIED).itertuples()
    assert (row.where, row.direction, row.quantity) == ("Pier 0", "fell", "n_vessels")
    assert (row.from_time, row.to_time) == (row.window_from, row.window_to)
    assert (row.to_time - row.from_time).days == 12
    assert (row.before, row.after) == (pytest.approx(25 / 8), pytest.approx(1 / 8))
    assert row.before_low < row.before < row.before_high
    assert 0 < row.after_low < row.after < row.after_high < 0.7
    assert (row.n_before, row.n_after) == (8, 8)
    assert row.probability > 0.9
    assert row.words.startswith("vessels at Pier 0 fell from 3.1 (2.")
    assert "between 2025-02-23 and 2025-03-07; 9" in row.words


def test_nothing_changes_and_nothing_was_counted():
    assert len(changes(STEADY)) == len(changes([0] * 16)) == len(changes([np.nan] * 16)) == len(changes([2])) == 0
    assert len(changes(EMPTIED[4:11])) == 0  # seven passes


def test_missing_passes_widen_the_gap():
    hidden = [count if k not in {7, 8, 9} else np.nan for k, count in enumerate(EMPTIED)]
    (row,) = changes(hidden).itertuples()
    assert (row.from_time.day, row.to_time.day) == (11, 31)  # 11 February to 31 March
    assert (row.n_before, row.n_after) == (7, 6)


def test_wide_intervals_weaken_a_change_and_widen_the_levels():
    (sure,) = changes(EMPTIED).itertuples()
    bounds = {"n_low": [max(0, count - 2) for count in EMPTIED], "n_high": [count + 2 for count in EMPTIED]}
    wide = changes(EMPTIED, **bounds)
    (row,) = wide.itertuples()
    assert 0.5 < row.probability < sure.probability - 0.1
    assert row.after_high - row.after_low > sure.after_high - sure.after_low
    pd.testing.assert_frame_equal(wide, changes(EMPTIED, **bounds))  # the draws are the same ones


def test_orbits_are_cut_alone_and_confirm_each_other():
    both = np.repeat(EMPTIED, 2)
    (row,) = changes(both, orbits=(87, 14)).itertuples()
    assert {row.relative_orbit, int(row.confirmed_by)} == {14, 87}
    blind = both.copy()
    blind[1::2] = 1  # the other side sees one vessel all the year
    (row,) = changes(blind, orbits=(87, 14)).itertuples()
    assert (row.relative_orbit, row.confirmed_by) == (87, "")


def test_orbits_that_contradict_each_other_are_two_changes():
    table = np.repeat(EMPTIED, 2)
    table[1::2] = 4 - table[1::2]
    assert sorted(changes(table, orbits=(87, 14))["direction"]) == ["fell", "rose"]


def test_where_the_reference_came_the_method_changed():
    (row,) = changes(EMPTIED, n_dates=[0] * 8 + [16] * 8).itertuples()
    assert row.direction == "method"
    assert "the reference at Pier 0 came or went" in row.words
    (row,) = changes(EMPTIED, n_dates=[0] * 3 + [16] * 13).itertuples()
    assert row.direction == "fell"


def test_all_piers_together_are_the_port_without_anchorages():
    table = changes(EMPTIED, EMPTIED, [9] * 8 + [0] * 8, kinds=["pier", "pier", "anchorage"])
    whole = table[table["where"] == "port"]
    assert whole["before"].item() == pytest.approx((25 + 25) / 8)
    assert set(table["where"]) == {"port", "Pier 0", "Pier 1", "Pier 2"}
    assert whole.geometry.item().geom_type == "MultiPoint"


def test_a_pass_outside_the_usual_range_is_watched_and_two_are_an_alert():
    usual = alerts(STEADY).loc["Pier 0"]
    assert (usual["status"], usual["n_passes"]) == ("usual", 14)
    assert usual["usual_low"] <= 1
    assert 7 <= usual["usual_high"] <= 10
    assert usual["time"] == pd.Timestamp("2025-05-30T15:42Z")
    assert alerts([*STEADY, 15]).loc["Pier 0", "status"] == "watch"
    assert alerts([*STEADY, 15, 3]).loc["Pier 0", "status"] == "usual"
    assert alerts([*STEADY, 15, 15]).loc["Pier 0", "status"] == "alert"
    busy = [8 + count for count in STEADY]
    assert alerts([*busy, 40, 0]).loc["Pier 0", "status"] == "watch"  # on two sides
    assert alerts([*busy, 0, 1]).loc["Pier 0", "status"] == "alert"


def test_the_usual_range_is_that_of_the_present_level_and_of_the_orbit():
    emptied = alerts([*EMPTIED, 0, 3]).loc["Pier 0"]
    assert (emptied["status"], emptied["n_passes"], emptied["usual_high"]) == ("watch", 8, 2)
    sides = np.ravel(np.column_stack([STEADY, [0] * 16]))  # from one side nothing is ever seen
    assert alerts([*sides, 3, 0], orbits=(87, 14)).loc["Pier 0", "status"] == "usual"
    assert alerts([*sides, 3, 3], orbits=(87, 14)).loc["Pier 0", "status"] == "watch"


def test_too_few_passes_and_none():
    few = alerts(STEADY[:9]).loc["Pier 0"]
    assert (few["status"], few["n_passes"]) == ("too_few", 0)
    assert np.isnan(few["usual_low"])
    assert alerts(STEADY[:10]).loc["Pier 0", "status"] == "usual"
    assert alerts([3]).loc["Pier 0", "status"] == "too_few"
    assert len(alerts([np.nan] * 3)) == 0
    assert alerts([*STEADY, np.nan]).loc["Pier 0", "time"] == pd.Timestamp("2025-05-30T15:42Z")
