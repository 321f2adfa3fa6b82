"""CFAR of this tree beside that of another commit, in one run: speed, ratio, and whether the hits are the same.

`python -m benchmarks.beside 8bfcef3` lays the package of that commit in a temporary folder, searches the same images by
both, each in a process of its own, and prints a table. The two take turns, round after round, so that whatever else the
machine does falls on both: ratios hold where the figures of two runs do not. Ratios are of the processors' time, by the
medians and the minima of all rounds. `--side 4000` takes smaller images, `--models gamma k` other clutter models.

The images: that of `benchmarks.compare`, a sea with land over its last tenth, and that of `benchmarks.half_land`, which
is searched with its land masked as well.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, NamedTuple

import numpy as np

ROOT: Final = Path(__file__).parents[1]
# said here anew: the process that searches by another commit's package can load nothing that needs this tree's
PFA: Final = 1e-6
ENL: Final = 4.4
GUARD: Final = 10
TRAINING: Final = 10
CLUTTER_SHAPE: Final = 4.0
"""Order of the sea's texture under k: with it the threshold depends on the ring's mean alone, as under gamma."""


class Turn(NamedTuple):
    """One search of an image."""

    cpu_s: float
    wall_s: float
    n_hits: int
    places: str
    """Digest of the hits' lines and pixels."""


class Tree:
    """A process that searches by the package in a folder."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        used = Path(json.loads(self._pipe(self._process.stdout).readline()))
        if not used.is_relative_to(folder):
            raise RuntimeError(f"the package was to come from {folder} and comes from {used}")

    def search(self, image: Path, valid: Path | None, model: str) -> Turn:
        """Search once; an image, mask and model other than the last are loaded and compiled for beforehand."""
        print(json.dumps([str(image), valid and str(valid), model]), file=self._pipe(self._process.stdin), flush=True)
        return Turn(*json.loads(self._pipe(self._process.stdout).readline()))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None, "both are pipes"
        return pipe


def serve() -> None:
    """Answer each search that is asked for on the standard input, by the package that the path gives."""
    from sarship import cfar

    print(json.dumps(cfar.__file__), flush=True)
    known: list[Any] = []
    image: Any = None
    valid: Any = None
    for line in sys.stdin:
        asked = json.loads(line)
        params = _params(cfar.CfarParams, asked[2])
        if asked != known:
            known, image = asked, np.load(asked[0])
            valid = np.load(asked[1]) if asked[1] else None
            cfar.detect(image, params, valid)
        cpu, wall = time.process_time(), time.perf_counter()
        hits = cfar.detect(image, params, valid)
        took = time.process_time() - cpu, time.perf_counter() - wall
        places = hashlib.sha256(np.stack([hits.line, hits.pixel]).astype(np.int64).tobytes())
        print(json.dumps([*took, len(hits), places.hexdigest()]), flush=True)


def _params(kind: Any, model: str) -> Any:
    """The same parameters by the names that a commit has for them."""
    shape = CLUTTER_SHAPE if model == "k" else None
    common: dict[str, Any] = {"pfa": PFA, "guard": GUARD, "max_hits": 10**8}
    if "training" in inspect.signature(kind).parameters:
        return kind(**common, training=TRAINING, enl=ENL, clutter_model=model, clutter_shape=shape)
    return kind(**common, background=GUARD + TRAINING, looks=ENL, law=model, shape=shape)


@contextmanager
def package_of(commit: str) -> Iterator[Path]:
    """Lay the package of a commit in a temporary folder."""
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "package.tar"
        packing = ["git", "archive", "--output", str(archive), commit, "sarship"]
        if subprocess.run(packing, cwd=ROOT, check=False).returncode:
            raise SystemExit(f"git has no package at {commit!r}: give a commit of this repository")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        yield Path(folder)


def write_images(folder: Path, side: int) -> Iterator[tuple[str, str, Path, Path | None]]:
    """Write the images and masks; yield the name of each scene, its type, and the files."""
    from benchmarks import compare, half_land

    mask = folder / "mask.npy"
    np.save(mask, np.tile(np.arange(side) < side // 2, (side, 1)))
    for name, numbers in (
        ("sea, a tenth land", compare.make_image(side)[0]),
        ("half land", half_land.image("uint16", (side, side))),
    ):
        for kind in ("uint16", "float32"):
            path = folder / f"{name}-{kind}.npy"
            np.save(path, numbers if kind == "uint16" else numbers.astype(np.float32) ** 2)
            yield name, kind, path, None
            if name == "half land":
                yield f"{name}, masked", kind, path, mask


def row(trees: tuple[Tree, Tree], rounds: int, files: tuple[Path, Path | None], model: str, side: int) -> str:
    """Let two trees search in turn; return speeds, ratios and hits as the end of a table's line."""
    turns: tuple[list[Turn], list[Turn]] = [], []
    for _ in range(rounds):
        for tree, taken in zip(trees, turns, strict=True):
            taken.append(tree.search(*files, model))
    speeds = [side**2 / 1e6 / min(turn.wall_s for turn in taken) for taken in turns]
    ratios = [f([t.cpu_s for t in turns[0]]) / f([t.cpu_s for t in turns[1]]) for f in (median, min)]
    before, now = turns[0][0], turns[1][0]
    hits = f"{now.n_hits:,}" if before.places == now.places else f"{before.n_hits:,} → {now.n_hits:,}, differ"
    return f"{speeds[0]:,.0f} | {speeds[1]:,.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {hits} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commit", nargs="?", help="the other commit")
    parser.add_argument("--side", type=int, default=10_000, help="pixels of an image's side")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", nargs="+", default=["gamma", "k"], help="clutter models; k with its order given")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    if given.commit is None or given.rounds < 1:
        parser.error("give the commit to measure beside, and a round at least")
    with (
        package_of(given.commit) as folder,
        TemporaryDirectory() as images,
        closing(Tree(folder)) as before,
        closing(Tree(ROOT)) as now,
    ):
        head = "| image | type | clutter model"
        lines = [
            f"{head} | {given.commit}, Mpx/s | here | ratio, median | minimum | hits |",
            "|---|---|---|--:|--:|--:|--:|--:|",
        ]
        print("\n".join(lines))
        for name, kind, path, valid in write_images(Path(images), given.side):
            for model in given.models:
                end = row((before, now), given.rounds, (path, valid), model, given.side)
                lines.append(f"| {name} | {kind} | {model} | {end}")
                print(lines[-1], flush=True)
    if given.write:
        from benchmarks.full_scene import machine
        from benchmarks.pages import write_between

        size = f"{given.side:,} × {given.side:,} pixels, ring 10/20, pfa {PFA:g}, {given.rounds} rounds"
        write_between(ROOT / "README.md", "beside", "\n".join([f"{size}; {machine()}.", "", *lines]))


if __name__ == "__main__":
    main()
