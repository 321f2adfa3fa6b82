"""Whole products that several ports share: fetched once, by whoever is first, whatever becomes of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from faults import stops
from faults.products import tiny_port
from servers.asf import IDENTITY, PASSWORD, USER, serve_asf

from sarship import open_grd
from sarship.catalog import SceneQuery
from sarship.catalog.asf import AsfCatalog
from sarship.errors import ProductError, ProductWarning
from sarship.files import held
from sarship.pipeline import Step, SurveyOptions, Wanted, shared_products, watch
from sarship.pipeline.shared_products import DROPPED, PRODUCTS, drop_images, fetch_once, with_xml
from sarship.pipeline.waits import NotedWaits, forget_waits, ports_that_wait
from sarship.port.port_file import read_port
from sarship.simulate import ProductParams, simulate_product

ALONE = SurveyOptions(reference=False)
WANTED = Wanted(start="2024-12-01", end="2025-03-31")
FETCH = """
import pickle, sys
from pathlib import Path
from sarship.pipeline.shared_products import fetch_once
catalog, scene = pickle.loads(Path(sys.argv[1]).read_bytes())
print(fetch_once(scene, catalog, Path(sys.argv[2]), waits=lambda text: print(text, flush=True)).name)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A port, two products of it, and the port file again under another name."""
    folder = tmp_path_factory.mktemp("place")
    port, first = tiny_port(folder, n_piers=1)
    params = ProductParams(shape=(160, 200))
    later = replace(params, time=params.time.replace(day=15), absolute_orbit=params.absolute_orbit + 175)
    second, _ = simulate_product(folder, later, n_vessels=3, seed=11)
    return folder, stops.two_ports(port), [first, second]


@pytest.fixture
def server(place, monkeypatch, tmp_path):
    monkeypatch.setenv("EARTHDATA_USERNAME", USER)
    monkeypatch.setenv("EARTHDATA_PASSWORD", PASSWORD)
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EARTHDATA_TOKEN", raising=False)
    with serve_asf() as running:
        for product in place[2]:
            running.add(product)
        yield running


@pytest.fixture
def catalog(server):
    return AsfCatalog(address=server.host, identity=server.host + IDENTITY)


@pytest.fixture
def scenes(catalog, server, place):
    query = SceneQuery(area=read_port(place[1][0]).area, start="2024-12-01", end="2024-12-31")
    found = list(catalog.search(query))
    server.take()
    return found


def zips(server):
    """The requests for products, in their order: status and bytes."""
    return [(one.status, one.n_bytes) for one in server.take() if one.path.endswith(".zip")]


def start(catalog, scene, folder):
    """Fetch a product in another process."""
    task = folder.parent / f"{scene.id}.pickle"
    task.write_bytes(pickle.dumps((catalog, scene)))
    command = [sys.executable, "-c", FETCH, str(task), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(shared_products.__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def arrived(folder):
    return sum(path.stat().st_size for path in folder.glob(".*.incoming.zip.part"))


# ---- fetched once


def test_processes_that_need_a_product_fetch_it_once_and_say_that_they_wait(catalog, server, scenes, tmp_path):
    folder, size = tmp_path / PRODUCTS, len(next(iter(server.zips.values())))
    server.zip_rate = size / 60
    first = start(catalog, scenes[0], folder)
    wait_for(lambda: arrived(folder))
    second = start(catalog, scenes[0], folder)
    assert "another port fetches it, 0 MB so far" in second.stdout.readline()
    server.zip_rate = None
    for process in (first, second):
        assert process.communicate(timeout=60)[0].splitlines()[-1] == f"{scenes[0].id}.zip"
    assert len(zips(server)) == 1
    assert [path.name for path in folder.iterdir()] == [f"{scenes[0].id}.zip"]


def test_after_a_killed_process_the_next_goes_on_from_what_has_arrived(catalog, server, scenes, tmp_path):
    folder, size = tmp_path / PRODUCTS, len(server.zips[scenes[0].assets["zip"].removeprefix(server.host)])
    server.zip_rate = size / 20
    first = start(catalog, scenes[0], folder)
    wait_for(lambda: arrived(folder) > size / 10)
    waited = []
    second = threading.Thread(target=lambda: waited.append(fetch_once(scenes[0], catalog, folder, waits=waited.append)))
    second.start()
    wait_for(lambda: waited)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    server.zip_rate = None
    n_there = arrived(folder)
    second.join(60)
    (_, whole), (status, rest) = zips(server)
    assert (whole, status) == (size, 206)
    assert size - rest >= n_there > 0
    assert waited[-1].read_bytes() == server.zips[scenes[0].assets["zip"].removeprefix(server.host)]
    assert [path.name for path in folder.iterdir()] == [f"{scenes[0].id}.zip"]


def test_no_more_are_fetched_at_once_than_the_catalogue_allows(catalog, scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(AsfCatalog, "n_parallel", 2)
    monkeypatch.setattr(shared_products, "POLL_S", 0.01)
    at_once, most, guard, said = [0], [0], threading.Lock(), set()

    def fetch(_self, scene, folder, _progress=None):
        with guard:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.2)
        with guard:
            at_once[0] -= 1
        (folder / f"{scene.id}.zip").write_bytes(b"")
        return folder / f"{scene.id}.zip"

    monkeypatch.setattr(AsfCatalog, "fetch", fetch)
    wanted = [replace(scenes[0], id=f"{scenes[0].id}{k}") for k in range(6)]
    calls = [threading.Thread(target=fetch_once, args=(one, catalog, tmp_path, None, said.add)) for one in wanted]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert most == [2]
    assert said == {"2 at once are fetched already"}
    assert len(list(tmp_path.iterdir())) == 6


def test_a_fetch_that_fails_leaves_it_to_the_next(catalog, server, scenes, tmp_path):
    path = scenes[0].assets["zip"].removeprefix(server.host)
    server.replies[path] = 404, {}, b""
    with pytest.raises(Exception, match="no such file"):
        fetch_once(scenes[0], catalog, tmp_path)
    server.replies.clear()
    assert fetch_once(scenes[0], catalog, tmp_path).is_file()
    server.take()
    assert fetch_once(scenes[0], catalog, tmp_path).is_file()
    assert server.take() == []  # nor is the catalogue asked again


def test_lock_files_go_with_their_holders(tmp_path):
    """Many at one lock: each holds it alone, though each removes its file."""
    inside, most, guard = [0], [0], threading.Lock()

    def hold():
        for _ in range(20):
            with held(tmp_path / "deep" / "a.lock", lambda: time.sleep(0.001)):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                with guard:
                    inside[0] -= 1

    calls = [threading.Thread(target=hold) for _ in range(6)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert most == [1]
    assert list((tmp_path / "deep").iterdir()) == []


# ---- images that nobody needs


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_of_a_product_whose_images_are_dropped_all_but_pixels_is_read(place, tmp_path, kind):
    product = place[2][0]
    if kind == "zip":
        shutil.make_archive(str(tmp_path / product.stem), "zip", product.parent, product.name)
    else:
        shutil.copytree(product, tmp_path / product.name)
    (tmp_path / f".{product.stem}.dropped").mkdir()  # of a run that was killed
    drop_images(tmp_path, product.stem)
    assert [path.name for path in tmp_path.iterdir()] == ["xml"]
    left, whole = open_grd(with_xml(tmp_path, product.stem)), open_grd(product)
    assert (left.polarizations, left.problems, left.has_noise) == (whole.polarizations, {}, True)
    assert left.scene == replace(whole.scene, assets=left.scene.assets)
    assert left.calibration("VH").gain_at("sigma0", 3.0, 4.0) == whole.calibration("VH").gain_at("sigma0", 3.0, 4.0)
    assert left.container.read_bytes(left.container.find("measurement", "VV").name) == DROPPED
    with pytest.raises(ProductError, match="not a readable TIFF"):
        left.digital_numbers("VV")
    drop_images(tmp_path, product.stem)  # and again: there are none


def test_of_a_damaged_product_the_images_stay(place, tmp_path):
    copy = shutil.copytree(place[2][0], tmp_path / place[2][0].name)
    next(copy.glob("measurement/*")).write_bytes(b"")
    with pytest.warns(ProductWarning, match="is empty"):
        drop_images(tmp_path, copy.stem)
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]
    cut = tmp_path / "cut.zip"
    cut.write_bytes(b"PK")
    with pytest.raises(ProductError, match="not a readable zip"):
        drop_images(tmp_path, "cut")
    assert cut.exists()


def left(archive):
    """What is in the folder of products of an archive."""
    return sorted(path.relative_to(archive / PRODUCTS).as_posix() for path in (archive / PRODUCTS).rglob("*.zip"))


def tables(archive):
    """The files of an archive but its surveys, which have their time of day, and its products."""
    found = stops.tree_of(archive)
    return {name: content for name, content in found.items() if not name.startswith(("surveys/", PRODUCTS))}


def test_a_product_of_two_ports_is_fetched_once_and_goes_when_both_are_through(
    catalog, server, scenes, place, tmp_path
):
    names, seen = [scene.id for scene in scenes], []

    def look(outcome, *_):
        seen.append((outcome.port, left(tmp_path)))

    watched = watch(place[1], tmp_path, wanted=WANTED, catalog=catalog, options=ALONE, progress=look)
    assert [(outcome.n_scenes, outcome.error) for outcome in watched.ports] == [(2, ""), (2, "")]
    assert [status for status, _ in zips(server)] == [200, 200]
    whole, xml = [f"{name}.zip" for name in names], [f"xml/{name}.zip" for name in names]
    assert seen == [("Östra hamnen", whole), ("West", xml)]
    before = tables(tmp_path)
    watch(place[1], tmp_path, wanted=WANTED, catalog=catalog, options=ALONE)
    assert zips(server) == []
    assert tables(tmp_path) == before


def test_products_stay_where_they_are_to_be_kept_or_a_port_failed(
    catalog, server, scenes, place, tmp_path, monkeypatch
):
    whole = [f"{scene.id}.zip" for scene in scenes]
    watch(place[1][:1], tmp_path, wanted=WANTED, catalog=catalog, options=ALONE, keeps_products=True)
    assert left(tmp_path) == whole
    with monkeypatch.context() as broken:
        broken.setattr("sarship.pipeline.port_jobs.survey", lambda *_, **__: 1 / 0)
        assert watch(place[1][:1], tmp_path, wanted=WANTED, catalog=catalog, options=ALONE).n_counted == 0
    assert left(tmp_path) == whole
    assert len(zips(server)) == 2


def test_images_of_an_orbit_stay_until_it_has_a_reference(catalog, server, scenes, place, tmp_path):
    watch(place[1], tmp_path, wanted=WANTED, catalog=catalog)
    assert left(tmp_path) == [f"{scene.id}.zip" for scene in scenes]
    watch(place[1], tmp_path, wanted=WANTED, catalog=catalog, options=ALONE)
    assert left(tmp_path) == [f"xml/{scene.id}.zip" for scene in scenes]


@pytest.mark.slow
def test_a_date_that_is_added_costs_one_product_and_the_bytes_are_those_of_all_at_once(
    server, catalog, place, tmp_path
):
    """The images of the others are gone when their orbit's reference, and all that follows from it, is made anew."""
    port, products = stops.five_dates(tmp_path / "dates")
    server.items.clear()
    for product in products[:-1]:
        server.add(product)
    (tmp_path / "one.geojson").write_text(json.dumps({**json.loads(port.read_bytes()), "name": "One"}))
    ports = [tmp_path / "one.geojson"]
    watch(ports, tmp_path / "cut", wanted=WANTED, catalog=catalog)
    assert {Path(name).parent.name for name in left(tmp_path / "cut")} == {"xml"}
    server.add(products[-1])
    server.take()
    watch(ports, tmp_path / "cut", wanted=WANTED, catalog=catalog)
    assert len(zips(server)) == 1
    watch(ports, tmp_path / "whole", wanted=WANTED, catalog=catalog, keeps_products=True)
    assert len(zips(server)) == 5
    assert tables(tmp_path / "cut") == tables(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True])
