"""The port index and the template made from it."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from sarship.errors import PortError
from sarship.port.index import PortEntry, find_port, new_port, port_index
from sarship.port.port_file import read_port


def test_the_index_is_whole_and_plausible():
    index = port_index()
    assert len(index) == 3768
    assert all(abs(port.longitude) <= 180 and abs(port.latitude) <= 90 and port.name for port in index)
    tartus = next(port for port in index if port.number == 45003)
    assert (tartus.name, tartus.country) == ("Tartus", "Syria")
    assert (tartus.longitude, tartus.latitude) == (35.8667, 34.9)


def test_the_packed_index_has_no_time_stamp_so_that_its_bytes_can_be_made_again():
    packed = (Path(__file__).parents[2] / "sarship" / "data" / "ports.csv.gz").read_bytes()
    assert packed[4:8] == bytes(4)
    assert next(csv.reader(gzip.decompress(packed).decode().splitlines())) == [
        *("number", "name", "alternate_name", "country", "longitude", "latitude")
    ]


@pytest.mark.parametrize("name", ["Tartus", "tartus", " TARTUS ", "Tartús", "Tartous", "45003"])
def test_case_accents_other_names_and_numbers_find_a_port(name):
    assert [port.number for port in find_port(name)] == [45003]


def test_equal_names_win_over_longer_ones_and_all_of_them_come():
    found = find_port("San Juan")
    assert {port.name for port in found} == {"San Juan"}
    assert len(find_port("Colonia")) > 1


def test_a_beginning_is_enough():
    assert "Rotterdam" in {port.name for port in find_port("rotterd")}


def test_a_slip_of_the_pen_is_forgiven():
    assert [port.name for port in find_port("Roterdam")] == ["Rotterdam"]


def test_an_unknown_name_lists_close_ones():
    with pytest.raises(PortError, match=r"no port is called 'kiev'.*closest names are Kiel \(Germany, 28930\)"):
        find_port("kiev")
    with pytest.raises(PortError, match="try its English name"):
        find_port("Qqqqzzzxx")


@pytest.mark.parametrize("name", ["", "  ", "--"])
def test_nothing_finds_nothing(name):
    with pytest.raises(PortError, match="looked up by its name"):
        find_port(name)


def test_every_template_is_a_port_file(tmp_path):
    """Among them the northernmost, the southernmost and the ones nearest to the antimeridian."""
    index = port_index()
    by_longitude = sorted(index, key=lambda port: port.longitude)
    by_latitude = sorted(index, key=lambda port: port.latitude)
    for entry in (by_longitude[0], by_longitude[-1], by_latitude[0], by_latitude[-1], *find_port("Tartus")):
        path = tmp_path / f"{entry.number}.geojson"
        path.write_text(json.dumps(new_port(entry)))
        port = read_port(path)
        assert port.name == entry.name
        assert port.piers["kind"].tolist() == ["pier", "anchorage"]
        assert all(name.startswith("EDIT ME") for name in port.piers["name"])
        assert port.water is not None
        assert port.water.covers(port.piers.union_all())


def test_an_entry_says_where_it_is():
    entry = PortEntry(number=1, name="Here", alternate_name="", country="There", longitude=0.0, latitude=0.0)
    assert str(entry) == "Here (There, 1)"


def test_the_template_of_a_port_on_a_lake_has_its_water_level(tmp_path):
    path = tmp_path / "duluth.geojson"
    (duluth,) = find_port("Duluth")
    path.write_text(json.dumps(new_port(duluth)))
    assert read_port(path).given_level_m == 183.4
    assert "water_level_m" not in new_port(find_port("Tartus")[0])
