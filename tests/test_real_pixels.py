"""Real pixels, end to end: sixteen ships at the anchorage Westhinder, in VH alone (see `data/README.md`)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from builders.cf import complaints_of
from builders.places import on_map
from servers.cdse import IDENTITY, KEY, ODATA, SECRET, s3_prefix, serve_cdse, serve_s3

from sarship import Port, Window, open_grd, read_results, survey
from sarship.catalog.cdse import CdseCatalog
from sarship.catalog.query import SceneQuery
from sarship.errors import ProductWarning
from sarship.pipeline import search

NAME = "S1A_IW_GRDH_1SDV_20220612T173329_20220612T173354_043633_05359A_EA25"
PRODUCT = Path(__file__).parent / "data" / f"{NAME}.zip"
CROP = Window(4000, 5000, 4000, 5000)
"""Where the image is not 0."""
PIXEL_M = 10.0

SHIPS = np.array(
    [
        ((112, 889), (140, 891)),
        ((145, 588), (160, 602)),
        ((146, 731), (160, 747)),
        ((179, 502), (191, 513)),
        ((219, 992), (240, 997)),  # against the right edge of the crop
        ((257, 802), (272, 818)),
        ((292, 706), (312, 709)),
        ((317, 532), (329, 544)),
        ((326, 841), (349, 854)),
        ((344, 976), (357, 987)),
        ((381, 631), (402, 634)),
        ((417, 736), (432, 750)),
        ((431, 819), (446, 835)),
        ((552, 774), (578, 774)),
        ((555, 908), (577, 909)),
        ((672, 937), (690, 944)),
    ],
    np.float64,
)
"""The truth by eye: (line, pixel) of both ends of the bright axis of each ship, from the crop's corner.

Ends were read off a picture enlarged 4.5 times, to 2 pixels or so. Masts and the like beside a hull are not part of
it; the faint streaks along azimuth that lengthen the upright hulls could not always be told from it.
"""
SPECKS = np.array([(100, 999), (142, 741), (659, 693)], np.float64)
"""Bright specks of 20 m, by eye: one cut by the edge, one beside the third ship, one in the open."""

pytestmark = pytest.mark.filterwarnings("ignore:.*VV cannot be read:sarship.errors.ProductWarning")


@pytest.fixture(scope="module")
def product():
    with pytest.warns(ProductWarning, match="VV cannot be read"):
        return open_grd(PRODUCT)


@pytest.fixture(scope="module")
def found():
    """What is found in the whole image, as a table of vessels."""
    with pytest.warns(ProductWarning, match="VV cannot be read"):
        results = search([PRODUCT])
    assert results.failures == ()
    return results.vessels


@pytest.fixture(scope="module")
def port(product) -> Port:
    """An anchorage that reaches 300 m around all the ships."""
    points = shapely.multipoints(SHIPS.mean(1)[:, ::-1] + (CROP.pixel_start, CROP.line_start))
    area = on_map(product, points.convex_hull.buffer(300 / PIXEL_M))
    table = {"name": ["Westhinder"], "kind": ["anchorage"], "max_distance_m": [0.0]}
    return Port(name="Westhinder", piers=gpd.GeoDataFrame(table, geometry=[area], crs="EPSG:4326"))


def places_of(vessels) -> np.ndarray:
    """Lines and pixels from the crop's corner."""
    return vessels[["line", "pixel"]].to_numpy() - (CROP.line_start, CROP.pixel_start)


def nearest(vessels, truth) -> tuple[np.ndarray, np.ndarray]:
    """Row of the vessel that lies nearest to each place of the truth, and its distance in metres."""
    distances = PIXEL_M * np.linalg.norm(places_of(vessels)[None] - truth[:, None], axis=-1)
    return distances.argmin(1), distances.min(1)


def test_zip_opens_with_the_one_channel_that_it_has(product):
    assert (product.scene.id, product.shape) == (NAME, (16683, 26316))
    assert product.scene.polarizations == ("VV", "VH")
    assert product.polarizations == ("VH",)
    assert product.has_noise
    pixels = product.digital_numbers("VH", CROP)
    assert pixels.min() > 0
    assert not product.digital_numbers("VH", Window(3000, 3500, 4000, 5000)).any()


