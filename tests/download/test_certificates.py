"""Certificates of servers: one variable for all libraries, and a sentence wherever one is not verified."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import certifi
import pytest
from botocore.exceptions import ClientError
from servers.cdse import KEY, SECRET
from servers.http import serve
from servers.running import run
from servers.stac import STORE, StacServer
from servers.tls import AUTHORITY, ReplacingProxy, encrypt
from shapely import box

from sarship.catalog import SceneQuery, open_catalog
from sarship.catalog.s3 import S3Files, Store, _session
from sarship.catalog.tokens import ask_json
from sarship.download import RetryPolicy, fetch_file
from sarship.errors import CatalogError, DownloadError, ProductError, SarshipError
from sarship.model import Window
from sarship.sentinel1.gdal_options import SERVER_OPTIONS, server_options
from sarship.sentinel1.measurement import Measurement

VARIABLES = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"]
QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
WINDOW = Window(10, 60, 10, 60)
QUICK = RetryPolicy(n_attempts=2, base_s=0.001)


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(SERVER_OPTIONS, "GDAL_HTTP_MAX_RETRY", 0)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(mirror):
    server = StacServer()
    server.host = encrypt(server)
    with run(server) as running:
        running.add(mirror[0])
        yield running


def found(server: StacServer):
    catalog = open_catalog("planetary", server.address)
    return catalog, next(catalog.search(QUERY))


def window(server: StacServer):
    catalog, scene = found(server)
    return catalog.open(scene).digital_numbers("VV", WINDOW)


@pytest.mark.parametrize("variable", VARIABLES)
def test_any_of_the_variables_is_enough_for_search_token_files_and_windows(server, monkeypatch, variable):
    monkeypatch.setenv(variable, str(AUTHORITY))
    assert window(server).any()


@pytest.mark.parametrize("variable", VARIABLES)
def test_any_of_the_variables_is_enough_for_the_keys_of_amazon(monkeypatch, variable):
    monkeypatch.setenv(variable, str(AUTHORITY))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with serve() as server:
        _session.cache_clear()
        session = _session(Store(account="earth-search", region="eu-central-1", is_paid=True))
        client = session.client("s3", endpoint_url=encrypt(server))
        with closing(client), pytest.raises(ClientError, match="404"):  # an answer, so that the certificate is verified
            client.list_buckets()
    _session.cache_clear()


@pytest.mark.parametrize("variable", VARIABLES)
def test_any_of_the_variables_is_enough_for_a_window_in_a_store(tmp_path, monkeypatch, variable):
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", KEY)
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", SECRET)
    with serve() as server:
        files = S3Files("s3://eodata/p.SAFE", Store(account="cdse-s3", region="default", endpoint=encrypt(server)))
        image = Measurement(files.gdal_path("a.tiff"), "a.tiff", (9, 9), access=files.access)
        with pytest.raises(DownloadError, match="certificate"):
            image.read(Window(0, 9, 0, 9))
        monkeypatch.setenv(variable, str(AUTHORITY))
        with pytest.raises(ProductError, match="is not a readable TIFF"):  # an answer: there is no such file
            image.read(Window(0, 9, 0, 9))


def test_first_of_the_variables_counts_and_an_empty_one_does_not(server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(AUTHORITY))
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere.pem")
    assert window(server).any()


def test_proxy_that_replaces_certificates_takes_one_variable(mirror, monkeypatch):
    with run(StacServer(ReplacingProxy)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.host)
        monkeypatch.setenv("NO_PROXY", "")
        proxy.host = "https://catalogue.example"  # answered by the proxy: there is no such host
        proxy.add(mirror[0])
        with pytest.raises(CatalogError, match=r"https://catalogue.example/.*certificate.*point SSL_CERT_FILE to"):
            window(proxy)
        monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
        assert window(proxy).any()


def search(server: StacServer, _folder: Path) -> None:
    found(server)


def token(server: StacServer, _folder: Path) -> None:
    ask_json(f"{server.host}/token")


def download(server: StacServer, folder: Path) -> None:
    fetch_file(f"{server.host}{STORE}/manifest.safe", folder / "manifest.safe", retry_policy=QUICK)


STEPS = pytest.mark.parametrize(
    ("step", "error"), [(search, CatalogError), (token, CatalogError), (download, DownloadError)]
)


@STEPS
@pytest.mark.parametrize("variable", ["", "REQUESTS_CA_BUNDLE"])
def test_certificate_that_is_not_verified_is_named_with_host_and_remedy(
    server, tmp_path, monkeypatch, step, error, variable
):
    named = "SSL_CERT_FILE to"
    if variable:
        monkeypatch.setenv(variable, certifi.where())
        named = rf"{variable} \(now {certifi.where()}\) to"
    with pytest.raises(error, match=rf"^https://127.0.0.1:.* certificate .*\(.*issuer.*\).* point {named}") as caught:
        step(server, tmp_path)
    assert str(caught.value).count("127.0.0.1") == 1
    assert server.asked == []


def test_window_whose_certificate_is_not_verified_says_so(server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    catalog, scene = found(server)
    product = catalog.open(scene)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DownloadError, match=r"https://127\.0\.0\.1:\d+/.*iw-vv.tiff: .*certificate.*SSL_CERT_FILE"):
        product.digital_numbers("VV", WINDOW)


@pytest.mark.parametrize("step", [search, token, download])
def test_certificate_of_another_host_is_named_as_such(server, tmp_path, monkeypatch, step):
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    server.host = server.host.replace("127.0.0.1", "localhost")
    with pytest.raises(SarshipError, match=r"certificate cannot be verified \(.*not valid for 'localhost'\)"):
        step(server, tmp_path)


def test_certificate_of_another_host_is_named_as_such_for_a_window(server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    address = f"{server.host.replace('127.0.0.1', 'localhost')}/image.tiff"
    image = Measurement(f"/vsicurl/{address}", address, (10, 10), access=lambda: nullcontext(server_options()))
    with pytest.raises(DownloadError, match=r"image.tiff: .* certificate cannot be verified \(.*name 'localhost'\)"):
        image.read(Window(0, 10, 0, 10))


@STEPS
@pytest.mark.parametrize("kind", ["nothing", "a folder", "text"])
def test_variable_that_names_no_certificates_is_one_sentence(server, tmp_path, monkeypatch, step, error, kind):
    path, fault = tmp_path / "company.pem", "holds no certificates"
    if kind == "nothing":
        fault = "does not exist"
    elif kind == "a folder":
        path.mkdir()
    else:
        path.write_text(kind)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(path))
    with pytest.raises(error, match=rf"^CURL_CA_BUNDLE names .*company.pem, which {fault}.*; name a file"):
        step(server, tmp_path)
