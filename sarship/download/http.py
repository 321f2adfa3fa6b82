"""Requests over HTTP: redirects, credentials, retries and answers, with a name for every failure.

urllib3 is taken because requests (under pystac-client and sentinelsat) and boto3 bring it anyway, and because it adds
nothing of its own: no credentials read from `~/.netrc`, no redirect followed unasked, and bodies handed over as the
bytes arrive. TLS certificates are always verified; there is no switch.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from sarship._package import __version__
from sarship.download import log_filter
from sarship.download.addresses import follow, is_listed, is_same_host, no_address, public_url, split_url
from sarship.download.certificates import ca_bundle, unverified
from sarship.download.left_alone import leave_alone, wait_until_free
from sarship.download.parallel import STOPPED
from sarship.download.request import FileRequest, RetryPolicy
from sarship.download.secret import Secret
from sarship.errors import CredentialError, DownloadError

__all__ = ["Attempts", "Denied", "Hiccup", "Session", "StallDetector", "interruptions"]

_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": f"sarship/{__version__}"}
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509})
"""Answers that another try may better."""
_MAX_REDIRECTS: Final = 10
_CODE: Final = re.compile(rb"<Code>(\w{1,64})</Code>")
"""Reason in the answer of a store, as Amazon and Azure write it."""
_NOT_THE_KEYS: Final = {
    "AccessDenied": "the keys are taken, but may not read this, or there is no such file; look at the account's rights",
    "RequestTimeTooSkewed": "the clock of this computer is wrong; set it",
}
"""Refusals of a store that are no fault of the keys."""
_SMALL: Final = 2**20
"""Bytes; answers that are read into memory are far smaller."""

log_filter.install()


class Hiccup(Exception):  # noqa: N818  (never leaves the downloader)
    """A failure that another try may better."""

    def __init__(
        self, reason: str, *, status: int | None = None, wait_s: float | None = None, length: str = ""
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.wait_s = wait_s
        """Seconds that the server asked for."""
        self.length = length
        """`Content-Range` of a server that has no such part of the file."""


class Denied(Exception):  # noqa: N818  (never leaves the downloader)
    """An answer of a server that wants other credentials: perhaps a token has expired."""

    def __init__(self, reason: str, status: int, code: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        """Reason in the words of a store; empty if there are none."""


class StallDetector:
    """Cuts a connection that hardly moves: one that drips never meets the read timeout."""

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._retry_policy, self._start, self._n_bytes = retry_policy, time.monotonic(), 0

    def check(self, n_bytes: int) -> None:
        """Count bytes that arrived.

        Raises
        ------
        Hiccup
            If they were too few over the last `RetryPolicy.read_s`.
        """
        self._n_bytes += n_bytes
        elapsed = time.monotonic() - self._start
        if elapsed >= self._retry_policy.read_s:
            if self._n_bytes < elapsed * self._retry_policy.min_rate:
                raise Hiccup("the connection stalled")
            self._start, self._n_bytes = time.monotonic(), 0


class Session:
    """Requests of one call, which share the wish to stop.

    Hosts that asked to be left alone are, whichever session or process of the user they told.

    Parameters
    ----------
    retry_policy
        Timeouts, attempts and waits.
    advice
        End of the message when the attempts are used up.
    """

    def __init__(self, retry_policy: RetryPolicy, advice: str = "run the download again to go on from here") -> None:
        self.retry_policy, self.advice = retry_policy, advice
        self.stop = threading.Event()
        self.met: int | None = None
        """Status of the last answer that another try was to better."""

    def sleep(self, seconds: float) -> None:
        """Wait, unless the session is stopped."""
        if self.stop.wait(seconds):
            self.check()

    def check(self) -> None:
        """Raise when the session was stopped."""
        if self.stop.is_set():
            raise DownloadError(STOPPED)

    def ask(
        self, request: FileRequest, headers: Mapping[str, str], *, renew: bool = False, body: Secret | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Ask for a file, follow redirects to the hosts that the request allows, and refuse other answers.

        The headers of `request.authorize` go to the host of `request.url` and to `request.own_hosts` alone. With a
        body the request is a POST, and no redirect is followed.

        Raises
        ------
        Denied
            If the server answers 401 or 403.
        Hiccup
            If there was no answer, or one that another try may better.
        DownloadError
            If no other try will help, a redirect leads elsewhere or round in a circle, or the host asked to be left
            alone for longer than the retry policy waits.
        CredentialError
            If the answer is a web page.
        """
        first = split_url(public_url(request.url))
        wait_until_free(request.url, self.retry_policy.longest_wait_s, self.sleep)
        url = Secret(request.sign(request.url, renew) if request.sign else request.url)
        secret = {key: Secret(each) for key, each in request.authorize(renew).items()} if request.authorize else {}
        for _ in range(_MAX_REDIRECTS):
            here = split_url(public_url(url))
            is_own = is_same_host(first, here) or is_listed(here, request.own_hosts)
            response = _send(url, {**headers, **(secret if is_own else {})}, self.retry_policy, body)
            try:
                location = _redirect(response)
                if location is None or body is not None:
                    self._check(response, request)
                    return response
                url = follow(url, location, first, request.hosts | request.own_hosts)
            except BaseException:
                response.close()
                raise
            response.close()
        where = public_url(request.url)
        raise DownloadError(f"{where} redirects in a circle; search again for a fresh address", file=where)

    def read(self, request: FileRequest, headers: Mapping[str, str], body: Secret | None = None) -> bytes:
        """Return a small answer, asked for until the server gives it or the attempts are used up.

        Raises
        ------
        DownloadError, CredentialError
            As `ask`, and when no attempt is left.
        """
        attempts = Attempts(request, self)
        while True:
            try:
                with closing(self.ask(request, headers, renew=attempts.renew, body=body)) as response, interruptions():
                    return response.read(_SMALL)
            except (Denied, Hiccup) as error:
                attempts.after(error)

    def _check(self, response: urllib3.BaseHTTPResponse, request: FileRequest) -> None:
        """Accept answers with the file's bytes (200 and 206); raise the error of any other."""
        status, where = response.status, public_url(request.url)
        if status in {401, 403}:
            with interruptions():
                found = _CODE.search(response.read(_SMALL))
            code = found[1].decode() if found else ""
            raise Denied(f"{where}: the server answered {status}{code and f' ({code})'}", status, code)
        if status in _PASSING:
            wait_s = _retry_after(response.headers.get("Retry-After", ""))
            if wait_s is not None:
                leave_alone(where, wait_s)  # a rate limit is for all files of the host, not for the one that met it
                if wait_s > self.retry_policy.longest_wait_s:
                    words = f"the server answered {status} and asks to wait {wait_s:.0f} s"
                    sentence = f"{where}: {words}; run the download again then"
                    raise DownloadError(sentence, status=status, file=where)
            raise Hiccup(f"the server answered {status}", status=status, wait_s=wait_s)
        if status == 416:
            length = response.headers.get("Content-Range", "")
            raise Hiccup("the server has no such part of the file", status=status, length=length)
        if status not in {200, 206}:
            hint = {
                202: "it is being brought from the archive; run the download again in an hour",
                404: "there is no such file; search again for a fresh address",
                410: "there is no such file any more; search again for a fresh address",
            }.get(status, "check the address and the account")
            raise DownloadError(f"{where}: the server answered {status}; {hint}", status=status, file=where)
        kind = response.headers.get("Content-Type", "").lower()
        if kind.startswith("text/html") and "htm" not in request.target.suffix:
            raise CredentialError(
                f"{where}: the server answered a web page instead of the file; "
                "log in there once, accept its terms, and check the credentials",
                status=status,
            )
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Hiccup("the server compressed the file though asked not to", status=status)


