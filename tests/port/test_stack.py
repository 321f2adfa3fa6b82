"""The stack and the references that a run keeps: read back as they were written, or not at all."""

import numpy as np
import pytest
import xarray as xr
from builders.array_dates import LAND, PIER, empty_port, stack_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS

from sarship.change.reference import fit_reference
from sarship.errors import ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.port.stack import add_scene, has_scene, read_reference, read_scene, read_stack, write_reference

GRID = PortGrid(crs="EPSG:32636", west_m=640.0, north_m=320.0, shape=(40, 30))
OF_A_FOLDER = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _image(seed: int = 1) -> xr.DataArray:
    power = np.random.default_rng(seed).gamma(4.4, 0.01, (2, *GRID.shape)).astype(np.float32)
    power[1, :5] = np.nan
    time = np.datetime64("2024-12-03T15:42:10.123456", "ns")
    return GRID.image(
        power,
        ("VV", "VH"),
        scene="S1A_1",
        platform="S1A",
        relative_orbit=94,
        orbit_pass="ascending",
        time=time,
        incidence=38.5,
    )


@pytest.fixture(scope="module")
def reference():
    _, dates = empty_port(np.random.default_rng(3), 6, np.ones(6))
    return fit_reference(stack_of(dates), land=LAND, piers=PIER).assign_attrs(fingerprint="abc")


def test_a_scene_is_read_as_it_was_added(tmp_path):
    add_scene(tmp_path, "one", _image(), "mark")
    xr.testing.assert_equal(read_scene(tmp_path, "one").drop_vars("stop"), _image())
    assert has_scene(tmp_path, "one", "mark")
    assert not has_scene(tmp_path, "one", "another")
    assert not has_scene(tmp_path, "none", "mark")


def test_a_scene_opens_in_xarray_with_its_coordinates(tmp_path):
    image = _image()
    with xr.open_zarr(add_scene(tmp_path, "one", image), consolidated=False) as found:
        assert found["time"].to_numpy() == image["time"].to_numpy()
        np.testing.assert_array_equal(found["x"], image["x"])
        np.testing.assert_array_equal(found["y"], image["y"])
        assert CRS.from_cf(found["spatial_ref"].attrs) == CRS(GRID.crs)
        assert set(found.coords) == {"x", "y", "time", "spatial_ref"}
        assert set(found.data_vars) == {"VV", "VH"}
        np.testing.assert_array_equal(found["VH"], image.sel(polarization="VH"))


@pytest.mark.parametrize("name", ["zarr.json", "VV/zarr.json", "VV/c/0/0", "VH/c/0/0", "VH"])
def test_a_scene_that_lacks_a_file_is_not_there(tmp_path, name):
    place = add_scene(tmp_path, "one", _image(), "mark")
    (place / name).rename(tmp_path / "gone")
    assert not has_scene(tmp_path, "one", "mark")
    with pytest.raises(ReferenceImageError, match=r"damaged"):
        read_stack(tmp_path)


@OF_A_FOLDER
@given(where=st.floats(0, 1), bit=st.integers(0, 7), number=st.integers(0, 11))
def test_a_changed_bit_changes_no_pixel(tmp_path, where, bit, number):
    place = add_scene(tmp_path, "one", _image(), "mark")
    files = sorted(path for path in place.rglob("*") if path.is_file())
    assert len(files) == 12
    content = bytearray(files[number].read_bytes())
    content[int(where * (len(content) - 1))] ^= 1 << bit
    files[number].write_bytes(content)
    if has_scene(tmp_path, "one", "mark"):  # a blank of the JSON, say
        xr.testing.assert_equal(read_scene(tmp_path, "one").drop_vars("stop"), _image())
    else:
        with pytest.raises(ReferenceImageError, match=r"damaged|different grids"):
            read_stack(tmp_path)


def test_a_reference_is_read_as_it_was_written(tmp_path, reference):
    path = write_reference(reference, tmp_path / "empty.nc")
    found = read_reference(path)
    xr.testing.assert_equal(found, reference)
    assert {name: found.attrs[name] for name in reference.attrs} == reference.attrs
    xr.testing.assert_equal(read_reference(write_reference(found, path)), reference)


@pytest.fixture(scope="module")
def written(reference, tmp_path_factory):
    return write_reference(reference, tmp_path_factory.mktemp("reference") / "empty.nc").read_bytes()


@OF_A_FOLDER
@given(where=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_damaged_reference_is_refused_before_hdf5_sees_it(tmp_path, written, where, bit):
    """HDF5 searches some damaged files for ever, and h5netcdf complains on standard error of what it could not open."""
    path = tmp_path / "empty.nc"
    content = bytearray(written)
    place = int(where * (len(content) - 1))
    content[place] ^= 1 << bit
    for damaged in (bytes(content), written[:place]):
        path.write_bytes(damaged)
        with pytest.raises(ReferenceImageError, match=r"is not as sarship wrote it"):
            read_reference(path)


def test_others_read_a_reference_as_netcdf(tmp_path, reference):
    with xr.open_dataset(write_reference(reference, tmp_path / "empty.nc"), engine="h5netcdf") as opened:
        xr.testing.assert_equal(opened["level"].load().drop_vars("spatial_ref"), reference["level"])


def test_a_reference_changed_by_hand_is_refused(tmp_path, reference):
    path = write_reference(reference, tmp_path / "empty.nc")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        changed = opened.load()
    changed["level"][:] *= 2
    changed.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ReferenceImageError, match=r"not as sarship wrote it"):
        read_reference(path)
