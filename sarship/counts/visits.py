"""Visits of vessels, strung together from all passes of a pier at once: who stayed, arrived and left, and how sure.

A radar image shows no names. Sightings of two passes may be one vessel if they lie close together at one pier and are
of one size (`counts/links.py`); a vessel may be missed on a pass, or found where none is. Every way to string the
sightings of a series into visits has a weight, and the chance of an arrival, a stay or a departure is its share in all
of them (`counts/stays.py`, `counts/assignment.py`). So a vessel that shifted along the quay has left and arrived. Where
AIS names both, it tells: the same number stayed, another replaced it.

A row says what is likeliest. Many rows that are each 0.8 sure are together no likeliest sum; their chances are, and
those add up: `find_traffic`.

Only passes that saw the pier are looked at: an arrival or a departure lies between two of them, however far apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import Point

from sarship.counts.assignment import best_links
from sarship.counts.links import WATERS_M, Links, Sightings, find_links
from sarship.counts.passes import MIN_SEEN, candidates, group_passes, seen_by_pass, vessels_once
from sarship.counts.stays import Stays, stay_chances
from sarship.geo.local_plane import Plane
from sarship.schema import COVERAGE, SCENES, TRAFFIC, VESSELS, VISITS

__all__ = ["StrungVisits", "find_traffic", "find_visits", "string_visits"]

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

WIDER: Final = 1.5
"""Factor on the error of a sum: chances of a pier err together, on simulated ports so much."""
SMALLEST_M: Final = 5.0
LENGTH_ERROR: Final = 0.2
"""Length of a vessel at least, and one sigma of a length where none is given, as a part of it."""
SHORTEST_M: Final = 100.0
ROADS_M2: Final = 1e6
"""Smallest length of a pier and area of an anchorage that vessels are thought to spread over."""


def find_visits(
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    min_seen: float = MIN_SEEN,
    mmsi: Mapping[str, int] | None = None,
) -> gpd.GeoDataFrame:
    """String the vessels at each pier into visits: on each pass they arrived, stayed, or were found gone.

    Parameters
    ----------
    vessels, piers, scenes, coverage, min_seen
        As for `count_by_pier`.
    mmsi
        Numbers that AIS gives to vessels, by their names in `vessels`; those it does not know are left out.

    Returns
    -------
    GeoDataFrame
        Table after `schema.VISITS`, in order of time and pier. Every counted vessel has one row; so has a candidate
        that is not counted where it is likelier than not a vessel of a visit, a pass on which one was `missed`, and the
        pass on which one was found gone (`left`), the last two with the place and size that it had. The rows of one
        vessel share `visit`.

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
    >>> row |= {"length_error_m": [18.0, 18.0], "longitude": [35.805, 35.805], "latitude": [34.9, 34.9]}
    >>> vessels = table(VESSELS, **row, flag=["", ""], n_vessels=[1, 1], confidence=[1.0, 1.0])
    >>> visits = find_visits(vessels, piers, scenes, coverage)
    >>> list(zip(visits["visit"], visits["status"]))
    [('a/1', 'first'), ('a/1', 'stayed')]
    """
    return string_visits(vessels, piers, scenes, coverage, min_seen=min_seen, mmsi=mmsi).visits()


def find_traffic(
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    min_seen: float = MIN_SEEN,
    mmsi: Mapping[str, int] | None = None,
) -> gpd.GeoDataFrame:
    """Return the expected numbers of arrivals, departures and stays, to be added up over piers and passes.

    Parameters
    ----------
    vessels, piers, scenes, coverage, min_seen, mmsi
        As for `find_visits`.

    Returns
    -------
    GeoDataFrame
        Table after `schema.TRAFFIC`, one row a pier and a pass that saw it, but for the first that did. Each number is
        a sum of chances over all sightings, counted or not, and so need not be whole; `present` on a pass is that of
        the pass before, plus `arrived`, less `left`. Errors are one sigma, and add up in quadrature.

    Raises
    ------
    ValueError
        If a table breaks its contract.

    Examples
    --------
    >>> nothing = [table.empty() for table in (VESSELS, SCENES, COVERAGE)]
    >>> piers = gpd.GeoDataFrame({"name": [], "kind": []}, geometry=[], crs="EPSG:4326")
    >>> len(find_traffic(nothing[0], piers, *nothing[1:]))
    0
    """
    return string_visits(vessels, piers, scenes, coverage, min_seen=min_seen, mmsi=mmsi).traffic()


@dataclass(frozen=True, eq=False, slots=True)
class StrungVisits:
    """Sightings of all piers and passes, and what becomes of them: visits and traffic are read off it."""

    table: pd.DataFrame
    """Rows of the vessels, in the order of the sightings."""
    seen: Sightings
    times: Sequence[Sequence[pd.Timestamp]]
    """Start of each pass that saw each pier."""
    names: Sequence[str]
    places: Sequence[Point]
    """Middle of each pier, longitude and latitude in degrees."""
    links: Links
    stays: Stays
    chosen: Flags
    """True for the links of the likeliest visits."""

    def visits(self) -> gpd.GeoDataFrame:
        """Return the table of `find_visits`."""
        rows = _rows(self)
        rows.sort(key=lambda row: (row["time"], row["rank"], row["status"] == "left", row["row"]))
        return _with_most(VISITS.of_rows(rows, [Point(row["longitude"], row["latitude"]) for row in rows]))

    def traffic(self) -> gpd.GeoDataFrame:
        """Return the table of `find_traffic`."""
        seen, links, stays = self.seen, self.links, self.stays
        rows: list[dict[str, Any]] = []
        for pier, times in enumerate(self.times):
            step = np.where(seen.pier == pier, seen.step, -2)
            mine = np.flatnonzero(seen.pier[links.source] == pier)
            first, last, same = seen.step[links.source[mine]], seen.step[links.target[mine]], stays.stayed[mine]
            for k in range(1, len(times)):
                chances = {
                    "arrived": stays.came[step == k],
                    "left": stays.went[step == k - 1],
                    "stayed": same[(first < k) & (last >= k)],
                }
                row = {"time": times[k], "from_time": times[k - 1], "pier": self.names[pier], "rank": pier}
                row |= {name: float(chance.sum()) for name, chance in chances.items()}
                row |= {
                    f"{name}_error": WIDER * float(np.sqrt(chance @ (1 - chance))) for name, chance in chances.items()
                }
                missed = same[(first < k) & (last > k)].sum()
                rows.append(row | {"present": float(stays.is_vessel[step == k].sum() + missed)})
        rows.sort(key=lambda row: (row["time"], row["rank"]))
        return TRAFFIC.of_rows(rows, [self.places[row["rank"]] for row in rows])


def string_visits(
    vessels: gpd.GeoDataFrame,
    piers: gpd.GeoDataFrame,
    scenes: gpd.GeoDataFrame,
    coverage: gpd.GeoDataFrame,
    *,
    min_seen: float = MIN_SEEN,
    mmsi: Mapping[str, int] | None = None,
) -> StrungVisits:
    """Return the sightings of a survey, strung together once for visits and traffic; arguments as for `find_visits`."""
    for contract, frame in ((VESSELS, vessels), (SCENES, scenes), (COVERAGE, coverage)):
        contract.check(frame)
    names = [str(name) for name in piers["name"]]
    vessels = candidates(vessels[vessels["pier"].isin(names)])
    ranks = vessels["pier"].map({name: k for k, name in enumerate(names)}).astype(np.int64)
    known = vessels["vessel"].map(dict(mmsi or {})).fillna(0).astype(np.int64)
    vessels = vessels.assign(rank=ranks, mmsi=known)
    times: list[list[pd.Timestamp]] = [[] for _ in names]
    parts = []
    for frame in group_passes(scenes, coverage):
        part = seen_by_pass(coverage[coverage["scene"].isin(frame["scene"])], names)[0]
        is_seen = (part >= min_seen) & (part > 0)
        here = vessels_once(vessels[vessels["scene"].isin(frame["scene"])]).sort_values("vessel")
        here = here[is_seen[here["rank"].to_numpy()]]
        steps = np.array([len(each) for each in times], np.int64)
        parts.append(here.assign(step=steps[here["rank"].to_numpy()], orbit=frame["relative_orbit"].iloc[0]))
        for k in np.flatnonzero(is_seen):
            times[k].append(frame["start"].iloc[0])
    table = pd.DataFrame(pd.concat(parts) if parts else vessels.assign(step=0, orbit=0)[:0]).reset_index(drop=True)
    seen = _sightings(table, piers)
    days = [np.array([time.timestamp() / 86_400 for time in each], np.float64) for each in times]
    places = list(piers.representative_point())
    links = find_links(seen, _waters_m2(piers), np.array([len(each) for each in times], np.int64))
    while True:
        stays = stay_chances(seen, links, days)
        chosen = _likeliest(table["is_counted"].to_numpy(bool), links, stays)
        wrong = _between_numbers(seen.mmsi, links, stays, chosen)
        if not wrong.any():
            return StrungVisits(table, seen, times, names, places, links, stays, chosen)
        links = links.take(~wrong)


_MEASURED: Final = ("length_m", "length_error_m", "heading_deg", "confidence")


def _sightings(table: pd.DataFrame, piers: gpd.GeoDataFrame) -> Sightings:
    plane = Plane.around(piers.union_all()) if len(table) else None
    x, y = plane.flatten(table["longitude"], table["latitude"]) if plane else (np.empty(0), np.empty(0))
    rank = table["rank"].to_numpy(np.int64)
    length, error, heading, chance = (table[name].to_numpy(float) for name in _MEASURED)
    length = np.maximum(np.nan_to_num(length), SMALLEST_M)  # a table that others made may lack some of them
    return Sightings(
        pier=rank,
        step=table["step"].to_numpy(np.int64),
        orbit=table["orbit"].to_numpy(np.int64),
        x=x,
        y=y,
        length_m=length,
        length_error_m=np.where(error > 0, error, LENGTH_ERROR * length),
        heading_deg=np.nan_to_num(heading),
        chance=np.nan_to_num(chance, nan=1.0),
        mmsi=table["mmsi"].to_numpy(np.int64),
        is_anchored=(piers["kind"] == "anchorage").to_numpy(bool)[rank],
    )


def _waters_m2(piers: gpd.GeoDataFrame) -> Reals:
    """Return the area that the middles of vessels at each pier lie in: a strip along it, or all of an anchorage."""
    if not len(piers):
        return np.empty(0)
    plane = Plane.around(piers.union_all())
    flat = [plane.flatten_geometry(shape) for shape in piers.geometry]
    strip = WATERS_M * np.maximum(shapely.length(flat), SHORTEST_M)
    return np.where(piers["kind"] == "anchorage", np.maximum(shapely.area(flat), ROADS_M2), strip)


def _likeliest(is_counted: Flags, links: Links, stays: Stays) -> Flags:
    """Return True for the links of the likeliest visits: of the ends that are likelier linked than open."""
    n = len(is_counted)
    even = stays.is_vessel / 2
    may_be = is_counted | (stays.is_vessel > 0.5)
    goes_on, was_there = may_be & (stays.went < even), may_be & (stays.came < even)
    open_links = np.flatnonzero(goes_on[links.source] & was_there[links.target])
    best = best_links(links.source[open_links], links.target[open_links], stays.stayed[open_links], n)
    chosen = np.zeros(len(links.source), np.bool_)
    chosen[open_links[best]] = True
    return chosen


def _between_numbers(mmsi: NDArray[np.int64], links: Links, stays: Stays, chosen: Flags) -> Flags:
    """Return True for the least sure link between two sightings of one visit that AIS gives different numbers."""
    wrong = np.zeros(len(chosen), np.bool_)
    into = {int(links.target[k]): int(k) for k in np.flatnonzero(chosen)}
    for end in np.flatnonzero(mmsi > 0).tolist():
        path, at = [], end
        while at in into:
            path.append(into[at])
            at = int(links.source[path[-1]])
            if mmsi[at] > 0:
                break
        if path and mmsi[at] > 0 and mmsi[at] != mmsi[end]:
            wrong[min(path, key=lambda k: stays.stayed[k])] = True
    return wrong


def _rows(series: StrungVisits) -> list[dict[str, Any]]:
    """Return the rows of all visits."""
    seen, stays, links = series.seen, series.stays, series.links
    onward = {int(links.source[k]): int(k) for k in np.flatnonzero(series.chosen)}
    back = {int(links.target[k]) for k in onward.values()}
    values = zip(*(series.table[name].tolist() for name in _CARRIED), strict=True)
    records = [dict(zip(_CARRIED, row, strict=True)) for row in values]
    starts = [k for k, row in enumerate(records) if k not in back and (row["is_counted"] or k in onward)]
    rows: list[dict[str, Any]] = []
    for start in starts:
        visit: list[dict[str, Any]] = []
        at = start
        while True:
            step = int(seen.step[at])
            status = "stayed" if visit else "arrived" if step else "first"
            chance = stays.is_vessel[at] - stays.came[at] if visit else stays.came[at] if step else stays.is_vessel[at]
            visit.append(records[at] | {"status": status, "step": step, "probability": chance})
            if at not in onward:
                break
            link = onward[at]
            gone = {"vessel": None, "status": "missed", "probability": stays.stayed[link]}
            at = int(links.target[link])
            visit += [visit[-1] | gone | {"step": between} for between in range(step + 1, int(seen.step[at]))]
        times = series.times[seen.pier[at]]
        if step + 1 < len(times):
            left = {"vessel": None, "status": "left", "step": step + 1, "probability": stays.went[at]}
            visit.append(visit[-1] | left)
        if any(row["is_counted"] for row in visit):
            rows += [_placed(row, records[start]["vessel"], start, series) for row in visit]
    return rows


_CARRIED: Final = ("vessel", "longitude", "latitude", "length_m", "heading_deg", "is_counted", "mmsi", "rank")


def _placed(row: dict[str, Any], visit: str, number: int, series: StrungVisits) -> dict[str, Any]:
    """Return a row with its visit, its pier, and the two passes that it lies between."""
    times, step = series.times[row["rank"]], row["step"]
    return row | {
        "visit": visit,
        "row": number,
        "pier": series.names[row["rank"]],
        "time": times[step],
        "from_time": times[step - 1] if step else pd.NaT,
        "probability": float(np.clip(row["probability"], 0, 1)),
        "mmsi": row["mmsi"] or pd.NA,
    }


def _with_most(visits: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return visits with the number that each has most often on all of its rows; missing where it has none."""
    most = visits.dropna(subset="mmsi").groupby("visit")["mmsi"].agg(lambda numbers: numbers.mode().iloc[0])
    return visits.assign(mmsi=visits["visit"].map(most).astype("Int64"))
