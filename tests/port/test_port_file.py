"""Port files, good and bad, and the assignment of vessels to piers."""

import json
import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from builders.tables import BLANK
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box, mapping

from sarship.errors import PortError
from sarship.port.piers import assign_piers, read_polygons, read_port
from sarship.schema import VESSELS

GEOD = Geod(ellps="WGS84")
CORNER = (35.86, 34.90)


def at(east, north, corner=CORNER):
    """Longitude and latitude of a place in metres from a corner."""
    azimuth = math.degrees(math.atan2(east, north))
    return GEOD.fwd(*corner, azimuth, math.hypot(east, north))[:2]


def feature(name, kind, geometry, **properties):
    geometry = mapping(geometry) if hasattr(geometry, "geom_type") else geometry
    return {"type": "Feature", "properties": {"name": name, "kind": kind, **properties}, "geometry": geometry}


QUAY = LineString([at(0, 0), at(0, 400)])
PIER = feature("North quay", "pier", QUAY)


def write(tmp_path, features, **members):
    path = tmp_path / "port.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def square(east, north, half=50.0, corner=CORNER):
    return Polygon([at(east + x * half, north + y * half, corner) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


def make_vessels(*rows, corner=CORNER):
    """Vessels from (east, north, length, heading)."""
    places = [at(east, north, corner) for east, north, *_ in rows]
    n = len(rows)
    columns = {column.name: [BLANK[column.dtype]] * n for column in VESSELS.columns}
    columns |= {
        "vessel": [f"scene/{i}" for i in range(n)],
        "scene": ["scene"] * n,
        "time": [pd.Timestamp("2024-12-01", tz="UTC")] * n,
        "longitude": [x for x, _ in places],
        "latitude": [y for _, y in places],
        "length_m": [row[2] for row in rows],
        "heading_deg": [row[3] for row in rows],
        "n_hits": [5] * n,
        "is_edge": [False] * n,
        "pier": [None] * n,
    }
    return VESSELS.make(columns, [Point(*place) for place in places])


def piers_of(tmp_path, *features):
    return read_port(write(tmp_path, list(features))).piers


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
    assert port.masked_land.area == pytest.approx(port.land.area + port.exclude.area)
    assert port.area.covers(port.water)
    assert port.area.covers(port.piers.union_all())


def test_without_masks_there_are_none_and_the_name_is_the_files(tmp_path):
    port = read_port(write(tmp_path, [PIER]))
    assert port.name == "port"
    assert (port.land, port.water, port.exclude, port.masked_land) == (None, None, None, None)
    assert port.area.equals(port.waters()["North quay"])


def test_waters_are_within_the_distance_and_free_of_land(tmp_path):
    half_plane = Polygon([at(0, -900), at(0, 900), at(-900, 900), at(-900, -900)])
    port = read_port(write(tmp_path, [PIER, feature("Land", "land", half_plane)]))
    waters = port.waters()["North quay"]
    area = abs(GEOD.geometry_area_perimeter(waters)[0])
    assert area == pytest.approx(400 * 50 + math.pi * 50**2 / 2, rel=0.01)
    assert waters.intersection(half_plane).area < 1e-12
    assert waters.covers(Point(at(45, 200)))
    assert not waters.covers(Point(at(55, 200)))


def test_waters_are_clipped_to_the_water_and_free_of_what_is_excluded(tmp_path):
    features = [PIER, feature("W", "water", square(0, 100, 100)), feature("X", "exclude", square(20, 100, 10))]
    waters = read_port(write(tmp_path, features)).waters()["North quay"]
    assert waters.covers(Point(at(20, 50)))
    assert not waters.covers(Point(at(20, 100)))
    assert not waters.covers(Point(at(20, 300)))


@pytest.mark.parametrize("corner", [(179.9995, -16.5), (-179.9995, 65.0), (15.0, 78.2)])
def test_waters_keep_their_size_anywhere_on_earth(tmp_path, corner):
    quay = feature("Quay", "pier", LineString([at(-200, 0, corner), at(200, 0, corner)]))
    waters = read_port(write(tmp_path, [quay])).waters()["Quay"]
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
    with pytest.raises(PortError, match=r"nowhere\.geojson does not exist; a port file is GeoJSON"):
        read_port(tmp_path / "nowhere.geojson")
    with pytest.raises(PortError, match="is not a file"):
        read_port(tmp_path)


def test_another_coordinate_system_is_refused_and_wgs84_by_its_old_name_is_not(tmp_path):
    def crs(name):
        return {"type": "name", "properties": {"name": name}}

    with pytest.raises(PortError, match=r"declares the coordinate system 'urn:ogc:def:crs:EPSG::32636'.*reproject"):
        read_port(write(tmp_path, [PIER], crs=crs("urn:ogc:def:crs:EPSG::32636")))
    with pytest.raises(PortError, match="declares the coordinate system"):
        read_port(write(tmp_path, [PIER], crs="here"))
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326"):
        assert len(read_port(write(tmp_path, [PIER], crs=crs(name))).piers) == 1


def test_two_sides_of_a_pier_and_piers_that_meet_are_not_one(tmp_path):
    sides = [feature(str(x), "pier", LineString([at(x, 0), at(x, 400)])) for x in (0, 12)]
    meeting = feature("head", "pier", LineString([at(0, 400), at(80, 400)]))
    assert len(read_port(write(tmp_path, [*sides, meeting])).piers) == 3


def test_heights_and_a_byte_order_mark_are_harmless(tmp_path):
    path = write(tmp_path, [feature("Q", "pier", {"type": "Point", "coordinates": [*CORNER, 3.0]})])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert not read_port(path).piers.geometry[0].has_z


@pytest.mark.parametrize("ending", ["geojson", "gpkg", "shp"])
def test_polygons_of_any_vector_file_come_back_in_degrees(tmp_path, ending):
    land = gpd.GeoDataFrame({"a": [1, 2]}, geometry=[square(0, 0), square(200, 0)], crs="EPSG:4326")
    frame = land if ending == "geojson" else land.to_crs("EPSG:32636")
    path = tmp_path / f"land.{ending}"
    frame.to_file(path)
    assert read_polygons(path).symmetric_difference(land.union_all()).area < 1e-11


def test_a_polygon_that_crosses_itself_is_repaired(tmp_path):
    path = tmp_path / "land.geojson"
    gpd.GeoDataFrame(geometry=[BOW_TIE], crs="EPSG:4326").to_file(path)
    land = read_polygons(path)
    assert land.is_valid
    assert land.area == pytest.approx(square(0, 0).area / 2, rel=0.01)


def test_land_as_wide_as_eurasia_is_left_as_it_is(tmp_path):
    path = tmp_path / "land.geojson"
    gpd.GeoDataFrame(geometry=[box(-10, 40, 180, 70)], crs="EPSG:4326").to_file(path)
    assert read_polygons(path).bounds == (-10, 40, 180, 70)


def test_polygon_files_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(PortError, match="does not exist"):
        read_polygons(tmp_path / "nowhere.shp")
    path = tmp_path / "land.geojson"
    path.write_text("not at all")
    with pytest.raises(PortError, match="cannot be read as a vector file"):
        read_polygons(path)
    gpd.GeoDataFrame(geometry=[QUAY], crs="EPSG:4326").to_file(path)
    with pytest.raises(PortError, match="holds LineString where polygons are needed; turn a coastline's lines"):
        read_polygons(path)
    gpd.GeoDataFrame(geometry=[box(2e5, 3e6, 3e5, 4e6)], crs="EPSG:4326").to_file(path)
    with pytest.raises(PortError, match=r"off the world; these look like metres"):
        read_polygons(path)
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(PortError, match=r"land\.geojson holds no"):
        read_polygons(path)
    bare = tmp_path / "bare.shp"
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame(geometry=[square(0, 0)]).to_file(bare)
    with pytest.raises(PortError, match="no coordinate reference system"):
        read_polygons(bare)


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
