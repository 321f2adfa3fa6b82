"""Random places of vessels, well apart, and the table of truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sarship.simulate.params import Mode
from sarship.simulate.ships import Vessel

__all__ = ["degrees_of", "scatter_vessels", "truth_table"]

Reals = NDArray[np.float64]

_EDGE_M: Final = 450.0
_APART_M: Final = 900.0


def scatter_vessels(
    shape: tuple[int, int],
    place: Callable[[Reals, Reals], tuple[Reals, Reals]],
    *,
    n_vessels: int,
    land: BaseGeometry | None,
    mode: Mode,
    seed: Sequence[int],
) -> list[Vessel]:
    """Vessels of 30 to 250 m at random places of the image, apart from one another, its edges and the land.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    rng = np.random.default_rng(seed)
    edge = min(_EDGE_M / mode.spacing_m, min(shape) / 4)
    apart = min(_APART_M / mode.spacing_m, 0.6 * np.sqrt(shape[0] * shape[1] / max(1, n_vessels)))
    closed = None if land is None else land.buffer(apart / 2)
    if closed is not None:
        shapely.prepare(closed)
    taken = np.empty((0, 2))
    for _ in range(400 * n_vessels):
        if len(taken) == n_vessels:
            break
        spot = rng.uniform(edge, np.array(shape) - edge)
        if len(taken) and np.hypot(*(taken - spot).T).min() < apart:
            continue
        if closed is None or not shapely.contains_xy(closed, spot[1], spot[0]):
            taken = np.vstack([taken, spot])
    if len(taken) < n_vessels:
        raise ValueError(f"{n_vessels} vessels do not fit into {shape} with {apart:.0f} pixels between them; put fewer")
    longitude, latitude = place(taken[:, 0], taken[:, 1])
    length = np.exp(rng.uniform(np.log(30), np.log(250), n_vessels))
    heading = rng.uniform(0, 360, n_vessels)
    return [
        Vessel(longitude=lon, latitude=lat, length_m=size, heading_deg=angle)
        for lon, lat, size, angle in zip(
            longitude.tolist(), latitude.tolist(), length.tolist(), heading.tolist(), strict=True
        )
    ]


def degrees_of(vessels: Sequence[Vessel]) -> tuple[Reals, Reals]:
    """Longitudes and latitudes."""
    return np.array([v.longitude for v in vessels], float), np.array([v.latitude for v in vessels], float)


def truth_table(
    scene: str,
    vessels: Sequence[Vessel],
    image: tuple[Reals, Reals],
    *,
    rcs_m2: Reals,
    times: Sequence[datetime],
) -> gpd.GeoDataFrame:
    """One row a vessel: `time, scene, pier, longitude, latitude, length_m, width_m, heading_deg, line, pixel, rcs_m2`.

    `time` is when it is abeam; `pier` is missing away from piers. `line` and `pixel` are where it is imaged, which for
    a moving vessel is not where it is. And `vessel_id, is_rafted, speed_m_s` as in `Vessel`.
    """
    longitude, latitude = degrees_of(vessels)
    longitude = np.where(np.abs(longitude) > 180, (longitude + 180) % 360 - 180, longitude)
    columns = {
        "time": pd.Series(pd.to_datetime(list(times), utc=True), dtype="datetime64[ns, UTC]"),
        "scene": pd.Series([scene] * len(vessels), dtype="str"),
        "pier": pd.Series([v.pier for v in vessels], dtype="str"),
        "longitude": longitude,
        "latitude": latitude,
        "length_m": np.array([v.length_m for v in vessels], float),
        "width_m": np.array([v.beam_m for v in vessels], float),
        "heading_deg": np.array([v.heading_deg for v in vessels], float),
        "line": image[0],
        "pixel": image[1],
        "rcs_m2": rcs_m2,
        "vessel_id": pd.Series([v.vessel_id for v in vessels], dtype="str"),
        "is_rafted": np.array([v.is_rafted for v in vessels], bool),
        "speed_m_s": np.array([v.speed_m_s for v in vessels], float),
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(longitude, latitude), crs="EPSG:4326")
