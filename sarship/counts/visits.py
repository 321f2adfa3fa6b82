"""Visits of vessels: those of one pass matched with those of the pass before, by place and size.

A radar image shows no names. Two vessels of successive passes are taken for one that stayed if they lie at the same
pier, no further apart than `BERTH_M` (at an anchorage, where a vessel swings about its anchor, `SWING_M`), and their
lengths agree within the errors of measuring. Where several could be meant, the assignment with the least total
disagreement is taken. So a vessel that shifted along the quay has left and arrived, and one that was replaced by
another of its size at its very berth has stayed: read stays as berths that did not change. Where AIS names both, it
tells: the same number stayed, another replaced it.

A candidate that is not counted is passed over, unless it fits a vessel of the pass before: that one is likelier still
there than gone, and a chance of one in four is enough.

The pass before is the last **that saw the pier**. On the first that did, the status is `first`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Geod
from scipy.optimize import linear_sum_assignment
from shapely import Point

from sarship.counts.passes import MIN_SEEN, are_counted, group_passes, seen_by_pass, vessels_once
from sarship.schema import COVERAGE, NOT_COUNTED, SCENES, VESSELS, VISITS

__all__ = ["find_visits"]

BERTH_M: Final = 35.0
"""Furthest apart that two measured centres of one moored vessel lie: each is off by some 8 m along and across, and
superstructures lean ten metres towards the radar, to another side from another orbit."""
SWING_M: Final = 400.0
"""The same at anchor: about the chain and the length of a large vessel."""
MIN_CHANCE: Final = 0.25
"""Minimum chance of a candidate that is taken for a vessel of the pass before."""
LENGTH_M: Final = 22.0
LENGTH_SHARE: Final = 0.1
"""Largest difference of two measured lengths of one vessel, metres and a part of the longer one: twice what two lengths
differ by that are each off by some 11 m."""


@dataclass(slots=True)
class _Berths:
    """Vessels that were at a pier on the last pass that saw it: the name of each visit, and its row."""

    visits: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


def find_visits(
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    min_seen: float = MIN_SEEN,
    mmsi: Mapping[str, int] | None = None,
) -> gpd.GeoDataFrame:
    """Match the vessels at each pier with those of the pass before: they stayed, arrived or left.

    Parameters
    ----------
    vessels, piers, scenes, coverage, min_seen
        As for `count_by_pier`.
    mmsi
        Numbers that AIS gives to vessels, by their names in `vessels`; those it does not know are left out.

    Returns
    -------
    GeoDataFrame
        Table after `schema.VISITS`, in order of time and pier: one row a vessel at a pier and pass, and one row at the
        pass on which it was found gone (`left`), with the place and size it had. The rows of one vessel share `visit`.

    Raises
    ------
    ValueError
        If a table breaks its contract.

    Examples
    --------
    A vessel at a quay on two passes, measured a little shorter on the second:

    >>> import pandas as pd
    >>> import shapely
    >>> quay = shapely.LineString([(35.80, 34.90), (35.81, 34.90)])
    >>> piers = gpd.GeoDataFrame({"name": ["Quay"], "kind": ["pier"]}, geometry=[quay], crs="EPSG:4326")
    >>> def table(contract, **columns):
    ...     return contract.make({column.name: [0, 0] for column in contract.columns} | columns, [quay, quay])
    >>> start = pd.to_datetime(["2024-12-01T15:42Z", "2024-12-13T15:42Z"])
    >>> scenes = table(SCENES, scene=["a", "b"], start=start, stop=start)
    >>> coverage = table(COVERAGE, scene=["a", "b"], pier=["Quay", "Quay"], seen=[1.0, 1.0])
    >>> row = {"scene": ["a", "b"], "vessel": ["a/1", "b/1"], "pier": ["Quay", "Quay"], "length_m": [120.0, 112.0]}
    >>> vessels = table(VESSELS, **row, flag=["", ""], n_vessels=[1, 1])
    >>> visits = find_visits(vessels, piers, scenes, coverage)
    >>> list(zip(visits["visit"], visits["status"]))
    [('a/1', 'first'), ('a/1', 'stayed')]
    """
    for table, frame in ((VESSELS, vessels), (SCENES, scenes), (COVERAGE, coverage)):
        table.check(frame)
    is_counted = are_counted(vessels)
    may_be = is_counted | ((vessels["confidence"] >= MIN_CHANCE) & ~vessels["flag"].isin(NOT_COUNTED))
    known = vessels["vessel"].map(dict(mmsi or {})).astype("Int64")
    vessels = vessels.assign(is_counted=is_counted, mmsi=known)[vessels["pier"].notna() & may_be].drop_duplicates(
        "vessel"
    )
    names, kinds = piers["name"].tolist(), piers["kind"].tolist()
    before: dict[str, _Berths] = {}
    rows: list[dict[str, Any]] = []
    for frame in group_passes(scenes, coverage):
        seen = seen_by_pass(coverage[coverage["scene"].isin(frame["scene"])], names)[0]
        here = vessels_once(vessels[vessels["scene"].isin(frame["scene"])]).sort_values("vessel")
        time = frame["start"].iloc[0]
        # rows of plain values: picked from tables pier by pier they would take most of the time
        berthed = list(zip(here["pier"], zip(*(here[name].tolist() for name in _CARRIED), strict=True), strict=True))
        for name, kind, part in zip(names, kinds, seen, strict=True):
            if part >= min_seen and part > 0:
                found = [dict(zip(_CARRIED, values, strict=True)) for pier, values in berthed if pier == name]
                reach = SWING_M if kind == "anchorage" else BERTH_M
                new, before[name] = _compare(before.get(name), found, reach)
                rows += [row | {"time": time, "pier": name} for row in new]
    columns: dict[str, object] = {column.name: [row[column.name] for row in rows] for column in VISITS.columns}
    columns["mmsi"] = _by_most(columns["visit"], columns["mmsi"])
    return VISITS.make(columns, [Point(row["longitude"], row["latitude"]) for row in rows])


def _compare(before: _Berths | None, now: list[dict[str, Any]], reach_m: float) -> tuple[list[dict[str, Any]], _Berths]:
    """Return the rows of one pier and pass, and the vessels that are there now."""
    old = before or _Berths()
    pairs = dict(_matches(old.rows, now, reach_m))
    there = _Berths()
    rows = []
    for k, row in enumerate(now):
        if k not in pairs and not row["is_counted"]:
            continue
        status = "stayed" if k in pairs else "arrived" if before is not None else "first"
        there.visits.append(old.visits[pairs[k]] if k in pairs else row["vessel"])
        silent = k in pairs and row["mmsi"] is pd.NA  # it is still who it was
        there.rows.append(row | {"mmsi": old.rows[pairs[k]]["mmsi"]} if silent else row)
        rows.append(row | {"visit": there.visits[-1], "status": status})
    gone = sorted(set(range(len(old.rows))) - set(pairs.values()))
    rows += [old.rows[k] | {"visit": old.visits[k], "status": "left", "vessel": None} for k in gone]
    return rows, there


_CARRIED: Final = ("vessel", "longitude", "latitude", "length_m", "heading_deg", "is_counted", "mmsi")


def _by_most(visit: object, mmsi: object) -> pd.Series[Any]:
    """Return the number that each row's visit has most often; missing where it has none."""
    frame = pd.DataFrame({"visit": visit, "mmsi": pd.Series(mmsi, dtype="Int64")})
    most = frame.dropna().groupby("visit")["mmsi"].agg(lambda numbers: numbers.mode().iloc[0])
    return frame["visit"].map(most).astype("Int64")


