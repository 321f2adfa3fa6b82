"""Hits at a port on one date, by change detection against the reference of its relative orbit.

Every cell on the water's side has two scores, in each polarisation:

1. **Ratio.** Power over what the empty port would show that day. The quay cancels, so a ring of the ratio image holds
   the day's wind and nothing else, and a cell is a hit that exceeds the ring's level by more than its own spread
   explains. A cell whose ln power spreads by s from date to date is given the ENL whose speckle spreads as much,
   ψ′(ENL) = s², and with it the threshold of the gamma clutter model: so open water gets the ring's own threshold, a
   steady quay a lower one, and a place where things move a higher one.
2. **Ring.** The same power over the ring of the image itself, as without a reference. It alone decides in open water,
   where vessels anchor in the same places from date to date and would be taken for the empty port, and of permanent
   targets, which are in the reference.

A ring with vessels in it is too bright, so hits are replaced by the ring's level and the ring is taken again.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from sarship import cfar
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import threshold_factor
from sarship.change.array_ops import median_of, spread_out
from sarship.change.coregistration import correct_shift
from sarship.change.reference import BRIGHT, QUAY_M, expected_on, of_orbit, open_water, shift_of
from sarship.detection.params import DetectionParams
from sarship.detection.sidelobes import stands_out
from sarship.model import Hits
from sarship.port.grid import PortGrid, PortImage

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["PortMasks", "detect_change", "port_masks"]

Power = NDArray[np.float32]
Mask = NDArray[np.bool_]

NEAR_M: Final = 150.0
"""Distance from land and piers within which the ratio decides."""
NEAR_CELLS: Final = 5
"""Distance, in cells, from a bright target of the reference within which the ratio decides."""
N_ROUNDS: Final = 3
"""Times that the ring is taken, with hits replaced in between."""
GROW: Final = 2
"""Cells around a hit that are replaced with it: the impulse response spreads as far."""
MIN_RING: Final = 16
"""Minimum number of cells of water in a ring; small, as basins are narrow."""
CEILING: Final = 16.0
"""Maximum power of a cell in a ring, over the median."""
UNKNOWN: Final = 3.0
"""Variances of a date, over the number of dates, that are added to a cell's: one is the variance of its level, the
others stand for the errors of level and spread, which count for more in the tail of the distribution."""
STILL_THERE: Final = 0.3
"""Minimum power of a permanent target over its level, 5 dB down: its speckle explains as much, and no more."""
SPREADS: Final = np.geomspace(0.15, 2.5, 48)
"""Spreads of ln power that threshold factors are solved at, and interpolated between."""


class PortMasks(NamedTuple):
    """Masks of a port's cells, each (y, x), from `port_masks`.

    Examples
    --------
    >>> PortMasks(*np.eye(4, dtype=bool)).water.tolist()
    [True, False, False, False]
    """

    water: Mask
    """Water's side: cells of hits and of rings."""
    near: Mask
    """Water near land and piers, where the ratio decides."""
    open_water: Mask
    """Water off land and piers, which the sea level is measured on."""
    steady: Mask
    """Land and piers, which dates are coregistered on."""


