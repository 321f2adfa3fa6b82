"""Many ports into one archive: each by itself, whatever becomes of the others, of a worker, or of the run."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import shapely
from click.testing import CliRunner
from faults import stops
from faults.products import tiny_port
from servers.stac import serve_stac

from sarship.catalog import open_catalog
from sarship.cli import main
from sarship.errors import CatalogError, OutputError, PortError, ProductWarning
from sarship.files import only_run, write_file
from sarship.pipeline import SurveyOptions, Wanted, one_scene, read_results, watch
from sarship.pipeline.archive import archive_results, part_of
from sarship.pipeline.port_jobs import PortJob, PortOutcome, survey_folder
from sarship.pipeline.port_plans import plan_ports
from sarship.pipeline.worker_pools import KILLED, cluster, count_ports, processes
from sarship.port.port_file import read_port
from sarship.simulate import ProductParams, simulate_product

ALONE = SurveyOptions(reference=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a product of 2024 and one of 2025, a port of them, and one far away."""
    folder = tmp_path_factory.mktemp("place")
    port, _ = tiny_port(folder, n_piers=1)
    first = ProductParams(shape=(160, 200))
    later = replace(first, time=first.time.replace(year=2025, month=1, day=8), absolute_orbit=56_821 + 525)
    simulate_product(folder, later, n_vessels=3, seed=11)
    content = json.loads(port.read_bytes())
    for name in ("Saïd/East", "Tartus"):
        write(folder, name, content)
    line = [[10.0, 54.0], [10.001, 54.0]]
    content["features"][0]["geometry"]["coordinates"] = line
    write(folder, "Far", content)
    return folder


def write(folder, name, content):
    path = folder / f"{name.replace('/', ' ')}.geojson"
    path.write_text(json.dumps({**content, "name": name}))
    return path


def ports_of(place, *names):
    return [place / f"{name.replace('/', ' ')}.geojson" for name in names]


def products_of(place):
    return sorted(map(str, place.glob("*.SAFE")))


@pytest.fixture(scope="module")
def archive(place, tmp_path_factory):
    """Two ports that were counted, and one that nothing shows."""
    folder = tmp_path_factory.mktemp("archive") / "archive"
    watched = watch(ports_of(place, "Saïd/East", "Far", "Tartus"), folder, products=products_of(place), options=ALONE)
    assert [outcome.n_scenes for outcome in watched.ports] == [2, 0, 2]
    return folder


def failed(folder):
    with (folder / "failed.csv").open() as stream:
        return list(csv.DictReader(stream))


def of_archive(folder):
    """The files of an archive but its surveys, which have their time of day."""
    return {name: content for name, content in stops.tree_of(folder).items() if not name.startswith("surveys/")}


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


# ---- one after the other


def test_a_port_that_fails_is_listed_and_the_others_are_counted(archive):
    assert failed(archive) == [{"port": "Far", "product": "", "reason": "none of the products shows it in that period"}]
    found = sorted(path.parent.parent.name for path in archive.glob("counts/*/year=2025/part.parquet"))
    assert found == ["port=Sa%C3%AFd%2FEast", "port=Tartus"]
    results = read_results(survey_folder(archive, "Tartus"))
    assert results.counts.sizes["time"] == 2


def test_the_second_run_reads_no_pixels_and_leaves_the_same_bytes(archive, place, monkeypatch):
    before = of_archive(archive)
    monkeypatch.setattr(one_scene, "detect", None)
    ports = ports_of(place, "Saïd/East", "Far", "Tartus")
    outcomes = []
    watch(
        ports,
        archive,
        products=products_of(place),
        options=ALONE,
        progress=lambda outcome, done, total: outcomes.append((outcome.port, done, total)),
    )
    assert outcomes == [("Saïd/East", 2, 3), ("Tartus", 3, 3)]
    assert of_archive(archive) == before


def test_years_that_a_port_no_longer_has_are_removed(place, tmp_path):
    args = ports_of(place, "Tartus"), tmp_path
    watch(*args, products=products_of(place), options=ALONE)
    watch(*args, products=products_of(place), options=ALONE, wanted=Wanted(end="2024-12-31"))
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("[!s]*/**/*") if path.is_file()}
    assert left == {part_of(name, "Tartus", 2024).as_posix() for name in ("vessels", "counts", "visits", "changes")}
    assert [path.name for path in (tmp_path / "stac").glob("*/*.json")] == ["2024.json"]


