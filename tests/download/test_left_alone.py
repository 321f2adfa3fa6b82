"""Hosts that asked to be left alone: one process is told, and the others of the user heed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers.http import Served, serve

from sarship.download import RetryPolicy, fetch_file, left_alone
from sarship.download.left_alone import leave_alone, wait_until_free
from sarship.errors import DownloadError

ONCE = RetryPolicy(n_attempts=1)
FETCH = """
import os, signal, sys
from sarship.download import RetryPolicy, fetch_file
from sarship.errors import DownloadError
try:
    fetch_file(sys.argv[1], sys.argv[2], retry_policy=RetryPolicy(n_attempts=1))
except DownloadError as error:
    print(error)
if "killed" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server():
    with serve() as running:
        running.files["/free"] = Served(b"content")
        running.files["/busy"] = Served(b"content", ["busy"], retry_after="2")
        yield running


def in_another_process(server, name, folder, *more):
    command = [sys.executable, "-c", FETCH, f"{server.url}/{name}", str(folder / name), *more]
    root = str(Path(left_alone.__file__).parents[2])
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False, timeout=60
    )


def is_asked_at_once(server, tmp_path):
    """True if this process asks a host without a wait."""
    began = time.monotonic()
    fetch_file(f"{server.url}/free", tmp_path / "free")
    return time.monotonic() - began < 2


@pytest.mark.parametrize("end", ["", "killed"])
def test_what_one_process_is_told_delays_another(server, tmp_path, end):
    told = in_another_process(server, "busy", tmp_path, end)
    assert told.returncode == (-signal.SIGKILL if end else 0)
    until = server.files["/busy"].times[0] + 2
    fetch_file(f"{server.url}/free", tmp_path / "free")
    (asked,) = server.files["/free"].times
    assert until <= asked < until + 10


def test_what_this_process_is_told_delays_another_and_its_own_sessions(server, tmp_path):
    with pytest.raises(DownloadError, match="1 times in a row"):
        fetch_file(f"{server.url}/busy", tmp_path / "busy", retry_policy=ONCE)
    until = server.files["/busy"].times[0] + 2
    assert in_another_process(server, "free", tmp_path).stdout == ""
    assert server.files["/free"].times[0] >= until


def test_other_hosts_are_asked_meanwhile(server, tmp_path):
    leave_alone(server.url, 5.0)
    with serve() as other:
        other.files["/free"] = Served(b"content")
        assert is_asked_at_once(other, tmp_path)


def test_a_wait_that_is_too_long_is_refused_by_all_without_a_request(server, tmp_path):
    file = server.files["/busy"]
    file.retry_after = "7200"
    with pytest.raises(DownloadError, match="asks to wait 7200 s"):
        fetch_file(f"{server.url}/busy", tmp_path / "busy")
    told = in_another_process(server, "free", tmp_path)
    assert "/free: the server asked to be left alone, for 36" in told.stdout  # it is asked again after an hour
    with pytest.raises(DownloadError, match=r"for 3[56]\d\d s from now; try again then"):
        fetch_file(f"{server.url}/free", tmp_path / "free")
    assert server.files["/free"].times == []


def test_a_shorter_wait_does_not_end_a_longer_one(server, monkeypatch):
    leave_alone(server.url, 100.0)
    leave_alone(server.url, 1.0)
    monkeypatch.setattr(left_alone, "_ENDS", {})  # as another process
    slept = []
    with pytest.raises(DownloadError, match=r"9[89] s|10[0-9] s"):
        wait_until_free(server.url, 5.0, slept.append)
    assert slept == []


def test_processes_that_heed_anothers_note_come_back_one_after_the_other(server, monkeypatch):
    leave_alone(server.url, 100.0)
    first, ends = left_alone._ENDS.copy(), []
    for number in range(1000, 1016):
        monkeypatch.setattr(left_alone, "_ENDS", {})
        monkeypatch.setattr(os, "getpid", lambda number=number: number)
        ends.append(left_alone._end(*first))
    assert len(set(ends)) == 16
    assert min(ends) >= first.popitem()[1]
    assert max(ends) - min(ends) < left_alone.SPREAD_S


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"1.0",
        b"nan nan",
        b"0.0 inf",
        b"inf 5.0",
        b"1e300 5.0",
        b"0.0 -5.0",
        b"0.0 1e9",
        b"0.0 1e9 " * 1000,
        "folder",
        "pipe",
        "loop",
        "before the start",
    ],
    ids=repr,
)
def test_a_note_that_makes_no_sense_is_passed_over(server, tmp_path, content):
    """And replaced, where that can be, by the next."""
    note = left_alone._note(left_alone._host(server.url))
    note.parent.mkdir(parents=True)
    if content == "folder":
        note.mkdir()
    elif content == "pipe":
        os.mkfifo(note)
    elif content == "loop":
        note.symlink_to(note)
    elif content == "before the start":  # of the computer: its clock began anew
        note.write_text(f"{time.monotonic() + 1000} 500.0")
    else:
        note.write_bytes(content)
    assert is_asked_at_once(server, tmp_path)
    leave_alone(server.url, 50.0)
    is_replaced = content not in ("folder", "pipe")
    left_alone._ENDS.clear()
    assert (left_alone._end(left_alone._host(server.url)) > 0) == is_replaced


def test_steps_of_the_clock_change_nothing(server, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    leave_alone(server.url, 50.0)
    left_alone._ENDS.clear()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(DownloadError, match=r"left alone, for [45]"):
        wait_until_free(server.url, 1.0)


def test_notes_of_another_computer_that_shares_the_cache_are_passed_over(server, tmp_path, monkeypatch):
    monkeypatch.setattr(left_alone, "this_computer", lambda: "0badcafe")
    leave_alone(server.url, 50.0)
    monkeypatch.undo()
    monkeypatch.setenv("SARSHIP_CACHE", str(tmp_path / "cache"))
    left_alone._ENDS.clear()
    assert len(list((tmp_path / "cache").rglob("*.txt"))) == 1
    assert is_asked_at_once(server, tmp_path)


@pytest.mark.parametrize("place", ["a file is in the way", "no home"])
def test_without_a_folder_each_process_heeds_what_it_was_told(server, tmp_path, monkeypatch, place):
    if place == "no home":
        monkeypatch.delenv("SARSHIP_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    else:
        (tmp_path / "cache").write_text("")
    leave_alone(server.url, 0.5)
    began = time.monotonic()
    fetch_file(f"{server.url}/free", tmp_path / "free")
    assert time.monotonic() - began >= 0.4


def test_old_notes_are_removed(server, cache):
    (cache / left_alone.FOLDER).mkdir(parents=True)
    old, fresh = (cache / left_alone.FOLDER / f"{name}.txt" for name in ("old", "fresh"))
    old.write_text("")
    fresh.write_text("")
    os.utime(old, (1e9, 1e9))
    leave_alone(server.url, 1.0)
    assert not old.exists()
    assert fresh.exists()


def test_neither_name_nor_content_of_a_note_has_a_secret(cache):
    address = "https://PLANTED-user:PLANTED-word@hub.example.org:8443/a/PLANTED?sig=PLANTED#PLANTED"
    leave_alone(address, 50.0)
    (note,) = (path for path in cache.rglob("*") if path.is_file())
    assert "PLANTED" not in str(note)
    assert note.name.startswith("hub_example_org_8443")
    assert b"PLANTED" not in note.read_bytes()
    with pytest.raises(DownloadError) as caught:
        wait_until_free(address, 1.0)
    assert "PLANTED-word" not in str(caught.value)
    assert "sig" not in str(caught.value)
