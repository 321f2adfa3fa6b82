"""The 162 vessels of OpenSARShip that have an AIS record: how many are hit, how well they are measured.

`python -m benchmarks.opensarship` prints a table; with `--fit` it also prints the coefficients of `sarship/sizes.py`
made anew. The chips are real Sentinel-1 IW GRDH pixels, cut out around a vessel whose length is known. They are looked
for in `$SARSHIP_DATA/opensarship`.

"Held out": the coefficients are fitted without the vessel, in five folds grouped by MMSI. Headings are fitted to
nothing. Two vessels lie at a quay whose hits merge with theirs; no land mask comes with the chips, so they are measured
with the quay, and both figures are given.
"""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from sarship import cfar
from sarship.detection.grouping import group_hits
from sarship.detection.params import DetectionParams
from sarship.model import Hits
from sarship.vessels import sizes
from sarship.vessels.boxes import fit_boxes, weigh_hits
from sarship.vessels.find import find_vessels

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from sarship.vessels.find import SearchedImage

DATA: Final = Path(os.environ.get("SARSHIP_DATA", Path(__file__).parents[2] / "shared" / "data")) / "opensarship"
SPACING_M: Final = 10.0
ENL: Final = 4.4
CELL_M2: Final = 20.0 * 22.0
PFA: Final = 1e-7
TARGET: Final = 0.98
N_FOLDS: Final = 5
N_SEEDS: Final = 5
LONG_M: Final = 100.0
AT_A_QUAY: Final = frozenset({"20160131/Tanker_x12616_y11417", "20160131/Tanker_x11818_y9503"})


@dataclass(frozen=True)
class Chip:
    """One vessel's pixels and its AIS record."""

    name: str
    numbers: NDArray[np.uint16]
    """Digital numbers (polarization, line, pixel), VH before VV where there are two."""
    sigma0: NDArray[np.float64]
    """The same, calibrated, noise in."""
    line: int
    """Line of the vessel's centre in the chip."""
    pixel: int
    """Pixel of the vessel's centre in the chip."""
    length_m: float
    """Length from AIS, or from a ship register where AIS has none."""
    width_m: float
    """Width from AIS, or from a register."""
    mmsi: str
    """Who it is."""
    drawn_deg: float
    """Angle from the lines' direction towards the pixels', from stern to bow as drawn by hand, degrees in [0, 180)."""
    ais_deg: float
    """Heading from AIS, degrees; NaN where it has none."""

    @property
    def polarizations(self) -> tuple[str, ...]:
        """Names along the first axis."""
        return ("VH", "VV")[-len(self.numbers) :]


def read_chips(folder: Path) -> Iterator[Chip]:
    """Every chip of the set. `Ship.xml` is cut off in places, so its fields are picked out one by one."""
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = {tuple(re.findall(r"_[xy](\d+)", path.stem)): path for path in (scene / "Patch").glob("*.tif")}
        for text in (scene / "Ship.xml").read_text(errors="replace").split("<ship>")[1:]:
            fields = dict(re.findall(r"<(\w+)>([^<]*)", text))
            path = files[fields["Center_x"], fields["Center_y"]]
            numbers, sigma0 = _read(path), _read(scene / "Patch_Cal" / path.name)
            if not np.array_equal(numbers, numbers.astype(np.uint16)):
                raise ValueError(f"{path} holds digital numbers that are not whole")
            yield Chip(
                name=f"{scene.name[17:25]}/{path.stem}",
                numbers=numbers.astype(np.uint16),
                sigma0=sigma0,
                line=int(fields["Center_y"]) - int(fields["LowerRight_y"]),
                pixel=int(fields["Center_x"]) - int(fields["LowerRight_x"]),
                length_m=float(fields["Length"]) or float(fields["Length_overall"]),
                width_m=float(fields["Width"]) or float(fields["Breadth_extreme"]),
                mmsi=fields["MMSI"],
                drawn_deg=_drawn_deg(fields),
                ais_deg=float(fields["True_Head"]) if float(fields["True_Head"]) < 360 else math.nan,
            )


def _drawn_deg(fields: dict[str, str]) -> float:
    down, right = (int(fields[f"Head_{axis}"]) - int(fields[f"Tail_{axis}"]) for axis in "yx")
    return math.degrees(math.atan2(right, down)) % 180


def _read(path: Path) -> NDArray[np.float64]:
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning), rasterio.open(path) as dataset:
        return cast("NDArray[np.float64]", dataset.read().astype(np.float64))


