"""The commands that ask a catalogue: tables, maps, downloads and counts; refusals; and that no secret shows."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner, Result
from servers.stac import STORE, TOKEN, StacServer, serve_stac

from sarship import open_grd, read_results
from sarship.catalog.credentials import Account, credentials_file, find_credentials
from sarship.cli import main
from sarship.download import RetryPolicy
from sarship.pipeline import one_scene

SECRET = TOKEN.partition("=")[2]
MONTH = ("--from", "2024-12-01", "--to", "2024-12-31")
PERIOD = ("--from", "2024-12-01", "--to", "2025-01-10")
GAP = "missing: S1A orbit 49 ascending 2024-12-27 15:42 UTC"


@pytest.fixture
def server(three_dates, tmp_path, monkeypatch) -> Iterator[StacServer]:
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("sarship.download.probe.RETRY_POLICY", RetryPolicy(n_attempts=2, base_s=0.01))
    with serve_stac() as running:
        for product in three_dates:
            running.add(product)
        yield running


@pytest.fixture
def port(tmp_path) -> Path:
    geometry = {"type": "Point", "coordinates": [35.80, 34.90]}
    pier = {"type": "Feature", "properties": {"name": "Berth", "kind": "pier", "max_distance_m": 300}}
    path = tmp_path / "port.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [{**pier, "geometry": geometry}]}))
    return path


def run(*arguments: object, server: StacServer | None = None, **options: object) -> Result:
    """Run a command, on the server's catalogue if one is given; nothing secret may show."""
    where = () if server is None else ("--catalog", f"planetary={server.address}")
    outcome = CliRunner().invoke(main, [str(argument) for argument in (*arguments, *where)], **options)
    assert SECRET not in outcome.output
    return outcome


@pytest.mark.parametrize(("said", "taken"), [("Tartos", True), ("Tart", True), ("tartoús", False), ("45003", False)])
def test_a_port_of_a_similar_name_is_named(said, taken, tmp_path):
    """A search around another place than was meant lists scenes as well as any."""
    where = ("--catalog", f"local={tmp_path}")
    outcome = run("search", said, *MONTH, *where)
    assert ("is taken for Tartus (Syria, 45003)" in outcome.stderr) == taken
    assert ("is taken for" in run("port", "new", said, "--no-map", "--out", tmp_path / "p.geojson").stderr) == taken


def refused(outcome: Result, code: int = 2) -> str:
    """The one sentence of a refusal."""
    assert outcome.exit_code == code, outcome.output
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    assert "Traceback" not in outcome.output
    return outcome.stderr


# What they print


def test_search_prints_scenes_and_the_pass_that_is_missing(server, port, tmp_path):
    outcome = run("search", port, *PERIOD, "--geojson", tmp_path / "f.json", "--map", tmp_path / "m.png", server=server)
    assert outcome.exit_code == 0, outcome.output
    lines = outcome.stdout.splitlines()
    assert lines[0].split() == ["time", "orbit", "pass", "channels", "scene"]
    assert lines[1].split()[:5] == ["2024-12-03", "15:42", "49", "ascending", "VV"]
    assert lines[-2:] == ["3 scenes; 3 of 4 passes", GAP]
    features = json.loads((tmp_path / "f.json").read_text())["features"]
    assert [feature["id"] for feature in features] == [line.split()[-1] for line in lines[1:4]]
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_search_json_and_second_catalogue(server, port, three_dates):
    server.items.pop(1)
    told = run("search", port, *PERIOD, "--json", "--against", f"local={three_dates[0].parent}", server=server)
    gaps = json.loads(told.stdout)["completeness"]["missing"]
    assert [len(gap["elsewhere"]) for gap in gaps] == [1, 0]
    text = run("search", port, *PERIOD, "--against", f"local={three_dates[0].parent}", server=server).stdout
    assert "2024-12-15 15:42 UTC, but the other catalogue has it" in text


