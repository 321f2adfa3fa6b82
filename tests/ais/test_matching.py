"""Vessels of radar and AIS beside each other: positions, displacement, states, and what earns the word dark."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from builders.tables import make_coverage, make_scenes, make_vessels
from pyproj import Geod

from sarship.ais import AIS, AisReports, count_ais, match_ais, read_ais
from sarship.ais.assignment import assign, chances, displacement_m
from sarship.ais.cleaning import clean, number_tracks
from sarship.ais.false_positions import find_false
from sarship.ais.positions import positions_at
from sarship.counts.by_pier import count_by_pier
from sarship.counts.visits import find_visits
from sarship.errors import ProductWarning
from sarship.geo.local_plane import Plane

GEOD = Geod(ellps="WGS84")
PASS = pd.Timestamp("2024-12-01T15:42:10Z")
QUAY = (35.81, 34.91)
PIERS = gpd.GeoDataFrame(
    {"name": pd.Series(["A", "B"], dtype="str"), "kind": ["pier", "pier"], "max_distance_m": [50.0, 50.0]},
    geometry=[shapely.box(35.80, 34.90, 35.82, 34.92), shapely.box(35.90, 34.90, 35.92, 34.92)],
    crs="EPSG:4326",
)


def reports(*vessels):
    """Reports of vessels: (mmsi, place, times in minutes from the pass, options)."""
    rows = []
    for mmsi, (longitude, latitude), minutes, *rest in vessels:
        more = dict(*rest)
        for minute in minutes:
            way = more.get("sog_kn", 0.0) * 0.514444 * minute * 60
            there = GEOD.fwd(longitude, latitude, more.get("cog_deg", 0.0), way)
            rows.append(
                {
                    "mmsi": mmsi,
                    "time": more.get("at", PASS) + pd.Timedelta(minute, "min"),
                    "longitude": there[0],
                    "latitude": there[1],
                    "sog_kn": 0.0,
                    "cog_deg": np.nan,
                    "heading_deg": 0.0,
                    "nav_status": 5.0,
                    "length_m": 100.0,
                    "a_m": 50.0,
                    "b_m": 50.0,
                    "c_m": 8.0,
                    "d_m": 8.0,
                    "is_false": False,
                    "file": "a.csv",
                    **{name: value for name, value in more.items() if name != "at"},
                }
            )
    frame = pd.DataFrame(rows).sort_values(["mmsi", "time"], ignore_index=True)
    frame["track"] = number_tracks(frame)
    texts = {column.name: "" for column in AIS.columns if column.dtype == "str"}
    blank = {column.name: texts.get(column.name, np.nan) for column in AIS.columns}
    full = pd.DataFrame({name: frame.get(name, pd.Series(value, index=frame.index)) for name, value in blank.items()})
    full = full.sort_values(["track", "time"], ignore_index=True)
    table = AIS.make({name: full[name] for name in blank}, gpd.points_from_xy(full["longitude"], full["latitude"]))
    return AisReports(table=table, files=("a.csv",), dropped={})


DAY = [*range(-700, 0, 30), -3, 3, *range(30, 700, 30)]
AROUND = [(211_000_100 + k, (35.70, 34.80 + 0.01 * k), DAY) for k in range(8)]
"""Vessels at rest some kilometres off, heard all day."""
SIDE = {"incidence_deg": 39.0, "flight_deg": 350.0, "shift_s": 113.0, "confidence": 0.9, "time": PASS}


def survey(*vessels, starts=("2024-12-01T15:42",)):
    """A survey that saw both piers on each pass."""
    names = [f"s{k}" for k in range(len(starts))]
    rows = [
        (scene, pier, SIDE | {"longitude": place[0], "latitude": place[1], "length_error_m": 5.0} | dict(*rest))
        for scene, pier, place, *rest in vessels
    ]
    cover = [(name, pier, 1.0, PIERS.geometry[k]) for name in names for k, pier in enumerate("AB")]
    coverage = make_coverage(*[(*row, 40.0, 35.0) for row in cover])
    return SimpleNamespace(
        vessels=make_vessels(*rows),
        scenes=make_scenes(*zip(names, starts, strict=True)),
        coverage=coverage,
        piers=PIERS,
    )


def test_matched_dark_not_seen_and_too_small():
    other = (35.81, 34.915)
    results = survey(("s0", "A", QUAY), ("s0", "A", other))
    heard = reports(
        *AROUND,
        (211_000_001, QUAY, DAY, {"name": "ONE"}),
        (211_000_002, (35.91, 34.91), DAY),
        (211_000_003, (35.91, 34.905), DAY, {"length_m": 20.0}),
        (211_000_004, (35.822, 34.91), DAY),
    )
    matches = match_ais(results, heard)
    table = matches.table.set_index(matches.table["vessel"].fillna(matches.table["mmsi"].astype("str")))
    assert table["state"].to_dict() == {
        "s0/0": "matched", "s0/1": "dark", "211000002": "not_seen", "211000003": "too_small", "211000004": "outside",
    }  # fmt: skip
    assert table.loc["s0/0", ["mmsi", "name"]].tolist() == [211_000_001, "ONE"]
    assert table.loc["s0/0", "p_match"] > 0.99
    assert table.loc["s0/0", "distance_m"] < 1
    assert table.loc["s0/1", "p_hear"] == 1.0
    assert 0.7 < table.loc["s0/1", "p_dark"] < 0.9
    counts = count_ais(counted(results), matches.table)
    assert {name: counts[name].to_numpy().tolist() for name in ("n_ais", "n_dark", "n_unknown", "n_not_seen")} == {
        "n_ais": [[1.0, 2.0]], "n_dark": [[1.0, 0.0]], "n_unknown": [[0.0, 0.0]], "n_not_seen": [[0.0, 1.0]],
    }  # fmt: skip


def counted(results):
    return count_by_pier(results.vessels, results.piers, results.scenes, results.coverage)


def jammed():
    """Half of the vessels around and more show the airport of Beirut at the pass."""
    return [
        (211_000_200 + k, (35.49 + 0.001 * k, 33.82), [-40, -3, 3, 40], {"is_false": True, "nav_status": 0.0})
        for k in range(12)
    ]


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ([], "too few to tell"),
        (AROUND[:4], "4 vessels at rest nearby, too few"),
        ([(mmsi, place, [m for m in DAY if abs(m) > 20]) for mmsi, place, _ in AROUND], "only 0% of 8 vessels at rest"),
        ([*AROUND, *jammed()], "positions around are false: jamming"),
        ([(mmsi, place, [m for m in DAY if m < -20]) for mmsi, place, _ in AROUND], "too few to tell"),
    ],
    ids=["nothing", "few", "gap", "jammed", "files that end before"],
)
def test_nothing_is_called_dark_where_ais_cannot_tell(heard, why):
    results = survey(("s0", "A", QUAY))
    table = match_ais(results, reports((211_000_001, (35.75, 34.85), [-3]), *heard)).table
    radar = table[table["vessel"].notna()]
    assert radar["state"].tolist() == ["unknown"]
    assert why in radar["note"].iloc[0]
    assert radar["p_dark"].isna().all()


@pytest.mark.parametrize("flight", [350.0, 190.0], ids=["ascending", "descending"])
def test_a_moving_vessel_is_found_where_the_radar_displaces_it(flight):
    east = 10 * 0.514444
    moved = displacement_m(*map(np.float64, (east, 0.0, flight, 39.0, 113.0)))
    assert moved * np.cos(np.radians(flight)) < 0 if flight == 350.0 else moved > 0
    longitude, latitude, _ = GEOD.fwd(*QUAY, flight, float(moved))
    results = survey(("s0", "A", (longitude, latitude), {"flight_deg": flight, "heading_deg": 90.0}))
    under_way = {"sog_kn": 10.0, "cog_deg": 90.0, "heading_deg": 90.0, "nav_status": 0.0}
    heard = reports(*AROUND, (211_000_001, QUAY, [-4, -2, 1, 3], under_way))
    row = match_ais(results, heard).table.iloc[0]
    assert (row["state"], row["mmsi"]) == ("matched", 211_000_001)
    assert row["distance_m"] < 30  # the track bends by the Earth, and times are of the second
    assert abs(row["displaced_m"]) == pytest.approx(360, abs=15)
    still = match_ais(survey(("s0", "A", QUAY, {"flight_deg": flight, "heading_deg": 90.0})), heard).table.iloc[0]
    assert still["distance_m"] > 300 or still["state"] == "dark"


def test_two_that_may_be_each_other_are_ambiguous():
    beside = (QUAY[0] + 0.0002, QUAY[1])
    heard = reports(*AROUND, (211_000_001, QUAY, DAY), (211_000_002, beside, DAY))
    middle = (QUAY[0] + 0.0001, QUAY[1])
    table = match_ais(survey(("s0", "A", middle)), heard).table
    row = table[table["vessel"].notna()].iloc[0]
    assert row["state"] == "ambiguous"
    assert 0.3 < row["p_match"] < 0.8
    assert "may be 21100000" in row["note"]


def test_a_replaced_ship_of_the_same_size_is_told_by_its_number():
    starts = ("2024-12-01T15:42", "2024-12-13T15:42", "2024-12-25T15:42")
    at = [pd.Timestamp(start, tz="UTC") for start in starts]
    results = survey(*[(f"s{k}", "A", QUAY, {"time": at[k]}) for k in range(3)], starts=starts)
    away = [(mmsi, place, DAY, {"at": time}) for time in at for mmsi, place, _ in AROUND]
    heard = reports(*away, (211_000_001, QUAY, DAY, {"at": at[0]}), (211_000_002, QUAY, DAY, {"at": at[2]}))
    matches = match_ais(results, heard)
    radar = matches.table[matches.table["vessel"].notna()]
    assert radar["state"].tolist() == ["matched", "dark", "matched"]
    assert "on another pass of its visit it was 211000001" in radar["note"].iloc[1]
    tables = (results.vessels, results.piers, results.scenes, results.coverage)
    visits = find_visits(*tables, mmsi=matches.mmsi())
    assert visits["status"].tolist() == ["first", "stayed", "arrived", "left"]
    assert visits["mmsi"].tolist() == [211_000_001, 211_000_001, 211_000_002, 211_000_001]
    assert find_visits(*tables)["status"].tolist() == ["first", "stayed", "stayed"]


def test_dark_on_two_passes_is_surer_and_capped():
    starts = ("2024-12-01T15:42", "2024-12-13T15:42")
    at = [pd.Timestamp(start, tz="UTC") for start in starts]
    results = survey(*[(f"s{k}", "A", QUAY, {"time": at[k]}) for k in range(2)], starts=starts)
    heard = reports(*[(mmsi, place, DAY, {"at": time}) for time in at for mmsi, place, _ in AROUND])
    assert match_ais(results, heard).table["p_dark"].tolist() == [0.95, 0.95]


def test_a_clock_that_is_off_is_said_and_nothing_is_dark():
    rng = np.random.default_rng(0)
    under_way = {
        "nav_status": 0.0,
        "sog_kn": 8.0,
        "cog_deg": 0.0,
        "heading_deg": 0.0,
        "at": PASS + pd.Timedelta(3, "h"),
    }
    places = [(35.80 + 0.003 * k, 34.90 + rng.uniform(0, 0.02)) for k in range(6)]
    heard = reports(
        *AROUND, *[(211_000_001 + k, place, range(-20, 21, 2), under_way) for k, place in enumerate(places)]
    )
    seen = [("s0", "A", place, {"incidence_deg": np.nan}) for place in places]
    with pytest.warns(ProductWarning, match=r"\+3 h off UTC"):
        matches = match_ais(survey(*seen, ("s0", "B", (35.91, 34.91))), heard)
    assert "dark" not in set(matches.table["state"])
    assert matches.summary["hours_off"] == 3.0


def test_chances_and_assignment_are_those_of_all_ways_counted_one_by_one():
    rng = np.random.default_rng(1)
    for n, m in ((1, 1), (2, 2), (3, 4), (4, 3)):
        odds = rng.gamma(1, 5, (n, m)) * (rng.random((n, m)) < 0.8)
        total, parts, best = 0.0, np.zeros((n, m)), (0.0, ())
        for way in product(range(-1, m), repeat=n):
            used = [column for column in way if column >= 0]
            if len(set(used)) == len(used):
                weight = float(np.prod([odds[k, column] for k, column in enumerate(way) if column >= 0]))
                total += weight
                for k, column in enumerate(way):
                    if column >= 0:
                        parts[k, column] += weight
                best = max(best, (weight, way))
        assert np.allclose(chances(odds), parts / total)
        assert tuple(assign(odds)) == best[1]


def test_a_crowd_is_cut_to_what_can_be_counted():
    odds = np.random.default_rng(2).gamma(0.3, 30, (40, 40))
    chance = chances(odds)
    assert np.all(chance.sum(axis=0) <= 1 + 1e-9)
    assert np.all(chance.sum(axis=1) <= 1 + 1e-9)


PLANE = Plane.around(shapely.Point(*QUAY))


@pytest.mark.parametrize(
    ("minutes", "options", "known"),
    [
        ([-29], {"nav_status": 0.0, "sog_kn": 10.0, "cog_deg": 0.0}, True),
        ([-31], {"nav_status": 0.0, "sog_kn": 10.0, "cog_deg": 0.0}, False),
        ([-359], {}, True),
        ([-361], {}, False),
        ([-700, 700], {}, True),
        ([-61, 61], {"nav_status": 0.0, "sog_kn": 10.0, "cog_deg": 0.0}, False),
        ([-5, 5], {"nav_status": 0.0, "sog_kn": np.nan}, True),
    ],
)
def test_how_far_reports_reach(minutes, options, known):
    table = (
        reports((211_000_001, QUAY, minutes, options)).table
        if not np.isnan(options.get("sog_kn", 0.0))
        else reports((211_000_001, QUAY, minutes, {"nav_status": 0.0})).table.assign(sog_kn=np.nan)
    )
    assert len(positions_at(table, PASS, PLANE)) == known


def test_the_middle_of_the_hull_lies_ahead_of_the_antenna():
    sides = {"heading_deg": 90.0, "a_m": 80.0, "b_m": 20.0, "c_m": 4.0, "d_m": 12.0}
    known = positions_at(reports((211_000_001, QUAY, [-3, 3], sides)).table, PASS, PLANE).iloc[0]
    assert (known["x"], known["y"]) == pytest.approx((30.0, -4.0), abs=0.1)
    usual = positions_at(reports((211_000_001, QUAY, [-3, 3], {"a_m": np.nan})).table, PASS, PLANE).iloc[0]
    assert (usual["x"], usual["y"]) == pytest.approx((0.0, 27.0), abs=0.1)
    assert usual["along"] > known["along"]
    lost = positions_at(reports((211_000_001, QUAY, [-3, 3], {"heading_deg": np.nan})).table, PASS, PLANE).iloc[0]
    assert lost["along"] == lost["across"] == pytest.approx(np.hypot(20, 35), abs=2)


def test_two_vessels_on_one_number_are_two_tracks():
    far = (30.0, 32.0)
    table = reports((211_000_001, QUAY, [-30, -10, 10, 30]), (211_000_001, far, [-20, 0, 20])).table
    assert table.groupby("track")["longitude"].nunique().tolist() == [1, 1]
    assert len(positions_at(table, PASS, PLANE)) == 2


def test_false_positions_by_a_common_target_a_known_place_and_a_circle():
    airport = (35.49, 33.82)
    elsewhere = (36.3, 33.5)
    turn = np.radians(np.arange(0, 720, 15))
    ring = [GEOD.fwd(35.2, 34.5, np.degrees(angle), 2_000.0)[:2] for angle in turn]
    circle = [(211_000_009, place, [2 * k - 40], {"nav_status": 0.0, "sog_kn": 0.0}) for k, place in enumerate(ring)]
    heard = reports(
        (211_000_001, QUAY, [-60, -50, 50, 60]),
        (211_000_001, elsewhere, [-10, 0, 10]),
        (211_000_002, (35.70, 34.80), [-60, -50, 50, 60]),
        (211_000_002, (36.301, 33.5), [-5, 5]),
        (211_000_003, (35.75, 34.80), [-60, -50, 50, 60]),
        (211_000_003, airport, [-5, 5]),
        (211_000_004, (35.76, 34.80), range(-60, 61, 5)),
        *circle,
    ).table
    false = find_false(pd.DataFrame(heard))
    spoofed = heard.assign(false=false).groupby("mmsi")["false"].sum().to_dict()
    assert spoofed == {211_000_001: 3, 211_000_002: 2, 211_000_003: 2, 211_000_004: 0, 211_000_009: 45}


def test_a_crowd_well_inland_is_false_and_one_at_a_quay_is_not():
    land = shapely.box(35.9, 34.8, 36.2, 35.0)
    inland = [(211_000_001 + k, (36.05 + 0.001 * k, 34.9), [-5, 5]) for k in range(3)]
    quay = [(211_000_011 + k, (35.9005, 34.9 + 0.001 * k), [-5, 5]) for k in range(3)]
    heard = reports(*inland, *quay).table
    false = find_false(pd.DataFrame(heard), land=land, places=())
    assert heard["mmsi"][false].unique().tolist() == [211_000_001, 211_000_002, 211_000_003]


def test_a_vessel_that_swings_at_anchor_goes_around_no_false_circle():
    turn = np.radians(np.arange(0, 360, 5))
    ring = [GEOD.fwd(35.2, 34.5, np.degrees(angle), 250.0)[:2] for angle in turn]
    heard = reports(*[(211_000_009, place, [10 * k - 360]) for k, place in enumerate(ring)]).table
    assert not find_false(pd.DataFrame(heard)).any()


def test_what_is_dropped_is_counted_by_its_reason():
    row = {"mmsi": 211_000_001, "time": PASS, "longitude": 35.8, "latitude": 34.9, "name": "ONE", "file": "a"}
    rows = [
        row, row, row | {"mmsi": 123_456_789}, row | {"mmsi": 21_100_000}, row | {"mmsi": 992_110_000},
        row | {"mmsi": 111_211_000}, row | {"mmsi": 2_110_000}, row | {"name": "NETMARK 87%"}, row | {"time": pd.NaT},
        row | {"mmsi": 970_123_456},
    ]  # fmt: skip
    texts = {column.name: "" for column in AIS.columns if column.dtype == "str"}
    frame = pd.DataFrame([texts | row for row in rows]).reindex(columns=[column.name for column in AIS.columns])
    cleaned, dropped = clean(frame)
    assert len(cleaned) == 1
    assert dropped == {
        "base stations": 1, "aids to navigation": 1, "search and rescue aircraft": 1, "distress beacons": 1,
        "numbers of no ship": 2, "buoys and nets by their names": 1, "times that cannot be read": 1, "duplicates": 1,
    }  # fmt: skip


def test_names_of_ais_cannot_act_in_a_spreadsheet_or_a_terminal(tmp_path):
    (tmp_path / "a.csv").write_text(
        "MMSI,TIMESTAMP,LAT,LON,NAME\n211000000,2024-12-01 15:42:00,34.9,35.8,=HYPERLINK(1)\x1b[2J\u202e\n"
    )
    assert read_ais(tmp_path / "a.csv").table["name"].tolist() == ["HYPERLINK(1) [2J"]
