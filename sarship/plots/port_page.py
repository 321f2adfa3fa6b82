"""Page of a port on one date: the whole of it, and of each pier the image, reference, ratio and count."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from sarship.counts.passes import are_counted
from sarship.plots.local_map import LocalMap, map_of, map_of_grid
from sarship.plots.mapping import (
    Labels,
    draw_frame,
    draw_land,
    draw_piers,
    draw_scale,
    draw_vessels,
    drawn_shapes,
    hulls,
    label_piers,
    vessel_marks,
)
from sarship.plots.style import (
    LAND_TEXT,
    PIER,
    RANGE_DB,
    decibel,
    grey,
    new_figure,
    shorten,
    titled,
    watermark,
)
from sarship.port.grid import PortGrid
from sarship.schema import NOT_COUNTED

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from sarship.model import Hits
    from sarship.port.port_file import Port

__all__ = ["plot_port_page"]

RATIO_DB: Final = 15.0
"""Range of ratios, from minus to plus this."""
DIMMED_DB: Final = 12.0
"""Amount that the image is darkened beneath hits and vessels."""
HIT, LEAD = "#CC79A7", "#d8d8d8"
SURE: Final = 0.995
"""Chance from which a vessel is not in doubt: as text it would be 1.00."""
MIN_M: Final = 500.0
"""Minimum side of a close-up."""
AROUND_M: Final = 120.0
"""Margin around a pier."""
WHOLE, CROP, ROW, GAP, HEAD, FOOT = 6.0, 3.0, 3.35, 0.08, 1.0, 1.75
"""Inches: the width of the whole port's map, the side of a close-up, from one row to the next, between close-ups, and
what is left above and below."""
DPI: Final = 150
"""Dots per inch: those of a hull's sides that lie beside each other must not run together."""
LETTER, LINE = 0.063, 0.12
"""Inches: the width of a letter and the height of a line beside vessels."""


@dataclass(frozen=True, eq=False, slots=True)
class _Date:
    """A date of a port, as all close-ups show it."""

    grid: LocalMap
    pictures: dict[str, tuple[NDArray[np.float64], tuple[float, float], str]]
    """Values in dB, their limits and the colour map, by title."""
    port: Port
    vessels: gpd.GeoDataFrame
    hits: tuple[NDArray[np.float64], NDArray[np.float64]]
    """x and y on the map."""


def plot_port_page(
    image: xr.DataArray,
    port: Port,
    hits: Hits,
    vessels: gpd.GeoDataFrame,
    *,
    expected: NDArray[np.floating] | None = None,
    is_simulated: bool = False,
) -> Figure:
    """Plot one date of a port: the whole of it, and close-ups of each pier, north up.

    Parameters
    ----------
    image
        `sigma0(polarization, y, x)` of the date on the port's grid, from `to_port_grid`; the first polarization is
        drawn.
    port
        Piers, land and water.
    hits
        Lines and pixels are rows and columns of the grid.
    vessels
        `schema.VESSELS`; those of this scene are drawn, each with its length, its chance if it is in doubt, and its
        flag.
    expected
        (y, x) linear power of the empty-port reference on that date, in the first polarization; None if the date was
        counted from the single image, which the page then says.
    is_simulated
        True to mark the figure SIMULATED.

    Returns
    -------
    matplotlib.figure.Figure
        A map, and a row of close-ups for each pier.

    Examples
    --------
    >>> import geopandas as gpd
    >>> import xarray as xr
    >>> from shapely import LineString
    >>> import sarship as ss
    >>> from sarship.schema import VESSELS
    >>> quay = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> piers = gpd.GeoDataFrame(quay, geometry=[LineString([(35.80, 34.90), (35.81, 34.90)])], crs="EPSG:4326")
    >>> port = ss.Port(name="Tartus", piers=piers)
    >>> grid = ss.PortGrid.around(port.area)
    >>> image = xr.DataArray(
    ...     np.full((1, *grid.shape), 0.02),
    ...     {"polarization": ["VV"], "y": grid.y, "x": grid.x, "time": np.datetime64("2024-12-03T15:42", "ns"),
    ...      "scene": "S1A", "relative_orbit": 14},
    ...     ("polarization", "y", "x"),
    ...     attrs=grid.attrs,
    ... )
    >>> plot_port_page(image, port, ss.Hits.empty(), VESSELS.empty()).get_suptitle()
    'Tartus, 2024-12-03 15:42 UTC, relative orbit 14'
    """
    date = _date(image, port, hits, vessels, expected)
    whole = _view(date.grid, map_of(port.piers.union_all()))
    places = list(zip(port.piers["name"], port.piers.geometry, strict=True))
    beside = 1 if len(places) <= 6 else 2
    n_rows = ceil(len(places) / beside)
    block = len(date.pictures) * (CROP + GAP) + 0.25
    tall = WHOLE * whole.height_m / whole.width_m
    size = (WHOLE + 1.1 + beside * block, HEAD + max(n_rows * ROW, tall + FOOT))
    figure = new_figure(size, layout=None)
    figure.set_dpi(DPI)
    shown = _whole(_axes(figure, (0.65, HEAD, WHOLE, tall)), date, whole)
    for number, (name, shape) in enumerate(places):
        column, row = divmod(number, n_rows)
        left, top = WHOLE + 1.0 + column * block, HEAD + row * ROW
        drawn = _close_up(figure, date, (left, top), str(name), shape)
        if row == 0:
            for k, title in enumerate(date.pictures):
                spot = ((left + k * (CROP + GAP)) / size[0], 1 - (HEAD - 0.42) / size[1])
                figure.text(*spot, title, fontsize=8.5, color="#444444")
    _bar(figure, shown, (0.65, HEAD + tall + 0.5), f"sigma0 {image['polarization'].to_numpy()[0]} (dB)")
    if expected is not None and places:
        _bar(figure, drawn["ratio"], (0.75 + WHOLE / 2, HEAD + tall + 0.5), "ratio to the reference (dB)")
    _title(figure, image, port, date, is_simulated=is_simulated, alone=expected is None)
    _legend(figure, (0.55 / size[0], 1 - (HEAD + tall + 1.0) / size[1]))
    if is_simulated:
        watermark(figure)
    return figure


