"""Copernicus Data Space, the agency's own archive: windows by S3 with free keys, whole products with an account.

Its STAC catalogue lists the cloud-optimised twin of each product, which is always online.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import find_credentials
from sarship.catalog.query import SceneQuery
from sarship.catalog.s3 import S3Files, Store
from sarship.catalog.stac import search_stac
from sarship.catalog.tokens import Tokens, ask_json, says_where
from sarship.catalog.whole_product import fetch_zip
from sarship.download.fetch import FileRequest, Progress, public_url
from sarship.errors import CatalogError, DownloadError
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import cache_folder, open_remote

__all__ = ["CdseCatalog"]

_COLLECTION: Final = "sentinel-1-grd"
_HOSTS: Final = ".dataspace.copernicus.eu"
_FOLDER: Final = re.compile(r"(s3://eodata/[^?#]+\.SAFE)/")
_PRODUCT: Final = re.compile(r"/odata/v1/Products\(([0-9A-Za-z-]+)\)/\$value")
_CLIENT: Final = "cdse-public"
"""What programs that act for a user call themselves there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CdseCatalog:
    """The collection `sentinel-1-grd`."""

    address: str = "https://stac.dataspace.copernicus.eu/v1"
    """Of the STAC API."""
    odata: str = "https://catalogue.dataspace.copernicus.eu/odata/v1"
    """Of the catalogue that knows sizes and checksums of whole products."""
    identity: str = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
    """Where tokens come from."""
    store: str = "https://eodata.dataspace.copernicus.eu"
    """Of the S3 store."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4
    """As many connections as the service allows an account."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Scenes that meet a query, each acquisition once, by time; raises `CatalogError`. Needs no account."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> GrdProduct:
        """A scene to read windows of, with S3 keys. Its XML is fetched once and kept on disk; windows as well."""
        if not scene.assets.get("product", "").startswith("s3://eodata/"):
            raise CatalogError(f"{scene.id} is not a scene of this catalogue; search it there")
        store = Store(account="cdse-s3", region="default", endpoint=self.store)
        files = S3Files(scene.assets["product"], store)
        return open_grd(open_remote(files, scene.id, cache_folder() / "cdse"))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """The whole product as a zip: resumed, verified, complete under its name."""
        url = scene.assets.get("zip", "")
        found = _PRODUCT.search(url)
        if found is None:
            raise CatalogError(f"{scene.id} has no whole product in this catalogue; search it there")
        known = ask_json(f"{self.odata}/Products({found[1]})")
        if known.get("Online") is False:
            raise DownloadError(
                f"{scene.id} is in the archive, not online; order it in the Copernicus browser or take planetary"
            )
        size, checksum = _size_and_checksum(known)

        def request(target: Path) -> FileRequest:
            return FileRequest(
                url=url,
                target=target,
                size=size,
                checksum=checksum,
                authorize=_tokens(self.identity).header,
                own_hosts=frozenset({_HOSTS}),
            )

        with says_where(ACCOUNTS["cdse"]):
            return fetch_zip(scene.id, Path(folder), request, progress)

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        """The product's folder in the store and the address of its zip, whatever the assets are called."""
        hrefs = [str(asset.get("href", "")) for asset in (item.get("assets") or {}).values()]
        folders = {found[1] for href in hrefs if (found := _FOLDER.match(href))}
        if len(folders) != 1:
            raise CatalogError(f"{public_url(self.address)} says of {item.get('id')} no place where its files are")
        zips = [public_url(href) for href in hrefs if _PRODUCT.search(href) and self._is_own(href)]
        return {"product": folders.pop(), **({"zip": zips[0]} if zips else {})}

    def _is_own(self, href: str) -> bool:
        parts = urlsplit(href)
        is_listed = parts.scheme == "https" and (parts.hostname or "").endswith(_HOSTS)
        return is_listed or parts[:2] == urlsplit(self.odata)[:2]


def _size_and_checksum(known: dict[str, Any]) -> tuple[int | None, tuple[str, str] | None]:
    """What the catalogue says of a zip; of many it says nothing."""
    size, sums = known.get("ContentLength"), known.get("Checksum")
    given = {str(s.get("Algorithm")).lower(): str(s.get("Value")) for s in sums or () if isinstance(s, dict)}
    checksum = ("md5", given["md5"]) if re.fullmatch("[0-9a-fA-F]{32}", given.get("md5", "")) else None
    return (size if isinstance(size, int) and size > 0 else None), checksum


@cache
def _tokens(identity: str) -> Tokens:
    return Tokens(partial(_ask_token, identity))


def _ask_token(identity: str) -> tuple[str, datetime]:
    account = ACCOUNTS["cdse"]
    known = find_credentials(account)
    form = {
        "client_id": _CLIENT,
        "grant_type": "password",
        "username": known["user"].reveal(),
        "password": known["password"].reveal(),
    }
    answer = ask_json(identity, account, form=form)
    try:
        return str(answer["access_token"]), datetime.now(UTC) + timedelta(seconds=float(answer["expires_in"]))
    except (KeyError, ValueError, TypeError, OverflowError):
        raise CatalogError(f"{public_url(identity)} gives no token to read with; try again later") from None
