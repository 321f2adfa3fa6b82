"""Training, by steps: the weights after the last one, averaged over the last few hundred.

Every batch is drawn by its number, so two runs see the same examples in the same order; what differs is the order of
sums in products, which moves losses in the third digit. A graphics card is used where there is one. Products are in
bfloat16 there and where the processor has units for it: where it has none, they took three times as long as in float32
(1.13 s of processor a step against 0.37 s).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from benchmarks.training.examples import (
    PLAIN,
    Batch,
    Conditions,
    WorldFrame,
    draw_batch,
)
from benchmarks.training.network import Network, Targets, losses, targets_of

__all__ = ["CALIBRATION", "CONDITIONS", "VALIDATION", "Learner", "TrainParams", "batches", "train"]

VALIDATION: Final = (2_100, 2_200)
"""Seeds of the worlds that nothing is learned from."""
CALIBRATION: Final = (1_900, 2_100)
"""Seeds of the worlds that chances are fitted on."""
EMA: Final = 0.998
WARM_UP: Final = 200
"""Steps over which the rate rises."""
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
    """How long and how fast, and how large a network."""

    n_steps: int = 12_000
    batch: int = 24
    rate: float = 2e-3
    decay: float = 1e-2
    seed: int = 0
    widths: tuple[int, int, int] = (24, 48, 96)
    n_deep: int = 3
    n_workers: int = 1
    """Processes that draw batches."""


class _Stream(IterableDataset[tuple[Tensor, Targets]]):
    def __init__(self, frames: Sequence[WorldFrame], params: TrainParams) -> None:
        self.frames, self.params = frames, params

    def __iter__(self) -> Iterator[tuple[Tensor, Targets]]:
        worker = get_worker_info()
        first, by = (worker.id, worker.num_workers) if worker else (0, 1)
        # the loader takes one of each worker in turn: so they come by their numbers
        for step in range(first, self.params.n_steps, by):
            rng = np.random.default_rng([self.params.seed, step])
            batch: Batch = draw_batch(self.frames, rng, self.params.batch)
            yield torch.from_numpy(batch.x), targets_of(batch)


def has_bfloat16() -> bool:
    """True if the processor multiplies bfloat16 itself."""
    return any("bf16" in name and bool(value) for name, value in torch.cpu.get_capabilities().items())


def batches(
    frames: Sequence[WorldFrame], params: TrainParams, device: torch.device
) -> Iterator[tuple[Tensor, Targets]]:
    """The batches of a training, on the device, in the order of their numbers."""
    loader = DataLoader(
        _Stream(frames, params),
        batch_size=None,
        num_workers=params.n_workers,
        prefetch_factor=8,
        collate_fn=_as_is,
    )
    for x, truth in loader:
        there = x.to(device, non_blocking=True, memory_format=torch.channels_last)
        yield there, Targets(*(part.to(device, non_blocking=True) for part in truth))


class Learner:
    """A network while it learns: `net` as it is now, `mean` with its weights averaged over the last steps."""

    def __init__(self, params: TrainParams, device: torch.device) -> None:
        torch.manual_seed(params.seed)
        self.params, self.device = params, device
        self.net = Network(params.widths, params.n_deep).to(device, memory_format=torch.channels_last)
        self.mean = deepcopy(self.net).eval()
        self.average = get_ema_multi_avg_fn(EMA)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=params.rate, weight_decay=params.decay, fused=device.type == "cuda"
        )
        self.is_halved = device.type == "cuda" or has_bfloat16()
        self.is_new = True

    def learn(self, x: Tensor, truth: Targets, part: float) -> Tensor:
        """Take a step, with such a part of the training done; return the losses of heat, density and sizes."""
        rising = min(1.0, part * self.params.n_steps / WARM_UP)
        for group in self.optimizer.param_groups:
            group["lr"] = self.params.rate * rising * (0.5 * (1 + np.cos(np.pi * part)) + 0.005)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_halved, cache_enabled=False):
            if self.is_new and self.device.type == "cuda":
                # its hundreds of small kernels as one: launched one by one they take longer than they work
                self.net = torch.cuda.make_graphed_callables(self.net, (x.clone(),))
            self.is_new = False
            out = self.net(x)
        parts = losses(out.float(), truth)
        self.optimizer.zero_grad()
        (parts[0] + 0.5 * parts[1] + 0.3 * parts[2]).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.average(_numbers(self.mean), _numbers(self.net), 0)
        return torch.stack(parts).detach()


def train(frames: Sequence[WorldFrame], params: TrainParams) -> Network:
    """The network after so many steps: the mean of its weights over the last few hundred."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learner, means, began = Learner(params, device), torch.zeros(3, device=device), time.perf_counter()
    for step, (x, truth) in enumerate(batches(frames, params, device)):
        means = 0.99 * means + 0.01 * learner.learn(x, truth, step / params.n_steps)
        if step % 500 == 499:
            shown = (means / (1 - 0.99 ** (step + 1))).cpu().numpy().round(3)
            print(step + 1, f"{time.perf_counter() - began:.0f} s", shown, flush=True)
    trained: Network = learner.mean.cpu()
    return trained


def _numbers(net: Network) -> list[Tensor]:
    """Weights, and running means and variances."""
    return [each.detach() for each in (*net.parameters(), *net.buffers()) if each.is_floating_point()]


def _as_is(batch: tuple[Tensor, Targets]) -> tuple[Tensor, Targets]:
    return batch
