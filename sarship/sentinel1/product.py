"""A Sentinel-1 GRD product on disk: what it is on opening, then windows and bands of pixels.

Opening reads metadata only. Pixels, gains and noise are read when they are asked for, in windows, so memory stays
bounded. Nothing is kept open: a product may be pickled, and read from several threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from shapely import transform

from sarship.errors import ProductError, ProductWarning
from sarship.model import Polarization, Scene, Window
from sarship.schema import SIGMA0
from sarship.sentinel1.annotation import Annotation, read_annotation
from sarship.sentinel1.calibration import Calibration, Noise, Quantity, border_power_at, read_calibration, read_noise
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.manifest import Role
from sarship.sentinel1.measurement import Measurement
from sarship.sentinel1.safe import SafeContainer, open_safe

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["GrdProduct", "open_grd"]

_BORDERS_CLEAN_SINCE: Final = (2, 90)
"""IPF version whose images have zeros, and nothing else, outside the swath."""
_BAND_LINES: Final = 512
"""Lines calibrated at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GrdProduct:
    """One GRD product. Lines and pixels count from 0; `None` for a window is the whole image."""

    path: Path
    """The `.SAFE` folder or the zip."""
    scene: Scene
    """The acquisition; its polarisations are those that were recorded."""
    polarizations: tuple[Polarization, ...]
    """Those whose pixels can be read, co-polarisation first; may be fewer than the scene's, or none."""
    problems: dict[Polarization, str]
    """Why the others cannot: polarisation → sentence."""
    has_noise: bool
    """Whether every polarisation carries thermal-noise vectors that are not all zero."""
    annotation: Annotation
    """Geometry, timing and processing."""
    container: SafeContainer = field(repr=False)
    """The package that the files are in."""
    _tables: dict[tuple[Role, str], Calibration | Noise | None] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of lines and pixels."""
        return self.geometry.shape

    @property
    def geometry(self) -> ImageGeometry:
        """Image to map and back."""
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

    def window(self, area: BaseGeometry | None = None, margin_m: float = 0.0) -> Window:
        """The smallest window that holds an area, clipped to the image.

        Parameters
        ----------
        area
            Longitude and latitude in degrees; None for the whole image.
        margin_m
            How much more to take on every side, metres.

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
        raise ProductError(f"the area ({bounds}) does not touch {covers}; {hint}")

    def check_polarizations(self, wanted: Sequence[str] | None = None) -> tuple[Polarization, ...]:
        """The polarisations to read: those wanted, or all that can be read.

        Raises
        ------
        ProductError
            If one of those wanted, or every one, cannot be read; says which file is missing.
        """
        for polarization in wanted or ():
            if polarization not in self.polarizations:
                recorded = f"was not recorded; it has {', '.join(self.scene.polarizations)}"
                reason = self.problems.get(cast("Polarization", polarization), recorded)
                raise ProductError(f"{self.scene.id}: {polarization} {reason}")
        if not wanted and not self.polarizations:
            reasons = "; ".join(f"{polarization} {reason}" for polarization, reason in self.problems.items())
            raise ProductError(f"{self.scene.id} has no image that can be read: {reasons}")
        return self.polarizations if not wanted else cast("tuple[Polarization, ...]", tuple(wanted))

    def digital_numbers(self, polarization: str, window: Window | None = None) -> NDArray[np.uint16]:
        """Digital numbers (amplitude), uint16 (lines, pixels), 0 = no data and border noise.

        Raises
        ------
        ProductError
            If the polarisation cannot be read, the file is damaged, or the window reaches past the image.
        """
        return self._measurement(polarization).read(self._checked(window))

    def bands(
        self, polarization: str, window: Window | None = None, n_lines: int = 2048, halo: int = 0
    ) -> Iterator[tuple[Window, NDArray[np.uint16], Window]]:
        """Digital numbers by bands of lines, the next being read meanwhile.

        Yields
        ------
        core, pixels, read
            The band's own window; uint16 pixels of that and of `halo` lines on either side, as far as the window
            reaches; and the window that they cover. Cores tile the window.

        Raises
        ------
        As `digital_numbers`.
        """
        return self._measurement(polarization).bands(self._checked(window), n_lines, halo)

    def calibration(self, polarization: str) -> Calibration:
        """Gains of one polarisation; read on first use."""
        return cast("Calibration", self._table("calibration", polarization))

    def noise(self, polarization: str) -> Noise | None:
        """Thermal noise of one polarisation; None where the product has no such file."""
        return cast("Noise | None", self._table("noise", polarization))

    def sigma0_at(
        self, polarization: str, line: ArrayLike, pixel: ArrayLike, power: ArrayLike, denoise: bool = True
    ) -> NDArray[np.float64]:
        """Calibrate scattered powers: `max(power - noise, 0) / A²`.

        Parameters
        ----------
        polarization
            Which channel they are of.
        line, pixel
            Where they are.
        power
            Squared digital numbers.
        denoise
            Whether to subtract the thermal noise.

        Returns
        -------
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
        """Calibrated brightness, linear power.

        Parameters
        ----------
        area, window
            What to read, one or the other; the whole image for neither.
        polarizations
            Those wanted; all that can be read for None.
        quantity
            `sigma0`, `beta0` or `gamma0`.
        denoise
            Whether to subtract the thermal noise; with it power below the noise becomes 0.

        Returns
        -------
        float32 with dimensions (polarization, line, pixel), NaN where there is no data.

        Raises
        ------
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
            raise ProductError(f"{window} reaches past the image of {self.scene.id}, which is {self.shape}")
        return window

    def _measurement(self, polarization: str) -> Measurement:
        (name,) = self.check_polarizations((polarization,))
        file = self.container.find("measurement", name)
        assert file is not None
        level = None
        if _has_border_noise(self.ipf_version):
            level = partial(border_power_at, self.calibration(name), self.noise(name))
        return Measurement.of(self.container, file.name, self.shape, level)

    def _table(self, role: Role, polarization: str) -> Calibration | Noise | None:
        key = (role, polarization)
        if key not in self._tables:
            self._tables[key] = _table(self.container, role, polarization)
        return self._tables[key]


