"""A real product's geometry, calibration and noise, filled with a simulated sea, ships and ground."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from sarship.errors import ProductError
from sarship.model import Polarization
from sarship.sentinel1.annotation import Annotation, read_annotation
from sarship.sentinel1.calibration import Calibration, Noise, read_calibration, read_noise
from sarship.sentinel1.manifest import Role
from sarship.sentinel1.safe import SafeContainer, open_safe
from sarship.simulate.params import MODES, Mode, ProductParams
from sarship.simulate.product import write_source
from sarship.simulate.render import Canvas, Land, paint
from sarship.simulate.safe.package import write_tiff
from sarship.simulate.safe.refill import refreshed_manifest
from sarship.simulate.sea import sea_level
from sarship.simulate.ships import Patch, Vessel, ship_patches, splat
from sarship.simulate.truth import degrees_of, scatter_vessels, truth_table

__all__ = ["fill_product"]

_PLACES, _SHIPS, _GROUND, _QUAYS = 31, 32, 33, 34
_TABLES: Final[tuple[Role, ...]] = ("annotation", "calibration", "noise")
_LAND_MARGIN: Final = 3.0
"""Pixels that the land file reaches over the water's edge, so that the quays are masked."""


def fill_product(
    source: str | Path | ProductParams,
    folder: str | Path,
    *,
    vessels: Sequence[Vessel] | None = None,
    n_vessels: int = 20,
    land_fraction: float = 0.0,
    polarizations: Sequence[Polarization] | None = None,
    wind_m_s: float = 7.0,
    texture_order: float = 8.0,
    seed: int = 0,
) -> tuple[Path, gpd.GeoDataFrame]:
    """Copy a product's annotation, calibration and noise, and write measurements of the annotated size.

    Parameters
    ----------
    source
        A real product: a `.SAFE` folder or a zip, whose measurements may be missing or empty. Or the parameters of a
        simulated one, `ProductParams(shape=(16705, 26102))` for a full scene.
    folder
        Where the package is put, under the source's name. With land, `land.geojson` is put beside it.
    vessels
        Vessels to put in. By default `n_vessels` of 30 to 250 m at random places off the land, well apart.
    n_vessels
        How many when `vessels` is not given.
    land_fraction
        Part of the image that is ground, 0 … 1: the far-range side, with a winding coast and quays along it.
    polarizations
        Channels to write; by default all that the source has tables of.
    wind_m_s, texture_order
        The sea, as in `ProductParams`.
    seed
        Decides everything: the same seed gives the same bytes.

    Returns
    -------
    path, truth
        The `.SAFE` folder, with uncompressed one-row strips, and one row a vessel as `simulate_product` gives it.
        Memory stays under a gigabyte whatever the size; a full scene takes about half a minute a polarisation.

    Raises
    ------
    ProductError
        If the source lacks the tables of a wanted polarisation.
    ValueError
        If the vessels do not fit.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path, truth = fill_product(ProductParams(shape=(64, 64)), folder, n_vessels=1)
    >>> path.suffix, len(truth)
    ('.SAFE', 1)
    """
    folder = Path(folder)
    with _opened(source) as container:
        chosen = _chosen(container, polarizations)
        notes = {p: read_annotation(*_table(container, "annotation", p)) for p in chosen}
        note = notes[chosen[0]]
        mode = _mode(note)
        coast = _coast(note.geometry.shape, land_fraction)
        if vessels is None:
            vessels = scatter_vessels(
                note.geometry.shape,
                note.geometry.to_map,
                n_vessels=n_vessels,
                land=coast,
                mode=mode,
                seed=[seed, _PLACES],
            )
        patches, drawn = ship_patches(
            vessels,
            note.geometry.to_image,
            note.geometry.incidence_deg,
            chosen,
            mode=mode,
            rng=np.random.default_rng([seed, _SHIPS]),
        )
        if coast is not None:
            patches += _quays(coast, note, chosen, mode, seed)
        canvas = _canvas(container, note, chosen, mode, (wind_m_s, texture_order))
        ground = None if coast is None else Land.make(coast, mode, [seed, _GROUND])
        path = _write(container, folder, notes, replace(canvas, patches=patches, land=ground), seed)
        if coast is not None:
            _write_land(folder / "land.geojson", coast, note)
        line, pixel = note.geometry.to_image(*degrees_of(vessels))
        times = [moment.item() for moment in note.geometry.time_at(line).astype("datetime64[us]")]
        return path, truth_table(container.id, vessels, (line, pixel), rcs_m2=drawn, times=times)


@contextmanager
def _opened(source: str | Path | ProductParams) -> Iterator[SafeContainer]:
    """The product whose tables are copied; one that its parameters describe lasts as long as it is open."""
    if not isinstance(source, ProductParams):
        yield open_safe(source)
        return
    with tempfile.TemporaryDirectory() as made:
        yield open_safe(write_source(Path(made), replace(source, layout="plain", is_zipped=False)))


def _table(container: SafeContainer, role: Role, polarization: Polarization) -> tuple[bytes, str]:
    """Bytes and full address of a table.

    Raises
    ------
    ProductError
        If it is not listed or not there.
    """
    file = container.find(role, polarization)
    if file is None:
        raise ProductError(f"{container.path} lists no {role} file for {polarization}; choose another polarisation")
    return container.read_bytes(file.name), container.describe(file.name)


def _chosen(container: SafeContainer, wanted: Sequence[Polarization] | None) -> tuple[Polarization, ...]:
    if wanted is not None:
        return tuple(wanted)
    roles = ("annotation", "calibration")
    files = {(f.role, f.polarization) for f in container.manifest.files if container.exists(f.name)}
    chosen = tuple(p for p in container.manifest.polarizations if all((role, p) in files for role in roles))
    if not chosen:
        raise ProductError(f"{container.path} has no polarisation with both annotation and calibration to fill")
    return chosen


