"""One rule for what a pass is: by time alone, and the same for catalogue, stack, flags and counts."""

import csv
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from builders.tables import make_coverage, make_scenes, make_vessels
from hypothesis import given
from hypothesis import strategies as st

from sarship.catalog import completeness
from sarship.catalog import group_passes as passes_of_catalogue
from sarship.catalog.query import SceneQuery
from sarship.catalog.scenes import make_scene
from sarship.counts.passes import group_passes as passes_of_counts
from sarship.model import Scene
from sarship.port.grid import PortGrid
from sarship.port.stack import add_scene, read_stack
from sarship.schema import PORT_SIGMA0
from sarship.sentinel1.passes import MAX_GAP, number_passes, number_slices
from sarship.vessels.flags import flag_lasting

T0 = np.datetime64("2024-12-01T11:00:00.000000", "us")


def numbered(*slices):
    """Numbers of slices (satellite, seconds after T0 of the first and the last line)."""
    names, start, stop = zip(*slices, strict=True)
    times = [T0 + (np.array(each) * 1e6).astype("timedelta64[us]") for each in (start, stop)]
    return number_passes(names, *times).tolist()


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ([("S1A", 0, 25), ("S1A", 25, 50)], [0, 0]),
        ([("S1A", 25.000001, 50), ("S1A", 0, 25)], [0, 0]),  # a microsecond between them, in no order
        ([("S1A", 0, 25), ("S1A", 24.999998, 50.1), ("S1A", 50.098, 75)], [0, 0, 0]),  # jitter
        ([("S1A", 0, 25), ("S1A", 18, 43)], [0, 0]),  # overlap
        ([("S1A", 0, 60), ("S1A", 5, 10), ("S1A", 115, 140)], [0, 0, 0]),  # a short one in a long one
        ([("S1A", 0, 25), ("S1A", 50, 75)], [0, 0]),  # one is missing between them
        ([("S1A", 0, 25), ("S1A", 85, 110)], [0, 0]),
        ([("S1A", 0, 25), ("S1A", 85.000001, 110)], [0, 1]),
        ([("S1A", 0, 25), ("S1C", 10, 35), ("S1A", 25, 50), ("S1C", 35, 60)], [0, 1, 0, 1]),
        ([("S1C", 0, 25), ("S1A", 300, 325)], [0, 1]),  # satellites minutes apart
        ([("S1C", 0, 25), ("S1A", 0, 25)], [1, 0]),
        ([("S1A", 0, 25), ("S1A", 0, 25), ("S1A", 0.3, 25.2)], [0, 0, 0]),  # twins
        ([("S1A", 0, 25), ("S1A", 5924, 5949)], [0, 1]),  # the next orbit
        ([("S1A", 12 * 86_400 + 0.7, 12 * 86_400 + 25), ("S1A", 0, 25)], [1, 0]),  # the next cycle
    ],
)
def test_slices_that_follow_are_one_pass(slices, expected):
    assert numbered(*slices) == expected


def test_nothing_has_no_pass():
    none = np.empty(0, "datetime64[us]")
    assert number_passes([], none, none).size == number_slices([], none, none).size == 0


flybys = st.lists(
    st.tuples(
        st.sampled_from(["S1A", "S1B", "S1C"]),
        st.integers(0, 400),  # two hours each: no two of one satellite are nearer
        st.lists(st.tuples(st.integers(-5_000_000, 60_000_000), st.integers(1, 30_000_000)), min_size=1, max_size=4),
    ),
    max_size=8,
    unique_by=lambda flyby: flyby[:2],
)


@given(flybys, st.randoms(use_true_random=False))
def test_passes_that_were_cut_are_put_together(flybys, shuffle):
    """However a pass was cut, with overlaps and gaps to a minute, by the microsecond and in any order."""
    rows = []
    for satellite, two_hours, cuts in flybys:
        begin = end = 7_200_000_000 * two_hours
        for k, (gap, length) in enumerate(cuts):
            start = begin if k == 0 else max(begin, end + gap)
            rows.append((satellite, start, start + length, (begin, satellite)))
            end = max(end, start + length)
    shuffle.shuffle(rows)
    names = [row[0] for row in rows]
    start, stop = (T0 + np.array([row[k] for row in rows], "timedelta64[us]") for k in (1, 2))
    order = {key: k for k, key in enumerate(sorted({row[3] for row in rows}))}
    assert number_passes(names, start, stop).tolist() == [order[row[3]] for row in rows]


@given(st.lists(st.tuples(st.sampled_from(["S1A", "S1C"]), *[st.integers(0, 3_000_000)] * 2), max_size=12))
def test_slices_are_the_acquisitions_of_scenes(rows):
    """Two spellings of one rule: for columns, and for single scenes."""
    moment = datetime(2024, 12, 1, tzinfo=UTC)
    scenes = [
        Scene(
            id="", platform=name, mode="IW", product_type="GRDH", polarizations=("VV",), absolute_orbit=1,
            start=moment + timedelta(microseconds=start), stop=moment + timedelta(seconds=25, microseconds=stop),
            relative_orbit=1, orbit_pass="ascending", footprint=shapely.box(0, 0, 1, 1),
        )
        for name, start, stop in rows
    ]  # fmt: skip
    times = [[getattr(one, name).replace(tzinfo=None) for one in scenes] for name in ("start", "stop")]
    numbers = number_slices([one.platform for one in scenes], *times)
    pairs = set(zip(numbers.tolist(), [one.acquisition for one in scenes], strict=True))
    assert len(pairs) == len(set(numbers.tolist())) == len({one.acquisition for one in scenes})


