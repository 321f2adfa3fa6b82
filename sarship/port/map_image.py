"""Images on a map as radar images: terrain-corrected GeoTIFFs, exports of Earth Engine, DataArrays with a CRS.

Whoever made them has taken the radar geometry out and the unit in. So time, orbit and unit are gathered from what is
said about them (`map_facts`), held against the pixels, and refused where they cannot be known. The numbers become
digital numbers like a product's, with a gain that is the same everywhere; what comes after does not ask where they come
from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from sarship.cfar import measure_correlation, measure_enl
from sarship.errors import ProductError
from sarship.model import CO_FIRST, OrbitPass, Polarization, Scene, Window
from sarship.port.map_bands import Band, Raster, raster_of_array, raster_of_file
from sarship.port.map_facts import MapFacts, facts_of_name, facts_of_table, facts_of_tags, gathered
from sarship.port.map_geometry import MapGeometry
from sarship.port.map_sources import LocalFile, MapSource
from sarship.port.map_units import amplitude_of, check_unit
from sarship.sentinel1.calibration import Calibration, Noise
from sarship.sentinel1.radar_image import RadarImage
from sarship.texts import name_fault

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["MapImage", "map_files", "open_map_image", "open_map_sources"]


GAIN: Final = 1000.0
"""Digital number of sigma nought 1: a step is 3 % of the power of a dark sea, and 36 dB is not too bright."""
GAIN_OF_BYTES: Final = 100.0
"""Digital number of a step of an 8-bit amplitude."""
MAX_NUMBER: Final = 65_535
MAX_SPACING_M: Final = 40.0
"""Largest pixel in which a vessel can be told from the quay; those of RTC images are 10, 20 or 30 m."""
FINE_M: Final = 20.0
"""Largest pixel of an image of high resolution."""
USUAL_INCIDENCE_DEG: Final = 38.0
"""Middle of the swath, for the unit of gamma nought alone; over the swath it is half a decibel off either way."""
USUAL_ENL: Final = 4.4
"""ENL of IW GRDH, and so of what is made of it without a filter."""
USUAL_SAMPLE_RATIO: Final = 0.23
"""Pixels of 10 m in a resolution cell of IW GRDH, the other way up."""
SMOOTHED: Final = 9
"""Side, in pixels, of the square that open water is told by."""
SEA_SPREAD: Final = 3.0
"""Largest level of open water over its dark half."""
EVENING: Final = (12.0, 24.0)
"""Local solar time at which Sentinel-1 flies north; it crosses the equator at 18 and at 6 o'clock."""
MAX_LATITUDE: Final = 65.0
"""Latitude beyond which the local time no longer tells the pass."""
_CHANNEL: Final = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, eq=False, kw_only=True)
class MapImage(RadarImage):
    """An image on a map; made by `open_map_image`."""

    annotation: None = None
    place: MapGeometry
    """Geometry."""
    facts: MapFacts
    """All that is known of it."""
    bands_by_name: dict[Polarization, Band]
    """Band of each polarisation."""
    gain: float = GAIN
    """Digital number of sigma nought, or gamma nought, 1."""
    measured_enl: float = USUAL_ENL
    """ENL of its open water, from `measured`."""
    sample_ratio: float = USUAL_SAMPLE_RATIO
    """Effective sample ratio of its open water, from `measured`."""

    @property
    def geometry(self) -> MapGeometry:
        """Conversion from image to map coordinates and back."""
        return self.place

    @property
    def enl(self) -> float:
        """Equivalent number of looks."""
        return self.measured_enl

    @property
    def resolution_m(self) -> tuple[float, float]:
        """Sides of the cell that one independent sample of the speckle takes, metres."""
        side = 1 / math.sqrt(self.sample_ratio)
        return self.line_spacing_m * side, self.pixel_spacing_m * side

    @property
    def is_simulated(self) -> bool:
        """True if it was made of a product that sarship simulated."""
        return bool(self.facts.is_simulated)

    def at_water_level(self, water_level_m: float) -> MapImage:
        """Return the image as it is: who laid it on the map has chosen its heights."""
        return self

    def digital_numbers(
        self, polarization: str, window: Window | None = None, within: BaseGeometry | None = None
    ) -> NDArray[np.uint16]:
        """Return digital numbers, uint16 (lines, pixels): the gain times the root of the power; 0 = no data.

        All of the window is read, whatever is needed of it (`within`).

        Raises
        ------
        ProductError
            If the file cannot be read, or the window reaches past the image.
        """
        (name,) = self.check_polarizations((polarization,))
        band = self.bands_by_name[name]
        values = band.read(self._checked(window))
        with np.errstate(invalid="ignore", over="ignore"):
            amplitude = amplitude_of(values, self.facts, band)
            numbers = np.clip(np.rint(amplitude * np.float32(self.gain)), 1, MAX_NUMBER)
        return np.where(amplitude > 0, np.nan_to_num(numbers), 0).astype(np.uint16)

    def calibration(self, polarization: str) -> Calibration:
        """Return the gain, the same everywhere; of gamma nought with the incidence, as far as it is known."""
        known = self.place.incidence
        incidence = math.radians(USUAL_INCIDENCE_DEG if math.isnan(known) else known)
        sigma0 = self.gain / math.sqrt(math.cos(incidence)) if self.facts.quantity == "gamma0" else self.gain
        gamma0, beta0 = sigma0 * math.sqrt(math.cos(incidence)), sigma0 * math.sqrt(math.sin(incidence))
        return Calibration.flat(sigma0=sigma0, beta0=beta0, gamma0=gamma0)

    def noise(self, polarization: str) -> Noise | None:
        """Return None: nobody knows the thermal noise of an image on a map."""
        return None

    def measured(self, window: Window, valid: NDArray[np.bool_] | None = None) -> MapImage | None:
        """Return the image with ENL and effective sample ratio of its open water; None where there is too little.

        Parameters
        ----------
        window
            Lines and pixels to measure in.
        valid
            False where it is not water for sure, such as land; None for nowhere. Of the rest the dark half tells what
            is open water.
        """
        numbers = self.digital_numbers(self.polarizations[0], window).astype(np.float32)
        power = np.square(numbers)
        power[power == 0] = np.nan
        smooth = ndimage.uniform_filter(np.nan_to_num(power), SMOOTHED)
        keep = np.isfinite(power) if valid is None else valid & np.isfinite(power)
        if not keep.any():
            return None
        keep &= smooth < SEA_SPREAD * np.quantile(smooth[keep], 0.25)
        try:
            enl, ratio = measure_enl(power, keep), measure_correlation(power, keep)
        except ValueError:
            return None
        return replace(self, measured_enl=enl, sample_ratio=ratio)

    def mark(self) -> list[object]:
        """Return what identifies the image: its files, or a digest of its array, and the facts."""
        return [*(band.mark() for band in self.bands_by_name.values()), self.facts.as_dict]


