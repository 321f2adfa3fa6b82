"""Files of one product in a store, requested the same way whoever signs the requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

from sarship.catalog.credentials import Account
from sarship.catalog.tokens import says_where
from sarship.download.fetch import fetch_request
from sarship.download.probe import wait_until_served
from sarship.download.request import FileRequest

__all__ = ["StoreFiles"]


class StoreFiles(ABC):
    """Files of one product in a store."""

    __slots__ = ()

    @property
    def account(self) -> Account | None:
        """Account whose credentials open the files, for messages; None for a store without."""
        return None

    @property
    @abstractmethod
    def turn(self) -> AbstractContextManager[object]:
        """Turn at the store: it is asked for so many files and windows at once, by all scenes together."""

    @abstractmethod
    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        """Return the request for a file."""

    def fetch(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> None:
        """Put a file on disk, verified."""
        with says_where(self.account), self.turn:
            fetch_request(self.request(name, target, size, md5))

    def probe(self, name: str) -> int | None:
        """Wait until the store gives a file; return the status with which it did not before."""
        with says_where(self.account):
            return wait_until_served(self.request(name, Path(name)))
