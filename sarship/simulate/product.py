"""A complete product over any place, with vessels whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sarship.model import Polarization
from sarship.simulate.ambiguities import ambiguity_patches, find_ambiguities, moved_lines
from sarship.simulate.grid import RadarGrid, make_grid
from sarship.simulate.params import ProductParams, relative_orbit
from sarship.simulate.render import Canvas, Land, paint
from sarship.simulate.safe.annotation import annotation, data_take, header, tie_points
from sarship.simulate.safe.calibration import calibration_xml, gain_row, noise_field, noise_xml
from sarship.simulate.safe.manifest import manifest
from sarship.simulate.safe.package import (
    DataFile,
    file_names,
    product_name,
    to_cog,
    write_product_info,
    write_tiff,
    zip_folder,
)
from sarship.simulate.sea import sea_level
from sarship.simulate.ships import Patch, Vessel, ship_patches
from sarship.simulate.truth import degrees_of, scatter_vessels, truth_table

__all__ = ["simulate_product", "write_source"]

_LAND, _SHIPS, _PLACES = 11, 12, 13
"""Keeps the random streams of one seed apart."""
_SLICES: Final = 1_000_000_000
"""Keeps the speckle of one pass's slices apart."""


def simulate_product(
    folder: str | Path,
    params: ProductParams | None = None,
    *,
    vessels: Sequence[Vessel] | None = None,
    n_vessels: int = 8,
    land: BaseGeometry | None = None,
    paved: Sequence[tuple[BaseGeometry, float]] = (),
    targets: Sequence[Patch] = (),
    seed: int = 0,
    structure_seed: int = 0,
    date: int | None = None,
    has_ambiguities: bool = False,
) -> tuple[Path, gpd.GeoDataFrame]:
    """Write a simulated product into a folder.

    Parameters
    ----------
    folder
        Where the package is put; made if missing.
    params
        Where, when and how it is seen; see `ProductParams`.
    vessels
        Vessels to put in. By default `n_vessels` of 30 to 250 m at random places off the land, well apart.
    n_vessels
        How many when `vessels` is not given.
    land
        Longitude-latitude polygons of ground; it looks the same for the same `structure_seed` and relative orbit.
    paved
        Parts of the ground that are bare, and the plain sigma0 of each in co-polarisation.
    targets
        More targets to add, in image coordinates (a port's quays).
    seed
        Decides speckle, texture, and the vessels' looks: the same seed and parameters give the same bytes.
    structure_seed
        Decides the looks of the land.
    date
        With a number, buildings on land differ by a decibel or two from one number to another; without, not at all.
    has_ambiguities
        True to add the azimuth ambiguities of targets and buildings, 20 to 30 dB weaker.

    Returns
    -------
    path, truth
        The package (a `.SAFE` folder, a folder with short names, or a zip), and one row a vessel: `time, scene, pier,
        longitude, latitude, length_m, width_m, heading_deg, line, pixel, rcs_m2, vessel_id, is_rafted, speed_m_s`. A
        vessel with a speed lies at its longitude and latitude and is imaged at its line and pixel.

    Raises
    ------
    ValueError
        If no orbit sees the place so.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path, truth = simulate_product(folder, ProductParams(shape=(64, 64)), n_vessels=1)
    >>> path.suffix, len(truth)
    ('.SAFE', 1)
    """
    params = params or ProductParams()
    grid = make_grid(params)
    ground = _image_polygon(grid, land) if land is not None else None
    if vessels is None:
        vessels = scatter_vessels(
            grid.shape,
            grid.sea_place,
            n_vessels=n_vessels,
            land=ground,
            mode=params.specification,
            seed=[seed, _PLACES],
        )
    orbit = relative_orbit(params.platform, params.absolute_orbit)
    moved = _moved(vessels, grid)
    patches, drawn = ship_patches(
        vessels,
        grid.image,
        lambda line, pixel: grid.incidence(line, pixel)[0],
        params.polarizations,
        mode=params.specification,
        rng=np.random.default_rng([seed, _SHIPS]),
        lines_moved=moved,
        orbit=orbit,
    )
    relief = None
    if ground is not None:
        relief = Land.make(ground, params.specification, [structure_seed, orbit, _LAND], date, params.origin)
        relief = replace(relief, paved=[(_image_polygon(grid, area), sigma0) for area, sigma0 in paved])
    ambiguities = find_ambiguities(params, grid) if has_ambiguities else []
    shown = [*patches, *targets]
    canvas = replace(
        _canvas(params, grid, [*shown, *ambiguity_patches(shown, ambiguities)], relief), ambiguities=ambiguities
    )
    path = _write(Path(folder), params, grid, canvas, seed)
    line, pixel = grid.image(*degrees_of(vessels))
    times = [grid.utc(second) for second in grid.seconds(line).tolist()]
    truth = truth_table(path.name.removesuffix(".SAFE"), vessels, (line + moved, pixel), rcs_m2=drawn, times=times)
    return (zip_folder(path) if params.is_zipped else path), truth


