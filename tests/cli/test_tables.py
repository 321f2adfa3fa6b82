"""Tables for a terminal."""

import re

from builders.tables import PIERS, make_coverage, make_scenes, make_vessels

from sarship.cli.tables import traffic_text
from sarship.counts.by_pier import count_by_pier
from sarship.counts.places import traffic_at
from sarship.counts.visits import find_traffic
from sarship.schema import TRAFFIC, WHOLE_PORT

DAYS = ["d1", "d2", "d3"]
PLACE = {"longitude": 35.81, "latitude": 34.91}


def tables(*rows):
    scenes = make_scenes(*[(day, f"2024-12-0{i}") for i, day in enumerate(DAYS, 1)])
    coverage = make_coverage(*[(day, pier, 1.0) for day in DAYS for pier in "AB"])
    given = (make_vessels(*rows), PIERS, scenes, coverage)
    return find_traffic(*given), count_by_pier(*given)


def test_traffic_adds_up_over_passes_and_over_piers_without_anchorages():
    traffic, counts = tables(*[(day, "A", PLACE) for day in DAYS], ("d2", "B"))
    sums = traffic_at(traffic, counts)
    assert sums.index.tolist() == [WHOLE_PORT, "A", "B"]
    at_a = traffic[traffic["pier"] == "A"]
    assert sums.loc["A", "stayed"] == at_a["stayed"].sum() > 1.8
    assert sums.loc["A", "stayed_error"] ** 2 == (at_a["stayed_error"] ** 2).sum()
    assert (sums.loc[WHOLE_PORT] == sums.loc["A"]).all()  # B is an anchorage
    assert 0.5 < sums.loc["B", "arrived"] <= 1


def test_traffic_is_a_line_a_pier_and_nothing_where_there_is_none():
    traffic, counts = tables(*[(day, "A", PLACE) for day in DAYS])
    lines = traffic_text(traffic, counts).splitlines()
    assert re.fullmatch(r"all piers +0 ± \d +0 ± \d +2 ± \d", lines[3])
    assert [line.split()[0] for line in lines[4:]] == ["A", "B"]
    assert traffic_text(TRAFFIC.empty(), counts) == ""
