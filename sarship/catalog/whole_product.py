"""A whole product, as single files or as a zip: fetched under a hidden name, verified, then put under its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sarship.download.fetch import FileRequest, Progress, fetch_files
from sarship.errors import DownloadError, OutputError
from sarship.sentinel1.remote import RemoteContainer
from sarship.sentinel1.safe import MANIFEST, PRODUCT_INFO
from sarship.sentinel1.verify import check_product

__all__ = ["fetch_folder", "fetch_zip", "verified"]


def fetch_folder(
    container: RemoteContainer,
    folder: Path,
    request: Callable[[str, Path], FileRequest],
    *,
    n_parallel: int,
    progress: Progress | None = None,
) -> Path:
    """Fetch the files of a product that sarship reads.

    Parameters
    ----------
    container
        The product on its server.
    folder
        Where it is put.
    request
        How a file is asked for, by its name and its target on disk.
    n_parallel
        Most files at once.

    Returns
    -------
    The `.SAFE` folder.
    """
    target = folder / f"{container.id}.SAFE"
    if target.exists():
        return target
    part = folder / f".{container.id}.incoming.SAFE"
    names = [MANIFEST, *(name for name in (PRODUCT_INFO,) if (container.path / name).is_file())]
    names += [container.stored_name(f.name) for f in container.manifest.files if f.role not in {"other", "rfi"}]
    fetch_files([request(name, part / name) for name in names], n_parallel=n_parallel, progress=progress)
    return verified(part, target)


def fetch_zip(
    scene_id: str, folder: Path, request: Callable[[Path], FileRequest], progress: Progress | None = None
) -> Path:
    """Fetch a product that comes as one zip.

    Parameters
    ----------
    scene_id
        Its name.
    folder
        Where it is put.
    request
        How it is asked for, by its target on disk.

    Returns
    -------
    The zip.
    """
    target = folder / f"{scene_id}.zip"
    if target.exists():
        return target
    part = folder / f".{scene_id}.incoming.zip"
    fetch_files([request(part)], progress=progress)
    return verified(part, target, is_whole=True)


def verified(part: Path, target: Path, *, is_whole: bool = False) -> Path:
    """Give a product its name once its files are what its manifest says and its images decode to the end.

    Parameters
    ----------
    part
        The product under its hidden name.
    target
        Its own name.
    is_whole
        Whether every file of the manifest must be there.

    Raises
    ------
    DownloadError
        If one is not; the product keeps its hidden name.
    """
    may_be = {"ok"} if is_whole else {"ok", "missing"}
    wrong = [finding for finding in check_product(part) if finding.status not in may_be]
    if wrong:
        raise DownloadError(
            f"{target.name}: {wrong[0].name} is wrong ({wrong[0].detail}); remove {part} and try another catalogue"
        )
    try:
        part.rename(target)
    except OSError as error:
        if target.exists():  # another process was quicker
            return target
        raise OutputError(f"{target} cannot be written ({error.strerror}); give another folder") from error
    return target
