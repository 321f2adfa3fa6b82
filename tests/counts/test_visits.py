"""Who stayed, arrived and left."""

import numpy as np
import pandas as pd
import pytest
from builders.tables import PIERS, make_coverage, make_scenes, make_vessels
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from sarship.counts.visits import find_traffic, find_visits
from sarship.schema import TRAFFIC, VISITS

DAYS = ["d1", "d2", "d3"]
SCENES = make_scenes(*[(day, f"2024-12-0{i}") for i, day in enumerate(DAYS, 1)])
ALL_SEEN = make_coverage(*[(day, pier, 1.0) for day in DAYS for pier in "AB"])


def at(metres, **more):
    longitude, latitude, _ = Geod(ellps="WGS84").fwd(35.81, 34.91, 90.0, metres)
    return {"longitude": longitude, "latitude": latitude, "heading_deg": 90.0, **more}


def visits(*rows, scenes=SCENES, coverage=ALL_SEEN, mmsi=None):
    table = VISITS.check(find_visits(make_vessels(*rows), PIERS, scenes, coverage, mmsi=mmsi))
    assert table["time"].is_monotonic_increasing
    return table


def traffic(*rows, scenes=SCENES, coverage=ALL_SEEN):
    return TRAFFIC.check(find_traffic(make_vessels(*rows), PIERS, scenes, coverage))


def said(table):
    """Day of the month and status of each row, by visit."""
    return [sorted(zip(rows["time"].dt.day, rows["status"], strict=True)) for _, rows in table.groupby("visit")]


def test_a_vessel_stays_and_leaves():
    table = visits(("d1", "A", at(0)), ("d2", "A", at(20, length_m=112.0)))
    assert said(table) == [[(1, "first"), (2, "stayed"), (3, "left")]]
    left = table.iloc[-1]
    assert left["length_m"] == 112.0
    assert left[["vessel"]].isna().all()
    assert left["visit"] == "d1/0"


def test_a_vessel_arrives_at_a_pier_that_was_empty():
    assert said(visits(("d2", "A", at(0)))) == [[(2, "arrived"), (3, "left")]]


@pytest.mark.parametrize(
    "other",
    [
        at(70),  # further along the quay
        at(0, length_m=190.0),  # another size at the same berth
    ],
)
def test_another_place_or_size_is_another_vessel(other):
    table = visits(("d1", "A", at(0)), ("d2", "A", other))
    assert sorted(said(table)) == [[(1, "first"), (2, "left")], [(2, "arrived"), (3, "left")]]


def test_a_candidate_that_fits_the_vessel_of_before_is_it_and_any_other_is_nobody():
    maybe = {"n_vessels": 0, "confidence": 0.4}
    table = visits(("d1", "A", at(0)), ("d2", "A", at(10, **maybe)), ("d2", "A", at(300, **maybe)), ("d3", "A", at(5)))
    assert said(table) == [[(1, "first"), (2, "stayed"), (3, "stayed")]]
    unlikely = visits(("d1", "A", at(0)), ("d2", "A", at(10, n_vessels=0, confidence=0.1)))
    assert said(unlikely) == [[(1, "first"), (2, "left")]]


def test_a_counted_vessel_comes_before_a_candidate():
    table = visits(("d1", "A", at(0)), ("d2", "A", at(2, n_vessels=0, confidence=0.4)), ("d2", "A", at(12)))
    assert said(table) == [[(1, "first"), (2, "stayed"), (3, "left")]]
    assert table.loc[table["status"] == "stayed", "vessel"].item() == "d2/2"


def test_another_pier_is_another_visit():
    table = visits(("d1", "A", at(0)), ("d2", "B", at(0)))
    assert sorted(said(table)) == [[(1, "first"), (2, "left")], [(2, "arrived"), (3, "left")]]


def test_a_vessel_swings_about_its_anchor():
    assert said(visits(("d1", "B", at(0)), ("d2", "B", at(300)))) == [[(1, "first"), (2, "stayed"), (3, "left")]]


