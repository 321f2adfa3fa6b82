"""Copernicus Data Space: tokens that end in mid-file, what its catalogue says of a zip, and keys that stay hidden."""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import rasterio
from servers.cdse import IDENTITY, ODATA, SECRET
from servers.http import Served, serve
from shapely import box

from sarship.catalog.query import SceneQuery
from sarship.catalog.s3 import S3Files, Store, _session
from sarship.download.http import Session
from sarship.errors import CatalogError, CredentialError, DownloadError, ProductWarning
from sarship.model import Window

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("sarship.download.request.RetryPolicy.wait_s", lambda *_: 0.01)


@pytest.fixture
def scene(cdse):
    return next(cdse.search(QUERY))


def value_of(copernicus) -> str:
    return f"{ODATA}/Products({next(iter(copernicus.zips))})"


def test_token_that_ends_in_mid_file_is_renewed_and_no_byte_comes_twice(cdse, copernicus, scene, tmp_path):
    copernicus.n_cut = 2
    copernicus.take()
    path = cdse.fetch(scene, tmp_path)
    body = next(iter(copernicus.zips.values()))
    assert path.read_bytes() == body
    asked = [one for one in copernicus.take() if one.path.endswith("$value")]
    assert [one.status for one in asked] == [200, 401, 206, 401, 206]
    assert sum(one.n_bytes for one in asked) == len(body)


def test_session_is_renewed_and_begun_anew_only_when_it_has_ended(cdse, copernicus, scene, tmp_path):
    copernicus.n_cut = 1
    cdse.fetch(scene, tmp_path / "one")
    assert copernicus.grants == ["password", "refresh_token"]
    copernicus.n_cut, copernicus.refresh = 1, ""
    cdse.fetch(scene, tmp_path / "two")
    assert copernicus.grants[2:] == ["refresh_token", "password"]


def test_two_factor_login_takes_the_code_once(cdse, copernicus, scene, tmp_path, monkeypatch):
    copernicus.totp, copernicus.n_cut = "123456", 1
    with pytest.raises(CredentialError, match="with two-factor login set CDSE_TOTP to the code of the moment"):
        cdse.fetch(scene, tmp_path)
    monkeypatch.setenv("CDSE_TOTP", "123456")
    assert cdse.fetch(scene, tmp_path).is_file()
    assert copernicus.totp == "used"


def test_service_that_is_down_is_not_taken_for_the_end_of_a_session(cdse, copernicus, scene, tmp_path):
    cdse.fetch(scene, tmp_path / "one")
    copernicus.n_cut, copernicus.replies[IDENTITY] = 1, (503, {}, b"busy")
    with pytest.raises(CatalogError, match="answered 503"):
        cdse.fetch(scene, tmp_path / "two")
    assert "password" not in copernicus.grants[1:]


def test_catalogue_that_knows_no_checksum_is_no_hindrance(cdse, copernicus, scene, tmp_path):
    copernicus.sums = []
    assert cdse.fetch(scene, tmp_path).is_file()