def test_two_workers_of_two_ports_fetch_one_product_once(server, catalog, place, tmp_path, is_killed):
    """Also where a worker is killed as it fetches it: then the run goes on from the bytes that have arrived."""
    size = len(next(iter(server.zips.values())))
    server.items[:] = server.items[:1]
    options = {"wanted": WANTED, "catalog": catalog, "options": ALONE}
    watch(place[1], tmp_path / "one", **options)
    assert len(zips(server)) == 1
    server.zip_rate, told = size / 8, []

    def kill():
        folder = tmp_path / "two" / PRODUCTS
        wait_for(lambda: arrived(folder) > size / 4 and told, 120)
        multiprocessing.active_children()[0].kill()
        server.zip_rate = None

    killer = threading.Thread(target=kill)
    if is_killed:
        killer.start()
    watched = watch(place[1], tmp_path / "two", n_workers=2, waits=lambda *given: told.append(given), **options)
    if is_killed:
        killer.join()
    assert [outcome.error for outcome in watched.ports] == ["", ""]
    sent = zips(server)
    assert [status for status, _ in sent] == [200, 206] if is_killed else [200]
    assert sent[-1][1] < size if is_killed else sent[-1][1] == size
    (port, for_what, done, total), *_ = told
    assert port in {"Östra hamnen", "West"}
    assert "another port fetches it" in for_what
    assert (done, total) == (0, 2)
    assert tables(tmp_path / "two") == tables(tmp_path / "one")
    assert left(tmp_path / "two") == left(tmp_path / "one")
    assert [path.name for path in (tmp_path / "two" / PRODUCTS).iterdir()] == ["xml"]


