"""Hosts that asked to be left alone for a while, by `Retry-After`: heeded by all processes of a user on a computer.

Each host has a small file in the cache, which says since when and for how long, by the clock that counts from the
start of the computer: no other clock's steps matter. The name of the file tells the computer and its start, so that
notes of others, and from before, are passed over. Where a file cannot be written or read, each process heeds what it
was told itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sarship.download.addresses import public_url
from sarship.errors import DownloadError
from sarship.files import ABANDONED_S, cache_folder, read_file, safe_name, this_computer, write_file

__all__ = ["leave_alone", "wait_until_free"]

FOLDER: Final = "left_alone"
"""Folder, in the cache, of the notes."""
LONGEST_S: Final = 3_600.0
"""Longest time that a note is heeded: a server that asks for more is asked again then."""
SPREAD: Final = 0.1
SPREAD_S: Final = 5.0
"""Share of the wait, and time at most, over which the processes that heed another's note come back."""
SHORTEST_S: Final = 0.1
"""Shortest time that is noted: others would read of a shorter one when it is over."""
_LARGEST: Final = 200
"""Bytes; a note has fewer."""
_ENDS: Final[dict[str, float]] = {}
"""Host → end of its wait as this process knows it."""


def leave_alone(url: str, seconds: float) -> None:
    """Note that the host of an address asks to be left alone for so long, unless it is left alone for longer anyway.

    Parameters
    ----------
    url
        The address, which may hold secrets: its host alone is noted.
    seconds
        The time from now.
    """
    host, now = _host(url), time.monotonic()
    seconds = min(seconds, LONGEST_S)
    if _end(host) >= now + seconds:
        return
    _ENDS[host] = now + seconds
    if seconds < SHORTEST_S:
        return
    with suppress(OSError, RuntimeError):  # the process knows it itself; without a home there is no cache
        note = write_file(_note(host), f"{now!r} {seconds!r}\n".encode(), parents=True)
        for other in note.parent.glob("*.txt"):
            if time.time() - other.stat().st_mtime > ABANDONED_S:
                other.unlink(missing_ok=True)


def wait_until_free(url: str, longest_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait as long as the host of an address asked to be left alone, this process or another of the user's.

    Parameters
    ----------
    url
        The address, which may hold secrets.
    longest_s
        Longest wait.
    sleep
        Waits so many seconds.

    Raises
    ------
    DownloadError
        If the wait is longer: nothing is asked.
    """
    host = _host(url)
    while (seconds := _end(host) - time.monotonic()) > 0:
        if seconds > longest_s:
            where = public_url(url)
            sentence = f"{where}: the server asked to be left alone, for {seconds:.0f} s from now; try again then"
            raise DownloadError(sentence, file=where)
        sleep(seconds)


def _end(host: str) -> float:
    """Return the end of a host's wait; a little later where another process was told."""
    known, end = _ENDS.get(host, 0.0), _noted_end(host)
    if end > known:
        turn = os.getpid() % 16 / 16  # workers have numbers that follow each other
        known = _ENDS[host] = end + turn * min(SPREAD * (end - time.monotonic()), SPREAD_S)
    return known


def _noted_end(host: str) -> float:
    """Return the end that the note of a host tells; 0 where there is none that makes sense."""
    with suppress(OSError, ValueError, RuntimeError):
        note = _note(host)
        if note.stat().st_size < _LARGEST:
            since, seconds = map(float, read_file(note).split())
            now = time.monotonic()
            if since <= now < since + seconds and 0 < seconds <= LONGEST_S:
                return since + seconds
    return 0.0


def _note(host: str) -> Path:
    return cache_folder() / FOLDER / f"{safe_name(host)}.{this_computer()}.txt"


def _host(url: str) -> str:
    return urlsplit(public_url(url)).netloc.lower()
