"""Page of a port on one date: the whole of it, and of each pier the image, reference, ratio and count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sarship.plots.close_ups import HIT, RATIO, PortDate, draw_close_up, draw_picture, part_of, port_date
from sarship.plots.local_map import map_of
from sarship.plots.mapping import (
    LEFT_LINE,
    draw_frame,
    draw_land,
    draw_piers,
    draw_scale,
    draw_vessels,
    label_piers,
    vessel_marks,
)
from sarship.plots.pier_states import SURE, total_text
from sarship.plots.style import (
    DARK,
    GREY,
    LAND_TEXT,
    PIER,
    UNSEEN,
    literal,
    new_figure,
    shorten,
    titled,
    watermark,
)

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from sarship.model import Hits
    from sarship.port.port_file import Port

__all__ = ["MAX_CLOSE_UPS", "plot_port_page"]

MAX_CLOSE_UPS: Final = 6
"""Maximum number of piers that have their close-ups on the page of the whole port."""
WIDE, WIDER, TALL, PANEL, CROP = 15.0, 17.5, 7.5, 4.1, 4.3
"""Inches: the width of a page with close-ups and of one without, the height of a map, the width of the column of texts,
and the side of the close-ups on the page of one pier."""
LEFT, GAP, HEAD, ABOVE, UNDER, BELOW = 0.62, 0.08, 0.75, 0.3, 0.24, 0.42
"""Inches: the degrees beside a map, between pictures, the heading, a title above a picture, one under it, and the
degrees below a map."""
LINE, BAR, ENTRY, FACTS = 0.185, 0.55, 0.21, 0.95
"""Inches: the height of a line of a table, of a bar of colours, of a line of the legend, and of the
lines about the scene."""
MAX_LINES: Final = 24
"""Maximum number of lines of the table of a pier's vessels."""
DPI: Final = 150
"""Dots per inch: those of a hull's sides that lie beside each other must not run together."""


