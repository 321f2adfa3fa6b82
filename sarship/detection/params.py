"""Parameters of the search of a product."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sarship.cfar.params import MAX_RING, CfarParams
from sarship.errors import ProductError

if TYPE_CHECKING:
    from sarship.sentinel1.product import GrdProduct

__all__ = ["DetectionParams", "ring_of"]


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


def ring_of(product: GrdProduct, params: DetectionParams) -> CfarParams:
    """Return the parameters in pixels, with the ENL and the resolution of the product."""
    spacing = (product.line_spacing_m, product.pixel_spacing_m)
    guard = [round(params.guard_m / step) for step in spacing]
    training = [max(round(params.training_m / step), 1) for step in spacing]
    outer = (2 * (inner + band) + 1 for inner, band in zip(guard, training, strict=True))
    n_ring = math.prod(outer) - math.prod(2 * side + 1 for side in guard)
    if n_ring > MAX_RING:
        raise ProductError(
            f"a ring of guard_m={params.guard_m:g} and training_m={params.training_m:g} has {n_ring:,} pixels of "
            f"{product.scene.id}, at most {MAX_RING:,} are allowed: make it narrower"
        )
    return CfarParams(
        pfa=params.pfa,
        guard=(guard[0], guard[1]),
        training=(training[0], training[1]),
        enl=product.enl,
        effective_sample_ratio=min(1.0, math.prod(spacing) / math.prod(product.resolution_m)),
        min_ring=math.ceil(params.min_ring * n_ring),
    )
