"""HTTP sessions of the libraries that ask catalogues: held to one host, with timeouts and retries; pages checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import MaxRetryError

from sarship.download.addresses import public_url
from sarship.download.certificates import ca_bundle, unverified
from sarship.download.left_alone import leave_alone, wait_until_free
from sarship.download.request import RetryPolicy
from sarship.errors import CatalogError, DownloadError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Pages", "hold_to", "import_extra", "is_own", "no_list", "no_reply", "one_sentence"]

N_ATTEMPTS: Final = 5
"""After a failure that may pass."""
BACKOFF_S: Final = 0.5
TIMEOUT_S: Final = (20.0, 60.0)
"""For a connection, and between bytes."""
LONGEST_WAIT_S: Final = RetryPolicy().longest_wait_s
"""Longest wait that a server may ask for with `Retry-After`."""


def import_extra(name: str, user: str, extra: str) -> ModuleType:
    """Import a library that is not always installed.

    Parameters
    ----------
    name
        The library.
    user
        The part of sarship that needs it, for the message.
    extra
        The extra of sarship that installs it.

    Raises
    ------
    CatalogError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise CatalogError(f"{user} needs {name}: pip install 'sarship[{extra}]'") from None


def hold_to(session: requests.Session, address: str) -> None:
    """Hold a session to the host of an address, with timeouts, and retries of failures that may pass."""
    retries = _Retries(
        address=address,
        total=N_ATTEMPTS,
        connect=1,  # a host that is not there: most likely there is no network
        other=1,  # a certificate that is not verified: nor will it be
        backoff_factor=BACKOFF_S,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )
    try:
        bundle = ca_bundle()
    except DownloadError as error:
        raise CatalogError(str(error), catalog=public_url(address)) from None
    for scheme in ("https://", "http://"):
        session.mount(scheme, _OneHost(address, bundle, max_retries=retries))
    if session.auth is None:
        session.auth = lambda request: request  # requests would else send what `~/.netrc` has


class _OneHost(HTTPAdapter):
    """Speaks to one host: requests would send the account to whatever host an answer names."""

    def __init__(self, address: str, bundle: str | None, **options: Any) -> None:
        self._address, self._bundle = address, bundle
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        source, other = public_url(self._address), urlsplit(request.url or "")
        if other[:2] != urlsplit(self._address)[:2]:
            host = other.netloc.rpartition("@")[2]
            raise CatalogError(f"{source} redirects to another host, {host}; it was not followed", catalog=source)
        options |= {"timeout": TIMEOUT_S, "verify": self._bundle or True}
        try:
            wait_until_free(self._address, LONGEST_WAIT_S)
            response: requests.Response = super().send(request, *args, **options)
        except DownloadError as error:  # the host asked to be left alone for long
            raise CatalogError(str(error), catalog=source) from None
        except requests.ConnectionError as error:
            if sentence := unverified(error, source):
                raise CatalogError(sentence, catalog=source) from None
            if status := getattr(error.args[0], "met_status", None):
                raise no_reply(source, status) from None
            raise
        return response


class _Retries(Retry):
    """Retries that tell which answer they met, where in the end there was none, and have the host left alone."""

    def __init__(self, *args: Any, address: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._address = address

    def new(self, **changes: Any) -> Self:
        return super().new(address=self._address, **changes)

    def sleep_for_retry(self, response: BaseHTTPResponse) -> bool:
        """Wait where the server asks for it, `increment` noted how long; True if it did."""
        wait_until_free(self._address, LONGEST_WAIT_S)
        return bool(self.get_retry_after(response))

    def increment(self, *args: Any, **options: Any) -> Self:
        response = options.get("response")
        if response is not None and (seconds := self.get_retry_after(response)):
            leave_alone(self._address, seconds)
        try:
            return super().increment(*args, **options)
        except MaxRetryError as error:
            met = [one.status for one in self.history if one.status]
            vars(error)["met_status"] = met[-1] if met else None
            raise


class Pages:
    """Pages of one search, refused when one repeats or one is missing."""

    def __init__(self, source: str) -> None:
        self._source, self._seen = source, set[str]()

    def check(self, names: set[str], *, has_more: bool, n_all: int | None = None) -> None:
        """Take the names of the items of a page.

        Parameters
        ----------
        names
            The names.
        has_more
            True if the catalogue says that more pages follow.
        n_all
            Number of items on all pages, if the catalogue says.
        """
        if names and names <= self._seen:
            raise self._lost("sent the same page twice")
        self._seen |= names
        if has_more and not names and n_all is None:
            raise self._lost("sent an empty page with more to follow")
        if n_all is not None and len(self._seen) < n_all and not (names and has_more):
            raise self._lost(f"sent {len(self._seen)} of {n_all} scenes")

    def _lost(self, what: str) -> CatalogError:
        return CatalogError(f"{self._source} {what}, so that scenes may be lost; ask again", catalog=self._source)


def no_reply(source: str, status: int | None = None) -> CatalogError:
    """Return the error for a service that answers with such a status, or not at all."""
    reason = "cannot be reached" if status is None else f"answered {status}"
    return CatalogError(f"{source} {reason}; try again later, or another catalogue", status=status, catalog=source)


def no_list(source: str) -> CatalogError:
    """Return the error for an answer that is no list of scenes."""
    reason = "answered something other than a list of scenes; check that it is up"
    return CatalogError(f"{source} {reason}", catalog=source)


@contextmanager
def one_sentence(source: str, library: str, error_kind: type[Exception] = ValueError) -> Iterator[None]:
    """Turn the errors of a library that asks a catalogue, or cannot read its answer, into one sentence.

    Parameters
    ----------
    source
        The catalogue.
    library
        Name of the library.
    error_kind
        Its own errors.
    """
    try:
        yield
    except CatalogError:
        raise
    except requests.RequestException:
        raise no_reply(source) from None
    except (error_kind, LookupError, TypeError, AttributeError, ValueError) as error:
        raise CatalogError(
            f"{source} gave an answer that {library} cannot read ({type(error).__name__}); try again later, "
            "or another catalogue",
            catalog=source,
        ) from None


def is_own(url: str, domain: str, address: str) -> bool:
    """Return True if a file lies at a provider: encrypted on a host of its domain, or where its service is."""
    parts = urlsplit(url)
    is_listed = parts.scheme == "https" and (parts.hostname or "").endswith(domain)
    return is_listed or (bool(parts.netloc) and parts[:2] == urlsplit(address)[:2])
