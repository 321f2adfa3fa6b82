"""Functions of the device that kernels share: loads, stores and lists of found pixels."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from sarship.cfar.gpu.arguments import Catch, Mode, Pixels
from sarship.cfar.gpu.compilation import DeviceFunction, made_once, on_device
from sarship.cfar.gpu.rule import Rule

cuda: Any = import_module("numba.cuda")

__all__ = [
    "make_load",
    "make_pick",
    "make_store",
    "make_uncensored",
    "nearest",
    "place_of",
    "put",
]


@made_once
def make_load(rule: Rule, is_masked: bool) -> DeviceFunction:
    """Make the load of a pixel's level: 0 for no data, outside the image and where masked."""
    power, level = rule.power, rule.level

    @on_device
    def load(pixels: Pixels, line: int, pixel: int) -> Any:
        n_lines, n_pixels = pixels.image.shape
        if line < 0 or line >= n_lines or pixel < 0 or pixel >= n_pixels:
            return level(0)
        # unsigned indices cannot be negative, so none is wrapped around
        y, x = np.uint64(line), np.uint64(pixel)
        if is_masked and not pixels.valid[y, x]:
            return level(0)
        return level(power(pixels.image[y, x]))

    return load


@made_once
def make_uncensored(rule: Rule, is_masked: bool) -> DeviceFunction:
    """Make the load of a pixel's level for a ring: 0 also where the pixel is censored."""
    load, level = make_load(rule, is_masked), rule.level

    @on_device
    def uncensored(pixels: Pixels, line: int, pixel: int) -> Any:
        found = load(pixels, line, pixel)
        if found > 0:
            bits = pixels.censored[np.uint64(line + pixels.first_line), np.uint64(pixel >> 5)]
            if (np.uint32(bits) >> np.uint32(pixel & 31)) & np.uint32(1):
                return level(0)
        return found

    return uncensored


@made_once
def make_pick(rule: Rule, is_masked: bool) -> DeviceFunction:
    """Make the load of a level from a line, 0 where it does not count; without a branch, for it is called most."""
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
    """Return the line or the image's nearest, without a sign: such an index is not tested for being negative."""
    return np.uint64(min(max(line, 0), n_lines - 1))


@made_once
def make_store(mode: Mode) -> DeviceFunction:
    """Make the store of a score, or of True for that of a hit."""
    is_mask = mode == "mask"

    @on_device
    def store(out: Any, line: int, pixel: int, score: float) -> None:
        if is_mask:
            out[np.uint64(line), np.uint64(pixel)] = score > 1
        else:
            out[np.uint64(line), np.uint64(pixel)] = np.float32(score) if score >= 0 else np.float32(np.nan)

    return store


@on_device
def put(catch: Catch, slot: int, line: int, pixel: int, level: int, found: Any) -> None:
    """List a found pixel, where there is room."""
    if slot < catch.places.shape[0]:
        catch.places[slot, 0], catch.places[slot, 1], catch.places[slot, 2] = line, pixel, level
        catch.words[slot, 0], catch.words[slot, 1], catch.words[slot, 2] = found


@on_device
def place_of(line: int, pixel: int, n_pixels: int) -> Any:
    """Return a place in pixels from the image's first."""
    return np.uint64(line) * np.uint64(n_pixels) + np.uint64(pixel)
