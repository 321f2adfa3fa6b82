"""Requests for files over HTTP, and the policy by which they are tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["FileRequest", "Progress", "RetryPolicy"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes on disk and the bytes in all (None while unknown)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRequest:
    """A file to fetch: its address, its place on disk, and the size and checksum it must have.

    Examples
    --------
    >>> FileRequest(url="https://example.org/image.tiff?sig=secret", target=Path("image.tiff"), size=10)
    FileRequest(target=...Path('image.tiff'), size=10, ...)
    """

    url: str = field(repr=False)  # may carry a token
    """Address, `https://…`."""
    target: Path
    """Final name on disk."""
    size: int | None = None
    """Bytes, if the catalogue says."""
    checksum: tuple[str, str] | None = None
    """Algorithm (`md5`, `sha256`, … as `hashlib` knows it) and hexadecimal digest, if the catalogue says."""
    authorize: Callable[[bool], dict[str, str]] | None = None
    """Return the headers that open the file; True asks for a new token. Called from several threads."""
    sign: Callable[[str, bool], str] | None = None
    """Return the address with a token in it, for stores that take it there; True asks for a new token."""
    hosts: frozenset[str] = frozenset()
    """Other hosts that a redirect may lead to: `name`, `name:port`, or `.domain` for every host below it."""
    own_hosts: frozenset[str] = frozenset()
    """Hosts of the same provider: a redirect may lead there, and the headers of `authorize` go along."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """Timeouts, number of attempts, and waits between them.

    Examples
    --------
    >>> policy = RetryPolicy(n_attempts=5, cap_s=3, chance=lambda: 1.0)
    >>> [policy.wait_s(n_failures) for n_failures in (1, 2, 3, 4)]
    [1.0, 2.0, 3.0, 3.0]
    """

    n_attempts: int = 8
    """Failures in a row, without progress between them, that end a download."""
    base_s: float = 1.0
    """First wait after a failure; doubled each time, and shortened by chance so that clients spread out."""
    cap_s: float = 60.0
    """Longest wait of sarship's own choosing."""
    longest_wait_s: float = 900.0
    """Longest wait that a server may ask for with `Retry-After`."""
    connect_s: float = 20.0
    """Longest wait for a connection."""
    read_s: float = 60.0
    """Longest silence within a download; also the time over which its rate is taken."""
    min_rate: float = 1024.0
    """Bytes a second under which a connection counts as stalled."""
    chance: Callable[[], float] = random.random
    """Random numbers in [0, 1)."""

    def wait_s(self, n_failures: int) -> float:
        """Return the seconds to wait after `n_failures` failures in a row."""
        longest: float = min(self.cap_s, self.base_s * 2 ** (n_failures - 1))
        return longest * (0.5 + 0.5 * self.chance())
