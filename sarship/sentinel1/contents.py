"""Metadata of a package: readable polarisations, annotation, calibration, noise and scene."""

from __future__ import annotations

from collections.abc import Sequence

from sarship.errors import ProductError
from sarship.model import Polarization, Scene
from sarship.sentinel1.annotation import Annotation, read_annotation
from sarship.sentinel1.calibration import Calibration, Noise, read_calibration, read_noise
from sarship.sentinel1.manifest import Role
from sarship.sentinel1.safe import SafeContainer

__all__ = ["annotation_of", "calibration_of", "noise_of", "scene_of", "unreadable"]


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
    return ""


def annotation_of(container: SafeContainer, polarizations: Sequence[Polarization]) -> Annotation:
    """Read the annotation of the first polarisation that has one; the geometry is the same in all."""
    for polarization in polarizations:
        if content := _content(container, "annotation", polarization):
            return read_annotation(*content)
    message = f"{container.path} holds no annotation of any polarisation; fetch the product again"
    raise ProductError(message, path=container.path)


def calibration_of(container: SafeContainer, polarization: str) -> Calibration:
    """Read the gains of a polarisation."""
    if content := _content(container, "calibration", polarization):
        return read_calibration(*content)
    message = f"{container.path} has no calibration of {polarization}; fetch the product again"
    raise ProductError(message, path=container.path)


def noise_of(container: SafeContainer, polarization: str) -> Noise | None:
    """Read the thermal noise of a polarisation; None where the product has none."""
    content = _content(container, "noise", polarization)
    return content and read_noise(*content)


def _content(container: SafeContainer, role: Role, polarization: str) -> tuple[bytes, str] | None:
    """Return content and path of a file; None where it is not there."""
    file = container.find(role, polarization)
    if file is None or not container.exists(file.name):
        return None
    return container.read_bytes(file.name), container.describe(file.name)


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
