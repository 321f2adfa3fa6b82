"""Visits of vessels to piers over time: arrivals and departures, a lane a vessel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import num2date
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from sarship.plots.style import DARK, GREY, date_axis, finished, new_figure, period, shorten, titled

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr

__all__ = ["CLASSES", "lanes_of", "plot_visits", "stays_of"]

CLASSES: Final = ((50.0, "#56B4E9", "under 50 m"), (100.0, "#009E73", "50 to 100 m"), (np.inf, "#D55E00", "over 100 m"))
"""Upper end, colour and name of the classes of length."""
LANE_INCHES: Final = 0.14
BESIDE: Final = 6.0
"""Points from the end of a bar to its mark."""
APART: Final = 0.04
"""Room for the marks between two bars of a lane, as a part of the whole time."""
PALE: Final = 0.3


def plot_visits(visits: gpd.GeoDataFrame, counts: xr.Dataset, *, title: str = "", is_simulated: bool = False) -> Figure:
    """Plot every vessel's visit as a bar in a lane, a band of lanes for each pier.

    A bar goes from the first to the last pass that showed the vessel. A triangle before it is an arrival: the pass
    before saw the pier without the vessel. An upright line after it is a departure: the next pass found it gone. A bar
    without such an end goes on, pale, to the border: nobody knows since when, or how long, the vessel was there. It is
    pale too over passes that did not see the pier, which have a grey cross. Thin vertical lines are the passes.

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
    times = pd.DatetimeIndex(counts["time"].to_numpy()).tz_localize(None)
    apart = (times.max() - times.min()) * APART if len(times) else pd.Timedelta(0)
    stays = [lanes_of(stays_of(visits[visits["pier"] == name]), apart) for name in piers]
    sizes = [max(2, 1 + int(frame["lane"].max())) if len(frame) else 2 for frame in stays]
    base = np.concatenate([[0], np.cumsum(np.array(sizes[::-1]) + 2)])[
        ::-1
    ]  # the first pier on top; a lane for crosses
    figure = new_figure((9.5, 2.1 + LANE_INCHES * base[0]))
    ax = figure.subplots()
    date_axis(ax, times, 8)
    ax.vlines(times, -1, base[0] - 1, color="#e4e4e4", lw=0.6, zorder=0)
    for name, frame, lowest in zip(piers, stays, base[1:], strict=True):
        is_seen = ~np.isnan(counts["n_vessels"].sel(pier=name).to_numpy().astype(float))
        _draw(ax, frame.assign(lane=frame["lane"] + lowest + 1), times, is_seen)
        ax.plot(times[~is_seen], np.full((~is_seen).sum(), lowest), "x", color=GREY, ms=4)
        ax.axhline(lowest - 1, color="#bbbbbb", lw=0.8)
        if frame.empty and len(times):
            said = "no vessel seen" if is_seen.any() else "never seen"
            ax.annotate(
                said,
                (0, lowest + 1.5),
                (8, 0),
                ax.get_yaxis_transform(),
                "offset points",
                fontsize=8.5,
                color=GREY,
                va="center",
            )
    ax.set_ylim(-1, max(base[0] - 1, 0))
    ax.set_yticks(base[1:] + 1 + (np.array(sizes) - 1) / 2, [shorten(name, 26) for name in piers])
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(f"{titled(title, is_simulated)}\nvisits, {period(times)}", fontsize=12, x=0.01, ha="left")
    return finished(figure, _legend(), is_simulated=is_simulated)


def _legend() -> list[Line2D]:
    bars: dict[str, Any] = {"lw": 4, "solid_capstyle": "butt"}
    return [
        *(Line2D([], [], color=colour, label=f"one vessel, {label}", **bars) for _, colour, label in CLASSES),
        Line2D([], [], color=DARK, marker=">", lw=0, ms=5, label="arrived since the pass before"),
        Line2D([], [], color=DARK, marker="|", lw=0, ms=8, mew=2, label="gone on the next pass"),
        Line2D([], [], color=DARK, alpha=PALE, label="perhaps there: no pass saw it", **bars),
        Line2D([], [], color="#cccccc", marker="|", ms=9, lw=0, label="pass"),
        Line2D([], [], color=GREY, marker="x", lw=0, ms=5, label="pier not seen on this pass"),
    ]


