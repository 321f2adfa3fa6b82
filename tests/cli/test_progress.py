"""Progress where there is no terminal, and the announcement of a compilation; test_commands has the terminal."""

import numba
import pytest

from sarship.cli import main, progress
from sarship.pipeline.first_pass import Step


def step(done):
    return Step(done=done, total=120, path="S1A.SAFE", state="searching")


def test_a_pipe_gets_a_line_now_and_then(monkeypatch, capsys):
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with progress.bars("count") as (scenes, pictures):
        for k in range(120):
            now[0] += 10
            scenes(step(k + 0.4))
        now[0] += 45
        pictures(3, 5)
    with progress.bar_of_bytes("download") as report:
        for total in (None, 8_300_000_000):
            now[0] += 61
            report(1_250_400_000, total)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == ""
    assert "\r" not in said.err
    assert lines[:2] == ["count: 2 of 120 scenes after 0 min", "count: 5 of 120 scenes after 1 min"]
    assert len(lines) == 120 * 10 // 30 + 3
    assert lines[-3:] == [
        "pictures: 3 of 5 after 21 min",
        "download: 1250 MB after 1 min",
        "download: 1250 of 8300 MB after 2 min",
    ]


def test_a_port_that_waits_is_told(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with progress.bars("watch", "ports") as (ports, _):
        ports(Step(done=3, total=20, path="Latakia", state="waiting", message="S1A_1: another port fetches it"))
    told = "watch: 3 of 20 ports after 0 min; Latakia waits for S1A_1: another port fetches it"
    assert capsys.readouterr().err.splitlines() == [told]


def test_what_is_done_soon_says_nothing(capsys):
    with progress.bars("count") as (scenes, _):
        scenes(step(1.0))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("after_s", "n_notices"), [(1e-6, 1), (3600.0, 0)])
def test_a_compilation_that_takes_long_is_announced_once(monkeypatch, capsys, after_s, n_notices):
    monkeypatch.setattr(progress, "COMPILING_S", after_s)
    with progress.bars("count"):
        for number in (1, 2):
            assert numba.njit(lambda x, number=number: x + number)(1) == 1 + number
    assert numba.njit(lambda x: x + 3)(1) == 4  # announced to nobody
    assert capsys.readouterr().err.count(progress.NOTICE) == n_notices


def commands(group):
    for command in group.commands.values():
        yield command
        yield from commands(command) if hasattr(command, "commands") else ()


@pytest.mark.parametrize("command", [main, *commands(main)], ids=lambda command: command.name)
def test_help_has_letters_that_every_code_page_has(command):
    with command.make_context(command.name, [], resilient_parsing=True) as context:
        assert command.get_help(context).isascii()
