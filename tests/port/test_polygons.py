"""Polygons of vector files, and files that hold none that can be used."""

import geopandas as gpd
import pytest
from builders.port_files import QUAY, at, square
from shapely.geometry import Polygon, box

from sarship.errors import PortError
from sarship.port.polygons import read_polygons

BOW_TIE = Polygon([at(0, 0), at(100, 100), at(100, 0), at(0, 100)])


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
    with pytest.raises(PortError, match="does not exist") as caught:
        read_polygons(tmp_path / "nowhere.shp")
    assert caught.value.path == str(tmp_path / "nowhere.shp")
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
