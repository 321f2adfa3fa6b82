"""The simulated port: who comes and goes, what moves on the quays, and where the radar shows things twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from benchmarks import port_scores, ship_looks
from sarship.port.port_file import read_port
from sarship.sentinel1.product import open_grd
from sarship.simulate import LARGE_PORT, PortSeries, ProductParams, Vessel, simulate_port_series, simulate_product
from sarship.simulate.ambiguities import find_ambiguities, moved_lines
from sarship.simulate.grid import make_grid
from sarship.simulate.params import relative_orbit
from sarship.simulate.passes import FIRST_PASS, irregular_passes
from sarship.simulate.port_plan import Pier, Place, quay
from sarship.simulate.traffic import schedule

N_DATES = 60
PLACE = Place(35.80, 34.90)
FIRST_PORT = replace(FIRST_PASS, shape=(700, 700))


@pytest.fixture(scope="module")
def traffic() -> pd.DataFrame:
    """One row a vessel and date of the large port."""
    rows = [
        {"date": date, "vessel": vessel, "pier": vessel.pier, "id": vessel.vessel_id, "length_m": vessel.length_m}
        for date, vessels in enumerate(schedule(LARGE_PORT, PLACE, N_DATES, 3, 1.0))
        for vessel in vessels
    ]
    return pd.DataFrame(rows)


def test_large_port_is_as_asked() -> None:
    headings = {round(face.heading_deg) % 180 for face in LARGE_PORT.faces}
    assert len(LARGE_PORT.piers) == 12
    assert len(headings) >= 10
    assert "Breakwater" in LARGE_PORT.land
    ground = shapely.union_all(list(LARGE_PORT.land.values()))
    assert not any(ground.buffer(20).contains(shapely.Point(x, y)) for x, y, _ in LARGE_PORT.fixtures)
    assert ground.disjoint(LARGE_PORT.anchorage)


def test_traffic_is_that_of_a_port(traffic: pd.DataFrame) -> None:
    counts = pd.crosstab(traffic["date"], traffic["pier"])
    assert counts.drop(columns="Anchorage").max().max() <= 8
    assert "Old mole" not in counts
    assert 28 < len(traffic) / N_DATES < 45
    assert traffic["length_m"].between(20, 250).all()
    assert (traffic["length_m"] < 50).mean() > 0.1
    assert (traffic["length_m"] > 100).mean() > 0.4


def test_vessels_stay_for_some_dates_and_keep_their_size(traffic: pd.DataFrame) -> None:
    for _, there in traffic.groupby("id"):
        assert there["date"].max() - there["date"].min() == len(there) - 1
        assert there["pier"].isna().all() or (there["pier"] == there["pier"].iloc[0]).all()
        assert (there["length_m"] == there["length_m"].iloc[0]).all()
    stays = traffic.groupby("id").size()
    assert (stays == N_DATES).sum() == 1  # the warship laid up
    assert 1.5 < stays[stays < N_DATES].mean() < 3
    assert traffic[traffic["id"] == stays.idxmax()]["pier"].eq("Naval mole").all()


def test_a_busy_berth_is_taken_four_dates_in_five(traffic: pd.DataFrame) -> None:
    (quay,) = (face for face in LARGE_PORT.faces if face.pier == "Container quay")
    share = traffic[traffic["pier"] == "Container quay"].groupby("date")["length_m"].sum().reindex(range(N_DATES))
    assert 0.7 < (share / quay.length_m).mean() < 0.92


def test_hulls_neither_touch_nor_lie_on_land(traffic: pd.DataFrame) -> None:
    north = 111_195.0
    ground = shapely.union_all(list(LARGE_PORT.land.values()))
    rafted_gaps, row_gaps = [], []
    for _, date in traffic[traffic["date"] < 12].groupby("date"):
        hulls = []
        for vessel in date["vessel"]:
            x = (vessel.longitude - PLACE.longitude) * north * np.cos(np.radians(PLACE.latitude)) * 1.0022
            y = (vessel.latitude - PLACE.latitude) * north * 0.9977
            box = shapely.box(-vessel.beam_m / 2, -vessel.length_m / 2, vessel.beam_m / 2, vessel.length_m / 2)
            hull = shapely.affinity.translate(shapely.affinity.rotate(box, -vessel.heading_deg, origin=(0, 0)), x, y)
            assert hull.intersection(ground).area < 0.1 * hull.area
            hulls.append((vessel, hull))
        for k, (vessel, hull) in enumerate(hulls):
            near = [(other, hull.distance(o)) for j, (other, o) in enumerate(hulls) if j != k and o.distance(hull) < 40]
            if vessel.is_rafted:
                rafted_gaps.append(min(d for _, d in near))
            elif vessel.pier and near:
                row_gaps.append(min(d for _, d in near))
    assert max(rafted_gaps) < 5
    assert np.mean(np.array(row_gaps) < 25) > 0.4


def test_vessels_moor_with_their_stern_to_a_mole() -> None:
    """Side by side in rows, at right angles to it, none over another, and each at its place while it stays."""
    traits = {"usual_m": 90.0, "stern_to": 1.0, "max_vessels": 12, "stern_off_m": (5.0, 10.0)}
    mole = quay("Mole", (0.0, 0.0), (0.0, 400.0), 0.6, **traits)
    plan = replace(LARGE_PORT, piers=(mole,), n_anchored=0.0, n_under_way=0.0)
    dates = schedule(plan, PLACE, 30, 5, 1.0)
    counts = [len(date) for date in dates]
    assert 4 < np.mean(counts) <= 12
    for date in dates:
        assert all(abs(abs(vessel.heading_deg - 270) % 180) < 3 for vessel in date)
        rows = sorted((vessel.latitude * 110_925, vessel.beam_m) for vessel in date)
        assert all(b[0] - a[0] > (a[1] + b[1]) / 2 - 4 for a, b in pairwise(rows))
        off = [(PLACE.longitude - v.longitude) * 91_290 - v.length_m / 2 for v in date]
        assert all(3 < each < 12 for each in off)


def test_an_irregular_series_is_as_archives_are() -> None:
    """Three platforms on each track, orbit numbers that agree with time, one pass missing, four changed of eight."""
    plans = irregular_passes(FIRST_PORT, 8, 2, seed=3)
    products = [product for plan in plans for product in (*plan.slices, *plan.twins)]
    assert [a.slices[0].time < b.slices[0].time for a, b in pairwise(plans)] == [True] * 7
    known = {"S1A": 64_034, "S1C": 7_258 - 87.5, "S1D": 2_753 - 452.083}  # on 11 April 2026, 15:41:46
    for product in products:
        since = (product.time - datetime(2026, 4, 11, 15, 41, 46, tzinfo=UTC)) / (timedelta(days=12) / 175)
        assert product.absolute_orbit == pytest.approx(known[product.platform] + since, abs=0.35)
        assert product.time.microsecond
        assert 0 < abs(product.drift_m) <= 120
    tracks = [relative_orbit(plan.slices[0].platform, plan.slices[0].absolute_orbit) for plan in plans]
    assert sorted(tracks) == [87] * 4 + [153] * 4
    assert {product.platform for product in products} == {"S1A", "S1C", "S1D"}
    assert len({product.ipf_version for product in products}) > 1
    days = [(plan.slices[0].time - plans[0].slices[0].time) / timedelta(days=1) for plan in plans]
    steps = [b - a for a, b in pairwise(day for day, track in zip(days, tracks, strict=True) if track == 87)]
    assert np.rint(steps).max() > 10  # one is missing
    assert set(np.rint(steps)) <= {5, 6, 7, 12, 13}
    assert sum(len(plan.slices) == 2 for plan in plans) == 1
    assert sum(plan.slices[0].polarizations == ("VV",) for plan in plans) == 1
    (cog,) = (plan for plan in plans if plan.twins and plan.twins[0].layout == "cog")
    (again,) = (plan for plan in plans if plan.twins and plan.twins[0].layout == "plain")
    assert cog is not again
    assert again.twins[0].processing_delay > again.slices[0].processing_delay
    assert irregular_passes(FIRST_PORT, 8, 2, seed=3) == plans != irregular_passes(FIRST_PORT, 8, 2, seed=4)


def test_slices_and_twins_are_products_of_one_pass(harbour: PortSeries) -> None:
    """Slices meet without a gap and share no vessel; twins have the pixels, and a name and processing of their own."""
    assert len({path.name for path in harbour.products}) == len(harbour.products) == 7
    (cut,) = (one for one in harbour.passes if len(one.slices) == 2)
    before, after = (open_grd(path) for path in cut.slices)
    assert before.shape[0] + after.shape[0] == 700
    assert before.scene.acquisition != after.scene.acquisition
    assert before.scene.absolute_orbit == after.scene.absolute_orbit
    edge, first = before.geometry.to_map(before.shape[0], 300.0), after.geometry.to_map(0.0, 300.0)
    assert np.hypot(*np.subtract(edge, first)) < 1e-6
    for path in cut.slices:
        own = harbour.truth[harbour.truth["scene"] == path.stem]
        assert own["line"].between(-0.5, open_grd(path).shape[0]).all()
    ids = harbour.truth.groupby("time")["vessel_id"]
    assert not ids.apply(lambda column: column.duplicated().any()).any()
    for one in harbour.passes:
        for twin in one.twins:
            plain, other = open_grd(one.slices[0]), open_grd(twin)
            assert other.scene.acquisition == plain.scene.acquisition
            assert other.scene.processed > plain.scene.processed
            np.testing.assert_array_equal(other.digital_numbers("VV"), plain.digital_numbers("VV"))


def test_a_port_is_wholly_in_every_pass_and_images_wander(harbour: PortSeries) -> None:
    area = read_port(harbour.port_file).area
    corners = []
    for one in harbour.passes:
        scenes = [open_grd(path).scene for path in one.slices]
        assert shapely.union_all([scene.footprint for scene in scenes]).buffer(1e-5).contains(area)
        corners.append(scenes[0].footprint.bounds[:2])
    assert np.ptp(corners, axis=0).max() * 111 > 0.3  # km


def test_two_orbits_take_turns(tmp_path: Path) -> None:
    params = ProductParams(shape=(96, 96), polarizations=("VV",))
    harbour = simulate_port_series(tmp_path, seed=4, n_dates=3, plan=LARGE_PORT, n_orbits=2, params=params)
    scenes = [open_grd(path).scene for path in harbour.products]
    assert [s.orbit_pass for s in scenes] == ["ascending", "descending", "ascending"]
    assert scenes[0].relative_orbit == scenes[2].relative_orbit != scenes[1].relative_orbit
    assert all(b.start > a.start for a, b in pairwise(scenes))
    assert set(read_port(harbour.port_file).piers["name"]) == set(harbour.counts().columns)
    with pytest.raises(ValueError, match="n_orbits is 1 or 2, got 3"):
        simulate_port_series(tmp_path, n_orbits=3)


def test_ambiguities_lie_where_the_prf_of_their_swath_has_them(tmp_path: Path) -> None:
    """Against the textbook: λ·R·PRF/(2·V²) seconds, V² the product of the speeds in orbit and over the ground."""
    params = ProductParams(shape=(880, 300), wind_m_s=2.0, texture_order=np.inf, polarizations=("VV",))
    grid = make_grid(params)
    ambiguities = find_ambiguities(params, grid)
    assert len(ambiguities) == 6
    wavelength, earth = 299_792_458.0 / 5.405e9, 6_371_000.0
    for ambiguity, prf in zip(ambiguities, np.repeat(params.specification.prf_hz, 2), strict=True):
        middle = (ambiguity.first_pixel + ambiguity.last_pixel) / 2
        reach = float(grid.slant_range(440, middle))
        speed = np.linalg.norm(grid.orbit.velocity(0.0))
        expected = wavelength * reach * prf / (2 * speed**2 * earth / 7_071_000.0) / grid.interval
        assert abs(ambiguity.line_shift) == pytest.approx(expected, rel=0.01)
        assert 1 <= ambiguity.pixel_shift <= 6
        assert all(10**-3.01 <= ambiguity.gain(line) <= 10**-1.99 for line in range(0, 3_000, 50))
    line, pixel = 820.0, 150.0
    ship = Vessel(
        **dict(zip(("longitude", "latitude"), map(float, grid.sea_place(line, pixel)), strict=True)),
        length_m=10.0,
        rcs_m2=3e6,
    )
    (ambiguity,) = (g for g in ambiguities if g.first_pixel <= pixel <= g.last_pixel and g.line_shift < 0)
    images = [
        open_grd(simulate_product(tmp_path / str(shown), params, vessels=[ship], has_ambiguities=shown)[0])
        .sigma0()
        .to_numpy()[0]
        for shown in (False, True)
    ]
    extra = images[1] - images[0]
    top = np.unravel_index(np.argmax(extra), extra.shape)
    assert np.hypot(top[0] - line - ambiguity.line_shift, top[1] - pixel - ambiguity.pixel_shift) < 2
    level = extra[top] / images[0][int(line), int(pixel)]
    assert 10 * np.log10(level) == pytest.approx(10 * np.log10(float(ambiguity.gain(line))), abs=2.5)


def test_moving_vessels_are_displaced_by_range_over_velocity() -> None:
    """Against −range/velocity × radial speed, with the radial speed from the look direction and the incidence."""
    params = ProductParams()
    grid = make_grid(params)
    longitude, latitude = (np.repeat(x, 8) for x in grid.sea_place(300.0, 360.0))
    heading, speed = np.arange(8) * 45.0, np.full(8, 6.0)
    moved = moved_lines(grid, longitude, latitude, heading, speed)
    ahead = grid.sea_place([300.0, 299.0], [360.0, 360.0])
    east, north = (float(np.diff(c)[0]) for c in ahead)
    track = np.degrees(np.arctan2(east * np.cos(np.radians(34.9)), north)) + 180  # lines run with time
    away = speed * np.cos(np.radians(heading - (track + 90))) * np.sin(np.radians(37.0))
    reach = float(grid.slant_range(300, 360))
    velocity = float(np.linalg.norm(grid.orbit.velocity(0.0)))
    expected = -reach / velocity * away / params.specification.spacing_m
    # the image's lines are spaced on the ground, the displacement is in time: ground over orbit speed, 6,371 / 7,071 km
    assert moved * 10 == pytest.approx(expected * 10, abs=25)
    assert np.abs(moved).max() * 10 > 300


def test_structure_is_steady_on_an_orbit_and_cranes_move(tmp_path: Path) -> None:
    """A quay's pixels keep their level within a decibel or two (median), while an orbit has walls of its own."""
    params = ProductParams(shape=LARGE_PORT.shape, polarizations=("VV",), wind_m_s=3.0)
    harbour = simulate_port_series(tmp_path, seed=6, n_dates=2, plan=LARGE_PORT, n_orbits=1, params=params, busy=0.0)
    assert len(harbour.truth) == 2  # the warship
    place = Place(params.longitude, params.latitude)
    (mole,) = (pier for pier in LARGE_PORT.piers if pier.name == "Old mole")
    (quay,) = (pier for pier in LARGE_PORT.piers if pier.name == "Container quay")
    levels = {pier.name: _levels(harbour, place, pier) for pier in (mole, quay)}
    steady = {name: np.median(level.std(axis=0)) for name, level in levels.items()}
    assert 0.5 < steady["Old mole"] < 2.5
    assert (levels["Container quay"].max(axis=0) - levels["Container quay"].min(axis=0)).max() > 6
    assert (levels["Old mole"].max(axis=0) - levels["Old mole"].min(axis=0)).max() < 6


