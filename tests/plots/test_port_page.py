"""A port's page: the whole of it, and each pier on the date, empty, as their ratio, and as counted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
from builders.tables import make_coverage
from matplotlib.text import Text
from pyproj import Transformer

from sarship.counts.passes import are_counted
from sarship.model import Hits
from sarship.pipeline import search
from sarship.plots import plot_port_page
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import read_port
from sarship.schema import VISITS
from sarship.sentinel1.product import open_grd


@pytest.fixture(scope="module")
def date(harbour):
    port = read_port(harbour.port_file)
    image = to_port_grid(open_grd(harbour.products[0]), PortGrid.around(port.area))
    return image, port, search(harbour.products[:1], port=port).vessels


def close_ups(figure):
    """The axes of each pier by its name: both polarizations, the empty port, the ratio, what was found."""
    rows = {}
    for ax in figure.axes:
        if ": " in ax.get_label():
            rows.setdefault(ax.get_label().partition(": ")[0], []).append(ax)
    return rows


def shown(ax):
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_the_ratio_is_of_the_date_over_the_empty_port(date):
    image, port, vessels = date
    power = image.to_numpy()[0]
    figure = plot_port_page(image, port, Hits.empty(), vessels, expected=power / 4)
    rows = close_ups(figure)
    assert list(rows) == port.piers["name"].tolist()
    for radar, cross, empty, ratio, _ in rows.values():
        is_seen = np.isfinite(shown(radar))
        assert is_seen.any()
        np.testing.assert_allclose(shown(ratio)[is_seen], 10 * np.log10(4), rtol=1e-5)
        assert np.nanmedian(shown(cross)) < np.nanmedian(shown(radar)) - 3
        np.testing.assert_allclose((shown(radar) - shown(empty))[is_seen], 10 * np.log10(4), rtol=1e-5)


def test_close_ups_hold_the_cells_that_are_there(date):
    """What a close-up shows at a place is what the whole grid has there."""
    image, port, vessels = date
    power = image.to_numpy()[0]
    line, pixel = np.array([100, 120]), np.array([50, 60])
    hits = replace(Hits.empty(), line=line, pixel=pixel)
    for row in close_ups(plot_port_page(image, port, hits, vessels, expected=power)).values():
        west, east, south, north = row[0].images[0].get_extent()
        x, y = image["x"].to_numpy(), image["y"].to_numpy()
        part = power[np.ix_((y > south) & (y < north), (x > west) & (x < east))]
        np.testing.assert_allclose(10 ** (shown(row[0]) / 10), np.where(part > 0, part, np.nan), rtol=1e-4)
        (squares,) = [drawn for drawn in row[-1].lines if drawn.get_marker() == "s"]
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
    labels = {text.get_text() for row in close_ups(figure).values() for text in row[-1].texts}
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
    ax = close_ups(figure)["Oil jetty"][-1]
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
    assert not any(shapely.box(*box.extents).intersects(hull) for box in boxes for hull in hulls_on(ax))


def test_no_name_of_a_pier_covers_a_vessel(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels)
    ax = figure.axes[0]
    figure.canvas.draw()
    names = [text for text in ax.texts if ": " in text.get_text()]
    assert len(names) == len(port.piers)
    boxes = [shapely.box(*Text.get_window_extent(text).extents) for text in names]
    assert not any(box.intersects(hull) for box in boxes for hull in hulls_on(ax))


def hulls_on(ax):
    """Outlines of vessels in pixels of the picture."""
    lines = [line for line in ax.lines if line.get_zorder() == 4]
    return [shapely.Polygon(ax.transData.transform(line.get_xydata())) for line in lines]


def seen(port, vessels, *parts):
    """A table of coverage that says how much of the first piers the scene shows."""
    name = vessels["scene"].iloc[0]
    parts = [*parts, *[1.0] * (len(port.piers) - len(parts))]
    rows = zip(port.piers["name"], parts, port.piers.geometry, strict=True)
    return make_coverage(*[(name, pier, part, shape, 40.0, 35.0) for pier, part, shape in rows])


def test_a_pier_that_is_not_imaged_has_no_count(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels, coverage=seen(port, vessels, 0.0, 0.6))
    first, second, *others = port.piers["name"]
    assert list(close_ups(figure)) == [second, *others]
    labels = {text.get_text() for text in figure.axes[0].texts}
    assert {f"{first}: not imaged", f"{second}: 60 % imaged"} <= labels
    said = [text.get_text() for text in figure.texts]
    assert f"{second}: 60 % imaged" in said
    assert "not imaged" in said


def test_arrivals_and_departures_are_told(date):
    image, port, vessels = date
    here = vessels[vessels["pier"] == "Oil jetty"].iloc[:1]
    columns = {column.name: here[column.name].tolist() * 2 for column in VISITS.columns if column.name in here}
    columns |= {"visit": ["a", "b"], "status": ["arrived", "left"], "vessel": [here["vessel"].iloc[0], None]}
    columns |= {"mmsi": [None] * 2, "probability": [0.9, 0.8], "from_time": [pd.NaT, pd.NaT]}
    visits = VISITS.make(columns, here.geometry.tolist() * 2)
    figure = plot_port_page(image, port, Hits.empty(), vessels, visits=visits)
    (heading,) = [text.get_text() for text in figure.texts if text.get_text().startswith("Oil jetty: ")]
    assert heading.endswith("; 1 arrived, 1 left")
    texts = [text.get_text() for text in close_ups(figure)["Oil jetty"][-1].texts]
    assert "left" in texts
    assert sum(text.endswith(", arrived") for text in texts) == 1


def test_the_page_of_one_pier_has_its_vessels_and_of_many_none_has_close_ups(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels, pier="Oil jetty", look_deg=77.0)
    assert list(close_ups(figure)) == ["Oil jetty"]
    assert "Oil jetty" in figure.get_suptitle()
    said = [text.get_text() for text in figure.texts]
    for vessel in vessels[vessels["pier"] == "Oil jetty"].itertuples():
        assert f"{vessel.length_m:.0f} × {vessel.width_m:.0f} m" in said
    assert any("looking towards 77°" in text for text in said)
    assert str(image["scene"].item()) in said
    assert any(str(image["platform"].item()) in text and str(image["orbit_pass"].item()) in text for text in said)
    twice = port.piers.assign(name=port.piers["name"] + " II")
    many = replace(port, piers=pd.concat([port.piers, twice], ignore_index=True))
    assert not close_ups(plot_port_page(image, many, Hits.empty(), vessels))


def test_texts_without_room_are_left_out(date):
    """Of a crowd that cannot be labelled, the likeliest vessels are, and no text covers another."""
    image, port, vessels = date
    table = rafted(vessels, np.linspace(0.1, 0.9, 120), apart_m=0.5).assign(length_m=50.0, width_m=10.0)
    figure = plot_port_page(image, port, Hits.empty(), table, expected=image.to_numpy()[0])
    ax = max((row[-1] for row in close_ups(figure).values()), key=lambda ax: len(ax.texts))
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
    labels = {text.get_text() for row in close_ups(figure).values() for text in row[-1].texts}
    assert {"110 m, 0.80 ambiguity", "120 m, 0.70 always there"} <= labels


def test_a_date_without_a_reference_says_so(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels.iloc[:0], is_simulated=True)
    assert any("no reference: counted from this image alone" in text.get_text() for text in figure.texts)
    assert [len(row) for row in close_ups(figure).values()] == [3] * len(port.piers)
    assert figure.get_suptitle().startswith("SIMULATED")
