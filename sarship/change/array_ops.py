"""What is asked of a port's cells on every date, with the library's answer in a third of its time or less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["median_of", "spread_out"]


def median_of(values: NDArray[np.float32]) -> np.float32:
    """The median of values without NaN, to the last bit that of `numpy.median`.

    NumPy places both middle values, and the largest in search of NaN, at once, and so gives up its vector registers.

    >>> float(median_of(np.array([4, 1, 3, 2], np.float32)))
    2.5
    """
    middle = values.size // 2
    placed = np.partition(values, middle)
    if values.size % 2:
        return np.float32(placed[middle])
    return np.float32(np.mean([placed[:middle].max(), placed[middle]], dtype=np.float32))


def spread_out(cells: NDArray[np.bool_], n_steps: int) -> NDArray[np.bool_]:
    """Cells that so many steps along rows and columns reach from those given, as `scipy.ndimage.binary_dilation`.

    >>> spread_out(np.array([[1, 0, 0], [0, 0, 0]], bool), 1).astype(int).tolist()
    [[1, 1, 0], [1, 0, 0]]
    """
    for _ in range(n_steps):
        reached = cells.copy()
        reached[1:] |= cells[:-1]
        reached[:-1] |= cells[1:]
        reached[:, 1:] |= cells[:, :-1]
        reached[:, :-1] |= cells[:, 1:]
        cells = reached
    return cells
