"""Options of GDAL for reading images: all those that change what is read, so that the environment changes none.

What is not set here GDAL takes from the environment, where other tools leave their settings: guides to them advise
`CPL_VSIL_CURL_ALLOWED_EXTENSIONS=.tif`, which hides every `.tiff`. Proxies are not set, and stay the user's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from sarship.download.certificates import ca_bundle
from sarship.download.secret import Secret

__all__ = ["READ_OPTIONS", "SERVER_OPTIONS", "plain", "reading", "server_options"]

READ_OPTIONS: Final[Mapping[str, object]] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # a product's TIFF has no sidecar files, and none is to be trusted
    "GDAL_CACHEMAX": 64,  # MB; a row of compressed tiles across the widest image takes 55
    "GDAL_NUM_THREADS": 1,  # with more, uncompressed strips take three times as long
    "GTIFF_DIRECT_IO": "NO",  # would save a copy, but reads past the end of a truncated file without an error
    "GTIFF_VIRTUAL_MEM_IO": "NO",
    "GTIFF_IGNORE_READ_ERRORS": "NO",  # zeros would stand for what cannot be decoded
    "TIFF_READ_STREAMING": "NO",  # refuses every file but those written for a stream
    "VSI_CACHE": "NO",
}
"""Options for any file."""

SERVER_OPTIONS: Final[Mapping[str, object]] = {
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32_768,  # the header and the first table of a cloud-optimised file in one request
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_CODES": "500,502,504",  # where a server says how long to wait, GDAL does not listen; we do
    "GDAL_HTTP_RETRY_DELAY": 1,
    "GDAL_HTTP_CONNECTTIMEOUT": 20,
    "GDAL_HTTP_TIMEOUT": 0,  # of a whole request; a slow one is no failure
    "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1_024,
    "GDAL_HTTP_VERSION": "2TLS",
    "GDAL_HTTP_MULTIRANGE": "YES",
    "GDAL_HTTP_UNSAFESSL": "NO",
    "GDAL_HTTP_SSL_VERIFYSTATUS": "NO",  # few servers staple an answer
    "GDAL_HTTP_AUTH": "ANY",  # a password of the environment waits for a server that asks; ours ask for none
    "GDAL_HTTP_NETRC": "NO",
    "GDAL_HTTP_HEADERS": "",
    "GDAL_HTTP_HEADER_FILE": os.devnull,  # an empty name is not taken
    "CPL_CURL_VERBOSE": "NO",  # prints tokens
    "CPL_DEBUG": "OFF",  # prints signed addresses
    "CPL_VSIL_CURL_USE_HEAD": "YES",
    "CPL_VSIL_CURL_CHUNK_SIZE": 16_384,
    "CPL_VSIL_CURL_CACHE_SIZE": 16_777_216,
    "CPL_VSIL_CURL_NON_CACHED": "",
    "AZURE_NO_SIGN_REQUEST": "NO",
    "AWS_NO_SIGN_REQUEST": "NO",
    "AWS_REQUEST_PAYER": "",
}
"""Further options for windows from any server; most are GDAL's own defaults."""


def server_options() -> dict[str, object]:
    """Return the options for windows from a server, with the certificates that it is verified by.

    Raises
    ------
    DownloadError
        If the environment names certificates that are not there.
    """
    bundle = ca_bundle()
    return {**SERVER_OPTIONS, **({"GDAL_CURL_CA_BUNDLE": bundle} if bundle else {})}


def plain(options: Mapping[str, object]) -> dict[str, object]:
    """Return options with their secrets in plain text, for the call that hands them to GDAL."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in options.items()}


def reading(path: str, access: Mapping[str, object] | None) -> dict[str, object]:
    """Return all options for reading one file, with its secrets in plain text, as `rasterio.Env` takes them.

    Parameters
    ----------
    path
        As GDAL opens it.
    access
        Options of its server, credentials among them; None for a file on disk.
    """
    from rasterio.session import DummySession  # noqa: PLC0415  (`sarship info` works without GDAL)

    only = {"CPL_VSIL_CURL_ALLOWED_FILENAME": path}  # takes precedence over a list of extensions
    session = {"session": DummySession()}  # else rasterio makes one of the keys in the environment
    return plain({**READ_OPTIONS, **only, **session, **(access or {})})
