"""Questions, and what every catalogue shares: one scene an acquisition, passes, and what is missing."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from shapely import box

from sarship.catalog import completeness, group_passes, open_catalog
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import arrange, footprint_of, is_name, make_scene, matches, query_area, query_of
from sarship.errors import CatalogError
from sarship.model import Scene

PORT = box(35.80, 34.85, 35.90, 34.95)
NAME = "S1A_IW_GRDH_1SDV_{0:%Y%m%dT%H%M%S}_{1:%Y%m%dT%H%M%S}_{2:06d}_06D21F_{3}"


def scene(day: float = 0, *, check: str = "1A2B", orbit: int = 56_821, seconds: float = 0, **options) -> Scene:
    start = datetime(2024, 12, 3, 15, 42, 11, tzinfo=UTC) + timedelta(days=day, seconds=seconds)
    name = NAME.format(start, start + timedelta(seconds=25), orbit, check)
    made = make_scene(name, box(34, 34, 37, 36), source="test", orbit_pass="ASCENDING", **options)
    assert made is not None
    return made


def query(**options) -> SceneQuery:
    return SceneQuery(**{"area": PORT, "start": "2024-12-01", "end": "2024-12-31", **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"area": box(34.8, 95, 35, 96)}, "outside the world"),
        ({"area": box(500, 1, 501, 2)}, "outside the world"),
        ({"area": box(-30, 0, 30, 10)}, "degrees wide"),
        ({"area": shapely.Polygon()}, "empty"),
        ({"end": "2024-11-30"}, "before it starts"),
        ({"start": datetime(2024, 12, 1)}, "no time zone"),
        ({"start": "2024-12-01T10:00:00"}, "no time zone"),
        ({"start": "yesterday"}, "not a date"),
        ({"polarizations": ("XX",)}, "unknown polarisation 'XX'"),
        ({"orbit_pass": "sideways"}, "unknown pass"),
        ({"relative_orbit": 176}, "1 to 175"),
        ({"platform": "S2A"}, "unknown platform"),
        ({"area": None}, "an hour at most"),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_sentence(options, words):
    with pytest.raises(CatalogError, match=words) as caught:
        query(**options)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_none_is_one_sentence():
    assert matches(scene(), query_of(scene().id + ".SAFE"))
    assert not is_name("Tartus")
    with pytest.raises(CatalogError, match="Tartus is not the name"):
        query_of("Tartus")


def test_a_date_alone_includes_its_whole_day():
    assert query().period == (datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))


def test_an_area_over_the_antimeridian_is_split_and_found():
    fiji = query(area=box(177, -19, 183, -16))
    assert query_area(fiji).bounds[0] == -180
    assert query_area(fiji).bounds[2] == 180
    over = replace(scene(), footprint=footprint_of("POLYGON((178 -18, 179 -16, -179 -16, -178 -18, 178 -18))", "test"))
    assert matches(over, fiji)
    assert matches(over, query(area=box(-179.5, -18, -179, -17)))
    assert not matches(over, query(area=box(0, -18, 10, -17)))


def test_unknown_catalogue_lists_the_known():
    with pytest.raises(CatalogError, match=r"unknown catalogue 'nonsense'; choose from .*local"):
        open_catalog("nonsense")


def test_the_name_gives_what_the_catalogue_does_not():
    one = scene()
    assert (one.platform, one.mode, one.product_type, one.polarizations) == ("S1A", "IW", "GRDH", ("VV", "VH"))
    assert (one.absolute_orbit, one.relative_orbit, one.orbit_pass) == (56_821, 49, "ascending")


def test_what_is_no_grd_is_left_out():
    name = "S1A_IW_SLC__1SDV_20221002T205126_20221002T205156_045268_056950_0664"
    assert make_scene(name, PORT, source="test", orbit_pass="ascending") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"relative_orbit": 200},
        {"relative_orbit": "?"},
        {"orbit_pass": None},
        {"start": "never"},
        {"footprint": None},
        {"footprint": {"type": "Polygon"}},
        {"footprint": "POLYGON((900 0, 901 0, 901 1, 900 0))"},
        {"footprint": {"type": "Point", "coordinates": [1, 2]}},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(wrong):
    name = scene().id
    with pytest.raises(CatalogError):
        make_scene(name, **{"footprint": PORT, "source": "test", "orbit_pass": "ascending", **wrong})


def test_twins_and_reprocessings_are_one_scene():
    first = datetime(2024, 12, 3, 18, tzinfo=UTC)
    plain = scene(processed=first)
    cog = scene(check="77AA_COG", processed=first)
    newer = scene(check="0001", processed=first + timedelta(days=30))
    assert arrange([plain, cog]) == [cog] == arrange([cog, plain])
    assert arrange([newer, cog, plain]) == [newer]


@pytest.mark.parametrize("processed", [("09:04", "09:00"), ("09:00", "09:04"), (None, None)])
@pytest.mark.parametrize(
    ("fine", "coarse"),
    [
        ("EW_GRDH_1SDH", "EW_GRDM_1SDH"),
        ("S3_GRDF_1SDV", "S3_GRDH_1SDV"),
        ("IW_GRDH_1SDV", "IW_GRDM_1SDV"),
        ("IW_GRDH_1SDV", "IW_GRDH_1SSV"),  # VV alone
    ],
)
def test_of_two_resolutions_the_finer_is_taken_whichever_was_processed_last(processed, fine, coarse):
    made = []
    for kind, minutes, check in zip((fine, coarse), processed, ("F9A0", "1B2C"), strict=True):
        name = f"S1B_{kind}_20190820T075249_20190820T075349_017666_0213C3_{check}"
        told = None if minutes is None else f"2019-08-20T{minutes}"
        made.append(make_scene(name, box(20, 70, 30, 75), source="test", orbit_pass="descending", processed=told))
    assert arrange(made) == arrange(made[::-1]) == made[:1]


def test_order_is_by_time():
    scenes = [scene(24), scene(0), scene(12)]
    assert [one.start.day for one in arrange(scenes)] == [3, 15, 27]


def test_slices_of_a_pass_are_one_look():
    north, south = scene(seconds=25), scene()
    later = scene(12, orbit=56_996)
    assert group_passes([later, north, south]) == [(south, north), (later,)]


def test_a_missing_pass_is_named():
    whole = [scene(0), scene(12, orbit=56_996), scene(24, orbit=57_171)]
    report = completeness(whole, query())
    assert report.is_whole
    assert (report.n_found, report.n_expected) == (3, 3)
    gap = completeness([whole[0], whole[2]], query())
    assert not gap.is_whole
    assert [f"{missing.time:%m-%d}" for missing in gap.missing] == ["12-15"]
    assert "missing: S1A orbit 49 ascending 2024-12-15" in str(gap)


def test_a_second_catalogue_tells_lost_from_never_acquired():
    lost, other_track = scene(12, orbit=56_996), scene(3, orbit=56_865)
    report = completeness([scene(0), scene(24, orbit=57_171)], query(), [lost, other_track])
    found = {f"{missing.time:%m-%d}": missing.elsewhere for missing in report.missing}
    assert found["12-15"] == (lost,)
    assert found["12-06"] == (other_track,), "a track of which the first catalogue has nothing"
    assert "the other catalogue has it" in str(report)


def test_nothing_found_cannot_be_compared():
    report = completeness([], query())
    assert (report.n_found, report.n_expected) == (0, 0)


def repeated(platform, first, n, orbit):
    """Scenes every twelve days, some seconds off, as a real track has them."""
    found = []
    for k in range(n):
        start = first + timedelta(days=12 * k, seconds=(-1) ** k * 1.5)
        name = f"{platform}_IW_GRDH_1SDV_{start:%Y%m%dT%H%M%S}_{start + timedelta(seconds=25):%Y%m%dT%H%M%S}"
        whole = f"{name}_{orbit + 175 * k:06d}_0ABCDE_1234"
        found.append(make_scene(whole, box(34, 34, 37, 36), source="test", orbit_pass="ascending"))
    return found


@pytest.mark.parametrize(
    ("platform", "first", "orbit", "asked"),
    [
        ("S1A", datetime(2026, 4, 2, 15, 42, tzinfo=UTC), 64_000, ("2026-04-01", "2026-11-20")),  # its last in June
        ("S1B", datetime(2021, 11, 16, 15, 42, tzinfo=UTC), 29_600, ("2021-11-01", "2022-03-01")),  # failed in December
        ("S1C", datetime(2025, 3, 30, 15, 42, tzinfo=UTC), 1_650, ("2024-10-01", "2025-05-10")),  # not open before
        ("S1A", datetime(2014, 10, 6, 15, 42, tzinfo=UTC), 2_700, ("2014-04-01", "2014-11-15")),  # not open before
        ("S1D", datetime(2026, 4, 20, 3, 41, tzinfo=UTC), 2_900, ("2025-10-01", "2026-07-31")),  # not open before
    ],
)
def test_nothing_is_missing_before_a_satellite_begins_or_after_it_ends(platform, first, orbit, asked):
    scenes = repeated(platform, first, 4, orbit)
    report = completeness(scenes, query(start=asked[0], end=asked[1]))
    assert (report.n_found, report.missing) == (4, ())


def test_a_satellite_that_was_moved_begins_new_tracks():
    before = repeated("S1C", datetime(2026, 5, 1, 3, 41, tzinfo=UTC), 3, 7_300)
    after = repeated("S1C", datetime(2026, 6, 27, 15, 42, tzinfo=UTC), 3, 8_130)
    report = completeness([*before, *after], query(start="2026-05-01", end="2026-08-01"))
    assert report.missing == ()
    gap = completeness([*before, after[0], after[2]], query(start="2026-05-01", end="2026-08-01"))
    assert [f"{missing.time:%m-%d}" for missing in gap.missing] == ["07-09"]


def test_a_whole_archive_of_five_years_lacks_nothing_and_then_just_what_is_taken_out():
    """Every pass of two tracks, by the satellites that flew at the time."""
    flown = {
        "S1A": (datetime(2022, 1, 2, 15, 42, tzinfo=UTC), 136, 41_300),
        "S1B": (datetime(2021, 10, 5, 15, 42, 30, tzinfo=UTC), 7, 28_900),
        "S1C": (datetime(2025, 3, 28, 15, 42, 10, tzinfo=UTC), 50, 1_700),
        "S1D": (datetime(2026, 4, 20, 15, 42, 20, tzinfo=UTC), 18, 2_900),
    }
    scenes = [
        one
        for name, (first, n, orbit) in flown.items()
        for track in (0, 5)
        for one in repeated(name, first + timedelta(days=track, hours=-0.01 * track), n, orbit + 73 * (track > 0))
    ]
    asked = query(start="2021-10-01", end="2026-11-20")
    whole = completeness(scenes, asked)
    assert (whole.n_found, whole.missing) == (2 * (136 + 7 + 50 + 18), ())
    taken = {3, 40, 275, 290, 400}
    gaps = completeness([one for k, one in enumerate(scenes) if k not in taken], asked).missing
    assert {(gap.platform, gap.time.date()) for gap in gaps} == {
        (scenes[k].platform, scenes[k].start.date()) for k in taken
    }


@pytest.mark.parametrize(
    ("platform", "orbit", "track"),
    [("S1A", 45_268, 46), ("S1B", 30_148, 22), ("S1C", 8_018, 147), ("S1C", 8_019, 46), ("S1D", 2_389, 73)],
)
def test_tracks_follow_from_the_absolute_orbit(platform, orbit, track):
    (one,) = repeated(platform, datetime(2026, 3, 13, 5, 0, tzinfo=UTC), 1, orbit)
    assert one.relative_orbit == track


def test_the_real_archive_of_tartus_lacks_what_it_lacks(real_data):
    """Of S1A's steps of twelve days between the first and the last pass of each track."""
    with (real_data / "tartus" / "passes.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    direction = {row["rel_orbit"]: row["direction"] for row in rows if row["direction"]}  # some rows have none
    scenes = [
        make_scene(
            f"{row['product'][:55]}_000000_0000",
            box(34, 34, 37, 36),
            source="test",
            relative_orbit=row["rel_orbit"],
            orbit_pass=direction[row["rel_orbit"]],
        )
        for row in rows
    ]
    report = completeness(scenes, query(start="2022-01-01", end="2026-11-20"))
    assert report.n_found == 336
    absent = Counter(gap.relative_orbit for gap in report.missing if gap.platform == "S1A")
    assert absent == {14: 22, 21: 60, 87: 20, 94: 69}
    last = max(scene.start for scene in scenes if scene.platform == "S1A")
    assert all(gap.time <= last for gap in report.missing if gap.platform == "S1A")
