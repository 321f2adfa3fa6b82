"""The package of a Sentinel-1 product: a `.SAFE` folder or a zip of one, its manifest and the files that are there.

Names of files come from the manifest, from the `filenameMap` of a `productInfo.json` or from the listing, never from
the product's own name: mirrors shorten them, and the cloud-optimised twin has others. A zip is read in place.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductError
from sarship.files import reason
from sarship.model import Window
from sarship.sentinel1.manifest import Manifest, Role, SafeFile, classify, plain_name, read_manifest
from sarship.texts import name_fault

__all__ = ["Pixels", "SafeContainer", "WindowCache", "open_safe"]

Pixels: TypeAlias = NDArray[np.uint16]
"""Digital numbers, (lines, pixels)."""
WindowCache: TypeAlias = Callable[[Sequence[Window], Callable[[Sequence[Window]], list[Pixels]]], list[Pixels]]
"""Function that returns windows from a cache; those that are not there it reads with the function given."""

MANIFEST: Final = "manifest.safe"
PRODUCT_INFO: Final = "productInfo.json"
_LARGEST_XML: Final = 256 * 2**20
"""Bytes. Real files stay under 10 MB; a member that claims more is a zip bomb or not XML."""
_PRODUCT_NAME: Final = re.compile(r"S1[A-Z]_[A-Z0-9]{2}_[A-Z0-9_]{4}_[0-9A-Z]{4}_[0-9T]{15}_[0-9T]{15}_\w+")
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
"""Errors of a damaged or unreadable member."""
_READABLE: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Compressions that both zipfile and GDAL read."""
_COMPRESSIONS: Final = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}
"""Others, by their numbers in a zip. Windows takes Deflate64 for files of more than 2 GB."""
_OTHER_ARCHIVES: Final = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