def stays_of(visits: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return one row a visit: first and last time seen, whether it came, when it was found gone, median length."""
    visits = visits.assign(time=visits["time"].dt.tz_localize(None))
    there = visits[visits["status"] != "left"].groupby("visit")
    frame = pd.DataFrame(
        {
            "start": there["time"].min(),
            "stop": there["time"].max(),
            "has_arrived": there["status"].first() == "arrived",
            "length_m": there["length_m"].median(),
        }
    )
    frame["gone"] = visits[visits["status"] == "left"].set_index("visit")["time"].reindex(frame.index)
    frame["has_left"] = frame["gone"].notna()
    return frame.sort_values(["start", "length_m"], ascending=[True, False])


def lanes_of(stays: pd.DataFrame, apart: pd.Timedelta = pd.Timedelta(0)) -> pd.DataFrame:  # noqa: B008  (frozen)
    """Return the stays with the lowest lane that is free; one that may go on keeps its lane to the end."""
    start = stays["start"].to_numpy()
    until = (stays["stop"] + apart).where(stays["has_left"], pd.Timestamp("2200-01-01")).to_numpy()
    lanes = np.zeros(len(stays), np.int64)
    for k in range(len(stays)):
        busy = set(lanes[:k][until[:k] >= start[k]].tolist())
        lanes[k] = min(set(range(k + 1)) - busy)
    return stays.assign(lane=lanes)


def _draw(ax: Axes, stays: pd.DataFrame, times: pd.DatetimeIndex, is_seen: NDArray[np.bool_]) -> None:
    lanes, has_arrived, has_left = (stays[name].to_numpy() for name in ("lane", "has_arrived", "has_left"))
    start, stop = (stays[name].to_numpy("datetime64[ns]") for name in ("start", "stop"))
    for marker, size, places, of_kind, points in (
        (">", 4, start, has_arrived, -BESIDE),
        ("|", 7, stop, has_left, BESIDE),
    ):
        beside = ax.transData + ScaledTranslation(points / 72, 0, ax.figure.dpi_scale_trans)
        mark: dict[str, Any] = {"color": DARK, "ms": size, "mew": 1.5, "transform": beside, "zorder": 3}
        ax.plot(places[of_kind], lanes[of_kind], marker, **mark)
    left, right = num2date(ax.get_xlim())  # type: ignore[no-untyped-call]
    border = np.array([left.replace(tzinfo=None), right.replace(tzinfo=None)], "datetime64[ns]")
    passes, saw = times.to_numpy("datetime64[ns]"), is_seen
    for k, colour in enumerate(_colours(stays["length_m"].to_numpy(float))):
        ax.plot([start[k], stop[k]], [lanes[k]] * 2, "o", color=colour, ms=5)
        within = (passes >= start[k]) & (passes <= stop[k])
        ends = passes[within & saw]
        is_whole = np.diff(np.flatnonzero(saw[within])) == 1
        bars = [*zip(ends[:-1], ends[1:], np.where(is_whole, 1.0, PALE), strict=True)]
        bars += [] if has_arrived[k] else [(border[0], start[k], PALE)]
        bars += [] if has_left[k] else [(stop[k], border[1], PALE)]
        for begin, end, alpha in bars:
            ax.plot([begin, end], [lanes[k]] * 2, color=colour, alpha=alpha, lw=4, solid_capstyle="butt", zorder=1.5)


def _colours(length_m: NDArray[np.float64]) -> list[str]:
    tops = [top for top, _, _ in CLASSES]
    return [CLASSES[k][1] for k in np.searchsorted(tops, length_m, side="right")]
