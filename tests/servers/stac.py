"""A small STAC API on loopback with its store of files and its tokens, in the shape of the Planetary Computer's.

Its items say what real ones say, mistakes included: the assets named after annotations lead to the RFI files.
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import shapely

from sarship import Scene, open_grd
from sarship.simulate import ProductParams, simulate_product
from sarship.simulate.safe.package import to_cog
from servers.running import run

TOKEN = "sig=PLANTED-SECRET"
API, TOKENS, CONTAINER = "/api/stac/v1", "/api/sas/v1/token/sentinel-1-grd", "/s1-grd"
RTC_TOKENS = "/api/sas/v1/token/sentinel-1-rtc"
STORE = f"{CONTAINER}/GRD"


@dataclass
class Asked:
    """A request and its answer."""

    method: str
    path: str
    status: int
    n_bytes: int
    key: str = ""
    """Subscription key that came with it."""


class StacServer(ThreadingHTTPServer):
    """Products of a folder as items and files."""

    daemon_threads = True
    request_queue_size = 64

    api = API

    def __init__(self, handler: type[Handler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.host = f"http://127.0.0.1:{self.server_port}"
        self.items: list[dict[str, Any]] = []
        self.folders: dict[str, Path] = {}
        self.base = ""
        """Where items say that the files are; empty for the server's own store."""
        self.asked: list[Asked] = []
        self.page_size = 1
        self.delay_s = 0.0
        self.zip_rate: float | None = None
        """Bytes of a zip that are sent in a second."""
        self.lifetime = timedelta(hours=1)
        self.replies: dict[str, Any] = {}
        """Path → what to answer instead: (status, headers, body)."""
        self.faults: list[str] = []
        """What goes wrong with each request for an image, one after the other: `busy`, `error`, `drop`, `stall`."""
        self.retry_after = "0.05"
        self.is_down = False
        self.spoil = lambda page: page
        """Changes a page of the search."""
        self.n_tokens = 0
        self.key = ""
        """Subscription key without which there is no token for terrain-corrected images; empty for none."""

    @property
    def address(self) -> str:
        return self.host + self.api

    def add(self, folder: Path) -> dict[str, Any]:
        """Serve a product with short names."""
        scene = scene_of(folder)
        name = scene.id.rpartition("_")[0] if len(scene.id.split("_")) == 9 else scene.id
        self.folders[name] = folder
        item = make_item(scene, name, f"{self.base or self.host + STORE}/{name}")
        self.items.append(item)
        return item

    def add_rtc(self, folder: Path, scene: Scene) -> dict[str, Any]:
        """Serve terrain-corrected images of a scene: `measurement/iw-vv.rtc.tiff` and so on."""
        name = scene.id.removesuffix("_COG")
        name = name.rpartition("_")[0] if len(name.split("_")) == 9 else name
        self.folders[name] = folder
        item = make_item(scene, name, f"{self.host}{STORE}/{name}")
        images = {p: asset for p, asset in item["assets"].items() if p in {"vv", "vh"}}
        for asset in images.values():
            asset["href"] = asset["href"].replace(".tiff", ".rtc.tiff")
        preview = {"rendered_preview": {"href": "https://planetarycomputer.microsoft.com/api/data/v1/item/preview.png"}}
        item |= {"id": f"{name}_rtc", "collection": "sentinel-1-rtc", "assets": images | preview}
        self.items.append(item)
        return item

    def take(self) -> list[Asked]:
        """What was asked since the last call."""
        taken, self.asked = self.asked, []
        return taken

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients cut connections here."""


@cache
def scene_of(folder: Path) -> Scene:
    """What a product says of itself; no test changes it."""
    return open_grd(folder).scene


def make_item(scene: Any, name: str, base: str) -> dict[str, Any]:
    """An item in the shape of the Planetary Computer's."""
    channels = [p.lower() for p in scene.polarizations]
    kinds = {"schema-product": "annotation/rfi/rfi-iw", "schema-calibration": "annotation/calibration/calibration-iw"}
    assets = {f"{kind}-{p}": {"href": f"{base}/{stem}-{p}.xml"} for kind, stem in kinds.items() for p in channels}
    assets |= {p: {"href": f"{base}/measurement/iw-{p}.tiff", "roles": ["data"]} for p in channels}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": "sentinel-1-grd",
        "geometry": shapely.geometry.mapping(scene.footprint),
        "bbox": list(scene.footprint.bounds),
        "properties": {
            "datetime": scene.start.isoformat(),
            "start_datetime": f"{scene.start:%Y-%m-%d %H:%M:%S.%f}+00:00",
            "end_datetime": f"{scene.stop:%Y-%m-%d %H:%M:%S.%f}+00:00",
            "platform": "SENTINEL-1" + scene.platform[-1],
            "sar:instrument_mode": scene.mode,
            "sar:polarizations": list(scene.polarizations),
            "sat:absolute_orbit": scene.absolute_orbit,
            "sat:relative_orbit": scene.relative_orbit,
            "sat:orbit_state": scene.orbit_pass,
        },
        "links": [],
        "assets": assets | {"safe-manifest": {"href": f"{base}/manifest.safe"}},
    }


def make_mirrored(folder: Path, params: ProductParams, **options: Any) -> Path:
    """A product as a mirror holds it: short names, its images made cloud-optimised, the manifest as it was."""
    values = {name: getattr(params, name) for name in params.__dataclass_fields__}
    path, _ = simulate_product(folder, ProductParams(**{**values, "layout": "short"}), **options)
    for image in path.glob("measurement/*.tiff"):
        to_cog(image)
    return path


