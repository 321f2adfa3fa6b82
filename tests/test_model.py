"""Frozen data: what it refuses, and what it says then."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import xarray as xr

from sarship import schema
from sarship.model import Hits, Scene, Window

START = datetime(2025, 1, 10, 3, 40, tzinfo=UTC)


def scene(**changes):
    values = {
        "id": "S1A_IW_GRDH_1SDV_made_up",
        "platform": "S1A",
        "mode": "IW",
        "product_type": "GRDH",
        "polarizations": ("VV", "VH"),
        "start": START,
        "stop": START + timedelta(seconds=25),
        "absolute_orbit": 57_000,
        "relative_orbit": 14,
        "orbit_pass": "descending",
        "footprint": shapely.box(35, 34, 37, 36),
    }
    return Scene(**values | changes)


def test_scene_refuses_naive_times():
    with pytest.raises(ValueError, match=r"Scene.start must be timezone-aware UTC, got datetime.datetime\(2025"):
        scene(start=START.replace(tzinfo=None))


def test_scene_refuses_to_end_before_it_starts():
    with pytest.raises(ValueError, match="before its start"):
        scene(stop=START - timedelta(seconds=1))


def test_twins_are_one_acquisition():
    assert scene(id="plain_1234").acquisition == scene(id="plain_5678_COG").acquisition


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        scene().platform = "S1B"


@pytest.mark.parametrize("bounds", [(5, 5, 0, 3), (-1, 5, 0, 3), (0, 5, 4, 3)])
def test_window_refuses_empty_and_negative(bounds):
    with pytest.raises(ValueError, match="need 0 <= start < stop"):
        Window(*bounds)


def test_window_shape():
    assert Window(2, 5, 10, 30).shape == (3, 20)


def test_no_hits_have_all_columns():
    none = Hits.empty(("VV", "VH"))
    assert len(none) == 0
    assert set(none.sigma0) == {"VV", "VH"}


TABLES = [schema.VESSELS, schema.SCENES, schema.COVERAGE]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_empty_table_keeps_its_contract(table):
    empty = table.check(table.empty())
    assert len(empty) == 0
    table.check(table.concat([empty, empty]))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_concat_keeps_the_contract(table):
    values = {"str": "x", "float64": 1.5, "int64": 2, "bool": True, schema.TIME: pd.Timestamp(START)}
    row = table.make({c.name: [values[c.dtype]] for c in table.columns}, [shapely.Point(35.9, 34.9)])
    both = table.check(table.concat([table.empty(), row, row]))
    assert len(both) == 2
    assert list(both.index) == [0, 1]


def test_table_refuses_a_missing_column():
    with pytest.raises(ValueError, match="vessels lacks the column 'length_m'"):
        schema.VESSELS.check(schema.VESSELS.empty().drop(columns="length_m"))


def test_table_refuses_another_dtype():
    table = schema.VESSELS.empty()
    table["n_hits"] = table["n_hits"].astype("float64")
    with pytest.raises(ValueError, match=r"vessels.n_hits has dtype float64, expected int64"):
        schema.VESSELS.check(table)


def test_table_refuses_another_projection():
    with pytest.raises(ValueError, match="EPSG:4326"):
        schema.VESSELS.check(gpd.GeoDataFrame(schema.VESSELS.empty().to_crs("EPSG:32636")))


def test_variable_refuses_other_dimensions():
    with pytest.raises(ValueError, match=r"sigma0 has dimensions \('y', 'x'\)"):
        schema.SIGMA0.check(xr.DataArray([[1.0]], dims=("y", "x"), attrs={"units": "1"}))
