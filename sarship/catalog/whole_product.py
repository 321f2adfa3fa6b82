"""Whole products, as single files or as a zip: fetched under a hidden name, verified, then put under its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sarship.catalog.credentials import Account
from sarship.catalog.remote_files import StoreFiles
from sarship.catalog.tokens import says_where
from sarship.download.fetch import fetch_files
from sarship.download.request import FileRequest, Progress
from sarship.errors import DownloadError, OutputError
from sarship.sentinel1.remote import RemoteContainer
from sarship.sentinel1.safe import MANIFEST, PRODUCT_INFO
from sarship.sentinel1.verify import check_product

__all__ = ["fetch_folder", "fetch_zip", "put", "verified"]


def fetch_folder(
    container: RemoteContainer,
    files: StoreFiles,
    folder: Path,
    *,
    n_parallel: int,
    progress: Progress | None = None,
) -> Path:
    """Fetch the files of a product that sarship reads.

    Parameters
    ----------
    container
        The product on its server.
    files
        Its files there.
    folder
        Folder that it is put in.
    n_parallel
        Maximum number of files at once.
    progress
        Called with the bytes on disk and in all.

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
    fetch_files([files.request(name, part / name) for name in names], n_parallel=n_parallel, progress=progress)
    return verified(part, target)


def fetch_zip(
    scene_id: str,
    folder: Path,
    url: str,
    *,
    authorize: Callable[[bool], dict[str, str]],
    account: Account,
    size: object = None,
    md5: object = None,
    hosts: frozenset[str] = frozenset(),
    own_hosts: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Path:
    """Fetch a product that comes as one zip.

    Parameters
    ----------
    scene_id
        Its name.
    folder
        Folder that it is put in.
    url, authorize, hosts, own_hosts
        As the fields of `FileRequest`.
    account
        Account that opens it, for messages.
    size, md5
        Bytes and checksum as the catalogue tells them; nonsense counts as nothing.
    progress
        Called with the bytes on disk and in all.

    Returns
    -------
    The zip.
    """
    target, part = folder / f"{scene_id}.zip", folder / f".{scene_id}.incoming.zip"
    if target.exists():
        return target
    request = FileRequest(
        url=url,
        target=part,
        size=_told_size(size),
        checksum=("md5", str(md5)) if re.fullmatch("[0-9a-fA-F]{32}", str(md5)) else None,
        authorize=authorize,
        hosts=hosts,
        own_hosts=own_hosts,
    )
    with says_where(account):
        fetch_files([request], progress=progress)
    return verified(part, target, is_whole=True)


def _told_size(told: object) -> int | None:
    try:
        return max(int(float(str(told))), 0) or None
    except (ValueError, OverflowError):
        return None


def verified(part: Path, target: Path, *, is_whole: bool = False) -> Path:
    """Give a product its name once its files are what its manifest says and its images decode to the end.

    Parameters
    ----------
    part
        The product under its hidden name.
    target
        Its own name.
    is_whole
        True if every file of the manifest must be there.

    Raises
    ------
    DownloadError
        If one is not; the product keeps its hidden name.
    """
    may_be = {"ok"} if is_whole else {"ok", "missing"}
    wrong = [finding for finding in check_product(part) if finding.status not in may_be]
    if wrong:
        raise DownloadError(
            f"{target.name}: {wrong[0].name} is wrong ({wrong[0].detail}); remove {part} and try another catalogue",
            file=target.name,
        )
    return put(part, target)


def put(part: Path, target: Path) -> Path:
    """Give a finished file or folder its name.

    Raises
    ------
    OutputError
        If it cannot have it, and no other process has given it to its own.
    """
    try:
        part.rename(target)
    except OSError as error:
        if target.exists():  # another process was quicker
            return target
        raise OutputError(f"{target} cannot be written ({error.strerror}); give another folder") from error
    return target
