"""Questions to a STAC API through pystac-client, and its answers looked at before they are believed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
import shapely
from pystac_client import ItemSearch
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from urllib3 import Retry

from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import POLARIZATIONS, arrange, make_scene, matches, query_area
from sarship.download.fetch import public_url
from sarship.errors import CatalogError, ProductWarning
from sarship.model import Scene

__all__ = ["search_stac"]

_PAGE: Final = 100
"""Items asked for at a time."""
_N_TRIES: Final = 5
"""After a failure that may pass."""
_N_CONNECTS: Final = 1
"""After a host that is not there at all: most likely there is no network."""
_TIMEOUT_S: Final = (20.0, 60.0)
"""For a connection, and between bytes."""


def search_stac(
    address: str, collection: str, query: SceneQuery, assets_of: Callable[[dict[str, Any]], dict[str, str]]
) -> list[Scene]:
    """Ask a STAC API.

    Parameters
    ----------
    address
        Of the API.
    collection
        Which of its collections.
    query
        What to ask for.
    assets_of
        Where the files of an item are; raises `CatalogError` where it does not say.

    Returns
    -------
    Scenes, each acquisition once, by time.

    Warns
    -----
    ProductWarning
        For each item that makes no sense; the others are kept.

    Raises
    ------
    CatalogError
        If the service cannot be reached, refuses, or answers nonsense.
    """
    source = public_url(address)
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
        scenes = (_scene(item, assets_of, source) for item in _items(search, source))
        return arrange(scene for scene in scenes if scene is not None and matches(scene, query))


def _items(search: ItemSearch, source: str) -> Iterator[dict[str, Any]]:
    try:
        yield from search.items_as_dicts()
    except APIError as error:
        if isinstance(error.__context__, CatalogError):  # pystac-client wraps what comes up while it asks
            raise error.__context__ from None
        code = getattr(error, "status_code", None)
        reason = f"answered {code}" if code else "cannot be reached"
        raise CatalogError(f"{source} {reason}; try again later, or another catalogue") from None


def _scene(item: dict[str, Any], assets_of: Callable[[dict[str, Any]], dict[str, str]], source: str) -> Scene | None:
    """The scene of an item; None for one of another kind, and with a warning for one that makes no sense."""
    properties = item.get("properties") or {}
    try:
        if unknown := set(properties.get("sar:polarizations") or ()) - POLARIZATIONS:
            raise CatalogError(f"{source} gives {item.get('id')} the polarisations {sorted(unknown)}")
        return make_scene(
            str(item.get("id")),
            item.get("geometry"),
            source=source,
            start=properties.get("start_datetime"),
            stop=properties.get("end_datetime"),
            relative_orbit=properties.get("sat:relative_orbit"),
            orbit_pass=properties.get("sat:orbit_state"),
            processed=properties.get("processing:datetime") or properties.get("s1:processing_datetime"),
            assets=assets_of(item),
        )
    except (CatalogError, TypeError, AttributeError) as error:
        reason = error if isinstance(error, CatalogError) else f"{source} has an item that cannot be read"
        warnings.warn(f"left out: {reason}", ProductWarning, stacklevel=2)
        return None


class _CarefulIO(StacApiIO):
    """Speaks to one host, and believes only answers that are pages of a search."""

    def __init__(self, address: str) -> None:
        retries = Retry(
            total=_N_TRIES,
            connect=_N_CONNECTS,
            backoff_factor=0.5,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None,
        )
        super().__init__(max_retries=retries, timeout=_TIMEOUT_S)
        self.session.auth = lambda request: request  # requests would else send what `~/.netrc` has
        self.session.hooks["response"].append(self._check_redirect)
        self._address, self._seen = address, set[str]()

    def close(self) -> None:
        """Let go of the connections."""
        self.session.close()

    def request(self, href: str, *args: Any, **kwargs: Any) -> str:
        self._check_host(href)
        return super().request(href, *args, **kwargs)

    def read_json(self, source: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        text = self.read_text(source, *args, **kwargs)
        here = public_url(self._address)
        try:
            page = json.loads(text)
        except (ValueError, RecursionError):
            page = None
        if not isinstance(page, dict) or not isinstance(page.get("features"), list):
            raise CatalogError(f"{here} answered something else than a list of scenes; look whether it is up")
        names = {str(item.get("id")) for item in page["features"] if isinstance(item, dict)}
        has_more = any(isinstance(link, dict) and link.get("rel") == "next" for link in page.get("links") or ())
        if has_more and not names:
            raise CatalogError(f"{here} sent an empty page with more to follow, so that scenes may be lost; ask again")
        if names and names <= self._seen:
            raise CatalogError(f"{here} sent the same page twice, so that scenes may be lost; ask again")
        self._seen |= names
        return page

    def _check_host(self, href: str) -> None:
        own, other = urlsplit(self._address), urlsplit(href)
        if (own.scheme, own.netloc) != (other.scheme, other.netloc):
            raise CatalogError(
                f"{public_url(self._address)} sends on to another host, {other.netloc.rpartition('@')[2]}; "
                "it was not followed"
            )

    def _check_redirect(self, response: requests.Response, *_: object, **__: object) -> None:
        if response.is_redirect:
            len(response.content)  # read, else its connection stays open when it is not followed
            self._check_host(urljoin(response.url, response.headers["Location"]))
