"""The network in torch, as it is trained; `sarship.vessels.network` runs the same weights in NumPy."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.training.examples import Batch
from sarship.vessels.network_inputs import N_CHANNELS

__all__ = ["N_OUTPUTS", "Network", "Targets", "losses", "targets_of"]

N_OUTPUTS: Final = 10
"""Heat and density in both samples across a cell, ln length and width, cosine and sine of twice the angle, offsets."""
SIZE_WEIGHTS: Final = (1.0, 0.5, 0.5, 0.5, 0.3, 0.3)
SCALES: Final = ((4, 4), (8, 8), (16, 12))
"""Windows, in cells, over which the density must add up, besides the whole example."""


class Network(nn.Module):
    """A U-net of three levels: 3 × 3 convolutions with batch norm, halved by strides, doubled by repetition."""

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 96), n_deep: int = 3) -> None:
        super().__init__()
        self.widths, self.n_deep = widths, n_deep
        top, middle, bottom = widths

        def block(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
            convolution = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))

        self.top = nn.Sequential(block(N_CHANNELS, top), block(top, top))
        self.middle = nn.Sequential(block(top, middle, 2), block(middle, middle))
        self.bottom = nn.Sequential(block(middle, bottom, 2), *[block(bottom, bottom) for _ in range(n_deep)])
        self.up_middle = nn.Sequential(block(bottom + middle, middle), block(middle, middle))
        self.up_top = nn.Sequential(block(middle + top, top), block(top, top))
        self.head = nn.Conv2d(top, N_OUTPUTS, 1)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():  # few cells have a vessel
            self.head.bias[:2], self.head.bias[2:4], self.head.bias[4], self.head.bias[5] = -4.0, -5.0, 2.3, 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, 10, n_along, n_across) of channels (n, 18, n_along, n_across); sides are multiples of four."""
        top = self.top(x)
        middle = self.middle(top)
        bottom = self.bottom(middle)
        middle = self.up_middle(torch.cat([functional.interpolate(bottom, scale_factor=2), middle], 1))
        top = self.up_top(torch.cat([functional.interpolate(middle, scale_factor=2), top], 1))
        return self.head(top)


class Targets(NamedTuple):
    """What the maps of a batch should be, as tensors."""

    heat: Tensor
    """(n, n_along, n_across, 2)."""
    density: Tensor
    """Vessels a cell, (n, n_along, n_across)."""
    weight: Tensor
    """0 in cells that are not asked for, (n, n_along, n_across)."""
    places: Tensor
    """Example, cell along and cell across of each vessel, (n_vessels, 3)."""
    sizes: Tensor
    """Of each vessel, as `SIZE_WEIGHTS` has them, (n_vessels, 6)."""


def targets_of(batch: Batch) -> Targets:
    """The targets of a batch."""
    number = np.concatenate([np.full(len(rows), k) for k, rows in enumerate(batch.centres)])
    rows: NDArray[np.float32] = np.concatenate(batch.centres)
    places = np.column_stack([number, rows[:, :2]]).astype(np.int64)
    arrays = batch.heat, batch.density.sum(axis=-1), batch.weight, places, rows[:, 2:8]
    return Targets(*(torch.from_numpy(np.ascontiguousarray(each)) for each in arrays))


def losses(out: Tensor, truth: Targets) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of the heat (focal), of the density at several scales, and of sizes at the centres."""
    z = out[:, :2].permute(0, 2, 3, 1)
    p = torch.sigmoid(z)
    is_centre, counts = truth.heat > 0.999, truth.weight[..., None]
    hit = -functional.logsigmoid(z) * (1 - p) ** 2 * is_centre * counts
    miss = -functional.logsigmoid(-z) * p**2 * (1 - truth.heat) ** 4 * ~is_centre * counts
    of_heat = (hit.sum() + miss.sum()) / (is_centre * counts).sum().clamp(min=1)
    off = (functional.softplus(out[:, 2:4]).sum(1) - truth.density) * truth.weight
    of_density = torch.zeros((), device=out.device)
    n_along, n_across = off.shape[1:]
    for window in (*SCALES, (n_along, n_across)):
        step = window[0] // 2, window[1] // 2
        n = window[0] * window[1]
        share = n / (n_along * n_across)
        sums = functional.avg_pool2d(off[:, None], window, step) * n
        of_density = of_density + sums.abs().mean() * (0.5 + share) / max(share, 0.02) ** 0.5
    number, along, across = truth.places.T
    found = out[number, 4:10, along, across]
    apart = functional.smooth_l1_loss(found, truth.sizes, reduction="none", beta=0.2)
    of_sizes = (apart * apart.new_tensor(SIZE_WEIGHTS)).sum() / max(1, len(truth.sizes))
    return of_heat, of_density, of_sizes
