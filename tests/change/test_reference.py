"""The empty port: its level and spread, however busy the pier and whatever the weather; and what it refuses."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from builders.cf import complaints_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship.change.empty_level import lowest_groups
from sarship.change.port_check import doubtful_piers
from sarship.change.reference import fit_reference, level_on, of_orbit, open_water, sea_of, shift_of
from sarship.detection.sidelobes import sidelobes_of
from sarship.errors import OutputError, ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.port.stack import read_reference, write_reference
from sarship.schema import PORT_SIGMA0, REFERENCE

GRID = PortGrid(crs="EPSG:32636", west_m=700_000.0, north_m=3_800_000.0, shape=(120, 120))
LAND_CELLS = np.zeros(GRID.shape, bool)
LAND_CELLS[:, 90:] = True
ENL = 4.4


def _outline(top: float, bottom: float, left: float, right: float) -> shapely.Polygon:
    """A rectangle of cells in longitude and latitude."""
    rows, columns = np.array([top, top, bottom, bottom]) - 0.5, np.array([left, right, right, left]) - 0.5
    return shapely.Polygon(np.column_stack(GRID.to_map(rows, columns)))


LAND = _outline(-10, 130, 90, 130)
PIER = _outline(20, 100, 89, 91)


def _empty(rng: np.random.Generator, n_dates: int, winds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True level at a sea of 0.02, and dates of speckle over it: sea that follows the wind, land that does not."""
    ground = np.random.default_rng(5).lognormal(np.log(0.2), 0.8, GRID.shape)
    level = np.where(LAND_CELLS, ground, 0.02)
    dates = np.where(LAND_CELLS, ground, 0.02 * winds[:, None, None])
    return level, (dates * rng.gamma(ENL, 1 / ENL, (n_dates, *GRID.shape))).astype(np.float32)


def _stack(dates: np.ndarray, orbit: int | list[int] = 49, first_day: int = 0) -> xr.Dataset:
    n = len(dates)
    power = dates[:, None] if dates.ndim == 3 else dates
    coords = {
        "time": np.datetime64("2025-01-01", "ns") + np.arange(first_day, first_day + n) * np.timedelta64(12, "D"),
        "polarization": ["VV", "VH"][: power.shape[1]],
        "y": GRID.y,
        "x": GRID.x,
        "scene": ("time", [f"scene-{k}" for k in range(first_day, first_day + n)]),
        "relative_orbit": ("time", [orbit] * n if isinstance(orbit, int) else orbit),
    }
    cube = xr.DataArray(power, coords, ("time", *PORT_SIGMA0.dims), attrs=PORT_SIGMA0.attrs)
    return xr.Dataset({"sigma0": cube}, attrs=GRID.attrs)


def _image(stack: xr.Dataset, k: int) -> xr.DataArray:
    return stack["sigma0"].isel(time=k).assign_attrs(stack.attrs)


def _error_db(found: xr.Dataset, level: np.ndarray, sea: float = 0.02) -> np.ndarray:
    one = found.isel(relative_orbit=0, polarization=0)
    return 10 * np.log10(one["level"].to_numpy() / level_on(level, sea, one["sea"].item() / 0.926))


@pytest.mark.parametrize("n_dates", [8, 16, 30])
def test_level_is_unbiased_where_nothing_ever_lay(n_dates):
    rng = np.random.default_rng(n_dates)
    winds = rng.uniform(0.4, 2.5, n_dates)
    level, dates = _empty(rng, n_dates, winds)
    found = fit_reference(_stack(dates), land=LAND, piers=PIER)
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
    level, dates = _empty(rng, 16, np.ones(16))
    vessel = np.zeros(GRID.shape, bool)
    vessel[40:60, 86:89] = True
    for date in rng.permutation(16)[:n_busy]:
        dates[date][vessel] += 0.02 * 10 ** (contrast_db / 10) * rng.gamma(4, 0.25, vessel.sum())
    found = fit_reference(_stack(dates), land=LAND, piers=PIER)
    error = _error_db(found, level)[vessel]
    assert np.median(error) < 2.0
    assert np.median(error) > -2.0


