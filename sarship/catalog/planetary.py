"""Microsoft's Planetary Computer: no account, and windows read in place out of cloud-optimised files.

Its files lie in Azure's blob storage and open with a token that anyone may have for an hour. The token goes to GDAL
among its options and to the downloader as the query of an address; neither shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

from sarship.catalog.query import SceneQuery
from sarship.catalog.remote_files import ListingTags, StoreFiles
from sarship.catalog.scenes import asset_of
from sarship.catalog.session import is_own
from sarship.catalog.stac import manifest_address, search_stac
from sarship.catalog.tokens import Grant, ask_json, shared_tokens, turns
from sarship.catalog.whole_product import fetch_folder
from sarship.download.addresses import public_url
from sarship.download.request import FileRequest, Progress
from sarship.download.secret import Secret
from sarship.model import Scene
from sarship.sentinel1.gdal_options import server_options
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import RemoteContainer, cache_folder, open_remote

__all__ = ["PlanetaryCatalog"]

_ADDRESS: Final = "https://planetarycomputer.microsoft.com/api/stac/v1"
_COLLECTION: Final = "sentinel-1-grd"
_STORES: Final = ".blob.core.windows.net"
"""Hosts of the files; a token goes nowhere else."""
_TAGS: Final = ListingTags("Blobs/Blob", "Name", "Properties/Content-Length", "NextMarker")
_N_PARALLEL: Final = 8
"""Maximum number of reads at once; the service asks for restraint and gives no number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanetaryCatalog:
    """The collection `sentinel-1-grd` of the Planetary Computer."""

    address: str = _ADDRESS
    """Of the STAC API; tokens come from the same host."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4
    """A scene's two images come side by side, so that twice as many files are under way."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time; raises `CatalogError`."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> GrdProduct:
        """Open a scene to read windows of it. XML and windows stay on disk, and are fetched once."""
        return open_grd(self._open(scene)[0])

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch the files that sarship reads, as a `.SAFE` folder: resumed, verified, complete under its name."""
        n_parallel = _N_PARALLEL // self.n_parallel
        return fetch_folder(*self._open(scene), Path(folder), n_parallel=n_parallel, progress=progress)

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        href = manifest_address(item)
        is_good = is_own(href, _STORES, self.address) and urlsplit(href).path.endswith("/manifest.safe")
        return {"product": public_url(href).removesuffix("/manifest.safe")} if is_good else {}

    def _open(self, scene: Scene) -> tuple[RemoteContainer, StoreFiles]:
        signer = re.sub(r"/stac/v1/?$", "/sas/v1/token/" + _COLLECTION, self.address)
        files = _BlobFiles(asset_of(scene, "product", "http"), signer)
        return open_remote(files, scene.id, cache_folder() / "planetary"), files


@dataclass(frozen=True, slots=True)
class _BlobFiles(StoreFiles):
    """Files of one product in a blob store."""

    address: str
    signer: str
    """Address of the service that gives tokens."""
    is_renamed: ClassVar[bool] = True

    @property
    def turn(self) -> AbstractContextManager[object]:
        return turns(self.signer, _N_PARALLEL)

    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        tokens = shared_tokens(_ask_token, self.signer)
        return FileRequest(
            url=f"{self.address}/{name}",
            target=target,
            size=size,
            checksum=("md5", md5) if md5 else None,
            sign=lambda url, renew: f"{url}?{tokens.current(renew).reveal()}",
        )

    def listing(self) -> dict[str, int]:
        return self.list_files(f"{self._place[1]}/", _TAGS)

    def page_request(self, mark: str) -> FileRequest:
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
        return f"/vsiaz{urlsplit(self.address).path}/{name}"

    @contextmanager
    def access(self) -> Iterator[Mapping[str, object]]:
        parts = urlsplit(self.address)
        fields = {
            "DefaultEndpointsProtocol": parts.scheme,
            "AccountName": (parts.hostname or "").partition(".")[0],
            "BlobEndpoint": f"{parts.scheme}://{parts.netloc}",
        }
        token = shared_tokens(_ask_token, self.signer).current()
        account = "".join(f"{name}={value};" for name, value in fields.items())
        connection = Secret(f"{account}SharedAccessSignature={token.reveal()}")
        with self.turn:
            yield {**server_options(), "AZURE_STORAGE_CONNECTION_STRING": connection}


def _ask_token(signer: str, _refresh: Secret) -> Grant:
    answer = ask_json(signer)
    return Grant(answer.get("token"), answer.get("msft:expiry"))
