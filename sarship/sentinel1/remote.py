"""A product on a server, read in place: its XML is fetched once into a cache, its images are read by windows.

The folder of the cache is laid out like the product. Its files were verified by the manifest's MD5s on arrival, so that
a later run needs no request for them.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final, Protocol, TypeVar

import numpy as np

from sarship.download.probe import ADVICE
from sarship.errors import DownloadError, ProductError
from sarship.files import atomic_file, write_file
from sarship.model import Window
from sarship.sentinel1.manifest import read_manifest
from sarship.sentinel1.safe import MANIFEST, PRODUCT_INFO, Pixels, SafeContainer, WindowCache, filename_map, locate

__all__ = ["RemoteContainer", "RemoteFiles", "open_remote", "read_patiently"]

Result = TypeVar("Result")

_LISTING: Final = "listing.json"
"""Cached listing of the server, where one was needed."""
_ABSENT: Final = frozenset({403, 404})
"""Answers of stores for a file that is not there; 403 from those that do not tell."""
_WINDOW: Final = re.compile(r"(\d+)-(\d+)_(\d+)-(\d+)\.npz")
"""File name of a cached window: its lines and pixels."""
_REMEDY: Final = "make room, or name another folder with SARSHIP_CACHE"
_N_XML: Final = 4
"""XML files fetched at once; no provider allows fewer."""
_N_TRIES: Final = 5
"""Attempts to read a window, each after the server was seen to give the file."""


class RemoteFiles(Protocol):
    """The files of one product on a server."""

    @property
    def address(self) -> str:
        """Address of the product, for messages; holds no credential."""
        ...

    def fetch(self, name: str, target: Path, size: int | None = None, md5: str | None = None) -> None:
        """Fetch a small file to disk and verify it; raise `DownloadError` if that fails."""
        ...

    def probe(self, name: str) -> int | None:
        """Wait until the server gives a file again; raise `DownloadError` if it never does.

        Returns the HTTP status with which it did not give it; None if it gave it at once.
        """
        ...

    @property
    def is_renamed(self) -> bool:
        """True if the server has short names, which a `productInfo.json` maps to those of the manifest."""
        ...

    def listing(self) -> dict[str, int]:
        """Return names and sizes of all files."""
        ...

    def gdal_path(self, name: str) -> str:
        """Return the path that GDAL opens; holds no credential."""
        ...

    def access(self) -> AbstractContextManager[Mapping[str, object]]:
        """Return the context in which GDAL reads: it waits for a turn and gives the options, credentials among them."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteContainer(SafeContainer):
    """A product on a server. `path` is the folder of the cache."""

    files: RemoteFiles = field(kw_only=True)

    def describe(self, name: str) -> str:
        """Return the full address of a file, for messages."""
        return f"{self.files.address}/{self.stored_name(name)}"

    @contextmanager
    def open_binary(self, name: str) -> Iterator[IO[bytes]]:
        """Open one of the XML files; fetch it on first use."""
        self.fetch(name)
        with SafeContainer.open_binary(self, name) as stream:
            yield stream

    def fetch(self, name: str) -> None:
        """Fetch one of the XML files into the cache and verify it, unless it is there."""
        stored = self._present(name)
        if not (self.path / stored).is_file():
            listed = next(file for file in self.manifest.files if file.name == name)
            self.files.fetch(stored, self.path / stored, listed.size, listed.md5)

    def gdal_path(self, name: str) -> str:
        """Return the path that GDAL opens, on the server."""
        return self.files.gdal_path(self._present(name))

    def access(self) -> AbstractContextManager[Mapping[str, object] | None]:
        """Return the context in which GDAL reads an image, and its options."""
        return self.files.access()

    def window_cache(self, name: str) -> WindowCache:
        """Return the cache of an image's windows, on disk."""
        stored = self._present(name)
        return partial(_cached, self.path / "windows" / Path(stored).stem, partial(self.files.probe, stored))


def open_remote(files: RemoteFiles, scene_id: str, folder: Path) -> RemoteContainer:
    """Open a product on a server; fetch its manifest, and what tells the names of its files, on first use.

    Parameters
    ----------
    files
        The product's files on the server.
    scene_id
        Name of the product.
    folder
        Folder of the cache; the product gets one of its own in it.

    Raises
    ------
    ProductError
        If the manifest is damaged.
    DownloadError, CredentialError
        If the server refuses or cannot be reached.
    """
    path = folder.resolve() / scene_id
    manifest = read_manifest(_metadata(files, path, MANIFEST), f"{files.address}/{MANIFEST}")
    renamed, sizes = _names(files, path)
    if sizes is None:
        sizes = {renamed.get(file.name, file.name): file.size or 1 for file in manifest.files}
    container = RemoteContainer(path, scene_id, manifest, None, locate(manifest, sizes, renamed), sizes, files=files)
    _fetch_tables(container)
    return container


