"""Flags of rows that are no vessels, or vessels that never leave.

| flag | row | counted |
|---|---|---|
| `ambiguity` | an azimuth ambiguity, the echo of a much brighter vessel (`flag_source`) along the flight | no |
| `fixture` | back at the same place on most passes, away from piers: a buoy, a beacon, a platform, a rock | no |
| `always_there` | back at the same place on nearly all passes, at a pier: laid up, or part of the pier | 0 or 1 |

Rows keep their pier; counts leave out the flags of `schema.NOT_COUNTED`. Ambiguities of bright structure ashore have no
source in the table and are not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.constants import speed_of_light

from sarship.geo.local_plane import Plane
from sarship.schema import SCENES, VESSELS
from sarship.sentinel1.passes import number_passes

if TYPE_CHECKING:
    from sarship.sentinel1.annotation import Annotation
    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["flag_ambiguities", "flag_lasting"]

Reals = NDArray[np.float64]

ORDERS: Final = (-2, -1, 1, 2)
"""Orders of the ambiguities that are looked for."""
FAINTER_DB: Final = (15.0, 40.0)
"""Range of the brightest pixel of an ambiguity below that of its source."""
ACROSS_M: Final = 80.0
"""Maximum distance of an ambiguity from its source across the flight: it moves out a little in range."""
ALONG_M: Final = 120.0
"""Maximum distance along the flight from its expected place."""
SAME_PLACE_M: Final = 25.0
"""Maximum distance between centres at the same place: a resolution cell."""
SAME_LENGTH_M: Final = 25.0
SAME_LENGTH: Final = 0.1
"""Maximum difference of two measurements of one thing's length, metres and share of it: two sigma of each."""
MIN_PASSES: Final = 5
"""Minimum number of passes over a place for anything to be flagged there."""
MIN_SHARE: Final = 0.6
"""Minimum share of the passes over its place that show a fixture."""
MIN_SHARE_AT_PIER: Final = 0.9
"""The same for a vessel that never leaves a pier."""


