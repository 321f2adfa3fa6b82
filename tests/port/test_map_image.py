"""Images on a map: what they are told to be, what their tags and names say, and what their pixels contradict."""

from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from sarship.detection.seen import coverage
from sarship.errors import ProductError
from sarship.port.grid import PortGrid, PortImage, to_port_grid
from sarship.port.map_facts import MapFacts, facts_of_name
from sarship.port.map_file import geotiff_bytes
from sarship.port.map_image import open_map_image
from sarship.port.port_file import read_port
from sarship.port.stack import add_scene, has_scene, read_scene
from sarship.sentinel1.product import open_grd

SAID = MapFacts(
    quantity="sigma0", scale="linear", platform="S1A", relative_orbit=94, time=datetime(2024, 12, 3, 15, 42)
)
PLACE = Affine(10, 0, 760_000, 0, -10, 3_870_000)


def sea(shape=(96, 128), level=0.02, enl=4.4, seed=0):
    return (level * np.random.default_rng(seed).gamma(enl, 1 / enl, shape)).astype(np.float32)


def write(path, *bands, transform=PLACE, crs="EPSG:32636", names=("VV", "VH"), tags=(), **options):
    profile = {"driver": "GTiff", "height": bands[0].shape[0], "width": bands[0].shape[1], "count": len(bands)}
    with rasterio.open(path, "w", dtype=bands[0].dtype, crs=crs, transform=transform, **profile, **options) as file:
        file.write(np.stack(bands))
        file.descriptions = names[: len(bands)]
        file.update_tags(**dict(tags))
    return path


def array(power, **attrs):
    y, x = 3_870_000 - 10.0 * np.arange(power.shape[0]), 760_000 + 10.0 * np.arange(power.shape[1])
    coords = {"y": y, "x": x, "time": np.datetime64("2024-12-03T15:42:00"), "sat:relative_orbit": 94}
    whole = {"crs": "EPSG:32636", "platform": "SENTINEL-1A"} | attrs
    return xr.DataArray(power, coords, ("y", "x"), "vv", {key: value for key, value in whole.items() if value})


@pytest.fixture(scope="module")
def gridded(harbour, tmp_path_factory):
    """A product, the port's grid, and the product on it as a GeoTIFF."""
    product, port = open_grd(harbour.products[0]), read_port(harbour.port_file)
    grid = PortGrid.around(port.area)
    path = tmp_path_factory.mktemp("gridded") / "date.tif"
    path.write_bytes(geotiff_bytes(to_port_grid(product, grid), product))
    return product, grid, open_map_image(path)


def test_a_product_comes_back_from_its_own_geotiff(gridded):
    product, grid, image = gridded
    for name in ("id", "platform", "mode", "start", "stop", "absolute_orbit", "relative_orbit", "orbit_pass"):
        assert getattr(image.scene, name) == getattr(product.scene, name)
    assert image.polarizations == product.polarizations
    assert image.is_simulated
    before, after = to_port_grid(product, grid), to_port_grid(image, grid)
    assert float(after["incidence"]) == pytest.approx(float(before["incidence"]), abs=0.001)
    before, after = (each.to_numpy()[:, 1:-1, 1:-1] for each in (before, after))
    assert np.array_equal(np.isnan(before), np.isnan(after))
    bright = before > 0.01
    assert after[bright] == pytest.approx(before[bright], rel=0.011)  # half a digital number


def test_the_direction_of_range_is_that_of_the_product(gridded):
    product, grid, image = gridded
    rows, columns = np.array([100.0, 100.0, 101.0]), np.array([100.0, 101.0, 100.0])
    for k in (0, 1):  # along the flight, and across it
        steps = [PortImage.of(one, grid).track_m(rows, columns)[k] for one in (product, image)]
        mine, theirs = ((step[1:] - step[0]) / 10 for step in steps)
        assert mine == pytest.approx(theirs, abs=0.03)


