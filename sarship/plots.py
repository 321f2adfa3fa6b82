"""Figures: counts over time, and a quick look of a port in one scene. The only importer of matplotlib.

Figures are made as objects that no global state holds, so they need no display and may be drawn in any thread.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from shapely import LineString, Point, affinity, box

from sarship.localmap import LocalMap, map_of, sigma0_on_map

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr
    from shapely.geometry.base import BaseGeometry

    from sarship.grd import GrdProduct
    from sarship.piers import Port

__all__ = ["picture_bytes", "plot_counts", "plot_scene"]

BLUE, GREY = "#0072B2", "#8a8a8a"
LAND, PIER, VESSEL, ELSEWHERE, UNSEEN = "#F0E442", "#56B4E9", "#FF7A33", "#ffffff", "#33475b"
"""After Okabe and Ito, whose colours colour-blind readers tell apart."""
RANGE_DB: Final = {"VV": (-26.0, 4.0), "HH": (-26.0, 4.0), "VH": (-34.0, -4.0), "HV": (-34.0, -4.0)}
"""The same grey levels on every date, so that pictures can be compared."""
TICKS: Final = ["%Y", "%Y-%m", "%Y-%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"]
TICKS_AT_ZERO: Final = ["", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%H:%M", "%H:%M"]
"""Ticks in whole years, months, days, hours, minutes and seconds. Each is a date by itself: an axis that goes over New
Year has no one year to write beside it."""
DPI: Final = 110


def plot_counts(counts: xr.Dataset, *, title: str = "", is_simulated: bool = False) -> Figure:
    """Vessels at each pier over time, one panel a pier.

    A filled dot is a count, a hollow dot a zero (looked and saw none), a grey cross below the axis a date on which the
    pier was not seen.

    Parameters
    ----------
    counts
        `schema.COUNTS`, as `count_by_pier` gives them.
    title
        Heading, e.g. the name of the port.
    is_simulated
        Whether to mark the figure as SIMULATED.
    """
    piers = [str(name) for name in counts["pier"].to_numpy()]
    n_columns = 1 if len(piers) <= 5 else 2 if len(piers) <= 16 else 3
    n_rows = max(1, ceil(len(piers) / n_columns))
    figure = _figure((9.5 if n_columns == 1 else 5.2 * n_columns, 1.6 + 1.5 * n_rows))
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    times = pd.DatetimeIndex(counts["time"].to_numpy()).tz_localize(None)
    for k, ax in enumerate(axes):
        if k >= len(piers):
            ax.axis("off")
            continue
        _count_panel(ax, times, counts["n_vessels"].isel(pier=k).to_numpy().astype(float))
        ax.set_title(_short(piers[k], 100 // n_columns), loc="left", fontsize=10, fontweight="bold", pad=4)
        ax.tick_params(labelsize=9, labelbottom=k + n_columns >= len(piers))
    _count_axes(axes[0], times, counts["n_vessels"].to_numpy(), max_ticks=8 if n_columns == 1 else 5)
    figure.supylabel("vessels", fontsize=10)
    figure.suptitle(_title(title, is_simulated), fontsize=12, x=0.01, ha="left")
    handles = [
        Line2D([], [], color=BLUE, marker="o", lw=1, label="vessels counted"),
        Line2D([], [], color=BLUE, marker="o", lw=0, mfc="white", label="looked and saw none"),
        Line2D([], [], color=GREY, marker="x", lw=0, label="not seen"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    if is_simulated:
        _watermark(figure)
    return figure


def _count_panel(ax: Axes, times: pd.DatetimeIndex, n_vessels: NDArray[np.float64]) -> None:
    is_seen, is_none = ~np.isnan(n_vessels), n_vessels == 0
    ax.plot(times, n_vessels, color=BLUE, lw=1, alpha=0.6)  # breaks where a date is missing
    ax.plot(times[is_seen & ~is_none], n_vessels[is_seen & ~is_none], "o", color=BLUE, ms=5)
    ax.plot(times[is_none], n_vessels[is_none], "o", color=BLUE, mfc="white", ms=5, zorder=3)
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
    if len(times):
        margin = max((times.max() - times.min()) * 0.03, pd.Timedelta(hours=12))
        ax.set_xlim(*date2num([times.min() - margin, times.max() + margin]))  # type: ignore[no-untyped-call]
    locator = AutoDateLocator(minticks=3, maxticks=max_ticks)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, formats=TICKS, zero_formats=TICKS_AT_ZERO, show_offset=False
    )
    ax.xaxis.set_major_formatter(formatter)


def plot_scene(
    product: GrdProduct,
    port: Port,
    vessels: gpd.GeoDataFrame,
    *,
    polarization: str | None = None,
    land: BaseGeometry | None = None,
) -> Figure:
    """A port as the radar saw it, north up: brightness, coast, piers and vessels with their outlines.

    Parameters
    ----------
    product
        The scene; its denoised sigma0 is drawn in decibel.
    port
        Piers, land and water.
    vessels
        `schema.VESSELS`; those of this scene are drawn.
    polarization
        What to draw; by default the product's first.
    land
        Outline to draw besides the port's own land.

    Raises
    ------
    ProductError
        The polarization cannot be read.
    """
    polarization = polarization or product.check_polarizations()[0]
    is_simulated = product.container.manifest.is_simulated
    local = map_of(port.piers.union_all())
    here = vessels[vessels["scene"] == product.scene.id]
    figure = _figure((8.6, 7.0 * local.height_m / local.width_m + 1.5))  # the map is 7 wide beside its colour bar
    ax = figure.subplots()
    low, high = RANGE_DB[polarization]
    with np.errstate(divide="ignore"):
        brightness_db = 10 * np.log10(sigma0_on_map(product, polarization, local))
    image = ax.imshow(brightness_db, extent=local.extent, cmap=_grey(), vmin=low, vmax=high, interpolation="nearest")
    bar = figure.colorbar(image, ax=ax, shrink=0.75, pad=0.015, extend="both")
    bar.set_label(f"sigma0 {polarization} (dB)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    _draw_land(ax, local, [port.land, port.exclude, land])
    _draw_vessels(ax, local, here)
    _draw_piers(ax, local, port.piers)
    _label_piers(ax, local, port.piers, here)
    _frame(ax, local)
    _legend(figure)
    when = f"{product.scene.start:%Y-%m-%d %H:%M} UTC"
    heading = _title(f"{port.name}, {when}", is_simulated)
    at_piers = int(here["pier"].notna().sum())
    ax.set_title(
        f"{heading}\n{at_piers} vessels at piers, {len(here) - at_piers} elsewhere",
        loc="left",
        fontsize=11,
    )
    ax.set_xlabel(product.scene.id, fontsize=7, color="#666666")
    if is_simulated:
        _watermark(figure)
    return figure


def _draw_land(ax: Axes, local: LocalMap, areas: list[BaseGeometry | None]) -> None:
    for area in areas:
        if area is not None:
            for x, y in local.lines(area):
                ax.plot(x, y, color="black", lw=2.0, alpha=0.5)
                ax.plot(x, y, color=LAND, lw=1.0)


def _draw_vessels(ax: Axes, local: LocalMap, vessels: gpd.GeoDataFrame) -> None:
    x, y = local.plane.flatten(vessels["longitude"].to_numpy(), vessels["latitude"].to_numpy())
    for k, vessel in enumerate(vessels.itertuples()):
        half_length, half_width = max(vessel.length_m, 20.0) / 2, max(vessel.width_m, 10.0) / 2
        hull = box(-half_width, -half_length, half_width, half_length)
        outline = affinity.translate(affinity.rotate(hull, -vessel.heading_deg, origin=(0, 0)), x[k], y[k])
        is_counted = isinstance(vessel.pier, str)
        ax.plot(
            *outline.exterior.xy,
            color=VESSEL if is_counted else ELSEWHERE,
            lw=1.4 if is_counted else 1.0,
            ls="-" if is_counted else (0, (2, 1)),
            zorder=4,
        )


def _draw_piers(ax: Axes, local: LocalMap, piers: gpd.GeoDataFrame) -> None:
    for shape in piers.geometry:
        for x, y in local.lines(shape):
            ax.plot(x, y, color=PIER, lw=1.8, marker="o" if len(x) == 1 else None, ms=5, zorder=3)


def _label_piers(ax: Axes, local: LocalMap, piers: gpd.GeoDataFrame, vessels: gpd.GeoDataFrame) -> None:
    """Write each pier's name and count beside it, at the nearest place that covers no pier, vessel or other label."""
    west, east, south, north = local.extent
    letter, line = (east - west) / 78, (east - west) / 42  # width and height of the text, in metres on the map
    n_vessels = vessels["pier"].value_counts()
    taken = _drawn(local, piers, vessels, line)
    for name, shape in zip(piers["name"], piers.geometry, strict=True):
        text = f"{_short(name, 24)}: {n_vessels.get(name, 0)}"
        centre = local.plane.flatten_geometry(shape).representative_point()
        half_width, half_height = letter * len(text) / 2, line / 2
        if not (west < centre.x < east and south < centre.y < north):
            continue
        for distance, angle in _spiral():
            x = centre.x + (half_width + distance * line) * np.sin(angle)
            y = centre.y + (half_height + distance * line) * np.cos(angle)
            x = min(max(x, west + half_width), east - half_width)
            y = min(max(y, south + half_height), north - half_height)
            place = box(x - half_width, y - half_height, x + half_width, y + half_height)
            if not any(place.intersects(other) for other in taken):
                break
        taken.append(place)
        ax.annotate(
            text,
            (centre.x, centre.y),
            (x, y),
            fontsize=8.5,
            color="white",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": PIER, "lw": 0.7, "shrinkA": 0, "shrinkB": 0},
            path_effects=[withStroke(linewidth=2.5, foreground="#202020")],
            zorder=6,
        )