@pytest.mark.slow
def test_month_with_a_missing_pass_is_counted_and_said_to_be_so(server, port, tmp_path):
    outcome = run("count", port, *PERIOD, "--out", tmp_path / "out", server=server)
    assert outcome.exit_code == 0, outcome.output
    assert GAP in outcome.stdout.splitlines()
    assert "3 of 4 passes" in outcome.stdout
    results = read_results(tmp_path / "out")
    assert len(results.completeness.missing) == 1
    (newest,) = (tmp_path / "out" / "quicklooks").iterdir()
    assert newest.stem == sorted(results.scenes["scene"], key=lambda scene: scene.split("_")[4])[-1]
    server.take()
    again = json.loads(run("count", port, *PERIOD, "--out", tmp_path / "out", "--json", server=server).stdout)
    assert again["completeness"]["n_expected"] == 4
    assert not [one for one in server.take() if one.path.startswith(STORE)]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_download_of_a_port_and_by_name(server, port, tmp_path):
    outcome = run("download", port, *PERIOD, "--into", tmp_path / "products", server=server)
    assert outcome.exit_code == 0, outcome.output
    paths = outcome.stdout.split()
    assert len(paths) == 3
    assert GAP in outcome.stderr
    name = Path(paths[0]).name.removesuffix(".SAFE")
    server.take()
    outcome = run("download", f"{name}_1A2B.SAFE", "--into", tmp_path / "products", "--json", server=server)
    assert json.loads(outcome.stdout) == [{"scene": name, "path": paths[0], "message": ""}]
    assert not [one for one in server.take() if one.path.endswith(".tiff")]
    assert open_grd(paths[0]).scene.id == name


def test_scene_that_cannot_be_fetched_does_not_stop_the_others(server, port, tmp_path):
    name = next(iter(server.folders))
    server.replies[f"{STORE}/{name}/measurement/iw-vv.tiff"] = 404, {}, b""
    outcome = run("download", port, *MONTH, "--into", tmp_path, server=server)
    assert f"failed: {name}: " in refused(outcome, code=1)
    assert len(outcome.stdout.split()) == 1


# Bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            (*MONTH, "--polarization", "VH"),
            "without --polarization VH there would be 2 scenes (S1A; orbits 49",
        ),
        ((*MONTH, "--pass", "descending", "--orbit", "7"), "without --pass descending and --orbit 7 there would be 2"),
        (("--from", "2024-11-20", "--to", "2024-11-22"), "with 24 days more on either side there are 2 scenes"),
        (("--from", "2024-06-20", "--to", "2024-06-22"), "none within 24 days on either side"),
        (("--from", "2010-01-01", "--to", "2010-02-01"), "from 2014-10-03 on"),
        (("--from", "2190-01-01", "--to", "2190-02-01"), "in the future"),
    ],
)
def test_search_that_finds_nothing_says_what_would(server, port, options, words):
    assert words in refused(run("search", port, *options, server=server))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Tartus", *MONTH, "--catalog", "nonsense"), "choose from planetary"),
        (("Tartus", *MONTH, "--catalog", "local"), "say which one"),
        (("Tartus",), "--from and --to"),
        (("Tartus", "--from", "2024-12-01", "--to", "2024-11-01"), "before it starts"),
        (("Tartus", "--from", "soon", "--to", "later"), "not a date"),
        (("Tartus", *MONTH, "--orbit", "200"), "1<=x<=175"),
        (("Xyzzyx", *MONTH), "no port is called"),
        (("Georgetown", *MONTH), "give the number"),
        (("missing.geojson", *MONTH), "missing.geojson"),
        (MONTH, "give one of PORT, --bbox, --intersects"),
        (("Tartus", "--bbox", "35,34,36,35", *MONTH), "give one of PORT, --bbox, --intersects"),
        (("--bbox", "35,34,36", *MONTH), "WEST,SOUTH,EAST,NORTH"),
        (("--bbox", "35,34,36,nan", *MONTH), "in the world"),
        (("--bbox", "0,0,40,40", *MONTH), "40 degrees wide"),
        (("--intersects", "missing.geojson", *MONTH), "missing.geojson does not exist"),
        (("Tartus", "--datetime", "2024-12-01/..", *MONTH), "with --datetime, or with --from and --to"),
        (("Tartus", "--datetime", "2024-12-01/2024-12-02/2024-12-03"), "is not a date"),
    ],
)
def test_question_that_cannot_be_asked_is_one_sentence(arguments, words):
    assert words in refused(run("search", *arguments))


def test_a_box_a_file_and_a_port_find_the_same(server, port, tmp_path):
    """Periods as STAC clients write them, open at either end."""
    area = shapely.box(35.7, 34.8, 35.9, 35.0)
    polygons = gpd.GeoSeries([area], crs="EPSG:4326").to_crs("EPSG:32636")
    polygons.to_file(tmp_path / "areas.gpkg")
    expected = run("search", port, *PERIOD, "--json", server=server)
    names = [feature["id"] for feature in json.loads(expected.stdout)["features"]]
    assert len(names) == 3
    for place in (("--bbox", ",".join(map(str, area.bounds))), ("--intersects", tmp_path / "areas.gpkg")):
        for interval in ("2024-12-01/2025-01-10", "2024-12-01/..", "../2025-01-10", "2024-12-01T00:00:00Z/"):
            found = run("search", *place, "--datetime", interval, "--json", server=server)
            assert [feature["id"] for feature in json.loads(found.stdout)["features"]] == names, interval
    day = json.loads(run("search", port, "--datetime", "2024-12-15", "--json", server=server).stdout)
    assert [feature["properties"]["datetime"][:10] for feature in day["features"]] == ["2024-12-15"]


