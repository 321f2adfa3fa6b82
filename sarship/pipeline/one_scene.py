"""One scene, from its pixels to the table of its vessels: detect, find, assign, flag.

Both passes over the scenes go this way. They differ in where the hits come from: the first takes those of the image
alone, the second those of change detection against the empty port, on the port's grid.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from sarship.change.detection import detect_change
from sarship.change.network_maps import port_maps
from sarship.detection.bands import reach_of
from sarship.detection.seen import coverage
from sarship.detection.single_image import detect
from sarship.errors import PortError, ProductWarning, ReferenceImageError
from sarship.model import CO_POLARIZED, Hits, Scene, Window
from sarship.pipeline.checkpoints import Tables
from sarship.pipeline.map_images import measured_on_water
from sarship.pipeline.plan import Plan
from sarship.pipeline.sources import Source
from sarship.port.grid import PortImage, pixels_under, to_port_grid
from sarship.port.map_image import MapImage
from sarship.schema import SCENES, VESSELS
from sarship.sentinel1.parts import area_of, parts_of
from sarship.sentinel1.radar_image import RadarImage
from sarship.vessels.assign import assign_piers
from sarship.vessels.at_piers import PortMaps, find_at_piers
from sarship.vessels.find import find_vessels
from sarship.vessels.flags import flag_ambiguities
from sarship.vessels.pier_table import replace_at_piers, table_at_piers

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["Bands", "SearchedScene", "at_seen", "in_product", "is_fine", "search_against", "search_image", "to_be_read"]

Bands = Callable[[int, int], None]
"""Called by the detector after each band: lines done, lines in all."""
MAX_VESSEL_M: Final = 500.0
"""Longer than any ship afloat: one that is cut by the port's border is still seen whole."""
MAX_HIT: Final = 0.01
"""Part of a port's open water that ships cover: fifteen of 150 m in an anchorage of 5 by 5 km are a thousandth."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class SearchedScene:
    """A scene, where it comes from, and what was found in it."""

    scene: Scene
    """The acquisition."""
    source: Source
    """Opens its product."""
    mark: object
    """Identifies its files."""
    fingerprint: str
    """Digest of all that the tables depend on."""
    vessels: gpd.GeoDataFrame
    scenes: gpd.GeoDataFrame
    """Its one row."""
    coverage: gpd.GeoDataFrame
    is_simulated: bool
    is_left: bool = False
    """True if its vessels are left to the second pass."""

    @property
    def waits(self) -> bool:
        """True if its vessels are still to be found."""
        return self.shows_a_pier and self.is_left

    @property
    def shows_a_pier(self) -> bool:
        """True if any of a pier's waters is in the image."""
        return bool(self.coverage["seen"].any())


def search_image(product: RadarImage, plan: Plan, progress: Bands | None = None, *, is_left: bool = False) -> Tables:
    """Search a product by its image alone: the first pass.

    Parameters
    ----------
    product
        An open product.
    plan
        What to look for, and where.
    progress
        Called after each band of the image.
    is_left
        True for a scene whose vessels the second pass finds: if it shows a pier, only its coverage is made.

    Returns
    -------
    Tables
        With no vessels and nothing seen where it shows none of the piers.

    Raises
    ------
    ProductError
        The product cannot be read, or does not touch the area; with piers, only if it would were they not swapped.
    """
    product.check_polarizations()
    window = _window(product, plan)
    if window is not None and isinstance(product, MapImage):  # its speckle is another's work, so it is measured
        product = measured_on_water(product, plan, window)
    doubts = list[str]()
    seen = _coverage(product, plan, doubts.append)
    left = is_left and bool(seen["seen"].any())
    for doubt in doubts if left else ():  # which a search says too
        warnings.warn(doubt, ProductWarning, stacklevel=2)
    vessels = VESSELS.empty() if left or window is None else _found_alone(product, plan, window, progress)
    return {
        "vessels": flag_ambiguities(_viewed(at_seen(vessels, seen), product), product),
        "scenes": _row(product, plan),
        "coverage": seen,
        "is_simulated": product.is_simulated,
    }


