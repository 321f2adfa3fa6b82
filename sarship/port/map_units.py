"""Units of images on a map: the scale and quantity that are said, held against the pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.errors import ProductError
from sarship.model import CO_POLARIZED, Polarization, Window
from sarship.port.map_bands import Band
from sarship.port.map_facts import MapFacts
from sarship.sentinel1.channels import MAX_CROSS_OVER_CO

__all__ = ["amplitude_of", "check_unit"]

Power = NDArray[np.float32]

BRIGHTEST: Final = 3.0
"""Largest median of linear power in an image; 5 dB is brighter than any city as a whole."""
MAX_BELOW: Final = 0.05
"""Largest part of linear power that may lie below 0, as it does where more noise was subtracted than there was."""
SAMPLE_LINES: Final = 256
"""Lines read from the middle to tell the unit by."""


def amplitude_of(values: Power, facts: MapFacts, band: Band) -> Power:
    """Return the root of the power that numbers stand for; 0 and below, and NaN, where there is none."""
    if facts.scale == "decibel":  # 0 is what exports fill with, and hardly ever the level of a pixel
        return np.where(values == 0, np.float32(0), 10 ** (values / np.float32(20)))
    if facts.scale == "linear":
        return np.asarray(np.sqrt(np.maximum(values, 0)), np.float32)
    return values / np.float32(band.full if band.is_integer else 1.0)


def check_unit(bands: Mapping[Polarization, Band], facts: MapFacts, shape: tuple[int, int], where: str) -> None:
    """Refuse a quantity or a scale that nobody says, or that the pixels contradict, and bands that are exchanged.

    Raises
    ------
    ProductError
        With what the pixels look like, and what to say.
    """

    def refuse(reason: str) -> ProductError:
        return ProductError(f"{where} {reason}", path=where)

    start = max(0, (shape[0] - SAMPLE_LINES) // 2)
    middle = Window(start, min(shape[0], start + SAMPLE_LINES), 0, shape[1])
    values = {name: band.read(middle) for name, band in bands.items()}
    seen = next((each for each in map(_known, values.values()) if each.size), np.empty(0))
    level, below = (float(np.median(seen)), float(np.mean(seen < 0))) if seen.size else (math.nan, math.nan)
    looks = "decibel" if below > 0.5 else "digital numbers" if level > BRIGHTEST else "linear power or amplitude"
    if facts.scale is None:
        raise refuse(f"does not say its scale (its pixels look like {looks}); say linear, decibel or amplitude")
    if facts.scale != "amplitude" and facts.quantity is None:
        raise refuse("does not say its quantity; say sigma0 or gamma0")
    if facts.scale != "amplitude" and any(band.is_integer for band in bands.values()):
        scaled = "give the file the scale and offset that make power of it, or say amplitude if it is that"
        raise refuse(f"holds whole numbers, which are no {facts.scale} values; {scaled}")
    if facts.scale == "decibel" and below == 0:
        raise refuse(f"is said to be in decibel, but none of its pixels is below 0: they look like {looks}")
    if facts.scale != "decibel" and below > MAX_BELOW:
        raise refuse(f"is said to be {facts.scale}, but {below:.0%} of its pixels are below 0: they look like {looks}")
    if facts.scale == "linear" and level > BRIGHTEST:
        raise refuse(f"is said to be linear power, but its median is {level:.3g}: they look like {looks}")
    amplitudes = [_known(amplitude_of(one, facts, bands[name])) for name, one in values.items()]
    levels = [float(np.median(each) ** 2) for each in amplitudes if each.size]
    if len(levels) == 2 and next(iter(bands)) in CO_POLARIZED and levels[1] > MAX_CROSS_OVER_CO * levels[0]:
        brighter = f"the second is {levels[1] / levels[0]:.1f} times as bright"
        raise refuse(f"has {' and '.join(bands)} exchanged: {brighter}; say the polarisations in the bands' order")


def _known(values: Power) -> Power:
    """Return the numbers that are something: neither missing nor 0, which stands for missing."""
    return np.asarray(values[np.isfinite(values) & (values != 0)], np.float32)
