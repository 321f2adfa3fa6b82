"""Sidelobes of real vessels: how far below the peak, along azimuth and range, against `sarship.detection.sidelobes`.

`python -m benchmarks.sidelobes` prints a table from OpenSARShip's chips: for vessels whose peak lies 33 dB above the
sea, the level along the peak's line and column, 15 m and more beyond the hull, without the sea, in dB below the peak.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.opensarship import DATA, SPACING_M, Chip, read_chips
from sarship.detection.sidelobes import sidelobes_of

BRIGHT_DB: Final = 33.0
CLEAR_M: Final = 15.0
RESOLUTION_M: Final = (22.5, 20.4)


def profiles(chip: Chip) -> Iterator[tuple[str, float, float]]:
    """Axis, distance from the peak in metres, and level in dB below it."""
    power = chip.sigma0[-1]
    rows, columns = np.indices(power.shape)
    sea = float(np.median(power[(np.minimum(rows, columns) < 3) | (rows >= power.shape[0] - 3)]))
    near = np.hypot(rows - chip.line, columns - chip.pixel) * SPACING_M <= chip.length_m / 2 + 40
    peak = np.unravel_index(np.argmax(np.where(near, power, 0)), power.shape)
    if 10 * math.log10(power[peak] / sea) < BRIGHT_DB:
        return
    angle = math.radians(chip.drawn_deg)
    turned = (abs(math.cos(angle)), abs(math.sin(angle)))
    for axis, name in enumerate(("azimuth", "range")):
        half = (chip.length_m * turned[axis] + chip.width_m * turned[1 - axis]) / 2
        for step in (*range(-15, -2), *range(3, 16)):
            place = [int(peak[0]), int(peak[1])]
            place[axis] += step
            if not 0 <= place[axis] < power.shape[axis]:
                continue
            if abs(place[axis] - (chip.line, chip.pixel)[axis]) * SPACING_M >= half + CLEAR_M:
                level = max(power[place[0], place[1]] - sea, 0.05 * sea) / power[peak]
                yield name, abs(step) * SPACING_M, 10 * math.log10(level)


def main() -> int:
    """Print quantiles an axis and distance, and the envelope."""
    found = [row for chip in read_chips(DATA) if min(chip.sigma0.shape[1:]) >= 30 for row in profiles(chip)]
    table = pd.DataFrame(found, columns=["axis", "apart_m", "db"])
    print("| axis | metres | n | median dB | nine of ten under | envelope |\n|---|--:|--:|--:|--:|--:|")
    for _, group in table.groupby(["axis", "apart_m"]):
        axis, apart = str(group["axis"].iloc[0]), float(group["apart_m"].iloc[0])
        off = np.array([apart, 0.0])
        level = 10 * math.log10(sidelobes_of((off, off[::-1]), RESOLUTION_M)[0 if axis == "azimuth" else 1])
        middle, high = group["db"].quantile(0.5), group["db"].quantile(0.9)
        print(f"| {axis} | {apart:.0f} | {len(group)} | {middle:.1f} | {high:.1f} | {level:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