def test_name_that_no_catalogue_knows(server, tmp_path):
    name = "S1A_IW_GRDH_1SDV_20200101T154210_20200101T154235_030000_037000_1A2B"
    assert "no scene" in refused(run("download", name, "--into", tmp_path, server=server))


def test_count_wants_products_or_a_period(port, tmp_path):
    assert "give products, or a period with --from and --to" in refused(run("count", port, "--out", tmp_path))
    assert "--from and --to" in refused(run("count", port, "--from", "2024-12-01", "--out", tmp_path))


def test_catalogue_that_answers_html_is_one_sentence(server, port, tmp_path):
    server.replies["/api/stac/v1/search"] = 200, {}, b"<html>maintenance</html>"
    assert "something other than a list" in refused(run("count", port, *MONTH, "--out", tmp_path / "o", server=server))


def test_full_disk_while_downloading_is_one_sentence(server, port, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sarship.download.partial.PartFile.write", full)
    assert "No space left" in refused(run("download", port, *MONTH, "--into", tmp_path / "p", server=server))
    monkeypatch.undo()


def test_folder_in_the_way_is_one_sentence(server, port, tmp_path):
    (tmp_path / "file").write_text("mine")
    said = refused(run("download", port, *MONTH, "--into", tmp_path / "file", server=server))
    assert "file" in said
    assert (tmp_path / "file").read_text() == "mine"


def test_interrupted_count_goes_on(server, port, tmp_path, monkeypatch):
    calls, detect = [], one_scene.detect

    def stopped(product, *arguments, **options):
        calls.append(product.scene.id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return detect(product, *arguments, **options)

    monkeypatch.setattr(one_scene, "detect", stopped)
    arguments = ("count", port, *MONTH, "--out", tmp_path / "out", "--no-pictures")
    assert "run the same command to go on" in refused(run(*arguments, server=server), code=130)
    assert run(*arguments, server=server).exit_code == 0
    assert len(calls) == 3


def test_interrupted_download_goes_on(server, port, tmp_path, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = ("download", port, *MONTH, "--into", tmp_path / "products")
    monkeypatch.setattr("sarship.catalog.whole_product.check_product", stop)
    assert "run the same command to go on" in refused(run(*arguments, server=server), code=130)
    assert not list((tmp_path / "products").glob("S1*"))
    monkeypatch.undo()
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    server.take()
    assert len(run(*arguments, server=server).stdout.split()) == 2
    paths = [one.path for one in server.take() if one.path.endswith(".tiff")]
    assert len(paths) <= 2, "those that were whole are not fetched again"


def test_products_that_are_fetched_whole_are_said_to_be(server, port, tmp_path, monkeypatch):
    monkeypatch.setattr("sarship.catalog.planetary.PlanetaryCatalog.reads_windows", False)
    outcome = run("count", port, *MONTH, "--out", tmp_path / "out", "--no-pictures", server=server)
    assert "note: 2 scenes are downloaded whole" in outcome.stderr
    assert len(list((tmp_path / "out" / "products").glob("*.SAFE"))) == 2


# Accounts


def test_login_stores_what_only_the_owner_can_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("CDSE_USER", "CDSE_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    outcome = run("login", "cdse", input=f"anna@example.org\n{SECRET}\n")
    assert outcome.exit_code == 0, outcome.output
    assert stat.S_IMODE(credentials_file().stat().st_mode) == 0o600
    account = Account(provider="cdse", variables={"user": "CDSE_USER", "password": "CDSE_PASSWORD"})
    assert find_credentials(account)["password"].reveal() == SECRET
    assert "forgotten" in run("login", "cdse", "--forget").stdout
    assert "nothing was stored" in run("login", "cdse", "--forget").stdout


def test_login_refuses_what_it_does_not_know_and_what_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "is not one of 'cdse'" in refused(run("login", "nonsense"))
    assert "something was empty" in refused(run("login", "cdse", input="anna\n \n"))
    assert not credentials_file().exists()
