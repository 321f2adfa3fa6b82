"""Opening products, and reading their pixels: the same in windows, in bands and whole."""

from __future__ import annotations

import hashlib
import pickle
import re
import shutil
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders.manifests import as_from_the_archive, relist
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import GeometryCollection, MultiPoint, Point, Polygon, box, intersects_xy
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from sarship.errors import ProductError, ProductWarning
from sarship.model import Window
from sarship.schema import SIGMA0
from sarship.sentinel1.measurement import CELL, Measurement, clean_borders
from sarship.sentinel1.parts import parts_of
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.simulate import ProductParams, simulate_product

SMALL = ProductParams(shape=(90, 130))


@pytest.fixture(scope="module")
def product(iw_product: tuple[Path, object]) -> GrdProduct:
    return open_grd(iw_product[0])


@pytest.fixture
def own(iw_product: tuple[Path, object], tmp_path: Path) -> Path:
    """A copy of a product that a test may break."""
    return Path(shutil.copytree(iw_product[0], tmp_path / iw_product[0].name))


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def raw(product: GrdProduct, polarization: str) -> np.ndarray:
    file = product.container.find("measurement", polarization)
    assert file is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(product.container.gdal_path(file.name)) as dataset:
            return dataset.read(1)


# --- opening ---------------------------------------------------------------------------------------------------------


def test_what_a_product_says_of_itself(product: GrdProduct) -> None:
    scene = product.scene
    assert (scene.platform, scene.mode, scene.product_type) == ("S1A", "IW", "GRDH")
    assert scene.polarizations == product.polarizations == ("VV", "VH")
    assert product.shape == product.geometry.shape == (600, 720)
    assert product.enl == 4.4
    assert product.has_noise
    assert product.problems == {}
    assert (product.line_spacing_m, product.pixel_spacing_m) == (10.0, 10.0)
    assert scene.footprint.contains(Point(*product.geometry.centre))
    assert scene.id in str(product.path)


def test_other_modes(ew_product: tuple[Path, object], stripmap_product: tuple[Path, object]) -> None:
    wide, strip = open_grd(ew_product[0]), open_grd(stripmap_product[0])
    assert (wide.scene.mode, wide.scene.product_type, wide.polarizations) == ("EW", "GRDM", ("HH", "HV"))
    assert (strip.scene.platform, strip.scene.mode, strip.polarizations) == ("S1C", "S4", ("HH",))
    for each in (wide, strip):
        noise = each.noise("HH")
        assert noise is not None
        assert noise.power(each.window()).min() > 0


@pytest.mark.parametrize("layout", ["plain", "cog", "short"])
@pytest.mark.parametrize("is_zipped", [False, True])
def test_every_packaging_holds_the_same_image(tmp_path: Path, layout: str, is_zipped: bool) -> None:
    make = {"shape": SMALL.shape, "is_zipped": is_zipped, "layout": layout}
    path, _ = simulate_product(tmp_path, ProductParams(**make), n_vessels=1, seed=5)
    plain, _ = simulate_product(tmp_path / "plain", SMALL, n_vessels=1, seed=5)
    packed, reference = open_grd(path), open_grd(plain)
    assert packed.scene.acquisition == reference.scene.acquisition
    for name in ("VV", "VH"):
        np.testing.assert_array_equal(packed.digital_numbers(name), reference.digital_numbers(name))


def test_the_manifest_is_a_way_in(product: GrdProduct) -> None:
    assert open_grd(product.path / "manifest.safe").scene.id == product.scene.id


def test_a_renamed_product_opens(own: Path) -> None:
    moved = own.rename(own.parent / "my harbour {1}, 50% [x]")
    assert open_grd(moved).digital_numbers("VV").shape == (600, 720)
    with zipfile.ZipFile(own.parent / "a {b} c.zip", "w") as archive:
        for file in moved.rglob("*"):
            archive.write(file, file.relative_to(own.parent))
    assert open_grd(own.parent / "a {b} c.zip").digital_numbers("VV").shape == (600, 720)


