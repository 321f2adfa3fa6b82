"""The Planetary Computer's catalogue: what it answers amiss, what it costs, and that its token stays hidden."""

from __future__ import annotations

import json
import logging
import pickle
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from servers.stac import API, CONTAINER, STORE, TOKEN, TOKENS, StacServer, make_mirrored, serve_stac
from shapely import box
from shapely import envelope as box_around

from sarship import open_grd
from sarship.catalog import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.catalog.tokens import shared_tokens
from sarship.errors import CatalogError, DownloadError, ProductWarning, SarshipError
from sarship.model import Window
from sarship.port.grid import PortGrid, _around, to_port_grid
from sarship.sentinel1.safe import PRODUCT_INFO
from sarship.simulate import ProductParams, simulate_product

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
SEARCH = f"{API}/search"
WINDOW = Window(700, 1500, 900, 1700)


@pytest.fixture(scope="session")
def large(tmp_path_factory) -> Path:
    """Large enough for a window to be a part of it."""
    return make_mirrored(tmp_path_factory.mktemp("large"), ProductParams(shape=(1600, 2600)), n_vessels=1, seed=8)


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    params = ProductParams(
        shape=(64, 80),
        time=ProductParams().time + timedelta(days=12),
        absolute_orbit=ProductParams().absolute_orbit + 175,
    )
    return make_mirrored(tmp_path_factory.mktemp("small"), params, n_vessels=1, seed=8)


@pytest.fixture
def server(large, small, tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    with serve_stac() as running:
        running.add(large)
        running.add(small)
        yield running


def search(server: StacServer) -> list:
    return list(open_catalog("planetary", server.address).search(QUERY))


def opened(server: StacServer):
    catalog = open_catalog("planetary", server.address)
    return catalog.open(next(catalog.search(QUERY)))


def test_window_costs_few_requests_and_a_second_read_none(server, large):
    product = opened(server)
    product.calibration("VV"), product.noise("VV")
    server.take()
    image = product.digital_numbers("VV", WINDOW)
    asked = [one for one in server.take() if one.path.startswith(STORE)]
    size = (large / "measurement" / "iw-vv.tiff").stat().st_size
    assert len(asked) <= 10
    assert sum(one.n_bytes for one in asked) < 0.6 * size
    np.testing.assert_array_equal(image, open_grd(large).digital_numbers("VV", WINDOW))
    again = opened(server)
    server.take()
    np.testing.assert_array_equal(again.digital_numbers("VV", WINDOW), image)
    assert server.take() == [], "windows and XML are kept"


def test_bands_of_a_window_are_those_of_the_file(server, large):
    product, truth = opened(server), open_grd(large)
    for ours, theirs in zip(product.bands("VH", WINDOW, 300, 20), truth.bands("VH", WINDOW, 300, 20), strict=True):
        assert (ours[0], ours[2]) == (theirs[0], theirs[2])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_port_aslant_costs_less_than_its_window_and_is_the_same(server, large, tmp_path, monkeypatch):
    longitude, latitude = open_grd(large).geometry.to_map(800.0, 1024.0)  # where four blocks meet
    grid = PortGrid.around(box(longitude - 0.0015, latitude - 0.06, longitude + 0.0015, latitude + 0.06), margin_m=0)
    images = [to_port_grid(product, grid) for product in (open_grd(large), opened(server))]
    n_bytes = sum(one.n_bytes for one in server.take() if one.path.endswith(".tiff"))
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr("sarship.port.grid._around", lambda *places: box_around(_around(*places)))
    with serve_stac() as other:
        other.add(large)
        images.append(to_port_grid(opened(other), grid))
        assert n_bytes < sum(one.n_bytes for one in other.take() if one.path.endswith(".tiff"))
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])
    assert np.isfinite(images[0]).all()


def test_annotation_is_found_though_its_asset_leads_elsewhere(server):
    product = opened(server)
    assert product.polarizations == ("VV", "VH")
    assert not any("rfi" in one.path for one in server.take())


def test_xml_is_fetched_once(server):
    opened(server).calibration("VV")
    server.take()
    opened(server).calibration("VV")
    assert [one.path for one in server.take()] == [SEARCH, SEARCH]