@pytest.mark.parametrize("seen", [0.0, 0.5])
def test_a_pass_that_did_not_see_the_pier_says_nothing(seen):
    coverage = make_coverage(("d1", "A", 1.0), ("d2", "A", seen), ("d3", "A", 1.0))
    table = visits(("d1", "A", at(0)), ("d3", "A", at(5)), coverage=coverage)
    assert said(table) == [[(1, "first"), (3, "stayed")]]
    assert said(visits(("d2", "A", at(0)), coverage=coverage)) == []


def test_the_whole_row_moves_by_a_little_and_each_vessel_keeps_its_name():
    """Each is nearly as far from its own old place as from its neighbour's; together the order is clear."""
    row = [("d1", "A", at(40.0 * i, length_m=50.0)) for i in range(5)]
    moved = [("d2", "A", at(40.0 * i + 18.0, length_m=50.0)) for i in range(5)]
    table = visits(*row, *moved)
    pairs = table[table["status"] == "stayed"]
    assert pairs["visit"].tolist() == [f"d1/{i}" for i in range(5)]
    assert pairs["vessel"].tolist() == [f"d2/{i + 5}" for i in range(5)]


def test_vessels_at_no_pier_and_no_vessels_give_no_visits():
    assert len(visits(("d1", None))) == 0
    assert len(visits()) == 0


