"""Brightness of yards on a grid: calibration is taken out, noise is measured, and what was not seen is said to be."""

import numpy as np
import pytest
import shapely

from benchmarks.yard_dates import simulate_yard_dates
from sarship.change import fit_reference, measure_aprons
from sarship.port.grid import PortGrid
from sarship.schema import APRONS
from sarship.simulate import Yard

N_DATES, AT = 10, 5


def yard(name, x, y, vehicles, side=100.0):
    return Yard(name=name, polygon=shapely.box(x, y, x + side, y + side), base_db=-14.0, vehicles=vehicles)


YARDS = [yard("Emptied", 800, 100, (15,) * AT + (0,)), yard("Empty", 800, 350, (0,)), yard("Small", 800, 550, (0,), 60)]


def make_dates(**options):
    return simulate_yard_dates(YARDS, 12.0 * np.arange(N_DATES), shape=(70, 230), seed=2, **options)


@pytest.fixture(scope="module")
def dates():
    return make_dates()


@pytest.fixture(scope="module")
def reference(dates):
    return fit_reference(dates.stack, land=dates.land).isel(relative_orbit=0)


def measured(dates, reference, *, stack=None, **options):
    stack = dates.stack if stack is None else stack
    table = measure_aprons(stack, reference, dates.aprons, **{"land": dates.land, **options})
    return {name: rows.reset_index(drop=True) for name, rows in APRONS.check(table).groupby("apron")}


def test_a_yard_that_emptied_gets_darker_in_both_polarisations(dates, reference):
    table = measured(dates, reference)["Emptied"]
    for level in ("level_db", "level_cross_db"):
        fall = table[level][:AT].mean() - table[level][AT:].mean()
        assert fall > 4 * table[level.replace("_db", "_error_db")][0] * np.sqrt(2 / AT), level
    assert table["bright_share"][:AT].mean() > 4 * table["bright_share"][AT:].mean()
    true_m2 = 15 * 50 * table["n_cells"][0] / 100
    assert table["added_m2"][:AT].mean() - table["added_m2"][AT:].mean() == pytest.approx(true_m2, rel=0.35)
    assert (table["state"] == "unknown").all(), "states come from all orbits together"


def test_the_noise_is_that_of_a_yard_where_nothing_changes(dates, reference):
    table = measured(dates, reference)["Empty"]
    for level in ("level_db", "level_cross_db"):
        assert table[level].std() == pytest.approx(table[level.replace("_db", "_error_db")][0], rel=0.5)
        assert abs(table[level].mean()) < 0.6
    assert table["empty_m2"][0] == pytest.approx(table["n_cells"][0] * 100 * (10**-1.4 + 10**-2.4), rel=0.15)
    assert (np.abs(table["added_m2"]) < table["detectable_added_m2"]).all()


def test_a_step_of_the_calibration_changes_no_level(dates, reference):
    louder = dates.stack.copy(deep=True)
    louder["sigma0"][3:] *= 10**0.09
    one, other = (measured(dates, reference, stack=stack)["Empty"]["level_db"] for stack in (None, louder))
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "name", "note"),
    [
        ({"land": None}, "Empty", "too little land"),
        ({}, "Small", "fewer than 25 cells lie 15 m inside"),
        ({"land": "shore"}, "Empty", "fewer than 20 places of its size"),
        ({"exclude": "yard"}, "Empty", "fewer than 25 cells"),
        ({"piers": "yard"}, "Empty", "fewer than 25 cells"),
    ],
)
def test_where_nothing_can_be_measured_the_reason_is_said(dates, reference, options, name, note):
    grid = PortGrid.of(dates.stack)
    shore = shapely.Polygon(np.column_stack(grid.to_map([-0.5, 69.5, 69.5, -0.5], [119.5, 119.5, 134.5, 134.5])))
    areas = {"shore": shore, "yard": dates.aprons.geometry[1]}
    given = {key: areas.get(value) for key, value in options.items()}
    table = measured(dates, reference, **given)[name]
    assert table["level_db"].isna().all()
    assert table["added_m2"].isna().all()
    assert table["note"].str.contains(note).all()


def test_a_date_that_does_not_show_the_yard_or_cannot_be_placed_has_no_level(dates, reference):
    stack = dates.stack.copy(deep=True)
    rows, columns = np.nonzero(PortGrid.of(stack).covers(dates.aprons.geometry[1]))
    stack["sigma0"].to_numpy()[2, :, rows, columns] = np.nan
    is_placed = reference["is_coregistered"].copy(data=np.arange(N_DATES) != 4)
    hidden = {str(stack["scene"].values[6]): PortGrid.of(stack).covers(dates.aprons.geometry[1], 50)}
    tables = measured(dates, reference.assign(is_coregistered=is_placed), stack=stack, hidden=hidden)
    table = tables["Empty"]
    assert np.flatnonzero(table["level_db"].isna()).tolist() == [2, 4, 6]
    assert table["note"].tolist()[2:7] == [
        *("not imaged, or hidden beside a large vessel", "", "the date cannot be coregistered with the others", ""),
        "not imaged, or hidden beside a large vessel",
    ]
    assert np.flatnonzero(tables["Emptied"]["level_db"].isna()).tolist() == [4]


def test_a_date_that_shows_half_of_the_port_tells_of_that_half(dates, reference):
    stack = dates.stack.copy(deep=True)
    stack["sigma0"].to_numpy()[7, :, :38] = np.nan
    tables, whole = (measured(dates, reference, stack=each) for each in (stack, dates.stack))
    assert np.flatnonzero(tables["Empty"]["level_db"].isna()).tolist() == [7]
    assert abs(tables["Emptied"]["level_db"][7] - whole["Emptied"]["level_db"][7]) < 0.5
    assert tables["Emptied"]["level_error_db"][0] == pytest.approx(whole["Emptied"]["level_error_db"][0], rel=0.2)


def test_of_one_polarisation_the_other_is_missing(dates, reference):
    alone = dates.stack.copy(deep=True)
    alone["sigma0"][3, 1] = np.nan
    table = measured(dates, reference, stack=alone)["Empty"]
    assert table["level_cross_db"].isna().tolist() == [k == 3 for k in range(N_DATES)]
    assert table["level_db"].notna().all()
    table = measured(dates, reference, stack=dates.stack.isel(polarization=[0]))["Empty"]
    assert table["level_cross_db"].isna().all()
    assert table["level_db"].notna().all()