def test_product_may_be_pickled_and_holds_no_token(server):
    product = opened(server)
    product.digital_numbers("VV", Window(0, 10, 0, 10))
    content = pickle.dumps(product)
    assert TOKEN.encode() not in content
    assert pickle.loads(content).digital_numbers("VV", Window(0, 10, 0, 10)).shape == (10, 10)


def test_token_is_fetched_once(server):
    opened(server).digital_numbers("VV", Window(0, 10, 0, 10))
    opened(server).digital_numbers("VH", Window(0, 10, 0, 10))
    assert server.n_tokens == 1


def test_short_token_is_renewed(server):
    server.lifetime = timedelta(0)  # a longer one lasts for two thirds of its life
    product = opened(server)
    n_before = server.n_tokens
    product.digital_numbers("VV", Window(0, 10, 0, 10))
    assert server.n_tokens > n_before


def test_token_is_nowhere_to_be_seen(server, small, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    catalog = open_catalog("planetary", server.address)
    scenes = list(catalog.search(QUERY))
    catalog.fetch(scenes[1], tmp_path / "products")
    product = catalog.open(scenes[0])
    product.digital_numbers("VV", WINDOW)
    server.folders.clear()
    with pytest.raises(SarshipError) as caught:
        product.digital_numbers("VH", Window(0, 10, 0, 10))
    secret = TOKEN.partition("=")[2]
    seen = "".join(record.getMessage() + repr(record.args) for record in caplog.records)
    assert secret not in seen + repr(caught.value) + repr(caught.value.__cause__) + repr(product) + repr(scenes)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_pages_are_followed(server):
    server.page_size = 1
    assert len(search(server)) == 2
    assert [one.path for one in server.take()] == [SEARCH, SEARCH]


def _page(features, links=()) -> tuple:
    return 200, {}, json.dumps({"type": "FeatureCollection", "features": features, "links": list(links)}).encode()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>down for maintenance</html>"), "something other than a list"),
        ((200, {}, b"[]"), "something other than a list"),
        ((200, {}, b'{"features": 3}'), "something other than a list"),
        ((200, {}, b'{"features": []' * 3), "something other than a list"),
        ((404, {}, b"none"), "answered 404"),
        ((403, {}, b"none"), "answered 403"),
        (_page([], [{"rel": "next", "href": "@/search"}]), "empty page with more to follow"),
        (_page([{"id": "A"}], [{"rel": "next", "href": "https://elsewhere.example/search"}]), "another host"),
        ((302, {"Location": "https://elsewhere.example/search"}, b""), "another host, elsewhere.example"),
    ],
)
@pytest.mark.filterwarnings("ignore::sarship.errors.ProductWarning")
def test_answer_that_is_none_is_one_sentence(server, reply, words):
    server.replies[SEARCH] = (*reply[:2], reply[2].replace(b"@", server.address.encode()))
    with pytest.raises(CatalogError, match=words) as caught:
        search(server)
    assert "\n" not in str(caught.value)


def test_page_that_repeats_is_refused(server):
    def repeat(page):
        page["features"] = [server.items[0]]
        page["links"] = [
            {"rel": "next", "href": f"{server.address}/search", "method": "POST", "merge": True, "body": {"token": "1"}}
        ]
        return page

    server.spoil = repeat
    with pytest.raises(CatalogError, match="same page twice"):
        search(server)


def test_empty_answer_is_no_scene(server):
    server.replies[SEARCH] = _page([])
    assert search(server) == []


def test_service_that_is_not_there_is_one_sentence(server, monkeypatch):
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 0)
    with pytest.raises(CatalogError, match="cannot be reached"):
        list(open_catalog("planetary", "http://127.0.0.1:9/api/stac/v1").search(QUERY))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda item: item.update(assets={}), "does not say where the files of"),
        (lambda item: item.update(assets=None), "does not say where the files of"),
        (
            lambda item: item["assets"]["safe-manifest"].update(href="https://evil.example/manifest.safe"),
            "does not say where the files of",
        ),
        (lambda item: item["properties"].update({"sar:polarizations": ["XX"]}), "polarisations"),
        (lambda item: item["properties"].update({"sat:orbit_state": "up"}), "which cannot be"),
        (lambda item: item.update(geometry=None), "no usable footprint"),
        (lambda item: item.update(properties=7), "cannot be read"),
    ],
)
def test_item_that_makes_no_sense_is_left_out_and_said(server, change, words):
    def spoil(page):
        for item in page["features"]:
            if item["id"] == server.items[0]["id"]:
                change(item)
        return page

    server.spoil = spoil
    with pytest.warns(ProductWarning, match=words):
        assert len(search(server)) == 1


