"""Ground around a port, as a product's own tie points know it: it tells where the water cannot be at sea level."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from sarship.errors import ProductError, ProductWarning
from sarship.geo.earth import cartesian
from sarship.geo.local_plane import Plane

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sarship.port.port_file import Port
    from sarship.sentinel1.annotation import Annotation
    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["check_water_level", "lowest_ground_m"]

NEAR_M: Final = 50_000.0
"""Distance of the tie points that are looked at. In IW they lie 12 by 18 km apart, so these are some thirty, and at
any coast some of them lie in the sea; at half the distance a fjord has only mountains."""
MIN_POINTS: Final = 4
"""Minimum number of tie points so near: fewer may all lie on hills."""
LOW: Final = 0.05
"""Part of them that may lie lower than the ground does: one in twenty, for a fault of the terrain model."""
FAR_M: Final = 15.0
"""Height over the sea of ground that no sea reaches. In IW it moves a place by 15 to 25 m, half a quay's waters."""


def lowest_ground_m(annotation: Annotation, area: BaseGeometry) -> float:
    """Return the height over sea level of the lowest ground near an area; NaN where the tie points do not tell it.

    They do not where there are too few, or in products of 2015 and before, which have one mean height a line.
    """
    try:
        points = annotation.tie_points()
    except ProductError:
        return math.nan
    lines = np.unique(points["line"]).size
    if np.unique(points[["line", "height_m"]]).size == lines:
        return math.nan
    places = cartesian(points["longitude"], points["latitude"], 0.0)
    middle = cartesian(*Plane.around(area).middle, 0.0)
    heights = points["height_m"][np.linalg.norm(places - middle[:, None], axis=0) < NEAR_M]
    return float(np.quantile(heights, LOW, method="lower")) if heights.size >= MIN_POINTS else math.nan


def check_water_level(product: RadarImage, port: Port) -> None:
    """Warn where a port's level is neither given nor known, and its ground lies far from the sea's.

    Warns
    -----
    ProductWarning
        That its images are placed at sea level, and what to put into the port file.
    """
    if port.given_level_m is not None or port.lake is not None or port.piers.empty or product.annotation is None:
        return  # given, known, or of no account: who laid an image on a map has chosen its heights
    ground = lowest_ground_m(product.annotation, shapely.union_all(list(port.piers.geometry)))
    if abs(ground) > FAR_M:
        side = "over" if ground > 0 else "below"
        warnings.warn(
            f"the lowest ground around {port.name} lies {abs(ground):.0f} m {side} sea level, and its images are "
            "placed as if its water were at sea level; put the height of the water into the port file as "
            "water_level_m, or 0 if it is the sea",
            ProductWarning,
            stacklevel=2,
        )