def open_grd(path: str | Path | SafeContainer) -> GrdProduct:
    """Open a GRD product: a `.SAFE` folder, its `manifest.safe`, a zip, or what a catalogue opened. No pixel is read.

    Warns
    -----
    ProductWarning
        For each polarisation with a file that is absent or empty, and where the thermal noise is absent or all zero.

    Raises
    ------
    ProductError
        If there is no product, it is not GRD, it is damaged, or no polarisation has an annotation.
    """
    container = path if isinstance(path, SafeContainer) else open_safe(path)
    manifest = container.manifest
    if manifest.product_type != "GRD":
        kind = manifest.product_type or "raw-data"
        raise ProductError(f"{container.path} is of type {kind}; sarship reads GRD only: get the same scene as GRD")
    problems = {p: reason for p in manifest.polarizations if (reason := _problem(container, p))}
    readable = tuple(p for p in manifest.polarizations if p not in problems)
    for polarization, reason in problems.items():
        warnings.warn(f"{container.id}: {polarization} {reason}", ProductWarning, stacklevel=2)
    wanted = readable or manifest.polarizations
    annotation = _annotation(container, wanted)
    noises = {polarization: cast("Noise | None", _table(container, "noise", polarization)) for polarization in wanted}
    for polarization, noise in noises.items():
        if noise is None or noise.is_zero:
            reason = "has no thermal-noise file" if noise is None else "has a thermal noise of zero everywhere"
            message = f"{container.id}: {polarization} {reason}; its sigma0 keeps the noise"
            warnings.warn(message, ProductWarning, stacklevel=2)
    return GrdProduct(
        path=container.path,
        scene=_scene(container, annotation),
        polarizations=readable,
        problems=problems,
        has_noise=not any(noise is None or noise.is_zero for noise in noises.values()),
        annotation=annotation,
        container=container,
        _tables={("noise", polarization): noise for polarization, noise in noises.items()},
    )


def _problem(container: SafeContainer, polarization: Polarization) -> str:
    """Why a polarisation cannot be read; empty when it can."""
    roles: tuple[Role, ...] = ("annotation", "calibration", "measurement")
    for role in roles:
        file = container.find(role, polarization)
        if file is None:
            return f"cannot be read: the manifest lists no {role} of it"
        if not container.exists(file.name):
            return f"cannot be read: {container.stored_name(file.name)} is missing; fetch the product again"
        if container.size(file.name) == 0:
            return f"cannot be read: {container.stored_name(file.name)} is empty; fetch the product again"
    return ""


def _annotation(container: SafeContainer, polarizations: Sequence[Polarization]) -> Annotation:
    """The annotation of the first polarisation that has one; the geometry is the same in all."""
    for polarization in polarizations:
        file = container.find("annotation", polarization)
        if file is not None and container.exists(file.name):
            return read_annotation(container.read_bytes(file.name), container.describe(file.name))
    raise ProductError(f"{container.path} holds no annotation of any polarisation; fetch the product again")


def _table(container: SafeContainer, role: Role, polarization: str) -> Calibration | Noise | None:
    """The calibration or noise of a polarisation; None for noise that is not there."""
    file = container.find(role, polarization)
    if file is None or not container.exists(file.name):
        if role == "noise":
            return None
        raise ProductError(f"{container.path} has no {role} of {polarization}; fetch the product again")
    read = read_calibration if role == "calibration" else read_noise
    return read(container.read_bytes(file.name), container.describe(file.name))


def _scene(container: SafeContainer, annotation: Annotation) -> Scene:
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
    """`F`, `H` or `M`: full has pixels of 4 m at most, high of 10 or 25 m, medium of 40 m (product definition)."""
    return "F" if pixel_spacing_m < 7 else "H" if pixel_spacing_m < 32 else "M"


def _has_border_noise(ipf_version: str) -> bool:
    parts = [int(part) for part in ipf_version.split(".") if part.isdigit()]
    return bool(parts) and tuple(parts) < _BORDERS_CLEAN_SINCE
