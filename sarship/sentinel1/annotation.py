"""What the annotation of one polarisation says: when, how and with which geometry the image was made.

The file is 1.8 MB of XML, most of it antenna patterns, Doppler estimates and tie points that a reader of images
never needs. Those sections are cut out before parsing; tie points are parsed when they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, get_args
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductError
from sarship.model import OrbitPass, Polarization
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.ground_range import GroundRange
from sarship.sentinel1.orbit import Orbit
from sarship.sentinel1.xml import parse_xml

__all__ = ["Annotation", "nominal_enl", "read_annotation"]

Floats = NDArray[np.float64]

SPEED_OF_LIGHT: Final = 299_792_458.0
SKIPPED: Final = (b"antennaPattern", b"dopplerCentroid", b"geolocationGrid", b"qualityInformation")
"""Sections of a product's annotation that are not parsed on opening."""
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
"""Equivalent number of looks by looks in range and azimuth: Sentinel-1 Product Definition, S1-RS-MDA-52-7440,
table 5-1 (the looks overlap and are weighted, so fewer than their product)."""
MIN_ORBIT_M: Final = 6.5e6
MAX_ORBIT_M: Final = 8.5e6
LOOK_EFFICIENCY: Final = 0.88
"""Equivalent looks over looks of IW GRDH; stands in for combinations the table does not have."""
TIE_POINT: Final = np.dtype(
    [
        ("azimuth_time", "datetime64[ns]"),
        ("slant_range_time_s", "f8"),
        ("line", "f8"),
        ("pixel", "f8"),
        ("longitude", "f8"),
        ("latitude", "f8"),
        ("height_m", "f8"),
        ("incidence_deg", "f8"),
    ]
)
TIE_POINT_TAGS: Final = (
    "azimuthTime",
    "slantRangeTime",
    "line",
    "pixel",
    "longitude",
    "latitude",
    "height",
    "incidenceAngle",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotation:
    """The annotation of one polarisation of a GRD product."""

    source: str
    """File it was read from, for messages."""
    platform: str
    """`S1A` … `S1D`."""
    product_type: str
    """Always `GRD`; the resolution class stands in the product's name only."""
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
    """Equivalent number of looks; where swaths differ (EW1), that of the swath with the fewest."""
    resolution_m: tuple[float, float]
    """Half-power width of a point along azimuth and along ground range, mean of the swaths, metres."""
    prf_hz: Mapping[str, float]
    """Pulse repetition frequency by swath, e.g. `{"IW1": 1717.1, …}`."""
    radar_frequency_hz: float
    """Carrier frequency."""
    n_lines: int
    """Lines of the image."""
    n_pixels: int
    """Pixels of a line."""
    grid: bytes = field(repr=False)
    """The section with the tie points, not parsed."""

    def tie_points(self) -> NDArray[np.void]:
        """The product's geolocation grid as a structured array with the fields of `TIE_POINT`.

        At sea these points lie on the ellipsoid, on land on a terrain model; `ImageGeometry` does not use them.

        Raises
        ------
        ProductError
            If the annotation has none, or they are damaged.
        """
        if not self.grid:
            raise ProductError(f"{self.source} has no geolocationGrid")
        root = parse_xml(self.grid, self.source)
        points = root.findall("geolocationGridPointList/geolocationGridPoint")
        table = np.empty(len(points), TIE_POINT)
        for name, tag in zip(TIE_POINT.names or (), TIE_POINT_TAGS, strict=True):
            if tag == "azimuthTime":
                table[name] = [_time(_text(point, tag, self.source), tag, self.source) for point in points]
            else:
                table[name] = [_number(point, tag, self.source) for point in points]
        return table


def nominal_enl(n_range: int, n_azimuth: int) -> float:
    """Equivalent number of looks of a product with so many looks in range and azimuth.

    From the product definition's table; other combinations get 0.88 of the product of the two.

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
    root = parse_xml(body, source)
    if root.tag != "product":
        raise ProductError(f"{source} is not the annotation of a product: its root is <{root.tag}>, not <product>")
    kind = _text(root, "adsHeader/productType", source)
    if kind != "GRD":
        raise ProductError(f"{source} belongs to a product of type {kind}; sarship reads GRD only")
    try:
        return _annotation(root, cut.get(b"geolocationGrid", b""), source)
    except ValueError as error:
        if isinstance(error, ProductError):
            raise
        raise ProductError(f"{source} cannot be used: {error}; fetch the product again") from error


def _annotation(root: Element, grid: bytes, source: str) -> Annotation:
    header, image = "adsHeader", IMAGE
    orbit_pass = _text(root, "generalAnnotation/productInformation/pass", source).lower()
    polarization = _text(root, f"{header}/polarisation", source)
    if polarization not in get_args(Polarization) or orbit_pass not in get_args(OrbitPass):
        raise ProductError(f"{source} names the polarisation {polarization!r} and the pass {orbit_pass!r}")
    geometry = _geometry(root, source)
    swaths = [_swath(each, source) for each in _all(root, SWATHS, source)]
    return Annotation(
        source=source,
        platform=_text(root, f"{header}/missionId", source),
        product_type="GRD",
        mode=_text(root, f"{header}/mode", source),
        polarization=polarization,  # type: ignore[arg-type]  # checked above
        start=_datetime(root, f"{image}/productFirstLineUtcTime", source),
        stop=_datetime(root, f"{image}/productLastLineUtcTime", source),
        absolute_orbit=_whole(root, f"{header}/absoluteOrbitNumber", source),
        orbit_pass=orbit_pass,  # type: ignore[arg-type]  # checked above
        geometry=geometry,
        enl=min(nominal_enl(swath.n_range, swath.n_azimuth) for swath in swaths),
        resolution_m=_resolution(root, swaths, geometry, source),
        prf_hz={
            _text(downlink, "swath", source): _positive(downlink, "prf", source)
            for downlink in _all(root, DOWNLINKS, source)
        },
        radar_frequency_hz=_positive(root, "generalAnnotation/productInformation/radarFrequency", source),
        n_lines=geometry.shape[0],
        n_pixels=geometry.shape[1],
        grid=grid,
    )


def _geometry(root: Element, source: str) -> ImageGeometry:
    """Clock, orbit and range law of the image."""
    first = _time(_text(root, f"{IMAGE}/productFirstLineUtcTime", source), "productFirstLineUtcTime", source)
    last = _time(_text(root, f"{IMAGE}/productLastLineUtcTime", source), "productLastLineUtcTime", source)
    n_lines = _whole(root, f"{IMAGE}/numberOfLines", source)
    n_pixels = _whole(root, f"{IMAGE}/numberOfSamples", source)
    if n_lines < 2 or n_pixels < 2 or last <= first:
        raise ProductError(f"{source} describes an image of {n_lines} lines by {n_pixels} from {first} to {last}")
    interval = _seconds(last - first) / (n_lines - 1)
    spacing = _positive(root, f"{IMAGE}/rangePixelSpacing", source)
    conversions = _all(root, CONVERSIONS, source)
    return ImageGeometry(
        shape=(n_lines, n_pixels),
        line_spacing_m=_positive(root, f"{IMAGE}/azimuthPixelSpacing", source),
        pixel_spacing_m=spacing,
        first_line=first,
        line_interval_s=interval,
        orbit=_orbit(_all(root, ORBITS, source), first, source),
        ground_range=GroundRange(
            lines=_since(first, conversions, "azimuthTime", source) / interval,
            origins_m=np.array([_number(each, "gr0", source) for each in conversions]),
            coefficients=_coefficients(conversions, source),
            spacing_m=spacing,
            n_pixels=n_pixels,
        ),
    )


def _orbit(vectors: list[Element], first: np.datetime64, source: str) -> Orbit:
    frames = {_text(vector, "frame", source) for vector in vectors}
    if frames != {"Earth Fixed"}:
        raise ProductError(f"{source} gives its orbit in the frame {sorted(frames)}; sarship knows 'Earth Fixed'")
    position = np.array([[_number(vector, f"position/{axis}", source) for axis in "xyz"] for vector in vectors])
    for radius in (math.hypot(*each) for each in position):
        if not MIN_ORBIT_M < radius < MAX_ORBIT_M:
            message = f"{source} puts the satellite {radius:.0f} m from the Earth's centre; fetch the product again"
            raise ProductError(message)
    return Orbit.fit(_since(first, vectors, "time", source), position)


def _coefficients(conversions: list[Element], source: str) -> Floats:
    """Ground range to slant range, one row a polynomial, short ones filled with zeros."""
    rows = [np.array(_text(each, "grsrCoefficients", source).split(), np.float64) for each in conversions]
    table = np.zeros((len(rows), max(row.size for row in rows)))
    for filled, row in zip(table, rows, strict=True):
        filled[: row.size] = row
    if not np.all(np.isfinite(table)):
        raise ProductError(f"{source} has grsrCoefficients that are not numbers; fetch the product again")
    return table


@dataclass(frozen=True, kw_only=True, slots=True)
class _Swath:
    """How one swath was focused."""

    name: str
    n_range: int
    n_azimuth: int
    range_width: float
    """Half-power width of the slant-range response, seconds of two-way delay."""
    azimuth_width: float
    """Half-power width of the azimuth response, seconds of flight."""


def _swath(element: Element, source: str) -> _Swath:
    def width(axis: str) -> float:
        window = _text(element, f"{axis}/windowType", source)
        coefficient = _positive(element, f"{axis}/windowCoefficient", source) if window == "Hamming" else 1.0
        return half_power_width(coefficient) / _positive(element, f"{axis}/lookBandwidth", source)

    return _Swath(
        name=_text(element, "swath", source),
        n_range=_whole(element, "rangeProcessing/numberOfLooks", source),
        n_azimuth=_whole(element, "azimuthProcessing/numberOfLooks", source),
        range_width=width("rangeProcessing"),
        azimuth_width=width("azimuthProcessing"),
    )


def half_power_width(coefficient: float) -> float:
    """Half-power width, times the bandwidth, of the response to a band weighted a + (1 - a) cos(2πf/B).

    The response is a sinc(x) + (1 - a)/2 · (sinc(x - 1) + sinc(x + 1)), whose peak is a.

    >>> round(half_power_width(1.0), 3)
    0.886
    """
    x = np.linspace(0, 1, 1001)
    side = (1 - coefficient) / 2
    response = np.sinc(x) + side / coefficient * (np.sinc(x - 1) + np.sinc(x + 1))
    return float(2 * np.interp(-np.sqrt(0.5), -response, x))


def _resolution(root: Element, swaths: list[_Swath], geometry: ImageGeometry, source: str) -> tuple[float, float]:
    """Half-power widths along azimuth and ground range, metres: the mean over the swaths, each at its middle.

    Within 6 % of the product definition's (IW GRDH 22.5 by 20.4, stripmap GRDH 23 by 23, EW GRDM 87 by 93).
    """
    n_lines, n_pixels = geometry.shape
    centres = {swath.name: (n_pixels - 1) / 2 for swath in swaths}
    for merge in root.findall("swathMerging/swathMergeList/swathMerge"):
        bounds = [
            _number(each, tag, source)
            for each in _all(merge, "swathBoundsList/swathBounds", source)
            for tag in ("firstRangeSample", "lastRangeSample")
        ]
        centres[_text(merge, "swath", source)] = float(np.mean(bounds))
    incidence = geometry.incidence_deg((n_lines - 1) / 2, [centres[swath.name] for swath in swaths])
    if not np.all(np.isfinite(incidence)):
        raise ProductError(f"{source} describes rays that do not meet the Earth; fetch the product again")
    delay = np.array([swath.range_width for swath in swaths])
    across = SPEED_OF_LIGHT / 2 * delay / np.sin(np.radians(incidence))
    along = geometry.line_spacing_m / geometry.line_interval_s * np.array([swath.azimuth_width for swath in swaths])
    return float(along.mean()), float(across.mean())


def _cut(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The document without the sections of `SKIPPED`, and those sections; damage in one is then not noticed."""
    cut: dict[bytes, bytes] = {}
    for tag in SKIPPED:
        start, end = data.find(b"<" + tag + b">"), data.rfind(b"</" + tag + b">")
        if 0 <= start < end:
            end += len(tag) + 3
            cut[tag] = data[start:end]
            data = data[:start] + data[end:]
    return data, cut


def _all(parent: Element, path: str, source: str) -> list[Element]:
    found = parent.findall(path)
    if not found:
        raise ProductError(f"{source} lacks {path}; fetch the product again")
    return found


def _text(parent: Element, path: str, source: str) -> str:
    text = (parent.findtext(path) or "").strip()
    if not text:
        raise ProductError(f"{source} lacks {path}; fetch the product again")
    return text


def _number(parent: Element, path: str, source: str) -> float:
    text = _text(parent, path, source)
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ProductError(f"{source} gives {path} as {text!r}, which is not a number; fetch the product again")
    return value


def _whole(parent: Element, path: str, source: str) -> int:
    value = _number(parent, path, source)
    if value % 1 or abs(value) >= 2**31:
        raise ProductError(f"{source} gives {path} as {value:g}, which is no whole number; fetch the product again")
    return int(value)


def _positive(parent: Element, path: str, source: str) -> float:
    value = _number(parent, path, source)
    if value <= 0:
        raise ProductError(f"{source} gives {path} as {value}, which must be positive; fetch the product again")
    return value


def _time(text: str, path: str, source: str) -> np.datetime64:
    try:
        return np.datetime64(datetime.fromisoformat(text).replace(tzinfo=None), "ns")
    except ValueError as error:
        raise ProductError(f"{source} gives {path} as {text!r}, which is not a time; fetch it again") from error


def _datetime(root: Element, path: str, source: str) -> datetime:
    _time(text := _text(root, path, source), path, source)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _since(first: np.datetime64, elements: list[Element], path: str, source: str) -> Floats:
    """Times of elements, seconds after the first line."""
    return np.array([_seconds(_time(_text(each, path, source), path, source) - first) for each in elements])


def _seconds(span: np.timedelta64) -> float:
    return float(span / np.timedelta64(1, "ns")) * 1e-9
