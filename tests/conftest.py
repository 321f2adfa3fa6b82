# ruff: noqa: PLC0415  (the simulator is imported when a fixture is first used, so that light tests stay light)
"""Simulated products that any test may read. Made once a session, on first use, in a second or two;
do not write to them.

| fixture | gives |
|---|---|
| `iw_product` | `(path, truth)`: IW GRDH, VV + VH, ascending, 600 x 720 off Tartus, eight vessels, open sea |
| `ew_product` | `(path, truth)`: EW GRDM, HH + HV, descending, 300 x 400, three vessels |
| `stripmap_product` | `(path, truth)`: S4 GRDH, HH, 200 x 240, two vessels; no azimuth noise blocks |
| `old_product` | `(path, truth)`: IW as before IPF 2.9: zipped, noise in the old format, border noise 20 pixels wide |
| `three_dates` | three small products with short names and cloud-optimised images, the fourth of their dates missing |
| `harbour` | a `sarship.simulate.PortSeries` of four passes of 700 x 700 pixels: a COG twin, a new one, VV alone, cut |
| `harbour_survey` | `(folder, port, results)`: a survey of those passes; copy the folder before you change it |

For the catalogues: `archive` (a folder of products: two dates, one of them twice), `plain`, `mirror` and `cogs` (the
same dates as they were made, with short names, and cloud-optimised), and the name of each provider for it, opened on a
server that has those dates.

`truth` is a GeoDataFrame, one row a vessel: `time, scene, pier, longitude, latitude, length_m, width_m, heading_deg,
line, pixel, rcs_m2`. For anything else call `sarship.simulate.simulate_product` with a `tmp_path`.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd
    from servers.asf import AsfServer
    from servers.cdse import CdseServer
    from servers.dhus import DhusServer
    from servers.stac import StacServer

    from sarship.catalog.query import Catalog
    from sarship.pipeline.results import Results
    from sarship.port import Port
    from sarship.simulate import PortSeries, ProductParams

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""For the workers, and the commands that tests run: they share the cores, and a thread of OpenBLAS that waits for
another keeps one busy."""

settings.register_profile("thorough", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])

