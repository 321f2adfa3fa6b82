"""Hits at a port on one date, seen against the empty port of its orbit.

Two questions are put to every cell on the water's side, in each polarisation:

1. **Ratio.** Brightness over what the empty port would show that day. In the ratio image the quay has gone, so a ring
   of it holds the day's wind and nothing else, and what exceeds the ring's mean by more than the cell's own
   unsteadiness explains is a hit. A cell whose ln power spreads by s from date to date is given the looks whose
   speckle spreads as much, ψ′(looks) = s², and with them the threshold of the gamma law: so open water gets the
   ring's own threshold, a steady quay a lower one, and where things move a higher one.
2. **Ring.** The same brightness over the ring of the image itself, as without a reference. It alone decides in open
   water, where vessels anchor in the same places from date to date and would be taken for the reference, and of a ship
   that lies at a pier on every date and is in the reference.

A ring with vessels in it is too bright, so what was hit is replaced by the ring's mean and the ring taken again.
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
from sarship.change.reference import QUAY_M, level_on, of_orbit, open_water, sea_of, shift_of
from sarship.detection.params import DetectionParams
from sarship.detection.sidelobes import stands_out
from sarship.model import Hits
from sarship.port.grid import PortGrid, PortImage

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.sentinel1.product import GrdProduct

__all__ = ["PortMasks", "detect_change", "port_masks"]

Power = NDArray[np.float32]
Mask = NDArray[np.bool_]

NEAR_M: Final = 150.0
"""Water this near to land, a pier or something bright that stands there is decided by the ratio."""
NEAR_CELLS: Final = 5
"""Cells around something bright that stands in the water where the ratio decides."""
BRIGHT: Final = 4.0
"""Level over that of the open water from which on something stands there."""
N_ROUNDS: Final = 3
"""Times that the ring is taken, what was hit replaced in between."""
GROW: Final = 2
"""Cells around a hit that are taken out of the rings with it: what the impulse response spreads."""
MIN_RING: Final = 16
"""Cells of water that a ring needs: basins are narrow."""
CEILING: Final = 16.0
UNKNOWN: Final = 3.0
"""Variances of a date, over the number of dates, that a cell is allowed for: one is what its level is uncertain by, the
others make up for that level and spread are estimates, whose errors count for more in the tail of the law."""
STILL_THERE: Final = 0.3
"""Part of its level, 5 dB down, that a ship which stands there every date has at least: its speckle, and no more."""
SPREADS: Final = np.geomspace(0.15, 2.5, 48)


class PortMasks(NamedTuple):
    """Which question is put to which cell."""

    water: Mask
    """Water's side: where hits may lie, and what rings are made of."""
    near: Mask
    """The part of it near land and piers."""
    open_water: Mask
    """What the sea's level is measured on."""
    steady: Mask
    """Land and piers: what dates are laid on each other by."""


