"""Parameters of the search for vessels, in metres."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sarship.cfar.params import MAX_RING, CfarParams, ClutterModel, RingAverage
from sarship.errors import ProductError

if TYPE_CHECKING:
    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["DetectionParams"]

_MIN_PFA: Final = 1e-29
"""Least false-alarm probability: `CfarParams` takes ten times less, and the polarisations of a scene share it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionParams:
    """Parameters of the search for vessels; lengths are in metres, and each product brings its spacing and ENL.

    `docs/detector_choice.md` compares the choices. Two searches use them:

    - `detect` uses all of them but `pier_pfa`, for every pixel.
    - `detect_change` uses them as `detect` does in open water. Near piers it divides by the reference first, and each
      cell's spread over the dates sets its threshold under a gamma clutter model, at `pier_pfa`. There `average`
      chooses what of the ring gives the level of the day, and `clutter_model`, `clutter_shape` and `iterations` do not
      apply: the search models its own statistics, and takes hits out of its rings in any case.

    Raises
    ------
    ValueError, TypeError
        A parameter is out of its range, or two do not go together.

    Examples
    --------
    >>> params = DetectionParams(pfa=1e-7, clutter_model="k")
    >>> params.for_image((10.0, 10.0), enl=4.4, effective_sample_ratio=0.23).outer_shape
    (40, 40)
    """

    pfa: float = 1e-9
    """False-alarm probability per pixel, shared between the polarisations. Real seas are spikier than the gamma clutter
    model, so the default is lower than the rate wanted; of 162 vessels with AIS it finds as many as 1e-6 does."""
    pier_pfa: float = 1e-5
    """False-alarm probability per cell near piers, where the image is compared with a reference."""
    guard_m: float = 200.0
    """Half-width of the square of guard cells around the pixel under test."""
    training_m: float = 200.0
    """Width of the band of training cells around the guard cells."""
    min_ring: float = 0.1
    """Minimum fraction of the training cells that must be sea for a decision, 0 … 1; in `detect` only."""
    clutter_model: ClutterModel = "gamma"
    """Distribution of the clutter's power, see `CfarParams.clutter_model`."""
    clutter_shape: float | None = None
    """Order of the texture under `k`; None estimates it from each ring."""
    average: RingAverage = "ca"
    """Statistic of the ring that sets the threshold; other than `ca` under `gamma` only."""
    iterations: int = 1
    """Maximum number of searches; from the second on the hits are censored from the rings."""
    link_m: float = 25.0
    """Hits closer than this are one vessel; about one resolution cell."""
    min_length_m: float = 15.0
    """Vessels measured shorter than this are dropped."""
    gpu: bool = field(default=False, compare=False)
    """Search on a graphics card. It finds the same, so a checkpoint of either serves both."""

    def __post_init__(self) -> None:
        for name in ("pfa", "pier_pfa"):
            if not _MIN_PFA <= getattr(self, name) < 0.5:
                message = f"{name} must lie in (0, 0.5), and be {_MIN_PFA:g} at least, got {getattr(self, name)}"
                raise ValueError(message)
        if not (0 <= self.guard_m < math.inf and 0 < self.training_m < math.inf):
            raise ValueError(
                f"need guard_m >= 0 and training_m > 0, got guard_m={self.guard_m} training_m={self.training_m}"
            )
        if not 0 < self.min_ring <= 1:
            raise ValueError(f"min_ring is a part of the ring in (0, 1], got {self.min_ring}")
        for name in ("link_m", "min_length_m"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"lengths are numbers of metres and not negative, got {name}={getattr(self, name)}")
        if self.average != "ca" and self.clutter_model != "gamma":
            raise ValueError(
                f"average={self.average!r} needs clutter_model='gamma', got {self.clutter_model!r}; take average='ca'"
            )
        if self.clutter_shape is not None and self.clutter_model != "k":
            raise ValueError(
                f"clutter_shape={self.clutter_shape} needs clutter_model='k', got {self.clutter_model!r}; leave it None"
            )
        choices = self._cfar()
        object.__setattr__(self, "clutter_shape", choices.clutter_shape)
        object.__setattr__(self, "iterations", choices.iterations)

    def _cfar(self, **values: Any) -> CfarParams:
        choices = {name: getattr(self, name) for name in ("clutter_model", "clutter_shape", "average", "iterations")}
        return CfarParams(**choices, **values)

    def for_product(self, product: RadarImage) -> CfarParams:
        """Return the parameters in pixels of a product; its resolution cell is one effective sample."""
        spacing = (product.line_spacing_m, product.pixel_spacing_m)
        ratio = min(1.0, math.prod(spacing) / math.prod(product.resolution_m))
        return self.for_image(spacing, enl=product.enl, effective_sample_ratio=ratio)

    def for_image(self, spacing_m: tuple[float, float], *, enl: float, effective_sample_ratio: float) -> CfarParams:
        """Return the parameters in pixels of an image, at `pfa`.

        Parameters
        ----------
        spacing_m
            From line to line and from pixel to pixel.
        enl, effective_sample_ratio
            As in `CfarParams`.

        Raises
        ------
        ProductError
            The ring has more than 65,535 pixels.
        """
        guard, training = (
            tuple(max(round(width / step), minimum) for step in spacing_m)
            for width, minimum in ((self.guard_m, 0), (self.training_m, 1))
        )
        outer = (2 * (inner + band) + 1 for inner, band in zip(guard, training, strict=True))
        n_ring = math.prod(outer) - math.prod(2 * side + 1 for side in guard)
        if n_ring > MAX_RING:
            raise ProductError(
                f"a ring of {self.training_m:g} m around {self.guard_m:g} m of guard cells has {n_ring:,} pixels of "
                f"{spacing_m[0]:g} by {spacing_m[1]:g} m, and at most {MAX_RING:,} are allowed: make it narrower"
            )
        return self._cfar(
            pfa=self.pfa,
            guard=guard,
            training=training,
            enl=enl,
            effective_sample_ratio=effective_sample_ratio,
            min_ring=math.ceil(self.min_ring * n_ring),
        )
