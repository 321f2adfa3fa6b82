"""A port file drawn over its port."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image

from sarship.errors import OutputError, ProductError
from sarship.pipeline.pictures import write_preview
from sarship.plots import plot_preview
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import read_port
from sarship.port.stack import add_scene, read_stack
from sarship.sentinel1.product import open_grd


@pytest.fixture(scope="module")
def stack(harbour, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    grid = PortGrid.around(read_port(harbour.port_file).area)
    for path in (one.slices[0] for one in harbour.passes[:2]):
        add_scene(folder, path.name, to_port_grid(open_grd(path), grid))
    return read_stack(folder)


def test_piers_lie_on_the_quays_that_the_radar_saw(harbour, stack):
    port = read_port(harbour.port_file)
    ax = plot_preview(stack, port).axes[0]
    image = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert image.shape == stack["sigma0"].shape[2:]
    west, east, south, north = ax.images[0].get_extent()
    bright = []
    for line in ax.lines:
        if line.get_color() == "#56B4E9" and line.get_linestyle() == "-":
            x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
            along = [
                shapely.LineString(np.column_stack([x, y])).interpolate(s, normalized=True)
                for s in np.linspace(0, 1, 50)
            ]
            rows = [int((north - p.y) / (north - south) * image.shape[0]) for p in along]
            columns = [int((p.x - west) / (east - west) * image.shape[1]) for p in along]
            bright.append(np.nanmedian(image[rows, columns]))
    sea = np.nanmedian(image)
    assert sum(level > sea + 6 for level in bright) >= 4  # all but the anchorage and a sheltered mole
    words = [text.get_text() for text in ax.texts]
    assert set(port.piers["name"]) <= set(words)
    assert "2 dates" in ax.get_title(loc="left")


def test_aprons_are_drawn_and_named(harbour, stack):
    port = read_port(harbour.port_file)
    *_, east, north = port.area.bounds
    yard = shapely.box(east - 0.004, north - 0.004, east - 0.001, north - 0.002)
    aprons = gpd.GeoDataFrame({"name": ["Yard"], "surface": [""]}, geometry=[yard], crs=4326)
    outlines = [
        sum(line.get_color() == "#56B4E9" and line.get_linestyle() == "-" for line in ax.lines)
        for ax in (plot_preview(stack, each).axes[0] for each in (port, replace(port, aprons=aprons)))
    ]
    assert outlines[1] == outlines[0] + 1
    assert "Yard" in [text.get_text() for text in plot_preview(stack, replace(port, aprons=aprons)).axes[0].texts]


def test_preview_is_written_whole_and_says_what_it_cannot_do(harbour, tmp_path):
    port = read_port(harbour.port_file)
    done = []
    path = write_preview(harbour.products[:1], port, tmp_path / "p.png", progress=lambda *step: done.append(step))
    with Image.open(path) as picture:
        assert picture.size[0] > 500
    assert done == [(1, 1)]
    with pytest.raises(OutputError, match=r"no/p\.png"):
        write_preview(harbour.products[:1], port, tmp_path / "no" / "p.png")
    with pytest.raises(ProductError, match=r"no\.SAFE"):
        write_preview([tmp_path / "no.SAFE"], port, tmp_path / "q.png")
    assert not (tmp_path / "q.png").exists()
