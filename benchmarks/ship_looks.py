"""What real ships look like in a radar image, in numbers, and whether the simulated ones look alike.

`python -m benchmarks.ship_looks` measures the 162 AIS-matched chips of OpenSARShip (looked for in
`$SARSHIP_DATA/opensarship`) and twenty simulated ships for each: of the same lengths, beams, incidence
angles and headings, on sea of the same level. It prints both side by side. With `--write FILE` it packs what was
measured on the real ones for the test that holds the simulator to it. Nothing here touches a detector.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

from benchmarks.opensarship import DATA, read_chips
from sarship.model import Polarization
from sarship.simulate.params import MODES
from sarship.simulate.sea import speckle
from sarship.simulate.ships import Vessel, ship_patches

LEVELS_DB: Final = (3, 6, 10, 15, 20)
QUANTILES: Final = (0.1, 0.5, 0.9)
CLASSES: Final = (("VV", 0.0, 100.0), ("VV", 100.0, 150.0), ("VV", 150.0, 500.0), ("VH", 0.0, 500.0))
"""Polarisations and lengths in metres: 82, 47 and 33 chips. Only 38 have VH, too few for classes."""
LEAST: Final = 18
"""A tenth percentile of fewer ships is one ship's."""
SIZE: Final = 121
"""Lines and pixels of a simulated chip."""
ABOVE_SEA: Final = 5.0
"""An extent counts where its level lies so many times above the sea, so that it is the ship's and not speckle's."""
SIDELOBES_SEEN: Final = 630.0
"""Sidelobes are measured where the peak is so many times the sea (28 dB): about as bright as it or brighter."""
SIDE_PX: Final = (4, 8)
"""Where sidelobes are looked for: so far from the brightest pixel, across the ship, clear of the main lobe."""

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Ship:
    """A real ship as it was imaged: what is taken over for a simulated one."""

    length_m: float
    width_m: float
    incidence_deg: float
    axis_deg: float
    """Direction from stern to bow in the image, clockwise from up, as labelled."""
    sea_db: tuple[float, ...]
    """Median of the water around it in VV, and in VH where there is one."""


def looks_of(image: Image, centre: tuple[int, int], length_m: float) -> dict[str, float]:
    """Contrast, extents and sidelobes of one ship in one polarisation.

    Returns
    -------
    dict
        `contrast_db`: the brightest pixel of the ship over the median of the chip's rim. `area_3_db` … `area_20_db`:
        pixels above that level below the peak and connected with it, in dB over one pixel. `length_3_db` …: the
        largest distance between two of those pixels, and one pixel, likewise. `sidelobe_db`: the mean 4 to 8 pixels
        from the peak along the image axis that is more across the ship, less the sea, below the peak. Missing is NaN.
    """
    reach = int(length_m / 20) + 5
    rows, columns = (slice(max(0, c - reach), c + reach + 1) for c in centre)
    near = np.zeros(image.shape, bool)
    near[rows, columns] = True
    peak = np.unravel_index(np.argmax(np.where(near, image, 0)), image.shape)
    top, sea = float(image[peak]), sea_level_of(image)
    found = {"contrast_db": 10 * np.log10(top / sea)}
    parts = {}
    for level in LEVELS_DB:
        parts[level] = _part(image, (int(peak[0]), int(peak[1])), max(top * 10 ** (-level / 10), ABOVE_SEA * sea))
        is_ships = top * 10 ** (-level / 10) >= ABOVE_SEA * sea
        many = len(parts[level])
        found[f"area_{level}_db"] = 10 * np.log10(many) if is_ships else np.nan
        span = _span(parts[level]) if many > 1 else 0.0
        found[f"length_{level}_db"] = 10 * np.log10(span + 1) if is_ships else np.nan
    found["sidelobe_db"] = _sidelobe(image, (int(peak[0]), int(peak[1])), sea, parts[10])
    return found


def sea_level_of(image: Image) -> float:
    """Median of the outer four lines and pixels of a chip: water, and what little reaches there."""
    inner = np.zeros(image.shape, bool)
    inner[4:-4, 4:-4] = True
    return float(np.median(image[~inner]))


def _part(image: Image, peak: tuple[int, int], level: float) -> NDArray[np.int64]:
    labels = ndimage.label(image >= level, np.ones((3, 3)))[0]
    return np.argwhere(labels == labels[peak])


def _span(part: NDArray[np.int64]) -> float:
    """Largest distance between two pixels, given in order: both are the first or last of their lines."""
    starts = np.diff(part[:, 0], prepend=-1) > 0
    return float(pdist(part[starts | np.append(starts[1:], True)]).max())


def _sidelobe(image: Image, peak: tuple[int, int], sea: float, hull: NDArray[np.int64]) -> float:
    spread = hull.std(axis=0) if len(hull) > 1 else np.zeros(2)
    axis = int(spread[0] > spread[1])  # the axis along which the hull is short
    line = np.moveaxis(image, axis, 0)[:, peak[1 - axis]]
    place = peak[axis]
    near, far = SIDE_PX
    ring = [line[place + s * k] for k in range(near, far + 1) for s in (-1, 1) if 0 <= place + s * k < len(line)]
    if len(ring) <= near or image[peak] < SIDELOBES_SEEN * sea:
        return np.nan
    return float(10 * np.log10(max(np.mean(ring) - sea, 0.1 * sea) / image[peak]))


