"""Counts at the breakwater of Latakia, held against thirteen dates counted by eye.

`python -m benchmarks.latakia` reads the frames of `$SARSHIP_DATA/latakia` (a public port monitor's: VV alone,
terrain-corrected, filtered, clipped and stored in eight bits, so as unlike a product as users' images get), fits the
empty port of each orbit to its other dates, and counts the vessels whose middle lies in the counted polygon, with that
reference and by each image alone. `--picture FILE` draws every counted date with what was found.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from benchmarks.pages import ROOT, write_between
from sarship import schema
from sarship.change.detection import PortMasks, port_masks
from sarship.change.network_maps import port_maps
from sarship.change.reference import fit_reference
from sarship.port.grid import PortGrid
from sarship.vessels.at_piers import PierVessels, count_of, find_at_piers
from sarship.vessels.network import Network

__all__ = ["Frames", "read_frames"]

DATA: Final = Path(os.environ.get("SARSHIP_DATA", ROOT.parent / "shared" / "data")) / "latakia"
COUNTED: Final = shapely.Polygon([(345, 165), (400, 165), (440, 320), (407, 325), (360, 230)])
"""Waters in which vessels were counted by eye, columns and rows."""
MOLE: Final = shapely.LineString([(338, 172), (408, 345)])
"""The breakwater."""
REACH_M: Final = 150.0
LOWEST_DB, STEP_DB = -27.0, 25.0 / 254
N_REFERENCES: Final = 24
HEADING_DEG: Final = {"ascending": -11.9, "descending": 191.9}
DESCENDING: Final = (21, 94)
"""Relative orbits that go south; 14 and 87 go north."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The dates of the monitor on their grid."""

    grid: PortGrid
    stack: xr.Dataset
    """As `read_stack` gives it."""
    index: NDArray[np.int64]
    land: NDArray[np.bool_]
    masks: PortMasks
    counted: pd.DataFrame


def read_frames() -> Frames:
    """Read the frames and the counts by eye."""
    table = pd.read_csv(DATA / "frames.csv").set_index("index")
    with np.load(DATA / "latakia_vv_even.npz") as file:
        numbers, index, corner = file["vv"], file["index"], file["upper_left"]
    power = 10 ** ((LOWEST_DB + STEP_DB * (numbers.astype(np.float32) - 1)) / 10)
    power[numbers == 0] = np.nan
    grid = PortGrid(crs="EPSG:32636", west_m=float(corner[0]), north_m=float(corner[1]), shape=numbers.shape[1:])
    rows = table.loc[index]
    coords = {
        "time": pd.to_datetime(rows["start"]).to_numpy().astype("datetime64[ns]"),
        "polarization": ["VV"],
        "y": grid.y,
        "x": grid.x,
        "scene": ("time", rows["product"].to_numpy().astype(str)),
        "relative_orbit": ("time", rows["rel_orbit"].to_numpy()),
    }
    stack = xr.Dataset({"sigma0": (("time", *schema.PORT_SIGMA0.dims), power[:, None])}, coords, grid.attrs)
    land = np.mean(numbers == 0, axis=0) > 0.5
    bright = np.median(np.nan_to_num(power), axis=0) > 0.3
    mole = shapely.transform(MOLE, lambda xy: np.stack(grid.to_map(xy[:, 1], xy[:, 0]), -1))
    masks = port_masks(grid, piers=mole)
    open_water = masks.open_water & ~land & ~bright
    counted = pd.read_csv(DATA / "counted_by_eye.csv")
    return Frames(grid, stack, index, land, masks._replace(open_water=open_water), counted)


