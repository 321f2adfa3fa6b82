"""Products in an S3 store: XML by signed addresses, windows by GDAL, with keys that neither of them shows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from rasterio.session import AWSSession

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import find_credentials
from sarship.catalog.tokens import refused, says_where
from sarship.download.fetch import FileRequest, fetch_file, inside
from sarship.download.probe import wait_until_served
from sarship.errors import CatalogError
from sarship.sentinel1.remote import GDAL_OPTIONS

if TYPE_CHECKING:
    from boto3 import Session

__all__ = ["S3Files", "Store"]

_SIGNED_S: Final = 3_600
"""Life of a signed address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """An S3 service."""

    account: str
    """Whose keys open it; a name in `ACCOUNTS`."""
    region: str
    endpoint: str = ""
    """Its address; empty for Amazon's own."""
    n_parallel: int = 4
    """Most reads at once."""
    is_paid: bool = False
    """Whether the reader pays for what is read, and says so with each request."""
    has_listing: bool = True
    """Whether products are listed; else their `productInfo.json` tells the names."""


@dataclass(frozen=True, slots=True)
class S3Files:
    """The files of one product in an S3 store."""

    address: str
    """`s3://bucket/…/….SAFE`"""
    store: Store

    def fetch(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> None:
        """Put a file on disk, verified."""
        wanted = self._request(name)
        with says_where(ACCOUNTS[self.store.account]):
            fetch_file(
                wanted.url,
                target,
                size=size,
                checksum=("md5", md5) if md5 else None,
                sign=wanted.sign,
                authorize=wanted.authorize,
            )

    def probe(self, name: str) -> None:
        """Wait until the store gives a file."""
        with says_where(ACCOUNTS[self.store.account]):
            wait_until_served(self._request(name))

    def _request(self, name: str) -> FileRequest:
        """How a file is asked for, by an address that is signed when it is used."""
        parts = urlsplit(self.address)
        key = f"{parts.path.strip('/')}/{name}"
        extra = {"RequestPayer": "requester"} if self.store.is_paid else {}
        wanted = {"Bucket": parts.netloc, "Key": key, **extra}

        def sign(_url: str, _renew: bool) -> str:
            signed: str = _client(self.store).generate_presigned_url("get_object", wanted, ExpiresIn=_SIGNED_S)
            return signed

        payer = {"x-amz-request-payer": "requester"} if self.store.is_paid else {}  # it is among what is signed
        plain = f"{_client(self.store).meta.endpoint_url}/{parts.netloc}/{quote(key)}"
        return FileRequest(url=plain, target=Path(name), sign=sign, authorize=lambda _: payer)

    def listing(self) -> dict[str, int] | None:
        """Names and sizes of all files."""
        if not self.store.has_listing:
            return None
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (an extra)

        parts = urlsplit(self.address)
        prefix = parts.path.strip("/") + "/"
        try:
            pages = _client(self.store).get_paginator("list_objects_v2").paginate(Bucket=parts.netloc, Prefix=prefix)
            found = {entry["Key"].removeprefix(prefix): entry["Size"] for page in pages for entry in page["Contents"]}
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {401, 403}:
                raise refused(ACCOUNTS[self.store.account], self.address) from None
            raise CatalogError(f"{self.address} cannot be listed ({error.response['Error']['Code']})") from None
        except KeyError:
            raise CatalogError(f"{self.address} is empty; search again, the product may have moved") from None
        except BotoCoreError as error:
            raise CatalogError(f"{self.address} cannot be listed ({type(error).__name__}); try again later") from None
        return {inside(Path(parts.netloc), name).relative_to(parts.netloc).as_posix(): found[name] for name in found}

    def gdal_path(self, name: str) -> str:
        """Path that GDAL opens."""
        return f"/vsis3/{self.address.removeprefix('s3://')}/{name}"

    @contextmanager
    def access(self) -> Iterator[Mapping[str, object]]:
        """Waits for a turn; gives GDAL's options. It takes keys in a session alone."""
        endpoint = urlsplit(self.store.endpoint)
        options: dict[str, object] = dict(GDAL_OPTIONS)
        if endpoint.netloc:
            options |= {"AWS_VIRTUAL_HOSTING": "FALSE", "AWS_HTTPS": "YES" if endpoint.scheme == "https" else "NO"}
        session = AWSSession(
            _session(self.store), endpoint_url=endpoint.netloc or None, requester_pays=self.store.is_paid
        )
        if "aws_session_token" not in session.credentials:
            options["AWS_SESSION_TOKEN"] = ""  # else GDAL sends the environment's, which may be of another service
        with _turn(self.store):
            yield {**options, "session": session}


@cache
def _session(store: Store) -> Session:
    """Keys of the store, in memory; Amazon's are also sought where its own tools keep them."""
    try:
        import boto3  # noqa: PLC0415  (an extra)
    except ImportError:
        raise CatalogError("reading windows from an S3 store needs boto3: pip install 'sarship[s3]'") from None
    if store.is_paid:
        session = boto3.Session(region_name=store.region)
        if session.get_credentials() is not None:
            return session
    keys = find_credentials(ACCOUNTS[store.account])
    return boto3.Session(keys["key"].reveal(), keys["secret"].reveal(), region_name=store.region)


@cache
def _client(store: Store) -> Any:
    from botocore.config import Config  # noqa: PLC0415  (an extra; `_session` says how to get it)

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"max_attempts": 5, "mode": "standard"},
        connect_timeout=20,
        read_timeout=60,
    )
    return _session(store).client("s3", endpoint_url=store.endpoint or None, config=config)


@cache
def _turn(store: Store) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(store.n_parallel)


def _hides_keys(record: logging.LogRecord) -> bool:
    """Rasterio logs the options that it hands to GDAL, at its DEBUG level."""
    return "AWS_" not in record.getMessage().upper()


def _hides_signatures(record: logging.LogRecord) -> bool:
    """At its DEBUG level botocore logs what it signs and the signature, which opens a file for an hour."""
    return record.levelno > logging.DEBUG


logging.getLogger("rasterio._env").addFilter(_hides_keys)
for _name in ("botocore.auth", "botocore.endpoint"):
    logging.getLogger(_name).addFilter(_hides_signatures)
