"""Rows of the vessels that the network found at piers, with their piers, their chances and what CFAR says of them."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import spatial

from sarship.geo.local_plane import Plane
from sarship.model import Hits
from sarship.schema import VESSELS
from sarship.vessels.assign import assign_piers
from sarship.vessels.at_piers import PierVessels, count_of
from sarship.vessels.boxes import offsets
from sarship.vessels.find import SearchedImage, sum_up, vessel_table

__all__ = ["replace_at_piers", "table_at_piers"]

Reals = NDArray[np.float64]

HULL_MARGIN_M: Final = 10.0
"""Distance from a hull within which a hit is its own: half a resolution cell."""
LENGTH_ERROR: Final = (9.0, 0.08)
WIDTH_ERROR: Final = (1.2, 0.08)
"""One sigma of a size, metres and share of it, on ports that the network did not learn from."""
HEADING_ERROR: Final = (2.0, 400.0)
"""One sigma of a heading: degrees, and degrees times metres of length."""
SAME_M: Final = 40.0
SAME_SHARE: Final = 0.35
"""A vessel that CFAR found is one of these if its middle is within metres, or a share of its length, of theirs."""


def table_at_piers(found: PierVessels, hits: Hits, image: SearchedImage, piers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the rows of a scene's vessels at piers.

    Parameters
    ----------
    found
        From `find_at_piers`, in columns and rows of the image.
    hits
        Hits of the same scene; lines and pixels are rows and columns of the image.
    image
        The port's grid: spacing, scene and geometry are used.
    piers
        `Port.piers`.

    Returns
    -------
    GeoDataFrame
        Table after `schema.VESSELS`, in order of line and pixel, of the vessels that `assign_piers` puts at a pier.
        `confidence` is the chance of each. Of a pier's rows, by falling chance, as many are counted (`n_vessels` 1) as
        the sum of the chances says, as many have `n_low` 1 as are there with a chance of nine in ten, and those beyond
        the number that is not exceeded with a chance of nine in ten are left out. `evidence` is `network` where no hit
        of CFAR lies in the hull; `score` and brightness are then missing.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> none = PierVessels(*[np.empty(0)] * 7)
    >>> len(table_at_piers(none, Hits.empty(), SimpleNamespace(), gpd.GeoDataFrame({"name": []}, geometry=[])))
    0
    """
    if not found.chance.size:
        return VESSELS.empty()
    found = found.take(np.lexsort((found.column, found.row)))
    table = vessel_table(
        image,
        (found.row, found.column, _from_lines(found.angle)),
        {
            "length_m": found.length_m,
            "length_error_m": LENGTH_ERROR[0] + LENGTH_ERROR[1] * found.length_m,
            "width_m": found.width_m,
            "width_error_m": WIDTH_ERROR[0] + WIDTH_ERROR[1] * found.width_m,
            "heading_error_deg": HEADING_ERROR[0] + HEADING_ERROR[1] / found.length_m,
            "n_vessels": [0] * found.chance.size,
            "n_low": [0] * found.chance.size,
            "n_high": [1] * found.chance.size,
            "confidence": found.chance,
            **_evidence(found, hits, image),
        },
    )
    table = assign_piers(table, piers)
    at_pier = piers["name"][piers["kind"] == "pier"]
    return _bounded(table[table["pier"].isin(at_pier)])


def _bounded(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give each pier's rows its count and the bounds of it, and leave out those beyond."""
    number, low, kept = (np.zeros(len(table), np.int64) for _ in range(3))
    chance, pier = table["confidence"].to_numpy(float), table["pier"].to_numpy()
    for name in pd.unique(pier):
        mine = np.flatnonzero(pier == name)
        mine = mine[np.argsort(-chance[mine], kind="stable")]
        least, best, most = count_of(chance[mine])
        for column, n in ((number, best), (low, least), (kept, most)):
            column[mine[:n]] = 1
    return table.assign(n_vessels=number, n_low=low)[kept > 0]


def _evidence(found: PierVessels, hits: Hits, image: SearchedImage) -> dict[str, NDArray[np.generic]]:
    """Return the columns that say what the hits of CFAR in each hull are."""
    n = found.chance.size
    columns: dict[str, NDArray[np.generic]] = {
        "n_hits": np.zeros(n, np.int64),
        **{name: np.full(n, np.nan) for name in ("score", "sigma0_co", "sigma0_cross")},
        "evidence": np.full(n, "network", object),
        "is_edge": np.zeros(n, np.bool_),
    }
    boxes = np.column_stack([found.row, found.column, _from_lines(found.angle)])
    line, pixel = hits.line.astype(np.float64), hits.pixel.astype(np.float64)
    inside = []
    for box, length, width in zip(boxes, found.length_m, found.width_m, strict=True):
        along, across = offsets(line, pixel, box)
        own = np.abs(along) * image.pixel_spacing_m <= length / 2 + HULL_MARGIN_M
        own &= np.abs(across) * image.line_spacing_m <= width / 2 + HULL_MARGIN_M
        inside.append(np.flatnonzero(own))
    which, hull = np.concatenate(inside), np.repeat(np.arange(n), list(map(len, inside)))
    if which.size:
        hit, group = np.unique(hull, return_inverse=True)
        for name, values in sum_up(hits.take(which), group).items():
            columns[name][hit] = values
    return columns


def _from_lines(angle: Reals) -> Reals:
    """Return angles from the lines' direction for those from the pixels'."""
    return np.pi / 2 - angle


def replace_at_piers(boxes: gpd.GeoDataFrame, at_piers: gpd.GeoDataFrame, piers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the vessels of a scene: those of the network at piers, those of CFAR's boxes elsewhere, numbered anew.

    Parameters
    ----------
    boxes
        From `find_vessels` and `assign_piers`.
    at_piers
        From `table_at_piers`, in the same lines and pixels.
    piers
        `Port.piers`.

    Examples
    --------
    >>> piers = gpd.GeoDataFrame({"name": [], "kind": []}, geometry=[])
    >>> len(replace_at_piers(VESSELS.empty(), VESSELS.empty(), piers))
    0
    """
    named = piers["name"][piers["kind"] == "pier"]
    afloat = boxes[~boxes["pier"].isin(named)]
    if len(afloat) and len(at_piers):
        plane = Plane.around(shapely.MultiPoint(at_piers[["longitude", "latitude"]].to_numpy(float)))
        here, there = (np.stack(plane.flatten(t["longitude"], t["latitude"]), axis=-1) for t in (afloat, at_piers))
        reach = np.maximum(SAME_M, SAME_SHARE * at_piers["length_m"].to_numpy(float))
        afloat = afloat[~(spatial.distance.cdist(here, there) <= reach).any(axis=1)]
    table = VESSELS.concat([afloat, at_piers]).sort_values(["line", "pixel"], ignore_index=True)
    names = [f"{scene}/{number}" for number, scene in enumerate(table["scene"], 1)]
    return table.assign(vessel=pd.Series(names, dtype="str"))
