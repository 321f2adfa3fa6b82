"""NASA's catalogue on loopback as asf_search asks it, with Earthdata's tokens and zips that need one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import shapely

from sarship.catalog.scenes import footprint_of
from servers.cdse import as_zip
from servers.running import run
from servers.stac import Answer, Handler, StacServer, as_json, scene_of

USER, PASSWORD = "anna", "PLANTED-SECRET-earthdata"
TOKEN = "PLANTED-SECRET-bearer"
GRANULES, IDENTITY = "/search/granules.umm_json", "/api/users/find_or_create_token"


class AsfServer(StacServer):
    """Products of a folder as granules, and as zips."""

    def __init__(self) -> None:
        super().__init__(AsfHandler)
        self.zips: dict[str, bytes] = {}
        self.page_size = 250
        self.token = TOKEN
        self.forms: list[dict[str, list[str]]] = []
        self.reports: list[str] = []

    def add(self, folder: Path) -> dict[str, Any]:
        scene, zipped = scene_of(folder), as_zip(folder)
        path = f"/GRD_HD/{scene.platform[1:]}/{scene.id}.zip"
        self.zips[path] = zipped
        item = make_granule(scene, self.host + path, zipped)
        self.items.append(item)
        return item


def make_granule(scene: Any, url: str, zipped: bytes) -> dict[str, Any]:
    """A granule in the shape of ASF's."""
    attributes = {
        "ASCENDING_DESCENDING": scene.orbit_pass.upper(),
        "ASF_PLATFORM": f"Sentinel-1{scene.platform[-1]}",
        "BEAM_MODE_TYPE": scene.mode,
        "BYTES": str(len(zipped)),
        "MD5SUM": hashlib.md5(zipped).hexdigest(),
        "PATH_NUMBER": str(scene.relative_orbit),
        "POLARIZATION": "+".join(scene.polarizations),
        "PROCESSING_DATE": f"{scene.processed:%Y-%m-%dT%H:%M:%S.%f}",
        "PROCESSING_TYPE": "GRD_HD",
    }
    points = [{"Longitude": x, "Latitude": y} for x, y in shapely.get_coordinates(scene.footprint.exterior)]
    times = [f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" for moment in (scene.start, scene.stop)]
    umm = {
        "TemporalExtent": {"RangeDateTime": {"BeginningDateTime": times[0], "EndingDateTime": times[1]}},
        "OrbitCalculatedSpatialDomains": [{"OrbitNumber": scene.absolute_orbit}],
        "GranuleUR": f"{scene.id}-GRD_HD",
        "AdditionalAttributes": [{"Name": name, "Values": [value]} for name, value in attributes.items()],
        "SpatialExtent": {
            "HorizontalSpatialDomain": {"Geometry": {"GPolygons": [{"Boundary": {"Points": points}}]}},
        },
        "ProviderDates": [{"Date": times[0], "Type": "Insert"}],
        "CollectionReference": {"ShortName": "SENTINEL-1A_DP_GRD_HIGH", "Version": "1"},
        "RelatedUrls": [{"Type": "GET DATA", "URL": url}],
        "DataGranule": {
            "Identifiers": [{"Identifier": scene.id, "IdentifierType": "ProducerGranuleId"}],
            "ProductionDateTime": times[0],
        },
        "Platforms": [{"ShortName": "SENTINEL-1A", "Instruments": [{"ShortName": "C-SAR"}]}],
    }
    number = f"G{hashlib.md5(scene.id.encode()).hexdigest()[:10]}-ASF"
    return {"meta": {"concept-type": "granule", "concept-id": number, "provider-id": "ASF"}, "umm": umm}


class AsfHandler(Handler):
    server: AsfServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        both = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if (replaced := self._replaced(self.path)) is not None:
            self._reply(replaced)
        elif self.path == GRANULES:
            self._reply(self._granules(parse_qs(body)))
        elif self.path == IDENTITY and self.headers.get("Authorization") == f"Basic {both}":
            self._reply(as_json({"access_token": self.server.token, "expiration_date": "01/20/2027"}))
        else:
            self._reply(Answer(401 if self.path == IDENTITY else 404, b"{}"))

    def _granules(self, form: dict[str, list[str]]) -> Answer:
        self.server.forms.append(form)
        start, end = (datetime.fromisoformat(text) for text in form["temporal"][0].split(",")[:2])
        found = [item for item in self.server.items if _is_asked(item, start, end, _area(form))]
        first = int(self.headers.get("CMR-Search-After") or 0)
        page = {"hits": len(found), "items": deepcopy(found[first : first + self.server.page_size])}
        answer = as_json(self.server.spoil(page))
        if page["items"]:
            answer.headers["CMR-Search-After"] = str(first + len(page["items"]))
        return answer

    def _get(self) -> Answer:
        if (replaced := self._replaced(self.path)) is not None:
            return replaced
        body = self.server.zips.get(self.path)
        if body is None:
            return Answer(404)
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return Answer(401)
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"ETag": '"one"', "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return Answer(206 if "Range" in self.headers else 200, body[start:], headers)


def _area(form: dict[str, list[str]]) -> shapely.Geometry:
    """The area that is asked for, as a box or as a ring."""
    if "polygon" not in form:
        return shapely.box(*map(float, form.get("bounding_box", ["-180,-90,180,90"])[0].split(",")))
    numbers = [float(text) for text in form["polygon"][0].split(",")]
    return shapely.Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


def _is_asked(item: dict[str, Any], start: datetime, end: datetime, asked: shapely.Geometry) -> bool:
    times = item["umm"]["TemporalExtent"]["RangeDateTime"]
    moments = [datetime.fromisoformat(times[name]) for name in ("BeginningDateTime", "EndingDateTime")]
    points = item["umm"]["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"][0]["Boundary"]["Points"]
    ring = shapely.Polygon([(point["Longitude"], point["Latitude"]) for point in points])
    area = footprint_of(ring, "the server")
    return bool(start <= moments[1] and moments[0] <= end and area.intersects(asked))


@contextmanager
def serve_asf() -> Iterator[AsfServer]:
    with run(AsfServer()) as server:
        yield server
