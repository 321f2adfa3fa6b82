"""One request for a file over HTTP: redirects, tokens and answers, with every way it may go wrong given a name.

urllib3 is taken because requests (under pystac-client and sentinelsat) and boto3 bring it anyway, and because it adds
nothing of its own: no credentials read from `~/.netrc`, no redirect followed unasked, and bodies handed over as the
bytes arrive. TLS certificates are always verified; there is no switch.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from sarship.errors import CredentialError, DownloadError

__all__ = [
    "Denied",
    "FileRequest",
    "Hiccup",
    "Pace",
    "Progress",
    "RetryPolicy",
    "Run",
    "ask",
    "check_status",
    "describe",
    "public_url",
    "send",
]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are on disk and, where it is known, the bytes in all."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509})
"""Answers that another try may better."""
_MAX_REDIRECTS: Final = 10
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRequest:
    """A file to fetch: where from, where to, and what it must be."""

    url: str = field(repr=False)  # may carry a token
    """Address, `https://…`."""
    target: Path
    """Final name on disk."""
    size: int | None = None
    """Bytes, where the catalogue says."""
    checksum: tuple[str, str] | None = None
    """Algorithm (`md5`, `sha256`, … as `hashlib` knows it) and hexadecimal digest, where the catalogue says."""
    authorize: Callable[[bool], dict[str, str]] | None = None
    """Gives the headers that let the file be read; True asks for a new token. Called from several threads."""
    sign: Callable[[str, bool], str] | None = None
    """Gives the address with a token in it, for stores that take it there; True asks for a new one."""
    hosts: frozenset[str] = frozenset()
    """Other hosts that a redirect may lead to: `name`, `name:port`, or `.domain` for every host below it."""
    own_hosts: frozenset[str] = frozenset()
    """Hosts of the same provider: a redirect may lead there, and the headers of `authorize` go along."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How long to wait, and how often to try again."""

    n_attempts: int = 8
    """Failures in a row, without progress between them, that end a download."""
    base_s: float = 1.0
    """First wait after a failure; doubled each time, and shortened by chance so that clients spread out."""
    cap_s: float = 60.0
    """Longest wait of sarship's own choosing."""
    longest_wait_s: float = 900.0
    """Longest wait that a server may ask for with `Retry-After`."""
    connect_s: float = 20.0
    """Longest wait for a connection."""
    read_s: float = 60.0
    """Longest silence within a download; also the time over which its rate is taken."""
    min_rate: float = 1024.0
    """Bytes a second under which a connection counts as stalled."""
    chance: Callable[[], float] = random.random
    """Gives numbers in [0, 1)."""

    def wait_s(self, n_failures: int) -> float:
        """Seconds to wait after so many failures in a row.

        >>> RetryPolicy(chance=lambda: 1.0).wait_s(3)
        4.0
        """
        longest: float = min(self.cap_s, self.base_s * 2 ** (n_failures - 1))
        return longest * (0.5 + 0.5 * self.chance())


class Hiccup(Exception):  # noqa: N818  (never leaves the downloader)
    """A failure that another try may better."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        """What the server asked for, in seconds."""


class Denied(Exception):  # noqa: N818  (never leaves the downloader)
    """The server wants other credentials: perhaps a token has expired."""


class Pace:
    """Cuts a connection that hardly moves: one that drips never meets the read timeout."""

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._retry_policy, self._start, self._n_bytes = retry_policy, time.monotonic(), 0

    def check(self, n_bytes: int) -> None:
        """Count bytes that arrived.

        Raises
        ------
        Hiccup
            Over the last `RetryPolicy.read_s` they were too few.
        """
        self._n_bytes += n_bytes
        elapsed = time.monotonic() - self._start
        if elapsed >= self._retry_policy.read_s:
            if self._n_bytes < elapsed * self._retry_policy.min_rate:
                raise Hiccup("the connection stalled")
            self._start, self._n_bytes = time.monotonic(), 0


class Run:
    """What the files of one call share: the wish to stop, and how long each host asked to be left alone."""

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self.retry_policy = retry_policy
        self.stop = threading.Event()
        self._quiet_until: dict[str, float] = {}

    def hold(self, url: str, seconds: float) -> None:
        """Leave the host alone for so long: a rate limit is for all files, not for the one that met it."""
        host = urlsplit(url).netloc
        self._quiet_until[host] = max(self._quiet_until.get(host, 0.0), time.monotonic() + seconds)

    def wait_for(self, url: str) -> None:
        """Wait until the host may be asked again."""
        while (seconds := self._quiet_until.get(urlsplit(url).netloc, 0.0) - time.monotonic()) > 0:
            self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait, unless the run is stopped."""
        if self.stop.wait(seconds):
            self.check()

    def check(self) -> None:
        """Raise when the run was stopped."""
        if self.stop.is_set():
            raise DownloadError("the download was stopped; run it again to go on from where it was")


