"""Sums of one ring, taken by themselves in the order of the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np

from sarship.cfar.gpu.arguments import Pixels, RingShape, Thresholds
from sarship.cfar.gpu.compilation import DeviceFunction, made_once, on_device
from sarship.cfar.gpu.rule import Rule

__all__ = ["make_centred", "make_direct"]


@made_once
def make_direct(rule: Rule, load: DeviceFunction) -> DeviceFunction:
    """Make the sums of a ring, line by line from the left, with the lines' sums added in order, as the CPU does."""
    lift, word, n_words = rule.lift, rule.word, rule.n_words

    @on_device
    def direct(_level: Any, pixels: Pixels, line: int, pixel: int, shape: RingShape, _thresholds: Thresholds) -> Any:
        n_lines, n_pixels = pixels.image.shape
        first, second, third = word(0), word(0), word(0)
        for y in range(max(line - shape.outer_lines, 0), min(line + shape.outer_lines + 1, n_lines)):
            a, b, c = word(0), word(0), word(0)
            x = max(pixel - shape.outer_pixels, 0)
            while x < min(pixel + shape.outer_pixels + 1, n_pixels):
                if abs(y - line) <= shape.guard_lines and abs(x - pixel) <= shape.guard_pixels:
                    x = pixel + shape.guard_pixels + 1
                    continue
                level = load(pixels, y, x)
                a += lift(level, 0)
                if n_words > 1:
                    b += lift(level, 1)
                if n_words > 2:
                    c += lift(level, 2)
                x += 1
            first, second, third = word(first + a), word(second + b), word(third + c)
        return first, second, third

    return direct


@made_once
def make_centred(rule: Rule, load: DeviceFunction) -> DeviceFunction:
    """Make the mean of a ring, the mean square of the distance from it, and the count."""
    direct = make_direct(rule, load)

    @on_device
    def centred(own: Any, pixels: Pixels, line: int, pixel: int, shape: RingShape, thresholds: Thresholds) -> Any:
        n_lines, n_pixels = pixels.image.shape
        total, _, count = direct(own, pixels, line, pixel, shape, thresholds)
        mean = total / count if count > 0 else 0.0
        spread = 0.0
        for y in range(max(line - shape.outer_lines, 0), min(line + shape.outer_lines + 1, n_lines)):
            subtotal = 0.0
            for x in range(max(pixel - shape.outer_pixels, 0), min(pixel + shape.outer_pixels + 1, n_pixels)):
                is_guarded = abs(y - line) <= shape.guard_lines and abs(x - pixel) <= shape.guard_pixels
                level = load(pixels, y, x)
                if level > 0 and not is_guarded:
                    distance = np.float64(level) - mean
                    subtotal += distance * distance
            spread += subtotal
        return mean, (spread / count if count > 0 else 0.0), count

    return centred
