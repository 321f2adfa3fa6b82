"""Errors: sentences for people, attributes for programs, both kept across processes."""

import pickle

import pytest

from sarship.errors import OutputError, PortError, ProductError, ReferenceImageError, SarshipError, explain


@pytest.mark.parametrize("kind", [OutputError, PortError, ProductError, ReferenceImageError])
def test_an_error_about_a_file_carries_its_path(kind, tmp_path):
    error = kind("a.tif is empty; fetch it again", path=tmp_path / "a.tif")
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(each, SarshipError)
        assert str(each) == "a.tif is empty; fetch it again"
        assert each.path == str(tmp_path / "a.tif")
    assert kind("nothing was found").path is None


@pytest.mark.parametrize("feature", [None, 3, "North quay"])
def test_a_port_error_carries_the_feature(feature):
    error = pickle.loads(pickle.dumps(PortError("is not a pier", path="port.geojson", feature=feature)))
    assert (error.path, error.feature) == ("port.geojson", feature)


def test_an_output_error_is_an_error_of_the_system():
    assert issubclass(OutputError, OSError)


def test_a_path_with_half_a_letter_is_explained():
    with pytest.raises(UnicodeEncodeError) as caught:
        "a\ud800.SAFE".encode()
    assert explain(caught.value) == r"'a\ud800.SAFE' has letters that no name can have here; give another"
