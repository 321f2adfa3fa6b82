"""From torch to the file that ships: batch norms folded, float16."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.training.network import Network
from sarship.vessels.network import STAGES
from sarship.vessels.network import Network as NumpyNetwork

__all__ = ["read_weights", "save_weights", "weights_of"]

Arrays = dict[str, NDArray[np.float16]]


def weights_of(net: Network) -> Arrays:
    """Weights by name, as `sarship.vessels.network.Network` takes them."""
    out: Arrays = {}
    for stage in STAGES:
        for k, block in enumerate(getattr(net, stage)):
            w, b = _folded(block)
            out[f"{stage}.{k}.w"], out[f"{stage}.{k}.b"] = w, b
    out["head.w"] = net.head.weight.detach().numpy()[:, :, 0, 0].astype(np.float16)
    out["head.b"] = net.head.bias.detach().numpy().astype(np.float16)
    return out


def _folded(block: nn.Sequential) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    convolution, norm = block[0], block[1]
    with torch.no_grad():
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        w = convolution.weight.double() * gain[:, None, None, None]
        b = norm.bias.double() - norm.running_mean.double() * gain
    return w.contiguous().numpy().astype(np.float16), b.numpy().astype(np.float16)


def save_weights(path: Path, arrays: Mapping[str, NDArray[np.float16]]) -> None:
    """Write the file that ships; whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, allow_pickle=False, **arrays)
    part.replace(path)


def read_weights(path: Path) -> NumpyNetwork:
    """The library's network with the weights of a file."""
    with np.load(path) as arrays:
        return NumpyNetwork({name: arrays[name] for name in arrays.files})