DATA = Path(os.environ.get("SARSHIP_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Real data for validation; absent on most machines."""


@pytest.fixture(autouse=True)
def every_host_may_be_asked() -> Iterator[None]:
    """Forget which hosts asked to be left alone: the next server may have the same port."""
    yield
    left_alone = sys.modules.get("sarship.download.left_alone")
    if left_alone is not None:
        for host in left_alone._ENDS:
            with suppress(OSError):
                left_alone._note(host).unlink()
        left_alone._ENDS.clear()


LONGEST = ("test_docs.py", "faults", "pipeline", "cli", "cfar", "report")
"""Parts of the paths of modules that take longest: workers that begin with them end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules that take longest first."""
    ranks = {part: rank for rank, part in enumerate(LONGEST)}
    items.sort(key=lambda item: min((ranks.get(part, len(ranks)) for part in item.path.parts), default=len(ranks)))


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
def harbour(tmp_path_factory: pytest.TempPathFactory) -> PortSeries:
    """A small port over four passes of two platforms: five piers (the Naval mole always empty) and an anchorage."""
    from sarship.simulate import simulate_port_series

    return simulate_port_series(tmp_path_factory.mktemp("harbour"), seed=5, n_dates=4)


@pytest.fixture(scope="session")
def harbour_survey(harbour: PortSeries, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Port, Results]:
    """Folder, port and results of a survey of the harbour."""
    from sarship import read_port, survey

    folder = tmp_path_factory.mktemp("harbour_survey") / "out"
    port = read_port(harbour.port_file)
    return folder, port, survey(harbour.products, port, folder)


def _dates(**options: object) -> list[ProductParams]:
    """Two dates over Tartus, 2024-12-03 and 2024-12-15."""
    from sarship.simulate import ProductParams

    first = ProductParams(shape=(64, 80))
    same = {name: getattr(first, name) for name in first.__dataclass_fields__} | options
    later = {"time": first.time + timedelta(days=12), "absolute_orbit": first.absolute_orbit + 175}
    return [ProductParams(**same), ProductParams(**{**same, **later})]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, plain: list[Path], cogs: list[Path]) -> Path:
    """Two dates: the first as plain product and cloud-optimised twin, the second as a zip; and something else."""
    from servers.cdse import as_zip

    folder = tmp_path_factory.mktemp("archive")
    for product in (plain[0], cogs[0]):
        shutil.copytree(product, folder / "deep" / product.name)
    (folder / "deep" / f"{plain[1].stem}.zip").write_bytes(as_zip(plain[1]))
    (folder / "notes.txt").write_text("not a product")
    return folder


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two dates of the archive as a mirror holds them."""
    from servers.stac import make_mirrored

    return [make_mirrored(tmp_path_factory.mktemp("mirror"), date, n_vessels=1, seed=7) for date in _dates()]


@pytest.fixture(scope="session")
def cogs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two dates of the archive as cloud-optimised products."""
    from sarship.simulate import simulate_product

    folder = tmp_path_factory.mktemp("cogs")
    return [simulate_product(folder, date, n_vessels=1, seed=7)[0] for date in _dates(layout="cog")]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two dates of the archive as the producer packs them."""
    from sarship.simulate import simulate_product

    folder = tmp_path_factory.mktemp("plain")
    return [simulate_product(folder, date, n_vessels=1, seed=7)[0] for date in _dates()]


@pytest.fixture(scope="session")
def store(cogs: list[Path], mirror: list[Path]) -> Iterator[str]:
    """Address of an S3 store with the products of each provider."""
    from servers.cdse import s3_prefix, serve_s3

    eodata = {s3_prefix(path): path for path in cogs}
    amazon = {f"GRD/{path.name.rpartition('_')[0]}": path for path in mirror}
    with serve_s3({"eodata": eodata, "sentinel-s1-l1c": amazon}) as address:
        yield address


@pytest.fixture
def local(archive: Path) -> Catalog:
    from sarship.catalog import open_catalog

    return open_catalog("local", archive)


@pytest.fixture
def stac(mirror: list[Path]) -> Iterator[StacServer]:
    from servers.stac import serve_stac

    with serve_stac() as server:
        for product in mirror:
            server.add(product)
        yield server


@pytest.fixture
def planetary(stac: StacServer) -> Catalog:
    from sarship.catalog import open_catalog

    return open_catalog("planetary", stac.address)


@pytest.fixture
def copernicus(cogs: list[Path]) -> Iterator[CdseServer]:
    from servers.cdse import serve_cdse

    with serve_cdse() as server:
        for product in cogs:
            server.add(product)
        yield server


@pytest.fixture
def cdse(copernicus: CdseServer, store: str, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    from servers.cdse import IDENTITY, KEY, ODATA, PASSWORD, SECRET, USER

    from sarship.catalog.cdse import CdseCatalog

    for name, value in {"USER": USER, "PASSWORD": PASSWORD, "S3_ACCESS_KEY": KEY, "S3_SECRET_KEY": SECRET}.items():
        monkeypatch.setenv(f"CDSE_{name}", value)
    host = copernicus.host
    return CdseCatalog(address=copernicus.address, odata=host + ODATA, identity=host + IDENTITY, store=store)


@pytest.fixture
def amazon(mirror: list[Path]) -> Iterator[StacServer]:
    from servers.stac import scene_of, serve_stac

    with serve_stac() as server:
        server.base = "s3://sentinel-s1-l1c/GRD"
        for product in mirror:
            item, scene = server.add(product), scene_of(product)
            item["properties"] |= {"s1:processing_datetime": f"{scene.processed:%Y-%m-%dT%H:%M:%S.%fZ}"}
            item["properties"] |= {"s1:product_identifier": scene.id}
        yield server


@pytest.fixture
def earth_search(amazon: StacServer, store: str, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    from servers.cdse import KEY, SECRET

    from sarship.catalog.earth_search import EarthSearchCatalog

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return EarthSearchCatalog(address=amazon.address, requester_pays=True, store=store)


@pytest.fixture
def alaska(plain: list[Path]) -> Iterator[AsfServer]:
    from servers.asf import serve_asf

    with serve_asf() as server:
        for product in plain:
            server.add(product)
        yield server


@pytest.fixture
def hub(plain: list[Path]) -> Iterator[DhusServer]:
    from servers.dhus import serve_dhus

    with serve_dhus() as server:
        for product in plain:
            server.add(product)
        yield server


@pytest.fixture
def dhus(hub: DhusServer, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    from servers.dhus import PASSWORD, USER

    from sarship.catalog import open_catalog

    monkeypatch.setenv("DHUS_USER", USER)
    monkeypatch.setenv("DHUS_PASSWORD", PASSWORD)
    return open_catalog("dhus", hub.address)


@pytest.fixture
def asf(alaska: AsfServer, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    from servers.asf import IDENTITY, PASSWORD, USER

    from sarship.catalog.asf import AsfCatalog

    monkeypatch.setenv("EARTHDATA_USERNAME", USER)
    monkeypatch.setenv("EARTHDATA_PASSWORD", PASSWORD)
    return AsfCatalog(address=alaska.host, identity=alaska.host + IDENTITY)


@pytest.fixture(scope="session")
def three_dates(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three small products (200 x 240, VV) as a mirror holds them, of days 0, 12 and 36: one pass is missing."""
    from dataclasses import replace
    from datetime import timedelta

    from servers.stac import make_mirrored

    from sarship.simulate import ProductParams

    folder, first = tmp_path_factory.mktemp("three"), ProductParams(shape=(200, 240), polarizations=("VV",))
    dates = [
        replace(first, time=first.time + timedelta(days=12 * k), absolute_orbit=first.absolute_orbit + 175 * k)
        for k in (0, 1, 3)
    ]
    return [make_mirrored(folder, date, n_vessels=2, seed=k) for k, date in enumerate(dates)]
