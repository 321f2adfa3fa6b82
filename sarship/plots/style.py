"""Colours, marks and titles of all figures, and their PNG files.

Figures belong to no global state, so they need no display and may be drawn in any thread.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sarship.texts import printable

__all__ = [
    "BAND",
    "BLUE",
    "DARK",
    "ELSEWHERE",
    "GREY",
    "LAND",
    "LAND_TEXT",
    "PIER",
    "RANGE_DB",
    "TRACKS",
    "UNSEEN",
    "VESSEL",
    "date_axis",
    "decibel",
    "finished",
    "grey",
    "literal",
    "new_figure",
    "period",
    "picture_bytes",
    "shorten",
    "titled",
    "watermark",
]

BLUE, GREY, DARK, BAND = "#0072B2", "#8a8a8a", "#444444", "#FBE3C0"
LAND, PIER, VESSEL, ELSEWHERE, UNSEEN = "#F0E442", "#56B4E9", "#FF7A33", "#ffffff", "#33475b"
"""Colours after Okabe and Ito, which colour-blind readers tell apart."""
TRACKS: Final = (BLUE, "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Colours of orbits; more orbits than these begin again."""
STEPS: Final = (
    *((float(n), f"{n}D", "%Y-%m-%d") for n in (1, 2, 5, 10, 20)),
    *((30.4 * n, f"{n}MS", "%Y-%m") for n in (1, 2, 3, 6)),
    *((365.25 * n, f"{n}YS", "%Y") for n in (1, 2, 5, 10)),
)
"""Distances between the ticks of dates: days, the frequency as pandas knows it, and the format."""
DPI: Final = 110
RANGE_DB: Final = {"VV": (-26.0, 4.0), "HH": (-26.0, 4.0), "VH": (-34.0, -4.0), "HV": (-34.0, -4.0)}
"""Range of grey levels, the same on every date, so that pictures can be compared."""
LAND_TEXT: Final = "#b8ae1a"
"""The colour of land, dark enough for a white page."""


def picture_bytes(figure: Figure, provenance: Mapping[str, str]) -> bytes:
    """Return a figure as a PNG file that carries the given texts.

    It is drawn with Agg and without TeX, whatever matplotlib is told to use.

    Parameters
    ----------
    figure
        From one of this room's functions.
    provenance
        Texts by keyword, such as `Software` and `Comment`.

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> picture_bytes(new_figure((1.0, 1.0)), {"Software": "sarship"})[1:4]
    b'PNG'
    """
    stream = io.BytesIO()
    texts = PngInfo()
    for name, text in provenance.items():
        texts.add_text(name, text)
    # `savefig` would lay the figure out and draw it twice, and write an opacity that is 1 everywhere
    canvas: Any = FigureCanvasAgg(figure)
    with rc_context({"text.usetex": False}):  # whoever sets it for their papers may have no TeX here
        for label in figure.findobj(Text):
            label.set_usetex(False)
        canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.save(stream, "png", pnginfo=texts, dpi=(figure.dpi, figure.dpi), compress_level=2)
    return stream.getvalue()


def finished(
    figure: Figure, handles: Sequence[Artist], *, is_simulated: bool, fontsize: float = 8.5, ncols: int = 3
) -> Figure:
    """Return a figure with its legend below, and with a watermark if it shows simulated scenes."""
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols, frameon=False, fontsize=fontsize)
    if is_simulated:
        watermark(figure)
    return figure


def new_figure(size: tuple[float, float], *, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Make an empty figure of a width and height in inches; without a layout its axes are placed by hand."""
    figure = Figure(figsize=size, dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def watermark(figure: Figure) -> None:
    """Write SIMULATED across a figure."""
    options: dict[str, Any] = {"ha": "center", "va": "center", "rotation": 30, "zorder": 10}
    figure.text(0.5, 0.5, "SIMULATED", fontsize=64, color="#D55E00", alpha=0.15, fontweight="bold", **options)


def titled(text: str, is_simulated: bool) -> str:
    """Return a title, after SIMULATED if the scenes are."""
    return literal(f"SIMULATED: {text}" if is_simulated and not text.startswith("SIMULATED") else text)


def shorten(text: str, width: int) -> str:
    """Cut a text at a word, or at the width in letters if it has none."""
    return literal(textwrap.shorten(text, width, placeholder="…") or text[:width])


def literal(text: str) -> str:
    """Return a text that is drawn as it is: between two dollar signs matplotlib would read mathematics."""
    return printable(text).replace("$", r"\$")


def period(times: pd.DatetimeIndex) -> str:
    """Return the number of passes, and the dates of the first and the last."""
    if times.empty:
        return "no passes"
    first, last = f"{times.min():%Y-%m-%d}", f"{times.max():%Y-%m-%d}"
    return f"1 pass, {first}" if len(times) == 1 else f"{len(times)} passes, {first} to {last}"


def date_axis(ax: Axes, times: pd.DatetimeIndex, max_ticks: int) -> None:
    """Lay dates along an axis: evenly spaced ticks, each a date by itself, and room at both ends."""
    if times.empty:
        ax.set_xticks([])
        return
    first, last = times.min(), times.max()
    margin = max((last - first) * 0.03, pd.Timedelta(hours=12))
    ax.set_xlim(*date2num([first - margin, last + margin]))  # type: ignore[no-untyped-call]
    ticks, form = _dates(first, last, max_ticks)
    ax.set_xticks(date2num(ticks), ticks.strftime(form))  # type: ignore[no-untyped-call]


def _dates(first: pd.Timestamp, last: pd.Timestamp, max_ticks: int) -> tuple[pd.DatetimeIndex, str]:
    """Return round dates between two times, and how to write them; of a day or less, the times themselves."""
    n_days = (last - first) / pd.Timedelta(1, "D")
    if n_days <= 1:
        return pd.DatetimeIndex([first, last] if n_days > 0.5 else [first]), "%Y-%m-%d %H:%M"
    step = next((step for step in STEPS if n_days / step[0] < max_ticks), STEPS[-1])
    start = first.floor(step[1]) if step[1].endswith("D") else pd.Timestamp(first.year // 10 * 10, 1, 1)
    ticks = pd.date_range(start, last, freq=step[1])
    return ticks[ticks >= first - pd.Timedelta(12, "h")], step[2]


def decibel(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return linear power in decibel; 0 is minus infinity, and missing stays missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(power), np.float64)


def grey() -> Colormap:
    """Return grey levels for brightness, with a colour of its own for cells that were not imaged."""
    return colormaps["gray"].with_extremes(bad=UNSEEN)
