"""Text of a collection: only what changed is written anew."""

import json

import pytest

from sarship.port.collection_text import replaced, spans_of

UNTIDY = '\ufeff{ "a" : "}]{[\\"" ,\r\n\t"features":[ {"x":1e0,"x":2} ,\n\n17,null , [ ] ], "bbox": [1,2 , 3,4]}\n'


def test_untidy_text_stays_where_nothing_changed():
    assert replaced(UNTIDY, [0, 1, 2, 3], {}).replace(" ,\n\n17", "").startswith('\ufeff{ "a" : "}]{[\\"" ,\r\n\t"feat')
    assert [UNTIDY[a:b] for a, b in spans_of(UNTIDY).features] == ['{"x":1e0,"x":2}', "17", "null", "[ ]"]


@pytest.mark.parametrize("features", [[], [3], [2, {"n": "Ü"}, 0], [{"n": 1}] * 3], ids=str)
def test_features_are_replaced_dropped_and_added(features):
    text = replaced(UNTIDY, features, {"bbox": [0, 0, 1, 1], "none": 5})
    content = json.loads(text.removeprefix("\ufeff"))
    before = [{"x": 2}, 17, None, []]
    assert content["features"] == [before[one] if isinstance(one, int) else one for one in features]
    assert content["bbox"] == [0, 0, 1, 1]
    assert "none" not in content


def test_an_empty_list_takes_the_first_feature():
    assert json.loads(replaced('{"features": [ ], "z": 1}', [{}, {}], {})) == {"features": [{}, {}], "z": 1}


def test_of_two_lists_the_last_counts_as_for_the_parser():
    assert json.loads(replaced('{"features": [1, 2], "features": [3]}', [0, {}], {}))["features"] == [3, {}]


def test_half_a_letter_is_written_as_its_escape():
    assert '"\\ud800é"' in replaced('{"features": [1]}', [{"name": "\ud800é"}], {})
