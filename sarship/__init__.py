"""Counts vessels at the piers of a port from Sentinel-1 radar images.

The public names below load on first use, so that `import sarship` stays light and needs no GPU, no compiler
cache and no display.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "DetectionParams": "model",
    "Hits": "model",
    "Scene": "model",
    "SceneQuery": "catalog.query",
    "Window": "model",
    "completeness": "catalog",
    "open_catalog": "catalog",
    "GrdProduct": "sentinel1.product",
    "open_grd": "sentinel1.product",
    "detect": "detection.single_image",
    "PortGrid": "port.grid",
    "detect_change": "change.detection",
    "fit_reference": "change.reference",
    "port_masks": "change.detection",
    "read_reference": "port.stack",
    "read_stack": "port.stack",
    "to_port_grid": "port.grid",
    "write_reference": "port.stack",
    "add_scene": "port.stack",
    "find_vessels": "vessels.find",
    "Port": "port.piers",
    "assign_piers": "port.piers",
    "read_port": "port.piers",
    "count_by_pier": "counts.by_pier",
    "find_visits": "counts.visits",
    "Results": "pipeline.results",
    "read_results": "pipeline.results",
    "survey": "pipeline.first_pass",
    "write_pictures": "pipeline.pictures",
}
"""Where each public name lives."""

__all__ = [
    "DetectionParams",
    "GrdProduct",
    "Hits",
    "Port",
    "PortGrid",
    "Results",
    "Scene",
    "SceneQuery",
    "Window",
    "__version__",
    "add_scene",
    "assign_piers",
    "completeness",
    "count_by_pier",
    "detect",
    "detect_change",
    "find_vessels",
    "find_visits",
    "fit_reference",
    "open_catalog",
    "open_grd",
    "port_masks",
    "read_port",
    "read_reference",
    "read_results",
    "read_stack",
    "survey",
    "to_port_grid",
    "write_pictures",
    "write_reference",
]

if TYPE_CHECKING:
    from sarship.catalog import completeness, open_catalog
    from sarship.catalog.query import SceneQuery
    from sarship.change.detection import detect_change, port_masks
    from sarship.change.reference import fit_reference
    from sarship.counts.by_pier import count_by_pier
    from sarship.counts.visits import find_visits
    from sarship.detection.single_image import detect
    from sarship.model import DetectionParams, Hits, Scene, Window
    from sarship.pipeline.first_pass import survey
    from sarship.pipeline.pictures import write_pictures
    from sarship.pipeline.results import Results, read_results
    from sarship.port.grid import PortGrid, to_port_grid
    from sarship.port.piers import Port, assign_piers, read_port
    from sarship.port.stack import add_scene, read_reference, read_stack, write_reference
    from sarship.sentinel1.product import GrdProduct, open_grd
    from sarship.vessels.find import find_vessels


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'sarship' has no attribute {name!r}")
    return getattr(import_module(f"sarship.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
