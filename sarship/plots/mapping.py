"""Drawing on a local map: coast, piers, vessels, names, degrees and a scale bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from shapely import LineString, Point, affinity, box

from sarship.counts.passes import are_counted
from sarship.plots.local_map import LocalMap
from sarship.plots.style import ELSEWHERE, LAND, PIER, VESSEL, shorten

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

__all__ = ["draw_frame", "draw_land", "draw_piers", "draw_reach", "draw_scale", "draw_vessels", "label_piers"]


def draw_land(ax: Axes, local: LocalMap, areas: Sequence[BaseGeometry | None]) -> None:
    """Outline land or other areas (longitude, latitude)."""
    for area in areas:
        if area is not None:
            for x, y in local.lines(area):
                ax.plot(x, y, color="black", lw=2.0, alpha=0.5)
                ax.plot(x, y, color=LAND, lw=1.0)


def draw_vessels(ax: Axes, local: LocalMap, vessels: gpd.GeoDataFrame) -> None:
    """Outline vessels (`schema.VESSELS`) by length, width and heading; those not counted at a pier are dashed."""
    x, y = local.plane.flatten(vessels["longitude"].to_numpy(), vessels["latitude"].to_numpy())
    counted = are_counted(vessels)
    for k, vessel in enumerate(vessels.itertuples()):
        half_length, half_width = max(vessel.length_m, 20.0) / 2, max(vessel.width_m, 10.0) / 2
        upright = box(-half_width, -half_length, half_width, half_length)
        outline = affinity.translate(affinity.rotate(upright, -vessel.heading_deg, origin=(0, 0)), x[k], y[k])
        is_counted = isinstance(vessel.pier, str) and counted[k]
        ax.plot(
            *outline.exterior.xy,
            color=VESSEL if is_counted else ELSEWHERE,
            lw=1.4 if is_counted else 1.0,
            ls="-" if is_counted else (0, (2, 1)),
            zorder=4,
        )


def draw_piers(ax: Axes, local: LocalMap, piers: gpd.GeoDataFrame, *, width: float = 1.8) -> None:
    """Outline piers (`Port.piers`) by lines of a width in points."""
    for shape in piers.geometry:
        for x, y in local.lines(shape):
            ax.plot(x, y, color=PIER, lw=width, marker="o" if len(x) == 1 else None, ms=5, zorder=3)


def draw_reach(ax: Axes, local: LocalMap, waters: Sequence[BaseGeometry]) -> None:
    """Outline the waters in which a vessel is counted at a pier."""
    for area in waters:
        for x, y in local.lines(area):
            ax.plot(x, y, color=PIER, lw=0.9, ls=":", zorder=3)


def label_piers(
    ax: Axes, local: LocalMap, piers: gpd.GeoDataFrame, vessels: gpd.GeoDataFrame, *, is_counted: bool = True
) -> None:
    """Write each pier's name (and count) beside it, at the nearest place that covers no pier, vessel or other label."""
    west, east, south, north = local.extent
    letter, line = (east - west) / 78, (east - west) / 42  # width and height of the text, in metres on the map
    n_vessels = vessels["pier"][are_counted(vessels)].value_counts()
    taken = _occupied(local, piers, vessels, line)
    for name, shape in zip(piers["name"], piers.geometry, strict=True):
        text = f"{shorten(name, 24)}: {n_vessels.get(name, 0)}" if is_counted else shorten(name, 24)
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


def _occupied(local: LocalMap, piers: gpd.GeoDataFrame, vessels: gpd.GeoDataFrame, line: float) -> list[BaseGeometry]:
    """Return the shapes that labels must not cover: piers, vessels, the scale bar and the arrow to the north."""
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
    """Yield distances and angles at which to try a label."""
    for distance in (0.6, 1.5, 3.0, 5.0, 8.0, 12.0):
        for angle in np.deg2rad([0, 180, 45, 315, 135, 225, 90, 270]):
            yield distance, float(angle)


def draw_frame(ax: Axes, local: LocalMap) -> None:
    """Draw degrees along the borders, a scale bar, and an arrow to the north."""
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
    draw_scale(ax, local)
    halo = [withStroke(linewidth=4, foreground="#202020")]
    text: dict[str, Any] = {"color": "white", "fontsize": 9, "zorder": 7, "path_effects": halo}
    arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.8, "path_effects": halo}
    tip, tail = (0.965, 0.975), (0.965, 0.885)
    ax.annotate("N", tip, tail, xycoords="axes fraction", arrowprops=arrow, ha="center", va="top", **text)


def draw_scale(ax: Axes, local: LocalMap) -> None:
    """Draw a bar of a round length."""
    west, east, south, north = local.extent
    length = _round_length((east - west) / 5)
    x0, y0 = west + 0.03 * (east - west), south + 0.035 * (north - south)
    halo = [withStroke(linewidth=4, foreground="#202020")]
    ax.plot([x0, x0 + length], [y0, y0], color="white", lw=2.2, path_effects=halo, zorder=7, solid_capstyle="butt")
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    text: dict[str, Any] = {"color": "white", "fontsize": 9, "zorder": 7, "path_effects": halo}
    ax.annotate(label, (x0, y0), (0, 4), textcoords="offset points", ha="left", va="bottom", **text)


def _degrees(value: float, names: str) -> str:
    """Return latitude or longitude with its hemisphere: `_degrees(-70.5, "EW")` is `70.5°W`."""
    wrapped = (value + 180) % 360 - 180 if names == "EW" else value
    return f"{abs(round(wrapped, 6)):g}°{names[0] if wrapped >= 0 else names[1]}"


def _round_length(length: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, … that is not longer."""
    decade = 10.0 ** floor(log10(length))
    return max(step * decade for step in (1, 2, 5) if step * decade <= length)
