from sarship.plots.counts import plot_counts as plot_counts
from sarship.plots.footprints import plot_footprints as plot_footprints
from sarship.plots.port_page import plot_port_page as plot_port_page
from sarship.plots.preview import plot_preview as plot_preview
from sarship.plots.scene import plot_scene as plot_scene
from sarship.plots.style import picture_bytes as picture_bytes
from sarship.plots.visits import plot_visits as plot_visits
