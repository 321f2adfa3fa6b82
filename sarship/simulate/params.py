"""Parameters of a simulated product, and the modes of the instrument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from sarship.model import OrbitPass, Polarization

__all__ = ["MODES", "Mode", "ProductParams", "relative_orbit"]

Noise = Literal["new", "old", "zero", "absent"]
Layout = Literal["plain", "cog", "short"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """Figures of a mode, from the product specification and real annotations."""

    swaths: tuple[str, ...]
    """Sub-swaths from near to far range."""
    prf_hz: tuple[float, ...]
    """Pulse repetition frequency of each."""
    spacing_m: float
    """Pixel and line spacing."""
    resolution_m: tuple[float, float]
    """Resolution along azimuth and ground range."""
    n_looks: tuple[int, int]
    """Looks in range and azimuth."""
    enl: float
    """Equivalent number of looks (Sentinel-1 Product Definition, table of GRD products)."""
    product_type: str
    """Type with its resolution class."""
    beta: float
    """The constant betaNought of the calibration vectors."""
    bandwidth_hz: tuple[float, float]
    """Processed bandwidths in range and azimuth."""
    look_bandwidth_hz: tuple[float, float]
    """Bandwidths of one look; real ones overlap. They give the resolution at 33 to 37°."""


_STRIPMAP_PRF: Final = (1_876.0, 1_720.0, 1_660.0, 1_650.168, 1_900.0, 1_580.0)

MODES: Final = MappingProxyType(
    {
        "IW": Mode(
            swaths=("IW1", "IW2", "IW3"),
            prf_hz=(1_717.128973878037, 1_451.627112193990, 1_685.817302492702),
            spacing_m=10.0,
            resolution_m=(22.0, 20.0),
            n_looks=(5, 1),
            enl=4.4,
            product_type="GRDH",
            beta=474.0,
            bandwidth_hz=(5.65e7, 327.0),
            look_bandwidth_hz=(1.246e7, 309.0),
        ),
        "EW": Mode(
            swaths=("EW1", "EW2", "EW3", "EW4", "EW5"),
            prf_hz=(1_647.92, 1_939.28, 1_647.78, 1_897.90, 1_630.67),
            spacing_m=40.0,
            resolution_m=(87.0, 93.0),
            n_looks=(6, 2),
            enl=10.7,
            product_type="GRDM",
            beta=1_087.0,
            bandwidth_hz=(1.29e7, 156.0),
            look_bandwidth_hz=(3.0e6, 78.3),
        ),
        **{
            f"S{beam}": Mode(
                swaths=(f"S{beam}",),
                prf_hz=(prf,),
                spacing_m=10.0,
                resolution_m=(23.0, 23.0),
                n_looks=(6, 6),
                enl=29.7,
                product_type="GRDH",
                beta=169.91,
                bandwidth_hz=(5.06e7, 1_429.0),
                look_bandwidth_hz=(1.07e7, 301.0),
            )
            for beam, prf in enumerate(_STRIPMAP_PRF, start=1)
        },
    }
)

_FIRST_OF_CYCLE: Final = {"S1A": 73, "S1B": 27, "S1C": 172, "S1D": 42}
"""Offset between absolute and relative orbit; S1C's holds from its commissioning to its move of June 2026."""


