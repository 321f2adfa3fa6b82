"""The catalogues by name: one small frozen dataclass a provider, each loaded with its own library when it is used."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sarship.catalog.query import Catalog
from sarship.errors import CatalogError

__all__ = ["CATALOGS", "open_catalog"]

CATALOGS: Final[dict[str, str]] = {
    "planetary": "sarship.catalog.planetary.PlanetaryCatalog",
    "cdse": "sarship.catalog.cdse.CdseCatalog",
    "asf": "sarship.catalog.asf.AsfCatalog",
    "earth-search": "sarship.catalog.earth_search.EarthSearchCatalog",
    "dhus": "sarship.catalog.dhus.DhusCatalog",
    "local": "sarship.catalog.local.LocalCatalog",
}
"""Name → class of the provider."""
_COLLECTIONS: Final = {
    ("planetary", "sentinel-1-grd"): CATALOGS["planetary"],
    ("planetary", "sentinel-1-rtc"): "sarship.catalog.planetary_rtc.PlanetaryRtcCatalog",
}
"""Name and collection → class, of a provider that has several of Sentinel-1's."""


def open_catalog(name: str = "planetary", address: str | Path = "", collection: str = "") -> Catalog:
    """Open a catalogue.

    Parameters
    ----------
    name
        A name in `CATALOGS`.
    address
        Folder of `local`, address of the hub of `dhus`; for the others the address of the service if it is not the
        provider's own.
    collection
        `sentinel-1-grd` or `sentinel-1-rtc` of `planetary`: products as they come, or terrain-corrected images of them
        on a map. Empty for the products.

    Returns
    -------
    Catalog
        The catalogue; nothing is asked yet.

    Raises
    ------
    CatalogError
        If there is no such catalogue, it has no such collection, or needs an address.

    Examples
    --------
    >>> catalog = open_catalog("planetary")
    >>> catalog.reads_windows
    True
    >>> open_catalog("nonsense")
    Traceback (most recent call last):
    sarship.errors.CatalogError: unknown catalogue 'nonsense'; choose from planetary, cdse, asf, ...
    """
    if name not in CATALOGS:
        raise CatalogError(f"unknown catalogue {name!r}; choose from {', '.join(CATALOGS)}")
    if name == "local" and not str(address):
        raise CatalogError("the catalogue `local` is a folder of products: say which one")
    if name == "dhus" and not urlsplit(str(address)).netloc:
        raise CatalogError(
            "the catalogue `dhus` is a hub that you name, like https://hub.example.org/dhus; Copernicus' own has closed"
        )
    if collection and (name, collection) not in _COLLECTIONS:
        known = ", ".join(f"{one} of {provider}" for provider, one in _COLLECTIONS)
        raise CatalogError(f"{name} has no collection {collection!r} of Sentinel-1; choose from {known}, or name none")
    module, _, kind = (_COLLECTIONS[name, collection] if collection else CATALOGS[name]).rpartition(".")
    given = {"folder": Path(address)} if name == "local" else {"address": str(address).rstrip("/")} if address else {}
    catalog: Catalog = getattr(import_module(module), kind)(**given)
    return catalog