def serve_stac() -> AbstractContextManager[StacServer]:
    return run(StacServer())


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StacServer

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def do_GET(self) -> None:
        self._reply(self._get())

    def do_HEAD(self) -> None:
        self._reply(self._get())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        self._reply(self._replaced(path) or as_json(self.server.spoil(self._page(body))))

    def _get(self) -> Answer:
        path, _, given = self.path.partition("?")
        if (replaced := self._replaced(path)) is not None:
            return replaced
        if path in {TOKENS, RTC_TOKENS}:
            return self._token(path)
        if path == CONTAINER and "comp=list" in given:
            return self._listing(given)
        if not path.startswith(STORE):
            return Answer(404)
        if given != TOKEN:
            return Answer(403)
        name, _, rest = path.removeprefix(STORE + "/").partition("/")
        file = self.server.folders.get(name, Path("/nowhere")) / rest
        return self._file(file) if file.is_file() else Answer(404)

    def _token(self, path: str) -> Answer:
        """A token, for terrain-corrected images only with the key that is wanted."""
        if path == RTC_TOKENS and self.server.key not in {"", self.headers.get("Ocp-Apim-Subscription-Key")}:
            return Answer(401, b"Access denied due to missing subscription key.")
        self.server.n_tokens += 1
        expiry = datetime.now(UTC) + self.server.lifetime
        return as_json({"msft:expiry": f"{expiry:%Y-%m-%dT%H:%M:%SZ}", "token": TOKEN})

    def _listing(self, given: str) -> Answer:
        """A page of a listing of blobs, in the shape of Azure's; the token comes last."""
        asked = dict(parse_qsl(given))
        if not given.endswith(f"&{TOKEN}") or asked["restype"] != "container":
            return Answer(403)
        name = asked["prefix"].removeprefix("GRD/").rstrip("/")
        files = [file for file in sorted(self.server.folders[name].rglob("*")) if file.is_file()]
        first = int(asked.get("marker", 0))
        last = first + self.server.page_size
        entry = "<Blob><Name>{}{}</Name><Properties><Content-Length>{}</Content-Length></Properties></Blob>"
        blobs = "".join(
            entry.format(asked["prefix"], file.relative_to(self.server.folders[name]).as_posix(), file.stat().st_size)
            for file in files[first:last]
        )
        mark = f"<NextMarker>{last}</NextMarker>" if last < len(files) else "<NextMarker />"
        page = f'<?xml version="1.0"?><EnumerationResults><Blobs>{blobs}</Blobs>{mark}</EnumerationResults>'
        return Answer(200, page.encode(), {"Content-Type": "application/xml"})

    def _file(self, file: Path) -> Answer:
        size, headers = file.stat().st_size, {"Accept-Ranges": "bytes", "ETag": f'"{file.stat().st_mtime_ns}"'}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, stop = (int(found[1]), min(int(found[2] or size), size - 1) + 1) if found else (0, size)
        if self.command == "HEAD":
            return Answer(200, b"", {**headers, "Content-Length": str(size)})
        with file.open("rb") as stream:
            stream.seek(start)
            body = stream.read(stop - start)
        if found:
            return Answer(206, body, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"})
        return Answer(200, body, headers)

    def _replaced(self, path: str) -> Answer | None:
        if path not in self.server.replies:
            return None
        status, headers, body = self.server.replies[path]
        return Answer(status, body, headers)

    def _page(self, asked: dict[str, Any]) -> dict[str, Any]:
        area = shapely.geometry.shape(asked["intersects"])
        start, end = (datetime.fromisoformat(text) for text in asked["datetime"].split("/"))
        found = [
            item
            for item in self.server.items
            if item["collection"] in asked["collections"]
            and shapely.geometry.shape(item["geometry"]).intersects(area)
            and start <= datetime.fromisoformat(item["properties"]["datetime"]) <= end
        ]
        first = int(asked.get("token", 0))
        last = first + self.server.page_size
        links = []
        if last < len(found):
            address = f"{self.server.address}/search"
            links = [{"rel": "next", "href": address, "method": "POST", "body": {**asked, "token": str(last)}}]
        return {"type": "FeatureCollection", "features": deepcopy(found[first:last]), "links": links}

    def _reply(self, answer: Answer) -> None:
        if self.server.delay_s:
            time.sleep(self.server.delay_s)
        fault = ""
        if answer.status in {200, 206} and self.path.partition("?")[0].endswith(".tiff"):
            fault = self.server.faults.pop(0) if self.server.faults else ""
            if self.server.is_down or fault == "busy":
                answer = Answer(503 if self.server.is_down else 429, b"", {"Retry-After": self.server.retry_after})
            elif fault == "error":
                answer = Answer(500)
        key = self.headers.get("Ocp-Apim-Subscription-Key", "")
        self.server.asked.append(Asked(self.command, self.path.partition("?")[0], answer.status, len(answer.body), key))
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            is_cut = fault in {"drop", "stall"}
            self._write(answer.body[: len(answer.body) // 2] if is_cut else answer.body)
            self.close_connection |= is_cut
        if fault == "stall":
            self.wfile.flush()
            self.connection.settimeout(5)
            self.connection.recv(1)  # returns when the client has had enough

    def _write(self, body: bytes) -> None:
        if self.server.zip_rate is None or not self.path.endswith(".zip"):
            self.wfile.write(body)
            return
        for start in range(0, len(body), 2**14):
            self.wfile.write(body[start : start + 2**14])
            time.sleep(2**14 / (self.server.zip_rate or 1e9))


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