def test_lowest_group_equals_a_plain_one():
    rng = np.random.default_rng(3)
    cube = rng.gamma(ENL, 1 / ENL, (12, 8, 8)).astype(np.float32)
    cube[:5, :, 4:] *= 40
    cube[2, 3, 3] = np.nan
    level, squares, n_empty = lowest_groups(cube, np.full(12, 1e-9), 1e-9, 0.5)  # no sea: nothing follows it
    for y, x in np.ndindex(8, 8):
        values = np.sort(np.log(cube[:, y, x][np.isfinite(cube[:, y, x])].astype(float)))
        mean, taken = values[max(2, round(0.2 * values.size)) - 1], 0
        while True:
            group = values[: max(2, np.searchsorted(values, mean + 2.5 * 0.5, side="right"))]
            mean = group.mean()
            if group.size <= taken:
                break
            taken = group.size
        assert n_empty[y, x] == group.size
        assert np.log(level[y, x]) == pytest.approx(mean, abs=1e-5)
        assert squares[y, x] == pytest.approx(((group - mean) ** 2).sum(), rel=1e-4, abs=1e-5)


def test_few_dates_borrow_their_spread_and_say_so():
    rng = np.random.default_rng(1)
    level, dates = _empty(rng, 5, np.ones(5))
    found = fit_reference(_stack(dates), land=LAND, piers=PIER)
    assert found["is_borrowed"].item()
    assert found["n_dates"].item() == 5
    spread = found["spread"].to_numpy()[0, 0]
    assert spread.mean() == pytest.approx(0.5, rel=0.2)
    assert spread.std() < 0.1  # five values alone scatter by a third
    assert abs(np.median(_error_db(found, level))) < 0.5


@pytest.mark.parametrize("weather", ["rain", "stripes", "half"])
def test_spoilt_date_does_not_spoil_the_reference(weather):
    rng = np.random.default_rng(2)
    level, dates = _empty(rng, 12, np.ones(12))
    if weather == "rain":
        down, across = np.mgrid[: GRID.shape[0], : GRID.shape[1]]
        dates[3] *= (1 + 20 * np.exp(-((down - 40) ** 2 + (across - 50) ** 2) / 200)).astype(np.float32)
    elif weather == "stripes":
        dates[3, ::7] += 0.5
    else:
        dates[3, :60] = np.nan
    found = fit_reference(_stack(dates), land=LAND, piers=PIER)
    assert found["is_coregistered"].all()
    error = _error_db(found, level)
    assert np.abs(np.median(error[30:50, 40:60])) < 0.5
    assert np.percentile(np.abs(error), 99) < 2.5


def test_shifted_date_is_put_right_and_a_strange_one_left_out():
    rng = np.random.default_rng(4)
    _, dates = _empty(rng, 9, np.ones(9))
    dates[2] = np.roll(dates[2], (3, 0), (0, 1))
    dates[5] = np.random.default_rng(9).permutation(dates[5].ravel()).reshape(GRID.shape)
    stack = _stack(dates)
    found = fit_reference(stack, land=LAND, piers=PIER)
    assert found["row_shift"].to_numpy()[2] == pytest.approx(3, abs=0.2)
    assert found["is_coregistered"].to_numpy().tolist() == [k != 5 for k in range(9)]
    assert found["n_dates"].item() == 8
    one = of_orbit(found, _image(stack, 2))
    _, steady = open_water(GRID, LAND, PIER)
    assert shift_of(_image(stack, 2), one, steady) == pytest.approx((3, 0), abs=0.2)
    assert shift_of(_image(stack, 0), one, steady) == (0.0, 0.0)
    with pytest.raises(ReferenceImageError, match="cannot be coregistered with"):
        shift_of(_image(stack, 5), one, steady)
    new = _stack(np.roll(_empty(rng, 1, np.ones(1))[1], (0, -2), (1, 2)), first_day=20)
    assert shift_of(_image(new, 0), one, steady) == pytest.approx((0, -2), abs=0.3)


