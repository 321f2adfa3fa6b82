"""Products in, results on disk: counts near the truth, missing against zero, going on after a stop, bad products."""

import errno
import json
import os
import shutil
import warnings
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from sarship.cfar import CfarParams
from sarship.counts.passes import are_counted
from sarship.detection.params import DetectionParams
from sarship.errors import OutputError, ProductWarning
from sarship.pipeline import one_scene, search, sources, survey
from sarship.pipeline.result_files import read_results
from sarship.pipeline.results import Results
from sarship.port.port_file import read_port
from sarship.simulate import ProductParams, simulate_port_series, simulate_product

SMALL = ProductParams(shape=(200, 240), polarizations=("VV",))
BERTH = (35.80, 34.90)
"""Longitude and latitude of the middle of the small products."""


@dataclass(frozen=True)
class Surveyed:
    folder: Path
    port: object
    results: Results


@pytest.fixture(scope="module")
def surveyed(harbour_survey):
    """One survey of the harbour's four dates, shared."""
    return Surveyed(*harbour_survey)


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    """Three small products, twelve days apart, that are quick to search."""
    folder = tmp_path_factory.mktemp("trio")
    dates = [
        replace(SMALL, time=SMALL.time + timedelta(days=12 * k), absolute_orbit=SMALL.absolute_orbit + 175 * k)
        for k in range(3)
    ]
    return [simulate_product(folder, date, n_vessels=2, seed=k)[0] for k, date in enumerate(dates)]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    return make_port(tmp_path_factory.mktemp("port") / "port.geojson", Berth=BERTH, Far=(10.0, 54.0))


@pytest.fixture
def searched(monkeypatch):
    """Ids of the scenes that the detector was asked about."""
    calls = []

    def counted(product, *arguments, **options):
        calls.append(product.scene.id)
        return detect(product, *arguments, **options)

    detect = one_scene.detect
    monkeypatch.setattr(one_scene, "detect", counted)
    return calls


