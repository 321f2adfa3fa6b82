"""Content of the page as plain values: what the script draws, and what the template writes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import shapely
import xarray as xr

from sarship.ais import AisMatches
from sarship.counts.passes import are_counted, vessels_once
from sarship.counts.places import counts_at, traffic_at
from sarship.pipeline.results import Failure, Results
from sarship.pipeline.table_files import counts_csv, footprints, table_csv, vessels_csv
from sarship.port.grid import PortGrid
from sarship.report.pictures import Frames
from sarship.report.words import on
from sarship.schema import WHOLE_PORT

__all__ = ["as_uri", "csv_links", "drawn", "redacted", "tables"]

SECONDS: Final = 1_000_000_000


def redacted(results: Results) -> Results:
    """Return results without the identities of vessels and people in reports and by AIS, and without paths."""
    reports = results.observations
    numbers = {name: str(k) for k, name in enumerate(reports["observation"], 1)}
    marks = reports["contradicts"].map(lambda names: " ".join(numbers[name] for name in names.split()))
    hidden = {"observation": reports["observation"].map(numbers), "contradicts": marks}
    hidden |= {"vessel": reports["vessel"].where(reports["vessel"] == "", "a named vessel")}
    hidden |= {
        name: reports[name].where(reports[name].isna(), "") for name in ("collected_by", "note", "url", "archived")
    }
    failures = tuple(Failure(path=PurePath(one.path).name, message="could not be read") for one in results.failures)
    ais = None if results.ais is None else results.ais.redacted()
    return replace(results, observations=reports.assign(**hidden), failures=failures, sources={}, ais=ais)


def as_uri(content: bytes, kind: str) -> str:
    """Return a file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def csv_links(results: Results) -> list[tuple[str, str]]:
    """Return the name of each table's file, and its address."""
    files = {"counts.csv": counts_csv(results.counts), "vessels.csv": vessels_csv(results.vessels)}
    derived = {name: getattr(results, name) for name in ("changes", "visits", "traffic", "agreement")}
    files |= {f"{name}.csv": table_csv(table) for name, table in {**derived, **results.given}.items()}
    return [(name, as_uri(content, "text/csv")) for name, content in files.items()]


def tables(results: Results) -> dict[str, Any]:
    """Return the rows of the page's tables."""
    counts = results.counts
    return {
        "piers": [str(name) for name in counts["pier"].to_numpy()],
        "counts": [_pass_row(counts.isel(time=k)) for k in range(counts.sizes["time"])],
        "changes": results.changes.drop(columns="geometry").to_dict("records"),
        "traffic": traffic_at(results.traffic, counts).reset_index(names="where").to_dict("records"),
        "reports": _reports(results),
        "ais": _ais_rows(results),
        "ais_said": [] if results.ais is None else str(results.ais).splitlines(),
        "ais_files": [] if results.ais is None else results.ais.summary["files"],
        "failures": results.failures,
        "gaps": results.completeness,
        "n_unseen": counts["n_vessels"].size - int(counts["n_vessels"].count()),
        "scenes": results.scenes.sort_values("start").drop(columns="geometry").to_dict("records"),
        "detectable_m": _ends(counts["detectable_length_m"]),
        "n_dates": _ends(counts["n_reference_dates"]),
    }


def _pass_row(here: xr.Dataset) -> dict[str, Any]:
    cells = []
    for n, low, high in zip(*(here[name].to_numpy() for name in ("n_vessels", "n_low", "n_high")), strict=True):
        text = "" if np.isnan(n) else f"{n:.0f}" if (low, high) == (n, n) else f"{n:.0f} ({low:.0f}–{high:.0f})"
        cells.append({"text": text, "value": -1 if np.isnan(n) else int(n)})
    when = pd.Timestamp(here["time"].item())
    fields = {name: here[name].item() for name in ("platform", "relative_orbit", "orbit_pass")}
    return {"time": on(when), "cells": cells, "scenes": str(here["scene"].item()).split()} | fields


def _ends(values: xr.DataArray) -> str:
    """Return the smallest and the largest; empty where all are missing."""
    finite = values.to_numpy()[np.isfinite(values.to_numpy())]
    return " to ".join(dict.fromkeys(f"{end:.0f}" for end in (finite.min(), finite.max()))) if finite.size else ""


def _reports(results: Results) -> list[dict[str, Any]]:
    evidence = results.observations.set_index("observation")[["kind", "url", "note", "confidence"]]
    rows = []
    for held in results.agreement.drop(columns="geometry").to_dict("records"):
        row = held | evidence.loc[held["observation"]].to_dict()
        is_address = _scheme(row["url"]) in {"http", "https"}
        hours = row["hours"]
        near = f"{abs(hours):.0f} h {'after' if hours > 0 else 'before'}" if abs(hours) >= 0.5 else "at that hour"
        seen = {"distance": near, "found": _found(row), "said": _said(row), "when": _when(row)}
        rows.append(row | seen | {"is_address": is_address})
    return rows


