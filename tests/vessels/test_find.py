"""Hits to vessels: grouping, measuring, and the table's contract."""

import numpy as np
import pytest
from builders.ship_images import hits_of, make_product, north_up, ship_image
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship.detection.grouping import group_hits
from sarship.detection.params import DetectionParams
from sarship.model import Hits
from sarship.schema import VESSELS
from sarship.vessels.find import find_vessels

ANY_LENGTH = DetectionParams(min_length_m=0)


def test_no_hits_give_the_empty_table():
    table = find_vessels(Hits.empty(("VV", "VH")), make_product(), DetectionParams())
    assert len(VESSELS.check(table)) == 0


def test_one_hit_is_a_vessel_of_one_pixel():
    power = np.zeros((5, 5))
    power[2, 3] = 9.0
    table = VESSELS.check(find_vessels(hits_of(power), make_product(), ANY_LENGTH))
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["line"], row["pixel"], row["n_hits"]) == (pytest.approx(2, abs=0.2), pytest.approx(3, abs=0.2), 1)
    assert row["length_m"] == 10.0
    assert 0 < row["width_m"] <= row["length_m"]
    assert 0 <= row["heading_deg"] < 180


@pytest.mark.parametrize(("gap", "n"), [(1, 1), (2, 1), (3, 2)])
def test_hits_link_by_distance_in_metres_not_by_touching(gap, n):
    power = np.zeros((3, 9))
    power[1, 1] = power[1, 1 + gap] = 9.0
    assert len(find_vessels(hits_of(power), make_product(), DetectionParams(link_m=25.0, min_length_m=0))) == n


def test_spacing_of_lines_and_pixels_may_differ():
    """40 m between lines is too far for a link of 25 m, 10 m between pixels is not."""
    power = np.zeros((6, 6))
    power[1:3, 1:3] = 9.0
    table = find_vessels(
        hits_of(power), make_product(spacing=(40.0, 10.0)), DetectionParams(link_m=25.0, min_length_m=0)
    )
    assert len(table) == 2


@settings(max_examples=60, deadline=None)
@given(
    cells=st.sets(st.tuples(st.integers(0, 14), st.integers(0, 14)), min_size=1, max_size=40),
    link=st.sampled_from([0.0, 9.0, 10.0, 14.2, 25.0, 47.0]),
    step=st.sampled_from([(10.0, 10.0), (8.0, 15.0)]),
)
def test_groups_are_those_of_the_plain_definition(cells, link, step):
    line, pixel = np.array(sorted(cells)).T
    found = group_hits(line, pixel, step, link)
    plain = np.arange(line.size)
    near = np.hypot(np.subtract.outer(line, line) * step[0], np.subtract.outer(pixel, pixel) * step[1]) <= link
    for _ in range(line.size):  # the least number reaches every member in as many steps as there are members
        plain = np.array([plain[row | (np.arange(line.size) == i)].min() for i, row in enumerate(near)])
    assert (found == np.unique(plain, return_inverse=True)[1]).all()


def test_a_million_dense_hits_are_grouped_in_seconds():
    line, pixel = (axis.ravel() for axis in np.indices((1000, 1000)))
    assert group_hits(line, pixel, (10.0, 10.0), 25.0).max() == 0


@pytest.mark.parametrize("heading", [0.0, 30.0, 75.0, 90.0, 135.0, 170.0])
@pytest.mark.parametrize("length", [60.0, 150.0, 250.0])
def test_length_heading_and_place_of_a_ship(length, heading):
    """A row of equal scatterers is no real ship, so more than one sigma is granted."""
    table = find_vessels(hits_of(ship_image(length, heading, strength=300.0)), north_up(), ANY_LENGTH)
    assert len(table) == 1
    row = table.iloc[0]
    assert abs(row["length_m"] - length) < 2 * row["length_error_m"]
    assert (row["heading_deg"] - heading + 90) % 180 - 90 == pytest.approx(0, abs=4.0)
    assert (row["line"], row["pixel"]) == (pytest.approx(60, abs=0.5), pytest.approx(60, abs=0.5))
    assert 0 <= row["heading_deg"] < 180
    longitude, latitude = north_up().geometry.to_map(row["line"], row["pixel"])
    assert (row["longitude"], row["latitude"]) == (pytest.approx(float(longitude)), pytest.approx(float(latitude)))
    assert (row.geometry.x, row.geometry.y) == (row["longitude"], row["latitude"])


