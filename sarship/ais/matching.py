"""Matching of the radar's vessels with those of AIS, pass by pass, and the vessels that only one of them shows.

`dark` is a claim, so it must be earned: a vessel that no report explains is `dark` only where AIS was heard at that
place and time (`hearing.py`), and `unknown` elsewhere. A vessel may rightly be dark: under 300 gross tons, a warship, a
fishing boat, at a berth with its set off.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from sarship.ais.assignment import assign, chances, pair_up
from sarship.ais.clock import hours_off
from sarship.ais.formats import AisReports
from sarship.ais.hearing import BESIDE, Hearing, dark_chance, listen
from sarship.ais.positions import BETWEEN_S, positions_at
from sarship.ais.tables import AIS_MATCHES
from sarship.counts.passes import candidates, group_passes, vessels_once
from sarship.counts.visits import find_visits
from sarship.errors import ProductWarning
from sarship.geo.local_plane import Plane

__all__ = ["AisMatches", "Surveyed", "match_ais"]

Reals = NDArray[np.float64]

SURE: Final = 0.8
"""Smallest chance of a pair that is called matched; a row with a chance over the rest of 1 to be any is not dark."""
NEAR_M: Final = 25_000.0
"""Distance from the port of the reports that may be of a vessel there: half an hour at 27 knots."""
TOLD: Final = ("matched", "ambiguous", "dark", "unknown", "not_seen")
"""States that are counted in the summary."""
RIGHTLY_DARK: Final = (
    "under 300 gross tons, a warship, a fishing boat, at its berth with the set off, or in a receiver's gap"
)
SHOWN_M: Final = 1_500.0
"""Distance from what was searched of vessels of AIS alone that are listed, as `outside`."""


class Surveyed(Protocol):
    """Tables of a survey, such as `Results`."""

    @property
    def vessels(self) -> gpd.GeoDataFrame:
        """Vessels, `schema.VESSELS`."""
        ...

    @property
    def scenes(self) -> gpd.GeoDataFrame:
        """Scenes, `schema.SCENES`."""
        ...

    @property
    def coverage(self) -> gpd.GeoDataFrame:
        """Coverage, `schema.COVERAGE`."""
        ...

    @property
    def piers(self) -> gpd.GeoDataFrame:
        """Piers, `Port.piers`."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class AisMatches:
    """Vessels of radar and AIS beside each other, and how AIS was read and heard."""

    table: gpd.GeoDataFrame
    """One row a vessel and pass (`ais.tables.AIS_MATCHES`)."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Summary of how AIS was read (`AisReports.as_dict`) and heard at each pass, as plain JSON values."""

    def __str__(self) -> str:
        """Return what AIS says, a line each."""
        left_out = ", ".join(f"{count} {reason}" for reason, count in self.summary["dropped"].items())
        lines = [
            f"AIS: {self.summary['n_reports']} reports of {self.summary['n_vessels']} vessels"
            + (left_out and f"; left out {left_out}")
        ]
        if self.summary["n_false_positions"]:
            lines.append(f"{self.summary['n_false_positions']} reports have false positions")
        lines += self.summary["notes"]
        states = self.table["state"].value_counts()
        told = ", ".join(f"{states.get(state, 0)} {state.replace('_', ' ')}" for state in TOLD)
        lines.append(f"vessels and passes: {told}")
        if states.get("dark", 0):
            lines.append(f"dark says that AIS does not know the vessel; it may rightly be so: {RIGHTLY_DARK}")
        deaf = [one for one in self.summary["passes"] if one["why_not"]]
        if deaf:
            n_passes = len(self.summary["passes"])
            lines.append(f"on {len(deaf)} of {n_passes} passes AIS can tell nothing: {deaf[0]['why_not']}")
        return "\n".join(lines)

    def redacted(self) -> AisMatches:
        """Return the same without identities: numbers count the vessels from 1, and all are without names."""
        codes = pd.Series(pd.factorize(self.table["mmsi"])[0] + 1, index=self.table.index, dtype="Int64")
        hidden = dict.fromkeys(("name", "destination", "note"), "")
        table = self.table.assign(mmsi=codes.where(codes > 0), **hidden)
        return AisMatches(table=table, summary={**self.summary, "files": []})

    def mmsi(self) -> dict[str, int]:
        """Return the number of each matched vessel, by its name in `vessels`."""
        matched = self.table[(self.table["state"] == "matched") & self.table["vessel"].notna()]
        return dict(zip(matched["vessel"], matched["mmsi"].astype(int), strict=True))


