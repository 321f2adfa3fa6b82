"""Yards of a simulated port: their vehicles, their ground, and their place in the port file."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon, box

from sarship.port import PortGrid, read_port, to_port_grid
from sarship.sentinel1 import open_grd
from sarship.simulate import SMALL_PORT, ProductParams, Yard, simulate_port_series

TRIANGLE = Polygon([(0, 0), (200, 0), (0, 100)])


@pytest.mark.parametrize(("date", "number"), [(0, 40), (1, 3), (2, 0), (9, 0)])
def test_vehicles_stand_within_the_yard_and_the_last_number_holds(date, number):
    yard = Yard(name="Yard", polygon=TRIANGLE, base_db=-14.0, vehicles=(40, 3, 0))
    xy, rcs_m2 = yard.vehicles_on(date, np.random.default_rng(0))
    assert xy.shape == (number, 2)
    assert rcs_m2.shape == (number,)
    assert shapely.contains_xy(TRIANGLE, xy).all()


def test_cross_sections_fluctuate_about_their_mean():
    yard = Yard(name="Yard", polygon=TRIANGLE, base_db=-14.0, vehicles=(4000,), rcs_m2=20.0)
    _, rcs_m2 = yard.vehicles_on(0, np.random.default_rng(0))
    assert rcs_m2.mean() == pytest.approx(20, rel=0.06)
    assert rcs_m2.std() == pytest.approx(20, rel=0.08)


def test_a_yard_is_bare_ground_with_vehicles_in_the_image_and_an_apron_in_the_port_file(tmp_path):
    yards = tuple(
        Yard(name=name, polygon=box(760, y, 960, y + 150), base_db=-14.0, vehicles=(n,))
        for name, y, n in (("Bare", 2_800, 0), ("Full", 2_600, 60))
    )
    plan = replace(SMALL_PORT, yards=yards)
    series = simulate_port_series(tmp_path, plan=plan, n_dates=1)
    port = read_port(series.port_file)
    assert port.aprons["name"].tolist() == ["Bare", "Full"]
    grid = PortGrid.around(port.area)
    image = to_port_grid(open_grd(series.products[0]), grid)
    bare, full = (image.to_numpy()[:, grid.covers(shape, -20)].mean(axis=1) for shape in port.aprons.geometry)
    assert 10 * np.log10(bare[0]) == pytest.approx(-14, abs=1.0)
    density = 60 * 50 / (200 * 150)
    assert full[0] - bare[0] == pytest.approx(density, rel=0.5)
    assert bare[1] < bare[0] / 3


def test_a_port_without_yards_has_no_aprons(tmp_path):
    tiny = ProductParams(shape=(64, 64), polarizations=("VV",))
    assert len(read_port(simulate_port_series(tmp_path, n_dates=1, params=tiny).port_file).aprons) == 0