def relative_orbit(platform: str, absolute_orbit: int) -> int:
    """Return the track number of an orbit.

    >>> relative_orbit("S1A", 45268), relative_orbit("S1B", 30148), relative_orbit("S1D", 2389)
    (46, 22, 73)
    """
    return (absolute_orbit - _FIRST_OF_CYCLE[platform]) % 175 + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductParams:
    """Place, time, geometry and packing of a simulated product.

    Examples
    --------
    >>> params = ProductParams(mode="EW", polarizations=("HH", "HV"))
    >>> params.specification.product_type, params.specification.spacing_m
    ('GRDM', 40.0)
    """

    longitude: float = 35.80
    """Degrees east of the image's centre (by default in the roads of Tartus)."""
    latitude: float = 34.90
    """Degrees north of the image's centre."""
    time: datetime = datetime(2024, 12, 3, 15, 42, 11, tzinfo=UTC)
    """UTC at which the centre is imaged."""
    platform: str = "S1A"
    """`S1A` to `S1D`."""
    mode: str = "IW"
    """`IW`, `EW`, or a stripmap beam `S1` … `S6`."""
    polarizations: tuple[Polarization, ...] = ("VV", "VH")
    """One, or the co-polarisation and its cross-polarisation."""
    orbit_pass: OrbitPass = "ascending"  # noqa: S105
    """Going north or south."""
    absolute_orbit: int = 56_821
    """Orbit since launch; the relative orbit follows from it."""
    incidence_deg: float = 37.0
    """Angle of incidence at the centre, from the reference orbit."""
    drift_m: float = 0.0
    """Distance of the orbit's node east of the reference orbit's."""
    shape: tuple[int, int] = (600, 720)
    """Numbers of lines and pixels."""
    frame: tuple[int, int] | None = None
    """Numbers of lines and pixels of the image whose centre is meant above; by default the shape."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Line and pixel of that image at which this one begins."""
    slice_number: int = 1
    """Number of this slice among those of its pass, from 1."""
    n_slices: int = 1
    """Number of slices of its pass."""
    wind_m_s: float = 7.0
    """Wind speed, which decides the level of the sea."""
    texture_order: float = 8.0
    """Order ν of the sea's gamma texture; infinite for none."""
    texture_m: float = 40.0
    """Correlation length of the texture."""
    noise: Noise = "new"
    """Noise file: range vectors and azimuth blocks, the format before IPF 2.9, that format all zero, or no file.
    The image has the same noise in it, whatever the file says."""
    border_pixels: int = 0
    """Width of the ragged border without data at the near and far edge."""
    has_border_noise: bool = False
    """True for small numbers instead of zeros in the border, as in products before IPF 2.9."""
    layout: Layout = "plain"
    """ESA's own, its cloud-optimised twin, or the short names of some mirrors."""
    is_zipped: bool = False
    """True for a folder packed into a zip."""
    ipf_version: str = "003.71"
    """Version of the processor; that of the old noise formats is 002.36."""
    processing_delay: timedelta = timedelta(hours=2)
    """Time from the acquisition to the processing."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        if self.platform not in _FIRST_OF_CYCLE:
            raise ValueError(f"platform must be one of {', '.join(_FIRST_OF_CYCLE)}, got {self.platform!r}")
        if self.polarizations not in {("VV", "VH"), ("HH", "HV"), ("VV",), ("HH",), ("VH",), ("HV",)}:
            raise ValueError(f"Sentinel-1 has VV+VH, HH+HV or one of them, got {self.polarizations!r}")
        if not 15 < self.incidence_deg < 50:
            raise ValueError(f"Sentinel-1 sees at 18 to 47 degrees, got incidence_deg {self.incidence_deg}")
        if min(self.shape) < 32:
            raise ValueError(f"an image needs 32 lines and pixels or more, got shape {self.shape}")
        if not 1 <= self.slice_number <= self.n_slices:
            raise ValueError(f"slice_number is 1 to n_slices, got {self.slice_number} of {self.n_slices}")
        if self.time.tzinfo is None:
            raise ValueError(f"time must be timezone-aware UTC, got {self.time!r}")

    @property
    def specification(self) -> Mode:
        """Figures of the mode."""
        return MODES[self.mode]

    @property
    def centre(self) -> tuple[float, float]:
        """Line and pixel of the place that is meant by `longitude` and `latitude`."""
        lines, pixels = self.frame or self.shape
        return (lines - 1) / 2 - self.origin[0], (pixels - 1) / 2 - self.origin[1]

    @property
    def is_old(self) -> bool:
        """True for the format of before IPF 2.9."""
        return self.noise in {"old", "zero"}
