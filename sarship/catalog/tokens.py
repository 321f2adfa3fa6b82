"""Tokens of providers, small requests to their services, and messages when they refuse an account."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from sarship.catalog.credentials import Account, find_credentials
from sarship.download.addresses import public_url
from sarship.download.http import Session
from sarship.download.request import FileRequest, RetryPolicy
from sarship.download.secret import Secret
from sarship.errors import CatalogError, CredentialError, DownloadError

__all__ = [
    "Grant",
    "Tokens",
    "ask_json",
    "login_header",
    "refused",
    "says_where",
    "share_turns",
    "shared_tokens",
    "turns",
]

_MARGIN: Final = timedelta(minutes=5)
"""Left of a token's life when a new one is asked for; at most a third of its life."""
_RETRY_POLICY: Final = RetryPolicy(n_attempts=5, cap_s=10)


class Grant(NamedTuple):
    """Answer of a service that gives tokens, as told."""

    token: object
    end: object
    """Its end, as a time or as seconds from now."""
    refresh: object = None
    """Token that the next one is asked for with; None where the service gives none."""


Ask = Callable[[str, Secret], Grant]
"""Asks a service at an address for a token, with the refresh token of the last answer; empty if there is none."""


class Tokens:
    """A token, asked for when it is needed and shared by all threads; kept in memory alone."""

    def __init__(self, ask: Ask, address: str) -> None:
        self._ask, self._address, self._guard = ask, address, threading.Lock()
        self._token, self._refresh, self._renewal = Secret(), Secret(), datetime.fromtimestamp(0, UTC)

    def current(self, renew: bool = False) -> Secret:
        """Return the token, valid for a while; a new one if wanted."""
        with self._guard:
            if renew or datetime.now(UTC) > self._renewal:
                self._take(self._ask(self._address, self._refresh))
            return self._token

    def header(self, renew: bool = False) -> dict[str, str]:
        """Return the token as a server wants it."""
        return {"Authorization": Secret(f"Bearer {self.current(renew).reveal()}")}

    def _take(self, grant: Grant) -> None:
        token = grant.token
        try:
            expiry = _moment(grant.end)
        except (ValueError, TypeError, OverflowError):
            token = None
        if not isinstance(token, str) or not token:
            where = public_url(self._address)
            raise CatalogError(f"{where} gives no token to read with; try again later", catalog=where)
        self._token = Secret(token)
        self._refresh = Secret(grant.refresh if isinstance(grant.refresh, str) else "")
        self._renewal = expiry - min(_MARGIN, (expiry - datetime.now(UTC)) / 3)


def _moment(end: object) -> datetime:
    try:
        return datetime.now(UTC) + timedelta(seconds=float(str(end)))
    except ValueError:
        moment = datetime.fromisoformat(str(end))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@cache
def shared_tokens(ask: Ask, address: str) -> Tokens:
    """Return the tokens of a service, the same for everyone in this process."""
    return Tokens(ask, address)


@cache
def turns(_store: object, n_parallel: int) -> threading.BoundedSemaphore:
    """Return the semaphore of a store, the same for everyone in this process: so many may read at once."""
    return threading.BoundedSemaphore(max(1, n_parallel // _N_PROCESSES[0]))


_N_PROCESSES: Final = [1]
"""Processes that share the turns at each store."""


def share_turns(n_processes: int) -> None:
    """Take this process's share alone of the turns at each store, as so many others do; before the first is taken."""
    _N_PROCESSES[0] = n_processes


def ask_json(
    url: str,
    account: Account | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the JSON object that a provider's service answers to a small request.

    Parameters
    ----------
    url
        Its address.
    account
        Account whose credentials the request holds, for messages; None if it holds none.
    headers
        Of the request.
    form
        Sent as such where given.

    Raises
    ------
    CredentialError
        If it refuses the credentials.
    CatalogError
        If it cannot be reached, knows no such thing, or answers something else.
    """
    where, answer = public_url(url), None
    body = None if form is None else Secret(urlencode({name: _plain(value) for name, value in form.items()}))
    kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
    asked, session = FileRequest(url=url, target=Path("answer.json")), Session(_RETRY_POLICY, "try again later")
    try:
        answer = json.loads(session.read(asked, {**(headers or {}), **kind}, body), object_hook=_with_hidden_tokens)
    except CredentialError as error:
        if error.status in {401, 403}:  # else it is a web page
            raise refused(account, where, error.status) from None
    except DownloadError as error:
        raise CatalogError(str(error), status=error.status, catalog=where) from None
    except (ValueError, RecursionError):
        pass
    if not isinstance(answer, dict):
        raise CatalogError(f"{where} answered something that cannot be read; try again later", catalog=where)
    return answer


def _plain(value: str) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _with_hidden_tokens(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an object of an answer with its tokens as secrets."""
    return {key: Secret(each) if "token" in key and isinstance(each, str) else each for key, each in answer.items()}


def login_header(account: Account) -> dict[str, str]:
    """Return user and password of an account as a server wants them."""
    known = find_credentials(account)
    both = Secret(f"{known['user'].reveal()}:{known['password'].reveal()}")
    return {"Authorization": Secret(f"Basic {base64.b64encode(both.encode(errors='surrogateescape')).decode()}")}


def refused(account: Account | None, where: str, status: int | None = None) -> CredentialError | CatalogError:
    """Return the error for a server that does not take the credentials of an account, or refuses without any."""
    if account is None:
        sentence = f"{where} refuses to answer; try again later, or another catalogue"
        return CatalogError(sentence, status=status, catalog=where)
    return CredentialError(f"{where} refuses the account of {account.provider}: {_places(account)}", status=status)


@contextmanager
def says_where(account: Account | None) -> Iterator[None]:
    """Add to a refusal the places that the credentials may have come from."""
    try:
        yield
    except CredentialError as error:
        if account is None or any(name in str(error) for name in account.variables.values()):
            raise
        raise CredentialError(f"{error}: {_places(account)}", status=error.status) from None


def _places(account: Account) -> str:
    if account.bearer and os.environ.get(account.bearer):
        return f"look at {account.bearer}, which may have expired, or unset it to log in with user and password"
    netrc = f", the entry {account.machine} in ~/.netrc" if account.machine else ""
    names = " and ".join(account.variables.values())
    code = f"; with two-factor login set {account.code} to the code of the moment as well" if account.code else ""
    return f"look at {names}{netrc}, or run `sarship login {account.provider}`{code}"