def port_masks(
    grid: PortGrid,
    *,
    piers: BaseGeometry,
    land: BaseGeometry | None = None,
    exclude: BaseGeometry | None = None,
    water: BaseGeometry | None = None,
) -> PortMasks:
    """Return the masks of a port on its grid.

    Land begins 15 m inside its outline; `exclude` and `water` are taken as they are.

    Parameters
    ----------
    grid
        Grid of the port.
    piers, land, exclude, water
        Longitude and latitude, degrees. Hits lie outside `land` and `exclude` and inside `water`; None masks nothing.

    Returns
    -------
    PortMasks

    Examples
    --------
    >>> import shapely
    >>> grid = PortGrid.around(shapely.box(35.80, 34.88, 35.82, 34.90), 0)
    >>> land = shapely.box(35.80, 34.88, 35.81, 34.90)
    >>> masks = port_masks(grid, piers=shapely.LineString([(35.81, 34.88), (35.81, 34.90)]), land=land)
    >>> [round(float(mask.mean()), 1) for mask in masks]
    [0.6, 0.1, 0.5, 0.5]
    """
    nowhere = np.zeros(grid.shape, np.bool_)
    ground = nowhere if land is None else grid.covers(land, -QUAY_M)
    out = ground if exclude is None else ground | grid.covers(exclude)
    if water is not None:
        out = out | ~grid.covers(water)
    shore = grid.covers(piers, NEAR_M) | (nowhere if land is None else grid.covers(land, NEAR_M))
    far, steady = open_water(grid, land, piers)
    return PortMasks(water=~out, near=~out & shore, open_water=~out & far, steady=steady)


def detect_change(
    image: xr.DataArray,
    product: RadarImage,
    reference: xr.Dataset,
    masks: PortMasks,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
) -> tuple[Hits, PortImage]:
    """Find the cells of a scene that are brighter than the empty port and the sea of that day allow.

    Parameters
    ----------
    image
        Scene on the port's grid, from `to_port_grid`.
    product
        Product that the image was made from, for the noise and the geometry.
    reference
        Reference from `fit_reference` with the scene's orbit. The scene may be among its dates: a vessel's date is
        seldom in the lowest group. With few dates it matters (with four, a fifth of the hits differ).
    masks
        Masks from `port_masks` on the image's grid.
    params
        Parameters of the search; lengths are over the grid's spacing, ENL and effective samples the reference's.
        `pfa` holds for a cell of open water, `pier_pfa` for one near piers; both are shared between the polarisations.
        `clutter_model`, `clutter_shape` and `iterations` apply in open water, `average` to both rings.

    Returns
    -------
    hits
        Hits whose lines and pixels are rows and columns of the grid: `value` is sigma0 with the noise in, `clutter` the
        level that was expected there that day, and `evidence` `"ring"`, `"reference"` or `"both"`.
    seen
        Image that vessels are measured on, for `find_vessels`.

    Raises
    ------
    DeviceError
        `params.gpu` is set and no graphics card can be used.
    ReferenceImageError
        The reference is of another port or has not this orbit, or the scene cannot be coregistered with it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import shapely
    >>> from sarship import fit_reference, open_grd, to_port_grid
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     sea = ProductParams(shape=(60, 80), polarizations=("VV",))
    ...     product = open_grd(simulate_product(folder, sea, n_vessels=0)[0])
    ...     grid = PortGrid.around(product.geometry.footprint(), 0)
    ...     image = to_port_grid(product, grid)
    ...     stack = image.expand_dims(time=[image["time"].item()] * 4).to_dataset(name="sigma0")
    ...     stack = stack.assign_coords(
    ...         scene=("time", list("abcd")), relative_orbit=("time", [image["relative_orbit"].item()] * 4)
    ...     )
    ...     reference = fit_reference(stack.assign_attrs(grid.attrs))
    ...     masks = port_masks(grid, piers=shapely.Point(grid.to_map(10, 10)))
    ...     image[0, 30:34, 40:44] += 5  # a vessel of 40 m
    ...     hits, seen = detect_change(image, product, reference, masks)
    >>> len(hits), set(hits.evidence.tolist())
    (16, {'both'})
    """
    one = of_orbit(reference, image)
    names = [str(name) for name in image["polarization"].to_numpy()]
    is_imaged = bool(np.isfinite(image).any())
    shift = shift_of(image, one, masks.steady) if is_imaged else (0.0, 0.0)
    seen = PortImage.of(product, PortGrid.of(image), shift)
    if not is_imaged:
        return Hits.empty(tuple(names)), seen
    power = correct_shift(image.to_numpy(), shift)

    def searched(k: int) -> _Searched:
        return _search(power[k], one.sel(polarization=names[k]), masks, params, len(names))

    with ThreadPoolExecutor(1 if params.gpu else len(names)) as pool:  # one card is one queue
        parts = dict(zip(names, pool.map(searched, range(len(names))), strict=True))
    return _hits(parts, power, product, seen, params.link_m), seen


