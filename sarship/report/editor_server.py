"""Server of the editor's page: this computer alone reaches it, and only who knows its address and is no other site."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from sarship.errors import PortError, SarshipError, explain
from sarship.report.html import Page

__all__ = ["EditorServer"]

MAX_BODY: Final = 32_000_000
"""Bytes of the longest request: outlines of half a million corners."""
SILENT_S: Final = 30.0
"""Time after which a connection that says nothing is closed."""

Answer = Callable[[Any], dict[str, Any]]


class EditorServer(ThreadingHTTPServer):
    """Serves one page, and the answers to what it sends.

    Browsers send what any web page tells them to, also to this computer. So an address has a secret part; the name of
    the host is checked, which a domain that was pointed at this computer does not have; and whatever changes something
    must come from the page itself.

    Parameters
    ----------
    show
        Makes the page.
    answers
        Functions by the last part of the address: each takes what the page sent, as plain values, and returns what it
        gets. A `SarshipError` is sent as its sentence.
    """

    daemon_threads = True

    def __init__(self, show: Callable[[], Page], answers: Mapping[str, Answer]) -> None:
        self.show, self.answers = show, answers
        self.secret = secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def origin(self) -> str:
        """Origin of the page."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def address(self) -> str:
        """Address of the page; whoever knows it can change the file."""
        return f"{self.origin}/{self.secret}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave a connection that broke; the page says that nothing was saved."""


class _Handler(BaseHTTPRequestHandler):
    server: EditorServer
    timeout = SILENT_S
    server_version, sys_version = "sarship", ""

    def log_message(self, *_: object) -> None:
        """Print nothing: the terminal is the user's."""

    def do_GET(self) -> None:
        """Send the page."""
        if (name := self._name()) is None:
            return
        if name:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
            return
        try:
            page = self.server.show()
        except Exception as error:
            self._refuse(HTTPStatus.CONFLICT, explain(error))
            return
        self._send(HTTPStatus.OK, page.html, "text/html; charset=utf-8", page.policy)

    def do_POST(self) -> None:
        """Answer what the page sent."""
        if (name := self._name()) is None:
            return
        if self.headers.get("Origin") != self.server.origin or not self._is_same_site():
            self._refuse(HTTPStatus.FORBIDDEN, "this was not sent by the editor's page")
        elif self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this is not JSON")
        elif name not in self.server.answers:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        elif (body := self._body()) is not None:
            self._answer(self.server.answers[name], body)

    def _name(self) -> str | None:
        """Return the last part of the address, or refuse a request that does not come by it."""
        parts = self.path.split("/")
        secret, name = parts[1:] if len(parts) == 3 else ("", "")
        if self.headers.get_all("Host") != [self.server.origin.removeprefix("http://")]:
            self._refuse(HTTPStatus.FORBIDDEN, "give the address as the command printed it")
        elif not secrets.compare_digest(secret.encode(), self.server.secret.encode()):
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here; give the address as the command printed it")
        elif not self._is_same_site() and self.headers.get("Sec-Fetch-Dest") != "document":
            self._refuse(HTTPStatus.FORBIDDEN, "another site asked for this")
        else:
            return name
        return None

    def _is_same_site(self) -> bool:
        return self.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}

    def _body(self) -> bytes | None:
        """Return the body of a request, or refuse one of no known or of too great a length."""
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "the length of this is not known")
        elif len(length) > 12 or int(length) > MAX_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"this has more than {MAX_BODY // 10**6} MB")
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                return body
            self._refuse(HTTPStatus.BAD_REQUEST, "this is cut short")
        return None

    def _answer(self, answer: Answer, body: bytes) -> None:
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "this is not JSON")
            return
        try:
            said = answer(sent)
        except SarshipError as error:
            feature = error.feature if isinstance(error, PortError) else None
            self._refuse(HTTPStatus.CONFLICT, explain(error), feature=feature)
        except Exception as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, explain(error))
        else:
            self._send(HTTPStatus.OK, json.dumps(said).encode())

    def _refuse(self, status: HTTPStatus, sentence: str, **more: object) -> None:
        self.close_connection = True
        self._send(status, json.dumps({"error": sentence, **more}).encode())

    def _send(
        self, status: HTTPStatus, body: bytes, kind: str = "application/json", policy: str = "default-src 'none'"
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
