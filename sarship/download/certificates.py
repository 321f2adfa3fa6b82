"""Certificates that servers are verified by: one file for searches, downloads and windows.

requests, OpenSSL (for urllib3), GDAL and botocore each read another variable of the environment. Here the first that is
set counts for all of them, so that nobody behind a proxy that replaces certificates has to set four.
"""

from __future__ import annotations

import os
import re
import ssl
from functools import cache
from typing import Final

from sarship.errors import DownloadError

__all__ = ["ca_bundle", "unverified"]

_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
_REASON: Final = re.compile(
    r"(?:certificate verify failed|SSL certificate problem): ([^(\n]+)"  # OpenSSL, and curl under GDAL
    r"|SSL: ([^(\n]*certificate[^(\n]*\bname\b[^(\n]*)"  # curl, for a certificate of another host
)
"""Reason in the words of the library that did not verify a certificate."""


def ca_bundle() -> str | None:
    """Return the file of certificates that the environment names; None leaves each library to its own.

    Raises
    ------
    DownloadError
        If there is no such file, or no certificate in it.
    """
    name = _variable()
    return _checked(name, os.environ[name]) if name else None


def unverified(error: BaseException, where: str) -> str:
    """Return the sentence for a certificate that was not verified; empty if the error is another one.

    Parameters
    ----------
    error
        Error of any of the libraries.
    where
        Address that was asked, without secrets.
    """
    found = _REASON.search(str(error))
    if found is None:
        return ""
    reason, name = (found[1] or found[2]).replace("\\", "").strip(" ."), _variable()
    variable = f"{name} (now {os.environ[name]})" if name else _VARIABLES[0]
    return (
        f"{where}: the server's certificate cannot be verified ({reason}), so nothing was fetched; behind a proxy that "
        f"replaces certificates, point {variable} to a file with its own"
    )


def _variable() -> str:
    return next((name for name in _VARIABLES if os.environ.get(name)), "")


@cache
def _checked(name: str, path: str) -> str:
    """Return the path of a file that holds certificates; of one that does not the libraries say little."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        fault = "does not exist" if isinstance(error, FileNotFoundError) else "holds no certificates in PEM form"
        sentence = f"{name} names {path}, which {fault}; name a file that does, or unset it"
        raise DownloadError(sentence, file=path) from None
    return path
