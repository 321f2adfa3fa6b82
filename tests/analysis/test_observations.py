"""Files of dated reports: untidy ones are read or refused with their row, and nothing is guessed."""

import csv
import json
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import pytest
import shapely
from builders.tables import PIERS
from hypothesis import given, settings
from hypothesis import strategies as st

from sarship.analysis import find_contradictions, read_observations
from sarship.analysis.contradictions import marked_contradictions
from sarship.errors import ObservationError, ProductWarning
from sarship.schema import OBSERVATIONS

TARTUS = Path(__file__).parents[2] / "examples" / "tartus_observations.csv"
HEAD = "time,where,value\n"


def read(tmp_path, text, name="reports.csv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return OBSERVATIONS.check(read_observations(path, PIERS, **options))


def refusal(tmp_path, text, name="reports.csv", **options):
    with pytest.raises(ObservationError) as caught:
        read(tmp_path, text, name, **options)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / name))
    assert "\n" not in message
    return message.removeprefix(f"{tmp_path / name}: ")


def test_the_reports_of_tartus_are_read_and_their_contradictions_found():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reports = read_observations(TARTUS, PIERS)
    assert len(reports) > 30
    assert find_contradictions(reports) == marked_contradictions(reports)
    assert len(marked_contradictions(reports)) == 5
    enters = reports.set_index("observation").loc["0121-enters"]
    assert (enters["time_from"].hour, enters["time_to"].hour, enters["time_to"].minute) == (15, 17, 35)
    through_cloud = reports.set_index("observation").loc["0122-through-cloud"]
    assert (through_cloud["low"], through_cloud["high"]) == (4, 5)


@pytest.mark.parametrize(
    "text",
    [
        "\ufefftime,where,value\r\n2025-01-22,A,3\r\n",
        "\ufeffTime;Where;Value\r\n2025-01-22;a;3\r\n\r\n;;\r\n",
        "time\twhere\tvalue\n2025-01-22\t A \t3\n",
        'value,"where",time,low\n3,A,20250122,\n',
    ],
)
def test_spellings_of_a_table(tmp_path, text):
    (row,) = read(tmp_path, text).itertuples()
    assert (row.where, row.low, row.high, row.what, row.observation) == ("A", 3, 3, "vessels", "2")
    assert row.time_from == datetime(2025, 1, 22, tzinfo=UTC)
    assert row.time_to - row.time_from == timedelta(days=1)


