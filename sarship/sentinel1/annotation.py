"""The annotation of one polarisation: time, geometry, resolution and processing of the image.

The file is 1.8 MB of XML, most of it antenna patterns, Doppler estimates and tie points that a reader of images
does not need. Those sections are cut out before parsing; tie points are parsed on request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductError
from sarship.model import OrbitPass, Polarization
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.ground_range import GroundRange
from sarship.sentinel1.orbit import Orbit
from sarship.sentinel1.xml import Node, read_xml

__all__ = ["Annotation", "nominal_enl", "read_annotation"]

Floats = NDArray[np.float64]

SPEED_OF_LIGHT: Final = 299_792_458.0
SKIPPED: Final = (b"antennaPattern", b"dopplerCentroid", b"geolocationGrid", b"qualityInformation")
"""Sections of the annotation that are not parsed on opening."""
IMAGE: Final = "imageAnnotation/imageInformation"
DOWNLINKS: Final = "generalAnnotation/downlinkInformationList/downlinkInformation"
ORBITS: Final = "generalAnnotation/orbitList/orbit"
CONVERSIONS: Final = "coordinateConversion/coordinateConversionList/coordinateConversion"
SWATHS: Final = "imageAnnotation/processingInformation/swathProcParamsList/swathProcParams"
ENL: Final[Mapping[tuple[int, int], float]] = {
    (5, 1): 4.4,  # IW GRDH
    (22, 5): 81.8,  # IW GRDM
    (3, 1): 2.8,  # EW GRDH
    (6, 2): 10.7,  # EW GRDM
    (2, 2): 3.7,  # stripmap GRDF
    (6, 6): 29.7,  # stripmap GRDH
    (22, 22): 398.4,  # stripmap GRDM
}
"""ENL by numbers of looks in range and azimuth: Sentinel-1 Product Definition, S1-RS-MDA-52-7440, table 5-1 (the looks
overlap and are weighted, so it is less than their product)."""
SPEEDS_M_S: Final = (6000.0, 7500.0)
"""Speeds of the footprint that are believed; 6,660 to 6,810 measured."""
LONGEST_S: Final = 1800.0
"""Longer than the satellites can image at a stretch (25 minutes)."""
WIDEST_M: Final = 600e3
"""Wider than the 420 km of EW."""
FINEST_M: Final = 1.0
"""Finer than the 3.5 m of GRDF."""
MIN_ORBIT_M: Final = 6.5e6
MAX_ORBIT_M: Final = 8.5e6
LOOK_EFFICIENCY: Final = 0.88
"""ENL over number of looks of IW GRDH, for combinations that the table does not have."""
TIE_POINT: Final[Mapping[str, tuple[str, str]]] = {
    "azimuth_time": ("azimuthTime", "datetime64[ns]"),
    "slant_range_time_s": ("slantRangeTime", "f8"),
    "line": ("line", "f8"),
    "pixel": ("pixel", "f8"),
    "longitude": ("longitude", "f8"),
    "latitude": ("latitude", "f8"),
    "height_m": ("height", "f8"),
    "incidence_deg": ("incidenceAngle", "f8"),
}
"""Fields of a tie point: tag in the file, and data type."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotation:
    """The annotation of one polarisation of a GRD product."""

    source: str
    """Name of the file, for messages."""
    platform: str
    """`S1A` … `S1D`."""
    mode: str
    """`IW`, `EW`, or a stripmap beam `S1` … `S6`."""
    polarization: Polarization
    """Transmit and receive, e.g. `VV`."""
    start: datetime
    """Time of the first line, UTC."""
    stop: datetime
    """Time of the last line, UTC."""
    absolute_orbit: int
    """Orbit since launch."""
    orbit_pass: OrbitPass
    """`ascending` or `descending`."""
    geometry: ImageGeometry
    """Image to map and back."""
    enl: float
    """Equivalent number of looks; where swaths differ (EW1), the lowest."""
    resolution_m: tuple[float, float]
    """Half-power width of the response along azimuth and ground range, mean of the swaths, metres."""
    prf_hz: Mapping[str, float]
    """Pulse repetition frequency by swath, e.g. `{"IW1": 1717.1, …}`."""
    radar_frequency_hz: float
    """Carrier frequency."""
    grid: bytes = field(repr=False)
    """Section `geolocationGrid` of the file, not parsed; empty where the file has none."""

    def tie_points(self) -> NDArray[np.void]:
        """Return the product's geolocation grid as a structured array with the fields of `TIE_POINT`.

        At sea these points lie on the ellipsoid, on land on a terrain model; `ImageGeometry` does not use them.

        Raises
        ------
        ProductError
            If the annotation has none, or they are damaged.
        """
        if not self.grid:
            raise ProductError(f"{self.source} has no geolocationGrid", path=self.source)
        points = read_xml(self.grid, self.source).find("geolocationGridPointList/geolocationGridPoint")
        table = np.empty(len(points), [(name, kind) for name, (_, kind) in TIE_POINT.items()])
        for name, (tag, kind) in TIE_POINT.items():
            table[name] = [point.number(tag) if kind == "f8" else _nanoseconds(point.time(tag)) for point in points]
        return table


