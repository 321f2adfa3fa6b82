"""Port files from the map: what the server says, what becomes of it, and what is said where there is nothing."""

import json

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from servers.overpass import node, serve_overpass, way

from sarship import read_port
from sarship.cli import main
from sarship.errors import DownloadError, PortError
from sarship.geo.local_plane import Plane
from sarship.port.index import only_port, port_area
from sarship.port.map_piers import port_of_map
from sarship.port.overpass import MapFeature, ask_overpass

LATAKIA = only_port("45010")
SQUARE = port_area(LATAKIA)
WEST, SOUTH, EAST, NORTH = SQUARE.bounds
PLANE = Plane.around(SQUARE)


def at(x, y):
    """Longitude and latitude of metres east and north of the port's position."""
    longitude, latitude = PLANE.transformer.transform(np.asarray(x, float), np.asarray(y, float), direction="INVERSE")
    return list(zip(np.atleast_1d(longitude).tolist(), np.atleast_1d(latitude).tolist(), strict=True))


SHORE = at([0, 0, 0], [4000, 0, -4000])
"""Southwards along the meridian: the land, on its left, lies to the east."""
ISLAND = at([-2000, -1800, -1800, -2000, -2000], [-2000, -2000, -1800, -1800, -2000])
MOLE = at([20, -300, -300, 20, 20], [0, 0, 60, 60, 0])
"""An outline that reaches from the land 300 m into the water."""
JETTY = at([5, -200], [500, 500])
BOATS = at([0, -30], [900, 900])


def elements():
    return [
        way(1, SHORE, natural="coastline"),
        way(2, ISLAND, natural="coastline"),
        way(3, MOLE, man_made="pier", name="Mole 2"),
        way(4, JETTY, man_made="pier"),
        way(5, BOATS, man_made="pier"),
        way(6, at([-100, -250], [1200, 1200]), man_made="pier", floating="yes"),
        way(7, at([20, -300], [0, 0]), man_made="quay"),
        way(8, at([-600, -600], [-500, 500]), man_made="breakwater", name="=cmd|'/c calc'!A1"),
        node(9, *at(-1000, 0)[0], seamark__type="berth", seamark__name="Buoy 1"),
        node(10, *at(-310, 30)[0], seamark__type="berth"),
        way(11, at([-2500, -2000, -2000, -2500], [0, 0, 500, 0]), seamark__type="anchorage"),
        node(12, *at(-1500, 1500)[0], seamark__type="anchor_berth", seamark__anchor_berth__radius="250"),
        node(13, *at(-1500, -1500)[0], seamark__type="anchor_berth"),
    ]


@pytest.fixture
def server():
    with serve_overpass(elements()) as overpass:
        yield overpass


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def made(server, tmp_path, *options):
    path = tmp_path / "port.geojson"
    outcome = run("port", "new", "45010", "--out", path, "--overpass", server.url, *options)
    assert outcome.exit_code == 0, outcome.output
    return outcome, read_port(path)


def test_piers_land_and_anchorages_come_from_the_map(server, tmp_path):
    outcome, port = made(server, tmp_path)
    assert "OpenStreetMap" in outcome.stdout
    assert port.attribution == "© OpenStreetMap contributors, ODbL 1.0"
    kinds = port.piers["kind"].tolist()
    names = port.piers["name"].tolist()
    assert sorted(names) == ["Anchorage 1", "Anchorage 2", "Buoy 1", "Mole 2", "Pier 1", "Pier 2", "Quay"]
    assert kinds.count("anchorage") == 2
    assert server.n_requests == 1
    assert set(server.boxes) == {(SOUTH, WEST, NORTH, EAST)}
    shapes = dict(zip(names, map(PLANE.flatten_geometry, port.piers.geometry), strict=True))
    mole = shapes["Mole 2"]  # the side that the quay does not have, and the head, from the water's edge on
    assert mole.length == pytest.approx(300 + 60, abs=15)
    assert mole.bounds == pytest.approx((-300, 6, -5, 60), abs=2)
    assert shapes["Quay"].bounds == pytest.approx((-300, 0, 5, 0), abs=2)
    land = PLANE.flatten_geometry(port.land)
    expected = {(5, 1000): True, (-12, 2000): True, (-25, 2000): False, (-1900, -1900): True, (-150, 30): True}
    expected |= {(-150, 90): False, (-100, 500): False, (-600, 0): False}
    assert {place: land.contains(shapely.Point(place)) for place in expected} == expected


@pytest.mark.parametrize(
    "shore",
    [
        [way(1, SHORE, natural="coastline"), way(2, SHORE[::-1], natural="coastline")],
        [way(1, at([0, 0], [4000, 200]), natural="coastline"), way(2, at([0, 0], [-4000, -200]), natural="coastline")],
        [],
    ],
    ids=["both ways", "with a gap", "none"],
)
def test_a_shore_that_cannot_be_right_makes_no_land(shore):
    with serve_overpass([*shore, way(3, MOLE, man_made="pier")]) as server:
        file = port_of_map(LATAKIA, ask_overpass(SQUARE, server.url))
    land = [shapely.geometry.shape(each["geometry"]) for each in file["features"] if "name" not in each["properties"]]
    assert PLANE.flatten_geometry(shapely.union_all(land)).area == pytest.approx(350 * 90, rel=0.05)  # the mole alone