@pytest.mark.parametrize(
    ("power", "changed", "said", "reason"),
    [
        (sea(), {"crs": ""}, {}, "no reference system"),
        (sea(), {"transform": Affine(9, 2, 760_000, 2, -9, 3_870_000)}, {}, "rotated or not north up"),
        (sea(), {"transform": Affine(0.1, 0, 35, 0, -0.1, 35), "crs": "EPSG:4326"}, {}, "pixels of 1[01],... m"),
        (sea(), {}, {"time": None}, "does not say when it was taken"),
        (sea(), {}, {"platform": None}, "does not say its satellite"),
        (sea(), {}, {"relative_orbit": None}, "does not say its relative orbit"),
        (sea(), {}, {"scale": None}, "does not say its scale .* look like linear power or amplitude"),
        (10 * np.log10(sea()), {}, {"scale": None}, "does not say its scale .* look like decibel"),
        (sea(), {}, {"quantity": None}, "does not say its quantity"),
        (10 * np.log10(sea()), {}, {}, "said to be linear, but 100% of its pixels are below 0"),
        (sea(), {}, {"scale": "decibel"}, "none of its pixels is below 0"),
        (sea(level=9e4), {}, {}, "its median is"),
        ((1e5 * sea()).astype(np.uint16), {}, {}, "whole numbers"),
        (sea(), {"names": ("",)}, {}, "does not say the polarisation"),
        (sea(), {"tags": {"relative_orbit": "21"}}, {}, "relative orbit is 94 by what you said, 21 by the tags"),
        (sea(), {"tags": {"relative_orbit": "many"}}, {}, "relative_orbit is 'many', which is no relative_orbit"),
        (sea(), {"tags": {"relative_orbit": "300"}}, {}, "numbered 1 to 175"),
        (sea(), {"tags": {"SARSHIP_SCENE": "=1+1"}}, {}, "spreadsheet"),
    ],
)
def test_what_is_not_known_or_contradicts_the_pixels_is_refused(tmp_path, power, changed, said, reason):
    path = write(tmp_path / "date.tif", power, **changed)
    with pytest.raises(ProductError, match=reason) as found:
        open_map_image(path, MapFacts(**{name: getattr(SAID, name) for name in SAID.__slots__} | said))
    assert "date.tif" in str(found.value)
    assert "\n" not in str(found.value)


def test_exchanged_bands_are_refused_and_an_order_that_is_said_is_taken(tmp_path):
    path = write(tmp_path / "date.tif", sea(level=0.002), sea(seed=1))
    with pytest.raises(ProductError, match=r"VV and VH exchanged: the second is \d+\.\d times as bright"):
        open_map_image(path, SAID)
    said = MapFacts(**{name: getattr(SAID, name) for name in SAID.__slots__} | {"polarizations": ("VH", "VV")})
    assert (
        open_map_image(path, said).digital_numbers("VV").mean()
        > open_map_image(path, said).digital_numbers("VH").mean()
    )


@pytest.mark.parametrize("content", [b"", b"II*\x00", b"not an image"])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ProductError, match=r"a\.tif is not there, or is no image on a map"):
        open_map_image(tmp_path / "a.tif", SAID)


@pytest.mark.parametrize("scale", ["linear", "decibel"])
def test_no_data_however_it_is_written_is_no_water(tmp_path, scale):
    values = sea() if scale == "linear" else 10 * np.log10(sea())
    values[0, :6] = [0, np.nan, -9999, -32768, -np.inf, -77]
    path = write(tmp_path / "date.tif", values, nodata=-77)
    said = MapFacts(**{name: getattr(SAID, name) for name in SAID.__slots__} | {"scale": scale})
    assert open_map_image(path, said).digital_numbers("VV")[0, :7].astype(bool).tolist() == [False] * 6 + [True]


def test_all_scales_give_the_same_numbers(tmp_path):
    power = sea()
    numbers = open_map_image(write(tmp_path / "linear.tif", power), SAID).digital_numbers("VV").astype(int)
    assert numbers == pytest.approx(1000 * np.sqrt(power), abs=0.51)
    for scale, values in (("decibel", 10 * np.log10(power.astype(float))), ("amplitude", np.sqrt(power))):
        said = MapFacts(**{name: getattr(SAID, name) for name in SAID.__slots__} | {"scale": scale})
        other = open_map_image(write(tmp_path / f"{scale}.tif", values), said).digital_numbers("VV").astype(int)
        assert np.abs(other - numbers).max() <= 1


def test_bytes_of_amplitude_keep_their_ratios(tmp_path):
    amplitude = np.clip(300 * np.sqrt(sea()), 0, 255).astype(np.uint8)
    said = MapFacts(scale="amplitude", platform="S1A", relative_orbit=94, time=datetime(2024, 12, 3, 4, tzinfo=UTC))
    image = open_map_image(write(tmp_path / "bytes.tif", amplitude), said)
    assert np.array_equal(image.digital_numbers("VV"), 100 * amplitude.astype(int))
    assert image.scene.orbit_pass == "descending"  # 4 o'clock there is before 6:30


def test_files_of_a_polarisation_each_are_one_image(tmp_path):
    for name, level in (("VV", 0.02), ("VH", 0.002)):
        write(tmp_path / f"S1A_IW_20241203T154200_DVP_RTC10_G_gpuned_5B3F_{name}.tif", sea(level=level), names=("",))
    for path in sorted(tmp_path.iterdir()):
        image = open_map_image(path, MapFacts(relative_orbit=94))
        assert image.polarizations == ("VV", "VH")
        assert image.scene.id == "S1A_IW_20241203T154200_DVP_RTC10_G_gpuned_5B3F"
        assert image.facts.quantity == "gamma0"
        assert image.scene.start == datetime(2024, 12, 3, 15, 42, tzinfo=UTC)