class Attempts:
    """Attempts at one request: credentials are renewed once, failures in a row are counted and waited for."""

    def __init__(self, request: FileRequest, session: Session) -> None:
        self._request, self._session = request, session
        self._n_failures, self._has_renewed = 0, False
        self._reasons: dict[str, None] = {}  # in their order, each once
        self._status: int | None = None
        self.renew = False
        """True if the next request needs new credentials."""

    def accepted(self) -> None:
        """Note that the server took the credentials."""
        self.renew = self._has_renewed = False

    def moved(self) -> None:
        """Note that bytes arrived, so that failures are counted anew."""
        self._n_failures, self._status = 0, None
        self._reasons.clear()

    def after(self, error: Denied | Hiccup) -> None:
        """Get ready for the next attempt, or raise when there is no hope."""
        where = public_url(self._request.url)
        if isinstance(error, Denied):
            if self._has_renewed or not (self._request.authorize or self._request.sign):
                if error.code in _NOT_THE_KEYS:
                    sentence = f"{error}; {_NOT_THE_KEYS[error.code]}"
                    raise DownloadError(sentence, status=error.status, file=where) from None
                sentence = f"{error}; check the account's credentials"
                raise CredentialError(sentence, status=error.status) from None
            self.renew = self._has_renewed = True
            return
        self.renew = False
        self._n_failures += 1
        self._reasons[str(error)] = None
        self._status = self._session.met = error.status or self._status
        policy = self._session.retry_policy
        if self._n_failures >= policy.n_attempts:
            reasons = " and ".join(self._reasons)
            sentence = f"{where}: {reasons}, {self._n_failures} times in a row; {self._session.advice}"
            raise DownloadError(sentence, status=self._status, file=where) from None
        self._session.sleep(policy.wait_s(self._n_failures) if error.wait_s is None else error.wait_s)


