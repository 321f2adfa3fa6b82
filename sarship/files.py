"""Files and folders written whole or not at all, by several processes at once if need be.

Each is written under a hidden temporary name of its own beside its place, and renamed when it is complete. A killed
process leaves that name behind; whoever next makes the folder removes it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import IO, Any, Final

from sarship.errors import OutputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = [
    "LOCK",
    "atomic_file",
    "atomic_folder",
    "cache_folder",
    "held",
    "is_at",
    "make_folder",
    "only_run",
    "read_file",
    "reason",
    "remove",
    "safe_name",
    "take_lock",
    "this_computer",
    "write_file",
]

LOCK: Final = ".sarship-lock"
"""File in a folder that a run holds; it stays there."""
REMEDY: Final = "free some space or choose another place"
ABANDONED_S: Final = 86_400.0
"""Age of another computer's temporary name that no process still writes to: no file or folder takes a day."""
_TEMPORARY: Final = re.compile(r"\..+\.([0-9a-f]{8})([0-9a-f]{8})[0-9a-f]{16}\.part")
"""Its computer, its process, and chance."""


def safe_name(text: str) -> str:
    """Return a file name that cannot leave its folder; different texts give different names.

    >>> safe_name("S1A_IW_GRDH_1SDV_0664")
    'S1A_IW_GRDH_1SDV_0664'
    >>> safe_name("../../etc/passwd")
    '_etc_passwd-...'
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:100]
    if name and name == text:
        return name
    digest = hashlib.sha256(text.encode(errors="surrogatepass"))  # a path may have bytes that are no letters
    return f"{name}-{digest.hexdigest()[:8]}"


def read_file(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    OSError
        It cannot be read, or is no plain file: devices may never end, and the memory does.

    Examples
    --------
    >>> read_file("/dev/zero")
    Traceback (most recent call last):
    OSError: ...
    """
    mode = Path(path).stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # of a folder the system says itself that it is one
        return Path(path).read_bytes()
    raise OSError(errno.EINVAL, "it is no plain file", str(path))


def reason(error: BaseException) -> str:
    """Return the cause of an error in one line: the system's own words where it has some."""
    return getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)


def make_folder(folder: str | Path) -> Path:
    """Make the folder, and prove before hours of work that files can be written to it.

    Raises
    ------
    OutputError
        If a file is in the way, or the folder is read-only or full.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        message = f"{folder}: a file is in the way of this folder; move it or choose another folder"
        raise OutputError(message, path=folder) from error
    except OSError as error:
        message = f"{folder}: cannot make this folder ({reason(error)}); choose another one"
        raise OutputError(message, path=folder) from error
    write_file(folder / ".sarship-probe", b"sarship").unlink(missing_ok=True)  # another process may have removed it
    _tidy(folder)
    return folder


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold a folder for the run of the block: what several runs write in turns would be of none of them.

    The system frees it when the process ends, however it ends. Where a file system knows no locks, nothing is held.

    Raises
    ------
    OutputError
        If another run holds it, or its lock is another user's.
    """
    try:
        lock = (folder / LOCK).open("w")
    except OSError as error:
        message = f"{folder / LOCK}: cannot be held ({reason(error)}); choose another folder"
        raise OutputError(message, path=folder) from error
    with lock as stream:
        if not take_lock(stream):
            message = f"{folder}: another run is at work here; wait until it has ended, or choose another folder"
            raise OutputError(message, path=folder)
        yield