def test_orbits_are_kept_apart_and_others_refused():
    rng = np.random.default_rng(6)
    _, dates = _empty(rng, 8, np.ones(8))
    dates[4:, 60:] *= 3
    stack = _stack(dates, [49] * 4 + [22] * 4)
    found = fit_reference(stack, land=LAND, piers=PIER)
    assert found["relative_orbit"].to_numpy().tolist() == [22, 49]
    assert found["n_dates"].to_numpy().tolist() == [4, 4]
    ratio = found["level"].sel(relative_orbit=22) / found["level"].sel(relative_orbit=49)
    assert float(ratio[0, 60:, 90:].median()) == pytest.approx(3, rel=0.1)
    other = _stack(dates[:1], 7)
    with pytest.raises(ReferenceImageError, match="knows relative orbit 22, 49"):
        of_orbit(found, _image(other, 0))
    elsewhere = _image(stack, 0).isel(y=slice(0, 50))
    with pytest.raises(ReferenceImageError, match="another port or grid"):
        of_orbit(found, elsewhere)


def test_nothing_to_learn_from_is_said():
    dates = np.full((3, *GRID.shape), np.nan, np.float32)
    with pytest.raises(ReferenceImageError, match="none of the 3 dates"):
        fit_reference(_stack(dates), land=LAND, piers=PIER)


def test_single_date_is_its_own_level():
    _, dates = _empty(np.random.default_rng(7), 1, np.ones(1))
    found = fit_reference(_stack(dates))
    assert found["n_dates"].item() == 1
    assert np.isfinite(found["level"]).all()


def test_ship_that_never_leaves_stands_in_the_reference_and_a_crane_or_a_corner_does_not():
    rng = np.random.default_rng(10)
    _, dates = _empty(rng, 10, np.ones(10))
    quay = np.s_[:, 20:100, 88:90]
    dates[quay] += 0.4 * rng.gamma(ENL, 1 / ENL, dates[quay].shape)
    ship, crane = np.s_[:, 50:62, 86:89], np.s_[:, 80:83, 86:90]
    for place, power in ((ship, 4.0), (crane, 30.0)):
        dates[place] += power * rng.gamma(ENL, 1 / ENL, dates[place].shape)
    down, across = (10.0 * (axis - spot) for axis, spot in zip(np.indices(dates.shape[1:]), (35, 87), strict=True))
    corner = np.fmax(sidelobes_of((down, across), (22.0, 20.0)), np.exp2(-4 * ((down / 22) ** 2 + (across / 20) ** 2)))
    dates += 100 * corner * rng.gamma(ENL, 1 / ENL, dates.shape)  # with a cross of 120 m above the quay
    is_permanent = fit_reference(_stack(dates), land=LAND, piers=PIER)["is_permanent"].to_numpy()[0, 0]
    assert is_permanent[ship[1:]].mean() > 0.8
    assert not is_permanent[crane[1:]].any()
    assert not is_permanent[20:49].any()
    assert is_permanent.sum() < 60


def test_reference_is_saved_whole_and_read_back(tmp_path):
    _, dates = _empty(np.random.default_rng(9), 4, np.ones(4))
    found = fit_reference(_stack(dates), land=LAND, piers=PIER)
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
    assert of_orbit(back, _image(_stack(dates), 0)).sel(polarization="VV")["n_dates"].item() == 4
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ReferenceImageError, match="cannot be read"):
        read_reference(path)
    with pytest.raises(ReferenceImageError, match="cannot be read"):
        read_reference(tmp_path / "absent.nc")
    found[["sea"]].to_netcdf(tmp_path / "part.nc", engine="h5netcdf")
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


def test_pier_that_was_drawn_in_the_open_sea_is_told_from_one_at_a_quay():
    _, dates = _empty(np.random.default_rng(12), 4, np.ones(4))
    found = fit_reference(_stack(dates), land=LAND, piers=PIER)
    places = {
        "quay": (PIER, "pier"),
        "adrift": (_outline(30, 60, 30, 31), "pier"),
        "roads": (_outline(10, 70, 20, 60), "anchorage"),
        "elsewhere": (_outline(900, 910, 900, 901), "pier"),
    }
    shapes, kinds = zip(*places.values(), strict=True)
    piers = gpd.GeoDataFrame({"name": list(places), "kind": kinds}, geometry=list(shapes), crs="EPSG:4326")
    assert doubtful_piers([found], piers) == ["adrift"]
    assert doubtful_piers([], piers) == []
