"""Candidates: places of a frame where the network sees a vessel, each with the chance that there is one.

The network's heat says where middles of vessels are, but not how likely: a long vessel's middle is uncertain, so its
peak is low, and one hull's superstructure may have a peak of its own. So each peak is judged by a second, small network
on what is around it: how many vessels the density has there, and what brighter peaks lie beside it. And where vessels
lie rafted, one peak may stand for several; the density adds up to their number all the same, so what it holds beyond
the candidates gives places of its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, special

from sarship.vessels.frames import SUB, Maps, nearest_cells
from sarship.vessels.network import Network, NetworkMaps

__all__ = ["Candidates", "agreed", "chances", "features", "find_peaks", "judged", "spread_of"]

Floats = NDArray[np.float64]

CELL_M: Final = 10.0
LEAST_HEAT: Final = 0.04
"""Minimum heat of a peak."""
ASIDE_CELLS: Final = 0.7
AHEAD_CELLS: Final = 1.5
AHEAD_SHARE: Final = 0.15
"""Two peaks closer than this across, and closer along than cells or a share of their mean length, are one vessel."""
LN_LENGTH: Final = (0.3, 3.7)
"""Bounds of ln length in cells: 13 m to 400 m."""
N_FEATURES: Final = 15
SIDE_CELLS: Final = 0.7
SPREAD_OF_LENGTH: Final = 0.006
MAX_SPREAD: Final = 1.6
"""Sigma of a vessel's heat and density, in cells: across it, and along it by metre of its length and at most."""
FAINT: Final = 0.02
"""Chance under which a candidate holds no density."""
WINDOW: Final = (5, 5)
"""Cells along and across that one vessel's density lies within."""
LEAST_LEFT: Final = 0.5
"""Density beyond the candidates that is a vessel of its own."""
MOST_CHANCE: Final = 0.95
"""Maximum chance of such a vessel."""
MAX_SHIFT: Final = 2.0
"""Maximum change of log odds by which chances are made to agree with the density: what looks like nothing stays so."""


class Candidates(NamedTuple):
    """Peaks of a frame, by falling heat; arrays of one length."""

    u: Floats
    """Cells along."""
    v: Floats
    """Cells across."""
    length_m: Floats
    width_m: Floats
    angle: Floats
    """From the frame's first axis towards the second, radians."""
    heat: Floats

    def take(self, chosen: NDArray[np.generic]) -> Candidates:
        """Return some of them."""
        return Candidates._make(column[chosen] for column in self)


