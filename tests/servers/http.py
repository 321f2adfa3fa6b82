"""A file server on loopback that answers ranges, and misbehaves on a plan.

Each file carries its own list of faults, one used up by each request for it; when the list is empty the server behaves.
What was sent is kept in `Served.log`, so that a test can tell whether a byte was fetched twice.
"""

from __future__ import annotations

import hashlib
import random
import re
import socket
import struct
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers.running import run

FAULTS = (
    "drop",
    "reset",
    "short",
    "long",
    "plain",
    "unauthorized",
    "busy",
    "error",
    "stall",
    "drip",
    "corrupt",
    "changed",
    "misplaced",
    "unanswered",
)


@dataclass
class Sent:
    """One answer with bytes of a file."""

    status: int
    start: int
    n_bytes: int
    fault: str = ""


@dataclass
class Served:
    """A file on the server."""

    content: bytes
    faults: list[str] = field(default_factory=list)
    etag: str | None = '"first"'
    last_modified: str | None = None
    has_ranges: bool = True
    has_length: bool = True
    is_chunked: bool = False
    location: str | None = None
    token: str | None = None
    """The only token that opens the file; a fault `unauthorized` replaces it."""
    refusal: str | None = None
    """Body of a 403, as stores say why."""
    headers: dict[str, str] = field(default_factory=dict)
    bytes_per_second: float | None = None
    retry_after: str = "0.02"
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    """Where connections break and what is damaged."""
    log: list[Sent] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """Moments of the requests, by the clock of `time.monotonic`."""
    answers: list[int] = field(default_factory=list)

    @property
    def n_sent(self) -> int:
        return sum(sent.n_bytes for sent in self.log)

    @property
    def md5(self) -> tuple[str, str]:
        return "md5", hashlib.md5(self.content).hexdigest()


class FileServer(ThreadingHTTPServer):
    """Serves `files` by their paths."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients cut connections here on purpose."""


def serve(server: FileServer | None = None) -> AbstractContextManager[FileServer]:
    return run(server or FileServer())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def setup(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def do_GET(self) -> None:
        file = self.server.files.get(self.path.partition("?")[0])
        if file is None:
            self._plain(404)
            return
        with self.server.guard:
            fault = file.faults.pop(0) if file.faults else ""
            file.requests.append(dict(self.headers))
            file.times.append(time.monotonic())
            if fault == "unauthorized":
                file.token = f"token-{file.chance.random()}"
            if fault == "changed":
                file.etag = f'"{file.chance.random()}"'
        try:
            self._answer(file, fault)
        except OSError:
            self.close_connection = True

    def _answer(self, file: Served, fault: str) -> None:
        if file.token is not None and self.headers.get("Authorization") != f"Bearer {file.token}":
            self._plain(401, file)
        elif file.refusal is not None:
            self._plain(403, file, body=file.refusal.encode())
        elif file.location is not None:
            self._plain(302, file, {"Location": file.location})
        elif fault == "busy":
            self._plain(file.chance.choice((429, 503)), file, {"Retry-After": file.retry_after})
        elif fault == "error":
            self._plain(file.chance.choice((500, 502, 504)), file)
        elif fault == "unanswered":
            self._abort()
        else:
            self._send(file, fault)

    def _plain(
        self, status: int, file: Served | None = None, headers: dict[str, str] | None = None, body: bytes = b"none"
    ) -> None:
        if file is not None:
            file.answers.append(status)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, file: Served, fault: str) -> None:
        total, start, is_range = len(file.content), 0, False
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        matches = condition is None or condition in {file.etag, file.last_modified}
        if wanted and file.has_ranges and fault != "plain" and matches:
            start, is_range = int(wanted[1]), True
            if start >= total:
                self._plain(416, file, {"Content-Range": f"bytes */{total}"})
                return
        body = bytearray(file.content[start:])
        claimed = {"short": total - 1, "long": total + 17}.get(fault, total)
        self.send_response(206 if is_range else 200)
        file.answers.append(206 if is_range else 200)
        if is_range:
            first = start + 1 if fault == "misplaced" else start
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{claimed}")
        self._headers(file, claimed - start)
        is_harmless = fault == "misplaced" and not is_range  # a whole file has no other place
        sent = Sent(206 if is_range else 200, start, 0, "" if is_harmless else fault)
        file.log.append(sent)
        if fault == "corrupt" and body:
            body[file.chance.randrange(len(body))] ^= 0x40
        stop = file.chance.randrange(len(body) + 1) if fault in {"drop", "reset", "stall", "drip"} else len(body)
        self._body(file, bytes(body[:stop]), sent)
        if fault == "stall":
            self._idle(file, b"", sent)
        elif fault == "drip":
            self._idle(file, bytes(body[stop:]), sent)
        elif fault == "reset":
            self._abort()
        elif file.is_chunked and stop == len(body):
            self.wfile.write(b"0\r\n\r\n")
        if fault or not (file.has_length or file.is_chunked):
            self.close_connection = True

    def _headers(self, file: Served, length: int) -> None:
        given = {"ETag": file.etag, "Last-Modified": file.last_modified, **file.headers}
        for name, value in given.items():
            if value is not None:
                self.send_header(name, value)
        if file.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif file.has_length:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def _body(self, file: Served, data: bytes, sent: Sent) -> None:
        step = 2**15
        for i in range(0, len(data), step):
            piece = data[i : i + step]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if file.is_chunked else piece)
            sent.n_bytes += len(piece)
            if file.bytes_per_second is not None:
                time.sleep(len(piece) / file.bytes_per_second)

    def _idle(self, file: Served, rest: bytes, sent: Sent) -> None:
        """Keep the connection open, sending a byte now and then or nothing, until the client has had enough of it."""
        self.connection.settimeout(0.02)
        for i in range(500):
            self._body(file, rest[i : i + 1], sent)
            try:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    return
            except TimeoutError:
                continue

    def _abort(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