def test_no_pier_is_on_the_map(tmp_path):
    with serve_overpass([way(1, SHORE, natural="coastline")]) as server:
        outcome, port = made(server, tmp_path)
    assert "the map has no pier, quay or berth within 3 km of Al Ladhiqiyah" in outcome.stderr
    assert port.piers["name"].str.startswith("EDIT ME").any()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((406, "text/html", b"<html>"), "answered 406"),
        ((400, "text/html", b"<html>"), "answered 400"),
        ((403, "text/html", b"<html>"), "answered 403"),
        ((200, "text/html", b"<html>log in</html>"), "a web page instead of a map"),
        ((200, "application/json", b'{"elements": [{"type": "way", "id": 1, "ta'), "is no map, or was cut off"),
        ((200, "application/json", b"[]"), "is no map"),
        ((200, "application/json", b'{"elements": 3}'), "has no list of elements"),
        ((200, "application/json", b'{"elements": [], "remark": "runtime error: Query timed out"}'), "Query timed out"),
    ],
)
def test_answers_that_are_no_map_end_in_a_template_and_its_reason(server, tmp_path, fault, said):
    server.faults.append(fault)
    outcome, port = made(server, tmp_path)
    assert said in outcome.stderr
    assert "the file is a template" in outcome.stderr
    assert server.n_requests == 1
    assert port.piers["name"].str.startswith("EDIT ME").any()


@pytest.mark.parametrize("status", [429, 504])
def test_a_busy_server_is_left_alone_for_a_while(server, tmp_path, monkeypatch, status):
    monkeypatch.setattr("sarship.port.overpass.REST_S", 0.01)
    server.faults += [(status, "text/html", b"<html>")] * 2
    outcome, port = made(server, tmp_path)
    assert outcome.stderr.count(f"is busy ({status})") == 2
    assert "Mole 2" in port.piers["name"].tolist()
    server.faults += [(status, "text/html", b"<html>")] * 3
    with pytest.raises(DownloadError, match=f"answered {status}"):
        ask_overpass(SQUARE, server.url)
    assert server.n_requests == 6


def test_a_server_that_is_not_there_is_not_waited_for(tmp_path):
    outcome = run("port", "new", "45010", "--out", tmp_path / "p.geojson", "--overpass", "http://127.0.0.1:9/")
    assert outcome.exit_code == 0
    assert "cannot be reached" in outcome.stderr


def test_elements_of_any_form_do_no_harm():
    strange = [
        None,
        3,
        {},
        {"type": "way"},
        {"type": "way", "geometry": [{"lat": 1}]},
        {"type": "way", "geometry": [{"lat": 91, "lon": 0}, {"lat": 0, "lon": 0}], "tags": {"man_made": "pier"}},
        {"type": "way", "geometry": [{"lat": "nan", "lon": 0}, {"lat": 0, "lon": 0}]},
        {"type": "node", "lat": None, "lon": 0},
        {"type": "relation", "members": [{"role": "outer"}]},
        {"type": "way", "tags": [], "geometry": [{"lat": 0, "lon": 0}]},
    ]
    ring = [{"lat": y, "lon": x} for x, y in MOLE]
    halves = [{"type": "way", "role": "outer", "geometry": ring[:3]}, {"type": "way", "geometry": ring[2:], "role": ""}]
    whole = {"type": "relation", "members": halves, "tags": {"man_made": "pier", "name": "Mole"}}
    with serve_overpass([*strange, whole]) as server:
        (mole,) = ask_overpass(SQUARE, server.url)
    assert mole.geometry.geom_type == "Polygon"
    with pytest.raises(PortError, match="no pier"):
        port_of_map(LATAKIA, [])


def test_across_the_antimeridian_each_side_is_asked_for():
    suva = shapely.box(179.9, -17.0, 180.0, -16.9).union(shapely.box(-180.0, -17.0, -179.9, -16.9))
    with serve_overpass([]) as server:
        assert ask_overpass(suva, server.url) == []
        assert {box[1] for box in server.boxes} == {179.9, -180.0}


def test_the_piers_that_ship_come_back_as_they_are(tmp_path):
    """Outlines and quays of a whole port: all its lines, less what lies ashore, within a few metres."""
    shipped = read_port("tartus")
    lines = [
        MapFeature({"man_made": "quay", "name": row.name}, row.geometry)
        for row in shipped.piers.itertuples(index=False)
    ]
    file = port_of_map(only_port("Tartus"), lines)
    path = tmp_path / "again.geojson"
    path.write_text(json.dumps(file), "utf-8")
    again = read_port(path)
    plane = Plane.around(shipped.area)
    before, after = (plane.flatten_geometry(port.piers.union_all()) for port in (shipped, again))
    assert after.hausdorff_distance(before) < 60  # corners where two quays meet are the first's alone
    assert after.length == pytest.approx(before.length, rel=0.1)
