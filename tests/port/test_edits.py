"""Edits of a port file: what was dragged moves by that much, and nothing else in the file changes."""

import json

import numpy as np
import pytest
import shapely
from builders.port_files import PIER, at, feature, square, write
from pyproj import Geod

from sarship.errors import PortError
from sarship.geo.local_plane import Plane
from sarship.port.edits import open_port_file
from sarship.port.port_file import read_port

LAND = feature("Land", "land", square(300, 200, 100), note={"by": "me"}, max=None)


def opened_of(tmp_path, *features, **members):
    return open_port_file(write(tmp_path, list(features), **members))


def sent(opened):
    """The features as a page sends them back, which JSON has been through."""
    return json.loads(json.dumps(opened.drawn(opened.grid)))


def after(opened, edits):
    return json.loads(opened.edited(edits, opened.grid))["features"]


def moved(edit, path=0, corner=0, east=0.0, north=0.0):
    point = edit["paths"][path]["points"][corner]
    point[0] += east
    point[1] += north


def test_what_nobody_edited_is_the_same_file(tmp_path):
    opened = opened_of(tmp_path, PIER, LAND, description="with 3 members", water_level_m=1.50)
    assert opened.edited(sent(opened), opened.grid) == opened.written
    assert opened.edited([one | {"paths": None} for one in sent(opened)], opened.grid) == opened.written


def test_a_corner_moves_by_what_it_was_dragged_and_the_others_keep_their_numbers(tmp_path):
    opened = opened_of(tmp_path, PIER, LAND)
    edits = sent(opened)
    moved(edits[0], corner=1, east=30, north=40)
    pier, land = after(opened, edits)
    assert land == json.loads(json.dumps(LAND))
    (first, second), (_, before) = pier["geometry"]["coordinates"], PIER["geometry"]["coordinates"]
    assert first == list(PIER["geometry"]["coordinates"][0])
    distance = Geod(ellps="WGS84").inv(*before, *second)[2]
    assert distance == pytest.approx(50, rel=1e-3)  # UTM's scale


def test_heights_foreign_members_and_many_parts_stay(tmp_path):
    lines = [[[*at(0, 0), 1.5], [*at(0, 300), 2]], [[*at(200, 0), 3], [*at(200, 300), 4]]]
    mole = feature("Mole", "pier", {"type": "MultiLineString", "coordinates": lines, "bbox": [0, 0, 1, 1], "epoch": 2})
    mole |= {"id": "m-1", "bbox": [0, 0, 1, 1]}
    mole["properties"] |= {"max_distance_m": 60.0, "osm": ["way", 7]}
    opened = opened_of(tmp_path, mole, bbox=[0, 0, 1, 1])
    edits = sent(opened)
    moved(edits[0], path=1, corner=0, east=-50)
    content = json.loads(opened.edited(edits, opened.grid))
    (new,) = content["features"]
    assert new["properties"] == mole["properties"]
    assert (new["id"], new["geometry"]["epoch"], "bbox" in new["geometry"]) == ("m-1", 2, False)
    assert new["geometry"]["coordinates"][0] == lines[0]
    assert [point[2] for point in new["geometry"]["coordinates"][1]] == [3, 4]
    west, south, east, north = shapely.geometry.shape(new["geometry"]).bounds
    assert new["bbox"] == content["bbox"] == pytest.approx([west, south, east, north])


def test_features_are_added_deleted_and_renamed(tmp_path):
    hole = shapely.Polygon(square(0, 600, 200).exterior, [square(0, 600, 30).exterior])
    basin = feature("Basin", "anchorage", hole, max_distance_m=10)
    opened = opened_of(tmp_path, PIER, basin, LAND)
    _, edit, land = sent(opened)
    assert len(edit["paths"]) == 2
    assert [len(path["points"]) for path in edit["paths"]] == [4, 4]  # not closed
    edit |= {"name": "Road", "max_distance_m": None}
    new = {"source": None, "name": "New", "kind": "land", "type": "Polygon", "max_distance_m": None}
    new["paths"] = [{"part": 0, "points": [[100, 100], [100, 200], [200, 200]]}]  # clockwise
    road, _, added = after(opened, [edit, land, new])
    assert road["properties"] == {"name": "Road", "kind": "anchorage"}
    assert road["geometry"] == json.loads(json.dumps(basin))["geometry"]
    assert added["properties"] == {"name": "New", "kind": "land"}
    assert shapely.LinearRing(added["geometry"]["coordinates"][0]).is_ccw
    assert LAND["properties"].items() >= {"note": {"by": "me"}, "max": None}.items()