class _Searched(NamedTuple):
    """Scores of every cell in one polarisation."""

    ratio: Power
    """Power over the threshold of the ratio; NaN where there is none."""
    ring: Power
    """Power over the threshold of the image's own ring; NaN where there is none."""
    expected: Power
    """Level that the empty port would show that day."""
    is_near: Mask
    """True where the ratio decides."""


def _search(power: Power, reference: xr.Dataset, masks: PortMasks, params: DetectionParams, n_shared: int) -> _Searched:
    """Both scores in one polarisation."""
    expected, today = expected_on(reference, power, masks.open_water)
    is_bright = reference["level"].to_numpy() > BRIGHT * float(reference["sea"])
    near = masks.near | (masks.water & spread_out(is_bright, NEAR_CELLS))
    open_water = masks.water & ~near
    spacing = PortGrid.of(reference).spacing_m
    ring = params.for_image(
        (spacing, spacing),
        enl=float(reference["enl"]),
        effective_sample_ratio=float(reference["effective_sample_ratio"]),
    )
    ring = replace(ring, pfa=params.pfa / n_shared, min_ring=min(MIN_RING, ring.ring_size))
    # the spread of each cell over the dates stands for the clutter model, and the rounds for iterations
    pier_ring = replace(ring, pfa=params.pier_pfa / n_shared, clutter_model="gamma", clutter_shape=None, iterations=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.isfinite(expected) & (expected > 0), power / expected, np.nan).astype(np.float32)
    score, level_today = _cleaned(ratio, masks.water, pier_ring, params.gpu)
    unsteady = reference["spread"].to_numpy() * np.sqrt(1 + UNKNOWN / np.maximum(reference["n_empty"].to_numpy(), 1))
    score = score * _relief(pier_ring, unsteady)
    plain = power / _threshold(power, open_water, ring, params.gpu)
    expected = np.asarray(expected * level_today, np.float32)
    # a permanent target is in the level itself: it is there today if it is about as bright
    is_permanent = reference["is_permanent"].to_numpy() & masks.water & (power > STILL_THERE * expected)
    score = np.where(is_permanent, np.nan, score)
    plain = np.where(is_permanent, power / (STILL_THERE * expected), plain).astype(np.float32)
    expected = np.where(is_permanent, np.float32(today), expected)
    return _Searched(score, plain, expected, near & ~is_permanent)


def _cleaned(image: Power, water: Mask, params: CfarParams, gpu: bool) -> tuple[Power, Power]:
    """Score against a ring without hits, and that ring's level."""
    factor = float(
        threshold_factor(
            "gamma",
            params.pfa,
            enl=params.enl,
            count=params.ring_size,
            effective_sample_ratio=params.effective_sample_ratio,
        )
    )
    filled, mean = image, np.ones_like(image)
    for _ in range(N_ROUNDS):
        threshold = _threshold(filled, water, params, gpu)
        mean = np.where(np.isfinite(threshold), threshold / np.float32(factor), mean)
        hit = spread_out(image > threshold, GROW)
        filled = np.where(hit & np.isfinite(image), mean, image)
    return image / threshold, mean


def _threshold(image: Power, water: Mask, params: CfarParams, gpu: bool) -> Power:
    """Threshold of every cell of the water; NaN where there is none.

    A cell adds no more to a ring than `CEILING` times the median, so that one bright vessel does not hide others. The
    detector's sums are exact to the last bit of the brightest cell, which is slow where cells differ ten-thousandfold.
    """
    seen = image[water & (image > 0)]
    if not seen.size:
        return np.full_like(image, np.nan)
    dimmed = np.minimum(image, CEILING * median_of(seen))
    if gpu:
        scores = cfar.to_host(cfar.score(cfar.to_device(dimmed), params, cfar.to_device(water)))
    else:
        scores = cfar.score(dimmed, params, water)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(dimmed / scores, np.float32)


