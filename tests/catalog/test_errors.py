"""Errors of catalogues and downloads carry what a program needs besides the sentence, and survive pickling."""

from __future__ import annotations

import pickle
import time

import pytest
from servers.asf import GRANULES
from servers.cdse import IDENTITY, ODATA
from servers.dhus import HUB
from servers.stac import API, Answer, Handler
from shapely import box

from sarship.catalog import SceneQuery
from sarship.catalog.scenes import query_of
from sarship.errors import CatalogError, CredentialError, DownloadError

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sarship.download.request.RetryPolicy.wait_s", lambda *_: 0.01)
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 1)
    monkeypatch.setattr("sarship.catalog.session.BACKOFF_S", 0)


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (
            CatalogError("a sentence", status=503, catalog="https://x.org/v1"),
            {"status": 503, "catalog": "https://x.org/v1"},
        ),
        (DownloadError("a sentence", status=404, file="https://x.org/a"), {"status": 404, "file": "https://x.org/a"}),
        (CredentialError("a sentence", status=401), {"status": 401}),
        (CatalogError("a sentence"), {"status": None, "catalog": None}),
        (DownloadError("a sentence"), {"status": None, "file": None}),
    ],
)
def test_data_is_beside_the_sentence_and_is_pickled(error, data):
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert str(one) == "a sentence"
        assert {name: getattr(one, name) for name in data} == data


def test_data_is_given_by_name():
    for kind in (CatalogError, DownloadError, CredentialError):
        with pytest.raises(TypeError):
            kind("a sentence", 404)


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize(
    ("name", "server", "path"),
    [
        ("planetary", "stac", f"{API}/search"),
        ("cdse", "copernicus", "/v1/search"),
        ("earth_search", "amazon", f"{API}/search"),
        ("asf", "alaska", GRANULES),
        ("dhus", "hub", f"{HUB}/search"),
    ],
)
def test_search_that_fails_tells_status_and_catalogue(name, server, path, status, request):
    catalog, running = request.getfixturevalue(name), request.getfixturevalue(server)
    running.replies[path] = status, {}, b"no"
    with pytest.raises(CatalogError, match=f"answered {status}") as caught:
        list(catalog.search(QUERY))
    assert (caught.value.status, caught.value.catalog) == (status, catalog.address)


@pytest.mark.parametrize("faults", [["busy", "cut"], ["cut", "busy"]])
def test_search_that_ends_without_an_answer_tells_the_one_that_it_met(planetary, stac, monkeypatch, faults):
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 2)
    left = list(faults)

    def answer(handler):
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.close_connection = True
        if left and left.pop(0) == "busy":
            handler._reply(Answer(503))

    monkeypatch.setattr(Handler, "do_POST", answer)
    with pytest.raises(CatalogError, match="answered 503; try again later") as caught:
        list(planetary.search(QUERY))
    assert (caught.value.status, caught.value.catalog) == (503, planetary.address)


def test_search_waits_as_long_as_the_server_asks_and_so_does_the_next(planetary, stac):
    stac.replies[f"{API}/search"] = 429, {"Retry-After": "1"}, b"busy"
    began = time.monotonic()
    with pytest.raises(CatalogError, match="answered 429"):
        list(planetary.search(QUERY))
    assert [one.status for one in stac.take()] == [429, 429]
    assert time.monotonic() - began >= 1
    stac.replies.clear()
    assert len(list(planetary.search(QUERY))) == 2
    assert time.monotonic() - began >= 2


def test_search_that_is_to_wait_for_long_is_refused_and_nobody_asks_again(planetary, stac):
    stac.replies[f"{API}/search"] = 503, {"Retry-After": "1800"}, b"busy"
    for _ in range(2):
        with pytest.raises(CatalogError, match=r"asked to be left alone, for 1[78]\d\d s from now") as caught:
            list(planetary.search(QUERY))
        assert caught.value.catalog == planetary.address
    assert [one.status for one in stac.take()] == [503]


def test_service_that_is_not_there_has_no_status(planetary, stac):
    catalog = type(planetary)(address="http://127.0.0.1:9/api/stac/v1")
    with pytest.raises(CatalogError) as caught:
        list(catalog.search(query_of(next(planetary.search(QUERY)).id)))
    assert (caught.value.status, caught.value.catalog) == (None, catalog.address)


@pytest.mark.parametrize("status", [404, 503])
def test_download_that_fails_tells_status_and_file(cdse, copernicus, tmp_path, status):
    scene = next(cdse.search(QUERY))
    path = f"{ODATA}/Products({next(iter(copernicus.zips))})/$value"
    copernicus.replies[path] = status, {}, b"no"
    with pytest.raises(DownloadError, match=f"answered {status}") as caught:
        cdse.fetch(scene, tmp_path)
    assert (caught.value.status, caught.value.file) == (status, copernicus.host + path)


def test_refused_account_tells_its_status(cdse, copernicus, tmp_path):
    copernicus.replies[IDENTITY] = 401, {}, b"{}"
    with pytest.raises(CredentialError, match="CDSE_USER") as caught:
        cdse.fetch(next(cdse.search(QUERY)), tmp_path)
    assert caught.value.status == 401
