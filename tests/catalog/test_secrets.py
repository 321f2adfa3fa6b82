"""Secrets stay out of tracebacks, those that show the locals of every frame included, and out of GDAL's debugging."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import traceback

import pytest
import servers.asf
import servers.dhus
from servers.cdse import IDENTITY, PASSWORD, REFRESH, SECRET, TOKEN, USER
from servers.http import FileServer, Served, serve
from servers.replies import ForAll
from servers.stac import TOKEN as SAS
from servers.tls import encrypt
from shapely import box

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import credentials_file, find_credentials, store_credentials
from sarship.catalog.query import SceneQuery
from sarship.catalog.tokens import ask_json, login_header, shared_tokens
from sarship.download import RetryPolicy, fetch_file
from sarship.download.secret import Secret
from sarship.errors import CredentialError, SarshipError
from sarship.model import Window

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
WORD = "PLANTED-WORD"
USERS = [(USER, PASSWORD), *((server.USER, server.PASSWORD) for server in (servers.asf, servers.dhus))]
SECRETS = [
    *(password for _, password in USERS),
    *(base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in USERS),
    *(TOKEN, REFRESH, servers.asf.TOKEN, SAS.partition("=")[2], SECRET, WORD),
]


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("sarship.download.request.RetryPolicy.wait_s", lambda *_: 0.001)
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 1)
    shared_tokens.cache_clear()


def _told(action):
    """The traceback of what an action raises, with the locals of all frames of sarship."""
    with pytest.raises(SarshipError) as caught:
        action()
    assert "\n" not in str(caught.value)
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert any(f"{name} = " in told for name in ("self", "path", "url", "account"))  # the locals are there
    own = told[told.index("/sarship/") :]  # the frames of this test hold what they planted
    for secret in SECRETS:
        where = own.find(secret[:12])  # some printers of tracebacks shorten what they show
        assert where < 0, own[max(0, where - 300) : where]
    return caught.value


LOGINS = {
    "cdse": ("copernicus", IDENTITY),
    "asf": ("alaska", servers.asf.IDENTITY),
    "planetary": ("stac", None),
    "dhus": ("hub", None),
}
REPLIES = {
    "refused": (401, {}, b'{"error": "no"}'),
    "forbidden": (403, {}, b"no"),
    "broken": (500, {}, b"broken"),
    "a page": (200, {"Content-Type": "text/html"}, b"<html>"),
    "nonsense": (200, {"Content-Type": "application/json"}, b'{"access_token": 5, "token": [], "d": 7}'),
    "a token of two lines": (
        200,
        {"Content-Type": "application/json"},
        b'{"access_token": "PLANTED-WORD\\nx", "expires_in": 600, "token": "PLANTED-WORD\\nx"}',
    ),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("name", LOGINS)
def test_a_login_that_fails_tells_no_secret(name, reply, request, tmp_path):
    catalog, server = request.getfixturevalue(name), request.getfixturevalue(LOGINS[name][0])
    scene = next(catalog.search(QUERY))
    place = LOGINS[name][1]
    server.replies = ForAll(reply) if place is None else {place: reply}
    _told(lambda: catalog.fetch(scene, tmp_path / "products"))


@pytest.mark.parametrize("how", ["password", "bearer", "form"])
def test_a_service_of_unknown_certificate_gets_nothing_and_tells_nothing(how, asf, monkeypatch):
    server = FileServer()
    address = encrypt(server)
    with serve(server):
        account = ACCOUNTS["asf"]
        headers = {
            "password": lambda: login_header(account),
            "bearer": lambda: {"Authorization": Secret(f"Bearer {WORD}")},
            "form": dict,
        }[how]()
        form = {"password": Secret(WORD)} if how == "form" else None
        error = _told(lambda: ask_json(f"{address}/token", account, headers=headers, form=form))
        assert "certificate" in str(error)
        assert not any(file.requests for file in server.files.values())


@pytest.mark.parametrize("token", [f"{WORD}\n", f"{WORD}é", f"\r\n{WORD}"])
def test_a_token_of_the_environment_that_cannot_be_sent_is_not_quoted(token, asf, monkeypatch, tmp_path):
    scene = next(asf.search(QUERY))
    monkeypatch.setenv("EARTHDATA_TOKEN", token)
    error = _told(lambda: asf.fetch(scene, tmp_path / "products"))
    assert "copy it again" in str(error)
    assert "EARTHDATA_TOKEN" in str(error)


def test_a_download_that_fails_tells_neither_header_nor_signature_nor_where_it_was_sent(tmp_path):
    quick = RetryPolicy(n_attempts=1, base_s=0.001)
    with serve() as server:
        server.files["/gone"] = Served(b"x", location=f"http://elsewhere.example/?sig={WORD}")
        for place in ("/missing", "/gone"):
            _told(
                lambda place=place: fetch_file(
                    f"{server.url}{place}",
                    tmp_path / "x",
                    retry_policy=quick,
                    authorize=lambda _: {"Authorization": WORD},
                    sign=lambda url, _: f"{url}?sig={WORD}",
                )
            )


def test_credentials_that_cannot_be_used_or_kept_are_not_shown(monkeypatch, tmp_path):
    account = ACCOUNTS["dhus"]
    monkeypatch.setenv("DHUS_PASSWORD", WORD)
    assert "DHUS_USER not set" in str(_told(lambda: find_credentials(account)))
    monkeypatch.delenv("DHUS_PASSWORD")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine identity.dataspace.copernicus.eu login {WORD} password {WORD}\n")
    netrc.chmod(0o644)
    if os.name == "posix":
        assert "chmod 600" in str(_told(lambda: find_credentials(ACCOUNTS["cdse"])))
    path = store_credentials("dhus", {"user": Secret(WORD), "password": Secret(WORD)})
    assert find_credentials(account)["password"].reveal() == WORD
    path.write_text(path.read_text().replace('"password"', '"word"'))
    assert "no password of dhus" in str(_told(lambda: find_credentials(account)))
    path.write_text(f'["{WORD}"]')
    assert "damaged" in str(_told(lambda: find_credentials(account)))
    path.unlink()
    path.mkdir()
    with pytest.raises(CredentialError):
        store_credentials("dhus", {"user": Secret(WORD)})
    path.rmdir()
    path.parent.rmdir()
    credentials_file().parent.write_text("in the way")
    _told(lambda: store_credentials("dhus", {"user": Secret(WORD), "password": Secret(WORD)}))


@pytest.mark.parametrize("name", ["planetary", "cdse"])
def test_a_window_that_fails_tells_no_secret(name, request, monkeypatch):
    catalog, server = request.getfixturevalue(name), request.getfixturevalue(LOGINS[name][0])
    product = catalog.open(next(catalog.search(QUERY)))
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=1, base_s=0.001))
    monkeypatch.setattr("rasterio.open", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        product.digital_numbers("VV", Window(0, 9, 0, 9))
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "options = " in told
    assert not [secret for secret in SECRETS if secret[:12] in told[told.index("/sarship/") :]]
    assert server is not None


DEBUGGED = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)  # to standard error, where GDAL's own words go as well
from shapely import box
from sarship.catalog import SceneQuery, open_catalog
from sarship.model import Window
catalog = open_catalog("planetary", sys.argv[1])
query = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
print(catalog.open(next(catalog.search(query))).digital_numbers("VV", Window(0, 9, 0, 9)).shape)
"""


def test_debugging_of_gdal_prints_no_token(stac, tmp_path):
    debug = {"CPL_DEBUG": "ON", "CPL_CURL_VERBOSE": "YES", "CPL_LOG_ERRORS": "ON", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", DEBUGGED, stac.address],
        env={**os.environ, **debug},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "(9, 9)", done.stderr
    assert "GET" in done.stderr  # of urllib3
    assert "CURL_INFO" not in done.stderr
    assert SAS.partition("=")[2] not in done.stderr