# ---- one rule for all

SINGAPORE = shapely.box(103.7, 1.15, 104.0, 1.35)


def scene(start, orbit, track, *, platform="S1A", length=25.0, footprint=SINGAPORE):
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    end = begin + timedelta(seconds=length)
    name = f"{platform}_IW_GRDH_1SDV_{begin:%Y%m%dT%H%M%S}_{end:%Y%m%dT%H%M%S}_{orbit:06d}_06D21F_1A2B"
    options = {"start": begin, "stop": end, "relative_orbit": track, "orbit_pass": "ascending"}
    made = make_scene(name, footprint, source="test", **options)
    assert made is not None
    return made


CUT = [
    [scene("2024-11-30T23:59:45.100002", 56_000, 48), scene("2024-12-01T00:00:10.100001", 56_001, 49)],  # both at once
    [scene("2024-12-01T00:02:30", 1_000, 49, platform="S1C")],
    [scene("2024-12-01T01:38:30", 56_002, 50)],  # the next orbit, of the same day
    [scene("2024-12-13T00:00:00.4", 56_175, 48), scene("2024-12-13T00:00:50.4", 56_176, 49)],  # one between is missing
    [scene("2024-12-25T00:00:01", 56_351, 49), scene("2024-12-25T00:00:19.5", 56_351, 49)],  # overlapping
]
IDS = [[one.id for one in group] for group in CUT]


def table_of(scenes):
    return make_scenes(
        *[
            (one.id, one.start.replace(tzinfo=None), {"platform": one.platform, "stop": pd.Timestamp(one.stop)})
            for one in scenes
        ]
    )


def test_catalogue_stack_flags_and_counts_mean_the_same_by_a_pass(tmp_path):
    scenes = [one for group in CUT for one in group]
    assert [[one.id for one in group] for group in passes_of_catalogue(reversed(scenes))] == IDS
    coverage = make_coverage(*[(one.id, "A", 1.0) for one in scenes])
    assert [frame["scene"].tolist() for frame in passes_of_counts(table_of(scenes), coverage)] == IDS
    grid = PortGrid.around(shapely.box(103.80, 1.250, 103.805, 1.255), 0)
    for number, one in enumerate(scenes):
        coords = {"polarization": ["VV"], "y": grid.y, "x": grid.x, "scene": one.id, "platform": one.platform}
        coords |= {"relative_orbit": one.relative_orbit, "orbit_pass": "ascending", "incidence": 35.0}
        for name, time in (("time", one.start), ("stop", one.stop)):
            coords[name] = np.datetime64(time.replace(tzinfo=None), "ns")
        image = xr.DataArray(np.ones((1, *grid.shape), np.float32), coords, PORT_SIGMA0.dims, attrs=grid.attrs)
        add_scene(tmp_path, f"{number}", image)
    assert read_stack(tmp_path)["scene"].to_numpy().tolist() == [" ".join(group) for group in IDS]
    for n_passes, flag in ((4, ""), (5, "fixture")):  # five passes are enough to tell what lasts, four are not
        here = [one for group in CUT[:n_passes] for one in group]
        vessels = make_vessels(*[(one.id, None, {"longitude": 35.5, "latitude": 34.5}) for one in here])
        assert set(flag_lasting(vessels.assign(flag=""), table_of(here))["flag"]) == {flag}


def test_no_gap_is_invented_at_the_equator():
    """Slices differ from date to date: of some only the northern one shows the port, of some the southern one too."""
    period = SceneQuery(area=SINGAPORE, start="2024-11-25", end="2025-01-10")
    south, north = (
        [scene(f"2024-{day}T11:{time}", orbit + 175 * k, track) for k, day in enumerate(["12-01", "12-13", "12-25"])]
        for time, orbit, track in (("00:00", 56_000, 48), ("00:25", 56_001, 49))
    )
    last = scene("2025-01-06T11:00:25.4", 56_526, 49)
    whole = completeness([south[0], *north, last], period)
    assert (whole.n_found, whole.missing) == (4, ())
    gap = completeness([south[0], *north[:2], last], period, [south[2]])
    assert [f"{missing.time:%m-%d}" for missing in gap.missing] == ["12-25"]
    assert gap.missing[0].elsewhere == (south[2],)


def test_passes_of_tartus(real_data):
    """Where no orbit ends, time and the absolute orbit give the same: 446 products, 336 passes."""
    with (real_data / "tartus" / "passes.csv").open(encoding="utf-8") as stream:
        names = [row["product"] for row in csv.DictReader(stream)]
    parts = [re.match(r"(S1[A-D])_IW_GRDH_1S.._(\d{8}T\d{6})_(\d{8}T\d{6})_(\d{6})", name) for name in names]
    platform, start, stop, orbit = zip(*[part.groups() for part in parts], strict=True)
    times = [pd.to_datetime(list(each), format="%Y%m%dT%H%M%S").to_numpy() for each in (start, stop)]
    numbers = number_passes(platform, *times)
    assert len(names) == 446
    assert numbers.max() + 1 == 336
    pairs = set(zip(numbers.tolist(), platform, orbit, strict=True))
    assert len(pairs) == 336 == len(set(zip(platform, orbit, strict=True)))


def test_the_longest_gap_is_shorter_than_what_parts_two_passes():
    assert np.timedelta64(50, "s") < MAX_GAP < np.timedelta64(90, "m")
