"""The assignment of vessels to piers."""

import numpy as np
import pandas as pd
import pytest
from builders.port_files import PIER, QUAY, at, feature, make_vessels, piers_of, square
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Point

from sarship.schema import VESSELS
from sarship.vessels.assign import assign_piers


def test_a_vessel_alongside_is_given_its_pier_and_distance(tmp_path):
    vessels = make_vessels((25, 200, 150, 0), (75, 200, 150, 0), (25, 600, 150, 90))
    assigned = VESSELS.check(assign_piers(vessels, piers_of(tmp_path, PIER)))
    assert assigned["pier"].fillna("-").tolist() == ["North quay", "-", "-"]
    assert assigned["distance_m"][0] == pytest.approx(25, abs=0.1)
    assert assigned["distance_m"].isna().tolist() == [False, True, True]
    assert vessels["pier"].isna().all(), "the table that was given is left alone"


def test_a_vessel_moored_with_its_stern_to_the_quay_counts(tmp_path):
    """Its centre is farther than max_distance_m, its stern is not."""
    assigned = assign_piers(make_vessels((80, 200, 140, 90)), piers_of(tmp_path, PIER))
    assert assigned["pier"][0] == "North quay"
    assert assigned["distance_m"][0] == pytest.approx(10, abs=0.1)


def test_inside_a_polygon_the_distance_is_zero(tmp_path):
    berth = feature("Berth", "pier", square(0, 0, 60), max_distance_m=0)
    assigned = assign_piers(make_vessels((10, 10, 40, 45), (200, 0, 40, 45)), piers_of(tmp_path, berth))
    assert assigned["pier"].fillna("-").tolist() == ["Berth", "-"]
    assert assigned["distance_m"][0] == 0


def test_a_bow_close_to_another_pier_does_not_take_the_vessel_away(tmp_path):
    """Alongside A at 30 m all along; the bow is 5 m from B, which stands across."""
    along = feature("A", "pier", LineString([at(0, 0), at(0, 200)]))
    across = feature("B", "pier", LineString([at(-50, 205), at(150, 205)]))
    assigned = assign_piers(make_vessels((30, 100, 200, 0)), piers_of(tmp_path, along, across))
    assert assigned["pier"][0] == "A"
    assert assigned["distance_m"][0] == pytest.approx(30, abs=0.1)


def test_a_wide_reach_does_not_take_vessels_from_a_nearer_pier(tmp_path):
    near = feature("Near", "pier", QUAY)
    wide = feature("Wide", "pier", LineString([at(250, 0), at(250, 400)]), max_distance_m=400)
    assigned = assign_piers(make_vessels((20, 200, 100, 0)), piers_of(tmp_path, wide, near))
    assert assigned["pier"][0] == "Near"


def test_a_pier_wins_over_the_anchorage_around_it(tmp_path):
    roads = feature("Roads", "anchorage", square(0, 200, 2000))
    vessels = make_vessels((45, 200, 100, 0), (500, 200, 100, 0), (2020, 200, 100, 90))
    assigned = assign_piers(vessels, piers_of(tmp_path, roads, PIER))
    assert assigned["pier"].fillna("-").tolist() == ["North quay", "Roads", "-"], "the third's centre is outside"
    assert assigned["distance_m"][1] == 0


def test_equally_near_piers_are_settled_by_name(tmp_path):
    twins = pd.concat([piers_of(tmp_path, feature(name, "pier", QUAY)) for name in ("b", "a")], ignore_index=True)
    assert assign_piers(make_vessels((20, 200, 100, 0)), twins)["pier"][0] == "a"


def test_no_vessels_and_no_reach(tmp_path):
    piers = piers_of(tmp_path, PIER)
    assert len(VESSELS.check(assign_piers(VESSELS.empty(), piers))) == 0
    far = make_vessels((20, 200, 100, 0), corner=(-144.14, -34.9))  # the other side of the earth
    assert assign_piers(far, piers)["pier"].isna().all()


PLACES = st.tuples(st.integers(-300, 300), st.integers(-100, 500), st.integers(10, 300), st.integers(0, 179))
HARBOUR = [
    feature("Quay", "pier", QUAY),
    feature("Mole", "pier", LineString([at(90, 0), at(90, 300)]), max_distance_m=80),
    feature("Jetty", "pier", square(-120, 100, 30)),
    feature("Buoy", "pier", Point(at(-60, 300))),
    feature("Roads", "anchorage", square(0, 0, 250)),
    feature("Outer roads", "anchorage", square(0, 0, 290), max_distance_m=50),
]


@pytest.fixture(scope="module")
def harbour(tmp_path_factory):
    return piers_of(tmp_path_factory.mktemp("harbour"), *HARBOUR)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(PLACES, min_size=1, max_size=8), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_vessels_and_piers_does_not_matter(harbour, rows, shuffle):
    vessels = make_vessels(*rows)
    plain = assign_piers(vessels, harbour).set_index("vessel")
    vessel_order, pier_order = list(range(len(vessels))), list(range(len(harbour)))
    shuffle.shuffle(vessel_order)
    shuffle.shuffle(pier_order)
    mixed = assign_piers(vessels.iloc[vessel_order], harbour.iloc[pier_order]).set_index("vessel").loc[plain.index]
    assert mixed["pier"].fillna("-").tolist() == plain["pier"].fillna("-").tolist()
    np.testing.assert_array_equal(mixed["distance_m"], plain["distance_m"])


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(PLACES, min_size=1, max_size=8))
def test_every_assigned_vessel_is_in_reach_and_every_other_is_not(harbour, rows):
    assigned = assign_piers(make_vessels(*rows), harbour)
    limits = harbour.set_index("name")["max_distance_m"]
    kinds = harbour.set_index("name")["kind"]
    for row in assigned[assigned["pier"].notna()].itertuples():
        assert row.distance_m <= limits[row.pier]
    alone = [assign_piers(make_vessels(*rows), harbour.iloc[[i]])["pier"].notna() for i in range(len(harbour))]
    assert (assigned["pier"].notna() == np.any(alone, axis=0)).all()
    at_some_pier = np.any([hit for hit, kind in zip(alone, kinds, strict=True) if kind == "pier"], axis=0)
    assert (assigned["pier"].map(kinds).eq("pier") == at_some_pier).all()
