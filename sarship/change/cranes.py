"""Cranes among the short vessels at a pier.

A crane that moved, or lowered its boom over the water, is as bright as a small vessel and as long. Two things tell:

- **It stands ashore.** A high target is imaged nearer to the satellite than it stands, by its height over the tangent
  of the angle of incidence, at the same azimuth (layover). So behind a crane's hits, on land at their azimuth and up to
  that much farther in range, its legs are new as well: brighter than the empty port, and not as dim beside the
  brightest hit around as sidelobes and late echoes of a vessel are.
- **It is not alongside.** No boat is moored farther off the edge than half a small boat's beam, its layover and the
  error of its place reach, with no vessel between it and the edge: it is a boom, or a vessel that passes by.

Such a row gets the flag `crane`. It counts as 0, and as 1 in `n_high`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from sarship.change.coregistration import correct_shift
from sarship.change.detection import PortMasks
from sarship.change.reference import expected_on, of_orbit
from sarship.model import Hits
from sarship.port.grid import PortImage
from sarship.vessels.assign import vessel_axes

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["flag_cranes"]

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_LENGTH_M: Final = 40.0
"""Maximum length of a crane: 25 m of gantry and boom, and a resolution cell."""
HEIGHT_M: Final = 45.0
"""Height of a gantry's house and boom over the quay, which give its layover: ship-to-shore cranes lift to 30 m over the
rail for small ships and to 50 m for the largest."""
BESIDE_M: Final = 20.0
"""Maximum distance along azimuth of the legs from the middle of the row: half a gantry's width, and half a cell."""
CHANGED: Final = 3.0
"""Deviations of ln power above the empty port from which on a cell on land is new; of speckle one in 10,000."""
NOT_DIM: Final = 0.1
"""Minimum power of new structure ashore over the brightest hit around: sidelobes and late echoes have less."""
AROUND_M: Final = (40.0, 100.0)
"""Distances along azimuth and range of the hits around."""
ALONGSIDE_M: Final = 20.0
"""Maximum distance from the edge of the axis of a boat of 40 m alongside: 5 m of half a beam, 2 m of fenders, 6 m of
layover of its superstructure, and 7 m of error."""
BETWEEN_M: Final = 20.0
"""Distance along the edge, beside half the length, within which another vessel counts as lying inboard."""


def flag_cranes(
    vessels: gpd.GeoDataFrame,
    hits: Hits,
    seen: PortImage,
    *,
    image: xr.DataArray,
    reference: xr.Dataset,
    masks: PortMasks,
    piers: gpd.GeoDataFrame,
    land: BaseGeometry | None,
) -> gpd.GeoDataFrame:
    """Return the vessels with the flag `crane` on short rows at piers that stand ashore or are not alongside.

    Parameters
    ----------
    vessels
        Vessels of one scene, after `assign_piers`; `line` and `pixel` are the product's.
    hits, seen
        Hits and image from `detect_change`.
    image, reference, masks
        Its arguments.
    piers
        `Port.piers`; rows in anchorages are not looked at.
    land
        Longitude and latitude, degrees: quays that boats lie alongside. None leaves the second criterion out, as a pier
        may be drawn along its middle.

    Returns
    -------
    GeoDataFrame
        Vessels with the flag `crane`, `n_low` 0 and `confidence` at most one half where a row is one.
    """
    berthed = vessels["pier"].isin(piers["name"][piers["kind"] == "pier"])
    short = berthed & (vessels["length_m"] < MAX_LENGTH_M) & (vessels["flag"] == "")
    rows = np.flatnonzero(short.to_numpy())
    if not rows.size or not len(hits):
        return vessels
    is_crane = _stand_ashore(vessels.iloc[rows], hits, seen, _change(image, reference, masks, seen.shift))
    if land is not None:
        is_crane |= _lie_off(vessels, seen, land)[rows]
    marked = np.zeros(len(vessels), np.bool_)
    marked[rows[is_crane]] = True
    return vessels.assign(
        flag=vessels["flag"].mask(marked, "crane"),
        n_low=vessels["n_low"].mask(marked, 0),
        confidence=vessels["confidence"].mask(marked, np.minimum(vessels["confidence"], 0.5)),
    )


def _change(
    image: xr.DataArray, reference: xr.Dataset, masks: PortMasks, shift: tuple[float, float]
) -> NDArray[np.float32]:
    """Power less that of the empty port, where a cell is new ashore; 0 elsewhere, (y, x), first polarisation."""
    one = of_orbit(reference, image).isel(polarization=0)
    power = correct_shift(image.to_numpy()[0], shift)
    expected, _ = expected_on(one, power, masks.open_water)
    ashore = masks.steady & ~masks.water
    with np.errstate(divide="ignore", invalid="ignore"):
        is_new = ashore & (power > expected * np.exp(CHANGED * one["spread"].to_numpy()))
    return np.where(is_new, power - expected, np.float32(0)).astype(np.float32)


def _stand_ashore(vessels: gpd.GeoDataFrame, hits: Hits, seen: PortImage, change: NDArray[np.float32]) -> Mask:
    """True for each vessel whose legs are new ashore."""
    row, column = np.nonzero(change)
    azimuth, reach = _metres(seen, *seen.to_product(row, column))
    own = _metres(seen, vessels["line"].to_numpy(float), vessels["pixel"].to_numpy(float))
    behind = reach - own[1][:, None]
    layover = HEIGHT_M / math.tan(math.radians(seen.incidence_deg))
    legs = (np.abs(azimuth - own[0][:, None]) < BESIDE_M) & (behind > 0) & (behind < layover)
    some = np.flatnonzero(legs.any(axis=0))
    around = _metres(seen, *seen.to_product(hits.line, hits.pixel))
    near = np.abs(azimuth[some, None] - around[0]) < AROUND_M[0]
    near &= np.abs(reach[some, None] - around[1]) < AROUND_M[1]
    brightest = np.where(near, hits.value, 0.0).max(axis=1, initial=0.0)
    return np.asarray((legs[:, some] & (change[row, column][some] > NOT_DIM * brightest)).any(axis=1))


def _metres(seen: PortImage, line: Reals, pixel: Reals) -> tuple[Reals, Reals]:
    """Lines and pixels of the product along azimuth and ground range."""
    return line * seen.source.line_spacing_m, pixel * seen.source.pixel_spacing_m


def _lie_off(vessels: gpd.GeoDataFrame, seen: PortImage, land: BaseGeometry) -> Mask:
    """True for each vessel farther off the land than a boat alongside, with none in between."""
    grid = seen.grid
    shore = grid.place(land)
    axes = shapely.MultiLineString(list(np.stack(vessel_axes(vessels), axis=-1)))
    placed = shapely.get_parts(grid.place(axes))
    off = np.asarray(shapely.distance(shore, placed)) * grid.spacing_m
    middle = shapely.get_coordinates(shapely.centroid(placed))
    apart = np.hypot(*(middle[:, None] - middle).transpose(2, 0, 1)) * grid.spacing_m
    inboard = (apart < vessels["length_m"].to_numpy(float) / 2 + BETWEEN_M) & (off < off[:, None] - seen.line_spacing_m)
    return np.asarray((off > ALONGSIDE_M) & ~inboard.any(axis=1))