@dataclass(frozen=True, eq=False)
class _Pass:
    """One pass over the port: its vessels, what was searched, and how AIS was heard."""

    start: pd.Timestamp
    time: pd.Timestamp
    """Middle of its vessels' times."""
    rows: pd.DataFrame
    coverage: gpd.GeoDataFrame
    hearing: Hearing


def match_ais(results: Surveyed, reports: AisReports) -> AisMatches:
    """Match the vessels of a survey with those of AIS.

    A pass is matched as a whole: one assignment of all its vessels by place and length, where the place by AIS is that
    at the vessel's own time, of the middle of the hull, displaced along the flight as the radar displaces what moves.

    Parameters
    ----------
    results
        Of a survey: vessels, scenes, coverage and piers are used.
    reports
        From `read_ais`.

    Returns
    -------
    AisMatches
        A row for each vessel that is counted, on each pass, and for each of AIS alone near what was searched.

    Warns
    -----
    ProductWarning
        The clock of the files seems to be off; nothing is called dark then.

    Examples
    --------
    >>> from sarship.ais import AIS
    >>> from sarship.pipeline import search
    >>> none = AisReports(table=AIS.empty(), files=(), dropped={})
    >>> len(match_ais(search([]), none).table)
    0
    """
    summary = reports.as_dict() | {"passes": [], "hours_off": 0.0}
    if not len(results.scenes) or not len(results.piers):
        return AisMatches(table=AIS_MATCHES.empty(), summary=summary)
    plane = Plane.around(shapely.union_all(list(results.piers.geometry)))
    table = pd.DataFrame(reports.table.drop(columns="geometry"))
    table["x"], table["y"] = plane.flatten(table["longitude"], table["latitude"])
    passes = list(_passes(results, table, plane))
    reach = max([NEAR_M, *(NEAR_M + np.hypot(one.rows["x"], one.rows["y"]).max() for one in passes if len(one.rows))])
    near = table.loc[np.hypot(table["x"], table["y"]) <= reach]
    off = hours_off(near, [(one.time, one.rows) for one in passes])
    if off:
        doubt = f"the times of AIS seem to be {off:+g} h off UTC: so most vessels under way would match"
        warnings.warn(f"{doubt}; nothing is called dark. Give times in UTC", ProductWarning, stacklevel=2)
    doubt = f"the clock of AIS seems to be {off:+g} h off" if off else ""
    rows = [row for one in passes for row in _match_pass(one, near, plane, doubt)]
    for one in passes:
        rows += _false_ones(one, table)
    frame = _as_table(rows)
    summary |= {"hours_off": off, "passes": [_heard(one, doubt) for one in passes]}
    matches = AisMatches(table=frame, summary=summary)
    return AisMatches(table=_over_visits(matches, results), summary=summary)


def _passes(results: Surveyed, reports: pd.DataFrame, plane: Plane) -> Iterator[_Pass]:
    anchorages = set(results.piers["name"][results.piers["kind"] == "anchorage"])
    vessels = candidates(results.vessels)
    for frame in group_passes(results.scenes, results.coverage):
        here = vessels_once(vessels[vessels["scene"].isin(frame["scene"])]).sort_values("vessel")
        seen = results.coverage[results.coverage["scene"].isin(frame["scene"]) & (results.coverage["seen"] > 0)]
        middle = frame["start"].iloc[0] + (frame["stop"].max() - frame["start"].iloc[0]) / 2
        time = here["time"].min() + (here["time"] - here["time"].min()).mean() if len(here) else middle
        rows = pd.DataFrame(here.drop(columns="geometry")).reset_index(drop=True)
        rows["x"], rows["y"] = plane.flatten(rows["longitude"], rows["latitude"])
        rows["late_s"] = (rows["time"] - time).dt.total_seconds()
        detectable = seen.groupby("pier")["detectable_length_m"].max()
        rows["detectable_length_m"] = rows["pier"].map(detectable).astype(float)
        rows["is_anchorage"] = rows["pier"].isin(anchorages).astype(float)
        rows["chance"] = rows["confidence"].clip(0.01, 1.0)
        yield _Pass(frame["start"].iloc[0], time, rows, seen, listen(reports, time))


