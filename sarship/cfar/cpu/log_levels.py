"""Levels of pixels, the whole numbers that the two-parameter kernel sums.

A level is a pixel's power (clutter model `gaussian`) or its logarithm in fixed point (`lognormal`, `weibull`, `k`),
less a number near the tile's usual level that changes no result. It is never zero, which is no data.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu.rows import Tile, span_inside
from sarship.cfar.jit import compiled, uncounted

__all__ = ["LARGEST", "LN_LEVELS", "LN_SCALE", "SMALLEST", "Levels", "Rule", "fill_levels"]

LN_SCALE = float(1 << 21)
"""Levels for each unit of ln power. They are odd, so that none is zero: a millionth of the power apart."""
SMALLEST, LARGEST = 1e-200, 1e200
"""Power outside of these counts as no data: differences of its levels would not fit 32 bits."""
_HALF_SCALE = float(1 << 20)
_LN2 = float(np.log(2))
_EXPONENT_SHIFT = np.uint64(52)
_BIAS = np.uint64(1023)
_LIFT = np.uint64((1023 << 52) - int(np.sqrt(0.5).view(np.int64)))
"""Added to a number's bits: the exponent is then that which leaves a mantissa between √½ and √2."""
_WHOLE = np.uint64(0x4330000000000000)
"""Bits of 2⁵²: with a small whole number in the lower bits they are the sum of both."""
_EXPONENT_ZERO = 2.0**52 + 1023
_SERIES = (
    -0.49999999999999833, 0.3333333333333285, -0.2500000000022147, 0.20000000000466495, -0.16666666618490816,
    0.14285714172623884, -0.12500003956286007, 0.111111220155228, -0.09999843911504927, 0.09090397053862845,
    -0.08336500776029371, 0.0770509701696896, -0.07112464720648483, 0.06495252735766224, -0.0630658816887405,
    0.07000691047584312, -0.06618773009678613, 0.03081756372437806,
)  # fmt: skip
"""(ln(1 + r) − r)/r² as a polynomial through 18 Chebyshev nodes of √½ … √2: ln is right to 2.1e-16 of a unit."""

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Image = NDArray[np.uint16] | NDArray[np.floating]


def _ln_levels() -> NDArray[np.int32]:
    """Logarithm of every digital number's power in fixed point."""
    levels = np.zeros(1 << 16, np.int32)
    levels[1:] = 2 * np.floor(np.log(np.arange(1, 1 << 16)) * LN_SCALE + 0.5).astype(np.int32) + 1
    return levels


LN_LEVELS = _ln_levels()
"""Level of every digital number for the clutter models of ln power, zero for no data."""


class Rule(NamedTuple):
    """Numbers of a clutter model that sums of levels are compared by."""

    scale: float
    """Levels for each unit of ln power; 0 where a level is power."""
    centre: int
    """Number taken from each level."""
    bias: np.uint64
    """Above the negative of any sum of levels: with it the packed count comes out right."""
    shift: np.uint64
    """Bits that the squares of bright levels are summed without."""
    least: float
    """No hit's distance above the sum is below this times the count."""
    variance: float
    """Variance in levels at which the surface's entries begin."""
    steps: float
    """Entries of the surface for each unit of ln variance."""


class Levels(NamedTuple):
    """Rows of levels, each the line of its number modulo the number of rows."""

    rows: NDArray[np.integer]
    sizes: I64
    """Largest size of a level in each row."""
    is_full: NDArray[np.bool_]
    """True where every pixel of the row inside the image has data."""


@uncounted
def _bits(number: float) -> np.uint64:
    return np.uint64(np.float64(number).view(np.uint64))


@uncounted
def _number(bits: np.uint64) -> float:
    return float(np.uint64(bits).view(np.float64))


@partial(uncounted, fused=True)
def _ln1p(r: float) -> float:
    """ln(1 + r) for 1 + r between √½ and √2, by Estrin's scheme: short chains that run beside one another."""
    c, z = _SERIES, r * r
    w = z * z
    low = (c[0] + c[1] * r) + (c[2] + c[3] * r) * z
    middle = (c[4] + c[5] * r) + (c[6] + c[7] * r) * z
    high = (c[8] + c[9] * r) + (c[10] + c[11] * r) * z
    top = (c[12] + c[13] * r) + (c[14] + c[15] * r) * z + (c[16] + c[17] * r) * w
    return r + z * (low + w * (middle + w * (high + w * top)))


@partial(uncounted, fused=True)
def _fill_logarithms(out: NDArray[np.integer], power: Image, centre: int) -> bool:
    """Fixed-point logarithms less `centre`, zero for no data; returns whether a power is negative.

    All of it is arithmetic that runs in vector registers, without a division.
    """
    has_negative = False
    for i in range(out.size):
        value = np.float64(power[i])
        has_negative |= bool(value < 0)
        is_data = (value > SMALLEST) & (value < LARGEST)
        bits = _bits(value if is_data else 1.0)
        exponent = (bits + _LIFT) >> _EXPONENT_SHIFT
        mantissa = _number(bits - ((exponent - _BIAS) << _EXPONENT_SHIFT))
        ln = (_number(exponent | _WHOLE) - _EXPONENT_ZERO) * _LN2 + _ln1p(mantissa - 1.0)
        level = np.int32(np.floor(ln * _HALF_SCALE + 0.5))
        out[i] = level + level + np.int32(1) - np.int32(centre) if is_data else np.int32(0)
    return has_negative


@uncounted
def _load_line(
    row: NDArray[np.integer], tile: Tile, line: int, start: int, of_number: NDArray[np.integer], centre: int
) -> tuple[int, bool]:
    """Fill a row with levels from pixel `start` on, zero for no data; note a negative power.

    Return the largest size and True if every pixel inside the image has data.
    """
    near, first, last = span_inside(row, tile, line, start)
    inside, source = row[first - start : last - start], tile.image[near, first:last]
    if inside.size == 0:
        return 0, False
    if of_number.size > 0:
        for i in range(inside.size):
            inside[i] = of_number[np.uint16(source[i])]
    elif _fill_logarithms(inside, source, centre) and tile.negative[0] == 0:
        for i in range(inside.size):
            if source[i] < 0 and (tile.valid.size == 0 or tile.valid[near, first + i]):
                tile.negative[0], tile.negative[1], tile.negative[2] = source[i], line, first + i
                break
    if tile.valid.size > 0:
        keep = tile.valid[near, first:last]
        for i in range(keep.size):
            inside[i] = inside[i] if keep[i] else 0
    largest, n_holes = inside[0], np.uint32(0)
    for i in range(inside.size):
        largest = max(largest, abs(inside[i]))
        n_holes += np.uint32(inside[i] == 0)
    return int(largest), bool(n_holes == 0)


@compiled
def fill_levels(
    levels: Levels, tile: Tile, lines: tuple[int, int], of_number: NDArray[np.integer], centre: int
) -> None:
    """Fill rows with the levels of some lines, which are counted from the first of the tile's halo.

    Rows begin a pixel before the halo. `of_number` is the level of each digital number, and empty for images of power.
    """
    top, left = tile.lines[0] - tile.half.outer_l, tile.pixels[0] - tile.half.outer_p - 1
    for line in range(lines[0], lines[1]):
        k = line % levels.sizes.size
        levels.sizes[k], levels.is_full[k] = _load_line(levels.rows[k], tile, top + line, left, of_number, centre)
