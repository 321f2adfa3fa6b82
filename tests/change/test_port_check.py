import geopandas as gpd
import numpy as np
from builders.dates import LAND, PIER, empty_port, outline, stack_of

from sarship.change.port_check import doubtful_piers
from sarship.change.reference import fit_reference


def test_pier_that_was_drawn_in_the_open_sea_is_told_from_one_at_a_quay():
    _, dates = empty_port(np.random.default_rng(12), 4, np.ones(4))
    found = fit_reference(stack_of(dates), land=LAND, piers=PIER)
    places = {
        "quay": (PIER, "pier"),
        "adrift": (outline(30, 60, 30, 31), "pier"),
        "roads": (outline(10, 70, 20, 60), "anchorage"),
        "elsewhere": (outline(900, 910, 900, 901), "pier"),
    }
    shapes, kinds = zip(*places.values(), strict=True)
    piers = gpd.GeoDataFrame({"name": list(places), "kind": kinds}, geometry=list(shapes), crs="EPSG:4326")
    assert doubtful_piers([found], piers) == ["adrift"]
    assert doubtful_piers([], piers) == []
