"""Water that is not at sea level: counts, wherever its level comes from, and no stack or reference of another level."""

import re
import shutil
import warnings
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import shapely
from builders.lake_ports import DULUTH, OHRID, LakePort
from builders.manifests import relist
from click.testing import CliRunner
from servers.stac import make_mirrored, serve_stac

from sarship import read_port, read_results, survey
from sarship.catalog import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.cli import main
from sarship.errors import ProductWarning, ReferenceImageError
from sarship.pipeline import pictures, search
from sarship.port.stack import read_reference
from sarship.simulate import simulate_product


def simulated(place, folder, dates=None):
    """Paths of the products of a port's dates, with a vessel at every quay on the first two."""
    vessels = place.vessels(folder)
    return [
        simulate_product(folder, one, vessels=vessels if k < 2 else [], seed=2 + k)[0]
        for k, one in enumerate(dates or [place.params])
    ]


def on_ground(product, folder, height_m):
    """Return a copy of a product whose tie points lie on rolling ground, no lower than a height."""
    copy = folder / product.name
    shutil.copytree(product, copy)
    heights = (f"<height>{height_m + k % 7}</height>" for k in count())
    for file in (copy / "annotation").glob("*.xml"):
        file.write_text(re.sub("<height>[^<]*</height>", lambda _: next(heights), file.read_text()))
    relist(copy)
    return copy


@pytest.fixture(scope="module")
def duluth(tmp_path_factory):
    """Four dates of a port on Lake Superior, two of them with vessels."""
    return simulated(DULUTH, tmp_path_factory.mktemp("duluth"), DULUTH.dates(4))


@pytest.fixture(scope="module")
def ohrid(tmp_path_factory):
    """Two dates of a port on a lake that is not in the table, whose ground the product knows."""
    folder = tmp_path_factory.mktemp("ohrid")
    return [on_ground(path, folder / "ground", 693) for path in simulated(OHRID, folder, OHRID.dates(2))]


@pytest.mark.parametrize(
    ("place", "lake"),
    [
        (LakePort(35.8, 34.9, 0), ""),
        (DULUTH, "Lake Superior"),
        (LakePort(32.89, -2.51, 1_135), "Lake Victoria"),
        (LakePort(-79.9, 9.27, 26), "Gatun Lake and the Gaillard Cut"),
        (LakePort(49.92, 40.33, -28.5), "Caspian Sea"),
    ],
    ids=["sea", "Duluth", "Victoria", "Gatun", "Baku"],
)
def test_vessels_on_known_water_are_counted_where_they_lie(place, lake, tmp_path):
    port = read_port(place.write(tmp_path / "port.geojson"))
    results = survey(simulated(place, tmp_path), port, tmp_path / "out")
    assert results.counts["n_vessels"].values.tolist() == [[1, 1, 1]]
    assert (results.provenance.water_level_m, results.provenance.lake) == (place.level_m, lake)
    assert read_results(tmp_path / "out").provenance == results.provenance
    squeeze = np.cos(np.radians(place.latitude))
    for lon, lat in place.berths:
        off = np.hypot((results.vessels["longitude"] - lon) * squeeze, results.vessels["latitude"] - lat)
        assert off.min() * 111_195 < 30


def test_the_port_file_goes_before_the_table(duluth, tmp_path):
    port = read_port(DULUTH.write(tmp_path / "port.geojson", water_level_m=0))
    results = survey(duluth[:1], port, tmp_path / "out")
    assert results.counts["n_vessels"].values.tolist() == [[0, 0, 0]]
    assert (results.provenance.water_level_m, results.provenance.lake) == (0.0, "")


def test_slices_of_one_pass_are_counted_at_the_level(tmp_path):
    whole = replace(DULUTH.params, frame=(500, 500), n_slices=2)
    halves = [
        replace(whole, shape=(255, 500)),
        replace(whole, shape=(245, 500), origin=(255.0, 0.0), slice_number=2),
    ]
    port = read_port(DULUTH.write(tmp_path / "port.geojson"))
    results = survey(simulated(DULUTH, tmp_path, halves), port, tmp_path / "out")
    assert len(results.scenes) == 2
    assert results.counts["n_vessels"].values.tolist() == [[1, 1, 1]]


