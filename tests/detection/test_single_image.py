import math
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import shapely
from builders.places import on_map
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar.params import CfarParams
from sarship.detection import bands
from sarship.detection import single_image as detection
from sarship.detection.bands import Area
from sarship.detection.params import DetectionParams
from sarship.detection.single_image import detect
from sarship.errors import FloodError, ProductError, ProductWarning
from sarship.model import Hits, Window
from sarship.sentinel1.product import open_grd
from sarship.simulate import ProductParams, simulate_product

COLUMNS = ("line", "pixel", "value", "clutter", "score", "is_edge")
LOOSE = DetectionParams(pfa=1e-3, guard_m=60, training_m=90)
"""Many hits, and a ring that is small beside the image."""


@pytest.fixture(scope="module")
def whole(product, masks):
    return detect(product, LOOSE, **masks)


def images(product):
    return [product.digital_numbers(name) for name in product.polarizations]


def ring(product, pfa, guard, training):
    """Parameters as the product and the defaults of `DetectionParams` make them."""
    cell = math.prod(product.resolution_m)
    return CfarParams(
        pfa=pfa,
        guard=guard,
        training=training,
        enl=product.enl,
        effective_sample_ratio=product.line_spacing_m * product.pixel_spacing_m / cell,
        min_ring=math.ceil(0.1 * ((2 * (guard + training) + 1) ** 2 - (2 * guard + 1) ** 2)),
    )


def assert_same(found: Hits, expected: Hits) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), strict=True)
    assert found.sigma0.keys() == expected.sigma0.keys()
    for name, column in expected.sigma0.items():
        np.testing.assert_array_equal(found.sigma0[name], column, strict=True)


def part_of(hits: Hits, window: Window) -> Hits:
    inside = (hits.line >= window.line_start) & (hits.line < window.line_stop)
    inside &= (hits.pixel >= window.pixel_start) & (hits.pixel < window.pixel_stop)
    columns = {name: getattr(hits, name)[inside] for name in COLUMNS}
    return Hits(**columns, sigma0={name: column[inside] for name, column in hits.sigma0.items()})


# bands and windows


@pytest.mark.parametrize("n_lines", [5, 113, 599])
def test_bands_equal_the_whole_image(product, monkeypatch, n_lines):
    expected = detect(product, LOOSE)
    assert len(expected) > 200
    monkeypatch.setattr(bands, "BAND_PIXELS", n_lines * 720)
    assert_same(detect(product, LOOSE), expected)


@pytest.mark.parametrize("n_lines", [7, 112, 301])
def test_masked_bands_equal_the_whole_masked_image(product, masks, whole, monkeypatch, n_lines):
    assert len(whole) > 200
    monkeypatch.setattr(bands, "BAND_PIXELS", n_lines * 720)
    assert_same(detect(product, LOOSE, **masks), whole)


def test_bands_of_one_line_equal_the_whole_image(product, masks, whole, monkeypatch):
    window = Window(0, 71, 0, 720)
    monkeypatch.setattr(bands, "BAND_PIXELS", 1)
    assert_same(detect(product, LOOSE, window=window, **masks), part_of(whole, window))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_window_has_the_hits_of_the_whole_image(product, masks, whole, data):
    line, pixel = data.draw(st.integers(0, 599)), data.draw(st.integers(0, 719))
    window = Window(line, data.draw(st.integers(line + 1, 600)), pixel, data.draw(st.integers(pixel + 1, 720)))
    assert_same(detect(product, LOOSE, window=window, **masks), part_of(whole, window))


def test_mask_does_not_depend_on_its_blocks(product, masks, whole, monkeypatch):
    monkeypatch.setattr(bands, "BLOCK", (37, 101))
    assert_same(detect(product, LOOSE, **masks), whole)


def test_progress_counts_the_lines_of_the_window(product, monkeypatch):
    monkeypatch.setattr(bands, "BAND_PIXELS", 100 * 750)
    seen = []
    detect(product, window=Window(50, 350, 100, 800 - 100), progress=lambda *step: seen.append(step))
    assert [total for _, total in seen] == [300] * len(seen)
    assert len(seen) > 2
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == 300


