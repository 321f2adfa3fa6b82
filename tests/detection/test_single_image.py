import math

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sarship import cfar
from sarship.cfar.params import CfarParams
from sarship.detection import bands
from sarship.detection import single_image as detection
from sarship.detection.bands import Area
from sarship.detection.single_image import coverage, detect, shortest_vessel_m
from sarship.errors import FloodError, ProductError, ProductWarning
from sarship.model import DetectionParams, Hits, Window
from sarship.schema import COVERAGE
from sarship.sentinel1.product import open_grd
from sarship.simulate import ProductParams, Vessel, simulate_product

COLUMNS = ("line", "pixel", "value", "clutter", "score", "is_edge")
LOOSE = DetectionParams(pfa=1e-3, guard_m=60, training_m=90)
"""Many hits, and a ring that is small beside the image."""


@pytest.fixture(scope="module")
def product(iw_product):
    return open_grd(iw_product[0])


@pytest.fixture(scope="module")
def masks(product):
    """Land with a hole that covers a corner and an island; water that leaves out a strip on the right."""
    corner = shapely.Polygon([(-40, -50), (300.3, -50), (120.8, 200.2), (-40, 330.7)])
    lake = shapely.Polygon([(10.2, 20.1), (60.7, 25.3), (40.4, 80.9)])
    island = shapely.Point(500.5, 400.25).buffer(30.3)
    land = shapely.union_all([corner.difference(lake), island])
    return {"land": on_map(product, land), "water": on_map(product, shapely.box(-30, -30, 690.4, 640))}


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


