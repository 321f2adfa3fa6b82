"""Parts of all commands."""

import pytest
from click.testing import CliRunner

from sarship.cli import main
from sarship.cli.common import say_failures
from sarship.pipeline.results import Failure


@pytest.mark.parametrize("given", ["a.SAFE", "./a.SAFE", "a.SAFE/", "deep/../a.SAFE"])
@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_failure_names_its_path_once(capsys, tmp_path, monkeypatch, given, is_absolute):
    monkeypatch.chdir(tmp_path)
    said = f"{tmp_path / 'a.SAFE' if is_absolute else 'a.SAFE'} does not exist"
    say_failures((Failure(path=given, message=said), Failure(path="b.SAFE", message="it has no image")))
    assert capsys.readouterr().err.splitlines() == [f"failed: {said}", "failed: b.SAFE: it has no image"]


@pytest.mark.parametrize(
    "command",
    [
        ("detect", "none.SAFE", "--out"),
        ("port", "new", "Tartus", "--out"),
        ("port", "preview", "tartus", "none.SAFE", "--out"),
        ("search", "tartus", "--from", "2024-12-01", "--to", "2024-12-02", "--geojson"),
        ("search", "tartus", "--from", "2024-12-01", "--to", "2024-12-02", "--map"),
    ],
    ids=" ".join,
)
def test_a_file_in_a_folder_that_is_not_there_is_refused_before_any_work(command):
    outcome = CliRunner().invoke(main, [*command, "nowhere/at/all.png"])
    assert outcome.exit_code == 2
    assert f"{command[-1]} nowhere/at/all.png: there is no folder nowhere/at; make it first" in outcome.stderr
