"""Port files of every form, and ports by name."""

import shutil

import geopandas as gpd
import pandas as pd
import pytest
from builders.port_files import PIER, QUAY, at, feature, square, write
from shapely.geometry import LineString, Point

from sarship.errors import PortError, ProductWarning
from sarship.port.port_features import find_port_file
from sarship.port.port_file import read_port

ROADS = square(900, 0, 300)
LAND = square(-400, 200, 300)
TABLE = {
    "name": ["North quay", "Roads", None],
    "kind": ["pier", "anchorage", "land"],
    "max_distance_m": [60, None, None],
}


def frame(table=TABLE, shapes=(QUAY, ROADS, LAND)):
    return gpd.GeoDataFrame(table, geometry=list(shapes), crs="EPSG:4326")


def check_port(port):
    """Hold a port against that of TABLE."""
    assert sorted(port.piers["name"]) == ["North quay", "Roads"]
    assert port.piers.set_index("name")["max_distance_m"].to_dict() == {"North quay": 60, "Roads": 0}
    assert port.land.symmetric_difference(LAND).area < 1e-12
    assert port.piers.set_index("name").geometry["North quay"].hausdorff_distance(QUAY) < 1e-7


@pytest.mark.parametrize("form", ["gpkg", "gpkg in metres", "fgb in metres", "kml", "gml", "shp.zip"])
def test_a_port_of_one_layer_is_read_whatever_its_form_and_coordinates(tmp_path, form):
    ending, _, metres = form.partition(" in ")
    path = tmp_path / f"port.{ending}"
    if ending == "shp.zip":
        (tmp_path / "shapes").mkdir()
        frame().iloc[:1].rename(columns={"max_distance_m": "max_distan"}).to_file(tmp_path / "shapes" / "port.shp")
        shutil.make_archive(str(tmp_path / "port.shp"), "zip", tmp_path / "shapes")
        assert read_port(path).piers["max_distance_m"].tolist() == [60]
        return
    frame().to_crs("EPSG:3857" if metres else "EPSG:4326").to_file(path, driver={"kml": "LIBKML"}.get(ending))
    check_port(read_port(path))


def test_the_layers_of_a_geopackage_are_the_kinds_and_others_are_passed_over(tmp_path):
    path = tmp_path / "port.gpkg"
    whole = frame().to_crs("EPSG:32636")
    for layer, kind in (("Piers", "pier"), ("anchorages", "anchorage"), ("land", "land")):
        whole[whole["kind"] == kind].drop(columns="kind").to_file(path, layer=layer)
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[Point(0, 0)], crs="EPSG:4326").to_file(path, layer="buoys of 2019")
    with pytest.warns(ProductWarning, match="passed over layers 'buoys of 2019': they have no column 'kind'"):
        check_port(read_port(path))


def test_a_shapefile_cuts_names_to_ten_letters_and_nothing_is_lost(tmp_path):
    piers = gpd.GeoDataFrame(
        {"NAME": ["North quay"], "KIND": ["pier"], "max_distan": [60], "water_leve": [183.5]}, geometry=[QUAY]
    )
    piers.set_crs("EPSG:4326").to_file(tmp_path / "port.shp")
    port = read_port(tmp_path / "port.shp")
    assert port.piers["max_distance_m"].tolist() == [60]
    assert port.water_level_m == 183.5
    (tmp_path / "port.prj").unlink()
    with pytest.raises(PortError, match=r"port\.shp.* has no coordinate reference system"):
        read_port(tmp_path / "port.shp")


def test_piers_with_numbers_for_names_and_text_for_numbers(tmp_path):
    table = {"Name": [7.0, None], "kind": ["pier", "exclude"], "max_distance_m": ["70", None]}
    frame(table, (QUAY, square(5, 5, 2))).to_file(tmp_path / "port.gpkg", layer="any")
    port = read_port(tmp_path / "port.gpkg")
    assert port.piers[["name", "max_distance_m"]].to_numpy().tolist() == [["7", 70.0]]
    assert port.exclude is not None


