# ruff: noqa: PLC0415  (the simulator is imported when a fixture is first used, so that light tests stay light)
"""Made-up products that any test may read. Made once a session, on first use, in a second or two; do not write to them.

| fixture | gives |
|---|---|
| `iw_product` | `(path, truth)`: IW GRDH, VV + VH, ascending, 600 x 720 off Tartus, eight vessels, open sea |
| `ew_product` | `(path, truth)`: EW GRDM, HH + HV, descending, 300 x 400, three vessels |
| `stripmap_product` | `(path, truth)`: S4 GRDH, HH, 200 x 240, two vessels; no azimuth noise blocks |
| `old_product` | `(path, truth)`: IW as before IPF 2.9: zipped, noise in the old format, border noise 20 pixels wide |
| `harbour` | a `sarship.simulate.Harbour`: port file, four dates of 700 x 700 pixels (VV + VH), truth and `counts()` |

`truth` is a GeoDataFrame, one row a vessel: `time, scene, pier, longitude, latitude, length_m, width_m, heading_deg,
line, pixel, rcs_m2`. For anything else call `sarship.simulate.simulate_product` with a `tmp_path`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import geopandas as gpd

    from sarship.simulate import Harbour

DATA = Path(os.environ.get("SARSHIP_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Real data for validation; absent on most machines."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or a skip that says so."""
    if not DATA.is_dir():
        pytest.skip(f"real data not found at {DATA}; set SARSHIP_DATA")
    return DATA


@pytest.fixture(scope="session")
def iw_product(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, gpd.GeoDataFrame]:
    """IW GRDH dual-polarised product, 600 x 720, with eight vessels on open sea, and their truth."""
    from sarship.simulate import simulate_product

    return simulate_product(tmp_path_factory.mktemp("iw"), seed=1)


@pytest.fixture(scope="session")
def ew_product(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, gpd.GeoDataFrame]:
    """EW GRDM product, HH and HV, 300 x 400, descending, with three vessels, and their truth."""
    from sarship.simulate import ProductParams, simulate_product

    params = ProductParams(
        mode="EW", polarizations=("HH", "HV"), orbit_pass="descending", shape=(300, 400), incidence_deg=30.0
    )
    return simulate_product(tmp_path_factory.mktemp("ew"), params, n_vessels=3, seed=2)


@pytest.fixture(scope="session")
def stripmap_product(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, gpd.GeoDataFrame]:
    """Stripmap GRDH product of Sentinel-1C, HH alone, 200 x 240, with two vessels, and their truth."""
    from sarship.simulate import ProductParams, simulate_product

    params = ProductParams(mode="S4", platform="S1C", polarizations=("HH",), shape=(200, 240))
    return simulate_product(tmp_path_factory.mktemp("stripmap"), params, n_vessels=2, seed=3)


@pytest.fixture(scope="session")
def old_product(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, gpd.GeoDataFrame]:
    """Zipped IW product as before IPF 2.9: old noise format, noise in its border, and the truth of four vessels."""
    from sarship.simulate import ProductParams, simulate_product

    params = ProductParams(
        shape=(400, 480), noise="old", border_pixels=20, has_border_noise=True, is_zipped=True, absolute_orbit=4739
    )
    return simulate_product(tmp_path_factory.mktemp("old"), params, n_vessels=4, seed=4)


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Harbour:
    """A small port over four dates: five piers (the Naval mole always empty), an anchorage; the third date is quiet."""
    from sarship.simulate import simulate_harbour

    return simulate_harbour(tmp_path_factory.mktemp("harbour"), seed=5, n_dates=4)