def plot_port_page(
    image: xr.DataArray,
    port: Port,
    hits: Hits,
    vessels: gpd.GeoDataFrame,
    *,
    expected: NDArray[np.floating] | None = None,
    coverage: gpd.GeoDataFrame | None = None,
    visits: gpd.GeoDataFrame | None = None,
    look_deg: float | None = None,
    pier: str | None = None,
    is_simulated: bool = False,
) -> Figure:
    """Plot one date of a port, north up: the whole of it with close-ups of its piers, or the page of one pier.

    The whole is drawn in each polarization beside a table of the counts. Where the scene shows more than
    `MAX_CLOSE_UPS` piers there are no close-ups: each pier then has a page of its own.

    Parameters
    ----------
    image
        `sigma0(polarization, y, x)` of the date on the port's grid, from `to_port_grid`.
    port
        Piers, land and water.
    hits
        Lines and pixels are rows and columns of the grid.
    vessels
        `schema.VESSELS`; those of this scene are drawn, each with its length, its chance if it is in doubt, its flag,
        and whether it arrived.
    expected
        (y, x) linear power of the empty-port reference on that date, in the first polarization; None if the date was
        counted from the single image, which the page then says.
    coverage
        `schema.COVERAGE`; of a pier that this scene does not show in full the page says so, in place of a count. None
        if it shows all.
    visits
        `schema.VISITS` of this pass, for the arrivals and departures.
    look_deg
        Direction in which the radar looked, degrees clockwise from north; an arrow on the maps.
    pier
        Name of the pier that the page is of, larger and with a table of its vessels; None for the whole port.
    is_simulated
        True to mark the figure SIMULATED.

    Returns
    -------
    matplotlib.figure.Figure
        Maps and a row of close-ups for each pier, or the close-ups of one.

    Examples
    --------
    >>> import geopandas as gpd
    >>> import numpy as np
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
    date = port_date(image, port, hits, vessels, expected=expected, coverage=coverage, visits=visits)
    place = port.name if pier is None else f"{port.name}, {pier}"
    heading = f"{place}, {pd.Timestamp(image['time'].item()):%Y-%m-%d %H:%M} UTC"
    heading += f", relative orbit {image['relative_orbit'].item()}"
    if pier is None:
        page = _whole_port(date, look_deg)
        said = total_text(date.vessels, port.piers)
    else:
        page = _one_pier(date, pier)
        said = f"vessels: {date.states[pier].long}"
    said += "; no reference: counted from this image alone" if expected is None else ""
    figure = page.figure
    figure.suptitle(titled(heading, is_simulated), fontsize=14, x=0.15 / page.width, y=1 - 0.1 / page.height, ha="left")
    page.text(0.15, 0.47, said, fontsize=10.5, color=DARK)
    _facts(page, image, look_deg)
    if is_simulated:
        watermark(figure)
    return figure


@dataclass(slots=True)
class _Page:
    """A figure whose parts are placed in inches from the left and the top; a column of texts fills downwards."""

    figure: Figure
    panel: float
    """Left end of the column of texts."""
    at: float
    """Top of what comes next there."""

    @classmethod
    def of(cls, width: float, height: float) -> _Page:
        figure = new_figure((width, height), layout=None)
        figure.set_dpi(DPI)
        return cls(figure, width - PANEL, HEAD)

    @property
    def width(self) -> float:
        return float(self.figure.get_figwidth())

    @property
    def height(self) -> float:
        return float(self.figure.get_figheight())

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        across, down = self.width, self.height
        return self.figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        self.figure.text(left / self.width, 1 - top / self.height, text, va="top", **options)

    def table(self, columns: Sequence[float], rows: Sequence[Sequence[str]]) -> None:
        """Write rows, the first of which are headings, at distances from the left of the column of texts."""
        for k, row in enumerate(rows):
            for left, entry in zip(columns, row, strict=True):
                self.text(self.panel + left, self.at, entry, fontsize=8.5, color=DARK if k else GREY)
            self.at += LINE
        self.at += LINE


def _whole_port(date: PortDate, look_deg: float | None) -> _Page:
    """Draw the maps of the whole port, and the close-ups of its piers beneath unless they are too many."""
    whole = part_of(date.grid, map_of(date.port.piers.union_all()))
    tall = whole.height_m / whole.width_m
    rows = date.imaged if len(date.imaged) <= MAX_CLOSE_UPS else []
    across = 1 if tall < 0.6 else len(date.bands)
    room = (WIDE if rows else WIDER) - PANEL - 0.2 - across * LEFT
    map_width = min(room / across, TALL / tall)
    maps = ceil(len(date.bands) / across) * (ABOVE + map_width * tall + BELOW)
    width = across * (LEFT + map_width) + 0.2 + PANEL
    side = (width - 0.3 + GAP) / len(date.pictures) - GAP
    top = max(maps, _panel_height(date, len(date.states)))
    page = _Page.of(width, HEAD + top + len(rows) * (ABOVE + side + UNDER) + 0.1)
    texts = {name: state.short for name, state in date.states.items()}
    shown: dict[str, AxesImage] = {}
    for k, band in enumerate(date.bands):
        row, column = divmod(k, across)
        left, down = LEFT + column * (LEFT + map_width), HEAD + row * (ABOVE + map_width * tall + BELOW) + ABOVE
        ax = page.axes(left, down, map_width, map_width * tall)
        shown[band] = draw_picture(ax, date, band, whole)
        ax.set_title(band, loc="left", fontsize=9, color=DARK)
        draw_land(ax, whole, [date.port.land, date.port.exclude])
        draw_piers(ax, whole, date.port.piers, width=1.8 if k == 0 else 0.7)
        draw_frame(ax, whole, look_deg=look_deg)
        if k == 0:
            draw_vessels(ax, whole, date.vessels)
            label_piers(ax, whole, date.port.piers, vessels=date.vessels, texts=texts, inches=map_width)
    shapes = dict(zip(date.port.piers["name"], date.port.piers.geometry, strict=True))
    for k, name in enumerate(rows):
        down = HEAD + top + k * (ABOVE + side + UNDER) + ABOVE
        page.text(0.15, down - 0.24, f"{shorten(name, 60)}: {date.states[name].long}", fontsize=10.5)
        for n, title in enumerate(date.pictures):
            ax = page.axes(0.15 + n * (side + GAP), down, side, side)
            shown[title] = draw_close_up(ax, date, title, name, shapes[name])
    page.at = HEAD + FACTS
    entries: list[tuple[str, ...]] = [("pier", "vessels (80 %)", "arrived", "left")]
    for name, state in date.states.items():
        moves = (state.n_arrived, state.n_left) if state.seen > 0 else (0, 0)
        entries.append((shorten(name, 26), state.short, *(str(n or "") for n in moves)))
    page.table((0.0, 2.05, 3.15, 3.7), entries)
    _key(page, date, shown)
    return page


def _one_pier(date: PortDate, name: str) -> _Page:
    """Draw the close-ups of a pier, and a table of its vessels."""
    (shape,) = date.port.piers.geometry[date.port.piers["name"] == name]
    across = max(2, ceil(len(date.pictures) / 2))
    down = ceil(len(date.pictures) / across)
    mine = date.vessels[date.vessels["pier"] == name].sort_values("confidence", ascending=False)[:MAX_LINES]
    tall = max(down * (CROP + UNDER), _panel_height(date, len(mine)))
    page = _Page.of(0.15 + across * (CROP + GAP) + 0.2 + PANEL, HEAD + tall + 0.15)
    shown = {}
    for k, title in enumerate(date.pictures):
        row, column = divmod(k, across)
        ax = page.axes(0.15 + column * (CROP + GAP), HEAD + 0.1 + row * (CROP + UNDER), CROP, CROP)
        shown[title] = draw_close_up(ax, date, title, name, shape)
    if len(date.pictures) < across * down:  # the place that is left shows where the pier is
        _locate(page, date, shape, (0.15 + (across - 1) * (CROP + GAP), HEAD + 0.1 + (down - 1) * (CROP + UNDER)))
    arrived = set(date.visits["vessel"][date.visits["status"] == "arrived"])
    rows = [
        (
            f"{vessel.length_m:.0f} × {vessel.width_m:.0f} m",
            f"{round(vessel.heading_deg) % 180}°",
            f"{vessel.confidence:.2f}" if vessel.confidence < SURE else "1",
            ("arrived" if vessel.vessel in arrived else "") + f" {vessel.flag}".replace("_", " "),
        )
        for vessel in mine.itertuples()
    ]
    page.at = HEAD + FACTS
    page.table((0.0, 1.3, 2.1, 2.8), [("length × width", "heading", "chance", ""), *rows])
    _key(page, date, shown)
    return page


def _locate(page: _Page, date: PortDate, shape: BaseGeometry, corner: tuple[float, float]) -> None:
    """Draw the port as small as a close-up, with one of its piers marked."""
    whole = part_of(date.grid, map_of(date.port.piers.union_all()))
    scale = CROP / max(whole.width_m, whole.height_m)
    ax = page.axes(*corner, whole.width_m * scale, whole.height_m * scale)
    draw_picture(ax, date, date.bands[0], whole)
    draw_land(ax, whole, [date.port.land, date.port.exclude], width=0.6)
    draw_piers(ax, whole, date.port.piers, width=0.7)
    draw_piers(ax, whole, date.port.piers[date.port.piers.geometry == shape], width=2.5)
    draw_scale(ax, whole)
    ax.set(xlim=whole.extent[:2], ylim=whole.extent[2:], xticks=[], yticks=[])
    ax.set_xlabel(f"the port, {date.bands[0]}", fontsize=8, color=DARK, loc="left", labelpad=2)


def _panel_height(date: PortDate, n_lines: int) -> float:
    """Return the height of the column of texts whose table has a number of lines beside its heading."""
    n_bars = len(date.bands) + (RATIO in date.pictures)
    return FACTS + (n_lines + 2) * LINE + n_bars * BAR + 5 * ENTRY


def _facts(page: _Page, image: xr.DataArray, look_deg: float | None) -> None:
    """Write which satellite looked from where, and the names of its scenes."""
    told = {name: image[name].item() for name in ("platform", "orbit_pass", "incidence") if name in image.coords}
    lines = [" ".join([*(str(told[name]) for name in ("platform", "orbit_pass") if name in told)])]
    lines[0] += f", relative orbit {image['relative_orbit'].item()}"
    geometry = [f"incidence {told['incidence']:.1f}°"] if "incidence" in told else []
    geometry += [] if look_deg is None else [f"looking towards {look_deg % 360:.0f}°"]
    at = HEAD + ABOVE - 0.1
    for line in (lines[0].strip(", "), ", ".join(geometry)):
        page.text(page.panel, at, line, fontsize=9.5)
        at += LINE
    scenes = literal(str(image["scene"].item())).split()
    page.text(page.panel, at + 0.03, "\n".join(scenes), fontsize=6, color=DARK)


def _key(page: _Page, date: PortDate, shown: dict[str, AxesImage]) -> None:
    """Draw bars of colours and the legend below the table."""
    for title, image in shown.items():
        if title in date.bands or title == RATIO:
            ax = page.axes(page.panel, page.at, PANEL - 0.7, 0.12)
            bar = page.figure.colorbar(image, cax=ax, orientation="horizontal", extend="both")
            bar.set_label(f"sigma0 {title} (dB)" if title in date.bands else f"{title} (dB)", fontsize=8.5, labelpad=1)
            bar.ax.tick_params(labelsize=8, pad=1)
            page.at += BAR
    handles = [
        *vessel_marks(),
        Line2D([], [], **LEFT_LINE, label="left since the last pass"),
        Line2D([], [], color=HIT, marker="s", lw=0, ms=5, label="hit"),
        Line2D([], [], color=PIER, lw=2, label="pier"),
        Line2D([], [], color=LAND_TEXT, lw=1.6, label="land, excluded"),
        Patch(color=UNSEEN, label="not imaged"),
    ]
    corner = ((page.panel - 0.05) / page.width, 1 - (page.at - 0.1) / page.height)
    page.figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=corner, ncols=2, frameon=False, fontsize=8, borderpad=0
    )