def test_a_geopackage_on_the_antimeridian_in_metres(tmp_path):
    metres = gpd.GeoDataFrame({"name": ["Roads"]}, geometry=[Point(0, 0).buffer(500, cap_style="square")])
    metres.set_crs("+proj=aeqd +lat_0=-16.5 +lon_0=180 +datum=WGS84").to_file(tmp_path / "p.gpkg", layer="anchorage")
    found = read_port(tmp_path / "p.gpkg").piers.geometry[0]
    assert len(found.geoms) == 2
    assert max(part.bounds[2] - part.bounds[0] for part in found.geoms) < 0.01


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"name": ["Q"]},
            r"port\.gpkg has nothing that tells what its features are: its layers \('port'\)",
        ),
        ({"name": ["Q"], "kind": ["berth"]}, r"port\.gpkg: feature 1 \('Q'\) has the kind 'berth'"),
        ({"name": [None], "kind": ["pier"]}, r"port\.gpkg: feature 1 has no name"),
        ({"name": ["Q"], "kind": ["pier"], "max_distance_m": ["far"]}, "has max_distance_m 'far'"),
        ({"name": ["Q"], "kind": ["pier"], "max_distance_m": [-1.0]}, r"has max_distance_m -1\.0"),
        ({"name": ["Q"], "kind": ["pier"], "water_level_m": [1e5]}, r"has water_level_m 100000\.0"),
    ],
)
def test_a_bad_table_is_named_with_what_is_wrong(tmp_path, table, said):
    frame(table, [QUAY]).to_file(tmp_path / "port.gpkg", layer="port")
    with pytest.raises(PortError, match=said):
        read_port(tmp_path / "port.gpkg")


def test_two_water_levels_or_a_feature_without_geometry_are_refused(tmp_path):
    table = {"name": ["A", "B"], "kind": "pier", "water_level_m": [1.0, 2.0]}
    frame(table, [QUAY, LineString([at(500, 0), at(500, 90)])]).to_file(tmp_path / "a.gpkg")
    with pytest.raises(PortError, match=r"has water_level_m 1\.0 and 2\.0; a port has one level"):
        read_port(tmp_path / "a.gpkg")
    frame({"name": ["A", "B"], "kind": "pier"}, [QUAY, None]).to_file(tmp_path / "b.gpkg")
    with pytest.raises(PortError, match=r"feature 2 \('B'\) has no geometry"):
        read_port(tmp_path / "b.gpkg")


@pytest.mark.parametrize("name", ["notes.txt", "photo.png", "port.gpkg", "port.zip", "port.csv"])
def test_what_is_no_vector_file_is_said_to_be_none(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x89PNG\r\n" if name == "photo.png" else b"name,kind\nquay,pier\n")
    with pytest.raises(PortError, match=r"; a port file is GeoJSON, a GeoPackage or another vector file"):
        read_port(path)


def test_geojson_by_any_name_keeps_its_members(tmp_path):
    path = write(tmp_path, [PIER], name="Mine", water_level_m=183)
    port = read_port(path.rename(tmp_path / "port.txt"))
    assert (port.name, port.water_level_m) == ("Mine", 183)


def test_another_coordinate_system_is_reprojected_or_refused_where_there_is_none(tmp_path):
    def crs(name):
        return {"type": "name", "properties": {"name": name}}

    metres = gpd.GeoSeries([QUAY], crs="EPSG:4326").to_crs("EPSG:32636")[0]
    pier = feature("Quay", "pier", metres)
    port = read_port(write(tmp_path, [pier], crs=crs("urn:ogc:def:crs:EPSG::32636")))
    assert port.piers.geometry[0].hausdorff_distance(QUAY) < 1e-9
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326"):
        assert read_port(write(tmp_path, [PIER], crs=crs(name))).piers.geometry[0].equals(QUAY)
    with pytest.raises(PortError, match="declares the coordinate system 'here', which PROJ does not know"):
        read_port(write(tmp_path, [PIER], crs="here"))
    with pytest.raises(PortError, match=r"off the world; every coordinate must be a number"):
        read_port(write(tmp_path, [feature("Q", "pier", Point(1e9, 1e9))], crs="EPSG:32636"))


def test_the_port_that_ships_is_read_by_every_name_of_it():
    ports = [read_port(name) for name in ("tartus", "Tartús", "TARTOUS", "45003")]
    assert {port.name for port in ports} == {"Tartus"}
    assert len(ports[0].piers) == 11
    assert ports[0].attribution == "© OpenStreetMap contributors, ODbL 1.0"
    assert ports[0].land.is_valid
    waters = pd.Series({name: area.area for name, area in ports[0].pier_waters().items()})
    assert (waters > 0).all()


def test_a_file_goes_before_a_name_and_a_folder_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tartus").mkdir()  # the folder of its results
    assert read_port("tartus").name == "Tartus"
    (tmp_path / "tartus").rmdir()
    write(tmp_path, [PIER], name="Mine").rename(tmp_path / "tartus")
    assert read_port("tartus").name == "Mine"


@pytest.mark.parametrize("name", ["Tartu", "Latakia", "St. John's", ""])
def test_a_name_whose_piers_do_not_ship_says_how_to_draw_them(name):
    with pytest.raises(PortError, match=r"(a port whose piers ship with sarship \(tartus\)|not a file)"):
        read_port(name)
    assert find_port_file(name) is None or not name
