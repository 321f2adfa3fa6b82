"""The frozen data that every room speaks: scenes, windows, detection parameters, hits.

Nothing here computes on pixels, and nothing here imports more than NumPy, so that any room may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "Hits",
    "OrbitPass",
    "Polarization",
    "Scene",
    "Window",
]

OrbitPass = Literal["ascending", "descending"]
Polarization = Literal["VV", "VH", "HH", "HV"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One acquisition as a catalog or a product's own manifest describes it."""

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
    """Number of the track, 1 … 175: the same number is the same geometry."""
    orbit_pass: OrbitPass
    """Whether the satellite was going north (`ascending`) or south."""
    footprint: BaseGeometry
    """What the image covers, longitude and latitude in degrees, split at the antimeridian."""
    assets: Mapping[str, str] = field(default_factory=dict)
    """Where its files are: asset name → path or address."""
    processed: datetime | None = None
    """When the product was made, UTC; None where nobody says."""

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            if getattr(self, name).tzinfo is None:
                raise ValueError(f"Scene.{name} must be timezone-aware UTC, got {getattr(self, name)!r}")
        if self.stop < self.start:
            raise ValueError(f"Scene.stop {self.stop} is before its start {self.start}")

    @property
    def acquisition(self) -> tuple[str, datetime, datetime, int]:
        """What makes two products the same scene, whatever their packaging or processing.

        Times count to the whole second, as in the name: not every catalogue has fractions.
        """
        return self.platform, self.start.replace(microsecond=0), self.stop.replace(microsecond=0), self.absolute_orbit


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of an image: lines `[line_start, line_stop)`, pixels `[pixel_start, pixel_stop)`."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """Pixels above their thresholds, sorted by line then pixel: the only door out of the image.

    All arrays have one entry a hit. `line` and `pixel` are original image coordinates.
    """

    line: NDArray[np.int64]
    """Image line."""
    pixel: NDArray[np.int64]
    """Image pixel within the line."""
    value: NDArray[np.float64]
    """Power of the pixel: squared digital number, or the linear power that was given."""
    clutter: NDArray[np.float64]
    """Level of the ring that the threshold was computed from, in the unit of `value`."""
    score: NDArray[np.float32]
    """`value` over its own threshold; above 1 for every hit."""
    sigma0: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Denoised brightness (linear, units "1") per polarisation; filled where a product was searched."""
    is_edge: NDArray[np.bool_] | None = None
    """Whether the hit is beside the image's edge, a mask or missing data; filled where a product was searched."""
    evidence: NDArray[np.str_] | None = None
    """`ring`, `reference` or `both`; filled where a port was searched over time, else all is by the ring."""

    def __len__(self) -> int:
        return self.line.size

    @classmethod
    def empty(cls, polarizations: tuple[str, ...] = ()) -> Hits:
        """No hits, with every column there.

        >>> len(Hits.empty())
        0
        """
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
