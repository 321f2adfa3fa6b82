"""Several catalogues as one: each acquisition once, and what one lacks is taken from the next."""

from __future__ import annotations

import pytest
from servers.stac import STORE
from shapely import box

from sarship.catalog.chain import CatalogChain
from sarship.catalog.query import SceneQuery
from sarship.cli.catalog_options import catalog_of
from sarship.errors import CatalogError, CredentialError, DownloadError

QUERY = SceneQuery(area=box(35.79, 34.89, 35.81, 34.91), start="2024-12-01", end="2024-12-31")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def both(planetary, cdse) -> CatalogChain:
    return CatalogChain((planetary, cdse))


def gone(stac, scene) -> None:
    stac.replies[f"{STORE}/{scene.id}/manifest.safe"] = 404, {}, b""


def test_each_acquisition_comes_once_from_the_first_that_has_it(both, stac, planetary):
    own = list(planetary.search(QUERY))
    assert list(both.search(QUERY)) == own
    del stac.items[0]
    first, second = both.search(QUERY)
    assert first.acquisition == own[0].acquisition
    assert first.assets["product"].startswith("s3://eodata/")
    assert second == own[1]
    assert [both.open(one).scene.acquisition for one in (first, second)] == [one.acquisition for one in own]


def test_product_that_the_first_lacks_is_opened_at_the_next(both, stac, cdse, tmp_path):
    scene = next(both.search(QUERY))
    gone(stac, scene)
    product = both.open(scene)
    assert product.scene.acquisition == scene.acquisition
    assert product.container.files.address.startswith("s3://eodata/")
    assert both.fetch(scene, tmp_path / "products").suffix == ".zip"


def test_error_is_that_of_its_own_catalogue_where_all_fail(both, stac, copernicus):
    scene = next(both.search(QUERY))
    gone(stac, scene)
    copernicus.items.clear()
    with pytest.raises(DownloadError, match="answered 404"):
        both.open(scene)


def test_refused_account_is_told_at_once(both, monkeypatch):
    scene = next(both.search(QUERY))

    def refuse(*_):
        raise CredentialError("refused")

    monkeypatch.setattr(type(both.catalogs[0]), "open", refuse)
    with pytest.raises(CredentialError):
        both.open(scene)


def test_catalogue_that_is_down_is_told(both, stac, monkeypatch):
    stac.replies["/api/stac/v1/search"] = 404, {}, b""
    with pytest.raises(CatalogError, match="answered 404"):
        list(both.search(QUERY))


def test_command_takes_several():
    assert [type(one).__name__ for one in catalog_of("planetary", "cdse").catalogs] == [
        "PlanetaryCatalog",
        "CdseCatalog",
    ]
    assert type(catalog_of("planetary")).__name__ == "PlanetaryCatalog"