# ---- waits


def test_a_port_that_waits_is_told_until_it_goes_on(tmp_path):
    notes = NotedWaits(tmp_path, "Port Saïd/East")
    step = Step(done=0, total=2, path="S1A_1", state="waiting", message="another port fetches it, 3 MB so far")
    assert list(ports_that_wait(tmp_path)) == []
    notes(step)
    told = ("Port Saïd/East", "S1A_1: another port fetches it, 3 MB so far")
    assert list(ports_that_wait(tmp_path)) == [told]
    notes(replace(step, message="more"))  # too soon to be noted
    assert list(ports_that_wait(tmp_path)) == [told]
    notes(replace(step, state="searching"))
    assert list(ports_that_wait(tmp_path)) == []
    assert notes.seconds > 0
    notes(step)
    (note,) = (tmp_path / PRODUCTS / ".waiting").iterdir()
    os.utime(note, (1e9, 1e9))  # of a worker that was killed
    assert list(ports_that_wait(tmp_path)) == []
    note.write_bytes(b"\xff\xfe")
    assert list(ports_that_wait(tmp_path)) == []
    forget_waits(tmp_path)
    assert not note.exists()


def test_a_wait_that_cannot_be_noted_does_no_harm(tmp_path):
    (tmp_path / PRODUCTS).write_text("in the way")
    notes = NotedWaits(tmp_path, "Tartus")
    notes(Step(done=0, total=2, path="S1A_1", state="waiting"))
    notes.end()
    assert list(ports_that_wait(tmp_path)) == []
