"""Slow, plain twins of the kernels: one pixel at a time, Python's own whole numbers, nothing clever."""

from math import fsum

import numpy as np

from sarship.cfar import CfarParams
from sarship.clutter import ring_table


def powers(image, valid=None):
    """Power of every pixel as exact Python numbers, None where there is no data."""
    keep = np.ones(image.shape, bool) if valid is None else valid
    rows = []
    for line in range(image.shape[0]):
        row = []
        for pixel in range(image.shape[1]):
            value = int(image[line, pixel]) ** 2 if image.dtype.kind == "u" else float(image[line, pixel])
            row.append(value if keep[line, pixel] and 0 < value < np.inf else None)
        rows.append(row)
    return rows


def ring(power, line, pixel, params):
    """Powers of the ring around a pixel, without those outside the image or without data."""
    (back_l, back_p), (guard_l, guard_p) = params.background_shape, params.guard_shape
    return [
        power[y][x]
        for y in range(max(line - back_l, 0), min(line + back_l + 1, len(power)))
        for x in range(max(pixel - back_p, 0), min(pixel + back_p + 1, len(power[0])))
        if (abs(y - line) > guard_l or abs(x - pixel) > guard_p) and power[y][x] is not None
    ]


def scores(image, params: CfarParams, valid=None):
    """(score, clutter) of every pixel in float64, NaN where no decision is possible."""
    table, power = ring_table(params), powers(image, valid)
    out = np.full((2, *image.shape), np.nan)
    for line in range(image.shape[0]):
        for pixel in range(image.shape[1]):
            around = ring(power, line, pixel, params)
            if power[line][pixel] is None or len(around) < params.min_ring:
                continue
            # whole numbers add exactly; fsum rounds once
            total = float(sum(around)) if image.dtype.kind == "u" else fsum(around)
            out[0, line, pixel] = float(power[line][pixel]) / (table[len(around)] * total)
            out[1, line, pixel] = total / len(around)
    return out


def decisions(image, params: CfarParams, valid=None):
    """Whether each pixel exceeds its threshold, by the comparison that the kernels make."""
    table, power = ring_table(params), powers(image, valid)
    out = np.zeros(image.shape, bool)
    for line in range(image.shape[0]):
        for pixel in range(image.shape[1]):
            around = ring(power, line, pixel, params)
            if power[line][pixel] is not None and len(around) >= params.min_ring:
                total = float(sum(around)) if image.dtype.kind == "u" else fsum(around)
                out[line, pixel] = float(power[line][pixel]) > table[len(around)] * total
    return out
