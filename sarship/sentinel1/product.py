"""A Sentinel-1 GRD product: its metadata on opening, then windows and bands of pixels.

Pixels, gains and noise are read on request, in windows, so memory stays bounded. No file is held open: a product may be
pickled, and read from several threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from shapely import transform

from sarship.errors import ProductError
from sarship.model import Polarization, Scene, Window
from sarship.schema import SIGMA0
from sarship.sentinel1.annotation import Annotation
from sarship.sentinel1.calibration import Calibration, Noise, Quantity, border_power_at
from sarship.sentinel1.contents import annotation_of, calibration_of, noise_of, scene_of, unreadable
from sarship.sentinel1.doubts import doubt
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.measurement import Measurement
from sarship.sentinel1.safe import SafeContainer, open_safe

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["GrdProduct", "open_grd"]

_BORDERS_CLEAN_SINCE: Final = (2, 90)
"""First IPF version whose images are zero outside the swath."""
_BAND_LINES: Final = 512
"""Lines calibrated at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GrdProduct:
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

    path: Path
    """The `.SAFE` folder or the zip."""
    scene: Scene
    """The acquisition; its polarisations are those that were recorded."""
    polarizations: tuple[Polarization, ...]
    """Polarisations whose pixels can be read, co-polarisation first; may be fewer than the scene's, or none."""
    problems: dict[Polarization, str]
    """Reason, in a sentence, by polarisation that cannot be read."""
    has_noise: bool
    """True if every polarisation has thermal-noise vectors that are not all zero."""
    annotation: Annotation
    """Geometry, timing and processing."""
    container: SafeContainer = field(repr=False)
    """Package of the files."""
    _calibrations: dict[str, Calibration] = field(default_factory=dict, repr=False)
    _noises: dict[str, Noise | None] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of lines and pixels."""
        return self.geometry.shape

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
    def line_spacing_m(self) -> float:
        """Distance between lines, metres."""
        return self.geometry.line_spacing_m

    @property
    def pixel_spacing_m(self) -> float:
        """Distance between pixels of a line, metres."""
        return self.geometry.pixel_spacing_m

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

    def window(self, area: BaseGeometry | None = None, margin_m: float = 0.0) -> Window:
        """Return the smallest window that holds an area, clipped to the image.

        Parameters
        ----------
        area
            Longitude and latitude in degrees; None for the whole image.
        margin_m
            Margin on every side, metres.

        Raises
        ------
        ProductError
            If the area does not touch the image.
        """
        if area is None:
            return Window(0, self.shape[0], 0, self.shape[1])
        found = self._window_of(area, margin_m)
        if found is not None:
            return found
        bounds = "empty" if area.is_empty else "at {:.3f} {:.3f} to {:.3f} {:.3f}".format(*area.bounds)
        swapped = transform(area, lambda points: np.ascontiguousarray(points[:, ::-1]))
        hint = "give an area inside it"
        if self._window_of(swapped, margin_m) is not None:
            hint = "latitude and longitude look swapped: with them exchanged it does; give longitude first"
        west, south, east, north = self.scene.footprint.bounds
        covers = f"{self.scene.id}, which lies in {west:.3f} {south:.3f} to {east:.3f} {north:.3f}"
        raise self._error(f"the area ({bounds}) does not touch {covers}; {hint}")

    def check_polarizations(self, wanted: Sequence[str] | None = None) -> tuple[Polarization, ...]:
        """Return the polarisations to read: those wanted, or all that can be read.

        Raises
        ------
        ProductError
            If one of those wanted, or every one, cannot be read; the message names the missing file.
        """
        for polarization in wanted or ():
            if polarization not in self.polarizations:
                recorded = f"was not recorded; it has {', '.join(self.scene.polarizations)}"
                reason = self.problems.get(cast("Polarization", polarization), recorded)
                raise self._error(f"{self.scene.id}: {polarization} {reason}")
        if not wanted and not self.polarizations:
            reasons = "; ".join(f"{polarization} {reason}" for polarization, reason in self.problems.items())
            raise self._error(f"{self.scene.id} has no image that can be read: {reasons}")
        return self.polarizations if not wanted else cast("tuple[Polarization, ...]", tuple(wanted))

    def digital_numbers(self, polarization: str, window: Window | None = None) -> NDArray[np.uint16]:
        """Return digital numbers (amplitude), uint16 (lines, pixels), 0 = no data and border noise.

        Raises
        ------
        ProductError
            If the polarisation cannot be read, the file is damaged, or the window reaches past the image.
        """
        return self._measurement(polarization).read(self._checked(window))

    def bands(
        self, polarization: str, window: Window | None = None, n_lines: int = 2048, halo: int = 0
    ) -> Iterator[tuple[Window, NDArray[np.uint16], Window]]:
        """Yield digital numbers by bands of lines; the next is read meanwhile.

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
        return self._measurement(polarization).bands(self._checked(window), n_lines, halo)

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

    def sigma0_at(
        self, polarization: str, line: ArrayLike, pixel: ArrayLike, power: ArrayLike, denoise: bool = True
    ) -> NDArray[np.float64]:
        """Calibrate scattered powers: `max(power - noise, 0) / A²`.

        Parameters
        ----------
        polarization
            Channel of the powers.
        line, pixel
            Image coordinates of the powers.
        power
            Squared digital numbers.
        denoise
            True to subtract the thermal noise.

        Returns
        -------
        ndarray
            float64, linear, in the shape of the three together.
        """
        noise = self.noise(polarization) if denoise else None
        signal = np.asarray(power, np.float64)
        if noise is not None:
            signal = np.maximum(signal - noise.power_at(line, pixel), 0)
        return np.asarray(signal / self.calibration(polarization).gain_at("sigma0", line, pixel) ** 2, np.float64)

    def sigma0(
        self,
        *,
        area: BaseGeometry | None = None,
        window: Window | None = None,
        polarizations: Sequence[str] | None = None,
        quantity: Quantity = "sigma0",
        denoise: bool = True,
    ) -> xr.DataArray:
        """Return calibrated brightness, linear power.

        Parameters
        ----------
        area, window
            Part of the image, one or the other; the whole image for neither.
        polarizations
            Channels to read; all that can be read for None.
        quantity
            `sigma0`, `beta0` or `gamma0`.
        denoise
            True to subtract the thermal noise; power below the noise becomes 0.

        Returns
        -------
        DataArray
            float32 with dimensions (polarization, line, pixel), NaN where there is no data.

        Raises
        ------
        ProductError
            As `window` and `digital_numbers`.
        """
        if area is not None and window is not None:
            raise ValueError("give an area or a window, not both")
        window = self._checked(window) if area is None else self.window(area)
        names = self.check_polarizations(polarizations)
        values = np.empty((len(names), *window.shape), np.float32)
        for polarization, image in zip(names, values, strict=True):
            for core, pixels, _ in self.bands(polarization, window, _BAND_LINES):
                rows = slice(core.line_start - window.line_start, core.line_stop - window.line_start)
                image[rows] = self._calibrate(polarization, pixels, core, quantity, denoise)
        lines, columns = np.ogrid[window.line_start : window.line_stop, window.pixel_start : window.pixel_stop]
        attrs = SIGMA0.attrs | {
            "long_name": f"{quantity.removesuffix('0')} nought, linear power",
            "scene": self.scene.id,
        }
        coords = {"polarization": list(names), "line": lines[:, 0], "pixel": columns[0]}
        return xr.DataArray(values, coords, SIGMA0.dims, quantity, attrs | {"thermal_noise_removed": int(denoise)})

    def _calibrate(
        self, polarization: str, pixels: NDArray[np.uint16], window: Window, quantity: Quantity, denoise: bool
    ) -> NDArray[np.float64]:
        power = pixels.astype(np.float64)
        np.square(power, out=power)
        noise = self.noise(polarization) if denoise else None
        if noise is not None:
            power -= noise.power(window)
            np.maximum(power, 0, out=power)
        gain = self.calibration(polarization).gain(quantity, window)
        power /= np.square(gain, out=gain)
        power[pixels == 0] = np.nan
        return power

    def _window_of(self, area: BaseGeometry, margin_m: float) -> Window | None:
        bounds = np.abs(area.bounds)
        if area.is_empty or not (bounds <= (360, 90, 360, 90)).all():
            return None
        return self.geometry.window(area, margin_m)

    def _checked(self, window: Window | None) -> Window:
        window = self.window() if window is None else window
        if window.line_stop > self.shape[0] or window.pixel_stop > self.shape[1]:
            raise self._error(f"{window} reaches past the image of {self.scene.id}, which is {self.shape}")
        return window

    def _error(self, message: str) -> ProductError:
        return ProductError(message, path=self.path)

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
        For each polarisation with a file that is absent or empty, and where the thermal noise is absent or all zero.

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


def _has_border_noise(ipf_version: str) -> bool:
    parts = [int(part) for part in ipf_version.split(".") if part.isdigit()]
    return bool(parts) and tuple(parts) < _BORDERS_CLEAN_SINCE
