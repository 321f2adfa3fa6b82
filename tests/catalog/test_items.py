"""Scenes as STAC items: valid to pystac, and of the same meaning as the scene."""

from datetime import UTC, datetime

import pystac
import pytest
import shapely
from pystac.validation import validate_dict

from sarship.catalog.items import as_items
from sarship.catalog.scenes import make_scene

NAME = "S1A_IW_GRDH_1SDV_20241203T154211_20241203T154236_056821_06D21F_1A2B"
FIJI = shapely.MultiPolygon([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)])


def item_of(footprint, start="2024-12-03T15:42:11.5Z"):
    assets = {"product": "https://example.org/a.SAFE"}
    scene = make_scene(NAME, footprint, source="here", start=start, orbit_pass="ascending", assets=assets)
    (item,) = as_items([scene])["features"]
    return item


@pytest.mark.parametrize("footprint", [shapely.box(34, 34, 37, 36).reverse(), FIJI], ids=["clockwise", "Fiji"])
def test_items_are_valid_and_hold_what_the_scene_holds(footprint):
    pytest.importorskip("jsonschema", reason="pystac validates with it; the extra test has it")
    plain = item_of(footprint)
    validate_dict(plain | {"stac_extensions": []})  # schemas of extensions lie on the web, those of the core in pystac
    item = pystac.Item.from_dict(plain)
    assert item.id == NAME
    assert item.datetime == datetime(2024, 12, 3, 15, 42, 11, 500_000, tzinfo=UTC)
    assert item.properties["platform"] == "sentinel-1a"
    assert item.properties["sar:polarizations"] == ["VV", "VH"]
    assert item.properties["sat:relative_orbit"] == 49
    assert item.assets["product"].href == "https://example.org/a.SAFE"
    shape = shapely.geometry.shape(item.geometry)
    assert shape.equals(footprint)
    assert all(shapely.is_ccw(shapely.get_exterior_ring(shapely.get_parts(shape))))


def test_bbox_across_the_antimeridian_is_as_the_standard_wants():
    assert item_of(FIJI)["bbox"] == [177, -19, -178, -16]
    assert item_of(shapely.box(34, 34, 37, 36))["bbox"] == [34, 34, 37, 36]
