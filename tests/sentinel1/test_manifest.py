"""Manifests: the acquisition, and values that are wrong."""

from datetime import UTC, datetime

import pytest
from builders.manifests import files, manifest

from sarship.errors import ProductError
from sarship.sentinel1.manifest import read_manifest


def test_manifest_is_read() -> None:
    found = read_manifest(manifest(files()), "manifest.safe")
    assert (found.platform, found.product_type, found.mode, found.ipf_version) == ("S1A", "GRD", "IW", "003.52")
    assert found.polarizations == ("VV", "VH")
    assert (found.absolute_orbit, found.relative_orbit, found.orbit_pass) == (45268, 46, "descending")
    assert found.start == datetime(2022, 10, 2, 20, 51, 26, 995649, UTC)
    assert found.corners[0] == (134.94, 6.55)
    assert found.files[0].size == 3
    assert found.files[0].md5 == "abc"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b">45268<", b"><", "lacks orbitReference/orbitNumber"),
        (b">45268<", b">many<", "orbitNumber as 'many', which is not a number"),
        (b"2022-10-02T20:51:26.995649", b"yesterday", "startTime as 'yesterday', which is not a time"),
        (b"2022-10-02T20:51:26.995649", b"2022-10-03T20:51:26", "acquisition that ends at .* before it starts"),
        (b">DESCENDING<", b">SIDEWAYS<", "neither ascending nor descending"),
        (b">VH<", b">RH<", "polarisations .'RH'."),
        (b"6.55,134.94", b"6.55", "footprint"),
        (b">SENTINEL-1<", b">SENTINEL-2<", "SENTINEL-2 product"),
    ],
)
def test_a_manifest_with_a_wrong_value_says_which(old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(ProductError, match=message):
        read_manifest(manifest(files()).replace(old, new), "manifest.safe")
