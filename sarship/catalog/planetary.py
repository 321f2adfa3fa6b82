"""Microsoft's Planetary Computer: no account, and windows read in place out of cloud-optimised files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from sarship.catalog.blob_store import N_READS, STORES, BlobFiles, signer_of
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import asset_of
from sarship.catalog.session import is_own
from sarship.catalog.stac import manifest_address, search_stac
from sarship.catalog.whole_product import fetch_folder
from sarship.download.addresses import public_url
from sarship.download.request import Progress
from sarship.files import cache_folder
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import RemoteContainer, open_remote

__all__ = ["ADDRESS", "PlanetaryCatalog"]

ADDRESS: Final = "https://planetarycomputer.microsoft.com/api/stac/v1"
_COLLECTION: Final = "sentinel-1-grd"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanetaryCatalog:
    """The collection `sentinel-1-grd` of the Planetary Computer."""

    address: str = ADDRESS
    """Of the STAC API; tokens come from the same host."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4
    """A scene's two images come side by side, so that twice as many files are under way."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time; raises `CatalogError`."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> GrdProduct:
        """Open a scene to read windows of it. XML and windows stay on disk, and are fetched once."""
        return open_grd(self._open(scene)[0])

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch the files that sarship reads, as a `.SAFE` folder: resumed, verified, complete under its name."""
        n_parallel = N_READS // self.n_parallel
        return fetch_folder(*self._open(scene), Path(folder), n_parallel=n_parallel, progress=progress)

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        href = manifest_address(item)
        is_good = is_own(href, STORES, self.address) and urlsplit(href).path.endswith("/manifest.safe")
        return {"product": public_url(href).removesuffix("/manifest.safe")} if is_good else {}

    def _open(self, scene: Scene) -> tuple[RemoteContainer, BlobFiles]:
        files = BlobFiles(asset_of(scene, "product", "http"), signer_of(self.address, _COLLECTION))
        return open_remote(files, scene.id, cache_folder() / "planetary"), files