def test_heading_is_on_the_ground_not_in_the_image():
    """A ship along the lines' direction points where the satellite flies."""
    image = ship_image(200, 0)
    assert find_vessels(hits_of(image), make_product(heading=193.0), ANY_LENGTH)["heading_deg"][0] == pytest.approx(
        13.0, abs=1
    )


@pytest.mark.parametrize("strength", [100.0, 1000.0, 1e4])
def test_the_length_is_nearer_than_the_box_of_hits_at_any_brightness(strength):
    hits = hits_of(ship_image(120, 90, strength=strength))
    length = find_vessels(hits, north_up(), ANY_LENGTH)["length_m"][0]
    assert abs(length - 120) < 0.7 * abs(10.0 * np.ptp(hits.pixel) + 10.0 - 120)


def test_a_bridge_far_brighter_than_the_hull_does_not_swallow_it():
    """A cut at a fixed 13 dB under the peak would leave the bridge alone."""
    image = ship_image(200, 90, strength=100.0)
    image += ship_image(1, 90, strength=20_000.0, centre=(60, 52)) - 1
    hull = image[60, 66]
    assert hull < image.max() / 20
    table = find_vessels(hits_of(image), north_up(), ANY_LENGTH)
    assert 130 < table["length_m"][0] < 220
    assert table["pixel"][0] == pytest.approx(60, abs=4)


def test_a_weak_blot_linked_to_a_bright_ship_does_not_make_it_longer():
    image = ship_image(100, 90)
    alone = find_vessels(hits_of(image), north_up(), ANY_LENGTH)["length_m"][0]
    image[60, 68:84] = np.maximum(image[60, 68:84], 8.0)
    table = find_vessels(hits_of(image), north_up(), ANY_LENGTH)
    assert len(table) == 1
    assert table["length_m"][0] == pytest.approx(alone, abs=1e-6)


def test_size_follows_the_spacing():
    image = ship_image(600, 90, spacing=(40.0, 40.0))
    table = find_vessels(hits_of(image), north_up(spacing=(40.0, 40.0)), DetectionParams(link_m=90.0, min_length_m=0))
    assert table["length_m"][0] == pytest.approx(600, abs=80)


def test_width_is_less_than_length_and_grows_with_the_ship():
    narrow = ship_image(200, 90)
    wide = sum(ship_image(200, 90, centre=(row, 60)) for row in (58, 60, 62))
    widths = [find_vessels(hits_of(image), north_up(), ANY_LENGTH)["width_m"][0] for image in (narrow, wide)]
    assert widths[0] < widths[1] < 200


def test_what_is_not_known_of_a_dot_is_said():
    """Three hits show no direction; a long ship does."""
    power = np.zeros((20, 20))
    power[10, 10:13] = 9.0
    dot = find_vessels(hits_of(power), north_up(), ANY_LENGTH).iloc[0]
    ship = find_vessels(hits_of(ship_image(250, 30)), north_up(), ANY_LENGTH).iloc[0]
    assert dot["heading_error_deg"] > 20
    assert 0 < ship["heading_error_deg"] < 6
    assert 0 < ship["length_error_m"] < 0.15 * 250
    assert 0 < ship["width_error_m"] < ship["width_m"]


@pytest.mark.parametrize("heading", [0.0, 20.0, 65.0, 90.0])
def test_a_tail_of_sidelobes_turns_and_lengthens_little(heading):
    """A row of hits along the lines' direction, one pixel wide and 20 dB under the peak, belongs to no hull."""
    image = ship_image(120, heading)
    alone = find_vessels(hits_of(image), north_up(), ANY_LENGTH).iloc[0]
    image[45:76, 60] = np.maximum(image[45:76, 60], image.max() / 100)
    tailed = find_vessels(hits_of(image), north_up(), ANY_LENGTH).iloc[0]
    assert (tailed["heading_deg"] - alone["heading_deg"] + 90) % 180 - 90 == pytest.approx(0, abs=6)
    assert tailed["length_m"] == pytest.approx(alone["length_m"], abs=25)


