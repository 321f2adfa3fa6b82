"""Any DHuS hub, as national mirrors run them, through sentinelsat: its questions, its answers, its download.

Copernicus closed its own hub, sentinelsat's default, in 2023, so the address has to be given.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

import requests
import shapely
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from sarship.catalog.accounts import ACCOUNTS
from sarship.catalog.credentials import Account, find_credentials
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import POLARIZATIONS, arrange, make_scene, matches, query_area
from sarship.catalog.tokens import refused
from sarship.catalog.whole_product import verified
from sarship.download.fetch import Progress, public_url
from sarship.download.partial import check_space, open_part
from sarship.errors import CatalogError, DownloadError, OutputError, ProductWarning
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["DhusCatalog"]

_UUID: Final = re.compile(r"/odata/v1/Products\('([0-9A-Fa-f-]{36})'\)/\$value$")
_LONGEST: Final = timedelta(minutes=2)
"""Hubs go by the start of a product; this is longer than any lasts."""
_CHUNK: Final = 2**18
"""Bytes that sentinelsat takes at a time, and loses when a connection breaks."""
_N_TRIES: Final = 5
_BACKOFF_S: Final = 0.5
_TIMEOUT_S: Final = (20.0, 60.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class DhusCatalog:
    """A hub's GRD products."""

    address: str
    """Of the hub, e.g. `https://hub.example.org/dhus`."""
    reads_windows: ClassVar[bool] = False
    n_parallel: ClassVar[int] = 2
    """As many downloads as most hubs allow an account."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Scenes that meet a query, each acquisition once, by time. Hubs want an account even for that.

        Warns
        -----
        ProductWarning
            For each answer that makes no sense; the others are kept.

        Raises
        ------
        CatalogError
            If the hub cannot be reached, refuses, or answers nonsense, or sentinelsat is not there.
        CredentialError
            If there is no account, or the hub refuses it.
        """
        scenes = (self._scene(number, found) for number, found in self._ask(query).items())
        yield from arrange(scene for scene in scenes if scene is not None and matches(scene, query))

    def open(self, scene: Scene) -> GrdProduct:
        """Refused with a `CatalogError`: nothing can be read out of a zip in place."""
        raise CatalogError(f"a hub gives whole products only: fetch {scene.id} first, or take planetary for windows")

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """The whole product as a zip, by sentinelsat's download: resumed, verified, complete under its name."""
        folder = Path(folder)
        target, part = folder / f"{scene.id}.zip", folder / f".{scene.id}.incoming.zip"
        found = _UUID.search(scene.assets.get("zip", ""))
        if found is None or not scene.assets["zip"].startswith(self.address):
            raise CatalogError(f"{scene.id} is not a scene of this catalogue; search it there")
        if not target.exists():
            with open_part(folder / f".{scene.id}.lock", time.sleep):  # one process at a time
                if not target.exists():
                    self._download(found[1], part, progress)
                    return verified(part, target, is_whole=True)
        return target

    def _download(self, number: str, part: Path, progress: Progress | None) -> None:
        library, where = _library(), f"{public_url(self.address)}: product {number}"
        reason = ""
        with self._errors(library), closing(_hub(library, self.address, part, progress)) as hub:
            for n_failures in range(_N_TRIES):
                try:
                    hub.api.download(number, part.parent)
                except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                    reason = "the connection was cut"
                except library.InvalidChecksumError:
                    reason = "the checksum of what arrived is not the hub's"
                except library.LTATriggered:
                    raise DownloadError(
                        f"{where} is being brought from the archive; run the download again in an hour"
                    ) from None
                except (requests.RequestException, OutputError):
                    raise
                except OSError as error:
                    raise OutputError(
                        f"{part} cannot be written ({error.strerror}); make room or give another folder"
                    ) from None
                else:
                    return
                _pause(n_failures)
        raise DownloadError(f"{where}: {reason}, {_N_TRIES} times; run the download again to go on from here")

    def _scene(self, number: str, found: Mapping[str, Any]) -> Scene | None:
        source = public_url(self.address)
        url = f"{self.address}/odata/v1/Products('{number}')/$value"
        try:
            if not _UUID.search(url):
                raise CatalogError(f"{source} gives {found.get('title')} the number {number!r}, which is none")
            if not POLARIZATIONS & set(str(found.get("polarisationmode", "VV")).split()):
                raise CatalogError(
                    f"{source} gives {found.get('title')} the polarisations {found['polarisationmode']!r}"
                )
            return make_scene(
                str(found.get("title")),
                found.get("footprint"),
                source=source,
                start=found.get("beginposition"),
                stop=found.get("endposition"),
                relative_orbit=found.get("relativeorbitnumber"),
                orbit_pass=found.get("orbitdirection"),
                processed=found.get("ingestiondate"),  # when the hub got it is all that it says
                assets={"zip": url},
            )
        except CatalogError as error:
            warnings.warn(f"left out: {error}", ProductWarning, stacklevel=2)
            return None

    def _ask(self, query: SceneQuery) -> dict[str, Mapping[str, Any]]:
        """Products by their numbers, part by part of an area that the antimeridian splits."""
        library, found = _library(), {}
        start, end = query.period
        areas = [None] if query.area is None else [shapely.box(*a.bounds) for a in shapely.get_parts(query_area(query))]
        with self._errors(library), closing(_hub(library, self.address)) as hub:
            for area in areas:
                asked = {
                    "area": None if area is None else area.wkt,
                    "date": (start - _LONGEST, end + timedelta(seconds=1)),
                    "platformname": "Sentinel-1",
                    "producttype": "GRD",
                }
                products, n_all = hub.api.query(**asked), hub.api.count(**asked)
                if len(products) < n_all:
                    raise CatalogError(
                        f"{public_url(self.address)} sent {len(products)} of {n_all} scenes, so that some may be lost; "
                        "ask again"
                    )
                found.update(products)
        return found

    @contextmanager
    def _errors(self, library: ModuleType) -> Iterator[None]:
        """What sentinelsat raises as one sentence each, without what the hub said word by word."""
        source = public_url(self.address)
        try:
            yield
        except library.UnauthorizedError:
            raise refused(_account(self.address), source) from None
        except library.LTAError:
            raise DownloadError(f"{source} brings nothing more from its archive now; try again tomorrow") from None
        except library.SentinelAPIError as error:
            status = getattr(error.response, "status_code", 200)
            if status in {401, 403}:
                raise refused(_account(self.address), source) from None
            said = f"answered {status}" if status != 200 else "answered something else than a list of scenes"
            raise CatalogError(f"{source} {said}; look whether it is up, and whether it is a DHuS hub") from None
        except requests.RequestException:
            raise CatalogError(f"{source} cannot be reached; try again later, or another catalogue") from None
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, CatalogError):
                raise
            raise CatalogError(
                f"{source} gave an answer that sentinelsat cannot read ({type(error).__name__}); try again later"
            ) from None


