"""Earth Search: nobody pays without having said so, and who pays says so with each request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from shapely import box

from sarship.catalog import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.catalog.s3 import S3Files, Store
from sarship.errors import CatalogError, CredentialError, ProductWarning

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_nobody_pays_unasked(earth_search, amazon, monkeypatch):
    monkeypatch.delenv("AWS_REQUEST_PAYER", raising=False)
    catalog = open_catalog("earth-search", amazon.address)
    scene = next(catalog.search(QUERY))
    with pytest.raises(CatalogError, match=r"charges your account .* set AWS_REQUEST_PAYER=requester to agree"):
        catalog.open(scene)
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    assert replace(open_catalog("earth-search", amazon.address), store=earth_search.store).open(scene)


def test_who_pays_says_so_with_each_request(earth_search, store, monkeypatch):
    scene = next(earth_search.search(QUERY))
    files = S3Files(
        scene.assets["product"], Store(account="earth-search", region="eu-central-1", endpoint=store, is_paid=True)
    )
    asked = files.request("manifest.safe", Path("nowhere"))
    headers = asked.authorize(False)
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-request-payer," in headers["Authorization"]
    assert headers["x-amz-request-payer"] == "requester"
    with files.access() as options:
        assert options["session"].get_credential_options()["AWS_REQUEST_PAYER"] == "requester"


def test_whole_products_are_not_bought(earth_search, tmp_path):
    with pytest.raises(CatalogError, match=r"gives no whole products.*take planetary, cdse or asf"):
        earth_search.fetch(next(earth_search.search(QUERY)), tmp_path)


def test_missing_keys_are_named(earth_search, monkeypatch):
    scene = next(earth_search.search(QUERY))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        replace(earth_search, store="http://127.0.0.1:9").open(scene)


def test_manifest_elsewhere_is_not_believed(earth_search, amazon):
    amazon.items[0]["assets"]["safe-manifest"]["href"] = "s3://someone-elses-bucket/GRD/x/manifest.safe"
    with pytest.warns(ProductWarning, match="does not say where the files of"):
        assert len(list(earth_search.search(QUERY))) == 1
