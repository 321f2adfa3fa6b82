"""Parameters of the detectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

__all__ = ["MAX_RING", "CfarParams", "ClutterModel", "RingAverage"]

ClutterModel = Literal["gamma", "lognormal", "weibull", "k", "gaussian"]
RingAverage = Literal["ca", "goca", "soca", "os"]

MAX_RING = 65_535
"""Maximum number of pixels in a ring: kernels count them in 16 bits."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, float | np.floating)


def _half_widths(name: str, value: Any) -> int | tuple[int, int]:
    """A half-width, or a pair of them, as Python's own numbers."""
    if _is_whole(value):
        return int(value)
    if isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value)):
        return int(value[0]), int(value[1])
    raise TypeError(f"{name} must be a whole number or a pair (lines, pixels), got {value!r}")


_REAL_BOUNDS: Final[tuple[tuple[str, Callable[[float], bool], str], ...]] = (
    ("pfa", lambda value: 1e-30 <= value < 0.5, "lie in (0, 0.5), and be 1e-30 at least"),
    ("enl", lambda value: 0.1 <= value <= 1e6, "be positive and finite, in [0.1, 1e6]"),
    ("clutter_shape", lambda value: value >= 0.1, "be positive, 0.1 at least"),
    ("rank", lambda value: 0.01 <= value <= 1, "lie in [0.01, 1]"),
    ("effective_sample_ratio", lambda value: 1e-3 <= value <= 1, "lie in (0, 1], and be 0.001 at least"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CfarParams:
    """Parameters of a detector: guard and training cells around each pixel, clutter model, false-alarm probability.

    Half-widths are one number for a square, or (lines, pixels) for a rectangle.

    Raises
    ------
    TypeError, ValueError
        A parameter of another type or outside its range, named with its value.

    Examples
    --------
    >>> CfarParams(guard=1, training=1).ring_size
    16
    >>> CfarParams(clutter_model="k", guard=(5, 10), training=(5, 10)).outer_shape
    (10, 20)
    """

    pfa: float = 1e-6
    """False-alarm probability per pixel."""
    guard: int | tuple[int, int] = 10
    """Half-width of the square of guard cells, left out around the pixel under test, in pixels."""
    training: int | tuple[int, int] = 10
    """Width of the band of training cells around the guard, in pixels."""
    clutter_model: ClutterModel = "gamma"
    """Distribution of the clutter's power. `gaussian` is here for comparison: it holds no rate on speckle."""
    enl: float = 4.4
    """Equivalent number of looks (ENL) of the image; only `gamma` and `k` depend on it."""
    clutter_shape: float | None = None
    """Order of the sea's texture under `k`: 1 is a spiky sea, 20 nearly none. Estimated from each ring for None."""
    average: RingAverage = "ca"
    """Statistic of the ring that sets the threshold under `gamma`: its mean (CA-CFAR); the greatest or smallest of the
    means of its four sides (GOCA, SOCA), which lie like the vanes of a pinwheel (docs/cfar.md draws their bounds); or
    the pixel at `rank` (OS-CFAR)."""
    rank: float = 0.75
    """Place among the ring's sorted pixels, in [0.01, 1]: the ⌈`rank`·n⌉-th smallest of n. Only `os` takes it."""
    effective_sample_ratio: float = 1.0
    """Independent pixels for each pixel of the ring, in (0, 1]: below 1 where neighbours are correlated."""
    iterations: int = 1
    """Maximum number of searches: from the second on hits, grown by a pixel, are censored, as they hide neighbours."""
    min_ring: int = 16
    """Minimum number of ring pixels for a decision."""
    max_hits: int = 1_000_000
    """More hits than this raise `FloodError`."""

    def __post_init__(self) -> None:
        for name, kinds in (("clutter_model", ClutterModel), ("average", RingAverage)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in get_args(kinds):
                raise ValueError(f"{name} must be one of {get_args(kinds)}, got {value!r}")
        if self.average != "ca" and self.clutter_model != "gamma":
            raise ValueError(
                f"only the clutter model gamma has an average other than ca, got average={self.average!r} "
                f"with clutter_model={self.clutter_model!r}"
            )
        self._check_real_numbers()
        self._check_windows()
        self._check_whole_numbers()

    def _check_real_numbers(self) -> None:
        for name, is_right, bounds in _REAL_BOUNDS:
            value = getattr(self, name)
            if value is None and name == "clutter_shape":
                continue
            if not _is_real(value):
                raise TypeError(f"{name} must be a number, got {value!r}")
            if not is_right(value):
                raise ValueError(f"{name} must {bounds}, got {value!r}")
            object.__setattr__(self, name, float(value))

    def _check_windows(self) -> None:
        for name in ("guard", "training"):
            object.__setattr__(self, name, _half_widths(name, getattr(self, name)))
        if min(self.guard_shape) < 0 or any(o <= g for g, o in zip(self.guard_shape, self.outer_shape, strict=True)):
            raise ValueError(f"need guard >= 0 and training >= 1, got guard={self.guard} training={self.training}")
        if self.ring_size > MAX_RING:
            raise ValueError(
                f"a ring may hold {MAX_RING} pixels, got {self.ring_size}: guard={self.guard}, training={self.training}"
            )

    def _check_whole_numbers(self) -> None:
        ring = f" (the pixels of a ring of guard={self.guard} and training={self.training})"
        limits = ("iterations", 100, ""), ("min_ring", self.ring_size, ring), ("max_hits", 1 << 62, "")
        for name, maximum, why in limits:
            value = getattr(self, name)
            if not _is_whole(value):
                raise TypeError(f"{name} must be a whole number, got {value!r}")
            if not 1 <= value <= maximum:
                raise ValueError(f"{name} must lie in 1 … {maximum}{why}, got {value!r}")
            object.__setattr__(self, name, int(value))

    @property
    def guard_shape(self) -> tuple[int, int]:
        """Half-widths of the guard in lines and pixels."""
        return self.guard if isinstance(self.guard, tuple) else (self.guard, self.guard)

    @property
    def outer_shape(self) -> tuple[int, int]:
        """Half-widths of the ring's outer rectangle in lines and pixels: guard and training cells together."""
        band = self.training if isinstance(self.training, tuple) else (self.training, self.training)
        return self.guard_shape[0] + band[0], self.guard_shape[1] + band[1]

    @property
    def ring_size(self) -> int:
        """Number of pixels in a whole ring."""
        (guard_l, guard_p), (outer_l, outer_p) = self.guard_shape, self.outer_shape
        return (2 * outer_l + 1) * (2 * outer_p + 1) - (2 * guard_l + 1) * (2 * guard_p + 1)

    @property
    def is_by_mean(self) -> bool:
        """True if the threshold depends on the ring's mean and count alone."""
        return self.clutter_model == "gamma" or (self.clutter_model == "k" and self.clutter_shape is not None)

    @property
    def halo_shape(self) -> tuple[int, int]:
        """Lines and pixels that a part of an image needs around it to be decided as in the whole.

        Hits grow by one an iteration.
        """
        lines, pixels = (back + (self.iterations - 1) * (back + 1) for back in self.outer_shape)
        return lines, pixels

    @property
    def halo(self) -> int:
        """Lines of `halo_shape`, which a band needs on either side."""
        return self.halo_shape[0]