def _found(row: dict[str, Any]) -> str:
    """Return what the pass says: a count, or how full an apron is; empty where it says nothing."""
    if np.isfinite(row["fill"]):
        return f"{100 * row['fill']:.0f} % full ({100 * row['fill_low']:.0f}–{100 * row['fill_high']:.0f})"
    return "" if np.isnan(row["n_vessels"]) else f"{row['n_vessels']:.0f} ({row['n_low']:.0f}–{row['n_high']:.0f})"


def _ais_rows(results: Results) -> list[dict[str, Any]]:
    """Return the vessels of radar and AIS beside each other, at piers, on the newest pass first."""
    if results.ais is None:
        return []
    table = results.ais.table[results.ais.table["pier"].notna()].drop(columns="geometry")
    rows = table.sort_values(["time", "pier", "state"], ascending=[False, True, True]).to_dict("records")
    return [
        row | {"state": row["state"].replace("_", " "), "chance": _chance(row), "mmsi": _number(row["mmsi"])}
        for row in rows
    ]


def _number(mmsi: Any) -> str:
    return "" if pd.isna(mmsi) else str(int(mmsi))


def _chance(row: dict[str, Any]) -> str:
    """Return the chance of what the state says; empty where it says nothing."""
    chance = {"matched": row["p_match"], "ambiguous": row["p_match"], "dark": row["p_dark"]}.get(row["state"], np.nan)
    return "" if np.isnan(chance) else f"{100 * chance:.0f} %"


