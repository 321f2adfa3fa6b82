"""Dates of a port on its grid, to look at: of products, or those that a survey keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import xarray as xr

from sarship.errors import ReferenceImageError
from sarship.files import safe_name
from sarship.pipeline.result_files import read_results
from sarship.pipeline.second_pass import STACK
from sarship.pipeline.sources import Given, sources_of
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.ground import check_water_level
from sarship.port.map_facts import MapFacts
from sarship.port.port_file import Port
from sarship.port.stack import add_scene, read_stack

__all__ = ["stack_of_products", "stack_of_survey"]

MOST: Final = 24
"""Dates of a survey that are read, the newest: their mean shows a port as well as that of all."""


def stack_of_products(
    products: Iterable[Given],
    port: Port,
    *,
    maps: MapFacts = MapFacts(),  # noqa: B008  (frozen)
    progress: Callable[[int, int], None] | None = None,
) -> tuple[xr.Dataset, bool]:
    """Return products on a port's grid, as `read_stack` gives them, and True if any was simulated.

    Parameters
    ----------
    products
        Paths of GRD products.
    port
        The port.
    maps
        What is known of all images on a map among the products.
    progress
        Called after every product with the number done and the number in all.

    Raises
    ------
    ProductError
        A product cannot be read, or does not show the port.
    """
    sources = sources_of(products, water_level_m=port.water_level_m, maps=maps)
    grid = PortGrid.around(port.area, water_level_m=port.water_level_m)
    is_simulated = False
    with TemporaryDirectory() as folder:
        for done, source in enumerate(sources, start=1):
            product = source.open()
            product.window(port.area)  # says what is wrong where it does not touch
            if done == 1:
                check_water_level(product, port)
            is_simulated |= product.is_simulated
            add_scene(folder, safe_name(product.scene.id), to_port_grid(product, grid))
            if progress is not None:
                progress(done, len(sources))
        return read_stack(folder), is_simulated


def stack_of_survey(folder: str | Path, port: Port) -> tuple[xr.Dataset, bool]:
    """Return the newest dates that a finished survey keeps of a port, and True if they were simulated.

    The port's piers may have moved since, within the survey's grid.

    Raises
    ------
    OutputError
        The folder holds no results.
    ReferenceImageError
        It keeps no dates of this port.
    """
    folder, grid = Path(folder), PortGrid.around(port.area, water_level_m=port.water_level_m)
    results = read_results(folder)
    newest = results.scenes.sort_values("start")["scene"].tolist()[-MOST:]
    places = sorted((folder / STACK).glob("*/"), key=lambda place: place.stat().st_mtime, reverse=True)
    for place in places:  # a folder a grid; the newest that shows the port
        try:
            stack = read_stack(place, scenes=newest)
        except ReferenceImageError:
            continue
        if _overlap(PortGrid.of(stack), grid):
            return stack, results.provenance.is_simulated
    message = f"{folder} keeps no dates of this port in {STACK}/; give the survey of this port, or its products"
    raise ReferenceImageError(message, path=folder)


def _overlap(one: PortGrid, other: PortGrid) -> bool:
    """Return True if two grids are of one zone and water level, and have cells in common."""
    if (one.crs, one.water_level_m) != (other.crs, other.water_level_m):
        return False
    pairs = ((one.x, other.x), (one.y, other.y))
    return all(mine.min() <= theirs.max() and theirs.min() <= mine.max() for mine, theirs in pairs)
