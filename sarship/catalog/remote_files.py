"""Files of one product in a store, requested the same way whoever signs the requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from sarship.catalog.credentials import Account
from sarship.catalog.tokens import refused, says_where
from sarship.download.fetch import fetch_request
from sarship.download.http import Session
from sarship.download.left_alone import wait_until_free
from sarship.download.partial import inside
from sarship.download.probe import wait_until_served
from sarship.download.request import FileRequest, RetryPolicy
from sarship.errors import CatalogError, CredentialError, DownloadError, ProductError
from sarship.sentinel1.xml import parse_xml

__all__ = ["ListingTags", "StoreFiles"]


class ListingTags(NamedTuple):
    """Elements of a page of a store's listing."""

    entry: str
    """A file."""
    name: str
    """Its full name, within the entry."""
    size: str
    """Its bytes, within the entry."""
    following: str
    """Mark of the next page; empty or absent on the last."""


class StoreFiles(ABC):
    """Files of one product in a store."""

    __slots__ = ()

    address: str
    """Address of the product; holds no credential."""

    @property
    def account(self) -> Account | None:
        """Account whose credentials open the files, for messages; None for a store without."""
        return None

    @property
    @abstractmethod
    def turn(self) -> AbstractContextManager[object]:
        """Turn at the store: it is asked for so many files and windows at once, by all scenes together."""

    @contextmanager
    def turn_to_read(self, url: str) -> Iterator[None]:
        """Turn at the store for GDAL, which does not hear of a wait, once the host of an address has had its rest."""
        with self.turn:
            wait_until_free(url, RetryPolicy().longest_wait_s)
            yield

    @abstractmethod
    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        """Return the request for a file."""

    def fetch(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> None:
        """Put a file on disk, verified."""
        with says_where(self.account), self.turn:
            fetch_request(self.request(name, target, size, md5))

    @abstractmethod
    def page_request(self, mark: str) -> FileRequest:
        """Return the request for a page of the listing; the first for an empty mark."""

    def list_files(self, prefix: str, tags: ListingTags) -> dict[str, int]:
        """Return names and sizes of all files whose full names have a prefix, without it."""
        found: dict[str, int] = {}
        mark: str | None = ""
        while mark is not None:
            page = self._page(self.page_request(mark))
            found |= {
                one.findtext(tags.name, ""): int(one.findtext(tags.size, "0")) for one in page.iterfind(tags.entry)
            }
            mark = page.findtext(tags.following) or None
        if not found:
            raise CatalogError(f"{self.address} is empty; search again, the product may have moved")
        names = {key: inside("product", key.removeprefix(prefix)).relative_to("product") for key in found}
        return {names[key].as_posix(): size for key, size in found.items()}

    def _page(self, request: FileRequest) -> Element:
        try:
            return parse_xml(Session(RetryPolicy(), "try again later").read(request, {}), self.address)
        except CredentialError as error:
            raise refused(self.account, self.address, error.status) from None
        except (DownloadError, ProductError) as error:
            status = error.status if isinstance(error, DownloadError) else None
            raise CatalogError(str(error), status=status) from None

    def probe(self, name: str) -> int | None:
        """Wait until the store gives a file; return the status with which it did not before."""
        with says_where(self.account):
            return wait_until_served(self.request(name, Path(name)))
