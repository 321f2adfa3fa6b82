"""A Sentinel-1 GRD product: its metadata on opening, then windows and bands of pixels.

Pixels, gains and noise are read on request, in windows, so memory stays bounded. No file is held open: a product may be
pickled, and read from several threads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductError
from sarship.model import Window
from sarship.sentinel1.annotation import Annotation
from sarship.sentinel1.calibration import Calibration, Noise, border_power_at
from sarship.sentinel1.contents import annotation_of, calibration_of, noise_of, scene_of, unreadable
from sarship.sentinel1.doubts import doubt
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.measurement import Measurement
from sarship.sentinel1.radar_image import RadarImage
from sarship.sentinel1.safe import SafeContainer, open_safe

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["GrdProduct", "open_grd"]

_NAMED: Final = re.compile(r"S1[A-Z]_\w{2}_GRD\w_1S\w{2}(_\d{8}T\d{6}){2}_\d{6}_[0-9A-F]{6}_(?P<crc>[0-9A-F]{4})")
"""The agency's name of a product, whose last part is the CRC-16 of the manifest (Sentinel-1 Product Specification,
S1-RS-MDA-52-7441; so it is in products of 2015 to 2025). Mirrors that convert the images add to the name."""
_BORDERS_CLEAN_SINCE: Final = (2, 90)
"""First IPF version whose images are zero outside the swath."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GrdProduct(RadarImage):
    """One GRD product. Lines and pixels count from 0; `None` for a window is the whole image.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(100, 100)), n_vessels=0)
    ...     product = open_grd(path)
    ...     amplitude = product.digital_numbers("VV", Window(10, 40, 20, 60))
    >>> product.shape, product.polarizations, product.enl
    ((100, 100), ('VV', 'VH'), 4.4)
    >>> amplitude.shape, amplitude.dtype
    ((30, 40), dtype('uint16'))
    """

    annotation: Annotation
    """Geometry, timing and processing."""
    container: SafeContainer = field(repr=False)
    """Package of the files."""
    _calibrations: dict[str, Calibration] = field(default_factory=dict, repr=False)
    _noises: dict[str, Noise | None] = field(default_factory=dict, repr=False)

    @property
    def geometry(self) -> ImageGeometry:
        """Conversion from image to map coordinates and back."""
        return self.annotation.geometry

    @property
    def enl(self) -> float:
        """Equivalent number of looks."""
        return self.annotation.enl

    @property
    def resolution_m(self) -> tuple[float, float]:
        """Width of a resolution cell along azimuth and ground range, metres."""
        return self.annotation.resolution_m

    @property
    def is_simulated(self) -> bool:
        """True if sarship simulated it."""
        return self.container.manifest.is_simulated

    @property
    def ipf_version(self) -> str:
        """Version of the processor as the manifest has it, e.g. `003.52`; may be empty."""
        return self.container.manifest.ipf_version

    def at_water_level(self, water_level_m: float) -> GrdProduct:
        """Return the product with its places, and its footprint, on water at a height over the geoid.

        Parameters
        ----------
        water_level_m
            Metres, e.g. `port.water_level_m`; 0 is the sea, which a product is opened at. In IW 100 m move a place by
            100 to 170 m.
        """
        geometry = self.geometry.at_water_level(water_level_m)
        return replace(
            self,
            annotation=replace(self.annotation, geometry=geometry),
            scene=replace(self.scene, footprint=geometry.footprint()),
        )

    def digital_numbers(
        self, polarization: str, window: Window | None = None, within: BaseGeometry | None = None
    ) -> NDArray[np.uint16]:
        """Return digital numbers (amplitude), uint16 (lines, pixels), 0 = no data and border noise.

        Parameters
        ----------
        polarization
            Channel to read.
        window
            Part of the image.
        within
            Area in image coordinates (x = pixel, y = line) that is needed. Of each row of 512 lines the pixels between
            the first and the last of it are read; the others are 0. None for all.

        Raises
        ------
        ProductError
            If the polarisation cannot be read, the file is damaged, or the window reaches past the image.
        """
        return self._measurement(polarization).read(self._checked(window), within)

    def bands(
        self,
        polarization: str,
        window: Window | None = None,
        n_lines: int = 2048,
        halo: int = 0,
        within: BaseGeometry | None = None,
    ) -> Iterator[tuple[Window, NDArray[np.uint16], Window]]:
        """Yield digital numbers by bands of lines, `within` as for `digital_numbers`; the next is read meanwhile.

        Yields
        ------
        core, pixels, read
            The band's own window; uint16 pixels of that and of `halo` lines on either side, as far as the window
            reaches; and the window that they cover. Cores tile the window.

        Raises
        ------
        ProductError
            As `digital_numbers`.
        """
        return self._measurement(polarization).bands(self._checked(window), n_lines, halo, within)

    def calibration(self, polarization: str) -> Calibration:
        """Return the gains of one polarisation; read on first use."""
        if polarization not in self._calibrations:
            self._calibrations[polarization] = calibration_of(self.container, polarization)
        return self._calibrations[polarization]

    def noise(self, polarization: str) -> Noise | None:
        """Return the thermal noise of one polarisation; None where the product has no such file."""
        if polarization not in self._noises:
            self._noises[polarization] = noise_of(self.container, polarization)
        return self._noises[polarization]

    def _measurement(self, polarization: str) -> Measurement:
        (name,) = self.check_polarizations((polarization,))
        file = self.container.find("measurement", name)
        assert file is not None
        level = None
        if _has_border_noise(self.ipf_version):
            level = partial(border_power_at, self.calibration(name), self.noise(name))
        return Measurement.of(self.container, file.name, self.shape, level)


