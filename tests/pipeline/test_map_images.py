"""Images on a map beside products: equal counts, arrays in a survey, doubts about what was filtered, the commands."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from click.testing import CliRunner
from PIL import Image
from rasterio.io import MemoryFile

from sarship.cfar.params import CfarParams
from sarship.cli import main
from sarship.detection.false_alarms import false_alarms_over_asked
from sarship.detection.params import DetectionParams
from sarship.errors import ProductWarning
from sarship.model import Window
from sarship.pipeline import search
from sarship.pipeline.map_images import measured_on_water
from sarship.pipeline.plan import Plan
from sarship.pipeline.sources import sources_of
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.map_facts import MapFacts
from sarship.port.map_file import geotiff_bytes
from sarship.port.map_image import open_map_image
from sarship.port.port_file import read_port
from sarship.sentinel1.product import open_grd


def as_array(path):
    """A GeoTIFF as rioxarray opens it, its bands named."""
    with rasterio.open(path) as file:
        values, step, tags = file.read(), file.transform, file.tags()
        coords = {
            "band": list(file.descriptions),
            "y": step.f + step.e * (np.arange(file.height) + 0.5),
            "x": step.c + step.a * (np.arange(file.width) + 0.5),
            "spatial_ref": ((), 0, {"crs_wkt": file.crs.to_wkt()}),
        }
    return xr.DataArray(values, coords, ("band", "y", "x"), attrs=tags)


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
    """Results of one date from its product and from its GeoTIFF as an array, and the warnings of the second."""
    port = read_port(harbour.port_file)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ProductWarning)
        results = [search([one], port=port) for one in (harbour.products[0], as_array(gridded))]
    return *results, [str(each.message) for each in said]


@pytest.mark.slow
def test_a_date_is_counted_the_same_from_its_product_and_from_its_own_grid(found):
    product, mapped, _ = found
    assert mapped.counts["n_vessels"].to_numpy().tolist() == product.counts["n_vessels"].to_numpy().tolist()
    assert mapped.counts["n_vessels"].sum() > 10
    mine, theirs = (one.vessels[one.vessels["pier"].notna()] for one in (product, mapped))
    places = [np.column_stack([table["longitude"], table["latitude"]]) for table in (mine, theirs)]
    apart_m = 111_000 * (places[0][:, None] - places[1]) * [np.cos(np.radians(34.9)), 1]
    assert len(mine) == len(theirs)
    assert np.linalg.norm(apart_m, axis=-1).min(axis=1).max() < 10
    assert mapped.coverage["seen"].tolist() == pytest.approx(product.coverage["seen"].tolist(), abs=0.01)
    shortest = [one.coverage["detectable_length_m"].to_numpy() for one in (product, mapped)]
    assert shortest[1] == pytest.approx(shortest[0], rel=0.2)
    assert set(mapped.scenes["product_type"]) == {"MAPH"}
    assert mapped.provenance.is_simulated


def test_what_is_not_done_in_a_map_is_said_and_nothing_is_doubted(found):
    (said,) = found[2]
    assert said.startswith("1 of 1 scenes are images on a map")
    assert "azimuth ambiguities of ships are not looked for" in said


def test_an_array_and_its_file_have_the_same_numbers(gridded):
    mine, theirs = open_map_image(gridded), open_map_image(as_array(gridded))
    for name in ("VV", "VH"):
        assert np.array_equal(mine.digital_numbers(name), theirs.digital_numbers(name))
    assert mine.scene == theirs.scene


def test_a_port_outside_is_a_failure_of_one_sentence(gridded, tmp_path):
    ran = CliRunner().invoke(main, ["detect", str(gridded), "--area", "10,54,10.1,54.1"])
    assert ran.exit_code == 2
    assert "does not touch S1A_IW" in ran.output
    assert "Traceback" not in ran.output


def test_info_tells_of_an_image_and_of_a_folder_of_them(harbour, gridded, tmp_path):
    """Beside other files; a picture without facts is refused by its name, and beside products none is taken for one."""
    product = open_grd(harbour.products[0]).scene
    shutil.copy(gridded, tmp_path / "one.TIF")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "._one.TIF").write_bytes(b"what a Mac leaves beside a file")
    for given in (gridded, tmp_path):
        (facts,) = json.loads(CliRunner().invoke(main, ["info", str(given), "--json"]).output)
        assert facts["scene"] == product.id
        assert facts["start"] == product.start.isoformat()
        assert (facts["quantity"], facts["scale"], facts["noise_subtracted"]) == ("sigma0", "linear", False)
    Image.new("L", (9, 9)).save(tmp_path / "plain.tif")
    ran = CliRunner().invoke(main, ["info", str(tmp_path)])
    assert ran.exit_code == 1
    assert "plain.tif has no reference system" in ran.output
    shutil.copytree(harbour.products[0], tmp_path / harbour.products[0].name)
    (facts,) = json.loads(CliRunner().invoke(main, ["info", str(tmp_path), "--json"]).output)
    assert facts["type"] == "GRDH"


def test_info_tells_once_of_an_image_in_two_files(gridded, tmp_path):
    with rasterio.open(gridded) as file:
        tags = file.tags()
        for band, name in zip(file.read(), file.descriptions, strict=True):
            with rasterio.open(tmp_path / f"date_{name}.tif", "w", **file.profile | {"count": 1}) as one:
                one.write(band, 1)
                one.update_tags(**tags)
    (facts,) = json.loads(CliRunner().invoke(main, ["info", str(tmp_path), "--json"]).output)
    assert len(list(tmp_path.iterdir())) == len(facts["polarizations"]) == 2


def test_a_command_refuses_what_it_cannot_know(harbour, gridded, tmp_path):
    with rasterio.open(gridded) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(tmp_path / "unknown_VV.tif", "w", **profile | {"count": 1}) as file:
        file.write(values[:1])
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
    array = as_array(gridded)
    level = np.nanmedian(array.to_numpy(), axis=(1, 2), keepdims=True)
    image = open_map_image(array.copy(data=np.maximum(array.to_numpy() - 0.8 * level, 0)))
    port = read_port(harbour.port_file)
    plan = Plan(port=port, params=DetectionParams(), area=port.area)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ProductWarning)
        measured_on_water(image, plan, image.window())
    assert any("of the open water is 0 or below, as where noise was subtracted" in str(each.message) for each in said)


@pytest.mark.filterwarnings("ignore:.*cannot be read:sarship.errors.ProductWarning")
def test_real_pixels_on_a_map_have_their_speckle_and_few_false_alarms():
    product = open_grd(next((Path(__file__).parents[1] / "data").glob("*.zip")))
    grid = PortGrid.around(product.geometry.footprint(Window(4100, 4600, 4100, 4600)).buffer(-0.01), margin_m=0)
    with MemoryFile(geotiff_bytes(to_port_grid(product, grid), product), ext=".tif") as file:
        image = open_map_image(file.name)
        measured = image.measured(image.window())
        power = to_port_grid(image, grid).to_numpy()[0]
    assert measured.enl == pytest.approx(product.enl, rel=0.2)
    assert measured.resolution_m[0] == pytest.approx(product.resolution_m[0], rel=0.2)
    ring = DetectionParams().for_image((10, 10), enl=measured.enl, effective_sample_ratio=measured.sample_ratio)
    assert 0.3 < false_alarms_over_asked(power, np.ones(grid.shape, bool), ring) < 2


def test_false_alarms_are_about_those_asked_for_until_the_sea_is_another():
    rng = np.random.default_rng(3)
    sea = rng.gamma(4.4, 1 / 4.4, (400, 400))
    water, params = np.ones(sea.shape, bool), CfarParams(guard=(4, 4), training=(8, 8), enl=4.4)
    assert 0.6 < false_alarms_over_asked(sea.astype(np.float32), water, params) < 1.6
    rough = (sea * rng.gamma(1.5, 1 / 1.5, sea.shape)).astype(np.float32)
    assert false_alarms_over_asked(rough, water, params) > 5
    assert np.isnan(false_alarms_over_asked(rough[:60, :60], water[:60, :60], params))