def count(frames: Frames, date: int, reference: xr.Dataset | None, network: Network | None = None) -> PierVessels:
    """The vessels at the breakwater on a date whose middle lies where they were counted."""
    image = frames.stack["sigma0"].isel(time=date).assign_attrs(frames.stack.attrs)
    orbit = int(image["relative_orbit"].item())
    heading = np.radians(HEADING_DEG["descending" if orbit in DESCENDING else "ascending"])
    east, south = np.cos(heading), np.sin(heading)
    seen = SimpleNamespace(grid=frames.grid, shift=(0.0, 0.0), track_m=lambda r, c: (r, east * c + south * r))
    # the frames come without a product: of the geometry only the direction of range is asked for
    maps = port_maps(image, seen, frames.masks, None, reference)  # type: ignore[arg-type]
    assert maps is not None
    found = find_at_piers(maps, [MOLE], [REACH_M], network)
    inside = shapely.contains_xy(COUNTED, found.column, found.row)
    return found.take(inside)


def reference_of(frames: Frames, date: int, n: int = N_REFERENCES) -> xr.Dataset:
    """The empty port of a date's orbit, fitted to the nearest other dates."""
    orbits = frames.stack["relative_orbit"].to_numpy()
    others = np.flatnonzero(orbits == orbits[date])
    others = others[others != date]
    chosen = np.sort(others[np.argsort(np.abs(others - date), kind="stable")[:n]])
    return fit_reference(frames.stack.isel(time=chosen))


def table(frames: Frames, network: Network | None = None) -> tuple[pd.DataFrame, list[PierVessels]]:
    """One row a counted date: by eye, with the reference, and by the image alone, each with its 80 % interval."""
    rows, drawn = [], []
    for one in frames.counted.itertuples():
        date = int(np.flatnonzero(frames.index == one.index)[0])
        row = {"date": str(one.start)[:8], "orbit": one.rel_orbit, "by eye": one.n_breakwater}
        for name, reference in (("reference", reference_of(frames, date)), ("one image", None)):
            found = count(frames, date, reference, network)
            low, n, high = count_of(found.chance)
            row |= {name: n, f"{name} 80 %": f"{low}-{high}"}
            if reference is not None:
                drawn.append(found)
        rows.append(row)
    return pd.DataFrame(rows), drawn


def summary(counts: pd.DataFrame) -> str:
    """Mean error and exact dates of each way."""
    parts = []
    for name in ("reference", "one image"):
        off = (counts[name] - counts["by eye"]).abs()
        parts.append(f"{name}: {off.mean():.2f} off a date, exact on {int((off == 0).sum())} of {len(off)}")
    return "; ".join(parts)


def draw(frames: Frames, drawn: Sequence[PierVessels], path: Path) -> None:
    """Every counted date with the vessels that were found."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 5, figsize=(20, 13), layout="constrained")
    for axis, one, found in zip(axes.flat, frames.counted.itertuples(), drawn, strict=False):
        date = int(np.flatnonzero(frames.index == one.index)[0])
        decibel = 10 * np.log10(frames.stack["sigma0"][date, 0].to_numpy())
        axis.imshow(decibel, cmap="gray", vmin=-25, vmax=-2)
        axis.set(xlim=(330, 460), ylim=(350, 140), title=f"orbit {one.rel_orbit}: {one.n_breakwater}")
        axis.plot(*COUNTED.exterior.xy, lw=0.6, color="y")
        for k, chance in enumerate(found.chance):
            half = found.length_m[k] / 20 * np.array([-1, 1])
            x, y = found.column[k] + half * np.cos(found.angle[k]), found.row[k] + half * np.sin(found.angle[k])
            axis.plot(x, y, color="r" if chance > 0.5 else "c", lw=1)
            axis.text(x[1], y[1], f"{chance:.2f}", color="w", fontsize=7)
    figure.savefig(path, dpi=60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print, and write or draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into docs/piers.md")
    options = parser.parse_args(arguments)
    frames = read_frames()
    counts, drawn = table(frames)
    rows = [list(counts.columns), ["---"] * len(counts.columns), *counts.to_numpy().tolist()]
    text = "\n".join("| " + " | ".join(f"{value}" for value in row) + " |" for row in rows) + f"\n\n{summary(counts)}."
    print(text)
    if options.picture:
        draw(frames, drawn, options.picture)
    if options.write:
        write_between(ROOT / "docs" / "piers.md", "latakia", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
