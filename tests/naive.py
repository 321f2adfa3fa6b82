"""Slow, plain twins of the kernels: one pixel at a time, Python's own whole numbers, nothing clever."""

from dataclasses import replace
from math import ceil, floor, fsum, log

import numpy as np
from scipy import ndimage

from sarship import cfar
from sarship.averages import order_table, side_table
from sarship.cfar import CfarParams
from sarship.clutter import ring_table
from sarship.klaw import ring_surface


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


def ln_level(value):
    """Fixed-point logarithm of a power, as the laws of ln power sum it."""
    return 2 * floor(log(value) * 2**20 + 0.5) + 1


def surface_factor(surface, row, variance):
    """Threshold over the mean of ln power, between four entries of a surface."""
    rows, entries = surface.entries.shape
    place = max(np.log(variance / surface.variance) * surface.steps, 0) if variance > 0 else 0.0
    beyond = np.exp(max(place - (entries - 1), 0) / surface.steps / 2)
    place = min(place, entries - 1)
    top, left = min(int(row), rows - 2) if rows > 1 else 0, min(int(place), entries - 2)
    down, right = row - top, place - left
    corners = surface.entries[[[top], [min(top + 1, rows - 1)]], [left, left + 1]]
    return np.array([1 - down, down]) @ corners @ np.array([1 - right, right]) * beyond


def moment_scores(image, params: CfarParams, valid=None):
    """(score, clutter) for the laws of a mean and a deviation, from whole numbers where levels are whole."""
    is_number, is_log = image.dtype.kind == "u", params.law != "gaussian"
    factor, surface, power = ring_table(params), ring_surface(params), powers(image, valid)
    levels = [[None if v is None else ln_level(v) if is_log else v for v in row] for row in power]
    scale = 2.0**21
    out = np.full((2, *image.shape), np.nan)
    for line in range(image.shape[0]):
        for pixel in range(image.shape[1]):
            around, level = ring(levels, line, pixel, params), levels[line][pixel]
            n = len(around)
            if level is None or not factor[n] < np.inf:
                continue
            if is_number or is_log:
                total = sum(around)
                spread = float(n * sum(v * v for v in around) - total**2)
                above = float(n * level - total)
            else:
                total = fsum(around)
                spread = n * fsum((v - total / n) ** 2 for v in around)
                above = n * level - total
            if surface.entries.size:
                variance = spread / (n * (n - 1)) / scale**2
                spread = (surface_factor(surface, factor[n], variance) * n * scale) ** 2
            else:
                spread *= factor[n]
            if is_log:
                score = np.exp(np.clip((above - np.sqrt(spread)) / n / scale, -740, 700))
                clutter = np.exp((total / n - 1) / scale)
            else:
                score, clutter = n * level / (total + np.sqrt(spread)), total / n
            # the decision is the comparison of squares; the score follows it
            is_hit = above > 0 and above * above > spread
            out[0, line, pixel] = max(score, np.nextafter(1, 2)) if is_hit else min(score, 1)
            out[1, line, pixel] = clutter
    return out


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


def sides(power, line, pixel, params):
    """Powers of the ring's sides above, below, right and left: the vanes of a pinwheel."""
    (back_l, back_p), (guard_l, guard_p) = params.background_shape, params.guard_shape
    boxes = [
        (-back_l, -guard_l - 1, -back_p, guard_p),
        (guard_l + 1, back_l, -guard_p, back_p),
        (-back_l, guard_l, guard_p + 1, back_p),
        (-guard_l, back_l, -back_p, -guard_p - 1),
    ]
    return [
        [
            power[y][x]
            for y in range(max(line + top, 0), min(line + bottom + 1, len(power)))
            for x in range(max(pixel + left, 0), min(pixel + right + 1, len(power[0])))
            if power[y][x] is not None
        ]
        for top, bottom, left, right in boxes
    ]


def averaged(image, params: CfarParams, valid=None):
    """(threshold, clutter) of the greatest, smallest or ordered average; NaN where no decision is possible."""
    power, is_number = powers(image, valid), image.dtype.kind == "u"
    by_order = params.average == "ordered"
    table = order_table(params).factor if by_order else side_table(params)
    pick = max if params.average == "greatest" else min
    out = np.full((2, *image.shape), np.nan)
    for line in range(image.shape[0]):
        for pixel in range(image.shape[1]):
            around = sorted(ring(power, line, pixel, params))
            if power[line][pixel] is None or len(around) < params.min_ring:
                continue
            if by_order:
                level = around[max(ceil(params.rank * len(around) - 1e-9), 1) - 1]
                out[:, line, pixel] = table[len(around)] * float(level), level
                continue
            full = [
                (float(sum(side)) if is_number else fsum(side), len(side))
                for side in sides(power, line, pixel, params)
                if side
            ]
            out[:, line, pixel] = pick((table[len(full), n] * total, total / n) for total, n in full)
    return out


def censored(image, params: CfarParams, valid=None):
    """(mask, score) of repeated passes, each with all earlier hits, grown by a pixel, out of every ring."""
    keep = np.ones(image.shape, bool) if valid is None else valid
    once, ever = replace(params, passes=1), np.zeros(image.shape, bool)
    for _ in range(params.passes):
        out_of_rings = ndimage.binary_dilation(ever, np.ones((3, 3)))
        score = np.full(image.shape, np.nan, np.float32)
        for place in np.ndindex(image.shape):
            known = keep & ~out_of_rings
            known[place] = keep[place]
            score[place] = cfar.score(image, once, known)[place]
        if np.array_equal(ever, ever | (score > 1)):
            break
        ever |= score > 1
    return score > 1, score
