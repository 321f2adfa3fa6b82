"""A scene on a local map: places where they are, brightness kept, nothing where nothing was imaged."""

import numpy as np
import pytest
import shapely

from sarship.plots.local_map import CELLS, MIN_M, map_of, sigma0_on_map
from sarship.sentinel1.product import open_grd


@pytest.fixture(scope="module")
def product(iw_product):
    return open_grd(iw_product[0])


def around(longitude, latitude, half=0.01):
    return shapely.box(longitude - half, latitude - half, longitude + half, latitude + half)


@pytest.mark.parametrize("place", [(35.8, 34.9), (0.0, 0.0), (179.985, -18.0), (15.6, 78.2), (-70.0, -52.0)])
def test_map_holds_the_area_with_room_and_goes_there_and_back(place):
    area = around(*place)
    local = map_of(area)
    west, east, south, north = local.extent
    x, y = local.plane.flatten(*np.array(area.exterior.coords).T)
    assert min(x.min() - west, east - x.max(), y.min() - south, north - y.max()) > 0
    assert local.width_m >= MIN_M
    assert local.height_m >= MIN_M
    longitude, latitude = local.unproject(x, y)
    expected = np.array(area.exterior.coords)
    np.testing.assert_allclose((longitude - expected[:, 0] + 180) % 360 - 180, 0, atol=1e-7)
    np.testing.assert_allclose(latitude, expected[:, 1], atol=1e-7)


def test_a_long_thin_place_is_not_a_strip():
    local = map_of(shapely.LineString([(35.7, 34.9), (35.9, 34.9)]))
    assert local.height_m >= local.width_m / 3


def test_a_point_is_shown_with_its_surroundings():
    local = map_of(shapely.Point(35.8, 34.9))
    assert local.width_m == local.height_m == pytest.approx(MIN_M)


def test_lines_are_cut_outside_the_border():
    local = map_of(around(35.8, 34.9))
    west, east, south, north = local.extent
    country = around(35.8, 34.9, half=1.0)  # its border is far off, and is not drawn as a coast along the frame
    for x, y in local.lines(country):
        outside = (x < west) | (x > east) | (y < south) | (y > north)
        assert outside.all()
    (x, y), *more = local.lines(shapely.Point(35.8, 34.9))
    assert not more
    assert len(x) == len(y) == 1


def test_vessels_show_where_they_are(product, iw_product):
    """The brightest place within 150 m of a vessel on the map is within two pixels or half its length of its truth."""
    truth = iw_product[1]
    local = map_of(truth.union_all().envelope)
    image = sigma0_on_map(product, "VV", local)
    west, _, _, north = local.extent
    step = local.width_m / image.shape[1]
    x, y = local.plane.flatten(truth["longitude"].to_numpy(), truth["latitude"].to_numpy())
    row, column = (north - y) / step - 0.5, (x - west) / step - 0.5
    rows, columns = np.indices(image.shape)
    for k, length in enumerate(truth["length_m"]):
        distance = np.hypot(rows - row[k], columns - column[k]) * step
        near = np.where(distance < 150, np.nan_to_num(image), 0.0)
        assert distance.flat[near.argmax()] < length / 2 + 25


def test_brightness_is_kept_when_the_map_is_coarser(product):
    """The mean over the map is that of the image, within the speckle."""
    footprint = product.geometry.footprint().centroid
    local = map_of(around(footprint.x, footprint.y, half=0.02))
    image = sigma0_on_map(product, "VV", local)
    assert max(image.shape) <= CELLS
    expected = np.nanmedian(product.sigma0(polarizations=["VV"]))
    assert np.nanmedian(image) == pytest.approx(expected, rel=0.15)
    assert (image[np.isfinite(image)] >= 0).all()


def test_not_imaged_is_missing(product):
    """The map reaches past the image on one side; and elsewhere there is none of it at all."""
    west, south, _, north = product.geometry.footprint().bounds
    half = sigma0_on_map(product, "VV", map_of(around(west, (south + north) / 2)))
    assert 0.1 < np.isnan(half).mean() < 0.9
    assert np.isnan(sigma0_on_map(product, "VV", map_of(around(10.0, 54.0)))).all()
    assert np.isnan(sigma0_on_map(product, "VV", map_of(around(35.8 - 180, -34.9)))).all()
