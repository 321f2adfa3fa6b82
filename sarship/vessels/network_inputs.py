"""Inputs of the network: the date, the empty port, piers and land, and the direction that the radar looks in.

| channels | content |
|---|---|
| 0, 1 | ln of co-polarised power over that of the empty port today, both samples across a cell |
| 2, 3 | the same, cross-polarised |
| 4 … 7 | ln of power over that of today's sea, likewise |
| 8, 9 | ln of the empty port over the sea, in each polarisation |
| 10 | deviation of ln power of the empty port, co-polarised |
| 11, 12 | nearness of the pier, and of other piers |
| 13 | 1 on land |
| 14, 15 | direction of rising range, along and across |
| 16, 17 | 1 where there is a reference, and where there is a cross-polarised image |

A channel of something that is not there (a reference, a polarisation, land) is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.vessels.frames import SUB, Maps

__all__ = ["N_CHANNELS", "FrameMaps", "channels"]

N_CHANNELS: Final = 18
LN_RANGE: Final = (-3.0, 8.0)
"""Bounds of ln power: 13 dB below to 35 dB above."""
LN_UNIT: Final = 3.0
"""Power of ln that a channel has as one."""
FALL_CELLS: Final = 4.0
"""Distance in which nearness falls to 1/e."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class FrameMaps:
    """Maps of one frame on one date; `(…, n_along, 2 · n_across)` with two samples across a cell."""

    raw: Maps
    """ln power over the sea's of that day, (2, …): co- and cross-polarised."""
    expected: Maps | None
    """ln power of the empty port over the sea's of that day, (2, …); None without a reference."""
    spread: Maps
    """Deviation of ln power of the empty port, (n_along, n_across)."""
    near: Maps
    """Cells to the pier, (n_along, n_across)."""
    far: Maps
    """Cells to other piers, (n_along, n_across)."""
    land: Maps
    """1 on land, (n_along, n_across)."""
    look: tuple[float, float]
    """Unit vector of rising range, along and across."""
    has_cross: bool = True
    """True if there is a cross-polarised image."""


def channels(maps: FrameMaps) -> Maps:
    """Return the channels of a frame, float32 (18, n_along, n_across)."""
    n_along, n_across = maps.near.shape
    out = np.zeros((N_CHANNELS, n_along, n_across), np.float32)
    polarizations = (0, 1) if maps.has_cross else (0,)
    for k in polarizations:
        for sample in range(SUB):
            raw = maps.raw[k][:, sample::SUB]
            out[4 + 2 * k + sample] = _scaled(raw)
            if maps.expected is not None:
                out[2 * k + sample] = _scaled(raw - maps.expected[k][:, sample::SUB])
        if maps.expected is not None:
            out[8 + k] = _scaled((maps.expected[k][:, 0::SUB] + maps.expected[k][:, 1::SUB]) / 2)
    if maps.expected is not None:
        out[10], out[16] = maps.spread, 1
    out[11], out[12] = (np.exp(-each / FALL_CELLS) for each in (maps.near, maps.far))
    out[13] = maps.land
    out[14], out[15] = maps.look
    out[17] = maps.has_cross
    return out


def _scaled(ln_power: Maps) -> NDArray[np.float32]:
    return np.asarray(np.clip(ln_power, *LN_RANGE) / LN_UNIT, np.float32)
