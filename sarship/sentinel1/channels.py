"""Channels that hold no image: blank, far below the product's own noise, or copies of another.

A blank channel is not a look. Searched like an image it would show an empty port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sarship.model import Window

if TYPE_CHECKING:
    from sarship.sentinel1.calibration import Noise
    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["MAX_CROSS_OVER_CO", "channel_faults", "cross_over_co", "sample_of"]

Places = NDArray[np.int64]

SAMPLES: Final = 200
"""Lines, and pixels of a line, that are looked at."""
LEAST_OF_NOISE: Final = 0.5
"""Smallest median power over that of the noise: speckle of pure noise has 0.9, and the sea adds to it."""

MAX_CROSS_OVER_CO: Final = 1.4
"""Largest median of the cross-polarised image over that of the other, noise left in: the two noises alone are 0.7 to
1.16 apart, and 78 places with ships off China have 0.05 to 0.57, so that exchanged they would have 1.7 or more."""


def sample_of(window: Window) -> tuple[Places, Places]:
    """Return the lines (n, 1) and pixels (1, m) of a window that tell of its channels.

    Examples
    --------
    >>> line, pixel = sample_of(Window(100, 1_100, 0, 3))
    >>> line.shape, pixel.tolist()
    ((200, 1), [[0, 1, 2]])
    """
    line, pixel = (np.unique(np.linspace(0, n - 1, min(n, SAMPLES)).astype(np.int64)) for n in window.shape)
    return window.line_start + line[:, None], window.pixel_start + pixel[None]


def channel_faults(
    product: RadarImage, numbers: Mapping[str, NDArray[np.number[Any]]], line: Places, pixel: Places
) -> dict[str, str]:
    """Return the reason, by polarisation, why what was read is no image.

    Parameters
    ----------
    product
        Product that was read.
    numbers
        Digital numbers by polarisation at a window's `sample_of`, (n, m); 0 is no data.
    line, pixel
        The sample.

    Returns
    -------
    dict
        Empty where every channel has data, or none has: then nothing was imaged there.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship.sentinel1 import open_grd
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     path, _ = simulate_product(folder, ProductParams(shape=(60, 80)), n_vessels=0)
    ...     product = open_grd(path)
    ...     line, pixel = sample_of(product.window())
    ...     numbers = {name: product.digital_numbers(name)[line, pixel] for name in ("VV", "VH")}
    ...     channel_faults(product, numbers | {"VV": 0 * numbers["VV"]}, line, pixel)
    {'VV': 'holds no data'}
    """
    if not any(each.any() for each in numbers.values()):
        return {}
    found: dict[str, str] = {}
    sound: list[str] = []
    for name, each in numbers.items():
        twin = next((other for other in sound if np.array_equal(numbers[other], each)), None)
        if not each.any():
            found[name] = "holds no data"
        elif twin is not None:
            found[name] = f"is the same image as {twin}"
        elif _over_noise(product.noise(name), each.astype(np.float64), line, pixel) < LEAST_OF_NOISE:
            found[name] = "is darker than the product's own noise"
        else:
            sound.append(name)
    return found


def cross_over_co(
    product: RadarImage, numbers: Mapping[str, NDArray[np.number[Any]]], line: Places, pixel: Places
) -> float:
    """Return the median brightness in cross-polarisation over that in co-polarisation, thermal noise left in.

    Sea, land and ships all scatter less into the other polarisation; where the ratio is over `MAX_CROSS_OVER_CO`, the
    files of the two are exchanged, or something else sends.

    Parameters
    ----------
    product, numbers, line, pixel
        As for `channel_faults`, of channels without a fault.

    Returns
    -------
    float
        NaN where the two are not there.
    """
    if len({name[0] == name[1] for name in numbers}) < 2:
        return np.nan
    levels: dict[bool, float] = {}
    for name, each in numbers.items():
        gain = np.broadcast_to(product.calibration(name).gain_at("sigma0", line, pixel), each.shape)
        has_data = each > 0
        if not has_data.any():
            return np.nan
        levels[name[0] == name[1]] = float(np.median((each[has_data] / gain[has_data]) ** 2))
    return levels[False] / levels[True]


def _over_noise(noise: Noise | None, numbers: NDArray[np.float64], line: Places, pixel: Places) -> float:
    """Return the median power over the noise's; infinity where the product says of none."""
    if noise is None or noise.is_zero:
        return np.inf
    has_data = numbers > 0
    level = float(np.median(np.broadcast_to(noise.power_at(line, pixel), numbers.shape)[has_data]))
    return float(np.median(numbers[has_data] ** 2)) / level if level > 0 else np.inf