def real_ships(folder: Path) -> Iterator[tuple[Ship, dict[str, dict[str, float]]]]:
    """Every chip: the ship, and its looks by polarisation."""
    texts = [
        dict(re.findall(r"<(\w+)>([^<]*)", text))
        for scene in sorted(path for path in folder.iterdir() if path.is_dir())
        for text in (scene / "Ship.xml").read_text(errors="replace").split("<ship>")[1:]
    ]
    for chip, fields in zip(read_chips(folder), texts, strict=True):
        names = dict(zip(chip.polarizations, chip.sigma0, strict=True))
        levels = [10 * np.log10(sea_level_of(names[p])) for p in ("VV", "VH") if p in names]
        ahead = [float(fields[f"Head_{a}"]) - float(fields[f"Tail_{a}"]) for a in "xy"]
        ship = Ship(
            length_m=chip.length_m,
            width_m=float(fields["Width"]) or chip.length_m / 10 + 5,
            incidence_deg=float(fields["Incidence"]),
            axis_deg=float(np.degrees(np.arctan2(ahead[0], -ahead[1])) % 360),
            sea_db=tuple(round(float(level), 1) for level in levels),
        )
        yield ship, {p: looks_of(image, (chip.line, chip.pixel), chip.length_m) for p, image in names.items()}


def made_up(ship: Ship, water: NDArray[np.float32], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Looks of a simulated ship of that size and heading in that sea; `water` is speckle to cut from."""
    mode = MODES["IW"]
    half = SIZE // 2
    degree = 10.0 / 111_195.0
    names: tuple[Polarization, ...] = ("VV", "VH")[: len(ship.sea_db)]  # type: ignore[assignment]

    def to_image(longitude: ArrayLike, latitude: ArrayLike) -> tuple[Image, Image]:
        line, pixel = -np.asarray(latitude, np.float64) / degree, np.asarray(longitude, np.float64) / degree
        return half + line, half + pixel

    vessel = Vessel(
        longitude=float(rng.uniform(-0.5, 0.5)) * degree,
        latitude=float(rng.uniform(-0.5, 0.5)) * degree,
        length_m=ship.length_m,
        width_m=ship.width_m,
        heading_deg=ship.axis_deg,
    )
    patches, _ = ship_patches(
        [vessel], to_image, lambda line, pixel: np.full(np.shape(line), ship.incidence_deg), names, mode=mode, rng=rng
    )
    found: dict[str, dict[str, float]] = {}
    for name, level in zip(names, ship.sea_db, strict=True):
        top, left = rng.integers(0, len(water) - SIZE, 2)
        # the median of 4.4 looks lies below their mean
        image = 10 ** (level / 10) / 0.92 * water[top : top + SIZE, left : left + SIZE].astype(np.float64)
        field = patches[0].sigma0[name]
        canvas = np.zeros((SIZE + 400, SIZE + 400))
        top, left = patches[0].line + 200, patches[0].pixel + 200
        canvas[top : top + field.shape[0], left : left + field.shape[1]] = field
        image += canvas[200 : 200 + SIZE, 200 : 200 + SIZE]
        found[name] = looks_of(image, (half, half), ship.length_m)
    return found


def quantiles(
    lengths: Sequence[float], found: Sequence[Mapping[str, Mapping[str, float]]], least: int = LEAST
) -> dict[str, dict[str, list[float]]]:
    """The 10th, 50th and 90th percentile of every measure by polarisation and length; few ships give none."""
    table: dict[str, dict[str, list[float]]] = {}
    for name, low, high in CLASSES:
        rows = [f[name] for length, f in zip(lengths, found, strict=True) if low <= length < high and name in f]
        group = table.setdefault(f"{name} {low:g}-{high:g} m", {})
        for measure in rows[0]:
            values = np.array([row[measure] for row in rows])
            values = values[np.isfinite(values)]
            if len(values) >= least:
                group[measure] = [round(float(q), 2) for q in np.quantile(values, QUANTILES)]
    return table


def simulate(ships: Sequence[Ship], repeats: int, seed: int) -> dict[str, dict[str, list[float]]]:
    """Quantiles of simulated ships like these, each `repeats` times."""
    rng = np.random.default_rng(seed)
    water = speckle((1024, 1024), MODES["IW"], rng)
    crowd = [ship for ship in ships for _ in range(repeats)]
    return quantiles([s.length_m for s in crowd], [made_up(s, water, rng) for s in crowd])


def worst_db(real: Sequence[float], mock: Sequence[float]) -> float:
    """Largest difference of the percentiles, decibel."""
    return float(np.max(np.abs(np.subtract(mock, real))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and pack if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="JSON file for what was measured on the real ships")
    parser.add_argument("--repeats", type=int, default=20, help="simulated ships for each real one")
    options = parser.parse_args(arguments)
    if not DATA.is_dir():
        print(f"{DATA} is not there: set SARSHIP_DATA to the folder that holds opensarship")
        return 0
    pairs = list(real_ships(DATA))
    ships = [ship for ship, _ in pairs]
    real = quantiles([s.length_m for s in ships], [f for _, f in pairs])
    mock = simulate(ships, options.repeats, seed=1)
    print("| ships | measure | real 10/50/90 % | made up | worst |\n|---|---|--:|--:|--:|")
    for group, measures in real.items():
        for measure, values in measures.items():
            other = mock[group][measure]
            print(f"| {group} | {measure} | {values} | {other} | {worst_db(values, other):.1f} |")
    if options.write:
        cohort = [[s.length_m, s.width_m, round(s.incidence_deg, 1), round(s.axis_deg), *s.sea_db] for s in ships]
        packed = {"source": "OpenSARShip, measured by benchmarks/ship_looks.py", "cohort": cohort, "quantiles": real}
        options.write.write_text(json.dumps(packed, indent=None) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
