import math

import numpy as np
import pytest
import shapely
from builders.places import on_map
from hypothesis import given
from hypothesis import strategies as st

from sarship.detection import bands
from sarship.detection.params import DetectionParams
from sarship.detection.seen import coverage, shortest_vessel_m
from sarship.detection.single_image import detect
from sarship.model import Window
from sarship.schema import COVERAGE
from sarship.sentinel1.product import open_grd
from sarship.simulate import ProductParams, Vessel, simulate_product


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


@pytest.mark.parametrize("sea", [None, (0, 0, 500, 600)], ids=["no water", "water"])
def test_piers_that_are_read_together_are_covered_as_each_by_itself(product, sea):
    """Far apart and in each other's rings, over the edge, and smaller than a pixel."""
    places = [
        (100, 100, 200, 180),
        (195, 150, 260, 300),
        (-40, 300, 60, 330),
        (640, 540, 740, 640),
        (300.6, 40, 300.9, 41),
    ]
    waters = {str(place): box_on_map(product, *place) for place in places}
    water = None if sea is None else box_on_map(product, *sea)
    together = coverage(product, waters, water=water)
    alone = [coverage(product, {name: area}, water=water) for name, area in waters.items()]
    columns = [name for name in together.columns if name != "geometry"]
    for row, one in enumerate(alone):
        assert together.loc[row, columns].equals(one.loc[0, columns])
        assert together.geometry[row].equals(one.geometry[0])
    assert together["seen"].gt(0).sum() == len(places)


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
