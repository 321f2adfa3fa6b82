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
    "SceneQuery": "query",
    "Window": "model",
    "completeness": "catalog",
    "open_catalog": "catalog",
    "GrdProduct": "grd",
    "open_grd": "grd",
    "detect": "detection",
    "PortGrid": "portgrid",
    "detect_over_time": "overtime",
    "fit_backdrop": "backdrop",
    "port_masks": "overtime",
    "read_backdrop": "stack",
    "read_stack": "stack",
    "to_port_grid": "portgrid",
    "write_backdrop": "stack",
    "add_scene": "stack",
    "find_vessels": "vessels",
    "Port": "piers",
    "assign_piers": "piers",
    "read_port": "piers",
    "count_by_pier": "series",
    "find_visits": "visits",
    "Results": "results",
    "read_results": "results",
    "survey": "pipeline",
    "write_pictures": "pictures",
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
    "detect_over_time",
    "find_vessels",
    "find_visits",
    "fit_backdrop",
    "open_catalog",
    "open_grd",
    "port_masks",
    "read_backdrop",
    "read_port",
    "read_results",
    "read_stack",
    "survey",
    "to_port_grid",
    "write_backdrop",
    "write_pictures",
]

if TYPE_CHECKING:
    from sarship.backdrop import fit_backdrop
    from sarship.catalog import completeness, open_catalog
    from sarship.detection import detect
    from sarship.grd import GrdProduct, open_grd
    from sarship.model import DetectionParams, Hits, Scene, Window
    from sarship.overtime import detect_over_time, port_masks
    from sarship.pictures import write_pictures
    from sarship.piers import Port, assign_piers, read_port
    from sarship.pipeline import survey
    from sarship.portgrid import PortGrid, to_port_grid
    from sarship.query import SceneQuery
    from sarship.results import Results, read_results
    from sarship.series import count_by_pier
    from sarship.stack import add_scene, read_backdrop, read_stack, write_backdrop
    from sarship.vessels import find_vessels
    from sarship.visits import find_visits


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'sarship' has no attribute {name!r}")
    return getattr(import_module(f"sarship.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