def _drawn(local: LocalMap, piers: gpd.GeoDataFrame, vessels: gpd.GeoDataFrame, line: float) -> list[BaseGeometry]:
    """What labels must not cover: outlines of piers, vessels, the scale bar and the arrow to the north."""
    west, east, south, north = local.extent
    width, height = east - west, north - south
    outlines = [np.column_stack(place) for shape in piers.geometry for place in local.lines(shape)]
    shapes = [LineString(place) if len(place) > 1 else Point(place[0]) for place in outlines]
    x, y = local.plane.flatten(vessels["longitude"].to_numpy(), vessels["latitude"].to_numpy())
    reach = np.maximum(vessels["length_m"].to_numpy() / 2, line / 2)
    return [
        box(west, south, west + 0.27 * width, south + 0.08 * height),
        box(west + 0.93 * width, south + 0.86 * height, east, north),
        *(shape.buffer(line / 4) for shape in shapes),
        *(Point(place).buffer(radius) for *place, radius in zip(x, y, reach, strict=True)),
    ]


def _spiral() -> Iterator[tuple[float, float]]:
    """Distances and angles at which to try a label."""
    for distance in (0.6, 1.5, 3.0, 5.0, 8.0, 12.0):
        for angle in np.deg2rad([0, 180, 45, 315, 135, 225, 90, 270]):
            yield distance, float(angle)


