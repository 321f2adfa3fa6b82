"""Figures: counts and visits over time, a port in one scene and step by step, where scenes lie.

The only importer of matplotlib.
"""

from sarship.plots.counts import plot_counts
from sarship.plots.footprints import plot_footprints
from sarship.plots.port_page import plot_port_page
from sarship.plots.preview import plot_preview
from sarship.plots.scene import plot_scene
from sarship.plots.style import picture_bytes
from sarship.plots.visits import plot_visits

__all__ = [
    "picture_bytes",
    "plot_counts",
    "plot_footprints",
    "plot_port_page",
    "plot_preview",
    "plot_scene",
    "plot_visits",
]
