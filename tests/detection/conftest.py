import pytest
import shapely
from builders.places import on_map

from sarship.sentinel1.product import open_grd


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