def _mode(note: Annotation) -> Mode:
    """The mode's figures, with spacing, resolution and looks as this product has them."""
    spacing = note.geometry.pixel_spacing_m
    return replace(MODES[note.mode], spacing_m=spacing, resolution_m=note.resolution_m, enl=note.enl)


def _coast(shape: tuple[int, int], fraction: float) -> Polygon | None:
    """Ground at the far side of the image, x = pixel, y = line; None for no land."""
    if not 0 <= fraction < 1:
        raise ValueError(f"land_fraction is a part of the image in [0, 1), got {fraction}")
    if fraction == 0:
        return None
    n_lines, n_pixels = shape
    line = np.linspace(-100, n_lines + 100, 401)
    # whole turns over the image, so that the winding adds no area
    wind = 0.3 * min(fraction, 1 - fraction) * np.sin(2 * np.pi * 3 * line / n_lines)
    edge = np.stack([n_pixels * (1 - fraction + wind), line], -1)
    far = np.array([[n_pixels + 100, n_lines + 100], [n_pixels + 100, -100]])
    return Polygon(np.concatenate([edge, far]))


def _quays(coast: Polygon, note: Annotation, chosen: Sequence[Polarization], mode: Mode, seed: int) -> list[Patch]:
    """Eight quays along the coast, each of a twentieth of its length: a bright line with strong points."""
    rng = np.random.default_rng([seed, _QUAYS])
    n_lines = note.geometry.shape[0]
    outline = np.asarray(coast.exterior.coords)[:401]
    patches = []
    for start in np.linspace(0.05, 0.9, 8) * n_lines:
        line = np.arange(start, start + n_lines / 20, 0.5)
        pixel = np.interp(line, outline[:, 1], outline[:, 0]) + 0.2
        rcs = 80.0 * 10 ** (rng.normal(0, 3, line.size) / 10)
        rcs[::14] += 10 ** (rng.normal(26, 3, rcs[::14].size) / 10)
        for part in np.array_split(np.arange(line.size), max(1, line.size // 100)):
            channels = {p: rcs[part] * (0.126 if p in {"VH", "HV"} else 1.0) for p in chosen}
            patches.append(splat(line[part], pixel[part], channels, mode, rng, is_total_exact=False))
    return patches


def _canvas(
    container: SafeContainer,
    note: Annotation,
    chosen: Sequence[Polarization],
    mode: Mode,
    sea: tuple[float, float],
) -> Canvas:
    """The open sea of a product with its own gain and noise."""
    gains: Mapping[Polarization, Calibration] = {
        p: read_calibration(*_table(container, "calibration", p)) for p in chosen
    }
    noises: Mapping[Polarization, Noise] = {
        p: read_noise(*_table(container, "noise", p)) for p in chosen if container.find("noise", p) is not None
    }
    n_lines, n_pixels = note.geometry.shape
    knots = np.linspace(0, n_pixels - 1, 200)
    angle = np.interp(np.arange(n_pixels), knots, note.geometry.incidence_deg(np.full(200, n_lines / 2), knots))
    return Canvas(
        shape=note.geometry.shape,
        mode=mode,
        gain=lambda p, window: gains[p].gain("sigma0", window),
        noise=lambda p, window: noises[p].power(window) if p in noises else np.zeros(1),
        sea={p: sea_level(p, angle, sea[0]).astype(np.float32) for p in chosen},
        texture_order=sea[1],
    )


def _write(
    container: SafeContainer, folder: Path, notes: Mapping[Polarization, Annotation], canvas: Canvas, seed: int
) -> Path:
    """Copy the tables, paint the measurements, and list what is there; the package's folder."""
    path = folder / f"{container.id}.SAFE"
    for number, (polarization, note) in enumerate(notes.items(), start=1):
        for role in _TABLES:
            file = container.find(role, polarization)
            if file is not None and container.exists(file.name):
                (path / file.name).parent.mkdir(parents=True, exist_ok=True)
                (path / file.name).write_bytes(container.read_bytes(file.name))
        image = container.find("measurement", polarization)
        if image is None:
            raise ProductError(f"{container.path} lists no measurement of {polarization}; choose another polarisation")
        (path / image.name).parent.mkdir(parents=True, exist_ok=True)
        bands = paint(canvas, polarization, [seed, number])
        write_tiff(path / image.name, canvas.shape, bands, note.tie_points(), note.start)
    listing = refreshed_manifest(_manifest(container.path), path, notes)
    (path / "manifest.safe").write_bytes(listing)
    return path


def _manifest(package: Path) -> bytes:
    """The manifest of a folder or of a zip."""
    if package.is_dir():
        return (package / "manifest.safe").read_bytes()
    with zipfile.ZipFile(package) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".SAFE/manifest.safe"))
        return archive.read(name)


def _write_land(path: Path, coast: Polygon, note: Annotation) -> None:
    """The ground as a polygon file in longitude and latitude, a little over the water's edge, clipped to the image."""
    n_lines, n_pixels = note.geometry.shape
    here = shapely.box(-1, -1, n_pixels, n_lines)
    outline = shapely.segmentize(coast.buffer(_LAND_MARGIN, join_style="mitre").intersection(here), 200.0)

    def turn(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(note.geometry.to_map(xy[:, 1], xy[:, 0]), -1)

    feature = {
        "type": "Feature",
        "properties": {"name": "Land", "kind": "land"},
        "geometry": shapely.geometry.mapping(shapely.transform(outline, turn)),
    }
    collection = {"type": "FeatureCollection", "name": "SIMULATED land", "features": [feature]}
    path.write_text(json.dumps(collection), encoding="utf-8")
