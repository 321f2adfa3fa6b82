"""Figures: what is drawn says what was counted, zero and missing look apart, and simulated scenes are marked."""

import io
import json
import re
import sys
import time

import matplotlib as mpl
import matplotlib.dates
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from builders.tables import BLANK, make_coverage
from PIL import Image

from sarship.counts.changes import find_changes
from sarship.counts.passes import are_counted
from sarship.pipeline import search
from sarship.plots import picture_bytes, plot_counts, plot_scene
from sarship.plots.style import new_figure
from sarship.port.port_file import Port, read_port
from sarship.schema import AGREEMENT
from sarship.sentinel1.product import open_grd


@pytest.fixture(scope="module")
def seen(harbour):
    """The harbour's first scene, its port, and the vessels found there."""
    port = read_port(harbour.port_file)
    return open_grd(harbour.products[0]), port, search(harbour.products[:1], port=port).vessels


def make_counts(table, start="2024-12-03"):
    """Counts from rows of times and columns of piers."""
    table = np.asarray(table, float)
    times = np.datetime64(start, "ns") + np.arange(len(table)) * np.timedelta64(12, "D")
    return xr.Dataset(
        {"n_vessels": (("time", "pier"), table)},
        coords={"time": times, "pier": [f"Pier {k}" for k in range(table.shape[1])]},
    )


def dots(ax):
    """Heights of the filled dots, the hollow dots and the crosses of a panel."""
    found = {"filled": [], "hollow": [], "cross": []}
    for line in ax.lines:
        if line.get_marker() == "x":
            found["cross"] += list(line.get_ydata())
        elif line.get_marker() == "o":
            is_hollow = line.get_markerfacecolor() == "white"
            found["hollow" if is_hollow else "filled"] += list(line.get_ydata())
    return found


def panels(figure):
    return [ax for ax in figure.axes if ax.axison]


