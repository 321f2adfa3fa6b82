"""The simulator: products are complete and readable by others, and what is in them is what it says."""

from __future__ import annotations

import binascii
import hashlib
import json
import zipfile
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from builders.port_dates import port_dates
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial import cKDTree
from shapely import box

from sarship.errors import ProductWarning
from sarship.model import Window
from sarship.port.grid import PortGrid
from sarship.port.port_file import read_port
from sarship.sentinel1.calibration import read_noise
from sarship.sentinel1.product import open_grd
from sarship.simulate import PortSeries, ProductParams, Vessel, fill_product, simulate_port_series, simulate_product
from sarship.simulate.grid import make_grid
from sarship.simulate.orbit import LIGHT_M_S, locate, orbit_over, see, to_earth
from sarship.simulate.params import MODES, relative_orbit
from sarship.simulate.safe.calibration import gain_row, noise_field, swath_blocks
from sarship.simulate.safe.package import SIMULATED
from sarship.simulate.sea import band, look_weights, response, sea_level, speckle, texture
from sarship.simulate.ships import radar_cross_section, ship_patches

Product = tuple[Path, gpd.GeoDataFrame]
SMALL = ProductParams(shape=(160, 200))


def files_of(path: Path) -> dict[str, str]:
    return {
        str(p.relative_to(path)): hashlib.md5(p.read_bytes()).hexdigest()
        for p in sorted(path.rglob("*"))
        if p.is_file()
    }


def correlation(field: np.ndarray, step: int, axis: int) -> float:
    deviation = field - field.mean()
    return float((deviation * np.roll(deviation, step, axis)).mean() / field.var())


# ---- sea ----


@pytest.mark.parametrize("mode", ["IW", "EW", "S4"])
def test_speckle_has_the_looks_and_the_resolution_of_its_mode(mode: str) -> None:
    field = speckle((600, 600), MODES[mode], np.random.default_rng(1))
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(1, abs=0.01)
    assert 1 / field.var() == pytest.approx(MODES[mode].enl, rel=0.06)
    for axis in (0, 1):
        assert 0.5 < correlation(field, 1, axis) < 0.72
        assert abs(correlation(field, 5, axis)) < 0.04


def test_speckle_is_correlated_as_in_real_products() -> None:
    """Sea in real IW GRDH chips: 0.62 and 0.65 at one pixel, 0.19 and 0.20 at two."""
    field = speckle((1024, 1024), MODES["IW"], np.random.default_rng(2))
    for axis in (0, 1):
        assert correlation(field, 1, axis) == pytest.approx(0.63, abs=0.07)
        assert correlation(field, 2, axis) == pytest.approx(0.17, abs=0.1)


@given(st.floats(1.0, 60.0))
def test_look_weights_come_to_the_wanted_looks(enl: float) -> None:
    weights = look_weights(enl)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= -1e-9).all()
    assert 1 / (weights**2).sum() == pytest.approx(enl, rel=1e-9)


@pytest.mark.parametrize("order", [2.0, 8.0])
def test_texture_is_gamma_of_its_order_and_correlation_length(order: float) -> None:
    field = texture((1024, 1024), order, 4.0, np.random.default_rng(3))
    assert field.mean() == pytest.approx(1, abs=0.02)
    assert 1 / field.var() == pytest.approx(order, rel=0.06)
    assert correlation(field, 4, 0) == pytest.approx(np.exp(-1), abs=0.06)
    assert correlation(field, 30, 1) == pytest.approx(0, abs=0.03)


def test_speckle_times_texture_is_k_distributed() -> None:
    rng = np.random.default_rng(4)
    power = speckle((1024, 1024), MODES["IW"], rng) * texture((1024, 1024), 4.0, 4.0, rng)
    assert (power**2).mean() / power.mean() ** 2 == pytest.approx((1 + 1 / 4.4) * (1 + 1 / 4.0), rel=0.03)


def test_no_texture_is_plain_speckle() -> None:
    assert (texture((40, 50), np.inf, 4.0, np.random.default_rng(0)) == 1).all()


