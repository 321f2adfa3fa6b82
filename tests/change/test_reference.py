"""The empty port: its level and spread, however busy the pier and whatever the weather; and what it refuses."""

import sys

import numpy as np
import pytest
import xarray as xr
from builders.array_dates import ENL, GRID, LAND, LAND_CELLS, PIER, empty_port, image_of, stack_of
from builders.cf import complaints_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship.change.reference import fit_reference, level_on, of_orbit, open_water, sea_of, shift_of
from sarship.errors import OutputError, ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.port.stack import read_reference, write_reference
from sarship.schema import REFERENCE


def _error_db(found: xr.Dataset, level: np.ndarray, sea: float = 0.02) -> np.ndarray:
    one = found.isel(relative_orbit=0, polarization=0)
    return 10 * np.log10(one["level"].to_numpy() / level_on(level, sea, one["sea"].item() / 0.926))


@pytest.mark.parametrize("n_dates", [8, 16, 30])
def test_level_is_unbiased_where_nothing_ever_lay(n_dates):
    rng = np.random.default_rng(n_dates)
    winds = rng.uniform(0.4, 2.5, n_dates)
    level, dates = empty_port(rng, n_dates, winds)
    found = fit_reference(stack_of(dates), land=LAND, piers=PIER)
    error = _error_db(found, level)
    assert abs(np.median(error[~LAND_CELLS])) < 0.35
    assert abs(np.median(error[LAND_CELLS])) < 0.35
    assert np.percentile(np.abs(error), 95) < 3.2 * 4.34 * 0.5 / np.sqrt(n_dates)
    for name, variable in REFERENCE.items():
        assert found[name].dims == variable.dims, name
    assert found["level"].dtype == np.float32
    assert found["spread"].to_numpy()[0, 0].mean() == pytest.approx(0.5, rel=0.12)
    assert found["enl"].item() == pytest.approx(ENL, rel=0.05)
    assert not found["is_borrowed"].item()


@settings(max_examples=6, deadline=None)
@given(busy=st.sampled_from([0.3, 0.6, 0.8]), contrast_db=st.floats(12, 30), seed=st.integers(0, 1000))
def test_pier_that_is_busy_most_of_the_time_still_shows_empty(busy, contrast_db, seed):
    """At 16 dates, three of them empty: the mean is 15 dB and more off, the median as much, the lowest group 2 dB."""
    rng = np.random.default_rng(seed)
    n_busy = round(busy * 16)
    level, dates = empty_port(rng, 16, np.ones(16))
    vessel = np.zeros(GRID.shape, bool)
    vessel[40:60, 86:89] = True
    for date in rng.permutation(16)[:n_busy]:
        dates[date][vessel] += 0.02 * 10 ** (contrast_db / 10) * rng.gamma(4, 0.25, vessel.sum())
    found = fit_reference(stack_of(dates), land=LAND, piers=PIER)
    error = _error_db(found, level)[vessel]
    assert np.median(error) < 2.0
    assert np.median(error) > -2.0


def test_few_dates_borrow_their_spread_and_say_so():
    rng = np.random.default_rng(1)
    level, dates = empty_port(rng, 5, np.ones(5))
    found = fit_reference(stack_of(dates), land=LAND, piers=PIER)
    assert found["is_borrowed"].item()
    assert found["n_dates"].item() == 5
    spread = found["spread"].to_numpy()[0, 0]
    assert spread.mean() == pytest.approx(0.5, rel=0.2)
    assert spread.std() < 0.1  # five values alone scatter by a third
    assert abs(np.median(_error_db(found, level))) < 0.5


@pytest.mark.parametrize("weather", ["rain", "stripes", "half"])
def test_spoilt_date_does_not_spoil_the_reference(weather):
    rng = np.random.default_rng(2)
    level, dates = empty_port(rng, 12, np.ones(12))
    if weather == "rain":
        down, across = np.mgrid[: GRID.shape[0], : GRID.shape[1]]
        dates[3] *= (1 + 20 * np.exp(-((down - 40) ** 2 + (across - 50) ** 2) / 200)).astype(np.float32)
    elif weather == "stripes":
        dates[3, ::7] += 0.5
    else:
        dates[3, :60] = np.nan
    found = fit_reference(stack_of(dates), land=LAND, piers=PIER)
    assert found["is_coregistered"].all()
    error = _error_db(found, level)
    assert np.abs(np.median(error[30:50, 40:60])) < 0.5
    assert np.percentile(np.abs(error), 99) < 2.5


