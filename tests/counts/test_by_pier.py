"""Counts over time: passes, slices, twins, cut vessels, and missing against zero."""

import math

import numpy as np
import pytest
import xarray as xr
from builders.cf import complaints_of
from builders.tables import PIERS, make_coverage, make_scenes, make_vessels, part_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from sarship.counts.by_pier import count_by_pier
from sarship.netcdf import netcdf_bytes
from sarship.schema import COUNTS, COVERAGE, SCENES, VESSELS, WGS84

GEOD = Geod(ellps="WGS84")


def check(counts: xr.Dataset) -> xr.Dataset:
    """The contract of the counts."""
    for variable in COUNTS:
        variable.check(counts[variable.name])
        assert counts[variable.name].dtype == np.float64
    assert counts["time"].dtype == "datetime64[ns]"
    for name in ("scene", "platform", "relative_orbit", "orbit_pass"):
        assert counts[name].dims == ("time",)
    assert counts["kind"].dims == ("pier",)
    return counts


BOTH = [("S", "A", 1.0), ("S", "B", 1.0)]


def test_an_empty_pier_is_zero_and_one_outside_the_swath_is_missing():
    coverage = make_coverage(("S", "A", 1.0), ("S", "B", 0.0))
    counts = check(count_by_pier(VESSELS.empty(), PIERS, make_scenes(("S", "2024-12-01T03:43")), coverage))
    assert counts["n_vessels"].sel(pier="A").item() == 0
    assert np.isnan(counts["n_vessels"].sel(pier="B").item())
    assert counts["seen"].to_numpy().tolist() == [[1.0, 0.0]]
    assert np.isnan(counts["detectable_length_m"].sel(pier="B").item())
    assert counts["detectable_length_m"].sel(pier="A").item() == 40.0
    assert counts["kind"].to_numpy().tolist() == ["pier", "anchorage"]


def test_vessels_are_counted_at_their_pier_and_those_at_none_are_not():
    vessels = make_vessels(("S", "A"), ("S", "A"), ("S", "B"), ("S", None))
    counts = count_by_pier(vessels, PIERS, make_scenes(("S", "2024-12-01T03:43")), make_coverage(*BOTH))
    assert counts["n_vessels"].to_numpy().tolist() == [[2.0, 1.0]]


def test_no_scenes_give_no_times_and_every_variable():
    counts = check(count_by_pier(VESSELS.empty(), PIERS, SCENES.empty(), COVERAGE.empty()))
    assert dict(counts.sizes) == {"time": 0, "pier": 2}


def test_a_scene_that_saw_no_pier_keeps_its_row():
    counts = check(count_by_pier(VESSELS.empty(), PIERS, make_scenes(("S", "2024-12-01T03:43")), COVERAGE.empty()))
    assert counts.sizes["time"] == 1
    assert np.isnan(counts["n_vessels"]).all()
    assert (counts["seen"] == 0).all()


@pytest.mark.parametrize(
    ("seen", "min_seen", "n"), [(0.95, 0.95, 1), (0.94, 0.95, None), (0.5, 0.5, 1), (0.1, 0.0, 1), (0.0, 0.0, None)]
)
def test_what_was_seen_too_little_is_missing(seen, min_seen, n):
    counts = count_by_pier(
        make_vessels(("S", "A")),
        PIERS,
        make_scenes(("S", "2024-12-01")),
        make_coverage(("S", "A", seen)),
        min_seen=min_seen,
    )
    found = counts["n_vessels"].sel(pier="A").item()
    assert np.isnan(found) if n is None else found == n
    assert counts["seen"].sel(pier="A").item() == seen
    assert counts.attrs["min_seen"] == min_seen


def test_times_are_in_order_and_say_where_they_come_from():
    scenes = make_scenes(
        ("late", "2024-12-13T03:43:00.123456", {"platform": "S1C", "relative_orbit": 14, "orbit_pass": "ascending"}),
        ("early", "2024-12-01T03:43"),
    )
    coverage = make_coverage(("late", "A", 1.0), ("early", "A", 1.0))
    counts = check(count_by_pier(make_vessels(("late", "A")), PIERS, scenes, coverage))
    assert counts["scene"].to_numpy().tolist() == ["early", "late"]
    assert counts["platform"].to_numpy().tolist() == ["S1A", "S1C"]
    assert counts["relative_orbit"].to_numpy().tolist() == [87, 14]
    assert counts["orbit_pass"].to_numpy().tolist() == ["descending", "ascending"]
    assert counts["time"].to_numpy()[1] == np.datetime64("2024-12-13T03:43:00.123456000")
    assert counts["n_vessels"].sel(pier="A").to_numpy().tolist() == [0, 1]
    assert "UTC" in counts["time"].attrs["long_name"]