def test_sea_level_follows_incidence_wind_and_polarization() -> None:
    assert 10 * np.log10(sea_level("VV", [30.0, 45.0], 8.0)) == pytest.approx([-12, -20])
    assert sea_level("VV", 35, 3.0) < sea_level("VV", 35, 8.0) < sea_level("VV", 35, 15.0)
    assert sea_level("HH", 40, 8.0) < sea_level("VV", 40, 8.0)
    assert 10 * np.log10(sea_level("VH", 37, 8.0)) == pytest.approx(-27)


def test_impulse_response_keeps_energy_and_has_its_width() -> None:
    for width in band(MODES["IW"]):
        assert (response(np.arange(-300, 301) + 0.37, width) ** 2).sum() == pytest.approx(1, abs=1e-3)
    azimuth, _ = band(MODES["IW"])
    assert response(1.1, azimuth) ** 2 / response(0, azimuth) ** 2 == pytest.approx(0.5, abs=0.01)


def test_level_of_the_image_is_sea_and_noise(tmp_path: Path) -> None:
    params = ProductParams(shape=(500, 400), texture_order=np.inf)
    path, _ = simulate_product(tmp_path, params, vessels=[], seed=3)
    grid = make_grid(params)
    angle, _ = grid.incidence(250.0, np.arange(400))
    for number, polarization in enumerate(params.polarizations, start=1):
        with rasterio.open(next(path.glob(f"measurement/*{number:03d}.tiff"))) as image:
            power = image.read(1).astype(float) ** 2
        sea = sea_level(polarization, angle, params.wind_m_s) * gain_row(params, grid, np.arange(400)) ** 2
        expected = sea + noise_field(params, grid, polarization).power(Window(0, 500, 0, 400))
        assert power.mean() == pytest.approx(expected.mean(), rel=0.015)
        assert 1 / np.var(power / expected) == pytest.approx(4.4, rel=0.08)


# ---- orbit and tie points ----


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-74, 74),
    incidence_deg=st.floats(20, 46),
    heading=st.sampled_from(["ascending", "descending"]),
)
@settings(max_examples=40, deadline=None)
def test_orbit_sees_any_place_at_the_wanted_angle(
    longitude: float, latitude: float, incidence_deg: float, heading: str
) -> None:
    orbit = orbit_over(longitude, latitude, 30.0, incidence_deg, heading)
    seconds, reach = see(orbit, longitude, latitude, 30.0)
    assert abs(seconds) < 1e-6
    found = locate(orbit, seconds, reach, 30.0)
    assert np.linalg.norm(to_earth(*found, 30.0) - to_earth(longitude, latitude, 30.0)) < 1e-3
    altitude = np.linalg.norm(orbit.position(0.0)) - 6_371_000
    assert 690_000 < altitude < 710_000
    assert (orbit.velocity(0.0)[2] > 0) == (heading == "ascending")
    period = 12 * 86_400.0
    assert np.linalg.norm(orbit.position(period) - orbit.position(0.0)) < 1e-3
    speed = (orbit.position(0.01) - orbit.position(-0.01)) / 0.02
    assert speed == pytest.approx(orbit.velocity(0.0), abs=1e-3)


def test_no_orbit_sees_the_pole() -> None:
    with pytest.raises(ValueError, match="nearer the equator"):
        orbit_over(10.0, 89.9, 0.0, 35.0, "ascending")


def _annotation(path: Path) -> ElementTree.Element:
    return ElementTree.parse(min((path / "annotation").glob("*.xml"))).getroot()


def _time(text: str | None) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize("which", ["iw_product", "ew_product", "stripmap_product"])
def test_tie_points_obey_range_and_doppler_of_the_annotated_orbit(which: str, request: pytest.FixtureRequest) -> None:
    """By nothing but the annotation: state vectors joined by cubics, and the two equations."""
    root = _annotation(request.getfixturevalue(which)[0])
    orbits = root.findall(".//orbit")
    when = np.array([_time(o.findtext("time")) for o in orbits])
    start = when[0]
    place, speed = (
        np.array([[float(o.findtext(f"{k}/{a}") or "nan") for a in "xyz"] for o in orbits])
        for k in ("position", "velocity")
    )
    path = CubicHermiteSpline(when - start, place, speed)
    ties = root.findall(".//geolocationGridPoint")
    assert len(ties) > 50
    seconds = np.array([_time(t.findtext("azimuthTime")) for t in ties]) - start
    lon, lat, height, delay = (
        np.array([float(t.findtext(k) or "nan") for t in ties])
        for k in ("longitude", "latitude", "height", "slantRangeTime")
    )
    look = to_earth(lon, lat, height) - path(seconds)
    assert np.linalg.norm(look, axis=1) == pytest.approx(delay * LIGHT_M_S / 2, abs=0.05)
    along = np.abs((look * path(seconds, 1)).sum(1)) / np.linalg.norm(path(seconds, 1), axis=1)
    assert along.max() < 0.6  # metres: times are whole microseconds, and cubics are not circles