@pytest.mark.parametrize("n_written", [0, 3, 12, 22])
def test_an_interrupted_run_goes_on_to_the_same_bytes(place, archive, tmp_path, monkeypatch, n_written):
    """Amid the parts of the first port, and of the last."""
    ports, folder, left = ports_of(place, "Saïd/East", "Far", "Tartus"), tmp_path / "cut", iter(range(n_written))
    shutil.copytree(archive / "surveys", folder / "surveys")

    def interrupted(*args, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return write_file(*args, **options)

    with monkeypatch.context() as stopped:
        stopped.setattr("sarship.pipeline.archive.write_file", interrupted)
        stopped.setattr("sarship.pipeline.archive_catalog.write_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            watch(ports, folder, products=products_of(place), options=ALONE)
    assert of_archive(folder) != of_archive(archive)
    watch(ports, folder, products=products_of(place), options=ALONE)
    assert of_archive(folder) == of_archive(archive)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(place, tmp_path):
    """At a moment of the survey and one of the archive, of those that the campaign of faults draws by chance."""
    task = partial(stops.archive, products_of(place), ports_of(place, "Saïd/East", "Tartus"), False)
    kind, said, n_events = stops._try(task, tmp_path / "whole", stops.Stop("", 0))
    assert (kind, said) == (stops.SAME, "")
    for share in (0.2, 0.85):
        kill = stops.Stop("kill", int(share * n_events))
        assert stops._try(task, tmp_path / "cut", kill)[1] == stops.KILLED
    assert stops.differences(stops.tree_of(tmp_path / "cut"), stops.tree_of(tmp_path / "whole"))
    assert stops._try(task, tmp_path / "cut", stops.Stop("", 0))[0] == stops.SAME
    assert stops.differences(stops.tree_of(tmp_path / "cut"), stops.tree_of(tmp_path / "whole")) == ""


# ---- input


def test_two_port_files_of_one_name_are_refused(place, tmp_path):
    twin = write(tmp_path, "TARTUS", json.loads(ports_of(place, "Tartus")[0].read_bytes()))
    with pytest.raises(PortError, match=r"Tartus.geojson and .*TARTUS.geojson are both of a port called 'TARTUS'"):
        watch([*ports_of(place, "Tartus"), twin], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_too_long_for_a_folder_is_refused(place, tmp_path):
    content = json.loads(ports_of(place, "Tartus")[0].read_bytes())
    path = tmp_path / "long.geojson"
    path.write_text(json.dumps({**content, "name": "港" * 60}))
    with pytest.raises(PortError, match=r"long.geojson: the name '港.*545 bytes, and 240 are possible"):
        watch([path], tmp_path / "out")


def test_what_is_broken_is_listed_with_its_reason(place, tmp_path):
    (tmp_path / "broken.SAFE").mkdir()
    (tmp_path / "bad.geojson").write_text("{")
    calls = ["watch", *ports_of(place, "Tartus"), tmp_path / "bad.geojson", "--no-reference", "--out", tmp_path / "out"]
    outcome = run(*calls, "--products", place, "--products", tmp_path / "broken.SAFE", "--workers", 1)
    assert outcome.exit_code == 1, outcome.output
    assert "1 of 2 ports were counted, in 2 scenes" in outcome.stdout
    rows = failed(tmp_path / "out")
    assert [Path(row["port"]).name for row in rows] == ["", "bad.geojson"]
    assert [Path(row["product"]).name for row in rows] == ["broken.SAFE", ""]
    assert all(row["reason"] for row in rows)
    for line in ("failed: " + rows[0]["reason"], "failed: " + rows[1]["reason"]):
        assert line in outcome.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give the period with --from and --to"),
        (("--products", "gone.SAFE", "--catalog", "planetary"), "products on disk are counted without a catalogue"),
        (("--products", "gone.SAFE", "--workers", "2", "--scheduler", "tcp://x"), "--workers or --scheduler, not both"),
        (("--products", "gone.SAFE", "--from", "2024-44-01"), "'2024-44-01' is not a date"),
        (("--products", "gone.SAFE", "--workers", "0"), "0 is not in the range"),
        (("--products", "gone.SAFE"), "failed: Tartus: none of the products shows it"),
        (("--products", "gone.SAFE", "--ais-columns", "mmsi=A"), "--ais-columns names the columns of files"),
        (("--products", "gone.SAFE", "--scheduler", "nonsense://"), "--scheduler nonsense://: no scheduler answers"),
    ],
)
def test_calls_that_do_nothing_say_so_and_exit_with_two(place, tmp_path, options, said):
    outcome = run("watch", *ports_of(place, "Tartus"), "--out", tmp_path / "out", *options)
    assert outcome.exit_code == 2, outcome.output
    assert said in outcome.stderr


def test_without_the_package_of_the_cluster_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with (
        pytest.raises(CatalogError, match=r"--scheduler needs distributed: pip install 'sarship\[dask\]'"),
        cluster("x"),
    ):
        pass


def test_two_runs_in_one_archive(place, tmp_path):
    with only_run(tmp_path), pytest.raises(OutputError, match="another run is at work here"):
        watch(ports_of(place, "Tartus"), tmp_path, products=products_of(place))


def test_tables_of_another_schema_are_refused_unless_wanted(place, archive, tmp_path, monkeypatch):
    results = read_results(survey_folder(archive, "Tartus"))
    with monkeypatch.context() as later:
        later.setattr("sarship.pipeline.archive.SCHEMA_VERSION", 99)
        archive_results(results, tmp_path)
    call = partial(watch, ports_of(place, "Far"), tmp_path, products=products_of(place))
    with pytest.raises(OutputError, match=r"has tables of schema 99, and this version writes schema 1; .* --mixed"):
        call()
    assert call(is_mixed=True).n_counted == 0


def test_doubts_about_products_are_told_with_the_port(place, tmp_path, monkeypatch):
    def doubtful(*_, **__):
        import warnings  # noqa: PLC0415

        warnings.warn("a doubt", ProductWarning, stacklevel=1)
        raise OutputError("full")

    monkeypatch.setattr("sarship.pipeline.port_jobs.survey", doubtful)
    with pytest.warns(ProductWarning, match="Tartus: a doubt"):
        watched = watch(ports_of(place, "Tartus"), tmp_path, products=products_of(place))
    assert watched.ports[0].error == "full"


# ---- plans


class Counting:
    """A catalogue that notes what it is asked."""

    reads_windows, n_parallel = True, 1

    def __init__(self, catalog, error=None):
        self.catalog, self.asked, self.error = catalog, [], error

    def search(self, query):
        self.asked.append(query.area)
        if self.error is not None:
            raise self.error
        return self.catalog.search(query)


@pytest.fixture
def nearby(place, tmp_path, monkeypatch):
    """Two ports in one scene, one in no scene but in their cell, and one far away."""
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    content = json.loads(ports_of(place, "Tartus")[0].read_bytes())
    (line,) = (feature["geometry"] for feature in content["features"])
    paths = ports_of(place, "Tartus", "Saïd/East", "Far")
    line["coordinates"] = [[x + 0.1, y] for x, y in line["coordinates"]]
    return [read_port(path) for path in (*paths, write(tmp_path, "Beside", content))]


def test_neighbours_are_asked_for_at_once_and_each_gets_its_own_scenes(nearby, place, tmp_path):
    catalog = Counting(open_catalog("local", place))
    jobs, empty, _ = plan_ports(nearby, tmp_path, wanted=Wanted(end="2025-12-31"), catalog=catalog)
    assert len(catalog.asked) == 2
    assert {job.port.name: len(job.given) for job in jobs} == {"Tartus": 2, "Saïd/East": 2}
    assert jobs[0].completeness.n_found == 2
    assert [outcome.port for outcome in empty] == ["Far", "Beside"]


def test_a_catalogue_that_does_not_answer_fails_its_ports_alone(nearby, place, tmp_path):
    catalog = Counting(open_catalog("local", place), error=CatalogError("it answered 503; try again later"))
    jobs, failures, _ = plan_ports(nearby, tmp_path, wanted=Wanted(), catalog=catalog)
    assert jobs == []
    assert {outcome.error for outcome in failures} == {"it answered 503; try again later"}
    assert len(failures) == 4


def test_a_port_that_no_catalogue_can_be_asked_for_does_not_spoil_its_neighbours(nearby, place, tmp_path):
    vast = replace(nearby[0], name="Vast", water=shapely.box(20, 20, 50, 50))
    catalog = Counting(open_catalog("local", place))
    jobs, failures, _ = plan_ports([vast, *nearby], tmp_path, wanted=Wanted(), catalog=catalog)
    assert [job.port.name for job in jobs] == ["Tartus", "Saïd/East"]
    assert "30 degrees wide" in next(outcome.error for outcome in failures if outcome.port == "Vast")


def test_ports_in_one_scene_share_the_search_and_its_xml(three_dates, place, tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    with serve_stac() as server:
        for product in three_dates:
            server.add(product)
        server.page_size = 100
        catalog = open_catalog("planetary", server.address)
        ports = ports_of(place, "Tartus", "Saïd/East")
        wanted = Wanted(start="2024-12-01", end="2025-01-31")
        watched = watch(ports, tmp_path / "out", wanted=wanted, catalog=catalog, options=ALONE)
        asked = Counter((one.method, one.path) for one in server.take())
    assert [outcome.n_scenes for outcome in watched.ports] == [3, 3]
    assert sum(n for (method, _), n in asked.items() if method == "POST") == 1
    xml = {path: n for (method, path), n in asked.items() if method == "GET" and path.endswith((".xml", ".safe"))}
    assert set(xml.values()) == {1}
    assert len(xml) >= 3 * 3
    items = [json.loads(path.read_bytes()) for path in (tmp_path / "out" / "stac" / "Tartus").iterdir()]
    derived = [link["href"] for item in items for link in item["links"] if link["rel"] == "derived_from"]
    assert len(derived) == 3
    assert all(href.startswith(server.host) for href in derived)


# ---- workers


class Fragile:
    """Workers of which some are killed: a port's name says how often."""

    def __init__(self, **deaths):
        self.deaths, self.alive, self.calls = Counter(deaths), True, []

    @contextmanager
    def __call__(self, n_workers):
        self.alive, waiting = True, []
        self.calls.append(n_workers)

        def submit(job):
            if not self.alive:
                raise BrokenProcessPool
            future = Future()
            waiting.append((job.port.name, future))
            if len(waiting) == n_workers:
                for name, _ in waiting:
                    self.alive &= not self.deaths[name]
                    self.deaths[name] -= self.deaths[name] > 0
                for name, one in waiting:
                    one.set_result(PortOutcome(port=name)) if self.alive else one.set_exception(BrokenProcessPool())
                waiting.clear()
            return future

        yield submit


def jobs_of(place, *names):
    port = read_port(ports_of(place, "Tartus")[0])
    return [PortJob(port=replace(port, name=name), given=(), archive=Path()) for name in names]


def counted(place, workers, *names, n_workers=2):
    return {outcome.port: outcome.error for outcome in count_ports(jobs_of(place, *names), workers, n_workers)}


def test_ports_of_a_killed_worker_are_counted_by_another_alone(place):
    workers = Fragile(B=1)
    assert counted(place, workers, "A", "B", "C", "D") == dict.fromkeys("ABCD", "")
    assert workers.calls == [2, 2, 1, 1]  # A and B together, C and D, and again A, and B


def test_a_port_that_kills_every_worker_fails_by_itself(place):
    assert counted(place, Fragile(B=9), "A", "B", "C", "D") == {"A": "", "B": KILLED, "C": "", "D": ""}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no pickle")], ids=repr)
def test_a_worker_that_gives_no_answer_is_named(place, error):
    @contextmanager
    def silent(_):
        def submit(_job):
            future = Future()
            future.set_exception(error)
            return future

        yield submit

    told = counted(place, silent, "A")["A"]
    assert told.startswith(f"its worker gave no answer ({type(error).__name__}")


@pytest.mark.slow
def test_processes_leave_what_one_leaves(place, archive, tmp_path):
    ports = ports_of(place, "Saïd/East", "Far", "Tartus")
    watch(ports, tmp_path, products=products_of(place), options=ALONE, n_workers=2)
    assert of_archive(tmp_path) == of_archive(archive)


@pytest.mark.slow
def test_processes_share_their_threads_and_end(place):
    import multiprocessing  # noqa: PLC0415

    def interrupted():
        with processes(2) as submit:
            submit(jobs_of(place, "A")[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_leaves_what_one_process_leaves(place, archive, tmp_path):
    distributed = pytest.importorskip("distributed")
    ports = ports_of(place, "Saïd/East", "Far", "Tartus")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as computers,
        cluster(computers.scheduler_address) as executor,
    ):
        watch(ports, tmp_path, products=products_of(place), options=ALONE, executor=executor)
    assert of_archive(tmp_path) == of_archive(archive)
