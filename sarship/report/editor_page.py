"""The editor's page: features of a port file over the mean radar image, and the policy that lets in nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from sarship.plots.style import period
from sarship.port.edits import OpenedPort
from sarship.port.grid import PortGrid
from sarship.port.port_features import COUNTED
from sarship.port.port_file import DEFAULT_MAX_DISTANCE_M
from sarship.report.content import as_uri
from sarship.report.html import Page, render
from sarship.report.pictures import grey_picture

__all__ = ["Mean", "editor_page", "mean_of"]


QUALITY: Final = 90
"""Of WebP: the page is not mailed, and quays are looked at closely."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean brightness of some dates, as a picture."""

    grid: PortGrid
    picture: bytes
    """WebP, one pixel a cell."""
    said: str
    """Of what it is."""
    is_simulated: bool


def mean_of(stack: xr.Dataset, is_simulated: bool) -> Mean:
    """Return the picture of a stack's first polarization, from `read_stack`."""
    polarization = str(stack["polarization"].to_numpy()[0])
    power = stack["sigma0"].sel(polarization=polarization).mean("time", skipna=True).to_numpy()
    orbits = ", ".join(map(str, np.unique(stack["relative_orbit"].to_numpy())))
    said = (
        f"mean sigma0 {polarization} of {period(pd.DatetimeIndex(stack['time'].to_numpy()))}, relative orbit {orbits}"
    )
    return Mean(PortGrid.of(stack), grey_picture(power, polarization, QUALITY), said, is_simulated)


def editor_page(opened: OpenedPort, grid: PortGrid, mean: Mean | None) -> Page:
    """Return the page of a port file on a grid, over an image or none."""
    rows, columns = grid.shape
    data = {
        "version": opened.version,
        "width": columns * grid.spacing_m,
        "height": rows * grid.spacing_m,
        "image": None if mean is None else as_uri(mean.picture, "image/webp"),
        "features": opened.drawn(grid),
        "fault": opened.fault,
        "counted": COUNTED,
        "distances": DEFAULT_MAX_DISTANCE_M,
    }
    return render(
        "editor.html",
        ("editor.css",),
        ("vendor/leaflet.js", "editor_model.js", "editor_map.js", "editor.js"),
        "connect-src 'self'",
        "form-action 'none'",
        data=data,
        file=opened.path.name,
        mark="SIMULATED" if mean is not None and mean.is_simulated else "",
        image=mean.said if mean is not None else "",
        attribution=opened.attribution,
    )
