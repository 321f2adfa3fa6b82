"""One scene, from its pixels to the table of its vessels: detect, find, assign, flag.

Both passes over the scenes go this way. They differ in where the hits come from: the first takes those of the image
alone, the second those of change detection against the empty port, on the port's grid.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import geopandas as gpd
import pandas as pd
import shapely
import xarray as xr

from sarship.change.cranes import flag_cranes
from sarship.change.detection import detect_change
from sarship.detection.seen import coverage
from sarship.detection.single_image import detect
from sarship.errors import ProductWarning
from sarship.model import Hits, Scene, Window
from sarship.pipeline.checkpoints import Tables
from sarship.pipeline.plan import Plan
from sarship.pipeline.sources import Source
from sarship.port.grid import PortImage
from sarship.schema import SCENES
from sarship.sentinel1.product import GrdProduct
from sarship.vessels.assign import assign_piers
from sarship.vessels.find import find_vessels
from sarship.vessels.flags import doubt_at_piers, flag_ambiguities

__all__ = ["Bands", "SearchedScene", "search_against", "search_image"]

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

    @property
    def shows_a_pier(self) -> bool:
        """True if any of a pier's waters is in the image."""
        return bool(self.coverage["seen"].any())


def search_image(product: GrdProduct, plan: Plan, progress: Bands | None = None) -> Tables:
    """Search a product by its image alone: the first pass.

    Parameters
    ----------
    product
        An open product.
    plan
        What to look for, and where.
    progress
        Called after each band of the image.

    Returns
    -------
    Tables
        With no vessels and nothing seen where it shows none of the piers.

    Raises
    ------
    ProductError
        The product cannot be read, or does not touch the area; with piers, only if it would were they not swapped.
    """
    masks = {"land": plan.land, "water": plan.port.water}
    product.check_polarizations()
    window = _window(product, plan)
    hits = Hits.empty(product.polarizations)
    if window is not None:
        hits = detect(product, plan.params, window=window, progress=progress, **masks)
    return {
        "vessels": _vessels(hits, product, product, plan),
        "scenes": _row(product, plan),
        "coverage": coverage(product, plan.waters, plan.params, **masks),
        "is_simulated": product.container.manifest.is_simulated,
    }


def search_against(reference: xr.Dataset, image: xr.DataArray, product: GrdProduct, plan: Plan) -> gpd.GeoDataFrame:
    """Return the vessels of a scene on the port's grid, seen against the empty port: the second pass.

    Raises
    ------
    ReferenceImageError
        The scene cannot be coregistered with the reference.
    """
    hits, seen = detect_change(image, product, reference, plan.masks, plan.params)
    share = plan.masks.open_water[hits.line, hits.pixel].sum() / max(1, plan.masks.open_water.sum())
    if share > MAX_HIT:
        doubt = f"stands out over {share:.1%} of the open water, as no ships do: interference or heavy rain"
        warnings.warn(f"{product.scene.id} {doubt}; look at its page before its counts", ProductWarning, stacklevel=2)
    port = {"masks": plan.masks, "piers": plan.port.piers, "land": plan.ground}
    cranes = partial(flag_cranes, hits=hits, seen=seen, image=image, reference=reference, **port)
    return _vessels(hits, seen, product, plan, cranes)


def _vessels(
    hits: Hits,
    image: GrdProduct | PortImage,
    product: GrdProduct,
    plan: Plan,
    flag_more: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame] = lambda vessels: vessels,
) -> gpd.GeoDataFrame:
    """Return the vessels of hits, at their piers and with their flags; lines and pixels are the product's."""
    vessels = find_vessels(hits, image, plan.params, piers=plan.alongside)
    if isinstance(image, PortImage):
        line, pixel = image.to_product(vessels["line"], vessels["pixel"])
        time = pd.DatetimeIndex(product.geometry.time_at(line)).as_unit("ns").tz_localize("UTC")
        vessels = vessels.assign(line=line, pixel=pixel, time=time)
    vessels = flag_more(assign_piers(vessels, plan.port.piers))
    return doubt_at_piers(flag_ambiguities(vessels, product))


def _window(product: GrdProduct, plan: Plan) -> Window | None:
    """Return where to search; None where piers are to be counted and the product shows none of them."""
    area = plan.area
    if area is not None and plan.waters and product.geometry.window(area, MAX_VESSEL_M) is None:
        swapped = shapely.transform(area, lambda points: points[:, ::-1].copy())
        if not product.scene.footprint.intersects(swapped):
            return None
    return product.window(area, MAX_VESSEL_M)  # says what is wrong where it does not touch


def _row(product: GrdProduct, plan: Plan) -> gpd.GeoDataFrame:
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
    return SCENES.make({name: [value] for name, value in row.items()}, [scene.footprint])
