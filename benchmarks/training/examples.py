"""Examples to learn from: a date of a frame of a world, roughened as users' images are, and what it should give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sarship.change.reference import level_on
from sarship.vessels.candidates import spread_of
from sarship.vessels.frames import SUB
from sarship.vessels.network_inputs import N_CHANNELS, FrameMaps, channels

__all__ = [
    "CROP",
    "Batch",
    "Conditions",
    "WorldFrame",
    "draw_batch",
    "draw_conditions",
    "read_worlds",
]

CROP: Final = (64, 40)
"""Cells along and across of an example."""
CUT: Final = 4
"""Cells at a cut edge whose targets are not asked for: their vessels are seen in part."""

LEE_CU2: Final = 1 / 4.4
"""Squared coefficient of variation of the speckle that a Lee filter takes away."""

Maps = NDArray[np.float32]
Rng = np.random.Generator


class Conditions(NamedTuple):
    """How a date is shown: what of it is left out, and how it is roughened."""

    has_reference: bool = True
    has_cross: bool = True
    has_land: bool = True
    blur_cells: float = 0.0
    """Sigma of a Gaussian over the power of the date and of the empty port."""
    lee_cells: int = 0
    """Side of the window of a Lee filter; 0 for none."""
    clip_ln: float = 99.0
    """Bound of ln power over the sea, as images stored in eight bits have."""
    shift_cells: tuple[float, float] = (0.0, 0.0)
    """Displacement of the empty port from the date."""
    sea_ln: float = 0.0
    """Error of the sea level."""
    gain_ln: float = 0.0
    """Error of the date's calibration against the others'."""


PLAIN: Final = Conditions()


def draw_conditions(rng: Rng) -> Conditions:
    """Conditions of a training example."""
    blurred, filtered, clipped, shifted = rng.random(4) < (0.3, 0.15, 0.15, 0.3)
    return Conditions(
        has_reference=bool(rng.random() > 0.17),
        has_cross=bool(rng.random() > 0.2),
        has_land=bool(rng.random() > 0.25),
        blur_cells=float(rng.uniform(0.2, 0.9)) if blurred else 0.0,
        lee_cells=int(rng.choice([3, 5, 7])) if filtered else 0,
        clip_ln=float(rng.uniform(2.3, 5.0)) if clipped else 99.0,
        shift_cells=(float(rng.normal(0, 0.3)), float(rng.normal(0, 0.3))) if shifted else (0.0, 0.0),
        sea_ln=float(rng.normal(0, 0.12)),
        gain_ln=float(rng.normal(0, 0.1)),
    )


@dataclass(frozen=True, eq=False, slots=True)
class WorldFrame:
    """One frame of a world over its dates; arrays as `worlds.make_world` has them."""

    world: int
    raw: NDArray[np.float16]
    level: NDArray[np.float16]
    spread: NDArray[np.float16]
    today: Maps
    near: NDArray[np.float16]
    far: NDArray[np.float16]
    land: NDArray[np.float16]
    own: NDArray[np.bool_]
    look: Maps
    truth: Maps
    is_real: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along and across."""
        n_along, n_across = self.near.shape
        return n_along, n_across

    @property
    def has_stern_to(self) -> bool:
        """True if a vessel ever lies across the pier."""
        return bool((np.abs(np.cos(self.truth[:, 5])) < 0.7).any())

    def vessels(self, date: int) -> Maps:
        """Rows of one date: u, v, length, width, angle, rafted."""
        return self.truth[self.truth[:, 0] == date, 1:7]

    def maps(self, date: int, how: Conditions = PLAIN, part: tuple[slice, slice] | None = None) -> FrameMaps:
        """The frame, or a part of it, on a date."""
        along, across = part or (slice(0, self.shape[0]), slice(0, self.shape[1]))
        fine = slice(across.start * SUB, across.stop * SUB)
        raw = self.raw[date][:, along, fine].astype(np.float32)
        expected = self.level[:, along, fine].astype(np.float32)
        todays = self.today[date].tolist()
        expected = np.stack([np.log(level_on(np.exp(e), 1.0, t) / t) for e, t in zip(expected, todays, strict=True)])
        if how.blur_cells or how.lee_cells:
            raw, expected = (_filtered(each, how) for each in (raw, expected))
        raw = np.asarray(np.minimum(raw + how.gain_ln, how.clip_ln) + how.sea_ln, np.float32)
        expected = np.asarray(np.minimum(expected, how.clip_ln) + how.sea_ln, np.float32)
        if any(how.shift_cells):
            shift = (0.0, how.shift_cells[0], SUB * how.shift_cells[1])
            expected = ndimage.shift(expected, shift, order=1, mode="nearest")
        land = self.land[along, across].astype(np.float32)
        return FrameMaps(
            raw=raw,
            expected=expected if how.has_reference else None,
            spread=self.spread[along, across].astype(np.float32),
            near=self.near[along, across].astype(np.float32),
            far=self.far[along, across].astype(np.float32),
            land=land if how.has_land else np.zeros_like(land),
            look=(float(self.look[0]), float(self.look[1])),
            has_cross=how.has_cross,
        )