@contextmanager
def interruptions() -> Iterator[None]:
    """Name a connection that fails while an answer is read, as `Hiccup`."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Hiccup(_describe(error)) from None


def _send(
    url: Secret, headers: dict[str, str], retry_policy: RetryPolicy, body: Secret | None
) -> urllib3.BaseHTTPResponse:
    """One request, no redirect followed and nothing of the answer's body read."""
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        doubt = "the token or key has letters that cannot be sent, such as the end of a line; copy it again"
        raise CredentialError(f"{public_url(url)}: {doubt}")
    timeout = urllib3.Timeout(connect=retry_policy.connect_s, read=retry_policy.read_s)
    try:
        return _pool(url).request(
            "GET" if body is None else "POST",
            url.reveal(),
            body=None if body is None else body.encode(),
            headers={**_HEADERS, **headers},
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
    except urllib3.exceptions.LocationValueError:
        raise no_address(url) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if sentence := unverified(error, public_url(url)):
            raise DownloadError(sentence, file=public_url(url)) from None
        raise Hiccup(_describe(error)) from None


def _redirect(response: urllib3.BaseHTTPResponse) -> Secret | None:
    """Return the address that an answer redirects to, empty where it gives none; None for another answer."""
    location = response.get_redirect_location()
    return None if location is False else Secret(location or "")


def _describe(error: BaseException) -> str:
    """Return the fault of a connection, in words and without addresses."""
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
    parts = split_url(url)
    proxy = None if proxy_bypass(parts.netloc.rpartition("@")[2]) else getproxies().get(parts.scheme)
    return _manager(proxy, ca_bundle())


@cache
def _manager(proxy: str | None, bundle: str | None) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(maxsize=16, cert_reqs="CERT_REQUIRED", ca_certs=bundle)
    parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    login = f"{parts.username}:{parts.password or ''}" if parts.username else None
    address = SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], "", "", "").geturl()
    headers = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(address, maxsize=16, proxy_headers=headers, cert_reqs="CERT_REQUIRED", ca_certs=bundle)


def _retry_after(text: str) -> float | None:
    """Seconds that a `Retry-After` asks for, given as seconds or as a date; None where there is none."""
    if re.fullmatch(r"\d{1,9}\.\d+", text.strip()):  # no standard has fractions, but servers do
        return float(text)
    try:
        return urllib3.Retry().parse_retry_after(text)
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None
