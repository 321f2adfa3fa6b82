"""Addresses of files: their public form, and the redirects that may be followed."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from sarship.download.secret import Secret
from sarship.errors import DownloadError

__all__ = ["follow", "is_listed", "is_same_host", "no_address", "public_url", "split_url"]

_PORTS: Final = {"http": 80, "https": 443}


def public_url(url: str) -> str:
    """Return the address without user, password and query, which may be secret.

    Parameters
    ----------
    url
        The address.

    Returns
    -------
    str
        The address as messages and logs may show it.

    Examples
    --------
    >>> public_url("https://me:word@example.org/a/b.tiff?sig=secret")
    'https://example.org/a/b.tiff'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "this"
    return SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "").geturl()


def split_url(url: str) -> SplitResult:
    """Return the parts of an address; raise `DownloadError` when it is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # brackets that do not close, or a port that is no number
        pass
    raise no_address(url)


def no_address(url: str) -> DownloadError:
    """Return the error of an address that is none."""
    return DownloadError(f"{public_url(url)!r} is not an address; one starts with https:// and a host")


def follow(url: Secret, location: Secret, first: SplitResult, hosts: frozenset[str]) -> Secret:
    """Return the address that a redirect leads to; raise `DownloadError` when it may not be followed."""
    where, refusal = public_url(url), ""
    try:
        following = Secret(urljoin(url.reveal(), location.reveal()))
        to = split_url(public_url(following))
    except (ValueError, DownloadError):
        location = Secret()
    if not location:
        raise DownloadError(f"{where} redirects to nowhere; search again for a fresh address", file=where)
    if urlsplit(url).scheme == "https" and to.scheme == "http":
        refusal = "which is not encrypted"
    elif not (is_same_host(first, to) or is_listed(to, hosts)):
        refusal = "which is none of the provider's hosts"
    if refusal:
        other = f"{to.scheme}://{to.netloc.rpartition('@')[2]}"
        raise DownloadError(f"{where} redirects to {other}, {refusal}; it was not followed", file=where)
    return following


def is_listed(to: SplitResult, hosts: frozenset[str]) -> bool:
    """Return True if the host is among those listed: `name`, `name:port`, or `.domain` for every host below it."""
    names = {to.hostname or "", f"{to.hostname}:{to.port or _PORTS[to.scheme]}"}
    return bool(names & hosts) or any(h.startswith(".") and (to.hostname or "").endswith(h) for h in hosts)


def is_same_host(a: SplitResult, b: SplitResult) -> bool:
    """Return True if two addresses are of one server; one that turns to TLS on the usual ports is the same."""
    ports = [parts.port or _PORTS.get(parts.scheme) for parts in (a, b)]
    is_upgrade = (a.scheme, b.scheme) == ("http", "https") and ports == [80, 443]
    return a.hostname == b.hostname and (is_upgrade or (a.scheme == b.scheme and ports[0] == ports[1]))
