"""Close-ups of a port's piers on one date: image, empty-port reference, their ratio, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage

from sarship.plots.local_map import LocalMap, map_of_grid
from sarship.plots.mapping import (
    Labels,
    draw_land,
    draw_left,
    draw_piers,
    draw_scale,
    draw_vessels,
    drawn_shapes,
    hulls,
)
from sarship.plots.pier_states import SURE, PierState, pier_states
from sarship.plots.style import DARK, RANGE_DB, UNSEEN, decibel, grey
from sarship.port.grid import PortGrid
from sarship.schema import VISITS

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from sarship.model import Hits
    from sarship.port.port_file import Port

__all__ = ["HIT", "RATIO", "PortDate", "draw_close_up", "draw_picture", "part_of", "port_date"]

RATIO: Final = "ratio to the empty port"
FOUND: Final = "found: length, chance"
RATIO_DB: Final = 15.0
"""Range of ratios, from minus to plus this."""
DIMMED_DB: Final = 12.0
"""Amount that the image is darkened beneath hits and vessels."""
HIT, LEAD = "#CC79A7", "#d8d8d8"
MIN_M: Final = 500.0
"""Minimum side of a close-up."""
AROUND_M: Final = 120.0
"""Margin around a pier."""
LETTER, LINE = 0.063, 0.12
"""Inches: the width of a letter and the height of a line beside vessels."""


class Picture(NamedTuple):
    """Values on the port's grid, and how they are drawn."""

    values: NDArray[np.float64]
    """(y, x), dB."""
    limits: tuple[float, float]
    colours: Colormap


@dataclass(frozen=True, eq=False, slots=True)
class PortDate:
    """A date of a port, as its pages show it."""

    grid: LocalMap
    bands: tuple[str, ...]
    """Polarizations with an image."""
    pictures: dict[str, Picture]
    """By title; the polarizations first."""
    port: Port
    vessels: gpd.GeoDataFrame
    """Those of the scene."""
    visits: gpd.GeoDataFrame
    """Those of the pass."""
    hits: tuple[NDArray[np.float64], NDArray[np.float64]]
    """x and y on the map."""
    states: dict[str, PierState]

    @property
    def imaged(self) -> list[str]:
        """Names of the piers that the scene shows, in whole or in part."""
        return [name for name, state in self.states.items() if state.seen > 0]


def port_date(
    image: xr.DataArray,
    port: Port,
    hits: Hits,
    vessels: gpd.GeoDataFrame,
    *,
    expected: NDArray[np.floating] | None,
    coverage: gpd.GeoDataFrame | None,
    visits: gpd.GeoDataFrame | None,
) -> PortDate:
    """Put together what the pages of a date show, from the arguments of `plot_port_page`."""
    names = [str(name) for name in image["polarization"].to_numpy()]
    radar = {name: decibel(power) for name, power in zip(names, image.to_numpy(), strict=True)}
    first = names[0]
    radar = {name: values for name, values in radar.items() if name == first or np.isfinite(values).any()}
    pictures = {name: Picture(values, RANGE_DB[name], grey()) for name, values in radar.items()}
    limits = RANGE_DB[first]
    if expected is not None:
        pictures[f"empty port, {first}"] = Picture(decibel(expected), limits, grey())
        colours = colormaps["RdBu_r"].with_extremes(bad=UNSEEN)
        pictures[RATIO] = Picture(radar[first] - decibel(expected), (-RATIO_DB, RATIO_DB), colours)
    pictures[FOUND] = Picture(radar[first], (limits[0], limits[1] + DIMMED_DB), grey())
    scenes = str(image["scene"].item()).split()
    here = vessels[vessels["scene"].isin(scenes)]
    shown = None if coverage is None else coverage[coverage["scene"].isin(scenes)]
    return PortDate(
        grid=map_of_grid(PortGrid.of(image)),
        bands=tuple(radar),
        pictures=pictures,
        port=port,
        vessels=here,
        visits=VISITS.empty() if visits is None else visits,
        hits=(image["x"].to_numpy()[hits.pixel], image["y"].to_numpy()[hits.line]),
        states=pier_states(port.piers["name"], here, shown, visits),
    )


