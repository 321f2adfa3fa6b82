"""Microsoft's Planetary Computer: no account, and windows read in place out of cloud-optimised files.

Its files lie in Azure's blob storage and open with a token that anyone may have for an hour. The token goes to GDAL
among its options and to the downloader as the query of an address; neither shows it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import parse_time
from sarship.catalog.stac import search_stac
from sarship.catalog.tokens import Tokens, ask_json
from sarship.catalog.whole_product import fetch_folder
from sarship.download.fetch import FileRequest, Progress, fetch_file, public_url
from sarship.download.probe import wait_until_served
from sarship.errors import CatalogError
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import GDAL_OPTIONS, RemoteContainer, cache_folder, open_remote

__all__ = ["PlanetaryCatalog"]

_ADDRESS: Final = "https://planetarycomputer.microsoft.com/api/stac/v1"
_COLLECTION: Final = "sentinel-1-grd"
_STORES: Final = ".blob.core.windows.net"
"""Where the files are; a token goes nowhere else."""
_N_PARALLEL: Final = 8
"""Most reads at once; the service asks for restraint and gives no number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanetaryCatalog:
    """The collection `sentinel-1-grd`."""

    address: str = _ADDRESS
    """Of the STAC API; tokens come from the same host."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4
    """A scene's two images come side by side, so that twice as many files are under way."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Scenes that meet a query, each acquisition once, by time; raises `CatalogError`."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> GrdProduct:
        """A scene to read windows of. Its XML is fetched once and kept on disk; windows that were read as well."""
        return open_grd(self._container(scene))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """The product's files that sarship reads, as a `.SAFE` folder: resumed, verified, complete under its name."""
        container = self._container(scene)
        files = self._files(scene)
        return fetch_folder(
            container, Path(folder), files.request, n_parallel=_N_PARALLEL // self.n_parallel, progress=progress
        )

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        """Only the manifest's address is taken: the assets named after annotations lead to other files."""
        href = str(((item.get("assets") or {}).get("safe-manifest") or {}).get("href", ""))
        parts = urlsplit(href)
        is_own = (parts.scheme == "https" and (parts.hostname or "").endswith(_STORES)) or parts[:2] == urlsplit(
            self.address
        )[:2]
        if not is_own or not parts.path.endswith("/manifest.safe"):
            raise CatalogError(f"{public_url(self.address)} says of {item.get('id')} no place where its files are")
        return {"product": public_url(href).removesuffix("/manifest.safe")}

    def _files(self, scene: Scene) -> _BlobFiles:
        if not scene.assets.get("product", "").startswith("http"):
            raise CatalogError(f"{scene.id} is not a scene of this catalogue; search it there")
        return _BlobFiles(scene.assets["product"], re.sub(r"/stac/v1/?$", "/sas/v1/token/" + _COLLECTION, self.address))

    def _container(self, scene: Scene) -> RemoteContainer:
        return open_remote(self._files(scene), scene.id, cache_folder() / "planetary")


@dataclass(frozen=True, slots=True)
class _BlobFiles:
    """Files of one product in a blob store."""

    address: str
    signer: str
    """Where tokens come from."""

    def request(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> FileRequest:
        return FileRequest(
            url=f"{self.address}/{name}",
            target=target,
            size=size,
            checksum=("md5", md5) if md5 else None,
            sign=lambda url, renew: f"{url}?{_tokens(self.signer).current(renew)}",
        )

    def fetch(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> None:
        wanted = self.request(name, target, size, md5)
        fetch_file(wanted.url, target, size=size, checksum=wanted.checksum, sign=wanted.sign)

    def probe(self, name: str) -> None:
        wait_until_served(self.request(name, Path(name)))

    def listing(self) -> None:
        """Not needed: `productInfo.json` maps the manifest's names to the store's."""

    def gdal_path(self, name: str) -> str:
        return f"/vsiaz{urlsplit(self.address).path}/{name}"

    @contextmanager
    def access(self) -> Iterator[Mapping[str, object]]:
        parts = urlsplit(self.address)
        fields = {
            "DefaultEndpointsProtocol": parts.scheme,
            "AccountName": (parts.hostname or "").partition(".")[0],
            "BlobEndpoint": f"{parts.scheme}://{parts.netloc}",
            "SharedAccessSignature": _tokens(self.signer).current(),
        }
        with _turn(self.signer):
            yield {**GDAL_OPTIONS, "AZURE_STORAGE_CONNECTION_STRING": ";".join(f"{k}={v}" for k, v in fields.items())}


@cache
def _tokens(address: str) -> Tokens:
    return Tokens(partial(_ask_token, address))


def _ask_token(address: str) -> tuple[str, datetime]:
    answer = ask_json(address)
    try:
        return str(answer["token"]), parse_time(answer["msft:expiry"], public_url(address))
    except (KeyError, CatalogError):
        raise CatalogError(f"{public_url(address)} gives no token to read with; try again later") from None


@cache
def _turn(_address: str) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(_N_PARALLEL)


def _hides_token(record: logging.LogRecord) -> bool:
    """Rasterio logs the options that it hands to GDAL, at its DEBUG level."""
    return "SharedAccessSignature" not in record.getMessage()


logging.getLogger("rasterio._env").addFilter(_hides_token)