@dataclass(frozen=True, slots=True)
class SafeContainer:
    """A product on disk: its manifest and its files. Nothing is kept open, so it may be pickled and shared."""

    path: Path
    """The `.SAFE` folder, or the zip file."""
    id: str
    """Product name without an extension."""
    manifest: Manifest
    _prefix: str | None
    """Folder of the product inside the zip with its slash; None for a folder on disk."""
    _stored: dict[str, str]
    """Manifest's name → name in the listing, for files that are there."""
    _sizes: dict[str, int]
    """Name in the listing → bytes."""

    def stored_name(self, name: str) -> str:
        """Return the path, in the product, of the file that the manifest calls `name`; `name` where it is absent."""
        return self._stored.get(name, name)

    def exists(self, name: str) -> bool:
        """Return True if the file that the manifest calls `name` is there."""
        return name in self._stored

    def size(self, name: str) -> int:
        """Return the bytes of the file that the manifest calls `name`."""
        return self._sizes[self._present(name)]

    def find(self, role: Role, polarization: str | None = None) -> SafeFile | None:
        """Return the listed file of a role and channel; None where the manifest lists none."""
        wanted = (f for f in self.manifest.files if f.role == role and f.polarization == polarization)
        return next(wanted, None)

    def describe(self, name: str) -> str:
        """Return the full path of a file, for messages."""
        return f"{self.path}/{self._prefix or ''}{self.stored_name(name)}"

    def read_bytes(self, name: str) -> bytes:
        """Return the content of one of the product's XML or JSON files.

        Raises
        ------
        ProductError
            If the file is absent, damaged, larger than any such file, or a link that leaves the product.
        """
        if self.size(name) > _LARGEST_XML:
            raise self._error(name, f"is {self.size(name)} bytes, far too large for product metadata")
        with self.open_binary(name) as stream:
            return stream.read()

    @contextmanager
    def open_binary(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file to read; damage found while reading raises `ProductError` as well."""
        stored = self._present(name)
        try:
            if self._prefix is None:
                with _inside(self.path, stored).open("rb") as stream:
                    yield stream
            else:
                member = self._prefix + stored
                with zipfile.ZipFile(self.path) as archive, archive.open(_members(archive)[member]) as stream:
                    yield stream
        except _DAMAGED as error:
            raise self._error(name, f"cannot be read: {_reason(error)}; fetch the product again") from error

    def gdal_path(self, name: str) -> str:
        """Return the path that GDAL opens: on disk, or `/vsizip/` inside the zip."""
        stored = self._present(name)
        if self._prefix is None:
            return str(_inside(self.path, stored))
        return f"/vsizip/{self.path.absolute()}/{self._prefix}{stored}"  # a link's target may not be called .zip

    def access(self) -> AbstractContextManager[Mapping[str, object] | None]:
        """Return the context in which GDAL reads an image, and its options; a file on disk needs none."""
        return nullcontext()

    def window_cache(self, name: str) -> WindowCache | None:
        """Return the cache of an image's windows; None, as they are on disk already."""

    def _present(self, name: str) -> str:
        if name not in self._stored:
            raise self._error(name, "is missing; fetch the product again")
        return self._stored[name]

    def _error(self, name: str, message: str) -> ProductError:
        source = self.describe(name)
        return ProductError(f"{source} {message}", path=source)


def open_safe(path: str | Path) -> SafeContainer:
    """Open a `.SAFE` folder, a zip of one, or the `manifest.safe` inside a folder; read the manifest and the listing.

    Parameters
    ----------
    path
        The folder or file.

    Returns
    -------
    SafeContainer
        The package, from which files are read by their names in the manifest.

    Raises
    ------
    ProductError
        If there is no Sentinel-1 product there, or the zip or the manifest is damaged.

    Examples
    --------
    >>> open_safe("nowhere.SAFE")
    Traceback (most recent call last):
    sarship.errors.ProductError: nowhere.SAFE does not exist; give a .SAFE folder, a zip of one, or its manifest.safe
    """
    path = Path(path)
    if path.name == MANIFEST and path.is_file():
        path = path.parent
    container = None
    if path.is_dir():
        container = _open_folder(path.resolve())
    elif path.is_file() and path.suffix.lower() == ".zip":
        container = _open_zip(path)
    if container is not None:
        if fault := name_fault(container.id):
            raise ProductError(f"{path} {fault}; rename it", path=path)
        return container
    if path.is_file() and path.name.lower().endswith(_OTHER_ARCHIVES):
        raise ProductError(f"{path} is an archive of another kind than zip; extract it and give the folder", path=path)
    problem = "is not a Sentinel-1 product" if path.exists() else "does not exist"
    raise ProductError(f"{path} {problem}; give a .SAFE folder, a zip of one, or its manifest.safe", path=path)


def _open_folder(path: Path) -> SafeContainer:
    if not (path / MANIFEST).is_file():
        message = f"{path} holds no {MANIFEST}, so it is not a Sentinel-1 product; give the .SAFE folder itself"
        raise ProductError(message, path=path)
    sizes = {f.relative_to(path).as_posix(): f.stat().st_size for f in path.rglob("*") if f.is_file()}

    def read(name: str) -> bytes:
        try:
            return _inside(path, name).read_bytes()
        except OSError as error:
            raise ProductError(f"{path / name} cannot be read: {error.strerror}", path=path / name) from error

    manifest = read_manifest(read(MANIFEST), str(path / MANIFEST))
    renamed = filename_map(read(PRODUCT_INFO), str(path)) if PRODUCT_INFO in sizes else {}
    return SafeContainer(path, _product_id(path.name), manifest, None, locate(manifest, sizes, renamed), sizes)


def _open_zip(path: Path) -> SafeContainer:
    try:
        with zipfile.ZipFile(path) as archive:
            all_members = _members(archive)
            prefix = _product_prefix(all_members, path)
            members = {n[len(prefix) :]: m for n, m in all_members.items() if n.startswith(prefix)}
            _check_compression(members, path)
            sizes = {name: member.file_size for name, member in members.items()}
            for name in {MANIFEST, PRODUCT_INFO} & set(sizes):
                if sizes[name] > _LARGEST_XML:
                    message = f"{path}: {name} is {sizes[name]} bytes, far too large for product metadata"
                    raise ProductError(message, path=path)
            manifest = read_manifest(archive.read(members[MANIFEST]), f"{path}/{prefix}{MANIFEST}")
            renamed = filename_map(archive.read(members[PRODUCT_INFO]), str(path)) if PRODUCT_INFO in sizes else {}
    except _DAMAGED as error:
        message = f"{path} is not a readable zip, or is cut short: {_reason(error)}; fetch it again"
        raise ProductError(message, path=path) from error
    inner = _product_id(PurePosixPath(prefix).name)
    name = inner if _PRODUCT_NAME.fullmatch(inner) else _product_id(path.name)
    return SafeContainer(path, name, manifest, prefix, locate(manifest, sizes, renamed), sizes)


def _reason(error: Exception) -> str:
    """Return the cause of an error without the name of the file, with which messages begin."""
    return reason(error).partition(" for file ")[0]  # zipfile's words for a wrong CRC


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip by their names, written as GDAL does: some archivers put backslashes or `./`."""
    names = {member.filename.replace("\\", "/").removeprefix("./"): member for member in archive.infolist()}
    return {name: member for name, member in names.items() if not name.endswith("/")}


def _check_compression(members: Mapping[str, zipfile.ZipInfo], path: Path) -> None:
    """Raise `ProductError` for a file that is whole but cannot be read out of the zip."""
    for name, member in members.items():
        is_encrypted, method = member.flag_bits & 1, member.compress_type
        if is_encrypted or method not in _READABLE:
            how = "encrypted" if is_encrypted else f"compressed with {_COMPRESSIONS.get(method, f'method {method}')}"
            message = f"{path}: {name} is {how}; extract it and give the folder, or zip it again with ordinary deflate"
            raise ProductError(message, path=path)


def _product_prefix(names: Iterable[str], path: Path) -> str:
    """Return the folder of the one product in a zip, with its slash; `""` at the top."""
    every = [n.removesuffix(MANIFEST) for n in names if PurePosixPath(n).name == MANIFEST]
    found = [prefix for prefix in every if not any(prefix != p and prefix.startswith(p) for p in every)]
    if not found:
        raise ProductError(f"{path} holds no {MANIFEST}, so it is not a zip of a Sentinel-1 product", path=path)
    if len(found) > 1:
        raise ProductError(f"{path} holds {len(found)} products; unpack it and give the folder of them", path=path)
    return found[0]


def _product_id(name: str) -> str:
    return re.sub(r"(\.SAFE|\.zip)+$", "", name, flags=re.IGNORECASE)


def locate(manifest: Manifest, sizes: dict[str, int], renamed: dict[str, str]) -> dict[str, str]:
    """Return name in the listing by name in the manifest: the same, by `productInfo.json`, or by role and channel."""
    stored = {f.name: name for f in manifest.files for name in (f.name, renamed.get(f.name, "")) if name in sizes}
    free = [name for name in sizes if name not in set(stored.values())]
    kinds = {name: classify(name, "") for name in free}
    for file in manifest.files:
        if file.name not in stored and file.role != "other":
            alike = [name for name in free if kinds[name] == (file.role, file.polarization)]
            if len(alike) == 1:
                stored[file.name] = alike[0]
    return stored


def filename_map(data: bytes, folder: str) -> dict[str, str]:
    """Return the `filenameMap` of a `productInfo.json`: a mirror's names by those of the manifest."""
    source = f"{folder}/{PRODUCT_INFO}"
    try:
        mapping = json.loads(data).get("filenameMap", {})
        return {str(k): plain_name(str(v), source) for k, v in mapping.items()}
    except ProductError:
        raise
    except (ValueError, AttributeError, RecursionError) as error:
        raise ProductError(f"{source} is damaged: {error}; fetch the product again", path=source) from error


def _inside(root: Path, name: str) -> Path:
    """Return the path of a file in a product's folder; refuse one that a symbolic link leads out of it."""
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        message = f"{root / name} is a link to {path}, outside the product; copy the file into the product"
        raise ProductError(message, path=root / name)
    return path
