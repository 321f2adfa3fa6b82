"""GeoTIFFs of a port on its grid, with all in their tags that `open_map_image` asks for."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from affine import Affine
from rasterio.io import MemoryFile

from sarship.port.grid import PortGrid
from sarship.port.map_facts import TAG
from sarship.sentinel1.radar_image import RadarImage

__all__ = ["geotiff_bytes"]


def geotiff_bytes(image: xr.DataArray, product: RadarImage) -> bytes:
    """Return a scene on a port's grid as a GeoTIFF: linear sigma nought with the noise left in, a band a polarisation.

    Parameters
    ----------
    image
        From `to_port_grid`.
    product
        The product that it was made of.

    Returns
    -------
    bytes
        A tiled GeoTIFF in the grid's UTM zone, NaN where nothing was imaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sarship import open_grd, to_port_grid
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> with TemporaryDirectory() as folder:
    ...     product = open_grd(simulate_product(folder, ProductParams(shape=(60, 80)), n_vessels=0)[0])
    ...     image = to_port_grid(product, PortGrid.around(product.scene.footprint, margin_m=0))
    >>> geotiff_bytes(image, product)[:2]
    b'II'
    """
    grid, scene = PortGrid.of(image), product.scene
    names = [str(name) for name in image["polarization"].to_numpy()]
    incidence = float(image["incidence"])
    tags: dict[str, object] = {
        "SCENE": scene.id,
        "PLATFORM": scene.platform,
        "MODE": scene.mode,
        "TIME": scene.start.isoformat(),
        "STOP": scene.stop.isoformat(),
        "RELATIVE_ORBIT": scene.relative_orbit,
        "ABSOLUTE_ORBIT": scene.absolute_orbit,
        "ORBIT_PASS": scene.orbit_pass,
        "QUANTITY": "sigma0",
        "SCALE": "linear",
        "NOISE_SUBTRACTED": False,
        "IS_SIMULATED": product.is_simulated,
    }
    if math.isfinite(incidence):
        tags["INCIDENCE_DEG"] = round(incidence, 3)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=grid.shape[1],
            height=grid.shape[0],
            count=len(names),
            dtype="float32",
            crs=grid.crs,
            transform=Affine(grid.spacing_m, 0.0, grid.west_m, 0.0, -grid.spacing_m, grid.north_m),
            nodata=math.nan,
            tiled=True,
            compress="deflate",
            predictor=3,
        ) as file:
            file.write(image.to_numpy().astype(np.float32))
            file.descriptions = names
            file.update_tags(**{f"{TAG}{name}": str(value) for name, value in tags.items()})
        return bytes(memory.read())
