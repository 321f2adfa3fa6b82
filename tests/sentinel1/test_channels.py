"""A channel without an image is left out and said: it is not an empty sea."""

import shutil
import struct
import warnings
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import rasterio
from builders.manifests import relist
from builders.port_files import feature, write
from click.testing import CliRunner
from shapely import LineString, box

from sarship.cli import main
from sarship.detection.seen import coverage
from sarship.detection.single_image import detect
from sarship.errors import ProductError, ProductWarning
from sarship.pipeline.result_files import read_results
from sarship.pipeline.surveys import survey
from sarship.port.grid import PortGrid, to_port_grid
from sarship.port.port_file import read_port
from sarship.sentinel1.channels import channel_faults, cross_over_co, sample_of
from sarship.sentinel1.product import open_grd
from sarship.sentinel1.verify import check_product
from sarship.simulate import ProductParams, Vessel, simulate_product
from sarship.simulate.safe.package import zip_folder
from sarship.vessels.find import find_vessels


def _write(product, polarization, change):
    (path,) = product.glob(f"measurement/*-{polarization.lower()}-*.tiff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an image without a map
        with rasterio.open(path, "r+") as image:
            image.write(change(image.read(1)), 1)


def _pixels(product, polarization):
    (path,) = product.glob(f"measurement/*-{polarization.lower()}-*.tiff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as image:
            return image.read(1)


@pytest.fixture
def product(tmp_path):
    ship = Vessel(longitude=35.8, latitude=34.9, length_m=200.0, rcs_m2=100_000.0)
    params = ProductParams(longitude=35.8, latitude=34.9, shape=(200, 240))
    return simulate_product(tmp_path, params, vessels=[ship], seed=4)[0]


FAULTS = {
    "holds no data": np.zeros_like,
    "darker than the product's own noise": np.ones_like,
}


@pytest.mark.parametrize(("reason", "change"), FAULTS.items())
@pytest.mark.parametrize("polarization", ["VV", "VH"])
def test_the_other_channel_finds_the_ship(product, polarization, reason, change):
    _write(product, polarization, change)
    opened = open_grd(product)
    with pytest.warns(ProductWarning, match=rf"{polarization} .*{reason}.* left out"):
        hits = detect(opened)
    assert list(hits.sigma0) == [name for name in ("VV", "VH") if name != polarization]
    assert len(find_vessels(hits, opened)) == 1
    row = coverage(opened, {"quay": opened.scene.footprint}).iloc[0]
    assert row["seen"] == pytest.approx(1.0, abs=1e-4)
    assert 10 < row["detectable_length_m"] < 80
    image = to_port_grid(opened, PortGrid.around(opened.scene.footprint, 0))
    assert image.sel(polarization=polarization).isnull().all()
    assert image.notnull().any()


def test_copies_are_one_channel(product):
    copy = _pixels(product, "VH")
    _write(product, "VV", lambda _: copy)
    with pytest.warns(ProductWarning, match=r"VH is the same image as VV"):
        hits = detect(open_grd(product))
    assert list(hits.sigma0) == ["VV"]


def test_no_channel_is_no_look(product):
    for polarization in ("VV", "VH"):
        _write(product, polarization, np.ones_like)
    opened = open_grd(product)
    with pytest.warns(ProductWarning, match=r"nothing was seen"):
        assert not len(detect(opened))
    assert coverage(opened, {"quay": opened.scene.footprint})["seen"].tolist() == [0.0]
    assert to_port_grid(opened, PortGrid.around(opened.scene.footprint, 0)).isnull().all()


def test_a_half_blank_channel_is_left_out_where_it_is_blank(product, monkeypatch):
    def upper_half_gone(image):
        image[:100] = 0
        return image

    monkeypatch.setattr("sarship.detection.bands.BAND_PIXELS", 50 * 240)
    _write(product, "VV", upper_half_gone)
    opened = open_grd(product)
    with pytest.warns(ProductWarning, match=r"VV holds no data and was left out"):
        hits = detect(opened)
    assert np.isnan(hits.sigma0["VV"][hits.line < 50]).all()
    assert len(find_vessels(hits, opened)) == 1


def test_a_calm_sea_is_an_image(tmp_path):
    path, _ = simulate_product(tmp_path, ProductParams(shape=(100, 100), wind_m_s=1.0), n_vessels=0, seed=2)
    product = open_grd(path)
    line, pixel = sample_of(product.window())
    numbers = {name: product.digital_numbers(name)[line, pixel] for name in product.polarizations}
    assert channel_faults(product, numbers, line, pixel) == {}


@pytest.mark.slow
def test_a_date_without_vv_says_nothing_of_quays_and_counts_anchorages_by_vh(harbour, tmp_path):
    *others, last = harbour.products
    copy = tmp_path / last.name
    shutil.copytree(last, copy)
    _write(copy, "VV", np.zeros_like)
    with pytest.warns(ProductWarning, match=r"VV holds no data and was left out"):
        results = survey([*others, copy], read_port(harbour.port_file), tmp_path / "out")
    piers = read_port(harbour.port_file).piers.set_index("name")["kind"]
    of_last = results.coverage[results.coverage["scene"] == last.stem].set_index("pier")
    assert (of_last["seen"] > 0.95).equals(piers.loc[of_last.index] == "anchorage")
    assert not set(results.vessels["pier"][results.vessels["scene"] == last.stem]) & set(piers.index[piers == "pier"])
    # the pass has a second slice, which shows the coal quay
    counts = results.counts["n_vessels"]
    missing = counts.isnull().to_numpy()
    assert counts["pier"][missing[-1]].to_numpy().tolist() == [
        "South jetty",
        "Oil jetty",
        "Naval mole",
        "Container quay",
    ]
    assert not missing[:-1].any()


def _forget_strips(path):
    """Clear a TIFF's tags of where its strips lie and how long they are, which makes all of its pixels 0."""
    content = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", content, 4)
    (n_tags,) = struct.unpack_from("<H", content, directory)
    for entry in range(directory + 2, directory + 2 + 12 * n_tags, 12):
        tag, kind, number, place = struct.unpack_from("<HHII", content, entry)
        if tag in {273, 279}:
            size = number * {3: 2, 4: 4}[kind]
            content[place : place + size] = bytes(size)
    path.write_bytes(content)


def test_the_command_counts_by_the_other_channel_whatever_the_form(tmp_path):
    """Single image and against the reference: blank, by a tag, darker than noise, and a copy, a date of each.

    VH serves an anchorage. At a quay nothing is told apart by it, so a count without VV is missing, and no zero.
    """
    first = ProductParams(longitude=35.8, latitude=34.9, shape=(100, 120))
    ship = Vessel(longitude=35.8, latitude=34.9, length_m=200.0, rcs_m2=100_000.0)
    dates = [
        replace(first, time=first.time + timedelta(days=12 * k), absolute_orbit=first.absolute_orbit + 175 * k)
        for k in range(8)
    ]
    empty = [simulate_product(tmp_path, date, vessels=[], seed=k)[0] for k, date in enumerate(dates[:4])]
    faulty = [simulate_product(tmp_path, date, vessels=[ship], seed=k)[0] for k, date in enumerate(dates[4:])]
    blank, tagged, dark, copied = faulty
    _write(blank, "VV", np.zeros_like)
    _forget_strips(next(tagged.glob("measurement/*-vv-*")))
    _write(dark, "VV", np.ones_like)
    _write(copied, "VV", lambda _: _pixels(copied, "VH"))
    places = {
        "pier": LineString([(35.7995, 34.8985), (35.7995, 34.9015)]),
        "anchorage": box(35.799, 34.8985, 35.801, 34.9015),
    }

    def count(kind, products, name, *options):
        out = tmp_path / kind / name
        port = write(tmp_path, [feature("Place", kind, places[kind])])
        arguments = ["count", port, *products, "--out", out, "--no-pictures", *options]
        ended = CliRunner().invoke(main, [str(each) for each in arguments])
        assert ended.exit_code == 0, ended.output
        return read_results(out).counts.isel(pier=0), ended.stderr

    for kind, expected in (("pier", [np.nan] * 3 + [1]), ("anchorage", [1] * 4)):
        counts, said = count(kind, empty, "empty")
        assert counts["n_vessels"].to_numpy().tolist() == [0] * 4
        assert "left out" not in said
        (reference,) = tmp_path.glob(f"{kind}/empty/references/*.nc")
        for options in (["--no-reference"], ["--reference", reference]):
            counts, said = count(kind, faulty, options[0], *options)
            for product, what in zip(
                faulty, ("holds no data", "holds no data", "is darker", "VH is the same"), strict=True
            ):
                assert any(product.stem in line and what in line and "left out" in line for line in said.splitlines())
            np.testing.assert_array_equal(counts["n_vessels"], expected)
            assert counts["seen"].to_numpy() == pytest.approx(np.isfinite(expected).astype(float), abs=0.01)
            if kind == "pier":  # an anchorage has no ground to be coregistered on
                assert bool(counts["n_reference_dates"][-1] > 0) == ("--reference" in options)


def _exchange(product):
    """Give each image the name of the other."""
    first, second = sorted(product.glob("measurement/*"))
    aside = first.rename(product / "aside")
    second.rename(first)
    aside.rename(second)


EXCHANGED = "VH is .* times as bright as VV, .*: the two files are exchanged"


@pytest.mark.parametrize("is_listed", [False, True], ids=["", "manifest rewritten"])
@pytest.mark.parametrize("is_zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("layout", ["plain", "cog", "short"])
def test_exchanged_channels_are_noticed(tmp_path, layout, is_zipped, is_listed):
    product, _ = simulate_product(tmp_path, ProductParams(shape=(100, 120), layout=layout), n_vessels=1, seed=4)
    _exchange(product)
    if is_listed:
        relist(product)
    path = zip_folder(product) if is_zipped else product
    wrong = [finding for finding in check_product(path) if not finding.is_ok]
    assert len(wrong) == (0 if is_listed else 2)
    assert all("it has the content of measurement/" in finding.detail for finding in wrong)
    if layout == "cog" and not is_listed:  # their sizes tell
        with pytest.warns(ProductWarning, match="are exchanged, by their sizes"):
            opened = open_grd(path)
        with pytest.raises(ProductError, match="has no image that can be read"):
            detect(opened)
    else:
        with pytest.warns(ProductWarning, match=EXCHANGED):
            detect(open_grd(path))


@pytest.mark.parametrize("wind_m_s", [1.0, 12.0])
@pytest.mark.parametrize("polarizations", [("VV", "VH"), ("HH", "HV")])
def test_neither_calm_nor_storm_looks_exchanged(tmp_path, polarizations, wind_m_s):
    params = ProductParams(shape=(100, 100), wind_m_s=wind_m_s, polarizations=polarizations)
    path, _ = simulate_product(tmp_path, params, n_vessels=2, seed=2)
    detect(open_grd(path))  # a warning is an error here


def test_real_ships_and_seas_are_darker_in_cross_polarisation(real_data):
    """Of every chip with both, which are the channels of IW off China; without a calibration, which is the same."""
    ratios = []
    for path in sorted(real_data.glob("opensarship*/*/Patch/*.tif")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(path) as image:
                bands = image.read().astype(float)
        if len(bands) == 2:
            cross, co = (np.median(band[band > 0] ** 2) for band in bands)
            ratios.append(cross / co)
    assert len(ratios) == 78
    assert max(ratios) < 1 / 1.4


def test_without_data_there_is_no_ratio(product):
    opened = open_grd(product)
    line, pixel = sample_of(opened.window())
    blank = {name: np.zeros((line.size, pixel.size)) for name in opened.polarizations}
    assert np.isnan(cross_over_co(opened, blank, line, pixel))
