"""The table of lakes: each where it lies, at its height, and no sea port on any."""

from itertools import combinations

import pytest
import shapely

from sarship.geo.lakes import known_lakes, lake_at
from sarship.port.index import port_index

LAKES = known_lakes()


def test_the_table_is_plausible():
    assert len({lake.name for lake in LAKES}) == len(LAKES)
    for lake in LAKES:
        assert lake.source
        assert -30 < lake.water_level_m < 4000
        assert lake.outline.is_valid
        assert 0.01 < lake.outline.area < 150


def test_no_place_is_on_two_lakes():
    assert [(a.name, b.name) for a, b in combinations(LAKES, 2) if a.outline.intersects(b.outline)] == []


@pytest.mark.parametrize(
    ("place", "lake", "level_m"),
    [
        ((-92.09, 46.77), "Lake Superior", 183),  # Duluth
        ((-87.60, 41.88), "Lake Michigan and Lake Huron", 176),  # Chicago
        ((-81.72, 41.50), "Lake Erie", 174),  # Cleveland
        ((-79.38, 43.62), "Lake Ontario and the St. Lawrence River to Cornwall", 75),  # Toronto
        ((-79.90, 9.27), "Gatun Lake and the Gaillard Cut", 26),
        ((49.87, 40.37), "Caspian Sea", -28.5),  # Baku
        ((51.17, 43.62), "Caspian Sea", -28.5),  # Aktau
        ((30.52, 59.95), "", 0),  # the Neva at St. Petersburg
        ((30.97, 60.11), "", 0),  # below Ladoga's outflow
        ((32.89, -2.51), "Lake Victoria", 1135),  # Mwanza
        ((29.63, -4.89), "Lake Tanganyika", 774),  # Kigoma
        ((104.85, 51.86), "Lake Baikal", 456),  # Listvyanka
        ((-70.02, -15.84), "Lake Titicaca", 3810),  # Puno
        ((6.63, 46.51), "Lake Geneva", 372),  # Lausanne
        ((13.15, 58.50), "Vänern", 44),  # Lidköping
        ((-79.22, 42.99), "Lake Erie", 174),  # Welland, on the canal's summit level
        ((32.90, 23.50), "Lake Nasser", 178),  # a reservoir
        ((38.80, 58.15), "Rybinsk Reservoir", 101.5),
        ((32.35, 30.33), "", 0),  # the Suez Canal has no locks
        ((9.70, 54.30), "", 0),  # the Kiel Canal's are for the tide
        ((35.45, 31.20), "", 0),  # the Dead Sea, which only its ground tells
    ],
)
def test_harbours_on_lakes_are_found(place, lake, level_m):
    found = lake_at(shapely.Point(place).buffer(0.005))
    assert ("" if found is None else found.name) == lake
    assert found is None or found.water_level_m == pytest.approx(level_m, abs=0.5)


def test_the_ports_of_the_index_on_lakes_are_those_of_the_great_lakes():
    """Montreal, Colón and Balboa, St. Petersburg and Maracaibo among the others: they are at sea level."""
    found = [port for port in port_index() if lake_at(shapely.Point(port.longitude, port.latitude))]
    assert len(found) > 200
    assert {port.country for port in found} == {"Canada", "United States"}
    assert all(-93 < port.longitude < -74 and 41 < port.latitude < 50 for port in found)


def test_an_area_that_reaches_off_the_lake_is_on_none():
    assert lake_at(shapely.box(-92.1, 46.7, -91.9, 46.8)) is not None
    assert lake_at(shapely.box(-93.1, 46.7, -91.9, 46.8)) is None