def _levels(harbour: PortSeries, place: Place, pier: Pier) -> np.ndarray:
    face = pier.faces[0]
    where = place.points(face.at(np.arange(20.0, face.length_m - 20, 20.0), -1.0))
    rows = []
    for path in harbour.products:
        product = open_grd(path)
        line, pixel = product.geometry.to_image(where[:, 0], where[:, 1])
        rows.append(
            10 * np.log10(product.sigma0().to_numpy()[0][np.rint(line).astype(int), np.rint(pixel).astype(int)])
        )
    return np.array(rows)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "opensarship_looks.json").read_text(encoding="utf-8"))


def test_ships_look_like_162_real_ones(measured: dict[str, Any]) -> None:
    """Contrast, extents and sidelobes at three percentiles lie within 2 dB of what OpenSARShip's chips have.

    Extents are pixels above a level, and the span between the outermost of them, in dB: 2 dB is a factor of 1.6."""
    cohort = [ship_looks.Ship(*row[:4], sea_db=tuple(row[4:])) for row in measured["cohort"]]
    assert len(cohort) == 162
    found = ship_looks.simulate(cohort, 5, seed=1)
    assert found.keys() == measured["quantiles"].keys()
    for group, measures in measured["quantiles"].items():
        assert len(measures) >= 9
        off = {name: ship_looks.worst_db(values, found[group][name]) for name, values in measures.items()}
        assert max(off.values()) <= 2.0, (group, off)