def on_map(product, area):
    """Image coordinates to longitude and latitude."""
    return shapely.transform(
        shapely.segmentize(area, 8), lambda xy: np.column_stack(product.geometry.to_map(xy[:, 1], xy[:, 0]))
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
    with pytest.raises(ValueError, match=r"training_m=1800 has .* make it narrower"):
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


# coverage


def box_on_map(product, pixel, line, right, bottom):
    return on_map(product, shapely.box(pixel, line, right, bottom))


def test_seen_half_seen_and_unseen(product):
    waters = {
        "seen": box_on_map(product, 100, 100, 200, 180),
        "half": box_on_map(product, -100.5, 200, 99.5, 300),
        "corner": box_on_map(product, 619.5, 499.5, 819.5, 699.5),
        "elsewhere": shapely.box(10, 10, 11, 11),
        "near": box_on_map(product, -200, 100, -100, 200),
    }
    table = coverage(product, waters)
    COVERAGE.check(table)
    assert table["pier"].tolist() == list(waters)
    assert set(table["scene"]) == {product.scene.id}
    assert table["seen"][0] == 1
    np.testing.assert_allclose(table["seen"], [1, 0.5, 0.25, 0, 0], atol=2e-3)
    assert table.geometry[0].equals(waters["seen"])
    assert table.geometry[3:].is_empty.all()
    assert table.loc[3:, ["detectable_length_m", "incidence_deg"]].isna().all(axis=None)
    assert table.loc[:2, "detectable_length_m"].between(3, 60).all()
    incidence = product.geometry.incidence_deg([140, 250, 550], [150, 50, 670])
    np.testing.assert_allclose(table["incidence_deg"][:3], incidence, atol=0.05)


def test_imaged_parts_of_two_slices_make_up_the_waters(product):
    """What lies left of an image's edge and what lies right of it tile the waters."""
    waters = box_on_map(product, -100.5, 200, 99.5, 300)
    imaged = coverage(product, {"half": waters}).geometry[0]
    rest = waters.difference(product.geometry.footprint())
    assert imaged.union(rest).area == pytest.approx(waters.area, rel=1e-5)
    assert imaged.intersection(rest).area < 1e-4 * waters.area


def test_waters_without_data_are_not_seen(old_product):
    product = open_grd(old_product[0])
    has_data = product.digital_numbers("VV") > 0
    n_empty = int((~has_data[100:300, :100]).sum())
    assert n_empty > 1000
    table = coverage(product, {"edge": box_on_map(product, -0.5, 99.5, 99.5, 299.5)})
    assert table["seen"][0] == pytest.approx(1 - n_empty / 20_000, abs=2e-3)


def test_waters_smaller_than_a_pixel(product):
    longitude, latitude = product.geometry.to_map(300.4, 300.4)
    table = coverage(product, {"dot": shapely.Point(longitude, latitude).buffer(1e-6)})
    assert table["seen"][0] == 1
    assert table["detectable_length_m"][0] > 0


def test_no_piers_is_an_empty_table(product):
    assert len(COVERAGE.check(coverage(product, {}))) == 0


def test_waters_that_are_masked_are_seen_but_decide_nothing(product):
    waters = box_on_map(product, 100, 100, 200, 180)
    table = coverage(product, {"pier": waters}, land=waters.buffer(0.05))
    assert table["seen"][0] == 1
    assert math.isnan(table["detectable_length_m"][0])


def test_bands_change_nothing_of_the_coverage(product, masks, monkeypatch):
    waters = {"a": box_on_map(product, -50, 100, 300, 500), "b": box_on_map(product, 400, 300, 600, 450)}
    expected = coverage(product, waters, **masks)
    monkeypatch.setattr(bands, "BAND_PIXELS", 97 * 400)
    found = coverage(product, waters, **masks)
    np.testing.assert_allclose(found["seen"], expected["seen"], rtol=1e-6)
    np.testing.assert_allclose(found["detectable_length_m"], expected["detectable_length_m"], rtol=0.02)
    differ = shapely.symmetric_difference(found.geometry.values, expected.geometry.values)
    assert (shapely.area(differ) < 1e-6 * shapely.area(expected.geometry.values)).all()


def test_coverage_across_the_antimeridian(tmp_path):
    params = ProductParams(longitude=180.0, latitude=-17.0, shape=(200, 240), polarizations=("VV",))
    path, _ = simulate_product(tmp_path, params, n_vessels=1)
    product = open_grd(path)
    middle, over = Window(50, 150, 60, 180), Window(0, 200, 0, 240)
    waters = {
        "middle": product.geometry.footprint(middle),
        "over": shapely.MultiPolygon([shapely.box(179.9, -17.2, 180, -16.8), shapely.box(-180, -17.2, -179.9, -16.8)]),
    }
    table = coverage(product, waters)
    assert table["seen"][0] == 1
    part = product.geometry.footprint(over).area / waters["over"].area
    assert table["seen"][1] == pytest.approx(part, rel=1e-3)
    assert table.geometry[1].bounds == pytest.approx((-180, -17.2, 180, -16.8), abs=0.2)


def test_vessels_that_are_dropped_are_not_detectable(product):
    waters = {"seen": box_on_map(product, 100, 100, 200, 180), "unseen": shapely.box(10, 10, 11, 11)}
    length = coverage(product, waters, DetectionParams(min_length_m=70))["detectable_length_m"]
    assert length[0] == 70
    assert math.isnan(length[1])


def test_a_storm_hides_short_vessels(tmp_path):
    lengths, any_length = [], DetectionParams(min_length_m=0)
    for wind in (3.0, 15.0):
        params = ProductParams(shape=(200, 240), wind_m_s=wind, polarizations=("VV",))
        product = open_grd(simulate_product(tmp_path / f"{wind}", params, n_vessels=1)[0])
        table = coverage(product, {"sea": product.geometry.footprint()}, any_length)
        lengths.append(table["detectable_length_m"][0])
    assert lengths[1] > 1.3 * lengths[0]


def test_vessels_of_the_detectable_length_are_mostly_hit(tmp_path):
    """Ten vessels with just the cross-section of the law, half as long again as the shortest that should be hit."""
    calm = open_grd(simulate_product(tmp_path / "empty", n_vessels=1)[0])
    length = 1.5 * coverage(calm, {"sea": calm.geometry.footprint()})["detectable_length_m"][0]
    law = 0.08 * length ** (7 / 3) * (0.78 + 0.11 * 37.0)
    line, pixel = (each.ravel() for each in np.mgrid[100:600:200, 100:700:150])
    places = zip(*calm.geometry.to_map(line, pixel), strict=True)
    vessels = [Vessel(longitude=x, latitude=y, length_m=length, heading_deg=40, rcs_m2=law) for x, y in places]
    hits = detect(open_grd(simulate_product(tmp_path / "full", vessels=vessels)[0]))
    away = np.hypot(hits.line[:, None] - line, hits.pixel[:, None] - pixel)
    assert (away.min(axis=0) < 4).sum() >= 0.7 * line.size


# the shortest vessel


def test_longest_of_one_cell_is_shortest_of_two():
    just = [shortest_vessel_m(level, 35.0, "VV", (20.0, 22.0)) for level in np.linspace(0.2, 3, 3000)]
    assert just[0] < math.sqrt(440) < just[-1]
    steps = np.diff(just)
    assert (steps > 0).all()
    assert steps.max() < 0.1


@given(level=st.floats(1e-4, 10), incidence=st.floats(18, 47))
def test_shortest_vessel_just_reaches_its_threshold(level, incidence):
    resolution = (20.0, 22.0)
    for polarization, loss_db in (("VV", 0), ("HH", 0), ("VH", 11), ("HV", 11)):
        length = shortest_vessel_m(level, incidence, polarization, resolution)
        section = 0.08 * length ** (7 / 3) * (0.78 + 0.11 * incidence) / 10 ** (loss_db / 10)
        n_cells = max(1, length / math.sqrt(440))
        assert section / n_cells / 440 == pytest.approx(level)


def test_nothing_seen_is_said(tmp_path):
    path, _ = simulate_product(tmp_path, ProductParams(shape=(120, 140), polarizations=("VV",)), n_vessels=0)
    tiff = next((path / "measurement").iterdir())
    with rasterio.open(tiff, "r+", driver="GTiff") as image:
        image.write(np.zeros((1, *image.shape), np.uint16))
    with pytest.warns(ProductWarning, match="nothing was seen"):
        assert len(detect(open_grd(path))) == 0
