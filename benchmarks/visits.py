"""Arrivals, departures and stays at piers against simulated truth: those of the rows, the sums of chances, the chances.

`python -m benchmarks.visits [--write]` surveys the demo's port for five seeds and `LARGE_PORT` for three, without AIS,
and puts the tables into docs/results.md; `--folder FOLDER` keeps the surveys, and takes those that are there. Only
passes that saw a pier count, and of a pier only the transitions between two of them. Constants of `counts/links.py` and
`counts/stays.py` were chosen on other seeds: 5 to 9 and 30 to 41 of the demo, 21 and 22 of the large port.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: small products of matrices gain nothing by threads

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd

from benchmarks.pages import ROOT, write_between
from benchmarks.port_scores import matched
from sarship.counts.passes import MIN_SEEN, group_passes, seen_by_pass
from sarship.pipeline.result_files import read_results
from sarship.pipeline.results import Results
from sarship.pipeline.surveys import survey
from sarship.port.port_file import read_port
from sarship.simulate import LARGE_PORT, simulate_port_series

PORTS: Final[dict[str, dict[str, Any]]] = {
    "demo": {"n_dates": 8, "n_orbits": 2},
    "large port": {"n_dates": 20, "n_orbits": 2, "plan": LARGE_PORT, "tidy": True, "wind_m_s": (2.0, 15.0)},
}
SEEDS: Final = {"demo": (0, 1, 2, 3, 4), "large port": (11, 12, 13)}
EVENTS: Final = ("arrived", "left", "stayed")
CLASSES: Final = (0.0, 0.5, 0.7, 0.85, 0.95, 1.0)


def surveyed(port: str, seed: int, folder: Path) -> tuple[Results, gpd.GeoDataFrame]:
    """The results of a simulated port and its true vessels, from the folder if they are there."""
    if not (folder / "truth.parquet").exists():
        with TemporaryDirectory() as products:
            series = simulate_port_series(products, seed=seed, **PORTS[port])
            survey(series.products, read_port(series.port_file), folder)
            series.truth.to_parquet(folder / "truth.parquet")
    return read_results(folder), gpd.read_parquet(folder / "truth.parquet")


def true_stays(results: Results, truth: gpd.GeoDataFrame) -> pd.DataFrame:
    """One row a pier and pass that saw it: its number, the true vessels of it, and those of the pass before."""
    names = [str(name) for name in results.piers["name"][results.piers["kind"] == "pier"]]
    before: dict[str, set[str]] = {}
    rows = []
    for frame in group_passes(results.scenes, results.coverage):
        seen = seen_by_pass(results.coverage[results.coverage["scene"].isin(frame["scene"])], names)[0]
        there = truth[truth["scene"].isin(frame["scene"])]
        for name, part in zip(names, seen, strict=True):
            if part >= MIN_SEEN:
                now = set(there.loc[there["pier"] == name, "vessel_id"])
                rows.append({"time": frame["start"].iloc[0], "pier": name, "now": now, "before": before.get(name)})
                before[name] = now
    return pd.DataFrame(rows)


def sums_of(results: Results, true: pd.DataFrame) -> pd.DataFrame:
    """Number of each kind of event: the truth, that of the rows, the sum of chances and one sigma of it."""
    later = true[true["before"].notna()]
    number = {
        "arrived": sum(len(now - before) for now, before in zip(later["now"], later["before"], strict=True)),
        "left": sum(len(before - now) for now, before in zip(later["now"], later["before"], strict=True)),
        "stayed": sum(len(now & before) for now, before in zip(later["now"], later["before"], strict=True)),
    }
    names = true["pier"].unique()
    rows = results.visits[results.visits["pier"].isin(names)]["status"].replace("missed", "stayed").value_counts()
    traffic = results.traffic[results.traffic["pier"].isin(names)]
    return pd.DataFrame(
        {
            "true": number,
            "rows": rows.reindex(EVENTS, fill_value=0),
            "sum": traffic[list(EVENTS)].sum(),
            "error": {name: np.sqrt((traffic[f"{name}_error"] ** 2).sum()) for name in EVENTS},
        }
    )


def held(results: Results, truth: gpd.GeoDataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """Each event of the rows: its chance, and whether it is true of the true vessel that lies there."""
    crs = str(results.piers.estimate_utm_crs())
    known: dict[str, str] = {}
    for frame in group_passes(results.scenes, results.coverage):
        found, there = (table[table["scene"].isin(frame["scene"])] for table in (results.vessels, truth))
        pairs = matched(found[found["pier"].notna()], there[there["pier"].notna()], crs).dropna(subset=["vessel"])
        known |= dict(zip(pairs["vessel"], pairs["vessel_id"], strict=True))
    keys = zip(true["pier"], true["time"], strict=True)
    there_at: dict[Any, tuple[set[str], set[str] | None]] = dict(
        zip(keys, zip(true["now"], true["before"], strict=True), strict=True)
    )
    rows = []
    for _, visit in results.visits[results.visits["pier"].isin(true["pier"])].groupby("visit"):
        last = ""
        columns = [visit[name].tolist() for name in ("vessel", "status", "pier", "time", "probability")]
        for vessel, status, pier, time, chance in zip(*columns, strict=True):
            last = known.get(vessel, "") if isinstance(vessel, str) else last
            now, before = there_at[pier, time]
            if status not in EVENTS or before is None:
                continue
            is_so = {
                "arrived": last in now and last not in before,
                "left": last in before and last not in now,
                "stayed": last in now and last in before,
            }
            rows.append({"status": status, "chance": chance, "is_so": is_so[status]})
    return pd.DataFrame(rows)


def sums_text(sums: pd.DataFrame) -> str:
    """The sums as Markdown, one line a survey, and one for each port."""
    heads = [f"{event}: true | rows | sum" for event in EVENTS]
    lines = ["| port, seed | " + " | ".join(heads) + " |", "|---|" + "--:|" * 9]
    for port, of_port in sums.groupby("port", sort=False):
        for seed, one in of_port.groupby("seed", sort=False):
            values = one.loc[list(EVENTS), ["true", "rows", "sum", "error"]].to_numpy(float).tolist()
            cells = [f"{true:.0f} | {rows:.0f} | {total:.0f} ± {error:.0f}" for true, rows, total, error in values]
            lines.append(f"| {port}, {seed} | " + " | ".join(cells) + " |")
        totals = of_port.groupby(level=0)[["true", "rows", "sum"]].sum().loc[list(EVENTS)].to_numpy(float).tolist()
        cells = [f"{true:.0f} | {rows / true - 1:+.0%} | {total / true - 1:+.0%}" for true, rows, total in totals]
        lines.append(f"| **{port}** | " + " | ".join(cells) + " |")
    within = ((sums["sum"] - sums["true"]).abs() <= 1.2816 * sums["error"]).mean()
    return "\n".join([*lines, "", f"The truth lies within 1.28 sigma of {within:.0%} of the sums (80 % would)."])


def chances_text(events: pd.DataFrame) -> str:
    """The chances of the rows against how often they are true, as Markdown."""
    lines = ["| port, chance | " + " | ".join(f"{e}: rows | mean chance | true" for e in EVENTS) + " |"]
    lines.append("|---|" + "--:|" * 9)
    for port, of_port in events.groupby("port", sort=False):
        which = pd.cut(of_port["chance"], CLASSES, include_lowest=True)
        for low, high, here in zip(CLASSES[:-1], CLASSES[1:], which.cat.categories, strict=True):
            cells = []
            for event in EVENTS:
                mine = of_port[(which == here) & (of_port["status"] == event)]
                few = f"{mine['chance'].mean():.2f} | {mine['is_so'].mean():.2f}" if len(mine) else "– | –"
                cells.append(f"{len(mine)} | {few}")
            lines.append(f"| {port}, {low:.2f} to {high:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where surveys are kept, and taken from")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/results.md")
    options = parser.parse_args(arguments)
    sums, events = [], []
    with TemporaryDirectory() as scratch:
        for port, seeds in SEEDS.items():
            for seed in seeds:
                results, truth = surveyed(port, seed, (options.folder or Path(scratch)) / f"{port} {seed}")
                true = true_stays(results, truth)
                sums.append(sums_of(results, true).assign(port=port, seed=seed))
                events.append(held(results, truth, true).assign(port=port))
    text = f"{sums_text(pd.concat(sums))}\n\n{chances_text(pd.concat(events))}"
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "results.md", "visits", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
