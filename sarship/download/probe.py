"""The readiness of a server to give a file, asked after a window could not be read: GDAL says little of the reason."""

from __future__ import annotations

from typing import Final

from sarship.download.http import Session
from sarship.download.request import FileRequest, RetryPolicy

__all__ = ["ADVICE", "RETRY_POLICY", "wait_until_served"]

RETRY_POLICY = RetryPolicy()
"""Waits and number of attempts."""
ADVICE: Final = "run the same again to go on from here"


def wait_until_served(request: FileRequest) -> int | None:
    """Ask for the first byte of a file until the server gives it, waiting as long as it asks to be left alone.

    Returns
    -------
    int or None
        HTTP status with which it did not give it before; None if it gave it at once.

    Raises
    ------
    DownloadError
        If the server does not, whatever the retry policy; says how it answered.
    CredentialError
        If it refuses the credentials, and new ones as well.
    """
    session = Session(RETRY_POLICY, ADVICE)
    session.read(request, {"Range": "bytes=0-0"})
    return session.met
