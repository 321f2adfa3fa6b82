"""Alaska Satellite Facility: every product since 2014 as a plain zip, with an Earthdata login.

Questions go through asf_search; files do not, for its downloader neither resumes nor verifies.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

import requests
import shapely

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import asset_of, collect, make_scene, query_area, query_of
from sarship.catalog.session import Pages, hold_to, import_extra, is_own, no_list, no_reply, one_sentence
from sarship.catalog.tokens import Grant, ask_json, login_header, shared_tokens
from sarship.catalog.whole_product import fetch_zip
from sarship.download.addresses import public_url
from sarship.download.request import Progress
from sarship.download.secret import Secret
from sarship.errors import CatalogError
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["AsfCatalog"]

_COLLECTIONS: Final = [
    f"SENTINEL-1{unit}_{channels}P_GRD_{resolution}"
    for unit in "ABCD"
    for channels in "SD"
    for resolution in ("FULL", "HIGH", "MEDIUM")
]
_HOSTS: Final = ".asf.alaska.edu"
_STORES: Final = frozenset({".cloudfront.net", ".amazonaws.com", "urs.earthdata.nasa.gov"})
"""Hosts that its own redirect to: stores with a signature in the address, and the login page."""
_TOKEN_LIFE_S: Final = 43_200.0
"""Tokens last two months; after half a day one is asked for again."""
_REPORTS: Final = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class AsfCatalog:
    """The plain GRD products of the Alaska Satellite Facility, as zips."""

    address: str = "https://cmr.earthdata.nasa.gov"
    """Of NASA's catalogue, which asf_search asks."""
    identity: str = "https://urs.earthdata.nasa.gov/api/users/find_or_create_token"
    """Of the service that gives tokens."""
    reads_windows: ClassVar[bool] = False
    n_parallel: ClassVar[int] = 4

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time. Needs no account.

        Warns
        -----
        ProductWarning
            For each answer that makes no sense; the others are taken.

        Raises
        ------
        CatalogError
            If the service cannot be reached, refuses, or answers nonsense, or asf_search is not installed.
        """
        yield from collect(self._ask(query), self._scene, query, public_url(self.address))

    def open(self, scene: Scene) -> GrdProduct:
        """Raise `CatalogError`: nothing can be read out of a zip in place."""
        raise CatalogError(
            f"asf gives whole products only: fetch {scene.id} first, or take planetary, which has windows"
        )

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch the whole product as a zip: resumed, verified, complete under its name."""
        url = asset_of(scene, "zip")
        if not is_own(url, _HOSTS, self.address):
            raise CatalogError(f"{scene.id} is not a scene of this catalogue; search for it in this catalogue first")
        named = (found for found in self._ask(query_of(scene.id)) if found["url"] == url)
        known: Mapping[str, Any] = next(named, {})
        return fetch_zip(
            scene.id,
            Path(folder),
            url,
            authorize=shared_tokens(_ask_token, self.identity).header,
            account=ACCOUNTS["asf"],
            size=known.get("bytes"),
            md5=known.get("md5sum"),
            hosts=_STORES,
            own_hosts=frozenset({_HOSTS}),
            progress=progress,
        )

    def _scene(self, found: Mapping[str, Any]) -> Scene | None:
        url = str(found["url"])
        return make_scene(
            str(found["sceneName"]),
            found["geometry"],
            source=public_url(self.address),
            start=found["startTime"],
            stop=found["stopTime"],
            relative_orbit=found["pathNumber"],
            orbit_pass=found["flightDirection"],
            processed=found["processed"],
            polarizations=str(found["polarization"]).split("+"),
            assets={"zip": public_url(url)} if is_own(url, _HOSTS, self.address) else {},
        )

    def _ask(self, query: SceneQuery) -> list[dict[str, Any]]:
        """Properties of products, part by part of an area that the antimeridian splits."""
        library = import_extra("asf_search", "the catalogue `asf`", "asf")
        found: list[dict[str, Any]] = []
        start, end = query.period
        areas = [None] if query.area is None else [a.convex_hull.wkt for a in shapely.get_parts(query_area(query))]
        for area in areas:
            with (
                one_sentence(public_url(self.address), "asf_search", library.ASFError),
                _no_reports(library),
                closing(_session(library, self.address)) as session,
            ):
                options = library.ASFSearchOptions(session=session)
                pages = library.search_generator(
                    shortName=_COLLECTIONS, start=start, end=end, intersectsWith=area, opts=options
                )
                found += [_plain(product) for page in pages for product in page]
        return found


def _plain(product: Any) -> dict[str, Any]:
    """Properties of a product, and two that asf_search leaves out."""
    listed = product.umm.get("AdditionalAttributes") or ()
    processed = [value for one in listed if one.get("Name") == "PROCESSING_DATE" for value in one.get("Values", ())]
    return {**product.properties, "geometry": product.geometry, "processed": processed[0] if processed else None}


@contextmanager
def _no_reports(library: ModuleType) -> Iterator[None]:
    """Switch off the reports that asf_search sends to its makers when an answer is incomplete: queries are private.

    Its deprecation warnings are no concern of our caller either.
    """
    with _REPORTS, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        before = vars(library)["REPORT_ERRORS"]
        vars(library)["REPORT_ERRORS"] = False
        try:
            yield
        finally:
            vars(library)["REPORT_ERRORS"] = before


def _session(library: ModuleType, address: str) -> requests.Session:
    """Session for asf_search that speaks to one host and believes only lists of products."""
    source = public_url(address)
    seen = Pages(source)

    class Session(library.ASFSession):  # type: ignore[misc,name-defined]
        def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> requests.Response:
            """Ask for a page."""
            options["allow_redirects"] = False
            with one_sentence(source, "asf_search"):
                response: requests.Response = super().post(address + urlsplit(url).path, data, json, **options)
            if response.status_code != 200:
                raise no_reply(source, response.status_code)
            try:
                page = response.json()
                names, n_all = {str(item["meta"]["concept-id"]) for item in page["items"]}, int(page["hits"])
            except (ValueError, KeyError, TypeError, RecursionError):
                raise no_list(source) from None
            seen.check(names, has_more="CMR-Search-After" in response.headers, n_all=n_all)
            return response

    session: requests.Session = Session()
    hold_to(session, address)
    return session


def _ask_token(identity: str, _refresh: Secret) -> Grant:
    account = ACCOUNTS["asf"]
    if token := Secret(os.environ.get(account.bearer, "")):
        return Grant(token, _TOKEN_LIFE_S)
    answer = ask_json(identity, account, headers=login_header(account), form={})
    return Grant(answer.get("access_token"), _TOKEN_LIFE_S)
