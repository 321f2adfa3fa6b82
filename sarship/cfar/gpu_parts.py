"""Parts that the device's kernels have in common: pixels, scores, and the sums of one ring."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np

from sarship.cfar.gpu_rules import Device, Rule, on_device

__all__ = ["Mode", "make_direct", "make_load", "make_pick", "make_store", "nearest"]

Mode = Literal["search", "score", "mask"]
"""What a kernel leaves: found pixels, an image of scores, or an image of booleans."""


@lru_cache
def make_load(rule: Rule, is_masked: bool) -> Device:
    """Level of a pixel, 0 for no data, outside the image and where masked."""
    power, level = rule.power, rule.level

    @on_device
    def load(image: Any, valid: Any, size: Any, line: int, pixel: int) -> Any:
        if line < 0 or line >= size[0] or pixel < 0 or pixel >= size[1]:
            return level(0)
        # unsigned indices cannot be negative, so none is wrapped around
        y, x = np.uint64(line), np.uint64(pixel)
        if is_masked and not valid[y, x]:
            return level(0)
        return level(power(image[y, x]))

    return load


@lru_cache
def make_pick(rule: Rule, is_masked: bool) -> Device:
    """Level of a pixel of a line, 0 where it does not count; without a branch, for it is read most."""
    power, level = rule.power, rule.level

    @on_device
    def pick(row: Any, keep: Any, x: Any, counts: bool) -> Any:
        value = level(power(row[x]))
        if is_masked:
            counts = counts and keep[x]
        return value if counts else level(0)

    return pick


@on_device
def nearest(line: int, n_lines: int) -> Any:
    """The line, or the image's nearest, without a sign: such an index is not tested for being negative."""
    return np.uint64(min(max(line, 0), n_lines - 1))


@lru_cache
def make_store(mode: Mode) -> Device:
    """Write a score, or whether it is a hit's."""
    is_mask = mode == "mask"

    @on_device
    def store(out: Any, line: int, pixel: int, score: float) -> None:
        if is_mask:
            out[np.uint64(line), np.uint64(pixel)] = score > 1
        else:
            out[np.uint64(line), np.uint64(pixel)] = np.float32(score) if score >= 0 else np.float32(np.nan)

    return store


@lru_cache
def make_direct(rule: Rule, is_masked: bool) -> Device:
    """Statistics of one ring, line by line from the left, with the lines' sums added in order, as the CPU does."""
    load, lift, word, is_centred = make_load(rule, is_masked), rule.lift, rule.word, rule.is_centred
    n_words = rule.words[1]

    @on_device
    def direct(image: Any, valid: Any, size: Any, line: int, pixel: int, window: Any) -> Any:
        back_l, back_p, guard_l, guard_p = window
        first, second, third = word(0), word(0), word(0)
        for y in range(max(line - back_l, 0), min(line + back_l + 1, size[0])):
            a, b, c = word(0), word(0), word(0)
            x = max(pixel - back_p, 0)
            while x < min(pixel + back_p + 1, size[1]):
                if abs(y - line) <= guard_l and abs(x - pixel) <= guard_p:
                    x = pixel + guard_p + 1
                    continue
                level = load(image, valid, size, y, x)
                a += lift(level, 0)
                if n_words > 1:
                    b += lift(level, 1)
                if n_words > 2:
                    c += lift(level, 2)
                x += 1
            first, second, third = word(first + a), word(second + b), word(third + c)
        return first, second, third

    if not is_centred:
        return direct

    @on_device
    def centred(image: Any, valid: Any, size: Any, line: int, pixel: int, window: Any) -> Any:
        back_l, back_p, guard_l, guard_p = window
        total, _, count = direct(image, valid, size, line, pixel, window)
        mean = total / count if count > 0 else 0.0
        spread = 0.0
        for y in range(max(line - back_l, 0), min(line + back_l + 1, size[0])):
            subtotal = 0.0
            for x in range(max(pixel - back_p, 0), min(pixel + back_p + 1, size[1])):
                is_guarded = abs(y - line) <= guard_l and abs(x - pixel) <= guard_p
                level = load(image, valid, size, y, x)
                if level > 0 and not is_guarded:
                    distance = np.float64(level) - mean
                    subtotal += distance * distance
            spread += subtotal
        return mean, (spread / count if count > 0 else 0.0), count

    return centred
