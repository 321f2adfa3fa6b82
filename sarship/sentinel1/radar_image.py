"""Radar images as the search for vessels takes them: windows and bands of digital numbers, gains, noise, and places."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from shapely import transform

from sarship.errors import ProductError
from sarship.model import Polarization, Scene, Window
from sarship.schema import SIGMA0
from sarship.sentinel1.annotation import Annotation
from sarship.sentinel1.calibration import Calibration, Noise, Quantity
from sarship.sentinel1.image_coordinates import ImageCoordinates

if TYPE_CHECKING:
    import xarray as xr
    from shapely.geometry.base import BaseGeometry

__all__ = ["RadarImage"]

_BAND_LINES: Final = 512
"""Lines calibrated at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RadarImage(ABC):
    """One acquisition, wherever its pixels come from: a GRD product, or an image on a map (`sarship.MapImage`).

    Lines and pixels count from 0; `None` for a window is the whole image.
    """

    path: Path
    """The `.SAFE` folder, the zip, or the first file of an image on a map."""
    scene: Scene
    """The acquisition; its polarisations are those that were recorded."""
    polarizations: tuple[Polarization, ...]
    """Polarisations whose pixels can be read, co-polarisation first; may be fewer than the scene's, or none."""
    problems: dict[Polarization, str]
    """Reason, in a sentence, by polarisation that cannot be read."""
    has_noise: bool
    """True if every polarisation has thermal-noise vectors that are not all zero."""
    annotation: Annotation | None
    """Geometry, timing and processing; None for an image on a map, of which nobody knows them."""

    @property
    @abstractmethod
    def geometry(self) -> ImageCoordinates:
        """Conversion from image to map coordinates and back."""

    @property
    @abstractmethod
    def enl(self) -> float:
        """Equivalent number of looks."""

    @property
    @abstractmethod
    def resolution_m(self) -> tuple[float, float]:
        """Width of a resolution cell along azimuth and ground range, metres."""

    @property
    @abstractmethod
    def is_simulated(self) -> bool:
        """True if sarship simulated it."""

    @abstractmethod
    def at_water_level(self, water_level_m: float) -> Self:
        """Return the image with its places, and its footprint, on water at a height over the geoid, metres."""

    @abstractmethod
    def digital_numbers(
        self, polarization: str, window: Window | None = None, within: BaseGeometry | None = None
    ) -> NDArray[np.uint16]:
        """Return digital numbers (amplitude), uint16 (lines, pixels), 0 = no data.

        What lies outside `within`, an area in image coordinates (x = pixel, y = line), may be left unread, and 0.
        """

    def bands(
        self,
        polarization: str,
        window: Window | None = None,
        n_lines: int = 2048,
        halo: int = 0,
        within: BaseGeometry | None = None,
    ) -> Iterator[tuple[Window, NDArray[np.uint16], Window]]:
        """Yield digital numbers by bands of lines: the band's own window, its pixels with a halo, and their window.

        What lies outside `within` may be left unread, as by `digital_numbers`.
        """
        for core, read in self._checked(window).bands(n_lines, halo):
            yield core, self.digital_numbers(polarization, read, within), read

    @abstractmethod
    def calibration(self, polarization: str) -> Calibration:
        """Return the gains of one polarisation; read on first use."""

    @abstractmethod
    def noise(self, polarization: str) -> Noise | None:
        """Return the thermal noise of one polarisation; None where it is not known."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of lines and pixels."""
        return self.geometry.shape

    @property
    def line_spacing_m(self) -> float:
        """Distance between lines, metres."""
        return self.geometry.line_spacing_m

    @property
    def pixel_spacing_m(self) -> float:
        """Distance between pixels of a line, metres."""
        return self.geometry.pixel_spacing_m

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
        within: BaseGeometry | None = None,
        polarizations: Sequence[str] | None = None,
        quantity: Quantity = "sigma0",
        denoise: bool = True,
    ) -> xr.DataArray:
        """Return calibrated brightness, linear power.

        Parameters
        ----------
        area, window
            Part of the image, one or the other; the whole image for neither.
        within
            Area in image coordinates (x = pixel, y = line) that is needed: what lies outside may be left unread, and
            NaN. None for all.
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
        import xarray as xr

        if area is not None and window is not None:
            raise ValueError("give an area or a window, not both")
        window = self._checked(window) if area is None else self.window(area)
        names = self.check_polarizations(polarizations)
        values = np.empty((len(names), *window.shape), np.float32)
        for polarization, image in zip(names, values, strict=True):
            for core, pixels, _ in self.bands(polarization, window, _BAND_LINES, within=within):
                image[window.rows_columns(core)] = self._calibrate(polarization, pixels, core, quantity, denoise)
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
