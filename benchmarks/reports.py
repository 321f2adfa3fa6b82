"""How near the agreement with dated reports comes to the share of reports that are right, on the simulated port.

`python -m benchmarks.reports` runs `sarship demo`, has observers of known skill report a range at every pier and pass,
holds their reports against the counts, and writes the table into docs/howto/dated_reports.md.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from benchmarks.pages import ROOT, write_between
from sarship.analysis import Agreement, compare_observations, read_observations
from sarship.pipeline import Results, read_results, run_demo

N_OBSERVERS: Final = 20
SKILLS: Final = (0.95, 0.8, 0.5)
"""Shares of the reports that are not off by one or two vessels."""


def draw_reports(truth: xr.DataArray, skill: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return reports by observers, and of each if it is right."""
    rows = []
    for row in truth.to_dataframe("truth").reset_index().to_dict("records"):
        true = int(row["truth"])
        for observer in range(N_OBSERVERS):
            error = 0 if rng.random() < skill else int(rng.choice([-2, -1, 1, 2]))
            high = max(0, true + error)
            low = max(0, high - int(rng.integers(2)))
            when = row["time"] + pd.Timedelta(float(rng.uniform(-3, 3)), "h")
            is_right = low <= true <= high
            rows.append(
                (f"{when:%Y-%m-%dT%H:%M:%SZ}", row["pier"], low, high, "radar", f"observer {observer}", is_right)
            )
    return pd.DataFrame(rows, columns=["time", "where", "low", "high", "kind", "source", "is_right"])


def table(results: Results, truth: xr.DataArray) -> str:
    """Return a line for each skill: reports that are right, and those that are said to agree."""
    rng = np.random.default_rng(0)
    lines = ["| reports that are right | said to agree | points off | hold the count itself | points off | bias |"]
    lines.append("|--:|--:|--:|--:|--:|--:|")
    with TemporaryDirectory() as folder:
        for skill in SKILLS:
            reports = draw_reports(truth, skill, rng)
            path = Path(folder, "reports.csv")
            reports.drop(columns="is_right").to_csv(path, index=False)
            tables = results.vessels, results.piers, results.scenes, results.coverage
            found = Agreement.of(compare_observations(read_observations(path, results.piers), *tables))
            bias = f"{found.bias:+.2f} ({found.bias_low:+.2f} to {found.bias_high:+.2f})"
            right = reports["is_right"].mean()
            shares = found.n_agree / found.n_scored, found.n_hold / found.n_exact
            texts = [f"{share:.1%} | {100 * (share - right):+.1f}" for share in shares]
            lines.append(f"| {right:.1%} | {' | '.join(texts)} | {bias} |")
    return "\n".join(lines)


def main() -> None:
    """Run the demo and write the table."""
    with TemporaryDirectory() as folder:
        outcome = run_demo(folder)
        text = table(read_results(folder), outcome.truth)
    print(text)
    write_between(ROOT / "docs" / "howto" / "dated_reports.md", "reports", text)


if __name__ == "__main__":
    main()
