"""Aprons of a port file: read from GeoJSON and layers, and refused where nothing could be said of them."""

import geopandas as gpd
import pytest
from builders.port_files import PIER, at, feature, square, write
from shapely.geometry import LineString

from sarship import read_port
from sarship.errors import PortError
from sarship.port.grid import PortGrid

LAND = feature("Land", "land", square(400, 0, 300))
YARD = square(400, 0)


def test_aprons_are_read_beside_the_piers(tmp_path):
    yards = [feature("Yard", "apron", YARD, surface=" gravel "), feature("Park", "apron", square(550, 100))]
    port = read_port(write(tmp_path, [PIER, LAND, *yards]))
    assert port.aprons[["name", "surface"]].to_numpy().tolist() == [["Yard", "gravel"], ["Park", ""]]
    assert port.piers["name"].tolist() == list(port.pier_waters()) == ["North quay"]
    grid = PortGrid.around(port.area, 0)
    assert grid.covers(port.aprons.geometry[1]).sum() == pytest.approx(100, abs=3), "the grid reaches to the aprons"


def test_a_port_without_aprons_has_an_empty_table_and_the_grid_of_before(tmp_path):
    port = read_port(write(tmp_path, [PIER, LAND]))
    assert port.aprons.columns.tolist() == ["name", "surface", "geometry"]
    assert len(port.aprons) == 0
    assert port.area.equals(port.piers.geometry[0].union(port.pier_waters()["North quay"]))


def test_a_layer_called_aprons_needs_no_kind(tmp_path):
    path = tmp_path / "port.gpkg"
    gpd.GeoDataFrame({"name": ["Quay"]}, geometry=[LineString([at(0, 0), at(0, 400)])], crs=4326).to_file(
        path, layer="piers"
    )
    gpd.GeoDataFrame({"NAME": ["Yard"], "Surface": ["asphalt"]}, geometry=[YARD], crs=4326).to_file(
        path, layer="Aprons"
    )
    assert read_port(path).aprons.iloc[0][["name", "surface"]].tolist() == ["Yard", "asphalt"]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([feature("Yard", "apron", square(400, 0, 20))], "'Yard'.* has 0.16 ha; an apron has 0.25 ha or more"),
        ([feature("Yard", "apron", LineString([at(0, 0), at(0, 9)]))], "is a 'LineString'; a feature of kind 'apron'"),
        ([feature(None, "apron", YARD)], "feature 3 has no name"),
        ([feature("Yard", "apron", YARD, surface=7)], "has the surface '7'; it is a word or two"),
        ([feature("Yard", "apron", YARD, surface="=1+1")], "has the surface '=1"),
        ([feature("Yard", "apron", YARD, surface="a" * 61)], "has the surface 'aaa"),
        ([feature("Yard", "apron", YARD, max_distance_m=5)], "has a max_distance_m, which only a pier or an anchorage"),
        ([feature("Yard", "apron", YARD), feature("Yard", "apron", YARD)], "are both called 'Yard'"),
        ([feature("Yard", "apron", square(0, 200, 40))], "'Yard' lies on the waters of 'North quay', and an apron"),
        (
            [feature("Yard", "apron", square(-400, 0)), feature("W", "water", square(-300, 0, 400))],
            "'Yard' lies on the port's water",
        ),
    ],
)
def test_an_apron_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, features, message):
    with pytest.raises(PortError, match=message):
        read_port(write(tmp_path, [PIER, LAND, *features]))


def test_without_a_pier_there_is_nothing_to_count_at(tmp_path):
    with pytest.raises(PortError, match="nothing to count at"):
        read_port(write(tmp_path, [LAND, feature("Yard", "apron", YARD)]))