@pytest.mark.parametrize("which", ["iw_product", "ew_product", "stripmap_product"])
def test_our_geometry_agrees_with_the_independent_solver(which: str, request: pytest.FixtureRequest) -> None:
    path, truth = request.getfixturevalue(which)
    product = open_grd(path)
    ties = product.annotation.tie_points()
    line, pixel = product.geometry.to_image(ties["longitude"], ties["latitude"], ties["height_m"])
    assert line == pytest.approx(ties["line"], abs=2e-3)
    assert pixel == pytest.approx(ties["pixel"], abs=1e-6)
    line, pixel = product.geometry.to_image(truth["longitude"], truth["latitude"])
    assert line == pytest.approx(truth["line"], abs=2e-3)
    assert pixel == pytest.approx(truth["pixel"], abs=1e-6)


def test_relative_orbit_follows_each_platform() -> None:
    assert [relative_orbit(*x) for x in (("S1A", 46117), ("S1B", 30148), ("S1A", 4739))] == [20, 22, 117]
    assert relative_orbit("S1C", 2000) == relative_orbit("S1C", 2175)


# ---- vessels ----


def test_cross_section_scatters_about_0_6_db_less_than_its_law() -> None:
    ships = [Vessel(longitude=0, latitude=0, length_m=100)] * 500
    patches, drawn = ship_patches(
        ships,
        lambda lon, lat: (np.asarray(lat) * 1e4, np.asarray(lon) * 1e4),
        lambda line, pixel: np.full(np.shape(line), 37.0),
        ("VV", "VH"),
        mode=MODES["IW"],
        rng=np.random.default_rng(0),
    )
    co = np.array([p.sigma0["VV"].sum() for p in patches]) * 100
    cross = np.array([p.sigma0["VH"].sum() for p in patches]) * 100
    assert co == pytest.approx(drawn, rel=1e-4)
    decibel = 10 * np.log10(co / radar_cross_section(100, 37))
    assert decibel.mean() == pytest.approx(-0.6, abs=0.3)
    assert decibel.std() == pytest.approx(3.4, abs=0.3)
    assert np.percentile(10 * np.log10(co / cross), [25, 50, 75]) == pytest.approx([9, 11, 13], abs=0.4)


def test_vessel_is_where_and_as_bright_as_truth_says(tmp_path: Path) -> None:
    params = ProductParams(shape=(300, 320), wind_m_s=3.0)
    grid = make_grid(params)
    spots = [(60.0, 70.0), (150.4, 240.7), (231.7, 111.2)]
    vessels = [
        Vessel(longitude=float(lon), latitude=float(lat), length_m=4, width_m=1, rcs_m2=20_000, heading_deg=30)
        for lon, lat in (grid.sea_place(*spot) for spot in spots)
    ]
    path, truth = simulate_product(tmp_path, params, vessels=vessels, seed=7)
    assert truth[["line", "pixel"]].to_numpy() == pytest.approx(np.array(spots), abs=0.01)
    sigma0 = open_grd(path).sigma0(polarizations=["VV"]).to_numpy()[0]
    for line, pixel in spots:
        top, left = round(line) - 25, round(pixel) - 25
        chip = sigma0[top : top + 51, left : left + 51]
        peak = np.unravel_index(chip.argmax(), chip.shape)
        assert np.hypot(peak[0] + top - line, peak[1] + left - pixel) <= 1.0
        sea = np.median(sigma0[:40]) / 0.93
        assert (chip - sea).sum() * 100 == pytest.approx(20_000, rel=0.05)