def test_counts_survive_a_netcdf_file_to_the_microsecond(tmp_path):
    scenes = make_scenes(("S", "2024-12-01T03:42:10.123457"), ("T", "2024-12-13T03:42:08.999999"))
    coverage = make_coverage(*BOTH, *(("T", *rest) for _, *rest in BOTH))
    counts = count_by_pier(make_vessels(("S", "A")), PIERS, scenes, coverage)
    path = tmp_path / "counts.nc"
    path.write_bytes(netcdf_bytes(counts, WGS84, title="vessels"))
    with xr.open_dataset(path) as back:
        np.testing.assert_array_equal(back["n_vessels"].transpose("time", "pier"), counts["n_vessels"])
        assert back["time"].to_numpy().tolist() == counts["time"].to_numpy().tolist()
        assert back["pier"].to_numpy().tolist() == ["A", "B"]
        assert back["longitude"].to_numpy() == pytest.approx([35.81, 35.91])
        assert back["latitude"].attrs["units"] == "degrees_north"
    with xr.open_dataset(path, decode_coords="all") as back:
        assert back["spatial_ref"].attrs["grid_mapping_name"] == "latitude_longitude"
        assert "spatial_ref" in back["n_vessels"].coords
    assert complaints_of(path) == []


SLICES = [("first", "2024-12-01T03:43:00"), ("second", "2024-12-01T03:43:25.001")]


def test_slices_of_one_pass_are_one_time_and_see_together():
    coverage = make_coverage(
        ("first", "A", 0.7, part_of("A", 0.7), 30.0, 34.0),
        ("second", "A", 0.5, part_of("A", 0.5, from_north=True), 60.0, 36.0),
        ("first", "B", 0.25),
        ("second", "B", 0.5),
    )
    vessels = make_vessels(("first", "A"), ("second", "A"))
    counts = check(count_by_pier(vessels, PIERS, make_scenes(*SLICES), coverage))
    assert counts.sizes["time"] == 1
    assert counts["scene"].item() == "first second"
    assert counts["time"].to_numpy()[0] == np.datetime64("2024-12-01T03:43:00")
    np.testing.assert_allclose(counts["seen"].to_numpy()[0], [1.0, 0.5], rtol=1e-9)
    assert counts["n_vessels"].sel(pier="A").item() == 2
    assert np.isnan(counts["n_vessels"].sel(pier="B").item()), "the smaller part lies within the larger"
    assert counts["detectable_length_m"].sel(pier="A").item() == 60.0, "a zero is as good as its worst part"
    assert counts["incidence_deg"].sel(pier="A").item() == pytest.approx((0.7 * 34 + 0.5 * 36) / 1.2)


def test_a_slice_that_saw_nothing_does_not_spoil_the_pass():
    coverage = make_coverage(("first", "A", 1.0), ("second", "A", 0.0))
    counts = count_by_pier(VESSELS.empty(), PIERS, make_scenes(*SLICES), coverage)
    assert counts["n_vessels"].sel(pier="A").item() == 0
    assert counts["detectable_length_m"].sel(pier="A").item() == 40.0


@pytest.mark.parametrize(
    ("other", "n"),
    [
        (("second", "2024-12-01T00:00:10"), 1),  # over midnight
        (("second", "2024-12-01T00:00:10", {"absolute_orbit": 56001}), 1),  # over the equator
        (("second", "2024-12-01T00:00:35"), 1),  # a slice between them is not there
        (("second", "2024-12-01T00:05:00"), 2),
        (("second", "2024-12-01T00:00:10", {"platform": "S1C"}), 2),
        (("second", "2024-12-12T23:59:45"), 2),
    ],
)
def test_what_makes_a_pass(other, n):
    scenes = make_scenes(other, ("first", "2024-11-30T23:59:45"))
    counts = check(count_by_pier(VESSELS.empty(), PIERS, scenes, COVERAGE.empty()))
    assert counts.sizes["time"] == n
    assert counts["scene"].to_numpy()[0] == ("first second" if n == 1 else "first")


