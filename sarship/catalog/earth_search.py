"""Earth Search, a catalogue of Amazon's open data. Searching is free; in the store behind it the reader pays."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from sarship.catalog.query import SceneQuery
from sarship.catalog.s3 import S3Files, Store
from sarship.catalog.scenes import asset_of
from sarship.catalog.stac import manifest_address, search_stac
from sarship.download.request import Progress
from sarship.errors import CatalogError
from sarship.files import cache_folder
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import open_remote

__all__ = ["EarthSearchCatalog"]

_COLLECTION: Final = "sentinel-1-grd"
_MANIFEST: Final = re.compile(r"(s3://sentinel-s1-l1c/[^?#]+)/manifest\.safe")
_PAYER: Final = "AWS_REQUEST_PAYER"
"""The variable with which Amazon's own tools, and GDAL, are told that the reader pays."""


def _says_pays() -> bool:
    return os.environ.get(_PAYER, "") == "requester"


@dataclass(frozen=True, kw_only=True, slots=True)
class EarthSearchCatalog:
    """The collection `sentinel-1-grd` of Earth Search."""

    address: str = "https://earth-search.aws.element84.com/v1"
    """Of the STAC API."""
    requester_pays: bool = field(default_factory=_says_pays)
    """True if the reader agrees to pay; by default if `AWS_REQUEST_PAYER` is `requester`."""
    store: str = ""
    """Of the S3 store; empty for Amazon's own."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time; raises `CatalogError`. Costs nothing."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> GrdProduct:
        """Open a scene to read windows of it; raises `CatalogError` unless the reader has agreed to pay."""
        place = asset_of(scene, "product", "s3://sentinel-s1-l1c/")
        if not self.requester_pays:
            raise CatalogError(
                "earth-search: Amazon charges your account for what is read (about 0.09 USD a GB outside its region "
                f"eu-central-1, and the requests); set {_PAYER}=requester to agree, or take planetary, which is free"
            )
        store = Store(account="earth-search", region="eu-central-1", endpoint=self.store, is_paid=True, is_renamed=True)
        return open_grd(open_remote(S3Files(place, store), scene.id, cache_folder() / "earth-search"))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Raise `CatalogError`: a whole product is a gigabyte to pay for that others give for nothing."""
        raise CatalogError(
            f"earth-search gives no whole products, so {scene.id} was not fetched; take planetary, cdse or asf"
        )

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        found = _MANIFEST.fullmatch(manifest_address(item))
        return {"product": found[1]} if found else {}