def open_map_image(given: str | Path | Sequence[str | Path] | xr.DataArray, said: MapFacts = MapFacts()) -> MapImage:  # noqa: B008  (frozen)
    """Open an image on a map: a GeoTIFF, one for each polarisation, or a DataArray. A few lines are read.

    What is not said is taken from the table `said.scenes`, from tags or attributes, and from the names of files and
    folders as Planetary Computer, ASF, SNAP and Earth Engine make them.

    Parameters
    ----------
    given
        Path or address of a file, or of several with a polarisation each. To a file with one polarisation in its name
        the file beside it belongs whose name has the other one. Or an array with the dimensions y and x, bands along a
        third one, a reference system as rioxarray, stackstac or odc-stac give it, and one time.
    said
        Facts about it.

    Returns
    -------
    MapImage
        For `detect`, `to_port_grid` and `survey`, as a product.

    Raises
    ------
    ProductError
        It cannot be read, is not north up, has pixels too wide or no reference system; its time, satellite, orbit,
        quantity, scale or polarisations are not known or contradict its pixels.

    Examples
    --------
    >>> y, x = 3_870_000 - 10.0 * np.arange(64), 760_000 + 10.0 * np.arange(80)
    >>> sea = 0.02 * np.random.default_rng(0).gamma(4.4, 1 / 4.4, (64, 80)).astype(np.float32)
    >>> attrs = {"crs": "EPSG:32636", "platform": "S1A", "relative_orbit": 94}
    >>> coords = {"y": y, "x": x, "time": np.datetime64("2024-12-03T15:41:55")}
    >>> array = xr.DataArray(sea, coords, ("y", "x"), "VV", attrs)
    >>> image = open_map_image(array, MapFacts(quantity="gamma0", scale="linear"))
    >>> image.scene.orbit_pass, image.polarizations, image.shape
    ('ascending', ('VV',), (64, 80))
    """
    if isinstance(given, xr.DataArray):
        return _opened([raster_of_array(given)], [], said)
    names = [str(given)] if isinstance(given, str | Path) else [str(each) for each in given]
    return open_map_sources([LocalFile(name) for name in (map_files(names[0]) if len(names) == 1 else names)], said)


