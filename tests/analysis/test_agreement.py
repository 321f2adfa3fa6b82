"""Dated reports held against counts: the passes near them, the bounds that a radar must keep, and noisy observers."""

import math

import numpy as np
import pandas as pd
import pytest
from builders.aprons import make_aprons
from builders.tables import PIERS, make_coverage, make_scenes, make_vessels

from sarship.analysis import Agreement, compare_observations, judge_aprons, read_observations
from sarship.schema import AGREEMENT, APRONS

PASSES = {"S1": "2025-01-10T15:42", "S2": "2025-01-22T15:42", "S3": "2025-02-03T15:42"}
LENGTHS = {"S1": [120, 80], "S2": [120, 120, 80, 30], "S3": []}
SCENES = make_scenes(*PASSES.items())
COVERAGE = make_coverage(*[(scene, "A", 1) for scene in PASSES], *[(scene, "B", 0) for scene in PASSES])
VESSELS = make_vessels(
    *[(scene, "A", {"length_m": float(m), "length_error_m": 9.0}) for scene, all_ in LENGTHS.items() for m in all_]
)


def compare(tmp_path, *rows, columns="time,where,value,kind,least_length_m", **options):
    path = tmp_path / "reports.csv"
    path.write_text("\n".join([columns, *rows]))
    reports = read_observations(path, PIERS)
    return AGREEMENT.check(compare_observations(reports, VESSELS, PIERS, SCENES, COVERAGE, **options))


def states(*arguments, **options):
    return compare(*arguments, **options)["state"].tolist()


def test_the_nearest_pass_within_half_a_day_is_scored(tmp_path):
    (row,) = compare(tmp_path, "2025-01-22T05:00Z,A,4,radar,").itertuples()
    assert (row.state, row.n_vessels, row.error, row.hours) == ("agrees", 4, 0, pytest.approx(10.7))
    (row,) = compare(tmp_path, "2025-01-22,A,7,radar,").itertuples()
    assert (row.state, row.error, row.hours) == ("disagrees", -3, pytest.approx(3.7))


def test_a_report_between_two_passes_is_shown_beside_both_and_not_scored(tmp_path):
    found = compare(tmp_path, "2025-01-16,A,2,radar,")
    assert found["state"].tolist() == ["between", "between"]
    assert found["n_vessels"].tolist() == [2, 4]
    assert Agreement.of(found).n_scored == 0
    assert states(tmp_path, "2025-01-16,A,2,radar,", max_hours=150) == ["agrees"]
    assert states(tmp_path, "2024-01-16,A,2,radar,") == ["between"]  # only a pass after


