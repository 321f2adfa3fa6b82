"""A port on one date, step by step: as the radar saw it, as it looks empty, their ratio, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from sarship.localmap import LocalMap, map_of, map_of_grid
from sarship.passes import are_counted
from sarship.plots.mapping import draw_frame, draw_land, draw_piers, draw_vessels, label_piers
from sarship.plots.style import (
    LAND_TEXT,
    PIER,
    RANGE_DB,
    VESSEL,
    colour_bar,
    decibel,
    grey,
    new_figure,
    titled,
    watermark,
)
from sarship.portgrid import PortGrid

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr
    from numpy.typing import NDArray

    from sarship.model import Hits
    from sarship.piers import Port

__all__ = ["plot_port_page"]

RATIO_DB: Final = 15.0
"""Ratios are drawn from minus to plus this."""
HIT: Final = "#CC79A7"
MOST_LABELS: Final = 60
"""More vessels than this are drawn without their lengths, which nobody could read."""


def plot_port_page(
    image: xr.DataArray,
    port: Port,
    hits: Hits,
    vessels: gpd.GeoDataFrame,
    *,
    expected: NDArray[np.floating] | None = None,
    is_simulated: bool = False,
) -> Figure:
    """One date of a port in four pictures of the same place, north up.

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
        `schema.VESSELS`; those of this scene are drawn, each with its length in metres and its flag.
    expected
        What the empty port would show that day in the first polarization, (y, x); None where the date was counted from
        the single image, which the page then says.
    is_simulated
        Whether to mark the figure as SIMULATED.
    """
    grid_map, local = map_of_grid(PortGrid.of(image)), map_of(port.piers.union_all())
    local = _view(grid_map, local)
    polarization = str(image["polarization"].to_numpy()[0])
    power = image.to_numpy()[0]
    here = vessels[vessels["scene"].isin(str(image["scene"].item()).split())]
    figure = new_figure((12.0, 9.4 * local.height_m / local.width_m + 1.8))  # each map is 5.3 wide
    axes = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    limits = RANGE_DB[polarization]
    shown = _picture(axes[0], grid_map, decibel(power), limits, f"as the radar saw it, sigma0 {polarization}")
    colour_bar(figure, shown, [axes[1], axes[3]], "dB", shrink=0.5)
    if expected is None:
        for ax in axes[1:3]:
            ax.text(0.5, 0.5, "no backdrop:\ncounted from this image alone", ha="center", transform=ax.transAxes)
    else:
        _picture(axes[1], grid_map, decibel(expected), limits, "the empty port on that day (backdrop)")
        ratio = _picture(
            axes[2], grid_map, decibel(power / expected), (-RATIO_DB, RATIO_DB), "the first over the second"
        )
        ratio.set_cmap("RdBu_r")
        colour_bar(figure, ratio, [axes[2]], "dB", shrink=0.5)
    _picture(axes[3], grid_map, decibel(power), limits, _sum(here))
    _draw_hits(axes[3], grid_map, image, hits)
    draw_vessels(axes[3], local, here)
    _label_vessels(axes[3], local, here)
    for ax in axes:
        draw_land(ax, local, [port.land, port.exclude])
        draw_piers(ax, local, port.piers)
        draw_frame(ax, local)
    label_piers(axes[0], local, port.piers, here)
    when = pd.Timestamp(image["time"].item())
    heading = f"{port.name}, {when:%Y-%m-%d %H:%M} UTC, relative orbit {image['relative_orbit'].item()}"
    figure.suptitle(titled(heading, is_simulated), fontsize=13, x=0.01, ha="left")
    handles = [
        Line2D([], [], color=VESSEL, lw=1.6, label="vessel at a pier, length in m"),
        Line2D([], [], color="#9a9a9a", lw=1.2, ls=(0, (2, 1)), label="elsewhere, or not counted"),
        Line2D([], [], color=HIT, marker="s", lw=0, ms=5, label="hit"),
        Line2D([], [], color=PIER, lw=2, label="pier: vessels"),
        Line2D([], [], color=LAND_TEXT, lw=1.6, label="land, excluded"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    if is_simulated:
        watermark(figure)
    return figure


def _view(grid_map: LocalMap, place: LocalMap) -> LocalMap:
    """The part of the grid's map that shows the place."""
    west, east, south, north = place.extent
    corners = place.unproject(np.array([west, west, east, east]), np.array([south, north, south, north]))
    x, y = grid_map.plane.flatten(*corners)
    whole = grid_map.extent
    extent = (
        max(float(x.min()), whole[0]),
        min(float(x.max()), whole[1]),
        max(float(y.min()), whole[2]),
        min(float(y.max()), whole[3]),
    )
    return LocalMap(grid_map.plane, extent)


def _picture(
    ax: Axes, grid_map: LocalMap, values: NDArray[np.float64], limits: Sequence[float], title: str
) -> AxesImage:
    ax.set_title(title, loc="left", fontsize=10)
    return ax.imshow(
        values, extent=grid_map.extent, cmap=grey(), vmin=limits[0], vmax=limits[1], interpolation="nearest"
    )


def _sum(vessels: gpd.GeoDataFrame) -> str:
    counted = vessels[are_counted(vessels)]
    at_piers = int(counted["pier"].notna().sum())
    return f"hits and vessels: {at_piers} at piers, {len(counted) - at_piers} elsewhere"


def _draw_hits(ax: Axes, grid_map: LocalMap, image: xr.DataArray, hits: Hits) -> None:
    y, x = image["y"].to_numpy(), image["x"].to_numpy()
    west, east = grid_map.extent[:2]
    size = 300.0 * 72 * (x[1] - x[0]) / (east - west) / 40  # points: about one cell wide at the usual size
    ax.plot(x[hits.pixel], y[hits.line], "s", color=HIT, ms=size, mew=0, alpha=0.55, zorder=2)


def _label_vessels(ax: Axes, local: LocalMap, vessels: gpd.GeoDataFrame) -> None:
    if len(vessels) > MOST_LABELS:
        return
    x, y = local.plane.flatten(vessels["longitude"].to_numpy(), vessels["latitude"].to_numpy())
    west, east, south, north = local.extent
    for k, vessel in enumerate(vessels.itertuples()):
        if west < x[k] < east and south < y[k] < north:
            ax.annotate(
                f"{vessel.length_m:.0f}",
                (x[k], y[k]),
                (5, 4),
                textcoords="offset points",
                fontsize=7,
                color="white",
                path_effects=[withStroke(linewidth=2, foreground="#202020")],
                zorder=6,
            )