def port_masks(
    grid: PortGrid,
    *,
    piers: BaseGeometry,
    land: BaseGeometry | None = None,
    exclude: BaseGeometry | None = None,
    water: BaseGeometry | None = None,
) -> PortMasks:
    """Masks of a port on its grid, from longitude-latitude geometry.

    Land counts as such from 15 m inside its outline on; what is excluded, and all outside the water, as it was drawn.
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
    product: GrdProduct,
    reference: xr.Dataset,
    masks: PortMasks,
    params: DetectionParams = DetectionParams(),  # noqa: B008  (frozen)
) -> tuple[Hits, PortImage]:
    """Find what is brighter than the empty port and the sea of that day allow.

    Parameters
    ----------
    image
        The scene on the port's grid, from `to_port_grid`.
    product
        The product that it was made from, for the noise and the geometry.
    reference
        From `fit_reference`; with the scene's orbit. The scene may be among its dates: a vessel's date is seldom in the
        lowest group. With few dates it matters (with four, a fifth of the hits differ).
    masks
        From `port_masks` with the image's grid.
    params
        `pfa` holds for a cell of open water, `pier_pfa` for one near piers; both are shared between the polarisations.
        `clutter_model`, `clutter_shape` and `iterations` apply in open water, `average` to both rings.

    Returns
    -------
    hits, seen
        Hits whose lines and pixels are rows and columns of the grid, `value` sigma0 with the noise in, `clutter` what
        was expected there that day, and `evidence` `"ring"`, `"reference"` or `"both"`; the image to measure them on.

    Raises
    ------
    DeviceError
        With `params.gpu`, when no graphics card can be used.
    ReferenceImageError
        When the reference is of another port or has not this orbit, or the scene cannot be laid on it.
    """
    one = of_orbit(reference, image)
    names = [str(name) for name in image["polarization"].to_numpy()]
    power = image.to_numpy()
    if not np.isfinite(power).any():
        return Hits.empty(tuple(names)), PortImage(
            scene=product.scene, grid=PortGrid.of(image), source=product.geometry
        )
    shift = shift_of(image, one, masks.steady)
    if shift != (0.0, 0.0):
        power = correct_shift(power, shift)

    def searched(k: int) -> _Searched:
        return _search(power[k], one.sel(polarization=names[k]), masks, params, len(names))

    with ThreadPoolExecutor(1 if params.gpu else len(names)) as pool:  # one card is one queue
        parts = dict(zip(names, pool.map(searched, range(len(names))), strict=True))
    seen = PortImage(scene=product.scene, grid=PortGrid.of(image), source=product.geometry, shift=shift)
    return _hits(parts, power, product, seen, params.link_m), seen


class _Searched(NamedTuple):
    """What one polarisation says of every cell."""

    ratio: Power
    """Brightness over the threshold of the ratio; NaN where there is none."""
    ring: Power
    """Brightness over the threshold of the image's own ring; NaN where there is none."""
    expected: Power
    """What the empty port would show that day."""
    is_near: Mask
    """Where the ratio decides."""


def _search(power: Power, reference: xr.Dataset, masks: PortMasks, params: DetectionParams, n_shared: int) -> _Searched:
    """Put both questions to one polarisation."""
    level, sea = reference["level"].to_numpy(), float(reference["sea"])
    today = sea_of(power, masks.open_water, sea)
    expected = level_on(level, sea, today)
    near = masks.near | (masks.water & spread_out(level > BRIGHT * sea, NEAR_CELLS))
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
    # what stands there on every date is in the level itself: it is there today if it is about as bright
    is_permanent = reference["is_permanent"].to_numpy() & masks.water & (power > STILL_THERE * expected)
    score = np.where(is_permanent, np.nan, score)
    plain = np.where(is_permanent, power / (STILL_THERE * expected), plain).astype(np.float32)
    expected = np.where(is_permanent, np.float32(today), expected)
    return _Searched(score, plain, expected, near & ~is_permanent)


def _cleaned(image: Power, water: Mask, params: CfarParams, gpu: bool) -> tuple[Power, Power]:
    """Score against a ring without what was hit, and that ring's mean."""
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

    A cell adds no more to a ring than `CEILING` times the median. The detector's sums are exact to the last bit of the
    brightest cell, which costs much where cells differ ten-thousandfold; and one bright hull is kept from a whole ring.
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
    """Threshold factor of the gamma law for each of `SPREADS`."""
    log_enl = np.linspace(-6, 8, 2_001)  # over these ψ′ falls from 10^5 to 3·10^-4
    enl = np.interp(-(SPREADS**2), -special.polygamma(1, np.exp(log_enl)), np.exp(log_enl))
    return threshold_factor("gamma", pfa, enl=enl, count=1e4)


def _hits(parts: dict[str, _Searched], power: Power, product: GrdProduct, seen: PortImage, link_m: float) -> Hits:
    """Both polarisations as one: the larger score decides. Groups that are sidelobes are left out."""
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
        (rows * product.line_spacing_m, columns * product.pixel_spacing_m),
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
    """Whether each of some cells and all of its eight neighbours have data."""
    framed = np.pad(seen, 1)
    around = [framed[line + down, pixel + right] for down in range(3) for right in range(3)]
    return np.asarray(np.all(around, axis=0))


def _denoised(
    product: GrdProduct, name: str, line: NDArray[np.float64], pixel: NDArray[np.float64], power: Power
) -> NDArray[np.float64]:
    """Sigma0 without the thermal noise."""
    gain = product.calibration(name).gain_at("sigma0", line, pixel)
    return product.sigma0_at(name, line, pixel, power * gain**2)
