"""Faults of servers that do not say which checksum a file has."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from servers.http import FAULTS, Served, serve

from faults.outcomes import SILENT, Answer, Outcome, judge
from sarship.download import RetryPolicy, fetch_file

QUICK = RetryPolicy(base_s=0.001, cap_s=0.01, longest_wait_s=1.0, connect_s=2.0, read_s=0.1, min_rate=2000.0)

SHORTER = "the server calls the file shorter than it is"
"""Nobody else says how long it is: with a size or a checksum from a catalogue it is fetched again."""


@contextmanager
def downloads() -> Iterator[Callable[[random.Random], Outcome]]:
    """Give the function that tries a download; of a byte changed on the way, `corrupt`, no server's answer tells."""
    faults = [fault for fault in FAULTS if fault not in {"corrupt", "unauthorized"}]
    with TemporaryDirectory() as folder, serve() as server:

        def attempt(chance: random.Random) -> Outcome:
            content = chance.randbytes(chance.choice((0, 1, 3000, 200_000)))
            planned = [chance.choice(faults) for _ in range(chance.choice((1, 2, 4)))]
            headers = {"has_ranges": chance.random() < 0.8, "has_length": chance.random() < 0.8}
            server.files["/file"] = Served(
                content, [*planned], chance=chance, etag=chance.choice(('"first"', None)), retry_after="0.01", **headers
            )
            size = len(content) if chance.random() < 0.5 else None
            path = Path(folder, "file.bin")
            try:
                outcome = judge(lambda: Answer(_fetched(server.url, path, size)), Answer(content))
                if outcome.kind == SILENT and "short" in planned and path.read_bytes() == content[:-1]:
                    return Outcome(SILENT, SHORTER)
                return Outcome(outcome.kind, f"{outcome.detail} {planned} {headers} size={size}")
            finally:
                for left in Path(folder).iterdir():
                    left.unlink()

        yield attempt


def _fetched(url: str, path: Path, size: int | None) -> bytes:
    return fetch_file(f"{url}/file", path, size=size, retry_policy=QUICK).read_bytes()
