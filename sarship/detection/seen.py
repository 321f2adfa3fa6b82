"""Coverage of piers: the part of their waters that a product shows, and the shortest vessel that is a hit there."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from shapely import affinity

from sarship import cfar, schema
from sarship.cfar.params import CfarParams
from sarship.detection.bands import Band, Mask, Seen, bands_of, doubts_of, rasterized, reach_of
from sarship.detection.params import DetectionParams
from sarship.model import CO_POLARIZED, Window
from sarship.sentinel1.parts import area_of

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["coverage", "shortest_vessel_m"]

SAMPLES: Final = 20_000
"""Thresholds of a pier's waters that each band gives to their median, at most about."""
OUTLINE_STEP: Final = 64
"""Pixels between the points of an outline that is carried from the image to the map, at most."""


def coverage(
    product: RadarImage,
    waters: Mapping[str, BaseGeometry],
    params: DetectionParams | None = None,
    *,
    land: BaseGeometry | None = None,
    water: BaseGeometry | None = None,
    in_co_polarized: Collection[str] = (),
    tell: Callable[[str], object] | None = None,
) -> gpd.GeoDataFrame:
    """Return the part of each pier's waters that a product shows, and the length of the shortest vessel that is a hit.

    `seen` is the part of the waters' area with data in any polarisation.
    `detectable_length_m` is `shortest_vessel_m` at the median threshold of the waters, the minimum over the
    polarisations, and not under `params.min_length_m`; it is missing where nothing was seen, and where no pixel had
    enough sea around it for a decision.

    Parameters
    ----------
    product, params, land, water
        As for `detect`.
    waters
        Waters of each pier by its name, longitude and latitude in degrees.
    in_co_polarized
        Names of piers that are seen where VV or HH has data, because vessels there are told apart in those.
    tell
        Called with each text that `detect` would warn of in the same waters.

    Returns
    -------
    geopandas.GeoDataFrame
        `schema.COVERAGE`, one row a pier in the order given; `seen` is 0 and the geometry empty for those
        outside the image. The geometry of a row is the part of the waters that was imaged.

    Raises
    ------
    ProductError
        As `detect`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.sentinel1 import open_grd
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(60, 80), polarizations=("VV",)), n_vessels=0)
    ...     product = open_grd(path)
    ...     table = coverage(product, {"North quay": product.geometry.footprint()})
    >>> table["pier"][0], round(float(table["seen"][0]), 3)
    ('North quay', 1.0)
    """
    params = params or DetectionParams()
    shown_by = dict.fromkeys(in_co_polarized, CO_POLARIZED)
    looks, doubts = _looks(product, waters, params.for_product(product), Mask.of(product, land, water), shown_by)
    if tell is not None:
        for doubt in doubts:
            tell(doubt)
    rows = [looks.get(pier, UNSEEN) for pier in waters]
    columns = {
        "scene": [product.scene.id] * len(rows),
        "pier": list(waters),
        "seen": [row.seen for row in rows],
        "detectable_length_m": np.maximum([row.length_m for row in rows], params.min_length_m),  # missing stays missing
        "incidence_deg": [row.incidence_deg for row in rows],
        "n_reference_dates": [0] * len(rows),
    }
    return schema.COVERAGE.make(columns, [row.geometry for row in rows])


