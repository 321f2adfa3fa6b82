"""A whole product out of single files: fetched into a hidden folder, verified, then put under its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sarship.download import FileRequest, Progress, fetch_files
from sarship.errors import DownloadError, OutputError
from sarship.integrity import check_product
from sarship.remote import RemoteContainer
from sarship.safe import MANIFEST, PRODUCT_INFO

__all__ = ["fetch_folder", "verified"]


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


def verified(part: Path, target: Path) -> Path:
    """Give a product its name once its files are what its manifest says and its images decode to the end.

    Raises
    ------
    DownloadError
        If one is not; the product keeps its hidden name.
    """
    wrong = [finding for finding in check_product(part) if finding.status not in {"ok", "missing"}]
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
