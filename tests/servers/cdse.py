"""Copernicus Data Space on loopback: STAC, OData with sizes and checksums, tokens, and zips that need one.

Its windows lie in an S3 store of moto's, which `serve_s3` runs.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

from servers.running import run
from servers.stac import Answer, Handler, StacServer, as_json, make_item, scene_of

USER, PASSWORD = "anna@example.org", "PLANTED-SECRET-password"
KEY, SECRET = "PLANTEDKEYID", "PLANTED-SECRET-s3"
KEYS = {KEY: SECRET, "a": "b"}
SIGNATURES: set[str] = set()
"""Those that the store was sent; each opens a file for a quarter of an hour."""
TOKEN, REFRESH = "PLANTED-SECRET-token", "PLANTED-SECRET-refresh"
IDENTITY, ODATA = "/auth/token", "/odata/v1"


class CdseServer(StacServer):
    """Products of a folder as items, and as zips by their number."""

    api = "/v1"

    def __init__(self) -> None:
        super().__init__(CdseHandler)
        self.zips: dict[str, bytes] = {}
        self.n_given = 0
        """Tokens that were given; the last is the one that is taken."""
        self.n_cut = 0
        """How many more downloads break in the middle, and with them the token."""
        self.refused: list[dict[str, str]] = []
        """Headers of what was asked of the store, which this is not."""
        self.totp = ""
        """Code of a two-factor login, which is taken once; empty for an account without."""
        self.refresh = ""
        """The only refresh token that is taken; empty when the session has ended."""
        self.grants: list[str] = []
        """Kinds of what was asked for tokens with."""
        self.is_online = True
        self.sums: list[dict[str, str]] | None = None
        """Checksums to give instead of the right ones."""

    def add(self, folder: Path) -> dict[str, Any]:
        """Serve a product with its whole name."""
        scene, number = scene_of(folder), f"0000000{len(self.zips)}-aaaa-bbbb-cccc-000000000000"
        item = make_item(scene, scene.id, f"s3://eodata/{s3_prefix(folder)}")
        item["properties"]["processing:datetime"] = scene.processed.isoformat()
        item["assets"] = {name: asset for name, asset in item["assets"].items() if "schema" not in name}
        item["assets"]["Product"] = {"href": f"{self.host}{ODATA}/Products({number})/$value", "type": "application/zip"}
        self.zips[number] = as_zip(folder)
        self.items.append(item)
        return item


@cache
def as_zip(folder: Path) -> bytes:
    """A product as archives give it."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return whole.getvalue()


def s3_prefix(folder: Path) -> str:
    """Where the store has a product."""
    return f"Sentinel-1/SAR/IW_GRDH_1S-COG/2024/12/03/{folder.name}"


class CdseHandler(Handler):
    server: CdseServer

    def do_POST(self) -> None:
        if self.path != IDENTITY:
            super().do_POST()
            return
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.server.grants.append(form["grant_type"])
        self._reply(self._replaced(IDENTITY) or self._token(form))

    def _token(self, form: dict[str, str]) -> Answer:
        """As Keycloak answers."""
        is_renewed = form["grant_type"] == "refresh_token"
        if is_renewed and form["refresh_token"] != (self.server.refresh or None):
            return as_json({"error": "invalid_grant", "error_description": "Token is not active"}, 400)
        said = form.get("username"), form.get("password"), form.get("totp", "")
        if not is_renewed and said != (USER, PASSWORD, self.server.totp):
            wrong = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
            return as_json(wrong, 401)
        if self.server.totp and not is_renewed:
            self.server.totp = "used"
        self.server.n_given += 1
        self.server.refresh = f"{REFRESH}{self.server.n_given}"
        token = f"{TOKEN}{self.server.n_given}"
        return as_json({"access_token": token, "expires_in": 600, "refresh_token": self.server.refresh})

    def _get(self) -> Answer:
        path = self.path
        number, _, rest = path.removeprefix(f"{ODATA}/Products(").partition(")")
        if (replaced := self._replaced(path)) is not None:
            return replaced
        if path.startswith("/eodata"):
            self.server.refused.append(dict(self.headers))
            return Answer(403)
        if number not in self.server.zips or not path.startswith(ODATA):
            return Answer(404)
        body = self.server.zips[number]
        if not rest:
            sums = [{"Algorithm": "MD5", "Value": hashlib.md5(body).hexdigest()}, {"Algorithm": "BLAKE3", "Value": "0"}]
            sums = sums if self.server.sums is None else self.server.sums
            return as_json({"ContentLength": len(body), "Online": self.server.is_online, "Checksum": sums})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}{self.server.n_given}":
            return Answer(401)
        return self._zip(body)

    def _zip(self, body: bytes) -> Answer:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"ETag": '"one"', "Content-Length": str(len(body) - start)}
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        stop = len(body)
        if self.server.n_cut:
            self.server.n_cut -= 1
            self.server.n_given += 1
            self.close_connection = True
            stop = (start + stop) // 2
        return Answer(206 if "Range" in self.headers else 200, body[start:stop], headers)


@contextmanager
def serve_cdse() -> Iterator[CdseServer]:
    with run(CdseServer()) as server:
        yield server


class SigningStore:
    """A store that takes signatures in headers only, as Copernicus' does, and only those of its keys."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if code := self._refusal(environ):
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()]
        return self.store(environ, start_response)

    def _refusal(self, environ: dict[str, Any]) -> str:
        given = dict(re.findall(r"(\w+)=([^,]+)", environ.get("HTTP_AUTHORIZATION", "")))
        if "X-Amz-Signature" in environ["QUERY_STRING"] or not given:
            return "InvalidAccessKeyId"
        SIGNATURES.add(given["Signature"])
        key, _, region, _, _ = given["Credential"].split("/")
        if key not in KEYS:
            return "InvalidAccessKeyId"
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:  # the tests fill the store
            return ""
        names = given["SignedHeaders"].split(";")
        asked = AWSRequest(environ["REQUEST_METHOD"], f"http://{environ['HTTP_HOST']}{environ['RAW_URI']}")
        asked.context["timestamp"] = environ["HTTP_X_AMZ_DATE"]
        for name in names:
            asked.headers[name] = environ[f"HTTP_{name.upper().replace('-', '_')}"]
        auth = S3SigV4Auth(Credentials(key, KEYS[key]), "s3", region)
        signed = auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked)
        return "" if signed == given["Signature"] else "SignatureDoesNotMatch"


@contextmanager
def serve_s3(folders: dict[str, dict[str, Path]]) -> Iterator[str]:
    """A store with the products of each bucket by their prefixes; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = SigningStore(server._server.app)
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        client = boto3.client("s3", "us-east-1", endpoint_url=address, aws_access_key_id="a", aws_secret_access_key="b")
        for bucket, products in folders.items():
            client.create_bucket(Bucket=bucket)
            for prefix, folder in products.items():
                for path in folder.rglob("*"):
                    if path.is_file():
                        key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                        client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        client.close()
        yield address
    finally:
        server.stop()