def draw_close_up(ax: Axes, date: PortDate, title: str, name: str, shape: BaseGeometry) -> AxesImage:
    """Draw one picture of a pier."""
    local = _around(date.grid, shape)
    ax.set_label(f"{name}: {title}")
    shown = draw_picture(ax, date, title, local)
    draw_land(ax, local, [date.port.land, date.port.exclude], width=0.6)
    if title not in date.bands:  # the radar's own pictures stay uncovered
        draw_piers(ax, local, date.port.piers[date.port.piers["name"] == name], width=0.9)
    if title == FOUND:
        x, y = date.hits
        size = 600 * _inches(ax) / local.width_m  # less than a cell
        ax.plot(x, y, "s", color=HIT, ms=size, mew=0, alpha=0.55, zorder=2)
        near = _inside(date.vessels, local)
        draw_vessels(ax, local, near, width=1.0)
        left = _inside(date.visits[date.visits["status"] == "left"], local)
        draw_left(ax, local, left)
        _label_vessels(ax, date, local, near, left)
    ax.set(xlim=local.extent[:2], ylim=local.extent[2:], xticks=[], yticks=[])
    ax.set_xlabel(title, fontsize=8, color=DARK, loc="left", labelpad=2)
    if title == date.bands[0]:
        draw_scale(ax, local)
    return shown


def draw_picture(ax: Axes, date: PortDate, title: str, local: LocalMap) -> AxesImage:
    """Draw the part of a picture that lies on a map, cell by cell."""
    values, (low, high), colours = date.pictures[title]
    west, east, _, north = date.grid.extent
    n_rows, n_columns = values.shape
    cell = (east - west) / n_columns
    columns = slice(max(0, int((local.extent[0] - west) / cell)), min(n_columns, ceil((local.extent[1] - west) / cell)))
    rows = slice(max(0, int((north - local.extent[3]) / cell)), min(n_rows, ceil((north - local.extent[2]) / cell)))
    edges = (
        west + columns.start * cell,
        west + columns.stop * cell,
        north - rows.stop * cell,
        north - rows.start * cell,
    )
    options: dict[str, Any] = {"cmap": colours, "vmin": low, "vmax": high, "interpolation": "nearest"}
    return ax.imshow(values[rows, columns], extent=edges, **options)


def part_of(grid: LocalMap, place: LocalMap) -> LocalMap:
    """Return the part of the grid's map that shows the place."""
    west, east, south, north = place.extent
    corners = place.unproject(np.array([west, west, east, east]), np.array([south, north, south, north]))
    x, y = grid.plane.flatten(*corners)
    whole = grid.extent
    extent = (
        max(float(x.min()), whole[0]),
        min(float(x.max()), whole[1]),
        max(float(y.min()), whole[2]),
        min(float(y.max()), whole[3]),
    )
    return LocalMap(grid.plane, extent)


def _around(grid: LocalMap, shape: BaseGeometry) -> LocalMap:
    """Return a square around a pier, moved if it would reach over the grid."""
    west, south, east, north = grid.plane.flatten_geometry(shape).bounds
    side = max(east - west + 2 * AROUND_M, north - south + 2 * AROUND_M, MIN_M)
    x, y = (west + east) / 2 - side / 2, (south + north) / 2 - side / 2
    x = min(max(x, grid.extent[0]), max(grid.extent[1] - side, grid.extent[0]))
    y = min(max(y, grid.extent[2]), max(grid.extent[3] - side, grid.extent[2]))
    return LocalMap(grid.plane, (x, x + side, y, y + side))


def _inches(ax: Axes) -> float:
    """Return the width of axes that were placed by hand."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return float(ax.get_position().width * figure.get_figwidth())


def _inside(places: gpd.GeoDataFrame, local: LocalMap) -> gpd.GeoDataFrame:
    x, y = local.plane.flatten(places["longitude"].to_numpy(), places["latitude"].to_numpy())
    west, east, south, north = local.extent
    return places[shapely.contains_xy(shapely.box(west, south, east, north), x, y)]


def _label_vessels(ax: Axes, date: PortDate, local: LocalMap, near: gpd.GeoDataFrame, left: gpd.GeoDataFrame) -> None:
    """Write what is known of each vessel beside it, the likeliest first, as long as there is room."""
    vessels = near.sort_values("confidence", ascending=False)
    inches = _inches(ax)
    arrived = set(date.visits["vessel"][date.visits["status"] == "arrived"])
    size = LETTER * local.width_m / inches, LINE * local.width_m / inches
    labels = Labels(ax, local, size, 7, LEAD, drawn_shapes(local, date.port.piers, vessels))
    for vessel, hull in zip(vessels.itertuples(), hulls(local, vessels), strict=True):
        chance = f", {vessel.confidence:.2f}" if vessel.confidence < SURE else ""
        what = ", arrived" * (vessel.vessel in arrived)
        text = f"{vessel.length_m:.0f} m{chance} {vessel.flag}".strip().replace("_", " ") + what
        labels.put(text, hull.centroid, is_vital=False)
    for x, y in zip(*local.plane.flatten(left["longitude"].to_numpy(), left["latitude"].to_numpy()), strict=True):
        labels.put("left", shapely.Point(x, y), is_vital=False)