def test_ships_that_do_not_look_real_are_told(measured: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ships three times as bright fail the same test."""
    monkeypatch.setattr("sarship.simulate.ships._BELOW_LAW_DB", 5.0)
    cohort = [ship_looks.Ship(*row[:4], sea_db=tuple(row[4:])) for row in measured["cohort"][::2]]
    found = ship_looks.simulate(cohort, 2, seed=1)["VV 0-100 m"]
    real = measured["quantiles"]["VV 0-100 m"]
    assert max(ship_looks.worst_db(values, found[name]) for name, values in real.items() if name in found) > 2.0


@pytest.mark.skipif(not ship_looks.DATA.is_dir(), reason="the OpenSARShip chips are not there")
def test_packed_statistics_are_those_of_the_chips(measured: dict[str, Any]) -> None:
    pairs = list(ship_looks.real_ships(ship_looks.DATA))
    assert ship_looks.quantiles([s.length_m for s, _ in pairs], [f for _, f in pairs]) == measured["quantiles"]


def _table(spots: list[tuple[float, float, str | None]], **columns: list[Any]) -> gpd.GeoDataFrame:
    """Vessels at metres north and east of a place, at piers."""
    points = [shapely.Point(PLACE.points(np.array([spot[:2]]))[0]) for spot in spots]
    names = {"vessel": [f"S/{k}" for k in range(len(spots))], "pier": [spot[2] for spot in spots]}
    return gpd.GeoDataFrame({**names, "heading_deg": 10.0, "wind_m_s": 5.0, **columns}, geometry=points, crs=4326)


def test_matching_is_one_to_one_within_reach() -> None:
    true = _table([(0, 0, "A"), (60, 0, "A"), (0, 900, "Anchorage")], length_m=[60.0, 200.0, 40.0])
    found = _table([(30, 0, "A"), (0, 945, "Anchorage"), (5_000, 0, None)], length_m=[70.0, 45.0, 30.0])
    pairs = port_scores.matched(found, true, "EPSG:32636")
    assert len(pairs) == 5  # one pair: 45 m is too far from a vessel of 40 m, and one found matches one true
    assert (pairs["is_found"] & pairs["is_true"]).sum() == 1
    counts = port_scores.counts_of(found, true, ["A", "B"])
    assert counts.loc["A"].tolist() == [1, 2]
    assert counts.loc["B"].tolist() == [0, 0]
    figures = port_scores.summary(pairs, counts.assign(scene="x"))
    assert figures["MAE a pier"] == 0.5
    assert figures["MAE an image"] == 1
    assert figures["bias an image"] == -1
    assert figures["recall piers"] == 0.5
    assert figures["precision piers"] == 1.0
    assert figures["F1 anchorage"] == 0.0


def test_a_perfect_list_scores_perfectly() -> None:
    true = _table([(0, 0, "A"), (200, 0, "A"), (0, 900, None)], length_m=[60.0, 150.0, 40.0])
    pairs = port_scores.matched(true.assign(heading_deg=190.0), true, "EPSG:32636")
    figures = port_scores.summary(pairs, port_scores.counts_of(true, true, ["A"]).assign(scene="x"))
    assert figures["F1 piers"] == figures["F1 open water"] == figures["heading within 10°, > 100 m"] == 1.0
    assert figures["MAE a pier"] == figures["length error, mean size"] == figures["false a date, empty pier"] == 0.0
