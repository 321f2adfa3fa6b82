"""Acquisition plans: the files as ESA writes them, what replaces what, and what a pass is called."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from click.testing import CliRunner

from sarship.catalog import SceneQuery, completeness, list_passes, read_plans
from sarship.cli import main
from sarship.errors import CatalogError
from sarship.model import Scene

PORT = shapely.box(35.84, 34.88, 35.88, 34.92)
STRIP = [(34.0, 33.0), (37.0, 33.5), (36.6, 36.5), (33.6, 36.0)]
FAR = [(4.0, 43.0), (7.0, 43.5), (6.6, 46.5), (3.6, 46.0)]
DAY = timedelta(days=1)
FIRST = datetime(2026, 6, 2, 15, 41, 50, tzinfo=UTC)


def moment(time):
    return f"{time:%Y-%m-%dT%H:%M:%S}"


def placemark(start, *, platform="S1A", mode="IW", orbit=87, ring=STRIP, seconds=240, **changes):
    """A placemark as the files of June 2026 have them; `None` leaves a field out."""
    fields = {
        "SatelliteId": platform,
        "DatatakeId": f"{int(start.timestamp()) // 60 % 0xFFFFF:05X}",
        "Mode": mode,
        "Swath": "N/A",
        "Polarisation": "DV",
        "ObservationTimeStart": moment(start),
        "ObservationTimeStop": moment(start + timedelta(seconds=seconds)),
        "ObservationDuration": seconds,
        "OrbitAbsolute": 64000,
        "OrbitRelative": orbit,
    } | changes
    data = "".join(f'<Data name="{n}"><value>{v}</value></Data>' for n, v in fields.items() if v is not None)
    places = " ".join(f"{x},{y},0" for x, y in [*ring, ring[0]])
    span = f"<TimeSpan><begin>{moment(start)}</begin><end>{moment(start)}</end></TimeSpan>"
    return (
        f"<Placemark><name>{fields['DatatakeId']}</name>{span}<ExtendedData>{data}</ExtendedData>"
        f"<LinearRing><altitudeMode>clampToGround</altitudeMode><coordinates>{places}</coordinates></LinearRing></Placemark>"
    )


def plan(folder, marks, first, last, satellite="1A"):
    """A file with the name, and the namespace, that plans have."""
    name = f"Sentinel-{satellite}_MP_{first:%Y%m%dT%H%M%S}_{last:%Y%m%dT%H%M%S}.kml"
    head = '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder>'
    path = folder / name
    path.write_text(f"{head}{''.join(marks)}</Folder></Document></kml>", "utf-8")
    return path


def scene(start, platform="S1A", orbit=87):
    names = f"{start:%Y%m%dT%H%M%S}_{start + timedelta(seconds=25):%Y%m%dT%H%M%S}"
    return Scene(
        id=f"{platform}_IW_GRDH_1SDV_{names}_064000_07D10A_A9B9",
        platform=platform,
        mode="IW",
        product_type="GRDH",
        polarizations=("VV", "VH"),
        start=start,
        stop=start + timedelta(seconds=25),
        absolute_orbit=64000,
        relative_orbit=orbit,
        orbit_pass="ascending",
        footprint=PORT.buffer(1),
    )


def test_past_and_coming_passes_are_told_apart(tmp_path):
    """Data takes begin two minutes before they reach the port."""
    early = timedelta(minutes=2)
    cycles = [FIRST + 12 * k * DAY for k in range(7)]
    marks = [placemark(time - early) for time in (cycles[2], cycles[4], cycles[5], cycles[6])]
    marks += [placemark(FIRST + 50 * DAY, mode="WV"), placemark(FIRST + 51 * DAY, ring=FAR)]
    plan(tmp_path, marks, FIRST + 20 * DAY, FIRST + 80 * DAY)
    scenes = [scene(cycles[0]), scene(cycles[5])]
    query = SceneQuery(area=PORT, start=FIRST - DAY, end=cycles[5] + DAY)
    found = list_passes(
        PORT,
        read_plans([tmp_path]),
        scenes=scenes,
        gaps=completeness(scenes, query),
        period=query.period,
        now=cycles[6] - DAY,
    )
    assert [(one.time, one.state) for one in found] == [
        (cycles[0], "done"),
        (cycles[1], "absent"),  # of that time there is no plan
        (cycles[2], "missing"),
        (cycles[3], "not_planned"),
        (cycles[4], "missing"),
        (cycles[5], "done"),
        (cycles[6], "planned"),
    ]


def test_a_pass_that_just_ended_is_awaited(tmp_path):
    plan(tmp_path, [placemark(FIRST)], FIRST - DAY, FIRST + DAY)
    plans, period = read_plans([tmp_path]), (FIRST - DAY, FIRST + 3 * DAY)
    states = [
        list_passes(PORT, plans, period=period, now=FIRST + late)[0].state
        for late in (timedelta(0), timedelta(hours=3), 2 * DAY)
    ]
    assert states == ["planned", "awaited", "missing"]
    assert list_passes(PORT, plans, now=FIRST + 2 * DAY) == []  # nobody was asked, so nothing is missing
    (done,) = list_passes(PORT, plans, scenes=[scene(FIRST + timedelta(minutes=2))], period=period, now=FIRST + 2 * DAY)
    assert done.state == "done"


def test_later_files_replace_earlier_ones_within_their_period_only(tmp_path):
    old = [FIRST + k * DAY for k in range(6)]
    plan(tmp_path, map(placemark, old), FIRST - DAY, FIRST + 6 * DAY)
    plan(tmp_path, [placemark(FIRST + 2.5 * DAY)], FIRST + 1.5 * DAY, FIRST + 3.5 * DAY)  # a few days, changed
    plan(tmp_path, [placemark(FIRST + 2 * DAY, platform="S1C")], FIRST + 1.6 * DAY, FIRST + 9 * DAY, "1C")
    times = [(take.platform, (take.start - FIRST) / DAY) for take in read_plans([tmp_path]).takes]
    assert times == [("S1A", 0), ("S1A", 1), ("S1C", 2), ("S1A", 2.5), ("S1A", 4), ("S1A", 5)]


def test_across_the_antimeridian(tmp_path):
    ring = [(178.0, -18.0), (-179.0, -17.5), (-179.4, -14.5), (177.6, -15.0)]
    plan(tmp_path, [placemark(FIRST, ring=ring)], FIRST, FIRST + DAY)
    plans = read_plans([tmp_path])
    at = [shapely.Point(179.0, -16.5), shapely.Point(-179.5, -16.5), shapely.Point(0, -16.5)]
    assert [len(list_passes(place, plans, now=FIRST - DAY)) for place in at] == [1, 1, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no acquisition plan"),
        ("<kml><Placemark>", "no acquisition plan"),
        ("<!DOCTYPE x []><kml/>", "document type"),
        ("<kml/>", "has no data take"),
        (f"<kml>{placemark(FIRST, mode='WV')}</kml>", "has no data take"),
        (f"<kml>{placemark(FIRST, OrbitRelative=None)}</kml>", "lacks OrbitRelative"),
        (f"<kml>{placemark(FIRST, OrbitAbsolute='many')}</kml>", "cannot be read"),
        (f"<kml>{placemark(FIRST, ObservationTimeStart='soon')}</kml>", "cannot be read"),
        (f"<kml>{placemark(FIRST, ring=[(0, 0)])}</kml>", "cannot be read"),
    ],
)
def test_what_is_no_plan_is_one_sentence(tmp_path, content, said):
    path = tmp_path / "plan.kml"
    path.write_text(content, "utf-8")
    with pytest.raises(CatalogError, match=said) as caught:
        read_plans([path])
    assert str(path) in str(caught.value)


def test_the_command_lists_what_is_to_come(tmp_path):
    soon = datetime.now(UTC).replace(microsecond=0) + DAY
    path = plan(tmp_path, [placemark(soon), placemark(soon + DAY, ring=FAR)], soon, soon + 20 * DAY)

    def run(*words):
        return CliRunner().invoke(main, ["passes", *map(str, words)])

    told = run("Tartus", "--plan", path)
    assert told.exit_code == 0, told.output
    assert [line.split()[:5] for line in told.stdout.splitlines()[1:]] == [
        [f"{soon:%Y-%m-%d}", f"{soon:%H:%M}", "planned", "S1A", "87"]
    ]
    (one,) = json.loads(run("Tartus", "--plan", tmp_path, "--json").stdout)
    assert one["state"] == "planned"
    for words, said in (
        (["Tartus"], "give acquisition plans"),
        (["Tartus", "--plan", tmp_path / "none.kml"], "No such file"),
        (["Rotterdam", "--plan", path], "no pass over"),
    ):
        outcome = run(*words)
        assert outcome.exit_code == 2
        assert said in outcome.stderr
        assert "Traceback" not in outcome.output
