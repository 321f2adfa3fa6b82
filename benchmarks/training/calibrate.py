"""The second stage: from candidates to chances, fitted on worlds that the network has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.training.examples import PLAIN, Conditions, WorldFrame, draw_conditions
from sarship.vessels.at_piers import count_of
from sarship.vessels.candidates import N_FEATURES, Candidates, features, find_peaks, judged
from sarship.vessels.frames import nearest_cells
from sarship.vessels.network import Network
from sarship.vessels.network_inputs import channels

__all__ = ["Figures", "candidates_of", "fit_chances", "report"]

HIDDEN: Final = 24
LEAST_OF_TENTH: Final = 100
NEAR_CELLS: Final = 4.0
OF_LENGTH: Final = 0.35
"""A candidate is a true vessel's if its middle is within 40 m, or this share of the true length, of the true middle."""

Floats = NDArray[np.float64]


def labels(found: Candidates, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 for each candidate, in their order, that is nearest to a true vessel no earlier one has taken."""
    free = np.ones(len(rows), np.bool_)
    out = np.zeros(len(found.u))
    for k in range(len(out)):
        away = np.hypot(rows[:, 0] - found.u[k], rows[:, 1] - found.v[k])
        fits = free & (away <= np.maximum(NEAR_CELLS, OF_LENGTH * rows[:, 2] / 10))
        if fits.any():
            taken = np.flatnonzero(fits)[np.argmin(away[fits])]
            free[taken], out[k] = False, 1
    return out


def candidates_of(
    network: Network, frames: Sequence[WorldFrame], dates: Sequence[int], rng: np.random.Generator | None
) -> tuple[Floats, Floats]:
    """Features and labels of the frames' own candidates, under drawn conditions or plain ones."""
    seen, true = [], []
    for frame in frames:
        for date in dates:
            x = channels(frame.maps(date, PLAIN if rng is None else draw_conditions(rng)))
            said = network(x)
            peaks = find_peaks(said)
            if len(peaks.u):
                own = _own(frame, peaks)
                seen.append(features(peaks, said, x)[own])
                true.append(labels(peaks, frame.vessels(date))[own])
    return np.concatenate(seen), np.concatenate(true)


def _own(frame: WorldFrame, peaks: Candidates) -> NDArray[np.bool_]:
    return np.asarray(frame.own[nearest_cells(frame.shape, peaks.u, peaks.v)])


def fit_chances(seen: Floats, true: Floats, seed: int = 0, n_steps: int = 4_000) -> dict[str, NDArray[np.float16]]:
    """Weights of the second network, by name."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(N_FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)
    )
    mean, deviation = seen.mean(axis=0), seen.std(axis=0) + 1e-3
    x = torch.from_numpy(((seen - mean) / deviation).astype(np.float32))
    y = torch.from_numpy(true.astype(np.float32))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    generator = torch.Generator().manual_seed(seed)
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / n_steps)
        chosen = torch.randint(0, len(x), (512,), generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[chosen])[:, 0], y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    out = {"chance.mean": mean, "chance.deviation": deviation}
    for k, layer in enumerate((net[0], net[2], net[4])):
        out[f"chance.{k}.w"], out[f"chance.{k}.b"] = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return {name: array.astype(np.float16) for name, array in out.items()}


class Figures(NamedTuple):
    """Errors on worlds that nothing was learned from."""

    mae: float
    """Of the count of a frame and date."""
    bias: float
    true: float
    """Mean number of vessels."""
    precision: float
    recall: float
    f1: float
    interval: float
    """Share of frames and dates whose true number is within the bounds."""
    reliability: float
    """Largest difference of the mean chance and the share that are vessels, over tenths of 100 candidates or more."""


def report(network: Network, frames: Sequence[WorldFrame], dates: Sequence[int], how: Conditions = PLAIN) -> Figures:
    """Count as the library does at a pier, frame by frame."""
    rows: list[tuple[int, ...]] = []
    pairs: list[tuple[float, float]] = []
    for frame in frames:
        for date in dates:
            x = channels(frame.maps(date, how))
            found, chance = judged(network, network(x), x, frame.own)
            truth = frame.vessels(date)
            is_true = labels(found, truth)[np.argsort(-chance, kind="stable")]
            chance = np.sort(chance)[::-1]
            n_true = int(frame.own[nearest_cells(frame.shape, truth[:, 0], truth[:, 1])].sum())
            low, n, high = count_of(chance)
            rows.append((n_true, n, low, high, int(is_true[:n].sum())))
            pairs += zip(chance.tolist(), is_true.tolist(), strict=True)
    true, found, low, high, hit = np.array(rows).T
    p, y = np.asarray(pairs, np.float64).reshape(-1, 2).T
    tenth = np.minimum((10 * p).astype(np.int64), 9)
    full = [tenth == k for k in range(10) if (tenth == k).sum() >= LEAST_OF_TENTH]
    return Figures(
        mae=float(np.abs(found - true).mean()),
        bias=float((found - true).mean()),
        true=float(true.mean()),
        precision=float(hit.sum() / max(1, found.sum())),
        recall=float(hit.sum() / max(1, true.sum())),
        f1=float(2 * hit.sum() / max(1, found.sum() + true.sum())),
        interval=float(((low <= true) & (true <= high)).mean()),
        reliability=max(float(abs(p[part].mean() - y[part].mean())) for part in full),
    )