def test_long_vessel_lies_along_its_heading(tmp_path: Path) -> None:
    ship = Vessel(longitude=35.80, latitude=34.90, length_m=250, heading_deg=70, rcs_m2=500_000)
    path, _ = simulate_product(tmp_path, ProductParams(shape=(200, 200), wind_m_s=3.0), vessels=[ship], seed=1)
    product = open_grd(path)
    sigma0 = product.sigma0(polarizations=["VV"]).to_numpy()[0]
    line, pixel = np.nonzero(sigma0 > 0.02 * sigma0.max())
    assert 100 < line.size * 100 / 25 < 2_000
    lon, lat = product.geometry.to_map(line, pixel)
    xy = np.stack([(lon - 35.8) * np.cos(np.radians(34.9)), lat - 34.9]) * 111_195
    values, vectors = np.linalg.eigh(np.cov(xy, aweights=sigma0[line, pixel]))
    axis = vectors[:, values.argmax()]
    assert abs((np.degrees(np.arctan2(axis[0], axis[1])) - 70 + 90) % 180 - 90) < 12
    assert np.hypot(*xy).max() < 125 + 60


# ---- packages ----


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    one, truth = simulate_product(tmp_path / "a", SMALL, n_vessels=2, seed=5)
    two, again = simulate_product(tmp_path / "b", SMALL, n_vessels=2, seed=5)
    other, _ = simulate_product(tmp_path / "c", SMALL, n_vessels=2, seed=6)
    assert one.name == two.name
    assert one.name != other.name
    assert files_of(one) == files_of(two)
    assert truth.equals(again)
    assert files_of(one)["manifest.safe"] != files_of(other)["manifest.safe"]


def listed(folder: Path) -> list[tuple[Path, int, str]]:
    root = ElementTree.parse(folder / "manifest.safe").getroot()
    return [
        (
            folder / item.find(".//fileLocation").attrib["href"],  # type: ignore[union-attr]
            int(item.find("byteStream").attrib["size"]),  # type: ignore[union-attr]
            str(item.findtext(".//checksum")),
        )
        for item in root.iter("dataObject")
    ]


def check_manifest(folder: Path, n_files: int) -> None:
    rows = listed(folder)
    assert len(rows) == n_files
    for path, size, checksum in rows:
        assert path.stat().st_size == size
        assert hashlib.md5(path.read_bytes()).hexdigest() == checksum


def test_manifest_has_sizes_and_checksums_of_all_files(iw_product: Product) -> None:
    path, _ = iw_product
    check_manifest(path, 8)
    assert "SIMULATED" in (path / "manifest.safe").read_text()


def test_gdal_opens_it_as_a_sentinel_product(iw_product: Product) -> None:
    path, _ = iw_product
    with rasterio.open(path / "manifest.safe") as whole:
        assert whole.driver == "SAFE"
        assert (whole.shape, whole.count) == ((600, 720), 2)
        assert whole.tags()["ORBIT_DIRECTION"] == "ASCENDING"
        channels = [name for name in whole.subdatasets if "IW_V" in name]
    assert len(channels) == 2
    (image,) = path.glob("measurement/*vv*.tiff")
    with rasterio.open(next(n for n in channels if "IW_VV" in n)) as one, rasterio.open(image) as plain:
        assert (one.read(1) == plain.read(1)).all()
        assert plain.block_shapes == [(1, 720)]
        assert plain.dtypes == ("uint16",)
        assert plain.compression is None
        assert "SIMULATED" in plain.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        points, crs = plain.gcps
    assert crs.to_epsg() == 4326
    ties = open_grd(path).annotation.tie_points()
    assert len(points) == ties.size
    got = np.array([(p.row - 0.5, p.col - 0.5, p.x, p.y) for p in points])
    assert got == pytest.approx(np.stack([ties[n] for n in ("line", "pixel", "longitude", "latitude")], 1), abs=1e-9)


