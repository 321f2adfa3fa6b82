"""Port files, good and bad."""

import math
import random
import re
import sys
import time

import pytest
import shapely
from builders.port_files import CORNER, GEOD, PIER, QUAY, at, feature, make_vessels, square, write
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, mapping

from sarship.errors import PortError
from sarship.port.port_file import read_port
from sarship.vessels.assign import assign_piers


def test_a_whole_port_is_read(tmp_path):
    features = [
        feature("Land", "land", square(-100, 0, 100)),
        PIER,
        feature("Basin", "water", square(0, 0, 3000)),
        feature("Roads", "anchorage", square(1000, 0, 300)),
        feature("Crane", "exclude", square(100, 0, 20)),
        feature(" Buoy ", "pier", Point(at(500, 500)), max_distance_m=70),
    ]
    port = read_port(write(tmp_path, features, name="Tartus"))
    assert port.name == "Tartus"
    assert port.piers["name"].tolist() == ["North quay", "Roads", "Buoy"]
    assert port.piers["kind"].tolist() == ["pier", "anchorage", "pier"]
    assert port.piers["max_distance_m"].tolist() == [50.0, 0.0, 70.0]
    assert port.piers.crs == "EPSG:4326"
    assert port.land_mask.area == pytest.approx(port.land.area + port.exclude.area)
    assert port.area.covers(port.water)
    assert port.area.covers(port.piers.union_all())


def test_without_masks_there_are_none_and_the_name_is_the_files(tmp_path):
    port = read_port(write(tmp_path, [PIER]))
    assert port.name == "port"
    assert (port.land, port.water, port.exclude, port.land_mask) == (None, None, None, None)
    assert port.area.equals(port.pier_waters()["North quay"])


def test_waters_are_within_the_distance_and_free_of_land(tmp_path):
    half_plane = Polygon([at(0, -900), at(0, 900), at(-900, 900), at(-900, -900)])
    port = read_port(write(tmp_path, [PIER, feature("Land", "land", half_plane)]))
    waters = port.pier_waters()["North quay"]
    area = abs(GEOD.geometry_area_perimeter(waters)[0])
    assert area == pytest.approx(400 * 50 + math.pi * 50**2 / 2, rel=0.01)
    assert waters.intersection(half_plane).area < 1e-12
    assert waters.covers(Point(at(45, 200)))
    assert not waters.covers(Point(at(55, 200)))


def test_waters_are_clipped_to_the_water_and_free_of_what_is_excluded(tmp_path):
    features = [PIER, feature("W", "water", square(0, 100, 100)), feature("X", "exclude", square(20, 100, 10))]
    waters = read_port(write(tmp_path, features)).pier_waters()["North quay"]
    assert waters.covers(Point(at(20, 50)))
    assert not waters.covers(Point(at(20, 100)))
    assert not waters.covers(Point(at(20, 300)))


@pytest.mark.parametrize("corner", [(179.9995, -16.5), (-179.9995, 65.0), (15.0, 78.2)])
def test_waters_keep_their_size_anywhere_on_earth(tmp_path, corner):
    quay = feature("Quay", "pier", LineString([at(-200, 0, corner), at(200, 0, corner)]))
    waters = read_port(write(tmp_path, [quay])).pier_waters()["Quay"]
    assert waters.is_valid
    assert all(part.bounds[2] - part.bounds[0] < 1 for part in shapely.get_parts(waters))
    assert abs(GEOD.geometry_area_perimeter(waters)[0]) == pytest.approx(400 * 100 + math.pi * 50**2, rel=0.01)


def test_an_anchorage_drawn_straight_across_the_antimeridian_is_split(tmp_path):
    corner = (180.0, -16.5)
    port = read_port(write(tmp_path, [feature("Roads", "anchorage", square(0, 0, 500, corner))]))
    roads = port.piers.geometry[0]
    assert isinstance(roads, MultiPolygon)
    assert abs(GEOD.geometry_area_perimeter(roads)[0]) == pytest.approx(1e6, rel=0.01)
    vessels = make_vessels((-300, 0, 80, 10), (300, 0, 80, 10), (900, 0, 80, 10), corner=corner)
    assert assign_piers(vessels, port.piers)["pier"].notna().tolist() == [True, True, False]


def test_a_mask_that_goes_half_around_the_world_at_a_stroke_is_refused(tmp_path):
    strokes = Polygon([(180, 90), (2e-14, 90), (-180, 90), (-7e-14, -90)])
    with pytest.raises(PortError, match="half around the world"):
        read_port(write(tmp_path, [feature("Quay", "pier", QUAY), feature("Mole", "exclude", strokes)]))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no devices among the files")
def test_a_device_is_no_port_file(tmp_path):
    (tmp_path / "port.geojson").symlink_to("/dev/zero")
    with pytest.raises(PortError, match="is not a file"):
        read_port(tmp_path / "port.geojson")