def search(chip: Chip) -> Hits:
    """Hits of a chip, its polarizations fused; the ring has 20 and 40 pixels, less where the chip is smaller."""
    half = (min(chip.numbers.shape[1:]) - 1) // 2
    outer = min(40, half)
    guard = max(min(20, outer - 2), 1)
    params = cfar.CfarParams(
        pfa=PFA,
        guard=guard,
        training=outer - guard,
        enl=ENL,
        effective_sample_ratio=SPACING_M**2 / CELL_M2,
        min_ring=16,
    )
    first, *second = chip.numbers
    hits = cfar.detect_dual(first, second[0], params) if second else cfar.detect(first, params)
    levels = {name: image[hits.line, hits.pixel] for name, image in zip(chip.polarizations, chip.sigma0, strict=True)}
    return replace(hits, sigma0=levels, is_edge=np.zeros(len(hits), dtype=np.bool_))


def in_box(chip: Chip, hits: Hits) -> NDArray[np.bool_]:
    """Whether each hit's pixel touches the square, as wide as the AIS length, around the vessel's position."""
    reach = chip.length_m / 2 / SPACING_M + 0.5
    return (abs(hits.line - chip.line) <= reach) & (abs(hits.pixel - chip.pixel) <= reach)


def measure(chip: Chip, hits: Hits) -> gpd.GeoDataFrame:
    """The vessels of a chip, placed on a flat metric plane at the equator with lines running north, pixels east.

    Their `heading_deg` is then the angle from the lines' direction towards the pixels'.
    """
    degree = SPACING_M / 111_319.5
    geometry = SimpleNamespace(
        to_map=lambda line, pixel: (np.asarray(pixel) * degree, np.asarray(line) * degree),
        time_at=lambda line: np.full(np.shape(line), np.datetime64("2015-01-01", "ns")),
    )
    image = SimpleNamespace(
        scene=SimpleNamespace(id=chip.name),
        geometry=geometry,
        line_spacing_m=SPACING_M,
        pixel_spacing_m=SPACING_M,
    )
    return find_vessels(hits, cast("SearchedImage", image), DetectionParams(pfa=PFA, min_length_m=0))


@dataclass(frozen=True)
class Measured:
    """One chip's vessel as measured, beside the truth."""

    chip: Chip
    vessel: pd.Series[float]
    """Its row of the table."""
    features: NDArray[np.float64]
    """What its size is a line of."""


def measured(chip: Chip, hits: Hits) -> Measured:
    """The vessel nearest to the chip's position."""
    vessels = measure(chip, hits)
    away = np.hypot(vessels["line"] - chip.line, vessels["pixel"] - chip.pixel)
    vessel = vessels.iloc[int(np.argmin(away))]
    spacing = (SPACING_M, SPACING_M)
    group = group_hits(hits.line, hits.pixel, spacing, DetectionParams().link_m)
    places = weigh_hits(hits, group, spacing)
    boxes = fit_boxes(places)
    nearest = int(np.argmin(np.hypot(boxes[:, 0] - vessel["line"], boxes[:, 1] - vessel["pixel"])))
    return Measured(chip, vessel, sizes.features(places, boxes, places.group)[nearest])