def _moved(vessels: Sequence[Vessel], grid: RadarGrid) -> NDArray[np.float64]:
    """Lines that each vessel's own speed displaces it by."""
    moved = np.zeros(len(vessels))
    sailing = np.array([v.speed_m_s > 0 for v in vessels], bool)
    if sailing.any():
        heading, speed = (
            np.array([getattr(v, name) for v in vessels])[sailing] for name in ("heading_deg", "speed_m_s")
        )
        longitude, latitude = (x[sailing] for x in degrees_of(vessels))
        moved[sailing] = moved_lines(grid, longitude, latitude, heading, speed)
    return moved


def _image_polygon(grid: RadarGrid, area: BaseGeometry) -> BaseGeometry:
    """Longitude-latitude polygons as x = pixel, y = line."""

    def turn(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        line, pixel = grid.image(xy[:, 0], xy[:, 1])
        return np.stack([pixel, line], -1)

    return shapely.transform(shapely.segmentize(area, 0.005), turn)


def _canvas(params: ProductParams, grid: RadarGrid, patches: Sequence[Patch], land: Land | None) -> Canvas:
    pixel = np.arange(params.shape[1])
    gain = gain_row(params, grid, pixel)
    angle, _ = grid.incidence((params.shape[0] - 1) / 2, pixel)
    fields = {p: noise_field(params, grid, p) for p in params.polarizations}
    return Canvas(
        shape=params.shape,
        mode=params.specification,
        gain=lambda _, window: gain[window.pixel_start : window.pixel_stop],
        noise=lambda polarization, window: fields[polarization].power(window),
        sea={p: sea_level(p, angle, params.wind_m_s).astype(np.float32) for p in params.polarizations},
        texture_order=params.texture_order,
        texture_m=params.texture_m,
        land=land,
        patches=patches,
        border_pixels=params.border_pixels,
        has_border_noise=params.has_border_noise,
    )


def write_source(folder: Path, params: ProductParams) -> Path:
    """Write a simulated product whose measurement files are empty, for `fill_product`."""
    return _write(folder, params, make_grid(params), None, 0)


def _write(folder: Path, params: ProductParams, grid: RadarGrid, canvas: Canvas | None, seed: int) -> Path:
    """Write every file of the package and return its folder."""
    stop = grid.utc(float(grid.seconds(params.shape[0] - 1)))
    name = product_name(params, grid.utc(grid.start), stop, data_take(params), (seed,))
    path = folder / (name if params.layout == "short" else f"{name}.SAFE")
    for part in ("annotation/calibration", "measurement"):
        (path / part).mkdir(parents=True, exist_ok=True)
    files: list[DataFile] = []
    for number, polarization in enumerate(params.polarizations, start=1):
        names = file_names(params, name, polarization, number)
        if params.noise == "absent":
            del names["s1Level1NoiseSchema"]
        paths = {role: path / file.path for role, file in names.items()}
        _write_tables(paths, params, grid, polarization, number)
        image = paths["s1Level1MeasurementSchema"]
        if canvas is None:
            image.touch()
        else:
            bands = paint(canvas, polarization, [seed + _SLICES * (params.slice_number - 1), number])
            write_tiff(image, params.shape, bands, tie_points(grid), grid.epoch)
            if params.layout == "cog":
                to_cog(image)
        files += names.values()
    (path / "manifest.safe").write_text(manifest(params, grid, path, files), encoding="utf-8")
    if params.layout == "short":
        write_product_info(path, name, files)
    return path


def _write_tables(
    paths: dict[str, Path], params: ProductParams, grid: RadarGrid, polarization: Polarization, number: int
) -> None:
    """Write annotation, calibration and, if wanted, noise of one polarisation."""
    head = header(params, grid, polarization, number)
    paths["s1Level1ProductSchema"].write_bytes(annotation(params, grid, polarization, number))
    paths["s1Level1CalibrationSchema"].write_bytes(calibration_xml(params, grid, head))
    if "s1Level1NoiseSchema" in paths:
        field = noise_field(params, grid, polarization)
        paths["s1Level1NoiseSchema"].write_bytes(noise_xml(params, grid, head, field))