BOW_TIE = Polygon([at(0, 0), at(100, 100), at(100, 0), at(0, 100)])
PART = LineString([at(2, 100), at(2, 200)])
METRES = LineString([(258000.0, 3865000.0), (258400.0, 3865000.0)])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([feature(None, "pier", QUAY)], r"feature 1 has no name; give it a text property 'name' \(it has None\)"),
        ([PIER, feature("  ", "pier", QUAY)], "feature 2 has no name"),
        ([feature(7, "pier", QUAY)], r"feature 1 has no name.*it has 7"),
        ([PIER, PIER], "features 1 and 2 are both called 'North quay'"),
        ([PIER, feature("North quay ", "land", square(0, 0))], "features 1 and 2 are both called 'North quay'"),
        ([feature("Q", "berth", QUAY)], r"feature 1 \('Q'\) has the kind 'berth'; it must be one of pier, anchorage"),
        ([feature("Q", ["pier"], QUAY)], r"has the kind \['pier'\]"),
        ([{"type": "Feature", "properties": {"name": "Q"}, "geometry": mapping(QUAY)}], "has the kind None"),
        ([{"type": "Feature", "properties": None, "geometry": mapping(QUAY)}], "feature 1 has no name"),
        ([feature("Q", "pier", None)], r"feature 1 \('Q'\) has no geometry"),
        ([feature("Q", "pier", BOW_TIE)], r"feature 1 \('Q'\) has an invalid geometry: Self-intersection\[35\.86"),
        ([feature("Q", "pier", {"type": "LineString", "coordinates": []})], "has an empty geometry"),
        (
            [feature("Q", "pier", {"type": "LineString", "coordinates": [[1, 2]]})],
            "coordinates that make no LineString",
        ),
        ([feature("Q", "pier", {"type": "LineString", "coordinates": "here"})], "coordinates that make no LineString"),
        ([feature("Q", "pier", {"type": "Point"})], "coordinates that make no Point"),
        ([feature("Q", "pier", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]})], "'Q'"),
        ([feature("Q", "pier", Polygon([(0, 0), (1, 1), (2, 2)]))], "'Q'.*(invalid geometry|without any size)"),
        ([feature("Q", "pier", LineString([(1, 2), (1, 2)]))], "'Q'.*(invalid geometry|without any size)"),
        ([feature("Q", "pier", METRES)], r"a point at \(258000, 3\.865e\+06\), off the world; these look like metres"),
        (
            [feature("Q", "pier", Point(34.9, 135.8))],
            r"\(34\.9, 135\.8\), off the world; latitude and longitude seem swapped",
        ),
        ([feature("Q", "pier", Point(190.0, 10.0))], "off the world; longitude is within ±180"),
        (
            [feature("Q", "pier", {"type": "Point", "coordinates": [math.nan, 1.0]})],
            "'Q'.*every coordinate must be a number",
        ),
        (
            [feature("Q", "pier", {"type": "Point", "coordinates": [math.inf, 1.0]})],
            "'Q'.*every coordinate must be a number",
        ),
        ([feature("Q", "pier", {"type": "GeometryCollection", "geometries": []})], "is a 'GeometryCollection'"),
        ([feature("Q", "land", QUAY)], "is a 'LineString'; a feature of kind 'land' is one of Polygon, MultiPolygon"),
        ([feature("Q", "anchorage", Point(1, 2))], "is a 'Point'; a feature of kind 'anchorage'"),
        (
            [feature("L", "land", square(0, 0))],
            "no feature of kind 'pier' or 'anchorage', so there is nothing to count",
        ),
        ([], "no feature of kind 'pier' or 'anchorage'"),
        ([feature("Q", "pier", QUAY, max_distance_m=-5)], r"has max_distance_m -5; it is a number of metres from 0"),
        ([feature("Q", "pier", QUAY, max_distance_m="50 m")], "has max_distance_m '50 m'"),
        ([feature("Q", "pier", QUAY, max_distance_m=True)], "has max_distance_m True"),
        ([feature("Q", "pier", QUAY, max_distance_m=math.nan)], "has max_distance_m nan"),
        ([feature("Q", "pier", QUAY, max_distance_m=1e6)], r"has max_distance_m 1000000\.0"),
        ([feature("Q", "pier", QUAY, max_distance_m=0)], "has max_distance_m 0; only a polygon can have that"),
        ([PIER, feature("L", "land", square(0, 0), max_distance_m=9)], "only a pier or an anchorage takes; remove it"),
        ([PIER, feature("L", "land", square(0, 0, 3000))], "'North quay' has no water left around it"),
        ([PIER, feature("W", "water", square(9000, 0, 300))], "'North quay' has no water left around it"),
        ([PIER, feature("Berth 2", "pier", PART)], "'Berth 2' lies on 'North quay', so a vessel there could be"),
        ([feature("A", "pier", square(0, 0)), feature("B", "pier", square(20, 0))], "'A' lies on 'B'"),
        (["pier"], "feature 1 is not a GeoJSON Feature"),
        ([PIER, {"type": "Point", "coordinates": [1, 2]}], "feature 2 is not a GeoJSON Feature"),
    ],
)
def test_a_bad_feature_is_named_with_what_is_wrong(tmp_path, features, message):
    path = write(tmp_path, features)
    with pytest.raises(PortError, match=message) as caught:
        read_port(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ([], None),
        (["pier"], 1),
        ([PIER, feature(7, "pier", QUAY)], 2),
        ([feature(" Q ", "berth", QUAY)], "Q"),
        ([feature("Q", "pier", Point(190.0, 10.0))], "Q"),
        ([PIER, PIER], "North quay"),
        ([PIER, feature("Berth 2", "pier", PART)], "Berth 2"),
        ([PIER, feature("L", "land", square(0, 0, 3000))], "North quay"),
    ],
)
def test_an_error_carries_file_and_feature(tmp_path, features, found):
    path = write(tmp_path, features)
    with pytest.raises(PortError) as caught:
        read_port(path)
    assert (caught.value.path, caught.value.feature) == (str(path), found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"name,kind\nquay,pier\n", "is not JSON"),
        (b"\x89PNG\r\n\x1a\n\x00", "is not JSON"),
        (b"\xff\xfe{\x00}\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is a 'list', not a GeoJSON FeatureCollection"),
        (b"3", "is a 'int', not a GeoJSON FeatureCollection"),
        (b"{}", "is a None, not a GeoJSON FeatureCollection"),
        (b'{"type": "Feature"}', "is a 'Feature', not a GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection"}', "with a list of features"),
        (b'{"type": "FeatureCollection", "features": {}}', "with a list of features"),
    ],
)
def test_what_is_no_port_file_is_refused(tmp_path, content, message):
    path = tmp_path / "port.geojson"
    path.write_bytes(content)
    with pytest.raises(PortError, match=message):
        read_port(path)


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path):
    with pytest.raises(PortError, match=r"nowhere\.geojson does not exist; a port file is GeoJSON") as caught:
        read_port(tmp_path / "nowhere.geojson")
    assert (caught.value.path, caught.value.feature) == (str(tmp_path / "nowhere.geojson"), None)
    with pytest.raises(PortError, match="is not a file"):
        read_port(tmp_path)


