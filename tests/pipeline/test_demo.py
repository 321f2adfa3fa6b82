"""The demo: counts beside the truth, marked as simulated, whole and quick."""

import json
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner

from sarship.cli import main
from sarship.files import safe_name
from sarship.pipeline.demo import run_demo
from sarship.pipeline.pictures import write_pictures
from sarship.pipeline.result_files import read_results
from sarship.port.port_file import read_port

pytestmark = pytest.mark.slow
"""`.ci/run` runs the command itself."""

N_DATES = 4
"""The minimum of an orbit that is compared with the empty port; the demo itself has two such orbits."""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    with mock.patch.multiple("sarship.pipeline.demo", N_DATES=N_DATES, N_ORBITS=1):
        return run_demo(tmp_path_factory.mktemp("demo") / "out", seed=0)


def test_counts_are_near_the_truth(outcome):
    """Against the empty port, of four dates only: it errs less than half as much as a guess of the mean."""
    error = outcome.error.to_numpy()
    assert error.shape == (N_DATES, 6)
    assert (outcome.counts["n_reference_dates"] == N_DATES).all()
    assert np.isfinite(error).all()
    assert np.abs(error).mean() < 0.75
    guess = np.abs(outcome.truth - outcome.truth.mean()).mean()
    assert np.abs(error).mean() < guess.item() / 2


def test_the_empty_pier_is_zero_and_the_anchorage_exact(outcome):
    assert (outcome.counts["n_vessels"].sel(pier="Naval mole") == 0).all()
    assert np.abs(outcome.error.sel(pier="Anchorage")).max() <= 1


def test_text_and_json_say_simulated(outcome):
    text = outcome.as_text()
    assert text.startswith("SIMULATED")
    error = outcome.error.to_numpy()
    assert f"mean absolute error {np.abs(error).mean():.2f} a pier and date, bias {error.mean():+.2f}" in text
    counted, true = (int(numbers.sum()) for numbers in (outcome.counts["n_vessels"], outcome.truth))
    assert f"counted {counted}, true {true};" in text
    assert "Container yard: no change was found; true: nothing changed" in text, "in four passes none is looked for"
    told = json.loads(json.dumps(outcome.as_dict()))
    assert told["simulated"] is True
    assert len(told["counts"]) == 6 * N_DATES


def test_tables_and_pictures_are_there_and_marked(outcome):
    results = read_results(outcome.folder)
    assert results.provenance.is_simulated
    pictures = [outcome.folder / "counts.png", *(outcome.folder / "pages").iterdir()]
    newest = results.counts["scene"].to_numpy()[-1].split()
    assert [path.stem for path in pictures[1:]] == newest
    assert len(results.scenes) == 1 + N_DATES  # one pass was cut into two slices
    assert all(path.stat().st_size > 10_000 for path in pictures)


def test_each_of_many_piers_has_a_page_of_its_own(outcome, monkeypatch):
    monkeypatch.setattr("sarship.pipeline.pictures.MAX_CLOSE_UPS", 1)
    results = read_results(outcome.folder)
    scene = results.scenes["scene"].iloc[0]
    scenes, coverage, vessels = (
        table[table["scene"] == scene] for table in (results.scenes, results.coverage, results.vessels)
    )
    is_shown = coverage["pier"].isin(["Oil jetty", "Naval mole"])
    coverage = coverage.assign(seen=coverage["seen"].where(is_shown, 0.0))
    one = replace(results, scenes=scenes, coverage=coverage, vessels=vessels)
    port = read_port(outcome.folder / "products" / "port.geojson")
    written = [path.relative_to(outcome.folder).as_posix() for path in write_pictures(one, port, outcome.folder)]
    page = f"pages/{scene}"
    piers = [f"{page}/{safe_name(name)}.png" for name in ("Oil jetty", "Naval mole")]
    assert written == ["counts.png", "visits.png", f"{page}.png", *piers]


def test_it_can_be_run_again_with_another_seed(outcome, monkeypatch):
    monkeypatch.setattr("sarship.pipeline.demo.N_DATES", 1)
    told = CliRunner().invoke(main, ["demo", "--out", str(outcome.folder), "--seed", "1", "--json"])
    assert told.exit_code == 0, told.output
    again = json.loads(told.stdout)["counts"]
    assert again != outcome.as_dict()["counts"]
