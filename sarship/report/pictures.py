"""Rasters of the page's map: each pass on the port's grid, and what is brighter or darker than the empty port.

They come from the stack and the references that a survey keeps in its folder, so no product is needed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from sarship.change.reference import level_on
from sarship.errors import ReferenceImageError
from sarship.files import safe_name
from sarship.pipeline.second_pass import reference_file, stack_folder
from sarship.plots.style import RANGE_DB, decibel
from sarship.port.grid import PortGrid
from sarship.port.stack import read_reference, read_scene

__all__ = ["Frame", "Frames", "grey_picture", "read_frames"]

QUALITY: Final = 60
"""Of WebP: speckle costs most of the bytes, and vessels stay as they are."""
FAINT_DB, FULL_DB = 4.0, 10.0
"""Ratios to the empty port from which a cell is marked, and is marked fully."""
BRIGHTER, DARKER = (213, 94, 0), (86, 180, 233)
"""Colours after Okabe and Ito."""
SEA_LIKE: Final = 2.0
"""Cells of the empty port below this many times the sea are taken for water."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Pictures of a pass, WebP."""

    radar: bytes
    """Brightness in decibel, grey."""
    over: bytes | None
    """Transparent but where it is brighter or darker than the empty port; None without a reference."""

    @property
    def n_bytes(self) -> int:
        """Size of both."""
        return len(self.radar) + len(self.over or b"")


@dataclass(frozen=True, slots=True)
class Frames:
    """Pictures of a survey's passes on one grid."""

    grid: PortGrid
    polarization: str
    step: int
    """Cells of the grid that are a pixel."""
    by_pass: tuple[Frame | None, ...]
    """In the order of the counts; None for a pass that is not in the stack, or was left out."""

    @property
    def n_bytes(self) -> int:
        """Size of all."""
        return sum(frame.n_bytes for frame in self.by_pass if frame is not None)


def read_frames(folder: Path, counts: xr.Dataset, step: int = 1) -> Frames | None:
    """Return pictures of the passes, or None where the folder holds no port on its grid.

    Parameters
    ----------
    folder
        Folder of a survey.
    counts
        `schema.COUNTS`, for the passes.
    step
        Cells of the grid that become a pixel, each side.
    """
    orbits = np.unique(counts["relative_orbit"].to_numpy()).tolist()
    references: dict[int, xr.Dataset] = {}
    for orbit in orbits:
        try:
            references[orbit] = read_reference(reference_file(folder, orbit)).isel(relative_orbit=0, polarization=0)
        except ReferenceImageError:
            continue
    if not references:
        return None
    grid = PortGrid.of(next(iter(references.values())))
    stack = stack_folder(folder, grid)
    frames: list[Frame | None] = []
    polarizations = []
    has_reference = (counts["n_reference_dates"] > 0).any("pier").to_numpy()
    for k, (scenes, orbit) in enumerate(zip(counts["scene"].values, counts["relative_orbit"].values, strict=True)):
        image = _read_pass(stack, str(scenes).split())
        if image is None:
            frames.append(None)
            continue
        polarizations.append(str(image["polarization"].item()))
        reference = references.get(int(orbit)) if has_reference[k] else None
        if reference is not None and str(reference["polarization"].item()) != polarizations[-1]:
            reference = None
        frames.append(_frame(image, reference, step))
    if not polarizations:
        return None
    return Frames(grid, polarizations[0], step, tuple(frames))


def _read_pass(stack: Path, scenes: list[str]) -> xr.DataArray | None:
    """Return the first polarisation of a pass; where slices overlap the earlier one counts."""
    whole: xr.DataArray | None = None
    for scene in scenes:
        try:
            image = read_scene(stack, safe_name(scene)).isel(polarization=0).load()
        except ReferenceImageError:
            continue
        whole = image if whole is None else whole.fillna(image.drop_vars(set(image.coords) - set(image.dims)))
    return whole


def _frame(image: xr.DataArray, reference: xr.Dataset | None, step: int) -> Frame:
    power = image.to_numpy()
    radar = grey_picture(_coarse(power, step), str(image["polarization"].item()))
    if reference is None:
        return Frame(radar, None)
    level, sea = reference["level"].to_numpy(), float(reference["sea"])
    is_water = (level < SEA_LIKE * sea) & np.isfinite(power)
    today = sea * float(np.median(power[is_water] / level[is_water])) if is_water.any() else sea
    smooth = ndimage.uniform_filter(np.nan_to_num(power), 3)
    ratio = decibel(_coarse(smooth, step) / _coarse(ndimage.uniform_filter(level_on(level, sea, today), 3), step))
    ratio[~np.isfinite(_coarse(power, step))] = 0.0
    strength = np.clip((np.abs(np.nan_to_num(ratio)) - FAINT_DB) / (FULL_DB - FAINT_DB), 0, 1)
    over = np.zeros((*ratio.shape, 4), np.uint8)
    over[ratio > 0, :3], over[ratio <= 0, :3] = BRIGHTER, DARKER
    over[..., 3] = 255 * np.where(strength > 0, 0.35 + 0.55 * strength, 0)
    return Frame(radar, _webp(over))


def grey_picture(power: NDArray[np.floating], polarization: str, quality: int = QUALITY) -> bytes:
    """Return brightness in the grey levels of all figures, as WebP; what was not imaged is black."""
    low, high = RANGE_DB[polarization]
    grey = (decibel(power) - low) / (high - low)
    return _webp(np.nan_to_num(np.clip(grey, 0, 1) * 255).astype(np.uint8), quality)


def _coarse(values: NDArray[np.floating], step: int) -> NDArray[np.float64]:
    """Return the mean of blocks of cells; a rest at the south and east is left out."""
    rows, columns = (n // step for n in values.shape)
    blocks = values[: rows * step, : columns * step].astype(np.float64).reshape(rows, step, columns, step)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float64)


def _webp(pixels: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "webp", quality=quality, method=4, alpha_quality=50)
    return stream.getvalue()