def public_url(url: str) -> str:
    """The address without what may be secret in it: user, password, query.

    >>> public_url("https://me:word@example.org/a/b.tiff?sig=secret")
    'https://example.org/a/b.tiff'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "this"
    return SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "").geturl()


def ask(request: FileRequest, headers: dict[str, str], run: Run, *, renew: bool) -> urllib3.BaseHTTPResponse:
    """Ask for a file and follow redirects, to the hosts that the request allows, up to the first other answer.

    The headers of `request.authorize` go to the host of `request.url` and to `request.own_hosts` alone.

    Raises
    ------
    DownloadError
        A redirect leads elsewhere, or round in a circle.
    Hiccup
        There was no answer.
    """
    _split(request.url)
    run.wait_for(request.url)
    url = request.sign(request.url, renew) if request.sign else request.url
    secret = request.authorize(renew) if request.authorize else {}
    first = _split(url)
    for _ in range(_MAX_REDIRECTS):
        is_own = _is_same_host(first, _split(url)) or _is_listed(_split(url), request.own_hosts)
        response = send("GET", url, {**headers, **(secret if is_own else {})}, run.retry_policy)
        if response.status not in _REDIRECTS:
            return response
        location = response.headers.get("Location", "")
        response.close()
        url = _follow(url, location, first, request.hosts | request.own_hosts)
    raise DownloadError(f"{public_url(request.url)} redirects in a circle; search again for a fresh address")


def check_status(response: urllib3.BaseHTTPResponse, request: FileRequest, run: Run) -> None:
    """Let answers with the file's bytes (200 and 206) pass, and name what is wrong with any other.

    Raises
    ------
    Denied
        On 401 and 403.
    Hiccup
        Another try may help.
    DownloadError
        No other try will help.
    """
    status, where = response.status, public_url(request.url)
    if status in {401, 403}:
        raise Denied(f"{where}: the server answered {status}")
    if status in _PASSING:
        wait_s = _retry_after(response.headers.get("Retry-After", ""))
        if wait_s is not None:
            if wait_s > run.retry_policy.longest_wait_s:
                raise DownloadError(f"{where}: the server asks to wait {wait_s:.0f} s; run the download again then")
            run.hold(request.url, wait_s)
        raise Hiccup(f"the server answered {status}", wait_s)
    if status == 416:
        raise Hiccup("the server has no such part of the file")
    if status not in {200, 206}:
        hint = {
            202: "it is being brought from the archive; run the download again in an hour",
            404: "there is no such file; search again for a fresh address",
            410: "there is no such file any more; search again for a fresh address",
        }.get(status, "look whether the address and the account are right")
        raise DownloadError(f"{where}: the server answered {status}; {hint}")
    if response.headers.get("Content-Type", "").lower().startswith("text/html") and "htm" not in request.target.suffix:
        raise CredentialError(
            f"{where}: the server answered a web page instead of the file; "
            "log in there once, accept its terms, and look whether the credentials are right"
        )
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Hiccup("the server compressed the file though asked not to")


def send(
    method: str, url: str, headers: dict[str, str], retry_policy: RetryPolicy, body: bytes | None = None
) -> urllib3.BaseHTTPResponse:
    """One request, no redirect followed and nothing of the answer's body read.

    Raises
    ------
    Hiccup
        There was no answer.
    DownloadError
        The address is none, or its certificate cannot be verified.
    """
    timeout = urllib3.Timeout(connect=retry_policy.connect_s, read=retry_policy.read_s)
    try:
        return _pool(url).request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
    except urllib3.exceptions.LocationValueError:
        raise _no_address(url) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if isinstance(error, urllib3.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise DownloadError(
                f"{public_url(url)}: the server's certificate cannot be verified, so nothing was fetched; behind a "
                "proxy that replaces certificates, point SSL_CERT_FILE to a file with its own"
            ) from None
        raise Hiccup(describe(error)) from None


def describe(error: BaseException) -> str:
    """What went wrong with a connection, in words and without addresses."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (urllib3.exceptions.SSLError, "the encrypted connection failed"),
        (urllib3.exceptions.NameResolutionError, "the server's name cannot be resolved"),
        (urllib3.exceptions.NewConnectionError, "the server cannot be reached"),
        (urllib3.exceptions.ConnectTimeoutError, "the server cannot be reached in time"),
        (urllib3.exceptions.ReadTimeoutError, "the connection stalled"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "the connection was cut")


