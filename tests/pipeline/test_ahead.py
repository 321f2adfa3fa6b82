"""Scenes opened ahead of their turn: together, a few at once, and with the same outcome as one by one."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from servers.stac import STORE, StacServer, make_item, make_mirrored, scene_of, serve_stac

from sarship import open_grd, read_port, survey
from sarship.catalog.planetary import PlanetaryCatalog
from sarship.catalog.query import SceneQuery
from sarship.detection.params import DetectionParams
from sarship.download import RetryPolicy
from sarship.errors import DownloadError
from sarship.pipeline import one_scene
from sarship.pipeline.ahead import MAX_AHEAD, opened_ahead
from sarship.pipeline.plan import NO_PORT, Plan
from sarship.pipeline.sources import Source
from sarship.sentinel1.doubts import doubts_held
from sarship.simulate import ProductParams

PLAN = Plan(port=NO_PORT, params=DetectionParams(), area=None)


class OneByOne(PlanetaryCatalog):
    n_parallel = 0


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory) -> Path:
    """A date of the small series whose thermal noise is zero, which is warned of when it is opened."""
    first = ProductParams(shape=(200, 240), polarizations=("VV",), noise="zero")
    later = replace(first, time=first.time.replace(day=27), absolute_orbit=first.absolute_orbit + 350)
    return make_mirrored(tmp_path_factory.mktemp("doubtful"), later, n_vessels=2, seed=5)


@pytest.fixture
def server(three_dates, doubtful, monkeypatch) -> Iterator[StacServer]:
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=2, base_s=0.01))
    with serve_stac() as running:
        with doubts_held():
            for product in (*three_dates, doubtful):
                running.add(product)
        yield running


@pytest.fixture
def port(tmp_path):
    path = tmp_path / "port.geojson"
    path.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "Berth", "kind": "pier",'
        ' "max_distance_m": 300}, "geometry": {"type": "Point", "coordinates": [35.80, 34.90]}}]}'
    )
    return read_port(path)


def counted(catalog, port, folder, monkeypatch):
    """All that a survey tells of the scenes: tables, failures, steps, warnings, and the products it asked for."""
    monkeypatch.setenv("SARSHIP_CACHE", str(folder / "cache"))
    scenes, steps = list(catalog.search(SceneQuery(area=port.area, start="2024-12-01", end="2025-01-10"))), []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = survey(scenes, port, folder, catalog=catalog, progress=steps.append, reference=False)
    return results, results.failures, steps, [str(one.message) for one in told]


def test_all_is_told_as_one_by_one(server, port, tmp_path, monkeypatch):
    """With a scene that has no image and one that is warned of: the same tables, failures, steps and warnings."""
    gone = server.items[1]["id"]
    server.replies[f"{STORE}/{gone}/measurement/iw-vv.tiff"] = 404, {}, b""
    ahead, slow = (
        counted(kind(address=server.address), port, tmp_path / kind.__name__, monkeypatch)
        for kind in (PlanetaryCatalog, OneByOne)
    )
    assert ahead[1:] == slow[1:]
    assert [failure.path for failure in ahead[1]] == [gone]
    assert any("thermal noise of zero" in each for each in ahead[3])
    assert ahead[0].vessels.equals(slow[0].vessels)
    assert ahead[0].coverage.equals(slow[0].coverage)
    kept = [{path.name for path in (tmp_path / kind / "scenes").iterdir()} for kind in ("PlanetaryCatalog", "OneByOne")]
    assert kept[0] == kept[1]


def test_no_byte_is_fetched_twice(server, port, tmp_path, monkeypatch):
    asked = []
    for kind in (PlanetaryCatalog, OneByOne):
        with serve_stac() as fresh:  # GDAL remembers what it read of an address
            fresh.folders = server.folders
            fresh.items = [
                make_item(scene_of(path), name, f"{fresh.host}{STORE}/{name}") for name, path in server.folders.items()
            ]
            counted(kind(address=fresh.address), port, tmp_path / kind.__name__, monkeypatch)
            asked.append(sorted((one.path, one.n_bytes) for one in fresh.take() if one.path.startswith(STORE)))
    assert asked[0] == asked[1]


def test_filters_of_warnings_are_as_before(server, port, tmp_path, monkeypatch):
    before = list(warnings.filters)
    counted(PlanetaryCatalog(address=server.address), port, tmp_path / "out", monkeypatch)
    assert warnings.filters == before


def test_stop_leaves_no_thread(server, port, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(one_scene, "detect", stopped)
    with pytest.raises(KeyboardInterrupt):
        counted(PlanetaryCatalog(address=server.address), port, tmp_path / "out", monkeypatch)
    assert not [each for each in threading.enumerate() if each.name.startswith("sarship-ahead")]


def test_checkpoints_are_not_opened_ahead(server, port, tmp_path, monkeypatch):
    """Of four scenes the last two are new."""
    catalog = PlanetaryCatalog(address=server.address)
    counted(catalog, port, tmp_path / "out", monkeypatch)
    for name in [item["id"] for item in server.items[2:]]:
        for table in (tmp_path / "out" / "scenes" / name).iterdir():
            table.unlink()
    opened, told = [], type(catalog).open
    monkeypatch.setattr(type(catalog), "open", lambda self, scene: opened.append(scene.id) or told(self, scene))
    counted(catalog, port, tmp_path / "out", monkeypatch)
    assert sorted(opened) == sorted(item["id"] for item in server.items[2:])


@dataclass
class Shelf:
    """A catalogue of one product under many names, which notes who is opened when."""

    path: Path
    n_parallel: int = MAX_AHEAD
    opened: list[str] = field(default_factory=list)
    together: threading.Barrier | None = None
    reads_windows = True

    def open(self, scene):
        self.opened.append(scene.id)
        if self.together is not None:
            self.together.wait(timeout=20)
        return open_grd(self.path)

    def sources(self, n: int) -> list[Source]:
        scene = open_grd(self.path).scene
        return [Source(name=f"{k}", scene=replace(scene, id=f"{k}"), catalog=self) for k in range(n)]


@pytest.fixture
def shelf(iw_product) -> Shelf:
    return Shelf(iw_product[0])


def test_scenes_are_opened_together(shelf):
    shelf.together = threading.Barrier(MAX_AHEAD)
    sources = shelf.sources(MAX_AHEAD)
    with opened_ahead(sources, PLAN) as take:
        assert [take(one, None, None).scene.id for one in sources] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("n_parallel", [1, 2, 50])
def test_so_many_are_opened_ahead_and_no_more(shelf, n_parallel):
    shelf.n_parallel, sources = n_parallel, shelf.sources(9)
    with opened_ahead(sources, PLAN) as take:
        for k, one in enumerate(sources):
            take(one, None, None)
            due = min(k + 1 + min(n_parallel, MAX_AHEAD), len(sources))
            while len(shelf.opened) < due:
                time.sleep(0.001)
            time.sleep(0.02)
            assert len(shelf.opened) == due
    assert sorted(shelf.opened) == [one.name for one in sources]


def test_failure_ahead_is_told_in_its_turn(shelf, monkeypatch):
    def fail(scene):
        raise DownloadError(f"{scene.id} is gone")

    sources = shelf.sources(2)
    monkeypatch.setattr(shelf, "open", fail)
    with opened_ahead(sources, PLAN) as take, pytest.raises(DownloadError, match="1 is gone"):
        take(sources[1], None, None)
