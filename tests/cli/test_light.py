"""An installation without pictures and stacks: it counts, and says in one sentence what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults.products import tiny_port
from faults.stops import five_dates

import sarship
from sarship.errors import LibraryError
from sarship.port.stack import read_stack

LEFT_OUT = ("matplotlib", "PIL", "zarr", "numcodecs", "kiwisolver", "fontTools")
"""Modules that a light installation has not."""
CALLS = """
import json, sys
sys.modules |= dict.fromkeys(sys.argv[1].split())
from click.testing import CliRunner
from sarship.cli import main
for call in json.loads(sys.argv[2]):
    outcome = CliRunner().invoke(main, call)
    print(json.dumps([outcome.exit_code, outcome.stdout, outcome.stderr]))
"""
PICTURE = "a picture needs matplotlib, which is not installed: pip install matplotlib"
STACK = "a port's stack of dates needs zarr, which is not installed: pip install zarr"


def called(*calls):
    """Exit status, standard output and standard error of calls of the command, in a process that lacks the modules."""
    given = json.dumps([[str(each) for each in call] for call in calls])
    environment = {**os.environ, "PYTHONPATH": str(Path(sarship.__file__).parents[1])}
    command = [sys.executable, "-c", CALLS, " ".join(LEFT_OUT), given]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_it_counts_and_names_what_it_lacks_once(tmp_path):
    port, product = tiny_port(tmp_path, n_piers=1)
    folder = tmp_path / "out"
    period = ["--from", "2024-12-01", "--to", "2024-12-31", "--catalog", f"local={tmp_path}"]
    counted, *refused = called(
        ["count", port, product, "--out", folder],
        ["report", folder],
        ["port", "preview", port, product],
        ["port", "edit", port, "--survey", folder, "--no-browser"],
        ["search", port, *period, "--map", tmp_path / "map.png"],
    )
    status, said, warned = counted
    assert (status, warned.count("pip install")) == (0, 1)
    assert f"warning: no pictures are drawn: {PICTURE}\n" in warned
    assert "counts.png" not in said
    assert (folder / "counts.csv").exists()
    assert not list(folder.rglob("*.png"))
    for status, said, error in refused:
        assert (status, said, error) == (2, "", f"Error: {PICTURE}\n")
    assert not (tmp_path / "map.png").exists()


@pytest.mark.slow
def test_dates_of_an_orbit_are_counted_by_themselves(tmp_path):
    port, products = five_dates(tmp_path)
    ((status, said, warned),) = called(["count", port, *products, "--no-pictures", "--out", tmp_path / "out"])
    assert (status, warned.count("pip install")) == (0, 1)
    assert f"warning: {STACK}; until then its piers are counted by single images\n" in warned
    assert "5 of 5 passes were counted without a reference" in said


@pytest.mark.slow
def test_the_demo_goes_on_without_pictures(tmp_path):
    ((status, said, warned),) = called(["demo", "--out", tmp_path])
    assert (status, warned.count(PICTURE), warned.count(STACK)) == (0, 1, 1)
    assert said.rstrip().endswith(f"tables are in {tmp_path}")


def test_a_stack_that_cannot_be_read_for_want_of_its_library_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "S1A.zarr").mkdir()
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(LibraryError, match=r"^a port's stack of dates needs zarr, which is not installed"):
        read_stack(tmp_path)


def test_what_the_library_itself_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "S1A.zarr").mkdir()
    monkeypatch.delitem(sys.modules, "zarr", raising=False)
    monkeypatch.setattr("sarship.port.stack.import_module", lambda _: __import__("no_such_codec"))
    with pytest.raises(LibraryError, match="needs no_such_codec, which is not installed: pip install no_such_codec"):
        read_stack(tmp_path)