@contextmanager
def held(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file for the block and then remove it; while another process or thread holds it, `wait` is called.

    The system frees it when its process ends, however it ends. Where a file system knows no locks, nothing is held.

    Raises
    ------
    OutputError
        If the file or its folder cannot be made.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("a")
        except OSError as error:
            raise OutputError(f"{path}: cannot be held ({reason(error)}); {REMEDY}", path=path) from error
        with lock as stream:
            if take_lock(stream) and is_at(stream, path):  # else another one holds it, or has just removed it
                try:
                    yield
                finally:
                    with suppress(OSError):
                        path.unlink()
                return
        wait()


def take_lock(stream: IO[Any]) -> bool:
    """Lock an open file until it is closed; False where another holds it. Where there are no locks, this is True."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EACCES, errno.EAGAIN}
    return True


def is_at(stream: IO[Any], path: Path) -> bool:
    """Return True if an open file still has this name: another process may have renamed or removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def cache_folder() -> Path:
    """Return the folder of the cache: `SARSHIP_CACHE`, or `sarship` in the user's cache folder."""
    if given := os.environ.get("SARSHIP_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sarship"


def write_file(
    path: str | Path, content: bytes, *, mode: int = 0o666, parents: bool = False, remedy: str = REMEDY
) -> Path:
    """Write the file whole and onto the disk, or leave the one that is there.

    Parameters
    ----------
    path
        The file.
    content
        All of its bytes.
    mode
        Permissions, before the process's mask is taken off.
    parents
        True to make the folders above where they are missing.
    remedy
        End of the message: what the user can do.

    Raises
    ------
    OutputError
        If the disk is full, the folder cannot be written to, or a folder has the file's name.
    """
    path = Path(path)
    opener = partial(os.open, mode=mode)
    with atomic_file(path, parents=parents, remedy=remedy) as part, open(part, "xb", opener=opener) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return path


@contextmanager
def atomic_file(path: Path, *, parents: bool = False, remedy: str = REMEDY) -> Iterator[Path]:
    """Yield a temporary name that becomes `path` when the block ends, or is removed when it raises.

    Raises
    ------
    OutputError
        If the block or the renaming raises an `OSError`.
    """
    with _temporary(path, "file", parents, remedy) as part:
        yield part
        part.replace(path)


@contextmanager
def atomic_folder(path: Path, *, parents: bool = False, remedy: str = REMEDY) -> Iterator[Path]:
    """Yield an empty temporary folder that becomes `path` when the block ends, or is removed when it raises.

    A folder of that name is replaced: of processes that write one at once, the last one's stays.

    Raises
    ------
    OutputError
        If the block or the renaming raises an `OSError`, such as a file in the place of the folder.
    """
    with _temporary(path, "folder", parents, remedy) as part:
        part.mkdir()
        yield part
        while True:
            try:
                part.rename(path)
                break
            except OSError as error:
                if error.errno not in {errno.EEXIST, errno.ENOTEMPTY} or path.is_file():
                    raise
            aside = _beside(path)
            with suppress(FileNotFoundError):  # another process has just moved it aside
                path.rename(aside)
            remove(aside)


@contextmanager
def _temporary(path: Path, kind: str, parents: bool, remedy: str) -> Iterator[Path]:
    part = _beside(path)
    try:
        if _is_device(path):  # such as /dev/full, which would be replaced
            raise OutputError(f"{path} is neither a file nor a folder; give the {kind} another name", path=path)
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
            _tidy(path.parent)
        yield part
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path}: cannot write this {kind} ({reason(error)}); {remedy}", path=path) from error
    finally:
        remove(part)


def _is_device(path: Path) -> bool:
    """Return True for what is there and is neither a file nor a folder, asked once: others may replace it meanwhile."""
    with suppress(OSError):
        mode = path.stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def _beside(path: Path) -> Path:
    """Return a hidden name beside a path that no other process or thread has."""
    return path.parent / f".{path.name}.{this_computer()}{os.getpid():08x}{uuid.uuid4().hex[:16]}.part"


@cache
def this_computer() -> str:
    """Return what tells the processes of this computer, since it was started, from those of others."""
    told = f"{platform.node()} {uuid.getnode()}"
    for name in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid", "/proc/self/ns/time"):
        with suppress(OSError):
            told += str(Path(name).readlink()) if Path(name).is_symlink() else Path(name).read_text()
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _tidy(folder: Path) -> None:
    """Remove the temporary names in a folder that killed processes left."""
    with suppress(OSError):
        for path in folder.iterdir():
            if (found := _TEMPORARY.fullmatch(path.name)) and _is_abandoned(path, found[1], int(found[2], 16)):
                remove(path)


def _is_abandoned(path: Path, here: str, process: int) -> bool:
    """Return True if nobody writes to a temporary name: of this computer's processes whatever a clock says."""
    if here == this_computer() and sys.platform != "win32":  # where asking for a process would end it
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # another user's
        return False
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > ABANDONED_S
    return False


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, as far as that can be."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
