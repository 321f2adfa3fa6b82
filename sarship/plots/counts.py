"""Counts over time, one panel a pier."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sarship.plots.style import BAND, BLUE, GREY, date_axis, new_figure, shorten, titled, watermark

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr

__all__ = ["plot_counts"]


def plot_counts(
    counts: xr.Dataset,
    *,
    changes: gpd.GeoDataFrame | None = None,
    title: str = "",
    is_simulated: bool = False,
) -> Figure:
    """Plot the number of vessels at each pier over time, one panel a pier.

    A filled dot is a count, a hollow dot a zero (looked and saw none), a grey cross below the axis a date on which the
    pier was not seen. A bar is the 80 % interval, a square a date without a reference of the empty port. An orange band
    is the window in which the number changed, with its chance.

    Parameters
    ----------
    counts
        `schema.COUNTS`, from `count_by_pier`.
    changes
        `schema.CHANGES`, from `find_changes`; those of the way of counting are not drawn.
    title
        Heading, such as the name of the port.
    is_simulated
        True to mark the figure SIMULATED.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each pier.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> counts = xr.Dataset(
    ...     {"n_vessels": (("time", "pier"), [[2.0, 0.0], [3.0, np.nan]])},
    ...     {"time": pd.to_datetime(["2024-12-03", "2024-12-15"]), "pier": ["North quay", "Mole"]},
    ... )
    >>> figure = plot_counts(counts, title="Tartus")
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['North quay', 'Mole']
    """
    piers = [str(name) for name in counts["pier"].to_numpy()]
    n_columns = 1 if len(piers) <= 5 else 2 if len(piers) <= 16 else 3
    n_rows = max(1, ceil(len(piers) / n_columns))
    figure = new_figure((9.5 if n_columns == 1 else 5.2 * n_columns, 1.6 + 1.5 * n_rows))
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    times = pd.DatetimeIndex(counts["time"].to_numpy()).tz_localize(None)
    for k, ax in enumerate(axes):
        if k >= len(piers):
            ax.axis("off")
            continue
        if changes is not None:
            _change_bands(ax, changes[changes["where"] == piers[k]])
        _count_panel(ax, times, counts.isel(pier=k))
        ax.set_title(shorten(piers[k], 100 // n_columns), loc="left", fontsize=10, fontweight="bold", pad=4)
        ax.tick_params(labelsize=9, labelbottom=k + n_columns >= len(piers))
    _count_axes(
        axes[0],
        times,
        counts["n_high" if "n_high" in counts else "n_vessels"].to_numpy(),
        max_ticks=8 if n_columns == 1 else 5,
    )
    figure.supylabel("vessels", fontsize=10)
    figure.suptitle(titled(title, is_simulated), fontsize=12, x=0.01, ha="left")
    handles: list[Artist] = [
        Line2D([], [], color=BLUE, marker="o", lw=1, label="vessels counted"),
        Line2D([], [], color=BLUE, marker="o", lw=0, mfc="white", label="looked and saw none"),
        Line2D([], [], color=GREY, marker="x", lw=0, label="not seen"),
    ]
    if "n_low" in counts:
        handles.append(Line2D([], [], color=BLUE, marker="|", ms=9, mew=3, alpha=0.35, lw=0, label="80 % interval"))
    if "n_reference_dates" in counts and bool((counts["n_reference_dates"] == 0).any()):
        handles.append(Line2D([], [], color=BLUE, marker="s", ms=4, lw=0, label="by the image alone"))
    if changes is not None and len(changes):
        handles.append(Patch(color=BAND, label="a change lies in here (90 %), and its chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    if is_simulated:
        watermark(figure)
    return figure


def _change_bands(ax: Axes, changes: gpd.GeoDataFrame) -> None:
    """Draw the windows of the changes of vessels, never a line at one date."""
    for row in changes[changes["direction"] != "method"].itertuples():
        start, stop = row.window_from.tz_localize(None), row.window_to.tz_localize(None)
        ax.axvspan(start, stop, color=BAND, lw=0)
        options: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8, "transform": ax.get_xaxis_transform()}
        ax.text(start + (stop - start) / 2, 0.98, f"{100 * row.probability:.0f} %", **options)


def _count_panel(ax: Axes, times: pd.DatetimeIndex, counts: xr.Dataset) -> None:
    n_vessels = counts["n_vessels"].to_numpy().astype(float)
    is_seen, is_none = ~np.isnan(n_vessels), n_vessels == 0
    is_alone = np.zeros(len(times), np.bool_)
    if "n_reference_dates" in counts:
        is_alone = counts["n_reference_dates"].to_numpy() == 0
    ax.plot(times, n_vessels, color=BLUE, lw=1, alpha=0.6)  # breaks where a date is missing
    if "n_low" in counts:
        ax.vlines(times, counts["n_low"], counts["n_high"], color=BLUE, lw=4, alpha=0.35)
    for marker, size, of_kind in (("o", 5, ~is_alone), ("s", 4, is_alone)):
        some, none = is_seen & ~is_none & of_kind, is_none & of_kind
        ax.plot(times[some], n_vessels[some], marker, color=BLUE, ms=size)
        ax.plot(times[none], n_vessels[none], marker, color=BLUE, mfc="white", ms=size, zorder=3)
    unseen = times[~is_seen]
    ax.plot(unseen, np.full(len(unseen), 0.06), "x", color=GREY, ms=6, transform=ax.get_xaxis_transform())
    ax.grid(axis="y", color="#dddddd", lw=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _count_axes(ax: Axes, times: pd.DatetimeIndex, n_vessels: NDArray[np.float64], max_ticks: int) -> None:
    """Set the axes that all panels share: room for the crosses below zero, whole numbers only, at least a day."""
    top = max(2.0, float(np.nanmax(n_vessels, initial=0.0)))
    ax.set_ylim(-0.2 * top, 1.12 * top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
    date_axis(ax, times, max_ticks)