def _library() -> ModuleType:
    try:
        import sentinelsat  # noqa: PLC0415  (an extra)
        import sentinelsat.exceptions  # noqa: PLC0415
    except ImportError:
        raise CatalogError("the catalogue `dhus` needs sentinelsat: pip install 'sarship[dhus]'") from None
    module: ModuleType = sentinelsat
    return module


def _account(address: str) -> Account:
    return replace(ACCOUNTS["dhus"], machine=urlsplit(address).hostname or "")


@dataclass(frozen=True, slots=True)
class _Hub:
    """sentinelsat, held to one host and one file."""

    api: Any

    def close(self) -> None:
        """Let go of the connections."""
        self.api.session.close()


def _hub(library: ModuleType, address: str, part: Path | None = None, progress: Progress | None = None) -> _Hub:
    """Open a hub.

    Parameters
    ----------
    part
        Where the product goes that is downloaded; what the hub calls the file is not asked.
    """
    known = find_credentials(_account(address))

    class Api(library.SentinelAPI):  # type: ignore[misc,name-defined]
        def get_product_odata(self, id: str, full: bool = False) -> dict[str, Any]:  # noqa: A002  (its name)
            """What the hub says of a product; its file is at the hub, whatever the hub says."""
            values: dict[str, Any] = super().get_product_odata(id, full)
            if part is not None:
                arrived = part.with_name(f"{part.name}.incomplete")
                check_space(part.parent, values["size"] - (arrived.stat().st_size if arrived.exists() else 0))
            return {**values, "url": f"{self.api_url}odata/v1/Products('{id}')/$value"}

        def _get_filename(self, _info: object) -> str:
            return part.name if part else ""

        def _tqdm(self, **options: Any) -> _Bar:
            return _Bar(progress if str(options.get("desc")).startswith("Downloading") else None, options)

    api = Api(known["user"].reveal(), known["password"].reveal(), f"{address}/", show_progressbars=False)
    api.downloader.chunk_size = _CHUNK
    retries = Retry(
        total=_N_TRIES, backoff_factor=_BACKOFF_S, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
    )
    for scheme in ("https://", "http://"):
        api.session.mount(scheme, _OneHost(address, max_retries=retries))
    return _Hub(api)


def _pause(n_failures: int) -> None:
    time.sleep(min(2**n_failures, 10))


class _OneHost(HTTPAdapter):
    """Speaks to one host: requests would send the account to whatever host an answer names."""

    def __init__(self, address: str, **options: Any) -> None:
        self._host = urlsplit(address)[:2]
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        other = urlsplit(request.url or "")
        if other[:2] != self._host:
            raise CatalogError(
                f"{self._host[1]} sends on to another host, {other[1].rpartition('@')[2]}; it was not followed"
            )
        response: requests.Response = super().send(request, *args, **{**options, "timeout": _TIMEOUT_S})
        return response


class _Bar:
    """Takes sentinelsat's progress."""

    def __init__(self, progress: Progress | None, options: Mapping[str, Any]) -> None:
        self._progress, self._done, self._total = progress, options.get("initial") or 0, options.get("total")

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, n_bytes: int) -> None:
        """Count bytes that arrived."""
        self._done += n_bytes
        if self._progress is not None:
            self._progress(self._done, self._total)

    def close(self) -> None:
        """Nothing is to be tidied."""
