"""Rows of the vessels that the network found at piers, with their piers, their chances and what CFAR says of them."""

from __future__ import annotations

from typing import Final, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import spatial
from shapely import Point

from sarship.geo.local_plane import Plane
from sarship.model import Hits
from sarship.schema import VESSELS
from sarship.vessels.assign import assign_piers
from sarship.vessels.at_piers import INTERVAL, PierVessels, count_distribution
from sarship.vessels.find import SearchedImage, headings

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


class _Evidence(NamedTuple):
    """Hits of CFAR in each hull."""

    n_hits: NDArray[np.int64]
    score: Reals
    sigma0_co: Reals
    sigma0_cross: Reals
    evidence: list[str]
    is_edge: NDArray[np.bool_]


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
    order = np.lexsort((found.column, found.row))
    found = found.take(order)
    n, said = len(order), _evidence(found, hits, image)
    longitude, latitude = image.geometry.to_map(found.row, found.column)
    columns: dict[str, object] = {
        "vessel": [f"{image.scene.id}/pier/{number}" for number in range(1, n + 1)],
        "scene": [image.scene.id] * n,
        "time": pd.DatetimeIndex(image.geometry.time_at(found.row)).as_unit("ns").tz_localize("UTC"),
        "longitude": longitude,
        "latitude": latitude,
        "line": found.row,
        "pixel": found.column,
        "length_m": found.length_m,
        "length_error_m": LENGTH_ERROR[0] + LENGTH_ERROR[1] * found.length_m,
        "width_m": found.width_m,
        "width_error_m": WIDTH_ERROR[0] + WIDTH_ERROR[1] * found.width_m,
        "heading_deg": headings(image, found.row, found.column, np.pi / 2 - found.angle),
        "heading_error_deg": HEADING_ERROR[0] + HEADING_ERROR[1] / found.length_m,
        "n_vessels": [0] * n,
        "n_low": [0] * n,
        "n_high": [1] * n,
        "confidence": found.chance,
        **said._asdict(),
        "flag": [""] * n,
        "flag_source": [None] * n,
        "pier": [None] * n,
        "distance_m": np.full(n, np.nan),
    }
    table = assign_piers(VESSELS.make(columns, list(map(Point, longitude, latitude))), piers)
    at_pier = piers["name"][piers["kind"] == "pier"]
    return _bounded(table[table["pier"].isin(at_pier)])


def _bounded(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give each pier's rows its count and the bounds of it, and leave out those beyond."""
    number, low, kept = (np.zeros(len(table), np.int64) for _ in range(3))
    chance, pier = table["confidence"].to_numpy(float), table["pier"].to_numpy()
    for name in pd.unique(pier):
        mine = np.flatnonzero(pier == name)
        mine = mine[np.argsort(-chance[mine], kind="stable")]
        cumulative = count_distribution(chance[mine]).cumsum()
        least, most = (int(np.searchsorted(cumulative, quantile)) for quantile in INTERVAL)
        best = int(np.clip(round(float(chance[mine].sum())), least, most))
        for column, n in ((number, best), (low, least), (kept, most)):
            column[mine[:n]] = 1
    return table.assign(n_vessels=number, n_low=low)[kept > 0]


def _evidence(found: PierVessels, hits: Hits, image: SearchedImage) -> _Evidence:
    """Look up the hits of CFAR in each hull."""
    n = len(found.chance)
    missing = np.full(n, np.nan)
    edge = np.zeros(n, np.bool_)
    out = _Evidence(np.zeros(n, np.int64), missing, missing.copy(), missing.copy(), ["network"] * n, edge)
    for k in range(n):
        dx, dy = hits.pixel - found.column[k], hits.line - found.row[k]
        c, s = np.cos(found.angle[k]), np.sin(found.angle[k])
        ahead, aside = np.abs(dx * c + dy * s) * image.pixel_spacing_m, np.abs(dy * c - dx * s) * image.line_spacing_m
        own = ahead <= found.length_m[k] / 2 + HULL_MARGIN_M
        own &= aside <= found.width_m[k] / 2 + HULL_MARGIN_M
        if not own.any():
            continue
        out.n_hits[k], out.score[k] = own.sum(), hits.score[own].max()
        for column, names in ((out.sigma0_co, ("VV", "HH")), (out.sigma0_cross, ("VH", "HV"))):
            values = [hits.sigma0[name][own] for name in names if name in hits.sigma0]
            seen = values[0][np.isfinite(values[0])] if values else np.empty(0)
            column[k] = seen.max() if seen.size else np.nan
        kinds = {"ring"} if hits.evidence is None else set(hits.evidence[own].tolist())
        out.evidence[k] = kinds.pop() if len(kinds) == 1 else "both"
        out.is_edge[k] = hits.is_edge is not None and bool(hits.is_edge[own].any())
    return out


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
