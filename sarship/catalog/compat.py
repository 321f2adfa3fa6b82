"""The calls of sentinelsat on catalogues of today, for those who know them.

The hub that sentinelsat asks by default closed in 2023, and no other public hub could be shown to be alive in 2025 and
2026. Where a call cannot mean what it did, it is refused in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from sarship.catalog.cdse import CdseCatalog
from sarship.catalog.fetch_many import fetch_scenes
from sarship.catalog.providers import open_catalog
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import query_of
from sarship.errors import CatalogError, CredentialError, DownloadError
from sarship.model import Scene
from sarship.schema import WGS84

__all__ = ["Downloads", "SentinelAPI"]

Properties = dict[str, Any]
Moment = str | date | datetime

_RELATIONS: Final[dict[str, Callable[[BaseGeometry, BaseGeometry], bool]]] = {
    "Intersects": lambda footprint, area: bool(footprint.intersects(area)),
    "Contains": lambda footprint, area: bool(footprint.contains(area)),
    "IsWithin": lambda footprint, area: bool(footprint.within(area)),
}
_NOW: Final = re.compile(r"NOW(?:-(\d+)(DAY|HOUR|MINUTE)S?)?")
_FIXED: Final = {"platformname": "Sentinel-1", "producttype": "GRD"}
"""Filters that every scene here meets."""
_FILTERS: Final = (
    "identifier",
    "orbitdirection",
    "orbitnumber",
    "polarisationmode",
    "relativeorbitnumber",
    "sensoroperationalmode",
)
"""Filters that are compared with the properties of each product."""


class Downloads(NamedTuple):
    """Outcome of `SentinelAPI.download_all`: properties of products by id."""

    downloaded: dict[str, Properties]
    """With the `path` of each."""
    retrieval_triggered: dict[str, Properties]
    """Always empty: nothing is ordered from an archive."""
    failed: dict[str, Properties]
    """With the `exception` of each."""


class SentinelAPI:
    """The calls of `sentinelsat.SentinelAPI` on top of `cdse` or `planetary`. Ids are the names of products.

    Parameters
    ----------
    user, password
        None: accounts come from `sarship login`, the environment or `~/.netrc`, and `planetary` needs none.
    api_url
        `cdse` or `planetary`.
    show_progressbars, timeout
        Without effect.

    Raises
    ------
    CredentialError
        If user or password is given.
    CatalogError
        If `api_url` is another.

    Examples
    --------
    >>> api = SentinelAPI(None, None, "planetary")
    >>> api.to_geodataframe({}).empty
    True
    """

    def __init__(
        self,
        user: str | None,
        password: str | None,
        api_url: str = "cdse",
        show_progressbars: bool = True,
        timeout: object = 60,
    ) -> None:
        if user is not None or password is not None:
            raise CredentialError(
                "give None for user and password, and store the account once with `sarship login cdse`"
            )
        if api_url not in {"cdse", "planetary"}:
            raise CatalogError(f"{api_url!r} cannot be asked like this; choose cdse or planetary")
        self.catalog = open_catalog(api_url)
        self._scenes: dict[str, Scene] = {}

    def query(  # noqa: PLR0917  (as sentinelsat has it)
        self,
        area: str | BaseGeometry | None = None,
        date: str | tuple[Moment, Moment] | None = None,
        raw: str | None = None,
        area_relation: str = "Intersects",
        order_by: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        **keywords: object,
    ) -> dict[str, Properties]:
        """Return the properties of the Sentinel-1 GRD products that meet a query, by id.

        Parameters
        ----------
        area
            WKT, or a shapely geometry, longitude and latitude in degrees. May be left out with `identifier`.
        date
            First and last moment: dates, datetimes, `20241203`, ISO times, `NOW`, `NOW-30DAYS`. A date without a time
            is its midnight, the last one too. May be left out with `identifier`.
        raw
            None: there is no such language here.
        area_relation
            `Intersects`, `Contains` (the footprint contains the area) or `IsWithin`.
        order_by
            `beginposition`, or `-beginposition` for the newest first.
        limit, offset
            Part of the answer.
        **keywords
            `identifier`, `orbitdirection`, `orbitnumber`, `polarisationmode`, `relativeorbitnumber`,
            `sensoroperationalmode`; `platformname` and `producttype` may be those of Sentinel-1 GRD.

        Raises
        ------
        CatalogError
            If the question cannot be asked, or the service does not answer.
        """
        if raw or area_relation not in _RELATIONS or order_by not in {None, "beginposition", "-beginposition"}:
            raise CatalogError(
                "this query cannot be asked: raw must be None, area_relation Intersects, Contains or IsWithin, "
                "and order_by beginposition or -beginposition"
            )
        _check(keywords)
        where = shapely.from_wkt(area) if isinstance(area, str) else area
        asked = _query(where, date, keywords.get("identifier"))
        found = {}
        for scene in self.catalog.search(asked):
            told = _properties(scene)
            fits = all(_same(told[name], keywords[name]) for name in _FILTERS if keywords.get(name) is not None)
            if fits and (where is None or _RELATIONS[area_relation](scene.footprint, where)):
                self._scenes[scene.id], found[scene.id] = scene, told
        ids = list(found)[:: -1 if order_by == "-beginposition" else 1]
        return {each: found[each] for each in ids[offset:][:limit]}

    def count(
        self,
        area: str | BaseGeometry | None = None,
        date: str | tuple[Moment, Moment] | None = None,
        raw: str | None = None,
        area_relation: str = "Intersects",
        **keywords: object,
    ) -> int:
        """Return the number of products that meet a query."""
        return len(self.query(area, date, raw, area_relation, None, None, 0, **keywords))

    @staticmethod
    def to_geodataframe(products: Mapping[str, Properties]) -> gpd.GeoDataFrame:
        """Return the products of a query as a table, with their footprints as geometry."""
        rows = [{name: value for name, value in one.items() if name != "footprint"} for one in products.values()]
        shapes = [shapely.from_wkt(one["footprint"]) for one in products.values()]
        return gpd.GeoDataFrame(rows, geometry=shapes, crs=WGS84, index=list(products))

    def get_product_odata(self, id: str, full: bool = False) -> Properties:  # noqa: A002  (as sentinelsat has it)
        """Return id, title, date, footprint and address of a product, and if it is online; all properties if full.

        Sizes and checksums are not among them: downloads are verified in any case.
        """
        scene = self._scene(id)
        told = _properties(scene)
        some = {"id": scene.id, "title": scene.id, "date": scene.start, "footprint": told["footprint"]}
        where = {"url": scene.assets.get("zip") or scene.assets.get("product"), "Online": self.is_online(id)}
        return {**(told if full else {}), **some, **where}

    def is_online(self, id: str) -> bool:  # noqa: A002
        """Return True if a product can be downloaded at once."""
        scene = self._scene(id)
        return self.catalog.is_online(scene) if isinstance(self.catalog, CdseCatalog) else True

    def download(
        self,
        id: str,  # noqa: A002
        directory_path: str | Path = ".",
        checksum: bool = True,
        nodefilter: object = None,
    ) -> Properties:
        """Download a product, whole and verified whatever `checksum` says; return its properties with its `path`.

        `cdse` gives a zip, `planetary` a `.SAFE` folder.

        Raises
        ------
        CatalogError
            If a node filter is given: products come whole.
        DownloadError, CredentialError
            As `sarship.download.fetch_file`.
        """
        _refuse_filter(nodefilter)
        path = self.catalog.fetch(self._scene(id), directory_path)
        return {**self.get_product_odata(id), "path": str(path)}

    def download_all(  # noqa: PLR0917
        self,
        products: Iterable[str],
        directory_path: str | Path = ".",
        max_attempts: int = 10,
        checksum: bool = True,
        n_concurrent_dl: int | None = None,
        lta_retry_delay: float | None = None,
        fail_fast: bool = False,
        nodefilter: object = None,
    ) -> Downloads:
        """Download products side by side, as many as the service allows.

        `max_attempts`, `checksum`, `n_concurrent_dl` and `lta_retry_delay` are without effect: sarship tries again and
        verifies by its own rules.

        Raises
        ------
        DownloadError
            If all products fail, or with `fail_fast` any.
        """
        _refuse_filter(nodefilter)
        fetched = fetch_scenes(self.catalog, [self._scene(each) for each in products], directory_path)
        told = {one.scene.id: _properties(one.scene) for one in fetched}
        failed = {one.scene.id: DownloadError(one.message, file=one.scene.id) for one in fetched if one.path is None}
        if failed and (fail_fast or len(failed) == len(fetched)):
            raise next(iter(failed.values()))
        there = {one.scene.id: {**told[one.scene.id], "path": str(one.path)} for one in fetched if one.path}
        return Downloads(there, {}, {each: {**told[each], "exception": error} for each, error in failed.items()})

    def _scene(self, name: str) -> Scene:
        """Return a scene that was found, or is now, by its name."""
        if name not in self._scenes:
            self._scenes |= {scene.id: scene for scene in self.catalog.search(query_of(name))}
        if name not in self._scenes:
            raise CatalogError(f"the catalogue has no product {name}; query it first, for its names may be others")
        return self._scenes[name]


def _query(area: BaseGeometry | None, period: str | tuple[Moment, Moment] | None, identifier: object) -> SceneQuery:
    if identifier is not None and area is None and period is None:
        return query_of(str(identifier))
    if area is None or not isinstance(period, tuple | list) or len(period) != 2:
        raise CatalogError("give an area, and a date of two moments such as ('20241201', '20241231')")
    start, end = (_moment(each) for each in period)
    return SceneQuery(area=area, start=start, end=end)


def _moment(value: Moment) -> datetime:
    """Return a moment as on a hub: what has no time is midnight, what has no time zone UTC."""
    if isinstance(value, str) and (found := _NOW.fullmatch(value)):
        ago = timedelta(**{f"{found[2].lower()}s": int(found[1])}) if found[1] else timedelta()
        return datetime.now(UTC) - ago
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise CatalogError(
            f"{value!r} is not a date; write it like 20241201, 2024-12-01T00:00:00Z or NOW-30DAYS"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check(keywords: Mapping[str, object]) -> None:
    """Refuse filters that are unknown, or that no scene here meets."""
    for name, value in keywords.items():
        if name not in {*_FILTERS, *_FIXED}:
            known = ", ".join((*_FILTERS, *_FIXED))
            raise CatalogError(f"products cannot be filtered by {name}; choose from {known}")
        if name in _FIXED and not _same(_FIXED[name], value):
            raise CatalogError(f"sarship has Sentinel-1 GRD products only, not {name}={value!r}")


def _same(told: object, wanted: object) -> bool:
    return str(told).lower() == str(wanted).replace("+", " ").lower()


def _properties(scene: Scene) -> Properties:
    """Return what a hub says of a product, by its own names."""
    return {
        **_FIXED,
        "title": scene.id,
        "uuid": scene.id,
        "identifier": scene.id,
        "beginposition": scene.start,
        "endposition": scene.stop,
        "ingestiondate": scene.processed,
        "sensoroperationalmode": scene.mode,
        "polarisationmode": " ".join(scene.polarizations),
        "orbitnumber": scene.absolute_orbit,
        "relativeorbitnumber": scene.relative_orbit,
        "orbitdirection": scene.orbit_pass.upper(),
        "footprint": scene.footprint.wkt,
    }


def _refuse_filter(nodefilter: object) -> None:
    if nodefilter is not None:
        raise CatalogError("products are downloaded whole: leave nodefilter out")