def _frame(ax: Axes, local: LocalMap) -> None:
    """Degrees along the borders, a scale bar, and an arrow to the north."""
    west, east, south, north = local.extent
    ax.set(xlim=(west, east), ylim=(south, north), aspect="equal")
    x, y = np.linspace(west, east, 50), np.linspace(south, north, 50)
    longitude = np.unwrap(local.unproject(x, np.full_like(x, south))[0], period=360)
    latitude = local.unproject(np.full_like(y, west), y)[1]
    for axis, places, degrees, names in ((ax.xaxis, x, longitude, "EW"), (ax.yaxis, y, latitude, "NS")):
        ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(degrees.min(), degrees.max())
        ticks = ticks[(ticks >= degrees.min()) & (ticks <= degrees.max())]
        order = np.argsort(degrees)
        axis.set_ticks(np.interp(ticks, degrees[order], places[order]), [_degrees(tick, names) for tick in ticks])
    ax.tick_params(labelsize=8)
    length = _round_length((east - west) / 5)
    x0, y0 = west + 0.03 * (east - west), south + 0.035 * (north - south)
    halo = [withStroke(linewidth=4, foreground="#202020")]
    ax.plot([x0, x0 + length], [y0, y0], color="white", lw=2.2, path_effects=halo, zorder=7, solid_capstyle="butt")
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    text: dict[str, Any] = {"color": "white", "fontsize": 9, "zorder": 7, "path_effects": halo}
    ax.annotate(label, (x0 + length / 2, y0), (0, 4), textcoords="offset points", ha="center", va="bottom", **text)
    arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.8, "path_effects": halo}
    tip, tail = (0.965, 0.975), (0.965, 0.885)
    ax.annotate("N", tip, tail, xycoords="axes fraction", arrowprops=arrow, ha="center", va="top", **text)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=VESSEL, lw=1.6, label="vessel at a pier"),
        Line2D([], [], color="#9a9a9a", lw=1.2, ls=(0, (2, 1)), label="vessel elsewhere"),
        Line2D([], [], color=PIER, lw=2, label="pier: vessels"),
        Line2D([], [], color="#b8ae1a", lw=1.6, label="land, excluded"),
        Patch(color=UNSEEN, label="not imaged"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=8.5)


def picture_bytes(figure: Figure, provenance: Mapping[str, str]) -> bytes:
    """The figure as a PNG file that carries the given texts."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata=dict(provenance))
    return stream.getvalue()


def _figure(size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _watermark(figure: Figure) -> None:
    options: dict[str, Any] = {"ha": "center", "va": "center", "rotation": 30, "zorder": 10}
    figure.text(0.5, 0.5, "SIMULATED", fontsize=64, color="#D55E00", alpha=0.22, fontweight="bold", **options)


def _title(text: str, is_simulated: bool) -> str:
    return f"SIMULATED: {text}" if is_simulated and not text.startswith("SIMULATED") else text


def _short(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder="…") or text[:width]


def _degrees(value: float, names: str) -> str:
    """Latitude or longitude with its hemisphere: `_degrees(-70.5, "EW")` is `70.5°W`."""
    wrapped = (value + 180) % 360 - 180 if names == "EW" else value
    return f"{abs(round(wrapped, 6)):g}°{names[0] if wrapped >= 0 else names[1]}"


def _round_length(length: float) -> float:
    """The largest of 1, 2, 5, 10, 20, … that is not longer."""
    decade = 10.0 ** floor(log10(length))
    return max(step * decade for step in (1, 2, 5) if step * decade <= length)


def _grey() -> Colormap:
    return colormaps["gray"].with_extremes(bad=UNSEEN)
