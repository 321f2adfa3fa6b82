"""A port's page: the date, the empty port, their ratio, and what was counted."""

from dataclasses import replace

import numpy as np
import pytest

from sarship.grd import open_grd
from sarship.model import Hits
from sarship.piers import read_port
from sarship.pipeline import search
from sarship.plots import plot_port_page
from sarship.portgrid import PortGrid, to_port_grid


@pytest.fixture(scope="module")
def date(harbour):
    port = read_port(harbour.port_file)
    image = to_port_grid(open_grd(harbour.products[0]), PortGrid.around(port.area))
    return image, port, search(harbour.products[:1], port=port).vessels


def test_the_ratio_is_of_the_date_over_the_empty_port(date):
    image, port, vessels = date
    power = image.to_numpy()[0]
    line, pixel = np.array([100, 120]), np.array([50, 60])
    hits = replace(Hits.empty(), line=line, pixel=pixel)
    figure = plot_port_page(image, port, hits, vessels, expected=power / 4)
    radar, empty, ratio, found = figure.axes[:4]
    shown = np.ma.filled(ratio.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown[power > 0], 10 * np.log10(4), rtol=1e-5)
    np.testing.assert_allclose(
        (radar.images[0].get_array() - empty.images[0].get_array())[power > 0], 10 * np.log10(4), rtol=1e-5
    )
    (squares,) = [drawn for drawn in found.lines if drawn.get_marker() == "s"]
    np.testing.assert_array_equal(squares.get_xdata(), image["x"].to_numpy()[pixel])
    np.testing.assert_array_equal(squares.get_ydata(), image["y"].to_numpy()[line])
    lengths = [text.get_text() for text in found.texts]
    assert {f"{length:.0f}" for length in vessels["length_m"]} <= set(lengths)


def test_a_date_without_a_backdrop_says_so(date):
    image, port, vessels = date
    figure = plot_port_page(image, port, Hits.empty(), vessels.iloc[:0], is_simulated=True)
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert words.count("no backdrop:\ncounted from this image alone") == 2
    assert figure.get_suptitle().startswith("SIMULATED")