def test_windows_of_a_catalogue_are_read_at_the_level(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    product = make_mirrored(tmp_path, DULUTH.params, vessels=DULUTH.vessels(tmp_path), seed=2)
    port = read_port(DULUTH.write(tmp_path / "port.geojson"))
    with serve_stac() as server:
        server.add(product)
        catalog = open_catalog("planetary", server.address)
        scenes = list(catalog.search(SceneQuery(area=port.area, start="2024-12-01", end="2025-01-10")))
        results = survey(scenes, port, tmp_path / "out", catalog=catalog)
    assert results.counts["n_vessels"].values.tolist() == [[1, 1, 1]]


def test_an_area_on_a_known_lake_needs_no_port(duluth):
    lon, lat = DULUTH.berths[0]
    near = search(duluth[:1], area=shapely.box(lon - 0.004, lat - 0.003, lon + 0.004, lat + 0.003))
    assert near.provenance.lake == "Lake Superior"
    assert near.vessels["longitude"].sub(lon).abs().min() < 3e-4
    assert search(duluth[:1]).provenance.water_level_m == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*seems to lie in the open sea")  # its quays have no echo of their own
def test_four_dates_have_a_reference_and_another_level_has_another(duluth, tmp_path):
    port = read_port(DULUTH.write(tmp_path / "port.geojson"))
    lower = read_port(DULUTH.write(tmp_path / "lower.geojson", water_level_m=150))
    results = survey(duluth, port, tmp_path / "out")
    assert (results.counts["n_reference_dates"] == 4).all()
    assert results.counts["n_vessels"].values.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    (path,) = (tmp_path / "out" / "references").iterdir()
    reference = read_reference(path)
    assert reference.attrs["water_level_m"] == 183.4
    with pytest.raises(ReferenceImageError, match="another port, grid or water level"):
        survey(duluth, lower, tmp_path / "lower", saved=[reference])
    survey(duluth, lower, tmp_path / "out")
    assert read_reference(path).attrs["water_level_m"] == 150
    assert len(list((tmp_path / "out" / "stack").iterdir())) == 2


def test_high_ground_around_a_port_is_warned_of_once(ohrid, tmp_path):
    port = read_port(OHRID.write(tmp_path / "port.geojson"))
    with pytest.warns(ProductWarning) as said:
        results = survey(ohrid, port, tmp_path / "out")
    (warning,) = said
    assert "the lowest ground around Port lies 69" in str(warning.message)
    assert "put the height of the water into the port file as water_level_m" in str(warning.message)
    assert results.counts["n_vessels"].sum() == 0
    with pytest.warns(ProductWarning, match="the lowest ground around Port"):
        pictures.write_preview(ohrid, port, tmp_path / "preview.png")


def test_a_given_level_counts_and_warns_of_nothing(ohrid, tmp_path, monkeypatch):
    drawn = []
    plot_scene = pictures.plot_scene
    monkeypatch.setattr(
        pictures, "plot_scene", lambda *given, **more: drawn.append(given[0]) or plot_scene(*given, **more)
    )
    port = read_port(OHRID.write(tmp_path / "port.geojson", water_level_m=693))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = survey(ohrid[:1], port, tmp_path / "out")
        pictures.write_preview(ohrid[:1], port, tmp_path / "preview.png")
        pictures.write_pictures(results, port, tmp_path / "out")
    assert [product.geometry.water_level_m for product in drawn] == [693]
    assert results.counts["n_vessels"].values.tolist() == [[1, 1, 1]]
    assert (results.provenance.water_level_m, results.provenance.lake) == (693.0, "")


def test_the_commands_say_which_lake_they_took(duluth, tmp_path):
    known = DULUTH.write(tmp_path / "known.geojson")
    given = DULUTH.write(tmp_path / "given.geojson", water_level_m=183)
    note = "note: Lake Superior is taken to stand 183.4 m over sea level"
    detect = ["detect", str(duluth[0]), "--port"]
    assert note in CliRunner().invoke(main, [*detect, str(known)]).stderr
    assert note not in CliRunner().invoke(main, [*detect, str(given)]).stderr
    area = ["detect", str(duluth[0]), "--area", "-92.1,46.76,-92.08,46.78"]
    assert note in CliRunner().invoke(main, area).stderr
