"""Sources of a survey, one by one: a product or an image on a map, or a catalogue's scene, opened when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import xarray as xr

from sarship.catalog.query import Catalog
from sarship.errors import CatalogError, ProductError, SarshipError, explain
from sarship.model import Scene
from sarship.pipeline.results import Failure
from sarship.pipeline.shared_products import PRODUCTS, Waits, fetch_once, with_xml
from sarship.port.map_facts import MapFacts, is_map_file
from sarship.port.map_image import MapImage, map_files, open_map_image
from sarship.sentinel1.manifest import Manifest
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.radar_image import RadarImage
from sarship.sentinel1.safe import open_safe
from sarship.sentinel1.verify import refuse_damage

__all__ = ["Bytes", "Given", "Source", "mark_of_files", "scenes_on_disk", "sources_of"]

Given = str | Path | Scene | MapImage | xr.DataArray
"""A product: the path of one or of an image on a map, a catalogue's scene, or an image that is open already."""
Bytes = Callable[[int, int | None], None]
"""Told the bytes of a product that have arrived and, where it is known, the bytes in all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One product or scene."""

    name: str
    """The path as it was given, or the scene's id."""
    scene: Scene | None = None
    """The scene as the catalogue describes it; None for a product on disk, which must be opened to tell."""
    catalog: Catalog | None = None
    """The catalogue that has the scene."""
    folder: Path = Path(PRODUCTS)
    """Folder for a product that cannot be read in place."""
    water_level_m: float = 0.0
    """Height of the water over the geoid that the product is opened at."""
    image: MapImage | None = None
    """The image on a map, where it was given open."""
    maps: MapFacts = field(default_factory=MapFacts)
    """Facts that were said about files that are images on a map."""
    is_checked: bool = False
    """True to verify every file, pixels too, of a product that lies on disk whole."""

    @property
    def place(self) -> str:
        """Path or address, for results."""
        return self.name if self.scene is None else self.scene.assets.get("product", self.name)

    @property
    def is_on_disk(self) -> bool:
        """True for a file or folder, which another process can open too: no catalogue's scene, and no open image."""
        return self.scene is None and self.image is None

    @property
    def n_ahead(self) -> int:
        """Maximum number of scenes of its catalogue that may be opened ahead of their turn.

        0 for a product on disk, which opens at once, and for one that is fetched whole, a gigabyte.
        """
        return self.catalog.n_parallel if self.catalog is not None and self.catalog.reads_windows else 0

    def mark(self, product: RadarImage | None) -> list[object]:
        """Return what identifies the files: of a catalogue's scene that need not be opened, else of the open product.

        A new processing of a scene is another, and so is a file whose name, size or time changed.
        """
        if self.scene is not None:
            processed = self.scene.processed
            return [self.scene.id, None if processed is None else processed.isoformat()]
        assert product is not None
        if isinstance(product, MapImage):
            return product.mark()
        return mark_of_files(product.path)

    def take(self) -> Scene | Manifest:
        """Return the satellite, orbit and times: of a product on disk its manifest, the rest of which is not read.

        Raises
        ------
        ProductError
            If it cannot be read.
        """
        if self.scene is not None:
            return self.scene
        if self.image is not None or is_map_file(self.name):
            return self.open().scene
        return open_safe(self.name).manifest

    def open(
        self, progress: Bytes | None = None, waits: Waits | None = None, *, needs_images: bool = True
    ) -> RadarImage:
        """Open the product at its water level: in place where its catalogue allows, else fetched whole first.

        Parameters
        ----------
        progress
            Told the bytes of a product that is fetched.
        waits
            Told what is waited for, where another process fetches it.
        needs_images
            False where its XML will do, which stays when images are dropped.

        Raises
        ------
        ProductError
            If it cannot be read, is damaged, or is of another pass than the catalogue said.
        DownloadError, CredentialError, CatalogError
            If the catalogue does not give it.
        OutputError
            If there is no room for it.
        """
        if self.image is not None:
            return self.image
        if is_map_file(self.name):
            return open_map_image(self.name, self.maps)
        if self.scene is None or self.catalog is None:
            return self._on_disk(self.name).at_water_level(self.water_level_m)
        if self.catalog.reads_windows:
            product = self.catalog.open(self.scene)
        else:
            there = None if needs_images else with_xml(self.folder, self.scene.id)
            product = self._on_disk(there or fetch_once(self.scene, self.catalog, self.folder, progress, waits))
        if (product.scene.platform, product.scene.absolute_orbit) != (self.scene.platform, self.scene.absolute_orbit):
            raise ProductError(f"the catalogue gave {product.scene.id} for {self.name}; try another catalogue")
        product = product.at_water_level(self.water_level_m)
        return replace(product, scene=replace(product.scene, id=self.scene.id))

    def _on_disk(self, path: str | Path) -> GrdProduct:
        if self.is_checked:
            refuse_damage(path)
        return open_grd(path)


def mark_of_files(path: Path) -> list[object]:
    """Return what identifies the files of a product on disk."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def sources_of(
    given: Iterable[Given],
    catalog: Catalog | None = None,
    folder: Path = Path(PRODUCTS),
    water_level_m: float = 0.0,
    *,
    is_checked: bool = False,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
) -> list[Source]:
    """Return the sources of paths and scenes.

    Parameters
    ----------
    given
        Paths of products and of images on a map, scenes, open images. Files of one image, a polarisation each, are one.
    catalog
        The catalogue of the scenes. Those of products on disk need none.
    folder
        Folder for products that cannot be read in place.
    water_level_m
        Height of the water over the geoid that products are opened at.
    is_checked
        True to verify every file of products on disk.
    maps
        What is known of all images on a map among the files.

    Raises
    ------
    CatalogError
        If a scene is on a server and no catalogue is given.
    ProductError
        If an array is no image on a map.
    TypeError
        If a single path is given.
    """
    if isinstance(given, str | Path):
        raise TypeError(f"products must be a list of paths, got {str(given)!r}; give [{str(given)!r}]")
    made, known = list[Source](), set[str]()
    for one in given:
        if isinstance(one, str | Path) and is_map_file(one):
            files = map_files(str(one))
            if known & set(files):
                continue  # its other polarisation is there, and opens it too
            known.update(files)
        made.append(_source(one, catalog, folder, maps))
    return [replace(each, water_level_m=water_level_m, is_checked=is_checked, maps=maps) for each in made]


def _source(one: Given, catalog: Catalog | None, folder: Path, maps: MapFacts) -> Source:
    if isinstance(one, xr.DataArray):
        one = open_map_image(one, maps)
    if isinstance(one, MapImage):
        return Source(name=one.scene.id, image=one)
    if not isinstance(one, Scene):
        return Source(name=str(one))
    place = one.assets.get("product", "")
    if place and "://" not in place:
        return Source(name=place)
    if catalog is None:
        raise CatalogError(f"{one.id} is on a server; say with catalog= which catalogue found it")
    return Source(name=one.id, scene=one, catalog=catalog, folder=folder)


def scenes_on_disk(products: Iterable[str], maps: MapFacts) -> tuple[dict[str, Scene], tuple[Failure, ...]]:
    """Return the scenes of products on disk, by their paths, and the products that cannot be opened."""
    scenes, unreadable = dict[str, Scene](), list[Failure]()
    for path in products:
        try:
            scenes[path] = Source(name=path, maps=maps).open().scene
        except (SarshipError, OSError) as error:
            unreadable.append(Failure(path=path, message=explain(error)))
    return scenes, tuple(unreadable)
