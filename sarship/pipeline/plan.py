"""Plans of a survey: a port, or an area, and how it is searched; all that results depend on besides the products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sarship._package import __version__
from sarship.change.detection import PortMasks, port_masks
from sarship.detection.params import DetectionParams
from sarship.geo.lakes import Lake, lake_at
from sarship.pipeline.checkpoints import digest
from sarship.port.grid import PortGrid
from sarship.port.port_file import Port

__all__ = ["NO_PORT", "Plan"]

NO_PORT: Final = Port(name="", piers=gpd.GeoDataFrame({"name": [], "kind": [], "max_distance_m": []}, geometry=[]))
"""No piers and no masks: vessels are looked for and not counted."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """A port and how to search it. All geometry is longitude and latitude in degrees."""

    port: Port
    """Piers and masks."""
    params: DetectionParams
    """Settings of the detector."""
    area: BaseGeometry | None
    """The part of each image that is searched; all of it for None."""
    more_land: BaseGeometry | None = None
    """Land to mask besides the port's own."""

    def __getstate__(self) -> dict[str, object]:
        """Return what another process needs: masks it makes itself."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def lake(self) -> Lake | None:
        """The known lake that the port lies on; without a port that of the area."""
        if self.port is NO_PORT:
            return None if self.area is None else lake_at(self.area)
        return self.port.lake

    @property
    def water_level_m(self) -> float:
        """Height of the water over the geoid, which every product is opened at."""
        return self.port.water_level_m if self.lake is None else self.lake.water_level_m

    @cached_property
    def land(self) -> BaseGeometry | None:
        """All that is masked in the image: land and excluded places."""
        return _union(self.port.land_mask, self.more_land)

    @cached_property
    def waters(self) -> Mapping[str, BaseGeometry]:
        """Waters of each pier, by its name."""
        return self.port.pier_waters()

    @cached_property
    def alongside(self) -> BaseGeometry | None:
        """Waters of the piers together, without those of the anchorages."""
        piers = self.port.piers
        return _union(*(self.waters[name] for name in piers["name"][piers["kind"] == "pier"]))

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that the first pass depends on besides the product."""
        piers = self.port.piers
        columns = piers.drop(columns="geometry").to_json(orient="records")
        shapes = _outlines(self.area, self.land, self.port.water, *self.waters.values(), *piers.geometry)
        settings = asdict(replace(self.params, gpu=False))
        return digest([__version__, settings, self.water_level_m, shapes, list(self.waters), columns])

    # ---- the port on its grid, for the second pass

    @cached_property
    def grid(self) -> PortGrid:
        """The port's grid.

        Raises
        ------
        PortError
            When the port is too large for one.
        """
        return PortGrid.around(self.port.area, water_level_m=self.water_level_m)

    @cached_property
    def ground(self) -> BaseGeometry | None:
        """Land, without the places that are only excluded: it is there on every date."""
        return _union(self.port.land, self.more_land)

    @cached_property
    def berths(self) -> BaseGeometry:
        """The piers together; the anchorages where there are no others.

        Collected and not united: a union cuts lines wherever they cross, and a buffer around the thousands of pieces of
        a scribble takes all memory.
        """
        piers = self.port.piers
        return shapely.GeometryCollection(list(piers.geometry[piers["kind"] == "pier"]) or list(piers.geometry))

    @cached_property
    def masks(self) -> PortMasks:
        """Cells of the grid that change detection searches, and those that it measures the sea on."""
        port = self.port
        return port_masks(self.grid, piers=self.berths, land=self.ground, exclude=port.exclude, water=port.water)

    @cached_property
    def ground_cells(self) -> NDArray[np.bool_] | None:
        """Cells of the grid on land, or outside the port's water; None where neither is known."""
        ground = None if self.ground is None else self.grid.covers(self.ground)
        if self.port.water is None:
            return ground
        dry = ~self.grid.covers(self.port.water)
        return dry if ground is None else dry | ground

    @cached_property
    def hidden_cells(self) -> NDArray[np.bool_] | None:
        """Cells of the grid in excluded places; None where there are none."""
        return None if self.port.exclude is None else self.grid.covers(self.port.exclude)

    def shown_by(self, footprint: BaseGeometry) -> Plan:
        """Return the plan of those piers alone that an image shows."""
        shown = self.port.piers[self.port.piers.intersects(footprint)]
        if len(shown) == len(self.port.piers):
            return self
        return replace(self, port=replace(self.port, piers=shown, given_level_m=self.water_level_m))

    @cached_property
    def quays(self) -> tuple[list[BaseGeometry], list[float]]:
        """Piers that are no anchorages, in columns and rows of the grid, and the reach of their waters in metres."""
        piers = self.port.piers[self.port.piers["kind"] == "pier"]
        return [self.grid.place(geometry) for geometry in piers.geometry], piers["max_distance_m"].tolist()

    @cached_property
    def grid_fingerprint(self) -> str:
        """Digest of all that a reference depends on besides its dates."""
        shapes = _outlines(self.ground, self.port.exclude, self.port.water, self.berths)
        return digest([__version__, repr(self.grid), shapes])


def _union(*areas: BaseGeometry | None) -> BaseGeometry | None:
    given = [area for area in areas if area is not None]
    return shapely.union_all(given) if given else None


def _outlines(*areas: BaseGeometry | None) -> list[str]:
    return ["" if area is None else area.wkb_hex for area in areas]
