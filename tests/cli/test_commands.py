"""The command: what it prints, how it exits, and one sentence for everything that bad input can cause."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import termios
import zipfile
from dataclasses import asdict
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from click.testing import CliRunner
from shapely import box

from sarship import __version__, cfar
from sarship.cfar.device import found_on_this_machine
from sarship.cli import main
from sarship.detection.params import DetectionParams
from sarship.detection.single_image import detect
from sarship.errors import OutputError
from sarship.model import Hits
from sarship.pipeline import checkpoints, one_scene
from sarship.pipeline.result_files import read_results
from sarship.port.port_file import read_port
from sarship.sentinel1.product import open_grd
from sarship.simulate import ProductParams, simulate_product
from sarship.vessels.find import find_vessels

COMMAND = Path(sys.executable).with_name("sarship")
"""As installed beside the interpreter."""


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(outcome, code=2):
    """The one sentence of a refusal; fails where there was a traceback, or anything on standard output."""
    assert outcome.exit_code == code, outcome.output
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    assert "Traceback" not in outcome.output
    return outcome.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small product, quick to search, and its truth."""
    params = ProductParams(shape=(200, 240))
    return simulate_product(tmp_path_factory.mktemp("small"), params, n_vessels=3, seed=11)


@pytest.fixture
def copy(small, tmp_path):
    """A copy of the small product that a test may damage."""
    return Path(shutil.copytree(small[0], tmp_path / small[0].name))


def feature(kind="pier", name="Quay", geometry=None, **properties):
    geometry = geometry or {"type": "LineString", "coordinates": [[35.795, 34.9], [35.805, 34.9]]}
    return {"type": "Feature", "properties": {"name": name, "kind": kind, **properties}, "geometry": geometry}


def write_port(path, *features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features) or [feature()]}))
    return path


def files_of(product, part):
    return sorted(path for path in product.rglob("*") if part in str(path.relative_to(product)) and path.is_file())


# What it prints


def test_version_and_help():
    assert __version__ in run("--version").output
    for command in (
        [],
        ["demo"],
        ["info"],
        ["check"],
        ["port"],
        ["port", "new"],
        ["port", "preview"],
        ["port", "edit"],
        ["detect"],
        ["count"],
    ):
        assert run(*command, "--help").exit_code == 0


@pytest.mark.parametrize("words", [["--help"], ["info"]])
def test_help_and_metadata_load_nothing_heavy(small, words):
    words = [*words, *([str(small[0])] if words == ["info"] else [])]
    code = f"import sys; from sarship.cli import main; main({words}, standalone_mode=False); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert {"numba", "matplotlib", "rasterio", "geopandas", "pandas", "xarray"}.isdisjoint(out.split())


def test_info(small):
    outcome = run("info", small[0])
    assert outcome.exit_code == 0
    for fact in (
        "platform         S1A",
        "mode             IW",
        "enl              4.4",
        "VV, VH",
        "has_noise        True",
    ):
        assert fact in outcome.stdout


def test_info_json(small):
    facts = json.loads(run("info", small[0], "--json").stdout)
    assert facts[0]["n_lines"] == 200
    assert facts[0]["simulated"] is True