def test_footprint_over_the_antimeridian(server):
    ring = [[179.9, -18], [-179.9, -18], [-179.9, -17], [179.9, -17], [179.9, -18]]
    server.items[0]["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    server.spoil = lambda page: {**page, "features": server.items[:1], "links": []}
    query = SceneQuery(area=box(179.95, -17.6, 180.05, -17.5), start="2024-12-01", end="2024-12-31")
    (scene,) = open_catalog("planetary", server.address).search(query)
    assert scene.footprint.area == pytest.approx(0.2)


def test_wrong_xml_is_refused(server, tmp_path, large):
    name = next(iter(server.folders))
    path = f"{STORE}/{name}/annotation/calibration/calibration-iw-vv.xml"
    content = (large / "annotation/calibration/calibration-iw-vv.xml").read_bytes()
    server.replies[path] = 200, {}, content.replace(b"<", b" ", 1)
    with pytest.raises(DownloadError, match="md5"):
        opened(server).calibration("VV")
    assert not any(path.name == "calibration-iw-vv.xml" for path in tmp_path.rglob("*"))


def test_image_that_is_cut_is_not_put_in_place(server, small, tmp_path):
    catalog = open_catalog("planetary", server.address)
    scene = list(catalog.search(QUERY))[1]
    image = (small / "measurement" / "iw-vv.tiff").read_bytes()
    server.replies[f"{STORE}/{scene.id}/measurement/iw-vv.tiff"] = 200, {}, image[: len(image) // 2]
    with pytest.raises(
        DownloadError, match=r"measurement/s1a-iw-grd-vv-.*tiff is wrong \(lines 0 to 64 cannot be decoded"
    ):
        catalog.fetch(scene, tmp_path / "products")
    assert not list((tmp_path / "products").glob("S1*"))


@pytest.fixture
def plain_names(tmp_path) -> Path:
    """As the producer names the files, without what tells other names."""
    params = ProductParams(shape=(64, 80), time=ProductParams().time + timedelta(days=1))
    return simulate_product(tmp_path / "plain", params, n_vessels=1, seed=8)[0]


@pytest.mark.parametrize("answer", [(404, {}, b""), (403, {}, b"<Error><Code>AccessDenied</Code></Error>")])
@pytest.mark.parametrize("is_short", [True, False])
def test_names_are_listed_where_no_file_tells_them(server, large, plain_names, is_short, answer):
    """In pages; the listing is kept, and the file that is not there is not asked for again."""
    server.folders[next(iter(server.folders))] = large if is_short else plain_names
    server.replies[f"{STORE}/{next(iter(server.folders))}/{PRODUCT_INFO}"] = answer
    server.page_size = 4
    product = opened(server)
    asked = [one.path for one in server.take()]
    assert asked.count(CONTAINER) > 1
    truth = open_grd(large if is_short else plain_names)
    window = Window(0, 10, 0, 10)
    np.testing.assert_array_equal(product.digital_numbers("VH", window), truth.digital_numbers("VH", window))
    server.take()
    opened(server)
    assert not [one.path for one in server.take() if one.path.startswith(CONTAINER)]


def test_product_without_the_file_of_names_is_fetched_whole(server, small, tmp_path):
    name = list(server.folders)[1]
    server.replies[f"{STORE}/{name}/{PRODUCT_INFO}"] = 404, {}, b""
    catalog = open_catalog("planetary", server.address)
    path = catalog.fetch(list(catalog.search(QUERY))[1], tmp_path / "products")
    assert open_grd(path).polarizations == ("VV", "VH")
    assert not (path / PRODUCT_INFO).exists()


def test_server_that_fails_is_not_taken_for_a_missing_file(server):
    server.replies[f"{STORE}/{next(iter(server.folders))}/{PRODUCT_INFO}"] = 410, {}, b""
    with pytest.raises(DownloadError, match="answered 410"):
        opened(server)


def test_token_that_is_none_is_one_sentence(server):
    server.replies[TOKENS] = 200, {}, b'{"oops": 1}'
    shared_tokens.cache_clear()
    with pytest.raises(CatalogError, match="gives no token"):
        opened(server)
