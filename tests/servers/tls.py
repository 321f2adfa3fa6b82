"""Encryption of servers on loopback, by an authority that no library knows.

`loopback.pem` is for 127.0.0.1 and catalogue.example, signed by `authority.pem`; both are valid for a hundred years.
"""

from __future__ import annotations

import ssl
from http.server import ThreadingHTTPServer
from pathlib import Path

from servers.stac import Handler

AUTHORITY = Path(__file__).with_name("authority.pem")
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(Path(__file__).with_name("loopback.pem"))


def encrypt(server: ThreadingHTTPServer) -> str:
    """Have a server speak TLS alone, before it runs: its socket is another then; return its address."""
    server.socket = CONTEXT.wrap_socket(server.socket, server_side=True)
    return f"https://127.0.0.1:{server.server_port}"


class ReplacingProxy(Handler):
    """A proxy that opens what goes through it, as a company's does, and answers in the catalogue's place."""

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with CONTEXT.wrap_socket(self.connection, server_side=True) as opened:
            Handler(opened, self.client_address, self.server)
