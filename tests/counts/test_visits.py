"""Who stayed, arrived and left."""

import pytest
from builders.tables import PIERS, make_coverage, make_scenes, make_vessels
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from sarship.counts.visits import find_visits
from sarship.schema import VISITS

DAYS = ["d1", "d2", "d3"]
SCENES = make_scenes(*[(day, f"2024-12-0{i}") for i, day in enumerate(DAYS, 1)])
ALL_SEEN = make_coverage(*[(day, pier, 1.0) for day in DAYS for pier in "AB"])


def at(metres, **more):
    longitude, latitude, _ = Geod(ellps="WGS84").fwd(35.81, 34.91, 90.0, metres)
    return {"longitude": longitude, "latitude": latitude, **more}


def visits(*rows, coverage=ALL_SEEN):
    table = VISITS.check(find_visits(make_vessels(*rows), PIERS, SCENES, coverage))
    assert table["time"].is_monotonic_increasing
    return table


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
    table = visits(("d1", "A", at(0)), ("d2", "A", at(2, n_vessels=0, confidence=0.4)), ("d2", "A", at(25)))
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
    """Each is nearer to its neighbour's old place than some would like; together the order is clear."""
    row = [("d1", "A", at(60.0 * i, length_m=50.0)) for i in range(5)]
    moved = [("d2", "A", at(60.0 * i + 25.0, length_m=50.0)) for i in range(5)]
    table = visits(*row, *moved)
    pairs = table[table["status"] == "stayed"]
    assert pairs["visit"].tolist() == [f"d1/{i}" for i in range(5)]
    assert pairs["vessel"].tolist() == [f"d2/{i + 5}" for i in range(5)]


def test_vessels_at_no_pier_and_no_vessels_give_no_visits():
    assert len(visits(("d1", None))) == 0
    assert len(visits()) == 0


@settings(max_examples=50, deadline=None)
@given(
    places=st.lists(
        st.tuples(st.sampled_from(DAYS), st.integers(0, 20), st.floats(20, 200)),
        max_size=12,
        unique_by=lambda row: row[:2],
    )
)
def test_every_vessel_has_one_row_and_books_balance(places):
    """Whoever is there on a day was there or arrived; whoever was there and is not any more has left."""
    table = visits(*[(day, "A", at(40.0 * i, length_m=length)) for day, i, length in places])
    seen = table[table["status"] != "left"]
    assert sorted(seen["vessel"]) == sorted(f"{day}/{k}" for k, (day, _, _) in enumerate(places))
    number = {i: sum(day == name for day, _, _ in places) for i, name in enumerate(DAYS, 1)}
    for day in (2, 3):
        count = table[table["time"].dt.day == day]["status"].value_counts()
        assert count.get("stayed", 0) + count.get("arrived", 0) == number[day]
        assert count.get("stayed", 0) + count.get("left", 0) == number[day - 1]
    assert not table.duplicated(["visit", "time"]).any()
