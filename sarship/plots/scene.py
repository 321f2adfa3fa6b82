"""Quick look of a port in one scene: brightness, coast, piers, and outlines of vessels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sarship.plots.local_map import look_deg, map_of, sigma0_on_map
from sarship.plots.mapping import draw_frame, draw_land, draw_piers, draw_radar, draw_vessels, label_piers, vessel_marks
from sarship.plots.pier_states import pier_states, total_text
from sarship.plots.style import LAND_TEXT, PIER, UNSEEN, finished, literal, new_figure, titled

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

    from sarship.port.port_file import Port
    from sarship.sentinel1.radar_image import RadarImage

__all__ = ["plot_scene"]


def plot_scene(
    product: RadarImage,
    port: Port,
    vessels: gpd.GeoDataFrame,
    *,
    coverage: gpd.GeoDataFrame | None = None,
    polarization: str | None = None,
    land: BaseGeometry | None = None,
) -> Figure:
    """Plot a port as the radar saw it, north up: brightness, coast, piers and outlines of vessels.

    Parameters
    ----------
    product
        The scene; its denoised sigma0 is drawn in decibel.
    port
        Piers, land and water.
    vessels
        `schema.VESSELS`; those of this scene are drawn.
    coverage
        `schema.COVERAGE`; a pier that the scene does not show in full says so, in place of its count. None if it shows
        all.
    polarization
        Polarization to draw; by default the product's first.
    land
        Outline to draw besides the port's own land.

    Returns
    -------
    matplotlib.figure.Figure
        A map.

    Raises
    ------
    ProductError
        If the polarization cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import geopandas as gpd
    >>> from shapely import LineString
    >>> import sarship as ss
    >>> from sarship.schema import VESSELS
    >>> from sarship.simulate import ProductParams, simulate_product
    >>> folder = tempfile.TemporaryDirectory()
    >>> path, _ = simulate_product(folder.name, ProductParams(shape=(64, 80)), n_vessels=1)
    >>> quay = {"name": ["Quay"], "kind": ["pier"], "max_distance_m": [50.0]}
    >>> piers = gpd.GeoDataFrame(quay, geometry=[LineString([(35.80, 34.90), (35.81, 34.90)])], crs="EPSG:4326")
    >>> figure = plot_scene(ss.open_grd(path), ss.Port(name="Tartus", piers=piers), VESSELS.empty())
    >>> figure.axes[0].get_title(loc="left").splitlines()
    ['SIMULATED: Tartus, 2024-12-03 15:42 UTC', 'S1A ascending, relative orbit 49', '0 vessels at piers, ...']
    >>> folder.cleanup()
    """
    polarization = polarization or product.check_polarizations()[0]
    is_simulated = product.is_simulated
    local = map_of(port.piers.union_all())
    here = vessels[vessels["scene"] == product.scene.id]
    coverage = coverage if coverage is None else coverage[coverage["scene"] == product.scene.id]
    figure = new_figure((8.6, 7.0 * local.height_m / local.width_m + 1.5))  # the map is 7 wide beside its colour bar
    ax = figure.subplots()
    draw_radar(ax, local, sigma0_on_map(product, polarization, local), polarization, "sigma0")
    draw_land(ax, local, [port.land, port.exclude, land])
    draw_vessels(ax, local, here)
    draw_piers(ax, local, port.piers)
    texts = {name: state.short for name, state in pier_states(port.piers["name"], here, coverage).items()}
    label_piers(ax, local, port.piers, vessels=here, texts=texts, inches=7.0)
    draw_frame(ax, local, look_deg=look_deg(product))
    when = f"{product.scene.start:%Y-%m-%d %H:%M} UTC"
    heading = titled(f"{port.name}, {when}", is_simulated)
    orbit = f"{product.scene.platform} {product.scene.orbit_pass}, relative orbit {product.scene.relative_orbit}"
    ax.set_title(
        f"{heading}\n{orbit}\n{total_text(here, port.piers)}, by this image alone",
        loc="left",
        fontsize=11,
    )
    ax.set_xlabel(literal(product.scene.id), fontsize=7, color="#666666")
    handles = [
        *vessel_marks(),
        Line2D([], [], color=PIER, lw=2, label="pier: vessels"),
        Line2D([], [], color=LAND_TEXT, lw=1.6, label="land, excluded"),
        Patch(color=UNSEEN, label="not imaged"),
    ]
    return finished(figure, handles, is_simulated=is_simulated)
