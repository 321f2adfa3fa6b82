"""The picture of arrivals and departures."""

import numpy as np
import pandas as pd
import pytest
from builders.tables import PIERS, make_coverage, make_scenes, make_vessels
from matplotlib.dates import num2date

from sarship.counts.by_pier import count_by_pier
from sarship.counts.visits import find_visits
from sarship.plots import plot_visits

DAYS = ["d1", "d2", "d3"]


def drawn(*rows, coverage=None):
    scenes = make_scenes(*[(day, f"2024-12-0{i}") for i, day in enumerate(DAYS, 1)])
    coverage = make_coverage(*[(day, pier, 1.0) for day in DAYS for pier in "AB"]) if coverage is None else coverage
    tables = (make_vessels(*rows), PIERS, scenes, coverage)
    return plot_visits(find_visits(*tables), count_by_pier(*tables), title="Port")


def marks(ax, marker):
    """Day of the month and lane of every mark of a kind."""
    days = [pd.DatetimeIndex(line.get_xdata()).day for line in ax.lines if line.get_marker() == marker]
    lanes = [np.asarray(line.get_ydata()) for line in ax.lines if line.get_marker() == marker]
    return [(day, lane) for pair in zip(days, lanes, strict=True) for day, lane in zip(*pair, strict=True)]


def bars(ax, *, pale):
    """First and last day and lane of every piece of a bar; None for the border."""
    border = ax.get_xlim()
    pieces = [line for line in ax.lines if line.get_linewidth() == 4 and (line.get_alpha() < 1) == pale]
    found = []
    for line in pieces:
        ends = [None if np.isclose(x, border).any() else num2date(x).day for x in line.get_xydata()[:, 0]]
        found.append((*ends, line.get_ydata()[0]))
    return sorted(found, key=str)


def test_a_bar_goes_from_the_first_to_the_last_pass_and_says_how_it_ends():
    here = {"longitude": 35.81, "latitude": 34.91}
    (ax,) = drawn(("d1", "A", here), ("d2", "A", here), ("d3", "B", here)).axes
    assert marks(ax, "o") == [(1, 5), (2, 5), (3, 1), (3, 1)]  # the first pier above the second
    assert marks(ax, ">") == [(3, 1)]  # the other was there on the first pass: nobody knows since when
    assert marks(ax, "|") == [(2, 5)]
    assert bars(ax, pale=False) == [(1, 2, 5)]
    assert bars(ax, pale=True) == [(3, None, 1), (None, 1, 5)]


def test_a_bar_is_pale_where_the_pier_was_not_seen():
    here = {"longitude": 35.81, "latitude": 34.91}
    coverage = make_coverage(*[(day, "A", day != "d2") for day in DAYS])
    (ax,) = drawn(("d1", "A", here), ("d3", "A", here), coverage=coverage).axes
    assert bars(ax, pale=False) == []
    assert bars(ax, pale=True) == [(1, 3, 5), (3, None, 5), (None, 1, 5)]
    assert {text.get_text() for text in ax.texts} == {"never seen"}  # the other pier


def test_vessels_of_one_time_lie_in_lanes_of_their_own_and_free_lanes_are_taken_again():
    rows = [("d1", "A", {"length_m": 40.0}), ("d1", "A", {"length_m": 150.0}), ("d3", "A", {"length_m": 60.0})]
    ax = drawn(*rows).axes[0]
    ends = [line for line in ax.lines if line.get_marker() == "o"]
    assert [tuple(end.get_ydata()) for end in ends] == [(5, 5), (6, 6), (5, 5)]  # the longest lowest
    assert len({end.get_color() for end in ends}) == 3  # three classes of length


def test_a_pier_that_was_not_seen_has_a_cross_there():
    coverage = make_coverage(("d1", "A", 1.0), ("d2", "A", 0.2), ("d3", "A", 1.0))
    (ax,) = drawn(coverage=coverage).axes
    assert marks(ax, "x") == [(2, 4), (1, 0), (2, 0), (3, 0)]


@pytest.mark.parametrize("n_piers", [1, 2])
def test_little_to_draw(n_piers):
    tables = (make_vessels(), PIERS.iloc[:n_piers], make_scenes(("d1", "2024-12-01")), make_coverage(("d1", "A", 1.0)))
    plot_visits(find_visits(*tables), count_by_pier(*tables), is_simulated=True).canvas.draw()
