"""Drawing on a local map: coast, piers, vessels, names, degrees and a scale bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, log10
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from shapely import LineString, Point, affinity, box

from sarship.counts.passes import are_counted
from sarship.plots.local_map import LocalMap
from sarship.plots.style import ELSEWHERE, LAND, PIER, RANGE_DB, VESSEL, decibel, grey, shorten

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "Labels",
    "draw_frame",
    "draw_land",
    "draw_left",
    "draw_piers",
    "draw_radar",
    "draw_reach",
    "draw_scale",
    "draw_vessels",
    "drawn_shapes",
    "hulls",
    "label_piers",
    "vessel_marks",
]

DASHES: Final = (0, (3, 1.5))
LEFT_LINE: Final[dict[str, Any]] = {"color": "#009E73", "lw": 1.6, "ls": (0, (1, 1))}
"""Of vessels that left."""
LABEL_INCHES: Final = (0.071, 0.16)
"""Width of a letter and height of a line of the piers' names."""


def draw_radar(ax: Axes, local: LocalMap, power: NDArray[np.floating], polarization: str, what: str) -> None:
    """Draw sigma0 over a map, with a bar of its colours, whose ends are pointed, as values continue beyond them."""
    low, high = RANGE_DB[polarization]
    options: dict[str, Any] = {"cmap": grey(), "vmin": low, "vmax": high, "interpolation": "nearest"}
    image = ax.imshow(decibel(power), extent=local.extent, **options)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.75, pad=0.012, extend="both", aspect=30)
    bar.set_label(f"{what} {polarization} (dB)", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def draw_land(ax: Axes, local: LocalMap, areas: Sequence[BaseGeometry | None], *, width: float = 1.0) -> None:
    """Outline land or other areas (longitude, latitude) by lines of a width in points."""
    for area in areas:
        if area is not None:
            for x, y in local.lines(area):
                ax.plot(x, y, color="black", lw=2 * width, alpha=0.5)
                ax.plot(x, y, color=LAND, lw=width)


def draw_vessels(ax: Axes, local: LocalMap, vessels: gpd.GeoDataFrame, *, width: float = 1.4) -> None:
    """Outline vessels (`schema.VESSELS`) by lines of a width in points.

    Those not counted are thin and dashed, and so are those elsewhere than at piers.
    """
    at_pier = vessels["pier"].notna().to_numpy(bool)
    for hull, colour, is_solid in zip(
        hulls(local, vessels), np.where(at_pier, VESSEL, ELSEWHERE), at_pier & are_counted(vessels), strict=True
    ):
        line: dict[str, Any] = {"lw": width} if is_solid else {"lw": 0.65 * width, "ls": DASHES}
        ax.plot(*shapely.get_coordinates(hull).T, color=colour, zorder=4, **line)


def draw_left(ax: Axes, local: LocalMap, visits: gpd.GeoDataFrame) -> None:
    """Draw the axes of vessels that left (`schema.VISITS`) where they lay."""
    x, y = local.plane.flatten(visits["longitude"].to_numpy(), visits["latitude"].to_numpy())
    ahead = np.deg2rad(visits["heading_deg"].to_numpy(float))
    half = visits["length_m"].to_numpy(float) / 2
    for east, north, place_x, place_y in zip(half * np.sin(ahead), half * np.cos(ahead), x, y, strict=True):
        ax.plot([place_x - east, place_x + east], [place_y - north, place_y + north], zorder=4, **LEFT_LINE)


def hulls(local: LocalMap, vessels: gpd.GeoDataFrame) -> list[BaseGeometry]:
    """Return each vessel's rectangle by its place, length, width and heading, in metres on the map."""
    x, y = local.plane.flatten(vessels["longitude"].to_numpy(), vessels["latitude"].to_numpy())
    half_width, half_length = (vessels[name].to_numpy(float) / 2 for name in ("width_m", "length_m"))
    upright = shapely.box(-half_width, -half_length, half_width, half_length)
    turned = map(affinity.rotate, upright, -vessels["heading_deg"].to_numpy(float), [(0, 0)] * len(x))
    return [affinity.translate(hull, *place) for hull, *place in zip(turned, x, y, strict=True)]


def vessel_marks() -> list[Line2D]:
    """Return the legend of `draw_vessels`."""
    return [
        Line2D([], [], color=VESSEL, lw=1.6, label="vessel at a pier"),
        Line2D([], [], color=VESSEL, lw=0.9, ls=DASHES, label="candidate, not counted"),
        Line2D([], [], color="#9a9a9a", lw=0.9, ls=DASHES, label="vessel elsewhere"),
    ]


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
    ax: Axes,
    local: LocalMap,
    piers: gpd.GeoDataFrame,
    *,
    vessels: gpd.GeoDataFrame,
    texts: Mapping[str, str],
    inches: float,
) -> None:
    """Write each pier's name, and its text, at the nearest place that covers no pier, vessel or other label.

    `inches` is the width of the map.
    """
    west, east, south, north = local.extent
    letter, line = (size * (east - west) / inches for size in LABEL_INCHES)
    labels = Labels(ax, local, (letter, line), 8.5, PIER, _occupied(local, piers, vessels, line))
    for name, shape in zip(piers["name"], piers.geometry, strict=True):
        text = shorten(name, 24) + (f": {texts[name]}" if name in texts else "")
        centre = local.plane.flatten_geometry(shape).representative_point()
        if west < centre.x < east and south < centre.y < north:
            labels.put(text, centre)


@dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """Texts beside the points that they name, each at the nearest place where it covers nothing."""

    ax: Axes
    local: LocalMap
    size: tuple[float, float]
    """Width of a letter and height of a line, metres on the map."""
    fontsize: float
    colour: str
    """Colour of the lines from the texts to their points."""
    taken: Sequence[BaseGeometry]
    """Shapes that texts must not cover; the lines to their points may."""
    placed: list[BaseGeometry] = field(default_factory=list)
    """Texts so far, with their lines: a text must not cover them, and its line crosses them only if it has to."""

    def put(self, text: str, at: Point, *, is_vital: bool = True) -> None:
        """Write a text; one for which there is no place is left out, unless it is vital."""
        west, east, south, north = self.local.extent
        line, half_width, half_height = self.size[1], self.size[0] * len(text) / 2, self.size[1] / 2
        distance, angle = np.array(list(_spiral())).T
        x = at.x + (half_width + distance * line) * np.sin(angle)
        y = at.y + (half_height + distance * line) * np.cos(angle)
        x = np.clip(x, west + half_width, east - half_width)
        y = np.clip(y, south + half_height, north - half_height)
        places = shapely.box(x - half_width, y - half_height, x + half_width, y + half_height)
        wholes = shapely.union(places, [LineString([(at.x, at.y), end]) for end in zip(x, y, strict=True)])
        is_free = ~np.any(shapely.intersects(places[:, None], [*self.taken, *self.placed]), axis=1)
        is_clear = is_free & ~np.any(shapely.intersects(wholes[:, None], self.placed), axis=1)
        k = int(np.argmax(is_free.astype(int) + is_clear))
        if not (is_free[k] or is_vital):
            return
        self.placed.append(wholes[k])
        self.ax.annotate(
            text,
            (at.x, at.y),
            (x[k], y[k]),
            fontsize=self.fontsize,
            color="white",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": self.colour, "lw": 0.7, "shrinkA": 0, "shrinkB": 0},
            path_effects=[withStroke(linewidth=2.5, foreground="#202020")],
            zorder=6,
        )


def drawn_shapes(local: LocalMap, piers: gpd.GeoDataFrame, vessels: gpd.GeoDataFrame) -> list[BaseGeometry]:
    """Return the lines of piers, and the hulls of vessels, in metres on the map."""
    places = [np.column_stack(place) for shape in piers.geometry for place in local.lines(shape) if len(place[0])]
    lines = [LineString(place) if len(place) > 1 else Point(place[0]) for place in places]
    return [*lines, *hulls(local, vessels)]


def _occupied(local: LocalMap, piers: gpd.GeoDataFrame, vessels: gpd.GeoDataFrame, line: float) -> list[BaseGeometry]:
    """Return the shapes that labels must not cover: piers, vessels, the scale bar and the arrow to the north."""
    west, east, south, north = local.extent
    width, height = east - west, north - south
    return [
        box(west, south, west + 0.27 * width, south + 0.08 * height),
        box(east - 0.13 * width, north - 0.25 * width, east, north),
        *(shape.buffer(line / 4) for shape in drawn_shapes(local, piers, vessels)),
    ]


def _spiral() -> Iterator[tuple[float, float]]:
    """Yield distances and angles at which to try a label."""
    for distance in (0.6, 1.5, 3.0, 5.0, 8.0, 12.0, 17.0, 23.0):
        for angle in np.deg2rad([0, 180, 45, 315, 135, 225, 90, 270, 22, 338, 158, 202, 67, 293, 113, 247]):
            yield distance, float(angle)


def draw_frame(ax: Axes, local: LocalMap, *, look_deg: float | None = None) -> None:
    """Draw degrees along the borders, a scale bar, and arrows to the north and where the radar looked."""
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
    length = 0.045 * (east - west)
    for text, angle_deg, down in (("N", 0.0, 0.06), *(() if look_deg is None else (("look", look_deg, 0.19),))):
        _draw_arrow(ax, (east - 0.065 * (east - west), north - down * (east - west)), angle_deg, length, text)


def _draw_arrow(ax: Axes, middle: tuple[float, float], angle_deg: float, length: float, text: str) -> None:
    """Draw an arrow of a length around a place, clockwise from north, and its name below."""
    x, y = middle
    east, north = length * np.sin(np.deg2rad(angle_deg)), length * np.cos(np.deg2rad(angle_deg))
    halo = [withStroke(linewidth=4, foreground="#202020")]
    arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.8, "path_effects": halo}
    ax.annotate("", (x + east, y + north), (x - east, y - north), arrowprops=arrow, zorder=7)
    options: dict[str, Any] = {"color": "white", "fontsize": 9, "zorder": 7, "path_effects": halo}
    ax.text(x, y - 1.15 * max(abs(north), 0.45 * length), text, ha="center", va="top", **options)


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
