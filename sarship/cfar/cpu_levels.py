"""Kernels that turn pixels into levels, the whole numbers that `cpu_moments` sums.

A level is a pixel's power (law `gaussian`) or its logarithm in fixed point (`lognormal`, `weibull`, `k`), less a number
near the tile's usual level that changes no result. It is never zero, which is no data.

Every function compiled here lives in this file, because the compiler's cache watches one file a kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.compiler import compiled

__all__ = ["LN_LEVELS", "LN_SCALE", "fill_levels"]

LN_SCALE = float(1 << 21)
"""Levels for each unit of ln power. They are odd, so that none is zero: a millionth of the power apart."""
_HALF_SCALE = float(1 << 20)
_LN2 = float(np.log(2))
_TINY, _LIFT = 1e-290, 64
_MANTISSA = np.uint64((1 << 52) - 1)
_UNIT_EXPONENT = np.uint64(1023 << 52)
_EXPONENT_SHIFT = np.uint64(52)

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Levels = NDArray[np.signedinteger]
Image = NDArray[np.uint16] | NDArray[np.floating]


def _ln_levels() -> NDArray[np.int32]:
    """Logarithm of every digital number's power in fixed point."""
    levels = np.zeros(1 << 16, np.int32)
    levels[1:] = 2 * np.floor(np.log(np.arange(1, 1 << 16)) * LN_SCALE + 0.5).astype(np.int32) + 1
    return levels


LN_LEVELS = _ln_levels()
"""Level of every digital number for the laws of ln power, zero for no data."""


@compiled
def _logarithms(out: NDArray[np.int32], power: F64, bits: U64, centre: int) -> None:
    """Fixed-point logarithms less `centre` of powers above zero, of which `bits` is a view; overwrites `power`.

    Twice the inverse hyperbolic tangent of (m − 1)/(m + 1), m the mantissa between √½ and √2: right to 1e-15, and made
    of arithmetic that runs in vector registers.
    """
    for i in range(out.size):
        # subnormal numbers are lifted into the normal ones
        is_tiny = power[i] < _TINY
        power[i] = power[i] * 2.0**_LIFT if is_tiny else power[i]
        exponent = np.int32(bits[i] >> _EXPONENT_SHIFT) - 1023
        out[i] = exponent - _LIFT if is_tiny else exponent
    for i in range(out.size):
        bits[i] = (bits[i] & _MANTISSA) | _UNIT_EXPONENT
    for i in range(out.size):
        is_large = power[i] > 1.4142135623730951
        mantissa = power[i] * 0.5 if is_large else power[i]
        power_of_2 = np.float64(out[i]) + 1.0 if is_large else np.float64(out[i])
        s = (mantissa - 1.0) / (mantissa + 1.0)
        z = s * s
        series = 1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z * (1 / 21))))
        series = 1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * series))))
        value = power_of_2 * _LN2 + (2 * s + 2 * s * z * series)
        out[i] = 2 * np.int32(np.floor(value * _HALF_SCALE + 0.5)) + 1 - np.int32(centre)


@compiled
def _load_line(
    row: Levels, image: Image, valid: NDArray[np.bool_], levels: Levels, line: int, start: int, centre: int,
    negative: F64, power: F64,
) -> int:  # fmt: skip
    """Levels of a line from pixel `start` on, no data as zero; note a negative power. Returns the largest size."""
    n_lines, n_pixels = image.shape
    if line < 0 or line >= n_lines:
        row[:] = 0
        return 0
    first, last = max(start, 0), min(start + row.size, n_pixels)
    row[: first - start] = 0
    row[last - start :] = 0
    inside, source = row[first - start : last - start], image[line, first:last]
    keep = valid[line, first:last] if valid.size > 0 else valid[:0].ravel()
    if levels.size > 0:
        for i in range(inside.size):
            inside[i] = levels[np.uint16(source[i])]
    else:
        has_negative = False
        for i in range(inside.size):
            value = np.float64(source[i])
            power[i] = value if 0 < value < np.inf else 1.0
            has_negative |= bool(value < 0)
        _logarithms(inside, power[: inside.size], power[: inside.size].view(np.uint64), centre)
        for i in range(inside.size):
            inside[i] = inside[i] if 0 < source[i] < np.inf else 0
        if has_negative and negative[0] == 0:
            for i in range(inside.size):
                if source[i] < 0 and (keep.size == 0 or keep[i]):
                    negative[0], negative[1], negative[2] = source[i], line, first + i
                    break
    for i in range(keep.size):
        inside[i] = inside[i] if keep[i] else 0
    largest = inside[0]
    for i in range(inside.size):
        largest = max(largest, abs(inside[i]))
    return int(largest)


@compiled
def fill_levels(
    rows: Levels,
    sizes: I64,
    image: Image,
    valid: NDArray[np.bool_],
    levels: Levels,
    top: int,
    left: int,
    centre: int,
    negative: F64,
) -> None:
    """Levels of a part of the image from line `top` and pixel `left` on, and the largest size in each row.

    `levels` is the level of each digital number, and empty for images of power. The first negative power that is not
    masked is noted with its line and pixel.
    """
    power = np.empty(rows.shape[1])
    for k in range(rows.shape[0]):
        sizes[k] = _load_line(rows[k], image, valid, levels, top + k, left, centre, negative, power)
