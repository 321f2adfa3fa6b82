"""Does a server give a file at present? Asked after a window could not be read, which says little of why."""

from __future__ import annotations

from contextlib import closing

from sarship._package import __version__
from sarship.download.http import Denied, FileRequest, Hiccup, RetryPolicy, Run, ask, check_status, public_url
from sarship.errors import CredentialError, DownloadError

__all__ = ["RETRY_POLICY", "wait_until_served"]

RETRY_POLICY = RetryPolicy()
"""How long to wait, and how often to ask."""
_HEADERS = {"Range": "bytes=0-0", "Accept-Encoding": "identity", "User-Agent": f"sarship/{__version__}"}


def wait_until_served(request: FileRequest) -> None:
    """Ask for the first byte of a file until the server gives it, waiting as long as it says it wants to be left alone.

    Raises
    ------
    DownloadError
        The server does not, whatever the retry policy; says how it answered.
    CredentialError
        It refuses the credentials, and new ones as well.
    """
    run, where = Run(RETRY_POLICY), public_url(request.url)
    n_failures, renew = 0, False
    while True:
        try:
            with closing(ask(request, _HEADERS, run, renew=renew)) as response:
                check_status(response, request, run)
            return
        except Denied as denied:
            if renew or not (request.authorize or request.sign):
                raise CredentialError(f"{denied}; look whether the account's credentials are right") from None
            renew = True
        except Hiccup as hiccup:
            n_failures += 1
            if n_failures >= RETRY_POLICY.n_attempts:
                raise DownloadError(
                    f"{where}: {hiccup}, {n_failures} times in a row; run the same again to go on from here"
                ) from None
            run.sleep(RETRY_POLICY.wait_s(n_failures) if hiccup.wait_s is None else hiccup.wait_s)
