"""A DHuS hub on loopback as sentinelsat asks it: OpenSearch, OData, and zips that come in parts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import shapely

from sarship.catalog.scenes import footprint_of
from servers.cdse import as_zip
from servers.running import run
from servers.stac import Answer, Handler, StacServer, as_json, scene_of

USER, PASSWORD = "anna", "PLANTED-SECRET-hub"
HUB = "/dhus"


class DhusServer(StacServer):
    """Products of a folder as entries, and as zips by their numbers."""

    api = HUB

    def __init__(self) -> None:
        super().__init__(DhusHandler)
        self.zips: dict[str, bytes] = {}
        self.n_cut = 0
        """How many more downloads break in the middle."""
        self.is_online = True
        self.file_host = self.address
        """Where entries say that files are."""
        self.page_size = 100

    def add(self, folder: Path) -> dict[str, Any]:
        scene, number = scene_of(folder), f"0000000{len(self.zips)}-aaaa-bbbb-cccc-000000000000"
        self.zips[number] = as_zip(folder)
        item = make_entry(scene, number)
        self.items.append(item)
        return item


def make_entry(scene: Any, number: str) -> dict[str, Any]:
    """An entry in the shape of a hub's."""
    dates = {"beginposition": scene.start, "endposition": scene.stop, "ingestiondate": scene.processed}
    texts = {
        "footprint": shapely.MultiPolygon([scene.footprint]).wkt,
        "orbitdirection": scene.orbit_pass.upper(),
        "polarisationmode": " ".join(scene.polarizations),
        "producttype": "GRD",
        "platformname": "Sentinel-1",
        "uuid": number,
    }
    numbers = {"orbitnumber": scene.absolute_orbit, "relativeorbitnumber": scene.relative_orbit}
    return {
        "title": scene.id,
        "id": number,
        "link": [{"href": "there"}, {"rel": "alternative", "href": "there"}, {"rel": "icon", "href": "there"}],
        "summary": "a product",
        "date": [{"name": name, "content": f"{time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"} for name, time in dates.items()],
        "int": [{"name": name, "content": str(value)} for name, value in numbers.items()],
        "str": [{"name": name, "content": value} for name, value in texts.items()],
    }


class DhusHandler(Handler):
    server: DhusServer

    def _get(self) -> Answer:
        parts = urlsplit(self.path)
        both = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if (replaced := self._replaced(parts.path)) is not None:
            return replaced
        if self.headers.get("Authorization") != f"Basic {both}":
            return Answer(401, b"<html>no</html>", {"Content-Type": "text/html", "WWW-Authenticate": "Basic"})
        if parts.path == f"{HUB}/search":
            return self._search({name: values[0] for name, values in parse_qs(parts.query).items()})
        found = re.fullmatch(re.escape(HUB) + r"/odata/v1/Products\('([^']*)'\)(.*)", parts.path)
        if found is None or found[1] not in self.server.zips:
            return Answer(404, b'{"error": {"message": {"value": "no such product"}}}')
        body = self.server.zips[found[1]]
        return {
            "": lambda: as_json({"d": self._describe(found[1], body)}),
            "/Online/$value": lambda: as_json(self.server.is_online),
            "/$value": lambda: self._zip(body) if self.server.is_online else Answer(202),
        }[found[2]]()

    def _describe(self, number: str, body: bytes) -> dict[str, Any]:
        return {
            "Id": number,
            "Name": next(item["title"] for item in self.server.items if item["id"] == number),
            "ContentLength": str(len(body)),
            "Checksum": {"Algorithm": "MD5", "Value": hashlib.md5(body).hexdigest()},
            "ContentDate": {"Start": "/Date(1733240530000)/"},
            "CreationDate": "/Date(1733240530000)/",
            "IngestionDate": "/Date(1733240530000)/",
            "ContentGeometry": None,
            "Online": self.server.is_online,
            "__metadata": {"media_src": f"{self.server.file_host}/odata/v1/Products('{number}')/$value"},
            "Attributes": {"__deferred": {}},
        }

    def _search(self, asked: dict[str, str]) -> Answer:
        period = re.search(r'beginPosition:\["(.*?)" TO "(.*?)"\]', asked["q"])
        assert period is not None
        assert {'platformname:"Sentinel-1"', 'producttype:"GRD"'} < set(asked["q"].split())
        start, end = (datetime.fromisoformat(text) for text in period.groups())
        area = re.search(r'footprint:"Intersects\((.*)\)"', asked["q"])
        where = shapely.from_wkt(area[1]) if area else shapely.box(-180, -90, 180, 90)
        found = []
        for item in self.server.items:
            begin = datetime.fromisoformat(item["date"][0]["content"])
            if start <= begin <= end and footprint_of(item["str"][0]["content"], "the server").intersects(where):
                found.append(item)
        first, rows = int(asked["start"]), min(int(asked["rows"]), self.server.page_size)
        page: Any = deepcopy(found[first : first + rows])
        feed = {"opensearch:totalResults": str(len(found)), "entry": page[0] if len(page) == 1 else page}
        return as_json(self.server.spoil({"feed": feed if page else {"opensearch:totalResults": str(len(found))}}))

    def _zip(self, body: bytes) -> Answer:
        start = int(re.fullmatch(r"bytes=(\d+)-\d*", self.headers.get("Range", "bytes=0-"))[1])
        headers = {"Content-Disposition": 'inline;filename="../../evil.zip"', "Content-Length": str(len(body) - start)}
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        stop = len(body)
        if self.server.n_cut:
            self.server.n_cut -= 1
            self.close_connection = True
            stop = (start + stop) // 2
        return Answer(206 if "Range" in self.headers else 200, body[start:stop], headers)


@contextmanager
def serve_dhus() -> Iterator[DhusServer]:
    with run(DhusServer()) as server:
        yield server
