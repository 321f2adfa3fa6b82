"""What the device's kernels are made of: rules for a pixel and its ring, loads, scores, and the sums of one ring."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np

from sarship.cfar.device import is_simulated

cuda: Any = import_module("numba.cuda")

__all__ = [
    "EPSILON",
    "GROUP",
    "Device",
    "Law",
    "Mode",
    "Rule",
    "Running",
    "as_kernel",
    "made_once",
    "make_centred",
    "make_direct",
    "make_free",
    "make_load",
    "make_pick",
    "make_store",
    "nearest",
    "on_device",
    "place_of",
    "put",
]

Mode = Literal["search", "score", "mask"]
"""What a kernel leaves: found pixels, an image of scores, or an image of booleans."""

GROUP = 16
"""Threads of a block whose totals are added up in one step."""
EPSILON = float(np.finfo(np.float64).eps)

Device = Callable[..., Any]

P = ParamSpec("P")
T = TypeVar("T")
_MAKING = threading.RLock()


def made_once(make: Callable[P, T]) -> Callable[P, T]:
    """Keep what a function makes, for good, and make it once whatever threads ask: each kernel compiles in seconds."""
    kept: Any = cache(make)

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        with _MAKING:
            found: T = kept(*args, **kwargs)
            return found

    return made


class Law(NamedTuple):
    """Numbers of a law that kernels compare with, all of one type, for laws of two moments; else they are not used."""

    scale: float
    """Levels for each unit of ln power; 0 where a level is power."""
    least: float
    """No hit's distance above the sum is below this times the count."""
    variance: float
    """Variance in levels at which the surface's entries begin."""
    steps: float
    """Entries of the surface for each unit of ln variance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One law and average on one type of image, in functions of the device: a pixel against its ring, by itself."""

    word: type
    """Type of the statistics of a ring: `np.uint64` for whole numbers, `np.float64` else."""
    level: type
    """Type of what `power` makes of a pixel."""
    power: Device
    """Pixel → level, 0 for no data."""
    lift: Device
    """(level, k) → what it adds to word k."""
    n_words: int
    """How many words the ring's statistics take, at most three."""
    ring: Callable[[Rule, Device], Device]
    """(rule, load) → function of (image, keep, size, line, pixel, window, table, surface) → the ring's statistics."""
    score: Device
    """(level, statistics, table, surface, law) → score, −1 for no decision; above 1 for a hit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running(Rule):
    """The same with running sums of up to three words, of one type: exact for whole numbers, drifting for others."""

    n_sought: int
    """How many words a search needs; a score needs all."""
    change: Device
    """Change of the first word since a block began → a number that falls and rises with the sum."""
    may_hold: Device
    """(brightest level, first word before the block, least change, factor, error) → could the block hold a hit?"""
    may_be: Device
    """(level, words, table, surface, law, error, peak) → could the pixel be a hit? No hit is missed."""
    statistics: Device
    """Words → what `score` takes."""
    is_doubtful: Device
    """(score, statistics, error, peak) → must running sums be replaced by direct ones?"""

    @property
    def is_exact(self) -> bool:
        """Whether running sums are exact, so that they decide."""
        return self.word is np.uint64


def on_device(function: Any) -> Device:
    """A plain function, or the source of one compiled for the CPU, as a function of the device.

    As it is under the simulator, which gives `cuda` its meaning within a kernel's own file, and would do so anew at
    every call of another.
    """
    plain: Device = getattr(function, "py_func", function)
    return plain if is_simulated() else cuda.jit(plain, device=True)


def as_kernel(function: Any) -> Any:
    """A kernel of the device."""
    return cuda.jit(function)


@made_once
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


@made_once
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


@made_once
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


@made_once
def make_free(rule: Rule, is_masked: bool) -> Device:
    """Level of a pixel for a ring, 0 also where it was taken out of all rings.

    `keep` holds the mask, a bit for each pixel that was taken out, and the line of those bits where the image begins.
    """
    load, level = make_load(rule, is_masked), rule.level

    @on_device
    def free(image: Any, keep: Any, size: Any, line: int, pixel: int) -> Any:
        valid, taken, origin = keep
        found = load(image, valid, size, line, pixel)
        if found > 0:
            bits = taken[np.uint64(line + origin), np.uint64(pixel >> 5)]
            if (np.uint32(bits) >> np.uint32(pixel & 31)) & np.uint32(1):
                return level(0)
        return found

    return free


@made_once
def make_direct(rule: Rule, load: Device) -> Device:
    """Sums of one ring, line by line from the left, with the lines' sums added in order, as the CPU does."""
    lift, word, n_words = rule.lift, rule.word, rule.n_words

    @on_device
    def direct(image: Any, keep: Any, size: Any, line: int, pixel: int, window: Any, _table: Any, _surface: Any) -> Any:
        back_l, back_p, guard_l, guard_p = window
        first, second, third = word(0), word(0), word(0)
        for y in range(max(line - back_l, 0), min(line + back_l + 1, size[0])):
            a, b, c = word(0), word(0), word(0)
            x = max(pixel - back_p, 0)
            while x < min(pixel + back_p + 1, size[1]):
                if abs(y - line) <= guard_l and abs(x - pixel) <= guard_p:
                    x = pixel + guard_p + 1
                    continue
                level = load(image, keep, size, y, x)
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
def make_centred(rule: Rule, load: Device) -> Device:
    """Mean of one ring, the mean square of the distance from it, and the count."""
    direct = make_direct(rule, load)

    @on_device
    def centred(image: Any, keep: Any, size: Any, line: int, pixel: int, window: Any, table: Any, surface: Any) -> Any:
        back_l, back_p, guard_l, guard_p = window
        total, _, count = direct(image, keep, size, line, pixel, window, table, surface)
        mean = total / count if count > 0 else 0.0
        spread = 0.0
        for y in range(max(line - back_l, 0), min(line + back_l + 1, size[0])):
            subtotal = 0.0
            for x in range(max(pixel - back_p, 0), min(pixel + back_p + 1, size[1])):
                is_guarded = abs(y - line) <= guard_l and abs(x - pixel) <= guard_p
                level = load(image, keep, size, y, x)
                if level > 0 and not is_guarded:
                    distance = np.float64(level) - mean
                    subtotal += distance * distance
            spread += subtotal
        return mean, (spread / count if count > 0 else 0.0), count

    return centred


@on_device
def put(places: Any, words: Any, slot: int, line: int, pixel: int, level: int, found: Any) -> None:
    """Write down a found pixel, where there is room."""
    if slot < places.shape[0]:
        places[slot, 0], places[slot, 1], places[slot, 2] = line, pixel, level
        words[slot, 0], words[slot, 1], words[slot, 2] = found


@on_device
def place_of(line: int, pixel: int, n_pixels: int) -> Any:
    """A place in pixels from the image's first."""
    return np.uint64(line) * np.uint64(n_pixels) + np.uint64(pixel)
