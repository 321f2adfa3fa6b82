"""Images on a map beside products: equal counts, arrays in a survey, doubts about what was filtered, the commands."""

import warnings

import numpy as np
import pytest
import rioxarray  # noqa: F401  (the accessor)
import xarray as xr
from click.testing import CliRunner

from sarship.cfar.params import CfarParams
from sarship.cli import main
from sarship.detection.false_alarms import false_alarms_over_asked
from sarship.errors import ProductWarning
from sarship.pipeline import search
from sarship.pipeline.sources import sources_of
from sarship.port.map_facts import MapFacts
from sarship.port.map_image import open_map_image
from sarship.port.port_file import read_port

pytestmark = pytest.mark.filterwarnings("ignore:.*azimuth ambiguities:sarship.errors.ProductWarning")


@pytest.fixture(scope="module")
def gridded(harbour, tmp_path_factory):
    """A date of the harbour as `sarship grid` writes it."""
    path = tmp_path_factory.mktemp("grid") / "new folder" / "date.tif"
    path.parent.mkdir()
    ran = CliRunner().invoke(main, ["grid", str(harbour.port_file), str(harbour.products[0]), "--out", str(path)])
    assert ran.exit_code == 0, ran.output
    assert "cells of 10 m" in ran.output
    return path


@pytest.fixture(scope="module")
def found(harbour, gridded):
    """Vessels of one date from its product, from its GeoTIFF, and from the same as an array."""
    port = read_port(harbour.port_file)
    with xr.open_dataarray(gridded, engine="rasterio") as array, warnings.catch_warnings():
        warnings.simplefilter("ignore", ProductWarning)
        array = array.assign_coords(band=["VV", "VH"]).load()
        return [search([one], port=port) for one in (harbour.products[0], gridded, array)]


def test_a_date_is_counted_the_same_from_its_product_its_geotiff_and_an_array(found):
    product, *maps = found
    for one in maps:
        assert one.counts["n_vessels"].to_numpy().tolist() == product.counts["n_vessels"].to_numpy().tolist()
        assert one.counts["n_vessels"].sum() > 5
        assert len(one.vessels) == len(product.vessels)
        places = [np.column_stack([table["longitude"], table["latitude"]]) for table in (one.vessels, product.vessels)]
        apart = 111_000 * (places[0][:, None] - places[1]) * [np.cos(np.radians(34.9)), 1]
        assert np.hypot(*apart.T).min(axis=0).max() < 10.5
        assert one.coverage["seen"].tolist() == pytest.approx(product.coverage["seen"].tolist(), abs=0.01)
        assert set(one.scenes["product_type"]) == {"MAPH"}
        assert one.provenance.is_simulated


def test_what_is_not_done_in_a_map_is_said(harbour, gridded):
    with pytest.warns(ProductWarning, match="1 of 1 scenes are images on a map, .*: azimuth ambiguities"):
        search([gridded], port=read_port(harbour.port_file))


def test_a_port_outside_is_a_failure_of_one_sentence(gridded, tmp_path):
    ran = CliRunner().invoke(main, ["detect", str(gridded), "--area", "10,54,10.1,54.1"])
    assert ran.exit_code == 2
    assert "does not touch S1A_IW" in ran.output
    assert "Traceback" not in ran.output


def test_a_command_refuses_what_it_cannot_know(harbour, tmp_path):
    array = xr.DataArray(
        np.full((64, 64), 0.02, np.float32), {"y": -10.0 * np.arange(64), "x": 10.0 * np.arange(64)}, ("y", "x")
    )
    array.rio.write_crs("EPSG:32636").rio.to_raster(tmp_path / "unknown_VV.tif")
    ran = CliRunner().invoke(
        main, ["count", str(harbour.port_file), str(tmp_path / "unknown_VV.tif"), "--out", str(tmp_path / "out")]
    )
    assert ran.exit_code == 2
    assert "unknown_VV.tif does not say its scale" in ran.output
    ran = CliRunner().invoke(main, ["grid", str(harbour.port_file), "nowhere.SAFE", "--out", str(tmp_path / "a.tif")])
    assert ran.exit_code == 2
    assert not (tmp_path / "a.tif").exists()


def test_files_of_one_image_are_one_source(tmp_path):
    for name in ("a_VV.tif", "a_VH.tif", "b_VV.tif"):
        (tmp_path / name).write_bytes(b"")
    sources = sources_of([tmp_path / name for name in ("a_VH.tif", "a_VV.tif", "b_VV.tif")])
    assert [source.name for source in sources] == [str(tmp_path / "a_VH.tif"), str(tmp_path / "b_VV.tif")]


def test_the_mark_of_an_image_changes_with_what_is_said(gridded):
    plain, filtered = (open_map_image(gridded, MapFacts(is_filtered=said)) for said in (None, True))
    assert plain.mark() == open_map_image(gridded).mark() != filtered.mark()


def test_an_image_without_its_noise_is_doubted(harbour, gridded):
    image = open_map_image(gridded).sigma0()
    level = image.median(("line", "pixel"))
    with xr.open_dataarray(gridded, engine="rasterio") as array:
        array = array.assign_coords(band=["VV", "VH"]).load()
    less = array.copy(data=np.maximum(array.to_numpy() - 0.8 * level.to_numpy()[:, None, None], 0))
    with pytest.warns(ProductWarning, match=r"% of the open water is 0 or below.* look at its picture"):
        search([less], port=read_port(harbour.port_file))


def test_false_alarms_are_about_those_asked_for_until_the_sea_is_another():
    rng = np.random.default_rng(3)
    sea = rng.gamma(4.4, 1 / 4.4, (400, 400))
    water, params = np.ones(sea.shape, bool), CfarParams(guard=(4, 4), training=(8, 8), enl=4.4)
    assert 0.6 < false_alarms_over_asked(sea.astype(np.float32), water, params) < 1.6
    rough = (sea * rng.gamma(1.5, 1 / 1.5, sea.shape)).astype(np.float32)
    assert false_alarms_over_asked(rough, water, params) > 5
    assert np.isnan(false_alarms_over_asked(rough[:60, :60], water[:60, :60], params))