def open_map_sources(sources: Sequence[MapSource], said: MapFacts = MapFacts()) -> MapImage:  # noqa: B008  (frozen)
    """Open an image on a map wherever its files lie, as `open_map_image` does.

    Parameters
    ----------
    sources
        One file, or several with a polarisation each.
    said
        Facts about it.

    Raises
    ------
    ProductError
        As `open_map_image`.
    DownloadError
        A server does not give a file.
    """
    return _opened([raster_of_file(source) for source in sources], [source.path for source in sources], said)


def _opened(rasters: Sequence[Raster], names: Sequence[str], said: MapFacts) -> MapImage:
    """Return the image of open files, whose names say something, or of an array."""
    first = rasters[0]
    for other in rasters[1:]:
        if (other.shape, other.transform, other.crs) != (first.shape, first.transform, first.crs):
            message = f"{first.name} and {other.name} lie differently on the map; give two files of one grid"
            raise ProductError(message, path=other.name)
    _check_place(first)
    table = facts_of_table(said.scenes, names) if said.scenes and names else MapFacts()
    sources = {"what you said": said, "the table": table}
    for raster in rasters:
        sources[f"the tags of {Path(raster.name).name}"] = facts_of_tags(raster.tags, raster.name)
    sources |= {f"the name of {Path(name).name}": facts_of_name(name) for name in names}
    labels = [band.name for raster in rasters for band in raster.bands]
    if any(re.search(r"[_-]d[bB](?![a-zA-Z])", label) for label in labels):
        sources["the name of the band"] = MapFacts(scale="decibel")
    facts = gathered(sources, first.name)
    bands = _channels([band for raster in rasters for band in raster.bands], facts, first.name)
    check_unit(bands, facts, first.shape, first.name)
    return _image(first, bands, facts)


def map_files(name: str) -> list[str]:
    """Return a file of an image on a map, and the one beside it of the other polarisation.

    >>> map_files("nowhere/S1A_VV.tif")
    ['nowhere/S1A_VV.tif']
    """
    path = Path(name)
    found = _CHANNEL.search(path.name)
    if found is None or not path.is_file():
        return [name]
    other = {"v": "h", "h": "v", "V": "H", "H": "V"}[found[1][1]]
    beside = path.with_name(path.name[: found.start() + 1] + other + path.name[found.end() :])
    return [name, str(beside)] if beside.is_file() else [name]


def _check_place(raster: Raster) -> None:
    """Refuse what has no place, stands askew, or has pixels too wide."""

    def refuse(reason: str) -> ProductError:
        return ProductError(f"{raster.name} {reason}", path=raster.name)

    if raster.crs is None:
        raise refuse("has no reference system; give it the one of its coordinates, with gdal_edit or rio.write_crs")
    step = raster.transform
    if step.b or step.d or not (step.a > 0 > step.e):
        raise refuse("is rotated or not north up; warp it to a map grid first, with gdalwarp")
    if min(raster.shape) < 2:
        raise refuse(f"has {raster.shape[0]} lines of {raster.shape[1]} pixels, which is no image")


