"""Log filter that hides the tokens, keys and signatures of the libraries that carry them."""

from __future__ import annotations

import logging
import re
from typing import Final

__all__ = ["install"]

_SECRET: Final = re.compile("SharedAccessSignature|AWS_", re.IGNORECASE)
_LOGGERS: Final = ("urllib3.connectionpool", "rasterio._env", "botocore.auth", "botocore.endpoint")


def _hide_secrets(record: logging.LogRecord) -> bool:
    """At their DEBUG level urllib3 logs addresses with tokens, rasterio GDAL's options, botocore what it signs."""
    if isinstance(record.args, tuple):
        record.args = tuple(re.sub(r"\?.*", "?…", a) if isinstance(a, str) else a for a in record.args)
    is_signing = record.name.startswith("botocore") and record.levelno <= logging.DEBUG
    return not (is_signing or _SECRET.search(record.getMessage()))


def install() -> None:
    """Put the filter on the loggers, once however often it is called."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hide_secrets)