def shortest_vessel_m(
    sigma0: float, incidence_deg: float, polarization: str, resolution_m: tuple[float, float]
) -> float:
    """Return the length of the shortest vessel whose own brightness reaches a threshold.

    A vessel of length l has a radar cross-section of 0.08 · l^(7/3) · (0.78 + 0.11 · incidence in degrees) m² in VV
    [1]_; on 162 Sentinel-1 vessels of known length that is right to 0.6 dB on average, with 3.6 dB of scatter. HH is
    taken as VV; VH and HV lie 11 dB below. The cross-section is spread evenly over the resolution cells along the
    length, one at least; the beam is within one cell. The cell then has sigma0 = cross-section / (cells · area of a
    cell). Evenly is the worst case, since the brightest cell, which decides, is never below the average; the sea and
    noise under the vessel, which would help it, are left out. So half of the vessels of this length or more are hits.
    The shortest of those 162 vessels has 36 m: below that the formula is extrapolated.

    Parameters
    ----------
    sigma0
        Threshold with the noise in, linear.
    incidence_deg
        Angle of incidence, degrees.
    polarization
        `VV`, `VH`, `HH` or `HV`.
    resolution_m
        Resolution along azimuth and ground range.

    Returns
    -------
    float
        Metres.

    References
    ----------
    .. [1] P. W. Vachon et al., "Ship detection by the RADARSAT SAR: validation of detection model predictions",
       Canadian Journal of Remote Sensing 23, 1997.

    Examples
    --------
    >>> round(shortest_vessel_m(0.2, 38.0, "VV", (22.0, 20.0)), 1)
    10.1
    """
    cell = resolution_m[0] * resolution_m[1]
    along = math.sqrt(cell)
    loss = 10**-1.1 if polarization in {"VH", "HV"} else 1.0
    of_a_metre = 0.08 * (0.78 + 0.11 * incidence_deg) * loss
    one_cell = (sigma0 * cell / of_a_metre) ** (3 / 7)
    return float(one_cell if one_cell <= along else (sigma0 * cell / (of_a_metre * along)) ** (3 / 4))


class _Look(NamedTuple):
    """Row of the coverage."""

    seen: float
    length_m: float
    incidence_deg: float
    geometry: BaseGeometry


UNSEEN: Final = _Look(0.0, math.nan, math.nan, shapely.Polygon())


class _Waters(NamedTuple):
    """A pier's waters in a product that shows them, at least in part."""

    area: BaseGeometry
    """Longitude and latitude."""
    inside: BaseGeometry
    """Part within the image, in image coordinates."""
    is_whole: bool
    """True if nothing of them lies outside the image."""
    window: Window
    """Pixels that they touch."""
    pixels: NDArray[np.bool_]
    """True for those of the window that are theirs: their centre is in them, or, if none is, any part."""

    @classmethod
    def of(cls, product: RadarImage, area: BaseGeometry) -> _Waters | None:
        """Return them for an area; None if it lies outside the image."""
        n_lines, n_pixels = product.shape
        frame = shapely.box(-0.5, -0.5, n_pixels - 0.5, n_lines - 0.5)
        whole = product.geometry.to_image_polygon(area)
        inside = shapely.intersection(whole, frame)
        if not inside.area > 0:
            return None
        window, parts = _around(inside, product.shape), shapely.get_parts(inside)
        polygons = parts[shapely.area(parts) > 0]
        pixels = rasterized(polygons, window)
        if not pixels.any():
            pixels = rasterized(polygons, window, all_touched=True)
        return cls(area, inside, bool(frame.covers(whole)), window, pixels)


def _looks(
    product: RadarImage,
    waters: Mapping[str, BaseGeometry],
    ring: CfarParams,
    mask: Mask,
    shown_by: Mapping[str, Collection[str]],
) -> tuple[dict[str, _Look], list[str]]:
    """Coverage of the piers whose waters the product shows, and doubts; the image is read once for all of them.

    `shown_by` has the polarisations that a pier is seen in, where those are not all.
    """
    shown = {pier: found for pier, area in waters.items() if (found := _Waters.of(product, area)) is not None}
    if not shown:
        return {}, []
    reaches = {pier: reach_of(product, each.window, ring) for pier, each in shown.items()}
    needed = mask.needed(*[each.inside for each in shown.values()])
    if needed is None:
        needed = shapely.GeometryCollection([area_of(reach) for reach in reaches.values()])
    parts: dict[str, list[_Tally]] = {pier: [] for pier in shown}
    seen: list[Seen] = []
    for band in bands_of(product, Window.around([each.window for each in shown.values()]), ring, mask, needed):
        seen.append(band.seen)
        for pier, each in shown.items():
            if (own := band.cut(each.window, reaches[pier])) is not None:
                pixels = each.pixels[each.window.rows_columns(own.core)]
                parts[pier].append(_tally(product, own, ring, pixels, shown_by.get(pier)))
    looks = {pier: _look(product, each, parts[pier]) for pier, each in shown.items()}
    return looks, doubts_of(product, seen)