def test_two_sides_of_a_pier_and_piers_that_meet_are_not_one(tmp_path):
    sides = [feature(str(x), "pier", LineString([at(x, 0), at(x, 400)])) for x in (0, 12)]
    meeting = feature("head", "pier", LineString([at(0, 400), at(80, 400)]))
    assert len(read_port(write(tmp_path, [*sides, meeting])).piers) == 3


@pytest.mark.parametrize("level_m", [183, -28.5, 0, 3812.0])
def test_a_water_level_is_that_of_the_file(tmp_path, level_m):
    port = read_port(write(tmp_path, [PIER], water_level_m=level_m))
    assert port.water_level_m == port.given_level_m == level_m
    assert port.lake is None


def test_without_a_water_level_it_is_that_of_the_lake_or_of_the_sea(tmp_path):
    assert read_port(write(tmp_path, [PIER])).water_level_m == 0
    on_lake = feature("Quay", "pier", Point(-92.09, 46.77))
    port = read_port(write(tmp_path, [on_lake]))
    assert (port.given_level_m, port.lake.name, port.water_level_m) == (None, "Lake Superior", 183.4)
    port = read_port(write(tmp_path, [on_lake], water_level_m=183))
    assert (port.lake, port.water_level_m) == (None, 183)


@pytest.mark.parametrize("value", ["183", "183 m", True, math.nan, math.inf, -500, 12_500, [183], {"m": 183}])
def test_a_water_level_that_is_none_is_refused(tmp_path, value):
    said = rf"has water_level_m {re.escape(repr(value))}; it is the height of the water over sea level, a number of met"
    with pytest.raises(PortError, match=said):
        read_port(write(tmp_path, [PIER], water_level_m=value))


def test_a_water_level_of_one_feature_is_refused(tmp_path):
    pier = feature("Quay", "pier", QUAY, water_level_m=183)
    with pytest.raises(
        PortError, match=r"feature 1 \('Quay'\) has a water_level_m, which is the whole port's: move it"
    ):
        read_port(write(tmp_path, [pier]))


def test_heights_and_a_byte_order_mark_are_harmless(tmp_path):
    path = write(tmp_path, [feature("Q", "pier", {"type": "Point", "coordinates": [*CORNER, 3.0]})])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert not read_port(path).piers.geometry[0].has_z


def test_a_knot_of_points_closer_than_rounding_is_refused_at_once(tmp_path):
    """A buffer of it, a nanometre wide and some metres from the middle of the plane, took half a minute."""
    chance, (lon, lat) = random.Random(0), (35.80367078005717, 34.89953385677189)
    turns = [2 * math.pi * k / 300 * chance.choice((1, 1, 2)) for k in range(300)]
    knot = LineString([(lon + 1e-12 * math.cos(turn), lat + 1e-12 * math.sin(turn)) for turn in turns])
    quay = LineString([(lon, lat), (lon, lat + 0.0016)])
    began = time.process_time()
    with pytest.raises(PortError, match=r"'Mole' lies on 'Quay'"):
        read_port(write(tmp_path, [feature("Quay", "pier", quay), feature("Mole", "pier", knot)]))
    assert time.process_time() - began < 4