@pytest.mark.parametrize("polarization", ["HV", "VH"])
def test_cross_polarization_alone_is_enough(polarization):
    image = ship_image(150, 40)
    line, pixel = np.nonzero(image > 6)
    hits = hits_of(image, sigma0={polarization: (image[line, pixel] - 1) / 300})
    assert find_vessels(hits, north_up(), ANY_LENGTH)["length_m"][0] == pytest.approx(150, abs=30)


def test_a_quay_under_the_vessel_is_taken_out_of_its_brightness():
    """The level expected there is what the empty pier shows: a bright row of it is no part of the vessel."""
    ship = ship_image(100, 90) - 1
    quay = np.ones_like(ship)
    quay[60, :] = 50.0
    line, pixel = np.nonzero(ship + quay > 6 * quay)
    value, clutter = (ship + quay)[line, pixel], quay[line, pixel]
    hits = Hits(
        line=line,
        pixel=pixel,
        value=value,
        clutter=clutter,
        score=(value / clutter / 6).astype(np.float32),
        sigma0={"VV": value / 1000},
    )
    alone = find_vessels(hits_of(ship + 1, sigma0={"VV": (ship + 1)[ship + 1 > 6] / 1000}), north_up(), ANY_LENGTH)
    at_quay = find_vessels(hits, north_up(), ANY_LENGTH)
    assert at_quay["length_m"][0] == pytest.approx(alone["length_m"][0], abs=25)


def test_rows_are_numbered_in_order_of_line_and_pixel():
    power = np.zeros((50, 50))
    for line, pixel in ((40, 3), (10, 30), (10, 5)):
        power[line, pixel] = 9.0
    table = find_vessels(hits_of(power), make_product(), ANY_LENGTH)
    assert table["vessel"].tolist() == ["S1A_TEST/1", "S1A_TEST/2", "S1A_TEST/3"]
    assert table["line"].round().tolist() == [10, 10, 40]
    assert table["pixel"].round().tolist() == [5, 30, 3]
    assert table["time"].is_monotonic_increasing
    assert str(table["time"].dt.tz) == "UTC"


def test_brightness_score_and_edge_are_of_the_whole_group():
    power = np.zeros((20, 40))
    power[5, 5:8] = [10.0, 60.0, 20.0]
    power[15, 30] = 12.0
    n = 4
    hits = hits_of(
        power,
        sigma0={"HH": np.array([0.1, 0.5, 0.2, np.nan]), "HV": np.array([0.9, 0.0, 0.0, 0.3])},
        is_edge=np.array([False, False, True, False]),
    )
    assert len(hits) == n
    table = VESSELS.check(find_vessels(hits, make_product(), ANY_LENGTH))
    assert table["n_hits"].tolist() == [3, 1]
    assert table["score"].tolist() == [10.0, 2.0]
    np.testing.assert_array_equal(table["sigma0_co"], [0.5, np.nan])
    np.testing.assert_array_equal(table["sigma0_cross"], [0.9, 0.3])
    assert table["is_edge"].tolist() == [True, False]
    assert table["pier"].isna().all()
    assert table["distance_m"].isna().all()


def test_without_brightness_it_is_missing():
    power = np.zeros((5, 5))
    power[2, 2] = 9.0
    table = find_vessels(hits_of(power), make_product(), ANY_LENGTH)
    assert table[["sigma0_co", "sigma0_cross"]].isna().all(axis=None)
    assert not table["is_edge"][0]


def test_short_ones_are_dropped_before_they_are_numbered():
    image = ship_image(200, 90)
    image[5, 5] = 50.0
    table = find_vessels(hits_of(image), north_up(), DetectionParams(min_length_m=50.0))
    assert table["vessel"].tolist() == ["S1A_TEST/1"]
    assert table["length_m"][0] > 150
    assert len(VESSELS.check(find_vessels(hits_of(image), north_up(), DetectionParams(min_length_m=900.0)))) == 0


def test_a_perfectly_dark_ring_does_no_harm():
    """Noise-free input gives clutter 0; the score stands in for the contrast."""
    table = find_vessels(hits_of(ship_image(100, 90), clutter=0.0), north_up(), ANY_LENGTH)
    assert table["length_m"][0] == pytest.approx(100, abs=30)