def _matches(old: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]], reach_m: float) -> list[tuple[int, int]]:
    """Return pairs of a vessel of now and the one of the pass before that it is, by number."""
    if not old or not now:
        return []
    place = [[(row["longitude"], row["latitude"]) for row in rows] for rows in (now, old)]
    length = [np.array([row["length_m"] for row in rows]) for rows in (now, old)]
    apart = _distances_m(np.array(place[0]), np.array(place[1])) / reach_m
    longer = np.maximum(length[0][:, None], length[1])
    unlike = np.abs(length[0][:, None] - length[1]) / (LENGTH_M + LENGTH_SHARE * longer)
    doubt = np.array([[0.0 if row["is_counted"] else _DOUBT] for row in now])
    cost = np.where((apart <= 1) & (unlike <= 1), apart**2 + unlike**2 + doubt, _NEVER)
    number = [np.array([0 if row["mmsi"] is pd.NA else row["mmsi"] for row in rows]) for rows in (now, old)]
    both = (number[0][:, None] > 0) & (number[1] > 0)
    cost = np.where(both & (number[0][:, None] != number[1]), _NEVER, cost)
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return [(int(k), int(was)) for k, was in chosen if cost[k, was] < _NEVER]


_DOUBT: Final = 2.0
"""Cost of a candidate that is not counted: where a counted vessel fits as well, that is taken."""
_NEVER: Final = 1e6
"""Cost of a pair that cannot be: more than any number of pairs that can."""


def _distances_m(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return metres from each of some places (longitude, latitude) to each of others."""
    one, other = np.repeat(here, len(there), axis=0), np.tile(there, (len(here), 1))
    metres = Geod(ellps="WGS84").inv(one[:, 0], one[:, 1], other[:, 0], other[:, 1])[2]
    return np.asarray(metres, np.float64).reshape(len(here), len(there))
