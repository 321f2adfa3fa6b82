"""Alaska Satellite Facility: every product since 2014 as a plain zip, with an Earthdata login.

Questions go through asf_search; files do not, for its downloader neither resumes nor verifies.
"""

from __future__ import annotations

import base64
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

import requests
import shapely
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import find_credentials
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import POLARIZATIONS, arrange, make_scene, matches, query_area, query_of
from sarship.catalog.tokens import Tokens, ask_json, says_where
from sarship.catalog.whole_product import fetch_zip
from sarship.download.fetch import FileRequest, Progress, public_url
from sarship.errors import CatalogError, ProductWarning
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
"""Where its hosts send on to: stores with the leave in the address, and the page that wants a log-in."""
_TOKEN_LIFE: Final = timedelta(hours=12)
"""Tokens last two months; this is how long one is kept before it is asked for again."""
_N_TRIES: Final = 5
_TIMEOUT_S: Final = (20.0, 60.0)
_REPORTS: Final = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class AsfCatalog:
    """The plain GRD products."""

    address: str = "https://cmr.earthdata.nasa.gov"
    """Of NASA's catalogue, which asf_search asks."""
    identity: str = "https://urs.earthdata.nasa.gov/api/users/find_or_create_token"
    """Where tokens come from."""
    reads_windows: ClassVar[bool] = False
    n_parallel: ClassVar[int] = 4

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Scenes that meet a query, each acquisition once, by time. Needs no account.

        Warns
        -----
        ProductWarning
            For each answer that makes no sense; the others are kept.

        Raises
        ------
        CatalogError
            If the service cannot be reached, refuses, or answers nonsense, or asf_search is not there.
        """
        scenes = (self._scene(found) for found in self._ask(query))
        yield from arrange(scene for scene in scenes if scene is not None and matches(scene, query))

    def open(self, scene: Scene) -> GrdProduct:
        """Refused with a `CatalogError`: nothing can be read out of a zip in place."""
        raise CatalogError(
            f"asf gives whole products only: fetch {scene.id} first, or take planetary, which has windows"
        )

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """The whole product as a zip: resumed, verified, complete under its name."""
        url = scene.assets.get("zip", "")
        if not self._is_own(url):
            raise CatalogError(f"{scene.id} is not a scene of this catalogue; search it there")
        named = (found for found in self._ask(query_of(scene.id)) if found["url"] == url)
        known: Mapping[str, Any] = next(named, {})
        size, md5 = known.get("bytes"), str(known.get("md5sum") or "")

        def request(target: Path) -> FileRequest:
            return FileRequest(
                url=url,
                target=target,
                size=int(size) if isinstance(size, int | float) and size > 0 else None,
                checksum=("md5", md5) if re.fullmatch("[0-9a-fA-F]{32}", md5) else None,
                authorize=_tokens(self.identity).header,
                hosts=_STORES,
                own_hosts=frozenset({_HOSTS}),
            )

        with says_where(ACCOUNTS["asf"]):
            return fetch_zip(scene.id, Path(folder), request, progress)

    def _scene(self, found: Mapping[str, Any]) -> Scene | None:
        source = public_url(self.address)
        try:
            if not self._is_own(str(found["url"])):
                raise CatalogError(f"{source} says of {found['sceneName']} no place where its files are")
            if not POLARIZATIONS & set(str(found["polarization"]).split("+")):
                raise CatalogError(f"{source} gives {found['sceneName']} the polarisations {found['polarization']!r}")
            return make_scene(
                str(found["sceneName"]),
                found["geometry"],
                source=source,
                start=found["startTime"],
                stop=found["stopTime"],
                relative_orbit=found["pathNumber"],
                orbit_pass=found["flightDirection"],
                processed=found["processed"],
                assets={"zip": public_url(str(found["url"]))},
            )
        except CatalogError as error:
            warnings.warn(f"left out: {error}", ProductWarning, stacklevel=2)
            return None

    def _is_own(self, url: str) -> bool:
        parts = urlsplit(url)
        is_listed = parts.scheme == "https" and (parts.hostname or "").endswith(_HOSTS)
        return is_listed or (bool(parts.netloc) and parts[:2] == urlsplit(self.address)[:2])

    def _ask(self, query: SceneQuery) -> list[dict[str, Any]]:
        """What the service says of products, part by part of an area that the antimeridian splits."""
        library = _library()
        found: list[dict[str, Any]] = []
        start, end = query.period
        areas = [None] if query.area is None else [a.convex_hull.wkt for a in shapely.get_parts(query_area(query))]
        for area in areas:
            with _no_reports(library), closing(_session(library, self.address)) as session:
                options = library.ASFSearchOptions(session=session)
                pages = library.search_generator(
                    shortName=_COLLECTIONS, start=start, end=end, intersectsWith=area, opts=options
                )
                try:
                    found += [_plain(product) for page in pages for product in page]
                except (library.ASFError, LookupError, TypeError, AttributeError, ValueError) as error:
                    if isinstance(error, CatalogError):
                        raise
                    raise CatalogError(
                        f"{public_url(self.address)} gave an answer that asf_search cannot read "
                        f"({type(error).__name__}); try again later, or another catalogue"
                    ) from None
        return found


def _plain(product: Any) -> dict[str, Any]:
    """The properties of a product, and two that asf_search leaves aside."""
    listed = product.umm.get("AdditionalAttributes") or ()
    processed = [value for one in listed if one.get("Name") == "PROCESSING_DATE" for value in one.get("Values", ())]
    return {**product.properties, "geometry": product.geometry, "processed": processed[0] if processed else None}


def _library() -> ModuleType:
    try:
        import asf_search  # noqa: PLC0415  (an extra)
    except ImportError:
        raise CatalogError("the catalogue `asf` needs asf_search: pip install 'sarship[asf]'") from None
    module: ModuleType = asf_search
    return module


@contextmanager
def _no_reports(library: ModuleType) -> Iterator[None]:
    """asf_search sends what was asked to its makers when an answer is incomplete; it is not ours to send.

    Nor is it our caller's to hear how it uses its own libraries.
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
    """A session for asf_search that speaks to one host and believes only lists of products."""
    source = public_url(address)

    class Session(library.ASFSession):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            retries = Retry(
                total=_N_TRIES,
                connect=1,  # a host that is not there: most likely there is no network
                backoff_factor=0.5,
                status_forcelist=(429, 500, 502, 503, 504),
                allowed_methods=None,
                raise_on_status=False,
            )
            for scheme in ("https://", "http://"):
                self.mount(scheme, HTTPAdapter(max_retries=retries))
            self.auth = lambda request: request  # requests would else send what `~/.netrc` has
            self.seen: set[str] = set()

        def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> requests.Response:
            """Ask for a page."""
            options |= {"timeout": _TIMEOUT_S, "allow_redirects": False}
            try:
                response: requests.Response = super().post(address + urlsplit(url).path, data, json, **options)
            except requests.RequestException:
                raise CatalogError(f"{source} cannot be reached; try again later, or another catalogue") from None
            if response.status_code != 200:
                raise CatalogError(f"{source} answered {response.status_code}; try again later, or another catalogue")
            self._check_page(response)
            return response

        def _check_page(self, response: requests.Response) -> None:
            try:
                page = response.json()
                names, n_all = {str(item["meta"]["concept-id"]) for item in page["items"]}, int(page["hits"])
            except (ValueError, KeyError, TypeError, RecursionError):
                raise CatalogError(
                    f"{source} answered something else than a list of scenes; look whether it is up"
                ) from None
            if names & self.seen:
                raise CatalogError(f"{source} sent the same page twice, so that scenes may be lost; ask again")
            self.seen |= names
            has_more = "CMR-Search-After" in response.headers
            if len(self.seen) < n_all and not (names and has_more):
                raise CatalogError(
                    f"{source} sent {len(self.seen)} of {n_all} scenes, so that some may be lost; ask again"
                )

    return Session()


@cache
def _tokens(identity: str) -> Tokens:
    return Tokens(partial(_ask_token, identity))


def _ask_token(identity: str) -> tuple[str, datetime]:
    account = ACCOUNTS["asf"]
    known = find_credentials(account)
    both = f"{known['user'].reveal()}:{known['password'].reveal()}".encode()
    header = {"Authorization": f"Basic {base64.b64encode(both).decode()}"}
    answer = ask_json(identity, account, headers=header, form={})
    if not isinstance(answer.get("access_token"), str):
        raise CatalogError(f"{public_url(identity)} gives no token to read with; try again later")
    return answer["access_token"], datetime.now(UTC) + _TOKEN_LIFE
