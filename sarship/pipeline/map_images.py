"""Images on a map in a survey: their speckle measured on the port's open water, and the doubts that it gives."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sarship.detection.bands import Mask
from sarship.detection.false_alarms import false_alarms_over_asked
from sarship.errors import PortError
from sarship.model import Window
from sarship.pipeline.plan import NO_PORT, Plan
from sarship.port.grid import to_port_grid
from sarship.port.map_image import MapImage
from sarship.sentinel1.doubts import doubt

__all__ = ["measured_on_water"]

MAX_OVER_ASKED: Final = 3.0
"""False alarms over those asked for, from which counts are doubted: a product of the North Sea has 0.9, filtered frames
of Latakia 5 to 7."""
USUAL_ENL: Final = (2.0, 20.0)
"""Range of the ENL of what is made of IW GRDH, which has 4.4: pixels of 30 m have some ten, subtracted noise leaves
less than 2, and the filtered frames of Latakia have 23 to 26."""
MAX_ZERO: Final = 0.01
"""Part of the open water that may be 0, and so without data, inside what was imaged."""


def measured_on_water(image: MapImage, plan: Plan, window: Window) -> MapImage:
    """Return an image with ENL and effective sample ratio of the open water in a window.

    Warns
    -----
    ProductWarning
        There is too little water to measure; or a filter, or thermal noise that was subtracted, took away what the
        clutter model is about: the image says so, or far more of the open water stands out than should, or is 0.
    """
    name, valid = image.scene.id, Mask.of(image, plan.land, plan.port.water).valid(window)
    measured = image.measured(window, valid)
    if measured is None:
        doubt(f"{name}: too little open water to measure its speckle on; it is taken as that of IW GRDH")
        measured = image
    if plan.port is not NO_PORT:
        _doubt_clutter(measured, plan)
    return measured


def _doubt_clutter(image: MapImage, plan: Plan) -> None:
    """Warn where the port's open water is not as the clutter model has it."""
    try:
        grid, water = plan.grid, plan.masks.open_water
    except PortError:
        return  # too large for a grid; said elsewhere
    power = to_port_grid(image, grid).to_numpy()[0]
    seen = water & _surrounded(np.isfinite(power))
    if not seen.any():
        return
    zero = float((seen & ~np.isfinite(power)).sum() / seen.sum())
    ring = plan.params.for_image(
        (grid.spacing_m, grid.spacing_m), enl=image.enl, effective_sample_ratio=image.sample_ratio
    )
    over = false_alarms_over_asked(power, water, ring)
    facts, found = image.facts, list[str]()
    if facts.noise_subtracted:
        found.append("its thermal noise was subtracted")
    if facts.is_filtered:
        found.append("its speckle was filtered")
    if not USUAL_ENL[0] < image.enl < USUAL_ENL[1]:
        found.append(f"its speckle has an ENL of {image.enl:.2g}, which says that it was filtered or noise subtracted")
    if zero > MAX_ZERO:
        found.append(f"{zero:.0%} of the open water is 0 or below, as where noise was subtracted")
    if found or over > MAX_OVER_ASKED:
        found.append(f"{over:.1f} times as many cells of open water stand out as should")
        doubt(f"{image.scene.id}: {', and '.join(found)}; look at its picture before its counts")


def _surrounded(has_data: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return True between the first and the last cell with data of a row, and of a column: what was imaged."""
    inside = np.ones(has_data.shape, np.bool_)
    for axis in (0, 1):
        before = np.logical_or.accumulate(has_data, axis)
        after = np.flip(np.logical_or.accumulate(np.flip(has_data, axis), axis), axis)
        inside &= before & after
    return inside
