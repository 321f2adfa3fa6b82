"""A port's page: the whole of it, and each pier on the date, empty, as their ratio, and as counted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from pyproj import Transformer

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
        interval = "" if low == high == n else f" ({low} to {high})"
        expected = f", expected {mine['confidence'].sum():.1f}" if (mine["confidence"] < 0.995).any() else ""
        assert f"{name}: {n}{interval}{expected}" in said
    labels = {text.get_text() for row in close_ups(figure, 4) for text in row[3].texts}
    for vessel in vessels[vessels["pier"].notna()].itertuples():
        chance = f", {vessel.confidence:.2f}" if vessel.confidence < 0.995 else ""
        assert f"{vessel.length_m:.0f} m{chance}" in labels
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.texts:
        box = Text.get_window_extent(text)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.y1 <= height
        assert box.x1 <= width


def rafted(vessels, chances, apart_m=20.0):
    """Vessels beside each other at the Oil jetty, each of another size and chance."""
    n = len(chances)
    table = vessels[vessels["pier"] == "Oil jetty"].iloc[[0] * n].reset_index(drop=True)
    return table.assign(
        latitude=table["latitude"] - np.arange(n) * apart_m / 111_195,
        length_m=100.0 + 10 * np.arange(n),
        width_m=15.0 + np.arange(n),
        heading_deg=70.0 + 5 * np.arange(n),
        confidence=chances,
        n_vessels=(np.array(chances) > 0.5).astype(int),
        n_low=(np.array(chances) > 0.9).astype(int),
        n_high=1,
        flag="",
    )


def test_vessels_side_by_side_have_outlines_and_texts_of_their_own(date):
    image, port, vessels = date
    table = rafted(vessels, [1.0, 0.931, 0.996, 0.6, 0.5, 0.2])
    figure = plot_port_page(image, port, Hits.empty(), table, expected=image.to_numpy()[0])
    (ax,) = [row[3] for row, name in zip(close_ups(figure, 4), port.piers["name"], strict=True) if name == "Oil jetty"]
    to_grid = Transformer.from_crs("EPSG:4326", PortGrid.of(image).crs, always_xy=True)
    drawn = [line for line in ax.lines if line.get_zorder() == 4]
    for vessel, line in zip(table.itertuples(), drawn, strict=True):
        ahead = np.deg2rad(vessel.heading_deg)
        bow = vessel.length_m / 2 * np.array([np.sin(ahead), np.cos(ahead)])
        beam = vessel.width_m / 2 * np.array([np.cos(ahead), -np.sin(ahead)])
        corners = to_grid.transform(vessel.longitude, vessel.latitude) + np.array(
            [bow + beam, bow - beam, -bow - beam, -bow + beam]
        )
        distance = np.hypot(*(line.get_xydata()[:4, None] - corners).transpose(2, 0, 1))
        assert (distance.min(axis=0) < 0.01).all()
        assert line.is_dashed() == (vessel.confidence <= 0.5)
    widths = [line.get_linewidth() for line in drawn]
    assert max(widths[4:]) < min(widths[:4])
    assert "Oil jetty: 4 (3 to 6), expected 4.2" in [text.get_text() for text in figure.texts]
    assert {text.get_text() for text in ax.texts} == {
        "100 m", "110 m, 0.93", "120 m", "130 m, 0.60", "140 m, 0.50", "150 m, 0.20"
    }  # fmt: skip
    figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    frame = ax.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 for box in boxes)
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])


def test_texts_without_room_are_left_out(date):
    """Of a crowd that cannot be labelled, the likeliest vessels are, and no text covers another."""
    image, port, vessels = date
    table = rafted(vessels, np.linspace(0.1, 0.9, 120), apart_m=0.5).assign(length_m=50.0, width_m=10.0)
    figure = plot_port_page(image, port, Hits.empty(), table, expected=image.to_numpy()[0])
    ax = max((row[3] for row in close_ups(figure, 4)), key=lambda ax: len(ax.texts))
    figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
    assert 10 < len(boxes) < 120
    assert ax.texts[0].get_text() == "50 m, 0.90"


def test_expected_count_leaves_out_what_is_no_vessel(date):
    image, port, vessels = date
    table = rafted(vessels, [0.9, 0.8, 0.7])
    table["flag"] = pd.Series(["", "ambiguity", "always_there"], dtype="str")
    figure = plot_port_page(image, port, Hits.empty(), table)
    assert "Oil jetty: 2 (0 to 2), expected 1.6" in [text.get_text() for text in figure.texts]
    labels = {text.get_text() for row in close_ups(figure, 2) for text in row[1].texts}
    assert {"110 m, 0.80 ambiguity", "120 m, 0.70 always there"} <= labels


def test_a_date_without_a_reference_says_so(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels.iloc[:0], is_simulated=True)
    assert any("no reference: counted from this image alone" in text.get_text() for text in figure.texts)
    assert len(close_ups(figure, 2)) == len(port.piers)
    assert figure.get_suptitle().startswith("SIMULATED")
