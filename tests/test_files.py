"""Files and folders: whole or absent whatever ends the process, and whoever else writes the same one."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sarship.errors import OutputError
from sarship.files import atomic_file, atomic_folder, make_folder, only_run, safe_name, write_file


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_file(tmp_path / "a", b"old")

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupted_block_leaves_nothing(tmp_path, atomic, error):
    def stop(part):
        (part / "b" if part.is_dir() else part).write_bytes(b"half")
        raise error

    with pytest.raises(error), atomic(tmp_path / "a") as part:
        stop(part)
    assert not list(tmp_path.iterdir())


def test_folder_takes_the_place_of_an_old_one(tmp_path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "a") as part:
            (part / name).write_text(name)
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "new"]


def test_full_disk_leaves_the_old_folder(tmp_path):
    with atomic_folder(tmp_path / "a") as part:
        (part / "old").write_text("old")
    with (
        pytest.raises(OutputError, match=r"a: cannot write this folder \(No space left on device\); free some space"),
        atomic_folder(tmp_path / "a"),
    ):
        full()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old"]


def test_a_file_in_the_place_of_a_folder_stays(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError, match="Not a directory") as caught, atomic_folder(tmp_path / "a"):
        pass
    assert caught.value.path == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_in_the_way_of_a_folder_stays(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="in the way"):
            make_folder(folder)
    assert (tmp_path / "file").read_text() == "mine"


def test_mode_and_remedy(tmp_path, monkeypatch):
    assert write_file(tmp_path / "a" / "b", b"", mode=0o600, parents=True).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"; ask your aunt$"):
        write_file(tmp_path / "c", b"", remedy="ask your aunt")


def test_runs_in_one_folder_do_not_collide(tmp_path):
    """Two overlapping runs keep the same scene and write the same files."""
    errors = []

    def run(number):
        try:
            for _ in range(60):
                make_folder(tmp_path)
                write_file(tmp_path / "file", b"%d" % number * 1000)
                with atomic_folder(tmp_path / "scene") as part:
                    for name in "ab":
                        (part / name).write_text(str(number))
        except OutputError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "file", "scene"]
    assert (tmp_path / "scene" / "a").read_text() == (tmp_path / "scene" / "b").read_text()
    assert set((tmp_path / "file").read_bytes()) == {ord((tmp_path / "file").read_text()[0])}


def test_a_folder_is_held_by_one_run_alone_and_free_when_that_was_killed(tmp_path):
    code = f"""
import time
from pathlib import Path
from sarship.files import only_run
with only_run(Path({str(tmp_path)!r})):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another run is at work here"), only_run(tmp_path):
            pass
        other.kill()
    for _ in range(2):
        with only_run(tmp_path):
            pass


def test_make_folder_removes_what_killed_processes_left(tmp_path):
    old, new, mine = (tmp_path / name for name in (f".a.{'0' * 32}.part", f".a.{'1' * 32}.part", ".mine.part"))
    for folder in (old, new, mine):
        folder.mkdir()
        (folder / "x").write_text("x")
    for path in (old, mine):
        os.utime(path, (time.time() - 90_000,) * 2)
    make_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([new.name, mine.name])


def test_probe_leaves_nothing(tmp_path):
    assert list(make_folder(tmp_path / "a" / "b").iterdir()) == []


@given(st.text(max_size=150), st.text(max_size=150))
def test_safe_names_stay_in_their_folder_and_apart(one, other):
    folder = Path("/some/folder")
    name = safe_name(one)
    assert (folder / name).parent == folder
    assert (folder / name).resolve() == folder / name
    assert name.isascii()
    assert 0 < len(name) < 120
    assert (safe_name(other) == name) == (other == one)


@pytest.mark.parametrize("evil", ["../../etc/passwd", "..", ".", "", "/etc/passwd", "a\\b", "a\x00b", "C:x", "-rf/*"])
def test_safe_name_of_evil(evil):
    assert not set(safe_name(evil)) & set("./\\:\x00*")


def test_what_a_killed_process_left_goes_at_once_and_what_a_living_one_writes_stays(tmp_path):
    code = f"""
import time
from pathlib import Path
from sarship.files import atomic_folder
with atomic_folder(Path({str(tmp_path)!r}) / "a") as part:
    (part / "half").write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "begun\n"
        (left,) = tmp_path.iterdir()
        os.utime(left, (0, 0))  # a clock that jumped makes it no older
        make_folder(tmp_path)
        assert list(tmp_path.iterdir()) == [left]
        other.kill()
    write_file(tmp_path / "b", b"", parents=True)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
def test_an_ordinary_user_is_told_that_a_folder_is_not_theirs():
    code = """
import os, sys
from pathlib import Path
from sarship.errors import OutputError
from sarship.files import make_folder, only_run
os.setuid(65534)
for folder in map(Path, sys.argv[1:]):
    try:
        with only_run(make_folder(folder)):
            pass
    except OutputError as error:
        print(error)
"""
    with TemporaryDirectory() as name:  # pytest's own is closed to others
        (folder := Path(name)).chmod(0o755)
        (mine := folder / "mine").mkdir(0o755)
        (ours := folder / "ours").mkdir()
        ours.chmod(0o777)
        (ours / ".sarship-lock").touch(0o644)
        command = [sys.executable, "-c", code, mine, ours]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert "mine" in first
    assert "Permission denied" in first
    assert "cannot be held (Permission denied)" in second
