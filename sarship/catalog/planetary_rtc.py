"""Terrain-corrected images of the Planetary Computer: scenes of its collection `sentinel-1-rtc`, as images on a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from sarship.catalog.blob_store import N_READS, STORES, BlobFiles, signer_of
from sarship.catalog.planetary import ADDRESS
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import asset_of
from sarship.catalog.session import is_own
from sarship.catalog.stac import search_stac
from sarship.catalog.whole_product import put
from sarship.download.addresses import public_url
from sarship.download.fetch import fetch_files
from sarship.download.request import Progress
from sarship.errors import DownloadError, ProductError
from sarship.model import CO_FIRST, Polarization, Scene
from sarship.port.map_facts import MapFacts
from sarship.port.map_image import MapImage, open_map_sources
from sarship.port.map_sources import LocalFile, ServerFile

__all__ = ["PlanetaryRtcCatalog"]

_COLLECTION: Final = "sentinel-1-rtc"
_FACTS: Final = MapFacts(quantity="gamma0", scale="linear")
"""Quantity and scale of all its images, as the collection describes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanetaryRtcCatalog:
    """The collection `sentinel-1-rtc` of the Planetary Computer: gamma nought on a map grid of 10 m."""

    address: str = ADDRESS
    """Of the STAC API; tokens come from the same host."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 4

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time; raises `CatalogError`."""
        yield from search_stac(self.address, _COLLECTION, query, self._assets)

    def open(self, scene: Scene) -> MapImage:
        """Open a scene to read windows of it; nothing stays on disk."""
        files = self._files(scene)
        image = open_map_sources([ServerFile(files, name) for name in self._names(scene).values()], _FACTS)
        return replace(image, scene=replace(image.scene, id=scene.id, start=scene.start, stop=scene.stop))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch a file for each polarisation: resumed, read through, complete under its name; return the first."""
        files, names = self._files(scene), self._names(scene)
        targets = {Path(folder) / f"{scene.id}_{channel}.rtc.tiff": name for channel, name in names.items()}
        parts = {target: target.with_name(f".{target.name}") for target in targets if not target.exists()}
        wanted = [files.request(targets[target], part) for target, part in parts.items()]
        fetch_files(wanted, n_parallel=N_READS // self.n_parallel, progress=progress)
        for target, part in parts.items():
            _read_through(part)
            put(part, target)
        return next(iter(targets))

    def _assets(self, item: dict[str, Any]) -> dict[str, str]:
        given = {name: str((asset or {}).get("href", "")) for name, asset in (item.get("assets") or {}).items()}
        images = {name: href for name, href in given.items() if name.upper() in CO_FIRST}
        if not images or not all(is_own(href, STORES, self.address) for href in images.values()):
            return {}
        plain = {name: public_url(href) for name, href in images.items()}
        folder = next(iter(plain.values())).rpartition("/")[0]
        return {"product": folder, **plain} if all(each.startswith(f"{folder}/") for each in plain.values()) else {}

    def _files(self, scene: Scene) -> BlobFiles:
        return BlobFiles(asset_of(scene, "product", "http"), signer_of(self.address, _COLLECTION))

    def _names(self, scene: Scene) -> dict[Polarization, str]:
        """Names of the files by polarisation, co-polarised first."""
        found = {name.upper(): urlsplit(href).path.rpartition("/")[2] for name, href in scene.assets.items()}
        return {name: found[name] for name in CO_FIRST if name in found}


def _read_through(path: Path) -> None:
    """Read all of a fetched image once; nothing tells its checksum."""
    try:
        image = open_map_sources([LocalFile(str(path))], _FACTS)
        for name in image.polarizations:
            for _ in image.bands(name, n_lines=512):
                pass
    except ProductError as error:
        raise DownloadError(f"{path.name} came damaged ({error}); remove {path} and fetch it again") from error