def open_grd(path: str | Path | SafeContainer) -> GrdProduct:
    """Open a GRD product; no pixel is read.

    Parameters
    ----------
    path
        A `.SAFE` folder, its `manifest.safe`, a zip of one, or the container that a catalogue opened.

    Returns
    -------
    GrdProduct
        Metadata and geometry, with methods that read windows of pixels.

    Warns
    -----
    ProductWarning
        Where the manifest is not that of the product's name, for each polarisation with a file that is absent or
        empty, and where the thermal noise is absent or all zero.

    Raises
    ------
    ProductError
        If there is no product, it is not GRD, it is damaged, or no polarisation has an annotation.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(100, 100)), n_vessels=0)
    ...     image = open_grd(path).sigma0(polarizations=["VV"])
    >>> dict(image.sizes)
    {'polarization': 1, 'line': 100, 'pixel': 100}
    """
    container = path if isinstance(path, SafeContainer) else open_safe(path)
    manifest = container.manifest
    if manifest.product_type != "GRD":
        kind = manifest.product_type or "raw-data"
        message = f"{container.path} is of type {kind}; sarship reads GRD only: get the same scene as GRD"
        raise ProductError(message, path=container.path)
    if not isinstance(path, SafeContainer):
        _doubt_manifest(container)
    problems = {p: reason for p in manifest.polarizations if (reason := unreadable(container, p))}
    readable = tuple(p for p in manifest.polarizations if p not in problems)
    for polarization, reason in problems.items():
        doubt(f"{container.id}: {polarization} {reason}")
    wanted = readable or manifest.polarizations
    annotation = annotation_of(container, wanted)
    noises: dict[str, Noise | None] = {each: noise_of(container, each) for each in wanted}
    for name, noise in noises.items():
        if noise is None or noise.is_zero:
            reason = "has no thermal-noise file" if noise is None else "has a thermal noise of zero everywhere"
            doubt(f"{container.id}: {name} {reason}; its sigma0 keeps the noise")
    return GrdProduct(
        path=container.path,
        scene=scene_of(container, annotation),
        polarizations=readable,
        problems=problems,
        has_noise=not any(noise is None or noise.is_zero for noise in noises.values()),
        annotation=annotation,
        container=container,
        _noises=noises,
    )


def _doubt_manifest(container: SafeContainer) -> None:
    """Warn of a manifest that is not the one that the product's name was made from; nothing else has its checksum.

    A folder of another name tells nothing, nor does one of sarship's own products, named by what they were made from.
    """
    own, found = _NAMED.fullmatch(container.id), container.manifest.crc
    if own and own["crc"] != found and not container.manifest.is_simulated:
        why = f"its CRC-16 is {found}, and the product's name ends with {own['crc']}"
        consequence = "what it says of times, orbit and files may be wrong; fetch the product again"
        doubt(f"{container.id}: manifest.safe was changed: {why}; {consequence}")


def _has_border_noise(ipf_version: str) -> bool:
    parts = [int(part) for part in ipf_version.split(".") if part.isdigit()]
    return bool(parts) and tuple(parts) < _BORDERS_CLEAN_SINCE