def _match_pass(one: _Pass, reports: pd.DataFrame, plane: Plane, doubt: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one pass."""
    window = pd.Timedelta(BETWEEN_S[1], "s")
    heard = positions_at(reports.loc[reports["time"].between(one.time - window, one.time + window)], one.time, plane)
    rows = one.rows
    if len(heard):
        pairs = pair_up(rows, heard)
        chosen, chance = assign(pairs.odds), chances(pairs.odds)
    else:
        chosen, chance = np.full(len(rows), -1), np.zeros((len(rows), 0))
    why_not = doubt or one.hearing.why_not
    for k, (row, j) in enumerate(zip(rows.to_dict("records"), chosen, strict=True)):
        radar = {name: row[name] for name in ("vessel", "longitude", "latitude")}
        radar["pier"] = row["pier"] if isinstance(row["pier"], str) else None
        radar |= {"time": one.start, "length_radar_m": row["length_m"], "p_hear": one.hearing.p_hear}
        others = _others(heard, chance[k], j)
        if j >= 0:
            p_match = float(chance[k, j])
            notes = ([] if p_match >= SURE else [f"may be {others}" if others else "may be none of AIS"]) + (
                [] if row["is_counted"] else ["not counted by the radar alone"]
            )
            if p_match < SURE and not row["is_counted"]:
                continue
            yield (
                radar
                | _of_ais(heard.iloc[j])
                | {
                    "state": "matched" if p_match >= SURE else "ambiguous",
                    "p_match": p_match,
                    "distance_m": float(np.hypot(pairs.along_m[k, j], pairs.across_m[k, j])),
                    "along_m": float(pairs.along_m[k, j]),
                    "across_m": float(pairs.across_m[k, j]),
                    "displaced_m": float(pairs.displaced_m[k, j]),
                    "note": "; ".join(notes),
                }
            )
        elif row["is_counted"]:
            p_any = float(chance[k].sum())
            state = "ambiguous" if p_any > 1 - SURE else "unknown" if why_not else "dark"
            note = f"may be {others}" if state == "ambiguous" else why_not if state == "unknown" else ""
            yield radar | {"state": state, "p_match": p_any, "note": note}
    yield from _alone(one, heard, chosen, chance, plane)


def _others(heard: pd.DataFrame, chance: Reals, taken: int) -> str:
    """Return the numbers of AIS that a vessel may be besides the one it is taken for."""
    likely = [int(heard["mmsi"].iloc[k]) for k in np.argsort(-chance) if k != taken and chance[k] > 0.05]
    return ", ".join(map(str, likely[:3]))


def _of_ais(vessel: pd.Series[Any]) -> dict[str, Any]:
    return {
        "mmsi": int(vessel["mmsi"]),
        "name": vessel["name"] or "",
        "destination": vessel["destination"] or "",
        "gap_s": vessel["gap_s"],
        "length_ais_m": vessel["length_m"],
        "sog_kn": vessel["sog_kn"],
        "nav_status": vessel["nav_status"],
        "sigma_m": vessel["along"],
    }


def _alone(
    one: _Pass, heard: pd.DataFrame, chosen: NDArray[np.int64], chance: Reals, plane: Plane
) -> Iterator[dict[str, Any]]:
    """Yield the vessels of AIS that no vessel of the radar is taken for, where the radar looked or near it."""
    free = np.setdiff1d(np.arange(len(heard)), chosen)
    if not free.size or one.coverage.empty:
        return
    flat = [plane.flatten_geometry(shape) for shape in one.coverage.geometry]
    points = [shapely.Point(place) for place in heard[["x", "y"]].to_numpy(float)]
    for k in free:
        vessel = heard.iloc[k]
        away = np.array([shape.distance(points[k]) for shape in flat])
        nearest = int(np.argmin(away))
        if away[nearest] > SHOWN_M:
            continue
        longitude, latitude = shapely.get_coordinates(plane.raise_geometry(points[k]))[0]
        limit = float(one.coverage["detectable_length_m"].iloc[nearest])
        inside = away[nearest] == 0
        state = "not_seen" if inside else "outside"
        if inside and vessel["length_m"] < limit:
            state = "too_small"
        yield {
            **_of_ais(vessel),
            "time": one.start,
            "pier": one.coverage["pier"].iloc[nearest] if inside else None,
            "state": state,
            "longitude": longitude,
            "latitude": latitude,
            "p_match": float(chance[:, k].sum()),
            "p_hear": one.hearing.p_hear,
            "note": f"shorter than the {limit:.0f} m that would be seen" if state == "too_small" else "",
        }


def _false_ones(one: _Pass, reports: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the vessels that transmitted false positions at the pass: where they are is not known."""
    lately = reports.loc[reports["is_false"] & ((reports["time"] - one.time).abs() <= BESIDE)]
    for row in lately.drop_duplicates("mmsi").to_dict("records"):
        yield {
            **{name: row[name] for name in ("mmsi", "name", "destination", "longitude", "latitude", "nav_status")},
            "length_ais_m": row["length_m"],
            "time": one.start,
            "state": "false_position",
            "gap_s": abs((row["time"] - one.time).total_seconds()),
            "note": "transmitting, from a false position",
        }


def _heard(one: _Pass, doubt: str) -> dict[str, Any]:
    """Return how AIS was heard at a pass, as plain JSON values."""
    share = one.hearing.p_hear
    return {
        "time": one.start.isoformat(),
        "n_at_rest": one.hearing.n_at_rest,
        "p_hear": None if np.isnan(share) else share,
        "share_false": one.hearing.share_false,
        "why_not": doubt or one.hearing.why_not,
    }


def _as_table(rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Return rows as a table, in order of time, pier and place."""
    rows.sort(key=lambda row: (row["time"], row.get("pier") or "~", row.get("vessel") or "~", row.get("mmsi") or 0))
    empty = AIS_MATCHES.blank | {"note": "", "name": "", "destination": ""}
    places = [shapely.Point(row["longitude"], row["latitude"]) for row in rows]
    return AIS_MATCHES.of_rows([empty | row for row in rows], places)


def _over_visits(matches: AisMatches, results: Surveyed) -> gpd.GeoDataFrame:
    """Return the table with the chance of each dark vessel over the passes of its visit."""
    table, mmsi = matches.table, matches.mmsi()
    visits = find_visits(results.vessels, results.piers, results.scenes, results.coverage, mmsi=mmsi)
    visit_of = dict(zip(visits["vessel"], visits["visit"], strict=True))
    known = visits.dropna(subset=["mmsi"]).drop_duplicates("visit").set_index("visit")["mmsi"]
    dark = table["state"] == "dark"
    visit = table["vessel"].map(visit_of).astype("str")
    visit = visit.where(visit.notna() & visit.isin(visits["visit"]), table["vessel"].astype("str"))
    p_dark, note = table["p_dark"].to_numpy(float).copy(), table["note"].tolist()
    for name, rows in table[dark].groupby(visit[dark]):
        if name in known.index:  # one that is known on another pass only fell silent on these
            for row in rows.index:
                p_dark[row] = dark_chance([table["p_hear"][row]])
                note[row] = f"on another pass of its visit it was {known[name]}"
        else:
            p_dark[rows.index] = dark_chance(rows["p_hear"].tolist())
    return table.assign(p_dark=p_dark, note=pd.Series(note, index=table.index, dtype="str"))
