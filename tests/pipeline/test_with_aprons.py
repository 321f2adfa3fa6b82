"""Yards of a survey: from its stack and references, on every pass, and hidden beside large vessels."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from builders.port_files import make_vessels
from shapely.geometry import box

from sarship import read_port, survey
from sarship.errors import ProductWarning
from sarship.geo.local_plane import buffer_m
from sarship.pipeline.first_pass import run_first_pass
from sarship.pipeline.plan import Plan
from sarship.pipeline.results import Results
from sarship.pipeline.sources import sources_of
from sarship.pipeline.with_aprons import _beside, find_aprons
from sarship.port.grid import PortGrid
from sarship.schema import APRONS
from sarship.simulate import YARD_PORT, simulate_port_series


@pytest.fixture(scope="module")
def surveyed(harbour, harbour_survey):
    """Scenes of the survey from their checkpoints, its results, and its plan with a yard within the same grid."""
    folder, port, results = harbour_survey
    plan = Plan(port=port, params=results.provenance.parameters, area=port.area)
    sources = sources_of(harbour.products, water_level_m=plan.water_level_m)
    searched, _ = run_first_pass(sources, plan, folder / "scenes")
    quay = port.piers.set_index("name").geometry["Container quay"]
    middle = quay.centroid
    inland = box(middle.x + 0.0020, middle.y - 0.0006, middle.x + 0.0032, middle.y + 0.0004)
    yards = gpd.GeoDataFrame({"name": ["Yard"], "surface": [""]}, geometry=[inland], crs=4326)
    with_yards = replace(plan, port=replace(port, aprons=yards))
    assert with_yards.grid == plan.grid
    return searched, results, with_yards, folder


def test_every_pass_has_a_row(surveyed):
    searched, results, plan, folder = surveyed
    table = APRONS.check(find_aprons(searched, results, plan, folder))
    assert table["scene"].tolist() == results.counts["scene"].to_numpy().tolist()
    assert table["level_db"].notna().all(), table["note"].tolist()
    assert np.abs(table["level_db"]).max() < 3
    assert table["level_cross_db"].isna().any(), "one pass was recorded in VV alone"
    assert set(table["state"]) == {"unknown"}, "four passes tell nothing"
    assert (table["n_reference_dates"] == 4).all()


def test_a_pass_without_a_reference_is_unknown_and_says_why(surveyed):
    searched, results, plan, folder = surveyed
    yards = plan.port.aprons
    small = yards.set_geometry([buffer_m(yards.geometry[0].centroid, 30)])
    with pytest.warns(ProductWarning, match="nothing can be said of apron 'Yard': fewer than 25 cells"):
        table = find_aprons(searched, results, replace(plan, port=replace(plan.port, aprons=small)), folder)
    assert table["added_m2"].isna().all()
    table = find_aprons({}, results, plan, folder)
    assert len(table) == results.counts.sizes["time"]
    assert (table["note"].str.startswith("counted by the image alone")).all()
    assert table["level_db"].isna().all()
    assert (table["state"] == "unknown").all()


def test_a_port_without_aprons_reads_nothing(surveyed):
    searched, results, plan, folder = surveyed
    none = replace(plan, port=replace(plan.port, aprons=plan.port.aprons.iloc[:0]))
    assert len(find_aprons(searched, results, none, folder / "nowhere")) == 0


def test_a_large_vessel_hides_what_lies_along_range_and_azimuth():
    vessels = make_vessels((0, 0, 150, 0)).assign(width_m=20.0, flight_deg=0.0)
    grid = PortGrid.around(buffer_m(vessels.geometry[0], 300), 0)
    mask = _beside(vessels, grid)
    row, column = (n // 2 for n in grid.shape)
    down, across = mask[:, column].sum() * 10, mask[row].sum() * 10
    assert down == pytest.approx(150 + 200, abs=20)
    assert across == pytest.approx(20 + 200, abs=20)
    assert not mask[row - 14, column - 8], "not at an angle of both"
    turned = _beside(vessels.assign(flight_deg=45.0), grid)
    assert turned[row - 12, column + 7]
    unknown = _beside(vessels.assign(flight_deg=np.nan), grid)
    assert unknown.sum() > mask.sum()


@pytest.mark.slow
def test_a_yard_that_emptied_is_found_through_products(tmp_path):
    series = simulate_port_series(tmp_path / "products", plan=YARD_PORT, seed=0, n_dates=8, n_orbits=2)
    port = read_port(series.port_file)
    assert port.aprons["name"].tolist() == ["Container yard"]
    results = survey(series.products, port, tmp_path / "out")
    assert isinstance(results, Results)
    (row,) = results.changes[results.changes["quantity"] == "added_m2"].itertuples()
    assert (row.where, row.direction) == ("Container yard", "emptied")
    passes = pd.DatetimeIndex(results.counts["time"].to_numpy()).tz_localize("UTC").sort_values()
    assert row.window_from <= passes[4] < passes[5] <= row.window_to
    assert row.before == pytest.approx(20 * 50 * 100 / 169, rel=0.6)
