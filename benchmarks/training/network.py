"""The network in torch, as it is trained; `sarship.vessels.network` runs the same weights in NumPy."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.training.examples import Batch
from sarship.vessels.network_inputs import N_CHANNELS

__all__ = ["N_OUTPUTS", "Network", "losses"]

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


def losses(out: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of the heat (focal), of the density at several scales, and of sizes at the centres."""
    weight, heat = torch.from_numpy(batch.weight), torch.from_numpy(batch.heat)
    z = out[:, :2].permute(0, 2, 3, 1)
    p = torch.sigmoid(z)
    is_centre, counts = heat > 0.999, weight[..., None]
    hit = -functional.logsigmoid(z) * (1 - p) ** 2 * is_centre * counts
    miss = -functional.logsigmoid(-z) * p**2 * (1 - heat) ** 4 * ~is_centre * counts
    of_heat = (hit.sum() + miss.sum()) / max(1.0, float((is_centre * counts).sum()))
    density = functional.softplus(out[:, 2:4]).sum(1) * weight
    truth = torch.from_numpy(batch.density).sum(-1) * weight
    of_density = torch.zeros(())
    n_along, n_across = truth.shape[1:]
    for window in (*SCALES, (n_along, n_across)):
        step = window[0] // 2, window[1] // 2
        n = window[0] * window[1]
        off = (functional.avg_pool2d((density - truth)[:, None], window, step) * n).abs()
        share = n / (n_along * n_across)
        of_density = of_density + off.mean() * (0.5 + share) / max(share, 0.02) ** 0.5
    number = np.concatenate([np.full(len(rows), k) for k, rows in enumerate(batch.centres)])
    rows: NDArray[np.float32] = np.concatenate(batch.centres)
    of_sizes = torch.zeros(())
    if len(rows):
        where = torch.from_numpy(rows[:, :2].astype(np.int64))
        found = out[torch.from_numpy(number), 4:10, where[:, 0], where[:, 1]]
        off = functional.smooth_l1_loss(found, torch.from_numpy(rows[:, 2:8]), reduction="none", beta=0.2)
        of_sizes = (off * torch.tensor(SIZE_WEIGHTS)).sum(1).mean()
    return of_heat, of_density, of_sizes
