"""Counts over time, one panel a pier, and one of all."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sarship.plots.style import (
    BAND,
    BLUE,
    DARK,
    GREY,
    TRACKS,
    date_axis,
    finished,
    new_figure,
    period,
    shorten,
    titled,
)
from sarship.schema import AGREEMENT, WHOLE_PORT

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["plot_counts"]

ROW_INCHES: Final = 1.5


def plot_counts(
    counts: xr.Dataset,
    *,
    changes: gpd.GeoDataFrame | None = None,
    agreement: gpd.GeoDataFrame | None = None,
    title: str = "",
    is_simulated: bool = False,
) -> Figure:
    """Plot the number of vessels at each pier over time, one panel a pier; above them that of all piers together.

    A filled mark is a count, a hollow one a zero (looked and saw none), a grey cross below the axis a date on which the
    pier was not seen. Its colour is the relative orbit. A bar is the 80 % interval, a square a date without a reference
    of the empty port. An orange band is the window in which the number changed, with its chance. All piers are there
    where each was seen, without anchorages. A diamond
    is what others report, with the range and the time of the report: green if it agrees with the count of a pass near
    it, red and hollow if it does not, else grey.

    Parameters
    ----------
    counts
        `schema.COUNTS`, from `count_by_pier`.
    changes
        `schema.CHANGES`, from `find_changes`; those of the way of counting are not drawn.
    agreement
        `schema.AGREEMENT`, from `compare_observations`, without those on aprons; where a report is on the whole port,
        that has a panel.
    title
        Heading, such as the name of the port.
    is_simulated
        True to mark the figure SIMULATED.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each pier, after that of all if there are several or if reports are on those.

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
    ['All piers, where all were seen', 'North quay', 'Mole']
    """
    reports = AGREEMENT.empty() if agreement is None else agreement
    reports = reports[reports["state"].ne("not_compared") & reports["fullness"].eq("")]
    piers = [str(name) for name in counts["pier"].to_numpy()]
    is_pier = counts["kind"].to_numpy() == "pier" if "kind" in counts.coords else np.ones(len(piers), np.bool_)
    n_columns = 1 if len(piers) <= 5 else 2 if len(piers) <= 16 else 3
    n_rows = ceil(len(piers) / n_columns)
    has_total = int(is_pier.sum() > 1 or (reports["where"] == WHOLE_PORT).any())
    figure = new_figure((9.5 if n_columns == 1 else 5.2 * n_columns, 2.1 + ROW_INCHES * max(1, n_rows + has_total)))
    grid = figure.add_gridspec(max(1, n_rows + has_total), n_columns)
    times = pd.DatetimeIndex(counts["time"].to_numpy()).tz_localize(None)
    orbits = _orbits(counts)
    panels: list[tuple[str, str, xr.Dataset, Axes]] = []
    if has_total:
        heading = (
            "All piers, where all were seen" if is_pier.all() else "All piers, where all were seen (no anchorages)"
        )
        panels.append((WHOLE_PORT, heading, _together(counts.isel(pier=is_pier)), figure.add_subplot(grid[0, :])))
    for k, name in enumerate(piers):
        row, column = divmod(k, n_columns)
        panels.append((name, name, counts.isel(pier=k), figure.add_subplot(grid[row + has_total, column])))
    tops = {kind: _top(counts.isel(pier=is_pier == kind)) for kind in (True, False)}
    for k, (name, heading, here, ax) in enumerate(panels, start=-has_total):
        if changes is not None:
            _change_bands(ax, changes[changes["where"] == name])
        _count_panel(ax, times, here, orbits)
        said = reports[reports["where"] == name].drop_duplicates("observation")
        _report_marks(ax, said)
        ax.set_title(shorten(heading, 100 // n_columns), loc="left", fontsize=10, fontweight="bold", pad=4)
        top = tops[bool(is_pier[k])] if k >= 0 else _top(here)
        _count_axis(ax, float(np.nanmax(said[["low", "high"]].to_numpy(float), initial=top)))
        date_axis(ax, times, 9 if n_columns == 1 or k < 0 else 5)
        ax.tick_params(labelsize=9, labelbottom=(k < 0 and n_columns > 1) or k + n_columns >= len(piers))
    figure.supylabel("vessels", fontsize=10)
    figure.suptitle(f"{titled(title, is_simulated)}\n{period(times)}", fontsize=12, x=0.01, ha="left")
    handles = [*_legend(counts, orbits, has_changes=changes is not None and len(changes) > 0), *_report_legend(reports)]
    return finished(figure, handles, is_simulated=is_simulated, fontsize=9)


def _report_legend(reports: gpd.GeoDataFrame) -> list[Artist]:
    shown = {STATES[state][1]: STATES[state][0] for state in sorted(reports["state"])}
    return [Line2D([], [], **_diamond(colour), lw=0, label=label) for label, colour in shown.items()]


def _diamond(colour: str) -> dict[str, Any]:
    """Return the looks of a report: hollow against the count, so that colour is not all."""
    return {"color": colour, "marker": "D", "ms": 5, "mfc": "white" if colour == AGAINST else colour}


def _orbits(counts: xr.Dataset) -> dict[str, tuple[str, NDArray[np.bool_]]]:
    """Return the colour of each relative orbit, and which times are of it, by its name."""
    if "relative_orbit" not in counts.coords:
        return {"": (BLUE, np.ones(counts.sizes["time"], np.bool_))}
    numbers = counts["relative_orbit"].to_numpy()
    directions = counts["orbit_pass"].to_numpy() if "orbit_pass" in counts.coords else np.full(len(numbers), "")
    tracks = sorted(set(zip(numbers.tolist(), directions.tolist(), strict=True)))
    return {
        f"relative orbit {number} {direction}".strip(): (
            TRACKS[k % len(TRACKS)],
            (numbers == number) & (directions == direction),
        )
        for k, (number, direction) in enumerate(tracks)
    }


def _together(counts: xr.Dataset) -> xr.Dataset:
    """Return the counts of several piers as one, missing where one was not seen."""
    bounds = [name for name in ("n_vessels", "n_low", "n_high") if name in counts]
    total = counts[bounds].sum("pier", skipna=False)
    if "n_reference_dates" in counts:
        total["n_reference_dates"] = counts["n_reference_dates"].min("pier")
    return total


def _legend(counts: xr.Dataset, orbits: dict[str, tuple[str, NDArray[np.bool_]]], *, has_changes: bool) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=colour, marker="o", lw=0, label=name) for name, (colour, _) in orbits.items() if name
    ]
    handles += [
        Line2D([], [], color=DARK, marker="o", lw=0, label="vessels counted"),
        Line2D([], [], color=DARK, marker="o", lw=0, mfc="white", label="looked and saw none"),
        Line2D([], [], color=GREY, marker="x", lw=0, label="not seen"),
    ]
    if "n_low" in counts:
        handles.append(Line2D([], [], color=DARK, marker="|", ms=9, mew=3, alpha=0.35, lw=0, label="80 % interval"))
    if "n_reference_dates" in counts and bool((counts["n_reference_dates"] == 0).any()):
        handles.append(Line2D([], [], color=DARK, marker="s", ms=4, lw=0, label="by the image alone"))
    if has_changes:
        handles.append(Patch(color=BAND, label="a change lies in here (90 %), and its chance"))
    return handles


def _change_bands(ax: Axes, changes: gpd.GeoDataFrame) -> None:
    """Draw the windows of the changes of vessels, never a line at one date."""
    for row in changes[changes["direction"] != "method"].itertuples():
        start, stop = row.window_from.tz_localize(None), row.window_to.tz_localize(None)
        ax.axvspan(start, stop, color=BAND, lw=0)
        options: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8, "transform": ax.get_xaxis_transform()}
        ax.text(start + (stop - start) / 2, 0.98, f"{100 * row.probability:.0f} %", **options)


def _report_marks(ax: Axes, reports: gpd.GeoDataFrame) -> None:
    """Draw what others report: its range, or the arrow of an open one, and its time."""
    for row in reports.itertuples():
        colour = STATES[row.state][0]
        start, stop = row.time_from.tz_localize(None), row.time_to.tz_localize(None)
        middle = start + (stop - start) / 2
        low, high = (other if np.isnan(bound) else bound for bound, other in ((row.low, row.high), (row.high, row.low)))
        if np.isnan(low):
            continue
        ax.hlines([low, high], start, stop, color=colour, lw=1)
        ax.vlines(middle, low, high, color=colour, lw=1)
        ax.plot(middle, (low + high) / 2, **_diamond(colour), zorder=4)


AGAINST: Final = "#D55E00"
STATES: Final = {
    "agrees": ("#009E73", "a report that agrees"),
    "disagrees": (AGAINST, "a report that does not"),
    "between": (GREY, "a report with no pass near it"),
    "not_seen": (GREY, "a report with no pass near it"),
}
"""Colour and words for a report by its state."""


def _count_panel(
    ax: Axes, times: pd.DatetimeIndex, counts: xr.Dataset, orbits: dict[str, tuple[str, NDArray[np.bool_]]]
) -> None:
    n_vessels = counts["n_vessels"].to_numpy().astype(float)
    is_seen, is_none = ~np.isnan(n_vessels), n_vessels == 0
    is_alone = np.zeros(len(times), np.bool_)
    if "n_reference_dates" in counts:
        is_alone = counts["n_reference_dates"].to_numpy() == 0
    ax.plot(times, n_vessels, color=GREY, lw=0.8)  # breaks where a date is missing
    for colour, of_orbit in orbits.values():
        if "n_low" in counts:
            low, high = counts["n_low"].to_numpy()[of_orbit], counts["n_high"].to_numpy()[of_orbit]
            ax.vlines(times[of_orbit], low, high, color=colour, lw=4, alpha=0.35)
        for marker, size, of_kind in (("o", 5, ~is_alone), ("s", 4, is_alone)):
            some, none = is_seen & ~is_none & of_kind & of_orbit, is_none & of_kind & of_orbit
            ax.plot(times[some], n_vessels[some], marker, color=colour, ms=size)
            ax.plot(times[none], n_vessels[none], marker, color=colour, mfc="white", ms=size, zorder=3)
    unseen = times[~is_seen]
    ax.plot(unseen, np.full(len(unseen), 0.06), "x", color=GREY, ms=6, transform=ax.get_xaxis_transform())
    ax.grid(axis="y", color="#dddddd", lw=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _top(counts: xr.Dataset) -> float:
    """Return the largest number to draw, at least 2."""
    return max(2.0, float(np.nanmax(counts["n_high" if "n_high" in counts else "n_vessels"].to_numpy(), initial=0.0)))


def _count_axis(ax: Axes, top: float) -> None:
    """Set the axis of counts: room for the crosses below zero, whole numbers only."""
    ax.set_ylim(-0.2 * top, 1.12 * top)
    ticks = MaxNLocator(nbins=4, integer=True).tick_values(0, top)
    ax.set_yticks([tick for tick in ticks if 0 <= tick <= top])
