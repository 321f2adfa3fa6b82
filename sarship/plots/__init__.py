"""Figures: counts and visits over time, a quick look of a port in one scene. The only importer of matplotlib."""

from sarship.plots.counts import plot_counts
from sarship.plots.preview import plot_preview
from sarship.plots.scene import plot_scene
from sarship.plots.style import picture_bytes
from sarship.plots.visits import plot_visits

__all__ = ["picture_bytes", "plot_counts", "plot_preview", "plot_scene", "plot_visits"]
