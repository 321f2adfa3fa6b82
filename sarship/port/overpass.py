"""Quays, piers and shores of OpenStreetMap, asked of an Overpass server.

The public server is shared by everybody: it wants to know who asks, refuses those who do not say so (406), and asks for
half a minute of rest after a 429 (its operators in issue 791 of github.com/drolbr/Overpass-API, 2026). So a port is one
request, and requests never run side by side.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import shapely
from shapely.geometry.base import BaseGeometry

from sarship.download.addresses import public_url
from sarship.download.http import Denied, Hiccup, Session, interruptions
from sarship.download.request import FileRequest, RetryPolicy
from sarship.download.secret import Secret
from sarship.errors import CredentialError, DownloadError
from sarship.texts import printable

__all__ = ["OVERPASS", "MapFeature", "ask_overpass"]

OVERPASS: Final = "https://overpass-api.de/api/interpreter"
"""The public server."""
N_ATTEMPTS: Final = 3
"""Of a server that is busy; one that is not there is not asked again."""
REST_S, LONGEST_REST_S = 30.0, 120.0
"""Wait before a busy server is asked again: the least, and the longest that it may ask for."""
MAX_BYTES: Final = 32 * 2**20
"""Size of the largest answer that is read; that of a large port is under a megabyte."""
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_WANTED: Final = (
    'way["man_made"~"^(pier|quay|jetty|breakwater)$"]',
    'relation["man_made"~"^(pier|quay|jetty|breakwater)$"]',
    'way["natural"="coastline"]',
    'nwr["seamark:type"~"^(berth|anchorage|anchor_berth)$"]',
)


@dataclass(frozen=True, slots=True)
class MapFeature:
    """One thing on the map."""

    tags: Mapping[str, str]
    geometry: BaseGeometry
    """Point, LineString (closed where it is an outline) or Polygon, longitude and latitude in degrees."""


def ask_overpass(
    area: BaseGeometry, url: str = OVERPASS, *, say: Callable[[str], None] | None = None
) -> list[MapFeature]:
    """Return what the map has in an area of piers, quays, jetties, breakwaters, shores, berths and anchorages.

    Parameters
    ----------
    area
        Longitude and latitude in degrees; its bounds are asked for, those of each part.
    url
        Address of the server's interpreter.
    say
        Told before a wait for a busy server.

    Returns
    -------
    list of MapFeature
        Those of a form that is not understood are left out.

    Raises
    ------
    DownloadError
        The server cannot be reached, is busy, ran out of time, or answers something else.

    Examples
    --------
    >>> len(ask_overpass(shapely.box(35.85, 34.89, 35.88, 34.92)))  # doctest: +SKIP
    57
    """
    body = Secret(urlencode({"data": _query(area)}))
    with tempfile.TemporaryDirectory() as folder:  # nothing is written there: a request names the file it is for
        request = FileRequest(url=url, target=Path(folder) / "map.json")
        content = _answer(request, body, say or (lambda _: None))
    where = public_url(url)
    if len(content) > MAX_BYTES:
        raise DownloadError(f"{where}: the answer is larger than {MAX_BYTES // 2**20} MB; ask for less", file=where)
    try:
        answer = json.loads(content)
        elements, remark = answer["elements"], str(answer.get("remark", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        doubt = "is no map, or was cut off; try again later"
        raise DownloadError(f"{where}: the answer {doubt}", file=where) from None
    if "error" in remark:
        raise DownloadError(f"{where}: {printable(remark)[:200]}; try again later", file=where)
    if not isinstance(elements, list):
        raise DownloadError(f"{where}: the answer has no list of elements; try another server", file=where)
    return [feature for element in elements for feature in _features(element)]


def _query(area: BaseGeometry) -> str:
    """Return the question in the language of Overpass, which has south and west first."""
    boxes = [part.bounds for part in shapely.get_parts(area)]
    lines = [f"{what}({south},{west},{north},{east});" for what in _WANTED for west, south, east, north in boxes]
    return "\n".join(["[out:json][timeout:60];", "(", *lines, ");", "out geom;"])


def _answer(request: FileRequest, body: Secret, say: Callable[[str], None]) -> bytes:
    """Return the server's answer; ask again, after a rest, only where it was busy."""
    where, session = public_url(request.url), Session(RetryPolicy())
    for n_left in reversed(range(N_ATTEMPTS)):
        try:
            with closing(session.ask(request, _FORM, body=body)) as response, interruptions():
                return response.read(MAX_BYTES + 1)
        except Hiccup as error:
            rest_s = max(REST_S, error.wait_s or 0.0)
            if error.status is None or not n_left or rest_s > LONGEST_REST_S:
                raise DownloadError(f"{where}: {error}; try again later", status=error.status, file=where) from None
            say(f"{where} is busy ({error.status}); it is asked again in {rest_s:.0f} s")
            session.sleep(rest_s)
        except Denied as error:
            raise DownloadError(f"{error}; try another server", status=error.status, file=where) from None
        except CredentialError as error:
            doubt = "the server answered a web page instead of a map; try again later"
            raise DownloadError(f"{where}: {doubt}", status=error.status, file=where) from None
    raise AssertionError("the last attempt returns or raises")


def _features(element: Any) -> Iterator[MapFeature]:
    """Yield an element, or the outlines that a relation is made of; nothing of a form that is not understood."""
    try:
        tags = {str(key): str(value) for key, value in (element.get("tags") or {}).items()}
        kind = element["type"]
        if kind == "node":
            yield MapFeature(tags, shapely.Point(_place(element)))
        elif kind == "way":
            yield MapFeature(tags, _line(element["geometry"]))
        elif kind == "relation":
            ways = [_line(each["geometry"]) for each in element["members"] if each.get("role", "") in {"outer", ""}]
            for outline in shapely.get_parts(shapely.polygonize(ways)):
                yield MapFeature(tags, outline)
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.GEOSException):
        return


def _line(places: Any) -> BaseGeometry:
    return shapely.LineString([_place(each) for each in places if each is not None])


def _place(place: Any) -> tuple[float, float]:
    longitude, latitude = float(place["lon"]), float(place["lat"])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ValueError("not on the Earth")
    return longitude, latitude
