"""The readiness of a server to give a file, asked after a window could not be read: GDAL says little of the reason."""

from __future__ import annotations

from sarship.download.http import Session
from sarship.download.request import FileRequest, RetryPolicy

__all__ = ["RETRY_POLICY", "wait_until_served"]

RETRY_POLICY = RetryPolicy()
"""Waits and number of attempts."""


def wait_until_served(request: FileRequest) -> None:
    """Ask for the first byte of a file until the server gives it, waiting as long as it asks to be left alone.

    Raises
    ------
    DownloadError
        If the server does not, whatever the retry policy; says how it answered.
    CredentialError
        If it refuses the credentials, and new ones as well.
    """
    Session(RETRY_POLICY, "run the same again to go on from here").read(request, {"Range": "bytes=0-0"})
