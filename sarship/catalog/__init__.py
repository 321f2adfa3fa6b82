"""Where scenes come from: one small frozen dataclass a provider, all of them `sarship.catalog.query.Catalog`.

A provider's own library loads when the provider is used, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sarship.catalog.gaps import Completeness, MissingPass, completeness
from sarship.catalog.query import Catalog
from sarship.catalog.scenes import group_passes
from sarship.errors import CatalogError

__all__ = ["CATALOGS", "Completeness", "MissingPass", "completeness", "group_passes", "open_catalog"]


def _local(address: str) -> Catalog:
    from sarship.catalog.local import LocalCatalog

    if not address:
        raise CatalogError("the catalogue `local` is a folder of products: say which one")
    return LocalCatalog(folder=Path(address))


def _planetary(address: str) -> Catalog:
    from sarship.catalog.planetary import PlanetaryCatalog

    return PlanetaryCatalog(address=address.rstrip("/")) if address else PlanetaryCatalog()


def _cdse(address: str) -> Catalog:
    from sarship.catalog.cdse import CdseCatalog

    return CdseCatalog(address=address.rstrip("/")) if address else CdseCatalog()


def _earth_search(address: str) -> Catalog:
    from sarship.catalog.earth_search import EarthSearchCatalog

    return EarthSearchCatalog(address=address.rstrip("/")) if address else EarthSearchCatalog()


def _asf(address: str) -> Catalog:
    from sarship.catalog.asf import AsfCatalog

    return AsfCatalog(address=address.rstrip("/")) if address else AsfCatalog()


def _dhus(address: str) -> Catalog:
    from sarship.catalog.dhus import DhusCatalog

    if not urlsplit(address).netloc:
        raise CatalogError(
            "the catalogue `dhus` is a hub that you name, like https://hub.example.org/dhus; Copernicus' own has closed"
        )
    return DhusCatalog(address=address.rstrip("/"))


CATALOGS: Final[dict[str, Callable[[str], Catalog]]] = {
    "planetary": _planetary,
    "cdse": _cdse,
    "asf": _asf,
    "earth-search": _earth_search,
    "dhus": _dhus,
    "local": _local,
}
"""Name → what opens the provider at an address; empty for the provider's own."""


def open_catalog(name: str = "planetary", address: str | Path = "") -> Catalog:
    """Open a catalogue.

    Parameters
    ----------
    name
        A name in `CATALOGS`.
    address
        Folder of `local`; for the others the service's address where it is not the provider's own.

    Raises
    ------
    CatalogError
        If there is no such catalogue, or it needs an address.
    """
    if name not in CATALOGS:
        raise CatalogError(f"unknown catalogue {name!r}; choose from {', '.join(CATALOGS)}")
    return CATALOGS[name](str(address))
