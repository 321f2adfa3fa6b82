"""Rows that are no vessels, or one that never leaves."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from builders.tables import PIERS, make_coverage, make_scenes, make_vessels

from sarship.counts.by_pier import count_by_pier
from sarship.schema import NOT_COUNTED, SCENES, VESSELS
from sarship.vessels.flags import ambiguity_m, flag_ambiguities, flag_lasting

SCENE = "S1"
RANGE_M, SPEED, HERTZ, PRF = 850_000.0, 7_500.0, 5.405e9, {"IW1": 1717.0, "IW2": 1452.0}
STEP_M = 299_792_458.0 / HERTZ * RANGE_M * 1452.0 / (2 * SPEED)
"""First ambiguity of IW2, 4.56 km."""


def table(rows):
    """Vessels from dictionaries; what is not given is plain."""
    plain = {
        "scene": "S1",
        "time": pd.Timestamp("2024-12-01", tz="UTC"),
        "longitude": 35.0,
        "latitude": 34.0,
        "line": 0.0,
        "pixel": 0.0,
        "length_m": 80.0,
        "heading_deg": 0.0,
        "n_vessels": 1,
        "n_low": 1,
        "n_high": 1,
        "n_hits": 5,
        "confidence": 1.0,
        "evidence": "ring",
        "flag": "",
        "is_edge": False,
        "sigma0_co": 1.0,
    }
    columns = {}
    for column in VESSELS.columns:
        default = plain.get(column.name, None if column.dtype == "str" else 0.0)
        columns[column.name] = [row.get(column.name, default) for row in rows]
    columns["vessel"] = [row.get("vessel", f"v{k}") for k, row in enumerate(rows)]
    places = [shapely.Point(x, y) for x, y in zip(columns["longitude"], columns["latitude"], strict=True)]
    return VESSELS.make(columns, places)


def product():
    """A straight path: the ambiguities are the same everywhere."""
    geometry = SimpleNamespace(
        line_interval_s=0.0015,
        orbit=SimpleNamespace(state=lambda time: (None, np.array([[0.0], [SPEED], [0.0]]) * np.ones(time.size))),
        slant_range_m=lambda line, pixel: np.full(line.shape, RANGE_M),
    )
    note = SimpleNamespace(geometry=geometry, radar_frequency_hz=HERTZ, prf_hz=PRF)
    return SimpleNamespace(annotation=note, line_spacing_m=10.0, pixel_spacing_m=10.0)


def test_the_first_ambiguity_is_kilometres_away():
    steps = ambiguity_m(product().annotation, np.zeros(3), np.zeros(3))
    assert steps.shape == (3, 2)
    assert steps[0] == pytest.approx([STEP_M, STEP_M * 1717 / 1452])
    assert 4_000 < STEP_M < 6_000


@pytest.mark.parametrize("order", [-2, -1, 1, 2])
def test_an_ambiguity_is_marked_with_its_source(order):
    lines = [0.0, order * STEP_M / 10, 300.0]
    rows = [{"line": line, "sigma0_co": level} for line, level in zip(lines, [100.0, 0.5, 0.4], strict=True)]
    found = VESSELS.check(flag_ambiguities(table(rows), product()))
    assert found["flag"].tolist() == ["", "ambiguity", ""]
    assert found["flag_source"].iloc[1] == "v0"
    assert found["flag_source"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("lines", "pixels", "level"),
    [
        (STEP_M / 10, 0.0, 10.0),  # ten decibels below is no ambiguity
        (STEP_M / 10, 0.0, 0.001),  # nor is fifty
        (STEP_M / 10, 20.0, 0.5),  # 200 m aside
        (0.9 * STEP_M / 10, 0.0, 0.5),  # half a kilometre from where it should be
    ],
)
def test_what_only_looks_like_an_ambiguity_is_none(lines, pixels, level):
    rows = [{"sigma0_co": 100.0}, {"line": lines, "pixel": pixels, "sigma0_co": level}]
    assert flag_ambiguities(table(rows), product())["flag"].tolist() == ["", ""]


def test_brightness_that_was_not_recorded_flags_nothing():
    rows = [{"sigma0_co": np.nan, "sigma0_cross": np.nan}, {"line": STEP_M / 10, "sigma0_co": np.nan}]
    assert flag_ambiguities(table(rows), product())["flag"].tolist() == ["", ""]
    assert len(flag_ambiguities(VESSELS.empty(), product())) == 0


def passes(n):
    """Scenes of one track, twelve days apart."""
    starts = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=12 * k) for k in range(n)]
    columns = {column.name: [0] * n if column.dtype == "int64" else [""] * n for column in SCENES.columns}
    columns |= {
        "scene": [f"S{k}" for k in range(n)],
        "platform": ["S1A"] * n,
        "start": starts,
        "stop": [start + timedelta(seconds=25) for start in starts],
        "has_noise": [True] * n,
        "land_is_masked": [False] * n,
    }
    return SCENES.make(columns, [shapely.box(34, 33, 36, 35)] * n)


def seen_on(dates, **row):
    """One row a date, a few metres to and fro."""
    return [{"scene": f"S{k}", "longitude": 35 + 3e-5 * (-1) ** k, **row} for k in dates]


def flags_of(rows, n):
    return flag_lasting(table(rows), passes(n))


def test_a_buoy_is_a_fixture_and_a_laid_up_vessel_is_counted_once_or_not():
    buoy, laid_up = seen_on(range(0, 10, 1)), seen_on(range(10), latitude=34.1, pier="P")
    guest = seen_on([3, 4, 5], latitude=34.2)
    found = VESSELS.check(flags_of(buoy + laid_up + guest, 10))
    assert found["flag"].tolist() == ["fixture"] * 10 + ["always_there"] * 10 + [""] * 3
    assert found["n_low"].tolist() == [1] * 10 + [0] * 10 + [1] * 3
    assert (found["n_high"] == 1).all()
    assert "fixture" in NOT_COUNTED


@pytest.mark.parametrize(("n_there", "n", "pier", "flag"), [
    (6, 10, None, "fixture"),
    (5, 10, None, ""),
    (8, 10, "P", ""),
    (9, 10, "P", "always_there"),
    (4, 4, None, ""),
])  # fmt: skip
def test_how_often_is_most(n_there, n, pier, flag):
    """Six in ten away from piers, nine in ten at one, of at least five passes."""
    assert set(flags_of(seen_on(range(n_there), pier=pier), n)["flag"]) == {flag}


def test_passes_that_did_not_see_the_place_do_not_count():
    scenes = passes(10)
    away = gpd.GeoSeries([shapely.box(0, 0, 1, 1)] * 4, crs=scenes.crs)
    scenes.loc[scenes.index[6:], "geometry"] = away.to_numpy()
    found = flag_lasting(table(seen_on(range(5))), scenes)
    assert set(found["flag"]) == {"fixture"}


def test_slices_of_a_pass_are_one():
    """Two slices that meet show a vessel twice on each of three days: three passes are too few."""
    scenes = passes(6)
    for name in ("start", "stop"):
        scenes[name] = scenes[name].iloc[[0, 0, 1, 1, 2, 2]].to_numpy()
    assert set(flag_lasting(table(seen_on(range(6))), scenes)["flag"]) == {""}


def test_a_busy_quay_is_no_place_of_its_own():
    """Guests 20 m from berth to berth on every date make a chain along the quay; none of them lasts."""
    rows = [{"scene": f"S{k}", "latitude": 34 + 20 * ((7 * k) % 10) / 110_925, "pier": "P"} for k in range(10)]
    assert set(flags_of(rows, 10)["flag"]) == {""}
    sizes = [60.0, 200.0]
    guests = [{"scene": f"S{k}", "length_m": sizes[k % 2], "pier": "P"} for k in range(10)]
    assert set(flags_of(guests, 10)["flag"]) == {""}


def test_an_ambiguity_stays_an_ambiguity():
    rows = seen_on(range(10), flag="ambiguity")
    assert set(flags_of(rows, 10)["flag"]) == {"ambiguity"}
    assert len(flag_lasting(VESSELS.empty(), SCENES.empty())) == 0


def test_ambiguities_and_fixtures_are_not_counted_and_what_never_leaves_is():
    rows = [(SCENE, "A", {"flag": flag}) for flag in ("ambiguity", "fixture", "always_there", "")]
    vessels = make_vessels(*rows)
    counts = count_by_pier(vessels, PIERS, make_scenes((SCENE, "2024-12-01")), make_coverage((SCENE, "A", 1.0)))
    assert counts["n_vessels"].sel(pier="A").item() == 2
