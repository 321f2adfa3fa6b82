"""Dates of a simulated port on its grid, one image a pass."""

import numpy as np

from sarship.port.grid import to_port_grid
from sarship.sentinel1.product import open_grd


def port_dates(series, grid):
    """The passes of a `PortSeries` as `to_port_grid` gives them: slices put together, a channel not sent NaN."""
    dates = []
    for one in series.passes:
        whole, *others = (to_port_grid(open_grd(path), grid) for path in one.slices)
        for other in others:
            whole = whole.copy(data=np.where(np.isnan(whole), other, whole))
        dates.append(whole.reindex(polarization=["VV", "VH"]))
    return dates
