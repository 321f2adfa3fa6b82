"""The long run: many seeds of each class, kept in a file, from which the next run goes on.

python -m tests.faults --n 10000 --kept faults.jsonl
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it

from benchmarks.pages import ROOT, write_between
from faults.campaign import CLASSES, try_seeds
from faults.outcomes import HANG, OUTCOMES, RAW, SILENT


@click.command()
@click.option(
    "--n",
    "number",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Seeds of each class to reach; 0 for the table alone.",
)
@click.option("--only", multiple=True, type=click.Choice(tuple(CLASSES)), help="Only this class; may be repeated.")
@click.option("--kept", type=click.Path(path_type=Path), default=Path("faults.jsonl"), show_default=True)
@click.option("--page", is_flag=True, help="Write the table to docs/security.md as well.")
def campaign(number: int, only: tuple[str, ...], kept: Path, page: bool) -> None:
    """Try faults of each class, name those that went wrong, and print the table."""
    warnings.simplefilter("ignore")
    done = {name: Counter[str]() for name in only or CLASSES}
    reached = dict.fromkeys(done, 0)
    for line in kept.read_text().splitlines() if kept.exists() else ():
        name, seed, kind, _ = json.loads(line)
        if name in done:
            done[name][kind] += 1
            reached[name] = max(reached[name], seed + 1)
    with kept.open("a") as stream:
        for name, kinds in done.items():
            for seed, outcome in try_seeds(name, range(reached[name], number)):
                kinds[outcome.kind] += 1
                stream.write(json.dumps([name, seed, outcome.kind, outcome.detail[:500]]) + "\n")
                stream.flush()
                if outcome.kind in {SILENT, RAW, HANG}:
                    click.echo(f"{name} {seed}: {outcome.kind}: {outcome.detail[:200]!r}", err=True)
    lines = ["| | tried | " + " | ".join(OUTCOMES) + " |", "|---" + "|--:" * (len(OUTCOMES) + 1) + "|"]
    for name, kinds in done.items():
        lines.append(f"| {name} | {kinds.total()} | " + " | ".join(str(kinds[kind]) for kind in OUTCOMES) + " |")
    click.echo("\n".join(lines))
    if page:
        write_between(ROOT / "docs" / "security.md", "faults", "\n".join(lines))


if __name__ == "__main__":
    campaign()
