"""Files of images on a map, on disk or on a server: opened the same way, with patience where a server is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import rasterio
from rasterio.errors import RasterioError

from sarship.download.certificates import unverified
from sarship.errors import DownloadError
from sarship.sentinel1.gdal_options import reading
from sarship.sentinel1.remote import RemoteFiles, read_patiently

__all__ = ["LocalFile", "MapSource", "ServerFile"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on disk, or at an address that needs no credential."""

    path: str

    def open(self) -> AbstractContextManager[rasterio.DatasetReader]:
        """Open the file as GDAL finds it."""
        opened: AbstractContextManager[rasterio.DatasetReader] = rasterio.open(self.path)
        return opened

    def patiently(self, read: Callable[[], Result]) -> Result:
        """Read, once."""
        return read()

    def mark(self) -> list[object]:
        """Return name, size and time of the file, or its address."""
        path = Path(self.path)
        if not path.exists():
            return [self.path]
        status = path.stat()
        return [path.name, status.st_size, status.st_mtime_ns]


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A file of a scene on a catalogue's server."""

    files: RemoteFiles
    name: str
    """Name among the files of its scene."""

    @property
    def path(self) -> str:
        """Address."""
        return f"{self.files.address}/{self.name}"

    @contextmanager
    def open(self) -> Iterator[rasterio.DatasetReader]:
        """Open the file in its turn, and with the credentials of its server."""
        place = self.files.gdal_path(self.name)
        with self.files.access() as options, rasterio.Env(**reading(place, options)):
            try:
                dataset = rasterio.open(place, driver="GTiff")
            except (RasterioError, OSError) as error:
                if sentence := unverified(error, self.path):
                    raise DownloadError(sentence, file=self.path) from error
                raise
            with dataset:
                yield dataset

    def patiently(self, read: Callable[[], Result]) -> Result:
        """Read; where that fails wait until the server gives the file, and read again."""
        return read_patiently(partial(self.files.probe, self.name), read)

    def mark(self) -> list[object]:
        """Return the address: what lies there does not change."""
        return [self.path]


MapSource: TypeAlias = LocalFile | ServerFile
"""One file of an image on a map."""
