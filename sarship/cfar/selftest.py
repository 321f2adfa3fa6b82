"""Self-test: the hardware and packages to compute with on this machine, and the detector against plain sums."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from sarship import cfar
from sarship.cfar.device import found_on_this_machine
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import ring_table
from sarship.errors import DeviceError
from sarship.model import Hits

__all__ = ["EQUAL", "check_up"]

EQUAL = "equal"
"""Beginning of a comparison that found no difference."""


def check_up() -> dict[str, str]:
    """Return threads, card, driver and packages, and compare the detector with plain sums and with the card.

    Returns
    -------
    dict of str to str
        By name. A comparison without a difference begins with `EQUAL`; one that could not be made says why.
    """
    found = {"CPU threads": str(numba.get_num_threads())} | found_on_this_machine()
    image = _image()
    params = CfarParams(pfa=1e-4, guard=2, training=3)
    cpu = cfar.detect(image, params)
    plain = _plain(image, params)
    found["CPU against plain sums"] = _compared(np.argwhere(plain), cpu)
    if found["driver"] == "none":
        return found
    try:
        there = cfar.detect(cfar.to_device(image), params)
    except DeviceError as error:
        found["card against CPU"] = f"not possible: {error}"
    else:
        found["card against CPU"] = _compared(np.stack([cpu.line, cpu.pixel], axis=1), there)
    return found


def _image() -> NDArray[np.uint16]:
    rng = np.random.default_rng(0)
    power = rng.gamma(4.4, 1e4 / 4.4, (60, 80))
    power[rng.integers(60, size=20), rng.integers(80, size=20)] *= 30
    return np.sqrt(power).astype(np.uint16)


def _plain(image: NDArray[np.uint16], params: CfarParams) -> NDArray[np.bool_]:
    """Return True for each pixel above the gamma model's threshold, from sums over every window by itself."""
    power = image.astype(np.int64) ** 2

    def sums(values: NDArray[np.int64], half: int) -> NDArray[np.int64]:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half), (2 * half + 1, 2 * half + 1))
        return np.asarray(windows.sum(axis=(2, 3)))

    (back, _), (guard, _) = params.outer_shape, params.guard_shape
    total, count = (sums(values, back) - sums(values, guard) for values in (power, (power > 0).astype(np.int64)))
    return np.asarray(power > ring_table(params)[count] * total)


def _compared(expected: NDArray[np.int64], hits: Hits) -> str:
    if np.array_equal(expected, np.stack([hits.line, hits.pixel], axis=1)):
        return f"{EQUAL}: {len(hits)} hits"
    return f"DIFFERENT: {len(hits)} hits where {len(expected)} were expected; please report it"
