"""Terrain-corrected images of the Planetary Computer: found, read in place, fetched, and counted as from disk."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from servers.stac import RTC_TOKENS, STORE, TOKEN, serve_stac

from sarship import read_port, survey
from sarship.catalog import CatalogChain, open_catalog
from sarship.catalog.query import SceneQuery
from sarship.catalog.tokens import shared_tokens
from sarship.cli import main
from sarship.errors import CatalogError, DownloadError, ProductError, ProductWarning
from sarship.model import Scene, Window
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.map_file import geotiff_bytes
from sarship.sentinel1.product import open_grd

RTC = "sentinel-1-rtc"
KEY = "PLANTED-KEY"


def make_rtc(product: Path, folder: Path) -> tuple[Path, Scene]:
    """Gamma nought of a product on a map grid, one cloud-optimised file a polarisation, without a word in the tags."""
    image = open_grd(product)
    grid = PortGrid.around(image.scene.footprint, margin_m=0)
    sigma0 = to_port_grid(image, grid)
    (folder / "measurement").mkdir(parents=True)
    whole = folder / "whole.tif"
    whole.write_bytes(geotiff_bytes(sigma0, image))
    with rasterio.open(whole) as source:
        for band, name in zip(source.read(), source.descriptions, strict=True):
            profile = {**source.profile, "count": 1, "nodata": -32768.0, "blockxsize": 256, "blockysize": 256}
            with rasterio.open(folder / "measurement" / f"iw-{name.lower()}.rtc.tiff", "w", **profile) as file:
                gamma0 = band / np.cos(np.radians(float(sigma0["incidence"])))
                file.write(np.where(np.isfinite(gamma0), gamma0, -32768.0).astype(np.float32), 1)
    whole.unlink()
    return folder, image.scene


@pytest.fixture(scope="module")
def images(harbour, tmp_path_factory):
    """Folder and scene of two passes of a harbour."""
    folder = tmp_path_factory.mktemp("rtc")
    passes = {open_grd(product).scene.acquisition: product for product in harbour.products}
    return [make_rtc(product, folder / str(k)) for k, product in enumerate(list(passes.values())[:2])]


@pytest.fixture
def server(images, plain, monkeypatch, tmp_path):
    monkeypatch.delenv("PC_SDK_SUBSCRIPTION_KEY", raising=False)
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    shared_tokens.cache_clear()
    with serve_stac() as running:
        for folder, scene in images:
            running.add_rtc(folder, scene)
        running.page_size = 10
        yield running


@pytest.fixture
def query(harbour):
    return SceneQuery(area=read_port(harbour.port_file).area, start="2014-04-03", end="2099-12-31")


@pytest.fixture
def catalog(server):
    return open_catalog("planetary", server.address, RTC)


def test_scenes_are_images_on_a_map_and_another_collection_has_them_not(server, catalog, query, images):
    scenes = list(catalog.search(query))
    assert [scene.id.endswith("_rtc") for scene in scenes] == [True, True]
    assert {scene.product_type for scene in scenes} == {"MAPH"}
    assert [scene.acquisition for scene in scenes] == [scene.acquisition for _, scene in images]
    assert list(open_catalog("planetary", server.address).search(query)) == []


def test_a_window_is_that_of_the_file_and_costs_a_part_of_it(server, catalog, query, images):
    scene = next(catalog.search(query))
    image, path = catalog.open(scene), images[0][0] / "measurement" / "iw-vv.rtc.tiff"
    window = Window(260, 320, 300, 400)
    server.take()
    numbers = image.digital_numbers("VV", window)
    asked = server.take()
    assert sum(one.n_bytes for one in asked) < 0.5 * path.stat().st_size
    with rasterio.open(path) as file:
        gamma0 = file.read(1)[260:320, 300:400]
    assert np.square(numbers / 1000) == pytest.approx(gamma0, rel=0.05, abs=1e-5)
    assert image.facts.quantity == "gamma0"
    assert image.scene.id == scene.id
    content = pickle.dumps(image)
    assert TOKEN.encode() not in content
    assert (pickle.loads(content).digital_numbers("VV", window) == numbers).all()


def test_counts_in_place_are_those_of_the_files_fetched(catalog, query, harbour, tmp_path):
    port, scenes = read_port(harbour.port_file), list(catalog.search(query))
    with pytest.warns(ProductWarning, match="images on a map"):
        in_place = survey(scenes, port, tmp_path / "in place", catalog=catalog)
    files = [catalog.fetch(scene, tmp_path / "files") for scene in scenes]
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == sorted(
        f"{scene.id}_{name}.rtc.tiff" for scene in scenes for name in scene.polarizations
    )
    with pytest.warns(ProductWarning, match="images on a map"):
        from_disk = survey(files, port, tmp_path / "from disk")
    assert in_place.failures == from_disk.failures == ()
    assert in_place.counts["n_vessels"].to_numpy().tolist() == from_disk.counts["n_vessels"].to_numpy().tolist()
    assert in_place.counts["n_vessels"].sum() > 5


def test_a_busy_server_is_waited_for(server, catalog, query):
    scene = next(catalog.search(query))
    image = catalog.open(scene)
    server.faults = ["busy", "drop", "busy"]
    assert image.digital_numbers("VV", Window(100, 200, 100, 200)).any()
    assert {429, 206} <= {one.status for one in server.take()}


@pytest.mark.parametrize("given", ["", "ANOTHER-KEY"])
def test_a_key_that_is_missing_or_wrong_is_asked_for_in_one_sentence(server, catalog, query, given, monkeypatch):
    server.key = KEY
    if given:
        monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", given)
    with pytest.raises(CatalogError, match="PC_SDK_SUBSCRIPTION_KEY") as failure:
        catalog.open(next(catalog.search(query)))
    assert "\n" not in str(failure.value)
    assert "ANOTHER-KEY" not in str(failure.value)


def test_a_key_goes_to_the_service_of_tokens_alone(server, catalog, query, monkeypatch):
    server.key = KEY
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", KEY)
    assert catalog.open(next(catalog.search(query))).shape
    asked = server.take()
    assert {one.path for one in asked if one.key} == {RTC_TOKENS}
    assert any(one.path.startswith(STORE) for one in asked)


def test_a_damaged_file_is_not_given_its_name(server, catalog, query, images, tmp_path):
    scene = next(catalog.search(query))
    folder = tmp_path / "damaged"
    shutil.copytree(images[0][0], folder)
    path = folder / "measurement" / "iw-vh.rtc.tiff"
    path.write_bytes(path.read_bytes()[:-100_000])
    server.folders[scene.id.removesuffix("_rtc")] = folder
    with pytest.raises(DownloadError, match="came damaged"):
        catalog.fetch(scene, tmp_path / "files")
    assert not (tmp_path / "files" / f"{scene.id}_VH.rtc.tiff").exists()


def test_files_elsewhere_are_not_believed(server, catalog, query):
    for asset in server.items[0]["assets"].values():
        asset["href"] = asset["href"].replace(server.host, "https://files.example.org")
    with pytest.warns(ProductWarning, match="where the files"):
        assert len(list(catalog.search(query))) == 1


def test_an_image_without_a_place_on_a_map_is_refused(server, catalog, query, plain):
    scene = next(catalog.search(query))
    server.folders[scene.id.removesuffix("_rtc")] = plain[0]
    for polarization in scene.polarizations:
        image = next((plain[0] / "measurement").glob(f"*{polarization.lower()}*.tiff"))
        shutil.copy(image, image.with_name(f"iw-{polarization.lower()}.rtc.tiff"))
    with pytest.raises(ProductError, match="reference system"):
        catalog.open(scene)


def test_a_chain_takes_products_first(server, catalog, query, images):
    chain = CatalogChain((open_catalog("planetary", server.address), catalog))
    assert [scene.product_type for scene in chain.search(query)] == ["MAPH", "MAPH"]


def test_the_command_searches_the_collection(server, harbour):
    asked = ["search", str(harbour.port_file), "--from", "2024-01-01", "--to", "2029-01-01", "--catalog"]
    ran = CliRunner().invoke(main, [*asked, f"planetary/{RTC}={server.address}"])
    assert ran.exit_code == 0, ran.output
    assert ran.output.count("_rtc\n") == 2
    ran = CliRunner().invoke(main, [*asked, "asf/sentinel-1-rtc"])
    assert ran.exit_code == 2
    assert "asf has no collection 'sentinel-1-rtc'" in ran.output


def test_a_collection_that_there_is_not_is_named():
    with pytest.raises(CatalogError, match="'landsat'"):
        open_catalog("planetary", collection="landsat")
    assert open_catalog("planetary", collection="sentinel-1-grd") == open_catalog("planetary")