def _channels(bands: Sequence[Band], facts: MapFacts, where: str) -> dict[Polarization, Band]:
    """Return the band of each polarisation, co-polarised first."""
    found: dict[Polarization, Band] = {}
    named = [_CHANNEL.findall(band.name) for band in bands]
    for k, band in enumerate(bands):
        if facts.polarizations is not None:
            name = facts.polarizations[k] if k < len(facts.polarizations) else None
        else:
            name = cast("Polarization", named[k][0].upper()) if named[k] else None
        if name in found:
            raise ProductError(f"{where} has two bands of {name}; say the polarisation of each band", path=where)
        if name is not None:
            found[name] = band
    if not found:
        message = f"{where} does not say the polarisation of its bands; say it, e.g. VV,VH in their order"
        raise ProductError(message, path=where)
    return {name: found[name] for name in sorted(found, key=CO_FIRST.index)}


def _image(raster: Raster, bands: dict[Polarization, Band], facts: MapFacts) -> MapImage:
    """Return the image of what is known; refuse it where something is missing."""
    time, platform, orbit, crs = facts.time, facts.platform, facts.relative_orbit, raster.crs
    ways = "in a table (--scenes), a tag or MapFacts"
    if time is None:
        raise ProductError(f"{raster.name} does not say when it was taken; say its time {ways}", path=raster.name)
    if platform is None:
        raise ProductError(f"{raster.name} does not say its satellite; say the platform {ways}", path=raster.name)
    if orbit is None:
        reason = f"say relative_orbit {ways}: images of several orbits show a port from different sides"
        raise ProductError(f"{raster.name} does not say its relative orbit; {reason}", path=raster.name)
    assert crs is not None
    at = np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "ns")
    incidence = math.nan if facts.incidence_deg is None else facts.incidence_deg
    place = MapGeometry.of(
        raster.shape, raster.transform, crs, time=at, orbit_pass=facts.orbit_pass or "ascending", incidence=incidence
    )
    longitude, latitude = place.centre
    if not (math.isfinite(longitude) and math.isfinite(latitude)):
        raise ProductError(f"{raster.name} lies outside its own reference system; correct that", path=raster.name)
    widest = max(place.line_spacing_m, place.pixel_spacing_m)
    if widest > MAX_SPACING_M:
        message = (
            f"{raster.name} has pixels of {widest:,.0f} m, in which no vessel is told from a quay; give 10 or 20 m"
        )
        raise ProductError(message, path=raster.name)
    if facts.orbit_pass is None:
        if abs(latitude) > MAX_LATITUDE:
            raise ProductError(f"{raster.name} does not say its pass; say orbit_pass {ways}", path=raster.name)
        solar = (time.hour + time.minute / 60 + longitude / 15) % 24
        passed: OrbitPass = "ascending" if EVENING[0] <= solar < EVENING[1] else "descending"
        place, facts = replace(place, orbit_pass=passed), replace(facts, orbit_pass=passed)
    identity = facts.scene or re.sub(r"\.tiff?$", "", _CHANNEL.sub("", Path(raster.name).name)).strip("_-. ")
    if fault := name_fault(identity):
        raise ProductError(f"{raster.name}: its scene {fault}; say another id", path=raster.name)
    integer = next((band for band in bands.values() if band.is_integer), None)
    scene = Scene(
        id=identity or f"{platform}_{time:%Y%m%dT%H%M%S}",
        platform=platform,
        mode=facts.mode or "IW",
        product_type="MAPH" if widest <= FINE_M else "MAPM",
        polarizations=tuple(bands),
        start=time,
        stop=max(time, facts.stop or time),
        absolute_orbit=facts.absolute_orbit or 0,
        relative_orbit=orbit,
        orbit_pass=cast("OrbitPass", facts.orbit_pass),
        footprint=place.footprint(),
    )
    return MapImage(
        path=Path(raster.name),
        scene=scene,
        polarizations=tuple(bands),
        problems={},
        has_noise=False,
        place=place,
        facts=facts,
        bands_by_name=bands,
        gain=GAIN if integer is None else integer.full * (GAIN_OF_BYTES if integer.full < 256 else 1.0),
    )
