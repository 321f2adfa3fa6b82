"""Vessels as files of every kind: the same rows, footprints that measure what the table says, and their provenance."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from builders.results import make_results
from builders.tables import make_vessels
from pyproj import Geod

from sarship.pipeline.table_files import VESSEL_FORMATS, footprints, read_table
from sarship.schema import VESSELS

GEOD = Geod(ellps="WGS84")


@pytest.mark.parametrize("heading", [0.0, 45.0, 90.0, 170.0])
@pytest.mark.parametrize("place", [(35.8, 34.9), (179.9999, -16.0), (-20.0, 78.0)], ids=["Tartus", "Fiji", "Arctic"])
def test_footprint_is_the_box_of_length_and_width(place, heading):
    options = {"longitude": place[0], "latitude": place[1], "length_m": 200.0, "width_m": 30.0, "heading_deg": heading}
    (shape,) = footprints(make_vessels(("scene", None, options))).geometry
    assert abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0]) == pytest.approx(6_000, rel=1e-3)
    if shape.geom_type == "Polygon":
        corners = shapely.get_coordinates(shape)
        azimuth, _, length = GEOD.inv(*corners[2], *corners[1])  # stern left to bow left
        assert length == pytest.approx(200, rel=1e-3)
        assert (azimuth - heading + 90) % 180 == pytest.approx(90, abs=0.1)
        np.testing.assert_allclose(shapely.get_coordinates(shape.centroid)[0], place, atol=1e-7)


@pytest.mark.parametrize("n_vessels", [0, 3])
@pytest.mark.parametrize("ending", VESSEL_FORMATS)
def test_every_format_holds_every_row_and_column(tmp_path, ending, n_vessels):
    results = make_results(n_vessels=n_vessels)
    path = tmp_path / f"vessels{ending}"
    path.write_bytes(VESSEL_FORMATS[ending](results.vessels, results.provenance))
    if ending == ".parquet":
        frame, provenance = read_table(path, VESSELS)
        assert provenance == results.provenance.as_dict()
    else:
        frame = pd.read_csv(path) if ending == ".csv" else gpd.read_file(path)
    assert len(frame) == n_vessels
    if n_vessels or ending != ".geojson":  # an empty collection names no columns
        assert {column.name for column in VESSELS.columns} <= set(frame.columns)
    np.testing.assert_allclose(frame["longitude"].astype(float) if n_vessels else [], results.vessels["longitude"])
    if ending in {".geojson", ".gpkg"} and n_vessels:
        assert set(frame.geom_type) == {"Polygon"}
    if ending == ".gpkg":
        note = json.loads(pyogrio.read_info(path)["layer_metadata"]["sarship"])
        assert note == results.provenance.as_dict()


def test_a_text_that_a_spreadsheet_would_obey_is_quoted():
    vessels = make_vessels(("=S1", "-1+1"), ("+S1", None))
    written = VESSEL_FORMATS[".csv"](vessels, None).decode().splitlines()
    assert [line.split(",")[1] for line in written[1:]] == ["'=S1", "'+S1"]
    assert ",'-1+1," in written[1]