def _scheme(url: str) -> str:
    """Return the scheme of an address; empty for what is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.netloc else ""
    except ValueError:
        return ""


def _said(row: dict[str, Any]) -> str:
    low, high = row["low"], row["high"]
    if np.isnan(low) and np.isnan(high):
        number = str(row["fullness"])
    elif low == high:
        number = f"{low:.0f}"
    elif np.isnan(high):
        number = f"at least {low:.0f}"
    else:
        number = f"at most {high:.0f}" if np.isnan(low) else f"{low:.0f}–{high:.0f}"
    return " ".join(part for part in (number, str(row["vessel"] or row["what"])) if part)


def _when(row: dict[str, Any]) -> str:
    start, stop = row["time_from"], row["time_to"]
    if stop - start == pd.Timedelta(1, "D") and start == start.normalize():
        return f"{start:%Y-%m-%d}"
    return on(start) if start == stop else f"{on(start)} to {on(stop)}"


def drawn(results: Results, frames: Frames | None) -> dict[str, Any]:
    """Return what the script draws: passes, series, and with a grid the places of piers and vessels."""
    counts = results.counts
    names = [str(scenes).split() for scenes in counts["scene"].to_numpy()]
    passes = [
        {"time": int(when.value // SECONDS), "label": on(when), "orbit": int(orbit), "platform": str(platform)}
        for when, orbit, platform in zip(
            pd.DatetimeIndex(counts["time"].to_numpy()),
            counts["relative_orbit"].to_numpy(),
            counts["platform"].to_numpy(),
            strict=True,
        )
    ]
    data: dict[str, Any] = {
        "simulated": results.provenance.is_simulated,
        "passes": passes,
        "places": _places(results),
        "vessels": [_vessel(row, k) for k, rows in enumerate(_rows(results, names)) for row in rows],
        "map": None,
    }
    if frames is not None:
        grid = frames.grid
        outlines = footprints(results.vessels).set_index("vessel").geometry
        for vessel in data["vessels"]:
            vessel["ring"] = _rings(grid, outlines[vessel["name"]])[0]
        rings = [_rings(grid, shape) for shape in results.piers.geometry]
        yards = results.aprons.drop_duplicates("apron")
        data["map"] = {
            "rows": grid.shape[0] // frames.step * frames.step,
            "columns": grid.shape[1] // frames.step * frames.step,
            "step": frames.step,
            "metres": grid.spacing_m,
            "piers": [{"name": str(n), "rings": r} for n, r in zip(results.piers["name"], rings, strict=True)],
            "aprons": [
                {"name": str(name), "rings": _rings(grid, shape)}
                for name, shape in zip(yards["apron"], yards.geometry, strict=True)
            ],
            "radar": [None if one is None else as_uri(one.radar, "image/webp") for one in frames.by_pass],
            "over": [
                None if one is None or one.over is None else as_uri(one.over, "image/webp") for one in frames.by_pass
            ],
        }
    return data


def _places(results: Results) -> list[dict[str, Any]]:
    """Return the series of each pier, and of all where there are several; missing counts are null."""
    counts = results.counts
    if not counts.sizes["time"]:
        return []
    times = pd.DatetimeIndex(counts["time"].to_numpy()).tz_localize("UTC")
    frames = counts_at(counts)
    names = [str(name) for name in counts["pier"].to_numpy()]
    if (counts["kind"] == "pier").sum() > 1:
        names.append(WHOLE_PORT)
    counted = results.agreement[results.agreement["state"].ne("not_compared") & results.agreement["fullness"].eq("")]
    places = []
    for name in names:
        frame = frames[name].set_index("time").reindex(times)
        changes = results.changes[(results.changes["where"] == name) & (results.changes["quantity"] == "n_vessels")]
        changes = changes[changes["direction"] != "method"]
        reports = counted[counted["where"] == name]
        places.append(
            {
                "name": "All piers" if name == WHOLE_PORT else name,
                "together": name == WHOLE_PORT,
                **{key: _whole(frame[key]) for key in ("n_vessels", "n_low", "n_high")},
                "alone": [has is False for has in frame["has_reference"]],
                "changes": [
                    {"from": _s(row.window_from), "to": _s(row.window_to), "label": f"{100 * row.probability:.0f} %"}
                    for row in changes.itertuples()
                ],
                "reports": [_mark(row) for row in reports.drop_duplicates("observation").to_dict("records")],
                "said": _summary(name, frame, len(changes)),
            }
        )
    return places


def _whole(values: pd.Series[float]) -> list[int | None]:
    return [None if np.isnan(value) else int(value) for value in values]


def _s(time: pd.Timestamp) -> int:
    return int(time.value // SECONDS)


def _mark(row: dict[str, Any]) -> dict[str, Any]:
    bounds = [None if np.isnan(row[name]) else row[name] for name in ("low", "high")]
    return {"from": _s(row["time_from"]), "to": _s(row["time_to"]), "low": bounds[0], "high": bounds[1]} | {
        "state": row["state"]
    }


def _summary(name: str, frame: pd.DataFrame, n_changes: int) -> str:
    """Return what a chart shows, for those who do not see it."""
    seen = frame["n_vessels"].dropna()
    if not len(seen):
        return f"{name}: not seen on any of {len(frame)} passes"
    ends = f"{seen.min():.0f} to {seen.max():.0f} vessels, {seen.iloc[-1]:.0f} on the last"
    return (
        f"{name}: seen on {len(seen)} of {len(frame)} passes, {ends}; {n_changes} changes. The numbers are in a table."
    )


def _rows(results: Results, names: list[list[str]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the vessels of each pass, each once, those at piers first."""
    status = dict(zip(results.visits["vessel"], results.visits["status"], strict=True))
    by_ais = {} if results.ais is None else _known_as(results.ais)
    vessels = results.vessels.assign(
        is_counted=are_counted(results.vessels),
        status=[status.get(name, "") for name in results.vessels["vessel"]],
        ais=[by_ais.get(name, "") for name in results.vessels["vessel"]],
        rank=results.vessels["pier"].map({name: k for k, name in enumerate(results.piers["name"])}),
    )
    for scenes in names:
        here = vessels_once(vessels[vessels["scene"].isin(scenes)])
        plain = pd.DataFrame(here.drop(columns="geometry"))
        ordered = plain.sort_values(["rank", "confidence"], ascending=[True, False])
        yield [dict(zip(ordered.columns, row, strict=True)) for row in ordered.itertuples(index=False)]


def _known_as(ais: AisMatches) -> dict[str, str]:
    """Return what AIS says of each vessel of the radar, by its row."""
    rows = ais.table[ais.table["vessel"].notna()]
    named = rows["name"].where(rows["name"] != "", "no. " + rows["mmsi"].map(_number))
    said = rows["state"].where(rows["state"] != "matched", named)
    return dict(zip(rows["vessel"], "AIS: " + said.str.replace("_", " "), strict=True))


def _vessel(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "pass": number,
        "name": row["vessel"],
        "length": round(row["length_m"]),
        "error": None if np.isnan(row["length_error_m"]) else round(row["length_error_m"]),
        "width": round(row["width_m"]),
        "pier": None if pd.isna(row["pier"]) else str(row["pier"]),
        "confidence": round(float(row["confidence"]), 2),
        "evidence": str(row["evidence"]),
        "flag": str(row["flag"]).replace("_", " "),
        "counted": bool(row["is_counted"]),
        "status": row["status"],
        "ais": row["ais"],
        "place": f"{row['latitude']:.5f}, {row['longitude']:.5f}",
    }


def _rings(grid: PortGrid, shape: Any) -> list[list[list[float]]]:
    """Return the outlines of a geometry in columns and rows of the grid."""
    placed = grid.place(shape)
    parts = shapely.get_parts(placed)
    lines = [part.exterior if part.geom_type == "Polygon" else part for part in parts]
    return [np.round(shapely.get_coordinates(line) + 0.5, 1).tolist() for line in lines]
