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
@click.option("--page", is_flag=True, help="Write the table's rows to docs/security.md as well.")
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
    rows = {
        name: f"| {name} | {kinds.total()} | " + " | ".join(str(kinds[kind]) for kind in OUTCOMES) + " |"
        for name, kinds in done.items()
    }
    head = ["| | tried | " + " | ".join(OUTCOMES) + " |", "|---" + "|--:" * (len(OUTCOMES) + 1) + "|"]
    click.echo("\n".join([*head, *rows.values()]))
    if page:
        write_rows(head, rows)


def write_rows(head: list[str], rows: dict[str, str]) -> None:
    """Put rows into the table of docs/security.md; the rows of classes that were not tried stay as they are."""
    page = ROOT / "docs" / "security.md"
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in page.read_text("utf-8").splitlines()}
    lines = [rows.get(name) or kept.get(name) for name in CLASSES]
    write_between(page, "faults", "\n".join([*head, *filter(None, lines)]))


if __name__ == "__main__":
    campaign()
