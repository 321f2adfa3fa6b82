"""The calls of sentinelsat: with its own signatures, and its own kinds of answers."""

from __future__ import annotations

import inspect
from datetime import date, datetime

import pytest
import sentinelsat
from shapely import box

from sarship import open_grd
from sarship.catalog.compat import SentinelAPI
from sarship.errors import CatalogError, CredentialError, DownloadError, SarshipError

AREA, DATES = box(35.79, 34.89, 35.81, 34.91).wkt, ("20241201", "20241231")
CALLS = ["query", "count", "to_geodataframe", "get_product_odata", "is_online", "download", "download_all"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["cdse", "planetary"])
def api(request) -> SentinelAPI:
    found = SentinelAPI(None, None, request.param)
    found.catalog = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", ["__init__", *CALLS])
def test_arguments_are_those_of_sentinelsat(name):
    def plain(kind):
        parameters = inspect.signature(getattr(kind, name)).parameters.values()
        return [(one.name, one.kind, one.default) for one in parameters if one.name != "api_url"]

    assert plain(SentinelAPI) == plain(sentinelsat.SentinelAPI)


def test_table_is_made_without_an_object_as_in_sentinelsat():
    for kind in (SentinelAPI, sentinelsat.SentinelAPI):
        assert isinstance(inspect.getattr_static(kind, "to_geodataframe"), staticmethod)


def test_query_gives_the_properties_of_each_product(api):
    products = api.query(AREA, date=DATES, platformname="Sentinel-1", producttype="GRD", orbitdirection="Ascending")
    assert [f"{one['beginposition']:%m-%d}" for one in products.values()] == ["12-03", "12-15"]
    assert all(one["title"] == each and one["polarisationmode"] == "VV VH" for each, one in products.items())
    table = SentinelAPI.to_geodataframe(products)
    assert list(table.index) == list(products)
    assert table.crs == "EPSG:4326"
    assert table.intersects(box(35.79, 34.89, 35.81, 34.91)).all()
    assert list(table["relativeorbitnumber"]) == [49, 49]


@pytest.mark.parametrize(
    ("asked", "n_found"),
    [
        ({}, 2),
        ({"date": (date(2024, 12, 1), datetime(2024, 12, 10))}, 1),
        ({"date": ("2024-12-01T00:00:00Z", "20241215")}, 1),
        ({"date": ("NOW-1DAY", "NOW")}, 0),
        ({"polarisationmode": "VV+VH"}, 2),
        ({"polarisationmode": "HH"}, 0),
        ({"relativeorbitnumber": 50}, 0),
        ({"sensoroperationalmode": "IW"}, 2),
        ({"orbitdirection": "DESCENDING"}, 0),
        ({"area_relation": "IsWithin"}, 2),
        ({"area_relation": "Contains"}, 0),
    ],
)
def test_filters_count(api, asked, n_found):
    assert api.count(AREA, **{"date": DATES, **asked}) == n_found


def test_answer_is_ordered_and_cut(api):
    both = list(api.query(AREA, DATES))
    assert list(api.query(AREA, DATES, order_by="-beginposition")) == both[::-1]
    assert list(api.query(AREA, DATES, limit=1, offset=1)) == both[1:]


def test_product_is_known_by_its_id_alone(api):
    name = next(iter(api.query(AREA, DATES)))
    fresh = SentinelAPI(None, None, "planetary")
    fresh.catalog = api.catalog
    told = fresh.get_product_odata(name)
    assert told["title"] == told["id"] == name
    assert told["Online"] is True
    assert "relativeorbitnumber" not in told
    assert fresh.get_product_odata(name, full=True)["relativeorbitnumber"] == 49
    assert list(fresh.query(identifier=name)) == [name]


def test_product_in_the_archive_is_not_online(cdse, copernicus):
    api = SentinelAPI(None, None)
    api.catalog, copernicus.is_online = cdse, False
    assert not api.is_online(next(iter(api.query(AREA, DATES))))


def test_download_gives_the_product_and_its_place(api, tmp_path):
    name = next(iter(api.query(AREA, DATES)))
    told = api.download(name, tmp_path)
    assert open_grd(told["path"]).scene.acquisition == api._scene(name).acquisition


def test_one_that_fails_is_told_beside_those_that_came(api, tmp_path, monkeypatch):
    good, bad = api.query(AREA, DATES)
    fetch = type(api.catalog).fetch

    def fail(self, scene, *arguments):
        if scene.id == bad:
            raise DownloadError("gone")
        return fetch(self, scene, *arguments)

    monkeypatch.setattr(type(api.catalog), "fetch", fail)
    downloaded, triggered, failed = api.download_all([good, bad], tmp_path)
    assert (list(downloaded), triggered, list(failed)) == ([good], {}, [bad])
    assert str(failed[bad]["exception"]) == "gone"
    for options in ({"products": [bad]}, {"products": [good, bad], "fail_fast": True}):
        with pytest.raises(DownloadError, match="gone"):
            api.download_all(directory_path=tmp_path, **options)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda api: api.query(AREA, DATES, raw="platformname:Sentinel-1"), "raw must be None"),
        (lambda api: api.query(AREA, DATES, cloudcoverpercentage=(0, 30)), "cannot be filtered by cloudcover"),
        (lambda api: api.query(AREA, DATES, producttype="SLC"), "GRD products only, not producttype='SLC'"),
        (lambda api: api.query(AREA), "give an area, and a date"),
        (lambda api: api.query(AREA, ("yesterday", "NOW")), "'yesterday' is not a date"),
        (lambda api: api.download("S1A", nodefilter=print), "leave nodefilter out"),
        (lambda api: api.download("S1A"), "not the name of a Sentinel-1 GRD product"),
        (lambda _: SentinelAPI(None, None, "https://apihub.copernicus.eu/apihub/"), "choose cdse or planetary"),
        (lambda _: SentinelAPI("me", "word"), "sarship login cdse"),
    ],
)
def test_call_that_cannot_mean_what_it_did_is_one_sentence(planetary, call, words):
    api = SentinelAPI(None, None, "planetary")
    api.catalog = planetary
    with pytest.raises(SarshipError, match=words) as caught:
        call(api)
    assert isinstance(caught.value, CatalogError | CredentialError)
    assert "\n" not in str(caught.value)
