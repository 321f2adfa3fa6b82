"""Dates on one grid: where things land, what happens to their speckle, how far they lie off, what is kept."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import shapely
import xarray as xr
from builders.port_dates import port_dates
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import features
from rasterio.transform import Affine

from sarship import cfar, open_grd
from sarship.change.coregistration import correct_shift, measure_shifts
from sarship.errors import OutputError, PortError, ReferenceImageError
from sarship.port.grid import PortGrid, PortImage, to_port_grid
from sarship.port.port_file import read_port
from sarship.port.resample import interpolate_power
from sarship.port.stack import add_scene, has_scene, read_stack
from sarship.simulate.params import MODES
from sarship.simulate.sea import speckle


@pytest.fixture(scope="module")
def port(harbour):
    return read_port(harbour.port_file)


@pytest.fixture(scope="module")
def grid(port):
    return PortGrid.around(port.area)


@pytest.fixture(scope="module")
def dates(harbour, grid):
    return port_dates(harbour, grid)


@pytest.fixture(scope="module")
def land(port, grid):
    transform = Affine.translation(-0.5, -0.5)
    return features.rasterize([grid.place(port.land)], out_shape=grid.shape, transform=transform).astype(bool)


@settings(max_examples=25, deadline=None)
@given(lon=st.floats(-180, 180), lat=st.floats(-80, 80), row=st.floats(-5, 300), column=st.floats(-5, 300))
def test_places_come_back(lon, lat, row, column):
    grid = PortGrid.around(shapely.Point(lon, lat))
    longitude, latitude = grid.to_map(row, column)
    back = grid.place(shapely.Point(float(longitude), float(latitude)))
    assert (back.y, back.x) == pytest.approx((row, column), abs=1e-3)
    inside = grid.place(shapely.Point(lon, lat))
    assert 49 <= inside.x <= grid.shape[1] - 49
    assert 49 <= inside.y <= grid.shape[0] - 49


def test_grid_refuses_a_sea_and_nothing():
    with pytest.raises(PortError, match="too large"):
        PortGrid.around(shapely.box(10, 50, 12, 52))
    with pytest.raises(PortError, match="empty"):
        PortGrid.around(shapely.Polygon())


def test_vessels_land_where_truth_has_them(iw_product):
    """The bright middle of each patch lies within a cell of the vessel, and the product's place comes back."""
    path, truth = iw_product
    product = open_grd(path)
    grid = PortGrid.around(shapely.box(*product.scene.footprint.bounds).buffer(-0.012))
    image = to_port_grid(product, grid)
    assert image.dims == ("polarization", "y", "x")
    assert image.attrs["units"] == "1"
    seen = PortImage.of(product, grid)
    n_checked = 0
    for vessel in truth.itertuples():
        place = grid.place(vessel.geometry)
        if not (30 < place.x < grid.shape[1] - 30 and 30 < place.y < grid.shape[0] - 30):
            continue
        row, column = round(place.y), round(place.x)
        near = image.to_numpy()[0, row - 20 : row + 21, column - 20 : column + 21].astype(float)
        bright = np.where(near > 0.2 * near.max(), near, 0)
        down, across = np.mgrid[-20:21, -20:21]
        middle = (bright * down).sum() / bright.sum(), (bright * across).sum() / bright.sum()
        assert np.hypot(*middle) * 10 < vessel.length_m / 2
        assert seen.to_product(place.y, place.x) == pytest.approx((vessel.line, vessel.pixel), abs=0.01)
        when = vessel.time.tz_localize(None).to_datetime64()
        assert abs(seen.time_at(place.y) - when) < np.timedelta64(200, "ms")
        n_checked += 1
    assert n_checked >= 3


def test_a_product_is_laid_on_the_grid_at_the_grids_water_level(iw_product):
    """Whatever level the product was opened at; a level is part of the grid and of data on it."""
    product = open_grd(iw_product[0])
    sea = PortGrid.around(shapely.box(*product.scene.footprint.bounds).buffer(-0.02))
    lake = replace(sea, water_level_m=100.0)
    assert lake != sea
    image = to_port_grid(product, lake)
    assert PortGrid.of(image) == lake
    assert image.equals(to_port_grid(product.at_water_level(-50), lake))
    seen = PortImage.of(product, lake)
    assert seen.to_product(20, 30) == product.at_water_level(100).geometry.to_image(*lake.to_map(20, 30))
    assert np.hypot(*np.subtract(seen.to_product(20, 30), PortImage.of(product, sea).to_product(20, 30))) > 10


def test_dates_of_two_water_levels_make_no_stack(iw_product, tmp_path):
    product = open_grd(iw_product[0])
    grid = PortGrid.around(product.scene.footprint.centroid)
    add_scene(tmp_path, "sea", to_port_grid(product, grid))
    add_scene(tmp_path, "lake", to_port_grid(product, replace(grid, water_level_m=183.4)))
    with pytest.raises(ReferenceImageError, match="on different grids or water levels"):
        read_stack(tmp_path)


