"""Slow, plain twins of the kernels: one pixel at a time, Python's own whole numbers, nothing clever."""

from dataclasses import replace
from math import ceil, floor, fsum, log

import numpy as np
from scipy import ndimage

from sarship.cfar import CfarParams
from sarship.cfar.goca_soca_os import order_table, side_table
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.thresholds import ring_table

UNDECIDED = (np.nan, np.nan)


def judged(image, params: CfarParams, valid=None):
    """(score, clutter) of every pixel in float64 after one pass, NaN where no decision is possible.

    Above 1 exactly where the pixel is a hit.
    """
    power, judge = powers(image, params, valid), judge_of(image, params)
    out = np.full((2, *image.shape), np.nan)
    for line, pixel in np.ndindex(image.shape):
        if power[line][pixel] is not None:
            out[:, line, pixel] = judge(power, line, pixel)
    return out


def judge_of(image, params: CfarParams):
    """A function of (powers, line, pixel) that gives the score and the clutter of that pixel."""
    is_number = image.dtype.kind == "u"
    if params.average == "os":
        return os_judge(params)
    if params.average != "ca":
        return side_judge(params, is_number)
    if params.clutter_model == "gamma" or (params.clutter_model == "k" and params.clutter_shape is not None):
        return mean_judge(params, is_number)
    return moment_judge(params, is_number)


def powers(image, params: CfarParams, valid=None):
    """Power of every pixel as exact Python numbers, None where there is no data."""
    is_log = params.clutter_model in {"lognormal", "weibull"} or (
        params.clutter_model == "k" and params.clutter_shape is None
    )
    least, most = (1e-200, 1e200) if is_log else (0, np.inf)
    keep = np.ones(image.shape, bool) if valid is None else valid
    rows = []
    for line in range(image.shape[0]):
        row = []
        for pixel in range(image.shape[1]):
            value = int(image[line, pixel]) ** 2 if image.dtype.kind == "u" else float(image[line, pixel])
            row.append(value if keep[line, pixel] and least < value < most else None)
        rows.append(row)
    return rows


def ring(power, line, pixel, params):
    """Powers of the ring around a pixel, without those outside the image or without data."""
    (back_l, back_p), (guard_l, guard_p) = params.outer_shape, params.guard_shape
    return [
        power[y][x]
        for y in range(max(line - back_l, 0), min(line + back_l + 1, len(power)))
        for x in range(max(pixel - back_p, 0), min(pixel + back_p + 1, len(power[0])))
        if (abs(y - line) > guard_l or abs(x - pixel) > guard_p) and power[y][x] is not None
    ]


def total_of(values, is_number):
    """A sum rounded once: whole numbers add exactly, and so does fsum."""
    return float(sum(values)) if is_number else fsum(values)


def ratio(value, threshold):
    with np.errstate(over="ignore"):
        return np.float64(value) / threshold


def mean_judge(params, is_number):
    """CA-CFAR and K-CFAR of a given shape, which compare with the ring's mean alone."""
    table = ring_table(params)

    def judge(power, line, pixel):
        around = ring(power, line, pixel, params)
        if len(around) < params.min_ring or not table[len(around)] < np.inf:
            return UNDECIDED
        total = total_of(around, is_number)
        return ratio(power[line][pixel], table[len(around)] * total), total / len(around)

    return judge


def ln_level(value):
    """Fixed-point logarithm of a power, as the clutter models of ln power sum it."""
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


def moment_judge(params, is_number):
    """Two-parameter clutter models, from whole numbers where levels are whole."""
    is_log, scale = params.clutter_model != "gaussian", 2.0**21
    factor, surface = ring_table(params), ring_surface(params)

    def judge(power, line, pixel):
        around, level = ring(power, line, pixel, params), power[line][pixel]
        n = len(around)
        if not factor[n] < np.inf:
            return UNDECIDED
        if is_log:
            around, level = [ln_level(v) for v in around], ln_level(level)
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
            score, clutter = ratio(n * level, total + np.sqrt(spread)), total / n
        # the decision is the comparison of squares; the score follows it
        is_hit = above > 0 and above * above > spread
        return max(score, np.nextafter(1, 2)) if is_hit else min(score, 1), clutter

    return judge


def sides(power, line, pixel, params):
    """Powers of the ring's sides above, below, right and left: the vanes of a pinwheel."""
    (back_l, back_p), (guard_l, guard_p) = params.outer_shape, params.guard_shape
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


def side_judge(params, is_number):
    """The greatest or smallest threshold of the four sides."""
    table, pick = side_table(params), max if params.average == "goca" else min

    def judge(power, line, pixel):
        full = [(total_of(side, is_number), len(side)) for side in sides(power, line, pixel, params) if side]
        if sum(n for _, n in full) < params.min_ring:
            return UNDECIDED
        threshold, clutter = pick((table[len(full), n] * total, total / n) for total, n in full)
        return ratio(power[line][pixel], threshold), clutter

    return judge


def os_judge(params):
    """The pixel at a rank of the ring."""
    table = order_table(params).factor

    def judge(power, line, pixel):
        around = sorted(ring(power, line, pixel, params))
        if len(around) < params.min_ring:
            return UNDECIDED
        level = around[max(ceil(params.rank * len(around) - 1e-9), 1) - 1]
        return ratio(power[line][pixel], table[len(around)] * float(level)), level

    return judge


def censored(image, params: CfarParams, valid=None):
    """(score, clutter) of repeated passes, each with all earlier hits, grown by a pixel, out of every ring."""
    power, judge = powers(image, params, valid), judge_of(image, replace(params, iterations=1))
    ever = np.zeros(image.shape, bool)
    for _ in range(params.iterations):
        out_of_rings = ndimage.binary_dilation(ever, np.ones((3, 3)))
        known = [
            [None if gone else value for value, gone in zip(*rows, strict=True)]
            for rows in zip(power, out_of_rings, strict=True)
        ]
        out = np.full((2, *image.shape), np.nan)
        for line, pixel in np.ndindex(image.shape):
            if power[line][pixel] is None:
                continue
            # a pixel is decided itself, whether or not it is in the rings of others
            own, known[line][pixel] = known[line][pixel], power[line][pixel]
            out[:, line, pixel] = judge(known, line, pixel)
            known[line][pixel] = own
        found = out[0] > 1
        if not (found & ~ever).any():
            break
        ever |= found
    return out
