"""An Overpass server on loopback, as strict as the public one: a POST of a form, and a client that says who it is.

Answers and refusals are those of overpass-api.de as its users report them: 406 for a program without a name of its own
(drolbr/Overpass-API, issue 791), 429 where somebody asks too often, 504 where it is too busy, 400 with a page of HTML
for a question it cannot read, and 200 with a `remark` where it ran out of time.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from servers.running import run

BOX = re.compile(r"\((-?[\d.]+),(-?[\d.]+),(-?[\d.]+),(-?[\d.]+)\);")


class OverpassServer(ThreadingHTTPServer):
    """Has a map; `faults` are answered first, one a request."""

    daemon_threads = True

    def __init__(self, elements: list[dict]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.elements = elements
        self.faults: list[tuple[int, str, bytes]] = []
        self.boxes: list[tuple[float, ...]] = []
        """South, west, north and east of each statement that was asked for."""
        self.n_requests = 0
        self.n_at_once = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/interpreter"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OverpassServer

    def do_GET(self) -> None:
        self._reply(400, "text/html", b"<html>this client is to POST</html>")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.n_requests += 1
        assert self.server.n_at_once.acquire(blocking=False), "two requests side by side"
        try:
            self._answer(body)
        finally:
            self.server.n_at_once.release()

    def _answer(self, body: str) -> None:
        if not self.headers.get("User-Agent", "").startswith("sarship/"):
            return self._reply(406, "text/html", b"<html>Not Acceptable</html>")
        if self.server.faults:
            return self._reply(*self.server.faults.pop(0))
        query = parse_qs(body).get("data", [""])[0]
        boxes = [tuple(map(float, box)) for box in BOX.findall(query)]
        is_form = self.headers.get("Content-Type") == "application/x-www-form-urlencoded"
        right = is_form and query.startswith("[out:json]") and query.endswith("out geom;") and boxes
        if not right or any(not (south < north and west < east) for south, west, north, east in boxes):
            return self._reply(400, "text/html", b"<html>parse error</html>")
        self.server.boxes += boxes
        answer = {"version": 0.6, "generator": "Overpass API", "elements": self.server.elements}
        return self._reply(200, "application/json", json.dumps(answer).encode())

    def _reply(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests look at `n_requests`."""


def serve_overpass(elements: list[dict]) -> AbstractContextManager[OverpassServer]:
    return run(OverpassServer(elements))


def way(number: int, places, **tags: str) -> dict:
    """Return a way as `out geom` writes it, of longitudes and latitudes."""
    geometry = [{"lat": float(latitude), "lon": float(longitude)} for longitude, latitude in places]
    names = {name.replace("__", ":"): value for name, value in tags.items()}
    return {"type": "way", "id": number, "nodes": list(range(len(geometry))), "tags": names, "geometry": geometry}


def node(number: int, longitude: float, latitude: float, **tags: str) -> dict:
    names = {name.replace("__", ":"): value for name, value in tags.items()}
    return {"type": "node", "id": number, "lat": latitude, "lon": longitude, "tags": names}