def test_info_of_every_real_product(real_data):
    products = sorted((real_data / "safe").iterdir())
    outcome = run("info", *products, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert len(json.loads(outcome.stdout)) == len(products) > 0


def test_check(small):
    outcome = run("check", small[0])
    assert outcome.exit_code == 0
    assert "files are intact" in outcome.stdout


def test_port_new_writes_a_port_file_once(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run("port", "new", "Latakia", "--no-map")
    assert outcome.exit_code == 0
    assert "Al Ladhiqiyah (Syria, 45010)" in outcome.stdout
    assert len(read_port("al-ladhiqiyah.geojson").piers) >= 1
    said = refused(run("port", "new", "Latakia", "--no-map"))
    assert "is there already" in said


def test_port_new_begins_with_the_piers_that_ship(tmp_path):
    path = tmp_path / "mine.geojson"
    assert "correct the piers" in run("port", "new", "Tartous", "--out", path).stdout
    assert read_port(path).piers["name"].tolist() == read_port("tartus").piers["name"].tolist()


def test_port_preview_draws_beside_the_port_file(small, tmp_path):
    port_file = write_port(tmp_path / "port.geojson")
    outcome = run("port", "preview", port_file, small[0])
    assert outcome.exit_code == 0
    assert (tmp_path / "port.png").read_bytes().startswith(b"\x89PNG")
    assert "1 pier over the mean of 1 product" in outcome.stdout
    assert ".png" in refused(run("port", "preview", port_file, small[0], "--out", tmp_path / "port.geojson"))
    assert "nowhere" in refused(run("port", "preview", port_file, tmp_path / "nowhere.SAFE"))


@pytest.mark.parametrize("ending", [".geojson", ".gpkg"])
def test_detect_finds_the_truth_and_says_that_land_is_not_masked(small, tmp_path, ending):
    path, truth = small
    out = tmp_path / f"vessels{ending}"
    outcome = run("detect", path, "--out", out)
    assert outcome.exit_code == 0
    assert "land is not masked" in outcome.stderr
    assert f"{len(truth)} vessels" in outcome.stdout
    found = gpd.read_file(out)
    assert set(found.geom_type) == {"Polygon"}
    to_utm = found.estimate_utm_crs()
    nearest = gpd.sjoin_nearest(truth.to_crs(to_utm), found.to_crs(to_utm), distance_col="apart_m")
    assert nearest["apart_m"].max() < 50


def test_detect_writes_geoparquet_and_masks_land(small, tmp_path):
    path, truth = small
    everything = truth.union_all().envelope.buffer(0.05)
    land = tmp_path / "land.gpkg"
    gpd.GeoDataFrame(geometry=[everything], crs="EPSG:4326").to_file(land)
    out = tmp_path / "vessels.parquet"
    outcome = run("detect", path, "--land", land, "--out", out)
    assert outcome.exit_code == 0
    assert "land is not masked" not in outcome.stderr
    assert "no vessels" in outcome.stdout
    assert len(gpd.read_parquet(out)) == 0


def test_detect_writes_plain_csv_and_names_the_endings_that_there_are(small, tmp_path):
    path, truth = small
    assert run("detect", path, "--out", tmp_path / "vessels.csv").exit_code == 0
    assert len(pd.read_csv(tmp_path / "vessels.csv")) == len(truth)
    assert ".csv, .geojson, .gpkg, .parquet" in refused(run("detect", path, "--out", tmp_path / "vessels.xlsx"))


def test_detect_json_and_area(small):
    path, truth = small
    longitude, latitude = truth["longitude"][0], truth["latitude"][0]
    west, south, east, north = longitude - 0.001, latitude - 0.001, longitude + 0.001, latitude + 0.001
    outcome = run("detect", path, "--area", f"{west},{south},{east},{north}", "--json")
    collection = json.loads(outcome.stdout)
    assert len(collection["features"]) >= 1
    assert collection["sarship"]["version"] == __version__


@pytest.mark.parametrize("choice", [("k", "ca"), ("lognormal", "ca"), ("gamma", "goca")], ids="-".join)
def test_detect_searches_as_chosen_and_says_so(small, choice):
    model, average = choice
    outcome = run(
        "detect", small[0], "--clutter-model", model, "--average", average, "--iterations", 2, "--pfa", 1e-5, "--json"
    )
    collection = json.loads(outcome.stdout)
    params = DetectionParams(clutter_model=model, average=average, iterations=2, pfa=1e-5)
    assert collection["sarship"]["parameters"] == asdict(params)
    product = open_grd(small[0])
    expected = find_vessels(detect(product, params), product, params)
    assert [each["properties"]["score"] for each in collection["features"]] == pytest.approx(
        expected["score"], rel=1e-4
    )


def test_count_keeps_its_choices_with_the_results(small, tmp_path):
    options = ["--clutter-model", "weibull", "--iterations", 2, "--pier-pfa", 1e-4, "--no-pictures"]
    outcome = run("count", write_port(tmp_path / "p.geojson"), small[0], "--out", tmp_path / "out", *options)
    assert outcome.exit_code == 0, outcome.stderr
    expected = DetectionParams(clutter_model="weibull", iterations=2, pier_pfa=1e-4)
    assert read_results(tmp_path / "out").provenance.parameters == expected


def test_count_writes_results_that_read_back(small, tmp_path):
    out = tmp_path / "out"
    port = write_port(tmp_path / "port.geojson")
    outcome = run("count", port, small[0], "--out", out, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    told = json.loads(outcome.stdout)
    results = read_results(out)
    assert told["counts"][0]["n_vessels"] == results.counts["n_vessels"].item()
    assert (out / "counts.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((out / "quicklooks").iterdir())) == 1


def test_count_holds_dated_reports_against_the_counts(small, tmp_path):
    when = small[1]["time"].min()
    reports = tmp_path / "reports.csv"
    reports.write_text(
        f"time;where;value;kind;note\n{when:%Y-%m-%dT%H:%M};Quay;200;radar;=1+1\n{when:%Y-%m-%d};port;0-9;;\n"
    )
    port = write_port(tmp_path / "port.geojson")
    arguments = ("count", port, small[0], "--no-pictures", "--observations", reports)
    assert "row 2 has the time of day" in refused(run(*arguments, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()  # said before any work
    assert "--tz is the zone of a file" in refused(run(*arguments[:-2], "--tz", "+01:00", "--out", tmp_path / "out"))
    outcome = run(*arguments, "--tz", "+00:00", "--out", tmp_path / "out")
    assert outcome.exit_code == 0, outcome.stderr
    assert "reports: 1 of 2 reports agree with the count of a pass near them" in outcome.stdout
    table = pd.read_csv(tmp_path / "out" / "agreement.csv", dtype={"observation": str})
    assert table[["observation", "where", "state"]].to_numpy().tolist() == [
        ["2", "Quay", "disagrees"],
        ["3", "port", "agrees"],
    ]
    assert read_results(tmp_path / "out").observations["note"].tolist() == ["=1+1", ""]


def test_count_shows_missing_as_a_dash(small, tmp_path):
    far = feature(name="Far", geometry={"type": "Point", "coordinates": [35.7, 35.4]})
    port = write_port(tmp_path / "port.geojson", feature(), far)
    outcome = run("count", port, small[0], "--out", tmp_path / "out", "--no-pictures")
    assert outcome.exit_code == 0
    told, _, heading, row = (line.split() for line in outcome.stdout.splitlines()[:4])
    assert " ".join(told).endswith("- is a pier that was not seen:")
    assert heading == ["Quay", "Far"]
    assert row[2] != "-"
    assert row[3] == "-"


def test_piped_output_holds_no_progress_bar(small, tmp_path):
    done = subprocess.run([COMMAND, "detect", small[0]], check=True, capture_output=True, text=True)
    assert "3 vessels" in done.stdout
    assert "%|" not in done.stderr + done.stdout
    assert "\r" not in done.stderr


def test_a_terminal_shows_progress(small):
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 100))
    subprocess.run([COMMAND, "detect", small[0]], check=True, stdout=subprocess.DEVNULL, stderr=inner)
    shown = os.read(outer, 65536)
    os.close(inner)
    os.close(outer)
    assert b"%|" in shown


def test_folders_and_patterns_stand_for_the_products_in_them(small, tmp_path):
    folder = tmp_path / "products"
    shutil.copytree(small[0], folder / "deep" / small[0].name)
    for given in (folder, folder / "deep" / "*.SAFE", folder / "**" / "*.SAFE", folder / "deep" / small[0].name):
        assert [facts["scene"] for facts in json.loads(run("info", given, "--json").stdout)] == [small[0].stem]
    port = write_port(tmp_path / "port.geojson")
    assert run("count", port, folder, "--out", tmp_path / "out", "--no-pictures").exit_code == 0
    assert "*.zip" in refused(run("info", folder / "*.zip"))


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_output_in_a_code_page_that_lacks_a_letter(small, tmp_path, encoding):
    name = "Łódź Østkaj 港"
    port = write_port(tmp_path / "port.geojson", feature(name=name))
    code = """
import sys
from sarship.cli import main
for options in [], ["--json"]:
    try:
        main(["count", *sys.argv[1:], *options])
    except SystemExit as end:
        assert not end.code, end.code
"""
    command = [sys.executable, "-c", code, port, small[0], "--out", tmp_path / "out", "--no-pictures"]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    text, brace, told = done.stdout.partition(b"{")
    assert "stkaj" in text.decode(errors="replace")
    assert json.loads(brace + told)["counts"][0]["pier"] == name


# Bad input


def test_not_a_product(tmp_path):
    assert "missing.SAFE" in refused(run("info", tmp_path / "missing.SAFE"))
    (tmp_path / "text.txt").write_text("hello")
    assert "text.txt" in refused(run("info", tmp_path / "text.txt"))
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(run("info", tmp_path / "empty"))


def damage_tiff(product):
    for path in files_of(product, "measurement"):
        path.write_bytes(path.read_bytes()[:5000])


def empty_tiff(product):
    for path in files_of(product, "measurement"):
        path.write_bytes(b"")


def drop(part):
    def act(product):
        for path in files_of(product, part):
            path.unlink()

    return act


def damage_xml(product):
    for path in files_of(product, "annotation/s1a"):
        path.write_text(path.read_text()[:3000])


def expand(product):
    manifest = product / "manifest.safe"
    text = manifest.read_text()
    manifest.write_text(text.replace("?>", '?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', 1))


def leave_the_product(product):
    manifest = product / "manifest.safe"
    name = files_of(product, "measurement")[0].name
    manifest.write_text(manifest.read_text().replace(f"./measurement/{name}", "../../../etc/passwd"))


def claim(kind):
    def act(product):
        manifest = product / "manifest.safe"
        manifest.write_text(manifest.read_text().replace(">GRD<", f">{kind}<"))

    return act


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (damage_tiff, "measurement"),
        (empty_tiff, "empty"),
        (drop("measurement/"), "is missing"),
        (drop("annotation/s1a"), "no annotation"),
        (drop("calibration/calibration"), "calibration"),
        (damage_xml, "damaged"),
        (expand, "document type"),
        (leave_the_product, "not inside the product"),
        (claim("SLC"), "GRD"),
        (claim("OCN"), "GRD"),
    ],
    ids=["truncated tiff", "empty tiff", "no tiff", "no annotation", "no calibration", "damaged xml", "entities",
         "path outside", "slc", "ocn"],
)  # fmt: skip
def test_damaged_product_is_refused_in_one_sentence(copy, harm, said):
    harm(copy)
    stderr = refused(run("detect", copy))
    assert said in stderr
    assert copy.name in stderr or "measurement" in stderr


def test_truncated_zip(small, tmp_path):
    whole = shutil.make_archive(str(tmp_path / "whole"), "zip", small[0].parent, small[0].name)
    cut = tmp_path / f"{small[0].stem}.zip"
    cut.write_bytes(Path(whole).read_bytes()[:20_000])
    assert cut.name in refused(run("info", cut))


def test_zip_that_names_files_outside_itself(tmp_path):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.SAFE/manifest.safe", "<a/>")
    refused(run("info", path))
    assert [item.name for item in tmp_path.iterdir()] == ["evil.zip"]


def test_missing_noise_is_a_warning_and_in_the_result(copy, tmp_path):
    drop("calibration/noise")(copy)
    out = tmp_path / "out"
    outcome = run("count", write_port(tmp_path / "p.geojson"), copy, "--out", out, "--no-pictures")
    assert outcome.exit_code == 0
    assert "warning:" in outcome.stderr
    assert "noise" in outcome.stderr
    assert not read_results(out).scenes["has_noise"].any()


def test_check_finds_a_changed_file(copy):
    annotation = files_of(copy, "annotation/s1a")[0]
    annotation.write_text(annotation.read_text().replace("2024", "2023", 1))
    outcome = run("check", copy)
    assert outcome.exit_code == 1
    assert "md5" in outcome.stdout
    assert annotation.name in outcome.stdout


def test_port_that_no_scene_shows_is_said_to_be_so(small, tmp_path):
    far = feature(geometry={"type": "Point", "coordinates": [10.0, 54.0]})
    port = write_port(tmp_path / "p.geojson", far)
    outcome = run("count", port, small[0], "--out", tmp_path / "o", "--no-pictures")
    assert "warning: none of the 1 scenes shows a pier of p" in refused(outcome)
    (row,) = [line for line in outcome.stdout.splitlines() if line.startswith("2024-")]
    assert row.split()[-1] == "-"
    assert "shows a pier of p" in refused(run("detect", small[0], "--port", port))


def test_all_products_failed(tmp_path):
    port = write_port(tmp_path / "p.geojson")
    for command in (("count", port, "none.SAFE", "gone.zip", "--out", tmp_path / "out"), ("detect", "no.zip", "x.zip")):
        stderr = refused(run(*command))
        assert "none of the 2 products could be searched" in stderr
        assert stderr.count("failed: ") == 2
        assert all(stderr.count(name) == 1 for name in map(str, command) if name.endswith((".SAFE", ".zip")))


def test_template_that_nobody_has_edited_is_not_counted_at(small, tmp_path):
    port = tmp_path / "tartus.geojson"
    run("port", "new", "Latakia", "--no-map", "--out", port)
    for products in ([small[0]], ["--from", "2024-12-01", "--to", "2024-12-31"]):
        stderr = refused(run("count", port, *products, "--out", tmp_path / "out"))
        assert "'EDIT ME pier 1' is the template's" in stderr
    assert not (tmp_path / "out").exists()


def test_area_that_does_not_touch(small):
    assert "does not touch" in refused(run("detect", small[0], "--area", "10,54,11,55"))


def test_swapped_coordinates_are_recognised(small, tmp_path):
    swapped = feature(geometry={"type": "Point", "coordinates": [34.9, 35.8]})
    outcome = run("count", write_port(tmp_path / "p.geojson", swapped), small[0], "--out", tmp_path / "o")
    assert "swapped" in refused(outcome)


BOW_TIE = [[35.79, 34.89], [35.80, 34.90], [35.80, 34.89], [35.79, 34.90], [35.79, 34.89]]
TRIANGLE = [*BOW_TIE[:3], BOW_TIE[0]]
BAD_PORTS = {
    "not there": (None, "does not exist"),
    "not JSON": ("piers: 3", "not JSON"),
    "no collection": ('{"type": "Point", "coordinates": [0, 0]}', "FeatureCollection"),
    "unnamed": ([feature(name="")], "no name"),
    "duplicate": ([feature(), feature()], "both called"),
    "unknown kind": ([feature(kind="berth")], "kind 'berth'"),
    "invalid": ([feature(geometry={"type": "Polygon", "coordinates": [BOW_TIE]})], "invalid geometry"),
    "outside": ([feature(geometry={"type": "Point", "coordinates": [200, 95]})], "off the world"),
    "metres": ([feature(geometry={"type": "Point", "coordinates": [755000, 3865000]})], "metres"),
    "no pier": ([feature("water", geometry={"type": "Polygon", "coordinates": [TRIANGLE]})], "no feature"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), BAD_PORTS.values(), ids=BAD_PORTS)
def test_bad_port_file(small, tmp_path, content, said):
    path = tmp_path / "port.geojson"
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        write_port(path, *content)
    stderr = refused(run("count", path, small[0], "--out", tmp_path / "out"))
    assert said in stderr
    assert "port.geojson" in stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("area", ["1,2,3", "a,b,c,d", "0,50,10,40", "500000,0,600000,10", "0,0,0,10", "nan,0,1,1"])
def test_bad_area(small, area):
    assert re.search(r"--area (takes|must be)", refused(run("detect", small[0], "--area", area)))


@pytest.mark.parametrize(
    "options",
    [
        ("--pfa", 0),
        ("--pfa", 0.7),
        ("--training-m", 0),
        ("--min-length-m", -1),
        ("--iterations", 0),
        ("--clutter-model", "k", "--average", "os"),
    ],
)
def test_bad_parameters(small, options):
    assert "got" in refused(run("detect", small[0], *options))


def test_a_refusal_of_parameters_names_the_options(small):
    stderr = refused(run("detect", small[0], "--clutter-model", "k", "--average", "os"))
    assert "--average 'os' needs --clutter-model 'gamma'" in stderr
    assert "--guard-m" in refused(run("detect", small[0], "--guard-m", -1))


@pytest.mark.parametrize("option", ["--clutter-model", "--average"])
def test_a_choice_that_there_is_not_lists_those_that_there_are(small, option):
    stderr = refused(run("detect", small[0], option, "rayleigh"))
    assert "'rayleigh' is not one of" in stderr
    assert ("'k'" if option == "--clutter-model" else "'goca'") in stderr


def test_bad_land_file(small, tmp_path):
    (tmp_path / "land.geojson").write_text("nothing")
    assert "land.geojson" in refused(run("detect", small[0], "--land", tmp_path / "land.geojson"))


def test_only_the_land_around_the_port_or_the_products_is_read(small, tmp_path):
    """A polygon off the world, far from both, does not matter."""
    path, truth = small
    land = tmp_path / "land.geojson"
    everything = truth.union_all().envelope.buffer(0.05)
    gpd.GeoDataFrame(geometry=[everything, box(200, 10, 201, 95)], crs="EPSG:4326").to_file(land)
    outcome = run("detect", path, "--land", land)
    assert outcome.stdout == "no vessels\n", outcome.stderr
    port = write_port(tmp_path / "port.geojson")
    refusal = refused(run("count", port, path, "--land", land, "--out", tmp_path / "out"))
    assert "'Quay' has no water left around it: the land given takes all of it" in refusal
    assert "no polygon within 20 km" in run("detect", path, "--land", land, "--area", "10,54,11,55").stderr


def test_reference_that_cannot_be_used_is_one_sentence(small, tmp_path):
    """Its file is read and held against the port before anything is searched."""
    port = write_port(tmp_path / "port.geojson", feature())
    count = ["count", port, small[0], "--out", tmp_path / "out"]
    assert "absent.nc cannot be read as a reference" in refused(run(*count, "--reference", tmp_path / "absent.nc"))
    assert "not both" in refused(run(*count, "--reference", tmp_path / "absent.nc", "--no-reference"))
    assert not (tmp_path / "out").exists()


def test_the_package_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "sarship", "--help"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("Usage: sarship [OPTIONS] COMMAND [ARGS]...")


@pytest.mark.slow
def test_pictures_are_drawn_whatever_backend_a_notebook_names(small, tmp_path):
    port = write_port(tmp_path / "port.geojson")
    command = [sys.executable, "-m", "sarship", "count", port, small[0], "--out", tmp_path / "out"]
    done = subprocess.run(
        command, env={**os.environ, "MPLBACKEND": "module://absent"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "counts.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_port_name():
    assert "nowhere" in refused(run("port", "new", "nowhere-at-all"))


def test_output_folder_with_a_file_in_the_way(small, tmp_path):
    (tmp_path / "out").write_text("mine")
    stderr = refused(run("count", write_port(tmp_path / "p.geojson"), small[0], "--out", tmp_path / "out"))
    assert "in the way" in stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_output_folder_that_cannot_be_made(small, tmp_path):
    assert "/proc/nowhere" in refused(
        run("count", write_port(tmp_path / "p.geojson"), small[0], "--out", "/proc/nowhere")
    )


def test_full_disk(small, tmp_path, monkeypatch):
    def full(path, content):
        raise OutputError(f"{path}: cannot write this file (No space left on device)")

    monkeypatch.setattr(checkpoints, "write_file", full)
    stderr = refused(run("count", write_port(tmp_path / "p.geojson"), small[0], "--out", tmp_path / "out"))
    assert "No space left" in stderr
    assert not (tmp_path / "out" / "results.json").exists()


def test_half_of_the_products_bad(small, copy, tmp_path):
    empty_tiff(copy)
    port = write_port(tmp_path / "p.geojson")
    outcome = run("count", port, copy, small[0], tmp_path / "none", "--out", tmp_path / "out", "--no-pictures")
    stderr = refused(outcome, code=1)
    assert stderr.count("failed: ") == 2
    assert stderr.count(str(copy)) == stderr.count(str(tmp_path / "none")) == 1
    assert len(read_results(tmp_path / "out").scenes) == 1
    assert len(read_results(tmp_path / "out").failures) == 2


def test_flood_says_what_to_do(small, monkeypatch):
    monkeypatch.setattr("sarship.detection.single_image.MAX_HITS", 3)
    assert "land" in refused(run("detect", small[0]))


def test_interrupted_says_how_to_go_on(small, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(one_scene, "detect", stop)
    stderr = refused(run("count", write_port(tmp_path / "p.geojson"), small[0], "--out", tmp_path / "out"), code=130)
    assert "run the same command to go on" in stderr


def test_demo_does_not_overwrite_what_is_not_its_own(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "thesis.tex" in refused(run("demo", "--out", tmp_path))
    assert (tmp_path / "thesis.tex").exists()


def test_every_kernel_is_called_ahead_if_asked():
    """Uncompiled, as compiling all of them takes minutes: each clutter model, average and type reaches its kernel."""
    code = """
import sys
from sarship import cfar
called = []
sys.setprofile(lambda frame, event, _: called.append(frame.f_code) if event == "call" else None)
cfar.warm_up(every_kernel=True)
sys.setprofile(None)
print(*sorted({code.co_filename.split("cpu/")[1].removesuffix(".py") for code in called if "cpu/" in code.co_filename}))
"""
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    two_parameter = {"two_parameter_float", "two_parameter_integer"}
    assert {"ca_float", "ca_integer", "sieve", "goca_soca", "os_cfar", *two_parameter} <= {*done.stdout.split()}


def test_tables_stand_when_a_picture_fails(small, tmp_path, monkeypatch):
    def gone(*_, **__):
        raise OutputError("the product has gone")

    monkeypatch.setattr("sarship.pipeline.pictures.write_pictures", gone)
    outcome = run("count", write_port(tmp_path / "p.geojson"), small[0], "--out", tmp_path / "out")
    assert "the product has gone" in refused(outcome, code=1)
    assert "Quay" in outcome.stdout
    assert len(read_results(tmp_path / "out").scenes) == 1


def test_a_ring_too_wide_is_one_sentence(small):
    assert "make it narrower" in refused(run("detect", small[0], "--training-m", 5000))


@pytest.mark.skipif(found_on_this_machine()["driver"] != "none", reason="there is a card")
def test_gpu_without_a_card_is_one_sentence(small, tmp_path):
    port = write_port(tmp_path / "port.geojson")
    for asked in (("detect", small[0]), ("count", port, small[0], "--out", tmp_path / "out")):
        assert "no graphics card can be used: " in refused(run(*asked, "--gpu")), asked


def test_doctor_says_what_there_is_to_compute_with():
    outcome = run("doctor")
    assert outcome.exit_code == 0, outcome.output
    assert [line.split("  ")[0] for line in outcome.stdout.splitlines()][:2] == ["CPU threads", "card"]
    assert "CPU against plain sums  equal: " in outcome.stdout
    assert set(json.loads(run("doctor", "--json").stdout)) >= {"driver", "CuPy", "numba-cuda"}


def test_doctor_fails_where_the_detector_is_wrong(monkeypatch):
    monkeypatch.setattr(cfar, "detect", lambda image, params: Hits.empty())
    outcome = run("doctor")
    assert outcome.exit_code == 1
    assert "DIFFERENT" in outcome.stdout


def test_count_check_refuses_a_changed_pixel(small, copy, tmp_path):
    image = files_of(copy, "measurement")[0]
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    port = write_port(tmp_path / "port.geojson")
    call = ("count", port, copy, "--out", tmp_path / "out", "--no-pictures", "--no-reference")
    assert run(*call).exit_code == 0
    stderr = refused(run(*call, "--check"))
    assert f"{image.name}: MD5 " in stderr
    assert "fetch it again" in stderr
    assert len(read_results(tmp_path / "out").failures) == 1
    assert run(*call[:2], small[0], *call[3:], "--check").exit_code == 0
