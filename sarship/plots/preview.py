"""Preview of a port file: its piers over the mean of some dates, to be corrected before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sarship.plots.local_map import map_of_grid
from sarship.plots.mapping import draw_frame, draw_land, draw_piers, draw_radar, draw_reach, label_piers
from sarship.plots.style import LAND_TEXT, PIER, UNSEEN, finished, new_figure, titled
from sarship.port.grid import PortGrid
from sarship.schema import VESSELS

if TYPE_CHECKING:
    import xarray as xr

    from sarship.port.port_file import Port

__all__ = ["plot_preview"]


def plot_preview(stack: xr.Dataset, port: Port, *, is_simulated: bool = False) -> Figure:
    """Plot piers with their waters, aprons, land and anchorages over the mean brightness of some dates, north up.

    Parameters
    ----------
    stack
        `sigma0(time, polarization, y, x)` on the port's grid, from `read_stack`; the first polarization is drawn.
    port
        Piers, aprons, land and water.
    is_simulated
        True to mark the figure SIMULATED.

    Returns
    -------
    matplotlib.figure.Figure
        A map.

    Examples
    --------
    >>> import geopandas as gpd
    >>> import xarray as xr
    >>> from shapely import LineString
    >>> import sarship as ss
    >>> quay = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> piers = gpd.GeoDataFrame(quay, geometry=[LineString([(35.80, 34.90), (35.81, 34.90)])], crs="EPSG:4326")
    >>> port = ss.Port(name="Tartus", piers=piers)
    >>> grid = ss.PortGrid.around(port.area)
    >>> stack = xr.Dataset(
    ...     {"sigma0": (("time", "polarization", "y", "x"), np.full((1, 1, *grid.shape), 0.02))},
    ...     {"time": pd.to_datetime(["2024-12-03"]), "polarization": ["VV"], "relative_orbit": ("time", [14])},
    ...     attrs=grid.attrs,
    ... )
    >>> plot_preview(stack, port).axes[0].get_title(loc="left").splitlines()
    ['Tartus: piers over the mean of 1 date', 'relative orbit 14']
    """
    local = map_of_grid(PortGrid.of(stack))
    polarization = str(stack["polarization"].to_numpy()[0])
    figure = new_figure((9.6, 8.0 * local.height_m / local.width_m + 1.5))
    ax = figure.subplots()
    power = stack["sigma0"].sel(polarization=polarization).mean("time", skipna=True).to_numpy()
    draw_radar(ax, local, power, polarization, "mean sigma0")
    draw_land(ax, local, [port.land, port.exclude])
    draw_reach(ax, local, list(port.pier_waters().values()))
    places = pd.concat([port.piers, port.aprons])
    draw_piers(ax, local, places)
    label_piers(ax, local, places, vessels=VESSELS.empty(), texts={}, inches=8.0)
    draw_frame(ax, local)
    times = pd.DatetimeIndex(stack["time"].to_numpy())
    dates = f"{len(times)} dates, {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}" if len(times) > 1 else "1 date"
    orbits = ", ".join(map(str, np.unique(stack["relative_orbit"].to_numpy())))
    heading = titled(f"{port.name}: piers over the mean of {dates}", is_simulated)
    ax.set_title(f"{heading}\nrelative orbit {orbits}", loc="left", fontsize=11)
    handles = [
        Line2D([], [], color=PIER, lw=2, label="pier, anchorage, apron"),
        Line2D([], [], color=PIER, lw=1, ls=":", label="waters counted there"),
        Line2D([], [], color=LAND_TEXT, lw=1.6, label="land, excluded"),
        Patch(color=UNSEEN, label="not imaged"),
    ]
    return finished(figure, handles, is_simulated=is_simulated, ncols=4)
