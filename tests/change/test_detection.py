"""A port on one date against its empty self: what is hit, what is not, at what rate, and with what evidence."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from unittest import mock

import numpy as np
import pytest
import shapely
import xarray as xr
from builders.port_dates import port_dates
from scipy import ndimage

from sarship import cfar, open_grd
from sarship.cfar.params import CfarParams
from sarship.change.detection import CEILING, NEAR_CELLS, detect_change, port_masks
from sarship.change.reference import BRIGHT, fit_reference
from sarship.detection.params import DetectionParams
from sarship.errors import ReferenceImageError
from sarship.port.grid import PortGrid
from sarship.port.port_file import read_port
from sarship.schema import PORT_SIGMA0

N_DATES = 15


@pytest.fixture(scope="module")
def place(harbour):
    """Port, its piers, its grid, its masks, and an open product."""
    port = read_port(harbour.port_file)
    piers = shapely.union_all(list(port.piers.geometry[port.piers["kind"] == "pier"]))
    grid = PortGrid.around(port.area)
    masks = port_masks(grid, piers=piers, land=port.land, exclude=port.exclude, water=port.water)
    return port, piers, grid, masks, open_grd(harbour.products[0])


@pytest.fixture(scope="module")
def empties(place):
    """Dates of the empty port, VV and VH: correlated speckle on sea, steady land and a quay 20 dB above it."""
    _, _, grid, masks, product = place
    rng = np.random.default_rng(1)
    quay = ndimage.binary_dilation(masks.steady, iterations=2) & masks.water
    ground = rng.lognormal(np.log(0.15), 0.7, grid.shape)
    level = np.where(masks.steady, ground, 0.02)
    level[quay] = 2.0
    dates, grain = [], _speckle(rng, (grid.shape[0] + 200, grid.shape[1] + 200))
    for k in range(N_DATES):
        wind = np.where(masks.steady | quay, 1, rng.uniform(0.6, 1.6))
        enl = [wind * level * share * _turned(grain, rng, grid.shape) for share in (1.0, 0.2)]
        dates.append(_date(np.stack(enl), grid, product, k))
    return dates


def _speckle(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    enl = np.zeros(shape)
    for _ in range(4):
        noise = ndimage.gaussian_filter(rng.standard_normal((2, *shape)), (0, 0.7, 0.7))
        enl += (noise**2).sum(axis=0)
    return enl / enl.mean()


def _turned(grain: np.ndarray, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Another date's speckle out of the same field, which is dear to make."""
    moved = np.roll(grain, rng.integers(0, grain.shape), (0, 1))[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    return moved[: shape[0], : shape[1]]


def _date(power: np.ndarray, grid: PortGrid, product, k: int) -> xr.DataArray:
    coords = {
        "polarization": ["VV", "VH"][: len(power)],
        "y": grid.y,
        "x": grid.x,
        "time": np.datetime64("2025-01-01", "ns") + k * np.timedelta64(12, "D"),
        "scene": f"scene-{k}",
        "relative_orbit": product.scene.relative_orbit,
    }
    return xr.DataArray(power.astype(np.float32), coords, PORT_SIGMA0.dims, "sigma0", PORT_SIGMA0.attrs | grid.attrs)


def _fit(dates, place):
    port, piers, *_ = place
    return fit_reference(_stacked(dates), land=port.land, piers=piers)


def _stacked(dates) -> xr.Dataset:
    coords = {name: dates[0][name] for name in PORT_SIGMA0.dims}
    coords |= {name: ("time", [date[name].item() for date in dates]) for name in ("scene", "relative_orbit")}
    coords["time"] = np.array([date["time"].to_numpy() for date in dates])
    cube = xr.DataArray(np.stack([date.to_numpy() for date in dates]), coords, ("time", *PORT_SIGMA0.dims))
    return xr.Dataset({"sigma0": cube}, attrs=dates[0].attrs)


@pytest.fixture(scope="module")
def reference(empties, place):
    return _fit(empties[:12], place)


def test_masks_hold_the_waters_side(place):
    port, _, grid, masks, _ = place
    assert not (masks.open_water & masks.near & masks.steady).any()
    assert not (grid.covers(port.land, -25) & masks.water).any()
    assert masks.water[grid.covers(port.land, 0) & ~grid.covers(port.land, -10)].all()  # the quay's own strip
    assert not (grid.covers(port.exclude) & masks.water).any()
    everywhere = port_masks(grid, piers=shapely.Point(35.8, 34.9))
    assert everywhere.water.all()
    watered = port_masks(grid, piers=shapely.Point(35.8, 34.9), water=shapely.box(35.7, 34.8, 35.8, 35.0))
    assert 0.2 < watered.water.mean() < 0.8


@pytest.mark.parametrize("is_reference", [True, False], ids=["a date of the reference", "a later date"])
def test_false_alarms_near_piers_keep_to_their_rate(empties, reference, place, is_reference):
    """At 1e-3 a cell and polarisation pair, on speckle with the wind of its day, beside a quay 20 dB above the sea."""
    *_, masks, product = place
    dates = empties[:3] if is_reference else empties[12:]
    params = DetectionParams(pier_pfa=1e-3)
    n_hits = n_cells = 0
    for image in dates:
        hits, _ = detect_change(image, product, reference, masks, params)
        n_hits += masks.near[hits.line, hits.pixel].sum()
        n_cells += masks.near.sum()
    assert n_hits / n_cells < 2e-3
    assert is_reference or n_hits / n_cells > 1e-4


def test_empty_piers_stay_empty(empties, reference, place):
    *_, masks, product = place
    for image in empties[12:]:
        hits, _ = detect_change(image, product, reference, masks)
        assert len(hits) <= 3


def test_vessels_are_hit_with_their_evidence(empties, reference, place):
    """At the quay against a reference 20 dB over the sea, and in open water where only the ring decides."""
    port, _, grid, masks, product = place
    image = empties[13].copy()
    quay = np.argwhere(ndimage.binary_dilation(masks.steady, iterations=2) & masks.water)
    row, column = quay[len(quay) // 2]
    image[:, row - 3 : row + 4, column - 1 : column + 2] += 20.0
    far = np.argwhere(ndimage.binary_erosion(masks.water & ~masks.near, iterations=40))[1000]
    image[:, far[0] : far[0] + 4, far[1] : far[1] + 2] += 3.0
    inland = np.argwhere(grid.covers(port.land, -60))[500]
    image[:, inland[0] : inland[0] + 5, inland[1] : inland[1] + 5] += 50.0
    hits, seen = detect_change(image, product, reference, masks)
    at_quay = (abs(hits.line - row) <= 3) & (abs(hits.pixel - column) <= 1)
    assert at_quay.sum() >= 10
    assert set(hits.evidence[at_quay]) == {"reference"}
    afloat = (hits.line >= far[0]) & (hits.line < far[0] + 4) & (hits.pixel >= far[1]) & (hits.pixel < far[1] + 2)
    assert afloat.sum() == 8
    assert set(hits.evidence[afloat]) == {"both"}
    assert not (abs(hits.line - inland[0] - 2) + abs(hits.pixel - inland[1] - 2) < 10).any()
    assert (hits.score > 1).all()
    assert (hits.value > hits.clutter).all()
    assert hits.clutter[at_quay].max() > 0.3  # the quay: 2 in VV, 0.4 in VH, on a sea of 0.02
    seas = [image.to_numpy()[k][masks.open_water].mean() for k in (0, 1)]
    assert min(abs(hits.clutter[afloat].mean() / sea - 1) for sea in seas) < 0.3
    assert set(hits.sigma0) == {"VV", "VH"}
    assert seen.shift == (0.0, 0.0)
    assert not hits.is_edge[at_quay].any()


CHOICES = [
    {"clutter_model": "lognormal"},
    {"clutter_model": "weibull"},
    {"clutter_model": "k"},
    {"clutter_model": "k", "clutter_shape": 4.0},
    {"clutter_model": "gaussian"},
    {"average": "goca"},
    {"average": "soca"},
    {"average": "os"},
    {"iterations": 3},
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: " ".join(map(str, choice.values())))
def test_choices_are_those_of_the_bare_detector_in_open_water(empties, reference, place, choice):
    """Near piers only the average has a say: the cells' spread over the dates stands for the clutter model."""
    *_, masks, product = place
    image = empties[13].isel(polarization=[0]).copy()
    for brightness, (row, column) in enumerate(np.argwhere(masks.open_water & ~masks.near)[9_000::9_000]):
        image[0, row : row + 3, column : column + 3] += 0.03 * (1 + brightness % 10)
    params = {"pfa": 1e-3, "pier_pfa": 1e-2, "guard_m": 100, "training_m": 100}
    hits, _ = detect_change(image, product, reference, masks, DetectionParams(**params, **choice))
    default, _ = detect_change(image, product, reference, masks, DetectionParams(**params))
    one = reference.isel(relative_orbit=0, polarization=0)
    ring = CfarParams(
        pfa=1e-3, guard=10, training=10, enl=one["enl"].item(),
        effective_sample_ratio=one["effective_sample_ratio"].item(), **choice,
    )  # fmt: skip
    level = one["level"].to_numpy() > BRIGHT * one["sea"].item()
    far = masks.water & ~masks.near & ~ndimage.binary_dilation(level, iterations=NEAR_CELLS)
    power = image.to_numpy()[0]
    dimmed = np.minimum(power, CEILING * np.median(power[far]))
    expected = (power / dimmed * cfar.score(dimmed, ring, far))[hits.line, hits.pixel]
    is_far = far[hits.line, hits.pixel]
    assert is_far.sum() > 50
    np.testing.assert_allclose(hits.score[is_far], expected[is_far], rtol=1e-5)
    assert _scores_at(default, far) != _scores_at(hits, far)
    assert (_scores_at(default, ~far) != _scores_at(hits, ~far)) == ("average" in choice)


def _scores_at(hits, where) -> dict[tuple[int, int], float]:
    """Scores of groups may go with a sidelobe's group, so only cells of one kind are compared."""
    here = where[hits.line, hits.pixel]
    cells = zip(hits.line[here].tolist(), hits.pixel[here].tolist(), strict=True)
    return dict(zip(cells, hits.score[here].tolist(), strict=True))


def test_one_thread_finds_the_same(reference, empties, place):
    """Each polarisation is searched on a thread of its own, and both at once, on a date moved as well."""
    *_, masks, product = place
    dates = [empties[13], empties[13].copy(data=np.roll(empties[13].to_numpy(), 3, axis=1))]
    params = DetectionParams(pier_pfa=1e-2, pfa=1e-3)
    both = [detect_change(date, product, reference, masks, params) for date in dates]
    with mock.patch("sarship.change.detection.ThreadPoolExecutor", side_effect=lambda _: ThreadPoolExecutor(1)):
        one = [detect_change(date, product, reference, masks, params) for date in dates]
    for (hits, seen), (again, seen_again) in zip(both, one, strict=True):
        assert len(hits) > 20
        assert seen.shift == seen_again.shift
        for field in fields(hits):
            np.testing.assert_equal(getattr(hits, field.name), getattr(again, field.name))


def test_real_dates_give_the_same_with_and_without_themselves(harbour, place):
    """Even of four dates, what a date adds to its own reference hardly matters to its hits."""
    *_, grid, masks, product = place
    dates = port_dates(harbour, grid)
    own = _fit(dates, place)
    others = _fit(
        [dates[1], dates[2], dates[3], dates[2].assign_coords(scene="again", time=dates[2]["time"] + 1)], place
    )
    found = [detect_change(dates[0], product, each, masks)[0] for each in (own, others)]
    cells = [set(zip(hits.line.tolist(), hits.pixel.tolist(), strict=True)) for hits in found]
    assert len(cells[0] & cells[1]) > 0.75 * max(map(len, cells))


def test_what_cannot_be_compared_is_refused(empties, reference, place):
    *_, masks, product = place
    with pytest.raises(ReferenceImageError, match="knows relative orbit"):
        detect_change(empties[0].assign_coords(relative_orbit=7), product, reference, masks)
    with pytest.raises(ReferenceImageError, match="another port, grid or water level"):
        detect_change(empties[0], product, reference.assign_attrs(crs="EPSG:32637"), masks)


def test_half_a_port_and_one_polarisation(empties, reference, place):
    *_, masks, product = place
    image = empties[13].copy()
    image[:, : image.sizes["y"] // 2] = np.nan
    hits, _ = detect_change(image, product, reference, masks)
    assert len(hits) <= 3
    alone = image.isel(polarization=[0])
    hits, _ = detect_change(alone, product, reference, masks, DetectionParams(pier_pfa=1e-2))
    assert len(hits) > 0
    assert (hits.line >= image.sizes["y"] // 2).all()
    assert set(hits.sigma0) == {"VV"}
    unseen = image.where(False)
    assert len(detect_change(unseen, product, reference, masks)[0]) == 0


def test_date_that_lies_three_cells_off_is_searched_where_it_belongs(empties, reference, place):
    *_, masks, product = place
    image = empties[13].copy()
    quay = np.argwhere(ndimage.binary_dilation(masks.steady, iterations=2) & masks.water)
    row, column = quay[len(quay) // 2]
    image[:, row - 3 : row + 4, column - 1 : column + 2] += 20.0
    moved = image.copy(data=np.roll(image.to_numpy(), (3, -2), (1, 2)))
    hits, seen = detect_change(moved, product, reference, masks)
    assert seen.shift == pytest.approx((3, -2), abs=0.2)
    assert ((abs(hits.line - row) <= 3) & (abs(hits.pixel - column) <= 1)).sum() >= 15  # of the 21 where it lies


def test_rain_is_weather_and_not_vessels(empties, reference, place):
    """Cells of a kilometre, 7 dB over the sea: the ring of the ratio takes them for what they are."""
    *_, masks, product = place
    image = empties[14].copy()
    down, across = np.mgrid[: image.sizes["y"], : image.sizes["x"]]
    for y, x in ((0.3, 0.3), (0.6, 0.5), (0.5, 0.8)):
        off = (down - y * image.sizes["y"]) ** 2 + (across - x * image.sizes["x"]) ** 2
        image += (0.08 * np.exp(-off / (2 * 50.0**2))).astype(np.float32)
    hits, _ = detect_change(image, product, reference, masks)
    assert len(hits) <= 6
