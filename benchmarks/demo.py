"""What `sarship demo` prints, beside what other seeds of it give.

`python -m benchmarks.demo` runs the demo with its own seed and four more, in a folder that is thrown away; `--write`
puts the tables into docs/piers.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.pages import ROOT, write_between
from sarship.pipeline.demo import DemoOutcome, run_demo

SEEDS: Final = range(5)
"""The first is the demo's own."""


def dates_of(outcome: DemoOutcome) -> str:
    """Counted / true of each date and pier, as Markdown."""
    counted, true = outcome.counts["n_vessels"].to_numpy(), outcome.truth.to_numpy()
    dates = pd.DatetimeIndex(outcome.counts["time"].to_numpy()).strftime("%Y-%m-%d")
    piers = outcome.counts["pier"].to_numpy().tolist()
    lines = ["| counted / true | " + " | ".join(piers) + " |", "|---|" + "--:|" * len(piers)]
    for date, found, known in zip(dates, counted, true, strict=True):
        pairs = [f"{n:.0f} / {m:.0f}" for n, m in zip(found, known, strict=True)]
        lines.append(f"| {date} | " + " | ".join(pairs) + " |")
    return "\n".join(lines)


def row_of(seed: int, outcome: DemoOutcome) -> str:
    """One line of the second table: what the demo's last lines say."""
    error, counted = outcome.error.to_numpy(), np.nansum(outcome.counts["n_vessels"])
    figures = f"{counted:.0f} | {outcome.truth.sum().item():.0f} | {np.nanmean(np.abs(error)):.2f}"
    return f"| {seed} | {figures} | {np.nanmean(error):+.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/piers.md")
    options = parser.parse_args(arguments)
    lines = ["| seed | counted | true | mean absolute error a pier and date | bias |", "|--:|--:|--:|--:|--:|"]
    first = ""
    for seed in SEEDS:
        with TemporaryDirectory() as folder:
            outcome = run_demo(Path(folder) / "demo", seed=seed)
            first = first or dates_of(outcome)
            lines.append(row_of(seed, outcome))
    text = "\n".join([first, "", *lines])
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "piers.md", "demo", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