def test_wrong_bytes_are_not_put_in_place(cdse, copernicus, scene, tmp_path):
    number, body = next(iter(copernicus.zips.items()))
    copernicus.sums = [{"Algorithm": "MD5", "Value": "0" * 32}]
    with pytest.raises(DownloadError, match="md5 of what arrived"):
        cdse.fetch(scene, tmp_path)
    where = body.index(b"<?xml", len(body) // 3)
    copernicus.zips[number] = body[:where] + b"?" + body[where + 1 :]
    copernicus.sums = []
    with pytest.raises(DownloadError, match="is wrong"):
        cdse.fetch(scene, tmp_path)
    assert not list(tmp_path.glob("S1*"))


def test_product_in_the_archive_is_one_sentence(cdse, copernicus, scene, tmp_path):
    copernicus.is_online = False
    with pytest.raises(DownloadError, match="is in the archive, not online"):
        cdse.fetch(scene, tmp_path)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        ((401, {}, b'{"error": "invalid_grant"}'), CredentialError, "CDSE_USER and CDSE_PASSWORD"),
        ((200, {}, b'{"oops": 1}'), CatalogError, "gives no token"),
        ((200, {}, b"[]"), CatalogError, "cannot be read"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), CatalogError, "cannot be read"),
        ((503, {}, b"busy"), CatalogError, "answered 503, 5 times in a row; try again later"),
    ],
)
def test_token_that_is_not_given_is_one_sentence(cdse, copernicus, tmp_path, reply, error, words):
    copernicus.replies[IDENTITY], scene = reply, next(cdse.search(QUERY))
    with pytest.raises(error, match=words) as caught:
        cdse.fetch(scene, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda catalog, scene, folder: catalog.fetch(scene, folder), "CDSE_USER and CDSE_PASSWORD"),
        (lambda catalog, scene, _: catalog.open(scene), "CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY"),
    ],
)
def test_missing_credentials_are_named(cdse, tmp_path, monkeypatch, action, words):
    scene = next(cdse.search(QUERY))
    for name in ("USER", "PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.delenv(f"CDSE_{name}")
    cdse = replace(cdse, store="http://127.0.0.1:9", identity=cdse.identity + "?other")
    with pytest.raises(CredentialError, match=words):
        action(cdse, scene, tmp_path)


def test_refused_keys_are_named(cdse, copernicus, scene):
    with pytest.raises(CredentialError, match=r"answered 403; .* look at CDSE_S3_ACCESS_KEY and"):
        replace(cdse, store=copernicus.host).open(scene)
    files = S3Files(scene.assets["product"], Store(account="cdse-s3", region="default", endpoint=copernicus.host))
    with pytest.raises(CredentialError, match="refuses the account of cdse-s3: look at CDSE_S3_ACCESS_KEY"):
        files.listing()


def test_redirect_takes_the_token_along_only_within_the_provider(cdse, copernicus, scene, tmp_path, monkeypatch):
    with serve() as other:
        other.files["/zip"] = Served(next(iter(copernicus.zips.values())))
        copernicus.replies[value_of(copernicus) + "/$value"] = 302, {"Location": other.url + "/zip"}, b""
        with pytest.raises(DownloadError, match="none of the provider's hosts"):
            cdse.fetch(scene, tmp_path)
        assert other.files["/zip"].requests == []
        monkeypatch.setattr("sarship.catalog.cdse._HOSTS", f"127.0.0.1:{other.server_port}")
        cdse.fetch(scene, tmp_path)
        assert other.files["/zip"].requests[0]["Authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(assets={}),
        lambda item: item.update(assets=None),
        lambda item: item.update(assets={"vv": {"href": "s3://elsewhere/S1A.SAFE/measurement/vv.tiff"}}),
        lambda item: item.update(assets={"vv": {"href": "https://evil.example/S1A.SAFE/measurement/vv.tiff"}}),
    ],
)
def test_item_that_does_not_say_where_its_files_are_is_left_out(cdse, copernicus, change):
    change(copernicus.items[0])
    with pytest.warns(ProductWarning, match="does not say where the files of"):
        assert len(list(cdse.search(QUERY))) == 1


def test_item_with_one_asset_in_another_folder_is_taken(cdse, copernicus):
    elsewhere = "s3://eodata/Sentinel-1/previews/S1A.SAFE/preview/quick-look.png"
    expected = [scene.assets for scene in cdse.search(QUERY)]
    for item in copernicus.items:
        item["assets"] = {"thumbnail": {"href": elsewhere}, **item["assets"]}
    assert [scene.assets for scene in cdse.search(QUERY)] == expected


