"""Any DHuS hub, as national mirrors run them: questions through sentinelsat, files by sarship's own downloads.

Copernicus closed its own hub, sentinelsat's default, in 2023, so the address has to be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import shapely

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import Account, find_credentials
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import asset_of, collect, make_scene, query_area
from sarship.catalog.session import Pages, hold_to, import_extra, no_list, no_reply, one_sentence
from sarship.catalog.tokens import ask_json, login_header, refused
from sarship.catalog.whole_product import fetch_zip
from sarship.download.addresses import public_url
from sarship.download.request import Progress
from sarship.errors import CatalogError
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct

__all__ = ["DhusCatalog"]

_UUID: Final = re.compile(r"/odata/v1/Products\('([0-9A-Fa-f-]{36})'\)/\$value$")
_LONGEST: Final = timedelta(minutes=2)
"""Hubs go by the start of a product; this is longer than any lasts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DhusCatalog:
    """A hub's GRD products."""

    address: str
    """Of the hub, e.g. `https://hub.example.org/dhus`."""
    reads_windows: ClassVar[bool] = False
    n_parallel: ClassVar[int] = 2
    """As many downloads as most hubs allow an account."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time. Hubs want an account even for that.

        Warns
        -----
        ProductWarning
            For each answer that makes no sense; the others are taken.

        Raises
        ------
        CatalogError
            If the hub cannot be reached, refuses, or answers nonsense, or sentinelsat is not installed.
        CredentialError
            If there is no account, or the hub refuses it.
        """
        yield from collect(self._ask(query).items(), self._scene, query, public_url(self.address))

    def open(self, scene: Scene) -> GrdProduct:
        """Raise `CatalogError`: nothing can be read out of a zip in place."""
        raise CatalogError(f"a hub gives whole products only: fetch {scene.id} first, or take planetary for windows")

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch the whole product as a zip: resumed, verified, complete under its name."""
        url, account = asset_of(scene, "zip", self.address), self._account
        if not _UUID.search(url):
            raise CatalogError(f"{scene.id} is not a scene of this catalogue; search for it in this catalogue first")
        header = login_header(account)
        told = ask_json(f"{url.removesuffix('/$value')}?$format=json", account, headers=header).get("d")
        if not (isinstance(told, dict) and isinstance(told.get("Checksum", {}), dict)):
            raise CatalogError(f"{public_url(self.address)} does not tell the size of {scene.id}; try again later")
        return fetch_zip(
            scene.id,
            Path(folder),
            url,
            authorize=lambda _renew: header,
            account=account,
            size=told.get("ContentLength"),
            md5=told.get("Checksum", {}).get("Value"),
            progress=progress,
        )

    @property
    def _account(self) -> Account:
        return replace(ACCOUNTS["dhus"], machine=urlsplit(self.address).hostname or "")

    def _scene(self, entry: tuple[str, Mapping[str, Any]]) -> Scene | None:
        number, found = entry
        source, url = public_url(self.address), f"{self.address}/odata/v1/Products('{number}')/$value"
        if not _UUID.search(url):
            raise CatalogError(f"{source} gives {found.get('title')} the number {number!r}, which is no UUID")
        return make_scene(
            str(found.get("title")),
            found.get("footprint"),
            source=source,
            start=found.get("beginposition"),
            stop=found.get("endposition"),
            relative_orbit=found.get("relativeorbitnumber"),
            orbit_pass=found.get("orbitdirection"),
            processed=found.get("ingestiondate"),  # when the hub got it is all that it says
            polarizations=str(found.get("polarisationmode", "VV")).split(),
            assets={"zip": url},
        )

    def _ask(self, query: SceneQuery) -> dict[str, Mapping[str, Any]]:
        """Products by their numbers, part by part of an area that the antimeridian splits."""
        found: dict[str, Mapping[str, Any]] = {}
        start, end = query.period
        areas = [None] if query.area is None else [shapely.box(*a.bounds) for a in shapely.get_parts(query_area(query))]
        with self._api() as api:
            for area in areas:
                asked = {
                    "area": None if area is None else area.wkt,
                    "date": (start - _LONGEST, end + timedelta(seconds=1)),
                    "platformname": "Sentinel-1",
                    "producttype": "GRD",
                }
                products = api.query(**asked)
                Pages(public_url(self.address)).check(set(products), has_more=False, n_all=api.count(**asked))
                found.update(products)
        return found

    @contextmanager
    def _api(self) -> Iterator[Any]:
        """sentinelsat, held to the hub; its errors in one sentence, without what the hub said word by word."""
        library = import_extra("sentinelsat", "the catalogue `dhus`", "dhus")
        source, known = public_url(self.address), find_credentials(self._account)
        hub = f"{self.address}/"
        api = library.SentinelAPI(known["user"].reveal(), known["password"].reveal(), hub, show_progressbars=False)
        hold_to(api.session, self.address)
        try:
            with closing(api.session), one_sentence(source, "sentinelsat"):
                yield api
        except library.SentinelAPIError as error:
            status = getattr(error.response, "status_code", 200)
            if status in {401, 403}:
                raise refused(self._account, source, status) from None
            raise (no_list(source) if status == 200 else no_reply(source, status)) from None