@pytest.mark.parametrize(("which", "groups"), [("iw_product", ["IW/VV", "IW/VH"]), ("stripmap_product", ["S4/HH"])])
def test_xarray_sentinel_opens_it(which: str, groups: list[str], request: pytest.FixtureRequest) -> None:
    path, _ = request.getfixturevalue(which)
    product = open_grd(path)
    tree = xr.open_dataset(path, engine="sentinel-1")
    assert set(groups) <= set(tree.attrs["subgroups"])
    for group in groups:
        image = xr.open_dataset(path, engine="sentinel-1", group=group)
        own = product.digital_numbers(group[-2:])
        assert (image["measurement"].to_numpy() == own).all()
        for part in ("orbit", "attitude", "gcp", "calibration", "noise_range", "coordinate_conversion", "dc_estimate"):
            table = xr.open_dataset(path, engine="sentinel-1", group=f"{group}/{part}")
            assert all(size > 0 for size in table.sizes.values())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"mode": "EW", "polarizations": ("HH", "HV"), "incidence_deg": 30.0}, "S1A_EW_GRDM_1SDH"),
        ({"mode": "S6", "platform": "S1D", "polarizations": ("VV",)}, "S1D_S6_GRDH_1SSV"),
        ({"platform": "S1B", "orbit_pass": "descending", "longitude": 179.99, "latitude": -17.0}, "S1B_IW_GRDH_1SDV"),
        ({"platform": "S1C", "layout": "cog"}, "S1C_IW_GRDH_1SDV"),
        ({"layout": "short"}, "S1A_IW_GRDH_1SDV"),
        ({"is_zipped": True, "noise": "old"}, "S1A_IW_GRDH_1SDV"),
        ({"latitude": 74.0, "longitude": 20.0}, "S1A_IW_GRDH_1SDV"),
    ],
)
def test_options_make_what_they_say(change: dict[str, object], name: str, tmp_path: Path) -> None:
    params = replace(SMALL, **change)
    path, truth = simulate_product(tmp_path, params, n_vessels=1, seed=2)
    assert path.name.startswith(name)
    product = open_grd(path)
    scene = product.scene
    assert product.shape == SMALL.shape
    assert product.has_noise
    assert (scene.platform, scene.mode, scene.orbit_pass) == (params.platform, params.mode, params.orbit_pass)
    assert scene.polarizations == product.polarizations == params.polarizations
    assert scene.relative_orbit == relative_orbit(params.platform, params.absolute_orbit)
    assert product.enl == pytest.approx(params.specification.enl)
    assert product.resolution_m == pytest.approx(params.specification.resolution_m, rel=0.15)
    line, pixel = product.geometry.to_image(params.longitude, params.latitude)
    assert (float(line), float(pixel)) == pytest.approx((79.5, 99.5), abs=0.01)
    assert float(product.geometry.incidence_deg(79.5, 99.5)) == pytest.approx(params.incidence_deg, abs=0.01)
    for polarization in params.polarizations:
        assert (product.digital_numbers(polarization) == 0).mean() < 0.01
    assert scene.start < truth["time"].iloc[0] < scene.stop
    assert set(truth["scene"]) == {scene.id}


def test_cloud_optimised_twin_holds_the_same_pixels(tmp_path: Path) -> None:
    plain, _ = simulate_product(tmp_path, SMALL, n_vessels=1, seed=2)
    cog, _ = simulate_product(tmp_path, replace(SMALL, layout="cog"), n_vessels=1, seed=2)
    assert cog.name.endswith("_COG.SAFE")
    assert plain.name[-9:-5] != cog.name[-13:-9]
    check_manifest(cog, 8)
    for one, two in zip(sorted(plain.glob("measurement/*")), sorted(cog.glob("measurement/*")), strict=True):
        assert two.stem == f"{one.stem}-cog"
        with rasterio.open(one) as a, rasterio.open(two) as b:
            assert (a.read(1) == b.read(1)).all()
            assert b.block_shapes == [(512, 512)]
            assert b.compression.name == "zstd"
            assert len(a.gcps[0]) == len(b.gcps[0])
    assert open_grd(plain).scene.acquisition == open_grd(cog).scene.acquisition


def test_short_layout_maps_names(tmp_path: Path) -> None:
    path, _ = simulate_product(tmp_path, replace(SMALL, layout="short"), n_vessels=1)
    assert (path / "annotation/iw-vv.xml").exists()
    names = json.loads((path / "productInfo.json").read_text())["filenameMap"]
    assert "annotation/calibration/noise-iw-vh.xml" in names.values()
    assert all(not (path / name).exists() for name in names)


