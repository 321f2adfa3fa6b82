"""Files of a product on disk: TIFFs, the manifest with sizes and MD5s, the layouts and the zip."""

from __future__ import annotations

import binascii
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.shutil import copy as copy_raster

from sarship.model import Polarization
from sarship.simulate.params import ProductParams

__all__ = [
    "DataFile",
    "file_names",
    "md5_of",
    "product_name",
    "to_cog",
    "write_product_info",
    "write_tiff",
    "zip_folder",
]

SIMULATED: Final = "SIMULATED by sarship; not a radar image of anything"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the package as its manifest lists it."""

    path: str
    """Path relative to the package."""
    listed: str
    """Name in the manifest (ESA's name, even where a mirror stores it under a short one)."""
    role: str
    """`s1Level1ProductSchema` and so on."""


_CLASSES: Final = {("VV", "VH"): "DV", ("HH", "HV"): "DH", ("VV",): "SV", ("HH",): "SH", ("VH",): "VH", ("HV",): "HV"}


def product_name(params: ProductParams, start: datetime, stop: datetime, take: int, seed: Sequence[int]) -> str:
    """Name of the package, without extension; its last part follows from the parameters and the seed."""
    kind = f"{params.mode}_GRD{params.specification.product_type[-1]}_1S{_CLASSES[params.polarizations]}"
    times = f"{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
    check = binascii.crc_hqx(repr((params, tuple(seed))).encode(), 0xFFFF)
    name = f"{params.platform}_{kind}_{times}_{params.absolute_orbit:06d}_{take:06X}_{check:04X}"
    return f"{name}_COG" if params.layout == "cog" else name


def file_names(params: ProductParams, name: str, polarization: Polarization, number: int) -> dict[str, DataFile]:
    """Annotation, calibration, noise and measurement of a polarisation, by role."""
    parts = name.removesuffix("_COG").lower().split("_")
    mode, start, stop, orbit, take = params.mode.lower(), *parts[-5:-1]
    pol = polarization.lower()
    tail = f"{params.platform.lower()}-{mode}-grd-{pol}-{start}-{stop}-{orbit}-{take}-{number:03d}"
    if params.layout == "cog":
        tail += "-cog"
    stem = f"{mode}-{pol}" if params.layout == "short" else tail
    table = {
        "s1Level1ProductSchema": ("annotation/", ".xml"),
        "s1Level1CalibrationSchema": ("annotation/calibration/calibration-", ".xml"),
        "s1Level1NoiseSchema": ("annotation/calibration/noise-", ".xml"),
        "s1Level1MeasurementSchema": ("measurement/", ".tiff"),
    }
    return {
        role: DataFile(f"{before}{stem}{after}", f"{before}{tail}{after}", role)
        for role, (before, after) in table.items()
    }


def md5_of(path: Path) -> str:
    """MD5 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def write_tiff(
    path: Path,
    shape: tuple[int, int],
    bands: Iterable[tuple[int, NDArray[np.uint16]]],
    ties: Iterable[Any],
    time: datetime,
) -> None:
    """A measurement as ESA packs it: uint16, uncompressed, one row a strip, the tie points as control points.

    Parameters
    ----------
    path, shape, bands, time
        The file, its lines and pixels, their numbers from a line on, and the time that it says.
    ties
        Rows with `line` and `pixel`, whose centres lie at a half in the file, `longitude`, `latitude` and `height_m`.
    """
    points = [
        GroundControlPoint(
            row=float(tie["line"]) + 0.5,
            col=float(tie["pixel"]) + 0.5,
            x=float(tie["longitude"]),
            y=float(tie["latitude"]),
            z=float(tie["height_m"]),
            id=str(number),
        )
        for number, tie in enumerate(ties)
    ]
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 1, "height": shape[0], "width": shape[1]}
    with rasterio.open(path, "w", **profile, blockysize=1, tiled=False, gcps=points, crs="EPSG:4326") as target:
        target.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=f"Sentinel-1 GRD L1 {SIMULATED}",
            TIFFTAG_SOFTWARE="sarship.simulate",
            TIFFTAG_DATETIME=f"{time:%Y:%m:%d %H:%M:%S}",
        )
        for top, band in bands:
            target.write(band, 1, window=((top, top + band.shape[0]), (0, band.shape[1])))


def to_cog(path: Path) -> None:
    """Turn a TIFF into a cloud-optimised one in place: 512-pixel blocks, ZSTD, overviews."""
    plain = path.with_suffix(".plain.tiff")
    path.rename(plain)
    copy_raster(plain, path, driver="COG", compress="ZSTD", blocksize=512, overview_resampling="average")
    plain.unlink()


def write_product_info(folder: Path, name: str, files: Sequence[DataFile]) -> None:
    """The file of a mirror's short-named layout that maps ESA's names to its own."""
    info = {
        "id": name,
        "productType": "GRD",
        "note": SIMULATED,
        "filenameMap": {f"{file.listed}": file.path for file in files},
    }
    (folder / "productInfo.json").write_text(json.dumps(info, indent=1), encoding="utf-8")


def zip_folder(folder: Path) -> Path:
    """Pack a package into a zip beside it and remove the folder."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    shutil.rmtree(folder)
    return target
