"""Training, by steps: the weights after the last one, averaged over the last few hundred.

Every batch is drawn by its number, so two runs see the same examples in the same order; what differs is the order of
sums in products, which moves losses in the third digit. Products are in bfloat16 where the processor has units for
it: where it has none, they took three times as long as in float32 (1.13 s of processor a step against 0.37 s).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from benchmarks.training.examples import (
    PLAIN,
    Batch,
    Conditions,
    WorldFrame,
    draw_batch,
)
from benchmarks.training.network import Network, losses

__all__ = ["CALIBRATION", "CONDITIONS", "VALIDATION", "TrainParams", "train"]

VALIDATION: Final = (2_100, 2_200)
"""Seeds of the worlds that nothing is learned from."""
CALIBRATION: Final = (1_900, 2_100)
"""Seeds of the worlds that chances are fitted on."""
EMA: Final = 0.998
CONDITIONS: Final = {
    "with a reference": PLAIN,
    "one image alone": PLAIN._replace(has_reference=False),
    "without VH": PLAIN._replace(has_cross=False),
    "without land": PLAIN._replace(has_land=False),
    "blurred by 0.6 cells": PLAIN._replace(blur_cells=0.6),
    "VV as a picture": Conditions(has_cross=False, blur_cells=0.3, lee_cells=5, clip_ln=3.5),
    "one such picture": Conditions(has_reference=False, has_cross=False, blur_cells=0.3, lee_cells=5, clip_ln=3.5),
}


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """How long and how fast."""

    n_steps: int = 12_000
    batch: int = 24
    rate: float = 2e-3
    decay: float = 1e-2
    seed: int = 0
    widths: tuple[int, int, int] = (24, 48, 96)
    n_deep: int = 3


class _Stream(IterableDataset[Batch]):
    def __init__(self, frames: Sequence[WorldFrame], params: TrainParams) -> None:
        self.frames, self.params = frames, params

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.params.n_steps):
            rng = np.random.default_rng([self.params.seed, step])
            yield draw_batch(self.frames, rng, self.params.batch)


def has_bfloat16() -> bool:
    """True if the processor multiplies bfloat16 itself."""
    return any("bf16" in name and bool(value) for name, value in torch.cpu.get_capabilities().items())


def train(frames: Sequence[WorldFrame], params: TrainParams) -> Network:
    """The network after so many steps: the mean of its weights over the last few hundred."""
    torch.manual_seed(params.seed)
    torch.set_num_threads(1)
    net = Network(params.widths, params.n_deep)
    net = net.to(memory_format=torch.channels_last)
    mean = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA), use_buffers=True
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=params.rate, weight_decay=params.decay)
    loader = DataLoader(_Stream(frames, params), batch_size=None, num_workers=1, prefetch_factor=8, collate_fn=_as_is)
    is_halved = has_bfloat16()
    began, means = time.perf_counter(), np.zeros(3)
    for step, batch in enumerate(loader):
        part = step / params.n_steps
        for group in optimizer.param_groups:
            group["lr"] = params.rate * min(1, step / 200) * (0.5 * (1 + np.cos(np.pi * part)) + 0.005)
        x = torch.from_numpy(batch.x).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_halved):
            out = net(x)
        parts = losses(out.float(), batch)
        optimizer.zero_grad()
        (parts[0] + 0.5 * parts[1] + 0.3 * parts[2]).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        mean.update_parameters(net)
        means = 0.99 * means + 0.01 * np.array([float(each.detach()) for each in parts])
        if step % 500 == 499:
            print(
                step + 1,
                f"{time.perf_counter() - began:.0f} s",
                (means / (1 - 0.99 ** (step + 1))).round(3),
                flush=True,
            )
    trained: Network = mean.module.eval()
    return trained


def _as_is(batch: Batch) -> Batch:
    return batch