def test_zip_holds_one_package(old_product: Product) -> None:
    path, _ = old_product
    with zipfile.ZipFile(path) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {path.stem + ".SAFE"}
    assert not path.with_suffix(".SAFE").exists()


@pytest.mark.parametrize("noise", ["zero", "absent"])
def test_product_without_noise_is_flagged_by_the_reader(noise: str, tmp_path: Path) -> None:
    path, _ = simulate_product(tmp_path, replace(SMALL, noise=noise), n_vessels=1)
    with pytest.warns(ProductWarning):
        assert not open_grd(path).has_noise
    assert len(listed(path)) == (8 if noise == "zero" else 6)


def test_the_antimeridian_is_a_place_like_any_other(tmp_path: Path) -> None:
    params = ProductParams(shape=(64, 80), latitude=10.0)
    there, here = (
        simulate_product(tmp_path / str(longitude), replace(params, longitude=longitude), n_vessels=0)[0]
        for longitude in (180.0, 170.0)
    )
    for name in ("azimuthTimeInterval", "platformHeading"):
        found, expected = (float(_annotation(path).findtext(f".//{name}", "nan")) for path in (there, here))
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("mode", ["IW", "EW", "S2"])
@pytest.mark.parametrize("noise", ["new", "old"])
def test_noise_in_the_image_is_what_the_file_says(mode: str, noise: str, tmp_path: Path) -> None:
    params = ProductParams(mode=mode, noise=noise, shape=(900, 500), polarizations=("HH",), incidence_deg=30.0)
    path, _ = simulate_product(tmp_path, replace(params, shape=(120, 140)), n_vessels=0)
    (name,) = path.glob("annotation/calibration/noise*")
    small = replace(params, shape=(120, 140))
    field = noise_field(small, make_grid(small), "HH")
    own = field.power(Window(0, 120, 0, 140))
    assert read_noise(name.read_bytes(), name.name).power(Window(0, 120, 0, 140)) == pytest.approx(own, rel=1e-5)
    part = Window(31, 97, 20, 133)
    assert field.power(part) == pytest.approx(own[31:97, 20:133], rel=1e-6)
    assert bool(field.blocks) == (noise == "new" and mode != "S2")


def test_swath_blocks_tile_the_image() -> None:
    for params in (SMALL, replace(SMALL, mode="EW"), replace(SMALL, mode="S1")):
        times = np.zeros(params.shape, int)
        for block in swath_blocks(params):
            times[block.first_line : block.last_line + 1, block.first_pixel : block.last_pixel + 1] += 1
        assert (times == 1).all()


@pytest.mark.parametrize("has_border_noise", [False, True])
def test_border_has_no_data_or_small_numbers(has_border_noise: bool, tmp_path: Path) -> None:
    params = replace(SMALL, border_pixels=15, has_border_noise=has_border_noise, noise="old")
    path, _ = simulate_product(tmp_path, params, n_vessels=1)
    with rasterio.open(next(path.glob("measurement/*vv*"))) as image:
        numbers = image.read(1)
    edges = np.concatenate([numbers[:, :12], numbers[:, -12:]], 1)
    assert edges.max() == (11 if has_border_noise else 0)
    assert numbers[:, 20:-20].min() > 0


def test_bad_parameters_are_named() -> None:
    for change, word in (
        ({"mode": "WV"}, "mode"),
        ({"platform": "S2A"}, "platform"),
        ({"polarizations": ("VV", "HH")}, "VV"),
        ({"incidence_deg": 60.0}, "incidence_deg"),
        ({"shape": (5, 500)}, "shape"),
        ({"time": datetime(2024, 1, 1)}, "UTC"),
    ):
        with pytest.raises(ValueError, match=word):
            replace(SMALL, **change)


def test_too_many_vessels_do_not_fit(tmp_path: Path) -> None:
    land = shapely.box(35.0, 34.0, 36.5, 35.5)
    with pytest.raises(ValueError, match="do not fit"):
        simulate_product(tmp_path, SMALL, n_vessels=3, land=land)


# ---- a port ----