def flag_ambiguities(vessels: gpd.GeoDataFrame, product: RadarImage) -> gpd.GeoDataFrame:
    """Flag azimuth ambiguities of brighter vessels of the same product.

    An ambiguity lies a whole number of λ·range·PRF/(2·V) along the flight from its source, 4 to 6 km in IW, and 20 to
    30 dB below it.

    Parameters
    ----------
    vessels
        All vessels of one product, `schema.VESSELS`.
    product
        Its orbit, carrier frequency and pulse repetition frequencies are used. That of every swath is tried, as the
        ambiguities near a swath's border may come from its neighbour. An image on a map has none of these, and nothing
        is flagged in it.

    Returns
    -------
    GeoDataFrame
        The same with `flag` and `flag_source` of ambiguities filled in; its source is the brightest there is.

    References
    ----------
    J. C. Curlander & R. N. McDonough, Synthetic Aperture Radar, Wiley, 1991, section 6.5.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> len(flag_ambiguities(VESSELS.empty(), SimpleNamespace()))
    0
    """
    if len(vessels) < 2 or product.annotation is None:
        return vessels
    bright = np.fmax(vessels["sigma0_co"].to_numpy(float), 0.0)
    if not (bright > 0).any():
        bright = np.fmax(vessels["sigma0_cross"].to_numpy(float), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fainter_db = 10 * np.log10(bright[None, :] / bright[:, None])  # of a row against each source
    line, pixel = vessels["line"].to_numpy(float), vessels["pixel"].to_numpy(float)
    along = (line[:, None] - line) * product.line_spacing_m
    across = np.abs(pixel[:, None] - pixel) * product.pixel_spacing_m
    steps = ambiguity_m(product.annotation, line, pixel)
    misses = np.abs(along[:, :, None, None] - np.multiply.outer(steps, np.array(ORDERS, float))[None])
    slack = ALONG_M + vessels["length_m"].to_numpy(float) / 2
    fits = (misses.min(axis=(2, 3)) <= slack) & (across <= ACROSS_M)
    fits &= (fainter_db >= FAINTER_DB[0]) & (fainter_db <= FAINTER_DB[1])
    source = np.where(fits, bright, -1.0).argmax(axis=1)
    rows = np.flatnonzero(fits.any(axis=1))
    return _flagged(vessels, rows, "ambiguity", vessels["vessel"].to_numpy()[source[rows]])


def ambiguity_m(note: Annotation, line: Reals, pixel: Reals) -> Reals:
    """Return the distance along the flight of the first ambiguity of each swath, metres; (n, n_swaths)."""
    geometry = note.geometry
    _, velocity = geometry.orbit.state(line * geometry.line_interval_s)
    speed = np.sqrt(np.einsum("in,in->n", velocity, velocity))
    wavelength = speed_of_light / note.radar_frequency_hz
    per_hertz = wavelength * geometry.slant_range_m(line, pixel) / (2 * speed)
    return np.asarray(np.multiply.outer(per_hertz, np.array(sorted(note.prf_hz.values()))))


def flag_lasting(vessels: gpd.GeoDataFrame, scenes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Flag rows at the same place on most passes: fixtures away from piers, and at piers vessels that never leave.

    Parameters
    ----------
    vessels
        All vessels of all scenes, after `assign_piers`; rows with a flag are passed over.
    scenes
        `schema.SCENES`; their outlines say which passes saw a place (`sentinel1/passes.py` says what a pass is).

    Returns
    -------
    GeoDataFrame
        With `flag` filled in, and `n_low` 0 for `always_there`. With fewer than five passes of a place nothing is
        flagged there.

    Examples
    --------
    >>> len(flag_lasting(VESSELS.empty(), SCENES.empty()))
    0
    """
    VESSELS.check(vessels)
    SCENES.check(scenes)
    rows = np.flatnonzero((vessels["flag"] == "").to_numpy())
    if not rows.size:
        return vessels
    chosen = vessels.iloc[rows]
    numbers = number_passes(scenes["platform"], scenes["start"], scenes["stop"])
    passes = pd.Series(numbers, index=scenes["scene"])
    seen_in = passes[~passes.index.duplicated()].reindex(chosen["scene"]).to_numpy(float)
    n_seen = _n_passes_with(chosen, seen_in)
    n_passes = _n_passes_over(chosen, scenes.geometry.to_numpy(), np.asarray(passes, np.int64))
    at_pier = chosen["pier"].notna().to_numpy()
    lasts = (n_passes >= MIN_PASSES) & (n_seen >= np.where(at_pier, MIN_SHARE_AT_PIER, MIN_SHARE) * n_passes)
    vessels = _flagged(vessels, rows[lasts & ~at_pier], "fixture")
    vessels = _flagged(vessels, rows[lasts & at_pier], "always_there")
    return vessels.assign(n_low=vessels["n_low"].where(vessels["flag"] != "always_there", 0))


def _n_passes_with(vessels: gpd.GeoDataFrame, passed: Reals) -> NDArray[np.int64]:
    """Return the number of passes on which a vessel of about each one's length lies at its place."""
    plane = Plane.around(shapely.MultiPoint(vessels[["longitude", "latitude"]].to_numpy(float)))
    points = np.asarray(shapely.points(np.column_stack(plane.flatten(vessels["longitude"], vessels["latitude"]))))
    tree = shapely.STRtree(points)
    one, other = tree.query(points, predicate="dwithin", distance=SAME_PLACE_M)
    length = vessels["length_m"].to_numpy(float)
    alike = np.abs(length[one] - length[other]) <= SAME_LENGTH_M + SAME_LENGTH * np.fmax(length[one], length[other])
    met = pd.DataFrame({"row": one[alike], "pass": passed[other[alike]]}).drop_duplicates()
    return np.bincount(met["row"], minlength=len(vessels))


def _n_passes_over(
    vessels: gpd.GeoDataFrame, outlines: NDArray[np.object_], passes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of passes over the place of each."""
    x, y = vessels["longitude"].to_numpy(float), vessels["latitude"].to_numpy(float)
    total = np.zeros(len(vessels), np.int64)
    for one in np.unique(passes):
        total += np.any([shapely.contains_xy(outline, x, y) for outline in outlines[passes == one]], axis=0)
    return total


def _flagged(
    vessels: gpd.GeoDataFrame, rows: NDArray[np.intp], flag: str, source: NDArray[np.object_] | None = None
) -> gpd.GeoDataFrame:
    """Return the table with a flag, and its source, on rows that have none yet."""
    flags, sources = vessels["flag"].to_numpy(object), vessels["flag_source"].to_numpy(object)
    free = flags[rows] == ""
    flags[rows[free]] = flag
    if source is not None:
        sources[rows[free]] = source[free]
    columns = {
        "flag": pd.Series(flags, index=vessels.index, dtype="str"),
        "flag_source": pd.Series(sources, index=vessels.index, dtype="str"),
    }
    return vessels.assign(**columns)