def _date(
    image: xr.DataArray, port: Port, hits: Hits, vessels: gpd.GeoDataFrame, expected: NDArray[np.floating] | None
) -> _Date:
    power, limits = image.to_numpy()[0], RANGE_DB[str(image["polarization"].to_numpy()[0])]
    radar = decibel(power)
    pictures = {"radar": (radar, limits, "grey")}
    if expected is not None:
        pictures["reference"] = (decibel(expected), limits, "grey")
        pictures["ratio"] = (decibel(power / expected), (-RATIO_DB, RATIO_DB), "RdBu_r")
    pictures["hits; vessels: length, chance"] = (radar, (limits[0], limits[1] + DIMMED_DB), "grey")
    here = vessels[vessels["scene"].isin(str(image["scene"].item()).split())]
    spots = image["x"].to_numpy()[hits.pixel], image["y"].to_numpy()[hits.line]
    return _Date(map_of_grid(PortGrid.of(image)), pictures, port, here, spots)


def _axes(figure: Figure, place: tuple[float, float, float, float]) -> Axes:
    """Add axes by their distance from the left and the top, their width and height, in inches."""
    left, top, width, height = place
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _whole(ax: Axes, date: _Date, local: LocalMap) -> AxesImage:
    shown = _picture(ax, date, "radar", local)
    draw_land(ax, local, [date.port.land, date.port.exclude])
    draw_vessels(ax, local, date.vessels)
    draw_piers(ax, local, date.port.piers)
    draw_frame(ax, local)
    label_piers(ax, local, date.port.piers, date.vessels)
    return shown


def _close_up(
    figure: Figure, date: _Date, corner: tuple[float, float], name: str, shape: BaseGeometry
) -> dict[str, AxesImage]:
    """Draw one row: the pier in each picture, beneath its name and count."""
    local = _around(date.grid, shape)
    mine = date.vessels[date.vessels["pier"] == name]
    left, top = corner
    across, down = figure.get_size_inches()
    figure.text(left / across, 1 - (top - 0.06) / down, f"{shorten(name, 40)}: {_count(mine)}", fontsize=10)
    drawn = {}
    for k, title in enumerate(date.pictures):
        ax = _axes(figure, (left + k * (CROP + GAP), top, CROP, CROP))
        drawn[title] = _picture(ax, date, title, local)
        draw_land(ax, local, [date.port.land, date.port.exclude])
        if k > 0:  # the radar's own picture stays uncovered
            draw_piers(ax, local, date.port.piers[date.port.piers["name"] == name], width=0.9)
        ax.set(xlim=local.extent[:2], ylim=local.extent[2:], xticks=[], yticks=[])
        if k == 0:
            draw_scale(ax, local)
    x, y = date.hits
    ax.plot(x, y, "s", color=HIT, ms=600 * CROP / local.width_m, mew=0, alpha=0.55, zorder=2)  # less than a cell
    near = _inside(date.vessels, local)
    draw_vessels(ax, local, near, width=1.0)
    _label_vessels(ax, date, local, near)
    return drawn