def test_gamma0_becomes_sigma0_with_the_incidence(tmp_path):
    path = write(tmp_path / "date.tif", sea(), tags={"incidence_deg": "35"})
    said = MapFacts(**{name: getattr(SAID, name) for name in SAID.__slots__} | {"quantity": "gamma0"})
    sigma0 = float(open_map_image(path, said).sigma0().mean() / open_map_image(path, SAID).sigma0().mean())
    assert sigma0 == pytest.approx(np.cos(np.radians(35)), rel=1e-3)


def test_planetary_computers_names_say_all():
    name = "S1A_IW_GRDH_1SDV_20241203T154155_20241203T154220_056819_06F9AF"
    facts = facts_of_name(
        f"https://x/sentinel1-grd-rtc/GRD/2024/12/3/IW/DV/{name}_rtc/measurement/iw-vv.rtc.tiff?sig=a"
    )
    assert (facts.quantity, facts.scale, facts.platform, facts.relative_orbit) == ("gamma0", "linear", "S1A", 47)
    assert facts.scene == name


def test_a_masked_water_of_asf_is_refused():
    with pytest.raises(ProductError, match="water masked"):
        facts_of_name("S1A_IW_20241203T154200_DVP_RTC10_G_gpwned_5B3F_VV.tif")


def test_a_table_says_of_each_file_what_it_knows(tmp_path):
    for name in ("a.tif", "b.tif"):
        write(tmp_path / name, sea())
    table = tmp_path / "scenes.csv"
    table.write_text(
        "file,time,platform,rel_orbit,scene\na.tif,2024-12-03T15:42:00Z,S1A,94,A\n*.tif,2024-12-08,s1c,21,\n"
    )
    said = MapFacts(quantity="sigma0", scale="linear", scenes=table)
    a, b = (open_map_image(tmp_path / name, said).scene for name in ("a.tif", "b.tif"))
    assert (a.id, a.relative_orbit, b.id, b.relative_orbit, b.platform) == ("A", 94, "b", 21, "S1C")
    table.write_text("path,time\na.tif,2024\n")
    with pytest.raises(ProductError, match="no column 'file'"):
        open_map_image(tmp_path / "a.tif", said)


def test_an_array_upside_down_and_one_in_degrees_lie_where_they_say():
    power = sea()
    image = open_map_image(array(power), SAID)
    turned = open_map_image(array(power).isel(y=slice(None, None, -1)), SAID)
    assert np.array_equal(image.digital_numbers("VV"), turned.digital_numbers("VV"))
    assert image.mark() == turned.mark() != open_map_image(array(2 * power), SAID).mark()
    west, north = image.geometry.to_map(0, 0)
    degrees = array(power, crs="EPSG:4326").assign_coords(
        x=west + 1.1e-4 * np.arange(128), y=north - 9e-5 * np.arange(96)
    )
    placed = open_map_image(degrees.rename(x="longitude", y="latitude"), SAID)
    assert placed.geometry.to_image(west, north) == pytest.approx((0, 0), abs=1e-6)
    assert placed.pixel_spacing_m == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (array(sea(), crs=""), "no reference system"),
        (array(sea()).drop_vars("y"), "no evenly spaced coordinate y"),
        (array(sea()).rename(x="easting"), "give y and x"),
        (array(sea()).drop_vars("time").expand_dims(time=2), "one time"),
    ],
)
def test_an_array_that_is_no_map_is_refused(given, reason):
    with pytest.raises(ProductError, match=reason):
        open_map_image(given, SAID)


def test_enl_and_correlation_are_those_of_the_open_water():
    power = sea((256, 256))
    power[:, 128:] = 20 * np.random.default_rng(2).lognormal(0, 1.5, (256, 128))  # a city
    image = open_map_image(array(power), MapFacts(quantity="sigma0", scale="linear"))
    measured = image.measured(image.window())
    assert measured.enl == pytest.approx(4.4, rel=0.1)
    assert measured.sample_ratio == pytest.approx(1, abs=0.15)
    assert measured.resolution_m[0] == pytest.approx(10 / np.sqrt(measured.sample_ratio), rel=0.01)
    assert image.measured(image.window(), np.zeros(image.shape, bool)) is None


def test_a_date_without_its_incidence_goes_through_the_stack(tmp_path):
    image = open_map_image(array(sea()), SAID)
    grid = PortGrid.around(image.scene.footprint, margin_m=0)
    date = to_port_grid(image, grid)
    assert np.isnan(date["incidence"])
    add_scene(tmp_path, "date", date, "mark")
    assert has_scene(tmp_path, "date", "mark")
    assert read_scene(tmp_path, "date").equals(date)
    (seen,) = coverage(image, {"Quay": image.scene.footprint})["detectable_length_m"]
    assert np.isnan(seen)