# what is searched, and how


def test_two_polarizations_share_the_false_alarms(product):
    expected = cfar.detect_dual(*images(product), ring(product, DetectionParams().pfa, 20, 20))
    found = detect(product)
    for name in COLUMNS[:-1]:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


CHOICES = [
    {"clutter_model": "lognormal"},
    {"clutter_model": "weibull"},
    {"clutter_model": "k"},
    {"clutter_model": "k", "clutter_shape": 4.0},
    {"clutter_model": "gaussian"},
    {"average": "goca"},
    {"average": "soca"},
    {"average": "os"},
    {"iterations": 3},
    {"clutter_model": "lognormal", "iterations": 2},
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: " ".join(map(str, choice.values())))
def test_every_choice_is_that_of_the_bare_detector(product, monkeypatch, choice):
    """On the whole image, and again in bands whose halo has to hold what the iterations reach."""
    params = {"guard_m": 60, "training_m": 90, "pfa": 1e-3}
    expected = cfar.detect_dual(*images(product), replace(ring(product, 1e-3, 6, 9), **choice))
    found = detect(product, DetectionParams(**params, **choice))
    assert len(found) > 50
    for name in COLUMNS[:-1]:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    default = detect(product, DetectionParams(**params))
    assert not np.array_equal(found.score, default.score)
    monkeypatch.setattr(bands, "BAND_PIXELS", 130 * 720)
    assert_same(detect(product, DetectionParams(**params, **choice)), found)
    window = Window(100, 300, 200, 400)
    assert_same(detect(product, DetectionParams(**params, **choice), window=window), part_of(found, window))


def test_one_polarization_has_all_the_false_alarms(stripmap_product):
    product = open_grd(stripmap_product[0])
    expected = cfar.detect(*images(product), ring(product, 1e-5, 20, 20))
    found = detect(product, DetectionParams(pfa=1e-5))
    assert len(found)
    np.testing.assert_array_equal(found.score, expected.score)
    assert list(found.sigma0) == ["HH"]


def test_ring_is_in_metres(ew_product):
    product = open_grd(ew_product[0])
    expected = cfar.detect_dual(*images(product), ring(product, DetectionParams().pfa, 5, 5))
    np.testing.assert_array_equal(detect(product).score, expected.score)


def test_ring_is_never_without_width(product):
    expected = cfar.detect_dual(*images(product), ring(product, 1e-3, 10, 1))
    found = detect(product, DetectionParams(pfa=1e-3, guard_m=100, training_m=1))
    np.testing.assert_array_equal(found.score, expected.score)


def test_a_ring_too_wide_is_refused_in_metres(product):
    with pytest.raises(ValueError, match=r"a ring of 1800 m around 200 m .* make it narrower"):
        detect(product, DetectionParams(training_m=1800))


def test_a_window_outside_the_image_is_refused(product):
    with pytest.raises(ProductError, match="reaches past the image"):
        detect(product, window=Window(0, 601, 0, 720))


@pytest.mark.parametrize(
    ("masked", "advice"), [(False, "land is not masked: give its polygons"), (True, "polygons of land and water fit")]
)
def test_a_flood_gives_advice(product, masks, monkeypatch, masked, advice):
    monkeypatch.setattr(detection, "MAX_HITS", 20)
    with pytest.raises(FloodError, match=f"{product.scene.id}.*{advice}"):
        detect(product, LOOSE, **(masks if masked else {}))


def test_the_flood_is_that_of_all_bands_together(product, monkeypatch):
    monkeypatch.setattr(bands, "BAND_PIXELS", 720)
    monkeypatch.setattr(detection, "MAX_HITS", 200)
    with pytest.raises(FloodError, match="more than 200 pixels"):
        detect(product, LOOSE)


def test_vessels_are_hit(iw_product, product):
    hits = detect(product)
    for vessel in iw_product[1].itertuples():
        away = np.hypot(hits.line - vessel.line, hits.pixel - vessel.pixel) * 10
        assert away.min() < vessel.length_m / 2 + 20


