"""The data that all rooms share: scenes, windows, hits.

Nothing here computes on pixels, and nothing here imports more than NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "CO_FIRST",
    "CO_POLARIZED",
    "CROSS_POLARIZED",
    "Hits",
    "OrbitPass",
    "Polarization",
    "Scene",
    "Window",
]

OrbitPass = Literal["ascending", "descending"]
Polarization = Literal["VV", "VH", "HH", "HV"]
CO_POLARIZED: Final[tuple[Polarization, ...]] = ("VV", "HH")
CROSS_POLARIZED: Final[tuple[Polarization, ...]] = ("VH", "HV")
CO_FIRST: Final = (*CO_POLARIZED, *CROSS_POLARIZED)
"""Order of the polarisations of an image."""


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
    ...     relative_orbit=46,
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
    """Type with its resolution class: `GRDH`, `GRDM` or `GRDF`; `MAPH` or `MAPM` of an image on a map."""
    polarizations: tuple[Polarization, ...]
    """Co-polarisation first, e.g. `("VV", "VH")`."""
    start: datetime
    """Time of the first line, UTC, timezone-aware."""
    stop: datetime
    """Time of the last line, UTC, timezone-aware."""
    absolute_orbit: int
    """Number of the orbit since launch; 0 where an image on a map does not say it."""
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

    def rows_columns(self, part: Window) -> tuple[slice, slice]:
        """Return the rows and columns of a part of the window in an array of its pixels."""
        return (
            slice(part.line_start - self.line_start, part.line_stop - self.line_start),
            slice(part.pixel_start - self.pixel_start, part.pixel_stop - self.pixel_start),
        )

    def common(self, other: Window) -> Window | None:
        """Return the pixels that two windows share; None if they share none."""
        top, bottom = max(self.line_start, other.line_start), min(self.line_stop, other.line_stop)
        left, right = max(self.pixel_start, other.pixel_start), min(self.pixel_stop, other.pixel_stop)
        return Window(top, bottom, left, right) if top < bottom and left < right else None

    def grown(self, lines: int, pixels: int, shape: tuple[int, int]) -> Window:
        """Return the window with so much more on each side, cut at the edge of an image of such a shape."""
        return Window(
            max(self.line_start - lines, 0),
            max(min(self.line_stop + lines, shape[0]), self.line_stop),
            max(self.pixel_start - pixels, 0),
            max(min(self.pixel_stop + pixels, shape[1]), self.pixel_stop),
        )

    def bands(self, n_lines: int, halo: int = 0) -> Iterator[tuple[Window, Window]]:
        """Yield bands of lines that tile the window, each with what it and its halo cover of the window."""
        columns = self.pixel_start, self.pixel_stop
        for start in range(self.line_start, self.line_stop, n_lines):
            stop = min(start + n_lines, self.line_stop)
            top, bottom = max(start - halo, self.line_start), min(stop + halo, self.line_stop)
            yield Window(start, stop, *columns), Window(top, bottom, *columns)

    @classmethod
    def around(cls, parts: Sequence[Window]) -> Window:
        """Return the smallest window that holds some, one at least."""
        return cls(
            min(part.line_start for part in parts),
            max(part.line_stop for part in parts),
            min(part.pixel_start for part in parts),
            max(part.pixel_stop for part in parts),
        )


_COLUMNS: Final = ("line", "pixel", "value", "clutter", "score", "is_edge", "evidence")


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

    def take(self, which: NDArray[np.intp]) -> Hits:
        """Return some of them, by their numbers."""
        columns = {name: values[which] for name in _COLUMNS if (values := getattr(self, name)) is not None}
        return Hits(**columns, sigma0={name: values[which] for name, values in self.sigma0.items()})

    def to_dataframe(self) -> pd.DataFrame:
        """Return a table with one row a hit, and a column a field; `sigma0_VV` and so on of each polarisation.

        Examples
        --------
        >>> Hits.empty(("VV",)).to_dataframe().columns.tolist()
        ['line', 'pixel', 'value', 'clutter', 'score', 'sigma0_VV', 'is_edge']
        """
        import pandas as pd  # noqa: PLC0415  (kernels need none)

        columns = {name: getattr(self, name) for name in ("line", "pixel", "value", "clutter", "score")}
        columns |= {f"sigma0_{name}": values for name, values in self.sigma0.items()}
        columns |= {"is_edge": self.is_edge, "evidence": self.evidence}
        return pd.DataFrame({name: values for name, values in columns.items() if values is not None})

    @classmethod
    def joined(cls, parts: Sequence[Hits]) -> Hits:
        """Return the hits of one part or more, one after the other, with the fields that all parts have."""
        columns: dict[str, Any] = {}
        for name in _COLUMNS:
            values = [getattr(part, name) for part in parts]
            if all(value is not None for value in values):
                columns[name] = np.concatenate(values)
        shared = [name for name in parts[0].sigma0 if all(name in part.sigma0 for part in parts)]
        return cls(**columns, sigma0={name: np.concatenate([part.sigma0[name] for part in parts]) for name in shared})

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
