"""The network that tells vessels at a pier apart: its weights, and its forward pass in NumPy.

A U-net of three levels, trained in `benchmarks/training` and run here as products of matrices: a 3 by 3 convolution is
the sum of three, each of a row of its weights with three copies of its input, shifted aside. Batch norms are folded
into the weights. What it was trained on, and how well it does, is in `sarship/data/pier_network.md`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sarship.errors import ModelError
from sarship.vessels.frames import MULTIPLE, Maps

__all__ = ["Network", "NetworkMaps", "load_network"]

Weights = NDArray[np.float32]

WEIGHTS: Final = "pier_network.npz"
STAGES: Final = ("top", "middle", "bottom", "up_middle", "up_top")


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class NetworkMaps:
    """Maps of a frame by the network."""

    heat: Maps
    """Closeness to a vessel's middle, 0 … 1, (n_along, 2 · n_across): two samples across a cell."""
    density: Maps
    """Vessels per cell, (n_along, n_across): over any area it adds up to their expected number."""
    sizes: Maps
    """ln length and ln width in cells, cosine and sine of twice the angle from the frame's first axis, and cells along
    and across from the middle of a cell to the vessel's, (6, n_along, n_across)."""


class Network:
    """Weights in memory, ready to run.

    Parameters
    ----------
    weights
        Arrays by name, as `benchmarks/training` writes them: `stage.k.w` (n_out, n_in, 3, 3) and `stage.k.b`, `head.w`
        (10, n_in) and `head.b`, and those of the second stage, `chance.…`.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float16]]) -> None:
        self.weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        self.kernels: dict[str, list[tuple[Weights, Weights]]] = {}
        for stage in STAGES:
            n = sum(name.startswith(f"{stage}.") and name.endswith(".w") for name in self.weights)
            self.kernels[stage] = [self._kernel(f"{stage}.{k}") for k in range(n)]

    def _kernel(self, name: str) -> tuple[Weights, Weights]:
        w = self.weights[f"{name}.w"]
        return np.ascontiguousarray(w.transpose(2, 0, 3, 1).reshape(3, len(w), -1)), self.weights[f"{name}.b"]

    def __call__(self, channels: Maps) -> NetworkMaps:
        """Return the maps of a frame.

        Parameters
        ----------
        channels
            From `network_inputs.channels`, (18, n_along, n_across).
        """
        n_along, n_across = channels.shape[1:]
        pad = ((0, 0), (0, -n_along % MULTIPLE), (0, -n_across % MULTIPLE))
        top = self._stage("top", np.pad(channels, pad))
        middle = self._stage("middle", top, stride=2)
        bottom = self._stage("bottom", middle, stride=2)
        middle = self._stage("up_middle", np.concatenate([_doubled(bottom), middle]))
        top = self._stage("up_top", np.concatenate([_doubled(middle), top]))
        out = self.weights["head.w"] @ top.reshape(len(top), -1) + self.weights["head.b"][:, None]
        out = out.reshape(-1, *top.shape[1:])[:, :n_along, :n_across]
        heat = special.expit(out[:2]).transpose(1, 2, 0).reshape(n_along, -1)
        density = np.logaddexp(0, out[2:4]).sum(axis=0)
        return NetworkMaps(heat=np.asarray(heat, np.float32), density=np.asarray(density, np.float32), sizes=out[4:])

    def _stage(self, name: str, x: Maps, stride: int = 1) -> Maps:
        for kernel in self.kernels[name]:
            x = _convolved(x, *kernel, stride)
            stride = 1
        return x


def _convolved(x: Maps, kernel: Weights, bias: Weights, stride: int) -> Maps:
    """3 by 3 convolution, zero padded, with its negative part cut off."""
    n, n_along, n_across = x.shape
    padded = np.zeros((n, n_along + 2, n_across + 2), np.float32)
    padded[:, 1:-1, 1:-1] = x
    aside = np.stack([padded[:, :, k : k + n_across : stride] for k in range(3)])
    out = np.repeat(bias[:, None], ((n_along - 1) // stride + 1) * aside.shape[-1], axis=1)
    for k in range(3):
        out += kernel[k] @ aside[:, :, k : k + n_along : stride].reshape(3 * n, -1)
    return np.maximum(out, 0, out=out).reshape(len(kernel[0]), -1, aside.shape[-1])


def _doubled(x: Maps) -> Maps:
    return x.repeat(2, axis=1).repeat(2, axis=2)


@lru_cache(maxsize=1)
def load_network() -> Network:
    """Return the network that ships with the library.

    Raises
    ------
    ModelError
        Its file is missing or damaged.

    Examples
    --------
    >>> len(load_network().kernels["top"])
    2
    """
    file = files("sarship") / "data" / WEIGHTS
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return Network({name: arrays[name] for name in arrays.files})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        message = f"{file} is missing or damaged ({error}); install sarship again"
        raise ModelError(message, path=str(file)) from error
