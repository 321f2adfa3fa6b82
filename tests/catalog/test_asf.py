"""Alaska Satellite Facility: what NASA's catalogue answers amiss, logins, and where a token goes."""

from __future__ import annotations

from dataclasses import replace

import asf_search
import pytest
from servers.asf import GRANULES, IDENTITY
from servers.http import Served, serve
from shapely import box

from sarship.catalog import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.errors import CatalogError, CredentialError, DownloadError, ProductWarning

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("EARTHDATA_TOKEN", raising=False)
    monkeypatch.setattr("sarship.download.request.RetryPolicy.wait_s", lambda *_: 0.01)
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 1)


@pytest.fixture(autouse=True)
def reports(monkeypatch):
    """What asf_search would tell its makers."""
    told = []
    monkeypatch.setattr("requests.post", lambda *args, **_: told.append(args))
    yield told
    assert told == []
    assert asf_search.REPORT_ERRORS, "left as it was found"


def search(asf) -> list:
    return list(asf.search(QUERY))


def test_only_grd_products_are_asked_for(asf, alaska):
    search(asf)
    assert all("_GRD_" in name and "META" not in name for name in alaska.forms[0]["shortName"])


def test_pages_are_followed(asf, alaska):
    alaska.page_size = 1
    assert len(search(asf)) == 2
    assert [one.path for one in alaska.take()] == [GRANULES, GRANULES]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>down for maintenance</html>"), "something other than a list"),
        ((200, {}, b"[]"), "something other than a list"),
        ((200, {}, b'{"items": 3, "hits": 1}'), "something other than a list"),
        ((200, {}, b'{"items": [{}], "hits": 1}'), "something other than a list"),
        ((200, {}, b'{"items": [{"meta": {"concept-id": "1"}}], "hits": 1}'), "asf_search cannot read"),
        ((200, {}, b'{"items": [], "hits": 7}'), "sent 0 of 7 scenes"),
        ((200, {"CMR-Search-After": "x"}, b'{"items": [], "hits": 7}'), "sent 0 of 7 scenes"),
        ((404, {}, b"none"), "answered 404"),
        ((400, {}, b'{"errors": ["no"]}'), "answered 400"),
        ((503, {}, b"busy"), "answered 503; try again later"),
        ((429, {"Retry-After": "0"}, b"busy"), "answered 429"),
        ((302, {"Location": "https://elsewhere.example/search"}, b""), "answered 302"),
    ],
)
def test_answer_that_is_none_is_one_sentence(asf, alaska, reply, words):
    alaska.replies[GRANULES] = reply
    with pytest.raises(CatalogError, match=words) as caught:
        search(asf)
    assert "\n" not in str(caught.value)


def test_page_that_repeats_is_refused(asf, alaska):
    alaska.page_size = 1
    alaska.spoil = lambda page: {**page, "items": alaska.items[:1]}
    with pytest.raises(CatalogError, match="same page twice"):
        search(asf)


def test_service_that_is_not_there_is_one_sentence(asf):
    with pytest.raises(CatalogError, match="cannot be reached"):
        search(replace(asf, address="http://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda umm, _: umm.pop("RelatedUrls"), "does not say where the files of"),
        (
            lambda umm, _: umm["RelatedUrls"][0].update(URL="https://evil.example/x.zip"),
            "does not say where the files of",
        ),
        (
            lambda umm, _: umm["RelatedUrls"][0].update(URL="http://datapool.asf.alaska.edu/x.zip"),
            "does not say where the files of",
        ),
        (lambda _, named: named["POLARIZATION"].update(Values=["XX"]), "the polarisations 'XX'"),
        (lambda _, named: named["ASCENDING_DESCENDING"].update(Values=["UP"]), "which cannot be"),
        (lambda umm, _: umm["SpatialExtent"].pop("HorizontalSpatialDomain"), "has a footprint outside the world"),
    ],
)
def test_product_that_makes_no_sense_is_left_out_and_said(asf, alaska, change, words):
    def spoil(page):
        umm = page["items"][0]["umm"]
        change(umm, {one["Name"]: one for one in umm["AdditionalAttributes"]})
        return page

    alaska.spoil = spoil
    with pytest.warns(ProductWarning, match=words):
        assert len(search(asf)) == 1


def test_area_over_the_antimeridian_is_asked_for_in_two(asf, alaska):
    points = [(179.9, -18), (-179.9, -18), (-179.9, -17), (179.9, -17), (179.9, -18)]
    places = [{"Longitude": x, "Latitude": y} for x, y in points]
    alaska.items = alaska.items[:1]
    boundary = alaska.items[0]["umm"]["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"][0]
    boundary["Boundary"]["Points"] = places
    query = SceneQuery(area=box(179.95, -17.6, 180.05, -17.5), start="2024-12-01", end="2024-12-31")
    (scene,) = asf.search(query)
    assert scene.footprint.area == pytest.approx(0.2)
    boxes = [[float(x) for x in form["bounding_box"][0].split(",")] for form in alaska.forms]
    assert sorted(b[2] - b[0] for b in boxes) == pytest.approx([0.05, 0.05])


