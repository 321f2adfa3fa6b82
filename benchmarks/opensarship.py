"""The 162 vessels of OpenSARShip that have an AIS record: how many are hit, how well they are measured.

`python -m benchmarks.opensarship` prints a table. The chips are real Sentinel-1 IW GRDH pixels, cut out around a
vessel whose length is known. They are looked for in `$SARSHIP_DATA/opensarship`.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from sarship import cfar
from sarship.model import DetectionParams, Hits, Scene
from sarship.vessels import find_vessels

if TYPE_CHECKING:
    import geopandas as gpd

    from sarship.grd import GrdProduct

DATA: Final = Path(os.environ.get("SARSHIP_DATA", Path(__file__).parents[2] / "shared" / "data")) / "opensarship"
SPACING_M: Final = 10.0
LOOKS: Final = 4.4
CELL_M2: Final = 20.0 * 22.0
PFA: Final = 1e-6
TARGET: Final = 0.98


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
            )


def _read(path: Path) -> NDArray[np.float64]:
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning), rasterio.open(path) as dataset:
        return cast("NDArray[np.float64]", dataset.read().astype(np.float64))


def search(chip: Chip) -> Hits:
    """Hits of a chip, its polarizations fused; the ring has 20 and 40 pixels, less where the chip is smaller."""
    half = (min(chip.numbers.shape[1:]) - 1) // 2
    background = min(40, half)
    params = cfar.CfarParams(
        pfa=PFA,
        guard=max(min(20, background - 2), 1),
        background=background,
        looks=LOOKS,
        independent=SPACING_M**2 / CELL_M2,
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
    """The vessels of a chip, placed on a flat metric plane at the equator, where a degree is 111,320 m."""
    degree = SPACING_M / 111_319.5
    geometry = SimpleNamespace(
        shape=chip.numbers.shape[1:],
        line_spacing_m=SPACING_M,
        pixel_spacing_m=SPACING_M,
        to_map=lambda line, pixel, height_m=None: (np.asarray(pixel) * degree, np.asarray(line) * -degree),
        heading_deg=lambda line, pixel: np.zeros(np.shape(line)),
        time_at=lambda line: np.full(np.shape(line), np.datetime64("2015-01-01", "ns")),
    )
    scene = Scene(
        id=chip.name,
        platform="S1A",
        mode="IW",
        product_type="GRDH",
        polarizations=chip.polarizations,  # type: ignore[arg-type]
        start=datetime(2015, 1, 1, tzinfo=UTC),
        stop=datetime(2015, 1, 1, tzinfo=UTC),
        absolute_orbit=1,
        relative_orbit=1,
        orbit_pass="ascending",
        footprint=shapely.Polygon(),
    )
    product = SimpleNamespace(
        scene=scene,
        geometry=geometry,
        shape=geometry.shape,
        polarizations=chip.polarizations,
        line_spacing_m=SPACING_M,
        pixel_spacing_m=SPACING_M,
        looks=LOOKS,
        resolution_m=(22.0, 20.0),
    )
    return find_vessels(hits, cast("GrdProduct", product), DetectionParams(pfa=PFA))


def main() -> int:
    """Print the table; the exit code says whether enough vessels were hit."""
    if not DATA.is_dir():
        print(f"{DATA} is not there: set SARSHIP_DATA to the folder that holds opensarship")
        return 0
    chips = list(read_chips(DATA))
    n_elsewhere = n_beside = 0
    missed, errors, lengths = [], [], []
    for chip in chips:
        hits = search(chip)
        inside = in_box(chip, hits)
        n_elsewhere += int((~inside).sum())
        if not inside.any():
            missed.append(f"{chip.name} ({chip.length_m:g} m, {len(hits)} hits elsewhere)")
            continue
        vessels = measure(chip, hits)
        away = np.hypot(vessels["line"] - chip.line, vessels["pixel"] - chip.pixel)
        n_beside += len(vessels) - 1
        errors.append(float(vessels["length_m"].iloc[int(np.argmin(away))]) - chip.length_m)
        lengths.append(chip.length_m)
    found = len(chips) - len(missed)
    rows = [
        (f"vessels with a hit in the box of their AIS length, pfa {PFA:g}", f"{found} of {len(chips)}", ""),
        ("the same, percent", f"{found / len(chips):.1%}", f"{TARGET:.0%}"),
        ("hits outside that box: spread, sidelobes, neighbours", f"{n_elsewhere}", ""),
        ("vessels found in the chips beside theirs", f"{n_beside}", ""),
        *_length_rows(np.array(errors), np.array(lengths)),
    ]
    print("| measure | result | target |\n|---|--:|--:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for name in missed:
        print(f"missed: {name}")
    return 0 if found >= TARGET * len(chips) else 1


def _length_rows(error: NDArray[np.float64], length: NDArray[np.float64]) -> list[tuple[str, str, str]]:
    size = np.abs(error)
    return [
        ("length error against AIS, median", f"{np.median(error):+.1f} m", ""),
        ("the same, median of its size", f"{np.median(size):.1f} m", ""),
        ("the same, mean of its size", f"{size.mean():.1f} m", ""),
        ("the same, median of its size over the length", f"{np.median(size / length):.0%}", ""),
        ("lengths right to 15 % or 30 m", f"{((size < 30) | (size < 0.15 * length)).mean():.0%}", ""),
    ]


if __name__ == "__main__":
    sys.exit(main())