def _pool(url: str) -> urllib3.PoolManager:
    """Connections, through the proxy that the environment names for this host."""
    parts = _split(url)
    return _manager(None if proxy_bypass(parts.netloc.rpartition("@")[2]) else getproxies().get(parts.scheme))


def _split(url: str) -> SplitResult:
    """Parts of an address that can be asked."""
    try:
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # brackets that do not close, or a port that is no number
        pass
    raise _no_address(url)


def _no_address(url: str) -> DownloadError:
    return DownloadError(f"{public_url(url)!r} is not an address; one starts with https:// and a host")


@cache
def _manager(proxy: str | None) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(maxsize=16, cert_reqs="CERT_REQUIRED")
    parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    login = f"{parts.username}:{parts.password or ''}" if parts.username else None
    address = SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], "", "", "").geturl()
    headers = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(address, maxsize=16, proxy_headers=headers, cert_reqs="CERT_REQUIRED")


def _follow(url: str, location: str, first: SplitResult, hosts: frozenset[str]) -> str:
    """Where a redirect leads, if it may."""
    try:
        following = urljoin(url, location)
        to = _split(following)
    except (ValueError, DownloadError):
        location = ""
    if not location:
        raise DownloadError(f"{public_url(url)} redirects to nowhere; search again for a fresh address")
    if urlsplit(url).scheme == "https" and to.scheme == "http":
        _refuse(url, to, "which is not encrypted")
    if not (_is_same_host(first, to) or _is_listed(to, hosts)):
        _refuse(url, to, "which is none of the provider's hosts")
    return following


def _refuse(url: str, to: SplitResult, reason: str) -> NoReturn:
    raise DownloadError(
        f"{public_url(url)} redirects to {to.scheme}://{to.netloc.rpartition('@')[2]}, {reason}; it was not followed"
    )


def _is_listed(to: SplitResult, hosts: frozenset[str]) -> bool:
    names = {to.hostname or "", f"{to.hostname}:{to.port or _PORTS[to.scheme]}"}
    return bool(names & hosts) or any(h.startswith(".") and (to.hostname or "").endswith(h) for h in hosts)


def _is_same_host(a: SplitResult, b: SplitResult) -> bool:
    """Whether two addresses are of one server; one that turns to TLS on the usual ports is the same."""
    ports = [parts.port or _PORTS.get(parts.scheme) for parts in (a, b)]
    is_upgrade = (a.scheme, b.scheme) == ("http", "https") and ports == [80, 443]
    return a.hostname == b.hostname and (is_upgrade or (a.scheme == b.scheme and ports[0] == ports[1]))


def _retry_after(text: str) -> float | None:
    """Seconds that a `Retry-After` asks for, given as seconds or as a date; None where there is none."""
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text.strip()):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _hide_queries(record: logging.LogRecord) -> bool:
    """Signed addresses carry their token in the query, and urllib3 logs every address at its DEBUG level."""
    if isinstance(record.args, tuple):
        record.args = tuple(re.sub(r"\?.*", "?…", a) if isinstance(a, str) else a for a in record.args)
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_hide_queries)
