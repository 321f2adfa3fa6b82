"""Products in an S3 store: XML by signed addresses, windows by GDAL, with keys that neither of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from rasterio.session import AWSSession

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import Account, find_credentials
from sarship.catalog.remote_files import StoreFiles
from sarship.catalog.session import import_extra
from sarship.catalog.tokens import refused, turns
from sarship.download.partial import inside
from sarship.download.request import FileRequest
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
class S3Files(StoreFiles):
    """The files of one product in an S3 store."""

    address: str
    """`s3://bucket/…/….SAFE`"""
    store: Store

    @property
    def account(self) -> Account:
        """Account of the keys."""
        return ACCOUNTS[self.store.account]

    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        """Return the request for a file, by an address that is signed when it is used."""
        parts = urlsplit(self.address)
        key = f"{parts.path.strip('/')}/{name}"
        extra = {"RequestPayer": "requester"} if self.store.is_paid else {}
        wanted = {"Bucket": parts.netloc, "Key": key, **extra}

        def sign(_url: str, _renew: bool) -> str:
            signed: str = _client(self.store).generate_presigned_url("get_object", wanted, ExpiresIn=_SIGNED_S)
            return signed

        payer = {"x-amz-request-payer": "requester"} if self.store.is_paid else {}  # it is among what is signed
        return FileRequest(
            url=f"{_client(self.store).meta.endpoint_url}/{parts.netloc}/{quote(key)}",
            target=target,
            size=size,
            checksum=("md5", md5) if md5 else None,
            sign=sign,
            authorize=lambda _: payer,
        )

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
            status, reason = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
            if status in {401, 403}:
                raise refused(self.account, self.address, status) from None
            sentence = f"{self.address} cannot be listed ({reason}); try again later"
            raise CatalogError(sentence, status=status, catalog=self.address) from None
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
        with turns(self.store, self.store.n_parallel):
            yield {**options, "session": session}


@cache
def _session(store: Store) -> Session:
    """Keys of the store, in memory; Amazon's are also sought where its own tools keep them."""
    boto3 = import_extra("boto3", "reading windows from an S3 store", "s3")
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