def test_twins_of_one_acquisition_count_once_and_the_one_that_saw_most_is_taken():
    scenes = make_scenes(
        ("plain", "2024-12-01"), ("cog", "2024-12-01"), ("half", "2024-12-01", {"polarizations": "VV"})
    )
    vessels = make_vessels(*[(scene, "A", {"longitude": 35.81}) for scene in ("plain", "cog", "half")])
    whole = make_coverage(("plain", "A", 1.0), ("cog", "A", 1.0), ("half", "A", 1.0))
    counts = check(count_by_pier(vessels, PIERS, scenes, whole))
    assert (counts["n_vessels"].sel(pier="A").to_numpy().tolist(), counts["scene"].to_numpy().tolist()) == (
        [1],
        ["cog"],
    )
    torn = make_coverage(("plain", "A", 1.0), ("cog", "A", 0.2), ("half", "A", 1.0))
    assert count_by_pier(vessels, PIERS, scenes, torn)["scene"].to_numpy().tolist() == ["plain"]


def test_tables_that_were_joined_twice_count_once():
    vessels, scenes, coverage = make_vessels(("S", "A")), make_scenes(("S", "2024-12-01")), make_coverage(*BOTH)
    twice = [
        table.concat([frame, frame]) for table, frame in ((VESSELS, vessels), (SCENES, scenes), (COVERAGE, coverage))
    ]
    xr.testing.assert_identical(
        count_by_pier(twice[0], PIERS, twice[1], twice[2]), count_by_pier(vessels, PIERS, scenes, coverage)
    )


def moved(metres, heading=0.0):
    longitude, latitude, _ = GEOD.fwd(35.81, 34.91, heading, metres)
    return {"longitude": longitude, "latitude": latitude}


HERE = {"longitude": 35.81, "latitude": 34.91}


@pytest.mark.parametrize(
    ("one", "two", "n"),
    [
        (HERE | {"is_edge": True, "length_m": 80.0}, moved(90) | {"is_edge": True, "length_m": 60.0}, 1),  # two halves
        (HERE | {"length_m": 80.0}, moved(90) | {"length_m": 60.0}, 2),  # bow to stern, nothing cut
        (HERE | {"is_edge": True, "length_m": 80.0}, moved(300) | {"is_edge": True}, 2),  # both at an edge, far apart
        (HERE, moved(8), 1),  # whole in both of two overlapping slices
        (
            HERE | {"length_m": 200.0},
            moved(70) | {"is_edge": True, "length_m": 50.0},
            1,
        ),  # whole in one, cut in the other
        (HERE, moved(60, 90.0), 2),  # side by side
    ],
)
def test_a_vessel_in_two_slices_is_one(one, two, n):
    coverage = make_coverage(("first", "A", 1.0), ("second", "A", 1.0))
    for pair in ((("first", "A", one), ("second", "A", two)), (("second", "A", one), ("first", "A", two))):
        counts = count_by_pier(make_vessels(*pair), PIERS, make_scenes(*SLICES), coverage)
        assert counts["n_vessels"].sel(pier="A").item() == n
    same_slice = make_vessels(("first", "A", one), ("first", "A", two))
    assert count_by_pier(same_slice, PIERS, make_scenes(*SLICES), coverage)["n_vessels"].sel(pier="A").item() == 2


def test_the_longer_part_of_a_cut_vessel_says_which_pier():
    vessels = make_vessels(
        ("first", "B", HERE | {"is_edge": True, "length_m": 50.0}),
        ("second", "A", moved(90) | {"is_edge": True, "length_m": 110.0}),
    )
    coverage = make_coverage(*[(scene, pier, 1.0) for scene in ("first", "second") for pier in "AB"])
    counts = count_by_pier(vessels, PIERS, make_scenes(*SLICES), coverage)
    assert counts["n_vessels"].to_numpy().tolist() == [[1.0, 0.0]]


def test_a_row_of_vessels_at_a_masked_quay_keeps_its_number_where_slices_overlap():
    """All touch the land mask, 15 m from bow to stern: they are near, at an edge, in two slices, and not cut."""
    row = [moved(115.0 * i) | {"is_edge": True, "length_m": 100.0 + i} for i in range(5)]
    vessels = make_vessels(*[(scene, "A", place) for scene in ("first", "second") for place in row])
    coverage = make_coverage(("first", "A", 1.0), ("second", "A", 1.0))
    assert count_by_pier(vessels, PIERS, make_scenes(*SLICES), coverage)["n_vessels"].sel(pier="A").item() == 5