def test_zip_elsewhere_is_not_taken(cdse, copernicus, tmp_path):
    copernicus.items[0]["assets"]["Product"]["href"] = "https://evil.example/odata/v1/Products(1)/$value"
    scene = next(cdse.search(QUERY))
    assert "zip" not in scene.assets
    with pytest.raises(CatalogError, match="no whole product"):
        cdse.fetch(scene, tmp_path)


def test_product_may_be_pickled_and_holds_no_key(cdse, scene):
    content = pickle.dumps(cdse.open(scene))
    assert SECRET.encode() not in content
    assert pickle.loads(content).digital_numbers("VV", Window(0, 10, 0, 10)).shape == (10, 10)


def test_listing_that_leads_out_of_the_product_is_refused(cdse, scene, monkeypatch):
    key = f"{scene.assets['product'].removeprefix('s3://eodata/')}/../../x"
    page = f"<ListBucketResult><Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
    monkeypatch.setattr("sarship.download.http.Session.read", lambda *_: page.encode())
    with pytest.raises(DownloadError, match="not inside"):
        S3Files(scene.assets["product"], Store(account="cdse-s3", region="default")).listing()


def test_long_listing_comes_in_pages(scene, cdse, store, monkeypatch):
    files = S3Files(scene.assets["product"], Store(account="cdse-s3", region="default", endpoint=store))
    whole, asked = files.listing(), []
    read = Session.read

    def in_pages(self, request, headers):
        parts = urlsplit(request.url)
        query = urlencode(sorted(parse_qsl(f"{parts.query}&max-keys=3")), quote_via=quote)
        asked.append(query)
        return read(self, files._signed(f"?{query}"), headers)

    monkeypatch.setattr("sarship.download.http.Session.read", in_pages)
    assert files.listing() == whole
    assert len(asked) == -(-len(whole) // 3) > 1


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("InvalidAccessKeyId", CredentialError, r"403 \(InvalidAccessKeyId\).* look at CDSE_S3_ACCESS_KEY"),
        ("SignatureDoesNotMatch", CredentialError, r"403 \(SignatureDoesNotMatch\).* look at CDSE_S3_ACCESS_KEY"),
        ("AccessDenied", DownloadError, "the keys are taken, but may not read this"),
        ("RequestTimeTooSkewed", DownloadError, "the clock of this computer is wrong; set it"),
    ],
)
def test_keys_are_blamed_only_where_they_are_at_fault(cdse, scene, code, error, words):
    with serve() as other:
        path = f"/eodata/{scene.assets['product'].removeprefix('s3://eodata/')}/manifest.safe"
        other.files[path] = Served(b"", refusal=f"<Error><Code>{code}</Code></Error>")
        with pytest.raises(error, match=words) as caught:
            replace(cdse, store=other.url).open(scene)
    assert caught.value.status == 403
    assert ("CDSE_S3" in str(caught.value)) == (error is CredentialError)


def test_signature_is_in_the_headers(cdse, scene, monkeypatch):
    assert cdse.open(scene).polarizations == ("VV", "VH")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "wrong")
    _session.cache_clear()
    with pytest.raises(CredentialError, match="SignatureDoesNotMatch"):
        cdse.open(replace(scene, id=scene.id.replace("_COG", "")))
    _session.cache_clear()


def test_token_of_another_service_is_not_sent_along(cdse, copernicus, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "PLANTED-SECRET-of-another-service")
    files = S3Files("s3://eodata/x.SAFE", Store(account="cdse-s3", region="default", endpoint=copernicus.host))
    with files.access() as options, rasterio.Env(**options), suppress(rasterio.errors.RasterioIOError):
        rasterio.open(files.gdal_path("image.tiff"))
    assert copernicus.refused
    assert not any("PLANTED-SECRET-of-another-service" in str(headers) for headers in copernicus.refused)
    asked = files.request("manifest.safe", Path("nowhere")).authorize(False)
    assert not any("security-token" in str(headers).lower() for headers in [*copernicus.refused, asked])
