"""Copernicus Data Space, the agency's own archive: windows by S3 with free keys, whole products with an account.

Its STAC catalogue lists the cloud-optimised twin of each product, which is always online.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import find_credentials
from sarship.catalog.query import SceneQuery
from sarship.catalog.s3 import S3Files, Store
from sarship.catalog.scenes import asset_of
from sarship.catalog.session import is_own
from sarship.catalog.stac import search_stac
from sarship.catalog.tokens import Grant, ask_json, shared_tokens
from sarship.catalog.whole_product import fetch_zip
from sarship.download.addresses import public_url
from sarship.download.request import Progress
from sarship.download.secret import Secret
from sarship.errors import CatalogError, CredentialError, DownloadError
from sarship.files import cache_folder
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import open_remote

__all__ = ["CdseCatalog"]

_COLLECTION: Final = "sentinel-1-grd"
_HOSTS: Final = ".dataspace.copernicus.eu"
_FOLDER: Final = re.compile(r"(s3://eodata/[^?#]+\.SAFE)/")
_PRODUCT: Final = re.compile(r"/odata/v1/Products\(([0-9A-Za-z-]+)\)/\$value")
_CLIENT: Final = "cdse-public"
"""Name that programs acting for a user give themselves there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CdseCatalog:
    """The collection `sentinel-1-grd` of the Copernicus Data Space."""

    address: str = "https://stac.dataspace.copernicus.eu/v1"
    """Of the STAC API."""
    odata: str = "https://catalogue.dataspace.copernicus.eu/odata/v1"
    """Of the catalogue that knows sizes and checksums of whole products."""
    identity: str = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
    """Of the service that gives tokens."""
    store: str = "https://eodata.dataspace.copernicus.eu"
    """Of the S3 store."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4
    """As many connections as the service allows an account."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time. Needs no account."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> GrdProduct:
        """Open a scene to read windows of it, with S3 keys. XML and windows stay on disk, and are fetched once."""
        store = Store(account="cdse-s3", region="default", endpoint=self.store)
        files = S3Files(asset_of(scene, "product", "s3://eodata/"), store)
        return open_grd(open_remote(files, scene.id, cache_folder() / "cdse"))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch the whole product as a zip: resumed, verified, complete under its name."""
        url, known = scene.assets.get("zip", ""), self._known(scene)
        if known.get("Online") is False:
            raise DownloadError(
                f"{scene.id} is in the archive, not online; order it in the Copernicus browser or take planetary",
                file=scene.id,
            )
        sums = [one for one in known.get("Checksum") or () if isinstance(one, dict)]
        return fetch_zip(
            scene.id,
            Path(folder),
            url,
            authorize=shared_tokens(_ask_token, self.identity).header,
            account=ACCOUNTS["cdse"],
            size=known.get("ContentLength"),
            md5=next((one.get("Value") for one in sums if str(one.get("Algorithm")).lower() == "md5"), None),
            own_hosts=frozenset({_HOSTS}),
            progress=progress,
        )

    def is_online(self, scene: Scene) -> bool:
        """Return True if the whole product can be fetched at once; else it is in the archive."""
        return self._known(scene).get("Online") is not False

    def _known(self, scene: Scene) -> dict[str, Any]:
        """The catalogue's record of the whole product."""
        found = _PRODUCT.search(scene.assets.get("zip", ""))
        if found is None:
            raise CatalogError(f"{scene.id} has no whole product in this catalogue; search for it here first")
        return ask_json(f"{self.odata}/Products({found[1]})")

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        """The product's folder in the store and the address of its zip, whatever the assets are called.

        The folder is that of most assets: a quick-look may lie elsewhere.
        """
        hrefs = [str(asset.get("href", "")) for asset in (item.get("assets") or {}).values()]
        folders = Counter(found[1] for href in hrefs if (found := _FOLDER.match(href)))
        if not folders:
            return {}
        zips = [public_url(href) for href in hrefs if _PRODUCT.search(href) and is_own(href, _HOSTS, self.odata)]
        (folder, _), *_ = folders.most_common(1)
        return {"product": folder, **({"zip": zips[0]} if zips else {})}


def _ask_token(identity: str, refresh: Secret) -> Grant:
    """Ask in the session that is open; log in where there is none, or where it has ended.

    The service limits the sessions of an account, and takes the code of a two-factor login once.
    """
    if refresh:
        try:
            return _grant(identity, grant_type="refresh_token", refresh_token=refresh)
        except (CatalogError, CredentialError) as error:
            if error.status not in {400, 401}:  # as the service answers when the session has ended
                raise
    account = ACCOUNTS["cdse"]
    known = find_credentials(account)
    code = Secret(os.environ.get(account.code, ""))
    return _grant(
        identity,
        grant_type="password",
        username=known["user"],
        password=known["password"],
        **({"totp": code} if code else {}),
    )


def _grant(identity: str, **form: str) -> Grant:
    answer = ask_json(identity, ACCOUNTS["cdse"], form={"client_id": _CLIENT, **form})
    return Grant(answer.get("access_token"), answer.get("expires_in"), answer.get("refresh_token"))