@pytest.mark.parametrize("is_split", [False, True])
def test_a_port_on_the_antimeridian_is_one_place_and_is_split_in_the_file(tmp_path, is_split):
    corner = (179.9985, -16.5)
    points = [at(east, 0, corner) for east in (0, 100, 400)]
    quay = {"type": "LineString", "coordinates": points}
    road = square(160, 800, 200, corner)
    yard = {"type": "Polygon", "coordinates": [list(road.exterior.coords)]}
    if is_split:
        halves = [[points[0], points[1], (180, points[1][1])], [(-180, points[1][1]), points[2]]]
        quay = {"type": "MultiLineString", "coordinates": halves}
        west, east = shapely.box(179, -17, 180, -16), shapely.box(180, -17, 181, -16)
        whole = shapely.Polygon([(x % 360, y) for x, y in road.exterior.coords])
        parts = [list(whole.intersection(west).exterior.coords)]
        parts += [[(x - 360, y) for x, y in whole.intersection(east).exterior.coords]]
        yard = {"type": "MultiPolygon", "coordinates": [[part] for part in parts]}
    opened = opened_of(tmp_path, feature("Quay", "pier", quay), feature("Road", "anchorage", yard))
    edits = sent(opened)
    assert [len(one["paths"]) for one in edits] == [1, 1]
    assert all(np.ptp([x for x, _ in one["paths"][0]["points"]]) < 1000 for one in edits)
    assert opened.edited(edits, opened.grid) == opened.written
    moved(edits[0], corner=-1, east=100)
    far = max(range(len(edits[1]["paths"][0]["points"])), key=lambda k: edits[1]["paths"][0]["points"][k])
    moved(edits[1], corner=far, east=50)
    for new, length in zip(after(opened, edits), (500, None), strict=True):
        shape = shapely.geometry.shape(new["geometry"])
        assert len(shape.geoms) == 2
        assert (np.abs(shapely.get_coordinates(shape)[:, 0]) > 179.9).all()
        if length:
            assert Plane.around(shape).flatten_geometry(shape).length == pytest.approx(length, rel=2e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda edits: edits[0].update(name=""), "feature 1 has no name"),
        (lambda edits: edits[0].update(name="Land"), "are both called 'Land'"),
        (lambda edits: edits[0].update(name="=1"), "takes for a formula"),
        (lambda edits: edits[0].update(max_distance_m=-1), "'North quay'.* has max_distance_m -1"),
        (lambda edits: edits.pop(0), "nothing to count at"),
        (lambda edits: moved(edits[1], corner=0, east=250, north=150), "'Land'.*invalid geometry"),
        (lambda edits: edits[0]["paths"][0]["points"].pop(), "has 1 corners, and a LineString has 2 or more"),
        (lambda edits: moved(edits[0], east=1e9), "'North quay' .*(off the map|no place of a port)"),
        (lambda edits: edits[0]["paths"][0]["points"][0].__setitem__(0, None), "a page of this version did not send"),
        (lambda edits: edits[0].update(paths=[7]), "a page of this version did not send"),
        (lambda edits: edits[0].update(paths={}), "a page of this version did not send"),
        (lambda edits: edits[0].update(type="Circle", paths=[{"part": 0, "points": [[1, 2]]}]), "did not send"),
        (lambda edits: edits[0].update(source=7), "reload the page"),
        (lambda edits: edits[0].update(source=True), "reload the page"),
        (lambda edits: edits[0].update(source=1), "reload the page"),
        (lambda edits: edits.append("x"), "no list of features"),
        (lambda edits: edits[0].update(source=None, kind="quay"), "has the kind 'quay'"),
        (lambda edits: edits[0].update(source=None, paths=None), "did not send"),
    ],
)
def test_what_a_survey_would_refuse_is_refused_in_its_sentence(tmp_path, change, said):
    opened = opened_of(tmp_path, PIER, LAND)
    edits = sent(opened)
    change(edits)
    with pytest.raises(PortError, match=said):
        opened.edited(edits, opened.grid)


def test_a_file_that_is_refused_is_opened_to_be_put_right(tmp_path):
    twin = feature("Twin", "pier", PIER["geometry"])
    odd = [None, {"type": "Feature", "properties": [], "geometry": {"type": "Point", "coordinates": ["x"]}}]
    opened = opened_of(tmp_path, PIER, twin, *odd, LAND)
    assert "feature 3 is not a GeoJSON Feature" in opened.fault
    edits = sent(opened)
    assert [one["type"] for one in edits] == ["LineString", "LineString", None, None, "Polygon"]
    with pytest.raises(PortError, match="cannot be drawn"):
        opened.edited([*edits[:2], edits[2] | {"name": "X", "kind": "pier"}], opened.grid)
    with pytest.raises(PortError, match="lies on 'Twin'"):
        opened.edited([edits[0], edits[1], edits[4]], opened.grid)
    assert opened.edited([edits[0], edits[4]], opened.grid)
    (tmp_path / "port.geojson").write_bytes(opened.edited([edits[0], edits[4]], opened.grid))
    assert read_port(tmp_path / "port.geojson").piers["name"].tolist() == ["North quay"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "nothing that can be drawn"),
        ('{"type": "FeatureCollection", "features": [{"geometry": {"type": "Point", "coordinates": [5e5, 4e6]}}]}',
         "is not a GeoJSON Feature"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_said(tmp_path, content, said):
    path = tmp_path / "port.geojson"
    path.write_text(content)
    with pytest.raises(PortError, match=said):
        open_port_file(path)


def test_other_forms_and_ports_that_ship_are_sent_elsewhere(tmp_path):
    table = tmp_path / "port.gpkg"
    table.write_bytes(b"SQLite format 3\0")
    metres = {"type": "name", "properties": {"name": "EPSG:32636"}}
    for given, said in (
        (table, "is not GeoJSON"),
        ("tartus", "sarship port new writes"),
        (tmp_path, "is not a file"),
        (write(tmp_path, [PIER], crs=metres), "another coordinate system"),
    ):
        with pytest.raises(PortError, match=said):
            open_port_file(given)
    degrees = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert open_port_file(write(tmp_path, [PIER], crs=degrees)).fault == ""
