"""Several catalogues as one: what one lacks is taken from the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sarship.catalog.query import Catalog, SceneQuery
from sarship.catalog.scenes import query_of
from sarship.download.request import Progress
from sarship.errors import CatalogError, DownloadError
from sarship.model import Scene
from sarship.sentinel1.radar_image import RadarImage

__all__ = ["CatalogChain"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CatalogChain:
    """Several catalogues as one.

    Examples
    --------
    >>> from sarship.catalog import open_catalog
    >>> both = CatalogChain((open_catalog("planetary"), open_catalog("cdse")))
    >>> both.reads_windows, both.n_parallel
    (True, 4)
    """

    catalogs: tuple[Catalog, ...]
    """The first is asked first, and its products are preferred."""
    _homes: dict[str, Catalog] = field(default_factory=dict, repr=False, compare=False)
    """Id of a scene that was found → the catalogue that has it."""

    @property
    def reads_windows(self) -> bool:
        """True if any reads windows in place; scenes that only others have are then not opened."""
        return any(catalog.reads_windows for catalog in self.catalogs)

    @property
    def n_parallel(self) -> int:
        """Maximum number of scenes that may be fetched, or opened ahead of their turn, at once."""
        return min(catalog.n_parallel for catalog in self.catalogs)

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, from the first catalogue that has it, by time."""
        found: dict[object, Scene] = {}
        for catalog in self.catalogs:
            for scene in catalog.search(query):
                if found.setdefault(scene.acquisition, scene) is scene:
                    self._homes[scene.id] = catalog
        yield from sorted(found.values(), key=lambda scene: (scene.start, scene.id))

    def open(self, scene: Scene) -> RadarImage:
        """Open a scene to read windows of it, where its catalogue lacks the product that of the next."""
        return self._first(scene, lambda catalog, own: catalog.open(own))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch the whole product, where its catalogue lacks it from the next."""
        return self._first(scene, lambda catalog, own: catalog.fetch(own, folder, progress))

    def _first(self, scene: Scene, get: Callable[[Catalog, Scene], Result]) -> Result:
        """Return what a scene's catalogue gives, or where it fails another; if all fail, raise the error of its own."""
        home = self._homes.get(scene.id, self.catalogs[0])
        try:
            return get(home, scene)
        except (CatalogError, DownloadError):
            for other in self.catalogs:
                with suppress(CatalogError, DownloadError):
                    if other is not home:
                        return get(other, _same(other, scene))
            raise


def _same(catalog: Catalog, scene: Scene) -> Scene:
    """Return an acquisition as another catalogue has it."""
    for one in catalog.search(query_of(scene.id)):
        if one.acquisition == scene.acquisition:
            return one
    raise CatalogError(f"the catalogue has no scene {scene.id}")