def test_a_manifest_that_is_not_the_one_of_the_name_is_doubted(own: Path) -> None:
    """The last part of the agency's name is the manifest's CRC-16; nothing else has a checksum of it."""
    product = as_from_the_archive(own)
    opened = open_grd(product)  # a warning is an error here
    path = product / "manifest.safe"
    number = str(opened.scene.relative_orbit)
    changed = path.read_text(encoding="utf-8").replace(f">{number}<", f">{int(number) - 1}<")
    path.write_text(changed, encoding="utf-8")
    with pytest.warns(ProductWarning, match=rf"manifest.safe was changed: .* name ends with {product.stem[-4:]}; "):
        open_grd(product)
    open_grd(product.rename(product.with_name("renamed.SAFE")))  # which has no checksum in its name


def test_a_product_may_be_pickled_and_read_from_threads(product: GrdProduct) -> None:
    copy = pickle.loads(pickle.dumps(product))
    expected = product.digital_numbers("VV")
    with ThreadPoolExecutor(8) as pool:
        for image in pool.map(lambda _: copy.digital_numbers("VV"), range(16)):
            np.testing.assert_array_equal(image, expected)


# --- pixels ----------------------------------------------------------------------------------------------------------


def test_pixels_are_those_of_the_file(product: GrdProduct) -> None:
    for name in product.polarizations:
        pixels = product.digital_numbers(name)
        np.testing.assert_array_equal(pixels, raw(product, name))
        assert pixels.dtype == np.uint16


@st.composite
def windows(draw: st.DrawFn) -> Window:
    line, pixel = draw(st.integers(0, 599)), draw(st.integers(0, 719))
    return Window(line, draw(st.integers(line + 1, 600)), pixel, draw(st.integers(pixel + 1, 720)))


