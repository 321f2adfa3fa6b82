"""False alarms on open water, counted: what is left of a clutter model after somebody else's processing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sarship import cfar
from sarship.cfar.params import CfarParams

__all__ = ["ASKED", "false_alarms_over_asked"]

ASKED: Final = 1e-3
"""Probability that false alarms are counted at: far rarer ones are too few in a port."""
MIN_EXPECTED: Final = 5.0
"""Minimum number of independent false alarms that the water is large enough for."""
SURE: Final = 1e-9
"""Probability of what is taken for a vessel."""
NEAR: Final = 10
"""Cells around a vessel in which its sidelobes are no false alarms."""


def false_alarms_over_asked(power: NDArray[np.float32], open_water: NDArray[np.bool_], params: CfarParams) -> float:
    """Return the number of false alarms on open water over that which the clutter model has at one in a thousand.

    Parameters
    ----------
    power
        Linear power, (lines, pixels), NaN where there is no data.
    open_water
        True on water off land and piers, (lines, pixels). Vessels on it, and what is around them, are left out.
    params
        Ring, ENL and effective sample ratio of the image; `pfa` is not used.

    Returns
    -------
    float
        About 1 where the model holds; NaN where there is too little open water.

    Examples
    --------
    >>> sea = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (300, 300)).astype(np.float32)
    >>> water = np.ones(sea.shape, bool)
    >>> params = CfarParams(guard=(2, 2), training=(8, 8), enl=4.4)
    >>> 0.5 < false_alarms_over_asked(sea, water, params) < 2
    True
    """
    sure = cfar.score(power, replace(params, pfa=SURE), open_water) > 1
    score = cfar.score(power, replace(params, pfa=ASKED), open_water)
    looked_at = open_water & (score > 0) & ~ndimage.binary_dilation(sure, iterations=NEAR)
    expected = ASKED * int(looked_at.sum())
    if expected * params.effective_sample_ratio < MIN_EXPECTED:
        return math.nan
    return int((score[looked_at] > 1).sum()) / expected