def test_noise_taken_off_leaves_a_calm_sea(product):
    sea = product.sigma0(window=Window(4700, 5000, 4000, 4500))
    assert list(sea.polarization.values) == ["VH"]
    assert -40 < 10 * np.log10(float(sea.mean())) < -25


def test_all_ships_are_found_and_little_else(found):
    rows, distances = nearest(found, SHIPS.mean(1))
    assert len(set(rows)) == len(SHIPS)
    assert distances.max() < 60
    others = found.drop(index=found.index[rows])
    assert len(others) == len(SPECKS), "nothing in the sea, nothing along the edges of the crop"
    assert nearest(others, SPECKS)[1].max() < 20
    assert others["length_m"].max() < 25


def test_lengths_are_those_that_the_eye_sees(found):
    """To 17 m where the eye sees both ends; streaks along azimuth and the edge of the crop make the others uncertain.

    Both ends read to 2 pixels give 28 m. The five hulls that lie along azimuth are found 22 to 77 m shorter than the
    eye reads them, streaks included, and the ship at the edge 41 m shorter; which is right is not known.
    """
    rows, _ = nearest(found, SHIPS.mean(1))
    lengths = found["length_m"].to_numpy()[rows]
    along = SHIPS[:, 1] - SHIPS[:, 0]
    error = lengths - PIXEL_M * np.linalg.norm(along, axis=-1)
    is_clear = (np.abs(along[:, 1]) > 0.2 * along[:, 0]) & (SHIPS[:, 1, 1] < 995)
    assert is_clear.sum() == 10
    assert np.abs(error[is_clear]).max() < 28
    assert (error[~is_clear] < 0).all()
    assert np.abs(error[~is_clear]).max() < 90
    assert np.median(np.abs(error)) < 20
    assert ((lengths > 129) & (lengths < 270)).all()


def test_ships_cut_by_the_edge_say_so(found):
    edges = places_of(found[found["is_edge"]])
    assert (edges[:, 1] > 990).all()
    assert len(edges) == 2


def test_survey_counts_the_anchorage(port, found, tmp_path):
    """Seventeen: the sixteen ships, and the speck beside the third, which a gap of sea parts from the hull."""
    written = survey([PRODUCT], port, tmp_path / "out")
    assert written.failures == ()
    read = read_results(tmp_path / "out")
    assert read.counts["n_vessels"].values.tolist() == [[17]]
    assert read.counts["seen"].item() > 0.95
    assert complaints_of(tmp_path / "out" / "counts.nc") == []
    at_anchor = read.vessels[read.vessels["pier"] == "Westhinder"]
    rows, distances = nearest(at_anchor, SHIPS.mean(1))
    assert len(set(rows)) == len(SHIPS)
    assert distances.max() < 60
    assert nearest(at_anchor.drop(index=at_anchor.index[rows]), SPECKS[1:2])[1].max() < 20
    assert read.vessels["length_m"].tolist() == pytest.approx(found["length_m"].tolist(), abs=0.1)


def test_same_vessels_come_from_a_catalogue(port, tmp_path, monkeypatch):
    """The folder as an archive serves it: searched by STAC, its XML and the port's window read from an S3 store."""
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", KEY)
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", SECRET)
    with zipfile.ZipFile(PRODUCT) as package:
        package.extractall(tmp_path)
    folder = tmp_path / f"{NAME}.SAFE"
    here = survey([PRODUCT], port, tmp_path / "here")
    with serve_s3({"eodata": {s3_prefix(folder): folder}}) as store, serve_cdse() as server:
        server.add(folder)
        host = server.host
        catalog = CdseCatalog(address=server.address, odata=host + ODATA, identity=host + IDENTITY, store=store)
        scenes = list(catalog.search(SceneQuery(area=port.area, start="2022-06-01", end="2022-06-30")))
        assert [scene.id for scene in scenes] == [NAME]
        there = survey(scenes, port, tmp_path / "there", catalog=catalog)
    assert there.failures == ()
    assert there.counts["n_vessels"].values.tolist() == [[17]]
    columns = ["line", "pixel", "length_m", "width_m", "heading_deg", "sigma0_cross"]
    np.testing.assert_array_equal(there.vessels[columns], here.vessels[columns])
    assert list((tmp_path / "cache").rglob("windows/*/*.npz")), "read in place, by windows"
    assert not list((tmp_path / "there").rglob("*.zip"))
