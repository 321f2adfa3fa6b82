"""The worth of each part of what the network learns from: trained without it, and counting real ships in made-up ports.

`python -m benchmarks.training.ablations FOLDER [--rows NAME...] [--write]` trains a network for each row of the table,
all of them as shortly (`N_STEPS` steps on `N_WORLDS` worlds), and lets it count the ports of `benchmarks.hybrid_ports`
whose ships are of the scene that it has not seen: first the usual one with this or that left out, then each other scene
held out in its turn. The best simple way counts the same ports. Worlds, weights and figures in FOLDER are kept, so what
was cut off goes on; `--write` puts the table of the rows that are there into docs/piers.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: small products of matrices gain nothing by threads

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from itertools import product as every
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from benchmarks import hybrid_ports
from benchmarks.pages import ROOT, write_between
from benchmarks.training.__main__ import fit, make_worlds
from benchmarks.training.chips import HELD_OUT, real_ships
from benchmarks.training.examples import WorldFrame, read_worlds
from benchmarks.training.export import read_weights, save_weights
from benchmarks.training.train import CALIBRATION, TrainParams
from sarship.vessels.network import Network, load_network

N_STEPS: Final = 1_200
N_WORLDS: Final = 600
N_CALIBRATION: Final = 60
SHIPPED: Final = "the network that ships"
ANEW: Final = "the same, trained anew"


class Row(NamedTuple):
    """One network: what it learns from."""

    name: str
    held_out: str = HELD_OUT
    has_real: bool = True
    has_stern_to: bool = True


ROWS: Final = (
    Row("all of it"),
    Row("no real ships", has_real=False),
    Row("no stern-to", has_stern_to=False),
    *(Row("all of it", scene) for scene in ("20150902", "20160131", "20160518")),
)


def key_of(row: Row) -> str:
    """Name of a row's files."""
    return f"{row.name.replace(' ', '-')}-{row.held_out}"


def _worlds(row: Row, folder: Path, jobs: int) -> tuple[list[WorldFrame], list[WorldFrame]]:
    """Frames to learn from and to fit chances on; without real ships worlds farther on make up the number."""
    seeds = range(N_WORLDS if row.has_real else CALIBRATION[0])
    held = range(CALIBRATION[0], CALIBRATION[0] + N_CALIBRATION)
    worlds = folder / f"worlds-{row.held_out}"
    make_worlds(worlds, [*seeds, *held], jobs, row.held_out)
    learned = [
        frame
        for frame in read_worlds(worlds, seeds.start, seeds.stop)
        if (row.has_real or not frame.is_real) and (row.has_stern_to or not frame.has_stern_to)
    ]
    return learned, read_worlds(worlds, held.start, held.stop)


def trained(row: Row, folder: Path, jobs: int) -> Network:
    """The network of a row, from the folder if it is there."""
    path = folder / f"{key_of(row)}.npz"
    if not path.exists():
        learned, held = _worlds(row, folder, jobs)
        print(f"{key_of(row)}: {len(learned)} frames to learn from", flush=True)
        save_weights(path, fit(learned, held, TrainParams(n_steps=N_STEPS)))
    return read_weights(path)


def measured(scene: str, networks: dict[str, Network], n_ports: int) -> pd.DataFrame:
    """Error and F1 of each network, and of the simple way with the least error, by kind of port."""
    ships = real_ships(scene, only=True)
    ways = {name: partial(hybrid_ports.network, weights=network) for name, network in networks.items()}
    results = []
    for kind, number in every(hybrid_ports.KINDS, range(n_ports)):
        case = hybrid_ports.make_case(kind, number, ships)
        results.append(hybrid_ports.run_case(case, ways))
        print(f"{scene}: {case.port.name}", flush=True)
    pairs, counts = (pd.concat(parts) for parts in zip(*results, strict=True))
    table = hybrid_ports.figures_of_ways(pairs, counts)[["MAE a pier", "F1"]].reset_index()
    table = table.drop(columns="setting").rename(columns={"MAE a pier": "MAE"})
    table["way"] = table["way"].where(table["way"].isin(networks), "best simple way")
    best = table.sort_values("MAE", kind="stable").drop_duplicates(["kind", "way"])
    return best.assign(scene=scene, n_ships=len(ships) // 2)


def table_of(figures: pd.DataFrame) -> str:
    """Markdown: a row a network and scene, and the best simple way below them."""
    kinds = list(hybrid_ports.KINDS)
    heads = [f"{kind}: {name}" for kind in kinds for name in ("MAE", "F1")]
    lines = ["| ships of | learned from | " + " | ".join(heads) + " |", "|---|---|" + "--:|" * len(heads)]
    order = [SHIPPED, ANEW, *dict.fromkeys(row.name for row in ROWS), "best simple way"]
    for scene in figures["scene"].unique().tolist():
        part = figures[figures["scene"] == scene]
        for way in order:
            own = part[part["way"] == way].set_index("kind")
            if len(own):
                values = [f"{own.loc[kind, name]:.2f}" for kind in kinds for name in ("MAE", "F1")]
                day = f"{scene[:4]}-{scene[4:6]}-{scene[6:]} ({own['n_ships'].iloc[0]})"
                lines.append(f"| {day} | {way} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rows", nargs="*", default=[key_of(row) for row in ROWS], help="only these")
    parser.add_argument("--ports", type=int, default=hybrid_ports.N_PORTS, help="number of ports of each kind")
    parser.add_argument("--only-train", action="store_true")
    parser.add_argument("--anew", type=Path, help="weights of a whole training, to be measured as well")
    parser.add_argument("--write", action="store_true", help="put the table into docs/piers.md")
    options = parser.parse_args(arguments)
    if not real_ships(only=True) or not hybrid_ports.repeats():
        print("set SARSHIP_DATA to the folder that holds opensarship, opensarship_more and safe")
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    by_scene: dict[str, dict[str, Network]] = {}
    for row in (each for each in ROWS if key_of(each) in options.rows):
        by_scene.setdefault(row.held_out, {})[row.name] = trained(row, options.folder, options.jobs)
    if options.only_train:
        return 0
    for scene, networks in by_scene.items():
        path = options.folder / f"figures-{scene}.csv"
        if not path.exists():
            shipped = {SHIPPED: load_network()} if scene == HELD_OUT else {}
            if shipped and options.anew:
                shipped[ANEW] = read_weights(options.anew)
            measured(scene, shipped | networks, options.ports).to_csv(path, index=False)
    paths = [options.folder / f"figures-{scene}.csv" for scene in dict.fromkeys(row.held_out for row in ROWS)]
    figures = pd.concat([pd.read_csv(path, dtype={"scene": str}) for path in paths if path.exists()])
    text = table_of(figures)
    print(text)
    if options.write:
        write_between(ROOT / "docs" / "piers.md", "ablations", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
