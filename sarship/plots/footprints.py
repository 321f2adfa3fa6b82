"""Footprints of the scenes of a search, with the port among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from sarship.geo import has_shoreline, land_near
from sarship.plots.local_map import LocalMap, map_of
from sarship.plots.mapping import draw_frame
from sarship.plots.style import GREY, TRACKS, VESSEL, finished, literal, new_figure
from sarship.port.index import port_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

    from sarship.model import Scene

__all__ = ["plot_footprints"]

_SEA: Final = "#eef2f5"
_LAND: Final = "#e3e0d6"
_SHORE: Final = "#8c8776"
_PIXELS: Final = 2000
"""Pixels along the map's longer side, roughly: finer detail of the shore is not drawn."""
_N_NAMES: Final = 8
"""Maximum number of ports whose names are written."""


def plot_footprints(scenes: Sequence[Scene], area: BaseGeometry, name: str) -> Figure:
    """Plot footprints of scenes, north up, one colour a track, with the place that was searched and the ports around.

    Land is drawn where the shoreline of the world is installed (`sarship.geo.has_shoreline`).

    Parameters
    ----------
    scenes
        Scenes that were found; may be none.
    area
        Outline of the place, longitude and latitude in degrees.
    name
        Name of the place.

    Returns
    -------
    matplotlib.figure.Figure
        A map.

    Examples
    --------
    >>> figure = plot_footprints([], shapely.box(35.80, 34.88, 35.90, 34.94), "Tartus")
    >>> figure.axes[0].get_title(loc="left")
    'Tartus: 0 scenes'
    """
    local = map_of(shapely.union_all([area, *(scene.footprint for scene in scenes)]))
    figure = new_figure((8.6, 7.6 * local.height_m / local.width_m + 1.4))
    ax = figure.subplots()
    ax.set_facecolor(_SEA)
    if has_shoreline():
        _draw_land(ax, local)
    tracks = sorted({(scene.relative_orbit, scene.orbit_pass) for scene in scenes})
    handles = []
    for k, track in enumerate(tracks):
        colour = TRACKS[k % len(TRACKS)]
        own = [scene for scene in scenes if (scene.relative_orbit, scene.orbit_pass) == track]
        for scene in own:
            _draw_footprint(ax, local, scene.footprint, colour)
        text = f"orbit {track[0]} {track[1]}: {len(own)} scene{'s'[: len(own) != 1]}"
        handles.append(Line2D([], [], color=colour, lw=2, label=text))
    if _draw_ports(ax, local):
        handles.append(Line2D([], [], color=GREY, marker=".", lw=0, label="ports"))
    _draw_place(ax, local, area, name)
    draw_frame(ax, local)
    times = sorted(scene.start for scene in scenes)
    period = f", {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}" if times else ""
    ax.set_title(f"{literal(name)}: {len(scenes)} scene{'s'[: len(scenes) != 1]}{period}", loc="left", fontsize=11)
    return finished(figure, handles, is_simulated=False)


def _draw_land(ax: Axes, local: LocalMap) -> None:
    west, east, south, north = local.extent
    frame = shapely.segmentize(shapely.box(west, south, east, north), max(local.width_m, local.height_m) / 50)
    flat = local.plane.flatten_geometry(land_near(local.plane.raise_geometry(frame), margin_m=0.0))
    for part in shapely.get_parts(shapely.simplify(flat, max(local.width_m, local.height_m) / _PIXELS)):
        rings = [np.asarray(ring.coords) for ring in (part.exterior, *part.interiors)]
        ax.add_patch(PathPatch(Path.make_compound_path(*map(Path, rings)), fc=_LAND, ec=_SHORE, lw=0.4, zorder=0.5))


def _draw_footprint(ax: Axes, local: LocalMap, footprint: BaseGeometry, colour: str) -> None:
    flat = local.plane.flatten_geometry(shapely.segmentize(footprint, 0.1))
    for part in shapely.get_parts(flat):
        x, y = part.exterior.coords.xy
        ax.fill(x, y, color=colour, alpha=0.05, lw=0)
        ax.plot(x, y, color=colour, lw=1.0, alpha=0.7)


def _draw_ports(ax: Axes, local: LocalMap) -> bool:
    """Draw the ports of the packaged index, which show the coast; name some of them. False if there is none."""
    west, east, south, north = local.extent
    entries = port_index()
    x, y = local.plane.flatten([port.longitude for port in entries], [port.latitude for port in entries])
    inside = np.flatnonzero((x > west) & (x < east) & (y > south) & (y < north))
    ax.plot(x[inside], y[inside], ".", color=GREY, ms=5, zorder=3)
    named: list[tuple[float, float]] = [(0.0, 0.0)]
    apart = max(east - west, north - south) / 9
    for k in inside:
        if len(named) > _N_NAMES or min(np.hypot(x[k] - a, y[k] - b) for a, b in named) < apart:
            continue
        named.append((float(x[k]), float(y[k])))
        near_edge = x[k] > east - 1.5 * apart
        ax.annotate(
            entries[k].name,
            (x[k], y[k]),
            (-4 if near_edge else 4, 3),
            textcoords="offset points",
            fontsize=7.5,
            color="#555555",
            ha="right" if near_edge else "left",
            path_effects=[withStroke(linewidth=2, foreground="white")],
            zorder=4,
        )
    return bool(inside.size)


def _draw_place(ax: Axes, local: LocalMap, area: BaseGeometry, name: str) -> None:
    middle = local.plane.flatten_geometry(area).centroid
    for x, y in local.lines(area):
        ax.plot(x, y, color=VESSEL, lw=1.4, zorder=5)
    ax.plot(middle.x, middle.y, "*", color=VESSEL, ms=13, mec="black", mew=0.6, zorder=6)
    ax.annotate(
        literal(name),
        (middle.x, middle.y),
        (9, 7),
        textcoords="offset points",
        fontsize=10,
        fontweight="bold",
        path_effects=[withStroke(linewidth=3, foreground="white")],
        zorder=7,
    )