@given(windows(), st.integers(1, 700), st.integers(0, 60))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bands_tile_a_window(product: GrdProduct, window: Window, n_lines: int, halo: int) -> None:
    whole = raw(product, "VV")
    n_lines = max(n_lines, -(-window.shape[0] // 12))
    at = window.line_start
    for core, pixels, read in product.bands("VV", window, n_lines, halo):
        assert (core.line_start, core.pixel_start, core.pixel_stop) == (at, window.pixel_start, window.pixel_stop)
        assert core.line_stop == min(at + n_lines, window.line_stop)
        assert read.line_start == max(at - halo, window.line_start)
        assert read.line_stop == min(core.line_stop + halo, window.line_stop)
        expected = whole[read.line_start : read.line_stop, read.pixel_start : read.pixel_stop]
        np.testing.assert_array_equal(pixels, expected)
        pixels[:] = 0  # the caller's to change, without harm to the next band
        at = core.line_stop
    assert at == window.line_stop


corners = st.tuples(st.integers(-100, 800), st.integers(-100, 700))
areas = st.lists(corners, min_size=3, max_size=5).map(lambda points: MultiPoint(points).convex_hull)


@given(windows(), areas, st.integers(100, 700), st.integers(0, 60))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_needed_of_a_window_is_read(
    product: GrdProduct, window: Window, area: BaseGeometry, n_lines: int, halo: int
) -> None:
    parts = parts_of(window, area)
    expected = np.zeros_like(raw(product, "VV"))
    for part in parts:
        here = slice(part.line_start, part.line_stop), slice(part.pixel_start, part.pixel_stop)
        expected[here] = raw(product, "VV")[here]
    line, pixel = np.mgrid[window.line_start : window.line_stop, window.pixel_start : window.pixel_stop]
    expected = expected[line, pixel]
    needed = intersects_xy(area, pixel, line)
    pixels = product.digital_numbers("VV", window, area)
    np.testing.assert_array_equal(pixels, expected)
    np.testing.assert_array_equal(pixels[needed], raw(product, "VV")[line, pixel][needed])
    for _, band, read in product.bands("VV", window, n_lines, halo, area):
        top = read.line_start - window.line_start
        np.testing.assert_array_equal(band, expected[top : top + len(band)])


@given(windows(), areas, st.integers(0, 40), areas)
def test_what_is_read_of_a_part_was_read_of_the_whole(
    window: Window, area: BaseGeometry, less: int, more: object
) -> None:
    inner = Window(
        min(window.line_start + less, window.line_stop - 1), window.line_stop, window.pixel_start, window.pixel_stop
    )
    whole = [box_of(part) for part in parts_of(window, GeometryCollection([area, more]))]
    for part in parts_of(inner, area):
        assert any(each.covers(box_of(part)) for each in whole)


def box_of(window: Window) -> Polygon:
    return box(window.pixel_start, window.line_start, window.pixel_stop, window.line_stop)


def test_a_caller_may_stop_in_the_middle(product: GrdProduct) -> None:
    for _ in range(3):
        for _band in product.bands("VV", n_lines=7):
            break


def test_a_tag_for_no_data_does_not_matter(tmp_path: Path) -> None:
    image = np.array([[0, 1, 65535], [7, 0, 9]], np.uint16)
    profile = {"driver": "GTiff", "height": 2, "width": 3, "count": 1, "dtype": "uint16", "nodata": 65535}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "m.tiff", "w", **profile) as dataset:
            dataset.write(image, 1)
    found = Measurement(str(tmp_path / "m.tiff"), "m.tiff", (2, 3)).read(Window(0, 2, 0, 3))
    np.testing.assert_array_equal(found, image)


# --- calibration -----------------------------------------------------------------------------------------------------


def test_sigma0_is_the_formula(product: GrdProduct) -> None:
    window = Window(100, 180, 50, 300)
    found = SIGMA0.check(product.sigma0(window=window))
    for name in product.polarizations:
        number = product.digital_numbers(name, window).astype(float)
        noise = product.noise(name)
        assert noise is not None
        gain = product.calibration(name).gain("sigma0", window)
        expected = np.maximum(number**2 - noise.power(window), 0) / gain**2
        expected[number == 0] = np.nan
        np.testing.assert_allclose(found.sel(polarization=name), expected, rtol=1e-6)
    assert found.line[0] == 100
    assert found.pixel[-1] == 299


def test_quantities_and_noise_left_in(product: GrdProduct) -> None:
    window = Window(0, 20, 0, 30)
    with_noise = product.sigma0(window=window, polarizations=["VH"], denoise=False)
    number = product.digital_numbers("VH", window).astype(float)
    for quantity in ("sigma0", "beta0", "gamma0"):
        found = product.sigma0(window=window, polarizations=["VH"], quantity=quantity, denoise=False)  # type: ignore[arg-type]
        gain = product.calibration("VH").gain(quantity, window)  # type: ignore[arg-type]
        np.testing.assert_allclose(found[0], number**2 / gain**2, rtol=1e-6)
        assert found.name == quantity
    assert float(with_noise.mean()) > float(product.sigma0(window=window, polarizations=["VH"]).mean())


def test_scattered_powers_are_calibrated_as_the_image(product: GrdProduct) -> None:
    rng = np.random.default_rng(0)
    line, pixel = rng.integers(0, 600, 40), rng.integers(0, 720, 40)
    for name in product.polarizations:
        power = product.digital_numbers(name)[line, pixel].astype(float) ** 2
        for denoise in (True, False):
            image = product.sigma0(polarizations=[name], denoise=denoise).values[0]
            found = product.sigma0_at(name, line, pixel, power, denoise=denoise)
            np.testing.assert_allclose(found, image[line, pixel], rtol=1e-6)
            assert found.dtype == np.float64


def test_sigma0_of_an_area(product: GrdProduct) -> None:
    area = box(35.79, 34.89, 35.81, 34.91)
    window = product.window(area)
    found = product.sigma0(area=area)
    assert found.shape == (2, *window.shape)
    np.testing.assert_array_equal(found, product.sigma0(window=window))
    with pytest.raises(ValueError, match="not both"):
        product.sigma0(area=area, window=window)


# --- areas -----------------------------------------------------------------------------------------------------------


def test_windows_of_areas(product: GrdProduct) -> None:
    assert product.window() == Window(0, 600, 0, 720)
    area = box(35.79, 34.89, 35.81, 34.91)
    near, far = product.window(area), product.window(area, margin_m=500)
    assert near.line_start - far.line_start == pytest.approx(50, abs=1)
    assert product.window(area, margin_m=1e6) == product.window()


def test_an_area_elsewhere_is_refused_with_both_places(product: GrdProduct) -> None:
    area = translate(product.scene.footprint, 10, 0)
    with pytest.raises(
        ProductError, match=r"does not touch .*which lies in 35\.\d+ 34\.\d+ to 35.*give an area inside"
    ) as no:
        product.window(area)
    assert "45." in str(no.value)


def test_swapped_coordinates_are_pointed_out(product: GrdProduct) -> None:
    with pytest.raises(ProductError, match="latitude and longitude look swapped"):
        product.window(box(34.89, 35.79, 34.91, 35.81))


@pytest.mark.parametrize("area", [Polygon(), box(500000, 3800000, 500100, 3800100), box(-179, -89, -178, -88)])
def test_areas_that_are_nowhere_are_refused(product: GrdProduct, area: Polygon) -> None:
    with pytest.raises(ProductError, match="does not touch"):
        product.window(area)


def test_a_window_past_the_image_is_refused(product: GrdProduct) -> None:
    with pytest.raises(ProductError, match="reaches past the image"):
        product.digital_numbers("VV", Window(0, 601, 0, 720))
    with pytest.raises(ProductError, match="reaches past the image"):
        product.bands("VV", Window(0, 600, 0, 721))


# --- borders ---------------------------------------------------------------------------------------------------------


def test_border_noise_of_old_products_is_no_data(old_product: tuple[Path, object]) -> None:
    product = open_grd(old_product[0])
    assert product.ipf_version < "002.9"
    for name in product.polarizations:
        before, after = raw(product, name), product.digital_numbers(name)
        assert ((before[:, :15] > 0).mean()) > 0.5  # there is noise to be masked
        assert not after[:, :10].any()
        assert not after[:, -10:].any()
        inside = np.s_[:, 64:-64]
        np.testing.assert_array_equal(after[inside], before[inside])
        kept = after > 0
        assert (before[kept] == after[kept]).all()


def test_nothing_of_a_sea_at_the_noise_floor_is_taken_for_border(old_product: tuple[Path, object]) -> None:
    product = open_grd(old_product[0])
    inside = np.s_[:, 26:-26]
    before, after = raw(product, "VH")[inside], product.digital_numbers("VH")[inside]
    assert ((after == 0) & (before > 0)).mean() < 2e-4


def test_border_noise_is_the_same_in_windows_and_bands(old_product: tuple[Path, object]) -> None:
    product = open_grd(old_product[0])
    whole = product.digital_numbers("VH")
    for window in (Window(3, 90, 0, 40), Window(0, 400, 15, 16), Window(17, 301, 400, 480), Window(5, 6, 0, 480)):
        part = np.s_[window.line_start : window.line_stop, window.pixel_start : window.pixel_stop]
        np.testing.assert_array_equal(product.digital_numbers("VH", window), whole[part])
        for n_lines in (1, 13):
            bands = [
                pixels[core.line_start - read.line_start :][: core.shape[0]]
                for core, pixels, read in product.bands("VH", window, n_lines, halo=4)
            ]
            np.testing.assert_array_equal(np.concatenate(bands), whole[part])


def test_new_products_are_left_as_they_are(tmp_path: Path) -> None:
    params = ProductParams(shape=(64, 96), border_pixels=10)
    path, _ = simulate_product(tmp_path, params, n_vessels=1)
    product = open_grd(path)
    np.testing.assert_array_equal(product.digital_numbers("VV"), raw(product, "VV"))
    assert np.isnan(product.sigma0(polarizations=["VV"]).values[0][raw(product, "VV") == 0]).all()


def level(line: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    return np.full(np.broadcast(line, pixel).shape, 800.0)


@pytest.mark.parametrize("width", [5, CELL, CELL + 1, 1000, 5000])
def test_dark_sea_at_the_border_stays(width: int) -> None:
    """Speckle at the level of the noise itself, twice that of the border: no more than a few pixels of it go."""
    rng = np.random.default_rng(width)
    power = 1600 * rng.gamma(4.4, 1 / 4.4, (50, width))
    sea = np.maximum(np.sqrt(power), 1).astype(np.uint16)
    cleaned = sea.copy()
    clean_borders(cleaned, 0, level)
    lost = (cleaned == 0).sum(axis=1)
    assert np.median(lost) <= 2
    assert (cleaned[cleaned > 0] == sea[cleaned > 0]).all()


@pytest.mark.parametrize(("left", "right"), [(0, 0), (1, 70), (64, 3), (2500, 2400), (5000, 0)])
def test_borders_of_any_width_are_found(left: int, right: int) -> None:
    rng = np.random.default_rng(left)
    image = rng.integers(40, 90, (9, 5000)).astype(np.uint16)
    image[:, :left] = rng.integers(0, 12, (9, left))
    image[:, 5000 - right :] = rng.integers(0, 12, (9, right))
    cleaned = image.copy()
    clean_borders(cleaned, 0, level)
    assert not cleaned[:, :left].any()
    assert not cleaned[:, 5000 - right :].any()
    np.testing.assert_array_equal(cleaned[:, left : 5000 - right], image[:, left : 5000 - right])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_window_is_cleaned_as_whole_lines_are(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    n_lines, n_pixels = 6, 500
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    image = rng.integers(20, 60, (n_lines, n_pixels)).astype(np.uint16)
    for row in image:
        left, right = rng.integers(0, data.draw(st.sampled_from([1, 60, 300])), 2)
        row[:left] = rng.integers(0, 12, left)
        row[n_pixels - right :] = rng.integers(0, 12, right)
    path = tmp_path_factory.mktemp("image") / "m.tiff"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", driver="GTiff", height=n_lines, width=n_pixels, count=1, dtype="uint16") as file:
            file.write(image, 1)
    start, line = data.draw(st.integers(0, n_pixels - 1)), data.draw(st.integers(0, n_lines - 1))
    stop = data.draw(st.integers(start + 1, n_pixels))
    part = Measurement(str(path), "m.tiff", image.shape, level).read(Window(line, n_lines, start, stop))
    clean_borders(image, 0, level)
    np.testing.assert_array_equal(part, image[line:, start:stop])


def test_a_window_well_inside_an_old_image_is_read_without_its_whole_lines(
    old_product: tuple[Path, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    product, seen, decode = quietly(old_product[0]), [], Measurement._decode

    def noted(self: Measurement, dataset: object, window: Window, out: object = None) -> np.ndarray:
        seen.append(window.shape[1])
        return decode(self, dataset, window, out)

    monkeypatch.setattr(Measurement, "_decode", noted)
    product.digital_numbers("VV", Window(100, 200, 200, 280))
    assert max(seen) < 80 + 2 * (64 + CELL) < product.shape[1]


def test_dark_water_in_the_middle_is_not_a_border() -> None:
    image = np.full((3, 900), 60, np.uint16)
    image[:, 300:600] = 3
    cleaned = image.copy()
    clean_borders(cleaned, 0, level)
    np.testing.assert_array_equal(cleaned, image)


# --- what is missing or broken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["annotation/*-vh-*.xml", "annotation/calibration/c*-vh-*", "measurement/*-vh-*"])
def test_what_is_complete_opens_and_the_rest_is_warned_of(own: Path, pattern: str) -> None:
    gone = one(own, pattern)
    gone.unlink()
    with pytest.warns(ProductWarning, match=rf"VH cannot be read: {gone.relative_to(own)} is missing"):
        product = open_grd(own)
    assert product.polarizations == ("VV",)
    assert product.scene.polarizations == ("VV", "VH")
    assert product.digital_numbers("VV").any()
    assert list(product.sigma0(window=Window(0, 5, 0, 5)).polarization) == ["VV"]
    with pytest.raises(ProductError, match=rf"VH cannot be read: {gone.relative_to(own)} is missing; fetch"):
        product.digital_numbers("VH")


def test_without_any_image_the_metadata_opens(own: Path) -> None:
    for file in (own / "measurement").iterdir():
        file.unlink()
    with pytest.warns(ProductWarning, match="measurement/.* is missing"):
        product = open_grd(own)
    assert product.polarizations == ()
    assert product.has_noise
    assert product.shape == (600, 720)
    with pytest.raises(ProductError, match=r"no image that can be read: VV .*missing.*; VH .*missing"):
        product.sigma0()


def test_an_empty_image_is_warned_of_and_refused(own: Path) -> None:
    one(own, "measurement/*-vv-*").write_bytes(b"")
    with pytest.warns(ProductWarning, match="VV cannot be read: measurement/.* is empty"):
        product = open_grd(own)
    assert product.polarizations == ("VH",)
    with pytest.raises(ProductError, match="is empty; fetch the product again"):
        next(product.bands("VV"))


def test_a_polarization_that_was_not_recorded_is_refused(product: GrdProduct) -> None:
    with pytest.raises(ProductError, match="HH was not recorded; it has VV, VH"):
        product.digital_numbers("HH")
    assert product.check_polarizations(["VH"]) == ("VH",)
    assert product.check_polarizations() == ("VV", "VH")


def test_without_noise_it_opens_and_says_so(own: Path) -> None:
    one(own, "annotation/calibration/noise-*-vv-*").unlink()
    with pytest.warns(ProductWarning, match="VV has no thermal-noise file; its sigma0 keeps the noise"):
        product = open_grd(own)
    assert product.polarizations == ("VV", "VH")
    assert not product.has_noise
    window = Window(0, 9, 0, 9)
    kept = product.sigma0(window=window, polarizations=["VV"])
    np.testing.assert_array_equal(kept, product.sigma0(window=window, polarizations=["VV"], denoise=False))


def test_noise_of_zero_is_said(tmp_path: Path) -> None:
    path, _ = simulate_product(
        tmp_path, ProductParams(shape=(64, 80), noise="zero", polarizations=("VV",)), n_vessels=1
    )
    with pytest.warns(ProductWarning, match="VV has a thermal noise of zero everywhere"):
        product = open_grd(path)
    assert not product.has_noise
    assert product.digital_numbers("VV").all()


@pytest.mark.parametrize("part", [0.999, 0.5, 0.02])
@pytest.mark.parametrize("layout", ["plain", "cog"])
def test_a_truncated_image_is_refused(tmp_path: Path, part: float, layout: str) -> None:
    path, _ = simulate_product(tmp_path, ProductParams(shape=(200, 240), layout=layout), n_vessels=1)  # type: ignore[arg-type]
    image = one(path, "measurement/*-vv-*")
    image.write_bytes(image.read_bytes()[: int(image.stat().st_size * part)])
    product = open_grd(path)
    with pytest.raises(ProductError, match=rf"{re.escape(image.name)}.*fetch the product again"):
        product.digital_numbers("VV")
    with pytest.raises(ProductError, match=rf"{re.escape(image.name)}.*fetch the product again"):
        list(product.bands("VV", n_lines=16))
    assert product.digital_numbers("VH").any()


def test_an_image_that_is_no_tiff_or_of_another_size_is_refused(own: Path) -> None:
    image = one(own, "measurement/*-vv-*")
    image.write_bytes(b"GIF89a" * 100)
    with pytest.raises(ProductError, match="not a readable TIFF"):
        open_grd(own).digital_numbers("VV")
    for shape, kind in (((600, 719), "uint16"), ((600, 720), "float32")):
        profile = {"driver": "GTiff", "height": shape[0], "width": shape[1], "count": 1, "dtype": kind}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rasterio.open(image, "w", **profile).close()
        with pytest.raises(ProductError, match=r"where the annotation has \(\(600, 720\), 1, 'uint16'\); fetch"):
            open_grd(own).digital_numbers("VV")


def test_damaged_xml_is_refused_with_the_file(own: Path) -> None:
    annotation = one(own, "annotation/*-vv-*.xml")
    whole = annotation.read_bytes()
    annotation.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ProductError, match=re.escape(annotation.name)):
        open_grd(own)
    annotation.write_bytes(whole)
    calibration = one(own, "annotation/calibration/calibration-*-vv-*.xml")
    calibration.write_bytes(calibration.read_bytes()[:-500])
    product = open_grd(own)
    with pytest.raises(ProductError, match=rf"{re.escape(calibration.name)} is damaged"):
        product.sigma0(polarizations=["VV"])


@pytest.mark.parametrize(
    "name", ["annotation/", "annotation/calibration/calibration-", "annotation/calibration/noise-"]
)
def test_xml_that_was_changed_since_it_was_listed_is_refused(own: Path, name: str) -> None:
    table = one(own, f"{name}*-vv-*.xml")
    table.write_bytes(table.read_bytes() + b"\n")
    with pytest.raises(ProductError, match=rf"{re.escape(table.name)} was changed: its MD5 is \w{{32}}, and \w{{32}}"):
        open_grd(own).sigma0(window=Window(0, 9, 0, 9))
    relist(own)
    assert open_grd(own).sigma0(window=Window(0, 9, 0, 9)).size


@pytest.mark.parametrize(
    ("tag", "number"),
    [*[("numberOfLines", n) for n in ("1000000000", "3", "-5", "400")], ("numberOfSamples", "1000000000")],
)
def test_a_size_that_no_image_has_is_refused_before_any_array(own: Path, tag: str, number: str) -> None:
    for table in own.glob("annotation/*.xml"):
        text = table.read_text()
        table.write_text(re.sub(rf"<{tag}>\d+<", f"<{tag}>{number}<", text))
    relist(own)
    tracemalloc.start()
    try:
        with pytest.raises(ProductError, match=r"describes an image of"):
            open_grd(own)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_without_any_annotation_it_does_not_open(own: Path) -> None:
    for file in (own / "annotation").glob("*.xml"):
        file.unlink()
    with pytest.raises(ProductError, match="no annotation of any polarisation"), pytest.warns(ProductWarning):
        open_grd(own)


@pytest.mark.parametrize("kind", ["SLC", "OCN", "RAW"])
def test_other_types_of_product_are_refused(own: Path, kind: str) -> None:
    manifest = own / "manifest.safe"
    text = manifest.read_text()
    assert text.count("productType>GRD<") == 1
    manifest.write_text(text.replace("productType>GRD<", f"productType>{kind}<"))
    with pytest.raises(ProductError, match=f"of type {kind}; sarship reads GRD only"):
        open_grd(own)


# --- speed and memory ------------------------------------------------------------------------------------------------


def test_bands_bound_the_memory(tmp_path: Path) -> None:
    lines, pixels = 4000, 2000
    profile = {"driver": "GTiff", "height": lines, "width": pixels, "count": 1, "dtype": "uint16", "blockysize": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "m.tiff", "w", **profile) as dataset:
            dataset.write(np.ones((1, lines, pixels), np.uint16))
    image = Measurement(str(tmp_path / "m.tiff"), "m.tiff", (lines, pixels))
    tracemalloc.start()
    try:
        total = sum(int(band.sum()) for _, band, _ in image.bands(Window(0, lines, 0, pixels), 100))
        assert total == lines * pixels
        assert tracemalloc.get_traced_memory()[1] < 8 * 100 * pixels * 2
    finally:
        tracemalloc.stop()


def quietly(path: Path) -> GrdProduct:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProductWarning)
        return open_grd(path)


def real_products(real_data: Path) -> Iterator[Path]:
    yield from sorted((real_data / "safe").iterdir())


def test_every_real_product_opens_quickly(real_data: Path) -> None:
    for path in real_products(real_data):
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            product = quietly(path)
            best = min(best, time.perf_counter() - start)
        assert best < 0.6, path  # 0.3 is the aim, 0.02 to 0.18 measured; the rest is for a busy machine
        assert product.scene.id in path.name
        assert product.has_noise == ("_2015" not in path.name)


def test_the_real_full_size_image_reads_by_bands(real_data: Path) -> None:
    product = quietly(one(real_data / "safe", "S1B*"))
    assert product.polarizations == ("VV",)
    assert product.shape == (16705, 26102)
    digest = hashlib.md5(usedforsecurity=False)
    for _, pixels, _ in product.bands("VV", Window(16000, 16705, 0, 26102), 300):
        digest.update(pixels.tobytes())
    assert digest.hexdigest() == hashlib.md5(bytes(705 * 26102 * 2), usedforsecurity=False).hexdigest()


def test_real_images_of_no_bytes_are_refused(real_data: Path) -> None:
    product = quietly(one(real_data / "safe", "S1A_EW*"))
    with pytest.raises(ProductError, match=r"HH cannot be read: measurement/ew-hh.tiff is empty"):
        product.digital_numbers("HH")
