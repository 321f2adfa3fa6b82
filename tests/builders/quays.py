"""A straight quay with vessels on a port's grid, painted without products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely

from sarship.simulate.params import MODES
from sarship.simulate.sea import speckle
from sarship.simulate.ships import Vessel, ship_patches
from sarship.vessels.at_piers import PortMaps

SHAPE: Final = (90, 140)
QUAY: Final = shapely.LineString([(20, 40), (120, 40)])
"""Columns and rows; land is north of it."""
_CELL_DEG: Final = 10 / 111_195.0


def quay_maps(
    places: Sequence[tuple[float, float, float, float]] = (),
    *,
    has_reference: bool = True,
    has_cross: bool = True,
    seed: int = 0,
) -> PortMaps:
    """Maps of a date with vessels at columns and rows, of lengths in metres and headings (90 is along the quay)."""
    rng = np.random.default_rng(seed)
    row, _ = np.mgrid[: SHAPE[0], : SHAPE[1]]
    level = np.where(row < 40, 8.0, 1.0)
    level[39:41, 20:121] = 30
    vessels = [
        Vessel(longitude=x * _CELL_DEG, latitude=-y * _CELL_DEG, length_m=length, heading_deg=heading)
        for x, y, length, heading in places
    ]
    patches, _ = ship_patches(
        vessels,
        lambda lon, lat: (-np.asarray(lat) / _CELL_DEG, np.asarray(lon) / _CELL_DEG),
        lambda line, _: np.full(np.shape(line), 37.0),
        ("VV", "VH"),
        mode=MODES["IW"],
        rng=rng,
    )
    raw = []
    for name, sea in (("VV", 0.025), ("VH", 0.003)):
        power = level * speckle((96, 144), MODES["IW"], rng)[: SHAPE[0], : SHAPE[1]]
        for patch in patches:
            top, left = max(0, patch.line), max(0, patch.pixel)
            part = patch.sigma0[name][top - patch.line :, left - patch.pixel :]
            part = part[: SHAPE[0] - top, : SHAPE[1] - left]
            power[top : top + part.shape[0], left : left + part.shape[1]] += part / sea
        raw.append(np.log(power).astype(np.float32))
    if not has_cross:
        raw[1] = np.zeros_like(raw[0])
    expected = np.log(np.stack([level, level])).astype(np.float32)
    return PortMaps(
        raw=np.stack(raw),
        expected=expected if has_reference else None,
        spread=np.full(SHAPE, 0.5, np.float32) if has_reference else None,
        land=row < 40,
        look=(1.0, 0.0),
        has_cross=has_cross,
    )
