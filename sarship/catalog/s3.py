"""Products in an S3 store: XML by signed requests, windows by GDAL, with keys that neither of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from rasterio.session import AWSSession

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import Account, find_credentials
from sarship.catalog.remote_files import ListingTags, StoreFiles
from sarship.catalog.session import import_extra
from sarship.catalog.tokens import turns
from sarship.download.certificates import ca_bundle
from sarship.download.request import FileRequest
from sarship.download.secret import Secret
from sarship.errors import CredentialError
from sarship.sentinel1.gdal_options import server_options

if TYPE_CHECKING:
    import boto3

__all__ = ["S3Files", "Store"]

_NO_PROFILE: Final = (None, None, None, None)
"""botocore's way to say that a setting is sought nowhere: `AWS_PROFILE` is for Amazon's keys, which others have not."""
_TAGS: Final = ListingTags("{*}Contents", "{*}Key", "{*}Size", "{*}NextContinuationToken")


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """An S3 service."""

    account: str
    """Account of the keys that open it; a name in `ACCOUNTS`."""
    region: str
    endpoint: str = ""
    """Its address; empty for Amazon's own."""
    n_parallel: int = 4
    """Maximum number of files and windows that are read at once."""
    is_paid: bool = False
    """True if the reader pays for what is read, and says so with each request."""
    is_renamed: bool = False
    """True if its files have short names, which a `productInfo.json` tells."""

    @property
    def address(self) -> str:
        """Address, Amazon's own included."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"


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

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Turn at the store."""
        return turns(self.store, self.store.n_parallel)

    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        """Return the request for a file, signed when it is sent."""
        checksum = ("md5", md5) if md5 else None
        return self._signed(f"/{quote(f'{self._prefix}{name}')}", target=target, size=size, checksum=checksum)

    def listing(self) -> dict[str, int]:
        """Names and sizes of all files."""
        return self.list_files(self._prefix, _TAGS)

    def page_request(self, mark: str) -> FileRequest:
        """Return the request for a page of the listing, signed when it is sent."""
        asked = {"list-type": "2", "prefix": self._prefix, **({"continuation-token": mark} if mark else {})}
        return self._signed(f"?{urlencode(sorted(asked.items()), quote_via=quote, safe='')}")

    @property
    def is_renamed(self) -> bool:
        """True if the store has short names."""
        return self.store.is_renamed

    @property
    def _prefix(self) -> str:
        return urlsplit(self.address).path.strip("/") + "/"

    def _signed(self, rest: str, target: Path = Path("listing.xml"), **known: Any) -> FileRequest:
        """The request for an address of the bucket. The signature is in its headers: not every store takes a query."""
        url, keys = f"{self.store.address}/{urlsplit(self.address).netloc}{rest}", _session(self.store)

        def authorize(_renew: bool) -> dict[str, str]:
            from botocore.auth import S3SigV4Auth  # noqa: PLC0415  (an extra; `_session` says how to get it)
            from botocore.awsrequest import AWSRequest  # noqa: PLC0415

            payer = {"x-amz-request-payer": "requester"} if self.store.is_paid else {}
            asked = AWSRequest("GET", url, payer)
            S3SigV4Auth(keys.get_credentials().get_frozen_credentials(), "s3", self.store.region).add_auth(asked)
            return {name: Secret(value) for name, value in asked.headers.items()}

        return FileRequest(url=url, target=target, authorize=authorize, **known)

    def gdal_path(self, name: str) -> str:
        """Path that GDAL opens."""
        return f"/vsis3/{self.address.removeprefix('s3://')}/{name}"

    @contextmanager
    def access(self) -> Iterator[Mapping[str, object]]:
        """Wait for a turn, and yield GDAL's options, with the keys in a session: GDAL takes them nowhere else."""
        endpoint = urlsplit(self.store.address)
        options = server_options() | {
            "AWS_HTTPS": "YES" if endpoint.scheme == "https" else "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE" if self.store.endpoint else "TRUE",
        }
        session = AWSSession(
            _session(self.store),
            aws_unsigned=False,  # whatever AWS_NO_SIGN_REQUEST says
            endpoint_url=endpoint.netloc,
            requester_pays=self.store.is_paid,
        )
        if "aws_session_token" not in session.credentials:
            options["AWS_SESSION_TOKEN"] = ""  # else GDAL sends the environment's, which may be of another service
        with self.turn_to_read(self.store.address):
            yield {**options, "session": session}


@cache
def _session(store: Store) -> boto3.Session:
    """Keys of the store, in memory; Amazon's are also sought where its own tools keep them."""
    library = import_extra("boto3", "reading windows from an S3 store", "s3")
    core = import_module("botocore.session").Session(None if store.is_paid else {"profile": _NO_PROFILE})
    if bundle := ca_bundle():
        core.set_config_variable("ca_bundle", bundle)
    known: dict[str, Any] = {"region_name": store.region, "botocore_session": core}
    session: boto3.Session
    if store.is_paid:
        try:
            session = library.Session(**known)
            if session.get_credentials() is not None:
                return session
        except import_module("botocore.exceptions").BotoCoreError as error:
            raise CredentialError(f"{store.account}: {error}; look at AWS_PROFILE and ~/.aws/config") from None
    keys = find_credentials(ACCOUNTS[store.account])
    session = library.Session(keys["key"].reveal(), keys["secret"].reveal(), **known)
    return session
