"""Searches of a STAC API through pystac-client, with answers checked before they are believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import shapely
from pystac_client import ItemSearch
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import collect, make_scene, query_area
from sarship.catalog.session import Pages, hold_to, no_list, no_reply
from sarship.download.addresses import public_url
from sarship.errors import CatalogError
from sarship.model import Scene

__all__ = ["manifest_address", "search_stac"]

_PAGE: Final = 100
"""Items asked for at a time."""


def search_stac(
    address: str, collection: str, query: SceneQuery, assets_of: Callable[[dict[str, Any]], dict[str, str]]
) -> list[Scene]:
    """Ask a STAC API.

    Parameters
    ----------
    address
        Of the API.
    collection
        One of its collections.
    query
        The question.
    assets_of
        Addresses of the files of an item; empty if it gives none that can be believed.

    Returns
    -------
    list of Scene
        Each acquisition once, by time.

    Warns
    -----
    ProductWarning
        For each item that makes no sense; the others are taken.

    Raises
    ------
    CatalogError
        If the service cannot be reached, refuses, or answers nonsense.
    """
    source = public_url(address)

    def scene_of(item: dict[str, Any]) -> Scene | None:
        properties = item.get("properties") or {}
        return make_scene(
            str(item.get("id")),
            item.get("geometry"),
            source=source,
            start=properties.get("start_datetime"),
            stop=properties.get("end_datetime"),
            relative_orbit=properties.get("sat:relative_orbit"),
            orbit_pass=properties.get("sat:orbit_state"),
            processed=properties.get("processing:datetime") or properties.get("s1:processing_datetime"),
            polarizations=properties.get("sar:polarizations"),
            assets=assets_of(item),
        )

    with closing(_CarefulIO(address)) as asking:
        search = ItemSearch(
            url=f"{address}/search",
            method="POST",
            collections=[collection],
            intersects=json.loads(shapely.to_geojson(query_area(query))),
            datetime=query.period,
            limit=_PAGE,
            stac_io=asking,
        )
        try:
            return collect(search.items_as_dicts(), scene_of, query, source)
        except APIError as error:
            if isinstance(error.__context__, CatalogError):  # pystac-client wraps what comes up while it asks
                raise error.__context__ from None
            raise no_reply(source, getattr(error, "status_code", None)) from None


def manifest_address(item: dict[str, Any]) -> str:
    """Return the address of an item's manifest; empty if it has none.

    Only this one is believed: the assets named after annotations lead to other files.
    """
    return str(((item.get("assets") or {}).get("safe-manifest") or {}).get("href", ""))


class _CarefulIO(StacApiIO):
    """I/O of pystac-client that speaks to one host and believes only pages of a search."""

    def __init__(self, address: str) -> None:
        super().__init__()
        hold_to(self.session, address)
        self._source = public_url(address)
        self._pages = Pages(self._source)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def read_json(self, source: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        text = self.read_text(source, *args, **kwargs)
        try:
            page = json.loads(text)
        except (ValueError, RecursionError):
            page = None
        if not isinstance(page, dict) or not isinstance(page.get("features"), list):
            raise no_list(self._source)
        names = {str(item.get("id")) for item in page["features"] if isinstance(item, dict)}
        links = page.get("links") or ()
        has_more = any(isinstance(link, dict) and link.get("rel") == "next" for link in links)
        self._pages.check(names, has_more=has_more)
        return page