def _look(product: RadarImage, waters: _Waters, parts: Sequence[_Tally]) -> _Look:
    """Coverage of one pier's waters by its parts."""
    area = imaged = waters.area
    if not (waters.is_whole and all(part.is_complete for part in parts)):
        imaged = _imaged(product, area, shapely.union_all([part.imaged for part in parts]))
    seen = min(_flat_area(imaged) / _flat_area(area), 1.0)
    if not seen > 0:
        return UNSEEN
    point = waters.inside.representative_point()
    incidence = float(product.geometry.incidence_deg(point.y, point.x))
    return _Look(seen, _detectable_m(product, parts, incidence), incidence, imaged)


def _around(inside: BaseGeometry, shape: tuple[int, int]) -> Window:
    """Smallest window of the image that holds all pixels that the area touches."""
    left, top, right, bottom = (math.floor(edge + 0.5) for edge in inside.bounds)
    top, left = min(max(top, 0), shape[0] - 1), min(max(left, 0), shape[1] - 1)
    return Window(top, min(max(bottom, top) + 1, shape[0]), left, min(max(right, left) + 1, shape[1]))


class _Tally(NamedTuple):
    """Coverage of a pier's waters in one band."""

    is_complete: bool
    """True if every pixel of the waters has data."""
    levels: Mapping[str, NDArray[np.float64]]
    """Thresholds in sigma0 by polarization."""
    imaged: BaseGeometry
    """Part of the band that has data, in image coordinates."""


def _tally(
    product: RadarImage,
    band: Band,
    ring: CfarParams,
    waters: NDArray[np.bool_],
    shown_by: Collection[str] | None,
) -> _Tally:
    """Missing data and thresholds in a band's part of the waters."""
    data = band.has_data(*band.inner, shown_by)
    rows, columns = band.inner
    share = replace(ring, pfa=ring.pfa / len(band.images))
    levels = {}
    for name, image in band.images.items():
        score = cfar.score(image, share, band.valid, lines=(rows.start, rows.stop))[:, columns]
        row, column = np.nonzero(waters & (score > 0))
        step = max(row.size // SAMPLES, 1)
        row, column = row[::step], column[::step]
        threshold = image[band.inner][row, column].astype(np.float64) ** 2 / score[row, column]
        line, pixel = row + band.core.line_start, column + band.core.pixel_start
        levels[name] = product.sigma0_at(name, line, pixel, threshold, denoise=False)
    return _Tally(not (waters & ~data).any(), levels, _outline(band.core, data))


def _outline(core: Window, data: NDArray[np.bool_]) -> BaseGeometry:
    """Outline of the pixels with data, in image coordinates."""
    if data.all():
        left, top = core.pixel_start - 0.5, core.line_start - 0.5
        return shapely.box(left, top, core.pixel_stop - 0.5, core.line_stop - 0.5)
    corner = Affine.translation(core.pixel_start - 0.5, core.line_start - 0.5)
    found = features.shapes(data.view(np.uint8), mask=data, transform=corner)
    return shapely.union_all([shapely.geometry.shape(part) for part, _ in found])


def _detectable_m(product: RadarImage, parts: Sequence[_Tally], incidence_deg: float) -> float:
    """Length of the shortest vessel over the polarisations, each at its median threshold."""
    lengths = []
    for name in product.polarizations:
        levels = np.concatenate([part.levels.get(name, np.empty(0)) for part in parts])
        if levels.size:
            level = float(np.median(levels))
            lengths.append(shortest_vessel_m(level, incidence_deg, name, product.resolution_m))
    return min(lengths, default=math.nan)


def _imaged(product: RadarImage, area: BaseGeometry, region: BaseGeometry) -> BaseGeometry:
    """Part of an area (longitude, latitude) that lies in a region of the image.

    The region's longitudes are counted on from the area's, so that both may lie across the antimeridian.
    """
    near = area.representative_point().x

    def placed(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        longitude, latitude = product.geometry.to_map(xy[:, 1], xy[:, 0])
        return np.column_stack([near + (longitude - near + 180) % 360 - 180, latitude])

    there = shapely.transform(shapely.segmentize(region, OUTLINE_STEP), placed)
    turns = [affinity.translate(there, turn) for turn in (-360.0, 0.0, 360.0)]
    return shapely.union_all([shapely.intersection(area, turn) for turn in turns])


def _flat_area(area: BaseGeometry) -> float:
    """Area in an equal-area projection of the sphere, in a unit of its own."""
    return float(shapely.transform(area, lambda xy: np.column_stack([xy[:, 0], np.sin(np.radians(xy[:, 1]))])).area)