def _coverage(product: RadarImage, plan: Plan, tell: Callable[[str], object]) -> gpd.GeoDataFrame:
    """Return the coverage of the piers; vessels alongside are told apart in VV or HH, so those are what shows them."""
    piers = plan.port.piers
    alongside = piers["name"][piers["kind"] == "pier"].tolist() if is_fine(product.scene) else []
    if alongside and not set(product.polarizations) & set(CO_POLARIZED):
        doubt = "has no image in VV or HH, without which vessels at piers are not told apart: their counts are missing"
        warnings.warn(f"{product.scene.id} {doubt}", ProductWarning, stacklevel=2)
    masks = {"land": plan.land, "water": plan.port.water}
    return coverage(product, plan.waters, plan.params, **masks, in_co_polarized=alongside, tell=tell)


def at_seen(vessels: gpd.GeoDataFrame, seen: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the vessels without those at piers that were not seen: they were found, and none was looked for."""
    return vessels[~vessels["pier"].isin(seen["pier"][seen["seen"] == 0])].reset_index(drop=True)


def _found_alone(product: RadarImage, plan: Plan, window: Window, progress: Bands | None) -> gpd.GeoDataFrame:
    """Return the vessels that a product's image shows by itself."""
    hits = detect(product, plan.params, window=window, progress=progress, land=plan.land, water=plan.port.water)
    vessels = assign_piers(find_vessels(hits, product, plan.params), plan.port.piers)
    return _told_apart_alone(vessels, hits, product, plan) if is_fine(product.scene) else vessels


def is_fine(scene: Scene) -> bool:
    """Return True for a scene whose piers can be looked at: pixels of coarser products are wider than a quay."""
    return scene.product_type in {"GRDH", "MAPH"} and scene.mode != "EW"


def _told_apart_alone(vessels: gpd.GeoDataFrame, hits: Hits, product: RadarImage, plan: Plan) -> gpd.GeoDataFrame:
    """Return a product's vessels with those at piers told apart, by the image alone."""
    plan = plan.shown_by(product.scene.footprint)
    if not plan.alongside:
        return vessels
    try:
        grid = plan.grid
    except PortError as error:
        doubt = "until then its vessels at piers are not told apart"
        warnings.warn(f"{error}; {doubt}", ProductWarning, stacklevel=2)
        return vessels
    image = to_port_grid(product, grid)
    seen = PortImage.of(product, grid)
    maps = port_maps(image, seen, plan.masks, plan.ground_cells, hidden=plan.hidden_cells)
    return _told_apart(vessels, _on_grid(hits, product, seen), maps, seen, plan)


def _on_grid(hits: Hits, product: RadarImage, seen: PortImage) -> Hits:
    """Return a product's hits in rows and columns of the grid."""
    places = np.stack(product.geometry.to_map(hits.line, hits.pixel), axis=-1)
    cells = shapely.get_coordinates(seen.grid.place(shapely.MultiPoint(places)))
    column, row = np.round(cells.reshape(-1, 2)).astype(np.int64).T
    return replace(hits, line=row, pixel=column)


def _told_apart(
    boxes: gpd.GeoDataFrame, hits: Hits, maps: PortMaps | None, seen: PortImage, plan: Plan
) -> gpd.GeoDataFrame:
    """Return vessels in the product's lines and pixels, those at piers by the network where it knows the images."""
    if maps is None:
        return boxes
    found = find_at_piers(maps, *plan.quays)
    at_piers = in_product(table_at_piers(found, hits, seen, plan.port.piers), seen)
    return replace_at_piers(boxes, at_piers, plan.port.piers)


def search_against(reference: xr.Dataset, image: xr.DataArray, product: RadarImage, plan: Plan) -> gpd.GeoDataFrame:
    """Return the vessels of a scene on the port's grid, seen against the empty port: the second pass.

    Raises
    ------
    ReferenceImageError
        The scene cannot be coregistered with the reference, or shares no co-polarised image with it.
    """
    hits, seen = detect_change(image, product, reference, plan.masks, plan.params)
    share = plan.masks.open_water[hits.line, hits.pixel].sum() / max(1, plan.masks.open_water.sum())
    if share > MAX_HIT:
        doubt = f"stands out over {share:.1%} of the open water, as no ships do: interference or heavy rain"
        warnings.warn(f"{product.scene.id} {doubt}; look at its page before its counts", ProductWarning, stacklevel=2)
    boxes = assign_piers(in_product(find_vessels(hits, seen, plan.params), seen), plan.port.piers)
    maps = port_maps(image, seen, plan.masks, plan.ground_cells, reference, hidden=plan.hidden_cells)
    if maps is None and port_maps(image, seen, plan.masks) is not None:
        raise ReferenceImageError(f"{product.scene.id} shares no image in VV or HH with the other dates of its orbit")
    return flag_ambiguities(_viewed(_told_apart(boxes, hits, maps, seen, plan), product), product)


def _viewed(vessels: gpd.GeoDataFrame, product: RadarImage) -> gpd.GeoDataFrame:
    """Return a product's vessels with the angle and direction that they were seen from."""
    place, geometry = (vessels["line"].to_numpy(float), vessels["pixel"].to_numpy(float)), product.geometry
    return vessels.assign(
        incidence_deg=geometry.incidence_deg(*place),
        flight_deg=geometry.heading_deg(*place),
        shift_s=geometry.shift_s(*place),
    )


def in_product(vessels: gpd.GeoDataFrame, image: PortImage) -> gpd.GeoDataFrame:
    """Return vessels on a port's grid in the product's lines and pixels."""
    line, pixel = image.to_product(vessels["line"].to_numpy(float), vessels["pixel"].to_numpy(float))
    time = pd.DatetimeIndex(image.source.time_at(line)).as_unit("ns").tz_localize("UTC")
    return vessels.assign(line=line, pixel=pixel, time=time)


def to_be_read(product: RadarImage, plan: Plan) -> tuple[Window, BaseGeometry] | None:
    """Return the window of each image that both passes read, and the area (x = pixel, y = line) that they need of it.

    Returns
    -------
    tuple or None
        None for nothing. What is read later, by itself, lies within.

    Raises
    ------
    ProductError
        As `search_image`.
    """
    window = _window(product, plan)
    if window is None:
        return None
    reach = reach_of(product, window, plan.params.for_product(product))
    water = plan.port.water
    area = area_of(reach) if water is None else product.geometry.to_image_polygon(water)
    if not is_fine(product.scene) or plan.alongside is None:
        return reach, area
    try:
        cells = pixels_under(product, plan.grid)
    except PortError:  # too large for a grid: it is counted without
        return reach, area
    return Window.around([reach, *parts_of(product.window(), cells)]), shapely.GeometryCollection([area, cells])


def _window(product: RadarImage, plan: Plan) -> Window | None:
    """Return where to search; None where piers are to be counted and the product shows none of them."""
    area = plan.area
    if area is not None and plan.waters and product.geometry.window(area, MAX_VESSEL_M) is None:
        swapped = shapely.transform(area, lambda points: points[:, ::-1].copy())
        if not product.scene.footprint.intersects(swapped):
            return None
    return product.window(area, MAX_VESSEL_M)  # says what is wrong where it does not touch


def _row(product: RadarImage, plan: Plan) -> gpd.GeoDataFrame:
    """Return the scene's row of `schema.SCENES`."""
    scene = product.scene
    row = {
        "scene": scene.id,
        "platform": scene.platform,
        "mode": scene.mode,
        "product_type": scene.product_type,
        "polarizations": " ".join(product.polarizations),
        "start": scene.start,
        "stop": scene.stop,
        "absolute_orbit": scene.absolute_orbit,
        "relative_orbit": scene.relative_orbit,
        "orbit_pass": scene.orbit_pass,
        "has_noise": product.has_noise,
        "land_is_masked": plan.land is not None or plan.port.water is not None,
    }
    return SCENES.of_rows([row], [scene.footprint])
