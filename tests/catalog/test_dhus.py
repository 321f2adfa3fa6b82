"""DHuS hubs, asked through sentinelsat: resumed downloads, and that neither account nor file leaves its place."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from servers.dhus import HUB, PASSWORD, USER
from servers.http import serve
from shapely import box

from sarship.catalog import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.errors import CatalogError, CredentialError, DownloadError, OutputError, ProductWarning

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
SEARCH = f"{HUB}/search"


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("sarship.download.request.RetryPolicy.wait_s", lambda *_: 0.01)
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 3)
    monkeypatch.setattr("sarship.catalog.session.BACKOFF_S", 0)
    monkeypatch.setattr("sarship.catalog.session.TIMEOUT_S", (5.0, 5.0))


@pytest.fixture
def scene(dhus):
    return next(dhus.search(QUERY))


def test_address_has_to_be_given():
    for address in ("", "hub.example.org"):
        with pytest.raises(CatalogError, match="is a hub that you name"):
            open_catalog("dhus", address)


def test_download_that_breaks_goes_on_where_it_was(dhus, hub, scene, tmp_path):
    hub.n_cut = 2
    hub.take()
    told = []
    path = dhus.fetch(scene, tmp_path / "products", lambda done, _: told.append(done))
    body = next(iter(hub.zips.values()))
    assert path.read_bytes() == body
    sent = [one for one in hub.take() if one.path.endswith(")/$value")]
    assert [one.status for one in sent] == [200, 206, 206]
    assert sum(one.n_bytes for one in sent) == len(body), "no byte comes twice"
    assert told[-1] == len(body)


def test_server_does_not_choose_where_the_file_goes(dhus, scene, tmp_path):
    folder = tmp_path / "a" / "b" / "c"
    assert dhus.fetch(scene, folder) == folder / f"{scene.id}.zip"
    assert not list(tmp_path.rglob("evil*"))


def test_download_that_always_breaks_is_one_sentence(dhus, hub, scene, tmp_path):
    hub.n_cut = 100
    with pytest.raises(DownloadError, match="was cut, 8 times in a row; run the download again to go on"):
        dhus.fetch(scene, tmp_path)
    assert not list(tmp_path.glob("S1*"))
    hub.n_cut = 0
    assert dhus.fetch(scene, tmp_path).is_file()


def test_wrong_bytes_are_not_put_in_place(dhus, hub, scene, tmp_path):
    number, body = next(iter(hub.zips.items()))
    where = body.index(b"<?xml", len(body) // 3)
    hub.zips[number] = body[:where] + b"?" + body[where + 1 :]
    with pytest.raises(DownloadError, match="is wrong"):
        dhus.fetch(scene, tmp_path)
    assert not list(tmp_path.glob("S1*"))


def test_product_in_the_archive_is_one_sentence(dhus, hub, scene, tmp_path):
    hub.is_online = False
    with pytest.raises(DownloadError, match="is being brought from the archive; run the download again in an hour"):
        dhus.fetch(scene, tmp_path)


def test_account_goes_to_the_hub_alone(dhus, hub, scene, tmp_path):
    with serve() as other:
        hub.file_host = other.url
        dhus.fetch(scene, tmp_path)
        hub.replies[SEARCH] = 302, {"Location": f"{other.url}/search"}, b""
        with pytest.raises(CatalogError, match="another host"):
            list(dhus.search(QUERY))
        assert other.files == {}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html><b>down</b> for\nmaintenance</html>"), "something other than"),
        ((200, {}, b"[]"), "cannot read"),
        ((200, {}, b'{"feed": 3}'), "cannot read"),
        ((200, {}, b'{"feed": {"opensearch:totalResults": "1", "entry": [{"id": 1}]}}'), "no UUID"),
        ((200, {}, b'{"feed": {"opensearch:totalResults": "7", "entry": []}}'), "sent 0 of 7 scenes"),
        ((404, {}, b"none"), "answered 404"),
        ((503, {}, b"busy"), "answered 503"),
        ((429, {"Retry-After": "0"}, b"busy"), "answered 429"),
    ],
)
@pytest.mark.filterwarnings("error::sarship.errors.ProductWarning")
def test_answer_that_is_none_is_one_sentence(dhus, hub, reply, words):
    hub.replies[SEARCH] = reply
    with pytest.raises((CatalogError, ProductWarning), match=words) as caught:
        list(dhus.search(QUERY))
    assert "\n" not in str(caught.value)


def test_page_that_repeats_is_refused(dhus, hub, monkeypatch):
    def spoil(page):
        page["feed"] |= {"opensearch:totalResults": "3", "entry": hub.items}
        return page

    hub.spoil = spoil
    with pytest.raises(CatalogError, match="sent 2 of 3 scenes"):
        list(dhus.search(QUERY))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda item: item["str"].pop(0), "footprint"),
        (lambda item: item["str"][1].update(content="UP"), "which cannot be"),
        (lambda item: item["str"][2].update(content="XX"), "the polarisations 'XX'"),
        (lambda item: item.update(id="1') or ('"), "which is no UUID"),
    ],
)
def test_entry_that_makes_no_sense_is_left_out_and_said(dhus, hub, change, words):
    def spoil(page):
        for item in page["feed"].get("entry", [])[:1]:
            change(item)
        return page

    hub.spoil = spoil
    with pytest.warns(ProductWarning, match=words):
        assert len(list(dhus.search(QUERY))) == 1


def test_footprint_over_the_antimeridian(dhus, hub):
    hub.items = hub.items[:1]
    ring = "MULTIPOLYGON (((179.9 -18, -179.9 -18, -179.9 -17, 179.9 -17, 179.9 -18)))"
    hub.items[0]["str"][0]["content"] = ring
    query = SceneQuery(area=box(179.95, -17.6, 180.05, -17.5), start="2024-12-01", end="2024-12-31")
    (scene,) = dhus.search(query)
    assert scene.footprint.area == pytest.approx(0.2)


def test_wrong_account_says_which_variables(dhus, monkeypatch):
    monkeypatch.setenv("DHUS_PASSWORD", "wrong")
    with pytest.raises(CredentialError, match="look at DHUS_USER and DHUS_PASSWORD, the entry"):
        list(dhus.search(QUERY))
    monkeypatch.delenv("DHUS_PASSWORD")
    monkeypatch.delenv("DHUS_USER")
    with pytest.raises(CredentialError, match="set DHUS_USER and DHUS_PASSWORD"):
        list(dhus.search(QUERY))


def test_account_may_stand_in_netrc_under_the_hubs_name(dhus, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.delenv("DHUS_PASSWORD")
    monkeypatch.delenv("DHUS_USER")
    assert len(list(dhus.search(QUERY))) == 2


def test_service_that_is_not_there_is_one_sentence(dhus):
    with pytest.raises(CatalogError, match="cannot be reached"):
        list(replace(dhus, address="http://127.0.0.1:9/dhus").search(QUERY))


def test_folder_that_cannot_be_is_one_sentence(dhus, scene, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        dhus.fetch(scene, tmp_path / "file")


def test_full_disk_is_noticed_before_the_first_byte(dhus, hub, scene, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    hub.take()
    with pytest.raises(OutputError, match="free some space"):
        dhus.fetch(scene, tmp_path)
    assert not any(one.path.endswith(")/$value") for one in hub.take())


def test_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentinelsat", None)
    with pytest.raises(CatalogError, match=r"pip install 'sarship\[dhus\]'"):
        list(open_catalog("dhus", "https://hub.example.org/dhus").search(QUERY))


def test_log_has_no_password(dhus, scene, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    dhus.fetch(scene, tmp_path)
    assert "PLANTED" not in caplog.text
