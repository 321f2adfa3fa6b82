"""Tokens that providers give for an account, small questions to their services, and what to say when they refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from sarship.catalog.credentials import Account
from sarship.download.http import Denied, FileRequest, Hiccup, RetryPolicy, Run, check_status, public_url, send
from sarship.errors import CatalogError, CredentialError

__all__ = ["Tokens", "ask_json", "refused", "says_where"]

_MARGIN: Final = timedelta(minutes=5)
"""Left of a token's life when a new one is asked for."""
_LARGEST: Final = 2**20
"""Bytes; answers are far smaller."""
_RETRY_POLICY: Final = RetryPolicy(n_attempts=5, cap_s=10)


class Tokens:
    """A token, asked for when it is needed and shared by all threads; kept in memory alone."""

    def __init__(self, ask: Callable[[], tuple[str, datetime]]) -> None:
        self._ask, self._guard = ask, threading.Lock()
        self._token, self._expiry = "", datetime.fromtimestamp(0, UTC)

    def current(self, renew: bool = False) -> str:
        """The token, valid for a while; a new one if wanted."""
        with self._guard:
            if renew or datetime.now(UTC) > self._expiry - _MARGIN:
                self._token, self._expiry = self._ask()
            return self._token

    def header(self, renew: bool = False) -> dict[str, str]:
        """The token as a server wants it."""
        return {"Authorization": f"Bearer {self.current(renew)}"}


def ask_json(
    url: str,
    account: Account | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Ask a provider's service something small.

    Parameters
    ----------
    url
        Its address.
    account
        Whose credentials the question holds, for messages; None where it holds none.
    headers
        Of the request.
    form
        Sent as such where given.

    Raises
    ------
    CredentialError
        If it refuses the credentials.
    CatalogError
        If it cannot be reached, or answers something else.
    DownloadError
        If it knows no such thing.
    """
    run, asked = Run(_RETRY_POLICY), FileRequest(url=url, target=Path("answer.json"))
    body = None if form is None else urlencode(form).encode()
    sent = {**(headers or {}), **({} if form is None else {"Content-Type": "application/x-www-form-urlencoded"})}
    for n_failures in range(1, run.retry_policy.n_attempts + 1):
        try:
            with closing(send("GET" if form is None else "POST", url, sent, run.retry_policy, body)) as response:
                check_status(response, asked, run)
                answer = json.loads(response.read(_LARGEST))
        except Denied:
            if account is None:
                raise CatalogError(
                    f"{public_url(url)} refuses to answer; try again later, or another catalogue"
                ) from None
            raise refused(account, public_url(url)) from None
        except Hiccup as hiccup:
            reason = hiccup
            if n_failures < run.retry_policy.n_attempts:
                run.sleep(run.retry_policy.wait_s(n_failures) if hiccup.wait_s is None else hiccup.wait_s)
            continue
        except (ValueError, RecursionError, CredentialError):  # the last for a web page
            answer = None
        if isinstance(answer, dict):
            return answer
        raise CatalogError(f"{public_url(url)} answered something that cannot be read; try again later")
    raise CatalogError(f"{public_url(url)}: {reason}; try again later")


def refused(account: Account, where: str) -> CredentialError:
    """What to say when a server does not take the credentials of an account."""
    return CredentialError(f"{where} refuses the account of {account.provider}: {_places(account)}")


@contextmanager
def says_where(account: Account) -> Iterator[None]:
    """Have a refusal say where the credentials came from."""
    try:
        yield
    except CredentialError as error:
        if any(name in str(error) for name in account.variables.values()):
            raise
        raise CredentialError(f"{error}: {_places(account)}") from None


def _places(account: Account) -> str:
    netrc = f", the entry {account.machine} in ~/.netrc" if account.machine else ""
    names = " and ".join(account.variables.values())
    return f"look at {names}{netrc}, or run `sarship login {account.provider}`"