def test_sigma0_is_that_of_the_product(product, whole):
    image = product.sigma0()
    for name, column in whole.sigma0.items():
        expected = image.sel(polarization=name).values[whole.line, whole.pixel]
        np.testing.assert_allclose(column, expected, rtol=1e-6, atol=1e-12)


def test_edges(product, masks, whole):
    """The whole mask by shapely, the whole image: no bands, no rasterizer."""
    usable = np.zeros((602, 722), np.bool_)
    line, pixel = np.mgrid[:600, :720]
    land, water = (product.geometry.to_image_polygon(masks[name]) for name in ("land", "water"))
    usable[1:-1, 1:-1] = ~shapely.contains_xy(land, pixel, line) & shapely.contains_xy(water, pixel, line)
    usable[1:-1, 1:-1] &= product.digital_numbers("VV") > 0
    assert usable[whole.line + 1, whole.pixel + 1].all()
    near = np.lib.stride_tricks.sliding_window_view(usable, (3, 3)).all(axis=(2, 3))
    np.testing.assert_array_equal(whole.is_edge, ~near[whole.line, whole.pixel])
    assert 0 < whole.is_edge.sum() < len(whole)


def test_missing_data_is_an_edge(old_product):
    product = open_grd(old_product[0])
    image = product.digital_numbers("VV")
    assert (image == 0).any()
    hits = detect(product, DetectionParams(pfa=1e-2, guard_m=50, training_m=50))
    data = np.pad((image > 0) | (product.digital_numbers("VH") > 0), 1)
    near = np.lib.stride_tricks.sliding_window_view(data, (3, 3)).all(axis=(2, 3))
    np.testing.assert_array_equal(hits.is_edge, ~near[hits.line, hits.pixel])
    assert hits.is_edge.any()


# masks


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_area_is_drawn_by_pixel_centres(data):
    place = st.integers(-3000, 9000).map(lambda each: each / 97)
    corner = st.tuples(place, place)
    polygons = [
        shapely.Polygon(data.draw(st.lists(corner, min_size=3, max_size=8))).convex_hull
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    area = shapely.union_all([polygon for polygon in polygons if polygon.area > 1e-3])
    line, pixel = data.draw(st.integers(0, 49)), data.draw(st.integers(0, 39))
    window = Window(line, data.draw(st.integers(line + 1, 50)), pixel, data.draw(st.integers(pixel + 1, 40)))
    drawn = Area.of(area, 40).covers(window)
    lines, pixels = np.mgrid[line : window.line_stop, pixel : window.pixel_stop]
    certain = shapely.distance(area.boundary, shapely.points(pixels, lines)) > 1e-6 if not area.is_empty else True
    expected = shapely.contains_xy(area, pixels, lines)
    assert (drawn == expected)[certain].all()


def test_masked_everywhere_is_no_hits_with_every_column(product):
    everywhere = product.geometry.footprint().buffer(0.1)
    for hits in (detect(product, land=everywhere), detect(product, water=shapely.box(0, 0, 1, 1))):
        assert_same(hits, Hits.empty(product.polarizations))


def test_masked_pixels_are_in_no_ring(product):
    land = on_map(product, shapely.box(300, 200, 400, 300))
    line, pixel = np.mgrid[:600, :720]
    valid = ~shapely.contains_xy(product.geometry.to_image_polygon(land), pixel, line)
    expected = cfar.detect_dual(*images(product), ring(product, 1e-3, 6, 9), valid)
    found = detect(product, LOOSE, land=land)
    np.testing.assert_array_equal(found.line, expected.line)
    np.testing.assert_array_equal(found.clutter, expected.clutter)


def test_nothing_seen_is_said(tmp_path):
    path, _ = simulate_product(tmp_path, ProductParams(shape=(120, 140), polarizations=("VV",)), n_vessels=0)
    tiff = next((path / "measurement").iterdir())
    with rasterio.open(tiff, "r+", driver="GTiff") as image:
        image.write(np.zeros((1, *image.shape), np.uint16))
    with pytest.warns(ProductWarning, match="nothing was seen"):
        assert len(detect(open_grd(path))) == 0