def _relief(params: CfarParams, spread: Power) -> Power:
    """Threshold of open water over that of cells with another spread of ln power."""
    factors = _factors(params.pfa)
    own = np.interp(spread, SPREADS, factors)
    sea = np.interp(math.sqrt(float(special.polygamma(1, params.enl))), SPREADS, factors)
    return np.asarray(sea / own, np.float32)


@lru_cache(maxsize=8)
def _factors(pfa: float) -> NDArray[np.float64]:
    """Threshold factor of the gamma clutter model for each of `SPREADS`."""
    log_enl = np.linspace(-6, 8, 2_001)  # over these ψ′ falls from 10^5 to 3·10^-4
    enl = np.interp(-(SPREADS**2), -special.polygamma(1, np.exp(log_enl)), np.exp(log_enl))
    return threshold_factor("gamma", pfa, enl=enl, count=1e4)


def _hits(parts: dict[str, _Searched], power: Power, product: RadarImage, seen: PortImage, link_m: float) -> Hits:
    """Hits of all polarisations: the larger score decides. Groups that are sidelobes are left out."""
    is_hit = [np.where(part.is_near, part.ratio, part.ring) > 1 for part in parts.values()]
    line, pixel = np.nonzero(np.logical_or.reduce(is_hit))
    by_ratio = np.nan_to_num([part.ratio[line, pixel] for part in parts.values()])
    by_ring = np.nan_to_num([part.ring[line, pixel] for part in parts.values()])
    scores = np.where([part.is_near[line, pixel] for part in parts.values()], by_ratio, by_ring)
    rows, columns = seen.to_product(line, pixel)
    kept = stands_out(
        power[:, line, pixel].astype(np.float64),
        scores.astype(np.float64),
        (line, pixel),
        seen.source.track_m(rows, columns),
        spacing_m=seen.line_spacing_m,
        link_m=link_m,
        resolution_m=product.resolution_m,
    )
    line, pixel, rows, columns, scores = line[kept], pixel[kept], rows[kept], columns[kept], scores[:, kept]
    best = scores.argmax(axis=0), np.arange(line.size)
    is_ratio, is_ring = ((each[:, kept] > 1).any(axis=0) for each in (by_ratio, by_ring))
    return Hits(
        line=line,
        pixel=pixel,
        value=power[best[0], line, pixel].astype(np.float64),
        clutter=np.stack([part.expected[line, pixel] for part in parts.values()])[best].astype(np.float64),
        score=scores[best].astype(np.float32),
        sigma0={name: _denoised(product, name, rows, columns, power[k, line, pixel]) for k, name in enumerate(parts)},
        is_edge=~_within(np.asarray(np.isfinite(power).any(axis=0)), line, pixel),
        evidence=np.where(is_ratio & is_ring, "both", np.where(is_ratio, "reference", "ring")),
    )


def _within(seen: Mask, line: NDArray[np.int64], pixel: NDArray[np.int64]) -> Mask:
    """True for each place whose cell and eight neighbours all have data."""
    framed = np.pad(seen, 1)
    around = [framed[line + down, pixel + right] for down in range(3) for right in range(3)]
    return np.asarray(np.all(around, axis=0))


def _denoised(
    product: RadarImage, name: str, line: NDArray[np.float64], pixel: NDArray[np.float64], power: Power
) -> NDArray[np.float64]:
    """Sigma0 without the thermal noise."""
    gain = product.calibration(name).gain_at("sigma0", line, pixel)
    return product.sigma0_at(name, line, pixel, power * gain**2)
