"""The accounts that providers ask for: the fields that `sarship login` stores, and the other places they may be in."""

from __future__ import annotations

from typing import Final

from sarship.catalog.credentials import Account

__all__ = ["ACCOUNTS"]

ACCOUNTS: Final[dict[str, Account]] = {
    account.provider: account
    for account in (
        Account(
            provider="cdse",
            variables={"user": "CDSE_USER", "password": "CDSE_PASSWORD"},
            machine="identity.dataspace.copernicus.eu",
            code="CDSE_TOTP",
        ),
        Account(provider="cdse-s3", variables={"key": "CDSE_S3_ACCESS_KEY", "secret": "CDSE_S3_SECRET_KEY"}),
        Account(
            provider="asf",
            variables={"user": "EARTHDATA_USERNAME", "password": "EARTHDATA_PASSWORD"},
            machine="urs.earthdata.nasa.gov",
            bearer="EARTHDATA_TOKEN",
        ),
        Account(provider="earth-search", variables={"key": "AWS_ACCESS_KEY_ID", "secret": "AWS_SECRET_ACCESS_KEY"}),
        Account(provider="dhus", variables={"user": "DHUS_USER", "password": "DHUS_PASSWORD"}),
    )
}
"""Name, as in `sarship login NAME` → account. Two of one provider that has keys of their own for windows."""