ROWS = st.lists(
    st.tuples(
        st.sampled_from(DAYS),
        st.integers(0, 20),
        st.floats(20, 200),
        st.sampled_from([0.2, 0.4, 0.7, 1.0]),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda row: row[:2],
)


def rows_of(places):
    return [
        (day, "A", at(40.0 * i, length_m=size, confidence=chance, n_vessels=int(is_counted), vessel=f"{day}/{i}"))
        for day, i, size, chance, is_counted in places
    ]


@settings(max_examples=8, deadline=None)
@given(places=ROWS, data=st.data())
def test_books_balance_and_neither_the_order_of_rows_nor_a_blind_pass_changes_them(places, data):
    """Whoever is there on a day was there or arrived; whoever was there and is not any more has left."""
    rows = rows_of(places)
    table, sums = visits(*rows), traffic(*rows)
    shown = table[~table["status"].isin(["missed", "left"])]
    assert shown["vessel"].is_unique
    counted = {f"{day}/{i}" for day, i, _, _, is_counted in places if is_counted}
    assert counted <= set(shown["vessel"]) <= {f"{day}/{i}" for day, i, *_ in places}
    assert not table.duplicated(["visit", "time"]).any()
    assert table["probability"].between(0, 1).all()
    there = {i: table[(table["time"].dt.day == i) & (table["status"] != "left")] for i in (1, 2, 3)}
    for day in (2, 3):
        moves = table.loc[table["time"].dt.day == day, "status"].value_counts()
        assert len(there[day]) - len(there[day - 1]) == moves.get("arrived", 0) - moves.get("left", 0)
    for _, one in sums.groupby("pier"):
        assert np.allclose(one["present"].diff().iloc[1:], (one["arrived"] - one["left"]).iloc[1:], atol=1e-4)
        assert np.allclose(one["present"], one["stayed"] + one["arrived"], atol=1e-4)
        assert (one.select_dtypes("number") >= 0).all(axis=None)
    shuffled = data.draw(st.permutations(rows))
    scenes = make_scenes(*[(day, f"2024-12-0{i}") for i, day in enumerate(DAYS, 1)], ("blind", "2024-12-02T12:00"))
    coverage = make_coverage(*[(day, pier, 1.0) for day in DAYS for pier in "AB"], ("blind", "A", 0.5))
    assert_alike(visits(*shuffled, scenes=scenes, coverage=coverage), table)
    assert_alike(traffic(*shuffled, scenes=scenes, coverage=coverage), sums)


def assert_alike(one, other):
    one, other = (pd.DataFrame(table.drop(columns="geometry")) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-6)


def test_a_vessel_that_one_pass_missed_stayed_and_its_row_says_so():
    table = visits(("d1", "A", at(0)), ("d3", "A", at(3)))
    assert said(table) == [[(1, "first"), (2, "missed"), (3, "stayed")]]
    missed = table[table["status"] == "missed"].iloc[0]
    assert missed[["vessel"]].isna().all()
    assert missed["probability"] == pytest.approx(table["probability"].iloc[-1], abs=0.05)


def test_what_happened_lies_after_the_last_pass_that_saw_the_pier():
    coverage = make_coverage(("d1", "A", 1.0), ("d2", "A", 0.0), ("d3", "A", 1.0))
    table = visits(("d1", "A", at(0)), ("d3", "A", at(300)), coverage=coverage)
    moves = table[table["status"].isin(["arrived", "left"])]
    assert moves["from_time"].dt.day.tolist() == [1, 1]
    assert moves["time"].dt.day.tolist() == [3, 3]
    assert table.loc[table["status"] == "first", "from_time"].isna().all()


def test_one_that_fits_worse_is_less_sure_to_have_stayed():
    chances = [visits(("d1", "A", at(0)), ("d2", "A", at(apart)))["probability"].iloc[1] for apart in (0, 20, 30)]
    assert chances[0] > chances[1] > chances[2]


def test_the_same_orbit_knows_a_vessel_again_that_another_shows_elsewhere():
    """Superstructures lean to the radar: from one side a vessel shows 25 m further on than from the other."""
    scenes = make_scenes(*[(day, f"2024-12-0{i}", {"relative_orbit": 87 + i % 2}) for i, day in enumerate(DAYS, 1)])
    places = (("d1", "A", at(0, length_m=90.0)), ("d2", "A", at(25, length_m=115.0)), ("d3", "A", at(0, length_m=90.0)))
    leaning = visits(*places, scenes=scenes)
    drifting = visits(*places[:2], ("d3", "A", at(50, length_m=140.0)), scenes=scenes)
    assert leaning["status"].tolist() == ["first", "stayed", "stayed"]
    assert leaning["probability"].iloc[1] > drifting["probability"].iloc[1] + 0.1


def test_numbers_of_ais_part_a_visit_also_across_a_pass_on_which_it_is_silent():
    rows = [("d1", "A", at(0)), ("d2", "A", at(2)), ("d3", "A", at(1))]
    assert said(visits(*rows, mmsi={"d1/0": 211_000_001, "d3/2": 211_000_001})) == [
        [(1, "first"), (2, "stayed"), (3, "stayed")]
    ]
    parted = visits(*rows, mmsi={"d1/0": 211_000_001, "d3/2": 211_000_002})
    assert sorted(parted["status"]) == ["arrived", "first", "left", "stayed"]
    assert parted.groupby("visit")["mmsi"].nunique().max() == 1


@pytest.mark.parametrize("name", ["length_m", "length_error_m", "heading_deg", "confidence"])
def test_what_was_not_measured_leaves_the_others_with_numbers(name):
    rows = [("d1", "A", at(0, **{name: np.nan})), ("d2", "A", at(0)), ("d1", "A", at(900)), ("d2", "A", at(905))]
    table = visits(*rows)
    assert table.loc[table["visit"] == "d1/2", "status"].tolist() == ["first", "stayed", "left"]
    assert table["probability"].between(0, 1).all()
    assert traffic(*rows).select_dtypes("number").notna().all(axis=None)


def test_two_satellites_at_once_are_two_passes_of_which_each_shows_the_vessel():
    scenes = make_scenes(("d1", "2024-12-01"), ("d2", "2024-12-01", {"platform": "S1C"}), ("d3", "2024-12-03"))
    table = visits(("d1", "A", at(0)), ("d2", "A", at(4)), ("d3", "A", at(2)), scenes=scenes)
    assert table["status"].tolist() == ["first", "stayed", "stayed"]
    assert table["probability"].between(0.5, 1).all()


def test_links_are_the_same_whatever_the_pairs_compared_at_a_time(monkeypatch):
    rows = [(day, "A", at(60.0 * i + k, length_m=60.0 + i)) for k, day in enumerate(DAYS) for i in range(6)]
    whole = visits(*rows)
    monkeypatch.setattr("sarship.counts.links.PAIRS_AT_ONCE", 5)
    assert_alike(visits(*rows), whole)
    assert whole["visit"].nunique() == 6
