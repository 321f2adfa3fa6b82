"""Ground around a port: what tie points tell of it, and when that is a reason to warn."""

import math
import warnings
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from sarship.errors import ProductWarning
from sarship.port.ground import check_water_level, lowest_ground_m
from sarship.port.port_file import Port
from sarship.sentinel1.annotation import read_annotation
from sarship.sentinel1.product import open_grd

MIDDLE = shapely.Point(35.8, 34.9)


def grid_of(heights, step_deg=0.15, middle=MIDDLE):
    """Section of the annotation with tie points of these heights, rows and columns, around a place."""
    heights = np.asarray(heights, float)
    down, across = (np.arange(size) - (size - 1) / 2 for size in heights.shape)
    point = (
        "<geolocationGridPoint><azimuthTime>2024-12-03T15:42:11</azimuthTime><slantRangeTime>0.005</slantRangeTime>"
        "<line>{}</line><pixel>{}</pixel><latitude>{}</latitude><longitude>{}</longitude><height>{}</height>"
        "<incidenceAngle>37</incidenceAngle></geolocationGridPoint>"
    )
    points = [
        point.format(row, column, middle.y - step_deg * down[row], middle.x + step_deg * across[column], height)
        for (row, column), height in np.ndenumerate(heights)
    ]
    text = f"<geolocationGridPointList>{''.join(points)}</geolocationGridPointList>"
    return f"<geolocationGrid>{text}</geolocationGrid>".encode()


@pytest.fixture(scope="module")
def product(iw_product):
    return open_grd(iw_product[0])


def on(product, heights, **options):
    return replace(product, annotation=replace(product.annotation, grid=grid_of(heights, **options)))


def port(middle=MIDDLE, **options):
    piers = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    return Port(name="Port", piers=gpd.GeoDataFrame(piers, geometry=[middle], crs="EPSG:4326"), **options)


HILLS = 200.0 + 10 * (3 * np.arange(49).reshape(7, 7) % 5)
FJORD = np.where(np.eye(7, k=1), 0.0, HILLS + 800)
"""Mountains, with the sea in one tie point of seven."""


@pytest.mark.parametrize(
    ("heights", "word"),
    [
        (HILLS, "200 m over"),
        (HILLS - 228, "28 m below"),
        (HILLS - 630, "430 m below"),
        (FJORD, ""),
        (np.zeros((7, 7)), ""),
        (HILLS - 195, ""),
    ],
    ids=["lake", "Caspian", "Dead Sea", "fjord", "sea", "low coast"],
)
def test_ground_far_from_the_sea_is_warned_of(product, heights, word):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_water_level(on(product, heights), port())
    assert [word in str(each.message) for each in said] == ([True] if word else [])
    assert all(each.category is ProductWarning for each in said)


def test_a_level_that_is_given_or_known_is_believed(product):
    check_water_level(on(product, HILLS), port(given_level_m=0.0))
    duluth = shapely.Point(-92.09, 46.77)
    assert lowest_ground_m(on(product, HILLS, middle=duluth).annotation, duluth) == 200
    check_water_level(on(product, HILLS, middle=duluth), port(duluth))


@pytest.mark.parametrize(
    ("heights", "options"),
    [
        (np.repeat(HILLS[:, :1], 7, axis=1), {}),
        (HILLS, {"step_deg": 3.0}),
        (HILLS[:1, :3], {}),
    ],
    ids=["one mean height a line", "far away", "three points"],
)
def test_what_tie_points_do_not_tell_is_not_warned_of(product, heights, options):
    altered = on(product, heights, **options)
    assert math.isnan(lowest_ground_m(altered.annotation, MIDDLE))
    check_water_level(altered, port())


def test_no_tie_points_or_damaged_ones_are_no_reason(product):
    for grid in (b"", b"<geolocationGrid>", b"<geolocationGrid><geolocationGridPointList/></geolocationGrid>"):
        assert math.isnan(lowest_ground_m(replace(product.annotation, grid=grid), MIDDLE))


PLACES = {
    "safe/S1B_IW_GRDH_1SDV_20211223T051122*": {  # the Apennines, from coast to coast
        "Terracina": (13.25, 41.28, False),
        "Gaeta": (13.58, 41.22, False),
        "Vasto": (14.71, 42.11, False),
        "Lago del Salto": (13.05, 42.25, True),
    },
    "westhinder/S1A_IW_GRDH_1SDV_20220612T173329*": {
        "Rotterdam": (4.48, 51.90, False),
        "Zeebrugge": (3.20, 51.33, False),
    },
    "safe/S1C_S4_GRDH*": {"Como": (9.08, 45.82, True), "Arona": (8.56, 45.76, True)},
}


@pytest.mark.parametrize("product", list(PLACES))
def test_real_coasts_are_low_and_real_lakes_are_not(real_data, product):
    folders = list(real_data.glob(product))
    if not folders:
        pytest.skip(f"{product} is not in the real data")
    file = sorted((folders[0] / "annotation").glob("*.xml"))[0]
    annotation = read_annotation(file.read_bytes(), file.name)
    found = {name: lowest_ground_m(annotation, shapely.Point(x, y)) > 15 for name, (x, y, _) in PLACES[product].items()}
    assert found == {name: is_high for name, (_, _, is_high) in PLACES[product].items()}
