"""Metadata of a package: readable polarisations, annotation, calibration, noise and scene."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from sarship.errors import ProductError
from sarship.model import Polarization, Scene
from sarship.sentinel1.annotation import Annotation, read_annotation
from sarship.sentinel1.calibration import Calibration, Noise, read_calibration, read_noise
from sarship.sentinel1.manifest import Role
from sarship.sentinel1.safe import SafeContainer

__all__ = ["annotation_of", "calibration_of", "noise_of", "scene_of", "unreadable"]

Table = TypeVar("Table")


def unreadable(container: SafeContainer, polarization: Polarization) -> str:
    """Return the reason why a polarisation cannot be read; empty if it can."""
    roles: tuple[Role, ...] = ("annotation", "calibration", "measurement")
    for role in roles:
        file = container.find(role, polarization)
        if file is None:
            return f"cannot be read: the manifest lists no {role} of it"
        if not container.exists(file.name) or container.size(file.name) == 0:
            problem = "empty" if container.exists(file.name) else "missing"
            return f"cannot be read: {container.stored_name(file.name)} is {problem}; fetch the product again"
    return _exchanged(container, polarization)


def _exchanged(container: SafeContainer, polarization: Polarization) -> str:
    """Return a sentence where two images have each other's size, and not their own, as in cloud-optimised products."""
    images = [file for file in container.manifest.files if file.role == "measurement" and container.exists(file.name)]
    own = next((file for file in images if file.polarization == polarization), None)
    for other in images:
        if own is None or other.size == own.size:
            continue
        if container.size(own.name) == other.size and container.size(other.name) == own.size:
            names = " and ".join(sorted(container.stored_name(file.name) for file in (own, other)))
            return f"cannot be read: {names} are exchanged, by their sizes; fetch the product again"
    return ""


def annotation_of(container: SafeContainer, polarizations: Sequence[Polarization]) -> Annotation:
    """Read the annotation of the first polarisation that has one; the geometry is the same in all."""
    for polarization in polarizations:
        if annotation := _table(container, "annotation", polarization, read_annotation):
            return annotation
    message = f"{container.path} holds no annotation of any polarisation; fetch the product again"
    raise ProductError(message, path=container.path)


def calibration_of(container: SafeContainer, polarization: str) -> Calibration:
    """Read the gains of a polarisation."""
    if calibration := _table(container, "calibration", polarization, read_calibration):
        return calibration
    message = f"{container.path} has no calibration of {polarization}; fetch the product again"
    raise ProductError(message, path=container.path)


def noise_of(container: SafeContainer, polarization: str) -> Noise | None:
    """Read the thermal noise of a polarisation; None where the product has none."""
    return _table(container, "noise", polarization, read_noise)


def _table(
    container: SafeContainer, role: Role, polarization: str, read: Callable[[bytes, str], Table]
) -> Table | None:
    """Read a file and hold it against the manifest's MD5; None where it is not there."""
    file = container.find(role, polarization)
    if file is None or not container.exists(file.name):
        return None
    content, source = container.read_bytes(file.name), container.describe(file.name)
    table = read(content, source)  # says what is wrong in the file, where it can
    if file.md5 is not None and (found := hashlib.md5(content, usedforsecurity=False).hexdigest()) != file.md5:
        message = f"{source} was changed: its MD5 is {found}, and {file.md5} in the manifest; fetch the product again"
        raise ProductError(message, path=source)
    return table


def scene_of(container: SafeContainer, annotation: Annotation) -> Scene:
    """Return the acquisition as manifest and annotation describe it."""
    manifest = container.manifest
    return Scene(
        id=container.id,
        platform=manifest.platform,
        mode=annotation.mode,
        product_type="GRD" + _resolution_class(annotation.geometry.pixel_spacing_m),
        polarizations=manifest.polarizations,
        start=manifest.start,
        stop=manifest.stop,
        absolute_orbit=manifest.absolute_orbit,
        relative_orbit=manifest.relative_orbit,
        orbit_pass=annotation.orbit_pass,
        footprint=annotation.geometry.footprint(),
        assets={"product": str(container.path)},
        processed=manifest.processed,
    )


def _resolution_class(pixel_spacing_m: float) -> str:
    """Return `F`, `H` or `M`: pixels of 4 m at most, of 10 or 25 m, of 40 m (product definition)."""
    return "F" if pixel_spacing_m < 7 else "H" if pixel_spacing_m < 32 else "M"