def fit(table: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of the least absolute errors, weighted by truth^(-1/2), by iterated least squares."""
    found = np.linalg.lstsq(table, truth)[0]
    for _ in range(60):
        weight = truth**-0.5 / np.maximum(np.abs(truth - table @ found), 2.0)
        found = np.linalg.solve(table.T @ (table * weight[:, None]), table.T @ (truth * weight))
    return np.asarray(found)


def held_out(
    table: NDArray[np.float64], truth: NDArray[np.float64], names: list[str], seed: int
) -> NDArray[np.float64]:
    """Each vessel as the others say, in folds in which no MMSI is on both sides."""
    unique = sorted(set(names))
    order = np.random.default_rng(seed).permutation(len(unique)) % N_FOLDS
    fold = np.array([order[unique.index(name)] for name in names])
    said = np.empty(truth.size)
    for k in range(N_FOLDS):
        said[fold == k] = table[fold == k] @ fit(table[fold != k], truth[fold != k])
    return said


def main(arguments: list[str]) -> int:
    """Print the table; the exit code says whether enough vessels were hit."""
    if not DATA.is_dir():
        print(f"{DATA} is not there: set SARSHIP_DATA to the folder that holds opensarship")
        return 0
    chips = list(read_chips(DATA))
    missed, found, n_elsewhere = [], [], 0
    for chip in chips:
        hits = search(chip)
        inside = in_box(chip, hits)
        n_elsewhere += int((~inside).sum())
        if inside.any():
            found.append(measured(chip, hits))
        else:
            missed.append(f"{chip.name} ({chip.length_m:g} m, {len(hits)} hits elsewhere)")
    rows = [
        (f"vessels with a hit in the box of their AIS length, pfa {PFA:g}", f"{len(found)} of {len(chips)}", ""),
        ("the same, percent", f"{len(found) / len(chips):.1%}", f"{TARGET:.0%}"),
        ("hits outside that box: spread, sidelobes, neighbours", f"{n_elsewhere}", ""),
        *_size_rows(found),
        *_heading_rows(found),
    ]
    print("| measure | result | target |\n|---|--:|--:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for name in missed:
        print(f"missed: {name}")
    if "--fit" in arguments:
        table, length, width = _tables(found)
        print("LENGTH", fit(table, length).round(3).tolist(), "WIDTH", fit(table[:, :3], width).round(3).tolist())
    return 0 if len(found) >= TARGET * len(chips) else 1


def _tables(found: list[Measured]) -> tuple[NDArray[np.float64], ...]:
    """Features, AIS lengths and AIS widths."""
    length, width = ([getattr(one.chip, name) for one in found] for name in ("length_m", "width_m"))
    return np.array([one.features for one in found]), np.array(length), np.array(width)


def _size_rows(found: list[Measured]) -> list[tuple[str, str, str]]:
    table, length, width = _tables(found)
    names = [one.chip.mmsi for one in found]
    error = np.array([held_out(table, length, names, seed) - length for seed in range(N_SEEDS)])
    beam = np.array([held_out(table[:, :3], width, names, seed) - width for seed in range(N_SEEDS)])
    size = np.abs(error)
    free = np.array([one.chip.name not in AT_A_QUAY for one in found])
    shipped = np.array([one.vessel["length_m"] for one in found]) - length
    sigma = np.array([one.vessel["length_error_m"] for one in found])
    return [
        ("length error against AIS, held out: median", f"{np.median(error):+.1f} m", ""),
        ("the same, mean of its size", f"{size.mean():.1f} m", "11 m"),
        ("the same, without two vessels at a quay", f"{size[:, free].mean():.1f} m", ""),
        ("the same, median of its size over the length", f"{np.median(size / length, axis=1).mean():.1%}", "7 %"),
        ("lengths right to 15 % or 30 m, held out", f"{((size < 30) | (size < 0.15 * length)).mean():.0%}", ""),
        ("length error as shipped, mean of its size", f"{np.abs(shipped).mean():.1f} m", ""),
        ("lengths within one sigma as shipped", f"{(np.abs(shipped) <= sigma).mean():.0%}", "68 %"),
        ("width error against AIS, held out: mean of its size", f"{np.abs(beam).mean():.1f} m", ""),
    ]


def _heading_rows(found: list[Measured]) -> list[tuple[str, str, str]]:
    angle = np.array([one.vessel["heading_deg"] for one in found])
    sigma = np.array([one.vessel["heading_error_deg"] for one in found])
    long = np.array([one.chip.length_m > LONG_M for one in found])
    drawn = np.array([one.chip.drawn_deg for one in found])
    off = _apart(angle, drawn)
    ais = np.array([one.chip.ais_deg for one in found])
    scene = np.array([one.chip.name[:8] for one in found])
    off_ais, off_both = np.full(angle.size, np.nan), np.full(angle.size, np.nan)
    for one in set(scene):
        here = (scene == one) & np.isfinite(ais)
        flight = min(np.arange(0, 180, 0.25), key=lambda turn: _apart(drawn[here] + turn, ais[here]).mean())
        off_ais[here] = _apart(angle[here] + flight, ais[here])
        off_both[here] = _apart(drawn[here] + flight, ais[here])
    known = long & np.isfinite(ais)
    return [
        (f"headings within 10° of bow and stern pixels, over {LONG_M:g} m", f"{(off[long] < 10).mean():.1%}", "86 %"),
        ("the same, of all lengths", f"{(off < 10).mean():.0%}", ""),
        ("headings within one sigma of bow and stern pixels", f"{(off <= sigma).mean():.0%}", "68 %"),
        (f"headings within 10° of AIS, over {LONG_M:g} m", f"{(off_ais[known] < 10).mean():.0%}", "86 %"),
        ("bow and stern pixels within 10° of AIS, the same vessels", f"{(off_both[known] < 10).mean():.0%}", ""),
    ]


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle between axes, degrees."""
    return np.abs((a - b + 90) % 180 - 90)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