def _filtered(ln_power: Maps, how: Conditions) -> Maps:
    power = np.exp(ln_power)
    if how.blur_cells:
        power = ndimage.gaussian_filter(power, (0, how.blur_cells, SUB * how.blur_cells), truncate=2.5)
    if how.lee_cells:
        window = (1, how.lee_cells, SUB * how.lee_cells)
        mean = ndimage.uniform_filter(power, window)
        variance = ndimage.uniform_filter(power**2, window) / np.maximum(mean, 1e-6) ** 2 - 1
        power = mean + np.clip(1 - LEE_CU2 / np.maximum(variance, 1e-3), 0, 1) * (power - mean)
    return np.log(np.maximum(power, 1e-4))


def read_worlds(folder: Path, first: int, last: int) -> list[WorldFrame]:
    """The frames of the worlds of some seeds."""
    frames = []
    for seed in range(first, last):
        path = folder / f"{seed}.npz"
        if not path.exists():
            continue
        with np.load(path) as file:
            names = sorted({name.split("_")[0] for name in file.files}, key=int)
            fields = [each for each in WorldFrame.__slots__ if each != "world"]
            for name in names:
                values: dict[str, Any] = {each: file[f"{name}_{each}"] for each in fields}
                frames.append(WorldFrame(world=seed, **values | {"is_real": bool(values["is_real"])}))
    return frames


class Batch(NamedTuple):
    """Examples together: `x` (n, 18, …), heat and density (n, n_along, n_across, 2), centres, and weight of cells."""

    x: Maps
    heat: Maps
    density: Maps
    centres: list[Maps]
    """Of each example: cell along and across, then what `SIZES` of the network lists."""
    weight: Maps


def draw_batch(frames: Sequence[WorldFrame], rng: Rng, size: int) -> Batch:
    """Random examples."""
    parts = [_example(frames[int(rng.integers(len(frames)))], rng) for _ in range(size)]
    x, heat, density, centres, weight = zip(*parts, strict=True)
    return Batch(np.stack(x), np.stack(heat), np.stack(density), list(centres), np.stack(weight))


