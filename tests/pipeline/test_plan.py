"""A plan: a port with its masks, on its grid, and a fingerprint of all that results depend on."""

from dataclasses import replace
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from sarship.detection.params import DetectionParams
from sarship.errors import PortError
from sarship.pipeline.one_scene import is_fine
from sarship.pipeline.plan import NO_PORT, Plan
from sarship.port.port_file import Port

QUAY = shapely.LineString([(35.800, 34.900), (35.805, 34.900)])
ROADS = shapely.box(35.79, 34.89, 35.81, 34.899)
LAND = shapely.box(35.80, 34.9005, 35.81, 34.91)
PORT = Port(
    name="Port",
    piers=gpd.GeoDataFrame(
        {"name": ["Quay", "Roads"], "kind": ["pier", "anchorage"], "max_distance_m": [50.0, 0.0]},
        geometry=[QUAY, ROADS],
        crs="EPSG:4326",
    ),
    land=LAND,
)


def make_plan(port=PORT, **options):
    return Plan(**({"port": port, "params": DetectionParams(), "area": port.area} | options))


def test_a_scribble_for_a_pier_costs_no_more_than_its_points():
    """Cut wherever it crosses itself it had 13,754 points, and a buffer around them took 20 GB."""
    turn = np.linspace(0, 2 * np.pi * 149, 300)
    scribble = shapely.LineString(np.column_stack([35.802 + 1e-4 * np.cos(turn), 34.899 + 1e-3 * np.sin(turn * 0.618)]))
    piers = PORT.piers.iloc[[0, 0]].assign(name=["Quay", "Scribble"]).set_geometry([QUAY, scribble], crs="EPSG:4326")
    plan = make_plan(replace(PORT, piers=piers))
    assert shapely.get_num_coordinates(plan.berths) == 302
    near = plan.grid.covers(shapely.union_all([QUAY, scribble.convex_hull]), 140)
    assert plan.masks.near[near & plan.masks.water].all()


def test_waters_alongside_are_those_of_the_piers_only():
    plan = make_plan()
    assert set(plan.waters) == {"Quay", "Roads"}
    assert plan.alongside.equals(plan.waters["Quay"])
    assert shapely.get_parts(plan.berths).tolist() == [QUAY]
    only_roads = replace(PORT, piers=PORT.piers.iloc[1:])
    assert make_plan(only_roads).alongside is None
    assert make_plan(only_roads).berths.equals(ROADS)


def test_what_is_excluded_is_masked_and_is_no_ground():
    exclude, more = shapely.box(35.80, 34.895, 35.801, 34.896), shapely.box(35.79, 34.905, 35.80, 34.91)
    plan = make_plan(replace(PORT, exclude=exclude), more_land=more)
    assert plan.land.equals(shapely.union_all([LAND, exclude, more]))
    assert plan.ground.equals(shapely.union_all([LAND, more]))
    assert plan.masks.water.shape == plan.grid.shape
    assert make_plan(replace(PORT, land=None)).ground is None


@pytest.mark.parametrize(
    "change",
    [
        {"params": DetectionParams(pfa=1e-8)},
        {"params": DetectionParams(pier_pfa=1e-6)},
        {"port": replace(PORT, water=ROADS)},
        {"port": replace(PORT, piers=PORT.piers.assign(max_distance_m=[60.0, 0.0]))},
        {"port": replace(PORT, piers=PORT.piers.assign(name=["Mole", "Roads"]))},
        {"more_land": ROADS},
        {"area": None},
        {"port": replace(PORT, given_level_m=183.0)},
    ],
)
def test_all_that_results_depend_on_is_in_the_fingerprint(change):
    assert make_plan(**change).fingerprint != make_plan().fingerprint == make_plan().fingerprint


def test_the_graphics_card_is_not_in_the_fingerprint_for_it_finds_the_same():
    assert make_plan(params=DetectionParams(gpu=True)).fingerprint == make_plan().fingerprint


def test_a_reference_depends_on_masks_and_grid_not_on_the_detector():
    plan = make_plan()
    assert make_plan(params=DetectionParams(pfa=1e-8)).grid_fingerprint == plan.grid_fingerprint
    assert make_plan(more_land=ROADS).grid_fingerprint != plan.grid_fingerprint
    assert make_plan(replace(PORT, given_level_m=183.0)).grid_fingerprint != plan.grid_fingerprint


def test_all_piers_of_a_port_are_at_one_water_level_whichever_are_shown():
    """Also where those alone lie on a known lake."""
    duluth, inland = shapely.Point(-92.09, 46.77), shapely.Point(-93.2, 46.77)
    piers = gpd.GeoDataFrame(
        {"name": ["Duluth", "Inland"], "kind": ["pier", "pier"], "max_distance_m": [50.0, 50.0]},
        geometry=[duluth, inland],
        crs="EPSG:4326",
    )
    plan = make_plan(Port(name="Port", piers=piers))
    assert plan.water_level_m == plan.shown_by(duluth.buffer(0.1)).water_level_m == 0
    assert make_plan(Port(name="Port", piers=piers.iloc[:1])).water_level_m == 183.4


def test_without_a_port_the_water_is_that_of_the_area():
    assert make_plan(NO_PORT, area=shapely.Point(-92.09, 46.77).buffer(0.01)).water_level_m == 183.4
    assert make_plan(NO_PORT, area=ROADS).water_level_m == make_plan(NO_PORT, area=None).water_level_m == 0


def test_without_a_port_there_is_nothing_to_count_at():
    plan = make_plan(NO_PORT, area=None)
    assert plan.waters == {}
    assert (plan.land, plan.alongside, plan.area) == (None, None, None)


def test_a_port_too_large_for_a_grid_is_refused_when_the_grid_is_asked_for(monkeypatch):
    monkeypatch.setattr("sarship.port.grid.MAX_CELLS", 1000)
    plan = make_plan()
    with pytest.raises(PortError, match="too large for one grid"):
        _ = plan.grid


@pytest.mark.parametrize(
    ("product_type", "mode", "fine"),
    [("GRDH", "IW", True), ("GRDH", "S4", True), ("GRDH", "EW", False), ("GRDM", "IW", False)],
)
def test_piers_are_looked_at_in_fine_products_alone(product_type, mode, fine):
    assert is_fine(SimpleNamespace(product_type=product_type, mode=mode)) == fine