def test_data_from_before_there_were_lakes_are_of_the_sea(grid):
    image = grid.image(np.zeros((1, *grid.shape), np.float32), ["VV"])
    del image.attrs["water_level_m"]
    assert PortGrid.of(image) == grid


def test_resampling_is_that_of_the_geometry(harbour, grid):
    """What a cell holds is the product's power, interpolated at the place that the geometry gives for the cell."""
    product = open_grd(harbour.products[0])
    image = to_port_grid(product, grid)
    rng = np.random.default_rng(0)
    row, column = rng.integers(60, min(grid.shape) - 60, (2, 40))
    line, pixel = product.geometry.to_image(*grid.to_map(row, column))
    power = product.sigma0(polarizations=["VV"], denoise=False).to_numpy()[0]
    expected = interpolate_power(power, line[None], pixel[None, None], np.empty(0))[0]
    is_sharp = np.abs(line - product.geometry.ground_range.polynomials(0, 700)[1][0]) > 4
    np.testing.assert_allclose(image.to_numpy()[0, row, column][is_sharp], expected[is_sharp], rtol=0.02, atol=1e-3)


def test_speckle_keeps_its_looks_and_its_mean():
    """Between pixels as on them: neither nearest, which jumps, nor bilinear (4.4 looks become 7) does that."""
    image = speckle((600, 600), MODES["IW"], np.random.default_rng(1))
    down, across = np.mgrid[:400, :400].astype(float)
    before = cfar.measure_enl(image[100:500, 100:500])
    for place in ((100.0, 100.0), (100.5, 100.5), (100.25, 100.5)):
        found = interpolate_power(image, down + place[0], across[None] + place[1], np.empty(0))
        assert cfar.measure_enl(found) == pytest.approx(before, rel=0.04)
        assert found.mean() == pytest.approx(image[100:500, 100:500].mean(), rel=0.01)
        assert (found > 0).all()
    turned = down * np.cos(0.2) + across * np.sin(0.2) + 50, across * np.cos(0.2) - down * np.sin(0.2) + 120
    found = interpolate_power(image, turned[0], turned[1][None], np.empty(0))
    assert cfar.measure_enl(found) == pytest.approx(before, rel=0.04)
    assert cfar.measure_correlation(found) == pytest.approx(cfar.measure_correlation(image), rel=0.1)


def test_interpolation_equals_a_plain_sum():
    rng = np.random.default_rng(2)
    image = rng.gamma(4.4, 1 / 4.4, (30, 30)).astype(np.float32)
    for line, pixel in np.round(rng.uniform(4, 25, (20, 2)) * 512) / 512:
        rows, columns = np.arange(int(line) - 2, int(line) + 4), np.arange(int(pixel) - 2, int(pixel) + 4)
        down, over = (
            np.sinc(d) * np.sinc(d / 3) / (np.sinc(d) * np.sinc(d / 3)).sum() for d in (rows - line, columns - pixel)
        )
        expected = down @ image[np.ix_(rows, columns)] @ over
        least = image[int(line) : int(line) + 2, int(pixel) : int(pixel) + 2].min() / 4
        found = interpolate_power(image, np.array([[line]]), np.array([[[pixel]]]), np.empty(0))[0, 0]
        assert found == pytest.approx(max(expected, least), rel=1e-4)


def test_a_change_of_law_does_not_shear():
    """Lines after a border were resampled two pixels off; with both laws given the picture is whole."""
    x = np.arange(60)
    straight = np.tile(2 + np.sin(x / 3), (40, 1)).astype(np.float32)
    sheared = straight.copy()
    sheared[20:] = 2 + np.sin((x - 2) / 3)
    row, column = np.mgrid[5:35, 5:50].astype(float)
    laws = np.stack([column + 0.3, column + 2.3])
    found = interpolate_power(sheared, row + 0.4, laws, np.array([19.5]))
    np.testing.assert_allclose(found, 2 + np.sin((column + 0.3) / 3), atol=0.01)


def test_no_data_stays_no_data():
    image = np.ones((20, 20), np.float32)
    image[:, :8] = np.nan
    row, column = np.mgrid[0:20, 0:20].astype(float)
    found = interpolate_power(image, row - 0.5, column[None] - 0.5, np.empty(0))
    assert np.isnan(found[0]).all()  # above the first line
    assert np.isnan(found[:, :9]).all()  # beside a pixel without data
    np.testing.assert_allclose(found[1:, 9:], 1, rtol=1e-5)


