"""XML: namespaces, damage, document types, and values that are not of the type asked for."""

from datetime import UTC, datetime

import numpy as np
import pytest

from sarship.errors import ProductError
from sarship.sentinel1.xml import parse_xml, read_xml

ROOT = read_xml(
    b"""<p:product xmlns:p="urn:p"><p:list count="2"><item>1</item><item>2</item></p:list><empty/><word>many</word>
    <real>2.5</real><minus>-3</minus><reals>1 2.5 -3e2</reals><bad>1 nan</bad><time>2024-12-01T05:00:00+02:00</time>
    <naive>2024-12-01T03:00:00.5</naive></p:product>""",
    "a.xml",
)


def test_paths_are_of_local_names():
    assert [item.text(".") for item in ROOT.find("list/item")] == ["1", "2"]
    assert len(ROOT.find(".//item")) == 2
    assert ROOT.find("item") == []
    assert ROOT.find("list")[0].get("count") == "2"
    assert ROOT.get("count") == ""


def test_values():
    assert (ROOT.whole(".//item"), ROOT.number("minus"), ROOT.positive("real")) == (1, -3.0, 2.5)
    np.testing.assert_array_equal(ROOT.numbers("reals"), [1, 2.5, -300])
    assert ROOT.text("empty", "default") == ROOT.text("absent", "default") == "default"
    assert ROOT.time("time") == datetime(2024, 12, 1, 3, tzinfo=UTC)
    assert ROOT.time("naive") == datetime(2024, 12, 1, 3, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "path", "message"),
    [
        ("text", "absent", "a.xml lacks absent; fetch"),
        ("text", "empty", "lacks empty"),
        ("find_some", ".//list/absent", "lacks list/absent"),
        ("number", "word", "gives word as 'many', which is not a number"),
        ("whole", "real", "gives real as 2.5, which is not a whole number"),
        ("positive", "minus", "gives minus as -3.0, which must be positive"),
        ("numbers", "bad", "gives bad as 'nan', which is not a number"),
        ("time", "word", "gives word as 'many', which is not a time"),
    ],
)
def test_a_wrong_value_names_file_and_path(read, path, message):
    with pytest.raises(ProductError, match=message) as caught:
        getattr(ROOT, read)(path)
    assert caught.value.path == "a.xml"


def test_xml_keeps_tags_text_and_namespaces():
    root = parse_xml(b'<a xmlns:s="urn:x"><s:b c="1">text</s:b></a>', "manifest.safe")
    assert root.find("{urn:x}b").text == "text"
    assert root.find("{urn:x}b").get("c") == "1"


def test_xml_entities_are_not_expanded():
    bomb = b'<!DOCTYPE a [<!ENTITY x "ha">]><a>&x;&x;&x;</a>'
    with pytest.raises(ProductError, match=r"annotation.xml declares a document type"):
        parse_xml(bomb, "annotation.xml")


@pytest.mark.parametrize(
    "data", [b"", b"<a>", b"<a></b>", b"\x00\x01", b"not xml", b"<a/><b/>", b'<?xml version="1.0" encoding="x"?><a/>']
)
def test_damaged_xml_names_the_file(data):
    with pytest.raises(ProductError, match=r"annotation.xml is damaged"):
        parse_xml(data, "annotation.xml")
