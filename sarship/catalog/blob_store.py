"""The blob stores of the Planetary Computer: files that open with a token, which anyone may have for an hour.

The token goes to GDAL among its options and to the downloader as the query of an address; neither shows it. Some
collections have wanted a subscription key for it; one that is set goes to the service that gives tokens, and nowhere
else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlencode, urlsplit

from sarship.catalog.remote_files import ListingTags, StoreFiles
from sarship.catalog.tokens import Grant, ask_json, shared_tokens, turns
from sarship.download.addresses import public_url
from sarship.download.request import FileRequest
from sarship.download.secret import Secret
from sarship.errors import CatalogError
from sarship.sentinel1.gdal_options import server_options

__all__ = ["N_READS", "STORES", "BlobFiles", "signer_of"]

STORES: Final = ".blob.core.windows.net"
"""Hosts of the files; a token goes nowhere else."""
N_READS: Final = 8
"""Maximum number of reads at once; the service asks for restraint and gives no number."""
_KEY: Final = "PC_SDK_SUBSCRIPTION_KEY"
"""Environment variable of the subscription key, as the service's own package has it."""
_TAGS: Final = ListingTags("Blobs/Blob", "Name", "Properties/Content-Length", "NextMarker")


@dataclass(frozen=True, slots=True)
class BlobFiles(StoreFiles):
    """Files of one product in a blob store."""

    address: str
    """Address of the product's folder."""
    signer: str
    """Address of the service that gives tokens for its collection."""
    is_renamed: ClassVar[bool] = True

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Turn at the store."""
        return turns(self.signer, N_READS)

    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        """Return the request for a file."""
        tokens = shared_tokens(_ask_token, self.signer)
        return FileRequest(
            url=f"{self.address}/{name}",
            target=target,
            size=size,
            checksum=("md5", md5) if md5 else None,
            sign=lambda url, renew: f"{url}?{tokens.current(renew).reveal()}",
        )

    def listing(self) -> dict[str, int]:
        """Return names and sizes of all files."""
        return self.list_files(f"{self._place[1]}/", _TAGS)

    def page_request(self, mark: str) -> FileRequest:
        """Return the request for a page of the listing; the first for an empty mark."""
        container, folder = self._place
        asked = {"restype": "container", "comp": "list", "prefix": f"{folder}/", **({"marker": mark} if mark else {})}
        tokens, parts = shared_tokens(_ask_token, self.signer), urlsplit(self.address)
        return FileRequest(
            url=f"{parts.scheme}://{parts.netloc}/{container}?{urlencode(asked)}",
            target=Path("listing.xml"),
            sign=lambda url, renew: f"{url}&{tokens.current(renew).reveal()}",
        )

    @property
    def _place(self) -> tuple[str, str]:
        """Container and folder of the product."""
        container, _, folder = urlsplit(self.address).path.strip("/").partition("/")
        return container, folder

    def gdal_path(self, name: str) -> str:
        """Return the path that GDAL opens; holds no credential."""
        return f"/vsiaz{urlsplit(self.address).path}/{name}"

    @contextmanager
    def access(self) -> Iterator[Mapping[str, object]]:
        """Return the context in which GDAL reads: it waits for a turn and gives the options, a token among them."""
        parts = urlsplit(self.address)
        fields = {
            "DefaultEndpointsProtocol": parts.scheme,
            "AccountName": (parts.hostname or "").partition(".")[0],
            "BlobEndpoint": f"{parts.scheme}://{parts.netloc}",
        }
        account = "".join(f"{name}={value};" for name, value in fields.items())
        with self.turn_to_read(self.address):
            token = shared_tokens(_ask_token, self.signer).current()
            connection = Secret(f"{account}SharedAccessSignature={token.reveal()}")
            yield {**server_options(), "AZURE_STORAGE_CONNECTION_STRING": connection}


def signer_of(address: str, collection: str) -> str:
    """Return the address at which the host of a STAC API gives tokens for a collection."""
    return re.sub(r"/stac/v1/?$", f"/sas/v1/token/{collection}", address)


def _ask_token(signer: str, _refresh: Secret) -> Grant:
    key = Secret(os.environ.get(_KEY, ""))
    try:
        answer = ask_json(signer, headers={"Ocp-Apim-Subscription-Key": key} if key else None)
    except CatalogError as error:
        if error.status not in {401, 403}:
            raise
        without = f"; it may want a subscription key, in the environment variable {_KEY}, or try again later"
        reason = f" with the subscription key in {_KEY}; correct it, or unset it" if key else without
        where = public_url(signer)
        raise CatalogError(f"{where} refuses a token{reason}", status=error.status, catalog=where) from None
    return Grant(answer.get("token"), answer.get("msft:expiry"))