def test_harbour_is_complete(harbour: PortSeries) -> None:
    port = read_port(harbour.port_file)
    assert set(port.piers["kind"]) == {"pier", "anchorage"}
    assert len(port.piers) == 6
    counts = harbour.counts()
    assert (counts["Naval mole"] == 0).all()
    assert (counts.sum(axis=1) > 0).all()
    assert counts.to_numpy().sum() >= 20
    passes = [[open_grd(path).scene for path in one.slices] for one in harbour.passes]
    assert [" ".join(s.id for s in scenes) for scenes in passes] == list(counts.index)
    assert {s.relative_orbit for scenes in passes for s in scenes} == {87}
    assert {s.platform for scenes in passes for s in scenes} == {"S1A", "S1C"}
    gaps = [(b[0].start - a[0].start).total_seconds() / 86_400 for a, b in pairwise(passes)]
    assert gaps == pytest.approx([6, 6, 12], abs=2e-4)
    assert all(b[0].start.microsecond != a[0].start.microsecond for a, b in pairwise(passes))
    columns = ["time", "scene", "pier", "longitude", "latitude", "length_m", "width_m", "heading_deg"]
    assert set(columns) <= set(harbour.truth.columns)
    assert harbour.truth["length_m"].between(20, 250).all()


def test_moored_vessels_lie_along_their_pier_on_the_water(harbour: PortSeries) -> None:
    port = read_port(harbour.port_file)
    metres = port.piers.set_index("name").to_crs(32636)
    true_land = gpd.GeoSeries([port.land], crs=4326).to_crs(32636).buffer(-25.5).iloc[0]
    truth = harbour.truth.to_crs(32636)
    for row in truth[truth["pier"].notna()].itertuples():
        distance = metres.geometry[row.pier].distance(row.geometry)
        if row.pier == "Anchorage":
            assert distance == 0
        else:
            assert 0 < distance - row.width_m / 2 < 9
            assert true_land.distance(row.geometry) > 0
    spots = np.stack([truth.geometry.x, truth.geometry.y], 1)
    for _, rows in truth.groupby("scene"):
        near = cKDTree(spots[rows.index]).query(spots[rows.index], k=2)[0][:, 1]
        assert near.min() > 30


def test_structure_is_steady_and_speckle_is_not(harbour: PortSeries) -> None:
    port = read_port(harbour.port_file)
    grid = PortGrid.around(port.area)
    assert port.land is not None
    longitude, latitude = grid.to_map(*np.indices(grid.shape))
    ground = shapely.contains_xy(port.land.buffer(-0.0008), longitude, latitude)
    sea = shapely.contains_xy(box(*grid.to_map(540, 60), *grid.to_map(440, 180)), longitude, latitude)
    assert ground.sum() > 5_000
    for first, second in pairwise(image.to_numpy()[0] for image in port_dates(harbour, grid)):
        shown = ground & np.isfinite(first) & np.isfinite(second)
        assert shown.sum() > 0.9 * ground.sum()
        one, two = (10 * np.log10(image[shown] + 1e-3) for image in (first, second))
        assert 0.5 < np.corrcoef(one, two)[0, 1] < 0.97
        assert abs(one.mean() - two.mean()) < 1
        water = sea & np.isfinite(first) & np.isfinite(second)
        assert water.sum() > 5_000
        assert abs(np.corrcoef(first[water], second[water])[0, 1]) < 0.05


def test_harbour_follows_its_seed(tmp_path: Path) -> None:
    params = ProductParams(shape=(700, 700), polarizations=("VV",))
    one, same, other = (
        simulate_port_series(tmp_path / str(k), seed=seed, n_dates=1, tidy=False, params=params)
        for k, seed in enumerate((1, 1, 2))
    )
    assert files_of(one.products[0]) == files_of(same.products[0])
    assert one.truth.equals(same.truth)
    assert not one.truth["longitude"].equals(other.truth["longitude"])
    assert one.port_file.read_bytes() == other.port_file.read_bytes()


# ---- a real product's geometry ----