def _fetch_tables(container: RemoteContainer) -> None:
    """Fetch the XML that counting reads, in parallel: in sequence it would take as many round trips."""
    files = container.manifest.files
    geometry = [file for file in files if file.role == "annotation"][:1]  # the same in all polarisations
    wanted = [file.name for file in [*geometry, *(f for f in files if f.role in {"calibration", "noise"})]]
    with ThreadPoolExecutor(max_workers=_N_XML, thread_name_prefix="sarship-xml") as pool:
        list(pool.map(container.fetch, [name for name in wanted if container.exists(name)]))


def _metadata(files: RemoteFiles, path: Path, name: str) -> bytes:
    """Return a file from the cache, fetched into it on first use."""
    if not (path / name).is_file():
        files.fetch(name, path / name)
    return (path / name).read_bytes()


def _names(files: RemoteFiles, path: Path) -> tuple[dict[str, str], dict[str, int] | None]:
    """Return the server's names by the manifest's, and the sizes of its files; None where they were not asked for."""
    cached = path / _LISTING
    with suppress(OSError, ValueError):
        return {}, json.loads(cached.read_bytes())
    if files.is_renamed:
        try:
            return filename_map(_metadata(files, path, PRODUCT_INFO), files.address), None
        except DownloadError as error:
            if error.status not in _ABSENT:
                raise
    sizes = files.listing()
    write_file(cached, json.dumps(sizes).encode(), parents=True, remedy=_REMEDY)
    return {}, sizes


def _cached(
    folder: Path,
    probe: Callable[[], int | None],
    windows: Sequence[Window],
    read: Callable[[Sequence[Window]], list[Pixels]],
) -> list[Pixels]:
    """Return windows from the cache, cut out of larger ones where there are such; read the others into the cache."""
    found = {window: _kept(folder, window) for window in windows}
    missing = [window for window, image in found.items() if image is None]
    if missing:
        for window, image in zip(missing, read_patiently(probe, partial(read, missing)), strict=True):
            with atomic_file(_file_of(folder, window), parents=True, remedy=_REMEDY) as part, part.open("wb") as stream:
                np.savez(stream, pixels=image)  # packed it would be half as large, and take longer than the search
            found[window] = image
    return [image for image in found.values() if image is not None]


def _kept(folder: Path, window: Window) -> Pixels | None:
    """Return a window that is in the cache, by itself or in a larger one; None where it is not."""
    for cached in _holding(folder, window):
        image = _load(_file_of(folder, cached), cached.shape)
        if image is not None:
            return image[cached.rows_columns(window)]
    return None


def _file_of(folder: Path, window: Window) -> Path:
    lines, pixels = f"{window.line_start}-{window.line_stop}", f"{window.pixel_start}-{window.pixel_stop}"
    return folder / f"{lines}_{pixels}.npz"


def _holding(folder: Path, window: Window) -> list[Window]:
    """Return the cached windows that hold this one, smallest first."""
    names = (_WINDOW.fullmatch(path.name) for path in folder.glob("*.npz"))
    cached = (Window(*map(int, name.groups())) for name in names if name is not None)
    return sorted((each for each in cached if each.common(window) == window), key=lambda each: math.prod(each.shape))


def _load(path: Path, shape: tuple[int, int]) -> Pixels | None:
    """Return a window's pixels; None where the file is damaged or gone."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            image: Pixels = archive["pixels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return image if image.shape == shape and image.dtype == np.uint16 else None


def read_patiently(probe: Callable[[], int | None], read: Callable[[], Result]) -> Result:
    """Read; where that fails wait until the server gives the file, and read again.

    Parameters
    ----------
    probe
        Waits until the server gives the file; returns the status with which it did not.
    read
        Reads; raises `ProductError` where it cannot.

    Raises
    ------
    ProductError
        The server gave the file each time, and it could not be read.
    DownloadError
        The server refused it in between, again and again.
    """
    status = None
    for _ in range(_N_TRIES - 1):
        try:
            return read()
        except ProductError:
            status = probe() or status
    try:
        return read()
    except ProductError as error:
        if status is None:  # the server gave the file each time: the fault is the file's
            raise
        words = f"the server answered {status} in between, and broke off {_N_TRIES} reads; {ADVICE}"
        raise DownloadError(f"{error.path}: {words}", status=status, file=error.path) from error
