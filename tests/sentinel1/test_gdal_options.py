"""Reading in an environment that is full of other tools' settings."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from shapely import box

from sarship import open_grd
from sarship.catalog import SceneQuery
from sarship.catalog.s3 import S3Files, Store, _session
from sarship.errors import CredentialError, ProductError
from sarship.model import Window

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
WINDOW = Window(10, 60, 10, 60)
ALLOWED = "CPL_VSIL_CURL_ALLOWED_EXTENSIONS"
OTHERS = {
    ALLOWED: ".tif",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "/vsicurl/other.tif",
    "CPL_VSIL_CURL_USE_HEAD": "NO",
    "CPL_VSIL_CURL_NON_CACHED": "/vsiaz/:/vsis3/",
    "CPL_CURL_VERBOSE": "YES",
    "GDAL_DISABLE_READDIR_ON_OPEN": "NO",
    "GDAL_HTTP_AUTH": "BEARER",
    "GDAL_HTTP_BEARER": "other",
    "GDAL_HTTP_USERPWD": "other:other",
    "GDAL_HTTP_HEADERS": "Authorization: Bearer other",
    "GDAL_HTTP_HEADER_FILE": "headers",
    "GDAL_HTTP_NETRC_FILE": "netrc",
    "GDAL_HTTP_VERSION": "2PRIOR_KNOWLEDGE",
    "GTIFF_DIRECT_IO": "YES",
    "GTIFF_VIRTUAL_MEM_IO": "YES",
    "TIFF_READ_STREAMING": "YES",
    "VSI_CACHE": "YES",
    "AZURE_NO_SIGN_REQUEST": "YES",
    "AZURE_STORAGE_SAS_TOKEN": "other",
    "AWS_NO_SIGN_REQUEST": "YES",
    "AWS_REQUEST_PAYER": "requester",
    "AWS_S3_ENDPOINT": "127.0.0.1:1",
    "AWS_HTTPS": "YES",
    "AWS_VIRTUAL_HOSTING": "YES",
    "AWS_SESSION_TOKEN": "other",
}
"""Settings that guides to other tools advise, or that stop or change a window where they are taken."""
READER = """
import pickle, sys
import numpy as np
catalog, query, window = pickle.load(sys.stdin.buffer)
product = catalog.open(next(catalog.search(query)))
np.save(sys.argv[1], product.digital_numbers("VV", window))
"""


def read_elsewhere(catalog, folder: Path, environment: dict[str, str]):
    """Window read by a process of its own: rasterio puts what it finds in the environment in place for good."""
    (folder / "headers").write_text("Authorization: Bearer other\n")
    (folder / "netrc").write_text("default login other password other\n")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, "window.npy"],
        input=pickle.dumps((catalog, QUERY, WINDOW)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "SARSHIP_CACHE": "cache", **environment},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr.decode()) == (0, "")
    return np.load(folder / "window.npy")


@pytest.mark.parametrize("value", [".tif", ".jp2", ".tif,.vrt", ""])
def test_extensions_that_another_tool_allows_hide_no_image(planetary, mirror, tmp_path, value):
    image = read_elsewhere(planetary, tmp_path, {ALLOWED: value})
    np.testing.assert_array_equal(image, open_grd(mirror[0]).digital_numbers("VV", WINDOW))


@pytest.mark.parametrize("name", ["planetary", "cdse", "earth_search"])
def test_settings_of_other_tools_change_nothing(request, plain, tmp_path, name):
    image = read_elsewhere(request.getfixturevalue(name), tmp_path, OTHERS)
    np.testing.assert_array_equal(image, open_grd(plain[0]).digital_numbers("VV", WINDOW))


def test_options_of_the_calling_program_change_nothing(planetary, mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path))
    product = planetary.open(next(planetary.search(QUERY)))
    with rasterio.Env(**{ALLOWED: ".tif", "TIFF_READ_STREAMING": "YES"}):
        image = product.digital_numbers("VV", WINDOW)
    np.testing.assert_array_equal(image, open_grd(mirror[0]).digital_numbers("VV", WINDOW))


def test_pixels_that_are_cut_off_are_no_zeros(plain, tmp_path):
    product = Path(shutil.copytree(plain[0], tmp_path / plain[0].name))
    for image in product.glob("measurement/*.tiff"):
        os.truncate(image, image.stat().st_size - 2000)
    for option in ("GTIFF_IGNORE_READ_ERRORS", "GTIFF_DIRECT_IO", "GTIFF_VIRTUAL_MEM_IO"):
        with rasterio.Env(**{option: "YES"}), pytest.raises(ProductError, match="cannot be decoded"):
            open_grd(product).digital_numbers("VV")


@pytest.fixture
def missing_profile(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "PLANTED-SECRET-another")
    _session.cache_clear()
    yield
    _session.cache_clear()


@pytest.mark.usefixtures("missing_profile")
def test_profile_of_amazon_concerns_nobody_else(plain, cdse, tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path))
    image = open_grd(plain[0]).digital_numbers("VV", WINDOW)
    np.testing.assert_array_equal(cdse.open(next(cdse.search(QUERY))).digital_numbers("VV", WINDOW), image)


def test_profile_of_amazon_that_is_missing_is_one_sentence(earth_search, missing_profile, tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path))
    with pytest.raises(CredentialError, match=r"^earth-search: .*nowhere.*; look at AWS_PROFILE") as caught:
        earth_search.open(next(earth_search.search(QUERY)))
    assert "PLANTED" not in str(caught.value)


def test_keys_of_amazon_go_to_amazon(monkeypatch):
    """`AWS_S3_ENDPOINT` leads other tools to a store of their own."""
    for name in ("AWS_S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "minio.example:9000")
    files = S3Files("s3://bucket/product", Store(account="earth-search", region="eu-central-1", is_paid=True))
    _session.cache_clear()
    with files.access() as options:
        assert options["session"].credentials["aws_s3_endpoint"] == "s3.eu-central-1.amazonaws.com"
        assert (options["AWS_HTTPS"], options["AWS_VIRTUAL_HOSTING"]) == ("YES", "TRUE")
    _session.cache_clear()
