"""What holds for all providers together: one scene is one scene, a lost pass is named, nothing secret shows."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import traceback
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
import servers.asf
import servers.dhus
from servers.cdse import KEY, PASSWORD, SECRET, SIGNATURES, TOKEN, USER
from servers.replies import ForAll
from servers.stac import TOKEN as SAS
from shapely import box

from sarship.catalog import CATALOGS, completeness, group_passes
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import arrange
from sarship.errors import OutputError, SarshipError
from sarship.model import Window

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")
PROVIDERS = ["local", "planetary", "cdse", "asf", "earth_search", "dhus"]
PAIRS = [(USER, PASSWORD), *((server.USER, server.PASSWORD) for server in (servers.asf, servers.dhus))]
SECRETS = [
    *(password for _, password in PAIRS),
    *(base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in PAIRS),
    *(TOKEN, servers.asf.TOKEN, SAS.partition("=")[2], SECRET),
]
SERVER = "werkzeug"
"""Logger of the S3 store, on the other side."""


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("sarship.download.request.RetryPolicy.wait_s", lambda *_: 0.01)


@pytest.fixture(params=PROVIDERS)
def catalog(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def catalogs(request):
    return {name: request.getfixturevalue(name) for name in PROVIDERS}


def test_table_has_every_provider():
    assert {name.replace("-", "_") for name in CATALOGS} == set(PROVIDERS)


def test_one_scene_in_all_catalogues_is_one_scene(catalogs):
    found = {name: list(catalog.search(QUERY)) for name, catalog in catalogs.items()}
    assert all(len(scenes) == 2 for scenes in found.values())
    everything = [scene for scenes in found.values() for scene in scenes]
    assert len(everything) == 2 * len(PROVIDERS)
    assert [f"{scene.start:%m-%d}" for scene in arrange(everything)] == ["12-03", "12-15"]
    assert [len(group) for group in group_passes(everything)] == [1, 1]
    assert len({(scene.platform, scene.relative_orbit, scene.orbit_pass) for scene in everything}) == 1


@pytest.mark.parametrize(("first", "second"), list(pairwise([*PROVIDERS, PROVIDERS[0]])))
def test_pass_that_one_catalogue_lost_is_found_in_another(first, second, request):
    catalog = request.getfixturevalue(first)
    other = list(request.getfixturevalue(second).search(QUERY))
    kept = list(catalog.search(QUERY))[:1]
    report = completeness(kept, QUERY, other)
    lost = {f"{gap.time:%m-%d}": bool(gap.elsewhere) for gap in report.missing}
    assert lost == {"12-15": True}


def _use(catalog, folder):
    """Everything that a provider does, also what it refuses."""
    scene = list(catalog.search(QUERY))[1]
    yield scene
    for action in (lambda: catalog.open(scene), lambda: catalog.fetch(scene, folder)):
        try:
            yield action()
        except SarshipError as error:
            yield "".join(traceback.format_exception(error))
    if catalog.reads_windows:
        product = catalog.open(scene)
        yield product.digital_numbers("VV", Window(0, 10, 0, 10)).sum()
        yield product
        yield pickle.dumps(product)


def test_nothing_secret_shows_when_all_is_well(catalog, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    shown = [repr(one) for one in _use(catalog, tmp_path / "products")]
    _check_hidden(shown, caplog, tmp_path)


@pytest.mark.parametrize("name", ["planetary", "cdse", "asf", "dhus"])
def test_nothing_secret_shows_when_all_goes_wrong(name, request, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    catalog = request.getfixturevalue(name)
    server = request.getfixturevalue({"planetary": "stac", "cdse": "copernicus", "asf": "alaska", "dhus": "hub"}[name])
    monkeypatch.setattr("sarship.catalog.session.N_ATTEMPTS", 1)
    scene, shown = next(catalog.search(QUERY)), []
    good = server.items
    for reply in ((500, {}, b"broken"), (200, {"Content-Type": "text/html"}, b"<html>"), (403, {}, b"no")):
        server.replies = ForAll(reply)
        for action in (lambda: list(catalog.search(QUERY)), lambda: catalog.fetch(scene, tmp_path / "products")):
            with suppress(StopIteration):
                try:
                    action()
                except SarshipError as error:
                    shown += [repr(error), "".join(traceback.format_exception(error))]
    assert server.items is good
    assert len(shown) == 12
    assert not list((tmp_path / "products").glob("S1*"))
    _check_hidden(shown, caplog, tmp_path)


def _check_hidden(shown, caplog, folder):
    logged = [f"{one.getMessage()} {one.args!r} {one.exc_text}" for one in caplog.records if one.name != SERVER]
    kept = [path.read_bytes().decode("latin1") for path in folder.rglob("*") if path.is_file()]
    for secret in (*SECRETS, *SIGNATURES):
        for text in (*shown, *logged, *kept):
            where = text.find(secret)
            assert where < 0, text[max(0, where - 200) : where]


def test_secrets_are_there_to_be_found(cdse, asf, dhus, earth_search):
    """Else the tests above could not fail."""
    assert {PASSWORD, servers.asf.PASSWORD, servers.dhus.PASSWORD, SECRET} <= set(os.environ.values())
    assert KEY in os.environ.values()
    cdse.open(next(cdse.search(QUERY)))
    assert SIGNATURES


@pytest.mark.parametrize("name", ["local", "planetary", "cdse", "asf", "dhus"])
def test_folder_that_cannot_be_written_is_one_sentence(name, request, tmp_path):
    catalog = request.getfixturevalue(name)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        catalog.fetch(next(catalog.search(QUERY)), tmp_path / "file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["planetary", "cdse", "asf", "dhus"])
def test_full_disk_is_noticed_before_it_is(name, request, tmp_path, monkeypatch):
    catalog = request.getfixturevalue(name)
    scene = next(catalog.search(QUERY))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(OutputError, match="free some space or choose another folder"):
        catalog.fetch(scene, tmp_path / "products")
    assert not list(tmp_path.glob("products/S1*"))


@pytest.mark.parametrize("name", ["planetary", "cdse", "asf", "earth_search", "dhus"])
def test_scene_of_another_catalogue_is_refused(name, request, tmp_path):
    catalog = request.getfixturevalue(name)
    scene = replace(next(catalog.search(QUERY)), assets={"product": str(tmp_path), "zip": "https://evil.example/x.zip"})
    for action in (catalog.open, lambda one: catalog.fetch(one, tmp_path)):
        with pytest.raises(SarshipError) as caught:
            action(scene)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("*.zip")) == []
