"""A survey of a catalogue's scenes: in place or fetched whole, taken up again, one bad one not in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from servers.stac import STORE, StacServer, serve_stac

from sarship import read_port, read_results, survey
from sarship.catalog import completeness, open_catalog
from sarship.catalog.query import Catalog, SceneQuery
from sarship.download import RetryPolicy
from sarship.errors import CatalogError, CredentialError, DownloadError, ProductWarning
from sarship.pipeline import one_scene


@pytest.fixture
def server(three_dates, tmp_path, monkeypatch) -> Iterator[StacServer]:
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=2, base_s=0.01))
    with serve_stac() as running:
        for product in three_dates:
            running.add(product)
        yield running


@pytest.fixture
def catalog(server) -> Catalog:
    return open_catalog("planetary", server.address)


@pytest.fixture(scope="session")
def port(tmp_path_factory):
    path = tmp_path_factory.mktemp("port") / "port.geojson"
    geometry = {"type": "Point", "coordinates": [35.80, 34.90]}
    pier = {"type": "Feature", "properties": {"name": "Berth", "kind": "pier", "max_distance_m": 300}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [{**pier, "geometry": geometry}]}))
    return read_port(path)


@pytest.fixture
def query(port) -> SceneQuery:
    return SceneQuery(area=port.area, start="2024-12-01", end="2025-01-10")


@dataclass(frozen=True)
class Whole:
    """A catalogue that does not read in place."""

    inner: Catalog
    reads_windows = False
    n_parallel = 1

    def search(self, query):
        return self.inner.search(query)

    def open(self, scene):
        raise AssertionError("asked to read in place")

    def fetch(self, scene, folder, progress=None):
        return self.inner.fetch(scene, folder, progress)


def test_scenes_in_place_give_what_products_on_disk_give_and_are_kept(
    catalog, server, three_dates, query, port, *, tmp_path, monkeypatch
):
    scenes = list(catalog.search(query))[:2]
    found = survey(scenes, port, tmp_path / "place", catalog=catalog)
    disk = survey(three_dates[:2], port, tmp_path / "disk")
    assert found.failures == ()
    assert found.provenance.is_simulated
    for name in ("n_vessels", "seen", "detectable_length_m"):
        assert (found.counts[name].to_numpy() == disk.counts[name].to_numpy()).all()
    assert list(found.vessels["length_m"]) == list(disk.vessels["length_m"])
    assert all(place.startswith("http") for place in found.sources.values())
    server.take()
    monkeypatch.setattr(one_scene, "detect", lambda *_, **__: pytest.fail("searched again"))
    steps = []
    again = survey(scenes, port, tmp_path / "place", catalog=catalog, progress=steps.append)
    assert server.take() == []
    assert [step.state for step in steps] == ["checkpoint"] * 2
    assert again.counts["n_vessels"].equals(found.counts["n_vessels"])
    assert again.provenance.is_simulated


def test_new_processing_is_searched(catalog, query, port, tmp_path):
    (scene, *_), steps = list(catalog.search(query)), []
    for one in (scene, replace(scene, processed=scene.start)):
        survey([one], port, tmp_path / "out", catalog=catalog, progress=steps.append)
    assert [step.state for step in steps if step.state != "searching"] == ["searched"] * 2


def test_stopped_survey_goes_on_where_it_was(catalog, query, port, tmp_path, monkeypatch):
    scenes, calls, detect = list(catalog.search(query)), [], one_scene.detect

    def stopped(product, *arguments, **options):
        calls.append(product.scene.id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return detect(product, *arguments, **options)

    monkeypatch.setattr(one_scene, "detect", stopped)
    with pytest.raises(KeyboardInterrupt):
        survey(scenes, port, tmp_path / "out", catalog=catalog)
    results = survey(scenes, port, tmp_path / "out", catalog=catalog)
    assert calls == [scenes[0].id, scenes[1].id, scenes[1].id, scenes[2].id]
    assert len(results.scenes) == 3


def test_scene_that_fails_does_not_stop_the_others(catalog, server, query, port, tmp_path):
    scenes = list(catalog.search(query))
    server.replies[f"{STORE}/{scenes[1].id}/measurement/iw-vv.tiff"] = 404, {}, b""
    results = survey(scenes, port, tmp_path / "out", catalog=catalog)
    assert [failure.path for failure in results.failures] == [scenes[1].id]
    assert "no such file" in results.failures[0].message
    assert list(results.scenes["scene"]) == [scenes[0].id, scenes[2].id]
    server.replies.clear()
    assert len(survey(scenes, port, tmp_path / "out", catalog=catalog).scenes) == 3


def test_whole_products_are_fetched_where_windows_are_not_read(catalog, server, query, port, tmp_path):
    whole, steps = Whole(catalog), []
    scenes = list(whole.search(query))[:1]
    results = survey(scenes, port, tmp_path / "out", catalog=whole, progress=steps.append)
    assert results.failures == ()
    assert [path.name for path in (tmp_path / "out" / "products").iterdir()] == [f"{scenes[0].id}.SAFE"]
    assert any(step.state == "fetching" and "of" in step.message for step in steps)
    assert list(results.scenes["scene"]) == [scenes[0].id]


def test_credentials_that_are_missing_stop_the_survey(catalog, query, port, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise CredentialError("x needs an account")

    monkeypatch.setattr(type(catalog), "open", refuse)
    with pytest.raises(CredentialError):
        survey(list(catalog.search(query)), port, tmp_path / "out", catalog=catalog)


def test_missing_pass_is_in_the_results_and_reads_back(catalog, query, port, tmp_path):
    scenes = list(catalog.search(query))
    gaps = completeness(scenes, query)
    results = survey(scenes, port, tmp_path / "out", catalog=catalog, completeness=gaps)
    assert str(results.completeness).splitlines() == [
        "3 of 4 passes",
        "missing: S1A orbit 49 ascending 2024-12-27 15:42 UTC",
    ]
    assert read_results(tmp_path / "out").completeness == results.completeness


def test_scenes_of_a_folder_need_no_catalogue(three_dates, query, port, tmp_path):
    scenes = list(open_catalog("local", three_dates[0].parent).search(query))
    results = survey(scenes, port, tmp_path / "out")
    assert set(results.sources.values()) == {str(path) for path in three_dates}


def test_scene_on_a_server_needs_its_catalogue(catalog, query, port, tmp_path):
    with pytest.raises(CatalogError, match="catalog="):
        survey(list(catalog.search(query)), port, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_date_that_is_out_of_reach_for_the_reference_is_warned_of(catalog, query, port, tmp_path, monkeypatch):
    """Gone between the first pass and the second: it is counted by the image alone, the others as if it were not."""
    scenes, opened = list(catalog.search(query)), type(catalog).open
    calls = []

    def gone(self, scene):
        calls.append(scene.id)
        if scene.id == scenes[1].id and calls.count(scene.id) > 1:
            raise DownloadError(f"{scene.id} is gone")
        return opened(self, scene)

    monkeypatch.setattr(type(catalog), "open", gone)
    monkeypatch.setattr("sarship.pipeline.second_pass.MIN_DATES", 2)
    # nothing stands at the berth of these products either: it lies in the open sea
    with pytest.warns(ProductWarning, match="open sea"), pytest.warns(ProductWarning, match="is gone"):
        results = survey(scenes, port, tmp_path / "out", catalog=catalog)
    assert len(results.counts["time"]) == 3
    assert results.failures == ()