def test_what_does_not_fit_together_is_refused():
    scenes, coverage = make_scenes(("S", "2024-12-01")), make_coverage(*BOTH)
    with pytest.raises(ValueError, match="vessels name the scene 'T', which is not among the scenes given"):
        count_by_pier(make_vessels(("T", "A")), PIERS, scenes, coverage)
    with pytest.raises(ValueError, match="vessels name the pier 'Z', which is not among the piers given"):
        count_by_pier(make_vessels(("S", "Z")), PIERS, scenes, coverage)
    with pytest.raises(ValueError, match=r"min_seen is a fraction in \[0, 1\], got 95"):
        count_by_pier(VESSELS.empty(), PIERS, scenes, coverage, min_seen=95)
    with pytest.raises(ValueError, match="scenes lacks the column 'platform'"):
        count_by_pier(VESSELS.empty(), PIERS, scenes.drop(columns="platform"), coverage)


def test_coverage_of_a_pier_that_was_taken_out_of_the_port_file_is_passed_over():
    counts = count_by_pier(VESSELS.empty(), PIERS.iloc[:1], make_scenes(("S", "2024-12-01")), make_coverage(*BOTH))
    assert counts["n_vessels"].to_numpy().tolist() == [[0.0]]


@settings(max_examples=20, deadline=None)
@given(places=st.lists(st.sampled_from(["A", "B", None]), max_size=8), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(places, shuffle):
    days = ["d1", "d2", "d3"]
    scenes = make_scenes(*[(day, f"2024-12-0{i}") for i, day in enumerate(days, 1)])
    coverage = make_coverage(*[(day, pier, 1.0) for day in days for pier in "AB"])
    vessels = make_vessels(*[(days[i % 3], place) for i, place in enumerate(places)])
    plain = count_by_pier(vessels, PIERS, scenes, coverage)
    assert plain["n_vessels"].sum().item() == sum(place is not None for place in places)

    def shuffled(frame):
        order = list(range(len(frame)))
        shuffle.shuffle(order)
        return frame.iloc[order]

    xr.testing.assert_identical(count_by_pier(shuffled(vessels), PIERS, shuffled(scenes), shuffled(coverage)), plain)


def test_the_lengths_at_a_pier_add_up_and_are_missing_where_the_count_is():
    vessels = make_vessels(("S", "A", {"length_m": 120.0}), ("S", "A", {"length_m": 45.5}), ("S", None))
    coverage = make_coverage(("S", "A", 1.0), ("S", "B", 0.5))
    counts = check(count_by_pier(vessels, PIERS, make_scenes(("S", "2024-12-01")), coverage))
    np.testing.assert_array_equal(counts["total_length_m"].to_numpy(), [[165.5, math.nan]])


def test_bounds_add_up_and_hold_the_count():
    vessels = make_vessels(("S", "A"), ("S", "A", {"n_low": 0, "n_high": 1}), ("S", "A", {"n_high": 2}))
    counts = check(count_by_pier(vessels, PIERS, make_scenes(("S", "2024-12-01")), make_coverage(*BOTH)))
    assert counts["n_vessels"].to_numpy().tolist() == [[3, 0]]
    assert counts["n_low"].to_numpy().tolist() == [[2, 0]]
    assert counts["n_high"].to_numpy().tolist() == [[4, 0]]


def test_what_is_as_likely_a_piece_of_its_neighbour_is_left_to_the_bounds():
    end = {"n_vessels": 0, "n_low": 0, "confidence": 0.5, "length_m": 30.0}
    vessels = make_vessels(("S", "A", {"confidence": 0.9}), ("S", "A", end), ("S", "B", {"flag": "ambiguity"}))
    counts = check(count_by_pier(vessels, PIERS, make_scenes(("S", "2024-12-01")), make_coverage(*BOTH)))
    assert counts["n_vessels"].to_numpy().tolist() == [[1, 0]]
    assert counts["n_low"].to_numpy().tolist() == [[1, 0]]
    assert counts["n_high"].to_numpy().tolist() == [[2, 0]]
    assert counts["total_length_m"].to_numpy().tolist() == [[100, 0]]