def nominal_enl(n_range: int, n_azimuth: int) -> float:
    """Return the equivalent number of looks of a product with so many looks in range and azimuth.

    It is the product definition's; for combinations not in its table, 0.88 of the product of the two.

    >>> nominal_enl(5, 1)
    4.4
    """
    return ENL.get((n_range, n_azimuth), max(1.0, LOOK_EFFICIENCY * n_range * n_azimuth))


def read_annotation(data: bytes, source: str) -> Annotation:
    """Parse the annotation of one polarisation.

    Parameters
    ----------
    data
        The file's bytes.
    source
        Its name, for messages.

    Raises
    ------
    ProductError
        If the file is damaged, lacks something, or belongs to a product that is not GRD.
    """
    body, cut = _cut(data)
    root = read_xml(body, source)
    if root.element.tag != "product":
        raise root.error(f"is not the annotation of a product: its root is <{root.element.tag}>, not <product>")
    kind = root.text("adsHeader/productType")
    if kind != "GRD":
        raise root.error(f"belongs to a product of type {kind}; sarship reads GRD only")
    try:
        return _annotation(root, cut.get(b"geolocationGrid", b""))
    except ProductError:
        raise
    except ValueError as error:
        raise root.error(f"cannot be used: {error}; fetch the product again") from error


def _annotation(root: Node, grid: bytes) -> Annotation:
    orbit_pass = root.text("generalAnnotation/productInformation/pass").lower()
    polarization = root.text("adsHeader/polarisation")
    if polarization not in get_args(Polarization) or orbit_pass not in get_args(OrbitPass):
        raise root.error(f"names the polarisation {polarization!r} and the pass {orbit_pass!r}")
    geometry = _geometry(root)
    swaths = [_swath(each) for each in root.find_some(SWATHS)]
    return Annotation(
        source=root.source,
        platform=root.text("adsHeader/missionId"),
        mode=root.text("adsHeader/mode"),
        polarization=cast("Polarization", polarization),
        start=root.time(f"{IMAGE}/productFirstLineUtcTime"),
        stop=root.time(f"{IMAGE}/productLastLineUtcTime"),
        absolute_orbit=root.whole("adsHeader/absoluteOrbitNumber"),
        orbit_pass=cast("OrbitPass", orbit_pass),
        geometry=geometry,
        enl=min(swath.enl for swath in swaths),
        resolution_m=_resolution(root, swaths, geometry),
        prf_hz={downlink.text("swath"): downlink.positive("prf") for downlink in root.find_some(DOWNLINKS)},
        radar_frequency_hz=root.positive("generalAnnotation/productInformation/radarFrequency"),
        grid=grid,
    )


def _geometry(root: Node) -> ImageGeometry:
    """Return the geometry of the image: its time axis, orbit and slant-range polynomials."""
    first, last = (_nanoseconds(root.time(f"{IMAGE}/product{end}LineUtcTime")) for end in ("First", "Last"))
    n_lines, n_pixels = root.whole(f"{IMAGE}/numberOfLines"), root.whole(f"{IMAGE}/numberOfSamples")
    if n_lines < 2 or n_pixels < 2 or last <= first:
        raise root.error(f"describes an image of {n_lines} lines by {n_pixels} from {first} to {last}")
    duration = _seconds(last - first)
    interval = duration / (n_lines - 1)
    line_spacing, spacing = (root.positive(f"{IMAGE}/{axis}PixelSpacing") for axis in ("azimuth", "range"))
    _refuse_size(root, (n_lines, n_pixels), duration, (line_spacing, spacing))
    conversions = root.find_some(CONVERSIONS)
    return ImageGeometry(
        shape=(n_lines, n_pixels),
        line_spacing_m=line_spacing,
        pixel_spacing_m=spacing,
        first_line=first,
        line_interval_s=interval,
        orbit=_orbit(root, first),
        ground_range=GroundRange(
            lines=_since(first, conversions, "azimuthTime") / interval,
            origins_m=np.array([each.number("gr0") for each in conversions]),
            coefficients=_coefficients(conversions),
            spacing_m=spacing,
            n_pixels=n_pixels,
        ),
    )


def _refuse_size(root: Node, shape: tuple[int, int], duration: float, spacing: tuple[float, float]) -> None:
    """Refuse an image of a size that time and spacing deny, before any array is made of that size."""
    length, width = (size * step for size, step in zip(shape, spacing, strict=True))
    is_flown = SPEEDS_M_S[0] * duration < length < SPEEDS_M_S[1] * duration + 2 * spacing[0]
    if not (is_flown and duration < LONGEST_S and width < WIDEST_M and min(spacing) > FINEST_M):
        size = f"{shape[0]} lines by {shape[1]} pixels of {spacing[0]:g} by {spacing[1]:g} m in {duration:.6g} s"
        raise root.error(f"describes an image of {size}, which no Sentinel-1 takes; fetch the product again")


