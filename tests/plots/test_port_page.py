"""A port's page: the whole of it, and each pier on the date, empty, as their ratio, and as counted."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from sarship.counts.passes import are_counted
from sarship.model import Hits
from sarship.pipeline import search
from sarship.plots import plot_port_page
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import read_port
from sarship.sentinel1.product import open_grd


@pytest.fixture(scope="module")
def date(harbour):
    port = read_port(harbour.port_file)
    image = to_port_grid(open_grd(harbour.products[0]), PortGrid.around(port.area))
    return image, port, search(harbour.products[:1], port=port).vessels


def close_ups(figure, n_pictures):
    """The axes of each pier, in rows."""
    axes = [ax for ax in figure.axes[1:] if len(ax.images) == 1]
    return [axes[k : k + n_pictures] for k in range(0, len(axes), n_pictures)]


def shown(ax):
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_the_ratio_is_of_the_date_over_the_empty_port(date):
    image, port, vessels = date
    power = image.to_numpy()[0]
    figure = plot_port_page(image, port, Hits.empty(), vessels, expected=power / 4)
    rows = close_ups(figure, 4)
    assert len(rows) == len(port.piers)
    for radar, empty, ratio, _ in rows:
        is_seen = np.isfinite(shown(radar))
        assert is_seen.any()
        np.testing.assert_allclose(shown(ratio)[is_seen], 10 * np.log10(4), rtol=1e-5)
        np.testing.assert_allclose((shown(radar) - shown(empty))[is_seen], 10 * np.log10(4), rtol=1e-5)


def test_close_ups_hold_the_cells_that_are_there(date):
    """What a close-up shows at a place is what the whole grid has there."""
    image, port, vessels = date
    power = image.to_numpy()[0]
    line, pixel = np.array([100, 120]), np.array([50, 60])
    hits = replace(Hits.empty(), line=line, pixel=pixel)
    for row in close_ups(plot_port_page(image, port, hits, vessels, expected=power), 4):
        west, east, south, north = row[0].images[0].get_extent()
        x, y = image["x"].to_numpy(), image["y"].to_numpy()
        part = power[np.ix_((y > south) & (y < north), (x > west) & (x < east))]
        np.testing.assert_allclose(10 ** (shown(row[0]) / 10), np.where(part > 0, part, np.nan), rtol=1e-4)
        (squares,) = [drawn for drawn in row[3].lines if drawn.get_marker() == "s"]
        np.testing.assert_array_equal(squares.get_xdata(), x[pixel])
        np.testing.assert_array_equal(squares.get_ydata(), y[line])


def test_piers_and_vessels_have_their_numbers(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels, expected=image.to_numpy()[0])
    said = [text.get_text() for text in figure.texts]
    counted = vessels[are_counted(vessels)]
    for name in port.piers["name"]:
        mine = vessels[vessels["pier"] == name]
        n, low, high = (counted["pier"] == name).sum(), mine["n_low"].sum(), mine["n_high"].sum()
        assert (f"{name}: {n}" if low == high == n else f"{name}: {n} ({low} to {high})") in said
    lengths = {text.get_text().split()[0].rstrip("?") for row in close_ups(figure, 4) for text in row[3].texts}
    assert {f"{length:.0f}" for length in vessels.loc[vessels["pier"].notna(), "length_m"]} <= lengths
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.texts:
        box = Text.get_window_extent(text)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.y1 <= height
        assert box.x1 <= width


def test_a_date_without_a_reference_says_so(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels.iloc[:0], is_simulated=True)
    assert any("no reference: counted from this image alone" in text.get_text() for text in figure.texts)
    assert len(close_ups(figure, 2)) == len(port.piers)
    assert figure.get_suptitle().startswith("SIMULATED")
