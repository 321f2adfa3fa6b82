"""Files that are still arriving: `NAME.part`, the server's word on it beside it, and a lock against others.

The lock is the kernel's, on the `.part` file itself, so that it dies with the process that held it and leaves nothing
stale behind. Windows has no such lock; there, one process at a time may fetch to a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Final

from sarship.errors import DownloadError, OutputError
from sarship.files import is_at, take_lock

__all__ = [
    "PartFile",
    "Version",
    "check_space",
    "file_digest",
    "hash_name",
    "inside",
    "is_whole",
    "open_part",
    "remaining",
    "tidy",
]

_CHUNK: Final = 2**22
_POLL_S: Final = 0.1
_HASHES: Final = tuple(sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")))


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """Version of a file, as the server that sent its bytes told it."""

    etag: str = ""
    last_modified: str = ""
    size: int | None = None
    """Bytes in all."""
    digest: tuple[str, str] | None = None
    """The server's own checksum: algorithm and hexadecimal digest."""

    @property
    def condition(self) -> str:
        """Value for `If-Range`; empty if the server gave nothing that may stand there."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def may_be(self, other: Version) -> bool:
        """Return True if nothing says that the two are different files."""
        pairs = ((self.etag, other.etag), (self.last_modified, other.last_modified))
        return next((a == b for a, b in pairs if a and b), True)


class PartFile:
    """An open, locked `.part` file."""

    def __init__(self, target: Path, stream: FileIO) -> None:
        self.target = target
        self.path = _part(target)
        self._stream = stream
        self.version = _read_version(_sidecar(target))
        """Version that the bytes on disk belong to; None where that is not known."""
        self.n_bytes = stream.seek(0, os.SEEK_END)
        """Bytes on disk."""
        self._is_done = False

    def restart(self) -> None:
        """Throw away the bytes on disk."""
        self._stream.truncate(0)
        self._stream.seek(0)
        self.n_bytes, self.version = 0, None

    def belong(self, version: Version) -> None:
        """Note the version that the bytes to come belong to, before the first of them is written."""
        if version != self.version:
            with _output_errors(self.path):
                _new_sidecar(self.target).write_text(json.dumps(asdict(version)))
                _new_sidecar(self.target).replace(_sidecar(self.target))
            self.version = version

    def write(self, data: bytes) -> None:
        """Append bytes. They are the kernel's at once, so that a killed process loses none."""
        with _output_errors(self.path):
            view = memoryview(data)
            while view:
                view = view[self._stream.write(view) or 0 :]
        self.n_bytes += len(data)

    def finish(self) -> None:
        """Put the file in place under its final name, on disk for good."""
        with _output_errors(self.target):
            os.fsync(self._stream.fileno())
            if sys.platform == "win32":
                self._stream.close()  # no open file can be renamed there
            self.path.replace(self.target)
            _sync_folder(self.target.parent)
        self._is_done = True
        _remove_notes(self.target)

    def discard(self) -> None:
        """Remove the part and its notes."""
        if not self._is_done:
            self.path.unlink(missing_ok=True)
            _remove_notes(self.target)
            self._is_done = True


@contextmanager
def open_part(target: Path, sleep: Callable[[float], None]) -> Iterator[PartFile]:
    """Open the `.part` of a file for this process alone, waiting while another one holds it.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    with _output_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise OutputError(f"{target} is a folder; choose another place for the file of that name")
    while True:
        with _output_errors(target):
            stream = FileIO(os.open(_part(target), os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        with stream:
            if _lock(stream) and is_at(stream, _part(target)):  # else another process finished or holds it
                part = PartFile(target, stream)
                try:
                    yield part
                finally:
                    if part.n_bytes == 0:  # nothing to go on from
                        part.discard()
                return
        sleep(_POLL_S)


def is_whole(path: Path, size: int | None, checksum: tuple[str, str] | None) -> bool:
    """Return True if the file is there with its size and checksum; never without either of them."""
    if (size is None and checksum is None) or not path.is_file():
        return False
    if size is not None and path.stat().st_size != size:
        return False
    return checksum is None or file_digest(path, checksum[0]) == checksum[1].lower()


def file_digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal checksum of a file.

    Raises
    ------
    DownloadError
        If Python lacks the algorithm.
    """
    digest = hashlib.new(hash_name(algorithm), usedforsecurity=False)
    with _output_errors(path), path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_name(algorithm: str) -> str:
    """Return the name that `hashlib` has for a checksum.

    Raises
    ------
    DownloadError
        If it has none of that kind.

    >>> hash_name("MD5"), hash_name("SHA3-256")
    ('md5', 'sha3_256')
    """
    name = algorithm.lower().replace("-", "_").replace("sha_", "sha")
    if name not in _HASHES:
        raise DownloadError(f"checksums of the kind {algorithm!r} cannot be computed; known are {', '.join(_HASHES)}")
    return name


def check_space(folder: Path, n_bytes: int) -> None:
    """Make sure that `n_bytes` fit on the folder's disk.

    Raises
    ------
    OutputError
        If they do not.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise OutputError(
            f"{folder}: {n_bytes / 1e9:.2f} GB are still to come and {free / 1e9:.2f} GB are free; "
            "free some space or choose another folder"
        )


def inside(folder: str | Path, name: str) -> Path:
    """Return the path of a file that a server names, refused if it would lie outside the folder.

    Raises
    ------
    DownloadError
        If the name is empty, absolute, leads upwards, or goes through a link that leaves the folder.

    >>> inside("scenes", "measurement/iw-vv.tiff").as_posix()
    'scenes/measurement/iw-vv.tiff'
    """
    folder, parts = Path(folder), name.split("/")
    is_plain = not ({"", ".", ".."} & set(parts) or re.search(r"[\\:\x00-\x1f]", name))
    path = folder.joinpath(*PurePosixPath(name).parts) if is_plain else folder
    if not is_plain or not path.resolve().is_relative_to(folder.resolve()):
        raise DownloadError(
            f"the server names a file {name!r}, which is not inside {folder}; it was not fetched", file=name
        )
    return path


def remaining(target: Path, size: int) -> int:
    """Return the number of bytes of a file that are still to come."""
    found = (path.stat().st_size for path in (target, _part(target)) if path.is_file())
    return max(0, size - next(found, 0))


def tidy(target: Path) -> None:
    """Remove the notes that a process left which was killed just after it finished the file."""
    if not _part(target).exists():
        _remove_notes(target)


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _sidecar(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def _new_sidecar(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json.new")


def _remove_notes(target: Path) -> None:
    for path in (_sidecar(target), _new_sidecar(target)):
        path.unlink(missing_ok=True)


def _read_version(path: Path) -> Version | None:
    """Noted version; None if there is none or it cannot be read, and then the file is fetched from its start."""
    try:
        values = json.loads(path.read_text())
        values["digest"] = values["digest"] and tuple(values["digest"])
        return Version(**values)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _lock(stream: FileIO) -> bool:
    return sys.platform == "win32" or take_lock(stream)  # there, a file that is locked cannot be read to verify it


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system lets a folder be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(
            f"{path}: cannot write this file ({reason}); free some space or choose another folder, and run again"
        ) from error