def words(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def overlap(figure, texts):
    """Pairs of texts whose boxes overlap on the canvas."""
    figure.canvas.draw()
    boxes = [(text.get_text(), mpl.text.Text.get_window_extent(text)) for text in texts]
    return [(a, b) for k, (a, one) in enumerate(boxes) for b, other in boxes[:k] if one.overlaps(other)]


def test_zero_and_missing_look_apart():
    total, ax, other = panels(plot_counts(make_counts([[2, 0], [0, np.nan], [np.nan, 1]])))
    assert dots(total) == {"filled": [2], "hollow": [], "cross": [pytest.approx(0.06)] * 2}  # a sum of what was seen
    assert dots(ax) == {"filled": [2], "hollow": [0], "cross": [pytest.approx(0.06)]}
    assert dots(other) == {"filled": [1], "hollow": [0], "cross": [pytest.approx(0.06)]}
    assert ax.get_ylim()[0] < 0
    assert ax.get_ylim()[1] > 2
    assert all(tick == int(tick) >= 0 for tick in ax.get_yticks())
    line = ax.lines[0].get_ydata()
    assert np.isnan(line[2])  # the line breaks where a date is missing, it is not drawn through it


def test_a_change_is_a_band_between_two_passes_with_its_chance():
    counts = make_counts(np.array([[3, 4, 3, 2, 3, 4, 3, 3, 0, 0, 0, 0, 1, 0, 0, 0], [2] * 16]).T)
    table = counts["n_vessels"]
    other = {"n_low": table, "n_high": table, "n_reference_dates": 0 * table, "detectable_length_m": 30 + 0 * table}
    counts = counts.assign(other).assign_coords(
        relative_orbit=("time", [87] * 16), kind=("pier", ["pier"] * 2), longitude=("pier", [35.8, 35.9]),
        latitude=("pier", [34.9] * 2),
    )  # fmt: skip
    changes = find_changes(counts)
    figure = plot_counts(counts, changes=changes)
    _, changed, steady = panels(figure)
    (band,) = changed.patches
    times = counts["time"].to_numpy()
    assert band.get_x() == mpl.dates.date2num(times[7])
    assert band.get_width() == pytest.approx(12)
    assert [text.get_text() for text in changed.texts] == [f"{100 * changes['probability'].max():.0f} %"]
    assert not steady.patches
    assert any("a change lies in here" in text for text in words(figure))
    method = plot_counts(counts, changes=changes.assign(direction="method"))
    assert not any(ax.patches for ax in panels(method))


def test_each_orbit_has_its_colour_and_anchorages_are_no_part_of_the_total():
    counts = make_counts([[2, 0, 30], [3, 1, 20], [4, 1, 25]]).assign_coords(
        relative_orbit=("time", [14, 87, 14]),
        orbit_pass=("time", ["ascending", "descending", "ascending"]),
        kind=("pier", ["pier", "pier", "anchorage"]),
    )
    figure = plot_counts(counts.assign(n_low=counts["n_vessels"] - 1, n_high=counts["n_vessels"] + 2))
    total, first, _, anchorage = panels(figure)
    assert dots(total)["filled"] == [2, 5, 4]  # in the order of the orbits
    colours = [line.get_color() for line in first.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert len(set(colours)) == 2
    assert {"relative orbit 14 ascending", "relative orbit 87 descending"} <= set(words(figure))
    assert anchorage.get_ylim()[1] > 32
    assert first.get_ylim()[1] < 7  # the many at anchor do not flatten it


def test_all_missing_draws_crosses_only():
    (ax,) = panels(plot_counts(make_counts([[np.nan], [np.nan]])))
    assert dots(ax) == {"filled": [], "hollow": [], "cross": [pytest.approx(0.06)] * 2}


@pytest.mark.parametrize("n_piers", [1, 6, 17])
def test_every_pier_has_its_panel(n_piers):
    figure = plot_counts(make_counts(np.ones((3, n_piers))), title="Port", is_simulated=True)
    total = ["All piers, where all were seen"] * (n_piers > 1)
    assert [ax.get_title("left") for ax in panels(figure)] == total + [f"Pier {k}" for k in range(n_piers)]
    assert "SIMULATED: Port\n3 passes, 2024-12-03 to 2024-12-27" in words(figure)
    assert not overlap(figure, [ax._left_title for ax in panels(figure)])


@pytest.mark.parametrize("shape", [(0, 1), (0, 6), (3, 0), (1, 1)])
def test_little_to_draw(shape):
    assert picture_bytes(plot_counts(make_counts(np.zeros(shape))), {})


@pytest.mark.parametrize("n_dates", [1, 2, 4, 31, 120])
@pytest.mark.parametrize("n_piers", [1, 6])
def test_dates_can_be_read(n_dates, n_piers):
    figure = plot_counts(make_counts(np.ones((n_dates, n_piers))))
    figure.canvas.draw()
    bottom = panels(figure)[-1]
    labels = [label for label in bottom.get_xticklabels() if label.get_text()]
    assert labels
    assert all(label.get_text().startswith("202") or ":" in label.get_text() for label in labels)
    assert not overlap(figure, labels)
    places = np.diff([label.get_position()[0] for label in labels])
    assert (places < 1.25 * places.min(initial=np.inf)).all()  # even, but for the lengths of months


def test_reports_are_marks_with_their_range_and_those_on_the_port_have_a_panel():
    counts = make_counts([[2, 0], [2, 1]])
    table, axes = counts["n_vessels"], ("time",)
    other = {"n_low": table, "n_high": table, "n_reference_dates": 0 * table, "detectable_length_m": 30 + 0 * table}
    counts = counts.assign(other).assign_coords(relative_orbit=(axes, [87] * 2), kind=("pier", ["pier"] * 2))
    start = pd.Timestamp(counts["time"].to_numpy()[0], tz="UTC")
    rows = {column.name: [BLANK[column.dtype]] * 3 for column in AGREEMENT.columns} | {
        "observation": ["1", "2", "3"], "where": ["Pier 0", "port", "Pier 1"],
        "state": ["agrees", "disagrees", "not_compared"], "low": [1, 4, 9], "high": [3, np.nan, 9],
        "time_from": [start] * 3, "time_to": [start + pd.Timedelta(1, "D")] * 3,
    }  # fmt: skip
    figure = plot_counts(counts, agreement=AGREEMENT.make(rows, [shapely.Point()] * 3))
    panels_by_name = {ax.get_title(loc="left"): ax for ax in panels(figure)}
    assert list(panels_by_name)[1:] == [*map(str, counts["pier"].to_numpy())]
    diamonds = {
        name: [(line.get_ydata()[0], line.get_markerfacecolor()) for line in ax.lines if line.get_marker() == "D"]
        for name, ax in panels_by_name.items()
    }
    assert list(diamonds.values()) == [[(4, "white")], [(2, "#009E73")], []]
    together = next(iter(panels_by_name.values()))
    assert together.lines[0].get_ydata().tolist() == [2, 3]
    assert {"a report that agrees", "a report that does not"} <= set(words(figure))
    assert together.get_ylim()[1] > 4


def test_only_made_up_counts_are_marked():
    assert not any("SIMULATED" in text for text in words(plot_counts(make_counts([[1]]), title="Port")))
    marked = words(plot_counts(make_counts([[1]]), title="SIMULATED harbour", is_simulated=True))
    assert {"SIMULATED", "SIMULATED harbour\n1 pass, 2024-12-03"} <= set(
        marked
    )  # said once in the title, once across the figure


def test_scene_shows_counts_labels_and_mark(seen):
    product, port, vessels = seen
    figure = plot_scene(product, port, vessels)
    said = words(figure)
    counted = vessels["pier"][are_counted(vessels)].value_counts()
    for name in port.piers["name"]:
        assert any(re.match(rf"{name}: {counted.get(name, 0)}( \(|$)", text) for text in said)
    assert "SIMULATED" in said
    anchored = counted.reindex(port.piers["name"][port.piers["kind"] == "anchorage"]).fillna(0).sum()
    apart = f"{counted.sum() - anchored:.0f} vessels at piers, {anchored:.0f} at anchorages, "
    assert any(apart in text for text in said)  # as in the tables and on the page, whose piers are no anchorages
    assert product.scene.id in said
    assert f"sigma0 {product.polarizations[0]} (dB)" in said
    width, height = figure.canvas.get_width_height()
    ax = figure.axes[0]
    labels = [text for text in ax.texts if ":" in text.get_text()]
    assert len(labels) == len(port.piers)
    assert not overlap(figure, labels)
    for text in [*labels, ax._left_title, ax.xaxis.label]:
        box = mpl.text.Text.get_window_extent(text)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_outlines_are_where_the_vessels_are(seen):
    product, port, vessels = seen
    ax = plot_scene(product, port, vessels).axes[0]
    outlines = [line.get_xydata() for line in ax.lines if line.get_zorder() == 4]
    assert len(outlines) == len(vessels)
    centre = np.array([outline[:-1].mean(axis=0) for outline in outlines])
    image = ax.images[0]
    west, east, _, north = image.get_extent()
    values = np.ma.filled(image.get_array(), np.nan)
    step = (east - west) / values.shape[1]
    for x, y in centre:
        row, column = int((north - y) / step), int((x - west) / step)
        around = values[max(row - 4, 0) : row + 5, max(column - 4, 0) : column + 5]
        assert np.nanmax(around) > -8  # decibel; the sea is far darker


def test_scene_is_drawn_soon(seen):
    start = time.process_time()
    picture_bytes(plot_scene(*seen), {})
    assert time.process_time() - start < 4  # it takes one; the rest is for a slow machine


def test_scene_without_vessels_and_with_other_land(seen):
    product, port, vessels = seen
    land = shapely.box(35.81, 34.8, 36.0, 35.0)
    figure = plot_scene(product, port, vessels.iloc[:0], polarization="VH", land=land)
    assert any("0 vessels at piers, 0 at anchorages, 0 elsewhere" in text for text in words(figure))
    unseen = make_coverage(*[(product.scene.id, name, 0.0, land, 40.0, 35.0) for name in port.piers["name"]])
    said = words(plot_scene(product, port, vessels.iloc[:0], coverage=unseen))
    assert {f"{name}: not imaged" for name in port.piers["name"]} <= set(said)
    assert "sigma0 VH (dB)" in words(figure)


def test_port_that_is_not_in_the_image_is_drawn_unseen(seen):
    product, port, vessels = seen
    far = Port(name="Far", piers=port.piers.set_geometry(port.piers.translate(30, 10)))
    figure = plot_scene(product, far, vessels.iloc[:0])
    assert np.isnan(np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)).all()
    assert picture_bytes(figure, {})


def test_many_piers_close_together_keep_their_labels_apart(seen):
    product, port, vessels = seen
    first = port.piers.iloc[[0]]
    crowd = first.loc[first.index.repeat(9)].reset_index(drop=True)
    crowd["name"] = [f"Berth {k}" for k in range(9)]
    crowd = crowd.set_geometry([shapely.Point(35.8 + 0.001 * k, 34.9) for k in range(9)])
    figure = plot_scene(product, Port(name="Crowd", piers=crowd), vessels.iloc[:0])
    assert not overlap(figure, [text for text in figure.axes[0].texts if ":" in text.get_text()])


def test_picture_is_a_png_that_carries_its_texts():
    texts = {"Software": "sarship 1", "Comment": json.dumps({"port": "Hamn – Ö"})}
    with Image.open(io.BytesIO(picture_bytes(plot_counts(make_counts([[1]])), texts))) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 200
        assert {name: image.info[name] for name in texts} == texts


def test_no_global_figure_state(seen):
    """Drawing needs no pyplot, so no display, and leaves nothing behind."""
    before = "matplotlib.pyplot" in sys.modules
    plot_scene(*seen)
    plot_counts(make_counts([[1]]))
    assert ("matplotlib.pyplot" in sys.modules) == before
    managers = sys.modules.get("matplotlib._pylab_helpers")
    assert managers is None or not managers.Gcf.get_all_fig_managers()


def test_settings_for_tex_do_not_stop_a_picture():
    """Whoever sets them for papers may run the command where there is no TeX."""
    with mpl.rc_context({"text.usetex": True}):
        figure = new_figure((2.0, 2.0))
        figure.add_subplot().set_title("S1A_IW 100 % & #1")
        assert picture_bytes(figure, {}).startswith(b"\x89PNG")
