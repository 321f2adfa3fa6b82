"""Products in a folder as a catalogue, with an index on disk, so that a second search opens only new products."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final

import shapely

from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import arrange, matches, scene_as_dict, scene_from_dict
from sarship.download.request import Progress
from sarship.errors import CatalogError, OutputError, ProductError, ProductWarning
from sarship.files import atomic_file, atomic_folder, cache_folder, write_file
from sarship.model import Scene
from sarship.sentinel1.product import GrdProduct, open_grd
from sarship.sentinel1.safe import MANIFEST

__all__ = ["LocalCatalog", "find_products"]

_VERSION: Final = 1
"""Of the index; one that is different is not read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalCatalog:
    """Every product in a folder and the folders in it, through links too."""

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
            For each product that cannot be opened, and for what looks like one and is passed over.

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


def find_products(given: Iterable[str], map_suffixes: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the products of paths, of patterns such as `products/*.SAFE`, and of folders with products in them.

    Of a folder without any product the files whose names end in `map_suffixes` are taken, for images on a map. What is
    none of these comes back as it is, to be refused by name where it is opened.

    >>> list(find_products(["S1A_none.SAFE", "nowhere/*.zip"]))
    ['S1A_none.SAFE', 'nowhere/*.zip']
    """
    for one in given:
        path, found = Path(one), list[str]()
        if path.is_dir() and not (path / MANIFEST).is_file():
            images = (file for file in path.glob("[!.]*") if file.suffix.lower() in map_suffixes)
            found = [str(product) for product in _products(path)] or sorted(map(str, images))
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


def _products(path: Path, seen: set[str] | None = None) -> Iterator[Path]:
    """Yield folders with a manifest, and zips of one, at any depth but not within a product, each once.

    Links are followed, and a zip is known by its content. Hidden ones are unfinished. Whatever else looks like a
    product is warned of.
    """
    seen, real = set() if seen is None else seen, os.path.realpath(path)
    if real in seen:  # a link to a folder around it, or to what was found already
        return
    seen.add(real)
    if (path / MANIFEST).is_file() or (path.suffix.lower() == ".zip" and _may_be_product(path)):
        yield path
    elif path.is_dir():
        yield from _in_folder(path, seen)
    elif path.is_symlink() and not path.exists():
        _pass_over(path, "is a link that leads nowhere")
    elif path.name.startswith("S1") and path.suffix.lower() in {".tar", ".gz", ".tgz", ".7z", ".rar"}:
        _pass_over(path, "is no zip; extract it")
    elif path.suffix.lower() == ".zip":
        _pass_over(path, f"holds no {MANIFEST}")


def _in_folder(path: Path, seen: set[str]) -> Iterator[Path]:
    try:
        inside = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    except OSError as error:
        _pass_over(path, f"cannot be read ({error.strerror})")
        return
    is_empty = True
    for product in (product for each in inside for product in _products(each, seen)):
        is_empty = False
        yield product
    if is_empty and path.suffix.lower() == ".safe":
        _pass_over(path, f"holds no {MANIFEST}")


def _may_be_product(path: Path) -> bool:
    """Return True for a zip with a manifest in it; a damaged one with a product's name is refused when it is opened."""
    if not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).name == MANIFEST for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return path.name.startswith("S1")


def _pass_over(path: Path, reason: str) -> None:
    warnings.warn(f"passed over: {path} {reason}", ProductWarning, stacklevel=4)


def _mark(path: Path) -> list[int]:
    """Size and time of a product, which change when it does."""
    status = (path / MANIFEST if path.is_dir() else path).stat()
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
