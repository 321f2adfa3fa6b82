"""Whole products in one folder, which surveys of several ports share: each is fetched once, by whoever needs it first.

A process holds a product while it fetches and verifies it, and the others wait. The system frees what a killed process
held, and the next goes on from the bytes that have arrived.

When the last port is through with a product its images may go. Its XML, a hundredth of it, stays in `xml/`: the second
pass over the scenes of an orbit needs that alone, and runs again with each date that is added.
"""

from __future__ import annotations

import time
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn

from sarship.catalog.query import Catalog
from sarship.download.request import Progress
from sarship.errors import ProductError
from sarship.files import atomic_file, held, remove, safe_name
from sarship.model import Scene
from sarship.sentinel1.product import open_grd
from sarship.sentinel1.safe import PRODUCT_INFO

__all__ = ["PRODUCTS", "Needed", "Waits", "drop_images", "fetch_once", "with_xml"]

PRODUCTS: Final = "products"
"""Folder, in that of a survey or of an archive, of products that cannot be read in place."""
XML: Final = "xml"
"""Folder, in that of the products, of those whose images were dropped."""
POLL_S: Final = 0.2
"""Time between two looks at what another process holds."""
DROPPED: Final = b"dropped"
"""Content that stands for an image that was dropped."""

Waits = Callable[[str], None]
"""Told, again and again, what is waited for."""


def fetch_once(
    scene: Scene, catalog: Catalog, folder: Path, progress: Progress | None = None, waits: Waits | None = None
) -> Path:
    """Return a product with its images, fetched into the folder unless it is there; wait while another fetches it.

    No more products are fetched into a folder at once than the catalogue allows.

    Parameters
    ----------
    scene
        The scene.
    catalog
        The catalogue that has it.
    folder
        Folder of the products; made if need be.
    progress
        Told the bytes on disk and in all.
    waits
        Told what is waited for.

    Raises
    ------
    DownloadError, CredentialError, CatalogError
        If the catalogue does not give it.
    OutputError
        If the folder cannot be written to.
    """
    if (there := _whole(folder, scene.id)) is not None:
        return there

    def wait(for_what: Callable[[], str]) -> None:
        if waits is not None:
            waits(for_what())
        time.sleep(POLL_S)

    with ExitStack() as stack:
        stack.enter_context(held(_lock(folder, scene.id), partial(wait, partial(_told_arrived, folder, scene.id))))
        if (there := _whole(folder, scene.id)) is not None:
            return there
        n_turns = catalog.n_parallel
        for k in count():
            try:
                stack.enter_context(held(folder / f".turn-{k % n_turns}.lock", _taken))
                break
            except BlockingIOError:
                if k % n_turns == n_turns - 1:
                    wait(lambda: f"{n_turns} at once are fetched already")
        return catalog.fetch(scene, folder, progress)


def with_xml(folder: Path, scene_id: str) -> Path | None:
    """Return a product that has its XML at least; None where none was fetched."""
    dropped = _dropped(folder, scene_id)
    return _whole(folder, scene_id) or (dropped if dropped.is_file() else None)


def drop_images(folder: Path, scene_id: str) -> None:
    """Remove the images of a product that is in the folder, and keep its XML.

    One of which a channel cannot be read stays as it is.

    Raises
    ------
    ProductError
        If it is damaged.
    OutputError
        If its XML cannot be written.
    """
    whole, aside = _whole(folder, scene_id), folder / f".{scene_id}.dropped"
    remove(aside)  # of a run that was killed here
    if whole is None or open_grd(whole).problems:
        return
    with held(_lock(folder, scene_id), lambda: time.sleep(POLL_S)):
        place = _dropped(folder, scene_id)
        with (
            atomic_file(place, parents=True) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, content in _contents(whole):
                archive.writestr(name, content)
        whole.rename(aside)  # a folder of which a part is removed would look like a product
        remove(aside)


class Needed:
    """Products whose images ports still need.

    Parameters
    ----------
    scenes_of
        Ids of the scenes of each port.

    Examples
    --------
    >>> needed = Needed({"Tartus": ["S1A_1", "S1A_2"], "Latakia": ["S1A_1"]})
    >>> list(needed.through("Latakia")), list(needed.through("Tartus", but={"S1A_2"}))
    ([], ['S1A_1'])
    """

    def __init__(self, scenes_of: Mapping[str, Iterable[str]]) -> None:
        self._scenes = {port: list(dict.fromkeys(scenes)) for port, scenes in scenes_of.items()}
        self._n_ports = Counter(scene for scenes in self._scenes.values() for scene in scenes)

    def through(self, port: str, but: Collection[str] = ()) -> Iterator[str]:
        """Yield the scenes that nobody needs once a port is through with its own, but those that it needs again."""
        for scene in self._scenes.get(port, ()):
            self._n_ports[scene] -= scene not in but
            if not self._n_ports[scene]:
                yield scene


def _whole(folder: Path, scene_id: str) -> Path | None:
    places = (folder / f"{scene_id}{suffix}" for suffix in (".zip", ".SAFE"))
    return next((place for place in places if place.exists()), None)


def _dropped(folder: Path, scene_id: str) -> Path:
    return folder / XML / f"{scene_id}.zip"


def _lock(folder: Path, scene_id: str) -> Path:
    return folder / f".{safe_name(scene_id)}.lock"


def _taken() -> NoReturn:
    raise BlockingIOError


def _told_arrived(folder: Path, scene_id: str) -> str:
    arrived = sum(path.stat().st_size for path in folder.glob(f".{scene_id}.incoming.zip*"))
    return f"another port fetches it, {arrived / 1e6:.0f} MB so far"


def _contents(whole: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of a product that tells of it, and of each image a name alone.

    Raises
    ------
    ProductError
        If one cannot be read.
    """
    try:
        if whole.is_dir():
            for path in sorted(path for path in whole.rglob("*") if path.is_file()):
                name = f"{whole.name}/{path.relative_to(whole).as_posix()}"
                if (content := _kept(name, path.read_bytes)) is not None:
                    yield name, content
            return
        with zipfile.ZipFile(whole) as archive:
            for member in archive.infolist():
                content = _kept(member.filename, partial(archive.read, member))
                if content is not None:
                    yield member.filename, content
    except (zipfile.BadZipFile, OSError) as error:
        raise ProductError(f"{whole} cannot be read ({error}); remove it", path=whole) from error


def _kept(name: str, read: Callable[[], bytes]) -> bytes | None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.suffix in {".tiff", ".tif"} and path.parent.name == "measurement":
        return DROPPED
    return read() if path.suffix in {".xml", ".safe"} or path.name == PRODUCT_INFO else None