def test_shifts_are_measured_and_taken_out(dates, land):
    """Also of the first date, of one with half the port missing; a date of another place is not aligned."""
    stack = np.stack([date.to_numpy()[0] for date in dates])
    plain = measure_shifts(stack, land)
    assert plain.is_coregistered.all()
    assert not plain.needs_correction.any()
    assert np.abs(plain.rows).max() < 0.1
    assert np.abs(plain.columns).max() < 0.1
    moved = np.concatenate([stack, stack[:1]])
    moved[0] = np.roll(stack[0], (3, -3), (0, 1))
    moved[1] = correct_shift(stack[1], (0.7, 0.3))
    moved[2, : stack.shape[1] // 2] = np.nan
    moved[4] = np.roll(stack[0], (150, 100), (0, 1))
    found = measure_shifts(moved, land)
    assert found.is_coregistered.tolist() == [True, True, True, True, False]
    assert found.needs_correction.tolist() == [True, True, False, False, False]
    assert (found.rows[0], found.columns[0]) == pytest.approx((3, -3), abs=0.3)
    assert (found.rows[1], found.columns[1]) == pytest.approx((-0.7, -0.3), abs=0.3)
    back = correct_shift(moved[0], (3.0, -3.0))
    inside = np.s_[20:-20, 20:-20]
    ratio = np.log(back[inside] / stack[0][inside])
    assert np.abs(np.median(ratio[np.isfinite(ratio)])) < 0.02


def test_where_nothing_stands_still_dates_are_taken_as_they_lie(dates, land):
    stack = np.stack([date.to_numpy()[0] for date in dates])
    for power, steady in ((stack, np.zeros_like(land)), (stack[:1], land)):
        found = measure_shifts(power, steady)
        assert found.is_coregistered.all()
        assert not found.needs_correction.any()
        assert np.isnan(found.rows).all()
    noise = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (4, 100, 100)).astype(np.float32)
    assert np.isnan(measure_shifts(noise, np.ones((100, 100), bool)).rows).all()


def test_stack_is_a_cube_in_order_of_time(tmp_path, dates):
    for image in reversed(dates):
        add_scene(tmp_path / "stack", image["scene"].item(), image, "print")
    cube = read_stack(tmp_path / "stack")
    assert cube["sigma0"].dims == ("time", "polarization", "y", "x")
    assert cube["scene"].to_numpy().tolist() == [image["scene"].item() for image in dates]
    np.testing.assert_array_equal(cube["sigma0"].to_numpy(), np.stack([image.to_numpy() for image in dates]))
    assert PortGrid.of(cube) == PortGrid.of(dates[0])
    assert has_scene(tmp_path / "stack", dates[0]["scene"].item(), "print")
    assert not has_scene(tmp_path / "stack", dates[0]["scene"].item(), "other")
    assert not has_scene(tmp_path / "stack", "other", "print")
    orbit = int(dates[0]["relative_orbit"])
    assert read_stack(tmp_path / "stack", relative_orbit=orbit).sizes["time"] == len(dates)
    with pytest.raises(ReferenceImageError, match="no date of relative orbit 3"):
        read_stack(tmp_path / "stack", relative_orbit=3)


def test_killed_run_leaves_a_valid_stack(tmp_path, dates, monkeypatch):
    add_scene(tmp_path, "a", dates[0])

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.rename", killed)
    with pytest.raises(KeyboardInterrupt):
        add_scene(tmp_path, "b", dates[1])
    monkeypatch.undo()
    assert read_stack(tmp_path).sizes["time"] == 1
    add_scene(tmp_path, "b", dates[1])
    assert read_stack(tmp_path).sizes["time"] == 2


def test_slices_of_a_pass_are_one_date(tmp_path, dates):
    north, south = dates[0].copy(), dates[0].copy()
    north[:, 300:], south[:, :290] = np.nan, np.nan
    south = south.assign_coords(time=south["time"] + np.timedelta64(25, "s"), scene="south")
    add_scene(tmp_path, "north", north)
    add_scene(tmp_path, "south", south)
    cube = read_stack(tmp_path)
    assert cube["scene"].item() == f"{north['scene'].item()} south"
    np.testing.assert_array_equal(cube["sigma0"].to_numpy()[0], dates[0].to_numpy())


def test_stack_says_what_is_wrong(tmp_path, dates):
    with pytest.raises(ReferenceImageError, match="no date"):
        read_stack(tmp_path)
    add_scene(tmp_path, "a", dates[0])
    add_scene(tmp_path, "b", _cropped(dates[1]))
    with pytest.raises(ReferenceImageError, match="different grids"):
        read_stack(tmp_path)
    (tmp_path / "b.zarr" / "zarr.json").write_text("nonsense")
    with pytest.raises(ReferenceImageError, match="damaged"):
        read_stack(tmp_path)
    shutil.rmtree(tmp_path / "b.zarr")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write this folder"):
        add_scene(tmp_path / "file", "a", dates[0])


def _cropped(image: xr.DataArray) -> xr.DataArray:
    return image.isel(y=slice(0, 100))