def test_file_name_that_leaves_the_folder_is_not_used(asf, alaska, tmp_path):
    item = alaska.items[0]
    item["umm"]["DataGranule"]["Identifiers"][0]["Identifier"] = "../../S1A"
    assert len(search(asf)) == 1, "what is no product's name is no scene"


def test_wrong_login_says_which_variables(asf, monkeypatch, tmp_path):
    scene = search(asf)[0]
    monkeypatch.setenv("EARTHDATA_PASSWORD", "wrong")
    with pytest.raises(CredentialError, match="look at EARTHDATA_USERNAME and EARTHDATA_PASSWORD"):
        asf.fetch(scene, tmp_path)
    monkeypatch.delenv("EARTHDATA_PASSWORD")
    monkeypatch.delenv("EARTHDATA_USERNAME")
    with pytest.raises(CredentialError, match="set EARTHDATA_USERNAME and EARTHDATA_PASSWORD, give"):
        asf.fetch(scene, tmp_path)


def test_token_of_the_environment_is_used_as_it_is(asf, alaska, monkeypatch, tmp_path):
    for name in ("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("EARTHDATA_TOKEN", alaska.token)
    first, second = search(asf)
    assert asf.fetch(first, tmp_path).is_file()
    alaska.token = "PLANTED-SECRET-next"
    with pytest.raises(CredentialError, match="look at EARTHDATA_TOKEN, which may have expired") as caught:
        asf.fetch(second, tmp_path)
    assert "PLANTED" not in str(caught.value)
    monkeypatch.setenv("EARTHDATA_TOKEN", alaska.token)
    assert asf.fetch(second, tmp_path).is_file(), "a new one is taken without a restart"
    assert IDENTITY not in [one.path for one in alaska.take()]


def test_token_that_is_refused_is_asked_for_once_more(asf, alaska, tmp_path):
    first, second = search(asf)
    asf.fetch(first, tmp_path)
    alaska.token = "PLANTED-SECRET-next"
    assert asf.fetch(second, tmp_path).is_file()
    assert [one.path for one in alaska.take()].count(IDENTITY) == 2


def test_store_it_sends_on_to_gets_no_token(asf, alaska, tmp_path, monkeypatch):
    scene = search(asf)[0]
    path = scene.assets["zip"].removeprefix(alaska.host)
    with serve() as other:
        other.files["/signed"] = Served(alaska.zips[path])
        alaska.replies[path] = 302, {"Location": f"{other.url}/signed?X-Amz-Signature=PLANTED"}, b""
        with pytest.raises(DownloadError, match="none of the provider's hosts") as caught:
            asf.fetch(scene, tmp_path)
        assert "PLANTED" not in str(caught.value)
        monkeypatch.setattr("sarship.catalog.asf._STORES", frozenset({f"127.0.0.1:{other.server_port}"}))
        assert asf.fetch(scene, tmp_path).is_file()
        assert "Authorization" not in other.files["/signed"].requests[0]


def test_log_in_page_instead_of_the_file_is_one_sentence(asf, alaska, tmp_path):
    scene = search(asf)[0]
    page = 200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>"
    alaska.replies[scene.assets["zip"].removeprefix(alaska.host)] = page
    with pytest.raises(CredentialError, match=r"web page instead of the file; log in there once.*EARTHDATA_USERNAME"):
        asf.fetch(scene, tmp_path)


def test_damaged_zip_is_not_put_in_place(asf, alaska, tmp_path):
    scene = search(asf)[0]
    path = scene.assets["zip"].removeprefix(alaska.host)
    alaska.zips[path] = alaska.zips[path][:-1] + b"?"
    with pytest.raises(DownloadError, match="md5 of what arrived"):
        asf.fetch(scene, tmp_path)
    assert not list(tmp_path.glob("S1*"))


def test_scene_of_another_catalogue_is_refused(asf, tmp_path):
    scene = replace(search(asf)[0], assets={"product": "/somewhere/S1A.SAFE"})
    with pytest.raises(CatalogError, match="not a scene of this catalogue"):
        asf.fetch(scene, tmp_path)


def test_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "asf_search", None)
    with pytest.raises(CatalogError, match=r"pip install 'sarship\[asf\]'"):
        list(open_catalog("asf").search(QUERY))