def test_shifted_date_is_corrected_and_a_strange_one_left_out():
    rng = np.random.default_rng(4)
    _, dates = empty_port(rng, 9, np.ones(9))
    dates[2] = np.roll(dates[2], (3, 0), (0, 1))
    dates[5] = np.random.default_rng(9).permutation(dates[5].ravel()).reshape(GRID.shape)
    stack = stack_of(dates)
    found = fit_reference(stack, land=LAND, piers=PIER)
    assert found["row_shift"].to_numpy()[2] == pytest.approx(3, abs=0.2)
    assert found["is_coregistered"].to_numpy().tolist() == [k != 5 for k in range(9)]
    assert found["n_dates"].item() == 8
    one = of_orbit(found, image_of(stack, 2))
    _, steady = open_water(GRID, LAND, PIER)
    assert shift_of(image_of(stack, 2), one, steady) == pytest.approx((3, 0), abs=0.2)
    assert shift_of(image_of(stack, 0), one, steady) == (0.0, 0.0)
    with pytest.raises(ReferenceImageError, match="cannot be coregistered with"):
        shift_of(image_of(stack, 5), one, steady)
    new = stack_of(np.roll(empty_port(rng, 1, np.ones(1))[1], (0, -2), (1, 2)), first_day=20)
    assert shift_of(image_of(new, 0), one, steady) == pytest.approx((0, -2), abs=0.3)


def test_orbits_are_kept_apart_and_others_refused():
    rng = np.random.default_rng(6)
    _, dates = empty_port(rng, 8, np.ones(8))
    dates[4:, 60:] *= 3
    stack = stack_of(dates, [49] * 4 + [22] * 4)
    found = fit_reference(stack, land=LAND, piers=PIER)
    assert found["relative_orbit"].to_numpy().tolist() == [22, 49]
    assert found["n_dates"].to_numpy().tolist() == [4, 4]
    ratio = found["level"].sel(relative_orbit=22) / found["level"].sel(relative_orbit=49)
    assert float(ratio[0, 60:, 90:].median()) == pytest.approx(3, rel=0.1)
    other = stack_of(dates[:1], 7)
    with pytest.raises(ReferenceImageError, match="knows relative orbit 22, 49"):
        of_orbit(found, image_of(other, 0))
    elsewhere = image_of(stack, 0).isel(y=slice(0, 50))
    with pytest.raises(ReferenceImageError, match="another port, grid or water level"):
        of_orbit(found, elsewhere)


def test_nothing_to_learn_from_is_said():
    dates = np.full((3, *GRID.shape), np.nan, np.float32)
    with pytest.raises(ReferenceImageError, match="none of the 3 dates"):
        fit_reference(stack_of(dates), land=LAND, piers=PIER)


def test_single_date_is_its_own_level():
    _, dates = empty_port(np.random.default_rng(7), 1, np.ones(1))
    found = fit_reference(stack_of(dates))
    assert found["n_dates"].item() == 1
    assert np.isfinite(found["level"]).all()


def test_reference_is_saved_whole_and_read_back(tmp_path):
    _, dates = empty_port(np.random.default_rng(9), 4, np.ones(4))
    found = fit_reference(stack_of(dates), land=LAND, piers=PIER)
    path = write_reference(found, tmp_path / "tartus.nc")
    back = read_reference(path)
    assert PortGrid.of(back) == GRID
    for name in REFERENCE:
        np.testing.assert_array_equal(back[name].to_numpy(), found[name].to_numpy())
    assert complaints_of(path) == []
    with xr.open_dataset(path, decode_coords="all") as opened:
        assert opened["spatial_ref"].attrs["grid_mapping_name"] == "transverse_mercator"
        assert opened["level"].encoding["grid_mapping"] == "spatial_ref"
        assert opened["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert of_orbit(back, image_of(stack_of(dates), 0)).sel(polarization="VV")["n_dates"].item() == 4
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ReferenceImageError, match="not as sarship wrote it"):
        read_reference(path)
    with pytest.raises(ReferenceImageError, match="cannot be read"):
        read_reference(tmp_path / "absent.nc")
    write_reference(found.drop_vars("level"), tmp_path / "part.nc")
    with pytest.raises(ReferenceImageError, match="no reference: it lacks level"):
        read_reference(tmp_path / "part.nc")
    with pytest.raises(OutputError, match="cannot write"):
        write_reference(found, tmp_path / "absent" / "tartus.nc")


def test_sea_level_is_that_of_open_water():
    power = np.full((50, 50), 0.5, np.float32)
    water = np.zeros((50, 50), bool)
    water[:, :25] = True
    power[water] = 0.02
    power[:5, :5] = np.nan
    assert sea_of(power, water) == pytest.approx(0.02)
    assert sea_of(power, np.zeros_like(water)) == pytest.approx(0.02)
    assert np.isnan(sea_of(np.full((5, 5), np.nan, np.float32), np.ones((5, 5), bool)))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no devices among the files")
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full"])
def test_a_device_that_never_ends_is_no_reference(path):
    with pytest.raises(ReferenceImageError, match="no plain file"):
        read_reference(path)
