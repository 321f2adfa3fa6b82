"""The data that all rooms share: scenes, windows, parameters of detection, hits.

Nothing here computes on pixels, and nothing here imports more than NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "CfarParams",
    "ClutterModel",
    "DetectionParams",
    "Hits",
    "OrbitPass",
    "Polarization",
    "RingAverage",
    "Scene",
    "Window",
]

ClutterModel = Literal["gamma", "lognormal", "weibull", "k", "gaussian"]
RingAverage = Literal["ca", "goca", "soca", "os"]
OrbitPass = Literal["ascending", "descending"]
Polarization = Literal["VV", "VH", "HH", "HV"]

MAX_RING = 65_535
"""Most pixels a CFAR ring may hold: kernels count them in 16 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One acquisition as a catalogue or the product's manifest describes it.

    Examples
    --------
    >>> from datetime import UTC
    >>> from shapely.geometry import box
    >>> scene = Scene(
    ...     id="S1A_IW_GRDH_1SDV_20221002T205126_20221002T205156_045268_056950_0664",
    ...     platform="S1A",
    ...     mode="IW",
    ...     product_type="GRDH",
    ...     polarizations=("VV", "VH"),
    ...     start=datetime(2022, 10, 2, 20, 51, 26, tzinfo=UTC),
    ...     stop=datetime(2022, 10, 2, 20, 51, 56, tzinfo=UTC),
    ...     absolute_orbit=45268,
    ...     relative_orbit=171,
    ...     orbit_pass="descending",
    ...     footprint=box(132.8, 6.5, 135.4, 8.6),
    ... )
    >>> scene.acquisition[0], scene.acquisition[3]
    ('S1A', 45268)
    """

    id: str
    """Product name without an extension, e.g. `S1A_IW_GRDH_1SDV_20221002T205126_…_0664`."""
    platform: str
    """`S1A`, `S1B`, `S1C` or `S1D`."""
    mode: str
    """Acquisition mode: `IW`, `EW`, or a stripmap beam `S1` … `S6`."""
    product_type: str
    """Type with its resolution class: `GRDH`, `GRDM` or `GRDF`."""
    polarizations: tuple[Polarization, ...]
    """Co-polarisation first, e.g. `("VV", "VH")`."""
    start: datetime
    """Time of the first line, UTC, timezone-aware."""
    stop: datetime
    """Time of the last line, UTC, timezone-aware."""
    absolute_orbit: int
    """Number of the orbit since launch."""
    relative_orbit: int
    """Number of the track, 1 … 175; the same number is the same geometry."""
    orbit_pass: OrbitPass
    """`ascending`, if the satellite flew north, or `descending`."""
    footprint: BaseGeometry
    """Outline of the image, longitude and latitude in degrees, split at the antimeridian."""
    assets: Mapping[str, str] = field(default_factory=dict)
    """Path or address of each asset, by its name."""
    processed: datetime | None = None
    """Time of processing, UTC; None if unknown."""

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            if getattr(self, name).tzinfo is None:
                raise ValueError(f"Scene.{name} must be timezone-aware UTC, got {getattr(self, name)!r}")
        if self.stop < self.start:
            raise ValueError(f"Scene.stop {self.stop} is before its start {self.start}")

    @property
    def acquisition(self) -> tuple[str, datetime, datetime, int]:
        """Platform, start, stop and absolute orbit, equal for products of one scene however packaged or processed.

        Times are cut to the whole second, as in the name: not every catalogue has fractions.
        """
        return self.platform, self.start.replace(microsecond=0), self.stop.replace(microsecond=0), self.absolute_orbit


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of an image: lines `[line_start, line_stop)`, pixels `[pixel_start, pixel_stop)`.

    Examples
    --------
    >>> Window(0, 100, 20, 60).shape
    (100, 40)
    """

    line_start: int
    line_stop: int
    pixel_start: int
    pixel_stop: int

    def __post_init__(self) -> None:
        if not (0 <= self.line_start < self.line_stop and 0 <= self.pixel_start < self.pixel_stop):
            raise ValueError(f"need 0 <= start < stop on both axes, got {self}")

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of lines and pixels."""
        return self.line_stop - self.line_start, self.pixel_stop - self.pixel_start


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
    ("shape", lambda value: value >= 0.1, "be positive, 0.1 at least"),
    ("rank", lambda value: 0.01 <= value <= 1, "lie in [0.01, 1]"),
    ("effective_sample_ratio", lambda value: 1e-3 <= value <= 1, "lie in (0, 1], and be 0.001 at least"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CfarParams:
    """How one array is searched: the ring around each pixel, the clutter law, the false-alarm probability.

    Half-widths are one number for a square, or (lines, pixels) for a rectangle.

    >>> CfarParams(guard=1, training=1).ring_size
    16
    """

    pfa: float = 1e-6
    """False-alarm probability per pixel."""
    guard: int | tuple[int, int] = 10
    """Half-width of the square left out around the pixel, in pixels."""
    training: int | tuple[int, int] = 10
    """Width of the band of training cells around the guard, in pixels."""
    clutter_model: ClutterModel = "gamma"
    """What the clutter's power is taken to follow. `gaussian` is here for comparison: it holds no rate on speckle."""
    enl: float = 4.4
    """Equivalent number of looks of the image; only `gamma` and `k` depend on it."""
    shape: float | None = None
    """Order of the sea's texture under `k`: 1 is a spiky sea, 20 nearly none. Estimated from each ring for None."""
    average: RingAverage = "ca"
    """What of the ring sets the threshold under `gamma`: its mean; the greatest or smallest of the means of its four
    sides, which lie like the vanes of a pinwheel (docs/cfar.md draws their bounds); or the pixel at `rank`."""
    rank: float = 0.75
    """Place in the ring's order, in [0.01, 1]: the ⌈`rank`·n⌉-th smallest of n pixels. Only `os` takes it."""
    effective_sample_ratio: float = 1.0
    """Independent pixels for each pixel of the ring, in (0, 1]: below 1 where neighbours are correlated."""
    iterations: int = 1
    """Searches at most: from the second on hits, grown by a pixel, are out of the rings, where they hide neighbours."""
    min_ring: int = 16
    """Smallest number of ring pixels for a decision."""
    max_hits: int = 1_000_000
    """More hits than this raise `FloodError`."""

    def __post_init__(self) -> None:
        for name, kinds in (("clutter_model", ClutterModel), ("average", RingAverage)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in get_args(kinds):
                raise ValueError(f"{name} must be one of {get_args(kinds)}, got {value!r}")
        if self.average != "ca" and self.clutter_model != "gamma":
            raise ValueError(
                f"only the law gamma has an average other than the mean, got {self.average=} {self.clutter_model=}"
            )
        self._check_real_numbers()
        self._check_windows()
        self._check_whole_numbers()

    def _check_real_numbers(self) -> None:
        for name, is_right, bounds in _REAL_BOUNDS:
            value = getattr(self, name)
            if value is None and name == "shape":
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
        for name, most, why in limits:
            value = getattr(self, name)
            if not _is_whole(value):
                raise TypeError(f"{name} must be a whole number, got {value!r}")
            if not 1 <= value <= most:
                raise ValueError(f"{name} must lie in 1 … {most}{why}, got {value!r}")
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
        (guard_l, guard_p), (back_l, back_p) = self.guard_shape, self.outer_shape
        return (2 * back_l + 1) * (2 * back_p + 1) - (2 * guard_l + 1) * (2 * guard_p + 1)

    @property
    def halo(self) -> int:
        """Lines that a band needs on either side to be decided as in the whole image; one more a pass as hits grow."""
        return self.outer_shape[0] + (self.iterations - 1) * (self.outer_shape[0] + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionParams:
    """How to look for vessels in a product. Lengths are in metres: spacing and looks come from the product."""

    pfa: float = 1e-9
    """False-alarm probability per pixel of gamma clutter, shared between the polarisations; lower than the rate wanted,
    for real seas are spikier. Of 162 vessels with AIS it finds as many as 1e-6 does."""
    pier_pfa: float = 1e-5
    """The same near piers, where a reference is compared with and the sea is sheltered."""
    guard_m: float = 200.0
    """Half-width of the square left out around the pixel under test."""
    training_m: float = 200.0
    """Width of the band of training cells around the guard."""
    min_ring: float = 0.1
    """Smallest part of the ring that must be sea for a decision, 0 … 1."""
    link_m: float = 25.0
    """Hits closer than this are one vessel; about one resolution cell."""
    min_length_m: float = 15.0
    """Vessels measured shorter than this are dropped."""
    gpu: bool = field(default=False, compare=False)
    """Search on a graphics card. It finds the same, so what an earlier run kept serves either way."""

    def __post_init__(self) -> None:
        for name in ("pfa", "pier_pfa"):
            if not 0 < getattr(self, name) < 0.5:
                raise ValueError(f"{name} must lie in (0, 0.5), got {getattr(self, name)}")
        if not (self.guard_m >= 0 and self.training_m > 0):
            raise ValueError(
                f"need guard_m >= 0 and training_m > 0, got guard_m={self.guard_m} training_m={self.training_m}"
            )
        if not 0 < self.min_ring <= 1:
            raise ValueError(f"min_ring is a part of the ring in (0, 1], got {self.min_ring}")
        if self.link_m < 0 or self.min_length_m < 0:
            raise ValueError(f"lengths cannot be negative, got {self.link_m=} {self.min_length_m=}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """Pixels above their thresholds, sorted by line, then pixel.

    All arrays have one element a hit. `line` and `pixel` are image coordinates of the product.

    Examples
    --------
    >>> len(Hits.empty(("VV", "VH")))
    0
    """

    line: NDArray[np.int64]
    """Image line."""
    pixel: NDArray[np.int64]
    """Image pixel within the line."""
    value: NDArray[np.float64]
    """Power of the pixel: squared digital number, or the linear power of the array searched."""
    clutter: NDArray[np.float64]
    """Clutter level of the training cells, from which the threshold is computed, in the unit of `value`."""
    score: NDArray[np.float32]
    """`value` over its threshold; above 1 for every hit."""
    sigma0: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Denoised brightness, linear, by polarisation; empty where an array was searched."""
    is_edge: NDArray[np.bool_] | None = None
    """True beside the edge of the image, a mask or missing data; None where an array was searched."""
    evidence: NDArray[np.str_] | None = None
    """`ring`, `reference` or `both`, by the detector that found it; None where change detection had no part."""

    def __len__(self) -> int:
        return self.line.size

    @classmethod
    def empty(cls, polarizations: tuple[str, ...] = ()) -> Hits:
        """Return no hits, with every array."""
        whole, real = np.empty(0, np.int64), np.empty(0, np.float64)
        return cls(
            line=whole,
            pixel=whole,
            value=real,
            clutter=real,
            score=np.empty(0, np.float32),
            sigma0=dict.fromkeys(polarizations, real),
            is_edge=np.empty(0, np.bool_),
        )