def _example(frame: WorldFrame, rng: Rng) -> tuple[Maps, Maps, Maps, Maps, Maps]:
    date = int(rng.integers(len(frame.raw)))
    how = draw_conditions(rng)
    starts = [int(rng.integers(0, max(0, n - c) + 1)) for n, c in zip(frame.shape, CROP, strict=True)]
    stops = [min(n, s + c) for n, s, c in zip(frame.shape, starts, CROP, strict=True)]
    part = slice(starts[0], stops[0]), slice(starts[1], stops[1])
    seen = channels(frame.maps(date, how, part))
    rows = frame.vessels(date).copy()
    rows[:, 0] -= starts[0]
    rows[:, 1] -= starts[1]
    n_along, n_across = seen.shape[1:]
    weight = np.ones((n_along, n_across), np.float32)
    for axis in (0, 1):
        edge = np.moveaxis(weight, axis, 0)
        edge[: CUT if starts[axis] > 0 else 0] = 0
        edge[len(edge) - (CUT if stops[axis] < frame.shape[axis] else 0) :] = 0
    seen, rows, weight = _flipped(seen, rows, weight, rng.random(2) < 0.5)
    room = [c - n for c, n in zip(CROP, seen.shape[1:], strict=True)]
    at = [int(rng.integers(0, each + 1)) for each in room]
    place = slice(at[0], at[0] + n_along), slice(at[1], at[1] + n_across)
    x, full = np.zeros((N_CHANNELS, *CROP), np.float32), np.zeros(CROP, np.float32)
    x[:, *place], full[place] = seen, weight
    rows[:, 0] += at[0]
    rows[:, 1] += at[1]
    heat, density, centres = targets(rows, CROP)
    inside = full[centres[:, 0].astype(int), centres[:, 1].astype(int)] > 0
    return x, heat, density, centres[inside], full


def _flipped(x: Maps, rows: Maps, weight: Maps, flips: NDArray[np.bool_]) -> tuple[Maps, Maps, Maps]:
    """The other way along, or across: what lies there, where the radar looks from, and angles."""
    if flips[0]:
        x, weight = x[:, ::-1].copy(), weight[::-1]
        x[14] *= -1
        rows[:, 0], rows[:, 4] = x.shape[1] - 1 - rows[:, 0], -rows[:, 4]
    if flips[1]:
        x, weight = x[:, :, ::-1].copy(), weight[:, ::-1]
        x[15] *= -1
        x[:8] = x[[1, 0, 3, 2, 5, 4, 7, 6]]
        rows[:, 1], rows[:, 4] = x.shape[2] - 1 - rows[:, 1], -rows[:, 4]
    return x, rows, weight


def targets(rows: Maps, shape: tuple[int, int]) -> tuple[Maps, Maps, Maps]:
    """Heat and density, each (n_along, n_across, 2), and centres of the vessels of an example.

    Heat is one at a vessel's middle and falls off around it, farther along the longer it is; a vessel's density adds up
    to one. Centres are rows of: cell along and across, ln of length and width in cells, cosine and sine of twice the
    angle, and what is left of the place, along and across.
    """
    n_along, n_across = shape
    heat, density = np.zeros((n_along, SUB * n_across), np.float32), np.zeros((n_along, SUB * n_across), np.float32)
    centres = []
    along, across = np.arange(n_along)[:, None], np.arange(SUB * n_across)[None]
    for u, v, length, width, angle in rows[:, :5]:
        fine = SUB * v + 0.5
        cell, sample = round(float(u)), round(float(fine))
        if not (0 <= cell < n_along and 0 <= sample < SUB * n_across):
            continue
        du, dv = spread_of(length, angle)
        near = np.exp(-0.5 * (((along - cell) / du) ** 2 + ((across - sample) / max(0.9, SUB * dv)) ** 2))
        heat = np.maximum(heat, near.astype(np.float32))
        mass = np.exp(-0.5 * (((along - u) / du) ** 2 + ((across - fine) / max(1.4, SUB * dv)) ** 2))
        density += (mass / mass.sum()).astype(np.float32)
        sizes = np.log(length / 10), np.log(width / 10), np.cos(2 * angle), np.sin(2 * angle)
        centres.append((cell, sample // SUB, *sizes, u - cell, (fine - sample) / SUB, sample % SUB))
    both = [each.reshape(n_along, n_across, SUB) for each in (heat, density)]
    return both[0], both[1], np.array(centres, np.float32).reshape(-1, 9)