def make_port(path, **places):
    """A port of round berths, 300 m around each point."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": name, "kind": "pier", "max_distance_m": 300},
            "geometry": {"type": "Point", "coordinates": place},
        }
        for name, place in places.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return read_port(path)


def copy_of(product, folder, name=None):
    return Path(shutil.copytree(product, folder / (name or product.name)))


def states(steps):
    return [step.state for step in steps if step.state != "searching"]


# ---- end to end


def test_counts_are_near_the_truth(harbour, surveyed):
    """In one image, vessels in a row run together, small ones hide beside the quay, and cranes and loud ends of hulls
    are counted besides: a quay may gain or lose a few. In all less than half are off (25 of 65 when this was written);
    at anchor, in open water, not more than one on a date."""
    counts = surveyed.results.counts
    truth = harbour.counts()
    assert counts["scene"].to_numpy().tolist() == truth.index.tolist()
    found = counts["n_vessels"].to_pandas()[truth.columns].to_numpy()
    error = found - truth.to_numpy()
    assert error.max() <= 3
    assert abs(error[:, -1]).max() <= 1
    assert abs(error).sum() <= 0.5 * truth.to_numpy().sum()
    assert abs(error).mean() <= 1.3
    busy = truth.sum(axis=1).to_numpy()
    assert found.sum(axis=1).argmax() == busy.argmax()


def test_the_pier_that_is_always_empty_counts_zero(surveyed):
    mole = surveyed.results.counts["n_vessels"].sel(pier="Naval mole").to_numpy()
    assert (mole == 0).sum() >= 3  # looked at on all four dates, and empty; one false alarm is borne
    assert not np.isnan(mole).any()


def test_tables_agree_with_each_other_and_with_what_is_on_disk(harbour, surveyed):
    results = surveyed.results
    slices = {path.stem for one in harbour.passes for path in one.slices}
    assert set(results.scenes["scene"]) == slices == set(results.sources)
    assert len(results.coverage) == len(slices) * len(surveyed.port.piers)
    assert results.counts.sizes["time"] == len(harbour.passes) == 4
    assert (results.counts["seen"] > 0.99).all()
    assert results.scenes["land_is_masked"].all()
    assert results.provenance.is_simulated
    assert results.provenance.port == surveyed.port.name
    back = read_results(surveyed.folder)
    assert back.provenance == results.provenance
    assert back.counts.identical(results.counts)
    for name in ("vessels", "scenes", "coverage", "piers"):
        frame, expected = getattr(back, name), getattr(results, name)
        assert frame.drop(columns="geometry").equals(expected.drop(columns="geometry")), name
        assert frame.geometry.geom_equals_exact(expected.geometry, 0).all(), name
    at_piers = (results.vessels["pier"].notna() & are_counted(results.vessels)).sum()
    assert at_piers == results.counts["n_vessels"].sum()


def test_missing_is_not_zero(trio, port, tmp_path):
    """Nothing was put at the first berth, and no image shows the second."""
    empty, _ = simulate_product(tmp_path / "sea", SMALL, n_vessels=0, seed=9)
    counts = survey([empty], port, tmp_path / "out").counts
    assert counts["n_vessels"].sel(pier="Berth").item() == 0
    assert np.isnan(counts["n_vessels"].sel(pier="Far").item())
    assert counts["seen"].to_numpy().tolist() == [[pytest.approx(1.0), 0.0]]
    assert counts["detectable_length_m"].sel(pier="Berth").item() > 10
    assert np.isnan(counts["detectable_length_m"].sel(pier="Far").item())


def test_no_noise_is_a_warning_and_in_the_table(port, tmp_path):
    product, _ = simulate_product(tmp_path, replace(SMALL, noise="absent"), n_vessels=0, seed=1)
    with pytest.warns(ProductWarning, match="no thermal-noise file"):
        results = survey([product], port, tmp_path / "out")
    assert results.scenes["has_noise"].tolist() == [False]
    assert results.counts["n_vessels"].sel(pier="Berth").item() == 0
    assert not results.failures


def test_a_run_that_searches_nothing_keeps_what_is_there(trio, port, tmp_path):
    survey(trio[:1], port, tmp_path)
    files = {
        path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path.suffix in {".csv", ".json"}
    }
    assert len(files) > 4
    for products in ([], [tmp_path / "S1A_none.SAFE"]):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            results = survey(products, port, tmp_path)
        assert any("keeps the results of an earlier run" in str(each.message) for each in heard)
        assert len(results.scenes) == 0
        assert {path: path.read_bytes() for path in files} == files
    # a product whose count is there, and which fails now, is counted no longer
    shutil.copytree(trio[0], tmp_path / "copy" / trio[0].name)
    (tmp_path / "copy" / trio[0].name / "manifest.safe").unlink()
    with pytest.warns(ProductWarning, match="none of the 1 products"):
        survey([tmp_path / "copy" / trio[0].name], port, tmp_path)
    assert len(read_results(tmp_path).failures) == 1


def test_arguments_of_another_type_are_one_sentence(trio, port, tmp_path):
    with pytest.raises(TypeError, match=r"products must be a list of paths, got '.*SAFE'; give \['.*SAFE'\]"):
        survey(str(trio[0]), port, tmp_path)
    with pytest.raises(TypeError, match=r"port must be a Port, got 'port.geojson'; `read_port`"):
        survey(trio, "port.geojson", tmp_path)
    with pytest.raises(TypeError, match="params must be DetectionParams, got CfarParams"):
        search(trio, port=port, params=CfarParams())
    assert not list(tmp_path.iterdir())


def test_nothing_to_survey(port, tmp_path):
    results = survey([], port, tmp_path / "out")
    assert results.counts.sizes == {"time": 0, "pier": 2}
    assert len(read_results(tmp_path / "out").vessels) == 0


def test_search_writes_nothing_and_finds_the_truth(trio, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = search(trio[:1])
    assert len(results.vessels) == 2
    assert results.vessels["pier"].isna().all()
    assert not list(tmp_path.iterdir())
    with pytest.warns(ProductWarning, match="none of the 1 products could be searched: nothing was seen"):
        far = search(trio[:1], area=shapely.box(10, 54, 11, 55))
    assert "does not touch" in far.failures[0].message


def test_area_clips_what_is_found(trio):
    """The window of the image that holds an area is larger."""
    first, second = search(trio[:1]).vessels.geometry
    found = search(trio[:1], area=first.buffer(first.distance(second) * 0.9)).vessels
    assert len(found) == 1
    assert found.geometry[0].dwithin(first, 1e-4)


# ---- going on


def test_second_run_searches_nothing(trio, port, tmp_path, searched):
    first = survey(trio, port, tmp_path)
    assert len(searched) == 3
    steps = []
    second = survey(trio, port, tmp_path, progress=steps.append)
    assert len(searched) == 3
    assert states(steps) == ["checkpoint"] * 3
    assert second.vessels.equals(first.vessels)
    assert second.counts["n_vessels"].equals(first.counts["n_vessels"])
    survey([*trio[1:], trio[0]], port, tmp_path)  # nor in another order
    assert len(searched) == 3


@pytest.mark.slow
def test_what_changes_a_result_makes_it_new(trio, port, tmp_path, searched):
    product = copy_of(trio[0], tmp_path)
    out = tmp_path / "out"
    survey([product], port, out)
    land = shapely.box(35.7, 34.8, 35.79, 35.0)
    changes = [
        lambda: survey([product], port, out, params=DetectionParams(pfa=1e-8)),
        lambda: survey([product], make_port(tmp_path / "p.geojson", Berth=(35.801, 34.9)), out),
        lambda: survey([product], make_port(tmp_path / "p.geojson", Quay=BERTH), out),
        lambda: survey([product], port, out, land=land),
    ]
    for n_before, change in enumerate(changes, start=1):
        change()
        assert len(searched) == n_before + 1
        change()
        assert len(searched) == n_before + 1
    file = next(product.rglob("*.tiff"))
    os.utime(file, (1, 1))
    survey([product], port, out, land=land)
    assert len(searched) == len(changes) + 2


def test_new_version_makes_all_new(trio, port, tmp_path, searched, monkeypatch):
    survey(trio[:1], port, tmp_path)
    for module in ("plan", "surveys"):
        monkeypatch.setattr(f"sarship.pipeline.{module}.__version__", "99.0")
    assert survey(trio[:1], port, tmp_path).provenance.version == "99.0"
    assert len(searched) == 2


def test_stopped_run_goes_on(trio, port, tmp_path, searched, monkeypatch):
    counted = one_scene.detect

    def stop(product, *arguments, **options):
        if len(searched) == 2:
            raise KeyboardInterrupt
        return counted(product, *arguments, **options)

    monkeypatch.setattr(one_scene, "detect", stop)
    with pytest.raises(KeyboardInterrupt):
        survey(trio, port, tmp_path)
    assert not (tmp_path / "results.json").exists()
    assert {path.name for path in (tmp_path / "scenes").iterdir()} == {path.stem for path in trio[:2]}
    monkeypatch.setattr(one_scene, "detect", counted)
    steps = []
    survey(trio, port, tmp_path, progress=steps.append)
    assert searched == [path.stem for path in trio]
    assert states(steps) == ["checkpoint", "checkpoint", "searched"]


@pytest.mark.parametrize("harm", ["cut", "empty", "gone", "other"])
def test_scene_of_a_damaged_checkpoint_is_searched_again(trio, port, tmp_path, searched, harm):
    expected = survey(trio[:2], port, tmp_path)
    checkpoint = tmp_path / "scenes" / trio[0].stem / "vessels.parquet"
    if harm == "gone":
        checkpoint.unlink()
    elif harm == "other":
        shutil.copy(tmp_path / "scenes" / trio[1].stem / "vessels.parquet", checkpoint)
    else:
        checkpoint.write_bytes(checkpoint.read_bytes()[: 1000 if harm == "cut" else 0])
    again = survey(trio[:2], port, tmp_path)
    assert searched == [trio[0].stem, trio[1].stem, trio[0].stem]
    assert again.vessels.equals(expected.vessels)
    assert not list((tmp_path / "scenes").glob(".*"))


def test_progress_never_goes_back(trio, port, tmp_path):
    steps = []
    survey([*trio, tmp_path / "none"], port, tmp_path / "out", progress=steps.append)
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1].total == 4
    assert states(steps) == ["searched"] * 3 + ["failed"]
    assert "does not exist" in steps[-1].message


# ---- bad products


def test_half_of_the_products_bad(trio, port, tmp_path):
    good = trio[0]
    cut, empty, xml, slc = (copy_of(trio[1], tmp_path / kind) for kind in ("cut", "empty", "xml", "slc"))
    for product, length in ((cut, 5000), (empty, 0)):
        tiff = next(product.rglob("*.tiff"))
        tiff.write_bytes(tiff.read_bytes()[:length])
    annotation = next((xml / "annotation").glob("*.xml"))
    annotation.write_text(annotation.read_text()[:3000])
    manifest = slc / "manifest.safe"
    manifest.write_text(manifest.read_text().replace(">GRD<", ">SLC<"))
    text = tmp_path / "notes.txt"
    text.write_text("not a product")
    bad = {cut: "measurement", empty: "is empty", xml: "damaged", slc: "GRD only", text: "notes.txt"}
    bad[tmp_path / "none"] = "does not exist"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProductWarning)  # that the empty file cannot be read
        results = survey([cut, empty, xml, good, slc, text, tmp_path / "none", trio[2]], port, tmp_path / "out")
    assert results.scenes["scene"].tolist() == [good.stem, trio[2].stem]
    assert len(results.counts["time"]) == 2
    assert not np.isnan(results.counts["n_vessels"].sel(pier="Berth")).any()
    assert [failure.path for failure in results.failures] == [str(path) for path in bad]
    for failure, said in zip(results.failures, bad.values(), strict=True):
        assert said in failure.message
        assert "\n" not in failure.message
        assert "please report" not in failure.message
    assert read_results(tmp_path / "out").failures == results.failures


def test_product_that_does_not_touch_the_port_shows_none_of_it(trio, tmp_path, searched):
    steps = []
    far = make_port(tmp_path / "far.geojson", Far=(10.0, 54.0))
    with pytest.warns(ProductWarning, match="none of the 1 scenes shows a pier of far"):
        results = survey(trio[:1], far, tmp_path / "out", progress=steps.append)
    assert not results.failures
    assert not searched
    assert steps[-1].message == "it shows none of the piers"
    assert results.coverage["seen"].tolist() == [0.0]
    assert np.isnan(results.counts["n_vessels"].item())


def test_a_run_in_the_folder_of_another_is_one_sentence(trio, port, tmp_path, searched):
    first = []

    def overlap(step):
        if not first:
            first.append(step)
            with pytest.raises(OutputError, match="another run is at work here"):
                survey(trio[:1], port, tmp_path)

    survey(trio[:1], port, tmp_path, progress=overlap)
    assert len(searched) == 1
    survey(trio[:1], port, tmp_path)


def test_swapped_port_says_so(trio, tmp_path):
    swapped = make_port(tmp_path / "swapped.geojson", Berth=BERTH[::-1])
    with pytest.warns(ProductWarning, match="none of the 1 products could be searched"):
        (failure,) = survey(trio[:1], swapped, tmp_path / "out").failures
    assert "latitude and longitude look swapped" in failure.message


def test_a_fault_of_our_own_does_not_take_the_others_with_it(trio, port, tmp_path, monkeypatch):
    find_vessels = one_scene.find_vessels

    def fail(hits, product, params, **more):
        if product.scene.id == trio[0].stem:
            raise ZeroDivisionError("by\nzero")
        return find_vessels(hits, product, params, **more)

    monkeypatch.setattr(one_scene, "find_vessels", fail)
    results = survey(trio[:2], port, tmp_path)
    (failure,) = results.failures
    assert failure.message.startswith("unexpected ZeroDivisionError: by zero; please report")
    assert results.scenes["scene"].tolist() == [trio[1].stem]


# ---- twins and slices


def test_twin_is_counted_once(trio, port, tmp_path, searched):
    """The same acquisition plain and cloud-optimised."""
    twin, _ = simulate_product(tmp_path, replace(SMALL, layout="cog"), n_vessels=2, seed=0)
    assert twin.name != trio[0].name
    steps = []
    both = survey([trio[0], twin, trio[0]], port, tmp_path / "both", progress=steps.append)
    assert states(steps) == ["searched", "twin", "twin"]
    assert str(trio[0]) in steps[-1].message
    assert len(searched) == 1
    one = survey([twin], port, tmp_path / "one")
    np.testing.assert_array_equal(both.counts["n_vessels"], one.counts["n_vessels"])
    assert len(both.vessels) == len(one.vessels) == 2


def test_good_twin_stands_in_for_a_bad_one(trio, port, tmp_path):
    bad = copy_of(trio[0], tmp_path)
    tiff = next(bad.rglob("*.tiff"))
    tiff.write_bytes(tiff.read_bytes()[:5000])
    results = survey([bad, trio[0]], port, tmp_path / "out")
    assert len(results.failures) == 1
    assert results.sources == {trio[0].stem: str(trio[0])}


def test_slices_of_one_pass_are_one_time(tmp_path):
    """Two products that follow each other, a berth in each: one time, both berths counted."""
    tall = replace(SMALL, shape=(220, 240))
    later = replace(tall, time=tall.time + timedelta(seconds=30), latitude=tall.latitude + 2.0)
    products = [simulate_product(tmp_path, params, n_vessels=0, seed=k)[0] for k, params in enumerate([tall, later])]
    both = make_port(tmp_path / "port.geojson", South=BERTH, North=(later.longitude, later.latitude))
    counts = survey(products, both, tmp_path / "out").counts
    assert counts.sizes == {"time": 1, "pier": 2}
    assert counts["n_vessels"].to_numpy().tolist() == [[0, 0]]
    assert counts["scene"].item().split() == [product.stem for product in products]


def test_a_port_on_the_antimeridian_counts_as_anywhere(tmp_path):
    found = {}
    for longitude in (20.0, 179.995):
        params = ProductParams(shape=(700, 700), polarizations=("VV",), longitude=longitude, latitude=10.0)
        harbour = simulate_port_series(tmp_path / str(longitude), n_dates=1, params=params)
        assert harbour.truth["longitude"].abs().max() <= 180
        counted = survey(harbour.products, read_port(harbour.port_file), tmp_path / f"out {longitude}")
        found[longitude] = counted.counts["n_vessels"].values, counted.counts["seen"].values
    assert np.ptp(read_port(harbour.port_file).piers.total_bounds[::2]) > 359  # piers lie on both sides
    (there, seen), (here, seen_here) = found.values()
    np.testing.assert_allclose(seen_here, seen, atol=1e-6)
    # the orbits differ by a trifle, and with them whether a pair that can hardly be told apart is
    assert np.abs(here - there).max() <= 1
    assert here.sum() > 10
    assert np.nansum(found[20.0][0]) > 0


def test_same_name_of_another_acquisition_is_refused(trio, port, tmp_path):
    other = copy_of(trio[1], tmp_path, trio[0].name)
    results = survey([trio[0], other], port, tmp_path / "out")
    assert "rename it" in results.failures[0].message
    assert len(results.scenes) == 1


# ---- where results go


def test_full_disk(trio, port, tmp_path, monkeypatch):
    survey(trio[:1], port, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    fsync, n_calls = os.fsync, 0

    def full(stream):
        nonlocal n_calls
        n_calls += 1
        if n_calls > 3:  # after the probes of both folders, in the middle of a scene
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(stream)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        survey(trio, port, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    monkeypatch.setattr(os, "fsync", fsync)
    assert len(survey(trio, port, tmp_path).scenes) == 3


def test_file_in_the_way(trio, port, tmp_path, searched):
    (tmp_path / "out").write_text("mine")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "scenes").write_text("mine")
    for name in ("out", "half"):
        with pytest.raises(OutputError, match="a file is in the way"):
            survey(trio[:1], port, tmp_path / name)
    assert not searched  # said before hours of work
    assert (tmp_path / "out").read_text() == (tmp_path / "half" / "scenes").read_text() == "mine"


def test_file_in_the_place_of_a_checkpoint(trio, port, tmp_path):
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / trio[0].stem).write_text("mine")
    with pytest.raises(OutputError, match="cannot write this folder"):
        survey(trio[:1], port, tmp_path)
    assert [path.name for path in (tmp_path / "scenes").iterdir()] == [trio[0].stem]


@pytest.mark.parametrize("name", ["../../escaped", "..", "/escaped"])
def test_scene_cannot_leave_the_folder(trio, port, tmp_path, monkeypatch, name):
    def renamed(path):
        product = open_grd(path)
        return replace(product, scene=replace(product.scene, id=name))

    open_grd = sources.open_grd
    monkeypatch.setattr(sources, "open_grd", renamed)
    folder = tmp_path / "a" / "b"
    survey(trio[:1], port, folder)
    assert read_results(folder).scenes["scene"].tolist() == [name]
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(folder)]
    assert not outside
    assert len(list((folder / "scenes").iterdir())) == 1


def test_vessels_stand_alone(surveyed):
    """The GeoJSON opens in any GIS, and says itself that it is simulated."""
    frame = gpd.read_file(surveyed.folder / "vessels.geojson")
    assert len(frame) == len(surveyed.results.vessels)
    collection = json.loads((surveyed.folder / "vessels.geojson").read_text("utf-8"))
    assert collection["sarship"]["is_simulated"] is True
    assert collection["sarship"]["scenes"] == surveyed.results.scenes["scene"].tolist()
