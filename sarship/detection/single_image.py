"""From a product to its hits, and to what could have been a hit: bands, masks, both polarizations.

The image is read in bands of lines with a halo as wide as the ring, so memory stays bounded and the hits are
exactly those of the whole image searched at once. The detector works on squared digital numbers with the thermal
noise left in: subtracting noise first breaks the law of the clutter.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
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
from sarship.detection.bands import Area, Band, Mask, bands_of
from sarship.errors import FloodError, ProductError, ProductWarning
from sarship.model import DetectionParams, Hits, Window

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.product import GrdProduct

__all__ = ["coverage", "detect", "shortest_vessel_m"]

MAX_RING: Final = 65_535
"""Most pixels of a ring, 1.3 km of half-width at 10 m: the detector counts them in 16 bits."""
MAX_HITS: Final = 2_000_000
"""More hits than this in one product are a flood: a crowded scene has some hundred thousand."""
SAMPLES: Final = 20_000
"""Thresholds of a pier's waters that are looked at in each band, for their median."""
OUTLINE_STEP: Final = 64
"""Longest straight line, in pixels, of an outline that is carried from the image to the map."""


def detect(
    product: GrdProduct,
    params: DetectionParams | None = None,
    *,
    window: Window | None = None,
    land: BaseGeometry | None = None,
    water: BaseGeometry | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Hits:
    """Find the pixels of a product that are brighter than the sea around them allows.

    Each polarization is searched at its share of `params.pfa`; a pixel hit in several keeps the largest score.
    Guard and training cells are `params.guard_m` and `params.training_m` over the product's spacing on each axis,
    rounded. The ENL and the resolution cell, whose area in pixels is one effective sample, are the product's.

    Parameters
    ----------
    product
        An open product.
    params
        False-alarm probability and ring; the defaults for None.
    window
        Where hits are wanted; the whole image if not given. Rings reach beyond it, so the hits of a window are
        those of the whole image that lie in it.
    land, water
        Longitude and latitude, degrees. A pixel whose centre lies in `land`, or outside `water`, is masked: it is
        never a hit and in no ring. `None` masks nothing.
    progress
        Called after each band with the number of lines done and their total.

    Returns
    -------
    Hits
        In lines and pixels of the whole image, sorted, with `sigma0` (denoised, every polarization at every hit)
        and `is_edge` (one of the eight neighbours lies outside the image, is masked, or has data in no polarization).

    Warns
    -----
    ProductWarning
        When not a pixel there holds data: no hits then does not mean no vessels.

    Raises
    ------
    FloodError
        When there are more hits than vessels can give: usually land that is not masked.
    ProductError
        When the ring has more than 65,535 of the product's pixels, the window reaches outside the image, or a
        polarization cannot be read.
    DeviceError
        With `params.gpu`, when no graphics card can be used.
    """
    core = Window(0, product.shape[0], 0, product.shape[1]) if window is None else window
    params = params or DetectionParams()
    ring = _ring(product, params)
    mask = Mask.of(product, land, water)
    found: list[Hits] = []
    has_data = False
    try:
        for band in bands_of(product, core, ring.outer_shape):
            has_data = has_data or any(image.any() for image in band.images.values())
            found.append(_search(product, band, ring, mask.valid(band.read), params.gpu))
            if sum(map(len, found)) > MAX_HITS:
                raise FloodError(f"more than {MAX_HITS:,} pixels are hits")
            if progress is not None:
                progress(band.core.line_stop - core.line_start, core.shape[0])
    except FloodError as error:
        raise FloodError(f"{product.scene.id}: {error}; {_remedy(mask)}") from error
    if not has_data:
        warnings.warn(f"{product.scene.id} holds no data where it was searched: nothing was seen", ProductWarning, 2)
    return _joined(found, product.polarizations)


def coverage(
    product: GrdProduct,
    waters: Mapping[str, BaseGeometry],
    params: DetectionParams | None = None,
    *,
    land: BaseGeometry | None = None,
    water: BaseGeometry | None = None,
) -> gpd.GeoDataFrame:
    """How much of each pier's waters a product shows, and how short a vessel would have been a hit there.

    `seen` is the part of the waters' area with data in any polarization.
    `detectable_length_m` is `shortest_vessel_m` at the median threshold of the waters, the smallest over the
    polarizations, and not under `params.min_length_m`; it is missing where nothing was seen, and where no pixel had
    enough sea around it to decide.

    Parameters
    ----------
    product, params, land, water
        As for `detect`.
    waters
        Name of a pier → its waters, longitude and latitude in degrees.

    Returns
    -------
    geopandas.GeoDataFrame
        `schema.COVERAGE`, one row a pier in the order given; `seen` is 0 and the geometry empty for those
        outside the image. The geometry of a row is the part of the waters that was imaged.
    """
    params = params or DetectionParams()
    ring = _ring(product, params)
    mask = Mask.of(product, land, water)
    rows = [_look(product, area, ring, mask) for area in waters.values()]
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
    """Length of the shortest vessel whose own brightness reaches a threshold, metres.

    A vessel of length l has a radar cross-section of 0.08 · l^(7/3) · (0.78 + 0.11 · incidence in degrees) m² in VV
    (P. W. Vachon et al., "Ship detection by the RADARSAT SAR", Canadian Journal of Remote Sensing 23, 1997; on 162
    Sentinel-1 vessels of known length it is right to 0.6 dB on average, with 3.6 dB of scatter). HH is taken as VV;
    VH and HV lie 11 dB below. The cross-section is spread evenly over the resolution cells along its length, and
    at least one; its beam is within one cell. The cell then has sigma0 = cross-section / (cells · area of a cell).
    Evenly is the worst case, since the brightest cell, which decides, is never below the average; the sea and noise
    under the vessel, which would help it, are left out. So half of the vessels of this length or more are hits.
    The shortest of those 162 vessels has 36 m: shorter ones follow the law by faith.

    Parameters
    ----------
    sigma0
        Threshold with the noise in, linear.
    incidence_deg
        Angle of incidence.
    polarization
        `VV`, `VH`, `HH` or `HV`.
    resolution_m
        Resolution along azimuth and ground range.

    Examples
    --------
    >>> round(shortest_vessel_m(0.2, 38.0, "VV", (22.0, 20.0)), 1)
    10.1
    """
    cell = resolution_m[0] * resolution_m[1]
    along = math.sqrt(cell)
    loss = 10**-1.1 if polarization in {"VH", "HV"} else 1.0
    law = 0.08 * (0.78 + 0.11 * incidence_deg) * loss
    one_cell = (sigma0 * cell / law) ** (3 / 7)
    return float(one_cell if one_cell <= along else (sigma0 * cell / (law * along)) ** (3 / 4))


def _ring(product: GrdProduct, params: DetectionParams) -> CfarParams:
    """Parameters in pixels, with the looks and the resolution of the product."""
    spacing = (product.line_spacing_m, product.pixel_spacing_m)
    guard = [round(params.guard_m / step) for step in spacing]
    training = [max(round(params.training_m / step), 1) for step in spacing]
    outer = (2 * (inner + band) + 1 for inner, band in zip(guard, training, strict=True))
    n_ring = math.prod(outer) - math.prod(2 * side + 1 for side in guard)
    if n_ring > MAX_RING:
        raise ProductError(
            f"a ring of guard_m={params.guard_m:g} and training_m={params.training_m:g} has {n_ring:,} pixels of "
            f"{product.scene.id}, at most {MAX_RING:,} are allowed: make it narrower"
        )
    return CfarParams(
        pfa=params.pfa,
        guard=(guard[0], guard[1]),
        training=(training[0], training[1]),
        enl=product.enl,
        effective_sample_ratio=min(1.0, math.prod(spacing) / math.prod(product.resolution_m)),
        min_ring=math.ceil(params.min_ring * n_ring),
        max_hits=MAX_HITS,
    )


def _remedy(mask: Mask) -> str:
    """What to do about a flood of hits."""
    if mask.land is None and mask.water is None:
        return "land is not masked: give its polygons, or those of the water, or search a smaller area"
    return "look whether the polygons of land and water fit the image; search a smaller area or take a smaller pfa"


def _search(product: GrdProduct, band: Band, ring: CfarParams, valid: NDArray[np.bool_] | None, gpu: bool) -> Hits:
    """Hits of a band's core, in coordinates of the whole image."""
    if valid is not None and not valid.any():
        return Hits.empty(product.polarizations)
    rows, columns = band.inner
    first, *second = (cfar.to_device(image) if gpu else image for image in band.images.values())
    keep = cfar.to_device(valid) if gpu and valid is not None else valid
    lines = (rows.start, rows.stop)
    if second:
        found = cfar.detect_dual(first, second[0], ring, keep, lines=lines)
    else:
        found = cfar.detect(first, ring, keep, lines=lines)
    inside = (found.pixel >= columns.start) & (found.pixel < columns.stop)
    row, column = found.line[inside], found.pixel[inside]
    line, pixel = row + band.read.line_start, column + band.read.pixel_start
    power = {name: image[row, column].astype(np.float64) ** 2 for name, image in band.images.items()}
    return Hits(
        line=line,
        pixel=pixel,
        value=found.value[inside],
        clutter=found.clutter[inside],
        score=found.score[inside],
        sigma0={name: product.sigma0_at(name, line, pixel, power[name]) for name in power},
        is_edge=_is_edge(band, row, column, valid),
    )


def _is_edge(
    band: Band, row: NDArray[np.int64], column: NDArray[np.int64], valid: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Whether a neighbour of each place of the band lies outside the image, has no data or is masked."""
    n_rows, n_columns = band.read.shape
    edge = np.zeros(row.size, dtype=np.bool_)
    for down, right in itertools.product((-1, 0, 1), repeat=2):
        near_row, near_column = row + down, column + right
        edge |= (near_row < 0) | (near_row >= n_rows) | (near_column < 0) | (near_column >= n_columns)
        near_row, near_column = near_row.clip(0, n_rows - 1), near_column.clip(0, n_columns - 1)
        edge |= ~band.has_data(near_row, near_column)
        if valid is not None:
            edge |= ~valid[near_row, near_column]
    return edge


def _joined(parts: Sequence[Hits], polarizations: Sequence[str]) -> Hits:
    """The hits of consecutive bands as one."""
    return Hits(
        line=np.concatenate([part.line for part in parts]),
        pixel=np.concatenate([part.pixel for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        clutter=np.concatenate([part.clutter for part in parts]),
        score=np.concatenate([part.score for part in parts]),
        sigma0={name: np.concatenate([part.sigma0[name] for part in parts]) for name in polarizations},
        is_edge=np.concatenate([part.is_edge for part in parts if part.is_edge is not None]),
    )


class _Look(NamedTuple):
    """One row of the coverage."""

    seen: float
    length_m: float
    incidence_deg: float
    geometry: BaseGeometry


UNSEEN: Final = _Look(0.0, math.nan, math.nan, shapely.Polygon())


def _look(product: GrdProduct, area: BaseGeometry, ring: CfarParams, mask: Mask) -> _Look:
    """What a product shows of one pier's waters."""
    n_lines, n_pixels = product.shape
    frame = shapely.box(-0.5, -0.5, n_pixels - 0.5, n_lines - 0.5)
    whole = product.geometry.to_image_polygon(area)
    inside = shapely.intersection(whole, frame)
    if not inside.area > 0:
        return UNSEEN
    waters = Area.of(inside, n_pixels)
    window = _around(inside, product.shape)
    touched = not waters.covers(window).any()
    parts = [
        _tally(product, band, ring, mask, waters.covers(band.core, touched))
        for band in bands_of(product, window, ring.outer_shape)
    ]
    imaged = area
    if not (frame.covers(whole) and all(part.is_complete for part in parts)):
        imaged = _imaged(product, area, shapely.union_all([part.imaged for part in parts]))
    seen = min(_flat_area(imaged) / _flat_area(area), 1.0)
    if not seen > 0:
        return UNSEEN
    point = inside.representative_point()
    incidence = float(product.geometry.incidence_deg(point.y, point.x))
    return _Look(seen, _detectable_m(product, parts, incidence), incidence, imaged)


def _around(inside: BaseGeometry, shape: tuple[int, int]) -> Window:
    """The smallest window of the image whose pixels the area touches."""
    left, top, right, bottom = (math.floor(edge + 0.5) for edge in inside.bounds)
    top, left = min(max(top, 0), shape[0] - 1), min(max(left, 0), shape[1] - 1)
    return Window(top, min(max(bottom, top) + 1, shape[0]), left, min(max(right, left) + 1, shape[1]))


class _Tally(NamedTuple):
    """What one band shows of a pier's waters."""

    is_complete: bool
    """Whether every pixel of the waters has data."""
    levels: Mapping[str, NDArray[np.float64]]
    """Thresholds in sigma0 by polarization."""
    imaged: BaseGeometry
    """Where the band has data, in image coordinates."""


def _tally(product: GrdProduct, band: Band, ring: CfarParams, mask: Mask, waters: NDArray[np.bool_]) -> _Tally:
    """Look for missing data in a band's part of the waters, and take thresholds there."""
    data = band.has_data(*band.inner)
    rows, columns = band.inner
    valid = mask.valid(band.read)
    share = replace(ring, pfa=ring.pfa / len(band.images))
    levels = {}
    for name, image in band.images.items():
        score = cfar.score(image, share, valid, lines=(rows.start, rows.stop))[:, columns]
        row, column = np.nonzero(waters & (score > 0))
        step = max(row.size // SAMPLES, 1)
        row, column = row[::step], column[::step]
        threshold = image[band.inner][row, column].astype(np.float64) ** 2 / score[row, column]
        line, pixel = row + band.core.line_start, column + band.core.pixel_start
        levels[name] = product.sigma0_at(name, line, pixel, threshold, denoise=False)
    return _Tally(not (waters & ~data).any(), levels, _outline(band.core, data))


def _outline(core: Window, data: NDArray[np.bool_]) -> BaseGeometry:
    """The pixels with data as an area in image coordinates."""
    if data.all():
        left, top = core.pixel_start - 0.5, core.line_start - 0.5
        return shapely.box(left, top, core.pixel_stop - 0.5, core.line_stop - 0.5)
    corner = Affine.translation(core.pixel_start - 0.5, core.line_start - 0.5)
    found = features.shapes(data.view(np.uint8), mask=data, transform=corner)
    return shapely.union_all([shapely.geometry.shape(part) for part, _ in found])


def _detectable_m(product: GrdProduct, parts: Sequence[_Tally], incidence_deg: float) -> float:
    """The shortest vessel over the polarizations, each at its median threshold."""
    lengths = []
    for name in product.polarizations:
        levels = np.concatenate([part.levels[name] for part in parts])
        if levels.size:
            level = float(np.median(levels))
            lengths.append(shortest_vessel_m(level, incidence_deg, name, product.resolution_m))
    return min(lengths, default=math.nan)


def _imaged(product: GrdProduct, area: BaseGeometry, region: BaseGeometry) -> BaseGeometry:
    """The part of an area (longitude, latitude) that lies in a region of the image.

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