def find_peaks(maps: NetworkMaps) -> Candidates:
    """Return the peaks of the heat, each with the size that the network gives there."""
    heat, sizes = maps.heat, maps.sizes.astype(np.float64)
    along, across = np.nonzero((heat == ndimage.maximum_filter(heat, (3, 3))) & (heat >= LEAST_HEAT))
    order = np.argsort(-heat[along, across], kind="stable")
    along, across = along[order], across[order]
    *hull, ahead, aside = sizes[:, along, across // SUB]
    length_m, width_m, angle = _hull(*hull)
    found = Candidates(
        u=along + np.clip(ahead, -1, 1),
        v=(across - 0.5) / SUB + np.clip(aside, -0.5, 0.5),
        length_m=length_m,
        width_m=width_m,
        angle=angle,
        heat=heat[along, across].astype(np.float64),
    )
    kept: list[int] = []
    for k in range(len(order)):
        ahead_of, aside_of = _apart(found, k, np.array(kept, int))
        reach = np.maximum(AHEAD_CELLS, AHEAD_SHARE * (found.length_m[k] + found.length_m[kept]) / (2 * CELL_M))
        if not ((aside_of < ASIDE_CELLS) & (ahead_of < reach)).any():
            kept.append(k)
    return found.take(np.array(kept, int))


def _hull(ln_length: Floats, ln_width: Floats, cosine: Floats, sine: Floats) -> tuple[Floats, Floats, Floats]:
    """Length, width and angle of what the network says of a hull."""
    length_m = CELL_M * np.exp(np.clip(ln_length, *LN_LENGTH))
    return length_m, CELL_M * np.exp(np.clip(ln_width, -0.5, 2.0)), 0.5 * np.arctan2(sine, cosine)


def _apart(found: Candidates, k: int, others: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Cells between one and others, along the axis of the one and across it."""
    return _offsets(found, k, found.u[others], found.v[others])


def _offsets(found: Candidates, k: int, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Cells of places from the middle of one, along its axis and across it."""
    du, dv = u - found.u[k], v - found.v[k]
    c, s = np.cos(found.angle[k]), np.sin(found.angle[k])
    return np.abs(du * c + dv * s), np.abs(dv * c - du * s)


def features(found: Candidates, maps: NetworkMaps, channels: Maps) -> Floats:
    """Return what the second network judges each candidate by, (n, 15)."""
    cells = np.indices(maps.density.shape).astype(np.float64)
    u, v = cells[0], cells[1]
    logit = special.logit(np.clip(found.heat, 1e-3, 0.999))
    ratio, raw = (channels[k] + channels[k + 1] for k in (0, 4))
    along, across = nearest_cells(maps.density.shape, found.u, found.v)
    out = np.zeros((len(found.u), N_FEATURES))
    for k in range(len(out)):
        half = found.length_m[k] / (2 * CELL_M)
        ahead, aside = _offsets(found, k, u, v)
        hull = (ahead <= np.maximum(0.7 * half, 0.8)) & (aside <= 1.0)
        around = (ahead <= half + 0.5) & (aside <= 3.0)
        others = np.delete(np.arange(len(out)), k)
        ahead_of, aside_of = _apart(found, k, others)
        ahead_of = ahead_of / (half + found.length_m[others] / (2 * CELL_M))
        near = (ahead_of < 1.3) & (aside_of < 4)
        out[k, :4] = (
            logit[k],
            np.log(found.length_m[k] / 100),
            np.log(maps.density[hull].sum() + 0.02),
            np.log(maps.density[around].sum() + 0.02),
        )
        stronger = np.flatnonzero(near & (others < k))
        if stronger.size:
            nearest = stronger[np.argmin(ahead_of[stronger] ** 2 + (aside_of[stronger] / 3) ** 2)]
            above = min(logit[others[nearest]] - logit[k], 4.0)
            out[k, 4:8] = 1, above, ahead_of[nearest], aside_of[nearest] / 3
        out[k, 8] = found.heat[others[near]].sum()
        out[k, 9] = found.heat[others[near & (aside_of > ASIDE_CELLS)]].sum()
        cell = along[k], across[k]
        lit = hull if hull.any() else (u == cell[0]) & (v == cell[1])
        out[k, 10], out[k, 11] = ratio[lit].mean() / 2, raw[lit].mean() / 2
        out[k, 12], out[k, 13], out[k, 14] = channels[11][cell], channels[13][cell], channels[16][cell]
    return out


def chances(network: Network, seen: Floats) -> Floats:
    """Return the chance of each candidate, by its features (n, 15), that it is a vessel of its own."""
    w = network.weights
    x = (seen - w["chance.mean"]) / w["chance.deviation"]
    for layer in ("chance.0", "chance.1"):
        x = np.maximum(x @ w[f"{layer}.w"].T + w[f"{layer}.b"], 0)
    return np.asarray(special.expit(x @ w["chance.2.w"].T + w["chance.2.b"])[:, 0], np.float64)


def judged(network: Network, maps: NetworkMaps, channels: Maps, own: NDArray[np.bool_]) -> tuple[Candidates, Floats]:
    """Return the vessels of a frame's own cells, each with its chance; those told by the density alone come last.

    Parameters
    ----------
    network, maps, channels
        The network, and what it said of the channels of the frame.
    own
        Cells whose vessels are the frame's.
    """
    peaks = find_peaks(maps)
    found, chance = _completed(peaks, chances(network, features(peaks, maps, channels)), maps, own)
    kept = own[nearest_cells(own.shape, found.u, found.v)]
    return found.take(kept), agreed(chance[kept], float(maps.density[own].sum()))


def _completed(
    found: Candidates, chance: Floats, maps: NetworkMaps, own: NDArray[np.bool_]
) -> tuple[Candidates, Floats]:
    """Add what the density holds beyond the candidates, the most of it first."""
    left = maps.density.astype(np.float64)
    for k in np.flatnonzero(chance > FAINT):
        left -= chance[k] * _density_of(own.shape, found.u[k], found.v[k], found.length_m[k], found.angle[k])
    while left[own].sum() >= LEAST_LEFT:
        near = ndimage.uniform_filter(left, WINDOW, mode="constant") * np.prod(WINDOW)
        along, across = np.unravel_index(np.argmax(np.where(own, near, 0)), own.shape)
        amount = min(float(near[along, across]), 1.0)
        if amount < LEAST_LEFT:
            break
        corner = [max(0, int(at) - n // 2) for at, n in zip((along, across), WINDOW, strict=True)]
        part = left[corner[0] : along + WINDOW[0] // 2 + 1, corner[1] : across + WINDOW[1] // 2 + 1]
        u, v = np.add(ndimage.center_of_mass(np.maximum(part, 0)), corner)
        length_m, width_m, angle = (
            float(each) for each in _hull(*maps.sizes[:4, round(u), round(v)].astype(np.float64))
        )
        left -= amount * _density_of(own.shape, u, v, length_m, angle)
        one = np.array([u, v, length_m, width_m, angle, 0.0])
        found = Candidates._make(np.append(column, each) for column, each in zip(found, one, strict=True))
        chance = np.append(chance, min(amount, MOST_CHANCE))
    return found, chance


def _density_of(shape: tuple[int, ...], u: float, v: float, length_m: float, angle: float) -> Floats:
    """Density of one vessel over the cells of a frame; it adds up to one."""
    parts = []
    for n, middle, sigma in zip(shape, (u, v), spread_of(length_m, angle), strict=True):
        part = np.exp(-0.5 * ((np.arange(n) - middle) / max(sigma, SIDE_CELLS)) ** 2)
        parts.append(part / part.sum())
    return np.outer(*parts)


def spread_of(length_m: float, angle: float) -> tuple[float, float]:
    """Return how far a vessel's heat and density spread along and across a frame, in cells: one sigma.

    The long spread is along the vessel, be it alongside or with its stern to the pier.

    Examples
    --------
    >>> along, across = spread_of(200.0, 0.0)
    >>> round(along, 1), round(across, 1)
    (1.2, 0.7)
    """
    reach = float(np.clip(SPREAD_OF_LENGTH * length_m, SIDE_CELLS, MAX_SPREAD))
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return float(np.hypot(reach * c, SIDE_CELLS * s)), float(np.hypot(reach * s, SIDE_CELLS * c))


def agreed(chance: Floats, expected: float) -> Floats:
    """Return chances whose sum agrees with an expected number: their log odds are shifted together, within bounds.

    The density counts better than the candidates do, as it need not say which of two bright ends is the vessel.

    Examples
    --------
    >>> agreed(np.array([0.9, 0.5, 0.1]), 2.0).round(2).tolist()
    [0.97, 0.77, 0.27]
    """
    odds = special.logit(np.clip(chance, 1e-6, 1 - 1e-6))

    def excess(shift: float) -> float:
        return float(special.expit(odds + shift).sum() - expected)

    if excess(-MAX_SHIFT) >= 0 or excess(MAX_SHIFT) <= 0:
        shift = -MAX_SHIFT if excess(-MAX_SHIFT) >= 0 else MAX_SHIFT
    else:
        shift = float(optimize.brentq(excess, -MAX_SHIFT, MAX_SHIFT))
    return np.asarray(special.expit(odds + shift), np.float64)
