"""Products in a folder as a catalogue, with an index on disk, so that a second search opens only new products."""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import shapely

from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import arrange, matches, scene_as_dict, scene_from_dict
from sarship.download.request import Progress
from sarship.errors import CatalogError, OutputError, ProductError, ProductWarning
from sarship.files import atomic_file, atomic_folder, write_file
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.remote import cache_folder

__all__ = ["LocalCatalog", "find_products"]

_VERSION: Final = 1
"""Of the index; one that is different is not read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalCatalog:
    """Every product in a folder and the folders in it."""

    folder: Path
    """Folder of the `.SAFE` folders and zips."""
    reads_windows: ClassVar[bool] = True
    n_parallel: ClassVar[int] = 1
    """A disk is copied from no faster by two."""

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Return the scenes that meet a query, each acquisition once, by time.

        Warns
        -----
        ProductWarning
            For each product that cannot be opened.

        Raises
        ------
        CatalogError
            If there is no such folder.
        """
        yield from arrange(scene for scene in self._scenes() if matches(scene, query))

    def open(self, scene: Scene) -> GrdProduct:
        """Open a scene to read windows of it."""
        return open_grd(_place(scene))

    def fetch(self, scene: Scene, folder: str | Path, progress: Progress | None = None) -> Path:
        """Copy the product into a folder, unless it is there already."""
        source, folder = Path(_place(scene)).resolve(), Path(folder).resolve()
        target = folder / source.name
        if target.exists():
            return target
        with (atomic_folder if source.is_dir() else atomic_file)(target, parents=True) as part:
            if source.is_dir():
                shutil.copytree(source, part, dirs_exist_ok=True)
            else:
                shutil.copy2(source, part)
        if progress is not None:
            n_bytes = sum(path.stat().st_size for path in (target, *target.rglob("*")) if path.is_file())
            progress(n_bytes, n_bytes)
        return target

    def _scenes(self) -> list[Scene]:
        """Scenes of the folder, from the index if a product has not changed since."""
        root = self.folder.resolve()
        if not root.is_dir():
            raise CatalogError(f"{self.folder} is not a folder; give one that holds .SAFE folders or zips of them")
        index = cache_folder() / "index" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
        indexed, found = _read_index(index), {}
        for path in _products(root):
            mark = _mark(path)
            entry = indexed.get(str(path))
            if entry is None or entry["mark"] != mark:
                try:
                    entry = {"mark": mark, "scene": scene_as_dict(_read(path))}
                except (ProductError, OSError) as error:
                    warnings.warn(f"left out: {error}", ProductWarning, stacklevel=3)
                    continue
            found[str(path)] = entry
        if found != indexed:
            with suppress(OutputError):  # without the index a search is slower, not wrong
                write_file(index, json.dumps({"version": _VERSION, "scenes": found}).encode(), parents=True)
        return [scene_from_dict(entry["scene"]) for entry in found.values()]


def find_products(given: Iterable[str]) -> Iterator[str]:
    """Yield the products of paths, of patterns such as `products/*.SAFE`, and of folders with products in them.

    What is none of these comes back as it is, to be refused by name where it is opened.

    >>> list(find_products(["S1A_none.SAFE", "nowhere/*.zip"]))
    ['S1A_none.SAFE', 'nowhere/*.zip']
    """
    for one in given:
        path, found = Path(one), list[str]()
        if path.is_dir():
            found = [str(product) for product in _products(path)]
        elif not path.exists():
            found = sorted(glob.glob(one, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
        yield from found or [one]


def _place(scene: Scene) -> str:
    if "product" not in scene.assets:
        raise CatalogError(f"{scene.id} is not a scene of a folder; open it with the catalogue that found it")
    return scene.assets["product"]


def _read(path: Path) -> Scene:
    with warnings.catch_warnings():  # missing files are reported when the product is opened to be used
        warnings.simplefilter("ignore", ProductWarning)
        return open_grd(path).scene


def _products(root: Path) -> Iterator[Path]:
    """Folders with a manifest and zips, at any depth but not within a product; hidden ones are unfinished."""
    if (root / "manifest.safe").is_file():
        yield root
        return
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _products(path)
        elif path.suffix.lower() == ".zip" and path.name.startswith("S1"):
            yield path


def _mark(path: Path) -> list[int]:
    """Size and time of a product, which change when it does."""
    status = (path / "manifest.safe" if path.is_dir() else path).stat()
    return [status.st_size, status.st_mtime_ns]


def _read_index(path: Path) -> dict[str, Any]:
    """Entries of an earlier search; empty if that is absent, damaged or of another version."""
    try:
        content = json.loads(path.read_bytes())
        entries: dict[str, Any] = content["scenes"] if content["version"] == _VERSION else {}
        for entry in entries.values():
            scene_from_dict(entry["scene"])
            _ = entry["mark"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError):
        return {}
    return entries