@pytest.mark.parametrize(
    ("time", "tz", "begins"),
    [
        ("2025-01-21T20:35+03:00", None, "2025-01-21T17:35"),
        ("2025-01-21 17:35Z", "Asia/Tokyo", "2025-01-21T17:35"),
        ("2025-01-21T20:35", "+03:00", "2025-01-21T17:35"),
        ("2025-07-21T20:35", "Europe/Athens", "2025-07-21T17:35"),
        ("2025-01-21", "Asia/Damascus", "2025-01-20T21:00"),
    ],
)
def test_times_are_utc_after_their_zone(tmp_path, time, tz, begins):
    (start,) = read(tmp_path, f"{HEAD}{time},A,1", tz=tz)["time_from"]
    assert start == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2025-01-21T20:35,A,1", "row 2 has the time of day 2025-01-21T20:35 without a zone; write 2025-01-21T20:35Z"),
        ("21/01/2025,A,1", "row 2 has the time '21/01/2025', which may be read in several ways or in none; write 2025"),
        ("45678,A,1", "row 2 has the time 45678, a spreadsheet's number for 2025-01-21; format the column as text"),
        (",A,1", "row 2 has no time"),
        ("2999-01-01,A,1", "row 2 lies in the future: 2999-01-01"),
        ("0201-01-01,A,1", "row 2 lies before the first image from orbit: 0201-01-01"),
        ("2025-01-22,Quay,1", "row 2 is about 'Quay', which the port has no pier of; it has A, B, and port is all"),
        ("2025-01-22,,1", "row 2 has no place; name a pier"),
        ("2025-01-22,A,", "row 2 has no number; give value, or low or high or both"),
        ("2025-01-22,A,-1", "row 2 has value ''; give a whole number"),
        ("2025-01-22,A,3.5", "row 2 has value '3.5'; give a whole number"),
        ("2025-01-22,A,5-4", "row 2 has low 5 above high 4; swap them"),
        ("2025-01-22,A,some", "row 2 has value 'some'; give a whole number"),
        ("2025-01-22,A,3,4", "row 2 has 4 cells, and the first line 3; put quotes around a text with commas"),
        ("2025-01-22,A,3\n2025-01-22,A,3", "row 3 says the same as row 2; delete one, it would count twice"),
        ('2025-01-22,"A,3', "line 2 cannot be read as CSV"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(tmp_path, row, said):
    assert refusal(tmp_path, HEAD + row).startswith(said)


@pytest.mark.parametrize(
    ("columns", "cells", "said"),
    [
        ("time_to", "2025-01-21", "row 2 ends (2025-01-21) before it begins (2025-01-22)"),
        ("what", "vesels", "row 2 has what 'vesels'; is 'vessels' meant?"),
        ("what", "apron", "row 2 is about an apron and has the value '3'; give empty, some, full"),
        ("kind", "satellite", "row 2 has kind 'satellite'; known are optical"),
        ("low,high", "1,2", "row 2 has a value and a range"),
        ("least_length_m", "long", "row 2 has least_length_m 'long'; give a number"),
        ("least_length_m", "-5", "row 2 has least_length_m -5: give metres"),
        ("id", "=1+1", "row 2 has the id '=1+1', which begins with ="),
        ("id", "a b", "row 2 has the id 'a b'; ids have no spaces"),
        ("vessel", "@SUM(A1)", "row 2 has the vessel '@SUM(A1)', which begins with"),
        ("sha256", "abc", "row 2 has sha256 'abc', and that has 64 digits"),
        ("confidence", "high", "row 2 has confidence 'high'; give A1 to F6, or 0 to 1"),
        ("contradicts", "x9", "row 2 contradicts 'x9', which no other row has as id"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_refused(tmp_path, columns, cells, said):
    assert refusal(tmp_path, f"time,where,value,{columns}\n2025-01-22,A,3,{cells}\n").startswith(said)


def test_a_pier_with_a_slip_of_the_pen_is_named(tmp_path):
    piers = PIERS.assign(name=["North quay", "Mole"])
    (tmp_path / "a.csv").write_text(f"{HEAD}2025-01-22,Nort quay,1")
    with pytest.raises(ObservationError, match=r"no pier of; is 'North quay' meant\?") as caught:
        read_observations(tmp_path / "a.csv", piers)
    assert caught.value.row == 2


def test_a_column_that_is_not_known_is_said(tmp_path):
    with pytest.warns(ProductWarning, match=r"the column 'sorce' is not known and left aside; is 'source' meant\?"):
        read(tmp_path, "time,where,value,sorce\n2025-01-22,A,3,me\n")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"PK\x03\x04...", "is a workbook; save it from the spreadsheet as CSV"),
        ("a.csv", "time,where,value\n2025-01-22,Österhamn,1".encode("latin-1"), "is not UTF-8 (byte 28)"),
        ("a.csv", b"", "has none of the columns"),
        ("a.csv", b"when,place\n", "has none of the columns"),
        ("a.csv", b"where,value\nA,1", "has no column 'time'"),
        ("a.csv", b"time,where,time\n", "has two columns 'time'; delete one"),
        ("a.geojson", b"[]", "is not a GeoJSON FeatureCollection"),
        ("a.geojson", b"{" * 100_000, "is not a GeoJSON FeatureCollection"),
        ("missing/a.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, said):
    if content is None:
        with pytest.raises(ObservationError, match=said):
            read_observations(tmp_path / name, PIERS)
    else:
        assert refusal(tmp_path, content, name).startswith(said)


@pytest.mark.parametrize("path", ["/dev/zero", "."])
def test_what_is_no_plain_file_is_refused(path):
    with pytest.raises(ObservationError, match=r"no plain file|Is a directory"):
        read_observations(path, PIERS)


def test_a_zone_that_is_none_is_refused(tmp_path):
    for tz in ("Mars/Olympus", "../../etc/passwd", "+25:00", ""):
        with pytest.raises(ObservationError, match="there is no time zone"):
            read(tmp_path, f"{HEAD}2025-01-22,A,1", tz=tz)
    said = refusal(tmp_path, f"{HEAD}2025-10-26T03:30,A,1", tz="Europe/Athens")
    assert "when the clocks of Europe/Athens are changed" in said


def feature(geometry, **properties):
    return {"type": "Feature", "properties": {"time": "2025-01-22", "value": 2} | properties, "geometry": geometry}


def test_a_feature_is_at_the_pier_that_it_touches(tmp_path):
    point = {"type": "Point", "coordinates": [35.81, 34.91]}
    both = shapely.geometry.mapping(shapely.box(35.7, 34.8, 36, 35))
    features = [feature(point), feature(both), feature(None, where="B", contradicts=["1"])]
    reports = read(tmp_path, json.dumps({"type": "FeatureCollection", "features": features}), "a.geojson")
    assert reports["where"].tolist() == ["A", "port", "B"]
    assert reports["contradicts"].tolist() == ["", "", "1"]


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        ({"type": "Point", "coordinates": [10, 10]}, "feature 1 is at no pier; name a pier"),
        ({"type": "Point", "coordinates": [735000, 3860000]}, "feature 1 lies at 735000, 3.86e+06: write longitude"),
        ({"type": "Nonsense"}, "feature 1 has a geometry that cannot be read"),
    ],
)
def test_a_feature_elsewhere_is_refused(tmp_path, geometry, said):
    text = json.dumps({"type": "FeatureCollection", "features": [feature(geometry)]})
    assert refusal(tmp_path, text, "a.geojson").startswith(said)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=5), max_size=4))
def test_any_table_is_read_or_refused(cells):
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "a.csv")
        with path.open("w", newline="", encoding="utf-8", errors="replace") as stream:
            csv.writer(stream).writerows([["time", "where", "value", "note", "vessel"], *cells])
        with suppress(ObservationError):
            assert isinstance(read_observations(path, PIERS), gpd.GeoDataFrame)