def _orbit(root: Node, first: np.datetime64) -> Orbit:
    vectors = root.find_some(ORBITS)
    frames = {vector.text("frame") for vector in vectors}
    if frames != {"Earth Fixed"}:
        raise root.error(f"gives its orbit in the frame {sorted(frames)}; sarship knows 'Earth Fixed'")
    position = np.array([[vector.number(f"position/{axis}") for axis in "xyz"] for vector in vectors])
    for radius in (math.hypot(*each) for each in position):
        if not MIN_ORBIT_M < radius < MAX_ORBIT_M:
            raise root.error(f"puts the satellite {radius:.0f} m from the Earth's centre; fetch the product again")
    return Orbit.fit(_since(first, vectors, "time"), position)


def _coefficients(conversions: list[Node]) -> Floats:
    """Return the polynomials from ground range to slant range, a row each, short ones filled with zeros."""
    rows = [each.numbers("grsrCoefficients") for each in conversions]
    return np.stack([np.pad(row, (0, max(map(len, rows)) - len(row))) for row in rows])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Swath:
    """Processing of one swath."""

    name: str
    enl: float
    range_width: float
    """Half-power width of the slant-range response, seconds of two-way delay."""
    azimuth_width: float
    """Half-power width of the azimuth response, seconds of flight."""


def _swath(node: Node) -> _Swath:
    def width(axis: str) -> float:
        is_hamming = node.text(f"{axis}/windowType") == "Hamming"
        coefficient = node.positive(f"{axis}/windowCoefficient") if is_hamming else 1.0
        return half_power_width(coefficient) / node.positive(f"{axis}/lookBandwidth")

    return _Swath(
        name=node.text("swath"),
        enl=nominal_enl(*(node.whole(f"{axis}Processing/numberOfLooks") for axis in ("range", "azimuth"))),
        range_width=width("rangeProcessing"),
        azimuth_width=width("azimuthProcessing"),
    )


def half_power_width(coefficient: float) -> float:
    """Return half-power width times bandwidth of the response to a band weighted a + (1 - a) cos(2πf/B).

    The response is a sinc(x) + (1 - a)/2 · (sinc(x - 1) + sinc(x + 1)), whose peak is a.

    >>> round(half_power_width(1.0), 3)
    0.886
    """
    x = np.linspace(0, 1, 1001)
    side = (1 - coefficient) / 2
    response = np.sinc(x) + side / coefficient * (np.sinc(x - 1) + np.sinc(x + 1))
    return float(2 * np.interp(-np.sqrt(0.5), -response, x))


def _resolution(root: Node, swaths: list[_Swath], geometry: ImageGeometry) -> tuple[float, float]:
    """Return the half-power widths along azimuth and ground range, metres: mean of the swaths, each at its middle.

    Within 6 % of the product definition's (IW GRDH 22.5 by 20.4, stripmap GRDH 23 by 23, EW GRDM 87 by 93).
    """
    n_lines, n_pixels = geometry.shape
    centres = {swath.name: (n_pixels - 1) / 2 for swath in swaths}
    for merge in root.find("swathMerging/swathMergeList/swathMerge"):
        bounds = merge.find_some("swathBoundsList/swathBounds")
        ends = [each.number(tag) for each in bounds for tag in ("firstRangeSample", "lastRangeSample")]
        centres[merge.text("swath")] = float(np.mean(ends))
    incidence = geometry.incidence_deg((n_lines - 1) / 2, [centres[swath.name] for swath in swaths])
    if not np.all(np.isfinite(incidence)):
        raise root.error("describes rays that do not meet the Earth; fetch the product again")
    delay = np.array([swath.range_width for swath in swaths])
    across = SPEED_OF_LIGHT / 2 * delay / np.sin(np.radians(incidence))
    along = geometry.line_spacing_m / geometry.line_interval_s * np.array([swath.azimuth_width for swath in swaths])
    return float(along.mean()), float(across.mean())


def _cut(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the document without the sections of `SKIPPED`, and those sections; damage in one is not noticed."""
    cut: dict[bytes, bytes] = {}
    for tag in SKIPPED:
        start, end = data.find(b"<" + tag + b">"), data.rfind(b"</" + tag + b">")
        if 0 <= start < end:
            end += len(tag) + 3
            cut[tag] = data[start:end]
            data = data[:start] + data[end:]
    return data, cut


def _since(first: np.datetime64, nodes: list[Node], path: str) -> Floats:
    """Return times of elements, seconds after the first line."""
    return np.array([_seconds(_nanoseconds(each.time(path)) - first) for each in nodes])


def _nanoseconds(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "ns")


def _seconds(span: np.timedelta64) -> float:
    return float(span / np.timedelta64(1, "ns")) * 1e-9