def test_a_pier_that_was_not_seen_says_nothing(tmp_path):
    found = compare(tmp_path, "2025-01-22,B,0,radar,", "2025-01-22,B,2,,", "2025-01-16,B,2,,")
    assert found["state"].tolist() == ["not_seen", "not_seen", "not_compared"]
    assert found[["n_vessels", "error"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("row", "state", "error"),
    [
        ("2025-01-22,A,6,optical,", "agrees", None),  # boats may be among the six
        ("2025-01-22,A,6,optical,20", "agrees", None),  # 20 m do not show: 40 m do
        ("2025-01-22,A,6,optical,40", "disagrees", -3),
        ("2025-01-22,A,3,optical,40", "agrees", 0),
        ("2025-01-22,A,2,optical,100", "agrees", 0),  # of the four two are so long
        ("2025-01-22,A,1,optical,", "disagrees", None),  # whoever sees boats sees ships
        ("2025-01-22,A,0,optical,", "disagrees", 4),
        ("2025-02-03,A,0,optical,", "agrees", 0),
        ("2025-01-22,A,2,optical,85", "agrees", 0),  # 80 m, give or take 9
        ("2025-01-22,A,3,optical,85", "agrees", -1),  # in the interval of the count, but not the count
        ("2025-01-22,A,4,optical,85", "disagrees", -2),
    ],
)
def test_only_what_the_radar_would_show_is_asked_of_it(tmp_path, row, state, error):
    (found,) = compare(tmp_path, row).itertuples()
    assert found.state == state
    assert math.isnan(found.error) if error is None else found.error == error


def test_a_report_on_named_vessels_is_a_lower_bound(tmp_path):
    columns = "time,where,vessel,value,least_length_m"
    assert states(tmp_path, "2025-01-22,A,Sparta,1,100", columns=columns) == ["agrees"]
    assert states(tmp_path, "2025-01-22,A,Sparta,0,100", columns=columns) == ["agrees"]
    assert states(tmp_path, "2025-02-03,A,Sparta,1,100", columns=columns) == ["disagrees"]


def test_whoever_came_or_went_is_not_compared(tmp_path):
    columns = "time,where,what,vessel,value"
    rows = ("2025-01-22,A,arrived,Sparta,", "2025-01-22,A,left,,2", "2025-01-22,yard,apron,,full")
    assert states(tmp_path, *rows, columns=columns) == ["not_compared"] * 3


def test_reports_on_a_yard_are_held_against_its_levels(tmp_path):
    """Emptied after the twelfth of 24 passes, beside one that never changed; one pass does not show it."""
    wobble = np.tile([0.3, -0.4, 0.1, 0.4, -0.2, -0.2], 4)
    level = np.where(np.arange(24) < 12, 4.0, 0.0) + wobble
    level[20] = np.nan
    aprons = judge_aprons(APRONS.concat([make_aprons(level, name="Yard"), make_aprons(wobble, name="Park")]))
    times = sorted(aprons["time"].unique())
    cases = [
        (0, "Yard", "full", "agrees", 1),
        (11, "Yard", "some", "disagrees", 1),
        (12, "Yard", "empty", "agrees", 0),
        (13, "Yard", "full", "disagrees", 0),
        (20, "Yard", "empty", "not_seen", None),
        (3, "Park", "full", "not_compared", None),
        (3, "Elsewhere", "full", "not_compared", None),
    ]
    rows = [f"{times[k].isoformat()},{where},apron,{word}" for k, where, word, _, _ in cases]
    rows.append(f"{(times[11] + pd.Timedelta(6, 'D')).isoformat()},Yard,apron,some")
    path = tmp_path / "reports.csv"
    path.write_text("\n".join(["time,where,what,value", *rows]))
    reports = read_observations(path, PIERS)
    scenes = make_scenes(*[(f"S{k}", when.strftime("%Y-%m-%dT%H:%M")) for k, when in enumerate(times)])
    found = AGREEMENT.check(compare_observations(reports, VESSELS[:0], PIERS, scenes, COVERAGE[:0], aprons=aprons))
    assert found["state"].tolist() == [case[3] for case in cases] + ["between"] * 2
    np.testing.assert_allclose(found["fill"], [np.nan if case[4] is None else case[4] for case in cases] + [1, 0])
    assert (found["fill_low"].dropna() <= found["fill"].dropna()).all()
    summary = Agreement.of(found)
    assert (summary.n_scored, summary.n_aprons, summary.n_aprons_agree) == (0, 4, 2)
    # apart by 0, 1, 0 and 2 thirds; by chance by one
    assert summary.kappa == pytest.approx(1 - 3 / 4)
    assert str(summary).startswith(
        "2 of 4 reports on yards agree with the level of a pass near them, weighted kappa 0.25"
    )


def test_within_the_window_of_a_change_a_yard_may_be_full_or_empty(tmp_path):
    level = np.where(np.arange(24) < 12, 1.0, 0.0) + np.tile([0.6, -0.8, 0.2, 0.8, -0.4, -0.4], 4)
    aprons = judge_aprons(make_aprons(level, noise_db=0.6, bright=np.where(np.arange(24) < 12, 0.2, 0.0)))
    when = aprons["time"][aprons["state"].eq("unknown")].iloc[1]
    path = tmp_path / "reports.csv"
    path.write_text(f"time,where,what,value\n{when.isoformat()},Yard,apron,full\n{when.isoformat()},Yard,apron,empty")
    scenes = make_scenes(("S1", f"{when:%Y-%m-%dT%H:%M}"))
    found = compare_observations(
        read_observations(path, PIERS), VESSELS[:0], PIERS, scenes, COVERAGE[:0], aprons=aprons
    )
    assert found["state"].tolist() == ["agrees"] * 2
    assert found["contradicts"].tolist() == ["3", "2"]


def test_the_whole_port_is_its_piers_without_anchorages(tmp_path):
    assert compare(tmp_path, "2025-01-22,port,4,radar,")["n_vessels"].tolist() == [4]  # B is one, and was not seen


def test_reports_that_contradict_each_other_are_both_kept_and_held(tmp_path):
    found = compare(tmp_path, "2025-01-22,A,4,radar,", "2025-01-22,A,1,radar,", "2025-01-10,A,2,radar,")
    assert found["state"].tolist() == ["agrees", "disagrees", "agrees"]
    assert found["contradicts"].tolist() == ["3", "2", ""]
    said = str(Agreement.of(found))
    assert said.startswith(
        "2 of 3 reports agree with the count of a pass near them; 2 of 3 ranges hold the count itself"
    )
    assert ", mean error 1.00 vessels, bias +1.00 (" in said
    assert said.endswith("; 1 pair contradicts each other")


def test_agreement_with_noisy_observers_is_near_the_share_of_them_that_are_right(tmp_path):
    """A port of thirty passes: candidates that are not counted and vessels that are not sure widen the intervals."""
    rng = np.random.default_rng(3)
    times = pd.date_range("2024-01-01T15:42", periods=30, freq="6D")
    names = [f"S{k}" for k in range(30)]
    rows, truth = [], {}
    for name in names:
        n, is_doubtful, is_there = int(rng.integers(0, 6)), rng.random() < 0.3, rng.random() < 0.1
        truth[name] = n + int(is_doubtful and is_there)
        rows += [(name, "A", {"n_low": 1, "n_high": 1})] * n
        rows += [(name, "A", {"n_vessels": 0, "n_low": 0, "n_high": 1})] * is_doubtful  # there one time in ten
    reports, is_right = ["time,where,low,high,kind"], []
    for k in range(600):
        name = names[k % 30]
        high = max(0, truth[name] + int(rng.choice([0, 0, 0, 0, 0, 0, -2, -1, 1, 2])))
        low = max(0, high - int(rng.integers(0, 2)))
        is_right.append(low <= truth[name] <= high)
        reports.append(f"{(times[k % 30] + pd.Timedelta(k, 's')).isoformat()}Z,A,{low},{high},radar")
    path = tmp_path / "observers.csv"
    path.write_text("\n".join(reports))
    tables = make_vessels(*rows), PIERS, make_scenes(*zip(names, times, strict=True))
    coverage = make_coverage(*[(name, "A", 1) for name in names])
    found = Agreement.of(compare_observations(read_observations(path, PIERS), *tables, coverage))
    assert found.n_scored == found.n_exact == 600
    assert found.n_hold / 600 == pytest.approx(np.mean(is_right), abs=0.02)
    assert found.n_agree > found.n_hold  # the interval meets more
    assert found.bias_low < found.bias < found.bias_high
