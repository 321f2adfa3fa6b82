"""Visits of vessels to piers over time: arrivals and departures, a lane a vessel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from sarship.plots.style import GREY, date_axis, new_figure, shorten, titled, watermark

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr

__all__ = ["plot_visits"]

CLASSES: Final = ((50.0, "#56B4E9", "under 50 m"), (100.0, "#009E73", "50–100 m"), (np.inf, "#D55E00", "over 100 m"))
"""Upper end, colour and name of the classes of length."""
LANE_INCHES: Final = 0.13


def plot_visits(visits: gpd.GeoDataFrame, counts: xr.Dataset, *, title: str = "", is_simulated: bool = False) -> Figure:
    """Plot every vessel's visit as a bar in a lane, a band of lanes for each pier.

    A bar goes from the first to the last pass that showed the vessel. A triangle at its left end is an arrival: the
    pass before saw the pier without it. A bar at its right end is a departure, and the thin line beyond reaches to the
    pass that found it gone. Ends without a mark are not known. A grey cross is a pass that did not see the pier.

    Parameters
    ----------
    visits
        `schema.VISITS`, from `find_visits`.
    counts
        `schema.COUNTS` of the same tables, for the times, the piers and the passes that did not see one.
    title
        Heading, such as the name of the port.
    is_simulated
        True to mark the figure SIMULATED.

    Returns
    -------
    matplotlib.figure.Figure
        One axes with all piers, the first on top.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from sarship.schema import VISITS
    >>> counts = xr.Dataset(
    ...     {"n_vessels": (("time", "pier"), [[2.0, 0.0], [3.0, np.nan]])},
    ...     {"time": pd.to_datetime(["2024-12-03", "2024-12-15"]), "pier": ["North quay", "Mole"]},
    ... )
    >>> figure = plot_visits(VISITS.empty(), counts)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['North quay', 'Mole']
    """
    piers = [str(name) for name in counts["pier"].to_numpy()]
    stays = [_lanes(_stays(visits[visits["pier"] == name])) for name in piers]
    sizes = [max(2, 1 + int(frame["lane"].max())) if len(frame) else 2 for frame in stays]
    base = np.concatenate([[0], np.cumsum(np.array(sizes[::-1]) + 1)])[::-1]  # the first pier on top, a lane between
    figure = new_figure((9.5, 1.8 + LANE_INCHES * base[0]))
    ax = figure.subplots()
    times = pd.DatetimeIndex(counts["time"].to_numpy())
    for name, frame, lowest in zip(piers, stays, base[1:], strict=True):
        _draw(ax, frame.assign(lane=frame["lane"] + lowest))
        unseen = times[np.isnan(counts["n_vessels"].sel(pier=name).to_numpy().astype(float))]
        ax.plot(unseen, np.full(len(unseen), lowest), "x", color=GREY, ms=4)
        ax.axhline(lowest - 1, color="#cccccc", lw=0.8)
    ax.set_ylim(-1, base[0] - 1)
    ax.set_yticks(base[1:] + (np.array(sizes) - 1) / 2, [shorten(name, 26) for name in piers])
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    date_axis(ax, times, 8)
    figure.suptitle(titled(title, is_simulated), fontsize=12, x=0.01, ha="left")
    handles = [Line2D([], [], color=colour, lw=4, label=label) for _, colour, label in CLASSES]
    handles += [
        Line2D([], [], color="black", marker=">", lw=0, ms=5, label="arrived"),
        Line2D([], [], color="black", marker="|", lw=0, ms=8, mew=2, label="last seen, then left"),
        Line2D([], [], color=GREY, marker="x", lw=0, ms=5, label="not seen"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8.5)
    if is_simulated:
        watermark(figure)
    return figure


def _stays(visits: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return one row a visit: first and last time seen, time found gone, median length."""
    visits = visits.assign(time=visits["time"].dt.tz_localize(None))
    there = visits[visits["status"] != "left"].groupby("visit")
    gone = visits[visits["status"] == "left"].set_index("visit")["time"]
    frame = pd.DataFrame(
        {
            "start": there["time"].min(),
            "stop": there["time"].max(),
            "has_arrived": there["status"].first() == "arrived",
            "length_m": there["length_m"].median(),
        }
    )
    frame["gone"] = gone.reindex(frame.index)
    return frame.sort_values(["start", "length_m"], ascending=[True, False])


def _lanes(stays: pd.DataFrame) -> pd.DataFrame:
    """Return the stays with the lowest lane that is free from their start to the pass that found them gone."""
    start, until = stays["start"].to_numpy(), stays["gone"].fillna(stays["stop"]).to_numpy()
    lanes = np.zeros(len(stays), np.int64)
    for k in range(len(stays)):
        busy = set(lanes[:k][until[:k] >= start[k]].tolist())
        lanes[k] = min(set(range(k + 1)) - busy)
    return stays.assign(lane=lanes)


def _draw(ax: Axes, stays: pd.DataFrame) -> None:
    start, stop, gone = (stays[name].to_numpy("datetime64[ns]") for name in ("start", "stop", "gone"))
    lanes, has_arrived = stays["lane"].to_numpy(), stays["has_arrived"].to_numpy(bool)
    has_left = ~np.isnat(gone)
    ax.plot(start[has_arrived], lanes[has_arrived], ">", color="black", ms=4, zorder=3)
    ax.plot(stop[has_left], lanes[has_left], "|", color="black", ms=6, mew=1.5, zorder=3)
    for k, colour in enumerate(_colours(stays["length_m"].to_numpy(float))):
        ax.plot([start[k], stop[k]], [lanes[k]] * 2, color=colour, lw=4, marker="o", ms=6)
        if has_left[k]:
            ax.plot([stop[k], gone[k]], [lanes[k]] * 2, color=colour, lw=0.8, ls=(0, (1, 1)))


def _colours(length_m: NDArray[np.float64]) -> list[str]:
    tops = [top for top, _, _ in CLASSES]
    return [CLASSES[k][1] for k in np.searchsorted(tops, length_m, side="right")]
