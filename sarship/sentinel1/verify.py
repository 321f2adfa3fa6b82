"""Verification of a product: sizes and MD5s of its manifest, tables that parse and images that decode to the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sarship.errors import ProductError
from sarship.model import Window
from sarship.sentinel1.annotation import read_annotation
from sarship.sentinel1.calibration import read_calibration, read_noise
from sarship.sentinel1.manifest import Role, SafeFile
from sarship.sentinel1.measurement import Measurement
from sarship.sentinel1.safe import SafeContainer, open_safe

__all__ = ["Finding", "Status", "check_product", "refuse_damage"]

Status = Literal["ok", "missing", "size", "md5", "undecodable"]

_READERS: Final[Mapping[Role, Callable[[bytes, str], object]]] = {
    "annotation": read_annotation,
    "calibration": read_calibration,
    "noise": read_noise,
}
_CHUNK: Final = 2**22
_BAND_LINES: Final = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """Finding on one file that the manifest lists.

    >>> Finding("measurement/vv.tiff", "missing", "the manifest lists it, and it is not there").is_ok
    False
    """

    name: str
    """Path within the product as the manifest spells it."""
    status: Status
    """`ok`, or the gravest problem."""
    detail: str
    """The problem in words; may be a remark on a file that is whole."""

    @property
    def is_ok(self) -> bool:
        """True if the file is whole."""
        return self.status == "ok"


def check_product(path: str | Path) -> list[Finding]:
    """Compare every file of a product with its manifest, parse its tables and decode its images to the end.

    Files that the manifest does not list are left alone. An image that a mirror has compressed cannot have the
    manifest's size and MD5; it passes if it decodes to the end.

    Parameters
    ----------
    path
        A `.SAFE` folder, a zip of one, or the `manifest.safe` in a folder.

    Returns
    -------
    list of Finding
        One for each file of the manifest, in its order.

    Raises
    ------
    ProductError
        If there is no product, or its manifest is damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(100, 100)), n_vessels=0)
    ...     next(path.glob("measurement/*-vh-*")).unlink()
    ...     findings = check_product(path)
    >>> [finding.status for finding in findings if not finding.is_ok]
    ['missing']
    """
    container = open_safe(path)
    files = container.manifest.files
    shapes = [shape for file in files if (shape := _shape(container, file)) is not None]
    return [_check(container, file, shapes[0] if shapes else None) for file in files]


def refuse_damage(path: str | Path) -> None:
    """Read every file that counting needs to the end, pixels too, and refuse a product of which one is not whole.

    What is missing or empty is left to `open_grd`, which does without it where it can.

    Raises
    ------
    ProductError
        If a file is not as the manifest lists it.
    """
    container = open_safe(path)
    needed = {file.name for file in container.manifest.files if file.role in {*_READERS, "measurement"}}
    for finding in check_product(path):
        is_there = container.exists(finding.name) and container.size(finding.name) > 0
        if finding.name in needed and is_there and not finding.is_ok:
            source = container.describe(finding.name)
            raise ProductError(f"{source}: {finding.detail}", path=source)


def _check(container: SafeContainer, file: SafeFile, shape: tuple[int, int] | None) -> Finding:
    if not container.exists(file.name):
        return Finding(file.name, "missing", "the manifest lists it, and it is not there")
    try:
        is_rewritten = _decode(container, file, shape)
        size, found = container.size(file.name), _md5(container, file.name)
        other = next((each.name for each in container.manifest.files if found == each.md5 != file.md5), None)
        if other is None and is_rewritten and size != file.size:
            return Finding(file.name, "ok", "compressed anew by a mirror, so the MD5 differs; it decodes to the end")
        if other is None and file.size is not None and size != file.size:
            return Finding(file.name, "size", f"{size} bytes instead of {file.size}; fetch it again")
        if file.md5 is not None and found != file.md5:
            detail = f"MD5 {found} instead of {file.md5}; fetch it again"
            return Finding(file.name, "md5", f"it has the content of {other}; fetch both again" if other else detail)
    except ProductError as error:
        detail = str(error).removeprefix(container.describe(file.name)).lstrip(": ")  # the finding has the name
        return Finding(file.name, "undecodable", detail)
    return Finding(file.name, "ok", "")


def _decode(container: SafeContainer, file: SafeFile, shape: tuple[int, int] | None) -> bool:
    """Read a file to the end; return True if it is an image that a mirror has compressed."""
    source = container.describe(file.name)
    if container.size(file.name) == 0:
        raise ProductError(f"{source} is empty; fetch it again", path=source)
    if file.role == "measurement":
        if shape is None:
            message = f"{source} cannot be checked: no annotation of the product says how large it is"
            raise ProductError(message, path=source)
        image = Measurement(container.gdal_path(file.name), source, shape)
        for _ in image.bands(Window(0, shape[0], 0, shape[1]), _BAND_LINES):
            pass
        return image.is_compressed()
    if file.role in _READERS:
        _READERS[file.role](container.read_bytes(file.name), source)
    return False


def _shape(container: SafeContainer, file: SafeFile) -> tuple[int, int] | None:
    """Return the shape of the image from an annotation; None from other files and from one that cannot be read."""
    if file.role != "annotation" or not container.exists(file.name):
        return None
    try:
        return read_annotation(container.read_bytes(file.name), container.describe(file.name)).geometry.shape
    except ProductError:
        return None


def _md5(container: SafeContainer, name: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with container.open_binary(name) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
