"""The style for QGIS: each vessel under one rule, by the conditions as a database of the layer reads them."""

import sqlite3
from xml.etree import ElementTree

from builders.results import make_results
from builders.tables import make_vessels

from sarship.pipeline.qgis_style import vessels_qml
from sarship.pipeline.result_files import write_results
from sarship.pipeline.table_files import VESSEL_FORMATS


def test_each_vessel_is_drawn_by_one_rule(tmp_path):
    path = tmp_path / "vessels.gpkg"
    seen = {"longitude": 35.8, "latitude": 34.9, "length_m": 100.0, "width_m": 20.0, "heading_deg": 30.0}
    kinds = [("Mole", ""), (None, ""), ("Mole", "fixture"), (None, "ambiguity")]
    vessels = make_vessels(*(("scene", pier, seen | {"flag": flag}) for pier, flag in kinds))
    path.write_bytes(VESSEL_FORMATS[".gpkg"](vessels, make_results().provenance))
    style = ElementTree.fromstring(vessels_qml())
    rules = style.findall("renderer-v2/rules/rule")
    symbols = {symbol.get("name") for symbol in style.iterfind("renderer-v2/symbols/symbol")}
    assert {rule.get("symbol") for rule in rules} == symbols
    with sqlite3.connect(path) as layer:
        rows = [layer.execute(f"SELECT fid FROM vessels WHERE {rule.get('filter')}").fetchall() for rule in rules]
        (label,) = style.iterfind("labeling//text-style")
        assert layer.execute(f"SELECT {label.get('fieldName')} FROM vessels").fetchone()[0].endswith(" m")
    layer.close()
    assert [len(each) for each in rows] == [1, 1, 2]
    assert len({row for each in rows for row in each}) == 4


def test_style_that_somebody_changed_is_left(tmp_path):
    written = write_results(make_results(), tmp_path)
    style = tmp_path / "vessels.qml"
    assert style in written
    style.write_text("mine")
    assert style not in write_results(make_results(), tmp_path)
    assert style.read_text() == "mine"