@pytest.mark.parametrize("layout", ["plain", "short", "zip", "cog"])
def test_filled_product_keeps_its_tables_and_has_new_pixels(layout: str, tmp_path: Path) -> None:
    style = {"is_zipped": True} if layout == "zip" else {"layout": layout}
    params = replace(ProductParams(shape=(400, 420)), **style)
    source, _ = simulate_product(tmp_path / "source", params, n_vessels=0, seed=1)
    path, truth = fill_product(source, tmp_path / "out", n_vessels=4, land_fraction=0.3, seed=9)
    check_manifest(path, 8)
    assert "SIMULATED" in (path / "manifest.safe").read_text()
    before, after = open_grd(source), open_grd(path)
    assert after.scene.acquisition == before.scene.acquisition
    assert (after.noise("VV").power_at(7, 9), after.enl) == (before.noise("VV").power_at(7, 9), before.enl)  # type: ignore[union-attr]
    ties = [p.annotation.tie_points() for p in (before, after)]
    assert (ties[0] == ties[1]).all()
    land = gpd.read_file(tmp_path / "out" / "land.geojson").union_all()
    on_ground = shapely.area(after.geometry.to_image_polygon(land)) / (400 * 420)
    assert on_ground == pytest.approx(0.3, abs=0.03)
    assert not shapely.contains_xy(land, truth["longitude"], truth["latitude"]).any()
    sigma0 = after.sigma0(polarizations=["VV"]).to_numpy()[0]
    for row in truth.itertuples():
        line, pixel = round(row.line), round(row.pixel)
        assert sigma0[line - 15 : line + 16, pixel - 15 : pixel + 16].max() > 10 * np.median(sigma0[:, :100])


def test_filling_a_product_of_the_agency_marks_it_as_simulated(tmp_path: Path) -> None:
    """Neither is its name, with the checksum of the manifest as it was, held against it."""
    source, _ = simulate_product(tmp_path / "source", SMALL, n_vessels=0, seed=1)
    document = source / "manifest.safe"
    text = document.read_text().replace(f">{SIMULATED}<", ">SAR Standard L1 Product<")
    document.write_text(text)
    real = source.with_name(f"{source.stem[:-4]}{binascii.crc_hqx(text.encode(), 0xFFFF):04X}.SAFE")
    source.rename(real)
    assert not open_grd(real).is_simulated
    path, _ = fill_product(real, tmp_path / "out", vessels=[])
    assert open_grd(path).is_simulated


def test_filling_chooses_a_polarization(tmp_path: Path) -> None:
    path, truth = fill_product(SMALL, tmp_path, vessels=[], polarizations=["VH"])
    product = open_grd(path)
    assert product.polarizations == product.scene.polarizations == ("VH",)
    check_manifest(path, 4)
    assert truth.empty
    assert {"time", "line", "rcs_m2"} <= set(truth.columns)
    again, _ = fill_product(SMALL, tmp_path / "again", vessels=[], polarizations=["VH"])
    assert files_of(path) == files_of(again)


def test_filling_by_tiles_leaves_no_seam(tmp_path: Path) -> None:
    """An image wider than a tile of speckle: no jump in level, no repeat from tile to tile."""
    path, _ = fill_product(replace(SMALL, shape=(64, 4_300)), tmp_path, vessels=[], polarizations=["VV"])
    sigma0 = open_grd(path).sigma0(polarizations=["VV"]).to_numpy()[0]
    level = np.array([sigma0[:, k : k + 400].mean() for k in range(0, 4_000, 400)])
    assert (np.diff(np.log(level)) < 0.1).all()
    assert level[0] > level[-1]
    one, two = sigma0[:, :2_000].ravel(), sigma0[:, 2_048:4_048].ravel()
    assert abs(np.corrcoef(one / one.mean(), two / two.mean())[0, 1]) < 0.1


def test_filling_a_real_product(real_data: Path, tmp_path: Path) -> None:
    """Real tables, the real size of a stripmap scene."""
    (source,) = (real_data / "safe").glob("S1C_S4*.SAFE")
    path, truth = fill_product(source, tmp_path, n_vessels=30, polarizations=["HH"], seed=1)
    product = open_grd(path)
    assert product.is_simulated
    assert product.shape == (11_524, 8_087)
    row = truth.loc[truth["rcs_m2"].idxmax()]
    line, pixel = round(row["line"]), round(row["pixel"])
    chip = product.digital_numbers("HH", Window(line - 20, line + 20, pixel - 20, pixel + 20))
    assert chip.max() > 4 * np.median(chip)
