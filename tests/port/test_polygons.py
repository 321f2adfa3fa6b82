"""Polygons of vector files, and files that hold none that can be used."""

import time

import geopandas as gpd
import numpy as np
import pytest
import shapely
from builders.port_files import QUAY, at, square
from shapely.affinity import translate
from shapely.geometry import Polygon, box

from sarship.errors import PortError, ProductWarning
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


def coastline(path, n_islands, *others, crs="EPSG:4326"):
    """A file of islands all over the world, and other polygons."""
    rng, angle = np.random.default_rng(0), np.linspace(0, 2 * np.pi, 40, endpoint=False)
    centre, radius = rng.uniform((-175, -75), (175, 75), (n_islands, 2)), rng.lognormal(-4, 1, (n_islands, 1, 1))
    islands = shapely.polygons(centre[:, None] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    gpd.GeoDataFrame(geometry=[*others, *islands], crs="EPSG:4326").to_crs(crs).to_file(path)
    return path


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_of_a_coastline_of_the_world_only_what_is_near_is_read(tmp_path, crs, monkeypatch):
    near, island = square(0, 0), square(3_000, 0)
    path = coastline(tmp_path / "land.gpkg", 20_000, island, translate(BOW_TIE, 20, 0), crs=crs)
    mended = []
    monkeypatch.setattr(shapely, "make_valid", lambda found, **_: mended.extend(found) or found)
    started = time.process_time()
    land = read_polygons(path, near)
    assert time.process_time() - started < 2  # twenty times as long, and ever longer, were all of them joined
    assert len(mended) < 5
    assert land.covers(island.buffer(-1e-6))


def test_a_far_polygon_off_the_world_does_not_matter(tmp_path):
    path = tmp_path / "land.geojson"
    gpd.GeoDataFrame(geometry=[square(0, 0), box(200, 10, 201, 95)], crs="EPSG:4326").to_file(path)
    with pytest.raises(PortError, match="off the world"):
        read_polygons(path)
    assert read_polygons(path, square(0, 0)).area == pytest.approx(square(0, 0).area)


def test_near_reaches_across_the_antimeridian(tmp_path):
    path = tmp_path / "land.gpkg"
    islands = [box(179.95, -17, 179.99, -16.9), box(-179.99, -17, -179.95, -16.9), box(0, -17, 1, -16)]
    gpd.GeoDataFrame(geometry=islands, crs="EPSG:4326").to_file(path)
    fiji = box(179.9, -17, 180, -16.9)
    assert read_polygons(path, fiji).equals(shapely.union_all(islands[:2]))


def test_a_file_with_nothing_near_masks_nothing_and_says_so(tmp_path):
    path = tmp_path / "land.geojson"
    gpd.GeoDataFrame(geometry=[square(0, 0)], crs="EPSG:4326").to_file(path)
    with pytest.warns(ProductWarning, match=r"land\.geojson has no polygon within 20 km .* right file"):
        assert read_polygons(path, box(10, 54, 11, 55)).is_empty


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
    with pytest.raises(PortError, match="no coordinate reference system"):
        read_polygons(bare, square(0, 0))