def _picture(ax: Axes, date: _Date, title: str, local: LocalMap) -> AxesImage:
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
    part = values[rows, columns]
    colour_map = grey() if colours == "grey" else colours
    return ax.imshow(part, extent=edges, cmap=colour_map, vmin=low, vmax=high, interpolation="nearest")


def _around(grid: LocalMap, shape: BaseGeometry) -> LocalMap:
    """Return a square around a pier, moved if it would reach over the grid."""
    west, south, east, north = grid.plane.flatten_geometry(shape).bounds
    side = max(east - west + 2 * AROUND_M, north - south + 2 * AROUND_M, MIN_M)
    x, y = (west + east) / 2 - side / 2, (south + north) / 2 - side / 2
    x = min(max(x, grid.extent[0]), max(grid.extent[1] - side, grid.extent[0]))
    y = min(max(y, grid.extent[2]), max(grid.extent[3] - side, grid.extent[2]))
    return LocalMap(grid.plane, (x, x + side, y, y + side))


def _view(grid: LocalMap, place: LocalMap) -> LocalMap:
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


def _inside(vessels: gpd.GeoDataFrame, local: LocalMap) -> gpd.GeoDataFrame:
    x, y = local.plane.flatten(vessels["longitude"].to_numpy(), vessels["latitude"].to_numpy())
    west, east, south, north = local.extent
    return vessels[shapely.contains_xy(shapely.box(west, south, east, north), x, y)]


def _count(vessels: gpd.GeoDataFrame) -> str:
    """Return a count, with its interval if that is wider, and the expected number if any vessel is in doubt."""
    vessels = vessels[~vessels["flag"].isin(NOT_COUNTED)]
    n, low, high = int(are_counted(vessels).sum()), int(vessels["n_low"].sum()), int(vessels["n_high"].sum())
    interval = f" ({low} to {high})" if (low, high) != (n, n) else ""
    chances = vessels["confidence"]
    return f"{n}{interval}" + (f", expected {chances.sum():.1f}" if (chances < SURE).any() else "")


def _label_vessels(ax: Axes, date: _Date, local: LocalMap, vessels: gpd.GeoDataFrame) -> None:
    """Write what is known of each vessel beside it, the likeliest first, as long as there is room."""
    vessels = vessels.sort_values("confidence", ascending=False)
    size = LETTER * local.width_m / CROP, LINE * local.width_m / CROP
    labels = Labels(ax, local, size, 7, LEAD, drawn_shapes(local, date.port.piers, vessels))
    for vessel, hull in zip(vessels.itertuples(), hulls(local, vessels), strict=True):
        chance = f", {vessel.confidence:.2f}" if vessel.confidence < SURE else ""
        text = f"{vessel.length_m:.0f} m{chance} {vessel.flag}".strip().replace("_", " ")
        labels.put(text, hull.centroid, is_vital=False)


def _bar(figure: Figure, image: AxesImage, corner: tuple[float, float], label: str) -> None:
    bar = figure.colorbar(image, cax=_axes(figure, (*corner, WHOLE / 2 - 0.25, 0.12)), orientation="horizontal")
    bar.set_label(label, fontsize=8.5)
    bar.ax.tick_params(labelsize=8)


def _title(figure: Figure, image: xr.DataArray, port: Port, date: _Date, *, is_simulated: bool, alone: bool) -> None:
    when = pd.Timestamp(image["time"].item())
    heading = f"{port.name}, {when:%Y-%m-%d %H:%M} UTC, relative orbit {image['relative_orbit'].item()}"
    figure.suptitle(titled(heading, is_simulated), fontsize=13, x=0.012, y=1 - 0.12 / figure.get_figheight(), ha="left")
    counted = date.vessels[are_counted(date.vessels)]
    at_piers = int(counted["pier"].notna().sum())
    said = f"{at_piers} vessels at piers, {len(counted) - at_piers} elsewhere"
    said += "; no reference: counted from this image alone" if alone else ""
    figure.text(0.012, 1 - 0.5 / figure.get_figheight(), said, fontsize=10, color="#444444")


def _legend(figure: Figure, corner: tuple[float, float]) -> None:
    handles = [
        *vessel_marks(),
        Line2D([], [], color=HIT, marker="s", lw=0, ms=5, label="hit"),
        Line2D([], [], color=PIER, lw=2, label="pier: vessels"),
        Line2D([], [], color=LAND_TEXT, lw=1.6, label="land, excluded"),
    ]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=corner, ncols=3, frameon=False, fontsize=8.5)
